//===- GoldenTest.cpp - The oracle against goldens made elsewhere ---------===//
//
// Every tests/dialects/model/golden/NAME.mlir is the graph of the checkpoint tests/models/NAME, whose goldens
// another implementation computed in float32 (tests/models/README.md). The graph runs twice: with f32 in
// place of bf16 for all activations, where only the meaning of the operators is at stake and the logits must
// agree closely; and as it is, with the tolerances of a bf16 model.
//
//===----------------------------------------------------------------------===//
#include "dialects/model/Model.h"
#include "dialects/model/reference/CheckpointWeights.h"
#include "support/Json.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <regex>

using namespace quern;
using namespace quern::model::reference;

namespace {

const std::string kGraphs = std::string(QUERN_SOURCE_DIR) + "/tests/dialects/model/golden";
const std::string kModels = std::string(QUERN_SOURCE_DIR) + "/tests/models";

std::vector<std::string> graphNames() {
  std::vector<std::string> names;
  for (const auto &entry : std::filesystem::directory_iterator(kGraphs))
    if (entry.path().extension() == ".mlir")
      names.push_back(entry.path().stem());
  std::sort(names.begin(), names.end());
  return names;
}

/// |text| with f32 in place of bf16 and of block-scaled fp8: code times scale is exact in f32.
std::string withWideActivations(const std::string &text) {
  std::string wide = std::regex_replace(text, std::regex("xbf16>"), "xf32>");
  wide = std::regex_replace(wide, std::regex("!model.block_scaled<([0-9x]+)xf8E4M3FN, 128x128, f32>"),
                            "tensor<$1xf32>");
  return std::regex_replace(wide, std::regex("element = bf16"), "element = f32");
}

/// A graph on its checkpoint, ready to run.
struct Model {
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::optional<Checkpoint> checkpoint;
  std::optional<CheckpointWeights> weights;
  std::optional<Interpreter> oracle;
  bool hasDraftHead = false;

  /// |change|, where given, may put other bytes in place of a tensor's.
  using Change = std::function<void(const std::string &name, RawTensor &tensor)>;
  Model(const std::string &name, bool wide, Rung rung, Change change = nullptr) {
    mlir::DialectRegistry registry;
    model::registerModelDialect(registry);
    context.appendDialectRegistry(registry);
    auto text = readFile(kGraphs + "/" + name + ".mlir", 1 << 20);
    if (!text.ok())
      return;
    module = mlir::parseSourceString<mlir::ModuleOp>(wide ? withWideActivations(*text) : *text, &context);
    auto opened = Checkpoint::open(kModels + "/" + name);
    if (!module || !opened.ok())
      return;
    hasDraftHead = mlir::SymbolTable::lookupSymbolIn(*module, "mtp") != nullptr;
    checkpoint.emplace(*std::move(opened));
    weights.emplace(*module, [this, change](const std::string &tensorName) -> Expected<RawTensor> {
      QUERN_ASSIGN_OR_RETURN(const Checkpoint::Tensor *found, checkpoint->get(tensorName));
      RawTensor tensor{found->type(), Shape(found->shape().begin(), found->shape().end()), found->bytes()};
      if (change)
        change(tensorName, tensor);
      return tensor;
    });
    oracle.emplace(*module, *weights, Interpreter::Options{.rung = rung});
  }

  /// Runs |function| on one sequence from position |first| on; all rows are asked for.
  std::vector<Value> run(const char *function, const std::vector<int32_t> &tokens, int32_t first, Value cache,
                         const Tensor *hidden = nullptr) {
    std::vector<int32_t> positions(tokens.size()), rows(tokens.size());
    std::iota(positions.begin(), positions.end(), first);
    std::iota(rows.begin(), rows.end(), 0);
    std::vector<Value> arguments{Tensor::ofIntegers(tokens)};
    if (hidden)
      arguments.push_back(*hidden);
    arguments.insert(arguments.end(), {Tensor::ofIntegers(positions),
                                       Tensor::ofIntegers(std::vector<int32_t>(tokens.size(), 0)),
                                       Tensor::ofIntegers(rows), cache});
    auto results = oracle->call(function, std::move(arguments));
    if (!results.ok()) {
      ADD_FAILURE() << results.error().message();
      return {};
    }
    return *std::move(results);
  }
};

struct Case {
  std::string name;
  std::vector<int32_t> prompt, greedy;
  std::vector<double> gaps;
  std::string logits, logitsFp8, draftLogits;
};

std::vector<int32_t> integersOf(const Json *list) {
  std::vector<int32_t> values;
  if (list)
    for (const Json &item : list->items())
      values.push_back(static_cast<int32_t>(item.integer()));
  return values;
}

std::vector<Case> casesOf(const std::string &name) {
  auto document = readJsonFile(kModels + "/" + name + "/golden.json", {});
  if (!document.ok())
    return {};
  std::vector<Case> cases;
  auto text = [](const Json &object, const char *key) {
    const Json *found = object.find(key);
    return found ? found->string() : std::string();
  };
  for (const Json &entry : document->value().find("cases")->items()) {
    Case one;
    one.name = text(entry, "name");
    one.prompt = integersOf(entry.find("prompt"));
    one.greedy = integersOf(entry.find("greedy"));
    one.logits = text(entry, "logits");
    one.logitsFp8 = text(entry, "logits_fp8");
    one.draftLogits = text(entry, "mtp_logits");
    for (const Json &gap : entry.find("greedy_gaps")->items())
      one.gaps.push_back(gap.number());
    cases.push_back(std::move(one));
  }
  return cases;
}

class GoldenTest : public testing::TestWithParam<std::string> {
protected:
  void SetUp() override {
    cases = casesOf(GetParam());
    ASSERT_FALSE(cases.empty());
    auto file = SafetensorsFile::open(kModels + "/" + GetParam() + "/golden.safetensors");
    ASSERT_TRUE(file.ok()) << file.error().message();
    golden.emplace(*std::move(file));
  }

