//===- ModelAttributes.td - Kinds, and how a weight is made ---*- tablegen -*-===//
#ifndef QUERN_DIALECTS_MODEL_MODELATTRIBUTES_TD
#define QUERN_DIALECTS_MODEL_MODELATTRIBUTES_TD

include "dialects/model/ModelDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

//===-- Kinds ---------------------------------------------------------------------------------------------===//

class Model_Enum<string name, string text, list<I32EnumAttrCase> cases> : I32EnumAttr<name, text, cases> {
  let cppNamespace = "::quern::model";
}

def Model_ActivationKind : Model_Enum<"ActivationKind", "Elementwise function", [
  I32EnumAttrCase<"Silu", 0, "silu">,          // x * sigmoid(x)
  I32EnumAttrCase<"Gelu", 1, "gelu">,          // x * (1 + erf(x / sqrt 2)) / 2
  I32EnumAttrCase<"GeluTanh", 2, "gelu_tanh">, // x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2
  I32EnumAttrCase<"QuickGelu", 3, "quick_gelu">, // x * sigmoid(1.702 x)
  I32EnumAttrCase<"Relu", 4, "relu">,          // max(x, 0)
  I32EnumAttrCase<"Relu2", 5, "relu2">,        // max(x, 0)^2
  I32EnumAttrCase<"Sigmoid", 6, "sigmoid">,    // 1 / (1 + exp(-x))
  I32EnumAttrCase<"Tanh", 7, "tanh">]>;

def Model_RopeLayout : Model_Enum<"RopeLayout", "Which elements rotate together", [
  I32EnumAttrCase<"Half", 0, "half">,                 // (i, i + d/2)
  I32EnumAttrCase<"Interleaved", 1, "interleaved">]>; // (2i, 2i + 1)

def Model_LatentForm : Model_Enum<"LatentForm", "How latent attention is computed", [
  I32EnumAttrCase<"Expanded", 0, "expanded">,   // keys and values made from the latent
  I32EnumAttrCase<"Absorbed", 1, "absorbed">]>; // the query moved into the latent space

def Model_Scoring : Model_Enum<"Scoring", "How router logits become scores", [
  I32EnumAttrCase<"Softmax", 0, "softmax">, I32EnumAttrCase<"Sigmoid", 1, "sigmoid">]>;

def Model_GroupScore : Model_Enum<"GroupScore", "What a group of experts is ranked by", [
  I32EnumAttrCase<"Max", 0, "max">,     // its best choice score
  I32EnumAttrCase<"Top2", 1, "top2">]>; // the sum of its two best choice scores

/// Angles per position, one for each pair of elements. A dense attribute, because its text keeps every bit.
def Model_Frequencies : Attr<CPred<"::llvm::isa<::mlir::DenseFPElementsAttr>($_self) && "
                                   "::llvm::cast<::mlir::DenseFPElementsAttr>($_self).getElementType().isF32() && "
                                   "::llvm::cast<::mlir::DenseFPElementsAttr>($_self).getType().getRank() == 1">,
                             "frequencies: a dense vector of f32 values"> {
  let storageType = "::mlir::DenseFPElementsAttr";
  let returnType = "::mlir::DenseFPElementsAttr";
  let convertFromStorage = "$_self";
}

//===-- Recipes: how a weight is made from checkpoint tensors ---------------------------------------------===//
//
// A recipe is a tree whose leaves are `read`. Names may hold the placeholders `{layer}` (bound by the use) and
// those that a `stack` binds. On block-scaled tensors every step applies to codes and scales alike and must cut at
// block edges. The outcome is converted to the declared element type, rounded to nearest even.

class Model_Recipe<string name, string attrMnemonic> : AttrDef<Model_Dialect, name> {
  let mnemonic = attrMnemonic;
}

def Model_ReadAttr : Model_Recipe<"Read", "read"> {
  let summary = "A tensor of the checkpoint, with its scales where it has them";
  let description = "Example: `#model.read<\"a.weight\", scale = \"a.weight_scale_inv\">`";
  let parameters = (ins "::mlir::StringAttr":$name, OptionalParameter<"::mlir::StringAttr">:$scale);
  let assemblyFormat = "`<` $name (`,` `scale` `=` $scale^)? `>`";
  let builders = [AttrBuilder<(ins "::llvm::StringRef":$name, CArg<"::llvm::StringRef", "{}">:$scale), [{
    return $_get($_ctxt, ::mlir::StringAttr::get($_ctxt, name),
                 scale.empty() ? ::mlir::StringAttr() : ::mlir::StringAttr::get($_ctxt, scale));
  }]>];
}

def Model_SliceAttr : Model_Recipe<"Slice", "slice"> {
  let summary = "The indices from `begin` to before `end` of one dimension";
  let description = "Example: `#model.slice<dim = 0, 128 to 256, #model.read<\"a\">>`";
  let parameters = (ins "int64_t":$dim, "int64_t":$begin, "int64_t":$end, "::mlir::Attribute":$source);
  let assemblyFormat = "`<` `dim` `=` $dim `,` $begin `to` $end `,` $source `>`";
  let genVerifyDecl = 1;
}

def Model_ConcatAttr : Model_Recipe<"Concat", "concat"> {
  let summary = "Tensors one after another along one dimension";
  let description = "Example: `#model.concat<dim = 0, [#model.read<\"gate\">, #model.read<\"up\">]>`";
  let parameters = (ins "int64_t":$dim, ArrayRefParameter<"::mlir::Attribute">:$sources);
  let assemblyFormat = "`<` `dim` `=` $dim `,` `[` $sources `]` `>`";
  let genVerifyDecl = 1;
}

def Model_StackAttr : Model_Recipe<"Stack", "stack"> {
  let summary = "One tensor for each value of a placeholder, along a new first dimension";
  let description = "Example: `#model.stack<\"expert\", 64, #model.read<\"experts.{expert}.w1.weight\">>`";
  let parameters = (ins "::mlir::StringAttr":$placeholder, "int64_t":$count, "::mlir::Attribute":$source);
  let assemblyFormat = "`<` $placeholder `,` $count `,` $source `>`";
  let genVerifyDecl = 1;
}

def Model_TransposeAttr : Model_Recipe<"Transpose", "transpose"> {
  let summary = "Dimensions in another order; dimension i of the result is dimension `permutation[i]` of the source";
  let description = "Example: `#model.transpose<[1, 0], #model.read<\"a\">>`";
  let parameters = (ins ArrayRefParameter<"int64_t">:$permutation, "::mlir::Attribute":$source);
  let assemblyFormat = "`<` `[` $permutation `]` `,` $source `>`";
  let genVerifyDecl = 1;
}

def Model_ReshapeAttr : Model_Recipe<"Reshape", "reshape"> {
  let summary = "The same elements in row-major order under another shape";
  let description = "Example: `#model.reshape<[64, 2, 128], #model.read<\"a\">>`";
  let parameters = (ins ArrayRefParameter<"int64_t">:$shape, "::mlir::Attribute":$source);
  let assemblyFormat = "`<` `[` $shape `]` `,` $source `>`";
  let genVerifyDecl = 1;
}

def Model_DequantiseAttr : Model_Recipe<"Dequantise", "dequantise"> {
  let summary = "Codes times scales, the product taken in fp32 and rounded to bf16";
  let description = "Example: `#model.dequantise<#model.read<\"a\", scale = \"b\">>`";
  let parameters = (ins "::mlir::Attribute":$source);
  let assemblyFormat = "`<` $source `>`";
  let genVerifyDecl = 1;
}

#endif // QUERN_DIALECTS_MODEL_MODELATTRIBUTES_TD
