//===- TileDialect.cpp - Types and attributes -----------------------------===//
#include "dialects/tile/TileDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/Hashing.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace quern::tile {

/// Storage key of `#tile.layout`.
static llvm::hash_code hash_value(const Layout &layout) { return llvm::hash_value(layout.str()); }

} // namespace quern::tile

#include "dialects/tile/TileDialect.cpp.inc"
#include "dialects/tile/TileEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/tile/TileAttributes.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/tile/TileTypes.cpp.inc"

namespace quern::tile {

void TileDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/tile/TileAttributes.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/tile/TileTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/tile/TileOps.cpp.inc"
      >();
}

const Layout *getLayout(Type type) {
  auto tensor = llvm::dyn_cast<RankedTensorType>(type);
  auto attr = tensor ? llvm::dyn_cast_if_present<LayoutAttr>(tensor.getEncoding()) : LayoutAttr();
  return attr ? &attr.getLayout() : nullptr;
}

RankedTensorType withLayout(RankedTensorType type, const Layout &layout) {
  return RankedTensorType::get(type.getShape(), type.getElementType(),
                               LayoutAttr::get(type.getContext(), layout));
}

std::vector<int32_t> shapeOf(RankedTensorType type) {
  return std::vector<int32_t>(type.getShape().begin(), type.getShape().end());
}

//===----------------------------------------------------------------------===//
// #tile.layout
//===----------------------------------------------------------------------===//

static ParseResult parseInts(AsmParser &parser, std::vector<int32_t> &list) {
  return parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&] {
    int32_t value;
    if (parser.parseInteger(value))
      return failure();
    list.push_back(value);
    return success();
  });
}

Attribute LayoutAttr::parse(AsmParser &parser, Type) {
  std::array<std::vector<Coordinate>, numHardware> bases;
  std::vector<int32_t> repeats;
  if (parser.parseLess())
    return {};
  for (auto [name, list] : llvm::zip(ArrayRef<StringRef>{"register", "lane", "warp"}, bases)) {
    auto parseBasis = [&, &bases = list] {
      bases.emplace_back();
      return parseInts(parser, bases.back());
    };
    if (parser.parseKeyword(name) || parser.parseEqual() ||
        parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseBasis) || parser.parseComma())
      return {};
  }
  if (parser.parseKeyword("repeat") || parser.parseEqual() || parseInts(parser, repeats) ||
      parser.parseGreater())
    return {};
  std::vector<int32_t> shape(repeats.size(), 1);
  for (auto &list : bases)
    for (Coordinate &basis : list) {
      if (basis.size() != repeats.size()) {
        parser.emitError(parser.getNameLoc(), "a basis has ")
            << basis.size() << " entries, `repeat` has " << repeats.size();
        return {};
      }
      for (size_t d = 0; d < shape.size(); ++d)
        while (shape[d] <= basis[d])
          shape[d] *= 2;
    }
  for (size_t d = 0; d < shape.size(); ++d)
    shape[d] *= repeats[d];
  return LayoutAttr::get(parser.getContext(), Layout(shape, std::move(bases), std::move(repeats)));
}

void LayoutAttr::print(AsmPrinter &printer) const { printer << "<" << getLayout().str() << ">"; }

//===----------------------------------------------------------------------===//
// #tile.dims
//===----------------------------------------------------------------------===//

Attribute DimsAttr::parse(AsmParser &parser, Type) {
  SmallVector<Attribute> dims;
  Builder builder(parser.getContext());
  auto parseDim = [&]() -> ParseResult {
    int64_t value;
    OptionalParseResult number = parser.parseOptionalInteger(value);
    if (number.has_value()) {
      if (failed(*number))
        return failure();
      dims.push_back(builder.getI64IntegerAttr(value));
      return success();
    }
    StringRef name;
    if (parser.parseKeyword(&name))
      return failure();
    dims.push_back(builder.getStringAttr(name));
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::LessGreater, parseDim))
    return {};
  return DimsAttr::get(parser.getContext(), dims);
}

void DimsAttr::print(AsmPrinter &printer) const {
  printer << "<";
  llvm::interleaveComma(getDims(), printer, [&](Attribute dim) {
    if (auto name = llvm::dyn_cast<StringAttr>(dim))
      printer << name.getValue();
    else
      printer << llvm::cast<IntegerAttr>(dim).getInt();
  });
  printer << ">";
}

} // namespace quern::tile
