//===- Regex.cpp - Classes of code points, matched by PCRE2 ---------------===//
#include "runtime/text/Regex.h"

#include "runtime/text/RegexPattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <map>

namespace quern::runtime {
namespace {

template <auto release> struct Releaser {
  template <typename T> void operator()(T *object) const { release(object); }
};
using Code = std::unique_ptr<pcre2_code, Releaser<pcre2_code_free>>;
using MatchData = std::unique_ptr<pcre2_match_data, Releaser<pcre2_match_data_free>>;
using MatchContext = std::unique_ptr<pcre2_match_context, Releaser<pcre2_match_context_free>>;
using JitStack = std::unique_ptr<pcre2_jit_stack, Releaser<pcre2_jit_stack_free>>;

/// Steps of backtracking that one search may take: searches of ordinary patterns give back each character of
/// a long run once for each alternative, so the limit follows the length of the text.
uint32_t matchLimit(size_t textLength) {
  return static_cast<uint32_t>(
      std::min<uint64_t>(100'000 + 20 * static_cast<uint64_t>(textLength), UINT32_MAX));
}
constexpr uint32_t depthLimit = 10'000;
constexpr uint32_t heapLimitKilobytes = 64 << 10;
constexpr size_t jitStackBytes = 8 << 20;

/// The class of each code point: one byte, found through pages of 256 code points. Pages that are equal are
/// shared.
class ClassTable {
public:
  /// False where the sets tell apart more classes than a byte can number. |members| receives for each set the
  /// classes that it consists of, ascending.
  bool build(const std::vector<CodePointSet> &sets, std::vector<std::vector<uint8_t>> &members) {
    std::vector<char32_t> starts = {0};
    for (const CodePointSet &set : sets)
      for (char32_t edge : set.getEdges())
        if (edge <= lastCodePoint)
          starts.push_back(edge);
    std::sort(starts.begin(), starts.end());
    starts.erase(std::unique(starts.begin(), starts.end()), starts.end());

    // Two intervals belong to one class when they lie in the same sets.
    std::map<std::vector<bool>, uint8_t> classes;
    std::vector<size_t> nextEdge(sets.size(), 0);
    std::vector<bool> signature(sets.size());
    std::vector<uint8_t> classOf(starts.size());
    members.assign(sets.size(), {});
    for (size_t i = 0; i < starts.size(); ++i) {
      for (size_t s = 0; s < sets.size(); ++s) {
        const std::vector<char32_t> &edges = sets[s].getEdges();
        while (nextEdge[s] < edges.size() && edges[nextEdge[s]] <= starts[i])
          ++nextEdge[s];
        signature[s] = nextEdge[s] % 2 == 1;
      }
      auto known = classes.find(signature);
      if (known == classes.end()) {
        if (classes.size() == 256)
          return false;
        uint8_t number = static_cast<uint8_t>(classes.size());
        known = classes.emplace(signature, number).first;
        for (size_t s = 0; s < sets.size(); ++s)
          if (signature[s])
            members[s].push_back(number);
      }
      classOf[i] = known->second;
    }
    fillPages(starts, classOf);
    return true;
  }

  uint8_t operator[](char32_t point) const {
    return point > lastCodePoint ? pages[0][0] : pages[pageOf[point >> 8]][point & 0xFF];
  }

private:
  using Page = std::array<uint8_t, 256>;
  std::vector<uint16_t> pageOf;
  std::vector<Page> pages;

  void fillPages(const std::vector<char32_t> &starts, const std::vector<uint8_t> &classOf) {
    std::map<Page, uint16_t> known;
    std::array<int, 256> uniform;
    uniform.fill(-1);
    auto intern = [&](const Page &page) {
      auto [entry, isNew] = known.try_emplace(page, static_cast<uint16_t>(pages.size()));
      if (isNew)
        pages.push_back(page);
      return entry->second;
    };
    size_t interval = 0;
    for (char32_t base = 0; base <= lastCodePoint; base += 256) {
      auto endOf = [&](size_t i) { return i + 1 < starts.size() ? starts[i + 1] : lastCodePoint + 1; };
      while (endOf(interval) <= base)
        ++interval;
      Page page;
      if (endOf(interval) >= base + 256) {
        uint8_t number = classOf[interval];
        if (uniform[number] < 0) {
          page.fill(number);
          uniform[number] = intern(page);
        }
        pageOf.push_back(static_cast<uint16_t>(uniform[number]));
        continue;
      }
      size_t i = interval;
      for (char32_t point = base; point < base + 256; ++point) {
        while (endOf(i) <= point)
          ++i;
        page[point - base] = classOf[i];
      }
      pageOf.push_back(intern(page));
    }
  }
};

std::string hexByte(uint8_t byte) {
  static constexpr char digits[] = "0123456789abcdef";
  return std::string("\\x") + digits[byte >> 4] + digits[byte & 15];
}

/// The set as PCRE2 syntax over classes.
std::string classSyntax(const std::vector<uint8_t> &members) {
  if (members.empty())
    return "(?:(?!))"; // no code point is in the set
  if (members.size() == 1)
    return hexByte(members[0]);
  std::string text = "[";
  for (size_t i = 0; i < members.size();) {
    size_t end = i;
    while (end + 1 < members.size() && members[end + 1] == members[end] + 1)
      ++end;
    text += hexByte(members[i]);
    if (end > i)
      text += "-" + hexByte(members[end]);
    i = end + 1;
  }
  return text + "]";
}

} // namespace

struct Regex::Compiled {
  Code code;
  ClassTable classes;
  std::string classPattern;
};

struct Regex::Scratch::State {
  MatchContext context{pcre2_match_context_create(nullptr)};
  JitStack
      jitStack; ///< made when a search does not get along with the machine stack's 32 KB that PCRE2 takes
  MatchData match{pcre2_match_data_create(1, nullptr)};
  std::vector<uint8_t> subject;
};

Regex::Scratch::Scratch() : state(std::make_unique<State>()) {
  if (!state->context)
    return;
  pcre2_set_depth_limit(state->context.get(), depthLimit);
  pcre2_set_heap_limit(state->context.get(), heapLimitKilobytes);
}
Regex::Scratch::~Scratch() = default;

Regex::Regex(std::unique_ptr<Compiled> compiled) : compiled(std::move(compiled)) {}
Regex::Regex(Regex &&) noexcept = default;
Regex &Regex::operator=(Regex &&) noexcept = default;
Regex::~Regex() = default;

const std::string &Regex::classPattern() const { return compiled->classPattern; }

Expected<Regex> Regex::compile(std::string_view pattern) {
  QUERN_ASSIGN_OR_RETURN(RegexPattern parsed, parseRegexPattern(pattern));
  auto compiled = std::make_unique<Compiled>();
  std::vector<std::vector<uint8_t>> members;
  if (!compiled->classes.build(parsed.sets, members))
    return Status::error(Exit::Unsupported, "E-TOKENIZER-REGEX",
                         "the pattern tells apart more than 256 classes of characters");
  for (const RegexPattern::Token &token : parsed.tokens)
    compiled->classPattern += token.set < 0 ? token.syntax : classSyntax(members[token.set]);

  int error = 0;
  PCRE2_SIZE offset = 0;
  compiled->code.reset(pcre2_compile(
      reinterpret_cast<PCRE2_SPTR>(compiled->classPattern.data()), compiled->classPattern.size(),
      PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_AUTO_CAPTURE, &error, &offset,
      nullptr));
  if (!compiled->code) {
    PCRE2_UCHAR message[256] = {};
    pcre2_get_error_message(error, message, sizeof message);
    return Status::error(Exit::Unsupported, "E-TOKENIZER-REGEX", "the pattern is not supported")
        .cause(reinterpret_cast<const char *>(message));
  }
  pcre2_jit_compile(compiled->code.get(),
                    PCRE2_JIT_COMPLETE); // without it the interpreter matches, more slowly
  return Regex(std::move(compiled));
}

Status Regex::findAll(std::u32string_view text, Scratch &scratch, std::vector<TextRange> &matches) const {
  Scratch::State &state = *scratch.state;
  if (!state.context || !state.match)
    return Status::error(Exit::Resource, "E-TOKENIZER-MEMORY", "out of memory while splitting text");
  state.subject.resize(text.size() + 1); // never empty, so that its address is valid
  for (size_t i = 0; i < text.size(); ++i)
    state.subject[i] = compiled->classes[text[i]];

  pcre2_set_match_limit(state.context.get(), matchLimit(text.size()));

  // The loop of Oniguruma's binding: an empty match right behind a match is passed over by one character.
  size_t start = 0;
  int64_t lastEnd = -1;
  while (start <= text.size()) {
    int found = pcre2_match(compiled->code.get(), state.subject.data(), text.size(), start, 0,
                            state.match.get(), state.context.get());
    if (found == PCRE2_ERROR_JIT_STACKLIMIT && !state.jitStack) {
      state.jitStack.reset(pcre2_jit_stack_create(64 << 10, jitStackBytes, nullptr));
      pcre2_jit_stack_assign(state.context.get(), nullptr, state.jitStack.get());
      continue;
    }
    if (found == PCRE2_ERROR_NOMATCH)
      return Status::success();
    if (found < 0) {
      PCRE2_UCHAR message[256] = {};
      pcre2_get_error_message(found, message, sizeof message);
      return Status::error(Exit::BadInput, "E-TOKENIZER-MATCH-LIMIT",
                           "splitting the text takes more steps than a pattern of the tokenizer is allowed")
          .cause(reinterpret_cast<const char *>(message));
    }
    const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(state.match.get());
    if (ends[0] == ends[1] && static_cast<int64_t>(ends[1]) == lastEnd) {
      ++start;
      continue;
    }
    start = ends[1];
    lastEnd = static_cast<int64_t>(start);
    matches.push_back({static_cast<uint32_t>(ends[0]), static_cast<uint32_t>(ends[1])});
  }
  return Status::success();
}

} // namespace quern::runtime
