//===- Sampler.h - Chooses the next token from logits ---------------------===//
//
// In this order: mask what the tokenizer has no text for, divide by the temperature, keep the top k, keep the
// top p, softmax in f32, draw. The random number belongs to (seed, position) and to nothing else
// (support/Philox.h), so a request gives the same tokens whatever else is in the batch.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_SAMPLE_SAMPLER_H
#define QUERN_RUNTIME_SAMPLE_SAMPLER_H

#include "support/Status.h"

#include <cstdint>
#include <span>
#include <vector>

namespace quern::runtime {

struct SamplingOptions {
  float temperature = 0; ///< 0 takes the largest logit, the lowest id among equals
  uint32_t topK = 0;     ///< 0 keeps all; of equal logits the lower ids are kept
  float topP = 1;        ///< keeps the fewest most probable tokens whose probabilities reach this sum
  uint64_t seed = 0;
};

/// Exit::Usage "E-SAMPLING-OPTIONS" where a value is out of range.
Status checkSamplingOptions(const SamplingOptions &options);

/// Draws tokens of one model. Holds scratch memory, so each thread uses its own.
class Sampler {
public:
  /// |tokenCount| is Tokenizer::size(); logits from there on are never chosen.
  static Expected<Sampler> make(const SamplingOptions &options, uint32_t tokenCount);

  /// The token behind |position| (position of the token whose logits these are, from 0).
  /// Exit::Unexpected "E-LOGITS-NAN" where a logit is NaN or +infinity, or all are -infinity.
  Expected<uint32_t> sample(std::span<const float> logits, uint64_t position);

private:
  struct Candidate {
    float logit;
    uint32_t id;
  };
  Sampler(const SamplingOptions &options, uint32_t tokenCount) : options(options), tokenCount(tokenCount) {}
  void keepTopK();
  void keepTopP(float largest);

  SamplingOptions options;
  uint32_t tokenCount;
  std::vector<Candidate> candidates;
  std::vector<float> weights;
};

} // namespace quern::runtime

#endif // QUERN_RUNTIME_SAMPLE_SAMPLER_H
