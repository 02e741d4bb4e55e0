//===- RangesShim.cpp - Test-only libraries of profilers' ranges ----------===//
//
// One text for NVTX and ROCTX: ranges are written down as "(name" and ")".
//
//===----------------------------------------------------------------------===//
#include <string>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {
std::string &log() {
  static std::string text;
  return text;
}
} // namespace

EXPORT int nvtxRangePushA(const char *name) { return log() += std::string("(") + name, 0; }
EXPORT int nvtxRangePop() { return log() += ")", 0; }
EXPORT int roctxRangePushA(const char *name) { return nvtxRangePushA(name); }
EXPORT int roctxRangePop() { return nvtxRangePop(); }
/// What was written since the last call.
EXPORT const char *quernShimRanges() {
  static std::string last;
  last = std::move(log());
  log().clear();
  return last.c_str();
}
