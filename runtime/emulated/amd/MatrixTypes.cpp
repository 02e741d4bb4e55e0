//===- MatrixTypes.cpp - Values of the small formats ----------------------===//
//
// See MatrixTypes.h.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/MatrixTypes.h"

namespace quern::runtime::emulated::amd {
namespace {

std::array<float, 256> tableOf(MatrixType type, bool fnuz) {
  const SmallFormat &format = type == MatrixType::Fp8   ? (fnuz ? kE4M3Fnuz : kE4M3)
                              : type == MatrixType::Bf8 ? (fnuz ? kE5M2Fnuz : kE5M2)
                              : type == MatrixType::Fp6 ? kE2M3
                              : type == MatrixType::Bf6 ? kE3M2
                                                        : kE2M1;
  std::array<float, 256> table{};
  for (unsigned code = 0; code < 1u << bitsOf(type); ++code)
    table[code] = smallToFloat(uint8_t(code), format);
  return table;
}

} // namespace

const std::array<float, 256> &codeValues(MatrixType type, bool fnuz) {
  static const std::array<float, 256> tables[2][5] = {
      {tableOf(MatrixType::Fp8, false), tableOf(MatrixType::Bf8, false), tableOf(MatrixType::Fp6, false),
       tableOf(MatrixType::Bf6, false), tableOf(MatrixType::Fp4, false)},
      {tableOf(MatrixType::Fp8, true), tableOf(MatrixType::Bf8, true), tableOf(MatrixType::Fp6, true),
       tableOf(MatrixType::Bf6, true), tableOf(MatrixType::Fp4, true)}};
  return tables[fnuz][unsigned(type) - unsigned(MatrixType::Fp8)];
}

} // namespace quern::runtime::emulated::amd
