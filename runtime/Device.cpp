//===- Device.cpp ---------------------------------------------------------===//
#include "runtime/Device.h"

namespace quern::runtime {

Expected<std::unique_ptr<Timer>> Device::timer() {
  return Status::error(Exit::Unsupported, "E-DEVICE-NO-TIME",
                       "`" + info().name + "` has no clock whose times mean anything")
      .remedy("measure on a real device; `quern devices` lists them");
}

} // namespace quern::runtime
