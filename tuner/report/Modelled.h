//===- Modelled.h - Two targets without hardware, side by side ------------===//
//
// What can be said of code that has not run: what each launch must move and compute, how long a card that
// stands for the target needs for that at best (the floor), and what the code asks of the device. None of it
// is a time, and no side is called faster.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TUNER_REPORT_MODELLED_H
#define QUERN_TUNER_REPORT_MODELLED_H

#include "runtime/artifact/Artifact.h"
#include "runtime/plan/Plan.h"
#include "support/Json.h"
#include "tuner/report/Results.h"

#include <map>

namespace quern::report {

struct ModelledKernel {
  std::string name, symbol, text; ///< |name| as in results: the same on both sides
  int64_t launches = 0;           ///< in one step
  uint32_t threads = 0, sharedBytes = 0;
  uint64_t codeBytes = 0;
  double operations = 0, bytes = 0; ///< of one launch; 0 where not known
  double floorSeconds = 0;          ///< of one launch; 0 where not known
  bool memoryBound = false;         ///< which part of the floor is the larger
  /// What the launches of one step did on an emulated device, by what was counted; empty where none ran.
  std::map<std::string, double> counts;
};

struct ModelledSide {
  std::string target, rung, card; ///< |card| is the product that stands for the target; empty for a CPU
  Peaks peaks;                    ///< of the card, at the rung's type; 0 where there is none
  std::vector<ModelledKernel> kernels;

  double floorSeconds() const; ///< of one step
};

struct ModelledComparison {
  std::string artifact, module, compiler;
  int64_t tokens = 1;
  ModelledSide a, b;
};

/// The step of |tokens| tokens for |target|, which is one of the artifact's. Exit::Unsupported
/// "E-TARGET-NOT-IN-ARTIFACT".
Expected<ModelledSide> modelTarget(const runtime::Artifact &artifact, const std::string &target,
                                   int64_t tokens);

/// {"schema": "quern.compare.modelled", "measured": false, ...}
Json modelledJson(const ModelledComparison &comparison);

} // namespace quern::report

#endif // QUERN_TUNER_REPORT_MODELLED_H
