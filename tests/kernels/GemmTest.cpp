//===- GemmTest.cpp - Products on matrix units ----------------------------===//
//
// The bodies run on every GPU target that an emulated device executes. What is multiplied in which type is
// what the target's table offers: bf16 and f16 everywhere, fp8 with block scales where the unit has fp8, and
// fp8 weights with bf16 mathematics everywhere.
//
//===----------------------------------------------------------------------===//
#include "dialects/tile/Atoms.h"
#include "tests/kernels/LinearProblem.h"

using namespace quern;
using namespace quern::test;
using H = KernelHarness;

namespace {

class GemmTest : public KernelTest {};

/// The element types of A, as kernels and as the table call them.
constexpr std::pair<const char *, ElementType> types[] = {{"bf16", ElementType::BF16},
                                                          {"f16", ElementType::F16},
                                                          {"f8E4M3FN", ElementType::F8E4M3},
                                                          {"f8E4M3FNUZ", ElementType::F8E4M3FNUZ}};

/// Atoms of the target for A and B of |type| that a warp issues on its registers.
std::vector<const tile::MmaAtom *> warpAtoms(const std::string &target, ElementType type) {
  std::vector<const tile::MmaAtom *> atoms;
  for (const tile::MmaAtom *atom : tile::findMmaAtoms(target, type, type))
    if (atom->issuer == tile::Issuer::Warp && atom->b.hasFragment() &&
        tile::contains(atom->c.where, tile::Where::Register))
      atoms.push_back(atom);
  return atoms;
}

/// What the assembly text of the target calls it: the family in front of the shape.
std::string instruction(const tile::MmaAtom &atom) {
  std::string family = atom.name.substr(0, atom.name.find('.'));
  return family == "mma" ? "mma.sync" : "v_" + family + "_";
}

lowering::KernelRequest requestFor(const LinearProblem &problem, const tile::MmaAtom &atom,
                                   std::vector<int32_t> tile, int32_t warpRows, int32_t warpColumns) {
  tile::Schedule schedule{"linear", std::move(tile), warpRows * warpColumns};
  schedule.mma = atom.name;
  schedule.warpGrid = {warpRows, warpColumns, 1};
  return {"linear", problem.parameters(), schedule};
}

void check(H &harness, const LinearCase &c, uint64_t seed, const tile::MmaAtom &atom,
           std::vector<int32_t> tile, int32_t warpRows, int32_t warpColumns) {
  LinearProblem problem(c, seed);
  lowering::KernelRequest request = requestFor(problem, atom, std::move(tile), warpRows, warpColumns);
  expectClose(problem.run(harness, request), problem.reference(),
              std::to_string(c.rows) + " rows, " + request.text());
}

/// Whole numbers, whose sums are exact in f32: one wrong element of a fragment shows.
TEST_P(GemmTest, EveryAtomIsExact) {
  H harness(GetParam());
  int atoms = 0;
  for (auto [element, type] : types)
    for (const tile::MmaAtom *atom : warpAtoms(GetParam(), type)) {
      LinearCase c{.rows = 2 * atom->m + 3,
                   .n = 3 * atom->n + 5,
                   .k = std::max(64, 3 * atom->k),
                   .x = element,
                   .w = element,
                   .y = "f32",
                   .whole = true};
      LinearProblem problem(c, uint64_t(++atoms));
      int depth = std::min(2 * atom->k, 128); // one block of scales at most
      lowering::KernelRequest request = requestFor(problem, *atom, {2 * atom->m, 4 * atom->n, depth}, 1, 2);
      expectEqual(problem.run(harness, request), HostTensor::of("f32", problem.reference()), request.text());
      auto compiled =
          lowering::compileKernel(request, harness.codeTarget(), {{lowering::KernelStage::Assembly}});
      ASSERT_TRUE(compiled.ok());
      // Nothing else made the product: two rows and two columns of instructions for a warp, two steps along
      // k.
      const std::string &text = compiled->texts[lowering::KernelStage::Assembly], name = instruction(*atom);
      int instructions = 0;
      for (size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + 1))
        ++instructions;
      EXPECT_EQ(instructions, 4 * depth / atom->k) << request.text();
    }
  EXPECT_GE(atoms, 2) << "bf16 and f16 at least";
}

