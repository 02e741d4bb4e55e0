//===- PrepareTest.cpp - Recipes against independent computations ---------===//
//
// An artifact with tensors of known contents; each recipe's outcome is compared with values that are worked
// out element by element from the coordinates, not by the steps of the recipe.
//
//===----------------------------------------------------------------------===//
#include "runtime/prepare/Prepare.h"

#include "runtime/Devices.h"
#include "runtime/artifact/ArtifactWriter.h"
#include "runtime/artifact/RandomWeights.h"
#include "support/Float8.h"
#include "support/ScratchDirectory.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace quern;
using namespace quern::runtime;
using Kind = Recipe::Kind;

namespace {

template <typename T> std::string_view text(const std::vector<T> &values) {
  return {reinterpret_cast<const char *>(values.data()), values.size() * sizeof(T)};
}

Recipe read(std::string name, std::string scales = {}) {
  Recipe recipe;
  recipe.name = std::move(name);
  recipe.scales = std::move(scales);
  return recipe;
}
Recipe over(Kind kind, std::vector<Recipe> operands) {
  Recipe recipe;
  recipe.kind = kind;
  recipe.operands = std::move(operands);
  return recipe;
}
Recipe slice(Recipe of, int64_t dim, int64_t begin, int64_t end) {
  Recipe recipe = over(Kind::Slice, {std::move(of)});
  recipe.dim = dim;
  recipe.begin = begin;
  recipe.end = end;
  return recipe;
}
Recipe concat(std::vector<Recipe> of, int64_t dim) {
  Recipe recipe = over(Kind::Concat, std::move(of));
  recipe.dim = dim;
  return recipe;
}
Recipe stack(std::string placeholder, int64_t count, Recipe of) {
  Recipe recipe = over(Kind::Stack, {std::move(of)});
  recipe.placeholder = std::move(placeholder);
  recipe.count = count;
  return recipe;
}
Recipe transpose(Recipe of, std::vector<int64_t> permutation) {
  Recipe recipe = over(Kind::Transpose, {std::move(of)});
  recipe.permutation = std::move(permutation);
  return recipe;
}
Recipe reshape(Recipe of, std::vector<int64_t> shape) {
  Recipe recipe = over(Kind::Reshape, {std::move(of)});
  recipe.shape = std::move(shape);
  return recipe;
}
Recipe scales(Recipe of, double factor = 1) {
  Recipe recipe = over(Kind::Scales, {std::move(of)});
  recipe.factor = factor;
  return recipe;
}

/// bf16 number |i| of tensor |t|: all different within a tensor, most of them exact.
uint16_t element(unsigned t, size_t i) {
  return floatToBf16(float(int(i % 251)) - 100.0f + 0.5f * float(t % 3));
}
/// fp8 code |i| of tensor |t|; never NaN, -0 among them.
uint8_t code(unsigned t, size_t i) {
  uint8_t value = uint8_t(i * 7 + t * 31 + (i >> 8));
  return (value & 0x7F) == 0x7F ? 0x80 : value;
}
/// Scale of block (r, c) of tensor |t|.
float scale(unsigned t, size_t r, size_t c) {
  return 0.25f + float(t) * 0.5f + float(r) * 0.125f + float(c) * 0.0625f;
}

constexpr size_t kRows = 300, kColumns = 260; // ragged blocks: 3 by 3

class PrepareTest : public ::testing::Test {
protected:
  void SetUp() override {
    auto opened = openDevice("cpu");
    ASSERT_TRUE(opened.ok());
    device = *std::move(opened);
    plan.target = "cpu:x86-64-v3";
  }

