//===- CountersTest.cpp - Counters of kernels that can be counted by hand -===//

#include "runtime/emulated/nvidia/GemmProgram.h"
#include "runtime/emulated/nvidia/PtxTest.h"

namespace quern::runtime::emulated {
namespace {

RunOptions counting(RunOptions options = {}) {
  options.counters = true;
  return options;
}

KernelCounters countersOf(Gpu &gpu, const std::string &symbol = "k") {
  KernelCounters sum;
  for (const CountedKernel &kernel : gpu.device->takeKernelCounts())
    if (kernel.symbol == symbol)
      sum.add(kernel.counters);
  return sum;
}

/// One block of one warp that runs |body|: %r1 is the thread, %d1 the buffer, `line` 8192 bytes of shared
/// memory.
KernelCounters ofWarp(const std::string &body, uint32_t threads = 32, RunOptions options = {}) {
  std::string text = ptxHead("sm_80") + R"(
.visible .entry k(.param .u64 out) {
  .reg .pred %p<8>; .reg .b32 %r<40>; .reg .b64 %d<8>;
  .shared .align 16 .b8 line[8192];
  mov.u32 %r1, %tid.x;
  ld.param.u64 %d1, [out];
)" + body + "\n ret;\n}\n";
  options.uninitialised = false; // addresses are what is looked at
  Gpu gpu("nvidia:sm_80", counting(options));
  auto out = gpu.blank<uint32_t>(16384);
  LaunchShape shape;
  shape.threads = threads;
  Status status = gpu.run(text, shape, {pointerTo(*out)});
  EXPECT_TRUE(status.ok()) << status.message();
  return countersOf(gpu);
}

/// A load from shared memory at thread * |stride| bytes.
std::string sharedLoad(const std::string &type, uint32_t stride, const std::string &to = "%r2") {
  return "mul.lo.u32 %r3, %r1, " + std::to_string(stride) +
         "; mov.u32 %r4, line; add.u32 %r3, %r3, %r4; ld.shared." + type + " " + to + ", [%r3];";
}

TEST(NvidiaCounters, BanksServeAWarpOfWords) {
  struct {
    uint32_t stride;
    uint64_t wavefronts;
  } cases[] = {{4, 1}, {8, 2}, {16, 4}, {32, 8}, {128, 32}, {0, 1}, {132, 1}, {12, 1}, {24, 2}};
  for (auto [stride, wavefronts] : cases) {
    KernelCounters c = ofWarp(sharedLoad("u32", stride));
    EXPECT_EQ(c.sharedLoads.requests, 1u) << stride;
    EXPECT_EQ(c.sharedLoads.wavefronts, wavefronts) << stride;
    EXPECT_EQ(c.sharedLoads.ideal, 1u) << stride;
    EXPECT_EQ(c.sharedLoads.bytes, 128u) << stride;
    EXPECT_EQ(c.sharedStores, SharedCount()) << stride;
  }
}

TEST(NvidiaCounters, WideAccessesHavePhases) {
  const std::string two = "{%r5, %r6}", four = "{%r5, %r6, %r7, %r8}";
  // Half a warp of 8 bytes, a quarter of 16: dense is one clock each.
  EXPECT_EQ(ofWarp(sharedLoad("v2.u32", 8, two)).sharedLoads.wavefronts, 2u);
  EXPECT_EQ(ofWarp(sharedLoad("v2.u32", 16, two)).sharedLoads.wavefronts, 4u);
  EXPECT_EQ(ofWarp(sharedLoad("v2.u32", 16, two)).sharedLoads.ideal, 2u);
  EXPECT_EQ(ofWarp(sharedLoad("v4.u32", 16, four)).sharedLoads.wavefronts, 4u);
  EXPECT_EQ(ofWarp(sharedLoad("v4.u32", 128, four)).sharedLoads.wavefronts, 32u);
  EXPECT_EQ(ofWarp(sharedLoad("v4.u32", 144, four)).sharedLoads.wavefronts, 4u);
  // All lanes the same 16 bytes: one word for each of four banks, in each phase.
  EXPECT_EQ(ofWarp(sharedLoad("v4.u32", 0, four)).sharedLoads.wavefronts, 4u);
  // Bytes share words.
  EXPECT_EQ(ofWarp(sharedLoad("u8", 1)).sharedLoads.wavefronts, 1u);
  EXPECT_EQ(ofWarp(sharedLoad("u16", 64)).sharedLoads.wavefronts, 16u);
}

TEST(NvidiaCounters, SectorsOfGlobalRequests) {
  auto load = [](uint32_t stride, uint32_t offset, const std::string &type = "u32",
                 const std::string &to = "%r2") {
    return ofWarp("mul.wide.u32 %d2, %r1, " + std::to_string(stride) + "; add.u64 %d2, %d2, %d1; ld.global." +
                  type + " " + to + ", [%d2+" + std::to_string(offset) + "];")
        .globalLoads;
  };
  EXPECT_EQ(load(4, 0), (GlobalCount{1, 4, 4, 128}));
  EXPECT_EQ(load(4, 4), (GlobalCount{1, 5, 4, 128})) << "not aligned to a sector";
  EXPECT_EQ(load(8, 0), (GlobalCount{1, 8, 4, 128}));
  EXPECT_EQ(load(128, 0), (GlobalCount{1, 32, 4, 128}));
  EXPECT_EQ(load(0, 64), (GlobalCount{1, 1, 1, 128})) << "all lanes the same word";
  EXPECT_EQ(load(16, 0, "v4.u32", "{%r2, %r3, %r4, %r5}"), (GlobalCount{1, 16, 16, 512}));
  KernelCounters c = ofWarp("mul.wide.u32 %d2, %r1, 8; add.u64 %d2, %d2, %d1; st.global.u32 [%d2], %r1; "
                            "st.global.u32 [%d2+4], %r1;");
  EXPECT_EQ(c.globalStores, (GlobalCount{2, 16, 8, 256}));
  EXPECT_EQ(c.writtenBytes, 256u) << "each sector once";
  EXPECT_EQ(c.readBytes, 0u);
}

TEST(NvidiaCounters, DivergenceAndLoops) {
  // Threads below 8 take the branch, all run the loop as often as their quarter of the warp says.
  KernelCounters c = ofWarp(R"(
    setp.lt.u32 %p1, %r1, 8;
    @!%p1 bra behind;
    add.u32 %r2, %r1, 1; add.u32 %r2, %r2, 1;
  behind:
    shr.u32 %r3, %r1, 3;
    mov.u32 %r4, 0;
  again:
    fma.rn.f32 %r5, %r4, %r4, %r4;
    add.u32 %r4, %r4, 1;
    setp.le.u32 %p2, %r4, %r3;
    @%p2 bra again;
    @%p1 st.global.u32 [%d1], %r1;
    @%p3 st.global.u32 [%d1], %r1;)",
                            32, RunOptions{.sanitize = false});
  auto expect = [&](const char *name, uint64_t issued, uint64_t lanes) {
    ASSERT_TRUE(c.opcodes.count(name)) << name;
    EXPECT_EQ(c.opcodes.at(name).issued, issued) << name;
    EXPECT_EQ(c.opcodes.at(name).lanes, lanes) << name;
  };
  // 4 rounds at most; 8 lanes each of 1, 2, 3 and 4 rounds.
  expect("fma.rn.f32", 4, 80);
  expect("add.u32", 2 + 4, 16 + 80);
  expect("bra", 1 + 4, 24 + 48);
  expect("st.global.u32", 2, 8);
  expect("ret", 1, 32);
  EXPECT_EQ(c.globalStores.requests, 1u) << "no lane takes the last store";
  EXPECT_EQ(c.ordinaryMultiplyAdds, 80u);
  EXPECT_EQ(c.mix()[size_t(InstructionClass::Branch)].issued, 1u + 4 + 1);
  EXPECT_EQ(c.warps, 1u);
}

