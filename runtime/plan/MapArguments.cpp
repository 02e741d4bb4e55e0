//===- MapArguments.cpp ---------------------------------------------------===//
#include "runtime/plan/MapArguments.h"

#include "runtime/plan/PlanNames.h"

#include <algorithm>

namespace quern::runtime {

/// In the order of `plan::mapElementNames`.
static constexpr TensorMap::Element mapElements[] = {TensorMap::Element::U8, TensorMap::Element::F16,
                                                     TensorMap::Element::BF16, TensorMap::Element::F32};

static TensorMap::Swizzle swizzleOf(int64_t span) {
  using S = TensorMap::Swizzle;
  return span == 32 ? S::Span32 : span == 64 ? S::Span64 : span == 128 ? S::Span128 : S::None;
}

MapArguments::MapArguments(const PlanKernel &kernel) {
  for (const PlanTensorMap &form : kernel.maps) {
    TensorMap map;
    const auto *name =
        std::find(std::begin(plan::mapElementNames), std::end(plan::mapElementNames), form.element);
    map.element = mapElements[name - std::begin(plan::mapElementNames)];
    map.rank = static_cast<uint32_t>(form.extents.size());
    std::copy(form.strides.begin(), form.strides.end(), map.strides.begin());
    std::copy(form.box.begin(), form.box.end(), map.box.begin());
    map.swizzle = swizzleOf(form.swizzle);
    map.promotion = TensorMap::Promotion::Bytes256;
    maps.push_back({&form, map, {}});
  }
}

Expected<std::span<const Argument>> MapArguments::pass(Device &device, std::span<const Argument> arguments) {
  passed.assign(arguments.begin(), arguments.end());
  for (Map &map : maps) {
    TensorMap wanted = map.map;
    Argument &argument = passed[static_cast<size_t>(map.form->argument)];
    wanted.address = argument.bits;
    for (size_t d = 0; d < map.form->extents.size(); ++d) {
      const PlanTensorMap::Extent &extent = map.form->extents[d];
      wanted.extents[d] = extent.argument < 0
                              ? uint64_t(extent.extent)
                              : uint32_t(arguments[static_cast<size_t>(extent.argument)].bits);
    }
    if (wanted.address != map.map.address || wanted.extents != map.map.extents) {
      QUERN_ASSIGN_OR_RETURN(map.bytes, device.encodeTensorMap(wanted));
      map.map = wanted;
      ++count;
    }
    argument = {ArgumentKind::TensorMap, reinterpret_cast<uint64_t>(&map.bytes)};
  }
  return std::span<const Argument>(passed);
}

} // namespace quern::runtime
