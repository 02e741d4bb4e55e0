//===- InterpreterTest.cpp ------------------------------------------------===//
#include "dialects/model/reference/Interpreter.h"
#include "dialects/model/Model.h"
#include "dialects/model/reference/TestData.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace quern;
using namespace quern::model;
using namespace quern::model::reference;

namespace {

/// A weight for every declaration: random, a function of its name, layer and nothing else.
class RandomWeights : public WeightSource {
public:
  explicit RandomWeights(mlir::Operation *module) : module(module) {}

  Expected<Packed> weight(std::string_view symbol, std::optional<int64_t> layer) override {
    auto declared = llvm::cast<WeightOp>(mlir::SymbolTable::lookupSymbolIn(module, llvm::StringRef(symbol)));
    uint64_t seed = std::hash<std::string_view>()(symbol) * 64 + static_cast<uint64_t>(layer.value_or(63));
    llvm::ArrayRef<int64_t> dims = shapeOf(declared.getType());
    Shape shape(dims.begin(), dims.end());
    ++fetched;
    if (llvm::isa<BlockScaledType>(declared.getType()))
      return randomBlockScaled(shape, seed);
    ElementType type = elementOf(declared.getType()).isF32() ? ElementType::F32 : ElementType::BF16;
    // Norm weights near 1, matrices of a size that keeps activations near 1.
    Tensor values =
        randomTensor(type, shape, seed, shape.size() == 1 ? 0.3f : 2 / std::sqrt(float(shape.back())));
    for (float &value : values.values)
      value = roundTo(type, value + (shape.size() == 1 && type == ElementType::BF16));
    return pack(values);
  }

  int fetched = 0;

private:
  mlir::Operation *module;
};

struct Program {
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;

