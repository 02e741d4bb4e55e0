//===- CheckpointWeightsTest.cpp ------------------------------------------===//
#include "dialects/model/reference/CheckpointWeights.h"
#include "dialects/model/Model.h"
#include "dialects/model/reference/TestData.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace quern::model::reference;

namespace {

/// A handful of tensors by name.
struct Store {
  std::map<std::string, Packed> tensors;
  int lookups = 0;

  void add(const std::string &name, Packed tensor) { tensors[name] = std::move(tensor); }
  /// Codes as |name|, scales as |name|_scale.
  void addScaled(const std::string &name, const Packed &tensor) {
    tensors[name] = tensor;
    Packed scales;
    scales.type = tensor.scaleType;
    scales.shape = tensor.shape;
    scales.shape[tensor.shape.size() - 2] = (tensor.rows() + 127) / 128;
    scales.shape.back() = (tensor.columns() + 127) / 128;
    scales.bytes = tensor.scales;
    scales.owner = tensor.owner;
    tensors[name + "_scale"] = scales;
  }
  TensorLookup lookup() {
    return [this](const std::string &name) -> Expected<RawTensor> {
      ++lookups;
      auto found = tensors.find(name);
      if (found == tensors.end())
        return Status::error(Exit::BadInput, "E-TENSOR-MISSING", "no tensor `" + name + "`");
      return RawTensor{found->second.type, found->second.shape, found->second.bytes};
    };
  }
};

class CheckpointWeightsTest : public testing::Test {
protected:
  /// The weight that |declaration| (after the name) makes, at |layer|.
  Expected<Packed> make(const std::string &declaration, std::optional<int64_t> layer = std::nullopt) {
    context.getOrLoadDialect<quern::model::ModelDialect>();
    module = mlir::parseSourceString<mlir::ModuleOp>("model.weight @w " + declaration, &context);
    EXPECT_TRUE(module);
    weights.emplace(*module, store.lookup());
    return weights->weight("w", layer);
  }
  std::vector<float> values(const std::string &declaration, std::optional<int64_t> layer = std::nullopt) {
    auto packed = make(declaration, layer);
    if (!packed.ok()) {
      ADD_FAILURE() << packed.error().message();
      return {};
    }
    return packed->unpack(ElementType::F32).values;
  }
  std::string errorOf(const std::string &declaration) {
    auto packed = make(declaration);
    EXPECT_FALSE(packed.ok()) << declaration;
    return packed.ok() ? "" : packed.takeError().id();
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  Store store;
  std::optional<CheckpointWeights> weights;
};

TEST_F(CheckpointWeightsTest, ReadsUnderItsOwnNameAndByLayer) {
  Tensor a = randomTensor(ElementType::BF16, {2, 3}, 1);
  store.add("w", pack(a));
  store.add("x.7.y", pack(randomTensor(ElementType::BF16, {2, 3}, 2)));
  EXPECT_EQ(values(": tensor<2x3xbf16>"), a.values);
  EXPECT_EQ(values("layers 0 to 8 : tensor<2x3xbf16> = #model.read<\"x.{layer}.y\">", 7),
            randomTensor(ElementType::BF16, {2, 3}, 2).values);
}

TEST_F(CheckpointWeightsTest, APlainReadIsAView) {
  store.add("w", pack(randomTensor(ElementType::BF16, {2, 3}, 1)));
  auto packed = make(": tensor<2x3xbf16>");
  ASSERT_TRUE(packed.ok());
  EXPECT_EQ(packed->bytes.data(), store.tensors["w"].bytes.data());
}

TEST_F(CheckpointWeightsTest, SliceConcatStackTransposeReshape) {
  store.add("a", pack(Tensor::of(ElementType::F32, {2, 3}, {0, 1, 2, 3, 4, 5})));
  store.add("b", pack(Tensor::of(ElementType::F32, {1, 3}, {6, 7, 8})));
  store.add("e0", pack(Tensor::of(ElementType::F32, {2}, {10, 11})));
  store.add("e1", pack(Tensor::of(ElementType::F32, {2}, {20, 21})));
  using V = std::vector<float>;
  EXPECT_EQ(values(": tensor<1x3xf32> = #model.slice<dim = 0, 1 to 2, #model.read<\"a\">>"), (V{3, 4, 5}));
  EXPECT_EQ(values(": tensor<2x2xf32> = #model.slice<dim = 1, 1 to 3, #model.read<\"a\">>"), (V{1, 2, 4, 5}));
  EXPECT_EQ(values(": tensor<3x3xf32> = #model.concat<dim = 0, [#model.read<\"b\">, #model.read<\"a\">]>"),
            (V{6, 7, 8, 0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(
      values(": tensor<2x4xf32> = #model.concat<dim = 1, [#model.slice<dim = 1, 2 to 3, #model.read<\"a\">>, "
             "#model.read<\"a\">]>"),
      (V{2, 0, 1, 2, 5, 3, 4, 5}));
  EXPECT_EQ(values(": tensor<2x2xf32> = #model.stack<\"e\", 2, #model.read<\"e{e}\">>"), (V{10, 11, 20, 21}));
  EXPECT_EQ(values(": tensor<3x2xf32> = #model.transpose<[1, 0], #model.read<\"a\">>"),
            (V{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(values(": tensor<3x2xf32> = #model.reshape<[3, 2], #model.read<\"a\">>"), (V{0, 1, 2, 3, 4, 5}));
  // Rows 0, 1, 2 of every third: interleaved parts taken apart.
  EXPECT_EQ(
      values(": tensor<2x3xf32> = #model.reshape<[2, 3], #model.transpose<[1, 0], #model.reshape<[3, 2], "
             "#model.read<\"a\">>>>"),
      (V{0, 2, 4, 1, 3, 5}));
}

TEST_F(CheckpointWeightsTest, ConvertsToTheDeclaredElementType) {
  store.add("w", pack(Tensor::of(ElementType::F32, {2}, {1.00390625f, 3})));
  EXPECT_EQ(values(": tensor<2xbf16>"), (std::vector<float>{1, 3}));
  store.add("w", pack(Tensor::of(ElementType::BF16, {2}, {0.5f, 3})));
  EXPECT_EQ(values(": tensor<2xf32>"), (std::vector<float>{0.5f, 3}));
}

TEST_F(CheckpointWeightsTest, ScalesGoWithTheirCodes) {
  Packed a = randomBlockScaled({256, 300}, 1), b = randomBlockScaled({130, 300}, 2);
  store.addScaled("a", a);
  store.addScaled("b", b);
  std::vector<float> va = a.unpack(ElementType::F32).values, vb = b.unpack(ElementType::F32).values;
  const std::string readA = "#model.read<\"a\", scale = \"a_scale\">",
                    readB = "#model.read<\"b\", scale = \"b_scale\">";
  EXPECT_EQ(values(": !model.block_scaled<256x300xf8E4M3FN, 128x128, f32> = " + readA), va);
  std::vector<float> both = va;
  both.insert(both.end(), vb.begin(), vb.end());
  EXPECT_EQ(values(": !model.block_scaled<386x300xf8E4M3FN, 128x128, f32> = #model.concat<dim = 0, [" +
                   readA + ", " + readB + "]>"),
            both);
  EXPECT_EQ(
      values(": !model.block_scaled<128x300xf8E4M3FN, 128x128, f32> = #model.slice<dim = 0, 128 to 256, " +
             readA + ">"),
      std::vector<float>(va.begin() + 128 * 300, va.end()));
  auto stacked =
      make(": !model.block_scaled<2x256x300xf8E4M3FN, 128x128, f32> = #model.stack<\"i\", 2, " + readA + ">");
  ASSERT_TRUE(stacked.ok());
  EXPECT_EQ(stacked->slice(1).unpack(ElementType::F32).values, va);
  std::vector<float> turned = values(
      ": !model.block_scaled<300x256xf8E4M3FN, 128x128, f32> = #model.transpose<[1, 0], " + readA + ">");
  for (int64_t i = 0; i < 256; ++i)
    for (int64_t j = 0; j < 300; ++j)
      ASSERT_EQ(turned[j * 256 + i], va[i * 300 + j]);
}

TEST_F(CheckpointWeightsTest, Dequantises) {
  Packed a = randomBlockScaled({130, 140}, 3);
  store.addScaled("a", a);
  std::vector<float> rounded = a.unpack(ElementType::BF16).values, exact = a.unpack(ElementType::F32).values;
  EXPECT_NE(rounded, exact);
  EXPECT_EQ(values(": tensor<130x140xbf16> = #model.dequantise<#model.read<\"a\", scale = \"a_scale\">>"),
            rounded);
  EXPECT_EQ(values(": tensor<130x140xbf16> = #model.read<\"a\", scale = \"a_scale\">"), rounded);
  EXPECT_EQ(values(": tensor<130x140xf32> = #model.read<\"a\", scale = \"a_scale\">"), exact);
}

TEST_F(CheckpointWeightsTest, PowerOfTwoScalesInOneByteOrInFloats) {
  auto data = std::make_shared<std::string>("\x7E\x80", 2); // 2^-1, 2^1
  Packed a = randomBlockScaled({2, 256}, 4);
  a.scaleType = ElementType::U8;
  a.scales = asBytes(*data);
  store.addScaled("a", a);
  auto made = make(
      ": !model.block_scaled<2x256xf8E4M3FN, 128x128, f8E8M0FNU> = #model.read<\"a\", scale = \"a_scale\">");
  ASSERT_TRUE(made.ok());
  EXPECT_TRUE(made->powerOfTwoScales);
  EXPECT_EQ(made->scaleAt(0, 0), 0.5f);
  EXPECT_EQ(made->scaleAt(1, 1), 2.f);
}

TEST_F(CheckpointWeightsTest, KeepsWhatItPutsTogether) {
  store.add("a", pack(randomTensor(ElementType::BF16, {2, 3}, 1)));
  auto first = make(": tensor<4x3xbf16> = #model.concat<dim = 0, [#model.read<\"a\">, #model.read<\"a\">]>");
  int lookups = store.lookups;
  auto second = weights->weight("w", std::nullopt);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(store.lookups, lookups);
  EXPECT_EQ(first->bytes.data(), second->bytes.data());
}

TEST_F(CheckpointWeightsTest, RefusesWhatDoesNotFit) {
  store.add("a", pack(randomTensor(ElementType::BF16, {2, 3}, 1)));
  store.add("f", pack(randomTensor(ElementType::F32, {2, 3}, 1)));
  store.addScaled("q", randomBlockScaled({256, 300}, 5));
  store.addScaled("r", randomBlockScaled({130, 300}, 5));
  const std::string q = "#model.read<\"q\", scale = \"q_scale\">",
                    r = "#model.read<\"r\", scale = \"r_scale\">";
  const std::string weight = "E-ORACLE-WEIGHT";
  EXPECT_EQ(errorOf(": tensor<2x3xbf16> = #model.read<\"missing\">"), "E-TENSOR-MISSING");
  EXPECT_EQ(errorOf(": tensor<3x2xbf16> = #model.read<\"a\">"), weight);
  EXPECT_EQ(errorOf(": tensor<2x2xbf16> = #model.slice<dim = 1, 2 to 4, #model.read<\"a\">>"), weight);
  EXPECT_EQ(errorOf(": tensor<2x2xbf16> = #model.slice<dim = 2, 0 to 1, #model.read<\"a\">>"), weight);
  EXPECT_EQ(errorOf(": tensor<4x3xbf16> = #model.concat<dim = 0, [#model.read<\"a\">, #model.read<\"f\">]>"),
            weight);
  EXPECT_EQ(errorOf(": tensor<2x6xbf16> = #model.concat<dim = 2, [#model.read<\"a\">, #model.read<\"a\">]>"),
            weight);
  EXPECT_EQ(
      errorOf(": tensor<2x6xbf16> = #model.concat<dim = 1, [#model.read<\"a\">, #model.transpose<[1, 0], "
              "#model.read<\"a\">>]>"),
      weight);
  EXPECT_EQ(errorOf(": tensor<2x3xbf16> = #model.transpose<[0], #model.read<\"a\">>"), weight);
  EXPECT_EQ(errorOf(": tensor<2x4xbf16> = #model.reshape<[2, 4], #model.read<\"a\">>"), weight);
  // fp8 without scales; steps that cut through blocks.
  EXPECT_EQ(errorOf(": !model.block_scaled<256x300xf8E4M3FN, 128x128, f32> = #model.read<\"q\">"), weight);
  EXPECT_EQ(
      errorOf(": !model.block_scaled<64x300xf8E4M3FN, 128x128, f32> = #model.slice<dim = 0, 64 to 128, " + q +
              ">"),
      weight);
  EXPECT_EQ(errorOf(": !model.block_scaled<386x300xf8E4M3FN, 128x128, f32> = #model.concat<dim = 0, [" + r +
                    ", " + q + "]>"),
            weight);
  EXPECT_EQ(errorOf(": !model.block_scaled<300x256xf8E4M3FN, 128x128, f32> = #model.reshape<[300, 256], " +
                    q + ">"),
            weight);
  EXPECT_EQ(errorOf(": !model.block_scaled<2x300x256xf8E4M3FN, 128x128, f32> = #model.transpose<[1, 0, 2], "
                    "#model.stack<\"i\", 2, " +
                    q + ">>"),
            weight);
}

} // namespace