TEST_P(GemmTest, Rows) {
  H harness(GetParam());
  const tile::MmaAtom &atom = *warpAtoms(GetParam(), ElementType::BF16).back();
  for (int rows : {1, 3, 17, 64})
    check(harness, {.rows = rows, .n = 96, .k = 160, .bias = true}, uint64_t(rows), atom, {32, 64, 32}, 2, 2);
}

/// Square; ragged in every size, with rows further apart than they are long; a long sum.
TEST_P(GemmTest, Shapes) {
  H harness(GetParam());
  const tile::MmaAtom &bf16 = *warpAtoms(GetParam(), ElementType::BF16).front(),
                      &f16 = *warpAtoms(GetParam(), ElementType::F16).front();
  check(harness, {.rows = 64, .n = 64, .k = 64}, 1, bf16, {64, 64, 64}, 2, 2);
  LinearCase ragged{
      .rows = 37, .n = 45, .k = 72, .bias = true, .x = "f16", .w = "f16", .b = "f32", .y = "f32"};
  ragged.xPadding = 48, ragged.yPadding = 9;
  check(harness, ragged, 2, f16, {32, 32, 64}, 1, 1);
  check(harness, {.rows = 5, .n = 33, .k = 1536, .y = "f32"}, 3, bf16, {32, 32, 64}, 1, 1);
}

/// Tiles of sizes that are no powers of two.
TEST_P(GemmTest, Repeats) {
  H harness(GetParam());
  const tile::MmaAtom &atom = *warpAtoms(GetParam(), ElementType::BF16).back();
  check(harness, {.rows = 50, .n = 200, .k = 64}, 4, atom, {48, 96, 32}, 1, 2);
}

TEST_P(GemmTest, BlockScales) {
  H harness(GetParam());
  for (auto [element, type] : types) {
    if (elementBits(type) != 8)
      continue;
    for (const tile::MmaAtom *atom : warpAtoms(GetParam(), type)) {
      check(harness, {.rows = 19, .n = 140, .k = 256, .bias = true, .x = element, .w = element, .y = "f32"},
            5, *atom, {32, 64, 128}, 1, 2);
      check(harness, {.rows = 3, .n = 130, .k = 256, .x = element, .w = element}, 6, *atom, {32, 32, 128}, 1,
            1);
    }
  }
}

/// Weights in fp8, mathematics in bf16.
TEST_P(GemmTest, ScaledWeights) {
  H harness(GetParam());
  const tile::MmaAtom &atom = *warpAtoms(GetParam(), ElementType::BF16).front();
  check(harness, {.rows = 19, .n = 140, .k = 256, .w = "f8E4M3FN", .y = "f32"}, 7, atom, {32, 64, 64}, 1, 2);
  check(harness, {.rows = 2, .n = 20, .k = 200, .w = "f8E4M3FNUZ"}, 8, atom, {32, 32, 32}, 1, 1);
}

/// Rows in the order of their matrices: gathered from x, products by groups, scattered to y. More experts
/// than groups are full, some without a row, one with several groups.
TEST_P(GemmTest, Grouped) {
  H harness(GetParam());
  const tile::MmaAtom &atom = *warpAtoms(GetParam(), ElementType::BF16).back();
  check(harness, {.rows = 120, .n = 72, .k = 96, .y = "f32", .experts = 3, .share = 4, .grouped = true}, 10,
        atom, {32, 32, 32}, 1, 2);
  check(harness, {.rows = 9, .n = 40, .k = 64, .experts = 7, .share = 3, .grouped = true}, 11, atom,
        {32, 32, 64}, 1, 2);
  for (auto [element, type] : types)
    if (elementBits(type) == 8 && !warpAtoms(GetParam(), type).empty())
      check(harness,
            {.rows = 50,
             .n = 136,
             .k = 256,
             .x = element,
             .w = element,
             .y = "f32",
             .experts = 2,
             .grouped = true},
            12, *warpAtoms(GetParam(), type).back(), {32, 64, 128}, 1, 2);
}

