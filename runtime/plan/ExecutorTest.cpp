//===- ExecutorTest.cpp - A hand-written plan on kernels in C ---------------===//
#include "runtime/plan/Executor.h"

#include "runtime/Devices.h"
#include "runtime/artifact/ArtifactWriter.h"
#include "runtime/plan/RotationTables.h"
#include "runtime/plan/WorkLayout.h"
#include "support/ScratchDirectory.h"

#include <cmath>
#include <functional>
#include <gtest/gtest.h>
#include <random>

using namespace quern;
using namespace quern::runtime;
using Arg = LaunchArgument::Kind;

namespace {

//===-- Work memory -------------------------------------------------------===//

SymbolValues limits(int64_t t) {
  SymbolValues values;
  values[Symbol::T] = t;
  values[Symbol::R] = 3;
  return values;
}

TEST(WorkLayoutTest, LiveBuffersDoNotOverlap) {
  for (uint64_t seed = 1; seed < 40; ++seed) {
    std::mt19937_64 random(seed);
    PlanEntry entry;
    for (size_t i = 0; i < 30; ++i) {
      WorkBuffer buffer;
      buffer.name = std::to_string(i);
      buffer.bytes.coefficient[size_t(Symbol::T)] = int64_t(random() % 700);
      buffer.bytes.constant = int64_t(random() % 500);
      buffer.first = int32_t(random() % 20);
      buffer.last = buffer.first + int32_t(random() % 6);
      entry.work.push_back(buffer);
    }
    SymbolValues values = limits(int64_t(1 + random() % 90));
    WorkLayout layout = layOutWork(entry, values);
    uint64_t most = 0, sum = 0;
    for (int32_t launch = 0; launch < 26; ++launch) {
      uint64_t live = 0;
      for (const WorkBuffer &b : entry.work)
        if (b.first <= launch && launch <= b.last)
          live += uint64_t(b.bytes.evaluate(values));
      most = std::max(most, live);
    }
    for (size_t i = 0; i < entry.work.size(); ++i) {
      const WorkBuffer &a = entry.work[i];
      uint64_t size = uint64_t(a.bytes.evaluate(values));
      sum += (size + 511) / 256 * 256;
      EXPECT_EQ(layout.offsets[i] % 256, 0u);
      EXPECT_LE(layout.offsets[i] + size, layout.bytes);
      for (size_t j = 0; j < i; ++j) {
        const WorkBuffer &b = entry.work[j];
        bool together = a.first <= b.last && b.first <= a.last;
        bool apart = layout.offsets[i] + size <= layout.offsets[j] ||
                     layout.offsets[j] + uint64_t(b.bytes.evaluate(values)) <= layout.offsets[i];
        EXPECT_TRUE(!together || apart || size == 0 || b.bytes.evaluate(values) == 0) << seed;
      }
    }
    EXPECT_GE(layout.bytes, most);
    EXPECT_LT(layout.bytes, sum / 2) << "memory is used again";
  }
}

TEST(RotationTableTest, FollowsItsDefinition) {
  RotationTable table{"r", {1.0f, 0.3f, 0.01f}, 1.5};
  std::vector<float> values = makeRotationTable(table, 100);
  ASSERT_EQ(values.size() * 4, rotationTableBytes(table, 100));
  for (size_t p = 0; p < 100; ++p)
    for (size_t f = 0; f < 3; ++f) {
      float angle = float(p) * table.frequencies[f];
      EXPECT_EQ(values[(p * 3 + f) * 2], float(1.5 * std::cos(double(angle))));
      EXPECT_EQ(values[(p * 3 + f) * 2 + 1], float(1.5 * std::sin(double(angle))));
    }
}

//===-- Execution ---------------------------------------------------------===//

LaunchArgument argument(Arg kind, std::string name = {}, LayerIndex layer = {}, int64_t offset = 0) {
  LaunchArgument result;
  result.kind = kind;
  result.name = std::move(name);
  result.layer = layer;
  result.offset = offset;
  return result;
}
LaunchArgument size(const char *text) {
  LaunchArgument result = argument(Arg::Scalar);
  result.size = *SizeExpression::parse(text);
  return result;
}
LaunchArgument real(double value) {
  LaunchArgument result = argument(Arg::Scalar);
  result.scalar = ScalarKind::F32;
  result.real = value;
  return result;
}
PlanStep step(Launch launch) {
  PlanStep result;
  result.launch = std::move(launch);
  return result;
}

constexpr int64_t kLayers = 3;

/// Embeds, runs three layers that each add what the sequence cached, and takes two logits.
Plan tinyPlan() {
  Plan plan;
  plan.target = "cpu:x86-64-v3";
  plan.rung = "bf16";
  plan.vocabulary = plan.validVocabulary = 2;
  plan.contextLimit = 300;
  plan.maxTokens = 16;
  Recipe read;
  read.name = "w.{layer}";
  plan.tensors = {{"w", "F32", {1}, {{0, kLayers}}, read}};
  plan.tables = {{"r", {1.0f, 0.5f}, 2.0}};
  plan.cache.layers = kLayers;
  plan.cache.parts = {{"sums", 64 * 4}};
  plan.kernels = {
      {"embed", "embed{}", "kernels/k.so", {"pointer", "pointer", "pointer", "i32"}, {{3, 0, 1}}},
      {"layer",
       "layer{}",
       "kernels/k.so",
       {"pointer", "pointer", "pointer", "pointer", "pointer", "pointer", "pointer", "i32", "i32", "i32"},
       {}},
      {"head",
       "head{}",
       "kernels/k.so",
       {"pointer", "pointer", "pointer", "pointer", "pointer", "i32", "f32"},
       {{5, 0, 2}, {-1, 1, 1}},
       1,
       64}};
  // A block of `head` is one row: the grid of steps of 2 would leave rows out.
  plan.kernels[2].grid[0].step = 1;
  PlanEntry entry;
  entry.name = "step";
  entry.work = {{"x", *SizeExpression::parse("4*T"), 0, 2}, {"y", *SizeExpression::parse("4*T+256"), 1, 2}};
  auto layerLaunch = [](const char *from, const char *to, int64_t toOffset, int64_t fromOffset,
                        LayerIndex layer) {
    return Launch{1,
                  {argument(Arg::Work, from, {}, fromOffset), argument(Arg::Tensor, "w", layer),
                   argument(Arg::Input, "positions"), argument(Arg::Input, "sequences"),
                   argument(Arg::Input, "block_table"), argument(Arg::Cache, "sums", layer),
                   argument(Arg::Work, to, {}, toOffset), size("T"), size("M"), size("P")},
                  {},
                  "layer"};
  };
  entry.steps.push_back(step({0,
                              {argument(Arg::Input, "tokens"), argument(Arg::Input, "positions"),
                               argument(Arg::Work, "x"), size("T")},
                              {},
                              "embed"}));
  PlanStep repeat;
  repeat.repeat = std::make_unique<Repeat>();
  repeat.repeat->end = kLayers;
  repeat.repeat->steps.push_back(step(layerLaunch("x", "x", 0, 0, {true, 0})));
  entry.steps.push_back(std::move(repeat));
  entry.steps.push_back(
      step({2,
            {argument(Arg::Work, "x"), argument(Arg::Input, "rows"), argument(Arg::Input, "positions"),
             argument(Arg::Table, "r"), argument(Arg::Output, "logits"), size("R"), real(0.5)},
            {},
            "head"}));
  plan.entries.push_back(std::move(entry));
  return plan;
}

class ExecutorTest : public ::testing::Test {
protected:
  void SetUp() override {
    auto opened = openDevice("cpu", {.threads = 2});
    ASSERT_TRUE(opened.ok());
    device = *std::move(opened);
    plan = tinyPlan();
  }

