//===- FamilyTest.cpp - Unit tests of family descriptions -----------------===//
#include "lowering/import/Config.h"
#include "lowering/import/FamilyLibrary.h"
#include "lowering/import/ModelGraph.h"
#include "support/Files.h"
#include "support/ScratchDirectory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace quern;
using namespace quern::import;
using testing::HasSubstr;

namespace {

/// The smallest complete description, with one member replaced.
std::string tiny(const std::string &change = "") {
  return R"json({"format": 1, "name": "tiny", "matches": {"model_type": "tiny"},
    "config": {"vocab": {"type": "int"}, "width": {"type": "int"}, "depth": {"type": "int"}},
    "rope": {"main": {"dim": "width", "theta": 10000.0, "layout": "'half'"}},
    "facts": {"vocabulary": "vocab", "hidden": "width", "context": 64, "layers": "depth"},
    "cache": {"kind": "heads", "heads": 1, "key": "width", "value": "width"},
    "weights": {
      "table": {"shape": ["vocab", "width"], "from": "table"},
      "w": {"shape": ["width", "width"], "from": "l.{layer}.w"}
    },
    "begin": ["x = embedding(tokens, @table)"],
    "layers": [{"class": "only", "steps": ["x = linear(x, @w)"]}],
    "end": ["last = gather_rows(x)", "logits = linear(last, @table, type: 'f32')"])json" +
         (change.empty() ? "" : ", " + change) + "}";
}

Status loadError(const std::string &text) {
  Expected<Family> family = loadFamily(text, "tiny.json");
  return family.ok() ? Status::success() : family.takeError();
}

std::string replaced(std::string text, const std::string &what, const std::string &with) {
  size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), with);
}

Expected<ModelGraph> graphOf(const std::string &familyText, const std::string &configText) {
  QUERN_ASSIGN_OR_RETURN(Family family, loadFamily(familyText, "tiny.json"));
  QUERN_ASSIGN_OR_RETURN(JsonDocument document, parseJson(configText, {.name = "config.json"}));
  QUERN_ASSIGN_OR_RETURN(ModelConfig config, readConfig(document.root(), family));
  return resolveGraph(family, config);
}

const char *tinyConfig = R"({"model_type": "tiny", "vocab": 10, "width": 8, "depth": 4})";

TEST(Family, EveryShippedDescriptionLoads) {
  std::vector<std::string> names = familyNames();
  EXPECT_GE(names.size(), 6u);
  for (const std::string &name : names) {
    Expected<Family> family = loadEmbeddedFamily(name);
    ASSERT_TRUE(family.ok()) << name << ": " << family.error().message();
    EXPECT_EQ(family->name, name);
    EXPECT_FALSE(family->summary.empty());
  }
}

TEST(Family, TheSmallestDescriptionGivesAGraph) {
  Expected<ModelGraph> graph = graphOf(tiny(), tinyConfig);
  ASSERT_TRUE(graph.ok()) << graph.error().message();
  ASSERT_EQ(graph->layers.size(), 4u);
  EXPECT_EQ(graph->layers[2].list.weights.at("w").ways[0].tensor, "l.{layer}.w");
  ASSERT_EQ(graph->runs().size(), 1u);
  EXPECT_EQ(graph->runs()[0].end, 4);
  EXPECT_EQ(graph->carried, (std::vector<std::string>{"x", "cache"}));
}

TEST(Family, FaultsOfTheFormatAreNamed) {
  struct Case {
    const char *what, *with, *id, *part;
  };
  for (const Case &c : {
           Case{"\"format\": 1", "\"format\": 2", "E-FAMILY-FORMAT", "format 2"},
           Case{"\"name\": \"tiny\", ", "", "E-JSON-MISSING", "name"},
           Case{"\"type\": \"int\"}", "\"type\": \"integer\"}", "E-FAMILY-FORMAT", "`integer`"},
           Case{"\"type\": \"int\"}", "\"type\": \"int\", \"mim\": 1}", "E-FAMILY-FORMAT", "not a member"},
           Case{"\"from\": \"table\"", "\"from\": {\"glue\": []}", "E-FAMILY-FORMAT", "tensor name"},
           Case{"\"kind\": \"heads\"", "\"kind\": \"ring\"", "E-FAMILY-FORMAT", "`ring`"},
           Case{"x = linear(x, @w)", "x = linear(x, @v)", "E-FAMILY-FORMAT", "weight `v`"},
           Case{"x = linear(x, @w)", "x = lineal(x, @w)", "E-FAMILY-STEP", "no operation `lineal`"},
           Case{"x = linear(x, @w)", "x = linear(x)", "E-FAMILY-STEP", "takes 2 operands"},
           Case{"x = linear(x, @w)", "x = linear(@w, x)", "E-FAMILY-STEP", "operand 1"},
           Case{"x = linear(x, @w)", "x, y = linear(x, @w)", "E-FAMILY-STEP", "1 results"},
           Case{"x = linear(x, @w)", "x = linear(x, @w, colour: 1)", "E-FAMILY-STEP", "`colour`"},
           Case{"x = linear(x, @w)", "x = rms_norm(x)", "E-FAMILY-STEP", "`eps`"},
           Case{"[\"vocab\", \"width\"]", "[\"vocab +\", \"width\"]", "E-FAMILY-EXPRESSION", "vocab +"},
           Case{"\"x = linear(x, @w)\"", "{\"use\": \"nothing\"}", "E-FAMILY-FORMAT", "block `nothing`"},
       }) {
    Status status = loadError(replaced(tiny(), c.what, c.with));
    ASSERT_FALSE(status.ok()) << c.with;
    EXPECT_EQ(status.id(), c.id) << status.message();
    EXPECT_EQ(status.exit(), Exit::BadInput);
    EXPECT_THAT(status.message(), HasSubstr(c.part));
  }
  EXPECT_EQ(loadError(tiny("\"blocks\": {\"a\": [{\"use\": \"a\"}]}")).id(), "E-FAMILY-FORMAT");
  EXPECT_EQ(loadError(tiny("\"extends\": \"nowhere\"")).id(), "E-FAMILY-FORMAT");
}

