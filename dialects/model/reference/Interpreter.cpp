//===- Interpreter.cpp ----------------------------------------------------===//
//
// Three parts: values checked against types, one small function per operator, and the walk over functions and
// repeats.
//
//===----------------------------------------------------------------------===//
#include "dialects/model/reference/Interpreter.h"

#include "dialects/model/Model.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace quern::model::reference {

namespace {

using Results = std::vector<Value>;
using Outcome = Expected<Results>;

Status argumentError(std::string sentence) {
  return Status::error(Exit::Usage, "E-ORACLE-ARGUMENT", std::move(sentence));
}

std::string textOf(mlir::Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

ElementType elementTypeOf(mlir::Type type) {
  if (isa<BFloat16Type>(type))
    return ElementType::BF16;
  if (isa<Float16Type>(type))
    return ElementType::F16;
  if (type.isInteger(32))
    return ElementType::I32;
  if (type.isInteger(64))
    return ElementType::I64;
  if (isa<Float8E4M3FNType>(type))
    return ElementType::F8E4M3;
  if (isa<Float8E4M3FNUZType>(type))
    return ElementType::F8E4M3FNUZ;
  if (isa<Float8E5M2Type>(type))
    return ElementType::F8E5M2;
  return ElementType::F32;
}

/// The element type of a tensor-typed value.
ElementType elementTypeOf(mlir::Value value) { return elementTypeOf(elementOf(value.getType())); }

bool fits(ArrayRef<int64_t> declared, const Shape &shape) {
  if (declared.size() != shape.size())
    return false;
  for (size_t i = 0; i < shape.size(); ++i)
    if (!ShapedType::isDynamic(declared[i]) && declared[i] != shape[i])
      return false;
  return true;
}

/// Refuses a value of another kind, element type or shape than |type|.
Status checkValue(const Value &value, mlir::Type type) {
  auto refuse = [&](const std::string &got) {
    return argumentError("a value of type `" + textOf(type) + "` is given " + got);
  };
  if (isa<IndexType>(type))
    return std::holds_alternative<int64_t>(value) ? Status::success() : refuse("something that is no layer");
  if (auto latent = dyn_cast<LatentCacheType>(type)) {
    auto *cache = std::get_if<std::shared_ptr<Cache>>(&value);
    if (!cache || !*cache || (*cache)->layers != latent.getLayers() || (*cache)->heads != 1 ||
        (*cache)->keySize != latent.getLatent() || (*cache)->valueSize != latent.getRope())
      return refuse("something that is no such cache");
    return Status::success();
  }
  if (auto heads = dyn_cast<HeadCacheType>(type)) {
    auto *cache = std::get_if<std::shared_ptr<Cache>>(&value);
    if (!cache || !*cache || (*cache)->layers != heads.getLayers() || (*cache)->heads != heads.getHeads() ||
        (*cache)->keySize != heads.getKey() || (*cache)->valueSize != heads.getValue())
      return refuse("something that is no such cache");
    return Status::success();
  }
  if (auto scaled = dyn_cast<BlockScaledType>(type)) {
    auto *packed = std::get_if<Packed>(&value);
    if (!packed || !fits(scaled.getShape(), packed->shape) || packed->block[0] != scaled.getBlock()[0] ||
        packed->block[1] != scaled.getBlock()[1] || packed->type != elementTypeOf(scaled.getElementType()))
      return refuse(packed ? "another block-scaled tensor, of shape " + shapeText(packed->shape)
                           : "something without scales");
    return packed->check();
  }
  auto tensorType = dyn_cast<RankedTensorType>(type);
  if (!tensorType)
    return refuse("something, and the oracle knows no such type");
  if (auto *packed = std::get_if<Packed>(&value)) {
    if (!fits(tensorType.getShape(), packed->shape) || packed->isBlockScaled())
      return refuse("a weight of shape " + shapeText(packed->shape));
    return packed->check();
  }
  auto *tensor = std::get_if<Tensor>(&value);
  ElementType element = elementTypeOf(tensorType.getElementType());
  if (!tensor || !fits(tensorType.getShape(), tensor->shape) || tensor->type != element)
    return refuse(tensor ? "a tensor of " + std::string(elementTypeName(tensor->type)) + " of shape " +
                               shapeText(tensor->shape)
                         : "something that is no tensor");
  size_t count = element == ElementType::I32   ? tensor->integers.size()
                 : element == ElementType::I64 ? tensor->longs.size()
                                               : tensor->values.size();
  if (static_cast<int64_t>(count) != elementCount(tensor->shape))
    return refuse("a tensor of " + std::to_string(count) + " elements");
  return Status::success();
}

Function functionOf(ActivationKind kind) {
  switch (kind) {
  case ActivationKind::Silu:
    return Function::Silu;
  case ActivationKind::Gelu:
    return Function::Gelu;
  case ActivationKind::GeluTanh:
    return Function::GeluTanh;
  case ActivationKind::QuickGelu:
    return Function::QuickGelu;
  case ActivationKind::Relu:
    return Function::Relu;
  case ActivationKind::Relu2:
    return Function::Relu2;
  case ActivationKind::Sigmoid:
    return Function::Sigmoid;
  case ActivationKind::Tanh:
    break;
  }
  return Function::Tanh;
}

/// The operands of the operator that is being run, by their place. The operator's types were checked, so that
/// each accessor finds the kind that it asks for.
class Operands {
public:
  Operands(Operation *op, std::vector<const Value *> values) : op(op), values(std::move(values)) {}

  const Value &at(unsigned i) const { return *values[i]; }
  unsigned size() const { return static_cast<unsigned>(values.size()); }
  /// A float tensor; one that came as a weight is unpacked first.
  const Tensor &tensor(unsigned i) {
    if (auto *packed = std::get_if<Packed>(values[i])) {
      unpacked.push_back(std::make_unique<Tensor>(packed->unpack(elementTypeOf(op->getOperand(i)))));
      return *unpacked.back();
    }
    return std::get<Tensor>(*values[i]);
  }
  /// A matrix in stored form; one that came as a tensor is packed first.
  const Packed &packed(unsigned i) {
    if (auto *tensor = std::get_if<Tensor>(values[i])) {
      repacked.push_back(std::make_unique<Packed>(pack(*tensor)));
      return *repacked.back();
    }
    return std::get<Packed>(*values[i]);
  }
  bool isPacked(unsigned i) const { return std::holds_alternative<Packed>(*values[i]); }
  Cache &cache(unsigned i) const { return *std::get<std::shared_ptr<Cache>>(*values[i]); }
  int64_t layer(unsigned i) const { return std::get<int64_t>(*values[i]); }
  /// Operand |i| as a vector of floats, or null where |value| (an optional operand) is absent.
  const Vector *vector(mlir::Value value, unsigned i) { return value ? &tensor(i).values : nullptr; }

private:
  Operation *op;
  std::vector<const Value *> values;
  std::vector<std::unique_ptr<Tensor>> unpacked;
  std::vector<std::unique_ptr<Packed>> repacked;
};

template <typename... Values> Results resultsOf(Values &&...values) {
  Results results;
  (results.push_back(std::forward<Values>(values)), ...);
  return results;
}

/// An operator's one result, or its error.
Outcome one(Expected<Tensor> result) {
  if (!result.ok())
    return result.takeError();
  return resultsOf(*std::move(result));
}

} // namespace

RouterOptions routerOptionsOf(RouterOp op) {
  RouterOptions options;
  options.sigmoid = op.getScoring() == Scoring::Sigmoid;
  options.experts = static_cast<int64_t>(op.getExperts());
  options.groups = static_cast<int64_t>(op.getGroups());
  options.kept = static_cast<int64_t>(op.getKept());
  options.groupTop2 = op.getGroupScore() == GroupScore::Top2;
  options.normalise = op.getNormalise();
  options.scale = op.getScale().convertToDouble();
  return options;
}

struct Interpreter::Impl {
  Operation *module;
  WeightSource &weights;
  Options options;
  std::unique_ptr<ThreadPool> pool;
  Context context;

