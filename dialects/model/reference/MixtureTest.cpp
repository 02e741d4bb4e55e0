//===- MixtureTest.cpp ----------------------------------------------------===//
#include "dialects/model/reference/Operators.h"
#include "dialects/model/reference/TestData.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

using namespace quern;
using namespace quern::model::reference;

namespace {

constexpr ElementType kBf16 = ElementType::BF16, kF32 = ElementType::F32;

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

TEST(RouterTest, SoftmaxGreedyKeepsProbabilities) {
  Tensor logits = Tensor::of(kF32, {2, 4}, {0, 2, 1, -1, 3, 3, 3, 4});
  auto [indices, weights] = router(logits, nullptr, {.experts = 2, .scale = 16});
  EXPECT_EQ(indices.integers, (std::vector<int32_t>{1, 2, 3, 0})); // a tie goes to the lower index
  double total = 1 + std::exp(2.0) + std::exp(1.0) + std::exp(-1.0);
  EXPECT_FLOAT_EQ(weights.values[0], static_cast<float>(16 * std::exp(2.0) / total));
  EXPECT_FLOAT_EQ(weights.values[1], static_cast<float>(16 * std::exp(1.0) / total));
}

TEST(RouterTest, NormalisedWeightsSumToTheScale) {
  Tensor logits = randomTensor(kF32, {7, 16}, 1, 4);
  for (bool sigmoidScores : {false, true}) {
    auto [indices, weights] =
        router(logits, nullptr, {.sigmoid = sigmoidScores, .experts = 3, .normalise = true, .scale = 2.5});
    for (int64_t t = 0; t < 7; ++t)
      EXPECT_NEAR(weights.values[t * 3] + weights.values[t * 3 + 1] + weights.values[t * 3 + 2], 2.5, 1e-6);
  }
}

TEST(RouterTest, BiasChoosesButDoesNotWeigh) {
  Tensor logits = Tensor::of(kF32, {1, 4}, {0.5, 1.5, -0.5, 1.0});
  Vector bias{0, 0, 1, 0};
  auto [indices, weights] = router(logits, &bias, {.sigmoid = true, .experts = 2});
  EXPECT_EQ(indices.integers, (std::vector<int32_t>{2, 1}));
  EXPECT_FLOAT_EQ(weights.values[0], static_cast<float>(sigmoid(-0.5)));
  EXPECT_FLOAT_EQ(weights.values[1], static_cast<float>(sigmoid(1.5)));
}

TEST(RouterTest, GroupsByTheSumOfTheTwoBest) {
  // Choice scores by bias alone (all logits 0: scores one half). Group 1 has the largest single score, groups
  // 0 and 2 the larger sums.
  Tensor logits = Tensor::zeros(kF32, {1, 6});
  Vector bias{0.3f, 0.3f, 0.5f, 0.0f, 0.35f, 0.2f};
  auto [two, w2] =
      router(logits, &bias, {.sigmoid = true, .experts = 3, .groups = 3, .kept = 2, .groupTop2 = true});
  EXPECT_EQ(two.integers, (std::vector<int32_t>{4, 0, 1}));
  auto [one, w1] = router(logits, &bias, {.sigmoid = true, .experts = 3, .groups = 3, .kept = 2});
  EXPECT_EQ(one.integers, (std::vector<int32_t>{2, 4, 5}));
}

TEST(RouterTest, MaskedExpertsNeverWinWhereBiasesAreNegative) {
  // All choice scores are negative: masked experts would win if the mask were zero.
  Tensor logits = Tensor::zeros(kF32, {1, 4});
  Vector bias{-0.9f, -0.95f, -0.6f, -0.7f};
  auto [indices, weights] =
      router(logits, &bias, {.sigmoid = true, .experts = 2, .groups = 2, .kept = 1, .groupTop2 = true});
  EXPECT_EQ(indices.integers, (std::vector<int32_t>{2, 3}));
}

TEST(RouterTest, TiesOfGroupsGoToTheLowerIndex) {
  auto [indices, weights] =
      router(Tensor::zeros(kF32, {1, 8}), nullptr, {.experts = 4, .groups = 4, .kept = 2});
  EXPECT_EQ(indices.integers, (std::vector<int32_t>{0, 1, 2, 3}));
  EXPECT_FLOAT_EQ(weights.values[0], 0.125f);
}

//===-- Experts -----------------------------------------------------------===//

struct Mixture {
  Tensor x = randomTensor(kBf16, {5, 130}, 51);
  Tensor indices = Tensor::zeros(ElementType::I32, {5, 2}), weights = randomTensor(kF32, {5, 2}, 52);
  Tensor shared = randomTensor(kBf16, {5, 130}, 53);
  Packed gateUp, down;

