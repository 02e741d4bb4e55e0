//===- Census.cpp - Every tensor of a checkpoint accounted for -------------===//
#include "lowering/import/Census.h"

#include "lowering/import/WeightShapes.h"
#include "support/Bytes.h"
#include "support/Float8.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

using namespace quern;
using namespace quern::import;

namespace {

constexpr int64_t kBlock = 128;
/// Faults that are kept; a checkpoint of another model has one for every tensor.
constexpr size_t kMaxFaults = 1000;

template <typename T> std::string shapeText(const std::vector<T> &shape) {
  std::string text = "[";
  for (T size : shape)
    text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

std::vector<int64_t> scaleShape(std::vector<int64_t> shape) {
  for (size_t i = shape.size() - 2; i < shape.size(); ++i)
    shape[i] = (shape[i] + kBlock - 1) / kBlock;
  return shape;
}

int64_t product(const std::vector<int64_t> &shape) {
  int64_t elements = 1;
  for (int64_t size : shape)
    elements *= size;
  return elements;
}

bool sameShape(const std::vector<uint64_t> &stored, const std::vector<int64_t> &wanted) {
  return std::equal(stored.begin(), stored.end(), wanted.begin(), wanted.end(),
                    [](uint64_t a, int64_t b) { return a == static_cast<uint64_t>(b); });
}

/// True if every step of the chain leaves scale blocks whole, so that codes and scales go through it alike.
bool keepsBlocks(const WeightSource &source) {
  auto blockDim = [](const WeightSource &node, int64_t dim) {
    return dim + 2 >= static_cast<int64_t>(node.shape.size());
  };
  switch (source.kind) {
  case Source::Tensor:
    return true;
  case Source::Concat:
    for (size_t i = 0; i + 1 < source.children.size(); ++i)
      if (blockDim(source, source.dim) && source.children[i].shape[source.dim] % kBlock != 0)
        return false;
    break;
  case Source::Slice:
    if (blockDim(source, source.dim) &&
        (source.begin % kBlock != 0 ||
         (source.end % kBlock != 0 && source.end != source.children[0].shape[source.dim])))
      return false;
    break;
  case Source::Transpose:
    for (size_t i = 0; i + 2 < source.order.size(); ++i)
      if (source.order[i] + 2 >= static_cast<int64_t>(source.order.size()))
        return false;
    break;
  case Source::Reshape:
    return false;
  case Source::Stack:
    break;
  }
  return std::all_of(source.children.begin(), source.children.end(), keepsBlocks);
}

/// True if a module that the quantisation leaves alone holds |tensor|.
bool isLeftAlone(const Quantisation &quantisation, const std::string &tensor) {
  for (const std::string &module : quantisation.notConverted) {
    if (module.empty())
      continue;
    size_t at = tensor.find(module);
    bool begins = at == 0 || (at != std::string::npos && tensor[at - 1] == '.');
    size_t end = at + module.size();
    if (begins && (end == tensor.size() || tensor[end] == '.'))
      return true;
  }
  return false;
}

class Taker {
public:
  Taker(const Family &family, const ModelConfig &config, const Checkpoint *checkpoint, Census &census)
      : family(family), config(config), checkpoint(checkpoint), census(census) {
    if (!checkpoint)
      return;
    for (const Checkpoint::Tensor &tensor : checkpoint->tensors())
      fates.emplace(tensor.name(), TensorFate{&tensor, TensorFate::Unknown, ""});
  }

  void bindList(const StepList &list, int64_t layer) {
    for (const auto &[name, weight] : list.weights) {
      auto [it, fresh] = census.bindings.try_emplace({name, weight.perLayer ? layer : -1});
      if (fresh)
        it->second = checkpoint ? bindStored(weight, layer) : bindDescribed(weight, layer);
    }
    for (const Step &step : list.steps)
      if (std::string_view(step.operation->name) == "experts")
        bindAlike(bindingOf(list, step.operands[3].name, layer),
                  bindingOf(list, step.operands[4].name, layer));
  }

  Status finish() {
    QUERN_RETURN_IF_ERROR(ignore());
    if (!checkpoint)
      return Status::success();
    for (const Checkpoint::Tensor &tensor : checkpoint->tensors()) {
      const TensorFate &fate = fates.at(tensor.name());
      if (fate.kind == TensorFate::Unknown)
        fault(
            Exit::BadInput, "E-TENSOR-UNKNOWN",
            "the tensor `" + tensor.name() + "` is not one that the family `" + family.name + "` knows",
            "check that the configuration belongs to these weights, or describe the tensor in a family file");
      census.tensors.push_back(fate);
    }
    return Status::success();
  }

private:
  void fault(Exit exit, std::string id, std::string sentence, std::string remedy) {
    if (census.faults.size() < kMaxFaults)
      census.faults.push_back(
          Status::error(exit, std::move(id), std::move(sentence)).remedy(std::move(remedy)));
  }

  const Checkpoint::Tensor *find(const std::string &name) const {
    auto it = fates.find(name);
    return it == fates.end() ? nullptr : it->second.tensor;
  }

  Binding &bindingOf(const StepList &list, const std::string &name, int64_t layer) {
    return census.bindings.at({name, list.weights.at(name).perLayer ? layer : -1});
  }

  /// Both matrices of an expert come in fp8, or neither.
  void bindAlike(Binding &a, Binding &b) {
    if (a.blockScaled == b.blockScaled)
      return;
    Binding &scaled = a.blockScaled ? a : b;
    scaled.blockScaled = scaled.powerOfTwoScales = false;
    scaled.dequantise = true;
    scaled.declaredBytes = 2 * static_cast<uint64_t>(scaled.weight->elements());
    if (noted.insert(scaled.weight->name).second)
      census.notes.push_back("`" + scaled.weight->name +
                             "` is made bf16, as the other matrix of its experts is");
  }

  //===-- Without a checkpoint ----------------------------------------------===//

  Binding bindDescribed(const Weight &weight, int64_t layer) {
    Binding binding;
    binding.weight = &weight;
    bool fp8 = config.quantisation.fp8 && weight.quantised;
    forEachTensor(weight.ways[0], layer, [&](const std::string &name, const WeightSource &) {
      fp8 = fp8 && !isLeftAlone(config.quantisation, name);
      return fp8;
    });
    decideForm(binding, fp8);
    // Every leaf is stored at the weight's own width; slices read no more than they need.
    binding.storedBytes = fp8 ? fp8Bytes(weight.shape) : binding.declaredBytes;
    return binding;
  }

  static uint64_t fp8Bytes(const std::vector<int64_t> &shape) {
    return static_cast<uint64_t>(product(shape)) + 4 * static_cast<uint64_t>(product(scaleShape(shape)));
  }

  void decideForm(Binding &binding, bool fp8) {
    const Weight &weight = *binding.weight;
    binding.blockScaled = fp8 && keepsBlocks(binding.source());
    binding.dequantise = fp8 && !binding.blockScaled;
    binding.powerOfTwoScales = binding.blockScaled && config.quantisation.powerOfTwoScales;
    binding.declaredBytes = binding.blockScaled
                                ? fp8Bytes(weight.shape)
                                : static_cast<uint64_t>(weight.elements()) * (weight.f32 ? 4 : 2);
    if (binding.dequantise && noted.insert(weight.name).second)
      census.notes.push_back("`" + weight.name +
                             "` is made bf16: its parts do not meet at the edges of scale blocks");
  }

  //===-- With a checkpoint -------------------------------------------------===//

  size_t chooseWay(const Weight &weight, int64_t layer) const {
    for (size_t i = 0; i < weight.ways.size(); ++i)
      if (weight.ways.size() == 1 ||
          forEachTensor(weight.ways[i], layer,
                        [&](const std::string &name, const WeightSource &) { return find(name) != nullptr; }))
        return i;
    return 0;
  }

  Binding bindStored(const Weight &weight, int64_t layer) {
    Binding binding;
    binding.weight = &weight;
    binding.way = chooseWay(weight, layer);
    std::optional<ElementType> type;
    bool mixed = false;
    std::string where = "the weight `" + weight.name + "`" +
                        (weight.perLayer ? " of layer " + std::to_string(layer) : std::string());
    forEachTensor(binding.source(), layer, [&](const std::string &name, const WeightSource &leaf) {
      const Checkpoint::Tensor *tensor = find(name);
      if (!tensor) {
        census.missing.push_back(name);
        fault(Exit::BadInput, "E-TENSOR-MISSING",
              "the tensor `" + name + "`, wanted for " + where + ", is missing",
              "download the checkpoint again, or check that config.json belongs to it");
        return true;
      }
      TensorFate &fate = fates.at(name);
      fate.kind = TensorFate::Used;
      fate.why = weight.name;
      binding.storedBytes += tensor->bytes().size();
      checkTensor(weight, *tensor, leaf, where, binding);
      mixed = mixed || (type && *type != tensor->type());
      type = tensor->type();
      return true;
    });
    if (mixed)
      fault(Exit::Unsupported, "E-TENSOR-MIXED", where + " is put together from tensors of different types",
            "convert them to one type");
    decideForm(binding, type == ElementType::F8E4M3);
    return binding;
  }

  void checkTensor(const Weight &weight, const Checkpoint::Tensor &tensor, const WeightSource &leaf,
                   const std::string &where, Binding &binding) {
    if (!sameShape(tensor.shape(), leaf.shape))
      fault(Exit::BadInput, "E-TENSOR-SHAPE",
            "the tensor `" + tensor.name() + "` has the shape " + shapeText(tensor.shape()) + ", " + where +
                " wants " + shapeText(leaf.shape),
            "check that config.json belongs to these weights");
    switch (tensor.type()) {
    case ElementType::BF16:
      return;
    case ElementType::F16:
    case ElementType::F32:
      if (!weight.f32 && noted.insert(weight.name).second)
        census.notes.push_back("`" + weight.name + "` is stored as " +
                               std::string(elementTypeName(tensor.type())) + " and rounded to bf16");
      return;
    case ElementType::F8E4M3:
      return checkScaled(weight, tensor, leaf, where, binding);
    default:
      fault(Exit::Unsupported, "E-TENSOR-TYPE",
            "the tensor `" + tensor.name() + "` has the type " + std::string(elementTypeName(tensor.type())),
            "supported are BF16, F16, F32 and F8_E4M3 with block scales");
    }
  }

  void checkScaled(const Weight &weight, const Checkpoint::Tensor &tensor, const WeightSource &leaf,
                   const std::string &where, Binding &binding) {
    if (!config.quantisation.fp8)
      return fault(Exit::BadInput, "E-TENSOR-UNDECLARED-FP8",
                   "the tensor `" + tensor.name() +
                       "` is F8_E4M3, but config.json has no fp8 quantization_config",
                   "restore config.json from its origin");
    if (!weight.quantised || leaf.shape.size() < 2)
      return fault(Exit::Unsupported, "E-TENSOR-QUANTISED",
                   "the tensor `" + tensor.name() + "` is F8_E4M3, but " + where + " is not used quantised",
                   "convert it to BF16");
    std::string scaleName = tensor.name() + "_scale_inv";
    const Checkpoint::Tensor *scale = find(scaleName);
    if (!scale)
      return fault(Exit::BadInput, "E-TENSOR-SCALE-MISSING",
                   "the fp8 tensor `" + tensor.name() + "` has no scales: `" + scaleName + "` is missing",
                   "download the checkpoint again");
    TensorFate &fate = fates.at(scaleName);
    fate.kind = TensorFate::Scale;
    fate.why = tensor.name();
    binding.storedBytes += scale->bytes().size();
    if (!sameShape(scale->shape(), scaleShape(leaf.shape)))
      return fault(Exit::BadInput, "E-TENSOR-SCALE-SHAPE",
                   "the scales `" + scaleName + "` have the shape " + shapeText(scale->shape()) + ", " +
                       shapeText(scaleShape(leaf.shape)) + " is wanted for blocks of 128x128",
                   "restore the checkpoint from its origin");
    if (scale->type() != ElementType::F32 && scale->type() != ElementType::F8E8M0 &&
        scale->type() != ElementType::U8)
      return fault(Exit::Unsupported, "E-TENSOR-SCALE-TYPE",
                   "the scales `" + scaleName + "` have the type " +
                       std::string(elementTypeName(scale->type())),
                   "supported are F32, F8_E8M0 and U8");
    checkScaleValues(*scale);
  }

  void checkScaleValues(const Checkpoint::Tensor &scale) {
    ByteSpan bytes = scale.bytes();
    size_t width = scale.type() == ElementType::F32 ? 4 : 1;
    for (size_t i = 0; i < bytes.size() / width; ++i) {
      float value = width == 4 ? loadLittle<float>(bytes.data() + 4 * i)
                               : decodeE8M0(std::to_integer<uint8_t>(bytes[i]));
      const char *wrong = !std::isfinite(value) || !(value > 0)                    ? "not finite and positive"
                          : config.quantisation.powerOfTwoScales && !isE8M0(value) ? "no power of two"
                                                                                   : nullptr;
      if (wrong)
        return fault(Exit::BadInput, "E-TENSOR-SCALE-VALUE",
                     "scale " + std::to_string(i) + " of `" + scale.name() + "` is " + std::to_string(value) +
                         ", " + wrong,
                     "download the checkpoint again");
    }
  }

  //===-- What is left ------------------------------------------------------===//

  Status ignore() {
    Scope scope = config.scope();
    for (const IgnoredTensors &ignored : family.ignored) {
      if (ignored.when) {
        QUERN_ASSIGN_OR_RETURN(bool applies, ignored.when->evaluateBool(scope));
        if (!applies)
          continue;
      }
      QUERN_ASSIGN_OR_RETURN(std::string pattern, expandName(ignored.pattern, scope));
      for (auto &[name, fate] : fates)
        if (fate.kind == TensorFate::Unknown && matchesPattern(pattern, name)) {
          fate.kind = TensorFate::Ignored;
          fate.why = ignored.reason;
        }
    }
    return Status::success();
  }

  const Family &family;
  const ModelConfig &config;
  const Checkpoint *checkpoint;
  Census &census;
  std::unordered_map<std::string, TensorFate> fates;
  std::set<std::string> noted;
};

ParameterCounts countParameters(const ModelGraph &graph, const Bindings2D &bindings, int64_t layers) {
  ParameterCounts counts;
  std::set<std::string> outside;
  for (const StepList *list : {&graph.begin, &graph.end})
    for (const auto &[name, weight] : list->weights)
      outside.insert(name);
  for (const auto &[key, binding] : bindings) {
    uint64_t elements = static_cast<uint64_t>(binding.weight->elements());
    bool prediction = key.second >= layers || (key.second == -1 && !outside.contains(key.first));
    if (prediction) {
      counts.prediction += elements;
      continue;
    }
    counts.total += elements;
    counts.active +=
        static_cast<uint64_t>(std::llround(binding.weight->active * static_cast<double>(elements)));
  }
  for (const Step &step : graph.begin.steps)
    if (std::string_view(step.operation->name) == "embedding")
      counts.embedding += static_cast<uint64_t>(graph.begin.weights.at(step.operands[1].name).elements());
  return counts;
}

} // namespace

std::string Binding::text() const {
  return weight->name + " way " + std::to_string(way) + (blockScaled ? " fp8" : "") +
         (powerOfTwoScales ? " pow2" : "") + (dequantise ? " dequantised" : "") + "\n";
}

size_t Census::count(TensorFate::Kind kind) const {
  return static_cast<size_t>(std::count_if(tensors.begin(), tensors.end(),
                                           [&](const TensorFate &fate) { return fate.kind == kind; }));
}

uint64_t Census::bytes(TensorFate::Kind kind) const {
  uint64_t sum = 0;
  for (const TensorFate &fate : tensors)
    if (fate.kind == kind)
      sum += fate.tensor->bytes().size();
  return sum;
}

uint64_t Census::storedBytes() const {
  uint64_t sum = 0;
  for (const auto &[key, binding] : bindings)
    sum += binding.storedBytes;
  return sum;
}

uint64_t Census::declaredBytes() const {
  uint64_t sum = 0;
  for (const auto &[key, binding] : bindings)
    sum += binding.declaredBytes;
  return sum;
}

Status Census::status() const {
  if (faults.empty())
    return Status::success();
  const Status &first = faults.front();
  Status status = Status::error(first.exit(), first.id(), first.sentence()).remedy(first.remedyText());
  if (faults.size() > 1)
    return std::move(status).cause("and " + std::to_string(faults.size() - 1) +
                                   " more faults; `quern import` shows them all");
  return status;
}

Expected<Census> quern::import::takeCensus(const Family &family, const ModelConfig &config,
                                           const ModelGraph &graph, const Checkpoint *checkpoint) {
  Census census;
  census.fromCheckpoint = checkpoint != nullptr;
  Taker taker(family, config, checkpoint, census);
  taker.bindList(graph.begin, -1);
  for (size_t i = 0; i < graph.layers.size(); ++i)
    taker.bindList(graph.layers[i].list, static_cast<int64_t>(i));
  taker.bindList(graph.end, -1);
  for (size_t i = 0; i < graph.predictions.size(); ++i)
    taker.bindList(graph.predictions[i].list, static_cast<int64_t>(graph.layers.size() + i));
  QUERN_RETURN_IF_ERROR(taker.finish());
  census.parameters = countParameters(graph, census.bindings, static_cast<int64_t>(graph.layers.size()));
  return census;
}

std::vector<LayerRun> quern::import::layerRuns(const ModelGraph &graph, const Census &census) {
  std::vector<std::string> texts;
  for (size_t i = 0; i < graph.layers.size(); ++i) {
    std::string text = graph.layers[i].text;
    for (const auto &[name, weight] : graph.layers[i].list.weights)
      if (auto it = census.bindings.find({name, weight.perLayer ? static_cast<int64_t>(i) : -1});
          it != census.bindings.end())
        text += it->second.text();
    texts.push_back(std::move(text));
  }
  return findRuns(texts);
}
