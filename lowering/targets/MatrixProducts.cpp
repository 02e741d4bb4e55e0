//===- MatrixProducts.cpp - mma steps on matrix units and ordinary pipes ---===//
#include "lowering/targets/KernelLowering.h"

#include <map>

using namespace mlir;
using quern::tile::Coordinate;

namespace quern::lowering {

SmallVector<Value> TargetLowering::matrixMultiply(LaneBuilder &, const tile::MmaAtom &, ArrayRef<Value>,
                                                  ArrayRef<Value>, ArrayRef<Value>) {
  return {};
}

LogicalResult KernelLowering::lowerMma(tile::MmaOp op) {
  if (op.getAtom() && tile::sharedSpan(op.getA().getType()))
    return multiplyShared(op);
  return op.getAtom() ? multiplyByAtoms(op) : multiplyByRegisters(op);
}

namespace {

/// The registers of one operand that one instruction takes, in the order of the fragment.
struct FragmentReader {
  const tile::Layout &fragment;
  std::map<Coordinate, int32_t> registers; ///< register part in the tile -> register
  bool swapped = false;                    ///< the tile is the transpose of what the fragment covers

  int32_t at(int32_t element, int32_t outer, int32_t inner) const {
    Coordinate part = fragment.registerPart(element);
    part[0] += outer;
    part[1] += inner;
    if (swapped)
      std::swap(part[0], part[1]);
    return registers.at(part);
  }
};

} // namespace

SmallVector<int32_t> instructionStarts(const tile::Layout &layout, unsigned dim, int32_t size) {
  std::set<int32_t> starts;
  for (int32_t r = 0, n = layout.numRegisters(); r < n; ++r)
    starts.insert(layout.registerPart(r)[dim] / size * size);
  return {starts.begin(), starts.end()};
}

KernelLowering::Promotion KernelLowering::promotionOf(tile::MmaOp op, const tile::Layout &accumulator) {
  if (!op.getScaleA())
    return {};
  return [this, op, &accumulator, rows = registersByPart(layoutOf(op.getScaleA())),
          columns = registersByPart(layoutOf(op.getScaleB()))](int32_t place, Value sum,
                                                               Value total) mutable {
    Coordinate at = accumulator.registerPart(place);
    Value scale = b.fmul(tiles[op.getScaleA()][rows.at({at[0]})], tiles[op.getScaleB()][columns.at({at[1]})]);
    return b.fma(sum, scale, total);
  };
}

/// Each instruction's operands are packed into 32-bit words, element 0 in the lowest bits. With scales a sum
/// starts at zero for each instruction's place in the accumulator and is promoted when k is done, so that it
/// takes the registers of one instruction only.
LogicalResult KernelLowering::multiplyByAtoms(tile::MmaOp op) {
  AtomTiling tiling = *block.tilingOf(op);
  const tile::MmaAtom &atom = *tiling.atom;
  FragmentReader a{atom.a.layout, registersByPart(tiling.a)},
      c{atom.c.layout, registersByPart(tiling.accumulator)};
  FragmentReader w{atom.b.layout, registersByPart(layoutOf(op.getB())), op.getBRowsAreK()};
  const Registers aIn = tiles[op.getA()], bIn = tiles[op.getB()];
  auto words = [&](const FragmentReader &reader, const Registers &from, int32_t perWord, int32_t outer,
                   int32_t inner) {
    SmallVector<Value> packed;
    for (int32_t e = 0, n = reader.fragment.numRegisters(); e < n; e += perWord) {
      SmallVector<Value> elements;
      for (int32_t i = 0; i < perWord; ++i)
        elements.push_back(from[reader.at(e + i, outer, inner)]);
      packed.push_back(b.packWord(elements));
    }
    return packed;
  };
  SmallVector<int32_t> depths = instructionStarts(tiling.a, 1, atom.k);
  // The fragments of a row of instructions are packed once.
  std::map<std::pair<int32_t, int32_t>, SmallVector<Value>> aWords, bWords;
  auto packedOnce = [&](auto &cache, const FragmentReader &reader, const Registers &from, int32_t perWord,
                        int32_t outer, int32_t inner) -> ArrayRef<Value> {
    auto [it, isNew] = cache.try_emplace({outer, inner});
    if (isNew)
      it->second = words(reader, from, perWord, outer, inner);
    return it->second;
  };
  const Promotion promote = promotionOf(op, tiling.accumulator);
  Registers out = tiles[op.getAccumulator()];
  for (int32_t m : instructionStarts(tiling.accumulator, 0, atom.m))
    for (int32_t n : instructionStarts(tiling.accumulator, 1, atom.n)) {
      SmallVector<int32_t> places;
      SmallVector<Value> sum;
      for (int32_t e = 0, count = atom.c.layout.numRegisters(); e < count; ++e) {
        places.push_back(c.at(e, m, n));
        sum.push_back(promote ? b.spread(b.f32(0)) : out[places.back()]);
      }
      for (int32_t k : depths) {
        sum = target.matrixMultiply(b, atom, packedOnce(aWords, a, aIn, atom.a.elementsPerWord(), m, k),
                                    packedOnce(bWords, w, bIn, atom.b.elementsPerWord(), n, k), sum);
        if (sum.empty())
          return op.emitOpError("has the atom `") << atom.name << "`, which the target cannot emit";
      }
      for (auto [e, place] : llvm::enumerate(places))
        out[place] = promote ? promote(place, sum[e], out[place]) : sum[e];
    }
  tiles[op.getTile()] = std::move(out);
  return success();
}

LogicalResult KernelLowering::lowerDotPairs(tile::DotPairsOp op) {
  const tile::Layout &operands = layoutOf(op.getA()), &sums = layoutOf(op.getTile());
  std::map<Coordinate, int32_t> at = registersByPart(operands);
  const Registers aIn = tiles[op.getA()], bIn = tiles[op.getB()];
  Registers out = tiles[op.getAccumulator()];
  for (int32_t r = 0, n = sums.numRegisters(); r < n; ++r) {
    Coordinate first = sums.registerPart(r);
    first.back() *= 2;
    Coordinate second = first;
    ++second.back();
    auto word = [&](const Registers &in) { return b.packWord({in[at.at(first)], in[at.at(second)]}); };
    out[r] = target.dotPairs(b, word(aIn), word(bIn), out[r]);
    if (!out[r])
      return op.emitOpError("multiplies pairs, which the target cannot");
  }
  tiles[op.getTile()] = std::move(out);
  return success();
}

/// Contraction over registers: the layouts of the operands hold all of K in each lane that needs it.
LogicalResult KernelLowering::multiplyByRegisters(tile::MmaOp op) {
  const tile::Layout &result = layoutOf(op.getTile());
  bool bRowsAreK = op.getBRowsAreK();
  auto toF32 = [&](Value tileValue) {
    Registers out;
    for (Value v : tiles[tileValue])
      out.push_back(convert(v, elementOf(tileValue), b.getF32Type()));
    return out;
  };
  Registers a = toF32(op.getA()), w = toF32(op.getB());
  std::map<Coordinate, int32_t> aRegister = registersByPart(layoutOf(op.getA())),
                                bRegister = registersByPart(layoutOf(op.getB()));
  int32_t k = layoutOf(op.getA()).shape()[1];
  const Registers in = tiles[op.getAccumulator()];
  Registers out;
  for (int32_t r = 0, n = result.numRegisters(); r < n; ++r) {
    Coordinate at = result.registerPart(r);
    auto product = [&](int32_t i) {
      Value x = a[aRegister.at({at[0], i})];
      Value y = w[bRegister.at(bRowsAreK ? Coordinate{i, at[1]} : Coordinate{at[1], i})];
      return std::pair{x, y};
    };
    Value sum = op.getScaleA() ? Value() : in[r];
    for (int32_t i = 0; i < k; ++i) {
      auto [x, y] = product(i);
      sum = sum ? b.fma(x, y, sum) : b.fmul(x, y);
    }
    if (op.getScaleA()) {
      std::map<Coordinate, int32_t> sa = registersByPart(layoutOf(op.getScaleA())),
                                    sb = registersByPart(layoutOf(op.getScaleB()));
      Value scale = b.fmul(tiles[op.getScaleA()][sa.at({at[0]})], tiles[op.getScaleB()][sb.at({at[1]})]);
      sum = b.fma(sum, scale, in[r]);
    }
    out.push_back(sum);
  }
  tiles[op.getTile()] = std::move(out);
  return success();
}

} // namespace quern::lowering