  explicit Mixture(bool scaled) {
    indices.integers = {0, 3, 3, 1, 2, 3, 1, 0, 3, 2};
    gateUp = scaled ? randomBlockScaled({4, 12, 130}, 54) : pack(randomTensor(kBf16, {4, 12, 130}, 54));
    down = scaled ? randomBlockScaled({4, 130, 6}, 55) : pack(randomTensor(kBf16, {4, 130, 6}, 55));
  }
};

TEST(ExpertsTest, WeightedSumOfTheChosenAndTheSharedResult) {
  for (bool scaled : {false, true})
    for (Rung rung : {Rung::Fp8, Rung::Bf16}) {
      Mixture m(scaled);
      Context context;
      context.rung = rung;
      auto y =
          experts(context, Function::Silu, m.x, m.indices, m.weights, m.gateUp, m.down, &m.shared, kBf16);
      auto alone =
          experts(context, Function::Silu, m.x, m.indices, m.weights, m.gateUp, m.down, nullptr, kF32);
      ASSERT_TRUE(y.ok() && alone.ok());
      for (int64_t t = 0; t < 5; ++t) {
        // Token by token through the operators that a dense layer uses.
        Tensor row = Tensor::of(kBf16, {1, 130},
                                Vector(m.x.values.begin() + t * 130, m.x.values.begin() + t * 130 + 130));
        std::vector<double> sum(130, 0);
        for (int64_t i = 0; i < 2; ++i) {
          int64_t e = m.indices.integers[t * 2 + i];
          Tensor both = linear(context, row, m.gateUp.slice(e), nullptr, kBf16);
          Tensor out = linear(context, gated(Function::Silu, both, nullptr), m.down.slice(e), nullptr, kF32);
          for (int64_t j = 0; j < 130; ++j)
            sum[j] += static_cast<double>(m.weights.values[t * 2 + i]) * out.values[j];
        }
        for (int64_t j = 0; j < 130; ++j) {
          double expected = sum[j] + m.shared.values[t * 130 + j];
          EXPECT_NEAR(y->values[t * 130 + j], expected, std::abs(expected) / 250 + 1e-6);
        }
      }
      EXPECT_NE(alone->values, y->values);
    }
}

TEST(ExpertsTest, RowsDoNotDependOnTheirNeighbours) {
  Mixture m(true);
  auto all = experts({}, Function::Silu, m.x, m.indices, m.weights, m.gateUp, m.down, nullptr, kBf16);
  for (int64_t t = 0; t < 5; ++t) {
    Tensor row =
        Tensor::of(kBf16, {1, 130}, Vector(m.x.values.begin() + t * 130, m.x.values.begin() + t * 130 + 130));
    Tensor indices = Tensor::zeros(ElementType::I32, {1, 2}), weights = Tensor::zeros(kF32, {1, 2});
    std::copy_n(m.indices.integers.begin() + t * 2, 2, indices.integers.begin());
    std::copy_n(m.weights.values.begin() + t * 2, 2, weights.values.begin());
    auto one = experts({}, Function::Silu, row, indices, weights, m.gateUp, m.down, nullptr, kBf16);
    EXPECT_TRUE(std::equal(one->values.begin(), one->values.end(), all->values.begin() + t * 130));
  }
  ThreadPool pool(4);
  Context threaded;
  threaded.pool = &pool;
  EXPECT_EQ(
      experts(threaded, Function::Silu, m.x, m.indices, m.weights, m.gateUp, m.down, nullptr, kBf16)->values,
      all->values);
}

TEST(ExpertsTest, QuantisedRowsGiveTheSame) {
  Mixture m(true);
  Packed q = quantise(m.x, Float8::E4M3FN, ScaleFormat::F32);
  EXPECT_EQ(
      experts({}, Function::Silu, q, m.indices, m.weights, m.gateUp, m.down, &m.shared, kBf16)->values,
      experts({}, Function::Silu, m.x, m.indices, m.weights, m.gateUp, m.down, &m.shared, kBf16)->values);
}

TEST(ExpertsTest, RefusesAnExpertOutside) {
  Mixture m(false);
  for (int32_t bad : {-1, 4}) {
    m.indices.integers[3] = bad;
    EXPECT_EQ(experts({}, Function::Silu, m.x, m.indices, m.weights, m.gateUp, m.down, nullptr, kBf16)
                  .takeError()
                  .id(),
              "E-ORACLE-INDEX");
  }
}

} // namespace
