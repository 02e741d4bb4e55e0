//===- Choices.cpp --------------------------------------------------------===//
#include "tuner/database/Choices.h"
#include "dialects/tile/Schedule.h"
#include "runtime/measure/Estimate.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>

namespace quern::tuner {

using runtime::Estimate;
using runtime::estimate;
using runtime::estimateRatio;

namespace {

/// Times of one configuration at one number of tokens, by session.
using Sessions = std::map<std::string, std::vector<double>>;

struct Trials {
  std::map<int64_t, Sessions> times;
  std::map<int64_t, TokenRange> buckets; ///< of the points in |times|
  std::string failure;                   ///< the first of its failures in the range
  uint64_t trials = 0, samples = 0;
};

/// The samples of one session of both are pairs where there are as many of each.
void appendRatios(const std::vector<double> &a, const std::vector<double> &b, std::vector<double> &left,
                  std::vector<double> &right) {
  left.insert(left.end(), a.begin(), a.end());
  right.insert(right.end(), b.begin(), b.end());
}

/// The ratio of |a| to |b| at one point; nothing where one of them has too few samples.
std::optional<Ratio> compareAt(const Sessions &a, const Sessions &b) {
  std::vector<double> left, right;
  bool shared = false, pairs = true;
  for (const auto &[session, samples] : a)
    if (auto it = b.find(session); !session.empty() && it != b.end()) {
      shared = true;
      pairs &= samples.size() == it->second.size();
      appendRatios(samples, it->second, left, right);
    }
  if (!shared) {
    pairs = false;
    for (const auto &[session, samples] : a)
      left.insert(left.end(), samples.begin(), samples.end());
    for (const auto &[session, samples] : b)
      right.insert(right.end(), samples.begin(), samples.end());
  }
  if (left.size() < leastSamples || right.size() < leastSamples)
    return std::nullopt;
  if (pairs) {
    const Estimate ratio = estimateRatio(left, right);
    return Ratio{ratio.median, ratio.low, ratio.high};
  }
  const Estimate l = estimate(left), r = estimate(right);
  return Ratio{l.median / r.median, l.low / r.high, l.high / r.low};
}

/// True where the buckets leave no number of |asked| out.
bool cover(const std::map<int64_t, TokenRange> &buckets, const std::vector<int64_t> &points,
           TokenRange asked) {
  std::vector<TokenRange> ranges;
  for (int64_t point : points)
    ranges.push_back(buckets.at(point));
  std::sort(ranges.begin(), ranges.end());
  int64_t next = asked.first;
  for (TokenRange range : ranges)
    if (range.first <= next)
      next = std::max(next, range.last + 1);
  return next > asked.last;
}

/// For ties: what takes less of the device.
int64_t tileVolume(const std::string &config) {
  Expected<tile::Schedule> schedule = tile::Schedule::parse(config);
  int64_t volume = 1;
  if (schedule.ok())
    for (int32_t size : schedule->tile)
      volume *= size;
  return volume;
}

std::string percent(double ratio) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", std::abs(1 - ratio) * 100);
  return text;
}

class View {
public:
  View(std::span<const Measurement> all, TokenRange asked, std::span<const Decision> decisions,
       const std::optional<std::string> &currentDefault)
      : asked(asked) {
    const bool cold = std::ranges::any_of(
        all, [](const Measurement &m) { return m.cache == "cold" && m.outcome == Outcome::Ok; });
    // In the order in which they were taken: samples of one session then stand beside those taken in turns
    // with them.
    std::map<std::pair<int64_t, std::string>, const Measurement *> ordered;
    for (const Measurement &m : all)
      if (m.problem.tokens.intersects(asked) &&
          (m.outcome != Outcome::Ok || m.cache == (cold ? "cold" : "warm")))
        ordered[{m.timestamp, m.key()}] = &m;
    for (const auto &[key, m] : ordered)
      take(*m);
    if (currentDefault && configs.contains(*currentDefault))
      for (const auto &[tokens, sessions] : configs.at(*currentDefault).times)
        defaults[tokens] = *currentDefault;
    if (!all.empty())
      for (const auto &[config, trials] : configs)
        if (isReverted(decisions, all.front().problem.familyKey(), all.front().device.key(), config))
          reverted.insert(config);
  }

