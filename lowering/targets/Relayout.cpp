//===- Relayout.cpp - The same tile in other registers --------------------===//
//
// A relayout that moves elements between lanes goes through shared memory: a write in one layout, a barrier,
// a read in the other. On GPUs both sides move as many neighbours at once as their layout has, and the
// 16-byte pieces of a row are stored in an order that changes from row to row (the address bits that number
// the piece are XORed with those that number the row), so that lanes which hold the same columns of
// neighbouring rows meet in different banks.
//
// Addresses are linear over bits like the layouts: the address of (register, lane, warp) is the XOR of the
// address of the register, a constant, and that of lane and warp, computed once.
//
// SIMD lanes exchange words by shuffles of registers where the layouts differ in the order of bits only.
//
//===----------------------------------------------------------------------===//
#include "lowering/targets/KernelLowering.h"

using namespace mlir;
using quern::tile::Coordinate;
using quern::tile::Hardware;

namespace quern::lowering {

namespace {

/// How a tile of two dimensions lies in shared memory, in bytes.
struct SharedRows {
  int64_t rowBytes; ///< a power of two
  int64_t elementBytes;

  unsigned shift() const { return std::max(7u, llvm::Log2_64(rowBytes)); }
  int64_t mask() const { return std::min<int64_t>(rowBytes, 128) / 16 - 1; }
  int64_t plain(const Coordinate &at) const { return at[0] * rowBytes + at[1] * elementBytes; }
  int64_t swizzle(int64_t address) const { return address ^ (((address >> shift()) & mask()) << 4); }
};

bool isPowerOfTwo(int64_t n) { return n > 0 && (n & (n - 1)) == 0; }

} // namespace

/// Every element keeps its lane and warp.
static bool staysInLanes(const tile::Layout &from, const tile::Layout &to) {
  return from.bases(Hardware::Lane) == to.bases(Hardware::Lane) &&
         from.bases(Hardware::Warp) == to.bases(Hardware::Warp);
}

namespace {

/// The 32-bit words of a tile in SIMD registers while bits of the register number change places with bits of
/// the lane number. An element keeps its word.
struct LaneWords {
  std::vector<Coordinate> registers, lanes; ///< bases; those inside a word left out
  Registers words;

  /// Makes |wanted| the bases of the lanes, by one shuffle of each register for each base that is elsewhere.
  void moveToLanes(LaneBuilder &b, const std::vector<Coordinate> &wanted) {
    for (size_t lane = 0; lane < wanted.size(); ++lane) {
      if (lanes[lane] == wanted[lane])
        continue;
      if (auto found = llvm::find(registers, wanted[lane]); found != registers.end()) {
        swapWithRegister(b, unsigned(found - registers.begin()), unsigned(lane));
        std::swap(*found, lanes[lane]);
      } else {
        auto other = llvm::find(lanes, wanted[lane]);
        swapLanes(b, unsigned(lane), unsigned(other - lanes.begin()));
        std::swap(*other, lanes[lane]);
      }
    }
  }

private:
  /// What was in (register bit p, lane bit q) comes to (q, p).
  void swapWithRegister(LaneBuilder &b, unsigned registerBit, unsigned laneBit) {
    const int32_t count = b.lanes(), bit = 1 << laneBit;
    SmallVector<int32_t> low, high;
    for (int32_t l = 0; l < count; ++l) {
      low.push_back(l & bit ? count + (l ^ bit) : l);
      high.push_back(l & bit ? count + l : l | bit);
    }
    for (size_t r = 0; r < words.size(); ++r) {
      if (r >> registerBit & 1)
        continue;
      Value &first = words[r], &second = words[r | size_t(1) << registerBit];
      Value newFirst = LLVM::ShuffleVectorOp::create(b, b.loc, first, second, low);
      second = LLVM::ShuffleVectorOp::create(b, b.loc, first, second, high);
      first = newFirst;
    }
  }

