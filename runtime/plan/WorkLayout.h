//===- WorkLayout.h - Where the buffers of an entry lie -------------------===//
#ifndef QUERN_RUNTIME_PLAN_WORKLAYOUT_H
#define QUERN_RUNTIME_PLAN_WORKLAYOUT_H

#include "runtime/plan/Plan.h"

namespace quern::runtime {

/// Offsets into one piece of memory such that no two buffers that live at the same time overlap.
struct WorkLayout {
  std::vector<uint64_t> offsets; ///< of `PlanEntry::work[i]`, multiples of 256
  uint64_t bytes = 0;
};

/// First fit, the largest buffer first: each goes to the lowest place that is free while it lives. |limits|
/// are the largest values of the symbols.
WorkLayout layOutWork(const PlanEntry &entry, const SymbolValues &limits);

} // namespace quern::runtime

#endif // QUERN_RUNTIME_PLAN_WORKLAYOUT_H