  Choice choose() {
    Choice choice;
    for (const auto &[config, trials] : configs) {
      choice.standings.push_back(judgeConfig(config, trials));
      choice.trials += trials.trials;
    }
    std::ranges::sort(choice.standings, [](const Standing &a, const Standing &b) {
      return std::tuple(!a.admitted, a.ratio.median, a.config) <
             std::tuple(!b.admitted, b.ratio.median, b.config);
    });
    const std::vector<Standing> &all = choice.standings;
    if (all.empty() || !all.front().admitted) {
      choice.why = all.empty()        ? "nothing was measured in " + asked.text() + " tokens"
                   : defaults.empty() ? "the default was not measured"
                   : onlyDefault()    ? "only the default was measured"
                                      : "no configuration beat the default: the nearest is " + nearest(all);
      choice.defaultHolds = !defaults.empty() && !onlyDefault() && defaultCovers();
      return choice;
    }
    size_t count = 0;
    while (count < all.size() && all[count].admitted)
      ++count;
    auto preference = [&](const Standing &s) { return std::tuple(tileVolume(s.config), s.config); };
    size_t best = 0;
    for (size_t i = 1; i < count; ++i)
      if (equal(all[i].config, all[0].config) && preference(all[i]) < preference(all[best]))
        best = i;
    choice.config = all[best].config;
    choice.ratio = all[best].ratio;
    choice.points = all[best].points;
    choice.beaten = defaults.at(choice.points.front());
    choice.why = all[best].why;
    if (count > 1) {
      const Standing &next = all[best == 0 ? 1 : 0];
      choice.runnerUp = next.config;
      choice.runnerUpRatio = next.ratio;
    }
    return choice;
  }

private:
  void take(const Measurement &m) {
    Trials &trials = configs[m.config];
    ++trials.trials;
    trials.samples += m.samples.size();
    if (m.outcome == Outcome::Ok) {
      std::vector<double> &samples = trials.times[m.tokens][m.session];
      samples.insert(samples.end(), m.samples.begin(), m.samples.end());
      // Problems of one family may have been cut in other buckets: the widest one holds.
      auto [it, isNew] = trials.buckets.try_emplace(m.tokens, m.problem.tokens);
      if (!isNew && it->second.last - it->second.first < m.problem.tokens.last - m.problem.tokens.first)
        it->second = m.problem.tokens;
      if (m.isDefault) {
        auto [known, fresh] = defaults.try_emplace(m.tokens, m.config);
        if (!fresh)
          known->second = std::min(known->second, m.config);
      }
    } else {
      std::string failure =
          std::string(outcomeName(m.outcome)) + " at " + std::to_string(m.tokens) + " tokens";
      if (trials.failure.empty() || failure < trials.failure)
        trials.failure = failure;
    }
  }

  bool onlyDefault() const {
    return std::ranges::all_of(configs, [&](const auto &entry) { return isDefault(entry.first); });
  }
  bool isDefault(const std::string &config) const {
    return std::ranges::any_of(defaults, [&](const auto &entry) { return entry.second == config; });
  }

  bool defaultCovers() const {
    std::map<int64_t, TokenRange> buckets;
    std::vector<int64_t> points;
    for (const auto &[tokens, config] : defaults) {
      buckets[tokens] = configs.at(config).buckets.at(tokens);
      points.push_back(tokens);
    }
    return cover(buckets, points, asked);
  }

