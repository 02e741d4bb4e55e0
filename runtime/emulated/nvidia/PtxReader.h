//===- PtxReader.h - The parser of PTX, inside ----------------------------===//
//
// A recursive-descent reader over the tokens of one module. Its parts stand in PtxParser.cpp (module level),
// PtxVariables.cpp, PtxFunctions.cpp and PtxOperands.cpp; nothing else includes this header.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_PTXREADER_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_PTXREADER_H

#include "runtime/emulated/nvidia/Ptx.h"
#include "runtime/emulated/nvidia/PtxLexer.h"
#include "support/Status.h"

#include <algorithm>
#include <map>
#include <optional>

namespace quern::runtime::emulated::nvidia {

/// Largest variable that is accepted: far above the 64 KiB of .const and what compilers emit for .global.
inline constexpr uint64_t maxVariableBytes = uint64_t(1) << 30;
/// Nesting of scopes, operands and initialisers; hostile text must not exhaust the stack.
inline constexpr unsigned maxDepth = 64;

/// The space named by a directive word as in ".shared".
std::optional<Space> spaceOf(std::string_view word);

/// Names of one { } scope. Registers declared as %r<N> are one range.
struct Scope {
  struct Range {
    std::string prefix;
    uint64_t count;
    ScalarType type;
  };
  uint32_t parent = 0;
  std::map<std::string, uint32_t, std::less<>> registers, variables, labels;
  std::vector<Range> ranges;
};

class PtxReader {
public:
  explicit PtxReader(std::string_view text)
      : text(text), tokens(lexPtx(text)), module(std::make_unique<Module>()) {}

  Expected<std::unique_ptr<Module>> run();

private:
  const Token &peek(size_t ahead = 0) const { return tokens[std::min(position + ahead, tokens.size() - 1)]; }
  const Token &take() {
    const Token &token = peek();
    if (position + 1 < tokens.size())
      ++position;
    return token;
  }
  bool accept(char c) {
    if (!peek().is(c))
      return false;
    take();
    return true;
  }
  bool accept(std::string_view word) {
    if (!peek().is(word))
      return false;
    take();
    return true;
  }
  Status error(std::string sentence) const;
  Status expect(char c);
  Status skipTo(char end);
  Status skipBraces();
  Expected<uint64_t> integer();
  Status topLevel();
  Status version();
  Status file();
  Status location();
  /// A variable or a function, after any linkage words.
  Status declaration();

  // PtxVariables.cpp

  /// Reads the type part of a declaration up to the name.
  Status variableType(Variable &variable);
  Status arraySize(Variable &variable);
  Status variables(Space space, bool isExtern, std::vector<Variable> &into, Scope *scope);
  Status initialiser(Variable &variable, unsigned depth);
  static uint64_t floatBits(uint64_t bits, unsigned have, unsigned want);

  // PtxFunctions.cpp

  Status functionDeclaration();
  Status parameterList(std::vector<uint32_t> &into);
  Status performanceDirective();
  Status body(unsigned depth);
  Status label();
  Status bodyDirective();
  Status registers();
  uint32_t addRegister(std::string name, ScalarType type);
  /// Calls |visit| with each scope from the innermost outwards until it returns true.
  template <typename Visit> bool fromInside(uint32_t from, Visit visit) {
    for (uint32_t at = from;; at = scopes[at].parent) {
      if (visit(scopes[at]))
        return true;
      if (at == 0)
        return false;
    }
  }
  std::optional<uint32_t> findRegister(std::string_view name);
  std::optional<uint32_t> findLabel(uint32_t from, std::string_view name);
  Status resolveLabels();

  // PtxOperands.cpp

  Status instruction();
  /// True if a `;` comes before the end of the text: what is skipped is then one instruction.
  bool bracesClose() const;
  static void splitOpcode(std::string_view word, Instruction &into);
  static std::string collapse(std::string_view raw);
  /// Reads operands up to `;`. False where they have a form that is unknown here.
  bool operands(std::vector<Operand> &into);
  bool sequence(Operand &into, char end, unsigned depth);
  bool parseOperand(Operand &into, unsigned depth);
  bool primary(Operand &into, unsigned depth);
  /// "+ 16", "+ -16" or "- 16" after a name.
  bool offset(Operand &into);
  void name(std::string_view word, Operand &into);

  struct PendingTarget {
    uint32_t table, scope;
    std::string name;
  };
  std::string_view text;
  std::vector<Token> tokens;
  size_t position = 0;
  std::unique_ptr<Module> module;
  bool sawVersion = false;
  std::map<std::string, uint32_t, std::less<>> moduleVariables;
  // Of the function that is being read.
  Function *function = nullptr;
  std::vector<Scope> scopes;
  uint32_t scope = 0;
  std::vector<uint32_t> instructionScopes;
  std::vector<PendingTarget> pendingTargets;
  uint32_t sourceFile = 0, sourceLine = 0;
};

} // namespace quern::runtime::emulated::nvidia

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_PTXREADER_H
