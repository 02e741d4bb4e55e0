//===- WorkerPool.cpp -----------------------------------------------------===//
//
// A message is its length in decimal, a newline, and that many bytes. A request holds three lines (target,
// stages to keep, kernel request). An answer begins with 'K' and the compiled kernel, or 'E' and the fields
// of an error, each behind its length.
//
//===----------------------------------------------------------------------===//
#include "lowering/WorkerPool.h"
#include "lowering/KernelExchange.h"

#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

namespace quern::lowering {

//===----------------------------------------------------------------------===//
// Messages
//===----------------------------------------------------------------------===//

/// More than code and texts of any kernel: a longer message is none.
static constexpr size_t mostBytes = size_t(1) << 30;

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

static bool send(int fd, const std::string &message) {
  return writeAll(fd, std::to_string(message.size()) + "\n" + message);
}

enum class Received : uint8_t { Message, End, Late };

/// |deadline| bounds the whole message; without one it may take for ever.
static Received receive(int fd, std::string &message,
                        std::optional<std::chrono::steady_clock::time_point> deadline) {
  auto readSome = [&](char *to, size_t size) -> ssize_t {
    if (deadline) {
      auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(*deadline - std::chrono::steady_clock::now());
      pollfd wait{fd, POLLIN, 0};
      if (left.count() <= 0 || poll(&wait, 1, int(left.count())) == 0)
        return -2;
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

static std::string field(const std::string &text) { return std::to_string(text.size()) + " " + text; }

/// Takes what `field` wrote from the front of |rest|; nothing where it is no field.
static std::optional<std::string> takeField(std::string_view &rest) {
  size_t size = 0, digits = 0;
  for (; digits < rest.size() && rest[digits] >= '0' && rest[digits] <= '9' && size <= mostBytes; ++digits)
    size = size * 10 + size_t(rest[digits] - '0');
  if (digits == 0 || digits == rest.size() || rest[digits] != ' ' || rest.size() - digits - 1 < size)
    return std::nullopt;
  std::string text(rest.substr(digits + 1, size));
  rest.remove_prefix(digits + 1 + size);
  return text;
}

//===----------------------------------------------------------------------===//
// The worker's side
//===----------------------------------------------------------------------===//

static Expected<CompiledKernel> answer(const std::string &message) {
  std::istringstream lines(message);
  std::string target, stages, text;
  std::getline(lines, target);
  std::getline(lines, stages);
  std::getline(lines, text);
  QUERN_ASSIGN_OR_RETURN(std::vector<CodeTarget> targets, codeTargets(target));
  QUERN_ASSIGN_OR_RETURN(KernelRequest request, parseKernelRequest(text));
  CompileKernelOptions options;
  std::istringstream numbers(stages);
  int stage = 0;
  if (numbers >> stage)
    options.last = KernelStage(stage);
  while (numbers >> stage)
    options.keep.push_back(KernelStage(stage));
  return compileKernel(request, targets.front(), options);
}

int runCompileWorker() {
  // Ctrl-C goes to the whole group; the program decides what becomes of the work, and closes the pipe.
  std::signal(SIGINT, SIG_IGN);
  // Whatever prints to standard output must not end up in the answers.
  int out = dup(STDOUT_FILENO);
  dup2(STDERR_FILENO, STDOUT_FILENO);
  std::string message;
  while (receive(STDIN_FILENO, message, std::nullopt) == Received::Message) {
    Expected<CompiledKernel> kernel = answer(message);
    std::string reply;
    if (kernel.ok()) {
      reply = "K" + writeCompiledKernel(*kernel);
    } else {
      const Status &error = kernel.error();
      reply = "E" + field(std::to_string(int(error.exit()))) + field(error.id()) + field(error.sentence()) +
              field(error.causeText()) + field(error.remedyText());
    }
    if (!send(out, reply))
      return 1;
  }
  return 0;
}

//===----------------------------------------------------------------------===//
// The pool's side
//===----------------------------------------------------------------------===//

struct WorkerPool::Worker {
  pid_t process = -1;
  int in = -1, out = -1;

  ~Worker() { stop(); }

  Status start(const std::string &program) {
    int toWorker[2], fromWorker[2];
    auto failed = [&] {
      return Status::error(Exit::Resource, "E-WORKER-START", "cannot start a compile worker")
          .cause(strerror(errno));
    };
    if (pipe2(toWorker, O_CLOEXEC))
      return failed();
    if (pipe2(fromWorker, O_CLOEXEC)) {
      close(toWorker[0]);
      close(toWorker[1]);
      return failed();
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, toWorker[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, fromWorker[1], STDOUT_FILENO);
    std::string argument = compileWorkerArgument, name = program;
    char *arguments[] = {name.data(), argument.data(), nullptr};
    int code = posix_spawn(&process, program.c_str(), &actions, nullptr, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(toWorker[0]);
    close(fromWorker[1]);
    in = toWorker[1];
    out = fromWorker[0];
    if (code) {
      process = -1;
      stop();
      errno = code;
      return failed();
    }
    return Status::success();
  }

  /// Ends the process; returns how it ended, in words.
  std::string stop(bool kill = false) {
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
};

WorkerPool::WorkerPool(std::string program, unsigned count, unsigned deadlineSeconds)
    : program(std::move(program)), deadlineSeconds(deadlineSeconds) {
  // A worker that dies while it is written to must not take this process with it.
  if (!this->program.empty())
    std::signal(SIGPIPE, SIG_IGN);
  for (unsigned i = 0; i < count; ++i)
    workers.push_back(std::make_unique<Worker>());
}

WorkerPool::~WorkerPool() = default;

Expected<CompiledKernel> WorkerPool::compile(unsigned slot, const KernelRequest &request,
                                             const CodeTarget &target, const CompileKernelOptions &options) {
  if (program.empty())
    return compileKernel(request, target, options);
  Worker &worker = *workers[slot];
  if (worker.process < 0)
    QUERN_RETURN_IF_ERROR(worker.start(program));
  std::string message = target.name + "\n" + std::to_string(int(options.last));
  for (KernelStage stage : options.keep)
    message += " " + std::to_string(int(stage));
  message += "\n" + request.text() + "\n";
  auto failed = [&](const char *id, std::string cause) {
    return Status::error(Exit::CompileFailed, id,
                         "the code generator failed on the kernel `" + request.text() + "` for `" +
                             target.name + "`")
        .cause(std::move(cause));
  };
  // What follows in the pipe has no meaning any more.
  auto damaged = [&] {
    worker.stop(/*kill=*/true);
    return failed("E-KERNEL-CRASH", "its answer is damaged");
  };
  std::string reply;
  auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(deadlineSeconds);
  bool sent = send(worker.in, message);
  Received received = sent ? receive(worker.out, reply, deadline) : Received::End;
  if (received == Received::Late) {
    worker.stop(/*kill=*/true);
    return failed("E-KERNEL-TIMEOUT", "no answer within " + std::to_string(deadlineSeconds) + " s");
  }
  if (received == Received::End)
    return failed("E-KERNEL-CRASH", "its process ended with " + worker.stop());
  std::string_view rest = reply;
  char kind = rest.empty() ? 0 : rest[0];
  rest.remove_prefix(rest.empty() ? 0 : 1);
  if (kind == 'K') {
    if (std::optional<CompiledKernel> kernel = readCompiledKernel(rest))
      return *std::move(kernel);
    return damaged();
  }
  std::string fields[5]; // exit, id, sentence, cause, remedy
  bool whole = kind == 'E';
  for (std::string &each : fields)
    if (std::optional<std::string> text = whole ? takeField(rest) : std::nullopt)
      each = *std::move(text);
    else
      whole = false;
  const auto &[code, id, sentence, cause, remedy] = fields;
  int exit = 0;
  if (!whole || id.empty() || std::from_chars(code.data(), code.data() + code.size(), exit).ec != std::errc())
    return damaged();
  Status status = Status::error(Exit(exit), id, sentence);
  if (!cause.empty())
    status = std::move(status).cause(cause);
  if (!remedy.empty())
    status = std::move(status).remedy(remedy);
  return status;
}

} // namespace quern::lowering
