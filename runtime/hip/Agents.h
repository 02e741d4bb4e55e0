//===- Agents.h - Architecture and size of the devices, asked from HSA ----===//
//
// HIP tells the architecture only inside a structure whose layout changed with HIP 6. HSA, which HIP stands
// on, tells it by attribute. The two number devices differently, so they are matched by PCI address.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_HIP_AGENTS_H
#define QUERN_RUNTIME_HIP_AGENTS_H

#include "runtime/hip/Symbols.h"

#include <optional>
#include <string>
#include <vector>

namespace quern::runtime::hip {

struct Agent {
  uint32_t domain = 0;
  uint32_t busAndDevice = 0; ///< bus << 5 | device; partitions of one card differ in the function number only
  uint32_t units = 0;
  std::string architecture = {}; ///< "gfx942"
  uint32_t chip = 0;             ///< PCI device; 0 where it is not known
  uint32_t memoryClockMhz = 0;   ///< largest; 0 where it is not known
};

/// All GPUs that HSA shows.
std::vector<Agent> listAgents(const Symbols &symbols);

/// The agent at |pciBusId| as HIP writes it, "0000:c1:00.0"; nothing where none matches.
std::optional<Agent> findAgent(const std::vector<Agent> &agents, const std::string &pciBusId);

} // namespace quern::runtime::hip

#endif // QUERN_RUNTIME_HIP_AGENTS_H