  Impl(Operation *module, WeightSource &weights, Options given)
      : module(module), weights(weights), options(std::move(given)) {
    if (options.threads != 1)
      pool = std::make_unique<ThreadPool>(options.threads);
    context = {options.rung, options.activations, pool.get()};
  }

  //===-- One function per operator -------------------------------------===//

  Outcome run(UseOp op, Operands &operands) {
    auto weight = SymbolTable::lookupNearestSymbolFrom<WeightOp>(op, op.getWeightAttr());
    std::optional<int64_t> layer;
    if (op.getLayer()) {
      layer = operands.layer(0);
      if (*layer < static_cast<int64_t>(*weight.getFirst()) ||
          *layer >= static_cast<int64_t>(*weight.getEnd()))
        return argumentError("weight `" + op.getWeight().str() + "` has no layer " + std::to_string(*layer));
    }
    QUERN_ASSIGN_OR_RETURN(Packed packed, weights.weight(std::string_view(op.getWeight()), layer));
    if (auto scaled = dyn_cast<BlockScaledType>(op.getResult().getType()))
      packed.powerOfTwoScales = scaled.hasPowerOfTwoScales();
    if (Status status = checkValue(packed, op.getResult().getType()); !status.ok())
      return std::move(status).cause("weight `" + op.getWeight().str() + "`");
    return resultsOf(std::move(packed));
  }

