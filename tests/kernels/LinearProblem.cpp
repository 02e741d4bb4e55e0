//===- LinearProblem.cpp --------------------------------------------------===//
#include "tests/kernels/LinearProblem.h"
#include "support/Float8.h"

#include <cmath>
#include <random>

namespace quern::test {

LinearProblem::LinearProblem(const LinearCase &given, uint64_t seed) : c(given) {
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

Parameters LinearProblem::parameters() const {
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
          {"EXPERTS", c.experts > 0 && !c.grouped},
          {"GROUPED", c.grouped || c.single},
          {"ROUND", round}};
}

HostTensor LinearProblem::run(KernelHarness &harness, const lowering::KernelRequest &request) const {
  auto dx = harness.upload(x), dw = harness.upload(w), db = harness.upload(bias),
       dxs = harness.upload(xScales), dws = harness.upload(wScales);
  auto di = harness.upload(indices);
  auto slots = harness.allocate<int32_t>(places()), groups = harness.allocate<int32_t>(places() / round + 1);
  if (c.grouped)
    harness.launch(harness.request("route_groups", {{"E", c.experts}, {"ROUND", round}}),
                   {KernelHarness::argument(di), KernelHarness::argument(slots),
                    KernelHarness::argument(groups), KernelHarness::argument(c.rows),
                    KernelHarness::argument(places())});
  auto y = harness.output(c.y, size_t(c.rows) * ys);
  double sentinel = harness.download(y)[0];
  harness.launch(
      request, {KernelHarness::argument(dx), quantised ? KernelHarness::argument(dxs) : KernelHarness::none(),
                KernelHarness::argument(dw), scaled ? KernelHarness::argument(dws) : KernelHarness::none(),
                c.bias ? KernelHarness::argument(db) : KernelHarness::none(),
                c.grouped   ? KernelHarness::argument(slots)
                : c.experts ? KernelHarness::argument(di)
                            : KernelHarness::none(),
                c.grouped ? KernelHarness::argument(groups) : KernelHarness::none(),
                KernelHarness::argument(y), KernelHarness::argument(c.grouped ? places() : c.rows)});
  HostTensor all = harness.download(y), out{c.y, {}};
  for (size_t i = 0; i < all.size(); ++i)
    if (int(i % ys) < c.n)
      out.values.push_back(all[i]);
    else
      EXPECT_EQ(all[i], sentinel) << "written between rows, at " << i;
  return out;
}

std::vector<double> LinearProblem::reference() const {
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

void LinearProblem::expectRowsIndependent(KernelHarness &harness,
                                          const lowering::KernelRequest &request) const {
  HostTensor all = run(harness, request);
  LinearProblem one = *this;
  one.c.rows = one.xRows = 1;
  for (int row : {0, c.rows / 2, c.rows - 1}) {
    one.x.values.assign(x.values.begin() + row * xs, x.values.begin() + (row + 1) * xs);
    HostTensor got = one.run(harness, request), want{c.y, {}};
    want.values.assign(all.values.begin() + row * c.n, all.values.begin() + (row + 1) * c.n);
    expectEqual(got, want, "row " + std::to_string(row));
  }
}

} // namespace quern::test
