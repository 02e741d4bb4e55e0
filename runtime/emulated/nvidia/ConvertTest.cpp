//===- ConvertTest.cpp - cvt against the formats' definitions -------------===//
//
// PTX ISA 9.7.9.21. Both directions of every 8-bit code, all 16-bit codes, and edges of each conversion.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/FormatTables.h"
#include "runtime/emulated/nvidia/PtxTest.h"

#include <cmath>
#include <limits>
#include <random>

namespace quern::runtime::emulated {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

uint32_t bitsOf(float value) { return std::bit_cast<uint32_t>(value); }
uint64_t bitsOf(double value) { return std::bit_cast<uint64_t>(value); }
float asFloat(uint64_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits)); }

uint64_t one(const std::string &body, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0) {
  return evaluate(body, {{a, b, c, 0}})[0];
}

/// Floats around every value of |format|: the value, its midpoint to the next, and one step to either side of
/// both.
std::vector<float> around(const test::Format &format) {
  std::vector<float> values = {NAN,        infinity,        -infinity,       0.0f, -0.0f, 0x1p-149f,
                               -0x1p-149f, 0x1.FFFFFEp127f, -0x1.FFFFFEp127f};
  uint32_t step = format.bits() > 8 ? 37 : 1; // all codes of the small ones, a sample of the others
  for (uint32_t code = 0; code < format.finiteCodes(); code += step) {
    auto value = static_cast<float>(format.value(code));
    double next = code + 1 < format.finiteCodes() ? format.value(code + 1)
                                                  : 2 * format.value(code) - format.value(code - 1);
    auto middle = static_cast<float>((format.value(code) + next) / 2);
    for (float x : {value, middle})
      for (float y : {x, std::nextafter(x, infinity), std::nextafter(x, -infinity)}) {
        values.push_back(y);
        values.push_back(-y);
      }
  }
  std::mt19937 random(8);
  for (int i = 0; i < 1000; ++i)
    values.push_back(asFloat(random()));
  return values;
}

Inputs pairs(const std::vector<float> &values) {
  Inputs inputs;
  for (size_t i = 0; i < values.size(); ++i)
    inputs.push_back({bitsOf(values[i]), bitsOf(values[(i * 7 + 3) % values.size()]), 0, 0});
  return inputs;
}

uint32_t relu(uint32_t code, const test::Format &format) {
  return code == format.canonicalNan || !(code & format.signBit()) ? code : 0;
}

TEST(Convert, FloatsToEightBits) {
  for (const test::Format &format : {test::e4m3, test::e5m2})
    for (bool isRelu : {false, true}) {
      Inputs inputs = pairs(around(format));
      std::string name = std::string("cvt.rn.satfinite.") + (isRelu ? "relu." : "") + format.name + "x2.f32";
      auto results = evaluate(to16(name + " %h0, %r1, %r2;"), inputs);
      for (size_t i = 0; i < inputs.size(); ++i) {
        uint32_t high = format.nearest(asFloat(inputs[i][0]), true),
                 low = format.nearest(asFloat(inputs[i][1]), true);
        if (isRelu) {
          high = relu(high, format);
          low = relu(low, format);
        }
        ASSERT_EQ(results[i], high << 8 | low)
            << name << " of " << asFloat(inputs[i][0]) << " " << asFloat(inputs[i][1]);
      }
    }
}

TEST(Convert, EightBitsToHalves) {
  for (const test::Format &format : {test::e4m3, test::e5m2}) {
    Inputs inputs;
    for (uint32_t code = 0; code < 256; ++code)
      inputs.push_back({code | (255 - code) << 8, 0, 0, 0});
    std::string name = std::string("cvt.rn.f16x2.") + format.name + "x2 %r0, %h1;";
    auto results = evaluate(to32(name), inputs);
    for (uint32_t code = 0; code < 256; ++code) {
      uint32_t expected = test::f16.nearest(format.value(code)) | test::f16.nearest(format.value(255 - code))
                                                                      << 16;
      ASSERT_EQ(results[code], expected) << name << code;
    }
    auto positive = evaluate(to32(std::string("cvt.rn.relu.f16x2.") + format.name + "x2 %r0, %h1;"), inputs);
    for (uint32_t code = 0; code < 256; ++code)
      ASSERT_EQ(positive[code] & 0xFFFF, relu(test::f16.nearest(format.value(code)), test::f16)) << code;
  }
}

