//===- GenerationConfig.h - The defaults of generation_config.json --------===//
#ifndef QUERN_RUNTIME_SAMPLE_GENERATIONCONFIG_H
#define QUERN_RUNTIME_SAMPLE_GENERATIONCONFIG_H

#include "runtime/sample/Sampler.h"
#include "support/Json.h"

#include <optional>

namespace quern::runtime {

/// What the model's makers recommend; what they leave open is absent.
struct GenerationConfig {
  std::optional<bool> doSample;
  std::optional<float> temperature, topP;
  std::optional<uint32_t> topK;
  std::optional<uint32_t> beginToken;

  /// Exit::BadInput with the path where a value is of the wrong kind or out of range.
  static Expected<GenerationConfig> read(JsonRef json);
  /// Greedy unless `do_sample` is true, else the recommended values (temperature 1 where none is given).
  SamplingOptions samplingOptions() const;
};

} // namespace quern::runtime

#endif // QUERN_RUNTIME_SAMPLE_GENERATIONCONFIG_H
