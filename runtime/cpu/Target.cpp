//===- Target.cpp ---------------------------------------------------------===//
#include "runtime/cpu/Target.h"

#include <algorithm>
#include <utility>

namespace quern::runtime::cpu {

namespace {

/// 1 to 4; 0 for what is no level.
int levelNumber(const std::string &name) {
  static constexpr const char *names[] = {"x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4"};
  for (int i = 0; i < 4; ++i)
    if (name == names[i])
      return i + 1;
  return 0;
}

bool hasFeature(const DeviceInfo &info, const std::string &name) {
  return std::find(info.features.begin(), info.features.end(), name) != info.features.end();
}

} // namespace

ptrdiff_t chooseCode(const DeviceInfo &info, std::span<const std::string> targets) {
  const int own = levelNumber(info.architecture);
  std::pair<int, int> best{0, -1}; // level, number of features
  ptrdiff_t chosen = -1;
  for (size_t i = 0; i < targets.size(); ++i) {
    const std::string &target = targets[i];
    size_t end = std::min(target.find_first_of("+,"), target.size());
    std::pair<int, int> rank{levelNumber(target.substr(0, end)), 0};
    bool fits = rank.first != 0 && rank.first <= own;
    while (fits && end < target.size()) {
      size_t next = std::min(target.find_first_of("+,", end + 1), target.size());
      fits = hasFeature(info, target.substr(end + 1, next - end - 1));
      ++rank.second;
      end = next;
    }
    if (fits && rank > best) {
      best = rank;
      chosen = static_cast<ptrdiff_t>(i);
    }
  }
  return chosen;
}

} // namespace quern::runtime::cpu
