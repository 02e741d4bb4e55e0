//===- CorpusRunner.cpp - Runs a fuzz target over its corpus --------------===//
//
// The `main` of a fuzz target in builds without libFuzzer: each regular file of each folder (or file) named
// on the command line is one input. An empty corpus is a failure, so that a wrong path is noticed.
//
//===----------------------------------------------------------------------===//
#include "support/Files.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv) {
  std::vector<std::string> inputs;
  for (int i = 1; i < argc; ++i) {
    if (std::filesystem::is_directory(argv[i])) {
      for (const auto &entry : std::filesystem::recursive_directory_iterator(argv[i]))
        if (entry.is_regular_file())
          inputs.push_back(entry.path());
    } else {
      inputs.push_back(argv[i]);
    }
  }
  std::sort(inputs.begin(), inputs.end());
  for (const std::string &path : inputs) {
    auto contents = quern::readFile(path, uint64_t(1) << 30);
    if (!contents.ok()) {
      std::fprintf(stderr, "%s\n", contents.error().message().c_str());
      return 1;
    }
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t *>(contents->data()), contents->size());
  }
  std::printf("%zu inputs\n", inputs.size());
  return inputs.empty() ? 1 : 0;
}
