//===- RopeParametersTest.cpp - Rotation frequencies against known vectors ---===//
#include "lowering/import/RopeParameters.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace quern;
using namespace quern::import;

namespace {

void expectClose(float got, double wanted, const char *what, size_t i) {
  // The vectors are printed with eight digits.
  EXPECT_NEAR(got / wanted, 1.0, 6e-8) << what << " " << i;
}

RopeScaling yarn(double factor, double mscale, double betaFast = 32, double betaSlow = 1) {
  RopeScaling scaling;
  scaling.kind = RopeKind::Yarn;
  scaling.factor = factor;
  scaling.originalContext = 4096;
  scaling.mscale = scaling.mscaleAllDim = mscale;
  scaling.betaFast = betaFast;
  scaling.betaSlow = betaSlow;
  return scaling;
}

TEST(Rotation, YarnBlendsBetweenTheTwoBounds) {
  // d = 64, theta = 10000, factor 40, original context 4096, betas 32 and 1: low 10, high 23.
  constexpr double wanted[] = {1,
                               .74989421,
                               .56234133,
                               .4216965,
                               .31622777,
                               .23713737,
                               .17782794,
                               .13335214,
                               .1,
                               .074989421,
                               .056234133,
                               .039006927,
                               .02687936,
                               .018378146,
                               .012447956,
                               .008334509,
                               .0055,
                               .0035619975,
                               .0022493653,
                               .0013705136,
                               .00079056942,
                               .0004149904,
                               .00017782794,
                               3.3338036e-5,
                               2.5e-5,
                               1.8747355e-5,
                               1.4058533e-5,
                               1.0542413e-5,
                               7.9056942e-6,
                               5.9284343e-6,
                               4.4456985e-6,
                               3.3338036e-6};
  Rotation rotation = computeRotation(64, 10000, yarn(40, 1.0), true);
  ASSERT_EQ(rotation.frequencies.size(), 32u);
  for (size_t i = 0; i < 32; ++i)
    expectClose(rotation.frequencies[i], wanted[i], "frequency", i);
  EXPECT_EQ(rotation.magnitude, 1);
}

TEST(Rotation, YarnSoftmaxFactors) {
  struct Case {
    double factor, mscale, m, m2, scale;
  };
  // The last column is the one before it over sqrt(192), computed from the definitions with 50 digits.
  for (const Case &c : {Case{40, 1.0, 1.3688879454, 1.8738542071, 0.1352337789},
                        Case{40, 0.707, 1.2608037774, 1.5896261651, 0.1147213868},
                        Case{32, 1.0, 1.3465735903, 1.8132604340, 0.1308608000},
                        Case{64, 1.0, 1.4158883083, 2.0047397017, 0.1446796258}}) {
    Rotation rotation = computeRotation(64, 10000, yarn(c.factor, c.mscale), true);
    EXPECT_NEAR(std::sqrt(rotation.softmaxFactor), c.m, 5e-11);
    EXPECT_NEAR(rotation.softmaxFactor, c.m2, 1e-10);
    EXPECT_NEAR(rotation.softmaxFactor / std::sqrt(192.0), c.scale, 5e-11);
  }
}

TEST(Rotation, YarnWithEqualBetasIsAStep) {
  // theta = 50000: both bounds are 19.1646, so low 19 and high 20.
  Rotation rotation = computeRotation(64, 50000, yarn(32, 1.0, 1, 1), true);
  for (size_t i = 0; i < 32; ++i) {
    double base = std::pow(50000.0, -2.0 * static_cast<double>(i) / 64);
    expectClose(rotation.frequencies[i], i <= 19 ? base : base / 32, "frequency", i);
  }
}

TEST(Rotation, YarnMagnitudeFollowsItsPrecedence) {
  RopeScaling generic = yarn(4, 0);
  EXPECT_DOUBLE_EQ(computeRotation(64, 10000, generic, false).magnitude, 0.1 * std::log(4.0) + 1);
  EXPECT_EQ(computeRotation(64, 10000, generic, false).softmaxFactor, 1);
  generic.mscale = 0.5;
  generic.mscaleAllDim = 2;
  EXPECT_DOUBLE_EQ(computeRotation(64, 10000, generic, false).magnitude,
                   (0.05 * std::log(4.0) + 1) / (0.2 * std::log(4.0) + 1));
  generic.attentionFactor = 1.25;
  EXPECT_EQ(computeRotation(64, 10000, generic, false).magnitude, 1.25);
}

TEST(Rotation, WavelengthKindBlendsBetweenItsBounds) {
  RopeScaling scaling;
  scaling.kind = RopeKind::Wavelength;
  scaling.factor = 8;
  scaling.originalContext = 8192;
  scaling.lowFrequency = 1;
  scaling.highFrequency = 4;
  Rotation rotation = computeRotation(128, 500000, scaling, false);
  ASSERT_EQ(rotation.frequencies.size(), 64u);
  constexpr double blended[] = {.0021665708,  .0013718936,  .00085675141,
                                .00052484616, .00031269375, .00017850781};
  for (size_t i = 0; i < 64; ++i) {
    double base = std::pow(500000.0, -2.0 * static_cast<double>(i) / 128);
    double wanted = i <= 28 ? base : i >= 35 ? base / 8 : blended[i - 29];
    expectClose(rotation.frequencies[i], wanted, "frequency", i);
  }
  expectClose(rotation.frequencies[63], 3.068926e-7, "frequency", 63);
}

TEST(Rotation, DefaultAndLinear) {
  Rotation plain = computeRotation(4, 10000, {}, false);
  EXPECT_EQ(plain.frequencies, (std::vector<float>{1.0f, 0.01f}));
  RopeScaling linear;
  linear.kind = RopeKind::Linear;
  linear.factor = 4;
  EXPECT_EQ(computeRotation(4, 10000, linear, false).frequencies, (std::vector<float>{0.25f, 0.0025f}));
}

std::string readError(const std::string &text, std::vector<std::string> understood = {}) {
  Expected<JsonDocument> document = parseJson(text, {.name = "config.json"});
  EXPECT_TRUE(document.ok());
  const std::map<std::string, RopeKind, std::less<>> words = {{"default", RopeKind::Default},
                                                              {"linear", RopeKind::Linear},
                                                              {"yarn", RopeKind::Yarn},
                                                              {"waves", RopeKind::Wavelength}};
  Expected<RopeScaling> scaling = readRopeScaling(document->root(), understood, words);
  return scaling.ok() ? std::string(ropeKindName(scaling->kind)) : scaling.error().id();
}

TEST(ReadRopeScaling, KindsAndTheirKeys) {
  EXPECT_EQ(readError(R"({"rope_type": "default"})"), "default");
  EXPECT_EQ(readError(R"({"rope_theta": 5e5})", {"rope_theta"}), "default");
  EXPECT_EQ(readError(R"({"type": "linear", "factor": 2})"), "linear");
  EXPECT_EQ(readError(R"({"type": "yarn", "rope_type": "yarn", "factor": 40, "beta_fast": 32,
                          "original_max_position_embeddings": 4096})"),
            "yarn");
  EXPECT_EQ(readError(R"({"rope_type": "waves", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4,
                          "original_max_position_embeddings": 8192})"),
            "wavelength");
}

