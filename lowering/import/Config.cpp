//===- Config.cpp - config.json under a family ----------------------------===//
#include "lowering/import/Config.h"

#include "support/Files.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

using namespace quern;
using namespace quern::import;

namespace {

/// Keys that say nothing about the forward pass, or that are read here.
bool isBookkeeping(std::string_view key) {
  static const std::set<std::string_view> keys = {
      "model_type",   "architectures", "torch_dtype",        "dtype", "transformers_version", "bos_token_id",
      "eos_token_id", "pad_token_id",  "quantization_config"};
  return keys.contains(key);
}

/// The value at "a.b", where null counts as absent.
std::optional<JsonRef> findPath(const JsonRef &root, std::string_view path) {
  size_t dot = path.find('.');
  std::optional<JsonRef> member = root.find(path.substr(0, dot));
  if (!member || dot == std::string_view::npos)
    return member;
  return findPath(*member, path.substr(dot + 1));
}

std::string list(const std::vector<Value> &values) {
  std::string text;
  for (const Value &value : values)
    text += (text.empty() ? "" : ", ") + value.text();
  return text;
}

//===-- Declared keys -----------------------------------------------------===//

class KeyReader {
public:
  KeyReader(const ConfigKey &key, const JsonRef &root) : key(key), root(root) {}

  /// The key's value; null where it is absent and optional.
  Expected<Value> read(const Scope &scope) {
    std::optional<JsonRef> at;
    for (const std::string &path : key.paths) {
      std::optional<JsonRef> found = findPath(root, path);
      if (at && found && !(at->value() == found->value()) &&
          !(at->value().isNumber() && found->value().isNumber() &&
            at->value().number() == found->value().number()))
        return found->error("E-CONFIG-CONTRADICTION", "differs from " + at->where());
      at = at ? at : found;
    }
    if (!at)
      return absent(scope);
    QUERN_ASSIGN_OR_RETURN(Value value, typed(*at));
    QUERN_RETURN_IF_ERROR(check(value, at));
    return value;
  }

private:
  Expected<Value> absent(const Scope &scope) {
    if (key.fallback) {
      QUERN_ASSIGN_OR_RETURN(Value value, key.fallback->evaluate(scope));
      if (key.kind == ConfigKey::Int && value.isFloat() && value.number() == std::floor(value.number()))
        value = Value(static_cast<int64_t>(value.number()));
      QUERN_RETURN_IF_ERROR(check(value, std::nullopt));
      return value;
    }
    if (key.optional)
      return Value();
    return root.error("E-CONFIG-MISSING", "`" + key.paths.front() + "` is missing")
        .remedy("restore the file from its origin");
  }

  Expected<Value> typed(const JsonRef &at) {
    static constexpr const char *words[] = {"an integer", "a number", "true or false", "a string", "a list"};
    auto wrong = [&]() {
      return at.error("E-CONFIG-TYPE", std::string("must be ") + words[key.kind] + ", got " +
                                           std::string(jsonKindName(at.kind())));
    };
    switch (key.kind) {
    case ConfigKey::Int: {
      Expected<int64_t> value = at.asInt();
      return value.ok() ? Expected<Value>(Value(*value)) : Expected<Value>(wrong());
    }
    case ConfigKey::Float: {
      Expected<double> value = at.asFloat();
      if (!value.ok())
        return wrong();
      return Value(*value);
    }
    case ConfigKey::Bool:
      return at->isBool() ? Expected<Value>(Value(at->boolean())) : Expected<Value>(wrong());
    case ConfigKey::String:
      return at->isString() ? Expected<Value>(Value(at->string())) : Expected<Value>(wrong());
    case ConfigKey::List:
      break;
    }
    if (!at->isArray())
      return wrong();
    return Value::fromJson(at.value());
  }

  /// |at| is the value's place in the file; none for a default.
  Status check(const Value &value, const std::optional<JsonRef> &at) {
    auto fault = [&](std::string_view id, const std::string &sentence, Exit exit) {
      return at ? at->error(id, sentence, exit) : root.error(id, "`" + key.name + "` " + sentence, exit);
    };
    auto range = [&](const std::string &rule) {
      return fault("E-CONFIG-RANGE", "must be " + rule + ", got " + value.text(), Exit::BadInput)
          .remedy("restore the file from its origin");
    };
    auto number = [](double bound) {
      return bound == std::floor(bound) && std::abs(bound) < 1e15
                 ? std::to_string(static_cast<int64_t>(bound))
                 : Value(bound).text();
    };
    if (value.isNumber()) {
      double x = value.number();
      if (key.min && x < *key.min)
        return range("at least " + number(*key.min));
      if (key.max && x > *key.max)
        return range("at most " + number(*key.max));
      if (key.above && x <= *key.above)
        return range("above " + number(*key.above));
      if (key.below && x >= *key.below)
        return range("below " + number(*key.below));
    }
    if (key.oneOf.empty() || value.isNull())
      return Status::success();
    Value::List items = value.isList() ? value.list() : Value::List{value};
    for (const Value &item : items)
      if (std::find(key.oneOf.begin(), key.oneOf.end(), item) == key.oneOf.end())
        return fault("E-CONFIG-VALUE", "is " + item.text() + ", which this family does not know",
                     Exit::Unsupported)
            .remedy("known values are " + list(key.oneOf));
    return Status::success();
  }

