//===- RegexPattern.cpp - Reads the Oniguruma dialect ---------------------===//
//
// Source of the dialect: Oniguruma's doc/RE and doc/SYNTAX.md, Ruby syntax, UTF-8. In it `^` and `$` always
// mean lines,
// `.` stops at LF only, `\h` is a hexadecimal digit, a class may hold classes and intersections, and `{n,m}+`
// repeats a repetition where PCRE2 reads a possessive quantifier.
//
//===----------------------------------------------------------------------===//
#include "runtime/text/RegexPattern.h"

#include "runtime/text/Utf8.h"

#include <algorithm>
#include <map>

namespace quern::runtime {
namespace {

constexpr size_t maxPatternBytes = 64 << 10;
constexpr int maxDepth = 64;
constexpr size_t maxSets = 512;
constexpr uint32_t maxRepeat = 1000;

class PatternReader {
public:
  explicit PatternReader(std::string_view pattern) : text(toCodePoints(pattern)) {}

  Expected<RegexPattern> read() {
    QUERN_RETURN_IF_ERROR(readAlternatives(0, false));
    if (at < text.size())
      return malformed("a `)` without its `(`");
    limitRestarts();
    return std::move(result);
  }

private:
  std::u32string text;
  size_t at = 0;
  RegexPattern result;
  std::map<CodePointSet, int> setNumbers;

  bool more() const { return at < text.size(); }
  char32_t peek(size_t ahead = 0) const { return at + ahead < text.size() ? text[at + ahead] : U'\0'; }
  bool accept(std::u32string_view word) {
    if (std::u32string_view(text).substr(at, word.size()) != word)
      return false;
    at += word.size();
    return true;
  }

  Status unsupported(std::u32string_view construct) const {
    return Status::error(Exit::Unsupported, "E-TOKENIZER-REGEX",
                         "the pattern uses `" + toUtf8(construct) + "`, which is not supported")
        .cause("at character " + std::to_string(at) + " of `" + shown() + "`");
  }
  Status malformed(std::string_view what) const {
    return Status::error(Exit::BadInput, "E-TOKENIZER-REGEX", "the pattern has " + std::string(what))
        .cause("at character " + std::to_string(at) + " of `" + shown() + "`");
  }
  std::string shown() const { return toUtf8(text.substr(0, 120)) + (text.size() > 120 ? "..." : ""); }

  void syntax(std::string piece) { result.tokens.push_back({-1, std::move(piece)}); }

  Status emitSet(const CodePointSet &set) {
    auto [entry, isNew] = setNumbers.try_emplace(set, static_cast<int>(result.sets.size()));
    if (isNew) {
      if (result.sets.size() == maxSets)
        return malformed("more than " + std::to_string(maxSets) + " sets of characters");
      result.sets.push_back(set);
    }
    result.tokens.push_back({entry->second, {}});
    return Status::success();
  }

  /// Adds what equals a member of |set| when case is ignored: the other ASCII case, and the two code points
  /// outside ASCII that fold to ASCII letters (CaseFolding.txt: U+017F to s, U+212A to k). Other letters are
  /// refused.
  Status ignoreCase(CodePointSet &set) const {
    if (!set.empty() && set.getEdges().back() > 0x80) {
      CodePointSet beyond = CodePointSet::range(0x80, lastCodePoint);
      if (!set.intersected(beyond).intersected(*propertySet("L")).empty())
        return unsupported(U"(?i) with letters outside ASCII");
    }
    std::u32string folded;
    for (char32_t lower = U'a'; lower <= U'z'; ++lower)
      if (set.contains(lower) || set.contains(lower - 32)) {
        folded += {lower, lower - 32};
        if (lower == U's')
          folded += U'\u017F';
        if (lower == U'k')
          folded += U'\u212A';
      }
    set = set.united(CodePointSet::of(folded));
    return Status::success();
  }

  Status readAlternatives(int depth, bool caseless) {
    if (depth > maxDepth)
      return malformed("groups nested deeper than " + std::to_string(maxDepth));
    while (more() && peek() != U')') {
      if (accept(U"|")) {
        syntax("|");
        continue;
      }
      if (at == 0 && depth == 0 &&
          accept(U"(?i)")) { // elsewhere its reach is a matter of dispute between dialects
        caseless = true;
        continue;
      }
      bool repeatable = true;
      QUERN_RETURN_IF_ERROR(readAtom(depth, caseless, repeatable));
      QUERN_RETURN_IF_ERROR(readQuantifier(repeatable));
    }
    return Status::success();
  }

