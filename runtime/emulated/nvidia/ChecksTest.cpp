//===- ChecksTest.cpp - Registers, global races, NaN of 8 bits ------------===//
//
// Planted faults of the checks that have translations of their own (Checks.h), each beside a clean program,
// and the same programs without the check.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/PtxTest.h"

namespace quern::runtime::emulated {
namespace {

/// Runs |body| with %d1 = 4096 zero bytes, %d2 = the thread's word of them, %r1 = thread, %r2 = block, %p1 =
/// thread 0. Registers %r10 to %r19, %p5 to %p7, %h1 and %h2 are written by nobody else.
Status run(const std::string &body, RunOptions options, uint32_t blocks = 1, uint32_t threads = 64) {
  std::string text = ptxHead() + R"(.visible .entry k(.param .u64 .ptr memory) {
  .reg .pred %p<8>; .reg .b16 %h<4>; .reg .b32 %r<20>; .reg .b64 %d<8>; .shared .align 16 .b8 s[512];
  ld.param.u64 %d1, [memory]; mov.u32 %r1, %tid.x; mov.u32 %r2, %ctaid.x; mov.u32 %r3, %ntid.x;
  mad.lo.u32 %r3, %r2, %r3, %r1; mul.wide.u32 %d2, %r3, 4; add.u64 %d2, %d2, %d1; setp.eq.u32 %p1, %r1, 0;
)" + body + "\ndone: ret;\n}\n";
  Gpu gpu("nvidia:sm_100a", options);
  auto memory = gpu.buffer(std::vector<uint32_t>(1024, 0));
  LaunchShape shape;
  shape.blocks = blocks;
  shape.threads = threads;
  return gpu.run(text, shape, {pointerTo(*memory)});
}

void expectUnwritten(const std::string &body, const std::string &name) {
  Status status = run(body, {.registers = true});
  EXPECT_EQ(idOf(status), "E-EMULATED-UNINITIALISED") << body;
  if (!status.ok())
    EXPECT_NE(status.message().find("`" + name + "`"), std::string::npos) << status.message();
  EXPECT_EQ(idOf(run(body, {})), "") << body;
  EXPECT_EQ(idOf(run(body, {.sanitize = false, .registers = true})), "") << body;
}

TEST(Registers, UnwrittenOnesAreFoundWhereTheyTakeEffect) {
  expectUnwritten("st.global.b32 [%d2], %r10;", "%r10");
  expectUnwritten("st.global.v2.b32 [%d1], {%r1, %r10};", "%r10");
  expectUnwritten("@%p5 st.global.b32 [%d2], %r1;", "%p5");
  expectUnwritten("st.shared.b32 [%r10], 1;", "%r10");
  expectUnwritten("atom.global.add.u32 %r11, [%d2], %r10;", "%r10");
  expectUnwritten(
      "mov.u32 %r4, 0; mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {%r5, %r6, %r7, %r8}, {%r4, "
      "%r4}, {%r10}, {%r4, %r4, %r4, %r4};",
      "%r10");
  // Through arithmetic.
  expectUnwritten("add.u32 %r4, %r10, %r1; mul.lo.u32 %r5, %r4, 3; st.global.b32 [%d2], %r5;", "%r5");
  expectUnwritten("setp.lt.u32 %p2, %r10, 3; @%p2 bra over; st.global.b32 [%d2], %r1; over:", "%p2");
  expectUnwritten("cvt.u64.u32 %d3, %r10; add.u64 %d3, %d3, %d1; ld.global.b32 %r4, [%d3];", "%d3");
}

TEST(Registers, PathsDecide) {
  // Half of the threads write it; the others use it all the same.
  const std::string half = "setp.lt.u32 %p2, %r1, 32; ";
  expectUnwritten(half + "@%p2 mov.u32 %r10, 7; st.global.b32 [%d2], %r10;", "%r10");
  EXPECT_EQ(idOf(run(half + "@%p2 mov.u32 %r10, 7; @%p2 st.global.b32 [%d2], %r10;", {.registers = true})),
            "");
  EXPECT_EQ(idOf(run(half + "@%p2 bra low; mov.u32 %r10, 1; bra join; low: mov.u32 %r10, 2; join: "
                            "st.global.b32 [%d2], %r10;",
                     {.registers = true})),
            "");
  // A loop whose first round writes.
  EXPECT_EQ(
      idOf(
          run("mov.u32 %r4, 0; loop: setp.eq.u32 %p2, %r4, 0; @%p2 mov.u32 %r10, %r1; add.u32 %r10, %r10, 1; "
              "add.u32 %r4, %r4, 1; setp.lt.u32 %p3, %r4, 5; @%p3 bra loop; st.global.b32 [%d2], %r10;",
              {.registers = true})),
      "");
  expectUnwritten(
      "mov.u32 %r4, 1; loop: setp.eq.u32 %p2, %r4, 0; @%p2 mov.u32 %r10, %r1; add.u32 %r10, %r10, 1; "
      "add.u32 %r4, %r4, 1; setp.lt.u32 %p3, %r4, 5; @%p3 bra loop; st.global.b32 [%d2], %r10;",
      "%r10");
}

TEST(Registers, ValuesThatAreWrittenInPartAreKept) {
  EXPECT_EQ(idOf(run("cvt.u16.u32 %h1, %r1; mov.b32 %r4, {%h1, %h2}; and.b32 %r4, %r4, 0xFFFF; st.global.b32 "
                     "[%d2], %r4;",
                     {.registers = true})),
            "");
  EXPECT_EQ(idOf(run("selp.b32 %r4, %r1, %r10, %p1; @%p1 st.global.b32 [%d2], %r4;", {.registers = true})),
            "");
  expectUnwritten("mov.b32 %r4, {%h1, %h2}; st.global.b32 [%d2], %r4;", "%r4");
}

