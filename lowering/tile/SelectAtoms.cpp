//===- SelectAtoms.cpp - Names the matrix instruction of each mma step ----===//
#include "lowering/tile/BlockShape.h"
#include "lowering/tile/Passes.h"

using namespace mlir;

namespace quern::lowering {
#define GEN_PASS_DEF_TILESELECTATOMSPASS
#include "lowering/tile/Passes.h.inc"

namespace {

/// The type of |element| in the atoms table; empty where the table has no such type.
std::optional<ElementType> elementType(Type element) {
  if (element.isBF16())
    return ElementType::BF16;
  if (element.isF16())
    return ElementType::F16;
  if (element.isF32())
    return ElementType::F32;
  if (llvm::isa<Float8E4M3FNType>(element))
    return ElementType::F8E4M3;
  if (llvm::isa<Float8E4M3FNUZType>(element))
    return ElementType::F8E4M3FNUZ;
  return std::nullopt;
}

struct TileSelectAtomsPass : impl::TileSelectAtomsPassBase<TileSelectAtomsPass> {
  void runOnOperation() override {
    FailureOr<BlockShape> shape = BlockShape::of(getOperation());
    if (failed(shape))
      return signalPassFailure();
    block = *shape;
    if (block.schedule.mma.empty())
      return;
    const tile::MmaAtom *atom = block.atom;
    if (!atom) {
      getOperation().emitOpError("has a schedule with the atom `")
          << block.schedule.mma << "`, which the target does not have";
      return signalPassFailure();
    }
    if (block.schedule.warpGrid.size() > 2 && block.schedule.warpGrid[2] > 1) {
      getOperation().emitOpError("has a schedule that divides k over warps");
      return signalPassFailure();
    }
    if (failed(checkOperands(*atom)))
      return signalPassFailure();
    bool any = false; // statistics count in some builds only
    WalkResult walked = getOperation().walk([&](tile::MmaOp step) {
      auto a = llvm::cast<RankedTensorType>(step.getA().getType());
      auto b = llvm::cast<RankedTensorType>(step.getB().getType());
      if (elementType(a.getElementType()) != atom->a.type || elementType(b.getElementType()) != atom->b.type)
        return WalkResult::advance();
      auto rows = llvm::cast<RankedTensorType>(step.getTile().getType());
      std::string misfit;
      if (!AtomTiling::of(*atom, rows.getDimSize(0), rows.getDimSize(1), a.getDimSize(1), block.issuers(),
                          block.issuerRows(), &misfit)) {
        step.emitOpError("cannot use the atom `") << atom->name << "`: " << misfit;
        return WalkResult::interrupt();
      }
      step.setAtom(atom->name);
      ++numSelected;
      any = true;
      return WalkResult::advance();
    });
    if (walked.wasInterrupted())
      return signalPassFailure();
    if (!any) {
      getOperation().emitOpError("has no mma step with the element types of the atom `") << atom->name << "`";
      signalPassFailure();
    }
  }

  /// Operands go through registers, and a warp issues the instruction; or a group of warps reads them from
  /// shared memory, which warps that copy fill.
  LogicalResult checkOperands(const tile::MmaAtom &atom) {
    if (block.schedule.strategy == tile::Strategy::Roles) {
      bool fromShared = tile::contains(atom.a.where, tile::Where::Shared) &&
                        tile::contains(atom.b.where, tile::Where::Shared) &&
                        tile::contains(atom.c.where, tile::Where::Register);
      if (atom.issuer != tile::Issuer::WarpGroup || !fromShared || atom.hasScales())
        return getOperation().emitOpError("has a schedule with roles and the atom `")
               << atom.name << "`, whose operands do not come from shared memory to a group of warps";
      return success();
    }
    bool inRegisters = true;
    for (const tile::MmaOperand *operand : {&atom.a, &atom.b, &atom.c})
      inRegisters &= operand->hasFragment() && tile::contains(operand->where, tile::Where::Register);
    if (atom.issuer != tile::Issuer::Warp || !inRegisters || atom.hasScales())
      return getOperation().emitOpError("has a schedule with the atom `")
             << atom.name << "`, whose operands are not all in the registers of a warp";
    return success();
  }

  BlockShape block;
};

} // namespace
} // namespace quern::lowering
