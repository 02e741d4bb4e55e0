//===- NormTest.cpp - kernels/rms_norm ------------------------------------===//
#include "tests/kernels/KernelHarness.h"

#include <cmath>

using namespace quern;
using namespace quern::test;

namespace {

class RmsNormTest : public KernelTest {};

void checkNorm(const std::string &target, int rows, int n, int stride, bool residual,
               std::vector<int32_t> tile, int warps) {
  KernelHarness harness(target);
  std::vector<uint16_t> x = randomBf16(size_t(rows) * stride, 1), r = randomBf16(size_t(rows) * n, 2),
                        w = randomBf16(n, 3);
  float eps = 1e-5f;
  auto dx = harness.upload(x), dr = harness.upload(r), dw = harness.upload(w);
  auto sum = harness.allocate<uint16_t>(size_t(rows) * n), y = harness.allocate<uint16_t>(size_t(rows) * n);
  lowering::KernelRequest request;
  request.kernel = "rms_norm";
  request.parameters = {{"N", int64_t(n)},
                        {"XS", int64_t(stride)},
                        {"eps", double(eps)},
                        {"inv_n", 1.0 / n},
                        {"X", std::string("bf16")},
                        {"W", std::string("bf16")},
                        {"RESIDUAL", int64_t(residual)}};
  request.parameters.insert(
      {{"H", int64_t(1)}, {"HS", int64_t(n)}, {"w_offset", 0.0}, {"WEIGHT", int64_t(1)}});
  request.schedule = {"rms_norm", tile, harness.codeTarget().simd ? 1 : warps};
  harness.launch(request,
                 {KernelHarness::argument(dx), KernelHarness::argument(dr), KernelHarness::argument(dw),
                  KernelHarness::argument(sum), KernelHarness::argument(y), KernelHarness::argument(rows)});
  std::vector<uint16_t> gotY = harness.download(y), gotSum = harness.download(sum);
  std::vector<double> want, got;
  for (int m = 0; m < rows; ++m) {
    double squares = 0;
    std::vector<double> s(n);
    for (int i = 0; i < n; ++i) {
      s[i] = bf16Value(x[size_t(m) * stride + i]) + (residual ? bf16Value(r[size_t(m) * n + i]) : 0);
      squares += s[i] * s[i];
    }
    double scale = 1 / std::sqrt(squares / n + eps);
    for (int i = 0; i < n; ++i) {
      want.push_back(s[i] * scale * bf16Value(w[i]));
      got.push_back(bf16Value(gotY[size_t(m) * n + i]));
      if (residual)
        EXPECT_EQ(gotSum[size_t(m) * n + i], bf16Bits(float(s[i]))) << m << "," << i;
      else
        EXPECT_EQ(gotSum[size_t(m) * n + i], 0xCBCB);
    }
  }
  EXPECT_LT(calcDiff(want, got), 5e-6) << rows << "x" << n;
}

TEST_P(RmsNormTest, RowsOfManyLengths) {
  checkNorm(GetParam(), 3, 128, 128, false, {1, 128}, 4);
  checkNorm(GetParam(), 5, 192, 192, false, {1, 64}, 2);
  checkNorm(GetParam(), 17, 512, 576, false, {1, 128}, 4);
  checkNorm(GetParam(), 1, 80, 96, false, {1, 16}, 1);
}

TEST_P(RmsNormTest, ResidualIsAddedBeforeTheNorm) {
  checkNorm(GetParam(), 7, 256, 256, true, {1, 128}, 4);
  checkNorm(GetParam(), 2, 48, 48, true, {1, 16}, 1);
}

QUERN_INSTANTIATE_KERNEL_TEST(RmsNormTest);

} // namespace
