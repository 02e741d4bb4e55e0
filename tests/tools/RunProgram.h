//===- RunProgram.h - Runs a program of Quern as a user does --------------===//
#ifndef QUERN_TESTS_TOOLS_RUNPROGRAM_H
#define QUERN_TESTS_TOOLS_RUNPROGRAM_H

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace quern::tests {

struct RunOptions {
  std::string directory = {};                          ///< to run in; empty: this one
  std::map<std::string, std::string> environment = {}; ///< set on top of this process's own
  /// When this text appears on stderr or stdout, the program gets SIGINT.
  std::string interruptAt = {};
  /// When a file appears in this directory beside the |interruptBeyond| that are there, it gets SIGINT.
  std::string interruptAtFileIn = {};
  size_t interruptBeyond = 0;
  /// Bytes beyond which no file grows, as on a full disk; 0 for no limit.
  uint64_t fileBytes = 0;
};

struct RunResult {
  int exit = -1; ///< -1 where a signal ended it
  std::string out, err;
  /// "E-..." between brackets at the end of the last line of stderr; empty without one.
  std::string errorId() const;
};

RunResult runProgram(const std::string &program, std::vector<std::string> arguments,
                     const RunOptions &options = {});

} // namespace quern::tests

#endif // QUERN_TESTS_TOOLS_RUNPROGRAM_H
