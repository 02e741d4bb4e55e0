//===- SampleTest.cpp - kernels/sample ------------------------------------===//
//
// Greedy rows give the host sampler's token; drawn ones that of the definition in f64 (dialects/model,
// `sample`), but where the random number lies so near a boundary that the rounding of f32 sums decides.
//
//===----------------------------------------------------------------------===//
#include "runtime/sample/Sampler.h"
#include "support/Philox.h"
#include "tests/kernels/KernelHarness.h"

#include <cmath>

using namespace quern;
using namespace quern::test;
using H = KernelHarness;

namespace {

class SampleTest : public KernelTest {};

struct Rows {
  int columns, padding = 0;
  std::vector<float> logits; ///< row after row, |columns| + |padding| each
  std::vector<int32_t> positions;
  std::vector<float> temperatures;
  std::vector<uint64_t> seeds;

  int count() const { return int(positions.size()); }
  std::span<const float> row(int r) const {
    return std::span(logits).subspan(size_t(r) * (columns + padding), columns);
  }
};

std::vector<int32_t> draw(H &harness, const Rows &rows, const lowering::KernelRequest &request) {
  auto logits = harness.upload(rows.logits);
  auto positions = harness.upload(rows.positions);
  auto temperatures = harness.upload(rows.temperatures);
  auto seeds = harness.upload(rows.seeds);
  auto tokens = harness.allocate<int32_t>(rows.positions.size());
  harness.launch(request, {H::argument(logits), H::argument(positions), H::argument(temperatures),
                           H::argument(seeds), H::argument(tokens), H::argument(rows.count())});
  return harness.download(tokens);
}

lowering::KernelRequest requestFor(H &harness, const Rows &rows) {
  return harness.request("sample", {{"N", rows.columns}, {"XS", rows.columns + rows.padding}});
}

Rows rowsOf(int count, int columns, int padding, uint64_t seed) {
  Rows rows{columns, padding, {}, {}, {}, {}};
  for (double value : HostTensor::normal("f32", size_t(count) * (columns + padding), seed, 3).values)
    rows.logits.push_back(float(value));
  for (int r = 0; r < count; ++r) {
    // Behind the row stands what would win.
    for (int i = columns; i < columns + padding; ++i)
      rows.logits[size_t(r) * (columns + padding) + i] = 1e30f;
    rows.positions.push_back(r * 977 + 3);
    rows.temperatures.push_back(r % 4 == 0 ? 0.0f : 0.3f * float(r % 5 + 1));
    rows.seeds.push_back(seed * 0x9E3779B97F4A7C15ull + uint64_t(r) * 0x100000001ull);
  }
  return rows;
}

/// Checks every row; the number of rows that were near a boundary.
int check(const Rows &rows, const std::vector<int32_t> &tokens, const std::string &what) {
  int near = 0;
  for (int r = 0; r < rows.count(); ++r) {
    std::span<const float> logits = rows.row(r);
    const float temperature = rows.temperatures[r];
    if (temperature == 0) {
      auto sampler = runtime::Sampler::make({}, uint32_t(rows.columns));
      EXPECT_EQ(uint32_t(tokens[r]), *sampler->sample(logits, 0)) << what << ", row " << r;
      continue;
    }
    const float largest = *std::ranges::max_element(logits) / temperature;
    std::vector<double> sums;
    double sum = 0;
    for (float logit : logits)
      sums.push_back(sum += std::exp(logit / temperature - largest));
    const double goal = uniformFloat(philoxAt(rows.seeds[r], uint64_t(rows.positions[r]))[0]) * sum;
    const int expected = int(std::ranges::upper_bound(sums, goal) - sums.begin());
    auto isNear = [&](int token) {
      return token >= 0 && token < rows.columns && std::abs(sums[token] - goal) < 1e-5 * sum;
    };
    if (isNear(expected) || (expected > 0 && isNear(expected - 1))) {
      ++near;
      continue;
    }
    EXPECT_EQ(tokens[r], expected) << what << ", row " << r << " at " << temperature;
  }
  return near;
}

TEST_P(SampleTest, GreedyAndDrawn) {
  H harness(GetParam());
  for (auto [columns, padding] : {std::pair{97, 31}, {2042, 6}, {5000, 8}}) {
    Rows rows = rowsOf(21, columns, padding, uint64_t(columns));
    EXPECT_LE(check(rows, draw(harness, rows, requestFor(harness, rows)), std::to_string(columns)), 3);
  }
}

/// Of equal logits the lowest index is taken; masked ones never are.
TEST_P(SampleTest, TiesAndMasks) {
  H harness(GetParam());
  Rows rows = rowsOf(12, 700, 4, 5);
  for (int r = 0; r < rows.count(); ++r) {
    float *row = rows.logits.data() + size_t(r) * 704;
    for (int i = 0; i < 700; ++i)
      row[i] = i >= 650 ? -INFINITY : float((i * 7 + r) % 13);
    rows.temperatures[r] = r % 2 ? 50.0f : 0.0f;
  }
  std::vector<int32_t> tokens = draw(harness, rows, requestFor(harness, rows));
  check(rows, tokens, "ties");
  for (int32_t token : tokens)
    EXPECT_LT(token, 650);
  // A temperature so small that quotients overflow counts as 0.
  for (float &temperature : rows.temperatures)
    temperature = 1e-38f;
  tokens = draw(harness, rows, requestFor(harness, rows));
  for (float &temperature : rows.temperatures)
    temperature = 0;
  check(rows, tokens, "tiny temperature");
}

/// Two tokens with equal weights: the token says on which side of one half the random number lies.
TEST_P(SampleTest, RandomNumbersAreThoseOfTheHost) {
  H harness(GetParam());
  Rows rows{2, 0, {}, {}, {}, {}};
  for (int r = 0; r < 200; ++r) {
    rows.logits.insert(rows.logits.end(), {1.5f, 1.5f});
    rows.positions.push_back(r % 20 * 104729);
    rows.temperatures.push_back(1);
    rows.seeds.push_back(0xDEADBEEF00000000ull * uint64_t(r) + uint64_t(r / 3));
  }
  std::vector<int32_t> tokens = draw(harness, rows, requestFor(harness, rows));
  for (int r = 0; r < rows.count(); ++r)
    EXPECT_EQ(tokens[r], uniformFloat(philoxAt(rows.seeds[r], uint64_t(rows.positions[r]))[0]) >= 0.5f) << r;
}

TEST_P(SampleTest, OtherSchedules) {
  H harness(GetParam());
  Rows rows = rowsOf(17, 1000, 0, 8);
  for (auto [tile, warps] : {std::pair{64, 1}, {256, 4}, {1024, 2}})
    check(rows, draw(harness, rows, harness.request("sample", {{"N", 1000}, {"XS", 1000}}, {tile}, warps)),
          "tile " + std::to_string(tile));
}

QUERN_INSTANTIATE_KERNEL_TEST(SampleTest);

} // namespace
