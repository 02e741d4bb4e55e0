//===- CoverageList.cpp - Which instructions the emulated devices model -----===//
//
// Writes docs/EmulatedCoverage.md:
//
//   build/bin/emulated-coverage > docs/EmulatedCoverage.md
//
// AMD: every encoding that LLVM's disassembler accepts for the target, found by walking the fields that hold
// operations (manuals of CDNA3, RDNA3 and RDNA4, "Microcode Formats"), against the table of handlers. NVIDIA:
// the instructions of the PTX ISA by their chapters (version 9.0, chapter 9.7) against the table of
// translators.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/Decoder.h"
#include "runtime/emulated/nvidia/ModelledOpcodes.h"

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
#include <cstdint>
#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <vector>

using namespace quern::runtime::emulated;

namespace {

/// Parts of the instruction set that no compute kernel of a compiler reaches, and why.
const char *whyOutside(const std::string &name) {
  static const struct {
    const char *prefix, *reason;
  } families[] = {
      {"image_", "images and ray tracing"},
      {"v_interp_", "pixel shading"},
      {"exp", "pixel shading"},
      {"lds_param", "pixel shading"},
      {"lds_direct", "pixel shading"},
      {"ds_param", "pixel shading"},
      {"ds_direct", "pixel shading"},
      {"ds_gws", "global wave sync"},
      {"ds_ordered", "global wave sync"},
      {"ds_add_gs", "geometry streams"},
      {"ds_sub_gs", "geometry streams"},
      {"tbuffer_", "typed buffers"},
      {"buffer_load_format", "typed buffers"},
      {"buffer_store_format", "typed buffers"},
      {"buffer_load_d16_format", "typed buffers"},
      {"buffer_store_d16_format", "typed buffers"},
      {"buffer_load_d16_hi_format", "typed buffers"},
      {"buffer_store_d16_hi_format", "typed buffers"},
      {"s_rfe", "trap handlers and the debugger"},
      {"s_cbranch_cdbg", "trap handlers and the debugger"},
      {"s_cbranch_g_fork", "trap handlers and the debugger"},
      {"s_cbranch_i_fork", "trap handlers and the debugger"},
      {"s_cbranch_join", "trap handlers and the debugger"},
      {"s_set_gpr_idx", "trap handlers and the debugger"},
      {"s_alloc_vgpr", "trap handlers and the debugger"},
      {"s_setvskip", "trap handlers and the debugger"},
      {"s_setkill", "trap handlers and the debugger"},
      {"s_sethalt", "trap handlers and the debugger"},
      {"s_dcache_", "scalar cache control"},
      {"s_atc_", "scalar cache control"},
      {"s_gl1_", "scalar cache control"},
      {"s_scratch_", "scalar stores"},
      {"s_store_", "scalar stores"},
      {"s_buffer_store_", "scalar stores"},
      {"s_atomic_", "scalar stores"},
      {"s_buffer_atomic_", "scalar stores"},
      {"s_ttracedata", "tracing"},
      {"s_perf", "tracing"},
      {"s_incperf", "tracing"},
      {"s_decperf", "tracing"},
  };
  for (const auto &family : families)
    if (name.starts_with(family.prefix))
      return family.reason;
  return nullptr;
}

struct Coverage {
  std::set<std::string> modelled, missing;
  std::map<std::string, std::set<std::string>> outside; ///< by reason
};

/// Walks the encodings of one target.
class Walker {
public:
  explicit Walker(const std::string &name) : facts(*amd::findTarget(name)) {
    llvm::Triple triple("amdgcn-amd-amdhsa");
    std::string message;
    const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, message);
    registers.reset(target->createMCRegInfo(triple));
    asmInfo.reset(target->createMCAsmInfo(*registers, triple, options));
    instructions.reset(target->createMCInstrInfo());
    subtarget.reset(target->createMCSubtargetInfo(triple, name, ""));
    context = std::make_unique<llvm::MCContext>(triple, asmInfo.get(), registers.get(), subtarget.get());
    disassembler.reset(target->createMCDisassembler(*subtarget, *context));
    printer.reset(target->createMCInstPrinter(triple, asmInfo->getAssemblerDialect(), *asmInfo, *instructions,
                                              *registers));
  }

