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

/// Every field away from its default, in the order of the grammar.
TEST(ScheduleTest, EveryField) {
  Schedule s{"gemm", {128, 160, 128}, 8};
  s.mma = "wgmma.m64n160k32.e4m3";
  s.warpGrid = {2, 2, 2};
  s.groups = 2;
  s.strategy = Strategy::Roles;
  s.contraction = Contraction::Outer;
  s.stages = 5;
  s.mmaInFlight = 1;
  s.fragPrefetch = 2;
  s.accumStages = 2;
  s.pair = Pair::Seesaw;
  s.copies = {{"b", CopyMode::Register}, {"a", CopyMode::Tensor}, {"scales", CopyMode::Staged}};
  s.clusterM = 2;
  s.swap = true;
  s.transposeScores = true;
  s.split = 4;
  s.reduction = Reduction::LastBlock;
  s.persist = Persistence::Dynamic;
  s.rasterAxis = RasterAxis::N;
  s.rasterGroup = 8;
  s.dies = 8;
  s.dieChunk = 64;
  s.order = WorkOrder::StreamK;
  s.epilogueColumns = 64;
  s.store = StorePath::Tensor;
  s.epilogueDepth = 2;
  s.unroll = 4;
  s.producerRegisters = 40;
  s.mathRegisters = 232;
  s.occupancy = 2;
  s.rescale = 8;
  s.hints = {{"b", CacheHint::Stream}, {"a", CacheHint::Keep}};
  s.deterministic = false;
  const char *text =
      "gemm{tile=128x160x128 mma=wgmma.m64n160k32.e4m3 warps=2x2x2 groups=2 strategy=roles contraction=outer "
      "stages=5 mma_in_flight=1 frag_prefetch=2 accum_stages=2 pair=seesaw copy.a=tensor copy.b=register "
      "copy.scales=staged cluster=2x1 swap=on transpose_scores=on split=4:last_block persist=dynamic "
      "raster=n8 "
      "dies=8x64 order=stream_k epilogue=64:tensor:2 unroll=4 regs=40:232 occupancy=2 rescale=8 hint.a=keep "
      "hint.b=stream deterministic=off}";
  EXPECT_EQ(s.str(), text);
  Expected<Schedule> read = Schedule::parse(text);
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(*read, s);

  // Each field alone is read and printed again; in any order the same.
  std::string body = std::string(text).substr(5);
  body.pop_back();
  std::string reversed;
  for (size_t begin = 0; begin < body.size();) {
    size_t end = std::min(body.find(' ', begin), body.size());
    std::string field = body.substr(begin, end - begin);
    Expected<Schedule> one = Schedule::parse("gemm{" + field + "}");
    ASSERT_TRUE(one.ok()) << field << one.error().message();
    EXPECT_EQ(one->str(), "gemm{" + field + "}");
    reversed = field + " " + reversed;
    begin = end + 1;
  }
  read = Schedule::parse("gemm{" + reversed + "}");
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(read->str(), text);
}

TEST(ScheduleTest, DefaultsAreNotPrinted) {
  Expected<Schedule> read = Schedule::parse(
      "gemm{groups=1 strategy=inline stages=fit mma_in_flight=0 frag_prefetch=0 accum_stages=1 pair=none "
      "cluster=1x1 swap=off transpose_scores=off persist=off raster=m1 dies=1x1 order=linear "
      "epilogue=0:direct "
      "unroll=1 occupancy=0 rescale=0 deterministic=on}");
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(read->str(), "gemm{}");
  EXPECT_EQ(Schedule::parse("gemm{strategy=phases4}")->phases, 4);
  EXPECT_EQ(Schedule::parse("gemm{warps=2x4}")->warps, 8);
  EXPECT_EQ(Schedule::parse("gemm{warps=2x4x1}")->str(), "gemm{warps=2x4}");
  EXPECT_EQ(Schedule::parse("gemm{warps=1x1}")->str(), "gemm{warps=1x1}");
}

TEST(ScheduleTest, ErrorsNameTheField) {
  const std::pair<const char *, const char *> cases[] = {
      {"", "kernel name and braces"},
      {"{}", "kernel name and braces"},
      {"linear", "kernel name and braces"},
      {"linear{tile=4", "kernel name and braces"},
      {"linear{depth=3}", "unknown field `depth`"},
      {"linear{copy=tensor}", "unknown field `copy`"},
      {"linear{stages=0}", "`stages` needs `fit` or a number from 1 to 16"},
      {"linear{stages=17}", "`stages` needs"},
      {"linear{stages=}", "`stages` needs"},
      {"linear{mma=}", "`mma` needs the name of an atom"},
      {"linear{warps=2x3}", "`warps` needs a power of two, or a grid"},
      {"linear{warps=2x2x2x2}", "`warps` needs"},
      {"linear{warps=1024x1024x1024}", "`warps` needs"},
      {"linear{groups=4}", "`groups` needs a number from 1 to 3"},
      {"linear{strategy=phases}", "`strategy` needs"},
      {"linear{strategy=phases0}", "`strategy` needs"},
      {"linear{strategy=phases99}", "`strategy` needs"},
      {"linear{strategy=magic}", "`inline`, `roles`, `phasesN` or `interleave`"},
      {"linear{mma_in_flight=3}", "from 0 to 2"},
      {"linear{mma_in_flight=-1}", "from 0 to 2"},
      {"linear{pair=left}", "`none`, `rows`, `cols` or `seesaw`"},
      {"linear{copy.a=quick}", "`tensor`, `async`, `direct`, `staged` or `register`"},
      {"linear{copy.=async}", "`copy.` needs"},
      {"linear{copy.A=async}", "`copy.A` needs"},
      {"linear{copy.a=async copy.a=async}", "`copy.a` is given twice"},
      {"linear{hint.b=never}", "`stream` or `keep`"},
      {"linear{cluster=2}", "two sizes up to 16"},
      {"linear{cluster=2x1x1}", "two sizes"},
      {"linear{cluster=32x1}", "two sizes"},
      {"linear{swap=yes}", "`on` or `off`"},
      {"linear{split=4}", "slices, two or more"},
      {"linear{split=1:cluster}", "slices, two or more"},
      {"linear{split=4:none}", "slices, two or more"},
      {"linear{split=4:later}", "slices, two or more"},
      {"linear{persist=yes}", "`off`, `static` or `dynamic`"},
      {"linear{raster=8}", "`m` or `n`"},
      {"linear{raster=m0}", "`m` or `n`"},
      {"linear{raster=}", "`m` or `n`"},
      {"linear{dies=8}", "two sizes"},
      {"linear{order=random}", "`linear`, `longest`, `stream_k` or `grouped`"},
      {"linear{epilogue=64}", "columns, `:direct`"},
      {"linear{epilogue=64:fast}", "columns, `:direct`"},
      {"linear{epilogue=64:shared:9}", "a depth up to 4"},
      {"linear{epilogue=64:shared:0}", "a depth up to 4"},
      {"linear{unroll=0}", "from 1 to 64"},
      {"linear{regs=40}", "joined by `:`"},
      {"linear{regs=40:600}", "joined by `:`"},
      {"linear{occupancy=x}", "from 0 to 32"},
      {"linear{deterministic=maybe}", "`on` or `off`"},
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
      {"linear{contraction=inner}", "`contraction` needs `dot` or `outer`"},
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
