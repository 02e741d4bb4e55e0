//===- BulkReduce.h - Reductions in memory --------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_BULKREDUCE_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_BULKREDUCE_H

#include "runtime/emulated/nvidia/BulkForm.h"

#include <cstddef>

namespace quern::runtime::emulated::nvidia {

uint32_t bytesOf(BulkForm::Type type);
/// Combines |bytes| bytes of elements at |to| with those at |from|, each atomically (PTX ISA 9.7.9.25.4.2:
/// relaxed, at the scope of the device). False where |type| has no such |reduction|.
bool reduceInto(std::byte *to, const std::byte *from, size_t bytes, BulkForm::Reduction reduction,
                BulkForm::Type type);
bool hasReduction(BulkForm::Reduction reduction, BulkForm::Type type);

} // namespace quern::runtime::emulated::nvidia

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_BULKREDUCE_H
