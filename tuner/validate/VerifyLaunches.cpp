//===- VerifyLaunches.cpp - Compares the launches of one step -------------===//
#include "dialects/model/Model.h"
#include "tuner/validate/LaunchCheck.h"
#include "tuner/validate/Routing.h"
#include "tuner/validate/RowSample.h"

#include <bit>
#include <cmath>

using namespace mlir;
using namespace quern::runtime;
using namespace quern::model::reference;
using quern::lowering::ValuePlace;
using OracleValue = quern::model::reference::Value;

namespace quern::validate {

/// Largest difference of a result (model-spec: kernels on the same inputs): rounding to bf16 alone
/// costs 1.4e-6.
static constexpr double bf16Limit = 5e-6, f32Limit = 1e-9;
/// How far logits may be from where a router's choice is right. It reads the very logits that the oracle
/// reads: what is left is the rounding of fp32 scores, some 1e-7, and the error of a device's exponential.
static constexpr double routingLimit = 1e-5;

double difference(std::span<const float> x, std::span<const float> y) {
  double xy = 0, xx = 0, yy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    if (std::isinf(x[i]) && x[i] == y[i])
      continue; // masked alike
    if (!std::isfinite(x[i]) || !std::isfinite(y[i]))
      return 2;
    xy += double(x[i]) * y[i];
    xx += double(x[i]) * x[i];
    yy += double(y[i]) * y[i];
  }
  return xx + yy == 0 ? 0 : 1 - 2 * xy / (xx + yy);
}

LaunchCheck::LaunchCheck(ModuleOp module, const lowering::LoweredModel &lowered, const Plan &plan,
                         Interpreter &oracle, Executor &executor, double sampleAbove, VerifyReport &report)
    : lowered(lowered), plan(plan), oracle(oracle), executor(executor), sampleAbove(sampleAbove),
      report(report) {
  module->walk<WalkOrder::PreOrder>([&](Operation *op) { operators.push_back(op); });
}

void LaunchCheck::beginStep(const std::string &entry, std::vector<int32_t> tokens,
                            std::vector<int32_t> positions, std::vector<int32_t> rows) {
  this->entry = entry;
  routers = 0;
  inputs["sequences"] = std::vector<int32_t>(tokens.size(), 0);
  inputs["tokens"] = std::move(tokens);
  inputs["positions"] = std::move(positions);
  inputs["rows"] = std::move(rows);
  current = nullptr;
}

KernelVerdict &LaunchCheck::verdict(int32_t kernel) {
  auto [it, fresh] = verdicts.try_emplace(kernel, report.kernels.size());
  if (fresh) {
    report.kernels.emplace_back();
    report.kernels.back().kernel = plan.kernels[size_t(kernel)].symbol;
  }
  return report.kernels[it->second];
}

static float widen(ElementType type, const std::byte *at) {
  if (type == ElementType::F32) {
    float value;
    std::memcpy(&value, at, 4);
    return value;
  }
  uint16_t bits;
  std::memcpy(&bits, at, 2);
  return std::bit_cast<float>(uint32_t(bits) << 16);
}

Expected<std::optional<Tensor>> LaunchCheck::read(const ValuePlace &place, mlir::Value value,
                                                  const ObservedLaunch &launch) {
  const int64_t count = int64_t(place.rows == Symbol::R ? inputs["rows"].size() : inputs["tokens"].size());
  Shape shape(llvm::cast<RankedTensorType>(value.getType()).getShape());
  shape[0] = count;
  if (auto given = inputs.find(place.name);
      place.kind == LaunchArgument::Kind::Input && given != inputs.end())
    return std::optional(Tensor::ofIntegers(given->second));
  if (place.element != "bf16" && place.element != "f32" && place.element != "i32")
    return std::optional<Tensor>();
  for (size_t a = 0; a < launch.arguments.size(); ++a) {
    const LaunchArgument &argument = launch.launch.arguments[a];
    if (argument.kind != place.kind || argument.name != place.name)
      continue;
    const uint64_t base = launch.arguments[a].bits - uint64_t(argument.offset);
    const uint64_t size = place.element == "bf16" ? 2 : 4;
    const ElementType type = place.element == "bf16"  ? ElementType::BF16
                             : place.element == "f32" ? ElementType::F32
                                                      : ElementType::I32;
    Tensor tensor;
    tensor.type = type;
    tensor.shape = shape;
    const uint64_t span = uint64_t((place.heads - 1) * place.headStride + place.columns);
    std::vector<std::byte> bytes(span * size);
    for (int64_t row = 0; row < count; ++row) {
      QUERN_RETURN_IF_ERROR(
          executor.read(base + uint64_t(place.offset + row * place.rowStride) * size, bytes));
      for (int64_t head = 0; head < place.heads; ++head)
        for (int64_t column = 0; column < place.columns; ++column) {
          const std::byte *at = bytes.data() + uint64_t(head * place.headStride + column) * size;
          if (type == ElementType::I32) {
            int32_t integer;
            std::memcpy(&integer, at, 4);
            tensor.integers.push_back(integer);
          } else {
            tensor.values.push_back(widen(type, at));
          }
        }
    }
    return std::optional(std::move(tensor));
  }
  return std::optional<Tensor>();
}

