//===- RowFormsTest.cpp - Where few tokens end and many begin ---------------===//
#include "lowering/model_to_tile/RowForms.h"
#include "tests/lowering/model_to_tile/PlannedModel.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace quern;
using namespace quern::testing;
using namespace quern::lowering;
using namespace quern::runtime;

namespace {

CodeTarget targetOf(const std::string &name) { return codeTargets(name)->front(); }

/// Matrices of which at least one of |rows| is drawn, on average, by the probability of each to be left out.
double used(double matrices, double rows) {
  return matrices - matrices * std::pow((matrices - 1) / matrices, rows);
}

TEST(RowFormsTest, SortingPaysWhereItSavesMoreThanALaunch) {
  const CodeTarget target = targetOf("nvidia:sm_90a");
  // 256 experts of 44 MB, 8 for a token, 3.5 us for a launch at somewhat above 3 TB/s: 14 us for a matrix.
  // One token saves a ninth of one, two half of one.
  const ExpertSizes large = {256, 8, 44'040'192};
  EXPECT_NEAR(8 - used(256, 8), 0.11, 0.01);
  EXPECT_NEAR(16 - used(256, 16), 0.46, 0.01);
  EXPECT_EQ(tokensToSort(large, target), 2);
  // Experts of 100 kB take 0.03 us: a hundred reads must be saved, which is past one row for each.
  EXPECT_EQ(tokensToSort({256, 8, 100'000}, target), 32);
  // In between: r - used(r) > 3.5 us / (2.2 MB / 3.x TB/s) = 5 or so.
  const int64_t middle = tokensToSort({256, 8, 2'202'009}, target);
  EXPECT_GT(middle, 4);
  EXPECT_LT(middle, 12);
}

TEST(RowFormsTest, OneRowForEachMatrixIsAlwaysEnough) {
  for (const char *name : {"nvidia:sm_90a", "amd:gfx942", "cpu:x86-64-v4"})
    for (auto [matrices, chosen, most] :
         {std::array<int64_t, 3>{8, 2, 4}, {6, 2, 3}, {8, 3, 3}, {1, 1, 1}, {4, 4, 1}})
      EXPECT_EQ(tokensToSort({matrices, chosen, 64}, targetOf(name)), most) << name << " " << matrices;
  EXPECT_EQ(tokensToSort({256, 8, int64_t(1) << 40}, targetOf("cpu:x86-64-v4")), 32);
}

/// In every plan each size of a step has one form of its experts, sorted from the threshold on, and the
/// arrangement is long enough for the least favourable choice of experts.
TEST(RowFormsTest, PlansSortFromTheThresholdOn) {
  for (const char *model : {"mixtral", "qwen3_moe", "deepseek_v3", "deepseek_v3_fp8"})
    for (const char *name : {"nvidia:sm_90a", "amd:gfx90a"}) {
      const std::string text = name;
      auto lowered =
          planModel(model, *findTarget(text.substr(0, text.find(':')), text.substr(text.find(':') + 1)));
      ASSERT_TRUE(lowered.ok()) << lowered.error().message();
      bool few = false, many = false;
      for (int64_t tokens : {1, 2, 3, 17, 63, 64, 65, 128, 1000}) {
        int64_t ups = 0, downs = 0, sorts = 0, grouped = 0;
        SymbolValues symbols;
        symbols[Symbol::T] = symbols[Symbol::R] = tokens;
        for (const PlanEntry &entry : lowered->plan.entries)
          forEachLaunch(entry.steps, [&](const PlacedLaunch &placed) {
            if (placed.choice && placed.choice->at(tokens) != placed.alternative)
              return;
            const KernelRequest &request = lowered->requests[size_t(placed.launch.kernel)];
            ups += placed.launch.note == "experts_up";
            downs += placed.launch.note == "experts_down";
            grouped +=
                request.kernel == "linear" && parameter(request, "GROUPED") && !parameter(request, "EXPERTS");
            if (placed.launch.note != "experts_sort")
              return;
            ++sorts;
            const int64_t rows = placed.launch.arguments[3].size.evaluate(symbols),
                          places = placed.launch.arguments[4].size.evaluate(symbols),
                          round = parameter(request, "ROUND"), matrices = parameter(request, "E");
            // The least favourable: as many matrices as can be have one row more than whole groups.
            const int64_t open = std::min(matrices, rows);
            EXPECT_GE(places, (rows - open) / round * round + open * round)
                << model << ", " << tokens << " tokens";
          });
        EXPECT_GT(ups, 0);
        EXPECT_EQ(ups, downs);
        EXPECT_EQ(grouped, 2 * sorts) << tokens;
        EXPECT_TRUE(sorts == 0 || sorts == ups) << tokens;
        few |= sorts == 0;
        many |= sorts != 0;
        EXPECT_FALSE(many && sorts == 0) << "not sorted again at " << tokens << " tokens";
      }
      EXPECT_TRUE(few && many) << model << " " << name;
    }
}

} // namespace