TEST(Convert, HalvesToEightBits) {
  Inputs inputs;
  for (uint32_t code = 0; code < 65536; code += 3)
    inputs.push_back({code | (code * 5 + 1) << 16, 0, 0, 0});
  for (const test::Format &format : {test::e4m3, test::e5m2}) {
    auto results =
        evaluate(to16(std::string("cvt.rn.satfinite.") + format.name + "x2.f16x2 %h0, %r1;"), inputs);
    for (size_t i = 0; i < inputs.size(); ++i) {
      auto both = static_cast<uint32_t>(inputs[i][0]);
      uint32_t expected = format.nearest(test::f16.value(both & 0xFFFF), true) |
                          format.nearest(test::f16.value(both >> 16), true) << 8;
      ASSERT_EQ(results[i], expected) << format.name << std::hex << both;
    }
  }
}

TEST(Convert, ScalesOfExponentsOnly) {
  // Round towards zero and up; 255 is NaN, 254 the largest.
  auto both = [](const std::string &mode, float high, float low) {
    return one(to16("cvt." + mode + ".satfinite.ue8m0x2.f32 %h0, %r1, %r2;"), bitsOf(high), bitsOf(low));
  };
  EXPECT_EQ(both("rz", 1.0f, 2.0f), 0x7F80u);
  EXPECT_EQ(both("rz", 1.999f, 3.0f), 0x7F80u);
  EXPECT_EQ(both("rp", 1.001f, 4.0f), 0x8081u);
  EXPECT_EQ(both("rp", 0x1.8p-3f, 0x1p-3f), 0x7D7Cu);
  EXPECT_EQ(both("rz", NAN, infinity), 0xFFFEu);
  EXPECT_EQ(both("rp", 0x1.8p127f, 0.0f), 0xFE00u);
  EXPECT_EQ(both("rp", 0x1p-149f, 0x1p-126f), 0x0001u);
  EXPECT_EQ(both("rz", -8.0f, -0x1.8p-2f), 0x827Du); // the sign does not count
  EXPECT_EQ(one(to16("cvt.rp.ue8m0x2.f32 %h0, %r1, %r2;"), bitsOf(infinity), bitsOf(0x1.8p127f)), 0xFFFFu);
  EXPECT_EQ(one(to32("cvt.rn.bf16x2.ue8m0x2 %r0, %h1;"), 0x7F81), 0x3F804080u);
  EXPECT_EQ(one(to32("cvt.rn.bf16x2.ue8m0x2 %r0, %h1;"), 0xFF00), 0x7FFF0040u);
  EXPECT_EQ(one(to16("cvt.rp.satfinite.ue8m0x2.bf16x2 %h0, %r1;"), 0x3F813F80), 0x807Fu);
}

