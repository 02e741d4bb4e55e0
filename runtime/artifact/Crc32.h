//===- Crc32.h - The checksum of zip --------------------------------------===//
//
// CRC-32 of IEEE 802.3 (reflected polynomial 0xEDB88320), as zip stores it for each member.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_ARTIFACT_CRC32_H
#define QUERN_RUNTIME_ARTIFACT_CRC32_H

#include "support/Bytes.h"

namespace quern::runtime {

/// Of bytes that follow others whose checksum is |crc|; 0 for the first.
uint32_t crc32(ByteSpan bytes, uint32_t crc = 0);

/// The same for |count| zero bytes, in time logarithmic in |count|.
uint32_t crc32Zeros(uint64_t count, uint32_t crc = 0);

} // namespace quern::runtime

#endif // QUERN_RUNTIME_ARTIFACT_CRC32_H
