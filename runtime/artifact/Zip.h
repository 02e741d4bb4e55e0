//===- Zip.h - The container: a zip of stored members ---------------------===//
//
// A subset of zip (PKWARE APPNOTE 6.3.10) in which every byte outside of the members' data follows from the
// list of (name, offset, size, checksum): members are stored, always in zip64 form, with fixed times; they
// stand one directly behind the other from offset 0 on; the central directory is sorted by name. `unzip` and
// Python's zipfile read it. The reader re-encodes every header and compares, so no byte of a file can change
// unnoticed.
//
// Members named weights/data-* begin at a multiple of 65536; the distance is filled by an extra field of
// their local header. An extra field has at most 65535 bytes, so such a member must itself start at a
// multiple of 65536: they come first, and each is padded with zeros before the next.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_ARTIFACT_ZIP_H
#define QUERN_RUNTIME_ARTIFACT_ZIP_H

#include "support/Files.h"

#include <vector>

namespace quern::runtime {

inline constexpr uint64_t weightAlignment = 65536;

struct ZipMember {
  std::string name;
  uint64_t header = 0; ///< offset of its local header
  uint64_t data = 0;   ///< offset of its data
  uint64_t size = 0;   ///< bytes
  uint32_t crc = 0;
};

/// True for what may be the name of a member: at most 255 characters of A-Z a-z 0-9 . _ - + = , in components
/// that are separated by single slashes and are neither empty, "." nor "..".
bool isMemberName(std::string_view name);
/// True for members whose data is aligned to `weightAlignment`.
bool isAlignedMember(std::string_view name);

/// Writes one file, streaming: memory does not grow with the data. Errors are those of `AtomicFile`, and
/// Exit::Unexpected "E-ARTIFACT-WRITE" for a misuse.
class ZipWriter {
public:
  static Expected<ZipWriter> create(const std::string &path);

  /// A member whose data is at hand.
  Status add(std::string_view name, ByteSpan bytes);
  /// A member whose data comes in pieces.
  Status begin(std::string_view name);
  Status append(ByteSpan bytes);
  Status appendZeros(uint64_t count);
  Status end();
  /// Bytes of the open member so far.
  uint64_t memberSize() const { return file.offset() - members.back().data; }

  /// Writes the directory with |comment| at its end and puts the file in its place.
  Status finish(std::string_view comment);

private:
  explicit ZipWriter(AtomicFile file) : file(std::move(file)) {}
  AtomicFile file;
  std::vector<ZipMember> members;
  bool open = false;
};

/// The members of |file|, sorted by name. |commentBytes| is the length of the comment that every file has.
/// Exit::BadInput: "E-ARTIFACT-NOT-AN-ARTIFACT", "E-ARTIFACT-TRUNCATED" (its end is missing),
/// "E-ARTIFACT-DAMAGED" (a header is not what the others imply), "E-ARTIFACT-NAME", "E-ARTIFACT-DUPLICATE",
/// "E-ARTIFACT-OVERLAP" (members that overlap or leave a gap), "E-ARTIFACT-SIZE" (beyond the file),
/// "E-ARTIFACT-LIMIT".
struct ZipContents {
  std::vector<ZipMember> members;
  std::string comment;
};
Expected<ZipContents> readZip(ByteSpan file, uint64_t commentBytes, const std::string &name);

} // namespace quern::runtime

#endif // QUERN_RUNTIME_ARTIFACT_ZIP_H
