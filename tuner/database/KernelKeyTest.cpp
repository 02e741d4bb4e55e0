//===- KernelKeyTest.cpp --------------------------------------------------===//
#include "tuner/database/KernelKey.h"
#include "support/Files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

using namespace quern;
using namespace quern::tuner;

namespace {

constexpr const char *text =
    R"({"key": ["N", "K", "ROUND", "W"], "dtype": "W", "rows": [1, 4, 16], "space": {}})";

TEST(KernelKey, BucketsCoverWhatTheyEndAt) {
  Expected<KernelKey> key = KernelKey::parse(text, "linear", "space.json");
  ASSERT_TRUE(key.ok()) << key.error().message();
  EXPECT_EQ(key->bucket(1), (TokenRange{1, 1}));
  EXPECT_EQ(key->bucket(2), (TokenRange{2, 4}));
  EXPECT_EQ(key->bucket(4), (TokenRange{2, 4}));
  EXPECT_EQ(key->bucket(16), (TokenRange{5, 16}));
  EXPECT_FALSE(key->bucket(17));
  EXPECT_FALSE(key->bucket(0));
  EXPECT_THAT(key->buckets({4, 5}), testing::ElementsAre(TokenRange{2, 4}, TokenRange{5, 16}));
  EXPECT_THAT(key->buckets({17, 99}), testing::IsEmpty());
}

TEST(KernelKey, OnlyWhatDecidesIsInTheKey) {
  Expected<KernelKey> key = KernelKey::parse(text, "linear", "space.json");
  ASSERT_TRUE(key.ok());
  const char *a = "linear{tile=4x8x64 warps=4} K=4096 N=512 W=bf16 XS=4096 eps=9.9e-07";
  const char *b = "linear{tile=32x64x64} K=4096 N=512 W=bf16 XS=8192 eps=1e-05";
  EXPECT_EQ(scheduleOfText(a), "linear{tile=4x8x64 warps=4}");
  Problem p = key->problem(parametersOfText(a), {1, 4}), q = key->problem(parametersOfText(b), {1, 4});
  EXPECT_EQ(p.text(), "linear K=4096 N=512 W=bf16 dtype=bf16 T=1..4");
  EXPECT_EQ(p.key(), q.key());
  EXPECT_NE(p.key(), key->problem(parametersOfText("linear{} K=4097 N=512 W=bf16"), {1, 4}).key());
  EXPECT_NE(p.key(), key->problem(parametersOfText("linear{} K=4096 N=512 W=f32"), {1, 4}).key());
  EXPECT_NE(p.key(), key->problem(parametersOfText(a), {1, 16}).key());
  EXPECT_EQ(p.familyKey(), key->problem(parametersOfText(a), {1, 16}).familyKey());
}

TEST(KernelKey, RefusesWhatIsNoKey) {
  auto idOf = [](const char *json) {
    Expected<KernelKey> key = KernelKey::parse(json, "linear", "space.json");
    return key.ok() ? "" : key.error().id();
  };
  EXPECT_EQ(idOf(R"({"key": ["K", "K"], "dtype": "W", "rows": [1]})"), "E-SPACE-KEY");
  EXPECT_EQ(idOf(R"({"key": ["K"], "dtype": "W", "rows": [4, 4]})"), "E-SPACE-KEY");
  EXPECT_EQ(idOf(R"({"key": ["K"], "dtype": "W", "rows": []})"), "E-SPACE-KEY");
  EXPECT_EQ(idOf(R"({"key": ["K"], "dtype": "W", "rows": [0]})"), "E-JSON-RANGE");
  EXPECT_EQ(idOf(R"({"key": ["K"], "rows": [1]})"), "E-JSON-MISSING");
  EXPECT_EQ(idOf(R"({"key": "K", "dtype": "W", "rows": [1]})"), "E-JSON-TYPE");
  EXPECT_EQ(idOf("{"), "E-JSON-SYNTAX");
}

// A name that the kernel's text does not have would silently leave a size out of the key.
TEST(KernelKey, EveryShippedSpaceNamesParametersOfItsKernel) {
  size_t spaces = 0;
  for (const auto &folder : std::filesystem::directory_iterator(QUERN_SOURCE_DIR "/kernels")) {
    const std::string kernel = folder.path().filename();
    Expected<std::string> space = readFile(folder.path() / "space.json", 1 << 20);
    if (!space.ok())
      continue;
    ++spaces;
    Expected<KernelKey> key = KernelKey::parse(*space, kernel, kernel + "/space.json");
    ASSERT_TRUE(key.ok()) << key.error().message();
    Expected<std::string> tile = readFile(folder.path() / "tile.mlir", 1 << 20);
    ASSERT_TRUE(tile.ok());
    for (const std::string &name : key->parameters())
      EXPECT_NE(tile->find("\"" + name + "\""), std::string::npos) << kernel << ": " << name;
  }
  EXPECT_GE(spaces, 1u);
}

} // namespace
