//===- PtxParser.cpp - Reads PTX text -------------------------------------===//

#include "runtime/emulated/nvidia/PtxParser.h"

#include "runtime/emulated/nvidia/PtxLexer.h"

#include <algorithm>
#include <bit>
#include <cctype>
#include <map>
#include <optional>

namespace quern::runtime::emulated::nvidia {

namespace {

/// Largest variable that is accepted: far above the 64 KiB of .const and the sizes compilers emit for
/// .global.
constexpr uint64_t maxVariableBytes = uint64_t(1) << 30;
/// Nesting of scopes, operands and initialisers; hostile text must not exhaust the stack.
constexpr unsigned maxDepth = 64;

std::optional<ScalarType> scalarType(std::string_view word) {
  static constexpr std::pair<std::string_view, ScalarType> types[] = {
      {".b8", {'b', 8}},     {".b16", {'b', 16}},   {".b32", {'b', 32}},    {".b64", {'b', 64}},
      {".b128", {'b', 128}}, {".u8", {'u', 8}},     {".u16", {'u', 16}},    {".u32", {'u', 32}},
      {".u64", {'u', 64}},   {".s8", {'s', 8}},     {".s16", {'s', 16}},    {".s32", {'s', 32}},
      {".s64", {'s', 64}},   {".f16", {'f', 16}},   {".f32", {'f', 32}},    {".f64", {'f', 64}},
      {".bf16", {'b', 16}},  {".f16x2", {'b', 32}}, {".bf16x2", {'b', 32}}, {".pred", {'p', 1}}};
  for (const auto &[name, type] : types)
    if (name == word)
      return type;
  return std::nullopt;
}

std::optional<Space> spaceOf(std::string_view word) {
  if (word == ".global")
    return Space::Global;
  if (word == ".shared" || word == ".shared::cta")
    return Space::Shared;
  if (word == ".local")
    return Space::Local;
  if (word == ".param")
    return Space::Param;
  if (word == ".const")
    return Space::Const;
  if (word == ".reg")
    return Space::Register;
  return std::nullopt;
}

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

class Parser {
public:
  explicit Parser(std::string_view text)
      : text(text), tokens(lexPtx(text)), module(std::make_unique<Module>()) {}

  Expected<std::unique_ptr<Module>> run() {
    while (!peek().is("") && peek().kind != Token::End) {
      if (Status status = topLevel(); !status.ok())
        return status;
    }
    if (!sawVersion || module->target.empty())
      return error("the PTX text has no .version and .target line");
    return std::move(module);
  }

private:
  //===--- Tokens ----------------------------------------------------------===//

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
  Status error(std::string sentence) const {
    const Token &token = peek();
    std::string seen = token.kind == Token::End ? "the end of the text" : "`" + std::string(token.text) + "`";
    return Status::error(Exit::BadInput, "E-EMULATED-CODE", std::move(sentence))
        .cause("line " + std::to_string(token.line) + " of the PTX text, at " + seen);
  }
  Status expect(char c) {
    if (accept(c))
      return Status::success();
    return error(std::string("expected `") + c + "`");
  }
  Status skipTo(char end) {
    while (!peek().is(end)) {
      if (peek().kind == Token::End)
        return error(std::string("expected `") + end + "`");
      take();
    }
    take();
    return Status::success();
  }
  Status skipBraces() {
    QUERN_RETURN_IF_ERROR(expect('{'));
    for (unsigned depth = 1; depth;) {
      if (peek().kind == Token::End)
        return error("expected `}`");
      depth += peek().is('{');
      depth -= peek().is('}');
      take();
    }
    return Status::success();
  }
  Expected<uint64_t> integer() {
    bool negative = accept('-');
    if (peek().kind != Token::Integer)
      return error("expected an integer");
    uint64_t value = take().value;
    return negative ? 0 - value : value;
  }

  //===--- Module level ----------------------------------------------------===//

