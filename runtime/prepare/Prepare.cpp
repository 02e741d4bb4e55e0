//===- Prepare.cpp --------------------------------------------------------===//
#include "runtime/prepare/Prepare.h"

#include "runtime/artifact/RandomWeights.h"
#include "runtime/prepare/RecipeEvaluator.h"
#include "support/Interrupt.h"

#include <algorithm>
#include <cstring>
#include <mutex>

namespace quern::runtime {

namespace {

using Kind = Recipe::Kind;

constexpr uint64_t alignment = 256;
/// Random tensors are made, and converted ones are uploaded, in chunks of at most so many elements.
constexpr uint64_t chunkElements = uint64_t(1) << 20;

uint64_t strideOf(const PreparedTensor &tensor) {
  return (tensor.bytes() + alignment - 1) / alignment * alignment;
}

uint64_t arenaBytes(const PreparedTensor &tensor) {
  uint64_t layers = tensor.layers ? uint64_t(tensor.layers->second - tensor.layers->first) : 1;
  return strideOf(tensor) * layers;
}

/// A part of a prepared tensor that one thread makes: |wrappers|, outermost first, around |body|.
struct Piece {
  size_t tensor;
  Bindings bindings;
  std::vector<const Recipe *> wrappers;
  const Recipe *body;
  uint64_t offset;                         ///< in the tensor's arena
  uint64_t firstElement = 0, elements = 0; ///< of a random tensor: which; else all
};

/// True for a step that treats every element (or scale) alone.
bool isElementwise(Kind kind) {
  return kind == Kind::Fnuz || kind == Kind::Convert || kind == Kind::Scales || kind == Kind::Dequantise;
}

/// |piece| as one recipe.
Recipe wrapped(const Piece &piece) {
  Recipe recipe = *piece.body;
  for (size_t i = piece.wrappers.size(); i-- > 0;) {
    Recipe outer = *piece.wrappers[i];
    outer.operands = {std::move(recipe)};
    recipe = std::move(outer);
  }
  return recipe;
}

class Preparation {
public:
  Preparation(const Plan &plan, const Artifact &artifact, Device &device, const PrepareOptions &options)
      : plan(plan), artifact(artifact), device(device), options(options), sources(artifact) {}

  Status planPieces();
  Status run(const std::vector<Buffer *> &buffers);

  PrepareStatistics statistics(uint64_t bytes) const {
    return {bytes, sources.bytesRead() + randomBytes.load(), memory.peak.load()};
  }

private:
  Status planTensor(size_t number, int64_t layer, uint64_t offset);
  Status split(Piece piece);
  Status execute(const Piece &piece, Buffer &buffer);
  Status makeRandom(const Piece &piece, const Weight &weight, Buffer &buffer);
  Status store(const HostArray &array, ElementType to, Buffer &buffer, uint64_t offset);
  Status write(Buffer &buffer, uint64_t offset, ByteSpan bytes);
  RecipeEvaluator evaluator(const Piece &piece) {
    return RecipeEvaluator(sources, memory, plan.tensors[piece.tensor].name, piece.bindings);
  }
  ElementType typeOf(const Piece &piece) const { return *parseElementType(plan.tensors[piece.tensor].dtype); }

