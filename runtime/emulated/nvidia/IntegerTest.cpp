//===- IntegerTest.cpp - Integer instructions against the manual ----------===//

#include "runtime/emulated/nvidia/PtxTest.h"

namespace quern::runtime::emulated {
namespace {

uint64_t one(const std::string &body, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0, uint64_t d = 0) {
  return evaluate(body, {{a, b, c, d}})[0];
}

TEST(Integer, AddWrapsAndSaturates) {
  EXPECT_EQ(one(to32("add.s32 %r0, %r1, %r2;"), 0x7FFFFFFF, 1), 0x80000000u);
  EXPECT_EQ(one(to32("add.sat.s32 %r0, %r1, %r2;"), 0x7FFFFFFF, 1), 0x7FFFFFFFu);
  EXPECT_EQ(one(to32("sub.sat.s32 %r0, %r1, %r2;"), 0x80000000, 1), 0x80000000u);
  EXPECT_EQ(one("add.s64 %d0, %d1, %d2;", ~0ull, 2), 1u);
}

} // namespace
} // namespace quern::runtime::emulated
