//===- InstructionCounts.cpp - What executed instructions are counted as --===//
#include "runtime/emulated/amd/InstructionCounts.h"

#include <algorithm>
#include <cstdlib>

namespace quern::runtime::emulated::amd {

namespace {

bool beginsWithOneOf(std::string_view word, std::initializer_list<std::string_view> beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(),
                     [&](std::string_view beginning) { return word.starts_with(beginning); });
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

struct MatrixWork {
  std::string name;
  uint64_t multiplyAdds = 0;
};

/// Shape and type from the mnemonic: "v_mfma_f32_32x32x4_2b_bf16", "v_mfma_f32_32x32x4bf16_1k",
/// "v_mfma_scale_f32_16x16x128_f8f6f4", "v_wmma_f32_16x16x16_fp8_fp8".
MatrixWork matrixWork(const TargetFacts &target, const Instruction &in, std::string_view mnemonic) {
  MatrixWork work;
  bool scaled = contains(mnemonic, "_scale_"), wave = contains(mnemonic, "wmma");
  size_t cross = mnemonic.find('x');
  if (cross == std::string_view::npos || cross < 2)
    return work;
  size_t begin = cross;
  while (begin > 0 && std::isdigit(static_cast<unsigned char>(mnemonic[begin - 1])))
    --begin;
  uint64_t size[3] = {};
  size_t at = begin;
  for (uint64_t &one : size) {
    while (at < mnemonic.size() && std::isdigit(static_cast<unsigned char>(mnemonic[at])))
      one = one * 10 + uint64_t(mnemonic[at++] - '0');
    if (&one != &size[2])
      ++at; // the x
  }
  std::string_view rest = mnemonic.substr(std::min(at, mnemonic.size()));
  bool oldName = !rest.starts_with('_'); // gfx90a: no word for the blocks
  uint64_t blocks = 1;
  if (!oldName) {
    rest.remove_prefix(1);
    size_t digits = 0;
    while (digits < rest.size() && std::isdigit(static_cast<unsigned char>(rest[digits])))
      ++digits;
    if (digits && rest.substr(digits).starts_with("b_")) {
      blocks = std::strtoull(std::string(rest.substr(0, digits)).c_str(), nullptr, 10);
      rest.remove_prefix(digits + 2);
    }
  }
  static constexpr const char *formats[] = {"e4m3", "e5m2", "e2m3", "e3m2", "e2m1"};
  auto word = [&](std::string_view type) -> std::string {
    if (type.starts_with("fp8"))
      return target.fp8IsFnuz ? "e4m3fnuz" : "e4m3";
    if (type.starts_with("bf8"))
      return target.fp8IsFnuz ? "e5m2fnuz" : "e5m2";
    if (type.starts_with("f8f6f4"))
      return formats[std::min<size_t>(in.broadcastSize, 4)];
    std::string text(type.substr(0, type.find('_')));
    return text.starts_with("iu") ? text.substr(1) : text;
  };
  std::string a = word(rest), b = a;
  if (rest.starts_with("f8f6f4"))
    b = formats[std::min<size_t>(in.lanePattern, 4)];
  else if (size_t second = rest.find('_');
           second != std::string_view::npos && contains(rest.substr(second), "f8"))
    b = word(rest.substr(second + 1));
  if (oldName && !wave && size[0] && size[2]) {
    // All lanes hold M * K elements of each block: how many elements a lane holds tells the blocks.
    uint64_t items = a == "f32" || a == "f64" ? 1 : a == "bf16" && !rest.ends_with("_1k") ? 2 : 4;
    blocks = std::max<uint64_t>(1, 64 * items / (size[0] * size[2]));
  }
  work.name = std::string(wave ? "wmma" : "mfma") + ".m" + std::to_string(size[0]) + "n" +
              std::to_string(size[1]) + "k" + std::to_string(size[2]) + "." + a + (b == a ? "" : "." + b) +
              (scaled ? ".b32" : "");
  if (blocks > 1)
    work.name += ".x" + std::to_string(blocks);
  work.multiplyAdds = size[0] * size[1] * size[2] * blocks;
  return work;
}

/// Multiply-adds of one lane outside of the matrix unit.
uint32_t laneMultiplyAdds(std::string_view mnemonic) {
  uint32_t each = beginsWithOneOf(mnemonic, {"v_dot2", "v_dot2c"})                           ? 2
                  : beginsWithOneOf(mnemonic, {"v_dot4"})                                    ? 4
                  : beginsWithOneOf(mnemonic, {"v_dot8"})                                    ? 8
                  : beginsWithOneOf(mnemonic, {"v_pk_fma"})                                  ? 2
                  : beginsWithOneOf(mnemonic, {"v_fma", "v_mad_f", "v_mac_f", "v_dual_fma"}) ? 1
                                                                                             : 0;
  return each;
}

std::string_view mnemonicOf(std::string_view text) { return text.substr(0, text.find_first_of(" \t")); }

} // namespace

std::string countedName(const Instruction &in) {
  std::string name(mnemonicOf(in.text));
  if (beginsWithOneOf(name, {"buffer_load", "global_load"}) && in.text.ends_with(" lds"))
    name += "_lds";
  return name;
}

InstructionClass classOf(const Instruction &in) {
  using enum InstructionClass;
  const std::string name = countedName(in);
  std::string_view word(name);
  if (word.starts_with("s_")) {
    if (beginsWithOneOf(word, {"s_waitcnt", "s_wait_", "s_sleep"}))
      return Wait;
    if (beginsWithOneOf(word, {"s_barrier"}))
      return Barrier;
    if (beginsWithOneOf(word,
                        {"s_branch", "s_cbranch", "s_setpc", "s_swappc", "s_call", "s_endpgm", "s_trap"}))
      return Branch;
    if (beginsWithOneOf(word,
                        {"s_nop", "s_setprio", "s_delay_alu", "s_clause", "s_sendmsg", "s_icache", "s_dcache",
                         "s_inst_prefetch", "s_set_inst_prefetch", "s_code_end", "s_sethalt"}))
      return Other;
    return Scalar;
  }
  if (beginsWithOneOf(word, {"v_mfma", "v_smfmac", "v_wmma", "v_swmmac"}))
    return Matrix;
  if (word.starts_with("ds_")) {
    if (beginsWithOneOf(word, {"ds_bpermute", "ds_permute", "ds_swizzle"}))
      return Exchange;
    if (beginsWithOneOf(word, {"ds_read_b64_tr", "ds_read_b96_tr", "ds_load_tr"}))
      return MatrixMove;
    if (beginsWithOneOf(word, {"ds_read", "ds_load"}))
      return SharedLoad;
    if (beginsWithOneOf(word, {"ds_write", "ds_store"}))
      return SharedStore;
    return word == "ds_nop" ? Other : Atomic;
  }
  if (beginsWithOneOf(word, {"buffer_", "global_", "flat_", "scratch_", "tbuffer_"})) {
    if (contains(word, "_lds"))
      return AsyncCopy;
    if (word.starts_with("scratch_"))
      return LocalMemory;
    if (contains(word, "_atomic"))
      return Atomic;
    if (contains(word, "_load_tr"))
      return MatrixMove;
    if (contains(word, "_load"))
      return GlobalLoad;
    if (contains(word, "_store"))
      return GlobalStore;
    return Barrier; // write-backs and invalidations of caches: they order memory
  }
  if (beginsWithOneOf(word, {"v_readlane", "v_writelane", "v_readfirstlane", "v_permlane"}) ||
      contains(word, "_dpp"))
    return Exchange;
  if (word.starts_with("v_cvt"))
    return Conversion;
  if (beginsWithOneOf(word, {"v_exp", "v_log", "v_rcp", "v_rsq", "v_sqrt", "v_sin", "v_cos", "v_s_"}))
    return Special;
  if (beginsWithOneOf(word, {"v_mov", "v_accvgpr", "v_swap", "v_dual_mov"}))
    return Move;
  if (word.starts_with("v_")) {
    for (std::string_view type : {"_f16", "_f32", "_f64", "_bf16"})
      if (contains(word, type))
        return Float;
    return Integer;
  }
  return Other;
}

InstructionCounts::InstructionCounts(const TargetFacts &target, const std::vector<Instruction> &code)
    : counters(memoryRules(target)), target(target), code(code), issued(code.size()), active(code.size()) {}

void InstructionCounts::close() {
  KernelCounters &total = counters.total();
  for (size_t i = 0; i < code.size(); ++i) {
    if (issued[i] == 0)
      continue;
    const Instruction &in = code[i];
    const std::string name = countedName(in);
    OpcodeCount &opcode = total.opcodes[name];
    opcode.kind = classOf(in);
    opcode.issued += issued[i];
    opcode.lanes += active[i];
    for (const Instruction *part = &in; part; part = part->second.get())
      total.ordinaryMultiplyAdds += active[i] * laneMultiplyAdds(mnemonicOf(part->text));
    if (opcode.kind == InstructionClass::Matrix) {
      MatrixWork work = matrixWork(target, in, name);
      MatrixCount &matrix = total.matrix[work.name];
      matrix.operations += issued[i];
      matrix.multiplyAdds += issued[i] * work.multiplyAdds;
    }
  }
}

const MemoryRules &memoryRules(const TargetFacts &target) {
  static const std::vector<BankPhases> plain = {
      {false, 4, 32, {1, 2, 4, 8, 16}}, {false, 8, 32, {1, 2, 4, 8}}, {false, 16, 32, {1, 2, 4}},
      {true, 4, 32, {1, 2, 4, 8, 16}},  {true, 8, 32, {1, 2, 4, 8}},  {true, 16, 32, {1, 2, 4}}};
  // 16-byte reads: lanes {0-3, 20-23}, {4-7, 16-19}, {8-11, 28-31}, {12-15, 24-27} of each half.
  static const MemoryRules wave64 = [] {
    MemoryRules rules{64, 128, plain};
    rules.banks[2].together = {1, 2, 20};
    return rules;
  }();
  // gfx950: 64 banks for wide reads; of 16 bytes lanes {0-3, 12-15, 20-27} and {4-11, 16-19, 28-31}.
  static const MemoryRules wide = [] {
    MemoryRules rules{64, 128, plain};
    rules.banks[1] = {false, 8, 64, {1, 2, 4, 8, 16}};
    rules.banks[2] = {false, 16, 64, {1, 2, 12, 20}};
    return rules;
  }();
  static const MemoryRules wave32{32, 128, plain};
  return target.generation == Generation::Gfx950 ? wide : target.wave32() ? wave32 : wave64;
}

} // namespace quern::runtime::emulated::amd
