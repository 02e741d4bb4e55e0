//===- PlanWriter.cpp - Plan -> JSON --------------------------------------===//
//
// Members that have their default value are left out, so that a plan has one text.
//
//===----------------------------------------------------------------------===//
#include "runtime/plan/PlanNames.h"
#include "support/Json.h"

namespace quern::runtime {

namespace {

template <typename T, typename Function> Json mapped(const std::vector<T> &items, Function function) {
  Json list = Json::array();
  for (const T &item : items)
    list.push(function(item));
  return list;
}

template <typename T> Json listOf(const std::vector<T> &items) {
  Json list = Json::array();
  for (const T &item : items)
    list.push(item);
  return list;
}

Json recipeJson(const Recipe &recipe) {
  using Kind = Recipe::Kind;
  Json json = Json::object();
  json.set("op", plan::recipeNames[static_cast<size_t>(recipe.kind)]);
  switch (recipe.kind) {
  case Kind::Read:
    json.set("name", recipe.name);
    if (!recipe.scales.empty())
      json.set("scales", recipe.scales);
    break;
  case Kind::Slice:
    json.set("dim", recipe.dim);
    json.set("begin", recipe.begin);
    json.set("end", recipe.end);
    break;
  case Kind::Concat:
    json.set("dim", recipe.dim);
    break;
  case Kind::Stack:
    json.set("placeholder", recipe.placeholder);
    json.set("count", recipe.count);
    break;
  case Kind::Transpose:
    json.set("permutation", listOf(recipe.permutation));
    break;
  case Kind::Reshape:
    json.set("shape", listOf(recipe.shape));
    break;
  case Kind::Scales:
    json.set("factor", recipe.factor);
    break;
  case Kind::Convert:
    json.set("dtype", recipe.dtype);
    break;
  case Kind::Constant:
    json.set("shape", listOf(recipe.shape));
    json.set("values", listOf(recipe.values));
    break;
  case Kind::Dequantise:
  case Kind::Fnuz:
    break;
  }
  if (!recipe.operands.empty()) {
    Json operands = Json::array();
    for (const Recipe &operand : recipe.operands)
      operands.push(recipeJson(operand));
    json.set("of", std::move(operands));
  }
  return json;
}

Json tensorJson(const PreparedTensor &tensor) {
  Json json = Json::object();
  json.set("name", tensor.name);
  json.set("dtype", tensor.dtype);
  json.set("shape", listOf(tensor.shape));
  if (tensor.layers)
    json.set("layers", Json::array({tensor.layers->first, tensor.layers->second}));
  json.set("recipe", recipeJson(tensor.recipe));
  return json;
}

void setLayer(Json &json, const LayerIndex &layer) {
  if (!layer.ofRepeat) {
    if (layer.offset != 0)
      json.set("layer", layer.offset);
    return;
  }
  std::string text(plan::currentLayer);
  if (layer.offset != 0)
    text += (layer.offset > 0 ? "+" : "") + std::to_string(layer.offset);
  json.set("layer", text);
}

Json argumentJson(const LaunchArgument &argument) {
  using Kind = LaunchArgument::Kind;
  Json json = Json::object();
  std::string_view key = plan::argumentNames[static_cast<size_t>(argument.kind)];
  switch (argument.kind) {
  case Kind::Null:
    json.set(key, true);
    break;
  case Kind::Scalar:
    key = plan::scalarNames[static_cast<size_t>(argument.scalar)];
    if (argument.scalar == ScalarKind::F32)
      json.set(key, argument.real);
    else
      json.set(key, argument.size.text());
    break;
  case Kind::Work:
  case Kind::Input:
  case Kind::Output:
  case Kind::Tensor:
  case Kind::Table:
  case Kind::Cache:
    json.set(key, argument.name);
    if (argument.kind == Kind::Tensor || argument.kind == Kind::Cache)
      setLayer(json, argument.layer);
    if (argument.offset != 0)
      json.set("offset", argument.offset);
    break;
  }
  return json;
}

Json launchJson(const Launch &launch) {
  Json json = Json::object();
  json.set("kernel", launch.kernel);
  if (!launch.note.empty())
    json.set("note", launch.note);
  Json arguments = Json::array();
  for (const LaunchArgument &argument : launch.arguments)
    arguments.push(argumentJson(argument));
  json.set("arguments", std::move(arguments));
  json.set("origin", listOf(launch.origin));
  return json;
}

Json choiceJson(const Choice &choice) {
  Json json = Json::object(), list = Json::array();
  json.set("by", plan::symbolNames[static_cast<size_t>(choice.by)]);
  for (const Alternative &alternative : choice.alternatives) {
    Json &item = list.push(Json::object());
    item.set("from", alternative.from);
    Json launches = Json::array();
    for (const Launch &launch : alternative.launches)
      launches.push(launchJson(launch));
    item.set("launches", std::move(launches));
  }
  json.set("alternatives", std::move(list));
  return json;
}

Json stepsJson(const std::vector<PlanStep> &steps) {
  Json list = Json::array();
  for (const PlanStep &step : steps) {
    Json &json = list.push(Json::object());
    if (step.launch)
      json.set("launch", launchJson(*step.launch));
    if (step.choice)
      json.set("choice", choiceJson(*step.choice));
    if (!step.repeat)
      continue;
    Json repeat = Json::object();
    repeat.set("first", step.repeat->first);
    repeat.set("end", step.repeat->end);
    if (step.repeat->stride != 1)
      repeat.set("stride", step.repeat->stride);
    repeat.set("steps", stepsJson(step.repeat->steps));
    json.set("repeat", std::move(repeat));
  }
  return list;
}

Json mapJson(const PlanTensorMap &map) {
  Json json = Json::object();
  json.set("argument", map.argument);
  json.set("element", map.element);
  Json extents = Json::array();
  for (const PlanTensorMap::Extent &extent : map.extents)
    if (extent.argument >= 0)
      extents.push(Json::object()).set("argument", extent.argument);
    else
      extents.push(extent.extent);
  json.set("extents", std::move(extents));
  json.set("strides", listOf(map.strides));
  json.set("box", listOf(map.box));
  json.set("swizzle", map.swizzle);
  return json;
}

Json kernelJson(const PlanKernel &kernel) {
  Json json = Json::object();
  json.set("symbol", kernel.symbol);
  json.set("member", kernel.member);
  json.set("text", kernel.text);
  json.set("arguments", listOf(kernel.arguments));
  Json grid = Json::array();
  for (const PlanGridDimension &dimension : kernel.grid) {
    Json &entry = grid.push(Json::object());
    if (dimension.argument >= 0)
      entry.set("argument", dimension.argument);
    else
      entry.set("extent", dimension.extent);
    entry.set("step", dimension.step);
  }
  json.set("grid", std::move(grid));
  if (!kernel.maps.empty())
    json.set("maps", mapped(kernel.maps, mapJson));
  json.set("threads", kernel.threads);
  json.set("shared_bytes", kernel.sharedBytes);
  if (kernel.dynamicBytes)
    json.set("dynamic_bytes", kernel.dynamicBytes);
  return json;
}

Json entryJson(const PlanEntry &entry) {
  Json json = Json::object();
  json.set("name", entry.name);
  Json work = Json::array();
  for (const WorkBuffer &buffer : entry.work) {
    Json &item = work.push(Json::object());
    item.set("name", buffer.name);
    item.set("bytes", buffer.bytes.text());
    item.set("first", buffer.first);
    item.set("last", buffer.last);
  }
  json.set("work", std::move(work));
  json.set("steps", stepsJson(entry.steps));
  return json;
}

} // namespace

std::string writePlan(const Plan &plan) {
  Json root = Json::object();
  root.set("schema", plan::schemaName);
  root.set("version", plan::schemaVersion);
  root.set("target", plan.target);
  root.set("rung", plan.rung);
  root.set("vocabulary", plan.vocabulary);
  root.set("valid_vocabulary", plan.validVocabulary);
  root.set("context_limit", plan.contextLimit);
  root.set("max_tokens", plan.maxTokens);
  if (plan.hidden != 0)
    root.set("hidden", plan.hidden);
  root.set("tensors", mapped(plan.tensors, tensorJson));
  root.set("tables", mapped(plan.tables, [](const RotationTable &table) {
             Json json = Json::object();
             json.set("name", table.name);
             json.set("frequencies", listOf(table.frequencies));
             json.set("magnitude", table.magnitude);
             return json;
           }));
  Json cache = Json::object();
  cache.set("layers", plan.cache.layers);
  cache.set("parts", mapped(plan.cache.parts, [](const CachePart &part) {
              Json json = Json::object();
              json.set("name", part.name);
              json.set("page_bytes", part.pageBytes);
              return json;
            }));
  root.set("cache", std::move(cache));
  root.set("kernels", mapped(plan.kernels, kernelJson));
  root.set("entries", mapped(plan.entries, entryJson));
  return writeJson(root, {.indent = 1}) + "\n";
}

} // namespace quern::runtime
