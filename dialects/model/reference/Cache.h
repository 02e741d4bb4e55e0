//===- Cache.h - The oracle's key-value cache -------------------*- C++ -*-===//
//
// For each layer, sequence and position one key entry and one value entry, in plain growing arrays: no pages.
// A latent cache keeps the normed latent as key and the rotated shared key as value, one head of each.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_DIALECTS_MODEL_REFERENCE_CACHE_H
#define QUERN_DIALECTS_MODEL_REFERENCE_CACHE_H

#include "support/Status.h"

#include <cstdint>
#include <map>
#include <vector>

namespace quern::model::reference {

class Cache {
public:
  /// Entries of |heads| * |keySize| and |heads| * |valueSize| floats for |layers| layers.
  Cache(int64_t layers, int64_t heads, int64_t keySize, int64_t valueSize)
      : layers(layers), heads(heads), keySize(keySize), valueSize(valueSize) {}

  const int64_t layers, heads, keySize, valueSize;

  /// Replaces the entry. |key| has heads * keySize floats, |value| heads * valueSize. Exit::Usage
  /// "E-ORACLE-CACHE" where the layer, sequence or position is outside.
  Status append(int64_t layer, int32_t sequence, int32_t position, const float *key, const float *value);

  /// The entries of one layer and sequence at positions 0 .. |count| - 1, row-major. Exit::Usage
  /// "E-ORACLE-CACHE" where one of the positions |first| .. |count| - 1 was never appended.
  struct View {
    const float *keys;
    const float *values;
  };
  Expected<View> view(int64_t layer, int32_t sequence, int32_t first, int32_t count) const;

  /// Positions from |length| on of |sequence| are forgotten in every layer (a refused draft).
  void truncate(int32_t sequence, int32_t length);

private:
  struct Entries {
    std::vector<float> keys, values;
    std::vector<bool> filled;
  };
  std::map<std::pair<int64_t, int32_t>, Entries> entries; ///< by (layer, sequence)
};

} // namespace quern::model::reference

#endif // QUERN_DIALECTS_MODEL_REFERENCE_CACHE_H
