//===- Family.cpp - A model family as data --------------------------------===//
#include "lowering/import/Family.h"

#include "lowering/import/Operations.h"

#include <algorithm>

using namespace quern;
using namespace quern::import;

namespace {

Status fault(const JsonRef &at, std::string sentence) { return at.error("E-FAMILY-FORMAT", sentence); }

/// Refuses members of |object| that are not in |known|: a misspelt key must not change a model silently.
Status onlyKeys(const JsonRef &object, std::initializer_list<std::string_view> known) {
  QUERN_ASSIGN_OR_RETURN(auto members, object.asObject());
  for (const auto &[key, value] : members)
    if (std::find(known.begin(), known.end(), key) == known.end() && key != "comment") {
      std::string list;
      for (std::string_view name : known)
        list += (list.empty() ? "" : ", ") + std::string(name);
      return fault(value, "is not a member of the format").remedy("the members here are " + list);
    }
  return Status::success();
}

/// Adds the place in the file to an error about an expression or a step.
Status placed(const JsonRef &at, Status error) {
  return at.error(error.id(), error.sentence()).remedy(error.remedyText());
}

/// A string is an expression; numbers, bools and lists stand for themselves.
Expected<Expression> readExpression(const JsonRef &ref) {
  if (!ref->isString())
    return Expression::constant(Value::fromJson(ref.value()));
  Expected<Expression> expression = Expression::parse(ref->string());
  if (!expression.ok())
    return placed(ref, expression.takeError());
  return expression;
}

Expected<std::optional<Expression>> findExpression(const JsonRef &object, std::string_view key) {
  std::optional<JsonRef> member = object.find(key);
  if (!member)
    return std::optional<Expression>();
  QUERN_ASSIGN_OR_RETURN(Expression expression, readExpression(*member));
  return std::optional<Expression>(std::move(expression));
}

Expected<Expression> getExpression(const JsonRef &object, std::string_view key) {
  QUERN_ASSIGN_OR_RETURN(JsonRef member, object.get(key));
  return readExpression(member);
}

Expected<std::vector<Expression>> readExpressions(const JsonRef &list) {
  QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> items, list.asArray());
  std::vector<Expression> expressions;
  for (const JsonRef &item : items) {
    QUERN_ASSIGN_OR_RETURN(Expression expression, readExpression(item));
    expressions.push_back(std::move(expression));
  }
  return expressions;
}

/// One string or a list of strings.
Expected<std::vector<std::string>> readStrings(const JsonRef &ref) {
  if (ref->isString())
    return std::vector<std::string>{ref->string()};
  QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> items, ref.asArray());
  std::vector<std::string> strings;
  for (const JsonRef &item : items) {
    QUERN_ASSIGN_OR_RETURN(std::string_view text, item.asString());
    strings.emplace_back(text);
  }
  return strings;
}

Expected<std::vector<std::string>> findStrings(const JsonRef &object, std::string_view key) {
  std::optional<JsonRef> member = object.find(key);
  return member ? readStrings(*member) : Expected<std::vector<std::string>>(std::vector<std::string>());
}

Expected<ConfigKey> readConfigKey(std::string_view name, const JsonRef &ref) {
  QUERN_RETURN_IF_ERROR(
      onlyKeys(ref, {"type", "names", "default", "optional", "min", "max", "above", "below", "one_of"}));
  ConfigKey key;
  key.name = std::string(name);
  QUERN_ASSIGN_OR_RETURN(std::string_view type, ref.getString("type"));
  static constexpr std::string_view kinds[] = {"int", "float", "bool", "string", "list"};
  auto kind = std::find(std::begin(kinds), std::end(kinds), type);
  if (kind == std::end(kinds))
    return fault(ref, "`type` must be int, float, bool, string or list, got `" + std::string(type) + "`");
  key.kind = static_cast<ConfigKey::Kind>(kind - std::begin(kinds));
  QUERN_ASSIGN_OR_RETURN(key.paths, findStrings(ref, "names"));
  if (key.paths.empty())
    key.paths.push_back(key.name);
  QUERN_ASSIGN_OR_RETURN(key.fallback, findExpression(ref, "default"));
  QUERN_ASSIGN_OR_RETURN(std::optional<bool> optional, ref.findBool("optional"));
  key.optional = optional.value_or(false);
  QUERN_ASSIGN_OR_RETURN(key.min, ref.findFloat("min"));
  QUERN_ASSIGN_OR_RETURN(key.max, ref.findFloat("max"));
  QUERN_ASSIGN_OR_RETURN(key.above, ref.findFloat("above"));
  QUERN_ASSIGN_OR_RETURN(key.below, ref.findFloat("below"));
  if (std::optional<JsonRef> set = ref.find("one_of")) {
    QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> items, set->asArray());
    for (const JsonRef &item : items)
      key.oneOf.push_back(Value::fromJson(item.value()));
  }
  return key;
}

