//===- ModuleBuilder.cpp - The model graph becomes a module ------------------===//
#include "lowering/import/Import.h"

#include "lowering/import/StepBuilder.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"

#include "llvm/Support/raw_ostream.h"

using namespace quern;
using namespace quern::import;
namespace model = quern::model;

namespace {

/// Declares weights: one symbol for all layers whose weight has the same name, type and recipe.
class WeightDeclarations {
public:
  WeightDeclarations(const ImportedModel &imported, mlir::OpBuilder builder)
      : imported(imported), b(builder) {}

  void declare() {
    struct Group {
      const Binding *binding;
      int64_t first, end;
    };
    std::map<std::string, size_t> index;
    std::vector<Group> groups;
    std::map<std::pair<std::string, int64_t>, size_t> groupOf;
    // In order of layers, so that symbols get their numbers from the bottom up.
    std::vector<std::pair<int64_t, const std::string *>> order;
    for (const auto &[key, binding] : imported.census().bindings)
      order.emplace_back(key.second, &key.first);
    std::sort(order.begin(), order.end(), [](const auto &a, const auto &b) {
      return a.first != b.first ? a.first < b.first : *a.second < *b.second;
    });
    for (const auto &[layer, name] : order) {
      const Binding &binding = imported.census().bindings.at({*name, layer});
      std::string key = *name + binding.text() + binding.source().text();
      auto [it, fresh] = index.emplace(key, groups.size());
      if (fresh)
        groups.push_back({&binding, layer, layer + 1});
      groups[it->second].end = layer + 1;
      groupOf[{*name, layer}] = it->second;
    }
    std::map<std::string, int> used;
    std::vector<model::WeightOp> ops;
    for (const Group &group : groups) {
      const std::string &name = group.binding->weight->name;
      int number = used[name]++;
      ops.push_back(declareOne(number ? name + "_" + std::to_string(number) : name, *group.binding,
                               group.first, group.end));
    }
    for (const auto &[key, group] : groupOf)
      symbols.emplace(key, ops[group]);
  }

  model::WeightOp find(const std::string &name, bool perLayer, int64_t layer) const {
    return symbols.at({name, perLayer ? layer : -1});
  }

private:
  model::WeightOp declareOne(const std::string &symbol, const Binding &binding, int64_t first, int64_t end) {
    mlir::Location loc = mlir::NameLoc::get(b.getStringAttr("weight " + binding.weight->name));
    mlir::Attribute recipe = recipeOf(binding.source(), binding.blockScaled, binding.dequantise);
    if (binding.weight->perLayer)
      return model::WeightOp::create(b, loc, symbol, first, end, typeOf(binding), recipe);
    return model::WeightOp::create(b, loc, symbol, typeOf(binding), recipe);
  }

  mlir::Type typeOf(const Binding &binding) {
    const Weight &weight = *binding.weight;
    if (!binding.blockScaled)
      return mlir::RankedTensorType::get(weight.shape,
                                         weight.f32 ? mlir::Type(b.getF32Type()) : b.getBF16Type());
    mlir::MLIRContext *context = b.getContext();
    mlir::Type scale =
        binding.powerOfTwoScales ? mlir::Type(mlir::Float8E8M0FNUType::get(context)) : b.getF32Type();
    int64_t block[] = {128, 128};
    return model::BlockScaledType::get(context, weight.shape, mlir::Float8E4M3FNType::get(context), block,
                                       scale);
  }

  mlir::Attribute recipeOf(const WeightSource &source, bool scaled, bool dequantise) {
    mlir::MLIRContext *context = b.getContext();
    llvm::SmallVector<mlir::Attribute> children;
    for (const WeightSource &child : source.children)
      children.push_back(recipeOf(child, scaled, dequantise));
    switch (source.kind) {
    case Source::Tensor: {
      auto name = b.getStringAttr(source.tensor);
      auto scale = scaled || dequantise ? b.getStringAttr(source.tensor + "_scale_inv") : mlir::StringAttr();
      mlir::Attribute read = model::ReadAttr::get(context, name, scale);
      return dequantise ? model::DequantiseAttr::get(context, read) : read;
    }
    case Source::Concat:
      return model::ConcatAttr::get(context, source.dim, children);
    case Source::Stack:
      return model::StackAttr::get(context, b.getStringAttr(source.placeholder), source.count, children[0]);
    case Source::Slice:
      return model::SliceAttr::get(context, source.dim, source.begin, source.end, children[0]);
    case Source::Transpose:
      return model::TransposeAttr::get(context, source.order, children[0]);
    case Source::Reshape:
      return model::ReshapeAttr::get(context, source.shape, children[0]);
    }
    return {};
  }

