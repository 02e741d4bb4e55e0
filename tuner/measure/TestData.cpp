//===- TestData.cpp -------------------------------------------------------===//
#include "tuner/measure/TestData.h"

#include "support/Bytes.h"
#include "support/Float8.h"
#include "support/Philox.h"

#include <algorithm>

namespace quern::tuner {

static constexpr std::string_view patternNames[] = {"zero", "whole", "spread", "powers", "scales", "indices"};

const char *patternName(Pattern pattern) { return patternNames[size_t(pattern)].data(); }

Expected<Pattern> parsePattern(std::string_view name) {
  for (size_t i = 0; i < std::size(patternNames); ++i)
    if (patternNames[i] == name)
      return Pattern(i);
  return Status::error(Exit::BadInput, "E-BUNDLE-CASE",
                       "a trial's operand has the unknown pattern `" + std::string(name) + "`");
}

namespace {
/// Codec of an element type; one row each.
struct Codec {
  std::string_view name;
  size_t bytes;
  void (*write)(double value, std::byte *to);
  double (*read)(const std::byte *from);
};

template <typename T> void put(T value, std::byte *to) { std::memcpy(to, &value, sizeof value); }

template <Float8 format> constexpr Codec float8Codec(std::string_view name) {
  return {name, 1, [](double v, std::byte *to) { put(encode(format, float(v)), to); },
          [](const std::byte *from) { return double(decode(format, loadLittle<uint8_t>(from))); }};
}

constexpr Codec codecs[] = {
    {"bf16", 2, [](double v, std::byte *to) { put(doubleToBf16(v), to); },
     [](const std::byte *from) { return double(bf16ToFloat(loadLittle<uint16_t>(from))); }},
    {"f16", 2, [](double v, std::byte *to) { put(floatToF16(float(v)), to); },
     [](const std::byte *from) { return double(f16ToFloat(loadLittle<uint16_t>(from))); }},
    {"f32", 4, [](double v, std::byte *to) { put(float(v), to); },
     [](const std::byte *from) { return double(loadLittle<float>(from)); }},
    {"i32", 4, [](double v, std::byte *to) { put(int32_t(v), to); },
     [](const std::byte *from) { return double(loadLittle<int32_t>(from)); }},
    float8Codec<Float8::E4M3FN>("f8E4M3FN"),
    float8Codec<Float8::E4M3FNUZ>("f8E4M3FNUZ"),
    float8Codec<Float8::E5M2>("f8E5M2"),
};

const Codec *findCodec(const std::string &element) {
  const Codec *found = std::find_if(std::begin(codecs), std::end(codecs),
                                    [&](const Codec &codec) { return codec.name == element; });
  return found == std::end(codecs) ? nullptr : found;
}
} // namespace

size_t elementBytes(const std::string &element) {
  const Codec *codec = findCodec(element);
  return codec ? codec->bytes : 0;
}

double dataValue(const DataSpec &spec, uint64_t index) {
  if (spec.pattern == Pattern::Zero)
    return 0;
  const std::array<uint32_t, 4> random = philoxAt(spec.seed, index);
  switch (spec.pattern) {
  case Pattern::Zero:
    break;
  case Pattern::Whole:
    return double(random[0] % 9) - 4;
  case Pattern::Spread: {
    // The sum of four uniform numbers of 16 bits: exact, and near enough to a normal distribution.
    double sum = 0;
    for (uint32_t bits : random)
      sum += double(bits >> 16) * 0x1p-16;
    return (sum - 2) * spec.scale;
  }
  case Pattern::Powers:
    return double(1 << random[0] % 3);
  case Pattern::Scales:
    return (1 + double(random[0] >> 16) * 0x1p-16) * spec.scale;
  case Pattern::Indices:
    return double(random[0] % uint64_t(std::max<int64_t>(1, spec.limit)));
  }
  return 0;
}

std::vector<std::byte> makeData(const DataSpec &spec, const std::string &element, uint64_t count) {
  const Codec *codec = findCodec(element);
  std::vector<std::byte> bytes(count * codec->bytes);
  if (spec.pattern != Pattern::Zero)
    for (uint64_t i = 0; i < count; ++i)
      codec->write(dataValue(spec, i), bytes.data() + i * codec->bytes);
  return bytes;
}

double elementValue(const std::string &element, std::span<const std::byte> bytes, uint64_t index) {
  const Codec *codec = findCodec(element);
  return codec->read(bytes.data() + index * codec->bytes);
}

double roundTo(const std::string &element, double value) {
  const Codec *codec = findCodec(element);
  std::byte bytes[8];
  codec->write(value, bytes);
  return codec->read(bytes);
}

} // namespace quern::tuner
