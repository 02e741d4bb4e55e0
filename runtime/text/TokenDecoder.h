//===- TokenDecoder.h - From tokens back to text, as they come ------------===//
//
// Decoding is streaming: each token is pushed through the stages of the file's `decoder`, and what is settled
// comes out. An incomplete UTF-8 character is held back until it is complete, a run of `<0xHH>` tokens until
// the run ends (its bytes stand or fall together). Decoding a whole list is pushing all of it, so both give
// the same text.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_TEXT_TOKENDECODER_H
#define QUERN_RUNTIME_TEXT_TOKENDECODER_H

#include "runtime/text/TextPattern.h"

#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace quern::runtime {

/// The `decoder` of a tokenizer file: ByteLevel, Replace, ByteFallback, Fuse, Strip, Metaspace and Sequences
/// of them.
class TokenDecoder {
public:
  TokenDecoder() = default; ///< no decoder: tokens with a space between them
  static Expected<TokenDecoder> read(JsonRef json);

  /// The state of decoding one text. Refers to the decoder.
  class Stream {
  public:
    explicit Stream(const TokenDecoder &decoder);
    /// Takes one token and appends to |out| what is settled: whole UTF-8 characters.
    Status push(std::string_view token, std::string &out);
    /// No more tokens: appends the rest. The stream is as new afterwards.
    Status finish(std::string &out);

  private:
    struct StageState {
      std::string held;    ///< bytes or text that may still change
      size_t stripped = 0; ///< characters taken off the start
      bool started = false;
    };
    const TokenDecoder *decoder;
    std::vector<StageState> states;
    Regex::Scratch scratch;
    bool any = false;
    Status pass(size_t stage, std::string token, std::string &out);
    Status flush(size_t stage, std::string &out);
    Status stripToken(size_t stage, std::string token, std::string &out);
    Status stripChunk(size_t stage, std::string chunk, std::string &out);
  };

private:
  struct ByteLevel {};
  struct ByteFallback {};
  struct Fuse {};
  struct Replace {
    TextPattern pattern;
    std::string content;
  };
  struct Strip {
    std::string content; ///< one character
    size_t start, stop;
  };
  struct Metaspace {
    std::string replacement; ///< one character
    bool dropsFirst;         ///< the first token loses its replacement characters
  };
  struct Stage {
    std::variant<ByteLevel, ByteFallback, Fuse, Replace, Strip, Metaspace> kind;
    bool fused; ///< sees one text in chunks, no longer tokens
  };
  std::vector<Stage> stages;
  bool present = false;
  Status append(JsonRef json, int depth);
};

} // namespace quern::runtime

#endif // QUERN_RUNTIME_TEXT_TOKENDECODER_H
