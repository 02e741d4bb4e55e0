//===- RandomWeights.cpp --------------------------------------------------===//
#include "runtime/artifact/RandomWeights.h"

#include "support/Float8.h"
#include "support/Philox.h"

#include <cassert>
#include <cmath>

namespace quern::runtime {

namespace {

/// Separates these numbers from those of sampling.
constexpr uint32_t weightStream = 0x77656967;

/// The bits of |value| in |type|, in the low bytes.
uint64_t encodeElement(ElementType type, double value) {
  auto narrow = static_cast<float>(value);
  switch (type) {
  case ElementType::F8E4M3:
    return encode(Float8::E4M3FN, narrow);
  case ElementType::F8E8M0:
    return encodeE8M0Ceil(std::max(narrow, 0x1p-126f));
  case ElementType::BF16:
    return floatToBf16(narrow);
  case ElementType::F16:
    return floatToF16(narrow);
  case ElementType::F32:
    return std::bit_cast<uint32_t>(narrow);
  default: // integers
    return static_cast<uint64_t>(static_cast<int64_t>(std::floor(value)));
  }
}

/// Writes the values of a grid with 2^Bits points, Bits/8 bytes of randomness per element, from a table.
template <typename Code> void fillFromTable(const Weight &weight, uint64_t first, std::span<std::byte> out) {
  constexpr unsigned bits = sizeof(Code) * 8, perBlock = 16 / sizeof(Code);
  std::vector<Code> table(size_t(1) << bits);
  for (size_t i = 0; i != table.size(); ++i) {
    // The middle of the cell, so that a range that is symmetric about zero gives values that are.
    double share = (static_cast<double>(i) + 0.5) / static_cast<double>(table.size());
    table[i] = static_cast<Code>(encodeElement(weight.type, weight.low + (weight.high - weight.low) * share));
  }
  uint64_t count = out.size() / sizeof(Code), done = 0;
  while (done != count) {
    uint64_t index = first + done;
    std::array<uint32_t, 4> words = philoxAt(weight.seed, index / perBlock, weightStream);
    Code codes[perBlock];
    std::memcpy(codes, words.data(), sizeof codes);
    for (uint64_t k = index % perBlock; k != perBlock && done != count; ++k, ++done)
      std::memcpy(out.data() + done * sizeof(Code), &table[codes[k]], sizeof(Code));
  }
}

void fillWide(const Weight &weight, unsigned elementBytes, uint64_t first, std::span<std::byte> out) {
  uint64_t count = out.size() / elementBytes;
  std::array<uint32_t, 4> words{};
  for (uint64_t done = 0; done != count; ++done) {
    uint64_t index = first + done;
    if (done == 0 || index % 4 == 0)
      words = philoxAt(weight.seed, index / 4, weightStream);
    double share = (static_cast<double>(words[index % 4] >> 8) + 0.5) * 0x1p-24;
    uint64_t code = encodeElement(weight.type, weight.low + (weight.high - weight.low) * share);
    std::memcpy(out.data() + done * elementBytes, &code, elementBytes);
  }
}

} // namespace

void fillRandom(const Weight &weight, uint64_t first, std::span<std::byte> out) {
  assert(weight.kind == WeightKind::Random && "the tensor has bytes of its own");
  unsigned elementBytes = elementBits(weight.type) / 8;
  if (elementBytes == 1)
    fillFromTable<uint8_t>(weight, first, out);
  else if (elementBytes == 2)
    fillFromTable<uint16_t>(weight, first, out);
  else
    fillWide(weight, elementBytes, first, out);
}

uint64_t weightSeed(uint64_t modelSeed, std::string_view name) { return xxhash64(name, modelSeed); }

} // namespace quern::runtime
