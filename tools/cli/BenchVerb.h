//===- BenchVerb.h - The command line of `quern bench` --------------------===//
#ifndef QUERN_TOOLS_CLI_BENCHVERB_H
#define QUERN_TOOLS_CLI_BENCHVERB_H

#include "tools/cli/RunVerb.h"

namespace quern::tools {

/// `bench kernel`: times of the kernels of an artifact on a device. |emulated| as for `addRunFlags`: an
/// emulated device is refused, with a sentence that says why.
VerbBody addBenchFlags(CLI::App &app, runtime::EmulatedFactory emulated);

} // namespace quern::tools

#endif // QUERN_TOOLS_CLI_BENCHVERB_H
