//===- LinearTest.cpp - kernels/linear ------------------------------------===//
#include "support/Float8.h"
#include "tests/kernels/KernelHarness.h"

#include <cmath>
#include <random>

using namespace quern;
using namespace quern::test;
using H = KernelHarness;

namespace {

class LinearTest : public KernelTest {};

struct LinearCase {
  int rows, n, k; ///< rows of y
  bool bias = false;
  std::string x = "bf16", w = "bf16", b = "bf16", y = "bf16";
  int xPadding = 0, yPadding = 0; ///< elements behind a row
  int experts = 0;                ///< 0 for one matrix
  int share = 1;                  ///< rows of y for one row of x
  bool whole = false;
};

struct LinearProblem {
  LinearCase c;
  int xRows, xs, ys, kBlocks, nBlocks;
  bool scaled, quantised;
  HostTensor x, w, bias, xScales, wScales;
  std::vector<int32_t> indices;

  LinearProblem(const LinearCase &given, uint64_t seed) : c(given) {
    xRows = c.rows / c.share;
    xs = c.k + c.xPadding;
    ys = c.n + c.yPadding;
    kBlocks = (c.k + 127) / 128;
    nBlocks = (c.n + 127) / 128;
    scaled = c.w.starts_with("f8");
    quantised = c.x.starts_with("f8");
    auto numbers = [&](const std::string &element, size_t count, uint64_t s, double scale) {
      return c.whole ? HostTensor::whole(element, count, s) : HostTensor::normal(element, count, s, scale);
    };
    auto scaleTensor = [&](size_t count, uint64_t s) {
      HostTensor tensor = HostTensor::normal("f32", count, s);
      for (size_t i = 0; i < count; ++i)
        tensor.values[i] = c.whole ? double(1 << i % 3) : float(std::abs(tensor[i]) + 0.1);
      return tensor;
    };
    int matrices = std::max(1, c.experts);
    x = numbers(c.x, size_t(xRows) * xs, seed, 1);
    w = numbers(c.w, size_t(matrices) * c.n * c.k, seed + 1, 0.3);
    bias = numbers(c.b, c.n, seed + 2, 1);
    xScales = scaleTensor(size_t(xRows) * kBlocks, seed + 3);
    wScales = scaleTensor(size_t(matrices) * nBlocks * kBlocks, seed + 4);
    std::mt19937_64 generator(seed);
    for (int m = 0; m < c.rows; ++m)
      indices.push_back(int32_t(generator() % matrices));
  }

  Parameters parameters() const {
    return {{"N", c.n},
            {"K", c.k},
            {"E", std::max(1, c.experts)},
            {"SHARE", c.share},
            {"XS", xs},
            {"YS", ys},
            {"X", c.x},
            {"W", c.w},
            {"B", c.b},
            {"Y", c.y},
            {"BIAS", c.bias},
            {"SCALES", scaled},
            {"QUANTIZED", quantised},
            {"EXPERTS", c.experts > 0}};
  }

  /// The rows of y without what lies between them, which must keep its sentinel.
  HostTensor run(H &harness, const lowering::KernelRequest &request) const {
    auto dx = harness.upload(x), dw = harness.upload(w), db = harness.upload(bias),
         dxs = harness.upload(xScales), dws = harness.upload(wScales);
    auto di = harness.upload(indices);
    auto y = harness.output(c.y, size_t(c.rows) * ys);
    double sentinel = harness.download(y)[0];
    harness.launch(request, {H::argument(dx), quantised ? H::argument(dxs) : H::none(), H::argument(dw),
                             scaled ? H::argument(dws) : H::none(), c.bias ? H::argument(db) : H::none(),
                             c.experts ? H::argument(di) : H::none(), H::argument(y), H::argument(c.rows)});
    HostTensor all = harness.download(y), out{c.y, {}};
    for (size_t i = 0; i < all.size(); ++i)
      if (int(i % ys) < c.n)
        out.values.push_back(all[i]);
      else
        EXPECT_EQ(all[i], sentinel) << "written between rows, at " << i;
    return out;
  }

  std::vector<double> reference() const {
    std::vector<double> out;
    for (int m = 0; m < c.rows; ++m)
      for (int n = 0; n < c.n; ++n) {
        int matrix = c.experts ? indices[m] : 0, row = m / c.share;
        double sum = c.bias ? bias[n] : 0;
        for (int k = 0; k < c.k; ++k) {
          double weight = w[(size_t(matrix) * c.n + n) * c.k + k], value = x[size_t(row) * xs + k];
          float scale = scaled ? float(wScales[(size_t(matrix) * nBlocks + n / 128) * kBlocks + k / 128]) : 1;
          if (quantised)
            value *= xScales[size_t(row) * kBlocks + k / 128] * scale;
          else if (scaled)
            weight = roundToBf16(float(weight) * scale);
          sum += value * weight;
        }
        out.push_back(sum);
      }
    return out;
  }
};

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
      check(harness, {.rows = 5, .n = 130, .k = k, .bias = true, .x = w, .w = w, .y = "f32", .xPadding = k % 64}, 6);
}

TEST_P(LinearTest, Experts) {
  H harness(GetParam());
  check(harness, {.rows = 12, .n = 40, .k = 64, .experts = 5, .share = 3}, 7);
  check(harness, {.rows = 8, .n = 136, .k = 128, .x = "f8E4M3FN", .w = "f8E4M3FN", .experts = 4, .share = 4},
        8);
  check(harness, {.rows = 6, .n = 24, .k = 256, .w = "f8E4M3FN", .y = "f32", .experts = 3}, 9);
  check(harness, {.rows = 6, .n = 24, .k = 192, .x = "f8E4M3FN", .w = "f8E4M3FN", .y = "f32", .experts = 3}, 9);
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
