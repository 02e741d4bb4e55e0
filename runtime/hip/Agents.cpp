//===- Agents.cpp ---------------------------------------------------------===//
#include "runtime/hip/Agents.h"

#include <cstdio>

namespace quern::runtime::hip {

namespace {

constexpr HsaResult hsaSuccess = 0;
constexpr uint32_t deviceTypeGpu = 1;

struct Collection {
  const Symbols &symbols;
  std::vector<Agent> agents;
};

HsaResult collect(uint64_t handle, void *data) {
  auto &collection = *static_cast<Collection *>(data);
  const Symbols &symbols = collection.symbols;
  uint32_t type = 0, address = 0;
  char name[64] = {};
  Agent agent;
  if (symbols.hsa_agent_get_info(handle, agentDevice, &type) != hsaSuccess || type != deviceTypeGpu)
    return hsaSuccess; // go on with the next
  if (symbols.hsa_agent_get_info(handle, agentName, name) != hsaSuccess ||
      symbols.hsa_agent_get_info(handle, agentBdf, &address) != hsaSuccess)
    return hsaSuccess;
  name[sizeof(name) - 1] = 0;
  agent.architecture = name;
  agent.busAndDevice = address >> 3 & 0x1FFF;
  // Younger than the others; 0 where it is not known.
  symbols.hsa_agent_get_info(handle, agentDomain, &agent.domain);
  symbols.hsa_agent_get_info(handle, agentUnits, &agent.units);
  symbols.hsa_agent_get_info(handle, agentChip, &agent.chip);
  symbols.hsa_agent_get_info(handle, agentMemoryClock, &agent.memoryClockMhz);
  collection.agents.push_back(std::move(agent));
  return hsaSuccess;
}

} // namespace

std::vector<Agent> listAgents(const Symbols &symbols) {
  Collection collection{symbols, {}};
  if (symbols.hsa_init() != hsaSuccess) // counted: HIP's own use goes on
    return {};
  symbols.hsa_iterate_agents(collect, &collection);
  symbols.hsa_shut_down();
  return std::move(collection.agents);
}

std::optional<Agent> findAgent(const std::vector<Agent> &agents, const std::string &pciBusId) {
  unsigned domain = 0, bus = 0, device = 0;
  if (sscanf(pciBusId.c_str(), "%x:%x:%x", &domain, &bus, &device) != 3)
    return std::nullopt;
  for (const Agent &agent : agents)
    if (agent.domain == domain && agent.busAndDevice == (bus << 5 | device))
      return agent;
  return std::nullopt;
}

} // namespace quern::runtime::hip
