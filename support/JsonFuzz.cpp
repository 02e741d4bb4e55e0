//===- JsonFuzz.cpp - Fuzz target of the JSON reader ----------------------===//
#include "support/Json.h"

#include <cstdlib>
#include <string_view>

using namespace quern;

/// What is read must be what is written and read again.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Expected<JsonDocument> document =
      parseJson({reinterpret_cast<const char *>(data), size}, {.name = "fuzz", .maxBytes = 1 << 20});
  if (!document.ok()) {
    if (document.error().message().empty())
      abort();
    return 0;
  }
  for (JsonStyle style : {JsonStyle{}, JsonStyle{.indent = 2}, JsonStyle{.spaces = true}}) {
    std::string text = writeJson(document->value(), style);
    Expected<JsonDocument> again = parseJson(text, {.maxBytes = 64 << 20});
    if (!again.ok() || !(again->value() == document->value()) || writeJson(again->value(), style) != text)
      abort();
  }
  for (const Json::Member &member :
       document->value().isObject() ? document->value().members() : std::vector<Json::Member>())
    if (Status status = document->root().getBool(member.key).takeError();
        document->value().find(member.key) == nullptr)
      abort();
  return 0;
}
