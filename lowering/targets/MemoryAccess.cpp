//===- MemoryAccess.cpp - Loads and stores of tiles -----------------------===//
//
// An address is split in a part that is the same for all lanes (offsets, register coordinates) and a part
// that each lane adds. Bounds are checked only where divisibility does not prove them. A load outside of the
// view reads the view's first element in its place and drops it, which needs no branch; a store is skipped.
//
//===----------------------------------------------------------------------===//
#include "lowering/targets/KernelLowering.h"
#include "lowering/tile/DroppedElements.h"
#include "lowering/tile/IndexFacts.h"

using namespace mlir;

namespace quern::lowering {

//===----------------------------------------------------------------------===//
// Addresses
//===----------------------------------------------------------------------===//

KernelLowering::Access KernelLowering::planAccess(Operation *at, tile::ViewOp view, OperandRange offsets,
                                                  const tile::Layout &layout, Type element) {
  Access access{view,  layout, storageType(element), unsigned(offsets.size()) - layout.rank(), {}, {}, {}, {},
                false, {}};
  access.anyOutside.assign(offsets.size(), false);
  for (unsigned d = 0; d < offsets.size(); ++d) {
    access.offsets.push_back(scalars.lookup(offsets[d]));
    bool inTile = d >= access.lead;
    access.lanes.push_back(inTile ? lanePart(layout, d - access.lead) : Value());
    access.check.push_back(
        !isInside(offsets[d], inTile ? layout.shape()[d - access.lead] : 1, view.getSizes()[d], at));
  }
  bool denseLast = view.getStrides().empty() || constantOf(view.getStrides().back()) == 1;
  access.contiguous = b.simd() && denseLast && layout.lanesAreContiguous();
  for (int32_t r = 0, n = layout.numRegisters(); r < n; ++r)
    access.parts.push_back(layout.registerPart(r));
  return access;
}

Value KernelLowering::strideOf(tile::ViewOp view, unsigned d) {
  if (!view.getStrides().empty())
    return b.toI64(scalars.lookup(view.getStrides()[d]));
  Value stride = b.i64(1);
  for (unsigned e = d + 1; e < view.getSizes().size(); ++e)
    stride = b.mul(stride, b.toI64(scalars.lookup(view.getSizes()[e])));
  return stride;
}

static Value both(LaneBuilder &b, Value a, Value c) { return !a ? c : !c ? a : b.andI(a, c); }

KernelLowering::Address KernelLowering::address(const Access &access, int32_t reg, bool clamp) {
  Address at;
  Value uniform = b.i64(0), lanes;
  for (unsigned d = 0; d < access.offsets.size(); ++d) {
    Value coordinate = access.offsets[d];
    if (d >= access.lead)
      coordinate = b.add(coordinate, b.i32(access.parts[reg][d - access.lead]));
    tile::ViewOp view = access.view;
    Value size = scalars.lookup(view.getSizes()[d]);
    Value stride = strideOf(view, d);
    bool isLast = d + 1 == access.offsets.size();
    if (Value part = access.lanes[d]) {
      if (access.check[d]) {
        Value each = b.add(coordinate, part);
        Value inside = b.icmp(LLVM::ICmpPredicate::ult, each, size), before = at.laneCondition;
        at.laneCondition = both(b, at.laneCondition, inside);
        // Contiguous SIMD lanes use masked accesses instead of reading elsewhere.
        if (clamp && !(access.contiguous && isLast)) {
          if (access.anyOutside[d])
            at.laneCondition = before;
          each = b.select(inside, each, b.constantLike(each, int64_t(0)));
          Value term = b.mul(b.toI64(each), stride);
          lanes = lanes ? b.add(lanes, term) : term;
          continue;
        }
      }
      if (!(access.contiguous && isLast)) {
        Value term = b.mul(b.toI64(part), stride);
        lanes = lanes ? b.add(lanes, term) : term;
      }
    } else if (access.check[d]) {
      Value inside = b.icmp(LLVM::ICmpPredicate::ult, coordinate, size);
      if (!access.anyOutside[d])
        at.uniformCondition = both(b, at.uniformCondition, inside);
      if (clamp)
        coordinate = b.select(inside, coordinate, b.i32(0));
    }
    uniform = b.add(uniform, b.mul(b.toI64(coordinate), stride));
  }
  tile::ViewOp view = access.view;
  at.pointer = b.gep(scalars.lookup(view.getBase()), access.element, uniform);
  if (lanes)
    at.pointer = b.gep(at.pointer, access.element, lanes);
  return at;
}

/// Elements that one access of a lane may move: bounded by the layout, by 16 bytes and by what is known to be
/// aligned. Pointers that are passed to kernels are aligned to 16 bytes.
int32_t KernelLowering::accessWidth(const Access &access, Value offset) {
  unsigned bytes = (access.element.getIntOrFloatBitWidth() + 7) / 8;
  return b.simd() ? 1 : alignedWidth(access, offset, block.vectorBytes / int32_t(bytes));
}

int32_t KernelLowering::alignedWidth(const Access &access, Value offset, int32_t limit) {
  tile::ViewOp view = access.view;
  unsigned last = view.getSizes().size() - 1;
  return alignedRun(view, offset, access.check[last], std::min<int32_t>(access.layout.vectorWidth(), limit));
}

//===----------------------------------------------------------------------===//
// Loads and stores
//===----------------------------------------------------------------------===//

/// |width| neighbours of one lane (GPUs), or one lane value (SIMD).
Value KernelLowering::loadLanes(const Address &at, Type element, int32_t width, bool contiguous) {
  unsigned bytes = std::max(1u, element.getIntOrFloatBitWidth() / 8);
  if (!b.simd())
    return b.load(at.pointer, width > 1 ? Type(VectorType::get({width}, element)) : element, bytes * width);
  Type type = b.laneType(element);
  if (contiguous) {
    if (!at.laneCondition)
      return b.load(at.pointer, type, bytes);
    return LLVM::MaskedLoadOp::create(b, b.loc, type, at.pointer, b.spread(at.laneCondition), b.zero(type),
                                      bytes);
  }
  if (!LaneBuilder::isVector(at.pointer))
    return b.spread(b.load(at.pointer, element, bytes));
  return LLVM::masked_gather::create(b, b.loc, type, at.pointer, b.spread(b.i1(true)), b.zero(type), bytes);
}

LogicalResult KernelLowering::lowerLoad(tile::LoadOp op) {
  auto view = op.getView().getDefiningOp<tile::ViewOp>();
  if (!view)
    return op.emitOpError("loads from a view that is not a `tile.view`");
  const tile::Layout &layout = layoutOf(op.getTile());
  Access access = planAccess(op, view, op.getOffsets(), layout, elementOf(op.getTile()));
  for (unsigned d = access.lead; d < op.getOffsets().size(); ++d)
    access.anyOutside[d] = access.check[d] && outsideIsDropped(op.getTile(), d - access.lead,
                                                               op.getOffsets()[d], view.getSizes()[d]);
  int32_t width = accessWidth(access, op.getOffsets().back());
  // SIMD lanes that hold neighbours, or all the same ones, load them as one integer.
  const unsigned bits = std::max(8u, access.element.getIntOrFloatBitWidth());
  if (b.simd() && bits < 32)
    width = alignedWidth(access, op.getOffsets().back(), int32_t(32 / bits));
  const bool words = b.simd() && width > 1 && layout.lanesHoldWords(width);
  if (words)
    access.contiguous = !layout.lanesAreReplicated();
  else if (b.simd())
    width = 1;
  Registers out;
  for (int32_t r = 0, n = layout.numRegisters(); r < n; r += width) {
    Address at = address(access, r, /*clamp=*/true);
    Value loaded = words ? loadLanes(at, b.getIntegerType(bits * unsigned(width)), 1, access.contiguous)
                         : loadLanes(at, access.element, width, access.contiguous);
    // A masked load has already left zeros.
    bool masked = access.contiguous && at.laneCondition;
    Value inside = masked ? at.uniformCondition : both(b, at.uniformCondition, at.laneCondition);
    if (inside)
      loaded = b.select(inside, loaded, b.zero(loaded.getType()));
    if (words)
      b.unpackWord(loaded, access.element, out);
    else if (b.simd())
      out.push_back(loaded);
    else
      b.split(loaded, out);
  }
  tiles[op.getTile()] = std::move(out);
  return success();
}

void KernelLowering::storeLanes(const Address &at, Value value, Type element, Value replicas,
                                bool contiguous) {
  unsigned bytes = std::max(1u, element.getIntOrFloatBitWidth() / 8);
  if (!b.simd()) {
    unsigned count =
        LaneBuilder::isVector(value) ? llvm::cast<VectorType>(value.getType()).getNumElements() : 1;
    Value condition = both(b, both(b, at.uniformCondition, at.laneCondition), replicas);
    auto emitStore = [&] { b.store(value, at.pointer, bytes * count); };
    return condition ? b.ifThen(condition, emitStore) : emitStore();
  }
  auto emitStore = [&] {
    Value lanesMask = both(b, at.laneCondition, replicas);
    if (contiguous) {
      if (!lanesMask)
        b.store(value, at.pointer, bytes);
      else
        LLVM::MaskedStoreOp::create(b, b.loc, value, at.pointer, b.spread(lanesMask), bytes);
    } else if (!LaneBuilder::isVector(at.pointer)) {
      b.store(b.first(value), at.pointer, bytes);
    } else {
      LLVM::masked_scatter::create(b, b.loc, value, at.pointer, b.spread(lanesMask ? lanesMask : b.i1(true)),
                                   bytes);
    }
  };
  if (at.uniformCondition)
    b.ifThen(at.uniformCondition, emitStore);
  else
    emitStore();
}

LogicalResult KernelLowering::lowerStore(tile::StoreOp op) {
  auto view = op.getView().getDefiningOp<tile::ViewOp>();
  if (!view)
    return op.emitOpError("stores to a view that is not a `tile.view`");
  const tile::Layout &layout = layoutOf(op.getTile());
  Access access = planAccess(op, view, op.getOffsets(), layout, elementOf(op.getTile()));
  int32_t width = accessWidth(access, op.getOffsets().back());
  const Registers &in = tiles[op.getTile()];
  Value replicas = oneReplica(layout);
  for (int32_t r = 0, n = layout.numRegisters(); r < n; r += width) {
    Value value = b.join(ArrayRef(in).slice(r, width));
    storeLanes(address(access, r, /*clamp=*/false), value, access.element, replicas, access.contiguous);
  }
  return success();
}

/// The address of the element at |indices| (scalars or lane values), each checked against the view.
KernelLowering::Address KernelLowering::addressOf(tile::ViewOp view, ArrayRef<Value> indices) {
  Address at;
  Value uniform = b.i64(0), lanes;
  for (unsigned d = 0; d < indices.size(); ++d) {
    Value index = indices[d];
    Value inside = b.icmp(LLVM::ICmpPredicate::ult, index, scalars.lookup(view.getSizes()[d]));
    index = b.select(inside, index, b.constantLike(index, int64_t(0)));
    Value term = b.mul(b.toI64(index), strideOf(view, d));
    if (LaneBuilder::isVector(index)) {
      lanes = lanes ? b.add(lanes, term) : term;
      at.laneCondition = both(b, at.laneCondition, inside);
    } else {
      uniform = b.add(uniform, term);
      at.uniformCondition = both(b, at.uniformCondition, inside);
    }
  }
  Type element = storageType(view.getView().getType().getElementType());
  at.pointer = b.gep(scalars.lookup(view.getBase()), element, uniform);
  if (lanes)
    at.pointer = b.gep(at.pointer, element, lanes);
  return at;
}

/// Elements that one access of a gather or scatter may move: as `accessWidth`, where rows are contiguous.
int32_t KernelLowering::gatherWidth(tile::ViewOp view, OperandRange indices, const tile::Layout &layout,
                                    Type element) {
  Value offset = b.simd() ? Value() : columnOffset(indices, layout.rank());
  if (!offset)
    return 1;
  Access access{view, layout, element, 0, {}, {}, {}, {}, false, {}};
  access.check.assign(indices.size(), true);
  return accessWidth(access, offset);
}

/// The indices of register |reg|, scalars or lane values.
SmallVector<Value> KernelLowering::indicesAt(OperandRange indices, int32_t reg, bool same) {
  SmallVector<Value> values;
  for (Value index : indices) {
    auto it = tiles.find(index);
    Value value = it == tiles.end() ? scalars.lookup(index) : it->second[reg];
    values.push_back(same ? b.first(value) : value);
  }
  return values;
}

LogicalResult KernelLowering::lowerGather(tile::GatherOp op) {
  auto view = op.getView().getDefiningOp<tile::ViewOp>();
  if (!view)
    return op.emitOpError("gathers from a view that is not a `tile.view`");
  const tile::Layout &layout = layoutOf(op.getTile());
  Type element = storageType(elementOf(op.getTile()));
  int32_t width = gatherWidth(view, op.getIndices(), layout, element);
  Registers out;
  for (int32_t r = 0, n = layout.numRegisters(); r < n; r += width) {
    Address at = addressOf(view, indicesAt(op.getIndices(), r, layout.lanesAreReplicated()));
    Value value = loadLanes(at, element, width, /*contiguous=*/false);
    if (Value inside = both(b, at.uniformCondition, at.laneCondition))
      value = b.select(inside, value, b.zero(value.getType()));
    if (b.simd())
      out.push_back(value);
    else
      b.split(value, out);
  }
  tiles[op.getTile()] = std::move(out);
  return success();
}

LogicalResult KernelLowering::lowerScatter(tile::ScatterOp op) {
  auto view = op.getView().getDefiningOp<tile::ViewOp>();
  if (!view)
    return op.emitOpError("scatters to a view that is not a `tile.view`");
  const tile::Layout &layout = layoutOf(op.getTile());
  Type element = storageType(elementOf(op.getTile()));
  int32_t width = gatherWidth(view, op.getIndices(), layout, element);
  const Registers in = tiles[op.getTile()];
  Value replicas = oneReplica(layout);
  for (int32_t r = 0, n = layout.numRegisters(); r < n; r += width) {
    Address at = addressOf(view, indicesAt(op.getIndices(), r, layout.lanesAreReplicated()));
    storeLanes(at, b.join(ArrayRef(in).slice(r, width)), element, replicas, /*contiguous=*/false);
  }
  return success();
}

LogicalResult KernelLowering::lowerLoadScalar(tile::LoadScalarOp op) {
  auto view = op.getView().getDefiningOp<tile::ViewOp>();
  if (!view)
    return op.emitOpError("loads from a view that is not a `tile.view`");
  Value uniform = b.i64(0);
  for (unsigned d = 0; d < op.getOffsets().size(); ++d)
    uniform = b.add(uniform, b.mul(b.toI64(scalars.lookup(op.getOffsets()[d])), strideOf(view, d)));
  Type element = storageType(op.getValue().getType());
  Value pointer = b.gep(scalars.lookup(view.getBase()), element, uniform);
  scalars[op.getValue()] = b.load(pointer, element, element.getIntOrFloatBitWidth() / 8);
  return success();
}

} // namespace quern::lowering
