//===- Golden.h - Goldens of the test checkpoints, and how logits are compared ---===//
//
// tests/models/README.md describes the files. The comparison is that of whole models: the log-probability of
// the reference's first choice, the first choice itself where the reference is sure of it, and the first
// five.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TESTS_GOLDEN_GOLDEN_H
#define QUERN_TESTS_GOLDEN_GOLDEN_H

#include "support/Json.h"
#include "support/safetensors/Safetensors.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace quern::testing {

struct Logits {
  int64_t rows = 0, columns = 0;
  std::vector<float> values;
  bool empty() const { return values.empty(); }
  std::span<const float> row(int64_t i) const { return std::span(values).subspan(i * columns, columns); }
};

struct GoldenCase {
  std::string name;
  std::vector<int32_t> prompt, greedy;
  std::vector<double> greedyGaps, greedyRouterMargins;
  Logits logits;                  ///< one row for each token of the prompt
  Logits logitsFp8;               ///< of the fp8 rung; empty where there is none
  std::vector<int32_t> mtpDrafts; ///< entry j: the draft head's guess for greedy[j + 1]
  Logits mtpLogits;               ///< one row less than the prompt; empty where there is none
};

/// The cases of |directory|/|file|.json and its tensors. In `golden_long` the logits are those of the
/// prompt's last positions.
Expected<std::vector<GoldenCase>> readGoldens(const std::string &directory,
                                              const std::string &file = "golden");
/// Names of the folders of tests/models that hold |file|.json, sorted.
std::vector<std::string> goldenModels(const std::string &file = "golden");
/// The path of tests/models/|name|.
std::string modelDirectory(const std::string &name);

/// What differs, over the rows compared.
struct Distance {
  double logit = 0;          ///< largest change of a logit
  double logProbability = 0; ///< largest change of the log-probability of the reference's first choice
  double meanKl = 0;         ///< mean of KL(reference || got)
  int64_t flips = 0;         ///< other first choice although the reference's gap is above the bound
  int64_t close = 0;         ///< rows whose gap is not above it
  int64_t fewestShared = 5;  ///< least overlap of the first five
};
Distance compare(const Logits &reference, const Logits &got, double gap);

/// Index of the largest value, the lowest on ties.
int32_t argmax(std::span<const float> row);
/// Largest minus second largest.
double topGap(std::span<const float> row);

} // namespace quern::testing

#endif // QUERN_TESTS_GOLDEN_GOLDEN_H