  const ImportedModel &imported;
  mlir::OpBuilder b;
  std::map<std::pair<std::string, int64_t>, model::WeightOp> symbols;
};

class ModuleBuilder {
public:
  ModuleBuilder(const ImportedModel &imported, mlir::ModuleOp module, const BuildOptions &options)
      : imported(imported), graph(imported.graph()), options(options), module(module),
        b(mlir::OpBuilder::atBlockEnd(module.getBody())), weights(imported, b),
        integers(mlir::RankedTensorType::get({mlir::ShapedType::kDynamic}, b.getI32Type())),
        cache(cacheType()) {}

  Status build() {
    if (graph.predictions.size() > 1)
      return Status::error(Exit::Unsupported, "E-CONFIG-PREDICTION",
                           "the configuration has " + std::to_string(graph.predictions.size()) +
                               " prediction layers")
          .remedy("at most 1 is supported");
    weights.declare();
    QUERN_RETURN_IF_ERROR(buildStep());
    if (!graph.predictions.empty())
      QUERN_RETURN_IF_ERROR(buildPrediction());
    return Status::success();
  }

private:
  mlir::Type cacheType() {
    const CacheShape &shape = graph.cache;
    if (shape.latent)
      return model::LatentCacheType::get(b.getContext(), shape.layers, shape.size, shape.rope,
                                         b.getBF16Type());
    return model::HeadCacheType::get(b.getContext(), shape.layers, shape.heads, shape.key, shape.value,
                                     b.getBF16Type());
  }

  /// Opens a function; its body is where the builder then stands.
  mlir::func::FuncOp open(const char *name, llvm::ArrayRef<mlir::Type> arguments) {
    b.setInsertionPointToEnd(module.getBody());
    auto function = mlir::func::FuncOp::create(b, b.getUnknownLoc(), name, b.getFunctionType(arguments, {}));
    b.setInsertionPointToStart(function.addEntryBlock());
    return function;
  }

  /// Returns |results| and gives the function their types.
  void close(mlir::func::FuncOp function, llvm::ArrayRef<mlir::Value> results) {
    mlir::func::ReturnOp::create(b, b.getUnknownLoc(), results);
    function.setFunctionType(
        b.getFunctionType(function.getFunctionType().getInputs(), mlir::ValueRange(results).getTypes()));
  }

  StepContext contextFor(const StepList &list, int64_t layer) const {
    StepContext context = implicit;
    context.weight = [this, &list, layer](const std::string &name) {
      return weights.find(name, list.weights.at(name).perLayer, layer);
    };
    return context;
  }

  Status buildLayer(int64_t layer, mlir::Value number, NamedValues &values) {
    const StepList &list = graph.layers[layer].list;
    StepContext context = contextFor(list, layer);
    context.layer = number;
    return buildSteps(list, imported.config(), context, b, values);
  }

  mlir::Value layerNumber(mlir::Value base, int64_t offset) {
    return model::LayerOp::create(b, b.getUnknownLoc(), base, static_cast<uint64_t>(offset));
  }

  Status buildRun(const LayerRun &run, NamedValues &values) {
    if (run.end - run.first == 1)
      return buildLayer(run.first, layerNumber({}, run.first), values);
    llvm::SmallVector<mlir::Value> inits;
    for (const std::string &name : graph.carried)
      inits.push_back(values.at(name));
    mlir::Location loc = mlir::NameLoc::get(b.getStringAttr("layers " + graph.layers[run.first].className));
    auto repeat = model::RepeatOp::create(b, loc, run.first, run.end, run.step, inits);
    {
      mlir::OpBuilder::InsertionGuard guard(b);
      mlir::Block &body = repeat.getBody().front();
      b.setInsertionPointToStart(&body);
      NamedValues inner;
      for (size_t i = 0; i < graph.carried.size(); ++i)
        inner[graph.carried[i]] = body.getArgument(static_cast<unsigned>(i + 1));
      for (int64_t i = 0; i < run.step; ++i) {
        mlir::Value number = i == 0 ? mlir::Value(body.getArgument(0)) : layerNumber(body.getArgument(0), i);
        QUERN_RETURN_IF_ERROR(buildLayer(run.first + i, number, inner));
        // Names that a layer does not hand on end with it.
        NamedValues handed;
        for (const std::string &name : graph.carried)
          handed[name] = inner.at(name);
        inner = std::move(handed);
      }
      llvm::SmallVector<mlir::Value> yielded;
      for (size_t i = 0; i < graph.carried.size(); ++i) {
        mlir::Value value = inner.at(graph.carried[i]);
        if (value.getType() != inits[i].getType())
          return Status::error(Exit::BadInput, "E-FAMILY-STEP",
                               imported.family().origin + ": a layer of class `" +
                                   graph.layers[run.first].className + "` changes the shape of `" +
                                   graph.carried[i] + "`");
        yielded.push_back(value);
      }
      model::YieldOp::create(b, b.getUnknownLoc(), yielded);
    }
    for (size_t i = 0; i < graph.carried.size(); ++i)
      values[graph.carried[i]] = repeat.getResult(static_cast<unsigned>(i));
    return Status::success();
  }

