//===- Routing.h - How near a choice of experts was to another ------------===//
//
// A router takes the largest of scores that may hardly differ, so two right computations may choose
// differently. What is judged is the distance: how far the logits would have to move, at least, for the other
// choice to be the right one.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TUNER_VALIDATE_ROUTING_H
#define QUERN_TUNER_VALIDATE_ROUTING_H

#include "dialects/model/reference/Operators.h"

namespace quern::validate {

/// A lower bound of the change of |logits| after which |chosen|, in this order, are the experts that a router
/// takes: 0 where they are. Infinity where they never are: an expert twice, one that there is not, or more
/// groups than are kept. |bias| may be null.
double routingDistance(std::span<const float> logits, const model::reference::Vector *bias,
                       const model::reference::RouterOptions &options, std::span<const int32_t> chosen);

/// Tokens whose experts are others than the oracle's.
struct Rerouting {
  uint64_t differing = 0;
  uint64_t adopted = 0;
  double worst = 0; ///< distance of all that differ
};

/// Lays |other|'s choice beside the |own| one, [T, experts taken] each, and takes it into |own| for tokens
/// where it is at most |limit| away.
Rerouting adoptChoice(const model::reference::Tensor &logits, const model::reference::Vector *bias,
                      const model::reference::RouterOptions &options, std::span<const int32_t> other,
                      double limit, model::reference::Tensor &own);

} // namespace quern::validate

#endif // QUERN_TUNER_VALIDATE_ROUTING_H
