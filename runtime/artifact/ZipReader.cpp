//===- ZipReader.cpp ------------------------------------------------------===//
//
// Nothing is believed: offsets and sizes come from the central directory, and each header is then encoded
// again from them and compared with the file. What a reader of zip would have to interpret (flags, methods,
// other extra fields, comments, disks) has thereby exactly one accepted value.
//
//===----------------------------------------------------------------------===//
#include "runtime/artifact/ZipHeaders.h"

#include <algorithm>

namespace quern::runtime {

namespace {

constexpr uint64_t maxMembers = 1 << 20;

class Reader {
public:
  Reader(ByteSpan file, const std::string &name) : file(file), fileName(name) {}

  Expected<ZipContents> read(uint64_t commentBytes);

private:
  Status bad(const char *id, const std::string &sentence) const {
    return Status::error(Exit::BadInput, id, "`" + fileName + "`: " + sentence);
  }
  /// True if |expected| stands at |offset|.
  bool matches(uint64_t offset, std::string_view expected) const {
    return offset <= file.size() && expected.size() <= file.size() - offset &&
           asText(file.subspan(offset, expected.size())) == expected;
  }
  Status readDirectory(ByteSpan directory, uint64_t count, std::vector<ZipMember> &members) const;
  Status checkPlaces(const std::vector<ZipMember> &members, uint64_t end) const;

  ByteSpan file;
  const std::string &fileName;
};

Status Reader::readDirectory(ByteSpan directory, uint64_t count, std::vector<ZipMember> &members) const {
  members.reserve(count);
  ByteReader reader(directory);
  for (uint64_t i = 0; i != count; ++i) {
    uint64_t begin = reader.offset();
    ByteSpan fixed = reader.take(zip::centralBytes);
    if (reader.failed())
      return bad("E-ARTIFACT-DAMAGED", "the directory ends within entry " + std::to_string(i));
    ZipMember member;
    member.crc = loadLittle<uint32_t>(fixed.data() + 16);
    member.name = asText(reader.take(loadLittle<uint16_t>(fixed.data() + 28)));
    ByteSpan extra = reader.take(zip::centralExtraBytes);
    if (reader.failed())
      return bad("E-ARTIFACT-DAMAGED", "the directory ends within entry " + std::to_string(i));
    if (!isMemberName(member.name))
      return bad("E-ARTIFACT-NAME", "entry " + std::to_string(i) + " has a name that no member may have");
    member.size = loadLittle<uint64_t>(extra.data() + 4);
    member.header = loadLittle<uint64_t>(extra.data() + 20);
    if (asText(directory.subspan(begin, reader.offset() - begin)) != zip::centralEntry(member))
      return bad("E-ARTIFACT-DAMAGED", "the directory's entry of `" + member.name + "` is damaged");
    if (!members.empty() && members.back().name == member.name)
      return bad("E-ARTIFACT-DUPLICATE", "the member `" + member.name + "` is there twice");
    if (!members.empty() && members.back().name > member.name)
      return bad("E-ARTIFACT-DAMAGED", "the directory is not sorted at `" + member.name + "`");
    if (member.header >= file.size() || member.size > file.size())
      return bad("E-ARTIFACT-SIZE", "the member `" + member.name + "` reaches beyond the file");
    member.data = zip::dataOffset(member.name, member.header);
    members.push_back(std::move(member));
  }
  if (reader.remaining() != 0)
    return bad("E-ARTIFACT-DAMAGED",
               std::to_string(reader.remaining()) + " bytes follow the last entry of the directory");
  return Status::success();
}

Status Reader::checkPlaces(const std::vector<ZipMember> &members, uint64_t end) const {
  std::vector<const ZipMember *> byOffset;
  byOffset.reserve(members.size());
  for (const ZipMember &member : members)
    byOffset.push_back(&member);
  std::sort(byOffset.begin(), byOffset.end(),
            [](const ZipMember *a, const ZipMember *b) { return a->header < b->header; });
  uint64_t at = 0;
  for (const ZipMember *member : byOffset) {
    if (member->header != at)
      return bad("E-ARTIFACT-OVERLAP", "the member `" + member->name + "` begins at byte " +
                                           std::to_string(member->header) +
                                           " where the one before it ends at " + std::to_string(at));
    // No sum overflows: header and size are below the file's size, a header is at most 64 KiB long.
    at = member->data + member->size;
    if (at > end)
      return bad("E-ARTIFACT-SIZE", "the member `" + member->name + "` reaches into the directory");
    if (isAlignedMember(member->name) && member->header % weightAlignment != 0)
      return bad("E-ARTIFACT-DAMAGED", "the member `" + member->name + "` is not aligned");
    if (!matches(member->header, zip::localHeader(*member)))
      return bad("E-ARTIFACT-DAMAGED", "the header of the member `" + member->name + "` is damaged");
  }
  if (at != end)
    return bad("E-ARTIFACT-OVERLAP", "the members end at byte " + std::to_string(at) +
                                         " and the directory begins at " + std::to_string(end));
  return Status::success();
}

Expected<ZipContents> Reader::read(uint64_t commentBytes) {
  std::string signature;
  appendLittle(signature, zip::localSignature);
  std::string_view head = asText(file.first(std::min<size_t>(file.size(), 4)));
  if (!std::string_view(signature).starts_with(head))
    return bad("E-ARTIFACT-NOT-AN-ARTIFACT", "the file is not an artifact").remedy("name a .quern file");
  auto truncated = [&] {
    return bad("E-ARTIFACT-TRUNCATED", "the end of the file is missing")
        .cause("an incomplete copy or download")
        .remedy("copy or compile the artifact again");
  };
  uint64_t tailBytes = zip::end64Bytes + zip::locatorBytes + zip::endBytes + commentBytes;
  if (file.size() < tailBytes)
    return truncated();
  ByteSpan tail = file.last(tailBytes);
  if (loadLittle<uint32_t>(tail.data() + zip::end64Bytes + zip::locatorBytes) != zip::endSignature)
    return truncated();

  ZipContents contents;
  contents.comment = asText(tail.last(commentBytes));
  uint64_t count = loadLittle<uint64_t>(tail.data() + 32);
  uint64_t size = loadLittle<uint64_t>(tail.data() + 40), offset = loadLittle<uint64_t>(tail.data() + 48);
  uint64_t directoryEnd = file.size() - tailBytes;
  if (asText(tail) != zip::endRecords(count, offset, size, contents.comment) || size > directoryEnd ||
      offset != directoryEnd - size)
    return bad("E-ARTIFACT-DAMAGED", "the end of the directory is damaged");
  if (count > maxMembers)
    return bad("E-ARTIFACT-LIMIT", "the directory counts " + std::to_string(count) +
                                       " members, more than the " + std::to_string(maxMembers) + " allowed");
  if (count > size / zip::centralBytes)
    return bad("E-ARTIFACT-DAMAGED",
               "the directory is too small for its " + std::to_string(count) + " members");
  QUERN_RETURN_IF_ERROR(readDirectory(file.subspan(offset, size), count, contents.members));
  QUERN_RETURN_IF_ERROR(checkPlaces(contents.members, offset));
  return contents;
}

} // namespace

Expected<ZipContents> readZip(ByteSpan file, uint64_t commentBytes, const std::string &name) {
  return Reader(file, name).read(commentBytes);
}

} // namespace quern::runtime