  Status topLevel() {
    const Token &token = peek();
    if (token.kind != Token::Word || token.text[0] != '.')
      return error("expected a directive");
    std::string_view word = token.text;
    if (word == ".version")
      return version();
    if (word == ".target") {
      take();
      module->target = std::string(take().text);
      while (accept(','))
        take();
      return Status::success();
    }
    if (word == ".address_size") {
      take();
      QUERN_ASSIGN_OR_RETURN(uint64_t size, integer());
      return size == 64 ? Status::success() : error("only 64-bit addresses are supported");
    }
    if (word == ".file")
      return file();
    if (word == ".section") {
      take();
      take();
      return skipBraces();
    }
    if (word == ".pragma" || word == ".alias")
      return skipTo(';');
    if (word == ".loc")
      return location();
    return declaration();
  }

  Status version() {
    take();
    if (peek().kind != Token::Float)
      return error("expected a version number");
    std::string number(take().text);
    size_t dot = number.find('.');
    if (dot == std::string::npos)
      return error("expected a version number");
    module->versionMajor = static_cast<uint32_t>(std::strtoul(number.c_str(), nullptr, 10));
    module->versionMinor = static_cast<uint32_t>(std::strtoul(number.c_str() + dot + 1, nullptr, 10));
    sawVersion = true;
    return Status::success();
  }

  Status file() {
    take();
    QUERN_ASSIGN_OR_RETURN(uint64_t number, integer());
    if (peek().kind != Token::String || number > 65536)
      return error("expected a file number and a file name");
    std::string_view name = take().text;
    if (module->files.size() <= number)
      module->files.resize(number + 1);
    if (name.size() >= 2)
      module->files[number] = std::string(name.substr(1, name.size() - 2));
    while (accept(',')) {
      QUERN_ASSIGN_OR_RETURN([[maybe_unused]] uint64_t ignored, integer());
    }
    return Status::success();
  }

  Status location() {
    take();
    QUERN_ASSIGN_OR_RETURN(uint64_t file, integer());
    QUERN_ASSIGN_OR_RETURN(uint64_t line, integer());
    QUERN_ASSIGN_OR_RETURN([[maybe_unused]] uint64_t column, integer());
    sourceFile = static_cast<uint32_t>(file);
    sourceLine = static_cast<uint32_t>(line);
    while (peek().is(',') && peek(1).kind == Token::Word) {
      take();
      if (take().text == "inlined_at") {
        for (int i = 0; i < 3; ++i) {
          QUERN_ASSIGN_OR_RETURN([[maybe_unused]] uint64_t part, integer());
        }
      } else {
        take();
        if (accept('+'))
          take();
      }
    }
    return Status::success();
  }

  /// A variable or a function, after any linkage words.
  Status declaration() {
    bool isExtern = false;
    while (peek().is(".visible") || peek().is(".extern") || peek().is(".weak") || peek().is(".common"))
      isExtern |= take().text == ".extern";
    if (peek().is(".entry") || peek().is(".func"))
      return functionDeclaration();
    if (auto space = spaceOf(peek().text)) {
      take();
      return variables(*space, isExtern, module->variables, nullptr);
    }
    return error("unknown directive");
  }

  //===--- Variables -------------------------------------------------------===//

  /// Reads the type part of a declaration up to the name.
  Status variableType(Variable &variable) {
    bool sawType = false;
    while (peek().kind == Token::Word && peek().text[0] == '.') {
      std::string_view word = peek().text;
      if (word == ".align") {
        take();
        QUERN_ASSIGN_OR_RETURN(uint64_t align, integer());
        if (!std::has_single_bit(align) || align > 4096)
          return error("the alignment is not a power of two up to 4096");
        // After .ptr it is the alignment of what the pointer points to.
        if (!variable.isPointer)
          variable.align = static_cast<uint32_t>(align);
      } else if (word == ".ptr") {
        take();
        variable.isPointer = true;
      } else if (word == ".v2" || word == ".v4" || word == ".v8") {
        variable.vector = static_cast<uint32_t>(take().text[2] - '0');
      } else if (word == ".attribute") {
        take();
        QUERN_RETURN_IF_ERROR(skipTo(')'));
      } else if (auto type = scalarType(word)) {
        take();
        variable.type = *type;
        sawType = true;
      } else if (variable.isPointer && spaceOf(word)) {
        take();
      } else {
        return error("unknown type");
      }
    }
    if (!sawType)
      return error("expected a type");
    variable.align =
        std::max<uint32_t>(variable.align, std::max(1, variable.type.bits / 8) * variable.vector);
    return Status::success();
  }

