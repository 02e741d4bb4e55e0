//===- ConfigTest.cpp - Unit tests of configurations under families --------===//
#include "lowering/import/Config.h"
#include "lowering/import/FamilyLibrary.h"
#include "lowering/import/ModelGraph.h"
#include "support/Files.h"
#include "support/ScratchDirectory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace quern;
using namespace quern::import;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

JsonDocument shipped(const std::string &name) {
  Expected<JsonDocument> document =
      readConfigFile(std::string(QUERN_SOURCE_DIR) + "/tests/models/configs/" + name);
  EXPECT_TRUE(document.ok()) << document.error().message();
  return *std::move(document);
}

Expected<ModelConfig> read(const Json &config) {
  JsonDocument document("config.json", config);
  QUERN_ASSIGN_OR_RETURN(Family family, findFamily(document.root()));
  return readConfig(document.root(), family);
}

/// The error for config |name| with |key| set to |value| ("null" removes it).
std::string changed(const std::string &name, const std::string &key, const std::string &value) {
  Json config = shipped(name).value();
  Expected<JsonDocument> parsed = parseJson(value);
  EXPECT_TRUE(parsed.ok()) << value;
  config.set(key, parsed->value());
  Expected<ModelConfig> result = read(config);
  if (result.ok())
    return "ok";
  EXPECT_THAT(result.error().message(), HasSubstr("config.json"));
  return result.error().id() + " " + std::to_string(int(result.error().exit()));
}

TEST(Config, ReadsTheLargestModel) {
  Expected<ModelConfig> config = read(shipped("v3").value());
  ASSERT_TRUE(config.ok()) << config.error().message();
  EXPECT_EQ(config->vocabulary, 129280);
  EXPECT_EQ(config->layers, 61);
  EXPECT_EQ(config->predictionLayers, 1);
  EXPECT_TRUE(config->quantisation.fp8);
  EXPECT_FALSE(config->quantisation.powerOfTwoScales);
  EXPECT_TRUE(config->rotations.at("main").interleaved);
  EXPECT_EQ(config->rotations.at("main").frequencies.size(), 32u);
  EXPECT_THAT(config->notes, testing::Contains("config.json: `ep_size` is not used"));
}

TEST(Config, EveryShippedConfigurationGivesAGraph) {
  Expected<JsonDocument> expected =
      readJsonFile(std::string(QUERN_SOURCE_DIR) + "/tests/models/configs/expected.json");
  ASSERT_TRUE(expected.ok()) << expected.error().message();
  for (const Json::Member &member : expected->value().members()) {
    const std::string &name = member.key;
    if (name == "comment")
      continue;
    JsonDocument document = shipped(name);
    Expected<Family> family = findFamily(document.root());
    ASSERT_TRUE(family.ok()) << name << ": " << family.error().message();
    EXPECT_EQ(family->name, member.value.find("family")->string());
    Expected<ModelConfig> config = readConfig(document.root(), *family);
    ASSERT_TRUE(config.ok()) << name << ": " << config.error().message();
    Expected<ModelGraph> graph = resolveGraph(*family, *config);
    ASSERT_TRUE(graph.ok()) << name << ": " << graph.error().message();
    EXPECT_LE(graph->runs().size(), 2u) << name;
  }
}

TEST(Config, PowerOfTwoScalesAndScalarVariants) {
  Expected<ModelConfig> config = read(shipped("v3_1").value());
  ASSERT_TRUE(config.ok());
  EXPECT_TRUE(config->quantisation.powerOfTwoScales);
  EXPECT_EQ(changed("v3", "hidden_size", "7168.0"), "ok");
  EXPECT_EQ(changed("v3", "tie_word_embeddings", "null"), "ok");
  EXPECT_EQ(changed("v2_lite", "q_lora_rank", "0"), "ok");
  EXPECT_EQ(changed("v3", "head_dim", "64"), "ok");
}

