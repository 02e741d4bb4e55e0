//===- PciDevice.h - What the system says about a card ---------------------===//
//
// Names are bad keys: one product reports several, and several products report one. What identifies a card
// are its PCI vendor and device, and how it is partitioned; Linux shows both below /sys/bus/pci/devices.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_PCIDEVICE_H
#define QUERN_RUNTIME_PCIDEVICE_H

#include <cstdint>
#include <string>

namespace quern::runtime {

inline constexpr const char *pciDevicesFolder = "/sys/bus/pci/devices";

/// "0000:c1:00.0".
std::string pciAddress(uint32_t domain, uint32_t bus, uint32_t device, uint32_t function = 0);

/// "pci:10de:2330".
std::string pciHardware(uint16_t vendor, uint16_t device);
/// The same of the card at |address|, of which a driver may leave the domain's zeros or the function out;
/// empty where the system does not show it.
std::string pciHardware(const std::string &address, const std::string &folder = pciDevicesFolder);

/// "SPX/NPS1": how computing and memory of the card at |address| are partitioned; empty where the system does
/// not say.
std::string pciPartition(const std::string &address, const std::string &folder = pciDevicesFolder);

} // namespace quern::runtime

#endif // QUERN_RUNTIME_PCIDEVICE_H
