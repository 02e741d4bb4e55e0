//===- ImportedModel.cpp - A checkpoint directory, read and checked --------===//
#include "lowering/import/ImportedModel.h"

#include "lowering/import/FamilyLibrary.h"
#include "lowering/import/WeightShapes.h"
#include "support/Float8.h"
#include "support/Interrupt.h"

#include <filesystem>

using namespace quern;
using namespace quern::import;

namespace {

/// True if |checkpoint| has any tensor of the graph's prediction layers.
bool hasPredictionTensors(const ModelGraph &graph, const Checkpoint &checkpoint) {
  for (size_t i = 0; i < graph.predictions.size(); ++i)
    for (const auto &[name, weight] : graph.predictions[i].list.weights)
      for (const WeightSource &way : weight.ways)
        if (weight.perLayer && !forEachTensor(way, static_cast<int64_t>(graph.layers.size() + i),
                                              [&](const std::string &tensor, const WeightSource &) {
                                                return checkpoint.find(tensor) == nullptr;
                                              }))
          return true;
  return false;
}

} // namespace

Expected<ImportedModel> quern::import::readModel(const std::string &directory, const ReadOptions &options) {
  auto content = std::make_unique<ImportedModel::Content>();
  content->directory = directory;
  QUERN_ASSIGN_OR_RETURN(JsonDocument document, readConfigFile(directory));
  JsonRef root = document.root();
  QUERN_ASSIGN_OR_RETURN(content->family, findFamily(root, options.family));
  QUERN_ASSIGN_OR_RETURN(content->config, readConfig(root, content->family));
  std::error_code code;
  bool isDirectory = std::filesystem::is_directory(directory, code);
  QUERN_ASSIGN_OR_RETURN(content->config.generation, readGeneration(isDirectory ? directory : std::string(),
                                                                    root, content->config.vocabulary));
  QUERN_ASSIGN_OR_RETURN(content->graph, resolveGraph(content->family, content->config));
  if (!options.configOnly && isDirectory && Checkpoint::hasWeights(directory)) {
    QUERN_ASSIGN_OR_RETURN(content->checkpoint, Checkpoint::open(directory));
  }
  bool dropped = content->checkpoint && content->config.predictionLayers > 0 &&
                 !hasPredictionTensors(content->graph, *content->checkpoint);
  if (dropped) {
    content->config.predictionLayers = 0;
    QUERN_ASSIGN_OR_RETURN(content->graph, resolveGraph(content->family, content->config));
  }
  QUERN_ASSIGN_OR_RETURN(content->census, takeCensus(content->family, content->config, content->graph,
                                                     content->checkpoint ? &*content->checkpoint : nullptr));
  if (dropped)
    content->census.notes.push_back(
        "the configuration has a prediction layer, the checkpoint does not: left out");
  return ImportedModel(std::move(content));
}

/// The fp8 tensors that the model uses.
template <typename Visit> static Status forEachFp8(const ImportedModel &model, Visit &&visit) {
  for (const TensorFate &fate : model.census().tensors)
    if (fate.kind == TensorFate::Used && fate.tensor->type() == ElementType::F8E4M3)
      QUERN_RETURN_IF_ERROR(visit(*fate.tensor));
  return Status::success();
}

uint64_t quern::import::fp8Bytes(const ImportedModel &model) {
  uint64_t bytes = 0;
  (void)forEachFp8(model, [&](const Checkpoint::Tensor &tensor) {
    bytes += tensor.bytes().size();
    return Status::success();
  });
  return bytes;
}

Status quern::import::checkFp8Codes(const ImportedModel &model,
                                    const std::function<void(uint64_t)> &progress) {
  return forEachFp8(model, [&](const Checkpoint::Tensor &tensor) {
    constexpr size_t piece = size_t(16) << 20; // between two questions whether Ctrl-C has come
    ByteSpan bytes = tensor.bytes();
    for (size_t first = 0; first < bytes.size(); first += piece) {
      QUERN_RETURN_IF_ERROR(checkInterrupt());
      size_t end = std::min(bytes.size(), first + piece);
      for (size_t i = first; i < end; ++i)
        if (isNaN(Float8::E4M3FN, std::to_integer<uint8_t>(bytes[i])))
          return Status::error(Exit::BadInput, "E-TENSOR-NAN",
                               "element " + std::to_string(i) + " of the fp8 tensor `" + tensor.name() +
                                   "` is NaN")
              .cause("such a code has no image on targets with another fp8 flavour")
              .remedy("download the checkpoint again");
      if (progress)
        progress(end - first);
    }
    return Status::success();
  });
}
