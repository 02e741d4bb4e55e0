//===- CheckpointWeights.cpp ----------------------------------------------===//
#include "dialects/model/reference/CheckpointWeights.h"

#include "dialects/model/Model.h"

#include "llvm/ADT/TypeSwitch.h"

#include <algorithm>

using namespace mlir;

namespace quern::model::reference {

namespace {

/// Most bytes that stay in memory of weights that were put together.
constexpr uint64_t kKeepBytes = uint64_t{2} << 30;
/// Blocks of weights whose declared type does not state them, because it is dequantised.
constexpr int64_t kBlock = 128;

Status refuse(std::string sentence) {
  return Status::error(Exit::BadInput, "E-ORACLE-WEIGHT", std::move(sentence));
}

//===-- Bytes of any rank -------------------------------------------------===//

/// A row-major array of elements of |width| bytes.
struct Array {
  Shape shape;
  size_t width = 0;
  ByteSpan bytes;
  std::shared_ptr<const void> owner; ///< empty: a view of the checkpoint
};

Array owned(Shape shape, size_t width, std::string bytes) {
  auto text = std::make_shared<std::string>(std::move(bytes));
  return {std::move(shape), width, asBytes(*text), text};
}

int64_t countFrom(const Shape &shape, size_t first, size_t last) {
  int64_t count = 1;
  for (size_t i = first; i < last; ++i)
    count *= shape[i];
  return count;
}

Array sliceOf(const Array &x, size_t dim, int64_t begin, int64_t end) {
  Shape shape = x.shape;
  shape[dim] = end - begin;
  int64_t outer = countFrom(x.shape, 0, dim);
  size_t inner = static_cast<size_t>(countFrom(x.shape, dim + 1, x.shape.size())) * x.width;
  size_t from = static_cast<size_t>(x.shape[dim]) * inner, length = static_cast<size_t>(end - begin) * inner;
  if (outer == 1)
    return {shape, x.width, x.bytes.subspan(static_cast<size_t>(begin) * inner, length), x.owner};
  std::string bytes;
  bytes.reserve(static_cast<size_t>(outer) * length);
  for (int64_t o = 0; o < outer; ++o)
    bytes +=
        asText(x.bytes.subspan(static_cast<size_t>(o) * from + static_cast<size_t>(begin) * inner, length));
  return owned(shape, x.width, std::move(bytes));
}

Array concatOf(const std::vector<Array> &parts, size_t dim) {
  Shape shape = parts[0].shape;
  shape[dim] = 0;
  size_t total = 0;
  for (const Array &part : parts) {
    shape[dim] += part.shape[dim];
    total += part.bytes.size();
  }
  std::string bytes;
  bytes.reserve(total);
  size_t outer = static_cast<size_t>(countFrom(shape, 0, dim));
  for (size_t o = 0; o < outer; ++o)
    for (const Array &part : parts)
      bytes += asText(part.bytes.subspan(part.bytes.size() / outer * o, part.bytes.size() / outer));
  return owned(shape, parts[0].width, std::move(bytes));
}

Array transposeOf(const Array &x, ArrayRef<int64_t> permutation) {
  size_t rank = x.shape.size();
  Shape shape(rank), strides(rank);
  for (size_t i = 0; i < rank; ++i) {
    size_t from = static_cast<size_t>(permutation[i]);
    shape[i] = x.shape[from];
    strides[i] = countFrom(x.shape, from + 1, rank);
  }
  std::string bytes;
  bytes.reserve(x.bytes.size());
  Shape index(rank, 0);
  for (int64_t n = elementCount(shape); n > 0; --n) {
    int64_t at = 0;
    for (size_t i = 0; i < rank; ++i)
      at += index[i] * strides[i];
    bytes += asText(x.bytes.subspan(static_cast<size_t>(at) * x.width, x.width));
    for (size_t i = rank; i-- > 0 && ++index[i] == shape[i];)
      index[i] = 0;
  }
  return owned(shape, x.width, std::move(bytes));
}

//===-- Recipes -----------------------------------------------------------===//

/// What a step of a recipe gives: codes, and their scales where there are some.
struct Made {
  ElementType type = ElementType::BF16;
  Array codes;
  bool scaled = false;
  ElementType scaleType = ElementType::F32;
  Array scales;
  int64_t block[2] = {kBlock, kBlock};

