//===- TensorCoreGemmTest.cpp - A product as it is written for sm_100a ----===//
//
// C[m][n] = sum over k of A[m][k] * B[n][k], bf16 to f32: one thread copies by tensor maps into a ring of
// three stages, one thread of another warp issues tcgen05.mma, four warps store the accumulators; with one
// block for 128 x 128, and with two blocks for 256 x 128 that share B and are led by the first.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/AssemblerTest.h"
#include "runtime/emulated/nvidia/FormatTables.h"
#include "runtime/emulated/nvidia/PtxTest.h"

namespace quern::runtime::emulated {
namespace {

using test::expectAssembles;

std::string program(bool pair) {
  std::string group = pair ? "2" : "1";
  auto number = [](uint32_t value) { return std::to_string(value); };
  uint32_t stageA = 16384, stageB = pair ? 8192 : 16384, stage = stageA + stageB;
  uint32_t instruction = 1u << 4 | 1u << 7 | 1u << 10 | (128u >> 3) << 17 | ((pair ? 256u : 128u) >> 4) << 24;
  std::string text =
      ptxHead("sm_100a") + R"(
.extern .shared .align 1024 .b8 tiles[];
.visible .entry gemm(.param .align 64 .b8 mapA[128], .param .align 64 .b8 mapB[128], .param .u64 .ptr c,
    .param .u32 n, .param .u32 ktiles, .param .u32 mtiles) .reqntid 256 )" +
      (pair ? ".reqnctapercluster 2, 1, 1" : "") + R"( {
  .reg .pred %p<12>; .reg .b16 %h<4>; .reg .b32 %r<64>; .reg .b32 %q<32>; .reg .b64 %d<32>;
  .shared .align 8 .b64 full[3]; .shared .align 8 .b64 empty[3]; .shared .align 8 .b64 done; .shared .align 4 .b32 slot;
  mov.u32 %r1, %tid.x; mov.u32 %r2, tiles; mov.u32 %r3, full; mov.u32 %r4, empty; mov.u32 %r9, done; mov.u32 %r13, slot;
  ld.param.u32 %r5, [ktiles]; mov.u32 %r20, %ctaid.x; ld.param.u32 %r21, [mtiles]; rem.u32 %r22, %r20, %r21;
  div.u32 %r23, %r20, %r21; and.b32 %r6, %r20, 1; shl.b32 %r7, %r22, 7; shl.b32 %r8, %r23, 7; shr.u32 %r14, %r1, 5;
  setp.ne.u32 %p0, %r1, 0; @%p0 bra ready;
  mbarrier.init.shared::cta.b64 [%r3], 1; mbarrier.init.shared::cta.b64 [%r3+8], 1; mbarrier.init.shared::cta.b64 [%r3+16], 1;
  mbarrier.init.shared::cta.b64 [%r4], 1; mbarrier.init.shared::cta.b64 [%r4+8], 1; mbarrier.init.shared::cta.b64 [%r4+16], 1;
  mbarrier.init.shared::cta.b64 [%r9], 1; fence.mbarrier_init.release.cluster;
ready:
  setp.ne.u32 %p1, %r14, 2; @%p1 bra allocated;
  tcgen05.alloc.cta_group::)" +
      group + R"(.sync.aligned.shared::cta.b32 [%r13], 128;
  tcgen05.relinquish_alloc_permit.cta_group::)" +
      group + R"(.sync.aligned;
allocated:
  tcgen05.fence::before_thread_sync; )" +
      (pair ? "barrier.cluster.arrive.release.aligned; barrier.cluster.wait.acquire.aligned;"
            : "bar.sync 0;") +
      R"( tcgen05.fence::after_thread_sync;
  ld.shared.u32 %r15, [%r13]; mov.u32 %r10, 0; mov.u32 %r11, 0; mov.u32 %r12, 0;
  setp.ge.u32 %p2, %r1, 128; @%p2 bra epilogue;
  setp.eq.u32 %p2, %r1, 32; @%p2 bra multiply; @%p0 bra finish;
  mov.b64 %d1, mapA; cvta.param.u64 %d1, %d1; mov.b64 %d2, mapB; cvta.param.u64 %d2, %d2;
)" + (pair ? "  shl.b32 %r24, %r6, 6; add.u32 %r8, %r8, %r24; setp.ne.u32 %p7, %r6, 0;\n" : "") +
      R"(produce:
  setp.ge.u32 %p2, %r10, %r5; @%p2 bra finish;
  shl.b32 %r27, %r11, 3; add.u32 %r28, %r4, %r27; add.u32 %r29, %r3, %r27; xor.b32 %r30, %r12, 1;
