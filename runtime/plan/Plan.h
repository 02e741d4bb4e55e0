//===- Plan.h - How one target runs a model: launches and buffers ---------===//
//
// The plan of a target is the member `plan/<target>.json` of the artifact, written by the compiler and read
// by the runtime; neither owns it. It says which weights to prepare once, which buffers exist, and which
// kernels run in which order for one step of the model. It knows no sizes of a session: those are symbols.
//
//   T  tokens of this step (all sequences together)      B  sequences that the block table has rows for
//   R  rows whose logits are wanted                      P  pages of the KV cache pool
//   M  pages of one sequence at most (columns of the block table)
//   C  positions that the rotation tables cover (context limit)
//
// A step takes the inputs `tokens` [T], `positions` [T], `sequences` [T], `rows` [R] and `block_table` [B, M]
// (all i32) and leaves `logits` [R, vocabulary] in f32. Token t belongs to sequence sequences[t]; position p
// of a sequence lives in page block_table[sequence, p / 64], slot p % 64. Prefill and decode are the same
// launches. A model with a draft head also leaves `hidden` [T, hidden] in bf16; the entry `mtp` takes such
// rows beside the inputs of a step and leaves both outputs again.
//
// Equal layers are one `Repeat`: its launches refer to the weights and the cache of "this layer".
//
// A `Choice` has several ways to compute the same operators, each the better one for a range of T (or of
// another symbol): few tokens and many want different kernels. Each of them is right for every value, so that
// a session which must not choose (contract 6, batch-invariant) takes the last one always.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_PLAN_PLAN_H
#define QUERN_RUNTIME_PLAN_PLAN_H

