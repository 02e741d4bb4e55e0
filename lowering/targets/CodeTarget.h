//===- CodeTarget.h - The targets that code can be made for ---------------===//
#ifndef QUERN_LOWERING_TARGETS_CODETARGET_H
#define QUERN_LOWERING_TARGETS_CODETARGET_H

#include "support/Status.h"
#include "support/target/TargetSpec.h"

#include <cstdint>
#include <string>
#include <vector>

namespace quern::lowering {

/// How code is made for one target: what LLVM is told, and what a block looks like.
struct CodeTarget {
  std::string name;   ///< "nvidia:sm_90a", "amd:gfx942", "cpu:x86-64-v4"
  std::string vendor; ///< the part of the name before the colon
  std::string triple, cpu, features;
  int32_t lanes = 32; ///< lanes of a warp; SIMD lanes of f32 on the CPU
  bool simd = false;
  int32_t vectorBytes = 16; ///< widest memory access of one lane
  int32_t warps = 4;        ///< warps of a block by default; 1 on the CPU
  int32_t sharedLimit = 0;  ///< bytes of static shared memory a block may declare; 0 for no limit
  int32_t dynamicLimit = 0; ///< bytes that a launch may ask for instead; 0 where it cannot

  /// Whether a block that needs |bytes| gets them from its launch.
  bool asksForShared(int32_t bytes) const {
    return sharedLimit && bytes > sharedLimit && bytes <= dynamicLimit;
  }
};

/// The code targets behind a target name: one for a GPU, one for each level of the fixed set behind `cpu`
/// (contract 2). Exit::Unsupported "E-TARGET-UNKNOWN".
Expected<std::vector<CodeTarget>> codeTargets(const std::string &target);

} // namespace quern::lowering

#endif // QUERN_LOWERING_TARGETS_CODETARGET_H
