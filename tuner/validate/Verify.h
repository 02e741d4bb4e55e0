//===- Verify.h - An artifact against the oracle --------------------------===//
//
// Runs seeded prompts on a device and compares, launch by launch, what each operator of the model left in
// memory with what the oracle computes from the very bytes that the launch read. An error does not travel:
// every kernel is judged by its own work. Where the model has a draft head, it runs behind each step and is
// compared alike. In the end the logits of the whole model (and of the head) are compared with the oracle's
// own run, which takes the device's choice of experts where its own was near to it.
//
// The artifact's module is lowered again to learn where values live; an artifact of another compiler is
// refused. This header knows no MLIR.
//
//   QUERN_ASSIGN_OR_RETURN(VerifyReport report, verifyArtifact("m.quern", options));
//   print(report);
//   return report.status();
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TUNER_VALIDATE_VERIFY_H
#define QUERN_TUNER_VALIDATE_VERIFY_H

#include "runtime/Runtime.h"
#include "support/Progress.h"

#include <map>
#include <string>
#include <vector>

namespace quern::validate {

struct VerifyOptions {
  runtime::SessionOptions session;
  int32_t promptTokens = 17; ///< of the first step; odd and above a page's quarter, so that edges are met
  int32_t newTokens = 3;     ///< steps of one token behind it
  uint64_t seed = 1;         ///< of the token ids
  /// Floating-point operations above which a product is compared on a sample of its rows.
  double sampleAbove = 2e9;
  ProgressMode progress = ProgressMode::None;
};

/// How one kernel did, over all of its launches that an operator could be compared of.
struct KernelVerdict {
  std::string kernel;    ///< symbol
  std::string operators; ///< operators that it computes: "linear qkv"
  uint64_t compared = 0; ///< results of operators
  uint64_t failed = 0;
  double worst = 0;         ///< largest difference, see `difference`
  std::string failure = {}; ///< the first one: operator, layer, numbers
};

struct VerifyReport {
  std::string device, target, rung;
  std::vector<KernelVerdict> kernels; ///< in the order of their first launch
  uint64_t compared = 0;              ///< results of operators
  uint64_t sampled = 0;               ///< of those, results of which only some rows were compared
  uint64_t tied = 0;                  ///< tokens whose router chose otherwise where scores tie
  uint64_t unchecked = 0;             ///< launches of no operator that can be compared: copies, quantisation
  double worstLogProbability = 0;     ///< of the oracle's first choice, over all positions
  double logProbabilityLimit = 0;
  int64_t positions = 0;
  int64_t draftPositions = 0; ///< of the draft head
  uint64_t rerouted = 0;      ///< tokens that the device's routers sent elsewhere than the oracle's own run
  std::vector<runtime::CountedKernel> counted; ///< with DeviceOptions::counters: what the device executed
  double worstRerouting = 0; ///< how far logits of routers would have to move for that, see `routingDistance`

  /// Exit::NumericCheckFailed "E-VERIFY-KERNEL" names kernel and operator of the first failure,
  /// "E-VERIFY-LOGITS" a difference of the logits alone, "E-VERIFY-ROUTING" experts that are not near the
  /// oracle's choice. Logits of routers may be off by what log-probabilities may.
  Status status() const;
};

/// 1 - 2<x, y> / (<x, x> + <y, y>): 0 for equal, and for two zeros.
double difference(std::span<const float> x, std::span<const float> y);

/// Errors of `Session::open`; Exit::Unsupported "E-VERIFY-COMPILER" for an artifact of another compiler.
Expected<VerifyReport> verifyArtifact(const std::string &path, const VerifyOptions &options);

} // namespace quern::validate

#endif // QUERN_TUNER_VALIDATE_VERIFY_H
