//===- PointwiseTest.cpp - kernels/pointwise ------------------------------===//
#include "tests/kernels/KernelHarness.h"

#include <cmath>
#include <functional>

using namespace quern;
using namespace quern::test;
using H = KernelHarness;

namespace {

class PointwiseTest : public KernelTest {};

struct PointwiseCase {
  std::vector<std::string> flags;
  std::function<double(double a, double b, int column)> function;
  bool hasB = false, rowB = false;
  int rows = 3, heads = 2, n = 40;
  int padding = 0; ///< elements behind the columns of a, twice as many of b
  std::string a = "bf16", b = "bf16", y = "f32";
  double factor = 1, cap = 1;
  int valid = 0;
  double scale = 3; ///< of the numbers
};

void check(H &harness, const PointwiseCase &c, uint64_t seed, std::vector<int32_t> tile = {}, int warps = 1) {
  int ah = c.n + c.padding, as = c.heads * ah + 3 * c.padding;
  int bh = c.rowB ? 1 : c.n + 2 * c.padding, bs = c.heads * bh + c.padding;
  int yh = c.n + c.padding, ys = c.heads * yh;
  Parameters parameters;
  for (const char *flag : {"ADD", "MUL", "SCALE", "SOFTCAP", "MASK", "ACTIVATE", "SILU", "GELU", "GELU_TANH",
                           "QUICK_GELU", "RELU", "RELU2", "SIGMOID", "TANH"})
    parameters[flag] = int64_t(std::count(c.flags.begin(), c.flags.end(), flag));
  parameters.insert({{"H", c.heads},
                     {"N", c.n},
                     {"AS", as},
                     {"AH", ah},
                     {"BS", bs},
                     {"BH", bh},
                     {"YS", ys},
                     {"YH", yh},
                     {"A", c.a},
                     {"B", c.b},
                     {"Y", c.y},
                     {"factor", c.factor},
                     {"cap", c.cap},
                     {"VALID", c.valid},
                     {"HAS_B", c.hasB},
                     {"ROW_B", c.rowB}});
  HostTensor a = HostTensor::normal(c.a, size_t(c.rows) * as, seed, c.scale),
             b = HostTensor::normal(c.b, size_t(c.rows) * bs, seed + 1, c.scale);
  a.values[1] = 0;
  a.values[2] = HostTensor::of(c.a, {30 * c.scale})[0];
  a.values[3] = HostTensor::of(c.a, {-50 * c.scale})[0];
  auto da = harness.upload(a), db = harness.upload(b);
  auto y = harness.output(c.y, size_t(c.rows) * ys);
  double sentinel = harness.download(y)[0];
  lowering::KernelRequest request = tile.empty() ? harness.request("pointwise", parameters)
                                                 : harness.request("pointwise", parameters, tile, warps);
  harness.launch(
      request, {H::argument(da), c.hasB ? H::argument(db) : H::none(), H::argument(y), H::argument(c.rows)});
  HostTensor all = harness.download(y), got{c.y, {}};
  std::vector<double> want;
  for (int r = 0; r < c.rows; ++r)
    for (int h = 0; h < c.heads; ++h)
      for (int i = 0; i < yh; ++i) {
        double value = all[size_t(r) * ys + h * yh + i];
        if (i >= c.n) {
          EXPECT_EQ(value, sentinel) << "written between rows";
          continue;
        }
        double expected = c.function(a[size_t(r) * as + h * ah + i],
                                     c.hasB ? b[size_t(r) * bs + h * bh + (c.rowB ? 0 : i)] : 1, i);
        if (std::isinf(expected)) {
          EXPECT_EQ(value, expected);
          continue;
        }
        // The extremes alone: their size would hide the others.
        if (std::abs(a[size_t(r) * as + h * ah + i]) > 10 * c.scale) {
          EXPECT_NEAR(value, expected, 2.0 / 128 * std::abs(expected) + 1e-30) << request.text();
          continue;
        }
        got.values.push_back(value);
        want.push_back(expected);
      }
  expectClose(got, want, request.text());
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

TEST_P(PointwiseTest, Arithmetic) {
  H harness(GetParam());
  check(harness,
        {.flags = {}, .function = [](double a, double, int) { return a; }, .padding = 8, .y = "bf16"}, 1);
  check(harness,
        {.flags = {"ADD"},
         .function = [](double a, double b, int) { return a + b; },
         .hasB = true,
         .n = 100,
         .padding = 4,
         .y = "bf16"},
        2);
  check(harness,
        {.flags = {"MUL"},
         .function = [](double a, double b, int) { return a * b; },
         .hasB = true,
         .rows = 17,
         .heads = 1,
         .n = 7,
         .a = "f32",
         .b = "f32"},
        3);
  check(harness,
        {.flags = {"MUL"},
         .function = [](double a, double b, int) { return a * b; },
         .hasB = true,
         .rowB = true,
         .padding = 8},
        4);
  check(harness,
        {.flags = {"SCALE"},
         .function = [](double a, double, int) { return a * float(0.3); },
         .n = 1100,
         .factor = 0.3},
        5);
  check(harness,
        {.flags = {"MASK"},
         .function = [](double a, double, int i) { return i < 33 ? a : -INFINITY; },
         .a = "f32",
         .valid = 33},
        6);
}

TEST_P(PointwiseTest, SoftcapAndTanh) {
  H harness(GetParam());
  check(harness,
        {.flags = {"SOFTCAP"},
         .function = [](double a, double, int) { return 30 * std::tanh(a / 30); },
         .a = "f32",
         .cap = 30,
         .scale = 20},
        7);
  check(harness,
        {.flags = {"ACTIVATE", "TANH"}, .function = [](double a, double, int) { return std::tanh(a); }}, 8);
}

TEST_P(PointwiseTest, Activations) {
  H harness(GetParam());
  const std::pair<const char *, double (*)(double)> kinds[] = {
      {"SILU", [](double x) { return x * sigmoid(x); }},
      {"GELU", [](double x) { return x / 2 * std::erfc(-x / std::sqrt(2.0)); }},
      {"GELU_TANH",
       [](double x) { return x / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))); }},
      {"QUICK_GELU", [](double x) { return x * sigmoid(1.702 * x); }},
      {"RELU", [](double x) { return std::max(x, 0.0); }},
      {"RELU2", [](double x) { return x > 0 ? x * x : 0; }},
      {"SIGMOID", sigmoid}};
  uint64_t seed = 10;
  for (auto [flag, function] : kinds) {
    bool gated = seed % 2;
    check(harness,
          {.flags = {"ACTIVATE", flag},
           .function = [f = function](double a, double b, int) { return f(a) * b; },
           .hasB = gated,
           .padding = 4},
          seed++);
  }
}

TEST_P(PointwiseTest, OtherSchedules) {
  H harness(GetParam());
  for (auto [tile, warps] : {std::pair{16, 1}, {64, 2}, {48, 4}})
    check(harness,
          {.flags = {"ADD"},
           .function = [](double a, double b, int) { return a + b; },
           .hasB = true,
           .n = 100,
           .padding = 4},
          20, {tile}, warps);
}

QUERN_INSTANTIATE_KERNEL_TEST(PointwiseTest);

} // namespace