  Status arraySize(Variable &variable) {
    uint64_t count = 1;
    while (accept('[')) {
      if (accept(']')) {
        count = 0;
        continue;
      }
      QUERN_ASSIGN_OR_RETURN(uint64_t dimension, integer());
      if (dimension > maxVariableBytes || count * dimension > maxVariableBytes)
        return error("the variable is too large");
      count *= dimension;
      QUERN_RETURN_IF_ERROR(expect(']'));
    }
    variable.bytes = count * variable.vector * std::max(1, variable.type.bits / 8);
    if (variable.bytes > maxVariableBytes)
      return error("the variable is too large");
    return Status::success();
  }

  Status variables(Space space, bool isExtern, std::vector<Variable> &into, Scope *scope) {
    Variable base;
    base.space = space;
    base.isExtern = isExtern;
    QUERN_RETURN_IF_ERROR(variableType(base));
    do {
      Variable variable = base;
      if (peek().kind != Token::Word)
        return error("expected a name");
      variable.name = std::string(take().text);
      QUERN_RETURN_IF_ERROR(arraySize(variable));
      if (accept('=')) {
        variable.init.reserve(std::min<uint64_t>(variable.bytes, 4096));
        QUERN_RETURN_IF_ERROR(initialiser(variable, 0));
        if (variable.bytes == 0)
          variable.bytes = variable.init.size();
        if (variable.init.size() > variable.bytes)
          return error("the initialiser is larger than the variable");
      }
      auto &names = scope ? scope->variables : moduleVariables;
      names[variable.name] = static_cast<uint32_t>(into.size());
      into.push_back(std::move(variable));
    } while (accept(','));
    return expect(';');
  }

  Status initialiser(Variable &variable, unsigned depth) {
    if (depth > maxDepth)
      return error("the initialiser is nested too deeply");
    if (accept('{')) {
      while (!peek().is('}')) {
        QUERN_RETURN_IF_ERROR(initialiser(variable, depth + 1));
        if (!accept(','))
          break;
      }
      return expect('}');
    }
    unsigned bytes = std::max(1, variable.type.bits / 8);
    uint64_t value = 0;
    bool negative = accept('-');
    if (peek().kind == Token::Integer) {
      value = take().value;
      if (negative)
        value = 0 - value;
      if (peek().is('(')) // 0xFF00(symbol): one byte of an address (PTX ISA 5.4.4)
        return error("initialisers that take one byte of an address are not supported");
    } else if (peek().kind == Token::Float) {
      const Token &token = take();
      value = floatBits(token.value, token.floatBits, variable.type.bits);
      if (negative)
        value ^= uint64_t(1) << (variable.type.bits - 1);
    } else if (peek().kind == Token::Word) {
      bool parenthesis = peek().is("generic");
      if (parenthesis) {
        take();
        QUERN_RETURN_IF_ERROR(expect('('));
      }
      Relocation relocation;
      relocation.symbol = std::string(take().text);
      relocation.offset = variable.init.size();
      if (parenthesis)
        QUERN_RETURN_IF_ERROR(expect(')'));
      if (accept('+')) {
        QUERN_ASSIGN_OR_RETURN(relocation.addend, integer());
      }
      if (bytes != 8)
        return error("an address needs a 64-bit variable");
      variable.relocations.push_back(std::move(relocation));
    } else {
      return error("expected a value");
    }
    for (unsigned i = 0; i < bytes; ++i)
      variable.init.push_back(i < 8 ? static_cast<uint8_t>(value >> (8 * i)) : 0);
    if (variable.init.size() > maxVariableBytes)
      return error("the initialiser is too large");
    return Status::success();
  }