  Status open(ExecutorLimits limits = {.tokens = 16, .rows = 4, .sequences = 3, .context = 200}) {
    QUERN_RETURN_IF_ERROR(checkPlan(plan));
    QUERN_ASSIGN_OR_RETURN(ArtifactWriter writer, ArtifactWriter::create(directory / "a.quern"));
    for (int l = 0; l < kLayers; ++l) {
      float w = 10.0f * float(l + 1);
      QUERN_RETURN_IF_ERROR(writer.addWeight({"w." + std::to_string(l), ElementType::F32, {1}},
                                             std::as_bytes(std::span(&w, 1))));
    }
    QUERN_ASSIGN_OR_RETURN(std::string code, readFile(QUERN_TEST_KERNELS, 1 << 20));
    QUERN_RETURN_IF_ERROR(writer.addMember("kernels/k.so", code));
    Manifest manifest;
    manifest.model = "tiny";
    manifest.modelHash = manifest.fingerprint = sha256("x").hex();
    manifest.weights = "embed";
    QUERN_RETURN_IF_ERROR(writer.finish(manifest));
    QUERN_ASSIGN_OR_RETURN(Artifact artifact, Artifact::open(directory / "a.quern"));
    ThreadPool pool(1);
    QUERN_ASSIGN_OR_RETURN(
        PreparedWeights prepared,
        PreparedWeights::prepare(plan, artifact, *device, {.pool = &pool, .progress = {}}));
    weights.emplace(std::move(prepared));
    QUERN_ASSIGN_OR_RETURN(KvCache made, KvCache::create(*device, plan.cache,
                                                         {.sequences = int32_t(limits.sequences),
                                                          .positions = limits.context,
                                                          .poison = true}));
    cache.emplace(std::move(made));
    limits.poison = true;
    QUERN_ASSIGN_OR_RETURN(executor, Executor::create(plan, artifact, *device, *weights, *cache, limits));
    return Status::success();
  }