  /// Rows or columns of one scale block along |dim|; 1 where a step may cut anywhere.
  int64_t blockOf(size_t dim) const {
    size_t rank = codes.shape.size();
    return scaled && dim + 2 >= rank ? block[dim + 2 - rank] : 1;
  }
};

class Recipe {
public:
  /// |type| is the declared type, which knows the blocks.
  Recipe(const TensorLookup &lookup, std::optional<int64_t> layer, mlir::Type type) : lookup(lookup) {
    if (layer)
      bindings["layer"] = *layer;
    if (auto scaled = dyn_cast<BlockScaledType>(type))
      std::copy_n(scaled.getBlock().begin(), 2, block);
  }

  Expected<Made> make(Attribute recipe) {
    return llvm::TypeSwitch<Attribute, Expected<Made>>(recipe)
        .Case<ReadAttr, SliceAttr, ConcatAttr, StackAttr, TransposeAttr, ReshapeAttr, DequantiseAttr>(
            [&](auto step) { return run(step); })
        .Default([](Attribute) -> Expected<Made> { return refuse("a weight has an unknown recipe"); });
  }

private:
  const TensorLookup &lookup;
  std::map<std::string, int64_t> bindings;
  int64_t block[2] = {kBlock, kBlock};

  /// |name| with "{placeholder}" replaced by its number.
  std::string bind(llvm::StringRef name) const {
    std::string text = name.str();
    for (const auto &[placeholder, number] : bindings)
      for (size_t at; (at = text.find("{" + placeholder + "}")) != std::string::npos;)
        text.replace(at, placeholder.size() + 2, std::to_string(number));
    return text;
  }

  Expected<Array> read(llvm::StringRef name, ElementType &type) {
    QUERN_ASSIGN_OR_RETURN(RawTensor tensor, lookup(bind(name)));
    type = tensor.type;
    return Array{tensor.shape, elementBits(tensor.type) / 8, tensor.bytes, nullptr};
  }

  Expected<Made> run(ReadAttr step) {
    Made made;
    QUERN_ASSIGN_OR_RETURN(made.codes, read(step.getName(), made.type));
    if (StringAttr scale = step.getScale()) {
      made.scaled = true;
      std::copy_n(block, 2, made.block);
      QUERN_ASSIGN_OR_RETURN(made.scales, read(scale, made.scaleType));
      if (made.scaleType == ElementType::U8)
        made.scaleType = ElementType::F8E8M0;
    }
    return made;
  }

  Expected<Made> run(SliceAttr step) {
    QUERN_ASSIGN_OR_RETURN(Made made, make(step.getSource()));
    size_t dim = static_cast<size_t>(step.getDim());
    int64_t begin = step.getBegin(), end = step.getEnd();
    if (dim >= made.codes.shape.size() || end > made.codes.shape[dim])
      return refuse("a slice of dimension " + std::to_string(dim) + " up to " + std::to_string(end) +
                    " leaves a tensor of shape " + shapeText(made.codes.shape));
    int64_t block = made.blockOf(dim);
    if (begin % block || (end % block && end != made.codes.shape[dim]))
      return refuse("a slice from " + std::to_string(begin) + " to " + std::to_string(end) +
                    " cuts through a scale block");
    made.codes = sliceOf(made.codes, dim, begin, end);
    if (made.scaled)
      made.scales = sliceOf(made.scales, dim, begin / block, (end + block - 1) / block);
    return made;
  }

  /// Parts that become one tensor must agree in type and in all dimensions but |dim|.
  static Status checkParts(const std::vector<Made> &parts, size_t dim) {
    for (const Made &part : parts) {
      Shape first = parts[0].codes.shape, other = part.codes.shape;
      if (dim < first.size() && dim < other.size())
        first[dim] = other[dim] = 0;
      if (first != other || part.type != parts[0].type || part.scaled != parts[0].scaled ||
          part.scaleType != parts[0].scaleType)
        return refuse("tensors of shapes " + shapeText(parts[0].codes.shape) + " and " +
                      shapeText(part.codes.shape) + ", or of other types, are put together");
    }
    return Status::success();
  }

