//===- FloatTest.cpp - Floating-point instructions against the manual -----===//
//
// PTX ISA 9.7.3 and 9.7.4. Exact values are computed in binary128 and rounded by search among neighbours, not
// by the code under test.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/FormatTables.h"
#include "runtime/emulated/nvidia/PtxTest.h"

#include <cmath>
#include <functional>
#include <limits>
#include <random>

namespace quern::runtime::emulated {
namespace {

using test::Exact;

constexpr uint32_t canonical = 0x7FFFFFFF;
constexpr float infinity = std::numeric_limits<float>::infinity();

float asFloat(uint64_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits)); }
double asDouble(uint64_t bits) { return std::bit_cast<double>(bits); }
uint32_t bitsOf(float value) { return std::isnan(value) ? canonical : std::bit_cast<uint32_t>(value); }

uint64_t one(const std::string &body, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0) {
  return evaluate(body, {{a, b, c, 0}})[0];
}
uint32_t one32(const std::string &instruction, float a, float b = 0, float c = 0) {
  return static_cast<uint32_t>(one(to32(instruction), std::bit_cast<uint32_t>(a), std::bit_cast<uint32_t>(b),
                                   std::bit_cast<uint32_t>(c)));
}

/// Specials in all combinations, then values near each other in size.
Inputs singles() {
  const uint32_t edges[] = {0,          0x80000000, 1,          0x80000001, 0x007FFFFF,
                            0x00800000, 0x3F800000, 0xBF800000, 0x7F7FFFFF, 0xFF7FFFFF,
                            0x7F800000, 0xFF800000, 0x7FC00000, 0xFFC12345, 0x7F800001,
                            0x3F800001, 0x4B000000, 0x33800000, 0x3EAAAAAB, 0x7E800000};
  Inputs inputs;
  std::mt19937 random(2);
  for (uint32_t a : edges)
    for (uint32_t b : edges)
      inputs.push_back({a, b, edges[random() % std::size(edges)], 0});
  for (int i = 0; i < 2000; ++i) {
    auto value = [&] { return (random() & 0x807FFFFF) | (110 + random() % 36) << 23; };
    inputs.push_back({value(), value(), value(), 0});
  }
  return inputs;
}

void check32(const std::string &instruction, const std::function<uint32_t(float, float, float)> &reference) {
  Inputs inputs = singles();
  auto results = evaluate(to32(instruction), inputs);
  for (size_t i = 0; i < inputs.size(); ++i) {
    auto [a, b, c, d] = inputs[i];
    ASSERT_EQ(results[i], reference(asFloat(a), asFloat(b), asFloat(c)))
        << instruction << std::hex << " of " << a << " " << b << " " << c;
  }
}

float flushed(float x) { return std::fabs(x) < 0x1p-126f ? std::copysign(0.0f, x) : x; }
float saturated(float x) { return x > 0 ? std::min(x, 1.0f) : 0.0f; }

TEST(Float, ArithmeticRoundsToNearest) {
  check32("add.f32 %r0, %r1, %r2;", [](float a, float b, float) { return bitsOf(a + b); });
  check32("sub.rn.f32 %r0, %r1, %r2;", [](float a, float b, float) { return bitsOf(a - b); });
  check32("mul.f32 %r0, %r1, %r2;", [](float a, float b, float) { return bitsOf(a * b); });
  check32("fma.rn.f32 %r0, %r1, %r2, %r3;",
          [](float a, float b, float c) { return bitsOf(std::fma(a, b, c)); });
  check32("mad.rn.f32 %r0, %r1, %r2, %r3;",
          [](float a, float b, float c) { return bitsOf(std::fma(a, b, c)); });
  check32("div.rn.f32 %r0, %r1, %r2;", [](float a, float b, float) { return bitsOf(a / b); });
  check32("div.full.f32 %r0, %r1, %r2;", [](float a, float b, float) { return bitsOf(a / b); });
  check32("rcp.rn.f32 %r0, %r1;", [](float a, float, float) { return bitsOf(1 / a); });
  check32("sqrt.rn.f32 %r0, %r1;", [](float a, float, float) { return bitsOf(std::sqrt(a)); });
}