  Outcome run(LayerOp op, Operands &operands) {
    return resultsOf(static_cast<int64_t>(op.getOffset()) + (op.getBase() ? operands.layer(0) : 0));
  }

  Outcome run(EmbeddingOp op, Operands &operands) {
    return one(embedding(operands.tensor(0), operands.packed(1), elementTypeOf(op.getResult())));
  }
  Outcome run(GatherRowsOp op, Operands &operands) {
    return one(gatherRows(operands.tensor(0), operands.tensor(1)));
  }
  Outcome run(MaskVocabularyOp op, Operands &operands) {
    return resultsOf(maskVocabulary(operands.tensor(0), static_cast<int64_t>(op.getValid())));
  }
  Outcome run(SampleOp op, Operands &operands) {
    return one(sample(operands.tensor(0), operands.tensor(1), operands.tensor(2), operands.tensor(3)));
  }

  Outcome run(RMSNormOp op, Operands &operands) {
    return resultsOf(rmsNorm(operands.tensor(0), operands.vector(op.getWeight(), 1),
                             op.getEps().convertToDouble(), op.getWeightOffset().convertToDouble()));
  }
  Outcome run(AddRMSNormOp op, Operands &operands) {
    auto [sum, result] =
        addRmsNorm(operands.tensor(0), operands.tensor(1), operands.vector(op.getWeight(), 2),
                   op.getEps().convertToDouble(), op.getWeightOffset().convertToDouble());
    return resultsOf(std::move(sum), std::move(result));
  }
  Outcome run(LayerNormOp op, Operands &operands) {
    return resultsOf(layerNorm(operands.tensor(0), operands.vector(op.getWeight(), 1),
                               operands.vector(op.getBias(), op.getWeight() ? 2 : 1),
                               op.getEps().convertToDouble()));
  }

  Outcome run(LinearOp op, Operands &operands) {
    const Packed &weight = operands.packed(1);
    const Vector *bias = operands.vector(op.getBias(), 2);
    ElementType type = elementTypeOf(op.getResult());
    if (isa<BlockScaledType>(op.getX().getType()))
      return resultsOf(linear(context, operands.packed(0), weight, bias, type));
    return resultsOf(linear(context, operands.tensor(0), weight, bias, type));
  }
  Outcome run(QuantiseOp op, Operands &operands) {
    BlockScaledType type = op.getResult().getType();
    return resultsOf(quantise(operands.tensor(0), float8Of(elementTypeOf(type.getElementType())),
                              type.hasPowerOfTwoScales() ? ScaleFormat::E8M0 : ScaleFormat::F32));
  }

  Outcome run(AddOp op, Operands &operands) { return resultsOf(add(operands.tensor(0), operands.tensor(1))); }
  Outcome run(MulOp op, Operands &operands) { return resultsOf(mul(operands.tensor(0), operands.tensor(1))); }
  Outcome run(ScaleOp op, Operands &operands) {
    return resultsOf(scale(operands.tensor(0), op.getFactor().convertToDouble()));
  }
  Outcome run(SoftcapOp op, Operands &operands) {
    return resultsOf(softcap(operands.tensor(0), op.getCap().convertToDouble()));
  }
  Outcome run(ActivationOp op, Operands &operands) {
    return resultsOf(activation(functionOf(op.getKind()), operands.tensor(0)));
  }
  Outcome run(GatedOp op, Operands &operands) {
    return resultsOf(
        gated(functionOf(op.getKind()), operands.tensor(0), op.getUp() ? &operands.tensor(1) : nullptr));
  }

