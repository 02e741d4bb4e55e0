//===- RotationTables.cpp -------------------------------------------------===//
#include "runtime/plan/RotationTables.h"

#include <cmath>

namespace quern::runtime {

std::vector<float> makeRotationTable(const RotationTable &table, int64_t positions) {
  std::vector<float> values;
  values.reserve(size_t(positions) * table.frequencies.size() * 2);
  for (int64_t position = 0; position < positions; ++position)
    for (float frequency : table.frequencies) {
      double angle = static_cast<float>(position) * frequency;
      values.push_back(float(table.magnitude * std::cos(angle)));
      values.push_back(float(table.magnitude * std::sin(angle)));
    }
  return values;
}

uint64_t rotationTableBytes(const RotationTable &table, int64_t positions) {
  return uint64_t(positions) * table.frequencies.size() * 2 * sizeof(float);
}

} // namespace quern::runtime
