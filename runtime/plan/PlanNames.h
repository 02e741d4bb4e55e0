//===- PlanNames.h - The words of plan.json -------------------------------===//
//
// Each enumeration of Plan.h with its names in the file, in the order of the enumerators.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_PLAN_PLANNAMES_H
#define QUERN_RUNTIME_PLAN_PLANNAMES_H

#include "runtime/plan/Plan.h"

namespace quern::runtime::plan {

inline constexpr std::string_view schemaName = "quern.plan";
inline constexpr std::string_view schemaVersion = "0.1";

inline constexpr std::string_view recipeNames[] = {"read",      "slice",   "concat",     "stack",
                                                   "transpose", "reshape", "dequantise", "fnuz",
                                                   "scales",    "convert", "constant"};
inline constexpr std::string_view symbolNames[] = {"T", "B", "R", "P", "M", "C"};
inline constexpr std::string_view scalarNames[] = {"i32", "i64", "f32"};
/// Of `LaunchArgument::Kind`; a scalar has the name of its type in place of the last.
inline constexpr std::string_view argumentNames[] = {"null",   "work",  "input", "output",
                                                     "tensor", "table", "cache", "scalar"};
inline constexpr std::string_view inputNames[] = {"tokens", "positions",   "sequences",
                                                  "rows",   "block_table", "hidden"};
inline constexpr std::string_view outputNames[] = {"logits", "hidden"};
inline constexpr std::string_view pointerName = "pointer";      ///< in a kernel's list, beside the scalars
inline constexpr std::string_view tensorMapName = "tensor map"; ///< likewise
inline constexpr std::string_view mapElementNames[] = {"u8", "f16", "bf16", "f32"};
inline constexpr std::string_view currentLayer = "current";

} // namespace quern::runtime::plan

#endif // QUERN_RUNTIME_PLAN_PLANNAMES_H
