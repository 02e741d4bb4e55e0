//===- SmallFloatTest.cpp - fp8 and bf8 conversions, every code -----------===//
//
// All 256 codes of both formats in both flavours against a decoding written here from the definition of the
// formats, and conversions to fp8 against a search for the nearest code among all of them.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/TestKernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <optional>
#include <random>

namespace quern::runtime::emulated::amd {
namespace {

/// Value of a code; nothing for NaN. |bf8|: 5 exponent bits, else 4.
std::optional<double> decoded(unsigned code, bool bf8, bool fnuz) {
  unsigned fractionBits = bf8 ? 2 : 3, exponentBits = bf8 ? 5 : 4;
  unsigned magnitude = code & 127, exponent = magnitude >> fractionBits,
           fraction = magnitude % (1u << fractionBits);
  double sign = code & 128 ? -1 : 1;
  if (fnuz && code == 128)
    return std::nullopt;
  if (!fnuz && bf8 && exponent == 31)
    return fraction ? std::nullopt : std::optional<double>(sign * INFINITY);
  if (!fnuz && !bf8 && magnitude == 127)
    return std::nullopt;
  int bias = (1 << (exponentBits - 1)) - 1 + (fnuz ? 1 : 0);
  double significand = fraction / double(1u << fractionBits);
  return exponent ? sign * (1 + significand) * std::pow(2.0, int(exponent) - bias)
                  : sign * significand * std::pow(2.0, 1 - bias);
}

/// Nearest code of |x|, ties to the even code; overflow as the format says without saturation.
unsigned encoded(double x, bool bf8, bool fnuz) {
  unsigned sign = std::signbit(x) ? 128 : 0;
  unsigned nan = fnuz ? 128 : sign | 127;
  if (std::isnan(x))
    return nan;
  unsigned best = 0;
  double bestDistance = INFINITY, largest = 0;
  unsigned largestCode = 0;
  for (unsigned code = 0; code < 128; ++code) {
    auto value = decoded(code, bf8, fnuz);
    if (!value || std::isinf(*value))
      continue;
    if (*value > largest)
      largest = *value, largestCode = code;
    double distance = std::fabs(*value - std::fabs(x));
    if (distance < bestDistance || (distance == bestDistance && code % 2 == 0))
      bestDistance = distance, best = code;
  }
  // Past the largest number: where the next code would stand decides.
  auto below = decoded(largestCode - 1, bf8, fnuz);
  double step = largest - *below, limit = largest + step / 2;
  bool tieUp = largestCode % 2 == 1; // the tie goes to the even code, which would be the overflow
  if (std::fabs(x) > limit || (std::fabs(x) == limit && tieUp))
    return !fnuz && bf8 ? sign | 124 : nan;
  if (best == 0)
    return fnuz ? 0 : sign;
  return sign | best;
}

class SmallFloats : public testing::TestWithParam<std::string> {
protected:
  bool fnuz() const { return GetParam() == "gfx942"; }
};
INSTANTIATE_TEST_SUITE_P(Targets, SmallFloats, testing::Values("gfx942", "gfx950", "gfx1201"),
                         [](const auto &info) { return info.param; });

TEST_P(SmallFloats, DecodesEveryCode) {
  std::vector<uint32_t> codes(256);
  for (unsigned i = 0; i < 256; ++i)
    codes[i] = i | (255 - i) << 8 | (i ^ 0x5a) << 16 | (i ^ 0xc3) << 24;
  bool gfx12 = GetParam() == "gfx1201";
  std::string text;
  for (unsigned format = 0; format < 2; ++format)
    for (unsigned byte = 0; byte < 4; ++byte) {
      std::string name = format ? "bf8" : "fp8", to = "v" + std::to_string(30 + format * 4 + byte);
      text +=
          gfx12 ? "v_cvt_f32_" + name + "_e64 " + to + ", v10" +
                      (byte ? " byte_sel:" + std::to_string(byte) : "") + "\n"
                : "v_cvt_f32_" + name + "_sdwa " + to + ", v10 src0_sel:BYTE_" + std::to_string(byte) + "\n";
    }
  auto outs = runSnippet(GetParam(), text, {codes}, 8);
  for (unsigned format = 0; format < 2; ++format)
    for (unsigned byte = 0; byte < 4; ++byte)
      for (unsigned i = 0; i < 256; ++i) {
        auto expected = decoded(codes[i] >> (8 * byte) & 255, format, fnuz());
        float got = real(outs[format * 4 + byte][i]);
        if (expected)
          ASSERT_EQ(got, *expected) << format << " byte " << byte << " code " << i;
        else
          ASSERT_TRUE(std::isnan(got)) << format << " byte " << byte << " code " << i;
        if (expected && *expected == 0)
          ASSERT_EQ(std::signbit(got), std::signbit(*expected));
      }
}

TEST_P(SmallFloats, DecodesPairs) {
  std::vector<uint32_t> codes(256);
  for (unsigned i = 0; i < 256; ++i)
    codes[i] = i * 0x01030507;
  std::string select = GetParam() == "gfx1201" ? "v_cvt_pk_f32_fp8_e64 v[32:33], v10 op_sel:[1,0]\n"
                                               : "v_cvt_pk_f32_fp8_sdwa v[32:33], v10 src0_sel:WORD_1\n";
  auto outs =
      runSnippet(GetParam(), "v_cvt_pk_f32_fp8 v[30:31], v10\n" + select + "v_cvt_pk_f32_bf8 v[34:35], v10\n",
                 {codes}, 6);
  for (unsigned i = 0; i < 256; ++i)
    for (unsigned k = 0; k < 6; ++k) {
      unsigned byte = k < 4 ? k : k - 4;
      auto expected = decoded(codes[i] >> (8 * byte) & 255, k >= 4, fnuz());
      if (expected)
        ASSERT_EQ(real(outs[k][i]), *expected) << i << "," << k;
      else
        ASSERT_TRUE(std::isnan(real(outs[k][i])));
    }
}

TEST_P(SmallFloats, EncodesToTheNearestCode) {
  std::vector<uint32_t> a, b;
  std::mt19937 random(9);
  for (unsigned bf8 = 0; bf8 < 2; ++bf8)
    for (unsigned code = 0; code < 127; ++code) { // numbers, midpoints and their neighbours
      auto x = decoded(code, bf8, fnuz()), y = decoded(code + 1, bf8, fnuz());
      if (!x || !y || std::isinf(*y))
        continue;
      float middle = float((*x + *y) / 2);
      for (float v : {float(*x), middle, std::nextafter(middle, 0.0f), std::nextafter(middle, 1e9f)})
        a.push_back(bits(code % 2 ? -v : v));
    }
  for (float v : {0.0f,     -0.0f,    448.0f, 464.0f, 464.1f,   240.0f,    247.9f, 248.0f, 248.1f, 57344.0f,
                  61440.0f, 61439.0f, 1e30f,  -1e30f, INFINITY, -INFINITY, NAN,    1e-20f, 1e-40f, -1e-9f})
    a.push_back(bits(v));
  while (a.size() < 2000)
    a.push_back(bits(std::ldexp(float(int32_t(random())), -31 + int(random() % 40) - 20)));
  for (size_t i = 0; i < a.size(); ++i)
    b.push_back(a[(i * 7 + 5) % a.size()]);
  auto outs = runSnippet(GetParam(),
                         "v_cvt_pk_fp8_f32 v30, v10, v11\nv_cvt_pk_fp8_f32 v31, v10, v11 "
                         "op_sel:[0,0,1]\nv_cvt_pk_bf8_f32 v32, v10, v11\n",
                         {a, b}, 3, false);
  for (size_t i = 0; i < a.size(); ++i) {
    uint32_t fp8 = encoded(real(a[i]), false, fnuz()) | encoded(real(b[i]), false, fnuz()) << 8;
    uint32_t bf8 = encoded(real(a[i]), true, fnuz()) | encoded(real(b[i]), true, fnuz()) << 8;
    auto isNan = [&](uint32_t word) { return std::isnan(real(word)); };
    if (isNan(a[i]) || isNan(b[i]))
      continue; // the sign of a NaN is the format's own business; checked below
    ASSERT_EQ(outs[0][i], 0x5a5a0000u | fp8) << real(a[i]) << " " << real(b[i]);
    ASSERT_EQ(outs[1][i], 0x00005a5au | fp8 << 16) << real(a[i]);
    ASSERT_EQ(outs[2][i], 0x5a5a0000u | bf8) << real(a[i]) << " " << real(b[i]);
  }
  auto nan = runSnippet(GetParam(), "v_cvt_pk_fp8_f32 v30, v10, v10\n", {{bits(NAN)}})[0][0] & 255;
  EXPECT_EQ(nan, fnuz() ? 0x80u : 0x7fu);
}

TEST_P(SmallFloats, StochasticRoundingAddsTheRandomBits) {
  // 1 + 3/32 lies between 1 and 1 + 1/8: three quarters of all random numbers round it up.
  std::vector<uint32_t> a(256, bits(1.0f + 3.0f / 32)), b(256);
  for (unsigned i = 0; i < 256; ++i)
    b[i] = i << 24;
  auto outs = runSnippet(GetParam(), "v_cvt_sr_fp8_f32 v30, v10, v11\n", {a, b});
  unsigned one = encoded(1.0, false, fnuz()), up = 0;
  for (unsigned i = 0; i < 256; ++i) {
    unsigned code = outs[0][i] & 255;
    ASSERT_TRUE(code == one || code == one + 1);
    ASSERT_EQ(outs[0][i] >> 8, 0x5a5a5au);
    up += code == one + 1;
  }
  EXPECT_EQ(up, 192u);
}

TEST(SmallFloatDots, SumFourProducts) {
  std::vector<uint32_t> a(256), b(256), c(256);
  std::mt19937 random(4);
  auto finite = [&] { // codes that are numbers in both formats
    uint32_t word = 0;
    for (unsigned k = 0; k < 32; k += 8)
      word |= (random() % 0x70 | (random() & 128)) << k;
    return word;
  };
  for (unsigned i = 0; i < 256; ++i)
    a[i] = finite(), b[i] = finite(), c[i] = bits(float(i) - 100);
  auto outs = runSnippet("gfx1201",
                         "v_dot4_f32_fp8_fp8 v30, v10, v11, v12\nv_dot4_f32_fp8_bf8 v31, v10, v11, v12\n"
                         "v_dot4_f32_bf8_fp8 v32, v10, v11, v12\nv_dot4_f32_bf8_bf8 v33, v10, v11, v12\n",
                         {a, b, c}, 4);
  for (unsigned i = 0; i < 256; ++i)
    for (unsigned form = 0; form < 4; ++form) {
      long double sum = real(c[i]);
      for (unsigned k = 0; k < 32; k += 8)
        sum += static_cast<long double>(*decoded(a[i] >> k & 255, form & 2, false)) *
               *decoded(b[i] >> k & 255, form & 1, false);
      ASSERT_EQ(real(outs[form][i]), float(sum)) << form << "," << i;
    }
}

} // namespace
} // namespace quern::runtime::emulated::amd
