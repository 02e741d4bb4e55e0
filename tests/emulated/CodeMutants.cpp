//===- CodeMutants.cpp - One fault each in a kernel's machine code --------===//
//
// Encodings: the instruction set manuals of CDNA3, RDNA3 and RDNA4, chapters "Microcode Formats".
//
//===----------------------------------------------------------------------===//
#include "tests/emulated/Mutants.h"

#include "runtime/emulated/amd/CodeObject.h"
#include "runtime/emulated/amd/Decoder.h"

#include <algorithm>
#include <cstring>

using namespace quern::runtime::emulated::amd;

namespace quern::test {
namespace {

std::string kindOfOrder(const std::string &name) {
  if (name.starts_with("s_waitcnt_depctr") || name == "s_wait_alu" || name == "s_wait_idle")
    return {}; // hazards of the pipeline, not order in memory
  if (name.starts_with("s_wait"))
    return "wait";
  if (name.starts_with("s_barrier"))
    return "barrier";
  if (name.starts_with("buffer_wb") || name.starts_with("buffer_inv") || name.starts_with("global_wb") ||
      name.starts_with("global_inv") || name.starts_with("buffer_gl"))
    return "fence";
  return {};
}

/// Dword and bit of the immediate offset's bit of value 16; false where the instruction has none.
bool offsetBit(const TargetFacts &target, const std::string &name, size_t dwords, size_t &dword,
               unsigned &bit) {
  bit = 4;
  dword = 0;
  if (name.starts_with("ds_"))
    return !name.starts_with("ds_bpermute") && !name.starts_with("ds_permute") &&
           !name.starts_with("ds_swizzle");
  bool memory = name.starts_with("global_load") || name.starts_with("global_store") ||
                name.starts_with("buffer_load") || name.starts_with("buffer_store");
  if (memory && target.atLeast(Generation::Gfx12)) {
    dword = 2;
    bit = 8 + 4;
    return dwords == 3;
  }
  return memory;
}

} // namespace

std::vector<Mutant> codeObjectMutants(const std::string &target, std::span<const std::byte> code) {
  std::vector<Mutant> mutants;
  auto facts = findTarget(target);
  auto object = readCodeObject(code);
  if (!facts || !object.ok())
    return mutants;
  auto decoded = decode(*facts, object->text(), object->textAddress);
  if (!decoded.ok())
    return mutants;
  // The code stands once in the file, as it does in memory.
  auto text = std::as_bytes(object->text());
  auto found = std::search(code.begin(), code.end(), text.begin(), text.end());
  if (found == code.end())
    return mutants;
  size_t textOffset = size_t(found - code.begin());
  const std::vector<Instruction> &instructions = decoded->instructions;
  for (size_t i = 0; i + 1 < instructions.size(); ++i) {
    const Instruction &in = instructions[i];
    size_t offset = in.address - object->textAddress, dwords = (instructions[i + 1].address - in.address) / 4;
    std::vector<uint32_t> words(dwords);
    std::memcpy(words.data(), text.data() + offset, dwords * 4);
    std::string name = in.text.substr(0, in.text.find(' '));
    auto add = [&](const char *kind, const std::vector<uint32_t> &other) {
      Mutant mutant{
          kind, "+" + std::to_string(offset) + ": " + in.text, {code.begin(), code.end()}, in.address};
      std::memcpy(mutant.code.data() + textOffset + offset, other.data(), other.size() * 4);
      mutants.push_back(std::move(mutant));
    };
    auto with = [&](size_t dword, uint32_t value) {
      std::vector<uint32_t> other = words;
      other[dword] = value;
      return other;
    };
    size_t dword;
    unsigned bit;
    if (std::string kind = kindOfOrder(name); !kind.empty()) {
      add(kind.c_str(), std::vector<uint32_t>(dwords, 0xBF800000)); // s_nop 0
    } else if (offsetBit(*facts, name, dwords, dword, bit)) {
      add("offset", with(dword, words[dword] ^ 1u << bit));
    } else if (name.starts_with("s_and_saveexec") && dwords == 1) {
      // s_mov of EXEC: SOP1 has the operation in 15:8, the source in 7:0 (EXEC 126).
      uint32_t move = facts->isGfx9() ? 1 : name.ends_with("b64") ? 1 : 0;
      add("mask", with(0, (words[0] & 0xffff0000) | move << 8 | 126));
    } else if ((name.starts_with("v_xor_b32") || name.starts_with("v_and_b32") ||
                name.starts_with("v_or_b32") || name.starts_with("v_lshlrev_b32") ||
                name.starts_with("v_lshrrev_b32")) &&
               words[0] >> 31 == 0) {
      // VOP2: the first source in 8:0, 129..192 are the integers from 1 on, 255 a literal.
      uint32_t source = words[0] & 511;
      if (source >= 129 && source < 160 && dwords == 1) {
        uint32_t value = source - 128, lowest = value & -value;
        add("bits", with(0, (words[0] & ~511u) | (128 + ((value ^ lowest) | lowest << 1))));
      } else if (source == 255 && dwords == 2) {
        uint32_t lowest = words[1] & -words[1];
        add("bits", with(1, (words[1] ^ lowest) | lowest << 1));
      }
    } else if (name.starts_with("v_cmp_lt_") || name.starts_with("v_cmp_gt_")) {
      // VOPC has its operation in 24:17, VOP3 in 25:16; lt, eq, le, gt, ne, ge follow each other from 1 on.
      add("bound", with(0, words[0] + (2u << (words[0] >> 31 ? 16 : 17))));
    }
  }
  return mutants;
}

} // namespace quern::test
