//===- AttentionTest.cpp --------------------------------------------------===//
#include "dialects/model/reference/Operators.h"
#include "dialects/model/reference/TestData.h"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>

using namespace quern;
using namespace quern::model::reference;

namespace {

constexpr ElementType kBf16 = ElementType::BF16, kF32 = ElementType::F32;

//===-- Rotation ----------------------------------------------------------===//

TEST(RopeTest, RotatesPairsAsComplexNumbers) {
  Tensor x = randomTensor(kF32, {3, 2, 10}, 1);
  std::vector<int32_t> positions{0, 7, 4001};
  Vector frequencies{1.f, 0.1f, 0.0123f};
  for (bool interleaved : {false, true}) {
    Tensor y = rope(x, Tensor::ofIntegers(positions), interleaved, 3, 1.5, frequencies);
    for (int64_t row = 0; row < 6; ++row) {
      const float *from = x.values.data() + row * 10, *to = y.values.data() + row * 10;
      for (int64_t i : {0, 1, 2, 9})
        EXPECT_EQ(to[i], from[i]); // outside of 3 .. 8
      for (int i = 0; i < 3; ++i) {
        int first = interleaved ? 3 + 2 * i : 3 + i, second = interleaved ? first + 1 : first + 3;
        float angle = static_cast<float>(positions[row / 2]) * frequencies[i];
        std::complex<double> turned =
            std::complex<double>(from[first], from[second]) * std::polar(1.5, static_cast<double>(angle));
        EXPECT_NEAR(to[first], turned.real(), 1e-6);
        EXPECT_NEAR(to[second], turned.imag(), 1e-6);
      }
    }
  }
}

TEST(RopeTest, ScoresDependOnTheDistanceAlone) {
  Tensor q = randomTensor(kF32, {1, 8}, 2), k = randomTensor(kF32, {1, 8}, 3);
  Vector frequencies{1.f, 0.25f, 0.0625f, 0.015625f};
  auto score = [&](int32_t p, int32_t r) {
    Tensor a = rope(q, Tensor::ofIntegers({p}), true, 0, 1, frequencies),
           b = rope(k, Tensor::ofIntegers({r}), true, 0, 1, frequencies);
    double sum = 0;
    for (size_t i = 0; i < 8; ++i)
      sum += static_cast<double>(a.values[i]) * b.values[i];
    return sum;
  };
  EXPECT_NEAR(score(5, 2), score(103, 100), 1e-5);
  EXPECT_GT(std::abs(score(5, 2) - score(5, 3)), 1e-3);
}

//===-- Grouped-query attention -------------------------------------------===//

/// Two sequences of different length, their tokens mixed, six query heads on two key-value heads.
struct Grouped {
  static constexpr int64_t kHeads = 6, kShared = 2, kKey = 5, kValue = 3;
  std::vector<int32_t> positions{0, 0, 1, 2, 1, 3}, sequences{4, 1, 4, 4, 1, 4};
  Tensor q = randomTensor(kBf16, {6, kHeads, kKey}, 21), k = randomTensor(kBf16, {6, kShared, kKey}, 22),
         v = randomTensor(kBf16, {6, kShared, kValue}, 23);
  Cache cache{3, kShared, kKey, kValue};

  Tensor run(AttentionOptions options, ThreadPool *pool = nullptr) {
    EXPECT_TRUE(
        cacheAppend(cache, 2, k, v, Tensor::ofIntegers(positions), Tensor::ofIntegers(sequences)).ok());
    Context context;
    context.pool = pool;
    auto result = attention(context, q, cache, 2, Tensor::ofIntegers(positions),
                            Tensor::ofIntegers(sequences), options);
    EXPECT_TRUE(result.ok());
    return *result;
  }

  /// The same from the definition: rows of the same sequence at positions in reach.
  double expected(int64_t t, int64_t h, int64_t i, const AttentionOptions &options) const {
    int64_t g = h / (kHeads / kShared);
    double total = 0, sum = 0;
    for (size_t j = 0; j < positions.size(); ++j) {
      if (sequences[j] != sequences[t] || positions[j] > positions[t])
        continue;
      if (options.window && positions[t] - positions[j] >= *options.window)
        continue;
      double score = 0;
      for (int64_t d = 0; d < kKey; ++d)
        score += static_cast<double>(q.values[(t * kHeads + h) * kKey + d]) *
                 k.values[(j * kShared + g) * kKey + d];
      score *= options.scale;
      if (options.softcap)
        score = *options.softcap * std::tanh(score / *options.softcap);
      total += std::exp(score);
      sum += std::exp(score) * v.values[(j * kShared + g) * kValue + i];
    }
    return sum / total;
  }

