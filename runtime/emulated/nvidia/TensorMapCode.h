//===- TensorMapCode.h - The 128 bytes of a tensor map --------------------===//
//
// The layout of a CUtensorMap is the driver's secret; the emulated driver has one of its own, with a mark and
// a check sum by which a kernel that uses other bytes is found out. Its rules are those of
// cuTensorMapEncodeTiled (CUDA driver API, "Tensor Map Object Management"). `tensormap.replace` (PTX
// ISA 9.7.9.27) changes fields.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_TENSORMAPCODE_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_TENSORMAPCODE_H

#include "runtime/TensorMap.h"
#include "support/Status.h"

namespace quern::runtime::emulated::nvidia {

/// Why |map| cannot be encoded; null where it can. One sentence, lower case.
const char *brokenRule(const TensorMap &map);

/// Exit::Usage "E-TENSOR-MAP" with the rule that |map| breaks.
Expected<EncodedTensorMap> encode(const TensorMap &map);

/// Writes |map| whatever it holds; false at 128 bytes that are no map.
void write(const TensorMap &map, std::byte *bytes);
bool read(const std::byte *bytes, TensorMap &map);

/// Bytes of one element; of 16 elements for the packed types (|elements| of them together).
struct ElementSize {
  uint32_t bytes, elements;
};
ElementSize sizeOf(TensorMap::Element element);

/// The place of the byte at shared address |address| under |swizzle|: CUDA driver API, CUtensorMapSwizzle,
/// "swizzle 16B (32B, 64B) chunks within 128B span"; PTX ISA 5.5.6, the pattern is a function of the address,
/// by which chunk c of the 128-byte line r goes to c xor r.
uint64_t swizzled(uint64_t address, TensorMap::Swizzle swizzle);
/// Bytes of the span, 0 for none.
uint32_t spanOf(TensorMap::Swizzle swizzle);

} // namespace quern::runtime::emulated::nvidia

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_TENSORMAPCODE_H
