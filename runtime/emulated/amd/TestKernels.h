//===- TestKernels.h - Builds and runs small kernels in tests -------------===//
//
// Kernels of the tests come from LLVM IR or from assembly text; LLVM's own tools (llc, llvm-mc, ld.lld) make
// code objects of them while the test runs, so that what is executed is what the project's compiler would
// ship.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_AMD_TESTKERNELS_H
#define QUERN_RUNTIME_EMULATED_AMD_TESTKERNELS_H

#include "runtime/emulated/Machine.h"

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace quern::runtime::emulated::amd {

/// Code object bytes; a test failure and empty bytes where a tool fails. Results are kept per process.
std::vector<std::byte> compileIr(const std::string &target, const std::string &ir,
                                 const std::string &attributes = "");
/// OpenCL C without its library: THREAD, BLOCK, KERNEL(threads) and BARRIER() are macros over clang's
/// builtins.
std::vector<std::byte> compileOpenCl(const std::string &target, const std::string &source);
std::vector<std::byte> assemble(const std::string &target, const std::string &assembly);

/// `compileIr` of kernels with attributes #0 and blocks of 128 threads; the thread and block indices are
/// declared.
std::vector<std::byte> compileKernels(const std::string &target, const std::string &ir);
/// A kernel `kernel` with a last argument %n. The body has %t (thread), %g (block), %i and %w (global index,
/// 32 and 64 bits) and %in (%i is below %n).
std::string guarded(const std::string &arguments, const std::string &body);

/// A kernel named `kernel` around |body|: s[0:1] is the argument segment, `v0` the thread; see the .cpp for
/// more. |arguments| are 8-byte values.
std::string kernelAssembly(const std::string &target, const std::string &body, unsigned arguments,
                           unsigned localBytes = 0, unsigned privateBytes = 0);

/// A loaded code object, to run several of its kernels.
struct LoadedPrograms {
  std::unique_ptr<Machine> machine;
  std::map<std::string, std::unique_ptr<Program>> programs;
};
std::shared_ptr<LoadedPrograms> loadPrograms(const std::string &target, const std::vector<std::byte> &code);

/// One program with its buffers. Buffers are checked memory: accesses outside them are findings.
class KernelRun {
public:
  KernelRun(const std::string &target, const std::vector<std::byte> &code, const std::string &name = "kernel")
      : KernelRun(loadPrograms(target, code), name) {}
  KernelRun(std::shared_ptr<LoadedPrograms> loaded, const std::string &name);

  /// A buffer argument; its contents can be read with `words` after the run.
  KernelRun &buffer(std::vector<uint32_t> contents);
  KernelRun &integer(uint32_t value);
  KernelRun &wide(uint64_t value);
  KernelRun &real(float value);

  /// Launches; the status and the findings are kept.
  Status launch(uint32_t blocks, uint32_t threads);
  /// Launches and fails the test unless it succeeds.
  KernelRun &expectSuccess(uint32_t blocks, uint32_t threads);
  /// Launches and fails the test unless there is a finding of |kind|.
  KernelRun &expectFinding(uint32_t blocks, uint32_t threads, const std::string &kind);

  const std::vector<uint32_t> &words(size_t index) const { return buffers[index]; }
  std::vector<float> floats(size_t index) const;

  RunOptions options;
  RunCounters counters;
  std::vector<Finding> findings;
  uint32_t sharedBytes = 0;

private:
  std::string name;
  std::shared_ptr<LoadedPrograms> loaded;
  std::vector<std::vector<uint32_t>> buffers;
  std::vector<Argument> arguments;
  std::vector<int> bufferOf; ///< per argument: buffer index or -1
};

/// Runs |snippet| for every element: input i stands in v<10+i>, the results are read from v<30+k>. Whole
/// waves; the snippet may use v40 and up, s20 and up, vcc. EXEC is restored afterwards. One result vector per
/// output. |sanitize|: with the checks.
std::vector<std::vector<uint32_t>> runSnippet(const std::string &target, const std::string &snippet,
                                              const std::vector<std::vector<uint32_t>> &inputs,
                                              unsigned outputs = 1, bool sanitize = true);

inline bool isWave32(const std::string &target) {
  return target.starts_with("gfx11") || target.starts_with("gfx12");
}
inline std::vector<std::string> allTargets() { return {"gfx90a", "gfx942", "gfx950", "gfx1100", "gfx1201"}; }
inline uint32_t bits(float x) {
  uint32_t word;
  std::memcpy(&word, &x, 4);
  return word;
}
inline float real(uint32_t word) {
  float x;
  std::memcpy(&x, &word, 4);
  return x;
}

} // namespace quern::runtime::emulated::amd

#endif // QUERN_RUNTIME_EMULATED_AMD_TESTKERNELS_H
