//===- AttentionTest.cpp - kernels/attention ------------------------------===//
#include "tests/kernels/PagedBatch.h"

#include <cmath>
#include <numbers>

using namespace quern;
using namespace quern::test;
using H = KernelHarness;

namespace {

class AttentionTest : public KernelTest {};

struct AttentionCase {
  int hkv, g, d, dv;
  std::vector<int> lengths;
  int newTokens = 1;
  int window = 0;     ///< 0 for none
  double softcap = 0; ///< 0 for none
  int padding = 0;    ///< extra elements of a token's row of q
  std::string x = "bf16";
  bool whole = false; ///< whole numbers whose result is exact
};

struct AttentionProblem {
  AttentionCase c;
  PagedBatch batch;
  int xs;
  double scale;
  HostTensor q, keys, values;

  AttentionProblem(const AttentionCase &given, uint64_t seed)
      : c(given), batch(c.lengths, c.newTokens, seed), xs(c.hkv * c.g * c.d + c.padding),
        scale(c.whole ? std::numbers::ln2 : 1.3 / std::sqrt(double(c.d))) {
    auto numbers = [&](size_t count, uint64_t s, int range) {
      return c.whole ? HostTensor::whole(c.x, count, s, range) : HostTensor::normal(c.x, count, s);
    };
    size_t page = size_t(c.hkv) * 64;
    q = numbers(size_t(batch.tokens()) * xs, seed + 1, 1);
    HostTensor k = numbers(batch.pages * page * c.d, seed + 2, 1),
               v = numbers(batch.pages * page * c.dv, seed + 3, 4);
    if (c.whole) // scores in -2..2
      for (size_t i = 0; i < q.size(); ++i)
        if (i % xs % c.d > 1)
          q.values[i] = 0;
    keys = values = HostTensor{c.x, {}};
    keys.values.assign(k.size(), poison);
    values.values.assign(v.size(), poison);
    batch.forEachSlot([&](int, int, int p, int slot) {
      for (int h = 0; h < c.hkv; ++h) {
        size_t row = (size_t(p) * c.hkv + h) * 64 + slot;
        std::copy_n(k.values.begin() + row * c.d, c.d, keys.values.begin() + row * c.d);
        std::copy_n(v.values.begin() + row * c.dv, c.dv, values.values.begin() + row * c.dv);
      }
    });
  }

  Parameters parameters() const {
    double cap = c.softcap ? c.softcap : 1;
    return {{"HKV", c.hkv},
            {"G", c.g},
            {"D", c.d},
            {"DV", c.dv},
            {"XS", xs},
            {"HS", c.d},
            {"X", c.x},
            {"scale_log2", scale * std::numbers::log2e},
            {"WINDOWED", c.window > 0},
            {"WINDOW", std::max(1, c.window)},
            {"SOFTCAP", c.softcap > 0},
            {"cap_log2", cap * std::numbers::log2e},
            {"inv_cap2", 2 * scale * std::numbers::log2e / cap}};
  }

  HostTensor run(H &harness, const lowering::KernelRequest &request) const {
    auto dq = harness.upload(q), dk = harness.upload(keys), dv = harness.upload(values);
    auto positions = harness.upload(batch.positions), sequences = harness.upload(batch.sequences),
         table = harness.upload(batch.table);
    auto y = harness.output(c.x, size_t(batch.tokens()) * c.hkv * c.g * c.dv);
    harness.launch(request, {H::argument(dq), H::argument(dk), H::argument(dv), H::argument(positions),
                             H::argument(sequences), H::argument(table), H::argument(y),
                             H::argument(batch.tokens()), H::argument(int(c.lengths.size())),
                             H::argument(batch.columns), H::argument(batch.pages)});
    return harness.download(y);
  }

  std::vector<double> reference() const {
    std::vector<double> out;
    for (int t = 0; t < batch.tokens(); ++t)
      for (int h = 0; h < c.hkv * c.g; ++h) {
        int last = batch.positions[t], first = c.window ? std::max(0, last + 1 - c.window) : 0;
        std::vector<double> sum(c.dv), scores;
        double largest = -INFINITY, total = 0;
        auto row = [&](int j) {
          return (size_t(batch.page(batch.sequences[t], j)) * c.hkv + h / c.g) * 64 + j % 64;
        };
        for (int j = first; j <= last; ++j) {
          double dot = 0;
          for (int i = 0; i < c.d; ++i)
            dot += q[size_t(t) * xs + h * c.d + i] * keys[row(j) * c.d + i];
          dot *= scale;
          scores.push_back(c.softcap ? c.softcap * std::tanh(dot / c.softcap) : dot);
          largest = std::max(largest, scores.back());
        }
        for (int j = first; j <= last; ++j) {
          double e = std::exp(scores[j - first] - largest);
          total += e;
          for (int i = 0; i < c.dv; ++i)
            sum[i] += e * values[row(j) * c.dv + i];
        }
        for (double s : sum)
          out.push_back(s / total);
      }
    return out;
  }
};

void check(H &harness, const AttentionCase &c, uint64_t seed) {
  AttentionProblem problem(c, seed);
  lowering::KernelRequest request = harness.request("attention", problem.parameters());
  expectClose(problem.run(harness, request), problem.reference(), request.text());
}

TEST_P(AttentionTest, HeadSizes) {
  H harness(GetParam());
  check(harness, {.hkv = 2, .g = 3, .d = 48, .dv = 48, .lengths = {67}}, 1);
  check(harness, {.hkv = 1, .g = 2, .d = 80, .dv = 80, .lengths = {20}}, 2);
  check(harness, {.hkv = 2, .g = 1, .d = 96, .dv = 96, .lengths = {66}, .padding = 24}, 3);
  check(harness, {.hkv = 1, .g = 4, .d = 192, .dv = 128, .lengths = {65}, .padding = 8}, 4);
}

TEST_P(AttentionTest, LengthsAroundPageEdges) {
  H harness(GetParam());
  check(harness, {.hkv = 2, .g = 2, .d = 64, .dv = 64, .lengths = {1, 63, 64, 65, 130}}, 5);
  check(harness, {.hkv = 2, .g = 2, .d = 64, .dv = 64, .lengths = {65, 3, 128}, .newTokens = 65}, 6);
}

TEST_P(AttentionTest, Window) {
  H harness(GetParam());
  check(harness,
        {.hkv = 1, .g = 2, .d = 64, .dv = 64, .lengths = {5, 40, 130, 64}, .newTokens = 3, .window = 37}, 7);
}

TEST_P(AttentionTest, Softcap) {
  H harness(GetParam());
  check(harness, {.hkv = 2, .g = 2, .d = 32, .dv = 32, .lengths = {9, 70}, .newTokens = 2, .softcap = 1.5},
        8);
}

TEST_P(AttentionTest, EqualBitsUnderAllSchedules) {
  H harness(GetParam());
  AttentionCase c{.hkv = 1, .g = 3, .d = 48, .dv = 48, .lengths = {65, 9}, .newTokens = 2, .whole = true};
  AttentionProblem problem(c, 9);
  HostTensor first = problem.run(harness, harness.request("attention", problem.parameters()));
  expectClose(first, problem.reference(), "default schedule");
  for (auto [tile, warps] : {std::pair{8, 1}, {32, 2}, {64, 8}}) {
    lowering::KernelRequest request = harness.request("attention", problem.parameters(), {tile}, warps);
    expectEqual(problem.run(harness, request), first, request.schedule.str());
  }
}

QUERN_INSTANTIATE_KERNEL_TEST(AttentionTest);

} // namespace
