//===- TileOps.cpp - Verifiers and assembly of the tile dialect -----------===//
#include "dialects/tile/TileDialect.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/FunctionImplementation.h"

using namespace mlir;

#define GET_OP_CLASSES
#include "dialects/tile/TileOps.cpp.inc"

namespace quern::tile {

/// True if the type still has the unknown sizes of a generic kernel text; shapes are checked once it is
/// static.
static bool isGeneric(Type type) {
  auto tensor = llvm::dyn_cast<RankedTensorType>(type);
  return tensor && (!tensor.hasStaticShape() || llvm::isa<ElemType>(tensor.getElementType()));
}

static Type elementOf(Type type) { return llvm::cast<RankedTensorType>(type).getElementType(); }

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

ParseResult KernelOp::parse(OpAsmParser &parser, OperationState &result) {
  auto build = [](Builder &builder, ArrayRef<Type> inputs, ArrayRef<Type> results,
                  function_interface_impl::VariadicFlag,
                  std::string &) { return builder.getFunctionType(inputs, results); };
  return function_interface_impl::parseFunctionOp(
      parser, result, /*allowVariadic=*/false, getFunctionTypeAttrName(result.name), build,
      getArgAttrsAttrName(result.name), getResAttrsAttrName(result.name));
}

void KernelOp::print(OpAsmPrinter &printer) {
  function_interface_impl::printFunctionOp(printer, *this, /*isVariadic=*/false, getFunctionTypeAttrName(),
                                           getArgAttrsAttrName(), getResAttrsAttrName());
}

ParseResult DomainOp::parse(OpAsmParser &parser, OperationState &result) {
  SmallVector<OpAsmParser::UnresolvedOperand> extents, steps;
  Type i32 = parser.getBuilder().getI32Type();
  auto parseDim = [&] {
    return failure(parser.parseOperand(extents.emplace_back()) || parser.parseKeyword("by") ||
                   parser.parseOperand(steps.emplace_back()));
  };
  if (parser.parseCommaSeparatedList(parseDim) || parser.parseOptionalAttrDict(result.attributes))
    return failure();
  result.addTypes(SmallVector<Type>(extents.size(), i32));
  return failure(parser.resolveOperands(extents, i32, result.operands) ||
                 parser.resolveOperands(steps, i32, result.operands));
}

void DomainOp::print(OpAsmPrinter &printer) {
  printer << " ";
  llvm::interleaveComma(llvm::zip(getExtents(), getSteps()), printer,
                        [&](auto pair) { printer << std::get<0>(pair) << " by " << std::get<1>(pair); });
  printer.printOptionalAttrDict((*this)->getAttrs());
}

LogicalResult DomainOp::verify() {
  // C1
  if (getExtents().size() != getStarts().size())
    return emitOpError("has ") << getExtents().size() << " extents and " << getStarts().size() << " results";
  return success();
}

//===----------------------------------------------------------------------===//
// Global memory
//===----------------------------------------------------------------------===//

LogicalResult ViewOp::verify() {
  ViewType view = getView().getType();
  // C1
  if (int64_t(getSizes().size()) != view.getRank())
    return emitOpError("has ") << getSizes().size() << " sizes for a view of rank " << view.getRank();
  // C2
  if (!getStrides().empty() && int64_t(getStrides().size()) != view.getRank())
    return emitOpError("has ") << getStrides().size() << " strides for a view of rank " << view.getRank();
  // C3
  if (getBase().getType().getElementType() != view.getElementType())
    return emitOpError("views elements ")
           << getBase().getType().getElementType() << " as " << view.getElementType();
  return success();
}

/// C1-C3 of tile.load and tile.store.
static LogicalResult verifyAccess(Operation *op, ViewType view, Type tile, size_t offsets) {
  if (int64_t(offsets) != view.getRank())
    return op->emitOpError("has ") << offsets << " offsets for a view of rank " << view.getRank();
  auto tensor = llvm::cast<RankedTensorType>(tile);
  if (tensor.getRank() > view.getRank())
    return op->emitOpError("moves a tile of rank ")
           << tensor.getRank() << " for a view of rank " << view.getRank();
  if (tensor.getElementType() != view.getElementType())
    return op->emitOpError("moves elements ")
           << tensor.getElementType() << " of a view of " << view.getElementType();
  return success();
}

LogicalResult LoadOp::verify() {
  return verifyAccess(*this, getView().getType(), getTile().getType(), getOffsets().size());
}

LogicalResult StoreOp::verify() {
  return verifyAccess(*this, getView().getType(), getTile().getType(), getOffsets().size());
}

static LogicalResult verifyIndexed(Operation *op, ViewType view, Type tile, OperandRange indices) {
  // C1
  if (int64_t(indices.size()) != view.getRank())
    return op->emitOpError("has ") << indices.size() << " indices for a view of rank " << view.getRank();
  auto tensor = llvm::cast<RankedTensorType>(tile);
  // C2
  for (Value index : indices) {
    auto indexTile = llvm::dyn_cast<RankedTensorType>(index.getType());
    if (!indexTile && !index.getType().isInteger(32))
      return op->emitOpError("has an index of type ") << index.getType() << ", expected i32 or a tile of i32";
    if (indexTile && (!indexTile.getElementType().isInteger(32) || indexTile.getShape() != tensor.getShape()))
      return op->emitOpError("has an index tile ") << indexTile << " for elements " << tensor;
  }
  // C3
  if (tensor.getElementType() != view.getElementType())
    return op->emitOpError("moves elements ")
           << tensor.getElementType() << " of a view of " << view.getElementType();
  return success();
}

LogicalResult GatherOp::verify() {
  return verifyIndexed(*this, getView().getType(), getTile().getType(), getIndices());
}

LogicalResult ScatterOp::verify() {
  return verifyIndexed(*this, getView().getType(), getTile().getType(), getIndices());
}

LogicalResult LoadScalarOp::verify() {
  ViewType view = getView().getType();
  // C1
  if (int64_t(getOffsets().size()) != view.getRank())
    return emitOpError("has ") << getOffsets().size() << " offsets for a view of rank " << view.getRank();
  // C2
  if (getValue().getType() != view.getElementType())
    return emitOpError("loads ") << getValue().getType() << " from a view of " << view.getElementType();
  return success();
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

LogicalResult SplatOp::verify() {
  // C1
  if (getValue().getType() != elementOf(getTile().getType()))
    return emitOpError("turns ") << getValue().getType() << " into elements "
                                 << elementOf(getTile().getType());
  return success();
}

LogicalResult IotaOp::verify() {
  auto tile = llvm::cast<RankedTensorType>(getTile().getType());
  // C1
  if (getDim() >= uint64_t(tile.getRank()))
    return emitOpError("counts dimension ") << getDim() << " of a tile of rank " << tile.getRank();
  // C2
  if (!tile.getElementType().isInteger(32))
    return emitOpError("has elements ") << tile.getElementType() << ", expected i32";
  return success();
}

LogicalResult BroadcastOp::verify() {
  auto from = llvm::cast<RankedTensorType>(getOperand().getType());
  auto to = llvm::cast<RankedTensorType>(getTile().getType());
  ArrayRef<int64_t> dims = getDims();
  // C1
  if (int64_t(dims.size()) != from.getRank())
    return emitOpError("has ") << dims.size() << " dims for an operand of rank " << from.getRank();
  for (size_t i = 0; i < dims.size(); ++i)
    if (dims[i] < 0 || dims[i] >= to.getRank() || (i && dims[i] <= dims[i - 1]))
      return emitOpError("has dims that do not ascend within the result's rank");
  // C2
  if (!isGeneric(from) && !isGeneric(to))
    for (size_t i = 0; i < dims.size(); ++i)
      if (from.getDimSize(i) != to.getDimSize(dims[i]))
        return emitOpError("repeats size ")
               << from.getDimSize(i) << " as dimension " << dims[i] << " of size " << to.getDimSize(dims[i]);
  // C3
  if (from.getElementType() != to.getElementType())
    return emitOpError("turns elements ") << from.getElementType() << " into " << to.getElementType();
  return success();
}

LogicalResult ReduceOp::verify() {
  auto from = llvm::cast<RankedTensorType>(getOperand().getType());
  auto to = llvm::cast<RankedTensorType>(getTile().getType());
  // C1
  if (getDim() >= uint64_t(from.getRank()))
    return emitOpError("reduces dimension ") << getDim() << " of a tile of rank " << from.getRank();
  // C2
  if (to.getRank() != from.getRank() - 1)
    return emitOpError("has a result of rank ") << to.getRank() << ", expected " << from.getRank() - 1;
  if (!isGeneric(from) && !isGeneric(to)) {
    SmallVector<int64_t> expected(from.getShape());
    expected.erase(expected.begin() + getDim());
    if (to.getShape() != ArrayRef<int64_t>(expected))
      return emitOpError("has the result ") << to << " for the operand " << from;
  }
  // C3
  if (from.getElementType() != to.getElementType())
    return emitOpError("turns elements ") << from.getElementType() << " into " << to.getElementType();
  return success();
}

LogicalResult ConvertOp::verify() {
  auto from = llvm::cast<RankedTensorType>(getOperand().getType());
  auto to = llvm::cast<RankedTensorType>(getTile().getType());
  // C1
  if (!isGeneric(from) && !isGeneric(to) && from.getShape() != to.getShape())
    return emitOpError("converts ") << from << " to " << to << " of another shape";
  return success();
}

LogicalResult BitcastOp::verify() {
  auto from = llvm::cast<RankedTensorType>(getOperand().getType());
  auto to = llvm::cast<RankedTensorType>(getTile().getType());
  // C1
  if (!isGeneric(from) && !isGeneric(to) &&
      (from.getShape() != to.getShape() || from.getElementTypeBitWidth() != to.getElementTypeBitWidth()))
    return emitOpError("reinterprets ") << from << " as " << to << " of another shape or width";
  return success();
}

LogicalResult RelayoutOp::verify() {
  auto from = llvm::cast<RankedTensorType>(getOperand().getType());
  auto to = llvm::cast<RankedTensorType>(getTile().getType());
  // C1
  if (from.getShape() != to.getShape() || from.getElementType() != to.getElementType())
    return emitOpError("turns ") << from << " into " << to;
  return success();
}

LogicalResult DotPairsOp::verify() {
  auto operand = llvm::cast<RankedTensorType>(getA().getType()),
       sum = llvm::cast<RankedTensorType>(getTile().getType());
  // C1
  if (!sum.getElementType().isF32())
    return emitOpError("needs an accumulator of f32");
  SmallVector<int64_t> shape(operand.getShape());
  if (shape.empty() || shape.back() % 2 != 0)
    return emitOpError("needs pairs along the last dimension, got ") << operand;
  shape.back() /= 2;
  if (ArrayRef(shape) != sum.getShape())
    return emitOpError("needs an accumulator of half the operands along the last dimension, got ") << sum;
  return success();
}

LogicalResult MmaOp::verify() {
  auto a = llvm::cast<RankedTensorType>(getA().getType());
  auto b = llvm::cast<RankedTensorType>(getB().getType());
  auto acc = llvm::cast<RankedTensorType>(getAccumulator().getType());
  // C2
  if (!elementOf(acc).isF32())
    return emitOpError("accumulates in ") << elementOf(acc) << ", expected f32";
  // C1
  if (a.getRank() != 2 || b.getRank() != 2 || acc.getRank() != 2)
    return emitOpError("multiplies tiles of rank ")
           << a.getRank() << ", " << b.getRank() << " and " << acc.getRank();
  if (!isGeneric(a) && !isGeneric(b) && !isGeneric(acc)) {
    unsigned n = getBRowsAreK() ? 1 : 0;
    if (a.getDimSize(0) != acc.getDimSize(0) || b.getDimSize(n) != acc.getDimSize(1) ||
        a.getDimSize(1) != b.getDimSize(1 - n))
      return emitOpError("multiplies ") << a << " and " << b << " into " << acc;
  }
  // C3
  if (bool(getScaleA()) != bool(getScaleB()))
    return emitOpError("has one scale, expected two or none");
  return success();
}

//===----------------------------------------------------------------------===//
// Roles
//===----------------------------------------------------------------------===//

LogicalResult TensorMapOp::verify() {
  // C1
  size_t rank = getSizes().size();
  if (rank < 1 || rank > 5 || getBox().size() != rank ||
      (!getStrides().empty() && getStrides().size() != rank))
    return emitOpError("has ") << rank << " sizes, " << getStrides().size() << " strides and a box of rank "
                               << getBox().size();
  // C2
  auto argument = llvm::dyn_cast<BlockArgument>(getBase());
  if (!argument || !llvm::isa<KernelOp>(argument.getOwner()->getParentOp()) || !getBase().hasOneUse())
    return emitOpError("is of a pointer that is no argument, or that something else reads");
  return success();
}

LogicalResult FillSlotOp::verify() {
  // C1
  if (getMaps().size() != getSlots().getType().getTiles().size())
    return emitOpError("has ") << getMaps().size() << " maps for " << getSlots().getType().getTiles().size()
                               << " tiles";
  return success();
}

LogicalResult WaitSlotOp::verify() {
  // C1
  if (!llvm::equal(getTiles().getTypes(), getSlots().getType().getTiles()))
    return emitOpError("gives other tiles than its slots have");
  return success();
}

} // namespace quern::tile
