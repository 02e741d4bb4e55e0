//===- HashTest.cpp -------------------------------------------------------===//
#include "support/Hash.h"

#include <gtest/gtest.h>

using namespace quern;

namespace {

// Vectors of FIPS 180-4 (the NIST example files).
TEST(HashTest, Sha256Vectors) {
  EXPECT_EQ(sha256("").hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc").hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq").hex(),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256(std::string(1000000, 'a')).hex(),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(HashTest, Sha256InPiecesAndReuse) {
  std::string text;
  for (int i = 0; i != 1000; ++i)
    text += static_cast<char>(i * 7);
  Sha256 hash;
  for (size_t cut : {0u, 1u, 63u, 64u, 65u, 999u}) {
    hash.update(std::string_view(text).substr(0, cut));
    hash.update(std::string_view(text).substr(cut));
    EXPECT_EQ(hash.finish(), sha256(text)) << cut;
  }
}

TEST(HashTest, DigestTextRoundTrips) {
  Digest digest = sha256("x");
  EXPECT_EQ(Digest::fromHex(digest.hex()), digest);
  std::string upper = digest.hex();
  for (char &c : upper)
    c = static_cast<char>(toupper(c));
  EXPECT_EQ(Digest::fromHex(upper), digest);
  EXPECT_FALSE(Digest::fromHex(digest.hex().substr(1)));
  EXPECT_FALSE(Digest::fromHex(digest.hex() + "0"));
  EXPECT_FALSE(Digest::fromHex("g" + digest.hex().substr(1)));
}

// The empty-input values are in the xxHash repository's own sanity tables.
TEST(HashTest, XxHashIsXxh3) {
  EXPECT_EQ(xxhash64(""), 0x2D06800538D394C2u);
  EXPECT_EQ(xxhash128("").hex(), "99aa06d3014798d86001c324468d497f");
  EXPECT_NE(xxhash64("abc"), xxhash64("abc", 1));
  EXPECT_NE(xxhash128("abc"), xxhash128("abd"));
}

TEST(BytesTest, ReaderStopsAtTheEnd) {
  std::string bytes;
  appendLittle<uint16_t>(bytes, 0x1234);
  appendLittle<uint32_t>(bytes, 0xdeadbeef);
  EXPECT_EQ(bytes, std::string("\x34\x12\xef\xbe\xad\xde"));
  ByteReader reader(asBytes(bytes));
  EXPECT_EQ(reader.read<uint16_t>(), 0x1234);
  EXPECT_EQ(reader.remaining(), 4u);
  EXPECT_EQ(reader.read<uint64_t>(), 0u);
  EXPECT_TRUE(reader.failed());
  EXPECT_EQ(reader.read<uint32_t>(), 0u) << "a reader that has failed gives nothing more";
  EXPECT_TRUE(ByteReader(asBytes("abc")).take(~0ull).empty());
}

TEST(BytesTest, AlignUp) {
  EXPECT_EQ(alignUp(0, 256), 0u);
  EXPECT_EQ(alignUp(1, 256), 256u);
  EXPECT_EQ(alignUp(256, 256), 256u);
}

} // namespace
