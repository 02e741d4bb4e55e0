//===- DeviceConditions.h - Clock, power and temperature at one moment ----===//
#ifndef QUERN_RUNTIME_DEVICECONDITIONS_H
#define QUERN_RUNTIME_DEVICECONDITIONS_H

#include <optional>
#include <string>

namespace quern::runtime {

/// What the driver says of a device now. A figure that it does not give, or that cannot be (a power of 0 W, a
/// temperature below -50 degrees), is nothing.
struct DeviceConditions {
  std::optional<double> clockMhz = {}; ///< of the units that compute
  std::optional<double> memoryClockMhz = {};
  std::optional<double> powerWatts = {};
  std::optional<double> powerLimitWatts = {};
  std::optional<double> temperatureCelsius = {};
  std::string source = {};  ///< where the figures come from: a library or a folder of the system
  std::string absence = {}; ///< why there is no |source|
};

/// The figure where it can be, in |scale| of its unit; else nothing.
inline std::optional<double> plausible(double value, double scale, double least, double most) {
  value *= scale;
  return value > least && value < most ? std::optional(value) : std::nullopt;
}
inline std::optional<double> plausibleMhz(double value, double scale = 1) {
  return plausible(value, scale, 1, 20e3);
}
/// One tool of a vendor is known to report 0 to 2 W for a card at work.
inline std::optional<double> plausibleWatts(double value, double scale = 1) {
  return plausible(value, scale, 2, 20e3);
}
inline std::optional<double> plausibleCelsius(double value, double scale = 1) {
  return plausible(value, scale, -50, 200);
}

} // namespace quern::runtime

#endif // QUERN_RUNTIME_DEVICECONDITIONS_H
