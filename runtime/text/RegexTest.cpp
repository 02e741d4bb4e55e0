//===- RegexTest.cpp ------------------------------------------------------===//
#include "runtime/text/Regex.h"

#include "runtime/text/Unicode.h"
#include "runtime/text/Utf8.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace quern;
using namespace quern::runtime;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

std::vector<std::string> matches(std::string_view pattern, std::string_view text) {
  Expected<Regex> regex = Regex::compile(pattern);
  EXPECT_TRUE(regex.ok()) << pattern << ": " << (regex.ok() ? "" : regex.error().message());
  if (!regex.ok())
    return {};
  Regex::Scratch scratch;
  std::vector<TextRange> ranges;
  std::u32string points = toCodePoints(text);
  Status status = regex->findAll(points, scratch, ranges);
  EXPECT_TRUE(status.ok()) << (status.ok() ? "" : status.message());
  std::vector<std::string> found;
  for (TextRange range : ranges)
    found.push_back(toUtf8(std::u32string_view(points).substr(range.begin, range.end - range.begin)));
  return found;
}

void expectRefused(std::string_view pattern, Exit exit, std::string_view words) {
  Expected<Regex> regex = Regex::compile(pattern);
  ASSERT_FALSE(regex.ok()) << pattern;
  EXPECT_EQ(regex.error().exit(), exit) << regex.error().message();
  EXPECT_EQ(regex.error().id(), "E-TOKENIZER-REGEX");
  EXPECT_THAT(regex.error().message(), HasSubstr(std::string(words)));
}

TEST(RegexTest, SplitsLikeTheCommonPattern) {
  const char *pattern =
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  EXPECT_THAT(matches(pattern, "It's 12  km.\n\n  x"),
              ElementsAre("It", "'s", " ", "1", "2", " ", " km", ".\n\n", " ", " x"));
  EXPECT_THAT(matches(pattern, "we'\u017F'RE"), ElementsAre("we", "'\u017F", "'RE"));
}

TEST(RegexTest, PropertiesFollowUnicode16) {
  // U+1FAE9 came with Unicode 16 (a symbol), U+16D63 as well (a letter), U+2FFC with 15.1, U+1E4D0 with 15.
  EXPECT_THAT(matches(R"(\p{S}+)", "a\U0001FAE9\u2FFCb"), ElementsAre("\U0001FAE9\u2FFC"));
  EXPECT_THAT(matches(R"(\p{L}+)", "\U00016D63 \U0001E4D0"), ElementsAre("\U00016D63", "\U0001E4D0"));
  EXPECT_THAT(matches(R"(\s+)", "a\u180Eb\u3000\u0085c"), ElementsAre("\u3000\u0085"));
  EXPECT_THAT(matches(R"(\p{N}{1,3})", "12345\u2167\u00BD"), ElementsAre("123", "45\u2167", "\u00BD"));
  EXPECT_THAT(matches(R"(\d+)", "1\u0663\u2167"), ElementsAre("1\u0663"));
  EXPECT_THAT(matches(R"(\P{L}+)", "ab1 c"), ElementsAre("1 "));
  EXPECT_THAT(matches(R"(\p{^L}+)", "ab1 c"), ElementsAre("1 "));
}

TEST(RegexTest, ClassesRangesAndIntersections) {
  EXPECT_THAT(matches("[\u4E00-\u9FA5\u3040-\u309F]+", "a\u4E2D\u3042b\u9FA6"), ElementsAre("\u4E2D\u3042"));
  EXPECT_THAT(matches(R"([\-a\]]+)", "x-a]b"), ElementsAre("-a]"));
  EXPECT_THAT(matches(R"([a-c&&[^b]]+)", "abc"), ElementsAre("a", "c"));
  EXPECT_THAT(matches(R"([^a-c&&b]+)", "abc"), ElementsAre("a", "c"));
  EXPECT_THAT(matches(R"([a-]+)", "b-a"), ElementsAre("-a"));
  EXPECT_THAT(matches(R"([\x{4e2d}\u3042\x41]+)", "A\u4E2D\u3042B"), ElementsAre("A\u4E2D\u3042"));
  EXPECT_THAT(matches(R"([^\S ]+)", " \t\n x"), ElementsAre("\t\n"));
}

TEST(RegexTest, CaseFoldingReachesTheTwoSignsOutsideAscii) {
  EXPECT_THAT(matches("(?i)[k-l]s", "KS \u212A\u017F ls ks"), ElementsAre("KS", "\u212A\u017F", "ls", "ks"));
  EXPECT_THAT(matches("k(?i:k)k", "kKk KKk"), ElementsAre("kKk"));
}

TEST(RegexTest, AnchorsMeanLines) {
  EXPECT_THAT(matches("^a", "a\na ba"), ElementsAre("a", "a"));
  EXPECT_THAT(matches("a$", "a\naba"), ElementsAre("a", "a"));
  EXPECT_THAT(matches(R"(\s+$)", "x  \ny  "), ElementsAre("  ", "  "));
  EXPECT_THAT(matches(R"(a\Z)", "a a\n"), ElementsAre("a"));
  EXPECT_THAT(matches(R"(\bab?\b)", "ab a abc"), ElementsAre("ab", "a"));
  EXPECT_THAT(matches("a.c", "a\nc a\rc"), ElementsAre("a\rc"));
}