  Coverage walk() {
    for (uint32_t lead = 0; lead < 64; ++lead) // VOP2, and VOPC and VOP1 behind it
      for (uint32_t op = 0; op < (lead >= 62 ? 256u : 1u); ++op)
        for (uint32_t source : {0, 256}) // s0, v0
          visit(lead << 25 | (lead == 62 ? op << 17 : op << 9) | source);
    for (uint32_t high = 0x8000; high < 0xC000; ++high) // scalar
      for (uint32_t op = 0; op < (high >> 7 == 0x17D ? 256u : 1u); ++op)
        visit(high << 16 | op << 8);
    for (uint32_t high = 0xC000; high <= 0xFFFF; ++high)
      for (uint32_t low = 0; low < 4; ++low)
        visit(high << 16 | low << 14);
    Coverage coverage;
    for (const auto &[name, isModelled] : found)
      if (isModelled)
        coverage.modelled.insert(name);
      else if (const char *reason = whyOutside(name))
        coverage.outside[reason].insert(name);
      else
        coverage.missing.insert(name);
    return coverage;
  }

private:
  /// The word with several second and third ones: registers of either file, constants, none.
  void visit(uint32_t word) {
    constexpr uint32_t vectors = 256 | 258 << 9 | 260 << 18, highHalves = 3 << 27;
    static const uint32_t rests[][2] = {{0, 0},
                                        {vectors, 0},
                                        {vectors | highHalves, 0},
                                        {256, 0},
                                        {256 | 258 << 9 | 128 << 18, 0x7C},
                                        {0x04020100, 0},
                                        {0x7C000000, 4},
                                        {0x7C, 0}};
    for (const auto &rest : rests) {
      uint32_t words[8] = {word, rest[0], rest[1]};
      llvm::ArrayRef<uint8_t> bytes(reinterpret_cast<const uint8_t *>(words), sizeof words);
      llvm::MCInst inst;
      uint64_t size = 0;
      if (disassembler->getInstruction(inst, size, bytes, 0, llvm::nulls()) != llvm::MCDisassembler::Success)
        continue;
      if (seen.contains(inst.getOpcode()))
        continue;
      std::string text;
      llvm::raw_string_ostream stream(text);
      printer->printInst(&inst, 0, "", *subtarget, stream);
      for (char &c : text)
        c = c == '\t' || c == '\n' ? ' ' : c;
      text.erase(0, text.find_first_not_of(' '));
      text.erase(text.find_last_not_of(' ') + 1);
      std::string name = text.substr(0, text.find(' '));
      if (text.find(" :: ") != std::string::npos || name.empty())
        continue; // two instructions at once: each stands in the list by itself
      for (const char *suffix : {"_e32", "_e64", "_dpp", "_sdwa", "_e64_dpp"})
        if (name.ends_with(suffix))
          name.resize(name.size() - std::string_view(suffix).size());
      bool &isModelled = found[name];
      if (!amd::parseInstruction(facts, text, 0).handler)
        continue; // perhaps these operands are not what it takes
      isModelled = true;
      seen.insert(inst.getOpcode());
    }
  }

  amd::TargetFacts facts;
  llvm::MCTargetOptions options;
  std::unique_ptr<llvm::MCRegisterInfo> registers;
  std::unique_ptr<llvm::MCAsmInfo> asmInfo;
  std::unique_ptr<llvm::MCInstrInfo> instructions;
  std::unique_ptr<llvm::MCSubtargetInfo> subtarget;
  std::unique_ptr<llvm::MCContext> context;
  std::unique_ptr<llvm::MCDisassembler> disassembler;
  std::unique_ptr<llvm::MCInstPrinter> printer;
  std::set<unsigned> seen; ///< opcodes that a handler takes
  std::map<std::string, bool> found;
};

