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
  target.barrier(b);
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
  target.barrier(b);
  Registers out;
  access(to, [&](int32_t, const Address &at, bool contiguous) {
    Value value = loadLanes(at, stored, 1, contiguous);
    out.push_back(stored == element ? value : b.trunc(value, element));
  });
  return out;
}

} // namespace quern::lowering