Expected<Source> readSource(const JsonRef &ref, int depth = 0) {
  Source source;
  if (depth > 8)
    return fault(ref, "is nested too deeply");
  if (ref->isString()) {
    source.tensor = ref->string();
    return source;
  }
  auto child = [&](std::string_view key) -> Status {
    QUERN_ASSIGN_OR_RETURN(JsonRef member, ref.get(key));
    QUERN_ASSIGN_OR_RETURN(Source inner, readSource(member, depth + 1));
    source.children.push_back(std::move(inner));
    return Status::success();
  };
  if (ref.has("tensor")) {
    QUERN_RETURN_IF_ERROR(onlyKeys(ref, {"tensor", "shape"}));
    QUERN_ASSIGN_OR_RETURN(std::string_view tensor, ref.getString("tensor"));
    source.tensor = std::string(tensor);
    if (std::optional<JsonRef> shape = ref.find("shape")) {
      QUERN_ASSIGN_OR_RETURN(source.shape, readExpressions(*shape));
    }
    return source;
  }
  if (ref.has("concat")) {
    QUERN_RETURN_IF_ERROR(onlyKeys(ref, {"concat", "dim"}));
    source.kind = Source::Concat;
    QUERN_ASSIGN_OR_RETURN(source.dim, ref.getInt("dim", {0, 2}));
    QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> items, ref.getArray("concat"));
    for (const JsonRef &item : items) {
      QUERN_ASSIGN_OR_RETURN(Source inner, readSource(item, depth + 1));
      source.children.push_back(std::move(inner));
    }
    if (source.children.empty())
      return fault(ref, "`concat` is empty");
    return source;
  }
  if (ref.has("stack")) {
    QUERN_RETURN_IF_ERROR(onlyKeys(ref, {"stack", "as", "count"}));
    source.kind = Source::Stack;
    QUERN_ASSIGN_OR_RETURN(std::string_view placeholder, ref.getString("as"));
    source.placeholder = std::string(placeholder);
    QUERN_ASSIGN_OR_RETURN(source.count, getExpression(ref, "count"));
    QUERN_RETURN_IF_ERROR(child("stack"));
    return source;
  }
  if (ref.has("slice")) {
    QUERN_RETURN_IF_ERROR(onlyKeys(ref, {"slice", "dim", "begin", "end"}));
    source.kind = Source::Slice;
    QUERN_ASSIGN_OR_RETURN(source.dim, ref.getInt("dim", {0, 2}));
    QUERN_ASSIGN_OR_RETURN(source.begin, getExpression(ref, "begin"));
    QUERN_ASSIGN_OR_RETURN(source.end, getExpression(ref, "end"));
    QUERN_RETURN_IF_ERROR(child("slice"));
    return source;
  }
  if (ref.has("transpose")) {
    QUERN_RETURN_IF_ERROR(onlyKeys(ref, {"transpose", "order"}));
    source.kind = Source::Transpose;
    QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> order, ref.getArray("order"));
    for (const JsonRef &item : order) {
      QUERN_ASSIGN_OR_RETURN(int64_t dim, item.asInt({0, static_cast<int64_t>(order.size()) - 1}));
      if (std::find(source.order.begin(), source.order.end(), dim) != source.order.end())
        return fault(item, "`order` names a dimension twice");
      source.order.push_back(dim);
    }
    QUERN_RETURN_IF_ERROR(child("transpose"));
    return source;
  }
  if (ref.has("reshape")) {
    QUERN_RETURN_IF_ERROR(onlyKeys(ref, {"reshape", "to"}));
    source.kind = Source::Reshape;
    QUERN_ASSIGN_OR_RETURN(JsonRef to, ref.get("to"));
    QUERN_ASSIGN_OR_RETURN(source.shape, readExpressions(to));
    QUERN_RETURN_IF_ERROR(child("reshape"));
    return source;
  }
  return fault(ref, "must be a tensor name, or have one of tensor, concat, stack, slice, transpose, reshape");
}