/// PTX ISA 9.0, the sections of chapter 9.7 and the opcodes of their headings.
const struct {
  const char *chapter, *opcodes;
} ptxChapters[] = {
    {"9.7.1 integer arithmetic", "add sub mul mad mul24 mad24 sad div rem abs neg min max popc clz bfind fns "
                                 "brev bfe bfi szext bmsk dp4a dp2a"},
    {"9.7.2 extended precision", "addc subc madc"},
    {"9.7.3 floating point", "testp copysign fma rcp sqrt rsqrt sin cos lg2 ex2 tanh"},
    {"9.7.6 comparison and selection", "set setp selp slct"},
    {"9.7.8 logic and shift", "and or xor not cnot lop3 shf shl shr"},
    {"9.7.9 data movement", "mov shfl prmt ld ldu st multimem prefetch prefetchu applypriority discard "
                            "createpolicy isspacep cvta cvt "
                            "mapa getctarank cp tensormap movmatrix ldmatrix stmatrix"},
    {"9.7.10 texture", "tex tld4 txq istypep"},
    {"9.7.11 surface", "suld sust sured suq"},
    {"9.7.12 control flow", "bra brx call ret exit"},
    {"9.7.13 synchronisation", "bar barrier membar fence atom red vote match activemask redux griddepcontrol "
                               "elect mbarrier clusterlaunchcontrol"},
    {"9.7.14 matrices of a warp", "wmma mma"},
    {"9.7.15 matrices of a warpgroup", "wgmma"},
    {"9.7.16 tensor core, 5th generation", "tcgen05"},
    {"9.7.17 stack", "stacksave stackrestore alloca"},
    {"9.7.18 video", "vadd vsub vabsdiff vmin vmax vshl vshr vmad vset vadd2 vsub2 vavrg2 vabsdiff2 vmin2 "
                     "vmax2 vset2 vadd4 vsub4 "
                     "vavrg4 vabsdiff4 vmin4 vmax4 vset4"},
    {"9.7.19 other", "brkpt nanosleep pmevent trap setmaxnreg"},
};

std::string list(const std::set<std::string> &names) {
  std::string text;
  for (const std::string &name : names)
    text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "none" : text;
}

} // namespace

int main() {
  LLVMInitializeAMDGPUTargetInfo();
  LLVMInitializeAMDGPUTargetMC();
  LLVMInitializeAMDGPUDisassembler();
  std::printf(
      "# Instructions of the emulated devices\n\n"
      "Made by `build/bin/emulated-coverage`. An instruction that is not modelled is an error that names it "
      "when it is\nreached. Forms of one name are one entry; [EmulatedNvidia.md](EmulatedNvidia.md) says "
      "which "
      "forms of the\nasynchronous PTX instructions are missing.\n\n"
      "## AMD: what LLVM's disassembler knows\n\n"
      "| target | names | modelled | outside of compute kernels | missing |\n|---|---|---|---|---|\n");
  std::map<std::string, Coverage> all;
  for (const char *target : {"gfx90a", "gfx942", "gfx950", "gfx1100", "gfx1201"})
    all[target] = Walker(target).walk();
  std::map<std::string, std::set<std::string>> outside;
  for (const char *target : {"gfx90a", "gfx942", "gfx950", "gfx1100", "gfx1201"}) {
    const Coverage &c = all[target];
    size_t beyond = 0;
    for (const auto &[reason, names] : c.outside) {
      beyond += names.size();
      outside[reason].insert(names.begin(), names.end());
    }
    std::printf("| %s | %zu | %zu | %zu | %zu |\n", target, c.modelled.size() + beyond + c.missing.size(),
                c.modelled.size(), beyond, c.missing.size());
  }
  std::printf("\nOutside of compute kernels, names of all targets:\n\n");
  for (const auto &[reason, names] : outside)
    std::printf("- %s: %zu\n", reason.c_str(), names.size());
  std::printf("\nMissing:\n\n");
  for (const auto &[target, c] : all)
    std::printf("- %s: %s\n", target.c_str(), list(c.missing).c_str());
  std::printf("\n## NVIDIA: the chapters of the PTX ISA\n\n| chapter | opcodes | modelled | missing "
              "|\n|---|---|---|---|\n");
  for (const auto &[chapter, opcodes] : ptxChapters) {
    std::set<std::string> missing;
    size_t count = 0;
    for (std::string rest = opcodes; !rest.empty();) {
      std::string name = rest.substr(0, rest.find(' '));
      rest.erase(0, std::min(rest.size(), name.size() + 1));
      ++count;
      if (!nvidia::isModelledOpcode(name))
        missing.insert(name);
    }
    std::printf("| %s | %zu | %zu | %s |\n", chapter, count, count - missing.size(), list(missing).c_str());
  }
  return 0;
}
