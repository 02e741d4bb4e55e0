//===- NanReport.h - Numbers that become NaN in eight bits -----------------===//
//
// With the checks on, a conversion that makes a NaN of a number (it is past the largest of the format and
// MODE does not saturate) is a finding; a NaN that stays one is not.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_AMD_NANREPORT_H
#define QUERN_RUNTIME_EMULATED_AMD_NANREPORT_H

#include "runtime/emulated/amd/Block.h"
#include "runtime/emulated/amd/Wave.h"

namespace quern::runtime::emulated::amd {

/// |x| became |code| in |lane|.
inline void reportNan(Wave &wave, unsigned lane, double x, uint32_t code, const SmallFormat &format) {
  if (!isNan(x) && !format.finite && (wave.mask(scalar::Exec) >> lane & 1) &&
      wave.block.launch.options->sanitize && isNan(smallToFloat(uint8_t(code), format)))
    wave.fault("nan", std::to_string(x) + " is past the largest number of the format", lane);
}

} // namespace quern::runtime::emulated::amd

#endif // QUERN_RUNTIME_EMULATED_AMD_NANREPORT_H
