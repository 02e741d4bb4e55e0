//===- KernelCompiler.h - One kernel text to one target's code ------------===//
//
// The unit of compilation, for `compile` and `tune` alike: a kernel text, the values of its parameters and a
// Schedule, for one code target. This header knows no MLIR.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_LOWERING_KERNELCOMPILER_H
#define QUERN_LOWERING_KERNELCOMPILER_H

#include "dialects/tile/Schedule.h"
#include "lowering/targets/CodeTarget.h"
#include "support/Status.h"

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace quern::lowering {

/// Value of a kernel parameter: a number, or the name of an element type ("bf16", "f32", "f8E4M3FN").
using ParameterValue = std::variant<int64_t, double, std::string>;

/// What is to be compiled. Equal requests give equal code; `key` names the code in the artifact and the
/// cache.
struct KernelRequest {
  std::string kernel; ///< folder name in kernels/
  std::map<std::string, ParameterValue> parameters;
  tile::Schedule schedule;

  /// Canonical text of kernel, parameters and schedule.
  std::string text() const;
  /// "linear_" and 12 hexadecimal digits of the hash of `text`; a valid symbol.
  std::string symbol() const;
};

/// One dimension of the grid: ceil(extent / step) blocks.
struct GridDimension {
  int32_t argument = -1; ///< index of the i32 kernel argument that is the extent; -1 for a constant
  int64_t extent = 0;    ///< the constant extent
  int64_t step = 1;
};

/// `TensorMap`: a pointer in the kernel text; the launch passes a tensor map of what it points to.
enum class KernelArgument : uint8_t { Pointer, I32, I64, F32, TensorMap };

/// How the tensor map of one argument is encoded from its address. Dimension 0 is the innermost.
struct TensorMapArgument {
  struct Extent {
    int32_t argument = -1; ///< index of the i32 kernel argument that is the extent; -1 for a constant
    int64_t extent = 0;
  };
  int32_t argument = 0;
  std::string element; ///< "u8", "f16", "bf16", "f32"
  std::vector<Extent> extents;
  std::vector<int64_t> strides; ///< bytes, of all dimensions but 0
  std::vector<int64_t> box;     ///< elements
  int64_t swizzle = 0;          ///< bytes of the span: 0, 32, 64, 128
};

/// Stages at which the text of a kernel can be seen, in the order of travel.
enum class KernelStage : uint8_t { Tile, Layouts, Rings, Target, Llvm, Assembly };

struct CompiledKernel {
  std::string symbol;
  std::string code; ///< what a device loads
  std::vector<KernelArgument> arguments;
  std::vector<GridDimension> grid; ///< blocks = product over the dimensions, the last one fastest
  int32_t threads = 1;
  int32_t sharedBytes = 0;             ///< shared memory of a block; scratch memory of a worker on the CPU
  int32_t dynamicBytes = 0;            ///< of these, what a launch must ask for
  std::vector<TensorMapArgument> maps; ///< one for each argument that is a tensor map
  std::map<KernelStage, std::string> texts; ///< the stages that were asked for
};

struct CompileKernelOptions {
  std::vector<KernelStage> keep;            ///< stages whose text is kept
  KernelStage last = KernelStage::Assembly; ///< the way ends here; before `Assembly` there is no code
};

/// Compiles one kernel. Thread-safe; each call has its own context. Exit::CompileFailed "E-KERNEL-..." with
/// the kernel's name, the place in its text and the reason.
Expected<CompiledKernel> compileKernel(const KernelRequest &request, const CodeTarget &target,
                                       const CompileKernelOptions &options = {});

/// The same for the kernel in |text|, which need not be one of kernels/; |path| is what messages call it.
Expected<CompiledKernel> compileKernelText(const std::string &text, const std::string &path,
                                           const KernelRequest &request, const CodeTarget &target,
                                           const CompileKernelOptions &options = {});

} // namespace quern::lowering

#endif // QUERN_LOWERING_KERNELCOMPILER_H