TEST(Float, FlushToZeroKeepsTheSign) {
  check32("add.ftz.f32 %r0, %r1, %r2;",
          [](float a, float b, float) { return bitsOf(flushed(flushed(a) + flushed(b))); });
  check32("mul.ftz.f32 %r0, %r1, %r2;",
          [](float a, float b, float) { return bitsOf(flushed(flushed(a) * flushed(b))); });
  check32("fma.rn.ftz.f32 %r0, %r1, %r2, %r3;", [](float a, float b, float c) {
    return bitsOf(flushed(std::fma(flushed(a), flushed(b), flushed(c))));
  });
  EXPECT_EQ(one32("add.f32 %r0, %r1, %r2;", 0x1p-149f, 0x1p-149f), 2u);
  EXPECT_EQ(one32("add.ftz.f32 %r0, %r1, %r2;", -0x1p-149f, -0x1p-140f), 0x80000000u);
}

TEST(Float, SaturationMakesNanZero) {
  check32("add.sat.f32 %r0, %r1, %r2;", [](float a, float b, float) { return bitsOf(saturated(a + b)); });
  check32("fma.rn.sat.f32 %r0, %r1, %r2, %r3;",
          [](float a, float b, float c) { return bitsOf(saturated(std::fma(a, b, c))); });
  EXPECT_EQ(one32("mul.sat.f32 %r0, %r1, %r2;", NAN, 1), 0u);
  EXPECT_EQ(one32("mul.sat.f32 %r0, %r1, %r2;", -0.0f, 1), 0u);
}

TEST(Float, DirectedRounding) {
  // Rounds the exact value towards the side that |mode| names, by stepping from the nearest float.
  auto directed = [](Exact exact, const std::string &mode) {
    auto nearest = static_cast<float>(exact);
    bool down = mode == "rm" || (mode == "rz" && exact > 0), up = mode == "rp" || (mode == "rz" && exact < 0);
    if (down && Exact(nearest) > exact)
      nearest = std::nextafter(nearest, -infinity);
    if (up && Exact(nearest) < exact)
      nearest = std::nextafter(nearest, infinity);
    return std::bit_cast<uint32_t>(nearest);
  };
  Inputs inputs;
  std::mt19937 random(3);
  for (int i = 0; i < 3000; ++i) {
    auto value = [&] { return (random() & 0x807FFFFF) | (120 + random() % 16) << 23; };
    inputs.push_back({value(), value(), value(), 0});
  }
  for (std::string mode : {"rz", "rm", "rp"}) {
    auto compare = [&](const std::string &instruction,
                       const std::function<Exact(Exact, Exact, Exact)> &exact) {
      auto results = evaluate(to32(instruction), inputs);
      for (size_t i = 0; i < inputs.size(); ++i) {
        Exact value = exact(asFloat(inputs[i][0]), asFloat(inputs[i][1]), asFloat(inputs[i][2]));
        if (value != 0)
          ASSERT_EQ(results[i], directed(value, mode)) << instruction << i;
      }
    };
    compare("add." + mode + ".f32 %r0, %r1, %r2;", [](Exact a, Exact b, Exact) { return a + b; });
    compare("sub." + mode + ".f32 %r0, %r1, %r2;", [](Exact a, Exact b, Exact) { return a - b; });
    compare("mul." + mode + ".f32 %r0, %r1, %r2;", [](Exact a, Exact b, Exact) { return a * b; });
    compare("fma." + mode + ".f32 %r0, %r1, %r2, %r3;", [](Exact a, Exact b, Exact c) { return a * b + c; });
    compare("div." + mode + ".f32 %r0, %r1, %r2;", [](Exact a, Exact b, Exact) { return a / b; });
  }
  // Overflow goes to the largest finite value where the rounding stays below.
  EXPECT_EQ(one32("mul.rz.f32 %r0, %r1, %r2;", 0x1p127f, 4), 0x7F7FFFFFu);
  EXPECT_EQ(one32("mul.rp.f32 %r0, %r1, %r2;", 0x1p127f, 4), 0x7F800000u);
  // An exact zero sum is -0 only when rounding down.
  EXPECT_EQ(one32("add.rm.f32 %r0, %r1, %r2;", 1, -1), 0x80000000u);
  EXPECT_EQ(one32("add.rp.f32 %r0, %r1, %r2;", 1, -1), 0u);
}