  static Made joined(const std::vector<Made> &parts, size_t dim) {
    Made made = parts[0];
    std::vector<Array> codes, scales;
    for (const Made &part : parts) {
      codes.push_back(part.codes);
      scales.push_back(part.scales);
    }
    made.codes = concatOf(codes, dim);
    if (made.scaled)
      made.scales = concatOf(scales, dim);
    return made;
  }

  Expected<Made> run(ConcatAttr step) {
    std::vector<Made> parts;
    size_t dim = static_cast<size_t>(step.getDim());
    for (Attribute source : step.getSources()) {
      QUERN_ASSIGN_OR_RETURN(Made part, make(source));
      parts.push_back(std::move(part));
    }
    QUERN_RETURN_IF_ERROR(checkParts(parts, dim));
    if (dim >= parts[0].codes.shape.size())
      return refuse("a concatenation along dimension " + std::to_string(dim) + " of a tensor of shape " +
                    shapeText(parts[0].codes.shape));
    for (size_t i = 0; i + 1 < parts.size(); ++i)
      if (parts[i].codes.shape[dim] % parts[i].blockOf(dim))
        return refuse("a concatenation ends a part inside a scale block");
    return joined(parts, dim);
  }

  Expected<Made> run(StackAttr step) {
    std::vector<Made> parts;
    std::string placeholder = step.getPlaceholder().str();
    for (int64_t i = 0; i < step.getCount(); ++i) {
      bindings[placeholder] = i;
      QUERN_ASSIGN_OR_RETURN(Made part, make(step.getSource()));
      parts.push_back(std::move(part));
    }
    bindings.erase(placeholder);
    QUERN_RETURN_IF_ERROR(checkParts(parts, ~size_t{0}));
    for (Made &part : parts) {
      part.codes.shape.insert(part.codes.shape.begin(), 1);
      if (part.scaled)
        part.scales.shape.insert(part.scales.shape.begin(), 1);
    }
    return joined(parts, 0);
  }

  Expected<Made> run(TransposeAttr step) {
    QUERN_ASSIGN_OR_RETURN(Made made, make(step.getSource()));
    if (step.getPermutation().size() != made.codes.shape.size())
      return refuse("a tensor of shape " + shapeText(made.codes.shape) + " is transposed by another rank");
    size_t rank = made.codes.shape.size();
    for (size_t i = 0; made.scaled && i + 2 < rank; ++i)
      if (step.getPermutation()[i] + 2 >= static_cast<int64_t>(rank))
        return refuse("a transposition moves the scale blocks away from the last two dimensions");
    made.codes = transposeOf(made.codes, step.getPermutation());
    if (made.scaled) {
      made.scales = transposeOf(made.scales, step.getPermutation());
      if (step.getPermutation().back() + 1 != static_cast<int64_t>(rank))
        std::swap(made.block[0], made.block[1]);
    }
    return made;
  }

  Expected<Made> run(ReshapeAttr step) {
    QUERN_ASSIGN_OR_RETURN(Made made, make(step.getSource()));
    Shape shape(step.getShape().begin(), step.getShape().end());
    if (elementCount(shape) != elementCount(made.codes.shape))
      return refuse("a tensor of shape " + shapeText(made.codes.shape) + " is reshaped to " +
                    shapeText(shape));
    if (made.scaled) {
      size_t from = made.codes.shape.size(), to = shape.size();
      if (to < 2 || made.codes.shape[from - 1] != shape[to - 1] ||
          made.codes.shape[from - 2] != shape[to - 2])
        return refuse("a reshape moves scale blocks");
      Shape scaleShape = shape;
      scaleShape[to - 1] = made.scales.shape.back();
      scaleShape[to - 2] = made.scales.shape[made.scales.shape.size() - 2];
      made.scales.shape = scaleShape;
    }
    made.codes.shape = shape;
    return made;
  }

