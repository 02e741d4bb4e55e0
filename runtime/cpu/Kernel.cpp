//===- Kernel.cpp ---------------------------------------------------------===//
#include "runtime/cpu/Kernel.h"

#include "runtime/ElfSegments.h"

#include <cerrno>
#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

namespace quern::runtime::cpu {

namespace {

#if defined(__x86_64__)
constexpr uint16_t ownMachine = EM_X86_64;
#else
constexpr uint16_t ownMachine = EM_NONE;
#endif

Status notLoadable(std::string cause, const char *remedy) {
  return Status::error(Exit::Resource, "E-CODE-NOT-LOADABLE", "the system does not let CPU code be loaded")
      .cause(std::move(cause))
      .remedy(remedy);
}

constexpr const char *allowAnonymousCode = "allow executable anonymous files (sysctl vm.memfd_noexec=0)";

/// From the error of the last system call.
Status systemRefuses() {
  const char *remedy = errno == EMFILE || errno == ENFILE ? "raise the limit of open files (ulimit -n)"
                       : errno == ENOSPC || errno == ENOMEM || errno == EFBIG ? "free some memory"
                                                                              : allowAnonymousCode;
  return notLoadable(std::string("memfd_create: ") + strerror(errno), remedy);
}

/// An anonymous file of |code|, or -1 with the error in errno.
int writeAnonymousFile(std::span<const std::byte> code) {
#ifndef MFD_EXEC
  constexpr unsigned MFD_EXEC = 0x10; // Linux 6.3
#endif
  int file = memfd_create("quern-cpu-code", MFD_CLOEXEC | MFD_EXEC);
  if (file < 0 && errno == EINVAL)
    file = memfd_create("quern-cpu-code", MFD_CLOEXEC);
  for (size_t done = 0; file >= 0 && done < code.size();) {
    ssize_t written = write(file, code.data() + done, code.size() - done);
    if (written > 0) {
      done += static_cast<size_t>(written);
    } else if (written == 0 || errno != EINTR) {
      int error = written == 0 ? ENOSPC : errno;
      close(file);
      file = -1;
      errno = error;
    }
  }
  return file;
}

} // namespace

Expected<std::unique_ptr<Module>> CpuModule::create(std::span<const std::byte> code) {
  QUERN_ASSIGN_OR_RETURN([[maybe_unused]] auto checked, readElfSegments(code, ownMachine, "CPU"));
  int file = writeAnonymousFile(code);
  if (file < 0)
    return systemRefuses();
  std::string path = "/proc/self/fd/" + std::to_string(file);
  void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *text = dlerror();
    std::string cause = text ? text : "the dynamic linker gives no reason";
    close(file);
    if (cause.find("Permission denied") != std::string::npos ||
        cause.find("Operation not permitted") != std::string::npos)
      return notLoadable(std::move(cause), allowAnonymousCode);
    return codeDamaged("CPU", cause);
  }
  return std::unique_ptr<Module>(new CpuModule(file, library));
}

CpuModule::~CpuModule() {
  dlclose(library);
  close(file);
}

Expected<Kernel *> CpuModule::kernel(const std::string &symbol) {
  auto [entry, isNew] = kernels.try_emplace(symbol);
  if (!isNew)
    return static_cast<Kernel *>(entry->second.get());
  void *function = dlsym(library, symbol.c_str());
  if (!function) {
    kernels.erase(entry);
    return kernelMissing(symbol);
  }
  auto kernel = std::make_unique<CpuKernel>();
  kernel->name = symbol;
  kernel->function = reinterpret_cast<CpuKernel::Function>(function);
  if (auto *letters = static_cast<const char *>(dlsym(library, (symbol + "_parameters").c_str()))) {
    kernel->signature = KernelSignature::fromLetters(letters);
    if (!kernel->signature) {
      kernels.erase(entry);
      return codeDamaged("CPU", "`" + symbol + "_parameters` has a letter other than p, i, l, f");
    }
  }
  entry->second = std::move(kernel);
  return static_cast<Kernel *>(entry->second.get());
}

} // namespace quern::runtime::cpu
