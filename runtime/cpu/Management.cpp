//===- Management.cpp -----------------------------------------------------===//
#include "runtime/cpu/Management.h"

#include <fstream>

namespace quern::runtime::cpu {

DeviceConditions readConditions(const std::string &system, const std::string &processors) {
  DeviceConditions now;
  double sum = 0;
  unsigned count = 0;
  const std::string cpus = system + "/devices/system/cpu/cpu";
  for (double kilohertz = 0;; ++count) {
    std::ifstream file(cpus + std::to_string(count) + "/cpufreq/scaling_cur_freq");
    if (!(file >> kilohertz))
      break;
    sum += kilohertz * 1e-3;
  }
  if (count) {
    now.source = "cpufreq";
  } else {
    std::ifstream file(processors);
    for (std::string line; std::getline(file, line);)
      if (size_t colon = line.find(':'); line.starts_with("cpu MHz") && colon != std::string::npos) {
        sum += std::strtod(line.c_str() + colon + 1, nullptr);
        ++count;
      }
    if (count)
      now.source = "/proc/cpuinfo";
  }
  if (count)
    now.clockMhz = plausibleMhz(sum / count);
  for (unsigned zone = 0;; ++zone) {
    const std::string folder = system + "/class/thermal/thermal_zone" + std::to_string(zone);
    std::ifstream type(folder + "/type"), value(folder + "/temp");
    std::string text;
    double degrees = 0;
    if (!(type >> text))
      break;
    if (text == "x86_pkg_temp" && value >> degrees)
      now.temperatureCelsius = plausibleCelsius(degrees, 1e-3);
  }
  if (now.source.empty())
    now.absence = "the kernel shows no clock";
  return now;
}

} // namespace quern::runtime::cpu
