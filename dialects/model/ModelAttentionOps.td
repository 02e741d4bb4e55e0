//===- ModelAttentionOps.td - Rotation, cache, attention ------*- tablegen -*-===//

def Model_RopeOp : Model_SameTypeOp<"rope"> {
  let summary = "Rotates pairs of elements by an angle that grows with the position";
  let description = [{
    With f = frequencies, n = 2 * |f|, angle `a = fl32(position * f_i)`, `c = magnitude * cos(a)`,
    `s = magnitude * sin(a)` (each rounded to fp32), the n elements from `offset` on of each row or head become

    - `half`: pair (i, i + n/2); `interleaved`: pair (2i, 2i + 1); (u, v) -> (u c - v s, u s + v c), in place.

    The other elements are copied.

    - C1: there is at least one frequency and every frequency is finite.
    - C2: offset >= 0 and offset + 2 * |f| fits the last dimension.
    - C3: the magnitude is positive and finite.

    ```mlir
    %y = model.rope %x at %positions interleaved offset 128 frequencies dense<[1.0, 0.5]> : tensor<2xf32> : tensor<?x4x132xbf16>
    ```
  }];
  let arguments = (ins Model_RowsOrHeads:$x, Model_Integers:$positions, Model_RopeLayout:$layout,
                       DefaultValuedAttr<I64Attr, "0">:$offset, DefaultValuedAttr<F64Attr, "1.0">:$magnitude,
                       Model_Frequencies:$frequencies);
  let results = (outs Model_RowsOrHeads:$result);
  let assemblyFormat = [{
    $x `at` $positions $layout (`offset` $offset^)? (`magnitude` $magnitude^)? `frequencies` $frequencies attr-dict
    `:` type($x)
  }];
  let hasVerifier = 1;
}

def Model_CacheAppendOp : Model_PureOp<"cache_append", [AllTypesMatch<["cache", "result"]>]> {
  let summary = "The cache with one more entry for each token of the step";
  let description = [{
    Entry (layer, sequences[t], positions[t]) becomes (keys[t], values[t]); for a latent cache these are the normed
    latent and the rotated shared key. An entry that was there is replaced.

    - C1: for a latent cache keys are [T, latent] and values [T, rope]; for a head cache keys are [T, heads, key] and
      values [T, heads, value].
    - C2: element types equal the cache's.

    ```mlir
    %c = model.cache_append %cache[%layer], %k, %v at %positions of %sequences
        : !cache, tensor<?x2x32xbf16>, tensor<?x2x32xbf16>
    ```
  }];
  let arguments = (ins Model_AnyCache:$cache, Index:$layer, Model_RowsOrHeads:$keys, Model_RowsOrHeads:$values,
                       Model_Integers:$positions, Model_Integers:$sequences);
  let results = (outs Model_AnyCache:$result);
  let assemblyFormat = [{
    $cache `[` $layer `]` `,` $keys `,` $values `at` $positions `of` $sequences attr-dict
    `:` qualified(type($cache)) `,` type($keys) `,` type($values)
  }];
  let hasVerifier = 1;
}

def Model_AttentionOp : Model_InferredOp<"attention"> {
  let summary = "Causal attention of each token over its sequence, key-value heads shared by groups of query heads";
  let description = [{
    For token t at position p of its sequence, query head h and key-value head `g = h / (H / heads)`:
    `s_j = scale * q[t, h] . key[g, j]` over the entries j = max(0, p - window + 1) .. p; with a softcap
    `s_j = cap * tanh(s_j / cap)`; `result[t, h] = sum_j softmax(s)_j * value[g, j]`. Scores, softmax and sum in fp32
    with fp64 sums; the probabilities are not rounded.

    - C1: the number of query heads is a multiple of the cache's heads.
    - C2: q's last dimension is the cache's key size, and q's element type the cache's.
    - C3: the scale is finite; the window is positive; the softcap is positive and finite.

    ```mlir
    %o = model.attention %q, %c[%layer] at %positions of %sequences scale 0.125 window 4096
        : tensor<?x4x64xbf16>, !cache
    ```
  }];
  let arguments = (ins Model_Heads:$q, Model_HeadCacheType:$cache, Index:$layer, Model_Integers:$positions,
                       Model_Integers:$sequences, F64Attr:$scale, OptionalAttr<I64Attr>:$window,
                       OptionalAttr<F64Attr>:$softcap);
  let results = (outs Model_Heads:$result);
  let assemblyFormat = [{
    $q `,` $cache `[` $layer `]` `at` $positions `of` $sequences `scale` $scale (`window` $window^)?
    (`softcap` $softcap^)? attr-dict `:` type($q) `,` qualified(type($cache))
  }];
  let hasVerifier = 1;
}

def Model_LatentAttentionOp : Model_InferredOp<"mla_attention"> {
  let summary = "Multi-head latent attention: keys and values of all heads come from one cached latent";
  let description = [{
    `kv_b` is [H * (n + v), latent]; of head h rows 0 .. n-1 make the key, the next v rows the value. With entry j =
    (c_j, r_j): `s_j = scale * (q_nope[t, h] . (Wk_h c_j) + q_rope[t, h] . r_j)` over j = 0 .. p, and
    `result[t, h] = sum_j softmax(s)_j * (Wv_h c_j)`, [T, H, v]. `form` says how a target computes it; it is the same
    mathematics: a block-scaled kv_b is dequantised to bf16 on every rung, the latent is never quantised. No inner
    rounding in either form. Without a form the lowering chooses.

    - C1: q_nope and q_rope have the same heads and element type.
    - C2: kv_b's rows are a multiple of the heads and leave at least one value row per head beside the n key rows.
    - C3: kv_b's columns are the cache's latent size; q_rope's last dimension is its rope size.
    - C4: a block-scaled kv_b has rank 2.
    - C5: the scale is finite.

    ```mlir
    %o = model.mla_attention %q_nope, %q_rope, %kv_b, %c[%layer] at %positions of %sequences scale 0.13 form absorbed
        : tensor<?x4x32xbf16>, tensor<?x4x16xbf16>, tensor<256x64xbf16>, !cache
    ```
  }];
  let arguments = (ins Model_Heads:$q_nope, Model_Heads:$q_rope, Model_Matrix:$kv_b, Model_LatentCacheType:$cache,
                       Index:$layer, Model_Integers:$positions, Model_Integers:$sequences, F64Attr:$scale,
                       OptionalAttr<Model_LatentForm>:$form);
  let results = (outs Model_Heads:$result);
  let assemblyFormat = [{
    $q_nope `,` $q_rope `,` $kv_b `,` $cache `[` $layer `]` `at` $positions `of` $sequences `scale` $scale
    (`form` $form^)? attr-dict `:` type($q_nope) `,` type($q_rope) `,` type($kv_b) `,` qualified(type($cache))
  }];
  let hasVerifier = 1;
}
