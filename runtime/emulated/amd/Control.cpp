//===- Control.cpp - Branches, barriers, waits and the mode register ------===//
//
// SOPP and the control part of SOP1/SOPK: CDNA3, RDNA3 and RDNA4 manuals, chapters "Program flow control" and
// "Wait counters". Branch targets are indices into the decoded code; register targets (s_setpc) are host
// addresses of the loaded image and are looked up.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/Block.h"
#include "runtime/emulated/amd/HandlerTable.h"
#include "runtime/emulated/amd/VectorAlu.h"

namespace quern::runtime::emulated::amd {
namespace {

void nothing(Wave &, const Instruction &) {}

void endProgram(Wave &wave, const Instruction &) { wave.signal = Signal::Ended; }

enum Condition { Always, Scc0, Scc1, VccZero, VccNonZero, ExecZero, ExecNonZero };

template <Condition C> void branch(Wave &wave, const Instruction &in) {
  bool taken = true;
  switch (C) {
  case Always:
    break;
  case Scc0:
    taken = !wave.scc;
    break;
  case Scc1:
    taken = wave.scc;
    break;
  case VccZero:
    taken = wave.mask(scalar::Vcc) == 0;
    break;
  case VccNonZero:
    taken = wave.mask(scalar::Vcc) != 0;
    break;
  case ExecZero:
    taken = wave.mask(scalar::Exec) == 0;
    break;
  case ExecNonZero:
    taken = wave.mask(scalar::Exec) != 0;
    break;
  }
  if (taken)
    wave.pc = in.target;
}

uint64_t hostAddress(const Wave &wave, uint32_t index) {
  return wave.block.launch.imageBase + (*wave.block.launch.code)[index].address;
}

void jumpTo(Wave &wave, uint64_t address) {
  const LaunchContext &launch = wave.block.launch;
  uint64_t offset = address - launch.imageBase - launch.textBase;
  if (offset % 4 == 0 && offset / 4 < launch.indexByDword->size()) {
    int32_t index = (*launch.indexByDword)[offset / 4];
    if (index >= 0) {
      wave.pc = uint32_t(index);
      return;
    }
  }
  wave.fault("out-of-bounds", "jump to an address that holds no instruction");
}

void setPc(Wave &wave, const Instruction &in) { jumpTo(wave, wave.read64(in.operands[0])); }
void getPc(Wave &wave, const Instruction &in) { wave.write64(in.operands[0], hostAddress(wave, in.next)); }
void swapPc(Wave &wave, const Instruction &in) {
  uint64_t target = wave.read64(in.operands[1]);
  wave.write64(in.operands[0], hostAddress(wave, in.next));
  jumpTo(wave, target);
}
void call(Wave &wave, const Instruction &in) {
  wave.write64(in.operands[0], hostAddress(wave, in.next));
  wave.pc = in.target;
}

//===-- barriers --------------------------------------------------------------===//

bool checkConverged(Wave &wave) {
  if (!wave.block.launch.options->sanitize || wave.mask(scalar::Exec) == wave.initialExec)
    return true;
  wave.fault("divergence", "a barrier that only some lanes of the wave reach");
  return false;
}

void barrier(Wave &wave, const Instruction &) {
  if (!checkConverged(wave))
    return;
  wave.block.signalBarrier(wave);
  if (wave.signal == Signal::None)
    wave.signal = Signal::Barrier;
}

/// The block's own barrier is number -1; others belong to features that the machine does not model.
bool isBlockBarrier(Wave &wave, const Operand &op) {
  if (op.kind == OperandKind::Constant && int32_t(op.bits) == -1)
    return true;
  wave.notModelled("a barrier other than the block's");
  return false;
}
template <bool ReportsFirst> void barrierSignal(Wave &wave, const Instruction &in) {
  if (!isBlockBarrier(wave, in.operands[0]) || !checkConverged(wave))
    return;
  if (wave.barrierSignals > wave.barrierWaits) {
    wave.fault("deadlock", "signals the barrier again before it has waited for it");
    return;
  }
  if (ReportsFirst)
    wave.scc = wave.block.isFirstSignal(wave);
  wave.block.signalBarrier(wave);
}
void barrierWait(Wave &wave, const Instruction &in) {
  if (uint16_t(in.operands[0].bits) != 0xffff) {
    wave.notModelled("a barrier other than the block's");
    return;
  }
  wave.signal = Signal::Barrier;
}

//===-- waits -------------------------------------------------------------------===//

/// s_waitcnt: |immediate| holds vmcnt, |offset| lgkmcnt, both -1 where absent.
void waitCount(Wave &wave, const Instruction &in) {
  if (in.offset >= 0)
    wave.waitMemory(unsigned(in.offset));
  if (in.offset1 >= 0)
    wave.waitLocal(unsigned(in.offset1), true);
}
unsigned lastConstant(const Instruction &in) {
  return in.operandCount ? unsigned(in.operands[in.operandCount - 1].bits) & 0xffff : 0;
}
void waitLoad(Wave &wave, const Instruction &in) { wave.waitMemory(lastConstant(in)); }
void waitLocal(Wave &wave, const Instruction &in) { wave.waitLocal(lastConstant(in), false); }
void waitScalar(Wave &wave, const Instruction &in) { wave.waitScalar(lastConstant(in)); }
void waitLgkm(Wave &wave, const Instruction &in) { wave.waitLocal(lastConstant(in), true); }
/// s_wait_loadcnt_dscnt: load counter in bits 13:8, local counter in bits 5:0.
void waitLoadLocal(Wave &wave, const Instruction &in) {
  unsigned value = lastConstant(in);
  wave.waitMemory(value >> 8 & 63);
  wave.waitLocal(value & 63, false);
}
void waitStoreLocal(Wave &wave, const Instruction &in) { wave.waitLocal(lastConstant(in) & 63, false); }
void waitIdle(Wave &wave, const Instruction &) {
  wave.waitMemory(0);
  wave.waitLocal(0, false);
  wave.waitScalar(0);
}

//===-- hardware registers --------------------------------------------------------===//

uint32_t modeBits(const Mode &mode) {
  return uint32_t(mode.round32) | uint32_t(mode.round64) << 2 | uint32_t(mode.denormal32) << 4 |
         uint32_t(mode.denormal64) << 6 | uint32_t(mode.clampNan) << 8 | uint32_t(mode.ieee) << 9 |
         uint32_t(mode.saturate16) << 23;
}
void setModeBits(Mode &mode, uint32_t bits) {
  mode.round32 = Rounding(bits & 3);
  mode.round64 = Rounding(bits >> 2 & 3);
  mode.denormal32 = bits >> 4 & 3;
  mode.denormal64 = bits >> 6 & 3;
  mode.clampNan = bits >> 8 & 1;
  mode.ieee = bits >> 9 & 1;
  mode.saturate16 = bits >> 23 & 1;
}

/// |immediate|: register number in bits 5:0, first bit in 10:6, number of bits less one in 15:11 (SOPK
/// encoding).
constexpr unsigned kModeRegister = 1;
uint32_t fieldMask(const Instruction &in) {
  unsigned size = (in.immediate >> 11 & 31) + 1;
  return size == 32 ? ~0u : (1u << size) - 1;
}
void setRegister(Wave &wave, const Instruction &in) {
  unsigned number = in.immediate & 63, shift = in.immediate >> 6 & 31;
  if (number != kModeRegister)
    return; // priorities, traps and the like do not change results
  uint32_t bits = modeBits(wave.mode), mask = fieldMask(in) << shift;
  uint32_t value = wave.read32(in.operands[in.operandCount - 1]);
  bits = (bits & ~mask) | (value << shift & mask);
  bool clampNan = wave.mode.clampNan, ieee = wave.mode.ieee;
  setModeBits(wave.mode, bits);
  if (wave.target.atLeast(Generation::Gfx12)) { // these bits are gone there
    wave.mode.clampNan = clampNan;
    wave.mode.ieee = ieee;
  }
}
void getRegister(Wave &wave, const Instruction &in) {
  unsigned number = in.immediate & 63, shift = in.immediate >> 6 & 31;
  if (number != kModeRegister) {
    wave.notModelled("a hardware register other than MODE");
    return;
  }
  wave.write32(in.operands[0], modeBits(wave.mode) >> shift & fieldMask(in));
}
void roundMode(Wave &wave, const Instruction &in) {
  setModeBits(wave.mode, (modeBits(wave.mode) & ~15u) | (lastConstant(in) & 15));
}
void denormalMode(Wave &wave, const Instruction &in) {
  setModeBits(wave.mode, (modeBits(wave.mode) & ~0xf0u) | (lastConstant(in) & 15) << 4);
}

//===-- relative register numbers (gfx9) --------------------------------------------===//

void indexOn(Wave &wave, const Instruction &in) {
  uint32_t &m0 = wave.scalars[scalar::M0];
  m0 = (m0 & ~0xf0ffu) | (wave.read32(in.operands[0]) & 0xff) | (in.immediate & 15) << 12;
  wave.indexing = true;
}
void indexOff(Wave &wave, const Instruction &) { wave.indexing = false; }
void indexValue(Wave &wave, const Instruction &in) {
  uint32_t &m0 = wave.scalars[scalar::M0];
  m0 = (m0 & ~0xffu) | (wave.read32(in.operands[0]) & 0xff);
}
void indexMode(Wave &wave, const Instruction &in) {
  uint32_t &m0 = wave.scalars[scalar::M0];
  m0 = (m0 & ~0xf000u) | (in.immediate & 15) << 12;
}

void trap(Wave &wave, const Instruction &) { wave.fault("trap", "the program stops itself"); }

/// s_memtime and its kin: a clock that advances with the wave.
void clock(Wave &wave, const Instruction &in) {
  Outstanding load{.counter = Counter::ScalarLoad};
  load.first = in.operands[0].index;
  load.dwords = in.operands[0].kind == OperandKind::Scalar ? in.operands[0].dwords : 0;
  load.data = {uint32_t(wave.instructions * 4), uint32_t(wave.instructions * 4 >> 32)};
  wave.issue(std::move(load));
}

HandlerEntry control(Handler handler, uint8_t destinations = 0) {
  return {handler, Unit::Control, destinations, false, 0};
}

} // namespace

void HandlerTable::addControl() {
  add({"s_nop",
       "s_sleep",
       "s_setprio",
       "s_delay_alu",
       "s_clause",
       "s_code_end",
       "s_inst_prefetch",
       "s_set_inst_prefetch_distance",
       "s_waitcnt_depctr",
       "s_wait_alu",
       "s_icache_inv",
       "s_dcache_inv",
       "s_dcache_wb",
       "s_gl1_inv",
       "s_ttracedata",
       "s_ttracedata_imm",
       "s_sethalt",
       "s_incperflevel",
       "s_decperflevel",
       "v_nop",
       "s_prefetch_inst",
       "s_prefetch_inst_pc_rel",
       "s_prefetch_data",
       "s_prefetch_data_pc_rel",
       "s_buffer_prefetch_data",
       "s_version",
       "s_sleep_var",
       "s_setprio_inc_wg",
       "s_wait_event",
       "s_wait_expcnt",
       "s_wait_samplecnt",
       "s_wait_bvhcnt",
       "s_wait_storecnt",
       "s_waitcnt_vscnt",
       "s_waitcnt_expcnt",
       "buffer_gl0_inv",
       "buffer_gl1_inv",
       "buffer_wbl2",
       "buffer_inv",
       "buffer_invl2",
       "buffer_wbinvl1",
       "buffer_wbinvl1_vol",
       "global_inv",
       "global_wb",
       "global_wbinv",
       "v_pipeflush",
       "s_sendmsg"},
      control(nothing));
  add({"s_endpgm", "s_endpgm_saved"}, control(endProgram));
  add("s_branch", control(branch<Always>));
  add("s_cbranch_scc0", control(branch<Scc0>));
  add("s_cbranch_scc1", control(branch<Scc1>));
  add("s_cbranch_vccz", control(branch<VccZero>));
  add("s_cbranch_vccnz", control(branch<VccNonZero>));
  add("s_cbranch_execz", control(branch<ExecZero>));
  add("s_cbranch_execnz", control(branch<ExecNonZero>));
  add({"s_getpc_b64", "s_get_pc_i64"}, control(getPc, 1));
  add({"s_setpc_b64", "s_set_pc_i64"}, control(setPc));
  add({"s_swappc_b64", "s_swap_pc_i64"}, control(swapPc, 1));
  add({"s_call_b64", "s_call_i64"}, control(call, 1));
  add("s_barrier", control(barrier));
  add("s_barrier_signal", control(barrierSignal<false>));
  add("s_barrier_signal_isfirst", control(barrierSignal<true>));
  add("s_barrier_wait", control(barrierWait));
  add("s_waitcnt", control(waitCount));
  add({"s_waitcnt_vmcnt", "s_wait_loadcnt"}, control(waitLoad));
  add("s_waitcnt_lgkmcnt", control(waitLgkm));
  add("s_wait_dscnt", control(waitLocal));
  add("s_wait_kmcnt", control(waitScalar));
  add("s_wait_loadcnt_dscnt", control(waitLoadLocal));
  add("s_wait_storecnt_dscnt", control(waitStoreLocal));
  add("s_wait_idle", control(waitIdle));
  add({"s_setreg_b32", "s_setreg_imm32_b32"}, control(setRegister));
  add("s_getreg_b32", control(getRegister, 1));
  add("s_round_mode", control(roundMode));
  add("s_denorm_mode", control(denormalMode));
  add("s_set_gpr_idx_on", control(indexOn));
  add("s_set_gpr_idx_off", control(indexOff));
  add("s_set_gpr_idx_idx", control(indexValue));
  add("s_set_gpr_idx_mode", control(indexMode));
  add("s_trap", control(trap));
  add({"s_memtime", "s_memrealtime", "s_sendmsg_rtn_b32", "s_sendmsg_rtn_b64", "s_get_shader_cycles_u64"},
      control(clock, 1));
}

} // namespace quern::runtime::emulated::amd
