//===- RowForms.cpp -------------------------------------------------------===//
#include "lowering/model_to_tile/RowForms.h"
#include "dialects/tile/CostModel.h"

#include <cmath>

namespace quern::lowering {

int64_t tokensToSort(const ExpertSizes &sizes, const CodeTarget &target) {
  const int64_t most = (sizes.matrices + sizes.chosen - 1) / sizes.chosen;
  const TargetInfo *info =
      findTarget(target.vendor, std::string_view(target.name).substr(target.vendor.size() + 1));
  if (!info)
    return most;
  const tile::CostFacts facts = tile::costFacts(tile::machineOf(*info));
  if (facts.memoryBytesPerClock <= 0)
    return most;
  const double matrices = double(sizes.matrices);
  const double readSeconds = double(sizes.bytes) / (facts.memoryBytesPerClock * facts.clockHz);
  for (int64_t tokens = 1; tokens < most; ++tokens) {
    const double rows = double(tokens * sizes.chosen);
    const double used = matrices * (1 - std::pow(1 - 1 / matrices, rows));
    if ((rows - used) * readSeconds > facts.launchSeconds)
      return tokens;
  }
  return most;
}

int64_t tokensOfSingleRows(const ExpertSizes &sizes) { return sizes.matrices / sizes.chosen; }

} // namespace quern::lowering
