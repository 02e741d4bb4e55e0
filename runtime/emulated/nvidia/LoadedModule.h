//===- LoadedModule.h - A PTX module in memory ----------------------------===//
//
// The module, the host memory of its .global and .const variables, and its kernels with the code that has
// been compiled for them. Programs share it.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_LOADEDMODULE_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_LOADEDMODULE_H

#include "runtime/emulated/Machine.h"
#include "runtime/emulated/nvidia/CountPlan.h"
#include "runtime/emulated/nvidia/Jit.h"
#include "runtime/emulated/nvidia/KernelImage.h"
#include "runtime/emulated/nvidia/Ptx.h"

#include <map>
#include <memory>
#include <mutex>
#include <string_view>

namespace quern::runtime::emulated::nvidia {

/// One kernel, compiled when it is first run, for each set of checks.
class LoadedKernel {
public:
  explicit LoadedKernel(KernelImage image) : image(std::move(image)) {}
  Expected<KernelEntry> entry(Jit &jit, Checks checks);

  const KernelImage image;
  /// Made at its first use.
  const CountPlan &countPlan();

private:
  std::mutex lock;
  std::unique_ptr<HostCode> code[Checks::sets];
  std::unique_ptr<CountPlan> plan;
};

class LoadedModule {
public:
  /// Exit::BadInput "E-EMULATED-CODE" where |text| is not PTX.
  static Expected<std::shared_ptr<LoadedModule>> load(std::string_view text);

  const Module &ptx() const { return *module; }
  /// The kernels by name.
  const std::map<std::string, std::unique_ptr<LoadedKernel>> &kernels() const { return byName; }
  /// True if kernels can change its variables: each load of the text then needs a module of its own.
  bool hasVariables() const { return writable; }

  GlobalMemory variables, constants; ///< .global, .const

private:
  Status placeVariables();

  std::unique_ptr<Module> module;
  std::vector<std::unique_ptr<std::byte[]>> storage;
  std::map<const Variable *, uint64_t> addresses;
  std::map<std::string, std::unique_ptr<LoadedKernel>> byName;
  bool writable = false;
};

} // namespace quern::runtime::emulated::nvidia

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_LOADEDMODULE_H
