//===- Models.cpp ---------------------------------------------------------===//
#include "bench/Models.h"

#include "lowering/Compile.h"

#include <chrono>
#include <cstdio>
#include <fstream>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace quern::bench {

std::string modelPath(const std::string &name) {
  const std::string models = QUERN_SOURCE_DIR "/tests/models/";
  return name == "demo" ? models + name : models + "configs/" + name;
}

Expected<std::string> makeArtifact(const std::string &name, const std::vector<std::string> &targets,
                                   const ScratchDirectory &scratch) {
  lowering::CompileOptions options;
  options.directory = modelPath(name);
  options.targets = targets;
  options.output = scratch / (name + ".quern");
  options.weights = name == "demo" ? lowering::WeightsMode::Embed : lowering::WeightsMode::Random;
  Expected<lowering::CompileReport> report = lowering::compileModel(options);
  if (!report.ok())
    return report.takeError();
  return options.output;
}

std::optional<ChildCost> runInChild(const std::function<Expected<std::vector<double>>()> &body) {
  int ends[2];
  if (pipe(ends) != 0)
    return std::nullopt;
  auto start = std::chrono::steady_clock::now();
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    Expected<std::vector<double>> results = body();
    if (!results.ok()) {
      std::fprintf(stderr, "%s\n", results.error().message().c_str());
      _exit(1);
    }
    const size_t bytes = results->size() * sizeof(double);
    _exit(write(ends[1], results->data(), bytes) == ssize_t(bytes) ? 0 : 1);
  }
  close(ends[1]);
  ChildCost cost;
  double value = 0;
  while (read(ends[0], &value, sizeof value) == sizeof value)
    cost.results.push_back(value);
  close(ends[0]);
  int status = 1;
  rusage usage{};
  if (child < 0 || wait4(child, &status, 0, &usage) < 0 || status != 0)
    return std::nullopt;
  cost.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  cost.peakBytes = uint64_t(usage.ru_maxrss) * 1024;
  return cost;
}

std::string machineText() {
  std::ifstream file("/proc/cpuinfo");
  std::string name = "unknown processor";
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name")) {
      name = line.substr(line.find(':') + 2);
      break;
    }
  return name + ", " + std::to_string(std::thread::hardware_concurrency()) + " threads";
}

} // namespace quern::bench
