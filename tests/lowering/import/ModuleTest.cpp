//===- ModuleTest.cpp - The modules that the importer builds ----------------===//
#include "tests/golden/Golden.h"

#include "lowering/import/Import.h"

#include "dialects/model/Model.h"

#include "support/Files.h"
#include "support/ScratchDirectory.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

using namespace quern;
using namespace quern::testing;

namespace {

std::string printed(mlir::ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream);
  return text;
}

class Module : public ::testing::TestWithParam<std::string> {};

TEST_P(Module, PrintsAndParsesTheSame) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  auto module = import::importModel(modelDirectory(GetParam()), context);
  ASSERT_TRUE(module.ok()) << module.error().message();
  std::string text = printed(**module);
  auto parsed = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(printed(*parsed), text);
}

TEST_P(Module, TwoImportsGiveTheSameText) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  auto first = import::importModel(modelDirectory(GetParam()), context);
  auto second = import::importModel(modelDirectory(GetParam()), context);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(printed(**first), printed(**second));
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, Module, ::testing::ValuesIn(goldenModels()),
                         [](const auto &info) { return info.param; });

//===-- Configurations alone --------------------------------------------------===//

/// "0-3/1 3-61/1": the loops of `@step`.
std::string loops(mlir::ModuleOp module) {
  std::string text;
  module.walk([&](model::RepeatOp repeat) {
    text += (text.empty() ? "" : " ") + std::to_string(repeat.getFirst()) + "-" +
            std::to_string(repeat.getEnd()) + "/" + std::to_string(repeat.getStep());
  });
  return text;
}

TEST(ConfigurationAlone, EqualLayersAreOneLoop) {
  for (auto [name, wanted] : {std::pair{"v3", "0-3/1 3-61/1"},
                              {"v2_lite", "1-27/1"},
                              {"a3b_30b", "0-48/1"},
                              {"distill_70b", "0-80/1"},
                              {"k2", "1-61/1"}}) {
    mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
    auto module = import::importModel(modelDirectory(std::string("configs/") + name), context);
    ASSERT_TRUE(module.ok()) << module.error().message();
    EXPECT_EQ(loops(**module), wanted);
  }
}

TEST(ConfigurationAlone, TheLargestModel) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  auto module = import::importModel(modelDirectory("configs/v3"), context, {}, {.validTokens = 128815});
  ASSERT_TRUE(module.ok()) << module.error().message();
  mlir::SymbolTable symbols(**module);
  EXPECT_TRUE(symbols.lookup<mlir::func::FuncOp>("step"));
  auto mtp = symbols.lookup<mlir::func::FuncOp>("mtp");
  ASSERT_TRUE(mtp);
  EXPECT_EQ(mtp.getNumResults(), 3u);
  auto gateUp = symbols.lookup<model::WeightOp>("experts_gate_up");
  ASSERT_TRUE(gateUp);
  EXPECT_EQ(gateUp.getFirst(), 3u);
  EXPECT_EQ(gateUp.getEnd(), 62u);
  auto type = mlir::cast<model::BlockScaledType>(gateUp.getType());
  EXPECT_EQ(type.getShape(), (llvm::ArrayRef<int64_t>{256, 4096, 7168}));
  EXPECT_FALSE(type.hasPowerOfTwoScales());
  std::string text = printed(**module);
  EXPECT_THAT(text, ::testing::HasSubstr("layers = 62, latent = 512, rope = 64"));
  EXPECT_THAT(text, ::testing::HasSubstr("valid 128815"));
  EXPECT_THAT(text, ::testing::HasSubstr("scale 0.1352337788"));
  // One declaration serves all layers: the module is a few hundred operations, whatever the model's size.
  int operations = 0;
  (*module)->walk([&](mlir::Operation *) { ++operations; });
  EXPECT_LT(operations, 300);
}

TEST(ConfigurationAlone, PowerOfTwoScalesAreInTheType) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  auto module = import::importModel(modelDirectory("configs/v3_1"), context);
  ASSERT_TRUE(module.ok());
  auto down = mlir::SymbolTable(**module).lookup<model::WeightOp>("down_proj");
  EXPECT_TRUE(mlir::cast<model::BlockScaledType>(down.getType()).hasPowerOfTwoScales());
}