#include "support/Status.h"

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quern::runtime {

inline constexpr int32_t pageTokens = 64; ///< positions of one KV page (contract 14)

enum class Symbol : uint8_t { T, B, R, P, M, C };
inline constexpr unsigned numSymbols = 6;

/// Values of the symbols for one step.
struct SymbolValues {
  std::array<int64_t, numSymbols> value{};
  int64_t &operator[](Symbol s) { return value[size_t(s)]; }
  int64_t operator[](Symbol s) const { return value[size_t(s)]; }
};

/// Largest values in a size and of a symbol: with these no sum of six products overflows 64 bits.
inline constexpr int64_t maxSymbolValue = int64_t(1) << 24;
inline constexpr int64_t maxSizeCoefficient = int64_t(1) << 36, maxSizeConstant = int64_t(1) << 60;

/// constant + sum of coefficient * symbol. Text: "128*T+64"; "0" for none.
struct SizeExpression {
  int64_t constant = 0;
  std::array<int64_t, numSymbols> coefficient{};

  int64_t evaluate(const SymbolValues &symbols) const;
  std::string text() const;
  static Expected<SizeExpression> parse(std::string_view text);
  bool operator==(const SizeExpression &) const = default;
};

/// Which layer a weight or cache reference means.
struct LayerIndex {
  bool ofRepeat = false; ///< the current layer of the enclosing Repeat, plus |offset|
  int64_t offset = 0;    ///< a layer number where not |ofRepeat|
  bool operator==(const LayerIndex &) const = default;
};

/// How a prepared tensor is made from checkpoint tensors (contract 9): a tree, leaves are reads. `{layer}` in
/// a name stands for the layer, another placeholder for the index of the Stack around it.
struct Recipe {
  enum class Kind : uint8_t {
    Read,       ///< |name|; |scales| names its scale tensor where the codes alone are not enough
    Slice,      ///< [begin, end) of |dim|
    Concat,     ///< operands along |dim|
    Stack,      ///< operand for |placeholder| = 0 .. count-1 along a new first dimension
    Transpose,  ///< |permutation|: dimension i of the result is dimension permutation[i] of the operand
    Reshape,    ///< |shape|
    Dequantise, ///< codes times block scales, product in f32, rounded to bf16; the operand reads a
                ///< block-scaled tensor
    Fnuz,       ///< e4m3fn codes re-encoded for e4m3fnuz: 0x80 becomes 0x00 (their scales are doubled)
    Scales,     ///< the scales of a block-scaled operand as f32, times |factor|
    Convert,    ///< elements to |dtype| (bf16 <-> f32), rounded to nearest even
    Constant,   ///< f32 numbers |values| of shape |shape|: rotation frequencies
  };
  Kind kind = Kind::Read;
  std::string name, scales, placeholder, dtype;
  int64_t dim = 0, begin = 0, end = 0, count = 0;
  double factor = 1.0;
  std::vector<int64_t> permutation, shape;
  std::vector<float> values;
  std::vector<Recipe> operands;
};

/// A weight as the kernels read it: row-major, aligned to 256 bytes, made once at load.
struct PreparedTensor {
  std::string name;           ///< unique; referred to by arguments
  std::string dtype;          ///< safetensors name: "BF16", "F32", "F8_E4M3", "I32"
  std::vector<int64_t> shape; ///< of one layer
  /// Layers [first, end) have one each; empty for a tensor that exists once.
  std::optional<std::pair<int64_t, int64_t>> layers;
  Recipe recipe;
  uint64_t bytes() const; ///< of one layer
};

/// cos and sin of rotations: f32 [C, frequencies, 2] = magnitude * (cos, sin)(fl32(position * frequency)).
struct RotationTable {
  std::string name;
  std::vector<float> frequencies;
  double magnitude = 1.0;
};

/// The KV cache: per layer, `parts` one after another in the plan's order, each [P][...] as contract 14 says.
struct CachePart {
  std::string name;       ///< "latent", "keys", "values"
  uint64_t pageBytes = 0; ///< of one page of one layer
};
struct CachePlan {
  int64_t layers = 0;
  std::vector<CachePart> parts;
  uint64_t bytesPerToken() const;
};

/// Memory of activations, reused by lifetime.
struct WorkBuffer {
  std::string name;
  SizeExpression bytes;
  int32_t first = 0,
          last = 0; ///< numbers of the launches (in plan order, see Launch) between which it is live
};

enum class ScalarKind : uint8_t { I32, I64, F32 };

/// One argument of a launch.
struct LaunchArgument {
  enum class Kind : uint8_t {
    Null,   ///< pointer that the kernel does not use
    Work,   ///< work buffer |name|
    Input,  ///< "tokens", "positions", "sequences", "rows", "block_table", "hidden"
    Output, ///< "logits", "hidden"
    Tensor, ///< prepared tensor |name| of |layer|
    Table,  ///< rotation table |name|
    Cache,  ///< cache part |name| of |layer|
    Scalar, ///< |scalar| with the value |size| (evaluated), or |real| for F32
  };
  Kind kind = Kind::Null;
  std::string name;
  int64_t offset = 0; ///< bytes, of every kind of pointer
  LayerIndex layer;
  ScalarKind scalar = ScalarKind::I32;
  SizeExpression size;
  double real = 0;
};

/// One dimension of a grid: ceil(extent / step) blocks, the extent an i32 argument or a constant.
struct PlanGridDimension {
  int32_t argument = -1;
  int64_t extent = 0;
  int64_t step = 1;
};

/// A tensor map (runtime/TensorMap.h) that a kernel takes where the launch names a pointer: how it is encoded
/// from that address. Dimension 0 is the innermost.
struct PlanTensorMap {
  /// An i32 argument of the same kernel, or a constant.
  struct Extent {
    int32_t argument = -1;
    int64_t extent = 0;
  };
  int32_t argument = 0;         ///< of the kernel; its kind is "tensor map"
  std::string element;          ///< "u8", "f16", "bf16", "f32"
  std::vector<Extent> extents;  ///< elements, 1 to 5 dimensions
  std::vector<int64_t> strides; ///< bytes from one index to the next, of all dimensions but 0
  std::vector<int64_t> box;     ///< elements of a box
  int64_t swizzle = 0;          ///< bytes of its span: 0, 32, 64 or 128
};

/// A kernel as the artifact holds it.
struct PlanKernel {
  std::string symbol;                 ///< in the code member
  std::string text;                   ///< schedule and parameters, for people and for the tuner
  std::string member;                 ///< code member of the artifact; several kernels may share one
  std::vector<std::string> arguments; ///< "pointer", "i32", "i64", "f32", "tensor map"
  std::vector<PlanGridDimension> grid;
  uint32_t threads = 1;
  uint32_t sharedBytes = 0;  ///< GPU: shared memory of a block. CPU: scratch of one worker
  uint32_t dynamicBytes = 0; ///< GPU: of these, what a launch asks for; the rest is part of the code
  std::vector<PlanTensorMap> maps = {}; ///< one for each argument that is a tensor map
};

/// Launches are numbered in the order in which they stand in the plan, those of a Repeat once, those of all
/// alternatives of a Choice one behind the other.
struct Launch {
  int32_t kernel = 0; ///< index into Plan::kernels
  std::vector<LaunchArgument> arguments;
  /// The model operators that this launch computes: their numbers in the module's walk order (contract 12).
  std::vector<int32_t> origin;
  std::string note; ///< "qkv", "router": for tables and traces
};

struct PlanStep;
struct Repeat {
  int64_t first = 0, end = 0, stride = 1; ///< layers
  std::vector<PlanStep> steps;
};

/// One way of a choice: from this value on, to below the next one's.
struct Alternative {
  int64_t from = 0; ///< 0 for the first; ascending
  std::vector<Launch> launches;
};

/// Launches of which those of one alternative run, by the value that |by| has in the step.
struct Choice {
  Symbol by = Symbol::T;
  std::vector<Alternative> alternatives;

  /// The alternative for |value|, which is not negative.
  size_t at(int64_t value) const;
  /// Values of alternative |i|: "T < 24", "24 <= T < 512", "T >= 512".
  std::string rangeText(size_t i) const;
};

/// A launch, a repeat of launches and choices, or a choice.
struct PlanStep {
  std::optional<Launch> launch;
  std::unique_ptr<Repeat> repeat;
  std::unique_ptr<Choice> choice;
};

/// A launch as it stands in the plan.
struct PlacedLaunch {
  const Launch &launch;
  int64_t runs;           ///< in one step: of the repeat around it
  const Choice *choice;   ///< around it, or null
  size_t alternative = 0; ///< of the choice
};
/// Calls |visit| for every launch of |steps|, those of all alternatives among them, in the order of their
/// numbers.
void forEachLaunch(const std::vector<PlanStep> &steps,
                   const std::function<void(const PlacedLaunch &)> &visit);

/// One function of the model: "step" (tokens to logits) or "mtp" (the draft head).
struct PlanEntry {
  std::string name;
  std::vector<PlanStep> steps;
  std::vector<WorkBuffer> work;
};

struct Plan {
  std::string target;          ///< canonical text of the target: "nvidia:sm_90a", "cpu:x86-64-v4"
  std::string rung;            ///< "fp8", "fp8-weights", "bf16"
  int64_t vocabulary = 0;      ///< columns of the logits
  int64_t validVocabulary = 0; ///< columns that are tokens
  int64_t contextLimit = 0;    ///< positions that the model allows
  int64_t maxTokens = 512;     ///< largest T of one step (prefill chunk)
  int64_t hidden = 0;          ///< columns of `hidden`; 0 where no entry has it
  std::vector<PreparedTensor> tensors;
  std::vector<RotationTable> tables;
  CachePlan cache;
  std::vector<PlanKernel> kernels;
  std::vector<PlanEntry> entries;

  const PlanEntry *findEntry(std::string_view name) const;
};

/// Canonical JSON (equal plans give equal bytes) and back. `readPlan` checks everything that the executor
/// relies on: kernel and name references, argument counts and kinds, lifetimes, expressions that cannot
/// overflow. Exit::BadInput "E-PLAN-..." with the JSON path.
std::string writePlan(const Plan &plan);
Expected<Plan> readPlan(std::string_view json);

/// The second half of `readPlan`: what the fields mean together, for a plan that was not read from a file.
Status checkPlan(const Plan &plan);

} // namespace quern::runtime

#endif // QUERN_RUNTIME_PLAN_PLAN_H
