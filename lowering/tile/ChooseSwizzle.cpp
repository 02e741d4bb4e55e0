//===- ChooseSwizzle.cpp - Where the slots of rings lie in memory ---------===//
//
// A slot is filled by one layout and read by others. The candidates are what copy engines compute (rows of
// 128, 64 and 32 bytes whose 16-byte pieces change places), rows as they are, and, for a slot that is written
// from registers, what the conversion of the writer's layout to the reader's would use. Each is counted by
// the bank rules of the target; the fewest clocks win, then the fewest instructions, then the order here.
//
//===----------------------------------------------------------------------===//
#include "dialects/tile/Conversion.h"
#include "lowering/tile/BlockShape.h"
#include "lowering/tile/CopyChoice.h"
#include "lowering/tile/Passes.h"

#include "mlir/IR/Builders.h"

using namespace mlir;

namespace quern::lowering {
#define GEN_PASS_DEF_TILECHOOSESWIZZLEPASS
#include "lowering/tile/Passes.h.inc"

namespace {

using tile::Layout;
using tile::MemoryLayout;

/// The operations of one ring.
struct RingUsers {
  SmallVector<tile::RingCopyOp> copies;
  SmallVector<tile::RingWriteOp> writes;
  SmallVector<tile::RingReadOp> reads;

  explicit RingUsers(Value ring) {
    for (Operation *user : ring.getUsers()) {
      if (auto copy = llvm::dyn_cast<tile::RingCopyOp>(user))
        copies.push_back(copy);
      if (auto write = llvm::dyn_cast<tile::RingWriteOp>(user))
        writes.push_back(write);
      if (auto read = llvm::dyn_cast<tile::RingReadOp>(user))
        reads.push_back(read);
    }
  }
};

struct Choice {
  MemoryLayout memory;
  std::optional<Layout> copy;
  int64_t clocks = 0, instructions = 0;
};

struct TileChooseSwizzlePass : impl::TileChooseSwizzlePassBase<TileChooseSwizzlePass> {
  void runOnOperation() override {
    FailureOr<BlockShape> shape = BlockShape::of(getOperation());
    if (failed(shape))
      return signalPassFailure();
    block = *shape;
    SmallVector<tile::RingOp> rings;
    getOperation().walk([&](tile::RingOp ring) {
      if (!ring.getRing().getType().getMemory() && ring.getPath() != tile::RingPath::Tensor)
        rings.push_back(ring);
    });
    for (tile::RingOp ring : rings)
      if (failed(choose(ring)))
        return signalPassFailure();
  }

  LogicalResult choose(tile::RingOp ring) {
    RingUsers users(ring);
    tile::RingType type = ring.getRing().getType();
    const unsigned bits = type.getElementType().getIntOrFloatBitWidth();
    std::vector<int32_t> shape = tile::shapeOf(type);
    SmallVector<MemoryLayout> candidates;
    for (int32_t span : {128, 64, 32})
      if (auto swizzled = MemoryLayout::swizzled(shape, bits, span, unsigned(shape.size() - 1)))
        candidates.push_back(*swizzled);
    candidates.push_back(MemoryLayout::dense(shape));
    for (tile::RingWriteOp write : users.writes)
      for (tile::RingReadOp read : users.reads)
        candidates.push_back(tile::planSharedExchange(*tile::getLayout(write.getTile().getType()),
                                                      *tile::getLayout(read.getTile().getType()), bits,
                                                      banks())
                                 .memory);
    std::optional<Choice> best;
    for (const MemoryLayout &memory : candidates) {
      std::optional<Choice> choice = measure(memory, users, bits);
      if (choice && (!best || std::pair(choice->clocks, choice->instructions) <
                                  std::pair(best->clocks, best->instructions)))
        best = std::move(choice);
    }
    if (!best)
      return ring.emitOpError("has no memory layout that its copies can fill");
    auto *context = &getContext();
    ring.getRing().setType(tile::RingType::get(context, type.getDepth(), type.getShape(),
                                               type.getElementType(),
                                               tile::MemoryAttr::get(context, best->memory)));
    for (tile::RingCopyOp copy : users.copies) {
      copy.setLayoutAttr(tile::LayoutAttr::get(context, *best->copy));
      if (copy.getRows())
        spreadRows(copy, *best->copy);
    }
    return success();
  }

  /// Clocks and instructions of one warp; empty where a copy does not fit.
  std::optional<Choice> measure(const MemoryLayout &memory, const RingUsers &users, unsigned bits) {
    Choice choice{memory, std::nullopt, 0, 0};
    auto add = [&](const tile::SharedAccess &access) {
      choice.clocks += access.clocks;
      choice.instructions += access.instructions;
    };
    for (tile::RingReadOp read : users.reads) {
      auto plan = tile::chooseCopy(*block.target, tile::CopyPath::SharedToRegister,
                                   *tile::getLayout(read.getTile().getType()), memory, bits);
      if (!plan)
        return std::nullopt;
      add(tile::copyAccess(*plan, memory, banks(), tile::Direction::Read));
    }
    for (tile::RingWriteOp write : users.writes) {
      auto plan = chooseSharedStore(block, *tile::getLayout(write.getTile().getType()), memory, bits);
      if (!plan)
        return std::nullopt;
      add(tile::copyAccess(*plan, memory, banks(), tile::Direction::Write));
    }
    for (tile::RingCopyOp copy : users.copies) {
      auto ring = copy.getRing().getDefiningOp<tile::RingOp>();
      auto tile = RankedTensorType::get(ring.getRing().getType().getShape(),
                                        ring.getRing().getType().getElementType());
      std::optional<RowCopy> rows =
          chooseRowCopy(block, ring.getPath(), copy.getView().getDefiningOp<tile::ViewOp>(),
                        copy.getOffsets().back(), tile);
      if (!rows)
        return std::nullopt;
      choice.copy = copyLayout(block, memory, rows->vector, rows->atom->laneLinear);
      if (!choice.copy)
        return std::nullopt;
      if (const tile::BankRule *rule =
              tile::findBankRule(banks(), tile::Direction::Write, rows->atom->runBytes()))
        add(tile::sharedAccess(*choice.copy, memory, bits, rows->vector, *rule));
    }
    return choice;
  }

  /// Brings the rows to the lanes that copy them, in front of the loop.
  void spreadRows(tile::RingCopyOp copy, const Layout &layout) {
    Value rows = copy.getRows();
    Layout wanted = layout.project({0});
    auto type = llvm::cast<RankedTensorType>(rows.getType());
    if (*tile::getLayout(type) == wanted)
      return;
    OpBuilder builder(copy.getRing().getDefiningOp());
    copy.getRowsMutable().assign(
        tile::RelayoutOp::create(builder, copy.getLoc(), tile::withLayout(type, wanted), rows));
  }

  const std::vector<tile::BankRule> &banks() const { return tile::atomTable(*block.target).banks; }

  BlockShape block;
};

} // namespace
} // namespace quern::lowering
