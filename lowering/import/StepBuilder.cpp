//===- StepBuilder.cpp - One wiring step becomes operators ------------------===//
#include "lowering/import/StepBuilder.h"

using namespace quern;
using namespace quern::import;
namespace model = quern::model;

namespace {

using Results = llvm::SmallVector<mlir::Value>;

bool isCache(mlir::Type type) { return mlir::isa<model::HeadCacheType, model::LatentCacheType>(type); }

class StepBuilder {
public:
  StepBuilder(const Step &step, const StepList &list, const ModelConfig &config, const StepContext &context,
              mlir::OpBuilder &b, const NamedValues &values)
      : step(step), list(list), config(config), context(context), b(b), values(values),
        loc(mlir::NameLoc::get(b.getStringAttr(step.source))) {}

  Expected<Results> build() {
    struct Entry {
      const char *name;
      Expected<Results> (StepBuilder::*make)();
    };
    static constexpr Entry table[] = {
        {"embedding", &StepBuilder::embedding},
        {"rms_norm", &StepBuilder::rmsNorm},
        {"add_rms_norm", &StepBuilder::addRmsNorm},
        {"layer_norm", &StepBuilder::layerNorm},
        {"linear", &StepBuilder::linear},
        {"add", &StepBuilder::add},
        {"mul", &StepBuilder::mul},
        {"scale", &StepBuilder::scale},
        {"softcap", &StepBuilder::softcap},
        {"activation", &StepBuilder::activation},
        {"gated", &StepBuilder::gated},
        {"slice", &StepBuilder::slice},
        {"split", &StepBuilder::split},
        {"concat", &StepBuilder::concat},
        {"heads", &StepBuilder::heads},
        {"rows", &StepBuilder::rows},
        {"rope", &StepBuilder::rope},
        {"cache_append", &StepBuilder::cacheAppend},
        {"attention", &StepBuilder::attention},
        {"mla_attention", &StepBuilder::latentAttention},
        {"router", &StepBuilder::router},
        {"experts", &StepBuilder::experts},
        {"gather_rows", &StepBuilder::gatherRows},
    };
    for (const Entry &entry : table)
      if (std::string_view(entry.name) == step.operation->name)
        return (this->*entry.make)();
    return fault("the operation has no builder");
  }

private:
  Status fault(const std::string &sentence) const {
    return Status::error(Exit::BadInput, "E-FAMILY-STEP", "in `" + step.source + "`: " + sentence);
  }

  //===-- Operands ------------------------------------------------------------===//

  mlir::Value use(const std::string &name) {
    model::WeightOp weight = context.weight(name);
    return model::UseOp::create(b, loc, weight,
                                list.weights.at(name).perLayer ? context.layer : mlir::Value());
  }
  mlir::Value weightOperand(size_t i) { return use(step.operands[i].name); }
  /// Null where the argument is not given.
  mlir::Value weightArgument(const char *name) {
    auto it = step.weightArguments.find(name);
    return it == step.weightArguments.end() ? mlir::Value() : use(it->second);
  }
  mlir::Value value(size_t i) const { return values.find(step.operands[i].name)->second; }
  bool given(size_t i) const { return i < step.operands.size(); }

  /// The operands that are values, where one is not a tensor: an error.
  Status wantTensors(std::initializer_list<size_t> operands) const {
    for (size_t i : operands)
      if (given(i) && !mlir::isa<mlir::RankedTensorType>(value(i).getType()))
        return fault("operand " + std::to_string(i + 1) + " is not a tensor");
    return Status::success();
  }
  Status wantCache(size_t i) const {
    return isCache(value(i).getType()) ? Status::success()
                                       : fault("operand " + std::to_string(i + 1) + " is not the cache");
  }
  Status wantLayer() const {
    return context.layer ? Status::success() : fault("the operation stands outside of layers");
  }
  mlir::RankedTensorType type(size_t i) const {
    return mlir::cast<mlir::RankedTensorType>(value(i).getType());
  }

  //===-- Attributes ----------------------------------------------------------===//

