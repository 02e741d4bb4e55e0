//===- Decoder.cpp - Drives LLVM's disassembler ---------------------------===//
//
// See Decoder.h.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/Decoder.h"

#include "runtime/emulated/amd/Wave.h"

#include <llvm/MC/MCAsmInfo.h>
#include <llvm/MC/MCContext.h>
#include <llvm/MC/MCDisassembler/MCDisassembler.h>
#include <llvm/MC/MCInst.h>
#include <llvm/MC/MCInstPrinter.h>
#include <llvm/MC/MCInstrInfo.h>
#include <llvm/MC/MCRegisterInfo.h>
#include <llvm/MC/MCSubtargetInfo.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Support/raw_ostream.h>

#include <algorithm>
#include <mutex>

namespace quern::runtime::emulated::amd {
namespace {

void notModelled(Wave &wave, const Instruction &) { wave.notModelled("no handler for this instruction"); }
void noInstruction(Wave &wave, const Instruction &) {
  wave.notModelled("these bytes are no instruction of the target");
}

std::string trimmed(const std::string &text) {
  std::string result;
  for (char c : text) // the printer separates with tabs
    result += c == '\t' || c == '\n' ? ' ' : c;
  size_t first = result.find_first_not_of(' '), last = result.find_last_not_of(' ');
  return first == std::string::npos ? std::string() : result.substr(first, last - first + 1);
}

/// SDWA selects that mean nothing; the printer takes them to be impossible. Fields: CDNA3 manual, "SDWA".
bool hasBadSelects(llvm::StringRef opcode, llvm::ArrayRef<uint8_t> bytes) {
  if (!opcode.contains("_sdwa") || bytes.size() < 8)
    return false;
  unsigned source0 = bytes[6] & 7, source1 = bytes[7] & 7, select = bytes[5] & 7, unused = bytes[5] >> 3 & 3;
  return source0 == 7 || source1 == 7 || (!opcode.starts_with("V_CMP") && (select == 7 || unused == 3));
}

/// A three-source encoding of gfx9 that asks for a literal, which it cannot hold; the disassembler takes the
/// error path of a missing operand, which reads freed memory.
bool hasImpossibleLiteral(const TargetFacts &target, llvm::ArrayRef<uint8_t> bytes) {
  if (!target.isGfx9() || bytes.size() < 8 || bytes[3] >> 2 != 0x34)
    return false;
  uint32_t sources = bytes[4] | uint32_t(bytes[5]) << 8 | uint32_t(bytes[6]) << 16 | uint32_t(bytes[7]) << 24;
  return (sources & 511) == 255 || (sources >> 9 & 511) == 255 || (sources >> 18 & 511) == 255;
}

} // namespace

Expected<DecodedCode> decode(const TargetFacts &target, std::span<const uint8_t> code, uint64_t address) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeAMDGPUTargetInfo();
    LLVMInitializeAMDGPUTargetMC();
    LLVMInitializeAMDGPUDisassembler();
  });
  auto failure = [&](const std::string &cause) {
    return Status::error(Exit::Unexpected, "E-EMULATED-CODE", "cannot disassemble code for " + target.name)
        .cause(cause);
  };
  llvm::Triple triple("amdgcn-amd-amdhsa");
  std::string message;
  const llvm::Target *llvmTarget = llvm::TargetRegistry::lookupTarget(triple, message);
  if (!llvmTarget)
    return failure(message);
  std::unique_ptr<llvm::MCRegisterInfo> registers(llvmTarget->createMCRegInfo(triple));
  llvm::MCTargetOptions options;
  std::unique_ptr<llvm::MCAsmInfo> asmInfo(llvmTarget->createMCAsmInfo(*registers, triple, options));
  std::unique_ptr<llvm::MCInstrInfo> instrInfo(llvmTarget->createMCInstrInfo());
  std::unique_ptr<llvm::MCSubtargetInfo> subtarget(
      llvmTarget->createMCSubtargetInfo(triple, target.name, ""));
  if (!registers || !asmInfo || !instrInfo || !subtarget)
    return failure("the library has no AMDGPU target");
  llvm::MCContext context(triple, asmInfo.get(), registers.get(), subtarget.get());
  std::unique_ptr<llvm::MCDisassembler> disassembler(llvmTarget->createMCDisassembler(*subtarget, context));
  std::unique_ptr<llvm::MCInstPrinter> printer(llvmTarget->createMCInstPrinter(
      triple, asmInfo->getAssemblerDialect(), *asmInfo, *instrInfo, *registers));
  if (!disassembler || !printer)
    return failure("the library has no AMDGPU disassembler");

  DecodedCode result;
  result.indexByDword.assign(code.size() / 4 + 1, -1);
  std::vector<int64_t> distances; // branches: dwords after the next instruction
  std::vector<uint64_t> ends;
  // Room for the literal of a cut-off last instruction: the disassembler's error for a missing one is not
  // safe.
  std::vector<uint8_t> padded(code.begin(), code.end());
  padded.resize(code.size() + 16);
  llvm::ArrayRef<uint8_t> bytes(padded);
  for (uint64_t offset = 0; offset + 4 <= code.size();) {
    llvm::MCInst inst;
    uint64_t size = 0;
    auto status =
        hasImpossibleLiteral(target, bytes.slice(offset))
            ? llvm::MCDisassembler::Fail
            : disassembler->getInstruction(inst, size, bytes.slice(offset), address + offset, llvm::nulls());
    Instruction in;
    int64_t immediate = 0;
    bool printable = status == llvm::MCDisassembler::Success &&
                     !hasBadSelects(instrInfo->getName(inst.getOpcode()), bytes.slice(offset));
    if (printable && size >= 4 && size % 4 == 0 && offset + size <= code.size()) {
      std::string text;
      llvm::raw_string_ostream stream(text);
      printer->printInst(&inst, address + offset, "", *subtarget, stream);
      for (const llvm::MCOperand &op : inst)
        if (op.isImm())
          immediate = op.getImm();
      text = trimmed(text);
      // ds_swizzle: the pattern is the first constant, not the trailing flag.
      if (text.starts_with("ds_swizzle"))
        for (const llvm::MCOperand &op : inst)
          if (op.isImm()) {
            immediate = op.getImm();
            break;
          }
      in = parseInstruction(target, text, immediate);
      if (!in.handler)
        in.handler = notModelled;
    } else {
      size = 4;
      in.handler = noInstruction;
      in.text = ".long 0x";
      static const char digits[] = "0123456789abcdef";
      uint32_t word = uint32_t(code[offset]) | uint32_t(code[offset + 1]) << 8 |
                      uint32_t(code[offset + 2]) << 16 | uint32_t(code[offset + 3]) << 24;
      for (int shift = 28; shift >= 0; shift -= 4)
        in.text += digits[word >> shift & 15];
    }
    for (const Instruction *part = &in; part; part = part->second.get())
      for (const Operand &op : part->operands)
        if (op.kind == OperandKind::Vector)
          result.vectorRows = std::max(result.vectorRows, unsigned(op.index) + op.dwords);
    result.hasGlobalAtomics |= in.text.find("_atomic_") != std::string::npos && !in.text.starts_with("ds_");
    result.comparesAndSwapsLocal |= in.text.starts_with("ds_cmpst");
    in.address = address + offset;
    result.indexByDword[offset / 4] = int32_t(result.instructions.size());
    in.next = uint32_t(result.instructions.size() + 1);
    distances.push_back(int16_t(immediate));
    ends.push_back(offset + size);
    result.instructions.push_back(std::move(in));
    offset += size;
  }
  // Running past the end, or a branch into the middle of an instruction, reports itself.
  Instruction end;
  end.handler = noInstruction;
  end.text = "(past the end of the code)";
  end.address = address + code.size();
  end.next = uint32_t(result.instructions.size());
  uint32_t endIndex = uint32_t(result.instructions.size());
  for (uint32_t i = 0; i < endIndex; ++i) {
    Instruction &in = result.instructions[i];
    int64_t target = int64_t(ends[i]) + distances[i] * 4;
    bool known = target >= 0 && target / 4 < int64_t(result.indexByDword.size()) &&
                 result.indexByDword[target / 4] >= 0;
    in.target = known ? uint32_t(result.indexByDword[target / 4]) : endIndex;
  }
  result.instructions.push_back(std::move(end));
  return result;
}

} // namespace quern::runtime::emulated::amd