Expected<WeightDescription> readWeight(std::string_view name, const JsonRef &ref) {
  QUERN_RETURN_IF_ERROR(onlyKeys(ref, {"when", "shape", "from", "quantised", "type", "active"}));
  WeightDescription weight;
  weight.name = std::string(name);
  QUERN_ASSIGN_OR_RETURN(weight.when, findExpression(ref, "when"));
  QUERN_ASSIGN_OR_RETURN(JsonRef shape, ref.get("shape"));
  QUERN_ASSIGN_OR_RETURN(weight.shape, readExpressions(shape));
  if (weight.shape.empty() || weight.shape.size() > 3)
    return fault(shape, "a weight has one to three dimensions");
  QUERN_ASSIGN_OR_RETURN(JsonRef from, ref.get("from"));
  if (from->isObject() && from.has("any")) {
    QUERN_RETURN_IF_ERROR(onlyKeys(from, {"any"}));
    QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> ways, from.getArray("any"));
    for (const JsonRef &way : ways) {
      QUERN_ASSIGN_OR_RETURN(Source source, readSource(way));
      weight.from.push_back(std::move(source));
    }
    if (weight.from.empty())
      return fault(from, "`any` is empty");
  } else {
    QUERN_ASSIGN_OR_RETURN(Source source, readSource(from));
    weight.from.push_back(std::move(source));
  }
  QUERN_ASSIGN_OR_RETURN(std::optional<bool> quantised, ref.findBool("quantised"));
  weight.quantised = quantised.value_or(false);
  QUERN_ASSIGN_OR_RETURN(std::optional<std::string_view> type, ref.findString("type"));
  if (type && *type != "bf16" && *type != "f32")
    return fault(ref, "`type` must be bf16 or f32, got `" + std::string(*type) + "`");
  weight.f32 = type == "f32";
  QUERN_ASSIGN_OR_RETURN(std::optional<Expression> active, findExpression(ref, "active"));
  if (active)
    weight.active = *active;
  return weight;
}

Expected<std::vector<WiringItem>> readWiring(const JsonRef &list, int depth = 0) {
  if (depth > 8)
    return fault(list, "is nested too deeply");
  QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> items, list.asArray());
  std::vector<WiringItem> wiring;
  for (const JsonRef &item : items) {
    WiringItem made;
    if (item->isString()) {
      Expected<StepText> step = StepText::parse(item->string());
      if (!step.ok())
        return placed(item, step.takeError());
      if (Status status = checkStep(*step); !status.ok())
        return placed(item, std::move(status));
      made.step = *std::move(step);
    } else if (item.has("use")) {
      QUERN_RETURN_IF_ERROR(onlyKeys(item, {"use"}));
      QUERN_ASSIGN_OR_RETURN(std::string_view block, item.getString("use"));
      made.block = std::string(block);
    } else {
      QUERN_RETURN_IF_ERROR(onlyKeys(item, {"when", "steps", "else"}));
      QUERN_ASSIGN_OR_RETURN(made.when, getExpression(item, "when"));
      QUERN_ASSIGN_OR_RETURN(JsonRef steps, item.get("steps"));
      QUERN_ASSIGN_OR_RETURN(made.then, readWiring(steps, depth + 1));
      if (std::optional<JsonRef> otherwise = item.find("else")) {
        QUERN_ASSIGN_OR_RETURN(made.otherwise, readWiring(*otherwise, depth + 1));
      }
    }
    wiring.push_back(std::move(made));
  }
  return wiring;
}

/// What steps refer to must exist: weights, blocks (declared before their use, so that there is no cycle),
/// tables.
Status checkReferences(const Family &family, const JsonRef &at, const std::vector<WiringItem> &wiring,
                       size_t blocksKnown) {
  for (const WiringItem &item : wiring) {
    if (item.step) {
      std::vector<std::string> names;
      for (const StepText::Operand &operand : item.step->operands)
        if (operand.weight)
          names.push_back(operand.name);
      for (const StepText::Argument &argument : item.step->arguments)
        if (argument.weight)
          names.push_back(argument.weightName);
      for (const std::string &name : names)
        if (!family.findWeight(name))
          return fault(at,
                       "`" + item.step->source + "` names the weight `" + name + "`, which is not declared");
    }
    if (!item.block.empty()) {
      auto end = family.blocks.begin() + static_cast<std::ptrdiff_t>(blocksKnown);
      if (std::find_if(family.blocks.begin(), end, [&](auto &b) { return b.first == item.block; }) == end)
        return fault(at, "uses the block `" + item.block + "`, which is not declared before it");
    }
    QUERN_RETURN_IF_ERROR(checkReferences(family, at, item.then, blocksKnown));
    QUERN_RETURN_IF_ERROR(checkReferences(family, at, item.otherwise, blocksKnown));
  }
  return Status::success();
}

