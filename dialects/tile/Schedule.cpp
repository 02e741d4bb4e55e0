//===- Schedule.cpp -------------------------------------------------------===//
#include "dialects/tile/Schedule.h"

#include <charconv>
#include <functional>
#include <optional>
#include <set>
#include <span>

namespace quern::tile {

namespace {

/// One field of the text form. `print` answers the value, or nothing at the default. `read` answers what the
/// field needs, or nothing if |value| was taken.
struct Field {
  std::string key;
  std::function<std::string(const Schedule &)> print;
  std::function<std::string(std::string_view value, Schedule &)> read;
};

bool parseInt(std::string_view text, int32_t &value) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value >= 0;
}

/// Positive sizes joined by |separator|; false for anything else.
bool parseSizes(std::string_view text, char separator, std::vector<int32_t> &sizes) {
  sizes.clear();
  while (true) {
    size_t cut = text.find(separator);
    int32_t size = 0;
    if (!parseInt(text.substr(0, cut), size) || size == 0)
      return false;
    sizes.push_back(size);
    if (cut == std::string_view::npos)
      return true;
    text = text.substr(cut + 1);
  }
}

std::string joined(const std::vector<int32_t> &sizes, char separator) {
  std::string text;
  for (size_t i = 0; i < sizes.size(); ++i)
    text += (i ? std::string(1, separator) : "") + std::to_string(sizes[i]);
  return text;
}

bool isPowerOfTwo(int32_t n) { return n > 0 && !(n & (n - 1)); }

/// A number with bounds.
Field number(std::string key, int32_t Schedule::*member, int32_t min, int32_t max) {
  int32_t standard = Schedule().*member;
  return {std::move(key),
          [=](const Schedule &s) { return s.*member == standard ? "" : std::to_string(s.*member); },
          [=](std::string_view value, Schedule &s) -> std::string {
            if (!parseInt(value, s.*member) || s.*member < min || s.*member > max)
              return "a number from " + std::to_string(min) + " to " + std::to_string(max);
            return "";
          }};
}

/// Looks |value| up in |words|; nullopt where none is it.
template <typename Enum>
std::optional<Enum> wordIndex(std::span<const std::string_view> words, std::string_view value) {
  for (size_t i = 0; i < words.size(); ++i)
    if (words[i] == value)
      return Enum(i);
  return std::nullopt;
}

std::string listed(std::span<const std::string_view> words) {
  std::string text;
  for (size_t i = 0; i < words.size(); ++i)
    text += (i == 0 ? "`" : i + 1 == words.size() ? " or `" : ", `") + std::string(words[i]) + "`";
  return text;
}

/// A word; |words| names the values in their order.
template <typename Enum>
Field word(std::string key, Enum Schedule::*member, std::span<const std::string_view> words) {
  Enum standard = Schedule().*member;
  return {std::move(key),
          [=](const Schedule &s) {
            return s.*member == standard ? std::string() : std::string(words[size_t(s.*member)]);
          },
          [=](std::string_view value, Schedule &s) -> std::string {
            std::optional<Enum> found = wordIndex<Enum>(words, value);
            if (!found)
              return listed(words);
            s.*member = *found;
            return "";
          }};
}

Field flag(std::string key, bool Schedule::*member) {
  bool standard = Schedule().*member;
  return {std::move(key),
          [=](const Schedule &s) { return s.*member == standard ? ""
                                          : s.*member           ? "on"
                                                                : "off"; },
          [=](std::string_view value, Schedule &s) -> std::string {
            if (value != "on" && value != "off")
              return "`on` or `off`";
            s.*member = value == "on";
            return "";
          }};
}

/// "2x1": two numbers that are both 1 by default.
Field pairOf(std::string key, int32_t Schedule::*first, int32_t Schedule::*second, int32_t max) {
  return {std::move(key),
          [=](const Schedule &s) {
            return s.*first == 1 && s.*second == 1 ? "" : joined({s.*first, s.*second}, 'x');
          },
          [=](std::string_view value, Schedule &s) -> std::string {
            std::vector<int32_t> sizes;
            if (!parseSizes(value, 'x', sizes) || sizes.size() != 2 || sizes[0] > max || sizes[1] > max)
              return "two sizes up to " + std::to_string(max) + " joined by `x`";
            s.*first = sizes[0];
            s.*second = sizes[1];
            return "";
          }};
}

constexpr std::string_view contractions[] = {"dot", "outer"};
constexpr std::string_view pairs[] = {"none", "rows", "cols", "seesaw"};
constexpr std::string_view copyModes[] = {"tensor", "async", "direct", "staged", "register"};
constexpr std::string_view reductions[] = {"none", "last_block", "cluster", "separate"};
constexpr std::string_view persistences[] = {"off", "static", "dynamic"};
constexpr std::string_view orders[] = {"linear", "longest", "stream_k", "grouped"};
constexpr std::string_view storePaths[] = {"direct", "shared", "tensor"};
constexpr std::string_view cacheHints[] = {"stream", "keep"};

std::string readWarps(std::string_view value, Schedule &s) {
  std::vector<int32_t> grid;
  bool read = parseSizes(value, 'x', grid) && grid.size() <= 3;
  int64_t product = 1;
  for (int32_t count : grid) {
    read &= isPowerOfTwo(count) && count <= 1024;
    product *= read ? count : 1;
  }
  if (!read || product > 1024)
    return "a power of two, or a grid of up to three joined by `x`";
  s.warps = int32_t(product);
  if (grid.size() > 1) {
    grid.resize(3, 1);
    s.warpGrid = grid;
  }
  return "";
}

std::string printWarps(const Schedule &s) {
  if (s.warpGrid.empty())
    return s.warps == 1 ? "" : std::to_string(s.warps);
  std::vector<int32_t> grid = s.warpGrid;
  if (grid.size() == 3 && grid[2] == 1)
    grid.pop_back();
  return joined(grid, 'x');
}

std::string readStrategy(std::string_view value, Schedule &s) {
  s.phases = 0;
  if (value == "inline")
    s.strategy = Strategy::Inline;
  else if (value == "roles")
    s.strategy = Strategy::Roles;
  else if (value == "interleave")
    s.strategy = Strategy::Interleave;
  else if (value.starts_with("phases") && parseInt(value.substr(6), s.phases) && s.phases >= 1 &&
           s.phases <= 16)
    s.strategy = Strategy::Phases;
  else
    return "`inline`, `roles`, `phasesN` or `interleave`";
  return "";
}

std::string printStrategy(const Schedule &s) {
  switch (s.strategy) {
  case Strategy::Inline:
    return "";
  case Strategy::Roles:
    return "roles";
  case Strategy::Phases:
    return "phases" + std::to_string(s.phases);
  case Strategy::Interleave:
    return "interleave";
  }
  return "";
}

std::string readSplit(std::string_view value, Schedule &s) {
  size_t colon = value.find(':');
  std::optional<Reduction> found;
  if (colon != std::string_view::npos)
    found = wordIndex<Reduction>(reductions, value.substr(colon + 1));
  if (!found || *found == Reduction::None || !parseInt(value.substr(0, colon), s.split) || s.split < 2)
    return "slices, two or more, and `:last_block`, `:cluster` or `:separate`";
  s.reduction = *found;
  return "";
}

std::string readRaster(std::string_view value, Schedule &s) {
  bool axis = !value.empty() && (value[0] == 'm' || value[0] == 'n');
  if (!axis || !parseInt(value.substr(1), s.rasterGroup) || s.rasterGroup < 1)
    return "`m` or `n` and the tiles of a group";
  s.rasterAxis = value[0] == 'm' ? RasterAxis::M : RasterAxis::N;
  return "";
}

std::string printRaster(const Schedule &s) {
  if (s.rasterAxis == RasterAxis::M && s.rasterGroup == 1)
    return "";
  return (s.rasterAxis == RasterAxis::M ? "m" : "n") + std::to_string(s.rasterGroup);
}

/// "64:tensor:2"; the columns may be 0, the depth is optional.
std::string readEpilogue(std::string_view value, Schedule &s) {
  const std::string needs = "columns, `:direct`, `:shared` or `:tensor`, and a depth up to 4";
  size_t colon = value.find(':');
  if (colon == std::string_view::npos || !parseInt(value.substr(0, colon), s.epilogueColumns))
    return needs;
  value = value.substr(colon + 1);
  colon = value.find(':');
  std::optional<StorePath> found = wordIndex<StorePath>(storePaths, value.substr(0, colon));
  if (!found)
    return needs;
  s.store = *found;
  s.epilogueDepth = 1;
  if (colon != std::string_view::npos &&
      (!parseInt(value.substr(colon + 1), s.epilogueDepth) || s.epilogueDepth < 1 || s.epilogueDepth > 4))
    return needs;
  return "";
}

std::string printEpilogue(const Schedule &s) {
  if (s.epilogueColumns == 0 && s.store == StorePath::Direct && s.epilogueDepth == 1)
    return "";
  return std::to_string(s.epilogueColumns) + ":" + std::string(storePaths[size_t(s.store)]) +
         (s.epilogueDepth == 1 ? "" : ":" + std::to_string(s.epilogueDepth));
}

std::string readRegisters(std::string_view value, Schedule &s) {
  std::vector<int32_t> numbers;
  if (!parseSizes(value, ':', numbers) || numbers.size() != 2 || numbers[0] > 512 || numbers[1] > 512)
    return "registers of a copying and of a computing lane, joined by `:`";
  s.producerRegisters = numbers[0];
  s.mathRegisters = numbers[1];
  return "";
}

/// All fields but those with an operand in their key, in canonical order. The latter follow `pair` and
/// `rescale`.
const std::vector<Field> &fields() {
  static const std::vector<Field> list = {
      {"tile", [](const Schedule &s) { return joined(s.tile, 'x'); },
       [](std::string_view value, Schedule &s) -> std::string {
         return parseSizes(value, 'x', s.tile) ? "" : "positive sizes joined by `x`";
       }},
      {"mma", [](const Schedule &s) { return s.mma; },
       [](std::string_view value, Schedule &s) -> std::string {
         s.mma = value;
         return value.empty() ? "the name of an atom" : "";
       }},
      {"warps", printWarps, readWarps},
      number("groups", &Schedule::groups, 1, 3),
      {"strategy", printStrategy, readStrategy},
      word("contraction", &Schedule::contraction, contractions),
      {"stages", [](const Schedule &s) { return s.stages ? std::to_string(s.stages) : std::string(); },
       [](std::string_view value, Schedule &s) -> std::string {
         s.stages = 0;
         if (value == "fit")
           return "";
         return parseInt(value, s.stages) && s.stages >= 1 && s.stages <= 16
                    ? ""
                    : "`fit` or a number from 1 to 16";
       }},
      number("mma_in_flight", &Schedule::mmaInFlight, 0, 2),
      number("frag_prefetch", &Schedule::fragPrefetch, 0, 2),
      number("accum_stages", &Schedule::accumStages, 1, 2),
      word("pair", &Schedule::pair, pairs),
      pairOf("cluster", &Schedule::clusterM, &Schedule::clusterN, 16),
      flag("swap", &Schedule::swap),
      flag("transpose_scores", &Schedule::transposeScores),
      {"split",
       [](const Schedule &s) {
         return s.split == 1 ? std::string()
                             : std::to_string(s.split) + ":" + std::string(reductions[size_t(s.reduction)]);
       },
       readSplit},
      word("persist", &Schedule::persist, persistences),
      {"raster", printRaster, readRaster},
      pairOf("dies", &Schedule::dies, &Schedule::dieChunk, 1024),
      word("order", &Schedule::order, orders),
      {"epilogue", printEpilogue, readEpilogue},
      number("unroll", &Schedule::unroll, 1, 64),
      {"regs",
       [](const Schedule &s) {
         return s.producerRegisters ? joined({s.producerRegisters, s.mathRegisters}, ':') : std::string();
       },
       readRegisters},
      number("occupancy", &Schedule::occupancy, 0, 32),
      number("rescale", &Schedule::rescale, 0, 64),
      flag("deterministic", &Schedule::deterministic),
  };
  return list;
}

bool isOperandName(std::string_view name) {
  for (char c : name)
    if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_')
      return false;
  return !name.empty();
}

/// "copy.a" or "hint.b": a value per operand.
template <typename Enum>
std::string readOperand(std::string_view operand, std::string_view value,
                        std::span<const std::string_view> words, std::map<std::string, Enum> &into) {
  std::optional<Enum> found = wordIndex<Enum>(words, value);
  if (!found || !isOperandName(operand))
    return listed(words);
  into[std::string(operand)] = *found;
  return "";
}

Status syntaxError(std::string_view text, std::string cause) {
  return Status::error(Exit::Usage, "E-SCHEDULE-SYNTAX",
                       "cannot read the schedule `" + std::string(text) + "`")
      .cause(std::move(cause))
      .remedy("write it as kernel{tile=MxN warps=W}");
}

} // namespace

