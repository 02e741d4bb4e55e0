//===- DirectLoadTest.cpp - Loads to local memory, transposing loads, descriptors -===//
//
// Where a load to local memory puts its data, when, and what happens without its wait; transposing loads
// against the matrices that they transpose; range checks of buffer descriptors.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/TestKernels.h"

#include <gtest/gtest.h>

#include <functional>

namespace quern::runtime::emulated::amd {
namespace {

using Words = std::vector<uint32_t>;

Words ramp(size_t count, uint32_t first = 1000) {
  Words words(count);
  for (size_t i = 0; i < count; ++i)
    words[i] = uint32_t(first + i * 7);
  return words;
}

/// s[8:9] input, s[10:11] output, s[12:15] a raw descriptor of |records| bytes over the input, v1 = 4 *
/// thread.
std::string head(const std::string &target, unsigned records) {
  bool wave32 = isWave32(target);
  std::string text = wave32 ? "s_load_b128 s[8:11], s[0:1], 0x0\n" : "s_load_dwordx4 s[8:11], s[0:1], 0x0\n";
  text += target == "gfx1201" ? "s_wait_kmcnt 0x0\n" : "s_waitcnt lgkmcnt(0)\n";
  text += "s_mov_b32 s12, s8\ns_and_b32 s13, s9, 0xffff\ns_mov_b32 s14, " + std::to_string(records) +
          "\ns_mov_b32 s15, " + (wave32 ? "0x31027000" : "0x00027000") + "\nv_lshlrev_b32 v1, 2, v0\n";
  return text;
}
KernelRun kernel(const std::string &target, const std::string &body, unsigned localBytes = 0) {
  return KernelRun(target, assemble(target, kernelAssembly(target, body, 2, localBytes)));
}

class DirectLoads : public testing::TestWithParam<std::string> {
protected:
  bool hasGlobal() const { return GetParam() != "gfx90a"; }
  bool isWide() const { return GetParam() == "gfx950"; }
  /// Fills |localBytes| of local memory with 0xeeeeeeee by one wave.
  std::string fill(unsigned localBytes) const {
    std::string text = "v_mov_b32 v3, 0xeeeeeeee\n";
    for (unsigned at = 0; at < localBytes; at += 256)
      text += "ds_write_b32 v1, v3 offset:" + std::to_string(at) + "\n";
    return text + "s_waitcnt lgkmcnt(0)\n";
  }
  /// Stores local memory to the output.
  std::string dump(unsigned localBytes) const {
    std::string text;
    for (unsigned at = 0; at < localBytes; at += 256)
      text += "ds_read_b32 v4, v1 offset:" + std::to_string(at) +
              "\ns_waitcnt lgkmcnt(0)\nglobal_store_dword v1, v4, s[10:11] offset:" + std::to_string(at) +
              "\n";
    return text;
  }
};
INSTANTIATE_TEST_SUITE_P(Targets, DirectLoads, testing::Values("gfx90a", "gfx942", "gfx950"),
                         [](const auto &info) { return info.param; });

TEST_P(DirectLoads, PutLanesOneAfterTheOther) {
  struct Case {
    std::string text;
    unsigned bytes;
    bool signExtend;
    bool buffer;
  };
  std::vector<Case> cases;
  const std::tuple<const char *, unsigned, bool> forms[] = {
      {"dword", 4, false}, {"ubyte", 1, false},    {"sbyte", 1, true},    {"ushort", 2, false},
      {"sshort", 2, true}, {"dwordx3", 12, false}, {"dwordx4", 16, false}};
  for (auto [name, bytes, isSigned] : forms) {
    if (bytes > 4 && !isWide())
      continue;
    cases.push_back({std::string("buffer_load_") + name + " v5, s[12:15], s20 offen offset:8 lds\n", bytes,
                     isSigned, true});
    if (hasGlobal())
      cases.push_back(
          {std::string("global_load_lds_") + name + " v5, s[8:9] offset:8\n", bytes, isSigned, false});
  }
  Words in = ramp(1024, 0x80f0e0d0);
  const uint8_t *source = reinterpret_cast<const uint8_t *>(in.data());
  for (const Case &c : cases) {
    // Each lane reads at 20 * lane; M0 is 32, the instruction offset 8 counts on both sides, s20 in memory
    // alone.
    std::string body = head(GetParam(), 4096) + fill(2048) +
                       "v_mul_u32_u24 v5, 20, v0\ns_mov_b32 m0, 32\ns_mov_b32 s20, 4\n" + c.text +
                       "s_waitcnt vmcnt(0)\n" + dump(2048);
    KernelRun run = kernel(GetParam(), body, 2048);
    run.buffer(in).buffer(Words(512)).expectSuccess(1, 64);
    Words expected(512, 0xeeeeeeee);
    for (unsigned lane = 0; lane < 64; ++lane) {
      const uint8_t *from = source + 20 * lane + 8 + (c.buffer ? 4 : 0);
      uint32_t words[4] = {};
      std::memcpy(words, from, c.bytes);
      if (c.signExtend)
        words[0] = uint32_t(c.bytes == 1 ? int32_t(int8_t(words[0])) : int32_t(int16_t(words[0])));
      unsigned step = c.bytes > 4 ? 16 : 4;
      std::memcpy(reinterpret_cast<uint8_t *>(expected.data()) + 32 + 8 + lane * step, words,
                  std::max(c.bytes, 4u));
    }
    ASSERT_EQ(run.words(1), expected) << c.text;
  }
}

TEST_P(DirectLoads, FollowExecAndTheDescriptor) {
  std::string body =
      head(GetParam(), 4 * 20 + 2) + fill(256) + "s_mov_b32 m0, 0\ns_mov_b64 exec, 0xfffffff0\n" +
      "buffer_load_dword v1, s[12:15], 0 offen lds\ns_mov_b64 exec, -1\ns_waitcnt vmcnt(0)\n" + dump(256);
  KernelRun run = kernel(GetParam(), body, 256);
  Words in = ramp(64);
  run.buffer(in).buffer(Words(64)).expectSuccess(1, 64);
  for (unsigned lane = 0; lane < 64; ++lane) // lanes 20 to 31 are out of range: zeros
    EXPECT_EQ(run.words(1)[lane], lane < 4 || lane >= 32 ? 0xeeeeeeeeu : lane < 20 ? in[lane] : 0u) << lane;
}

TEST_P(DirectLoads, AreSeenAfterTheirWaitAlone) {
  std::string load = "s_mov_b32 m0, 0\nbuffer_load_dword v1, s[12:15], 0 offen lds\n";
  std::string missing = head(GetParam(), 256) + fill(256) + load + dump(256),
              counted = head(GetParam(), 256) + fill(256) + load +
                        "global_load_dword v7, v1, s[8:9]\ns_waitcnt vmcnt(1)\n" + dump(256) +
                        "s_waitcnt vmcnt(0)\n";
  kernel(GetParam(), missing, 256).buffer(ramp(64)).buffer(Words(64)).expectFinding(1, 64, "missing-wait");
  kernel(GetParam(), counted, 256).buffer(ramp(64)).buffer(Words(64)).expectSuccess(1, 64);
  // Without the checks the old contents show at the latest legal moment, the new ones at the earliest.
  for (auto [order, seed, seen] : {std::tuple{AsyncOrder::Latest, 0u, 0xeeeeeeeeu},
                                   {AsyncOrder::Earliest, 0u, 1000u},
                                   {AsyncOrder::BySeed, 0u, 0xeeeeeeeeu},
                                   {AsyncOrder::BySeed, 4u, 1000u}}) {
    KernelRun run = kernel(GetParam(), missing, 256);
    run.options.sanitize = false;
    run.options.asynchronous = order;
    run.options.seed = seed;
    run.buffer(ramp(64)).buffer(Words(64)).expectSuccess(1, 64);
    EXPECT_EQ(run.words(1)[0], seen);
  }
}

TEST_P(DirectLoads, NeedTheirWaitBeforeTheBarrier) {
  // Wave 0 loads, wave 1 reads after the barrier.
  auto body = [&](const std::string &before, const std::string &after) {
    return head(GetParam(), 256) +
           "v_readfirstlane_b32 s20, v0\ns_cmp_lg_u32 s20, 0\ns_cbranch_scc1 over\ns_mov_b32 m0, 0\n" +
           "buffer_load_dword v1, s[12:15], 0 offen lds\n" + before + "over:\ns_barrier\n" + after +
           "v_and_b32 v2, 0xfc, v1\nds_read_b32 v4, v2\ns_waitcnt lgkmcnt(0)\nglobal_store_dword v1, v4, "
           "s[10:11]\n";
  };
  for (uint64_t seed = 0; seed < 6; ++seed) {
    KernelRun bad = kernel(GetParam(), body("", ""), 256),
              late = kernel(GetParam(), body("", "s_waitcnt vmcnt(0)\n"), 256),
              good = kernel(GetParam(), body("s_waitcnt vmcnt(0)\n", ""), 256);
    for (KernelRun *run : {&bad, &late, &good}) {
      run->options.seed = seed;
      run->buffer(ramp(64)).buffer(Words(128));
    }
    EXPECT_FALSE(bad.launch(1, 128).ok());
    ASSERT_FALSE(bad.findings.empty());
    EXPECT_TRUE(bad.findings[0].kind == "race" || bad.findings[0].kind == "missing-wait")
        << bad.findings[0].kind;
    late.expectFinding(1, 128, "race");
    good.expectSuccess(1, 128);
    for (unsigned i = 0; i < 128; ++i)
      ASSERT_EQ(good.words(1)[i], ramp(64)[i % 64]);
  }
}

TEST_P(DirectLoads, StayInLocalMemory) {
  std::string body = head(GetParam(), 256) +
                     "s_mov_b32 m0, 4\nbuffer_load_dword v1, s[12:15], 0 offen lds\ns_waitcnt vmcnt(0)\n";
  kernel(GetParam(), body, 256).buffer(ramp(64)).buffer(Words(64)).expectFinding(1, 64, "out-of-bounds");
}

//===-- transposing loads ---------------------------------------------------===//

TEST(TransposingLoads, OfLocalMemoryReadColumns) {
  // 16 rows of 64 lanes: element (row, column) of group g is a number that names it; each lane addresses its
  // part.
  struct Form {
    const char *name;
    unsigned bits, bytes;
  };
  for (auto [name, bits, bytes] : {Form{"ds_read_b64_tr_b16", 16, 8}, Form{"ds_read_b64_tr_b8", 8, 8},
                                   Form{"ds_read_b64_tr_b4", 4, 8}, Form{"ds_read_b96_tr_b6", 6, 12}}) {
    unsigned dwords = bytes / 4, items = bytes * 8 / bits, pitch = bytes == 12 ? 16 : 8;
    std::string body = head("gfx950", 4096);
    for (unsigned d = 0; d < 4 * 4; ++d)
      body += "global_load_dword v4, v1, s[8:9] offset:" + std::to_string(d * 256) +
              "\ns_waitcnt vmcnt(0)\nds_write_b32 v1, v4 offset:" + std::to_string(d * 256) + "\n";
    body += "v_mul_u32_u24 v5, " + std::to_string(pitch) + ", v0\ns_waitcnt lgkmcnt(0)\n" +
            std::string(name) + " " + (dwords == 2 ? "v[8:9]" : "v[8:10]") +
            ", v5 offset:64\ns_waitcnt lgkmcnt(0)\n";
    for (unsigned d = 0; d < dwords; ++d)
      body += "global_store_dword v1, v" + std::to_string(8 + d) +
              ", s[10:11] offset:" + std::to_string(d * 256) + "\n";
    KernelRun run = kernel("gfx950", body, 4096);
    Words in(1024);
    for (size_t i = 0; i < in.size(); ++i)
      in[i] = uint32_t(i * 2654435761u);
    run.buffer(in).buffer(Words(dwords * 64)).expectSuccess(1, 64);
    auto bitsAt = [&](const uint8_t *bytes, unsigned first) {
      unsigned value = 0;
      for (unsigned i = 0; i < bits; ++i)
        value |= unsigned(bytes[(first + i) / 8] >> (first + i) % 8 & 1) << i;
      return value;
    };
    for (unsigned lane = 0; lane < 64; ++lane) {
      uint8_t result[12];
      for (unsigned d = 0; d < dwords; ++d)
        std::memcpy(result + 4 * d, &run.words(1)[d * 64 + lane], 4);
      for (unsigned row = 0; row < items; ++row) {
        // Row |row| of the group of 16 lanes starts at lane row * (16 / items); the column is lane % 16.
        unsigned column = lane % 16, from = lane / 16 * 16 + row * 16 / items + column / items;
        const uint8_t *data = reinterpret_cast<const uint8_t *>(in.data()) + 64 + from * pitch;
        ASSERT_EQ(bitsAt(result, row * bits), bitsAt(data, column % items * bits))
            << name << " lane " << lane << " row " << row;
      }
    }
  }
}

TEST(TransposingLoads, OfLocalMemoryNeedAlignmentAndAllLanes) {
  auto body = [](const std::string &address, const std::string &exec) {
    return "v_mov_b32 v2, 0\nv_mov_b32 v3, 0\nv_lshlrev_b32 v5, 3, v0\nds_write_b64 v5, v[2:3]\ns_waitcnt "
           "lgkmcnt(0)\n" +
           address + exec + "ds_read_b64_tr_b16 v[8:9], v5\n";
  };
  kernel("gfx950", body("v_add_u32 v5, 4, v5\n", ""), 1024)
      .buffer(Words(1))
      .buffer(Words(1))
      .expectFinding(1, 64, "misaligned");
  kernel("gfx950", body("", "s_mov_b64 exec, 0xffff\n"), 1024)
      .buffer(Words(1))
      .buffer(Words(1))
      .expectFinding(1, 64, "operand");
  kernel("gfx950", body("", ""), 1024).buffer(Words(1)).buffer(Words(1)).expectSuccess(1, 64);
}

TEST(TransposingLoads, OfGlobalMemoryMakeFragmentsOfB) {
  // B(k, n) row-major; lane L of the WMMA fragment holds n = L % 16 and k = 8 * (L / 16) + 0..7.
  Words in(256);
  for (size_t i = 0; i < in.size(); ++i)
    in[i] = uint32_t(i * 2654435761u);
  const uint8_t *bytes = reinterpret_cast<const uint8_t *>(in.data());
  for (bool wide : {true, false}) {
    unsigned size = wide ? 2 : 1, pitch = 16 * size, dwords = wide ? 4 : 2;
    // 16-bit: lane L reads row 8 * (L / 16) + L % 8 from column 8 * (L / 8 % 2). 8-bit: row 4 * (L / 8) + L %
    // 4, column 8 * (L / 4 % 2).
    std::string row = wide ? "v_and_b32 v2, 7, v0\nv_lshrrev_b32 v3, 4, v0\nv_lshl_add_u32 v2, v3, 3, "
                             "v2\nv_bfe_u32 v3, v0, 3, 1\n"
                           : "v_and_b32 v2, 3, v0\nv_lshrrev_b32 v3, 3, v0\nv_lshl_add_u32 v2, v3, 2, "
                             "v2\nv_bfe_u32 v3, v0, 2, 1\n";
    std::string body = head("gfx1201", 1024) + row + "v_mul_u32_u24 v2, " + std::to_string(pitch) +
                       ", v2\nv_lshl_add_u32 v2, v3, " + (wide ? "4" : "3") + ", v2\n" +
                       (wide ? "global_load_tr_b128 v[8:11]" : "global_load_tr_b64 v[8:9]") +
                       ", v2, s[8:9] offset:32\ns_wait_loadcnt 0x0\n";
    for (unsigned d = 0; d < dwords; ++d)
      body += "global_store_b32 v1, v" + std::to_string(8 + d) +
              ", s[10:11] offset:" + std::to_string(d * 128) + "\n";
    KernelRun run = kernel("gfx1201", body);
    run.buffer(in).buffer(Words(dwords * 32)).expectSuccess(1, 32);
    for (unsigned lane = 0; lane < 32; ++lane) {
      uint8_t result[16];
      for (unsigned d = 0; d < dwords; ++d)
        std::memcpy(result + 4 * d, &run.words(1)[d * 32 + lane], 4);
      for (unsigned j = 0; j < 8; ++j) {
        unsigned k = 8 * (lane / 16) + j, n = lane % 16;
        ASSERT_EQ(std::memcmp(result + j * size, bytes + 32 + k * pitch + n * size, size), 0)
            << wide << " lane " << lane << " item " << j;
      }
    }
  }
}

//===-- descriptors ---------------------------------------------------------===//

TEST(Descriptors, StridesSwizzlesAndTheirRanges) {
  for (const std::string &target : {"gfx942", "gfx950", "gfx90a"}) {
    struct Case {
      std::string setup, load;
      std::function<int(unsigned)> word; ///< of the input, -1 for zero
    };
    std::vector<Case> cases = {
        // Stride 12, index lane: 20 records.
        {"s_or_b32 s13, s13, 12 << 16\ns_mov_b32 s14, 20\n",
         "buffer_load_dword v4, v0, s[12:15], 0 idxen offset:4\n",
         [](unsigned lane) { return lane < 20 ? int(3 * lane + 1) : -1; }},
        // The same without idxen: bytes.
        {"s_or_b32 s13, s13, 12 << 16\ns_mov_b32 s14, 20\n", "buffer_load_dword v4, v1, s[12:15], 0 offen\n",
         [](unsigned lane) { return lane < 5 ? int(lane) : -1; }},
        // Index and offset.
        {"s_or_b32 s13, s13, 8 << 16\ns_mov_b32 s14, 100\nv_mov_b32 v2, v0\nv_mov_b32 v3, 4\n",
         "buffer_load_dword v4, v[2:3], s[12:15], 0 idxen offen\n",
         [](unsigned lane) { return int(2 * lane + 1); }},
        // Swizzled: stride 8, element 4 bytes (code 1), index stride 16 (code 1).
        {"s_or_b32 s13, s13, 8 << 16\ns_bitset1_b32 s13, 31\ns_mov_b32 s14, 60\ns_mov_b32 s15, 0x00227000 | "
         "1 << 19\n",
         "buffer_load_dword v4, v0, s[12:15], 0 idxen offset:4\n",
         [](unsigned lane) {
           return lane < 60 ? int((lane / 16 * 16 * 8 + 4 * 16 + lane % 16 * 4) / 4) : -1;
         }},
        // ADD_TID_ENABLE: thread * stride, no range.
        {"s_or_b32 s13, s13, 4 << 16\ns_mov_b32 s14, 4\ns_mov_b32 s15, 0x00827000 & 0xffff0fff\n",
         "buffer_load_dword v4, off, s[12:15], 0 offset:8\n", [](unsigned lane) { return int(lane + 2); }},
        // The scalar offset counts in the range.
        {"s_mov_b32 s14, 64\ns_mov_b32 s20, 16\n", "buffer_load_dword v4, v1, s[12:15], s20 offen\n",
         [](unsigned lane) { return lane < 12 ? int(lane + 4) : -1; }},
        // Vector and instruction offset are added modulo 2^32.
        {"v_add_u32 v2, -8, v1\n", "buffer_load_dword v4, v2, s[12:15], 0 offen offset:16\n",
         [](unsigned lane) { return int(lane + 2); }}};
    for (const Case &c : cases) {
      std::string body =
          head(target, 2048) + c.setup + c.load + "s_waitcnt vmcnt(0)\nglobal_store_dword v1, v4, s[10:11]\n";
      KernelRun run = kernel(target, body);
      Words in = ramp(512);
      run.buffer(in).buffer(Words(64)).expectSuccess(1, 64);
      for (unsigned lane = 0; lane < 64; ++lane) {
        int word = c.word(lane);
        ASSERT_EQ(run.words(1)[lane], word < 0 ? 0u : in[size_t(word)])
            << target << " " << c.load << " lane " << lane;
      }
    }
  }
}

TEST(Descriptors, WideAccessesEndPerDword) {
  for (const std::string &target : allTargets()) {
    bool wave32 = isWave32(target);
    std::string body = head(target, 4 * 70) + "v_lshlrev_b32 v2, 4, v0\n" +
                       (wave32 ? "buffer_load_b128 v[4:7], v2, s[12:15], null offen\n"
                               : "buffer_load_dwordx4 v[4:7], v2, s[12:15], 0 offen\n");
    if (target == "gfx1100")
      body.replace(body.find("null"), 4, "0");
    body += (target == "gfx1201" ? "s_wait_loadcnt 0x0\n" : "s_waitcnt vmcnt(0)\n") +
            std::string(wave32 ? "global_store_b128 v2, v[4:7], s[10:11]\n"
                               : "global_store_dwordx4 v2, v[4:7], s[10:11]\n");
    KernelRun run = kernel(target, body);
    Words in = ramp(256);
    run.buffer(in).buffer(Words(256, 1)).expectSuccess(1, wave32 ? 32 : 64);
    for (unsigned i = 0; i < (wave32 ? 128u : 256u); ++i)
      ASSERT_EQ(run.words(1)[i], i < 70 ? in[i] : 0u) << target << " " << i;
  }
}

} // namespace
} // namespace quern::runtime::emulated::amd