  static uint64_t floatBits(uint64_t bits, unsigned have, unsigned want) {
    double value =
        have == 32 ? std::bit_cast<float>(static_cast<uint32_t>(bits)) : std::bit_cast<double>(bits);
    if (want == 32)
      return have == 32 ? bits : std::bit_cast<uint32_t>(static_cast<float>(value));
    if (want == 64)
      return std::bit_cast<uint64_t>(value);
    return bits;
  }

  //===--- Functions -------------------------------------------------------===//

  Status functionDeclaration() {
    auto owned = std::make_unique<Function>();
    function = owned.get();
    function->isEntry = take().text == ".entry";
    scopes.assign(1, Scope());
    scope = 0;
    sourceFile = sourceLine = 0;
    instructionScopes.clear();
    if (peek().is('('))
      QUERN_RETURN_IF_ERROR(parameterList(function->results));
    if (peek().kind != Token::Word)
      return error("expected the name of the function");
    function->name = std::string(take().text);
    if (peek().is('('))
      QUERN_RETURN_IF_ERROR(parameterList(function->parameters));
    while (peek().kind == Token::Word && peek().text[0] == '.')
      QUERN_RETURN_IF_ERROR(performanceDirective());
    if (accept(';')) {
      module->functions.push_back(std::move(owned));
      return Status::success();
    }
    QUERN_RETURN_IF_ERROR(expect('{'));
    function->isDefined = true;
    QUERN_RETURN_IF_ERROR(body(0));
    QUERN_RETURN_IF_ERROR(resolveLabels());
    module->functions.push_back(std::move(owned));
    return Status::success();
  }

  Status parameterList(std::vector<uint32_t> &into) {
    QUERN_RETURN_IF_ERROR(expect('('));
    while (!peek().is(')')) {
      auto space = spaceOf(peek().text);
      if (!space)
        return error("expected a parameter");
      take();
      Variable variable;
      variable.space = Space::Param;
      QUERN_RETURN_IF_ERROR(variableType(variable));
      if (peek().kind != Token::Word)
        return error("expected the name of the parameter");
      variable.name = std::string(take().text);
      QUERN_RETURN_IF_ERROR(arraySize(variable));
      if (*space == Space::Register)
        return error("parameters in registers are not supported");
      into.push_back(static_cast<uint32_t>(function->variables.size()));
      scopes[0].variables[variable.name] = static_cast<uint32_t>(function->variables.size());
      function->variables.push_back(std::move(variable));
      if (!accept(','))
        break;
    }
    return expect(')');
  }

  Status performanceDirective() {
    std::string_view word = take().text;
    if (word == ".pragma")
      return skipTo(';');
    uint64_t values[3] = {1, 1, 1};
    for (unsigned i = 0; peek().kind == Token::Integer; ++i) {
      uint64_t value = take().value;
      if (i < 3)
        values[i] = std::min<uint64_t>(value, 1 << 20);
      if (!accept(','))
        break;
    }
    if (word == ".reqntid")
      for (int i = 0; i < 3; ++i)
        function->requiredThreads[i] = static_cast<uint32_t>(values[i]);
    if (word == ".maxntid")
      function->maximumThreads =
          static_cast<uint32_t>(std::min<uint64_t>(values[0] * values[1] * values[2], 1 << 20));
    return Status::success();
  }