TEST(Convert, SingleToHalves) {
  for (const test::Format &format : {test::f16, test::bf16}) {
    std::vector<float> values = around(format);
    Inputs inputs = pairs(values);
    std::string type = format.name;
    auto results = evaluate(to16("cvt.rn." + type + ".f32 %h0, %r1;"), inputs);
    auto finite = evaluate(to16("cvt.rn.satfinite." + type + ".f32 %h0, %r1;"), inputs);
    auto packed = evaluate(to32("cvt.rn.relu." + type + "x2.f32 %r0, %r1, %r2;"), inputs);
    auto truncated = evaluate(to16("cvt.rz." + type + ".f32 %h0, %r1;"), inputs);
    for (size_t i = 0; i < inputs.size(); ++i) {
      float a = asFloat(inputs[i][0]), b = asFloat(inputs[i][1]);
      ASSERT_EQ(results[i], format.nearest(a)) << type << " " << a;
      ASSERT_EQ(finite[i], format.nearest(a, true)) << type << " " << a;
      ASSERT_EQ(packed[i], relu(format.nearest(b), format) | relu(format.nearest(a), format) << 16)
          << type << " " << a;
      if (std::isfinite(a)) {
        double result = format.value(static_cast<uint32_t>(truncated[i]));
        ASSERT_LE(std::fabs(result), std::fabs(a));
        uint32_t magnitude = static_cast<uint32_t>(truncated[i]) & 0x7FFF;
        if (magnitude + 1 < format.finiteCodes())
          ASSERT_GT(format.value(magnitude + 1), std::fabs(a));
      }
    }
  }
}

TEST(Convert, HalvesToSingle) {
  Inputs inputs;
  for (uint32_t code = 0; code < 65536; code += 5)
    inputs.push_back({code, 0, 0, 0});
  auto half = evaluate(to32("cvt.f32.f16 %r0, %h1;"), inputs);
  auto brain = evaluate(to32("cvt.f32.bf16 %r0, %h1;"), inputs);
  for (size_t i = 0; i < inputs.size(); ++i) {
    auto code = static_cast<uint32_t>(inputs[i][0]);
    double expected = test::f16.value(code);
    ASSERT_EQ(half[i], std::isnan(expected) ? 0x7FFFFFFFu : bitsOf(static_cast<float>(expected))) << code;
    ASSERT_EQ(brain[i], code << 16) << code;
  }
}

TEST(Convert, DoublesRoundOnce) {
  // Just above the middle of two halves: through f32 the excess would be lost.
  EXPECT_EQ(one(to16("cvt.rn.f16.f64 %h0, %d1;"), bitsOf(1.0 + 0x1p-11 + 0x1p-40)), 0x3C01u);
  EXPECT_EQ(one(to16("cvt.rn.bf16.f64 %h0, %d1;"), bitsOf(1.0 + 0x1p-8 + 0x1p-40)), 0x3F81u);
  EXPECT_EQ(one(to32("cvt.rn.f32.f64 %r0, %d1;"), bitsOf(1.0 + 0x1p-24)), 0x3F800000u);
  EXPECT_EQ(one(to32("cvt.rp.f32.f64 %r0, %d1;"), bitsOf(1.0 + 0x1p-50)), 0x3F800001u);
  EXPECT_EQ(one(to32("cvt.rm.f32.f64 %r0, %d1;"), bitsOf(-1.0 - 0x1p-50)), 0xBF800001u);
  EXPECT_EQ(one(to32("cvt.rz.f32.f64 %r0, %d1;"), bitsOf(1e300)), 0x7F7FFFFFu);
  EXPECT_EQ(one("cvt.f64.f32 %d0, %r1;", bitsOf(-0x1p-149f)), bitsOf(-0x1p-149));
}

