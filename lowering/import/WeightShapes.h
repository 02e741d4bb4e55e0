//===- WeightShapes.h - Shapes along the chain from checkpoint to weight ----===//
#ifndef QUERN_LOWERING_IMPORT_WEIGHTSHAPES_H
#define QUERN_LOWERING_IMPORT_WEIGHTSHAPES_H

#include "lowering/import/ModelGraph.h"

namespace quern::import {

/// Evaluates shapes and counts, and infers the shape of each checkpoint tensor from the weight's own: a stack
/// takes the first dimension off, a concat divides its dimension evenly. Where that is not so the family says
/// the shape.
Expected<Weight> resolveWeight(const WeightDescription &description, const Scope &scope);

/// Calls |visit| with every tensor that |source| reads, its name without placeholders.
/// |visit| returns false to stop. Returns false if it was stopped.
bool forEachTensor(const WeightSource &source, int64_t layer,
                   const std::function<bool(const std::string &name, const WeightSource &leaf)> &visit);

} // namespace quern::import

#endif // QUERN_LOWERING_IMPORT_WEIGHTSHAPES_H
