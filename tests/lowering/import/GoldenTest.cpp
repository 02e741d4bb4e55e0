//===- GoldenTest.cpp - The oracle on every imported checkpoint, against goldens ---===//
//
// Each checkpoint of tests/models is imported, interpreted, and its logits compared with those of the
// reference implementation that made the goldens: once in f32, where only the meaning counts and both must
// agree closely, and on each rung with the bounds of whole models. A checkpoint that is added there is tested
// without a change here.
//
//===----------------------------------------------------------------------===//
#include "Oracle.h"

#include "support/ScratchDirectory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

using namespace quern;
using namespace quern::testing;
using model::reference::RawTensor;
using model::reference::Rung;
using Value = model::reference::Value;

namespace {

struct Bound {
  double logProbability, gap;
};
constexpr Bound kBf16 = {0.05, 0.1}, kFp8 = {0.15, 0.3};
/// Of a logit, where both sides compute in f32.
constexpr double kWide = 1e-4;

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
  std::vector<GoldenCase> cases(const std::string &file = "golden") const {
    Expected<std::vector<GoldenCase>> read = readGoldens(directory(), file);
    EXPECT_TRUE(read.ok()) << read.error().message();
    return read.ok() ? *std::move(read) : std::vector<GoldenCase>();
  }
  std::unique_ptr<Oracle> open(OracleOptions options = {}) const {
    Expected<std::unique_ptr<Oracle>> oracle = Oracle::open(directory(), std::move(options));
    EXPECT_TRUE(oracle.ok()) << oracle.error().message();
    return oracle.ok() ? *std::move(oracle) : nullptr;
  }
};

/// The largest change of a logit, over all cases of a checkpoint and its prediction layer. Stops at |enough|.
double wideDistance(Oracle &oracle, const std::vector<GoldenCase> &cases, double enough = INFINITY) {
  double distance = 0;
  auto add = [&](const Logits &reference, const Expected<Logits> &got) {
    EXPECT_TRUE(got.ok()) << got.error().message();
    if (got.ok() && got->rows == reference.rows)
      distance = std::max(distance, compare(reference, *got, 0).logit);
    else
      distance = INFINITY;
  };
  for (const GoldenCase &golden : cases) {
    Expected<Value> cache = oracle.makeCache();
    add(golden.logits, oracle.step(golden.prompt, 0, *cache));
    if (!golden.mtpLogits.empty() && distance <= enough)
      add(golden.mtpLogits, oracle.predict(golden.prompt, *cache));
    if (!(distance <= enough))
      break;
  }
  return distance;
}

TEST_P(Golden, MeansTheSameInF32) {
  std::unique_ptr<Oracle> oracle = open({.wide = true, .change = {}});
  ASSERT_TRUE(oracle);
  double distance = wideDistance(*oracle, cases());
  std::cout << "  logits within " << distance << "\n";
  EXPECT_LE(distance, kWide);
}

TEST_P(Golden, LogitsAtEveryPosition) {
  std::unique_ptr<Oracle> oracle = open();
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
  std::unique_ptr<Oracle> oracle = open({.rung = Rung::Fp8, .change = {}});
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
  // The reference's own tokens are fed, so that one close call does not decide all that follows. In f32,
  // where a router chooses as the reference's does.
  std::unique_ptr<Oracle> oracle = open({.wide = true, .change = {}});
  ASSERT_TRUE(oracle);
  for (const GoldenCase &golden : cases()) {
    Expected<Value> cache = oracle->makeCache();
    ASSERT_TRUE(cache.ok());
    Expected<Logits> got = oracle->step(golden.prompt, 0, *cache);
    for (size_t i = 0; i < golden.greedy.size(); ++i) {
      ASSERT_TRUE(got.ok()) << got.error().message();
      if (golden.greedyGaps[i] > 0.01) {
        ASSERT_EQ(argmax(got->row(got->rows - 1)), golden.greedy[i]) << golden.name << " token " << i;
      }
      got = oracle->step({golden.greedy[i]}, static_cast<int32_t>(golden.prompt.size() + i), *cache);
    }
  }
}

TEST_P(Golden, EveryTensorMatters) {
  // A golden that does not notice a damaged tensor tests nothing of it.
  std::map<std::string, RawTensor> used;
  std::unique_ptr<Oracle> whole =
      open({.wide = true,
            .change = [&](const std::string &name, RawTensor &tensor) { used.emplace(name, tensor); }});
  ASSERT_TRUE(whole);
  std::vector<GoldenCase> all = cases();
  ASSERT_LE(wideDistance(*whole, all), kWide);
  ASSERT_GT(used.size(), 10u);
  for (const auto &[name, tensor] : used) {
    size_t width = elementBits(tensor.type) / 8;
    std::string zeros(tensor.bytes.size(), '\0'), reversed;
    for (size_t at = tensor.bytes.size(); at > 0; at -= width)
      reversed += asText(tensor.bytes.subspan(at - width, width));
    for (const std::string *bytes : {&zeros, &reversed}) {
      if (asText(tensor.bytes) == *bytes)
        continue; // a single element stands where it stood
      std::unique_ptr<Oracle> damaged =
          open({.wide = true, .change = [&](const std::string &which, RawTensor &read) {
                  if (which == name)
                    read.bytes = asBytes(*bytes);
                }});
      ASSERT_TRUE(damaged);
      EXPECT_GT(wideDistance(*damaged, all, kWide), kWide)
          << name << (bytes == &zeros ? " zeroed" : " reversed");
    }
  }
}

