//===- VerifyTest.cpp - What a report says --------------------------------===//
//
// tests/tools/VerifyTest.cpp runs the whole on artifacts.
//
//===----------------------------------------------------------------------===//
#include "tuner/validate/Verify.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace quern;
using namespace quern::validate;

namespace {

VerifyReport good() {
  VerifyReport report;
  report.target = "cpu";
  report.logProbabilityLimit = 0.05;
  report.kernels.push_back({.kernel = "linear_1", .operators = "linear", .compared = 3});
  report.kernels.push_back({.kernel = "router_2", .operators = "router", .compared = 3});
  return report;
}

TEST(VerifyReport, passes) {
  VerifyReport report = good();
  EXPECT_TRUE(report.status().ok());
  report.worstLogProbability = report.worstRerouting = 0.05;
  EXPECT_TRUE(report.status().ok()) << "at the limit";
}

TEST(VerifyReport, namesTheKernelBeforeTheLogits) {
  VerifyReport report = good();
  report.kernels[1].failed = 1;
  report.kernels[1].failure = "operator 7";
  report.worstLogProbability = 3;
  Status status = report.status();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.id(), "E-VERIFY-KERNEL");
  EXPECT_EQ(status.exit(), Exit::NumericCheckFailed);
  EXPECT_NE(status.message().find("`router_2`"), std::string::npos);
}

TEST(VerifyReport, findsLogitsThatNoKernelExplains) {
  for (double off : {0.0501, std::nan("")}) {
    VerifyReport report = good();
    report.worstLogProbability = off;
    Status status = report.status();
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.id(), "E-VERIFY-LOGITS");
    EXPECT_EQ(status.exit(), Exit::NumericCheckFailed);
  }
}

TEST(VerifyReport, findsRoutingThatNoDriftExplains) {
  VerifyReport report = good();
  report.rerouted = 1;
  report.worstRerouting = 0.2;
  Status status = report.status();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.id(), "E-VERIFY-ROUTING");
  EXPECT_EQ(status.exit(), Exit::NumericCheckFailed);
}

/// 1 - 2xy / (xx + yy): by hand, and what it does with what is not finite.
TEST(Difference, isThatOfTheSpecification) {
  const std::vector<float> x = {1, 2, -3}, y = {1, 2.5f, -3};
  EXPECT_NEAR(difference(x, y), 1 - 2 * (1 + 5 + 9) / (14 + 16.25), 1e-12);
  EXPECT_EQ(difference(x, x), 0);
  const std::vector<float> zeros = {0, 0, 0};
  EXPECT_EQ(difference(zeros, zeros), 0);
  EXPECT_EQ(difference(zeros, x), 1);
  const float inf = INFINITY;
  EXPECT_EQ(difference(std::vector<float>{1, -inf}, std::vector<float>{1, -inf}), 0) << "masked alike";
  EXPECT_EQ(difference(std::vector<float>{1, -inf}, std::vector<float>{1, 5}), 2);
  EXPECT_EQ(difference(std::vector<float>{1, 1}, std::vector<float>{1, std::nanf("")}), 2);
}

} // namespace
