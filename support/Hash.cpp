//===- Hash.cpp -----------------------------------------------------------===//
#include "support/Hash.h"

#include <openssl/evp.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace quern {

std::string hexText(ByteSpan bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (std::byte b : bytes) {
    text += digits[std::to_integer<unsigned>(b) >> 4];
    text += digits[std::to_integer<unsigned>(b) & 15];
  }
  return text;
}

std::string Digest::hex() const { return hexText(std::as_bytes(std::span(bytes))); }

std::optional<Digest> Digest::fromHex(std::string_view text) {
  auto digit = [](char c) {
    if (c >= '0' && c <= '9')
      return c - '0';
    if (c >= 'a' && c <= 'f')
      return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
      return c - 'A' + 10;
    return -1;
  };
  Digest digest;
  if (text.size() != 2 * digest.bytes.size())
    return std::nullopt;
  for (size_t i = 0; i != digest.bytes.size(); ++i) {
    int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0)
      return std::nullopt;
    digest.bytes[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return digest;
}

struct Sha256::State {
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  State() { restart(); }
  ~State() { EVP_MD_CTX_free(context); }
  void restart() { EVP_DigestInit_ex(context, EVP_sha256(), nullptr); }
};

Sha256::Sha256() : state(std::make_unique<State>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256 &&) noexcept = default;
Sha256 &Sha256::operator=(Sha256 &&) noexcept = default;

void Sha256::update(ByteSpan bytes) {
  if (!bytes.empty())
    EVP_DigestUpdate(state->context, bytes.data(), bytes.size());
}

Digest Sha256::finish() {
  Digest digest;
  unsigned size = 0;
  EVP_DigestFinal_ex(state->context, digest.bytes.data(), &size);
  state->restart();
  return digest;
}

Digest sha256(ByteSpan bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

uint64_t xxhash64(ByteSpan bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

Hash128 xxhash128(ByteSpan bytes, uint64_t seed) {
  XXH128_hash_t hash = XXH3_128bits_withSeed(bytes.data(), bytes.size(), seed);
  return {hash.low64, hash.high64};
}

std::string Hash128::hex() const {
  std::string text;
  for (int shift = 56; shift >= 0; shift -= 8)
    text += static_cast<char>(high >> shift);
  for (int shift = 56; shift >= 0; shift -= 8)
    text += static_cast<char>(low >> shift);
  return hexText(asBytes(text));
}

} // namespace quern
