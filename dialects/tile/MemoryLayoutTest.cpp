//===- MemoryLayoutTest.cpp -----------------------------------------------===//
#include "dialects/tile/MemoryLayout.h"

#include "tests/dialects/tile/AtomFacts.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

using namespace quern::tile;

namespace {

template <typename Visit> void forEachElement(const std::vector<int32_t> &shape, Visit visit) {
  Coordinate at(shape.size(), 0);
  while (true) {
    visit(at);
    unsigned d = shape.size();
    while (d > 0 && ++at[d - 1] == shape[d - 1])
      at[--d] = 0;
    if (d == 0)
      return;
  }
}

/// A bijection onto [0, elements), with `coordinate` its inverse and `split` additive over disjoint bits.
void checkBijection(const MemoryLayout &memory, const std::string &what) {
  std::set<int64_t> offsets;
  forEachElement(memory.shape(), [&](const Coordinate &at) {
    int64_t offset = memory.offset(at);
    EXPECT_GE(offset, 0) << what;
    EXPECT_LT(offset, memory.elements()) << what;
    EXPECT_TRUE(offsets.insert(offset).second) << what << ": two elements at " << offset;
    EXPECT_EQ(memory.coordinate(offset), at) << what;
    MemoryLayout::Split sum{0, 0};
    for (unsigned d = 0; d < memory.rank(); ++d)
      for (int32_t bit = 1; bit <= at[d]; bit *= 2)
        if (at[d] & bit) {
          Coordinate part(memory.rank(), 0);
          part[d] = bit;
          MemoryLayout::Split split = memory.split(part);
          sum.crossed ^= split.crossed;
          sum.added += split.added;
        }
    EXPECT_EQ(sum.crossed + sum.added, offset) << what;
  });
  EXPECT_EQ(int64_t(offsets.size()), memory.elements()) << what;
}

TEST(MemoryLayoutTest, DenseIsRowOrder) {
  for (std::vector<int32_t> shape :
       {std::vector<int32_t>{1}, {7}, {8}, {3, 4}, {4, 3}, {6, 5}, {12, 48}, {2, 3, 4}, {4, 8, 2}, {5, 1, 6}})
    for (unsigned fastest = 0; fastest < shape.size(); ++fastest) {
      MemoryLayout memory = MemoryLayout::dense(shape, fastest);
      checkBijection(memory, memory.str());
      forEachElement(shape, [&](const Coordinate &at) {
        int64_t expected = 0;
        for (unsigned d = 0; d < shape.size(); ++d)
          if (d != fastest)
            expected = expected * shape[d] + at[d];
        EXPECT_EQ(memory.offset(at), expected * shape[fastest] + at[fastest]) << memory.str();
      });
    }
  EXPECT_EQ(MemoryLayout::dense({4, 3}), MemoryLayout::dense({4, 3}, 1));
}

/// The rule on byte addresses, panel by panel.
TEST(MemoryLayoutTest, SwizzlesAreThoseOfTheAddressRule) {
  const quern::Json &facts = *atomFacts().find("swizzle");
  for (unsigned bits : {8u, 16u, 32u})
    for (int32_t span : {16, 32, 64, 128})
      for (unsigned fastest : {0u, 1u})
        for (auto [panels, rows] : {std::pair{1, 8}, {1, 64}, {2, 24}, {3, 8}, {3, 40}}) {
          int32_t columns = span * 8 / int32_t(bits);
          std::vector<int32_t> shape(2, rows);
          shape[fastest] = panels * columns;
          std::optional<MemoryLayout> memory = MemoryLayout::swizzled(shape, bits, span, fastest);
          ASSERT_TRUE(memory);
          std::string what =
              std::to_string(bits) + " bits, span " + std::to_string(span) + ": " + memory->str();
          checkBijection(*memory, what);
          int64_t mask = span == 16 ? 0 : facts.find("masks")->find(std::to_string(span))->integer();
          forEachElement(shape, [&](const Coordinate &at) {
            int64_t column = at[fastest], row = at[1 - fastest];
            int64_t element = (column / columns * rows + row) * columns + column % columns;
            int64_t address = element * bits / 8;
            address ^= (address >> 7 & mask) << 4;
            EXPECT_EQ(memory->offset(at) * bits / 8, address) << what;
          });
        }
}

TEST(MemoryLayoutTest, SwizzleAtomsAreThoseOfTheFacts) {
  int compared = 0;
  for (const quern::Json &record : atomFacts().find("fragments")->items()) {
    if (!record.find("offset"))
      continue;
    const std::string &id = record.find("id")->string(); // nv.smem.K.sw128.b16
    int32_t span = std::stoi(id.substr(id.find(".sw") + 3));
    std::optional<MemoryLayout> memory =
        MemoryLayout::swizzled(integers(*record.find("shape")), unsigned(record.find("elem_bits")->integer()),
                               span ? span : 16, id.find(".MN.") == std::string::npos ? 1 : 0);
    ASSERT_TRUE(memory) << id;
    EXPECT_EQ(memory->bases(), coordinates(*record.find("offset"))) << id;
    ++compared;
  }
  EXPECT_EQ(compared, 16);
}

TEST(MemoryLayoutTest, SwizzlesThatDoNotFit) {
  EXPECT_FALSE(MemoryLayout::swizzled({8, 32}, 16, 128, 1)); // half a panel
  EXPECT_FALSE(MemoryLayout::swizzled({8, 96}, 16, 128, 1)); // one and a half
  EXPECT_FALSE(MemoryLayout::swizzled({4, 64}, 16, 128, 1)); // half a pattern of rows
  EXPECT_FALSE(MemoryLayout::swizzled({8, 64}, 16, 256, 1));
  EXPECT_FALSE(MemoryLayout::swizzled({8, 64}, 4, 128, 1));
  EXPECT_FALSE(MemoryLayout::swizzled({8, 64, 1}, 16, 128, 1));
  EXPECT_FALSE(MemoryLayout::swizzled({0, 64}, 16, 128, 1));
}

TEST(MemoryLayoutTest, TheExampleOfTheHeader) {
  std::optional<MemoryLayout> memory = MemoryLayout::swizzled({8, 64}, 16, 128, 1);
  ASSERT_TRUE(memory);
  EXPECT_EQ(memory->bases()[6], (Coordinate{1, 8}));
  EXPECT_EQ(memory->offset({3, 0}), 216);
  EXPECT_EQ(memory->str(), "offset = [[0, 1], [0, 2], [0, 4], [0, 8], [0, 16], [0, 32], [1, 8], [2, 16], [4, "
                           "32]], core = [8, 64], stride = [512, 512]");
  std::optional<MemoryLayout> large = MemoryLayout::swizzled({96, 192}, 16, 128, 1);
  ASSERT_TRUE(large);
  EXPECT_EQ(large->strides(), (std::vector<int64_t>{512, 6144}));
}

/// The width, against its definition.
int32_t widthByCounting(const MemoryLayout &memory, const Layout &layout) {
  int32_t width = 1;
  for (int32_t candidate = 2; candidate <= layout.numRegisters(); candidate *= 2) {
    bool fits = layout.numRegisters() % candidate == 0;
    for (int32_t w = 0; w < layout.numWarps(); ++w)
      for (int32_t l = 0; l < layout.numLanes(); ++l)
        for (int32_t r = 0; fits && r < layout.numRegisters(); ++r) {
          int64_t first = memory.offset(layout.apply(r / candidate * candidate, l, w));
          fits = first % candidate == 0 && memory.offset(layout.apply(r, l, w)) == first + r % candidate;
        }
    if (!fits)
      break;
    width = candidate;
  }
  return width;
}

TEST(MemoryLayoutTest, VectorWidth) {
  std::mt19937 generator(3);
  int wide = 0;
  for (int i = 0; i < 300; ++i) {
    std::vector<int32_t> shape = {int32_t(8 << generator() % 2) * int32_t(generator() % 3 ? 1 : 3),
                                  int32_t(16 << generator() % 2) * int32_t(generator() % 3 ? 1 : 3)};
    Layout layout = Layout::blocked(shape, 8, 1 << generator() % 2, 1 << generator() % 4);
    MemoryLayout memory = MemoryLayout::dense(shape, generator() % 2);
    if (generator() % 2)
      if (std::optional<MemoryLayout> swizzled =
              MemoryLayout::swizzled(shape, 16, 16 << generator() % 2, generator() % 2))
        memory = *swizzled;
    EXPECT_EQ(memory.vectorWidth(layout), widthByCounting(memory, layout)) << memory.str() << layout.str();
    wide += memory.vectorWidth(layout) > 1;
  }
  EXPECT_GT(wide, 50);
}

} // namespace