TEST(Family, FaultsThatNeedNumbersAreNamed) {
  struct Case {
    const char *what, *with, *id, *part;
  };
  for (const Case &c : {
           Case{"x = linear(x, @w)", "x = linear(y, @w)", "E-FAMILY-STEP", "no value `y`"},
           Case{"x = linear(x, @w)", "y = linear(x, @w)", "", ""},
           Case{"logits = linear", "outcome = linear", "E-FAMILY-STEP", "`logits`"},
           Case{"type: 'f32'", "type: 3", "E-FAMILY-STEP", "`type` must be a string"},
           Case{"\"from\": \"l.{layer}.w\"", "\"from\": {\"concat\": [\"a\", \"b\", \"c\"], \"dim\": 0}",
                "E-FAMILY-SHAPE", "does not say the shape"},
           Case{"\"from\": \"l.{layer}.w\"", "\"from\": {\"tensor\": \"a\", \"shape\": [3, 8]}",
                "E-FAMILY-SHAPE", "yields [3, 8]"},
           Case{"\"from\": \"l.{layer}.w\"",
                "\"from\": {\"slice\": {\"tensor\": \"a\", \"shape\": [20, 8]}, \"dim\": 0, \"begin\": 13, "
                "\"end\": 21}",
                "E-FAMILY-SHAPE", "from 13 to 21"},
           Case{"[\"width\", \"width\"]", "[\"width * 0\", \"width\"]", "E-FAMILY-SHAPE", "size 0"},
           Case{"{\"class\": \"only\", ", "{\"class\": \"only\", \"when\": \"layer < 2\", ",
                "E-FAMILY-FORMAT", "covers layer 2"},
           Case{"linear(last, @table", "linear(last, @w", "E-FAMILY-STEP", "outside of layers"},
       }) {
    Expected<ModelGraph> graph = graphOf(replaced(tiny(), c.what, c.with), tinyConfig);
    if (std::string(c.id).empty()) {
      EXPECT_TRUE(graph.ok()) << graph.error().message();
      continue;
    }
    ASSERT_FALSE(graph.ok()) << c.with;
    EXPECT_EQ(graph.error().id(), c.id) << graph.error().message();
    EXPECT_THAT(graph.error().message(), HasSubstr(c.part));
  }
}

TEST(Family, SourcesInferTheShapesOfTheirTensors) {
  std::string text = replaced(tiny(), "\"from\": \"l.{layer}.w\"", R"("from": {"transpose": {"concat": [
      {"slice": {"tensor": "a.{layer}", "shape": [20, 8]}, "dim": 0, "begin": 2, "end": 6},
      {"tensor": "b.{width + 1}", "shape": [4, 8]}], "dim": 0}, "order": [1, 0]})");
  Expected<ModelGraph> graph = graphOf(text, tinyConfig);
  ASSERT_TRUE(graph.ok()) << graph.error().message();
  const WeightSource &source = graph->layers[0].list.weights.at("w").ways[0];
  EXPECT_EQ(source.kind, Source::Transpose);
  const WeightSource &concat = source.children[0];
  EXPECT_EQ(concat.shape, (std::vector<int64_t>{8, 8}));
  EXPECT_EQ(concat.children[0].children[0].tensor, "a.{layer}");
  EXPECT_EQ(concat.children[1].tensor, "b.9");
}

