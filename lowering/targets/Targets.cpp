//===- Targets.cpp - Rows of the code target table ------------------------===//
#include "lowering/targets/Targets.h"

namespace quern::lowering {

namespace {
struct Row {
  const char *name, *triple, *cpu, *features;
  int32_t lanes;
  bool simd;
  int32_t warps, sharedLimit;
  std::unique_ptr<TargetLowering> (*make)(const CodeTarget &);
};

constexpr const char *ptx = "nvptx64-nvidia-cuda", *hsa = "amdgcn-amd-amdhsa", *elf = "x86_64-unknown-linux-gnu";
} // namespace

// PTX versions are the lowest that the chip's instructions need, so that older drivers accept the text.
static const Row rows[] = {
    {"nvidia:sm_80", ptx, "sm_80", "+ptx70", 32, false, 4, 49152, makeNvidiaLowering},
    {"nvidia:sm_89", ptx, "sm_89", "+ptx78", 32, false, 4, 49152, makeNvidiaLowering},
    {"nvidia:sm_90a", ptx, "sm_90a", "+ptx80", 32, false, 4, 49152, makeNvidiaLowering},
    {"nvidia:sm_100a", ptx, "sm_100a", "+ptx86", 32, false, 4, 49152, makeNvidiaLowering},
    {"nvidia:sm_120a", ptx, "sm_120a", "+ptx87", 32, false, 4, 49152, makeNvidiaLowering},
    {"amd:gfx90a", hsa, "gfx90a", "", 64, false, 4, 65536, makeAmdLowering},
    {"amd:gfx942", hsa, "gfx942", "", 64, false, 4, 65536, makeAmdLowering},
    {"amd:gfx950", hsa, "gfx950", "", 64, false, 4, 65536, makeAmdLowering},
    {"amd:gfx1100", hsa, "gfx1100", "+wavefrontsize32", 32, false, 4, 65536, makeAmdLowering},
    {"amd:gfx1201", hsa, "gfx1201", "+wavefrontsize32", 32, false, 4, 65536, makeAmdLowering},
    {"cpu:x86-64-v3", elf, "x86-64-v3", "", 8, true, 1, 0, makeCpuLowering},
    {"cpu:x86-64-v4", elf, "x86-64-v4", "-prefer-256-bit", 16, true, 1, 0, makeCpuLowering},
    {"cpu:x86-64-v4+avx512bf16", elf, "x86-64-v4", "+avx512bf16", 16, true, 1, 0, makeCpuLowering},
};

static CodeTarget fromRow(const Row &row) {
  CodeTarget target;
  target.name = row.name;
  target.triple = row.triple;
  target.cpu = row.cpu;
  target.features = row.features;
  target.lanes = row.lanes;
  target.simd = row.simd;
  target.warps = row.warps;
  target.sharedLimit = row.sharedLimit;
  return target;
}

Expected<std::vector<CodeTarget>> codeTargets(const std::string &target) {
  std::vector<CodeTarget> found;
  for (const Row &row : rows) {
    std::string name = row.name;
    if (name == target || (target == "cpu" && name.starts_with("cpu:")))
      found.push_back(fromRow(row));
  }
  if (found.empty()) {
    std::string known;
    for (const Row &row : rows)
      known += (known.empty() ? "" : ", ") + std::string(row.name);
    return Status::error(Exit::Unsupported, "E-TARGET-UNKNOWN", "no code can be made for `" + target + "`")
        .remedy("choose one of cpu, " + known);
  }
  return found;
}

std::unique_ptr<TargetLowering> makeLowering(const CodeTarget &target) {
  for (const Row &row : rows)
    if (target.name == row.name)
      return row.make(target);
  return nullptr;
}

} // namespace quern::lowering
