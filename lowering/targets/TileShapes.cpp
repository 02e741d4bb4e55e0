//===- TileShapes.cpp - Reductions and broadcasts ------------===//
#include "lowering/targets/KernelLowering.h"

using namespace mlir;
using quern::tile::Coordinate;
using quern::tile::Hardware;

namespace quern::lowering {

static bool isZero(const Coordinate &basis) {
  return llvm::all_of(basis, [](int32_t x) { return x == 0; });
}

std::map<Coordinate, int32_t> registersByPart(const tile::Layout &layout) {
  std::map<Coordinate, int32_t> map;
  for (int32_t r = 0, n = layout.numRegisters(); r < n; ++r)
    map.emplace(layout.registerPart(r), r);
  return map;
}

Value KernelLowering::lanePart(const tile::Layout &layout, unsigned dim) {
  Value sum;
  auto addTerm = [&](Value term) { sum = sum ? b.add(sum, term) : term; };
  if (b.simd()) {
    SmallVector<int32_t> values;
    bool any = false;
    for (int32_t l = 0; l < block.lanes; ++l) {
      int32_t part = 0;
      for (size_t bit = 0; bit < layout.bases(Hardware::Lane).size(); ++bit)
        if (l >> bit & 1)
          part ^= layout.bases(Hardware::Lane)[bit][dim];
      values.push_back(part);
      any |= part != 0;
    }
    return any ? b.laneConstants(values) : Value();
  }
  for (auto [index, hardware] : {std::pair{lane, Hardware::Lane}, std::pair{warp, Hardware::Warp}}) {
    const auto &bases = layout.bases(hardware);
    // Runs of bits whose bases double are one masked shift.
    for (size_t bit = 0; bit < bases.size();) {
      int32_t basis = bases[bit][dim];
      if (!basis) {
        ++bit;
        continue;
      }
      size_t end = bit + 1;
      while (end < bases.size() && bases[end][dim] == basis << (end - bit))
        ++end;
      int32_t mask = ((1 << (end - bit)) - 1) << bit;
      Value bits = b.andI(index, b.i32(mask));
      int32_t from = 1 << bit;
      addTerm(basis >= from ? b.mul(bits, b.i32(basis / from)) : b.lshr(bits, llvm::Log2_32(from / basis)));
      bit = end;
    }
  }
  return sum;
}

Value KernelLowering::oneReplica(const tile::Layout &layout) {
  auto replicaBits = [&](Hardware hardware) {
    int32_t mask = 0;
    for (size_t bit = 0; bit < layout.bases(hardware).size(); ++bit)
      if (isZero(layout.bases(hardware)[bit]))
        mask |= 1 << bit;
    return mask;
  };
  Value condition;
  for (auto [index, mask] :
       {std::pair{lane, replicaBits(Hardware::Lane)}, std::pair{warp, replicaBits(Hardware::Warp)}})
    if (mask) {
      Value bits = b.andI(index, b.constantLike(index, int64_t(mask)));
      Value first = b.icmp(LLVM::ICmpPredicate::eq, bits, b.constantLike(bits, int64_t(0)));
      condition = condition ? b.andI(condition, first) : first;
    }
  return condition;
}

Value KernelLowering::useShared(int64_t bytes) {
  // Whoever used the memory before must be done with it; the first use of all has nobody before it. What is
  // used beside rings lies behind them, so that nobody used it but another one of its kind.
  if (sharedUsed > ringBytes || loopDepth > 0)
    barrier();
  sharedUsed = std::max<int64_t>(sharedUsed, ringBytes + bytes);
  Value shared = target.sharedMemory(b);
  return ringBytes ? b.gep(shared, b.getI8Type(), b.i32(int32_t(ringBytes))) : shared;
}

//===----------------------------------------------------------------------===//
// Broadcast and iota
//===----------------------------------------------------------------------===//

void KernelLowering::lowerBroadcast(tile::BroadcastOp op) {
  const tile::Layout &from = layoutOf(op.getOperand()), &to = layoutOf(op.getTile());
  const Registers in = tiles[op.getOperand()];
  std::map<Coordinate, int32_t> source = registersByPart(from);
  Registers out;
  for (int32_t r = 0, n = to.numRegisters(); r < n; ++r) {
    Coordinate part = to.registerPart(r), kept;
    for (int64_t d : op.getDims())
      kept.push_back(part[d]);
    out.push_back(in[source.at(kept)]);
  }
  tiles[op.getTile()] = std::move(out);
}

void KernelLowering::lowerIota(tile::IotaOp op) {
  const tile::Layout &layout = layoutOf(op.getTile());
  Value lanes = lanePart(layout, op.getDim());
  Registers out;
  for (int32_t r = 0, n = layout.numRegisters(); r < n; ++r) {
    Value part = b.i32(layout.registerPart(r)[op.getDim()]);
    out.push_back(b.spread(lanes ? b.add(part, lanes) : part));
  }
  tiles[op.getTile()] = std::move(out);
}

//===----------------------------------------------------------------------===//
// Reduce
//===----------------------------------------------------------------------===//

Value KernelLowering::combine(tile::ReduceKind kind, Value x, Value y) {
  bool real = llvm::isa<FloatType>(LaneBuilder::elementType(x));
  switch (kind) {
  case tile::ReduceKind::Add:
    return real ? b.fadd(x, y) : b.add(x, y);
  case tile::ReduceKind::Max:
    return b.select(real ? b.fcmp(LLVM::FCmpPredicate::ogt, x, y) : b.icmp(LLVM::ICmpPredicate::sgt, x, y), x,
                    y);
  case tile::ReduceKind::Min:
    return b.select(real ? b.fcmp(LLVM::FCmpPredicate::olt, x, y) : b.icmp(LLVM::ICmpPredicate::slt, x, y), x,
                    y);
  }
  llvm_unreachable("all kinds are handled");
}

Value KernelLowering::shuffle(Value value, int32_t mask) {
  if (b.simd()) {
    SmallVector<int32_t> order;
    for (int32_t l = 0; l < block.lanes; ++l)
      order.push_back(l ^ mask);
    return LLVM::ShuffleVectorOp::create(b, b.loc, value, value, order);
  }
  Type type = value.getType();
  unsigned bits = type.getIntOrFloatBitWidth();
  if (bits == 64) {
    Value low = target.shuffleXor(b, b.trunc(value, b.getI32Type()), mask);
    Value high = target.shuffleXor(b, b.trunc(b.lshr(value, 32), b.getI32Type()), mask);
    return b.orI(b.zext(low, type), b.shl(b.zext(high, type), 32));
  }
  if (type.isF32())
    return b.bitcast(target.shuffleXor(b, b.bitcast(value, b.getI32Type()), mask), type);
  if (bits < 32)
    return b.trunc(target.shuffleXor(b, b.zext(value, b.getI32Type()), mask), type);
  return target.shuffleXor(b, value, mask);
}

LogicalResult KernelLowering::lowerReduce(tile::ReduceOp op) {
  const tile::Layout &from = layoutOf(op.getOperand()), &to = layoutOf(op.getTile());
  unsigned dim = op.getDim();
  for (unsigned h = 0; h < tile::numHardware; ++h)
    for (const Coordinate &basis : from.bases(Hardware(h)))
      if (basis[dim] && llvm::count_if(basis, [](int32_t x) { return x != 0; }) > 1)
        return op.emitOpError("reduces a dimension that shares a layout bit with another one");
  const Registers in = tiles[op.getOperand()];
  std::map<Coordinate, int32_t> target_ = registersByPart(to);
  Registers out(to.numRegisters());
  for (int32_t r = 0, n = from.numRegisters(); r < n; ++r) {
    Coordinate part = from.registerPart(r);
    part.erase(part.begin() + dim);
    Value &sum = out[target_.at(part)];
    sum = sum ? combine(op.getKind(), sum, in[r]) : in[r];
  }
  for (size_t bit = 0; bit < from.bases(Hardware::Lane).size(); ++bit)
    if (from.bases(Hardware::Lane)[bit][dim])
      for (Value &value : out)
        value = combine(op.getKind(), value, shuffle(value, 1 << bit));

  SmallVector<int32_t> warpBits;
  for (size_t bit = 0; bit < from.bases(Hardware::Warp).size(); ++bit)
    if (from.bases(Hardware::Warp)[bit][dim])
      warpBits.push_back(1 << bit);
  if (!warpBits.empty()) {
    // Every thread leaves its partial results and reads those of its partners in the order of their warps.
    Type element = storageType(elementOf(op.getTile()));
    unsigned bytes = std::max(1u, element.getIntOrFloatBitWidth() / 8);
    int32_t warps = from.numWarps(), lanes = from.numLanes();
    Value shared = useShared(int64_t(out.size()) * warps * lanes * bytes);
    auto slot = [&](int32_t reg, Value ofWarp) {
      Value index = b.add(b.mul(b.add(ofWarp, b.i32(reg * warps)), b.i32(lanes)), lane);
      return b.gep(shared, element, index);
    };
    for (size_t reg = 0; reg < out.size(); ++reg)
      b.store(out[reg], slot(reg, warp), bytes);
    barrier();
    int32_t mask = 0;
    for (int32_t bit : warpBits)
      mask |= bit;
    Value own = b.andI(warp, b.i32(~mask));
    for (size_t reg = 0; reg < out.size(); ++reg) {
      Value sum;
      for (int32_t i = 0; i < 1 << warpBits.size(); ++i) {
        int32_t partner = 0;
        for (size_t bit = 0; bit < warpBits.size(); ++bit)
          if (i >> bit & 1)
            partner |= warpBits[bit];
        Value value = b.load(slot(reg, b.orI(own, b.i32(partner))), element, bytes);
        sum = sum ? combine(op.getKind(), sum, value) : value;
      }
      out[reg] = sum;
    }
  }
  tiles[op.getTile()] = std::move(out);
  return success();
}

} // namespace quern::lowering
