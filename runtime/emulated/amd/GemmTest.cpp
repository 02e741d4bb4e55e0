//===- GemmTest.cpp - Matrix-core products in assembly ---------------------===//
//
// The kernels of TestGemm.h against the host's product: buffers in local memory filled directly, and ragged
// edges; without their wait or their barrier they are reported.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/TestGemm.h"
#include "runtime/emulated/amd/TestKernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace quern::runtime::emulated::amd {
namespace {

using Words = std::vector<uint32_t>;

/// bf16 numbers in pairs, multiples of 1/8: every product and sum is exact in binary32.
Words matrix(unsigned rows, unsigned columns, unsigned seed) {
  std::mt19937 random(seed);
  Words words(size_t(rows) * columns / 2);
  for (uint32_t &word : words)
    for (unsigned shift : {0, 16})
      word |= bits((int(random() % 65) - 32) / 8.0f) >> 16 << shift;
  return words;
}
float at(const Words &words, unsigned columns, unsigned row, unsigned column) {
  size_t index = size_t(row) * columns + column;
  return real(words[index / 2] >> (16 * (index % 2)) << 16);
}

KernelRun product(const std::string &target, const GemmShape &shape, const GemmFaults &faults = {}) {
  KernelRun run(target, gemmKernel(target, shape, faults));
  run.buffer(matrix(shape.m, shape.k, 1))
      .buffer(matrix(shape.n, shape.k, 2))
      .buffer(Words(size_t(shape.m) * shape.n, bits(NAN)));
  return run;
}

class Gemm : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Targets, Gemm, testing::ValuesIn(allTargets()),
                         [](const auto &info) { return info.param; });

TEST_P(Gemm, EqualsTheProduct) {
  bool wave32 = isWave32(GetParam());
  std::vector<GemmShape> shapes = {{64, 64, 32}, {128, 256, 160}};
  if (wave32) // ragged edges
    shapes = {{64, 64, 16}, {70, 100, 88}, {1, 3, 8}, {129, 250, 40}};
  for (const GemmShape &shape : shapes)
    for (uint64_t seed : {0, 1, 2}) {
      KernelRun run = product(GetParam(), shape);
      run.options.seed = seed;
      run.expectSuccess(shape.tilesM() * shape.tilesN(), gemmThreads(GetParam()));
      std::vector<float> c = run.floats(2);
      for (unsigned i = 0; i < shape.m; ++i)
        for (unsigned j = 0; j < shape.n; ++j) {
          float sum = 0;
          for (unsigned k = 0; k < shape.k; ++k)
            sum += at(run.words(0), shape.k, i, k) * at(run.words(1), shape.k, j, k);
          ASSERT_EQ(c[size_t(i) * shape.n + j], sum)
              << shape.m << "x" << shape.n << "x" << shape.k << " " << i << "," << j;
        }
    }
}

class DirectGemm : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Targets, DirectGemm, testing::Values("gfx90a", "gfx942", "gfx950"),
                         [](const auto &info) { return info.param; });

TEST_P(DirectGemm, WithoutItsWaitOrBarrierIsReported) {
  GemmShape shape{64, 64, 128};
  for (uint64_t seed = 0; seed < 4; ++seed)
    for (GemmFaults faults : {GemmFaults{.noWait = true}, GemmFaults{.noBarrier = true}}) {
      KernelRun run = product(GetParam(), shape, faults);
      run.options.seed = seed;
      EXPECT_FALSE(run.launch(1, 256).ok());
      ASSERT_FALSE(run.findings.empty());
      EXPECT_TRUE(run.findings[0].kind == "race" || run.findings[0].kind == "missing-wait" ||
                  run.findings[0].kind == "uninitialised")
          << run.findings[0].kind;
    }
}

} // namespace
} // namespace quern::runtime::emulated::amd
