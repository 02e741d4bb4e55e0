//===- RotationTables.h - cos and sin of the positions --------------------===//
#ifndef QUERN_RUNTIME_PLAN_ROTATIONTABLES_H
#define QUERN_RUNTIME_PLAN_ROTATIONTABLES_H

#include "runtime/plan/Plan.h"

namespace quern::runtime {

/// f32 [|positions|, frequencies, 2]. The angle is position * frequency rounded to f32; cos and sin are taken
/// in f64, multiplied by the magnitude, and rounded once.
std::vector<float> makeRotationTable(const RotationTable &table, int64_t positions);
uint64_t rotationTableBytes(const RotationTable &table, int64_t positions);

} // namespace quern::runtime

#endif // QUERN_RUNTIME_PLAN_ROTATIONTABLES_H
