//===- PtxParser.h - Reads PTX text ---------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_PTXPARSER_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_PTXPARSER_H

#include "runtime/emulated/nvidia/Ptx.h"
#include "support/Status.h"

namespace quern::runtime::emulated::nvidia {

/// Reads one PTX module. Exit::BadInput "E-EMULATED-CODE" with the line where the text is not PTX. Debug
/// sections are skipped; .loc lines are kept with the instructions they precede.
Expected<std::unique_ptr<Module>> parsePtx(std::string_view text);

} // namespace quern::runtime::emulated::nvidia

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_PTXPARSER_H
