//===- PlanKernel.h - A compiled kernel as a plan holds it ----------------===//
#ifndef QUERN_LOWERING_PLANKERNEL_H
#define QUERN_LOWERING_PLANKERNEL_H

#include "lowering/KernelCompiler.h"
#include "runtime/plan/Plan.h"

namespace quern::lowering {

/// What only the compiled kernel knows goes into |out|: arguments, tensor maps, grid, threads, shared memory.
void describeToPlan(const CompiledKernel &kernel, runtime::PlanKernel &out);

} // namespace quern::lowering

#endif // QUERN_LOWERING_PLANKERNEL_H