  const import::Value *attribute(const char *name) const {
    auto it = step.attributes.find(name);
    return it == step.attributes.end() ? nullptr : &it->second;
  }
  int64_t integer(const char *name, int64_t otherwise = 0) const {
    const import::Value *found = attribute(name);
    return found ? found->integer() : otherwise;
  }
  mlir::FloatAttr number(const char *name, double otherwise = 0) const {
    const import::Value *found = attribute(name);
    return b.getF64FloatAttr(found ? found->number() : otherwise);
  }
  template <typename Enum>
  Expected<Enum> symbol(const char *name, std::optional<Enum> (*parse)(llvm::StringRef),
                        const char *otherwise = "") {
    const import::Value *found = attribute(name);
    std::string text = found ? found->string() : otherwise;
    if (std::optional<Enum> known = parse(text))
      return *known;
    return fault("`" + std::string(name) + "` is '" + text + "', which is none of its words");
  }

  //===-- Norms, linears, elementwise ------------------------------------------===//

  Expected<Results> embedding() {
    QUERN_RETURN_IF_ERROR(wantTensors({0}));
    mlir::Value table = weightOperand(1);
    if (!mlir::isa<mlir::RankedTensorType>(table.getType()))
      return fault("an embedding is not read in fp8");
    return Results{model::EmbeddingOp::create(b, loc, value(0), table)};
  }

  Expected<Results> rmsNorm() {
    QUERN_RETURN_IF_ERROR(wantTensors({0}));
    return Results{model::RMSNormOp::create(b, loc, value(0), weightArgument("weight"), number("eps"),
                                            number("weight_offset"))};
  }

  Expected<Results> addRmsNorm() {
    QUERN_RETURN_IF_ERROR(wantTensors({0, 1}));
    auto op = model::AddRMSNormOp::create(b, loc, value(0), value(1), weightArgument("weight"), number("eps"),
                                          number("weight_offset"));
    return Results{op.getSum(), op.getResult()};
  }

  Expected<Results> layerNorm() {
    QUERN_RETURN_IF_ERROR(wantTensors({0}));
    mlir::Value weight = weightArgument("weight"), bias = weightArgument("bias");
    return Results{model::LayerNormOp::create(b, loc, value(0), weight, bias, number("eps"))};
  }

  Expected<Results> linear() {
    QUERN_RETURN_IF_ERROR(wantTensors({0}));
    mlir::Type element = b.getBF16Type();
    if (const import::Value *text = attribute("type")) {
      if (text->string() != "f32" && text->string() != "bf16")
        return fault("`type` must be 'bf16' or 'f32'");
      if (text->string() == "f32")
        element = b.getF32Type();
    }
    mlir::Value weight = weightOperand(1);
    llvm::ArrayRef<int64_t> shape = model::shapeOf(weight.getType());
    if (shape.size() != 2 || type(0).getRank() != 2 || type(0).getDimSize(1) != shape[1])
      return fault("the weight's columns are not those of the operand");
    mlir::Type result = mlir::RankedTensorType::get({mlir::ShapedType::kDynamic, shape[0]}, element);
    return Results{model::LinearOp::create(b, loc, result, value(0), weight, weightArgument("bias"))};
  }

  Expected<Results> add() {
    QUERN_RETURN_IF_ERROR(wantTensors({0, 1}));
    return Results{model::AddOp::create(b, loc, value(0), value(1))};
  }
  Expected<Results> mul() {
    QUERN_RETURN_IF_ERROR(wantTensors({0, 1}));
    return Results{model::MulOp::create(b, loc, value(0), value(1))};
  }
  Expected<Results> scale() {
    QUERN_RETURN_IF_ERROR(wantTensors({0}));
    return Results{model::ScaleOp::create(b, loc, value(0), number("by"))};
  }
  Expected<Results> softcap() {
    QUERN_RETURN_IF_ERROR(wantTensors({0}));
    return Results{model::SoftcapOp::create(b, loc, value(0), number("cap"))};
  }
  Expected<Results> activation() {
    QUERN_RETURN_IF_ERROR(wantTensors({0}));
    QUERN_ASSIGN_OR_RETURN(auto kind, symbol("kind", model::symbolizeActivationKind));
    return Results{model::ActivationOp::create(b, loc, kind, value(0))};
  }
  Expected<Results> gated() {
    QUERN_RETURN_IF_ERROR(wantTensors({0, 1}));
    QUERN_ASSIGN_OR_RETURN(auto kind, symbol("kind", model::symbolizeActivationKind));
    return Results{model::GatedOp::create(b, loc, kind, value(0), given(1) ? value(1) : mlir::Value())};
  }

  //===-- Views ----------------------------------------------------------------===//

