//===- ModelGraph.cpp - A family's wiring with a configuration's numbers ----===//
#include "lowering/import/ModelGraph.h"

#include "lowering/import/WeightShapes.h"

#include <algorithm>

using namespace quern;
using namespace quern::import;

namespace {

Status stepFault(const StepText &step, const std::string &sentence) {
  return Status::error(Exit::BadInput, "E-FAMILY-STEP", "in `" + step.source + "`: " + sentence);
}

/// |value| as the attribute's kind wants it: an integer where an integer is wanted, and so on.
Expected<Value> fitAttribute(const StepText &step, const OperationArgument &argument, const Value &value) {
  auto wrong = [&](const char *wanted) {
    return stepFault(step,
                     "`" + std::string(argument.name) + "` must be " + wanted + ", got " + value.text());
  };
  switch (argument.kind) {
  case OperationArgument::Int:
    return value.isInt() ? Expected<Value>(value) : Expected<Value>(wrong("an integer"));
  case OperationArgument::Float:
    return value.isNumber() ? Expected<Value>(Value(value.number())) : Expected<Value>(wrong("a number"));
  case OperationArgument::Bool:
    return value.isBool() ? Expected<Value>(value) : Expected<Value>(wrong("true or false"));
  case OperationArgument::String:
    return value.isString() ? Expected<Value>(value) : Expected<Value>(wrong("a string"));
  case OperationArgument::Ints:
    break;
  case OperationArgument::Weight:
    return wrong("a weight");
  }
  if (!value.isList())
    return wrong("a list of integers");
  for (const Value &item : value.list())
    if (!item.isInt())
      return wrong("a list of integers");
  return value;
}

/// Flattens wiring into steps: conditions decided, blocks pasted, attributes evaluated.
class ListResolver {
public:
  ListResolver(const Family &family, const Scope &scope, std::set<std::string> names)
      : family(family), scope(scope), names(std::move(names)) {}

  Status add(const std::vector<WiringItem> &wiring) {
    for (const WiringItem &item : wiring) {
      if (item.step) {
        QUERN_RETURN_IF_ERROR(addStep(*item.step));
      } else if (!item.block.empty()) {
        QUERN_RETURN_IF_ERROR(add(*family.findBlock(item.block)));
      } else {
        QUERN_ASSIGN_OR_RETURN(bool holds, item.when->evaluateBool(scope));
        QUERN_RETURN_IF_ERROR(add(holds ? item.then : item.otherwise));
      }
    }
    return Status::success();
  }

  StepList take() { return std::move(list); }
  const std::set<std::string> &defined() const { return names; }

private:
  /// True if the weight exists under this configuration; then it is in the list.
  Expected<bool> addWeight(const std::string &name) {
    if (list.weights.contains(name))
      return true;
    const WeightDescription *description = family.findWeight(name);
    if (description->when) {
      QUERN_ASSIGN_OR_RETURN(bool exists, description->when->evaluateBool(scope));
      if (!exists)
        return false;
    }
    QUERN_ASSIGN_OR_RETURN(Weight weight, resolveWeight(*description, scope));
    list.weights.emplace(name, std::move(weight));
    return true;
  }

  Status addStep(const StepText &text) {
    Step step;
    step.operation = findOperation(text.operation);
    step.results = text.results;
    step.source = text.source;
    for (const StepText::Operand &operand : text.operands) {
      if (operand.weight) {
        QUERN_ASSIGN_OR_RETURN(bool exists, addWeight(operand.name));
        if (!exists)
          return stepFault(text, "the weight `" + operand.name + "` does not exist under this configuration");
      } else if (!names.contains(operand.name)) {
        return stepFault(text, "there is no value `" + operand.name + "` here");
      }
      step.operands.push_back({operand.weight, operand.name});
    }
    for (const StepText::Argument &argument : text.arguments) {
      if (argument.weight) {
        QUERN_ASSIGN_OR_RETURN(bool exists, addWeight(argument.weightName));
        if (exists)
          step.weightArguments.emplace(argument.name, argument.weightName);
        continue;
      }
      QUERN_ASSIGN_OR_RETURN(Value value, argument.value.evaluate(scope));
      if (value.isNull())
        continue;
      QUERN_ASSIGN_OR_RETURN(Value fitted,
                             fitAttribute(text, *step.operation->findArgument(argument.name), value));
      step.attributes.emplace(argument.name, std::move(fitted));
    }
    for (const OperationArgument &argument : step.operation->arguments)
      if (argument.required && !step.attributes.contains(argument.name))
        return stepFault(text, "`" + std::string(argument.name) + "` is null");
    for (const std::string &result : text.results)
      names.insert(result);
    list.steps.push_back(std::move(step));
    return Status::success();
  }