TEST(NvidiaCounters, CallsAndPartialWarps) {
  std::string text = ptxHead("sm_80") + R"(
.func (.param .b32 result) twice(.param .b32 a) {
  .reg .b32 %x; ld.param.b32 %x, [a]; mul.lo.u32 %x, %x, 2; st.param.b32 [result], %x; ret;
}
.visible .entry k(.param .u64 out) {
  .reg .b32 %r<8>; .reg .b64 %d<4>;
  mov.u32 %r1, %tid.x; ld.param.u64 %d1, [out]; mul.wide.u32 %d2, %r1, 4; add.u64 %d1, %d1, %d2;
  { .param .b32 pa; .param .b32 pr; st.param.b32 [pa], %r1; call (pr), twice, (pa); ld.param.b32 %r2, [pr]; }
  bar.sync 0;
  st.global.u32 [%d1], %r2; ret;
})";
  Gpu gpu("nvidia:sm_80", counting());
  auto out = gpu.blank<uint32_t>(64);
  LaunchShape shape;
  shape.threads = 40;
  shape.blocks = 3;
  Status status = gpu.run(text, shape, {pointerTo(*out)});
  ASSERT_TRUE(status.ok()) << status.message();
  KernelCounters c = countersOf(gpu);
  EXPECT_EQ(c.opcodes.at("mul.lo.u32").issued, 6u);
  EXPECT_EQ(c.opcodes.at("mul.lo.u32").lanes, 120u);
  EXPECT_EQ(c.barriers, 3u);
  EXPECT_EQ(c.launches, 1u);
  EXPECT_EQ(c.blocks, 3u);
  EXPECT_EQ(c.warps, 6u);
  EXPECT_EQ(c.globalStores.sectors, 3u * (4 + 1));
}