  void addDefaults(ArtifactWriter &writer) {
    for (unsigned t = 0; t < 4; ++t) {
      std::string n = std::to_string(t);
      std::vector<uint16_t> plain(6 * 10);
      for (size_t i = 0; i < plain.size(); ++i)
        plain[i] = element(t, i);
      ok(writer.addWeight({"plain." + n, ElementType::BF16, {6, 10}}, asBytes(text(plain))));
      std::vector<uint8_t> codes(kRows * kColumns);
      for (size_t i = 0; i < codes.size(); ++i)
        codes[i] = code(t, i);
      ok(writer.addWeight({"codes." + n, ElementType::F8E4M3, {kRows, kColumns}}, asBytes(text(codes))));
      std::vector<float> factors;
      for (size_t r = 0; r < 3; ++r)
        for (size_t c = 0; c < 3; ++c)
          factors.push_back(scale(t, r, c));
      ok(writer.addWeight({"factors." + n, ElementType::F32, {3, 3}}, asBytes(text(factors))));
    }
    std::vector<float> wide = {1.0f, 1.00390625f, -3.14159265f, 65504.0f, 1e-20f, 0.0f};
    ok(writer.addWeight({"wide", ElementType::F32, {6}}, asBytes(text(wide))));
    std::vector<uint16_t> half = {0x3C00, 0xC200, 0x0001, 0x7BFF};
    ok(writer.addWeight({"half", ElementType::F16, {4}}, asBytes(text(half))));
    std::vector<uint8_t> powers = {127, 128, 120, 0, 254, 126, 125, 124, 123};
    ok(writer.addWeight({"powers", ElementType::F8E8M0, {3, 3}}, asBytes(text(powers))));
    ok(writer.addRandomWeight({"random.w.1", ElementType::BF16, {700, 1900}}, 99, -2, 2));
  }
  static void ok(const Status &status) { ASSERT_TRUE(status.ok()) << status.message(); }

  Expected<Artifact> finish(ArtifactWriter writer) {
    Manifest manifest;
    manifest.model = "tiny";
    manifest.modelHash = manifest.fingerprint = sha256("x").hex();
    manifest.weights = "embed";
    manifest.targets = {{"cpu:x86-64-v3", "cpu-x86-64-v3", "bf16"}};
    ok(writer.addMember("plan/cpu-x86-64-v3.json", "{}"));
    QUERN_RETURN_IF_ERROR(writer.finish(manifest));
    return Artifact::open(directory / "a.quern");
  }
  ArtifactWriter begin() { return *ArtifactWriter::create(directory / "a.quern"); }

  Expected<PreparedWeights> prepare(unsigned threads = 2) {
    ArtifactWriter writer = begin();
    addDefaults(writer);
    Expected<Artifact> artifact = finish(std::move(writer));
    EXPECT_TRUE(artifact.ok()) << artifact.error().message();
    ThreadPool pool(threads);
    PrepareOptions options;
    options.pool = &pool;
    return PreparedWeights::prepare(plan, *artifact, *device, options);
  }

  /// One tensor; its bytes as T, or a failure.
  template <typename T>
  std::vector<T> make(const std::string &dtype, std::vector<int64_t> shape, Recipe recipe) {
    plan.tensors = {{"w", dtype, shape, std::nullopt, std::move(recipe)}};
    EXPECT_EQ(plan.tensors[0].bytes() % sizeof(T), 0u);
    Expected<PreparedWeights> weights = prepare();
    EXPECT_TRUE(weights.ok()) << weights.error().message();
    if (!weights.ok())
      return {};
    const T *at = reinterpret_cast<const T *>(weights->address(0, 0));
    EXPECT_EQ(weights->address(0, 0) % 256, 0u);
    return std::vector<T>(at, at + plan.tensors[0].bytes() / sizeof(T));
  }
  std::string fault(const std::string &dtype, std::vector<int64_t> shape, Recipe recipe) {
    plan.tensors = {{"w", dtype, shape, std::nullopt, std::move(recipe)}};
    Expected<PreparedWeights> weights = prepare();
    return weights.ok() ? "accepted"
                        : weights.error().id() + " " + std::to_string(int(weights.error().exit()));
  }

