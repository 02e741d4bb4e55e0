//===- MemoryTest.cpp - Memory instructions in every width ----------------===//
//
// Local, global, flat and scratch accesses written by hand: sub-dword forms and their other halves,
// two-address forms, atomics with and without results, private memory.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/TestKernels.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace quern::runtime::emulated::amd {
namespace {

using Words = std::vector<uint32_t>;

class Memory : public testing::TestWithParam<std::string> {
protected:
  bool wave32() const { return isWave32(GetParam()); }
  bool gfx12() const { return GetParam() == "gfx1201"; }
  unsigned width() const { return wave32() ? 32 : 64; }
  std::string wait() const {
    return gfx12() ? "s_wait_loadcnt_dscnt 0x0\n" : "s_waitcnt vmcnt(0) lgkmcnt(0)\n";
  }
  std::string ds(const std::string &older, const std::string &newer) const {
    return "ds_" + (wave32() ? newer : older);
  }
};
INSTANTIATE_TEST_SUITE_P(Targets, Memory, testing::ValuesIn(allTargets()),
                         [](const auto &info) { return info.param; });

Words ramp(unsigned count, uint32_t first = 0x80f1e2d3) {
  Words words(count);
  for (unsigned i = 0; i < count; ++i)
    words[i] = first + i * 0x01020304;
  return words;
}

TEST_P(Memory, LocalSubDwordForms) {
  unsigned n = width();
  Words in = ramp(n);
  std::string text = "v_lshlrev_b32 v40, 2, v0\n" + ds("write_b32", "store_b32") + " v40, v10\n" +
                     ds("write_b8", "store_b8") + " v40, v10 offset:257\n" + ds("write_b16", "store_b16") +
                     " v40, v10 offset:258\n" + ds("write_b8_d16_hi", "store_b8_d16_hi") +
                     " v40, v10 offset:256\n" + wait() + ds("read_u8", "load_u8") + " v30, v40\n" +
                     ds("read_i8", "load_i8") + " v31, v40 offset:3\n" + ds("read_u16", "load_u16") +
                     " v32, v40 offset:2\n" + ds("read_i16", "load_i16") + " v33, v40 offset:2\n" +
                     ds("read_u16_d16", "load_u16_d16") + " v34, v40\n" +
                     ds("read_u8_d16_hi", "load_u8_d16_hi") + " v35, v40 offset:1\n" +
                     ds("read_b32", "load_b32") + " v36, v40 offset:256\n" + wait();
  auto outs = runSnippet(GetParam(), text, {in}, 7);
  bool keeps = wave32(); // register files with ECC clear the other half
  for (unsigned i = 0; i < n; ++i) {
    uint32_t x = in[i];
    ASSERT_EQ(outs[0][i], x & 0xff);
    ASSERT_EQ(outs[1][i], uint32_t(int32_t(x) >> 24));
    ASSERT_EQ(outs[2][i], x >> 16);
    ASSERT_EQ(outs[3][i], uint32_t(int32_t(x) >> 16));
    ASSERT_EQ(outs[4][i], (keeps ? 0x5a5a0000u : 0) | (x & 0xffff));
    ASSERT_EQ(outs[5][i], (keeps ? 0x5a5au : 0) | (x >> 8 & 0xff) << 16);
    ASSERT_EQ(outs[6][i], (x >> 16 & 0xff) | (x & 0xff) << 8 | x << 16);
  }
}

TEST_P(Memory, LocalWideAndTwoAddressForms) {
  unsigned n = width();
  std::string text = "v_lshlrev_b32 v40, 4, v0\nv_and_b32 v40, 0xff, v40\nv_mov_b32 v42, v10\nv_not_b32 v43, "
                     "v10\nv_mov_b32 v44, v0\nv_mov_b32 v45, 9\n" +
                     std::string("v_cmp_gt_u32 ") + (wave32() ? "vcc_lo" : "vcc") + ", 16, v0\n" +
                     (wave32() ? "s_and_b32 exec_lo, exec_lo, vcc_lo\n" : "s_and_b64 exec, exec, vcc\n") +
                     ds("write_b128", "store_b128") + " v40, v[42:45]\n" + wait() +
                     ds("read_b64", "load_b64") + " v[30:31], v40 offset:8\n" +
                     ds("read2_b32", "load_2addr_b32") + " v[32:33], v40 offset0:1 offset1:0\n" +
                     ds("write2_b32", "store_2addr_b32") + " v40, v43, v42 offset0:65 offset1:66\n" +
                     ds("write2st64_b32", "store_2addr_stride64_b32") +
                     " v40, v44, v45 offset0:2 offset1:3\n" + wait() + ds("read_b96", "load_b96") +
                     " v[46:48], v40 offset:256\n" + ds("read2st64_b32", "load_2addr_stride64_b32") +
                     " v[36:37], v40 offset0:3 offset1:2\n" + wait();
  // offset 256 itself was never written by b96's first dword: write it.
  text.replace(text.find(ds("read_b96", "load_b96")), 0,
               ds("write_b32", "store_b32") + " v40, v45 offset:256\n");
  text += "v_mov_b32 v34, v47\nv_mov_b32 v35, v48\n";
  Words in = ramp(n);
  auto outs = runSnippet(GetParam(), text, {in}, 8);
  for (unsigned i = 0; i < 16; ++i) {
    ASSERT_EQ(outs[0][i], i);
    ASSERT_EQ(outs[1][i], 9u);
    ASSERT_EQ(outs[2][i], ~in[i]);
    ASSERT_EQ(outs[3][i], in[i]);
    ASSERT_EQ(outs[4][i], ~in[i]);
    ASSERT_EQ(outs[5][i], in[i]);
    ASSERT_EQ(outs[6][i], 9u);
    ASSERT_EQ(outs[7][i], i);
  }
}

TEST_P(Memory, LocalAtomics) {
  unsigned n = width();
  Words in(n);
  for (unsigned i = 0; i < n; ++i)
    in[i] = i + 1;
  std::string exchange = wave32() ? "ds_storexchg_rtn_b32" : "ds_wrxchg_rtn_b32";
  // Compare-and-swap: before gfx11 the comparison stands first.
  std::string swap =
      wave32() ? "ds_cmpstore_rtn_b32 v33, v40, v41, v10\n" : "ds_cmpst_rtn_b32 v33, v40, v10, v41\n";
  std::string text = "v_mov_b32 v42, 0\nv_mov_b32 v43, 100\n" + ds("write_b32", "store_b32") + " v42, v43\n" +
                     ds("write_b32", "store_b32") + " v42, v43 offset:4\n" +
                     "v_lshlrev_b32 v40, 2, v0\nv_mov_b32 v41, 7\n" + ds("write_b32", "store_b32") +
                     " v40, v10 offset:512\n" + wait() +
                     "ds_add_u32 v42, v10\nds_max_rtn_u32 v30, v42, v10 offset:4\n" + wait() + exchange +
                     " v31, v40, v41 offset:512\n" + wait() + ds("read_b32", "load_b32") + " v32, v42\n" +
                     ds("write_b32", "store_b32") + " v40, v10\n" + wait() + swap + wait() +
                     ds("read_b32", "load_b32") + " v34, v40\n" + wait();
  auto outs = runSnippet(GetParam(), text, {in}, 5);
  for (unsigned i = 0; i < n; ++i) {
    ASSERT_EQ(outs[0][i], 100u); // all are below 100
    ASSERT_EQ(outs[1][i], in[i]);
    ASSERT_EQ(outs[2][i], 100 + n * (n + 1) / 2);
    ASSERT_EQ(outs[3][i], in[i]); // the comparison is with the value that is there
    ASSERT_EQ(outs[4][i], 7u);
  }
}

TEST_P(Memory, GlobalAtomicsReturnTheOldValue) {
  std::string name = wave32() ? "global_atomic_add_u32" : "global_atomic_add",
              flag = GetParam() == "gfx1201"              ? "th:TH_ATOMIC_RETURN"
                     : GetParam() == "gfx90a" || wave32() ? "glc"
                                                          : "sc0";
  std::string swap = wave32() ? "global_atomic_cmpswap_b32" : "global_atomic_cmpswap",
              inc = wave32() ? "global_atomic_inc_u32" : "global_atomic_inc";
  std::string load = wave32() ? "s_load_b64 s[8:9], s[0:1], 0x0\n" : "s_load_dwordx2 s[8:9], s[0:1], 0x0\n";
  std::string store = wave32() ? "global_store_b32" : "global_store_dword";
  std::string waits = gfx12() ? "s_wait_kmcnt 0x0\n" : "s_waitcnt lgkmcnt(0)\n";
  std::string waitLoads = gfx12() ? "s_wait_loadcnt 0x0\n" : "s_waitcnt vmcnt(0)\n";
  std::string body = load + waits + "v_mov_b32 v1, 0\nv_add_nc_u32 v2, 1, v0\n" + name +
                     " v3, v1, v2, s[8:9] " + flag + "\n" + waitLoads +
                     "v_mov_b32 v4, 77\nv_mov_b32 v5, 5\n" + swap + " v6, v1, v[4:5], s[8:9] offset:4 " +
                     flag + "\n" + waitLoads + "v_mov_b32 v7, 2\n" + inc +
                     " v1, v7, s[8:9] offset:8\nv_lshlrev_b32 v8, 2, v0\n" + store +
                     " v8, v3, s[8:9] offset:16\n" + store + " v8, v6, s[8:9] offset:272\n";
  if (!wave32())
    body.replace(body.find("v_add_nc_u32"), 12, "v_add_u32");
  KernelRun run(GetParam(), assemble(GetParam(), kernelAssembly(GetParam(), body, 1)));
  Words memory(4 + 64 + 64, 0xCDCDCDCD);
  memory[0] = 1000, memory[1] = 5, memory[2] = 0;
  run.buffer(memory).expectSuccess(1, 20); // a partial wave
  uint32_t sum = 1000;
  for (unsigned i = 0; i < 20; ++i) {
    ASSERT_EQ(run.words(0)[4 + i], sum) << i;
    sum += i + 1;
    ASSERT_EQ(run.words(0)[68 + i], i == 0 ? 5u : 77u);
  }
  EXPECT_EQ(run.words(0)[0], sum);
  EXPECT_EQ(run.words(0)[1], 77u);
  EXPECT_EQ(run.words(0)[2], 20 % 3); // counts 0, 1, 2, 0, ...
  EXPECT_EQ(run.words(0)[24], 0xCDCDCDCDu);
}

// On gfx90a compilers reach private memory through a buffer descriptor: private_array in
// HostComparisonTest.cpp.
class ScratchMemory : public Memory {};
INSTANTIATE_TEST_SUITE_P(Targets, ScratchMemory, testing::Values("gfx942", "gfx950", "gfx1100", "gfx1201"),
                         [](const auto &info) { return info.param; });

TEST_P(ScratchMemory, ScratchIsPrivateToTheLane) {
  std::string load = wave32() ? "scratch_load_b32 " : "scratch_load_dword ",
              store = wave32() ? "scratch_store_b32 " : "scratch_store_dword ";
  unsigned n = width();
  std::string text = "s_mov_b32 s20, 8\nv_mov_b32 v40, 4\n" + store + "off, v10, off offset:4\n" + store +
                     "v40, v0, s20 offset:4\n" + wait() + load + "v30, v40, off\n" + load +
                     "v31, off, s20 offset:8\n" + wait();
  std::string target = GetParam();
  // runSnippet has no private memory: build the kernel here.
  std::string sload = wave32() ? "s_load_b64 s[8:9], s[0:1], 0x0\n" : "s_load_dwordx2 s[8:9], s[0:1], 0x0\n";
  std::string body = sload + (gfx12() ? "s_wait_kmcnt 0x0\n" : "s_waitcnt lgkmcnt(0)\n") +
                     "v_mul_u32_u24 v10, 3, v0\n" + text +
                     "v_add_u32 v30, v30, v31\nv_lshlrev_b32 v1, 2, v0\n" +
                     (wave32() ? "global_store_b32" : "global_store_dword") + " v1, v30, s[8:9]\n";
  if (wave32())
    body.replace(body.find("v_add_u32"), 9, "v_add_nc_u32");
  KernelRun run(target, assemble(target, kernelAssembly(target, body, 1, 0, 32)));
  run.buffer(Words(2 * n, 0xCDCDCDCD)).expectSuccess(1, 2 * n);
  for (unsigned i = 0; i < 2 * n; ++i)
    ASSERT_EQ(run.words(0)[i], 4 * i);
}

} // namespace
} // namespace quern::runtime::emulated::amd
