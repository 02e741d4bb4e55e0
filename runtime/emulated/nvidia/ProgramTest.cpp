//===- ProgramTest.cpp - Whole kernels that clang has compiled ------------===//
//
// testdata/programs.ptx against loops on the host, for sizes that divide nothing, several seeds and worker
// counts.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/PtxTest.h"

#include <cmath>
#include <fstream>
#include <random>
#include <sstream>

namespace quern::runtime::emulated {
namespace {

std::string programs() {
  std::ifstream file(QUERN_SOURCE_DIR "/runtime/emulated/nvidia/testdata/programs.ptx");
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_FALSE(text.str().empty());
  return text.str();
}

std::vector<float> randomFloats(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<float> values(count);
  for (float &value : values)
    value = static_cast<float>(static_cast<int>(random() % 2001) - 1000) / 64.0f;
  return values;
}

struct Way {
  uint64_t seed;
  uint32_t workers;
  bool sanitize;
};

class Program : public testing::TestWithParam<Way> {
protected:
  Gpu gpu{
      "nvidia:sm_90a",
      RunOptions{.seed = GetParam().seed, .sanitize = GetParam().sanitize, .workers = GetParam().workers}};
  void run(const std::string &name, uint32_t blocks, uint32_t threads,
           const std::vector<Argument> &arguments) {
    LaunchShape shape;
    shape.blocks = blocks;
    shape.threads = threads;
    Status status = gpu.run(programs(), shape, arguments, name);
    ASSERT_TRUE(status.ok()) << status.message();
  }
};

TEST_P(Program, VectorAdd) {
  for (uint32_t n : {1u, 31u, 1000u}) {
    auto a = randomFloats(n, 1), b = randomFloats(n, 2);
    auto bufferA = gpu.buffer(a), bufferB = gpu.buffer(b), out = gpu.blank<float>(n);
    run("vector_add", (n + 95) / 96, 96, {pointerTo(*bufferA), pointerTo(*bufferB), pointerTo(*out), i32(n)});
    auto c = gpu.read<float>(*out);
    for (uint32_t i = 0; i < n; ++i)
      EXPECT_EQ(c[i], std::fma(b[i], 2.0f, a[i])) << i;
  }
}

TEST_P(Program, BlockSum) {
  const uint32_t n = 3001, blocks = 5, threads = 128;
  auto x = randomFloats(n, 3);
  auto in = gpu.buffer(x);
  auto out = gpu.blank<float>(blocks);
  run("block_sum", blocks, threads, {pointerTo(*in), pointerTo(*out), i32(n)});
  auto sums = gpu.read<float>(*out);
  for (uint32_t b = 0; b < blocks; ++b) {
    float expected = 0; // sums of 64ths are exact
    for (uint32_t i = 0; i < n; ++i)
      if (i / threads % blocks == b)
        expected += x[i];
    EXPECT_EQ(sums[b], expected) << b;
  }
  EXPECT_GT(gpu.device->runCounters().barriers, 0u);
}

TEST_P(Program, Softmax) {
  const uint32_t rows = 7, columns = 333;
  auto x = randomFloats(rows * columns, 4);
  auto in = gpu.buffer(x), out = gpu.blank<float>(rows * columns);
  run("softmax", rows, 160, {pointerTo(*in), pointerTo(*out), i32(columns)});
  auto y = gpu.read<float>(*out);
  for (uint32_t r = 0; r < rows; ++r) {
    double highest = -INFINITY, sum = 0;
    for (uint32_t c = 0; c < columns; ++c)
      highest = std::max<double>(highest, x[r * columns + c]);
    for (uint32_t c = 0; c < columns; ++c)
      sum += std::exp(x[r * columns + c] - highest);
    for (uint32_t c = 0; c < columns; ++c) {
      double expected = std::exp(x[r * columns + c] - highest) / sum;
      EXPECT_NEAR(y[r * columns + c], expected, 1e-6 + 1e-4 * expected) << r << " " << c;
    }
  }
}

TEST_P(Program, DecodeFp8) {
  std::vector<uint8_t> codes(256);
  for (uint32_t i = 0; i < 256; ++i)
    codes[i] = static_cast<uint8_t>(i * 5 + 3);
  auto in = gpu.buffer(codes);
  auto out = gpu.blank<float>(256);
  run("decode_fp8", 3, 100, {pointerTo(*in), pointerTo(*out), i32(256)});
  auto values = gpu.read<float>(*out);
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t code = codes[i], exponent = code >> 3 & 15, mantissa = code & 7;
    float expected = exponent ? std::ldexp(1 + mantissa / 8.0f, static_cast<int>(exponent) - 7)
                              : std::ldexp(mantissa / 8.0f, -6);
    if ((code & 127) == 127)
      EXPECT_TRUE(std::isnan(values[i])) << code;
    else
      EXPECT_EQ(values[i], code & 128 ? -expected : expected) << code;
  }
}

TEST_P(Program, Histogram) {
  const uint32_t n = 5003;
  std::mt19937 random(5);
  std::vector<uint8_t> x(n);
  std::vector<uint32_t> expected(64, 0);
  for (uint8_t &value : x) {
    value = static_cast<uint8_t>(random());
    ++expected[value & 63];
  }
  auto in = gpu.buffer(x), out = gpu.buffer(std::vector<uint32_t>(64, 0));
  run("histogram", 3, 96, {pointerTo(*in), pointerTo(*out), i32(n)});
  EXPECT_EQ(gpu.read<uint32_t>(*out), expected);
}

TEST_P(Program, LocalArray) {
  const uint32_t n = 203;
  auto out = gpu.blank<int>(n);
  run("local_array", 2, 128, {pointerTo(*out), i32(n)});
  auto values = gpu.read<int>(*out);
  for (uint32_t i = 0; i < n; ++i) {
    int expected = -1;
    for (int j = 0; j < 16; ++j)
      if (((j * 7 + static_cast<int>(i)) & 15) == (n & 15))
        expected = static_cast<int>(i) * 16 + j;
    EXPECT_EQ(values[i], expected) << i;
  }
}

/// The barriers of these kernels are needed, but for the last one of softmax: no shared access follows it.
/// Without any one of them the sanitizer speaks up.
TEST(Mutation, EachBarrierIsMissed) {
  const std::string whole = programs();
  size_t tried = 0;
  for (const char *name : {"block_sum", "softmax", "histogram"}) {
    size_t begin = whole.find(std::string(".entry ") + name), end = whole.find("-- End function", begin);
    ASSERT_NE(begin, std::string::npos);
    for (size_t at = whole.find("bar.sync", begin); at < end; at = whole.find("bar.sync", at + 1)) {
      std::string text = whole;
      text.replace(at, text.find(';', at) - at, "");
      for (uint64_t seed : {0, 9}) {
        Gpu gpu("nvidia:sm_90a", RunOptions{.seed = seed});
        const uint32_t n = 3001;
        auto in = gpu.buffer(randomFloats(n * 2, 3)), out = gpu.buffer(std::vector<float>(n * 2, 0));
        LaunchShape shape;
        shape.threads = 128;
        shape.blocks = 2;
        Status status = gpu.run(text, shape, {pointerTo(*in), pointerTo(*out), i32(n)}, name);
        bool isNeeded = std::string(name) != "softmax" || whole.find("bar.sync", at + 1) < end;
        EXPECT_EQ(!status.ok(), isNeeded) << name << " without the barrier at byte " << at;
        if (!status.ok())
          EXPECT_TRUE(status.id() == "E-EMULATED-RACE" || status.id() == "E-EMULATED-UNINITIALISED")
              << status.message();
      }
      ++tried;
    }
  }
  EXPECT_GE(tried, 7u);
}

INSTANTIATE_TEST_SUITE_P(Ways, Program,
                         testing::Values(Way{0, 1, true}, Way{0, 2, true}, Way{7, 1, true},
                                         Way{123456, 2, true}, Way{1, 1, false}, Way{99, 2, false}));

} // namespace
} // namespace quern::runtime::emulated