  const ConfigKey &key;
  const JsonRef &root;
};

//===-- Rotation tables ---------------------------------------------------===//

Expected<Rotation> readRotation(const RopeTable &table, const JsonRef &root, const Family &family,
                                const Scope &scope) {
  QUERN_ASSIGN_OR_RETURN(int64_t dim, table.dim.evaluateInt(scope));
  QUERN_ASSIGN_OR_RETURN(Value theta, table.theta.evaluate(scope));
  QUERN_ASSIGN_OR_RETURN(Value layout, table.layout.evaluate(scope));
  if (dim < 2 || dim % 2 != 0 || dim > 65536)
    return root.error("E-CONFIG-RANGE",
                      "the rotated size must be even and positive, got " + std::to_string(dim));
  if (!theta.isNumber() || !(theta.number() > 1))
    return root.error("E-CONFIG-RANGE", "the rotation's theta must be above 1, got " + theta.text());
  if (layout != Value("half") && layout != Value("interleaved"))
    return Status::error(Exit::BadInput, "E-FAMILY-FORMAT",
                         family.origin + ": the layout of the rotation `" + table.name +
                             "` must be 'half' or 'interleaved', got " + layout.text());
  bool interleaved = layout == Value("interleaved");
  RopeScaling scaling;
  std::optional<JsonRef> used;
  for (const std::string &path : table.parameters) {
    std::optional<JsonRef> object = findPath(root, path);
    if (!object)
      continue;
    if (used && !(used->value() == object->value()))
      return object->error("E-CONFIG-CONTRADICTION", "differs from " + used->where());
    used = used ? used : object;
    std::vector<std::string> understood;
    for (const ConfigKey &key : family.config)
      for (const std::string &declared : key.paths)
        if (declared.starts_with(path + "."))
          understood.push_back(declared.substr(path.size() + 1));
    QUERN_ASSIGN_OR_RETURN(scaling, readRopeScaling(*object, understood, table.kinds));
  }
  return computeRotation(dim, theta.number(), scaling, interleaved);
}

//===-- Quantisation ------------------------------------------------------===//

Expected<Quantisation> readQuantisation(const JsonRef &root) {
  Quantisation quantisation;
  std::optional<JsonRef> object = root.find("quantization_config");
  if (!object)
    return quantisation;
  QUERN_ASSIGN_OR_RETURN(auto members, object->asObject());
  auto refuse = [](const JsonRef &at, const std::string &sentence) {
    return at.error("E-CONFIG-QUANTISATION", sentence, Exit::Unsupported)
        .remedy("supported is fp8 e4m3 with dynamic activations and 128x128 blocks");
  };
  QUERN_ASSIGN_OR_RETURN(std::string_view method, object->getString("quant_method"));
  if (method != "fp8")
    return refuse(*object, "the quantisation method `" + std::string(method) + "` is not supported");
  bool blocks = false;
  for (const auto &[key, value] : members) {
    if (value->isNull())
      continue;
    if (key == "quant_method")
      continue;
    if (key == "fmt" || key == "activation_scheme" || key == "scale_fmt") {
      QUERN_ASSIGN_OR_RETURN(std::string_view text, value.asString());
      bool fits = key == "fmt"                 ? text == "e4m3"
                  : key == "activation_scheme" ? text == "dynamic"
                                               : text == "ue8m0" || text == "float";
      if (!fits)
        return refuse(value, "is `" + std::string(text) + "`");
      quantisation.powerOfTwoScales |= key == "scale_fmt" && text == "ue8m0";
    } else if (key == "weight_block_size") {
      QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> sizes, value.asArray());
      bool fits = sizes.size() == 2;
      for (const JsonRef &size : sizes)
        fits = fits && size->isInt() && size->integer() == 128;
      if (!fits)
        return refuse(value, "is not [128, 128]");
      blocks = true;
    } else if (key == "modules_to_not_convert" || key == "ignored_layers") {
      QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> modules, value.asArray());
      for (const JsonRef &module : modules) {
        QUERN_ASSIGN_OR_RETURN(std::string_view name, module.asString());
        quantisation.notConverted.emplace_back(name);
      }
    } else if (!(key == "dequantize" && value->isBool() && !value->boolean())) {
      return refuse(value, "is not a known parameter");
    }
  }
  if (!blocks)
    return refuse(*object, "has no `weight_block_size`");
  quantisation.fp8 = true;
  return quantisation;
}

