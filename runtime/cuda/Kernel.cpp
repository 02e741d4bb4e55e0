//===- Kernel.cpp ---------------------------------------------------------===//
#include "runtime/cuda/Kernel.h"

#include "runtime/ElfSegments.h"
#include "runtime/cuda/Error.h"

#include <cstring>

namespace quern::runtime::cuda {

namespace {

constexpr uint32_t sharedWithoutAsking = 48
                                         << 10; // CUDA C++ Programming Guide, shared memory of 7.x and later
constexpr uint32_t largestGrid = 0x7FFFFFFF;    // same, technical specifications: x-dimension of a grid

bool isElf(std::span<const std::byte> code) {
  return code.size() >= 4 && memcmp(code.data(), "\177ELF", 4) == 0;
}

Status tooNew(const Symbols &driver, const PtxSummary &ptx) {
  std::string known = newestPtx(driver.driverVersion);
  std::string needed = cudaForPtx(ptx.version);
  return Status::error(Exit::NoDevice, "E-DRIVER-PTX-TOO-NEW",
                       "the code is PTX " + ptx.version + ", the driver takes PTX " +
                           (known.empty() ? "of CUDA " + versionText(driver.driverVersion)
                                          : known + " (CUDA " + versionText(driver.driverVersion) + ")"))
      .remedy(needed.empty() ? "install a newer NVIDIA driver"
                             : "install an NVIDIA driver for CUDA " + needed + " or newer");
}

/// The first lines of what the assembler in the driver said.
std::string shorten(const std::string &log) {
  std::string text = log.substr(0, log.find('\0'));
  while (!text.empty() && (text.back() == '\n' || text.back() == ' '))
    text.pop_back();
  for (char &letter : text)
    if (letter == '\n')
      letter = ' ';
  constexpr size_t longest = 400;
  return text.size() > longest ? text.substr(0, longest) + "..." : text;
}

Status loadFailed(const Symbols &driver, Result result, const PtxSummary &ptx, const std::string &log) {
  std::string cause = errorText(driver, result);
  if (!log.empty())
    cause += ": " + log;
  // Some drivers report a newer PTX version as a fault of the text.
  if (result == errorUnsupportedPtxVersion || log.find("Unsupported .version") != std::string::npos)
    return tooNew(driver, ptx);
  switch (result) {
  case errorInvalidImage:
  case errorInvalidPtx:
  case errorInvalidSource:
    return codeDamaged("GPU", std::move(cause));
  case errorNoBinaryForDevice:
    return Status::error(Exit::Unsupported, "E-CODE-OTHER-TARGET", "the GPU code is for another device")
        .cause(std::move(cause))
        .remedy("compile the artifact again with this device's `--target`");
  case errorJitCompilerNotFound:
    return Status::error(Exit::NoDevice, "E-DRIVER-NO-ASSEMBLER", "the driver cannot assemble PTX")
        .cause(std::move(cause))
        .remedy("install libnvidia-ptxjitcompiler.so of the driver's version, or compile with --cubin");
  default:
    return callFailed(driver, result, "cuModuleLoadDataEx", "cannot load GPU code");
  }
}

/// From the driver; it ends at the first index that does not exist.
std::optional<KernelSignature> askSignature(const Symbols &driver, FunctionHandle function) {
  if (!driver.cuFuncGetParamInfo)
    return std::nullopt;
  KernelSignature signature;
  for (size_t index = 0;; ++index) {
    size_t offset = 0, bytes = 0;
    Result result = driver.cuFuncGetParamInfo(function, index, &offset, &bytes);
    if (result == errorInvalidValue)
      return signature;
    if (result != success)
      return std::nullopt;
    signature.parameters.push_back({static_cast<uint32_t>(bytes), {}});
  }
}

} // namespace

Expected<std::unique_ptr<Module>> CudaModule::create(std::shared_ptr<Stream> stream,
                                                     std::span<const std::byte> code) {
  // The driver takes no size: text must end with a zero, a cubin says its own size.
  std::string image(reinterpret_cast<const char *>(code.data()), code.size());
  std::unique_ptr<CudaModule> module(new CudaModule(stream));
  if (!isElf(code)) {
    std::optional<PtxSummary> ptx = summarisePtx(image);
    if (!ptx)
      return codeDamaged("GPU", "it is neither PTX nor a cubin");
    module->ptx = std::move(*ptx);
  }
  const Symbols &driver = stream->symbols();
  QUERN_RETURN_IF_ERROR(stream->enter());
  std::string log(8192, '\0');
  int options[] = {jitErrorLogBuffer, jitErrorLogBufferBytes};
  // An option's value stands in the pointer itself where it is a number.
  void *values[] = {log.data(), reinterpret_cast<void *>(log.size() - 1)};
  if (Result result = driver.cuModuleLoadDataEx(&module->module, image.c_str(), 2, options, values);
      result != success) {
    module->module = nullptr;
    return loadFailed(driver, result, module->ptx, shorten(log));
  }
  return std::unique_ptr<Module>(std::move(module));
}

CudaModule::~CudaModule() {
  // What still runs must end before its code goes away.
  if (module && stream->synchronize().ok())
    stream->symbols().cuModuleUnload(module);
}

Expected<Kernel *> CudaModule::kernel(const std::string &symbol) {
  if (auto found = kernels.find(symbol); found != kernels.end())
    return static_cast<Kernel *>(found->second.get());
  const Symbols &driver = stream->symbols();
  QUERN_RETURN_IF_ERROR(stream->enter());
  auto kernel = std::make_unique<CudaKernel>(*stream);
  kernel->name = symbol;
  Result result = driver.cuModuleGetFunction(&kernel->function, module, symbol.c_str());
  if (result == errorNotFound)
    return kernelMissing(symbol);
  if (result != success)
    return callFailed(driver, result, "cuModuleGetFunction", "cannot find kernel `" + symbol + "`");
  const std::string what = "cannot read the facts of kernel `" + symbol + "`";
  int shared = 0, threads = 0;
  QUERN_CUDA_RETURN_IF_ERROR(driver, cuFuncGetAttribute(&shared, functionSharedBytes, kernel->function),
                             what);
  QUERN_CUDA_RETURN_IF_ERROR(driver, cuFuncGetAttribute(&threads, functionMaxThreads, kernel->function),
                             what);
  kernel->staticShared = static_cast<uint32_t>(shared);
  kernel->maxThreads = static_cast<uint32_t>(threads);
  auto fromText = ptx.kernels.find(symbol);
  kernel->signature =
      fromText != ptx.kernels.end() ? fromText->second : askSignature(driver, kernel->function);
  return static_cast<Kernel *>((kernels[symbol] = std::move(kernel)).get());
}

Status CudaKernel::launch(const LaunchShape &shape, std::span<const Argument> arguments) {
  const Symbols &driver = stream.symbols();
  const std::string what = launchFailure(shape);
  if (shape.blocks > largestGrid || shape.threads == 0 || shape.threads > maxThreads)
    return Status::error(Exit::Usage, "E-LAUNCH-SHAPE", what)
        .cause("blocks of 1 to " + std::to_string(maxThreads) + " threads, at most " +
               std::to_string(largestGrid) + " of them");
  QUERN_RETURN_IF_ERROR(stream.enter());
  if (uint64_t(shape.sharedBytes) + staticShared > sharedWithoutAsking &&
      shape.sharedBytes > dynamicAllowed) {
    QUERN_CUDA_RETURN_IF_ERROR(
        driver,
        cuFuncSetAttribute(function, functionMaxDynamicSharedBytes, static_cast<int>(shape.sharedBytes)),
        what);
    dynamicAllowed = shape.sharedBytes;
  }
  ArgumentSlots slots(arguments);
  QUERN_CUDA_RETURN_IF_ERROR(driver,
                             cuLaunchKernel(function, shape.blocks, 1, 1, shape.threads, 1, 1,
                                            shape.sharedBytes, stream.handle(), slots.data(), nullptr),
                             what);
  return Status::success();
}

} // namespace quern::runtime::cuda
