//===- LayerNormTest.cpp - kernels/layer_norm -----------------------------===//
#include "tests/kernels/KernelHarness.h"

#include <cmath>

using namespace quern;
using namespace quern::test;
using H = KernelHarness;

namespace {

class LayerNormTest : public KernelTest {};

struct LayerNormCase {
  int tokens, n, heads = 1;
  int padding = 0; ///< elements between the heads of x
  bool weight = true, bias = true;
  std::string x = "bf16", w = "bf16", b = "bf16";
  double shift = 0; ///< added to every element of x
  bool whole = false;
};

struct LayerNormProblem {
  LayerNormCase c;
  int hs;
  double eps = 1e-5;
  HostTensor x, weight, bias;

  LayerNormProblem(const LayerNormCase &given, uint64_t seed) : c(given), hs(c.n + c.padding) {
    auto numbers = [&](const std::string &element, size_t count, uint64_t s) {
      return c.whole ? HostTensor::whole(element, count, s) : HostTensor::normal(element, count, s);
    };
    x = numbers(c.x, size_t(c.tokens) * c.heads * hs, seed);
    for (double &value : x.values)
      value += c.shift;
    x = HostTensor::of(c.x, x.values);
    weight = numbers(c.w, c.n, seed + 1);
    bias = numbers(c.b, c.n, seed + 2);
  }

  Parameters parameters() const {
    return {{"H", c.heads}, {"N", c.n},           {"XS", c.heads * hs}, {"HS", hs},
            {"eps", eps},   {"inv_n", 1.0 / c.n}, {"X", c.x},           {"W", c.w},
            {"B", c.b},     {"WEIGHT", c.weight}, {"BIAS", c.bias}};
  }

  HostTensor run(H &harness, const lowering::KernelRequest &request) const {
    auto dx = harness.upload(x), dw = harness.upload(weight), db = harness.upload(bias);
    auto y = harness.output(c.x, size_t(c.tokens) * c.heads * c.n);
    harness.launch(request, {H::argument(dx), c.weight ? H::argument(dw) : H::none(),
                             c.bias ? H::argument(db) : H::none(), H::argument(y), H::argument(c.tokens)});
    return harness.download(y);
  }

  std::vector<double> reference() const {
    std::vector<double> want;
    for (int row = 0; row < c.tokens * c.heads; ++row) {
      const double *own = x.values.data() + size_t(row) * hs;
      double mean = 0, variance = 0;
      for (int i = 0; i < c.n; ++i)
        mean += own[i] / c.n;
      for (int i = 0; i < c.n; ++i)
        variance += (own[i] - mean) * (own[i] - mean) / c.n;
      for (int i = 0; i < c.n; ++i)
        want.push_back((own[i] - mean) / std::sqrt(variance + eps) * (c.weight ? weight[i] : 1) +
                       (c.bias ? bias[i] : 0));
    }
    return want;
  }
};

void check(H &harness, const LayerNormCase &c, uint64_t seed) {
  LayerNormProblem problem(c, seed);
  lowering::KernelRequest request = harness.request("layer_norm", problem.parameters());
  expectClose(problem.run(harness, request), problem.reference(), request.text());
}

TEST_P(LayerNormTest, RowsAndHeads) {
  H harness(GetParam());
  check(harness, {.tokens = 3, .n = 128}, 1);
  check(harness, {.tokens = 17, .n = 80, .padding = 16, .bias = false, .w = "f32"}, 2);
  check(harness, {.tokens = 2, .n = 1500, .weight = false, .x = "f32", .b = "f32"}, 3);
  check(harness, {.tokens = 3, .n = 50, .heads = 6, .padding = 14, .weight = false, .bias = false}, 4);
}

/// The mean is large against the differences to it, and the columns behind the row are not.
TEST_P(LayerNormTest, LargeMean) {
  H harness(GetParam());
  check(harness, {.tokens = 3, .n = 200, .x = "f32", .shift = 1000}, 5);
  check(harness, {.tokens = 2, .n = 1030, .x = "f32", .shift = -300}, 6);
}

TEST_P(LayerNormTest, EqualBitsUnderAllSchedules) {
  H harness(GetParam());
  // Small whole numbers whose count is a power of two: every sum is exact in any order.
  LayerNormProblem problem({.tokens = 3, .n = 256, .heads = 2, .whole = true}, 7);
  HostTensor first = problem.run(harness, harness.request("layer_norm", problem.parameters()));
  expectClose(first, problem.reference(), "default schedule");
  for (auto [tile, warps] : {std::pair{std::vector<int32_t>{1, 64}, 1}, {{2, 256}, 4}, {{2, 512}, 2}}) {
    lowering::KernelRequest request = harness.request("layer_norm", problem.parameters(), tile, warps);
    expectEqual(problem.run(harness, request), first, request.schedule.str());
  }
}

QUERN_INSTANTIATE_KERNEL_TEST(LayerNormTest);

} // namespace
