//===- PlanChecks.cpp - What the executor relies on -----------------------===//
//
// Each check names the place in the plan by its JSON path, whether the plan came from a file or from the
// compiler.
//
//===----------------------------------------------------------------------===//
#include "runtime/plan/PlanNames.h"

#include "support/ElementType.h"
#include "support/target/TargetSpec.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace quern::runtime {

namespace {

constexpr size_t maxRank = 8;
constexpr int maxRecipeDepth = 16;
constexpr int64_t maxLayers = 4096, maxTokensLimit = 1 << 20, maxStackCount = 65536;
constexpr uint32_t maxThreads = 1024;

Status bad(const char *id, const std::string &where, const std::string &sentence) {
  return Status::error(Exit::BadInput, id, "plan: `" + where + "`: " + sentence);
}

std::string at(const std::string &list, size_t i) { return list + "[" + std::to_string(i) + "]"; }

template <size_t N> bool isOneOf(const std::string_view (&names)[N], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

/// Bytes of a tensor; nullopt where the shape is none or the size overflows.
std::optional<uint64_t> bytesOf(const std::string &dtype, const std::vector<int64_t> &shape) {
  std::optional<ElementType> type = parseElementType(dtype);
  std::vector<uint64_t> extents(shape.begin(), shape.end());
  bool sound = type && shape.size() <= maxRank &&
               std::all_of(shape.begin(), shape.end(), [](int64_t extent) { return extent >= 0; });
  return sound ? tensorBytes(*type, extents) : std::nullopt;
}

class Checker {
public:
  explicit Checker(const Plan &plan) : plan(plan) {}
  Status check();

private:
  Status checkHead() const;
  Status checkRecipe(const Recipe &recipe, const std::string &where, int depth) const;
  Status checkTensors();
  Status checkTables();
  Status checkCache();
  Status checkKernel(const PlanKernel &kernel, const std::string &where) const;
  Status checkMap(const PlanKernel &kernel, const PlanTensorMap &map, const std::string &where) const;
  Status checkEntry(const PlanEntry &entry, const std::string &where);
  Status checkSteps(const std::vector<PlanStep> &steps, const std::string &where, const Repeat *repeat);
  Status checkChoice(const Choice &choice, const std::string &where, const Repeat *repeat);
  Status checkLaunch(const Launch &launch, const std::string &where, const Repeat *repeat) const;
  Status checkArgument(const LaunchArgument &argument, const std::string &kind, const std::string &where,
                       const Repeat *repeat) const;
  Status checkLayer(const LayerIndex &layer, int64_t first, int64_t end, const std::string &where,
                    const Repeat *repeat) const;

  const Plan &plan;
  std::map<std::string, const PreparedTensor *, std::less<>> tensors;
  std::set<std::string, std::less<>> tables, parts, entries;
  // Of the entry that is checked.
  std::map<std::string, const WorkBuffer *, std::less<>> work;
  int32_t launches = 0; ///< number of the next launch
};

Status Checker::checkHead() const {
  if (Expected<TargetSpec> target = parseTarget(plan.target); !target.ok() || target->text() != plan.target)
    return bad("E-PLAN-VALUE", "target", "`" + plan.target + "` is not the canonical text of a target");
  if (!parseRung(plan.rung))
    return bad("E-PLAN-VALUE", "rung", "`" + plan.rung + "` is no rung");
  if (plan.vocabulary < 1 || plan.vocabulary > (1 << 24))
    return bad("E-PLAN-VALUE", "vocabulary", "expected 1 to 2^24");
  if (plan.validVocabulary < 1 || plan.validVocabulary > plan.vocabulary)
    return bad("E-PLAN-VALUE", "valid_vocabulary", "expected 1 to the size of the vocabulary");
  if (plan.contextLimit < 1 || plan.contextLimit > maxSymbolValue)
    return bad("E-PLAN-VALUE", "context_limit", "expected 1 to 2^24");
  if (plan.maxTokens < 1 || plan.maxTokens > maxTokensLimit)
    return bad("E-PLAN-VALUE", "max_tokens", "expected 1 to 2^20");
  if (plan.hidden < 0 || plan.hidden > (1 << 24))
    return bad("E-PLAN-VALUE", "hidden", "expected 0 to 2^24");
  return Status::success();
}

Status Checker::checkRecipe(const Recipe &recipe, const std::string &where, int depth) const {
  using Kind = Recipe::Kind;
  auto fault = [&](const std::string &sentence) { return bad("E-PLAN-RECIPE", where, sentence); };
  if (depth > maxRecipeDepth)
    return fault("the recipe is nested too deeply");
  bool leaf = recipe.kind == Kind::Read || recipe.kind == Kind::Constant;
  bool many = recipe.kind == Kind::Concat;
  if (leaf ? !recipe.operands.empty() : many ? recipe.operands.empty() : recipe.operands.size() != 1)
    return fault("the operation has the wrong number of operands");
  auto isShape = [](const std::vector<int64_t> &shape) {
    return shape.size() <= maxRank &&
           std::all_of(shape.begin(), shape.end(), [](int64_t e) { return e >= 0; });
  };
  switch (recipe.kind) {
  case Kind::Read:
    if (recipe.name.empty())
      return fault("the name of the tensor is empty");
    break;
  case Kind::Slice:
    if (recipe.begin < 0 || recipe.begin >= recipe.end)
      return fault("the slice is empty");
    [[fallthrough]];
  case Kind::Concat:
    if (recipe.dim < 0 || recipe.dim >= static_cast<int64_t>(maxRank))
      return fault("the dimension is not below 8");
    break;
  case Kind::Stack:
    if (recipe.placeholder.empty() || recipe.placeholder == "layer" || recipe.count < 1 ||
        recipe.count > maxStackCount)
      return fault("expected a placeholder other than `layer` and a count of at least 1");
    break;
  case Kind::Transpose: {
    std::vector<int64_t> sorted = recipe.permutation;
    std::sort(sorted.begin(), sorted.end());
    for (size_t i = 0; i != sorted.size(); ++i)
      if (sorted[i] != static_cast<int64_t>(i) || sorted.size() > maxRank)
        return fault("expected a permutation");
    break;
  }
  case Kind::Reshape:
    if (!isShape(recipe.shape))
      return fault("expected a shape of at most 8 extents");
    break;
  case Kind::Scales:
    if (!std::isfinite(recipe.factor) || recipe.factor <= 0)
      return fault("the factor is not a positive number");
    break;
  case Kind::Convert:
    if (recipe.dtype != "BF16" && recipe.dtype != "F32")
      return fault("elements are converted to BF16 or F32");
    break;
  case Kind::Constant: {
    std::optional<uint64_t> bytes = isShape(recipe.shape) ? bytesOf("F32", recipe.shape) : std::nullopt;
    if (!bytes || *bytes != recipe.values.size() * 4)
      return fault("there are not as many values as the shape says");
    if (!std::all_of(recipe.values.begin(), recipe.values.end(), [](float v) { return std::isfinite(v); }))
      return fault("a value is not finite");
    break;
  }
  case Kind::Dequantise:
  case Kind::Fnuz:
    break;
  }
  for (size_t i = 0; i != recipe.operands.size(); ++i)
    QUERN_RETURN_IF_ERROR(checkRecipe(recipe.operands[i], at(where + ".of", i), depth + 1));
  return Status::success();
}

Status Checker::checkTensors() {
  for (size_t i = 0; i != plan.tensors.size(); ++i) {
    const PreparedTensor &tensor = plan.tensors[i];
    std::string where = at("tensors", i);
    if (tensor.name.empty() || !tensors.emplace(tensor.name, &tensor).second)
      return bad("E-PLAN-DUPLICATE", where, "the name `" + tensor.name + "` is empty or taken");
    std::optional<uint64_t> bytes = bytesOf(tensor.dtype, tensor.shape);
    if (!bytes || !isLoadable(*parseElementType(tensor.dtype)))
      return bad("E-PLAN-VALUE", where, "dtype and shape of `" + tensor.name + "` are those of no tensor");
    if (tensor.layers && (tensor.layers->first < 0 || tensor.layers->first >= tensor.layers->second ||
                          tensor.layers->second > maxLayers))
      return bad("E-PLAN-LAYER", where, "the layers of `" + tensor.name + "` are no range");
    // The arena of all layers has an address for every byte.
    uint64_t layers = tensor.layers ? static_cast<uint64_t>(tensor.layers->second - tensor.layers->first) : 1;
    if (*bytes > uint64_t(maxSizeConstant) / layers)
      return bad("E-PLAN-VALUE", where, "`" + tensor.name + "` is too large");
    QUERN_RETURN_IF_ERROR(checkRecipe(tensor.recipe, where + ".recipe", 0));
  }
  return Status::success();
}

Status Checker::checkTables() {
  for (size_t i = 0; i != plan.tables.size(); ++i) {
    const RotationTable &table = plan.tables[i];
    if (table.name.empty() || !tables.insert(table.name).second)
      return bad("E-PLAN-DUPLICATE", at("tables", i), "the name `" + table.name + "` is empty or taken");
    if (table.frequencies.empty() || table.frequencies.size() > 65536 || !std::isfinite(table.magnitude) ||
        !std::all_of(table.frequencies.begin(), table.frequencies.end(),
                     [](float f) { return std::isfinite(f); }))
      return bad("E-PLAN-VALUE", at("tables", i),
                 "the frequencies or the magnitude are not finite, or there are none");
  }
  return Status::success();
}

Status Checker::checkCache() {
  if (plan.cache.layers < 0 || plan.cache.layers > maxLayers)
    return bad("E-PLAN-VALUE", "cache.layers", "expected at most " + std::to_string(maxLayers) + " layers");
  for (size_t i = 0; i != plan.cache.parts.size(); ++i) {
    const CachePart &part = plan.cache.parts[i];
    if (part.name.empty() || !parts.insert(part.name).second)
      return bad("E-PLAN-DUPLICATE", at("cache.parts", i), "the name `" + part.name + "` is empty or taken");
    if (part.pageBytes == 0 || part.pageBytes > uint64_t(maxSizeCoefficient) ||
        part.pageBytes % pageTokens != 0)
      return bad("E-PLAN-VALUE", at("cache.parts", i),
                 "the bytes of a page are not a multiple of " + std::to_string(pageTokens) + " positions");
  }
  return Status::success();
}

Status Checker::checkKernel(const PlanKernel &kernel, const std::string &where) const {
  if (kernel.symbol.empty() || kernel.member.empty())
    return bad("E-PLAN-VALUE", where, "the symbol or the member is empty");
  for (const std::string &kind : kernel.arguments)
    if (kind != plan::pointerName && kind != plan::tensorMapName && !isOneOf(plan::scalarNames, kind))
      return bad("E-PLAN-ARGUMENTS", where, "the argument kind `" + kind + "` is not known");
  for (size_t i = 0; i != kernel.grid.size(); ++i) {
    const PlanGridDimension &dimension = kernel.grid[i];
    std::string place = at(where + ".grid", i);
    if (dimension.step < 1)
      return bad("E-PLAN-VALUE", place, "the step is below 1");
    if (dimension.argument < 0 && dimension.extent < 0)
      return bad("E-PLAN-VALUE", place, "the extent is negative");
    if (dimension.argument >= 0 && (static_cast<size_t>(dimension.argument) >= kernel.arguments.size() ||
                                    kernel.arguments[static_cast<size_t>(dimension.argument)] != "i32"))
      return bad("E-PLAN-ARGUMENTS", place,
                 "argument " + std::to_string(dimension.argument) + " of the kernel is no i32");
  }
  if (kernel.threads < 1 || kernel.threads > maxThreads)
    return bad("E-PLAN-VALUE", where, "a block has 1 to " + std::to_string(maxThreads) + " threads");
  if (kernel.dynamicBytes > kernel.sharedBytes)
    return bad("E-PLAN-VALUE", where, "more shared memory is asked for than the kernel has");
  std::set<int32_t> mapped;
  for (size_t i = 0; i != kernel.maps.size(); ++i) {
    QUERN_RETURN_IF_ERROR(checkMap(kernel, kernel.maps[i], at(where + ".maps", i)));
    mapped.insert(kernel.maps[i].argument);
  }
  const auto wanted = std::count(kernel.arguments.begin(), kernel.arguments.end(), plan::tensorMapName);
  if (mapped.size() != kernel.maps.size() || mapped.size() != static_cast<size_t>(wanted))
    return bad("E-PLAN-ARGUMENTS", where + ".maps",
               "the kernel takes " + std::to_string(wanted) + " tensor maps, got " +
                   std::to_string(kernel.maps.size()));
  return Status::success();
}

/// What every device asks of a map; a device may have further rules.
Status Checker::checkMap(const PlanKernel &kernel, const PlanTensorMap &map, const std::string &where) const {
  auto kindOf = [&](int32_t argument) {
    const auto index = static_cast<size_t>(argument);
    return argument >= 0 && index < kernel.arguments.size() ? std::string_view(kernel.arguments[index])
                                                            : std::string_view();
  };
  if (kindOf(map.argument) != plan::tensorMapName)
    return bad("E-PLAN-ARGUMENTS", where,
               "argument " + std::to_string(map.argument) + " of the kernel is no tensor map");
  if (!isOneOf(plan::mapElementNames, map.element))
    return bad("E-PLAN-VALUE", where, "the element `" + map.element + "` is not known");
  const size_t rank = map.extents.size();
  if (rank < 1 || rank > 5 || map.box.size() != rank || map.strides.size() != rank - 1)
    return bad("E-PLAN-VALUE", where, "extents, strides and box are not those of 1 to 5 dimensions");
  for (const PlanTensorMap::Extent &extent : map.extents)
    if (extent.argument >= 0 ? kindOf(extent.argument) != "i32" : extent.extent < 1)
      return bad("E-PLAN-ARGUMENTS", where, "an extent is neither a positive number nor an i32 argument");
  for (int64_t stride : map.strides)
    if (stride < 16 || stride % 16 != 0 || stride >= int64_t(1) << 40)
      return bad("E-PLAN-VALUE", where, "a stride is no multiple of 16 bytes below 2^40");
  for (int64_t extent : map.box)
    if (extent < 1 || extent > 256)
      return bad("E-PLAN-VALUE", where, "an extent of the box is not from 1 to 256");
  if (map.swizzle != 0 && map.swizzle != 32 && map.swizzle != 64 && map.swizzle != 128)
    return bad("E-PLAN-VALUE", where, "the span of the swizzle is not 0, 32, 64 or 128 bytes");
  return Status::success();
}

Status Checker::checkLayer(const LayerIndex &layer, int64_t first, int64_t end, const std::string &where,
                           const Repeat *repeat) const {
  if (layer.ofRepeat && !repeat)
    return bad("E-PLAN-LAYER", where, "the current layer is asked for outside of a repeat");
  int64_t lowest = layer.offset + (layer.ofRepeat ? repeat->first : 0);
  // The last layer of the repeat, which its stride may step over.
  int64_t highest = layer.ofRepeat ? layer.offset + repeat->first +
                                         (repeat->end - 1 - repeat->first) / repeat->stride * repeat->stride
                                   : lowest;
  if (lowest < first || highest >= end)
    return bad("E-PLAN-LAYER", where,
               "layer " + std::to_string(lowest < first ? lowest : highest) + " is not from " +
                   std::to_string(first) + " to " + std::to_string(end - 1));
  return Status::success();
}

Status Checker::checkArgument(const LaunchArgument &argument, const std::string &kind,
                              const std::string &where, const Repeat *repeat) const {
  using Kind = LaunchArgument::Kind;
  std::string_view given = argument.kind == Kind::Scalar
                               ? plan::scalarNames[static_cast<size_t>(argument.scalar)]
                               : plan::pointerName;
  // A map is made from a pointer to something.
  if (kind == plan::tensorMapName && given == plan::pointerName && argument.kind != Kind::Null)
    given = plan::tensorMapName;
  if (given != kind)
    return bad("E-PLAN-ARGUMENTS", where,
               "expected an argument of the kind " + kind + ", got " + std::string(given));
  auto unknown = [&](const char *what) {
    return bad("E-PLAN-REFERENCE", where, "there is no " + std::string(what) + " `" + argument.name + "`");
  };
  if (argument.offset < 0 || argument.offset > maxSizeConstant)
    return bad("E-PLAN-VALUE", where, "the offset is negative or too large");
  if ((argument.kind == Kind::Input || argument.kind == Kind::Output) && argument.name == "hidden" &&
      plan.hidden == 0)
    return bad("E-PLAN-VALUE", where, "the plan does not say how wide the hidden rows are");
  switch (argument.kind) {
  case Kind::Null:
    return Status::success();
  case Kind::Work: {
    auto buffer = work.find(argument.name);
    if (buffer == work.end())
      return unknown("work buffer");
    if (launches < buffer->second->first || launches > buffer->second->last)
      return bad("E-PLAN-LIFETIME", where,
                 "launch " + std::to_string(launches) + " uses `" + argument.name + "`, which lives from " +
                     std::to_string(buffer->second->first) + " to " + std::to_string(buffer->second->last));
    return Status::success();
  }
  case Kind::Input:
    return isOneOf(plan::inputNames, argument.name) ? Status::success() : unknown("input");
  case Kind::Output:
    return isOneOf(plan::outputNames, argument.name) ? Status::success() : unknown("output");
  case Kind::Table:
    return tables.contains(argument.name) ? Status::success() : unknown("rotation table");
  case Kind::Tensor: {
    auto tensor = tensors.find(argument.name);
    if (tensor == tensors.end())
      return unknown("prepared tensor");
    if (const auto &layers = tensor->second->layers)
      return checkLayer(argument.layer, layers->first, layers->second, where, repeat);
    if (argument.layer != LayerIndex{})
      return bad("E-PLAN-LAYER", where, "`" + argument.name + "` has no layers");
    return Status::success();
  }
  case Kind::Cache:
    if (!parts.contains(argument.name))
      return unknown("part of the cache");
    return checkLayer(argument.layer, 0, plan.cache.layers, where, repeat);
  case Kind::Scalar:
    if (argument.scalar == ScalarKind::F32 && !std::isfinite(static_cast<float>(argument.real)))
      return bad("E-PLAN-VALUE", where, "the number is not finite in f32");
    if (argument.scalar == ScalarKind::I32 && std::abs(argument.size.constant) > 0x7fffffff)
      return bad("E-PLAN-VALUE", where, "the number does not fit 32 bits");
    return Status::success();
  }
  return Status::success();
}

Status Checker::checkLaunch(const Launch &launch, const std::string &where, const Repeat *repeat) const {
  if (launch.kernel < 0 || static_cast<size_t>(launch.kernel) >= plan.kernels.size())
    return bad("E-PLAN-REFERENCE", where, "there is no kernel " + std::to_string(launch.kernel));
  const PlanKernel &kernel = plan.kernels[static_cast<size_t>(launch.kernel)];
  if (launch.arguments.size() != kernel.arguments.size())
    return bad("E-PLAN-ARGUMENTS", where,
               "`" + kernel.symbol + "` takes " + std::to_string(kernel.arguments.size()) +
                   " arguments, got " + std::to_string(launch.arguments.size()));
  for (size_t i = 0; i != launch.arguments.size(); ++i)
    QUERN_RETURN_IF_ERROR(
        checkArgument(launch.arguments[i], kernel.arguments[i], at(where + ".arguments", i), repeat));
  for (int32_t number : launch.origin)
    if (number < 0)
      return bad("E-PLAN-VALUE", where + ".origin", "the number of an operator is negative");
  return Status::success();
}

Status Checker::checkChoice(const Choice &choice, const std::string &where, const Repeat *repeat) {
  if (choice.alternatives.empty())
    return bad("E-PLAN-CHOICE", where, "there is no alternative");
  for (size_t i = 0; i != choice.alternatives.size(); ++i) {
    const Alternative &alternative = choice.alternatives[i];
    std::string place = at(where + ".alternatives", i);
    // Every value has exactly one alternative.
    if (i == 0 ? alternative.from != 0 : alternative.from <= choice.alternatives[i - 1].from)
      return bad("E-PLAN-CHOICE", place, "alternatives begin at 0 and ascend");
    if (alternative.launches.empty())
      return bad("E-PLAN-CHOICE", place, "the alternative has no launches");
    for (size_t j = 0; j != alternative.launches.size(); ++j, ++launches)
      QUERN_RETURN_IF_ERROR(checkLaunch(alternative.launches[j], at(place + ".launches", j), repeat));
  }
  return Status::success();
}

Status Checker::checkSteps(const std::vector<PlanStep> &steps, const std::string &where,
                           const Repeat *repeat) {
  for (size_t i = 0; i != steps.size(); ++i) {
    std::string place = at(where, i);
    const PlanStep &step = steps[i];
    if (step.launch.has_value() + (step.repeat != nullptr) + (step.choice != nullptr) != 1)
      return bad("E-PLAN-SYNTAX", place, "expected either a launch or a repeat or a choice");
    if (step.launch) {
      QUERN_RETURN_IF_ERROR(checkLaunch(*step.launch, place + ".launch", repeat));
      ++launches;
      continue;
    }
    if (step.choice) {
      QUERN_RETURN_IF_ERROR(checkChoice(*step.choice, place + ".choice", repeat));
      continue;
    }
    // "The current layer" has one meaning only.
    if (repeat)
      return bad("E-PLAN-LAYER", place, "a repeat stands inside of a repeat");
    const Repeat &inner = *step.repeat;
    if (inner.first < 0 || inner.first >= inner.end || inner.end > maxLayers || inner.stride < 1)
      return bad("E-PLAN-LAYER", place + ".repeat", "the layers are no range");
    QUERN_RETURN_IF_ERROR(checkSteps(inner.steps, place + ".repeat.steps", &inner));
  }
  return Status::success();
}

int32_t countLaunches(const std::vector<PlanStep> &steps) {
  int32_t count = 0;
  forEachLaunch(steps, [&](const PlacedLaunch &) { ++count; });
  return count;
}

Status Checker::checkEntry(const PlanEntry &entry, const std::string &where) {
  if (entry.name.empty() || !entries.insert(entry.name).second)
    return bad("E-PLAN-DUPLICATE", where, "the name `" + entry.name + "` is empty or taken");
  work.clear();
  launches = 0;
  int32_t count = countLaunches(entry.steps);
  for (size_t i = 0; i != entry.work.size(); ++i) {
    const WorkBuffer &buffer = entry.work[i];
    std::string place = at(where + ".work", i);
    if (buffer.name.empty() || !work.emplace(buffer.name, &buffer).second)
      return bad("E-PLAN-DUPLICATE", place, "the name `" + buffer.name + "` is empty or taken");
    if (buffer.first < 0 || buffer.first > buffer.last || buffer.last >= count)
      return bad("E-PLAN-LIFETIME", place,
                 "`" + buffer.name + "` does not live within the " + std::to_string(count) + " launches");
    bool sound = buffer.bytes.constant >= 0 && buffer.bytes.constant <= maxSizeConstant;
    for (int64_t coefficient : buffer.bytes.coefficient)
      sound &= coefficient >= 0 && coefficient <= maxSizeCoefficient;
    if (!sound)
      return bad("E-PLAN-EXPRESSION", place,
                 "the size of `" + buffer.name + "` can be negative or too large");
  }
  return checkSteps(entry.steps, where + ".steps", nullptr);
}

Status Checker::check() {
  QUERN_RETURN_IF_ERROR(checkHead());
  QUERN_RETURN_IF_ERROR(checkTensors());
  QUERN_RETURN_IF_ERROR(checkTables());
  QUERN_RETURN_IF_ERROR(checkCache());
  for (size_t i = 0; i != plan.kernels.size(); ++i)
    QUERN_RETURN_IF_ERROR(checkKernel(plan.kernels[i], at("kernels", i)));
  for (size_t i = 0; i != plan.entries.size(); ++i)
    QUERN_RETURN_IF_ERROR(checkEntry(plan.entries[i], at("entries", i)));
  if (!plan.findEntry("step"))
    return bad("E-PLAN-REFERENCE", "entries", "there is no entry `step`");
  return Status::success();
}

} // namespace

Status checkPlan(const Plan &plan) { return Checker(plan).check(); }

uint64_t PreparedTensor::bytes() const { return bytesOf(dtype, shape).value_or(0); }

uint64_t CachePlan::bytesPerToken() const {
  uint64_t page = 0;
  for (const CachePart &part : parts)
    page += part.pageBytes;
  return page / pageTokens * static_cast<uint64_t>(layers);
}

size_t Choice::at(int64_t value) const {
  size_t i = alternatives.size() - 1;
  while (i > 0 && alternatives[i].from > value)
    --i;
  return i;
}

std::string Choice::rangeText(size_t i) const {
  const std::string symbol(plan::symbolNames[static_cast<size_t>(by)]);
  const bool last = i + 1 == alternatives.size();
  if (last)
    return symbol + " >= " + std::to_string(alternatives[i].from);
  const std::string below = " < " + std::to_string(alternatives[i + 1].from);
  return (i == 0 ? "" : std::to_string(alternatives[i].from) + " <= ") + symbol + below;
}

static void visitLaunches(const std::vector<PlanStep> &steps, int64_t runs,
                          const std::function<void(const PlacedLaunch &)> &visit) {
  for (const PlanStep &step : steps) {
    if (step.launch)
      visit({*step.launch, runs, nullptr});
    if (step.choice)
      for (size_t i = 0; i != step.choice->alternatives.size(); ++i)
        for (const Launch &launch : step.choice->alternatives[i].launches)
          visit({launch, runs, step.choice.get(), i});
    // A plan that is being checked may hold any repeat.
    if (const Repeat *repeat = step.repeat.get()) {
      const int64_t stride = std::max<int64_t>(repeat->stride, 1);
      visitLaunches(repeat->steps, runs * ((repeat->end - repeat->first + stride - 1) / stride), visit);
    }
  }
}

void forEachLaunch(const std::vector<PlanStep> &steps,
                   const std::function<void(const PlacedLaunch &)> &visit) {
  visitLaunches(steps, 1, visit);
}

const PlanEntry *Plan::findEntry(std::string_view name) const {
  for (const PlanEntry &entry : entries)
    if (entry.name == name)
      return &entry;
  return nullptr;
}

} // namespace quern::runtime
