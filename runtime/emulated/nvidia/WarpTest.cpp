//===- WarpTest.cpp - Shuffles, votes, matches, barriers ------------------===//
//
// PTX ISA 9.7.9.6 and 9.7.13. Expected values follow the manual's pseudo code, written again here.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/PtxTest.h"

#include <functional>
#include <random>

namespace quern::runtime::emulated {
namespace {

/// |body| leaves %r0 (and %r9 as a second word); inputs are %r1 = a[thread], %r2 = b[thread], %r3 = lane.
struct WarpRun {
  std::vector<uint32_t> a, b;
  std::vector<uint32_t> first, second;
};

WarpRun runWarps(const std::string &body, uint32_t threads, uint64_t seed = 0, const std::string &head = "") {
  std::string text = ptxHead() + head +
                     ".visible .entry k(.param .u64 .ptr a, .param .u64 .ptr b, .param .u64 .ptr out) {\n"
                     ".reg .pred %p<8>; .reg .b32 %r<32>; .reg .b64 %d<16>;\n"
                     "mov.u32 %r20, %tid.x; mov.u32 %r3, %laneid; mul.wide.u32 %d1, %r20, 4;\n"
                     "ld.param.u64 %d2, [a]; add.u64 %d2, %d2, %d1; ld.global.u32 %r1, [%d2];\n"
                     "ld.param.u64 %d2, [b]; add.u64 %d2, %d2, %d1; ld.global.u32 %r2, [%d2];\n"
                     "mov.u32 %r0, 0; mov.u32 %r9, 0;\n" +
                     body +
                     "\nld.param.u64 %d2, [out]; mul.wide.u32 %d1, %r20, 8; add.u64 %d2, %d2, %d1;\n"
                     "st.global.v2.u32 [%d2], {%r0, %r9};\nleave: ret;\n}\n";
  WarpRun run;
  std::mt19937 random(9);
  for (uint32_t i = 0; i < threads; ++i) {
    run.a.push_back(random());
    run.b.push_back(random());
  }
  Gpu gpu("nvidia:sm_100a", RunOptions{.seed = seed});
  auto a = gpu.buffer(run.a), b = gpu.buffer(run.b), out = gpu.blank<uint32_t>(2 * threads);
  LaunchShape shape;
  shape.threads = threads;
  Status status = gpu.run(text, shape, {pointerTo(*a), pointerTo(*b), pointerTo(*out)});
  EXPECT_TRUE(status.ok()) << status.message() << body;
  auto values = gpu.read<uint32_t>(*out);
  for (uint32_t i = 0; i < threads; ++i) {
    run.first.push_back(values[2 * i]);
    run.second.push_back(values[2 * i + 1]);
  }
  return run;
}

TEST(Warp, ShuffleModesSegmentsAndPredicates) {
  for (const std::string mode : {"up", "down", "bfly", "idx"})
    for (uint32_t c : {0x1Fu, 0x00u, 0x181Fu, 0x1800u, 0x1C03u, 0x0Fu, 0x101Fu})
      for (uint64_t seed : {0, 5}) {
        auto run = runWarps("shfl.sync." + mode + ".b32 %r0|%p0, %r1, %r2, " + std::to_string(c) +
                                ", -1; selp.u32 %r9, 1, 0, %p0;",
                            96, seed);
        for (int i = 0; i < 96; ++i) {
          int lane = i % 32, b = static_cast<int>(run.b[i] & 31), clamp = c & 31, segment = c >> 8 & 31;
          int maxLane = (lane & segment) | (clamp & ~segment), minLane = lane & segment, j = 0;
          bool p = false;
          if (mode == "up")
            j = lane - b, p = j >= maxLane;
          else if (mode == "down")
            j = lane + b, p = j <= maxLane;
          else if (mode == "bfly")
            j = lane ^ b, p = j <= maxLane;
          else
            j = minLane | (b & ~segment), p = j <= maxLane;
          if (!p)
            j = lane;
          ASSERT_EQ(run.first[i], run.a[i - lane + j]) << mode << std::hex << c << " " << i;
          ASSERT_EQ(run.second[i], p) << mode << std::hex << c << " " << i;
        }
      }
}

TEST(Warp, PartialMasksDoNotWaitForOthers) {
  // Even and odd lanes take different branches and shuffle among themselves.
  auto run = runWarps("and.b32 %r4, %r3, 1; setp.eq.u32 %p1, %r4, 0; @%p1 bra even;"
                      "shfl.sync.bfly.b32 %r0, %r1, 2, 31, 0xAAAAAAAA; bra join;"
                      "even: shfl.sync.bfly.b32 %r0, %r1, 4, 31, 0x55555555; join:",
                      64, 3);
  for (uint32_t i = 0; i < 64; ++i)
    EXPECT_EQ(run.first[i], run.a[i ^ (i & 1 ? 2 : 4)]) << i;
}

TEST(Warp, ExitedLanesAreNotWaitedFor) {
  // Lanes 20 and up leave; the others vote with a full mask.
  auto run = runWarps(
      "setp.ge.u32 %p1, %r3, 20; @%p1 bra leave; setp.lt.u32 %p2, %r3, 7; vote.sync.ballot.b32 %r0, %p2, -1;",
      32, 2);
  for (uint32_t i = 0; i < 20; ++i)
    EXPECT_EQ(run.first[i], 0x7Fu);
  // A last warp that is not full.
  auto partial = runWarps("setp.ne.u32 %p2, %r3, 2; vote.sync.ballot.b32 %r0, %p2, -1;", 37);
  for (uint32_t i = 32; i < 37; ++i)
    EXPECT_EQ(partial.first[i], 0x1Bu);
}

TEST(Warp, Votes) {
  auto run = runWarps(
      "and.b32 %r4, %r1, 1; setp.ne.u32 %p1, %r4, 0; vote.sync.ballot.b32 %r0, %p1, -1;"
      "vote.sync.any.pred %p2, %p1, -1; vote.sync.all.pred %p3, !%p1, -1; vote.sync.uni.pred %p4, %p1, -1;"
      "selp.u32 %r9, 1, 0, %p2; @%p3 add.u32 %r9, %r9, 2; @%p4 add.u32 %r9, %r9, 4;",
      64);
  for (uint32_t i = 0; i < 64; ++i) {
    uint32_t ballot = 0;
    for (uint32_t j = 0; j < 32; ++j)
      ballot |= (run.a[i / 32 * 32 + j] & 1) << j;
    EXPECT_EQ(run.first[i], ballot);
    EXPECT_EQ(run.second[i], 1u);
  }
  auto uniform =
      runWarps("setp.ge.u32 %p1, %r3, 0; vote.sync.uni.pred %p2, %p1, -1; vote.sync.all.pred %p3, %p1, -1;"
               "selp.u32 %r0, 1, 0, %p2; @%p3 add.u32 %r0, %r0, 2;",
               32);
  EXPECT_EQ(uniform.first[31], 3u);
}

TEST(Warp, Match) {
  auto run = runWarps("and.b32 %r4, %r1, 3; match.any.sync.b32 %r0, %r4, -1; and.b32 %r5, %r1, 0; "
                      "match.all.sync.b32 %r9|%p1, %r5, -1;"
                      "@!%p1 mov.u32 %r9, 1; match.all.sync.b32 %r6|%p2, %r4, -1; @%p2 mov.u32 %r9, 2; "
                      "add.u32 %r9, %r9, %r6;",
                      32);
  for (uint32_t i = 0; i < 32; ++i) {
    uint32_t expected = 0;
    for (uint32_t j = 0; j < 32; ++j)
      expected |= uint32_t((run.a[j] & 3) == (run.a[i] & 3)) << j;
    EXPECT_EQ(run.first[i], expected);
    EXPECT_EQ(run.second[i], 0xFFFFFFFFu);
  }
  auto wide = runWarps(
      "mov.b64 %d5, {%r3, %r3}; and.b64 %d5, %d5, 0x100000000; match.any.sync.b64 %r0, %d5, -1;", 32);
  EXPECT_EQ(wide.first[0], 0x55555555u);
  EXPECT_EQ(wide.first[1], 0xAAAAAAAAu);
}

TEST(Warp, Redux) {
  const struct {
    const char *op;
    std::function<uint32_t(uint32_t, uint32_t)> combine;
  } cases[] = {{"add.u32", [](auto a, auto b) { return a + b; }},
               {"min.s32", [](auto a, auto b) { return int32_t(a) < int32_t(b) ? a : b; }},
               {"max.s32", [](auto a, auto b) { return int32_t(a) > int32_t(b) ? a : b; }},
               {"min.u32", [](auto a, auto b) { return std::min(a, b); }},
               {"max.u32", [](auto a, auto b) { return std::max(a, b); }},
               {"and.b32", [](auto a, auto b) { return a & b; }},
               {"or.b32", [](auto a, auto b) { return a | b; }},
               {"xor.b32", [](auto a, auto b) { return a ^ b; }}};
  for (const auto &test : cases) {
    auto run = runWarps("setp.ge.u32 %p1, %r3, 19; @%p1 bra over; redux.sync." + std::string(test.op) +
                            " %r0, %r1, 0x7FFFF; over:",
                        64);
    for (uint32_t warp = 0; warp < 2; ++warp) {
      uint32_t expected = run.a[warp * 32];
      for (uint32_t j = 1; j < 19; ++j)
        expected = test.combine(expected, run.a[warp * 32 + j]);
      for (uint32_t j = 0; j < 19; ++j)
        EXPECT_EQ(run.first[warp * 32 + j], expected) << test.op;
    }
  }
  auto single = runWarps("cvt.rn.f32.s32 %r4, %r1; setp.eq.u32 %p1, %r3, 3; @%p1 mov.u32 %r4, 0x7FC00000;"
                         "redux.sync.max.abs.f32 %r0, %r4, -1; redux.sync.min.NaN.f32 %r9, %r4, -1;",
                         32);
  float largest = 0;
  for (uint32_t i = 0; i < 32; ++i)
    if (i != 3)
      largest = std::max(largest, std::fabs(static_cast<float>(static_cast<int32_t>(single.a[i]))));
  EXPECT_EQ(single.first[0], std::bit_cast<uint32_t>(largest));
  EXPECT_EQ(single.second[5], 0x7FFFFFFFu);
}

TEST(Warp, ElectAndActiveMask) {
  auto run = runWarps("setp.lt.u32 %p1, %r3, 4; @%p1 bra over; elect.sync %r0|%p2, 0xFFFFFFF0; selp.u32 %r9, "
                      "1, 0, %p2; over:",
                      32, 8);
  for (uint32_t i = 4; i < 32; ++i) {
    EXPECT_EQ(run.first[i], 4u);
    EXPECT_EQ(run.second[i], i == 4);
  }
  auto active = runWarps("and.b32 %r4, %r3, 3; setp.eq.u32 %p1, %r4, 1; @%p1 bra one; activemask.b32 %r0; "
                         "bra join; one: activemask.b32 %r0; join:",
                         32, 1);
  for (uint32_t i = 0; i < 32; ++i)
    EXPECT_EQ(active.first[i], i % 4 == 1 ? 0x22222222u : 0xDDDDDDDDu);
}

TEST(Warp, BarriersOrderSharedMemory) {
  for (uint64_t seed = 0; seed < 6; ++seed) {
    // Each thread reads what its mirror wrote, three times over the same memory.
    auto run = runWarps("shl.b32 %r5, %r20, 2; mov.u32 %r6, s; add.u32 %r5, %r5, %r6; mov.u32 %r7, 316; "
                        "sub.u32 %r8, %r7, %r5; add.u32 %r8, %r8, %r6; add.u32 %r8, %r8, %r6;"
                        "mov.u32 %r0, %r1; mov.u32 %r10, 0;"
                        "again: st.shared.u32 [%r5], %r0; barrier.sync 0; ld.shared.u32 %r11, [%r8]; "
                        "barrier.sync 3; add.u32 %r0, %r11, %r20;"
                        "add.u32 %r10, %r10, 1; setp.lt.u32 %p1, %r10, 3; @%p1 bra again;",
                        80, seed, ".shared .align 4 .u32 s[80];\n");
    std::vector<uint32_t> values = run.a;
    for (int round = 0; round < 3; ++round) {
      std::vector<uint32_t> next(80);
      for (uint32_t i = 0; i < 80; ++i)
        next[i] = values[79 - i] + i;
      values = next;
    }
    EXPECT_EQ(run.first, values) << seed;
  }
}

TEST(Warp, NamedBarriersWithCounts) {
  // Warps 0 and 1 produce and only arrive; warps 2 and 3 wait for them and read.
  for (uint64_t seed = 0; seed < 6; ++seed) {
    auto run = runWarps("shl.b32 %r5, %r20, 2; mov.u32 %r6, s; add.u32 %r5, %r5, %r6; setp.ge.u32 %p1, %r20, "
                        "64; @%p1 bra consume;"
                        "st.shared.u32 [%r5], %r1; bar.arrive 5, 128; bra join;"
                        "consume: bar.sync 5, 128; ld.shared.u32 %r0, [%r5+-256]; join:",
                        128, seed, ".shared .align 4 .u32 s[64];\n");
    for (uint32_t i = 64; i < 128; ++i)
      EXPECT_EQ(run.first[i], run.a[i - 64]);
  }
}

TEST(Warp, BarrierReductions) {
  auto run = runWarps("and.b32 %r4, %r1, 1; setp.ne.u32 %p1, %r4, 0; bar.red.popc.u32 %r0, 1, %p1;"
                      "barrier.cta.red.or.pred.aligned %p2, 2, 96, %p1; bar.red.and.pred %p3, 3, !%p1; "
                      "selp.u32 %r9, 1, 0, %p2; @%p3 add.u32 %r9, %r9, 2;",
                      96);
  uint32_t expected = 0;
  for (uint32_t value : run.a)
    expected += value & 1;
  for (uint32_t i = 0; i < 96; ++i) {
    EXPECT_EQ(run.first[i], expected);
    EXPECT_EQ(run.second[i], 1u);
  }
}

TEST(Warp, WarpBarrierOrdersItsLanes) {
  auto run =
      runWarps("shl.b32 %r5, %r3, 2; mov.u32 %r6, s; add.u32 %r5, %r5, %r6; st.shared.u32 [%r5], %r1; "
               "bar.warp.sync -1;"
               "xor.b32 %r7, %r3, 9; shl.b32 %r7, %r7, 2; add.u32 %r7, %r7, %r6; ld.shared.u32 %r0, [%r7];",
               32, 4, ".shared .align 4 .u32 s[32];\n");
  for (uint32_t i = 0; i < 32; ++i)
    EXPECT_EQ(run.first[i], run.a[i ^ 9]);
}

TEST(Warp, SpinningThreadsLetOthersRun) {
  // Thread 0 waits for a flag that the last thread sets, in its own warp and in another one.
  for (uint32_t threads : {32u, 64u}) {
    std::string last = std::to_string(threads - 1);
    auto run = runWarps(
        "setp.eq.u32 %p1, %r20, " + last +
            "; setp.eq.u32 %p2, %r20, 0; @%p2 st.shared.u32 [s], 0; bar.sync 0; @%p1 "
            "st.relaxed.cta.shared.u32 [s], 41; @!%p2 bra over;"
            "spin: ld.relaxed.cta.shared.u32 %r0, [s]; setp.ne.u32 %p3, %r0, 41; @%p3 bra spin; over:",
        threads, 0, ".shared .align 4 .u32 s[1];\n");
    EXPECT_EQ(run.first[0], 41u);
  }
}

} // namespace
} // namespace quern::runtime::emulated