  const Plan &plan;
  const Artifact &artifact;
  Device &device;
  const PrepareOptions &options;
  SourceTensors sources;
  HostMemory memory;
  std::vector<Piece> pieces;
  std::mutex deviceMutex; ///< uploads take turns
  std::atomic<uint64_t> randomBytes{0};
};

//===----------------------------------------------------------------------===//
// Pieces
//===----------------------------------------------------------------------===//

Status Preparation::planPieces() {
  for (size_t i = 0; i < plan.tensors.size(); ++i) {
    const PreparedTensor &tensor = plan.tensors[i];
    if (!tensor.layers) {
      QUERN_RETURN_IF_ERROR(planTensor(i, -1, 0));
      continue;
    }
    for (int64_t layer = tensor.layers->first; layer < tensor.layers->second; ++layer)
      QUERN_RETURN_IF_ERROR(planTensor(i, layer, uint64_t(layer - tensor.layers->first) * strideOf(tensor)));
  }
  return Status::success();
}

Status Preparation::planTensor(size_t number, int64_t layer, uint64_t offset) {
  const PreparedTensor &tensor = plan.tensors[number];
  Piece piece{number, {}, {}, &tensor.recipe, offset};
  if (layer >= 0)
    piece.bindings.emplace_back("layer", layer);
  QUERN_ASSIGN_OR_RETURN(RecipeType type, evaluator(piece).infer(tensor.recipe));
  if (type.shape != tensor.shape || !isConvertible(type.type, typeOf(piece)))
    return Status::error(Exit::BadInput, "E-PREPARE-SHAPE",
                         "the recipe of the tensor `" + tensor.name +
                             "` makes another type or shape than it has")
        .remedy("compile the artifact again");
  return split(std::move(piece));
}

Status Preparation::split(Piece piece) {
  const Recipe &body = *piece.body;
  // Elementwise steps move into the parts of what they are applied to.
  if (isElementwise(body.kind)) {
    const Recipe &inner = body.operands[0];
    if (isElementwise(inner.kind) || inner.kind == Kind::Stack ||
        (inner.kind == Kind::Concat && inner.dim == 0)) {
      piece.wrappers.push_back(&body);
      piece.body = &inner;
      return split(std::move(piece));
    }
  } else if (body.kind == Kind::Stack || (body.kind == Kind::Concat && body.dim == 0)) {
    bool stack = body.kind == Kind::Stack;
    size_t count = stack ? size_t(body.count) : body.operands.size();
    uint64_t width = elementBits(typeOf(piece)) / 8, offset = piece.offset;
    for (size_t i = 0; i < count; ++i) {
      Piece part = piece;
      part.offset = offset;
      part.body = &body.operands[stack ? 0 : i];
      if (stack)
        part.bindings.emplace_back(body.placeholder, int64_t(i));
      QUERN_ASSIGN_OR_RETURN(RecipeType type, evaluator(part).infer(wrapped(part)));
      uint64_t elements = 1;
      for (int64_t extent : type.shape)
        elements *= uint64_t(extent);
      offset += elements * width;
      QUERN_RETURN_IF_ERROR(split(std::move(part)));
    }
    return Status::success();
  }
  RecipeEvaluator own = evaluator(piece);
  std::vector<std::string> reads;
  Recipe whole = wrapped(piece);
  own.forEachRead(whole, false, [&](const std::string &name) { reads.push_back(name); });
  if (whole.kind == Kind::Read) {
    QUERN_ASSIGN_OR_RETURN(Weight weight, artifact.weight(reads[0]));
    if (weight.kind == WeightKind::Random && weight.type == typeOf(piece)) {
      uint64_t width = elementBits(weight.type) / 8, count = weight.size / width;
      for (uint64_t first = 0; first < count; first += chunkElements) {
        Piece part = piece;
        part.firstElement = first;
        part.elements = std::min(chunkElements, count - first);
        part.offset += first * width;
        pieces.push_back(std::move(part));
      }
      return Status::success();
    }
  }
  for (const std::string &name : reads)
    sources.announce(name);
  pieces.push_back(std::move(piece));
  return Status::success();
}

//===----------------------------------------------------------------------===//
// Bytes
//===----------------------------------------------------------------------===//

Status Preparation::write(Buffer &buffer, uint64_t offset, ByteSpan bytes) {
  if (std::byte *memory = buffer.hostPointer()) {
    std::memcpy(memory + offset, bytes.data(), bytes.size());
  } else {
    std::lock_guard<std::mutex> lock(deviceMutex);
    QUERN_RETURN_IF_ERROR(device.upload(buffer, offset, bytes));
  }
  if (options.progress)
    options.progress(bytes.size());
  return Status::success();
}

Status Preparation::store(const HostArray &array, ElementType to, Buffer &buffer, uint64_t offset) {
  if (array.type == to)
    return write(buffer, offset, array.bytes);
  uint64_t width = elementBits(to) / 8, count = array.bytes.size() / (elementBits(array.type) / 8);
  std::vector<std::byte> chunk(std::min(count, chunkElements) * width);
  for (uint64_t first = 0; first < count; first += chunkElements) {
    uint64_t elements = std::min(chunkElements, count - first);
    convertElements(array, to, 1.0, first, elements, chunk.data());
    QUERN_RETURN_IF_ERROR(write(buffer, offset + first * width, ByteSpan(chunk).first(elements * width)));
  }
  return Status::success();
}

Status Preparation::makeRandom(const Piece &piece, const Weight &weight, Buffer &buffer) {
  uint64_t bytes = piece.elements * (elementBits(weight.type) / 8);
  randomBytes += bytes;
  if (std::byte *memory = buffer.hostPointer()) {
    fillRandom(weight, piece.firstElement, {memory + piece.offset, bytes});
    if (options.progress)
      options.progress(bytes);
    return Status::success();
  }
  std::vector<std::byte> chunk(bytes);
  fillRandom(weight, piece.firstElement, chunk);
  return write(buffer, piece.offset, chunk);
}

Status Preparation::execute(const Piece &piece, Buffer &buffer) {
  QUERN_RETURN_IF_ERROR(checkInterrupt());
  RecipeEvaluator own = evaluator(piece);
  Recipe recipe = wrapped(piece);
  if (piece.elements != 0) {
    std::string name;
    own.forEachRead(recipe, false, [&](const std::string &read) { name = read; });
    QUERN_ASSIGN_OR_RETURN(Weight weight, artifact.weight(name));
    return makeRandom(piece, weight, buffer);
  }
  QUERN_ASSIGN_OR_RETURN(HostArray array, own.values(recipe));
  return store(array, typeOf(piece), buffer, piece.offset);
}

/// The error of the first piece that has one, whatever the number of threads.
Status Preparation::run(const std::vector<Buffer *> &buffers) {
  std::mutex errorMutex;
  Status error = Status::success();
  std::atomic<size_t> failed{pieces.size()};
  options.pool->parallelFor(0, pieces.size(), 1, [&](uint64_t first, uint64_t last, unsigned) {
    for (size_t i = first; i < last; ++i) {
      if (i > failed.load())
        return;
      Status status = execute(pieces[i], *buffers[pieces[i].tensor]);
      if (status.ok())
        continue;
      std::lock_guard<std::mutex> lock(errorMutex);
      if (i < failed.load()) {
        failed = i;
        error = std::move(status);
      }
    }
  });
  QUERN_RETURN_IF_ERROR(std::move(error));
  return device.synchronize();
}

} // namespace

std::vector<Buffer *> PreparedWeights::buffers() const {
  std::vector<Buffer *> result;
  for (const Arena &arena : arenas)
    result.push_back(arena.buffer.get());
  return result;
}

uint64_t PreparedWeights::bytesNeeded(const Plan &plan) {
  uint64_t total = 0;
  for (const PreparedTensor &tensor : plan.tensors)
    total += arenaBytes(tensor);
  return total;
}

Expected<PreparedWeights> PreparedWeights::prepare(const Plan &plan, const Artifact &artifact, Device &device,
                                                   const PrepareOptions &options) {
  Preparation preparation(plan, artifact, device, options);
  QUERN_RETURN_IF_ERROR(preparation.planPieces());
  PreparedWeights weights;
  std::vector<Buffer *> buffers;
  for (const PreparedTensor &tensor : plan.tensors) {
    Arena arena;
    QUERN_ASSIGN_OR_RETURN(arena.buffer, device.allocate(arenaBytes(tensor)));
    arena.first = tensor.layers ? tensor.layers->first : 0;
    arena.stride = strideOf(tensor);
    buffers.push_back(arena.buffer.get());
    weights.arenas.push_back(std::move(arena));
  }
  QUERN_RETURN_IF_ERROR(preparation.run(buffers));
  weights.counts = preparation.statistics(bytesNeeded(plan));
  return weights;
}

} // namespace quern::runtime
