//===- KnownTargets.h - Facts of the hardware that code is made for -------===//
//
// Two tables of plain data. A *card* is a product: how many units it has, how fast and how large they are;
// its rows repeat hardware.csv beside this file, and a test compares the two. A *target* is an instruction
// set that code is made for: what every card of it has in common, and the card whose numbers stand for it
// where none is named.
//
// Passes, the cost model, legality checks and reports read these tables; none of them asks for a vendor. What
// the matrix, copy and barrier instructions of a target look like is in the atoms table of dialects/tile.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_SUPPORT_TARGET_KNOWNTARGETS_H
#define QUERN_SUPPORT_TARGET_KNOWNTARGETS_H

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace quern {

/// How the 8-bit floats of the matrix unit are encoded.
enum class Fp8Flavour : uint8_t {
  None, ///< no fp8 matrix unit
  Ocp,  ///< e4m3fn: bias 7, maximum 448
  Fnuz, ///< e4m3fnuz: bias 8, maximum 240, no negative zero
};

/// A product. A number that is not known is 0.
struct CardInfo {
  std::string_view name;         ///< as sold: "H100 SXM5"
  std::string_view generation;   ///< the vendor's word: "Hopper"
  std::string_view architecture; ///< of the target that its code is made for: "sm_90a"
  uint32_t units;                ///< multiprocessors or compute units
  uint32_t clockMhz;             ///< boost clock, MHz
  uint32_t powerWatts;           ///< board power, W
  uint32_t memoryGb;             ///< device memory, 10^9 bytes
  std::string_view memoryType;   ///< "HBM3"
  double bandwidthTb;            ///< peak memory bandwidth, 10^12 byte/s
  double bf16Tflops;             ///< dense peaks, 10^12 operations/s
  double fp8Tflops;
  double fp4Tflops;
  double int8Tops;
  std::string_view fp8Encoding; ///< the word of hardware.csv; empty without an fp8 matrix unit
  uint32_t sharedPerUnitKb;     ///< shared memory, KiB; of the figure unit, see `GpuLimits::unitsPerFigure`
  uint32_t sharedPerBlockBytes; ///< what one block can take, bytes
  double l2Mb;                  ///< L2 cache of the whole card, MiB
  double memoryCacheMb;         ///< cache behind L2 on the memory side, MiB
  uint32_t registersPerUnitKb;  ///< vector register file, KiB; of the figure unit
  double measuredBf16Tflops;    ///< best published measurement of a plain matrix product
  double measuredFp8Tflops;
  double measuredBandwidthTb; ///< best published bandwidth of a kernel, 10^12 byte/s

  uint64_t memoryBytes() const { return uint64_t(memoryGb) * 1'000'000'000; }
};

/// What limits a block on a GPU.
struct GpuLimits {
  uint32_t subgroupSize = 0;        ///< lanes of a warp as our code uses it: 32 or 64
  uint32_t maxThreadsPerBlock = 0;  ///< threads
  uint32_t maxThreadsPerUnit = 0;   ///< threads resident on one unit
  uint32_t maxBlocksPerUnit = 0;    ///< blocks resident on one unit
  uint32_t maxRegistersPerLane = 0; ///< 32-bit registers, accumulation registers included
  uint32_t registerGranule = 0;     ///< registers a lane are given in multiples of this
  uint32_t sharedGranuleBytes = 0;  ///< shared memory is given in multiples of this
  uint32_t sharedBanks = 0;         ///< banks of 4 bytes that 16-byte reads meet in
  uint32_t sharedBytesPerClock = 0; ///< of one unit
  uint32_t unitsPerFigure = 1;    ///< units that the card's shared memory and register figures cover together
  uint32_t dies = 1;              ///< chiplets, each with an L2 of its own; blocks are dealt to them in turn
  uint32_t maxCluster = 1;        ///< blocks that can share memory; 1 means none
  uint32_t tensorMemoryBytes = 0; ///< accumulator memory of the matrix unit, of one unit
  bool asyncCopy = false;         ///< global to shared without registers, per lane, 16 bytes
  bool tensorCopy = false;        ///< global to shared by descriptor
  uint32_t directCopyBits = 0;    ///< global to shared by the load unit, bits a lane; 0 means none
  uint64_t maxGridBlocks = 0;     ///< of a one-dimensional grid
  uint64_t maxGridThreads = 0;    ///< blocks times threads
};

/// What a kernel may use on a CPU.
struct CpuLimits {
  uint32_t vectorBits = 0;      ///< width of a vector register
  uint32_t vectorRegisters = 0; ///< their number
  bool bf16Dot = false;         ///< dot product of bf16 pairs into f32
};

/// Which kind of code member a target has; its name is the member's extension.
enum class CodeForm : uint8_t { Ptx, CodeObject, SharedObject };
/// "ptx", "hsaco" or "so".
std::string_view codeExtension(CodeForm form);

/// An instruction set that code is made for.
struct TargetInfo {
  std::string_view vendor;       ///< the part of the name before the colon: "nvidia", "amd", "cpu"
  std::string_view architecture; ///< the part behind it: "sm_90a", "gfx942", "x86-64-v4+avx512bf16"
  std::string_view card;         ///< the card that stands for it; empty for a CPU
  CodeForm form;
  std::string_view llvmCpu;      ///< -mcpu
  std::string_view llvmFeatures; ///< -mattr, beyond what the CPU implies
  uint32_t minPtxVersion; ///< lowest PTX ISA version, times 10, that the architecture exists in; 0 elsewhere
  /// Devices that code for it runs on: this architecture alone, or every later one of the vendor too.
  bool forwardCompatible;
  Fp8Flavour fp8;
  bool blockScaledMatrix; ///< the matrix unit applies power-of-two block scales itself
  GpuLimits gpu;          ///< all zero for a CPU
  CpuLimits cpu;          ///< all zero for a GPU

  bool isCpu() const { return form == CodeForm::SharedObject; }
};

std::span<const CardInfo> knownCards();
/// GPUs first, from old to new; then the fixed set of the CPU, from the lowest level to the highest.
std::span<const TargetInfo> knownTargets();
/// Short names that stand for a target on the command line, in lower case: "h100" -> "nvidia:sm_90a".
struct TargetAlias {
  std::string_view alias, target;
};
std::span<const TargetAlias> targetAliases();

const CardInfo *findCard(std::string_view name);
/// By vendor and architecture; null where there is none.
const TargetInfo *findTarget(std::string_view vendor, std::string_view architecture);
/// The word for a number of units in a target's options: "sms", "cus" or "threads".
std::string_view unitsWord(std::string_view vendor);
/// What a device of |architecture| calls itself, without sub-features: "sm_90a" -> "sm_90".
std::string_view baseArchitecture(std::string_view vendor, std::string_view architecture);
/// The card that stands for |target|; null for a CPU.
const CardInfo *representativeCard(const TargetInfo &target);

/// The precision that is really used for the linear layers.
enum class Rung : uint8_t {
  Fp8,        ///< activations quantised 1x128, fp8 matrix product
  Fp8Weights, ///< weights stored as fp8, bf16 mathematics
  Bf16,
};
/// "fp8", "fp8-weights", "bf16".
std::string_view rungName(Rung rung);
std::optional<Rung> parseRung(std::string_view name);

/// How the weights of a checkpoint are stored.
enum class CheckpointKind : uint8_t {
  Bf16,
  Fp8,           ///< fp8 with f32 block scales
  Fp8PowerOfTwo, ///< fp8 whose block scales are all powers of two
};

/// The rung that |target| takes for a checkpoint: a fact of the target, recorded in the artifact.
Rung rungFor(const TargetInfo &target, CheckpointKind kind);
/// True if the matrix unit applies the checkpoint's block scales: only for power-of-two scales, never by
/// rounding others to such.
bool usesHardwareBlockScales(const TargetInfo &target, CheckpointKind kind);

} // namespace quern

#endif // QUERN_SUPPORT_TARGET_KNOWNTARGETS_H
