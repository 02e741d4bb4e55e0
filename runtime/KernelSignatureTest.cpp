//===- KernelSignatureTest.cpp --------------------------------------------===//
#include "runtime/KernelSignature.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace quern::runtime;

namespace {

const Argument pointer{ArgumentKind::Pointer, 0x1000}, i32{ArgumentKind::I32, 7}, i64{ArgumentKind::I64, 8},
    f32{ArgumentKind::F32, 0x3F800000};

TEST(KernelSignature, ReadsLetters) {
  std::optional<KernelSignature> signature = KernelSignature::fromLetters("pilf");
  ASSERT_TRUE(signature);
  ASSERT_EQ(signature->parameters.size(), 4u);
  const uint32_t bytes[] = {8, 4, 8, 4};
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ(signature->parameters[i].bytes, bytes[i]);
  EXPECT_TRUE(signature->check("k", std::vector<Argument>{pointer, i32, i64, f32}).ok());
  EXPECT_FALSE(KernelSignature::fromLetters("px"));
  EXPECT_TRUE(KernelSignature::fromLetters("")->check("k", {}).ok());
}

TEST(KernelSignature, RefusesOtherCountsAndKinds) {
  KernelSignature signature = *KernelSignature::fromLetters("pi");
  Status count = signature.check("scale", std::vector<Argument>{pointer});
  EXPECT_EQ(count.id(), "E-LAUNCH-ARGUMENTS");
  EXPECT_EQ(count.exit(), Exit::Usage);
  EXPECT_EQ(count.sentence(), "kernel `scale` takes 2 arguments, the launch passes 1");
  EXPECT_FALSE(signature.check("scale", std::vector<Argument>{pointer, i32, i32}).ok());
  Status kind = signature.check("scale", std::vector<Argument>{pointer, f32});
  EXPECT_EQ(kind.sentence(), "argument 1 of kernel `scale` is i32, the launch passes f32");
  EXPECT_FALSE(signature.check("scale", std::vector<Argument>{i64, i32}).ok());
}

TEST(KernelSignature, WidthAloneDecidesWhereTheCodeSaysNoKind) {
  KernelSignature signature;
  signature.parameters = {{8, {}}, {4, {}}};
  EXPECT_TRUE(signature.check("k", std::vector<Argument>{pointer, i32}).ok());
  EXPECT_TRUE(signature.check("k", std::vector<Argument>{i64, f32}).ok());
  Status wide = signature.check("k", std::vector<Argument>{pointer, i64});
  EXPECT_EQ(wide.sentence(), "argument 1 of kernel `k` is 4-byte value, the launch passes i64");
}

} // namespace
