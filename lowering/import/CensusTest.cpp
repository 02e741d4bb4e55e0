//===- CensusTest.cpp - Unit tests of the census -----------------------------===//
#include "lowering/import/ImportedModel.h"
#include "support/Files.h"
#include "support/Float8.h"
#include "support/ScratchDirectory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace quern;
using namespace quern::import;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

/// A family of two kinds of weights: quantised matrices put together from two parts, and a norm; one matrix
/// may be stored in halves or whole.
constexpr const char *familyText = R"json({
  "format": 1, "name": "small", "matches": {"model_type": "small"},
  "config": {"width": {"type": "int"}, "inner": {"type": "int"}, "depth": {"type": "int"},
    "extra": {"type": "int", "default": 0}},
  "rope": {"main": {"dim": "width", "theta": 10000.0, "layout": "'half'"}},
  "facts": {"vocabulary": 16, "hidden": "width", "context": 64, "layers": "depth", "prediction_layers": "extra"},
  "cache": {"kind": "heads", "heads": 2, "key": "width // 2", "value": "width // 2"},
  "weights": {
    "table": {"shape": [16, "width"], "from": "table", "active": 0},
    "head": {"shape": [16, "width"], "from": "head"},
    "norm": {"shape": ["width"], "from": "l.{layer}.norm"},
    "up": {
      "shape": ["2 * inner", "width"],
      "from": {"any": [{"concat": ["l.{layer}.a", "l.{layer}.b"], "dim": 0}, "l.{layer}.ab"]},
      "quantised": true
    },
    "down": {"shape": ["width", "inner"], "from": "l.{layer}.down", "quantised": true, "active": 0.5}
  },
  "ignore": {"*.inv_freq": "computed", "l.{depth}.*": {"reason": "one layer too many", "when": "extra == 0"}},
  "begin": ["x = embedding(tokens, @table)"],
  "layers": [{"class": "only", "steps": [
    "h = rms_norm(x, weight: @norm, eps: 1e-6)", "h = linear(h, @up)", "h = gated(h, kind: 'silu')",
    "h = linear(h, @down)", "x = add(h, x)"]}],
  "end": ["hidden = scale(x, by: 1)", "last = gather_rows(hidden)", "logits = linear(last, @head, type: 'f32')"],
  "prediction": ["e = embedding(tokens, @table)", "hidden = add(hidden, e)",
    "hidden = rms_norm(hidden, weight: @norm, eps: 1e-6)", "last = gather_rows(hidden)",
    "logits = linear(last, @head, type: 'f32')"]
})json";

constexpr int64_t kWidth = 256, kInner = 128, kDepth = 2;

struct TestTensor {
  std::string name;
  ElementType type;
  std::vector<uint64_t> shape;
  float scale = 0.5f; ///< the value of F32 elements
  uint8_t code = 0x30;
};

std::vector<TestTensor> completeTensors(bool fp8) {
  std::vector<TestTensor> tensors = {{"table", ElementType::BF16, {16, kWidth}},
                                     {"head", ElementType::BF16, {16, kWidth}}};
  for (int64_t i = 0; i < kDepth; ++i) {
    std::string layer = "l." + std::to_string(i) + ".";
    tensors.push_back({layer + "norm", ElementType::BF16, {kWidth}});
    for (auto [name, rows, columns] :
         {std::tuple{"a", kInner, kWidth}, {"b", kInner, kWidth}, {"down", kWidth, kInner}}) {
      std::vector<uint64_t> shape = {static_cast<uint64_t>(rows), static_cast<uint64_t>(columns)};
      tensors.push_back({layer + name, fp8 ? ElementType::F8E4M3 : ElementType::BF16, shape});
      if (fp8)
        tensors.push_back({layer + name + "_scale_inv", ElementType::F32, {shape[0] / 128, shape[1] / 128}});
    }
  }
  return tensors;
}

