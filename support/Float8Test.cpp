//===- Float8Test.cpp -----------------------------------------------------===//
#include "support/Float8.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

using namespace quern;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

/// The nearest finite code by exhaustive search, ties to the even code: the definition that `encode` must
/// meet.
uint8_t nearestBySearch(Float8 format, float value) {
  int best = -1;
  double bestDistance = 0;
  for (int code = 0; code < 256; ++code) {
    double v = decode(format, static_cast<uint8_t>(code));
    if (!std::isfinite(v) || std::signbit(v) != std::signbit(value))
      continue;
    double distance = std::abs(v - value);
    if (best < 0 || distance < bestDistance || (distance == bestDistance && code % 2 == 0)) {
      best = code;
      bestDistance = distance;
    }
  }
  return static_cast<uint8_t>(best);
}

TEST(Float8Test, KnownCodes) {
  EXPECT_EQ(decode(Float8::E4M3FN, 0x7E), 448.f);
  EXPECT_EQ(decode(Float8::E4M3FN, 0x01), std::ldexp(1.f, -9));
  EXPECT_EQ(decode(Float8::E4M3FN, 0x38), 1.f);
  EXPECT_TRUE(std::signbit(decode(Float8::E4M3FN, 0x80)));
  EXPECT_TRUE(std::isnan(decode(Float8::E4M3FN, 0x7F)));
  EXPECT_TRUE(std::isnan(decode(Float8::E4M3FN, 0xFF)));
  EXPECT_EQ(decode(Float8::E4M3FNUZ, 0x7F), 240.f);
  EXPECT_EQ(decode(Float8::E4M3FNUZ, 0x40), 1.f);
  EXPECT_TRUE(std::isnan(decode(Float8::E4M3FNUZ, 0x80)));
  EXPECT_EQ(decode(Float8::E5M2, 0x7B), 57344.f);
  EXPECT_EQ(decode(Float8::E5M2, 0x3C), 1.f);
  EXPECT_EQ(decode(Float8::E5M2, 0x7C), kInf);
  EXPECT_EQ(decode(Float8::E5M2, 0xFC), -kInf);
  EXPECT_EQ(largest(Float8::E4M3FN), 448.f);
  EXPECT_EQ(largest(Float8::E4M3FNUZ), 240.f);
  EXPECT_EQ(largest(Float8::E5M2), 57344.f);
}

TEST(Float8Test, EveryCodeSurvivesARoundTrip) {
  for (Float8 format : {Float8::E4M3FN, Float8::E4M3FNUZ, Float8::E5M2})
    for (int code = 0; code < 256; ++code) {
      float value = decode(format, static_cast<uint8_t>(code));
      if (std::isfinite(value))
        EXPECT_EQ(encode(format, value), code) << code;
      else
        EXPECT_EQ(std::isnan(value), isNaN(format, static_cast<uint8_t>(code)));
    }
}

TEST(Float8Test, EncodeIsTheNearestCodeTiesToEven) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> exponent(-20, 18);
  for (Float8 format : {Float8::E4M3FN, Float8::E4M3FNUZ, Float8::E5M2}) {
    for (int i = 0; i < 20000; ++i) {
      float value = std::exp2(exponent(random)) * (i % 2 ? -1 : 1);
      uint8_t expected = nearestBySearch(format, value);
      if (format == Float8::E4M3FNUZ && std::abs(value) <= std::ldexp(1.f, -11))
        expected = 0; // no -0 in this flavour
      EXPECT_EQ(encode(format, value), expected) << value;
    }
    // Exactly between two neighbours, and one float to each side.
    for (int code = 0; code < 0x7A; ++code) {
      float low = decode(format, static_cast<uint8_t>(code)),
            high = decode(format, static_cast<uint8_t>(code + 1));
      float middle = (low + high) / 2;
      EXPECT_EQ(encode(format, middle), code % 2 ? code + 1 : code);
      EXPECT_EQ(encode(format, std::nextafter(middle, 0.f)), code);
      EXPECT_EQ(encode(format, std::nextafter(middle, kInf)), code + 1);
    }
  }
}

