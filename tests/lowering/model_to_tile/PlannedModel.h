//===- PlannedModel.h - The plan of a test checkpoint, without its code -----===//
#ifndef QUERN_TESTS_LOWERING_MODELTOTILE_PLANNEDMODEL_H
#define QUERN_TESTS_LOWERING_MODELTOTILE_PLANNEDMODEL_H

#include "lowering/model_to_tile/ModelToTile.h"

#include <string>
#include <vector>

namespace quern::testing {

/// The checkpoint tests/models/|name| lowered for |target| on the rung that it takes by itself, with the
/// Schedules of |schedules| where it is given.
Expected<lowering::LoweredModel> planModel(const std::string &name, const TargetInfo &target,
                                           lowering::ScheduleSource *schedules = nullptr);

/// "nvidia:sm_90a"
std::string targetName(const TargetInfo &target);

/// The products of one step of |tokens| tokens of which all give logits: launches of linears and head
/// linears, with repeats counted.
struct PlannedProduct {
  const lowering::KernelRequest *request;
  std::string note;
  bool ofExperts = false;
  double multiplyAdds = 0; ///< of the model: without padding, and without the parts of split operands
};
std::vector<PlannedProduct> productsOf(const lowering::LoweredModel &lowered, int64_t tokens);

/// An integer parameter of a request; 0 where it has none.
int64_t parameter(const lowering::KernelRequest &request, const std::string &name);

} // namespace quern::testing

#endif // QUERN_TESTS_LOWERING_MODELTOTILE_PLANNEDMODEL_H
