//===- Files.cpp ----------------------------------------------------------===//
#include "support/Files.h"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace quern {

namespace {

constexpr size_t bufferBytes = 1 << 20;

/// Closes a descriptor when it goes out of scope.
struct Descriptor {
  int number = -1;
  ~Descriptor() {
    if (number >= 0)
      ::close(number);
  }
};

Status inputError(const std::string &path, int code) {
  const char *id = code == ENOENT || code == ENOTDIR ? "E-FILE-NOT-FOUND" : "E-FILE-NOT-READABLE";
  return Status::error(Exit::BadInput, id, "cannot read `" + path + "`")
      .cause(strerror(code))
      .remedy("check the path and its permissions");
}

/// Opens a regular file for reading and tells its size.
Status openForReading(const std::string &path, Descriptor &file, uint64_t &size) {
  file.number = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file.number < 0)
    return inputError(path, errno);
  struct stat facts;
  if (::fstat(file.number, &facts) != 0)
    return inputError(path, errno);
  if (!S_ISREG(facts.st_mode))
    return Status::error(Exit::BadInput, "E-FILE-NOT-READABLE", "cannot read `" + path + "`")
        .cause(S_ISDIR(facts.st_mode) ? "it is a directory" : "it is not a regular file")
        .remedy("name a file");
  size = static_cast<uint64_t>(facts.st_size);
  return Status::success();
}

Status writeAll(const std::string &path, int descriptor, ByteSpan bytes, uint64_t offset) {
  while (!bytes.empty()) {
    ssize_t written = ::pwrite(descriptor, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0) {
      if (errno == EINTR)
        continue;
      return outputError(path, errno);
    }
    bytes = bytes.subspan(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
  return Status::success();
}

std::string parentOf(const std::string &path) {
  size_t slash = path.rfind('/');
  if (slash == std::string::npos)
    return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

} // namespace

Status outputError(const std::string &path, int code) {
  if (code == ENOSPC || code == EDQUOT || code == EFBIG)
    return Status::error(Exit::Resource, "E-OUTPUT-DISK-FULL", "no space left to write `" + path + "`")
        .cause(strerror(code))
        .remedy("free some space or choose another directory");
  return Status::error(Exit::Resource, "E-OUTPUT-NOT-WRITABLE", "cannot write `" + path + "`")
      .cause(strerror(code))
      .remedy("choose another directory or change its permissions");
}

Expected<std::string> readFile(const std::string &path, uint64_t maxBytes) {
  Descriptor file;
  uint64_t size = 0;
  QUERN_RETURN_IF_ERROR(openForReading(path, file, size));
  auto tooLarge = [&] {
    return Status::error(Exit::BadInput, "E-FILE-TOO-LARGE",
                         "`" + path + "` is larger than the " + std::to_string(maxBytes) +
                             " bytes allowed for it")
        .remedy("check that this is the file that was meant");
  };
  if (size > maxBytes)
    return tooLarge();
  std::string contents(size, '\0');
  size_t filled = 0;
  while (filled != contents.size()) {
    ssize_t count = ::read(file.number, contents.data() + filled, contents.size() - filled);
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      return inputError(path, errno);
    if (count == 0)
      break; // the file shrank since its size was asked for
    filled += static_cast<size_t>(count);
  }
  contents.resize(filled);
  return contents;
}

Expected<MappedFile> MappedFile::open(const std::string &path) {
  Descriptor file;
  MappedFile map;
  uint64_t size = 0;
  QUERN_RETURN_IF_ERROR(openForReading(path, file, size));
  if (size == 0)
    return map;
  void *address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.number, 0);
  if (address == MAP_FAILED)
    return inputError(path, errno);
  map.data = static_cast<const std::byte *>(address);
  map.size = size;
  return map;
}

MappedFile::~MappedFile() {
  if (data)
    ::munmap(const_cast<std::byte *>(data), size);
}

void MappedFile::advise(ByteSpan range, bool willNeed) const {
  static const uintptr_t page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  uintptr_t begin = reinterpret_cast<uintptr_t>(range.data()), end = begin + range.size();
  // Whole pages only: of those that are given back, the ones shared with a neighbour stay.
  begin = willNeed ? begin & ~(page - 1) : alignUp(begin, page);
  end = willNeed ? alignUp(end, page) : end & ~(page - 1);
  if (begin < end)
    ::madvise(reinterpret_cast<void *>(begin), end - begin, willNeed ? MADV_WILLNEED : MADV_DONTNEED);
}

Expected<AtomicFile> AtomicFile::create(const std::string &path) {
  AtomicFile file;
  file.finalPath = path;
  if (char *target = ::realpath(path.c_str(), nullptr)) {
    file.finalPath = target;
    ::free(target);
  }
  struct stat facts;
  if (::stat(file.finalPath.c_str(), &facts) == 0 && !S_ISREG(facts.st_mode))
    return Status::error(Exit::Resource, "E-OUTPUT-NOT-A-FILE", "cannot write `" + path + "`")
        .cause(S_ISDIR(facts.st_mode) ? "it is a directory" : "it exists and is not a regular file")
        .remedy("choose another name");
  // The name carries the process id so that two writers do not meet; O_EXCL decides between threads.
  for (int attempt = 0; attempt != 100; ++attempt) {
    file.temporaryPath =
        file.finalPath + ".part-" + std::to_string(::getpid()) + "-" + std::to_string(attempt);
    file.descriptor = ::open(file.temporaryPath.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file.descriptor >= 0 || errno != EEXIST)
      break;
  }
  if (file.descriptor < 0)
    return outputError(path, errno);
  return file;
}

AtomicFile::AtomicFile(AtomicFile &&other) noexcept
    : finalPath(std::move(other.finalPath)), temporaryPath(std::move(other.temporaryPath)),
      buffer(std::move(other.buffer)), descriptor(std::exchange(other.descriptor, -1)),
      position(other.position) {}

AtomicFile::~AtomicFile() {
  if (descriptor < 0)
    return;
  ::close(descriptor);
  ::unlink(temporaryPath.c_str());
}

Status AtomicFile::flush() {
  QUERN_RETURN_IF_ERROR(writeAll(finalPath, descriptor, asBytes(buffer), position - buffer.size()));
  buffer.clear();
  return Status::success();
}

Status AtomicFile::write(ByteSpan bytes) {
  assert(descriptor >= 0 && "write after commit");
  if (buffer.size() + bytes.size() < bufferBytes) {
    buffer += asText(bytes);
    position += bytes.size();
    return Status::success();
  }
  QUERN_RETURN_IF_ERROR(flush());
  QUERN_RETURN_IF_ERROR(writeAll(finalPath, descriptor, bytes, position));
  position += bytes.size();
  return Status::success();
}

Status AtomicFile::skip(uint64_t count) {
  QUERN_RETURN_IF_ERROR(flush());
  if (::ftruncate(descriptor, static_cast<off_t>(position + count)) != 0)
    return outputError(finalPath, errno);
  position += count;
  return Status::success();
}

Status AtomicFile::overwrite(uint64_t offset, ByteSpan bytes) {
  assert(offset + bytes.size() <= position && "overwrite beyond what was written");
  QUERN_RETURN_IF_ERROR(flush());
  return writeAll(finalPath, descriptor, bytes, offset);
}

Status AtomicFile::commit() {
  QUERN_RETURN_IF_ERROR(flush());
  if (::fsync(descriptor) != 0)
    return outputError(finalPath, errno);
  int closed = ::close(descriptor);
  int code = errno;
  descriptor = -1;
  if (closed == 0 && ::rename(temporaryPath.c_str(), finalPath.c_str()) == 0)
    return Status::success();
  if (closed == 0)
    code = errno;
  ::unlink(temporaryPath.c_str());
  return outputError(finalPath, code);
}

Status writeFile(const std::string &path, std::string_view contents) {
  QUERN_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::create(path));
  QUERN_RETURN_IF_ERROR(file.write(contents));
  return file.commit();
}

