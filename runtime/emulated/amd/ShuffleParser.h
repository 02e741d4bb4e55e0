//===- ShuffleParser.h - Reads DPP controls -------------------------------===//
//
// The DPP modifiers of a vector instruction ("row_shr:1 row_mask:0xf bank_mask:0xf bound_ctrl:1") as a table
// of source lanes.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_AMD_SHUFFLEPARSER_H
#define QUERN_RUNTIME_EMULATED_AMD_SHUFFLEPARSER_H

#include "runtime/emulated/amd/Instruction.h"

#include <array>
#include <memory>
#include <string_view>

namespace quern::runtime::emulated::amd {

struct DppModifiers {
  bool present = false, fetchesInactive = false, zeroInvalid = false;
  uint8_t rowMask = 15, bankMask = 15;
  std::array<int8_t, 64> source; ///< once |present|
};

/// Fills the source lanes of one DPP control; false where the token is none. |width| is the wave's.
bool parseShuffle(std::string_view token, unsigned width, DppModifiers &dpp);

std::shared_ptr<const LaneShuffle> makeShuffle(const DppModifiers &dpp);

} // namespace quern::runtime::emulated::amd

#endif // QUERN_RUNTIME_EMULATED_AMD_SHUFFLEPARSER_H
