//===- Kernel.cpp ---------------------------------------------------------===//
#include "runtime/hip/Kernel.h"

#include "runtime/ElfSegments.h"
#include "runtime/hip/Error.h"

namespace quern::runtime::hip {

namespace {

constexpr uint64_t largestGridThreads = 0xFFFFFFFF; // an AQL packet's grid size is in threads, 32 bits

Status otherTarget(std::string cause) {
  return Status::error(Exit::Unsupported, "E-CODE-OTHER-TARGET", "the GPU code is for another device")
      .cause(std::move(cause))
      .remedy("compile the artifact again with this device's `--target`");
}

} // namespace

Expected<std::unique_ptr<Module>> HipModule::create(std::shared_ptr<Stream> stream,
                                                    const std::string &architecture,
                                                    std::span<const std::byte> code) {
  std::unique_ptr<HipModule> module(new HipModule(stream));
  QUERN_ASSIGN_OR_RETURN(module->summary, summariseCodeObject(code));
  const std::string &target = module->summary.architecture;
  if (!target.empty() && target != architecture)
    return otherTarget("it is for " + target + ", the device is " + architecture);
  module->image.assign(code.begin(), code.end());
  const Symbols &driver = stream->symbols();
  QUERN_RETURN_IF_ERROR(stream->enter());
  Result result = driver.hipModuleLoadData(&module->module, module->image.data());
  if (result == success)
    return std::unique_ptr<Module>(std::move(module));
  module->module = nullptr;
  std::string cause = errorText(driver, result);
  switch (result) {
  case errorInvalidImage:
  case errorInvalidSource:
  case errorSharedObjectInit:
    return codeDamaged("GPU", std::move(cause));
  case errorNoBinaryForDevice:
    return otherTarget(std::move(cause));
  default:
    return callFailed(driver, result, "hipModuleLoadData", "cannot load GPU code");
  }
}

HipModule::~HipModule() {
  // What still runs must end before its code goes away.
  if (module && stream->synchronize().ok())
    stream->symbols().hipModuleUnload(module);
}

Expected<Kernel *> HipModule::kernel(const std::string &symbol) {
  if (auto found = kernels.find(symbol); found != kernels.end())
    return static_cast<Kernel *>(found->second.get());
  const Symbols &driver = stream->symbols();
  QUERN_RETURN_IF_ERROR(stream->enter());
  auto kernel = std::make_unique<HipKernel>(*stream);
  kernel->name = symbol;
  Result result = driver.hipModuleGetFunction(&kernel->function, module, symbol.c_str());
  if (result == errorNotFound)
    return kernelMissing(symbol);
  if (result != success)
    return callFailed(driver, result, "hipModuleGetFunction", "cannot find kernel `" + symbol + "`");
  if (auto known = summary.kernels.find(symbol); known != summary.kernels.end()) {
    kernel->signature = known->second.signature;
    kernel->maxThreads = known->second.maxThreads;
  }
  return static_cast<Kernel *>((kernels[symbol] = std::move(kernel)).get());
}

Status HipKernel::launch(const LaunchShape &shape, std::span<const Argument> arguments) {
  const Symbols &driver = stream.symbols();
  const std::string what = launchFailure(shape);
  if (shape.threads == 0 || (maxThreads != 0 && shape.threads > maxThreads) ||
      uint64_t(shape.blocks) * shape.threads > largestGridThreads)
    return Status::error(Exit::Usage, "E-LAUNCH-SHAPE", what)
        .cause("blocks of 1 to " + std::to_string(maxThreads) + " threads, at most " +
               std::to_string(largestGridThreads) + " threads in all");
  QUERN_RETURN_IF_ERROR(stream.enter());
  ArgumentSlots slots(arguments);
  QUERN_HIP_RETURN_IF_ERROR(driver,
                            hipModuleLaunchKernel(function, shape.blocks, 1, 1, shape.threads, 1, 1,
                                                  shape.sharedBytes, stream.handle(), slots.data(), nullptr),
                            what);
  return Status::success();
}

} // namespace quern::runtime::hip
