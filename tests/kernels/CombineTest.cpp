//===- CombineTest.cpp - kernels/combine ----------------------------------===//
#include "tests/kernels/KernelHarness.h"

using namespace quern;
using namespace quern::test;
using H = KernelHarness;

namespace {

class CombineTest : public KernelTest {};

struct CombineProblem {
  int tokens, n, chosen;
  bool shared;
  std::string x, y;
  HostTensor outputs, weights, added;

  CombineProblem(int tokens, int n, int chosen, bool shared, std::string xType, std::string yType,
                 uint64_t seed, bool whole = false)
      : tokens(tokens), n(n), chosen(chosen), shared(shared), x(xType), y(yType) {
    auto numbers = [&](const std::string &element, size_t count, uint64_t s) {
      return whole ? HostTensor::whole(element, count, s) : HostTensor::normal(element, count, s);
    };
    outputs = numbers(x, size_t(tokens) * chosen * n, seed);
    weights = numbers("f32", size_t(tokens) * chosen, seed + 1);
    added = numbers(y, size_t(tokens) * n, seed + 2);
  }

  Parameters parameters() const {
    return {{"N", n}, {"KSEL", chosen}, {"X", x}, {"Y", y}, {"SHARED", shared}};
  }

  HostTensor run(H &harness, const lowering::KernelRequest &request) const {
    auto dx = harness.upload(outputs), dw = harness.upload(weights), ds = harness.upload(added);
    auto out = harness.output(y, size_t(tokens) * n);
    harness.launch(request, {H::argument(dx), H::argument(dw), shared ? H::argument(ds) : H::none(),
                             H::argument(out), H::argument(tokens)});
    return harness.download(out);
  }

  std::vector<double> reference() const {
    std::vector<double> out;
    for (int t = 0; t < tokens; ++t)
      for (int i = 0; i < n; ++i) {
        double sum = shared ? added[size_t(t) * n + i] : 0;
        for (int j = 0; j < chosen; ++j)
          sum += weights[size_t(t) * chosen + j] * outputs[(size_t(t) * chosen + j) * n + i];
        out.push_back(sum);
      }
    return out;
  }
};

TEST_P(CombineTest, Shapes) {
  H harness(GetParam());
  for (const CombineProblem &problem :
       {CombineProblem(1, 64, 2, true, "f32", "bf16", 1), CombineProblem(65, 100, 8, false, "f32", "bf16", 2),
        CombineProblem(3, 1100, 3, true, "bf16", "f32", 3)}) {
    lowering::KernelRequest request = harness.request("combine", problem.parameters());
    expectClose(problem.run(harness, request), problem.reference(), request.text());
  }
}

TEST_P(CombineTest, EqualBitsUnderAllSchedules) {
  H harness(GetParam());
  CombineProblem problem(3, 72, 4, true, "f32", "bf16", 4, /*whole=*/true);
  HostTensor first = problem.run(harness, harness.request("combine", problem.parameters()));
  expectClose(first, problem.reference(), "default schedule");
  for (auto [tile, warps] : {std::pair{16, 1}, {64, 2}, {96, 4}}) {
    lowering::KernelRequest request = harness.request("combine", problem.parameters(), {tile}, warps);
    expectEqual(problem.run(harness, request), first, request.schedule.str());
  }
}

QUERN_INSTANTIATE_KERNEL_TEST(CombineTest);

} // namespace
