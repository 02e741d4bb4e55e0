//===- CompareTest.cpp - Comparison and selection -------------------------===//
//
// PTX ISA 9.7.6.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/PtxTest.h"

#include <cmath>
#include <functional>
#include <limits>

namespace quern::runtime::emulated {
namespace {

uint32_t bitsOf(float value) { return std::bit_cast<uint32_t>(value); }
float asFloat(uint64_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits)); }
uint64_t one(const std::string &body, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0) {
  return evaluate(body, {{a, b, c, 0}})[0];
}

TEST(Compare, IntegersSignedAndUnsigned) {
  const uint32_t edges[] = {0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 77};
  Inputs inputs;
  for (uint32_t a : edges)
    for (uint32_t b : edges)
      inputs.push_back({a, b, 0, 0});
  const struct {
    const char *name;
    std::function<bool(uint32_t, uint32_t)> holds;
  } cases[] = {{"eq.b32", [](auto a, auto b) { return a == b; }},
               {"ne.s32", [](auto a, auto b) { return a != b; }},
               {"lt.s32", [](auto a, auto b) { return int32_t(a) < int32_t(b); }},
               {"le.s32", [](auto a, auto b) { return int32_t(a) <= int32_t(b); }},
               {"gt.s32", [](auto a, auto b) { return int32_t(a) > int32_t(b); }},
               {"ge.s32", [](auto a, auto b) { return int32_t(a) >= int32_t(b); }},
               {"lt.u32", [](auto a, auto b) { return a < b; }},
               {"lo.u32", [](auto a, auto b) { return a < b; }},
               {"ls.u32", [](auto a, auto b) { return a <= b; }},
               {"hi.u32", [](auto a, auto b) { return a > b; }},
               {"hs.u32", [](auto a, auto b) { return a >= b; }}};
  for (const auto &test : cases) {
    auto results = evaluate(toPredicate("setp." + std::string(test.name) + " %p0, %r1, %r2;"), inputs);
    for (size_t i = 0; i < inputs.size(); ++i)
      EXPECT_EQ(results[i] != 0,
                test.holds(static_cast<uint32_t>(inputs[i][0]), static_cast<uint32_t>(inputs[i][1])))
          << test.name << i;
  }
}

TEST(Compare, FloatsOrderedAndUnordered) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  const float edges[] = {0.0f, -0.0f, 1.0f, -1.0f, inf, -inf, nan, 0x1p-149f, -0x1p-149f};
  Inputs inputs;
  for (float a : edges)
    for (float b : edges)
      inputs.push_back({bitsOf(a), bitsOf(b), 0, 0});
  const struct {
    const char *name;
    std::function<bool(float, float)> ordered;
  } cases[] = {
      {"eq", [](float a, float b) { return a == b; }}, {"ne", [](float a, float b) { return a != b; }},
      {"lt", [](float a, float b) { return a < b; }},  {"le", [](float a, float b) { return a <= b; }},
      {"gt", [](float a, float b) { return a > b; }},  {"ge", [](float a, float b) { return a >= b; }}};
  auto unordered = [](float a, float b) { return std::isnan(a) || std::isnan(b); };
  auto check = [&](const std::string &body, const std::function<bool(float, float)> &holds) {
    auto results = evaluate(toPredicate(body), inputs);
    for (size_t i = 0; i < inputs.size(); ++i)
      EXPECT_EQ(results[i] != 0, holds(asFloat(inputs[i][0]), asFloat(inputs[i][1]))) << body << i;
  };
  for (const auto &test : cases) {
    std::string name = test.name;
    check("setp." + name + ".f32 %p0, %r1, %r2;",
          [&](float a, float b) { return !unordered(a, b) && test.ordered(a, b); });
    check("setp." + name + "u.f32 %p0, %r1, %r2;",
          [&](float a, float b) { return unordered(a, b) || test.ordered(a, b); });
    auto flush = [](float x) { return std::fabs(x) < 0x1p-126f ? 0.0f : x; };
    check("setp." + name + ".ftz.f32 %p0, %r1, %r2;",
          [&](float a, float b) { return !unordered(a, b) && test.ordered(flush(a), flush(b)); });
  }
  check("setp.num.f32 %p0, %r1, %r2;", [&](float a, float b) { return !unordered(a, b); });
  check("setp.nan.f32 %p0, %r1, %r2;", unordered);
}

