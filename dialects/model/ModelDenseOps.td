//===- ModelDenseOps.td - Norms, linears, elementwise, views --*- tablegen -*-===//

//===-- Norms ---------------------------------------------------------------------------------------------===//

def Model_RMSNormOp : Model_SameTypeOp<"rms_norm"> {
  let summary = "Root-mean-square norm over the last dimension";
  let description = [{
    `result_i = (weight_i + weight_offset) * x_i / sqrt(mean_j(x_j^2) + eps)`, fp32 throughout, rounded once. On
    rank 3 each head is normed alone, all with the same weight. Without a weight the factor is 1.

    - C1: the weight has as many elements as the last dimension of x.
    - C2: eps is positive and finite.

    ```mlir
    %y = model.rms_norm %x weight %w eps 1.0e-6 : tensor<?x128xbf16>, tensor<128xbf16>
    ```
  }];
  let arguments = (ins Model_RowsOrHeads:$x, Optional<Model_Vector>:$weight, F64Attr:$eps,
                       DefaultValuedAttr<F64Attr, "0.0">:$weight_offset);
  let results = (outs Model_RowsOrHeads:$result);
  let assemblyFormat = [{
    $x (`weight` $weight^)? `eps` $eps (`weight_offset` $weight_offset^)? attr-dict
    `:` type($x) (`,` type($weight)^)?
  }];
  let hasVerifier = 1;
}

def Model_AddRMSNormOp : Model_PureOp<"add_rms_norm", [AllTypesMatch<["x", "residual", "sum", "result"]>]> {
  let summary = "Residual sum and its root-mean-square norm in one operator";
  let description = [{
    `s = x + residual` in fp32; `sum` is s rounded, `result` is the norm of the *un-rounded* s (`model.rms_norm`'s
    formula), rounded once. The fusion is the operator: a norm of the rounded sum is another number.

    - C1: the weight has as many elements as the last dimension of x.
    - C2: eps is positive and finite.

    ```mlir
    %s, %y = model.add_rms_norm %x, %r weight %w eps 1.0e-6 : tensor<?x128xbf16>, tensor<128xbf16>
    ```
  }];
  let arguments = (ins Model_Rows:$x, Model_Rows:$residual, Optional<Model_Vector>:$weight, F64Attr:$eps,
                       DefaultValuedAttr<F64Attr, "0.0">:$weight_offset);
  let results = (outs Model_Rows:$sum, Model_Rows:$result);
  let assemblyFormat = [{
    $x `,` $residual (`weight` $weight^)? `eps` $eps (`weight_offset` $weight_offset^)? attr-dict
    `:` type($x) (`,` type($weight)^)?
  }];
  let hasVerifier = 1;
}

def Model_LayerNormOp : Model_SameTypeOp<"layer_norm", [AttrSizedOperandSegments]> {
  let summary = "Norm over the last dimension with the mean taken away";
  let description = [{
    `result_i = weight_i * (x_i - mean) / sqrt(var + eps) + bias_i`; mean and variance (divided by n) in fp32 with
    fp64 sums. Absent weight is 1, absent bias 0.

    - C1: weight and bias have as many elements as the last dimension of x.
    - C2: eps is positive and finite.

    ```mlir
    %y = model.layer_norm %x weight %w : tensor<128xbf16> bias %b : tensor<128xbf16> eps 1.0e-5 : tensor<?x128xbf16>
    ```
  }];
  let arguments = (ins Model_RowsOrHeads:$x, Optional<Model_Vector>:$weight, Optional<Model_Vector>:$bias,
                       F64Attr:$eps);
  let results = (outs Model_RowsOrHeads:$result);
  let assemblyFormat = [{
    $x (`weight` $weight^ `:` type($weight))? (`bias` $bias^ `:` type($bias))? `eps` $eps attr-dict `:` type($x)
  }];
  let hasVerifier = 1;
}

//===-- Linear --------------------------------------------------------------------------------------------===//

