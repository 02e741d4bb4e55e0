//===- Sanitize.cpp -------------------------------------------------------===//
#include "runtime/Sanitize.h"

#include <utility>

namespace quern::runtime {

static constexpr std::pair<std::string_view, Sanitize> names[] = {
    {"memory", Sanitize::Memory},       {"uninitialised", Sanitize::Uninitialised},
    {"registers", Sanitize::Registers}, {"global-races", Sanitize::GlobalRaces},
    {"fp8-nan", Sanitize::Fp8Nan},
};

Expected<SanitizeSet> SanitizeSet::parse(std::string_view text) {
  if (text == "all")
    return all();
  if (text == "none")
    return none();
  uint8_t bits = uint8_t(Sanitize::Memory);
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    const std::string_view word = text.substr(at, end - at);
    bool known = false;
    std::string list;
    for (auto [name, check] : names) {
      list += ", " + std::string(name);
      if (name == word) {
        bits |= uint8_t(check);
        known = true;
      }
    }
    if (!known)
      return Status::error(Exit::Usage, "E-SANITIZE-CHECK",
                           "no emulated device looks for `" + std::string(word) + "`")
          .remedy("choose all, none, or some of " + list.substr(2));
    at = end + 1;
  }
  return SanitizeSet(bits);
}

} // namespace quern::runtime
