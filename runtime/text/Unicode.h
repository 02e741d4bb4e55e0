//===- Unicode.h - Sets of code points and the properties of Unicode 16.0 -===//
//
// The ids of a prompt depend on the version of Unicode that its tokenizer was written for, so properties come
// from tables in the tree (scripts/text/make_unicode_tables.py) and never from a library of the machine.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_TEXT_UNICODE_H
#define QUERN_RUNTIME_TEXT_UNICODE_H

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace quern::runtime {

constexpr std::string_view unicodeVersion = "16.0.0";
constexpr char32_t lastCodePoint = 0x10FFFF;

/// A set of code points as sorted half-open intervals that do not touch: edges[0] <= c < edges[1], ...
class CodePointSet {
public:
  CodePointSet() = default;
  /// All code points from |first| to |last|, both included.
  static CodePointSet range(char32_t first, char32_t last);
  static CodePointSet of(std::u32string_view points);

  bool contains(char32_t point) const;
  bool empty() const { return edges.empty(); }
  CodePointSet complement() const;
  CodePointSet united(const CodePointSet &other) const;
  CodePointSet intersected(const CodePointSet &other) const;
  const std::vector<char32_t> &getEdges() const { return edges; }
  bool operator==(const CodePointSet &) const = default;
  auto operator<=>(const CodePointSet &) const = default;

private:
  explicit CodePointSet(std::vector<char32_t> edges) : edges(std::move(edges)) {}
  friend std::optional<CodePointSet> propertySet(std::string_view name);
  friend CodePointSet wordSet();
  std::vector<char32_t> edges;
};

/// The set of a general category ("Lu") or of a group of them ("L"); nothing where the name is another.
std::optional<CodePointSet> propertySet(std::string_view name);
/// White_Space.
CodePointSet spaceSet();
/// Alphabetic, M, Nd, Pc and Join_Control (UTS 18, annex C): what `\w` means.
CodePointSet wordSet();

/// A canonical decomposition into two code points, and a canonical combining class.
struct Decomposition {
  char32_t composed, first, second;
};
struct CombiningClass {
  char32_t codePoint;
  uint8_t value;
};
/// What a normalisation library of Unicode 14.0 or 15.0 does not know yet.
const Decomposition *findNewDecomposition(char32_t point);
uint8_t findNewCombiningClass(char32_t point);
std::vector<Decomposition> allNewDecompositions();

} // namespace quern::runtime

#endif // QUERN_RUNTIME_TEXT_UNICODE_H
