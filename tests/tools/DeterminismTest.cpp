//===- DeterminismTest.cpp - The same model gives the same bytes ----------===//
//
// Built twice, in another directory, time zone and language, with one and two kernels at a time, with and
// without other programs in the search path, and never from the cache.
//
//===----------------------------------------------------------------------===//
#include "support/Files.h"
#include "support/Hash.h"
#include "support/ScratchDirectory.h"
#include "tests/tools/RunProgram.h"

#include <gtest/gtest.h>

#include <filesystem>

using namespace quern;
using namespace quern::tests;

namespace {

const std::string model = QUERN_SOURCE_DIR "/tests/models/llama";

std::string digestOf(const std::string &path) {
  Expected<MappedFile> file = MappedFile::open(path);
  EXPECT_TRUE(file.ok()) << (file.ok() ? "" : file.error().message());
  return file.ok() ? sha256(file->bytes()).hex() : "";
}

TEST(Determinism, artifactsAreEqualByteForByte) {
  ScratchDirectory scratch;
  const std::string first = scratch.path() + "/a", second = scratch.path() + "/other place";
  std::filesystem::create_directories(first);
  std::filesystem::create_directories(second + "/copied");
  std::filesystem::copy(model, second + "/copied/llama");
  auto compile = [&](const std::string &directory, const std::string &source, const std::string &jobs,
                     std::map<std::string, std::string> environment) {
    environment["QUERN_CACHE_DIR"] = directory + "/cache";
    RunResult run = runProgram(QUERN_PROGRAM,
                               {"compile", source, "-o", "m.quern", "--target", "cpu", "--target",
                                "nvidia:sm_90a", "--target", "amd:gfx942", "-j", jobs, "--no-cache", "-q"},
                               {.directory = directory, .environment = environment});
    EXPECT_EQ(run.exit, 0) << run.err;
    EXPECT_EQ(run.out, "");
    return digestOf(directory + "/m.quern");
  };
  const std::string one = compile(first, model, "1", {{"TZ", "UTC"}, {"LANG", "C"}, {"LC_ALL", "C"}});
  const std::string two = compile(second, "copied/llama", "2",
                                  {{"TZ", "Asia/Kathmandu"},
                                   {"LANG", "de_DE.UTF-8"},
                                   {"LC_ALL", "C.UTF-8"},
                                   {"PATH", "/usr/bin:/bin"},
                                   {"SOURCE_DATE_EPOCH", "1"}});
  EXPECT_EQ(one, two);
  EXPECT_EQ(one.size(), 64u);
}

TEST(Determinism, cacheChangesNothing) {
  ScratchDirectory scratch;
  auto compile = [&](const std::string &name) {
    RunResult run = runProgram(
        QUERN_PROGRAM, {"compile", model, "-o", scratch.path() + "/" + name, "--target", "cpu:x86-64-v3"},
        {.environment = {{"QUERN_CACHE_DIR", scratch.path() + "/cache"}}});
    EXPECT_EQ(run.exit, 0) << run.err;
    return std::pair(digestOf(scratch.path() + "/" + name), run.err);
  };
  auto [first, firstText] = compile("first.quern");
  auto [second, secondText] = compile("second.quern");
  EXPECT_EQ(first, second);
  EXPECT_NE(firstText.find(" 0 from the cache"), std::string::npos) << firstText;
  EXPECT_NE(secondText.find("(0 kernels, "), std::string::npos) << secondText;
}

} // namespace
