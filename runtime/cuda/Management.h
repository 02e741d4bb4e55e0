//===- Management.h - Clock, power and temperature from NVML --------------===//
#ifndef QUERN_RUNTIME_CUDA_MANAGEMENT_H
#define QUERN_RUNTIME_CUDA_MANAGEMENT_H

#include "runtime/DeviceConditions.h"

#include <memory>

namespace quern::runtime::cuda {

/// libnvidia-ml.so.1 comes with the driver; a machine may lack it, and then nothing is known.
class Management {
public:
  /// |pciBusId| as the driver writes it, "0000:C1:00.0".
  static std::unique_ptr<Management> open(const std::string &pciBusId);
  DeviceConditions read() const;

private:
  struct Entries;
  std::shared_ptr<const Entries> entries; ///< null where there is no library or no such device
  void *device = nullptr;
  std::string absence;
};

} // namespace quern::runtime::cuda

#endif // QUERN_RUNTIME_CUDA_MANAGEMENT_H
