//===- InferLayouts.cpp - Gives every tile a layout -----------------------===//
#include "lowering/tile/BlockShape.h"
#include "lowering/tile/Passes.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/MapVector.h"

#include <map>
#include <optional>

using namespace mlir;

namespace quern::lowering {

using tile::Layout;

#define GEN_PASS_DEF_TILEINFERLAYOUTSPASS
#include "lowering/tile/Passes.h.inc"

namespace {

/// A tile in registers.
bool isTile(Value value) {
  return llvm::isa<RankedTensorType>(value.getType()) && !tile::sharedSpan(value.getType());
}
RankedTensorType tileType(Value value) { return llvm::cast<RankedTensorType>(value.getType()); }

/// Values that share one layout.
struct ValueClass {
  SmallVector<Value> values;
  std::optional<Layout> layout;
  unsigned memoryBits = 0; ///< narrowest element that a load or store of the class moves; 0 for none
  bool isLoaded = false;
  bool feedsAtom = false;
  bool feedsBroadcast = false;
};

struct TileInferLayoutsPass : impl::TileInferLayoutsPassBase<TileInferLayoutsPass> {
  void runOnOperation() override {
    FailureOr<BlockShape> shape = BlockShape::of(getOperation());
    if (failed(shape))
      return signalPassFailure();
    block = *shape;
    classes.clear();
    classOf.clear();
    formClasses();
    solve();
    insertRelayouts();
    for (auto &[value, index] : classOf)
      value.setType(tile::withLayout(tileType(value), *classes[index].layout));
  }

  /// Elementwise operations, loops and branches tie their tiles together.
  void formClasses() {
    llvm::EquivalenceClasses<void *> tied;
    SmallVector<Value> all;
    auto add = [&](Value v) {
      if (isTile(v)) {
        tied.insert(v.getAsOpaquePointer());
        all.push_back(v);
      }
    };
    auto tie = [&](Value a, Value b) {
      if (isTile(a) && isTile(b))
        tied.unionSets(a.getAsOpaquePointer(), b.getAsOpaquePointer());
    };
    getOperation().walk([&](Operation *op) {
      for (Region &region : op->getRegions())
        for (Block &b : region)
          llvm::for_each(b.getArguments(), add);
      llvm::for_each(op->getResults(), add);
    });
    getOperation().walk([&](Operation *op) {
      if (auto loop = llvm::dyn_cast<scf::ForOp>(op)) {
        for (auto [init, arg, yielded, result] : llvm::zip(loop.getInitArgs(), loop.getRegionIterArgs(),
                                                           loop.getYieldedValues(), loop.getResults())) {
          tie(init, arg);
          tie(arg, yielded);
          tie(arg, result);
        }
      } else if (auto branch = llvm::dyn_cast<scf::IfOp>(op)) {
        for (auto [i, result] : llvm::enumerate(branch.getResults())) {
          tie(branch.thenYield().getOperand(i), result);
          tie(branch.elseYield().getOperand(i), result);
        }
      } else if (auto gather = llvm::dyn_cast<tile::GatherOp>(op)) {
        for (Value index : gather.getIndices())
          tie(index, gather.getTile());
      } else if (auto scatter = llvm::dyn_cast<tile::ScatterOp>(op)) {
        for (Value index : scatter.getIndices())
          tie(index, scatter.getTile());
      } else if (auto mma = llvm::dyn_cast<tile::MmaOp>(op)) {
        tie(mma.getAccumulator(), mma.getTile());
      } else if (auto pairs = llvm::dyn_cast<tile::DotPairsOp>(op)) {
        tie(pairs.getAccumulator(), pairs.getTile());
      } else if (isElementwise(op)) {
        for (Value operand : op->getOperands())
          tie(operand, op->getResult(0));
      }
    });
    std::map<void *, unsigned> indexOfLeader;
    for (Value value : all) {
      void *leader = *tied.findLeader(value.getAsOpaquePointer());
      auto [it, isNew] = indexOfLeader.try_emplace(leader, classes.size());
      if (isNew)
        classes.emplace_back();
      ValueClass &c = classes[it->second];
      c.values.push_back(value);
      classOf[value] = it->second;
      if (const Layout *given = tile::getLayout(value.getType()))
        c.layout = *given;
      // Strict: the accumulator of an atom.
      if (auto step = value.getDefiningOp<tile::MmaOp>())
        if (std::optional<AtomTiling> tiling = block.tilingOf(step))
          c.layout = tiling->accumulator;
      noteMemory(c, value);
    }
  }

