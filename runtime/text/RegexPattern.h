//===- RegexPattern.h - A pattern taken apart into sets -------------------===//
//
// The reader of the Oniguruma dialect. What it returns is the pattern as a list of tokens: a piece of PCRE2
// syntax that is the same for bytes and code points, or the number of a set of code points.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_TEXT_REGEXPATTERN_H
#define QUERN_RUNTIME_TEXT_REGEXPATTERN_H

#include "runtime/text/Unicode.h"
#include "support/Status.h"

#include <string>
#include <string_view>
#include <vector>

namespace quern::runtime {

struct RegexPattern {
  struct Token {
    int set;            ///< index into sets, or -1
    std::string syntax; ///< where set is -1
  };
  std::vector<Token> tokens;
  std::vector<CodePointSet> sets; ///< no two are equal
};

/// Same errors as Regex::compile.
Expected<RegexPattern> parseRegexPattern(std::string_view pattern);

} // namespace quern::runtime

#endif // QUERN_RUNTIME_TEXT_REGEXPATTERN_H
