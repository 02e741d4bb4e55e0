//===- Target.cpp ---------------------------------------------------------===//
#include "runtime/cuda/Target.h"

#include <charconv>
#include <utility>

namespace quern::runtime::cuda {

namespace {

struct Architecture {
  int major = 0, minor = 0;
  char suffix = 0; // 0, 'a' or 'f'
};

/// "sm_90a" is {9, 0, 'a'}; major 0 where |name| is none, or has an option behind a comma that is not
/// understood.
Architecture parse(const std::string &name) {
  Architecture result;
  std::string text = name.substr(0, name.find(',')); // `sm_90a,sms=44` is the same code
  if (!text.starts_with("sm_"))
    return result;
  int number = 0;
  auto [end, error] = std::from_chars(text.data() + 3, text.data() + text.size(), number);
  size_t rest = static_cast<size_t>(text.data() + text.size() - end);
  if (error != std::errc() || number < 10 || rest > 1 || (rest == 1 && *end != 'a' && *end != 'f'))
    return result;
  result = {number / 10, number % 10, rest ? *end : '\0'};
  return result;
}

} // namespace

ptrdiff_t chooseCode(const DeviceInfo &info, std::span<const std::string> targets) {
  const Architecture own = parse(info.architecture);
  std::pair<int, int> best{0, 0}; // kind of fit, then the number
  ptrdiff_t chosen = -1;
  for (size_t i = 0; i < targets.size(); ++i) {
    const Architecture code = parse(targets[i]);
    const std::pair<int, int> version{code.major, code.minor}, device{own.major, own.minor};
    if (code.major == 0 || version > device)
      continue;
    int fit = 1;
    if (code.suffix == 'a')
      fit = version == device ? 3 : 0;
    else if (code.suffix == 'f')
      fit = code.major == own.major ? 2 : 0;
    std::pair<int, int> rank{fit, code.major * 10 + code.minor};
    if (fit != 0 && rank > best) {
      best = rank;
      chosen = static_cast<ptrdiff_t>(i);
    }
  }
  return chosen;
}

std::string targetFor(const DeviceInfo &info) {
  const Architecture own = parse(info.architecture);
  // Architecture-specific targets begin with 9.0.
  return own.major >= 9 ? info.architecture + "a" : info.architecture;
}

} // namespace quern::runtime::cuda
