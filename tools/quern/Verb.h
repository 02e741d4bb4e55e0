//===- Verb.h - The verbs of `quern` --------------------------------------===//
//
// One file for each verb: it declares its flags on a CLI11 sub-command and returns what runs it. Data goes to
// stdout, everything else to stderr.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TOOLS_QUERN_VERB_H
#define QUERN_TOOLS_QUERN_VERB_H

#include "tools/cli/Program.h"
#include "tools/cli/RunVerb.h"

namespace quern::tools {

VerbBody addCompileVerb(CLI::App &app);
VerbBody addDbVerb(CLI::App &app);
VerbBody addExplainVerb(CLI::App &app);
VerbBody addImportVerb(CLI::App &app);
VerbBody addInspectVerb(CLI::App &app);
VerbBody addTuneVerb(CLI::App &app);
VerbBody addVerifyVerb(CLI::App &app);

} // namespace quern::tools

#endif // QUERN_TOOLS_QUERN_VERB_H
