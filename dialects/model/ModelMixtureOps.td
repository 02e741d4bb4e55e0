//===- ModelMixtureOps.td - Router and experts ----------------*- tablegen -*-===//

def Model_RouterOp : Model_InferredOp<"router"> {
  let summary = "Chooses the experts of each token and their weights";
  let description = [{
    In fp32:

    1. `s = softmax(logits)` over all experts, or `sigmoid(logits)` elementwise.
    2. Choice score `s' = s + bias` (s without a bias).
    3. With groups: experts fall into `groups` consecutive groups, ranked by their largest s' (`max`) or the sum of
       their two largest (`top2`); the best `kept` groups stay, all others get s' = -inf.
    4. `indices[t]` are the `experts` largest s', in descending order.
    5. `weights[t]` are the *unbiased* s of the chosen; with `normalise` divided by (their sum + 1e-20); then times
       `scale`.

    Ties, of groups and of experts, go to the lower index.

    - C1: 1 <= experts chosen <= experts.
    - C2: the bias has one element per expert.
    - C3: groups divides the experts, 1 <= kept <= groups, and the kept groups hold the experts chosen.
    - C4: `top2` needs two experts in a group.
    - C5: the scale is positive and finite.

    ```mlir
    %i, %w = model.router %logits bias %b sigmoid choose 8 groups 8 kept 4 by top2 normalise scale 2.5
        : tensor<?x256xf32>, tensor<256xf32>
    ```
  }];
  let arguments = (ins Model_Logits:$logits, Optional<TensorRankOf<[F32], [1]>>:$bias, Model_Scoring:$scoring,
                       I64Attr:$experts, DefaultValuedAttr<I64Attr, "1">:$groups,
                       DefaultValuedAttr<I64Attr, "1">:$kept,
                       DefaultValuedAttr<Model_GroupScore, "GroupScore::Max">:$group_score, UnitAttr:$normalise,
                       DefaultValuedAttr<F64Attr, "1.0">:$scale);
  let results = (outs TensorRankOf<[I32], [2]>:$indices, TensorRankOf<[F32], [2]>:$weights);
  let assemblyFormat = [{
    $logits (`bias` $bias^)? $scoring `choose` $experts (`groups` $groups^ `kept` $kept `by` $group_score)?
    (`normalise` $normalise^)? (`scale` $scale^)? attr-dict `:` type($logits) (`,` type($bias)^)?
  }];
  let hasVerifier = 1;
}

def Model_ExpertsOp : Model_PureOp<"experts"> {
  let summary = "The weighted sum of the chosen experts' feed-forward outputs";
  let description = [{
    `result[t] = sum_i weights[t, i] * down_e gated(gate_up_e x[t]) + shared[t]` with e = indices[t, i], fp64 sums, one
    rounding at the end. Inner roundings, to the result's element type: `gate_up_e x` and the gated product (as the
    operators `model.linear` and `model.gated` would); the output of `down` is not rounded before it is weighted. Rungs treat
    both products as in `model.linear`: on `fp8` x and the gated product are quantised 1x128.

    - C1: indices and weights have the same shape, rows as x.
    - C2: gate_up is [E, 2I, h] and down is [E, h, I] with h the columns of x.
    - C3: the shared result has the result's type.
    - C4: gate_up and down are both block-scaled or both not.
    - C5: result rows and columns equal those of x.
    - C6: a quantised x meets block-scaled weights.

    ```mlir
    %y = model.experts silu %x, %indices, %weights, %gate_up, %down shared %s
        : tensor<?x128xbf16>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x512x128xbf16>, tensor<8x128x256xbf16>,
          tensor<?x128xbf16> -> tensor<?x128xbf16>
    ```
  }];
  let arguments = (ins Model_ActivationKind:$kind, Model_RowsOrQuantised:$x, TensorRankOf<[I32], [2]>:$indices,
                       TensorRankOf<[F32], [2]>:$weights, Model_MatrixStack:$gate_up, Model_MatrixStack:$down,
                       Optional<Model_Rows>:$shared);
  let results = (outs Model_Rows:$result);
  let assemblyFormat = [{
    $kind $x `,` $indices `,` $weights `,` $gate_up `,` $down (`shared` $shared^)? attr-dict
    `:` type($x) `,` type($indices) `,` type($weights) `,` type($gate_up) `,` type($down) (`,` type($shared)^)?
    `->` type($result)
  }];
  let hasVerifier = 1;
}
