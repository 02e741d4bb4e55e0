//===- WeightsOutput.h - The weights of an artifact -----------------------===//
#ifndef QUERN_LOWERING_WEIGHTSOUTPUT_H
#define QUERN_LOWERING_WEIGHTSOUTPUT_H

#include "lowering/Compile.h"
#include "lowering/import/ImportedModel.h"
#include "runtime/artifact/ArtifactWriter.h"
#include "runtime/plan/Plan.h"

#include "mlir/IR/BuiltinOps.h"

namespace quern::lowering {

/// Replaces the recipe of every weight by a read of a tensor of the weight's own name and type: random weights are
/// made in the form in which the kernels read them.
void makeRecipesRandom(mlir::ModuleOp module);

/// Embeds or links every tensor of the checkpoint that the census uses, or declares the random ones; adds names,
/// types, shapes and digests to |modelHash|. Embedded tensors stand in the order in which |plan| reads them, so that the
/// parts of a stack are one range of the file where their sizes are multiples of the tensors' alignment.
Status writeWeights(const CompileOptions &options, const import::ImportedModel &imported, mlir::ModuleOp module,
                    const runtime::Plan &plan, runtime::ArtifactWriter &writer, Sha256 &modelHash);

} // namespace quern::lowering

#endif // QUERN_LOWERING_WEIGHTSOUTPUT_H
