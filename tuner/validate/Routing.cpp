//===- Routing.cpp --------------------------------------------------------===//
#include "tuner/validate/Routing.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace quern::model::reference;

namespace quern::validate {

static constexpr double never = std::numeric_limits<double>::infinity();

namespace {

/// The choice of one token, in the units that experts are ranked by.
struct Choice {
  std::vector<float> values; ///< of all experts
  std::vector<float> chosen; ///< of those taken, in their order
  double perValue;           ///< logits move by so much, at least, where a difference of values moves by one
};

} // namespace

/// Two sigmoid scores move apart by at most half of what logits move by, two softmax scores by the whole;
/// softmax scores without a bias have the order of the logits, and those move apart by twice that.
static Choice choiceOf(std::span<const float> logits, const Vector *bias, const RouterOptions &options,
                       std::span<const int32_t> chosen) {
  Choice choice;
  if (!options.sigmoid && !bias && !(options.groups > 1 && options.groupTop2)) {
    choice.values.assign(logits.begin(), logits.end());
    choice.perValue = 0.5;
  } else {
    choice.values = routerScores(logits, options.sigmoid);
    for (size_t i = 0; bias && i < choice.values.size(); ++i)
      choice.values[i] += (*bias)[i];
    choice.perValue = options.sigmoid ? 2 : 1;
  }
  for (int32_t expert : chosen)
    choice.chosen.push_back(choice.values[size_t(expert)]);
  return choice;
}

/// How far the values of |chosen| are from being the largest of |all|, in descending order.
static double distanceAmong(std::vector<float> all, const std::vector<float> &chosen) {
  std::sort(all.rbegin(), all.rend());
  double worst = 0;
  for (size_t i = 0; i < chosen.size(); ++i)
    worst = std::max(worst, std::abs(double(all[i]) - chosen[i]));
  return worst;
}

/// The same over the experts of the groups that are kept.
static double distanceInGroups(const Choice &choice, std::span<const int32_t> chosen,
                               const std::vector<bool> &kept) {
  const size_t size = choice.values.size() / kept.size();
  std::vector<float> all;
  for (size_t i = 0; i < choice.values.size(); ++i)
    if (kept[i / size])
      all.push_back(choice.values[i]);
  for (int32_t expert : chosen)
    if (!kept[size_t(expert) / size])
      return never;
  return choice.perValue * distanceAmong(std::move(all), choice.chosen);
}

double routingDistance(std::span<const float> logits, const Vector *bias, const RouterOptions &options,
                       std::span<const int32_t> chosen) {
  const size_t groups = size_t(options.groups), kept = size_t(options.kept), size = logits.size() / groups;
  std::vector<int32_t> sorted(chosen.begin(), chosen.end());
  std::sort(sorted.begin(), sorted.end());
  if (sorted.empty() || sorted.front() < 0 || size_t(sorted.back()) >= logits.size() ||
      std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end())
    return never;
  const Choice choice = choiceOf(logits, bias, options, chosen);

  std::vector<float> scores;
  for (size_t g = 0; g < groups; ++g) {
    std::vector<float> members(choice.values.begin() + ptrdiff_t(g * size),
                               choice.values.begin() + ptrdiff_t((g + 1) * size));
    std::sort(members.rbegin(), members.rend());
    scores.push_back(groups > 1 && options.groupTop2 ? members[0] + members[1] : members[0]);
  }
  // Every choice of groups at its own distance. A sum of two moves twice as far as its parts.
  const double perScore = choice.perValue / (options.groupTop2 ? 2 : 1);
  double least = never;
  std::vector<bool> own(groups, false);
  std::fill_n(own.begin(), kept, true);
  do {
    std::vector<float> taken;
    for (size_t g = 0; g < groups; ++g)
      if (own[g])
        taken.push_back(scores[g]);
    std::sort(taken.rbegin(), taken.rend());
    least = std::min(
        least, std::max(perScore * distanceAmong(scores, taken), distanceInGroups(choice, chosen, own)));
  } while (std::prev_permutation(own.begin(), own.end()));
  return least;
}

Rerouting adoptChoice(const Tensor &logits, const Vector *bias, const RouterOptions &options,
                      std::span<const int32_t> other, double limit, Tensor &own) {
  Rerouting result;
  const size_t experts = size_t(logits.lastDim()), taken = size_t(own.lastDim());
  for (size_t row = 0; row < size_t(own.rows()); ++row) {
    std::span<const int32_t> there = other.subspan(row * taken, taken);
    std::span<int32_t> here = std::span(own.integers).subspan(row * taken, taken);
    if (std::equal(there.begin(), there.end(), here.begin()))
      continue;
    double distance =
        routingDistance(std::span(logits.values).subspan(row * experts, experts), bias, options, there);
    ++result.differing;
    result.worst = std::max(result.worst, distance);
    if (distance <= limit) {
      std::copy(there.begin(), there.end(), here.begin());
      ++result.adopted;
    }
  }
  return result;
}

} // namespace quern::validate
