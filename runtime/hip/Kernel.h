//===- Kernel.h - Loaded code objects and their kernels -------------------===//
#ifndef QUERN_RUNTIME_HIP_KERNEL_H
#define QUERN_RUNTIME_HIP_KERNEL_H

#include "runtime/DriverDevice.h"
#include "runtime/hip/CodeObject.h"
#include "runtime/hip/Stream.h"

#include <map>
#include <memory>
#include <string>

namespace quern::runtime::hip {

class HipKernel final : public DriverKernel {
public:
  explicit HipKernel(Stream &stream) : stream(stream) {}

  FunctionHandle function = nullptr;

  Status launch(const LaunchShape &shape, std::span<const Argument> arguments) override;

private:
  Stream &stream; // the module's
};

class HipModule final : public Module {
public:
  /// Exit::BadInput "E-CODE-DAMAGED"; Exit::Unsupported "E-CODE-OTHER-TARGET" where the code is not for
  /// |architecture|.
  static Expected<std::unique_ptr<Module>>
  create(std::shared_ptr<Stream> stream, const std::string &architecture, std::span<const std::byte> code);
  ~HipModule() override;

  Expected<Kernel *> kernel(const std::string &symbol) override;

private:
  explicit HipModule(std::shared_ptr<Stream> stream) : stream(std::move(stream)) {}

  std::shared_ptr<Stream> stream;
  std::vector<std::byte> image; // HIP 5 may read it until the module is unloaded
  ModuleHandle module = nullptr;
  CodeObjectSummary summary;
  std::map<std::string, std::unique_ptr<HipKernel>> kernels;
};

} // namespace quern::runtime::hip

#endif // QUERN_RUNTIME_HIP_KERNEL_H
