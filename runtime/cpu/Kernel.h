//===- Kernel.h - Host shared objects loaded from memory ------------------===//
//
// The bytes of a shared object are written to an anonymous file (memfd_create) and opened by the dynamic
// linker, so nothing touches the disk. The object has no undefined symbol and needs no library. Beside a
// kernel `K` it may export `K_parameters`, a NUL-terminated string of one letter per argument
// (KernelSignature::fromLetters); without it, launches of K are not checked.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_CPU_KERNEL_H
#define QUERN_RUNTIME_CPU_KERNEL_H

#include "runtime/Device.h"
#include "runtime/KernelSignature.h"

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace quern::runtime::cpu {

class CpuModule;

class CpuKernel final : public Kernel {
public:
  using Function = void (*)(const uint64_t *slots, uint32_t blockBegin, uint32_t blockEnd, void *scratch);

  std::string name;
  Function function = nullptr;
  std::optional<KernelSignature> signature;
};

class CpuModule final : public Module {
public:
  /// Exit::BadInput "E-CODE-DAMAGED" where |code| is no shared object for this machine or needs symbols;
  /// Exit::Resource "E-CODE-NOT-LOADABLE" where the system refuses executable anonymous files.
  static Expected<std::unique_ptr<Module>> create(std::span<const std::byte> code);
  ~CpuModule() override;

  Expected<Kernel *> kernel(const std::string &symbol) override;

private:
  CpuModule(int file, void *library) : file(file), library(library) {}

  // Open as long as the library: the dynamic linker takes a path that it has seen for the same library, and
  // the path is "/proc/self/fd/N".
  int file;
  void *library;
  std::map<std::string, std::unique_ptr<CpuKernel>> kernels;
};

} // namespace quern::runtime::cpu

#endif // QUERN_RUNTIME_CPU_KERNEL_H