class CensusOf : public ::testing::Test {
protected:
  void write(const std::vector<TestTensor> &tensors) {
    std::vector<TensorSpec> specs;
    for (const TestTensor &tensor : tensors)
      specs.push_back({tensor.name, tensor.type, tensor.shape});
    Expected<SafetensorsWriter> writer = SafetensorsWriter::create(scratch / "model.safetensors", specs);
    ASSERT_TRUE(writer.ok()) << writer.error().message();
    for (const TensorSpec &spec : writer->tensors()) {
      auto source =
          std::find_if(tensors.begin(), tensors.end(), [&](auto &t) { return t.name == spec.name; });
      std::string bytes;
      for (uint64_t i = 0; i < *tensorBytes(spec.type, spec.shape) / (elementBits(spec.type) / 8); ++i)
        if (spec.type == ElementType::F32)
          appendLittle(bytes, std::bit_cast<uint32_t>(source->scale));
        else if (spec.type == ElementType::BF16 || spec.type == ElementType::F16)
          appendLittle(bytes, floatToBf16(0.25f));
        else
          bytes.append(elementBits(spec.type) / 8, static_cast<char>(source->code));
      ASSERT_TRUE(writer->write(asBytes(bytes)).ok());
    }
    ASSERT_TRUE(writer->finish().ok());
  }

  void writeConfig(bool fp8, int64_t inner = kInner, const std::string &more = "") {
    std::string quantisation =
        R"(, "quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128])" + more + "}";
    ASSERT_TRUE(
        writeFile(scratch / "config.json", R"({"model_type": "small", "width": 256, "depth": 2, "inner": )" +
                                               std::to_string(inner) + (fp8 ? quantisation : "") + "}")
            .ok());
    ASSERT_TRUE(writeFile(scratch / "family.json", familyText).ok());
  }

  Expected<ImportedModel> read() { return readModel(scratch.path(), {.family = scratch / "family.json"}); }

  /// Ids of the faults of the checkpoint |tensors|.
  std::vector<std::string> faults(const std::vector<TestTensor> &tensors) {
    write(tensors);
    Expected<ImportedModel> model = read();
    EXPECT_TRUE(model.ok()) << model.error().message();
    std::vector<std::string> ids;
    messages.clear();
    for (const Status &fault : model->census().faults) {
      ids.push_back(fault.id() + " " + std::to_string(int(fault.exit())));
      messages += fault.message() + "\n";
      EXPECT_FALSE(fault.remedyText().empty()) << fault.message();
    }
    return ids;
  }

  static TestTensor &find(std::vector<TestTensor> &tensors, const std::string &name) {
    return *std::find_if(tensors.begin(), tensors.end(), [&](auto &t) { return t.name == name; });
  }
  static void drop(std::vector<TestTensor> &tensors, const std::string &name) {
    std::erase_if(tensors, [&](auto &t) { return t.name == name; });
  }

  ScratchDirectory scratch;
  std::string messages;
};

TEST_F(CensusOf, ACompleteCheckpointHasNoFaults) {
  writeConfig(true);
  std::vector<TestTensor> tensors = completeTensors(true);
  tensors.push_back({"l.0.inv_freq", ElementType::F32, {8}});
  tensors.push_back({"l.2.whatever", ElementType::BF16, {3}});
  EXPECT_THAT(faults(tensors), ElementsAre());
  Expected<ImportedModel> model = read();
  const Census &census = model->census();
  EXPECT_TRUE(census.status().ok());
  EXPECT_EQ(census.count(TensorFate::Used), 2u + 4u * kDepth);
  EXPECT_EQ(census.count(TensorFate::Scale), 3u * kDepth);
  EXPECT_EQ(census.count(TensorFate::Ignored), 2u);
  EXPECT_EQ(census.bytes(TensorFate::Scale), 4u * kDepth * (2 + 2 + 2));
  EXPECT_EQ(census.tensors.front().tensor->name(), "head");
  const Binding &up = census.bindings.at({"up", 1});
  EXPECT_TRUE(up.blockScaled);
  EXPECT_FALSE(up.powerOfTwoScales);
  EXPECT_EQ(up.declaredBytes, 2u * kInner * kWidth + 4 * 4);
  EXPECT_EQ(up.storedBytes, up.declaredBytes);
  EXPECT_EQ(census.parameters.total, 2u * 16 * kWidth + kDepth * (kWidth + 3u * kInner * kWidth));
  EXPECT_EQ(census.parameters.embedding, 16u * kWidth);
  EXPECT_EQ(census.parameters.active, 16u * kWidth + kDepth * (kWidth + 5u * kInner * kWidth / 2));
}

