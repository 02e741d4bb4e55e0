//===- Config.h - config.json under a family ------------------------------===//
//
// Reads and checks a configuration: every key that the family declares, in its ranges and closed sets; the
// family's requirements; rotation tables; the quantisation. A key that nobody reads is a note, unless it
// matches one of the family's semantic patterns: then it would change what is computed, and it is an error.
//
// All errors are Exit::BadInput unless said otherwise: "E-CONFIG-MISSING", "E-CONFIG-TYPE", "E-CONFIG-RANGE",
// "E-CONFIG-VALUE" (Unsupported: outside a closed set), "E-CONFIG-CONTRADICTION", "E-CONFIG-SEMANTIC-KEY"
// (Unsupported), "E-CONFIG-REQUIREMENT" (Unsupported), "E-CONFIG-QUANTISATION" (Unsupported), and those of
// RopeParameters.h and the expressions.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_LOWERING_IMPORT_CONFIG_H
#define QUERN_LOWERING_IMPORT_CONFIG_H

#include "lowering/import/Family.h"
#include "lowering/import/RopeParameters.h"

namespace quern::import {

/// Block-scaled fp8, the one quantisation that is supported: e4m3, dynamic activations, 128x128 blocks.
struct Quantisation {
  bool fp8 = false;
  bool powerOfTwoScales = false;         ///< `scale_fmt` is "ue8m0"
  std::vector<std::string> notConverted; ///< module names that stay as they are
};

/// Token ids and sampling defaults.
struct Generation {
  std::optional<int64_t> bos;
  std::vector<int64_t> eos; ///< ascending, without duplicates
  std::optional<bool> sample;
  std::optional<double> temperature, topP;
  std::optional<int64_t> topK;
};

struct ModelConfig {
  std::string modelType, architecture;
  Bindings values; ///< the declared keys and the family's definitions
  std::map<std::string, Rotation, std::less<>> rotations;
  Quantisation quantisation;
  Generation generation;
  int64_t vocabulary = 0, hidden = 0, context = 0, layers = 0, predictionLayers = 0;
  std::vector<std::string> notes; ///< keys that nobody read

  /// The names and the function yarn_softmax_factor.
  Scope scope() const;
};

inline constexpr uint64_t kMaxConfigBytes = 10 << 20;

/// config.json of |directory| (or |directory| itself where it is a file). "E-CONFIG-NOT-FOUND" beside JSON
/// errors.
Expected<JsonDocument> readConfigFile(const std::string &directory);

Expected<ModelConfig> readConfig(const JsonRef &config, const Family &family);

/// Ids and defaults by precedence: generation_config.json where it is in |directory|, else config.json.
/// (The tokenizer's own eos token joins the set where the tokenizer is read.)
Expected<Generation> readGeneration(const std::string &directory, const JsonRef &config, int64_t vocabulary);

} // namespace quern::import

#endif // QUERN_LOWERING_IMPORT_CONFIG_H
