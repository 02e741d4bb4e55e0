//===- WorkerPool.cpp -----------------------------------------------------===//
//
// A request holds three lines (target, stages to keep, kernel request). An answer begins with 'K' and the
// compiled kernel, or 'E' and the fields of an error, each behind its length.
//
//===----------------------------------------------------------------------===//
#include "lowering/WorkerPool.h"
#include "lowering/KernelExchange.h"
#include "support/ChildProcess.h"

#include <charconv>
#include <sstream>

namespace quern::lowering {

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
  return serveMessages([](const std::string &message) -> std::string {
    Expected<CompiledKernel> kernel = answer(message);
    if (kernel.ok())
      return "K" + writeCompiledKernel(*kernel);
    const Status &error = kernel.error();
    return "E" + messageField(std::to_string(int(error.exit()))) + messageField(error.id()) +
           messageField(error.sentence()) + messageField(error.causeText()) +
           messageField(error.remedyText());
  });
}

//===----------------------------------------------------------------------===//
// The pool's side
//===----------------------------------------------------------------------===//

struct WorkerPool::Worker : ChildProcess {};

WorkerPool::WorkerPool(std::string program, unsigned count, unsigned deadlineSeconds)
    : program(std::move(program)), deadlineSeconds(deadlineSeconds) {
  for (unsigned i = 0; i < count; ++i)
    workers.push_back(std::make_unique<Worker>());
}

WorkerPool::~WorkerPool() = default;

Expected<CompiledKernel> WorkerPool::compile(unsigned slot, const KernelRequest &request,
                                             const CodeTarget &target, const CompileKernelOptions &options) {
  if (program.empty())
    return compileKernel(request, target, options);
  Worker &worker = *workers[slot];
  if (!worker.running())
    QUERN_RETURN_IF_ERROR(worker.start(program, compileWorkerArgument));
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
  Received received = worker.exchange(message, reply, std::chrono::seconds(deadlineSeconds));
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
