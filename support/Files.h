//===- Files.h - Reading files, mapping them, and replacing them atomically ----===//
//
// Inputs are read whole (small files, with a limit) or mapped. Outputs are written beside their final name
// and renamed at the end, so that a failure or Ctrl-C leaves a previous output unchanged and nothing
// half-written.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_SUPPORT_FILES_H
#define QUERN_SUPPORT_FILES_H

#include "support/Bytes.h"
#include "support/Status.h"

namespace quern {

/// The whole regular file at |path|. Exit::BadInput "E-FILE-NOT-FOUND", "E-FILE-NOT-READABLE" (also for a
/// directory or a device), "E-FILE-TOO-LARGE" beyond |maxBytes|.
Expected<std::string> readFile(const std::string &path, uint64_t maxBytes);

/// A read-only view of a file. The descriptor is closed at once; the view lives until the object goes.
///
/// A file that another process truncates while it is mapped raises SIGBUS on access, as on every POSIX
/// system; sizes and headers are therefore copied before they are checked, and never read twice.
class MappedFile {
public:
  /// Errors as `readFile`. An empty file maps to an empty range.
  static Expected<MappedFile> open(const std::string &path);
  MappedFile() = default;
  ~MappedFile();
  MappedFile(MappedFile &&other) noexcept { swap(other); }
  MappedFile &operator=(MappedFile &&other) noexcept {
    swap(other);
    return *this;
  }

  ByteSpan bytes() const { return {data, size}; }
  /// Tells the kernel that |range| of this view will be read once and in order (|willNeed|), or not again.
  void advise(ByteSpan range, bool willNeed) const;

private:
  void swap(MappedFile &other) {
    std::swap(data, other.data);
    std::swap(size, other.size);
  }
  const std::byte *data = nullptr;
  uint64_t size = 0;
};

/// A file that appears under its name only when it is complete.
///
///   QUERN_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::create(path));
///   QUERN_RETURN_IF_ERROR(file.write(bytes));
///   return file.commit();
class AtomicFile {
public:
  /// Opens a new file beside |path| (beside its target, where |path| is a symbolic link). Exit::Resource
  /// "E-OUTPUT-NOT-WRITABLE"; "E-OUTPUT-NOT-A-FILE" where |path| exists and is not a regular file.
  static Expected<AtomicFile> create(const std::string &path);
  AtomicFile(AtomicFile &&other) noexcept;
  AtomicFile &operator=(AtomicFile &&) = delete;
  /// Removes what was written unless it was committed.
  ~AtomicFile();

  /// Appends. Exit::Resource "E-OUTPUT-DISK-FULL" or "E-OUTPUT-NOT-WRITABLE".
  Status write(ByteSpan bytes);
  Status write(std::string_view text) { return write(asBytes(text)); }
  /// Appends |count| zero bytes as a hole, which takes no space where the file system knows holes.
  Status skip(uint64_t count);
  /// Overwrites bytes that were written before; the position for `write` stays.
  Status overwrite(uint64_t offset, ByteSpan bytes);
  /// Bytes so far.
  uint64_t offset() const { return position; }

  /// Flushes to the disk and renames onto the final name; the object is then spent.
  Status commit();

private:
  AtomicFile() = default;
  Status flush();
  std::string finalPath, temporaryPath, buffer;
  int descriptor = -1;
  uint64_t position = 0;
};

/// `AtomicFile` for contents that are at hand.
Status writeFile(const std::string &path, std::string_view contents);

/// The error for a failed write to |path| by errno |code|: out of space (ENOSPC, EDQUOT, EFBIG) is
/// "E-OUTPUT-DISK-FULL", all else "E-OUTPUT-NOT-WRITABLE"; Exit::Resource.
Status outputError(const std::string &path, int code);

/// Success if |path| is a directory; Exit::BadInput "E-DIRECTORY-NOT-FOUND" or "E-NOT-A-DIRECTORY".
Status checkDirectory(const std::string &path);
/// Makes |path| and its missing parents; success if it is there already. Exit::Resource
/// "E-OUTPUT-NOT-WRITABLE".
Status makeDirectories(const std::string &path);

/// The directory for results that can be made again, created with access for its owner only:
/// $QUERN_CACHE_DIR, else $XDG_CACHE_HOME/quern, else $HOME/.cache/quern. Exit::Resource "E-CACHE-NO-HOME"
/// where none is set.
Expected<std::string> cacheDirectory();

/// A directory for files that live as long as one step of the work: $TMPDIR where that is the absolute path
/// of a directory, else /tmp. No separator at the end.
std::string temporaryDirectory();

/// True if |name| can stand for a file inside a directory: not empty, no separator, no NUL, not "." or "..".
bool isPlainFileName(std::string_view name);

} // namespace quern

#endif // QUERN_SUPPORT_FILES_H
