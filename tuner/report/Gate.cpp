//===- Gate.cpp -----------------------------------------------------------===//
#include "tuner/report/Gate.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace quern::report {

namespace {

constexpr std::pair<const char *, Gate::Metric> metrics[] = {{"p50_regress", Gate::Metric::P50},
                                                             {"sure_regress", Gate::Metric::Sure},
                                                             {"geomean_regress", Gate::Metric::GeometricMean},
                                                             {"total_regress", Gate::Metric::Total}};

struct Offence {
  std::string name;
  double regress; ///< NaN where it cannot be judged
};

std::string percent(double value) {
  char text[48];
  std::snprintf(text, sizeof text, "%+.1f %%", 100 * value);
  return text;
}

} // namespace

Expected<Gate> Gate::parse(const std::string &text) {
  auto refuse = [&](const char *cause) {
    return Status::error(Exit::Usage, "E-GATE-FORM", "`" + text + "` is no gate")
        .cause(cause)
        .remedy("write for example p50_regress<3%; the metrics are p50_regress, sure_regress, "
                "geomean_regress and "
                "total_regress");
  };
  std::string bare;
  std::copy_if(text.begin(), text.end(), std::back_inserter(bare), [](char c) { return c != ' '; });
  const size_t sign = bare.find('<');
  if (sign == std::string::npos)
    return refuse("there is no < in it");
  Gate gate;
  gate.text = bare;
  const std::string name = bare.substr(0, sign);
  auto found = std::find_if(std::begin(metrics), std::end(metrics), [&](auto &m) { return name == m.first; });
  if (found == std::end(metrics))
    return refuse("its metric is not known");
  gate.metric = found->second;
  std::string_view bound = std::string_view(bare).substr(sign + 1);
  gate.orEqual = bound.starts_with('=');
  if (gate.orEqual)
    bound.remove_prefix(1);
  const bool isPercent = bound.ends_with('%');
  if (isPercent)
    bound.remove_suffix(1);
  auto [end, fault] = std::from_chars(bound.data(), bound.data() + bound.size(), gate.bound);
  if (fault != std::errc() || end != bound.data() + bound.size() || !std::isfinite(gate.bound))
    return refuse("its bound is no number");
  if (isPercent)
    gate.bound /= 100;
  return gate;
}

Status Gate::check(const Comparison &comparison) const {
  std::vector<Offence> offences;
  auto judge = [&](const std::string &name, double regress) {
    if (!(orEqual ? regress <= bound : regress < bound))
      offences.push_back({name, regress});
  };
  if (metric == Metric::P50)
    for (const Pair &pair : comparison.pairs)
      judge(pair.a->name, pair.ratio.median - 1);
  if (metric == Metric::Sure)
    for (const Pair &pair : comparison.pairs)
      judge(pair.a->name, pair.interval == IntervalKind::None ? std::nan("") : pair.ratio.low - 1);
  for (const GroupMean &group : comparison.groups) {
    if (metric == Metric::GeometricMean)
      judge("all of " + group.group, group.rows ? group.ratio.median - 1 : std::nan(""));
    if (metric == Metric::Total)
      judge("all of " + group.group, group.bSeconds / group.aSeconds - 1);
  }
  if (offences.empty() && comparison.onlyA.empty())
    return Status::success();
  std::sort(offences.begin(), offences.end(), [](const Offence &a, const Offence &b) {
    const double left = std::isnan(a.regress) ? INFINITY : a.regress,
                 right = std::isnan(b.regress) ? INFINITY : b.regress;
    return std::pair(right, a.name) < std::pair(left, b.name);
  });
  std::string cause;
  auto say = [&](const std::string &text) { cause += (cause.empty() ? "" : "; ") + text; };
  for (size_t i = 0; i < std::min<size_t>(offences.size(), 3); ++i)
    say("`" + offences[i].name + "` " +
        (std::isnan(offences[i].regress) ? "has no interval" : percent(offences[i].regress)));
  if (offences.size() > 3)
    say("and " + std::to_string(offences.size() - 3) + " more");
  if (!comparison.onlyA.empty())
    say("B lacks " + std::to_string(comparison.onlyA.size()) + " of A's results, `" +
        comparison.onlyA.front() + "` first");
  return Status::error(Exit::GateFailed, "E-GATE-FAILED", "the gate `" + text + "` does not hold")
      .cause(std::move(cause));
}

} // namespace quern::report