def Model_LinearOp : Model_PureOp<"linear"> {
  let summary = "Rows times a transposed matrix, with an optional bias";
  let description = [{
    `result[t, n] = sum_k x[t, k] * weight[n, k] + bias[n]`, one rounding. With a block-scaled weight the rung decides:

    - `fp8`: x is quantised 1x128 (`model.quantise`) unless it comes quantised, the sum runs over codes, one factor
      `scale_x * scale_w` per block of 128;
    - `fp8-weights` and `bf16`: the weight is dequantised (product in fp32, rounded to bf16), x stays as it is.

    - C1: weight columns equal x columns.
    - C2: result rows equal x rows, result columns equal weight rows.
    - C3: the bias has as many elements as the weight has rows.
    - C4: a quantised x meets a block-scaled weight.
    - C5: a block-scaled weight has rank 2.

    ```mlir
    %y = model.linear %x, %w bias %b : tensor<?x128xbf16>, tensor<384x128xbf16>, tensor<384xbf16> -> tensor<?x384xbf16>
    ```
  }];
  let arguments = (ins Model_RowsOrQuantised:$x, Model_Matrix:$weight, Optional<Model_Vector>:$bias);
  let results = (outs Model_Rows:$result);
  let assemblyFormat = [{
    $x `,` $weight (`bias` $bias^)? attr-dict `:` type($x) `,` type($weight) (`,` type($bias)^)? `->` type($result)
  }];
  let hasVerifier = 1;
  let builders = [OpBuilder<(ins "::mlir::Type":$result, "::mlir::Value":$x, "::mlir::Value":$weight), [{
    build($_builder, $_state, result, x, weight, ::mlir::Value());
  }]>];
}

def Model_QuantiseOp : Model_PureOp<"quantise"> {
  let summary = "Rows in fp8 with one scale for each 128 columns";
  let description = [{
    Per tile of 128 columns: `a = max(max |x|, 1e-4)`, `scale = a / 448` (`a / 224` for f8E4M3FNUZ), rounded up to a
    power of two where the scale type is f8E8M0FNU; `code = saturate(round(x / scale))`, ties to even
    (`support/Float8`, `quantiseRow`). Inserted for targets of the fp8 rung, so that the quantised rows are a value of
    their own.

    - C1: the result has the shape of x and 1x128 blocks.

    ```mlir
    %q = model.quantise %x : tensor<?x256xbf16> -> !model.block_scaled<?x256xf8E4M3FN, 1x128, f32>
    ```
  }];
  let arguments = (ins Model_Rows:$x);
  let results = (outs Model_BlockScaledType:$result);
  let assemblyFormat = "$x attr-dict `:` type($x) `->` qualified(type($result))";
  let hasVerifier = 1;
}

//===-- Elementwise ---------------------------------------------------------------------------------------===//

