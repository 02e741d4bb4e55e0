//===- Device.cpp ---------------------------------------------------------===//
#include "runtime/Device.h"

namespace quern::runtime {

Expected<std::unique_ptr<Timer>> Device::timer() {
  return Status::error(Exit::Unsupported, "E-DEVICE-NO-TIME",
                       "`" + info().name + "` has no clock whose times mean anything")
      .remedy("measure on a real device; `quern devices` lists them");
}

Expected<std::unique_ptr<Recording>> Device::record(const std::function<Status()> &) {
  return Status::error(Exit::Unsupported, "E-DEVICE-NO-RECORDING",
                       "`" + info().name + "` cannot record launches");
}

DeviceConditions Device::conditions() {
  DeviceConditions conditions;
  conditions.absence = info().emulated ? "an emulated device has no clock and draws no power"
                                       : "`" + info().name + "` does not tell";
  return conditions;
}

} // namespace quern::runtime
