//===- CodeTest.cpp - Code of every target: does the assembler take it? ---===//
//
// Where ptxas is on the machine, the PTX of each NVIDIA target must assemble without a spill. AMD code was linked
// without an undefined symbol when it was made; its notes are read by CodeObjectTest.
//
//===----------------------------------------------------------------------===//
#include "lowering/KernelCompiler.h"
#include "support/target/KnownTargets.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <fstream>

using namespace quern;

namespace {

std::string run(const std::string &command, int &code) {
  std::string text;
  FILE *pipe = popen((command + " 2>&1").c_str(), "r");
  std::array<char, 4096> buffer;
  while (size_t n = fread(buffer.data(), 1, buffer.size(), pipe))
    text.append(buffer.data(), n);
  code = pclose(pipe);
  return text;
}

lowering::KernelRequest linearRequest(const lowering::CodeTarget &target) {
  lowering::KernelRequest request;
  request.kernel = "linear";
  request.parameters = {{"N", int64_t(256)},          {"K", int64_t(512)},          {"XS", int64_t(512)},
                        {"YS", int64_t(256)},         {"X", std::string("bf16")},   {"W", std::string("f8E4M3FN")},
                        {"B", std::string("bf16")},   {"Y", std::string("bf16")},   {"BIAS", int64_t(1)},
                        {"SCALES", int64_t(1)},       {"QUANTIZED", int64_t(0)}, {"E", int64_t(1)}, {"SHARE", int64_t(1)}, {"EXPERTS", int64_t(0)}};
  request.schedule = {"linear", {4, 8, 128}, target.warps};
  return request;
}

TEST(CodeTest, EveryTargetGetsCode) {
  int ignored;
  bool havePtxas = run("ptxas --version", ignored).find("release") != std::string::npos;
  std::string ptxas = "ptxas";
  if (!havePtxas && std::ifstream("/usr/local/cuda/bin/ptxas")) {
    ptxas = "/usr/local/cuda/bin/ptxas";
    havePtxas = true;
  }
  for (const TargetInfo &info : knownTargets()) {
    auto targets = lowering::codeTargets(std::string(info.vendor) + ":" + std::string(info.architecture));
    ASSERT_TRUE(targets.ok());
    auto compiled = lowering::compileKernel(linearRequest(targets->front()), targets->front());
    ASSERT_TRUE(compiled.ok()) << compiled.error().message();
    EXPECT_FALSE(compiled->code.empty());
    if (info.form != CodeForm::Ptx || !havePtxas)
      continue;
    std::string path = testing::TempDir() + "/" + compiled->symbol + ".ptx";
    std::ofstream(path) << compiled->code;
    int code;
    std::string report =
        run(ptxas + " -v --warn-on-spills -arch=" + std::string(info.architecture) + " -o /dev/null " + path, code);
    EXPECT_EQ(code, 0) << report;
    EXPECT_NE(report.find("0 bytes spill stores"), std::string::npos) << report;
  }
}

} // namespace
