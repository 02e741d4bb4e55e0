//===- Bytes.h - Little-endian loads and stores on byte ranges ------------===//
//
// Every file format of Quern is little endian. Bytes that come from outside are unaligned and unchecked, so
// they are read through memcpy and, where a field may lie beyond the end, through a `ByteReader` that
// remembers that it ran out instead of reading on.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_SUPPORT_BYTES_H
#define QUERN_SUPPORT_BYTES_H

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace quern {

static_assert(std::endian::native == std::endian::little,
              "loads and stores below rely on a little-endian host");

using ByteSpan = std::span<const std::byte>;

inline ByteSpan asBytes(std::string_view text) {
  return {reinterpret_cast<const std::byte *>(text.data()), text.size()};
}
inline std::string_view asText(ByteSpan bytes) {
  return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
}

/// The T at |from|, which needs no alignment; sizeof(T) bytes must be readable.
template <typename T> T loadLittle(const std::byte *from) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

/// Appends the bytes of |value| to |to|.
template <typename T> void appendLittle(std::string &to, T value) {
  static_assert(std::is_integral_v<T>);
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  to.append(bytes, sizeof value);
}

/// Reads fields one after the other. After a read past the end `failed()` stays true and every further read
/// gives zero or an empty range, so that a decoder checks once at its end.
class ByteReader {
public:
  explicit ByteReader(ByteSpan bytes) : bytes(bytes) {}

  template <typename T> T read() {
    ByteSpan field = take(sizeof(T));
    return field.size() == sizeof(T) ? loadLittle<T>(field.data()) : T{};
  }
  ByteSpan take(uint64_t count) {
    if (broken || count > bytes.size() - at) {
      broken = true;
      return {};
    }
    ByteSpan field = bytes.subspan(at, count);
    at += count;
    return field;
  }
  bool failed() const { return broken; }
  uint64_t offset() const { return at; }
  uint64_t remaining() const { return bytes.size() - at; }

private:
  ByteSpan bytes;
  uint64_t at = 0;
  bool broken = false;
};

/// The smallest multiple of |alignment| (a power of two) that is not below |value|; |value| must leave room
/// for it.
constexpr uint64_t alignUp(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) & ~(alignment - 1);
}

} // namespace quern

#endif // QUERN_SUPPORT_BYTES_H