waitempty:
  mbarrier.try_wait.parity.shared::cta.b64 %p3, [%r28], %r30; @!%p3 bra waitempty;
)" +
      (pair ? "  @!%p7 mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r29], " + number(2 * stage) +
                  "; and.b32 %r29, %r29, 0xFEFFFFFF;\n"
            : "  mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r29], " + number(stage) + ";\n") +
      "  mad.lo.u32 %r31, %r11, " + number(stage) + ", %r2; add.u32 %r32, %r31, " + number(stageA) +
      "; shl.b32 %r33, %r10, 6;\n";
  std::string load =
      std::string("  cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes") +
      (pair ? ".cta_group::2" : "");
  text += load + " [%r31], [%d1, {%r33, %r7}], [%r29];\n" + load + " [%r32], [%d2, {%r33, %r8}], [%r29];\n";
  std::string next =
      "add.u32 %r10, %r10, 1; add.u32 %r11, %r11, 1; setp.eq.u32 %p4, %r11, 3; @%p4 mov.u32 %r11, 0; "
      "@%p4 xor.b32 %r12, %r12, 1;";
  text += "  " + next + " bra produce;\nmultiply:\n" +
          (pair ? "  setp.ne.u32 %p7, %r6, 0; @%p7 bra finish; mov.u16 %h1, 3;\n" : "") + "  mov.u32 %r16, " +
          number(instruction) + R"(; setp.ne.u32 %p6, 0, 0;
loop:
  setp.ge.u32 %p2, %r10, %r5; @%p2 bra issued;
  shl.b32 %r27, %r11, 3; add.u32 %r28, %r4, %r27; add.u32 %r29, %r3, %r27;
waitfull:
  mbarrier.try_wait.parity.shared::cta.b64 %p3, [%r29], %r12; @!%p3 bra waitfull; tcgen05.fence::after_thread_sync;
)" + "  mad.lo.u32 %r31, %r11, " +
          number(stage) + ", %r2; add.u32 %r32, %r31, " + number(stageA) + R"(;
  shr.u32 %r31, %r31, 4; and.b32 %r31, %r31, 0x3FFF; shr.u32 %r32, %r32, 4; and.b32 %r32, %r32, 0x3FFF;
  cvt.u64.u32 %d3, %r31; or.b64 %d3, %d3, 0x4000404000010000; cvt.u64.u32 %d4, %r32; or.b64 %d4, %d4, 0x4000404000010000;
)";
  for (int step = 0; step < 4; ++step)
    text += "  tcgen05.mma.cta_group::" + group +
            ".kind::f16 [%r15], %d3, %d4, %r16, %p6; setp.eq.u32 %p6, 0, 0; add.u64 %d3, %d3, 2; add.u64 "
            "%d4, %d4, 2;\n";
  std::string commit = "tcgen05.commit.cta_group::" + group + ".mbarrier::arrive::one.shared::cluster" +
                       (pair ? ".multicast::cluster.b64" : ".b64");
  text += "  " + commit + " [%r28]" + (pair ? ", %h1" : "") + ";\n  " + next + " bra loop;\nissued:\n  " +
          commit + " [%r9]" + (pair ? ", %h1" : "") + R"(; bra finish;
epilogue:
  mbarrier.try_wait.parity.shared::cta.b64 %p3, [%r9], 0; @!%p3 bra epilogue; tcgen05.fence::after_thread_sync;
  and.b32 %r41, %r1, 127; and.b32 %r42, %r14, 3; shl.b32 %r42, %r42, 21; add.u32 %r42, %r42, %r15;
  ld.param.u64 %d5, [c]; ld.param.u32 %r43, [n]; add.u32 %r44, %r7, %r41; mad.lo.u32 %r44, %r44, %r43, %r8;
  mul.wide.u32 %d6, %r44, 4; add.u64 %d6, %d6, %d5;
)";
  std::string registers = "{";
  for (int i = 0; i < 32; ++i)
    registers += (i ? ", %q" : "%q") + std::to_string(i);
  registers += "}";
  for (uint32_t part = 0; part < 4; ++part) {
    text += "  tcgen05.ld.sync.aligned.32x32b.x32.b32 " + registers + ", [%r42+" + number(part * 32) +
            "]; tcgen05.wait::ld.sync.aligned;\n";
    for (uint32_t i = 0; i < 32; ++i)
      text += "  st.global.b32 [%d6+" + number((part * 32 + i) * 4) + "], %q" + number(i) + ";\n";
  }
  text += "finish:\n  tcgen05.fence::before_thread_sync; " +
          std::string(pair ? "barrier.cluster.arrive.release; barrier.cluster.wait.acquire;"
                           : "barrier.sync 0;") +
          " tcgen05.fence::after_thread_sync; @%p1 bra gone;\n  tcgen05.dealloc.cta_group::" + group +
          ".sync.aligned.b32 %r15, 128;\ngone:\n  ret;\n}\n";
  return text;
}

