//===- Configuration.h - Where the value of an option comes from ----------===//
//
// By precedence: the flag, the environment, the configuration file, the default. The file is
// $XDG_CONFIG_HOME/quern/config.json (else ~/.config/quern/config.json), or the one named with --config: an
// object with one section for each verb, whose members are long names of its options without the dashes:
//
//   {"compile": {"jobs": 2, "target": ["cpu", "nvidia:sm_90a"], "no-cache": true}, "run": {"temp": 0}}
//
// Sections of other verbs are not looked at. Of the environment only QUERN_LOG stands for flags: "error" and
// "warning" mean -q, "debug" -v and "trace" -vv.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TOOLS_CLI_CONFIGURATION_H
#define QUERN_TOOLS_CLI_CONFIGURATION_H

#include "support/Json.h"

#include <CLI/CLI.hpp>

#include <map>
#include <string>

namespace quern::tools {

/// Fills in what the command line of |verb| left open.
class Configuration {
public:
  /// --config and --print-config.
  static void addFlags(CLI::App &verb);

  /// |verb| was parsed. Throws CLI::ParseError as parsing does. Exit::Usage "E-CONFIGURATION-OPTION" where
  /// the file names what is no option, "E-CONFIGURATION-LOG" for an unknown level; errors of JSON and of a
  /// named file that is not there.
  static Expected<Configuration> complete(CLI::App &verb);

  /// True where --print-config asks for the result in place of the work.
  bool wantsPrint() const;
  /// A line or, after --format json, a member for each option: its value and where that comes from.
  std::string text() const;

private:
  explicit Configuration(CLI::App &verb) : verb(verb) {}
  Status readEnvironment();
  Status readFile();
  Status apply(CLI::Option &option, const std::string &name, const Json &value, const std::string &source);

  CLI::App &verb;
  std::map<const CLI::Option *, std::string> sources;
};

} // namespace quern::tools

#endif // QUERN_TOOLS_CLI_CONFIGURATION_H
