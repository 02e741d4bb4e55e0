//===- Schedule.cpp -------------------------------------------------------===//
#include "dialects/tile/Schedule.h"

#include <charconv>
#include <set>

namespace quern::tile {

std::string Schedule::str() const {
  std::string fields;
  auto field = [&](const std::string &text) { fields += (fields.empty() ? "" : " ") + text; };
  if (!tile.empty()) {
    std::string sizes;
    for (size_t i = 0; i < tile.size(); ++i)
      sizes += (i ? "x" : "") + std::to_string(tile[i]);
    field("tile=" + sizes);
  }
  if (warps != 1)
    field("warps=" + std::to_string(warps));
  if (contraction != Contraction::Dot)
    field("contraction=outer");
  return kernel + "{" + fields + "}";
}

static Status syntaxError(std::string_view text, std::string cause) {
  return Status::error(Exit::Usage, "E-SCHEDULE-SYNTAX",
                       "cannot read the schedule `" + std::string(text) + "`")
      .cause(std::move(cause))
      .remedy("write it as kernel{tile=MxN warps=W}");
}

static bool parseInt(std::string_view text, int32_t &value) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value > 0;
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
    std::string_view field = body.substr(0, space);
    body = space == std::string_view::npos ? std::string_view() : body.substr(space + 1);
    if (field.empty())
      continue;
    size_t equals = field.find('=');
    if (equals == std::string_view::npos)
      return syntaxError(text, "`" + std::string(field) + "` has no value");
    std::string_view key = field.substr(0, equals), value = field.substr(equals + 1);
    if (!seen.insert(key).second)
      return syntaxError(text, "`" + std::string(key) + "` is given twice");
    if (key == "tile") {
      while (true) {
        size_t cross = value.find('x');
        int32_t size = 0;
        if (!parseInt(value.substr(0, cross), size))
          return syntaxError(text, "`tile` needs positive sizes joined by `x`");
        schedule.tile.push_back(size);
        if (cross == std::string_view::npos)
          break;
        value = value.substr(cross + 1);
      }
    } else if (key == "warps") {
      if (!parseInt(value, schedule.warps) || (schedule.warps & (schedule.warps - 1)))
        return syntaxError(text, "`warps` needs a power of two");
    } else if (key == "contraction") {
      if (value != "dot" && value != "outer")
        return syntaxError(text, "`contraction` is `dot` or `outer`");
      schedule.contraction = value == "dot" ? Contraction::Dot : Contraction::Outer;
    } else {
      return syntaxError(text, "unknown field `" + std::string(key) + "`");
    }
  }
  return schedule;
}

} // namespace quern::tile
