//===- RegisterChecks.cpp - Registers read too early, or never written -----===//
//
// See RegisterChecks.h.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/RegisterChecks.h"

#include "runtime/emulated/amd/Block.h"
#include "runtime/emulated/amd/Wave.h"

namespace quern::runtime::emulated::amd {
namespace {

std::string registerName(unsigned row) {
  bool accumulation = row >= kAccumulationBase;
  return (accumulation ? "a" : "v") + std::to_string(accumulation ? row - kAccumulationBase : row);
}

/// Whether the value of operand |index| matters to the outside: addresses, data that others see, matrices.
bool mustBeWritten(const Instruction &in, unsigned index) {
  if (in.matrixPasses || in.waveMatrix)
    return true;
  if (in.unit != Unit::Memory && in.unit != Unit::Local)
    return false;
  // Data of private stores may be a register that is saved for a caller.
  bool shared = in.text.starts_with("global_") || in.text.starts_with("ds_");
  bool lanesOnly = in.text.starts_with("ds_bpermute") || in.text.starts_with("ds_permute") ||
                   in.text.starts_with("ds_swizzle");
  bool buffer = in.text.starts_with("buffer_");
  bool store = in.text.find("_store") != std::string::npos || in.text.find("_write") != std::string::npos;
  unsigned address = in.destinations + (buffer && store ? 1u : 0u);
  return index == address ? !lanesOnly || !in.text.starts_with("ds_swizzle") : shared && !lanesOnly;
}

} // namespace

bool RegisterChecks::check(Wave &wave, const Instruction &in) {
  if (written.empty() || (in.unit != Unit::Vector && in.unit != Unit::Memory && in.unit != Unit::Local))
    return true;
  bool hazards = lastReady > states, values = !indexed && wave.block.launch.options->uninitialised;
  bool outside = in.unit != Unit::Vector || in.matrixPasses || in.waveMatrix;
  if (!hazards && !(values && outside))
    return true;
  for (unsigned i = 0; i < in.operandCount; ++i) {
    const Operand &op = in.operands[i];
    if (op.kind != OperandKind::Vector)
      continue;
    // C goes on at once; what a load writes arrives late enough.
    bool exempt = in.matrixPasses ? i == 0 || i == 3 : i < in.destinations && in.unit != Unit::Vector;
    bool looks = values && outside && i >= in.destinations && mustBeWritten(in, i);
    uint64_t lanes = in.matrixPasses || in.waveMatrix ? wave.initialExec : wave.mask(scalar::Exec);
    for (unsigned row = op.index; row < unsigned(op.index) + op.dwords && row < written.size(); ++row) {
      if (hazards && !exempt && readyAt[row] > states) [[unlikely]] {
        wave.fault("hazard", std::string(i < in.destinations ? "writes " : "reads ") + registerName(row) +
                                 " " + std::to_string(readyAt[row] - states) +
                                 " wait states before the matrix instruction that writes it is done");
        return false;
      }
      if (looks && (lanes & ~written[row])) [[unlikely]] {
        unsigned lane = unsigned(__builtin_ctzll(lanes & ~written[row]));
        wave.fault("uninitialised", registerName(row) + " is read before anything has written it", lane);
        return false;
      }
    }
  }
  return true;
}

void RegisterChecks::record(Wave &wave, const Instruction &in) {
  if (written.empty())
    return;
  // s_nop N stands for N + 1 wait states; everything else for one.
  states += in.waitStates;
  if (in.unit != Unit::Vector && in.unit != Unit::Memory && in.unit != Unit::Local)
    return;
  indexed |= wave.indexing || in.relativeRegisters;
  bool whole = in.matrixPasses || in.waveMatrix || in.writesLane;
  uint64_t lanes = whole ? ~uint64_t(0) : wave.mask(scalar::Exec);
  for (unsigned i = 0; i < in.destinations; ++i) {
    const Operand &op = in.operands[i];
    if (op.kind != OperandKind::Vector)
      continue;
    for (unsigned row = op.index; row < unsigned(op.index) + op.dwords && row < written.size(); ++row) {
      written[row] |= lanes;
      if (in.matrixPasses) {
        readyAt[row] = states + in.matrixPasses + (in.fullMatrix ? 2 : 3);
        lastReady = readyAt[row];
      } else {
        readyAt[row] = 0;
      }
    }
  }
}

} // namespace quern::runtime::emulated::amd
