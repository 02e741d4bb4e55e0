//===- Oracle.cpp - An imported checkpoint and its interpreter ----------------===//
#include "Oracle.h"

#include "mlir/Parser/Parser.h"

#include <numeric>
#include <regex>

using namespace quern;
using namespace quern::testing;
using namespace quern::model::reference;
using Value = quern::model::reference::Value;

namespace {

/// The module with f32 in place of bf16 and of block-scaled fp8 (a code times its scale is exact in f32).
mlir::OwningOpRef<mlir::ModuleOp> widened(mlir::ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream);
  text = std::regex_replace(text, std::regex("xbf16>"), "xf32>");
  text = std::regex_replace(text, std::regex("!model.block_scaled<([0-9x]+)xf8E4M3FN, 128x128, f32>"),
                            "tensor<$1xf32>");
  text = std::regex_replace(text, std::regex("element = bf16"), "element = f32");
  return mlir::parseSourceString<mlir::ModuleOp>(text, module.getContext());
}

Value counting(size_t count, int32_t first) {
  std::vector<int32_t> values(count);
  std::iota(values.begin(), values.end(), first);
  return Tensor::ofIntegers(std::move(values));
}

Value zeros(size_t count) { return Tensor::ofIntegers(std::vector<int32_t>(count, 0)); }

Logits logitsOf(const Value &value) {
  const Tensor &tensor = std::get<Tensor>(value);
  return {tensor.shape[0], tensor.shape[1], tensor.values};
}

} // namespace

Expected<std::unique_ptr<Oracle>> Oracle::open(const std::string &directory, OracleOptions options) {
  auto oracle = std::make_unique<Oracle>();
  QUERN_ASSIGN_OR_RETURN(import::ImportedModel read, import::readModel(directory));
  oracle->imported.emplace(std::move(read));
  QUERN_RETURN_IF_ERROR(oracle->imported->census().status());
  QUERN_ASSIGN_OR_RETURN(oracle->module, import::buildModule(*oracle->imported, oracle->context));
  if (options.wide)
    oracle->module = widened(*oracle->module);
  if (!oracle->module)
    return Status::error(Exit::Unexpected, "E-TEST", "the widened module does not parse");
  mlir::Operation *module = *oracle->module;
  const Checkpoint *checkpoint = oracle->imported->checkpoint();
  oracle->weights = std::make_unique<CheckpointWeights>(
      module, [checkpoint, change = options.change](const std::string &name) -> Expected<RawTensor> {
        QUERN_ASSIGN_OR_RETURN(const Checkpoint::Tensor *found, checkpoint->get(name));
        RawTensor tensor{found->type(), Shape(found->shape().begin(), found->shape().end()), found->bytes()};
        if (change)
          change(name, tensor);
        return tensor;
      });
  Interpreter::Options settings;
  settings.rung = options.rung;
  settings.threads = 2;
  settings.observer = [margin = &oracle->margin](mlir::Operation *op, std::span<const Value> results) {
    margin->observe(op, results);
  };
  oracle->interpreter = std::make_unique<Interpreter>(module, *oracle->weights, settings);
  return oracle;
}

Expected<Logits> Oracle::step(const std::vector<int32_t> &tokens, int32_t first, Value &cache) {
  size_t count = tokens.size();
  QUERN_ASSIGN_OR_RETURN(std::vector<Value> results,
                         interpreter->call("step", {Tensor::ofIntegers(tokens), counting(count, first),
                                                    zeros(count), counting(count, 0), cache}));
  cache = results.back();
  lastMargins = margin.take();
  if (results.size() == 3)
    hidden = std::get<Tensor>(results[1]);
  return logitsOf(results[0]);
}

Expected<Logits> Oracle::predict(const std::vector<int32_t> &tokens, Value &cache) {
  std::vector<int32_t> next(tokens.begin() + 1, tokens.end());
  size_t count = next.size();
  Tensor states = hidden;
  states.shape[0] = static_cast<int64_t>(count);
  states.values.resize(count * static_cast<size_t>(hidden.rowSize()));
  QUERN_ASSIGN_OR_RETURN(std::vector<Value> results,
                         interpreter->call("mtp", {Tensor::ofIntegers(next), states, counting(count, 0),
                                                   zeros(count), counting(count, 0), cache}));
  lastMargins = margin.take();
  return logitsOf(results[0]);
}
