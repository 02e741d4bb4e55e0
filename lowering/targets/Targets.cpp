//===- Targets.cpp - From the table of targets to what LLVM is told -------===//
#include "lowering/targets/Targets.h"

namespace quern::lowering {

/// Static shared memory that every driver grants a block without being asked.
static constexpr int32_t staticSharedBytes = 48 * 1024;

/// Version of PTX, times 10, that has fp8 products of a warp.
static constexpr uint32_t fp8PtxVersion = 84;

namespace {
/// What distinguishes the vendors here: LLVM's triple and the factory.
struct VendorRow {
  std::string_view vendor, triple;
  std::unique_ptr<TargetLowering> (*make)(const CodeTarget &);
};
} // namespace

static constexpr VendorRow vendors[] = {
    {"nvidia", "nvptx64-nvidia-cuda", makeNvidiaLowering},
    {"amd", "amdgcn-amd-amdhsa", makeAmdLowering},
    {"cpu", "x86_64-unknown-linux-gnu", makeCpuLowering},
};

static CodeTarget fromInfo(const TargetInfo &info) {
  CodeTarget target;
  target.vendor = info.vendor;
  target.name = target.vendor + ":" + std::string(info.architecture);
  target.cpu = info.llvmCpu;
  target.features = info.llvmFeatures;
  for (const VendorRow &row : vendors)
    if (row.vendor == info.vendor)
      target.triple = row.triple;
  if (info.minPtxVersion) {
    uint32_t version =
        info.fp8 == Fp8Flavour::None ? info.minPtxVersion : std::max(info.minPtxVersion, fp8PtxVersion);
    target.features += (target.features.empty() ? "+ptx" : ",+ptx") + std::to_string(version);
  }
  target.simd = info.isCpu();
  if (info.isCpu()) {
    target.lanes = int32_t(info.cpu.vectorBits / 32);
    target.warps = 1;
  } else {
    target.lanes = int32_t(info.gpu.subgroupSize);
    target.sharedLimit = staticSharedBytes;
    if (const CardInfo *card = findCard(info.card); card && info.form == CodeForm::Ptx)
      target.dynamicLimit = int32_t(card->sharedPerBlockBytes);
  }
  return target;
}

Expected<std::vector<CodeTarget>> codeTargets(const std::string &name) {
  QUERN_ASSIGN_OR_RETURN(TargetSpec spec, parseTarget(name));
  std::vector<CodeTarget> found;
  for (const TargetInfo *info : spec.members())
    found.push_back(fromInfo(*info));
  if (found.empty())
    return Status::error(Exit::Unsupported, "E-TARGET-NATIVE", "no code can be made for `" + name + "` yet")
        .remedy("use `cpu`, which holds code for every level");
  return found;
}

std::unique_ptr<TargetLowering> makeLowering(const CodeTarget &target) {
  for (const VendorRow &row : vendors)
    if (row.vendor == target.vendor)
      return row.make(target);
  return nullptr;
}

} // namespace quern::lowering
