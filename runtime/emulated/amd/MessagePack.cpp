//===- MessagePack.cpp - Reads MessagePack documents ----------------------===//
//
// See MessagePack.h.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/MessagePack.h"

namespace quern::runtime::emulated::amd {
namespace {

constexpr unsigned kDeepest = 32;

class Reader {
public:
  explicit Reader(std::span<const std::byte> bytes) : bytes(bytes) {}

  bool value(MessagePackValue &out, unsigned depth) {
    using Kind = MessagePackValue::Kind;
    uint64_t tag;
    if (depth > kDeepest || !number(1, tag))
      return false;
    if (tag < 0x80 || tag >= 0xe0) { // small integers
      out.kind = Kind::Integer;
      out.integer = uint64_t(int64_t(int8_t(tag)));
      return true;
    }
    if (tag < 0x90)
      return map(out, tag & 15, depth);
    if (tag < 0xa0)
      return array(out, tag & 15, depth);
    if (tag < 0xc0)
      return string(out, tag & 31);
    uint64_t size;
    switch (tag) {
    case 0xc0:
      return true;
    case 0xc2:
    case 0xc3:
      out.kind = Kind::Boolean;
      out.boolean = tag == 0xc3;
      return true;
    case 0xc4: // binary, by the width of its length
    case 0xc5:
    case 0xc6:
      return number(1u << (tag - 0xc4), size) && string(out, size);
    case 0xc7: // extension: length, type, bytes
    case 0xc8:
    case 0xc9:
      return number(1u << (tag - 0xc7), size) && skip(size + 1);
    case 0xca:
    case 0xcb:
      out.kind = Kind::Float;
      return skip(tag == 0xca ? 4 : 8);
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
      out.kind = Kind::Integer;
      return number(1u << (tag - 0xcc), out.integer);
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3: {
      unsigned width = 1u << (tag - 0xd0), shift = 64 - 8 * width;
      out.kind = Kind::Integer;
      if (!number(width, out.integer))
        return false;
      out.integer = uint64_t(int64_t(out.integer << shift) >> shift);
      return true;
    }
    case 0xd4: // extensions of fixed length
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8:
      return skip((1u << (tag - 0xd4)) + 1);
    case 0xd9:
    case 0xda:
    case 0xdb:
      return number(1u << (tag - 0xd9), size) && string(out, size);
    case 0xdc:
    case 0xdd:
      return number(tag == 0xdc ? 2 : 4, size) && array(out, size, depth);
    case 0xde:
    case 0xdf:
      return number(tag == 0xde ? 2 : 4, size) && map(out, size, depth);
    }
    return false;
  }

private:
  uint64_t left() const { return bytes.size() - at; }
  /// A big-endian number of |width| bytes.
  bool number(unsigned width, uint64_t &out) {
    if (left() < width)
      return false;
    out = 0;
    for (unsigned i = 0; i < width; ++i)
      out = out << 8 | uint8_t(bytes[at++]);
    return true;
  }
  bool skip(uint64_t size) {
    if (left() < size)
      return false;
    at += size;
    return true;
  }
  bool string(MessagePackValue &out, uint64_t size) {
    if (left() < size)
      return false;
    out.kind = MessagePackValue::Kind::String;
    out.text.assign(reinterpret_cast<const char *>(bytes.data()) + at, size);
    at += size;
    return true;
  }
  // Every element takes a byte at least, so that a length beyond the rest is a lie.
  bool array(MessagePackValue &out, uint64_t size, unsigned depth) {
    out.kind = MessagePackValue::Kind::Array;
    if (size > left())
      return false;
    for (uint64_t i = 0; i < size; ++i)
      if (!value(out.elements.emplace_back(), depth + 1))
        return false;
    return true;
  }
  bool map(MessagePackValue &out, uint64_t size, unsigned depth) {
    out.kind = MessagePackValue::Kind::Map;
    if (size > left())
      return false;
    for (uint64_t i = 0; i < size; ++i) {
      MessagePackValue key;
      if (!value(key, depth + 1) || !value(out.elements.emplace_back(), depth + 1))
        return false;
      out.names.push_back(std::move(key.text));
    }
    return true;
  }

  std::span<const std::byte> bytes;
  uint64_t at = 0;
};

} // namespace

std::optional<MessagePackValue> MessagePackValue::parse(std::span<const std::byte> bytes) {
  MessagePackValue result;
  if (!Reader(bytes).value(result, 0))
    return std::nullopt;
  return result;
}

} // namespace quern::runtime::emulated::amd
