//===- RandomWeightsTest.cpp ----------------------------------------------===//
#include "runtime/artifact/RandomWeights.h"

#include "support/Float8.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace quern;
using namespace quern::runtime;

namespace {

Weight randomWeight(ElementType type, uint64_t count, uint64_t seed, double low, double high) {
  Weight weight;
  weight.kind = WeightKind::Random;
  weight.type = type;
  weight.rank = 1;
  weight.extents[0] = count;
  weight.size = count * elementBits(type) / 8;
  weight.seed = seed;
  weight.low = low;
  weight.high = high;
  return weight;
}

std::vector<std::byte> filled(const Weight &weight) {
  std::vector<std::byte> bytes(weight.size, std::byte{0xa5});
  fillRandom(weight, 0, bytes);
  return bytes;
}

double valueAt(const Weight &weight, const std::vector<std::byte> &bytes, uint64_t i) {
  const std::byte *at = bytes.data() + i * elementBits(weight.type) / 8;
  switch (weight.type) {
  case ElementType::F8E4M3:
    return decode(Float8::E4M3FN, loadLittle<uint8_t>(at));
  case ElementType::F8E8M0:
    return decodeE8M0(loadLittle<uint8_t>(at));
  case ElementType::BF16:
    return bf16ToFloat(loadLittle<uint16_t>(at));
  case ElementType::F16:
    return f16ToFloat(loadLittle<uint16_t>(at));
  case ElementType::F32:
    return loadLittle<float>(at);
  case ElementType::I8:
    return loadLittle<int8_t>(at);
  case ElementType::I32:
    return loadLittle<int32_t>(at);
  default:
    return static_cast<double>(loadLittle<int64_t>(at));
  }
}

TEST(RandomWeightsTest, ValuesFillTheRange) {
  for (ElementType type : {ElementType::F8E4M3, ElementType::BF16, ElementType::F16, ElementType::F32,
                           ElementType::I8, ElementType::I32, ElementType::I64}) {
    bool integer = type == ElementType::I8 || type == ElementType::I32 || type == ElementType::I64;
    double low = integer ? -20 : -0.5, high = integer ? 60 : 1.5;
    Weight weight = randomWeight(type, 20000, 5, low, high);
    std::vector<std::byte> bytes = filled(weight);
    double least = INFINITY, most = -INFINITY, sum = 0;
    for (uint64_t i = 0; i != 20000; ++i) {
      double value = valueAt(weight, bytes, i);
      ASSERT_TRUE(std::isfinite(value));
      least = std::min(least, value);
      most = std::max(most, value);
      sum += value;
    }
    double width = high - low;
    EXPECT_GE(least, low);
    EXPECT_LE(most, high);
    EXPECT_LT(least, low + width * 0.02) << elementTypeName(type);
    EXPECT_GT(most, high - width * 0.03) << elementTypeName(type);
    // Six standard deviations of the mean of 20000 uniform numbers, and half a step of the integers' grid.
    EXPECT_NEAR(sum / 20000, (low + high) / 2,
                width / std::sqrt(12 * 20000) * 6 + (integer ? 0.5 : width / 256));
  }
}

TEST(RandomWeightsTest, AnyPartIsThePartOfTheWhole) {
  for (ElementType type : {ElementType::F8E4M3, ElementType::BF16, ElementType::F32, ElementType::I64}) {
    Weight weight = randomWeight(type, 100, 9, -1, 1);
    std::vector<std::byte> whole = filled(weight);
    unsigned bytes = elementBits(type) / 8;
    for (uint64_t first = 0; first != 40; ++first)
      for (uint64_t count : {0, 1, 3, 17, 60}) {
        std::vector<std::byte> part(count * bytes);
        fillRandom(weight, first, part);
        EXPECT_TRUE(
            std::equal(part.begin(), part.end(), whole.begin() + static_cast<ptrdiff_t>(first * bytes)));
      }
  }
}

// The bits are part of the artifact's meaning: an artifact with random weights must give the same model for
// ever.
TEST(RandomWeightsTest, TheBitsArePinned) {
  EXPECT_EQ(hexText(filled(randomWeight(ElementType::F8E4M3, 8, 1, -1, 1))), "32279a2a372ca532");
  EXPECT_EQ(hexText(filled(randomWeight(ElementType::BF16, 4, 1, -1, 1))), "773e9a3ebc3e273f");
  EXPECT_EQ(hexText(filled(randomWeight(ElementType::F32, 3, 1, 0.5, 2))), "37d8bc3f038dde3fb54bc03f");
  EXPECT_EQ(weightSeed(1, "a"), 15201566949650179872u);
}

TEST(RandomWeightsTest, SeedsDiffer) {
  EXPECT_NE(weightSeed(1, "a"), weightSeed(1, "b"));
  EXPECT_NE(weightSeed(1, "a"), weightSeed(2, "a"));
  EXPECT_NE(filled(randomWeight(ElementType::BF16, 40, 1, -1, 1)),
            filled(randomWeight(ElementType::BF16, 40, 2, -1, 1)));
}

TEST(RandomWeightsTest, AConstantIsAnEmptyRange) {
  Weight weight = randomWeight(ElementType::F8E8M0, 5, 3, 0.25, 0.25);
  std::vector<std::byte> bytes = filled(weight);
  for (uint64_t i = 0; i != 5; ++i)
    EXPECT_EQ(valueAt(weight, bytes, i), 0.25);
}

} // namespace
