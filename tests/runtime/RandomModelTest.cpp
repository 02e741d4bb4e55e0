//===- RandomModelTest.cpp - A model of config.json alone -------------------===//
#include "lowering/Compile.h"
#include "runtime/Runtime.h"
#include "support/ScratchDirectory.h"
#include "tests/golden/Golden.h"

#include <cmath>
#include <filesystem>
#include <gtest/gtest.h>

using namespace quern;
using namespace quern::runtime;

namespace {

class RandomModelTest : public ::testing::TestWithParam<std::string> {
protected:
  /// Logits of three tokens from weights of |seed|; the directory holds nothing but config.json.
  std::vector<float> logits(uint64_t seed, uint32_t threads) {
    std::filesystem::copy_file(quern::testing::modelDirectory(GetParam()) + "/config.json",
                               scratch / "config.json", std::filesystem::copy_options::overwrite_existing);
    lowering::CompileOptions options;
    options.directory = scratch.path();
    options.targets = {"cpu"};
    options.output = scratch / "m.quern";
    options.weights = lowering::WeightsMode::Random;
    options.seed = seed;
    Expected<lowering::CompileReport> report = lowering::compileModel(options);
    EXPECT_TRUE(report.ok()) << report.error().message();
    Expected<std::unique_ptr<Session>> session = Session::open(
        scratch / "m.quern", {.device = "cpu", .deviceOptions = {.threads = threads}, .context = 64});
    EXPECT_TRUE(session.ok()) << session.error().message();
    if (!session.ok())
      return {};
    std::vector<uint32_t> ids = {5, 9, 200};
    Expected<LogitsRows> rows = (*session)->run({{*(*session)->begin(), ids, RowChoice::All}});
    EXPECT_TRUE(rows.ok()) << rows.error().message();
    return rows.ok() ? rows->values : std::vector<float>();
  }
  ScratchDirectory scratch;
};

TEST_P(RandomModelTest, FollowsItsSeed) {
  std::vector<float> one = logits(1, 1), again = logits(1, 3), other = logits(2, 1);
  ASSERT_FALSE(one.empty());
  EXPECT_EQ(one, again);
  EXPECT_NE(one, other);
  double sum = 0, squares = 0;
  for (float value : one) {
    ASSERT_TRUE(std::isfinite(value));
    sum += value;
    squares += double(value) * value;
  }
  double mean = sum / double(one.size()), deviation = std::sqrt(squares / double(one.size()) - mean * mean);
  EXPECT_GT(deviation, 0.05) << "activations must neither vanish";
  EXPECT_LT(deviation, 50) << "nor explode";
}

INSTANTIATE_TEST_SUITE_P(Models, RandomModelTest, ::testing::Values("deepseek_v3_fp8", "mixtral", "gemma2"),
                         [](const auto &info) { return info.param; });

} // namespace
