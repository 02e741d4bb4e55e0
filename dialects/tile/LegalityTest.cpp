//===- LegalityTest.cpp ---------------------------------------------------===//
#include "dialects/tile/Legality.h"

#include <gtest/gtest.h>

#include <set>

using namespace quern;
using namespace quern::tile;

namespace {

Machine machine(std::string_view vendor, std::string_view architecture) {
  return machineOf(*findTarget(vendor, architecture));
}

/// Activations 1x128 and weights 128x128 in e4m3 with f32 scales.
GemmProblem blockScaled(int64_t m, int64_t n, int64_t k) {
  GemmProblem problem;
  problem.m = m, problem.n = n, problem.k = k;
  problem.a = problem.b = problem.math = ElementType::F8E4M3;
  problem.scaleK = 128;
  return problem;
}

GemmProblem bf16(int64_t m, int64_t n, int64_t k) {
  GemmProblem problem;
  problem.m = m, problem.n = n, problem.k = k;
  return problem;
}

Legality check(const std::string &text, const GemmProblem &problem, const Machine &on) {
  Expected<Schedule> schedule = Schedule::parse(text);
  EXPECT_TRUE(schedule.ok()) << schedule.error().message();
  return checkSchedule(*schedule, problem, on);
}

/// The block-scaled kernel with asynchronous roles at K = 7168: staging, bytes of a stage, stages.
TEST(LegalityTest, BudgetTable) {
  struct Row {
    int32_t m, n;
    int64_t staging, stage;
    int32_t stages;
  };
  for (Row row : {Row{16, 128, 4096, 18560, 12},
                  {32, 128, 8192, 20608, 10},
                  {64, 128, 16384, 24832, 8},
                  {128, 96, 24576, 29184, 7},
                  {128, 112, 28672, 31232, 6},
                  {128, 128, 32768, 33280, 5},
                  {128, 160, 40960, 37376, 5},
                  {128, 192, 49152, 41472, 4},
                  {256, 64, 32768, 41984, 4},
                  {256, 96, 49152, 46080, 3},
                  {256, 128, 65536, 50176, 3}}) {
    std::string n = std::to_string(row.n), text = "gemm{tile=" + std::to_string(row.m) + "x" + n +
                                                  "x128 mma=wgmma.m64n" + n +
                                                  "k32.e4m3 groups=" + (row.m > 64 ? "2" : "1") +
                                                  " strategy=roles persist=static epilogue=0:tensor}";
    Legality legality = check(text, blockScaled(4096, 7168, 7168), machine("nvidia", "sm_90a"));
    ASSERT_TRUE(legality.legal()) << text << ": " << legality.refusals.front().message();
    const Resources &r = legality.resources;
    EXPECT_EQ(r.stagingBytes, row.staging) << text;
    EXPECT_EQ(r.stageBytes, row.stage) << text;
    EXPECT_EQ(r.stages, row.stages) << text;
    EXPECT_EQ(r.barrierBytes, 256) << text;
    EXPECT_EQ(r.scaleBytes, 56 * 4 * (128 % row.n ? 2 : 1)) << text;
    EXPECT_EQ(r.sharedBytes, r.stages * r.stageBytes + r.stagingBytes + r.barrierBytes + r.scaleBytes)
        << text;
    EXPECT_LE(r.sharedBytes, 232448) << text;
    EXPECT_GT(r.sharedBytes + r.stageBytes, std::min<int64_t>(232448, 16 * r.stageBytes)) << text;
    EXPECT_EQ(r.threads, row.m > 64 ? 384 : 256) << text;
    EXPECT_TRUE(r.copyA == CopyMode::Tensor && r.copyB == CopyMode::Tensor) << text;
    EXPECT_EQ(r.blocksPerUnit, 1) << text;
    // 80 + 80 registers of sums at 128x160, 64 + 128 at 256x128.
    int32_t sums = r.math.accumulatorRegisters() + r.atom->c.wordsPerLane();
    if (row.m == 128 && row.n == 160) {
      EXPECT_EQ(sums, 160);
    }
    if (row.m == 256 && row.n == 128) {
      EXPECT_EQ(sums, 192);
    }
  }
}

/// One refusal of each kind, with the numbers that it must name.
TEST(LegalityTest, RefusalsNameTheResourceAndItsNumbers) {
  struct Case {
    const char *vendor, *architecture, *text;
    GemmProblem problem;
    Resource resource;
    std::vector<std::string> says;
  };
  const char *roles = "strategy=roles persist=static";
  auto hopper = [&](std::string tile, std::string n, std::string rest, std::string type = "k16.bf16") {
    static std::vector<std::string> kept;
    kept.reserve(100);
    kept.push_back("gemm{tile=" + tile + " mma=wgmma.m64n" + n + type + " " + roles + " " + rest + "}");
    return kept.back().c_str();
  };
  GemmProblem odd = bf16(128, 512, 4095), rows = bf16(64, 512, 4096), scaled = blockScaled(128, 512, 4096);
  GemmProblem hardware = blockScaled(256, 512, 4096);
  hardware.hardwareScales = true;
  GemmProblem gathered = rows;
  gathered.gather = true;
  std::vector<Case> cases = {
      {"nvidia",
       "sm_80",
       "gemm{tile=64x64x64 mma=wgmma.m64n64k16.bf16}",
       rows,
       Resource::Atom,
       {"no `wgmma.m64n64k16.bf16`"}},
      {"nvidia",
       "sm_90a",
       hopper("64x64x64", "64", "", "k32.e4m3"),
       rows,
       Resource::Atom,
       {"does not multiply BF16"}},
      {"nvidia",
       "sm_120a",
       "gemm{tile=64x64x128 mma=mma.m16n8k32.e4m3.b32}",
       scaled,
       Resource::Atom,
       {"expects block scales"}},
      {"nvidia",
       "sm_120a",
       "gemm{tile=64x64x128 mma=mma.m16n8k32.e4m3}",
       hardware,
       Resource::Atom,
       {"applies no block scales"}},
      {"nvidia",
       "sm_80",
       "gemm{tile=64x64 mma=mma.m16n8k16.bf16}",
       rows,
       Resource::Tile,
       {"three sizes", "2"}},
      {"nvidia",
       "sm_80",
       "gemm{tile=72x64x64 mma=mma.m16n8k16.bf16 warps=2x2}",
       rows,
       Resource::Tile,
       {"72x64", "32x16"}},
      {"nvidia", "sm_80", "gemm{tile=64x64x24 mma=mma.m16n8k16.bf16}", rows, Resource::Tile, {"24", "16"}},
      {"nvidia", "sm_90a", hopper("128x64x16", "64", "groups=2"), rows, Resource::Tile, {"32 bytes", "64"}},
      {"nvidia",
       "sm_80",
       "gemm{tile=512x128x64 mma=mma.m16n8k16.bf16 warps=16x4}",
       rows,
       Resource::Threads,
       {"2048", "1024"}},
      {"nvidia",
       "sm_90a",
       hopper("256x128x128", "128", "groups=2 stages=4 epilogue=0:tensor", "k32.e4m3"),
       scaled,
       Resource::SharedMemory,
       {"4 stages of 50176 bytes", "65536 of output", "266624", "232448"}},
      {"nvidia",
       "sm_80",
       "gemm{tile=128x256x64 mma=mma.m16n8k16.bf16 warps=1x4 stages=2}",
       rows,
       Resource::Registers,
       {"256 accumulators", "255"}},
      {"nvidia",
       "sm_90a",
       hopper("256x256x64", "256", "groups=2 stages=1"),
       rows,
       Resource::Registers,
       {"256 accumulators", "need 288", "may have"}},
      {"nvidia",
       "sm_90a",
       hopper("128x64x64", "64", "groups=2 regs=41:200"),
       rows,
       Resource::Registers,
       {"41", "multiple of 8"}},
      {"nvidia",
       "sm_90a",
       hopper("128x64x64", "64", "groups=2 regs=40:256"),
       rows,
       Resource::Registers,
       {"256 for computing and 40 for copying", "70656", "65536"}},
      {"amd",
       "gfx950",
       "gemm{tile=384x256x64 mma=mfma.m32n32k16.bf16 warps=2x2}",
       rows,
       Resource::Registers,
       {"384 accumulators", "256"}},
      {"nvidia",
       "sm_100a",
       "gemm{tile=128x256x64 mma=tcgen05.m128n256k16.bf16 strategy=roles stages=2}",
       rows,
       Resource::AccumulatorMemory,
       {}},
      {"nvidia",
       "sm_90a",
       hopper("128x64x64", "64", "groups=2 stages=1"),
       rows,
       Resource::Ring,
       {"1 slots", "need 2"}},
      {"nvidia",
       "sm_80",
       "gemm{tile=64x64x64 mma=mma.m16n8k16.bf16 warps=2x2 stages=2 mma_in_flight=2}",
       rows,
       Resource::Ring,
       {"2 slots", "need 3"}},
      {"amd",
       "gfx950",
       "gemm{tile=32x32x256 mma=mfma.m16n16k32.bf16 stages=3 copy.a=direct copy.b=direct}",
       rows,
       Resource::Ring,
       {"64 copies", "63"}},
      {"nvidia",
       "sm_80",
       "gemm{tile=64x64x64 mma=mma.m16n8k16.bf16 copy.a=tensor}",
       rows,
       Resource::Copy,
       {"a: the target has no copies by descriptor"}},
      {"nvidia",
       "sm_90a",
       hopper("64x64x64", "64", "copy.b=tensor"),
       odd,
       Resource::Copy,
       {"8190 bytes", "16"}},
      {"nvidia", "sm_90a", hopper("64x64x64", "64", "copy.a=tensor"), gathered, Resource::Copy, {"index"}},
      {"nvidia",
       "sm_90a",
       hopper("64x64x64", "64", "copy.b=register"),
       rows,
       Resource::Copy,
       {"from shared memory only"}},
      {"amd",
       "gfx1201",
       "gemm{tile=64x64x64 mma=wmma.m16n16k16.bf16 copy.b=direct}",
       rows,
       Resource::Copy,
       {"does not reach"}},
      {"amd",
       "gfx942",
       "gemm{tile=64x64x64 mma=mfma.m32n32k8.bf16 epilogue=0:tensor}",
       rows,
       Resource::Copy,
       {"output"}},
      {"nvidia",
       "sm_90a",
       hopper("64x64x64", "64", "cluster=4x4"),
       rows,
       Resource::Cluster,
       {"16 blocks", "8"}},
      {"nvidia",
       "sm_90a",
       hopper("64x64x64", "64", "cluster=8x1"),
       rows,
       Resource::Cluster,
       {"8 blocks", "132"}},
      {"nvidia",
       "sm_80",
       "gemm{tile=64x64x64 mma=mma.m16n8k16.bf16 cluster=2x1}",
       rows,
       Resource::Cluster,
       {"2 blocks", "1"}},
      {"nvidia",
       "sm_100a",
       "gemm{tile=256x128x64 mma=tcgen05.m256n128k16.bf16 strategy=roles}",
       rows,
       Resource::Cluster,
       {"two blocks", "1"}},
      {"nvidia",
       "sm_90a",
       hopper("64x64x64", "64", "split=32:last_block"),
       rows,
       Resource::Split,
       {"32 slices of 64 steps", "2"}},
      {"nvidia", "sm_90a", hopper("64x64x64", "64", "split=16:cluster"), rows, Resource::Split, {"16", "8"}},
      {"nvidia",
       "sm_90a",
       hopper("64x64x64", "64", "split=3:last_block", "k32.e4m3"),
       blockScaled(64, 512, 4032),
       Resource::Split,
       {"1344", "128"}},
      {"nvidia",
       "sm_90a",
       hopper("64x64x256", "64", "", "k32.e4m3"),
       scaled,
       Resource::Scales,
       {"256", "128"}},
      {"nvidia",
       "sm_90a",
       hopper("64x176x128", "176", "", "k32.e4m3"),
       scaled,
       Resource::Scales,
       {"176", "3"}},
      {"nvidia",
       "sm_80",
       "gemm{tile=256x128x64 mma=mma.m16n8k16.bf16 unroll=16}",
       rows,
       Resource::CodeSize,
       {"16384", "2048"}},
      {"nvidia",
       "sm_80",
       "gemm{tile=64x64x64 mma=mma.m16n8k16.bf16 strategy=roles}",
       rows,
       Resource::Strategy,
       {"count bytes"}},
      {"nvidia",
       "sm_90a",
       "gemm{tile=64x64x64 mma=mma.m16n8k16.bf16 strategy=phases4 warps=2x4}",
       rows,
       Resource::Strategy,
       {"priority"}},
      {"amd",
       "gfx950",
       "gemm{tile=128x128x64 mma=mfma.m16n16k32.bf16 warps=2x2 strategy=phases4}",
       rows,
       Resource::Strategy,
       {"4 warps"}},
      {"nvidia",
       "sm_100a",
       "gemm{tile=128x128x64 mma=tcgen05.m128n128k16.bf16}",
       rows,
       Resource::Strategy,
       {"roles"}},
      {"cpu",
       "x86-64-v4",
       "gemm{tile=16x32x1 mma=fma.m1n16k1.f32}",
       rows,
       Resource::Registers,
       {"32 vectors", "35", "there are 32"}},
  };
  // The one that needs its own numbers: two accumulators of 256 columns fit, with scales they do not.
  cases[15].text =
      "gemm{tile=128x256x128 mma=tcgen05.m128n256k32.e4m3.b32 strategy=roles accum_stages=2 stages=2}";
  cases[15].problem = hardware;
  cases[15].says = {"2 accumulators of 256 columns", "524", "512"};
  cases.back().problem.math = ElementType::F32;

  std::set<Resource> seen;
  for (const Case &test : cases) {
    Legality legality = check(test.text, test.problem, machine(test.vendor, test.architecture));
    const Refusal *found = nullptr;
    for (const Refusal &refusal : legality.refusals)
      if (refusal.resource == test.resource)
        found = &refusal;
    std::string all;
    for (const Refusal &refusal : legality.refusals)
      all += refusal.message() + "\n";
    EXPECT_TRUE(found) << test.text << " is not refused for " << resourceName(test.resource) << "\n" << all;
    if (!found)
      continue;
    for (const std::string &word : test.says)
      EXPECT_NE(found->reason.find(word), std::string::npos) << test.text << ": " << found->message();
    seen.insert(test.resource);

    Status status = legality.status(*Schedule::parse(test.text));
    EXPECT_EQ(status.id(), "E-SCHEDULE-ILLEGAL");
    EXPECT_EQ(status.exit(), Exit::Usage);
    EXPECT_NE(status.causeText().find(std::string(resourceName(test.resource)) + ": "), std::string::npos);
  }
  EXPECT_EQ(seen.size(), numResources);
}

/// What the recipes run must pass, with the numbers that they give.
TEST(LegalityTest, TheRecipesAreLegal) {
  auto resources = [&](std::string_view vendor, std::string_view architecture, const std::string &text,
                       const GemmProblem &problem) {
    Legality legality = check(text, problem, machine(vendor, architecture));
    std::string all;
    for (const Refusal &refusal : legality.refusals)
      all += refusal.message() + "\n";
    EXPECT_TRUE(legality.legal()) << text << "\n" << all;
    EXPECT_TRUE(legality.status(*Schedule::parse(text)).ok() || !legality.legal());
    return legality.resources;
  };
  GemmProblem large = bf16(8192, 8192, 8192);
  Resources r = resources("nvidia", "sm_80",
                          "gemm{tile=128x128x64 mma=mma.m16n8k16.bf16 warps=2x2 frag_prefetch=1}", large);
  EXPECT_EQ(r.stageBytes, 32768); // 32 KB a stage
  EXPECT_EQ(r.stages, 5);
  EXPECT_EQ(r.registers, 128 + 2 * 32 + 32);
  EXPECT_TRUE(r.copyA == CopyMode::Async);
  r = resources("amd", "gfx950", "gemm{tile=256x256x64 mma=mfma.m16n16k32.bf16 warps=2x4 strategy=phases4}",
                large);
  EXPECT_EQ(r.sharedBytes, 128 * 1024); // eight half tiles of 16 KB
  EXPECT_EQ(r.registerBudget, 256);
  EXPECT_EQ(r.math.accumulatorRegisters(), 128);
  EXPECT_TRUE(r.copyA == CopyMode::Direct);
  r = resources("amd", "gfx950",
                "gemm{tile=256x256x64 mma=mfma.m16n16k32.bf16 warps=2x2 strategy=interleave}", large);
  EXPECT_EQ(r.registerBudget, 512);
  EXPECT_EQ(r.math.accumulatorRegisters(), 256);
  r = resources("amd", "gfx1100", "gemm{tile=128x128x32 mma=wmma.m16n16k16.bf16 warps=2x2}", large);
  EXPECT_EQ(r.stages, 2);
  EXPECT_TRUE(r.copyA == CopyMode::Staged);
  r = resources(
      "nvidia", "sm_100a",
      "gemm{tile=256x256x64 mma=tcgen05.m256n256k16.bf16 strategy=roles cluster=2x1 accum_stages=2}", large);
  EXPECT_EQ(r.accumulatorColumns, 512);
  EXPECT_EQ(r.stageBytes, 2 * 128 * 64 * 2);
  GemmProblem f32 = bf16(64, 4096, 4096);
  f32.a = f32.b = f32.math = f32.out = ElementType::F32;
  r = resources("cpu", "x86-64-v4", "gemm{tile=14x32x1 mma=fma.m1n16k1.f32}", f32);
  EXPECT_EQ(r.registers, 31);
  // fp8 weights with bf16 mathematics: bytes arrive as they are.
  GemmProblem weights = bf16(64, 4096, 4096);
  weights.b = ElementType::F8E4M3;
  r = resources("nvidia", "sm_80", "gemm{tile=64x128x64 mma=mma.m16n8k16.bf16 warps=2x2}", weights);
  EXPECT_EQ(r.stageBytes, 64 * 64 * 2 + 128 * 64);
}

TEST(LegalityTest, SpacesOfEveryTarget) {
  for (const TargetInfo &target : knownTargets()) {
    Machine on = machineOf(target);
    GemmProblem problem = bf16(4096, 7168, 2048);
    if (findMmaAtoms(target, ElementType::BF16, ElementType::BF16).empty())
      problem.math = problem.a = problem.b = ElementType::F32;
    for (int64_t m : {1, 64, 4096}) {
      problem.m = m;
      ScheduleSpace space = enumerateSchedules("gemm", problem, on);
      std::string what = std::string(target.architecture) + " m " + std::to_string(m);
      EXPECT_FALSE(space.legal.empty()) << what;
      EXPECT_LE(space.considered, 20000) << what;
      int64_t refused = 0;
      for (auto [resource, count] : space.refused)
        refused += count;
      EXPECT_EQ(refused + int64_t(space.legal.size()), space.considered) << what;
      std::set<std::string> texts;
      for (const ScheduleSpace::Candidate &candidate : space.legal) {
        EXPECT_TRUE(texts.insert(candidate.schedule.str()).second) << candidate.schedule.str() << " twice";
        Expected<Schedule> read = Schedule::parse(candidate.schedule.str());
        ASSERT_TRUE(read.ok()) << read.error().message();
        EXPECT_EQ(*read, candidate.schedule);
        EXPECT_LE(candidate.resources.registers, candidate.resources.registerBudget);
      }
    }
  }
}

} // namespace
