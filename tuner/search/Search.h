//===- Search.h - Which candidate to try next -----------------------------===//
//
// A search over the points of a space (thousands, enumerated), each with a modelled time. Nobody is asked
// twice: the caller proposes, compiles, measures and reports in batches.
//
//   Search search(points, defaultPoint, {.seed = 1});
//   while (trials < budget) {
//     for (size_t point : search.propose(4))
//       search.report(point, measure(point));       // or `fail(point)`
//   }
//   size_t best = search.best();
//
// What is proposed: first the default and the points that the model ranks best; then, in turns, the point
// whose expected improvement over the best so far is largest in the whole space (rank), among the children of
// the best ones, which differ from one in a step along one axis or mix two (evolution), and now and then the
// point that is least known among those that may be good (explore). The surrogate learns from each report how
// the model is off (Surrogate.h).
//
// Everything follows from the points, the options and the reports in the order of the proposals: equal
// reports give equal proposals, whoever finished first.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TUNER_SEARCH_SEARCH_H
#define QUERN_TUNER_SEARCH_SEARCH_H

#include "tuner/search/Surrogate.h"

#include <cstdint>
#include <string>

namespace quern::tuner {

struct SearchPoint {
  std::string config;           ///< its name; ties go to the smaller one
  std::vector<int32_t> axes;    ///< place along every axis of the space; equal lengths
  std::vector<double> features; ///< about 1 in size, equal lengths
  double modelled = 0;          ///< seconds, > 0
};

struct SearchOptions {
  uint64_t seed = 1;
  double noise = 0.03;    ///< standard deviation of the logarithm of a time
  size_t modelFirst = 4;  ///< points that the model alone chooses, behind the default
  size_t exploreEach = 6; ///< one of as many proposals explores; 0: none
};

class Search {
public:
  Search(std::vector<SearchPoint> points, size_t defaultPoint, SearchOptions options);

  const std::vector<SearchPoint> &points() const { return all; }
  /// At most |count| points that were neither proposed nor reported, in the order in which to try them; fewer
  /// where the space ends.
  std::vector<size_t> propose(size_t count);
  /// |point| took |seconds|; the last report of a point holds.
  void report(size_t point, double seconds);
  /// |point| has no time: it failed. Its neighbours become less likely.
  void fail(size_t point);

  size_t tried() const { return reports; }
  bool exhausted() const { return proposed == all.size(); }
  /// The point with the shortest time reported; the default where there is none.
  size_t best() const;
  /// What the surrogate believes of |point|: the logarithm of its time.
  Belief belief(size_t point);

private:
  enum class State : uint8_t { Open, Proposed, Timed, Failed };
  void learn();
  size_t nextByModel() const;
  size_t nextByImprovement(bool children) const;
  size_t nextUnknown() const;
  bool isChild(size_t point, const std::vector<size_t> &elite) const;
  /// The |count| fastest so far.
  std::vector<size_t> elite(size_t count) const;

  std::vector<SearchPoint> all;
  size_t defaultPoint;
  SearchOptions options;
  std::vector<State> states;
  std::vector<double> seconds;
  std::vector<size_t> order; ///< by modelled time
  size_t proposed = 0, reports = 0, turn = 0;
  Surrogate surrogate;
  std::vector<Belief> beliefs; ///< of log(time / modelled), valid after `learn`
  bool learned = false;
};

} // namespace quern::tuner

#endif // QUERN_TUNER_SEARCH_SEARCH_H