  static bool isElementwise(Operation *op) {
    return op->getNumResults() == 1 && isTile(op->getResult(0)) &&
           !llvm::isa<tile::SplatOp, tile::IotaOp, tile::BroadcastOp, tile::ReduceOp, tile::LoadOp,
                      tile::RelayoutOp, tile::DotPairsOp, scf::ForOp, scf::IfOp>(op);
  }

  void noteMemory(ValueClass &c, Value value) {
    auto note = [&](unsigned bits) { c.memoryBits = c.memoryBits ? std::min(c.memoryBits, bits) : bits; };
    unsigned bits = tileType(value).getElementTypeBitWidth();
    if (value.getDefiningOp<tile::LoadOp>() || value.getDefiningOp<tile::GatherOp>())
      note(bits);
    if (Operation *op = value.getDefiningOp())
      c.isLoaded |= llvm::isa<tile::LoadOp, tile::GatherOp>(op);
    for (OpOperand &use : value.getUses())
      c.feedsAtom |= isFragment(use);
    for (Operation *user : value.getUsers()) {
      if (llvm::isa<tile::StoreOp, tile::ScatterOp>(user))
        note(bits);
      c.feedsBroadcast |= llvm::isa<tile::BroadcastOp, tile::MmaOp>(user);
    }
  }

  /// The layout that |use| asks of its operand once its own class is solved; empty where it takes any.
  std::optional<Layout> demand(OpOperand &use) {
    Operation *op = use.getOwner();
    if (auto broadcast = llvm::dyn_cast<tile::BroadcastOp>(op)) {
      const std::optional<Layout> &result = classes[classOf[broadcast.getTile()]].layout;
      if (!result)
        return std::nullopt;
      return result->project(std::vector<unsigned>(broadcast.getDims().begin(), broadcast.getDims().end()));
    }
    if (auto mma = llvm::dyn_cast<tile::MmaOp>(op)) {
      const std::optional<Layout> &result = classes[classOf[mma.getTile()]].layout;
      if (!result)
        return std::nullopt;
      if (std::optional<AtomTiling> tiling = block.tilingOf(mma)) {
        if (use.getOperandNumber() == 0)
          return tiling->a;
        if (use.getOperandNumber() == 1)
          return mma.getBRowsAreK() ? tiling->b.project({1, 0}) : tiling->b;
      }
      int32_t k = tileType(mma.getA()).getDimSize(1);
      if (use.get() == mma.getA() && use.getOperandNumber() == 0)
        return result->project({0}).insertRegisterDim(1, k);
      if (use.getOperandNumber() == 1)
        return result->project({1}).insertRegisterDim(mma.getBRowsAreK() ? 0 : 1, k);
      if (use.getOperandNumber() > 2)
        return result->project({use.getOperandNumber() == 3 ? 0u : 1u});
    }
    return std::nullopt;
  }

  /// True for an operand that an atom multiplies.
  static bool isFragment(OpOperand &use) {
    auto mma = llvm::dyn_cast<tile::MmaOp>(use.getOwner());
    return mma && mma.getAtom() && use.getOperandNumber() < 2;
  }

  /// True where one SIMD load serves all lanes: the operand is read in the layout that the atom wants.
  bool isBroadcast(const Layout &layout) const { return block.simd && layout.lanesAreReplicated(); }

  /// The layout of |value|: of its class, or that of a relayout which was inserted since.
  std::optional<Layout> layoutOf(Value value) {
    auto it = classOf.find(value);
    if (it != classOf.end())
      return classes[it->second].layout;
    const Layout *given = tile::getLayout(value.getType());
    return given ? std::optional(*given) : std::nullopt;
  }

  /// What a reduction leaves; empty for other values or where the operand is not solved.
  std::optional<Layout> leftByReduction(Value value) {
    auto reduce = value.getDefiningOp<tile::ReduceOp>();
    if (!reduce)
      return std::nullopt;
    std::optional<Layout> operand = layoutOf(reduce.getOperand());
    if (!operand)
      return std::nullopt;
    std::vector<unsigned> kept;
    for (unsigned d = 0; d < operand->rank(); ++d)
      if (d != reduce.getDim())
        kept.push_back(d);
    return operand->project(kept);
  }