TEST(Float, DoublePrecision) {
  Inputs inputs;
  std::mt19937_64 random(4);
  for (int i = 0; i < 1500; ++i) {
    auto value = [&] { return (random() & 0x800FFFFFFFFFFFFF) | (1015 + random() % 16) << 52; };
    inputs.push_back({value(), value(), value(), 0});
  }
  auto check = [&](const std::string &body, const std::function<double(double, double, double)> &reference) {
    auto results = evaluate(body, inputs);
    for (size_t i = 0; i < inputs.size(); ++i)
      ASSERT_EQ(asDouble(results[i]),
                reference(asDouble(inputs[i][0]), asDouble(inputs[i][1]), asDouble(inputs[i][2])))
          << body << i;
  };
  check("add.f64 %d0, %d1, %d2;", [](double a, double b, double) { return a + b; });
  check("mul.f64 %d0, %d1, %d2;", [](double a, double b, double) { return a * b; });
  check("fma.rn.f64 %d0, %d1, %d2, %d3;", [](double a, double b, double c) { return std::fma(a, b, c); });
  check("div.rn.f64 %d0, %d1, %d2;", [](double a, double b, double) { return a / b; });
  check("min.f64 %d0, %d1, %d2;", [](double a, double b, double) { return std::min(a, b); });
  check("neg.f64 %d0, %d1;", [](double a, double, double) { return -a; });
  check("mul.rz.f64 %d0, %d1, %d2;", [](double a, double b, double) {
    double product = a * b;
    Exact exact = Exact(a) * b;
    bool away = exact > 0 ? Exact(product) > exact : Exact(product) < exact;
    return away ? std::nextafter(product, 0.0) : product;
  });
  // The gross reciprocal sees and gives upper words only.
  uint64_t gross = one("rcp.approx.ftz.f64 %d0, %d1;", std::bit_cast<uint64_t>(3.0));
  EXPECT_EQ(gross & 0xFFFFFFFF, 0u);
  EXPECT_NEAR(asDouble(gross), 1.0 / 3.0, 1e-6);
}

TEST(Float, MinAndMaxWithNan) {
  auto smaller = [](float a, float b) {
    if (std::isnan(a) || std::isnan(b))
      return std::isnan(a) ? b : a;
    return a < b || (a == b && std::signbit(a)) ? a : b;
  };
  auto larger = [](float a, float b) {
    if (std::isnan(a) || std::isnan(b))
      return std::isnan(a) ? b : a;
    return a > b || (a == b && std::signbit(b)) ? a : b;
  };
  check32("min.f32 %r0, %r1, %r2;", [&](float a, float b, float) { return bitsOf(smaller(a, b)); });
  check32("max.f32 %r0, %r1, %r2;", [&](float a, float b, float) { return bitsOf(larger(a, b)); });
  check32("max.NaN.f32 %r0, %r1, %r2;", [&](float a, float b, float) {
    return std::isnan(a) || std::isnan(b) ? canonical : bitsOf(larger(a, b));
  });
  check32("max.ftz.f32 %r0, %r1, %r2;",
          [&](float a, float b, float) { return bitsOf(larger(flushed(a), flushed(b))); });
  check32("min.f32 %r0, %r1, %r2, %r3;",
          [&](float a, float b, float c) { return bitsOf(smaller(smaller(a, b), c)); });
  check32("min.xorsign.abs.f32 %r0, %r1, %r2;", [&](float a, float b, float) {
    float result = smaller(std::fabs(a), std::fabs(b));
    if (std::isnan(result))
      return canonical;
    return std::bit_cast<uint32_t>(std::copysign(result, std::signbit(a) != std::signbit(b) ? -1.0f : 1.0f));
  });
}