  Expected<Results> slices(llvm::ArrayRef<std::pair<int64_t, int64_t>> ranges) {
    Results results;
    int64_t last = type(0).getShape().back();
    for (auto [begin, end] : ranges) {
      if (begin < 0 || begin >= end || end > last)
        return fault("a slice from " + std::to_string(begin) + " to " + std::to_string(end) + " of " +
                     std::to_string(last) + " columns");
      results.push_back(
          model::SliceOp::create(b, loc, value(0), static_cast<uint64_t>(begin), static_cast<uint64_t>(end)));
    }
    return results;
  }
  Expected<Results> slice() {
    QUERN_RETURN_IF_ERROR(wantTensors({0}));
    return slices({{integer("begin"), integer("end")}});
  }
  Expected<Results> split() {
    QUERN_RETURN_IF_ERROR(wantTensors({0}));
    llvm::SmallVector<std::pair<int64_t, int64_t>> ranges;
    int64_t at = 0, last = type(0).getShape().back();
    for (const import::Value &size : attribute("sizes")->list()) {
      if (size.integer() < 1 || size.integer() > last)
        return fault("a part of " + size.text() + " columns");
      ranges.emplace_back(at, at + size.integer());
      at += size.integer();
    }
    if (at != last || ranges.size() != step.results.size())
      return fault("`sizes` must give " + std::to_string(last) + " columns in " +
                   std::to_string(step.results.size()) + " parts");
    return slices(ranges);
  }
  Expected<Results> concat() {
    llvm::SmallVector<mlir::Value> inputs;
    for (size_t i = 0; i < step.operands.size(); ++i) {
      QUERN_RETURN_IF_ERROR(wantTensors({i}));
      if (type(i).getRank() != type(0).getRank())
        return fault("the operands have different ranks");
      inputs.push_back(value(i));
    }
    return Results{model::ConcatOp::create(b, loc, inputs)};
  }
  Expected<Results> heads() {
    QUERN_RETURN_IF_ERROR(wantTensors({0}));
    int64_t count = integer("count");
    if (type(0).getRank() != 2 || count < 1 || type(0).getDimSize(1) % count != 0)
      return fault("the operand's columns do not divide into " + std::to_string(count) + " heads");
    auto shape = {mlir::ShapedType::kDynamic, count, type(0).getDimSize(1) / count};
    return Results{model::ReshapeOp::create(
        b, loc, mlir::RankedTensorType::get(shape, type(0).getElementType()), value(0))};
  }
  Expected<Results> rows() {
    QUERN_RETURN_IF_ERROR(wantTensors({0}));
    if (type(0).getRank() != 3)
      return fault("the operand has no heads");
    auto shape = {mlir::ShapedType::kDynamic, type(0).getDimSize(1) * type(0).getDimSize(2)};
    return Results{model::ReshapeOp::create(
        b, loc, mlir::RankedTensorType::get(shape, type(0).getElementType()), value(0))};
  }

  //===-- Attention --------------------------------------------------------------===//

  Expected<Results> rope() {
    QUERN_RETURN_IF_ERROR(wantTensors({0}));
    auto rotation = config.rotations.find(attribute("table")->string());
    if (rotation == config.rotations.end())
      return fault("there is no rotation table `" + attribute("table")->string() + "`");
    const Rotation &table = rotation->second;
    int64_t offset = integer("offset");
    if (offset < 0 || offset + 2 * static_cast<int64_t>(table.frequencies.size()) > type(0).getShape().back())
      return fault("the rotated elements do not fit the operand");
    auto vector =
        mlir::RankedTensorType::get({static_cast<int64_t>(table.frequencies.size())}, b.getF32Type());
    auto frequencies = mlir::cast<mlir::DenseFPElementsAttr>(
        mlir::DenseElementsAttr::get(vector, llvm::ArrayRef<float>(table.frequencies)));
    auto layout = model::RopeLayoutAttr::get(
        b.getContext(), table.interleaved ? model::RopeLayout::Interleaved : model::RopeLayout::Half);
    return Results{model::RopeOp::create(b, loc, value(0), context.positions, layout,
                                         b.getI64IntegerAttr(offset), b.getF64FloatAttr(table.magnitude),
                                         frequencies)};
  }