  const Family &family;
  const Scope &scope;
  std::set<std::string> names;
  StepList list;
};

Expected<StepList> resolveList(const Family &family, const Scope &scope,
                               const std::vector<WiringItem> &wiring, std::set<std::string> names,
                               const std::vector<std::string> &wanted) {
  ListResolver resolver(family, scope, std::move(names));
  QUERN_RETURN_IF_ERROR(resolver.add(wiring));
  for (const std::string &name : wanted)
    if (!resolver.defined().contains(name))
      return Status::error(Exit::BadInput, "E-FAMILY-STEP",
                           family.origin + ": a wiring list gives no value to `" + name + "`");
  return resolver.take();
}

Expected<LayerGraph> resolveLayer(const Family &family, const Scope &base, int64_t layer,
                                  const std::vector<std::string> &carried) {
  Scope scope(&base);
  scope.set("layer", Value(layer));
  for (const LayerClass &layerClass : family.layers) {
    if (layerClass.when) {
      QUERN_ASSIGN_OR_RETURN(bool covers, layerClass.when->evaluateBool(scope));
      if (!covers)
        continue;
    }
    LayerGraph graph;
    graph.className = layerClass.name;
    QUERN_ASSIGN_OR_RETURN(
        graph.list, resolveList(family, scope, layerClass.steps, {carried.begin(), carried.end()}, carried));
    graph.text = graph.list.text();
    return graph;
  }
  return Status::error(Exit::BadInput, "E-FAMILY-FORMAT",
                       family.origin + ": no layer class covers layer " + std::to_string(layer));
}

Expected<CacheShape> resolveCache(const Family &family, const ModelConfig &config, const Scope &scope) {
  CacheShape cache;
  cache.latent = family.cache.latent;
  cache.layers = config.layers + config.predictionLayers;
  auto read = [&](const std::optional<Expression> &expression, int64_t &target) -> Status {
    if (!expression)
      return Status::success();
    QUERN_ASSIGN_OR_RETURN(target, expression->evaluateInt(scope));
    if (target < 1 || target > (1 << 20))
      return Status::error(Exit::BadInput, "E-FAMILY-SHAPE",
                           family.origin + ": `" + expression->text() + "` is " + std::to_string(target) +
                               ", which is no size of a cache");
    return Status::success();
  };
  QUERN_RETURN_IF_ERROR(read(family.cache.heads, cache.heads));
  QUERN_RETURN_IF_ERROR(read(family.cache.key, cache.key));
  QUERN_RETURN_IF_ERROR(read(family.cache.value, cache.value));
  QUERN_RETURN_IF_ERROR(read(family.cache.size, cache.size));
  QUERN_RETURN_IF_ERROR(read(family.cache.rope, cache.rope));
  return cache;
}

} // namespace

std::string StepList::text() const {
  std::string text;
  for (const Step &step : steps) {
    text += step.operation->name;
    for (const std::string &result : step.results)
      text += " " + result;
    for (const Step::Operand &operand : step.operands)
      text += (operand.weight ? " @" : " %") + operand.name;
    for (const auto &[name, value] : step.attributes)
      text += " " + name + "=" + value.text();
    for (const auto &[name, weight] : step.weightArguments)
      text += " " + name + "=@" + weight;
    text += "\n";
  }
  for (const auto &[name, weight] : weights) {
    text += name + (weight.f32 ? " f32" : "");
    for (const WeightSource &way : weight.ways)
      text += " " + way.text();
    text += "\n";
  }
  return text;
}

std::vector<LayerRun> ModelGraph::runs() const {
  std::vector<std::string> texts;
  for (const LayerGraph &layer : layers)
    texts.push_back(layer.text);
  return findRuns(texts);
}

std::vector<LayerRun> quern::import::findRuns(const std::vector<std::string> &texts) {
  // Patterns of real models repeat after 1 to 8 layers. A run needs two rounds to be a loop; the longest
  // wins, and among equals the one with the smallest step.
  constexpr int64_t maxStep = 8;
  std::vector<LayerRun> found;
  int64_t count = static_cast<int64_t>(texts.size());
  for (int64_t first = 0; first < count;) {
    LayerRun best{first, first + 1, 1};
    for (int64_t step = 1; step <= maxStep && first + 2 * step <= count; ++step) {
      int64_t end = first + step;
      while (end < count && texts[end] == texts[end - step])
        ++end;
      end -= (end - first) % step;
      if (end - first >= 2 * step && end - first > best.end - best.first)
        best = {first, end, step};
    }
    found.push_back(best);
    first = best.end;
  }
  return found;
}

Expected<ModelGraph> quern::import::resolveGraph(const Family &family, const ModelConfig &config) {
  Scope scope = config.scope();
  ModelGraph graph;
  QUERN_ASSIGN_OR_RETURN(graph.cache, resolveCache(family, config, scope));
  ListResolver begin(family, scope, {"tokens", "cache"});
  QUERN_RETURN_IF_ERROR(begin.add(family.begin));
  for (const std::string &name : begin.defined())
    if (name != "tokens" && name != "cache")
      graph.carried.push_back(name);
  graph.carried.push_back("cache");
  graph.begin = begin.take();
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    QUERN_ASSIGN_OR_RETURN(LayerGraph made, resolveLayer(family, scope, layer, graph.carried));
    graph.layers.push_back(std::move(made));
  }
  std::vector<std::string> outcomes = {"logits"};
  if (config.predictionLayers > 0)
    outcomes.push_back("hidden");
  QUERN_ASSIGN_OR_RETURN(graph.end, resolveList(family, scope, family.end,
                                                {graph.carried.begin(), graph.carried.end()}, outcomes));
  for (int64_t i = 0; i < config.predictionLayers; ++i) {
    Scope layerScope(&scope);
    layerScope.set("layer", Value(config.layers + i));
    LayerGraph made;
    made.className = "prediction";
    QUERN_ASSIGN_OR_RETURN(made.list, resolveList(family, layerScope, family.prediction,
                                                  {"tokens", "hidden", "cache"}, {"logits", "hidden"}));
    made.text = made.list.text();
    graph.predictions.push_back(std::move(made));
  }
  for (const StepList *list : {&graph.begin, &graph.end})
    for (const auto &[name, weight] : list->weights)
      if (weight.perLayer)
        return Status::error(Exit::BadInput, "E-FAMILY-STEP",
                             family.origin + ": the weight `" + name + "` is named outside of layers");
  return graph;
}