  ScratchDirectory directory;
  std::unique_ptr<Device> device;
  Plan plan;
  std::optional<PreparedWeights> weights;
  std::optional<KvCache> cache;
  std::unique_ptr<Executor> executor;
};

/// The same, written down directly.
class Model {
public:
  void token(int sequence, int position, int token, float logits[2]) {
    float x = 1000.0f * float(token) + float(position);
    for (int l = 0; l < kLayers; ++l) {
      std::vector<float> &own = cached[{sequence, l}];
      own.resize(size_t(position));
      own.push_back(x + 10.0f * float(l + 1));
      x = 0;
      for (float value : own)
        x += value;
    }
    for (int v = 0; v < 2; ++v) {
      float angle = float(position) * (v ? 0.5f : 1.0f);
      logits[v] = x * 0.5f + float(2.0 * std::cos(double(angle)));
    }
  }

private:
  std::map<std::pair<int, int>, std::vector<float>> cached;
};

TEST_F(ExecutorTest, RunsStepsOfSeveralSequences) {
  Status opened = open();
  ASSERT_TRUE(opened.ok()) << opened.message();
  EXPECT_EQ(executor->launches("step", 7), size_t(2 + kLayers));
  std::vector<int32_t> slots = {*cache->openSlot(), *cache->openSlot(), *cache->openSlot()};
  std::vector<int> lengths(3);
  Model model;
  std::mt19937_64 random(4);
  for (int round = 0; round < 40; ++round) {
    std::vector<int32_t> tokens, positions, sequences, rows;
    std::vector<float> want;
    size_t count = 1 + random() % 16;
    for (size_t i = 0; i < count; ++i) {
      size_t s = random() % 3;
      int token = int(random() % 5);
      float logits[2];
      model.token(int(s), lengths[s], token, logits);
      tokens.push_back(token);
      positions.push_back(lengths[s]++);
      sequences.push_back(slots[s]);
      if (rows.size() < 4 && random() % 2) {
        rows.push_back(int32_t(i));
        want.insert(want.end(), logits, logits + 2);
      }
    }
    for (size_t s = 0; s < 3; ++s)
      ASSERT_TRUE(cache->reserve(slots[s], lengths[s]).ok());
    std::vector<float> got(want.size(), -1.0f);
    Status status = executor->run("step", {tokens, positions, sequences, rows}, got);
    ASSERT_TRUE(status.ok()) << status.message();
    ASSERT_EQ(got, want) << "round " << round;
  }
  EXPECT_GT(lengths[0], 64) << "a sequence must have passed a page";
}

TEST_F(ExecutorTest, ObserversSeeLaunches) {
  ASSERT_TRUE(open().ok());
  int32_t slot = *cache->openSlot();
  ASSERT_TRUE(cache->reserve(slot, 2).ok());
  std::vector<std::string> seen;
  executor->observe([&](const ObservedLaunch &launch) -> Status {
    float first = 0;
    if (launch.launch.note == "layer")
      QUERN_RETURN_IF_ERROR(
          executor->read(launch.arguments[0].bits, std::as_writable_bytes(std::span(&first, 1))));
    seen.push_back(launch.launch.note + std::to_string(launch.layer) + (launch.done ? "+" : "-") +
                   std::to_string(int(first)));
    return Status::success();
  });
  std::vector<int32_t> tokens = {2}, positions = {0}, sequences = {slot};
  ASSERT_TRUE(executor->run("step", {tokens, positions, sequences, {}}, {}).ok());
  std::vector<std::string> want = {"embed0-0",    "embed0+0",    "layer0-2000", "layer0+2010",
                                   "layer1-2010", "layer1+2030", "layer2-2030", "layer2+2060"};
  EXPECT_EQ(seen, want) << "no rows: the head has no blocks";
  float value;
  EXPECT_EQ(executor->read(1, std::as_writable_bytes(std::span(&value, 1))).id(), "E-BUFFER-RANGE");
  executor->observe(
      [](const ObservedLaunch &) { return Status::error(Exit::NumericCheckFailed, "E-X", "no"); });
  EXPECT_EQ(executor->run("step", {tokens, positions, sequences, {}}, {}).id(), "E-X");
}

/// From six tokens on, the layers run with weights that are not theirs: what ran shows in the logits.
TEST_F(ExecutorTest, RunsOneAlternative) {
  auto choose = [&] {
    plan = tinyPlan();
    PlanStep &inner = plan.entries[0].steps[1].repeat->steps[0];
    Launch few = *inner.launch, many = *inner.launch;
    few.note = "few";
    many.note = "many";
    many.arguments[1].layer = {false, 0};
    inner.launch.reset();
    inner.choice = std::make_unique<Choice>();
    inner.choice->alternatives.push_back({0, {few}});
    inner.choice->alternatives.push_back({6, {many}});
    for (WorkBuffer &buffer : plan.entries[0].work)
      ++buffer.last;
  };
  for (bool invariant : {false, true}) {
    choose();
    Status opened =
        open({.tokens = 16, .rows = 4, .sequences = 3, .context = 200, .batchInvariant = invariant});
    ASSERT_TRUE(opened.ok()) << opened.message();
    int32_t slot = *cache->openSlot();
    for (int count : {1, 5, 6, 16}) {
      EXPECT_EQ(executor->launches("step", count), size_t(2 + kLayers));
      const bool many = invariant || count >= 6;
      std::vector<std::string> seen;
      executor->observe([&](const ObservedLaunch &launch) -> Status {
        if (!launch.done)
          seen.push_back(launch.launch.note);
        return Status::success();
      });
      ASSERT_TRUE(cache->reserve(slot, count).ok());
      std::vector<int32_t> tokens(static_cast<size_t>(count), 3), positions(tokens.size()),
          sequences(tokens.size(), slot), rows = {0};
      for (int i = 0; i < count; ++i)
        positions[size_t(i)] = i;
      std::vector<float> got(2);
      Status status = executor->run("step", {tokens, positions, sequences, rows}, got);
      ASSERT_TRUE(status.ok()) << status.message();
      // Token 3 at position 0: layer l adds 10 * (l + 1), or 10 each time.
      EXPECT_EQ(got[0], (3000.0f + (many ? 30.0f : 60.0f)) * 0.5f + 2.0f) << count << " tokens";
      std::string name = many ? "many" : "few";
      EXPECT_EQ(seen, (std::vector<std::string>{"embed", name, name, name, "head"}));
    }
  }
}

TEST_F(ExecutorTest, RefusesStepsBeyondItsLimits) {
  ASSERT_TRUE(open({.tokens = 2, .rows = 1, .sequences = 1, .context = 64}).ok());
  std::vector<int32_t> three(3), one(1);
  std::vector<float> logits(2);
  EXPECT_EQ(executor->run("step", {three, three, three, {}}, {}).id(), "E-STEP-INPUTS");
  EXPECT_EQ(executor->run("step", {one, three, one, {}}, {}).id(), "E-STEP-INPUTS");
  EXPECT_EQ(executor->run("step", {one, one, one, one}, {}).id(), "E-STEP-INPUTS");
  EXPECT_EQ(executor->run("other", {one, one, one, one}, logits).id(), "E-STEP-INPUTS");
}

TEST_F(ExecutorTest, RefusesPlansThatCannotRun) {
  auto fault = [&](const std::function<void(Plan &)> &change) {
    plan = tinyPlan();
    change(plan);
    Status status = open();
    return status.ok() ? "accepted" : status.id() + " " + std::to_string(int(status.exit()));
  };
  EXPECT_EQ(fault([](Plan &) {}), "accepted");
  EXPECT_EQ(fault([](Plan &p) { p.kernels[0].symbol = "nothing"; }), "E-KERNEL-MISSING 3");
  EXPECT_EQ(fault([](Plan &p) { p.kernels[0].member = "kernels/other.so"; }), "E-ARTIFACT-MEMBER-MISSING 3");
  EXPECT_EQ(fault([](Plan &p) { p.entries[0].steps[0].launch->arguments[2].offset = 8; }),
            "E-PLAN-ALIGNMENT 3");
  EXPECT_EQ(fault([](Plan &p) { p.entries[0].steps[0].launch->arguments[3] = size("200000000*T"); }),
            "E-PLAN-SIZE 3");
}

TEST_F(ExecutorTest, CountsItsMemory) {
  uint64_t before = device->counters().bytesAllocated;
  ExecutorLimits limits{.tokens = 16, .rows = 4, .sequences = 3, .context = 200};
  ASSERT_TRUE(open(limits).ok());
  uint64_t used = device->counters().bytesAllocated - before - cache->bytes();
  for (Buffer *buffer : weights->buffers())
    used -= buffer->size();
  EXPECT_EQ(used, Executor::bytesNeeded(plan, limits, cache->pages(), cache->pagesPerSequence()));
}

} // namespace
