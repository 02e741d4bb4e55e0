//===- MemoryPlan.cpp - What a model needs on a target -----------------------===//
#include "lowering/import/MemoryPlan.h"

#include <algorithm>

using namespace quern;
using namespace quern::import;

namespace {

/// Bytes for one token of the values that a list of steps makes, were none freed before the list's end: a
/// bound that does not depend on how lifetimes are found. Only weights tell widths here: a step has the width
/// of the weight that it multiplies by, all others at most that of their operands.
uint64_t widthOf(const StepList &list, int64_t hidden) {
  uint64_t sum = 0;
  int64_t last = hidden;
  for (const Step &step : list.steps) {
    for (const Step::Operand &operand : step.operands)
      if (operand.weight) {
        const Weight &weight = list.weights.at(operand.name);
        last = weight.shape.size() >= 2 ? weight.shape[weight.shape.size() - 2] : weight.shape[0];
      }
    if (std::string_view(step.operation->name) == "embedding" ||
        std::string_view(step.operation->name) == "experts")
      last = hidden;
    sum += 2 * static_cast<uint64_t>(last);
  }
  return sum;
}

} // namespace

std::optional<uint64_t> MemoryPlan::tokensThatFit() const {
  if (capacity == 0)
    return std::nullopt;
  uint64_t used = weightBytes + activationBytes;
  return used >= capacity || cacheBytesPerToken == 0 ? 0 : (capacity - used) / cacheBytesPerToken;
}

CheckpointKind quern::import::checkpointKind(const ImportedModel &model) {
  const Quantisation &quantisation = model.config().quantisation;
  return !quantisation.fp8               ? CheckpointKind::Bf16
         : quantisation.powerOfTwoScales ? CheckpointKind::Fp8PowerOfTwo
                                         : CheckpointKind::Fp8;
}

MemoryPlan quern::import::planMemory(const ImportedModel &model, const TargetSpec &target,
                                     const MemoryLimits &limits) {
  MemoryPlan plan;
  plan.target = target.text();
  if (const TargetInfo *info = target.info())
    plan.rung = rungFor(*info, checkpointKind(model));
  for (const auto &[key, binding] : model.census().bindings)
    plan.weightBytes += plan.rung == Rung::Bf16 && binding.blockScaled
                            ? 2 * static_cast<uint64_t>(binding.weight->elements())
                            : binding.declaredBytes;
  const CacheShape &cache = model.graph().cache;
  plan.cacheBytesPerToken = 2 * static_cast<uint64_t>(cache.elementsPerLayer() * cache.layers);
  plan.context = limits.context > 0 ? limits.context : std::min<int64_t>(4096, model.config().context);
  plan.sequences = limits.sequences;
  plan.stepTokens = static_cast<uint64_t>(std::min<int64_t>(target.isCpu() ? 512 : 2048, plan.context));
  uint64_t widest = 0;
  for (const LayerGraph &layer : model.graph().layers)
    widest = std::max(widest, widthOf(layer.list, model.config().hidden));
  // Logits are fp32 and only for the rows asked for: one a sequence.
  plan.activationBytes = plan.stepTokens * widest + 4 * static_cast<uint64_t>(model.config().vocabulary) *
                                                        static_cast<uint64_t>(plan.sequences);
  plan.capacity = target.plannedMemory();
  return plan;
}
