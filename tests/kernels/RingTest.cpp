//===- RingTest.cpp - Products whose operands arrive by rings -------------===//
//
// Every way that a target has, every depth, and numbers of steps around the depth. The emulated devices look
// for races and for reads of what nothing has written, with several orders of warps and of copies.
//
//===----------------------------------------------------------------------===//
#include "dialects/tile/Atoms.h"
#include "tests/kernels/LinearProblem.h"

using namespace quern;
using namespace quern::test;
using H = KernelHarness;
using tile::CopyMode;

namespace {

class RingTest : public KernelTest {
protected:
  const TargetInfo &info() const {
    std::string_view name = GetParam();
    size_t colon = name.find(':');
    return *findTarget(name.substr(0, colon), name.substr(colon + 1));
  }

  /// The ways into shared memory that the target has.
  std::vector<CopyMode> modes() const {
    std::vector<CopyMode> all = {CopyMode::Staged};
    if (info().gpu.asyncCopy)
      all.push_back(CopyMode::Async);
    if (info().gpu.directCopyBits)
      all.push_back(CopyMode::Direct);
    return all;
  }

  /// The smallest atom of a warp for |type|; null where there is none.
  const tile::MmaAtom *atom(ElementType type) const {
    const tile::MmaAtom *smallest = nullptr;
    for (const tile::MmaAtom *atom : tile::findMmaAtoms(info(), type, type))
      if (atom->issuer == tile::Issuer::Warp && atom->b.hasFragment() &&
          tile::contains(atom->c.where, tile::Where::Register) &&
          (!smallest || atom->m * atom->n * atom->k < smallest->m * smallest->n * smallest->k))
        smallest = atom;
    return smallest;
  }

