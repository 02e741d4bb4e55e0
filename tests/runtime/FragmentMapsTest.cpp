//===- FragmentMapsTest.cpp - Two tables of fragments against each other ----===//
//
// The compiler's atoms (dialects/tile/atoms) and the emulated devices (runtime/emulated) each say, written
// apart from manuals, which lane holds which element of a matrix operand. This compares every atom that a
// warp issues on its registers with the emulated device's rule, element by element.
//
// Atoms may number k in another order than the manual, the same for A and B, since a sum does not depend on
// it: the test derives that order from A and holds B to it.
//
//===----------------------------------------------------------------------===//
#include "dialects/tile/Atoms.h"
#include "runtime/emulated/amd/MatrixFragments.h"
#include "runtime/emulated/nvidia/MatrixFragments.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>

using namespace quern;
using namespace quern::tile;
using namespace quern::runtime::emulated;

namespace {

/// k of the atom -> k of the manual; every use must agree, and no two may share one.
class OrderOfK {
public:
  void meet(int32_t ours, int32_t theirs, const std::string &where) {
    auto [it, fresh] = order.try_emplace(ours, theirs);
    ASSERT_EQ(it->second, theirs) << where << ": k " << ours;
    if (fresh)
      ASSERT_TRUE(inverse.try_emplace(theirs, ours).second) << where << ": k " << theirs << " twice";
  }

private:
  std::map<int32_t, int32_t> order, inverse;
};

bool isWarpAtom(const MmaAtom &atom) {
  return atom.issuer == Issuer::Warp && atom.a.hasFragment() && atom.b.hasFragment() && atom.c.hasFragment();
}

/// Calls body(lane, item, coordinate) for every register of every lane of |operand|.
void forEach(const MmaOperand &operand,
             const std::function<void(int32_t, int32_t, const Coordinate &)> &body) {
  for (int32_t lane = 0; lane < operand.layout.numLanes(); ++lane)
    for (int32_t item = 0; item < operand.layout.numRegisters(); ++item)
      body(lane, item, operand.layout.apply(item, lane, 0));
}

TEST(FragmentMaps, NvidiaAtomsAreThoseOfTheEmulatedDevice) {
  int compared = 0;
  for (const TargetInfo &target : knownTargets()) {
    if (target.vendor != "nvidia")
      continue;
    for (const MmaAtom &atom : atomTable(target).mma) {
      if (!isWarpAtom(atom))
        continue;
      const std::string where = std::string(target.architecture) + " " + atom.name;
      const nvidia::MatrixShape *shape = nullptr;
      for (const nvidia::MatrixShape &candidate : nvidia::matrixShapes())
        if (int32_t(candidate.m) == atom.m && int32_t(candidate.n) == atom.n &&
            int32_t(candidate.k) == atom.k && int32_t(candidate.bits) == int32_t(elementBits(atom.a.type)))
          shape = &candidate;
      ASSERT_TRUE(shape) << where;
      OrderOfK order;
      forEach(atom.a, [&](int32_t lane, int32_t item, const Coordinate &at) {
        nvidia::MatrixPlace place = shape->a(uint32_t(lane), uint32_t(item));
        ASSERT_EQ(at[0], int32_t(place.row)) << where << ", A of lane " << lane << ", element " << item;
        order.meet(at[1], int32_t(place.column), where + ", A");
      });
      forEach(atom.b, [&](int32_t lane, int32_t item, const Coordinate &at) {
        nvidia::MatrixPlace place = shape->b(uint32_t(lane), uint32_t(item));
        ASSERT_EQ(at[0], int32_t(place.column)) << where << ", B of lane " << lane << ", element " << item;
        order.meet(at[1], int32_t(place.row), where + ", B");
      });
      forEach(atom.c, [&](int32_t lane, int32_t item, const Coordinate &at) {
        nvidia::MatrixPlace place = shape->c(uint32_t(lane), uint32_t(item));
        ASSERT_EQ(at, (Coordinate{int32_t(place.row), int32_t(place.column)}))
            << where << ", C of lane " << lane << ", element " << item;
      });
      ++compared;
    }
  }
  EXPECT_GE(compared, 10);
}

/// The emulated device's rules for one atom: (row or column, k) -> place.
struct AmdRules {
  std::function<amd::Place(unsigned, unsigned)> input, output;
};

AmdRules amdRules(const TargetInfo &target, const MmaAtom &atom) {
  const auto m = unsigned(atom.m), n = unsigned(atom.n), k = unsigned(atom.k);
  const unsigned bits = unsigned(elementBits(atom.a.type));
  if (atom.name.starts_with("mfma")) {
    // f8f6f4: the 8-bit forms that take twice the registers.
    const bool byRuns = bits == 8 && m * k / 64 == 32;
    return {[=](unsigned row, unsigned column) {
              return byRuns ? amd::mfmaInputByRuns(m, row, column) : amd::mfmaInput(m, k, 1, row, column, 0);
            },
            [=](unsigned row, unsigned column) { return amd::mfmaOutput(m, n, 4, row, column, 0); }};
  }
  if (target.architecture.starts_with("gfx11"))
    return {amd::wmma11Input, amd::wmma11Output};
  return {[=](unsigned row, unsigned column) { return amd::wmma12Input(k, bits, row, column); },
          amd::wmma12Output};
}

TEST(FragmentMaps, AmdAtomsAreThoseOfTheEmulatedDevice) {
  int compared = 0;
  for (const TargetInfo &target : knownTargets()) {
    if (target.vendor != "amd")
      continue;
    for (const MmaAtom &atom : atomTable(target).mma) {
      if (!isWarpAtom(atom))
        continue;
      const std::string where = std::string(target.architecture) + " " + atom.name;
      const AmdRules rules = amdRules(target, atom);
      OrderOfK order;
      for (auto [operand, rows] : {std::pair{&atom.a, atom.m}, {&atom.b, atom.n}}) {
        std::map<std::pair<unsigned, unsigned>, std::pair<unsigned, unsigned>> holds; // lane, item -> row, k
        for (unsigned row = 0; row < unsigned(rows); ++row)
          for (unsigned column = 0; column < unsigned(atom.k); ++column) {
            amd::Place place = rules.input(row, column);
            holds[{place.lane, place.item}] = {row, column};
          }
        const auto lanes = unsigned(operand->layout.numLanes()), half = lanes / 2;
        forEach(*operand, [&](int32_t lane, int32_t item, const Coordinate &at) {
          auto found = holds.find({unsigned(lane), unsigned(item)});
          if (found == holds.end()) // the upper lanes of gfx11 repeat the lower ones
            found = holds.find({unsigned(lane) - half, unsigned(item)});
          ASSERT_TRUE(found != holds.end()) << where << ", lane " << lane << ", element " << item;
          ASSERT_EQ(at[0], int32_t(found->second.first))
              << where << ", lane " << lane << ", element " << item;
          order.meet(at[1], int32_t(found->second.second), where);
        });
      }
      forEach(atom.c, [&](int32_t lane, int32_t item, const Coordinate &at) {
        amd::Place place = rules.output(unsigned(at[0]), unsigned(at[1]));
        ASSERT_EQ(int32_t(place.lane), lane) << where << ", C of row " << at[0] << ", column " << at[1];
        ASSERT_EQ(int32_t(place.item), item) << where << ", C of row " << at[0] << ", column " << at[1];
      });
      ++compared;
    }
  }
  EXPECT_GE(compared, 15);
}

} // namespace