  Status body(unsigned depth) {
    if (depth > maxDepth)
      return error("scopes are nested too deeply");
    while (!peek().is('}')) {
      const Token &token = peek();
      if (token.kind == Token::End)
        return error("expected `}`");
      if (token.is('{')) {
        take();
        uint32_t outer = scope;
        scopes.emplace_back();
        scope = static_cast<uint32_t>(scopes.size() - 1);
        scopes[scope].parent = outer;
        QUERN_RETURN_IF_ERROR(body(depth + 1));
        scope = outer;
      } else if (token.is(';')) {
        take();
      } else if (token.kind == Token::Word && token.text[0] == '.') {
        QUERN_RETURN_IF_ERROR(bodyDirective());
      } else if (token.kind == Token::Word && peek(1).is(':')) {
        QUERN_RETURN_IF_ERROR(label());
      } else if (token.kind == Token::Word || token.is('@')) {
        QUERN_RETURN_IF_ERROR(instruction());
      } else {
        return error("expected an instruction");
      }
    }
    take();
    return Status::success();
  }

  Status label() {
    std::string name(take().text);
    take();
    if (peek().is(".branchtargets")) {
      take();
      BranchTable table;
      table.name = name;
      do {
        pendingTargets.push_back(
            {static_cast<uint32_t>(function->branchTables.size()), scope, std::string(take().text)});
      } while (accept(','));
      function->branchTables.push_back(std::move(table));
      return expect(';');
    }
    if (peek().is(".callprototype") || peek().is(".calltargets"))
      return skipTo(';');
    if (!scopes[scope].labels.emplace(name, static_cast<uint32_t>(function->instructions.size())).second)
      return error("the label `" + name + "` is defined twice");
    return Status::success();
  }

  Status bodyDirective() {
    std::string_view word = peek().text;
    if (word == ".loc")
      return location();
    if (word == ".pragma")
      return skipTo(';');
    if (word == ".file")
      return file();
    bool isExtern = false;
    if (word == ".extern") {
      take();
      isExtern = true;
      word = peek().text;
    }
    auto space = spaceOf(word);
    if (!space)
      return error("unknown directive");
    take();
    if (*space == Space::Register)
      return registers();
    return variables(*space, isExtern, function->variables, &scopes[scope]);
  }

  Status registers() {
    Variable variable;
    QUERN_RETURN_IF_ERROR(variableType(variable));
    if (variable.vector != 1)
      return error("vector registers are not supported");
    do {
      if (peek().kind != Token::Word)
        return error("expected the name of a register");
      std::string name(take().text);
      if (accept('<')) {
        QUERN_ASSIGN_OR_RETURN(uint64_t count, integer());
        QUERN_RETURN_IF_ERROR(expect('>'));
        scopes[scope].ranges.push_back({name, count, variable.type});
      } else {
        scopes[scope].registers[name] = addRegister(name, variable.type);
      }
    } while (accept(','));
    return expect(';');
  }

  uint32_t addRegister(std::string name, ScalarType type) {
    function->registers.push_back({std::move(name), type});
    return static_cast<uint32_t>(function->registers.size() - 1);
  }

  //===--- Instructions ----------------------------------------------------===//

  /// Calls |visit| with each scope from the innermost outwards until it returns true.
  template <typename Visit> bool fromInside(uint32_t from, Visit visit) {
    for (uint32_t at = from;; at = scopes[at].parent) {
      if (visit(scopes[at]))
        return true;
      if (at == 0)
        return false;
    }
  }

  std::optional<uint32_t> findRegister(std::string_view name) {
    std::optional<uint32_t> found;
    fromInside(scope, [&](Scope &where) {
      if (auto it = where.registers.find(name); it != where.registers.end()) {
        found = it->second;
        return true;
      }
      for (const Scope::Range &range : where.ranges) {
        if (name.size() <= range.prefix.size() || !name.starts_with(range.prefix))
          continue;
        uint64_t number = 0;
        std::string_view digits = name.substr(range.prefix.size());
        if (digits.size() > 9 ||
            !std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; }))
          continue;
        for (char c : digits)
          number = number * 10 + static_cast<uint64_t>(c - '0');
        if (number >= range.count)
          continue;
        found = where.registers[std::string(name)] = addRegister(std::string(name), range.type);
        return true;
      }
      return false;
    });
    return found;
  }

