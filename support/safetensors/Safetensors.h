//===- Safetensors.h - Reading and writing *.safetensors ------------------===//
//
// Layout of a file: an unsigned 64-bit length n, n bytes of JSON (name -> dtype, shape, data_offsets), the
// data. A file comes from outside: everything in the header is checked against the size of the file before a
// byte of data is handed out. Tensors may begin at any byte: read elements with memcpy-style loads.
//
//   QUERN_ASSIGN_OR_RETURN(SafetensorsFile file, SafetensorsFile::open(path));
//   if (const StoredTensor *tensor = file.find("lm_head.weight"))
//     use(tensor->type, tensor->shape, file.bytes(*tensor));
//
// Errors are Exit::BadInput with one id per fault, "E-SAFETENSORS-...": TRUNCATED, LFS-POINTER, HEADER-SIZE,
// HEADER-JSON, DUPLICATE, METADATA, ENTRY, DTYPE, LIMIT, SIZE, GAP, OVERLAP, TRAILING.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_SUPPORT_SAFETENSORS_SAFETENSORS_H
#define QUERN_SUPPORT_SAFETENSORS_SAFETENSORS_H

#include "support/ElementType.h"
#include "support/Files.h"

#include <map>
#include <vector>

namespace quern {

/// One tensor of a header.
struct StoredTensor {
  std::string name;
  ElementType type;
  std::vector<uint64_t> shape; ///< row-major; empty for a scalar
  uint64_t offset;             ///< of its first byte, from the beginning of the file
  uint64_t size;               ///< bytes
};

/// A checked header.
struct SafetensorsHeader {
  std::vector<StoredTensor> tensors; ///< sorted by name
  std::map<std::string, std::string> metadata;
  uint64_t dataOffset = 0; ///< 8 + n

  const StoredTensor *find(std::string_view name) const;
};

/// The header at the front of |file|; |name| stands in messages. Nothing beyond the header is read.
Expected<SafetensorsHeader> parseSafetensorsHeader(ByteSpan file, const std::string &name);

/// One mapped file.
class SafetensorsFile {
public:
  /// Errors as above and of `MappedFile::open`.
  static Expected<SafetensorsFile> open(const std::string &path);

  const std::vector<StoredTensor> &tensors() const { return header.tensors; }
  const std::map<std::string, std::string> &metadata() const { return header.metadata; }
  const StoredTensor *find(std::string_view name) const { return header.find(name); }
  /// The data of one of `tensors()`, alive as long as this object or what it was moved to.
  ByteSpan bytes(const StoredTensor &tensor) const { return map.bytes().subspan(tensor.offset, tensor.size); }
  const MappedFile &mapping() const { return map; }

private:
  MappedFile map;
  SafetensorsHeader header;
};

/// What the writer must know before the data comes.
struct TensorSpec {
  std::string name;
  ElementType type;
  std::vector<uint64_t> shape;
};

/// Writes a file in one pass. The data begins on a page of 4096 bytes and the tensors stand in descending
/// order of their element's width, then by name, so that each is aligned to its element and equal inputs give
/// equal bytes.
class SafetensorsWriter {
public:
  /// Exit::Unexpected "E-SAFETENSORS-WRITE" for a name given twice or a size that is no whole number of
  /// bytes; errors of `AtomicFile::create`.
  static Expected<SafetensorsWriter> create(const std::string &path, std::vector<TensorSpec> tensors,
                                            const std::map<std::string, std::string> &metadata = {});

  /// In the order in which their data must be written.
  const std::vector<TensorSpec> &tensors() const { return specs; }
  /// The next bytes of the data, cut anywhere.
  Status write(ByteSpan bytes) { return file.write(bytes); }
  /// Exit::Unexpected "E-SAFETENSORS-WRITE" where more or fewer bytes came than the tensors have.
  Status finish();

private:
  SafetensorsWriter(AtomicFile file, std::vector<TensorSpec> specs, uint64_t end)
      : file(std::move(file)), specs(std::move(specs)), end(end) {}
  AtomicFile file;
  std::vector<TensorSpec> specs;
  uint64_t end; ///< size of the finished file
};

} // namespace quern

#endif // QUERN_SUPPORT_SAFETENSORS_SAFETENSORS_H