  Expected<Results> cacheAppend() {
    QUERN_RETURN_IF_ERROR(wantLayer());
    QUERN_RETURN_IF_ERROR(wantCache(0));
    QUERN_RETURN_IF_ERROR(wantTensors({1, 2}));
    return Results{model::CacheAppendOp::create(b, loc, value(0), context.layer, value(1), value(2),
                                                context.positions, context.sequences)};
  }

  Expected<Results> attention() {
    QUERN_RETURN_IF_ERROR(wantLayer());
    QUERN_RETURN_IF_ERROR(wantTensors({0}));
    if (!mlir::isa<model::HeadCacheType>(value(1).getType()) || type(0).getRank() != 3)
      return fault("attention wants heads and a cache of kind heads");
    mlir::IntegerAttr window;
    mlir::FloatAttr cap;
    if (attribute("window"))
      window = b.getI64IntegerAttr(integer("window"));
    if (attribute("softcap"))
      cap = number("softcap");
    return Results{model::AttentionOp::create(b, loc, value(0), value(1), context.layer, context.positions,
                                              context.sequences, number("scale"), window, cap)};
  }

  Expected<Results> latentAttention() {
    QUERN_RETURN_IF_ERROR(wantLayer());
    QUERN_RETURN_IF_ERROR(wantTensors({0, 1}));
    if (!mlir::isa<model::LatentCacheType>(value(3).getType()) || type(0).getRank() != 3 ||
        type(1).getRank() != 3)
      return fault("latent attention wants heads and a cache of kind latent");
    mlir::Value weight = weightOperand(2);
    if (model::shapeOf(weight.getType()).size() != 2)
      return fault("operand 3 is not a matrix");
    return Results{model::LatentAttentionOp::create(b, loc, value(0), value(1), weight, value(3),
                                                    context.layer, context.positions, context.sequences,
                                                    number("scale"), model::LatentFormAttr())};
  }

  //===-- Experts ----------------------------------------------------------------===//

  Expected<Results> router() {
    QUERN_RETURN_IF_ERROR(wantTensors({0}));
    QUERN_ASSIGN_OR_RETURN(auto scoring, symbol("scoring", model::symbolizeScoring));
    QUERN_ASSIGN_OR_RETURN(auto by, symbol("by", model::symbolizeGroupScore, "max"));
    mlir::MLIRContext *mlirContext = b.getContext();
    const import::Value *normalise = attribute("normalise");
    auto op = model::RouterOp::create(
        b, loc, value(0), weightArgument("bias"), model::ScoringAttr::get(mlirContext, scoring),
        b.getI64IntegerAttr(integer("choose")), b.getI64IntegerAttr(integer("groups", 1)),
        b.getI64IntegerAttr(integer("kept", 1)), model::GroupScoreAttr::get(mlirContext, by),
        normalise && normalise->boolean() ? b.getUnitAttr() : mlir::UnitAttr(), number("scale", 1));
    return Results{op.getIndices(), op.getWeights()};
  }

  Expected<Results> experts() {
    QUERN_RETURN_IF_ERROR(wantTensors({0, 1, 2}));
    QUERN_RETURN_IF_ERROR(wantTensors({0, 5}));
    QUERN_ASSIGN_OR_RETURN(auto kind, symbol("kind", model::symbolizeActivationKind));
    mlir::Value gateUp = weightOperand(3), down = weightOperand(4);
    return Results{model::ExpertsOp::create(b, loc, type(0), kind, value(0), value(1), value(2), gateUp, down,
                                            given(5) ? value(5) : mlir::Value())};
  }

  Expected<Results> gatherRows() {
    QUERN_RETURN_IF_ERROR(wantTensors({0}));
    return Results{model::GatherRowsOp::create(b, loc, value(0), context.rows)};
  }

  const Step &step;
  const StepList &list;
  const ModelConfig &config;
  const StepContext &context;
  mlir::OpBuilder &b;
  const NamedValues &values;
  mlir::Location loc;
};

} // namespace

Status quern::import::buildSteps(const StepList &list, const ModelConfig &config, const StepContext &context,
                                 mlir::OpBuilder &builder, NamedValues &values) {
  for (const Step &step : list.steps) {
    QUERN_ASSIGN_OR_RETURN(Results results,
                           StepBuilder(step, list, config, context, builder, values).build());
    for (size_t i = 0; i < results.size(); ++i)
      values.insert_or_assign(step.results[i], results[i]);
  }
  return Status::success();
}
