//===- ElfSegments.cpp ----------------------------------------------------===//
#include "runtime/ElfSegments.h"

#include <cstring>
#include <elf.h>

namespace quern::runtime {

Status codeDamaged(const std::string &kind, std::string cause) {
  return Status::error(Exit::BadInput, "E-CODE-DAMAGED", "the " + kind + " code cannot be loaded")
      .cause(std::move(cause))
      .remedy("compile the artifact again");
}

Expected<std::vector<ElfSegment>> readElfSegments(std::span<const std::byte> code, uint16_t machine,
                                                  const std::string &kind) {
  Elf64_Ehdr header;
  if (code.size() < sizeof(header))
    return codeDamaged(kind, "it has " + std::to_string(code.size()) + " bytes");
  memcpy(&header, code.data(), sizeof(header));
  if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    return codeDamaged(kind, "it is no ELF file");
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
      header.e_type != ET_DYN || header.e_machine != machine)
    return codeDamaged(kind, "it is no shared object for this machine");
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phoff > code.size() ||
      uint64_t(header.e_phnum) * sizeof(Elf64_Phdr) > code.size() - header.e_phoff)
    return codeDamaged(kind, "its program headers leave the file");
  // Section headers stand at the end: a file that lost its tail is found here.
  if (header.e_shnum != 0 && (header.e_shoff > code.size() ||
                              uint64_t(header.e_shnum) * sizeof(Elf64_Shdr) > code.size() - header.e_shoff))
    return codeDamaged(kind, "its section headers leave the file");
  std::vector<ElfSegment> segments;
  for (uint64_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    memcpy(&segment, code.data() + header.e_phoff + i * sizeof(segment), sizeof(segment));
    if (segment.p_type == PT_NULL || segment.p_filesz == 0)
      continue;
    if (segment.p_offset > code.size() || segment.p_filesz > code.size() - segment.p_offset)
      return codeDamaged(kind, "segment " + std::to_string(i) + " leaves the file");
    segments.push_back({segment.p_type, code.subspan(segment.p_offset, segment.p_filesz)});
  }
  return segments;
}

} // namespace quern::runtime
