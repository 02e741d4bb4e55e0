//===- Emit.h - From LLVM operations to the bytes that a device loads -----===//
#ifndef QUERN_LOWERING_EMIT_EMIT_H
#define QUERN_LOWERING_EMIT_EMIT_H

#include "lowering/targets/Targets.h"
#include "support/Status.h"

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace quern::lowering {

/// What a device loads, and the text that people read.
struct EmittedCode {
  std::string bytes;    ///< PTX text, AMD code object, or CPU shared object
  std::string assembly; ///< PTX text or assembly; empty unless asked for
  std::string llvm;     ///< LLVM IR after optimisation; empty unless asked for
};

struct EmitOptions {
  bool llvm = false, assembly = false; ///< keep these texts
  bool code = true;                    ///< false ends with the optimised LLVM IR
};

/// Translates |module| (LLVM dialect only) to LLVM IR, runs LLVM's O3 pipeline with the target machine,
/// generates code and links it in this process. Exit::CompileFailed "E-CODEGEN-...".
Expected<EmittedCode> emitCode(mlir::ModuleOp module, const CodeTarget &target, const EmitOptions &options = {});

/// Registers the translation of the LLVM dialect with |registry|; needed before `emitCode`.
void registerEmission(mlir::DialectRegistry &registry);

} // namespace quern::lowering

#endif // QUERN_LOWERING_EMIT_EMIT_H
