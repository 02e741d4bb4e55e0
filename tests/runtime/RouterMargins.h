//===- RouterMargins.h - How near compiled routers were to another choice ---===//
#ifndef QUERN_TESTS_RUNTIME_ROUTERMARGINS_H
#define QUERN_TESTS_RUNTIME_ROUTERMARGINS_H

#include "runtime/Runtime.h"

namespace quern::testing {

/// Watches the router launches of a session and keeps, for each token in the order in which they ran, a lower
/// bound of the change in router logits that would have chosen another expert or group. Rounding to bf16
/// moves a logit by up to some hundredths; a choice nearer than that may fall otherwise, and then moves the
/// token's outcome arbitrarily far. The rule is that of tests/lowering/import/RouterMargin.h.
class RouterMargins {
public:
  explicit RouterMargins(runtime::Session &session);
  ~RouterMargins();
  /// Of the tokens since the last call; infinity for a model without routers.
  std::vector<double> take(size_t tokens);

private:
  Status watch(const runtime::ObservedLaunch &launch);
  runtime::Session &session;
  std::vector<double> done;    ///< of steps that are over
  std::vector<double> current; ///< of this step, over its routers so far
};

} // namespace quern::testing

#endif // QUERN_TESTS_RUNTIME_ROUTERMARGINS_H
