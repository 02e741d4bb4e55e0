//===- CompiledModel.h - Test checkpoints as artifacts --------------------===//
#ifndef QUERN_TESTS_RUNTIME_COMPILEDMODEL_H
#define QUERN_TESTS_RUNTIME_COMPILEDMODEL_H

#include "runtime/Runtime.h"
#include "tests/golden/Golden.h"

namespace quern::testing {

/// The artifact of tests/models/|name| for |target|, compiled on first use in this process, weights linked.
Expected<std::string> artifactOf(const std::string &name, const std::string &target = "cpu");

/// A session on it; fails the test where there is none.
std::unique_ptr<runtime::Session> openModel(const std::string &name, runtime::SessionOptions options = {},
                                            const std::string &target = "cpu");

/// Token ids as the runtime takes them.
std::vector<uint32_t> idsOf(std::span<const int32_t> tokens);

/// Logits of all of |tokens| in a new sequence, in feeds of |piece| tokens (0: one feed).
Logits logitsOf(runtime::Session &session, std::span<const int32_t> tokens, size_t piece = 0);

/// How far logits of a whole model may be from the reference, and the gap above which its first choice must
/// be taken.
struct Bound {
  double logProbability, gap;
};
inline constexpr Bound kBf16 = {0.05, 0.1}, kFp8 = {0.15, 0.3};

void expectWithin(const Logits &reference, const Logits &got, Bound bound, const std::string &what);

/// The same, but leaves out rows that differ and whose routing was next to another, by the |margins| of a
/// `RouterMargins`. Returns how many. For draft heads: prompts are searched so that the routers of the main
/// layers keep a margin, those of the head may not.
int64_t expectWithinWhereSettled(const Logits &reference, const Logits &got,
                                 const std::vector<double> &margins, Bound bound, const std::string &what);

/// Runs the prompts of at most |longest| tokens and compares their logits at all positions with those of the
/// plan's rung.
void expectGoldenLogits(runtime::Session &session, const std::vector<GoldenCase> &cases, size_t longest);

} // namespace quern::testing

#endif // QUERN_TESTS_RUNTIME_COMPILEDMODEL_H
