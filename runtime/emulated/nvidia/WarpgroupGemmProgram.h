//===- WarpgroupGemmProgram.h - A product for sm_90a, for tests and benchmarks ---===//
//
// C[m][n] = sum over k of A[m][k] * B[n][k], bf16 to f32, in tiles of 128 x 128 x 64 by clusters of two
// blocks that differ in m; see WarpgroupGemmTest.cpp. 384 threads, 98304 bytes of dynamic shared memory.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_WARPGROUPGEMMPROGRAM_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_WARPGROUPGEMMPROGRAM_H

#include <string>

namespace quern::runtime::emulated::test {

inline std::string registerList(const std::string &prefix, uint32_t count) {
  std::string text = "{";
  for (uint32_t i = 0; i < count; ++i)
    text += (i ? ", " : "") + prefix + std::to_string(i);
  return text + "}";
}

/// %r1 thread, %r2 tiles, %r3 full barriers, %r4 empty barriers, %r5 k tiles, %r6 rank, %r7 first row of A,
/// %r8 first row of B; %r10 k tile, %r11 stage, %r12 phase.
inline std::string warpgroupGemm() {
  std::string text = R"(.version 8.8
.target sm_90a
.address_size 64
.extern .shared .align 1024 .b8 tiles[];
.visible .entry gemm(.param .align 64 .b8 mapA[128], .param .align 64 .b8 mapB[128], .param .u64 .ptr c,
    .param .u32 n, .param .u32 ktiles, .param .u32 mpairs) .reqntid 384 .reqnctapercluster 2, 1, 1 {
  .reg .pred %p<12>; .reg .b16 %h<4>; .reg .b32 %r<64>; .reg .f32 %f<64>; .reg .b64 %d<32>;
  .shared .align 8 .b64 full[3]; .shared .align 8 .b64 empty[3];
  mov.u32 %r1, %tid.x; mov.u32 %r2, tiles; mov.u32 %r3, full; mov.u32 %r4, empty;
  ld.param.u32 %r5, [ktiles]; mov.u32 %r6, %cluster_ctarank; mov.u32 %r20, %clusterid.x; ld.param.u32 %r21, [mpairs];
  rem.u32 %r22, %r20, %r21; div.u32 %r23, %r20, %r21;
  shl.b32 %r7, %r22, 1; add.u32 %r7, %r7, %r6; shl.b32 %r7, %r7, 7; shl.b32 %r8, %r23, 7;
  setp.ne.u32 %p0, %r1, 0; @%p0 bra ready;
  mbarrier.init.shared::cta.b64 [%r3], 1; mbarrier.init.shared::cta.b64 [%r3+8], 1; mbarrier.init.shared::cta.b64 [%r3+16], 1;
  mbarrier.init.shared::cta.b64 [%r4], 4; mbarrier.init.shared::cta.b64 [%r4+8], 4; mbarrier.init.shared::cta.b64 [%r4+16], 4;
  fence.mbarrier_init.release.cluster;
ready:
  barrier.cluster.arrive.release.aligned; barrier.cluster.wait.acquire.aligned;
  mov.u32 %r10, 0; mov.u32 %r11, 0; mov.u32 %r12, 0;
  setp.ge.u32 %p1, %r1, 128; @%p1 bra consume;
  @%p0 bra finish;
  mov.b64 %d1, mapA; cvta.param.u64 %d1, %d1; mov.b64 %d2, mapB; cvta.param.u64 %d2, %d2; mov.u16 %h1, 3;
  shl.b32 %r24, %r6, 6; add.u32 %r25, %r8, %r24; shl.b32 %r26, %r6, 13;
produce:
  setp.ge.u32 %p2, %r10, %r5; @%p2 bra finish;
  shl.b32 %r27, %r11, 3; add.u32 %r28, %r4, %r27; add.u32 %r29, %r3, %r27; xor.b32 %r30, %r12, 1;
waitempty:
  mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 %p3, [%r28], %r30; @!%p3 bra waitempty;
  mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r29], 32768;
  shl.b32 %r31, %r11, 15; add.u32 %r31, %r31, %r2; add.u32 %r32, %r31, 16384; add.u32 %r32, %r32, %r26; shl.b32 %r33, %r10, 6;
  cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%r31], [%d1, {%r33, %r7}], [%r29];
  cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster [%r32], [%d2, {%r33, %r25}], [%r29], %h1;
  add.u32 %r10, %r10, 1; add.u32 %r11, %r11, 1; setp.eq.u32 %p4, %r11, 3; @%p4 mov.u32 %r11, 0; @%p4 xor.b32 %r12, %r12, 1;
  bra produce;
consume:
  shr.u32 %r40, %r1, 7; add.u32 %r40, %r40, -1; and.b32 %r41, %r1, 127; setp.eq.u32 %p5, %r41, 0; setp.ne.u32 %p6, 0, 0;
  wgmma.fence.sync.aligned;
loop:
  setp.ge.u32 %p2, %r10, %r5; @%p2 bra store;
  shl.b32 %r27, %r11, 3; add.u32 %r28, %r4, %r27; add.u32 %r29, %r3, %r27;
waitfull:
  mbarrier.try_wait.parity.shared::cta.b64 %p3, [%r29], %r12; @!%p3 bra waitfull;
  shl.b32 %r31, %r11, 15; add.u32 %r31, %r31, %r2; add.u32 %r32, %r31, 16384; shl.b32 %r33, %r40, 13; add.u32 %r31, %r31, %r33;
  shr.u32 %r31, %r31, 4; and.b32 %r31, %r31, 0x3FFF; shr.u32 %r32, %r32, 4; and.b32 %r32, %r32, 0x3FFF;
  cvt.u64.u32 %d3, %r31; or.b64 %d3, %d3, 0x4000004000010000; cvt.u64.u32 %d4, %r32; or.b64 %d4, %d4, 0x4000004000010000;
  wgmma.fence.sync.aligned;
)";
  for (int step = 0; step < 4; ++step)
    text += "  wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 " + registerList("%f", 64) +
            ", %d3, %d4, %p6, 1, 1, 0, 0; setp.eq.u32 %p6, 0, 0; add.u64 %d3, %d3, 2; add.u64 %d4, %d4, 2;\n";
  text += R"(
  wgmma.commit_group.sync.aligned;
  wgmma.wait_group.sync.aligned 0;
  mapa.shared::cluster.u32 %r34, %r28, 0; mapa.shared::cluster.u32 %r35, %r28, 1;
  @%p5 mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r34];
  @%p5 mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r35];
  add.u32 %r10, %r10, 1; add.u32 %r11, %r11, 1; setp.eq.u32 %p4, %r11, 3; @%p4 mov.u32 %r11, 0; @%p4 xor.b32 %r12, %r12, 1;
  bra loop;
