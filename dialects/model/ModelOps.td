//===- ModelOps.td - The operators ----------------------------*- tablegen -*-===//
//
// Every operator's description numbers its constraints: C1, C2, ... The same numbers stand in the verifier's
// comments and name the cases of tests/dialects/model/invalid-*.mlir. "(typed)" marks those that the declaration
// itself enforces.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_DIALECTS_MODEL_MODELOPS_TD
#define QUERN_DIALECTS_MODEL_MODELOPS_TD

include "dialects/model/ModelAttributes.td"
include "dialects/model/ModelTypes.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Model_Op<string mnemonic, list<Trait> traits = []> : Op<Model_Dialect, mnemonic, traits>;

/// An operator on values: no memory, no state.
class Model_PureOp<string mnemonic, list<Trait> traits = []>
    : Model_Op<mnemonic, !listconcat([Pure], traits)>;

/// A pure operator whose result type follows from its operands. Inference never fails (an operand that breaks a
/// constraint gives some type, and the verifier says what is wrong), so that builders may rely on it.
class Model_InferredOp<string mnemonic, list<Trait> traits = []>
    : Model_PureOp<mnemonic, !listconcat([DeclareOpInterfaceMethods<InferTypeOpInterface>], traits)>;

/// One tensor in, one of the same type out.
class Model_SameTypeOp<string mnemonic, list<Trait> traits = []>
    : Model_PureOp<mnemonic, !listconcat([AllTypesMatch<["x", "result"]>], traits)>;

include "dialects/model/ModelStructureOps.td"
include "dialects/model/ModelDenseOps.td"
include "dialects/model/ModelAttentionOps.td"
include "dialects/model/ModelMixtureOps.td"

#endif // QUERN_DIALECTS_MODEL_MODELOPS_TD