  static lowering::KernelRequest request(const LinearProblem &problem, const tile::MmaAtom &atom,
                                         std::vector<int32_t> tile, int32_t stages, CopyMode a, CopyMode b) {
    tile::Schedule schedule{"linear", std::move(tile), 2};
    schedule.mma = atom.name;
    schedule.warpGrid = {1, 2, 1};
    schedule.stages = stages;
    schedule.copies = {{"a", a}, {"b", b}};
    return {"linear", problem.parameters(), schedule};
  }
};

void check(H &harness, const LinearProblem &problem, const lowering::KernelRequest &request) {
  expectClose(problem.run(harness, request), problem.reference(),
              std::to_string(problem.c.rows) + " rows, " + request.text());
}

/// No step, one, and so on to one more than the depth: what is filled ahead is never more than there is.
TEST_P(RingTest, StepsAroundTheDepth) {
  const tile::MmaAtom &bf16 = *atom(ElementType::BF16);
  H harness(GetParam());
  for (CopyMode mode : modes())
    for (int32_t stages : {1, 2, 3, 4})
      for (int steps : {1, stages - 1, stages, stages + 1}) {
        if (steps < 1)
          continue;
        LinearProblem problem({.rows = 17, .n = 72, .k = 64 * steps, .y = "f32"},
                              uint64_t(10 * stages + steps));
        check(harness, problem, request(problem, bf16, {32, 64, 64}, stages, mode, mode));
      }
}

TEST_P(RingTest, OperandsByDifferentWays) {
  const tile::MmaAtom &bf16 = *atom(ElementType::BF16);
  H harness(GetParam());
  std::vector<CopyMode> ways = modes();
  ways.push_back(CopyMode::Register);
  for (CopyMode a : ways)
    for (CopyMode b : ways) {
      LinearProblem problem({.rows = 33, .n = 80, .k = 320, .bias = true}, 3);
      check(harness, problem, request(problem, bf16, {32, 64, 64}, 3, a, b));
    }
}

/// Few rows, rows behind the last one of the tile, columns and k that are no multiple of it.
TEST_P(RingTest, RaggedShapes) {
  const tile::MmaAtom &bf16 = *atom(ElementType::BF16);
  for (uint64_t seed : {0, 1, 2}) {
    H harness(GetParam(), seed);
    for (CopyMode mode : modes())
      for (int rows : {1, 3, 17, 64}) {
        LinearCase c{.rows = rows, .n = 45, .k = 200, .y = "f32"};
        c.xPadding = 8;
        LinearProblem problem(c, 20 + seed);
        check(harness, problem, request(problem, bf16, {32, 32, 64}, 3, mode, mode));
      }
  }
}

/// Rows whose pieces of 4 bytes alone are aligned, and rows that no copy can take.
TEST_P(RingTest, NarrowRows) {
  const tile::MmaAtom &bf16 = *atom(ElementType::BF16);
  H harness(GetParam());
  LinearProblem narrow({.rows = 19, .n = 40, .k = 138, .y = "f32"}, 5);
  for (CopyMode mode : modes())
    check(harness, narrow, request(narrow, bf16, {32, 32, 32}, 2, mode, mode));
  LinearProblem odd({.rows = 19, .n = 40, .k = 75, .y = "f32"}, 6);
  for (CopyMode mode : modes())
    if (mode != CopyMode::Staged) {
      auto refused =
          lowering::compileKernel(request(odd, bf16, {32, 32, 32}, 2, mode, mode), harness.codeTarget());
      ASSERT_FALSE(refused.ok());
      EXPECT_NE(refused.error().message().find("the operand does not allow"), std::string::npos);
    }
}

/// Tiles of sizes that are no powers of two, and rows of several swizzles.
TEST_P(RingTest, Repeats) {
  const tile::MmaAtom &bf16 = *atom(ElementType::BF16);
  H harness(GetParam());
  for (CopyMode mode : modes())
    for (std::vector<int32_t> tile : {std::vector<int32_t>{48, 96, 64}, {32, 32, 128}, {64, 32, 32}}) {
      if (mode == CopyMode::Direct && tile[0] == 48)
        continue; // 48 rows are no whole number of copies of all lanes
      LinearProblem problem({.rows = 50, .n = 100, .k = 384}, 7);
      check(harness, problem, request(problem, bf16, tile, 2, mode, mode));
    }
}

/// fp8 with scales of blocks, promoted each 128 of k; weights in fp8 that are dequantised on their way.
TEST_P(RingTest, BlockScales) {
  for (uint64_t seed : {0, 1}) {
    H harness(GetParam(), seed);
    for (auto [element, type] :
         {std::pair{"f8E4M3FN", ElementType::F8E4M3}, {"f8E4M3FNUZ", ElementType::F8E4M3FNUZ}}) {
      if (const tile::MmaAtom *fp8 = atom(type))
        for (CopyMode mode : modes()) {
          LinearProblem problem({.rows = 19, .n = 140, .k = 640, .x = element, .w = element, .y = "f32"},
                                seed);
          check(harness, problem, request(problem, *fp8, {32, 64, 128}, 2, mode, mode));
        }
      for (CopyMode mode : modes()) {
        LinearProblem problem({.rows = 19, .n = 140, .k = 320, .w = element, .y = "f32"}, seed);
        check(harness, problem,
              request(problem, *atom(ElementType::BF16), {32, 64, 64}, 3, mode, CopyMode::Staged));
      }
    }
  }
}

/// Rows of x by their index; a group without a matrix has no step at all.
TEST_P(RingTest, Grouped) {
  const tile::MmaAtom &bf16 = *atom(ElementType::BF16);
  for (uint64_t seed : {0, 1}) {
    H harness(GetParam(), seed);
    for (CopyMode mode : modes())
      for (int32_t stages : {2, 4}) {
        LinearProblem problem(
            {.rows = 60, .n = 72, .k = 192, .y = "f32", .experts = 3, .share = 4, .grouped = true},
            10 + seed);
        check(harness, problem, request(problem, bf16, {32, 32, 64}, stages, mode, mode));
      }
  }
}

/// What the schedule says is what the code holds: matrix instructions behind one barrier a step, fed by
/// copies and loads of shared memory that move whole rows.
TEST_P(RingTest, OneBarrierAStep) {
  const tile::MmaAtom &bf16 = *atom(ElementType::BF16);
  LinearProblem problem({.rows = 64, .n = 128, .k = 1024, .y = "f32"}, 1);
  auto targets = lowering::codeTargets(GetParam());
  ASSERT_TRUE(targets.ok());
  for (CopyMode mode : modes()) {
    lowering::KernelRequest wanted = request(problem, bf16, {32, 64, 64}, 2, mode, mode);
    auto compiled = lowering::compileKernel(
        wanted, targets->front(), {{lowering::KernelStage::Rings, lowering::KernelStage::Assembly}});
    ASSERT_TRUE(compiled.ok()) << compiled.error().message();
    auto count = [](std::string_view text, std::string_view what) {
      int found = 0;
      for (size_t at = text.find(what); at != text.npos; at = text.find(what, at + 1))
        ++found;
      return found;
    };
    EXPECT_EQ(count(compiled->texts[lowering::KernelStage::Rings], "tile.barrier"), 1) << wanted.text();
    EXPECT_EQ(count(compiled->texts[lowering::KernelStage::Rings], "tile.relayout"), 0) << wanted.text();
    const std::string &code = compiled->texts[lowering::KernelStage::Assembly];
    EXPECT_EQ(count(code, "bar.sync") + count(code, "s_barrier") - count(code, "s_barrier_signal"), 1)
        << wanted.text();
    EXPECT_EQ(count(code, "cp.async.cg") > 0, mode == CopyMode::Async) << wanted.text();
    EXPECT_EQ(count(code, " lds") > 0, mode == CopyMode::Direct) << wanted.text();
  }
}

QUERN_INSTANTIATE_KERNEL_TEST_ON(RingTest, quern::test::emulatedTargets());

} // namespace
