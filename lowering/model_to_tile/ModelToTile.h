//===- ModelToTile.h - From the model dialect to kernels and a plan -------===//
//
// The only code that knows both dialects. Each operator becomes launches of kernel texts (kernels/), each
// weight a prepared tensor, each value a piece of a work buffer.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_LOWERING_MODEL_TO_TILE_MODELTOTILE_H
#define QUERN_LOWERING_MODEL_TO_TILE_MODELTOTILE_H

#include "lowering/ScheduleSource.h"
#include "runtime/plan/Plan.h"
#include "support/target/KnownTargets.h"

#include "mlir/IR/BuiltinOps.h"

#include <map>
#include <vector>

namespace quern::lowering {

/// Where a value of the module lives while a step runs: rows of heads of elements, behind a pointer that
/// launches are given under |kind| and |name|.
struct ValuePlace {
  runtime::LaunchArgument::Kind kind = runtime::LaunchArgument::Kind::Work; ///< Work, Input or Output
  std::string name;
  runtime::Symbol rows = runtime::Symbol::T;
  int64_t heads = 1, columns = 1;
  int64_t offset = 0, rowStride = 1, headStride = 1; ///< in elements
  std::string element;                               ///< "bf16", "f32", "i32", ...
};

/// A plan whose kernels still have to be compiled: kernels[i] of the plan is requests[i].
struct LoweredModel {
  runtime::Plan plan;
  std::vector<KernelRequest> requests;
  /// Of tensors, by `mlir::Value::getAsOpaquePointer()`; what `verify` compares.
  std::map<const void *, ValuePlace> places;
};

/// Lowers |module| for |target| on |rung|. The plan's kernels have their symbol and text; argument kinds,
/// grid, threads and memory are filled in from the compiled kernels. |schedules| is asked for each kernel
/// before the default one is taken; it may be null. Exit::Unsupported "E-OPERATOR-UNSUPPORTED" names an
/// operator, or a use of one, that no kernel covers.
Expected<LoweredModel> lowerModel(mlir::ModuleOp module, const CodeTarget &target, Fp8Flavour fp8, Rung rung,
                                  ScheduleSource *schedules = nullptr);

} // namespace quern::lowering

#endif // QUERN_LOWERING_MODEL_TO_TILE_MODELTOTILE_H