TEST(Float, SignOperations) {
  check32("neg.f32 %r0, %r1;", [](float a, float, float) { return std::bit_cast<uint32_t>(a) ^ 0x80000000; });
  check32("abs.f32 %r0, %r1;", [](float a, float, float) { return std::bit_cast<uint32_t>(a) & 0x7FFFFFFF; });
  check32("copysign.f32 %r0, %r1, %r2;", [](float a, float b, float) {
    return (std::bit_cast<uint32_t>(a) & 0x80000000) | (std::bit_cast<uint32_t>(b) & 0x7FFFFFFF);
  });
}

TEST(Float, ApproximationsAtTheirEdges) {
  EXPECT_EQ(one32("rcp.approx.f32 %r0, %r1;", -0.0f), 0xFF800000u);
  EXPECT_EQ(one32("rcp.approx.ftz.f32 %r0, %r1;", 0x1p-140f), 0x7F800000u);
  EXPECT_EQ(one32("rcp.approx.ftz.f32 %r0, %r1;", 0x1p127f), 0u); // the result is subnormal
  EXPECT_EQ(one32("rsqrt.approx.f32 %r0, %r1;", -0.0f), 0xFF800000u);
  EXPECT_EQ(one32("rsqrt.approx.f32 %r0, %r1;", -1.0f), canonical);
  EXPECT_EQ(one32("rsqrt.approx.f32 %r0, %r1;", infinity), 0u);
  EXPECT_EQ(one32("sqrt.approx.f32 %r0, %r1;", -0.0f), 0x80000000u);
  EXPECT_EQ(one32("sqrt.approx.f32 %r0, %r1;", -1.0f), canonical);
  EXPECT_EQ(one32("lg2.approx.f32 %r0, %r1;", 0.0f), 0xFF800000u);
  EXPECT_EQ(one32("lg2.approx.f32 %r0, %r1;", -2.0f), canonical);
  EXPECT_EQ(one32("lg2.approx.f32 %r0, %r1;", 8.0f), std::bit_cast<uint32_t>(3.0f));
  EXPECT_EQ(one32("ex2.approx.f32 %r0, %r1;", -infinity), 0u);
  EXPECT_EQ(one32("ex2.approx.f32 %r0, %r1;", 200.0f), 0x7F800000u);
  EXPECT_EQ(one32("ex2.approx.f32 %r0, %r1;", -3.0f), std::bit_cast<uint32_t>(0.125f));
  EXPECT_EQ(one32("ex2.approx.f32 %r0, %r1;", -130.0f), std::bit_cast<uint32_t>(0x1p-130f));
  EXPECT_EQ(one32("ex2.approx.ftz.f32 %r0, %r1;", -130.0f), 0u);
  EXPECT_EQ(one32("sin.approx.f32 %r0, %r1;", infinity), canonical);
  EXPECT_EQ(one32("cos.approx.f32 %r0, %r1;", 0.0f), std::bit_cast<uint32_t>(1.0f));
  EXPECT_EQ(one32("tanh.approx.f32 %r0, %r1;", -infinity), std::bit_cast<uint32_t>(-1.0f));
  // A divisor above 2^126 gives zero, an infinite dividend then NaN.
  EXPECT_EQ(one32("div.approx.f32 %r0, %r1, %r2;", -3.0f, 0x1.8p126f), 0x80000000u);
  EXPECT_EQ(one32("div.approx.f32 %r0, %r1, %r2;", infinity, 0x1p127f), canonical);
  EXPECT_EQ(one32("div.approx.f32 %r0, %r1, %r2;", 3.0f, 0x1p126f), std::bit_cast<uint32_t>(3.0f / 0x1p126f));
  EXPECT_EQ(one32("div.approx.f32 %r0, %r1, %r2;", 3.0f, infinity), 0u);
}