  Outcome run(SliceOp op, Operands &operands) {
    return resultsOf(
        slice(operands.tensor(0), static_cast<int64_t>(op.getBegin()), static_cast<int64_t>(op.getEnd())));
  }
  Outcome run(ConcatOp op, Operands &operands) {
    std::vector<const Tensor *> inputs;
    for (unsigned i = 0; i < operands.size(); ++i)
      inputs.push_back(&operands.tensor(i));
    for (const Tensor *input : inputs)
      if (input->rows() != inputs[0]->rows())
        return argumentError("concatenation of " + shapeText(inputs[0]->shape) + " and " +
                             shapeText(input->shape));
    return resultsOf(concat(inputs));
  }
  Outcome run(ReshapeOp op, Operands &operands) {
    Tensor result = operands.tensor(0);
    int64_t rows = result.rows();
    auto shape = shapeOf(op.getResult().getType());
    result.shape.assign(shape.begin(), shape.end());
    result.shape[0] = rows;
    return resultsOf(std::move(result));
  }

  Outcome run(RopeOp op, Operands &operands) {
    Vector frequencies(op.getFrequencies().value_begin<float>(), op.getFrequencies().value_end<float>());
    return resultsOf(rope(operands.tensor(0), operands.tensor(1), op.getLayout() == RopeLayout::Interleaved,
                          static_cast<int64_t>(op.getOffset()), op.getMagnitude().convertToDouble(),
                          frequencies));
  }
  Outcome run(CacheAppendOp op, Operands &operands) {
    QUERN_RETURN_IF_ERROR(cacheAppend(operands.cache(0), operands.layer(1), operands.tensor(2),
                                      operands.tensor(3), operands.tensor(4), operands.tensor(5)));
    return resultsOf(operands.at(0));
  }
  Outcome run(AttentionOp op, Operands &operands) {
    AttentionOptions attentionOptions;
    attentionOptions.scale = op.getScale().convertToDouble();
    if (op.getWindow())
      attentionOptions.window = static_cast<int64_t>(*op.getWindow());
    if (op.getSoftcap())
      attentionOptions.softcap = op.getSoftcap()->convertToDouble();
    return one(attention(context, operands.tensor(0), operands.cache(1), operands.layer(2),
                         operands.tensor(3), operands.tensor(4), attentionOptions));
  }
  Outcome run(LatentAttentionOp op, Operands &operands) {
    return one(latentAttention(context, operands.tensor(0), operands.tensor(1), operands.packed(2),
                               operands.cache(3), operands.layer(4), operands.tensor(5), operands.tensor(6),
                               op.getScale().convertToDouble(), op.getForm() == LatentForm::Expanded));
  }

  Outcome run(RouterOp op, Operands &operands) {
    auto [indices, chosen] =
        router(operands.tensor(0), operands.vector(op.getBias(), 1), routerOptionsOf(op));
    return resultsOf(std::move(indices), std::move(chosen));
  }
  Outcome run(ExpertsOp op, Operands &operands) {
    const Tensor *shared = op.getShared() ? &operands.tensor(5) : nullptr;
    Function function = functionOf(op.getKind());
    ElementType type = elementTypeOf(op.getResult());
    if (isa<BlockScaledType>(op.getX().getType()))
      return one(experts(context, function, operands.packed(0), operands.tensor(1), operands.tensor(2),
                         operands.packed(3), operands.packed(4), shared, type));
    return one(experts(context, function, operands.tensor(0), operands.tensor(1), operands.tensor(2),
                       operands.packed(3), operands.packed(4), shared, type));
  }

  Outcome run(RepeatOp op, Operands &operands) {
    Results carried;
    for (unsigned i = 0; i < operands.size(); ++i)
      carried.push_back(operands.at(i));
    for (int64_t layer = op.getFirst(), end = op.getEnd(); layer < end;
         layer += static_cast<int64_t>(op.getStep())) {
      Results arguments = resultsOf(layer);
      arguments.insert(arguments.end(), std::make_move_iterator(carried.begin()),
                       std::make_move_iterator(carried.end()));
      QUERN_ASSIGN_OR_RETURN(carried, runBlock(op.getBody().front(), std::move(arguments)));
    }
    return carried;
  }
  Outcome run(func::CallOp op, Operands &operands) {
    auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(op, op.getCalleeAttr());
    Results arguments;
    for (unsigned i = 0; i < operands.size(); ++i)
      arguments.push_back(operands.at(i));
    return runFunction(callee, std::move(arguments));
  }

