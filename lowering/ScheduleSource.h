//===- ScheduleSource.h - Where Schedules come from that somebody measured ----===//
//
// The compiler asks a source for the Schedule of each kernel before it takes the default one. This header
// knows no MLIR: a tuning database answers in tuner/apply, and so does the slice of one that is frozen in an
// artifact.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_LOWERING_SCHEDULESOURCE_H
#define QUERN_LOWERING_SCHEDULESOURCE_H

#include "lowering/KernelCompiler.h"

#include <optional>
#include <vector>

namespace quern::lowering {

/// Most tokens that a step has by default (contract 11).
inline int64_t maxStepTokens(const CodeTarget &target) { return target.simd ? 512 : 2048; }

class ScheduleSource {
public:
  virtual ~ScheduleSource() = default;

  /// A Schedule for |request|, whose own is the default one, in code for |target| that serves all numbers of
  /// rows from |firstRows| to |lastRows|. Nothing: the default. Equal questions get equal answers. Called by
  /// one thread.
  virtual std::optional<tile::Schedule> find(const KernelRequest &request, const CodeTarget &target,
                                             int64_t firstRows, int64_t lastRows) = 0;

  /// Numbers of rows from |firstRows| to |lastRows| at which another answer may begin: ascending, |firstRows|
  /// first. Who asks for the ranges between them gets what is best for each.
  virtual std::vector<int64_t> starts(const KernelRequest &request, const CodeTarget &target,
                                      int64_t firstRows, int64_t lastRows) {
    return {firstRows};
  }

  /// What was answered so far, as the text of the artifact's member `tuning.jsonl`. It depends on the answers
  /// alone. Empty: there is no such member.
  virtual std::string record() const = 0;
};

} // namespace quern::lowering

#endif // QUERN_LOWERING_SCHEDULESOURCE_H
