//===- PlanTest.cpp -------------------------------------------------------===//
#include "runtime/plan/Plan.h"

#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace quern;
using namespace quern::runtime;
using testing::HasSubstr;

namespace {

Recipe read(std::string name, std::string scales = {}) {
  Recipe recipe;
  recipe.name = std::move(name);
  recipe.scales = std::move(scales);
  return recipe;
}

Recipe over(Recipe::Kind kind, std::vector<Recipe> operands) {
  Recipe recipe;
  recipe.kind = kind;
  recipe.operands = std::move(operands);
  return recipe;
}

LaunchArgument pointer(LaunchArgument::Kind kind, std::string name = {}, LayerIndex layer = {},
                       int64_t offset = 0) {
  LaunchArgument argument;
  argument.kind = kind;
  argument.name = std::move(name);
  argument.layer = layer;
  argument.offset = offset;
  return argument;
}

LaunchArgument scalar(ScalarKind kind, std::string_view size, double real = 0) {
  LaunchArgument argument;
  argument.kind = LaunchArgument::Kind::Scalar;
  argument.scalar = kind;
  argument.real = real;
  if (kind != ScalarKind::F32)
    argument.size = *SizeExpression::parse(size);
  return argument;
}

PlanStep step(Launch launch) {
  PlanStep result;
  result.launch = std::move(launch);
  return result;
}

/// A plan that uses every kind of everything.
Plan samplePlan() {
  using Arg = LaunchArgument::Kind;
  Plan plan;
  plan.target = "nvidia:sm_90a";
  plan.rung = "fp8";
  plan.vocabulary = 512;
  plan.validVocabulary = 500;
  plan.contextLimit = 4096;
  plan.maxTokens = 2048;

  Recipe slice = over(Recipe::Kind::Slice, {read("model.layers.{layer}.kv.weight")});
  slice.begin = 3;
  slice.end = 5;
  Recipe stack = over(Recipe::Kind::Stack, {read("model.layers.{layer}.experts.{expert}.w", "s.{expert}")});
  stack.placeholder = "expert";
  stack.count = 8;
  Recipe transpose = over(Recipe::Kind::Transpose, {over(Recipe::Kind::Dequantise, {stack})});
  transpose.permutation = {2, 0, 1};
  Recipe reshape = over(Recipe::Kind::Reshape, {over(Recipe::Kind::Fnuz, {read("a", "b")})});
  reshape.shape = {4, 6};
  Recipe scales = over(Recipe::Kind::Scales, {read("a", "b")});
  scales.factor = 2;
  Recipe convert = over(Recipe::Kind::Convert, {read("bias")});
  convert.dtype = "F32";
  Recipe constant;
  constant.kind = Recipe::Kind::Constant;
  constant.shape = {3};
  constant.values = {0.1f, -2.5f, 1e-30f};
  Recipe concat = over(Recipe::Kind::Concat, {read("x"), slice});
  plan.tensors = {{"embed", "BF16", {512, 64}, {}, read("model.embed_tokens.weight")},
                  {"kv", "BF16", {2, 64}, {{1, 4}}, concat},
                  {"experts", "BF16", {64, 8, 3}, {{0, 4}}, transpose},
                  {"codes", "F8_E4M3", {4, 6}, {}, reshape},
                  {"scales", "F32", {1, 1}, {}, scales},
                  {"bias", "F32", {8}, {}, convert},
                  {"numbers", "F32", {3}, {}, constant}};
  plan.tables = {{"rope", {1.0f, 0.1f, 0.01f}, 1.25}};
  plan.cache.layers = 4;
  plan.cache.parts = {{"latent", 64 * 576 * 2}};
  plan.kernels = {{"embed",
                   "embed{}",
                   "kernels/nvidia-sm_90a/a.ptx",
                   {"pointer", "tensor map", "pointer", "i32"},
                   {{3, 0, 1}},
                   128,
                   65536,
                   60000,
                   {{1, "bf16", {{-1, 64}, {3, 0}}, {128}, {64, 100}, 128}}},
                  {"layer",
                   "layer{}",
                   "kernels/nvidia-sm_90a/a.ptx",
                   {"pointer", "pointer", "pointer", "pointer", "pointer", "i64", "f32"},
                   {{-1, 7, 2}, {-1, 3, 1}},
                   256,
                   1024}};
  PlanEntry entry;
  entry.name = "step";
  entry.work = {{"x", *SizeExpression::parse("128*T"), 0, 5},
                {"y", *SizeExpression::parse("4*R+256"), 1, 4},
                {"few", *SizeExpression::parse("4*T+256"), 2, 2}};
  Launch embed{0,
               {pointer(Arg::Input, "tokens"), pointer(Arg::Tensor, "embed"), pointer(Arg::Work, "x"),
                scalar(ScalarKind::I32, "T")},
               {0},
               "embed"};
  Launch layer{1,
               {pointer(Arg::Work, "x"), pointer(Arg::Work, "y", {}, 256),
                pointer(Arg::Tensor, "kv", {true, 1}), pointer(Arg::Cache, "latent", {true, 0}, 1024),
                pointer(Arg::Table, "rope"), scalar(ScalarKind::I64, "2*T+B"),
                scalar(ScalarKind::F32, "", 0.5)},
               {1, 2},
               "layer"};
  Launch few = layer;
  few.note = "few";
  few.arguments[1] = pointer(Arg::Work, "few");
  Launch last = layer;
  last.note.clear();
  last.arguments[1] = pointer(Arg::Output, "logits");
  last.arguments[2] = pointer(Arg::Tensor, "experts", {false, 3});
  last.arguments[3] = pointer(Arg::Cache, "latent", {false, 0});
  last.arguments[4] = pointer(Arg::Null);
  entry.steps.push_back(step(embed));
  PlanStep repeat;
  repeat.repeat = std::make_unique<Repeat>();
  repeat.repeat->end = 4;
  repeat.repeat->stride = 2; // layers 0 and 2, so that layer + 1 is at most 3
  repeat.repeat->steps.push_back(step(layer));
  PlanStep choice; // launches 2 and, for many tokens, 3 and 4
  choice.choice = std::make_unique<Choice>();
  choice.choice->alternatives.push_back({0, {few}});
  choice.choice->alternatives.push_back({17, {layer, layer}});
  repeat.repeat->steps.push_back(std::move(choice));
  entry.steps.push_back(std::move(repeat));
  entry.steps.push_back(step(last));
  plan.entries.push_back(std::move(entry));
  return plan;
}

TEST(PlanTest, WhatIsWrittenIsRead) {
  Plan plan = samplePlan();
  Status sound = checkPlan(plan);
  ASSERT_TRUE(sound.ok()) << sound.message();
  std::string text = writePlan(plan);
  auto back = readPlan(text);
  ASSERT_TRUE(back.ok()) << back.error().message();
  EXPECT_TRUE(writePlan(*back) == text);
  // Spot checks against the original, as the text could lose the same thing twice.
  EXPECT_EQ(back->maxTokens, 2048);
  EXPECT_EQ(back->tensors[1].layers, (std::pair<int64_t, int64_t>(1, 4)));
  EXPECT_FALSE(back->tensors[0].layers);
  const Recipe &transpose = back->tensors[2].recipe;
  EXPECT_EQ(transpose.permutation, (std::vector<int64_t>{2, 0, 1}));
  EXPECT_EQ(transpose.operands[0].kind, Recipe::Kind::Dequantise);
  EXPECT_EQ(transpose.operands[0].operands[0].count, 8);
  EXPECT_EQ(transpose.operands[0].operands[0].operands[0].scales, "s.{expert}");
  EXPECT_EQ(back->tensors[1].recipe.operands[1].begin, 3);
  EXPECT_EQ(back->tensors[4].recipe.factor, 2);
  EXPECT_EQ(back->tensors[6].recipe.values, (std::vector<float>{0.1f, -2.5f, 1e-30f}));
  EXPECT_EQ(back->tables[0].frequencies, (std::vector<float>{1.0f, 0.1f, 0.01f}));
  EXPECT_EQ(back->kernels[1].grid[0].extent, 7);
  EXPECT_EQ(back->kernels[0].grid[0].argument, 3);
  EXPECT_EQ(back->kernels[0].dynamicBytes, 60000u);
  ASSERT_EQ(back->kernels[0].maps.size(), 1u);
  const PlanTensorMap &map = back->kernels[0].maps[0];
  EXPECT_EQ(map.argument, 1);
  EXPECT_EQ(map.element, "bf16");
  EXPECT_EQ(map.extents[0].extent, 64);
  EXPECT_EQ(map.extents[1].argument, 3);
  EXPECT_EQ(map.strides, std::vector<int64_t>{128});
  EXPECT_EQ(map.box, (std::vector<int64_t>{64, 100}));
  EXPECT_EQ(map.swizzle, 128);
  const Launch &inner = *back->entries[0].steps[1].repeat->steps[0].launch;
  EXPECT_TRUE(inner.arguments[2].layer == (LayerIndex{true, 1}));
  EXPECT_TRUE(inner.arguments[3].layer == (LayerIndex{true, 0}));
  EXPECT_EQ(inner.arguments[1].offset, 256);
  EXPECT_EQ(inner.arguments[3].offset, 1024);
  EXPECT_EQ(back->hidden, 0);
  EXPECT_EQ(inner.arguments[5].size.text(), "2*T+B");
  EXPECT_EQ(inner.arguments[6].real, 0.5);
  EXPECT_EQ(inner.origin, (std::vector<int32_t>{1, 2}));
  const Launch &last = *back->entries[0].steps[2].launch;
  EXPECT_TRUE(last.arguments[2].layer == (LayerIndex{false, 3}));
  EXPECT_EQ(last.arguments[4].kind, LaunchArgument::Kind::Null);
  EXPECT_EQ(back->entries[0].steps[1].repeat->stride, 2);
  const Choice &choice = *back->entries[0].steps[1].repeat->steps[1].choice;
  EXPECT_EQ(choice.by, Symbol::T);
  ASSERT_EQ(choice.alternatives.size(), 2u);
  EXPECT_EQ(choice.alternatives[0].launches[0].note, "few");
  EXPECT_EQ(choice.alternatives[1].from, 17);
  EXPECT_EQ(choice.alternatives[1].launches.size(), 2u);
}

TEST(PlanTest, Sizes) {
  Plan plan = samplePlan();
  EXPECT_EQ(plan.tensors[0].bytes(), 512u * 64 * 2);
  EXPECT_EQ(plan.tensors[3].bytes(), 24u);
  EXPECT_EQ(plan.cache.bytesPerToken(), 576u * 2 * 4);
  EXPECT_TRUE(plan.findEntry("step"));
  EXPECT_FALSE(plan.findEntry("mtp"));
}

/// The error of the sample with one change.
std::string fault(const std::function<void(Plan &)> &change) {
  Plan plan = samplePlan();
  change(plan);
  Status status = checkPlan(plan);
  if (status.ok())
    return "accepted";
  EXPECT_EQ(status.exit(), Exit::BadInput);
  // Reading the same plan from its text finds the same fault.
  auto back = readPlan(writePlan(plan));
  EXPECT_FALSE(back.ok());
  return status.id() + " " + status.sentence();
}

Launch &innerLaunch(Plan &plan) { return *plan.entries[0].steps[1].repeat->steps[0].launch; }

TEST(PlanTest, ChecksTheHead) {
  EXPECT_EQ(fault([](Plan &) {}), "accepted");
  EXPECT_THAT(fault([](Plan &p) { p.target = "h100"; }), HasSubstr("E-PLAN-VALUE plan: `target`"));
  EXPECT_THAT(fault([](Plan &p) { p.rung = "fp16"; }), HasSubstr("`rung`"));
  EXPECT_THAT(fault([](Plan &p) { p.vocabulary = 0; }), HasSubstr("`vocabulary`"));
  EXPECT_THAT(fault([](Plan &p) { p.validVocabulary = 513; }), HasSubstr("`valid_vocabulary`"));
  EXPECT_THAT(fault([](Plan &p) { p.contextLimit = 1 << 25; }), HasSubstr("`context_limit`"));
  EXPECT_THAT(fault([](Plan &p) { p.maxTokens = 0; }), HasSubstr("`max_tokens`"));
  EXPECT_THAT(fault([](Plan &p) { p.entries[0].name = "mtp"; }), HasSubstr("there is no entry `step`"));
}

TEST(PlanTest, ChecksTensorsTablesAndCache) {
  EXPECT_THAT(fault([](Plan &p) { p.tensors[1].name = "embed"; }),
              HasSubstr("E-PLAN-DUPLICATE plan: `tensors[1]`"));
  EXPECT_THAT(fault([](Plan &p) { p.tensors[0].dtype = "bf16"; }),
              HasSubstr("E-PLAN-VALUE plan: `tensors[0]`"));
  EXPECT_THAT(fault([](Plan &p) { p.tensors[0].dtype = "F64"; }),
              HasSubstr("E-PLAN-VALUE plan: `tensors[0]`"));
  EXPECT_THAT(fault([](Plan &p) { p.tensors[0].shape = {int64_t(1) << 50, int64_t(1) << 50}; }),
              HasSubstr("E-PLAN-VALUE plan: `tensors[0]`"));
  EXPECT_THAT(fault([](Plan &p) { p.tensors[1].layers = {4, 4}; }),
              HasSubstr("E-PLAN-LAYER plan: `tensors[1]`"));
  EXPECT_THAT(fault([](Plan &p) { p.tables[0].frequencies.clear(); }),
              HasSubstr("E-PLAN-VALUE plan: `tables[0]`"));
  EXPECT_THAT(fault([](Plan &p) { p.tables.push_back(p.tables[0]); }), HasSubstr("E-PLAN-DUPLICATE"));
  EXPECT_THAT(fault([](Plan &p) { p.cache.parts.push_back(p.cache.parts[0]); }),
              HasSubstr("E-PLAN-DUPLICATE"));
  EXPECT_THAT(fault([](Plan &p) { p.cache.parts[0].pageBytes = 100; }), HasSubstr("`cache.parts[0]`"));
}

TEST(PlanTest, ChecksRecipes) {
  auto recipe = [](size_t tensor, auto change) {
    return fault([&](Plan &p) { change(p.tensors[tensor].recipe); });
  };
  EXPECT_THAT(recipe(0, [](Recipe &r) { r.name.clear(); }),
              HasSubstr("E-PLAN-RECIPE plan: `tensors[0].recipe`"));
  EXPECT_THAT(recipe(0, [](Recipe &r) { r.operands.push_back(read("x")); }), HasSubstr("number of operands"));
  EXPECT_THAT(recipe(1, [](Recipe &r) { r.operands.clear(); }), HasSubstr("number of operands"));
  EXPECT_THAT(recipe(1, [](Recipe &r) { r.operands[1].end = 3; }),
              HasSubstr("`tensors[1].recipe.of[1]`: the slice is empty"));
  EXPECT_THAT(recipe(1, [](Recipe &r) { r.dim = 8; }), HasSubstr("dimension"));
  EXPECT_THAT(recipe(2, [](Recipe &r) { r.permutation = {0, 1, 1}; }), HasSubstr("permutation"));
  EXPECT_THAT(recipe(2, [](Recipe &r) { r.operands[0].operands[0].count = 0; }), HasSubstr("placeholder"));
  EXPECT_THAT(recipe(2, [](Recipe &r) { r.operands[0].operands[0].placeholder = "layer"; }),
              HasSubstr("placeholder"));
  EXPECT_THAT(recipe(3, [](Recipe &r) { r.shape.assign(9, 1); }), HasSubstr("shape"));
  EXPECT_THAT(recipe(4, [](Recipe &r) { r.factor = 0; }), HasSubstr("factor"));
  EXPECT_THAT(recipe(5, [](Recipe &r) { r.dtype = "I32"; }), HasSubstr("BF16 or F32"));
  EXPECT_THAT(recipe(6, [](Recipe &r) { r.values.pop_back(); }), HasSubstr("as many values"));
  EXPECT_THAT(recipe(0,
                     [](Recipe &r) {
                       for (int i = 0; i != 20; ++i)
                         r = over(Recipe::Kind::Fnuz, {r});
                     }),
              HasSubstr("too deeply"));
}

TEST(PlanTest, ChecksKernels) {
  EXPECT_THAT(fault([](Plan &p) { p.kernels[0].symbol.clear(); }),
              HasSubstr("E-PLAN-VALUE plan: `kernels[0]`"));
  EXPECT_THAT(fault([](Plan &p) { p.kernels[0].arguments[0] = "float"; }), HasSubstr("E-PLAN-ARGUMENTS"));
  EXPECT_THAT(fault([](Plan &p) { p.kernels[0].grid[0].argument = 4; }), HasSubstr("`kernels[0].grid[0]`"));
  EXPECT_THAT(fault([](Plan &p) { p.kernels[0].grid[0].argument = 0; }), HasSubstr("is no i32"));
  EXPECT_THAT(fault([](Plan &p) { p.kernels[1].grid[1].step = 0; }), HasSubstr("`kernels[1].grid[1]`"));
  EXPECT_THAT(fault([](Plan &p) { p.kernels[0].threads = 1025; }), HasSubstr("threads"));
}

TEST(PlanTest, ChecksTensorMaps) {
  auto map = [](auto change) { return fault([&](Plan &p) { change(p.kernels[0].maps[0]); }); };
  std::string place = "plan: `kernels[0].maps[0]`";
  EXPECT_THAT(map([](PlanTensorMap &m) { m.argument = 0; }), HasSubstr("E-PLAN-ARGUMENTS " + place));
  EXPECT_THAT(map([](PlanTensorMap &m) { m.argument = 9; }), HasSubstr("is no tensor map"));
  EXPECT_THAT(map([](PlanTensorMap &m) { m.element = "f64"; }), HasSubstr("E-PLAN-VALUE " + place));
  EXPECT_THAT(map([](PlanTensorMap &m) { m.extents.clear(); }), HasSubstr("1 to 5 dimensions"));
  EXPECT_THAT(map([](PlanTensorMap &m) { m.strides.push_back(16); }), HasSubstr("1 to 5 dimensions"));
  EXPECT_THAT(map([](PlanTensorMap &m) { m.extents[0].extent = 0; }), HasSubstr("an extent is neither"));
  EXPECT_THAT(map([](PlanTensorMap &m) { m.extents[1].argument = 2; }), HasSubstr("an extent is neither"));
  EXPECT_THAT(map([](PlanTensorMap &m) { m.strides[0] = 24; }), HasSubstr("multiple of 16"));
  EXPECT_THAT(map([](PlanTensorMap &m) { m.box[1] = 257; }), HasSubstr("from 1 to 256"));
  EXPECT_THAT(map([](PlanTensorMap &m) { m.swizzle = 16; }), HasSubstr("swizzle"));
  EXPECT_THAT(fault([](Plan &p) { p.kernels[0].maps.clear(); }), HasSubstr("takes 1 tensor maps, got 0"));
  EXPECT_THAT(fault([](Plan &p) { p.kernels[0].maps.push_back(p.kernels[0].maps[0]); }), HasSubstr("got 2"));
  EXPECT_THAT(fault([](Plan &p) { p.kernels[0].dynamicBytes = 70000; }), HasSubstr("more shared memory"));
  auto argument = [](LaunchArgument value) {
    return fault([&](Plan &p) { p.entries[0].steps[0].launch->arguments[1] = value; });
  };
  EXPECT_EQ(argument(pointer(LaunchArgument::Kind::Work, "x")), "accepted");
  EXPECT_THAT(argument(pointer(LaunchArgument::Kind::Null)),
              HasSubstr("of the kind tensor map, got pointer"));
  EXPECT_THAT(argument(scalar(ScalarKind::I32, "1")), HasSubstr("of the kind tensor map, got i32"));
}

TEST(PlanTest, HiddenRowsHaveAWidth) {
  auto hidden = [](Plan &p) { p.entries[0].steps[0].launch->arguments[0].name = "hidden"; };
  EXPECT_THAT(fault(hidden), HasSubstr("E-PLAN-VALUE plan: `entries[0].steps[0].launch.arguments[0]`"));
  EXPECT_EQ(fault([&](Plan &p) {
              hidden(p);
              p.hidden = 64;
            }),
            "accepted");
  Plan plan = samplePlan();
  plan.hidden = 64;
  EXPECT_EQ(readPlan(writePlan(plan))->hidden, 64);
}

TEST(PlanTest, ChecksLaunches) {
  using Arg = LaunchArgument::Kind;
  auto argument = [](size_t i, LaunchArgument value) {
    return fault([&](Plan &p) { innerLaunch(p).arguments[i] = value; });
  };
  std::string place = "`entries[0].steps[1].repeat.steps[0].launch";
  EXPECT_THAT(fault([](Plan &p) { innerLaunch(p).kernel = 2; }),
              HasSubstr("E-PLAN-REFERENCE plan: " + place + "`"));
  EXPECT_THAT(fault([](Plan &p) { innerLaunch(p).arguments.pop_back(); }),
              HasSubstr("`layer` takes 7 arguments, got 6"));
  EXPECT_THAT(argument(0, scalar(ScalarKind::I32, "1")),
              HasSubstr("E-PLAN-ARGUMENTS plan: " + place + ".arguments[0]`"));
  EXPECT_THAT(argument(5, scalar(ScalarKind::I32, "1")),
              HasSubstr("expected an argument of the kind i64, got i32"));
  EXPECT_THAT(argument(5, pointer(Arg::Null)), HasSubstr("got pointer"));
  EXPECT_THAT(argument(0, pointer(Arg::Work, "z")), HasSubstr("there is no work buffer `z`"));
  EXPECT_THAT(argument(0, pointer(Arg::Input, "z")), HasSubstr("there is no input `z`"));
  EXPECT_THAT(argument(0, pointer(Arg::Output, "z")), HasSubstr("there is no output `z`"));
  EXPECT_THAT(argument(0, pointer(Arg::Table, "z")), HasSubstr("there is no rotation table `z`"));
  EXPECT_THAT(argument(0, pointer(Arg::Tensor, "z")), HasSubstr("there is no prepared tensor `z`"));
  EXPECT_THAT(argument(0, pointer(Arg::Cache, "z")), HasSubstr("there is no part of the cache `z`"));
  EXPECT_THAT(argument(6, scalar(ScalarKind::F32, "", 1e300)), HasSubstr("not finite in f32"));
  EXPECT_THAT(fault([](Plan &p) { p.entries[0].steps[0].launch->arguments[3].size.constant = 1ll << 31; }),
              HasSubstr("32 bits"));
  EXPECT_THAT(fault([](Plan &p) { innerLaunch(p).origin = {-1}; }), testing::Not("accepted"));
}

TEST(PlanTest, ChecksLayers) {
  using Arg = LaunchArgument::Kind;
  auto argument = [](size_t i, LaunchArgument value) {
    return fault([&](Plan &p) { innerLaunch(p).arguments[i] = value; });
  };
  // The repeat runs layers 0 and 2; `kv` has 1, 2 and 3.
  EXPECT_EQ(argument(2, pointer(Arg::Tensor, "kv", {true, 1})), "accepted");
  EXPECT_THAT(argument(2, pointer(Arg::Tensor, "kv", {true, 0})), HasSubstr("layer 0 is not from 1 to 3"));
  EXPECT_THAT(argument(2, pointer(Arg::Tensor, "kv", {true, 2})), HasSubstr("layer 4 is not from 1 to 3"));
  EXPECT_THAT(argument(2, pointer(Arg::Tensor, "kv", {false, 4})), HasSubstr("layer 4 is not"));
  EXPECT_THAT(argument(2, pointer(Arg::Tensor, "embed", {true, 0})), HasSubstr("`embed` has no layers"));
  EXPECT_EQ(argument(3, pointer(Arg::Cache, "latent", {false, 3})), "accepted");
  EXPECT_THAT(argument(3, pointer(Arg::Cache, "latent", {false, 4})), HasSubstr("E-PLAN-LAYER"));
  EXPECT_THAT(fault([](Plan &p) { p.entries[0].steps[2].launch->arguments[2].layer = {true, 0}; }),
              HasSubstr("outside of a repeat"));
  EXPECT_THAT(fault([](Plan &p) { p.entries[0].steps[1].repeat->end = 0; }), HasSubstr("no range"));
  EXPECT_THAT(fault([](Plan &p) { p.entries[0].steps[1].repeat->stride = 0; }), HasSubstr("no range"));
  EXPECT_THAT(fault([](Plan &p) {
                PlanStep inner;
                inner.repeat = std::make_unique<Repeat>();
                inner.repeat->end = 1;
                p.entries[0].steps[1].repeat->steps.push_back(std::move(inner));
              }),
              HasSubstr("inside of a repeat"));
}

TEST(PlanTest, ChecksChoices) {
  auto choice = [](const std::function<void(Choice &)> &change) {
    return fault([&](Plan &p) { change(*p.entries[0].steps[1].repeat->steps[1].choice); });
  };
  std::string place = "plan: `entries[0].steps[1].repeat.steps[1].choice";
  // With fewer launches, buffers live shorter.
  auto emptied = [](bool all) {
    return fault([&](Plan &p) {
      PlanEntry &entry = p.entries[0];
      Choice &c = *entry.steps[1].repeat->steps[1].choice;
      entry.work[0].last = entry.work[1].last = 2;
      all ? c.alternatives.clear() : c.alternatives[1].launches.clear();
    });
  };
  EXPECT_THAT(emptied(true), HasSubstr("E-PLAN-CHOICE " + place + "`"));
  EXPECT_THAT(emptied(false), HasSubstr("has no launches"));
  EXPECT_THAT(choice([](Choice &c) { c.alternatives[0].from = 1; }),
              HasSubstr("E-PLAN-CHOICE " + place + ".alternatives[0]`: alternatives begin at 0 and ascend"));
  EXPECT_THAT(choice([](Choice &c) { c.alternatives[1].from = 0; }), HasSubstr(place + ".alternatives[1]`"));
  EXPECT_THAT(choice([](Choice &c) { c.alternatives[1].launches[1].kernel = 9; }),
              HasSubstr("E-PLAN-REFERENCE " + place + ".alternatives[1].launches[1]`"));
  EXPECT_THAT(choice([](Choice &c) { c.alternatives[1].launches[0].arguments[1].name = "few"; }),
              HasSubstr("launch 3 uses `few`, which lives from 2 to 2"));
  EXPECT_THAT(fault([](Plan &p) { p.entries[0].steps[1].repeat->steps[1].launch = innerLaunch(p); }),
              HasSubstr("a launch or a repeat or a choice"));
}

TEST(PlanTest, ChoicesCoverEveryValueOnce) {
  Choice choice;
  choice.by = Symbol::R;
  for (int64_t from : {0, 3, 64})
    choice.alternatives.push_back({from, {}});
  const std::pair<int64_t, size_t> want[] = {{0, 0}, {1, 0}, {2, 0}, {3, 1}, {63, 1}, {64, 2}, {1 << 20, 2}};
  for (auto [value, alternative] : want)
    EXPECT_EQ(choice.at(value), alternative) << value;
  EXPECT_EQ(choice.rangeText(0), "R < 3");
  EXPECT_EQ(choice.rangeText(1), "3 <= R < 64");
  EXPECT_EQ(choice.rangeText(2), "R >= 64");
}

TEST(PlanTest, LaunchesAreVisitedInTheOrderOfTheirNumbers) {
  Plan plan = samplePlan();
  std::vector<std::string> seen;
  forEachLaunch(plan.entries[0].steps, [&](const PlacedLaunch &placed) {
    seen.push_back(placed.launch.note + " " + std::to_string(placed.runs) +
                   (placed.choice ? " " + placed.choice->rangeText(placed.alternative) : ""));
  });
  // Layers 0 and 2 of four.
  EXPECT_EQ(seen, (std::vector<std::string>{"embed 1", "layer 2", "few 2 T < 17", "layer 2 T >= 17",
                                            "layer 2 T >= 17", " 1"}));
}

TEST(PlanTest, ChecksLifetimes) {
  EXPECT_THAT(
      fault([](Plan &p) { p.entries[0].work[0].last = 1; }),
      HasSubstr(
          "E-PLAN-LIFETIME plan: `entries[0].steps[1].repeat.steps[1].choice.alternatives[0].launches[0]"
          ".arguments[0]`: launch 2 uses `x`"));
  EXPECT_THAT(fault([](Plan &p) { p.entries[0].work[0].first = 1; }), HasSubstr("launch 0 uses `x`"));
  EXPECT_THAT(fault([](Plan &p) { p.entries[0].work[1].last = 6; }), HasSubstr("within the 6 launches"));
  EXPECT_THAT(fault([](Plan &p) { p.entries[0].work[1].first = 2; }), HasSubstr("E-PLAN-LIFETIME"));
  EXPECT_THAT(fault([](Plan &p) { p.entries[0].work[1].name = "x"; }), HasSubstr("E-PLAN-DUPLICATE"));
  EXPECT_THAT(fault([](Plan &p) { p.entries[0].work[1].bytes.constant = -1; }),
              HasSubstr("E-PLAN-EXPRESSION"));
}

/// The error of reading the sample's text with |from| replaced.
std::string readFault(std::string_view from, std::string_view to) {
  std::string text = writePlan(samplePlan());
  size_t place = text.find(from);
  EXPECT_NE(place, std::string::npos) << from;
  text.replace(place, from.size(), to);
  auto plan = readPlan(text);
  return plan.ok() ? "accepted" : plan.error().id() + " " + plan.error().sentence();
}

TEST(PlanTest, ReaderNamesThePath) {
  EXPECT_THAT(readFault("{", "["), HasSubstr("E-PLAN-SYNTAX"));
  EXPECT_THAT(readFault("quern.plan", "quern.plane"), HasSubstr("E-PLAN-SYNTAX"));
  EXPECT_THAT(readFault("\"0.1\"", "\"0.2\""), HasSubstr("E-PLAN-VERSION"));
  EXPECT_THAT(readFault("\"0.1\"", "\"0.2\""), HasSubstr("version 0.2, this program reads version 0.1"));
  EXPECT_THAT(readFault("\"vocabulary\": 512", "\"vocabulary\": -1"), HasSubstr("`vocabulary`"));
  EXPECT_THAT(readFault("\"vocabulary\": 512", "\"vocabulary\": \"512\""), HasSubstr("E-PLAN-SYNTAX"));
  EXPECT_THAT(readFault("\"op\": \"slice\"", "\"op\": \"cut\""), HasSubstr("E-PLAN-RECIPE"));
  EXPECT_THAT(readFault("\"op\": \"slice\"", "\"op\": \"cut\""), HasSubstr("recipe.of[1]"));
  EXPECT_THAT(readFault("\"128*T\"", "\"128*X\""), HasSubstr("E-PLAN-EXPRESSION"));
  EXPECT_THAT(readFault("\"128*T\"", "\"128*X\""), HasSubstr("work[0].bytes"));
  EXPECT_THAT(readFault("\"input\": \"tokens\"", "\"inputs\": \"tokens\""), HasSubstr("E-PLAN-ARGUMENTS"));
  EXPECT_THAT(readFault("\"input\": \"tokens\"", "\"scalar\": \"tokens\""), HasSubstr("E-PLAN-ARGUMENTS"));
  EXPECT_THAT(readFault("\"current+1\"", "\"current 1\""), HasSubstr("expected a layer"));
  EXPECT_THAT(readFault("\"current+1\"", "\"current+T\""), HasSubstr("expected a layer"));
  EXPECT_THAT(readFault("\"current+1\"", "\"next\""), HasSubstr("expected a layer"));
  EXPECT_THAT(readFault("\"launch\"", "\"lunch\""), HasSubstr("a launch or a repeat"));
  EXPECT_THAT(readFault("\"by\": \"T\"", "\"by\": \"N\""), HasSubstr("E-PLAN-CHOICE"));
  EXPECT_THAT(readFault("\"from\": 17", "\"from\": -17"), HasSubstr("alternatives[1]"));
}

} // namespace
