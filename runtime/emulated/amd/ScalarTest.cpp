//===- ScalarTest.cpp - Scalar instructions against formulas --------------===//
//
// Scalar instructions that compiled functions do not reach, over all pairs of edge operands; result and SCC
// are compared with formulas from the vendor's manuals.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/TestKernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <functional>

namespace quern::runtime::emulated::amd {
namespace {

using u32 = uint32_t;
using i32 = int32_t;
using u64 = uint64_t;
using i64 = int64_t;

enum Targets : unsigned { Gfx1201 = 16, All = 31 };
unsigned targetBit(const std::string &target) {
  auto all = allTargets();
  return 1u << (std::find(all.begin(), all.end(), target) - all.begin());
}

/// Operands in s20 (s[20:21]) and s22 (s[22:23]), result in s24 (s[24:25]), SCC 1 before.
struct ScalarFormula {
  std::string text;
  unsigned targets;
  std::function<u64(u64, u64, bool &)> value; ///< result and the new SCC
  bool wide = false;
};

class Scalars : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Targets, Scalars, testing::ValuesIn(allTargets()),
                         [](const auto &info) { return info.param; });

TEST_P(Scalars, EqualTheirFormulas) {
  bool newer = isWave32(GetParam()), gfx12 = GetParam() == "gfx1201";
  auto reverse = [](u64 x, unsigned bits) {
    u64 r = 0;
    for (unsigned i = 0; i < bits; ++i)
      r |= (x >> i & 1) << (bits - 1 - i);
    return r;
  };
  auto field = [](u64 x, u32 control, unsigned bits, bool isSigned) -> u64 {
    unsigned offset = control & (bits - 1), width = control >> 16 & 127;
    if (width == 0)
      return 0;
    __int128 value = isSigned ? (bits == 32 ? __int128(i32(x)) : __int128(i64(x))) : __int128(x);
    value >>= offset;
    if (width < bits) {
      u64 low = u64(value) & ((u64(1) << width) - 1);
      return isSigned && low >> (width - 1) ? low | ~u64(0) << width : low;
    }
    return u64(value);
  };
  using S = bool &;
  std::vector<ScalarFormula> list = {
      {"s_absdiff_i32 s24, s20, s22", All,
       [](u64 a, u64 b, S scc) {
         u32 d = u32(a) - u32(b);
         u32 r = i32(d) < 0 ? 0 - d : d;
         scc = r;
         return r;
       }},
      {"s_bcnt0_i32_b32 s24, s20", All,
       [](u64 a, u64, S scc) {
         u32 r = 32 - u32(std::popcount(u32(a)));
         scc = r;
         return r;
       }},
      {"s_bcnt0_i32_b64 s24, s[20:21]", All,
       [](u64 a, u64, S scc) {
         u32 r = 64 - u32(std::popcount(a));
         scc = r;
         return r;
       }},
      {"s_bfe_u64 s[24:25], s[20:21], s22", All,
       [&](u64 a, u64 b, S scc) {
         u64 r = field(a, u32(b), 64, false);
         scc = r;
         return r;
       },
       true},
      {"s_bfe_i64 s[24:25], s[20:21], s22", All,
       [&](u64 a, u64 b, S scc) {
         u64 r = field(a, u32(b), 64, true);
         scc = r;
         return r;
       },
       true},
      {"s_bfe_i32 s24, s20, s22", All,
       [&](u64 a, u64 b, S scc) {
         u32 r = u32(field(u32(a), u32(b), 32, true));
         scc = r;
         return r;
       }},
      {"s_bfm_b32 s24, s20, s22", All, [](u64 a, u64 b, S) { return ((1u << (a & 31)) - 1) << (b & 31); }},
      {"s_bfm_b64 s[24:25], s20, s22", All,
       [](u64 a, u64 b, S) { return ((u64(1) << (a & 63)) - 1) << (b & 63); }, true},
      {"s_bitreplicate_b64_b32 s[24:25], s20", All,
       [](u64 a, u64, S) {
         u64 r = 0;
         for (int i = 0; i < 64; ++i)
           r |= (a >> (i / 2) & 1) << i;
         return r;
       },
       true},
      {"s_bitset0_b64 s[24:25], s20", All,
       [](u64 a, u64, S) { return 0x123456789abcdef0 & ~(u64(1) << (a & 63)); }, true},
      {"s_bitset1_b32 s24, s20", All, [](u64 a, u64, S) { return 0x9abcdef0u | 1u << (a & 31); }},
      {"s_bitcmp0_b32 s20, s22", All,
       [](u64 a, u64 b, S scc) {
         scc = !(a >> (b & 31) & 1);
         return 0x9abcdef0;
       }},
      {"s_bitcmp1_b64 s[20:21], s22", All,
       [](u64 a, u64 b, S scc) {
         scc = a >> (b & 63) & 1;
         return 0x9abcdef0;
       }},
      {"s_cmov_b32 s24, s20", All, [](u64 a, u64, S) { return u32(a); }},
      {"s_cmovk_i32 s24, 0xfffe", All, [](u64, u64, S) { return 0xfffffffe; }},
      {"s_cmpk_lt_i32 s20, 0xffff", All & ~Gfx1201,
       [](u64 a, u64, S scc) {
         scc = i32(a) < -1;
         return 0x9abcdef0;
       }},
      {"s_cmpk_lt_u32 s20, 0xffff", All & ~Gfx1201,
       [](u64 a, u64, S scc) {
         scc = u32(a) < 0xffff;
         return 0x9abcdef0;
       }},
      {"s_sext_i32_i8 s24, s20", All, [](u64 a, u64, S) { return u32(i32(int8_t(a))); }},
      {"s_brev_b64 s[24:25], s[20:21]", All, [&](u64 a, u64, S) { return reverse(a, 64); }, true},
      {"s_not_b64 s[24:25], s[20:21]", All,
       [](u64 a, u64, S scc) {
         scc = ~a;
         return ~a;
       },
       true},
      {"s_nand_b64 s[24:25], s[20:21], s[22:23]", All,
       [](u64 a, u64 b, S scc) {
         u64 r = ~(a & b);
         scc = r;
         return r;
       },
       true},
      {"s_nor_b32 s24, s20, s22", All,
       [](u64 a, u64 b, S scc) {
         u32 r = u32(~(a | b));
         scc = r;
         return r;
       }},
      {"s_xnor_b32 s24, s20, s22", All,
       [](u64 a, u64 b, S scc) {
         u32 r = u32(~(a ^ b));
         scc = r;
         return r;
       }},
      {std::string(newer ? "s_and_not1_b32" : "s_andn2_b32") + " s24, s20, s22", All,
       [](u64 a, u64 b, S scc) {
         u32 r = u32(a & ~b);
         scc = r;
         return r;
       }},
      {std::string(newer ? "s_or_not1_b64" : "s_orn2_b64") + " s[24:25], s[20:21], s[22:23]", All,
       [](u64 a, u64 b, S scc) {
         u64 r = a | ~b;
         scc = r;
         return r;
       },
       true},
      {"s_pack_lh_b32_b16 s24, s20, s22", All,
       [](u64 a, u64 b, S) { return (u32(a) & 0xffff) | (u32(b) & 0xffff0000); }},
      {"s_pack_ll_b32_b16 s24, s20, s22", All,
       [](u64 a, u64 b, S) { return (u32(a) & 0xffff) | u32(b) << 16; }},
      {"s_pack_hh_b32_b16 s24, s20, s22", All,
       [](u64 a, u64 b, S) { return u32(a) >> 16 | (u32(b) & 0xffff0000); }},
      {"s_quadmask_b32 s24, s20", All,
       [](u64 a, u64, S scc) {
         u32 r = 0;
         for (int i = 0; i < 8; ++i)
           r |= u32((a >> (4 * i) & 15) != 0) << i;
         scc = r;
         return r;
       }},
      {"s_wqm_b64 s[24:25], s[20:21]", All,
       [](u64 a, u64, S scc) {
         u64 r = 0;
         for (int i = 0; i < 16; ++i)
           if (a >> (4 * i) & 15)
             r |= u64(15) << (4 * i);
         scc = r;
         return r;
       },
       true},
      {"s_lshl4_add_u32 s24, s20, s22", All,
       [](u64 a, u64 b, S scc) {
         u64 r = (u64(u32(a)) << 4) + u32(b);
         scc = r >> 32;
         return u32(r);
       }},
      {"s_lshl1_add_u32 s24, s20, s22", All,
       [](u64 a, u64 b, S scc) {
         u64 r = (u64(u32(a)) << 1) + u32(b);
         scc = r >> 32;
         return u32(r);
       }},
      {std::string(newer ? "s_cls_i32_i64" : "s_flbit_i32_i64") + " s24, s[20:21]", All,
       [](u64 a, u64, S) {
         u64 x = i64(a) < 0 ? ~a : a;
         return x ? u32(std::countl_zero(x)) : ~0u;
       }},
      {std::string(gfx12 ? "s_add_co_ci_u32" : "s_addc_u32") + " s24, s20, s22", All,
       [](u64 a, u64 b, S scc) {
         u64 r = u64(u32(a)) + u32(b) + scc;
         scc = r >> 32;
         return u32(r);
       }},
      {std::string(gfx12 ? "s_sub_co_ci_u32" : "s_subb_u32") + " s24, s20, s22", All,
       [](u64 a, u64 b, S scc) {
         i64 r = i64(u32(a)) - u32(b) - scc;
         scc = r < 0;
         return u32(r);
       }},
      {"s_mul_hi_i32 s24, s20, s22", All, [](u64 a, u64 b, S) { return u32(i64(i32(a)) * i32(b) >> 32); }},
  };
  static const u64 as[] = {
      0, 1, 0x80000000, ~0ull, 0x8000000000000000, 0x123456789abcdef0, 0x00f0000010000001, 47};
  static const u64 bs[] = {0,          5,         0x00080004, 0x0020003f, 0x00400010, 0xffffffffffffffff,
                           0x0030002f, 0x000a001c};
  auto literal = [](u32 x) {
    char digits[16];
    std::snprintf(digits, sizeof digits, "0x%x", x);
    return std::string(digits);
  };
  // One kernel for all: a running digest keeps the results of all operand pairs in three registers per
  // formula.
  std::string text = "v_mov_b32 v203, 0x01000193\n", mix;
  std::vector<const ScalarFormula *> used;
  for (const ScalarFormula &formula : list)
    if (formula.targets & targetBit(GetParam()))
      used.push_back(&formula);
  for (u64 a : as)
    for (u64 b : bs) {
      text += "s_mov_b32 s20, " + literal(u32(a)) + "\ns_mov_b32 s21, " + literal(u32(a >> 32)) +
              "\ns_mov_b32 s22, " + literal(u32(b)) + "\ns_mov_b32 s23, " + literal(u32(b >> 32)) + "\n";
      for (size_t k = 0; k < used.size(); ++k) {
        text += "s_mov_b32 s24, 0x9abcdef0\ns_mov_b32 s25, 0x12345678\ns_cmp_eq_u32 s24, s24\n" +
                used[k]->text + "\ns_cselect_b32 s26, 1, 0\n";
        for (unsigned part = 0; part < 3; ++part) {
          std::string digest = "v" + std::to_string(30 + 3 * k + part);
          text += "v_mul_lo_u32 " + digest + ", " + digest + ", v203\nv_xor_b32 " + digest + ", s" +
                  std::to_string(24 + part) + ", " + digest + "\n";
        }
      }
    }
  auto outs = runSnippet(GetParam(), text, {std::vector<u32>(1)}, unsigned(3 * used.size()));
  for (size_t k = 0; k < used.size(); ++k) {
    u32 low = 0x5a5a5a5a, high = low, flag = low;
    for (u64 a : as)
      for (u64 b : bs) {
        bool scc = true;
        u64 r = used[k]->value(a, b, scc);
        low = low * 0x01000193 ^ u32(r);
        high = high * 0x01000193 ^ (used[k]->wide ? u32(r >> 32) : 0x12345678);
        flag = flag * 0x01000193 ^ scc;
      }
    EXPECT_EQ(outs[3 * k][0], low) << used[k]->text;
    EXPECT_EQ(outs[3 * k + 1][0], high) << used[k]->text;
    EXPECT_EQ(outs[3 * k + 2][0], flag) << used[k]->text << " (scc)";
  }
}

} // namespace
} // namespace quern::runtime::emulated::amd
