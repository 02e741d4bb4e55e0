//===- Ledger.h - What was equal between two sides, and what was not ------===//
//
// A ratio means nothing without what stood around it. The ledger is a fixed list of what a comparison must
// record; each line has what either side's context says. A line that a side lacks makes the report
// incomplete, which it says; nothing is refused for it.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TUNER_REPORT_LEDGER_H
#define QUERN_TUNER_REPORT_LEDGER_H

#include "tuner/report/Compare.h"

namespace quern::report {

enum class LedgerState : uint8_t { Equal, Differs, Missing };
/// "equal", "differs", "not recorded".
const char *ledgerStateName(LedgerState state);

struct LedgerLine {
  std::string name, a, b; ///< values as text; empty where a side lacks it
  LedgerState state;
};

struct Ledger {
  std::vector<LedgerLine> lines;
  /// What one side had and the other had not, in sentences.
  std::vector<std::string> asymmetries;
  size_t missing() const;
};

Ledger makeLedger(const Comparison &comparison);
Json ledgerJson(const Ledger &ledger);

} // namespace quern::report

#endif // QUERN_TUNER_REPORT_LEDGER_H
