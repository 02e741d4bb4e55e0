//===- ModelTypes.td - Block-scaled tensors and caches --------*- tablegen -*-===//
#ifndef QUERN_DIALECTS_MODEL_MODELTYPES_TD
#define QUERN_DIALECTS_MODEL_MODELTYPES_TD

include "dialects/model/ModelDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/CommonTypeConstraints.td"

class Model_Type<string name, string typeMnemonic> : TypeDef<Model_Dialect, name> {
  let mnemonic = typeMnemonic;
  let genVerifyDecl = 1;
}

def Model_BlockScaledType : Model_Type<"BlockScaled", "block_scaled"> {
  let summary = "An fp8 tensor with one scale for each block of its last two dimensions";
  let description = [{
    Value `[..., i, j]` is `code[..., i, j] * scale[..., i / block0, j / block1]`. The last block of a dimension may
    be short. Scales have the shape of the tensor with the last two dimensions divided by the block, rounded up.

    The scale type is `f32`, or `f8E8M0FNU` for powers of two; with the latter activations that meet this weight are
    quantised with power-of-two scales too. Weights have 128x128 blocks, quantised activations 1x128.

    - C1: rank 2 or 3; only the first dimension may be dynamic.
    - C2: the element type is `f8E4M3FN`, `f8E4M3FNUZ` or `f8E5M2`.
    - C3: the block has two dimensions, both positive.
    - C4: the scale type is `f32` or `f8E8M0FNU`.

    Example: `!model.block_scaled<7168x2048xf8E4M3FN, 128x128, f32>`
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$shape, "::mlir::Type":$elementType,
                        ArrayRefParameter<"int64_t">:$block, "::mlir::Type":$scaleType);
  let hasCustomAssemblyFormat = 1; // dimension lists (7168x2048) have no declarative form
  let extraClassDeclaration = [{
    int64_t getRank() const { return static_cast<int64_t>(getShape().size()); }
    /// True when the scales are powers of two.
    bool hasPowerOfTwoScales() const { return !getScaleType().isF32(); }
    /// Shape of the scales; a dynamic dimension stays dynamic when its block is 1.
    ::llvm::SmallVector<int64_t> getScaleShape() const;
  }];
}

def Model_LatentCacheType : Model_Type<"LatentCache", "latent_cache"> {
  let summary = "The cache of latent attention: a latent and a rotated key for each token and layer";
  let description = [{
    Holds `latent + rope` values for each layer, sequence and position: the latent after its norm, the shared key
    part after rotation.

    - C1: layers, latent and rope are positive.
    - C2: the element type is `bf16` or `f32`.

    Example: `!model.latent_cache<layers = 61, latent = 512, rope = 64, element = bf16>`
  }];
  let parameters = (ins "int64_t":$layers, "int64_t":$latent, "int64_t":$rope, "::mlir::Type":$element);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Model_HeadCacheType : Model_Type<"HeadCache", "head_cache"> {
  let summary = "The cache of grouped-query attention: keys and values of each key-value head";
  let description = [{
    Holds `heads * (key + value)` values for each layer, sequence and position, keys after rotation.

    - C1: layers, heads, key and value are positive.
    - C2: the element type is `bf16` or `f32`.

    Example: `!model.head_cache<layers = 32, heads = 8, key = 128, value = 128, element = bf16>`
  }];
  let parameters = (ins "int64_t":$layers, "int64_t":$heads, "int64_t":$key, "int64_t":$value,
                        "::mlir::Type":$element);
  let assemblyFormat = "`<` struct(params) `>`";
}

//===-- Constraints that operators share ------------------------------------------------------------------===//

def Model_AnyCache : AnyTypeOf<[Model_LatentCacheType, Model_HeadCacheType], "a cache">;

/// Token ids, positions, sequence indices, row indices. Its type is fixed, so that it is never written out.
def Model_Integers : Type<CPred<"::llvm::isa<::mlir::RankedTensorType>($_self) && "
                                "$_self == ::mlir::RankedTensorType::get({::mlir::ShapedType::kDynamic}, "
                                "::mlir::IntegerType::get($_self.getContext(), 32))">, "tensor<?xi32>">,
                     BuildableType<"::mlir::RankedTensorType::get({::mlir::ShapedType::kDynamic}, "
                                   "$_builder.getI32Type())">;

def Model_Rows : TensorRankOf<[BF16, F32], [2]>;
def Model_Heads : TensorRankOf<[BF16, F32], [3]>;
def Model_RowsOrHeads : TensorRankOf<[BF16, F32], [2, 3]>;
def Model_Vector : TensorRankOf<[BF16, F32], [1]>;
def Model_Logits : TensorRankOf<[F32], [2]>;

def Model_Matrix : AnyTypeOf<[TensorRankOf<[BF16, F32], [2]>, Model_BlockScaledType],
                             "a matrix of bf16 or f32 values, or block-scaled">;
def Model_MatrixStack : AnyTypeOf<[TensorRankOf<[BF16, F32], [3]>, Model_BlockScaledType],
                                  "a stack of matrices of bf16 or f32 values, or block-scaled">;
def Model_RowsOrQuantised : AnyTypeOf<[TensorRankOf<[BF16, F32], [2]>, Model_BlockScaledType],
                                      "rows of bf16 or f32 values, or quantised rows">;

#endif // QUERN_DIALECTS_MODEL_MODELTYPES_TD