TEST(Convert, FloatToIntegerClampsAndTakesNan) {
  auto s32 = [](float x) { return one(to32("cvt.rzi.s32.f32 %r0, %r1;"), bitsOf(x)); };
  EXPECT_EQ(s32(-1.9f), 0xFFFFFFFFu);
  EXPECT_EQ(s32(3e9f), 0x7FFFFFFFu);
  EXPECT_EQ(s32(-3e9f), 0x80000000u);
  EXPECT_EQ(s32(NAN), 0u);
  EXPECT_EQ(s32(-infinity), 0x80000000u);
  EXPECT_EQ(one(to32("cvt.rzi.u32.f32 %r0, %r1;"), bitsOf(-5.0f)), 0u);
  EXPECT_EQ(one(to32("cvt.rzi.u32.f32 %r0, %r1;"), bitsOf(5e9f)), 0xFFFFFFFFu);
  EXPECT_EQ(one("cvt.rzi.s64.f32 %d0, %r1;", bitsOf(NAN)), 1ull << 63);
  EXPECT_EQ(one("cvt.rzi.u64.f64 %d0, %d1;", bitsOf(static_cast<double>(NAN))), 1ull << 63);
  EXPECT_EQ(one(to32("cvt.rzi.s32.f64 %r0, %d1;"), bitsOf(static_cast<double>(NAN))), 0x80000000u);
  EXPECT_EQ(one(to32("cvt.rzi.s8.f32 %r0, %r1;"), bitsOf(300.0f)), 127u);
  EXPECT_EQ(one(to32("cvt.rzi.s8.f32 %r0, %r1;"), bitsOf(-300.0f)), 0xFFFFFF80u);
  EXPECT_EQ(one(to32("cvt.rzi.u8.f32 %r0, %r1;"), bitsOf(-1.0f)), 0u);
  EXPECT_EQ(one(to16("cvt.rni.s16.f16 %h0, %h1;"), 0xC100), 0xFFFEu); // -2.5 goes to even
  // The four roundings of a few values.
  const float values[] = {2.5f, -2.5f, 3.5f, 2.4f, -2.6f, 0.5f, -0.5f};
  for (float x : values) {
    EXPECT_EQ(one(to32("cvt.rni.s32.f32 %r0, %r1;"), bitsOf(x)), static_cast<uint32_t>(std::lrint(x)));
    EXPECT_EQ(one(to32("cvt.rmi.s32.f32 %r0, %r1;"), bitsOf(x)),
              static_cast<uint32_t>(std::lrint(std::floor(x))));
    EXPECT_EQ(one(to32("cvt.rpi.s32.f32 %r0, %r1;"), bitsOf(x)),
              static_cast<uint32_t>(std::lrint(std::ceil(x))));
    EXPECT_EQ(one(to32("cvt.rni.f32.f32 %r0, %r1;"), bitsOf(x)), bitsOf(std::rint(x)));
    EXPECT_EQ(one(to32("cvt.rpi.f32.f32 %r0, %r1;"), bitsOf(x)), bitsOf(std::ceil(x)));
    EXPECT_EQ(one("cvt.rzi.f64.f64 %d0, %d1;", bitsOf(double(x))), bitsOf(std::trunc(double(x))));
  }
  // .ftz sees a zero, so rounding up does not reach 1.
  EXPECT_EQ(one(to32("cvt.rpi.s32.f32 %r0, %r1;"), bitsOf(0x1p-140f)), 1u);
  EXPECT_EQ(one(to32("cvt.rpi.ftz.s32.f32 %r0, %r1;"), bitsOf(0x1p-140f)), 0u);
}

TEST(Convert, IntegerToFloat) {
  EXPECT_EQ(one(to32("cvt.rn.f32.s32 %r0, %r1;"), 0x80000001), bitsOf(-2147483648.0f));
  EXPECT_EQ(one(to32("cvt.rz.f32.s32 %r0, %r1;"), 0x80000001), bitsOf(-2147483520.0f));
  EXPECT_EQ(one(to32("cvt.rn.f32.u32 %r0, %r1;"), 0xFFFFFFFF), bitsOf(4294967296.0f));
  EXPECT_EQ(one(to32("cvt.rm.f32.u32 %r0, %r1;"), 0xFFFFFFFF), bitsOf(4294967040.0f));
  EXPECT_EQ(one(to32("cvt.rn.f32.u64 %r0, %d1;"), ~0ull), bitsOf(18446744073709551616.0f));
  EXPECT_EQ(one(to32("cvt.rz.f32.u64 %r0, %d1;"), ~0ull), bitsOf(18446742974197923840.0f));
  EXPECT_EQ(one(to32("cvt.rp.f32.u64 %r0, %d1;"), (1ull << 63) + 1), bitsOf(0x1.000002p63f));
  EXPECT_EQ(one("cvt.rn.f64.s64 %d0, %d1;", (1ull << 62) + 1), bitsOf(0x1p62));
  EXPECT_EQ(one("cvt.rp.f64.s64 %d0, %d1;", (1ull << 62) + 1), bitsOf(0x1.0000000000001p62));
  EXPECT_EQ(one(to32("cvt.rn.f32.s8 %r0, %r1;"), 0xFF), bitsOf(-1.0f));
  EXPECT_EQ(one(to16("cvt.rn.f16.s32 %h0, %r1;"), 65520), 0x7C00u);
  EXPECT_EQ(one(to16("cvt.rn.f16.u16 %h0, %h1;"), 2049), test::f16.nearest(2049));
  // A 64-bit integer just above a tie of bf16: 2^62 + 2^54 + 1.
  EXPECT_EQ(one(to16("cvt.rn.bf16.u64 %h0, %d1;"), (1ull << 62) + (1ull << 54) + 1),
            test::bf16.nearest(0x1.02p62));
  EXPECT_EQ(one(to16("cvt.rn.bf16.u64 %h0, %d1;"), (1ull << 62) + (1ull << 54)), test::bf16.nearest(0x1p62));
}