/// |config| with the member |outer| (or |outer|.|inner|) replaced.
Json withEntry(const Json &config, const std::string &outer, const std::string &inner, const Json &value) {
  Json changed = config;
  if (inner.empty()) {
    changed.set(outer, value);
  } else {
    Json object = *config.find(outer);
    object.set(inner, value);
    changed.set(outer, object);
  }
  return changed;
}

/// Another value of the same kind, far enough to be seen; nothing for kinds that are not changed.
std::optional<Json> another(const Json &value) {
  if (value.isBool())
    return Json(!value.boolean());
  if (value.isString())
    return Json("nonsense");
  if (value.isInt())
    return Json(2 * value.integer() + 1);
  if (value.isNumber())
    return Json(value.number() * (value.number() < 1e-3 ? 1000 : 1.37));
  return std::nullopt;
}

TEST_P(Golden, EveryConfigurationEntryMatters) {
  // Each entry, changed alone, changes the logits, is refused, or is one that says nothing about the forward
  // pass.
  std::set<std::string> harmless = {
      "bos_token_id", "eos_token_id",         "pad_token_id",           "torch_dtype",
      "dtype",        "transformers_version", "max_position_embeddings"};
  Expected<JsonDocument> idle =
      readJsonFile(std::string(QUERN_SOURCE_DIR) + "/tests/lowering/import/idle_entries.json");
  ASSERT_TRUE(idle.ok()) << idle.error().message();
  if (const Json *entries = idle->value().find(GetParam()))
    for (const Json::Member &member : entries->members())
      harmless.insert(member.key);
  Expected<JsonDocument> document = import::readConfigFile(directory());
  ASSERT_TRUE(document.ok());
  const Json &config = document->value();
  ScratchDirectory scratch;
  for (const auto &entry : std::filesystem::directory_iterator(directory()))
    if (entry.path().filename().string().starts_with("model"))
      std::filesystem::create_symlink(entry.path(), scratch / entry.path().filename().string());
  std::vector<GoldenCase> all = cases();
  auto matters = [&](const Json &changed) {
    std::ofstream(scratch / "config.json") << writeJson(changed);
    Expected<std::unique_ptr<Oracle>> oracle = Oracle::open(scratch.path(), {.wide = true, .change = {}});
    return !oracle.ok() || wideDistance(**oracle, all, kWide) > kWide;
  };
  ASSERT_FALSE(matters(config));
  Expected<import::ImportedModel> model = import::readModel(directory());
  ASSERT_TRUE(model.ok());
  std::string notes;
  for (const std::string &note : model->config().notes)
    notes += note + "\n";
  for (const Json::Member &member : config.members()) {
    if (harmless.contains(member.key) || notes.find("`" + member.key + "`") != std::string::npos)
      continue;
    std::vector<std::pair<std::string, Json>> entries = {{"", member.value}};
    if (member.value.isObject()) {
      entries.clear();
      for (const Json::Member &inner : member.value.members())
        entries.emplace_back(inner.key, inner.value);
    }
    for (const auto &[inner, value] : entries)
      if (std::optional<Json> other = another(value); other && !harmless.contains(inner))
        EXPECT_TRUE(matters(withEntry(config, member.key, inner, *other))) << member.key << " " << inner;
  }
}

class LongGolden : public Golden {};

TEST_P(LongGolden, APromptInChunks) {
  std::unique_ptr<Oracle> oracle = open();
  ASSERT_TRUE(oracle);
  for (const GoldenCase &golden : cases("golden_long")) {
    constexpr size_t chunk = 768;
    Expected<Value> cache = oracle->makeCache();
    ASSERT_TRUE(cache.ok());
    Expected<Logits> got = Logits();
    for (size_t at = 0; at < golden.prompt.size(); at += chunk) {
      std::vector<int32_t> part(golden.prompt.begin() + at,
                                golden.prompt.begin() + std::min(at + chunk, golden.prompt.size()));
      got = oracle->step(part, static_cast<int32_t>(at), *cache);
      ASSERT_TRUE(got.ok()) << got.error().message();
    }
    int64_t rows = golden.logits.rows;
    ASSERT_GE(got->rows, rows);
    Logits last{rows, got->columns, {got->values.end() - rows * got->columns, got->values.end()}};
    expectWithin(golden.logits, last, kBf16, golden.name);
  }
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, Golden, ::testing::ValuesIn(goldenModels()),
                         [](const auto &info) { return info.param; });
INSTANTIATE_TEST_SUITE_P(Checkpoints, LongGolden, ::testing::ValuesIn(goldenModels("golden_long")),
                         [](const auto &info) { return info.param; });

} // namespace