  Expected<mlir::Value> wanted(const NamedValues &values, const char *name) {
    mlir::Value value = values.at(name);
    auto type = mlir::dyn_cast<mlir::RankedTensorType>(value.getType());
    bool logits = std::string_view(name) == "logits";
    int64_t columns = logits ? imported.config().vocabulary : imported.config().hidden;
    if (!type || type.getRank() != 2 || type.getDimSize(1) != columns ||
        (logits && !type.getElementType().isF32()))
      return Status::error(Exit::BadInput, "E-FAMILY-STEP",
                           imported.family().origin + ": `" + name + "` must be " + (logits ? "f32 " : "") +
                               "rows of " + std::to_string(columns) + " columns");
    if (!logits || !options.validTokens || *options.validTokens >= columns)
      return value;
    return mlir::Value(model::MaskVocabularyOp::create(b, b.getUnknownLoc(), value,
                                                       static_cast<uint64_t>(*options.validTokens)));
  }

  Status buildStep() {
    mlir::func::FuncOp function = open("step", {integers, integers, integers, integers, cache});
    auto arguments = function.getArguments();
    implicit = {arguments[1], arguments[2], arguments[3], {}, {}};
    NamedValues values = {{"tokens", arguments[0]}, {"cache", arguments[4]}};
    QUERN_RETURN_IF_ERROR(buildSteps(graph.begin, imported.config(), contextFor(graph.begin, -1), b, values));
    values.erase("tokens");
    for (const LayerRun &run : layerRuns(graph, imported.census()))
      QUERN_RETURN_IF_ERROR(buildRun(run, values));
    QUERN_RETURN_IF_ERROR(buildSteps(graph.end, imported.config(), contextFor(graph.end, -1), b, values));
    QUERN_ASSIGN_OR_RETURN(mlir::Value logits, wanted(values, "logits"));
    llvm::SmallVector<mlir::Value> results{logits};
    if (!graph.predictions.empty()) {
      QUERN_ASSIGN_OR_RETURN(mlir::Value hidden, wanted(values, "hidden"));
      results.push_back(hidden);
    }
    results.push_back(values.at("cache"));
    close(function, results);
    return Status::success();
  }

  Status buildPrediction() {
    auto hiddenType =
        mlir::RankedTensorType::get({mlir::ShapedType::kDynamic, imported.config().hidden}, b.getBF16Type());
    mlir::func::FuncOp function = open("mtp", {integers, hiddenType, integers, integers, integers, cache});
    auto arguments = function.getArguments();
    implicit = {arguments[2], arguments[3], arguments[4], {}, {}};
    NamedValues values = {{"tokens", arguments[0]}, {"hidden", arguments[1]}, {"cache", arguments[5]}};
    const StepList &list = graph.predictions[0].list;
    int64_t layer = imported.config().layers;
    StepContext context = contextFor(list, layer);
    context.layer = layerNumber({}, layer);
    QUERN_RETURN_IF_ERROR(buildSteps(list, imported.config(), context, b, values));
    QUERN_ASSIGN_OR_RETURN(mlir::Value logits, wanted(values, "logits"));
    QUERN_ASSIGN_OR_RETURN(mlir::Value hidden, wanted(values, "hidden"));
    close(function, {logits, hidden, values.at("cache")});
    return Status::success();
  }

  const ImportedModel &imported;
  const ModelGraph &graph;
  const BuildOptions &options;
  mlir::ModuleOp module;
  mlir::OpBuilder b;
  WeightDeclarations weights;
  mlir::RankedTensorType integers;
  mlir::Type cache;
  StepContext implicit;
};

} // namespace

Expected<mlir::OwningOpRef<mlir::ModuleOp>> quern::import::buildModule(const ImportedModel &imported,
                                                                       mlir::MLIRContext &context,
                                                                       const BuildOptions &options) {
  context.loadDialect<model::ModelDialect, mlir::func::FuncDialect>();
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(mlir::UnknownLoc::get(&context));
  std::string diagnostics;
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
    llvm::raw_string_ostream text(diagnostics);
    if (diagnostics.empty())
      text << diagnostic.getLocation() << ": " << diagnostic.str();
    return mlir::success();
  });
  QUERN_RETURN_IF_ERROR(ModuleBuilder(imported, *module, options).build());
  if (mlir::failed(mlir::verify(*module)))
    return Status::error(Exit::BadInput, "E-FAMILY-MODULE",
                         "the wiring of " + imported.family().origin + " gives a module that does not verify")
        .cause(diagnostics)
        .remedy("correct the step that is named");
  return module;
}

Expected<mlir::OwningOpRef<mlir::ModuleOp>> quern::import::importModel(const std::string &directory,
                                                                       mlir::MLIRContext &context,
                                                                       const ReadOptions &read,
                                                                       const BuildOptions &build) {
  QUERN_ASSIGN_OR_RETURN(ImportedModel model, readModel(directory, read));
  QUERN_RETURN_IF_ERROR(model.census().status());
  return buildModule(model, context, build);
}
