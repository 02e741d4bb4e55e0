//===- HeadLinearTest.cpp - kernels/head_linear ---------------------------===//
#include "support/Float8.h"
#include "tests/kernels/KernelHarness.h"

#include <cmath>

using namespace quern;
using namespace quern::test;
using H = KernelHarness;

namespace {

class HeadLinearTest : public KernelTest {};

struct HeadCase {
  int tokens, heads, n, k;
  bool transposed;
  std::string x = "bf16", w = "bf16", y = "f32";
  int row0 = 0, moreRows = 0; ///< rows of a head before and behind those that are used
  int padding = 0;            ///< elements between the heads of x
  bool whole = false;
  bool split = false;
};

struct HeadProblem {
  HeadCase c;
  int rows, columns, hs, xs;
  bool scaled;
  HostTensor x, w, scales;

  HeadProblem(const HeadCase &given, uint64_t seed) : c(given) {
    rows = c.row0 + (c.transposed ? c.k : c.n) + c.moreRows;
    columns = c.transposed ? c.n : c.k;
    hs = c.k + c.padding;
    xs = c.heads * hs;
    scaled = c.w.starts_with("f8");
    size_t xCount = size_t(c.tokens) * xs, wCount = size_t(c.heads) * rows * columns;
    x = c.whole ? HostTensor::whole(c.x, xCount, seed) : HostTensor::normal(c.x, xCount, seed);
    w = c.whole ? HostTensor::whole(c.w, wCount, seed + 1) : HostTensor::normal(c.w, wCount, seed + 1);
    size_t blocks = size_t((c.heads * rows + 127) / 128) * ((columns + 127) / 128);
    scales = HostTensor::normal("f32", blocks, seed + 2);
    for (size_t i = 0; i < blocks; ++i)
      scales.values[i] = c.whole ? double(1 << i % 3) : float(std::abs(scales[i]) + 0.1);
  }

  Parameters parameters() const {
    return {{"H", c.heads},
            {"N", c.n},
            {"K", c.k},
            {"ROWS", rows},
            {"ROW0", c.row0},
            {"COLUMNS", columns},
            {"XS", xs},
            {"HS", hs},
            {"X", c.x},
            {"W", c.w},
            {"Y", c.y},
            {"SCALES", scaled},
            {"TRANSPOSED", c.transposed},
            {"SPLIT", c.split}};
  }

  HostTensor run(H &harness, const lowering::KernelRequest &request) const {
    auto dx = harness.upload(x), dw = harness.upload(w), ds = harness.upload(scales);
    auto y = harness.output(c.y, size_t(c.tokens) * c.heads * c.n);
    harness.launch(request, {H::argument(dx), H::argument(dw), scaled ? H::argument(ds) : H::none(),
                             H::argument(y), H::argument(c.tokens)});
    return harness.download(y);
  }

