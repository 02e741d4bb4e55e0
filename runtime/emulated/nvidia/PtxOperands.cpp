//===- PtxOperands.cpp - Instructions of PTX ------------------------------------===//

#include "runtime/emulated/nvidia/PtxReader.h"

#include <cctype>

namespace quern::runtime::emulated::nvidia {

Status PtxReader::instruction() {
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

bool PtxReader::bracesClose() const {
  for (size_t i = position; i < tokens.size() && i < position + 4096; ++i)
    if (tokens[i].is(';'))
      return true;
  return false;
}

void PtxReader::splitOpcode(std::string_view word, Instruction &into) {
  size_t dot = word.find('.');
  into.opcode = std::string(word.substr(0, dot));
  while (dot != std::string_view::npos) {
    size_t next = word.find('.', dot + 1);
    into.modifiers.emplace_back(word.substr(dot + 1, next == std::string_view::npos ? next : next - dot - 1));
    dot = next;
  }
}

std::string PtxReader::collapse(std::string_view raw) {
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

bool PtxReader::operands(std::vector<Operand> &into) {
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

bool PtxReader::sequence(Operand &into, char end, unsigned depth) {
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

bool PtxReader::parseOperand(Operand &into, unsigned depth) {
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

bool PtxReader::primary(Operand &into, unsigned depth) {
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

bool PtxReader::offset(Operand &into) {
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

void PtxReader::name(std::string_view word, Operand &into) {
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

} // namespace quern::runtime::emulated::nvidia
