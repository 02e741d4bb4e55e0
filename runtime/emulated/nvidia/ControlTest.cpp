//===- ControlTest.cpp - Branches, calls and ends -------------------------===//
//
// PTX ISA 9.7.12 and 9.7.19.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/PtxTest.h"

#include <algorithm>

namespace quern::runtime::emulated {
namespace {

uint64_t one(const std::string &body, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0) {
  return evaluate(body, {{a, b, c, 0}})[0];
}

/// One thread of kernel "k" of |text|, with one pointer to eight words.
Status run(const std::string &text, std::vector<uint32_t> *result = nullptr, RunOptions options = {}) {
  Gpu gpu("nvidia:sm_100a", options);
  auto out = gpu.buffer(std::vector<uint32_t>(8, 0));
  Status status = gpu.run(text, LaunchShape{}, {pointerTo(*out)});
  if (result)
    *result = gpu.read<uint32_t>(*out);
  return status;
}

std::string kernel(const std::string &body) {
  return ".visible .entry k(.param .u64 .ptr out) { .reg .pred %p<4>; .reg .b32 %r<16>; .reg .b64 %d<8>; "
         "ld.param.u64 %d1, [out];\n" +
         body + "\n}\n";
}

TEST(Control, Loops) {
  std::string body = "mov.u32 %r5, 0; loop: setp.ge.u32 %p1, %r5, %r1; @%p1 bra end; add.u32 %r0, %r0, %r5; "
                     "add.u32 %r5, %r5, 1; bra.uni loop; end:";
  EXPECT_EQ(one(to32(body), 10), 45u);
  EXPECT_EQ(one(to32(body), 0), 0u);
  EXPECT_EQ(one(to32(body), 20000),
            20000u * 19999u / 2); // longer than the interval between looks at the others
}

TEST(Control, IndexedBranch) {
  std::string body = "table: .branchtargets first, second, first; brx.idx %r1, table;"
                     "first: mov.u32 %r0, 11; bra join; second: mov.u32 %r0, 22; join:";
  EXPECT_EQ(one(to32(body), 0), 11u);
  EXPECT_EQ(one(to32(body), 1), 22u);
  EXPECT_EQ(one(to32(body), 2), 11u);
  Status status =
      run(ptxHead() + kernel("t: .branchtargets a, b; mov.u32 %r1, 2; brx.idx %r1, t; a: ret; b: ret;"));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.id(), "E-EMULATED-OPERAND");
  EXPECT_EQ(status.sentence(), "the branch index is past the end of its table");
}

TEST(Control, LabelsOfInnerScopesAreTheirOwn) {
  EXPECT_EQ(one(to32("{ .reg .u32 %t; mov.u32 %t, 5; bra L; mov.u32 %t, 6; L: add.u32 %r0, %r0, %t; }"
                     "{ .reg .u32 %t; mov.u32 %t, 50; bra L; mov.u32 %t, 60; L: add.u32 %r0, %r0, %t; }")),
            55u);
}

TEST(Control, CallsPassParametersAndStructs) {
  std::string functions = R"(
.func (.param .b32 result) scale(.param .b32 x, .param .align 8 .b8 pair[16]) {
  .reg .b32 %r<6>; .reg .b64 %d<3>;
  ld.param.u32 %r1, [x]; ld.param.v2.u32 {%r2, %r3}, [pair]; ld.param.u64 %d1, [pair+8]; cvt.u32.u64 %r4, %d1;
  mad.lo.u32 %r1, %r1, %r2, %r3; add.u32 %r1, %r1, %r4; st.param.u32 [result], %r1; ret;
}
.func (.param .b32 result) factorial(.param .b32 n) {
  .reg .pred %p; .reg .b32 %r<6>;
  ld.param.u32 %r1, [n]; setp.gt.u32 %p, %r1, 1; @%p bra more; st.param.u32 [result], 1; ret;
more: sub.u32 %r2, %r1, 1;
  { .param .b32 a; .param .b32 b; st.param.b32 [a], %r2; call.uni (b), factorial, (a); ld.param.b32 %r3, [b]; }
  mul.lo.u32 %r3, %r3, %r1; st.param.u32 [result], %r3; ret;
}
)";
  std::vector<uint32_t> out;
  Status status = run(ptxHead() + functions +
                          kernel("{ .param .b32 p0; .param .align 8 .b8 p1[16]; .param .b32 r; st.param.u32 "
                                 "[p0], 7; st.param.v2.u32 [p1], {10, 3};"
                                 "st.param.u64 [p1+8], 1000; call.uni (r), scale, (p0, p1); ld.param.u32 "
                                 "%r1, [r]; } st.global.u32 [%d1], %r1;"
                                 "call (%r2), factorial, (6); st.global.u32 [%d1+4], %r2; ret;"),
                      &out);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(out[0], 1073u);
  EXPECT_EQ(out[1], 720u);
}