  void check(AttentionOptions options) {
    Tensor o = run(options);
    ASSERT_EQ(o.shape, (Shape{6, kHeads, kValue}));
    for (int64_t t = 0; t < 6; ++t)
      for (int64_t h = 0; h < kHeads; ++h)
        for (int64_t i = 0; i < kValue; ++i)
          EXPECT_NEAR(o.values[(t * kHeads + h) * kValue + i], expected(t, h, i, options), 0.002)
              << t << " " << h;
  }
};

TEST(AttentionTest, CausalWithinEachSequence) { Grouped().check({.scale = 2}); }
TEST(AttentionTest, Window) { Grouped().check({.scale = 2, .window = 2}); }
TEST(AttentionTest, Softcap) { Grouped().check({.scale = 8, .softcap = 1.5}); }

TEST(AttentionTest, WindowAndSoftcapChangeTheResult) {
  Tensor plain = Grouped().run({.scale = 2});
  EXPECT_NE(plain.values, Grouped().run({.scale = 2, .window = 2}).values);
  EXPECT_NE(plain.values, Grouped().run({.scale = 2, .softcap = 0.5}).values);
}

TEST(AttentionTest, ThreadsChangeNothing) {
  ThreadPool pool(3);
  EXPECT_EQ(Grouped().run({.scale = 2}).values, Grouped().run({.scale = 2}, &pool).values);
}

TEST(AttentionTest, RefusesWhatTheCacheLacks) {
  Grouped data;
  data.run({});
  Tensor one = Tensor::ofIntegers({5}), sequence = Tensor::ofIntegers({4});
  Tensor q = randomTensor(kBf16, {1, 6, 5}, 1);
  EXPECT_EQ(attention({}, q, data.cache, 2, one, sequence, {}).takeError().id(), "E-ORACLE-CACHE");
  EXPECT_EQ(attention({}, q, data.cache, 0, Tensor::ofIntegers({0}), sequence, {}).takeError().id(),
            "E-ORACLE-CACHE");
  EXPECT_EQ(attention({}, q, data.cache, 2, Tensor::ofIntegers({-1}), sequence, {}).takeError().id(),
            "E-ORACLE-CACHE");
  EXPECT_TRUE(attention({}, q, data.cache, 2, Tensor::ofIntegers({3}), sequence, {}).ok());
  data.cache.truncate(4, 2);
  EXPECT_FALSE(attention({}, q, data.cache, 2, Tensor::ofIntegers({3}), sequence, {}).ok());
  EXPECT_TRUE(attention({}, q, data.cache, 2, Tensor::ofIntegers({1}), sequence, {}).ok());
}

TEST(CacheTest, RefusesPlacesOutside) {
  Cache cache(2, 1, 3, 2);
  float key[3] = {}, value[2] = {};
  EXPECT_EQ(cache.append(2, 0, 0, key, value).id(), "E-ORACLE-CACHE");
  EXPECT_EQ(cache.append(-1, 0, 0, key, value).id(), "E-ORACLE-CACHE");
  EXPECT_EQ(cache.append(0, -1, 0, key, value).id(), "E-ORACLE-CACHE");
  EXPECT_EQ(cache.append(0, 0, -1, key, value).id(), "E-ORACLE-CACHE");
  EXPECT_EQ(cache.append(0, 0, 1 << 30, key, value).id(), "E-ORACLE-CACHE");
  EXPECT_TRUE(cache.append(1, 0, 3, key, value).ok());
  EXPECT_FALSE(cache.view(1, 0, 0, 4).ok()); // 0 .. 2 were never appended
  EXPECT_TRUE(cache.view(1, 0, 3, 4).ok());
}

//===-- Latent attention --------------------------------------------------===//

/// Three heads of key size 4 and value size 5 over a latent of 8, and a rotated part of 2.
struct Latent {
  static constexpr int64_t kHeads = 3, kNope = 4, kValue = 5, kLatent = 8, kRope = 2;
  std::vector<int32_t> positions{0, 1, 2, 0, 3}, sequences{0, 0, 0, 1, 0};
  Tensor nope = randomTensor(kBf16, {5, kHeads, kNope}, 31),
         rotated = randomTensor(kBf16, {5, kHeads, kRope}, 32),
         latent = randomTensor(kBf16, {5, kLatent}, 33), shared = randomTensor(kBf16, {5, kRope}, 34);
  Packed kvB = pack(randomTensor(kBf16, {kHeads * (kNope + kValue), kLatent}, 35));

