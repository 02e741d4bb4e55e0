//===- KnownTargets.cpp - The targets -------------------------------------===//
#include "support/target/KnownTargets.h"

namespace quern {

namespace {

// Limits of a block: "CUDA C++ Programming Guide", table of technical specifications per compute capability.
// PTX versions: the lowest that LLVM's NVPTX back end takes for the architecture; what a kernel needs beyond
// that (8.1 for fp8 conversions and 8.4 for fp8 products on sm_89, 8.8 for block-scaled products on sm_100a)
// is decided where the code is made.
constexpr GpuLimits ampere = {.subgroupSize = 32,
                              .maxThreadsPerBlock = 1024,
                              .maxThreadsPerUnit = 2048,
                              .maxBlocksPerUnit = 32,
                              .maxRegistersPerLane = 255,
                              .registerGranule = 8,
                              .sharedGranuleBytes = 128,
                              .sharedBanks = 32,
                              .sharedBytesPerClock = 128,
                              .asyncCopy = true,
                              .maxGridBlocks = 0x7fffffff,
                              .maxGridThreads = uint64_t(0x7fffffff) * 1024};

constexpr GpuLimits ada = [] {
  GpuLimits limits = ampere;
  limits.maxThreadsPerUnit = 1536;
  limits.maxBlocksPerUnit = 24;
  return limits;
}();

constexpr GpuLimits hopper = [] {
  GpuLimits limits = ampere;
  limits.maxCluster = 8; // the portable size; 16 needs an opt-in
  limits.tensorCopy = true;
  return limits;
}();

constexpr GpuLimits blackwell = [] {
  GpuLimits limits = hopper;
  limits.tensorMemoryBytes = 128 * 512 * 4; // lanes, columns, bytes
  return limits;
}();

// Descriptor copies, but no clusters and no tensor memory.
constexpr GpuLimits consumerBlackwell = [] {
  GpuLimits limits = ada;
  limits.tensorCopy = true;
  return limits;
}();

// Four SIMDs of eight wave slots; 512 registers a lane, half of them accumulation registers. Blocks: one
// barrier each, of sixteen. A grid counts its threads in 32 bits.
constexpr GpuLimits cdna2 = {.subgroupSize = 64,
                             .maxThreadsPerBlock = 1024,
                             .maxThreadsPerUnit = 2048,
                             .maxBlocksPerUnit = 16,
                             .maxRegistersPerLane = 512,
                             .registerGranule = 8,
                             .sharedGranuleBytes = 512,
                             .sharedBanks = 32,
                             .sharedBytesPerClock = 128,
                             .directCopyBits = 32,
                             .maxGridBlocks = 0x7fffffff,
                             .maxGridThreads = 0xffffffff};

constexpr GpuLimits cdna3 = [] {
  GpuLimits limits = cdna2;
  limits.dies = 8;
  return limits;
}();

constexpr GpuLimits cdna4 = [] {
  GpuLimits limits = cdna3;
  limits.sharedGranuleBytes = 1280;
  limits.sharedBanks = 64;
  limits.sharedBytesPerClock = 256;
  limits.directCopyBits = 128;
  return limits;
}();

// Two SIMDs of sixteen wave slots a compute unit; shared memory and registers are counted for the two compute
// units of a work-group processor.
constexpr GpuLimits rdna = {.subgroupSize = 32,
                            .maxThreadsPerBlock = 1024,
                            .maxThreadsPerUnit = 1024,
                            .maxBlocksPerUnit = 16,
                            .maxRegistersPerLane = 256,
                            .registerGranule = 24,
                            .sharedGranuleBytes = 1024,
                            .sharedBanks = 32,
                            .sharedBytesPerClock = 128,
                            .unitsPerFigure = 2,
                            .maxGridBlocks = 0x7fffffff,
                            .maxGridThreads = 0xffffffff};

constexpr TargetInfo gpu(std::string_view vendor, std::string_view architecture, std::string_view card,
                         uint32_t ptx, bool forward, Fp8Flavour fp8, bool blockScaled, GpuLimits limits) {
  return {vendor,       architecture, card,   ptx ? CodeForm::Ptx : CodeForm::CodeObject,
          architecture, "",           ptx,    forward,
          fp8,          blockScaled,  limits, {}};
}

constexpr TargetInfo cpu(std::string_view architecture, std::string_view llvmCpu, std::string_view features,
                         CpuLimits limits) {
  return {"cpu", architecture, "",    CodeForm::SharedObject, llvmCpu, features, 0, true, Fp8Flavour::None,
          false, {},           limits};
}

constexpr TargetInfo targets[] = {
    // The plain architectures are what later devices fall back to; code for an `a` architecture runs on no
    // other.
    gpu("nvidia", "sm_80", "A100 SXM 80GB", 70, true, Fp8Flavour::None, false, ampere),
    gpu("nvidia", "sm_89", "L40S", 78, true, Fp8Flavour::Ocp, false, ada),
    gpu("nvidia", "sm_90a", "H100 SXM5", 80, false, Fp8Flavour::Ocp, false, hopper),
    gpu("nvidia", "sm_100a", "B200 SXM", 86, false, Fp8Flavour::Ocp, true, blackwell),
    gpu("nvidia", "sm_120a", "RTX 5090", 87, false, Fp8Flavour::Ocp, true, consumerBlackwell),
    gpu("amd", "gfx90a", "MI210", 0, false, Fp8Flavour::None, false, cdna2),
    gpu("amd", "gfx942", "MI300X", 0, false, Fp8Flavour::Fnuz, false, cdna3),
    gpu("amd", "gfx950", "MI355X", 0, false, Fp8Flavour::Ocp, true, cdna4),
    gpu("amd", "gfx1100", "RX 7900 XTX", 0, false, Fp8Flavour::None, false, rdna),
    gpu("amd", "gfx1201", "RX 9070 XT", 0, false, Fp8Flavour::Ocp, false, rdna),
    cpu("x86-64-v3", "x86-64-v3", "", {.vectorBits = 256, .vectorRegisters = 16}),
    cpu("x86-64-v4", "x86-64-v4", "", {.vectorBits = 512, .vectorRegisters = 32}),
    cpu("x86-64-v4+avx512bf16", "x86-64-v4", "+avx512bf16",
        {.vectorBits = 512, .vectorRegisters = 32, .bf16Dot = true}),
};

constexpr TargetAlias aliases[] = {
    {"a100", "nvidia:sm_80"},      {"l40s", "nvidia:sm_89"},    {"rtx4090", "nvidia:sm_89"},
    {"h100", "nvidia:sm_90a"},     {"h200", "nvidia:sm_90a"},   {"h800", "nvidia:sm_90a"},
    {"h20", "nvidia:sm_90a"},      {"gh200", "nvidia:sm_90a"},  {"b200", "nvidia:sm_100a"},
    {"rtx5090", "nvidia:sm_120a"}, {"mi210", "amd:gfx90a"},     {"mi250x", "amd:gfx90a"},
    {"mi300x", "amd:gfx942"},      {"mi308x", "amd:gfx942"},    {"mi325x", "amd:gfx942"},
    {"mi350x", "amd:gfx950"},      {"mi355x", "amd:gfx950"},    {"rx7900xtx", "amd:gfx1100"},
    {"w7900", "amd:gfx1100"},      {"rx9070xt", "amd:gfx1201"}, {"r9700", "amd:gfx1201"},
};

constexpr std::string_view rungNames[] = {"fp8", "fp8-weights", "bf16"};

} // namespace

std::string_view codeExtension(CodeForm form) {
  constexpr std::string_view extensions[] = {"ptx", "hsaco", "so"};
  return extensions[static_cast<int>(form)];
}

std::span<const TargetInfo> knownTargets() { return targets; }
std::span<const TargetAlias> targetAliases() { return aliases; }

const TargetInfo *findTarget(std::string_view vendor, std::string_view architecture) {
  for (const TargetInfo &target : targets)
    if (target.vendor == vendor && target.architecture == architecture)
      return &target;
  return nullptr;
}

std::string_view unitsWord(std::string_view vendor) {
  if (vendor == "nvidia")
    return "sms";
  return vendor == "amd" ? "cus" : "threads";
}

std::string_view baseArchitecture(std::string_view vendor, std::string_view architecture) {
  if (vendor == "nvidia" && !architecture.empty() && architecture.back() >= 'a')
    architecture.remove_suffix(1);
  return architecture;
}

const CardInfo *representativeCard(const TargetInfo &target) { return findCard(target.card); }

std::string_view rungName(Rung rung) { return rungNames[static_cast<int>(rung)]; }

std::optional<Rung> parseRung(std::string_view name) {
  for (int i = 0; i != 3; ++i)
    if (rungNames[i] == name)
      return static_cast<Rung>(i);
  return std::nullopt;
}

Rung rungFor(const TargetInfo &target, CheckpointKind kind) {
  if (kind == CheckpointKind::Bf16)
    return Rung::Bf16;
  return target.fp8 == Fp8Flavour::None ? Rung::Fp8Weights : Rung::Fp8;
}

bool usesHardwareBlockScales(const TargetInfo &target, CheckpointKind kind) {
  return target.blockScaledMatrix && kind == CheckpointKind::Fp8PowerOfTwo;
}

} // namespace quern
