//===- QuantiseTest.cpp - kernels/quantise --------------------------------===//
//
// Codes and scales are those of support/Float8, bit for bit.
//
//===----------------------------------------------------------------------===//
#include "support/Float8.h"
#include "tests/kernels/KernelHarness.h"

#include <cmath>

using namespace quern;
using namespace quern::test;
using H = KernelHarness;

namespace {

class QuantiseTest : public KernelTest {};

struct QuantiseCase {
  int rows, k;
  int padding = 0;
  bool fnuz = false, powerOfTwo = false;

  int blocks() const { return (k + 127) / 128; }
};

/// Rows whose blocks have very different magnitudes: zero, below the floor, ordinary, huge, exact powers of
/// two.
HostTensor rowsOf(const std::string &element, const QuantiseCase &c, uint64_t seed) {
  int xs = c.k + c.padding;
  HostTensor x = HostTensor::normal(element, size_t(c.rows) * xs, seed);
  for (size_t i = 0; i < x.size(); ++i) {
    static const double magnitudes[] = {1, 0, 1e-6, 300, 0.02, 1e4, 1e30, -1};
    double m = magnitudes[(i / 128 + i / xs) % 8];
    x.values[i] = m == -1 ? std::exp2(int(i % 5) - 3) : x.values[i] * m;
  }
  return HostTensor::of(element, x.values);
}

void check(H &harness, const QuantiseCase &c, const std::string &element, lowering::KernelRequest request,
           uint64_t seed) {
  HostTensor x = rowsOf(element, c, seed);
  const int k = c.k, xs = k + c.padding, blocks = c.blocks();
  auto dx = harness.upload(x);
  auto codes = harness.allocate<uint8_t>(size_t(c.rows) * k);
  auto scales = harness.allocate<float>(size_t(c.rows) * blocks);
  harness.launch(request, {H::argument(dx), H::argument(codes), H::argument(scales), H::argument(c.rows)});
  std::vector<uint8_t> gotCodes = harness.download(codes), wantCodes(k);
  std::vector<float> gotScales = harness.download(scales), wantScales(blocks);
  Float8 format = c.fnuz ? Float8::E4M3FNUZ : Float8::E4M3FN;
  for (int r = 0; r < c.rows; ++r) {
    std::vector<float> row(x.values.begin() + size_t(r) * xs, x.values.begin() + size_t(r) * xs + k);
    quantiseRow(row.data(), k, format, c.powerOfTwo ? ScaleFormat::E8M0 : ScaleFormat::F32, wantCodes.data(),
                wantScales.data());
    for (int b = 0; b < blocks; ++b)
      ASSERT_EQ(std::bit_cast<uint32_t>(gotScales[size_t(r) * blocks + b]),
                std::bit_cast<uint32_t>(wantScales[b]))
          << request.text() << " row " << r << " block " << b;
    for (int i = 0; i < k; ++i)
      ASSERT_EQ(gotCodes[size_t(r) * k + i], wantCodes[i])
          << request.text() << " row " << r << " column " << i << " of " << row[i];
  }
}

Parameters parameters(const QuantiseCase &c, const std::string &element) {
  return {{"K", c.k},
          {"XS", c.k + c.padding},
          {"X", element},
          {"Q", c.fnuz ? "f8E4M3FNUZ" : "f8E4M3FN"},
          {"largest", c.fnuz ? 224.0 : 448.0},
          {"POWER_OF_TWO", c.powerOfTwo}};
}

TEST_P(QuantiseTest, CodesAndScales) {
  H harness(GetParam());
  for (bool fnuz : {false, true})
    for (bool powerOfTwo : {false, true})
      for (const char *element : {"bf16", "f32"}) {
        QuantiseCase c{.rows = 9, .k = 384, .padding = fnuz ? 0 : 64, .fnuz = fnuz, .powerOfTwo = powerOfTwo};
        check(harness, c, element, harness.request("quantise", parameters(c, element)),
              fnuz + 2 * powerOfTwo);
      }
}

/// The last block of a row may be short: its scale comes from its own columns, and nothing behind them is
/// read or written.
TEST_P(QuantiseTest, ShortLastBlock) {
  H harness(GetParam());
  for (int k : {192, 320, 200, 130, 7}) {
    QuantiseCase c{.rows = 5, .k = k, .padding = k % 3 * 8, .fnuz = k == 320, .powerOfTwo = k > 192};
    const char *element = k == 130 ? "f32" : "bf16";
    check(harness, c, element, harness.request("quantise", parameters(c, element)), uint64_t(k));
  }
}

TEST_P(QuantiseTest, OtherSchedules) {
  H harness(GetParam());
  for (int k : {768, 328}) {
    QuantiseCase c{.rows = 5, .k = k, .powerOfTwo = true};
    for (auto [tile, warps] : {std::pair{2, 1}, {4, 4}, {1, 4}})
      check(harness, c, "bf16", harness.request("quantise", parameters(c, "bf16"), {tile}, warps), 9);
  }
}

QUERN_INSTANTIATE_KERNEL_TEST(QuantiseTest);

} // namespace