  std::vector<float> goldenOf(const std::string &name) const {
    const StoredTensor *stored = golden->find(name);
    EXPECT_TRUE(stored) << name;
    std::vector<float> values(stored ? stored->size / 4 : 0);
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = loadLittle<float>(golden->bytes(*stored).data() + 4 * i);
    return values;
  }

  std::vector<Case> cases;
  std::optional<SafetensorsFile> golden;
};

double logProbability(const float *row, size_t n, size_t token) {
  double most = *std::max_element(row, row + n), total = 0;
  for (size_t i = 0; i < n; ++i)
    total += std::exp(row[i] - most);
  return row[token] - most - std::log(total);
}

/// What model-spec's rules for a whole model measure.
struct Comparison {
  double largestDifference = 0;  ///< of a logit
  double largestLogprobDrop = 0; ///< |change| of the golden top-1's log-probability
  int wrongArgmax = 0;           ///< where the golden's gap is above the given bound
  int smallestOverlap = 5;       ///< of the two top-5 sets
};

Comparison compare(const std::vector<float> &got, const std::vector<float> &expected, size_t columns,
                   double gap) {
  Comparison result;
  EXPECT_EQ(got.size(), expected.size());
  auto top5 = [&](const float *row) {
    std::vector<size_t> order(columns);
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(), order.begin() + 5, order.end(),
                      [&](size_t a, size_t b) { return row[a] > row[b]; });
    order.resize(5);
    return order;
  };
  for (size_t at = 0; at + columns <= std::min(got.size(), expected.size()); at += columns) {
    const float *a = got.data() + at, *b = expected.data() + at;
    for (size_t i = 0; i < columns; ++i)
      result.largestDifference =
          std::max(result.largestDifference, std::abs(static_cast<double>(a[i]) - b[i]));
    auto ours = top5(a), theirs = top5(b);
    result.largestLogprobDrop =
        std::max(result.largestLogprobDrop,
                 std::abs(logProbability(a, columns, theirs[0]) - logProbability(b, columns, theirs[0])));
    result.wrongArgmax += b[theirs[0]] - b[theirs[1]] > gap && ours[0] != theirs[0];
    int overlap = 0;
    for (size_t token : ours)
      overlap += std::count(theirs.begin(), theirs.end(), token) != 0;
    result.smallestOverlap = std::min(result.smallestOverlap, overlap);
  }
  return result;
}

std::ostream &operator<<(std::ostream &out, const Comparison &c) {
  return out << "largest logit difference " << c.largestDifference << ", log-probability "
             << c.largestLogprobDrop << ", wrong argmax " << c.wrongArgmax << ", top-5 overlap "
             << c.smallestOverlap;
}

