//===- KernelTexts.h - The kernel texts, embedded in the program ----------===//
//
// kernels/<kernel>/tile.mlir and space.json are compiled into a generated library, so that a static program
// needs no install tree.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_KERNELS_KERNELTEXTS_H
#define QUERN_KERNELS_KERNELTEXTS_H

#include <span>
#include <string_view>

namespace quern {

struct KernelText {
  const char *name; ///< folder name
  const char *path; ///< "kernels/<kernel>/tile.mlir", as it appears in locations
  const char *text; ///< ends with a zero byte
};

/// All kernels in the order of their names.
std::span<const KernelText> kernelTexts();
/// The space.json of those that have one, in the order of their names.
std::span<const KernelText> kernelSpaces();
/// Null where there is none of that name.
const KernelText *findKernelText(std::string_view name);
/// kernels/<kernel>/space.json (docs/Tuning.md); null where the kernel has none.
const KernelText *findKernelSpace(std::string_view name);

} // namespace quern

#endif // QUERN_KERNELS_KERNELTEXTS_H
