//===- ModelText.h - What an artifact says about text ---------------------===//
//
// Tokenizer, chat template, end tokens and recommended sampling of a model, from the files that its artifact
// carries. A model may have none of them: then token ids go in and come out.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_MODELTEXT_H
#define QUERN_RUNTIME_MODELTEXT_H

#include "runtime/artifact/Artifact.h"
#include "runtime/sample/GenerationConfig.h"
#include "runtime/sample/Stop.h"
#include "runtime/text/ChatTemplate.h"
#include "runtime/text/Tokenizer.h"
#include "runtime/text/TokenizerConfig.h"

#include <optional>

namespace quern::runtime {

class ModelText {
public:
  /// Errors of the files' readers. Absent files are none.
  static Expected<ModelText> read(const Artifact &artifact);

  /// Null where the model has no tokenizer.
  const Tokenizer *tokenizer() const { return theTokenizer ? &*theTokenizer : nullptr; }
  const StopTokens &stopTokens() const { return stop; }
  /// What the model's makers recommend: greedy where they recommend nothing.
  SamplingOptions sampling() const { return generation.samplingOptions(); }

  /// The ids of a text, with what the tokenizer adds to its ends. Exit::Usage "E-NO-TOKENIZER".
  Expected<std::vector<uint32_t>> encode(std::string_view text) const;
  /// The ids of a conversation ([{"role": ..., "content": ...}, ...]) up to where the answer begins. Control
  /// tokens that a message spells out stay text. Exit::Usage "E-NO-TOKENIZER", "E-NO-CHAT-TEMPLATE".
  Expected<std::vector<uint32_t>> encodeChat(const Json &messages) const;

private:
  std::optional<Tokenizer> theTokenizer;
  TokenizerConfig config;
  std::optional<ChatTemplate> chat;
  GenerationConfig generation;
  StopTokens stop;
};

} // namespace quern::runtime

#endif // QUERN_RUNTIME_MODELTEXT_H
