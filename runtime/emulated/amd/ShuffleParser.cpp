//===- ShuffleParser.cpp - Reads DPP controls -----------------------------===//
//
// See ShuffleParser.h. Meaning of the controls: CDNA3 manual, chapter "DPP"; RDNA3 manual for row_share,
// row_xmask and DPP8.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/ShuffleParser.h"

#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

namespace quern::runtime::emulated::amd {

static std::optional<int> integer(std::string_view s) {
  std::string text(s);
  char *end = nullptr;
  long value = std::strtol(text.c_str(), &end, 0);
  return text.empty() || *end ? std::nullopt : std::optional<int>(int(value));
}

/// Fills the source lanes of one DPP control; false where the token is none.
bool parseShuffle(std::string_view token, unsigned width, DppModifiers &dpp) {
  auto value = [&](std::string_view name) -> std::optional<int> {
    if (!token.starts_with(name))
      return std::nullopt;
    auto number = integer(token.substr(name.size()));
    return number;
  };
  auto fill = [&](auto source) {
    for (int lane = 0; lane < 64; ++lane)
      dpp.source[lane] = int8_t(lane < int(width) ? source(lane) : -1);
    dpp.present = true;
    return true;
  };
  auto inRow = [](int lane, int position) {
    return position < 0 || position > 15 ? -1 : (lane & ~15) + position;
  };
  auto digits = [](std::string_view list) {
    std::vector<int> numbers;
    for (char c : list)
      if (c >= '0' && c <= '9')
        numbers.push_back(c - '0');
    return numbers;
  };
  int last = int(width) - 1;
  if (token.starts_with("quad_perm:")) {
    auto p = digits(token.substr(10));
    return p.size() == 4 && fill([&](int lane) { return (lane & ~3) + p[lane & 3]; });
  }
  if (token.starts_with("dpp8:")) {
    auto p = digits(token.substr(5));
    return p.size() == 8 && fill([&](int lane) { return (lane & ~7) + p[lane & 7]; });
  }
  if (auto n = value("row_shl:"))
    return fill([&](int lane) { return inRow(lane, (lane & 15) + *n); });
  if (auto n = value("row_shr:"))
    return fill([&](int lane) { return inRow(lane, (lane & 15) - *n); });
  if (auto n = value("row_ror:"))
    return fill([&](int lane) { return (lane & ~15) + ((lane - *n) & 15); });
  if (auto n = value("row_share:"))
    return fill([&](int lane) { return (lane & ~15) + *n; });
  if (auto n = value("row_newbcast:"))
    return fill([&](int lane) { return (lane & ~15) + *n; });
  if (auto n = value("row_xmask:"))
    return fill([&](int lane) { return (lane & ~15) + ((lane & 15) ^ *n); });
  if (token == "row_mirror")
    return fill([&](int lane) { return (lane & ~15) + 15 - (lane & 15); });
  if (token == "row_half_mirror")
    return fill([&](int lane) { return (lane & ~7) + 7 - (lane & 7); });
  if (token == "row_bcast:15") // lane 15 of each row to the next row
    return fill([&](int lane) { return lane < 16 ? -1 : (lane & ~15) - 1; });
  if (token == "row_bcast:31") // lane 31 to the lanes above
    return fill([&](int lane) { return lane < 32 ? -1 : 31; });
  if (token == "wave_shl:1")
    return fill([&](int lane) { return lane == last ? -1 : lane + 1; });
  if (token == "wave_shr:1")
    return fill([&](int lane) { return lane == 0 ? -1 : lane - 1; });
  if (token == "wave_rol:1")
    return fill([&](int lane) { return lane == last ? 0 : lane + 1; });
  if (token == "wave_ror:1")
    return fill([&](int lane) { return lane == 0 ? last : lane - 1; });
  return false;
}

std::shared_ptr<const LaneShuffle> makeShuffle(const DppModifiers &dpp) {
  auto shuffle = std::make_shared<LaneShuffle>();
  shuffle->source = dpp.source;
  shuffle->writable = 0;
  for (unsigned lane = 0; lane < 64; ++lane) // rows of 16 lanes, banks of 4
    if ((dpp.rowMask >> (lane / 16) & 1) && (dpp.bankMask >> (lane % 16 / 4) & 1))
      shuffle->writable |= uint64_t(1) << lane;
  shuffle->zeroInvalid = dpp.zeroInvalid;
  shuffle->readsInactive = dpp.fetchesInactive;
  return shuffle;
}

} // namespace quern::runtime::emulated::amd
