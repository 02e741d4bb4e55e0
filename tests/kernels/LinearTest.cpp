//===- LinearTest.cpp - kernels/linear ------------------------------------===//
#include "tests/kernels/LinearProblem.h"

using namespace quern;
using namespace quern::test;
using H = KernelHarness;

namespace {

class LinearTest : public KernelTest {};

void check(H &harness, const LinearCase &c, uint64_t seed) {
  LinearProblem problem(c, seed);
  lowering::KernelRequest request = harness.request("linear", problem.parameters());
  expectClose(problem.run(harness, request), problem.reference(),
              std::to_string(c.rows) + " rows, " + request.text());
}

TEST_P(LinearTest, Rows) {
  H harness(GetParam());
  for (int rows : {1, 3, 17, 65})
    check(harness, {.rows = rows, .n = 48, .k = 256, .bias = true}, uint64_t(rows));
}

TEST_P(LinearTest, Shapes) {
  H harness(GetParam());
  check(harness, {.rows = 5, .n = 100, .k = 96, .bias = true, .b = "f32", .y = "f32"}, 1);
  check(harness, {.rows = 2, .n = 7, .k = 80, .xPadding = 48, .yPadding = 9}, 2);
  check(harness, {.rows = 3, .n = 33, .k = 72, .x = "f32", .w = "f32", .y = "f32", .xPadding = 8}, 3);
}

TEST_P(LinearTest, BlockScales) {
  H harness(GetParam());
  for (const char *w : {"f8E4M3FN", "f8E4M3FNUZ"}) {
    check(harness, {.rows = 3, .n = 140, .k = 256, .w = w}, 4);
    check(harness, {.rows = 5, .n = 130, .k = 384, .bias = true, .x = w, .w = w, .y = "f32"}, 5);
  }
  check(harness, {.rows = 2, .n = 20, .k = 200, .w = "f8E4M3FN"}, 6);
  // The last block of K is short.
  for (int k : {192, 320, 200, 96})
    for (const char *w : {"f8E4M3FN", "f8E4M3FNUZ"})
      check(harness,
            {.rows = 5, .n = 130, .k = k, .bias = true, .x = w, .w = w, .y = "f32", .xPadding = k % 64}, 6);
}

TEST_P(LinearTest, Experts) {
  H harness(GetParam());
  check(harness, {.rows = 12, .n = 40, .k = 64, .experts = 5, .share = 3}, 7);
  check(harness, {.rows = 8, .n = 136, .k = 128, .x = "f8E4M3FN", .w = "f8E4M3FN", .experts = 4, .share = 4},
        8);
  check(harness, {.rows = 6, .n = 24, .k = 256, .w = "f8E4M3FN", .y = "f32", .experts = 3}, 9);
  check(harness, {.rows = 6, .n = 24, .k = 192, .x = "f8E4M3FN", .w = "f8E4M3FN", .y = "f32", .experts = 3},
        9);
}

TEST_P(LinearTest, EqualBitsUnderAllSchedules) {
  H harness(GetParam());
  for (const char *element : {"bf16", "f8E4M3FN"}) {
    LinearProblem problem(
        {.rows = 9, .n = 52, .k = 256, .bias = true, .x = element, .w = element, .whole = true}, 10);
    HostTensor first = problem.run(harness, harness.request("linear", problem.parameters()));
    expectClose(first, problem.reference(), "default schedule");
    for (auto [tile, warps] :
         {std::pair{std::vector<int32_t>{1, 8, 32}, 1}, {{2, 16, 128}, 2}, {{8, 4, 64}, 8}}) {
      lowering::KernelRequest request = harness.request("linear", problem.parameters(), tile, warps);
      expectEqual(problem.run(harness, request), first, request.schedule.str());
    }
    lowering::KernelRequest outer =
        harness.request("linear", problem.parameters(), {8, 32, 8}, 4, tile::Contraction::Outer);
    expectEqual(problem.run(harness, outer), first, outer.schedule.str());
  }
}

QUERN_INSTANTIATE_KERNEL_TEST(LinearTest);

} // namespace
