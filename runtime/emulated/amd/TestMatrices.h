//===- TestMatrices.h - Matrix instructions with data for tests -----------===//
//
// Every matrix instruction with its shape, types and layouts, and random problems for it. The layouts are
// written as the bits of the manuals' tables: which bit of row (i), column (j), k and block (b) each bit of
// the item number and of the lane number is.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_AMD_TESTMATRICES_H
#define QUERN_RUNTIME_EMULATED_AMD_TESTMATRICES_H

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace quern::runtime::emulated::amd {

/// "i0 i1 k2": the coordinate bits of the bits of a number, lowest first; "-" for a bit that repeats the
/// element.
struct Layout {
  std::string items, lanes;
  unsigned itemCount() const;
};
struct Coordinate {
  unsigned i = 0, j = 0, k = 0, b = 0;
  unsigned &of(char name) { return name == 'i' ? i : name == 'j' ? j : name == 'k' ? k : b; }
};
/// The coordinate that an item of a lane holds.
Coordinate coordinateAt(const Layout &layout, unsigned item, unsigned lane);
/// The layout of B that is like |layout| of A.
Layout forColumns(Layout layout);

/// An element type: its bits, and numbers for it.
struct Element {
  unsigned bits;
  std::function<uint64_t(std::mt19937 &, bool)> code; ///< random code; with true of a small integer
  std::function<double(uint64_t)> value;
};

/// One instruction: its shape, types and layouts. B is laid out as A with j for i, unless |b| says else.
struct Shape {
  std::string name;
  unsigned m, n, k, blocks;
  std::string typeA, typeB, typeD;
  Layout a, d;
  std::string targets;     ///< those that have it
  std::string suffix = {}; ///< modifiers
  Layout b = {};
};
std::vector<Shape> mfmaShapes();
std::vector<Shape> wmmaShapes();
const Shape &shapeOf(const std::vector<Shape> &shapes, const std::string &name, const std::string &target);

/// One instruction to run: its text and its inputs, as registers by lanes. They stand in registers from v16
/// (A), v48 (B) and v64 (C) on, and in v112 and v113 (scales). D is read from v128 on, or from a0 on with
/// |accumulation| (then C is there as well).
struct MatrixJob {
  std::string text;
  std::vector<std::vector<uint32_t>> inputs;
  unsigned outputs;
  bool accumulation = false;
};
/// Runs all jobs, one after the other in one kernel; returns the registers of D, by lanes.
std::vector<std::vector<uint32_t>> runMatrices(const std::string &target, const std::vector<MatrixJob> &jobs);

/// "v[16:19]", or "v16" for one register.
std::string registers(const char *file, unsigned first, unsigned count);

/// Random matrices of a shape, laid out.
struct Problem {
  const Shape &shape;
  Element a, b, d;
  unsigned width;
  std::vector<std::vector<uint64_t>> left, right, start; ///< by block: [i * k + k], [j * k + k], [i * n + j]
  std::vector<uint32_t> packedA, packedB, packedC;

  Problem(const Shape &shape, const std::string &target, unsigned seed, bool small);
  unsigned outputs() const { return unsigned(packedC.size() / width); }
  unsigned registersOf(const std::vector<uint32_t> &words) const { return unsigned(words.size() / width); }
  /// The instruction with |c| (its own registers where empty) and |modifiers|, on all three inputs.
  MatrixJob job(const std::string &modifiers = "", const std::string &c = "",
                bool accumulation = false) const;

  /// Compares |out| with the sums; |factor| scales the product of (i, j, k), |blockOfA| replaces A's block.
  /// Sums of small integers are exact in any order and must be equal (|exact|); others are within the
  /// rounding of their terms.
  void check(const std::vector<uint32_t> &out, bool exact, const std::string &what,
             const std::function<double(unsigned, unsigned, unsigned)> &factor = nullptr,
             const std::function<unsigned(unsigned)> &blockOfA = nullptr) const;
};

} // namespace quern::runtime::emulated::amd

#endif // QUERN_RUNTIME_EMULATED_AMD_TESTMATRICES_H
