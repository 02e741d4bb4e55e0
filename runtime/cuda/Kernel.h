//===- Kernel.h - Loaded PTX or cubin and its kernels ---------------------===//
#ifndef QUERN_RUNTIME_CUDA_KERNEL_H
#define QUERN_RUNTIME_CUDA_KERNEL_H

#include "runtime/Device.h"
#include "runtime/KernelSignature.h"
#include "runtime/cuda/Ptx.h"
#include "runtime/cuda/Stream.h"

#include <map>
#include <memory>
#include <optional>
#include <string>

namespace quern::runtime::cuda {

class CudaKernel final : public Kernel {
public:
  std::string name;
  FunctionHandle function = nullptr;
  std::optional<KernelSignature> signature; ///< nothing for a cubin on a driver before CUDA 12.4
  uint32_t maxThreads = 0;                  ///< of a block, by the registers that the code needs
  uint32_t staticShared = 0;                ///< bytes that the code declares
  uint32_t dynamicAllowed = 0;              ///< dynamic bytes that were asked for so far

  /// Queues one launch of |blocks| > 0 blocks; the arguments are already checked.
  Status launch(Stream &stream, const LaunchShape &shape, std::span<const Argument> arguments);
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
