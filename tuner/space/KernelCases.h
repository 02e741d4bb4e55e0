//===- KernelCases.h - What a kernel must compute for a problem -----------===//
//
// The inputs that candidates are checked and timed on, with the oracle's results: sums in f64, rounded once
// (contract 7), written from the kernel's description and not from its text. Each problem has two cases:
// whole numbers, whose sums no order changes, so that every bit is compared; and random ones, which are also
// timed.
//
// Of products beyond 2^28 multiply-adds a sample of the rows is known, the first and the last among them; the
// others are only checked for having been written.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TUNER_SPACE_KERNELCASES_H
#define QUERN_TUNER_SPACE_KERNELCASES_H

#include "tuner/measure/KernelCase.h"
#include "tuner/space/KernelProblem.h"

namespace quern::tuner {

/// Floating-point operations and bytes that |problem| needs at least.
struct ProblemWork {
  double operations = 0, bytes = 0;
};
ProblemWork workOf(const KernelProblem &problem);

/// Both cases, the random one last. Exit::Unsupported "E-TUNE-NO-ORACLE" for a kernel that has none here.
Expected<std::vector<KernelCase>> casesOf(const KernelProblem &problem, uint64_t seed);

} // namespace quern::tuner

#endif // QUERN_TUNER_SPACE_KERNELCASES_H
