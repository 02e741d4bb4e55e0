//===- FormsTest.cpp - Every form of the scalar and warp instructions -----===//
//
// Forms that a compiler emits, by target: the vendor's assembler takes each, and the emulator models each.
// What they compute is tested beside their families; here nothing may be missing.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/AssemblerTest.h"
#include "runtime/emulated/nvidia/PtxTest.h"

namespace quern::runtime::emulated {
namespace {

struct Forms {
  const char *target;
  std::vector<std::string> instructions;
};

/// %h: 16 bits, %r: 32, %d: 64, %q: 128, %p: predicates; %d1 is the address of 256 bytes, s names 256 bytes
/// of shared memory.
const std::vector<Forms> &allForms() {
  static const std::vector<Forms> forms = {
      {
          "sm_80",
          {"match.any.sync.b32 %r0, %r1, -1;",
           "match.all.sync.b32 %r0|%p0, %r1, -1;",
           "match.any.sync.b64 %r0, %d2, -1;",
           "match.all.sync.b64 %r0|%p0, %d2, -1;",
           "redux.sync.add.s32 %r0, %r1, -1;",
           "redux.sync.add.u32 %r0, %r1, -1;",
           "redux.sync.min.s32 %r0, %r1, -1;",
           "redux.sync.max.u32 %r0, %r1, -1;",
           "redux.sync.and.b32 %r0, %r1, -1;",
           "redux.sync.xor.b32 %r0, %r1, -1;",
           "activemask.b32 %r0;",
           "vote.sync.ballot.b32 %r0, %p1, -1;",
           "vote.sync.uni.pred %p0, !%p1, -1;",
           "shfl.sync.idx.b32 %r0|%p0, %r1, 3, 31, -1;",
           "barrier.cta.sync 1, 32;",
           "barrier.cta.arrive.aligned 1, 64;",
           "barrier.cta.red.popc.aligned.u32 %r0, 2, %p1;",
           "barrier.cta.red.and.pred %p0, 3, 32, %p1;",
           "bar.red.or.pred %p0, 4, !%p1;",
           "bar.cta.sync 5;",
           "bar.warp.sync -1;",
           "prefetch.global.L2 [%d1];",
           "prefetch.global.L1 [%d1];",
           "prefetch.global.L2::evict_last [%d1];",
           "prefetchu.L1 [%d1];",
           "createpolicy.fractional.L2::evict_last.b64 %d0, 1.0;",
           "createpolicy.fractional.L2::evict_first.L2::evict_unchanged.b64 %d0, 0.5;",
           "createpolicy.range.global.L2::evict_last.L2::evict_first.b64 %d0, [%d1], 128, 256;",
           "createpolicy.cvt.L2.b64 %d0, %d2;",
           "createpolicy.fractional.L2::evict_last.b64 %d0, 1.0; ld.global.L2::cache_hint.b32 %r0, [%d1], "
           "%d0;",
           "createpolicy.fractional.L2::evict_first.b64 %d0, 1.0; st.global.L2::cache_hint.b32 [%d1], %r1, "
           "%d0;",
           "ld.global.L1::no_allocate.L2::128B.v4.b32 {%r0, %r1, %r2, %r3}, [%d1];",
           "ld.global.nc.L1::evict_last.b32 %r0, [%d1];",
           "applypriority.global.L2::evict_normal [%d1], 128;",
           "discard.global.L2 [%d1], 128;",
           "nanosleep.u32 20;",
           "mov.u64 %d0, %clock64;",
           "mov.u32 %r0, %clock;",
           "mov.u32 %r0, %clock_hi;",
           "mov.u64 %d0, %globaltimer;",
           "mov.u32 %r0, %globaltimer_lo;",
           "mov.u32 %r0, %smid;",
           "mov.u32 %r0, %nsmid;",
           "mov.u32 %r0, %warpid;",
           "mov.u32 %r0, %nwarpid;",
           "mov.u32 %r0, WARP_SZ;",
           "mov.u32 %r0, %lanemask_gt;",
           "mov.u32 %r0, %dynamic_smem_size;",
           "mov.u32 %r0, %total_smem_size;",
           "mov.u64 %d0, %gridid;",
           "fence.acq_rel.gpu;",
           "fence.sc.sys;",
           "membar.cta;",
           "atom.global.add.u32 %r0, [%d1], %r1;",
           "atom.global.add.s32 %r0, [%d1], %r1;",
           "atom.global.add.u64 %d0, [%d1], %d2;",
           "atom.global.add.f32 %r0, [%d1], %r1;",
           "atom.global.add.f64 %d0, [%d1], %d2;",
           "atom.global.add.noftz.f16 %h0, [%d1], %h1;",
           "atom.global.add.noftz.f16x2 %r0, [%d1], %r1;",
           "atom.acquire.gpu.global.cas.b32 %r0, [%d1], %r1, %r2;",
           "atom.release.cta.shared.cas.b64 %d0, [s], %d2, %d3;",
           "atom.global.cas.b16 %h0, [%d1], %h1, %h2;",
           "atom.relaxed.sys.exch.b32 %r0, [%d1], %r1;",
           "atom.global.exch.b64 %d0, [%d1], %d2;",
           "atom.shared.inc.u32 %r0, [s], %r1;",
           "atom.shared.dec.u32 %r0, [s], %r1;",
           "atom.global.min.s64 %d0, [%d1], %d2;",
           "atom.global.max.u64 %d0, [%d1], %d2;",
           "atom.global.and.b64 %d0, [%d1], %d2;",
           "atom.global.xor.b32 %r0, [%d1], %r1;",
           "red.global.add.f32 [%d1], %r1;",
           "red.relaxed.gpu.global.add.noftz.f16x2 [%d1], %r1;",
           "red.shared.max.s32 [s], %r1;",
           "red.release.gpu.global.or.b32 [%d1], %r1;",
           "cvt.rna.tf32.f32 %r0, %r1;",
           "cvt.rn.bf16x2.f32 %r0, %r1, %r2;",
           "cvt.rz.relu.f16x2.f32 %r0, %r1, %r2;",
           "cvt.rn.bf16.f32 %h0, %r1;",
           "cvt.sat.f32.f32 %r0, %r1;",
           "cvt.rni.ftz.f32.f32 %r0, %r1;",
           "cvt.pack.sat.u8.s32.b32 %r0, %r1, %r2, %r3;",
           "cvt.pack.sat.s16.s32 %r0, %r1, %r2;",
           "fma.rn.bf16x2 %r0, %r1, %r2, %r3;",
           "fma.rn.relu.f16x2 %r0, %r1, %r2, %r3;",
           "fma.rn.sat.f16 %h0, %h1, %h2, %h3;",
           "max.NaN.bf16x2 %r0, %r1, %r2;",
           "min.f16x2 %r0, %r1, %r2;",
           "max.ftz.NaN.f32 %r0, %r1, %r2;",
           "neg.bf16x2 %r0, %r1;",
           "abs.bf16x2 %r0, %r1;",
           "ex2.approx.f16x2 %r0, %r1;",
           "tanh.approx.f16x2 %r0, %r1;",
           "tanh.approx.f32 %r0, %r1;",
           "ex2.approx.ftz.f32 %r0, %r1;",
           "lg2.approx.f32 %r0, %r1;",
           "rsqrt.approx.ftz.f32 %r0, %r1;",
           "rcp.approx.ftz.f64 %d0, %d2;",
           "rsqrt.approx.ftz.f64 %d0, %d2;",
           "sqrt.approx.f32 %r0, %r1;",
           "div.full.f32 %r0, %r1, %r2;",
           "div.rz.f64 %d0, %d2, %d3;",
           "prmt.b32 %r0, %r1, %r2, 0x3214;",
           "prmt.b32.f4e %r0, %r1, %r2, %r3;",
           "lop3.b32 %r0, %r1, %r2, %r3, 0xCA;",
           "bfind.shiftamt.u32 %r0, %r1;",
           "bfind.s64 %r0, %d2;",
           "fns.b32 %r0, %r1, 3, 2;",
           "bfe.s64 %d0, %d2, 5, 9;",
           "bfi.b64 %d0, %d2, %d3, 4, 7;",
           "bmsk.clamp.b32 %r0, %r1, %r2;",
           "szext.wrap.s32 %r0, %r1, %r2;",
           "brev.b64 %d0, %d2;",
           "popc.b64 %r0, %d2;",
           "clz.b64 %r0, %d2;",
           "shf.l.wrap.b32 %r0, %r1, %r2, %r3;",
           "dp4a.s32.u32 %r0, %r1, %r2, %r3;",
           "dp2a.hi.u32.s32 %r0, %r1, %r2, %r3;",
           "mad.hi.cc.u32 %r0, %r1, %r2, %r3; madc.lo.u32 %r0, %r1, %r2, %r3;",
           "mul24.lo.s32 %r0, %r1, %r2;",
           "mad24.hi.u32 %r0, %r1, %r2, %r3;",
           "sad.u16 %h0, %h1, %h2, %h3;",
           "mul.wide.u16 %r0, %h1, %h2;",
           "slct.f32.s32 %r0, %r1, %r2, %r3;",
           "testp.normal.f32 %p0, %r1;",
           "copysign.f64 %d0, %d2, %d3;",
           "set.gt.ftz.u32.f32 %r0, %r1, %r2;",
           "setp.lt.f16x2 %p0|%p1, %r1, %r2;",
           "set.le.f16x2.f16x2 %r0, %r1, %r2;"},
      },
      {"sm_89",
       {"cvt.rn.satfinite.e4m3x2.f32 %h0, %r1, %r2;", "cvt.rn.satfinite.relu.e5m2x2.f32 %h0, %r1, %r2;",
        "cvt.rn.satfinite.e4m3x2.f16x2 %h0, %r1;", "cvt.rn.f16x2.e4m3x2 %r0, %h1;",
        "cvt.rn.relu.f16x2.e5m2x2 %r0, %h1;"}},
      {"sm_90a",
       {"elect.sync %r0|%p0, -1;",
        "elect.sync _|%p0, -1;",
        "griddepcontrol.launch_dependents;",
        "griddepcontrol.wait;",
        "atom.global.add.noftz.bf16 %h0, [%d1], %h1;",
        "atom.global.add.noftz.bf16x2 %r0, [%d1], %r1;",
        "atom.global.v2.f32.add {%r0, %r1}, [%d1], {%r2, %r3};",
        "atom.global.v4.f32.add {%r0, %r1, %r2, %r3}, [%d1], {%r0, %r1, %r2, %r3};",
        "atom.global.v2.f16.add.noftz {%h0, %h1}, [%d1], {%h2, %h3};",
        "atom.global.v4.bf16.max.noftz {%h0, %h1, %h2, %h3}, [%d1], {%h0, %h1, %h2, %h3};",
        "atom.global.v2.f16x2.min.noftz {%r0, %r1}, [%d1], {%r2, %r3};",
        "atom.global.exch.b128 %q0, [%d1], %q1;",
        "atom.global.cas.b128 %q0, [%d1], %q1, %q2;",
        "red.global.v2.f32.add [%d1], {%r2, %r3};",
        "red.global.v4.f32.add [%d1], {%r0, %r1, %r2, %r3};",
        "red.global.v8.bf16.add.noftz [%d1], {%h0, %h1, %h2, %h3, %h0, %h1, %h2, %h3};",
        "red.global.v8.f16.max.noftz [%d1], {%h0, %h1, %h2, %h3, %h0, %h1, %h2, %h3};",
        "red.global.v4.f16x2.add.noftz [%d1], {%r0, %r1, %r2, %r3};",
        "red.global.v4.bf16x2.min.noftz [%d1], {%r0, %r1, %r2, %r3};",
        "red.global.v2.bf16x2.add.noftz.L2::cache_hint [%d1], {%r0, %r1}, %d2;",
        "fence.proxy.async;",
        "fence.proxy.alias;",
        "add.bf16x2 %r0, %r1, %r2;",
        "sub.bf16 %h0, %h1, %h2;",
        "mul.bf16x2 %r0, %r1, %r2;",
        "min.s16x2 %r0, %r1, %r2;",
        "add.u16x2 %r0, %r1, %r2;",
        "max.relu.s32 %r0, %r1, %r2;",
        "ex2.approx.ftz.bf16x2 %r0, %r1;",
        "tanh.approx.bf16x2 %r0, %r1;",
        "cvt.rn.tf32.f32 %r0, %r1;",
        "cvt.rz.relu.tf32.f32 %r0, %r1;",
        "cvt.rn.bf16.f64 %h0, %d2;",
        "cvt.rn.bf16.u32 %h0, %r1;",
        "cvt.rzi.s64.bf16 %d0, %h1;",
        "set.eq.bf16x2.bf16x2 %r0, %r1, %r2;",
        "setp.num.and.bf16 %p0, %h1, %h2, %p1;",
        "mov.u32 %r0, %cluster_ctarank;",
        "mov.u32 %r0, %aggr_smem_size;",
        "mov.b128 {%d0, %d2}, %q0;",
        "ld.global.b128 %q0, [%d1];",
        "barrier.cta.sync.aligned 3, 32;"}},
      {"sm_100a",
       {"redux.sync.min.f32 %r0, %r1, -1;",
        "redux.sync.max.abs.f32 %r0, %r1, -1;",
        "redux.sync.min.abs.NaN.f32 %r0, %r1, -1;",
        "add.rn.f32x2 %d0, %d2, %d3;",
        "add.rz.ftz.f32x2 %d0, %d2, %d3;",
        "sub.rn.f32x2 %d0, %d2, %d3;",
        "mul.rn.ftz.f32x2 %d0, %d2, %d3;",
        "fma.rn.f32x2 %d0, %d2, %d3, %d2;",
        "fma.rp.f32x2 %d0, %d2, %d3, %d2;",
        "max.f32 %r0, %r1, %r2, %r3;",
        "min.NaN.abs.f32 %r0, %r1, %r2, %r3;",
        "add.f32.bf16 %r0, %h1, %r2;",
        "sub.rn.f32.f16 %r0, %h1, %r2;",
        "fma.rn.sat.f32.bf16 %r0, %h1, %h2, %r3;",
        "cvt.rn.satfinite.e2m1x2.f32 %b0, %r1, %r2;",
        "cvt.rn.satfinite.relu.e2m1x2.f32 %b0, %r1, %r2;",
        "cvt.rn.f16x2.e2m1x2 %r0, %b0;",
        "cvt.rn.relu.f16x2.e2m1x2 %r0, %b0;",
        "cvt.rn.satfinite.e2m3x2.f32 %h0, %r1, %r2;",
        "cvt.rn.satfinite.relu.e3m2x2.f32 %h0, %r1, %r2;",
        "cvt.rn.f16x2.e2m3x2 %r0, %h1;",
        "cvt.rn.relu.f16x2.e3m2x2 %r0, %h1;",
        "cvt.rz.satfinite.ue8m0x2.f32 %h0, %r1, %r2;",
        "cvt.rp.ue8m0x2.f32 %h0, %r1, %r2;",
        "cvt.rp.satfinite.ue8m0x2.bf16x2 %h0, %r1;",
        "cvt.rn.bf16x2.ue8m0x2 %r0, %h1;",
        "cvt.rn.satfinite.tf32.f32 %r0, %r1;",
        "setmaxnreg.inc.sync.aligned.u32 232;",
        "setmaxnreg.dec.sync.aligned.u32 40;",
        "ld.global.v8.b32 {%r0, %r1, %r2, %r3, %r0, %r1, %r2, %r3}, [%d1];",
        "ld.global.L2::evict_last.v4.b64 {%d0, %d2, %d3, %d4}, [%d1];",
        "st.global.v8.f32 [%d1], {%r0, %r1, %r2, %r3, %r0, %r1, %r2, %r3};",
        "mul.f32x2 %d0, %d2, %d3;"}},
      {"sm_120a",
       {"cvt.rn.satfinite.e2m1x2.f32 %b0, %r1, %r2;", "cvt.rn.f16x2.e2m3x2 %r0, %h1;",
        "cvt.rp.satfinite.ue8m0x2.f32 %h0, %r1, %r2;", "setmaxnreg.inc.sync.aligned.u32 232;"}}};
  return forms;
}

std::string program(const std::string &name, const std::string &body) {
  return ".visible .entry " + name +
         "(.param .u64 .ptr in) {\n.reg .pred %p<4>; .reg .b8 %b<2>; .reg .b16 %h<8>; .reg .b32 %r<8>; "
         ".reg .b64 %d<8>; .reg .b128 %q<4>;\n.shared .align 16 .b8 s[256];\n"
         "ld.param.u64 %d1, [in]; mov.u32 %r0, 0; mov.u32 %r1, 5; mov.u32 %r2, 6; mov.u32 %r3, 7; mov.u64 "
         "%d0, 1; "
         "mov.u64 %d2, 9; mov.u64 %d3, 3; mov.u64 %d4, 4; mov.b16 %h0, 1; mov.b16 %h1, 2; mov.b16 %h2, 3; "
         "mov.b16 "
         "%h3, 4; setp.eq.u32 %p0, %r1, 5; setp.eq.u32 %p1, %r1, 6; cvt.u8.u32 %b0, %r1; mov.b128 %q0, {%d2, "
         "%d3}; "
         "mov.b128 %q1, {%d2, %d3}; mov.b128 %q2, {%d2, %d3}; "
         "st.shared.b64 [s], %d2;\n" +
         body + "\nret;\n}\n";
}

class FormsTest : public testing::TestWithParam<size_t> {};

TEST_P(FormsTest, AreModelled) {
  const Forms &forms = allForms()[GetParam()];
  std::string text = ".version 8.8\n.target " + std::string(forms.target) + "\n.address_size 64\n";
  for (size_t i = 0; i < forms.instructions.size(); ++i)
    text += program("k" + std::to_string(i), forms.instructions[i]);
  test::expectAssembles(text, forms.target);
  Gpu gpu("nvidia:" + std::string(forms.target), {.sanitize = false});
  auto memory = gpu.buffer(std::vector<uint32_t>(64, 1));
  LaunchShape shape;
  shape.threads = 128;
  for (size_t i = 0; i < forms.instructions.size(); ++i) {
    Status status = gpu.run(text, shape, {pointerTo(*memory)}, "k" + std::to_string(i));
    EXPECT_TRUE(status.ok()) << forms.instructions[i] << status.message();
  }
}

std::string endOf(const std::string &body, uint32_t threads = 128) {
  Gpu gpu("nvidia:sm_90a", {.sanitize = false});
  auto memory = gpu.buffer(std::vector<uint32_t>(64, 1));
  LaunchShape shape;
  shape.threads = threads;
  return idOf(gpu.run(ptxHead("sm_90a") + program("k", body), shape, {pointerTo(*memory)}));
}

TEST(RegisterCount, IsTheSameInAWarpgroup) {
  const std::string warp = "mov.u32 %r4, %tid.x; shr.u32 %r4, %r4, 5; setp.eq.u32 %p2, %r4, 2; ";
  EXPECT_EQ(endOf("setmaxnreg.dec.sync.aligned.u32 40; setmaxnreg.inc.sync.aligned.u32 64;"), "");
  EXPECT_EQ(endOf("setmaxnreg.dec.sync.aligned.u32 20;"), "E-EMULATED-OPERAND");
  EXPECT_EQ(endOf("setmaxnreg.inc.sync.aligned.u32 264;"), "E-EMULATED-OPERAND");
  EXPECT_EQ(endOf("setmaxnreg.inc.sync.aligned.u32 44;"), "E-EMULATED-OPERAND");
  EXPECT_EQ(
      endOf(warp + "@%p2 setmaxnreg.dec.sync.aligned.u32 40; @!%p2 setmaxnreg.dec.sync.aligned.u32 48;"),
      "E-EMULATED-DIVERGENCE");
  EXPECT_EQ(endOf(warp + "@!%p2 setmaxnreg.dec.sync.aligned.u32 40;"), "E-EMULATED-DIVERGENCE");
  EXPECT_EQ(
      endOf("mov.u32 %r4, %laneid; setp.eq.u32 %p2, %r4, 2; @%p2 exit; setmaxnreg.dec.sync.aligned.u32 40;"),
      "E-EMULATED-DIVERGENCE");
  // Two warpgroups may differ.
  EXPECT_EQ(endOf("mov.u32 %r4, %tid.x; setp.lt.u32 %p2, %r4, 128; @%p2 setmaxnreg.dec.sync.aligned.u32 40; "
                  "@!%p2 setmaxnreg.inc.sync.aligned.u32 232;",
                  256),
            "");
}

TEST(Discard, LeavesNoValue) {
  Gpu gpu("nvidia:sm_90a");
  auto memory = gpu.buffer(std::vector<uint32_t>(128, 1));
  LaunchShape shape;
  shape.threads = 1;
  std::string text = ptxHead("sm_90a") + program("k", "discard.global.L2 [%d1+128], 128;");
  ASSERT_TRUE(gpu.run(text, shape, {pointerTo(*memory)}).ok());
  auto values = gpu.read<uint32_t>(*memory);
  EXPECT_EQ(values[31], 1u);
  EXPECT_EQ(values[32], 0xCBCBCBCBu);
  EXPECT_EQ(values[63], 0xCBCBCBCBu);
  EXPECT_EQ(values[64], 1u);
  EXPECT_EQ(endOf("discard.global.L2 [%d1+64], 128;", 1), "E-EMULATED-MISALIGNED");
  EXPECT_EQ(endOf("discard.global.L2 [%d1+256], 128;", 1), "E-EMULATED-OUT-OF-BOUNDS");
}

INSTANTIATE_TEST_SUITE_P(Targets, FormsTest, testing::Range(size_t(0), allForms().size()));

} // namespace
} // namespace quern::runtime::emulated