def Model_AddOp : Model_PureOp<"add", [AllTypesMatch<["lhs", "rhs", "result"]>]> {
  let summary = "Elementwise sum";
  let description = [{
    ```mlir
    %y = model.add %a, %b : tensor<?x128xbf16>
    ```
  }];
  let arguments = (ins Model_RowsOrHeads:$lhs, Model_RowsOrHeads:$rhs);
  let results = (outs Model_RowsOrHeads:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($lhs)";
}

def Model_MulOp : Model_PureOp<"mul", [AllTypesMatch<["lhs", "result"]>]> {
  let summary = "Elementwise product; a right-hand side of one column multiplies whole rows";
  let description = [{
    - C1: rhs has the shape of lhs, or the same rows and one column.

    ```mlir
    %y = model.mul %a, %gate : tensor<?x128xbf16>, tensor<?x1xbf16>
    ```
  }];
  let arguments = (ins Model_Rows:$lhs, Model_Rows:$rhs);
  let results = (outs Model_Rows:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs)";
  let hasVerifier = 1;
}

def Model_ScaleOp : Model_SameTypeOp<"scale"> {
  let summary = "Every element times a constant (rounded to fp32)";
  let description = [{
    - C1: the factor is finite.

    ```mlir
    %y = model.scale %x by 0.5 : tensor<?x128xbf16>
    ```
  }];
  let arguments = (ins Model_RowsOrHeads:$x, F64Attr:$factor);
  let results = (outs Model_RowsOrHeads:$result);
  let assemblyFormat = "$x `by` $factor attr-dict `:` type($x)";
  let hasVerifier = 1;
}

def Model_SoftcapOp : Model_SameTypeOp<"softcap"> {
  let summary = "cap * tanh(x / cap): bounded, the identity near zero";
  let description = [{
    - C1: the cap is positive and finite.

    ```mlir
    %y = model.softcap %logits cap 30.0 : tensor<?x256xf32>
    ```
  }];
  let arguments = (ins Model_RowsOrHeads:$x, F64Attr:$cap);
  let results = (outs Model_RowsOrHeads:$result);
  let assemblyFormat = "$x `cap` $cap attr-dict `:` type($x)";
  let hasVerifier = 1;
}

def Model_ActivationOp : Model_SameTypeOp<"activation"> {
  let summary = "An elementwise function";
  let description = [{
    ```mlir
    %y = model.activation gelu_tanh %x : tensor<?x128xbf16>
    ```
  }];
  let arguments = (ins Model_ActivationKind:$kind, Model_RowsOrHeads:$x);
  let results = (outs Model_RowsOrHeads:$result);
  let assemblyFormat = "$kind $x attr-dict `:` type($x)";
}

def Model_GatedOp : Model_InferredOp<"gated"> {
  let summary = "act(gate) * up, from one fused tensor or two";
  let description = [{
    Activation and product in fp32, rounded once. Without `up` the first half of gate's columns is the gate and the
    second half is up.

    - C1: a fused operand has an even number of columns.
    - C2: gate and up have the same type.

    ```mlir
    %a = model.gated silu %gate_up : tensor<?x512xbf16>
    %b = model.gated silu %gate, %up : tensor<?x256xbf16>, tensor<?x256xbf16>
    ```
  }];
  let arguments = (ins Model_ActivationKind:$kind, Model_Rows:$gate, Optional<Model_Rows>:$up);
  let results = (outs Model_Rows:$result);
  let assemblyFormat = "$kind $gate (`,` $up^)? attr-dict `:` type($gate) (`,` type($up)^)?";
  let hasVerifier = 1;
}

//===-- Views of the trailing dimensions: no arithmetic ---------------------------------------------------===//

def Model_SliceOp : Model_InferredOp<"slice"> {
  let summary = "A range of the last dimension";
  let description = [{
    - C1: 0 <= begin < end <= the last dimension.

    ```mlir
    %latent = model.slice %kv from 0 to 512 : tensor<?x576xbf16>
    ```
  }];
  let arguments = (ins Model_RowsOrHeads:$x, I64Attr:$begin, I64Attr:$end);
  let results = (outs Model_RowsOrHeads:$result);
  let assemblyFormat = "$x `from` $begin `to` $end attr-dict `:` type($x)";
  let hasVerifier = 1;
}

def Model_ConcatOp : Model_InferredOp<"concat"> {
  let summary = "Tensors side by side along the last dimension";
  let description = [{
    - C1: at least one operand.
    - C2: all operands agree in rank, element type and all but the last dimension.

    ```mlir
    %z = model.concat %e, %g : tensor<?x128xbf16>, tensor<?x128xbf16>
    ```
  }];
  let arguments = (ins Variadic<Model_RowsOrHeads>:$inputs);
  let results = (outs Model_RowsOrHeads:$result);
  let assemblyFormat = "$inputs attr-dict `:` type($inputs)";
  let hasVerifier = 1;
}

def Model_ReshapeOp : Model_PureOp<"reshape"> {
  let summary = "The trailing dimensions split into heads, or heads joined";
  let description = [{
    - C1: operand and result agree in the first dimension, in element type, and in the product of the others.

    ```mlir
    %q = model.reshape %x : tensor<?x384xbf16> -> tensor<?x4x96xbf16>
    ```
  }];
  let arguments = (ins Model_RowsOrHeads:$x);
  let results = (outs Model_RowsOrHeads:$result);
  let assemblyFormat = "$x attr-dict `:` type($x) `->` type($result)";
  let hasVerifier = 1;
}