/// Calls |read|(key, value) for each member of the object |key|; nothing where it is absent.
template <typename Read> Status eachMember(const JsonRef &root, std::string_view key, Read read) {
  QUERN_ASSIGN_OR_RETURN(std::optional<JsonRef> object, root.findObject(key));
  if (!object)
    return Status::success();
  QUERN_ASSIGN_OR_RETURN(auto members, object->asObject());
  for (const auto &[name, value] : members)
    if (!value->isNull() && name != "comment")
      QUERN_RETURN_IF_ERROR(read(name, value));
  return Status::success();
}

Status readIdentity(Family &family, const JsonRef &root) {
  QUERN_ASSIGN_OR_RETURN(std::string_view name, root.getString("name"));
  family.name = std::string(name);
  QUERN_ASSIGN_OR_RETURN(std::optional<std::string_view> summary, root.findString("summary"));
  family.summary = std::string(summary.value_or(""));
  QUERN_ASSIGN_OR_RETURN(JsonRef matches, root.getObject("matches"));
  QUERN_RETURN_IF_ERROR(onlyKeys(matches, {"model_type", "architectures"}));
  QUERN_ASSIGN_OR_RETURN(JsonRef types, matches.get("model_type"));
  QUERN_ASSIGN_OR_RETURN(family.modelTypes, readStrings(types));
  QUERN_ASSIGN_OR_RETURN(family.architectures, findStrings(matches, "architectures"));
  return Status::success();
}

Status readConfiguration(Family &family, const JsonRef &root) {
  QUERN_RETURN_IF_ERROR(eachMember(root, "config", [&](std::string_view name, const JsonRef &ref) -> Status {
    QUERN_ASSIGN_OR_RETURN(ConfigKey key, readConfigKey(name, ref));
    family.config.push_back(std::move(key));
    return Status::success();
  }));
  QUERN_RETURN_IF_ERROR(eachMember(root, "let", [&](std::string_view name, const JsonRef &ref) -> Status {
    QUERN_ASSIGN_OR_RETURN(Expression expression, readExpression(ref));
    family.definitions.emplace_back(name, std::move(expression));
    return Status::success();
  }));
  QUERN_RETURN_IF_ERROR(eachMember(root, "require", [&](std::string_view name, const JsonRef &ref) -> Status {
    QUERN_RETURN_IF_ERROR(onlyKeys(ref, {"that", "say", "remedy", "unsupported"}));
    Requirement requirement;
    requirement.name = std::string(name);
    QUERN_ASSIGN_OR_RETURN(requirement.that, getExpression(ref, "that"));
    QUERN_ASSIGN_OR_RETURN(std::string_view say, ref.getString("say"));
    requirement.sentence = std::string(say);
    QUERN_ASSIGN_OR_RETURN(std::optional<std::string_view> remedy, ref.findString("remedy"));
    requirement.remedy = std::string(remedy.value_or(""));
    QUERN_ASSIGN_OR_RETURN(std::optional<bool> unsupported, ref.findBool("unsupported"));
    requirement.unsupported = unsupported.value_or(false);
    family.requirements.push_back(std::move(requirement));
    return Status::success();
  }));
  QUERN_RETURN_IF_ERROR(
      eachMember(root, "semantic", [&](std::string_view name, const JsonRef &ref) -> Status {
        QUERN_ASSIGN_OR_RETURN(std::string_view about, ref.asString());
        family.semantic.emplace_back(name, about);
        return Status::success();
      }));
  return eachMember(root, "rope", [&](std::string_view name, const JsonRef &ref) -> Status {
    QUERN_RETURN_IF_ERROR(onlyKeys(ref, {"dim", "theta", "layout", "parameters", "kinds"}));
    RopeTable table;
    table.name = std::string(name);
    QUERN_ASSIGN_OR_RETURN(table.dim, getExpression(ref, "dim"));
    QUERN_ASSIGN_OR_RETURN(table.theta, getExpression(ref, "theta"));
    QUERN_ASSIGN_OR_RETURN(table.layout, getExpression(ref, "layout"));
    QUERN_ASSIGN_OR_RETURN(table.parameters, findStrings(ref, "parameters"));
    QUERN_RETURN_IF_ERROR(
        eachMember(ref, "kinds", [&](std::string_view word, const JsonRef &kindRef) -> Status {
          QUERN_ASSIGN_OR_RETURN(std::string_view name, kindRef.asString());
          std::optional<RopeKind> kind = parseRopeKind(name);
          if (!kind)
            return fault(kindRef,
                         "must be default, linear, yarn or wavelength, got `" + std::string(name) + "`");
          table.kinds.emplace(word, *kind);
          return Status::success();
        }));
    family.ropes.push_back(std::move(table));
    return Status::success();
  });
}