  Status readAtom(int depth, bool caseless, bool &repeatable) {
    char32_t c = peek();
    if (c == U'(')
      return readGroup(depth, caseless, repeatable);
    if (c == U'[') {
      CodePointSet set;
      ++at;
      QUERN_RETURN_IF_ERROR(readClass(depth, set));
      if (caseless)
        QUERN_RETURN_IF_ERROR(ignoreCase(set));
      return emitSet(set);
    }
    if (c == U'*' || c == U'+' || c == U'?')
      return malformed("a quantifier that follows nothing");
    ++at;
    if (c == U'^' || c == U'$') {
      // Lines. `^` does not stand behind a line feed that ends the text; `$` stands before every line feed
      // and at the end.
      repeatable = false;
      syntax(c == U'^' ? "(?:\\A|(?<=" : "(?:\\z|(?=");
      QUERN_RETURN_IF_ERROR(emitSet(CodePointSet::of(U"\n")));
      syntax(c == U'^' ? ")(?!\\z))" : "))");
      return Status::success();
    }
    if (c == U'.')
      return emitSet(CodePointSet::of(U"\n").complement());
    CodePointSet set;
    if (c != U'\\') {
      set = CodePointSet::of({&c, 1});
    } else {
      if (accept(U"A") || accept(U"z") || accept(U"Z")) {
        repeatable = false;
        char32_t anchor = text[at - 1];
        if (anchor != U'Z') {
          syntax(anchor == U'A' ? "\\A" : "\\z");
          return Status::success();
        }
        syntax("(?="); // the end, or the line feed before it
        QUERN_RETURN_IF_ERROR(emitSet(CodePointSet::of(U"\n")));
        syntax("?\\z)");
        return Status::success();
      }
      if (accept(U"b") || accept(U"B")) {
        repeatable = false;
        return emitWordBoundary(text[at - 1] == U'B');
      }
      bool isPoint = false;
      char32_t point = 0;
      QUERN_RETURN_IF_ERROR(readEscape(set, isPoint, point));
    }
    if (caseless)
      QUERN_RETURN_IF_ERROR(ignoreCase(set));
    return emitSet(set);
  }

  Status emitWordBoundary(bool negated) {
    CodePointSet word = wordSet();
    syntax("(?:(?<=");
    QUERN_RETURN_IF_ERROR(emitSet(word));
    syntax(negated ? ")(?=" : ")(?!");
    QUERN_RETURN_IF_ERROR(emitSet(word));
    syntax(")|(?<!");
    QUERN_RETURN_IF_ERROR(emitSet(word));
    syntax(negated ? ")(?!" : ")(?=");
    QUERN_RETURN_IF_ERROR(emitSet(word));
    syntax("))");
    return Status::success();
  }

  Status readGroup(int depth, bool caseless, bool &repeatable) {
    static constexpr std::pair<std::u32string_view, const char *> heads[] = {
        {U"(?:", "(?:"},   {U"(?=", "(?="},   {U"(?!", "(?!"},
        {U"(?<=", "(?<="}, {U"(?<!", "(?<!"}, {U"(?>", "(?>"}};
    bool opened = false;
    if (accept(U"(?i:")) {
      caseless = opened = true;
      syntax("(?:");
    } else if (accept(U"(?-i:")) {
      caseless = false;
      opened = true;
      syntax("(?:");
    }
    for (auto [head, emitted] : heads)
      if (!opened && accept(head)) {
        opened = true;
        repeatable = head == U"(?:" || head == U"(?>";
        syntax(emitted);
      }
    if (!opened) {
      if (peek(1) == U'?' || peek(1) == U'*')
        return unsupported(std::u32string_view(text).substr(at, 4));
      ++at;
      syntax("(?:"); // nothing refers to captures
    }
    QUERN_RETURN_IF_ERROR(readAlternatives(depth + 1, caseless));
    if (!accept(U")"))
      return malformed("a `(` without its `)`");
    syntax(")");
    return Status::success();
  }

