//===- ScheduleTest.cpp ---------------------------------------------------===//
#include "dialects/tile/Schedule.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace quern::tile;

namespace {

TEST(ScheduleTest, TextIsCanonical) {
  EXPECT_EQ((Schedule{"router", {}, 1}).str(), "router{}");
  EXPECT_EQ((Schedule{"linear", {4, 16, 128}, 4}).str(), "linear{tile=4x16x128 warps=4}");
  Schedule outer{"linear", {8}, 1};
  outer.contraction = Contraction::Outer;
  EXPECT_EQ(outer.str(), "linear{tile=8 contraction=outer}");
}

TEST(ScheduleTest, RoundTrip) {
  for (std::vector<int32_t> tile : {std::vector<int32_t>{}, {1}, {48, 576}, {1, 2, 3, 1 << 20}})
    for (int32_t warps : {1, 2, 32})
      for (Contraction contraction : {Contraction::Dot, Contraction::Outer}) {
        Schedule schedule{"some_kernel", tile, warps};
        schedule.contraction = contraction;
        Expected<Schedule> read = Schedule::parse(schedule.str());
        ASSERT_TRUE(read.ok()) << read.error().message();
        EXPECT_EQ(*read, schedule);
        EXPECT_EQ(read->str(), schedule.str());
      }
}

TEST(ScheduleTest, ExtraSpacesAndDefaultsAreRead) {
  Expected<Schedule> read = Schedule::parse("k{ warps=1  tile=2x4 contraction=dot }");
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->str(), "k{tile=2x4}");
}

TEST(ScheduleTest, ErrorsNameTheField) {
  const std::pair<const char *, const char *> cases[] = {
      {"", "kernel name and braces"},
      {"{}", "kernel name and braces"},
      {"linear", "kernel name and braces"},
      {"linear{tile=4", "kernel name and braces"},
      {"linear{stages=3}", "unknown field `stages`"},
      {"linear{tile}", "`tile` has no value"},
      {"linear{tile=}", "`tile` needs positive sizes"},
      {"linear{tile=4x}", "`tile` needs positive sizes"},
      {"linear{tile=4x-1}", "`tile` needs positive sizes"},
      {"linear{tile=0x4}", "`tile` needs positive sizes"},
      {"linear{tile=4x99999999999}", "`tile` needs positive sizes"},
      {"linear{tile=4 tile=8}", "`tile` is given twice"},
      {"linear{warps=2 warps=2}", "`warps` is given twice"},
      {"linear{warps=3}", "`warps` needs a power of two"},
      {"linear{warps=0}", "`warps` needs a power of two"},
      {"linear{warps=two}", "`warps` needs a power of two"},
      {"linear{contraction=inner}", "`contraction` is `dot` or `outer`"},
  };
  for (auto [text, cause] : cases) {
    Expected<Schedule> read = Schedule::parse(text);
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_EQ(read.error().id(), "E-SCHEDULE-SYNTAX") << text;
    EXPECT_EQ(read.error().exit(), Exit::Usage) << text;
    EXPECT_NE(read.error().message().find(cause), std::string::npos) << read.error().message();
  }
}

} // namespace