/// A row alone in its tile: of fewer rows than the tile has, and of more.
TEST_P(GemmTest, SingleRowsOfExperts) {
  H harness(GetParam());
  for (auto [element, type] : types)
    for (const tile::MmaAtom *atom : warpAtoms(GetParam(), type)) {
      const bool scaled = elementBits(type) == 8;
      LinearCase c{
          .rows = 6, .n = 136, .k = 256, .x = element, .w = element, .y = "f32", .experts = 5, .share = 3};
      c.whole = c.single = true;
      c.yPadding = 5;
      LinearProblem problem(c, 30);
      lowering::KernelRequest request =
          requestFor(problem, *atom, {atom->m, 4 * atom->n, scaled ? 128 : 2 * atom->k}, 1, 2);
      expectEqual(problem.run(harness, request), HostTensor::of("f32", problem.reference()), request.text());
    }
  const tile::MmaAtom &atom = *warpAtoms(GetParam(), ElementType::BF16).front();
  LinearCase weights{.rows = 35, .n = 40, .k = 200, .w = "f8E4M3FN", .experts = 4};
  weights.single = true;
  check(harness, weights, 31, atom, {32, 32, 32}, 1, 1);
}

/// The masked form: a fixed capacity for each expert, of which the first places are taken. It is an
/// arrangement like any other, so that the linear needs nothing for it.
TEST_P(GemmTest, FixedCapacityOfExperts) {
  H harness(GetParam());
  constexpr int capacity = 64, matrices = 3, round = LinearProblem::round, n = 72, k = 96;
  const int counts[matrices] = {33, 0, 64}; // one group and a row, nothing, all
  LinearCase c{.rows = capacity * matrices, .n = n, .k = k, .y = "f32", .experts = matrices, .grouped = true};
  LinearProblem problem(c, 32);
  std::vector<int32_t> slots, groups;
  for (int e = 0; e < matrices; ++e)
    for (int place = 0; place < capacity; ++place) {
      problem.indices[slots.size()] = e;
      if (place % round == 0)
        groups.push_back(place < counts[e] ? e : -1);
      slots.push_back(place < counts[e] ? int32_t(slots.size()) : -1);
    }
  const tile::MmaAtom &atom = *warpAtoms(GetParam(), ElementType::BF16).back();
  auto dx = harness.upload(problem.x), dw = harness.upload(problem.w);
  auto ds = harness.upload(slots), dg = harness.upload(groups);
  auto y = harness.output("f32", slots.size() * n);
  const double sentinel = harness.download(y)[0];
  harness.launch(requestFor(problem, atom, {32, 32, 32}, 1, 2),
                 {H::argument(dx), H::none(), H::argument(dw), H::none(), H::none(), H::argument(ds),
                  H::argument(dg), H::argument(y), H::argument(int32_t(slots.size()))});
  const HostTensor all = harness.download(y);
  const std::vector<double> reference = problem.reference();
  HostTensor got{"f32", {}};
  std::vector<double> want;
  for (size_t place = 0; place < slots.size(); ++place)
    for (size_t column = place * n; column < (place + 1) * n; ++column)
      if (slots[place] < 0) {
        EXPECT_EQ(all[column], sentinel) << "place " << place << " is empty";
      } else {
        got.values.push_back(all[column]);
        want.push_back(reference[column]);
      }
  expectClose(got, want, "fixed capacity");
}

/// Rows do not depend on what other rows there are.
TEST_P(GemmTest, RowsAreIndependent) {
  H harness(GetParam());
  const tile::MmaAtom &atom = *warpAtoms(GetParam(), ElementType::BF16).back();
  LinearProblem many({.rows = 33, .n = 40, .k = 192, .y = "f32"}, 9);
  lowering::KernelRequest request = requestFor(many, atom, {32, 32, 64}, 1, 2);
  many.expectRowsIndependent(harness, request);
}

QUERN_INSTANTIATE_KERNEL_TEST_ON(GemmTest, quern::test::emulatedTargets());

} // namespace
