//===- VectorGemmTest.cpp - Products in SIMD registers --------------------===//
//
// The bodies of GemmTest.cpp with the atoms of CPUs: a block is one warp, and tiles are those of a register
// file. Operands come in through transposes in registers where rows hold whole words, else by elements.
//
//===----------------------------------------------------------------------===//
#include "dialects/tile/Atoms.h"
#include "tests/kernels/LinearProblem.h"

using namespace quern;
using namespace quern::test;
using H = KernelHarness;

namespace {

class VectorGemmTest : public KernelTest {};

const tile::MmaAtom *atomOf(const std::string &target, ElementType type) {
  std::vector<const tile::MmaAtom *> atoms = tile::findMmaAtoms(target, type, type);
  return atoms.empty() ? nullptr : atoms.front();
}

void check(H &harness, const LinearCase &c, uint64_t seed, const tile::MmaAtom &atom,
           std::vector<int32_t> tile) {
  LinearProblem problem(c, seed);
  tile::Schedule schedule{"linear", std::move(tile), 1};
  schedule.mma = atom.name;
  lowering::KernelRequest request{"linear", problem.parameters(), schedule};
  HostTensor got = problem.run(harness, request);
  std::string what = std::to_string(c.rows) + " rows, " + request.text();
  if (c.whole)
    expectEqual(got, HostTensor::of(c.y, problem.reference()), what);
  else
    expectClose(got, problem.reference(), what);
}

/// Whole numbers, whose sums are exact in f32: one element in a wrong lane shows.
TEST_P(VectorGemmTest, IsExact) {
  H harness(GetParam());
  int atoms = 0;
  for (auto [element, type] : {std::pair{"bf16", ElementType::BF16}, {"f32", ElementType::F32}})
    if (const tile::MmaAtom *atom = atomOf(GetParam(), type)) {
      ++atoms;
      for (int rows : {1, 7, 17})
        check(harness,
              {.rows = rows, .n = 96, .k = 128, .x = element, .w = element, .y = "f32", .whole = true},
              uint64_t(rows), *atom, {6, 32, 32});
    }
  EXPECT_GE(atoms, 1) << "f32 at least";
}

TEST_P(VectorGemmTest, Shapes) {
  H harness(GetParam());
  for (auto [element, type] : {std::pair{"bf16", ElementType::BF16}, {"f32", ElementType::F32}}) {
    const tile::MmaAtom *atom = atomOf(GetParam(), type);
    if (!atom)
      continue;
    std::string out = element;
    check(harness, {.rows = 64, .n = 64, .k = 64, .x = element, .w = element, .b = element, .y = out}, 1,
          *atom, {12, 32, 32});
    // Ragged in every size, rows further apart than they are long.
    check(harness,
          {.rows = 37,
           .n = 45,
           .k = 72,
           .bias = true,
           .x = element,
           .w = element,
           .b = "f32",
           .y = "f32",
           .xPadding = 48,
           .yPadding = 9},
          2, *atom, {8, 32, 64});
    // A row of w begins in the middle of a word.
    check(harness, {.rows = 5, .n = 33, .k = 75, .x = element, .w = element, .b = element, .y = "f32"}, 3,
          *atom, {4, 16, 32});
    check(harness, {.rows = 3, .n = 40, .k = 2048, .x = element, .w = element, .b = element, .y = "f32"}, 4,
          *atom, {4, 48, 64});
  }
}

/// Weights in fp8, mathematics in bf16.
TEST_P(VectorGemmTest, ScaledWeights) {
  H harness(GetParam());
  const tile::MmaAtom *atom = atomOf(GetParam(), ElementType::BF16);
  if (!atom)
    GTEST_SKIP() << "no bf16 products";
  check(harness, {.rows = 19, .n = 140, .k = 256, .w = "f8E4M3FN", .y = "f32"}, 5, *atom, {8, 32, 64});
  check(harness, {.rows = 2, .n = 20, .k = 200, .bias = true, .w = "f8E4M3FN"}, 6, *atom, {2, 16, 128});
}

/// Groups of tiles that do not divide the grid: every tile is computed once, whatever the order.
TEST_P(VectorGemmTest, RasterCoversTheGrid) {
  H harness(GetParam());
  LinearProblem problem({.rows = 23, .n = 50, .k = 64, .y = "f32"}, 10);
  auto request = [&](const std::string &raster) {
    return lowering::KernelRequest{"linear", problem.parameters(),
                                   *tile::Schedule::parse("linear{tile=3x4x32" + raster + "}")};
  };
  HostTensor plain = problem.run(harness, request(""));
  expectClose(plain, problem.reference(), "plain");
  for (const char *raster : {" raster=m2", " raster=m3", " raster=m8", " raster=m100", " raster=n1",
                             " raster=n5", " raster=n13", " raster=n64"})
    expectEqual(problem.run(harness, request(raster)), plain, raster);
}

TEST_P(VectorGemmTest, RowsAreIndependent) {
  H harness(GetParam());
  for (auto [element, type] : {std::pair{"bf16", ElementType::BF16}, {"f32", ElementType::F32}}) {
    const tile::MmaAtom *atom = atomOf(GetParam(), type);
    if (!atom)
      continue;
    LinearProblem many({.rows = 33, .n = 40, .k = 192, .x = element, .w = element, .b = element, .y = "f32"},
                       9);
    tile::Schedule schedule{"linear", {6, 16, 64}, 1};
    schedule.mma = atom->name;
    lowering::KernelRequest request{"linear", many.parameters(), schedule};
    many.expectRowsIndependent(harness, request);
  }
}

/// The levels of the CPU that this machine has.
std::vector<std::string> cpuTargets() {
  std::vector<std::string> targets = executableTargets();
  std::erase_if(targets, [](const std::string &name) { return !name.starts_with("cpu"); });
  return targets;
}

QUERN_INSTANTIATE_KERNEL_TEST_ON(VectorGemmTest, cpuTargets());

} // namespace
