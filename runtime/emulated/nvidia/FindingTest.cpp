//===- FindingTest.cpp - Faults of kernels are found, clean ones are clean -===//

#include "runtime/emulated/nvidia/PtxTest.h"

#include <numeric>

namespace quern::runtime::emulated {
namespace {

struct Outcome {
  Status status = Status::success();
  std::vector<Finding> findings;
};

/// Runs |body| with %r1 = thread, %r2 = 4 * thread, %d1 = out (64 words), shared memory s of 64 words.
Outcome run(const std::string &body, uint32_t threads = 64, RunOptions options = {}, uint32_t blocks = 1,
            const std::string &module = "") {
  std::string text = ptxHead() + module + ".shared .align 16 .b32 s[64];\n.shared .align 1 .b8 bytes[64];\n" +
                     ".visible .entry k(.param .u64 .ptr out) {\n.reg .pred %p<8>; .reg .b16 %h<8>; .reg "
                     ".b32 %r<32>; .reg .b64 %d<16>;\n" +
                     "ld.param.u64 %d1, [out]; mov.u32 %r1, %tid.x; shl.b32 %r2, %r1, 2; cvt.u64.u32 %d2, "
                     "%r2; add.u64 %d3, %d1, %d2; mov.u32 %r3, s; add.u32 %r4, %r3, %r2;\n" +
                     body + "\nret;\n}\n";
  Gpu gpu("nvidia:sm_100a", options);
  auto out = gpu.buffer(std::vector<uint32_t>(64, 0));
  LaunchShape shape;
  shape.threads = threads;
  shape.blocks = blocks;
  Outcome outcome;
  outcome.status = gpu.run(text, shape, {pointerTo(*out)});
  outcome.findings = gpu.device->findings();
  return outcome;
}

void expectFinding(const Outcome &outcome, const std::string &kind, const std::string &id,
                   const std::string &instruction) {
  ASSERT_FALSE(outcome.status.ok()) << kind;
  EXPECT_EQ(outcome.status.id(), id) << outcome.status.message();
  EXPECT_EQ(outcome.status.exit(), Exit::Unexpected);
  ASSERT_EQ(outcome.findings.size(), 1u);
  EXPECT_EQ(outcome.findings[0].kind, kind);
  EXPECT_EQ(outcome.findings[0].kernel, "k");
  EXPECT_NE(outcome.findings[0].instruction.find(instruction), std::string::npos)
      << outcome.findings[0].instruction;
  EXPECT_NE(outcome.status.causeText().find(instruction), std::string::npos);
}

const std::string store = "st.shared.u32 [%r4], %r1;\n", barrier = "bar.sync 0;\n";
/// Reads the word of the thread 17 further on.
const std::string readOther = "add.u32 %r5, %r1, 17; and.b32 %r5, %r5, 63; shl.b32 %r5, %r5, 2; add.u32 %r5, "
                              "%r5, %r3;\nld.shared.u32 %r6, [%r5];\n"
                              "st.global.u32 [%d3], %r6;";

TEST(Finding, GlobalBoundsToTheByte) {
  expectFinding(run("st.global.u32 [%d3], 1; st.global.u32 [%d1+256], 1;", 1), "out-of-bounds",
                "E-EMULATED-OUT-OF-BOUNDS", "[%d1+256]");
  expectFinding(run("ld.global.u32 %r5, [%d1+-4];", 1), "out-of-bounds", "E-EMULATED-OUT-OF-BOUNDS",
                "[%d1+-4]");
  expectFinding(run("ld.global.v4.u32 {%r5, %r6, %r7, %r8}, [%d1+256];", 1), "out-of-bounds",
                "E-EMULATED-OUT-OF-BOUNDS", "v4");
  // The word after the buffer, though the accesses before have made the same instruction fast.
  Outcome outcome = run("st.global.u32 [%d3], 1;", 65);
  expectFinding(outcome, "out-of-bounds", "E-EMULATED-OUT-OF-BOUNDS", "st.global.u32");
  EXPECT_EQ(outcome.findings[0].thread, 64u);
  // Wild pointers, also with the sanitizer off, and never a crash.
  for (bool sanitize : {true, false})
    for (std::string address :
         {"0", "64", "0xFFFFFFFFFFFFFFFC", "0x2000000000001000", "0x4000000000000000", "0x7FFFFFFFFFF0"}) {
      Outcome wild =
          run("mov.u64 %d5, " + address + "; st.u32 [%d5], 1;", 1, RunOptions{.sanitize = sanitize});
      expectFinding(wild, "out-of-bounds", "E-EMULATED-OUT-OF-BOUNDS", "st.u32 [%d5], 1");
      expectFinding(run("mov.u64 %d5, " + address + "; atom.global.add.u32 %r5, [%d5], 1;", 1,
                        RunOptions{.sanitize = sanitize}),
                    "out-of-bounds", "E-EMULATED-OUT-OF-BOUNDS", "atom");
    }
}

TEST(Finding, SharedAndLocalBounds) {
  for (bool sanitize : {true, false}) {
    RunOptions options{.sanitize = sanitize};
    expectFinding(run("st.shared.u32 [%r3+320], 1;", 1, options), "out-of-bounds", "E-EMULATED-OUT-OF-BOUNDS",
                  "[%r3+320]");
    expectFinding(run("ld.shared.u32 %r5, [%r3+-4];", 1, options), "out-of-bounds",
                  "E-EMULATED-OUT-OF-BOUNDS", "[%r3+-4]");
    expectFinding(run(".local .u32 l[2]; mov.u64 %d5, l; st.local.u32 [%d5+16], 1;", 1, options),
                  "out-of-bounds", "E-EMULATED-OUT-OF-BOUNDS", "st.local");
  }
}

TEST(Finding, ConstantsAreNotWritten) {
  expectFinding(run("mov.u64 %d5, fixed; st.global.u32 [%d5], 1;", 1, {}, 1, ".const .u32 fixed = 3;\n"),
                "out-of-bounds", "E-EMULATED-OUT-OF-BOUNDS", "st.global");
}

TEST(Finding, Misaligned) {
  expectFinding(run("ld.global.u32 %r5, [%d1+2];", 1), "misaligned", "E-EMULATED-MISALIGNED", "[%d1+2]");
  expectFinding(run("ld.global.v2.u32 {%r5, %r6}, [%d1+4];", 1), "misaligned", "E-EMULATED-MISALIGNED", "v2");
  expectFinding(run("st.shared.u16 [bytes+1], %h1;", 1), "misaligned", "E-EMULATED-MISALIGNED", "u16");
  // Atomics are checked always.
  expectFinding(run("atom.global.add.u32 %r5, [%d1+2], 1;", 1, RunOptions{.sanitize = false}), "misaligned",
                "E-EMULATED-MISALIGNED", "atom");
  expectFinding(run("atom.shared.add.u32 %r5, [%r3+2], 1;", 1, RunOptions{.sanitize = false}), "misaligned",
                "E-EMULATED-MISALIGNED", "atom");
}

TEST(Finding, MissingBarrierIsARace) {
  for (uint64_t seed = 0; seed < 5; ++seed) {
    RunOptions options{.seed = seed, .uninitialised = false};
    expectFinding(run(store + readOther, 64, options), "race", "E-EMULATED-RACE", "shared");
    EXPECT_TRUE(run(store + barrier + readOther, 64, options).status.ok());
    // Written again while others may still read.
    expectFinding(run(store + barrier + readOther + store, 64, options), "race", "E-EMULATED-RACE", "shared");
    EXPECT_TRUE(run(store + barrier + readOther + barrier + store, 64, options).status.ok());
  }
  Outcome outcome = run(store + readOther, 64);
  EXPECT_NE(outcome.status.causeText().find("thread"), std::string::npos);
}

TEST(Finding, RacesOfAtomicsAndOfEqualValues) {
  // Different values to one place.
  expectFinding(run("st.shared.u32 [s], %r1;"), "race", "E-EMULATED-RACE", "st.shared.u32 [s], %r1");
  // The same value by all, and atomics among each other, are no races.
  EXPECT_TRUE(run("st.shared.u32 [s], 7;").status.ok());
  EXPECT_TRUE(run("setp.eq.u32 %p1, %r1, 0; @%p1 st.shared.u32 [s], 0; bar.sync 0; red.shared.add.u32 [s], "
                  "%r1; bar.sync 0; ld.shared.u32 %r5, [s]; st.global.u32 [%d3], %r5;")
                  .status.ok());
  // An atomic against a plain access is one.
  expectFinding(run("setp.eq.u32 %p1, %r1, 0; @%p1 st.shared.u32 [s], 0; bar.sync 0; red.shared.add.u32 [s], "
                    "1; ld.shared.u32 %r5, [s];"),
                "race", "E-EMULATED-RACE", "[s]");
}

TEST(Finding, NeighbouringBytesDoNotConflict) {
  EXPECT_TRUE(run("mov.u32 %r5, bytes; add.u32 %r5, %r5, %r1; st.shared.u8 [%r5], %r1; bar.sync 0; xor.b32 "
                  "%r6, %r1, 1; mov.u32 %r7, bytes;"
                  "add.u32 %r7, %r7, %r6; ld.shared.u8 %r8, [%r7]; st.global.u32 [%d3], %r8;")
                  .status.ok());
}

TEST(Finding, WarpBarrierOrdersOnlyItsWarp) {
  std::string exchange = "xor.b32 %r5, %r1, 1; shl.b32 %r5, %r5, 2; add.u32 %r5, %r5, %r3; ld.shared.u32 "
                         "%r6, [%r5]; st.global.u32 [%d3], %r6;";
  EXPECT_TRUE(run(store + "bar.warp.sync -1;" + exchange).status.ok());
  expectFinding(run(store + exchange, 64, RunOptions{.uninitialised = false}), "race", "E-EMULATED-RACE",
                "shared");
  std::string across = "xor.b32 %r5, %r1, 32; shl.b32 %r5, %r5, 2; add.u32 %r5, %r5, %r3; ld.shared.u32 %r6, "
                       "[%r5]; st.global.u32 [%d3], %r6;";
  expectFinding(run(store + "bar.warp.sync -1;" + across, 64, RunOptions{.uninitialised = false}), "race",
                "E-EMULATED-RACE", "shared");
  // A shuffle is no barrier for memory.
  expectFinding(run(store + "shfl.sync.idx.b32 %r9, %r1, 0, 31, -1;" + exchange, 64,
                    RunOptions{.uninitialised = false}),
                "race", "E-EMULATED-RACE", "shared");
}

TEST(Finding, NamedBarriersOrderWhoMeets) {
  // Warp 0 hands to warp 1 through barrier 1; warp 1 writes what warp 0 reads after barrier 2.
  std::string good = "setp.lt.u32 %p1, %r1, 32; @%p1 bra first; bar.sync 1, 64; ld.shared.u32 %r5, "
                     "[%r4+-128]; st.shared.u32 [%r4], %r5; bar.arrive 2, 64; bra over;"
                     "first: st.shared.u32 [%r4], %r1; bar.arrive 1, 64; bar.sync 2, 64; ld.shared.u32 %r5, "
                     "[%r4+128]; st.global.u32 [%d3], %r5; over:";
  for (uint64_t seed = 0; seed < 5; ++seed)
    EXPECT_TRUE(run(good, 64, RunOptions{.seed = seed}).status.ok());
  // The arriver writes again after it has arrived: not ordered before what the waiter reads.
  std::string late = good;
  late.replace(late.find("bar.sync 2, 64;"), 15, "st.shared.u32 [%r4], 9; bar.sync 2, 64;");
  for (uint64_t seed = 0; seed < 5; ++seed)
    expectFinding(run(late, 64, RunOptions{.seed = seed}), "race", "E-EMULATED-RACE", "shared");
}

TEST(Finding, Uninitialised) {
  expectFinding(run("ld.shared.u32 %r5, [%r4]; st.global.u32 [%d3], %r5;"), "uninitialised",
                "E-EMULATED-UNINITIALISED", "ld.shared");
  // Without the check, the poison shows.
  EXPECT_TRUE(
      run("ld.shared.u32 %r5, [%r4]; st.global.u32 [%d3], %r5;", 64, RunOptions{.uninitialised = false})
          .status.ok());
  // Each block begins anew.
  expectFinding(run("mov.u32 %r9, %ctaid.x; setp.eq.u32 %p1, %r9, 0; @%p1 st.shared.u32 [%r4], 1; "
                    "ld.shared.u32 %r5, [%r4];",
                    64, RunOptions{.workers = 1}, 2),
                "uninitialised", "E-EMULATED-UNINITIALISED", "ld.shared");
}

TEST(Finding, DeadlockSaysWhoWaitsWhere) {
  Outcome outcome =
      run("setp.lt.u32 %p1, %r1, 32; @%p1 bra first; bar.sync 1, 64; bra over; first: bar.sync 2, 64; over:");
  expectFinding(outcome, "deadlock", "E-EMULATED-DEADLOCK", "bar.sync");
  const std::string &detail = outcome.findings[0].detail;
  EXPECT_NE(detail.find("threads 0-31 wait at `bar.sync 2, 64`"), std::string::npos) << detail;
  EXPECT_NE(detail.find("threads 32-63 wait at `bar.sync 1, 64`"), std::string::npos) << detail;
  // A vote with a mask of lanes that never come.
  Outcome vote = run("setp.lt.u32 %p1, %r1, 3; @%p1 bra low; bar.sync 0; bra over; low: vote.sync.any.pred "
                     "%p2, %p1, -1; over:",
                     32);
  expectFinding(vote, "deadlock", "E-EMULATED-DEADLOCK", "vote.sync");
  EXPECT_NE(vote.findings[0].detail.find("threads 0-2 wait at `vote.sync"), std::string::npos);
}

TEST(Finding, Divergence) {
  // Lanes of one warp at two aligned barriers.
  expectFinding(run("and.b32 %r5, %r1, 1; setp.eq.u32 %p1, %r5, 0; @%p1 bra even; bar.sync 0; bra over; "
                    "even: bar.sync 0; over:"),
                "divergence", "E-EMULATED-DIVERGENCE", "bar.sync 0");
  // The form that is not aligned may do so; and whole warps may go different ways.
  EXPECT_TRUE(run("and.b32 %r5, %r1, 1; setp.eq.u32 %p1, %r5, 0; @%p1 bra even; barrier.sync 0; bra over; "
                  "even: barrier.sync 0; over:")
                  .status.ok());
  EXPECT_TRUE(run("setp.lt.u32 %p1, %r1, 32; @%p1 bra even; bar.sync 0; bra over; even: bar.sync 0; over:")
                  .status.ok());
  // A lane that is not in its own mask.
  expectFinding(run("shfl.sync.idx.b32 %r5, %r1, 0, 31, 0xFFFF;", 32), "divergence", "E-EMULATED-DIVERGENCE",
                "shfl.sync");
  // Different counts at one barrier.
  expectFinding(
      run("setp.lt.u32 %p1, %r1, 32; @%p1 bra low; bar.sync 1, 64; bra over; low: bar.sync 1, 96; over:"),
      "divergence", "E-EMULATED-DIVERGENCE", "bar.sync 1");
}

TEST(Finding, BadOperandsOfBarriers) {
  expectFinding(run("bar.sync 16;"), "operand", "E-EMULATED-OPERAND", "bar.sync 16");
  expectFinding(run("bar.sync 0, 33;"), "operand", "E-EMULATED-OPERAND", "bar.sync 0, 33");
}

TEST(Finding, TheLowestBlockIsReported) {
  for (uint32_t workers : {1u, 2u})
    for (int i = 0; i < 5; ++i) {
      Outcome outcome =
          run("mov.u32 %r9, %ctaid.x; setp.ge.u32 %p1, %r9, 7; @%p1 st.global.u32 [%d1+1024], 1;", 32,
              RunOptions{.workers = workers}, 40);
      expectFinding(outcome, "out-of-bounds", "E-EMULATED-OUT-OF-BOUNDS", "[%d1+1024]");
      EXPECT_EQ(outcome.findings[0].block, 7u);
    }
}

TEST(Finding, SourceLinesAreNamed) {
  Outcome outcome =
      run(".loc 1 42 3\nst.global.u32 [%d1+1024], 1;", 1, {}, 1, ".file 1 \"kernels/norm/tile.mlir\"\n");
  ASSERT_EQ(outcome.findings.size(), 1u);
  EXPECT_NE(outcome.findings[0].instruction.find("kernels/norm/tile.mlir:42"), std::string::npos)
      << outcome.findings[0].instruction;
}

TEST(Finding, LaunchesThatNoDeviceWouldTake) {
  Gpu gpu("nvidia:sm_90a");
  auto launch = [&](const std::string &head, const std::string &body, uint32_t threads, uint32_t shared = 0) {
    LaunchShape shape;
    shape.threads = threads;
    shape.sharedBytes = shared;
    return gpu.run(ptxHead("sm_90a") + ".visible .entry k() " + head + " { " + body + " ret; }", shape, {});
  };
  EXPECT_TRUE(launch("", "", 1024).ok());
  EXPECT_EQ(launch("", "", 1025).id(), "E-LAUNCH-SHAPE");
  EXPECT_EQ(launch("", "", 0).id(), "E-LAUNCH-SHAPE");
  EXPECT_EQ(launch(".reqntid 64, 1, 1", "", 32).id(), "E-LAUNCH-SHAPE");
  EXPECT_EQ(launch(".maxntid 64", "", 65).id(), "E-LAUNCH-SHAPE");
  EXPECT_TRUE(launch(".maxntid 64", "", 64).ok());
  EXPECT_TRUE(launch("", "", 32, 227 * 1024).ok());
  EXPECT_EQ(launch("", "", 32, 227 * 1024 + 1).id(), "E-LAUNCH-SHAPE");
  std::string large = ".shared .b8 large[50000]; .reg .u32 %r; mov.u32 %r, large;";
  EXPECT_EQ(launch("", large, 32).id(), "E-LAUNCH-SHAPE");
}

TEST(Finding, CountersCountTheWork) {
  Gpu gpu;
  auto out = gpu.buffer(std::vector<uint32_t>(64, 0));
  std::string text = ptxHead() + ".shared .b32 s[64];\n.visible .entry k(.param .u64 .ptr out) { .reg .pred "
                                 "%p<2>; .reg .b32 %r<5>; .reg .b64 %d<5>;"
                                 "ld.param.u64 %d1, [out]; mov.u32 %r1, %tid.x; mul.wide.u32 %d2, %r1, 4; "
                                 "add.u64 %d1, %d1, %d2; ld.global.u32 %r2, [%d1];"
                                 "mov.u32 %r3, s; mad.lo.u32 %r3, %r1, 4, %r3; st.shared.u32 [%r3], %r2; "
                                 "bar.sync 0; ld.shared.u32 %r4, [%r3];"
                                 "setp.lt.u32 %p1, %r1, 10; @%p1 st.global.u32 [%d1], %r4; ret; }";
  LaunchShape shape;
  shape.threads = 48;
  shape.blocks = 1;
  ASSERT_TRUE(gpu.run(text, shape, {pointerTo(*out)}).ok());
  const RunCounters &counts = gpu.device->runCounters();
  EXPECT_EQ(counts.threadInstructions, 48u * 13);
  EXPECT_EQ(counts.warpInstructions, 2u * 13);
  EXPECT_EQ(counts.globalLoadBytes, 48u * 4);
  EXPECT_EQ(counts.globalStoreBytes, 10u * 4);
  EXPECT_EQ(counts.sharedLoadBytes, 48u * 4);
  EXPECT_EQ(counts.sharedStoreBytes, 48u * 4);
  EXPECT_EQ(counts.barriers, 1u);
  EXPECT_EQ(gpu.device->kernelCounters().at("k").threadInstructions, counts.threadInstructions);
}

} // namespace
} // namespace quern::runtime::emulated
