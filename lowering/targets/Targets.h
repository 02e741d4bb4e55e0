//===- Targets.h - The targets that kernels can be lowered for ------------===//
#ifndef QUERN_LOWERING_TARGETS_TARGETS_H
#define QUERN_LOWERING_TARGETS_TARGETS_H

#include "lowering/targets/CodeTarget.h"
#include "lowering/targets/Target.h"

#include <memory>

namespace quern::lowering {

std::unique_ptr<TargetLowering> makeLowering(const CodeTarget &target);

// One factory for each vendor folder.
std::unique_ptr<TargetLowering> makeCpuLowering(const CodeTarget &target);
std::unique_ptr<TargetLowering> makeNvidiaLowering(const CodeTarget &target);
std::unique_ptr<TargetLowering> makeAmdLowering(const CodeTarget &target);

} // namespace quern::lowering

#endif // QUERN_LOWERING_TARGETS_TARGETS_H
