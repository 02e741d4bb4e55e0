//===- RunVerb.h - The command line of `quern run` and `quern-run` --------===//
//
// Both programs run artifacts with the same flags; this is the one home of them, without LLVM. Each function
// declares its flags on a CLI11 application or sub-command and returns what runs it. Data goes to stdout,
// everything else to stderr.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TOOLS_CLI_RUNVERB_H
#define QUERN_TOOLS_CLI_RUNVERB_H

#include "runtime/Devices.h"
#include "support/Status.h"

#include <CLI/CLI.hpp>

#include <functional>

namespace quern::tools {

/// Runs a verb after its flags have been parsed.
using VerbBody = std::function<Status()>;

/// --sanitize LIST, into |options|, which outlives the parse.
void addSanitizeFlag(CLI::App &app, runtime::DeviceOptions &options);

/// |emulated| opens emulated devices where they are linked into the program; null looks for their library
/// beside it.
VerbBody addRunFlags(CLI::App &app, runtime::EmulatedFactory emulated);
/// |emulated| as above; lists the devices it plays.
VerbBody addDevicesFlags(CLI::App &app, runtime::EmulatedFactory emulated);
VerbBody addDoctorFlags(CLI::App &app);

} // namespace quern::tools

#endif // QUERN_TOOLS_CLI_RUNVERB_H
