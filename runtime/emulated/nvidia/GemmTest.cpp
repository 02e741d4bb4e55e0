//===- GemmTest.cpp - A tensor-core matrix product, whole and broken ------===//
//
// The product of GemmProgram.h with ragged shapes under several orders; then the same text without one of its
// barriers, waits or commits at a time: each must be found.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/AssemblerTest.h"
#include "runtime/emulated/nvidia/GemmProgram.h"
#include "runtime/emulated/nvidia/PtxTest.h"

#include <cmath>
#include <random>

namespace quern::runtime::emulated {
namespace {

struct Problem {
  uint32_t m, n, k, stride;
  std::vector<uint16_t> a, b;
  std::vector<double> c;

  Problem(uint32_t m, uint32_t n, uint32_t k, uint32_t stride) : m(m), n(n), k(k), stride(stride) {
    std::mt19937 random(m * 7 + n * 3 + k);
    // Eighths below 2: products and their sums are exact. NaN where nothing may look.
    auto fill = [&](std::vector<uint16_t> &into, uint32_t rows) {
      for (uint32_t i = 0; i < rows * stride; ++i) {
        float value = static_cast<float>(static_cast<int>(random() % 31) - 15) / 8;
        into.push_back(i % stride < k ? static_cast<uint16_t>(std::bit_cast<uint32_t>(value) >> 16) : 0x7FC0);
      }
    };
    fill(a, m);
    fill(b, n);
    auto value = [](uint16_t code) { return double(std::bit_cast<float>(uint32_t(code) << 16)); };
    for (uint32_t i = 0; i < m; ++i)
      for (uint32_t j = 0; j < n; ++j) {
        double sum = 0;
        for (uint32_t x = 0; x < k; ++x)
          sum += value(a[i * stride + x]) * value(b[j * stride + x]);
        c.push_back(sum);
      }
  }
};

struct GemmRun {
  Status status;
  bool isRight = true;
};

GemmRun run(const std::string &text, const Problem &problem, RunOptions options) {
  Gpu gpu("nvidia:sm_80", options);
  auto a = gpu.buffer(problem.a), b = gpu.buffer(problem.b);
  auto c = gpu.blank<float>(problem.m * problem.n);
  LaunchShape shape;
  shape.threads = 256;
  shape.blocks = test::GemmProgram::blocks(problem.m, problem.n);
  GemmRun result;
  result.status = gpu.run(text, shape,
                          {pointerTo(*a), pointerTo(*b), pointerTo(*c), i32(problem.m), i32(problem.n),
                           i32(problem.k), i32(problem.stride)});
  auto values = gpu.read<float>(*c);
  for (size_t i = 0; i < values.size(); ++i)
    result.isRight &= values[i] == static_cast<float>(problem.c[i]);
  return result;
}

TEST(Gemm, RaggedShapesUnderEveryOrder) {
  std::string text = test::GemmProgram::text();
  test::expectAssembles(text, "sm_80");
  const Problem problems[] = {{128, 128, 32, 32}, {200, 130, 70, 72}, {1, 129, 8, 8}};
  for (const Problem &problem : problems)
    for (AsyncOrder order : {AsyncOrder::Earliest, AsyncOrder::Latest, AsyncOrder::Random})
      for (bool sanitize : {false, true}) {
        if (sanitize && order == AsyncOrder::Earliest)
          continue;
        GemmRun result = run(text, problem, {.seed = problem.m, .sanitize = sanitize, .asynchronous = order});
        ASSERT_TRUE(result.status.ok()) << result.status.message();
        EXPECT_TRUE(result.isRight) << problem.m << " " << problem.n << " " << problem.k;
      }
}

TEST(Gemm, EveryMissingOrderIsFound) {
  const std::string text = test::GemmProgram::text();
  Problem problem(130, 128, 100, 104);
  int planted = 0;
  for (const std::string word :
       {"bar.sync 0;", "cp.async.wait_group 1;", "cp.async.wait_group 0;", "cp.async.commit_group;"})
    for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
      std::string broken = text;
      broken.erase(at, word.size());
      ++planted;
      for (uint64_t seed : {0, 1}) {
        GemmRun result = run(broken, problem, {.seed = seed});
        // A thread may come so early that nothing has been written yet.
        std::string id = idOf(result.status);
        EXPECT_TRUE(id == "E-EMULATED-RACE" || id == "E-EMULATED-UNINITIALISED")
            << word << " at " << at << ": " << id;
      }
    }
  EXPECT_EQ(planted, 6);
}

} // namespace
} // namespace quern::runtime::emulated
