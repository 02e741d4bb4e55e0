//===- Kernel.cpp ---------------------------------------------------------===//
#include "runtime/cpu/Kernel.h"

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

Status damaged(std::string cause) {
  return Status::error(Exit::BadInput, "E-CODE-DAMAGED", "the CPU code cannot be loaded")
      .cause(std::move(cause))
      .remedy("compile the artifact again");
}

/// The dynamic linker maps what the headers say without comparing with the size of the file, and dies of
/// SIGBUS where they lie; so the segments are checked first.
Status checkElf(std::span<const std::byte> code) {
  Elf64_Ehdr header;
  if (code.size() < sizeof(header))
    return damaged("it has " + std::to_string(code.size()) + " bytes");
  memcpy(&header, code.data(), sizeof(header));
  if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    return damaged("it is no ELF file");
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
      header.e_type != ET_DYN || header.e_machine != ownMachine)
    return damaged("it is no shared object for this machine");
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phoff > code.size() ||
      uint64_t(header.e_phnum) * sizeof(Elf64_Phdr) > code.size() - header.e_phoff)
    return damaged("its program headers leave the file");
  for (uint64_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    memcpy(&segment, code.data() + header.e_phoff + i * sizeof(segment), sizeof(segment));
    if (segment.p_type == PT_NULL || segment.p_filesz == 0)
      continue;
    if (segment.p_offset > code.size() || segment.p_filesz > code.size() - segment.p_offset)
      return damaged("segment " + std::to_string(i) + " leaves the file");
  }
  return Status::success();
}

Status systemRefuses(const char *call) {
  return Status::error(Exit::Resource, "E-CODE-NOT-LOADABLE", "the system does not let CPU code be loaded")
      .cause(std::string(call) + ": " + strerror(errno))
      .remedy("allow executable anonymous files (sysctl vm.memfd_noexec=0)");
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
  QUERN_RETURN_IF_ERROR(checkElf(code));
  int file = writeAnonymousFile(code);
  if (file < 0)
    return systemRefuses("memfd_create");
  std::string path = "/proc/self/fd/" + std::to_string(file);
  void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *text = dlerror();
    std::string cause = text ? text : "the dynamic linker gives no reason";
    close(file);
    if (cause.find("Permission denied") != std::string::npos ||
        cause.find("Operation not permitted") != std::string::npos)
      return Status::error(Exit::Resource, "E-CODE-NOT-LOADABLE",
                           "the system does not let CPU code be loaded")
          .cause(cause)
          .remedy("allow executable anonymous files (sysctl vm.memfd_noexec=0)");
    return damaged(cause);
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
      return damaged("`" + symbol + "_parameters` has a letter other than p, i, l, f");
    }
  }
  entry->second = std::move(kernel);
  return static_cast<Kernel *>(entry->second.get());
}

} // namespace quern::runtime::cpu