  explicit Program(const std::string &text, bool isFile = false) {
    mlir::DialectRegistry registry;
    registerModelDialect(registry);
    context.appendDialectRegistry(registry);
    module = isFile ? mlir::parseSourceFile<mlir::ModuleOp>(text, &context)
                    : mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  }
  static std::string file(const char *name) {
    return std::string(QUERN_SOURCE_DIR) + "/tests/dialects/model/" + name;
  }
  /// The first operator of a kind, anywhere.
  template <typename Op> Op first() {
    Op found;
    module->walk([&](Op op) { found = found ? found : op; });
    return found;
  }
};

Tensor range(size_t count, int32_t first = 0) {
  std::vector<int32_t> values(count);
  std::iota(values.begin(), values.end(), first);
  return Tensor::ofIntegers(values);
}

const std::vector<int32_t> kTokens{17, 3, 200, 3, 91, 255, 0, 44, 128, 7, 7};

class WholeModelTest : public testing::TestWithParam<const char *> {};

TEST_P(WholeModelTest, EveryCutOfAPromptGivesTheSameLogits) {
  Program program(Program::file(GetParam()), true);
  ASSERT_TRUE(program.module);
  for (Rung rung : {Rung::Fp8, Rung::Bf16}) {
    RandomWeights weights(*program.module);
    Interpreter oracle(*program.module, weights, {.rung = rung});
    std::vector<Tensor> all;
    for (size_t chunk : {size_t{11}, size_t{1}, size_t{4}}) {
      Value cache = *oracle.makeCache("step");
      Tensor last;
      for (size_t at = 0; at < kTokens.size(); at += chunk) {
        size_t count = std::min(chunk, kTokens.size() - at);
        std::vector<int32_t> tokens(kTokens.begin() + at, kTokens.begin() + at + count);
        auto results =
            oracle.call("step", {Tensor::ofIntegers(tokens), range(count, static_cast<int32_t>(at)),
                                 Tensor::ofIntegers(std::vector<int32_t>(count, 5)),
                                 Tensor::ofIntegers({static_cast<int32_t>(count) - 1}), cache});
        ASSERT_TRUE(results.ok()) << results.error().message();
        last = std::get<Tensor>((*results)[0]);
        cache = results->back();
      }
      ASSERT_EQ(last.shape, (Shape{1, 256}));
      all.push_back(last);
    }
    EXPECT_EQ(all[0].values, all[1].values);
    EXPECT_EQ(all[0].values, all[2].values);
    double squares = 0;
    for (float value : all[0].values)
      squares += std::isfinite(value) ? value * value : 0;
    EXPECT_GT(squares, 1);
  }
}

TEST_P(WholeModelTest, SequencesInOneStepDoNotMix) {
  Program program(Program::file(GetParam()), true);
  RandomWeights weights(*program.module);
  Interpreter oracle(*program.module, weights, {});
  // Tokens of two sequences alternate; the second runs over the same tokens backwards.
  std::vector<int32_t> tokens, positions, sequences;
  for (size_t i = 0; i < kTokens.size(); ++i) {
    tokens.insert(tokens.end(), {kTokens[i], kTokens[kTokens.size() - 1 - i]});
    positions.insert(positions.end(), {static_cast<int32_t>(i), static_cast<int32_t>(i)});
    sequences.insert(sequences.end(), {2, 0});
  }
  auto both =
      oracle.call("step", {Tensor::ofIntegers(tokens), Tensor::ofIntegers(positions),
                           Tensor::ofIntegers(sequences), range(tokens.size()), *oracle.makeCache("step")});
  ASSERT_TRUE(both.ok());
  const Tensor &mixed = std::get<Tensor>((*both)[0]);
  for (int which : {0, 1}) {
    std::vector<int32_t> own = kTokens;
    if (which == 1)
      std::reverse(own.begin(), own.end());
    auto alone = oracle.call("step", {Tensor::ofIntegers(own), range(own.size()),
                                      Tensor::ofIntegers(std::vector<int32_t>(own.size(), 9)),
                                      range(own.size()), *oracle.makeCache("step")});
    ASSERT_TRUE(alone.ok());
    const Tensor &logits = std::get<Tensor>((*alone)[0]);
    for (size_t i = 0; i < own.size(); ++i)
      EXPECT_TRUE(std::equal(logits.values.begin() + i * 256, logits.values.begin() + (i + 1) * 256,
                             mixed.values.begin() + (2 * i + which) * 256))
          << which << " " << i;
  }
}

TEST_P(WholeModelTest, ThreadsChangeNothing) {
  Program program(Program::file(GetParam()), true);
  RandomWeights weights(*program.module);
  std::vector<std::vector<float>> logits;
  for (unsigned threads : {1u, 3u}) {
    Interpreter oracle(*program.module, weights, {.threads = threads});
    auto results = oracle.call("step", {Tensor::ofIntegers(kTokens), range(kTokens.size()),
                                        Tensor::ofIntegers(std::vector<int32_t>(kTokens.size(), 0)),
                                        range(kTokens.size()), *oracle.makeCache("step")});
    ASSERT_TRUE(results.ok());
    logits.push_back(std::get<Tensor>((*results)[0]).values);
  }
  EXPECT_EQ(logits[0], logits[1]);
}

INSTANTIATE_TEST_SUITE_P(Modules, WholeModelTest, testing::Values("gqa.mlir", "latent.mlir"),
                         [](const auto &info) { return info.param[0] == 'g' ? "Heads" : "Latent"; });

TEST(InterpreterTest, MaskedVocabularyIsMinusInfinity) {
  Program program(Program::file("gqa.mlir"), true);
  RandomWeights weights(*program.module);
  Interpreter oracle(*program.module, weights, {});
  auto results =
      oracle.call("step", {Tensor::ofIntegers({1}), range(1), range(1), range(1), *oracle.makeCache("step")});
  ASSERT_TRUE(results.ok());
  const Tensor &logits = std::get<Tensor>((*results)[0]);
  for (size_t i = 0; i < 256; ++i)
    EXPECT_EQ(std::isinf(logits.values[i]), i >= 250) << i;
}

TEST(InterpreterTest, TheRungIsFelt) {
  Program program(Program::file("latent.mlir"), true);
  RandomWeights weights(*program.module);
  std::vector<std::vector<float>> logits;
  for (Rung rung : {Rung::Fp8, Rung::Fp8Weights, Rung::Bf16}) {
    Interpreter oracle(*program.module, weights, {.rung = rung});
    auto results = oracle.call("step", {Tensor::ofIntegers(kTokens), range(kTokens.size()),
                                        Tensor::ofIntegers(std::vector<int32_t>(kTokens.size(), 0)),
                                        range(kTokens.size()), *oracle.makeCache("step")});
    ASSERT_TRUE(results.ok());
    logits.push_back(std::get<Tensor>((*results)[0]).values);
  }
  EXPECT_NE(logits[0], logits[1]);
  EXPECT_EQ(logits[1], logits[2]);
}

TEST(InterpreterTest, DraftHeadUsesItsOwnLayerOfTheCache) {
  Program program(Program::file("latent.mlir"), true);
  RandomWeights weights(*program.module);
  Interpreter oracle(*program.module, weights, {});
  auto main = oracle.call(
      "step", {range(4), range(4), Tensor::ofIntegers({0, 0, 0, 0}), range(4), *oracle.makeCache("step")});
  ASSERT_TRUE(main.ok()) << main.error().message();
  auto draft = oracle.call("mtp", {range(4, 1), (*main)[1], range(4), Tensor::ofIntegers({0, 0, 0, 0}),
                                   Tensor::ofIntegers({3}), (*main)[2]});
  ASSERT_TRUE(draft.ok()) << draft.error().message();
  EXPECT_EQ(std::get<Tensor>((*draft)[0]).shape, (Shape{1, 256}));
  EXPECT_EQ(std::get<Tensor>((*draft)[1]).shape, (Shape{4, 256}));
}

//===-- Single operators --------------------------------------------------===//

TEST(InterpreterTest, EvaluatesOneOperatorOnGivenOperands) {
  Program program(Program::file("gqa.mlir"), true);
  RandomWeights weights(*program.module);
  Interpreter oracle(*program.module, weights, {});
  LinearOp op = program.first<LinearOp>();
  Tensor x = randomTensor(ElementType::BF16, {3, 128}, 1), w = randomTensor(ElementType::BF16, {256, 128}, 2);
  // A weight may come as a tensor or in stored form.
  auto fromTensor = oracle.evaluate(op, std::vector<Value>{x, w});
  auto fromPacked = oracle.evaluate(op, std::vector<Value>{x, pack(w)});
  ASSERT_TRUE(fromTensor.ok() && fromPacked.ok());
  EXPECT_EQ(std::get<Tensor>((*fromTensor)[0]).values,
            linear({}, x, pack(w), nullptr, ElementType::BF16).values);
  EXPECT_EQ(std::get<Tensor>((*fromPacked)[0]).values, std::get<Tensor>((*fromTensor)[0]).values);
  EXPECT_EQ(weights.fetched, 0);
}

TEST(InterpreterTest, EvaluatesAChainAndFetchesItsWeights) {
  // The operators that a fused kernel covers, on the kernel's own inputs: the layer's number and the rows.
  Program program(Program::file("gqa.mlir"), true);
  RandomWeights weights(*program.module);
  Interpreter oracle(*program.module, weights, {});
  RepeatOp repeat = program.first<RepeatOp>();
  RMSNormOp norm = program.first<RMSNormOp>();
  LinearOp linearOp = program.first<LinearOp>();
  Environment environment;
  Tensor x = randomTensor(ElementType::BF16, {2, 128}, 1);
  environment.emplace(repeat.getLayer().getAsOpaquePointer(), int64_t{1});
  environment.emplace(norm.getX().getAsOpaquePointer(), x);
  std::vector<mlir::Operation *> chain{norm, linearOp};
  Status status = oracle.evaluate(chain, environment);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(weights.fetched, 2);
  const Tensor &y = std::get<Tensor>(environment.at(linearOp.getResult().getAsOpaquePointer()));
  Vector weight = weights.weight("input_norm", 1)->unpack(ElementType::BF16).values;
  Tensor expected =
      linear({}, rmsNorm(x, &weight, 1e-5, 0), *weights.weight("qkv", 1), nullptr, ElementType::BF16);
  EXPECT_EQ(y.values, expected.values);
  environment.erase(norm.getX().getAsOpaquePointer());
  EXPECT_EQ(oracle.evaluate(chain, environment).id(), "E-ORACLE-ARGUMENT");
}

TEST(InterpreterTest, ObserverSeesOperatorsInOrder) {
  Program program(Program::file("gqa.mlir"), true);
  RandomWeights weights(*program.module);
  std::vector<std::string> names;
  Interpreter oracle(*program.module, weights,
                     {.observer = [&](mlir::Operation *op, std::span<const Value> results) {
                       names.push_back(op->getName().getStringRef().str());
                       EXPECT_EQ(results.size(), op->getNumResults());
                     }});
  ASSERT_TRUE(
      oracle
          .call("step", {range(2), range(2), Tensor::ofIntegers({0, 0}), range(2), *oracle.makeCache("step")})
          .ok());
  EXPECT_EQ(names.front(), "model.use");
  EXPECT_EQ(names[1], "model.embedding");
  EXPECT_EQ(std::count(names.begin(), names.end(), "model.attention"), 2);
  EXPECT_EQ(names.back(), "model.mask_vocabulary");
}

TEST(InterpreterTest, OperatorsWithoutAModelAround) {
  Program program(R"(
    func.func @f(%x: tensor<?x256xbf16>, %s: tensor<?x4xf32>, %t: tensor<?xf32>, %seed: tensor<?xi64>,
                 %p: tensor<?xi32>) -> (tensor<?x2x64xbf16>, tensor<?xi32>, !model.block_scaled<?x256xf8E4M3FNUZ, 1x128, f32>) {
      %l = model.layer 3
      %l2 = model.layer %l plus 4
      %a = model.activation gelu %x : tensor<?x256xbf16>
      %b = model.scale %a by 0.5 : tensor<?x256xbf16>
      %c = model.softcap %b cap 2.0 : tensor<?x256xbf16>
      %d = model.mul %c, %x : tensor<?x256xbf16>, tensor<?x256xbf16>
      %n = model.layer_norm %d eps 1.0e-5 : tensor<?x256xbf16>
      %e = model.gated tanh %n, %x : tensor<?x256xbf16>, tensor<?x256xbf16>
      %g = model.slice %e from 128 to 256 : tensor<?x256xbf16>
      %r = model.reshape %g : tensor<?x128xbf16> -> tensor<?x2x64xbf16>
      %q = model.quantise %x : tensor<?x256xbf16> -> !model.block_scaled<?x256xf8E4M3FNUZ, 1x128, f32>
      %k = model.sample %s at %p temperatures %t seeds %seed : tensor<?x4xf32>, tensor<?xf32>, tensor<?xi64>
      return %r, %k, %q : tensor<?x2x64xbf16>, tensor<?xi32>, !model.block_scaled<?x256xf8E4M3FNUZ, 1x128, f32>
    })");
  ASSERT_TRUE(program.module);
  RandomWeights weights(*program.module);
  Interpreter oracle(*program.module, weights, {});
  Tensor x = randomTensor(ElementType::BF16, {2, 256}, 4);
  auto results =
      oracle.call("f", {x, randomTensor(ElementType::F32, {2, 4}, 5),
                        Tensor::of(ElementType::F32, {2}, {0, 1}), Tensor::ofLongs({1, 2}), range(2)});
  ASSERT_TRUE(results.ok()) << results.error().message();
  Tensor d = mul(softcap(scale(activation(Function::Gelu, x), 0.5), 2), x);
  Tensor e = gated(Function::Tanh, layerNorm(d, nullptr, nullptr, 1e-5), &x);
  const Tensor &r = std::get<Tensor>((*results)[0]);
  EXPECT_EQ(r.shape, (Shape{2, 2, 64}));
  EXPECT_EQ(r.values, slice(e, 128, 256).values);
  EXPECT_EQ(std::get<Packed>((*results)[2]).type, ElementType::F8E4M3FNUZ);
}

//===-- Bad input ---------------------------------------------------------===//

TEST(InterpreterTest, RefusesWrongArguments) {
  Program program(Program::file("gqa.mlir"), true);
  RandomWeights weights(*program.module);
  Interpreter oracle(*program.module, weights, {});
  Value cache = *oracle.makeCache("step");
  auto idOf = [&](const char *name, std::vector<Value> arguments) {
    return oracle.call(name, std::move(arguments)).takeError().id();
  };
  EXPECT_EQ(idOf("nothing", {}), "E-ORACLE-FUNCTION");
  EXPECT_EQ(idOf("step", {range(1)}), "E-ORACLE-ARGUMENT");
  EXPECT_EQ(idOf("step", {range(1), range(1), range(1), range(1), range(1)}), "E-ORACLE-ARGUMENT");
  EXPECT_EQ(idOf("step", {randomTensor(ElementType::F32, {1}, 1), range(1), range(1), range(1), cache}),
            "E-ORACLE-ARGUMENT");
  EXPECT_EQ(idOf("step", {range(2), range(3), range(2), range(2), cache}), "E-ORACLE-ARGUMENT");
  EXPECT_EQ(idOf("step", {Tensor::ofIntegers({256}), range(1), range(1), range(1), cache}), "E-ORACLE-INDEX");
  EXPECT_EQ(idOf("step", {range(1), range(1), range(1), Tensor::ofIntegers({1}), cache}), "E-ORACLE-INDEX");
  EXPECT_EQ(idOf("step", {range(1), range(1, 7), range(1), range(1), cache}), "E-ORACLE-CACHE");
  EXPECT_EQ(idOf("step", {range(1), range(1), range(1), range(1), std::make_shared<Cache>(1, 2, 32, 32)}),
            "E-ORACLE-ARGUMENT");
  EXPECT_EQ(oracle.makeCache("nothing").takeError().id(), "E-ORACLE-FUNCTION");
  LinearOp op = program.first<LinearOp>();
  EXPECT_EQ(oracle.evaluate(op, std::vector<Value>{range(1)}).takeError().id(), "E-ORACLE-ARGUMENT");
}

TEST(InterpreterTest, RefusesAWeightOfAnotherShape) {
  struct Wrong : WeightSource {
    Expected<Packed> weight(std::string_view, std::optional<int64_t>) override {
      return pack(randomTensor(ElementType::BF16, {3, 3}, 1));
    }
  } wrong;
  Program program(Program::file("gqa.mlir"), true);
  Interpreter oracle(*program.module, wrong, {});
  auto results = oracle.call("step", {range(1), range(1), range(1), range(1), *oracle.makeCache("step")});
  ASSERT_FALSE(results.ok());
  EXPECT_EQ(results.error().id(), "E-ORACLE-ARGUMENT");
  EXPECT_EQ(results.error().causeText(), "weight `embed`");
}

TEST(InterpreterTest, RefusesOperatorsOfOthers) {
  Program program(R"(
    func.func @f(%x: tensor<?x8xbf16>) -> tensor<?x8xbf16> {
      %0 = builtin.unrealized_conversion_cast %x : tensor<?x8xbf16> to tensor<?x8xbf16>
      return %0 : tensor<?x8xbf16>
    }
    func.func private @g())");
  ASSERT_TRUE(program.module);
  RandomWeights weights(*program.module);
  Interpreter oracle(*program.module, weights, {});
  EXPECT_EQ(oracle.call("f", {randomTensor(ElementType::BF16, {1, 8}, 1)}).takeError().id(),
            "E-ORACLE-OPERATOR");
  EXPECT_EQ(oracle.call("g", {}).takeError().id(), "E-ORACLE-OPERATOR");
}

} // namespace
