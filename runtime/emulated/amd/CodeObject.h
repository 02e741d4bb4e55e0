//===- CodeObject.h - Loads an AMD code object ----------------------------===//
//
// An ELF shared object for the AMDGPU target: loadable segments, relocations against them, kernel descriptors
// (symbols NAME.kd) and the metadata note (MessagePack). "User Guide for AMDGPU Backend", code object V5, is
// the reference for every field. The bytes are untrusted: every offset is checked.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_AMD_CODEOBJECT_H
#define QUERN_RUNTIME_EMULATED_AMD_CODEOBJECT_H

#include "support/Status.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace quern::runtime::emulated::amd {

/// One argument as the metadata describes it.
struct KernelArgument {
  std::string valueKind; ///< "global_buffer", "by_value", "hidden_block_count_x", ...
  uint32_t offset = 0, size = 0;
  bool hidden() const { return valueKind.starts_with("hidden_"); }
};

/// The 64-byte kernel descriptor, and what the metadata adds.
struct KernelCode {
  std::string name;
  uint64_t entry = 0; ///< link address of the first instruction
  uint32_t localBytes = 0, privateBytes = 0, kernargBytes = 0;
  uint32_t resource1 = 0, resource2 = 0, resource3 = 0;
  uint16_t properties = 0;
  uint8_t preloadDwords = 0;
  uint16_t preloadOffset = 0; ///< in dwords
  uint32_t waveSize = 64, maxThreads = 1024;
  uint32_t vectorRegisters = 0,
           scalarRegisters = 0; ///< as the metadata counts them, accumulation registers too
  bool usesDynamicStack = false;
  std::vector<KernelArgument> arguments;
};

struct CodeObject {
  /// Segments at their link addresses, page-aligned; host code never executes it.
  std::unique_ptr<uint8_t[]> storage;
  uint8_t *image = nullptr; ///< 4096-aligned within |storage|; link address 0
  uint64_t imageBytes = 0;
  std::vector<std::pair<uint64_t, uint64_t>> writable; ///< link address and size of the segments of variables
  uint64_t textAddress = 0, textBytes = 0;
  std::string target; ///< "gfx942", from the metadata
  std::vector<KernelCode> kernels;

  std::span<const uint8_t> text() const { return {image + textAddress, size_t(textBytes)}; }
};

Expected<CodeObject> readCodeObject(std::span<const std::byte> bytes);

} // namespace quern::runtime::emulated::amd

#endif // QUERN_RUNTIME_EMULATED_AMD_CODEOBJECT_H