  Standing judgeConfig(const std::string &config, const Trials &trials) const {
    Standing standing;
    standing.config = config;
    standing.trials = trials.trials;
    standing.samples = trials.samples;
    standing.isDefault = isDefault(config);
    double median = 0, low = 0, high = 0;
    bool faster = false;
    std::string slower;
    for (const auto &[tokens, sessions] : trials.times) {
      auto base = defaults.find(tokens);
      if (base == defaults.end())
        continue;
      if (base->second == config) { // known at this point, and no slower than itself
        standing.points.push_back(tokens);
        continue;
      }
      std::optional<Ratio> ratio = compareAt(sessions, configs.at(base->second).times.at(tokens));
      if (!ratio)
        continue;
      standing.points.push_back(tokens);
      median += std::log(ratio->median);
      low += std::log(ratio->low);
      high += std::log(ratio->high);
      faster |= ratio->faster();
      if (ratio->slower() && slower.empty())
        slower = "slower than the default by " + percent(ratio->median) + " at " + std::to_string(tokens) +
                 " tokens";
    }
    if (!standing.points.empty()) {
      const double n = double(standing.points.size());
      standing.ratio = {std::exp(median / n), std::exp(low / n), std::exp(high / n)};
    }
    standing.why = !trials.failure.empty()         ? trials.failure
                   : reverted.contains(config)     ? "taken back by `quern db revert`"
                   : standing.points.empty()       ? "not measured beside the default with enough samples"
                   : !slower.empty()               ? slower
                   : standing.isDefault && !faster ? "it is the default"
                   : !cover(trials.buckets, standing.points, asked)
                       ? "not measured over all of " + asked.text() + " tokens"
                   : !faster ? "within the noise of the default"
                             : "";
    standing.admitted = standing.why.empty();
    if (standing.admitted)
      standing.why = "beats the default by " + percent(standing.ratio.median);
    return standing;
  }

  static std::string nearest(const std::vector<Standing> &all) {
    for (const Standing &standing : all)
      if (!standing.isDefault)
        return "`" + standing.config + "`, " + standing.why;
    return "none";
  }

  /// No point tells them apart.
  bool equal(const std::string &a, const std::string &b) const {
    const Trials &left = configs.at(a), &right = configs.at(b);
    for (const auto &[tokens, sessions] : left.times)
      if (auto it = right.times.find(tokens); it != right.times.end())
        if (std::optional<Ratio> ratio = compareAt(sessions, it->second);
            ratio && (ratio->faster() || ratio->slower()))
          return false;
    return true;
  }

  TokenRange asked;
  std::map<std::string, Trials> configs;
  std::map<int64_t, std::string> defaults; ///< by number of tokens
  std::set<std::string> reverted;
};

} // namespace

Choice choose(std::span<const Measurement> measurements, TokenRange asked,
              std::span<const Decision> decisions, const std::optional<std::string> &currentDefault) {
  return View(measurements, asked, decisions, currentDefault).choose();
}

bool isReverted(std::span<const Decision> decisions, const std::string &family, const std::string &device,
                const std::string &config) {
  const Decision *latest = nullptr;
  for (const Decision &decision : decisions)
    if (decision.family == family && decision.device == device && decision.config == config &&
        (!latest ||
         std::tuple(latest->timestamp, latest->key()) < std::tuple(decision.timestamp, decision.key())))
      latest = &decision;
  return latest && latest->kind == Decision::Kind::Revert;
}

int64_t MeasuredGroup::latest() const {
  int64_t time = measurements.front().timestamp;
  for (const Measurement &m : measurements)
    time = std::max(time, m.timestamp);
  return time;
}

TokenRange MeasuredGroup::span() const {
  TokenRange range = problem().tokens;
  for (const Measurement &m : measurements)
    range = {std::min(range.first, m.problem.tokens.first), std::max(range.last, m.problem.tokens.last)};
  return range;
}

std::vector<MeasuredGroup> groupMeasurements(std::vector<Measurement> measurements) {
  std::map<std::tuple<std::string, std::string, std::string>, MeasuredGroup> groups;
  for (Measurement &m : measurements) {
    auto key = std::tuple(m.problem.family(), m.device.key(), m.toolchain.key());
    groups[std::move(key)].measurements.push_back(std::move(m));
  }
  std::vector<MeasuredGroup> result;
  for (auto &[key, group] : groups)
    result.push_back(std::move(group));
  return result;
}

} // namespace quern::tuner