Status checkDirectory(const std::string &path) {
  struct stat facts;
  if (::stat(path.c_str(), &facts) != 0)
    return Status::error(Exit::BadInput, "E-DIRECTORY-NOT-FOUND", "cannot open the directory `" + path + "`")
        .cause(strerror(errno))
        .remedy("check the path");
  if (!S_ISDIR(facts.st_mode))
    return Status::error(Exit::BadInput, "E-NOT-A-DIRECTORY", "`" + path + "` is not a directory")
        .remedy("name the directory that holds the files");
  return Status::success();
}

Status makeDirectories(const std::string &path) {
  struct stat facts;
  if (::stat(path.c_str(), &facts) == 0)
    return S_ISDIR(facts.st_mode) ? Status::success() : outputError(path, ENOTDIR);
  std::string parent = parentOf(path);
  if (parent != path && parent != ".")
    QUERN_RETURN_IF_ERROR(makeDirectories(parent));
  // Another process may have made it since.
  if (::mkdir(path.c_str(), 0777) != 0 && errno != EEXIST)
    return outputError(path, errno);
  return Status::success();
}

Expected<std::string> cacheDirectory() {
  auto variable = [](const char *name) -> std::string {
    const char *value = ::getenv(name);
    return value ? value : "";
  };
  std::string path = variable("QUERN_CACHE_DIR");
  // The XDG base directory specification says that a relative path is to be ignored.
  if (path.empty()) {
    path = variable("XDG_CACHE_HOME");
    if (path.empty() || path[0] != '/') {
      path = variable("HOME");
      if (path.empty())
        return Status::error(Exit::Resource, "E-CACHE-NO-HOME", "there is no place for the cache")
            .cause("neither QUERN_CACHE_DIR, XDG_CACHE_HOME nor HOME is set")
            .remedy("set QUERN_CACHE_DIR to a directory");
      path += "/.cache";
    }
    path += "/quern";
  }
  while (path.size() > 1 && path.back() == '/')
    path.pop_back();
  struct stat facts;
  if (::stat(path.c_str(), &facts) == 0 && S_ISDIR(facts.st_mode))
    return path;
  QUERN_RETURN_IF_ERROR(makeDirectories(path));
  if (::chmod(path.c_str(), 0700) != 0)
    return outputError(path, errno);
  return path;
}

std::string temporaryDirectory() {
  const char *given = ::getenv("TMPDIR");
  struct stat facts;
  if (!given || given[0] != '/' || ::stat(given, &facts) != 0 || !S_ISDIR(facts.st_mode))
    return "/tmp";
  std::string path = given;
  while (path.size() > 1 && path.back() == '/')
    path.pop_back();
  return path;
}

bool isPlainFileName(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos &&
         name.find('\\') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

} // namespace quern
