//===- MixtureOperators.cpp - Router and experts --------------------------===//
#include "lowering/model_to_tile/PlanBuilder.h"

using namespace mlir;
using namespace quern::runtime;

namespace quern::lowering {

Status PlanBuilder::lowerRouter(model::RouterOp op) {
  TensorRef logits = use(op.getLogits());
  if (!logits.dense())
    return unsupported(op, "reads logits that are a slice");
  WeightRef bias = op.getBias() ? weight(op.getBias()) : WeightRef();
  TensorRef indices = place(op.getIndices()), weights = place(op.getWeights());
  int64_t groups = op.getGroups();
  bool grouped = groups > 1 && int64_t(op.getKept()) < groups;
  if (!grouped)
    groups = 1;
  launch("router",
         {{"G", groups},
          {"EG", logits.columns / groups},
          {"KSEL", int64_t(op.getExperts())},
          {"KEPT", int64_t(op.getKept())},
          {"scale", op.getScale().convertToDouble()},
          {"SIGMOID", int64_t(op.getScoring() == model::Scoring::Sigmoid)},
          {"BIAS", int64_t(bool(bias.op))},
          {"GROUPED", int64_t(grouped)},
          {"TOP2", int64_t(op.getGroupScore() == model::GroupScore::Top2)},
          {"NORMALISE", int64_t(op.getNormalise())}},
         {pointer(logits), bias.op ? weightPointer(bias) : null(), pointer(indices), pointer(weights),
          symbol(logits.rows)},
         op, "router");
  return Status::success();
}

Status PlanBuilder::lowerExperts(model::ExpertsOp op) {
  TensorRef x = use(op.getX()), indices = use(op.getIndices()), weights = use(op.getWeights());
  WeightRef gateUp = weight(op.getGateUp()), down = weight(op.getDown());
  if (!gateUp.op || !down.op)
    return unsupported(op, "has matrices that are not weights");
  int64_t chosen = indices.columns;
  auto columnsOf = [](WeightRef &w) {
    auto scaled = dyn_cast<model::BlockScaledType>(w.op.getType());
    return scaled ? scaled.getShape()[1] : cast<RankedTensorType>(w.op.getType()).getDimSize(1);
  };
  // One row for each (token, expert): `chosen` rows of a token stand together.
  auto perExpert = [&](const char *name, int64_t columns, const char *element) {
    return rowsOfTokens(name, x.rows, chosen, columns, element);
  };
  TensorRef fused = perExpert("gate_up", columnsOf(gateUp), "bf16");
  addLinear(x, gateUp, nullptr, fused, &indices, chosen, op, "experts_up");
  TensorRef activated = perExpert("activated", fused.columns / 2, "bf16");
  // The rows are T * chosen: heads of a token, as the elementwise kernel sees them.
  auto asHeads = [&](TensorRef ref) {
    ref.heads = chosen;
    ref.headStride = ref.rowStride;
    ref.rowStride *= chosen;
    return ref;
  };
  TensorRef gate = asHeads(fused), up = asHeads(fused);
  gate.columns = up.columns = activated.columns;
  up.offset += activated.columns;
  addPointwise(activationFlags(op.getKind()), gate, &up, asHeads(activated), op, "experts_act");
  TensorRef toDown = activated;
  if (isBlockScaled(down) && rung == Rung::Fp8)
    toDown = quantised(activated, chosen, cast<model::BlockScaledType>(down.op.getType()).hasPowerOfTwoScales(), op);
  TensorRef outputs = perExpert("expert_out", columnsOf(down), "f32");
  addLinear(toDown, down, nullptr, outputs, &indices, 1, op, "experts_down");
  TensorRef shared = op.getShared() ? use(op.getShared()) : TensorRef();
  if (op.getShared() && !shared.dense())
    return unsupported(op, "adds a shared result that is a slice");
  TensorRef y = place(op.getResult());
  launch("combine",
         {{"N", y.columns},
          {"KSEL", chosen},
          {"X", outputs.element},
          {"Y", y.element},
          {"SHARED", int64_t(bool(op.getShared()))}},
         {pointer(outputs), pointer(weights), op.getShared() ? pointer(shared) : null(), pointer(y),
          symbol(weights.rows)},
         op, "combine");
  return Status::success();
}

} // namespace quern::lowering
