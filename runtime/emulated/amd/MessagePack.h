//===- MessagePack.h - Reads MessagePack documents ------------------------===//
//
// The metadata note of a code object is one MessagePack value (specification: msgpack.org, "MessagePack
// specification"). The bytes are untrusted: lengths are checked, nesting is bounded, and what does not parse
// is nothing.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_AMD_MESSAGEPACK_H
#define QUERN_RUNTIME_EMULATED_AMD_MESSAGEPACK_H

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace quern::runtime::emulated::amd {

class MessagePackValue {
public:
  enum class Kind : uint8_t { Nil, Boolean, Integer, Float, String, Array, Map };

  /// The value at the start of |bytes|; nothing where they are no MessagePack. Extension types are read as
  /// nil.
  static std::optional<MessagePackValue> parse(std::span<const std::byte> bytes);

  Kind kind = Kind::Nil;
  bool boolean = false;
  uint64_t integer = 0;                   ///< two's complement where negative
  std::string text;                       ///< String, also binary data
  std::vector<MessagePackValue> elements; ///< Array; Map: the values
  std::vector<std::string> names;         ///< Map: the keys, empty where a key is no text

  /// The first member of that name, or null.
  const MessagePackValue *find(const char *key) const {
    for (size_t i = 0; i < names.size(); ++i)
      if (names[i] == key)
        return &elements[i];
    return nullptr;
  }
};

} // namespace quern::runtime::emulated::amd

#endif // QUERN_RUNTIME_EMULATED_AMD_MESSAGEPACK_H
