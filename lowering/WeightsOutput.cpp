//===- WeightsOutput.cpp --------------------------------------------------===//
#include "lowering/WeightsOutput.h"
#include "dialects/model/Model.h"
#include "support/Files.h"
#include "support/Interrupt.h"
#include "support/Threads.h"
#include "support/safetensors/TensorDigests.h"

#include <algorithm>
#include <cmath>
#include <map>

using namespace quern::runtime;

namespace quern::lowering {

static std::string randomName(model::WeightOp op) {
  return "random." + op.getSymName().str() + (op.getFirst() ? ".{layer}" : "");
}

void makeRecipesRandom(mlir::ModuleOp module) {
  mlir::MLIRContext *context = module.getContext();
  module.walk([&](model::WeightOp op) {
    std::string name = randomName(op);
    bool scaled = mlir::isa<model::BlockScaledType>(op.getType());
    op.setRecipeAttr(
        model::ReadAttr::get(context, mlir::StringAttr::get(context, name),
                             scaled ? mlir::StringAttr::get(context, name + ".scales") : mlir::StringAttr()));
  });
}

static std::string forLayer(std::string name, int64_t layer) {
  if (size_t at = name.find("{layer}"); at != std::string::npos)
    name.replace(at, 7, std::to_string(layer));
  return name;
}

static Status writeRandom(const CompileOptions &options, mlir::ModuleOp module, ArtifactWriter &writer,
                          Sha256 &modelHash) {
  Status status = Status::success();
  uint64_t seed = options.seed;
  auto add = [&](const std::string &name, ElementType type, llvm::ArrayRef<int64_t> shape, double low,
                 double high) {
    if (!status.ok())
      return;
    WeightSpec spec{name, type, std::vector<uint64_t>(shape.begin(), shape.end())};
    modelHash.update(name + " random " + std::to_string(seed) + "\n");
    status = writer.addRandomWeight(spec, seed++, low, high);
  };
  module.walk([&](model::WeightOp op) {
    std::string pattern = randomName(op);
    int64_t first = op.getFirst() ? int64_t(*op.getFirst()) : 0,
            end = op.getFirst() ? int64_t(*op.getEnd()) : 1;
    for (int64_t layer = first; layer < end; ++layer) {
      std::string name = forLayer(pattern, layer);
      if (auto scaled = mlir::dyn_cast<model::BlockScaledType>(op.getType())) {
        // Codes spread over [-256, 256); scales bring a row of products back to unit size.
        double unit = std::sqrt(3.0 / double(scaled.getShape().back())) / 256;
        add(name, ElementType::F8E4M3, scaled.getShape(), -256, 256);
        llvm::SmallVector<int64_t> scales = scaled.getScaleShape();
        add(name + ".scales", ElementType::F32, scales, unit * 0.9, unit * 1.1);
        continue;
      }
      auto tensor = mlir::cast<mlir::RankedTensorType>(op.getType());
      ElementType type = tensor.getElementType().isF32() ? ElementType::F32 : ElementType::BF16;
      double width = std::sqrt(3.0 / double(tensor.getShape().back()));
      if (tensor.getRank() == 1)
        add(name, type, tensor.getShape(), 0.5, 1.5);
      else
        add(name, type, tensor.getShape(), -width, width);
    }
  });
  return status;
}

using Bindings = std::vector<std::pair<std::string, int64_t>>;

/// The names of the tensors that |recipe| reads, in order.
static void collectReads(const Recipe &recipe, bool scales, Bindings &bindings, std::vector<std::string> &names) {
  switch (recipe.kind) {
  case Recipe::Kind::Read: {
    std::string name = scales ? recipe.scales : recipe.name;
    for (const auto &[placeholder, value] : bindings)
      if (size_t at = name.find("{" + placeholder + "}"); at != std::string::npos)
        name.replace(at, placeholder.size() + 2, std::to_string(value));
    names.push_back(std::move(name));
    return;
  }
  case Recipe::Kind::Stack:
    for (int64_t i = 0; i < recipe.count; ++i) {
      bindings.emplace_back(recipe.placeholder, i);
      collectReads(recipe.operands[0], scales, bindings, names);
      bindings.pop_back();
    }
    return;
  default:
    for (const Recipe &operand : recipe.operands)
      collectReads(operand, scales || recipe.kind == Recipe::Kind::Scales, bindings, names);
  }
}

/// The place of each tensor in the order in which |plan| reads them.
static std::map<std::string, size_t> readOrder(const Plan &plan) {
  std::vector<std::string> names;
  for (const PreparedTensor &tensor : plan.tensors) {
    const std::pair<int64_t, int64_t> layers = tensor.layers.value_or(std::pair<int64_t, int64_t>(0, 1));
    for (int64_t layer = layers.first; layer < layers.second; ++layer) {
      Bindings bindings = {{"layer", layer}};
      collectReads(tensor.recipe, false, bindings, names);
    }
  }
  std::map<std::string, size_t> order;
  for (size_t i = 0; i < names.size(); ++i)
    order.try_emplace(std::move(names[i]), i);
  return order;
}

Status writeWeights(const CompileOptions &options, const import::ImportedModel &imported,
                    mlir::ModuleOp module, const Plan &plan, ArtifactWriter &writer, Sha256 &modelHash) {
  if (options.weights == WeightsMode::Random)
    return writeRandom(options, module, writer, modelHash);
  const Checkpoint &checkpoint = *imported.checkpoint();
  std::optional<TensorDigests> digests;
  if (options.weights == WeightsMode::Link && !options.trustDigests) {
    Progress hashing(options.progress, "hash weights", checkpoint.dataBytes(), ProgressUnit::Bytes);
    ThreadPool pool(options.jobs);
    TensorDigestOptions how;
    how.pool = &pool;
    how.progress = &hashing;
    if (Expected<std::string> cache = cacheDirectory(); options.useCache && cache.ok())
      how.cacheFolder = *cache + "/digests";
    QUERN_ASSIGN_OR_RETURN(TensorDigests computed, TensorDigests::compute(checkpoint, how));
    digests.emplace(std::move(computed));
  }
  uint64_t total =
      imported.census().bytes(import::TensorFate::Used) + imported.census().bytes(import::TensorFate::Scale);
  Progress progress(options.progress,
                    options.weights == WeightsMode::Embed ? "write weights" : "link weights", total,
                    ProgressUnit::Bytes);
  std::vector<const Checkpoint::Tensor *> tensors; // in the order of their names
  for (const import::TensorFate &fate : imported.census().tensors)
    if (fate.kind == import::TensorFate::Used || fate.kind == import::TensorFate::Scale)
      tensors.push_back(fate.tensor);
  std::vector<const Checkpoint::Tensor *> written = tensors;
  const std::map<std::string, size_t> order = readOrder(plan);
  auto place = [&](const Checkpoint::Tensor *tensor) {
    auto found = order.find(tensor->name());
    return std::pair(found == order.end() ? order.size() : found->second, tensor->name());
  };
  std::ranges::sort(written, {}, place);
  std::map<const Checkpoint::Tensor *, std::string> digestTexts;
  for (const Checkpoint::Tensor *each : written) {
    QUERN_RETURN_IF_ERROR(checkInterrupt());
    const Checkpoint::Tensor &tensor = *each;
    WeightSpec spec{tensor.name(), tensor.type(), tensor.shape()};
    if (options.weights == WeightsMode::Embed) {
      QUERN_RETURN_IF_ERROR(writer.addWeight(spec, tensor.bytes()));
      digestTexts[each] = sha256(tensor.bytes()).hex();
    } else {
      std::optional<Digest> digest;
      if (digests)
        digest = digests->of(tensor);
      WeightSource source{tensor.shard->name, tensor.shard->file.mapping().bytes().size()};
      QUERN_RETURN_IF_ERROR(writer.addLinkedWeight(spec, source, tensor.stored->offset, digest));
      digestTexts[each] = digest ? digest->hex() : std::string("trusted");
    }
    progress.add(tensor.bytes().size());
  }
  // The model's hash does not depend on the order in the file.
  for (const Checkpoint::Tensor *tensor : tensors)
    modelHash.update(tensor->name() + " " + digestTexts[tensor] + "\n");
  progress.finish();
  return Status::success();
}

} // namespace quern::lowering
