//===- MemoryLayout.cpp ---------------------------------------------------===//
#include "dialects/tile/MemoryLayout.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <numeric>

namespace quern::tile {

MemoryLayout::MemoryLayout(std::vector<int32_t> shape, std::vector<int32_t> core,
                           std::vector<Coordinate> bases, std::vector<int64_t> strides)
    : shape_(std::move(shape)), core_(std::move(core)), bases_(std::move(bases)),
      strides_(std::move(strides)) {
  assert(shape_.size() == core_.size() && shape_.size() == strides_.size());
  CoordinateBits bits(core_);
  std::vector<uint64_t> columns;
  for (const Coordinate &basis : bases_)
    columns.push_back(bits.pack(basis));
  std::optional<LinearMap> inverse = LinearMap(std::move(columns)).rightInverse(bits.bits());
  assert(inverse && bits.bits() == bases_.size() && "the bases are no bijection of the core");
  offsets_ = *std::move(inverse);
}

static Coordinate along(unsigned rank, unsigned dim, int32_t value) {
  Coordinate at(rank, 0);
  at[dim] = value;
  return at;
}

MemoryLayout MemoryLayout::dense(const std::vector<int32_t> &shape, unsigned fastest) {
  unsigned rank = shape.size();
  std::vector<unsigned> order;
  if (rank)
    order.push_back(fastest);
  for (unsigned d = rank; d-- > 0;)
    if (d != fastest)
      order.push_back(d);
  std::vector<int32_t> core(rank, 1);
  std::vector<Coordinate> bases;
  std::vector<int64_t> strides(rank);
  int64_t faster = 1;
  bool powers = true; // of all faster dimensions
  for (unsigned d : order) {
    if (powers)
      core[d] = shape[d] & -shape[d];
    for (int32_t bit = 1; bit < core[d]; bit *= 2)
      bases.push_back(along(rank, d, bit));
    strides[d] = faster * core[d];
    faster *= shape[d];
    powers &= core[d] == shape[d];
  }
  return MemoryLayout(shape, std::move(core), std::move(bases), std::move(strides));
}

MemoryLayout MemoryLayout::dense(const std::vector<int32_t> &shape) {
  return dense(shape, shape.empty() ? 0 : unsigned(shape.size() - 1));
}

std::optional<MemoryLayout> MemoryLayout::swizzled(const std::vector<int32_t> &shape, unsigned elementBits,
                                                   int32_t span, unsigned fastest) {
  bool known = span == 16 || span == 32 || span == 64 || span == 128;
  if (shape.size() != 2 || fastest > 1 || !known || elementBits < 8 || elementBits > 32)
    return std::nullopt;
  unsigned other = 1 - fastest;
  int32_t chunk = 128 / int32_t(elementBits), columns = span * 8 / int32_t(elementBits);
  if (shape[fastest] <= 0 || shape[fastest] % columns || shape[other] <= 0 || shape[other] % 8)
    return std::nullopt;
  std::vector<Coordinate> bases;
  for (int32_t bit = 1; bit < columns; bit *= 2)
    bases.push_back(along(2, fastest, bit));
  for (int32_t bit = 1; bit < 8; bit *= 2) {
    // Address bits 7, 8, 9 select the exchange; rows begin below them where they are shorter than 128 bytes.
    Coordinate basis = along(2, other, bit);
    int32_t select = bit * span / 128;
    if (select < span / 16)
      basis[fastest] = select * chunk;
    bases.push_back(std::move(basis));
  }
  std::vector<int32_t> core(2, 8);
  core[fastest] = columns;
  std::vector<int64_t> strides(2);
  strides[other] = int64_t(8) * columns;
  strides[fastest] = int64_t(shape[other]) * columns;
  return MemoryLayout(shape, std::move(core), std::move(bases), std::move(strides));
}

int64_t MemoryLayout::elements() const {
  return std::accumulate(shape_.begin(), shape_.end(), int64_t(1), std::multiplies<>());
}

MemoryLayout::Split MemoryLayout::split(const Coordinate &at) const {
  Coordinate inCore(rank());
  Split result{0, 0};
  for (unsigned d = 0; d < rank(); ++d) {
    inCore[d] = at[d] % core_[d];
    result.added += at[d] / core_[d] * strides_[d];
  }
  result.crossed = int64_t(offsets_(CoordinateBits(core_).pack(inCore)));
  return result;
}

int64_t MemoryLayout::offset(const Coordinate &at) const {
  Split parts = split(at);
  return parts.crossed + parts.added;
}

Coordinate MemoryLayout::coordinate(int64_t offset) const {
  Coordinate at(rank(), 0);
  for (size_t bit = 0; bit < bases_.size(); ++bit)
    if (offset >> bit & 1)
      for (unsigned d = 0; d < rank(); ++d)
        at[d] ^= bases_[bit][d];
  offset -= offset % coreElements();
  // The largest stride first.
  std::vector<unsigned> order(rank());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](unsigned x, unsigned y) { return strides_[x] > strides_[y]; });
  for (unsigned d : order)
    if (shape_[d] > core_[d]) {
      at[d] += int32_t(offset / strides_[d]) * core_[d];
      offset %= strides_[d];
    }
  return at;
}

int32_t MemoryLayout::vectorWidth(const Layout &layout) const {
  const std::vector<Coordinate> &registers = layout.bases(Hardware::Register);
  int32_t width = 1;
  for (const Coordinate &basis : registers) {
    if (offset(basis) != width)
      break;
    width *= 2;
  }
  // Aligned: nothing else reaches into the low bits.
  auto reaches = [&](const Coordinate &basis) { return split(basis).crossed & (width - 1); };
  for (unsigned h = 0; h < numHardware; ++h) {
    const std::vector<Coordinate> &bases = layout.bases(Hardware(h));
    for (size_t bit = h == 0 ? size_t(std::bit_width(uint32_t(width)) - 1) : 0; bit < bases.size(); ++bit)
      while (width > 1 && reaches(bases[bit]))
        width /= 2;
  }
  for (unsigned d = 0; d < rank(); ++d) {
    while (width > 1 && strides_[d] % width && shape_[d] > core_[d])
      width /= 2;
    for (int32_t step = layout.core(d); step < layout.shape()[d]; step *= 2) // repeats of the layout
      while (width > 1 && reaches(along(rank(), d, step)))
        width /= 2;
  }
  return width;
}

std::string MemoryLayout::str() const {
  auto list = [](const auto &values) {
    std::string text = "[";
    for (size_t i = 0; i < values.size(); ++i)
      text += (i ? ", " : "") + std::to_string(values[i]);
    return text + "]";
  };
  std::string text = "offset = [";
  for (size_t bit = 0; bit < bases_.size(); ++bit)
    text += (bit ? ", " : "") + list(bases_[bit]);
  return text + "], core = " + list(core_) + ", stride = " + list(strides_);
}

} // namespace quern::tile
