//===- WeightIndexTest.cpp ------------------------------------------------===//
#include "runtime/artifact/WeightIndex.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace quern;
using namespace quern::runtime;
using testing::HasSubstr;

namespace {

Weight make(std::string_view name, WeightKind kind, ElementType type, std::initializer_list<uint64_t> shape) {
  Weight weight;
  weight.name = name;
  weight.kind = kind;
  weight.type = type;
  for (uint64_t extent : shape)
    weight.extents[weight.rank++] = extent;
  weight.size = *tensorBytes(type, weight.shape());
  return weight;
}

/// A sound index: two stored tensors in two data members, one linked, one random.
struct Parts {
  std::vector<Weight> weights;
  std::vector<WeightSource> sources = {{"model.safetensors", 5000}};
  std::vector<uint64_t> dataSizes = {1000, 300};

  Parts() {
    weights = {make("b", WeightKind::Stored, ElementType::BF16, {3, 7}),
               make("a", WeightKind::Stored, ElementType::U8, {300}),
               make("d", WeightKind::Linked, ElementType::F32, {2, 2, 2}),
               make("c", WeightKind::Random, ElementType::F8E4M3, {})};
    weights[0].offset = 512;
    weights[0].digest = sha256("b");
    weights[1].container = 1;
    weights[1].digest = sha256("a");
    weights[2].offset = 4968;
    weights[2].digest = sha256("d");
    weights[3].seed = 99;
    weights[3].low = -1;
    weights[3].high = 1;
  }
  std::string encode() const { return encodeWeightIndex(weights, sources); }
  std::string id(const std::string &bytes) const {
    auto index = WeightIndex::parse(bytes, dataSizes, "x");
    if (index.ok())
      return "accepted";
    EXPECT_EQ(index.error().exit(), Exit::BadInput);
    return index.error().id();
  }
  std::string sentence() const {
    auto index = WeightIndex::parse(encode(), dataSizes, "x");
    return index.ok() ? "accepted" : index.error().sentence();
  }
};

TEST(WeightIndexTest, WhatIsWrittenIsRead) {
  Parts parts;
  auto index = WeightIndex::parse(parts.encode(), parts.dataSizes, "x");
  ASSERT_TRUE(index.ok()) << index.error().message();
  ASSERT_EQ(index->size(), 4u);
  EXPECT_EQ(index->totalBytes(), 42u + 300 + 32 + 1);
  EXPECT_EQ(index->sources(), parts.sources);
  for (const Weight &expected : parts.weights) {
    std::optional<size_t> i = index->find(expected.name);
    ASSERT_TRUE(i) << expected.name;
    Weight found = (*index)[*i];
    EXPECT_EQ(found.name, expected.name);
    EXPECT_EQ(found.type, expected.type);
    EXPECT_EQ(found.kind, expected.kind);
    EXPECT_EQ(found.extents, expected.extents);
    EXPECT_EQ(found.rank, expected.rank);
    EXPECT_EQ(found.size, expected.size);
    EXPECT_EQ(found.container, expected.container);
    EXPECT_EQ(found.offset, expected.offset);
    EXPECT_EQ(found.seed, expected.seed);
    EXPECT_EQ(found.digest, expected.digest);
    EXPECT_EQ(found.low, expected.low);
    EXPECT_EQ(found.high, expected.high);
  }
  for (const char *absent : {"", "0", "aa", "e"})
    EXPECT_FALSE(index->find(absent)) << absent;
  std::reverse(parts.weights.begin(), parts.weights.end());
  EXPECT_EQ(parts.encode(), Parts().encode()) << "the order of adding does not matter";
  EXPECT_FALSE(WeightIndex().find("a"));
}

TEST(WeightIndexTest, NamesTheFault) {
  auto fault = [](auto change) {
    Parts parts;
    change(parts);
    return parts.sentence();
  };
  EXPECT_EQ(fault([](Parts &) {}), "accepted");
  EXPECT_THAT(fault([](Parts &p) { p.weights[0].container = 2; }), HasSubstr("`b` is in data member 2"));
  EXPECT_THAT(fault([](Parts &p) { p.weights[0].offset = 1024; }), HasSubstr("`b` reaches beyond"));
  EXPECT_THAT(fault([](Parts &p) { p.weights[0].offset = ~0ull & ~255ull; }),
              HasSubstr("`b` reaches beyond"));
  EXPECT_THAT(fault([](Parts &p) { p.weights[0].offset = 8; }), HasSubstr("`b` is not aligned"));
  EXPECT_THAT(fault([](Parts &p) { p.weights[0].digest.reset(); }), HasSubstr("`b` has no digest"));
  EXPECT_THAT(fault([](Parts &p) { p.weights[2].offset = 4969; }),
              HasSubstr("`d` reaches beyond its source"));
  EXPECT_THAT(fault([](Parts &p) { p.weights[2].container = 1; }), HasSubstr("`d` is in source 1"));
  EXPECT_EQ(fault([](Parts &p) { p.weights[2].digest.reset(); }), "accepted") << "a trusted link";
  EXPECT_THAT(fault([](Parts &p) { p.weights[2].high = 1; }), HasSubstr("`d` is not random"));
  EXPECT_THAT(fault([](Parts &p) { p.weights[3].low = 2; }), HasSubstr("`c` has no range"));
  EXPECT_THAT(fault([](Parts &p) { p.weights[3].high = INFINITY; }), HasSubstr("`c` has no range"));
  EXPECT_THAT(fault([](Parts &p) { p.weights[3].container = 1; }),
              HasSubstr("`c` is random and has a place"));
  EXPECT_THAT(fault([](Parts &p) { p.weights[3].type = ElementType::U64; }), HasSubstr("`c` has a type"));
  EXPECT_THAT(fault([](Parts &p) { p.weights[1].name = "b"; }), HasSubstr("not sorted at `b`"));
  EXPECT_THAT(fault([](Parts &p) { p.sources[0].name = "../x"; }), HasSubstr("not a plain file name"));
  EXPECT_THAT(fault([](Parts &p) {
                p.dataSizes = {1000};
                p.weights[1].container = 0;
                p.weights[1].offset = 256;
              }),
              HasSubstr("overlap"));
  EXPECT_THAT(fault([](Parts &p) { p.weights[1].extents[0] = ~0ull; }), HasSubstr("`a` has a size"));
}

TEST(WeightIndexTest, TruncatedOrChangedIsRefusedOrMeansSomethingElse) {
  Parts parts;
  std::string bytes = parts.encode();
  for (size_t length = 0; length != bytes.size(); ++length)
    EXPECT_NE(parts.id(bytes.substr(0, length)), "accepted") << length;
  EXPECT_NE(parts.id(bytes + '\0'), "accepted");
  // Digests, seeds, ranges and most names may have any value; everything else may not change.
  for (size_t at = 0; at != bytes.size(); ++at) {
    std::string flipped = bytes;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
    auto index = WeightIndex::parse(flipped, parts.dataSizes, "x");
    if (!index.ok())
      continue;
    std::vector<Weight> weights;
    for (size_t i = 0; i != index->size(); ++i)
      weights.push_back((*index)[i]);
    EXPECT_TRUE(encodeWeightIndex(weights, index->sources()) == flipped) << "byte " << at << " is not read";
  }
}

TEST(WeightIndexTest, OtherVersionsAreNamed) {
  Parts parts;
  std::string bytes = parts.encode();
  bytes[8] = 2;
  auto index = WeightIndex::parse(bytes, parts.dataSizes, "x");
  ASSERT_FALSE(index.ok());
  EXPECT_EQ(index.error().id(), "E-ARTIFACT-VERSION");
  EXPECT_EQ(index.error().sentence(),
            "`x`: the index of weights has version 2, this program reads version 1");
}

} // namespace
