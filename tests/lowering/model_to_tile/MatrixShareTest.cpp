//===- MatrixShareTest.cpp - How much of the products are matrix instructions? ---===//
//
// Counted from the plans alone: an atom in the Schedule of a product means that every multiply-add of it is a
// matrix instruction of that atom (`tile-select-atoms` refuses a Schedule whose atom no step uses, and
// GemmTest counts the instructions). Every test checkpoint on every target with a matrix unit, from one token
// to a long prompt.
//
//===----------------------------------------------------------------------===//
#include "tests/golden/Golden.h"
#include "tests/lowering/model_to_tile/PlannedModel.h"

#include <cstdio>
#include <gtest/gtest.h>

using namespace quern;
using namespace quern::testing;

namespace {

class MatrixShareTest : public ::testing::TestWithParam<std::string> {};

TEST_P(MatrixShareTest, ProductsAreMatrixInstructions) {
  int targets = 0;
  for (const TargetInfo &target : knownTargets()) {
    if (target.isCpu())
      continue;
    ++targets;
    auto lowered = planModel(GetParam(), target);
    ASSERT_TRUE(lowered.ok()) << lowered.error().message();
    double least = 1;
    for (int64_t tokens : {1, 2, 3, 17, 63, 64, 65, 128, 1000}) {
      double all = 0, matrix = 0;
      std::string others;
      for (const PlannedProduct &product : productsOf(*lowered, tokens)) {
        all += product.multiplyAdds;
        if (!product.request->schedule.mma.empty())
          matrix += product.multiplyAdds;
        else
          others += "\n  " + product.note + ": " + product.request->text();
      }
      ASSERT_GT(all, 0);
      EXPECT_GE(matrix / all, 0.95) << targetName(target) << ", " << tokens
                                    << " tokens; not on the unit:" << others;
      least = std::min(least, matrix / all);
    }
    std::printf("  %s %.1f %%", targetName(target).c_str(), 100 * least);
  }
  std::printf("\n");
  EXPECT_GE(targets, 9);
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, MatrixShareTest, ::testing::ValuesIn(goldenModels()),
                         [](const auto &info) { return info.param; });

} // namespace
