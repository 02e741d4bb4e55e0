//===- ZipTest.cpp --------------------------------------------------------===//
#include "runtime/artifact/Crc32.h"
#include "runtime/artifact/ZipHeaders.h"

#include "support/ScratchDirectory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace quern;
using namespace quern::runtime;
using testing::ElementsAre;

namespace {

std::vector<std::string> namesOf(const ZipContents &zip) {
  std::vector<std::string> names;
  for (const ZipMember &member : zip.members)
    names.push_back(member.name);
  return names;
}

/// A zip made by hand, so that it can lie: members are laid out in the given order and |change| may alter the
/// entries before the directory is written.
std::string forged(std::vector<std::pair<std::string, std::string>> members,
                   const std::function<void(std::vector<ZipMember> &)> &change = {}) {
  std::string file;
  std::vector<ZipMember> entries;
  for (const auto &[name, contents] : members) {
    ZipMember member{name, file.size(), 0, contents.size(), crc32(asBytes(contents))};
    member.data = zip::dataOffset(name, member.header);
    file += zip::localHeader(member) + contents;
    entries.push_back(member);
  }
  if (change)
    change(entries);
  std::string directory;
  for (const ZipMember &member : entries)
    directory += zip::centralEntry(member);
  return file + directory + zip::endRecords(entries.size(), file.size(), directory.size(), "#");
}

std::string idOf(const std::string &file) {
  auto zip = readZip(asBytes(file), 1, "x");
  if (zip.ok())
    return "accepted";
  EXPECT_EQ(zip.error().exit(), Exit::BadInput);
  return zip.error().id();
}

TEST(ZipTest, WritesInOrderReadsSortedAndAligned) {
  ScratchDirectory scratch;
  auto writer = ZipWriter::create(scratch / "x");
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE(writer->begin("weights/data-00000").ok());
  ASSERT_TRUE(writer->append(asBytes("ab")).ok());
  ASSERT_TRUE(writer->append(asBytes("cde")).ok());
  ASSERT_TRUE(writer->end().ok());
  ASSERT_TRUE(writer->begin("weights/data-00001").ok());
  ASSERT_TRUE(writer->append(asBytes("XYZ")).ok());
  EXPECT_EQ(writer->memberSize(), 3u);
  ASSERT_TRUE(writer->end().ok());
  ASSERT_TRUE(writer->add("z/last", asBytes("zz")).ok());
  ASSERT_TRUE(writer->add("a", {}).ok());
  ASSERT_TRUE(writer->finish("c").ok());

  std::string file = *readFile(scratch / "x", 1 << 20);
  auto zip = readZip(asBytes(file), 1, "x");
  ASSERT_TRUE(zip.ok()) << zip.error().message();
  EXPECT_EQ(zip->comment, "c");
  EXPECT_THAT(namesOf(*zip), ElementsAre("a", "weights/data-00000", "weights/data-00001", "z/last"));
  EXPECT_EQ(zip->members[1].data, weightAlignment);
  EXPECT_EQ(zip->members[1].size, weightAlignment) << "padded, as another one follows";
  EXPECT_EQ(zip->members[2].data, 3 * weightAlignment);
  EXPECT_EQ(zip->members[2].size, 3u);
  EXPECT_EQ(file.substr(zip->members[1].data, 6), std::string("abcde\0", 6));
  EXPECT_EQ(file.substr(zip->members[2].data, 3), "XYZ");
  EXPECT_EQ(file.substr(zip->members[3].data, 2), "zz");
}

TEST(ZipTest, MemberNames) {
  for (const char *good : {"a", "manifest.json", "kernels/cpu/norm.x86-64-v4+avx512bf16.so",
                           "plan/nvidia-sm_90a-sms=44-mem=26GiB.json", "a..b", ".a", "a."})
    EXPECT_TRUE(isMemberName(good)) << good;
  for (const char *bad : {"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/..", "a/./b", "a/../b", "a\\b",
                          "c:x", "a b", "\xc3\xa9", "a\n"})
    EXPECT_FALSE(isMemberName(bad)) << bad;
  EXPECT_FALSE(isMemberName(std::string_view("a\0b", 3)));
  EXPECT_TRUE(isMemberName(std::string(255, 'a')));
  EXPECT_FALSE(isMemberName(std::string(256, 'a')));
}

TEST(ZipTest, WriterRefusesMisuse) {
  ScratchDirectory scratch;
  auto writer = ZipWriter::create(scratch / "x");
  ASSERT_TRUE(writer.ok());
  EXPECT_EQ(writer->add("../a", {}).id(), "E-ARTIFACT-WRITE");
  EXPECT_EQ(writer->add("weights/data-00000", {}).id(), "E-ARTIFACT-WRITE");
  ASSERT_TRUE(writer->add("a", {}).ok());
  EXPECT_EQ(writer->begin("weights/data-00000").id(), "E-ARTIFACT-WRITE") << "weights come first";
  ASSERT_TRUE(writer->begin("b").ok());
  EXPECT_EQ(writer->begin("c").id(), "E-ARTIFACT-WRITE");
  EXPECT_EQ(writer->finish("").id(), "E-ARTIFACT-WRITE");
  ASSERT_TRUE(writer->end().ok());
  ASSERT_TRUE(writer->add("a", {}).ok());
  EXPECT_EQ(writer->finish("").id(), "E-ARTIFACT-WRITE") << "`a` is there twice";
}

TEST(ZipTest, ReaderRefusesLies) {
  EXPECT_EQ(idOf(forged({{"a", "1"}, {"b", "22"}})), "accepted");
  EXPECT_EQ(idOf(forged({})), "E-ARTIFACT-NOT-AN-ARTIFACT") << "not even a first member";
  EXPECT_EQ(idOf(forged({{"a", "1"}, {"a", "1"}})), "E-ARTIFACT-DUPLICATE");
  EXPECT_EQ(idOf(forged({{"b", "1"}, {"a", "1"}})), "E-ARTIFACT-DAMAGED") << "unsorted";
  EXPECT_EQ(idOf(forged({{"../a", "1"}})), "E-ARTIFACT-NAME");
  EXPECT_EQ(idOf(forged({{"/a", "1"}})), "E-ARTIFACT-NAME");
  EXPECT_EQ(idOf(forged({{"a", "1"}, {"b", "2"}}, [](auto &entries) { entries[1].header = 0; })),
            "E-ARTIFACT-OVERLAP");
  EXPECT_EQ(idOf(forged({{"a", "1"}, {"b", "2"}}, [](auto &entries) { entries[0].size = 2; })),
            "E-ARTIFACT-DAMAGED")
      << "the local header says another size";
  EXPECT_EQ(idOf(forged({{"a", "1"}, {"b", "2"}}, [](auto &entries) { entries.erase(entries.begin()); })),
            "E-ARTIFACT-OVERLAP")
      << "a gap before `b`";
  EXPECT_EQ(idOf(forged({{"a", "1"}, {"b", "2"}}, [](auto &entries) { entries.pop_back(); })),
            "E-ARTIFACT-OVERLAP")
      << "a gap before the directory";
  EXPECT_EQ(idOf(forged({{"a", "1"}}, [](auto &entries) { entries[0].size = ~0ull; })), "E-ARTIFACT-SIZE");
  EXPECT_EQ(idOf(forged({{"a", "1"}}, [](auto &entries) { entries[0].size = 100; })), "E-ARTIFACT-SIZE");
  EXPECT_EQ(idOf(forged({{"a", "1"}}, [](auto &entries) { entries[0].header = ~0ull; })), "E-ARTIFACT-SIZE");
  EXPECT_EQ(idOf(forged({{"a", "1"}}, [](auto &entries) { entries[0].crc ^= 1; })), "E-ARTIFACT-DAMAGED");
  EXPECT_EQ(idOf("not a zip"), "E-ARTIFACT-NOT-AN-ARTIFACT");
  EXPECT_EQ(idOf(""), "E-ARTIFACT-TRUNCATED");
  EXPECT_EQ(idOf("PK"), "E-ARTIFACT-TRUNCATED");
  EXPECT_EQ(idOf(forged({{"a", "1"}}) + "x"), "E-ARTIFACT-TRUNCATED") << "something follows the end";
  // An absurd count, and one that the directory has no room for.
  std::string members = forged({{"a", "1"}}).substr(0, 52 + 75);
  EXPECT_EQ(idOf(members + zip::endRecords(1, 52, 75, "#")), "accepted");
  EXPECT_EQ(idOf(members + zip::endRecords(1 << 21, 52, 75, "#")), "E-ARTIFACT-LIMIT");
  EXPECT_EQ(idOf(members + zip::endRecords(2, 52, 75, "#")), "E-ARTIFACT-DAMAGED");
  EXPECT_EQ(idOf(members + zip::endRecords(0, 52, 75, "#")), "E-ARTIFACT-DAMAGED");
}

TEST(ZipTest, EveryFlippedHeaderByteIsNoticed) {
  std::string file = forged({{"a", "1"}, {"weights/index.bin", "22"}});
  ASSERT_EQ(idOf(file), "accepted");
  size_t dataA = zip::dataOffset("a", 0), dataB = dataA + 1 + 30 + 17 + 20;
  ASSERT_EQ(file.substr(dataB, 2), "22");
  for (size_t at = 0; at != file.size() - 1; ++at) // the comment is the caller's
    for (int bit = 0; bit != 8; ++bit) {
      if (at == dataA || at == dataB || at == dataB + 1)
        continue; // data: the caller checks it
      std::string flipped = file;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
      EXPECT_NE(idOf(flipped), "accepted") << "byte " << at << " bit " << bit;
    }
}

// Members and offsets beyond 4 GiB, more members than 16 bits count: the zip64 fields must be read and
// written. The large member is a hole, so that the file takes no space.
TEST(ZipTest, Zip64) {
  ScratchDirectory scratch;
  uint64_t huge = (uint64_t(4) << 30) + 12345;
  {
    auto writer = ZipWriter::create(scratch / "x");
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE(writer->begin("weights/data-00000").ok());
    ASSERT_TRUE(writer->append(asBytes("begin")).ok());
    ASSERT_TRUE(writer->appendZeros(huge).ok());
    ASSERT_TRUE(writer->append(asBytes("end")).ok());
    ASSERT_TRUE(writer->end().ok());
    for (int i = 0; i != 70000; ++i)
      ASSERT_TRUE(writer->add("m/" + std::to_string(i), asBytes(std::to_string(i))).ok());
    ASSERT_TRUE(writer->finish("#").ok());
  }
  auto map = MappedFile::open(scratch / "x");
  ASSERT_TRUE(map.ok());
  auto zip = readZip(map->bytes(), 1, "x");
  ASSERT_TRUE(zip.ok()) << zip.error().message();
  ASSERT_EQ(zip->members.size(), 70001u);
  const ZipMember &weights = zip->members.back();
  EXPECT_EQ(weights.size, 5 + huge + 3);
  EXPECT_EQ(weights.crc, crc32(asBytes("end"), crc32Zeros(huge, crc32(asBytes("begin")))));
  EXPECT_EQ(asText(map->bytes().subspan(weights.data + 5 + huge, 3)), "end");
  const ZipMember &last = zip->members[70000 - 1];
  EXPECT_EQ(last.name, "m/9999");
  EXPECT_GT(last.data, uint64_t(4) << 30);
  EXPECT_EQ(asText(map->bytes().subspan(last.data, last.size)), "9999");
}

} // namespace
