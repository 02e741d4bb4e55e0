//===- AsyncTest.h - What tests of asynchronous instructions share --------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_ASYNCTEST_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_ASYNCTEST_H

#include "runtime/emulated/nvidia/PtxTest.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace quern::runtime::emulated {

/// The vendor's assembler takes |text|, where it is installed: a check of what the tests write by hand.
inline void expectAssembles(const std::string &text, const std::string &target) {
  const char *assembler = "/usr/local/cuda/bin/ptxas";
  if (!std::filesystem::exists(assembler))
    return;
  std::string name = testing::TempDir() + "quern-" + std::to_string(getpid()) + ".ptx";
  std::ofstream(name) << text;
  std::string command = std::string(assembler) + " -arch=" + target + " " + name + " -o /dev/null 2>&1", said;
  FILE *pipe = popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  char buffer[512];
  while (fgets(buffer, sizeof buffer, pipe))
    said += buffer;
  EXPECT_EQ(pclose(pipe), 0) << said << text;
  std::filesystem::remove(name);
}

} // namespace quern::runtime::emulated

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_ASYNCTEST_H
