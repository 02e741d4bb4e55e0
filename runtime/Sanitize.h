//===- Sanitize.h - What an emulated device looks for ---------------------===//
#ifndef QUERN_RUNTIME_SANITIZE_H
#define QUERN_RUNTIME_SANITIZE_H

#include "support/Status.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace quern::runtime {

enum class Sanitize : uint8_t {
  Memory = 1, ///< alignment, races in shared memory, missing waits; part of every set but the empty one
  Uninitialised = 2, ///< reads of shared memory that nothing has written
  Registers = 4,     ///< reads of registers that nothing has written
  GlobalRaces = 8,   ///< races in global memory
  Fp8Nan = 16,       ///< conversions that give NaN of an 8-bit format
};

/// A set of checks. Accesses outside of an allocation are reported in any case.
class SanitizeSet {
public:
  bool has(Sanitize check) const { return bits & uint8_t(check); }
  bool empty() const { return bits == 0; }

  static SanitizeSet none() { return SanitizeSet(0); }
  /// Finds most faults at little cost.
  static SanitizeSet standard() { return SanitizeSet(3); }
  static SanitizeSet all() { return SanitizeSet(31); }
  /// "all", "none", or names with commas between them: "memory,registers". Exit::Usage "E-SANITIZE-CHECK"
  /// lists the names.
  static Expected<SanitizeSet> parse(std::string_view text);

  bool operator==(const SanitizeSet &) const = default;

private:
  explicit SanitizeSet(uint8_t bits) : bits(bits) {}
  uint8_t bits;
};

} // namespace quern::runtime

#endif // QUERN_RUNTIME_SANITIZE_H
