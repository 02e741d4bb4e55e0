//===- MatrixFragments.h - Who holds which element of a matrix operand ----===//
//
// The fragments of mma.sync (PTX ISA 9.0, section 9.7.14.5): for each shape and width of the factors'
// elements, the row and column of the i-th element of each lane, as the manual's formulas give them. The
// formulas are written out here one by one, apart from every other table of the project.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_MATRIXFRAGMENTS_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_MATRIXFRAGMENTS_H

#include <cstdint>
#include <span>

namespace quern::runtime::emulated::nvidia {

struct MatrixPlace {
  uint32_t row, column;
};

/// The place of element |i| of |lane|; elements are counted from the low end of the first register.
using MatrixRule = MatrixPlace (*)(uint32_t lane, uint32_t i);

struct MatrixShape {
  uint32_t m, n, k;
  uint32_t bits; ///< that one element of A or B takes in a register
  MatrixRule a;  ///< (row of m, column of k)
  MatrixRule b;  ///< (row of k, column of n)
  MatrixRule c;  ///< (row of m, column of n)
  const char *section;

  uint32_t elementsA() const { return m * k / 32; }
  uint32_t elementsB() const { return k * n / 32; }
  uint32_t elementsC() const { return m * n / 32; }
  /// 32-bit registers of a lane.
  uint32_t registersA() const { return elementsA() * bits / 32; }
  uint32_t registersB() const { return elementsB() * bits / 32; }
};

/// Every shape that is modelled; the index of a shape is its number in translated code.
std::span<const MatrixShape> matrixShapes();

} // namespace quern::runtime::emulated::nvidia

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_MATRIXFRAGMENTS_H
