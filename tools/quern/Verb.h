//===- Verb.h - The verbs of `quern` --------------------------------------===//
//
// One file for each verb: it declares its flags on a CLI11 sub-command and returns what runs it. Data goes to
// stdout, everything else to stderr.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TOOLS_QUERN_VERB_H
#define QUERN_TOOLS_QUERN_VERB_H

#include "support/Status.h"

#include <CLI/CLI.hpp>

#include <functional>

namespace quern::tools {

/// Runs a verb after its flags have been parsed.
using VerbBody = std::function<Status()>;

VerbBody addCompileVerb(CLI::App &app);

} // namespace quern::tools

#endif // QUERN_TOOLS_QUERN_VERB_H
