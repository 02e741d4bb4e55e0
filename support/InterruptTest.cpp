//===- InterruptTest.cpp --------------------------------------------------===//
#include "support/Interrupt.h"

#include <csignal>
#include <gtest/gtest.h>

using namespace quern;

namespace {

TEST(InterruptTest, FirstSignalSetsTheFlagSecondKills) {
  catchInterrupts();
  EXPECT_FALSE(interrupted());
  EXPECT_TRUE(checkInterrupt().ok());
  std::raise(SIGINT);
  EXPECT_TRUE(interrupted());
  Status status = checkInterrupt();
  EXPECT_EQ(status.id(), "E-INTERRUPTED");
  EXPECT_EQ(status.exit(), Exit::Interrupted);
  EXPECT_EXIT(std::raise(SIGINT), testing::KilledBySignal(SIGINT), "");
  catchInterrupts();
  EXPECT_FALSE(interrupted());
  std::raise(SIGTERM);
  EXPECT_TRUE(interrupted());
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

} // namespace
