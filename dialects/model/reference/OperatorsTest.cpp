//===- OperatorsTest.cpp - Dense operators against other formulas ---------===//
#include "dialects/model/reference/Operators.h"
#include "dialects/model/reference/TestData.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace quern;
using namespace quern::model::reference;

namespace {

constexpr ElementType kBf16 = ElementType::BF16, kF32 = ElementType::F32;

TEST(RMSNormTest, HandComputed) {
  // mean of squares (9 + 16) / 2 = 12.5
  Tensor x = Tensor::of(kF32, {1, 2}, {3, 4});
  Vector weight{2, -1};
  Tensor y = rmsNorm(x, &weight, 1e-30, 0);
  EXPECT_FLOAT_EQ(y.values[0], static_cast<float>(6 / std::sqrt(12.5)));
  EXPECT_FLOAT_EQ(y.values[1], static_cast<float>(-4 / std::sqrt(12.5)));
  Tensor shifted = rmsNorm(x, &weight, 1e-30, 1);
  EXPECT_FLOAT_EQ(shifted.values[0], static_cast<float>(9 / std::sqrt(12.5)));
  EXPECT_FLOAT_EQ(shifted.values[1], 0);
  Tensor plain = rmsNorm(x, nullptr, 3.5, 0); // eps inside the root: 12.5 + 3.5 = 16
  EXPECT_FLOAT_EQ(plain.values[0], 0.75);
  EXPECT_FLOAT_EQ(plain.values[1], 1);
}

TEST(RMSNormTest, EachHeadAlone) {
  Tensor x = randomTensor(kBf16, {3, 2, 5}, 1);
  Vector weight = randomTensor(kF32, {5}, 2).values;
  Tensor y = rmsNorm(x, &weight, 1e-5, 0);
  for (int64_t row = 0; row < 6; ++row) {
    double squares = 0;
    for (int64_t i = 0; i < 5; ++i)
      squares += std::pow(x.values[row * 5 + i], 2);
    for (int64_t i = 0; i < 5; ++i)
      EXPECT_EQ(y.values[row * 5 + i],
                roundTo(kBf16, weight[i] * (x.values[row * 5 + i] / std::sqrt(squares / 5 + 1e-5f))));
  }
}

TEST(AddRMSNormTest, NormsTheUnroundedSum) {
  Tensor x = randomTensor(kBf16, {4, 64}, 3), residual = randomTensor(kBf16, {4, 64}, 4);
  Vector weight = randomTensor(kF32, {64}, 5).values;
  auto [sum, norm] = addRmsNorm(x, residual, &weight, 1e-6, 0);
  Tensor normOfRounded = rmsNorm(add(x, residual), &weight, 1e-6, 0);
  int differences = 0;
  for (int64_t row = 0; row < 4; ++row) {
    double squares = 0;
    for (int64_t i = row * 64; i < row * 64 + 64; ++i)
      squares += std::pow(x.values[i] + residual.values[i], 2);
    for (int64_t i = row * 64; i < row * 64 + 64; ++i) {
      float s = x.values[i] + residual.values[i];
      EXPECT_EQ(sum.values[i], roundToBf16(s));
      EXPECT_EQ(norm.values[i], roundTo(kBf16, weight[i % 64] * (s / std::sqrt(squares / 64 + 1e-6f))));
      differences += norm.values[i] != normOfRounded.values[i];
    }
  }
  EXPECT_GT(differences, 10);
}

TEST(LayerNormTest, HandComputed) {
  // mean 2, variance (1 + 0 + 1) / 3
  Tensor x = Tensor::of(kF32, {1, 3}, {1, 2, 3});
  Vector weight{1, 2, 3}, bias{10, 20, 30};
  Tensor y = layerNorm(x, &weight, &bias, 1e-30);
  double s = std::sqrt(1.5);
  EXPECT_FLOAT_EQ(y.values[0], static_cast<float>(10 - s));
  EXPECT_FLOAT_EQ(y.values[1], 20);
  EXPECT_FLOAT_EQ(y.values[2], static_cast<float>(30 + 3 * s));
}

TEST(LinearTest, PlainWeightWithBias) {
  Tensor x = randomTensor(kBf16, {3, 37}, 6), w = randomTensor(kBf16, {11, 37}, 7);
  Vector bias = randomTensor(kF32, {11}, 8).values;
  Tensor wide = linear({}, x, pack(w), &bias, kF32), narrow = linear({}, x, pack(w), &bias, kBf16);
  ASSERT_EQ(wide.shape, (Shape{3, 11}));
  for (int64_t t = 0; t < 3; ++t)
    for (int64_t n = 0; n < 11; ++n) {
      long double sum = bias[n];
      for (int64_t k = 0; k < 37; ++k)
        sum += static_cast<long double>(x.values[t * 37 + k]) * w.values[n * 37 + k];
      EXPECT_FLOAT_EQ(wide.values[t * 11 + n], static_cast<float>(sum));
      EXPECT_EQ(narrow.values[t * 11 + n], roundTo(kBf16, static_cast<double>(sum)));
    }
}

TEST(LinearTest, Fp8WeightsAreDequantisedToBf16) {
  Tensor x = randomTensor(kBf16, {2, 200}, 9);
  Packed w = randomBlockScaled({150, 200}, 10);
  for (Rung rung : {Rung::Fp8Weights, Rung::Bf16}) {
    Context context;
    context.rung = rung;
    Tensor y = linear(context, x, w, nullptr, kF32);
    for (int64_t t = 0; t < 2; ++t)
      for (int64_t n = 0; n < 150; ++n) {
        double sum = 0;
        for (int64_t k = 0; k < 200; ++k) {
          float code = decode(Float8::E4M3FN, std::to_integer<uint8_t>(w.bytes[n * 200 + k]));
          float scale = loadLittle<float>(w.scales.data() + 4 * (n / 128 * 2 + k / 128));
          sum += static_cast<double>(x.values[t * 200 + k]) * roundToBf16(code * scale);
        }
        EXPECT_FLOAT_EQ(y.values[t * 150 + n], static_cast<float>(sum));
      }
  }
}

TEST(LinearTest, Fp8ActivationsAreQuantisedPerTile) {
  // Two tiles of 128 columns and a short one, of very different size.
  Tensor x = randomTensor(kBf16, {2, 300}, 11);
  for (size_t i = 0; i < x.values.size(); ++i)
    x.values[i] *= i % 300 < 128 ? 1.f : i % 300 < 256 ? 64.f : 0.125f;
  Packed w = randomBlockScaled({130, 300}, 12);
  Tensor y = linear({}, x, w, nullptr, kF32);
  Tensor same = linear({}, quantise(x, Float8::E4M3FN, ScaleFormat::F32), w, nullptr, kF32);
  EXPECT_EQ(y.values, same.values);
  for (int64_t t = 0; t < 2; ++t)
    for (int64_t n = 0; n < 130; ++n) {
      double sum = 0;
      for (int64_t begin = 0; begin < 300; begin += 128) {
        float most = 0;
        for (int64_t k = begin; k < std::min<int64_t>(300, begin + 128); ++k)
          most = std::max(most, std::abs(x.values[t * 300 + k]));
        float scale = std::max(most, 1e-4f) / 448.f;
        double partial = 0;
        for (int64_t k = begin; k < std::min<int64_t>(300, begin + 128); ++k) {
          float code = decode(Float8::E4M3FN, encode(Float8::E4M3FN, x.values[t * 300 + k] / scale));
          partial += static_cast<double>(code) *
                     decode(Float8::E4M3FN, std::to_integer<uint8_t>(w.bytes[n * 300 + k]));
        }
        sum += static_cast<double>(scale) *
               loadLittle<float>(w.scales.data() + 4 * (n / 128 * 3 + begin / 128)) * partial;
      }
      EXPECT_FLOAT_EQ(y.values[t * 130 + n], static_cast<float>(sum)) << t << " " << n;
    }
  // Quantisation costs something, but little (model-spec: below 1e-3 of the unquantised product).
  Context exact;
  exact.rung = Rung::Bf16;
  double difference = calcDiff(y.values, linear(exact, x, w, nullptr, kF32).values);
  EXPECT_GT(difference, 1e-7);
  EXPECT_LT(difference, 1e-3);
}

TEST(LinearTest, PowerOfTwoScales) {
  Tensor x = randomTensor(kBf16, {2, 128}, 13);
  Packed w = randomBlockScaled({4, 128}, 14);
  w.powerOfTwoScales = true;
  Packed q = quantise(x, Float8::E4M3FN, ScaleFormat::E8M0);
  for (int64_t t = 0; t < 2; ++t)
    EXPECT_TRUE(isE8M0(q.scaleAt(t, 0)));
  EXPECT_EQ(linear({}, x, w, nullptr, kF32).values, linear({}, q, w, nullptr, kF32).values);
}

TEST(LinearTest, TheOtherFlavourGivesTheSameProduct) {
  // e4m3fnuz codes hold half the value and the scale doubles: the products are equal bit for bit.
  Tensor x = randomTensor(kBf16, {3, 256}, 15);
  Packed w = randomBlockScaled({5, 256}, 16);
  Context fnuz;
  fnuz.activations = Float8::E4M3FNUZ;
  EXPECT_EQ(linear({}, x, w, nullptr, kF32).values, linear(fnuz, x, w, nullptr, kF32).values);
}

TEST(ElementwiseTest, Functions) {
  EXPECT_NEAR(apply(Function::Silu, 1), 0.7310585786300049, 1e-15);
  EXPECT_NEAR(apply(Function::Gelu, 1), 0.8413447460685429, 1e-15); // the normal distribution at 1
  EXPECT_NEAR(apply(Function::Gelu, -2), -2 * 0.022750131948179195, 1e-15);
  EXPECT_NEAR(apply(Function::GeluTanh, 1), 0.8411919906082768, 1e-12);
  EXPECT_NEAR(apply(Function::QuickGelu, 1), 1 / (1 + std::exp(-1.702)), 1e-15);
  EXPECT_EQ(apply(Function::Relu, -3), 0);
  EXPECT_EQ(apply(Function::Relu, 3), 3);
  EXPECT_EQ(apply(Function::Relu2, 3), 9);
  EXPECT_EQ(apply(Function::Relu2, -3), 0);
  EXPECT_NEAR(apply(Function::Sigmoid, -1), 1 - 0.7310585786300049, 1e-15);
  EXPECT_NEAR(apply(Function::Tanh, 0.5), 0.46211715726000973, 1e-15);
  EXPECT_EQ(apply(Function::Silu, -1e4), 0);
}

TEST(ElementwiseTest, GatedTakesTheFirstHalfAsGate) {
  Tensor fused = Tensor::of(kF32, {2, 4}, {1, -1, 10, 20, 2, 0, 30, 40});
  Tensor y = gated(Function::Relu, fused, nullptr);
  EXPECT_EQ(y.shape, (Shape{2, 2}));
  EXPECT_EQ(y.values, (Vector{10, 0, 60, 0}));
  Tensor gate = slice(fused, 0, 2), up = slice(fused, 2, 4);
  EXPECT_EQ(gated(Function::Relu, gate, &up).values, y.values);
}

TEST(ElementwiseTest, GatedRoundsOnce) {
  Tensor gate = randomTensor(kBf16, {2, 50}, 17), up = randomTensor(kBf16, {2, 50}, 18);
  Tensor y = gated(Function::Silu, gate, &up);
  int differences = 0;
  for (size_t i = 0; i < y.values.size(); ++i) {
    double g = gate.values[i];
    EXPECT_EQ(y.values[i], roundTo(kBf16, g / (1 + std::exp(-g)) * up.values[i]));
    differences += y.values[i] != roundToBf16(roundTo(kBf16, g / (1 + std::exp(-g))) * up.values[i]);
  }
  EXPECT_GT(differences, 5);
}

TEST(ElementwiseTest, MulScaleSoftcap) {
  Tensor a = Tensor::of(kF32, {2, 3}, {1, 2, 3, 4, 5, 6}), column = Tensor::of(kF32, {2, 1}, {10, -1});
  EXPECT_EQ(mul(a, column).values, (Vector{10, 20, 30, -4, -5, -6}));
  EXPECT_EQ(mul(a, a).values, (Vector{1, 4, 9, 16, 25, 36}));
  EXPECT_EQ(scale(a, 0.5).values, (Vector{0.5, 1, 1.5, 2, 2.5, 3}));
  Tensor capped = softcap(a, 2);
  EXPECT_FLOAT_EQ(capped.values[1], static_cast<float>(2 * std::tanh(1.0)));
  EXPECT_LT(capped.values[5], 2);
}

TEST(ViewTest, SliceConcat) {
  Tensor x = Tensor::of(kF32, {2, 2, 3}, {0, 1, 2, 10, 11, 12, 100, 101, 102, 110, 111, 112});
  Tensor left = slice(x, 0, 1), right = slice(x, 1, 3);
  EXPECT_EQ(right.values, (Vector{1, 2, 11, 12, 101, 102, 111, 112}));
  Tensor back = concat({&left, &right});
  EXPECT_EQ(back.shape, x.shape);
  EXPECT_EQ(back.values, x.values);
  Tensor swapped = concat({&right, &left});
  EXPECT_EQ(swapped.values, (Vector{1, 2, 0, 11, 12, 10, 101, 102, 100, 111, 112, 110}));
}

TEST(RowsTest, EmbeddingAndGather) {
  Packed table = pack(Tensor::of(kBf16, {3, 2}, {0, 1, 10, 11, 20, 21}));
  auto rows = embedding(Tensor::ofIntegers({2, 0, 2}), table, kBf16);
  ASSERT_TRUE(rows.ok());
  EXPECT_EQ(rows->values, (Vector{20, 21, 0, 1, 20, 21}));
  auto one = gatherRows(*rows, Tensor::ofIntegers({1}));
  ASSERT_TRUE(one.ok());
  EXPECT_EQ(one->values, (Vector{0, 1}));
  for (int32_t bad : {-1, 3}) {
    EXPECT_EQ(embedding(Tensor::ofIntegers({bad}), table, kBf16).takeError().id(), "E-ORACLE-INDEX");
    EXPECT_EQ(gatherRows(*rows, Tensor::ofIntegers({bad})).takeError().id(), "E-ORACLE-INDEX");
  }
}

TEST(SampleTest, TemperatureZeroTakesTheLowestOfTheLargest) {
  Tensor logits = Tensor::of(kF32, {2, 4}, {1, 3, 3, 2, -1, -5, -1, -1});
  auto tokens =
      sample(logits, Tensor::ofIntegers({0, 1}), Tensor::of(kF32, {2}, {0, 0}), Tensor::ofLongs({7, 7}));
  ASSERT_TRUE(tokens.ok());
  EXPECT_EQ(tokens->integers, (std::vector<int32_t>{1, 0}));
}

TEST(SampleTest, DrawsByProbabilityAndNeverAMaskedToken) {
  // Probabilities 1/2, 1/4, 1/4 at temperature 2; the last column is padding.
  float l = static_cast<float>(2 * std::log(2.0));
  Tensor row = maskVocabulary(Tensor::of(kF32, {1, 4}, {l, 0, 0, 50}), 3);
  int counts[4] = {};
  for (int32_t position = 0; position < 4000; ++position) {
    auto token =
        sample(row, Tensor::ofIntegers({position}), Tensor::of(kF32, {1}, {2}), Tensor::ofLongs({99}));
    ASSERT_TRUE(token.ok());
    ++counts[token->integers[0]];
  }
  EXPECT_NEAR(counts[0], 2000, 150);
  EXPECT_NEAR(counts[1], 1000, 130);
  EXPECT_NEAR(counts[2], 1000, 130);
  EXPECT_EQ(counts[3], 0);
  auto again = sample(row, Tensor::ofIntegers({5}), Tensor::of(kF32, {1}, {2}), Tensor::ofLongs({99}));
  auto same = sample(row, Tensor::ofIntegers({5}), Tensor::of(kF32, {1}, {2}), Tensor::ofLongs({99}));
  EXPECT_EQ(again->integers, same->integers);
}

TEST(SampleTest, RefusesLogitsThatAreNoNumbers) {
  for (float bad : {NAN, INFINITY}) {
    auto token = sample(Tensor::of(kF32, {1, 2}, {0, bad}), Tensor::ofIntegers({0}),
                        Tensor::of(kF32, {1}, {1}), Tensor::ofLongs({1}));
    EXPECT_EQ(token.takeError().id(), "E-ORACLE-LOGITS");
  }
  EXPECT_EQ(sample(Tensor::of(kF32, {1, 2}, {0, 1}), Tensor::ofIntegers({0, 1}), Tensor::of(kF32, {1}, {1}),
                   Tensor::ofLongs({1}))
                .takeError()
                .id(),
            "E-ORACLE-ARGUMENT");
}

TEST(PackedTest, ChecksItsSizes) {
  Packed w = randomBlockScaled({130, 200}, 19);
  EXPECT_TRUE(w.check().ok());
  Packed noScales = w;
  noScales.block[0] = noScales.block[1] = 0;
  EXPECT_EQ(noScales.check().id(), "E-ORACLE-WEIGHT");
  Packed fewBytes = w;
  fewBytes.bytes = w.bytes.first(w.bytes.size() - 1);
  EXPECT_EQ(fewBytes.check().id(), "E-ORACLE-WEIGHT");
  Packed fewScales = w;
  fewScales.scales = w.scales.first(w.scales.size() - 4);
  EXPECT_EQ(fewScales.check().id(), "E-ORACLE-WEIGHT");
  Packed integers = w;
  integers.type = ElementType::I32;
  EXPECT_EQ(integers.check().id(), "E-ORACLE-WEIGHT");
}

} // namespace