TEST(Family, RepeatingPatternsBecomeRuns) {
  auto runs = [](const std::string &when, int depth) {
    std::string text = replaced(tiny(), "\"layers\": [",
                                "\"layers\": [{\"class\": \"other\", \"when\": \"" + when +
                                    "\", \"steps\": [\"x = add(x, x)\"]}, ");
    Expected<ModelGraph> graph = graphOf(
        text, R"({"model_type": "tiny", "vocab": 10, "width": 8, "depth": )" + std::to_string(depth) + "}");
    EXPECT_TRUE(graph.ok());
    std::string found;
    for (const LayerRun &run : graph->runs())
      found +=
          std::to_string(run.first) + "-" + std::to_string(run.end) + "/" + std::to_string(run.step) + " ";
    return found;
  };
  EXPECT_EQ(runs("layer < 3", 61), "0-3/1 3-61/1 ");
  EXPECT_EQ(runs("layer % 2 == 0", 6), "0-6/2 ");
  EXPECT_EQ(runs("layer % 2 == 0", 7), "0-6/2 6-7/1 ");
  EXPECT_EQ(runs("layer % 6 == 5", 24), "0-24/6 ");
  EXPECT_EQ(runs("layer == 0", 1), "0-1/1 ");
}

TEST(Family, TheWorkedExampleOfThePageWorks) {
  Expected<std::string> page = readFile(std::string(QUERN_SOURCE_DIR) + "/docs/Families.md", 1 << 20);
  ASSERT_TRUE(page.ok());
  size_t begin = page->find("```json\n", page->find("## Worked example")) + 8;
  std::string text = page->substr(begin, page->find("```", begin) - begin);
  Expected<ModelGraph> graph = graphOf(text, R"({"model_type": "example", "vocab_size": 64, "hidden_size": 96,
      "num_hidden_layers": 5, "intermediate_size": 160, "num_attention_heads": 4, "num_key_value_heads": 2,
      "head_dim": 48, "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "hidden_act": "silu",
      "sliding_window": 32})");
  ASSERT_TRUE(graph.ok()) << graph.error().message();
  EXPECT_EQ(graph->layers[0].list.weights.at("qkv_proj").shape, (std::vector<int64_t>{384, 96}));
  ASSERT_EQ(graph->runs().size(), 2u);
  EXPECT_EQ(graph->runs()[0].step, 2);
}

TEST(Family, PatternsMatchWithStars) {
  EXPECT_TRUE(matchesPattern("*.inv_freq", "model.layers.3.rotary.inv_freq"));
  EXPECT_TRUE(matchesPattern("a*b*c", "aXbXbc"));
  EXPECT_FALSE(matchesPattern("a*b", "abc"));
  EXPECT_TRUE(matchesPattern("*", ""));
  EXPECT_FALSE(matchesPattern("", "a"));
}

/// A configuration of tests/models/configs, with |key| set to |value| where that is given.
std::string found(const std::string &name, const std::string &key = "", Json value = {},
                  const std::string &file = "") {
  Expected<JsonDocument> shipped =
      readConfigFile(std::string(QUERN_SOURCE_DIR) + "/tests/models/configs/" + name);
  EXPECT_TRUE(shipped.ok());
  Json changed = shipped->value();
  if (!key.empty())
    changed.set(key, std::move(value));
  JsonDocument document("config.json", changed);
  Expected<Family> family = findFamily(document.root(), file);
  return family.ok() ? "found" : family.error().id() + " " + std::to_string(int(family.error().exit()));
}

TEST(FindFamily, ByModelTypeAndArchitecture) {
  EXPECT_EQ(found("k2"), "found");
  EXPECT_EQ(found("distill_8b", "architectures"), "found");
  EXPECT_EQ(found("distill_8b", "model_type", "nobody"), "E-FAMILY-UNKNOWN 4");
  EXPECT_EQ(found("distill_8b", "model_type"), "E-JSON-MISSING 3");
  EXPECT_EQ(found("distill_8b", "model_type", 7), "E-JSON-TYPE 3");
  EXPECT_EQ(found("distill_8b", "architectures", Json::array({"SequenceClassification"})),
            "E-FAMILY-ARCHITECTURE 4");
}

TEST(FindFamily, AUsersFileGoesThroughTheSameDoor) {
  ScratchDirectory scratch;
  std::string file = scratch / "own.json";
  ASSERT_TRUE(
      writeFile(file, replaced(tiny(), "\"model_type\": \"tiny\"", "\"model_type\": [\"a\", \"b\"]")).ok());
  EXPECT_EQ(found("distill_8b", "model_type", "nobody", file), "E-FAMILY-MISMATCH 3");
  EXPECT_EQ(found("distill_8b", "model_type", "b", file), "found");
  ASSERT_TRUE(writeFile(file, "{\"format\": 1,}").ok());
  EXPECT_EQ(found("distill_8b", "model_type", "b", file), "E-JSON-SYNTAX 3");
  EXPECT_EQ(found("distill_8b", "model_type", "b", scratch / "nowhere.json"), "E-JSON-CANNOT-READ 3");
}

} // namespace
