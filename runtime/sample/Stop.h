//===- Stop.h - When an answer ends ---------------------------------------===//
#ifndef QUERN_RUNTIME_SAMPLE_STOP_H
#define QUERN_RUNTIME_SAMPLE_STOP_H

#include "support/Json.h"
#include "support/Status.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quern::runtime {

/// Token ids that end an answer. They are not part of its text.
class StopTokens {
public:
  StopTokens() = default;
  explicit StopTokens(std::vector<uint32_t> ids);
  /// The union of `eos_token_id` (an integer or a list) of generation_config.json or, where that names none,
  /// of config.json, and of the tokenizer's own end token. Each may be absent.
  static Expected<StopTokens> read(std::optional<JsonRef> generationConfig, std::optional<JsonRef> config,
                                   std::optional<uint32_t> tokenizerEnd);

  bool contains(uint32_t id) const;
  const std::vector<uint32_t> &all() const { return ids; } ///< ascending

private:
  std::vector<uint32_t> ids;
};

/// Watches streamed text for strings that end it. Text that may become a stop string is held back.
class StopStrings {
public:
  static constexpr size_t maxStrings = 64, maxBytes = 1024;
  /// Exit::Usage "E-STOP-STRINGS" where there are too many, or one is empty or too long.
  static Expected<StopStrings> make(std::vector<std::string> strings);

  /// Takes text; returns what may be shown. After the first stop string nothing more comes out.
  std::string push(std::string_view text);
  /// The end of the answer: returns what was held back.
  std::string finish();
  bool stopped() const { return found; }

private:
  std::vector<std::string> strings;
  std::string held;
  bool found = false;
};

} // namespace quern::runtime

#endif // QUERN_RUNTIME_SAMPLE_STOP_H
