//===- ZipHeaders.cpp -----------------------------------------------------===//
#include "runtime/artifact/ZipHeaders.h"

namespace quern::runtime {

namespace {

constexpr uint16_t zip64Version = 45;            // 4.4.3.2: what zip64 needs
constexpr uint16_t madeByUnix = 3 << 8 | 45;     // 4.4.2
constexpr uint16_t firstDay = 1 << 5 | 1;        // 1980-01-01 in the format of MS-DOS
constexpr uint32_t regularFile = 0100644u << 16; // mode of Unix in the upper half
constexpr uint16_t zip64Extra = 0x0001;
constexpr uint16_t paddingExtra = 0x4e51; // "QN"; readers skip an id that they do not know
constexpr uint32_t inExtra = 0xffffffff;  // 4.4.9: the value is in the zip64 extra field
constexpr uint64_t maxNameBytes = 255;

/// What precedes the version: it is the same in both headers.
void appendTimesAndSizes(std::string &to, const ZipMember &member) {
  appendLittle<uint16_t>(to, 0); // flags
  appendLittle<uint16_t>(to, 0); // method: stored
  appendLittle<uint16_t>(to, 0); // time
  appendLittle<uint16_t>(to, firstDay);
  appendLittle<uint32_t>(to, member.crc);
  appendLittle<uint32_t>(to, inExtra); // compressed size
  appendLittle<uint32_t>(to, inExtra); // size
  appendLittle<uint16_t>(to, static_cast<uint16_t>(member.name.size()));
}

} // namespace

bool isMemberName(std::string_view name) {
  if (name.size() > maxNameBytes)
    return false;
  size_t begin = 0;
  for (;;) {
    size_t end = name.find('/', begin);
    std::string_view component = name.substr(begin, end - begin);
    if (component.empty() || component == "." || component == "..")
      return false;
    for (char c : component)
      if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
          std::string_view("._-+=,").find(c) == std::string_view::npos)
        return false;
    if (end == std::string_view::npos)
      return true;
    begin = end + 1;
  }
}

bool isAlignedMember(std::string_view name) { return name.starts_with("weights/data-"); }

namespace zip {

uint64_t dataOffset(std::string_view name, uint64_t header) {
  uint64_t data = header + localBytes + name.size() + localExtraBytes;
  return isAlignedMember(name) ? alignUp(data + 4, weightAlignment) : data;
}

std::string localHeader(const ZipMember &member) {
  std::string bytes;
  uint64_t plain = member.header + localBytes + member.name.size() + localExtraBytes;
  uint64_t padding = member.data - plain;
  appendLittle(bytes, localSignature);
  appendLittle(bytes, zip64Version);
  appendTimesAndSizes(bytes, member);
  appendLittle<uint16_t>(bytes, static_cast<uint16_t>(localExtraBytes + padding));
  bytes += member.name;
  appendLittle(bytes, zip64Extra);
  appendLittle<uint16_t>(bytes, 16);
  appendLittle<uint64_t>(bytes, member.size);
  appendLittle<uint64_t>(bytes, member.size);
  if (padding) {
    appendLittle(bytes, paddingExtra);
    appendLittle<uint16_t>(bytes, static_cast<uint16_t>(padding - 4));
    bytes.append(padding - 4, '\0');
  }
  return bytes;
}

std::string centralEntry(const ZipMember &member) {
  std::string bytes;
  appendLittle(bytes, centralSignature);
  appendLittle(bytes, madeByUnix);
  appendLittle(bytes, zip64Version);
  appendTimesAndSizes(bytes, member);
  appendLittle<uint16_t>(bytes, centralExtraBytes);
  appendLittle<uint16_t>(bytes, 0); // comment
  appendLittle<uint16_t>(bytes, 0); // disk
  appendLittle<uint16_t>(bytes, 0); // internal attributes
  appendLittle(bytes, regularFile);
  appendLittle(bytes, inExtra); // offset of the local header
  bytes += member.name;
  appendLittle(bytes, zip64Extra);
  appendLittle<uint16_t>(bytes, 24);
  appendLittle<uint64_t>(bytes, member.size);
  appendLittle<uint64_t>(bytes, member.size);
  appendLittle<uint64_t>(bytes, member.header);
  return bytes;
}

std::string endRecords(uint64_t count, uint64_t offset, uint64_t size, std::string_view comment) {
  std::string bytes;
  appendLittle(bytes, end64Signature);
  appendLittle<uint64_t>(bytes, end64Bytes - 12); // the record behind this field
  appendLittle(bytes, madeByUnix);
  appendLittle(bytes, zip64Version);
  appendLittle<uint32_t>(bytes, 0); // this disk
  appendLittle<uint32_t>(bytes, 0); // disk of the directory
  appendLittle<uint64_t>(bytes, count);
  appendLittle<uint64_t>(bytes, count);
  appendLittle<uint64_t>(bytes, size);
  appendLittle<uint64_t>(bytes, offset);

  appendLittle(bytes, locatorSignature);
  appendLittle<uint32_t>(bytes, 0);
  appendLittle<uint64_t>(bytes, offset + size);
  appendLittle<uint32_t>(bytes, 1); // disks

  appendLittle(bytes, endSignature);
  appendLittle<uint16_t>(bytes, 0);
  appendLittle<uint16_t>(bytes, 0);
  appendLittle<uint16_t>(bytes, 0xffff); // the rest is in the zip64 record
  appendLittle<uint16_t>(bytes, 0xffff);
  appendLittle(bytes, inExtra);
  appendLittle(bytes, inExtra);
  appendLittle<uint16_t>(bytes, static_cast<uint16_t>(comment.size()));
  bytes += comment;
  return bytes;
}

} // namespace zip

} // namespace quern::runtime
