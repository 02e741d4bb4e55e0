//===- KernelSpace.h - The Schedules that are worth a trial ---------------===//
//
// kernels/<kernel>/space.json says which sizes and choices a kernel has (its form: docs/Tuning.md). A space
// is the product of these axes, cut down by three things: what the text of the kernel demands, what the
// target can physically take, and what the lowering makes code for today. A point that is cut off is counted
// with the reason.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TUNER_SPACE_KERNELSPACE_H
#define QUERN_TUNER_SPACE_KERNELSPACE_H

#include "tuner/database/Records.h"
#include "tuner/search/Search.h"
#include "tuner/space/KernelProblem.h"
#include "tuner/space/VectorCost.h"

#include <functional>
#include <map>
#include <vector>

namespace quern::tuner {

/// What the space depends on of a code target.
struct SpaceTarget {
  std::string name; ///< "cpu:x86-64-v4", "nvidia:sm_90a"
  int32_t lanes = 16;
  bool simd = false;
  int32_t warps = 1;  ///< of a block by default
  bool pairs = false; ///< one instruction adds the products of pairs of bf16
};

struct KernelSpace {
  std::vector<SearchPoint> points; ///< `config` is the canonical text of a Schedule
  size_t defaultPoint = 0;
  int64_t considered = 0;
  std::map<std::string, int64_t> refused; ///< by reason
};

/// True, or the reason why the lowering makes no code of a Schedule.
using Lowerable = std::function<bool(const std::string &schedule)>;

/// The space of |problem| with |standard| (a Schedule's text), the default, as a point of it wherever it
/// lies. Exit::Unsupported "E-TUNE-NO-SPACE" for a kernel without a space for such a target.
Expected<KernelSpace> spaceOf(const KernelProblem &problem, const SpaceTarget &target,
                              const std::string &standard, const Lowerable &lowerable = {});

/// Kernels that have a space, in the order of their names.
std::vector<std::string> tunableKernels();

/// Adds the defaults of the kernel's space.json to |parameters|; what is wrong with them, in words, or
/// nothing.
std::string standardParameters(const std::string &kernel, std::map<std::string, std::string> &parameters);

/// The problem as the database knows it: the parameters that decide about time, and the bucket of its rows.
Expected<Problem> recordOf(const KernelProblem &problem);

} // namespace quern::tuner

#endif // QUERN_TUNER_SPACE_KERNELSPACE_H
