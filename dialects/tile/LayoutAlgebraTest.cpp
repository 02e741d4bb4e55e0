//===- LayoutAlgebraTest.cpp ----------------------------------------------===//
//
// Properties, for all small sizes and for random larger ones. A position is (register, lane, warp).
//
//===----------------------------------------------------------------------===//
#include "dialects/tile/LayoutAlgebra.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

using namespace quern::tile;

namespace {

template <typename Visit> void forEachPosition(const Layout &layout, Visit visit) {
  for (int32_t w = 0; w < layout.numWarps(); ++w)
    for (int32_t l = 0; l < layout.numLanes(); ++l)
      for (int32_t r = 0; r < layout.numRegisters(); ++r)
        visit(r, l, w, layout.apply(r, l, w));
}

int64_t elements(const std::vector<int32_t> &shape) {
  int64_t n = 1;
  for (int32_t s : shape)
    n *= s;
  return n;
}

std::string describe(const std::vector<int32_t> &shape, int lanes, int warps, int vector) {
  std::string text;
  for (int32_t s : shape)
    text += std::to_string(s) + "x";
  return text + " lanes " + std::to_string(lanes) + " warps " + std::to_string(warps) + " vector " +
         std::to_string(vector);
}

/// Every element is held, none lies outside, each equally often, and one thread holds no element twice.
void checkCover(const Layout &layout, const std::string &what) {
  EXPECT_TRUE(layout.isSurjective()) << what;
  EXPECT_TRUE(layout.isDisjoint()) << what;
  std::map<Coordinate, int> holders;
  std::set<std::tuple<int, int, Coordinate>> perThread;
  forEachPosition(layout, [&](int32_t r, int32_t l, int32_t w, const Coordinate &at) {
    for (unsigned d = 0; d < layout.rank(); ++d) {
      ASSERT_GE(at[d], 0) << what;
      ASSERT_LT(at[d], layout.shape()[d]) << what;
    }
    ++holders[at];
    EXPECT_TRUE(perThread.insert({l, w, at}).second) << what << ": twice in one thread";
  });
  int64_t positions = int64_t(layout.numRegisters()) * layout.numLanes() * layout.numWarps();
  ASSERT_EQ(int64_t(holders.size()), elements(layout.shape())) << what;
  for (auto &[at, count] : holders)
    EXPECT_EQ(count, positions / elements(layout.shape())) << what;
}

/// All that is promised of blocked(), and of what is derived from it.
void checkBlocked(const std::vector<int32_t> &shape, int lanes, int warps, int vector) {
  std::string what = describe(shape, lanes, warps, vector);
  Layout layout = Layout::blocked(shape, lanes, warps, vector);
  EXPECT_EQ(layout.shape(), shape);
  EXPECT_EQ(layout.numLanes(), lanes) << what;
  EXPECT_EQ(layout.numWarps(), warps) << what;
  checkCover(layout, what);

  // The widest vector: neighbours of the last dimension in consecutive registers, and no wider.
  int32_t width = layout.vectorWidth();
  EXPECT_GE(width, shape.empty() ? 1 : std::min(vector, layout.core(layout.rank() - 1))) << what;
  for (int32_t r = 0; r + 1 < layout.numRegisters() && !shape.empty(); ++r)
    if ((r + 1) % width) {
      Coordinate next = layout.registerPart(r);
      ++next.back();
      EXPECT_EQ(layout.registerPart(r + 1), next) << what;
    }

  // The contiguity predicates, against their definition.
  bool contiguous = !shape.empty(), replicated = true;
  for (int32_t l = 0; l < lanes; ++l) {
    Coordinate expected = layout.apply(0, 0, 0), at = layout.apply(0, l, 0);
    replicated &= at == expected;
    if (!shape.empty())
      expected.back() += l;
    contiguous &= at == expected;
  }
  EXPECT_EQ(layout.lanesAreContiguous(), contiguous) << what;
  EXPECT_EQ(layout.lanesAreReplicated(), replicated) << what;

  // A register is found by what it adds.
  for (int32_t r = 0; r < layout.numRegisters(); ++r)
    EXPECT_EQ(layout.findRegister(layout.registerPart(r)), r) << what;
  if (!shape.empty()) {
    EXPECT_EQ(layout.findRegister(Coordinate(shape.begin(), shape.end())), std::nullopt) << what;
  }

  // Projection: the kept coordinates of a position are those of the position with the same lane and warp.
  for (unsigned mask = 0; mask < 1u << shape.size(); ++mask) {
    std::vector<unsigned> dims;
    for (unsigned d = 0; d < shape.size(); ++d)
      if (mask >> d & 1)
        dims.push_back(d);
    Layout kept = layout.project(dims);
    checkCover(kept, what + " projected");
    forEachPosition(layout, [&](int32_t r, int32_t l, int32_t w, const Coordinate &at) {
      Coordinate part, whole;
      for (unsigned d : dims) {
        part.push_back(layout.registerPart(r)[d]);
        whole.push_back(at[d]);
      }
      std::optional<int32_t> found = kept.findRegister(part);
      ASSERT_TRUE(found) << what;
      EXPECT_EQ(kept.apply(*found, l, w), whole) << what;
    });
  }

  // Insertion: each thread holds the whole new dimension for each element that it held.
  for (unsigned dim = 0; dim <= shape.size(); ++dim)
    for (int32_t size : {1, 4, 6}) {
      Layout wider = layout.insertRegisterDim(dim, size);
      checkCover(wider, what + " widened");
      EXPECT_EQ(wider.numRegisters(), layout.numRegisters() * size) << what;
      std::vector<unsigned> old;
      for (unsigned d = 0; d < wider.rank(); ++d)
        if (d != dim)
          old.push_back(d);
      EXPECT_EQ(wider.project(old), layout) << what;
      if (dim == shape.size() && size > 1) {
        EXPECT_GE(wider.vectorWidth(), size & -size) << what;
      }
    }
}

TEST(LayoutAlgebraTest, SmallSizes) {
  checkBlocked({}, 4, 2, 1);
  for (int32_t a : {1, 2, 3, 4, 6})
    for (int lanes : {1, 2, 4, 8})
      for (int warps : {1, 2})
        for (int vector : {1, 2, 4}) {
          checkBlocked({a}, lanes, warps, vector);
          for (int32_t b : {1, 2, 3, 4})
            checkBlocked({a, b}, lanes, warps, vector);
        }
}

TEST(LayoutAlgebraTest, RandomLargerSizes) {
  std::mt19937 generator(1);
  auto pick = [&](std::initializer_list<int32_t> list) { return list.begin()[generator() % list.size()]; };
  for (int i = 0; i < 60; ++i) {
    std::vector<int32_t> shape;
    for (int32_t rank = pick({1, 2, 3}); rank > 0; --rank)
      shape.push_back(pick({1, 2, 5, 8, 12, 16}));
    checkBlocked(shape, pick({8, 16, 32, 64}), pick({1, 2, 4}), pick({1, 2, 4, 8}));
  }
}

TEST(LayoutAlgebraTest, SizesThatAreRepeatsOfAPowerOfTwo) {
  for (auto [size, core, repeat] :
       {std::array{48, 16, 3}, {96, 32, 3}, {192, 64, 3}, {576, 64, 9}, {80, 16, 5}}) {
    Layout layout = Layout::blocked({size}, 16, 1, 1);
    EXPECT_EQ(layout.core(0), core);
    EXPECT_EQ(layout.repeats(), std::vector<int32_t>{repeat});
    EXPECT_EQ(layout.numRegisters(), size / 16);
    checkCover(layout, std::to_string(size));
    // Repeats are the high part of the register index.
    EXPECT_EQ(layout.registerPart(core / 16), Coordinate{core});
  }
}

TEST(LayoutAlgebraTest, TheExampleOfTheHeader) {
  Layout layout({4, 8}, {{{{0, 1}, {0, 2}}, {{0, 4}, {1, 0}, {2, 0}}, {}}}, {1, 1});
  EXPECT_EQ(layout.apply(3, 5, 0), (Coordinate{2, 7}));
  EXPECT_EQ(layout, Layout::blocked({4, 8}, 8, 1, 4));
  EXPECT_EQ(layout.str(),
            "register = [[0, 1], [0, 2]], lane = [[0, 4], [1, 0], [2, 0]], warp = [], repeat = [1, 1]");
  EXPECT_EQ(layout.vectorWidth(), 4);
  EXPECT_FALSE(layout.lanesAreContiguous());
}

TEST(LayoutAlgebraTest, Replicated) {
  Layout layout = Layout::replicated({3, 4}, 32, 4);
  checkCover(layout, "replicated");
  EXPECT_TRUE(layout.lanesAreReplicated());
  EXPECT_EQ(layout.numRegisters(), 12);
  EXPECT_EQ(layout.numLanes(), 32);
  EXPECT_EQ(layout.numWarps(), 4);
}

TEST(LayoutAlgebraTest, SwizzlesAreNotDisjointAndMissingElementsAreFound) {
  Layout swizzle({2, 2}, {{{{0, 1}}, {{1, 1}}, {}}}, {1, 1});
  EXPECT_FALSE(swizzle.isDisjoint());
  EXPECT_TRUE(swizzle.isSurjective());
  Layout half({4}, {{{{1}}, {}, {}}}, {1});
  EXPECT_FALSE(half.isSurjective());
}

/// Every map of |bits| hardware bits to a box of |bits| or fewer coordinate bits: the inverse is an inverse.
TEST(LayoutAlgebraTest, FindIsARightInverseExhaustively) {
  for (unsigned registers : {0u, 1u, 2u})
    for (unsigned lanes : {0u, 1u, 2u})
      for (uint64_t code = 0; code < uint64_t(1) << 3 * (registers + lanes); ++code) {
        std::array<std::vector<Coordinate>, numHardware> bases;
        for (unsigned bit = 0; bit < registers + lanes; ++bit) {
          int32_t value = int32_t(code >> 3 * bit & 7);
          bases[bit < registers ? 0 : 1].push_back({value >> 2, value & 3});
        }
        Layout layout({4, 12}, bases, {2, 3});
        std::set<Coordinate> held;
        forEachPosition(layout,
                        [&](int32_t r, int32_t l, int32_t w, const Coordinate &at) { held.insert(at); });
        for (int32_t i = 0; i < 4; ++i)
          for (int32_t j = 0; j < 12; ++j) {
            std::optional<Position> found = layout.find({i, j});
            ASSERT_EQ(found.has_value(), held.count({i, j}) == 1) << layout.str();
            if (found) {
              ASSERT_EQ(layout.apply(found->reg, found->lane, found->warp), (Coordinate{i, j}))
                  << layout.str();
            }
          }
        EXPECT_EQ(layout.isSurjective(), held.size() == 48u) << layout.str();
      }
}

TEST(LayoutAlgebraTest, FindRefusesWhatLiesOutside) {
  Layout layout = Layout::blocked({6, 8}, 4, 2, 2);
  EXPECT_FALSE(layout.find({6, 0}));
  EXPECT_FALSE(layout.find({0, -1}));
  EXPECT_EQ(layout.find({0, 0}), (Position{0, 0, 0}));
}

TEST(LayoutAlgebraTest, ProductAndDivision) {
  std::mt19937 generator(5);
  auto pick = [&](std::initializer_list<int32_t> list) { return list.begin()[generator() % list.size()]; };
  for (int i = 0; i < 200; ++i) {
    Layout fragment =
        Layout::blocked({pick({1, 4, 8}), pick({2, 8, 12})}, pick({4, 8}), pick({1, 2}), pick({1, 2, 4}));
    int32_t rows = pick({1, 2}), columns = fragment.repeats()[1] == 1 ? pick({1, 4}) : 1, same = pick({1, 2});
    std::vector<WarpSplit> grid = {{0, rows}, {-1, same}, {1, columns}};
    std::vector<int32_t> cells = {rows * pick({1, 2, 3}), columns * pick({1, 2, 5, 6})};
    std::vector<int32_t> shape = {fragment.shape()[0] * cells[0], fragment.shape()[1] * cells[1]};
    std::optional<Layout> product = Layout::tiled(fragment, shape, grid);
    ASSERT_TRUE(product) << fragment.str();
    std::string what = fragment.str() + " -> " + product->str();
    EXPECT_TRUE(product->isSurjective()) << what;
    EXPECT_EQ(product->numLanes(), fragment.numLanes()) << what;
    EXPECT_EQ(product->numWarps(), fragment.numWarps() * rows * same * columns) << what;
    EXPECT_EQ(product->numRegisters(), fragment.numRegisters() * (cells[0] / rows) * (cells[1] / columns))
        << what;
    // Each thread holds, in each of its cells, exactly what the fragment's thread holds.
    forEachPosition(*product, [&](int32_t r, int32_t l, int32_t w, const Coordinate &at) {
      Coordinate cell = {at[0] / fragment.shape()[0], at[1] / fragment.shape()[1]};
      Coordinate inside = {at[0] % fragment.shape()[0], at[1] % fragment.shape()[1]};
      int32_t grids = w / fragment.numWarps();
      EXPECT_EQ(cell[0] % rows, grids % rows) << what;
      EXPECT_EQ(cell[1] % columns, grids / rows / same) << what;
      bool held = false;
      for (int32_t f = 0; f < fragment.numRegisters(); ++f)
        held |= fragment.apply(f, l, w % fragment.numWarps()) == inside;
      EXPECT_TRUE(held) << what;
    });

    std::optional<Layout> quotient = product->dividedBy(fragment);
    if (fragment.repeats()[1] != 1 && cells[1] > 1) {
      EXPECT_FALSE(quotient) << what; // the order of such repeats is not that of whole fragments
      continue;
    }
    ASSERT_TRUE(quotient) << what;
    EXPECT_EQ(quotient->shape(), cells) << what;
    EXPECT_TRUE(quotient->isSurjective()) << what;
    EXPECT_EQ(quotient->numRegisters() * fragment.numRegisters(), product->numRegisters()) << what;
    forEachPosition(*quotient, [&](int32_t r, int32_t l, int32_t w, const Coordinate &cell) {
      EXPECT_EQ(cell[0] % rows, w % rows) << what;
      EXPECT_EQ(cell[1] % columns, w / rows / same) << what;
    });
  }
}

TEST(LayoutAlgebraTest, TheExampleOfTheProduct) {
  Layout fragment({16, 8}, {{{{0, 1}, {8, 0}}, {{0, 2}, {0, 4}, {1, 0}, {2, 0}, {4, 0}}, {}}}, {1, 1});
  std::optional<Layout> product = Layout::tiled(fragment, {64, 96}, {{0, 2}, {1, 2}});
  ASSERT_TRUE(product);
  EXPECT_EQ(product->numRegisters(), 4 * 2 * 6);
  EXPECT_EQ(product->repeats(), (std::vector<int32_t>{1, 3}));
  EXPECT_EQ(product->apply(0, 0, 1), (Coordinate{16, 0}));
  EXPECT_EQ(product->apply(0, 0, 2), (Coordinate{0, 8}));
  std::set<int32_t> rows, columns; // of warp 2
  for (int32_t r = 0; r < product->numRegisters(); ++r) {
    Coordinate at = product->apply(r, 0, 2);
    rows.insert(at[0] / 16);
    columns.insert(at[1] / 8);
  }
  EXPECT_EQ(rows, (std::set<int32_t>{0, 2}));
  EXPECT_EQ(columns, (std::set<int32_t>{1, 3, 5, 7, 9, 11}));
}

TEST(LayoutAlgebraTest, ProductsThatDoNotFit) {
  Layout fragment = Layout::blocked({4, 12}, 8, 1, 2);
  EXPECT_TRUE(Layout::tiled(fragment, {8, 24}, {}));
  EXPECT_FALSE(Layout::tiled(fragment, {8, 20}, {}));
  EXPECT_FALSE(Layout::tiled(fragment, {8, 24}, {{1, 2}}));
  EXPECT_FALSE(Layout::tiled(fragment, {8, 24}, {{0, 3}}));
  EXPECT_FALSE(Layout::tiled(fragment, {8, 24}, {{2, 2}}));
  EXPECT_FALSE(Layout::tiled(fragment, {8}, {}));
  EXPECT_FALSE(Layout::tiled(fragment, {0, 12}, {}));
  // What is no product of the fragment: other lanes, other registers, a swizzle across fragments.
  EXPECT_FALSE(Layout::blocked({8, 8}, 8, 1, 2).dividedBy(Layout::blocked({4, 8}, 16, 1, 2)));
  EXPECT_FALSE(Layout::blocked({8, 8}, 8, 1, 1).dividedBy(Layout::blocked({4, 8}, 8, 1, 4)));
  Layout crossed({4, 4}, {{{{0, 1}, {2, 1}}, {{0, 2}, {1, 0}}, {}}}, {1, 1});
  EXPECT_FALSE(crossed.dividedBy(Layout({2, 4}, {{{{0, 1}}, {{0, 2}, {1, 0}}, {}}}, {1, 1})));
}

TEST(LayoutAlgebraTest, ProjectionReordersDimensions) {
  Layout layout = Layout::blocked({4, 12}, 8, 2, 2);
  Layout transposed = layout.project({1, 0});
  EXPECT_EQ(transposed.shape(), (std::vector<int32_t>{12, 4}));
  EXPECT_EQ(transposed.project({1, 0}), layout);
  checkCover(transposed, "transposed");
}

} // namespace
