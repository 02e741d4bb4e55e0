//===- SanitizerTest.cpp - The kernels of models under all checks -----------===//
//
// Compiles models and runs a prompt and a step of one token on the emulated devices with everything looked
// for
// (`--sanitize all`) under several seeds: nothing may be found, and the logits must not depend on the seed.
//
//   QUERN_SANITIZER=full emulated_sanitizer_test               all targets, all checkpoints, more seeds
//   QUERN_SANITIZER_RECORD=FILE                                appends one row for each target
//
// Kernels that no plan launches yet are checked by kernels_test, which runs with the same checks.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/EmulatedDevice.h"
#include "support/target/KnownTargets.h"
#include "tests/runtime/CompiledModel.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <set>

using namespace quern;
using namespace quern::runtime;

namespace {

bool isFull() {
  const char *mode = std::getenv("QUERN_SANITIZER");
  return mode && std::string(mode) == "full";
}

std::vector<std::string> models() {
  return isFull() ? quern::testing::goldenModels() : std::vector<std::string>{"demo", "gemma2"};
}

std::vector<std::string> targets() {
  std::vector<std::string> names;
  for (const TargetInfo &known : knownTargets()) {
    std::string name = std::string(known.vendor) + ":" + std::string(known.architecture);
    if (!known.isCpu() &&
        (isFull() || name == "nvidia:sm_90a" || name == "amd:gfx942" || name == "amd:gfx1201"))
      names.push_back(name);
  }
  return names;
}

class SanitizerTest : public ::testing::TestWithParam<std::string> {};

TEST_P(SanitizerTest, NothingIsFound) {
  const std::string target = GetParam();
  const uint64_t seeds = isFull() ? 5 : 3;
  std::map<std::string, std::set<std::string>> kernels; // by the name of the text
  uint64_t launches = 0, instructions = 0, findings = 0;
  for (const std::string &model : models()) {
    std::vector<float> first;
    for (uint64_t seed = 0; seed < seeds; ++seed) {
      SessionOptions options{.context = 64};
      options.device = "emulated:" + target;
      options.deviceOptions.emulated = &emulated::openEmulatedDevice;
      options.deviceOptions.sanitize = SanitizeSet::all();
      options.deviceOptions.seed = seed;
      std::unique_ptr<Session> session = quern::testing::openModel(model, std::move(options), target);
      ASSERT_TRUE(session);
      Expected<int32_t> sequence = session->begin();
      ASSERT_TRUE(sequence.ok());
      std::vector<uint32_t> tokens = {5, 9, 100, 17, 33, 4, 101};
      std::vector<float> logits;
      for (std::span<const uint32_t> piece : {std::span(tokens).first(6), std::span(tokens).last(1)}) {
        Expected<LogitsRows> rows = session->run({{*sequence, piece}});
        ASSERT_TRUE(rows.ok()) << target << ", " << model << ", seed " << seed << ": "
                               << rows.error().message();
        logits.insert(logits.end(), rows->values.begin(), rows->values.end());
      }
      if (seed == 0)
        first = logits;
      EXPECT_EQ(logits, first) << target << ", " << model << ": seed " << seed << " changes the logits";
      auto &device = static_cast<emulated::EmulatedDevice &>(session->launchDevice());
      findings += device.findings().size();
      launches += device.counters().launches;
      instructions += device.runCounters().threadInstructions;
      for (const auto &[symbol, counts] : device.kernelCounters())
        kernels[symbol.substr(0, symbol.rfind('_'))].insert(symbol);
    }
  }
  EXPECT_EQ(findings, 0u);
  size_t distinct = 0;
  std::string names;
  for (const auto &[name, symbols] : kernels) {
    distinct += symbols.size();
    names += (names.empty() ? "" : ", ") + name + " " + std::to_string(symbols.size());
  }
  EXPECT_GE(kernels.size(), 10u);
  std::string row = "| " + target + " | " + std::to_string(models().size()) + " | " + std::to_string(seeds) +
                    " | " + std::to_string(distinct) + " (" + names + ") | " + std::to_string(launches) +
                    " | " + std::to_string(instructions / 1000000) + " | " + std::to_string(findings) +
                    " |\n";
  std::cout << "| target | models | seeds | kernels | launches | 10^6 thread instructions | findings |\n"
            << row;
  if (const char *path = std::getenv("QUERN_SANITIZER_RECORD"))
    std::ofstream(path, std::ios::app) << row;
}

INSTANTIATE_TEST_SUITE_P(Targets, SanitizerTest, ::testing::ValuesIn(targets()), [](const auto &info) {
  std::string name = info.param;
  for (char &c : name)
    c = isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
});

} // namespace
