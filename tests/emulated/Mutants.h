//===- Mutants.h - Kernels with one fault each ----------------------------===//
//
// Makes faulty versions of a kernel from its PTX text or its AMD machine code, one change each. Two classes:
//
//   * of order: a barrier, a wait or a fence is gone. In PTX a wait for an mbarrier is replaced by "true"; in
//     machine code the instruction is replaced by s_nop 0, and a wait counter by one that waits for nothing.
//   * of data: another offset in an address, a comparison that takes one more or one less, a mask (guard,
//     EXEC) that is gone, another constant in the bit arithmetic of addresses, swizzles and descriptors.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TESTS_EMULATED_MUTANTS_H
#define QUERN_TESTS_EMULATED_MUTANTS_H

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace quern::test {

struct Mutant {
  std::string kind;  ///< "barrier", "wait", "fence"; "offset", "bound", "mask", "bits"
  std::string place; ///< line or address, and the instruction as it was
  std::vector<std::byte> code;
  uint64_t address = 0; ///< machine code: of the instruction, as linked

  bool isOfOrder() const { return kind == "barrier" || kind == "wait" || kind == "fence"; }
};

std::vector<Mutant> ptxMutants(std::span<const std::byte> text);
/// |target|: "gfx942". The code object holds one kernel.
std::vector<Mutant> codeObjectMutants(const std::string &target, std::span<const std::byte> code);

} // namespace quern::test

#endif // QUERN_TESTS_EMULATED_MUTANTS_H
