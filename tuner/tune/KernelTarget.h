//===- KernelTarget.h - Candidates of a code target -----------------------===//
#ifndef QUERN_TUNER_TUNE_KERNELTARGET_H
#define QUERN_TUNER_TUNE_KERNELTARGET_H

#include "lowering/WorkerPool.h"
#include "lowering/targets/CodeTarget.h"
#include "tuner/tune/TuneProblem.h"

namespace quern::tuner {

/// One code target with the processes that compile for it.
class KernelTarget {
public:
  KernelTarget(lowering::CodeTarget target, std::string program, unsigned workers);

  const std::string &name() const { return target.name; }
  /// The space with the default of today. Errors of `spaceOf`, and Exit::Usage "E-SCHEDULE-SYNTAX" for
  /// parameters that are none.
  Expected<KernelSpace> space(const KernelProblem &problem) const;
  /// See `CandidateCompiler`.
  Expected<Candidate> compile(unsigned slot, const KernelProblem &problem, const std::string &schedule);
  Toolchain toolchain() const;

private:
  lowering::CodeTarget target;
  lowering::WorkerPool pool;
};

/// The code target |name|, or of several the one that |device| runs best. Exit::Usage "E-TUNE-TARGET" where
/// there is more than one and no device to choose.
Expected<lowering::CodeTarget> chooseTarget(const std::string &name, const runtime::DeviceInfo *device);

/// True for what the lowering makes code of today: one ring, whole blocks, no copies that others issue.
bool isLowered(const std::string &schedule);

} // namespace quern::tuner

#endif // QUERN_TUNER_TUNE_KERNELTARGET_H
