//===- SizeExpressionTest.cpp ---------------------------------------------===//
#include "runtime/plan/Plan.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace quern::runtime;

namespace {

std::string canonical(std::string_view text) {
  auto size = SizeExpression::parse(text);
  if (!size.ok())
    return size.error().id();
  auto again = SizeExpression::parse(size->text());
  EXPECT_TRUE(again.ok() && *again == *size) << text << " -> " << size->text();
  return size->text();
}

TEST(SizeExpressionTest, OneText) {
  EXPECT_EQ(canonical("128*T+64"), "128*T+64");
  EXPECT_EQ(canonical("64+128*T"), "128*T+64");
  EXPECT_EQ(canonical("1*T"), "T");
  EXPECT_EQ(canonical("C+M+P+R+B+T"), "T+B+R+P+M+C");
  EXPECT_EQ(canonical("-1*R+3*B-7"), "3*B-R-7");
  EXPECT_EQ(canonical("-T"), "-T");
  EXPECT_EQ(canonical("0"), "0");
  EXPECT_EQ(canonical("-5"), "-5");
  EXPECT_EQ(canonical("0*T+2"), "2");
}

TEST(SizeExpressionTest, RefusesTheRest) {
  for (const char *text : {"",
                           "+",
                           "-",
                           "+T",
                           "T+",
                           "T T",
                           "2T",
                           "T*2",
                           "2*",
                           "2*3",
                           "2**T",
                           "X",
                           "t",
                           "T+T",
                           "1+2",
                           "--1",
                           "T+-1",
                           " T",
                           "1.5*T",
                           "99999999999999999999",
                           "68719476737*T",
                           "1152921504606846977"})
    EXPECT_EQ(canonical(text), "E-PLAN-EXPRESSION") << text;
}

TEST(SizeExpressionTest, Evaluates) {
  SymbolValues symbols;
  symbols[Symbol::T] = 3;
  symbols[Symbol::B] = 5;
  symbols[Symbol::C] = 7;
  EXPECT_EQ(SizeExpression::parse("128*T+64")->evaluate(symbols), 448);
  EXPECT_EQ(SizeExpression::parse("2*B-C-1")->evaluate(symbols), 2);
  for (int64_t &value : symbols.value)
    value = maxSymbolValue;
  SizeExpression largest{.constant = maxSizeConstant, .coefficient = {}};
  largest.coefficient.fill(maxSizeCoefficient);
  // 2^60 + 6 * 2^60 = 7 * 2^60.
  EXPECT_EQ(largest.evaluate(symbols), int64_t(7) << 60);
}

} // namespace