TEST(Control, LocalFramesOfNestedCalls) {
  std::string functions = R"(
.func (.param .b32 result) deep(.param .b32 n) {
  .local .align 4 .u32 mine[4]; .reg .pred %p; .reg .b32 %r<6>;
  ld.param.u32 %r1, [n]; st.local.u32 [mine+8], %r1; mov.u32 %r3, 0; setp.eq.u32 %p, %r1, 0; @%p bra end; sub.u32 %r2, %r1, 1;
  call (%r3), deep, (%r2);
end: ld.local.u32 %r4, [mine+8]; mad.lo.u32 %r3, %r3, 10, %r4; st.param.u32 [result], %r3; ret;
}
)";
  std::vector<uint32_t> out;
  Status status =
      run(ptxHead() + functions + kernel("call (%r2), deep, (5); st.global.u32 [%d1], %r2; ret;"), &out);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(out[0], 12345u);
  EXPECT_EQ(run(ptxHead() + functions + kernel("call (%r2), deep, (5000); ret;")).id(), "E-EMULATED-STACK");
}

TEST(Control, ExitInsideOfAFunctionEndsTheThread) {
  std::string function = ".func quit(.param .b32 n) { .reg .pred %p; .reg .b32 %r<3>; ld.param.u32 %r1, [n]; "
                         "setp.eq.u32 %p, %r1, 1; @%p exit; ret; }\n";
  std::vector<uint32_t> out;
  ASSERT_TRUE(
      run(ptxHead() + function +
              kernel("call quit, (0); st.global.u32 [%d1], 1; call quit, (1); st.global.u32 [%d1], 2; ret;"),
          &out)
          .ok());
  EXPECT_EQ(out[0], 1u);
}

TEST(Control, TrapAndUnknownInstructionsAreNamedWhenReached) {
  Status status = run(ptxHead() + kernel("st.global.u32 [%d1], 1; trap; ret;"));
  EXPECT_EQ(status.id(), "E-EMULATED-TRAP");

  std::string text = ptxHead() + kernel("ld.global.u32 %r1, [%d1]; setp.eq.u32 %p1, %r1, 0; @%p1 bra over;\n"
                                        "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%r1, %r2}, "
                                        "%d1, %d2, 1, 1, 1, 0, 0;\nover: ret;");
  EXPECT_TRUE(run(text).ok()); // never reached
  text.replace(text.find("%r1, 0; @"), 6, "%r1, 5");
  status = run(text);
  EXPECT_EQ(status.exit(), Exit::Unsupported);
  EXPECT_EQ(status.id(), "E-EMULATED-NOT-MODELLED");
  EXPECT_NE(status.causeText().find("kernel `k`"), std::string::npos);
  EXPECT_NE(status.causeText().find("wgmma.mma_async"), std::string::npos);
  EXPECT_NE(status.causeText().find("PTX line 6"), std::string::npos) << status.causeText();
}

TEST(Control, UnknownWordsOfKnownInstructionsAreNotGuessed) {
  for (std::string instruction :
       {"add.oddly.s32 %r1, %r2, %r3;", "ld.global.sideways.u32 %r1, [%d1];",
        "cvt.rs.f16x2.f32 %r1, %r2, %r3, %r4;", "shfl.bfly.b32 %r1, %r2, 1, 31;", "add.s32 %r1, %r2;",
        "mov.u32 %r1, %nosuch;", "bar.sync;", "call nosuch, (%r1);", "bra nowhere;",
        "ld.shared.u32 %r1, [%r2, %r3];", "mov.u32 %r1, <%r2>;"})
    EXPECT_EQ(run(ptxHead() + kernel(instruction + " ret;")).id(), "E-EMULATED-NOT-MODELLED") << instruction;
}

TEST(Control, EndlessKernelsMeetTheStepLimit) {
  RunOptions options;
  options.stepLimit = 1000000;
  Status status = run(ptxHead() + kernel("loop: add.u32 %r1, %r1, 1; bra loop;"), nullptr, options);
  EXPECT_EQ(status.id(), "E-EMULATED-STEP-LIMIT");
  EXPECT_NE(status.causeText().find("bra loop"), std::string::npos);
}

} // namespace
} // namespace quern::runtime::emulated
