//===- NfcTest.cpp --------------------------------------------------------===//
#include "runtime/text/Nfc.h"

#include "runtime/text/Utf8.h"
#include "support/Json.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace quern::runtime;

namespace {

std::string normalized(const Nfc &nfc, std::string_view text) {
  MarkedText marked{toCodePoints(text), {}};
  nfc.apply(marked);
  return toUtf8(marked.text);
}

// The goldens are made by scripts/text/make_nfc_goldens.py; every code point that can change occurs in them.
TEST(NfcTest, FollowsUnicode16) {
  Expected<JsonDocument> golden = readJsonFile(std::string(QUERN_SOURCE_DIR) + "/tests/text/nfc.json");
  ASSERT_TRUE(golden.ok()) << golden.error().message();
  ASSERT_GT(golden->value().size(), 200u);
  Nfc nfc;
  for (const Json &row : golden->value().items())
    EXPECT_EQ(normalized(nfc, row.items()[0].string()), row.items()[1].string()) << writeJson(row);
}

TEST(NfcTest, IsStable) {
  Nfc nfc;
  for (char32_t point = 0; point < 0x30000; ++point) {
    if (point >= 0xD800 && point < 0xE000)
      continue;
    std::string once = normalized(nfc, toUtf8({&point, 1}));
    EXPECT_EQ(normalized(nfc, once), once) << std::hex << uint32_t(point);
  }
}

TEST(NfcTest, MarksOfTheConversationTravel) {
  Nfc nfc;
  MarkedText marked{U"e\u0301x\u0323\u0301", {0, 1, 0, 0, 1}};
  nfc.apply(marked);
  EXPECT_EQ(marked.text, U"\u00E9x\u0323\u0301");
  EXPECT_EQ(marked.plain, (std::vector<uint8_t>{1, 0, 0, 1}));
}

TEST(NfcTest, LongRunsOfMarksStayFast) {
  // Descending classes: an insertion sort would take the square of the length.
  std::u32string text = U"a";
  for (int i = 0; i < 300'000; ++i)
    text += i % 2 ? U'\u0323' : U'\u0301';
  MarkedText marked{text, {}};
  Nfc().apply(marked);
  EXPECT_EQ(marked.text.substr(0, 3), U"\u1EA1\u0323\u0323");
  EXPECT_EQ(marked.text.back(), U'\u0301');
  EXPECT_EQ(marked.text.size(), text.size() - 1);
}

} // namespace
