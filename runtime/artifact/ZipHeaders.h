//===- ZipHeaders.h - The bytes of a zip outside of its members -----------===//
//
// Field by field as in PKWARE APPNOTE 6.3.10, sections 4.3.7 (local header), 4.3.12 (central
// directory), 4.3.14 to 4.3.16 (end records) and 4.5.3 (zip64 extra field).
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_ARTIFACT_ZIPHEADERS_H
#define QUERN_RUNTIME_ARTIFACT_ZIPHEADERS_H

#include "runtime/artifact/Zip.h"

namespace quern::runtime::zip {

inline constexpr uint32_t localSignature = 0x04034b50, centralSignature = 0x02014b50,
                          end64Signature = 0x06064b50, locatorSignature = 0x07064b50,
                          endSignature = 0x06054b50;
inline constexpr uint64_t localBytes = 30, centralBytes = 46, end64Bytes = 56, locatorBytes = 20,
                          endBytes = 22;
inline constexpr uint64_t localExtraBytes = 4 + 16, centralExtraBytes = 4 + 24;

/// Local header of |member| including what fills the distance to its data.
std::string localHeader(const ZipMember &member);
/// Where the data of a member begins whose local header is at |header|.
uint64_t dataOffset(std::string_view name, uint64_t header);
/// Entry of |member| in the central directory.
std::string centralEntry(const ZipMember &member);
/// Everything behind the central directory of |count| members, which takes |size| bytes from |offset| on.
std::string endRecords(uint64_t count, uint64_t offset, uint64_t size, std::string_view comment);

} // namespace quern::runtime::zip

#endif // QUERN_RUNTIME_ARTIFACT_ZIPHEADERS_H
