//===- AssemblerTest.h - The vendor's assembler, for tests --------------------===//
//
// PTX written by hand in tests must be PTX: where ptxas is on the machine, it assembles the same text that
// the emulator runs.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_ASSEMBLERTEST_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_ASSEMBLERTEST_H

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include <unistd.h>

namespace quern::runtime::emulated::test {

/// Output of a shell command; |code| takes its exit status.
inline std::string shell(const std::string &command, int &code) {
  std::string text;
  FILE *pipe = popen((command + " 2>&1").c_str(), "r");
  if (!pipe) {
    code = -1;
    return text;
  }
  char buffer[4096];
  while (size_t count = std::fread(buffer, 1, sizeof buffer, pipe))
    text.append(buffer, count);
  code = pclose(pipe);
  return text;
}

/// Path of a program of the vendor's toolkit; empty where there is none.
inline std::string toolkitProgram(const std::string &name) {
  for (const std::string &path : {name, "/usr/local/cuda/bin/" + name}) {
    int code = 0;
    if (shell(path + " --version", code).find("release") != std::string::npos)
      return path;
  }
  return {};
}

/// Expects that ptxas takes |ptx|; says nothing where there is no ptxas.
inline void expectAssembles(const std::string &ptx, const std::string &target) {
  static const std::string ptxas = toolkitProgram("ptxas");
  if (ptxas.empty())
    return;
  std::string path = testing::TempDir() + "/quern-" + std::to_string(getpid()) + ".ptx";
  std::ofstream(path) << ptx;
  int code = 0;
  std::string report = shell(ptxas + " -arch=" + target + " -o /dev/null " + path, code);
  std::remove(path.c_str());
  EXPECT_EQ(code, 0) << report << ptx;
}

} // namespace quern::runtime::emulated::test

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_ASSEMBLERTEST_H