TEST_P(GoldenTest, MeansTheSameInFloat) {
  Model model(GetParam(), /*wide=*/true, Rung::Bf16);
  ASSERT_TRUE(model.oracle);
  for (const Case &one : cases) {
    auto cache = model.oracle->makeCache("step");
    ASSERT_TRUE(cache.ok());
    auto results = model.run("step", one.prompt, 0, *cache);
    ASSERT_FALSE(results.empty());
    const Tensor &logits = std::get<Tensor>(results[0]);
    Comparison c = compare(logits.values, goldenOf(one.logits), static_cast<size_t>(logits.lastDim()), 0.05);
    std::cout << GetParam() << " " << one.name << " f32: " << c << "\n";
    EXPECT_LT(c.largestDifference, 1e-4) << one.name;
    EXPECT_EQ(c.wrongArgmax, 0) << one.name;
    if (one.draftLogits.empty())
      continue;
    // Row i of the draft head sees the token at i + 1 and the main model's state at i.
    std::vector<int32_t> next(one.prompt.begin() + 1, one.prompt.end());
    Tensor hidden = std::get<Tensor>(results[1]);
    hidden = selectRows(hidden, std::vector<int64_t>([&] {
                          std::vector<int64_t> rows(next.size());
                          std::iota(rows.begin(), rows.end(), 0);
                          return rows;
                        }()));
    auto drafts = model.run("mtp", next, 0, results[2], &hidden);
    ASSERT_FALSE(drafts.empty());
    const Tensor &draftLogits = std::get<Tensor>(drafts[0]);
    c = compare(draftLogits.values, goldenOf(one.draftLogits), static_cast<size_t>(draftLogits.lastDim()),
                0.05);
    std::cout << GetParam() << " " << one.name << " draft f32: " << c << "\n";
    EXPECT_LT(c.largestDifference, 1e-4) << one.name;
    EXPECT_EQ(c.wrongArgmax, 0) << one.name;
  }
}

TEST_P(GoldenTest, StaysWithinTheToleranceOfItsTypes) {
  Model model(GetParam(), /*wide=*/false, Rung::Fp8);
  ASSERT_TRUE(model.oracle);
  constexpr double bound = 0.05, bound8 = 0.15;
  for (const Case &one : cases) {
    bool fp8 = !one.logitsFp8.empty();
    auto cache = model.oracle->makeCache("step");
    ASSERT_TRUE(cache.ok());
    auto results = model.run("step", one.prompt, 0, *cache);
    ASSERT_FALSE(results.empty());
    const Tensor &logits = std::get<Tensor>(results[0]);
    size_t columns = static_cast<size_t>(logits.lastDim());
    Comparison c = compare(logits.values, goldenOf(one.logits), columns, fp8 ? 0.3 : 0.1);
    std::cout << GetParam() << " " << one.name << ": " << c << "\n";
    EXPECT_LE(c.largestLogprobDrop, fp8 ? bound8 : bound) << one.name;
    EXPECT_EQ(c.wrongArgmax, 0) << one.name;
    EXPECT_GE(c.smallestOverlap, 4) << one.name;
    if (!fp8)
      continue;
    // The goldens of the rung round where the operators round: what is left is the order of sums, which now and then
    // moves a bf16 by its last bit, and then some fp8 code to its neighbour.
    c = compare(logits.values, goldenOf(one.logitsFp8), columns, 0.3);
    std::cout << GetParam() << " " << one.name << " same rung: " << c << "\n";
    EXPECT_LE(c.largestLogprobDrop, bound8) << one.name;
    EXPECT_EQ(c.wrongArgmax, 0) << one.name;
  }
}

TEST_P(GoldenTest, ContinuesStepByStep) {
  Model model(GetParam(), /*wide=*/true, Rung::Bf16);
  ASSERT_TRUE(model.oracle);
  for (const Case &one : cases) {
    auto cache = model.oracle->makeCache("step");
    ASSERT_TRUE(cache.ok());
    auto results = model.run("step", one.prompt, 0, *cache);
    ASSERT_FALSE(results.empty());
    int32_t position = static_cast<int32_t>(one.prompt.size());
    // The golden's tokens are fed, whatever the oracle would have chosen.
    for (size_t i = 0; i < one.greedy.size(); ++i) {
      const Tensor &logits = std::get<Tensor>(results[0]);
      auto last = logits.values.end() - logits.lastDim();
      int32_t best = static_cast<int32_t>(std::max_element(last, logits.values.end()) - last);
      if (one.gaps[i] > 0.1) {
        ASSERT_EQ(best, one.greedy[i]) << one.name << " step " << i;
      }
      results = model.run("step", {one.greedy[i]}, position++, results.back());
      ASSERT_FALSE(results.empty());
    }
  }
}

