//===- ElfSegments.h - Checked program headers of an ELF file -------------===//
//
// Loaders believe what the headers of a file say and read past its end where they lie. Code is checked here
// before it is handed to one. Only 64-bit little-endian shared objects are read.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_ELFSEGMENTS_H
#define QUERN_RUNTIME_ELFSEGMENTS_H

#include "support/Status.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace quern::runtime {

struct ElfSegment {
  uint32_t type;                   ///< p_type, e.g. 1 PT_LOAD, 4 PT_NOTE
  std::span<const std::byte> data; ///< the bytes in the file
};

/// The segments of |code|, all inside it. Exit::BadInput "E-CODE-DAMAGED" where it is no shared object of
/// |machine| (e_machine) or a header leaves the file; |kind| as in "CPU".
Expected<std::vector<ElfSegment>> readElfSegments(std::span<const std::byte> code, uint16_t machine,
                                                  const std::string &kind);

/// Exit::BadInput "E-CODE-DAMAGED": "the |kind| code cannot be loaded (|cause|)".
Status codeDamaged(const std::string &kind, std::string cause);

} // namespace quern::runtime

#endif // QUERN_RUNTIME_ELFSEGMENTS_H
