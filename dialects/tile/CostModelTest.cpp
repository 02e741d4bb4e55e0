//===- CostModelTest.cpp --------------------------------------------------===//
#include "dialects/tile/CostModel.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace quern;
using namespace quern::tile;

namespace {

GemmProblem blockScaled(int64_t m, int64_t n, int64_t k) {
  GemmProblem problem;
  problem.m = m, problem.n = n, problem.k = k;
  problem.a = problem.b = problem.math = ElementType::F8E4M3;
  problem.scaleK = 128;
  return problem;
}

Legality legalityOf(const std::string &text, const GemmProblem &problem, const Machine &machine) {
  Expected<Schedule> schedule = Schedule::parse(text);
  EXPECT_TRUE(schedule.ok()) << schedule.error().message();
  return checkSchedule(*schedule, problem, machine);
}

CostEstimate costOf(const std::string &text, const GemmProblem &problem, const Machine &machine) {
  Legality legality = legalityOf(text, problem, machine);
  EXPECT_TRUE(legality.legal()) << text << ": " << legality.refusals.front().message();
  return estimate(*Schedule::parse(text), problem, legality.resources, costFacts(machine));
}

/// Published figures of a tuned block-scaled kernel on one card, TFLOPS for 4096 rows and GB/s for 64. Within
/// 11 % above, up to 37 % slow below: the error that the header states.
TEST(CostModelTest, PublishedFigures) {
  Machine card = machineOf(*findTarget("nvidia", "sm_90a"));
  card.card = findCard("H800 SXM5");
  struct Row {
    int64_t n, k;
    double tflops, gigabytes;
  };
  for (Row row : {Row{24576, 1536, 1270, 2455},
                  {32768, 512, 836, 2143},
                  {7168, 16384, 1520, 2668},
                  {4096, 7168, 1439, 2320},
                  {7168, 2048, 1215, 2470},
                  {2112, 7168, 1127, 1688}})
    for (int64_t m : {4096, 64}) {
      GemmProblem problem = blockScaled(m, row.n, row.k);
      Expected<Schedule> schedule = defaultGemmSchedule("gemm", problem, card);
      ASSERT_TRUE(schedule.ok()) << schedule.error().message();
      CostEstimate cost = costOf(schedule->str(), problem, card);
      double ratio =
          m == 4096 ? cost.tflops(problem) / row.tflops : cost.bytesPerSecond(problem) / 1e9 / row.gigabytes;
      std::string what = std::to_string(row.n) + "x" + std::to_string(row.k) + " m " + std::to_string(m) +
                         " " + schedule->str();
      EXPECT_GT(ratio, m == 4096 ? 0.89 : 0.63) << what;
      EXPECT_LT(ratio, m == 4096 ? 1.11 : 1.0) << what;
    }
}

TEST(CostModelTest, TheExampleOfTheHeader) {
  Machine card = machineOf(*findTarget("nvidia", "sm_90a"));
  CostEstimate cost = costOf("gemm{tile=128x128x128 mma=wgmma.m64n128k32.e4m3 groups=2 strategy=roles "
                             "persist=static epilogue=0:tensor}",
                             blockScaled(4096, 4096, 7168), card);
  EXPECT_EQ(cost.math, 512);
  EXPECT_NEAR(cost.shared, 644, 0.5);
  EXPECT_EQ(cost.exposed, 80); // promotion hides under the other group
  // A single group of 64 rows exposes it: 64 clocks of multiply-adds on the ordinary pipes.
  CostEstimate single = costOf("gemm{tile=64x128x128 mma=wgmma.m64n128k32.e4m3 strategy=roles persist=static "
                               "epilogue=0:tensor}",
                               blockScaled(4096, 4096, 7168), card);
  EXPECT_EQ(single.math, 256);
  EXPECT_EQ(single.exposed, 80 + 64);
}

/// Shared memory against math: the shares of the recipes, 1152 to 1024 rows at 256x128 and so on.
TEST(CostModelTest, SharedMemoryPort) {
  Machine card = machineOf(*findTarget("nvidia", "sm_90a"));
  GemmProblem problem = blockScaled(4096, 8192, 7168);
  problem.scaleK = 0; // without scales, as there
  for (auto [m, n, port, math] :
       {std::tuple{256, 128, 1152, 1024}, {128, 192, 832, 768}, {128, 160, 736, 640}, {128, 128, 640, 512}}) {
    std::string size = std::to_string(n);
    CostEstimate cost = costOf("gemm{tile=" + std::to_string(m) + "x" + size + "x128 mma=wgmma.m64n" + size +
                                   "k32.e4m3 groups=2 strategy=roles epilogue=0:tensor}",
                               problem, card);
    EXPECT_EQ(cost.shared, port) << m << "x" << n;
    EXPECT_EQ(cost.math, math) << m << "x" << n;
  }
}

TEST(CostModelTest, DefaultsOfEveryTarget) {
  for (const TargetInfo &target : knownTargets())
    for (auto [m, n, k] : {std::tuple{1, 512, 7168}, {64, 2112, 1536}, {4096, 7168, 2048}}) {
      Machine machine = machineOf(target);
      GemmProblem problem;
      problem.m = m, problem.n = n, problem.k = k;
      if (target.isCpu() && !target.cpu.bf16Dot)
        problem.a = problem.b = problem.math = ElementType::F32;
      Expected<Schedule> schedule = defaultGemmSchedule("gemm", problem, machine);
      std::string what = std::string(target.architecture) + " m " + std::to_string(m);
      ASSERT_TRUE(schedule.ok()) << what << schedule.error().message();
      what += " " + schedule->str();
      CostEstimate cost = costOf(schedule->str(), problem, machine);
      EXPECT_GE(cost.seconds, cost.floorSeconds) << what;
      EXPECT_FALSE(cost.bound().empty()) << what;
      EXPECT_EQ(defaultGemmSchedule("gemm", problem, machine)->str(), schedule->str()) << "not deterministic";
      // No other point of the space is more than 2 % faster.
      CostFacts facts = costFacts(machine);
      double fastest = cost.seconds;
      for (const ScheduleSpace::Candidate &other : enumerateSchedules("gemm", problem, machine).legal)
        fastest = std::min(fastest, estimate(other.schedule, problem, other.resources, facts).seconds);
      EXPECT_LE(cost.seconds, 1.02 * fastest * (1 + 1e-9)) << what;
      // Large products come near the peak that the model knows, small ones near the bandwidth.
      if (m == 4096) {
        EXPECT_GT(cost.floorSeconds / cost.seconds, 0.5) << what;
      }
      // Few rows must not leave most of the card idle: no tile of many columns without a split.
      if (m == 1 && !target.isCpu()) {
        Resources r = legalityOf(schedule->str(), problem, machine).resources;
        EXPECT_GE(r.tiles() * schedule->split, 16) << what;
      }
    }
}

TEST(CostModelTest, FasterPartsAreNotSlower) {
  Machine card = machineOf(*findTarget("nvidia", "sm_90a"));
  GemmProblem problem = blockScaled(512, 4096, 7168);
  std::string text =
      "gemm{tile=128x128x128 mma=wgmma.m64n128k32.e4m3 groups=2 strategy=roles epilogue=0:tensor}";
  Resources resources = legalityOf(text, problem, card).resources;
  Schedule schedule = *Schedule::parse(text);
  CostFacts facts = costFacts(card);
  double before = estimate(schedule, problem, resources, facts).seconds;
  for (double CostFacts::*part :
       {&CostFacts::clockHz, &CostFacts::sharedBytesPerClock, &CostFacts::l2BytesPerClock,
        &CostFacts::memoryBytesPerClock, &CostFacts::ordinaryLanes}) {
    CostFacts better = facts;
    better.*part *= 2;
    EXPECT_LE(estimate(schedule, problem, resources, better).seconds, before);
  }
  CostFacts slower = facts;
  slower.memoryLatency *= 20;
  EXPECT_GT(estimate(schedule, problem, resources, slower).seconds, before);
  // Twice the rows take longer, fewer slots of the ring too when latency binds.
  GemmProblem twice = blockScaled(1024, 4096, 7168);
  EXPECT_GT(estimate(schedule, twice, legalityOf(text, twice, card).resources, facts).seconds, before);
  resources.stages = 1;
  EXPECT_GT(estimate(schedule, problem, resources, facts).seconds, before);
}

TEST(CostModelTest, RasterGroups) {
  EXPECT_EQ(rasterGroup(128, 128, 1, 132), 8);
  EXPECT_EQ(rasterGroup(128, 128, 64, 132), 8); // 8*128 + 17*128 = 3200 against 16*128 + 9*128 = 3200
  EXPECT_EQ(rasterGroup(64, 256, 64, 132), 16); // 8*64 + 17*256 = 4864 against 16*64 + 9*256 = 3328
  EXPECT_EQ(rasterGroup(256, 128, 64, 132), 8);
}

TEST(CostModelTest, NothingToChooseFrom) {
  Machine machine = machineOf(*findTarget("nvidia", "sm_80"));
  Expected<Schedule> none = defaultGemmSchedule("gemm", blockScaled(64, 512, 512), machine); // no fp8 unit
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().id(), "E-SCHEDULE-NONE");
  EXPECT_EQ(none.error().exit(), Exit::Unsupported);
  EXPECT_NE(none.error().message().find("nvidia:sm_80"), std::string::npos);
  // A filter that refuses everything; and one that is obeyed.
  GemmProblem problem;
  problem.m = 64, problem.n = 512, problem.k = 512;
  none = defaultGemmSchedule("gemm", problem, machine, [](const Schedule &) { return false; });
  ASSERT_FALSE(none.ok());
  EXPECT_NE(none.error().causeText().find("not supported"), std::string::npos);
  EXPECT_NE(none.error().causeText().find("refused for"), std::string::npos);
  Expected<Schedule> whole =
      defaultGemmSchedule("gemm", problem, machine, [](const Schedule &s) { return s.split == 1; });
  ASSERT_TRUE(whole.ok());
  EXPECT_EQ(whole->split, 1);
  EXPECT_EQ(defaultGemmSchedule("gemm", problem, machine)->str(),
            defaultGemmSchedule("gemm", problem, machine)->str());
}

} // namespace
