//===- KernelWorkTest.cpp -------------------------------------------------===//
#include "runtime/measure/KernelWork.h"

#include <gtest/gtest.h>

using namespace quern::runtime;

namespace {

TEST(KernelWork, LinearReadsItsMatrixOnce) {
  Work work = kernelWork("linear{tile=5x5x16 raster=n64} B=bf16 EXPERTS=0 GROUPED=0 K=256 N=128 SHARE=1 "
                         "W=f8E4M3FN X=bf16 Y=bf16",
                         7);
  EXPECT_EQ(work.operations, 2.0 * 7 * 256 * 128);
  EXPECT_EQ(work.bytes, 256.0 * 128 + 7 * 256 * 2);
  // Two experts a token share its row.
  work = kernelWork("linear{tile=1x5x16} EXPERTS=1 GROUPED=0 K=256 N=128 SHARE=2 W=bf16 X=bf16", 8);
  EXPECT_EQ(work.bytes, 256.0 * 128 * 2 + 4 * 256 * 2);
}

TEST(KernelWork, OthersReadTheirRows) {
  EXPECT_EQ(kernelWork("rms_norm{tile=1x256} H=4 N=256 RESIDUAL=1 X=bf16", 3).bytes, 3.0 * 4 * 256 * 2 * 2);
  EXPECT_EQ(kernelWork("pointwise{tile=192} A=f32 B=bf16 H=1 HAS_B=1 N=384 ROW_B=0", 2).bytes, 2.0 * 384 * 6);
  EXPECT_EQ(kernelWork("head_linear{} H=4 K=64 N=128 W=f8E4M3FN X=bf16", 2).operations,
            2.0 * 2 * 4 * 64 * 128);
  EXPECT_EQ(kernelWork("combine{} KSEL=2 N=256 SHARED=1 X=f32 Y=bf16", 5).bytes, 5.0 * 256 * (8 + 2));
}

TEST(KernelWork, NothingIsKnownOfTheRest) {
  for (const char *text : {"", "linear", "{}", "something{} N=4 K=4", "linear{} GROUPED=1 N=4 K=4 W=bf16",
                           "linear{} N=nan K=inf", "rms_norm{} N=-5 H=1 X=bf16"}) {
    Work work = kernelWork(text, 3);
    EXPECT_EQ(work.operations, 0) << text;
    EXPECT_EQ(work.bytes, 0) << text;
  }
  EXPECT_EQ(kernelWork("linear{} N=4 K=4 W=bf16 X=bf16", 0).operations, 0);
}

TEST(KernelWork, RowsAreTheFirstScalar) {
  const Argument arguments[] = {{ArgumentKind::Pointer, 99}, {ArgumentKind::I32, 17}, {ArgumentKind::I32, 5}};
  EXPECT_EQ(rowsOf(arguments), 17);
  EXPECT_EQ(rowsOf({}), 0);
}

} // namespace
