//===- PlanKernel.cpp -----------------------------------------------------===//
#include "lowering/PlanKernel.h"

namespace quern::lowering {

void describeToPlan(const CompiledKernel &kernel, runtime::PlanKernel &out) {
  static const char *const kinds[] = {"pointer", "i32", "i64", "f32", "tensor map"};
  for (KernelArgument argument : kernel.arguments)
    out.arguments.emplace_back(kinds[size_t(argument)]);
  for (const GridDimension &d : kernel.grid)
    out.grid.push_back({d.argument, d.extent, d.step});
  out.threads = uint32_t(kernel.threads);
  out.sharedBytes = uint32_t(kernel.sharedBytes);
  out.dynamicBytes = uint32_t(kernel.dynamicBytes);
  for (const TensorMapArgument &map : kernel.maps) {
    runtime::PlanTensorMap &form = out.maps.emplace_back();
    form.argument = map.argument;
    form.element = map.element;
    for (const TensorMapArgument::Extent &extent : map.extents)
      form.extents.push_back({extent.argument, extent.extent});
    form.strides = map.strides;
    form.box = map.box;
    form.swizzle = map.swizzle;
  }
}

} // namespace quern::lowering
