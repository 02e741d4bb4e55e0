//===- RegisterCheckTest.cpp - Findings about registers and global memory --===//
//
// Planted faults and their clean versions: registers that nothing has written, results of matrix instructions
// read too early, races in global memory, numbers that become NaN in eight bits.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/TestKernels.h"

#include <gtest/gtest.h>

namespace quern::runtime::emulated::amd {
namespace {

using Words = std::vector<uint32_t>;

class Checks : public testing::TestWithParam<std::string> {
protected:
  bool wave32() const { return isWave32(GetParam()); }
  bool gfx12() const { return GetParam() == "gfx1201"; }
  unsigned width() const { return wave32() ? 32 : 64; }
  std::string store() const { return wave32() ? "global_store_b32 " : "global_store_dword "; }
  std::string load() const { return wave32() ? "global_load_b32 " : "global_load_dword "; }
  std::string wait() const {
    return gfx12() ? "s_wait_loadcnt 0x0\ns_wait_dscnt 0x0\ns_wait_kmcnt 0x0\n"
                   : "s_waitcnt vmcnt(0) lgkmcnt(0)\n";
  }
  std::string barrier() const {
    return gfx12() ? "s_barrier_signal -1\ns_barrier_wait 0xffff\n" : "s_barrier\n";
  }
  /// s[8:9] is the buffer, s2 the block, v1 = 4 * thread.
  KernelRun kernel(const std::string &body) const {
    std::string head = std::string(wave32() ? "s_load_b64" : "s_load_dwordx2") + " s[8:9], s[0:1], 0x0\n" +
                       (gfx12() ? "s_mov_b32 s2, ttmp9\n" : "") + wait() + "v_lshlrev_b32 v1, 2, v0\n";
    KernelRun run(GetParam(), assemble(GetParam(), kernelAssembly(GetParam(), head + body, 1, 1024)));
    return run.buffer(Words(512));
  }
};
INSTANTIATE_TEST_SUITE_P(Targets, Checks, testing::ValuesIn(allTargets()),
                         [](const auto &info) { return info.param; });

TEST_P(Checks, RegistersThatNothingHasWritten) {
  kernel(store() + "v1, v9, s[8:9]\n").expectFinding(1, 32, "uninitialised");
  kernel(load() + "v3, v9, s[8:9]\n").expectFinding(1, 32, "uninitialised");
  kernel((wave32() ? "ds_store_b32 v1, v9\n" : "ds_write_b32 v1, v9\n"))
      .expectFinding(1, 32, "uninitialised");
  // One lane is missing.
  std::string some = wave32() ? "s_mov_b32 exec_lo, 0xfffffffe\nv_mov_b32 v9, 1\ns_mov_b32 exec_lo, -1\n"
                              : "s_mov_b64 exec, -2\nv_mov_b32 v9, 1\ns_mov_b64 exec, -1\n";
  KernelRun run = kernel(some + store() + "v1, v9, s[8:9]\n");
  run.expectFinding(1, width(), "uninitialised");
  EXPECT_EQ(run.findings[0].thread, 0u);
  EXPECT_NE(run.findings[0].detail.find("v9"), std::string::npos);
  EXPECT_EQ(run.launch(1, width()).id(), "E-EMULATED-UNINITIALISED");
  run.options.uninitialised = false;
  run.expectSuccess(1, width());
  // Passing a register on is no use of it; writing it first is clean.
  kernel("v_mov_b32 v8, v9\nv_add_f32 v7, v8, v9\nv_mov_b32 v9, 2\n" + store() + "v1, v9, s[8:9]\n")
      .expectSuccess(1, 32);
}

TEST_P(Checks, RacesInGlobalMemory) {
  // Blocks write the same word; their own words are clean.
  kernel("v_mov_b32 v3, s2\n" + store() + "v1, v3, s[8:9]\n").expectFinding(2, 32, "race");
  // Everyone writes the same.
  kernel("v_mov_b32 v3, 7\n" + store() + "v1, v3, s[8:9]\n").expectSuccess(3, 32);
  KernelRun own = kernel("s_lshl_b32 s3, s2, 7\nv_add_" + std::string(wave32() ? "nc_" : "") +
                         "u32 v2, s3, v1\n" + store() + "v2, v1, s[8:9]\n");
  own.expectSuccess(3, 32);
  EXPECT_EQ(own.words(0)[33], 4u);
  // A wave reads what another wrote, with and without a barrier between.
  auto exchange = [&](const std::string &between) {
    return store() + "v1, v1, s[8:9]\n" + between + "v_xor_b32 v2, 0x100, v1\n" + load() +
           "v3, v2, s[8:9]\n" + wait() + store() + "v1, v3, s[8:9] offset:1024\n";
  };
  KernelRun bad = kernel(exchange(""));
  bad.expectFinding(1, 128, "race");
  EXPECT_EQ(bad.launch(1, 128).id(), "E-EMULATED-RACE");
  KernelRun good = kernel(exchange(barrier()));
  good.expectSuccess(1, 128);
  EXPECT_EQ(good.words(0)[256], 0x100u);
  // Blocks that use atomics may be ordered by them.
  std::string atomic = wave32() ? "global_atomic_add_u32 v1, v1, s[8:9] offset:1024\n"
                                : "global_atomic_add v1, v1, s[8:9] offset:1024\n";
  kernel("v_mov_b32 v3, s2\n" + store() + "v1, v3, s[8:9]\n" + atomic).expectSuccess(2, 32);
}

class MatrixHazards : public Checks {};
INSTANTIATE_TEST_SUITE_P(Targets, MatrixHazards, testing::Values("gfx90a", "gfx942", "gfx950"),
                         [](const auto &info) { return info.param; });

TEST_P(MatrixHazards, ResultsNeedTheirWaitStates) {
  bool old = GetParam() == "gfx90a";
  struct Case {
    std::string instruction;
    unsigned states; ///< by the manual
  };
  for (const Case &c : {Case{old ? "v_mfma_f32_32x32x8f16 v[16:31], v[2:3], v[4:5], 0\n"
                                 : "v_mfma_f32_32x32x8_f16 v[16:31], v[2:3], v[4:5], 0\n",
                             old ? 19u : 11u},
                        Case{old ? "v_mfma_f32_16x16x16f16 v[16:19], v[2:3], v[4:5], 0\n"
                                 : "v_mfma_f32_16x16x16_f16 v[16:19], v[2:3], v[4:5], 0\n",
                             old ? 11u : 7u},
                        Case{old ? "v_mfma_f32_32x32x2f32 v[16:31], v2, v4, 0\n"
                                 : "v_mfma_f32_32x32x2_f32 v[16:31], v2, v4, 0\n",
                             18u},
                        Case{old ? "v_mfma_f32_4x4x4f16 v[16:19], v[2:3], v[4:5], 0\n"
                                 : "v_mfma_f32_4x4x4_16b_f16 v[16:19], v[2:3], v[4:5], 0\n",
                             5u}}) {
    std::string inputs = "v_mov_b32 v2, 0\nv_mov_b32 v3, 0\nv_mov_b32 v4, 0\nv_mov_b32 v5, 0\n";
    auto nops = [](unsigned states) {
      std::string text;
      for (; states > 16; states -= 16)
        text += "s_nop 15\n";
      return states ? text + "s_nop " + std::to_string(states - 1) + "\n" : text;
    };
    for (const char *use : {"v_add_f32 v6, v17, v17\n", "global_store_dword v1, v16, s[8:9]\n"}) {
      KernelRun early = kernel(inputs + c.instruction + nops(c.states - 1) + use);
      early.expectFinding(1, 64, "hazard");
      EXPECT_EQ(early.launch(1, 64).id(), "E-EMULATED-HAZARD");
      kernel(inputs + c.instruction + nops(c.states) + use).expectSuccess(1, 64);
    }
    // The sum goes on at once, and other registers are free.
    std::string again = c.instruction;
    again.replace(again.rfind(", 0"), 3,
                  ", v[16:" + std::string(again.find("31]") != std::string::npos ? "31]" : "19]"));
    kernel(inputs + c.instruction + again + "v_add_f32 v6, v2, v2\n").expectSuccess(1, 64);
    // As an input of the next one it is read too early.
    kernel(inputs + c.instruction + "v_mfma_f32_" + (old ? "32x32x2f32" : "32x32x2_f32") +
           " v[32:47], v16, v4, 0\n")
        .expectFinding(1, 64, "hazard");
  }
}

class SmallNans : public Checks {};
INSTANTIATE_TEST_SUITE_P(Targets, SmallNans, testing::Values("gfx942", "gfx950", "gfx1201"),
                         [](const auto &info) { return info.param; });

TEST_P(SmallNans, NumbersThatBecomeNan) {
  auto convert = [&](const char *number, const std::string &before = "") {
    return before + "v_mov_b32 v2, " + number + "\nv_mov_b32 v3, 0\nv_cvt_pk_fp8_f32 v3, v2, v2\n";
  };
  KernelRun run = kernel(convert("0x447a0000")); // 1000
  run.expectFinding(1, 32, "nan");
  EXPECT_EQ(run.launch(1, 32).id(), "E-EMULATED-NAN");
  kernel(convert("0x43000000")).expectSuccess(1, 32); // 128
  // MODE.FP16_OVFL saturates; a NaN stays one.
  kernel(convert("0x447a0000", "s_setreg_imm32_b32 hwreg(HW_REG_MODE, 23, 1), 1\n")).expectSuccess(1, 32);
  kernel(convert("0x7fc00000")).expectSuccess(1, 32);
}

} // namespace
} // namespace quern::runtime::emulated::amd