  Expected<Made> run(DequantiseAttr step);
};

/// |made| as a weight in stored form.
Packed packedOf(const Made &made) {
  Packed packed;
  packed.type = made.type;
  packed.shape = made.codes.shape;
  packed.bytes = made.codes.bytes;
  if (made.scaled) {
    std::copy_n(made.block, 2, packed.block);
    packed.scaleType = made.scaleType;
    packed.scales = made.scales.bytes;
  }
  if (made.codes.owner || made.scales.owner)
    packed.owner = std::make_shared<std::pair<std::shared_ptr<const void>, std::shared_ptr<const void>>>(
        made.codes.owner, made.scales.owner);
  return packed;
}

Expected<Made> Recipe::run(DequantiseAttr step) {
  QUERN_ASSIGN_OR_RETURN(Made made, make(step.getSource()));
  Packed packed = packedOf(made);
  QUERN_RETURN_IF_ERROR(packed.check());
  Packed plain = pack(packed.unpack(ElementType::BF16));
  Made result;
  result.type = ElementType::BF16;
  result.codes = {plain.shape, 2, plain.bytes, plain.owner};
  return result;
}

ElementType declaredElement(mlir::Type type) {
  if (isa<BFloat16Type>(type))
    return ElementType::BF16;
  if (isa<Float16Type>(type))
    return ElementType::F16;
  return ElementType::F32;
}

} // namespace

CheckpointWeights::CheckpointWeights(Operation *module, TensorLookup lookup)
    : module(module), lookup(std::move(lookup)) {}

CheckpointWeights::CheckpointWeights(Operation *module, const Checkpoint &checkpoint)
    : CheckpointWeights(module, [&checkpoint](const std::string &name) -> Expected<RawTensor> {
        QUERN_ASSIGN_OR_RETURN(const Checkpoint::Tensor *tensor, checkpoint.get(name));
        return RawTensor{tensor->type(), Shape(tensor->shape().begin(), tensor->shape().end()),
                         tensor->bytes()};
      }) {}

Expected<Packed> CheckpointWeights::weight(std::string_view symbol, std::optional<int64_t> layer) {
  auto key = std::make_pair(std::string(symbol), layer.value_or(-1));
  if (auto found = kept.find(key); found != kept.end())
    return found->second;
  auto declared = dyn_cast_or_null<WeightOp>(SymbolTable::lookupSymbolIn(module, llvm::StringRef(symbol)));
  if (!declared)
    return Status::error(Exit::Unexpected, "E-ORACLE-WEIGHT",
                         "no weight `" + std::string(symbol) + "` is declared");
  Attribute recipe = declared.getRecipe().value_or(Attribute());
  if (!recipe)
    recipe = ReadAttr::get(declared.getContext(), declared.getSymName());
  QUERN_ASSIGN_OR_RETURN(Made made, Recipe(lookup, layer, declared.getType()).make(recipe));
  ArrayRef<int64_t> shape = shapeOf(declared.getType());
  if (!llvm::equal(shape, made.codes.shape))
    return refuse("weight `" + std::string(symbol) + "` is made with the shape " +
                  shapeText(made.codes.shape) + ", declared " + shapeText(Shape(shape.begin(), shape.end())));
  Packed packed = packedOf(made);
  QUERN_RETURN_IF_ERROR(packed.check());
  if (auto scaled = dyn_cast<BlockScaledType>(declared.getType())) {
    packed.powerOfTwoScales = scaled.hasPowerOfTwoScales();
  } else if (ElementType type = declaredElement(elementOf(declared.getType())); type != packed.type) {
    packed = pack(packed.unpack(type));
  }
  // Views cost nothing; what was put together is kept, and all of it dropped when it grows past the budget.
  if (packed.owner) {
    uint64_t size = packed.bytes.size() + packed.scales.size();
    if (keptBytes + size > kKeepBytes) {
      kept.clear();
      keptBytes = 0;
    }
    keptBytes += size;
    kept.emplace(key, packed);
  }
  return packed;
}

} // namespace quern::model::reference
