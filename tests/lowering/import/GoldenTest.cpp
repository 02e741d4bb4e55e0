//===- GoldenTest.cpp - The oracle on every imported checkpoint, against goldens ---===//
//
// Each checkpoint of tests/models is imported, interpreted, and its logits compared with those of the
// reference implementation that made the goldens. A checkpoint that is added there is tested without a change
// here.
//
//===----------------------------------------------------------------------===//
#include "Golden.h"
#include "RouterMargin.h"

#include "dialects/model/reference/CheckpointWeights.h"
#include "lowering/import/Import.h"

#include "mlir/IR/MLIRContext.h"

#include <gtest/gtest.h>

#include <numeric>

using namespace quern;
using namespace quern::testing;
using model::reference::CheckpointWeights;
using model::reference::Interpreter;
using model::reference::Rung;
using model::reference::Tensor;
using Value = model::reference::Value;

namespace {

/// An imported checkpoint and its oracle.
class Oracle {
public:
  static Expected<std::unique_ptr<Oracle>> open(const std::string &directory, Rung rung) {
    auto oracle = std::make_unique<Oracle>();
    QUERN_ASSIGN_OR_RETURN(import::ImportedModel read, import::readModel(directory));
    oracle->imported.emplace(std::move(read));
    QUERN_RETURN_IF_ERROR(oracle->imported->census().status());
    QUERN_ASSIGN_OR_RETURN(oracle->module, import::buildModule(*oracle->imported, oracle->context));
    mlir::Operation *module = *oracle->module;
    oracle->weights = std::make_unique<CheckpointWeights>(module, *oracle->imported->checkpoint());
    Interpreter::Options options;
    options.rung = rung;
    options.threads = 2;
    options.observer = [margin = &oracle->margin](mlir::Operation *op, std::span<const Value> results) {
      margin->observe(op, results);
    };
    oracle->interpreter = std::make_unique<Interpreter>(module, *oracle->weights, options);
    return oracle;
  }

  bool isQuantised() const { return imported->config().quantisation.fp8; }
  int64_t vocabulary() const { return imported->config().vocabulary; }
  bool hasPrediction() const { return imported->config().predictionLayers > 0; }
  Expected<Value> makeCache() { return interpreter->makeCache("step"); }
  /// For each row of the last call, how near its routers were to another choice.
  const std::vector<double> &margins() const { return lastMargins; }

  /// Logits of every token of |tokens|, which stand at |first| and after. `hidden` has them before the head.
  Expected<Logits> step(const std::vector<int32_t> &tokens, int32_t first, Value &cache) {
    QUERN_ASSIGN_OR_RETURN(
        std::vector<Value> results,
        interpreter->call("step", {Tensor::ofIntegers(tokens), positions(tokens.size(), first),
                                   sequences(tokens.size()), positions(tokens.size(), 0), cache}));
    cache = results.back();
    lastMargins = margin.take();
    if (results.size() == 3)
      hidden = std::get<Tensor>(results[1]);
    return logitsOf(results[0]);
  }

  /// Logits of the prediction layer: row i has token i + 1 of |tokens| and the hidden state of token i.
  Expected<Logits> predict(const std::vector<int32_t> &tokens, Value &cache) {
    std::vector<int32_t> next(tokens.begin() + 1, tokens.end());
    Tensor states = hidden;
    states.shape[0] = static_cast<int64_t>(next.size());
    states.values.resize(next.size() * static_cast<size_t>(hidden.rowSize()));
    QUERN_ASSIGN_OR_RETURN(
        std::vector<Value> results,
        interpreter->call("mtp", {Tensor::ofIntegers(next), states, positions(next.size(), 0),
                                  sequences(next.size()), positions(next.size(), 0), cache}));
    lastMargins = margin.take();
    return logitsOf(results[0]);
  }

private:
  static Value positions(size_t count, int32_t first) {
    std::vector<int32_t> values(count);
    std::iota(values.begin(), values.end(), first);
    return Tensor::ofIntegers(std::move(values));
  }
  static Value sequences(size_t count) { return Tensor::ofIntegers(std::vector<int32_t>(count, 0)); }
  static Logits logitsOf(const Value &value) {
    const Tensor &tensor = std::get<Tensor>(value);
    return {tensor.shape[0], tensor.shape[1], tensor.values};
  }

  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};
  std::optional<import::ImportedModel> imported;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::unique_ptr<CheckpointWeights> weights;
  std::unique_ptr<Interpreter> interpreter;
  RouterMargin margin;
  std::vector<double> lastMargins;
  Tensor hidden;
};

struct Bound {
  double logProbability, gap;
};
constexpr Bound kBf16 = {0.05, 0.1}, kFp8 = {0.15, 0.3};

/// The rows of |logits| whose router margin is not below |least|.
Logits settledRows(const Logits &logits, const std::vector<double> &margins, double least) {
  Logits kept{0, logits.columns, {}};
  for (int64_t i = 0; i < logits.rows; ++i)
    if (margins.empty() || margins[static_cast<size_t>(i)] >= least) {
      kept.values.insert(kept.values.end(), logits.row(i).begin(), logits.row(i).end());
      ++kept.rows;
    }
  return kept;
}

