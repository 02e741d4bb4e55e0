//===- DenseOperators.cpp - Rows, norms, linears, elementwise -------------===//
#include "lowering/model_to_tile/DefaultSchedule.h"
#include "lowering/model_to_tile/PlanBuilder.h"

using namespace mlir;
using namespace quern::runtime;

namespace quern::lowering {

Status PlanBuilder::lowerGatherRows(Operation *op, Value x, Value rows, Value y) {
  TensorRef index = use(rows);
  Arguments arguments;
  Parameters parameters;
  LaunchArgument sourceRows;
  if (WeightRef table = weight(x); table.op) {
    auto type = cast<RankedTensorType>(table.op.getType());
    parameters = {{"N", type.getDimSize(1)}, {"XS", type.getDimSize(1)}, {"X", weightElement(table)}};
    arguments.push_back(weightPointer(table));
    sourceRows = constant(type.getDimSize(0));
  } else {
    TensorRef from = use(x);
    if (from.heads != 1)
      return unsupported(op, "gathers rows of heads");
    parameters = {{"N", from.columns}, {"XS", from.rowStride}, {"X", from.element}};
    arguments.push_back(pointer(from));
    sourceRows = symbol(from.rows);
  }
  TensorRef to = place(y);
  arguments.insert(arguments.end(), {pointer(index), pointer(to), sourceRows, symbol(index.rows)});
  launch("gather_rows", parameters, arguments, op, "rows");
  return Status::success();
}

Status PlanBuilder::lowerNorm(Operation *op, Value x, Value residual, Value weightValue, double eps,
                              double weightOffset, Value sum, Value y) {
  TensorRef from = use(x);
  TensorRef added = residual ? use(residual) : TensorRef();
  if (residual && !added.dense())
    return unsupported(op, "adds a residual that is a slice");
  WeightRef factor = weightValue ? weight(weightValue) : WeightRef();
  TensorRef out = place(y);
  TensorRef rounded = sum ? place(sum) : TensorRef();
  launch("rms_norm",
         {{"H", from.heads},
          {"N", from.columns},
          {"XS", from.rowStride},
          {"HS", from.headStride},
          {"eps", eps},
          {"inv_n", 1.0 / double(from.columns)},
          {"w_offset", weightOffset},
          {"X", from.element},
          {"W", factor.op ? weightElement(factor) : std::string("bf16")},
          {"RESIDUAL", int64_t(bool(residual))},
          {"WEIGHT", int64_t(bool(factor.op))}},
         {pointer(from), residual ? pointer(added) : null(), factor.op ? weightPointer(factor) : null(),
          sum ? pointer(rounded) : null(), pointer(out), symbol(from.rows)},
         op, residual ? "add_norm" : "norm");
  return Status::success();
}

Status PlanBuilder::lowerLayerNorm(model::LayerNormOp op) {
  TensorRef from = use(op.getX());
  WeightRef factor = op.getWeight() ? weight(op.getWeight()) : WeightRef();
  WeightRef bias = op.getBias() ? weight(op.getBias()) : WeightRef();
  TensorRef out = place(op.getResult());
  launch("layer_norm",
         {{"H", from.heads},
          {"N", from.columns},
          {"XS", from.rowStride},
          {"HS", from.headStride},
          {"eps", op.getEps().convertToDouble()},
          {"inv_n", 1.0 / double(from.columns)},
          {"X", from.element},
          {"W", factor.op ? weightElement(factor) : std::string("bf16")},
          {"B", bias.op ? weightElement(bias) : std::string("bf16")},
          {"WEIGHT", int64_t(bool(factor.op))},
          {"BIAS", int64_t(bool(bias.op))}},
         {pointer(from), factor.op ? weightPointer(factor) : null(), bias.op ? weightPointer(bias) : null(),
          pointer(out), symbol(from.rows)},
         op, "norm");
  return Status::success();
}

//===----------------------------------------------------------------------===//
// Linear
//===----------------------------------------------------------------------===//

TensorRef PlanBuilder::quantised(const TensorRef &x, int64_t share, bool powerOfTwo, Operation *origin) {
  bool fnuz = fp8 == Fp8Flavour::Fnuz;
  std::string element = fnuz ? "f8E4M3FNUZ" : "f8E4M3FN";
  // Each block of 128 columns has a scale; the last one may be shorter.
  int64_t blocks = (x.columns + 127) / 128;
  TensorRef codes = rowsOfTokens("codes", x.rows, share, x.columns, element);
  codes.scalesWork = rowsOfTokens("scales", x.rows, share, blocks, "f32").work;
  launch("quantise",
         {{"K", x.columns},
          {"XS", x.rowStride},
          {"X", x.element},
          {"Q", element},
          {"largest", fnuz ? 224.0 : 448.0},
          {"POWER_OF_TWO", int64_t(powerOfTwo)}},
         {pointer(x), pointer(codes), scales(codes), product(x.rows, share)}, origin, "quantise");
  return codes;
}

Status PlanBuilder::lowerQuantise(model::QuantiseOp op) {
  TensorRef x = use(op.getX());
  auto type = cast<model::BlockScaledType>(op.getResult().getType());
  bind(op.getResult(), quantised(x, 1, type.hasPowerOfTwoScales(), op));
  return Status::success();
}

void PlanBuilder::addLinear(const TensorRef &given, const WeightRef &matrix, const WeightRef *bias,
                            const TensorRef &y, const TensorRef *experts, int64_t share, Operation *origin,
                            const std::string &note, const RowGroups *groups) {
  model::WeightOp op = matrix.op;
  ArrayRef<int64_t> shape;
  bool scaled = isBlockScaled(matrix), powerOfTwo = false;
  if (auto type = dyn_cast<model::BlockScaledType>(op.getType())) {
    shape = type.getShape();
    powerOfTwo = type.hasPowerOfTwoScales();
  } else {
    shape = cast<RankedTensorType>(op.getType()).getShape();
  }
  int64_t n = shape[shape.size() - 2], k = shape.back(), e = shape.size() == 3 ? shape[0] : 1;
  TensorRef x = given;
  bool quantise = scaled && rung == Rung::Fp8;
  if (quantise && x.scalesWork < 0)
    x = quantised(x, 1, powerOfTwo, origin);
  LaunchArgument rows = symbol(x.rows);
  if (experts)
    rows = groups ? groups->places : product(experts->rows, experts->columns);
  Parameters parameters = {{"N", n},
                           {"K", k},
                           {"E", e},
                           {"SHARE", share},
                           {"XS", x.rowStride},
                           {"YS", y.rowStride},
                           {"X", x.element},
                           {"W", weightElement(matrix)},
                           {"B", bias ? weightElement(*bias) : std::string("bf16")},
                           {"Y", y.element},
                           {"BIAS", int64_t(bias != nullptr)},
                           {"SCALES", int64_t(scaled)},
                           {"QUANTIZED", int64_t(quantise)},
                           {"EXPERTS", int64_t(experts && !groups)},
                           {"GROUPED", int64_t(groups != nullptr)}};
  if (groups)
    parameters["ROUND"] = groups->round;
  // A block with one row of an expert: in the tile of a matrix unit where there is one.
  if (experts && !groups)
    parameters["GROUPED"] = int64_t(hasMatrixAtom(parameters, target));
  launch("linear", parameters,
         {pointer(x), quantise ? scales(x) : null(), weightPointer(matrix),
          scaled ? weightScales(matrix) : null(), bias ? weightPointer(*bias) : null(),
          groups    ? pointer(groups->slots)
          : experts ? pointer(*experts)
                    : null(),
          groups ? pointer(groups->groups) : null(), pointer(y), rows},
         origin, note);
}

Status PlanBuilder::lowerLinear(model::LinearOp op) {
  TensorRef x = use(op.getX());
  WeightRef matrix = weight(op.getWeight());
  if (!matrix.op)
    return unsupported(op, "has a matrix that is not a weight");
  WeightRef bias = op.getBias() ? weight(op.getBias()) : WeightRef();
  TensorRef y = place(op.getResult());
  addLinear(x, matrix, op.getBias() ? &bias : nullptr, y, nullptr, 1, op, matrix.op.getSymName().str());
  return Status::success();
}

//===----------------------------------------------------------------------===//
// Elementwise
//===----------------------------------------------------------------------===//

PlanBuilder::Parameters PlanBuilder::activationFlags(model::ActivationKind kind) {
  static const std::pair<model::ActivationKind, const char *> names[] = {
      {model::ActivationKind::Silu, "SILU"},          {model::ActivationKind::Gelu, "GELU"},
      {model::ActivationKind::GeluTanh, "GELU_TANH"}, {model::ActivationKind::QuickGelu, "QUICK_GELU"},
      {model::ActivationKind::Relu, "RELU"},          {model::ActivationKind::Relu2, "RELU2"},
      {model::ActivationKind::Sigmoid, "SIGMOID"},    {model::ActivationKind::Tanh, "TANH"}};
  Parameters flags = {{"ACTIVATE", int64_t(1)}};
  for (auto [known, name] : names)
    if (known == kind)
      flags[name] = int64_t(1);
  return flags;
}

void PlanBuilder::addPointwise(Parameters flags, const TensorRef &a, const TensorRef *b, const TensorRef &y,
                               Operation *origin, const std::string &note) {
  static const char *const all[] = {"ADD",      "MUL",   "SCALE",   "SOFTCAP",   "MASK",
                                    "ACTIVATE", "SILU",  "GELU",    "GELU_TANH", "QUICK_GELU",
                                    "RELU",     "RELU2", "SIGMOID", "TANH"};
  for (const char *name : all)
    flags.try_emplace(name, int64_t(0));
  flags.try_emplace("factor", 1.0);
  flags.try_emplace("cap", 1.0);
  flags.try_emplace("VALID", int64_t(0));
  bool rowB = b && b->columns == 1 && y.columns > 1;
  flags.insert({{"H", y.heads},
                {"N", y.columns},
                {"AS", a.rowStride},
                {"AH", a.headStride},
                {"BS", b ? b->rowStride : 0},
                {"BH", b ? b->headStride : 0},
                {"YS", y.rowStride},
                {"YH", y.headStride},
                {"A", a.element},
                {"B", b ? b->element : std::string("bf16")},
                {"Y", y.element},
                {"HAS_B", int64_t(b != nullptr)},
                {"ROW_B", int64_t(rowB)}});
  launch("pointwise", flags, {pointer(a), b ? pointer(*b) : null(), pointer(y), symbol(y.rows)}, origin,
         note);
}

Status PlanBuilder::lowerPointwise(Operation *op, Parameters flags, Value aValue, Value bValue,
                                   Value yValue) {
  TensorRef a = use(aValue), b = bValue ? use(bValue) : TensorRef();
  // A fused operand: the gate is its first half, the other factor its second.
  if (bValue && aValue == bValue && isa<model::GatedOp>(op)) {
    a.columns /= 2;
    b = a;
    b.offset += a.columns;
  }
  TensorRef y = place(yValue);
  addPointwise(std::move(flags), a, bValue ? &b : nullptr, y, op, op->getName().stripDialect().str());
  return Status::success();
}

Status PlanBuilder::lowerConcat(model::ConcatOp op) {
  TensorRef y = place(op.getResult());
  int64_t at = 0;
  for (Value input : op.getInputs()) {
    TensorRef part = y;
    TensorRef x = use(input);
    part.offset += at;
    part.columns = x.columns;
    at += x.columns;
    copy(x, part, op, "concat");
  }
  return Status::success();
}

Status PlanBuilder::lowerReshape(model::ReshapeOp op) {
  TensorRef ref = use(op.getX()), shape = shapeOf(op.getResult());
  if (ref.heads != shape.heads)
    ref = denseRows(ref, op);
  ref.heads = shape.heads;
  ref.columns = shape.columns;
  ref.headStride = shape.columns;
  bind(op.getResult(), ref);
  return Status::success();
}

} // namespace quern::lowering