TEST_P(GoldenTest, LongPromptInChunks) {
  const std::string folder = kModels + "/" + GetParam();
  if (!std::filesystem::exists(folder + "/golden_long.json"))
    return; // this checkpoint has no long prompt
  auto document = readJsonFile(folder + "/golden_long.json", {});
  auto file = SafetensorsFile::open(folder + "/golden_long.safetensors");
  ASSERT_TRUE(document.ok() && file.ok());
  golden.emplace(*std::move(file));
  const Json &entry = document->value().find("cases")->items()[0];
  std::vector<int32_t> prompt = integersOf(entry.find("prompt"));
  std::vector<float> expected = goldenOf(entry.find("logits_last")->string());
  ASSERT_EQ(prompt.size(), 5000u);
  Model model(GetParam(), /*wide=*/true, Rung::Bf16);
  ASSERT_TRUE(model.oracle);
  Value cache = *model.oracle->makeCache("step");
  std::vector<Value> results;
  for (size_t at = 0; at < prompt.size(); at += 512) {
    std::vector<int32_t> chunk(prompt.begin() + at, prompt.begin() + std::min(prompt.size(), at + 512));
    results = model.run("step", chunk, static_cast<int32_t>(at), cache);
    ASSERT_FALSE(results.empty());
    cache = results.back();
  }
  const Tensor &logits = std::get<Tensor>(results[0]);
  std::vector<float> last(logits.values.end() - static_cast<ptrdiff_t>(expected.size()), logits.values.end());
  Comparison c = compare(last, expected, static_cast<size_t>(logits.lastDim()), 0.05);
  std::cout << GetParam() << " t5000 f32: " << c << "\n";
  EXPECT_LT(c.largestDifference, 1e-3);
  EXPECT_EQ(c.wrongArgmax, 0);
}

TEST_P(GoldenTest, PrefillEqualsStepByStep) {
  for (Rung rung : {Rung::Fp8, Rung::Bf16}) {
    Model model(GetParam(), /*wide=*/false, rung);
    ASSERT_TRUE(model.oracle);
    const std::vector<int32_t> &prompt = cases.back().prompt;
    auto whole = model.run("step", prompt, 0, *model.oracle->makeCache("step"));
    ASSERT_FALSE(whole.empty());
    const Tensor &all = std::get<Tensor>(whole[0]);
    Value cache = *model.oracle->makeCache("step");
    for (size_t t = 0; t < prompt.size(); ++t) {
      auto one = model.run("step", {prompt[t]}, static_cast<int32_t>(t), cache);
      ASSERT_FALSE(one.empty());
      const Tensor &row = std::get<Tensor>(one[0]);
      ASSERT_TRUE(std::equal(row.values.begin(), row.values.end(),
                             all.values.begin() + static_cast<ptrdiff_t>(t) * all.lastDim()))
          << "position " << t;
      cache = one.back();
    }
  }
}

/// Whether the logits of |model| differ from the goldens' at any position of any prompt.
bool differs(Model &model, const std::vector<Case> &cases,
             const std::function<std::vector<float>(const std::string &)> &goldenOf) {
  auto far = [](const Value &logits, const std::vector<float> &expected) {
    const std::vector<float> &values = std::get<Tensor>(logits).values;
    for (size_t i = 0; i < expected.size(); ++i)
      if (!(std::abs(values[i] - expected[i]) < 1e-3))
        return true;
    return false;
  };
  for (const Case &one : cases) {
    auto results = model.run("step", one.prompt, 0, *model.oracle->makeCache("step"));
    if (results.empty() || far(results[0], goldenOf(one.logits)))
      return true;
    if (one.draftLogits.empty())
      continue;
    std::vector<int32_t> next(one.prompt.begin() + 1, one.prompt.end());
    std::vector<int64_t> rows(next.size());
    std::iota(rows.begin(), rows.end(), 0);
    Tensor hidden = selectRows(std::get<Tensor>(results[1]), rows);
    auto drafts = model.run("mtp", next, 0, results[2], &hidden);
    if (drafts.empty() || far(drafts[0], goldenOf(one.draftLogits)))
      return true;
  }
  return false;
}

TEST_P(GoldenTest, EveryTensorMatters) {
  auto golden = [&](const std::string &name) { return goldenOf(name); };
  std::map<std::string, RawTensor> used;
  Model plain(GetParam(), true, Rung::Bf16,
              [&](const std::string &name, RawTensor &tensor) { used[name] = tensor; });
  ASSERT_TRUE(plain.oracle);
  ASSERT_FALSE(differs(plain, cases, golden));
  ASSERT_GT(used.size(), 10u);
  for (const auto &[name, tensor] : used) {
    size_t width = elementBits(tensor.type) / 8;
    std::string zeros(tensor.bytes.size(), '\0'), turned;
    for (size_t at = tensor.bytes.size(); at > 0; at -= width)
      turned += asText(tensor.bytes.subspan(at - width, width));
    for (const std::string &bytes : {zeros, turned}) {
      if (asText(tensor.bytes) == bytes)
        continue; // one element, turned around
      Model changed(GetParam(), true, Rung::Bf16, [&](const std::string &which, RawTensor &in) {
        if (which == name)
          in.bytes = asBytes(bytes);
      });
      EXPECT_TRUE(differs(changed, cases, golden)) << name << (bytes == zeros ? " zeroed" : " turned around");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Graphs, GoldenTest, testing::ValuesIn(graphNames()),
                         [](const auto &info) { return info.param; });

} // namespace
