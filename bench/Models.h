//===- Models.h - What the benchmarks of whole models run on --------------===//
#ifndef QUERN_BENCH_MODELS_H
#define QUERN_BENCH_MODELS_H

#include "support/ScratchDirectory.h"
#include "support/Status.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace quern::bench {

/// "demo", or a folder of tests/models/configs.
std::string modelPath(const std::string &name);

/// The artifact of |name| for |targets| in |scratch|; weights of configurations are random.
Expected<std::string> makeArtifact(const std::string &name, const std::vector<std::string> &targets,
                                   const ScratchDirectory &scratch);

/// What a process of its own took: clean caches of allocators, its own peak memory.
struct ChildCost {
  double seconds = 0;
  uint64_t peakBytes = 0;      ///< of the largest of the process and its children
  std::vector<double> results; ///< what |body| returned
};

/// Runs |body| in a child process. An error of it goes to stderr, and nothing is returned.
std::optional<ChildCost> runInChild(const std::function<Expected<std::vector<double>>()> &body);

/// "Intel(R) ... , 2 threads": what stands at the head of results.
std::string machineText();

} // namespace quern::bench

#endif // QUERN_BENCH_MODELS_H
