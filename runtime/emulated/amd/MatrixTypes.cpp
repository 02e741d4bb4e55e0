//===- MatrixTypes.cpp - Values of the small formats ----------------------===//
//
// See MatrixTypes.h. E2M3, E3M2 and E2M1 have no infinities and no NaN ("OCP Microscaling Formats (MX)
// Specification", 5.3).
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/MatrixTypes.h"

namespace quern::runtime::emulated::amd {
namespace {

float finiteCode(unsigned code, unsigned exponentBits, unsigned fractionBits, int bias) {
  unsigned fraction = code & ((1u << fractionBits) - 1);
  unsigned exponent = code >> fractionBits & ((1u << exponentBits) - 1);
  int scale = (exponent ? int(exponent) : 1) - bias - int(fractionBits);
  float magnitude = std::ldexp(float(exponent ? fraction | 1u << fractionBits : fraction), scale);
  return code >> (exponentBits + fractionBits) & 1 ? -magnitude : magnitude;
}

std::array<float, 256> tableOf(MatrixType type, bool fnuz) {
  std::array<float, 256> table{};
  for (unsigned code = 0; code < 256; ++code)
    switch (type) {
    case MatrixType::Fp8:
      table[code] = float8ToFloat(uint8_t(code), fnuz ? kE4M3Fnuz : kE4M3);
      break;
    case MatrixType::Bf8:
      table[code] = float8ToFloat(uint8_t(code), fnuz ? kE5M2Fnuz : kE5M2);
      break;
    case MatrixType::Fp6:
      table[code] = finiteCode(code & 63, 2, 3, 1);
      break;
    case MatrixType::Bf6:
      table[code] = finiteCode(code & 63, 3, 2, 3);
      break;
    case MatrixType::Fp4:
      table[code] = finiteCode(code & 15, 2, 1, 1);
      break;
    default:
      break;
    }
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
