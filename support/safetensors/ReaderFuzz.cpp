//===- ReaderFuzz.cpp - Fuzz target of the safetensors header -------------===//
#include "support/safetensors/Safetensors.h"

#include <cstdlib>

using namespace quern;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ByteSpan file(reinterpret_cast<const std::byte *>(data), size);
  auto header = parseSafetensorsHeader(file, "fuzz");
  if (!header.ok()) {
    if (header.error().exit() != Exit::BadInput || header.error().message().empty())
      std::abort();
    return 0;
  }
  // What was accepted covers the data exactly, and every byte of it can be read.
  uint64_t covered = 0;
  unsigned sum = 0;
  for (const StoredTensor &tensor : header->tensors) {
    if (header->find(tensor.name) != &tensor || tensor.offset < header->dataOffset ||
        tensor.size > size - tensor.offset)
      std::abort();
    covered += tensor.size;
    for (std::byte b : file.subspan(tensor.offset, tensor.size))
      sum += std::to_integer<unsigned>(b);
  }
  if (covered != size - header->dataOffset || sum == ~0u)
    std::abort();
  return 0;
}
