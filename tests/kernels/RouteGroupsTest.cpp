//===- RouteGroupsTest.cpp - kernels/route_groups -------------------------===//
#include "tests/kernels/KernelHarness.h"

#include <random>

using namespace quern;
using namespace quern::test;
using H = KernelHarness;

namespace {

class RouteGroupsTest : public KernelTest {};

/// Random matrices of |rows| rows; with |only| all of one.
void check(H &harness, int rows, int matrices, int round, int only = -1) {
  std::mt19937_64 generator(uint64_t(rows * 100 + matrices));
  std::vector<int32_t> indices;
  for (int r = 0; r < rows; ++r)
    indices.push_back(only >= 0 ? only : int32_t(generator() % matrices));
  int places = rows + matrices * (round - 1);
  std::vector<int32_t> slots, groups;
  for (int e = 0; e < matrices; ++e) {
    for (int r = 0; r < rows; ++r)
      if (indices[r] == e)
        slots.push_back(r);
    while (slots.size() % round)
      slots.push_back(-1);
    groups.resize(slots.size() / round, e);
  }
  ASSERT_LE(int(slots.size()), places);
  slots.resize(places, -1);
  groups.resize((places + round - 1) / round, -1);

  auto di = harness.upload(indices);
  auto ds = harness.allocate<int32_t>(slots.size()), dg = harness.allocate<int32_t>(groups.size());
  harness.launch(harness.request("route_groups", {{"E", matrices}, {"ROUND", round}}),
                 {H::argument(di), H::argument(ds), H::argument(dg), H::argument(rows), H::argument(places)});
  std::string what = std::to_string(rows) + " rows, " + std::to_string(matrices) + " matrices";
  EXPECT_EQ(harness.download(ds), slots) << what;
  EXPECT_EQ(harness.download(dg), groups) << what;
}

TEST_P(RouteGroupsTest, SortsRowsByMatrix) {
  H harness(GetParam());
  for (int rows : {1, 7, 40, 130})
    check(harness, rows, 8, 16);
  check(harness, 77, 6, 32);
  check(harness, 40, 64, 32);
}

TEST_P(RouteGroupsTest, AllRowsOfOneMatrix) {
  H harness(GetParam());
  for (int only : {0, 2, 4})
    check(harness, 33, 5, 32, only);
}

QUERN_INSTANTIATE_KERNEL_TEST(RouteGroupsTest);

} // namespace