  std::vector<double> reference() const {
    std::vector<double> out;
    for (int t = 0; t < c.tokens; ++t)
      for (int h = 0; h < c.heads; ++h)
        for (int n = 0; n < c.n; ++n) {
          double sum = 0;
          for (int k = 0; k < c.k; ++k) {
            size_t row = size_t(h) * rows + c.row0 + (c.transposed ? k : n), column = c.transposed ? n : k;
            double weight = w[row * columns + column];
            if (scaled)
              weight = roundToBf16(float(weight) *
                                   float(scales[row / 128 * ((columns + 127) / 128) + column / 128]));
            sum += x[size_t(t) * xs + h * hs + k] * weight;
          }
          out.push_back(sum);
        }
    return out;
  }
};

void check(H &harness, const HeadCase &c, uint64_t seed) {
  HeadProblem problem(c, seed);
  lowering::KernelRequest request = harness.request("head_linear", problem.parameters());
  expectClose(problem.run(harness, request), problem.reference(), request.text());
}

TEST_P(HeadLinearTest, Straight) {
  H harness(GetParam());
  check(harness, {.tokens = 1, .heads = 2, .n = 32, .k = 64, .transposed = false, .row0 = 16}, 1);
  check(harness,
        {.tokens = 5,
         .heads = 3,
         .n = 48,
         .k = 96,
         .transposed = false,
         .x = "f32",
         .y = "bf16",
         .row0 = 80,
         .moreRows = 4,
         .padding = 8},
        2);
  check(harness, {.tokens = 3, .heads = 1, .n = 7, .k = 20, .transposed = false, .row0 = 1}, 3);
}

TEST_P(HeadLinearTest, Transposed) {
  H harness(GetParam());
  check(harness,
        {.tokens = 3, .heads = 2, .n = 64, .k = 32, .transposed = true, .moreRows = 32, .padding = 16}, 4);
  check(harness, {.tokens = 65, .heads = 2, .n = 96, .k = 24, .transposed = true, .row0 = 3}, 5);
  check(harness, {.tokens = 1, .heads = 1, .n = 512, .k = 16, .transposed = true}, 6);
}

TEST_P(HeadLinearTest, BlockScales) {
  H harness(GetParam());
  for (const char *w : {"f8E4M3FN", "f8E4M3FNUZ"}) {
    check(harness,
          {.tokens = 3,
           .heads = 3,
           .n = 96,
           .k = 256,
           .transposed = false,
           .x = "f32",
           .w = w,
           .y = "bf16",
           .row0 = 64},
          7);
    check(harness, {.tokens = 2, .heads = 3, .n = 192, .k = 96, .transposed = true, .w = w, .moreRows = 64},
          8);
  }
}

TEST_P(HeadLinearTest, EqualBitsUnderAllSchedules) {
  H harness(GetParam());
  for (bool transposed : {false, true}) {
    HeadProblem problem({.tokens = 5,
                         .heads = 2,
                         .n = 48,
                         .k = 64,
                         .transposed = transposed,
                         .w = "f8E4M3FN",
                         .row0 = 64,
                         .moreRows = 16,
                         .whole = true},
                        9);
    HostTensor first = problem.run(harness, harness.request("head_linear", problem.parameters()));
    expectClose(first, problem.reference(), "default schedule");
    for (auto [tile, warps] :
         {std::pair{std::vector<int32_t>{1, 16, 32}, 1}, {{8, 8, 64}, 2}, {{2, 32, 16}, 8}}) {
      lowering::KernelRequest request = harness.request("head_linear", problem.parameters(), tile, warps);
      expectEqual(problem.run(harness, request), first, request.schedule.str());
    }
  }
}

QUERN_INSTANTIATE_KERNEL_TEST(HeadLinearTest);

class HeadMatrixTest : public KernelTest {};

/// The default Schedule has an atom. Whole numbers are exact, so that one wrong element of a fragment shows.
void checkExact(H &harness, HeadCase c, uint64_t seed) {
  c.whole = true;
  HeadProblem problem(c, seed);
  lowering::KernelRequest request = harness.request("head_linear", problem.parameters());
  EXPECT_NE(request.schedule.mma, "") << request.text();
  expectEqual(problem.run(harness, request), HostTensor::of(c.y, problem.reference()), request.text());
}

TEST_P(HeadMatrixTest, BothForms) {
  H harness(GetParam());
  for (const char *w : {"bf16", "f8E4M3FN", "f8E4M3FNUZ"}) {
    HeadCase straight{.tokens = 3, .heads = 2, .n = 72, .k = 96, .transposed = false, .w = w, .row0 = 16};
    HeadCase transposed{
        .tokens = 19, .heads = 2, .n = 136, .k = 80, .transposed = true, .w = w, .moreRows = 24};
    transposed.padding = 8;
    HeadCase split = straight;
    split.tokens = 35, split.x = "f32", split.split = true, split.moreRows = 8;
    checkExact(harness, straight, 20);
    checkExact(harness, transposed, 21);
    checkExact(harness, split, 22);
  }
}

TEST_P(HeadMatrixTest, Rows) {
  H harness(GetParam());
  for (int tokens : {1, 17, 64, 65}) {
    check(harness, {.tokens = tokens, .heads = 2, .n = 64, .k = 128, .transposed = true}, uint64_t(tokens));
    check(harness,
          {.tokens = tokens, .heads = 2, .n = 48, .k = 64, .transposed = false, .x = "f32", .split = true},
          uint64_t(tokens));
  }
}

/// One element of 24 bits in each row: no bit of it is lost on the way through a unit for bf16.
TEST_P(HeadMatrixTest, SplitKeepsAllBits) {
  H harness(GetParam());
  HeadCase c{.tokens = 70, .heads = 2, .n = 16, .k = 64, .transposed = false, .x = "f32", .split = true};
  HeadProblem problem(c, 23);
  for (double &w : problem.w.values)
    w = 1;
  std::vector<double> want;
  for (int t = 0; t < c.tokens; ++t)
    for (int h = 0; h < c.heads; ++h) {
      const float odd = float((0x800001u + 2 * uint32_t(t * 0x1357d + h * 77)) & 0xffffffu) / 4096.0f;
      for (int k = 0; k < c.k; ++k)
        problem.x.values[size_t(t) * problem.xs + h * problem.hs + k] = k == (t * 5 + h) % c.k ? odd : 0;
      want.insert(want.end(), size_t(c.n), odd);
    }
  lowering::KernelRequest request = harness.request("head_linear", problem.parameters());
  expectEqual(problem.run(harness, request), HostTensor::of("f32", want), request.text());
}

QUERN_INSTANTIATE_KERNEL_TEST_ON(HeadMatrixTest, quern::test::emulatedTargets());

} // namespace
