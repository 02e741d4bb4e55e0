//===- CrossLaneTest.cpp - Data that moves between lanes -----------------===//
//
// DPP controls and masks, lane reads and writes, permutes and swizzles: each lane holds a value of its own,
// and the expected source lane is written out. Reading from inactive lanes and writing over the source are
// covered.
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

class CrossLane : public testing::TestWithParam<std::string> {
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
INSTANTIATE_TEST_SUITE_P(Targets, CrossLane, testing::ValuesIn(allTargets()),
                         [](const auto &info) { return info.param; });

/// Per-lane data that tells lanes apart.
Words ramp(unsigned count, uint32_t first = 100) {
  Words words(count);
  for (unsigned i = 0; i < count; ++i)
    words[i] = first + i * 3;
  return words;
}
TEST_P(CrossLane, DppControls) {
  unsigned n = width();
  Words in = ramp(n);
  auto check = [&](const std::string &control, auto source, bool bound) {
    Words out = run1("v_mov_b32 v30, 7\nv_mov_b32_dpp v30, v10 " + control, {in});
    for (int lane = 0; lane < int(n); ++lane) {
      int from = source(lane);
      uint32_t expected = from >= 0 ? in[from] : bound ? 0 : 7;
      ASSERT_EQ(out[lane], expected) << control << " lane " << lane;
    }
  };
  std::string masks = " row_mask:0xf bank_mask:0xf";
  auto row = [](int lane, int at) { return at < 0 || at > 15 ? -1 : lane / 16 * 16 + at; };
  check(
      "quad_perm:[3,0,2,2]" + masks,
      [](int lane) {
        static const int p[] = {3, 0, 2, 2};
        return lane / 4 * 4 + p[lane % 4];
      },
      false);
  check("row_shl:3" + masks, [&](int lane) { return row(lane, lane % 16 + 3); }, false);
  check("row_shr:5" + masks + " bound_ctrl:1", [&](int lane) { return row(lane, lane % 16 - 5); }, true);
  check("row_ror:4" + masks, [&](int lane) { return row(lane, (lane + 12) % 16); }, false);
  check("row_mirror" + masks, [&](int lane) { return row(lane, 15 - lane % 16); }, false);
  check("row_half_mirror" + masks, [](int lane) { return lane / 8 * 8 + 7 - lane % 8; }, false);
  if (wave32()) {
    check("row_share:9" + masks, [&](int lane) { return row(lane, 9); }, false);
    check("row_xmask:6" + masks, [&](int lane) { return row(lane, lane % 16 ^ 6); }, false);
    check(
        "dpp8:[7,0,1,5,2,3,6,4]",
        [](int lane) {
          static const int p[] = {7, 0, 1, 5, 2, 3, 6, 4};
          return lane / 8 * 8 + p[lane % 8];
        },
        true);
  } else {
    check("row_bcast:15" + masks, [](int lane) { return lane < 16 ? -1 : lane / 16 * 16 - 1; }, false);
    check("row_bcast:31" + masks, [](int lane) { return lane < 32 ? -1 : 31; }, false);
    check("wave_shr:1" + masks, [](int lane) { return lane - 1; }, false);
    check("wave_shl:1" + masks, [](int lane) { return lane == 63 ? -1 : lane + 1; }, false);
    check("wave_ror:1" + masks, [](int lane) { return (lane + 63) % 64; }, false);
    check("wave_rol:1" + masks, [](int lane) { return (lane + 1) % 64; }, false);
    check("row_newbcast:7" + masks, [&](int lane) { return row(lane, 7); }, false);
  }
}

TEST_P(CrossLane, DppMasksLeaveLanesUnwritten) {
  unsigned n = width();
  Words in = ramp(n);
  Words out =
      run1("v_mov_b32 v30, 7\nv_mov_b32_dpp v30, v10 quad_perm:[1,0,3,2] row_mask:0x2 bank_mask:0x5", {in});
  for (unsigned lane = 0; lane < n; ++lane) {
    bool written = lane / 16 == 1 && (lane % 16 / 4 == 0 || lane % 16 / 4 == 2);
    ASSERT_EQ(out[lane], written ? in[lane ^ 1] : 7) << lane;
  }
}

TEST_P(CrossLane, DppFromAnInactiveLane) {
  unsigned n = width();
  Words in = ramp(n);
  // Lane 3 is inactive; its neighbours read from it.
  for (bool bound : {false, true}) {
    Words out = run1("v_mov_b32 v30, 7\n" + setExec(~uint64_t(8)) +
                         "v_mov_b32_dpp v30, v10 row_shr:1 row_mask:0xf bank_mask:0xf" +
                         (bound ? " bound_ctrl:1" : ""),
                     {in});
    EXPECT_EQ(out[4], bound ? 0u : 7u);
    EXPECT_EQ(out[3], 7u);
    EXPECT_EQ(out[5], in[4]);
    EXPECT_EQ(out[16], bound ? 0u : 7u);
  }
  if (wave32()) {
    Words out = run1("v_mov_b32 v30, 7\n" + setExec(~uint64_t(8)) +
                         "v_mov_b32_dpp v30, v10 row_shr:1 row_mask:0xf bank_mask:0xf fi:1",
                     {in});
    EXPECT_EQ(out[4], in[3]);
  }
}

TEST_P(CrossLane, DppReadsASnapshotWhereDestinationIsSource) {
  unsigned n = width();
  Words in = ramp(n);
  std::string add = wave32() ? "v_add_nc_u32_dpp" : "v_add_u32_dpp";
  Words out =
      run1("v_mov_b32 v30, v10\n" + add + " v30, v30, v30 row_shr:1 row_mask:0xf bank_mask:0xf bound_ctrl:1",
           {in});
  for (unsigned lane = 0; lane < n; ++lane)
    ASSERT_EQ(out[lane], in[lane] + (lane % 16 ? in[lane - 1] : 0)) << lane;
}

TEST_P(CrossLane, LaneReadsAndWrites) {
  unsigned n = width();
  Words in = ramp(n);
  auto outs = runSnippet(
      GetParam(),
      setExec(0xF0) + "v_readfirstlane_b32 s20, v10\nv_readlane_b32 s21, v10, 11\ns_mov_b32 s23, 77\n" +
          setExec(~uint64_t(0)) + "v_mov_b32 v30, s20\nv_mov_b32 v31, s21\nv_mov_b32 v32, v10\ns_nop 4\n" +
          setExec(0) + "v_writelane_b32 v32, s23, 5\nv_readfirstlane_b32 s24, v10\n" + setExec(~uint64_t(0)) +
          "v_mov_b32 v33, s24\n",
      {in}, 4);
  EXPECT_EQ(outs[0], Words(n, in[4]));
  EXPECT_EQ(outs[1], Words(n, in[11]));
  Words written = in;
  written[5] = 77;
  EXPECT_EQ(outs[2], written);
  EXPECT_EQ(outs[3], Words(n, in[0])); // an empty EXEC reads lane 0
}

TEST_P(CrossLane, CountsOfLowerLanes) {
  unsigned n = width();
  auto outs = runSnippet(
      GetParam(),
      "s_mov_b32 s20, 0xf0f0f0f1\nv_mbcnt_lo_u32_b32 v30, s20, 9\nv_mbcnt_hi_u32_b32 v31, s20, v30\n",
      {ramp(n)}, 2);
  uint32_t mask = 0xf0f0f0f1;
  for (unsigned lane = 0; lane < n; ++lane) {
    uint32_t low = 9 + uint32_t(std::popcount(lane >= 32 ? mask : mask & ((1u << lane) - 1)));
    uint32_t high = low + (lane < 32 ? 0 : uint32_t(std::popcount(mask & ((1u << (lane - 32)) - 1))));
    ASSERT_EQ(outs[0][lane], low) << lane;
    ASSERT_EQ(outs[1][lane], high) << lane;
  }
}

TEST_P(CrossLane, PermutesThroughTheLocalUnit) {
  unsigned n = width();
  Words in = ramp(n), address(n);
  for (unsigned i = 0; i < n; ++i)
    address[i] =
        ((i * 7 + 3) % n) * 4 + (i % 3) + (i % 5 == 0 ? 4 * n : 0); // low bits and overflow are ignored
  auto outs = runSnippet(
      GetParam(),
      setExec(~uint64_t(0x10)) +
          "v_mov_b32 v31, 7\nds_bpermute_b32 v30, v11, v10\nds_permute_b32 v31, v11, v10\n" + wait(),
      {in, address}, 2);
  Words pushed(n, 0);
  for (unsigned i = 0; i < n; ++i)
    if (i != 4)
      pushed[address[i] / 4 % n] = in[i];
  for (unsigned i = 0; i < n; ++i) {
    if (i == 4)
      continue;
    unsigned from = address[i] / 4 % n;
    ASSERT_EQ(outs[0][i], from == 4 ? 0 : in[from]) << i;
    ASSERT_EQ(outs[1][i], pushed[i]) << i;
  }
}

TEST_P(CrossLane, Swizzles) {
  unsigned n = width();
  Words in = ramp(n);
  auto outs = runSnippet(GetParam(),
                         "ds_swizzle_b32 v30, v10 offset:swizzle(QUAD_PERM,1,3,0,2)\nds_swizzle_b32 v31, v10 "
                         "offset:swizzle(SWAP,4)\n"
                         "ds_swizzle_b32 v32, v10 offset:swizzle(BROADCAST,8,3)\nds_swizzle_b32 v33, v10 "
                         "offset:swizzle(BITMASK_PERM,\"01pip\")\n"
                         "ds_swizzle_b32 v34, v10 offset:0xc0a0\n" +
                             wait(),
                         {in}, 5);
  static const unsigned quad[] = {1, 3, 0, 2};
  for (unsigned lane = 0; lane < n; ++lane) {
    ASSERT_EQ(outs[0][lane], in[lane / 4 * 4 + quad[lane % 4]]);
    ASSERT_EQ(outs[1][lane], in[lane ^ 4]);
    ASSERT_EQ(outs[2][lane], in[lane / 8 * 8 + 3]);
    ASSERT_EQ(outs[3][lane], in[lane / 32 * 32 + (8 | (lane & 4) | ((lane & 2) ^ 2) | (lane & 1))]);
    ASSERT_EQ(outs[4][lane], in[lane / 32 * 32 + (lane + 5) % 32]); // rotation by 5
  }
}

class Wave32CrossLane : public CrossLane {};
INSTANTIATE_TEST_SUITE_P(Targets, Wave32CrossLane, testing::Values("gfx1100", "gfx1201"),
                         [](const auto &info) { return info.param; });

TEST_P(Wave32CrossLane, RowPermutes) {
  Words in = ramp(32);
  std::string setup = "s_mov_b32 s20, 0x01234567\ns_mov_b32 s21, 0xfedcba98\n";
  auto outs =
      runSnippet(GetParam(),
                 setup + "v_permlane16_b32 v30, v10, s20, s21\nv_permlanex16_b32 v31, v10, s20, s21\n" +
                     setExec(~uint64_t(1u << 5)) +
                     "v_mov_b32 v32, 7\nv_mov_b32 v33, 7\nv_permlane16_b32 v32, v10, s20, s21\n"
                     "v_permlane16_b32 v33, v10, s20, s21 op_sel:[0,1]\n",
                 {in}, 4);
  for (unsigned lane = 0; lane < 32; ++lane) {
    unsigned at = lane % 16, select = at < 8 ? 7 - at : at;
    unsigned from = lane / 16 * 16 + select;
    ASSERT_EQ(outs[0][lane], in[from]);
    ASSERT_EQ(outs[1][lane], in[from ^ 16]);
    if (lane != 5) {
      ASSERT_EQ(outs[2][lane], from == 5 ? 7 : in[from]);
      ASSERT_EQ(outs[3][lane], from == 5 ? 0 : in[from]);
    }
  }
}

class Gfx950CrossLane : public CrossLane {};
INSTANTIATE_TEST_SUITE_P(Targets, Gfx950CrossLane, testing::Values("gfx950"),
                         [](const auto &info) { return info.param; });

TEST_P(Gfx950CrossLane, LaneSwaps) {
  Words a = ramp(64), b = ramp(64, 5000);
  auto outs = runSnippet(GetParam(),
                         "v_mov_b32 v30, v10\nv_mov_b32 v31, v11\nv_permlane32_swap_b32 v30, v31\n"
                         "v_mov_b32 v32, v10\nv_mov_b32 v33, v11\nv_permlane16_swap_b32 v32, v33\n",
                         {a, b}, 4);
  for (unsigned lane = 0; lane < 64; ++lane) {
    ASSERT_EQ(outs[0][lane], lane < 32 ? a[lane] : b[lane - 32]);
    ASSERT_EQ(outs[1][lane], lane < 32 ? a[lane + 32] : b[lane]);
    ASSERT_EQ(outs[2][lane], lane & 16 ? b[lane - 16] : a[lane]);
    ASSERT_EQ(outs[3][lane], lane & 16 ? b[lane] : a[lane + 16]);
  }
}

} // namespace
} // namespace quern::runtime::emulated::amd