struct Ran {
  Status status = Status::success();
  bool right = true;
};

Ran run(const std::string &text, bool pair, RunOptions options = {}) {
  constexpr uint32_t m = 256, n = 128, k = 320;
  std::vector<uint16_t> a(m * k), b(n * k);
  auto value = [](uint32_t i, uint32_t j, uint32_t seed) { return int((i * 31 + j * 17 + seed) % 13) - 6; };
  for (uint32_t i = 0; i < m; ++i)
    for (uint32_t j = 0; j < k; ++j)
      a[i * k + j] = static_cast<uint16_t>(test::bf16.nearest(value(i, j, 3)));
  for (uint32_t i = 0; i < n; ++i)
    for (uint32_t j = 0; j < k; ++j)
      b[i * k + j] = static_cast<uint16_t>(test::bf16.nearest(value(j, i, 5)));
  Gpu gpu("nvidia:sm_100a", options);
  auto bufferA = gpu.buffer(a), bufferB = gpu.buffer(b);
  auto c = gpu.blank<float>(m * n);
  auto map = [&](const Buffer &buffer, uint32_t rows, uint32_t boxRows) {
    TensorMap map;
    map.element = TensorMap::Element::BF16;
    map.rank = 2;
    map.address = buffer.address();
    map.extents = {k, rows};
    map.strides = {k * 2};
    map.box = {64, boxRows};
    map.swizzle = TensorMap::Swizzle::Span128;
    return *gpu.device->encodeTensorMap(map);
  };
  EncodedTensorMap mapA = map(*bufferA, m, 128), mapB = map(*bufferB, n, pair ? 64 : 128);
  LaunchShape shape;
  shape.threads = 256;
  shape.blocks = m / 128 * (n / 128);
  shape.sharedBytes = 3 * (pair ? 24576 : 32768);
  Ran ran;
  ran.status = gpu.run(text, shape,
                       {{ArgumentKind::TensorMap, reinterpret_cast<uint64_t>(&mapA)},
                        {ArgumentKind::TensorMap, reinterpret_cast<uint64_t>(&mapB)},
                        pointerTo(*c),
                        i32(n),
                        i32(k / 64),
                        i32(m / 128)},
                       "gemm");
  auto values = gpu.read<float>(*c);
  for (uint32_t i = 0; i < m; ++i)
    for (uint32_t j = 0; j < n; ++j) {
      int sum = 0;
      for (uint32_t l = 0; l < k; ++l)
        sum += value(i, l, 3) * value(l, j, 5);
      ran.right &= values[i * n + j] == static_cast<float>(sum);
    }
  return ran;
}

TEST(TensorCoreGemm, OneBlockAndAPairOfBlocks) {
  for (bool pair : {false, true}) {
    expectAssembles(program(pair), "sm_100a");
    for (uint64_t seed = 0; seed < 3; ++seed) {
      Ran ran = run(program(pair), pair, RunOptions{.seed = seed});
      ASSERT_TRUE(ran.status.ok()) << pair << ran.status.message() << ran.status.causeText();
      EXPECT_TRUE(ran.right) << pair << " " << seed;
    }
  }
}

TEST(TensorCoreGemm, PlantedFaultsBite) {
  auto expectBites = [](bool pair, const std::string &from, const std::string &to) {
    std::string text = program(pair);
    size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    bool bites = false;
    for (uint64_t seed = 0; seed < 3 && !bites; ++seed) {
      Ran ran = run(text, pair, RunOptions{.seed = seed});
      bites = !ran.status.ok() || !ran.right;
    }
    EXPECT_TRUE(bites) << pair << " " << from;
  };
  for (bool pair : {false, true}) {
    expectBites(pair, "mbarrier.try_wait.parity.shared::cta.b64 %p3, [%r29], %r12; @!%p3 bra waitfull;", "");
    expectBites(pair, "mbarrier.try_wait.parity.shared::cta.b64 %p3, [%r28], %r30; @!%p3 bra waitempty;", "");
    expectBites(pair, "mbarrier.try_wait.parity.shared::cta.b64 %p3, [%r9], 0; @!%p3 bra epilogue;", "");
    expectBites(pair, "[%r29], %r12;", "[%r29], %r30;");
    expectBites(pair, "[%r28], %r30;", "[%r28], %r12;");
    expectBites(pair, "_, [%r29], " + std::to_string(pair ? 49152 : 32768), "_, [%r29], 16384");
    expectBites(pair, "or.b64 %d4, %d4, 0x4000404000010000", "or.b64 %d4, %d4, 0x8000404000010000");
    expectBites(pair, "tcgen05.wait::ld.sync.aligned;", "");
    expectBites(pair, "fence.mbarrier_init.release.cluster;", "");
  }
}

} // namespace
} // namespace quern::runtime::emulated
