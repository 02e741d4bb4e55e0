//===- MapArguments.h - Tensor maps of a launch, encoded when they change ---===//
//
// A kernel that takes a tensor map gets it from the pointer that the plan names: the map is encoded before
// the first launch that runs, and again where the address or an extent is another than the last time. The
// extents may be i32 arguments of the same launch, so that a map covers just the rows of a step.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_PLAN_MAPARGUMENTS_H
#define QUERN_RUNTIME_PLAN_MAPARGUMENTS_H

#include "runtime/Device.h"
#include "runtime/plan/Plan.h"

#include <deque>

namespace quern::runtime {

/// The arguments of one launch with its pointers replaced by tensor maps.
class MapArguments {
public:
  /// |kernel| outlives the object.
  explicit MapArguments(const PlanKernel &kernel);

  /// |arguments|, the pointers among them addresses, as the kernel takes them; valid until the next call.
  /// Errors are those of `Device::encodeTensorMap`.
  Expected<std::span<const Argument>> pass(Device &device, std::span<const Argument> arguments);
  /// Maps that were encoded so far.
  uint64_t encoded() const { return count; }

private:
  struct Map {
    const PlanTensorMap *form;
    TensorMap map; ///< what |bytes| was encoded from; its address is 0 before the first time
    EncodedTensorMap bytes;
  };
  std::deque<Map> maps; ///< the kernel reads |bytes| in place
  std::vector<Argument> passed;
  uint64_t count = 0;
};

} // namespace quern::runtime

#endif // QUERN_RUNTIME_PLAN_MAPARGUMENTS_H