TEST(ConfigurationAlone, EveryFormOfTheFormat) {
  std::string folder = std::string(QUERN_SOURCE_DIR) + "/tests/lowering/import/every_form";
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  auto module = import::importModel(folder, context, {.family = folder + "/family.json"});
  ASSERT_TRUE(module.ok()) << module.error().message();
  // Layer 0 is dense; 1, 2, 3 | 4, 5, 6, 7 with the whole context at 3 and 7; layer 8 rotates otherwise.
  EXPECT_EQ(loops(**module), "1-3/1 4-7/1");
  std::string text = printed(**module);
  for (const char *part :
       {"window 24", "softcap 5.000000e+01", "top2 normalise scale 1.500000e+00", "gelu_tanh", "interleaved",
        "weight_offset 1.000000e+00", "#model.transpose<[0, 2, 1]", "#model.reshape<[2, 200, 192]",
        "tensor<?x1xbf16>", "cap 3.000000e+01"})
    EXPECT_THAT(text, ::testing::HasSubstr(part));
}

TEST(ConfigurationAlone, OddValuesAreErrorsNeverCrashes) {
  ScratchDirectory scratch;
  const std::vector<std::string> odd = {"null",
                                        "true",
                                        "-1",
                                        "0",
                                        "1",
                                        "3",
                                        "97",
                                        "9223372036854775807",
                                        "1e300",
                                        "0.5",
                                        "\"text\"",
                                        "[]",
                                        "[1]",
                                        "{}",
                                        "{\"type\": \"yarn\"}"};
  int accepted = 0, refused = 0;
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  for (const char *name : {"v3", "v2", "a3b_30b", "distill_8b", "distill_7b", "moe_8x7b"}) {
    Expected<JsonDocument> document = import::readConfigFile(modelDirectory(std::string("configs/") + name));
    ASSERT_TRUE(document.ok());
    Json base = document->value();
    base.set("num_hidden_layers", 5);
    for (const Json::Member &member : base.members())
      for (const std::string &text : odd) {
        Json changed = base;
        changed.set(member.key, parseJson(text)->value());
        std::ofstream(scratch / "config.json") << writeJson(changed);
        auto module = import::importModel(scratch.path(), context);
        if (module.ok()) {
          ++accepted;
          continue;
        }
        ++refused;
        EXPECT_TRUE(module.error().exit() == Exit::BadInput || module.error().exit() == Exit::Unsupported)
            << module.error().message();
        EXPECT_NE(module.error().id(), "E-FAMILY-MODULE")
            << member.key << " " << text << module.error().message();
        EXPECT_NE(module.error().id(), "E-FAMILY-STEP")
            << member.key << " " << text << module.error().message();
      }
  }
  EXPECT_GT(accepted, 500);
  EXPECT_GT(refused, 500);
}

//===-- Steps that do not fit their operands ----------------------------------===//

class Wiring : public ::testing::Test {
protected:
  /// The id and text of the error for layers with |steps|; "ok" where there is none. Values: x, rows of 256;
  /// the weights w [256, 256], wide [512, 256], vector [256], stack [4, 256, 256].
  std::string result(const std::string &steps,
                     const std::string &cache = R"("kind": "heads", "heads": 2, "key": 64, "value": 64)") {
    std::string family = R"json({"format": 1, "name": "tiny", "matches": {"model_type": "tiny"},
      "config": {"depth": {"type": "int"}},
      "rope": {"main": {"dim": 64, "theta": 10000.0, "layout": "'half'"}},
      "facts": {"vocabulary": 32, "hidden": 256, "context": 64, "layers": "depth"},
      "cache": {)json" + cache +
                         R"json(},
      "weights": {
        "table": {"shape": [32, 256], "from": "table"},
        "w": {"shape": [256, 256], "from": "l.{layer}.w"},
        "wide": {"shape": [512, 256], "from": "l.{layer}.wide"},
        "vector": {"shape": [256], "from": "l.{layer}.vector"},
        "stack": {"shape": [4, 256, 256], "from": "l.{layer}.stack"}
      },
      "begin": ["x = embedding(tokens, @table)"],
      "layers": [{"class": "only", "steps": [)json" +
                         quoted(steps) + R"json(]}],
      "end": ["last = gather_rows(x)", "logits = linear(last, @table, type: 'f32')"]})json";
    EXPECT_TRUE(writeFile(scratch / "family.json", family).ok());
    EXPECT_TRUE(writeFile(scratch / "config.json", R"({"model_type": "tiny", "depth": 3})").ok());
    mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
    auto module = import::importModel(scratch.path(), context, {.family = scratch / "family.json"});
    return module.ok() ? "ok" : module.error().id() + ": " + module.error().message();
  }
  /// "a; b" as the JSON strings "a", "b".
  static std::string quoted(const std::string &steps) {
    std::string text = "\"";
    for (size_t i = 0; i < steps.size(); ++i)
      if (steps[i] == ';')
        text += "\", \"", ++i;
      else
        text += steps[i];
    return text + "\"";
  }
  ScratchDirectory scratch;
};

