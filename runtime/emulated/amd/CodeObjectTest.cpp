//===- CodeObjectTest.cpp - Damaged code objects and wrong launches -------===//
//
// A code object comes from outside: whatever its bytes say, loading ends in success or in one error with its
// id, and running what could be loaded never harms the process.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/CodeObject.h"
#include "runtime/emulated/amd/TestKernels.h"

#include <gtest/gtest.h>

#include <random>

namespace quern::runtime::emulated::amd {
namespace {

using Words = std::vector<uint32_t>;

std::vector<std::byte> sample(const std::string &target) {
  std::string load =
      isWave32(target) ? "s_load_b64 s[8:9], s[0:1], 0x0\n" : "s_load_dwordx2 s[8:9], s[0:1], 0x0\n";
  std::string wait = target == "gfx1201" ? "s_wait_kmcnt 0x0\n" : "s_waitcnt lgkmcnt(0)\n";
  return assemble(target, kernelAssembly(target,
                                         load + wait + "v_lshlrev_b32 v1, 2, v0\nv_mul_u32_u24 v2, 3, v0\n" +
                                             (isWave32(target) ? "global_store_b32" : "global_store_dword") +
                                             " v1, v2, s[8:9]\n",
                                         1, 64, 16));
}

Status load(const std::string &target, std::span<const std::byte> code) {
  auto machine = makeAmdMachine(target);
  EXPECT_TRUE(machine.ok());
  auto programs = (*machine)->load(code);
  return programs.ok() ? Status::success() : programs.takeError();
}

TEST(CodeObject, ReadsWhatTheLinkerWrote) {
  auto bytes = sample("gfx942");
  auto object = readCodeObject(bytes);
  ASSERT_TRUE(object.ok()) << object.error().message();
  EXPECT_EQ(object->target, "gfx942");
  ASSERT_EQ(object->kernels.size(), 1u);
  const KernelCode &kernel = object->kernels[0];
  EXPECT_EQ(kernel.name, "kernel");
  EXPECT_EQ(kernel.localBytes, 64u);
  EXPECT_EQ(kernel.privateBytes, 16u);
  EXPECT_EQ(kernel.kernargBytes, 8u);
  EXPECT_EQ(kernel.waveSize, 64u);
  ASSERT_EQ(kernel.arguments.size(), 1u);
  EXPECT_EQ(kernel.arguments[0].valueKind, "global_buffer");
  EXPECT_EQ(kernel.entry, object->textAddress);
}

TEST(CodeObject, EveryTruncationIsAnError) {
  auto bytes = sample("gfx942");
  for (size_t size = 0; size < bytes.size(); size += size < 64 ? 1 : 61) {
    Status status = load("gfx942", std::span(bytes).first(size));
    ASSERT_FALSE(status.ok()) << size;
    ASSERT_EQ(status.id(), "E-EMULATED-CODE");
    ASSERT_EQ(status.exit(), Exit::BadInput);
  }
}

TEST(CodeObject, OtherFilesAreErrors) {
  EXPECT_EQ(load("gfx942", {}).id(), "E-EMULATED-CODE");
  std::vector<std::byte> text(5000, std::byte('x'));
  EXPECT_EQ(load("gfx942", text).id(), "E-EMULATED-CODE");
  auto other = load("gfx90a", sample("gfx942"));
  EXPECT_EQ(other.id(), "E-EMULATED-CODE");
  EXPECT_NE(other.message().find("gfx942"), std::string::npos);
}

TEST(CodeObject, AnUnknownTargetIsNotModelled) {
  auto machine = makeAmdMachine("gfx803");
  ASSERT_FALSE(machine.ok());
  EXPECT_EQ(machine.error().id(), "E-EMULATED-TARGET");
  EXPECT_EQ(machine.error().exit(), Exit::Unsupported);
}

TEST(CodeObject, FlippedBytesNeverHarmTheProcess) {
  for (const std::string target : {"gfx942", "gfx1201"}) {
    auto bytes = sample(target);
    std::mt19937 random(7);
    unsigned loaded = 0, ran = 0;
    for (unsigned round = 0; round < 600; ++round) {
      auto damaged = bytes;
      for (unsigned k = 0; k <= round % 3; ++k)
        damaged[random() % damaged.size()] = std::byte(random());
      auto machine = makeAmdMachine(target);
      auto programs = (*machine)->load(damaged);
      if (!programs.ok()) {
        ASSERT_FALSE(programs.error().id().empty());
        continue;
      }
      ++loaded;
      for (auto &[name, program] : *programs) {
        Words buffer(64, 1);
        GlobalMemory memory;
        memory.add(reinterpret_cast<uint64_t>(buffer.data()), buffer.size() * 4);
        std::vector<Argument> arguments;
        for (ArgumentKind kind : program->parameters())
          arguments.push_back({kind, reinterpret_cast<uint64_t>(buffer.data())});
        RunOptions options;
        options.workers = 1;
        options.stepLimit = 5000;
        RunCounters counters;
        std::vector<Finding> findings;
        ran += program->run({1, 64, 0, 0}, arguments, memory, options, counters, findings).ok();
      }
    }
    EXPECT_GT(loaded, 100u); // most bytes are padding and names
    EXPECT_GT(ran, 50u);
  }
}

TEST(CodeObject, LaunchesThatCannotBeAreErrors) {
  auto code = sample("gfx942");
  KernelRun few("gfx942", code);
  EXPECT_EQ(few.launch(1, 64).id(), "E-LAUNCH-ARGUMENTS");
  KernelRun narrow("gfx942", code);
  EXPECT_EQ(narrow.integer(3).launch(1, 64).id(), "E-LAUNCH-ARGUMENTS");
  KernelRun wide("gfx942", code);
  Status status = wide.buffer(Words(64)).launch(1, 2048);
  EXPECT_EQ(status.id(), "E-LAUNCH-SHAPE");
  EXPECT_EQ(status.exit(), Exit::Usage);
  EXPECT_EQ(wide.launch(1, 0).id(), "E-LAUNCH-SHAPE");
  wide.sharedBytes = 65536;
  EXPECT_EQ(wide.launch(1, 64).id(), "E-LAUNCH-SHAPE");
  wide.sharedBytes = 0;
  EXPECT_TRUE(wide.launch(0, 64).ok()); // no block at all
  EXPECT_EQ(wide.words(0), Words(64));
  EXPECT_TRUE(wide.launch(1, 64).ok());
  EXPECT_EQ(wide.words(0)[21], 63u);
}

TEST(CodeObject, CountsWhatRan) {
  KernelRun run("gfx942", sample("gfx942"));
  run.buffer(Words(64)).expectSuccess(1, 40);
  EXPECT_EQ(run.counters.warpInstructions, 6u);        // load, wait, two of the vector unit, store, end
  EXPECT_EQ(run.counters.threadInstructions, 3u * 40); // of the vector units, active lanes alone
  EXPECT_EQ(run.counters.globalStoreBytes, 160u);
}

} // namespace
} // namespace quern::runtime::emulated::amd