TEST(Config, RangesAndTypes) {
  EXPECT_EQ(changed("v3", "num_hidden_layers", "513"), "E-CONFIG-RANGE 3");
  EXPECT_EQ(changed("v3", "num_hidden_layers", "0"), "E-CONFIG-RANGE 3");
  EXPECT_EQ(changed("v3", "num_hidden_layers", "-61"), "E-CONFIG-RANGE 3");
  EXPECT_EQ(changed("v3", "num_hidden_layers", "null"), "E-CONFIG-MISSING 3");
  EXPECT_EQ(changed("v3", "num_hidden_layers", "\"61\""), "E-CONFIG-TYPE 3");
  EXPECT_EQ(changed("v3", "num_hidden_layers", "61.5"), "E-CONFIG-TYPE 3");
  EXPECT_EQ(changed("v3", "vocab_size", "9223372036854775807"), "E-CONFIG-RANGE 3");
  EXPECT_EQ(changed("v3", "rms_norm_eps", "0"), "E-CONFIG-RANGE 3");
  EXPECT_EQ(changed("v3", "rms_norm_eps", "0.01"), "E-CONFIG-RANGE 3");
  EXPECT_EQ(changed("v3", "rope_theta", "1"), "E-CONFIG-RANGE 3");
  EXPECT_EQ(changed("v3", "routed_scaling_factor", "-2.5"), "E-CONFIG-RANGE 3");
  EXPECT_EQ(changed("v3", "attention_bias", "0"), "E-CONFIG-TYPE 3");
  EXPECT_EQ(changed("v3", "n_routed_experts", "4097"), "E-CONFIG-RANGE 3");
}

TEST(Config, Contradictions) {
  EXPECT_EQ(changed("v3", "num_experts_per_tok", "257"), "E-CONFIG-CONTRADICTION 3");
  EXPECT_EQ(changed("v3", "n_group", "7"), "E-CONFIG-CONTRADICTION 3");
  EXPECT_EQ(changed("v3", "topk_group", "9"), "E-CONFIG-CONTRADICTION 3");
  EXPECT_EQ(changed("v3", "n_group", "256"), "E-CONFIG-CONTRADICTION 3");
  EXPECT_EQ(changed("v3", "first_k_dense_replace", "62"), "E-CONFIG-CONTRADICTION 3");
  EXPECT_EQ(changed("v3", "qk_rope_head_dim", "63"), "E-CONFIG-CONTRADICTION 3");
  EXPECT_EQ(changed("distill_8b", "num_key_value_heads", "7"), "E-CONFIG-CONTRADICTION 3");
  EXPECT_EQ(changed("distill_7b", "use_sliding_window", "true"), "ok");
  Json config = shipped("distill_7b").value();
  config.set("use_sliding_window", true);
  config.set("sliding_window", nullptr);
  EXPECT_EQ(read(config).error().id(), "E-CONFIG-CONTRADICTION");
}

TEST(Config, OneKeyInTwoPlacesMustAgree) {
  auto theta = [](const std::string &value) {
    return changed("distill_7b", "rope_parameters",
                   R"({"rope_type": "default", "rope_theta": )" + value + "}");
  };
  EXPECT_EQ(theta("10000"), "ok");
  EXPECT_EQ(theta("10000.0"), "ok");
  EXPECT_EQ(theta("500000"), "E-CONFIG-CONTRADICTION 3");
}

TEST(Config, ClosedSets) {
  EXPECT_EQ(changed("v3", "hidden_act", "\"gelu\""), "E-CONFIG-VALUE 4");
  EXPECT_EQ(changed("v3", "topk_method", "\"random\""), "E-CONFIG-VALUE 4");
  EXPECT_EQ(changed("v3", "scoring_func", "\"softmax\""), "E-CONFIG-VALUE 4");
  EXPECT_EQ(changed("v3", "moe_layer_freq", "2"), "E-CONFIG-VALUE 4");
  EXPECT_EQ(changed("v3", "attention_bias", "true"), "E-CONFIG-VALUE 4");
}

TEST(Config, UnknownKeysThatMatterAreErrors) {
  EXPECT_EQ(changed("distill_8b", "attn_logit_softcapping", "50.0"), "E-CONFIG-SEMANTIC-KEY 4");
  EXPECT_EQ(changed("distill_8b", "sliding_window", "4096"), "E-CONFIG-SEMANTIC-KEY 4");
  EXPECT_EQ(changed("distill_8b", "sliding_window", "null"), "ok");
  EXPECT_EQ(changed("distill_8b", "embedding_multiplier", "12.0"), "E-CONFIG-SEMANTIC-KEY 4");
  EXPECT_EQ(changed("distill_8b", "partial_rotary_factor", "0.5"), "E-CONFIG-SEMANTIC-KEY 4");
  EXPECT_EQ(changed("distill_8b", "a_training_detail", "true"), "ok");
  EXPECT_EQ(changed("v3", "rope_scaling", R"({"type": "wavy", "factor": 2})"), "E-CONFIG-ROPE-KIND 4");
  EXPECT_EQ(changed("v3", "rope_scaling", R"({"type": "linear", "factor": 2, "mystery": 1})"),
            "E-CONFIG-ROPE-KEY 3");
  EXPECT_EQ(changed("v3", "rope_parameters", R"({"rope_type": "default"})"), "E-CONFIG-CONTRADICTION 3");
}

