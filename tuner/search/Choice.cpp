//===- Choice.cpp ---------------------------------------------------------===//
#include "tuner/search/Choice.h"

#include <algorithm>
#include <tuple>

namespace quern::tuner {

using runtime::Estimate;

std::vector<size_t> noiseBand(std::span<const Contender> all, double slack) {
  std::vector<size_t> band;
  if (all.empty())
    return band;
  auto speed = [](const Contender &c) { return std::tie(c.seconds.median, c.seconds.minimum, c.config); };
  const Contender &fastest = *std::min_element(
      all.begin(), all.end(), [&](const Contender &a, const Contender &b) { return speed(a) < speed(b); });
  const double reach = fastest.seconds.high + slack * fastest.seconds.median;
  for (size_t i = 0; i < all.size(); ++i)
    if (all[i].seconds.low <= reach)
      band.push_back(i);
  std::sort(band.begin(), band.end(), [&](size_t a, size_t b) {
    return std::tie(all[a].modelled, all[a].config) < std::tie(all[b].modelled, all[b].config);
  });
  return band;
}

std::optional<size_t> favourite(std::span<const Contender> all) {
  const std::vector<size_t> band = noiseBand(all);
  return band.empty() ? std::nullopt : std::optional(band.front());
}

Verdict judge(std::span<const double> candidate, std::span<const double> standard, double least) {
  const size_t pairs = std::min(candidate.size(), standard.size());
  if (pairs == 0)
    return {};
  Verdict verdict{runtime::estimateRatio(candidate.first(pairs), standard.first(pairs)), false};
  verdict.admitted = verdict.ratio.high < 1 && verdict.ratio.median <= 1 - least;
  return verdict;
}

std::vector<size_t> repeatRound(std::span<const Contender> all, size_t lastRound) {
  std::vector<size_t> band = noiseBand(all);
  if (band.size() < 2)
    return {};
  const size_t most = lastRound ? lastRound / 2 : 8;
  if (most < 2)
    return {};
  std::sort(band.begin(), band.end(), [&](size_t a, size_t b) {
    return std::tie(all[a].seconds.median, all[a].config) < std::tie(all[b].seconds.median, all[b].config);
  });
  band.resize(std::min(band.size(), most));
  return band;
}

} // namespace quern::tuner