  void solve() {
    SmallVector<unsigned> order;
    for (unsigned i = 0; i < classes.size(); ++i)
      order.push_back(i);
    llvm::sort(order, [&](unsigned a, unsigned b) {
      int64_t rankA = tileType(classes[a].values[0]).getRank(),
              rankB = tileType(classes[b].values[0]).getRank();
      return rankA != rankB ? rankA > rankB : a < b;
    });
    // Classes that a solved neighbour decides come before those that are free to choose; each choice may
    // decide others of the same rank (the operands of an mma).
    for (int64_t rank = order.empty() ? -1 : tileType(classes[order[0]].values[0]).getRank(); rank >= 0;
         --rank) {
      while (true) {
        bool decided = false;
        unsigned open = classes.size();
        for (unsigned index : order) {
          ValueClass &c = classes[index];
          if (c.layout || tileType(c.values[0]).getRank() != rank)
            continue;
          if ((c.layout = decide(c)))
            decided = true;
          else if (open == classes.size() || (classes[open].feedsBroadcast && !c.feedsBroadcast))
            open = index;
        }
        if (decided)
          continue;
        if (open == classes.size())
          break;
        ValueClass &c = classes[open];
        RankedTensorType type = tileType(c.values[0]);
        unsigned bits = c.memoryBits ? c.memoryBits : 32;
        c.layout = c.feedsAtom ? block.operandLayout(tile::shapeOf(type), bits)
                               : block.memoryLayout(tile::shapeOf(type), bits);
      }
    }
  }

  std::optional<Layout> decide(const ValueClass &c) {
    for (Value value : c.values)
      for (OpOperand &use : value.getUses())
        if (std::optional<Layout> wanted = demand(use))
          if (!(c.isLoaded && isFragment(use)) || isBroadcast(*wanted))
            return wanted;
    for (Value value : c.values)
      if (std::optional<Layout> left = leftByReduction(value)) {
        // Nothing needs the replicas that a sum over lanes leaves: spread the tile over the lanes again.
        bool spread = !c.feedsBroadcast && left->lanesAreReplicated() && tileType(value).getNumElements() > 1;
        if (!spread)
          return left;
      }
    return std::nullopt;
  }

  void insertRelayouts() {
    SmallVector<std::pair<OpOperand *, Layout>> edges;
    for (ValueClass &c : classes)
      for (Value value : c.values)
        for (OpOperand &use : value.getUses())
          if (std::optional<Layout> wanted = demand(use); wanted && *wanted != *c.layout)
            edges.push_back({&use, *wanted});
    for (auto &[use, wanted] : edges) {
      OpBuilder builder(use->getOwner());
      Value value = use->get();
      auto type = tile::withLayout(tileType(value), wanted);
      use->set(tile::RelayoutOp::create(builder, value.getLoc(), type, value));
      ++numRelayouts;
    }
    for (auto &[value, index] : classOf) {
      std::optional<Layout> left = leftByReduction(value);
      if (!left || *left == *classes[index].layout)
        continue;
      OpBuilder builder(value.getContext());
      builder.setInsertionPointAfterValue(value);
      auto reduced = llvm::cast<tile::ReduceOp>(value.getDefiningOp());
      auto fresh = tile::ReduceOp::create(builder, value.getLoc(), tile::withLayout(tileType(value), *left),
                                          reduced.getKind(), reduced.getOperand(), reduced.getDim());
      auto relayout = tile::RelayoutOp::create(builder, value.getLoc(),
                                               tile::withLayout(tileType(value), *classes[index].layout),
                                               fresh.getTile());
      value.replaceAllUsesWith(relayout);
      replaced.push_back(reduced);
      ++numRelayouts;
    }
    for (Operation *op : replaced) {
      classOf.erase(op->getResult(0));
      op->erase();
    }
    replaced.clear();
  }

  BlockShape block;
  SmallVector<ValueClass> classes;
  llvm::MapVector<Value, unsigned> classOf;
  SmallVector<Operation *> replaced;
};

} // namespace
} // namespace quern::lowering
