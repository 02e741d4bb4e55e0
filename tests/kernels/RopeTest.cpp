//===- RopeTest.cpp - kernels/rope ----------------------------------------===//
#include "tests/kernels/KernelHarness.h"

#include <cmath>
#include <random>

using namespace quern;
using namespace quern::test;
using H = KernelHarness;

namespace {

class RopeTest : public KernelTest {};

struct RopeCase {
  int tokens, heads, d, pairs;
  int offset = 0;
  bool interleaved = false;
  int padding = 0; ///< elements between the heads of x
  bool whole = false;
};

struct RopeProblem {
  static constexpr int limit = 300;
  RopeCase c;
  int hs;
  HostTensor x, table;
  std::vector<int32_t> positions;

  RopeProblem(const RopeCase &given, uint64_t seed) : c(given), hs(c.d + c.padding) {
    size_t count = size_t(c.tokens) * c.heads * hs;
    x = c.whole ? HostTensor::whole("bf16", count, seed) : HostTensor::normal("bf16", count, seed);
    // Any table will do, not only that of a rotation.
    size_t entries = size_t(limit) * c.pairs * 2;
    table =
        c.whole ? HostTensor::whole("f32", entries, seed + 1) : HostTensor::normal("f32", entries, seed + 1);
    std::mt19937_64 generator(seed);
    for (int t = 0; t < c.tokens; ++t)
      positions.push_back(t ? int32_t(generator() % limit) : limit - 1);
  }

  Parameters parameters() const {
    int behind = c.d - c.offset - 2 * c.pairs;
    return {{"H", c.heads},
            {"D", c.d},
            {"F", c.pairs},
            {"OFFSET", c.offset},
            {"PRE", std::max(1, c.offset)},
            {"POST", std::max(1, behind)},
            {"XS", c.heads * hs},
            {"HS", hs},
            {"X", "bf16"},
            {"INTERLEAVED", c.interleaved},
            {"HAS_PRE", c.offset > 0},
            {"HAS_POST", behind > 0}};
  }

  HostTensor run(H &harness, const lowering::KernelRequest &request) const {
    auto dx = harness.upload(x), dt = harness.upload(table);
    auto dp = harness.upload(positions);
    auto y = harness.output("bf16", size_t(c.tokens) * c.heads * c.d);
    harness.launch(request, {H::argument(dx), H::argument(dp), H::argument(dt), H::argument(y),
                             H::argument(c.tokens), H::argument(limit)});
    return harness.download(y);
  }

  std::vector<double> reference() const {
    std::vector<double> out;
    for (int t = 0; t < c.tokens; ++t)
      for (int h = 0; h < c.heads; ++h) {
        const double *from = x.values.data() + (size_t(t) * c.heads + h) * hs;
        std::vector<double> row(from, from + c.d);
        for (int i = 0; i < c.pairs; ++i) {
          int first = c.offset + (c.interleaved ? 2 * i : i), second = first + (c.interleaved ? 1 : c.pairs);
          double cosine = table[(size_t(positions[t]) * c.pairs + i) * 2],
                 sine = table[(size_t(positions[t]) * c.pairs + i) * 2 + 1];
          row[first] = from[first] * cosine - from[second] * sine;
          row[second] = from[first] * sine + from[second] * cosine;
        }
        out.insert(out.end(), row.begin(), row.end());
      }
    return out;
  }
};

void check(H &harness, const RopeCase &c, uint64_t seed) {
  RopeProblem problem(c, seed);
  lowering::KernelRequest request = harness.request("rope", problem.parameters());
  HostTensor got = problem.run(harness, request);
  std::vector<double> want = problem.reference();
  expectClose(got, want, request.text());
  for (size_t i = 0; i < got.size(); ++i)
    if (int at = int(i % c.d); at < c.offset || at >= c.offset + 2 * c.pairs)
      EXPECT_EQ(got[i], want[i]) << "copied element " << i;
}

TEST_P(RopeTest, Halves) {
  H harness(GetParam());
  check(harness, {.tokens = 65, .heads = 4, .d = 64, .pairs = 32}, 1);
  check(harness, {.tokens = 17, .heads = 3, .d = 80, .pairs = 10, .padding = 12}, 2);
  check(harness, {.tokens = 1, .heads = 2, .d = 96, .pairs = 24, .offset = 40}, 3);
}

TEST_P(RopeTest, Interleaved) {
  H harness(GetParam());
  check(harness, {.tokens = 5, .heads = 1, .d = 64, .pairs = 32, .interleaved = true}, 4);
  check(harness,
        {.tokens = 3, .heads = 4, .d = 48, .pairs = 8, .offset = 32, .interleaved = true, .padding = 16}, 5);
  check(harness,
        {.tokens = 2, .heads = 6, .d = 128, .pairs = 20, .offset = 6, .interleaved = true, .padding = 2}, 6);
}

TEST_P(RopeTest, EqualBitsUnderAllSchedules) {
  H harness(GetParam());
  for (bool interleaved : {false, true}) {
    RopeProblem problem({.tokens = 5,
                         .heads = 6,
                         .d = 48,
                         .pairs = 16,
                         .offset = 10,
                         .interleaved = interleaved,
                         .whole = true},
                        7);
    HostTensor first = problem.run(harness, harness.request("rope", problem.parameters()));
    expectClose(first, problem.reference(), "default schedule");
    for (auto [tile, warps] : {std::pair{1, 1}, {6, 2}, {4, 4}}) {
      lowering::KernelRequest request = harness.request("rope", problem.parameters(), {tile}, warps);
      expectEqual(problem.run(harness, request), first, request.schedule.str());
    }
  }
}

QUERN_INSTANTIATE_KERNEL_TEST(RopeTest);

} // namespace
