//===- NormTest.cpp - kernels/rms_norm ------------------------------------===//
#include "tests/kernels/KernelHarness.h"

#include <cmath>

using namespace quern;
using namespace quern::test;
using H = KernelHarness;

namespace {

class RmsNormTest : public KernelTest {};

struct NormCase {
  int tokens, n, heads = 1;
  int padding = 0; ///< elements between the heads of x
  bool residual = false, weight = true;
  double offset = 0;
  std::string x = "bf16", w = "bf16";
  bool whole = false;
};

struct NormProblem {
  NormCase c;
  int hs;
  double eps = 1e-5;
  HostTensor x, residual, weight;

  NormProblem(const NormCase &given, uint64_t seed) : c(given), hs(c.n + c.padding) {
    size_t rows = size_t(c.tokens) * c.heads;
    auto numbers = [&](const std::string &element, size_t count, uint64_t s) {
      return c.whole ? HostTensor::whole(element, count, s) : HostTensor::normal(element, count, s);
    };
    x = numbers(c.x, rows * hs, seed);
    residual = numbers(c.x, rows * c.n, seed + 1);
    weight = numbers(c.w, c.n, seed + 2);
  }

  Parameters parameters() const {
    return {{"H", c.heads},
            {"N", c.n},
            {"XS", c.heads * hs},
            {"HS", hs},
            {"eps", eps},
            {"inv_n", 1.0 / c.n},
            {"w_offset", c.offset},
            {"X", c.x},
            {"W", c.w},
            {"RESIDUAL", c.residual},
            {"WEIGHT", c.weight}};
  }

  /// y, and behind it the sum with the residual.
  HostTensor run(H &harness, const lowering::KernelRequest &request) const {
    auto dx = harness.upload(x), dr = harness.upload(residual), dw = harness.upload(weight);
    size_t count = size_t(c.tokens) * c.heads * c.n;
    auto sum = harness.output(c.x, count), y = harness.output(c.x, count);
    harness.launch(request,
                   {H::argument(dx), c.residual ? H::argument(dr) : H::none(),
                    c.weight ? H::argument(dw) : H::none(), c.residual ? H::argument(sum) : H::none(),
                    H::argument(y), H::argument(c.tokens)});
    HostTensor out = harness.download(y);
    if (c.residual) {
      HostTensor sums = harness.download(sum);
      out.values.insert(out.values.end(), sums.values.begin(), sums.values.end());
    }
    return out;
  }

  void check(const HostTensor &got, const std::string &what) const {
    size_t rows = size_t(c.tokens) * c.heads;
    std::vector<double> want, sums;
    for (size_t row = 0; row < rows; ++row) {
      std::vector<double> s(c.n);
      double squares = 0;
      for (int i = 0; i < c.n; ++i) {
        s[i] = x[row * hs + i] + (c.residual ? residual[row * c.n + i] : 0);
        squares += s[i] * s[i];
      }
      double scale = 1 / std::sqrt(squares / c.n + eps);
      for (int i = 0; i < c.n; ++i)
        want.push_back(s[i] * scale * (c.weight ? weight[i] + c.offset : 1));
      sums.insert(sums.end(), s.begin(), s.end());
    }
    size_t count = rows * c.n;
    expectClose({c.x, {got.values.begin(), got.values.begin() + count}}, want, what);
    if (c.residual)
      expectEqual({c.x, {got.values.begin() + count, got.values.end()}}, HostTensor::of(c.x, sums), what);
  }
};

void check(H &harness, const NormCase &c, uint64_t seed) {
  NormProblem problem(c, seed);
  lowering::KernelRequest request = harness.request("rms_norm", problem.parameters());
  problem.check(problem.run(harness, request), request.text());
}

TEST_P(RmsNormTest, RowsOfManyLengths) {
  H harness(GetParam());
  check(harness, {.tokens = 3, .n = 128}, 1);
  check(harness, {.tokens = 17, .n = 512, .padding = 64}, 2);
  check(harness, {.tokens = 1, .n = 80, .padding = 16, .w = "f32"}, 3);
  check(harness, {.tokens = 2, .n = 1536, .x = "f32"}, 4);
  check(harness, {.tokens = 2, .n = 50, .weight = false}, 5);
}

TEST_P(RmsNormTest, ResidualIsAddedBeforeTheNorm) {
  H harness(GetParam());
  check(harness, {.tokens = 65, .n = 256, .residual = true}, 6);
  check(harness, {.tokens = 2, .n = 48, .padding = 80, .residual = true, .offset = 1}, 7);
}

TEST_P(RmsNormTest, Heads) {
  H harness(GetParam());
  check(harness, {.tokens = 3, .n = 128, .heads = 6, .padding = 32}, 8);
  check(harness, {.tokens = 5, .n = 96, .heads = 3, .offset = 1}, 9);
}

TEST_P(RmsNormTest, EqualBitsUnderAllSchedules) {
  H harness(GetParam());
  NormProblem problem({.tokens = 3, .n = 192, .heads = 2, .residual = true, .whole = true}, 10);
  HostTensor first = problem.run(harness, harness.request("rms_norm", problem.parameters()));
  problem.check(first, "default schedule");
  for (auto [tile, warps] : {std::pair{std::vector<int32_t>{1, 64}, 1}, {{2, 192}, 4}, {{2, 256}, 2}}) {
    lowering::KernelRequest request = harness.request("rms_norm", problem.parameters(), tile, warps);
    expectEqual(problem.run(harness, request), first, request.schedule.str());
  }
}

QUERN_INSTANTIATE_KERNEL_TEST(RmsNormTest);

} // namespace
