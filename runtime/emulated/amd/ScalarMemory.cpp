//===- ScalarMemory.cpp - Scalar loads ------------------------------------===//
//
// s_load and s_buffer_load. Scalar loads complete in any order, so only a wait for none of them delivers.
// CDNA3 manual, chapter "Scalar memory operations"; RDNA4 manual for the sub-dword forms. Buffer loads past
// num_records give zero.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/HandlerTable.h"
#include "runtime/emulated/amd/InstructionCounts.h"
#include "runtime/emulated/amd/MemoryAccess.h"

#include <cstring>

namespace quern::runtime::emulated::amd {
namespace {

/// Instruction::immediate: bytes in 7:0, sign extension in 8, buffer in 9.
void scalarLoad(Wave &wave, const Instruction &in) {
  unsigned bytes = in.immediate & 0xff, dwords = std::max(1u, bytes / 4);
  bool signExtend = in.immediate >> 8 & 1, buffer = in.immediate >> 9 & 1;
  const Operand &base = in.operands[1];
  uint64_t offset = uint64_t(int64_t(in.offset));
  if (in.operandCount > 2) {
    const Operand &op = in.operands[2];
    offset +=
        op.kind == OperandKind::Constant ? uint64_t(int64_t(int32_t(op.bits))) : uint64_t(wave.read32(op));
  }
  uint64_t address = wave.wide(base.index), limit = ~uint64_t(0);
  if (buffer) {
    address &= 0xffffffffffffull;
    uint32_t stride = wave.scalars[base.index + 1] >> 16 & 0x3fff;
    limit = uint64_t(wave.scalars[base.index + 2]) * (stride ? stride : 1);
  }
  Outstanding operation{.counter = Counter::ScalarLoad};
  operation.first = in.operands[0].index;
  operation.dwords = in.operands[0].kind == OperandKind::Scalar ? uint8_t(dwords) : 0;
  operation.data.assign(dwords, 0);
  if (bytes >= 4) { // the low address bits are ignored
    address &= ~uint64_t(3);
    offset &= ~uint64_t(3);
  }
  if (!buffer) {
    if (!readable(wave, address + offset, bytes)) {
      wave.fault("out-of-bounds", "scalar load of " + std::to_string(bytes) +
                                      " bytes outside every buffer, address " +
                                      std::to_string(address + offset));
      return;
    }
    std::memcpy(operation.data.data(), reinterpret_cast<const void *>(address + offset), bytes);
  } else {
    for (unsigned done = 0; done < bytes;) {
      unsigned part = std::min(bytes - done, 4u);
      uint64_t at = offset + done;
      if (at + part <= limit) {
        if (!readable(wave, address + at, part)) {
          wave.fault("out-of-bounds",
                     "scalar buffer load outside every buffer, address " + std::to_string(address + at));
          return;
        }
        std::memcpy(&operation.data[done / 4], reinterpret_cast<const void *>(address + at), part);
      }
      done += part;
    }
  }
  if (signExtend)
    operation.data[0] = bytes == 1 ? uint32_t(int32_t(int8_t(operation.data[0])))
                                   : uint32_t(int32_t(int16_t(operation.data[0])));
  if (wave.block.counts)
    wave.block.counts->counters.globalPiece(false, address + offset, bytes);
  wave.globalLoadBytes += bytes;
  wave.issue(std::move(operation));
}

} // namespace

void HandlerTable::addScalarMemory() {
  static const struct {
    const char *oldName, *newName;
    uint32_t bytes;
    bool signExtend;
  } forms[] = {{"dword", "b32", 4, false},     {"dwordx2", "b64", 8, false},
               {"dwordx3", "b96", 12, false},  {"dwordx4", "b128", 16, false},
               {"dwordx8", "b256", 32, false}, {"dwordx16", "b512", 64, false},
               {"u8", "u8", 1, false},         {"i8", "i8", 1, true},
               {"u16", "u16", 2, false},       {"i16", "i16", 2, true}};
  for (auto &[oldName, newName, bytes, signExtend] : forms)
    for (const char *name : {oldName, newName}) {
      add(std::string("s_load_") + name,
          {scalarLoad, Unit::Scalar, 1, false, bytes | uint32_t(signExtend) << 8});
      add(std::string("s_buffer_load_") + name,
          {scalarLoad, Unit::Scalar, 1, false, bytes | uint32_t(signExtend) << 8 | 1 << 9});
    }
}

} // namespace quern::runtime::emulated::amd
