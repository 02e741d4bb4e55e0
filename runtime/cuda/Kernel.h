//===- Kernel.h - Loaded PTX or cubin and its kernels ---------------------===//
#ifndef QUERN_RUNTIME_CUDA_KERNEL_H
#define QUERN_RUNTIME_CUDA_KERNEL_H

#include "runtime/DriverDevice.h"
#include "runtime/cuda/Ptx.h"
#include "runtime/cuda/Stream.h"

#include <map>
#include <memory>
#include <string>

namespace quern::runtime::cuda {

class CudaKernel final : public DriverKernel {
public:
  explicit CudaKernel(Stream &stream) : stream(stream) {}

  FunctionHandle function = nullptr;
  uint32_t staticShared = 0;   ///< bytes that the code declares
  uint32_t dynamicAllowed = 0; ///< dynamic bytes that were asked for so far

  Status launch(const LaunchShape &shape, std::span<const Argument> arguments) override;

private:
  Stream &stream; // the module's
};

class CudaModule final : public Module {
public:
  /// Exit::BadInput "E-CODE-DAMAGED" with the assembler's message; Exit::Unsupported "E-CODE-OTHER-TARGET";
  /// Exit::NoDevice "E-DRIVER-PTX-TOO-NEW", "E-DRIVER-NO-ASSEMBLER".
  static Expected<std::unique_ptr<Module>> create(std::shared_ptr<Stream> stream,
                                                  std::span<const std::byte> code);
  ~CudaModule() override;

  Expected<Kernel *> kernel(const std::string &symbol) override;

private:
  explicit CudaModule(std::shared_ptr<Stream> stream) : stream(std::move(stream)) {}

  std::shared_ptr<Stream> stream;
  ModuleHandle module = nullptr;
  PtxSummary ptx;
  std::map<std::string, std::unique_ptr<CudaKernel>> kernels;
};

} // namespace quern::runtime::cuda

#endif // QUERN_RUNTIME_CUDA_KERNEL_H