Status LaunchCheck::copyOperands(const ObservedLaunch &launch) {
  for (mlir::Value operand : current->getOperands()) {
    const void *key = operand.getAsOpaquePointer();
    if (operands.count(key))
      continue;
    if (llvm::isa<IndexType>(operand.getType())) {
      if (!operand.getDefiningOp())
        operands[key] = layer;
      continue;
    }
    if (llvm::isa<model::LatentCacheType, model::HeadCacheType>(operand.getType())) {
      if (!cache)
        cache = Interpreter::makeCache(operand.getType());
      operands[key] = cache;
      continue;
    }
    // Weights: the oracle asks for the layer on its way to them.
    if (Operation *made = operand.getDefiningOp(); made && llvm::isa<model::UseOp>(made)) {
      for (mlir::Value index : made->getOperands())
        if (llvm::isa<IndexType>(index.getType()) && !index.getDefiningOp())
          operands[index.getAsOpaquePointer()] = layer;
      continue;
    }
    auto place = lowered.places.find(key);
    if (place == lowered.places.end() || !llvm::isa<RankedTensorType>(operand.getType()))
      continue;
    QUERN_ASSIGN_OR_RETURN(std::optional<Tensor> tensor, read(place->second, operand, launch));
    if (tensor)
      operands[key] = std::move(*tensor);
  }
  return Status::success();
}

Status LaunchCheck::copyResults(const ObservedLaunch &launch) {
  for (mlir::Value result : current->getResults()) {
    auto place = lowered.places.find(result.getAsOpaquePointer());
    if (place == lowered.places.end() || !llvm::isa<RankedTensorType>(result.getType()))
      continue;
    QUERN_ASSIGN_OR_RETURN(std::optional<Tensor> tensor, read(place->second, result, launch));
    if (tensor)
      results[result.getAsOpaquePointer()] = std::move(*tensor);
  }
  return Status::success();
}

