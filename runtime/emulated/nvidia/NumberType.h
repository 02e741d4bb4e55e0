//===- NumberType.h - Instruction types of PTX ----------------------------===//
//
// The type words of instructions (PTX ISA 5.2 and 5.2.3 "alternate floating-point formats"), with packed
// forms.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_NUMBERTYPE_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_NUMBERTYPE_H

#include <cstdint>
#include <optional>
#include <string_view>

namespace quern::runtime::emulated::nvidia {

struct NumberType {
  enum Kind : uint8_t {
    Bits,
    Unsigned,
    Signed,
    Float,
    BFloat,
    Predicate,
    E4M3,
    E5M2,
    E2M1,
    E2M3,
    E3M2,
    UE8M0,
    TF32
  };
  Kind kind = Bits;
  uint8_t bits = 32; ///< of one element
  uint8_t lanes = 1; ///< elements packed into one register

  unsigned width() const { return unsigned(bits) * lanes; }
  bool isSigned() const { return kind == Signed; }
  bool isInteger() const { return kind == Bits || kind == Unsigned || kind == Signed; }
  bool isFloat(unsigned width) const { return kind == Float && bits == width; }
  bool isHalf() const { return (kind == Float || kind == BFloat) && bits == 16; }
  NumberType element() const { return {kind, bits, 1}; }
  bool operator==(const NumberType &) const = default;
};

/// The type named by an opcode word, e.g. "u32", "bf16x2", "e4m3x2"; nothing if it is not a type.
inline std::optional<NumberType> numberType(std::string_view word) {
  using T = NumberType;
  static constexpr std::pair<std::string_view, NumberType> types[] = {
      {"b8", {T::Bits, 8, 1}},        {"b16", {T::Bits, 16, 1}},       {"b32", {T::Bits, 32, 1}},
      {"b64", {T::Bits, 64, 1}},      {"b128", {T::Bits, 128, 1}},     {"u8", {T::Unsigned, 8, 1}},
      {"u16", {T::Unsigned, 16, 1}},  {"u32", {T::Unsigned, 32, 1}},   {"u64", {T::Unsigned, 64, 1}},
      {"s8", {T::Signed, 8, 1}},      {"s16", {T::Signed, 16, 1}},     {"s32", {T::Signed, 32, 1}},
      {"s64", {T::Signed, 64, 1}},    {"u16x2", {T::Unsigned, 16, 2}}, {"s16x2", {T::Signed, 16, 2}},
      {"f16", {T::Float, 16, 1}},     {"f16x2", {T::Float, 16, 2}},    {"bf16", {T::BFloat, 16, 1}},
      {"bf16x2", {T::BFloat, 16, 2}}, {"f32", {T::Float, 32, 1}},      {"f32x2", {T::Float, 32, 2}},
      {"f64", {T::Float, 64, 1}},     {"pred", {T::Predicate, 1, 1}},  {"e4m3x2", {T::E4M3, 8, 2}},
      {"e5m2x2", {T::E5M2, 8, 2}},    {"e4m3x4", {T::E4M3, 8, 4}},     {"e5m2x4", {T::E5M2, 8, 4}},
      {"ue8m0x2", {T::UE8M0, 8, 2}},  {"e2m1x2", {T::E2M1, 4, 2}},     {"e2m3x2", {T::E2M3, 8, 2}},
      {"e3m2x2", {T::E3M2, 8, 2}},    {"tf32", {T::TF32, 32, 1}}};
  for (const auto &[name, type] : types)
    if (name == word)
      return type;
  return std::nullopt;
}

} // namespace quern::runtime::emulated::nvidia

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_NUMBERTYPE_H
