//===- ElementType.h - Types of stored tensor elements --------------------===//
//
// The element types that a safetensors file can name, with their names there. Checkpoints, artifacts and
// plans use this one list, so that a type never changes its name on the way.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_SUPPORT_ELEMENTTYPE_H
#define QUERN_SUPPORT_ELEMENTTYPE_H

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace quern {

/// The numbers are stored in artifacts: append only.
enum class ElementType : uint8_t {
  Bool = 0,
  F4 = 1,
  F6E2M3 = 2,
  F6E3M2 = 3,
  U8 = 4,
  I8 = 5,
  F8E5M2 = 6,
  F8E4M3 = 7, ///< e4m3fn, the OCP flavour
  F8E8M0 = 8,
  F8E4M3FNUZ = 9,
  F8E5M2FNUZ = 10,
  I16 = 11,
  U16 = 12,
  F16 = 13,
  BF16 = 14,
  I32 = 15,
  U32 = 16,
  F32 = 17,
  C64 = 18,
  F64 = 19,
  I64 = 20,
  U64 = 21,
};
inline constexpr unsigned elementTypeCount = 22;

/// The name in a safetensors header: "BF16", "F8_E4M3".
std::string_view elementTypeName(ElementType type);
/// By that name, which is case-sensitive; nullopt where the format has none of it.
std::optional<ElementType> parseElementType(std::string_view name);
/// Bits of one element: 4 to 64.
unsigned elementBits(ElementType type);
/// True for the types that a model may use: BF16, F16, F32, F8_E4M3, F8_E8M0, U8, I8, I32, I64.
bool isLoadable(ElementType type);
/// Bytes of a dense tensor; nullopt where the number of bits overflows 64 bits or is no whole number of
/// bytes.
std::optional<uint64_t> tensorBytes(ElementType type, std::span<const uint64_t> shape);

} // namespace quern

#endif // QUERN_SUPPORT_ELEMENTTYPE_H
