//===- KernelExchange.h - Requests and compiled kernels as bytes ----------===//
//
// The forms in which kernels cross a border: between the compiler and its worker processes, and in the cache.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_LOWERING_KERNELEXCHANGE_H
#define QUERN_LOWERING_KERNELEXCHANGE_H

#include "lowering/KernelCompiler.h"

#include <optional>
#include <string_view>

namespace quern::lowering {

/// Reads what `KernelRequest::text` wrote. Exit::Usage "E-SCHEDULE-SYNTAX".
Expected<KernelRequest> parseKernelRequest(std::string_view text);

/// Facts, texts and code with a digest over all of them.
std::string writeCompiledKernel(const CompiledKernel &kernel);
/// Nothing where the bytes are not whole.
std::optional<CompiledKernel> readCompiledKernel(std::string_view bytes);

} // namespace quern::lowering

#endif // QUERN_LOWERING_KERNELEXCHANGE_H
