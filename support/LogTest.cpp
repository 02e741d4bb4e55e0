//===- LogTest.cpp --------------------------------------------------------===//
#include "support/Log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <vector>

using namespace quern;

namespace {

TEST(LogTest, LevelsAndPrefixes) {
  std::vector<std::string> lines;
  Log log(LogLevel::Info, [&](std::string_view line) { lines.emplace_back(line); });
  log.error("a");
  log.warning("b");
  log.info("c");
  log.debug("d");
  EXPECT_THAT(lines, testing::ElementsAre("error: a", "warning: b", "c"));
  EXPECT_TRUE(log.enabled(LogLevel::Warning));
  EXPECT_FALSE(log.enabled(LogLevel::Debug));
}

TEST(LogTest, LevelNames) {
  EXPECT_EQ(parseLogLevel("trace"), LogLevel::Trace);
  EXPECT_EQ(parseLogLevel("error"), LogLevel::Error);
  EXPECT_FALSE(parseLogLevel("loud"));
}

} // namespace
