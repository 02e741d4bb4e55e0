//===- Jit.h - Host code for kernels --------------------------------------===//
//
// Compiles kernel images for the processor that this runs on, through LLVM's ORC. One Jit serves all modules
// of a machine; it is safe to use from several threads.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_JIT_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_JIT_H

#include "runtime/emulated/nvidia/Checks.h"
#include "runtime/emulated/nvidia/KernelImage.h"
#include "runtime/emulated/nvidia/ThreadContext.h"
#include "support/Status.h"

#include <memory>

namespace quern::runtime::emulated::nvidia {

/// Host code of one kernel, freed with this object.
class HostCode {
public:
  virtual ~HostCode() = default;
  KernelEntry entry = nullptr;
};

class Jit {
public:
  /// Exit::CompileFailed "E-EMULATED-JIT" with LLVM's text where LLVM cannot compile for this host.
  static Expected<std::unique_ptr<Jit>> create();
  ~Jit();

  /// Host code of |image|; see `translate` for |checks|.
  Expected<std::unique_ptr<HostCode>> compile(const KernelImage &image, Checks checks);

private:
  struct Detail;
  explicit Jit(std::shared_ptr<Detail> detail);
  std::shared_ptr<Detail> detail; ///< code that is alive keeps it
};

} // namespace quern::runtime::emulated::nvidia

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_JIT_H
