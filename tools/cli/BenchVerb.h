//===- BenchVerb.h - The command line of `quern bench` --------------------===//
#ifndef QUERN_TOOLS_CLI_BENCHVERB_H
#define QUERN_TOOLS_CLI_BENCHVERB_H

#include "tools/cli/RunVerb.h"

#include "runtime/Runtime.h"
#include "runtime/measure/ModelTimes.h"

namespace quern::tools {

/// `bench kernel`: times of the kernels of an artifact on a device; `bench model`: of prompts and of
/// generation. |emulated| as for `addRunFlags`: an emulated device is refused, with a sentence that says why.
VerbBody addBenchFlags(CLI::App &app, runtime::EmulatedFactory emulated);

/// Tests of prompts, of generation and of both, each at each depth, as --prompt, --gen, --pg and --depth ask
/// for.
struct ModelTestFlags {
  std::vector<int64_t> prompts, generated, depths = {0};
  std::vector<std::string> both; ///< "512,128"

  /// -p, -n, --pg, -d.
  void add(CLI::App &app);
  /// Exit::Usage "E-BENCH-TESTS" for a pair that is none.
  Expected<std::vector<runtime::ModelTest>> tests() const;
};

/// --device, --threads, --weights-dir, into |options|, which outlives the parse.
void addSessionFlags(CLI::App &app, runtime::SessionOptions &options);

} // namespace quern::tools

#endif // QUERN_TOOLS_CLI_BENCHVERB_H
