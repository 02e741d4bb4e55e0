//===- PtxVariables.cpp - Declarations of variables in PTX ----------------------===//

#include "runtime/emulated/nvidia/PtxReader.h"

#include <bit>

namespace quern::runtime::emulated::nvidia {

namespace {

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

} // namespace

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

Status PtxReader::variableType(Variable &variable) {
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
  variable.align = std::max<uint32_t>(variable.align, std::max(1, variable.type.bits / 8) * variable.vector);
  return Status::success();
}

Status PtxReader::arraySize(Variable &variable) {
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

Status PtxReader::variables(Space space, bool isExtern, std::vector<Variable> &into, Scope *scope) {
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

Status PtxReader::initialiser(Variable &variable, unsigned depth) {
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

uint64_t PtxReader::floatBits(uint64_t bits, unsigned have, unsigned want) {
  double value = have == 32 ? std::bit_cast<float>(static_cast<uint32_t>(bits)) : std::bit_cast<double>(bits);
  if (want == 32)
    return have == 32 ? bits : std::bit_cast<uint32_t>(static_cast<float>(value));
  if (want == 64)
    return std::bit_cast<uint64_t>(value);
  return bits;
}

} // namespace quern::runtime::emulated::nvidia
