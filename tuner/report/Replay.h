//===- Replay.h - A comparison as a directory that can be run again -------===//
//
//   command.json      what was asked for, and the digests of what it was asked of
//   a.json, b.json    all samples of both sides, with their contexts (or a.jsonl, b.jsonl)
//   comparison.json   ratios, intervals, verdicts
//   ledger.json       what was equal and what was not
//   environment.json  the machine and the program
//   report.html       for people
//
// A comparison of files is made again from a.json and b.json, and must come out the same, byte for byte. One
// of devices is measured again, on artifacts with the same digests.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TUNER_REPORT_REPLAY_H
#define QUERN_TUNER_REPORT_REPLAY_H

#include "tuner/report/Ledger.h"

namespace quern::report {

struct ReplayCommand {
  std::string kind;                ///< "files" or "turns"
  Json options = Json::object();   ///< of the verb, by name
  std::vector<std::string> inputs; ///< paths
  /// Names in the directory of the results of A and B: those of a comparison of files are copies of the
  /// files.
  std::string aFile = "a.json", bFile = "b.json";
  /// Of the artifacts: compiler, module and plan as their contexts have them.
  std::vector<std::string> digests;
};

/// Results of kernels and of models in one document, which `readResults` reads.
Json resultsJson(const ResultSet &set);

/// Writes the directory, which is made where it is missing. |page| is the report. Exit::Resource as
/// `writeFile`.
Status writeReplay(const std::string &directory, const ReplayCommand &command, const Comparison &comparison,
                   const Ledger &ledger, const std::string &page);

/// Exit::BadInput "E-REPLAY-FORM" where |directory| is none, or from a newer version; those of JSON and
/// files.
Expected<ReplayCommand> readReplay(const std::string &directory);

/// Exit::BadInput "E-REPLAY-CHANGED" where |comparison| is not what the directory holds.
Status checkReplay(const std::string &directory, const Comparison &comparison);

} // namespace quern::report

#endif // QUERN_TUNER_REPORT_REPLAY_H
