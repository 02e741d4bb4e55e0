//===- CountersTest.cpp - Counters of kernels that can be counted by hand -===//

#include "runtime/emulated/amd/TestGemm.h"
#include "runtime/emulated/amd/TestKernels.h"

#include <gtest/gtest.h>

namespace quern::runtime::emulated::amd {
namespace {

std::string wait(const std::string &target, const std::string &counter) {
  if (target == "gfx1201")
    return counter == "lds"      ? "s_wait_dscnt 0x0\n"
           : counter == "scalar" ? "s_wait_kmcnt 0x0\n"
                                 : "s_wait_loadcnt 0x0\n";
  return counter == "global" ? "s_waitcnt vmcnt(0)\n" : "s_waitcnt lgkmcnt(0)\n";
}

/// s[8:9] is the buffer, aligned to a line; v1 = |stride| * lane.
std::string head(const std::string &target, uint32_t stride) {
  return std::string(isWave32(target) ? "s_load_b64 s[8:9], s[0:1], 0x0\n"
                                      : "s_load_dwordx2 s[8:9], s[0:1], 0x0\n") +
         wait(target, "scalar") +
         "s_add_u32 s8, s8, 0x7f\ns_addc_u32 s9, s9, 0\ns_and_b32 s8, s8, 0xffffff80\n" +
         "v_mul_u32_u24 v1, " + std::to_string(stride) + ", v0\n";
}

KernelCounters counted(const std::string &target, const std::string &body, uint32_t stride,
                       uint32_t threads = 0, uint32_t blocks = 1) {
  KernelRun run(target, assemble(target, kernelAssembly(target, head(target, stride) + body, 1, 16384)));
  run.buffer(std::vector<uint32_t>(16384));
  run.options.counters = true;
  run.options.uninitialised = false;
  run.expectSuccess(blocks, threads ? threads : isWave32(target) ? 32 : 64);
  return run.counters.detail;
}

class AmdCounters : public testing::TestWithParam<std::string> {
protected:
  bool wave32() const { return isWave32(GetParam()); }
  uint64_t halves() const { return wave32() ? 1 : 2; }
  std::string name(const char *old, const char *now) const { return wave32() ? now : old; }
};
INSTANTIATE_TEST_SUITE_P(Targets, AmdCounters, testing::ValuesIn(allTargets()),
                         [](const auto &info) { return info.param; });

TEST_P(AmdCounters, BanksServeWordsByHalfWaves) {
  const std::string load = name("ds_read_b32", "ds_load_b32"), store = name("ds_write_b32", "ds_store_b32");
  struct {
    uint32_t stride;
    uint64_t wavefronts;
  } cases[] = {{4, 1}, {8, 2}, {16, 4}, {32, 8}, {128, 32}, {0, 1}, {132, 1}};
  for (auto [stride, wavefronts] : cases) {
    KernelCounters c = counted(
        GetParam(),
        store + " v1, v0\n" + wait(GetParam(), "lds") + load + " v2, v1\n" + wait(GetParam(), "lds"), stride);
    // Two halves of a wave of 64 are two phases.
    EXPECT_EQ(c.sharedStores, (SharedCount{1, wavefronts * halves(), halves(), 128 * halves()})) << stride;
    EXPECT_EQ(c.sharedLoads, c.sharedStores) << stride;
    EXPECT_EQ(c.opcodes.at(load).issued, 1u);
    EXPECT_EQ(c.opcodes.at(load).kind, InstructionClass::SharedLoad);
    EXPECT_EQ(c.opcodes.at(store).kind, InstructionClass::SharedStore);
  }
}

TEST_P(AmdCounters, WideReadsMeetTheBanksOfTheTarget) {
  const std::string load = name("ds_read_b128", "ds_load_b128");
  auto clocks = [&](uint32_t stride) {
    return counted(GetParam(), load + " v[4:7], v1\n" + wait(GetParam(), "lds"), stride).sharedLoads;
  };
  // Dense rows: eight lanes fill 32 banks, sixteen fill 64.
  const uint64_t phases = GetParam() == "gfx950" ? 4 : 4 * halves();
  EXPECT_EQ(clocks(16).wavefronts, phases);
  EXPECT_EQ(clocks(16).ideal, phases);
  // Rows of 256 bytes: every lane of a phase asks the same banks.
  EXPECT_EQ(clocks(256).wavefronts, 32 * halves());
  EXPECT_EQ(clocks(256).ideal, phases);
}

TEST_P(AmdCounters, LinesOfGlobalRequests) {
  const std::string load = name("global_load_dword", "global_load_b32");
  auto of = [&](uint32_t stride) {
    return counted(GetParam(), load + " v2, v1, s[8:9]\n" + wait(GetParam(), "global"), stride);
  };
  // Beside the load of the argument by the scalar unit.
  const uint64_t lanes = 32 * halves();
  EXPECT_EQ(of(4).globalLoads.requests, 2u);
  EXPECT_EQ(of(4).globalLoads.sectors, 1 + lanes * 4 / 128);
  EXPECT_EQ(of(8).globalLoads.sectors, 1 + lanes * 8 / 128);
  EXPECT_EQ(of(128).globalLoads.sectors, 1 + lanes);
  EXPECT_EQ(of(4).globalLoads.bytes, 8 + lanes * 4);
  EXPECT_EQ(of(4).sectorBytes, 128u);
  EXPECT_EQ(of(4).opcodes.at(load).kind, InstructionClass::GlobalLoad);
}

TEST_P(AmdCounters, ActiveLanesFollowExec) {
  // Four lanes are left: v_add takes effect in them alone.
  const std::string exec = wave32() ? "s_mov_b32 exec_lo, 0xf\n" : "s_mov_b64 exec, 0xf\n";
  KernelCounters c =
      counted(GetParam(), "v_mov_b32 v2, 0\n" + exec + "v_add_f32 v2, v2, v2\nv_fma_f32 v2, v2, v2, v2\n", 4,
              wave32() ? 64 : 128, 3);
  const uint64_t waves = 2 * 3;
  std::string add;
  for (const auto &[opcode, count] : c.opcodes)
    if (opcode.starts_with("v_add_f32"))
      add = opcode;
  ASSERT_FALSE(add.empty());
  EXPECT_EQ(c.opcodes.at(add).issued, waves);
  EXPECT_EQ(c.opcodes.at(add).lanes, 4 * waves);
  EXPECT_EQ(c.ordinaryMultiplyAdds, 4 * waves);
  EXPECT_EQ(c.opcodes.at("s_endpgm").issued, waves);
  EXPECT_EQ(c.mix()[size_t(InstructionClass::Float)].issued, 2 * waves);
  EXPECT_EQ(c.warps, waves);
  EXPECT_EQ(c.resources.warpLanes, 32 * halves());
  EXPECT_EQ(c.resources.registers, 256u);
}

TEST_P(AmdCounters, MatrixProduct) {
  GemmShape shape{128, 64, 96};
  KernelRun run(GetParam(), gemmKernel(GetParam(), shape));
  run.options.counters = true;
  run.buffer(std::vector<uint32_t>(shape.m * shape.k / 2, 0x3f803f80))
      .buffer(std::vector<uint32_t>(shape.n * shape.k / 2, 0x40003f80))
      .buffer(std::vector<uint32_t>(shape.m * shape.n));
  KernelCounters first;
  for (uint64_t seed = 0; seed < 3; ++seed)
    for (uint32_t workers : {1u, 2u}) {
      run.options.seed = seed;
      run.options.workers = workers;
      run.options.sanitize = seed != 1;
      run.expectSuccess(shape.tilesM() * shape.tilesN(), gemmThreads(GetParam()));
      const KernelCounters &c = run.counters.detail;
      if (first.launches == 0)
        first = c;
      EXPECT_EQ(c, first) << "seed " << seed << ", " << workers << " workers";
    }
  EXPECT_EQ(first.matrixMultiplyAdds(), uint64_t(shape.m) * shape.n * shape.k);
  ASSERT_EQ(first.matrix.size(), 1u);
  EXPECT_TRUE(first.matrix.begin()->first.starts_with(wave32() ? "wmma.m16n16k" : "mfma.m"))
      << first.matrix.begin()->first;
  EXPECT_TRUE(first.matrix.begin()->first.ends_with(".bf16")) << first.matrix.begin()->first;
}

TEST(AmdCounterNames, MatrixShapes) {
  struct {
    const char *target, *instruction, *name;
    uint64_t multiplyAdds;
  } cases[] = {
      {"gfx90a", "v_mfma_f32_32x32x8bf16_1k a[0:15], v[2:3], v[4:5], a[0:15]", "mfma.m32n32k8.bf16", 8192},
      {"gfx90a", "v_mfma_f32_32x32x4bf16_1k a[0:31], v[2:3], v[4:5], a[0:31]", "mfma.m32n32k4.bf16.x2", 8192},
      {"gfx90a", "v_mfma_f32_4x4x4f16 a[0:3], v[2:3], v[4:5], a[0:3]", "mfma.m4n4k4.f16.x16", 1024},
      {"gfx90a", "v_mfma_f32_32x32x1f32 a[0:31], v2, v4, a[0:31]", "mfma.m32n32k1.f32.x2", 2048},
      {"gfx90a", "v_mfma_f32_16x16x4f32 a[0:3], v2, v4, a[0:3]", "mfma.m16n16k4.f32", 1024},
      {"gfx942", "v_mfma_f32_32x32x8_bf16 a[0:15], v[2:3], v[4:5], a[0:15]", "mfma.m32n32k8.bf16", 8192},
      {"gfx942", "v_mfma_f32_16x16x32_fp8_fp8 a[0:3], v[2:3], v[4:5], a[0:3]", "mfma.m16n16k32.e4m3fnuz",
       8192},
      {"gfx942", "v_mfma_f32_16x16x32_fp8_bf8 a[0:3], v[2:3], v[4:5], a[0:3]",
       "mfma.m16n16k32.e4m3fnuz.e5m2fnuz", 8192},
      {"gfx942", "v_mfma_f32_4x4x4_16b_f16 a[0:3], v[2:3], v[4:5], a[0:3]", "mfma.m4n4k4.f16.x16", 1024},
      {"gfx950", "v_mfma_f32_16x16x32_bf16 a[0:3], v[4:7], v[8:11], a[0:3]", "mfma.m16n16k32.bf16", 8192},
      {"gfx950", "v_mfma_scale_f32_16x16x128_f8f6f4 a[0:3], v[8:15], v[16:23], a[0:3], v30, v31",
       "mfma.m16n16k128.e4m3.b32", 32768},
      {"gfx1100", "v_wmma_f32_16x16x16_bf16 v[8:15], v[16:23], v[24:31], v[8:15]", "wmma.m16n16k16.bf16",
       4096},
      {"gfx1201", "v_wmma_f32_16x16x16_fp8_fp8 v[8:15], v[16:17], v[24:25], v[8:15]", "wmma.m16n16k16.e4m3",
       4096},
  };
  for (auto [target, instruction, name, multiplyAdds] : cases) {
    std::string body;
    for (int i = 2; i < 32; ++i)
      body += "v_mov_b32 v" + std::to_string(i) + ", 0\n";
    KernelRun run(target, assemble(target, kernelAssembly(target, body + instruction + "\n", 0)));
    run.options.counters = true;
    run.options.sanitize = false;
    run.expectSuccess(1, isWave32(target) ? 32 : 64);
    const KernelCounters &c = run.counters.detail;
    ASSERT_EQ(c.matrix.size(), 1u) << instruction;
    EXPECT_EQ(c.matrix.begin()->first, name);
    EXPECT_EQ(c.matrix.begin()->second, (MatrixCount{1, multiplyAdds})) << instruction;
  }
}

} // namespace
} // namespace quern::runtime::emulated::amd
