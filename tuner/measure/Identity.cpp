//===- Identity.cpp -------------------------------------------------------===//
#include "tuner/measure/Identity.h"

#include <fstream>
#include <sstream>

namespace quern::tuner {

/// The value of the first line "NAME : value".
static std::string fieldOf(std::string_view text, std::string_view name) {
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    at = end + 1;
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || !line.starts_with(name))
      continue;
    if (line.substr(name.size(), colon - name.size()).find_first_not_of(" \t") != std::string_view::npos)
      continue;
    const size_t first = line.find_first_not_of(" \t", colon + 1);
    return first == std::string_view::npos ? std::string() : std::string(line.substr(first));
  }
  return "";
}

std::string processorName(std::string_view text) {
  const std::string maker = fieldOf(text, "vendor_id"), family = fieldOf(text, "cpu family"),
                    model = fieldOf(text, "model"), stepping = fieldOf(text, "stepping");
  if (maker.empty() || family.empty() || model.empty())
    return "cpu:unknown";
  return "cpu:" + maker + "-" + family + "-" + model + "-" + (stepping.empty() ? "0" : stepping);
}

DeviceIdentity identityOf(const runtime::DeviceInfo &info) {
  DeviceIdentity identity;
  identity.architecture = info.architecture;
  identity.units = info.units;
  identity.name = info.description;
  if (info.vendor == "cpu") {
    std::ifstream file("/proc/cpuinfo");
    std::ostringstream text;
    text << file.rdbuf();
    identity.hardware = processorName(text.str());
    return identity;
  }
  // The memory tells cards of one name apart until drivers are asked for their PCI numbers (issue 5).
  identity.hardware =
      info.vendor + ":" + info.architecture + "-" + std::to_string(info.memoryBytes >> 30) + "GiB";
  return identity;
}

} // namespace quern::tuner
