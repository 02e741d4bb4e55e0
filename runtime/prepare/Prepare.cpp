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
/// Of bytes that are used where they are (Device::adopt).
constexpr uint64_t inPlaceAlignment = 16;
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
  uint64_t offset;                                 ///< in its layer
  uint64_t firstElement = 0, elements = 0;         ///< of a random tensor: which; else all
  std::optional<RecipeEvaluator::PlainRead> plain; ///< set where the bytes may stay where they are
  ByteSpan found;                                  ///< of a plain read
};

/// One layer of a prepared tensor; a tensor without layers is one.
struct LayerPieces {
  size_t tensor, first, end; ///< pieces [first, end)
  ByteSpan inPlace;          ///< not empty where the layer stays in the file
  uint64_t base = 0;         ///< else: its offset in the buffer of the tensor
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
  /// Checks what may stay where it is, and sets `inPlace` of the layers that do.
  Status findInPlace();
  /// Makes all other layers, at `base` of their tensors' |buffers|.
  Status run(const std::vector<Buffer *> &buffers);

  PrepareStatistics statistics(uint64_t bytes) const {
    uint64_t inPlace = 0;
    for (const LayerPieces &layer : layers)
      inPlace += layer.inPlace.size();
    return {bytes, inPlace, sources.bytesRead() + randomBytes.load(), memory.peak.load()};
  }

  std::vector<LayerPieces> layers; ///< in the order of the tensors and their layers

private:
  Status planTensor(size_t number, int64_t layer);
  Status forPieces(const std::vector<size_t> &which, const std::function<Status(Piece &)> &work);
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
      QUERN_RETURN_IF_ERROR(planTensor(i, -1));
      continue;
    }
    for (int64_t layer = tensor.layers->first; layer < tensor.layers->second; ++layer)
      QUERN_RETURN_IF_ERROR(planTensor(i, layer));
  }
  return Status::success();
}

Status Preparation::planTensor(size_t number, int64_t layer) {
  const PreparedTensor &tensor = plan.tensors[number];
  Piece piece{.tensor = number,
              .bindings = {},
              .wrappers = {},
              .body = &tensor.recipe,
              .offset = 0,
              .plain = {},
              .found = {}};
  if (layer >= 0)
    piece.bindings.emplace_back("layer", layer);
  QUERN_ASSIGN_OR_RETURN(RecipeType type, evaluator(piece).infer(tensor.recipe));
  if (type.shape != tensor.shape || !isConvertible(type.type, typeOf(piece)))
    return Status::error(Exit::BadInput, "E-PREPARE-SHAPE",
                         "the recipe of the tensor `" + tensor.name +
                             "` makes another type or shape than it has")
        .remedy("compile the artifact again");
  layers.push_back({.tensor = number, .first = pieces.size(), .end = 0, .inPlace = {}});
  QUERN_RETURN_IF_ERROR(split(std::move(piece)));
  layers.back().end = pieces.size();
  return Status::success();
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
  if (options.inPlace)
    piece.plain = own.plainRead(whole, typeOf(piece));
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
Status Preparation::forPieces(const std::vector<size_t> &which, const std::function<Status(Piece &)> &work) {
  std::mutex errorMutex;
  Status error = Status::success();
  std::atomic<size_t> failed{which.size()};
  options.pool->parallelFor(0, which.size(), 1, [&](uint64_t first, uint64_t last, unsigned) {
    for (size_t i = first; i < last; ++i) {
      if (i > failed.load())
        return;
      Status status = checkInterrupt();
      if (status.ok())
        status = work(pieces[which[i]]);
      if (status.ok())
        continue;
      std::lock_guard<std::mutex> lock(errorMutex);
      if (i < failed.load()) {
        failed = i;
        error = std::move(status);
      }
    }
  });
  return error;
}

Status Preparation::findInPlace() {
  std::vector<size_t> candidates;
  for (const LayerPieces &layer : layers) {
    bool plain = layer.end > layer.first;
    for (size_t i = layer.first; i < layer.end; ++i)
      plain = plain && pieces[i].plain;
    for (size_t i = layer.first; plain && i < layer.end; ++i) {
      candidates.push_back(i);
      // It is read once to be checked and, where it does not stay, once more.
      sources.announce(std::string(pieces[i].plain->weight.name));
    }
  }
  QUERN_RETURN_IF_ERROR(forPieces(candidates, [&](Piece &piece) -> Status {
    QUERN_ASSIGN_OR_RETURN(SourceTensors::Bytes bytes, sources.read(piece.plain->weight, piece.plain->role));
    piece.found = bytes.span;
    return Status::success();
  }));
  for (LayerPieces &layer : layers) {
    const Piece &first = pieces[layer.first];
    bool joined =
        !first.found.empty() && reinterpret_cast<uintptr_t>(first.found.data()) % inPlaceAlignment == 0;
    for (size_t i = layer.first; joined && i < layer.end; ++i)
      joined = pieces[i].found.data() == first.found.data() + pieces[i].offset;
    if (!joined)
      continue;
    layer.inPlace = ByteSpan(first.found.data(), plan.tensors[layer.tensor].bytes());
    if (options.progress)
      options.progress(layer.inPlace.size());
  }
  return Status::success();
}

Status Preparation::run(const std::vector<Buffer *> &buffers) {
  std::vector<size_t> rest;
  for (const LayerPieces &layer : layers)
    for (size_t i = layer.first; layer.inPlace.empty() && i < layer.end; ++i) {
      pieces[i].offset += layer.base;
      rest.push_back(i);
    }
  QUERN_RETURN_IF_ERROR(
      forPieces(rest, [&](Piece &piece) { return execute(piece, *buffers[piece.tensor]); }));
  return device.synchronize();
}

} // namespace

