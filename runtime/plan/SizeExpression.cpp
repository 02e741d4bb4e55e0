//===- SizeExpression.cpp -------------------------------------------------===//
#include "runtime/plan/Plan.h"

#include <cassert>
#include <charconv>

namespace quern::runtime {

namespace {

constexpr std::string_view symbolNames = "TBRPMC";

Status bad(std::string_view text, const char *cause) {
  return Status::error(Exit::BadInput, "E-PLAN-EXPRESSION", "`" + std::string(text) + "` is no size")
      .cause(cause)
      .remedy("sizes are written as in 128*T+64");
}

} // namespace

int64_t SizeExpression::evaluate(const SymbolValues &symbols) const {
  int64_t sum = constant;
  for (unsigned i = 0; i != numSymbols; ++i) {
    assert(symbols.value[i] >= 0 && symbols.value[i] <= maxSymbolValue && "a symbol is out of range");
    sum += coefficient[i] * symbols.value[i];
  }
  return sum;
}

std::string SizeExpression::text() const {
  std::string result;
  for (unsigned i = 0; i != numSymbols; ++i) {
    if (coefficient[i] == 0)
      continue;
    if (!result.empty() && coefficient[i] > 0)
      result += '+';
    if (coefficient[i] == -1)
      result += '-';
    else if (coefficient[i] != 1)
      result += std::to_string(coefficient[i]) + "*";
    result += symbolNames[i];
  }
  if (result.empty() || constant > 0)
    result += (result.empty() ? "" : "+") + std::to_string(constant);
  else if (constant < 0)
    result += std::to_string(constant);
  return result;
}

Expected<SizeExpression> SizeExpression::parse(std::string_view text) {
  SizeExpression expression;
  bool haveConstant = false;
  std::string_view rest = text;
  if (rest.empty())
    return bad(text, "it is empty");
  while (!rest.empty()) {
    bool negative = rest[0] == '-';
    if (negative || (rest[0] == '+' && rest.size() != text.size()))
      rest.remove_prefix(1);
    else if (rest.size() != text.size())
      return bad(text, "terms are joined by + or -");
    int64_t number = 1;
    bool haveNumber = !rest.empty() && rest[0] >= '0' && rest[0] <= '9';
    if (haveNumber) {
      auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
      if (error != std::errc())
        return bad(text, "a number is too large");
      rest.remove_prefix(static_cast<size_t>(end - rest.data()));
    }
    bool haveSymbol = !haveNumber || (!rest.empty() && rest[0] == '*');
    if (haveNumber && haveSymbol)
      rest.remove_prefix(1);
    if (negative)
      number = -number;
    if (!haveSymbol) {
      if (haveConstant)
        return bad(text, "it has two constants");
      if (number > maxSizeConstant || number < -maxSizeConstant)
        return bad(text, "its constant is too large");
      expression.constant = number;
      haveConstant = true;
      continue;
    }
    size_t symbol = rest.empty() ? std::string_view::npos : symbolNames.find(rest[0]);
    if (symbol == std::string_view::npos)
      return bad(text, "the symbols are T, B, R, P, M and C");
    rest.remove_prefix(1);
    if (expression.coefficient[symbol] != 0)
      return bad(text, "a symbol stands in it twice");
    if (number > maxSizeCoefficient || number < -maxSizeCoefficient)
      return bad(text, "a coefficient is too large");
    expression.coefficient[symbol] = number;
  }
  return expression;
}

} // namespace quern::runtime