  void swapLanes(LaneBuilder &b, unsigned x, unsigned y) {
    SmallVector<int32_t> order;
    for (int32_t l = 0; l < b.lanes(); ++l) {
      int32_t differ = (l >> x ^ l >> y) & 1;
      order.push_back(l ^ (differ << x | differ << y));
    }
    for (Value &word : words)
      word = LLVM::ShuffleVectorOp::create(b, b.loc, word, word, order);
  }
};

/// Neighbours along the last dimension that one 32-bit word holds in both layouts; 0 where they do not.
int32_t wordOf(const tile::Layout &from, const tile::Layout &to, unsigned elementBits) {
  if (elementBits != 8 && elementBits != 16 && elementBits != 32)
    return 0;
  int32_t size = int32_t(32 / elementBits);
  return from.vectorWidth() >= size && to.vectorWidth() >= size ? size : 0;
}

/// True if |to| has the bases of |from| in other places, none of them twice.
bool permutesBits(const tile::Layout &from, const tile::Layout &to) {
  auto all = [](const tile::Layout &layout) {
    std::vector<Coordinate> bases;
    for (Hardware h : {Hardware::Register, Hardware::Lane})
      llvm::append_range(bases, layout.bases(h));
    llvm::sort(bases);
    return bases;
  };
  return from.isDisjoint() && from.isSurjective() && from.repeats() == to.repeats() && all(from) == all(to) &&
         llvm::none_of(all(from), [](const Coordinate &basis) {
           return llvm::all_of(basis, [](int32_t x) { return x == 0; });
         });
}

} // namespace

/// SIMD lanes: the bits of lanes and registers that differ are exchanged by shuffles of register pairs, four
/// for a transpose of 16 rows of 16 words.
Registers KernelLowering::relayoutLanes(const tile::Layout &from, const tile::Layout &to, Type element,
                                        const Registers &in) {
  const int32_t perWord = int32_t(32 / element.getIntOrFloatBitWidth());
  const auto inWord = ptrdiff_t(llvm::Log2_32(uint32_t(perWord)));
  const std::vector<Coordinate> &own = from.bases(Hardware::Register);
  LaneWords tileWords{{own.begin() + inWord, own.end()}, from.bases(Hardware::Lane), {}};
  for (size_t r = 0; r < in.size(); r += size_t(perWord))
    tileWords.words.push_back(b.packWord(ArrayRef(in).slice(r, size_t(perWord))));
  tileWords.moveToLanes(b, to.bases(Hardware::Lane));

  std::vector<Coordinate> registers(own.begin(), own.begin() + inWord);
  llvm::append_range(registers, tileWords.registers);
  tile::Layout moved(from.shape(), {registers, tileWords.lanes, from.bases(Hardware::Warp)}, from.repeats());
  Registers elements, out;
  for (Value word : tileWords.words)
    b.unpackWord(word, element, elements);
  std::map<Coordinate, int32_t> source = registersByPart(moved);
  for (int32_t r = 0, n = to.numRegisters(); r < n; ++r)
    out.push_back(elements[source.at(to.registerPart(r))]);
  return out;
}

LogicalResult KernelLowering::lowerRelayout(tile::RelayoutOp op) {
  const tile::Layout &from = layoutOf(op.getOperand()), &to = layoutOf(op.getTile());
  const Registers in = tiles[op.getOperand()];
  if (staysInLanes(from, to)) {
    Registers out;
    std::map<Coordinate, int32_t> source = registersByPart(from);
    for (int32_t r = 0, n = to.numRegisters(); r < n; ++r)
      out.push_back(in[source.at(to.registerPart(r))]);
    tiles[op.getTile()] = std::move(out);
    return success();
  }
  Type element = storageType(elementOf(op.getTile()));
  int64_t rowBytes = from.rank() == 2 ? from.shape()[1] * int64_t(element.getIntOrFloatBitWidth() / 8) : 0;
  bool wide = !b.simd() && !element.isInteger(1) && isPowerOfTwo(rowBytes) && rowBytes >= 16 &&
              from.isDisjoint() && to.isDisjoint();
  if (b.simd() && wordOf(from, to, element.getIntOrFloatBitWidth()) && permutesBits(from, to)) {
    tiles[op.getTile()] = relayoutLanes(from, to, element, in);
    return success();
  }
  tiles[op.getTile()] = wide ? relayoutRows(from, to, element, in) : relayoutElements(from, to, element, in);
  return success();
}

Registers KernelLowering::relayoutRows(const tile::Layout &from, const tile::Layout &to, Type element,
                                       const Registers &in) {
  int64_t bytes = element.getIntOrFloatBitWidth() / 8;
  SharedRows rows{from.shape()[1] * bytes, bytes};
  Value shared = useShared(from.shape()[0] * rows.rowBytes);

  // Calls body(register, pointer, width) for each access of |layout|.
  auto access = [&](const tile::Layout &layout, auto body) {
    int64_t moving = 0; // address bits that lanes and warps set
    for (Hardware h : {Hardware::Lane, Hardware::Warp})
      for (const Coordinate &basis : layout.bases(h))
        moving |= rows.swizzle(rows.plain(basis));
    Value lanes = b.i32(0);
    if (Value row = lanePart(layout, 0))
      lanes = b.mul(row, b.i32(int32_t(rows.rowBytes)));
    if (Value column = lanePart(layout, 1))
      lanes = b.orI(lanes, b.mul(column, b.i32(int32_t(bytes))));
    if (rows.mask())
      lanes = b.xorI(lanes, b.shl(b.andI(b.lshr(lanes, rows.shift()), b.i32(int32_t(rows.mask()))), 4));
    int32_t width = std::min<int64_t>(layout.vectorWidth(), block.vectorBytes / bytes);
    std::map<int64_t, Value> pointers; // by the bits that meet those of the lanes
    for (int32_t r = 0, n = layout.numRegisters(); r < n; r += width) {
      int64_t own = rows.swizzle(rows.plain(layout.registerPart(r)));
      Value &pointer = pointers[own & moving];
      if (!pointer)
        pointer =
            b.gep(shared, b.getI8Type(), own & moving ? b.xorI(lanes, b.i32(int32_t(own & moving))) : lanes);
      int64_t rest = own & ~moving;
      body(r, rest ? b.gep(pointer, b.getI8Type(), b.i32(int32_t(rest))) : pointer, width);
    }
  };
  Value replicas = oneReplica(from);
  auto write = [&] {
    access(from, [&](int32_t r, Value pointer, int32_t width) {
      b.store(b.join(ArrayRef(in).slice(r, width)), pointer, unsigned(bytes * width));
    });
  };
  if (replicas)
    b.ifThen(replicas, write);
  else
    write();
  barrier();
  Registers out;
  access(to, [&](int32_t, Value pointer, int32_t width) {
    Type type = width > 1 ? Type(VectorType::get({width}, element)) : element;
    b.split(b.load(pointer, type, unsigned(bytes * width)), out);
  });
  return out;
}

/// One element at a time, row-major: any rank, any size.
Registers KernelLowering::relayoutElements(const tile::Layout &from, const tile::Layout &to, Type element,
                                           const Registers &in) {
  Type stored = element.isInteger(1) ? Type(b.getI8Type()) : element;
  unsigned bytes = stored.getIntOrFloatBitWidth() / 8, rank = from.rank();
  SmallVector<int32_t> strides(rank, 1);
  for (unsigned d = rank; d-- > 1;)
    strides[d - 1] = strides[d] * from.shape()[d];
  Value shared = useShared(int64_t(rank ? strides[0] * from.shape()[0] : 1) * bytes);
  auto access = [&](const tile::Layout &layout, auto perRegister) {
    Value lanes;
    for (unsigned d = 0; d < rank; ++d)
      if (Value part = lanePart(layout, d)) {
        Value term = b.mul(part, b.constantLike(part, int64_t(strides[d])));
        lanes = lanes ? b.add(lanes, term) : term;
      }
    bool contiguous = b.simd() && layout.lanesAreContiguous();
    for (int32_t r = 0, n = layout.numRegisters(); r < n; ++r) {
      int32_t offset = 0;
      Coordinate part = layout.registerPart(r);
      for (unsigned d = 0; d < rank; ++d)
        offset += part[d] * strides[d];
      Address at;
      at.pointer = b.gep(shared, stored, b.i32(offset));
      if (lanes && !contiguous)
        at.pointer = b.gep(at.pointer, stored, lanes);
      perRegister(r, at, contiguous);
    }
  };
  Value replicas = oneReplica(from);
  access(from, [&](int32_t r, const Address &at, bool contiguous) {
    Value value = stored == element ? in[r] : b.zext(in[r], stored);
    storeLanes(at, value, stored, replicas, contiguous);
  });
  barrier();
  Registers out;
  access(to, [&](int32_t, const Address &at, bool contiguous) {
    Value value = loadLanes(at, stored, 1, contiguous);
    out.push_back(stored == element ? value : b.trunc(value, element));
  });
  return out;
}

} // namespace quern::lowering