TEST_F(CensusOf, PlainTensorsAndOtherWaysOfStoring) {
  writeConfig(false);
  std::vector<TestTensor> tensors = completeTensors(false);
  for (const char *name : {"l.1.a", "l.1.b"})
    drop(tensors, name);
  tensors.push_back({"l.1.ab", ElementType::BF16, {2 * kInner, kWidth}});
  EXPECT_THAT(faults(tensors), ElementsAre());
  Expected<ImportedModel> model = read();
  EXPECT_EQ(model->census().bindings.at({"up", 0}).way, 0u);
  EXPECT_EQ(model->census().bindings.at({"up", 1}).way, 1u);
  // Layers that are stored in different ways are no loop.
  EXPECT_EQ(layerRuns(model->graph(), model->census()).size(), 2u);
}

TEST_F(CensusOf, MissingAndUnknownTensors) {
  writeConfig(true);
  std::vector<TestTensor> tensors = completeTensors(true);
  drop(tensors, "l.1.norm");
  tensors.push_back({"l.1.surprise", ElementType::BF16, {4}});
  EXPECT_THAT(faults(tensors), ElementsAre("E-TENSOR-MISSING 3", "E-TENSOR-UNKNOWN 3"));
  EXPECT_THAT(messages, HasSubstr("`l.1.norm`"));
  EXPECT_THAT(messages, HasSubstr("`l.1.surprise`"));
  Expected<ImportedModel> model = read();
  EXPECT_THAT(model->census().missing, ElementsAre("l.1.norm"));
  Status status = model->census().status();
  EXPECT_EQ(status.id(), "E-TENSOR-MISSING");
  EXPECT_THAT(status.message(), HasSubstr("1 more fault"));
}

TEST_F(CensusOf, ShapesAndTypes) {
  writeConfig(false);
  std::vector<TestTensor> tensors = completeTensors(false);
  find(tensors, "l.0.down").shape = {kWidth, kInner + 1};
  EXPECT_THAT(faults(tensors), ElementsAre("E-TENSOR-SHAPE 3"));
  EXPECT_THAT(messages, HasSubstr("[256, 129], the weight `down` of layer 0 wants [256, 128]"));
  tensors = completeTensors(false);
  find(tensors, "l.0.down").type = ElementType::I8;
  EXPECT_THAT(faults(tensors), ElementsAre("E-TENSOR-TYPE 4"));
  tensors = completeTensors(false);
  find(tensors, "l.0.a").type = ElementType::F32;
  EXPECT_THAT(faults(tensors), ElementsAre("E-TENSOR-MIXED 4"));
  tensors = completeTensors(false);
  find(tensors, "l.0.norm").type = ElementType::F32;
  EXPECT_THAT(faults(tensors), ElementsAre());
  EXPECT_THAT(read()->census().notes, ElementsAre("`norm` is stored as F32 and rounded to bf16"));
}

TEST_F(CensusOf, Fp8WithoutItsDeclarationOrPlace) {
  writeConfig(false);
  EXPECT_THAT(faults(completeTensors(true)), testing::Contains("E-TENSOR-UNDECLARED-FP8 3"));
  writeConfig(true);
  std::vector<TestTensor> tensors = completeTensors(true);
  find(tensors, "head").type = ElementType::F8E4M3;
  EXPECT_THAT(faults(tensors), ElementsAre("E-TENSOR-QUANTISED 4"));
}

