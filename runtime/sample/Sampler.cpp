//===- Sampler.cpp --------------------------------------------------------===//
#include "runtime/sample/Sampler.h"

#include "support/Philox.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace quern::runtime {

Status checkSamplingOptions(const SamplingOptions &options) {
  auto refused = [](const std::string &what) {
    return Status::error(Exit::Usage, "E-SAMPLING-OPTIONS", what);
  };
  if (!(options.temperature >= 0) || !std::isfinite(options.temperature))
    return refused("the temperature is " + std::to_string(options.temperature) + ", expected 0 or more");
  if (!(options.topP > 0) || options.topP > 1)
    return refused("top-p is " + std::to_string(options.topP) + ", expected more than 0 and at most 1");
  return Status::success();
}

Expected<Sampler> Sampler::make(const SamplingOptions &options, uint32_t tokenCount) {
  QUERN_RETURN_IF_ERROR(checkSamplingOptions(options));
  return Sampler(options, tokenCount);
}

/// Larger logits first, lower ids first among equals.
static constexpr auto before = [](const auto &a, const auto &b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
};

void Sampler::keepTopK() {
  if (options.topK == 0 || options.topK >= candidates.size())
    return;
  std::nth_element(candidates.begin(), candidates.begin() + options.topK, candidates.end(), before);
  candidates.resize(options.topK);
}

void Sampler::keepTopP(float largest) {
  if (options.topP >= 1)
    return;
  double total = 0;
  for (const Candidate &candidate : candidates)
    total += std::exp(candidate.logit - largest);
  // The tokens that matter are few, so only a growing head of the list is put in order.
  double reached = 0;
  for (size_t sorted = 0, next = 64; sorted < candidates.size(); sorted = next, next *= 4) {
    next = std::min(next, candidates.size());
    if (next < candidates.size())
      std::nth_element(candidates.begin() + sorted, candidates.begin() + next, candidates.end(), before);
    std::sort(candidates.begin() + sorted, candidates.begin() + next, before);
    for (size_t i = sorted; i < next; ++i) {
      reached += std::exp(candidates[i].logit - largest);
      if (reached >= options.topP * total) {
        candidates.resize(i + 1);
        return;
      }
    }
  }
}

Expected<uint32_t> Sampler::sample(std::span<const float> logits, uint64_t position) {
  size_t count = std::min<size_t>(logits.size(), tokenCount);
  auto refused = [&](const std::string &what) {
    return Status::error(Exit::Unexpected, "E-LOGITS-NAN",
                         "the logits of position " + std::to_string(position) + " " + what)
        .remedy("run `quern verify` to find the kernel that is wrong");
  };
  size_t best = 0;
  for (size_t i = 0; i < count; ++i) {
    if (std::isnan(logits[i]) || logits[i] == INFINITY)
      return refused("hold " + std::to_string(logits[i]) + " for token " + std::to_string(i));
    if (logits[i] > logits[best])
      best = i;
  }
  if (count == 0 || logits[best] == -INFINITY)
    return refused("leave no token to choose");
  if (options.temperature == 0)
    return static_cast<uint32_t>(best);

  candidates.clear();
  for (size_t i = 0; i < count; ++i)
    if (logits[i] != -INFINITY)
      candidates.push_back({logits[i] / options.temperature, static_cast<uint32_t>(i)});
  // A tiny temperature can push the quotients past the range of f32; then only the largest logits count.
  float largest = logits[best] / options.temperature;
  if (!std::isfinite(largest))
    return static_cast<uint32_t>(best);
  keepTopK();
  keepTopP(largest);

  // Softmax weights in f32, drawn in order of the ids, so that the choice does not depend on how the cuts
  // were sorted.
  if (options.topK != 0 || options.topP < 1)
    std::sort(candidates.begin(), candidates.end(),
              [](const Candidate &a, const Candidate &b) { return a.id < b.id; });
  weights.resize(candidates.size());
  double total = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    weights[i] = std::exp(candidates[i].logit - largest);
    total += weights[i];
  }
  double target = uniformFloat(philoxAt(options.seed, position)[0]) * total, sum = 0;
  size_t chosen = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (weights[i] > 0)
      chosen = i; // where rounding leaves the sum short of the target, the last possible token is taken
    sum += weights[i];
    if (sum > target)
      break;
  }
  return candidates[chosen].id;
}

} // namespace quern::runtime
