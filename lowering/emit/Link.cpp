//===- Link.cpp -----------------------------------------------------------===//
#include "lowering/emit/Link.h"

#include "support/Files.h"

#include "lld/Common/Driver.h"
#include "llvm/Support/raw_ostream.h"

#include <fcntl.h>
#include <mutex>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

LLD_HAS_DRIVER(elf)

namespace quern::lowering {

namespace {
/// An anonymous file in memory that lld can open by path.
class MemoryFile {
public:
  MemoryFile() : fd(memfd_create("quern-link", MFD_CLOEXEC)) {}
  ~MemoryFile() {
    if (fd >= 0)
      close(fd);
  }
  bool ok() const { return fd >= 0; }
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd); }

  bool write(const std::string &bytes) {
    size_t done = 0;
    while (done < bytes.size()) {
      ssize_t n = ::write(fd, bytes.data() + done, bytes.size() - done);
      if (n <= 0)
        return false;
      done += size_t(n);
    }
    return true;
  }

private:
  int fd;
};

/// A path for the output: lld writes beside and renames, so it needs a real directory, in memory where the
/// system has one.
class OutputFile {
public:
  OutputFile() : name("/dev/shm/quern-link-XXXXXX") {
    fd = mkstemp(name.data());
    if (fd < 0) {
      name = temporaryDirectory() + "/quern-link-XXXXXX";
      fd = mkstemp(name.data());
    }
  }
  ~OutputFile() {
    if (fd >= 0) {
      close(fd);
      unlink(name.c_str());
    }
  }
  bool ok() const { return fd >= 0; }
  const std::string &path() const { return name; }

  std::string read() const {
    std::string bytes;
    int in = open(name.c_str(), O_RDONLY | O_CLOEXEC);
    char chunk[65536];
    for (ssize_t n; in >= 0 && (n = ::read(in, chunk, sizeof chunk)) > 0;)
      bytes.append(chunk, size_t(n));
    if (in >= 0)
      close(in);
    return bytes;
  }

private:
  std::string name;
  int fd;
};
} // namespace

Expected<std::string> linkShared(const std::string &object) {
  static std::mutex oneAtATime;
  std::lock_guard<std::mutex> lock(oneAtATime);
  auto failure = [](std::string cause) {
    return Status::error(Exit::CompileFailed, "E-LINK", "cannot link the generated code")
        .cause(std::move(cause));
  };
  MemoryFile input;
  OutputFile output;
  if (!input.ok() || !output.ok() || !input.write(object))
    return Status::error(Exit::Resource, "E-LINK-MEMORY", "no memory file for the linker can be made");
  std::string in = input.path();
  std::vector<const char *> arguments = {
      "ld.lld",           "-shared", "--no-undefined",      "--build-id=none", "-O2",
      "--hash-style=gnu", "-o",      output.path().c_str(), in.c_str()};
  std::string text;
  llvm::raw_string_ostream errors(text);
  lld::Result result = lld::lldMain(arguments, errors, errors, {{lld::Gnu, &lld::elf::link}});
  if (result.retCode)
    return failure(text.empty() ? "the linker gave no reason" : text);
  std::string bytes = output.read();
  if (bytes.empty())
    return failure("the linker wrote nothing");
  return bytes;
}

} // namespace quern::lowering