TEST(Float, ApproximationsWithinTheirBounds) {
  Inputs inputs;
  std::mt19937 random(5);
  for (int i = 0; i < 2000; ++i)
    inputs.push_back(
        {std::bit_cast<uint32_t>(static_cast<float>(random() % 4000001) / 1e5f - 20.0f), 0, 0, 0});
  const struct {
    const char *instruction;
    double (*function)(double);
    double absolute, relative; // PTX ISA 9.7.3.14 to 9.7.3.22
  } cases[] = {{"sin.approx.f32 %r0, %r1;", std::sin, 0x1p-20, 0},
               {"cos.approx.f32 %r0, %r1;", std::cos, 0x1p-20, 0},
               {"ex2.approx.f32 %r0, %r1;", std::exp2, 0, 0x1p-22},
               {"tanh.approx.f32 %r0, %r1;", std::tanh, 0, 0x1p-11}};
  for (const auto &test : cases) {
    auto results = evaluate(to32(test.instruction), inputs);
    for (size_t i = 0; i < inputs.size(); ++i) {
      double expected = test.function(asFloat(inputs[i][0]));
      EXPECT_NEAR(asFloat(results[i]), expected, test.absolute + test.relative * std::fabs(expected))
          << test.instruction;
    }
  }
}

//===----------------------------------------------------------------------===//
// 16 bits
//===----------------------------------------------------------------------===//

Inputs halves(const test::Format &format) {
  const uint32_t top = format.infinityCode();
  const uint32_t edges[] = {0,
                            0x8000,
                            1,
                            0x8001,
                            (1u << format.mantissaBits) - 1,
                            1u << format.mantissaBits,
                            top - 1,
                            top,
                            top | 0x8000,
                            0x7FFF,
                            top + 1,
                            (top - 1) | 0x8000,
                            0x3C00,
                            0x3F80,
                            0xBF80};
  Inputs inputs;
  std::mt19937 random(6);
  for (uint32_t a : edges)
    for (uint32_t b : edges)
      inputs.push_back({a, b, edges[random() % std::size(edges)], 0});
  for (int i = 0; i < 3000; ++i)
    inputs.push_back({random() & 0xFFFF, random() & 0xFFFF, random() & 0xFFFF, 0});
  // Values of like size, where sums round.
  for (int i = 0; i < 3000; ++i) {
    uint32_t exponent = random() % ((1u << format.exponentBits) - 8);
    auto value = [&] {
      return (random() & (0x8000 | ((1u << format.mantissaBits) - 1))) | (exponent + random() % 5)
                                                                             << format.mantissaBits;
    };
    inputs.push_back({value(), value(), value(), 0});
  }
  return inputs;
}

TEST(Float, HalfArithmeticRoundsOnce) {
  for (const test::Format &format : {test::f16, test::bf16}) {
    std::string type = format.name;
    Inputs inputs = halves(format);
    auto check = [&](const std::string &instruction,
                     const std::function<uint32_t(double, double, double)> &reference) {
      auto results = evaluate(to16(instruction), inputs);
      for (size_t i = 0; i < inputs.size(); ++i) {
        auto [a, b, c, d] = inputs[i];
        ASSERT_EQ(results[i],
                  reference(format.value(static_cast<uint32_t>(a)), format.value(static_cast<uint32_t>(b)),
                            format.value(static_cast<uint32_t>(c))))
            << instruction << std::hex << " of " << a << " " << b << " " << c;
      }
    };
    auto relu = [&](uint32_t code) { return code & 0x8000 ? 0u : code; };
    // x + y rounded once; the error of the binary128 sum decides ties. Zero keeps the sign of the double
    // operation.
    auto rounded = [&](double plain, Exact x, Exact y) {
      if (!std::isfinite(plain) || plain == 0)
        return format.nearest(plain);
      Exact sum = x + y, part = sum - x, rest = (x - (sum - part)) + (y - part);
      return format.nearestExact(sum, false, rest);
    };
    auto sum = [&](double a, double b, double) { return rounded(a + b, a, b); };
    auto fma = [&](double a, double b, double c) { return rounded(std::fma(a, b, c), Exact(a) * b, c); };
    check("add." + type + " %h0, %h1, %h2;", sum);
    check("sub." + type + " %h0, %h1, %h2;",
          [&](double a, double b, double) { return rounded(a - b, a, -b); });
    check("mul." + type + " %h0, %h1, %h2;",
          [&](double a, double b, double) { return rounded(a * b, Exact(a) * b, 0); });
    check("fma.rn." + type + " %h0, %h1, %h2, %h3;", fma);
    check("fma.rn.relu." + type + " %h0, %h1, %h2, %h3;",
          [&](double a, double b, double c) { return relu(fma(a, b, c)); });
    check("min.NaN." + type + " %h0, %h1, %h2;", [&](double a, double b, double) {
      if (std::isnan(a) || std::isnan(b))
        return 0x7FFFu;
      return format.nearest(a < b || (a == b && std::signbit(a)) ? a : b);
    });
    check("max." + type + " %h0, %h1, %h2;", [&](double a, double b, double) {
      if (std::isnan(a) || std::isnan(b))
        return format.nearest(std::isnan(a) ? b : a);
      return format.nearest(a > b || (a == b && std::signbit(b)) ? a : b);
    });
    // Packed: both halves, each its own.
    auto packed = evaluate(
        to32("mov.b32 %r5, {%h1, %h2}; mov.b32 %r6, {%h2, %h3}; add." + type + "x2 %r0, %r5, %r6;"), inputs);
    for (size_t i = 0; i < inputs.size(); ++i) {
      double a = format.value(static_cast<uint32_t>(inputs[i][0])),
             b = format.value(static_cast<uint32_t>(inputs[i][1])),
             c = format.value(static_cast<uint32_t>(inputs[i][2]));
      ASSERT_EQ(packed[i], sum(a, b, 0) | uint64_t(sum(b, c, 0)) << 16) << i;
    }
  }
}