TEST_F(CensusOf, Scales) {
  writeConfig(true);
  std::vector<TestTensor> tensors = completeTensors(true);
  drop(tensors, "l.0.down_scale_inv");
  EXPECT_THAT(faults(tensors), ElementsAre("E-TENSOR-SCALE-MISSING 3"));
  EXPECT_THAT(messages, HasSubstr("`l.0.down_scale_inv`"));
  tensors = completeTensors(true);
  find(tensors, "l.0.down_scale_inv").shape = {1, 2};
  EXPECT_THAT(faults(tensors), ElementsAre("E-TENSOR-SCALE-SHAPE 3"));
  tensors = completeTensors(true);
  find(tensors, "l.0.down_scale_inv").type = ElementType::BF16;
  EXPECT_THAT(faults(tensors), ElementsAre("E-TENSOR-SCALE-TYPE 4"));
  for (float bad : {0.0f, -1.0f, NAN, INFINITY}) {
    tensors = completeTensors(true);
    find(tensors, "l.1.b_scale_inv").scale = bad;
    EXPECT_THAT(faults(tensors), ElementsAre("E-TENSOR-SCALE-VALUE 3")) << bad;
  }
}

TEST_F(CensusOf, APredictionLayerMayBeLeftOutOfACheckpoint) {
  writeConfig(false);
  std::string config = *readFile(scratch / "config.json", 4096);
  ASSERT_TRUE(
      writeFile(scratch / "config.json", config.substr(0, config.size() - 1) + ", \"extra\": 1}").ok());
  std::vector<TestTensor> tensors = completeTensors(false);
  EXPECT_THAT(faults(tensors), ElementsAre());
  Expected<ImportedModel> without = read();
  EXPECT_EQ(without->config().predictionLayers, 0);
  EXPECT_EQ(without->graph().cache.layers, kDepth);
  EXPECT_THAT(without->census().notes, ElementsAre(HasSubstr("left out")));
  tensors.push_back({"l.2.norm", ElementType::BF16, {kWidth}});
  EXPECT_THAT(faults(tensors), ElementsAre());
  Expected<ImportedModel> with = read();
  EXPECT_EQ(with->config().predictionLayers, 1);
  EXPECT_EQ(with->graph().cache.layers, kDepth + 1);
  EXPECT_EQ(with->census().parameters.prediction, static_cast<uint64_t>(kWidth));
  EXPECT_EQ(with->census().parameters.total, without->census().parameters.total);
}

TEST_F(CensusOf, PowerOfTwoScales) {
  writeConfig(true, kInner, R"(, "scale_fmt": "ue8m0")");
  EXPECT_THAT(faults(completeTensors(true)), ElementsAre());
  EXPECT_TRUE(read()->census().bindings.at({"down", 0}).powerOfTwoScales);
  std::vector<TestTensor> tensors = completeTensors(true);
  find(tensors, "l.1.b_scale_inv").scale = 0.75f;
  EXPECT_THAT(faults(tensors), ElementsAre("E-TENSOR-SCALE-VALUE 3"));
  EXPECT_THAT(messages, HasSubstr("no power of two"));
}

TEST_F(CensusOf, PartsThatMeetInsideAScaleBlockAreMadeBf16) {
  writeConfig(true, 64);
  Expected<ImportedModel> model = readModel(scratch.path(), {.family = scratch / "family.json"});
  ASSERT_TRUE(model.ok()) << model.error().message();
  EXPECT_FALSE(model->census().fromCheckpoint);
  EXPECT_TRUE(model->census().bindings.at({"up", 0}).dequantise);
  EXPECT_FALSE(model->census().bindings.at({"up", 0}).blockScaled);
  EXPECT_TRUE(model->census().bindings.at({"down", 0}).blockScaled);
  EXPECT_EQ(model->census().notes.size(), 1u);
}