void expectRace(const std::string &body, uint32_t blocks) {
  for (uint64_t seed : {0, 1, 2}) {
    Status status = run(body, {.seed = seed, .globalRaces = true}, blocks);
    EXPECT_EQ(idOf(status), "E-EMULATED-RACE") << body;
    if (!status.ok())
      EXPECT_NE(status.message().find("global"), std::string::npos) << status.message();
  }
  EXPECT_EQ(idOf(run(body, {}, blocks)), "") << body;
}
void expectClean(const std::string &body, uint32_t blocks) {
  for (uint64_t seed : {0, 1, 2}) {
    Status status = run(body, {.seed = seed, .globalRaces = true}, blocks);
    EXPECT_TRUE(status.ok()) << status.message() << body;
  }
}

TEST(GlobalRaces, InsideOfABlock) {
  const std::string write = "st.global.b32 [%d2], %r3;",
                    readNext = "xor.b32 %r4, %r3, 63; mul.wide.u32 %d3, %r4, 4; add.u64 %d3, %d3, %d1; "
                               "ld.global.b32 %r5, [%d3];";
  expectClean(write + "bar.sync 0;" + readNext, 3);
  expectRace(write + readNext, 3);
  expectClean(write + "bar.sync 0;" + readNext + "bar.sync 0;" + write, 1);
  expectRace(write + "bar.sync 0;" + readNext + "st.global.b32 [%d2], %r1; st.global.b32 [%d2], 77;", 1);
  // The same value from all is no race; different ones are.
  expectClean("st.global.b32 [%d1], 5;", 1);
  expectRace("st.global.b32 [%d1], %r1;", 1);
  // Through a generic address, and by a copy that reads.
  expectRace("st.b32 [%d2], %r3;" + readNext, 1);
  expectRace("st.global.b32 [%d2], %r3; shl.b32 %r6, %r1, 2; xor.b32 %r4, %r1, 63; mul.wide.u32 %d3, %r4, 4; "
             "add.u64 %d3, %d3, %d1; cp.async.ca.shared.global [%r6], [%d3], 4; cp.async.wait_all;",
             1);
}

TEST(GlobalRaces, BetweenBlocks) {
  expectClean("st.global.b32 [%d2], %r1;", 4);
  expectRace("@!%p1 bra done; st.global.b32 [%d1], %r2;", 4);
  expectRace(
      "@!%p1 bra done; setp.eq.u32 %p2, %r2, 0; @%p2 st.global.b32 [%d1], 1; ld.global.b32 %r4, [%d1];", 4);
  expectClean("red.global.add.u32 [%d1], 1; atom.global.max.u32 %r4, [%d1+4], %r1;", 4);
  expectRace("red.global.add.u32 [%d1], 1; bar.sync 0; ld.global.u32 %r4, [%d1];", 4);
}

TEST(GlobalRaces, TheLastBlockReadsWhatAllHavePublished) {
  // Each thread writes its word; thread 0 takes a ticket; the block with the last ticket reads all words.
  auto program = [](const std::string &barrier, const std::string &fence, const std::string &ticket) {
    return "add.u32 %r4, %r3, 1; st.global.b32 [%d2+64], %r4;" + barrier + "@!%p1 bra wait; " + fence +
           ticket +
           "st.shared.u32 [s], %r5; wait: bar.sync 0; ld.shared.u32 %r5, [s]; setp.ne.u32 %p2, %r5, 3; @%p2 "
           "bra "
           "done; mov.u32 %r6, 0; loop: mul.wide.u32 %d3, %r6, 256; mul.wide.u32 %d4, %r1, 4; add.u64 %d3, "
           "%d3, %d4; "
           "add.u64 %d3, %d3, %d1; ld.global.b32 %r7, [%d3+64]; add.u32 %r6, %r6, 1; setp.lt.u32 %p3, %r6, "
           "4; @%p3 "
           "bra loop;";
  };
  const std::string ticket = "atom.global.add.u32 %r5, [%d1], 1;";
  expectClean(program("bar.sync 0;", "membar.gl;", ticket), 4);
  expectClean(program("bar.sync 0;", "fence.acq_rel.gpu;", ticket), 4);
  expectClean(program("bar.sync 0;", "", "atom.acq_rel.gpu.global.add.u32 %r5, [%d1], 1;"), 4);
  expectRace(program("bar.sync 0;", "", ticket), 4);
  expectRace(program("bar.sync 0;", "membar.cta;", ticket), 4);
  expectRace(program("", "membar.gl;", ticket), 4);
}

TEST(SmallNans, AreFoundWhenAskedFor) {
  const std::string start = "mov.b32 %r4, 0f7FC00000; mov.b32 %r5, 0f3F800000; ";
  for (const std::string type : {"e4m3x2", "e5m2x2"}) {
    const std::string nan = start + "cvt.rn.satfinite." + type + ".f32 %h1, %r5, %r4;",
                      plain = start + "cvt.rn.satfinite." + type + ".f32 %h1, %r5, %r5;";
    EXPECT_EQ(idOf(run(nan, {.smallNans = true})), "E-EMULATED-NAN");
    EXPECT_EQ(idOf(run(plain, {.smallNans = true})), "");
    EXPECT_EQ(idOf(run(nan, {})), "");
    EXPECT_EQ(idOf(run(nan, {.sanitize = false, .smallNans = true})), "");
    // Infinity saturates.
    EXPECT_EQ(idOf(run("mov.b32 %r4, 0fFF800000; cvt.rn.satfinite." + type + ".f32 %h1, %r4, %r4;",
                       {.smallNans = true})),
              "");
  }
}

} // namespace
} // namespace quern::runtime::emulated