  //===-- The walk ------------------------------------------------------===//

  /// Values of enclosing blocks, innermost last.
  std::vector<Environment *> scopes;

  const Value *find(mlir::Value value) const {
    for (auto scope = scopes.rbegin(); scope != scopes.rend(); ++scope)
      if (auto found = (*scope)->find(value.getAsOpaquePointer()); found != (*scope)->end())
        return &found->second;
    return nullptr;
  }

  Outcome dispatch(Operation *op, Operands &operands) {
    return llvm::TypeSwitch<Operation *, Outcome>(op)
        .Case<UseOp, LayerOp, EmbeddingOp, GatherRowsOp, MaskVocabularyOp, SampleOp, RMSNormOp, AddRMSNormOp,
              LayerNormOp, LinearOp, QuantiseOp, AddOp, MulOp, ScaleOp, SoftcapOp, ActivationOp, GatedOp,
              SliceOp, ConcatOp, ReshapeOp, RopeOp, CacheAppendOp, AttentionOp, LatentAttentionOp, RouterOp,
              ExpertsOp, RepeatOp, func::CallOp>([&](auto typed) { return run(typed, operands); })
        .Default([](Operation *other) -> Outcome {
          return Status::error(Exit::Unsupported, "E-ORACLE-OPERATOR",
                               "the oracle cannot run `" + other->getName().getStringRef().str() + "`");
        });
  }

  /// |operands| were checked or made here. The number of rows of operands that share it is checked, because
  /// `?` says nothing: all tensors with a dynamic first dimension agree, but for those that name rows or a
  /// table.
  Outcome runOperator(Operation *op, std::vector<const Value *> operands) {
    if (!isa<GatherRowsOp, RepeatOp, func::CallOp>(op)) {
      std::optional<int64_t> rows;
      for (auto [value, given] : llvm::zip(op->getOperands(), operands)) {
        auto type = dyn_cast<RankedTensorType>(value.getType());
        auto *tensor = std::get_if<Tensor>(given);
        if (!type || !tensor || type.getRank() == 0 || !type.isDynamicDim(0))
          continue;
        if (rows && *rows != tensor->shape[0])
          return argumentError("`" + op->getName().getStringRef().str() + "` is given " +
                               std::to_string(*rows) + " and " + std::to_string(tensor->shape[0]) + " rows");
        rows = tensor->shape[0];
      }
    }
    Operands access(op, operands);
    Outcome results = dispatch(op, access);
    if (results.ok() && options.amend)
      options.amend(op, operands, *results);
    if (results.ok() && options.observer)
      options.observer(op, *results);
    return results;
  }

  /// Runs |op| with operands from the scopes; results go into the innermost.
  Status runInScope(Operation *op) {
    std::vector<const Value *> operands;
    for (mlir::Value operand : op->getOperands()) {
      const Value *found = find(operand);
      if (!found)
        return argumentError("an operand of `" + op->getName().getStringRef().str() + "` has no value");
      operands.push_back(found);
    }
    QUERN_ASSIGN_OR_RETURN(Results results, runOperator(op, std::move(operands)));
    for (auto [result, value] : llvm::zip(op->getResults(), results))
      scopes.back()->insert_or_assign(result.getAsOpaquePointer(), std::move(value));
    return Status::success();
  }

  /// Runs |block| on |arguments|; the results are the terminator's operands.
  Outcome runBlock(Block &block, Results arguments) {
    Environment scope;
    for (auto [argument, value] : llvm::zip(block.getArguments(), arguments))
      scope.emplace(argument.getAsOpaquePointer(), std::move(value));
    scopes.push_back(&scope);
    Status status = Status::success();
    for (Operation &op : block.without_terminator())
      if (status = runInScope(&op); !status.ok())
        break;
    Results results;
    if (status.ok())
      for (mlir::Value value : block.getTerminator()->getOperands())
        results.push_back(*find(value));
    scopes.pop_back();
    if (!status.ok())
      return status;
    return results;
  }

  Outcome runFunction(func::FuncOp function, Results arguments) {
    if (function.isExternal() || !function.getBody().hasOneBlock())
      return Status::error(Exit::Unsupported, "E-ORACLE-OPERATOR",
                           "function `" + function.getSymName().str() + "` is not one block");
    // A function sees nothing of its caller.
    std::vector<Environment *> outer;
    std::swap(outer, scopes);
    Outcome results = runBlock(function.getBody().front(), std::move(arguments));
    std::swap(outer, scopes);
    return results;
  }

