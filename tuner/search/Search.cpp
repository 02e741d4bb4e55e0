//===- Search.cpp ---------------------------------------------------------===//
#include "tuner/search/Search.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>
#include <tuple>

namespace quern::tuner {

/// Children come from as many of the best points.
static constexpr size_t eliteSize = 4;
/// The surrogate learns from the fastest ones; its cost is the third power of their number.
static constexpr size_t mostObservations = 160;
static constexpr size_t none = size_t(-1);

Search::Search(std::vector<SearchPoint> points, size_t defaultPoint, SearchOptions options)
    : all(std::move(points)), defaultPoint(defaultPoint), options(options), states(all.size(), State::Open),
      seconds(all.size(), 0), order(all.size()), beliefs(all.size()) {
  assert(defaultPoint < all.size() && "the default is a point of the space");
  std::iota(order.begin(), order.end(), size_t(0));
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::tie(all[a].modelled, all[a].config) < std::tie(all[b].modelled, all[b].config);
  });
}

void Search::report(size_t point, double time) {
  assert(time > 0 && "a time");
  proposed += states[point] == State::Open;
  reports += states[point] == State::Open || states[point] == State::Proposed;
  states[point] = State::Timed;
  seconds[point] = time;
  learned = false;
}

void Search::fail(size_t point) {
  proposed += states[point] == State::Open;
  reports += states[point] == State::Open || states[point] == State::Proposed;
  states[point] = State::Failed;
  learned = false;
}

size_t Search::best() const {
  size_t best = none;
  for (size_t i = 0; i < all.size(); ++i)
    if (states[i] == State::Timed &&
        (best == none || std::tie(seconds[i], all[i].config) < std::tie(seconds[best], all[best].config)))
      best = i;
  return best == none ? defaultPoint : best;
}

void Search::learn() {
  if (learned)
    return;
  std::vector<std::vector<double>> features;
  std::vector<double> values;
  double worst = 0;
  for (size_t i : elite(mostObservations)) {
    features.push_back(all[i].features);
    values.push_back(std::log(seconds[i] / all[i].modelled));
    worst = std::max(worst, seconds[i]);
  }
  const bool any = !values.empty();
  for (size_t i = 0; any && i < all.size(); ++i)
    if (states[i] == State::Failed) {
      features.push_back(all[i].features);
      values.push_back(std::log(1.5 * worst / all[i].modelled)); // slower than all that ran
    }
  surrogate.fit(std::move(features), std::move(values), options.noise);
  // What is on its way will show what is believed of it now: a batch does not crowd into one place.
  for (size_t i = 0; any && i < all.size(); ++i)
    if (states[i] == State::Proposed)
      surrogate.pretend(all[i].features, surrogate.at(all[i].features).mean);
  for (size_t i = 0; i < all.size(); ++i)
    beliefs[i] = surrogate.at(all[i].features);
  learned = true;
}

Belief Search::belief(size_t point) {
  learn();
  return {beliefs[point].mean + std::log(all[point].modelled), beliefs[point].deviation};
}

std::vector<size_t> Search::elite(size_t count) const {
  std::vector<size_t> timed;
  for (size_t i = 0; i < all.size(); ++i)
    if (states[i] == State::Timed)
      timed.push_back(i);
  std::sort(timed.begin(), timed.end(), [&](size_t a, size_t b) {
    return std::tie(seconds[a], all[a].config) < std::tie(seconds[b], all[b].config);
  });
  timed.resize(std::min(timed.size(), count));
  return timed;
}

/// One step along one axis from an elite point, or each axis from one or the other of two of them.
bool Search::isChild(size_t point, const std::vector<size_t> &elite) const {
  const std::vector<int32_t> &axes = all[point].axes;
  for (size_t parent : elite) {
    int moved = 0;
    bool oneStep = true;
    for (size_t d = 0; d < axes.size(); ++d)
      if (const int32_t step = std::abs(axes[d] - all[parent].axes[d])) {
        ++moved;
        oneStep &= step == 1;
      }
    if (moved == 1 && oneStep)
      return true;
  }
  for (size_t a = 0; a < elite.size(); ++a)
    for (size_t b = a + 1; b < elite.size(); ++b) {
      bool mixed = true;
      for (size_t d = 0; d < axes.size() && mixed; ++d)
        mixed = axes[d] == all[elite[a]].axes[d] || axes[d] == all[elite[b]].axes[d];
      if (mixed)
        return true;
    }
  return false;
}

size_t Search::nextByModel() const {
  for (size_t i : order)
    if (states[i] == State::Open)
      return i;
  return none;
}

/// The expected value of max(0, best - time), of logarithms; see Jones, Schonlau and Welch, "Efficient global
/// optimization of expensive black-box functions" (1998), equation 15.
static double expectedImprovement(double best, double mean, double deviation) {
  if (!(deviation > 0))
    return std::max(0.0, best - mean);
  const double z = (best - mean) / deviation;
  const double below = 0.5 * std::erfc(-z / std::sqrt(2.0));
  const double density = std::exp(-z * z / 2) / std::sqrt(2 * M_PI);
  return (best - mean) * below + deviation * density;
}

size_t Search::nextByImprovement(bool children) const {
  const std::vector<size_t> parents = children ? elite(eliteSize) : std::vector<size_t>();
  const double target = std::log(seconds[best()]);
  size_t chosen = none;
  double largest = -1;
  for (size_t i : order) {
    if (states[i] != State::Open || (children && !isChild(i, parents)))
      continue;
    const double gain =
        expectedImprovement(target, beliefs[i].mean + std::log(all[i].modelled), beliefs[i].deviation);
    if (gain > largest) {
      largest = gain;
      chosen = i;
    }
  }
  return chosen;
}

/// The least known point among those that may, with one chance in six, be among the best tenth of the timed.
size_t Search::nextUnknown() const {
  const double target = std::log(seconds[best()]) + 0.1;
  size_t chosen = none;
  double widest = -1;
  for (size_t i : order)
    if (states[i] == State::Open && beliefs[i].deviation > widest &&
        beliefs[i].mean + std::log(all[i].modelled) - beliefs[i].deviation < target) {
      widest = beliefs[i].deviation;
      chosen = i;
    }
  return chosen;
}

std::vector<size_t> Search::propose(size_t count) {
  std::vector<size_t> batch;
  while (batch.size() < count && proposed < all.size()) {
    size_t next = none;
    const bool anyTimed = std::find(states.begin(), states.end(), State::Timed) != states.end();
    if (turn == 0 && states[defaultPoint] == State::Open) {
      next = defaultPoint;
    } else if (turn > options.modelFirst && anyTimed) {
      learn();
      // A seed moves the turns of exploration, and nothing else.
      const size_t phase = options.exploreEach ? options.seed % options.exploreEach : 0;
      if (options.exploreEach && turn % options.exploreEach == phase)
        next = nextUnknown();
      else
        next = nextByImprovement(/*children=*/turn % 2 == 1);
      if (next == none)
        next = nextByImprovement(false);
    }
    if (next == none)
      next = nextByModel();
    states[next] = State::Proposed;
    ++proposed;
    ++turn;
    batch.push_back(next);
    learned = false;
  }
  return batch;
}

} // namespace quern::tuner