  Status instruction() {
    Instruction result;
    result.line = peek().line;
    result.sourceFile = sourceFile;
    result.sourceLine = sourceLine;
    uint32_t begin = peek().begin;
    if (accept('@')) {
      result.guardNegated = accept('!');
      auto guard = findRegister(peek().text);
      if (!guard)
        return error("unknown predicate");
      take();
      result.guard = static_cast<int32_t>(*guard);
    }
    if (peek().kind != Token::Word)
      return error("expected an instruction");
    splitOpcode(take().text, result);
    size_t first = position;
    if (!operands(result.operands)) {
      result.readable = false;
      result.operands.clear();
      position = first;
      while (!peek().is(';')) {
        if (peek().kind == Token::End || peek().is('{') || peek().is('}')) {
          // Braces belong to operands only inside one instruction; anything else is a lost semicolon.
          if (peek().kind == Token::End || !bracesClose())
            return error("expected `;`");
        }
        take();
      }
    }
    uint32_t end = peek().begin;
    QUERN_RETURN_IF_ERROR(expect(';'));
    result.text = collapse(text.substr(begin, end - begin));
    function->instructions.push_back(std::move(result));
    instructionScopes.push_back(scope);
    return Status::success();
  }

  /// True if a `;` comes before the end of the text: what is skipped is then one instruction.
  bool bracesClose() const {
    for (size_t i = position; i < tokens.size() && i < position + 4096; ++i)
      if (tokens[i].is(';'))
        return true;
    return false;
  }

  static void splitOpcode(std::string_view word, Instruction &into) {
    size_t dot = word.find('.');
    into.opcode = std::string(word.substr(0, dot));
    while (dot != std::string_view::npos) {
      size_t next = word.find('.', dot + 1);
      into.modifiers.emplace_back(
          word.substr(dot + 1, next == std::string_view::npos ? next : next - dot - 1));
      dot = next;
    }
  }

  static std::string collapse(std::string_view raw) {
    std::string result;
    for (size_t i = 0; i < raw.size(); ++i) {
      if (raw[i] == '/' && i + 1 < raw.size() && raw[i + 1] == '/') {
        while (i < raw.size() && raw[i] != '\n')
          ++i;
        continue;
      }
      if (!std::isspace(static_cast<unsigned char>(raw[i])))
        result += raw[i];
      else if (!result.empty() && result.back() != ' ')
        result += ' ';
    }
    return result;
  }

  /// Reads operands up to `;`. False where they have a form that is unknown here.
  bool operands(std::vector<Operand> &into) {
    if (peek().is(';'))
      return true;
    do {
      Operand operand;
      if (!parseOperand(operand, 0))
        return false;
      into.push_back(std::move(operand));
    } while (accept(','));
    return peek().is(';');
  }

  bool sequence(Operand &into, char end, unsigned depth) {
    while (!peek().is(end)) {
      Operand part;
      if (!parseOperand(part, depth + 1))
        return false;
      into.parts.push_back(std::move(part));
      if (!accept(','))
        break;
    }
    return accept(end);
  }

  bool parseOperand(Operand &into, unsigned depth) {
    if (depth > maxDepth || !primary(into, depth))
      return false;
    if (!peek().is('|'))
      return true;
    take();
    Operand pair, second;
    if (!primary(second, depth))
      return false;
    pair.kind = Operand::Pair;
    pair.parts.push_back(std::move(into));
    pair.parts.push_back(std::move(second));
    into = std::move(pair);
    return true;
  }

