//===- LatentAttentionTest.cpp - kernels/latent_attention -----------------===//
#include "tests/kernels/PagedBatch.h"

#include <cmath>
#include <numbers>

using namespace quern;
using namespace quern::test;
using H = KernelHarness;

namespace {

class LatentAttentionTest : public KernelTest {};

struct LatentCase {
  int heads, latent, rope;
  std::vector<int> lengths;
  int newTokens = 1;
  int padding = 0; ///< elements between the heads of the rotated query
  bool whole = false;
};

struct LatentProblem {
  LatentCase c;
  PagedBatch batch;
  int hs, row;
  double scale;
  HostTensor qLatent, qRope, cache;

  LatentProblem(const LatentCase &given, uint64_t seed)
      : c(given), batch(c.lengths, c.newTokens, seed), hs(c.rope + c.padding), row(c.latent + c.rope),
        scale(c.whole ? std::numbers::ln2 : 0.7 / std::sqrt(double(row))) {
    auto numbers = [&](const char *x, size_t count, uint64_t s, int range) {
      return c.whole ? HostTensor::whole(x, count, s, range) : HostTensor::normal(x, count, s);
    };
    size_t queries = size_t(batch.tokens()) * c.heads;
    qLatent = numbers("f32", queries * c.latent, seed + 1, 1);
    qRope = numbers("bf16", queries * hs, seed + 2, 1);
    if (c.whole) {
      for (size_t i = 0; i < qLatent.size(); ++i)
        if (i % c.latent != 1)
          qLatent.values[i] = 0;
      for (size_t i = 0; i < qRope.size(); ++i)
        if (i % hs != 2)
          qRope.values[i] = 0;
    }
    HostTensor entries = numbers("bf16", size_t(batch.pages) * 64 * row, seed + 3, 2);
    cache = HostTensor{"bf16", std::vector<double>(entries.size(), poison)};
    batch.forEachSlot([&](int, int, int p, int slot) {
      size_t at = (size_t(p) * 64 + slot) * row;
      std::copy_n(entries.values.begin() + at, row, cache.values.begin() + at);
    });
  }

  Parameters parameters() const {
    return {{"H", c.heads},
            {"L", c.latent},
            {"R", c.rope},
            {"XS", c.heads * hs},
            {"HS", hs},
            {"X", "bf16"},
            {"scale_log2", scale * std::numbers::log2e}};
  }

  HostTensor run(H &harness, const lowering::KernelRequest &request) const {
    auto ql = harness.upload(qLatent), qr = harness.upload(qRope), kv = harness.upload(cache);
    auto positions = harness.upload(batch.positions), sequences = harness.upload(batch.sequences),
         table = harness.upload(batch.table);
    auto y = harness.output("f32", size_t(batch.tokens()) * c.heads * c.latent);
    harness.launch(request, {H::argument(ql), H::argument(qr), H::argument(kv), H::argument(positions),
                             H::argument(sequences), H::argument(table), H::argument(y),
                             H::argument(batch.tokens()), H::argument(int(c.lengths.size())),
                             H::argument(batch.columns), H::argument(batch.pages)});
    return harness.download(y);
  }

  std::vector<double> reference() const {
    std::vector<double> out;
    for (int t = 0; t < batch.tokens(); ++t)
      for (int h = 0; h < c.heads; ++h) {
        int last = batch.positions[t];
        std::vector<double> sum(c.latent), scores;
        double largest = -INFINITY, total = 0;
        auto entry = [&](int j) { return (size_t(batch.page(batch.sequences[t], j)) * 64 + j % 64) * row; };
        for (int j = 0; j <= last; ++j) {
          double dot = 0;
          for (int i = 0; i < c.latent; ++i)
            dot += qLatent[(size_t(t) * c.heads + h) * c.latent + i] * cache[entry(j) + i];
          for (int i = 0; i < c.rope; ++i)
            dot += qRope[(size_t(t) * c.heads + h) * hs + i] * cache[entry(j) + c.latent + i];
          scores.push_back(dot * scale);
          largest = std::max(largest, scores.back());
        }
        for (int j = 0; j <= last; ++j) {
          double e = std::exp(scores[j] - largest);
          total += e;
          for (int i = 0; i < c.latent; ++i)
            sum[i] += e * cache[entry(j) + i];
        }
        for (double s : sum)
          out.push_back(s / total);
      }
    return out;
  }
};

void check(H &harness, const LatentCase &c, uint64_t seed) {
  LatentProblem problem(c, seed);
  lowering::KernelRequest request = harness.request("latent_attention", problem.parameters());
  expectClose(problem.run(harness, request), problem.reference(), request.text());
}

TEST_P(LatentAttentionTest, Shapes) {
  H harness(GetParam());
  check(harness, {.heads = 4, .latent = 64, .rope = 16, .lengths = {1, 63, 64, 65, 130}, .padding = 8}, 1);
  check(harness, {.heads = 3, .latent = 96, .rope = 32, .lengths = {70}, .newTokens = 3}, 2);
  check(harness, {.heads = 8, .latent = 512, .rope = 64, .lengths = {67}, .padding = 128}, 3);
}

TEST_P(LatentAttentionTest, ManyTokens) {
  H harness(GetParam());
  check(harness, {.heads = 2, .latent = 32, .rope = 8, .lengths = {130, 3, 17}, .newTokens = 65}, 4);
}

TEST_P(LatentAttentionTest, EqualBitsUnderAllSchedules) {
  H harness(GetParam());
  LatentCase c{.heads = 4, .latent = 64, .rope = 16, .lengths = {66, 7}, .newTokens = 2, .whole = true};
  LatentProblem problem(c, 5);
  HostTensor first = problem.run(harness, harness.request("latent_attention", problem.parameters()));
  expectClose(first, problem.reference(), "default schedule");
  for (auto [tile, warps] :
       {std::pair{std::vector<int32_t>{1, 8, 32}, 1}, {{2, 32, 64}, 4}, {{4, 16, 16}, 2}}) {
    lowering::KernelRequest request = harness.request("latent_attention", problem.parameters(), tile, warps);
    expectEqual(problem.run(harness, request), first, request.schedule.str());
  }
}

QUERN_INSTANTIATE_KERNEL_TEST(LatentAttentionTest);

} // namespace
