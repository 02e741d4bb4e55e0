//===- RecipeEvaluator.h - Makes a prepared tensor from checkpoint tensors ---===//
//
// A recipe (Plan.h) works on values that may be block-scaled: codes with one scale for each block of 128 by
// 128 elements of the last two dimensions, stored as a second tensor. Every step applies to both and must cut
// at the edges of blocks. What a step needs of its operand is asked for alone: codes, scales, or both for a
// dequantisation, so that the scales of an expert are made without its codes.
//
// Shapes are worked out from the index of weights before any byte is read, so that a recipe that contradicts
// the artifact is refused first.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_PREPARE_RECIPEEVALUATOR_H
#define QUERN_RUNTIME_PREPARE_RECIPEEVALUATOR_H

#include "runtime/plan/Plan.h"
#include "runtime/prepare/SourceTensors.h"
#include "support/ElementType.h"

#include <functional>

namespace quern::runtime {

using Shape = std::vector<int64_t>;

/// A row-major array.
struct HostArray {
  ElementType type = ElementType::F32;
  Shape shape;
  ByteSpan bytes;
  std::shared_ptr<const void> hold; ///< keeps |bytes|
};

/// Memory that recipes take for what they put together, in bytes.
struct HostMemory {
  std::atomic<uint64_t> used{0}, peak{0};
};

/// What a recipe gives.
struct RecipeType {
  ElementType type = ElementType::F32;
  Shape shape;
  bool scaled = false;
  ElementType scaleType = ElementType::F32;
  Shape scales;
  int64_t block[2] = {128, 128}; ///< of the last two dimensions

  /// Elements of one scale block along |dim|; 1 where a step may cut anywhere.
  int64_t blockOf(size_t dim) const {
    size_t rank = shape.size();
    return scaled && dim + 2 >= rank ? block[dim + 2 - rank] : 1;
  }
};

/// The numbers that the placeholders of names stand for, innermost last.
using Bindings = std::vector<std::pair<std::string, int64_t>>;

class RecipeEvaluator {
public:
  /// |tensor| names the prepared tensor in errors.
  RecipeEvaluator(SourceTensors &sources, HostMemory &memory, std::string tensor, Bindings bindings)
      : sources(sources), memory(memory), tensor(std::move(tensor)), bindings(std::move(bindings)) {}

  /// Exit::BadInput "E-PREPARE-RECIPE" where a step does not fit its operand; "E-ARTIFACT-WEIGHT-MISSING".
  Expected<RecipeType> infer(const Recipe &recipe);
  /// Calls |use| with the name of each tensor that evaluating |recipe| reads, once per read.
  void forEachRead(const Recipe &recipe, bool scales, const std::function<void(const std::string &)> &use);

  /// The tensor whose bytes, as the artifact or its sources hold them, are what |recipe| gives as |type|;
  /// nothing where something has to be made.
  struct PlainRead {
    Weight weight;
    SourceRole role;
  };
  std::optional<PlainRead> plainRead(const Recipe &recipe, ElementType type);

  /// The elements (the codes, where there are scales). |recipe| was accepted by `infer`.
  Expected<HostArray> values(const Recipe &recipe);
  /// The scales as they are stored.
  Expected<HostArray> scales(const Recipe &recipe);

private:
  Status refuse(const std::string &sentence) const;
  std::string bind(const std::string &name) const;
  Expected<HostArray> part(const Recipe &recipe, bool scales);
  Expected<HostArray> read(const std::string &name, SourceRole role);
  Expected<HostArray> join(const Recipe &recipe, bool scales);
  Expected<HostArray> dequantise(const Recipe &recipe);
  HostArray slice(const HostArray &x, size_t dim, int64_t begin, int64_t end);
  HostArray transpose(const HostArray &x, const std::vector<int64_t> &permutation);
  /// New memory for an array; |bytes| points to it.
  HostArray make(ElementType type, Shape shape, std::byte *&bytes);

  SourceTensors &sources;
  HostMemory &memory;
  std::string tensor;
  Bindings bindings;
};

/// True if elements of |from| can become |to|.
bool isConvertible(ElementType from, ElementType to);
/// Writes elements [first, first + count) of |x| as |to|, times |factor| where |to| is F32. `isConvertible`.
void convertElements(const HostArray &x, ElementType to, double factor, uint64_t first, uint64_t count,
                     std::byte *out);

} // namespace quern::runtime

#endif // QUERN_RUNTIME_PREPARE_RECIPEEVALUATOR_H
