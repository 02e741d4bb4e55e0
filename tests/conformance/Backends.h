//===- Backends.h - What is known of each backend under test --------------===//
//
// A test that a backend can never pass is *unsupported*; one that it does not pass yet is an *expected
// failure*. Both say why. Expected failures are run with --verify, and it is a failure when one passes, so
// that the list can only shrink.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TESTS_CONFORMANCE_BACKENDS_H
#define QUERN_TESTS_CONFORMANCE_BACKENDS_H

#include <span>
#include <string>
#include <vector>

namespace quern::conformance {

struct Exemption {
  const char *test; ///< "WildStoreIsReported"
  const char *reason;
};

struct BackendUnderTest {
  const char *name;   ///< for --backend
  const char *device; ///< what is opened
  const char *code;   ///< file of the kernels in the build's folder; %a stands for the device's architecture
  uint32_t blockThreads; ///< LaunchShape::threads for BLOCK_THREADS threads
  bool sharedIsScratch;  ///< reverse_block gets its memory through scratchBytes
  std::vector<Exemption> unsupported, expectedFailures;
};

/// Null for an unknown name.
const BackendUnderTest *findBackend(const std::string &name);
std::string backendNames();

} // namespace quern::conformance

#endif // QUERN_TESTS_CONFORMANCE_BACKENDS_H
