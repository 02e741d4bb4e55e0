//===- RoutingTest.cpp ----------------------------------------------------===//
#include "tuner/validate/Routing.h"
#include "support/Philox.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

using namespace quern;
using namespace quern::model::reference;
using namespace quern::validate;

namespace {

struct Case {
  const char *name;
  RouterOptions options;
  bool bias;
};

const Case cases[] = {
    {"softmax", {.experts = 3}, false},
    {"softmaxGroups", {.experts = 3, .groups = 4, .kept = 2}, false},
    {"sigmoid", {.sigmoid = true, .experts = 4, .normalise = true}, true},
    {"sigmoidGroups", {.sigmoid = true, .experts = 3, .groups = 4, .kept = 2, .groupTop2 = true}, true},
};
constexpr size_t experts = 12;

class Routing : public testing::TestWithParam<Case> {
protected:
  Vector random(uint64_t seed, float scale) const {
    Vector values;
    for (size_t i = 0; i < experts; ++i)
      values.push_back(scale * (float(philoxAt(seed, i)[0]) / 4294967296.0f - 0.5f));
    return values;
  }
  const Vector *biasFor(uint64_t seed) {
    bias = random(1000 + seed, 0.4f);
    return GetParam().bias ? &bias : nullptr;
  }
  std::vector<int32_t> choose(const Vector &logits, const Vector *with) const {
    Tensor row = Tensor::of(ElementType::F32, {1, int64_t(experts)}, logits);
    return router(row, with, GetParam().options).first.integers;
  }
  Vector bias;
};

TEST_P(Routing, theOwnChoiceIsAtNoDistance) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    Vector logits = random(seed, 6);
    const Vector *with = biasFor(seed);
    EXPECT_EQ(routingDistance(logits, with, GetParam().options, choose(logits, with)), 0) << seed;
  }
}

/// Logits that moved by at most d choose what is at most d away: the bound is a bound.
TEST_P(Routing, isABoundOfWhatMovedLogitsChoose) {
  int changed = 0;
  for (uint64_t seed = 0; seed < 400; ++seed)
    for (float size : {0.01f, 0.1f, 0.5f}) {
      Vector logits = random(seed, 4), shift = random(5000 + seed, 2 * size), moved = logits;
      for (size_t i = 0; i < experts; ++i)
        moved[i] += shift[i];
      const Vector *with = biasFor(seed);
      std::vector<int32_t> other = choose(moved, with);
      EXPECT_LE(routingDistance(logits, with, GetParam().options, other), size * 1.0001) << seed;
      changed += other != choose(logits, with);
    }
  EXPECT_GT(changed, 100);
}

TEST_P(Routing, anotherExpertIsFarWhereScoresAreFarApart) {
  Vector logits;
  for (size_t i = 0; i < experts; ++i)
    logits.push_back(float(experts - i) * 0.25f - 1.6f);
  std::vector<int32_t> chosen = choose(logits, nullptr);
  const RouterOptions &options = GetParam().options;
  for (int32_t &expert : chosen) {
    int32_t right = std::exchange(expert, int32_t(experts) - 1);
    EXPECT_GT(routingDistance(logits, nullptr, options, chosen), 0.05);
    expert = right;
  }
  std::swap(chosen[0], chosen[1]);
  EXPECT_GT(routingDistance(logits, nullptr, options, chosen), 0.05) << "the order counts";
}

TEST_P(Routing, whatIsNoChoiceIsNeverNear) {
  Vector logits = random(3, 1);
  std::vector<int32_t> chosen = choose(logits, nullptr);
  const RouterOptions &options = GetParam().options;
  for (int32_t bad : {-1, int32_t(experts), chosen[1]}) {
    std::vector<int32_t> other = chosen;
    other[0] = bad;
    EXPECT_TRUE(std::isinf(routingDistance(logits, nullptr, options, other))) << bad;
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, Routing, testing::ValuesIn(cases),
                         [](const auto &info) { return info.param.name; });

/// Two experts whose scores are equal but for the last bit.
TEST(RoutingDistance, aTieIsNear) {
  Vector logits = {0.5f, 1.0f, std::nextafter(1.0f, 2.0f), -1.0f};
  for (bool sigmoid : {false, true}) {
    RouterOptions options{.sigmoid = sigmoid, .experts = 1};
    EXPECT_LT(routingDistance(logits, nullptr, options, std::vector<int32_t>{1}), 1e-6);
    EXPECT_GT(routingDistance(logits, nullptr, options, std::vector<int32_t>{0}), 0.1);
  }
}

TEST(RoutingDistance, onlyNearChoicesAreAdopted) {
  Tensor logits = Tensor::of(ElementType::F32, {3, 4}, {1, 1.001f, 0, 0, 3, 2, 1, 0, 1, 1, 0, 0});
  RouterOptions options{.experts = 1};
  Tensor own = router(logits, nullptr, options).first;
  ASSERT_EQ(own.integers, (std::vector<int32_t>{1, 0, 0}));
  const std::vector<int32_t> other = {0, 1, 1};
  Rerouting found = adoptChoice(logits, nullptr, options, other, 0.01, own);
  EXPECT_EQ(own.integers, (std::vector<int32_t>{0, 0, 1}));
  EXPECT_EQ(found.differing, 3u);
  EXPECT_EQ(found.adopted, 2u);
  EXPECT_NEAR(found.worst, 0.5, 1e-6);
}

} // namespace