  ScratchDirectory directory;
  std::unique_ptr<Device> device;
  Plan plan;
};

TEST_F(PrepareTest, ReadsAndSlices) {
  std::vector<uint16_t> whole = make<uint16_t>("BF16", {6, 10}, read("plain.1"));
  ASSERT_EQ(whole.size(), 60u);
  for (size_t i = 0; i < 60; ++i)
    ASSERT_EQ(whole[i], element(1, i));
  std::vector<uint16_t> part =
      make<uint16_t>("BF16", {4, 3}, slice(slice(read("plain.2"), 0, 1, 5), 1, 6, 9));
  for (size_t r = 0; r < 4; ++r)
    for (size_t c = 0; c < 3; ++c)
      ASSERT_EQ(part[r * 3 + c], element(2, (r + 1) * 10 + c + 6));
}

TEST_F(PrepareTest, PutsTogether) {
  std::vector<uint16_t> below =
      make<uint16_t>("BF16", {18, 10}, concat({read("plain.0"), read("plain.2"), read("plain.1")}, 0));
  std::vector<uint16_t> beside =
      make<uint16_t>("BF16", {6, 14}, concat({slice(read("plain.3"), 1, 2, 6), read("plain.1")}, 1));
  for (size_t i = 0; i < 180; ++i)
    ASSERT_EQ(below[i], element(i < 60 ? 0 : i < 120 ? 2 : 1, i % 60));
  for (size_t r = 0; r < 6; ++r)
    for (size_t c = 0; c < 14; ++c)
      ASSERT_EQ(beside[r * 14 + c], c < 4 ? element(3, r * 10 + c + 2) : element(1, r * 10 + c - 4));
  std::vector<uint16_t> stacked =
      make<uint16_t>("BF16", {3, 12, 10}, stack("e", 3, concat({read("plain.{e}"), read("plain.3")}, 0)));
  for (size_t i = 0; i < 360; ++i)
    ASSERT_EQ(stacked[i], element(i % 120 < 60 ? unsigned(i / 120) : 3, i % 60));
}

TEST_F(PrepareTest, MovesDimensions) {
  std::vector<uint16_t> turned = make<uint16_t>("BF16", {10, 6}, transpose(read("plain.1"), {1, 0}));
  for (size_t r = 0; r < 10; ++r)
    for (size_t c = 0; c < 6; ++c)
      ASSERT_EQ(turned[r * 6 + c], element(1, c * 10 + r));
  // [6, 10] -> [2, 3, 10] -> [10, 2, 3] -> [5, 12]
  std::vector<uint16_t> shaped = make<uint16_t>(
      "BF16", {5, 12}, reshape(transpose(reshape(read("plain.2"), {2, 3, 10}), {2, 0, 1}), {5, 12}));
  for (size_t i = 0; i < 60; ++i) {
    size_t c = i / 6, a = i / 3 % 2, b = i % 3;
    ASSERT_EQ(shaped[i], element(2, (a * 3 + b) * 10 + c));
  }
  // A stack under a transposition is made as one.
  std::vector<uint16_t> inside =
      make<uint16_t>("BF16", {6, 10, 4}, transpose(stack("e", 4, read("plain.{e}")), {1, 2, 0}));
  for (size_t i = 0; i < 240; ++i)
    ASSERT_EQ(inside[i], element(unsigned(i % 4), i / 4));
}

TEST_F(PrepareTest, CodesAndScalesApart) {
  Recipe pair = concat({slice(read("codes.0", "factors.0"), 0, 128, 256), read("codes.1", "factors.1")}, 0);
  std::vector<uint8_t> codes = make<uint8_t>("F8_E4M3", {128 + kRows, kColumns}, pair);
  for (size_t r = 0; r < 128 + kRows; ++r)
    for (size_t c = 0; c < kColumns; ++c)
      ASSERT_EQ(codes[r * kColumns + c],
                r < 128 ? code(0, (r + 128) * kColumns + c) : code(1, (r - 128) * kColumns + c));
  std::vector<float> factors = make<float>("F32", {4, 3}, scales(pair));
  for (size_t r = 0; r < 4; ++r)
    for (size_t c = 0; c < 3; ++c)
      ASSERT_EQ(factors[r * 3 + c], r < 1 ? scale(0, 1, c) : scale(1, r - 1, c));
  Recipe turned = transpose(read("codes.2", "factors.2"), {1, 0});
  factors = make<float>("F32", {3, 3}, scales(turned, 2.0));
  for (size_t r = 0; r < 3; ++r)
    for (size_t c = 0; c < 3; ++c)
      ASSERT_EQ(factors[r * 3 + c], 2 * scale(2, c, r));
  Recipe many = stack("e", 4, slice(read("codes.{e}", "factors.{e}"), 1, 128, 260));
  factors = make<float>("F32", {4, 3, 2}, scales(many));
  for (size_t i = 0; i < 24; ++i)
    ASSERT_EQ(factors[i], scale(unsigned(i / 6), i / 2 % 3, 1 + i % 2));
  // Powers of two become f32.
  factors = make<float>("F32", {3, 3}, scales(read("codes.0", "powers")));
  EXPECT_EQ(factors[0], 1.0f);
  EXPECT_EQ(factors[1], 2.0f);
  EXPECT_EQ(factors[3], std::ldexp(1.0f, -127));
  EXPECT_EQ(factors[4], std::ldexp(1.0f, 127));
}

TEST_F(PrepareTest, DequantisesAndReencodes) {
  Recipe many = stack("e", 2, read("codes.{e}", "factors.{e}"));
  std::vector<uint16_t> plain = make<uint16_t>("BF16", {2, kRows, kColumns}, over(Kind::Dequantise, {many}));
  for (size_t i = 0; i < plain.size(); ++i) {
    size_t t = i / (kRows * kColumns), at = i % (kRows * kColumns), r = at / kColumns, c = at % kColumns;
    float value = decode(Float8::E4M3FN, code(unsigned(t), at)) * scale(unsigned(t), r / 128, c / 128);
    ASSERT_EQ(plain[i], floatToBf16(value)) << i;
  }
  // Turned codes meet turned scales.
  plain = make<uint16_t>("BF16", {kColumns, kRows},
                         over(Kind::Dequantise, {transpose(read("codes.3", "factors.3"), {1, 0})}));
  for (size_t r = 0; r < kColumns; ++r)
    for (size_t c = 0; c < kRows; ++c)
      ASSERT_EQ(plain[r * kRows + c],
                floatToBf16(decode(Float8::E4M3FN, code(3, c * kColumns + r)) * scale(3, c / 128, r / 128)));
  std::vector<uint8_t> codes = make<uint8_t>("F8_E4M3", {2, kRows, kColumns}, over(Kind::Fnuz, {many}));
  size_t zeros = 0;
  for (size_t i = 0; i < codes.size(); ++i) {
    uint8_t was = code(unsigned(i / (kRows * kColumns)), i % (kRows * kColumns));
    ASSERT_EQ(codes[i], was == 0x80 ? 0 : was);
    zeros += was == 0x80;
  }
  EXPECT_GT(zeros, 0u);
  // The same number, from the code in the other format and the doubled scale.
  std::vector<float> doubled = make<float>("F32", {3, 3}, scales(read("codes.0", "factors.0"), 2.0));
  for (size_t i = 0; i < 400; ++i)
    ASSERT_EQ(decode(Float8::E4M3FNUZ, codes[i]) * doubled[i % kColumns / 128],
              decode(Float8::E4M3FN, code(0, i)) * scale(0, 0, i % kColumns / 128));
}

TEST_F(PrepareTest, ConvertsElements) {
  std::vector<uint16_t> narrow = make<uint16_t>("BF16", {6}, read("wide"));
  EXPECT_EQ(narrow[0], 0x3F80);
  EXPECT_EQ(narrow[1], 0x3F80) << "1 + 2^-8 is a tie: to even";
  EXPECT_EQ(narrow[2], floatToBf16(-3.14159265f));
  std::vector<float> wide = make<float>("F32", {6, 10}, read("plain.1"));
  for (size_t i = 0; i < 60; ++i)
    ASSERT_EQ(wide[i], bf16ToFloat(element(1, i)));
  narrow = make<uint16_t>("BF16", {4}, read("half"));
  EXPECT_EQ(bf16ToFloat(narrow[0]), 1.0f);
  EXPECT_EQ(bf16ToFloat(narrow[1]), -3.0f);
  EXPECT_EQ(bf16ToFloat(narrow[2]), std::ldexp(1.0f, -24));
  Recipe convert = over(Kind::Convert, {read("half")});
  convert.dtype = "F32";
  EXPECT_EQ(make<float>("F32", {4}, convert)[3], 65504.0f);
  Recipe constant;
  constant.kind = Kind::Constant;
  constant.shape = {3};
  constant.values = {1.5f, -2.0f, 0.25f};
  EXPECT_EQ(make<float>("F32", {3}, constant), constant.values);
}

TEST_F(PrepareTest, LayersAndRandomTensors) {
  plan.tensors = {{"w", "BF16", {6, 10}, {{1, 4}}, read("plain.{layer}")},
                  {"r", "BF16", {700, 1900}, {{1, 2}}, read("random.w.{layer}")}};
  Expected<PreparedWeights> weights = prepare(4);
  ASSERT_TRUE(weights.ok()) << weights.error().message();
  for (int64_t layer = 1; layer < 4; ++layer) {
    auto *at = reinterpret_cast<const uint16_t *>(weights->address(0, layer));
    for (size_t i = 0; i < 60; ++i)
      ASSERT_EQ(at[i], element(unsigned(layer), i));
  }
  Weight random;
  random.type = ElementType::BF16;
  random.kind = WeightKind::Random;
  random.seed = 99;
  random.low = -2;
  random.high = 2;
  std::vector<uint16_t> want(700 * 1900);
  fillRandom(random, 0, std::as_writable_bytes(std::span(want)));
  EXPECT_EQ(
      0, std::memcmp(want.data(), reinterpret_cast<const void *>(weights->address(1, 1)), want.size() * 2));
  EXPECT_EQ(weights->statistics().bytes, PreparedWeights::bytesNeeded(plan));
  EXPECT_EQ(weights->statistics().sourceBytes, 3u * 120 + want.size() * 2);
  EXPECT_EQ(weights->statistics().peakHostBytes, 0u) << "nothing had to be put together";
}

/// What already stands in the file as the kernels read it takes no memory of the device; all else is made as
/// before.
TEST_F(PrepareTest, InPlace) {
  ArtifactWriter writer = begin();
  constexpr int64_t rows = 8, columns = 128; // 2048 bytes of bf16, 1024 of codes
  auto addPlain = [&](unsigned t) {
    std::vector<uint16_t> values(rows * columns);
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = element(t, i);
    ok(writer.addWeight({"plain." + std::to_string(t), ElementType::BF16, {rows, columns}},
                        asBytes(text(values))));
  };
  for (unsigned t : {0, 1, 3, 2, 4})
    addPlain(t);
  for (unsigned t = 0; t < 2; ++t) {
    std::vector<uint8_t> codes(rows * columns);
    for (size_t i = 0; i < codes.size(); ++i)
      codes[i] = code(t, i);
    ok(writer.addWeight({"codes." + std::to_string(t), ElementType::F8E4M3, {rows, columns}},
                        asBytes(text(codes))));
  }
  for (unsigned t = 0; t < 2; ++t) {
    float factor = scale(t, 0, 0);
    ok(writer.addWeight({"factors." + std::to_string(t), ElementType::F32, {1, 1}},
                        asBytes(std::string_view(reinterpret_cast<char *>(&factor), 4))));
  }
  Expected<Artifact> artifact = finish(std::move(writer));
  ASSERT_TRUE(artifact.ok()) << artifact.error().message();
  const Recipe pair = stack("e", 2, read("codes.{e}", "factors.{e}"));
  plan.tensors = {
      {"layers", "BF16", {rows, columns}, {{0, 5}}, read("plain.{layer}")},
      {"stacked", "BF16", {2, rows, columns}, std::nullopt, stack("e", 2, read("plain.{e}"))},
      {"joined", "BF16", {2 * rows, columns}, std::nullopt, concat({read("plain.3"), read("plain.2")}, 0)},
      {"other order",
       "BF16",
       {2 * rows, columns},
       std::nullopt,
       concat({read("plain.2"), read("plain.3")}, 0)},
      {"shaped",
       "BF16",
       {rows / 2, 2 * columns},
       std::nullopt,
       reshape(read("plain.4"), {rows / 2, 2 * columns})},
      {"turned", "BF16", {columns, rows}, std::nullopt, transpose(read("plain.4"), {1, 0})},
      {"wider", "F32", {rows, columns}, std::nullopt, read("plain.4")},
      {"codes", "F8_E4M3", {2, rows, columns}, std::nullopt, pair},
      {"apart", "F32", {2, 1, 1}, std::nullopt, scales(pair)},
      {"scale", "F32", {1, 1}, std::nullopt, scales(read("codes.1", "factors.1"))},
      {"doubled", "F32", {1, 1}, std::nullopt, scales(read("codes.1", "factors.1"), 2.0)},
  };
  const std::vector<std::string> copied = {"other order", "turned", "wider", "apart", "doubled"};
  ThreadPool pool(3);
  auto make = [&](bool inPlace, Device &on) {
    uint64_t before = on.counters().bytesAllocated, told = 0;
    std::mutex mutex;
    PrepareOptions options;
    options.pool = &pool;
    options.inPlace = inPlace;
    options.progress = [&](uint64_t bytes) {
      std::lock_guard<std::mutex> lock(mutex);
      told += bytes;
    };
    Expected<PreparedWeights> weights = PreparedWeights::prepare(plan, *artifact, on, options);
    EXPECT_TRUE(weights.ok()) << weights.error().message();
    uint64_t all = 0;
    for (const PreparedTensor &tensor : plan.tensors)
      all += tensor.bytes() * (tensor.layers ? 5 : 1);
    EXPECT_EQ(told, all);
    return std::pair(*std::move(weights), on.counters().bytesAllocated - before);
  };
  auto [copies, copiesBytes] = make(false, *device);
  auto [mapped, mappedBytes] = make(true, *device);
  EXPECT_EQ(copies.statistics().inPlaceBytes, 0u);
  EXPECT_EQ(copiesBytes, PreparedWeights::bytesNeeded(plan));
  uint64_t expected = 0, inPlace = 0;
  for (size_t i = 0; i < plan.tensors.size(); ++i) {
    const PreparedTensor &tensor = plan.tensors[i];
    const uint64_t bytes = tensor.bytes();
    const bool isCopied = std::ranges::count(copied, tensor.name) != 0;
    (isCopied ? expected : inPlace) += isCopied ? (bytes + 255) / 256 * 256 : bytes * (tensor.layers ? 5 : 1);
    for (int64_t layer = 0; layer < (tensor.layers ? 5 : 1); ++layer)
      EXPECT_EQ(0, std::memcmp(reinterpret_cast<void *>(mapped.address(i, layer)),
                               reinterpret_cast<void *>(copies.address(i, layer)), bytes))
          << tensor.name << " " << layer;
  }
  EXPECT_EQ(mappedBytes, expected);
  EXPECT_EQ(mapped.statistics().inPlaceBytes, inPlace);
  EXPECT_EQ(mapped.address(0, 0), mapped.address(1, 0)) << "two tensors may be the same bytes";
}

/// Bytes that stay where they are pass the same checks first.
TEST_F(PrepareTest, InPlaceIsChecked) {
  for (uint8_t bad : {0x7F, 0x01}) {
    ArtifactWriter writer = begin();
    std::vector<uint8_t> codes(256, 3);
    codes[200] = bad;
    ok(writer.addWeight({"codes", ElementType::F8E4M3, {2, 128}}, asBytes(text(codes))));
    ASSERT_TRUE(finish(std::move(writer)).ok());
    Expected<std::string> file = readFile(directory / "a.quern", 1 << 24);
    ASSERT_TRUE(file.ok());
    if (bad == 0x01)
      (*file)[file->find(text(codes)) + 17] ^= 1;
    Expected<Artifact> artifact = Artifact::fromBytes(asBytes(*file), "damaged");
    ASSERT_TRUE(artifact.ok()) << artifact.error().message();
    ThreadPool pool(2);
    PrepareOptions options;
    options.pool = &pool;
    options.inPlace = true;
    plan.tensors = {{"w", "F8_E4M3", {2, 128}, std::nullopt, read("codes")}};
    Expected<PreparedWeights> weights = PreparedWeights::prepare(plan, *artifact, *device, options);
    ASSERT_FALSE(weights.ok());
    EXPECT_EQ(weights.error().id(), bad == 0x01 ? "E-ARTIFACT-WEIGHT-DIGEST" : "E-TENSOR-NAN");
  }
}

TEST_F(PrepareTest, RefusesRecipesThatDoNotFit) {
  EXPECT_EQ(fault("BF16", {6, 10}, read("nothing")), "E-ARTIFACT-WEIGHT-MISSING 3");
  EXPECT_EQ(fault("BF16", {6, 11}, read("plain.0")), "E-PREPARE-SHAPE 3");
  EXPECT_EQ(fault("F8_E4M3", {6, 10}, read("plain.0")), "E-PREPARE-SHAPE 3");
  EXPECT_EQ(fault("BF16", {6, 1}, slice(read("plain.0"), 1, 9, 11)), "E-PREPARE-RECIPE 3");
  EXPECT_EQ(fault("BF16", {6, 1}, slice(read("plain.0"), 2, 0, 1)), "E-PREPARE-RECIPE 3");
  EXPECT_EQ(fault("BF16", {12, 10}, concat({read("plain.0"), read("wide")}, 0)), "E-PREPARE-RECIPE 3");
  EXPECT_EQ(fault("BF16", {6, 10}, transpose(read("plain.0"), {0, 1, 2})), "E-PREPARE-RECIPE 3");
  EXPECT_EQ(fault("BF16", {7, 10}, reshape(read("plain.0"), {7, 10})), "E-PREPARE-RECIPE 3");
  EXPECT_EQ(fault("BF16", {6, 10}, over(Kind::Dequantise, {read("plain.0")})), "E-PREPARE-RECIPE 3");
  EXPECT_EQ(fault("F32", {3, 3}, scales(read("codes.0"))), "E-PREPARE-RECIPE 3");
  EXPECT_EQ(fault("BF16", {6, 10}, over(Kind::Fnuz, {read("plain.0")})), "E-PREPARE-RECIPE 3");
  EXPECT_EQ(fault("F8_E4M3", {100, 260}, slice(read("codes.0", "factors.0"), 0, 100, 200)),
            "E-PREPARE-RECIPE 3");
  EXPECT_EQ(
      fault("F8_E4M3", {600, 260}, concat({read("codes.0", "factors.0"), read("codes.1", "factors.1")}, 0)),
      "E-PREPARE-RECIPE 3");
  EXPECT_EQ(fault("F8_E4M3", {300, 260}, read("codes.0", "wide")), "E-PREPARE-RECIPE 3");
}

TEST_F(PrepareTest, RefusesDamagedValues) {
  struct Damage {
    uint8_t code;
    float scale;
    const char *want;
  };
  for (Damage damage : {Damage{0x7F, 1, "E-TENSOR-NAN"}, Damage{0xFF, 1, "E-TENSOR-NAN"},
                        Damage{1, 0, "E-TENSOR-SCALE-VALUE"}, Damage{1, -1, "E-TENSOR-SCALE-VALUE"},
                        Damage{1, NAN, "E-TENSOR-SCALE-VALUE"}, Damage{1, INFINITY, "E-TENSOR-SCALE-VALUE"},
                        Damage{0x7E, 1, "accepted"}}) {
    ArtifactWriter writer = begin();
    std::vector<uint8_t> codes(130 * 5000, 3);
    codes[codes.size() - 2] = damage.code;
    std::vector<float> factors(2 * 40, 1.0f);
    factors[79] = damage.scale;
    ok(writer.addWeight({"codes", ElementType::F8E4M3, {130, 5000}}, asBytes(text(codes))));
    ok(writer.addWeight({"factors", ElementType::F32, {2, 40}}, asBytes(text(factors))));
    Expected<Artifact> artifact = finish(std::move(writer));
    ASSERT_TRUE(artifact.ok());
    plan.tensors = {{"w", "F8_E4M3", {130, 5000}, std::nullopt, read("codes", "factors")},
                    {"s", "F32", {2, 40}, std::nullopt, scales(read("codes", "factors"))}};
    ThreadPool pool(3);
    PrepareOptions options;
    options.pool = &pool;
    Expected<PreparedWeights> weights = PreparedWeights::prepare(plan, *artifact, *device, options);
    EXPECT_EQ(weights.ok() ? "accepted" : weights.error().id(), damage.want);
    if (!weights.ok())
      EXPECT_EQ(weights.error().exit(), Exit::BadInput);
  }
}

/// A changed byte of a tensor that is used ends the preparation, of one that is not used it does not.
TEST_F(PrepareTest, ChecksDigestsOfWhatIsUsed) {
  ArtifactWriter writer = begin();
  addDefaults(writer);
  ASSERT_TRUE(finish(std::move(writer)).ok());
  Expected<std::string> file = readFile(directory / "a.quern", 1 << 24);
  ASSERT_TRUE(file.ok());
  std::vector<uint16_t> plain(60);
  for (size_t i = 0; i < 60; ++i)
    plain[i] = element(2, i);
  size_t at = file->find(text(plain));
  ASSERT_NE(at, std::string::npos);
  (*file)[at + 17] ^= 1;
  Expected<Artifact> artifact = Artifact::fromBytes(asBytes(*file), "damaged");
  ASSERT_TRUE(artifact.ok()) << artifact.error().message();
  ThreadPool pool(2);
  PrepareOptions options;
  options.pool = &pool;
  plan.tensors = {{"w", "BF16", {6, 10}, std::nullopt, read("plain.2")}};
  Expected<PreparedWeights> weights = PreparedWeights::prepare(plan, *artifact, *device, options);
  ASSERT_FALSE(weights.ok());
  EXPECT_EQ(weights.error().id(), "E-ARTIFACT-WEIGHT-DIGEST");
  plan.tensors[0].recipe = read("plain.1");
  EXPECT_TRUE(PreparedWeights::prepare(plan, *artifact, *device, options).ok());
}

TEST_F(PrepareTest, DeviceOutOfMemory) {
  auto small = openDevice("cpu", {.memoryLimit = 1000});
  ASSERT_TRUE(small.ok());
  device = *std::move(small);
  EXPECT_EQ(fault("F8_E4M3", {300, 260}, read("codes.0")), "E-DEVICE-OUT-OF-MEMORY 10");
}

} // namespace
