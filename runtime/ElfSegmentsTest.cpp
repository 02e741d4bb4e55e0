//===- ElfSegmentsTest.cpp ------------------------------------------------===//
#include "runtime/ElfSegments.h"

#include <gtest/gtest.h>

#include <cstring>
#include <elf.h>
#include <functional>

using namespace quern;
using namespace quern::runtime;

namespace {

struct File {
  Elf64_Ehdr header = {};
  Elf64_Phdr segments[2] = {};
  char data[32] = "data of the second segment";
  Elf64_Shdr section = {};
};

File whole() {
  File file;
  memcpy(file.header.e_ident, ELFMAG, SELFMAG);
  file.header.e_ident[EI_CLASS] = ELFCLASS64;
  file.header.e_ident[EI_DATA] = ELFDATA2LSB;
  file.header.e_type = ET_DYN;
  file.header.e_machine = EM_X86_64;
  file.header.e_phoff = offsetof(File, segments);
  file.header.e_phentsize = sizeof(Elf64_Phdr);
  file.header.e_phnum = 2;
  file.header.e_shoff = offsetof(File, section);
  file.header.e_shentsize = sizeof(Elf64_Shdr);
  file.header.e_shnum = 1;
  file.segments[0].p_type = PT_GNU_STACK; // empty: not listed
  file.segments[1].p_type = PT_LOAD;
  file.segments[1].p_offset = offsetof(File, data);
  file.segments[1].p_filesz = 26;
  return file;
}

Expected<std::vector<ElfSegment>> read(const File &file, size_t bytes = sizeof(File)) {
  return readElfSegments(std::as_bytes(std::span(&file, 1)).first(bytes), EM_X86_64, "CPU");
}

TEST(ElfSegments, ListsWhatHasBytes) {
  File file = whole();
  Expected<std::vector<ElfSegment>> segments = read(file);
  ASSERT_TRUE(segments.ok()) << segments.error().message();
  ASSERT_EQ(segments->size(), 1u);
  EXPECT_EQ((*segments)[0].type, uint32_t(PT_LOAD));
  EXPECT_EQ(memcmp((*segments)[0].data.data(), file.data, 26), 0);
}

TEST(ElfSegments, EveryTruncationIsAnError) {
  File file = whole();
  for (size_t bytes = 0; bytes < sizeof(File); ++bytes) {
    Expected<std::vector<ElfSegment>> segments = read(file, bytes);
    ASSERT_FALSE(segments.ok()) << bytes;
    EXPECT_EQ(segments.error().id(), "E-CODE-DAMAGED");
    EXPECT_EQ(segments.error().exit(), Exit::BadInput);
    EXPECT_EQ(segments.error().sentence(), "the CPU code cannot be loaded");
  }
}

TEST(ElfSegments, HeadersThatLieAreErrors) {
  const std::function<void(File &)> lies[] = {
      [](File &f) { f.header.e_ident[1] = 'e'; },
      [](File &f) { f.header.e_ident[EI_CLASS] = ELFCLASS32; },
      [](File &f) { f.header.e_ident[EI_DATA] = ELFDATA2MSB; },
      [](File &f) { f.header.e_type = ET_EXEC; },
      [](File &f) { f.header.e_machine = EM_AARCH64; },
      [](File &f) { f.header.e_phentsize = 32; },
      [](File &f) { f.header.e_phoff = UINT64_MAX - 8; },
      [](File &f) { f.header.e_phnum = 60000; },
      [](File &f) { f.header.e_shoff = sizeof(File) - 8; },
      [](File &f) { f.header.e_shoff = UINT64_MAX; },
      [](File &f) { f.segments[1].p_offset = UINT64_MAX - 4; },
      [](File &f) { f.segments[1].p_filesz = UINT64_MAX; },
      [](File &f) { f.segments[1].p_filesz = sizeof(File); },
  };
  for (size_t i = 0; i < std::size(lies); ++i) {
    File file = whole();
    lies[i](file);
    EXPECT_FALSE(read(file).ok()) << "lie " << i;
  }
}

} // namespace
