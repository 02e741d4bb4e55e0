//===- HsaShim.cpp - A test-only libhsa-runtime64.so.1 --------------------===//
//
// Shows a processor, a GPU at another PCI address and the GPU that HipShim calls device 0, so that matching
// them by anything but the address finds the wrong one. QUERN_SHIM_NO_AGENT hides the last.
//
//===----------------------------------------------------------------------===//
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#define EXPORT extern "C" __attribute__((visibility("default"))) int

namespace {
int users = 0;
constexpr int failed = 0x1000;
} // namespace

EXPORT hsa_init() { return ++users, 0; }
EXPORT hsa_shut_down() { return --users, 0; }

EXPORT hsa_iterate_agents(int (*callback)(uint64_t, void *), void *data) {
  const uint64_t last = getenv("QUERN_SHIM_NO_AGENT") ? 2 : 3;
  for (uint64_t agent = 1; users > 0 && agent <= last; ++agent)
    if (int result = callback(agent, data))
      return result;
  return users > 0 ? 0 : failed;
}

EXPORT hsa_agent_get_info(uint64_t agent, int attribute, void *value) {
  if (users <= 0 || agent < 1 || agent > 3)
    return failed;
  const char *target = getenv("QUERN_SHIM_TARGET");
  switch (attribute) {
  case 0:
    snprintf(static_cast<char *>(value), 64, "%s",
             agent == 1          ? "A Processor"
             : agent == 2        ? "gfx90a"
             : target && *target ? target
                                 : "gfx942");
    return 0;
  case 17:
    return *static_cast<uint32_t *>(value) = agent == 1 ? 0 : 1, 0;
  case 0xA000:
    return *static_cast<uint32_t *>(value) = agent == 3 ? 0x74A1 : 0x740C, 0;
  case 0xA002:
    return *static_cast<uint32_t *>(value) = agent == 3 ? 304 : 110, 0;
  case 0xA006:
    return *static_cast<uint32_t *>(value) = agent == 1 ? 0 : agent == 2 ? 0x0300 : 0xC100, 0;
  case 0xA008:
    return *static_cast<uint32_t *>(value) = 1300, 0;
  case 0xA00F:
    return *static_cast<uint32_t *>(value) = 0, 0;
  default:
    return failed;
  }
}
