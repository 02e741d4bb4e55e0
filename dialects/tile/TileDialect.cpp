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
/// Storage key of `#tile.memory`.
static llvm::hash_code hash_value(const MemoryLayout &layout) { return llvm::hash_value(layout.str()); }

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

int64_t sharedSpan(Type type) {
  auto tensor = llvm::dyn_cast<RankedTensorType>(type);
  auto attr = tensor ? llvm::dyn_cast_if_present<SharedAttr>(tensor.getEncoding()) : SharedAttr();
  return attr ? attr.getSpan() : 0;
}

RankedTensorType withLayout(RankedTensorType type, const Layout &layout) {
  return RankedTensorType::get(type.getShape(), type.getElementType(),
                               LayoutAttr::get(type.getContext(), layout));
}

std::vector<int32_t> shapeOf(RankedTensorType type) {
  return std::vector<int32_t>(type.getShape().begin(), type.getShape().end());
}

std::vector<int32_t> shapeOf(RingType type) {
  return std::vector<int32_t>(type.getShape().begin(), type.getShape().end());
}

const MemoryLayout *getMemory(RingType type) {
  return type.getMemory() ? &type.getMemory().getLayout() : nullptr;
}

int64_t slotBytes(RingType type) {
  int64_t bits = type.getElementType().getIntOrFloatBitWidth();
  for (int64_t size : type.getShape())
    bits *= size;
  return int64_t(llvm::alignTo(uint64_t(bits + 7) / 8, 128));
}

//===----------------------------------------------------------------------===//
// #tile.layout
//===----------------------------------------------------------------------===//

template <typename Int> static ParseResult parseInts(AsmParser &parser, std::vector<Int> &list) {
  return parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&] {
    Int value;
    if (parser.parseInteger(value))
      return failure();
    list.push_back(value);
    return success();
  });
}

Attribute LayoutAttr::parse(AsmParser &parser, Type) {
  static constexpr StringLiteral names[numHardware] = {"register", "lane", "warp"};
  std::array<std::vector<Coordinate>, numHardware> bases;
  std::vector<int32_t> repeats;
  if (parser.parseLess())
    return {};
  for (auto [name, list] : llvm::zip(names, bases)) {
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
// #tile.memory
//===----------------------------------------------------------------------===//

/// True if |bases| give each coordinate of the box |core| one offset.
static bool isBijection(const std::vector<int32_t> &core, const std::vector<Coordinate> &bases) {
  auto isPower = [](int32_t size) { return size > 0 && (size & (size - 1)) == 0; };
  if (!llvm::all_of(core, isPower))
    return false;
  CoordinateBits bits(core);
  std::vector<uint64_t> columns;
  for (const Coordinate &basis : bases) {
    for (size_t d = 0; d < core.size(); ++d)
      if (basis[d] < 0 || basis[d] >= core[d])
        return false;
    columns.push_back(bits.pack(basis));
  }
  return bits.bits() == columns.size() && LinearMap(std::move(columns)).rightInverse(bits.bits());
}

Attribute MemoryAttr::parse(AsmParser &parser, Type) {
  std::vector<int32_t> shape, core;
  std::vector<Coordinate> bases;
  std::vector<int64_t> strides;
  auto parseBasis = [&] { return parseInts(parser, bases.emplace_back()); };
  if (parser.parseLess() || parser.parseKeyword("shape") || parser.parseEqual() || parseInts(parser, shape) ||
      parser.parseComma() || parser.parseKeyword("offset") || parser.parseEqual() ||
      parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseBasis) || parser.parseComma() ||
      parser.parseKeyword("core") || parser.parseEqual() || parseInts(parser, core) || parser.parseComma() ||
      parser.parseKeyword("stride") || parser.parseEqual() || parseInts(parser, strides) ||
      parser.parseGreater())
    return {};
  auto hasRank = [&](const Coordinate &basis) { return basis.size() == shape.size(); };
  if (core.size() != shape.size() || strides.size() != shape.size() || !llvm::all_of(bases, hasRank) ||
      !isBijection(core, bases)) {
    parser.emitError(parser.getNameLoc(), "offsets of a memory layout are no bijection of its core");
    return {};
  }
  return MemoryAttr::get(parser.getContext(), MemoryLayout(std::move(shape), std::move(core),
                                                           std::move(bases), std::move(strides)));
}

void MemoryAttr::print(AsmPrinter &printer) const {
  printer << "<shape = [";
  llvm::interleaveComma(getLayout().shape(), printer);
  printer << "], " << getLayout().str() << ">";
}

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
