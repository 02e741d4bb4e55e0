//===- SharedAddresses.cpp ------------------------------------------------===//
#include "lowering/targets/SharedAddresses.h"

using namespace mlir;
using quern::tile::Coordinate;
using quern::tile::Hardware;

namespace quern::lowering {

Value xorOfBits(LaneBuilder &b, Value index, ArrayRef<int64_t> values) {
  Value sum;
  auto addTerm = [&](Value term) { sum = sum ? b.xorI(sum, term) : term; };
  for (size_t bit = 0; bit < values.size();) {
    // A value moves as a whole only where its bits do: one bit of it at a time, runs of them together.
    if (!values[bit]) {
      ++bit;
      continue;
    }
    size_t end = bit + 1;
    while (llvm::isPowerOf2_64(uint64_t(values[bit])) && end < values.size() &&
           values[end] == values[bit] << (end - bit))
      ++end;
    if (llvm::isPowerOf2_64(uint64_t(values[bit]))) {
      int32_t mask = int32_t(((1u << (end - bit)) - 1) << bit);
      Value bits = b.andI(index, b.i32(mask));
      int64_t from = int64_t(1) << bit;
      addTerm(values[bit] == from  ? bits
              : values[bit] > from ? b.shl(bits, llvm::Log2_64(uint64_t(values[bit] / from)))
                                   : b.lshr(bits, llvm::Log2_64(uint64_t(from / values[bit]))));
    } else {
      Value isSet = b.andI(b.lshr(index, int64_t(bit)), b.i32(1));
      addTerm(b.mul(isSet, b.i32(int32_t(values[bit]))));
    }
    bit = end;
  }
  return sum;
}

SharedAddresses::SharedAddresses(LaneBuilder &b, const tile::Layout &layout, const tile::MemoryLayout &memory,
                                 unsigned elementBytes, Value base, Value lane, Value warp)
    : b(b), layout(layout), memory(memory), elementBytes(elementBytes), base(base) {
  for (auto [index, hardware] : {std::pair{lane, Hardware::Lane}, std::pair{warp, Hardware::Warp}}) {
    if (!index)
      continue;
    SmallVector<int64_t> crossing, adding;
    for (const Coordinate &basis : layout.bases(hardware)) {
      tile::MemoryLayout::Split split = memory.split(basis);
      crossing.push_back(split.crossed * this->elementBytes);
      adding.push_back(split.added * this->elementBytes);
      moving |= crossing.back();
    }
    if (Value part = xorOfBits(b, index, crossing))
      crossed = crossed ? b.xorI(crossed, part) : part;
    // Whole cores of different bits share none, so that their sum is an XOR, too, within one dimension;
    // across dimensions strides may carry.
    for (size_t bit = 0; bit < adding.size(); ++bit)
      if (adding[bit]) {
        SmallVector<int64_t> one(adding.size(), 0);
        one[bit] = adding[bit];
        Value part = xorOfBits(b, index, one);
        added = added ? b.add(added, part) : part;
      }
  }
}

Value SharedAddresses::at(int32_t reg) {
  tile::MemoryLayout::Split split = memory.split(layout.registerPart(reg));
  int64_t own = split.crossed * elementBytes;
  Value &pointer = pointers[own & moving];
  if (!pointer) {
    Value offset = crossed;
    if (own & moving)
      offset = b.xorI(crossed, b.i32(int32_t(own & moving)));
    if (added)
      offset = offset ? b.add(offset, added) : added;
    pointer = offset ? b.gep(base, b.getI8Type(), offset) : base;
  }
  int64_t rest = (own & ~moving) + split.added * elementBytes;
  return rest ? b.gep(pointer, b.getI8Type(), b.i32(int32_t(rest))) : pointer;
}

} // namespace quern::lowering