TEST(Float, HalfFlagsAndSigns) {
  EXPECT_EQ(one(to16("add.ftz.f16 %h0, %h1, %h2;"), 0x0001, 0x8000), 0u);
  EXPECT_EQ(one(to16("mul.ftz.f16 %h0, %h1, %h2;"), 0x8400, 0x3800), 0x8000u); // the product is subnormal
  EXPECT_EQ(one(to16("add.sat.f16 %h0, %h1, %h2;"), 0x3C00, 0x3C00), 0x3C00u);
  EXPECT_EQ(one(to16("add.sat.f16 %h0, %h1, %h2;"), 0xBC00, 0x0000), 0u);
  EXPECT_EQ(one(to16("add.sat.f16 %h0, %h1, %h2;"), 0x7E00, 0x3C00), 0u);
  EXPECT_EQ(one(to16("neg.bf16 %h0, %h1;"), 0x3F80), 0xBF80u);
  EXPECT_EQ(one(to32("abs.f16x2 %r0, %r1;"), 0xBC00FC00), 0x3C007C00u);
  EXPECT_EQ(one(to16("ex2.approx.f16 %h0, %h1;"), 0xC000), 0x3400u); // 2^-2
  EXPECT_EQ(one(to32("ex2.approx.ftz.bf16x2 %r0, %r1;"), 0x40403F80), 0x41004000u);
  EXPECT_EQ(one(to16("tanh.approx.bf16 %h0, %h1;"), 0xFF80), 0xBF80u);
}

TEST(Float, PackedSingles) {
  auto pair = [](float low, float high) {
    return std::bit_cast<uint32_t>(low) | uint64_t(std::bit_cast<uint32_t>(high)) << 32;
  };
  EXPECT_EQ(one("fma.rn.f32x2 %d0, %d1, %d2, %d3;", pair(2, 3), pair(5, 7), pair(1, -1)), pair(11, 20));
  EXPECT_EQ(one("add.rn.f32x2 %d0, %d1, %d2;", pair(2, 3), pair(5, 7)), pair(7, 10));
  EXPECT_EQ(one(to32("add.f32.bf16 %r0, %h1, %r2;"), 0x3F80, std::bit_cast<uint32_t>(0.5f)),
            std::bit_cast<uint32_t>(1.5f));
  EXPECT_EQ(one(to32("fma.rn.f32.f16 %r0, %h1, %h2, %r3;"), 0x4000, 0x4200, std::bit_cast<uint32_t>(0.5f)),
            std::bit_cast<uint32_t>(6.5f));
}

} // namespace
} // namespace quern::runtime::emulated