TEST(Float8Test, EncodeSaturatesAndKeepsNaN) {
  EXPECT_EQ(encode(Float8::E4M3FN, 449.f), 0x7E);
  EXPECT_EQ(encode(Float8::E4M3FN, 1e30f), 0x7E);
  EXPECT_EQ(encode(Float8::E4M3FN, -kInf), 0xFE);
  EXPECT_EQ(encode(Float8::E4M3FN, kNaN), 0x7F);
  EXPECT_EQ(encode(Float8::E4M3FNUZ, 1e30f), 0x7F);
  EXPECT_EQ(encode(Float8::E4M3FNUZ, -0.f), 0x00);
  EXPECT_EQ(encode(Float8::E4M3FNUZ, kNaN), 0x80);
  EXPECT_EQ(encode(Float8::E5M2, kInf), 0x7B);
  EXPECT_EQ(encode(Float8::E5M2, std::numeric_limits<float>::denorm_min()), 0x00);
}

TEST(Float8Test, FnuzHoldsHalfTheValueOfTheSameCode) {
  for (int code = 0; code < 256; ++code) {
    if ((code & 0x7F) == 0x7F)
      continue; // refused before conversion
    EXPECT_EQ(2 * decode(Float8::E4M3FNUZ, fnToFnuz(static_cast<uint8_t>(code))),
              decode(Float8::E4M3FN, static_cast<uint8_t>(code)));
  }
}

TEST(Float8Test, Bf16RoundsToNearestEven) {
  EXPECT_EQ(floatToBf16(1.f), 0x3F80);
  EXPECT_EQ(floatToBf16(1.00390625f), 0x3F80); // 1 + 2^-8: a tie, to even
  EXPECT_EQ(floatToBf16(1.01171875f), 0x3F82); // 1 + 3 * 2^-8: a tie, to even
  EXPECT_EQ(floatToBf16(std::nextafter(1.00390625f, 2.f)), 0x3F81);
  EXPECT_EQ(floatToBf16(std::numeric_limits<float>::max()), 0x7F80);
  EXPECT_EQ(floatToBf16(-kInf), 0xFF80);
  EXPECT_TRUE(std::isnan(bf16ToFloat(floatToBf16(kNaN))));
  EXPECT_TRUE(std::isnan(bf16ToFloat(floatToBf16(std::bit_cast<float>(0x7F800001u)))));
}

TEST(Float8Test, DoubleToBf16RoundsOnce) {
  // 1 + 2^-8 + 2^-40 lies above the tie, but a float in between would fall onto it.
  double aboveTie = 1 + std::ldexp(1.0, -8) + std::ldexp(1.0, -40);
  EXPECT_EQ(doubleToBf16(aboveTie), 0x3F81);
  EXPECT_EQ(doubleToBf16(-aboveTie), 0xBF81);
  double belowTie = 1 + 3 * std::ldexp(1.0, -8) - std::ldexp(1.0, -40);
  EXPECT_EQ(doubleToBf16(belowTie), 0x3F81);
  EXPECT_EQ(doubleToBf16(1 + std::ldexp(1.0, -8)), 0x3F80);
  EXPECT_EQ(doubleToBf16(0.0), 0);
}

TEST(Float8Test, F16RoundTripAndEdges) {
  for (int code = 0; code < 0x10000; ++code) {
    float value = f16ToFloat(static_cast<uint16_t>(code));
    if (!std::isnan(value)) {
      ASSERT_EQ(floatToF16(value), code);
    }
  }
  EXPECT_EQ(f16ToFloat(0x7BFF), 65504.f);
  EXPECT_EQ(f16ToFloat(0x0001), std::ldexp(1.f, -24));
  EXPECT_EQ(floatToF16(65519.f), 0x7BFF);
  EXPECT_EQ(floatToF16(65520.f), 0x7C00);
  EXPECT_EQ(floatToF16(1 + std::ldexp(1.f, -11)), 0x3C00);
  EXPECT_TRUE(std::isnan(f16ToFloat(floatToF16(kNaN))));
}