TEST_F(CensusOf, ModulesThatQuantisationLeavesAlone) {
  writeConfig(true, kInner, R"(, "modules_to_not_convert": ["l.1", "dow"])");
  Expected<ImportedModel> model = read();
  ASSERT_TRUE(model.ok()) << model.error().message();
  EXPECT_TRUE(model->census().bindings.at({"down", 0}).blockScaled);
  EXPECT_FALSE(model->census().bindings.at({"down", 1}).blockScaled);
  EXPECT_EQ(layerRuns(model->graph(), model->census()).size(), 2u);
}

TEST_F(CensusOf, NaNCodes) {
  writeConfig(true);
  std::vector<TestTensor> tensors = completeTensors(true);
  write(tensors);
  EXPECT_TRUE(checkFp8Codes(*read()).ok());
  find(tensors, "l.1.down").code = 0xFF;
  write(tensors);
  Status status = checkFp8Codes(*read());
  EXPECT_EQ(status.id(), "E-TENSOR-NAN");
  EXPECT_EQ(status.exit(), Exit::BadInput);
  EXPECT_THAT(status.message(), HasSubstr("`l.1.down`"));
}

TEST(Census, BothMatricesOfExpertsAreMadeBf16) {
  // Half a scale block of inner size: gate and up meet inside a block, and down follows.
  ScratchDirectory scratch;
  Expected<JsonDocument> document =
      readConfigFile(std::string(QUERN_SOURCE_DIR) + "/tests/models/configs/v3");
  ASSERT_TRUE(document.ok());
  Json config = document->value();
  config.set("moe_intermediate_size", 192);
  ASSERT_TRUE(writeFile(scratch / "config.json", writeJson(config)).ok());
  Expected<ImportedModel> model = readModel(scratch.path());
  ASSERT_TRUE(model.ok()) << model.error().message();
  for (const char *name : {"experts_gate_up", "experts_down"}) {
    const Binding &binding = model->census().bindings.at({name, 10});
    EXPECT_TRUE(binding.dequantise) << name;
    EXPECT_FALSE(binding.blockScaled) << name;
    EXPECT_EQ(binding.declaredBytes, 2u * static_cast<uint64_t>(binding.weight->elements())) << name;
    EXPECT_LT(binding.storedBytes, binding.declaredBytes) << name;
  }
  EXPECT_TRUE(model->census().bindings.at({"down_proj", 0}).blockScaled);
}

TEST(Census, CountsOfKnownModels) {
  std::string folder = std::string(QUERN_SOURCE_DIR) + "/tests/models/configs/";
  Expected<JsonDocument> expected = readJsonFile(folder + "expected.json");
  ASSERT_TRUE(expected.ok()) << expected.error().message();
  for (const Json::Member &member : expected->value().members()) {
    if (member.key == "comment")
      continue;
    Expected<ImportedModel> model = readModel(folder + member.key);
    ASSERT_TRUE(model.ok()) << member.key << ": " << model.error().message();
    const ParameterCounts &counts = model->census().parameters;
    // The expected numbers have three decimals of a billion (one above a thousand, two for prediction
    // layers).
    auto billions = [&](const char *key, uint64_t got, double step) {
      double wanted = member.value.find(key) ? member.value.find(key)->number() : 0;
      EXPECT_NEAR(static_cast<double>(got) / 1e9, wanted, step / 2 * 1.0001) << member.key << " " << key;
    };
    billions("total", counts.total, counts.total > 1'000'000'000'000 ? 0.1 : 0.001);
    billions("embedding", counts.embedding, 0.001);
    billions("active", counts.active, 0.001);
    billions("prediction", counts.prediction, 0.01);
    const CacheShape &cache = model->graph().cache;
    EXPECT_EQ(cache.elementsPerLayer() * model->config().layers * 2, member.value.find("cache")->integer())
        << member.key;
  }
}

} // namespace