//===-- Keys that nobody reads --------------------------------------------===//

Status checkUnread(const JsonRef &root, const Family &family, std::vector<std::string> &notes) {
  std::set<std::string, std::less<>> read;
  auto top = [](const std::string &path) { return path.substr(0, path.find('.')); };
  for (const ConfigKey &key : family.config)
    for (const std::string &path : key.paths)
      if (path.find('.') == std::string::npos)
        read.insert(path);
  for (const RopeTable &table : family.ropes)
    for (const std::string &path : table.parameters)
      read.insert(top(path));
  QUERN_ASSIGN_OR_RETURN(auto members, root.asObject());
  for (const auto &[key, value] : members) {
    if (read.contains(key) || isBookkeeping(key) || value->isNull())
      continue;
    for (const auto &[pattern, about] : family.semantic)
      if (matchesPattern(pattern, key))
        return value
            .error("E-CONFIG-SEMANTIC-KEY",
                   "is about " + about + ", and the family `" + family.name + "` does not know it",
                   Exit::Unsupported)
            .remedy("describe what it means in a family file (docs/Families.md) and pass --family FILE");
    notes.push_back("config.json: `" + std::string(key) + "` is not used");
  }
  return Status::success();
}

Status readFacts(ModelConfig &config, const JsonRef &root, const Family &family, const Scope &scope) {
  struct Fact {
    const Expression &expression;
    int64_t &target;
    int64_t min, max;
    const char *words;
  };
  // Bounds of last resort, for families that declare none: what follows allocates by these numbers.
  for (const Fact &fact :
       {Fact{family.vocabulary, config.vocabulary, 1, 1 << 24, "the vocabulary"},
        Fact{family.hidden, config.hidden, 1, 1 << 20, "the hidden size"},
        Fact{family.context, config.context, 1, int64_t{1} << 40, "the context"},
        Fact{family.layerCount, config.layers, 1, 4096, "the number of layers"},
        Fact{family.predictionCount, config.predictionLayers, 0, 16, "the number of prediction layers"}}) {
    QUERN_ASSIGN_OR_RETURN(fact.target, fact.expression.evaluateInt(scope));
    if (fact.target < fact.min || fact.target > fact.max)
      return root.error("E-CONFIG-RANGE", std::string(fact.words) + " must be from " +
                                              std::to_string(fact.min) + " to " + std::to_string(fact.max) +
                                              ", got " + std::to_string(fact.target));
  }
  return Status::success();
}

} // namespace

Scope ModelConfig::scope() const {
  Scope made;
  for (const auto &[name, value] : values)
    made.set(name, value);
  std::map<std::string, double, std::less<>> factors;
  for (const auto &[name, rotation] : rotations)
    factors.emplace(name, rotation.softmaxFactor);
  made.define("yarn_softmax_factor", [factors](const Value::List &arguments) -> Expected<Value> {
    if (arguments.size() == 1 && arguments[0].isString())
      if (auto it = factors.find(arguments[0].string()); it != factors.end())
        return Value(it->second);
    return Status::error(Exit::BadInput, "E-FAMILY-EXPRESSION",
                         "`yarn_softmax_factor` wants the name of a rotation table");
  });
  return made;
}

Expected<JsonDocument> quern::import::readConfigFile(const std::string &directory) {
  std::error_code code;
  bool isFile = std::filesystem::is_regular_file(directory, code);
  std::string path = isFile ? directory : directory + "/config.json";
  if (!isFile) {
    QUERN_RETURN_IF_ERROR(checkDirectory(directory));
    if (!std::filesystem::exists(path, code))
      return Status::error(Exit::BadInput, "E-CONFIG-NOT-FOUND",
                           "there is no config.json in `" + directory + "`")
          .remedy("name the directory of a Hugging Face checkpoint");
  }
  return readJsonFile(path, {.name = "config.json", .maxBytes = kMaxConfigBytes});
}

