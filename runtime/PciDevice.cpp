//===- PciDevice.cpp ------------------------------------------------------===//
#include "runtime/PciDevice.h"

#include <cstdio>
#include <fstream>

namespace quern::runtime {

std::string pciAddress(uint32_t domain, uint32_t bus, uint32_t device, uint32_t function) {
  char text[32];
  std::snprintf(text, sizeof text, "%04x:%02x:%02x.%x", domain & 0xffff, bus & 0xff, device & 0x1f,
                function & 7);
  return text;
}

std::string pciHardware(uint16_t vendor, uint16_t device) {
  char text[32];
  std::snprintf(text, sizeof text, "pci:%04x:%04x", vendor, device);
  return text;
}

/// |address| as the system names its folder; empty for what is no address.
static std::string canonical(const std::string &address) {
  unsigned domain = 0, bus = 0, device = 0, function = 0;
  const int parts = std::sscanf(address.c_str(), "%x:%x:%x.%x", &domain, &bus, &device, &function);
  return parts < 3 ? std::string() : pciAddress(domain, bus, device, function);
}

/// The first word of a file; empty where there is none.
static std::string firstWord(const std::string &path) {
  std::ifstream file(path);
  std::string word;
  file >> word;
  return word;
}

std::string pciHardware(const std::string &address, const std::string &folder) {
  const std::string own = folder + "/" + canonical(address) + "/";
  unsigned vendor = 0, device = 0;
  if (std::sscanf(firstWord(own + "vendor").c_str(), "0x%x", &vendor) != 1 ||
      std::sscanf(firstWord(own + "device").c_str(), "0x%x", &device) != 1)
    return {};
  return pciHardware(uint16_t(vendor), uint16_t(device));
}

std::string pciPartition(const std::string &address, const std::string &folder) {
  // Files of the kernel's driver for accelerators that can be partitioned.
  const std::string own = folder + "/" + canonical(address) + "/";
  const std::string compute = firstWord(own + "current_compute_partition"),
                    memory = firstWord(own + "current_memory_partition");
  return compute.empty() && memory.empty() ? std::string() : compute + "/" + memory;
}

} // namespace quern::runtime
