//===- TensorBox.cpp - One box of a tensor --------------------------------===//

#include "runtime/emulated/nvidia/TensorBox.h"

#include "runtime/emulated/nvidia/BulkReduce.h"

#include <algorithm>
#include <cstring>

namespace quern::runtime::emulated::nvidia {

namespace {

constexpr uint64_t chunkBytes = 16; ///< what no swizzle takes apart
constexpr uint64_t maxRowBytes = 256 * 8;

} // namespace

TensorBox::TensorBox(const TensorMap &from, const int64_t *coordinates) : map(from) {
  ElementSize size = sizeOf(map.element);
  for (uint32_t i = 0; i < map.rank; ++i) {
    at[i] = coordinates[i];
    // The step of dimension 0 is ignored without interleaving (cuTensorMapEncodeTiled, elementStrides).
    uint32_t step = i == 0 ? 1 : map.elementSteps[i];
    counts[i] = (map.box[i] + step - 1) / step;
    if (i > 0)
      rows *= counts[i];
  }
  rowBytes = counts[0] * size.bytes / size.elements;
  startByte = at[0] * size.bytes / static_cast<int64_t>(size.elements);
  int64_t tensorBytes = static_cast<int64_t>(map.extents[0] * size.bytes / size.elements);
  firstByte = static_cast<uint64_t>(std::clamp<int64_t>(-startByte, 0, static_cast<int64_t>(rowBytes)));
  lastByte = static_cast<uint64_t>(std::clamp<int64_t>(
      tensorBytes - startByte, static_cast<int64_t>(firstByte), static_cast<int64_t>(rowBytes)));
}

TensorBox::Row TensorBox::rowAt(uint64_t index) const {
  Row row{true, map.address};
  for (uint32_t i = 1; i < map.rank; ++i) {
    int64_t coordinate = at[i] + static_cast<int64_t>(index % counts[i] * map.elementSteps[i]);
    index /= counts[i];
    row.inside &= coordinate >= 0 && static_cast<uint64_t>(coordinate) < map.extents[i];
    row.global += static_cast<uint64_t>(coordinate) * map.strides[i - 1];
  }
  row.inside &= firstByte < lastByte;
  return row;
}

void TensorBox::range(uint64_t &begin, uint64_t &end) const {
  begin = ~uint64_t(0);
  end = 0;
  for (uint64_t i = 0; i < rows; ++i)
    if (Row row = rowAt(i); row.inside) {
      uint64_t first = row.global + static_cast<uint64_t>(startByte);
      begin = std::min(begin, first + firstByte);
      end = std::max(end, first + lastByte);
    }
  if (end == 0)
    begin = 0;
}

/// A special NaN outside of the tensor (cuTensorMapEncodeTiled, "oobFill"): the canonical NaN of the type.
void TensorBox::fillLine(std::byte *line) const {
  std::memset(line, 0, rowBytes);
  if (map.fill == TensorMap::Fill::Zero)
    return;
  uint32_t size = sizeOf(map.element).bytes;
  uint64_t nan = size == 2 ? 0x7FFF : size == 4 ? 0x7FFFFFFF : 0x7FFFFFFFFFFFFFFF;
  for (uint64_t i = 0; i < rowBytes; i += size)
    std::memcpy(line + i, &nan, size);
}

void TensorBox::load(std::byte *shared, uint64_t base) const {
  std::byte line[maxRowBytes];
  for (uint64_t i = 0; i < rows; ++i) {
    Row row = rowAt(i);
    if (!row.inside || firstByte != 0 || lastByte != rowBytes)
      fillLine(line);
    if (row.inside)
      std::memcpy(
          line + firstByte,
          reinterpret_cast<const std::byte *>(row.global + static_cast<uint64_t>(startByte) + firstByte),
          lastByte - firstByte);
    uint64_t place = base + i * rowBytes;
    if (map.swizzle == TensorMap::Swizzle::None) {
      std::memcpy(shared + i * rowBytes, line, rowBytes);
      continue;
    }
    for (uint64_t j = 0; j < rowBytes; j += chunkBytes)
      std::memcpy(shared + (swizzled(place + j, map.swizzle) - base), line + j, chunkBytes);
  }
}

void TensorBox::store(const std::byte *shared, uint64_t base, BulkForm::Reduction reduction,
                      BulkForm::Type type) const {
  std::byte line[maxRowBytes];
  for (uint64_t i = 0; i < rows; ++i) {
    Row row = rowAt(i);
    if (!row.inside)
      continue;
    uint64_t place = base + i * rowBytes;
    for (uint64_t j = 0; j < rowBytes; j += chunkBytes)
      std::memcpy(line + j, shared + (swizzled(place + j, map.swizzle) - base), chunkBytes);
    auto *to = reinterpret_cast<std::byte *>(row.global + static_cast<uint64_t>(startByte) + firstByte);
    if (reduction == BulkForm::None)
      std::memcpy(to, line + firstByte, lastByte - firstByte);
    else
      reduceInto(to, line + firstByte, lastByte - firstByte, reduction, type);
  }
}

} // namespace quern::runtime::emulated::nvidia
