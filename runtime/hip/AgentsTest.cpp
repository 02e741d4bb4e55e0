//===- AgentsTest.cpp -----------------------------------------------------===//
#include "runtime/hip/Agents.h"

#include <gtest/gtest.h>

using namespace quern::runtime::hip;

namespace {

TEST(HipAgents, AreFoundByPciAddress) {
  const std::vector<Agent> agents = {{0, 0xC1 << 5 | 0, 304, "gfx942"},
                                     {0, 0x03 << 5 | 2, 96, "gfx1100"},
                                     {1, 0x03 << 5 | 2, 64, "gfx1201"}};
  EXPECT_EQ(findAgent(agents, "0000:c1:00.0")->architecture, "gfx942");
  EXPECT_EQ(findAgent(agents, "0000:03:02.0")->architecture, "gfx1100");
  EXPECT_EQ(findAgent(agents, "0001:03:02.0")->architecture, "gfx1201");
  EXPECT_EQ(findAgent(agents, "0000:C1:00.3")->units, 304u); // a partition of the first
  EXPECT_FALSE(findAgent(agents, "0000:03:00.0"));
  EXPECT_FALSE(findAgent(agents, ""));
  EXPECT_FALSE(findAgent(agents, "card0"));
}

TEST(HipAgents, VersionsReadAsText) {
  EXPECT_EQ(versionText(60241133), "6.2.41133");
  EXPECT_EQ(versionText(70012345), "7.0.12345");
}

} // namespace
