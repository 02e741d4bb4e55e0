//===- Operations.cpp - The operations that wiring lists may use ----------===//
#include "lowering/import/Operations.h"

#include <algorithm>

using namespace quern;
using namespace quern::import;

std::span<const Operation> quern::import::operations() {
  using A = OperationArgument;
  static const std::vector<Operation> table = {
      {"embedding", "vw", 1, {}},
      {"rms_norm", "v", 1, {{"weight", A::Weight}, {"eps", A::Float, true}, {"weight_offset", A::Float}}},
      {"add_rms_norm",
       "vv",
       2,
       {{"weight", A::Weight}, {"eps", A::Float, true}, {"weight_offset", A::Float}}},
      {"layer_norm", "v", 1, {{"weight", A::Weight}, {"bias", A::Weight}, {"eps", A::Float, true}}},
      {"linear", "vw", 1, {{"bias", A::Weight}, {"type", A::String}}},
      {"add", "vv", 1, {}},
      {"mul", "vv", 1, {}},
      {"scale", "v", 1, {{"by", A::Float, true}}},
      {"softcap", "v", 1, {{"cap", A::Float, true}}},
      {"activation", "v", 1, {{"kind", A::String, true}}},
      {"gated", "v?v", 1, {{"kind", A::String, true}}},
      {"slice", "v", 1, {{"begin", A::Int, true}, {"end", A::Int, true}}},
      {"split", "v", -1, {{"sizes", A::Ints, true}}},
      {"concat", "*", 1, {}},
      {"heads", "v", 1, {{"count", A::Int, true}}},
      {"rows", "v", 1, {}},
      {"rope", "v", 1, {{"table", A::String, true}, {"offset", A::Int}}},
      {"cache_append", "vvv", 1, {}},
      {"attention", "vv", 1, {{"scale", A::Float, true}, {"window", A::Int}, {"softcap", A::Float}}},
      {"mla_attention", "vvwv", 1, {{"scale", A::Float, true}}},
      {"router",
       "v",
       2,
       {{"bias", A::Weight},
        {"scoring", A::String, true},
        {"choose", A::Int, true},
        {"groups", A::Int},
        {"kept", A::Int},
        {"by", A::String},
        {"normalise", A::Bool},
        {"scale", A::Float}}},
      {"experts", "vvvww?v", 1, {{"kind", A::String, true}}},
      {"gather_rows", "v", 1, {}},
  };
  return table;
}

const Operation *quern::import::findOperation(std::string_view name) {
  for (const Operation &operation : operations())
    if (name == operation.name)
      return &operation;
  return nullptr;
}

const OperationArgument *Operation::findArgument(std::string_view wanted) const {
  for (const OperationArgument &argument : arguments)
    if (wanted == argument.name)
      return &argument;
  return nullptr;
}

Status quern::import::checkStep(const StepText &step) {
  auto fault = [&](std::string sentence) {
    return Status::error(Exit::BadInput, "E-FAMILY-STEP", "in `" + step.source + "`: " + sentence);
  };
  const Operation *operation = findOperation(step.operation);
  if (!operation) {
    std::string known;
    for (const Operation &candidate : operations())
      known += (known.empty() ? "" : ", ") + std::string(candidate.name);
    return fault("there is no operation `" + step.operation + "`").remedy("the operations are " + known);
  }
  std::string kinds(operation->operands);
  size_t least = kinds.size(), most = kinds.size();
  if (size_t mark = kinds.find('?'); mark != std::string::npos) {
    kinds.erase(mark, 1);
    least = mark;
    most = kinds.size();
  } else if (kinds == "*") {
    least = 1;
    most = std::max<size_t>(step.operands.size(), 1);
    kinds.assign(most, 'v');
  }
  if (step.operands.size() < least || step.operands.size() > most)
    return fault("`" + step.operation + "` takes " + std::to_string(least) +
                 (most == least ? "" : " to " + std::to_string(most)) + " operands, got " +
                 std::to_string(step.operands.size()));
  for (size_t i = 0; i < step.operands.size(); ++i)
    if (step.operands[i].weight != (kinds[i] == 'w'))
      return fault("operand " + std::to_string(i + 1) + " must be a " +
                   (step.operands[i].weight ? "value" : "weight (written with @)"));
  if (operation->results >= 0 && step.results.size() != static_cast<size_t>(operation->results))
    return fault("`" + step.operation + "` has " + std::to_string(operation->results) + " results, " +
                 std::to_string(step.results.size()) + " are named");
  for (const StepText::Argument &argument : step.arguments) {
    const OperationArgument *known = operation->findArgument(argument.name);
    if (!known)
      return fault("`" + step.operation + "` has no argument `" + argument.name + "`");
    if (argument.weight != (known->kind == OperationArgument::Weight))
      return fault("`" + argument.name + "` must be " +
                   (argument.weight ? "an expression" : "a weight (written with @)"));
  }
  for (const OperationArgument &argument : operation->arguments) {
    bool given = false;
    for (const StepText::Argument &candidate : step.arguments)
      given = given || candidate.name == argument.name;
    if (argument.required && !given)
      return fault("`" + std::string(argument.name) + "` is not given");
  }
  return Status::success();
}
