//===- LinearMapTest.cpp --------------------------------------------------===//
#include "dialects/tile/LinearMap.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

using namespace quern::tile;

namespace {

/// All that is promised, against counting.
void check(const LinearMap &map, unsigned outputBits) {
  std::set<uint64_t> values, kernel;
  for (uint64_t x = 0; x < uint64_t(1) << map.inputBits(); ++x) {
    values.insert(map(x));
    if (map(x) == 0)
      kernel.insert(x);
  }
  ASSERT_EQ(values.size(), size_t(1) << map.rank());
  EXPECT_EQ(map.isInjective(), kernel.size() == 1);
  EXPECT_EQ(map.isOnto(outputBits), values.size() == size_t(1) << outputBits);

  std::vector<uint64_t> basis = map.kernel();
  EXPECT_EQ(size_t(1) << basis.size(), kernel.size());
  EXPECT_EQ(Span(basis).rank(), basis.size());
  for (uint64_t vector : basis)
    EXPECT_TRUE(kernel.count(vector));

  Span span(map.columns());
  for (uint64_t y = 0; y < uint64_t(1) << outputBits; ++y) {
    EXPECT_EQ(span.contains(y), values.count(y) == 1);
    std::optional<uint64_t> sources = span.solve(y);
    ASSERT_EQ(sources.has_value(), values.count(y) == 1);
    if (sources)
      EXPECT_EQ(map(*sources), y);
    for (uint64_t value : values)
      EXPECT_EQ(span.reduce(y ^ value), span.reduce(y));
    EXPECT_LE(span.reduce(y), y);
  }
  std::optional<LinearMap> inverse = map.rightInverse(outputBits);
  ASSERT_EQ(inverse.has_value(), map.isOnto(outputBits));
  if (inverse) {
    EXPECT_EQ(map.after(*inverse), LinearMap::identity(outputBits));
    if (map.isInjective())
      EXPECT_EQ(inverse->after(map), LinearMap::identity(map.inputBits()));
  }
}

TEST(LinearMapTest, EveryMapOfUpToThreeBits) {
  for (unsigned in = 0; in <= 3; ++in)
    for (unsigned out = 0; out <= 3; ++out)
      for (uint64_t code = 0; code < uint64_t(1) << in * out; ++code) {
        std::vector<uint64_t> columns;
        for (unsigned i = 0; i < in; ++i)
          columns.push_back(code >> i * out & ((1u << out) - 1));
        check(LinearMap(columns), out);
      }
}

TEST(LinearMapTest, RandomMaps) {
  std::mt19937_64 generator(7);
  for (int i = 0; i < 300; ++i) {
    unsigned in = generator() % 8, out = generator() % 7;
    std::vector<uint64_t> columns;
    for (unsigned bit = 0; bit < in; ++bit)
      columns.push_back(generator() & ((1u << out) - 1));
    check(LinearMap(columns), out);
  }
}

TEST(LinearMapTest, CompositionAppliesTheInnerMapFirst) {
  LinearMap swap({0b10, 0b01}), fold({0b1, 0b1});
  for (uint64_t x = 0; x < 4; ++x)
    EXPECT_EQ(fold.after(swap)(x), fold(swap(x)));
  EXPECT_EQ(swap.after(swap), LinearMap::identity(2));
  EXPECT_EQ(LinearMap({0b11, 0b10}).after(swap)(0b01), 0b10u);
}

} // namespace