  Tensor run(bool expanded, ElementType type) {
    Cache cache(1, 1, kLatent, kRope);
    Tensor at = Tensor::ofIntegers(positions), of = Tensor::ofIntegers(sequences);
    EXPECT_TRUE(cacheAppend(cache, 0, latent, shared, at, of).ok());
    Tensor n = Tensor::of(type, nope.shape, nope.values), r = Tensor::of(type, rotated.shape, rotated.values);
    auto result = latentAttention({}, n, r, kvB, cache, 0, at, of, 0.7, expanded);
    EXPECT_TRUE(result.ok());
    return *result;
  }
};

TEST(LatentAttentionTest, EqualsAttentionOverExpandedKeysAndValues) {
  Latent data;
  // Keys and values of every head, as grouped-query attention with a head each would cache them.
  Tensor expanded = linear({}, data.latent, data.kvB, nullptr, kF32);
  Tensor keys = Tensor::zeros(kF32, {5, 3, 6}), values = Tensor::zeros(kF32, {5, 3, 5}), q = keys;
  for (int64_t t = 0; t < 5; ++t)
    for (int64_t h = 0; h < 3; ++h) {
      for (int64_t i = 0; i < 4; ++i) {
        keys.values[(t * 3 + h) * 6 + i] = expanded.values[t * 27 + h * 9 + i];
        q.values[(t * 3 + h) * 6 + i] = data.nope.values[(t * 3 + h) * 4 + i];
      }
      for (int64_t i = 0; i < 2; ++i) {
        keys.values[(t * 3 + h) * 6 + 4 + i] = data.shared.values[t * 2 + i];
        q.values[(t * 3 + h) * 6 + 4 + i] = data.rotated.values[(t * 3 + h) * 2 + i];
      }
      for (int64_t i = 0; i < 5; ++i)
        values.values[(t * 3 + h) * 5 + i] = expanded.values[t * 27 + h * 9 + 4 + i];
    }
  Cache cache(1, 3, 6, 5);
  Tensor at = Tensor::ofIntegers(data.positions), of = Tensor::ofIntegers(data.sequences);
  ASSERT_TRUE(cacheAppend(cache, 0, keys, values, at, of).ok());
  auto expected = attention({}, q, cache, 0, at, of, {.scale = 0.7});
  ASSERT_TRUE(expected.ok());
  for (bool form : {true, false}) {
    Tensor o = data.run(form, kF32);
    ASSERT_EQ(o.shape, (Shape{5, 3, 5}));
    for (size_t i = 0; i < o.values.size(); ++i)
      EXPECT_NEAR(o.values[i], expected->values[i], 1e-6) << i;
  }
}

TEST(LatentAttentionTest, BothFormsRoundToTheSameValues) {
  EXPECT_EQ(Latent().run(true, kBf16).values, Latent().run(false, kBf16).values);
}

TEST(LatentAttentionTest, BlockScaledWeightIsDequantisedOnEveryRung) {
  // kv_b of 2 heads, key 64, value 66, latent 130: blocks of 128 cut both dimensions.
  Packed scaled = randomBlockScaled({260, 130}, 41);
  Packed plain = pack(scaled.unpack(kBf16));
  Tensor nope = randomTensor(kBf16, {2, 2, 64}, 42), rotated = randomTensor(kBf16, {2, 2, 4}, 43);
  Cache cache(1, 1, 130, 4);
  Tensor at = Tensor::ofIntegers({0, 1}), of = Tensor::ofIntegers({0, 0});
  ASSERT_TRUE(
      cacheAppend(cache, 0, randomTensor(kBf16, {2, 130}, 44), randomTensor(kBf16, {2, 4}, 45), at, of).ok());
  auto expected = latentAttention({}, nope, rotated, plain, cache, 0, at, of, 0.1, false);
  for (Rung rung : {Rung::Fp8, Rung::Fp8Weights, Rung::Bf16}) {
    Context context;
    context.rung = rung;
    EXPECT_EQ(latentAttention(context, nope, rotated, scaled, cache, 0, at, of, 0.1, false)->values,
              expected->values);
  }
}

} // namespace
