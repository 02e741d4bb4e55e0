//===- Hash.h - SHA-256 digests, xxHash and hexadecimal text --------------===//
//
// Digests (SHA-256, by OpenSSL) name contents that must be trusted: artifact members, tensors, compiler
// fingerprints. xxHash names contents inside one process or one cache, where speed counts and nobody lies.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_SUPPORT_HASH_H
#define QUERN_SUPPORT_HASH_H

#include "support/Bytes.h"

#include <array>
#include <compare>
#include <memory>
#include <optional>

namespace quern {

/// A SHA-256 digest.
struct Digest {
  std::array<uint8_t, 32> bytes{};

  /// 64 lower-case hexadecimal digits.
  std::string hex() const;
  /// From 64 hexadecimal digits of either case; nullopt for anything else.
  static std::optional<Digest> fromHex(std::string_view text);

  auto operator<=>(const Digest &) const = default;
};

/// SHA-256 of bytes that arrive in pieces.
class Sha256 {
public:
  Sha256();
  ~Sha256();
  Sha256(Sha256 &&) noexcept;
  Sha256 &operator=(Sha256 &&) noexcept;

  void update(ByteSpan bytes);
  void update(std::string_view text) { update(asBytes(text)); }
  /// The digest of everything so far; the object then starts again from nothing.
  Digest finish();

private:
  struct State;
  std::unique_ptr<State> state;
};

Digest sha256(ByteSpan bytes);
inline Digest sha256(std::string_view text) { return sha256(asBytes(text)); }

/// XXH3, 64 and 128 bit. Stable between machines and versions of the library (the XXH3 of release 0.8).
uint64_t xxhash64(ByteSpan bytes, uint64_t seed = 0);
inline uint64_t xxhash64(std::string_view text, uint64_t seed = 0) { return xxhash64(asBytes(text), seed); }

struct Hash128 {
  uint64_t low = 0, high = 0;
  /// 32 digits, the high half first.
  std::string hex() const;
  auto operator<=>(const Hash128 &) const = default;
};
Hash128 xxhash128(ByteSpan bytes, uint64_t seed = 0);
inline Hash128 xxhash128(std::string_view text, uint64_t seed = 0) { return xxhash128(asBytes(text), seed); }

/// Lower-case hexadecimal text, two digits a byte.
std::string hexText(ByteSpan bytes);

} // namespace quern

#endif // QUERN_SUPPORT_HASH_H