TEST(RegexTest, QuantifiersAndLookaround) {
  EXPECT_THAT(matches("a{,2}b", "aaab"), ElementsAre("aab"));
  EXPECT_THAT(matches("a{x", "a{x"), ElementsAre("a{x"));
  EXPECT_THAT(matches("(?:ab|a)++b", "abb ab"), ElementsAre("abb"));
  EXPECT_THAT(matches("(?<=a)b(?!c)", "ab bb abc"), ElementsAre("b"));
  EXPECT_THAT(matches("(a|b)+?c", "abcbc"), ElementsAre("abc", "bc"));
  EXPECT_THAT(matches("x*", "axb"), ElementsAre("", "x", ""));
}

TEST(RegexTest, RefusesByName) {
  expectRefused(R"(\p{Han}+)", Exit::Unsupported, "`\\p{Han}`");
  expectRefused(R"((a)\1)", Exit::Unsupported, "`\\1`");
  expectRefused(R"([[:alpha:]])", Exit::Unsupported, "`[:alpha:]");
  expectRefused("(?<name>a)", Exit::Unsupported, "(?<n");
  expectRefused("a{2}{3}", Exit::Unsupported, "quantifier behind a quantifier");
  expectRefused("a{1,3}+", Exit::Unsupported, "quantifier behind a quantifier");
  expectRefused("(?i:\u00E4)", Exit::Unsupported, "letters outside ASCII");
  expectRefused("(a", Exit::BadInput, "without its `)`");
  expectRefused("a)", Exit::BadInput, "without its `(`");
  expectRefused("[a", Exit::BadInput, "without its `]`");
  expectRefused("*a", Exit::BadInput, "quantifier that follows nothing");
  expectRefused("[b-a]", Exit::BadInput, "before its begin");
  expectRefused("a{2,1}", Exit::BadInput, "out of range");
  expectRefused("a{99999}", Exit::BadInput, "out of range");
  expectRefused("\\", Exit::BadInput, "at its end");
  expectRefused("\\x{110000}", Exit::BadInput, "no character");
  expectRefused(std::string(100, '(') + std::string(100, ')'), Exit::BadInput, "nested deeper");
  expectRefused(std::string(100, '['), Exit::BadInput, "nested deeper");
  expectRefused(std::string(70000, 'a'), Exit::BadInput, "70000 bytes");
  std::string many;
  for (char32_t point = 0x4E00; point < 0x4E00 + 300; ++point)
    appendUtf8(point, many);
  expectRefused(many, Exit::Unsupported, "more than 256 classes");
}

TEST(RegexTest, CatastrophicPatternsEndInAnError) {
  Expected<Regex> regex = Regex::compile("(?:a|a)+(?:b|c)");
  ASSERT_TRUE(regex.ok());
  Regex::Scratch scratch;
  std::vector<TextRange> ranges;
  Status status = regex->findAll(std::u32string(5000, U'a'), scratch, ranges);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.id(), "E-TOKENIZER-MATCH-LIMIT");
  EXPECT_EQ(status.exit(), Exit::BadInput);
}

TEST(RegexTest, LongRunsStayLinear) {
  // A million blanks before a digit: each blank would start a search of the whole run.
  std::string blanks(1'000'000, ' ');
  EXPECT_TRUE(matches(R"(\s+$)", blanks + "5").empty());
  EXPECT_EQ(matches(R"(\s+$)", blanks).size(), 1u);
  EXPECT_EQ(matches(R"(\s*[\r\n]+|\s+(?!\S)|\s+)", blanks + "x").size(), 2u);
}

TEST(UnicodeTest, SetAlgebra) {
  CodePointSet vowels = CodePointSet::of(U"aeiou"), head = CodePointSet::range('a', 'f');
  EXPECT_EQ(vowels.intersected(head), CodePointSet::of(U"ae"));
  EXPECT_EQ(vowels.complement().complement(), vowels);
  EXPECT_TRUE(vowels.complement().intersected(vowels).empty());
  EXPECT_EQ(CodePointSet().complement(), CodePointSet::range(0, lastCodePoint));
  EXPECT_EQ(propertySet("L")->intersected(CodePointSet::range(0, 0x7F)),
            CodePointSet::range('a', 'z').united(CodePointSet::range('A', 'Z')));
  EXPECT_FALSE(propertySet("Q"));
  EXPECT_FALSE(propertySet(""));
  EXPECT_TRUE(wordSet().contains(U'_') && wordSet().contains(U'\u24B6') && !wordSet().contains(U'-'));
}

TEST(Utf8Test, ReplacesMaximalSubparts) {
  EXPECT_EQ(repairUtf8("a\xF0\x9F\x98z\xC0\x80\xED\xA0\x80\xE4\xB8"),
            "a\uFFFDz\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(toUtf8(toCodePoints("\u00E9\u4E2D\U0001F600")), "\u00E9\u4E2D\U0001F600");
  EXPECT_EQ(completeUtf8("ab\xE4\xB8"), 2u);
  EXPECT_EQ(completeUtf8("\xF0\x9F\x98"), 0u);
  EXPECT_EQ(completeUtf8("ab\xB8"), 3u);
  EXPECT_EQ(completeUtf8("\xE4\xB8\xAD"), 3u);
}

} // namespace