TEST(Float8Test, E8M0) {
  EXPECT_EQ(decodeE8M0(127), 1.f);
  EXPECT_EQ(decodeE8M0(0), std::ldexp(1.f, -127));
  EXPECT_EQ(decodeE8M0(254), std::ldexp(1.f, 127));
  EXPECT_TRUE(std::isnan(decodeE8M0(255)));
  EXPECT_EQ(encodeE8M0Ceil(1.f), 127);
  EXPECT_EQ(encodeE8M0Ceil(std::nextafter(1.f, 2.f)), 128);
  EXPECT_EQ(encodeE8M0Ceil(std::nextafter(1.f, 0.f)), 127);
  EXPECT_EQ(encodeE8M0Ceil(0.f), 1);
  EXPECT_EQ(encodeE8M0Ceil(std::numeric_limits<float>::max()), 254);
  for (int code = 0; code < 255; ++code)
    EXPECT_TRUE(isE8M0(decodeE8M0(static_cast<uint8_t>(code))));
  EXPECT_FALSE(isE8M0(3.f));
  EXPECT_FALSE(isE8M0(0.f));
  EXPECT_FALSE(isE8M0(-1.f));
  EXPECT_FALSE(isE8M0(kInf));
}

TEST(Float8Test, ActivationScale) {
  EXPECT_EQ(activationScale(448.f, Float8::E4M3FN, ScaleFormat::F32), 1.f);
  EXPECT_EQ(activationScale(0.f, Float8::E4M3FN, ScaleFormat::F32), 1e-4f / 448.f);
  EXPECT_EQ(activationScale(3.f, Float8::E4M3FNUZ, ScaleFormat::F32), 3.f / 224.f);
  EXPECT_EQ(activationScale(448.f, Float8::E4M3FN, ScaleFormat::E8M0), 1.f);
  EXPECT_EQ(activationScale(449.f, Float8::E4M3FN, ScaleFormat::E8M0), 2.f);
  EXPECT_EQ(activationScale(449.f, Float8::E4M3FNUZ, ScaleFormat::E8M0), 4.f);
}

TEST(Float8Test, QuantiseRowScalesEachTileAndTheShortTail) {
  const size_t k = 300;
  std::vector<float> x(k);
  for (size_t i = 0; i < k; ++i)
    x[i] = std::ldexp(std::sin(0.37f * static_cast<float>(i)), static_cast<int>(i / 128) * 3 - 2);
  std::vector<uint8_t> codes(k + 1, 0xAA), fnuz(k);
  std::vector<float> scales(4, -1), scalesFnuz(3);
  quantiseRow(x.data(), k, Float8::E4M3FN, ScaleFormat::F32, codes.data(), scales.data());
  EXPECT_EQ(codes[k], 0xAA);
  EXPECT_EQ(scales[3], -1);
  for (size_t i = 0; i < k; ++i) {
    float absMax = 0;
    for (size_t j = i / 128 * 128; j < std::min(k, i / 128 * 128 + 128); ++j)
      absMax = std::max(absMax, std::abs(x[j]));
    ASSERT_EQ(scales[i / 128], absMax / 448.f);
    ASSERT_EQ(codes[i], nearestBySearch(Float8::E4M3FN, x[i] / scales[i / 128])) << i;
  }
  // The divisor 224 gives the same codes on the other flavour, with twice the scale.
  quantiseRow(x.data(), k, Float8::E4M3FNUZ, ScaleFormat::F32, fnuz.data(), scalesFnuz.data());
  for (size_t i = 0; i < k; ++i)
    ASSERT_EQ(fnuz[i], fnToFnuz(codes[i])) << i;
  for (size_t b = 0; b < 3; ++b)
    EXPECT_EQ(scalesFnuz[b], 2 * scales[b]);
}

TEST(Float8Test, QuantiseRowOfZerosAndNaN) {
  std::vector<float> x(128, 0.f);
  std::vector<uint8_t> codes(128, 0x55);
  float scale = 0;
  quantiseRow(x.data(), 128, Float8::E4M3FN, ScaleFormat::F32, codes.data(), &scale);
  EXPECT_EQ(scale, 1e-4f / 448.f);
  for (uint8_t code : codes)
    EXPECT_EQ(code, 0);
  x[5] = kNaN;
  x[6] = 1.f;
  quantiseRow(x.data(), 128, Float8::E4M3FN, ScaleFormat::F32, codes.data(), &scale);
  EXPECT_EQ(codes[5], 0x7F);
  EXPECT_EQ(codes[6], 0x7E);
}

} // namespace
