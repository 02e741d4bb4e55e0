//===- HostileCodeTest.cpp - Random instructions must not harm the process --===//
//
// Kernels whose code is overwritten by random words, and by instructions with random registers: every run
// ends in success, a finding, or an instruction that is not modelled, within the step limit.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/TestKernels.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace quern::runtime::emulated::amd {
namespace {

class HostileCode : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Targets, HostileCode, testing::ValuesIn(allTargets()),
                         [](const auto &info) { return info.param; });

TEST_P(HostileCode, EndsInAStatus) {
  constexpr unsigned length = 64;
  std::string nops;
  for (unsigned i = 0; i < length; ++i)
    nops += "s_nop 0\n";
  std::vector<std::byte> object = assemble(GetParam(), kernelAssembly(GetParam(), nops, 1, 1024));
  const uint32_t nop = 0xbf800000;
  size_t start = 0;
  for (size_t i = 0; i + 8 <= object.size() && !start; i += 4)
    if (std::memcmp(&object[i], &nop, 4) == 0 && std::memcmp(&object[i + 4], &nop, 4) == 0)
      start = i;
  ASSERT_NE(start, 0u);
  // Leading bits of the encodings: vector memory, LDS, VOP3, VOP3P, scalar memory, buffer, flat, scalar.
  static const uint32_t leads[] = {0xd3000000, 0xd8000000, 0xd0000000, 0xcc000000, 0xc0000000,
                                   0xe0000000, 0xdc000000, 0xbf000000, 0x7e000000, 0xf4000000,
                                   0xec000000, 0xc4000000, 0x00000000};
  std::mt19937 random(11);
  std::set<std::string> ends;
  for (unsigned round = 0; round < 400; ++round) {
    std::vector<std::byte> code = object;
    for (unsigned i = 0; i < length; ++i) {
      uint32_t word = uint32_t(random());
      if (round % 2)
        word =
            (word & 0x00ffffff) | (leads[random() % std::size(leads)] | (word & 0x01000000 * (random() % 4)));
      if (random() % 3 == 0)
        word &= 0x0f3f1f3f; // small registers and offsets
      std::memcpy(&code[start + 4 * i], &word, 4);
    }
    KernelRun run(GetParam(), code);
    run.options.stepLimit = 2000;
    run.options.workers = 1;
    run.options.seed = round;
    run.options.sanitize = round % 4 < 2;
    Status status = run.buffer(std::vector<uint32_t>(256)).launch(1, 70);
    ends.insert(status.ok() ? "success" : std::string(status.id()));
  }
  EXPECT_TRUE(ends.contains("E-EMULATED-NOT-MODELLED"));
  EXPECT_GT(ends.size(), 2u);
}

} // namespace
} // namespace quern::runtime::emulated::amd
