//===- Unicode.cpp --------------------------------------------------------===//
#include "runtime/text/Unicode.h"

#include <algorithm>
#include <iterator>
#include <string>

namespace quern::runtime {

#include "runtime/text/UnicodeData.inc"

CodePointSet CodePointSet::range(char32_t first, char32_t last) { return CodePointSet({first, last + 1}); }

CodePointSet CodePointSet::of(std::u32string_view points) {
  std::u32string sorted(points);
  std::sort(sorted.begin(), sorted.end());
  CodePointSet set;
  for (char32_t point : sorted) {
    if (!set.edges.empty() && set.edges.back() >= point)
      set.edges.back() = point + 1;
    else
      set.edges.insert(set.edges.end(), {point, point + 1});
  }
  return set;
}

bool CodePointSet::contains(char32_t point) const {
  return (std::upper_bound(edges.begin(), edges.end(), point) - edges.begin()) % 2 == 1;
}

CodePointSet CodePointSet::complement() const {
  std::vector<char32_t> result = edges;
  if (!result.empty() && result.front() == 0)
    result.erase(result.begin());
  else
    result.insert(result.begin(), 0);
  if (!result.empty() && result.back() == lastCodePoint + 1)
    result.pop_back();
  else
    result.push_back(lastCodePoint + 1);
  return CodePointSet(std::move(result));
}

/// Walks the edges of both sets and keeps those where |keep| of (inside a, inside b) changes.
template <typename Keep>
static std::vector<char32_t> combine(const std::vector<char32_t> &a, const std::vector<char32_t> &b,
                                     Keep keep) {
  std::vector<char32_t> result;
  size_t i = 0, j = 0;
  bool inside = false;
  while (i < a.size() || j < b.size()) {
    char32_t edge = std::min(i < a.size() ? a[i] : ~char32_t(0), j < b.size() ? b[j] : ~char32_t(0));
    i += i < a.size() && a[i] == edge;
    j += j < b.size() && b[j] == edge;
    if (keep(i % 2 == 1, j % 2 == 1) != inside) {
      inside = !inside;
      result.push_back(edge);
    }
  }
  return result;
}

CodePointSet CodePointSet::united(const CodePointSet &other) const {
  return CodePointSet(combine(edges, other.edges, [](bool a, bool b) { return a || b; }));
}

CodePointSet CodePointSet::intersected(const CodePointSet &other) const {
  return CodePointSet(combine(edges, other.edges, [](bool a, bool b) { return a && b; }));
}

std::optional<CodePointSet> propertySet(std::string_view name) {
  bool group = name.size() == 1, known = false;
  bool wanted[std::size(categoryNames)] = {};
  for (size_t i = 0; i < std::size(categoryNames); ++i) {
    std::string_view category = categoryNames[i];
    wanted[i] = group ? category.substr(0, 1) == name : category == name;
    known |= wanted[i];
  }
  if (!known)
    return std::nullopt;
  std::vector<char32_t> edges;
  for (uint32_t run : categoryRuns)
    if (wanted[run & 0xFF] != (edges.size() % 2 == 1))
      edges.push_back(run >> 8);
  if (edges.size() % 2 == 1)
    edges.push_back(lastCodePoint + 1);
  return CodePointSet(std::move(edges));
}

CodePointSet spaceSet() {
  return CodePointSet::of(U"\t\n\v\f\r \u0085\u00A0\u1680\u2028\u2029\u202F\u205F\u3000")
      .united(CodePointSet::range(0x2000, 0x200A));
}

CodePointSet wordSet() {
  CodePointSet alphabetic(std::vector<char32_t>(std::begin(alphabeticEdges), std::end(alphabeticEdges)));
  return alphabetic.united(*propertySet("M"))
      .united(*propertySet("Nd"))
      .united(*propertySet("Pc"))
      .united(CodePointSet::range(0x200C, 0x200D));
}

const Decomposition *findNewDecomposition(char32_t point) {
  auto found = std::lower_bound(std::begin(newDecompositions), std::end(newDecompositions), point,
                                [](const Decomposition &entry, char32_t p) { return entry.composed < p; });
  return found != std::end(newDecompositions) && found->composed == point ? found : nullptr;
}

uint8_t findNewCombiningClass(char32_t point) {
  auto found = std::lower_bound(std::begin(newCombiningClasses), std::end(newCombiningClasses), point,
                                [](const CombiningClass &entry, char32_t p) { return entry.codePoint < p; });
  return found != std::end(newCombiningClasses) && found->codePoint == point ? found->value : 0;
}

std::vector<Decomposition> allNewDecompositions() {
  return std::vector<Decomposition>(std::begin(newDecompositions), std::end(newDecompositions));
}

} // namespace quern::runtime