TEST_F(Wiring, WhatFitsIsBuilt) {
  EXPECT_EQ(
      result("h = rms_norm(x, weight: @vector, eps: 1e-6); q = linear(h, @w); "
             "k, v = split(q, sizes: [128, 128]); q = heads(q, count: 4); k = heads(k, count: 2); "
             "v = heads(v, count: 2); q = rope(q, table: 'main'); k = rope(k, table: 'main'); "
             "cache = cache_append(cache, k, v); "
             "a = attention(q, cache, scale: 0.125, window: 7, softcap: 3); a = rows(a); x = add(a, x)"),
      "ok");
  EXPECT_EQ(
      result("h = layer_norm(x, weight: @vector, bias: @vector, eps: 1e-6); g = slice(h, begin: 0, end: 1); "
             "g = activation(g, kind: 'sigmoid'); h = mul(h, g); h = scale(h, by: 0.5); "
             "h = softcap(h, cap: 30); h = concat(h, h); h = gated(h, kind: 'silu'); x = add(h, x)"),
      "ok");
}

TEST_F(Wiring, WhatDoesNotFitIsAnErrorThatShowsTheStep) {
  using ::testing::AllOf, ::testing::HasSubstr, ::testing::StartsWith;
  for (auto [steps, part] : {
           std::pair{"x = linear(x, @vector)", "columns are not those"},
           {"h = linear(x, @wide); x = linear(h, @w)", "columns are not those"},
           {"x = linear(cache, @w)", "operand 1 is not a tensor"},
           {"cache = add(cache, x)", "operand 1 is not a tensor"},
           {"h = linear(x, @w, type: 'f64')", "`type` must be"},
           {"x = gated(x, x, kind: 'cubic')", "none of its words"},
           {"h = slice(x, begin: 200, end: 300)", "from 200 to 300 of 256"},
           {"h = slice(x, begin: -1, end: 3)", "from -1 to 3"},
           {"a, b = split(x, sizes: [200, 50])", "256 columns in 2 parts"},
           {"a, b = split(x, sizes: [256])", "256 columns in 2 parts"},
           {"a, b = split(x, sizes: [300, -44])", "a part of 300 columns"},
           {"h = heads(x, count: 3)", "do not divide into 3 heads"},
           {"h = rows(x)", "has no heads"},
           {"h = heads(x, count: 4); h = concat(h, x)", "different ranks"},
           {"h = rope(x, table: 'other')", "no rotation table"},
           {"h = rope(x, table: 'main', offset: 200)", "do not fit"},
           {"h = attention(x, cache, scale: 1)", "heads and a cache"},
           {"h = heads(x, count: 4); h = attention(h, h, scale: 1)", "heads and a cache"},
           {"h = heads(x, count: 4); h = mla_attention(h, h, @w, cache, scale: 1)", "cache of kind latent"},
           {"cache = cache_append(x, x, x)", "is not the cache"},
           {"x = linear(x, @wide)", "changes the shape of `x`"},
           {"i, s = router(x, scoring: 'argmax', choose: 2)", "none of its words"},
       })
    EXPECT_THAT(result(steps), AllOf(StartsWith("E-FAMILY-STEP"), HasSubstr(part))) << steps;
}

TEST_F(Wiring, WhatTheVerifierFindsIsAnErrorToo) {
  using ::testing::AllOf, ::testing::HasSubstr, ::testing::StartsWith;
  for (auto [steps, part] : {
           std::pair{"h = linear(x, @wide); h = add(h, x)", "h = add(h, x)"},
           {"x = rms_norm(x, weight: @w, eps: 1e-6)", "x = rms_norm"},
           {"x = rms_norm(x, weight: @vector, eps: 0)", "eps"},
           {"s = linear(x, @w, type: 'f32'); i, g = router(s, scoring: 'softmax', choose: 300)", "router"},
           {"q = heads(x, count: 4); q = attention(q, cache, scale: 1, window: 0)", "window"},
       })
    EXPECT_THAT(result(steps), AllOf(StartsWith("E-FAMILY-MODULE"), HasSubstr(part))) << steps;
}

} // namespace
