//===- ChildProcess.cpp ---------------------------------------------------===//
#include "support/ChildProcess.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

namespace quern {

/// A longer message is none.
static constexpr size_t mostBytes = size_t(1) << 32;

static bool writeAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return false;
    bytes.remove_prefix(size_t(n));
  }
  return true;
}

bool sendMessage(int fd, std::string_view message) {
  return writeAll(fd, std::to_string(message.size()) + "\n") && writeAll(fd, message);
}

Received receiveMessage(int fd, std::string &message,
                        std::optional<std::chrono::steady_clock::time_point> deadline) {
  auto readSome = [&](char *to, size_t size) -> ssize_t {
    while (deadline) {
      auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(*deadline - std::chrono::steady_clock::now());
      pollfd wait{fd, POLLIN, 0};
      if (left.count() <= 0)
        return -2;
      int ready = poll(&wait, 1, int(std::min<int64_t>(left.count(), 60000)));
      if (ready > 0)
        break;
    }
    ssize_t n;
    do
      n = ::read(fd, to, size);
    while (n < 0 && errno == EINTR);
    return n;
  };
  size_t size = 0;
  while (true) {
    char c;
    ssize_t n = readSome(&c, 1);
    if (n != 1)
      return n == -2 ? Received::Late : Received::End;
    if (c == '\n')
      break;
    if (c < '0' || c > '9' || size > mostBytes)
      return Received::End;
    size = size * 10 + size_t(c - '0');
  }
  message.resize(size);
  for (size_t done = 0; done < size;) {
    ssize_t n = readSome(message.data() + done, size - done);
    if (n <= 0)
      return n == -2 ? Received::Late : Received::End;
    done += size_t(n);
  }
  return Received::Message;
}

std::string messageField(std::string_view text) {
  return std::to_string(text.size()) + " " + std::string(text);
}

std::optional<std::string> takeField(std::string_view &rest) {
  size_t size = 0, digits = 0;
  for (; digits < rest.size() && rest[digits] >= '0' && rest[digits] <= '9' && size <= mostBytes; ++digits)
    size = size * 10 + size_t(rest[digits] - '0');
  if (digits == 0 || digits == rest.size() || rest[digits] != ' ' || rest.size() - digits - 1 < size)
    return std::nullopt;
  std::string text(rest.substr(digits + 1, size));
  rest.remove_prefix(digits + 1 + size);
  return text;
}

Status ChildProcess::start(const std::string &program, const std::string &argument) {
  std::signal(SIGPIPE, SIG_IGN);
  int toChild[2], fromChild[2];
  auto failed = [&] {
    return Status::error(Exit::Resource, "E-WORKER-START", "cannot start a worker process")
        .cause(strerror(errno));
  };
  if (pipe2(toChild, O_CLOEXEC))
    return failed();
  if (pipe2(fromChild, O_CLOEXEC)) {
    close(toChild[0]);
    close(toChild[1]);
    return failed();
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, toChild[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, fromChild[1], STDOUT_FILENO);
  std::string name = program, first = argument;
  char *arguments[] = {name.data(), first.data(), nullptr};
  int code = posix_spawn(&process, program.c_str(), &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(toChild[0]);
  close(fromChild[1]);
  in = toChild[1];
  out = fromChild[0];
  if (code) {
    process = -1;
    stop();
    errno = code;
    return failed();
  }
  return Status::success();
}

Received ChildProcess::exchange(std::string_view message, std::string &reply,
                                std::chrono::milliseconds deadline) {
  auto end = std::chrono::steady_clock::now() + deadline;
  return sendMessage(in, message) ? receiveMessage(out, reply, end) : Received::End;
}

std::string ChildProcess::stop(bool kill) {
  if (in >= 0)
    close(in);
  if (out >= 0)
    close(out);
  in = out = -1;
  if (process < 0)
    return "";
  if (kill)
    ::kill(process, SIGKILL);
  int status = 0;
  while (waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  process = -1;
  if (WIFSIGNALED(status))
    return "signal " + std::to_string(WTERMSIG(status)) + " (" + strsignal(WTERMSIG(status)) + ")";
  return "exit code " + std::to_string(WEXITSTATUS(status));
}

int beginServing() {
  std::signal(SIGINT, SIG_IGN);
  int out = dup(STDOUT_FILENO);
  dup2(STDERR_FILENO, STDOUT_FILENO);
  return out;
}

} // namespace quern