  /// {n}, {n,}, {n,m} or {,m} at the current position; anything else there is literal text.
  bool readInterval(uint32_t &low, uint32_t &high, bool &exact) {
    size_t start = at;
    auto number = [&](uint32_t &value) {
      size_t first = at;
      value = 0;
      for (; peek() >= U'0' && peek() <= U'9'; ++at)
        value = std::min<uint32_t>(value * 10 + (peek() - U'0'), maxRepeat + 1);
      return at > first;
    };
    ++at;
    bool hasLow = number(low), comma = accept(U","), hasHigh = comma && number(high);
    exact = !comma;
    if (!accept(U"}") || (!hasLow && !hasHigh)) {
      at = start;
      return false;
    }
    if (exact)
      high = low;
    else if (!hasHigh)
      high = UINT32_MAX;
    return true;
  }

  Status readQuantifier(bool repeatable) {
    std::string quantifier;
    if (accept(U"*") || accept(U"+") || accept(U"?")) {
      quantifier = static_cast<char>(text[at - 1]);
      if (accept(U"?") || accept(U"+"))
        quantifier += static_cast<char>(text[at - 1]);
    } else if (peek() == U'{') {
      uint32_t low = 0, high = 0;
      bool exact = false;
      if (!readInterval(low, high, exact))
        return Status::success(); // a literal brace; read as the next atom
      if ((low > maxRepeat) || (high != UINT32_MAX && high > maxRepeat) || low > high)
        return malformed("a repetition that is out of range");
      quantifier = "{" + std::to_string(low) + (exact ? "" : ",") +
                   (exact || high == UINT32_MAX ? "" : std::to_string(high)) + "}";
      if (peek() == U'?') {
        if (exact)
          return unsupported(U"{n}?");
        ++at;
        quantifier += '?';
      }
    } else {
      return Status::success();
    }
    if (!repeatable)
      return unsupported(U"a quantifier behind an assertion");
    uint32_t low = 0, high = 0;
    bool exact = false;
    if (peek() == U'*' || peek() == U'+' || peek() == U'?' ||
        (peek() == U'{' && readInterval(low, high, exact)))
      return unsupported(U"a quantifier behind a quantifier");
    syntax(std::move(quantifier));
    return Status::success();
  }

  /// Behind a backslash: a set of its own, or (isPoint) one code point that may begin a range.
  Status readEscape(CodePointSet &set, bool &isPoint, char32_t &point) {
    if (!more())
      return malformed("a `\\` at its end");
    char32_t c = text[at++];
    isPoint = false;
    auto negatedIf = [](bool negated, CodePointSet s) { return negated ? s.complement() : s; };
    switch (c) {
    case U'd':
    case U'D':
      set = negatedIf(c == U'D', *propertySet("Nd"));
      return Status::success();
    case U's':
    case U'S':
      set = negatedIf(c == U'S', spaceSet());
      return Status::success();
    case U'w':
    case U'W':
      set = negatedIf(c == U'W', wordSet());
      return Status::success();
    case U'h':
    case U'H':
      set = negatedIf(c == U'H', CodePointSet::of(U"0123456789abcdefABCDEF"));
      return Status::success();
    case U'p':
    case U'P':
      return readProperty(c == U'P', set);
    default:
      break;
    }
    isPoint = true;
    static constexpr std::pair<char32_t, char32_t> controls[] = {
        {U't', 9}, {U'n', 10}, {U'v', 11}, {U'f', 12}, {U'r', 13}, {U'a', 7}, {U'e', 27}};
    auto control =
        std::find_if(std::begin(controls), std::end(controls), [&](auto pair) { return pair.first == c; });
    if (control != std::end(controls))
      point = control->second;
    else if (c == U'x' || c == U'u')
      QUERN_RETURN_IF_ERROR(readHexadecimal(c, point));
    else if ((c >= U'0' && c <= U'9') || (c >= U'a' && c <= U'z') || (c >= U'A' && c <= U'Z'))
      return unsupported(std::u32string{U'\\', c});
    else
      point = c;
    set = CodePointSet::of({&point, 1});
    return Status::success();
  }

  Status readHexadecimal(char32_t kind, char32_t &point) {
    bool braced = kind == U'x' && accept(U"{");
    size_t digits = braced ? 8 : kind == U'u' ? 4 : 2, read = 0;
    uint64_t value = 0;
    for (; read < digits; ++read, ++at) {
      char32_t c = peek();
      int digit = c >= U'0' && c <= U'9'   ? int(c - U'0')
                  : c >= U'a' && c <= U'f' ? int(c - U'a' + 10)
                  : c >= U'A' && c <= U'F' ? int(c - U'A' + 10)
                                           : -1;
      if (digit < 0)
        break;
      value = value * 16 + static_cast<uint64_t>(digit);
    }
    if (read == 0 || (kind == U'u' && read != 4) || (braced && !accept(U"}")))
      return malformed("an unfinished hexadecimal escape");
    if (value > lastCodePoint || (value >= 0xD800 && value < 0xE000))
      return malformed("an escape that is no character");
    if (kind == U'x' && !braced && value >= 0x80)
      return unsupported(U"\\x80 and above without braces"); // a byte, not a code point
    point = static_cast<char32_t>(value);
    return Status::success();
  }