Status readFacts(Family &family, const JsonRef &root) {
  QUERN_ASSIGN_OR_RETURN(JsonRef facts, root.getObject("facts"));
  QUERN_RETURN_IF_ERROR(onlyKeys(facts, {"vocabulary", "hidden", "context", "layers", "prediction_layers"}));
  QUERN_ASSIGN_OR_RETURN(family.vocabulary, getExpression(facts, "vocabulary"));
  QUERN_ASSIGN_OR_RETURN(family.hidden, getExpression(facts, "hidden"));
  QUERN_ASSIGN_OR_RETURN(family.context, getExpression(facts, "context"));
  QUERN_ASSIGN_OR_RETURN(family.layerCount, getExpression(facts, "layers"));
  QUERN_ASSIGN_OR_RETURN(std::optional<Expression> predictions, findExpression(facts, "prediction_layers"));
  family.predictionCount = predictions ? *predictions : Expression::constant(0);
  QUERN_ASSIGN_OR_RETURN(JsonRef cache, root.getObject("cache"));
  QUERN_RETURN_IF_ERROR(onlyKeys(cache, {"kind", "heads", "key", "value", "latent", "rope"}));
  QUERN_ASSIGN_OR_RETURN(std::string_view kind, cache.getString("kind"));
  if (kind != "heads" && kind != "latent")
    return fault(cache, "`kind` must be heads or latent, got `" + std::string(kind) + "`");
  family.cache.latent = kind == "latent";
  if (family.cache.latent) {
    QUERN_ASSIGN_OR_RETURN(family.cache.size, getExpression(cache, "latent"));
    QUERN_ASSIGN_OR_RETURN(family.cache.rope, getExpression(cache, "rope"));
  } else {
    QUERN_ASSIGN_OR_RETURN(family.cache.heads, getExpression(cache, "heads"));
    QUERN_ASSIGN_OR_RETURN(family.cache.key, getExpression(cache, "key"));
    QUERN_ASSIGN_OR_RETURN(family.cache.value, getExpression(cache, "value"));
  }
  return Status::success();
}

Status readTensors(Family &family, const JsonRef &root) {
  QUERN_RETURN_IF_ERROR(eachMember(root, "weights", [&](std::string_view name, const JsonRef &ref) -> Status {
    QUERN_ASSIGN_OR_RETURN(WeightDescription weight, readWeight(name, ref));
    family.weights.push_back(std::move(weight));
    return Status::success();
  }));
  return eachMember(root, "ignore", [&](std::string_view name, const JsonRef &ref) -> Status {
    IgnoredTensors ignored;
    ignored.pattern = std::string(name);
    if (ref->isString()) {
      ignored.reason = ref->string();
    } else {
      QUERN_RETURN_IF_ERROR(onlyKeys(ref, {"reason", "when"}));
      QUERN_ASSIGN_OR_RETURN(std::string_view reason, ref.getString("reason"));
      ignored.reason = std::string(reason);
      QUERN_ASSIGN_OR_RETURN(ignored.when, findExpression(ref, "when"));
    }
    family.ignored.push_back(std::move(ignored));
    return Status::success();
  });
}

