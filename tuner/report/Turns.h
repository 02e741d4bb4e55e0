//===- Turns.h - Two sessions that are measured in turns ------------------===//
//
// What disturbs a machine disturbs both of two neighbours in time: so a round takes one sample of A and one
// of B, and their ratio is what counts. Which is first changes from round to round, by A B B A or by lot, so
// that neither is always the one behind the other.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TUNER_REPORT_TURNS_H
#define QUERN_TUNER_REPORT_TURNS_H

#include "runtime/measure/ModelTimes.h"
#include "support/Progress.h"
#include "tuner/report/RunContext.h"

namespace quern::report {

enum class TurnOrder : uint8_t { Abba, Random };

struct TurnsOptions {
  std::vector<int64_t> tokens = {1};     ///< of the steps whose kernels are timed
  std::vector<runtime::ModelTest> tests; ///< of the whole model
  std::string filter;                    ///< of kernels' texts
  runtime::CacheState cache = runtime::CacheState::Cold;
  uint32_t rounds = 15;
  uint32_t warmUpRounds = 2; ///< left out, which the results say
  TurnOrder order = TurnOrder::Abba;
  uint64_t seed = 0;
  Progress *progress = nullptr; ///< told one for each round of each size and test
};

struct TurnsResult {
  ResultSet a, b;
  Status ended; ///< why it ended before all rounds were taken; what was taken is in the sets
};

/// Which side of round |round| is first: true for A.
bool firstIsA(TurnOrder order, uint64_t seed, uint64_t round);

/// Whole rounds of both. An error that comes before the first round of anything is complete is returned.
Expected<TurnsResult> measureInTurns(runtime::Session &a, runtime::Session &b, const TurnsOptions &options);

} // namespace quern::report

#endif // QUERN_TUNER_REPORT_TURNS_H
