//===- PtxTest.cpp --------------------------------------------------------===//
#include "runtime/cuda/Ptx.h"

#include <gtest/gtest.h>

using namespace quern::runtime;
using namespace quern::runtime::cuda;

namespace {

const char *text = R"(//
// Generated .entry commented(
//
.version 8.3 /* .version 9.9 */
.target sm_90a, debug
.address_size 64

	// .globl	first                   // -- Begin function first
.visible .entry first(
	.param .u64 .ptr .global .align 16 first_param_0,
	.param .u32 first_param_1,
	.param .f32 first_param_2,
	.param .b64 first_param_3,
	.param .b32 first_param_4
)
.maxntid 256, 1, 1
{
	ld.param.u64 	%rd1, [first_param_0];
	bar.sync 0;
	ret;
}
.entry none() { ret; }
.entry bare { ret; }
.visible .entry map(.param .align 64 .b8 map_param_0[128], .param .s32 $x%y) { ret; }
.func helper(.param .b32 x) { ret; }
.file 1 "kernels/x/tile.mlir .entry fake("
)";

TEST(Ptx, ReadsVersionTargetAndParameters) {
  std::optional<PtxSummary> ptx = summarisePtx(text);
  ASSERT_TRUE(ptx);
  EXPECT_EQ(ptx->version, "8.3");
  EXPECT_EQ(ptx->target, "sm_90a");
  ASSERT_EQ(ptx->kernels.size(), 4u);
  const auto &first = ptx->kernels.at("first").parameters;
  ASSERT_EQ(first.size(), 5u);
  const uint32_t bytes[] = {8, 4, 4, 8, 4};
  const std::optional<ArgumentKind> kinds[] = {
      ArgumentKind::Pointer, ArgumentKind::I32, ArgumentKind::F32, {}, {}};
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(first[i].bytes, bytes[i]) << i;
    EXPECT_EQ(first[i].kind, kinds[i]) << i;
  }
  EXPECT_TRUE(ptx->kernels.at("none").parameters.empty());
  EXPECT_TRUE(ptx->kernels.at("bare").parameters.empty());
  const auto &map = ptx->kernels.at("map").parameters;
  ASSERT_EQ(map.size(), 2u);
  EXPECT_EQ(map[0].bytes, 128u);
  EXPECT_FALSE(map[0].kind);
  EXPECT_EQ(map[1].bytes, 4u);
}

TEST(Ptx, RefusesWhatIsNone) {
  EXPECT_FALSE(summarisePtx(""));
  EXPECT_FALSE(summarisePtx("hello"));
  EXPECT_FALSE(summarisePtx("// only a comment"));
  EXPECT_FALSE(summarisePtx("/* not closed .version 8.0"));
  EXPECT_FALSE(summarisePtx("\"not closed"));
}

TEST(Ptx, EveryPrefixEnds) {
  std::string whole = text;
  for (size_t length = 0; length <= whole.size(); ++length)
    summarisePtx(std::string_view(whole).substr(0, length));
}

TEST(Ptx, KnowsWhichDriverTakesWhich) {
  EXPECT_EQ(newestPtx(12040), "8.4");
  EXPECT_EQ(newestPtx(12060), "8.5");
  EXPECT_EQ(newestPtx(11000), "7.0");
  EXPECT_EQ(newestPtx(13000), "9.0");
  EXPECT_EQ(newestPtx(14000), "");
  EXPECT_EQ(cudaForPtx("8.7"), "12.8");
  EXPECT_EQ(cudaForPtx("9.9"), "");
}

} // namespace
