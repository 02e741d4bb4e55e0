//===- TokenizerFuzz.cpp - Fuzz target of tokenizer files and texts -------===//
//
// An input is a tokenizer.json, a NUL byte, and a text to encode with it; without a NUL byte the text is a
// fixed one.
//
//===----------------------------------------------------------------------===//
#include "runtime/text/Tokenizer.h"

#include "runtime/text/Utf8.h"

#include <cstdlib>
#include <string_view>

using namespace quern;
using namespace quern::runtime;

/// Whatever a file says, its ids decode, and streaming gives the same text in whole characters.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string_view input(reinterpret_cast<const char *>(data), size);
  size_t nul = input.find('\0');
  std::string_view text = "It's 12 km\n\n  \u00E9e\u0301 \u4E2D\U0001F600<s> a\xFF";
  if (nul != input.npos)
    text = input.substr(nul + 1).substr(0, 300); // short, so that a pattern of exponential cost ends soon
  Expected<Tokenizer> tokenizer = Tokenizer::read(input.substr(0, nul), "fuzz");
  if (!tokenizer.ok())
    return 0;
  for (bool plain : {false, true}) {
    Expected<std::vector<uint32_t>> ids = tokenizer->encode(text, {.allPlain = plain});
    if (!ids.ok())
      continue;
    Expected<std::string> whole = tokenizer->decode(*ids, false);
    if (!whole.ok())
      continue; // a decoder's pattern met its limit
    Tokenizer::Stream stream(*tokenizer, false);
    std::string streamed;
    for (uint32_t id : *ids) {
      Expected<std::string> part = stream.push(id);
      if (!part.ok() || repairUtf8(*part) != *part)
        abort();
      streamed += *part;
    }
    Expected<std::string> rest = stream.finish();
    if (!rest.ok() || streamed + *rest != *whole)
      abort();
  }
  return 0;
}
