//===- ForeignReadersTest.cpp - What other programs make of our zip -------===//
//
// `unzip` and Python's zipfile must accept an artifact, its large form included. A program that is not
// installed is skipped.
//
//===----------------------------------------------------------------------===//
#include "runtime/artifact/TinyArtifact.h"

#include "support/ScratchDirectory.h"

#include <cstdio>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace quern;
using namespace quern::runtime;
using testing::HasSubstr;

namespace {

struct Outcome {
  int code;
  std::string output;
};

Outcome run(const std::string &command) {
  Outcome outcome{-1, {}};
  FILE *pipe = popen((command + " 2>&1").c_str(), "r");
  if (!pipe)
    return outcome;
  char buffer[4096];
  for (size_t count; (count = fread(buffer, 1, sizeof buffer, pipe)) != 0;)
    outcome.output.append(buffer, count);
  outcome.code = pclose(pipe);
  return outcome;
}

bool isInstalled(const std::string &program) { return run("command -v " + program).code == 0; }

Outcome python(const ScratchDirectory &scratch, const std::string &script) {
  EXPECT_TRUE(writeFile(scratch / "script.py", script).ok());
  return run("python3 -I '" + scratch / "script.py" + "'");
}

/// A hole of 4 GiB in front, more members than 16 bits count behind it.
void writeLarge(const std::string &path) {
  auto zip = ZipWriter::create(path);
  ASSERT_TRUE(zip.ok());
  ASSERT_TRUE(zip->begin("weights/data-00000").ok());
  ASSERT_TRUE(zip->append(asBytes("begin")).ok());
  ASSERT_TRUE(zip->appendZeros((uint64_t(4) << 30) + 7).ok());
  ASSERT_TRUE(zip->end().ok());
  for (int i = 0; i != 66000; ++i)
    ASSERT_TRUE(zip->add("m/" + std::to_string(i), asBytes(std::to_string(i))).ok());
  ASSERT_TRUE(zip->finish("a comment").ok());
}

TEST(ForeignReadersTest, UnzipTestsATinyArtifact) {
  if (!isInstalled("unzip"))
    GTEST_SKIP() << "unzip is not installed";
  ScratchDirectory scratch;
  ASSERT_TRUE(writeTinyArtifact(scratch / "x.quern", {.dataMemberBytes = 256}).ok());
  Outcome tested = run("unzip -tq '" + scratch / "x.quern" + "'");
  EXPECT_EQ(tested.code, 0) << tested.output;
  EXPECT_THAT(tested.output, HasSubstr("No errors detected"));
  EXPECT_THAT(tested.output, testing::Not(HasSubstr("warning")));
  Outcome extracted = run("unzip -p '" + scratch / "x.quern" + "' kernels/nvidia-sm_90a/norm.ptx");
  EXPECT_EQ(extracted.output, patternBytes(300, 3));
}

TEST(ForeignReadersTest, PythonTestsATinyArtifact) {
  if (!isInstalled("python3"))
    GTEST_SKIP() << "python3 is not installed";
  ScratchDirectory scratch;
  ASSERT_TRUE(writeTinyArtifact(scratch / "x.quern", {.dataMemberBytes = 256}).ok());
  Outcome outcome = python(scratch, "import zipfile\n"
                                    "z = zipfile.ZipFile('" +
                                        scratch / "x.quern" +
                                        "')\n"
                                        "assert z.testzip() is None\n"
                                        "assert z.namelist() == sorted(z.namelist())\n"
                                        "for i in z.infolist():\n"
                                        "    assert i.date_time == (1980, 1, 1, 0, 0, 0), i\n"
                                        "    assert i.compress_type == zipfile.ZIP_STORED, i\n"
                                        "print(z.read('config.json'), z.comment[:15])\n");
  EXPECT_EQ(outcome.output, "b'{\"a\":1}' b'quern-artifact '\n");
}

TEST(ForeignReadersTest, UnzipReadsTheLargeForm) {
  if (!isInstalled("unzip"))
    GTEST_SKIP() << "unzip is not installed";
  ScratchDirectory scratch;
  writeLarge(scratch / "x");
  Outcome outcome = run("unzip -p '" + scratch / "x" + "' m/65999");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.output, "65999");
}

TEST(ForeignReadersTest, PythonReadsTheLargeForm) {
  if (!isInstalled("python3"))
    GTEST_SKIP() << "python3 is not installed";
  ScratchDirectory scratch;
  writeLarge(scratch / "x");
  Outcome outcome =
      python(scratch, "import zipfile\n"
                      "z = zipfile.ZipFile('" +
                          scratch / "x" +
                          "')\n"
                          "print(len(z.namelist()), z.getinfo('weights/data-00000').file_size,\n"
                          "      z.read('m/65999'), z.open('weights/data-00000').read(6))\n");
  EXPECT_EQ(outcome.output, "66001 4294967308 b'65999' b'begin\\x00'\n");
}

} // namespace
