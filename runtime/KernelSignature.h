//===- KernelSignature.h - What arguments a compiled kernel takes ---------===//
//
// Passing a kernel fewer or narrower arguments than its code reads is undefined behaviour in every driver, so
// each backend reads the parameters out of the code it loads and checks a launch against them. Code that says
// only how wide a parameter is (PTX's `.b32`) leaves the kind open.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_KERNELSIGNATURE_H
#define QUERN_RUNTIME_KERNELSIGNATURE_H

#include "runtime/Device.h"
#include "support/Status.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quern::runtime {

/// Bytes that an argument of |kind| takes as a parameter of its own: 4 or 8, a tensor map 128.
constexpr uint32_t argumentBytes(ArgumentKind kind) {
  if (kind == ArgumentKind::TensorMap)
    return 128;
  return kind == ArgumentKind::Pointer || kind == ArgumentKind::I64 ? 8 : 4;
}

/// "pointer", "i32", "i64", "f32", "tensor map".
const char *argumentKindName(ArgumentKind kind);

struct Parameter {
  uint32_t bytes = 0;               ///< 4, 8 or 128
  std::optional<ArgumentKind> kind; ///< where the code says it
};

struct KernelSignature {
  std::vector<Parameter> parameters;

  /// From one letter per parameter: p pointer, i i32, l i64, f f32. Nothing for another letter.
  static std::optional<KernelSignature> fromLetters(std::string_view letters);

  /// Exit::Usage "E-LAUNCH-ARGUMENTS" where count, width or kind differs; names |kernel| and the first that
  /// does.
  Status check(const std::string &kernel, std::span<const Argument> arguments) const;
};

/// Exit::Unexpected "E-BUFFER-RANGE" unless [offset, offset + bytes) lies inside |buffer|; |verb| as in
/// "upload".
Status checkBufferRange(const Buffer &buffer, uint64_t offset, uint64_t bytes, const char *verb);

/// Exit::BadInput "E-KERNEL-MISSING".
Status kernelMissing(const std::string &symbol);

} // namespace quern::runtime

#endif // QUERN_RUNTIME_KERNELSIGNATURE_H