TEST(ReadRopeScaling, WhatWouldChangeTheMathematicsIsRefused) {
  EXPECT_EQ(readError(R"({"rope_type": "dynamic", "factor": 2})"), "E-CONFIG-ROPE-KIND");
  EXPECT_EQ(readError(R"({"rope_type": "linear", "factor": 2, "surprise": 1})"), "E-CONFIG-ROPE-KEY");
  EXPECT_EQ(readError(R"({"rope_type": "default", "partial_rotary_factor": 0.5})"), "E-CONFIG-ROPE-KEY");
  EXPECT_EQ(readError(R"({"rope_type": "linear", "type": "yarn", "factor": 2})"), "E-CONFIG-ROPE-KEY");
  EXPECT_EQ(readError(R"({"rope_type": "linear"})"), "E-JSON-MISSING");
  EXPECT_EQ(readError(R"({"rope_type": "linear", "factor": 0.5})"), "E-CONFIG-RANGE");
  EXPECT_EQ(readError(R"({"rope_type": "yarn", "factor": 4})"), "E-JSON-MISSING");
  EXPECT_EQ(
      readError(
          R"({"rope_type": "yarn", "factor": 4, "original_max_position_embeddings": 4096, "beta_fast": 1,
                          "beta_slow": 2})"),
      "E-CONFIG-RANGE");
  EXPECT_EQ(readError(R"({"rope_type": "waves", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 4,
                          "original_max_position_embeddings": 8192})"),
            "E-CONFIG-RANGE");
  EXPECT_EQ(readError(R"({"rope_type": 3})"), "E-JSON-TYPE");
}

} // namespace