void expectWithin(const Logits &reference, const Logits &got, Bound bound, const std::string &what) {
  ASSERT_EQ(reference.rows, got.rows) << what;
  ASSERT_EQ(reference.columns, got.columns) << what;
  Distance distance = compare(reference, got, bound.gap);
  std::cout << "  " << what << ": top-1 log-probability within " << distance.logProbability << ", mean KL "
            << distance.meanKl << ", " << distance.close << " of " << reference.rows << " rows close\n";
  EXPECT_LE(distance.logProbability, bound.logProbability) << what;
  EXPECT_EQ(distance.flips, 0) << what;
  EXPECT_GE(distance.fewestShared, 4) << what;
}

class Golden : public ::testing::TestWithParam<std::string> {
protected:
  std::string directory() const { return modelDirectory(GetParam()); }
  std::vector<GoldenCase> cases() const {
    Expected<std::vector<GoldenCase>> read = readGoldens(directory());
    EXPECT_TRUE(read.ok()) << read.error().message();
    return read.ok() ? *std::move(read) : std::vector<GoldenCase>();
  }
  std::unique_ptr<Oracle> open(Rung rung) const {
    Expected<std::unique_ptr<Oracle>> oracle = Oracle::open(directory(), rung);
    EXPECT_TRUE(oracle.ok()) << oracle.error().message();
    return oracle.ok() ? *std::move(oracle) : nullptr;
  }
};

TEST_P(Golden, LogitsAtEveryPosition) {
  std::unique_ptr<Oracle> oracle = open(Rung::Bf16);
  ASSERT_TRUE(oracle);
  int64_t close = 0, rows = 0;
  for (const GoldenCase &golden : cases()) {
    Expected<Value> cache = oracle->makeCache();
    ASSERT_TRUE(cache.ok());
    Expected<Logits> got = oracle->step(golden.prompt, 0, *cache);
    ASSERT_TRUE(got.ok()) << got.error().message();
    expectWithin(golden.logits, *got, kBf16, golden.name);
    close += compare(golden.logits, *got, kBf16.gap).close;
    rows += golden.logits.rows;
    if (golden.mtpLogits.empty())
      continue;
    Expected<Logits> predicted = oracle->predict(golden.prompt, *cache);
    ASSERT_TRUE(predicted.ok()) << predicted.error().message();
    // Prompts are searched so that the main layers' routers keep a margin; the prediction layer's may not. A
    // flip there stays in its row, because the layer's cache is filled before its router.
    constexpr double least = 0.01;
    Logits reference = settledRows(golden.mtpLogits, oracle->margins(), least);
    EXPECT_GE(reference.rows * 10, golden.mtpLogits.rows * 9) << "too many rows near another routing";
    expectWithin(reference, settledRows(*predicted, oracle->margins(), least), kBf16,
                 golden.name + " prediction");
  }
  // Goldens must bite: most rows have a first choice that stands out.
  EXPECT_LE(close * 5, rows);
}

TEST_P(Golden, LogitsOfTheFp8Rung) {
  std::unique_ptr<Oracle> oracle = open(Rung::Fp8);
  ASSERT_TRUE(oracle);
  if (!oracle->isQuantised())
    return;
  for (const GoldenCase &golden : cases()) {
    Expected<Value> cache = oracle->makeCache();
    ASSERT_TRUE(cache.ok());
    Expected<Logits> got = oracle->step(golden.prompt, 0, *cache);
    ASSERT_TRUE(got.ok()) << got.error().message();
    expectWithin(golden.logits, *got, kFp8, golden.name + " against bf16 activations");
    if (!golden.logitsFp8.empty())
      expectWithin(golden.logitsFp8, *got, kFp8, golden.name + " against fp8 activations");
  }
}

TEST_P(Golden, GreedyTokensStepByStep) {
  // The reference's own tokens are fed, so that one close call does not decide all that follows.
  std::unique_ptr<Oracle> oracle = open(Rung::Bf16);
  ASSERT_TRUE(oracle);
  GoldenCase golden = cases().at(1);
  Expected<Value> cache = oracle->makeCache();
  ASSERT_TRUE(cache.ok());
  Expected<Logits> got = oracle->step(golden.prompt, 0, *cache);
  int close = 0;
  for (size_t i = 0; i < golden.greedy.size(); ++i) {
    ASSERT_TRUE(got.ok()) << got.error().message();
    if (golden.greedyGaps[i] > kBf16.gap)
      EXPECT_EQ(argmax(got->row(got->rows - 1)), golden.greedy[i]) << "token " << i;
    else
      ++close;
    got = oracle->step({golden.greedy[i]}, static_cast<int32_t>(golden.prompt.size() + i), *cache);
  }
  std::cout << "  " << close << " of " << golden.greedy.size() << " tokens close\n";
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, Golden, ::testing::ValuesIn(goldenModels()),
                         [](const auto &info) { return info.param; });

} // namespace
