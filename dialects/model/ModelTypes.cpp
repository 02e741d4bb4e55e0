//===- ModelTypes.cpp -----------------------------------------------------===//
#include "dialects/model/Model.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace quern::model;

#define GET_TYPEDEF_CLASSES
#include "dialects/model/ModelTypes.cpp.inc"

void ModelDialect::registerTypes() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/model/ModelTypes.cpp.inc"
      >();
}

llvm::ArrayRef<int64_t> quern::model::shapeOf(Type type) {
  if (auto scaled = dyn_cast<BlockScaledType>(type))
    return scaled.getShape();
  return cast<RankedTensorType>(type).getShape();
}

Type quern::model::elementOf(Type type) {
  if (auto scaled = dyn_cast<BlockScaledType>(type))
    return scaled.getElementType();
  return cast<RankedTensorType>(type).getElementType();
}

//===-- Block-scaled ------------------------------------------------------===//

// `<` 7168x2048xf8E4M3FN `,` 128x128 `,` f32 `>`
Type BlockScaledType::parse(AsmParser &parser) {
  SmallVector<int64_t> shape, block;
  Type element, scale;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() || parser.parseDimensionList(shape, /*allowDynamic=*/true) ||
      parser.parseType(element) || parser.parseComma() ||
      parser.parseDimensionList(block, /*allowDynamic=*/false, /*withTrailingX=*/false) ||
      parser.parseComma() || parser.parseType(scale) || parser.parseGreater())
    return {};
  return getChecked([&] { return parser.emitError(loc); }, parser.getContext(), shape, element, block, scale);
}

void BlockScaledType::print(AsmPrinter &printer) const {
  printer << '<';
  printer.printDimensionList(getShape());
  printer << 'x' << getElementType() << ", ";
  printer.printDimensionList(getBlock());
  printer << ", " << getScaleType() << '>';
}

LogicalResult BlockScaledType::verify(function_ref<InFlightDiagnostic()> error, ArrayRef<int64_t> shape,
                                      Type element, ArrayRef<int64_t> block, Type scale) {
  // C1
  if (shape.size() != 2 && shape.size() != 3)
    return error() << "block-scaled tensors have rank 2 or 3, got rank " << shape.size();
  for (int64_t extent : shape.drop_front())
    if (ShapedType::isDynamic(extent))
      return error() << "only the first dimension of a block-scaled tensor may be dynamic";
  // C2
  if (!isa<Float8E4M3FNType, Float8E4M3FNUZType, Float8E5M2Type>(element))
    return error() << "block-scaled elements are f8E4M3FN, f8E4M3FNUZ or f8E5M2, got " << element;
  // C3
  if (block.size() != 2 || block[0] < 1 || block[1] < 1)
    return error() << "a scale block has two positive dimensions";
  // C4
  if (!scale.isF32() && !isa<Float8E8M0FNUType>(scale))
    return error() << "block scales are f32 or f8E8M0FNU, got " << scale;
  return success();
}

SmallVector<int64_t> BlockScaledType::getScaleShape() const {
  SmallVector<int64_t> shape(getShape());
  for (size_t i = 0; i < 2; ++i) {
    int64_t &extent = shape[shape.size() - 2 + i];
    if (!ShapedType::isDynamic(extent))
      extent = (extent + getBlock()[i] - 1) / getBlock()[i];
  }
  return shape;
}

//===-- Caches ------------------------------------------------------------===//

static LogicalResult verifyCache(function_ref<InFlightDiagnostic()> error, ArrayRef<int64_t> extents,
                                 Type element) {
  // C1
  for (int64_t extent : extents)
    if (extent < 1)
      return error() << "cache dimensions are positive, got " << extent;
  // C2
  if (!element.isBF16() && !element.isF32())
    return error() << "cache elements are bf16 or f32, got " << element;
  return success();
}

LogicalResult LatentCacheType::verify(function_ref<InFlightDiagnostic()> error, int64_t layers,
                                      int64_t latent, int64_t rope, Type element) {
  return verifyCache(error, {layers, latent, rope}, element);
}

LogicalResult HeadCacheType::verify(function_ref<InFlightDiagnostic()> error, int64_t layers, int64_t heads,
                                    int64_t key, int64_t value, Type element) {
  return verifyCache(error, {layers, heads, key, value}, element);
}
