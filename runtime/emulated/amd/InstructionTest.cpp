//===- InstructionTest.cpp - Single instructions against formulas ---------===//
//
// Each test assembles a few instructions with LLVM's assembler, runs them over a table of operands and
// compares with a formula written here from the vendor's manual. What LLVM's code generation never writes, or
// what an emulator is likely to get wrong silently, stands here; the rest is in HostComparisonTest.cpp.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/TestKernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <random>

namespace quern::runtime::emulated::amd {
namespace {

using Words = std::vector<uint32_t>;

class Instructions : public testing::TestWithParam<std::string> {
protected:
  bool wave32() const { return isWave32(GetParam()); }
  bool gfx12() const { return GetParam() == "gfx1201"; }
  unsigned width() const { return wave32() ? 32 : 64; }
  std::string vcc() const { return wave32() ? "vcc_lo" : "vcc"; }
  std::string wait() const { return gfx12() ? "s_wait_dscnt 0x0\n" : "s_waitcnt lgkmcnt(0)\n"; }
  /// Sets EXEC to the low bits of |mask|.
  std::string setExec(uint64_t mask) const {
    char text[96];
    if (wave32())
      std::snprintf(text, sizeof text, "s_mov_b32 exec_lo, 0x%x\n", unsigned(mask));
    else
      std::snprintf(text, sizeof text, "s_mov_b32 exec_lo, 0x%x\ns_mov_b32 exec_hi, 0x%x\n", unsigned(mask),
                    unsigned(mask >> 32));
    return text;
  }
  Words run1(const std::string &snippet, const std::vector<Words> &inputs) const {
    return runSnippet(GetParam(), snippet, inputs)[0];
  }
};
INSTANTIATE_TEST_SUITE_P(Targets, Instructions, testing::ValuesIn(allTargets()),
                         [](const auto &info) { return info.param; });

/// Per-lane data that tells lanes apart.
Words ramp(unsigned count, uint32_t first = 100) {
  Words words(count);
  for (unsigned i = 0; i < count; ++i)
    words[i] = first + i * 3;
  return words;
}
Words floats(std::initializer_list<float> values) {
  Words words;
  for (float x : values)
    words.push_back(bits(x));
  return words;
}

//===-- EXEC ------------------------------------------------------------------===//

TEST_P(Instructions, NothingIsWrittenUnderAnEmptyExec) {
  unsigned n = width();
  auto outs = runSnippet(GetParam(),
                         setExec(0) + "v_mov_b32 v30, 1\nv_cmp_eq_u32 " + vcc() + ", v10, v10\n" +
                             setExec(~uint64_t(0)) + "v_mov_b32 v31, vcc_lo\n",
                         {ramp(n)}, 2);
  EXPECT_EQ(outs[0], Words(n, 0x5a5a5a5a));
  EXPECT_EQ(outs[1], Words(n, 0));
}

TEST_P(Instructions, SaveExecFormsAndScc) {
  unsigned n = width();
  std::string b = wave32() ? "b32" : "b64", s20 = wave32() ? "s20" : "s[20:21]",
              s22 = wave32() ? "s22" : "s[22:23]";
  std::string load = wave32() ? "s_mov_b32 s20, 0xc\n" : "s_mov_b64 s[20:21], 0xc\n";
  std::string andn2 = wave32() ? "s_and_not1_saveexec_" : "s_andn2_saveexec_",
              orn2 = wave32() ? "s_or_not1_saveexec_" : "s_orn2_saveexec_";
  for (auto &[name, expected] :
       std::initializer_list<std::pair<std::string, uint64_t>>{{"s_and_saveexec_", 0xa & 0xc},
                                                               {"s_or_saveexec_", 0xa | 0xc},
                                                               {"s_xor_saveexec_", 0xa ^ 0xc},
                                                               {andn2, 0xc & ~0xaull},
                                                               {orn2, ~0xaull | 0xc},
                                                               {"s_nand_saveexec_", ~(0xaull & 0xc)},
                                                               {"s_nor_saveexec_", ~(0xaull | 0xc)},
                                                               {"s_xnor_saveexec_", ~(0xaull ^ 0xc)}}) {
    auto outs =
        runSnippet(GetParam(),
                   load + setExec(0xa) + name + b + " " + s22 + ", " + s20 + "\ns_cselect_b32 s26, 1, 0\n" +
                       (wave32() ? "s_mov_b32 s24, exec_lo\n" : "s_mov_b64 s[24:25], exec\n") +
                       setExec(~uint64_t(0)) + "v_mov_b32 v30, s22\nv_mov_b32 v31, s24\nv_mov_b32 v32, s26\n",
                   {ramp(n)}, 3);
    EXPECT_EQ(outs[0][0], 0xau) << name;
    EXPECT_EQ(outs[1][0], uint32_t(expected)) << name;
    EXPECT_EQ(outs[2][0], 1u) << name;
  }
}

TEST_P(Instructions, CompareAndSetExec) {
  unsigned n = width();
  Words in(n);
  for (unsigned i = 0; i < n; ++i)
    in[i] = i % 3;
  std::string compare = wave32() ? "v_cmpx_eq_u32 v10, v11\n" : "v_cmpx_eq_u32 vcc, v10, v11\n";
  Words out = run1("v_mov_b32 v30, 0\n" + compare + "v_mov_b32 v30, 1\n", {in, Words(n, 1)});
  for (unsigned i = 0; i < n; ++i)
    ASSERT_EQ(out[i], i % 3 == 1 ? 1u : 0u);
}

//===-- arithmetic at the edges -----------------------------------------------===//

TEST_P(Instructions, ShiftsUseTheLowBitsOfTheAmount) {
  Words amount{0, 1, 31, 32, 33, 63, 64, 0xffffffff}, value(8, 0x80000001);
  auto outs =
      runSnippet(GetParam(),
                 "v_lshlrev_b32 v30, v10, v11\nv_lshrrev_b32 v31, v10, v11\nv_ashrrev_i32 v32, v10, v11\n"
                 "v_alignbit_b32 v33, v11, v11, v10\nv_bfe_u32 v34, v11, v10, 4\nv_bfe_i32 v35, v11, 0, "
                 "v10\nv_bfm_b32 v36, v10, 4\n",
                 {amount, value}, 7);
  for (unsigned i = 0; i < 8; ++i) {
    uint32_t s = amount[i] & 31, x = value[i];
    EXPECT_EQ(outs[0][i], x << s);
    EXPECT_EQ(outs[1][i], x >> s);
    EXPECT_EQ(outs[2][i], uint32_t(int32_t(x) >> s));
    EXPECT_EQ(outs[3][i], uint32_t((uint64_t(x) << 32 | x) >> s));
    EXPECT_EQ(outs[4][i], x >> s & 15);
    EXPECT_EQ(outs[5][i], s == 0 ? 0 : uint32_t(int32_t(x << (32 - s)) >> (32 - s)));
    EXPECT_EQ(outs[6][i], ((1u << s) - 1) << 4);
  }
}

TEST_P(Instructions, CarriesAndSaturation) {
  Words a{0xffffffff, 1, 0x80000000, 5, 0}, b{1, 0xffffffff, 0x80000000, 7, 0};
  std::string add =
      wave32() ? "v_add_co_u32 v30, vcc_lo, v10, v11\nv_add_co_ci_u32 v31, vcc_lo, v10, v11, vcc_lo\n"
               : "v_add_co_u32 v30, vcc, v10, v11\nv_addc_co_u32 v31, vcc, v10, v11, vcc\n";
  std::string sub =
      wave32() ? "v_sub_co_u32 v32, vcc_lo, v10, v11\nv_sub_co_ci_u32 v33, vcc_lo, v10, v11, vcc_lo\n"
               : "v_sub_co_u32 v32, vcc, v10, v11\nv_subb_co_u32 v33, vcc, v10, v11, vcc\n";
  std::string nc = wave32() ? "nc_" : "";
  auto outs = runSnippet(GetParam(),
                         add + sub + "v_add_" + nc + "u32_e64 v34, v10, v11 clamp\nv_sub_" + nc +
                             "u32_e64 v35, v10, v11 clamp\n"
                             "v_add_" +
                             nc +
                             "i32 v36, v10, v11 clamp\nv_sad_u8 v37, v10, v11, 3\nv_sad_u16 v38, v10, v11, "
                             "3\nv_sad_u32 v39, v10, v11, 3\n",
                         {a, b}, 10);
  for (unsigned i = 0; i < a.size(); ++i) {
    uint64_t sum = uint64_t(a[i]) + b[i];
    uint32_t carry = sum >> 32, borrow = a[i] < b[i];
    EXPECT_EQ(outs[0][i], uint32_t(sum));
    EXPECT_EQ(outs[1][i], uint32_t(sum) + carry);
    EXPECT_EQ(outs[2][i], a[i] - b[i]);
    EXPECT_EQ(outs[3][i], a[i] - b[i] - borrow);
    EXPECT_EQ(outs[4][i], carry ? ~0u : uint32_t(sum));
    EXPECT_EQ(outs[5][i], borrow ? 0 : a[i] - b[i]);
    EXPECT_EQ(int32_t(outs[6][i]),
              std::clamp<int64_t>(int64_t(int32_t(a[i])) + int32_t(b[i]), INT32_MIN, INT32_MAX));
    uint32_t sad8 = 3, sad16 = 3;
    for (unsigned k = 0; k < 32; k += 8)
      sad8 += std::abs(int(a[i] >> k & 255) - int(b[i] >> k & 255));
    for (unsigned k = 0; k < 32; k += 16)
      sad16 += std::abs(int(a[i] >> k & 65535) - int(b[i] >> k & 65535));
    EXPECT_EQ(outs[7][i], sad8);
    EXPECT_EQ(outs[8][i], sad16);
    EXPECT_EQ(outs[9][i], std::max(a[i], b[i]) - std::min(a[i], b[i]) + 3);
  }
}

TEST_P(Instructions, BytePermutation) {
  Words a(8, 0x8877f655), b(8, 0x44332291);
  Words select{0x03020100, 0x07060504, 0x0c0d0e0f, 0x0b0a0908,
               0xff000c04, 0x04050607, 0x00000000, 0x07030602};
  Words out = run1("v_perm_b32 v30, v10, v11, v12\n", {a, b, select});
  for (unsigned i = 0; i < 8; ++i) {
    uint64_t data = uint64_t(a[i]) << 32 | b[i];
    uint32_t expected = 0;
    for (unsigned k = 0; k < 4; ++k) {
      uint32_t s = select[i] >> (8 * k) & 255, byte = 0;
      if (s < 8)
        byte = data >> (8 * s) & 255;
      else if (s < 12)
        byte = (data >> (16 * (s - 8) + 8) & 0x80) ? 255 : 0;
      else
        byte = s == 12 ? 0 : 255;
      expected |= byte << (8 * k);
    }
    EXPECT_EQ(out[i], expected) << i;
  }
}

TEST_P(Instructions, ModifiersAndOutputScale) {
  Words a = floats({1.5f, -2.25f, 0.f, -0.f, INFINITY, 3e38f, 0.3f, NAN}),
        b = floats({-4, 8, 1, -1, 1, 3e38f, 0.25f, 1});
  auto outs = runSnippet(
      GetParam(),
      "v_add_f32_e64 v30, -v10, |v11|\nv_mul_f32_e64 v31, v10, v11 clamp\nv_add_f32_e64 v32, v10, v11 mul:2\n"
      "v_add_f32_e64 v33, v10, v11 div:2\nv_mul_f32_e64 v34, -|v10|, 0.5\nv_max_f32 v35, v10, v11\nv_min_f32 "
      "v36, v10, v11\n"
      "v_med3_f32 v37, v10, v11, 0\nv_mul_f32 v38, 0.15915494, v10\n",
      {a, b}, 9);
  for (unsigned i = 0; i < a.size(); ++i) {
    float x = real(a[i]), y = real(b[i]);
    auto same = [&](unsigned k, float expected) {
      if (std::isnan(expected))
        EXPECT_TRUE(std::isnan(real(outs[k][i]))) << k << "," << i;
      else
        EXPECT_EQ(real(outs[k][i]), expected) << k << "," << i;
    };
    same(0, -x + std::fabs(y));
    float product = x * y;
    same(1, std::isnan(product) ? 0.f : std::min(std::max(product, 0.f), 1.f));
    same(4, -std::fabs(x) * 0.5f);
    same(5, std::fmax(x, y));
    same(6, std::fmin(x, y));
    same(8, x * real(0x3e22f983));
    if (std::isfinite(x) && std::fabs(x) < 1e30f) {
      same(2, (x + y) * 2);
      same(3, (x + y) / 2);
      same(7, std::max(std::min(x, y), std::min(std::max(x, y), 0.f)));
    }
  }
}

TEST_P(Instructions, ClassesOfNumbers) {
  Words values{0x7fa00000, 0x7fc00000, 0xff800000, 0xc0000000, 0x80000001,
               0x80000000, 0,          1,          0x3f800000, 0x7f800000};
  for (unsigned bit = 0; bit < 10; ++bit) {
    Words out = run1("v_cmp_class_f32 " + vcc() + ", v10, v11\nv_cndmask_b32 v30, 0, 1, " + vcc() + "\n",
                     {values, Words(10, 1u << bit)});
    for (unsigned i = 0; i < 10; ++i)
      EXPECT_EQ(out[i], i == bit) << bit << "," << i;
  }
}

TEST_P(Instructions, ApproximateFunctions) {
  Words values;
  std::mt19937 random(3);
  for (unsigned i = 0; i < 500; ++i)
    values.push_back(bits(std::ldexp(float(random() % 100000 + 1) / 100000, int(random() % 60) - 30)));
  auto outs = runSnippet(GetParam(),
                         "v_rcp_f32 v30, v10\nv_rsq_f32 v31, v10\nv_sqrt_f32 v32, v10\nv_exp_f32 v33, "
                         "v10\nv_log_f32 v34, v10\nv_sin_f32 v35, v10\nv_cos_f32 v36, v10\n",
                         {values}, 7);
  for (unsigned i = 0; i < values.size(); ++i) {
    double x = real(values[i]);
    auto near = [&](unsigned k, double expected, double absolute = 0) {
      double got = real(outs[k][i]);
      if (std::fabs(expected) < 1.2e-38)
        EXPECT_EQ(got, 0);
      else if (expected > 3.4e38)
        EXPECT_TRUE(std::isinf(got));
      else
        EXPECT_NEAR(got, expected, std::max(absolute, std::fabs(expected) * 2.4e-7)) << k << " of " << x;
    };
    near(0, 1 / x);
    near(1, 1 / std::sqrt(x));
    near(2, std::sqrt(x));
    near(3, std::exp2(x));
    near(4, std::log2(x), 1e-7);
    if (x < 256) {
      near(5, std::sin(2 * M_PI * x), 1e-5);
      near(6, std::cos(2 * M_PI * x), 1e-5);
    }
  }
  auto special = runSnippet(
      GetParam(), "v_rcp_f32 v30, v10\nv_exp_f32 v31, v10\nv_log_f32 v32, v10\nv_sqrt_f32 v33, v10\n",
      {{0x80000000, 0x00000001, 0x7f800000, 0xff800000, 0xc3180000, 0xbf800000}}, 4);
  EXPECT_EQ(special[0][0], 0xff800000u);
  EXPECT_EQ(special[0][1], 0x7f800000u); // a subnormal input counts as zero
  EXPECT_EQ(special[0][2], 0u);
  EXPECT_EQ(special[1][4], 0u); // 2^-152 is flushed
  EXPECT_EQ(special[1][3], 0u);
  EXPECT_EQ(special[2][1], 0xff800000u);
  EXPECT_TRUE(std::isnan(real(special[2][5])));
  EXPECT_EQ(special[3][0], 0x80000000u);
}

TEST_P(Instructions, ConversionsSaturate) {
  Words values = floats(
      {0.f, -0.5f, 1.9f, -1.9f, 3e9f, -3e9f, 5e9f, INFINITY, -INFINITY, NAN, 255.7f, 65535.9f, 2147483648.f});
  auto outs = runSnippet(GetParam(),
                         "v_cvt_i32_f32 v30, v10\nv_cvt_u32_f32 v31, v10\nv_cvt_pk_u8_f32 v32, v10, 1, -1\n",
                         {values}, 3);
  for (unsigned i = 0; i < values.size(); ++i) {
    double x = real(values[i]);
    int64_t whole = std::isnan(x) ? 0 : x > 1e18 ? INT64_MAX : x < -1e18 ? INT64_MIN : int64_t(x);
    EXPECT_EQ(int32_t(outs[0][i]), std::clamp<int64_t>(whole, INT32_MIN, INT32_MAX)) << x;
    EXPECT_EQ(outs[1][i], uint32_t(std::clamp<int64_t>(whole, 0, UINT32_MAX))) << x;
    EXPECT_EQ(outs[2][i], 0xffff00ffu | uint32_t(std::clamp<int64_t>(whole, 0, 255)) << 8) << x;
  }
}

TEST_P(Instructions, HalfRoundingModes) {
  Words values = floats({1.0f + 1.0f / 2048, 1.0f + 3.0f / 2048, -1.0f - 1.0f / 2048, 65519.f, 65520.f, -1e6f,
                         1e-7f, -1e-9f, 6.1e-5f, 0x1p-25f});
  auto set = [&](unsigned mode) {
    return "s_setreg_imm32_b32 hwreg(HW_REG_MODE, 2, 2), " + std::to_string(mode) + "\n";
  };
  auto outs = runSnippet(GetParam(),
                         set(0) + "v_cvt_f16_f32 v30, v10\n" + set(1) + "v_cvt_f16_f32 v31, v10\n" + set(2) +
                             "v_cvt_f16_f32 v32, v10\n" + set(3) + "v_cvt_f16_f32 v33, v10\n" + set(0),
                         {values}, 4);
  auto toDouble = [](uint16_t h) {
    double m = h & 0x7c00 ? std::ldexp(1024 + (h & 1023), (h >> 10 & 31) - 25) : std::ldexp(h & 1023, -24);
    if ((h & 0x7fff) == 0x7c00)
      m = INFINITY;
    return h >> 15 ? -m : m;
  };
  for (unsigned i = 0; i < values.size(); ++i) {
    double x = real(values[i]);
    double nearest = toDouble(uint16_t(outs[0][i])), up = toDouble(uint16_t(outs[1][i])),
           down = toDouble(uint16_t(outs[2][i])), zero = toDouble(uint16_t(outs[3][i]));
    EXPECT_GE(up, x);
    EXPECT_LE(down, x);
    EXPECT_EQ(zero, x > 0 ? down : up);
    EXPECT_TRUE(nearest == up || nearest == down) << x;
    if (std::isfinite(up) && std::isfinite(down) && up != down) {
      double middle = (up + down) / 2;
      if (x != middle) {
        EXPECT_EQ(nearest, x < middle ? down : up) << x;
      }
    }
  }
  EXPECT_EQ(uint16_t(outs[0][0]), 0x3c00); // ties go to even
  EXPECT_EQ(uint16_t(outs[0][1]), 0x3c02);
  EXPECT_EQ(uint16_t(outs[0][3]), 0x7bff);
  EXPECT_EQ(uint16_t(outs[0][4]), 0x7c00);
}

TEST_P(Instructions, FlushingModes) {
  // FP_DENORM of binary32: 0 flushes both sides.
  Words a{0x00000001, 0x80400000, 0x00800000, 0x3f800000}, b{0x3f800000, 0x3f800000, 0x3f000000, 0x3f800000};
  auto outs = runSnippet(GetParam(),
                         "v_mul_f32 v30, v10, v11\ns_setreg_imm32_b32 hwreg(HW_REG_MODE, 4, 2), 0\nv_mul_f32 "
                         "v31, v10, v11\nv_mov_b32 v32, v10\n"
                         "s_setreg_imm32_b32 hwreg(HW_REG_MODE, 4, 2), 3\n",
                         {a, b}, 3);
  EXPECT_EQ(outs[0], (Words{1, 0x80400000, 0x00400000, 0x3f800000}));
  EXPECT_EQ(outs[1], (Words{0, 0x80000000, 0, 0x3f800000}));
  EXPECT_EQ(outs[2], a); // moves do not flush
}

TEST_P(Instructions, PackedHalvesAndTheirSelects) {
  // Halves 1.0 | 2.0 and 3.0 | 0.5 (high first).
  Words a(4, 0x3c004000), b(4, 0x42003800);
  auto outs = runSnippet(
      GetParam(),
      "v_pk_add_f16 v30, v10, v11\nv_pk_add_f16 v31, v10, v11 op_sel:[1,0] op_sel_hi:[0,1]\n"
      "v_pk_mul_f16 v32, v10, v11 neg_lo:[1,0] neg_hi:[0,1]\nv_pk_add_f16 v33, v10, 1.0 op_sel_hi:[1,0]\n"
      "v_pk_add_u16 v34, v10, v11 clamp\nv_pk_max_i16 v35, v10, v11\n",
      {a, b}, 6);
  EXPECT_EQ(outs[0][0], 0x44004100u); // 4.0 | 2.5
  EXPECT_EQ(outs[1][0], 0x45003e00u); // lo = a.hi + b.lo = 1.5, hi = a.lo + b.hi = 5
  EXPECT_EQ(outs[2][0], 0xc200bc00u); // -3 | -1
  EXPECT_EQ(outs[3][0], 0x40004200u); // 2 | 3
  EXPECT_EQ(outs[4][0], 0x7e007800u);
  EXPECT_EQ(outs[5][0], 0x42004000u);
}

TEST_P(Instructions, MixedPrecision) {
  Words a(2, bits(3.0f)), b(2, 0x40003c00), c(2, bits(0.25f)); // b: 2.0 | 1.0
  auto outs = runSnippet(GetParam(),
                         "v_fma_mix_f32 v30, v10, v11, v12 op_sel:[0,1,0] op_sel_hi:[0,1,0]\n"
                         "v_fma_mixlo_f16 v31, v10, v11, v12 op_sel:[0,0,0] op_sel_hi:[0,1,0]\n"
                         "v_fma_mixhi_f16 v31, v10, -v11, v12 op_sel:[0,1,0] op_sel_hi:[0,1,0]\n"
                         "v_dot2_f32_f16 v32, v11, v11, 1.0\n",
                         {a, b, c}, 3);
  EXPECT_EQ(real(outs[0][0]), 3.0f * 2 + 0.25f);
  EXPECT_EQ(outs[1][0], 0xc5c04280u); // -5.75 | 3.25
  EXPECT_EQ(real(outs[2][0]), 2.0f * 2 + 1 + 1);
}

TEST_P(Instructions, HalfResultsAndTheOtherHalf) {
  Words a(2, 0xabcd3c00);
  Words out = run1("v_mov_b32 v30, -1\nv_add_f16 v30, v10, v10\n", {a});
  EXPECT_EQ(out[0], wave32() ? 0xffff4000u : 0x00004000u); // cleared before gfx10, kept since
}

class Gfx9Instructions : public Instructions {};
INSTANTIATE_TEST_SUITE_P(Targets, Gfx9Instructions, testing::Values("gfx90a", "gfx942", "gfx950"),
                         [](const auto &info) { return info.param; });

TEST_P(Gfx9Instructions, SubDwordSelects) {
  Words a(2, 0x818283f4), b(2, 0x00010002);
  auto outs = runSnippet(
      GetParam(),
      "v_add_u32_sdwa v30, v10, v11 dst_sel:DWORD dst_unused:UNUSED_PAD src0_sel:BYTE_1 src1_sel:WORD_1\n"
      "v_mov_b32 v31, -1\nv_add_u32_sdwa v31, sext(v10), v11 dst_sel:WORD_1 dst_unused:UNUSED_PRESERVE "
      "src0_sel:BYTE_0 src1_sel:WORD_0\n"
      "v_add_u32_sdwa v32, v10, v11 dst_sel:BYTE_2 dst_unused:UNUSED_SEXT src0_sel:BYTE_3 src1_sel:WORD_0\n"
      "v_mov_b32 v33, -1\nv_mov_b32_sdwa v33, v10 dst_sel:BYTE_1 dst_unused:UNUSED_PAD src0_sel:BYTE_2\n",
      {a, b}, 4);
  EXPECT_EQ(outs[0][0], 0x83u + 1);
  EXPECT_EQ(outs[1][0], (uint32_t(0xfff4 + 2) & 0xffff) << 16 | 0xffffu);
  EXPECT_EQ(outs[2][0], 0xff830000u);
  EXPECT_EQ(outs[3][0], 0x00008200u);
}

class Gfx950Instructions : public Instructions {};
INSTANTIATE_TEST_SUITE_P(Targets, Gfx950Instructions, testing::Values("gfx950"),
                         [](const auto &info) { return info.param; });

TEST_P(Gfx950Instructions, BitTables) {
  Words a{0xf0f0f0f0, 0x12345678}, b{0xcccccccc, 0x9abcdef0}, c{0xaaaaaaaa, 0x0f1e2d3c};
  Words out = run1("v_bitop3_b32 v30, v10, v11, v12 bitop3:0x96\n", {a, b, c});
  for (unsigned i = 0; i < 2; ++i)
    EXPECT_EQ(out[i], a[i] ^ b[i] ^ c[i]);
  out = run1("v_bitop3_b32 v30, v10, v11, v12 bitop3:0xe2\n", {a, b, c});
  for (unsigned i = 0; i < 2; ++i) {
    uint32_t expected = 0;
    for (unsigned k = 0; k < 32; ++k)
      expected |= (0xe2u >> ((a[i] >> k & 1) * 4 + (b[i] >> k & 1) * 2 + (c[i] >> k & 1)) & 1) << k;
    EXPECT_EQ(out[i], expected);
  }
}

TEST_P(Gfx9Instructions, AccumulationRegisters) {
  Words in = ramp(64);
  auto outs = runSnippet(GetParam(),
                         "v_accvgpr_write_b32 a3, v10\nv_accvgpr_write_b32 a4, 5\ns_nop "
                         "4\nv_accvgpr_read_b32 v30, a3\nv_accvgpr_read_b32 v31, a4\n"
                         "v_mov_b32 v40, 0\nds_write_b32 v40, a4\nds_read_b32 a5, v40\ns_waitcnt "
                         "lgkmcnt(0)\nv_accvgpr_read_b32 v32, a5\n",
                         {in}, 3);
  EXPECT_EQ(outs[0], in);
  EXPECT_EQ(outs[1], Words(64, 5));
  EXPECT_EQ(outs[2], Words(64, 5));
}

class Wave32Instructions : public Instructions {};
INSTANTIATE_TEST_SUITE_P(Targets, Wave32Instructions, testing::Values("gfx1100", "gfx1201"),
                         [](const auto &info) { return info.param; });

TEST_P(Wave32Instructions, DualIssueReadsBeforeItWrites) {
  Words a = floats({1, 2, 3}), b = floats({10, 20, 30});
  auto outs = runSnippet(
      GetParam(),
      "v_mov_b32 v30, v10\nv_mov_b32 v31, v11\nv_dual_mov_b32 v30, v31 :: v_dual_mov_b32 v31, v30\n"
      "v_mov_b32 v32, 1.0\nv_mov_b32 v33, 2.0\nv_mov_b32 v41, v11\nv_dual_fmac_f32 v32, v11, v10 :: "
      "v_dual_mul_f32 v33, v32, v41\n",
      {a, b}, 4);
  EXPECT_EQ(outs[0], b);
  EXPECT_EQ(outs[1], a);
  for (unsigned i = 0; i < 3; ++i) {
    EXPECT_EQ(real(outs[2][i]), 1 + real(a[i]) * real(b[i]));
    EXPECT_EQ(real(outs[3][i]), real(b[i]));
  }
}

} // namespace
} // namespace quern::runtime::emulated::amd