Status LaunchCheck::checkCacheRows(const ObservedLaunch &launch) {
  auto append = llvm::cast<model::CacheAppendOp>(current);
  const bool latent = llvm::isa<model::LatentCacheType>(append.getCache().getType());
  uint64_t memory = 0, table = 0, pageBytes = 0;
  bool keys = false;
  for (size_t a = 0; a < launch.arguments.size(); ++a) {
    const LaunchArgument &argument = launch.launch.arguments[a];
    if (argument.kind == LaunchArgument::Kind::Input && argument.name == "block_table")
      table = launch.arguments[a].bits;
    if (argument.kind != LaunchArgument::Kind::Cache)
      continue;
    memory = launch.arguments[a].bits;
    keys = latent ? argument.offset == 0 : argument.name == "keys";
    for (const CachePart &part : plan.cache.parts)
      if (part.name == argument.name)
        pageBytes = part.pageBytes;
  }
  mlir::Value operand = keys ? append.getKeys() : append.getValues();
  auto found = operands.find(operand.getAsOpaquePointer());
  if (memory == 0 || table == 0 || pageBytes == 0 || found == operands.end())
    return Status::success();
  const Tensor &rows = std::get<Tensor>(found->second);
  const uint64_t size = rows.type == ElementType::F32 ? 4 : 2, width = uint64_t(rows.lastDim());
  const uint64_t heads = uint64_t(rows.rowSize()) / width;
  const uint64_t slotBytes = latent ? pageBytes / pageTokens : width * size,
                 headBytes = slotBytes * pageTokens;
  KernelVerdict &one = verdict(launch.launch.kernel);
  std::vector<std::byte> bytes(width * size);
  uint64_t wrong = 0;
  for (int64_t t = 0; t < rows.rows(); ++t) {
    const uint64_t position = uint64_t(inputs["positions"][size_t(t)]);
    int32_t page = 0;
    QUERN_RETURN_IF_ERROR(
        executor.read(table + position / pageTokens * 4, std::as_writable_bytes(std::span(&page, 1))));
    for (uint64_t head = 0; head < heads; ++head) {
      QUERN_RETURN_IF_ERROR(executor.read(
          memory + uint64_t(page) * pageBytes + position % pageTokens * slotBytes + head * headBytes, bytes));
      for (uint64_t column = 0; column < width; ++column)
        wrong += widen(rows.type, bytes.data() + column * size) !=
                 rows.values[(uint64_t(t) * heads + head) * width + column];
    }
  }
  ++report.compared;
  ++one.compared;
  one.operators = "cache_append";
  if (wrong != 0) {
    ++one.failed;
    one.worst = 1;
    if (one.failure.empty())
      one.failure = "operator " + std::to_string(launch.launch.origin.front()) + ", `cache_append`, layer " +
                    std::to_string(layer) + ": " + std::to_string(wrong) +
                    " elements of the cache are not those appended";
  }
  return Status::success();
}

Status LaunchCheck::observe(const ObservedLaunch &launch) {
  Operation *op = launch.launch.origin.empty() ? nullptr : operators[size_t(launch.launch.origin.front())];
  if (!launch.done) {
    if (op != current || launch.layer != layer) {
      QUERN_RETURN_IF_ERROR(compare());
      current = op;
      layer = launch.layer;
    }
    verdict(launch.launch.kernel);
    launches.push_back(&launch.launch);
    return current ? copyOperands(launch) : Status::success();
  }
  if (current && llvm::isa<model::CacheAppendOp>(current))
    return checkCacheRows(launch);
  return current ? copyResults(launch) : Status::success();
}

Status LaunchCheck::endStep() { return compare(); }

/// Text of the first element that differs most, or nothing where all is well.
static std::string fault(const Tensor &want, const Tensor &have, double limit, double &worst) {
  char text[160];
  if (want.type == ElementType::I32) {
    for (size_t i = 0; i < want.integers.size(); ++i)
      if (want.integers[i] != have.integers[i]) {
        worst = 1;
        std::snprintf(text, sizeof text, "element %zu is %d in place of %d", i, have.integers[i],
                      want.integers[i]);
        return text;
      }
    return "";
  }
  worst = difference(want.values, have.values);
  if (worst <= limit)
    return "";
  size_t at = 0;
  double most = -1;
  for (size_t i = 0; i < want.values.size(); ++i)
    if (double off = std::fabs(double(want.values[i]) - have.values[i]); off > most || std::isnan(off)) {
      at = i;
      most = off;
      if (std::isnan(off))
        break;
    }
  std::snprintf(text, sizeof text, "difference %.3g above %.3g, element %zu is %.6g in place of %.6g", worst,
                limit, at, double(have.values[at]), double(want.values[at]));
  return text;
}

std::vector<int64_t> LaunchCheck::sample(Operation *op, Environment &environment, Environment &have) {
  auto isRows = [](mlir::Value value) {
    auto type = llvm::dyn_cast<RankedTensorType>(value.getType());
    return type && type.getRank() > 0 && type.isDynamicDim(0);
  };
  mlir::Value result = op->getResult(0);
  auto computed = have.find(result.getAsOpaquePointer());
  if (op->getNumResults() != 1 || computed == have.end())
    return {};
  const std::vector<int32_t> &positions = inputs["positions"];
  int64_t seen = 1 + *std::max_element(positions.begin(), positions.end());
  int64_t rows = std::get<Tensor>(computed->second).rows();
  std::vector<int64_t> indices = sampledRows(rows, flopsPerRow(op, seen), sampleAbove);
  if (int64_t(indices.size()) == rows)
    return {};
  for (mlir::Value operand : op->getOperands())
    if (auto *tensor =
            isRows(operand) ? std::get_if<Tensor>(&environment.at(operand.getAsOpaquePointer())) : nullptr;
        tensor && tensor->rows() == rows)
      *tensor = selectRows(*tensor, indices);
  Tensor &own = std::get<Tensor>(computed->second);
  own = selectRows(own, indices);
  return indices;
}

