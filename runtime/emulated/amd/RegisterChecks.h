//===- RegisterChecks.h - Registers read too early, or never written -------===//
//
// With the checks on, a wave remembers for each vector register which lanes anything has written, and when a
// matrix instruction's result may be read.
//
//   uninitialised  an address, stored data (global and local memory) or a matrix operand that nothing has
//   written;
//                  other instructions may pass on what a compiler knows to be unused
//   hazard         CDNA does not interlock reads of MFMA results by vector, memory and other matrix
//   instructions (as
//                  A or B): the program puts independent instructions or s_nop between. The manuals'
//                  "Manually inserted wait states" ask for passes + 2 of them after f32 and f64, passes + 3
//                  after the others; a pass is 4 clocks. C of a following MFMA is interlocked or needs less
//                  and is not looked at; nor are the hazards that the assembler's own table of the target
//                  holds for single instructions.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_AMD_REGISTERCHECKS_H
#define QUERN_RUNTIME_EMULATED_AMD_REGISTERCHECKS_H

#include "runtime/emulated/amd/Instruction.h"

#include <cstdint>
#include <vector>

namespace quern::runtime::emulated::amd {

class Wave;

class RegisterChecks {
public:
  /// |rows| 0: off.
  explicit RegisterChecks(unsigned rows) : written(rows), readyAt(rows) {}

  void markWritten(unsigned row, uint64_t lanes) {
    if (row < written.size())
      written[row] |= lanes;
  }
  /// Before |in| runs; false after a finding.
  bool check(Wave &wave, const Instruction &in);
  /// After |in| has run.
  void record(Wave &wave, const Instruction &in);

private:
  std::vector<uint64_t> written, readyAt; ///< per row: lanes; count of wait states
  uint64_t states = 0, lastReady = 0;
  bool indexed = false; ///< registers are written by computed numbers: nothing is known of them
};

} // namespace quern::runtime::emulated::amd

#endif // QUERN_RUNTIME_EMULATED_AMD_REGISTERCHECKS_H
