//===- TokenizerConfig.h - What tokenizer_config.json adds ----------------===//
#ifndef QUERN_RUNTIME_TEXT_TOKENIZERCONFIG_H
#define QUERN_RUNTIME_TEXT_TOKENIZERCONFIG_H

#include "runtime/text/Tokenizer.h"
#include "support/Json.h"

#include <map>
#include <optional>
#include <string>

namespace quern::runtime {

/// The entries of tokenizer_config.json that change a prompt; the others are ignored.
struct TokenizerConfig {
  std::string beginToken, endToken; ///< `bos_token`, `eos_token`; empty where there is none
  bool addBeginToken = false, addEndToken = false;
  /// `chat_template` by name; a template without a name is "default". Newer checkpoints keep it in a file of
  /// its own, chat_template.jinja, which wins over this entry.
  std::map<std::string, std::string> chatTemplates;

  static Expected<TokenizerConfig> read(JsonRef json);

  /// Makes |tokenizer| add the begin and end token where this file asks for it and the tokenizer's own
  /// template does not. Exit::BadInput "E-TOKENIZER-CONFIG" where the tokenizer does not know the token.
  Status apply(Tokenizer &tokenizer) const;
  /// The id of the end token, which ends an answer too; nothing where the file names none or the tokenizer
  /// has none.
  std::optional<uint32_t> endTokenId(const Tokenizer &tokenizer) const;
};

} // namespace quern::runtime

#endif // QUERN_RUNTIME_TEXT_TOKENIZERCONFIG_H
