//===- Program.h - What every program of Quern does the same way ----------===//
//
// Flags that all verbs share, the way in which errors are reported, and Ctrl-C. Data goes to stdout,
// everything else to stderr; the exit code is the class of the error.
//
//   CLI::App app{"Runs artifacts"};
//   ProgramFlags flags;
//   beginProgram(app);
//   addProgramFlags(app, flags);
//   if (std::optional<int> code = parseArguments(app, argc, argv))
//     return *code;
//   return finishProgram(run(...));
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TOOLS_CLI_PROGRAM_H
#define QUERN_TOOLS_CLI_PROGRAM_H

#include "support/Log.h"
#include "support/Progress.h"
#include "support/Status.h"

#include <CLI/CLI.hpp>

#include <optional>
#include <string>

namespace quern::tools {

/// Flags that every verb has.
struct ProgramFlags {
  ProgressMode progress = ProgressMode::Auto;
  bool quiet = false; ///< errors alone on stderr
  int verbose = 0;    ///< 1 for -v, 2 for -vv

  LogLevel logLevel() const {
    return quiet         ? LogLevel::Error
           : verbose > 1 ? LogLevel::Trace
           : verbose     ? LogLevel::Debug
                         : LogLevel::Info;
  }
  /// -q takes progress away as well.
  ProgressMode progressMode() const { return quiet ? ProgressMode::None : progress; }
};

/// Rows.h makes the last three.
enum class OutputFormat : uint8_t { Text, Json, Jsonl, Csv, Md };

/// Settings of CLI11 that must stand before any flag or verb is added: defaults in the help, the version.
void beginProgram(CLI::App &app);
/// --progress, -q, -v, --config, --print-config. |flags| outlives the parse.
void addProgramFlags(CLI::App &app, ProgramFlags &flags);
/// --format text|json|jsonl|csv|md.
void addFormatFlag(CLI::App &app, OutputFormat &format);

/// Nothing where the arguments are right, with what they leave open filled in (Configuration.h); else the exit code,
/// after help, version or configuration went to stdout, or one
/// sentence about what is wrong to stderr (Exit::Usage "E-USAGE"). From then on Ctrl-C sets the flag of
/// Interrupt.h.
std::optional<int> parseArguments(CLI::App &app, int argc, char **argv);

/// Prints an error to stderr and gives its exit code. Output that could not be written to stdout is an error
/// too.
int finishProgram(const Status &status);

/// "0.1.0".
const char *programVersion();

} // namespace quern::tools

#endif // QUERN_TOOLS_CLI_PROGRAM_H
