//===- DoctorTest.cpp -----------------------------------------------------===//
#include "runtime/Doctor.h"
#include "support/ScratchDirectory.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace quern::runtime;

namespace {

const Check *find(const std::vector<Check> &checks, const char *name) {
  auto it =
      std::find_if(checks.begin(), checks.end(), [&](const Check &check) { return check.name == name; });
  return it == checks.end() ? nullptr : &*it;
}

TEST(Doctor, EveryFaultHasAFix) {
  quern::ScratchDirectory scratch;
  std::vector<Check> checks = diagnose(scratch / "cache/that/is/not/there");
  ASSERT_FALSE(checks.empty());
  for (const Check &check : checks) {
    EXPECT_FALSE(check.detail.empty()) << check.name;
    EXPECT_NE(check.name.find('.'), std::string::npos) << check.name;
    if (check.state == CheckState::Failed || check.state == CheckState::Warning)
      EXPECT_FALSE(check.fix.empty()) << check.name;
  }
  ASSERT_TRUE(find(checks, "host.cache"));
  EXPECT_EQ(find(checks, "host.cache")->state, CheckState::Ok);
  ASSERT_TRUE(find(checks, "cpu.level"));
  EXPECT_TRUE(find(checks, "host.disk"));
}

TEST(Doctor, ReportsAPlaceThatIsNoDirectory) {
  std::vector<Check> checks = diagnose("/proc/self/exe/cache");
  ASSERT_TRUE(find(checks, "host.cache"));
  EXPECT_EQ(find(checks, "host.cache")->state, CheckState::Failed);
  EXPECT_NE(find(checks, "host.cache")->detail.find("`/proc/self/exe` is no directory"), std::string::npos)
      << find(checks, "host.cache")->detail;
}

TEST(Doctor, NamesItsStates) {
  EXPECT_STREQ(checkStateName(CheckState::Ok), "ok");
  EXPECT_STREQ(checkStateName(CheckState::Absent), "absent");
  EXPECT_STREQ(checkStateName(CheckState::Warning), "warning");
  EXPECT_STREQ(checkStateName(CheckState::Failed), "failed");
}

} // namespace
