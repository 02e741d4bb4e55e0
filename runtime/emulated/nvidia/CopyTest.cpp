//===- CopyTest.cpp - cp.async --------------------------------------------===//
//
// PTX ISA 9.7.9.25.3. Every program runs with copies that take effect at once, at the wait, and by chance: a
// right one gives the same result, a wrong one is found in each.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/AssemblerTest.h"
#include "runtime/emulated/nvidia/PtxTest.h"

#include <functional>

namespace quern::runtime::emulated {
namespace {

/// Shared memory |s| of 2 KiB; %d1 and %d2 are the thread's 16 bytes of |in| and |out|, %r2 those of |s|, %r3
/// those of the thread opposite.
std::string copyProgram(const std::string &body) {
  return R"(.version 8.3
.target sm_80
.address_size 64
.visible .entry k(.param .u64 .ptr in, .param .u64 .ptr out) {
  .reg .pred %p<4>; .reg .b32 %r<16>; .reg .b64 %d<8>;
  .shared .align 16 .b8 s[2048]; .shared .align 8 .b64 bar;
  ld.param.u64 %d1, [in]; ld.param.u64 %d2, [out]; mov.u32 %r1, %tid.x; mul.wide.u32 %d3, %r1, 16;
  add.u64 %d1, %d1, %d3; add.u64 %d2, %d2, %d3; mov.u32 %r4, s; shl.b32 %r2, %r1, 4; add.u32 %r2, %r2, %r4;
  xor.b32 %r3, %r1, 63; shl.b32 %r3, %r3, 4; add.u32 %r3, %r3, %r4;
)" + body +
         "\nret;\n}\n";
}

const std::string readOpposite = "bar.sync 0; ld.shared.v4.b32 {%r5, %r6, %r7, %r8}, [%r3]; "
                                 "st.global.v4.b32 [%d2], {%r5, %r6, %r7, %r8};",
                  readOwn = "ld.shared.v4.b32 {%r5, %r6, %r7, %r8}, [%r2]; "
                            "st.global.v4.b32 [%d2], {%r5, %r6, %r7, %r8};";

struct CopyRun {
  Status status;
  std::vector<uint8_t> out;
};

uint8_t inputByte(size_t i) { return static_cast<uint8_t>(i * 7 + i / 256 + 1); }

CopyRun run(const std::string &body, RunOptions options) {
  std::vector<uint8_t> in;
  for (size_t i = 0; i < 64 * 16; ++i)
    in.push_back(inputByte(i));
  Gpu gpu("nvidia:sm_80", options);
  auto inBuffer = gpu.buffer(in), out = gpu.blank<uint8_t>(64 * 16);
  LaunchShape shape;
  shape.threads = 64;
  CopyRun result;
  result.status = gpu.run(copyProgram(body), shape, {pointerTo(*inBuffer), pointerTo(*out)});
  result.out = gpu.read<uint8_t>(*out);
  return result;
}

const AsyncOrder orders[] = {AsyncOrder::Earliest, AsyncOrder::Latest, AsyncOrder::Random};

/// |expected|(thread, byte) under every order, with the sanitizer and without.
void expectOut(const std::string &body, const std::function<uint8_t(uint32_t, uint32_t)> &expected) {
  test::expectAssembles(copyProgram(body), "sm_80");
  for (AsyncOrder order : orders)
    for (bool sanitize : {false, true})
      for (uint64_t seed : {0, 5}) {
        CopyRun result = run(body, {.seed = seed, .sanitize = sanitize, .asynchronous = order});
        ASSERT_TRUE(result.status.ok()) << result.status.message() << body;
        for (uint32_t i = 0; i < 64 * 16; ++i)
          ASSERT_EQ(result.out[i], expected(i / 16, i % 16)) << body << i << " " << static_cast<int>(order);
      }
}

void expectEnd(const std::string &body, const std::string &id) {
  for (AsyncOrder order : orders)
    EXPECT_EQ(idOf(run(body, {.asynchronous = order}).status), id) << body << static_cast<int>(order);
}

TEST(Copy, Sizes) {
  auto opposite = [](uint32_t thread, uint32_t byte) { return inputByte((thread ^ 63) * 16 + byte); };
  expectOut("cp.async.cg.shared.global [%r2], [%d1], 16; cp.async.wait_all;" + readOpposite, opposite);
  expectOut(
      "cp.async.ca.shared.global.L2::128B [%r2], [%d1], 16; cp.async.commit_group; cp.async.wait_group 0;" +
          readOpposite,
      opposite);
  expectOut("cp.async.ca.shared::cta.global [%r2+8], [%d1+8], 8; cp.async.ca.shared.global [%r2], [%d1], 8; "
            "cp.async.wait_all;" +
                readOpposite,
            opposite);
  expectOut("cp.async.ca.shared.global [%r2], [%d1+12], 4; cp.async.ca.shared.global [%r2+4], [%d1+8], 4; "
            "cp.async.ca.shared.global [%r2+8], [%d1+4], 4; cp.async.ca.shared.global [%r2+12], [%d1], 4; "
            "cp.async.wait_all;" +
                readOpposite,
            [](uint32_t thread, uint32_t byte) {
              return inputByte((thread ^ 63) * 16 + (12 - byte / 4 * 4) + byte % 4);
            });
}

TEST(Copy, FillsWithZeros) {
  // The source has as many bytes as the thread's number says, up to 16; thread 0 names no memory at all.
  expectOut("setp.eq.u32 %p1, %r1, 0; @%p1 mov.u64 %d1, 64; min.u32 %r5, %r1, 16; "
            "cp.async.cg.shared.global [%r2], [%d1], 16, %r5; cp.async.wait_all;" +
                readOpposite,
            [](uint32_t thread, uint32_t byte) -> uint8_t {
              return byte < (thread ^ 63) ? inputByte((thread ^ 63) * 16 + byte) : 0;
            });
  expectOut("and.b32 %r5, %r1, 1; setp.eq.u32 %p1, %r5, 1; cp.async.ca.shared.global [%r2], [%d1], 16, %p1; "
            "cp.async.wait_all;" +
                readOpposite,
            [](uint32_t thread, uint32_t byte) -> uint8_t {
              return (thread ^ 63) & 1 ? 0 : inputByte((thread ^ 63) * 16 + byte);
            });
}

TEST(Copy, GroupsEndInOrder) {
  // The first group is waited for, the second is still open; each thread looks at its own.
  auto halves = [](uint32_t thread, uint32_t byte) { return inputByte(thread * 16 + byte); };
  const std::string two = "cp.async.ca.shared.global [%r2], [%d1], 8; cp.async.commit_group; "
                          "cp.async.ca.shared.global [%r2+8], [%d1+8], 8; cp.async.commit_group; ";
  const std::string readLow = "ld.shared.v2.b32 {%r5, %r6}, [%r2]; ",
                    readHigh = "ld.shared.v2.b32 {%r7, %r8}, [%r2+8]; ",
                    store = "st.global.v4.b32 [%d2], {%r5, %r6, %r7, %r8};";
  expectOut(two + "cp.async.wait_group 1;" + readLow + "cp.async.wait_group 0;" + readHigh + store, halves);
  expectEnd(two + "cp.async.wait_group 1;" + readLow + readHigh + store, "E-EMULATED-RACE");
  expectEnd(two + "cp.async.wait_group 2;" + readLow + store, "E-EMULATED-RACE");
  // An empty group counts too; what is in no group is covered by wait_all alone.
  expectEnd(two + "cp.async.commit_group; cp.async.wait_group 1;" + readLow + readHigh + store, "");
  expectEnd("cp.async.ca.shared.global [%r2], [%d1], 16; cp.async.wait_group 0;" + readOwn,
            "E-EMULATED-RACE");
  // Many groups, a window of two: the loop of a pipeline.
  expectOut("mov.u32 %r9, 0; loop: shl.b32 %r10, %r9, 10; and.b32 %r10, %r10, 1024; add.u32 %r10, %r10, %r2;"
            "cp.async.cg.shared.global [%r10], [%d1], 16; cp.async.commit_group; cp.async.wait_group 1;"
            "add.u32 %r9, %r9, 1; setp.lt.u32 %p1, %r9, 8; @%p1 bra loop; cp.async.wait_group 0;"
            "ld.shared.v4.b32 {%r5, %r6, %r7, %r8}, [%r10]; st.global.v4.b32 [%d2], {%r5, %r6, %r7, %r8};",
            halves);
}

TEST(Copy, MissingWaitsAreFound) {
  const std::string copy = "cp.async.cg.shared.global [%r2], [%d1], 16; cp.async.commit_group;",
                    wait = "cp.async.wait_group 0;";
  expectEnd(copy + wait + readOpposite, "");
  expectEnd(copy + readOpposite + wait, "E-EMULATED-RACE");
  // A wait of one thread orders nothing for another.
  expectEnd(copy + wait + "setp.eq.u32 %p1, %r1, 63; @%p1 ld.shared.v4.b32 {%r5, %r6, %r7, %r8}, [%r3];",
            "E-EMULATED-RACE");
  expectEnd(copy + readOwn + wait, "E-EMULATED-RACE");
  expectEnd(copy + "st.shared.b32 [%r2], %r1;" + wait, "E-EMULATED-RACE");
  // Two copies to one place, and a copy to what another thread may still read.
  expectEnd(copy + copy + wait, "E-EMULATED-RACE");
  expectEnd(copy + wait + readOpposite + copy + wait, "E-EMULATED-RACE");
  expectEnd(copy + wait + readOpposite + "bar.sync 0;" + copy + wait, "");
  // Without the sanitizer the result shows it, when copies take effect late.
  CopyRun late = run(copy + readOwn + wait, {.sanitize = false, .asynchronous = AsyncOrder::Latest});
  EXPECT_EQ(late.out[0], 0xCB);
  CopyRun early = run(copy + readOwn + wait, {.sanitize = false, .asynchronous = AsyncOrder::Earliest});
  EXPECT_EQ(early.out[0], inputByte(0));
  Status status = run(copy + readOwn + wait, {}).status;
  EXPECT_NE(status.message().find("asynchronous operation"), std::string::npos) << status.message();
}

/// What is left of a launch with copies does not meet the threads of a larger one without.
TEST(Copy, LaunchesOfDifferentSizes) {
  Gpu gpu("nvidia:sm_80", {});
  auto in = gpu.blank<uint8_t>(64 * 16), out = gpu.blank<uint8_t>(64 * 16);
  LaunchShape few, many;
  few.threads = 64;
  many.threads = 1024;
  many.blocks = 8;
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(gpu.run(copyProgram("cp.async.cg.shared.global [%r2], [%d1], 16; cp.async.wait_all;"), few,
                        {pointerTo(*in), pointerTo(*out)})
                    .ok());
    EXPECT_TRUE(gpu.run(copyProgram("bar.sync 0;"), many, {pointerTo(*in), pointerTo(*out)}).ok());
  }
}

TEST(Copy, BadOperands) {
  const std::string wait = "cp.async.wait_all;";
  expectEnd("cp.async.cg.shared.global [%r2+8], [%d1], 16;" + wait, "E-EMULATED-MISALIGNED");
  expectEnd("cp.async.cg.shared.global [%r2], [%d1+8], 16;" + wait, "E-EMULATED-MISALIGNED");
  expectEnd("cp.async.ca.shared.global [%r2+2], [%d1+4], 4;" + wait, "E-EMULATED-MISALIGNED");
  expectEnd("cp.async.cg.shared.global [%r2], [%d1+16], 16;" + wait, "E-EMULATED-OUT-OF-BOUNDS");
  expectEnd("cp.async.cg.shared.global [%r2+1056], [%d1], 16;" + wait, "E-EMULATED-OUT-OF-BOUNDS");
  expectEnd("cp.async.cg.shared.global [%r2], [%d1], 16, 17;" + wait, "E-EMULATED-OPERAND");
  expectEnd("cp.async.cg.shared.global [%r2], [%d1], 8;" + wait, "E-EMULATED-NOT-MODELLED");
  // The last bytes of the source may lie outside where they are not read.
  expectEnd("add.u64 %d1, %d1, 0; mov.u32 %r5, 8; cp.async.cg.shared.global [%r2], [%d1], 16, %r5;" + wait,
            "");
}

TEST(Copy, CompletesOnAnMbarrier) {
  for (const std::string suffix : {".noinc", ""}) {
    // All 64 threads arrive through their copies; without .noinc that changes no count, and they arrive too.
    const std::string body =
        "setp.ne.u32 %p1, %r1, 0; @%p1 bra set; mbarrier.init.shared.b64 [bar], 64; set: bar.sync 0;"
        "cp.async.cg.shared.global [%r2], [%d1], 16; cp.async.mbarrier.arrive" +
        suffix + ".shared.b64 [bar];" + (suffix.empty() ? "mbarrier.arrive.shared.b64 %d4, [bar];" : "") +
        "wait: mbarrier.test_wait.parity.shared.b64 %p2, [bar], 0; @!%p2 bra wait;"
        "ld.shared.v4.b32 {%r5, %r6, %r7, %r8}, [%r3]; st.global.v4.b32 [%d2], {%r5, %r6, %r7, %r8};";
    for (AsyncOrder order : orders) {
      std::string text = copyProgram(body);
      text.replace(text.find("sm_80"), 5, "sm_90");
      std::vector<uint8_t> in;
      for (size_t i = 0; i < 64 * 16; ++i)
        in.push_back(inputByte(i));
      Gpu gpu("nvidia:sm_90a", {.asynchronous = order});
      auto inBuffer = gpu.buffer(in), out = gpu.blank<uint8_t>(64 * 16);
      LaunchShape shape;
      shape.threads = 64;
      Status status = gpu.run(text, shape, {pointerTo(*inBuffer), pointerTo(*out)});
      ASSERT_TRUE(status.ok()) << status.message();
      auto bytes = gpu.read<uint8_t>(*out);
      for (uint32_t i = 0; i < 64 * 16; ++i)
        ASSERT_EQ(bytes[i], inputByte((i / 16 ^ 63) * 16 + i % 16));
      test::expectAssembles(text, "sm_90");
    }
  }
}

} // namespace
} // namespace quern::runtime::emulated