TEST(Compare, BooleanOperandsAndPairs) {
  // p = (a < b) and not c, q = not (a < b) and not c
  std::string body = "setp.ne.u32 %p2, %r3, 0; setp.lt.and.s32 %p0|%p1, %r1, %r2, !%p2;"
                     "selp.u32 %r5, 1, 0, %p0; selp.u32 %r6, 2, 0, %p1; or.b32 %r0, %r5, %r6;";
  EXPECT_EQ(one(to32(body), 1, 2, 0), 1u);
  EXPECT_EQ(one(to32(body), 2, 1, 0), 2u);
  EXPECT_EQ(one(to32(body), 2, 1, 1), 0u);
  std::string exclusive = toPredicate("setp.ne.u32 %p2, %r3, 0; setp.eq.xor.u32 %p0, %r1, %r2, %p2;");
  EXPECT_EQ(one(exclusive, 5, 5, 0), 1u);
  EXPECT_EQ(one(exclusive, 5, 5, 1), 0u);
  // Packed halves: one predicate for each, low half first.
  std::string packed = to32("setp.lt.f16x2 %p0|%p1, %r1, %r2; selp.u32 %r5, 1, 0, %p0; selp.u32 %r6, 2, 0, "
                            "%p1; or.b32 %r0, %r5, %r6;");
  EXPECT_EQ(one(packed, 0x40003C00, 0x3C004000), 1u);
  EXPECT_EQ(one(packed, 0x3C007E00, 0x40007E00), 2u);
  EXPECT_EQ(one(toPredicate("setp.lt.bf16 %p0, %h1, %h2;"), 0xBF80, 0x0001), 1u);
}

TEST(Compare, SetGivesAllOnesOrOne) {
  EXPECT_EQ(one(to32("set.lt.u32.s32 %r0, %r1, %r2;"), 0xFFFFFFFF, 0), 0xFFFFFFFFu);
  EXPECT_EQ(one(to32("set.lt.u32.u32 %r0, %r1, %r2;"), 0xFFFFFFFF, 0), 0u);
  EXPECT_EQ(one(to32("set.gt.f32.f32 %r0, %r1, %r2;"), bitsOf(2), bitsOf(1)), 0x3F800000u);
  EXPECT_EQ(one(to32("set.ge.f16x2.f16x2 %r0, %r1, %r2;"), 0x3C003C00, 0x40003C00), 0x00003C00u);
  EXPECT_EQ(one(to32("set.eq.u32.bf16x2 %r0, %r1, %r2;"), 0x3F803F80, 0x3F800000), 0xFFFF0000u);
}

TEST(Compare, Selection) {
  EXPECT_EQ(one("setp.ne.u32 %p0, %r3, 0; selp.b64 %d0, %d1, %d2, %p0;", 11, 22, 1), 11u);
  EXPECT_EQ(one("setp.ne.u32 %p0, %r3, 0; selp.b64 %d0, %d1, %d2, %p0;", 11, 22, 0), 22u);
  EXPECT_EQ(one("slct.u64.s32 %d0, %d1, %d2, %r3;", 11, 22, 0), 11u);
  EXPECT_EQ(one("slct.u64.s32 %d0, %d1, %d2, %r3;", 11, 22, 0x80000000), 22u);
  EXPECT_EQ(one("slct.b64.f32 %d0, %d1, %d2, %r3;", 11, 22, bitsOf(-0.0f)), 11u);
  EXPECT_EQ(one("slct.b64.f32 %d0, %d1, %d2, %r3;", 11, 22, bitsOf(NAN)), 22u);
  EXPECT_EQ(one("slct.ftz.b64.f32 %d0, %d1, %d2, %r3;", 11, 22, bitsOf(-0x1p-149f)), 11u);
}

TEST(Compare, TestProperty) {
  auto test = [](const std::string &property, float value) {
    return one(toPredicate("testp." + property + ".f32 %p0, %r1;"), bitsOf(value)) != 0;
  };
  EXPECT_TRUE(test("normal", 0.0f)); // the zeros count as normal
  EXPECT_FALSE(test("normal", 0x1p-140f));
  EXPECT_TRUE(test("subnormal", -0x1p-140f));
  EXPECT_FALSE(test("subnormal", 0.0f));
  EXPECT_TRUE(test("infinite", -INFINITY));
  EXPECT_TRUE(test("number", INFINITY));
  EXPECT_FALSE(test("number", NAN));
  EXPECT_TRUE(test("notanumber", NAN));
  EXPECT_FALSE(test("finite", INFINITY));
}

TEST(Compare, GuardsTakeAndSkip) {
  std::string body =
      "setp.gt.s32 %p0, %r1, %r2; mov.u32 %r0, 7; @%p0 mov.u32 %r0, 8; @!%p0 add.u32 %r0, %r0, 10;";
  EXPECT_EQ(one(to32(body), 2, 1), 8u);
  EXPECT_EQ(one(to32(body), 1, 2), 17u);
}

} // namespace
} // namespace quern::runtime::emulated
