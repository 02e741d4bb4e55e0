//===- DefaultSchedule.h - The Schedule of a kernel that nobody tuned -----===//
#ifndef QUERN_LOWERING_MODEL_TO_TILE_DEFAULTSCHEDULE_H
#define QUERN_LOWERING_MODEL_TO_TILE_DEFAULTSCHEDULE_H

#include "lowering/KernelCompiler.h"

namespace quern::lowering {

/// A Schedule for |kernel| with |parameters| on |target|, from the sizes of the problem, the lanes and the
/// registers of the target. It does not depend on the number of tokens: one kernel serves every batch, and
/// the order of each row's sums is the same in all of them.
tile::Schedule defaultSchedule(const std::string &kernel,
                               const std::map<std::string, ParameterValue> &parameters,
                               const CodeTarget &target);

/// True where the matrix unit of |target| multiplies what a linear or head linear with |parameters| does, by
/// an instruction that the lowering can use: of their X, W, SCALES, QUANTIZED and SPLIT.
bool hasMatrixAtom(const std::map<std::string, ParameterValue> &parameters, const CodeTarget &target);

/// Rows of a group of sorted rows on |target|: those of the tile of a grouped linear.
int64_t groupRows(const CodeTarget &target);

} // namespace quern::lowering

#endif // QUERN_LOWERING_MODEL_TO_TILE_DEFAULTSCHEDULE_H
