//===- Nfc.cpp ------------------------------------------------------------===//
#include "runtime/text/Nfc.h"

#include "runtime/text/Unicode.h"

#include <utf8proc.h>

#include <algorithm>

namespace quern::runtime {
namespace {

/// Hangul syllables compose by arithmetic (Unicode standard 3.12).
constexpr char32_t syllableBase = 0xAC00, leadBase = 0x1100, vowelBase = 0x1161, tailBase = 0x11A7;
constexpr char32_t leadCount = 19, vowelCount = 21, tailCount = 28;

/// All code points below compose with nothing before them and have no decomposition that matters:
/// NFC_Quick_Check=Yes.
constexpr char32_t firstAffected = 0x300;

uint8_t combiningClass(char32_t point) {
  if (uint8_t value = findNewCombiningClass(point))
    return value;
  return static_cast<uint8_t>(utf8proc_get_property(static_cast<utf8proc_int32_t>(point))->combining_class);
}

/// Writes the full canonical decomposition and returns its length, at most 8.
size_t decompose(char32_t point, char32_t *out) {
  if (const Decomposition *known = findNewDecomposition(point)) {
    size_t length = decompose(known->first, out);
    out[length] = known->second;
    return length + 1;
  }
  utf8proc_int32_t buffer[8];
  int boundary = 0;
  utf8proc_ssize_t length =
      utf8proc_decompose_char(static_cast<utf8proc_int32_t>(point), buffer, 8, UTF8PROC_DECOMPOSE, &boundary);
  if (length <= 0 || length > 8) {
    out[0] = point;
    return 1;
  }
  std::copy(buffer, buffer + length, out);
  return static_cast<size_t>(length);
}

uint64_t pairOf(char32_t first, char32_t second) { return static_cast<uint64_t>(first) << 32 | second; }

} // namespace

Nfc::Nfc() {
  // A composed code point decomposes in one step into what its shorter decomposition composes to, and a last
  // mark.
  std::vector<std::pair<std::u32string, char32_t>> composed;
  for (char32_t point = 0xC0; point < 0x20000; ++point) {
    if (point >= syllableBase && point < 0xE000)
      continue; // syllables and surrogates
    const utf8proc_property_t *property = utf8proc_get_property(static_cast<utf8proc_int32_t>(point));
    if (property->decomp_seqindex == UINT16_MAX || property->decomp_type != 0 || property->comp_exclusion ||
        findNewDecomposition(point))
      continue;
    char32_t parts[9];
    size_t length = decompose(point, parts);
    // Several code points may have one decomposition; only one of them is what it composes to.
    utf8proc_int32_t buffer[9];
    std::copy(parts, parts + length, buffer);
    utf8proc_ssize_t normal = utf8proc_normalize_utf32(buffer, static_cast<utf8proc_ssize_t>(length),
                                                       utf8proc_option_t(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
    if (length >= 2 && normal == 1 && static_cast<char32_t>(buffer[0]) == point)
      composed.emplace_back(std::u32string(parts, length), point);
  }
  std::sort(composed.begin(), composed.end());
  for (const auto &[parts, point] : composed) {
    std::u32string head = parts.substr(0, parts.size() - 1);
    char32_t first = head[0];
    if (head.size() > 1) {
      auto found = std::lower_bound(composed.begin(), composed.end(), std::make_pair(head, char32_t(0)));
      if (found == composed.end() || found->first != head)
        continue;
      first = found->second;
    }
    compositions.push_back({pairOf(first, parts.back()), point});
  }
  for (const Decomposition &entry : allNewDecompositions())
    compositions.push_back({pairOf(entry.first, entry.second), entry.composed});
  std::sort(compositions.begin(), compositions.end(),
            [](const Composition &a, const Composition &b) { return a.pair < b.pair; });
}

char32_t Nfc::compose(char32_t first, char32_t second) const {
  if (first >= leadBase && first < leadBase + leadCount && second >= vowelBase &&
      second < vowelBase + vowelCount)
    return syllableBase + ((first - leadBase) * vowelCount + (second - vowelBase)) * tailCount;
  if (first >= syllableBase && first < syllableBase + leadCount * vowelCount * tailCount &&
      (first - syllableBase) % tailCount == 0 && second > tailBase && second < tailBase + tailCount)
    return first + (second - tailBase);
  auto found = std::lower_bound(compositions.begin(), compositions.end(), pairOf(first, second),
                                [](const Composition &entry, uint64_t pair) { return entry.pair < pair; });
  return found != compositions.end() && found->pair == pairOf(first, second) ? found->composed : 0;
}

void Nfc::apply(MarkedText &marked) const {
  if (std::all_of(marked.text.begin(), marked.text.end(), [](char32_t c) { return c < firstAffected; }))
    return;
  struct Unit {
    char32_t point;
    uint8_t combining, plain;
    uint32_t order;
  };
  std::vector<Unit> units;
  units.reserve(marked.text.size() + 16);
  for (size_t i = 0; i < marked.text.size(); ++i) {
    uint8_t plain = marked.plain.empty() ? 0 : marked.plain[i];
    char32_t parts[9] = {marked.text[i]};
    size_t length = parts[0] < 0xC0 ? 1 : decompose(parts[0], parts);
    for (size_t part = 0; part < length; ++part)
      units.push_back({parts[part], parts[part] < firstAffected ? uint8_t(0) : combiningClass(parts[part]),
                       plain, static_cast<uint32_t>(units.size())});
  }

  // Marks between two starters, in order of their class; equal classes keep their order.
  for (size_t begin = 0; begin < units.size();) {
    size_t end = begin + 1;
    if (units[begin].combining)
      while (end < units.size() && units[end].combining)
        ++end;
    if (end - begin > 1)
      std::sort(units.begin() + begin, units.begin() + end, [](const Unit &a, const Unit &b) {
        return a.combining != b.combining ? a.combining < b.combining : a.order < b.order;
      });
    begin = end;
  }

  size_t kept = 0, starter = SIZE_MAX;
  int last = -1; // class of the unit kept last behind the starter; -1 directly behind it
  for (const Unit &unit : units) {
    if (starter != SIZE_MAX && last < unit.combining) {
      if (char32_t composed = compose(units[starter].point, unit.point)) {
        units[starter].point = composed;
        units[starter].plain |= unit.plain;
        continue;
      }
    }
    if (unit.combining == 0) {
      starter = kept;
      last = -1;
    } else {
      last = unit.combining;
    }
    units[kept++] = unit;
  }
  units.resize(kept);

  marked.text.resize(kept);
  if (!marked.plain.empty())
    marked.plain.resize(kept);
  for (size_t i = 0; i < kept; ++i) {
    marked.text[i] = units[i].point;
    if (!marked.plain.empty())
      marked.plain[i] = units[i].plain;
  }
}

} // namespace quern::runtime
