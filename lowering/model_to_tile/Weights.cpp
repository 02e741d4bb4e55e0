//===- Weights.cpp - Prepared tensors -------------------------------------===//
#include "lowering/model_to_tile/PlanBuilder.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace quern::runtime;

namespace quern::lowering {

Recipe planRecipe(Attribute attribute) {
  Recipe recipe;
  auto one = [&](Attribute source) { recipe.operands.push_back(planRecipe(source)); };
  llvm::TypeSwitch<Attribute>(attribute)
      .Case([&](model::ReadAttr read) {
        recipe.kind = Recipe::Kind::Read;
        recipe.name = read.getName().getValue();
        if (read.getScale())
          recipe.scales = read.getScale().getValue();
      })
      .Case([&](model::SliceAttr slice) {
        recipe.kind = Recipe::Kind::Slice;
        recipe.dim = slice.getDim();
        recipe.begin = slice.getBegin();
        recipe.end = slice.getEnd();
        one(slice.getSource());
      })
      .Case([&](model::ConcatAttr concat) {
        recipe.kind = Recipe::Kind::Concat;
        recipe.dim = concat.getDim();
        llvm::for_each(concat.getSources(), one);
      })
      .Case([&](model::StackAttr stack) {
        recipe.kind = Recipe::Kind::Stack;
        recipe.placeholder = stack.getPlaceholder().getValue();
        recipe.count = stack.getCount();
        one(stack.getSource());
      })
      .Case([&](model::TransposeAttr transpose) {
        recipe.kind = Recipe::Kind::Transpose;
        recipe.permutation.assign(transpose.getPermutation().begin(), transpose.getPermutation().end());
        one(transpose.getSource());
      })
      .Case([&](model::ReshapeAttr reshape) {
        recipe.kind = Recipe::Kind::Reshape;
        recipe.shape.assign(reshape.getShape().begin(), reshape.getShape().end());
        one(reshape.getSource());
      })
      .Case([&](model::DequantiseAttr dequantise) {
        recipe.kind = Recipe::Kind::Dequantise;
        one(dequantise.getSource());
      });
  return recipe;
}

static Recipe wrap(Recipe::Kind kind, Recipe operand) {
  Recipe recipe;
  recipe.kind = kind;
  recipe.operands.push_back(std::move(operand));
  return recipe;
}

LayerIndex PlanBuilder::layerOf(Value value) {
  LayerIndex index;
  while (auto layer = value.getDefiningOp<model::LayerOp>()) {
    index.offset += layer.getOffset();
    if (!layer.getBase())
      return index;
    value = layer.getBase();
  }
  index.ofRepeat = true;
  return index;
}

WeightRef PlanBuilder::weight(Value value) {
  auto use = value.getDefiningOp<model::UseOp>();
  if (!use)
    return {};
  WeightRef ref;
  ref.op = SymbolTable::lookupNearestSymbolFrom<model::WeightOp>(use, use.getWeightAttr());
  if (use.getLayer())
    ref.layer = layerOf(use.getLayer());
  return ref;
}

bool PlanBuilder::isBlockScaled(const WeightRef &weight) {
  return isa<model::BlockScaledType>(WeightRef(weight).op.getType());
}

static std::string safetensorsName(const std::string &element) {
  if (element == "bf16")
    return "BF16";
  if (element == "f32")
    return "F32";
  if (element == "f16")
    return "F16";
  return "F8_E4M3";
}

static Recipe recipeOf(model::WeightOp op) {
  if (std::optional<Attribute> recipe = op.getRecipe())
    return planRecipe(*recipe);
  Recipe read;
  read.name = op.getSymName();
  return read;
}

LaunchArgument PlanBuilder::prepared(const WeightRef &weight, const std::string &suffix, const std::string &dtype,
                                     std::vector<int64_t> shape, Recipe recipe) {
  model::WeightOp op = weight.op;
  LaunchArgument argument;
  argument.kind = LaunchArgument::Kind::Tensor;
  argument.name = op.getSymName().str() + suffix;
  argument.layer = weight.layer;
  if (preparedNames.insert(argument.name).second) {
    PreparedTensor tensor;
    tensor.name = argument.name;
    tensor.dtype = dtype;
    tensor.shape = std::move(shape);
    if (op.getFirst())
      tensor.layers = {int64_t(*op.getFirst()), int64_t(*op.getEnd())};
    tensor.recipe = std::move(recipe);
    result.plan.tensors.push_back(std::move(tensor));
  }
  return argument;
}

std::string PlanBuilder::weightElement(const WeightRef &weight) {
  Type type = WeightRef(weight).op.getType();
  if (auto scaled = dyn_cast<model::BlockScaledType>(type))
    return fp8 == Fp8Flavour::Fnuz && isa<Float8E4M3FNType>(scaled.getElementType())
               ? "f8E4M3FNUZ"
               : elementName(scaled.getElementType());
  return elementName(cast<RankedTensorType>(type).getElementType());
}

LaunchArgument PlanBuilder::weightPointer(const WeightRef &weight) {
  model::WeightOp op = weight.op;
  Recipe recipe = recipeOf(op);
  if (auto scaled = dyn_cast<model::BlockScaledType>(op.getType())) {
    // The same bits mean half the value in the FNUZ format: its scales are doubled.
    if (fp8 == Fp8Flavour::Fnuz && isa<Float8E4M3FNType>(scaled.getElementType()))
      recipe = wrap(Recipe::Kind::Fnuz, std::move(recipe));
    return prepared(weight, "", "F8_E4M3", scaled.getShape().vec(), std::move(recipe));
  }
  auto tensor = cast<RankedTensorType>(op.getType());
  return prepared(weight, "", safetensorsName(elementName(tensor.getElementType())), tensor.getShape().vec(),
                  std::move(recipe));
}

LaunchArgument PlanBuilder::weightScales(const WeightRef &weight) {
  model::WeightOp op = weight.op;
  auto scaled = cast<model::BlockScaledType>(op.getType());
  Recipe recipe = wrap(Recipe::Kind::Scales, recipeOf(op));
  if (fp8 == Fp8Flavour::Fnuz && isa<Float8E4M3FNType>(scaled.getElementType()))
    recipe.factor = 2.0;
  llvm::SmallVector<int64_t> shape = scaled.getScaleShape();
  return prepared(weight, ".scales", "F32", std::vector<int64_t>(shape.begin(), shape.end()), std::move(recipe));
}

std::string PlanBuilder::rotationTable(DenseFPElementsAttr frequencies, double magnitude) {
  RotationTable table;
  for (const llvm::APFloat &f : frequencies.getValues<llvm::APFloat>())
    table.frequencies.push_back(f.convertToFloat());
  table.magnitude = magnitude;
  for (const RotationTable &known : result.plan.tables)
    if (known.frequencies == table.frequencies && known.magnitude == table.magnitude)
      return known.name;
  table.name = "rotation" + std::to_string(result.plan.tables.size());
  result.plan.tables.push_back(table);
  return table.name;
}

} // namespace quern::lowering
