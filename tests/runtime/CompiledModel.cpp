//===- CompiledModel.cpp --------------------------------------------------===//
#include "tests/runtime/CompiledModel.h"

#include "lowering/Compile.h"
#include "support/ScratchDirectory.h"

#include <gtest/gtest.h>
#include <map>

using namespace quern;
using namespace quern::runtime;

Expected<std::string> quern::testing::artifactOf(const std::string &name, const std::string &target) {
  static ScratchDirectory directory;
  static std::map<std::string, std::string> made;
  std::string &path = made[name + " " + target];
  if (!path.empty())
    return path;
  lowering::CompileOptions options;
  options.directory = modelDirectory(name);
  options.targets = {target};
  options.output = directory.path() + "/" + name + "-" + std::to_string(made.size()) + ".quern";
  options.weights = lowering::WeightsMode::Link;
  Expected<lowering::CompileReport> report = lowering::compileModel(options);
  if (!report.ok())
    return report.takeError();
  return path = options.output;
}

std::unique_ptr<Session> quern::testing::openModel(const std::string &name, SessionOptions options,
                                                   const std::string &target) {
  Expected<std::string> artifact = artifactOf(name, target);
  if (!artifact.ok()) {
    ADD_FAILURE() << artifact.error().message();
    return nullptr;
  }
  options.weightsDirectory = modelDirectory(name);
  if (options.device.empty())
    options.device = "cpu";
  Expected<std::unique_ptr<Session>> session = Session::open(*artifact, options);
  EXPECT_TRUE(session.ok()) << session.error().message();
  return session.ok() ? *std::move(session) : nullptr;
}

std::vector<uint32_t> quern::testing::idsOf(std::span<const int32_t> tokens) {
  return std::vector<uint32_t>(tokens.begin(), tokens.end());
}

quern::testing::Logits quern::testing::logitsOf(Session &session, std::span<const int32_t> tokens,
                                                size_t piece) {
  std::vector<uint32_t> ids = idsOf(tokens);
  quern::testing::Logits logits;
  Expected<int32_t> sequence = session.begin();
  EXPECT_TRUE(sequence.ok()) << sequence.error().message();
  if (!sequence.ok())
    return logits;
  for (size_t at = 0; at < ids.size();) {
    size_t count = piece ? std::min(piece, ids.size() - at) : ids.size();
    Expected<LogitsRows> rows = session.run({{*sequence, std::span(ids).subspan(at, count), RowChoice::All}});
    EXPECT_TRUE(rows.ok()) << rows.error().message();
    if (!rows.ok())
      break;
    logits.rows += int64_t(rows->rows());
    logits.columns = rows->columns;
    logits.values.insert(logits.values.end(), rows->values.begin(), rows->values.end());
    at += count;
  }
  EXPECT_TRUE(session.end(*sequence).ok());
  return logits;
}
