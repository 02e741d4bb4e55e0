//===- LinearTest.cpp - kernels/linear ------------------------------------===//
#include "support/Float8.h"
#include "tests/kernels/KernelHarness.h"

#include <cmath>

using namespace quern;
using namespace quern::test;

namespace {

class LinearTest : public KernelTest {};

struct LinearCase {
  int rows, n, k;
  bool bias;
  std::vector<int32_t> tile;
  int warps;
  bool outer = false;
};

void checkLinear(const std::string &target, const LinearCase &c) {
  KernelHarness harness(target);
  std::vector<uint16_t> x = randomBf16(size_t(c.rows) * c.k, 1), w = randomBf16(size_t(c.n) * c.k, 2, 0.1f),
                        bias = randomBf16(c.n, 3);
  auto dx = harness.upload(x), dw = harness.upload(w), db = harness.upload(bias);
  auto y = harness.allocate<uint16_t>(size_t(c.rows) * c.n);
  lowering::KernelRequest request;
  request.kernel = "linear";
  request.parameters = {{"N", int64_t(c.n)},        {"K", int64_t(c.k)},        {"XS", int64_t(c.k)},
                        {"YS", int64_t(c.n)},       {"X", std::string("bf16")}, {"W", std::string("bf16")},
                        {"B", std::string("bf16")}, {"Y", std::string("bf16")}, {"E", int64_t(1)}, {"SHARE", int64_t(1)}, {"EXPERTS", int64_t(0)}, {"BIAS", int64_t(c.bias)},
                        {"SCALES", int64_t(0)},     {"QUANTIZED", int64_t(0)}};
  request.schedule = {"linear", c.tile, harness.codeTarget().simd ? 1 : c.warps};
  if (c.outer)
    request.schedule.contraction = tile::Contraction::Outer;
  using H = KernelHarness;
  harness.launch(request, {H::argument(dx), H::none(), H::argument(dw), H::none(), H::argument(db), H::none(),
                           H::argument(y), H::argument(c.rows)});
  std::vector<uint16_t> result = harness.download(y);
  std::vector<double> want, got;
  for (int m = 0; m < c.rows; ++m)
    for (int n = 0; n < c.n; ++n) {
      double sum = c.bias ? bf16Value(bias[n]) : 0;
      for (int k = 0; k < c.k; ++k)
        sum += bf16Value(x[size_t(m) * c.k + k]) * bf16Value(w[size_t(n) * c.k + k]);
      want.push_back(sum);
      got.push_back(bf16Value(result[size_t(m) * c.n + n]));
    }
  EXPECT_LT(calcDiff(want, got), 5e-6) << c.rows << "x" << c.n << "x" << c.k << " " << request.schedule.str();
}

TEST_P(LinearTest, ManyShapes) {
  checkLinear(GetParam(), {1, 64, 128, false, {1, 8, 64}, 4});
  checkLinear(GetParam(), {3, 48, 256, true, {4, 16, 128}, 4});
  checkLinear(GetParam(), {17, 100, 96, true, {4, 4, 32}, 2});
  checkLinear(GetParam(), {5, 7, 80, false, {2, 1, 16}, 1});
}

TEST_P(LinearTest, ContractionOverRegisters) {
  checkLinear(GetParam(), {9, 96, 64, true, {8, 32, 8}, 4, true});
}

QUERN_INSTANTIATE_KERNEL_TEST(LinearTest);

} // namespace
