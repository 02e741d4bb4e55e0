//===- Machines.cpp - The machines that there are -------------------------===//

#include "runtime/emulated/Machines.h"

namespace quern::runtime::emulated {

namespace {

/// "sm_90a" is sm_90 with features that no other has.
[[maybe_unused]] std::string withoutSuffix(const std::string &architecture) {
  bool hasSuffix = !architecture.empty() && architecture.back() >= 'a' && architecture.back() <= 'z';
  return architecture.substr(0, architecture.size() - hasSuffix);
}
[[maybe_unused]] std::string asItIs(const std::string &architecture) { return architecture; }

} // namespace

std::span<const MachineMaker> machineMakers() {
#if defined(QUERN_EMULATED_NVIDIA) || defined(QUERN_EMULATED_AMD)
  static constexpr MachineMaker makers[] = {
#ifdef QUERN_EMULATED_NVIDIA
      {"nvidia", makeNvidiaMachine, withoutSuffix},
#endif
#ifdef QUERN_EMULATED_AMD
      {"amd", makeAmdMachine, asItIs},
#endif
  };
  return makers;
#else
  return {};
#endif
}

} // namespace quern::runtime::emulated
