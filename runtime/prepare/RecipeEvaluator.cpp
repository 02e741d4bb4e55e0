//===- RecipeEvaluator.cpp ------------------------------------------------===//
#include "runtime/prepare/RecipeEvaluator.h"

#include "support/Float8.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace quern::runtime {

namespace {

using Kind = Recipe::Kind;

int64_t product(const Shape &shape, size_t first, size_t last) {
  int64_t count = 1;
  for (size_t i = first; i < last; ++i)
    count *= shape[i];
  return count;
}

std::string text(const Shape &shape) {
  std::string result = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    result += (i ? ", " : "") + std::to_string(shape[i]);
  return result + "]";
}

size_t widthOf(ElementType type) { return elementBits(type) / 8; }

/// Scale blocks along |extent| elements.
int64_t blocks(int64_t extent, int64_t block) { return (extent + block - 1) / block; }

} // namespace

Status RecipeEvaluator::refuse(const std::string &sentence) const {
  return Status::error(Exit::BadInput, "E-PREPARE-RECIPE",
                       "cannot prepare the tensor `" + tensor + "`: " + sentence)
      .remedy("compile the artifact again");
}

std::string RecipeEvaluator::bind(const std::string &name) const {
  std::string result = name;
  for (const auto &[placeholder, number] : bindings) {
    std::string mark = "{" + placeholder + "}", digits = std::to_string(number);
    for (size_t at = 0; (at = result.find(mark, at)) != std::string::npos; at += digits.size())
      result.replace(at, mark.size(), digits);
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

Expected<RecipeType> RecipeEvaluator::infer(const Recipe &recipe) {
  RecipeType result;
  auto operand = [&]() { return infer(recipe.operands[0]); };
  switch (recipe.kind) {
  case Kind::Read: {
    QUERN_ASSIGN_OR_RETURN(Weight codes, sources.describe(bind(recipe.name)));
    result.type = codes.type;
    result.shape.assign(codes.shape().begin(), codes.shape().end());
    if (recipe.scales.empty())
      return result;
    QUERN_ASSIGN_OR_RETURN(Weight scales, sources.describe(bind(recipe.scales)));
    result.scaled = true;
    result.scaleType = scales.type == ElementType::U8 ? ElementType::F8E8M0 : scales.type;
    result.scales.assign(scales.shape().begin(), scales.shape().end());
    Shape expected = result.shape;
    if (expected.size() < 2)
      return refuse("`" + bind(recipe.name) + "` has scales and less than two dimensions");
    for (size_t i = expected.size() - 2; i < expected.size(); ++i)
      expected[i] = blocks(expected[i], result.blockOf(i));
    if (expected != result.scales)
      return refuse("`" + bind(recipe.scales) + "` has the shape " + text(result.scales) + " in place of " +
                    text(expected));
    if (!isConvertible(result.scaleType, ElementType::F32))
      return refuse("scales of the type " + std::string(elementTypeName(result.scaleType)));
    return result;
  }
  case Kind::Slice: {
    QUERN_ASSIGN_OR_RETURN(result, operand());
    size_t dim = size_t(recipe.dim);
    if (dim >= result.shape.size() || recipe.end > result.shape[dim])
      return refuse("a slice up to " + std::to_string(recipe.end) + " of dimension " + std::to_string(dim) +
                    " leaves a tensor of shape " + text(result.shape));
    int64_t block = result.blockOf(dim);
    if (recipe.begin % block || (recipe.end % block && recipe.end != result.shape[dim]))
      return refuse("a slice from " + std::to_string(recipe.begin) + " to " + std::to_string(recipe.end) +
                    " cuts through a scale block");
    result.shape[dim] = recipe.end - recipe.begin;
    if (result.scaled)
      result.scales[dim] = blocks(recipe.end, block) - recipe.begin / block;
    return result;
  }
  case Kind::Concat:
  case Kind::Stack: {
    bool stack = recipe.kind == Kind::Stack;
    size_t count = stack ? size_t(recipe.count) : recipe.operands.size(), dim = size_t(recipe.dim);
    for (size_t i = 0; i < count; ++i) {
      if (stack)
        bindings.emplace_back(recipe.placeholder, int64_t(i));
      Expected<RecipeType> inferred = infer(recipe.operands[stack ? 0 : i]);
      if (stack)
        bindings.pop_back();
      if (!inferred.ok())
        return inferred.takeError();
      RecipeType part = *std::move(inferred);
      if (i == 0) {
        result = part;
        if (!stack && dim >= result.shape.size())
          return refuse("a concatenation along dimension " + std::to_string(dim) + " of a tensor of shape " +
                        text(result.shape));
        continue;
      }
      RecipeType first = result, other = part;
      if (!stack && dim < other.shape.size())
        first.shape[dim] = other.shape[dim] = 0;
      if (first.shape != other.shape || first.type != other.type || first.scaled != other.scaled ||
          first.scaleType != other.scaleType)
        return refuse("tensors of shapes " + text(result.shape) + " and " + text(part.shape) +
                      ", or of other types, are put together");
      if (stack)
        continue;
      if (result.shape[dim] % result.blockOf(dim))
        return refuse("a concatenation ends a part inside a scale block");
      result.shape[dim] += part.shape[dim];
      if (result.scaled)
        result.scales[dim] += part.scales[dim];
    }
    if (stack) {
      result.shape.insert(result.shape.begin(), int64_t(count));
      if (result.scaled)
        result.scales.insert(result.scales.begin(), int64_t(count));
    }
    return result;
  }
  case Kind::Transpose: {
    QUERN_ASSIGN_OR_RETURN(RecipeType from, operand());
    size_t rank = from.shape.size();
    if (recipe.permutation.size() != rank)
      return refuse("a tensor of shape " + text(from.shape) + " is transposed by another rank");
    result = from;
    for (size_t i = 0; i < rank; ++i) {
      size_t source = size_t(recipe.permutation[i]);
      if (from.scaled && i + 2 < rank && source + 2 >= rank)
        return refuse("a transposition moves scale blocks away from the last two dimensions");
      result.shape[i] = from.shape[source];
      if (from.scaled)
        result.scales[i] = from.scales[source];
    }
    if (from.scaled && size_t(recipe.permutation.back()) + 1 != rank)
      std::swap(result.block[0], result.block[1]);
    return result;
  }
  case Kind::Reshape: {
    QUERN_ASSIGN_OR_RETURN(result, operand());
    size_t from = result.shape.size(), to = recipe.shape.size();
    if (product(recipe.shape, 0, to) != product(result.shape, 0, from))
      return refuse("a tensor of shape " + text(result.shape) + " is reshaped to " + text(recipe.shape));
    if (result.scaled) {
      if (to < 2 || result.shape[from - 1] != recipe.shape[to - 1] ||
          result.shape[from - 2] != recipe.shape[to - 2])
        return refuse("a reshape moves scale blocks");
      Shape scales = recipe.shape;
      scales[to - 1] = result.scales[from - 1];
      scales[to - 2] = result.scales[from - 2];
      result.scales = scales;
    }
    result.shape = recipe.shape;
    return result;
  }
  case Kind::Dequantise: {
    QUERN_ASSIGN_OR_RETURN(result, operand());
    if (!result.scaled || result.type != ElementType::F8E4M3)
      return refuse("a tensor without scales is dequantised");
    result.scaled = false;
    result.type = ElementType::BF16;
    return result;
  }
  case Kind::Fnuz: {
    QUERN_ASSIGN_OR_RETURN(result, operand());
    if (result.type != ElementType::F8E4M3)
      return refuse("a tensor without fp8 codes is re-encoded");
    return result;
  }
  case Kind::Scales: {
    QUERN_ASSIGN_OR_RETURN(RecipeType from, operand());
    if (!from.scaled)
      return refuse("the scales of a tensor without scales are asked for");
    result.type = ElementType::F32;
    result.shape = from.scales;
    return result;
  }
  case Kind::Convert: {
    QUERN_ASSIGN_OR_RETURN(result, operand());
    ElementType to = *parseElementType(recipe.dtype);
    if (result.scaled || !isConvertible(result.type, to))
      return refuse("elements of the type " + std::string(elementTypeName(result.type)) +
                    " are converted to " + recipe.dtype);
    result.type = to;
    return result;
  }
  case Kind::Constant:
    result.shape = recipe.shape;
    return result;
  }
  return refuse("an unknown step");
}

void RecipeEvaluator::forEachRead(const Recipe &recipe, bool scales,
                                  const std::function<void(const std::string &)> &use) {
  switch (recipe.kind) {
  case Kind::Read:
    use(bind(scales ? recipe.scales : recipe.name));
    return;
  case Kind::Stack:
    for (int64_t i = 0; i < recipe.count; ++i) {
      bindings.emplace_back(recipe.placeholder, i);
      forEachRead(recipe.operands[0], scales, use);
      bindings.pop_back();
    }
    return;
  case Kind::Dequantise:
    forEachRead(recipe.operands[0], false, use);
    forEachRead(recipe.operands[0], true, use);
    return;
  default:
    for (const Recipe &operand : recipe.operands)
      forEachRead(operand, scales || recipe.kind == Kind::Scales, use);
  }
}

std::optional<RecipeEvaluator::PlainRead> RecipeEvaluator::plainRead(const Recipe &recipe, ElementType type) {
  const Recipe *at = &recipe;
  SourceRole role = SourceRole::Values;
  while (at->kind == Kind::Reshape || (at->kind == Kind::Scales && at->factor == 1.0)) {
    if (at->kind == Kind::Scales)
      role = SourceRole::Scales;
    at = &at->operands[0];
  }
  if (at->kind != Kind::Read)
    return std::nullopt;
  Expected<Weight> weight = sources.describe(bind(role == SourceRole::Scales ? at->scales : at->name));
  if (!weight.ok() || weight->kind == WeightKind::Random || weight->type != type)
    return std::nullopt;
  return PlainRead{*weight, role};
}

//===----------------------------------------------------------------------===//
// Bytes
//===----------------------------------------------------------------------===//

HostArray RecipeEvaluator::make(ElementType type, Shape shape, std::byte *&bytes) {
  uint64_t size = uint64_t(product(shape, 0, shape.size())) * widthOf(type);
  uint64_t used = memory.used += size;
  for (uint64_t peak = memory.peak; used > peak && !memory.peak.compare_exchange_weak(peak, used);)
    ;
  bytes = static_cast<std::byte *>(std::malloc(std::max<uint64_t>(size, 1)));
  auto free = [&memory = memory, size](std::byte *pointer) {
    std::free(pointer);
    memory.used -= size;
  };
  return {type, std::move(shape), {bytes, bytes ? size : 0}, std::shared_ptr<std::byte>(bytes, free)};
}

static Status outOfMemory() {
  return Status::error(Exit::Resource, "E-HOST-OUT-OF-MEMORY", "the host has no memory to prepare weights in")
      .remedy("end other programs, or prepare with fewer threads (--threads)");
}

Expected<HostArray> RecipeEvaluator::read(const std::string &name, SourceRole role) {
  QUERN_ASSIGN_OR_RETURN(Weight weight, sources.describe(name));
  QUERN_ASSIGN_OR_RETURN(SourceTensors::Bytes bytes, sources.read(weight, role));
  ElementType type = weight.type;
  if (role == SourceRole::Scales && type == ElementType::U8)
    type = ElementType::F8E8M0;
  return HostArray{type, Shape(weight.shape().begin(), weight.shape().end()), bytes.span, bytes.hold};
}

HostArray RecipeEvaluator::slice(const HostArray &x, size_t dim, int64_t begin, int64_t end) {
  Shape shape = x.shape;
  shape[dim] = end - begin;
  size_t outer = size_t(product(x.shape, 0, dim));
  size_t inner = size_t(product(x.shape, dim + 1, x.shape.size())) * widthOf(x.type);
  size_t from = size_t(x.shape[dim]) * inner, length = size_t(end - begin) * inner,
         at = size_t(begin) * inner;
  if (outer == 1)
    return {x.type, shape, x.bytes.subspan(at, length), x.hold};
  std::byte *bytes;
  HostArray result = make(x.type, shape, bytes);
  for (size_t o = 0; bytes && o < outer; ++o)
    std::memcpy(bytes + o * length, x.bytes.data() + o * from + at, length);
  return result;
}

HostArray RecipeEvaluator::transpose(const HostArray &x, const std::vector<int64_t> &permutation) {
  size_t rank = x.shape.size(), width = widthOf(x.type);
  Shape shape(rank), strides(rank), index(rank, 0);
  for (size_t i = 0; i < rank; ++i) {
    size_t from = size_t(permutation[i]);
    shape[i] = x.shape[from];
    strides[i] = product(x.shape, from + 1, rank);
  }
  std::byte *bytes;
  HostArray result = make(x.type, shape, bytes);
  for (int64_t n = product(shape, 0, rank), at = 0; bytes && n > 0; --n) {
    std::memcpy(bytes, x.bytes.data() + size_t(at) * width, width);
    bytes += width;
    for (size_t i = rank; i-- > 0;) {
      at += strides[i];
      if (++index[i] < shape[i])
        break;
      at -= strides[i] * shape[i];
      index[i] = 0;
    }
  }
  return result;
}

/// The operands of a concatenation or a stack, one beside the other.
Expected<HostArray> RecipeEvaluator::join(const Recipe &recipe, bool scales) {
  bool stack = recipe.kind == Kind::Stack;
  QUERN_ASSIGN_OR_RETURN(RecipeType type, infer(recipe));
  const Shape &shape = scales ? type.scales : type.shape;
  ElementType element = scales ? type.scaleType : type.type;
  size_t dim = stack ? 0 : size_t(recipe.dim), outer = size_t(product(shape, 0, dim));
  std::byte *bytes;
  HostArray result = make(element, shape, bytes);
  if (!bytes)
    return outOfMemory();
  size_t row = outer ? result.bytes.size() / outer : 0, at = 0;
  size_t count = stack ? size_t(recipe.count) : recipe.operands.size();
  for (size_t i = 0; i < count; ++i) {
    if (stack)
      bindings.emplace_back(recipe.placeholder, int64_t(i));
    Expected<HostArray> operand = part(recipe.operands[stack ? 0 : i], scales);
    if (stack)
      bindings.pop_back();
    if (!operand.ok())
      return operand.takeError();
    size_t length = outer ? operand->bytes.size() / outer : 0;
    for (size_t o = 0; o < outer; ++o)
      std::memcpy(bytes + o * row + at, operand->bytes.data() + o * length, length);
    at += length;
  }
  return result;
}

Expected<HostArray> RecipeEvaluator::dequantise(const Recipe &recipe) {
  QUERN_ASSIGN_OR_RETURN(RecipeType type, infer(recipe.operands[0]));
  QUERN_ASSIGN_OR_RETURN(HostArray codes, values(recipe.operands[0]));
  QUERN_ASSIGN_OR_RETURN(HostArray stored, scales(recipe.operands[0]));
  size_t rank = type.shape.size();
  int64_t rows = type.shape[rank - 2], columns = type.shape[rank - 1],
          outer = product(type.shape, 0, rank - 2);
  int64_t scaleRows = type.scales[rank - 2], scaleColumns = type.scales[rank - 1];
  std::vector<float> factors(size_t(product(type.scales, 0, rank)));
  convertElements(stored, ElementType::F32, 1.0, 0, factors.size(),
                  reinterpret_cast<std::byte *>(factors.data()));
  std::byte *bytes;
  HostArray result = make(ElementType::BF16, type.shape, bytes);
  if (!bytes)
    return outOfMemory();
  auto *out = reinterpret_cast<uint16_t *>(bytes);
  std::span<const float, 256> table = decodeTable(Float8::E4M3FN);
  const std::byte *code = codes.bytes.data();
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t r = 0; r < rows; ++r) {
      const float *scaleRow = factors.data() + (o * scaleRows + r / type.block[0]) * scaleColumns;
      for (int64_t c = 0; c < columns; ++c)
        *out++ = floatToBf16(table[uint8_t(*code++)] * scaleRow[c / type.block[1]]);
    }
  return result;
}

Expected<HostArray> RecipeEvaluator::values(const Recipe &recipe) { return part(recipe, false); }
Expected<HostArray> RecipeEvaluator::scales(const Recipe &recipe) { return part(recipe, true); }

Expected<HostArray> RecipeEvaluator::part(const Recipe &recipe, bool wantScales) {
  auto operand = [&]() { return part(recipe.operands[0], wantScales); };
  switch (recipe.kind) {
  case Kind::Read:
    return wantScales ? read(bind(recipe.scales), SourceRole::Scales)
                      : read(bind(recipe.name), SourceRole::Values);
  case Kind::Slice: {
    int64_t begin = recipe.begin, end = recipe.end;
    if (wantScales) {
      QUERN_ASSIGN_OR_RETURN(RecipeType type, infer(recipe.operands[0]));
      int64_t block = type.blockOf(size_t(recipe.dim));
      begin /= block;
      end = blocks(end, block);
    }
    QUERN_ASSIGN_OR_RETURN(HostArray x, operand());
    HostArray result = slice(x, size_t(recipe.dim), begin, end);
    return result.bytes.data() ? Expected<HostArray>(result) : outOfMemory();
  }
  case Kind::Concat:
  case Kind::Stack:
    return join(recipe, wantScales);
  case Kind::Transpose: {
    QUERN_ASSIGN_OR_RETURN(HostArray x, operand());
    HostArray result = transpose(x, recipe.permutation);
    return result.bytes.data() ? Expected<HostArray>(result) : outOfMemory();
  }
  case Kind::Reshape: {
    QUERN_ASSIGN_OR_RETURN(RecipeType type, infer(recipe));
    QUERN_ASSIGN_OR_RETURN(HostArray x, operand());
    x.shape = wantScales ? type.scales : type.shape;
    return x;
  }
  case Kind::Dequantise:
    return dequantise(recipe);
  case Kind::Fnuz: {
    QUERN_ASSIGN_OR_RETURN(HostArray x, operand());
    if (wantScales)
      return x;
    std::byte *bytes;
    HostArray result = make(x.type, x.shape, bytes);
    if (!bytes)
      return outOfMemory();
    for (std::byte code : x.bytes)
      *bytes++ = std::byte{fnToFnuz(uint8_t(code))};
    return result;
  }
  case Kind::Scales:
  case Kind::Convert: {
    QUERN_ASSIGN_OR_RETURN(HostArray x, part(recipe.operands[0], recipe.kind == Kind::Scales));
    ElementType to = recipe.kind == Kind::Scales ? ElementType::F32 : *parseElementType(recipe.dtype);
    double factor = recipe.kind == Kind::Scales ? recipe.factor : 1.0;
    std::byte *bytes;
    HostArray result = make(to, x.shape, bytes);
    if (!bytes)
      return outOfMemory();
    convertElements(x, to, factor, 0, uint64_t(product(x.shape, 0, x.shape.size())), bytes);
    return result;
  }
  case Kind::Constant:
    return HostArray{ElementType::F32, recipe.shape, std::as_bytes(std::span(recipe.values)), nullptr};
  }
  return refuse("an unknown step");
}

//===----------------------------------------------------------------------===//
// Element types
//===----------------------------------------------------------------------===//

bool isConvertible(ElementType from, ElementType to) {
  if (from == to)
    return true;
  bool number = from == ElementType::F32 || from == ElementType::BF16 || from == ElementType::F16;
  return (to == ElementType::BF16 && number) ||
         (to == ElementType::F32 && (number || from == ElementType::F8E8M0));
}

void convertElements(const HostArray &x, ElementType to, double factor, uint64_t first, uint64_t count,
                     std::byte *out) {
  size_t width = widthOf(x.type);
  const std::byte *in = x.bytes.data() + first * width;
  if (x.type == to && factor == 1.0) {
    std::memcpy(out, in, count * width);
    return;
  }
  auto load = [&](uint64_t i) -> float {
    if (width == 1)
      return decodeE8M0(uint8_t(in[i]));
    if (width == 2) {
      uint16_t code;
      std::memcpy(&code, in + 2 * i, 2);
      return x.type == ElementType::BF16 ? bf16ToFloat(code) : f16ToFloat(code);
    }
    float value;
    std::memcpy(&value, in + 4 * i, 4);
    return value;
  };
  if (to == ElementType::F32)
    for (uint64_t i = 0; i < count; ++i) {
      float value = float(double(load(i)) * factor);
      std::memcpy(out + 4 * i, &value, 4);
    }
  else
    for (uint64_t i = 0; i < count; ++i) {
      uint16_t code = floatToBf16(load(i));
      std::memcpy(out + 2 * i, &code, 2);
    }
}

} // namespace quern::runtime
