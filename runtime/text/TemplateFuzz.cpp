//===- TemplateFuzz.cpp - Fuzz target of chat templates -------------------===//
#include "runtime/text/ChatTemplate.h"

#include <cstdlib>
#include <string_view>

using namespace quern;
using namespace quern::runtime;

/// Whatever a template says, rendering ends, and its plain parts are ranges of the text.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Expected<ChatTemplate> chat = ChatTemplate::read({reinterpret_cast<const char *>(data), size});
  if (!chat.ok())
    return 0;
  static const char *conversation =
      R"([{"role": "system", "content": "s"}, {"role": "user", "content": "h\u00e9 <x>\n"},
          {"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "f", "arguments": {"a": [1, 2.5]}}}]},
          {"role": "tool", "content": "1"}, {"role": "assistant", "content": "<think>a</think>b"}])";
  ChatRequest request;
  Expected<JsonDocument> messages = parseJson(conversation);
  if (!messages.ok())
    abort();
  request.messages = messages->value();
  request.beginToken = "<s>";
  request.endToken = "</s>";
  Expected<RenderedPrompt> prompt = chat->render(request);
  if (!prompt.ok())
    return 0;
  size_t done = 0;
  for (ByteRange range : prompt->plain) {
    if (range.begin < done || range.end <= range.begin || range.end > prompt->text.size())
      abort();
    done = range.end;
  }
  return 0;
}
