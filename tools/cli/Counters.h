//===- Counters.h - Reports of what emulated devices counted --------------===//
//
// `--counters[=FILE.json]` of run, verify, bench and inspect: a table for people, and a document for programs
// (schema "quern.counters", docs/Counters.md). Times in it are modelled (ModelledTime.h) and say so.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TOOLS_CLI_COUNTERS_H
#define QUERN_TOOLS_CLI_COUNTERS_H

#include "runtime/KernelCounters.h"
#include "runtime/Runtime.h"
#include "runtime/plan/Plan.h"
#include "support/Json.h"
#include "support/Status.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <string>
#include <vector>

namespace quern::tools {

struct CounterReport {
  std::string device; ///< "emulated:VENDOR:ARCHITECTURE"
  std::vector<runtime::CountedKernel> kernels;
  const runtime::Plan *plan = nullptr; ///< of what the kernels' texts are; may be null
};

/// --counters, into |file|: empty without the flag, "-" without a file.
void addCountersFlag(CLI::App &app, std::string &file);
/// Exit::Usage "E-COUNTERS-DEVICE" where |device| does not count.
Status checkCountersDevice(const std::string &device);

/// Runs one step of |tokens| tokens of a fresh sequence and reports its kernels: those whose symbol begins
/// with |kernel|, or whose text has that name; all for an empty one. The report points into |session|.
/// Exit::Usage "E-INSPECT-KERNEL" where there is none.
Expected<CounterReport> countStep(runtime::Session &session, int64_t tokens, const std::string &kernel);

/// A line for each kernel and number of blocks; |details|: the mix of instructions and every opcode as well.
std::string countersText(const CounterReport &report, bool details);
Json countersJson(const CounterReport &report);
/// For Rows.h: a row for each opcode of each kernel.
std::vector<Json> countersRows(const CounterReport &report);
/// The table to |to|, and the document into |file| unless it is "-".
Status reportCounters(const CounterReport &report, const std::string &file, std::FILE *to,
                      bool details = false);

} // namespace quern::tools

#endif // QUERN_TOOLS_CLI_COUNTERS_H
