//===- WorkerPool.h - Code generation in processes of its own -------------===//
//
// LLVM ends the process on some faults, and a schedule of the tuner's must not take the compiler with it (contract
// 21). A pool runs kernels in re-executed copies of the program; a worker that dies or does not answer in time costs
// its kernel alone, which is reported, and the worker is started again.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_LOWERING_WORKERPOOL_H
#define QUERN_LOWERING_WORKERPOOL_H

#include "lowering/KernelCompiler.h"

#include <memory>
#include <string>

namespace quern::lowering {

/// The argument with which a program that calls `runCompileWorker` is started as a worker.
inline constexpr const char *compileWorkerArgument = "--compile-worker";

class WorkerPool {
public:
  /// |program| is executed with `compileWorkerArgument`; empty compiles in this process.
  WorkerPool(std::string program, unsigned workers, unsigned deadlineSeconds = 120);
  ~WorkerPool();

  /// As `compileKernel`, from any of |workers| threads, each with its own |slot|. Exit::CompileFailed
  /// "E-KERNEL-CRASH" (with the signal), "E-KERNEL-TIMEOUT".
  Expected<CompiledKernel> compile(unsigned slot, const KernelRequest &request, const CodeTarget &target,
                                   const CompileKernelOptions &options);

private:
  struct Worker;
  std::string program;
  unsigned deadlineSeconds;
  std::vector<std::unique_ptr<Worker>> workers;
};

/// The worker's side: reads requests from standard input and answers on standard output until the input ends.
/// Returns the exit code of the process.
int runCompileWorker();

} // namespace quern::lowering

#endif // QUERN_LOWERING_WORKERPOOL_H