  bool primary(Operand &into, unsigned depth) {
    if (accept('{')) {
      into.kind = Operand::Vector;
      return sequence(into, '}', depth);
    }
    if (accept('(')) {
      into.kind = Operand::List;
      return sequence(into, ')', depth);
    }
    if (accept('[')) {
      into.kind = Operand::Address;
      if (!sequence(into, ']', depth) || into.parts.empty())
        return false;
      // The offset is kept with the address, not with its base.
      into.value = into.parts[0].kind == Operand::Integer ? 0 : into.parts[0].value;
      if (into.parts[0].kind != Operand::Integer)
        into.parts[0].value = 0;
      return true;
    }
    if (accept('!')) {
      into.negated = true;
      return primary(into, depth + 1) && into.kind == Operand::Register;
    }
    bool negative = accept('-');
    const Token &token = peek();
    if (token.kind == Token::Integer) {
      take();
      into.kind = Operand::Integer;
      into.value = negative ? 0 - token.value : token.value;
      return true;
    }
    if (token.kind == Token::Float) {
      take();
      into.kind = Operand::Float;
      into.floatBits = token.floatBits;
      into.value = negative ? token.value ^ (uint64_t(1) << (token.floatBits - 1)) : token.value;
      return true;
    }
    if (negative || token.kind != Token::Word)
      return false;
    name(token.text, into);
    take();
    return offset(into);
  }

  /// "+ 16", "+ -16" or "- 16" after a name.
  bool offset(Operand &into) {
    while (peek().is('+') || peek().is('-')) {
      bool negative = take().is('-');
      if (accept('-'))
        negative = !negative;
      if (peek().kind != Token::Integer)
        return false;
      uint64_t value = take().value;
      into.value += negative ? 0 - value : value;
    }
    return true;
  }

  void name(std::string_view word, Operand &into) {
    if (word == "_") {
      into.kind = Operand::Sink;
      return;
    }
    if (auto found = findRegister(word)) {
      into.kind = Operand::Register;
      into.index = *found;
      return;
    }
    into.name = std::string(word);
    bool local = fromInside(scope, [&](Scope &where) {
      auto it = where.variables.find(word);
      if (it == where.variables.end())
        return false;
      into.kind = Operand::Variable;
      into.index = it->second;
      return true;
    });
    if (local)
      return;
    if (auto it = moduleVariables.find(word); it != moduleVariables.end()) {
      into.kind = Operand::Global;
      into.index = it->second;
      return;
    }
    if (word[0] == '%') {
      into.kind = Operand::Special;
      return;
    }
    into.kind = Operand::Name;
  }

  //===--- Labels ----------------------------------------------------------===//

  std::optional<uint32_t> findLabel(uint32_t from, std::string_view name) {
    std::optional<uint32_t> found;
    fromInside(from, [&](Scope &where) {
      auto it = where.labels.find(name);
      if (it != where.labels.end())
        found = it->second;
      return found.has_value();
    });
    return found;
  }

  Status resolveLabels() {
    function->isTarget.assign(function->instructions.size() + 1, false);
    for (size_t i = 0; i < function->instructions.size(); ++i)
      for (Operand &operand : function->instructions[i].operands)
        if (operand.kind == Operand::Name)
          if (auto found = findLabel(instructionScopes[i], operand.name)) {
            operand.kind = Operand::Label;
            operand.index = *found;
            function->isTarget[*found] = true;
          }
    for (const PendingTarget &pending : pendingTargets) {
      auto found = findLabel(pending.scope, pending.name);
      if (!found)
        return error("the branch target `" + pending.name + "` is not defined");
      function->branchTables[pending.table].targets.push_back(*found);
      function->isTarget[*found] = true;
    }
    pendingTargets.clear();
    return Status::success();
  }

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

} // namespace

Expected<std::unique_ptr<Module>> parsePtx(std::string_view text) {
  if (text.size() > (uint64_t(1) << 31))
    return Status::error(Exit::BadInput, "E-EMULATED-CODE", "the PTX text is larger than 2 GiB");
  return Parser(text).run();
}

} // namespace quern::runtime::emulated::nvidia