Expected<ModelConfig> quern::import::readConfig(const JsonRef &root, const Family &family) {
  QUERN_ASSIGN_OR_RETURN(auto members, root.asObject());
  ModelConfig config;
  QUERN_ASSIGN_OR_RETURN(std::string_view modelType, root.getString("model_type"));
  config.modelType = std::string(modelType);
  if (std::optional<JsonRef> architectures = root.find("architectures")) {
    QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> items, architectures->asArray());
    if (!items.empty()) {
      QUERN_ASSIGN_OR_RETURN(std::string_view first, items[0].asString());
      config.architecture = std::string(first);
    }
  }
  Scope scope;
  for (const ConfigKey &key : family.config) {
    QUERN_ASSIGN_OR_RETURN(Value value, KeyReader(key, root).read(scope));
    scope.set(key.name, value);
    config.values.insert_or_assign(key.name, std::move(value));
  }
  for (const auto &[name, expression] : family.definitions) {
    QUERN_ASSIGN_OR_RETURN(Value value, expression.evaluate(scope));
    scope.set(name, value);
    config.values.insert_or_assign(name, std::move(value));
  }
  for (const Requirement &requirement : family.requirements) {
    QUERN_ASSIGN_OR_RETURN(bool holds, requirement.that.evaluateBool(scope));
    if (!holds)
      return root
          .error(requirement.unsupported ? "E-CONFIG-REQUIREMENT" : "E-CONFIG-CONTRADICTION",
                 requirement.sentence, requirement.unsupported ? Exit::Unsupported : Exit::BadInput)
          .cause("`" + requirement.that.text() + "` does not hold")
          .remedy(requirement.remedy);
  }
  for (const RopeTable &table : family.ropes) {
    QUERN_ASSIGN_OR_RETURN(Rotation rotation, readRotation(table, root, family, scope));
    config.rotations.insert_or_assign(table.name, std::move(rotation));
  }
  QUERN_ASSIGN_OR_RETURN(config.quantisation, readQuantisation(root));
  QUERN_RETURN_IF_ERROR(checkUnread(root, family, config.notes));
  QUERN_RETURN_IF_ERROR(readFacts(config, root, family, scope));
  return config;
}

//===-- Generation --------------------------------------------------------===//

namespace {

Expected<std::vector<int64_t>> readIds(const JsonRef &root, std::string_view key, int64_t vocabulary) {
  std::vector<int64_t> ids;
  std::optional<JsonRef> member = root.find(key);
  if (!member)
    return ids;
  std::vector<JsonRef> items{*member};
  if ((*member)->isArray()) {
    QUERN_ASSIGN_OR_RETURN(items, member->asArray());
  }
  for (const JsonRef &item : items) {
    QUERN_ASSIGN_OR_RETURN(int64_t id, item.asInt());
    if (id < 0 || id >= vocabulary)
      return item.error("E-CONFIG-RANGE", "must be a token id from 0 to " + std::to_string(vocabulary - 1) +
                                              ", got " + std::to_string(id));
    ids.push_back(id);
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

} // namespace

Expected<Generation> quern::import::readGeneration(const std::string &directory, const JsonRef &config,
                                                   int64_t vocabulary) {
  Generation generation;
  std::optional<JsonDocument> document;
  std::string path = directory + "/generation_config.json";
  std::error_code code;
  if (std::filesystem::exists(path, code)) {
    QUERN_ASSIGN_OR_RETURN(
        document, readJsonFile(path, {.name = "generation_config.json", .maxBytes = kMaxConfigBytes}));
  }
  auto ids = [&](std::string_view key) -> Expected<std::vector<int64_t>> {
    if (document) {
      QUERN_ASSIGN_OR_RETURN(std::vector<int64_t> found, readIds(document->root(), key, vocabulary));
      if (!found.empty())
        return found;
    }
    return readIds(config, key, vocabulary);
  };
  QUERN_ASSIGN_OR_RETURN(generation.eos, ids("eos_token_id"));
  QUERN_ASSIGN_OR_RETURN(std::vector<int64_t> bos, ids("bos_token_id"));
  if (!bos.empty())
    generation.bos = bos.front();
  if (!document)
    return generation;
  JsonRef root = document->root();
  QUERN_ASSIGN_OR_RETURN(generation.sample, root.findBool("do_sample"));
  QUERN_ASSIGN_OR_RETURN(generation.temperature, root.findFloat("temperature"));
  QUERN_ASSIGN_OR_RETURN(generation.topP, root.findFloat("top_p"));
  QUERN_ASSIGN_OR_RETURN(generation.topK, root.findInt("top_k"));
  if (generation.temperature && !(*generation.temperature >= 0 && std::isfinite(*generation.temperature)))
    return root.find("temperature")->error("E-CONFIG-RANGE", "must be 0 or more");
  if (generation.topP && !(*generation.topP > 0 && *generation.topP <= 1))
    return root.find("top_p")->error("E-CONFIG-RANGE", "must be above 0 and at most 1");
  return generation;
}
