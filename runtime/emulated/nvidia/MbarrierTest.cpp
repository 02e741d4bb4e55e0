//===- MbarrierTest.cpp - Mbarriers, clusters, proxy fences ---------------===//
//
// PTX ISA 9.7.13.15 and 9.7.13.3.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/AssemblerTest.h"
#include "runtime/emulated/nvidia/PtxTest.h"

#include <numeric>

namespace quern::runtime::emulated {
namespace {

using test::expectAssembles;

/// Two warps. %r1: thread, %r2: warp, %d1: out (64 words), %d3: the thread's word; bar and data in shared
/// memory.
std::string kernel(const std::string &body, const std::string &directives = "") {
  return ptxHead("sm_90a") + ".visible .entry k(.param .u64 .ptr out) " + directives +
         " {\n.reg .pred %p<8>; .reg .b32 %r<32>; .reg .b64 %d<16>;\n"
         ".shared .align 8 .b64 bar[4]; .shared .align 16 .b32 data[64];\n"
         "ld.param.u64 %d1, [out]; mov.u32 %r1, %tid.x; shr.u32 %r2, %r1, 5; mul.wide.u32 %d2, %r1, 4; "
         "add.u64 %d3, %d1, %d2; mov.u32 %r3, data; shl.b32 %r4, %r1, 2; add.u32 %r4, %r4, %r3; "
         "mov.u32 %r5, bar; setp.eq.u32 %p0, %r1, 0; setp.eq.u32 %p7, %r2, 0;\n" +
         body + "\nret;\n}\n";
}

struct Outcome {
  Status status = Status::success();
  std::vector<Finding> findings;
  std::vector<uint32_t> out;
};

Outcome run(const std::string &text, RunOptions options = {}, uint32_t blocks = 1, uint32_t threads = 64) {
  Gpu gpu("nvidia:sm_90a", options);
  auto out = gpu.buffer(std::vector<uint32_t>(64 * blocks, 0));
  LaunchShape shape;
  shape.threads = threads;
  shape.blocks = blocks;
  Outcome outcome;
  outcome.status = gpu.run(text, shape, {pointerTo(*out)});
  outcome.findings = gpu.device->findings();
  outcome.out = gpu.read<uint32_t>(*out);
  return outcome;
}

void expectFinding(const Outcome &outcome, const std::string &kind, const std::string &id,
                   const std::string &text) {
  ASSERT_FALSE(outcome.status.ok()) << text;
  EXPECT_EQ(outcome.status.id(), id) << outcome.status.message();
  ASSERT_EQ(outcome.findings.size(), 1u);
  EXPECT_EQ(outcome.findings[0].kind, kind);
  std::string all = outcome.status.message() + outcome.findings[0].instruction + outcome.findings[0].detail;
  EXPECT_NE(all.find(text), std::string::npos) << all;
}

const std::string init =
    "@%p0 mbarrier.init.shared::cta.b64 [bar], 32; @%p0 mbarrier.init.shared::cta.b64 [bar+8], 32;"
    "bar.sync 0;\n";

/// Warp 0 hands three rounds of words to warp 1 and waits until they are read: a ring of one place.
std::string ring(const std::string &waitFull = "", const std::string &waitEmpty = "") {
  return kernel(
      init +
      "mov.u32 %r6, 0; mov.u32 %r7, 0; @!%p7 bra consume;\n"
      "produce: xor.b32 %r8, %r7, 1;\n"
      "again1: " +
      (waitEmpty.empty() ? "mbarrier.try_wait.parity.shared::cta.b64 %p1, [bar+8], %r8; @!%p1 bra again1;"
                         : waitEmpty) +
      "mad.lo.u32 %r9, %r6, 100, %r1; st.shared.u32 [%r4], %r9;\n"
      "mbarrier.arrive.shared::cta.b64 _, [bar];\n"
      "xor.b32 %r7, %r7, 1; add.u32 %r6, %r6, 1; setp.lt.u32 %p2, %r6, 3; @%p2 bra produce; bra over;\n"
      "consume:\n"
      "again2: " +
      (waitFull.empty() ? "mbarrier.try_wait.parity.shared::cta.b64 %p1, [bar], %r7; @!%p1 bra again2;"
                        : waitFull) +
      "xor.b32 %r10, %r4, 4; add.u32 %r10, %r10, -128; ld.shared.u32 %r11, [%r10];\n"
      "mbarrier.arrive.shared::cta.b64 _, [bar+8];\n"
      "mad.lo.u32 %r12, %r12, 7, %r11; xor.b32 %r7, %r7, 1; add.u32 %r6, %r6, 1; setp.lt.u32 %p2, %r6, "
      "3; @%p2 bra consume;\n"
      "st.global.u32 [%d3], %r12; over:");
}

TEST(Mbarrier, RingOfOnePlace) {
  expectAssembles(ring(), "sm_90a");
  for (uint64_t seed = 0; seed < 8; ++seed) {
    Outcome outcome = run(ring(), RunOptions{.seed = seed});
    ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
    for (uint32_t i = 32; i < 64; ++i) {
      uint32_t expected = 0;
      for (uint32_t round = 0; round < 3; ++round)
        expected = expected * 7 + round * 100 + ((i - 32) ^ 1);
      EXPECT_EQ(outcome.out[i], expected) << i;
    }
  }
}

TEST(Mbarrier, MissingWaitsAreRaces) {
  for (uint64_t seed = 0; seed < 6; ++seed) {
    RunOptions options{.seed = seed, .uninitialised = false};
    expectFinding(run(ring("nanosleep.u32 1;"), options), "race", "E-EMULATED-RACE", "shared");
    expectFinding(run(ring("", "nanosleep.u32 1;"), options), "race", "E-EMULATED-RACE", "shared");
  }
}

TEST(Mbarrier, WrongParityIsReported) {
  // A producer that waits for the phase that has not begun: everybody waits, and the report says for what.
  std::string text =
      ring("", "mbarrier.try_wait.parity.shared::cta.b64 %p1, [bar+8], %r7; @!%p1 bra again1;");
  Outcome outcome = run(text);
  expectFinding(
      outcome, "deadlock", "E-EMULATED-DEADLOCK",
      "for phase 0 of the mbarrier at shared address 8, which waits for 32 of 32 arrivals and 0 bytes");
  EXPECT_NE(outcome.findings[0].detail.find("threads 32-63 wait at `mbarrier.try_wait"), std::string::npos)
      << outcome.findings[0].detail;
  // A consumer with the other parity passes too early.
  std::string early = ring(
      "xor.b32 %r8, %r7, 1; mbarrier.try_wait.parity.shared::cta.b64 %p1, [bar], %r8; @!%p1 bra again2;");
  for (uint64_t seed = 0; seed < 4; ++seed)
    EXPECT_FALSE(run(early, RunOptions{.seed = seed}).status.ok());
}

TEST(Mbarrier, CountsStatesAndTokens) {
  // One thread: counts, dropped arrivals, the token's pending count, phases by state.
  std::string text = kernel(
      "@!%p0 bra over; mbarrier.init.shared.b64 [bar], 3;\n"
      "mbarrier.arrive.shared.b64 %d5, [bar]; mbarrier.pending_count.b64 %r10, %d5; st.global.u32 [%d1], "
      "%r10;\n"
      "mbarrier.arrive.release.cta.shared::cta.b64 %d6, [bar], 1; mbarrier.pending_count.b64 %r10, %d6; "
      "st.global.u32 [%d1+4], %r10;\n"
      "mbarrier.test_wait.shared.b64 %p1, [bar], %d6; selp.u32 %r10, 1, 2, %p1; st.global.u32 [%d1+8], "
      "%r10;\n"
      "mbarrier.arrive_drop.shared.b64 %d7, [bar];\n"
      "mbarrier.test_wait.shared.b64 %p1, [bar], %d5; selp.u32 %r10, 1, 2, %p1; st.global.u32 [%d1+12], "
      "%r10;\n"
      "mbarrier.arrive.shared.b64 %d5, [bar]; mbarrier.pending_count.b64 %r10, %d5; st.global.u32 [%d1+16], "
      "%r10;\n"
      "mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [bar], 100; mbarrier.arrive.shared.b64 %d5, [bar];\n"
      "mbarrier.test_wait.shared.b64 %p1, [bar], %d5; selp.u32 %r10, 1, 2, %p1; st.global.u32 [%d1+20], "
      "%r10;\n"
      "mbarrier.complete_tx.relaxed.cta.shared::cta.b64 [bar], 100;\n"
      "mbarrier.test_wait.shared.b64 %p1, [bar], %d5; selp.u32 %r10, 1, 2, %p1; st.global.u32 [%d1+24], "
      "%r10;\n"
      "mbarrier.inval.shared.b64 [bar]; mbarrier.init.shared.b64 [bar], 1;\n"
      "mbarrier.test_wait.parity.shared.b64 %p1, [bar], 1; selp.u32 %r10, 1, 2, %p1; st.global.u32 [%d1+28], "
      "%r10;\n"
      "cvta.shared.u64 %d8, %d9; mov.u64 %d9, bar; cvta.shared.u64 %d8, %d9; mbarrier.arrive.b64 %d10, "
      "[%d8];\n"
      "mbarrier.test_wait.parity.b64 %p1, [%d8], 0; selp.u32 %r10, 1, 2, %p1; st.global.u32 [%d1+32], %r10; "
      "over:");
  expectAssembles(text, "sm_90a");
  Outcome outcome = run(text);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
  const uint32_t expected[] = {3, 2, 2, 1, 2, 2, 1, 1, 1};
  for (size_t i = 0; i < std::size(expected); ++i)
    EXPECT_EQ(outcome.out[i], expected[i]) << i;
}

TEST(Mbarrier, MisuseIsFound) {
  auto one = [](const std::string &body) { return run(kernel("@!%p0 bra over; " + body + " over:")); };
  expectFinding(one("mbarrier.arrive.shared.b64 _, [bar];"), "asynchronous", "E-EMULATED-ASYNC",
                "has not been initialised");
  expectFinding(
      one("mbarrier.init.shared.b64 [bar], 1; st.shared.u32 [bar], 7; mbarrier.arrive.shared.b64 _, [bar];"),
      "asynchronous", "E-EMULATED-ASYNC", "written over");
  expectFinding(one("mbarrier.init.shared.b64 [bar], 1; mbarrier.arrive.shared.b64 _, [bar], 2;"),
                "asynchronous", "E-EMULATED-ASYNC", "more threads arrive");
  expectFinding(one("mbarrier.init.shared.b64 [bar], 1; mbarrier.init.shared.b64 [bar], 1;"), "asynchronous",
                "E-EMULATED-ASYNC", "initialised twice");
  expectFinding(one("mbarrier.init.shared.b64 [bar], 0;"), "operand", "E-EMULATED-OPERAND", "2^20 - 1");
  expectFinding(one("mov.u32 %r6, bar; mbarrier.init.shared.b64 [%r6+4], 1;"), "misaligned",
                "E-EMULATED-MISALIGNED", "init");
  expectFinding(one("mov.u32 %r6, bar; mbarrier.init.shared.b64 [%r6+65536], 1;"), "out-of-bounds",
                "E-EMULATED-OUT-OF-BOUNDS", "init");
  // Without a barrier after the initialisation the others may come too early.
  expectFinding(run(kernel("@%p0 mbarrier.init.shared.b64 [bar], 64; mbarrier.arrive.shared.b64 _, [bar];")),
                "race", "E-EMULATED-RACE", "mbarrier");
}

TEST(Mbarrier, ArrivalsOfOneRoundDoNotOrderTheNext) {
  // Every thread writes, arrives, waits, reads its neighbour and writes again without a second wait.
  std::string text = kernel("@%p0 mbarrier.init.shared.b64 [bar], 64; bar.sync 0; st.shared.u32 [%r4], %r1;\n"
                            "mbarrier.arrive.shared.b64 _, [bar];\n"
                            "wait: mbarrier.try_wait.parity.shared.b64 %p1, [bar], 0; @!%p1 bra wait;\n"
                            "xor.b32 %r6, %r4, 4; ld.shared.u32 %r7, [%r6]; st.global.u32 [%d3], %r7;\n");
  for (uint64_t seed = 0; seed < 4; ++seed) {
    Outcome outcome = run(text, RunOptions{.seed = seed});
    ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
    for (uint32_t i = 0; i < 64; ++i)
      EXPECT_EQ(outcome.out[i], i ^ 1);
    std::string late = text;
    late.replace(late.find("st.global"), 0, "st.shared.u32 [%r4], 1234;\n");
    expectFinding(run(late, RunOptions{.seed = seed}), "race", "E-EMULATED-RACE", "shared");
  }
}

//===----------------------------------------------------------------------===//
// Clusters
//===----------------------------------------------------------------------===//

const std::string clusterSync =
    "barrier.cluster.arrive.release.aligned; barrier.cluster.wait.acquire.aligned;\n";

TEST(Cluster, NumbersAndDistributedMemory) {
  // Each thread gives its word to the next block of the cluster, by mapa, and adds to the first one's
  // counter.
  std::string text =
      kernel("mov.u32 %r20, %cluster_ctarank; mov.u32 %r21, %cluster_nctarank; mov.u32 %r22, %clusterid.x; "
             "mov.u32 %r23, "
             "%ctaid.x;\n"
             "mad.lo.u32 %r6, %r23, 1000, %r1; st.shared.u32 [%r4], %r6; @%p0 st.shared.u32 [bar], 0;\n" +
                 clusterSync +
                 "add.u32 %r7, %r20, 1; rem.u32 %r7, %r7, %r21; mapa.shared::cluster.u32 %r8, %r4, %r7;\n"
                 "ld.shared::cluster.u32 %r9, [%r8]; mapa.shared::cluster.u32 %r10, %r5, 0;\n"
                 "red.relaxed.cluster.shared::cluster.add.u32 [%r10], 1;\n"
                 "getctarank.shared::cluster.u32 %r13, %r8; mov.u64 %d5, data; cvta.shared.u64 %d5, %d5; "
                 "mapa.u64 %d6, %d5, %r7; "
                 "ld.u32 %r14, [%d6];\n" +
                 clusterSync +
                 "ld.shared::cluster.u32 %r11, [%r10];\n"
                 "mad.lo.u32 %r12, %r11, 100000, %r9; mad.lo.u32 %r12, %r22, 7, %r12; mad.lo.u32 %r12, %r13, "
                 "3, %r12;\n"
                 "add.u32 %r12, %r12, %r14; mul.wide.u32 %d4, %r23, 256; add.u64 %d3, %d3, %d4; "
                 "st.global.u32 [%d3], %r12;\n" +
                 clusterSync,
             ".reqnctapercluster 3, 1, 1");
  expectAssembles(text, "sm_90a");
  for (uint64_t seed = 0; seed < 5; ++seed) {
    Outcome outcome = run(text, RunOptions{.seed = seed}, 6);
    ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
    for (uint32_t block = 0; block < 6; ++block)
      for (uint32_t i = 0; i < 64; ++i) {
        uint32_t cluster = block / 3, rank = block % 3, next = (rank + 1) % 3;
        uint32_t expected = 192 * 100000 + (cluster * 3 + next) * 1000 + i + cluster * 7 + next * 3 +
                            (cluster * 3 + next) * 1000;
        ASSERT_EQ(outcome.out[block * 64 + i], expected) << block << " " << i;
      }
  }
  // The launch must hold whole clusters, and only newer targets have them.
  EXPECT_EQ(run(text, {}, 4).status.id(), "E-LAUNCH-SHAPE");
}

TEST(Cluster, MissingBarriersAreFound) {
  std::string exchange =
      "mov.u32 %r20, %cluster_ctarank; xor.b32 %r7, %r20, 1; st.shared.u32 [%r4], %r1; FIRST "
      "mapa.shared::cluster.u32 %r8, %r4, %r7; ld.shared::cluster.u32 %r9, [%r8]; "
      "st.global.u32 [%d3], %r9; SECOND";
  auto with = [&](const std::string &first, const std::string &second) {
    std::string text = exchange;
    text.replace(text.find("FIRST"), 5, first);
    text.replace(text.find("SECOND"), 6, second);
    return kernel(text, ".reqnctapercluster 2, 1, 1");
  };
  for (uint64_t seed = 0; seed < 4; ++seed) {
    RunOptions options{.seed = seed, .uninitialised = false};
    EXPECT_TRUE(run(with(clusterSync, clusterSync), options, 2).status.ok());
    // Either a race, or the memory of a block that has ended.
    EXPECT_FALSE(run(with("bar.sync 0;", clusterSync), options, 2).status.ok());
    EXPECT_FALSE(
        run(with("barrier.cluster.arrive.relaxed.aligned; barrier.cluster.wait.aligned;", clusterSync),
            options, 2)
            .status.ok());
  }
  expectFinding(run(with("barrier.cluster.wait;", clusterSync), {}, 2), "divergence", "E-EMULATED-DIVERGENCE",
                "without having arrived");
  expectFinding(run(with("barrier.cluster.arrive; barrier.cluster.arrive;", clusterSync), {}, 2),
                "divergence", "E-EMULATED-DIVERGENCE", "again without a wait");
  // One block waits for the other, which has another plan.
  expectFinding(
      run(kernel("mov.u32 %r20, %cluster_ctarank; setp.eq.u32 %p1, %r20, 0; @%p1 bra wait; bar.sync 1, 128; "
                 "wait: barrier.cluster.arrive; barrier.cluster.wait;",
                 ".reqnctapercluster 2, 1, 1"),
          {}, 2),
      "deadlock", "E-EMULATED-DEADLOCK", "in block 1 threads 0-63 wait at `bar.sync 1, 128`");
  expectFinding(run(with(clusterSync + "mapa.shared::cluster.u32 %r8, %r4, 2;", clusterSync), {}, 2),
                "operand", "E-EMULATED-OPERAND", "rank");
}

TEST(Cluster, RemoteArrival) {
  // Block 0 waits until both blocks have arrived at its mbarrier, then reads what block 1 has stored there.
  std::string text = kernel(
      "mov.u32 %r20, %cluster_ctarank; setp.eq.u32 %p2, %r20, 0; @%p0 mbarrier.init.shared.b64 [bar], 128; "
      "@%p0 fence.mbarrier_init.release.cluster;\n" +
          clusterSync +
          "mapa.shared::cluster.u32 %r8, %r4, 0; mapa.shared::cluster.u32 %r10, %r5, 0; add.u32 %r9, %r1, "
          "500;\n"
          "@!%p2 st.shared::cluster.u32 [%r8], %r9; mbarrier.arrive.release.cluster.shared::cluster.b64 _, "
          "[%r10];\n"
          "@!%p2 bra over;\n"
          "wait: mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 %p1, [bar], 0; @!%p1 bra wait;\n"
          "xor.b32 %r6, %r4, 12; ld.shared.u32 %r7, [%r6]; st.global.u32 [%d3], %r7; over:\n" +
          clusterSync,
      ".reqnctapercluster 2, 1, 1");
  expectAssembles(text, "sm_90a");
  for (uint64_t seed = 0; seed < 4; ++seed) {
    Outcome outcome = run(text, RunOptions{.seed = seed}, 2);
    ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
    for (uint32_t i = 0; i < 64; ++i)
      EXPECT_EQ(outcome.out[i], 500 + (i ^ 3));
  }
}

TEST(Cluster, OlderTargetsHaveNone) {
  Gpu gpu("nvidia:sm_80");
  std::string text = ptxHead("sm_80") + ".visible .entry k() .reqnctapercluster 2, 1, 1 { ret; }";
  LaunchShape shape;
  shape.blocks = 2;
  EXPECT_EQ(gpu.run(text, shape, {}).id(), "E-LAUNCH-SHAPE");
}

} // namespace
} // namespace quern::runtime::emulated
