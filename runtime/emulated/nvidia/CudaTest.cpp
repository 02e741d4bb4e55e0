//===- CudaTest.cpp - CUDA C++ through nvcc -------------------------------===//
//
// testdata/programs.cu, compiled to PTX when the test runs: reduction, scan, mathematics of the toolkit's
// library, a tensor-core product. Skipped where there is no nvcc.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/AssemblerTest.h"
#include "runtime/emulated/nvidia/PtxTest.h"

#include <cmath>
#include <functional>
#include <map>
#include <random>
#include <sstream>

namespace quern::runtime::emulated {
namespace {

/// The PTX of testdata/programs.cu for |target|; empty where there is no nvcc.
const std::string &programs(const std::string &target) {
  static std::map<std::string, std::string> made;
  auto [it, isNew] = made.try_emplace(target);
  if (!isNew)
    return it->second;
  static const std::string nvcc = test::toolkitProgram("nvcc");
  if (nvcc.empty())
    return it->second;
  std::string path = testing::TempDir() + "/quern-" + std::to_string(getpid()) + target + ".ptx";
  int code = 0;
  std::string report = test::shell(nvcc + " -std=c++17 -arch=" + target + " -ptx -o " + path +
                                       " " QUERN_SOURCE_DIR "/runtime/emulated/nvidia/testdata/programs.cu",
                                   code);
  EXPECT_EQ(code, 0) << report;
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  std::remove(path.c_str());
  return it->second = text.str();
}

class Cuda : public testing::TestWithParam<std::string> {
protected:
  void SetUp() override {
    if (programs(GetParam()).empty())
      GTEST_SKIP() << "there is no nvcc";
  }
  Status run(Gpu &gpu, const std::string &name, uint32_t blocks, uint32_t threads,
             std::vector<Argument> arguments) {
    LaunchShape shape;
    shape.blocks = blocks;
    shape.threads = threads;
    return gpu.run(programs(GetParam()), shape, std::move(arguments), name);
  }
  std::string device() const {
    return "nvidia:" + (GetParam() == "sm_90" ? std::string("sm_90a") : GetParam());
  }
};

TEST_P(Cuda, Reduction) {
  std::vector<float> in;
  double expected = 0;
  for (int i = 0; i < 10000; ++i)
    expected += in.emplace_back(static_cast<float>((i * 37) % 1001) / 8 - 50);
  for (uint64_t seed : {0, 3}) {
    Gpu gpu(device(), {.seed = seed});
    auto inBuffer = gpu.buffer(in), out = gpu.buffer(std::vector<double>{0.25});
    Status status = run(gpu, "reduction", 5, 160, {pointerTo(*inBuffer), pointerTo(*out), i32(10000)});
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(gpu.read<double>(*out)[0], expected + 0.25);
  }
}

TEST_P(Cuda, Scan) {
  std::vector<int> in;
  for (int i = 0; i < 777; ++i)
    in.push_back((i * 7919) % 2003 - 1000);
  Gpu gpu(device(), {.seed = 7});
  auto inBuffer = gpu.buffer(in), out = gpu.blank<int>(778);
  Status status = run(gpu, "scan", 1, 1024, {pointerTo(*inBuffer), pointerTo(*out), i32(777)});
  ASSERT_TRUE(status.ok()) << status.message();
  auto values = gpu.read<int>(*out);
  int sum = 0;
  for (int i = 0; i < 777; ++i)
    ASSERT_EQ(values[i], sum += in[i]) << i;
  EXPECT_EQ(values[777], static_cast<int>(0xA5A5A5A5));
}

TEST_P(Cuda, Mathematics) {
  // Bounds in units of the last place: CUDA C++ Programming Guide, table of single-precision functions.
  struct Case {
    const char *name;
    double ulps;
    std::function<double(double)> value;
  };
  const Case cases[] = {
      {"expf", 2, [](double x) { return std::exp(x); }},
      {"logf", 1, [](double x) { return std::log(std::fabs(x)); }},
      {"sinf", 2, [](double x) { return std::sin(x); }},
      {"cosf", 2, [](double x) { return std::cos(x); }},
      {"tanhf", 2, [](double x) { return std::tanh(x); }},
      {"erff", 2, [](double x) { return std::erf(x); }},
      {"powf", 4, [](double x) { return std::pow(std::fabs(x), double(1.7f)); }},
      {"sqrtf", 0.5, [](double x) { return std::sqrt(std::fabs(x)); }},
      {"log1pf", 1, [](double x) { return std::log1p(std::fabs(x)); }},
      {"atan2f", 3, [](double x) { return std::atan2(x, double(0.7f)); }},
      {"fmodf", 0, [](double x) { return std::fmod(x, double(0.3f)); }},
      {"cbrtf", 1, [](double x) { return std::cbrt(x); }},
      {"exp", 0.51, [](double x) { return std::exp(x); }},
      {"sin", 0.51, [](double x) { return std::sin(x); }},
      {"rsqrtf", 2, [](double x) { return 1 / std::sqrt(std::fabs(x)); }},
      {"lgammaf", 6, [](double x) { return std::lgamma(double(std::fabs(float(x)) + 0.5f)); }}};
  std::mt19937 random(4);
  std::vector<float> in = {0.0f, -0.0f, 1.0f, -1.0f, 1e-30f, 3e4f, -3e4f, 88.0f, -88.0f};
  while (in.size() < 1000)
    in.push_back(static_cast<float>((static_cast<double>(random()) / 0x1p31 - 1) *
                                    std::pow(10.0, static_cast<int>(random() % 6) - 3)));
  auto n = static_cast<uint32_t>(in.size());
  Gpu gpu(device());
  auto inBuffer = gpu.buffer(in), out = gpu.blank<float>(n * std::size(cases));
  Status status = run(gpu, "mathematics", 8, 128, {pointerTo(*inBuffer), pointerTo(*out), i32(n)});
  ASSERT_TRUE(status.ok()) << status.message();
  auto values = gpu.read<float>(*out);
  for (size_t which = 0; which < std::size(cases); ++which)
    for (uint32_t i = 0; i < n; ++i) {
      double expected = cases[which].value(double(in[i]));
      float got = values[which * n + i], rounded = static_cast<float>(expected);
      if (!std::isfinite(rounded)) {
        ASSERT_EQ(std::isnan(got), std::isnan(rounded)) << cases[which].name << in[i];
        ASSERT_TRUE(std::isnan(got) || got == rounded) << cases[which].name << in[i];
        continue;
      }
      double unit = std::ldexp(1.0, std::max(std::ilogb(rounded == 0 ? 0x1p-126f : rounded), -126) - 23);
      ASSERT_LE(std::fabs(double(got) - expected), cases[which].ulps * unit * 1.0001)
          << cases[which].name << " of " << in[i];
    }
}

TEST_P(Cuda, TensorCoreProduct) {
  constexpr int m = 64, n = 96, k = 160;
  std::vector<uint16_t> a, b;
  std::mt19937 random(11);
  auto code = [&] {
    return static_cast<uint16_t>(
        std::bit_cast<uint32_t>(static_cast<float>(static_cast<int>(random() % 31) - 15) / 4) >> 16);
  };
  for (int i = 0; i < m * k; ++i)
    a.push_back(code());
  for (int i = 0; i < n * k; ++i)
    b.push_back(code());
  for (AsyncOrder order : {AsyncOrder::Earliest, AsyncOrder::Latest}) {
    Gpu gpu(device(), {.seed = 2, .asynchronous = order});
    auto bufferA = gpu.buffer(a), bufferB = gpu.buffer(b), bufferC = gpu.blank<float>(m * n);
    Status status =
        run(gpu, "gemm", m / 32 * (n / 32), 128,
            {pointerTo(*bufferA), pointerTo(*bufferB), pointerTo(*bufferC), i32(m), i32(n), i32(k)});
    ASSERT_TRUE(status.ok()) << status.message();
    auto c = gpu.read<float>(*bufferC);
    auto value = [](uint16_t bits) { return std::bit_cast<float>(uint32_t(bits) << 16); };
    for (int i = 0; i < m; ++i)
      for (int j = 0; j < n; ++j) {
        float sum = 0;
        for (int x = 0; x < k; ++x)
          sum += value(a[i * k + x]) * value(b[j * k + x]);
        ASSERT_EQ(c[i * n + j], sum) << i << " " << j;
      }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, Cuda, testing::Values("sm_80", "sm_90", "sm_120a"));

} // namespace
} // namespace quern::runtime::emulated