  Status readProperty(bool negated, CodePointSet &set) {
    if (!accept(U"{"))
      return unsupported(U"\\p without braces");
    if (accept(U"^"))
      negated = !negated;
    size_t close = text.find(U'}', at);
    if (close == text.npos || close - at > 40)
      return malformed("an unfinished `\\p{`");
    std::u32string_view name = std::u32string_view(text).substr(at, close - at);
    std::optional<CodePointSet> found = propertySet(toUtf8(name));
    if (!found)
      return unsupported(U"\\p{" + std::u32string(name) + U"}");
    at = close + 1;
    set = negated ? found->complement() : *found;
    return Status::success();
  }

  /// Behind a `[`; reads up to and with the `]`.
  Status readClass(int depth, CodePointSet &result) {
    if (depth > maxDepth)
      return malformed("classes nested deeper than " + std::to_string(maxDepth));
    bool negated = accept(U"^");
    CodePointSet whole = CodePointSet::range(0, lastCodePoint), current;
    if (peek() == U']')
      return unsupported(U"[]");
    while (true) {
      if (!more())
        return malformed("a `[` without its `]`");
      if (accept(U"]"))
        break;
      if (accept(U"&&")) {
        whole = whole.intersected(current);
        current = {};
        continue;
      }
      CodePointSet item;
      bool isPoint = false;
      char32_t first = 0;
      QUERN_RETURN_IF_ERROR(readClassItem(depth, item, isPoint, first));
      if (isPoint && peek() == U'-' && peek(1) != U']' && peek(1) != U'\0') {
        ++at;
        char32_t last = 0;
        CodePointSet end;
        bool endIsPoint = false;
        if (peek() == U'[')
          return unsupported(U"-[");
        QUERN_RETURN_IF_ERROR(readClassItem(depth, end, endIsPoint, last));
        if (!endIsPoint)
          return unsupported(U"a range that ends in a set");
        if (last < first)
          return malformed("a range whose end lies before its begin");
        item = CodePointSet::range(first, last);
      }
      current = current.united(item);
    }
    whole = whole.intersected(current);
    result = negated ? whole.complement() : whole;
    return Status::success();
  }

  Status readClassItem(int depth, CodePointSet &item, bool &isPoint, char32_t &point) {
    if (peek() == U'[') {
      if (peek(1) == U':')
        return unsupported(std::u32string_view(text).substr(at, 10));
      ++at;
      return readClass(depth + 1, item);
    }
    point = text[at++];
    isPoint = true;
    if (point == U'\\')
      return readEscape(item, isPoint, point);
    item = CodePointSet::of({&point, 1});
    return Status::success();
  }

  /// `X+R` that fails at the first character of a run of X fails at the others too, because each of them
  /// reaches a part of the same ends. Saying so keeps the search linear where the run is long (`\s+$` on a
  /// page of blanks).
  void limitRestarts() {
    std::vector<RegexPattern::Token> &tokens = result.tokens;
    if (tokens.size() < 2 || tokens[0].set < 0 || tokens[1].syntax != "+")
      return;
    int depth = 0;
    for (const RegexPattern::Token &token : tokens) {
      depth += static_cast<int>(std::count(token.syntax.begin(), token.syntax.end(), '('));
      depth -= static_cast<int>(std::count(token.syntax.begin(), token.syntax.end(), ')'));
      if (depth == 0 && token.syntax == "|")
        return;
    }
    RegexPattern::Token run = tokens[0];
    tokens.insert(tokens.begin(), {{-1, "(?:\\G|(?<!"}, run, {-1, "))"}});
  }
};

} // namespace

Expected<RegexPattern> parseRegexPattern(std::string_view pattern) {
  if (pattern.size() > maxPatternBytes)
    return Status::error(Exit::BadInput, "E-TOKENIZER-REGEX",
                         "the pattern has " + std::to_string(pattern.size()) + " bytes, at most " +
                             std::to_string(maxPatternBytes) + " are read");
  return PatternReader(pattern).read();
}

} // namespace quern::runtime