TEST(Convert, SaturationAndTf32) {
  EXPECT_EQ(one(to32("cvt.sat.f32.f32 %r0, %r1;"), bitsOf(1.5f)), bitsOf(1.0f));
  EXPECT_EQ(one(to32("cvt.sat.f32.f32 %r0, %r1;"), bitsOf(NAN)), 0u);
  EXPECT_EQ(one(to32("cvt.ftz.f32.f32 %r0, %r1;"), bitsOf(-0x1p-130f)), 0x80000000u);
  EXPECT_EQ(one(to16("cvt.rn.sat.f16.f32 %h0, %r1;"), bitsOf(-3.0f)), 0u);
  // tf32 keeps ten mantissa bits; .rna takes ties away from zero.
  EXPECT_EQ(one(to32("cvt.rna.tf32.f32 %r0, %r1;"), 0x3F801000), 0x3F802000u);
  EXPECT_EQ(one(to32("cvt.rn.tf32.f32 %r0, %r1;"), 0x3F801000), 0x3F800000u);
  EXPECT_EQ(one(to32("cvt.rz.tf32.f32 %r0, %r1;"), 0x3F801FFF), 0x3F800000u);
  EXPECT_EQ(one(to32("cvt.rna.tf32.f32 %r0, %r1;"), bitsOf(NAN)), 0x7FFFFFFFu);
}

TEST(Convert, FourAndSixBits) {
  // e2m1: 0 0.5 1 1.5 2 3 4 6; packed into one byte, the first source high.
  EXPECT_EQ(one(".reg .b8 %b; cvt.rn.satfinite.e2m1x2.f32 %b, %r1, %r2; cvt.u64.u8 %d0, %b;", bitsOf(2.4f),
                bitsOf(-9.0f)),
            0x4Fu);
  EXPECT_EQ(one(".reg .b8 %b; cvt.rn.satfinite.e2m1x2.f32 %b, %r1, %r2; cvt.u64.u8 %d0, %b;", bitsOf(2.5f),
                bitsOf(1.25f)),
            0x42u);
  EXPECT_EQ(one(".reg .b8 %b; cvt.u8.u32 %b, %r1; cvt.rn.f16x2.e2m1x2 %r0, %b; cvt.u64.u32 %d0, %r0;", 0xF3),
            test::f16.nearest(1.5) | test::f16.nearest(-6.0) << 16);
  EXPECT_EQ(one(to16("cvt.rn.satfinite.e2m3x2.f32 %h0, %r1, %r2;"), bitsOf(7.2f), bitsOf(100.0f)), 0x1E1Fu);
  EXPECT_EQ(one(to16("cvt.rn.satfinite.e3m2x2.f32 %h0, %r1, %r2;"), bitsOf(28.0f), bitsOf(-0.0625f)),
            0x1F21u);
}

} // namespace
} // namespace quern::runtime::emulated
