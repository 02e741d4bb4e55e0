//===- InstructionParser.cpp - Reads the disassembler's text --------------===//
//
// The grammar is LLVM's AMDGPU operand and modifier syntax (AMDGPUOperandSyntax and AMDGPUModifierSyntax in
// LLVM's documentation): a mnemonic with an encoding suffix, operands between commas, then modifiers between
// blanks.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/Decoder.h"
#include "runtime/emulated/amd/HandlerTable.h"
#include "runtime/emulated/amd/MemoryAccess.h"
#include "runtime/emulated/amd/ShuffleParser.h"

#include <cstdlib>
#include <optional>
#include <string_view>

namespace quern::runtime::emulated::amd {
namespace {

using std::string_view;

string_view strip(string_view s) {
  while (!s.empty() && s.front() == ' ')
    s.remove_prefix(1);
  while (!s.empty() && s.back() == ' ')
    s.remove_suffix(1);
  return s;
}

bool consume(string_view &s, string_view prefix) {
  if (!s.starts_with(prefix))
    return false;
  s.remove_prefix(prefix.size());
  return true;
}

std::optional<int64_t> integer(string_view s) {
  std::string text(s);
  char *end = nullptr;
  int64_t value = text.find("0x") != std::string::npos && text[0] != '-'
                      ? int64_t(std::strtoull(text.c_str(), &end, 0))
                      : std::strtoll(text.c_str(), &end, 0);
  if (text.empty() || *end)
    return std::nullopt;
  return value;
}

/// "[1,0,1]" to bits, first element lowest.
uint8_t bitList(string_view s) {
  uint8_t bits = 0;
  unsigned position = 0;
  for (char c : s)
    if (c == '0' || c == '1')
      bits |= uint8_t((c - '0') << position++);
  return bits;
}
unsigned listLength(string_view s) {
  unsigned count = 0;
  for (char c : s)
    count += c == '0' || c == '1';
  return count;
}

uint8_t sdwaSelect(string_view s) {
  if (s.starts_with("BYTE_"))
    return uint8_t(s[5] - '0');
  return s == "WORD_0" ? 4 : s == "WORD_1" ? 5 : 6;
}

/// A range "[first:last]" or a number after the register letter.
bool registerRange(string_view s, uint16_t base, Operand &op) {
  if (consume(s, "[")) {
    size_t colon = s.find(':'), close = s.find(']');
    if (close == string_view::npos)
      return false;
    auto first = integer(s.substr(0, colon == string_view::npos ? close : colon));
    auto last = colon == string_view::npos ? first : integer(s.substr(colon + 1, close - colon - 1));
    if (!first || !last || *last < *first || close + 1 != s.size())
      return false;
    op.index = uint16_t(base + *first);
    op.dwords = uint8_t(*last - *first + 1);
    return true;
  }
  if (s.ends_with(".l") || s.ends_with(".h")) {
    op.high = s.back() == 'h';
    s.remove_suffix(2);
  }
  auto number = integer(s);
  if (!number || s.empty() || s[0] < '0' || s[0] > '9')
    return false;
  op.index = uint16_t(base + *number);
  op.dwords = 1;
  return true;
}

struct NamedScalar {
  string_view name;
  uint16_t index;
  uint8_t dwords;
};
constexpr NamedScalar kNamed[] = {
    {"vcc", scalar::Vcc, 2},
    {"vcc_lo", scalar::Vcc, 1},
    {"vcc_hi", scalar::Vcc + 1, 1},
    {"exec", scalar::Exec, 2},
    {"exec_lo", scalar::Exec, 1},
    {"exec_hi", scalar::Exec + 1, 1},
    {"m0", scalar::M0, 1},
    {"src_scc", scalar::Scc, 1},
    {"scc", scalar::Scc, 1},
    {"src_vccz", scalar::Vccz, 1},
    {"src_execz", scalar::Execz, 1},
    {"flat_scratch", scalar::FlatScratch, 2},
    {"flat_scratch_lo", scalar::FlatScratch, 1},
    {"flat_scratch_hi", scalar::FlatScratch + 1, 1},
    {"xnack_mask", scalar::Xnack, 2},
    {"xnack_mask_lo", scalar::Xnack, 1},
    {"xnack_mask_hi", scalar::Xnack + 1, 1},
};

Operand constant(uint64_t bits) {
  Operand op;
  op.kind = OperandKind::Constant;
  op.bits = bits;
  op.dwords = 0;
  return op;
}

/// False where the text is no operand that the machine knows.
bool parseOperand(string_view s, Operand &op) {
  s = strip(s);
  bool negate = false, absolute = false, extend = false;
  // Signs: "-|v1|", "neg(...)", "abs(...)", "sext(...)"; "-1" is a constant.
  if (s.size() > 1 && s[0] == '-' && !(s[1] >= '0' && s[1] <= '9')) {
    negate = true;
    s.remove_prefix(1);
  }
  if (s.starts_with("neg(") && s.ends_with(")")) {
    negate = true;
    s = s.substr(4, s.size() - 5);
  }
  if ((s.starts_with("|") && s.ends_with("|") && s.size() > 2)) {
    absolute = true;
    s = s.substr(1, s.size() - 2);
  } else if ((s.starts_with("abs(") || s.starts_with("sext(")) && s.ends_with(")")) {
    (s[0] == 'a' ? absolute : extend) = true;
    s = s.substr(s.find('(') + 1);
    s.remove_suffix(1);
  }
  bool known = [&] {
    for (const NamedScalar &named : kNamed)
      if (s == named.name) {
        op.kind = OperandKind::Scalar;
        op.index = named.index;
        op.dwords = named.dwords;
        return true;
      }
    if (s == "off") {
      op.kind = OperandKind::None;
      op.dwords = 0;
      return true;
    }
    if (s == "null") {
      op = constant(0);
      return true;
    }
    if (s == "src_shared_base" || s == "src_private_base" || s == "src_shared_limit" ||
        s == "src_private_limit") {
      op = constant((s.find("shared") != string_view::npos ? kLocalAperture : kPrivateAperture) |
                    (s.ends_with("limit") ? 0xffffffffu : 0));
      return true;
    }
    if (s.size() > 1 && s[0] == 'v' && (s[1] == '[' || (s[1] >= '0' && s[1] <= '9'))) {
      op.kind = OperandKind::Vector;
      return registerRange(s.substr(1), 0, op);
    }
    if (s.size() > 1 && s[0] == 'a' && (s[1] == '[' || (s[1] >= '0' && s[1] <= '9'))) {
      op.kind = OperandKind::Vector;
      return registerRange(s.substr(1), kAccumulationBase, op);
    }
    if (s.starts_with("ttmp")) {
      op.kind = OperandKind::Scalar;
      return registerRange(s.substr(4), scalar::Ttmp0, op);
    }
    if (s.size() > 1 && s[0] == 's' && (s[1] == '[' || (s[1] >= '0' && s[1] <= '9'))) {
      op.kind = OperandKind::Scalar;
      return registerRange(s.substr(1), 0, op);
    }
    bool literal = s.starts_with("lit(") || s.starts_with("lit64(");
    if (literal) {
      s = s.substr(s.find('(') + 1);
      s.remove_suffix(1);
    }
    if (auto value = integer(s)) {
      op = constant(uint64_t(*value));
      op.isLiteral = literal || s.starts_with("0x");
      return true;
    }
    std::string text(s);
    char *end = nullptr;
    double number = std::strtod(text.c_str(), &end);
    if (!text.empty() && !*end && (text[0] == '-' || (text[0] >= '0' && text[0] <= '9'))) {
      op = constant(0);
      op.isFloat = true;
      op.number = number;
      if (text.find("0.15915494") !=
          std::string::npos) // 1/(2 pi), printed short; the bits are fixed per format
        op.number = number < 0 ? -0.15915494309189532 : 0.15915494309189532;
      return true;
    }
    return false;
  }();
  op.negate = negate;
  op.absolute = absolute;
  op.signExtend = extend;
  return known && (op.kind != OperandKind::Vector || op.index + op.dwords <= kVectorRows) &&
         (op.kind != OperandKind::Scalar || op.index + op.dwords <= scalar::Count);
}

//===-- the instruction -----------------------------------------------------===//

/// Modifiers that change nothing here: cache policy and the like.
bool isHint(string_view token) {
  static constexpr string_view hints[] = {"sc0", "sc1", "nt",      "glc", "slc",
                                          "dlc", "scc", "gds_off", "nv",  "lwe_off"};
  for (string_view hint : hints)
    if (token == hint)
      return true;
  return token.starts_with("th:") || token.starts_with("scope:") || token.starts_with("cpol:");
}

/// One modifier. False where it is unknown: then the instruction is not modelled.
bool parseModifier(string_view token, unsigned width, Instruction &in, DppModifiers &dpp, bool &opSelSeen,
                   unsigned &opSelLength, bool &opSelHighSeen) {
  auto number = [&](string_view name) -> std::optional<int64_t> {
    return token.starts_with(name) ? integer(token.substr(name.size())) : std::nullopt;
  };
  if (isHint(token)) {
    if (token == "sc0" || token == "glc" || token.find("RETURN") != string_view::npos)
      in.returns = true;
    return true;
  }
  if (token == "clamp")
    return in.clamp = true;
  if (token == "mul:2" || token == "mul:4" || token == "div:2") {
    in.outputScale = token == "mul:2" ? 1 : token == "mul:4" ? 2 : 3;
    return true;
  }
  if (token == "offen")
    return in.offsetEnabled = true;
  if (token == "idxen")
    return in.indexed = true;
  if (auto n = number("offset:")) {
    in.offset = int32_t(*n);
    return true;
  }
  if (token.starts_with("offset:swizzle("))
    return true;
  if (auto n = number("offset0:")) {
    in.offset = int32_t(*n);
    return true;
  }
  if (auto n = number("offset1:")) {
    in.offset1 = int32_t(*n);
    return true;
  }
  if (token.starts_with("op_sel:")) {
    in.opSel = bitList(token.substr(7));
    opSelLength = listLength(token.substr(7));
    return opSelSeen = true;
  }
  if (token.starts_with("op_sel_hi:")) {
    in.opSelHigh = bitList(token.substr(10));
    return opSelHighSeen = true;
  }
  if (token.starts_with("neg_lo:")) {
    in.negateLow = bitList(token.substr(7));
    return true;
  }
  if (token.starts_with("neg_hi:")) {
    in.negateHigh = bitList(token.substr(7));
    return true;
  }
  if (token.starts_with("neg:")) { // f64 MFMA: the three sources
    in.negateLow = bitList(token.substr(4));
    return true;
  }
  if (auto n = number("cbsz:")) {
    in.broadcastSize = uint8_t(*n);
    return true;
  }
  if (auto n = number("abid:")) {
    in.broadcastBlock = uint8_t(*n);
    return true;
  }
  if (auto n = number("blgp:")) {
    in.lanePattern = uint8_t(*n);
    return true;
  }
  if (auto n = number("byte_sel:")) {
    in.byteSelect = uint8_t(*n);
    return true;
  }
  if (auto n = number("bitop3:")) {
    in.immediate = uint32_t(*n);
    return true;
  }
  if (auto n = number("row_mask:")) {
    dpp.rowMask = uint8_t(*n);
    return true;
  }
  if (auto n = number("bank_mask:")) {
    dpp.bankMask = uint8_t(*n);
    return true;
  }
  if (token.starts_with("bound_ctrl:"))
    return dpp.zeroInvalid = true;
  if (token == "fi:1" || token == "fi:0") {
    dpp.fetchesInactive = token == "fi:1";
    return true;
  }
  if (token.starts_with("dst_sel:")) {
    in.destinationSelect = sdwaSelect(token.substr(8));
    return in.sdwa = true;
  }
  if (token.starts_with("dst_unused:")) {
    in.destinationUnused = token.ends_with("PRESERVE") ? 2 : token.ends_with("SEXT") ? 1 : 0;
    return in.sdwa = true;
  }
  if (token.starts_with("src0_sel:") || token.starts_with("src1_sel:")) {
    unsigned index = in.destinations + (token[3] == '1' ? 1 : 0);
    if (index < in.operands.size())
      in.operands[index].select = sdwaSelect(token.substr(9));
    return in.sdwa = true;
  }
  return parseShuffle(token, width, dpp);
}

std::string baseMnemonic(string_view name) {
  // "_e64_dpp" and the like: encodings of one operation.
  for (bool again = true; again;) {
    again = false;
    for (string_view suffix : {"_e32", "_e64", "_dpp", "_dpp8", "_sdwa"})
      if (name.ends_with(suffix)) {
        name.remove_suffix(suffix.size());
        again = true;
      }
  }
  return std::string(name);
}

/// Splits at commas and blanks outside brackets; operands end at the first part that starts after a blank.
void split(string_view rest, std::vector<string_view> &operands, std::vector<string_view> &modifiers) {
  size_t begin = 0;
  int depth = 0;
  bool afterComma = true, inBars = false;
  auto emit = [&](size_t end) {
    string_view part = strip(rest.substr(begin, end - begin));
    if (!part.empty())
      (afterComma ? operands : modifiers).push_back(part);
  };
  for (size_t i = 0; i <= rest.size(); ++i) {
    char c = i < rest.size() ? rest[i] : '\0';
    depth += c == '[' || c == '(';
    depth -= c == ']' || c == ')';
    inBars ^= c == '|';
    if (c == '\0' || (depth == 0 && !inBars && (c == ',' || c == ' '))) {
      bool empty = strip(rest.substr(begin, i - begin)).empty();
      emit(i);
      if (c == ',')
        afterComma = true;
      else if (!empty)
        afterComma = false;
      begin = i + 1;
    }
  }
}

/// s_waitcnt: named counters; -1 where one is absent.
void parseWaitcnt(string_view rest, Instruction &in) {
  auto count = [&](string_view name) -> int32_t {
    size_t at = rest.find(name);
    if (at == string_view::npos)
      return -1;
    return std::atoi(std::string(rest.substr(at + name.size())).c_str());
  };
  in.offset = count("vmcnt(");
  in.offset1 = count("lgkmcnt(");
}

/// "hwreg(HW_REG_MODE, 4, 2)" as the 16-bit field of the encoding: number in 5:0, first bit in 10:6, size - 1
/// in 15:11. Only MODE (1) matters; the others keep number 63.
uint32_t hardwareRegister(string_view s) {
  uint32_t number = (s.starts_with("hwreg(HW_REG_MODE") || s.starts_with("hwreg(HW_REG_WAVE_MODE")) ? 1 : 63,
           first = 0, size = 32;
  if (size_t comma = s.find(','); comma != string_view::npos) {
    first = uint32_t(std::atoi(std::string(s.substr(comma + 1)).c_str()));
    if (size_t second = s.find(',', comma + 1); second != string_view::npos)
      size = uint32_t(std::atoi(std::string(s.substr(second + 1)).c_str()));
  }
  return number | (first & 31) << 6 | ((size - 1) & 31) << 11;
}

bool startsWithAny(string_view s, std::initializer_list<string_view> prefixes) {
  for (string_view prefix : prefixes)
    if (s.starts_with(prefix))
      return true;
  return false;
}

/// Passes of an MFMA, by the opcode tables of the CDNA manuals: f32, f64, instructions of several blocks and
/// all of gfx90a take 16, 8 or 2 (32, 16 or 4 rows; 4 for f64 of 4), the others half. f8f6f4 at its fastest.
uint8_t matrixPasses(const TargetFacts &target, const std::string &mnemonic) {
  if (mnemonic.find("_4x4x") != std::string::npos)
    return mnemonic.find("v_mfma_f64") == 0 ? 4 : 2;
  bool large = mnemonic.find("_32x32x") != std::string::npos;
  bool wide =
      mnemonic.find("xf32") == std::string::npos && (mnemonic.ends_with("f32") || mnemonic.ends_with("f64"));
  bool slow = target.generation == Generation::Gfx90a || wide || mnemonic.find("b_") != std::string::npos;
  return uint8_t((large ? 8 : 4) * (slow ? 2 : 1));
}

/// Both halves of a dual-issue instruction read their sources before either writes.
void dualIssue(Wave &wave, const Instruction &in);

Instruction parseSingle(const TargetFacts &target, string_view text, int64_t immediate) {
  Instruction in;
  in.text = std::string(text);
  size_t blank = text.find(' ');
  string_view name = text.substr(0, blank),
              rest = blank == string_view::npos ? string_view() : text.substr(blank + 1);
  std::string mnemonic = baseMnemonic(name);
  if (mnemonic.starts_with("v_dual_"))
    mnemonic = "v_" + mnemonic.substr(7);
  // A buffer load to local memory is an instruction of its own here.
  if (mnemonic.starts_with("buffer_load_") && rest.ends_with(" lds")) {
    mnemonic.insert(12, "lds_");
    rest.remove_suffix(4);
  }
  const HandlerEntry *entry = handlerTable().find(mnemonic);
  if (!entry)
    return in;
  in.unit = entry->unit;
  in.destinations = entry->destinations;
  in.preservesHigh = entry->preservesHigh;
  in.immediate = entry->immediate;
  in.waveMatrix = mnemonic.starts_with("v_wmma");
  in.relativeRegisters = mnemonic.starts_with("v_movrel");
  in.writesLane = mnemonic == "v_writelane_b32";
  if (mnemonic == "s_nop")
    in.waitStates = uint8_t(1 + integer(rest).value_or(0));
  if (mnemonic.starts_with("v_mfma")) {
    in.matrixPasses = matrixPasses(target, mnemonic);
    in.fullMatrix = mnemonic.find("xf32") == std::string::npos &&
                    (mnemonic.ends_with("f32") || mnemonic.ends_with("f64"));
  }
  if (mnemonic == "s_waitcnt") {
    parseWaitcnt(rest, in);
    in.handler = entry->handler;
    return in;
  }
  if (startsWithAny(mnemonic, {"s_nop", "s_delay_alu", "s_waitcnt_depctr", "s_wait_alu", "s_sendmsg",
                               "s_clause", "s_inst_prefetch", "s_prefetch", "s_buffer_prefetch"}) &&
      !mnemonic.starts_with("s_sendmsg_rtn")) {
    in.handler = entry->handler;
    return in;
  }
  std::vector<string_view> operands, modifiers;
  split(rest, operands, modifiers);
  bool good = true;
  bool atomic = mnemonic.find("_atomic_") != std::string::npos;
  // Before gfx10 v_cmpx names its destination; after that EXEC is the only one.
  if (mnemonic.starts_with("v_cmpx_") && target.atLeast(Generation::Gfx11)) {
    in.operands[in.operandCount].kind = OperandKind::Scalar;
    in.operands[in.operandCount].index = scalar::Exec;
    in.operands[in.operandCount++].dwords = target.wave32() ? 1 : 2;
  }
  for (string_view part : operands) {
    if (part.starts_with("hwreg(")) {
      in.immediate = hardwareRegister(part);
      continue;
    }
    if (part.starts_with("sendmsg("))
      continue;
    if (part.starts_with("gpr_idx(")) {
      static constexpr string_view kinds[] = {"SRC0", "SRC1", "SRC2", "DST"};
      for (unsigned bit = 0; bit < 4; ++bit)
        in.immediate |= uint32_t(part.find(kinds[bit]) != string_view::npos) << bit;
      continue;
    }
    if (isHint(part)) // without operands, hints stand first
      continue;
    if (in.operandCount == in.operands.size()) {
      good = false;
      break;
    }
    good &= parseOperand(part, in.operands[in.operandCount++]);
  }
  // A K constant is sign-extended but for the unsigned comparisons, where it is printed as it stands.
  if (startsWithAny(mnemonic, {"s_movk_", "s_cmovk_", "s_addk_", "s_mulk_", "s_cmpk_"}) && in.operandCount) {
    Operand &k = in.operands[in.operandCount - 1];
    bool isUnsigned = mnemonic.starts_with("s_cmpk_") && mnemonic.ends_with("u32");
    k.bits = isUnsigned ? uint16_t(k.bits) : uint64_t(int64_t(int16_t(k.bits)));
  }
  DppModifiers dpp;
  bool opSelSeen = false, opSelHighSeen = false;
  unsigned opSelLength = 0;
  if (name.ends_with("_sdwa"))
    in.sdwa = true;
  for (string_view token : modifiers)
    good &= parseModifier(token, target.waveSize, in, dpp, opSelSeen, opSelLength, opSelHighSeen);
  if (mnemonic.starts_with("v_bitop3") && in.immediate == entry->immediate)
    in.immediate = 0;
  if (dpp.present) {
    if (name.find("dpp8") != string_view::npos || rest.find("dpp8:") != string_view::npos)
      dpp.zeroInvalid = true; // DPP8: an inactive source reads as 0 unless fi
    in.shuffle = makeShuffle(dpp);
  }
  bool packed = startsWithAny(mnemonic, {"v_pk_", "v_dot", "v_fma_mix", "v_mad_mix", "v_mfma", "v_wmma",
                                         "v_cvt_scalef32"}) &&
                !startsWithAny(mnemonic, {"v_dot2_f16_f16", "v_dot2_bf16_bf16"});
  if (packed) {
    if (!opSelHighSeen)
      in.opSelHigh = mnemonic.find("_mix") != std::string::npos ? 0 : 7;
    if (mnemonic.starts_with("v_pk_mov") && !opSelSeen)
      in.opSel = 0;
  } else if (opSelSeen && !mnemonic.starts_with("v_permlane")) {
    // One bit per source, then the destination.
    if (startsWithAny(mnemonic, {"v_cvt_sr_fp8", "v_cvt_sr_bf8"})) {
      in.byteSelect = uint8_t((in.opSel >> 2 & 1) | (in.opSel >> 3 & 1) << 1);
    } else if (startsWithAny(mnemonic, {"v_cvt_f32_fp8", "v_cvt_f32_bf8"})) {
      in.byteSelect = uint8_t((in.opSel >> 1 & 1) | (in.opSel & 1) << 1);
    } else {
      unsigned sources = in.operandCount - in.destinations;
      for (unsigned i = 0; i < sources && i < opSelLength; ++i)
        in.operands[in.destinations + i].high |= in.opSel >> i & 1;
      if (opSelLength > sources)
        in.destinationHigh = in.opSel >> sources & 1;
      else if (opSelLength == 3 && sources == 2)
        in.destinationHigh = in.opSel >> 2 & 1;
    }
  }
  if (atomic) {
    // The forms that return name a destination first (buffers reuse the data register).
    bool buffer = mnemonic.starts_with("buffer_");
    if (in.returns)
      in.destinations = 1;
    unsigned dataOperands = buffer ? 4 : (in.returns ? 3 : 2) + (mnemonic.starts_with("global_") ? 1 : 0);
    good &= in.operandCount == dataOperands;
  } else {
    in.returns = false;
  }
  if (entry->readsM0 && in.operandCount < in.operands.size()) {
    Operand &m0 = in.operands[in.operandCount++]; // for the check of outstanding loads
    m0.kind = OperandKind::Scalar;
    m0.index = scalar::M0;
  }
  if (mnemonic == "ds_swizzle_b32")
    in.immediate = uint32_t(immediate);
  // An operand list that is shorter than the handler expects would read operands of kind None as zeros.
  if (in.operandCount < in.destinations)
    good = false;
  if (good)
    in.handler = entry->handler;
  return in;
}

void dualIssue(Wave &wave, const Instruction &in) {
  const Instruction &x = *in.second, &y = *x.second;
  const Operand &to = x.operands[0];
  if (to.kind != OperandKind::Vector) {
    wave.notModelled("a dual-issue half without a vector destination");
    return;
  }
  // X runs first; its result is held back until Y has read.
  uint32_t *row = wave.row(to.index);
  uint32_t before[kMaxLanes], after[kMaxLanes];
  std::copy_n(row, wave.width, before);
  x.handler(wave, x);
  std::copy_n(row, wave.width, after);
  std::copy_n(before, wave.width, row);
  y.handler(wave, y);
  std::copy_n(after, wave.width, row);
}

} // namespace

Instruction parseInstruction(const TargetFacts &target, const std::string &text, int64_t immediate) {
  size_t both = text.find(" :: ");
  if (both == std::string::npos)
    return parseSingle(target, text, immediate);
  auto x =
      std::make_shared<Instruction>(parseSingle(target, strip(string_view(text).substr(0, both)), immediate));
  auto y = std::make_shared<Instruction>(
      parseSingle(target, strip(string_view(text).substr(both + 4)), immediate));
  Instruction in;
  in.text = text;
  // For the check of outstanding loads: all operands of both halves.
  in.destinations = 2;
  in.operands[in.operandCount++] = x->operands[0];
  in.operands[in.operandCount++] = y->operands[0];
  for (const auto &half : {x, y})
    for (unsigned i = 1; i < half->operandCount && in.operandCount < in.operands.size(); ++i)
      if (half->operands[i].kind == OperandKind::Vector || half->operands[i].kind == OperandKind::Scalar)
        in.operands[in.operandCount++] = half->operands[i];
  // v_dual_cndmask_b32 reads vcc_lo without naming it.
  for (auto &half : {x, y})
    if (half->text.starts_with("v_dual_cndmask") && half->operandCount == 3) {
      Operand &mask = half->operands[half->operandCount++];
      mask.kind = OperandKind::Scalar;
      mask.index = scalar::Vcc;
      mask.dwords = 1;
    }
  if (x->handler && y->handler)
    in.handler = dualIssue;
  x->second = y;
  in.second = x;
  return in;
}

} // namespace quern::runtime::emulated::amd
