//===- PtxFunctions.cpp - Functions of PTX and their names ----------------------===//

#include "runtime/emulated/nvidia/PtxReader.h"

namespace quern::runtime::emulated::nvidia {

Status PtxReader::functionDeclaration() {
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

Status PtxReader::parameterList(std::vector<uint32_t> &into) {
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

Status PtxReader::performanceDirective() {
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
  if (word == ".reqnctapercluster") {
    function->clusterBlocks =
        static_cast<uint32_t>(std::min<uint64_t>(values[0] * values[1] * values[2], 1 << 20));
    function->clusterIsFlat = values[1] == 1 && values[2] == 1;
  }
  if (word == ".maxntid")
    function->maximumThreads =
        static_cast<uint32_t>(std::min<uint64_t>(values[0] * values[1] * values[2], 1 << 20));
  return Status::success();
}

Status PtxReader::body(unsigned depth) {
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

Status PtxReader::label() {
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

Status PtxReader::bodyDirective() {
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

Status PtxReader::registers() {
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

uint32_t PtxReader::addRegister(std::string name, ScalarType type) {
  function->registers.push_back({std::move(name), type});
  return static_cast<uint32_t>(function->registers.size() - 1);
}

std::optional<uint32_t> PtxReader::findRegister(std::string_view name) {
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

std::optional<uint32_t> PtxReader::findLabel(uint32_t from, std::string_view name) {
  std::optional<uint32_t> found;
  fromInside(from, [&](Scope &where) {
    auto it = where.labels.find(name);
    if (it != where.labels.end())
      found = it->second;
    return found.has_value();
  });
  return found;
}

Status PtxReader::resolveLabels() {
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

} // namespace quern::runtime::emulated::nvidia
