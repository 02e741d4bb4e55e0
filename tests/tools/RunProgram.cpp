//===- RunProgram.cpp -----------------------------------------------------===//
#include "tests/tools/RunProgram.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace quern::tests {

std::string RunResult::errorId() const {
  size_t open = err.rfind("[E-"), close = err.find(']', open == std::string::npos ? 0 : open);
  if (open == std::string::npos || close == std::string::npos || err.substr(close) != "]\n")
    return "";
  return err.substr(open + 1, close - open - 1);
}

RunResult runProgram(const std::string &program, std::vector<std::string> arguments,
                     const RunOptions &options) {
  RunResult result;
  int out[2], err[2];
  if (pipe(out) != 0 || pipe(err) != 0)
    return result;
  pid_t child = fork();
  if (child == 0) {
    dup2(out[1], STDOUT_FILENO);
    dup2(err[1], STDERR_FILENO);
    for (int fd : {out[0], out[1], err[0], err[1]})
      close(fd);
    // The user's own configuration says nothing about a test.
    setenv("XDG_CONFIG_HOME", "/dev/null/none", 1);
    unsetenv("QUERN_LOG");
    for (const auto &[name, value] : options.environment)
      setenv(name.c_str(), value.c_str(), 1);
    if (options.fileBytes != 0) {
      rlimit limit{options.fileBytes, options.fileBytes};
      setrlimit(RLIMIT_FSIZE, &limit);
      std::signal(SIGXFSZ, SIG_IGN);
    }
    if (!options.directory.empty() && chdir(options.directory.c_str()) != 0)
      _exit(126);
    std::vector<char *> argv = {const_cast<char *>(program.c_str())};
    for (std::string &argument : arguments)
      argv.push_back(argument.data());
    argv.push_back(nullptr);
    execv(program.c_str(), argv.data());
    _exit(127);
  }
  close(out[1]);
  close(err[1]);
  const bool watches = !options.interruptAtFileIn.empty();
  bool interrupted = options.interruptAt.empty() && !watches;
  auto isTime = [&] {
    if (watches) {
      std::error_code code;
      auto entries = std::filesystem::directory_iterator(options.interruptAtFileIn, code);
      return size_t(std::distance(begin(entries), end(entries))) > options.interruptBeyond;
    }
    return (result.out + result.err).find(options.interruptAt) != std::string::npos;
  };
  pollfd pipes[2] = {{out[0], POLLIN, 0}, {err[0], POLLIN, 0}};
  std::string *texts[2] = {&result.out, &result.err};
  for (int open = 2; open > 0;) {
    if (poll(pipes, 2, watches && !interrupted ? 1 : -1) < 0 && errno != EINTR)
      break;
    for (int i = 0; i < 2; ++i) {
      if (pipes[i].fd < 0 || pipes[i].revents == 0)
        continue;
      char buffer[4096];
      ssize_t n = read(pipes[i].fd, buffer, sizeof buffer);
      if (n > 0) {
        texts[i]->append(buffer, size_t(n));
      } else if (n == 0 || errno != EINTR) {
        pipes[i].fd = -1;
        --open;
      }
    }
    if (!interrupted && isTime()) {
      interrupted = true;
      kill(child, SIGINT);
    }
  }
  close(out[0]);
  close(err[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status))
    result.exit = WEXITSTATUS(status);
  return result;
}

} // namespace quern::tests
