//===- ElementType.cpp ----------------------------------------------------===//
#include "support/ElementType.h"

namespace quern {

namespace {

struct Facts {
  std::string_view name;
  unsigned bits;
  bool loadable;
};

// In the order of the enumeration; names and widths of the safetensors format.
constexpr Facts table[elementTypeCount] = {
    {"BOOL", 8, false},   {"F4", 4, false},          {"F6_E2M3", 6, false},     {"F6_E3M2", 6, false},
    {"U8", 8, true},      {"I8", 8, true},           {"F8_E5M2", 8, false},     {"F8_E4M3", 8, true},
    {"F8_E8M0", 8, true}, {"F8_E4M3FNUZ", 8, false}, {"F8_E5M2FNUZ", 8, false}, {"I16", 16, false},
    {"U16", 16, false},   {"F16", 16, true},         {"BF16", 16, true},        {"I32", 32, true},
    {"U32", 32, false},   {"F32", 32, true},         {"C64", 64, false},        {"F64", 64, false},
    {"I64", 64, true},    {"U64", 64, false},
};

const Facts &factsOf(ElementType type) { return table[static_cast<unsigned>(type)]; }

} // namespace

std::string_view elementTypeName(ElementType type) { return factsOf(type).name; }

std::optional<ElementType> parseElementType(std::string_view name) {
  for (unsigned i = 0; i != elementTypeCount; ++i)
    if (table[i].name == name)
      return static_cast<ElementType>(i);
  return std::nullopt;
}

unsigned elementBits(ElementType type) { return factsOf(type).bits; }

bool isLoadable(ElementType type) { return factsOf(type).loadable; }

std::optional<uint64_t> tensorBytes(ElementType type, std::span<const uint64_t> shape) {
  uint64_t bits = elementBits(type);
  for (uint64_t extent : shape)
    if (__builtin_mul_overflow(bits, extent, &bits))
      return std::nullopt;
  return bits % 8 == 0 ? std::optional(bits / 8) : std::nullopt;
}

} // namespace quern