store:
  ld.param.u64 %d5, [c]; ld.param.u32 %r42, [n]; shr.u32 %r43, %r41, 5; shl.b32 %r43, %r43, 4; and.b32 %r44, %r41, 31;
  shr.u32 %r45, %r44, 2; add.u32 %r43, %r43, %r45; shl.b32 %r46, %r40, 6; add.u32 %r43, %r43, %r46; add.u32 %r43, %r43, %r7;
  and.b32 %r47, %r44, 3; shl.b32 %r47, %r47, 1; add.u32 %r47, %r47, %r8; mad.lo.u32 %r48, %r43, %r42, %r47;
  mul.wide.u32 %d6, %r48, 4; add.u64 %d6, %d6, %d5; mul.wide.u32 %d7, %r42, 32; add.u64 %d7, %d7, %d6;
)";
  for (int i = 0; i < 64; i += 4) {
    std::string offset = std::to_string(i / 4 * 32), a = "%f" + std::to_string(i),
                b = "%f" + std::to_string(i + 1), c = "%f" + std::to_string(i + 2),
                d = "%f" + std::to_string(i + 3);
    text += "  st.global.v2.f32 [%d6+" + offset + "], {" + a + ", " + b + "}; st.global.v2.f32 [%d7+" +
            offset + "], {" + c + ", " + d + "};\n";
  }
  return text + "finish:\n  barrier.cluster.arrive.release; barrier.cluster.wait.acquire;\n  ret;\n}\n";
}

} // namespace quern::runtime::emulated::test

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_WARPGROUPGEMMPROGRAM_H
