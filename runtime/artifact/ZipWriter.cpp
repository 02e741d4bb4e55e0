//===- ZipWriter.cpp ------------------------------------------------------===//
#include "runtime/artifact/Crc32.h"
#include "runtime/artifact/ZipHeaders.h"

#include <algorithm>

namespace quern::runtime {

namespace {

Status misuse(const std::string &sentence) {
  return Status::error(Exit::Unexpected, "E-ARTIFACT-WRITE", sentence);
}

} // namespace

Expected<ZipWriter> ZipWriter::create(const std::string &path) {
  QUERN_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::create(path));
  return ZipWriter(std::move(file));
}

Status ZipWriter::begin(std::string_view name) {
  if (open)
    return misuse("a member begins while `" + members.back().name + "` is open");
  if (!isMemberName(name))
    return misuse("`" + std::string(name) + "` cannot be the name of a member");
  if (isAlignedMember(name)) {
    // The member before this one is aligned too (see the header) and takes the padding.
    if (!members.empty() && !isAlignedMember(members.back().name))
      return misuse("the weights must come before all other members");
    if (!members.empty()) {
      open = true;
      QUERN_RETURN_IF_ERROR(appendZeros(alignUp(file.offset(), weightAlignment) - file.offset()));
      QUERN_RETURN_IF_ERROR(end());
    }
  }
  ZipMember member;
  member.name = name;
  member.header = file.offset();
  member.data = zip::dataOffset(name, member.header);
  QUERN_RETURN_IF_ERROR(file.write(zip::localHeader(member)));
  members.push_back(std::move(member));
  open = true;
  return Status::success();
}

Status ZipWriter::append(ByteSpan bytes) {
  assert(open && "no member is open");
  members.back().crc = crc32(bytes, members.back().crc);
  return file.write(bytes);
}

Status ZipWriter::appendZeros(uint64_t count) {
  assert(open && "no member is open");
  members.back().crc = crc32Zeros(count, members.back().crc);
  constexpr uint64_t holeBytes = 1 << 20; // below, a plain write is cheaper than a hole
  return count >= holeBytes ? file.skip(count) : file.write(std::string(count, '\0'));
}

Status ZipWriter::end() {
  assert(open && "no member is open");
  ZipMember &member = members.back();
  member.size = memberSize();
  open = false;
  return file.overwrite(member.header, asBytes(zip::localHeader(member)));
}

Status ZipWriter::add(std::string_view name, ByteSpan bytes) {
  if (open || !isMemberName(name) || isAlignedMember(name))
    return misuse("member `" + std::string(name) + "` cannot be added here");
  ZipMember member;
  member.name = name;
  member.header = file.offset();
  member.data = zip::dataOffset(name, member.header);
  member.size = bytes.size();
  member.crc = crc32(bytes);
  QUERN_RETURN_IF_ERROR(file.write(zip::localHeader(member)));
  QUERN_RETURN_IF_ERROR(file.write(bytes));
  members.push_back(std::move(member));
  return Status::success();
}

Status ZipWriter::finish(std::string_view comment) {
  if (open)
    return misuse("the member `" + members.back().name + "` is still open");
  std::sort(members.begin(), members.end(),
            [](const ZipMember &a, const ZipMember &b) { return a.name < b.name; });
  uint64_t offset = file.offset();
  for (size_t i = 0; i != members.size(); ++i) {
    if (i && members[i].name == members[i - 1].name)
      return misuse("the member `" + members[i].name + "` is written twice");
    QUERN_RETURN_IF_ERROR(file.write(zip::centralEntry(members[i])));
  }
  QUERN_RETURN_IF_ERROR(file.write(zip::endRecords(members.size(), offset, file.offset() - offset, comment)));
  return file.commit();
}

} // namespace quern::runtime
