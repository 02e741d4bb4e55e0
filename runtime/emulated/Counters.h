//===- Counters.h - Counts what kernels do to memory ----------------------===//
//
// `Counters` belongs to one host thread while a launch runs; the machine hands it the addresses of each
// access of a warp, and adds those of all host threads up when the launch has ended (`collect`).
//
// Shared memory is a row of banks of four bytes, and a wide access is served in phases: `BankPhases` says
// which lanes are served together, as XOR sums of a few lane numbers. The rules are written here again, from
// the sources that the machines' folders name, apart from those of the compiler (dialects/tile); a test
// compares the two and their results.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_COUNTERS_H
#define QUERN_RUNTIME_EMULATED_COUNTERS_H

#include "runtime/KernelCounters.h"

#include <array>
#include <span>
#include <unordered_map>
#include <vector>

namespace quern::runtime::emulated {

struct BankPhases {
  bool write = false;
  uint32_t bytes = 4;             ///< of one lane's access; narrower ones follow the next wider rule
  uint32_t banks = 32;            ///< of four bytes
  std::vector<uint32_t> together; ///< lanes of one phase: XOR sums of these; the other phases are its cosets
};

/// How a target serves the accesses of a warp.
struct MemoryRules {
  uint32_t lanes = 32;
  uint32_t sectorBytes = 32; ///< of global memory
  std::vector<BankPhases> banks;

  /// The rule of the narrowest width that is at least |bytes|; the widest where none is.
  const BankPhases &bankRule(bool write, uint32_t bytes) const;
};

class Counters {
public:
  explicit Counters(const MemoryRules &rules);

  /// An access of a warp to shared memory: |addresses| by lane, of which those in |lanes| count; |bytes|
  /// each.
  void shared(bool write, const uint64_t *addresses, uint64_t lanes, uint32_t bytes);
  /// Rows of 16 bytes, eight at a time, that the lanes of |lanes| name: ldmatrix and stmatrix.
  void sharedRows(bool write, const uint64_t *addresses, uint64_t lanes, uint32_t rowBytes);
  /// |bytes| in one piece to or from shared memory, without lanes: never a conflict.
  void sharedPiece(bool write, uint64_t bytes);
  void global(bool write, const uint64_t *addresses, uint64_t lanes, uint32_t bytes);
  /// A run of bytes of global memory, one request where |first|.
  void globalPiece(bool write, uint64_t address, uint64_t bytes, bool first = true);

  /// What is counted by hand: opcodes, matrix operations, barriers.
  KernelCounters &total() { return sum; }
  /// Everything that |all| have counted; the sectors that several have touched count once.
  static KernelCounters collect(std::span<Counters *const> all);

private:
  /// Which sectors of 4096 bytes have been touched.
  using Page = std::array<uint64_t, 2>;
  using Pages = std::unordered_map<uint64_t, Page>;
  void touch(bool write, uint64_t firstSector, uint64_t lastSector);
  void phase(SharedCount &count, const BankPhases &rule, const uint64_t *words, unsigned number);

  const MemoryRules &rules;
  /// By rule of |rules|: the phase of each lane.
  std::vector<std::array<uint8_t, 64>> phaseOf;
  KernelCounters sum;
  Pages read, written;
};

} // namespace quern::runtime::emulated

#endif // QUERN_RUNTIME_EMULATED_COUNTERS_H
