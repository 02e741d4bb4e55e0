//===- ExpressionTest.cpp - Unit tests of the expression language ---------===//
#include "lowering/import/Expression.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace quern::import;

namespace {

Scope numbers() {
  Scope scope;
  scope.set("heads", Value(12));
  scope.set("size", Value(64));
  scope.set("rate", Value(2.5));
  scope.set("absent", Value());
  scope.set("kinds", Value(Value::List{Value("full"), Value("sliding"), Value("full")}));
  return scope;
}

std::string evaluate(const std::string &text) {
  Expected<Expression> expression = Expression::parse(text);
  if (!expression.ok())
    return expression.error().id() + ": " + expression.error().sentence();
  Expected<Value> value = expression->evaluate(numbers());
  return value.ok() ? value->text() : value.error().id() + ": " + value.error().sentence();
}

TEST(Expression, ArithmeticKeepsIntegersWhereItCan) {
  EXPECT_EQ(evaluate("heads * size + 1"), "769");
  EXPECT_EQ(evaluate("heads * (size + 1)"), "780");
  EXPECT_EQ(evaluate("size / 4"), "16");
  EXPECT_EQ(evaluate("size / 5"), "12.8");
  EXPECT_EQ(evaluate("-7 // 2"), "-4");
  EXPECT_EQ(evaluate("-7 % 3"), "2");
  EXPECT_EQ(evaluate("7 - 2 - 1"), "4");
  EXPECT_EQ(evaluate("rate * 2"), "5.0");
  EXPECT_EQ(evaluate("1e3 + 2.5e-1"), "1000.25");
  EXPECT_EQ(evaluate("rsqrt(size)"), "0.125");
  EXPECT_EQ(evaluate("max(1, rate, 2)"), "2.5");
  EXPECT_EQ(evaluate("'a' + 'b'"), "'ab'");
}

TEST(Expression, ConditionsBindAsInTheGrammar) {
  EXPECT_EQ(evaluate("heads == 12 and not size < 64"), "true");
  EXPECT_EQ(evaluate("heads > 12 or rate >= 2.5"), "true");
  EXPECT_EQ(evaluate("heads > 12 ? 'a' : size == 64 ? 'b' : 'c'"), "'b'");
  EXPECT_EQ(evaluate("kinds[1] == 'sliding'"), "true");
  EXPECT_EQ(evaluate("'sliding' in kinds and not ('none' in kinds)"), "true");
  EXPECT_EQ(evaluate("len(kinds)"), "3");
  EXPECT_EQ(evaluate("2 in [1, 2.0]"), "true");
}

TEST(Expression, OnlyTheNeededSideIsEvaluated) {
  EXPECT_EQ(evaluate("has(nowhere) ? nowhere[3] : 7"), "7");
  EXPECT_EQ(evaluate("has(absent) and absent > 1"), "false");
  EXPECT_EQ(evaluate("true or 1 / 0"), "true");
  EXPECT_EQ(evaluate("default(absent, 5)"), "5");
  EXPECT_EQ(evaluate("default(heads, 1 / 0)"), "12");
}

TEST(Expression, FaultsAreErrorsWithTheText) {
  EXPECT_EQ(evaluate("nowhere + 1"), "E-FAMILY-EXPRESSION: in `nowhere + 1`: unknown name `nowhere`");
  EXPECT_EQ(evaluate("heads / 0"), "E-FAMILY-EXPRESSION: in `heads / 0`: division by zero");
  EXPECT_EQ(evaluate("9223372036854775807 + heads"),
            "E-FAMILY-EXPRESSION: in `9223372036854775807 + heads`: the result of `+` passes 64 bits");
  EXPECT_EQ(evaluate("kinds[3]"),
            "E-FAMILY-EXPRESSION: in `kinds[3]`: index 3 is outside the list's 3 items");
  EXPECT_EQ(evaluate("heads +"),
            "E-FAMILY-EXPRESSION: in `heads +`, column 8: the expression ends too early");
  EXPECT_EQ(evaluate("(heads"), "E-FAMILY-EXPRESSION: in `(heads`, column 7: expected `)`");
  EXPECT_EQ(evaluate("heads ] 1"), "E-FAMILY-EXPRESSION: in `heads ] 1`, column 7: unexpected `]`");
  EXPECT_EQ(evaluate("'open"), "E-FAMILY-EXPRESSION: in `'open`, column 2: the string has no closing quote");
  EXPECT_EQ(evaluate("launch(1)"),
            "E-FAMILY-EXPRESSION: in `launch(1)`: there is no function `launch` of 1 arguments");
  EXPECT_EQ(evaluate("sqrt(0 - 1)"),
            "E-FAMILY-EXPRESSION: in `sqrt(0 - 1)`: the result is not a finite number");
  EXPECT_EQ(evaluate("1.2.3"), "E-FAMILY-EXPRESSION: in `1.2.3`, column 6: malformed number `1.2.3`");
}

TEST(Expression, DeepNestingIsRefusedNotFollowed) {
  for (const char *unit : {"(", "-", "not ", "[", "min("}) {
    std::string text;
    for (int i = 0; i < 100000; ++i)
      text += unit;
    Expected<Expression> expression = Expression::parse(text + "1");
    ASSERT_FALSE(expression.ok()) << unit;
    EXPECT_EQ(expression.error().id(), "E-FAMILY-EXPRESSION");
  }
}

TEST(Expression, IntegersAreAskedForStrictly) {
  auto integer = [](const char *text) {
    Expected<Expression> expression = Expression::parse(text);
    return expression->evaluateInt(numbers());
  };
  EXPECT_EQ(*integer("rate * 2"), 5);
  EXPECT_FALSE(integer("rate").ok());
  EXPECT_FALSE(integer("'x'").ok());
}

TEST(StepText, TellsOperandsWeightsAndArgumentsApart) {
  Expected<StepText> step = StepText::parse(
      "q, k = split(qkv, @table, sizes: [heads * size, size], bias: @b, flag: heads > 1 ? 2 : 3)");
  ASSERT_TRUE(step.ok()) << step.error().sentence();
  EXPECT_EQ(step->operation, "split");
  EXPECT_EQ(step->results, (std::vector<std::string>{"q", "k"}));
  ASSERT_EQ(step->operands.size(), 2u);
  EXPECT_FALSE(step->operands[0].weight);
  EXPECT_TRUE(step->operands[1].weight);
  ASSERT_EQ(step->arguments.size(), 3u);
  EXPECT_EQ(step->arguments[0].value.evaluate(numbers())->text(), "[768, 64]");
  EXPECT_EQ(step->arguments[1].weightName, "b");
  EXPECT_EQ(step->arguments[2].value.evaluate(numbers())->text(), "2");
}

TEST(StepText, MalformedStepsAreRefused) {
  for (const char *text : {"", "x", "x =", "x = f", "x = f(", "x = f(a", "x = f(a) b", "= f(a)", "x = f(a:)",
                           "x = f(a: 1, a: 2)", "x = f(a: 1, b)", "x = f(@)", "1 = f(a)"}) {
    Expected<StepText> step = StepText::parse(text);
    ASSERT_FALSE(step.ok()) << text;
    EXPECT_EQ(step.error().id(), "E-FAMILY-STEP") << text;
  }
}

} // namespace
