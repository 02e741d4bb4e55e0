//===- Results.h - Measured results, from a run or from a file ------------===//
//
// What `quern bench` writes and what `quern compare` reads. A file is one of
//
//   - Google Benchmark's JSON: `context` and `benchmarks`. `quern bench kernel` writes it with members of our
//     own beside: all `samples`, launches in a step, work, and in the context what a comparison must record;
//   - rows of `quern bench model`: {"schema": "quern.bench.model", "schema_version", "context", "rows"};
//   - a bare list or lines of llama-bench's rows.
//
// Times are seconds here, whatever unit the file has; a rate is never a result, only what follows from one.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TUNER_REPORT_RESULTS_H
#define QUERN_TUNER_REPORT_RESULTS_H

#include "runtime/measure/Estimate.h"
#include "support/Json.h"

#include <map>
#include <string>
#include <vector>

namespace quern::report {

/// Newest version of our own schemas that is read here.
inline constexpr int64_t resultsVersion = 1;
inline constexpr const char *kernelSchema = "quern.bench.kernel", *modelSchema = "quern.bench.model";

/// One piece of work with its times.
struct ResultRow {
  std::string name;            ///< what pairs it with the other side's: "linear/q_a_proj/tokens:1", "pp512"
  std::string group;           ///< "kernel" or "model": what may be averaged with what
  std::vector<double> samples; ///< seconds of one run, in order of taking; may be empty
  runtime::Estimate seconds;   ///< of the samples, or as the file gives it
  double weight = 1;           ///< runs in one step
  double operations = 0, bytes = 0;         ///< of one run; 0 where not known
  int64_t tokens = 0;                       ///< that one run makes or reads; 0 where that has no meaning
  std::map<std::string, std::string> facts; ///< shown beside it: schedule, threads, ...
};

/// Rates of a device; 0 where they are not known.
struct Peaks {
  double operationsPerSecond = 0, bytesPerSecond = 0;
};

struct ResultSet {
  std::string name;              ///< of the side: the file's, or the device's
  Json context = Json::object(); ///< what was recorded about the run; see Ledger.h
  Peaks peaks;  ///< what the device is held against: of its table, or measured beside the results
  Peaks limits; ///< what it cannot pass; above the peaks where those were measured
  std::vector<ResultRow> rows; ///< names are unique
};

/// A row of |samples| seconds.
ResultRow makeRow(std::string name, std::string group, std::vector<double> samples);

/// Reads |path|. Exit::BadInput: those of JSON; "E-RESULTS-FORM" for a file of another kind,
/// "E-RESULTS-NEWER" for a schema that is newer (both versions are named), "E-RESULTS-EMPTY" without a row,
/// "E-RESULTS-UNIT" for a unit of time that is none, "E-RESULTS-TIME" for a time that cannot be,
/// "E-RESULTS-TWICE" for two rows of one name that are no repetitions. Exit::Unexpected
/// "E-MEASURE-ABOVE-LIMIT" where a cold row is above what the file says that its device can do.
Expected<ResultSet> readResults(const std::string &path);
Expected<ResultSet> parseResults(const JsonDocument &document);

/// The forms of `quern bench kernel` and `quern bench model`, which `readResults` reads back.
Json kernelResults(const ResultSet &set);
Json modelResults(const ResultSet &set);
/// The columns of one row of `quern bench model`, named as llama-bench names them.
Json modelRow(const ResultSet &set, const ResultRow &row);

} // namespace quern::report

#endif // QUERN_TUNER_REPORT_RESULTS_H
