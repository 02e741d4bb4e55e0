//===- MeasureVerb.h - The command line of `quern-run measure` ------------===//
#ifndef QUERN_TOOLS_CLI_MEASUREVERB_H
#define QUERN_TOOLS_CLI_MEASUREVERB_H

#include "tools/cli/RunVerb.h"

namespace quern::tools {

/// `measure BUNDLE`: measures the candidates of a tuning bundle on a device, in processes of their own.
VerbBody addMeasureFlags(CLI::App &app);

/// "1/3" as the first of three shards: numbers from 1. Exit::Usage "E-SHARD".
Status parseShard(const std::string &text, unsigned &shard, unsigned &shards);

} // namespace quern::tools

#endif // QUERN_TOOLS_CLI_MEASUREVERB_H