void LaunchCheck::judgeRouting(model::RouterOp op, Environment &want, const Environment &have) {
  auto at = [](const auto &environment, mlir::Value value) -> auto & {
    return std::get<Tensor>(environment.at(value.getAsOpaquePointer()));
  };
  if (!have.count(op.getIndices().getAsOpaquePointer()))
    return;
  const Tensor &logits = at(want, op.getLogits()), &chosen = at(have, op.getIndices());
  std::vector<std::vector<int32_t>> &own = routed[entry];
  if (own.size() <= routers)
    own.emplace_back();
  own[routers].insert(own[routers].end(), chosen.integers.begin(), chosen.integers.end());
  ++routers;

  Tensor right = at(want, op.getIndices());
  if (right.integers == chosen.integers)
    return;
  const RouterOptions options = routerOptionsOf(op);
  Vector bias;
  if (op.getBias())
    bias = std::get<Packed>(want.at(op.getBias().getAsOpaquePointer())).unpack(ElementType::F32).values;
  report.tied +=
      adoptChoice(logits, op.getBias() ? &bias : nullptr, options, chosen.integers, routingLimit, right)
          .adopted;
  Tensor weights = routerWeights(logits, right, options);
  want[op.getIndices().getAsOpaquePointer()] = std::move(right);
  want[op.getWeights().getAsOpaquePointer()] = std::move(weights);
}

Status LaunchCheck::compare() {
  Operation *op = std::exchange(current, nullptr);
  std::vector<const Launch *> own = std::exchange(launches, {});
  Environment environment = std::exchange(operands, {}), have = std::exchange(results, {});
  if (own.empty())
    return Status::success();
  // Copies for repeats and returns, and what reads rows in a form that is not copied.
  bool known = op && op->getNumRegions() == 0 && op->getNumResults() > 0;
  for (unsigned i = 0; known && i < op->getNumOperands(); ++i) {
    mlir::Value operand = op->getOperand(i);
    Operation *made = operand.getDefiningOp();
    known = environment.count(operand.getAsOpaquePointer()) ||
            (made && llvm::isa<model::UseOp, model::LayerOp>(made));
  }
  if (!known) {
    report.unchecked += own.size();
    return Status::success();
  }
  bool sampled = !sample(op, environment, have).empty();
  Operation *list[] = {op};
  if (Status status = oracle.evaluate(list, environment); !status.ok()) {
    // What a kernel has left may be no input at all, as an expert that there is not.
    bool explained = std::any_of(report.kernels.begin(), report.kernels.end(),
                                 [](const KernelVerdict &kernel) { return kernel.failed != 0; });
    report.unchecked += own.size();
    return explained ? Status::success() : std::move(status);
  }
  if (auto router = llvm::dyn_cast<model::RouterOp>(op))
    judgeRouting(router, environment, have);
  std::string name = op->getName().stripDialect().str();
  for (mlir::Value result : op->getResults()) {
    auto found = have.find(result.getAsOpaquePointer());
    const auto *want = std::get_if<Tensor>(&environment.at(result.getAsOpaquePointer()));
    if (!want || found == have.end())
      continue;
    const Tensor &tensor = std::get<Tensor>(found->second);
    double worst = 0;
    std::string text = fault(*want, tensor, want->type == ElementType::F32 ? f32Limit : bf16Limit, worst);
    ++report.compared;
    report.sampled += sampled;
    for (const Launch *launch : own) {
      KernelVerdict &one = verdict(launch->kernel);
      ++one.compared;
      one.worst = std::max(one.worst, worst);
      if (one.operators.find(name) == std::string::npos)
        one.operators += (one.operators.empty() ? "" : ", ") + name;
      if (text.empty())
        continue;
      ++one.failed;
      if (one.failure.empty())
        one.failure = "operator " + std::to_string(launch->origin.front()) + ", `" + name + "` (" +
                      launch->note + "), layer " + std::to_string(layer) + ": " + text;
    }
  }
  return Status::success();
}

} // namespace quern::validate