std::string Schedule::str() const {
  std::string text;
  auto add = [&](const std::string &key, std::string_view value) {
    text += (text.empty() ? "" : " ") + key + "=" + std::string(value);
  };
  for (const Field &field : fields()) {
    if (std::string value = field.print(*this); !value.empty())
      add(field.key, value);
    if (field.key == "pair")
      for (const auto &[operand, mode] : copies)
        add("copy." + operand, copyModes[size_t(mode)]);
    if (field.key == "rescale")
      for (const auto &[operand, hint] : hints)
        add("hint." + operand, cacheHints[size_t(hint)]);
  }
  return kernel + "{" + text + "}";
}

Expected<Schedule> Schedule::parse(std::string_view text) {
  Schedule schedule;
  size_t open = text.find('{');
  if (open == std::string_view::npos || open == 0 || text.back() != '}')
    return syntaxError(text, "expected a kernel name and braces");
  schedule.kernel = text.substr(0, open);
  std::string_view body = text.substr(open + 1, text.size() - open - 2);
  std::set<std::string_view> seen;
  while (!body.empty()) {
    size_t space = body.find(' ');
    std::string_view item = body.substr(0, space);
    body = space == std::string_view::npos ? std::string_view() : body.substr(space + 1);
    if (item.empty())
      continue;
    size_t equals = item.find('=');
    if (equals == std::string_view::npos)
      return syntaxError(text, "`" + std::string(item) + "` has no value");
    std::string_view key = item.substr(0, equals), value = item.substr(equals + 1);
    if (!seen.insert(key).second)
      return syntaxError(text, "`" + std::string(key) + "` is given twice");
    std::optional<std::string> needs;
    if (key.starts_with("copy."))
      needs = readOperand(key.substr(5), value, copyModes, schedule.copies);
    else if (key.starts_with("hint."))
      needs = readOperand(key.substr(5), value, cacheHints, schedule.hints);
    for (const Field &field : fields())
      if (field.key == key)
        needs = field.read(value, schedule);
    if (!needs)
      return syntaxError(text, "unknown field `" + std::string(key) + "`");
    if (!needs->empty())
      return syntaxError(text, "`" + std::string(key) + "` needs " + *needs);
  }
  return schedule;
}

} // namespace quern::tile
