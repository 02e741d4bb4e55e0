//===- RouterTest.cpp - kernels/router ------------------------------------===//
#include "tests/kernels/KernelHarness.h"

#include <cmath>
#include <numeric>
#include <random>

using namespace quern;
using namespace quern::test;
using H = KernelHarness;

namespace {

class RouterTest : public KernelTest {};

struct RouterCase {
  int tokens, experts, chosen;
  int groups = 1, kept = 1;
  bool sigmoid = false, bias = false, top2 = false, normalise = false;
  double scale = 1;
};

struct RouterProblem {
  RouterCase c;
  HostTensor logits, bias;

  /// Logits and biases are such that f32 decides every choice as exact numbers do: the scores of a token are
  /// well apart, except for |ties|, which repeats logits.
  RouterProblem(const RouterCase &given, uint64_t seed, bool ties = false) : c(given) {
    std::mt19937_64 generator(seed);
    logits = HostTensor{"f32", {}};
    for (int t = 0; t < c.tokens; ++t) {
      std::vector<double> row(c.experts);
      for (int e = 0; e < c.experts; ++e)
        row[e] = ties ? int(generator() % 3) : float((e - c.experts / 2) * 6.0 / c.experts + 0.01 * (t % 7));
      if (!ties)
        std::shuffle(row.begin(), row.end(), generator);
      logits.values.insert(logits.values.end(), row.begin(), row.end());
    }
    bias = ties ? HostTensor{"f32", std::vector<double>(c.experts, -0.75)}
                : HostTensor::normal("f32", c.experts, seed);
  }

  Parameters parameters() const {
    return {{"G", c.groups},    {"EG", c.experts / c.groups}, {"KSEL", c.chosen}, {"KEPT", c.kept},
            {"scale", c.scale}, {"SIGMOID", c.sigmoid},       {"BIAS", c.bias},   {"GROUPED", c.groups > 1},
            {"TOP2", c.top2},   {"NORMALISE", c.normalise}};
  }

  void check(H &harness, const lowering::KernelRequest &request) const {
    auto dl = harness.upload(logits), db = harness.upload(bias);
    size_t count = size_t(c.tokens) * c.chosen;
    auto indices = harness.output("i32", count), weights = harness.output("f32", count);
    harness.launch(request, {H::argument(dl), c.bias ? H::argument(db) : H::none(), H::argument(indices),
                             H::argument(weights), H::argument(c.tokens)});
    std::vector<double> wantIndices, wantWeights;
    for (int t = 0; t < c.tokens; ++t)
      reference(t, wantIndices, wantWeights);
    expectEqual(harness.download(indices), {"i32", wantIndices}, request.text());
    expectClose(harness.download(weights), wantWeights, request.text());
  }

  void reference(int t, std::vector<double> &indices, std::vector<double> &weights) const {
    const double *x = logits.values.data() + size_t(t) * c.experts;
    std::vector<double> s(c.experts), choice(c.experts);
    double largest = *std::max_element(x, x + c.experts), total = 0;
    for (int e = 0; e < c.experts; ++e)
      total += std::exp(x[e] - largest);
    for (int e = 0; e < c.experts; ++e) {
      s[e] = c.sigmoid ? 1 / (1 + std::exp(-x[e])) : std::exp(x[e] - largest) / total;
      choice[e] = s[e] + (c.bias ? bias[e] : 0);
    }
    auto best = [](const std::vector<double> &values, int count) {
      std::vector<int> order(values.size());
      std::iota(order.begin(), order.end(), 0);
      std::sort(order.begin(), order.end(),
                [&](int a, int b) { return values[a] != values[b] ? values[a] > values[b] : a < b; });
      order.resize(count);
      return order;
    };
    if (c.groups > 1) {
      int size = c.experts / c.groups;
      std::vector<double> rank;
      for (int g = 0; g < c.groups; ++g) {
        std::vector<double> part(choice.begin() + g * size, choice.begin() + (g + 1) * size);
        std::sort(part.rbegin(), part.rend());
        rank.push_back(part[0] + (c.top2 ? part[1] : 0));
      }
      std::vector<double> restricted(c.experts, -INFINITY);
      for (int g : best(rank, c.kept))
        for (int e = g * size; e < (g + 1) * size; ++e)
          restricted[e] = choice[e];
      choice = restricted;
    }
    double sum = 0;
    std::vector<int> order = best(choice, c.chosen);
    for (int e : order)
      sum += s[e];
    for (int e : order) {
      indices.push_back(e);
      weights.push_back((c.normalise ? s[e] / (sum + 1e-20) : s[e]) * c.scale);
    }
  }
};

const RouterCase kinds[] = {
    {.tokens = 65, .experts = 8, .chosen = 2, .normalise = true},
    {.tokens = 3, .experts = 64, .chosen = 6, .scale = 2.5},
    {.tokens = 5, .experts = 160, .chosen = 6, .groups = 8, .kept = 3, .scale = 16},
    {.tokens = 3,
     .experts = 256,
     .chosen = 8,
     .groups = 8,
     .kept = 4,
     .sigmoid = true,
     .bias = true,
     .top2 = true,
     .normalise = true,
     .scale = 2.5},
    {.tokens = 1, .experts = 96, .chosen = 8, .sigmoid = true, .bias = true, .normalise = true},
    {.tokens = 4, .experts = 12, .chosen = 3, .groups = 3, .kept = 2, .sigmoid = true, .top2 = true}};

TEST_P(RouterTest, Kinds) {
  H harness(GetParam());
  for (const RouterCase &c : kinds) {
    RouterProblem problem(c, uint64_t(c.experts));
    problem.check(harness, harness.request("router", problem.parameters()));
  }
}

TEST_P(RouterTest, TiesGoToTheLowerIndex) {
  H harness(GetParam());
  for (const RouterCase &c : {kinds[0], kinds[3], kinds[5]}) {
    RouterProblem problem(c, 3, /*ties=*/true);
    problem.check(harness, harness.request("router", problem.parameters()));
  }
}

TEST_P(RouterTest, OtherNumbersOfWarps) {
  H harness(GetParam());
  for (int warps : {2, 4}) {
    RouterProblem problem(kinds[3], 4);
    problem.check(harness, harness.request("router", problem.parameters(), {}, warps));
  }
}

QUERN_INSTANTIATE_KERNEL_TEST(RouterTest);

} // namespace
