//===- TargetSpec.h - What code is made for, as written on the command line ----===//
//
//   nvidia:sm_90a                      a GPU architecture
//   nvidia:sm_90a,sms=44,mem=26GiB     a part of a card: units and memory to plan for
//   cpu                                the fixed set of the CPU, chosen from when the code is loaded
//   cpu:x86-64-v4                      one member of that set
//   cpu:native                         the member that fits the compiling machine (CpuFeatures.h resolves it)
//   h100                               an alias, see `targetAliases()`
//
// `text()` is the canonical form: equal specs have equal texts, and a text parses to its spec.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_SUPPORT_TARGET_TARGETSPEC_H
#define QUERN_SUPPORT_TARGET_TARGETSPEC_H

#include "support/Status.h"
#include "support/target/KnownTargets.h"

#include <string>
#include <vector>

namespace quern {

struct TargetSpec {
  std::string vendor;             ///< "nvidia", "amd", "cpu"
  std::string architecture;       ///< empty for plain `cpu`; "native" for cpu:native
  std::optional<uint32_t> units;  ///< given on the command line; absent means those of the card
  std::optional<uint64_t> memory; ///< bytes, likewise

  /// "nvidia:sm_90a": without options.
  std::string name() const;
  /// With options, in canonical order and units.
  std::string text() const;
  /// `text()` as a folder name in an artifact: the colon and the commas are replaced by `-`.
  std::string folder() const;

  bool isCpu() const { return vendor == "cpu"; }
  bool isNative() const { return isCpu() && architecture == "native"; }
  /// The targets that code is generated for: one, or the fixed set for plain `cpu`. Empty for cpu:native until
  /// it is resolved.
  std::vector<const TargetInfo *> members() const;
  /// The first of `members()`; null for an unresolved cpu:native.
  const TargetInfo *info() const;
  /// Units and memory to plan for: as given, else of the card that stands for the target; 0 for a CPU.
  uint32_t plannedUnits() const;
  uint64_t plannedMemory() const;

  bool operator==(const TargetSpec &) const = default;
};

/// Exit::Unsupported "E-TARGET-UNKNOWN" with the known names; Exit::Usage "E-TARGET-OPTION".
Expected<TargetSpec> parseTarget(std::string_view text);

/// Parses a list and drops repetitions, keeping the order. Exit::Usage "E-TARGET-OPTION" for an empty list.
Expected<std::vector<TargetSpec>> parseTargets(const std::vector<std::string> &texts);

/// Bytes from "26GiB", "512MiB", "4096" or "80GB"; nullopt for anything else, zero and overflow included.
std::optional<uint64_t> parseByteSize(std::string_view text);
/// The shortest exact text in powers of 1024: "26GiB", "1536MiB", "1000".
std::string byteSizeText(uint64_t bytes);

/// What is known of a device when code is chosen for it.
struct DeviceFacts {
  std::string_view vendor;       ///< "nvidia"
  std::string_view architecture; ///< without sub-features: "sm_90", "gfx942"
  uint32_t units;
};

/// Index of the entry of |targets| whose code runs best on a GPU: its exact architecture, else the highest
/// forward-compatible one not above it. Of several for one architecture the one made for exactly the device's
/// number of units is taken, else one made for no particular number, else the largest number below.
/// Exit::Unsupported "E-TARGET-NOT-IN-ARTIFACT", naming the `--target` to add.
Expected<size_t> chooseTarget(const std::vector<TargetSpec> &targets, const DeviceFacts &device);

} // namespace quern

#endif // QUERN_SUPPORT_TARGET_TARGETSPEC_H