Status readGraph(Family &family, const JsonRef &root) {
  QUERN_RETURN_IF_ERROR(eachMember(root, "blocks", [&](std::string_view name, const JsonRef &ref) -> Status {
    QUERN_ASSIGN_OR_RETURN(std::vector<WiringItem> steps, readWiring(ref));
    QUERN_RETURN_IF_ERROR(checkReferences(family, ref, steps, family.blocks.size()));
    family.blocks.emplace_back(name, std::move(steps));
    return Status::success();
  }));
  auto wiring = [&](const JsonRef &ref) -> Expected<std::vector<WiringItem>> {
    QUERN_ASSIGN_OR_RETURN(std::vector<WiringItem> steps, readWiring(ref));
    QUERN_RETURN_IF_ERROR(checkReferences(family, ref, steps, family.blocks.size()));
    return steps;
  };
  QUERN_ASSIGN_OR_RETURN(JsonRef begin, root.get("begin"));
  QUERN_ASSIGN_OR_RETURN(family.begin, wiring(begin));
  QUERN_ASSIGN_OR_RETURN(JsonRef end, root.get("end"));
  QUERN_ASSIGN_OR_RETURN(family.end, wiring(end));
  if (std::optional<JsonRef> prediction = root.find("prediction")) {
    QUERN_ASSIGN_OR_RETURN(family.prediction, wiring(*prediction));
  }
  QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> layers, root.getArray("layers"));
  for (const JsonRef &ref : layers) {
    QUERN_RETURN_IF_ERROR(onlyKeys(ref, {"class", "when", "steps"}));
    LayerClass made;
    QUERN_ASSIGN_OR_RETURN(std::string_view name, ref.getString("class"));
    made.name = std::string(name);
    QUERN_ASSIGN_OR_RETURN(made.when, findExpression(ref, "when"));
    QUERN_ASSIGN_OR_RETURN(JsonRef steps, ref.get("steps"));
    QUERN_ASSIGN_OR_RETURN(made.steps, wiring(steps));
    family.layers.push_back(std::move(made));
  }
  return Status::success();
}

} // namespace

const WeightDescription *Family::findWeight(std::string_view wanted) const {
  for (const WeightDescription &weight : weights)
    if (weight.name == wanted)
      return &weight;
  return nullptr;
}

const std::vector<WiringItem> *Family::findBlock(std::string_view wanted) const {
  for (const auto &[name, steps] : blocks)
    if (name == wanted)
      return &steps;
  return nullptr;
}

Expected<Family> quern::import::parseFamily(const JsonDocument &document) {
  JsonRef root = document.root();
  Family family;
  family.origin = document.name();
  QUERN_RETURN_IF_ERROR(onlyKeys(root, {"format", "name", "summary", "extends", "matches", "config", "let",
                                        "require", "semantic", "rope", "facts", "cache", "weights", "ignore",
                                        "blocks", "begin", "layers", "end", "prediction"}));
  QUERN_ASSIGN_OR_RETURN(int64_t format, root.getInt("format"));
  if (format != 1)
    return fault(root, "has format " + std::to_string(format) + ", this program reads format 1");
  QUERN_RETURN_IF_ERROR(readIdentity(family, root));
  QUERN_RETURN_IF_ERROR(readConfiguration(family, root));
  QUERN_RETURN_IF_ERROR(readFacts(family, root));
  QUERN_RETURN_IF_ERROR(readTensors(family, root));
  QUERN_RETURN_IF_ERROR(readGraph(family, root));
  return family;
}

bool quern::import::matchesPattern(std::string_view pattern, std::string_view text) {
  // Greedy with one remembered star: linear in practice, |pattern| * |text| at worst.
  size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*')
    ++p;
  return p == pattern.size();
}

Expected<std::string> quern::import::expandName(std::string_view name, const Scope &scope,
                                                const std::vector<std::string> &kept) {
  std::string expanded;
  size_t at = 0;
  while (at < name.size()) {
    size_t open = name.find('{', at);
    expanded += name.substr(at, open - at);
    if (open == std::string_view::npos)
      break;
    size_t close = name.find('}', open);
    if (close == std::string_view::npos)
      return Status::error(Exit::BadInput, "E-FAMILY-EXPRESSION",
                           "`" + std::string(name) + "` has `{` without `}`");
    std::string inner(name.substr(open + 1, close - open - 1));
    at = close + 1;
    if (std::find(kept.begin(), kept.end(), inner) != kept.end()) {
      expanded += "{" + inner + "}";
      continue;
    }
    QUERN_ASSIGN_OR_RETURN(Expression expression, Expression::parse(inner));
    QUERN_ASSIGN_OR_RETURN(Value value, expression.evaluate(scope));
    expanded += value.isString() ? value.string() : value.text();
  }
  return expanded;
}
