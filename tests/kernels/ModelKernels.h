//===- ModelKernels.h - The kernels of whole models, for tests and benchmarks ---===//
#ifndef QUERN_TESTS_KERNELS_MODELKERNELS_H
#define QUERN_TESTS_KERNELS_MODELKERNELS_H

#include "lowering/KernelCompiler.h"

namespace quern::test {

/// Sizes of a model with latent attention and experts.
struct LatentModel {
  const char *name;
  int hidden, heads, nope, rope, value, latent, queryLatent; ///< queryLatent 0: one direct matrix
  int dense, experts, chosen, groups, kept, expert, vocabulary;
  bool fp8;
};

/// The demo checkpoint, and a larger model with direct queries, softmax routing and bf16 weights.
extern const LatentModel demoModel, largerModel;

/// One request for each kernel of |model| on |target|, with default schedules; and those of attention with
/// heads of 128 (window and softcap too), which neither model has.
std::vector<lowering::KernelRequest> kernelsOf(const LatentModel &model, const lowering::CodeTarget &target);
std::vector<lowering::KernelRequest> headAttentionKernels(const lowering::CodeTarget &target);
/// Those of operators that neither model has: a norm with mean and bias, and sampling.
std::vector<lowering::KernelRequest> otherKernels(const lowering::CodeTarget &target);

} // namespace quern::test

#endif // QUERN_TESTS_KERNELS_MODELKERNELS_H