std::vector<Buffer *> PreparedWeights::buffers() const {
  std::vector<Buffer *> result;
  for (const Arena &arena : arenas)
    for (const std::unique_ptr<Buffer> &buffer : arena.buffers)
      result.push_back(buffer.get());
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
  PrepareOptions wanted = options;
  wanted.inPlace = options.inPlace && device.adopt({}) != nullptr;
  Preparation preparation(plan, artifact, device, wanted);
  QUERN_RETURN_IF_ERROR(preparation.planPieces());
  if (wanted.inPlace)
    QUERN_RETURN_IF_ERROR(preparation.findInPlace());
  std::vector<uint64_t> copied(plan.tensors.size());
  for (LayerPieces &layer : preparation.layers)
    if (layer.inPlace.empty()) {
      layer.base = copied[layer.tensor];
      copied[layer.tensor] += strideOf(plan.tensors[layer.tensor]);
    }
  PreparedWeights weights;
  weights.arenas.resize(plan.tensors.size());
  std::vector<Buffer *> buffers(plan.tensors.size());
  for (size_t i = 0; i < plan.tensors.size(); ++i) {
    Arena &arena = weights.arenas[i];
    arena.first = plan.tensors[i].layers ? plan.tensors[i].layers->first : 0;
    if (copied[i] == 0)
      continue;
    QUERN_ASSIGN_OR_RETURN(std::unique_ptr<Buffer> buffer, device.allocate(copied[i]));
    buffers[i] = buffer.get();
    arena.buffers.push_back(std::move(buffer));
  }
  for (const LayerPieces &layer : preparation.layers) {
    Arena &arena = weights.arenas[layer.tensor];
    if (layer.inPlace.empty()) {
      arena.addresses.push_back(buffers[layer.tensor]->address() + layer.base);
      continue;
    }
    arena.buffers.push_back(device.adopt(layer.inPlace));
    arena.addresses.push_back(arena.buffers.back()->address());
  }
  QUERN_RETURN_IF_ERROR(preparation.run(buffers));
  weights.counts = preparation.statistics(bytesNeeded(plan));
  return weights;
}

} // namespace quern::runtime
