//===- MixtureOperators.cpp - Router and experts --------------------------===//
#include "lowering/model_to_tile/DefaultSchedule.h"
#include "lowering/model_to_tile/PlanBuilder.h"
#include "lowering/model_to_tile/RowForms.h"

using namespace mlir;
using namespace quern::runtime;

namespace quern::lowering {

namespace {

/// How the rows of experts are computed.
enum class Form : uint8_t {
  RowByRow,   ///< a block a row
  SingleRows, ///< sorted; at most as many groups as rows
  Groups,     ///< sorted; at most as many groups as rows fill, and one more of each matrix
};

llvm::SmallVector<int64_t> shapeOfWeight(const WeightRef &weight) {
  Type type = WeightRef(weight).op.getType();
  if (auto scaled = dyn_cast<model::BlockScaledType>(type))
    return llvm::SmallVector<int64_t>(scaled.getShape());
  return llvm::SmallVector<int64_t>(cast<RankedTensorType>(type).getShape());
}

int64_t bytesOfWeight(const WeightRef &weight) {
  Type type = WeightRef(weight).op.getType();
  Type element = isa<model::BlockScaledType>(type) ? cast<model::BlockScaledType>(type).getElementType()
                                                   : cast<RankedTensorType>(type).getElementType();
  int64_t bits = element.getIntOrFloatBitWidth();
  for (int64_t extent : shapeOfWeight(weight))
    bits *= extent;
  return bits / 8;
}

} // namespace

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

RowGroups PlanBuilder::sortRows(const TensorRef &indices, int64_t matrices, int64_t round, bool single,
                                Operation *origin) {
  // The last group of each matrix may have a single row.
  const int64_t chosen = indices.columns, slack = single ? 0 : matrices * (round - 1);
  RowGroups result;
  result.round = round;
  result.places = product(indices.rows, single ? chosen * round : chosen);
  result.places.size.constant = slack;
  result.slots = rowsOfTokens("slots", indices.rows, single ? chosen * round : chosen, 1, "i32");
  entry->work[result.slots.work].bytes.constant = 4 * slack;
  result.groups = rowsOfTokens("groups", indices.rows, chosen, 1, "i32");
  entry->work[result.groups.work].bytes.constant = 4 * (matrices + 1);
  launch("route_groups", {{"E", matrices}, {"ROUND", round}},
         {pointer(indices), pointer(result.slots), pointer(result.groups), product(indices.rows, chosen),
          result.places},
         origin, "experts_sort");
  return result;
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
  if (isBlockScaled(gateUp) && rung == Rung::Fp8 && x.scalesWork < 0)
    x = quantised(x, 1, cast<model::BlockScaledType>(gateUp.op.getType()).hasPowerOfTwoScales(), op);

  // A block a row while rows seldom share a matrix, then rows sorted into groups.
  const int64_t matrices = shapeOfWeight(gateUp).front();
  const ExpertSizes sizes = {matrices, chosen, (bytesOfWeight(gateUp) + bytesOfWeight(down)) / matrices};
  std::vector<int64_t> from = {0};
  std::vector<Form> forms = {Form::RowByRow};
  auto begin = [&](int64_t tokens, Form form) {
    if (tokens <= std::max<int64_t>(from.back(), 1)) {
      forms.back() = form; // the range before it is empty
      return;
    }
    from.push_back(tokens);
    forms.push_back(form);
  };
  const int64_t sorted = tokensToSort(sizes, target), single = tokensOfSingleRows(sizes);
  if (2 * sorted <= single) {
    begin(sorted, Form::SingleRows);
    begin(single + 1, Form::Groups);
  } else {
    begin(sorted, Form::Groups);
  }
  std::vector<RowGroups> groups(from.size());
  const int64_t round = groupRows(target);
  auto expertLinear = [&](size_t form, const TensorRef &rows, const WeightRef &matrix, const TensorRef &to,
                          int64_t share, const char *note) {
    addLinear(rows, matrix, nullptr, to, &indices, share, op, note,
              forms[form] == Form::RowByRow ? nullptr : &groups[form]);
  };
  choose(x.rows, from, [&](size_t i) {
    if (forms[i] != Form::RowByRow)
      groups[i] = sortRows(indices, matrices, round, forms[i] == Form::SingleRows, op);
    expertLinear(i, x, gateUp, fused, chosen, "experts_up");
  });
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
    toDown = quantised(activated, chosen,
                       cast<model::BlockScaledType>(down.op.getType()).hasPowerOfTwoScales(), op);
  TensorRef outputs = perExpert("expert_out", columnsOf(down), "f32");
  choose(x.rows, from, [&](size_t i) { expertLinear(i, toDown, down, outputs, 1, "experts_down"); });
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
