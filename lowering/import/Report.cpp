//===- Report.cpp - What `quern import` prints --------------------------------===//
#include "lowering/import/Report.h"

#include <cstdio>

using namespace quern;
using namespace quern::import;

namespace {

/// Lines of each kind of fault that the text shows; the JSON has all.
constexpr size_t kShownFaults = 20;

std::string format(const char *pattern, double value) {
  char text[64];
  std::snprintf(text, sizeof text, pattern, value);
  return text;
}

/// "671.026 B", "15.2 M", "812".
std::string countText(uint64_t count) {
  double value = static_cast<double>(count);
  return count >= 100'000'000 ? format("%.3f B", value / 1e9)
         : count >= 1'000'000 ? format("%.2f M", value / 1e6)
         : count >= 1'000     ? format("%.1f k", value / 1e3)
                              : std::to_string(count);
}

/// In powers of 1024 with one decimal.
std::string bytesText(uint64_t bytes) {
  double value = static_cast<double>(bytes);
  return bytes >= (1ull << 30)   ? format("%.1f GiB", value / (1ull << 30))
         : bytes >= (1ull << 20) ? format("%.1f MiB", value / (1ull << 20))
         : bytes >= (1ull << 10) ? format("%.1f KiB", value / (1ull << 10))
                                 : std::to_string(bytes) + " B";
}

/// Columns of equal width, two spaces between, the first left and the others right aligned.
std::string table(const std::vector<std::vector<std::string>> &rows) {
  std::vector<size_t> widths;
  for (const auto &row : rows)
    for (size_t i = 0; i < row.size(); ++i) {
      widths.resize(std::max(widths.size(), i + 1));
      widths[i] = std::max(widths[i], row[i].size());
    }
  std::string text;
  for (const auto &row : rows) {
    text += " ";
    for (size_t i = 0; i < row.size(); ++i) {
      std::string padding(widths[i] - row[i].size(), ' ');
      text += " " + (i == 0 ? row[i] + padding : " " + padding + row[i]);
    }
    while (text.back() == ' ')
      text.pop_back();
    text += "\n";
  }
  return text;
}

/// "0-2 dense, 3-60 experts".
std::string layersText(const ModelGraph &graph) {
  std::string text;
  for (size_t first = 0; first < graph.layers.size();) {
    size_t end = first + 1;
    while (end < graph.layers.size() && graph.layers[end].className == graph.layers[first].className)
      ++end;
    text += (text.empty() ? "" : ", ") + std::to_string(first) +
            (end - first > 1 ? "-" + std::to_string(end - 1) : std::string()) + " " +
            graph.layers[first].className;
    first = end;
  }
  return text;
}

std::string quantisationText(const Quantisation &quantisation) {
  return !quantisation.fp8 ? "none"
                           : std::string("fp8 e4m3, 128x128 blocks, scales ") +
                                 (quantisation.powerOfTwoScales ? "powers of two" : "fp32");
}

const char *fateName(TensorFate::Kind kind) {
  static constexpr const char *names[] = {"used", "scale", "ignored", "unknown"};
  return names[kind];
}

std::string shapeText(const std::vector<uint64_t> &shape) {
  std::string text = "[";
  for (uint64_t size : shape)
    text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

/// Ignored tensors by reason.
std::map<std::string, size_t> ignoredByReason(const Census &census) {
  std::map<std::string, size_t> reasons;
  for (const TensorFate &fate : census.tensors)
    if (fate.kind == TensorFate::Ignored)
      ++reasons[fate.why];
  return reasons;
}

std::string censusText(const ImportedModel &model, bool everyTensor) {
  const Census &census = model.census();
  if (!census.fromCheckpoint)
    return "tensors: none, the directory holds a configuration alone (weights can be random)\n";
  std::string text = "tensors: " + std::to_string(census.tensors.size()) + " in " +
                     std::to_string(model.checkpoint()->shards().size()) + " files, " +
                     bytesText(model.checkpoint()->dataBytes()) + "\n";
  std::vector<std::vector<std::string>> rows;
  for (auto kind : {TensorFate::Used, TensorFate::Scale, TensorFate::Ignored, TensorFate::Unknown})
    rows.push_back({fateName(kind), std::to_string(census.count(kind)), bytesText(census.bytes(kind))});
  rows.push_back({"missing", std::to_string(census.missing.size())});
  text += table(rows);
  for (const auto &[reason, count] : ignoredByReason(census))
    text += "  ignored: " + std::to_string(count) + " (" + reason + ")\n";
  if (everyTensor) {
    rows.clear();
    for (const TensorFate &fate : census.tensors)
      rows.push_back({fate.tensor->name(), std::string(elementTypeName(fate.tensor->type())),
                      shapeText(fate.tensor->shape()), fateName(fate.kind), fate.why});
    text += table(rows);
  }
  return text;
}

std::string plansText(const std::vector<MemoryPlan> &plans) {
  if (plans.empty())
    return "";
  std::string text = "memory for " + std::to_string(plans[0].sequences) + " x " +
                     std::to_string(plans[0].context) + " tokens:\n";
  std::vector<std::vector<std::string>> rows = {
      {"target", "rung", "weights", "cache", "one step", "total", "device", "tokens that fit"}};
  for (const MemoryPlan &plan : plans) {
    std::optional<uint64_t> fit = plan.tokensThatFit();
    rows.push_back({plan.target, std::string(rungName(plan.rung)), bytesText(plan.weightBytes),
                    bytesText(plan.cacheBytes()), bytesText(plan.activationBytes),
                    bytesText(plan.totalBytes()), plan.capacity ? bytesText(plan.capacity) : "-",
                    fit ? std::to_string(*fit) : "-"});
  }
  return text + table(rows);
}

} // namespace

std::string quern::import::importText(const ImportedModel &model, const std::vector<MemoryPlan> &plans,
                                      bool everyTensor) {
  const ModelConfig &config = model.config();
  const Census &census = model.census();
  const ParameterCounts &counts = census.parameters;
  std::string text = "model: " + config.modelType + ", family " + model.family().name + " (" +
                     model.family().summary + ")\n";
  text +=
      "layers: " + layersText(model.graph()) +
      (config.predictionLayers ? ", " + std::to_string(config.predictionLayers) + " for prediction" : "") +
      "\n";
  text += "quantisation: " + quantisationText(config.quantisation) + "\n";
  text += "parameters:\n";
  std::vector<std::vector<std::string>> rows = {{"in all", countText(counts.total)},
                                                {"embedding", countText(counts.embedding)},
                                                {"active per token", countText(counts.active)}};
  if (counts.prediction)
    rows.push_back({"prediction layers (not in the sums)", countText(counts.prediction)});
  text += table(rows);
  const CacheShape &cache = model.graph().cache;
  text += "cache: " + std::to_string(2 * cache.elementsPerLayer() * config.layers) + " bytes per token" +
          (config.predictionLayers ? ", " + std::to_string(2 * cache.elementsPerLayer() * cache.layers) +
                                         " with prediction layers"
                                   : "") +
          "\n";
  text += censusText(model, everyTensor);
  text += plansText(plans);
  for (const std::string &note : census.notes)
    text += "note: " + note + "\n";
  for (size_t i = 0; i < census.faults.size() && i < kShownFaults; ++i)
    text += census.faults[i].message() + "\n";
  if (census.faults.size() > kShownFaults)
    text += "and " + std::to_string(census.faults.size() - kShownFaults) + " more faults\n";
  return text;
}

Json quern::import::importJson(const ImportedModel &model, const std::vector<MemoryPlan> &plans,
                               bool everyTensor) {
  const ModelConfig &config = model.config();
  const Census &census = model.census();
  Json root = Json::object();
  root.set("schema", "quern.import");
  root.set("schema_version", 1);
  root.set("model_type", config.modelType);
  root.set("family", model.family().name);
  root.set("layers", config.layers);
  root.set("prediction_layers", config.predictionLayers);
  root.set("vocabulary", config.vocabulary);
  root.set("hidden", config.hidden);
  root.set("context", config.context);
  root.set("quantisation", quantisationText(config.quantisation));
  Json &parameters = root.set("parameters", Json::object());
  parameters.set("total", census.parameters.total);
  parameters.set("embedding", census.parameters.embedding);
  parameters.set("active", census.parameters.active);
  parameters.set("prediction", census.parameters.prediction);
  root.set("cache_bytes_per_token", 2 * model.graph().cache.elementsPerLayer() * config.layers);
  Json &tensors = root.set("tensors", Json::object());
  tensors.set("from_checkpoint", census.fromCheckpoint);
  for (auto kind : {TensorFate::Used, TensorFate::Scale, TensorFate::Ignored, TensorFate::Unknown}) {
    Json &entry = tensors.set(fateName(kind), Json::object());
    entry.set("count", census.count(kind));
    entry.set("bytes", census.bytes(kind));
  }
  Json &missing = tensors.set("missing", Json::array());
  for (const std::string &name : census.missing)
    missing.push(name);
  if (everyTensor) {
    Json &list = tensors.set("list", Json::array());
    for (const TensorFate &fate : census.tensors) {
      Json &entry = list.push(Json::object());
      entry.set("name", fate.tensor->name());
      entry.set("type", elementTypeName(fate.tensor->type()));
      Json &shape = entry.set("shape", Json::array());
      for (uint64_t size : fate.tensor->shape())
        shape.push(size);
      entry.set("fate", fateName(fate.kind));
      entry.set("why", fate.why);
    }
  }
  Json &memory = root.set("memory", Json::array());
  for (const MemoryPlan &plan : plans) {
    Json &entry = memory.push(Json::object());
    entry.set("target", plan.target);
    entry.set("rung", rungName(plan.rung));
    entry.set("sequences", plan.sequences);
    entry.set("context", plan.context);
    entry.set("weight_bytes", plan.weightBytes);
    entry.set("cache_bytes", plan.cacheBytes());
    entry.set("activation_bytes", plan.activationBytes);
    entry.set("total_bytes", plan.totalBytes());
    entry.set("device_bytes", plan.capacity ? Json(plan.capacity) : Json());
    std::optional<uint64_t> fit = plan.tokensThatFit();
    entry.set("tokens_that_fit", fit ? Json(*fit) : Json());
  }
  Json &notes = root.set("notes", Json::array());
  for (const std::string &note : census.notes)
    notes.push(note);
  for (const std::string &note : config.notes)
    notes.push(note);
  Json &faults = root.set("faults", Json::array());
  for (const Status &fault : census.faults) {
    Json &entry = faults.push(Json::object());
    entry.set("id", fault.id());
    entry.set("exit", static_cast<int>(fault.exit()));
    entry.set("sentence", fault.sentence());
    entry.set("remedy", fault.remedyText());
  }
  return root;
}
