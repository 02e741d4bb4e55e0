//===- IntegerTest.cpp - Integer instructions against the manual ----------===//
//
// Expected values are the formulas of PTX ISA 9.7.1, 9.7.2, 9.7.8 and 9.7.9.7 written again in C++, over edge
// values and random ones.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/PtxTest.h"

#include <algorithm>
#include <functional>
#include <random>

namespace quern::runtime::emulated {
namespace {

using Reference = std::function<uint64_t(uint64_t a, uint64_t b, uint64_t c, uint64_t d)>;

/// Pairs of edge values and some random inputs.
const Inputs &wideInputs() {
  static const Inputs inputs = [] {
    const uint64_t edges[] = {0,          1,          2,          31,         32,         33,         63,
                              64,         0x7F,       0x80,       0xFF,       0x7FFF,     0x8000,     0xFFFF,
                              0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1ull << 32, 1ull << 63, ~0ull >> 1, ~0ull};
    Inputs made;
    std::mt19937_64 random(1);
    for (uint64_t a : edges)
      for (uint64_t b : edges)
        made.push_back({a, b, edges[random() % std::size(edges)], edges[random() % std::size(edges)]});
    for (int i = 0; i < 500; ++i)
      made.push_back({random(), random(), random(), random()});
    // Small positions and lengths, as shifts and bit fields want them.
    for (int i = 0; i < 500; ++i)
      made.push_back({random(), random() % 80, random() % 80, random() % 80});
    return made;
  }();
  return inputs;
}

void check(const std::string &body, const Reference &reference) {
  const Inputs &inputs = wideInputs();
  std::vector<uint64_t> results = evaluate(body, inputs);
  for (size_t i = 0; i < inputs.size(); ++i) {
    auto [a, b, c, d] = inputs[i];
    ASSERT_EQ(results[i], reference(a, b, c, d))
        << body << std::hex << " of " << a << " " << b << " " << c << " " << d;
  }
}
/// The same for 32-bit inputs and results.
void check32(const std::string &instruction,
             const std::function<uint32_t(uint32_t, uint32_t, uint32_t, uint32_t)> &reference) {
  check(to32(instruction), [&](uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
    return reference(static_cast<uint32_t>(a), static_cast<uint32_t>(b), static_cast<uint32_t>(c),
                     static_cast<uint32_t>(d));
  });
}
void check16(const std::string &instruction,
             const std::function<uint16_t(uint16_t, uint16_t, uint16_t)> &reference) {
  check(to16(instruction), [&](uint64_t a, uint64_t b, uint64_t c, uint64_t) {
    return reference(static_cast<uint16_t>(a), static_cast<uint16_t>(b), static_cast<uint16_t>(c));
  });
}

uint64_t one(const std::string &body, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0, uint64_t d = 0) {
  return evaluate(body, {{a, b, c, d}})[0];
}

int32_t s32(uint32_t x) { return static_cast<int32_t>(x); }
int64_t s64(uint64_t x) { return static_cast<int64_t>(x); }
uint32_t clamp32(int64_t x) { return static_cast<uint32_t>(std::clamp<int64_t>(x, INT32_MIN, INT32_MAX)); }

TEST(Integer, AddAndSub) {
  check32("add.s32 %r0, %r1, %r2;", [](auto a, auto b, auto, auto) { return a + b; });
  check32("sub.u32 %r0, %r1, %r2;", [](auto a, auto b, auto, auto) { return a - b; });
  check32("add.sat.s32 %r0, %r1, %r2;",
          [](auto a, auto b, auto, auto) { return clamp32(int64_t(s32(a)) + s32(b)); });
  check32("sub.sat.s32 %r0, %r1, %r2;",
          [](auto a, auto b, auto, auto) { return clamp32(int64_t(s32(a)) - s32(b)); });
  check("add.s64 %d0, %d1, %d2;", [](auto a, auto b, auto, auto) { return a + b; });
  check("sub.u64 %d0, %d1, -5;", [](auto a, auto, auto, auto) { return a + 5; });
  check16("add.s16 %h0, %h1, %h2;", [](auto a, auto b, auto) { return static_cast<uint16_t>(a + b); });
  check32("add.u16x2 %r0, %r1, %r2;",
          [](auto a, auto b, auto, auto) { return ((a + b) & 0xFFFF) | ((a >> 16) + (b >> 16)) << 16; });
}

TEST(Integer, NegAndAbsOfTheMostNegativeValueWrap) {
  check32("neg.s32 %r0, %r1;", [](auto a, auto, auto, auto) { return 0 - a; });
  check32("abs.s32 %r0, %r1;", [](auto a, auto, auto, auto) { return s32(a) < 0 ? 0 - a : a; });
  check("abs.s64 %d0, %d1;", [](auto a, auto, auto, auto) { return s64(a) < 0 ? 0 - a : a; });
}

TEST(Integer, CarryChains) {
  check("add.cc.u32 %r5, %r1, %r2; addc.cc.u32 %r6, %r3, %r4; addc.u32 %r7, 0, 0;"
        "mov.b64 %d0, {%r5, %r6}; xor.b32 %r7, %r7, 0; cvt.u64.u32 %d5, %r7; shl.b64 %d5, %d5, 63; xor.b64 "
        "%d0, %d0, %d5;",
        [](auto a, auto b, auto c, auto d) {
          uint64_t low = (a & 0xFFFFFFFF) + (b & 0xFFFFFFFF),
                   high = (c & 0xFFFFFFFF) + (d & 0xFFFFFFFF) + (low >> 32);
          return ((low & 0xFFFFFFFF) | high << 32) ^ (high >> 32) << 63;
        });
  check("sub.cc.u64 %d5, %d1, %d2; subc.u64 %d0, %d3, %d4;",
        [](auto a, auto b, auto c, auto d) { return c - d - (a < b); });
  check("mad.lo.cc.u32 %r5, %r1, %r2, %r3; madc.hi.u32 %r6, %r1, %r2, %r4; mov.b64 %d0, {%r5, %r6};",
        [](auto a, auto b, auto c, auto d) {
          uint64_t product = (a & 0xFFFFFFFF) * (b & 0xFFFFFFFF);
          return product + (c & 0xFFFFFFFF) + (d << 32);
        });
}

TEST(Integer, Mul) {
  check32("mul.lo.s32 %r0, %r1, %r2;", [](auto a, auto b, auto, auto) { return a * b; });
  check32("mul.hi.s32 %r0, %r1, %r2;",
          [](auto a, auto b, auto, auto) { return static_cast<uint32_t>(int64_t(s32(a)) * s32(b) >> 32); });
  check32("mul.hi.u32 %r0, %r1, %r2;",
          [](auto a, auto b, auto, auto) { return static_cast<uint32_t>(uint64_t(a) * b >> 32); });
  check("mul.hi.u64 %d0, %d1, %d2;", [](auto a, auto b, auto, auto) {
    return static_cast<uint64_t>(static_cast<unsigned __int128>(a) * b >> 64);
  });
  check("mul.wide.s32 %d0, %r1, %r2;", [](auto a, auto b, auto, auto) {
    return static_cast<uint64_t>(int64_t(static_cast<int32_t>(a)) * static_cast<int32_t>(b));
  });
  check("mul.wide.u16 %r0, %h1, %h2; cvt.u64.u32 %d0, %r0;",
        [](auto a, auto b, auto, auto) { return (a & 0xFFFF) * (b & 0xFFFF); });
  check32("mul24.lo.u32 %r0, %r1, %r2;",
          [](auto a, auto b, auto, auto) { return (a & 0xFFFFFF) * (b & 0xFFFFFF); });
  check32("mul24.hi.s32 %r0, %r1, %r2;", [](auto a, auto b, auto, auto) {
    return static_cast<uint32_t>((int64_t(s32(a << 8) >> 8) * (s32(b << 8) >> 8)) >> 16);
  });
}

TEST(Integer, Mad) {
  check32("mad.lo.s32 %r0, %r1, %r2, %r3;", [](auto a, auto b, auto c, auto) { return a * b + c; });
  check32("mad.hi.sat.s32 %r0, %r1, %r2, %r3;",
          [](auto a, auto b, auto c, auto) { return clamp32((int64_t(s32(a)) * s32(b) >> 32) + s32(c)); });
  check("mad.wide.u32 %d0, %r1, %r2, %d3;",
        [](auto a, auto b, auto c, auto) { return (a & 0xFFFFFFFF) * (b & 0xFFFFFFFF) + c; });
  check("mad.lo.u64 %d0, %d1, %d2, %d3;", [](auto a, auto b, auto c, auto) { return a * b + c; });
}

TEST(Integer, DivAndRem) {
  check32("div.s32 %r0, %r1, %r2;", [](auto a, auto b, auto, auto) {
    return b == 0 ? ~0u : static_cast<uint32_t>(int64_t(s32(a)) / s32(b));
  });
  check32("rem.s32 %r0, %r1, %r2;", [](auto a, auto b, auto, auto) {
    return b == 0 ? a : static_cast<uint32_t>(int64_t(s32(a)) % s32(b));
  });
  check("div.u64 %d0, %d1, %d2;", [](auto a, auto b, auto, auto) { return b == 0 ? ~0ull : a / b; });
  check("rem.u64 %d0, %d1, %d2;", [](auto a, auto b, auto, auto) { return b == 0 ? a : a % b; });
  EXPECT_EQ(one("div.s64 %d0, %d1, %d2;", 1ull << 63, ~0ull), 1ull << 63);
  EXPECT_EQ(one("rem.s64 %d0, %d1, %d2;", 1ull << 63, ~0ull), 0u);
}

TEST(Integer, MinAndMax) {
  check32("min.s32 %r0, %r1, %r2;", [](auto a, auto b, auto, auto) { return s32(a) < s32(b) ? a : b; });
  check32("max.u32 %r0, %r1, %r2;", [](auto a, auto b, auto, auto) { return std::max(a, b); });
  check("max.s64 %d0, %d1, %d2;", [](auto a, auto b, auto, auto) { return s64(a) > s64(b) ? a : b; });
  check32("max.relu.s32 %r0, %r1, %r2;",
          [](auto a, auto b, auto, auto) { return static_cast<uint32_t>(std::max({s32(a), s32(b), 0})); });
  check32("min.s16x2 %r0, %r1, %r2;", [](auto a, auto b, auto, auto) {
    auto low = [](uint32_t x) { return static_cast<int16_t>(x); };
    uint32_t l = static_cast<uint16_t>(std::min(low(a), low(b))),
             h = static_cast<uint16_t>(std::min(low(a >> 16), low(b >> 16)));
    return l | h << 16;
  });
}

TEST(Integer, Logic) {
  check32("and.b32 %r0, %r1, %r2;", [](auto a, auto b, auto, auto) { return a & b; });
  check("or.b64 %d0, %d1, %d2;", [](auto a, auto b, auto, auto) { return a | b; });
  check16("xor.b16 %h0, %h1, %h2;", [](auto a, auto b, auto) { return static_cast<uint16_t>(a ^ b); });
  check("not.b64 %d0, %d1;", [](auto a, auto, auto, auto) { return ~a; });
  check32("cnot.b32 %r0, %r1;", [](auto a, auto, auto, auto) { return a == 0 ? 1u : 0u; });
  check(toPredicate(
            "setp.eq.u32 %p1, %r1, 0; setp.eq.u32 %p2, %r2, 0; xor.pred %p0, %p1, %p2; not.pred %p0, %p0;"),
        [](auto a, auto b, auto, auto) {
          return uint64_t((static_cast<uint32_t>(a) == 0) == (static_cast<uint32_t>(b) == 0));
        });
}

TEST(Integer, ShiftsClampTheirAmount) {
  check32("shl.b32 %r0, %r1, %r2;", [](auto a, auto b, auto, auto) { return b > 31 ? 0 : a << b; });
  check32("shr.u32 %r0, %r1, %r2;", [](auto a, auto b, auto, auto) { return b > 31 ? 0 : a >> b; });
  check32("shr.s32 %r0, %r1, %r2;",
          [](auto a, auto b, auto, auto) { return static_cast<uint32_t>(s32(a) >> std::min(b, 31u)); });
  check("shl.b64 %d0, %d1, %r2;", [](auto a, auto b, auto, auto) {
    auto n = static_cast<uint32_t>(b);
    return n > 63 ? 0 : a << n;
  });
  check("shr.s64 %d0, %d1, %r2;", [](auto a, auto b, auto, auto) {
    return static_cast<uint64_t>(s64(a) >> std::min(static_cast<uint32_t>(b), 63u));
  });
  check("shl.b16 %h0, %h1, %r2; cvt.u64.u16 %d0, %h0;", [](auto a, auto b, auto, auto) {
    auto n = static_cast<uint32_t>(b);
    return uint64_t(n > 15 ? 0 : static_cast<uint16_t>(a << n));
  });
  check("shr.s16 %h0, %h1, %r2; cvt.u64.u16 %d0, %h0;", [](auto a, auto b, auto, auto) {
    return uint64_t(
        static_cast<uint16_t>(static_cast<int16_t>(a) >> std::min(static_cast<uint32_t>(b), 15u)));
  });
}

TEST(Integer, FunnelShift) {
  auto left = [](uint32_t a, uint32_t b, uint32_t n) {
    return n == 0 ? b : n == 32 ? a : b << n | a >> (32 - n);
  };
  auto right = [](uint32_t a, uint32_t b, uint32_t n) {
    return n == 0 ? a : n == 32 ? b : b << (32 - n) | a >> n;
  };
  check32("shf.l.wrap.b32 %r0, %r1, %r2, %r3;",
          [&](auto a, auto b, auto c, auto) { return left(a, b, c & 31); });
  check32("shf.l.clamp.b32 %r0, %r1, %r2, %r3;",
          [&](auto a, auto b, auto c, auto) { return left(a, b, std::min(c, 32u)); });
  check32("shf.r.wrap.b32 %r0, %r1, %r2, %r3;",
          [&](auto a, auto b, auto c, auto) { return right(a, b, c & 31); });
  check32("shf.r.clamp.b32 %r0, %r1, %r2, %r3;",
          [&](auto a, auto b, auto c, auto) { return right(a, b, std::min(c, 32u)); });
}

/// The loops of PTX ISA 9.7.1.20 and 9.7.1.21, bit by bit.
uint64_t extract(uint64_t a, uint32_t b, uint32_t c, int msb, bool isSigned) {
  int position = b & 0xFF, length = c & 0xFF;
  uint64_t sign = isSigned && length != 0 ? a >> std::min(position + length - 1, msb) & 1 : 0, result = 0;
  for (int i = 0; i <= msb; ++i)
    result |= (i < length && position + i <= msb ? a >> (position + i) & 1 : sign) << i;
  return result;
}
uint64_t insert(uint64_t a, uint64_t b, uint32_t c, uint32_t d, int msb) {
  int position = c & 0xFF, length = d & 0xFF;
  for (int i = 0; i < length && position + i <= msb; ++i)
    b = (b & ~(1ull << (position + i))) | (a >> i & 1) << (position + i);
  return b;
}

TEST(Integer, BitFields) {
  check32("bfe.u32 %r0, %r1, %r2, %r3;",
          [](auto a, auto b, auto c, auto) { return static_cast<uint32_t>(extract(a, b, c, 31, false)); });
  check32("bfe.s32 %r0, %r1, %r2, %r3;",
          [](auto a, auto b, auto c, auto) { return static_cast<uint32_t>(extract(a, b, c, 31, true)); });
  check("bfe.u64 %d0, %d1, %r2, %r3;", [](auto a, auto b, auto c, auto) {
    return extract(a, static_cast<uint32_t>(b), static_cast<uint32_t>(c), 63, false);
  });
  check("bfe.s64 %d0, %d1, %r2, %r3;", [](auto a, auto b, auto c, auto) {
    return extract(a, static_cast<uint32_t>(b), static_cast<uint32_t>(c), 63, true);
  });
  check32("bfi.b32 %r0, %r1, %r2, %r3, %r4;",
          [](auto a, auto b, auto c, auto d) { return static_cast<uint32_t>(insert(a, b, c, d, 31)); });
  check("bfi.b64 %d0, %d1, %d2, %r3, %r4;", [](auto a, auto b, auto c, auto d) {
    return insert(a, b, static_cast<uint32_t>(c), static_cast<uint32_t>(d), 63);
  });
  check32("bmsk.wrap.b32 %r0, %r1, %r2;", [](auto a, auto b, auto, auto) {
    uint32_t position = a & 31, width = b & 31, result = 0;
    for (uint32_t i = position; i < std::min(position + width, 32u); ++i)
      result |= 1u << i;
    return result;
  });
  check32("bmsk.clamp.b32 %r0, %r1, %r2;", [](auto a, auto b, auto, auto) {
    uint32_t result = 0;
    for (uint64_t i = a; i < std::min<uint64_t>(uint64_t(a) + b, 32); ++i)
      result |= 1u << i;
    return result;
  });
  check32("szext.clamp.s32 %r0, %r1, %r2;", [](auto a, auto b, auto, auto) {
    if (b >= 32)
      return a;
    return b == 0 ? 0 : static_cast<uint32_t>(s32(a << (32 - b)) >> (32 - b));
  });
  check32("szext.wrap.u32 %r0, %r1, %r2;",
          [](auto a, auto b, auto, auto) { return a & ((1u << (b & 31)) - 1); });
}

TEST(Integer, BitCounts) {
  check32("popc.b32 %r0, %r1;",
          [](auto a, auto, auto, auto) { return static_cast<uint32_t>(std::popcount(a)); });
  check(to32("popc.b64 %r0, %d1;"), [](auto a, auto, auto, auto) { return uint64_t(std::popcount(a)); });
  check32("clz.b32 %r0, %r1;",
          [](auto a, auto, auto, auto) { return static_cast<uint32_t>(std::countl_zero(a)); });
  check(to32("clz.b64 %r0, %d1;"), [](auto a, auto, auto, auto) { return uint64_t(std::countl_zero(a)); });
  check32("brev.b32 %r0, %r1;", [](auto a, auto, auto, auto) {
    uint32_t result = 0;
    for (int i = 0; i < 32; ++i)
      result |= (a >> i & 1) << (31 - i);
    return result;
  });
  check32("bfind.u32 %r0, %r1;",
          [](auto a, auto, auto, auto) { return static_cast<uint32_t>(31 - std::countl_zero(a)); });
  check32("bfind.shiftamt.u32 %r0, %r1;",
          [](auto a, auto, auto, auto) { return a == 0 ? ~0u : static_cast<uint32_t>(std::countl_zero(a)); });
  check(to32("bfind.s64 %r0, %d1;"), [](auto a, auto, auto, auto) {
    uint64_t magnitude = s64(a) < 0 ? ~a : a;
    return uint64_t(static_cast<uint32_t>(63 - std::countl_zero(magnitude)));
  });
  // fns: the third set bit upwards from 2, the second downwards from 9, the bit at the base itself, none.
  EXPECT_EQ(one(to32("fns.b32 %r0, 0b1011011100, 2, 3;")), 4u);
  EXPECT_EQ(one(to32("fns.b32 %r0, 0b1011011100, 9, -2;")), 7u);
  EXPECT_EQ(one(to32("fns.b32 %r0, 0b1000, 3, 0;")), 3u);
  EXPECT_EQ(one(to32("fns.b32 %r0, 0b1000, 4, 1;")), 0xFFFFFFFFu);
}

TEST(Integer, Permute) {
  auto permute = [](uint32_t a, uint32_t b, uint32_t selector) {
    uint32_t result = 0;
    for (int i = 0; i < 4; ++i) {
      uint32_t nibble = selector >> (4 * i) & 15, byte = (nibble & 4 ? b : a) >> (8 * (nibble & 3)) & 0xFF;
      if (nibble & 8)
        byte = byte & 0x80 ? 0xFF : 0;
      result |= byte << (8 * i);
    }
    return result;
  };
  check32("prmt.b32 %r0, %r1, %r2, %r3;", [&](auto a, auto b, auto c, auto) { return permute(a, b, c); });
  for (uint32_t selector : {0x7632u, 0x5410u, 0x3210u, 0xFEDCu, 0x0B7Au})
    check32("prmt.b32 %r0, %r1, %r2, " + std::to_string(selector) + ";",
            [&](auto a, auto b, auto, auto) { return permute(a, b, selector); });
  // The six modes for each selector value, from the table of the manual: bytes of the result, high to low.
  const struct {
    const char *mode;
    uint32_t bytes[4];
  } modes[] = {{"f4e", {0x3210, 0x4321, 0x5432, 0x6543}}, {"b4e", {0x5670, 0x6701, 0x7012, 0x0123}},
               {"rc8", {0x0000, 0x1111, 0x2222, 0x3333}}, {"ecl", {0x3210, 0x3211, 0x3222, 0x3333}},
               {"ecr", {0x0000, 0x1110, 0x2210, 0x3210}}, {"rc16", {0x1010, 0x3232, 0x1010, 0x3232}}};
  for (const auto &mode : modes)
    check32("prmt.b32." + std::string(mode.mode) + " %r0, %r1, %r2, %r3;",
            [&](auto a, auto b, auto c, auto) { return permute(a, b, mode.bytes[c & 3]); });
}

TEST(Integer, Lop3TakesItsTable) {
  for (uint32_t table : {0x00u, 0x80u, 0xFEu, 0x96u, 0xE8u, 0xCAu, 0x1Au, 0xFFu})
    check32("lop3.b32 %r0, %r1, %r2, %r3, " + std::to_string(table) + ";", [&](auto a, auto b, auto c, auto) {
      uint32_t result = 0;
      for (int i = 0; i < 32; ++i)
        result |= (table >> ((a >> i & 1) * 4 + (b >> i & 1) * 2 + (c >> i & 1)) & 1) << i;
      return result;
    });
  // F0 is a, CC is b, AA is c.
  check32("lop3.b32 %r0, %r1, %r2, %r3, 0xCC;", [](auto, auto b, auto, auto) { return b; });
}

TEST(Integer, DotProducts) {
  auto byte = [](uint32_t x, int i, bool isSigned) {
    uint32_t value = x >> (8 * i) & 0xFF;
    return isSigned ? static_cast<int32_t>(static_cast<int8_t>(value)) : static_cast<int32_t>(value);
  };
  check32("dp4a.s32.u32 %r0, %r1, %r2, %r3;", [&](auto a, auto b, auto c, auto) {
    for (int i = 0; i < 4; ++i)
      c += static_cast<uint32_t>(byte(a, i, true) * byte(b, i, false));
    return c;
  });
  check32("dp2a.hi.u32.s32 %r0, %r1, %r2, %r3;", [&](auto a, auto b, auto c, auto) {
    return c + static_cast<uint32_t>(static_cast<int32_t>(a & 0xFFFF) * byte(b, 2, true)) +
           static_cast<uint32_t>(static_cast<int32_t>(a >> 16) * byte(b, 3, true));
  });
  check32("dp2a.lo.s32.s32 %r0, %r1, %r2, %r3;", [&](auto a, auto b, auto c, auto) {
    return c + static_cast<uint32_t>(static_cast<int16_t>(a) * byte(b, 0, true)) +
           static_cast<uint32_t>(static_cast<int16_t>(a >> 16) * byte(b, 1, true));
  });
}

TEST(Integer, SumOfAbsoluteDifferences) {
  check32("sad.u32 %r0, %r1, %r2, %r3;",
          [](auto a, auto b, auto c, auto) { return c + (a < b ? b - a : a - b); });
  check32("sad.s32 %r0, %r1, %r2, %r3;",
          [](auto a, auto b, auto c, auto) { return c + (s32(a) < s32(b) ? b - a : a - b); });
}

TEST(Integer, Conversions) {
  check("cvt.s64.s32 %d0, %r1;",
        [](auto a, auto, auto, auto) { return static_cast<uint64_t>(int64_t(static_cast<int32_t>(a))); });
  check("cvt.s64.s8 %d0, %d1;",
        [](auto a, auto, auto, auto) { return static_cast<uint64_t>(int64_t(static_cast<int8_t>(a))); });
  check32("cvt.s8.s32 %r0, %r1;",
          [](auto a, auto, auto, auto) { return static_cast<uint32_t>(int32_t(static_cast<int8_t>(a))); });
  check32("cvt.u16.u32 %r0, %r1;", [](auto a, auto, auto, auto) { return a & 0xFFFF; });
  check32("cvt.sat.u8.s32 %r0, %r1;",
          [](auto a, auto, auto, auto) { return static_cast<uint32_t>(std::clamp(s32(a), 0, 255)); });
  check("cvt.sat.s32.u64 %r0, %d1; cvt.s64.s32 %d0, %r0;",
        [](auto a, auto, auto, auto) { return std::min<uint64_t>(a, INT32_MAX); });
  check("cvt.sat.u32.s64 %r0, %d1; cvt.u64.u32 %d0, %r0;", [](auto a, auto, auto, auto) {
    return static_cast<uint64_t>(std::clamp<int64_t>(s64(a), 0, UINT32_MAX));
  });
  check32("cvt.pack.sat.s8.s32.b32 %r0, %r1, %r2, %r3;", [](auto a, auto b, auto c, auto) {
    auto clamped = [](uint32_t x) { return static_cast<uint32_t>(std::clamp(s32(x), -128, 127)) & 0xFF; };
    return c << 16 | clamped(a) << 8 | clamped(b);
  });
  check32("cvt.pack.sat.u16.s32 %r0, %r1, %r2;", [](auto a, auto b, auto, auto) {
    auto clamped = [](uint32_t x) { return static_cast<uint32_t>(std::clamp(s32(x), 0, 65535)); };
    return clamped(a) << 16 | clamped(b);
  });
}

TEST(Integer, MovesPackAndUnpack) {
  check("mov.b64 {%r5, %r6}, %d1; mov.b64 %d0, {%r6, %r5};",
        [](auto a, auto, auto, auto) { return a << 32 | a >> 32; });
  check("mov.b32 {%h5, %h6}, %r1; mov.b32 %r0, {%h6, %h5}; cvt.u64.u32 %d0, %r0;",
        [](auto a, auto, auto, auto) { return (a & 0xFFFF) << 16 | (a >> 16 & 0xFFFF); });
  check("mov.b64 {%h5, %h6, %h7, %h8}, %d1; mov.b64 %d0, {%h8, %h7, %h6, %h5};",
        [](auto a, auto, auto, auto) {
          return (a & 0xFFFF) << 48 | (a >> 16 & 0xFFFF) << 32 | (a >> 32 & 0xFFFF) << 16 | a >> 48;
        });
  check("mov.b32 {_, %h5}, %r1; cvt.u64.u16 %d0, %h5;",
        [](auto a, auto, auto, auto) { return a >> 16 & 0xFFFF; });
  check(".reg .b128 %q; mov.b128 %q, {%d1, %d2}; mov.b128 {%d5, %d0}, %q;",
        [](auto, auto b, auto, auto) { return b; });
}

} // namespace
} // namespace quern::runtime::emulated
