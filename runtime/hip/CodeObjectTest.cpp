//===- CodeObjectTest.cpp -------------------------------------------------===//
#include "runtime/hip/CodeObject.h"

#include <gtest/gtest.h>

#include <cstring>
#include <elf.h>

using namespace quern;
using namespace quern::runtime;
using namespace quern::runtime::hip;

namespace {

// MessagePack by hand: short texts, maps and arrays in their small forms unless asked otherwise.
std::string text(const std::string &value) { return char(0xA0 | value.size()) + value; }
std::string longText(const std::string &value) { return "\xD9" + std::string(1, char(value.size())) + value; }
std::string map(unsigned pairs) { return std::string(1, char(0x80 | pairs)); }
std::string array(unsigned elements) { return std::string(1, char(0x90 | elements)); }
std::string wideArray(unsigned elements) {
  return std::string("\xDC", 1) + char(elements >> 8) + char(elements);
}

std::string argument(const std::string &size, const char *kind) {
  return map(3) + text(".offset") + std::string("\xCD\x01\x00", 3) + text(".size") + size +
         text(".value_kind") + longText(kind);
}

std::string metadata() {
  const std::string four("\x04"), eight("\xCC\x08", 2), hidden = std::string("\xCE\0\0\0\x08", 5);
  std::string kernel = map(5) + text(".max_flat_workgroup_size") + std::string("\xCD\x01\x00", 3) +
                       text(".args") + wideArray(4) + argument(eight, "global_buffer") +
                       argument(four, "by_value") + argument("\x08", "by_value") +
                       argument(hidden, "hidden_block_count_x") + text(".name") + longText("scale_rows") +
                       text(".symbol") + text("scale_rows.kd") + text(".uses_dynamic_stack") + "\xC2";
  std::string empty = map(1) + text(".name") + text("none");
  return map(3) + text("amdhsa.kernels") + array(2) + kernel + empty + text("amdhsa.target") +
         longText("amdgcn-amd-amdhsa--gfx942:xnack-") + text("amdhsa.version") + array(2) + "\x01\x02";
}

/// A shared object of |machine| with one note segment.
std::vector<std::byte> codeObject(const std::string &description, uint16_t machine = 224) {
  Elf64_Ehdr header = {};
  memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_type = ET_DYN;
  header.e_machine = machine;
  header.e_phoff = sizeof(header);
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 1;
  Elf64_Nhdr other = {4, 4, 32}, note = {7, static_cast<Elf64_Word>(description.size()), 32};
  std::string notes(reinterpret_cast<const char *>(&other), sizeof(other));
  notes += std::string("GNU\0abcd", 8);
  notes += std::string(reinterpret_cast<const char *>(&note), sizeof(note)) + std::string("AMDGPU\0\0", 8) +
           description;
  Elf64_Phdr segment = {};
  segment.p_type = PT_NOTE;
  segment.p_offset = sizeof(header) + sizeof(segment);
  segment.p_filesz = notes.size();
  std::string file(reinterpret_cast<const char *>(&header), sizeof(header));
  file += std::string(reinterpret_cast<const char *>(&segment), sizeof(segment)) + notes;
  std::vector<std::byte> bytes(file.size());
  memcpy(bytes.data(), file.data(), file.size());
  return bytes;
}

TEST(CodeObject, ReadsTargetAndVisibleArguments) {
  Expected<CodeObjectSummary> summary = summariseCodeObject(codeObject(metadata()));
  ASSERT_TRUE(summary.ok()) << summary.error().message();
  EXPECT_EQ(summary->architecture, "gfx942");
  ASSERT_EQ(summary->kernels.size(), 2u);
  const auto &parameters = summary->kernels.at("scale_rows").signature.parameters;
  ASSERT_EQ(parameters.size(), 3u);
  EXPECT_EQ(parameters[0].kind, ArgumentKind::Pointer);
  EXPECT_EQ(parameters[0].bytes, 8u);
  EXPECT_FALSE(parameters[1].kind);
  EXPECT_EQ(parameters[1].bytes, 4u);
  EXPECT_EQ(parameters[2].bytes, 8u);
  EXPECT_EQ(summary->kernels.at("scale_rows").maxThreads, 256u);
  EXPECT_TRUE(summary->kernels.at("none").signature.parameters.empty());
}

TEST(CodeObject, RefusesOtherFiles) {
  for (const std::vector<std::byte> &bytes :
       {std::vector<std::byte>{}, std::vector<std::byte>(200), codeObject(metadata(), EM_X86_64)}) {
    Expected<CodeObjectSummary> summary = summariseCodeObject(bytes);
    ASSERT_FALSE(summary.ok());
    EXPECT_EQ(summary.error().id(), "E-CODE-DAMAGED");
    EXPECT_EQ(summary.error().exit(), Exit::BadInput);
  }
}

TEST(CodeObject, EveryTruncationIsAnError) {
  const std::vector<std::byte> whole = codeObject(metadata());
  for (size_t length = 0; length < whole.size(); ++length)
    EXPECT_FALSE(summariseCodeObject(std::span(whole).first(length)).ok()) << length;
  // The same with a note that admits to be shorter: the metadata itself ends too early.
  const std::string description = metadata();
  for (size_t length = 0; length < description.size(); ++length)
    EXPECT_FALSE(summariseCodeObject(codeObject(description.substr(0, length))).ok()) << length;
}

TEST(CodeObject, FlippedBytesNeverHarm) {
  const std::string description = metadata();
  for (size_t i = 0; i < description.size(); ++i)
    for (unsigned value : {0x00u, 0x7Fu, 0x8Fu, 0x9Fu, 0xBFu, 0xC6u, 0xDFu, 0xFFu}) {
      std::string damaged = description;
      damaged[i] = static_cast<char>(value);
      (void)summariseCodeObject(codeObject(damaged));
    }
  std::string nested(10000, char(0x91)); // deeper than any stack
  EXPECT_FALSE(summariseCodeObject(codeObject(map(1) + text("x") + nested)).ok());
}

} // namespace