TEST(Config, Quantisation) {
  auto quantised = [](const std::string &value) { return changed("v3", "quantization_config", value); };
  EXPECT_EQ(quantised(R"({"quant_method": "fp8", "weight_block_size": [128, 128]})"), "ok");
  EXPECT_EQ(quantised(R"({"quant_method": "awq", "bits": 4})"), "E-CONFIG-QUANTISATION 4");
  EXPECT_EQ(quantised(R"({"quant_method": "fp8", "weight_block_size": [64, 128]})"),
            "E-CONFIG-QUANTISATION 4");
  EXPECT_EQ(quantised(R"({"quant_method": "fp8"})"), "E-CONFIG-QUANTISATION 4");
  EXPECT_EQ(quantised(R"({"quant_method": "fp8", "weight_block_size": [128, 128], "fmt": "e5m2"})"),
            "E-CONFIG-QUANTISATION 4");
  EXPECT_EQ(
      quantised(R"({"quant_method": "fp8", "weight_block_size": [128, 128], "activation_scheme": "static"})"),
      "E-CONFIG-QUANTISATION 4");
  EXPECT_EQ(quantised(R"({"quant_method": "fp8", "weight_block_size": [128, 128], "new_idea": 1})"),
            "E-CONFIG-QUANTISATION 4");
  EXPECT_EQ(quantised(R"({"weight_block_size": [128, 128]})"), "E-JSON-MISSING 3");
}

TEST(Config, FileFaults) {
  ScratchDirectory scratch;
  EXPECT_EQ(readConfigFile(scratch.path()).error().id(), "E-CONFIG-NOT-FOUND");
  EXPECT_EQ(readConfigFile(scratch.path() + "/nowhere").error().id(), "E-DIRECTORY-NOT-FOUND");
  ASSERT_TRUE(writeFile(scratch.path() + "/config.json", R"({"rope_theta": NaN})").ok());
  EXPECT_EQ(readConfigFile(scratch.path()).error().id(), "E-JSON-SYNTAX");
  ASSERT_TRUE(writeFile(scratch.path() + "/config.json", R"({"a": 1, "a": 2})").ok());
  EXPECT_EQ(readConfigFile(scratch.path()).error().id(), "E-JSON-DUPLICATE-KEY");
  ASSERT_TRUE(writeFile(scratch.path() + "/config.json", std::string(11 << 20, ' ') + "{}").ok());
  EXPECT_FALSE(readConfigFile(scratch.path()).ok());
}

TEST(Generation, TheGenerationFileWinsOverTheConfiguration) {
  ScratchDirectory scratch;
  JsonDocument config = shipped("distill_7b");
  Expected<Generation> plain = readGeneration(scratch.path(), config.root(), 152064);
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain->bos, 151643);
  EXPECT_THAT(plain->eos, ElementsAre(151643));
  ASSERT_TRUE(
      writeFile(scratch.path() + "/generation_config.json",
                R"({"bos_token_id": 151646, "eos_token_id": [151645, 151643, 151645], "do_sample": true,
                            "temperature": 0.6, "top_p": 0.95, "top_k": 20})")
          .ok());
  Expected<Generation> generation = readGeneration(scratch.path(), config.root(), 152064);
  ASSERT_TRUE(generation.ok());
  EXPECT_EQ(generation->bos, 151646);
  EXPECT_THAT(generation->eos, ElementsAre(151643, 151645));
  EXPECT_EQ(generation->temperature, 0.6);
  EXPECT_EQ(generation->topP, 0.95);
  EXPECT_EQ(generation->topK, 20);
}

TEST(Generation, IdsOutsideTheVocabularyAreErrors) {
  ScratchDirectory scratch;
  JsonDocument config = shipped("distill_70b");
  EXPECT_THAT(readGeneration(scratch.path(), config.root(), 128256)->eos,
              ElementsAre(128001, 128008, 128009));
  EXPECT_EQ(readGeneration(scratch.path(), config.root(), 128005).error().id(), "E-CONFIG-RANGE");
  ASSERT_TRUE(writeFile(scratch.path() + "/generation_config.json", R"({"top_p": 1.5})").ok());
  EXPECT_EQ(readGeneration(scratch.path(), config.root(), 128256).error().id(), "E-CONFIG-RANGE");
}

} // namespace
