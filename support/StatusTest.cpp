//===- StatusTest.cpp -----------------------------------------------------===//
#include "support/Status.h"

#include <gtest/gtest.h>

using namespace quern;

namespace {

Expected<int> half(int n) {
  if (n % 2)
    return Status::error(Exit::Usage, "E-TEST-ODD", "`n` is " + std::to_string(n))
        .cause("an odd number has no half")
        .remedy("pass an even number");
  return n / 2;
}

Status quarter(int n, int &out) {
  QUERN_ASSIGN_OR_RETURN(int h, half(n));
  QUERN_ASSIGN_OR_RETURN(out, half(h));
  return Status::success();
}

TEST(StatusTest, SuccessHoldsNothing) {
  EXPECT_TRUE(Status::success().ok());
  EXPECT_EQ(Status::success().exit(), Exit::Success);
}

TEST(StatusTest, ErrorTravelsThroughTheMacros) {
  int out = 0;
  EXPECT_TRUE(quarter(8, out).ok());
  EXPECT_EQ(out, 2);
  Status status = quarter(6, out);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.exit(), Exit::Usage);
  EXPECT_EQ(status.id(), "E-TEST-ODD");
  EXPECT_EQ(status.message(),
            "error: `n` is 3 (an odd number has no half); pass an even number [E-TEST-ODD]");
}

} // namespace
