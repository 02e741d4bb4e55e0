//===- FindingTest.cpp - Faults that the machine must find ----------------===//
//
// Each fault is planted next to the version without it: the one must be found, the other must run clean.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/TestKernels.h"

#include <gtest/gtest.h>

namespace quern::runtime::emulated::amd {
namespace {

using Words = std::vector<uint32_t>;

class Findings : public testing::TestWithParam<std::string> {
protected:
  bool wave32() const { return isWave32(GetParam()); }
  bool gfx12() const { return GetParam() == "gfx1201"; }
  std::string waitLoad() const { return gfx12() ? "s_wait_loadcnt 0x0\n" : "s_waitcnt vmcnt(0)\n"; }
  std::string waitLocal() const { return gfx12() ? "s_wait_dscnt 0x0\n" : "s_waitcnt lgkmcnt(0)\n"; }
  std::string waitScalar() const { return gfx12() ? "s_wait_kmcnt 0x0\n" : "s_waitcnt lgkmcnt(0)\n"; }
  std::string barrier() const {
    return gfx12() ? "s_barrier_signal -1\ns_barrier_wait 0xffff\n" : "s_barrier\n";
  }
  std::string load() const { return wave32() ? "global_load_b32" : "global_load_dword"; }
  std::string store() const { return wave32() ? "global_store_b32" : "global_store_dword"; }
  std::string sload() const {
    return wave32() ? "s_load_b64 s[8:9], s[0:1], 0x0\n" : "s_load_dwordx2 s[8:9], s[0:1], 0x0\n";
  }
  std::string dsRead() const { return wave32() ? "ds_load_b32" : "ds_read_b32"; }
  std::string dsWrite() const { return wave32() ? "ds_store_b32" : "ds_write_b32"; }
  unsigned width() const { return wave32() ? 32 : 64; }
  std::string head() const { return sload() + waitScalar() + "v_lshlrev_b32 v1, 2, v0\n"; }
  KernelRun kernel(const std::string &body, unsigned localBytes = 1024) const {
    return KernelRun(GetParam(), assemble(GetParam(), kernelAssembly(GetParam(), body, 1, localBytes)));
  }
};
INSTANTIATE_TEST_SUITE_P(Targets, Findings, testing::Values("gfx90a", "gfx942", "gfx1100", "gfx1201"),
                         [](const auto &info) { return info.param; });

TEST_P(Findings, AVectorRegisterUsedBeforeItsWait) {
  std::string good = head() + load() + " v2, v1, s[8:9]\n" + waitLoad() + "v_mov_b32 v3, v2\n" + store() +
                     " v1, v3, s[8:9]\n";
  std::string bad = good;
  bad.erase(bad.find(waitLoad()), waitLoad().size());
  kernel(good).buffer(Words(64)).expectSuccess(1, 64);
  KernelRun run = kernel(bad);
  run.buffer(Words(64)).expectFinding(1, 64, "missing-wait");
  EXPECT_NE(run.findings[0].instruction.find("v_mov_b32"), std::string::npos);
  EXPECT_NE(run.findings[0].detail.find("v2"), std::string::npos);
  EXPECT_EQ(kernel(bad).buffer(Words(64)).launch(1, 64).id(), "E-EMULATED-MISSING-WAIT");
  // Stale values where nothing is checked.
  KernelRun blind = kernel(bad);
  blind.options.sanitize = false;
  blind.buffer(Words(64, 5)).expectSuccess(1, 64);
  EXPECT_NE(blind.words(0)[0], 5u);
}

TEST_P(Findings, AWaitForTooFewLoads) {
  auto body = [&](unsigned left) {
    std::string n = std::to_string(left);
    return head() + load() + " v2, v1, s[8:9]\n" + load() + " v3, v1, s[8:9] offset:4\n" +
           (gfx12() ? "s_wait_loadcnt 0x" + n + "\n" : "s_waitcnt vmcnt(" + n + ")\n") +
           "v_mov_b32 v4, v2\nv_mov_b32 v4, v3\n";
  };
  kernel(body(0)).buffer(Words(128)).expectSuccess(1, 64);
  KernelRun run = kernel(body(1));
  run.buffer(Words(128)).expectFinding(1, 64, "missing-wait");
  EXPECT_NE(run.findings[0].detail.find("v3"), std::string::npos); // v2 is covered: loads return in order
}

TEST_P(Findings, ACounterAtItsMaximumCompletesOlderLoads) {
  // 63 loads can be outstanding: the 64th waits for the first.
  auto body = [&](unsigned later) {
    std::string text = head() + load() + " v2, v1, s[8:9]\n";
    for (unsigned i = 0; i < later; ++i)
      text += load() + " v" + std::to_string(10 + i) + ", v1, s[8:9]\n";
    return text + "v_mov_b32 v3, v2\n";
  };
  kernel(body(63)).buffer(Words(64)).expectSuccess(1, 32);
  kernel(body(62)).buffer(Words(64)).expectFinding(1, 32, "missing-wait");
}

TEST_P(Findings, AScalarRegisterUsedBeforeItsWait) {
  kernel(sload() + "v_mov_b32 v1, s8\n").buffer(Words(4)).expectFinding(1, 32, "missing-wait");
  kernel(sload() + waitScalar() + "v_mov_b32 v1, s8\n").buffer(Words(4)).expectSuccess(1, 32);
}

TEST_P(Findings, GlobalAccessOutsideEveryBuffer) {
  KernelRun run = kernel(head() + store() + " v1, v0, s[8:9]\n");
  run.buffer(Words(40)).expectFinding(1, 64, "out-of-bounds");
  EXPECT_EQ(run.findings[0].thread, 40u);
  EXPECT_EQ(run.findings[0].block, 0u);
  kernel(head() + store() + " v1, v0, s[8:9]\n").buffer(Words(64)).expectSuccess(1, 64);
  kernel(head() + load() + " v2, v1, s[8:9] offset:-4\n")
      .buffer(Words(64))
      .expectFinding(1, 64, "out-of-bounds");
}

TEST_P(Findings, WildPointersDoNotCrashTheProcess) {
  kernel("v_mov_b32 v2, 0x1234\nv_mov_b32 v3, 0\n" + load() + " v4, v[2:3], off\n")
      .buffer(Words(4))
      .expectFinding(1, 32, "out-of-bounds");
  kernel("v_mov_b32 v2, -1\nv_mov_b32 v3, -1\n" + load() + " v4, v[2:3], off\n")
      .buffer(Words(4))
      .expectFinding(1, 32, "misaligned");
  kernel("s_mov_b32 s8, 0x40\ns_mov_b32 s9, 0\n" + std::string(wave32() ? "s_load_b32" : "s_load_dword") +
         " s10, s[8:9], 0x0\n")
      .buffer(Words(4))
      .expectFinding(1, 32, "out-of-bounds");
  kernel("s_mov_b32 s8, 0x40\ns_mov_b32 s9, 0\ns_setpc_b64 s[8:9]\n")
      .buffer(Words(4))
      .expectFinding(1, 32, "out-of-bounds");
}

TEST_P(Findings, MisalignedGlobalAccess) {
  kernel(head() + load() + " v2, v1, s[8:9] offset:2\n")
      .buffer(Words(128))
      .expectFinding(1, 32, "misaligned");
}

TEST_P(Findings, LocalAccessOutOfRange) {
  kernel("v_mov_b32 v1, 0x3fc\n" + dsWrite() + " v1, v0\n").buffer(Words(4)).expectSuccess(1, 32);
  kernel("v_mov_b32 v1, 0x400\n" + dsWrite() + " v1, v0\n")
      .buffer(Words(4))
      .expectFinding(1, 32, "out-of-bounds");
}

TEST_P(Findings, LocalReadOfWhatNobodyWrote) {
  std::string body = "v_lshlrev_b32 v1, 2, v0\n" + dsRead() + " v2, v1\n" + waitLocal();
  kernel(body).buffer(Words(4)).expectFinding(1, 32, "uninitialised");
}

TEST_P(Findings, LocalRaceWithoutABarrier) {
  // Every thread writes its own word and reads the word of the thread half a block on.
  auto body = [&](const std::string &between) {
    return head() + dsWrite() + " v1, v0\n" + waitLocal() + between + "v_xor_b32 v2, 0x80, v1\n" +
           (wave32() ? "" : "v_xor_b32 v2, 0x180, v2\n") + dsRead() + " v3, v2\n" + waitLocal() + store() +
           " v1, v3, s[8:9]\n";
  };
  for (uint64_t seed : {0, 1, 2}) {
    KernelRun bad = kernel(body(""));
    bad.options.seed = seed;
    Status status = bad.buffer(Words(128)).launch(1, 128);
    ASSERT_FALSE(status.ok());
    EXPECT_TRUE(bad.findings[0].kind == "race" || bad.findings[0].kind == "uninitialised")
        << bad.findings[0].kind;
    KernelRun good = kernel(body(barrier()));
    good.options.seed = seed;
    good.buffer(Words(128)).expectSuccess(1, 128);
    for (unsigned i = 0; i < 128; ++i)
      ASSERT_EQ(good.words(0)[i], i ^ (wave32() ? 32 : 64));
  }
}

TEST_P(Findings, LocalWriteAfterReadWithoutABarrier) {
  auto body = [&](const std::string &between) {
    return head() + dsWrite() + " v1, v0\n" + waitLocal() + barrier() + "v_xor_b32 v2, " +
           std::string(wave32() ? "0x80" : "0x100") + ", v1\n" + dsRead() + " v3, v2\n" + waitLocal() +
           between + dsWrite() + " v1, v3\n" + waitLocal();
  };
  kernel(body("")).buffer(Words(128)).expectFinding(1, 128, "race");
  kernel(body(barrier())).buffer(Words(128)).expectSuccess(1, 128);
}

TEST_P(Findings, LocalWriteNotWaitedForBeforeTheBarrier) {
  auto body = [&](const std::string &wait) {
    return head() + dsWrite() + " v1, v0\n" + wait + barrier() + "v_xor_b32 v2, " +
           std::string(wave32() ? "0x80" : "0x100") + ", v1\n" + dsRead() + " v3, v2\n" + waitLocal();
  };
  kernel(body("")).buffer(Words(128)).expectFinding(1, 128, "race");
  kernel(body(waitLocal())).buffer(Words(128)).expectSuccess(1, 128);
}

TEST_P(Findings, LocalAtomicsDoNotRaceWithEachOther) {
  std::string body = head() + "v_mov_b32 v2, 0\nv_mov_b32 v3, 0\n" + dsWrite() + " v2, v3\n" + waitLocal() +
                     barrier() + "v_mov_b32 v4, 1\nds_add_u32 v2, v4\n" + waitLocal() + barrier() + dsRead() +
                     " v3, v2\n" + waitLocal() + store() + " v1, v3, s[8:9]\n";
  // All waves write the same word before the first barrier: that alone is a race.
  kernel(body).buffer(Words(128)).expectFinding(1, 128, "race");
  std::string guarded = body;
  std::string first = wave32() ? "s_mov_b32 s20, exec_lo\nv_cmpx_eq_u32 0, v0\n"
                               : "s_mov_b64 s[20:21], exec\nv_cmpx_eq_u32 vcc, 0, v0\n";
  size_t at = guarded.find(dsWrite());
  guarded.insert(at, first);
  guarded.insert(guarded.find(waitLocal(), at),
                 wave32() ? "s_mov_b32 exec_lo, s20\n" : "s_mov_b64 exec, s[20:21]\n");
  KernelRun run = kernel(guarded);
  run.buffer(Words(128)).expectSuccess(1, 128);
  EXPECT_EQ(run.words(0), Words(128, 128));
}

TEST_P(Findings, ABarrierUnderDivergence) {
  std::string diverge = wave32() ? "v_cmpx_gt_u32 7, v0\n" : "v_cmpx_gt_u32 vcc, 7, v0\n";
  kernel(diverge + barrier()).buffer(Words(4)).expectFinding(1, 32, "divergence");
  kernel(barrier()).buffer(Words(4)).expectSuccess(1, 100); // a partial last wave is no divergence
}

TEST_P(Findings, ABarrierThatOneWaveNeverReaches) {
  std::string body = std::string("v_readfirstlane_b32 s20, v0\ns_cmp_eq_u32 s20, 0\ns_cbranch_scc1 skip\n") +
                     barrier() + "skip:\n";
  kernel(body).buffer(Words(4)).expectFinding(1, 128, "divergence");
}

class Gfx12Findings : public Findings {};
INSTANTIATE_TEST_SUITE_P(Targets, Gfx12Findings, testing::Values("gfx1201"),
                         [](const auto &info) { return info.param; });

TEST_P(Gfx12Findings, ASplitBarrierWithoutItsSignal) {
  kernel("s_barrier_wait 0xffff\n").buffer(Words(4)).expectFinding(1, 64, "deadlock");
  kernel("s_barrier_signal -1\ns_barrier_signal -1\n").buffer(Words(4)).expectFinding(1, 64, "deadlock");
}

TEST_P(Findings, AKernelThatNeverEnds) {
  KernelRun run = kernel("again:\ns_branch again\n");
  run.options.stepLimit = 10000;
  run.buffer(Words(4)).expectFinding(1, 32, "endless");
}

TEST_P(Findings, AnInstructionThatIsNotModelled) {
  std::string text = "v_trig_preop_f64 v[8:9], v[10:11], v0\n"; // its table is not public
  KernelRun run = kernel(text);
  Status status = run.buffer(Words(4)).launch(1, 32);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.id(), "E-EMULATED-NOT-MODELLED");
  EXPECT_EQ(status.exit(), Exit::Unsupported);
  EXPECT_NE(status.message().find("v_trig_preop_f64"), std::string::npos);
  EXPECT_NE(status.message().find("kernel"), std::string::npos);
  // Only when it is reached.
  kernel("s_branch over\n" + text + "over:\n").buffer(Words(4)).expectSuccess(1, 32);
}

TEST_P(Findings, CacheControlsAndFencesAreModelled) {
  std::string text =
      GetParam() == "gfx90a"   ? "buffer_wbinvl1_vol\nbuffer_wbl2\nbuffer_invl2\n"
      : GetParam() == "gfx942" ? "buffer_wbl2 sc0 sc1\nbuffer_inv sc1\nbuffer_inv sc0 sc1\n"
      : GetParam() == "gfx1100"
          ? "buffer_gl0_inv\nbuffer_gl1_inv\n"
          : "global_wb scope:SCOPE_SYS\nglobal_inv scope:SCOPE_DEV\nglobal_wbinv scope:SCOPE_SYS\n";
  kernel(text + "s_nop 1\ns_sleep 1\ns_setprio 2\n").buffer(Words(4)).expectSuccess(1, 32);
}

} // namespace
} // namespace quern::runtime::emulated::amd
