//===- ScheduleRangesTest.cpp - Another Schedule for another number of rows ---===//
#include "lowering/ScheduleSource.h"
#include "tests/lowering/model_to_tile/PlannedModel.h"

#include <algorithm>
#include <gtest/gtest.h>

using namespace quern;
using namespace quern::testing;
using namespace quern::lowering;
using namespace quern::runtime;

namespace {

/// Rows at which the answers for linears change; an answer says its range by the field `occupancy`, which
/// changes nothing else in a plan.
class Ranged : public ScheduleSource {
public:
  explicit Ranged(std::vector<int64_t> cuts) : cuts(std::move(cuts)) {}

  int32_t rangeOf(int64_t rows) const {
    return int32_t(std::ranges::upper_bound(cuts, rows) - cuts.begin()) + 1;
  }
  std::optional<tile::Schedule> find(const KernelRequest &request, const CodeTarget &, int64_t first,
                                     int64_t last) override {
    EXPECT_LE(first, last) << request.text();
    if (request.kernel != "linear")
      return std::nullopt;
    EXPECT_EQ(rangeOf(first), rangeOf(last)) << first << ".." << last << " has no answer of its own";
    tile::Schedule schedule = request.schedule;
    schedule.occupancy = rangeOf(first);
    return schedule;
  }
  std::vector<int64_t> starts(const KernelRequest &request, const CodeTarget &, int64_t first,
                              int64_t last) override {
    std::vector<int64_t> result = {first};
    if (request.kernel == "linear")
      for (int64_t cut : cuts)
        if (cut > first && cut <= last)
          result.push_back(cut);
    return result;
  }
  std::string record() const override { return ""; }

private:
  std::vector<int64_t> cuts;
};

struct Taken {
  std::string note;
  int64_t rows;
  int32_t range; ///< 0: not a linear
};
/// The launches of a step of |tokens| tokens, all of which give logits.
std::vector<Taken> launchesOf(const LoweredModel &lowered, int64_t tokens) {
  std::vector<Taken> taken;
  SymbolValues symbols;
  for (Symbol s : {Symbol::T, Symbol::R, Symbol::M})
    symbols[s] = tokens;
  symbols[Symbol::B] = 1;
  for (const PlanEntry &entry : lowered.plan.entries)
    forEachLaunch(entry.steps, [&](const PlacedLaunch &placed) {
      if (placed.choice && placed.choice->at(symbols[placed.choice->by]) != placed.alternative)
        return;
      const KernelRequest &request = lowered.requests[size_t(placed.launch.kernel)];
      int64_t rows = 0;
      if (request.kernel == "linear")
        rows = placed.launch.arguments.back().size.evaluate(symbols);
      taken.push_back(
          {placed.launch.note, rows, request.kernel == "linear" ? request.schedule.occupancy : 0});
    });
  return taken;
}

class ScheduleRanges : public ::testing::TestWithParam<const char *> {};

/// Each linear has the Schedule of the rows that it is given, experts in all of their forms included;
/// everything else of the step is as without a source.
TEST_P(ScheduleRanges, EachNumberOfRowsHasItsOwn) {
  const std::string target = GetParam();
  const TargetInfo &info =
      *findTarget(target.substr(0, target.find(':')), target.substr(target.find(':') + 1));
  const std::vector<int64_t> tokens = {1, 2, 3, 4, 5, 16, 17, 18, 63, 64, 65, 511, 512};
  for (const char *model : {"llama", "mixtral", "deepseek_v3_fp8"})
    for (const std::vector<int64_t> &cuts :
         {std::vector<int64_t>{2}, {2, 17, 65}, {3, 5, 9, 33, 129, 1025}, {600}, {100000}}) {
      Ranged source(cuts);
      auto plain = planModel(model, info), ranged = planModel(model, info, &source);
      ASSERT_TRUE(plain.ok() && ranged.ok());
      for (int64_t t : tokens) {
        const std::vector<Taken> before = launchesOf(*plain, t), now = launchesOf(*ranged, t);
        ASSERT_EQ(before.size(), now.size()) << model << ", " << t << " tokens";
        for (size_t i = 0; i < now.size(); ++i) {
          EXPECT_EQ(before[i].note, now[i].note);
          EXPECT_EQ(before[i].rows, now[i].rows);
          if (now[i].rows) {
            EXPECT_EQ(now[i].range, source.rangeOf(now[i].rows))
                << model << ", " << now[i].note << " with " << now[i].rows << " rows of " << t << " tokens";
          }
        }
      }
      // Every launch finds its buffers alive.
      for (const PlanEntry &entry : ranged->plan.entries) {
        int32_t number = 0;
        forEachLaunch(entry.steps, [&](const PlacedLaunch &placed) {
          for (const LaunchArgument &argument : placed.launch.arguments)
            if (argument.kind == LaunchArgument::Kind::Work) {
              auto buffer = std::ranges::find(entry.work, argument.name, &WorkBuffer::name);
              ASSERT_NE(buffer, entry.work.end());
              EXPECT_LE(buffer->first, number) << placed.launch.note;
              EXPECT_GE(buffer->last, number) << placed.launch.note;
            }
          ++number;
        });
      }
    }
}

INSTANTIATE_TEST_SUITE_P(Targets, ScheduleRanges,
                         ::testing::Values("cpu:x86-64-v4", "nvidia:sm_90a", "amd:gfx942"));

} // namespace