KernelCounters gemmCounters(uint32_t m, uint32_t n, uint32_t k, RunOptions options) {
  Gpu gpu("nvidia:sm_80", counting(options));
  auto a = gpu.buffer(std::vector<uint16_t>(m * k, 0x3f80)),
       b = gpu.buffer(std::vector<uint16_t>(n * k, 0x3f80));
  auto c = gpu.blank<float>(m * n);
  LaunchShape shape;
  shape.threads = 256;
  shape.blocks = test::GemmProgram::blocks(m, n);
  Status status = gpu.run(test::GemmProgram::text(), shape,
                          {pointerTo(*a), pointerTo(*b), pointerTo(*c), i32(m), i32(n), i32(k), i32(k)});
  EXPECT_TRUE(status.ok()) << status.message();
  return countersOf(gpu);
}

TEST(NvidiaCounters, MatrixProductIsPaddedToItsTiles) {
  KernelCounters c = gemmCounters(136, 72, 64, {});
  const uint64_t m = 256, n = 128, k = 64;
  ASSERT_EQ(c.matrix.size(), 1u);
  EXPECT_EQ(c.matrix.at("mma.m16n8k16.bf16"), (MatrixCount{m * n * k / (16 * 8 * 16), m * n * k}));
  EXPECT_EQ(c.ordinaryMultiplyAdds, 0u);
  // The swizzle of the tiles has no conflict, in what ldmatrix reads and in what cp.async writes.
  EXPECT_EQ(c.sharedLoads.wavefronts, c.sharedLoads.ideal);
  EXPECT_EQ(c.sharedStores.wavefronts, c.sharedStores.ideal);
  // Each block reads both tiles once: 128 rows of 64 elements; rows beyond the matrices are not asked for.
  EXPECT_EQ(c.globalLoads.bytes, (136 + 2 * 72) * 64 * 2u);
  EXPECT_EQ(c.readBytes, (136 + 72) * 64 * 2u);
  EXPECT_GE(c.writtenBytes, 136 * 72 * 4u);
}

TEST(NvidiaCounters, DoNotDependOnOrderOrThreads) {
  KernelCounters first = gemmCounters(200, 136, 96, {});
  EXPECT_GT(first.issued(), 0u);
  for (uint64_t seed = 0; seed < 4; ++seed)
    for (uint32_t workers : {1u, 3u}) {
      RunOptions options;
      options.seed = seed;
      options.workers = workers;
      options.sanitize = seed % 2;
      EXPECT_EQ(gemmCounters(200, 136, 96, options), first)
          << "seed " << seed << ", " << workers << " workers";
    }
}

TEST(NvidiaCounters, NothingIsCountedUnasked) {
  Gpu gpu("nvidia:sm_80");
  auto out = gpu.blank<uint32_t>(64);
  std::string text = ptxHead("sm_80") + ".visible .entry k(.param .u64 out) { ret; }";
  EXPECT_TRUE(gpu.run(text, {}, {pointerTo(*out)}).ok());
  EXPECT_TRUE(gpu.device->takeKernelCounts().empty());
}

} // namespace
} // namespace quern::runtime::emulated
