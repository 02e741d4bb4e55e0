//===- PlanReader.cpp - JSON -> Plan --------------------------------------===//
//
// Types and presence of every field are checked here, with the JSON path in the error; what the fields mean
// together is checked by `checkPlan`.
//
//===----------------------------------------------------------------------===//
#include "runtime/plan/PlanNames.h"
#include "support/Json.h"

#include <algorithm>

namespace quern::runtime {

namespace {

constexpr uint64_t maxPlanBytes = uint64_t(1) << 30;
constexpr uint32_t maxJsonDepth = 64;
constexpr IntRange natural{0, int64_t(1) << 53}, index32{0, 0x7fffffff};

/// The number of |name| among |names|; nullopt where it is none of them.
template <size_t N> std::optional<size_t> find(const std::string_view (&names)[N], std::string_view name) {
  for (size_t i = 0; i != N; ++i)
    if (names[i] == name)
      return i;
  return std::nullopt;
}

Expected<std::vector<int64_t>> readIntegers(JsonRef list, IntRange range) {
  QUERN_ASSIGN_OR_RETURN(auto items, list.asArray());
  std::vector<int64_t> numbers;
  for (JsonRef item : items) {
    QUERN_ASSIGN_OR_RETURN(int64_t number, item.asInt(range));
    numbers.push_back(number);
  }
  return numbers;
}

Expected<std::vector<float>> readFloats(JsonRef list) {
  QUERN_ASSIGN_OR_RETURN(auto items, list.asArray());
  std::vector<float> numbers;
  for (JsonRef item : items) {
    QUERN_ASSIGN_OR_RETURN(double number, item.asFloat());
    numbers.push_back(static_cast<float>(number));
  }
  return numbers;
}

Expected<SizeExpression> readSize(JsonRef value) {
  QUERN_ASSIGN_OR_RETURN(std::string_view text, value.asString());
  Expected<SizeExpression> size = SizeExpression::parse(text);
  if (!size.ok())
    return value.error("E-PLAN-EXPRESSION", size.error().sentence() + " (" + size.error().causeText() + ")");
  return size;
}

/// |member| of |json| through |read|, which takes a JsonRef.
template <typename Read>
auto readMember(JsonRef json, std::string_view member, Read read) -> decltype(read(json)) {
  QUERN_ASSIGN_OR_RETURN(JsonRef value, json.get(member));
  return read(value);
}

/// Every item of the list |member| through |read|.
template <typename T, typename Read>
Status readList(JsonRef json, std::string_view member, std::vector<T> &list, Read read) {
  QUERN_ASSIGN_OR_RETURN(auto items, json.getArray(member));
  list.reserve(items.size());
  for (JsonRef item : items) {
    QUERN_ASSIGN_OR_RETURN(T value, read(item));
    list.push_back(std::move(value));
  }
  return Status::success();
}

/// Moves a value that was read to its place.
template <typename T, typename U> Status assign(T &to, Expected<U> from) {
  if (!from.ok())
    return from.takeError();
  to = *std::move(from);
  return Status::success();
}

Status readRecipeFields(JsonRef json, Recipe &recipe) {
  using Kind = Recipe::Kind;
  auto integers = [&](std::string_view key) {
    return readMember(json, key, [](JsonRef v) { return readIntegers(v, natural); });
  };
  switch (recipe.kind) {
  case Kind::Read:
    QUERN_RETURN_IF_ERROR(assign(recipe.name, json.getString("name")));
    if (json.has("scales"))
      return assign(recipe.scales, json.getString("scales"));
    return Status::success();
  case Kind::Slice:
    QUERN_RETURN_IF_ERROR(assign(recipe.begin, json.getInt("begin", natural)));
    QUERN_RETURN_IF_ERROR(assign(recipe.end, json.getInt("end", natural)));
    return assign(recipe.dim, json.getInt("dim", natural));
  case Kind::Concat:
    return assign(recipe.dim, json.getInt("dim", natural));
  case Kind::Stack:
    QUERN_RETURN_IF_ERROR(assign(recipe.placeholder, json.getString("placeholder")));
    return assign(recipe.count, json.getInt("count", natural));
  case Kind::Transpose:
    return assign(recipe.permutation, integers("permutation"));
  case Kind::Reshape:
    return assign(recipe.shape, integers("shape"));
  case Kind::Scales:
    return assign(recipe.factor, json.getFloat("factor"));
  case Kind::Convert:
    return assign(recipe.dtype, json.getString("dtype"));
  case Kind::Constant:
    QUERN_RETURN_IF_ERROR(assign(recipe.shape, integers("shape")));
    return assign(recipe.values, readMember(json, "values", readFloats));
  case Kind::Dequantise:
  case Kind::Fnuz:
    break;
  }
  return Status::success();
}

Expected<Recipe> readRecipe(JsonRef json) {
  Recipe recipe;
  QUERN_ASSIGN_OR_RETURN(std::string_view op, json.getString("op"));
  std::optional<size_t> kind = find(plan::recipeNames, op);
  if (!kind)
    return json.error("E-PLAN-RECIPE", "the operation `" + std::string(op) + "` is not known");
  recipe.kind = static_cast<Recipe::Kind>(*kind);
  QUERN_RETURN_IF_ERROR(readRecipeFields(json, recipe));
  if (json.has("of"))
    QUERN_RETURN_IF_ERROR(readList(json, "of", recipe.operands, readRecipe));
  return recipe;
}

Expected<PreparedTensor> readTensor(JsonRef json) {
  PreparedTensor tensor;
  QUERN_ASSIGN_OR_RETURN(tensor.name, json.getString("name"));
  QUERN_ASSIGN_OR_RETURN(tensor.dtype, json.getString("dtype"));
  QUERN_ASSIGN_OR_RETURN(tensor.shape,
                         readMember(json, "shape", [](JsonRef v) { return readIntegers(v, natural); }));
  if (std::optional<JsonRef> layers = json.find("layers")) {
    QUERN_ASSIGN_OR_RETURN(std::vector<int64_t> range, readIntegers(*layers, index32));
    if (range.size() != 2)
      return layers->error("E-PLAN-SYNTAX", "expected the first layer and the end");
    tensor.layers = {range[0], range[1]};
  }
  QUERN_ASSIGN_OR_RETURN(tensor.recipe, readMember(json, "recipe", readRecipe));
  return tensor;
}

Expected<LayerIndex> readLayer(JsonRef json) {
  LayerIndex layer;
  std::optional<JsonRef> value = json.find("layer");
  if (!value)
    return layer;
  if (value->value().isInt()) {
    QUERN_ASSIGN_OR_RETURN(layer.offset, value->asInt(index32));
    return layer;
  }
  QUERN_ASSIGN_OR_RETURN(std::string_view text, value->asString());
  bool current = text.starts_with(plan::currentLayer);
  std::string_view rest = current ? text.substr(plan::currentLayer.size()) : text;
  // What follows reads as a constant: "+1", "-2".
  auto offset = rest.empty() ? Expected<SizeExpression>(SizeExpression{})
                             : SizeExpression::parse(rest.starts_with('+') ? rest.substr(1) : rest);
  if (!current || !offset.ok() ||
      *offset != SizeExpression{.constant = offset->constant, .coefficient = {}} ||
      std::abs(offset->constant) > index32.max || (!rest.empty() && rest[0] != '+' && rest[0] != '-'))
    return value->error("E-PLAN-SYNTAX", "expected a layer, `current` or `current+1`");
  layer.ofRepeat = true;
  layer.offset = offset->constant;
  return layer;
}

Expected<LaunchArgument> readArgument(JsonRef json) {
  using Kind = LaunchArgument::Kind;
  LaunchArgument argument;
  QUERN_ASSIGN_OR_RETURN(auto members, json.asObject());
  // The first member says what the argument is.
  std::string_view key = members.empty() ? "" : members.front().first;
  if (std::optional<size_t> scalar = find(plan::scalarNames, key)) {
    argument.kind = Kind::Scalar;
    argument.scalar = static_cast<ScalarKind>(*scalar);
    if (argument.scalar == ScalarKind::F32) {
      QUERN_ASSIGN_OR_RETURN(argument.real, json.getFloat(key));
    } else {
      QUERN_ASSIGN_OR_RETURN(argument.size, readMember(json, key, readSize));
    }
    return argument;
  }
  std::optional<size_t> kind = find(plan::argumentNames, key);
  if (!kind || *kind == static_cast<size_t>(Kind::Scalar))
    return json.error("E-PLAN-ARGUMENTS", "the argument kind `" + std::string(key) + "` is not known");
  argument.kind = static_cast<Kind>(*kind);
  if (argument.kind == Kind::Null)
    return argument;
  QUERN_ASSIGN_OR_RETURN(argument.name, json.getString(key));
  QUERN_ASSIGN_OR_RETURN(auto offset, json.findInt("offset", natural));
  argument.offset = offset.value_or(0);
  if (argument.kind == Kind::Tensor || argument.kind == Kind::Cache) {
    QUERN_ASSIGN_OR_RETURN(argument.layer, readLayer(json));
  }
  return argument;
}

Expected<Launch> readLaunch(JsonRef json) {
  Launch launch;
  QUERN_ASSIGN_OR_RETURN(launch.kernel, json.getInt("kernel", index32));
  QUERN_ASSIGN_OR_RETURN(auto note, json.findString("note"));
  launch.note = note.value_or("");
  QUERN_RETURN_IF_ERROR(readList(json, "arguments", launch.arguments, readArgument));
  QUERN_ASSIGN_OR_RETURN(auto origin,
                         readMember(json, "origin", [](JsonRef v) { return readIntegers(v, index32); }));
  launch.origin.assign(origin.begin(), origin.end());
  return launch;
}

Expected<Alternative> readAlternative(JsonRef json) {
  Alternative alternative;
  QUERN_ASSIGN_OR_RETURN(alternative.from, json.getInt("from", index32));
  QUERN_RETURN_IF_ERROR(readList(json, "launches", alternative.launches, readLaunch));
  return alternative;
}

Expected<std::unique_ptr<Choice>> readChoice(JsonRef json) {
  auto choice = std::make_unique<Choice>();
  QUERN_ASSIGN_OR_RETURN(std::string_view by, json.getString("by"));
  std::optional<size_t> symbol = find(plan::symbolNames, by);
  if (!symbol)
    return json.error("E-PLAN-CHOICE", "there is no symbol `" + std::string(by) + "`");
  choice->by = static_cast<Symbol>(*symbol);
  QUERN_RETURN_IF_ERROR(readList(json, "alternatives", choice->alternatives, readAlternative));
  return choice;
}

Expected<PlanStep> readStep(JsonRef json) {
  PlanStep step;
  if (json.has("launch") + json.has("repeat") + json.has("choice") != 1)
    return json.error("E-PLAN-SYNTAX", "expected either a launch or a repeat or a choice");
  if (json.has("launch")) {
    QUERN_ASSIGN_OR_RETURN(step.launch, readMember(json, "launch", readLaunch));
    return step;
  }
  if (json.has("choice")) {
    QUERN_ASSIGN_OR_RETURN(step.choice, readMember(json, "choice", readChoice));
    return step;
  }
  QUERN_ASSIGN_OR_RETURN(JsonRef repeat, json.getObject("repeat"));
  step.repeat = std::make_unique<Repeat>();
  QUERN_ASSIGN_OR_RETURN(step.repeat->first, repeat.getInt("first", index32));
  QUERN_ASSIGN_OR_RETURN(step.repeat->end, repeat.getInt("end", index32));
  QUERN_ASSIGN_OR_RETURN(auto stride, repeat.findInt("stride", index32));
  step.repeat->stride = stride.value_or(1);
  QUERN_RETURN_IF_ERROR(readList(repeat, "steps", step.repeat->steps, readStep));
  return step;
}

Expected<PlanGridDimension> readGridDimension(JsonRef json) {
  PlanGridDimension dimension;
  QUERN_ASSIGN_OR_RETURN(auto argument, json.findInt("argument", index32));
  dimension.argument = static_cast<int32_t>(argument.value_or(-1));
  if (!argument) {
    QUERN_ASSIGN_OR_RETURN(dimension.extent, json.getInt("extent", index32));
  }
  QUERN_ASSIGN_OR_RETURN(dimension.step, json.getInt("step", index32));
  return dimension;
}

Expected<PlanTensorMap> readMap(JsonRef json) {
  PlanTensorMap map;
  QUERN_ASSIGN_OR_RETURN(map.argument, json.getInt("argument", index32));
  QUERN_ASSIGN_OR_RETURN(map.element, json.getString("element"));
  QUERN_RETURN_IF_ERROR(
      readList(json, "extents", map.extents, [](JsonRef value) -> Expected<PlanTensorMap::Extent> {
        PlanTensorMap::Extent extent;
        if (value.asObject().ok()) {
          QUERN_ASSIGN_OR_RETURN(extent.argument, value.getInt("argument", index32));
        } else {
          QUERN_ASSIGN_OR_RETURN(extent.extent, value.asInt(index32));
        }
        return extent;
      }));
  for (auto [name, list] : {std::pair{"strides", &map.strides}, {"box", &map.box}}) {
    QUERN_ASSIGN_OR_RETURN(*list, readMember(json, name, [](JsonRef v) { return readIntegers(v, natural); }));
  }
  QUERN_ASSIGN_OR_RETURN(map.swizzle, json.getInt("swizzle", index32));
  return map;
}

Expected<PlanKernel> readKernel(JsonRef json) {
  PlanKernel kernel;
  QUERN_ASSIGN_OR_RETURN(kernel.symbol, json.getString("symbol"));
  QUERN_ASSIGN_OR_RETURN(kernel.member, json.getString("member"));
  QUERN_ASSIGN_OR_RETURN(kernel.text, json.getString("text"));
  QUERN_RETURN_IF_ERROR(readList(json, "arguments", kernel.arguments, [](JsonRef v) -> Expected<std::string> {
    QUERN_ASSIGN_OR_RETURN(std::string_view text, v.asString());
    return std::string(text);
  }));
  QUERN_RETURN_IF_ERROR(readList(json, "grid", kernel.grid, readGridDimension));
  if (json.find("maps"))
    QUERN_RETURN_IF_ERROR(readList(json, "maps", kernel.maps, readMap));
  QUERN_ASSIGN_OR_RETURN(kernel.threads, json.getInt("threads", index32));
  QUERN_ASSIGN_OR_RETURN(kernel.sharedBytes, json.getInt("shared_bytes", index32));
  QUERN_ASSIGN_OR_RETURN(auto dynamic, json.findInt("dynamic_bytes", index32));
  kernel.dynamicBytes = static_cast<uint32_t>(dynamic.value_or(0));
  return kernel;
}

Expected<WorkBuffer> readWorkBuffer(JsonRef json) {
  WorkBuffer buffer;
  QUERN_ASSIGN_OR_RETURN(buffer.name, json.getString("name"));
  QUERN_ASSIGN_OR_RETURN(buffer.bytes, readMember(json, "bytes", readSize));
  QUERN_ASSIGN_OR_RETURN(buffer.first, json.getInt("first", index32));
  QUERN_ASSIGN_OR_RETURN(buffer.last, json.getInt("last", index32));
  return buffer;
}

Expected<PlanEntry> readEntry(JsonRef json) {
  PlanEntry entry;
  QUERN_ASSIGN_OR_RETURN(entry.name, json.getString("name"));
  QUERN_RETURN_IF_ERROR(readList(json, "work", entry.work, readWorkBuffer));
  QUERN_RETURN_IF_ERROR(readList(json, "steps", entry.steps, readStep));
  return entry;
}

Expected<RotationTable> readTable(JsonRef json) {
  RotationTable table;
  QUERN_ASSIGN_OR_RETURN(table.name, json.getString("name"));
  QUERN_ASSIGN_OR_RETURN(table.frequencies, readMember(json, "frequencies", readFloats));
  QUERN_ASSIGN_OR_RETURN(table.magnitude, json.getFloat("magnitude"));
  return table;
}

Expected<CachePart> readCachePart(JsonRef json) {
  CachePart part;
  QUERN_ASSIGN_OR_RETURN(part.name, json.getString("name"));
  QUERN_ASSIGN_OR_RETURN(part.pageBytes, json.getInt("page_bytes", natural));
  return part;
}

Status readFields(JsonRef root, Plan &plan) {
  QUERN_ASSIGN_OR_RETURN(plan.target, root.getString("target"));
  QUERN_ASSIGN_OR_RETURN(plan.rung, root.getString("rung"));
  QUERN_ASSIGN_OR_RETURN(plan.vocabulary, root.getInt("vocabulary", index32));
  QUERN_ASSIGN_OR_RETURN(plan.validVocabulary, root.getInt("valid_vocabulary", index32));
  QUERN_ASSIGN_OR_RETURN(plan.contextLimit, root.getInt("context_limit", index32));
  QUERN_ASSIGN_OR_RETURN(plan.maxTokens, root.getInt("max_tokens", index32));
  QUERN_ASSIGN_OR_RETURN(std::optional<int64_t> hidden, root.findInt("hidden", index32));
  plan.hidden = hidden.value_or(0);
  QUERN_RETURN_IF_ERROR(readList(root, "tensors", plan.tensors, readTensor));
  QUERN_RETURN_IF_ERROR(readList(root, "tables", plan.tables, readTable));
  QUERN_ASSIGN_OR_RETURN(JsonRef cache, root.getObject("cache"));
  QUERN_ASSIGN_OR_RETURN(plan.cache.layers, cache.getInt("layers", index32));
  QUERN_RETURN_IF_ERROR(readList(cache, "parts", plan.cache.parts, readCachePart));
  QUERN_RETURN_IF_ERROR(readList(root, "kernels", plan.kernels, readKernel));
  return readList(root, "entries", plan.entries, readEntry);
}

} // namespace

Expected<Plan> readPlan(std::string_view json) {
  // Errors of the JSON reader keep their text and get an id of ours.
  auto renamed = [](const Status &status) {
    std::string id = status.id().starts_with("E-PLAN-") ? status.id() : "E-PLAN-SYNTAX";
    Status result = Status::error(status.exit(), std::move(id), status.sentence());
    return status.causeText().empty() ? std::move(result) : std::move(result).cause(status.causeText());
  };
  Expected<JsonDocument> document =
      parseJson(json, {.name = "plan", .maxBytes = maxPlanBytes, .maxDepth = maxJsonDepth});
  if (!document.ok())
    return renamed(document.error());
  JsonRef root = document->root();
  Expected<std::string_view> schema = root.getString("schema"), version = root.getString("version");
  if (!schema.ok() || *schema != plan::schemaName || !version.ok())
    return root.error("E-PLAN-SYNTAX", "this is no plan");
  // Of a version 0.x nothing is promised: it is read by its own minor version alone.
  if (*version != plan::schemaVersion)
    return root.error("E-PLAN-VERSION", "the plan has version " + std::string(*version) +
                                            ", this program reads version " +
                                            std::string(plan::schemaVersion));
  Plan plan;
  if (Status status = readFields(root, plan); !status.ok())
    return renamed(status);
  QUERN_RETURN_IF_ERROR(checkPlan(plan));
  return plan;
}

} // namespace quern::runtime