  Expected<func::FuncOp> lookup(std::string_view name) {
    auto function =
        dyn_cast_or_null<func::FuncOp>(SymbolTable::lookupSymbolIn(module, llvm::StringRef(name)));
    if (!function)
      return Status::error(Exit::Unexpected, "E-ORACLE-FUNCTION",
                           "the module has no function `" + std::string(name) + "`");
    return function;
  }
};

Interpreter::Interpreter(Operation *module, WeightSource &weights, Options options)
    : impl(std::make_unique<Impl>(module, weights, std::move(options))) {}
Interpreter::~Interpreter() = default;

std::shared_ptr<Cache> Interpreter::makeCache(mlir::Type type) {
  if (auto latent = dyn_cast<LatentCacheType>(type))
    return std::make_shared<Cache>(latent.getLayers(), 1, latent.getLatent(), latent.getRope());
  auto heads = cast<HeadCacheType>(type);
  return std::make_shared<Cache>(heads.getLayers(), heads.getHeads(), heads.getKey(), heads.getValue());
}

Expected<Value> Interpreter::makeCache(std::string_view name) {
  QUERN_ASSIGN_OR_RETURN(func::FuncOp function, impl->lookup(name));
  for (mlir::Type type : function.getArgumentTypes())
    if (isa<LatentCacheType, HeadCacheType>(type))
      return Value(makeCache(type));
  return Status::error(Exit::Unexpected, "E-ORACLE-FUNCTION",
                       "function `" + std::string(name) + "` takes no cache");
}

Expected<std::vector<Value>> Interpreter::call(std::string_view name, std::vector<Value> arguments) {
  QUERN_ASSIGN_OR_RETURN(func::FuncOp function, impl->lookup(name));
  if (arguments.size() != function.getNumArguments())
    return argumentError("function `" + std::string(name) + "` takes " +
                         std::to_string(function.getNumArguments()) + " arguments, got " +
                         std::to_string(arguments.size()));
  for (auto [value, type] : llvm::zip(arguments, function.getArgumentTypes()))
    QUERN_RETURN_IF_ERROR(checkValue(value, type));
  return impl->runFunction(function, std::move(arguments));
}

Expected<std::vector<Value>> Interpreter::evaluate(Operation *op, std::span<const Value> operands) {
  if (operands.size() != op->getNumOperands())
    return argumentError("`" + op->getName().getStringRef().str() + "` takes " +
                         std::to_string(op->getNumOperands()) + " operands, got " +
                         std::to_string(operands.size()));
  std::vector<const Value *> pointers;
  for (auto [value, operand] : llvm::zip(operands, op->getOperands())) {
    QUERN_RETURN_IF_ERROR(checkValue(value, operand.getType()));
    pointers.push_back(&value);
  }
  return impl->runOperator(op, std::move(pointers));
}

Status Interpreter::evaluate(std::span<Operation *const> operators, Environment &environment) {
  impl->scopes.push_back(&environment);
  auto run = [&](auto &self, Operation *op) -> Status {
    for (mlir::Value operand : op->getOperands())
      if (Operation *made = operand.getDefiningOp();
          made && isa<UseOp, LayerOp>(made) && !impl->find(operand))
        QUERN_RETURN_IF_ERROR(self(self, made));
    return impl->runInScope(op);
  };
  Status status = Status::success();
  for (Operation *op : operators)
    if (status = run(run, op); !status.ok())
      break;
  impl->scopes.pop_back();
  return status;
}

Tensor selectRows(const Tensor &x, std::span<const int64_t> indices) {
  Shape shape = x.shape;
  shape[0] = static_cast<int64_t>(indices.size());
  Tensor result = Tensor::zeros(x.type, shape);
  int64_t size = x.rowSize();
  auto copy = [&](const auto &from, auto &to) {
    if (from.empty())
      return;
    for (size_t r = 0; r < indices.size(); ++r)
      std::copy_n(from.begin() + indices[r] * size, size, to.begin() + static_cast<ptrdiff_t>(r) * size);
  };
  copy(x.values, result.values);
  copy(x.integers, result.integers);
  copy(x.longs, result.longs);
  return result;
}

} // namespace quern::model::reference
