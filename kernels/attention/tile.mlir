// Causal attention over a paged cache of keys and values; a block computes the G query heads that share one
// key-value head, for one token. Online softmax in f32 with base 2: scores are scaled by scale * log2(e).
//
// Parameters: HKV, G, D (key size), DV (value size), XS, HS (token and head stride of q in elements), X (element of q,
// cache and y), scale_log2, WINDOW (positions that a token sees; WINDOWED), cap, inv_cap2 (2 log2(e) / cap; SOFTCAP).

!q = tensor<?x?x!tile.elem<"X">, #tile.dims<G, D>>
!k = tensor<?x?x!tile.elem<"X">, #tile.dims<BN, D>>
!v = tensor<?x?x!tile.elem<"X">, #tile.dims<BN, DV>>
!s = tensor<?x?xf32, #tile.dims<G, BN>>
!sc = tensor<?x?xi1, #tile.dims<G, BN>>
!o = tensor<?x?xf32, #tile.dims<G, DV>>
!ox = tensor<?x?x!tile.elem<"X">, #tile.dims<G, DV>>
!g = tensor<?xf32, #tile.dims<G>>
!j = tensor<?x?xi32, #tile.dims<G, BN>>

tile.kernel @attention(%q: !tile.ptr<!tile.elem<"X">>, %keys: !tile.ptr<!tile.elem<"X">>,
                       %values: !tile.ptr<!tile.elem<"X">>, %positions: !tile.ptr<i32>, %sequences: !tile.ptr<i32>,
                       %block_table: !tile.ptr<i32>, %y: !tile.ptr<!tile.elem<"X">>, %tokens: i32, %table_rows: i32,
                       %table_columns: i32, %pages: i32) attributes {tile_names = ["BN"]} {
  %bn = tile.param "BN" : i32
  %hkv = tile.param "HKV" : i32
  %g = tile.param "G" : i32
  %d = tile.param "D" : i32
  %dv = tile.param "DV" : i32
  %xs = tile.param "XS" : i32
  %hs = tile.param "HS" : i32
  %scale = tile.param "scale_log2" : f32
  %zero = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %c64 = arith.constant 64 : i32
  %zero_f = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  // A tile of positions lies in one page.
  tile.require %bn divides %c64
  %t, %kv = tile.domain %tokens by %one, %hkv by %one
  %pv = tile.view %positions[%tokens] : !tile.ptr<i32> -> !tile.view<1, i32>
  %sv = tile.view %sequences[%tokens] : !tile.ptr<i32> -> !tile.view<1, i32>
  %bv = tile.view %block_table[%table_rows, %table_columns] : !tile.ptr<i32> -> !tile.view<2, i32>
  %gs = arith.muli %g, %hs : i32
  %qv = tile.view %q[%tokens, %hkv, %g, %d] strides [%xs, %gs, %hs, %one] : !tile.ptr<!tile.elem<"X">> -> !tile.view<4, !tile.elem<"X">>
  %yv = tile.view %y[%tokens, %hkv, %g, %dv] : !tile.ptr<!tile.elem<"X">> -> !tile.view<4, !tile.elem<"X">>
  %head_d = arith.muli %c64, %d : i32
  %page_d = arith.muli %hkv, %head_d : i32
  %head_dv = arith.muli %c64, %dv : i32
  %page_dv = arith.muli %hkv, %head_dv : i32
  %p = tile.load_scalar %pv[%t] : !tile.view<1, i32> -> i32
  %sequence = tile.load_scalar %sv[%t] : !tile.view<1, i32> -> i32
  %end = arith.addi %p, %one : i32
  %first = tile.static_if "WINDOWED" -> i32 {
    %window = tile.param "WINDOW" : i32
    %start = arith.subi %end, %window : i32
    %clamped = arith.maxsi %start, %zero : i32
    tile.yield %clamped : i32
  } else {
    tile.yield %zero : i32
  }
  %tile0 = arith.divui %first, %bn : i32
  %tile_end0 = arith.addi %p, %bn : i32
  %tile_end = arith.divui %tile_end0, %bn : i32
  %qt = tile.load %qv[%t, %kv, %zero, %zero] : !tile.view<4, !tile.elem<"X">> -> !q
  %m_init = tile.splat %lowest : f32 -> !g
  %l_init = tile.splat %zero_f : f32 -> !g
  %o_init = tile.splat %zero_f : f32 -> !o
  %scale_t = tile.splat %scale : f32 -> !s
  %lowest_t = tile.splat %lowest : f32 -> !s
  %m, %l, %o = scf.for %i = %tile0 to %tile_end step %one iter_args(%m0 = %m_init, %l0 = %l_init, %o0 = %o_init) -> (!g, !g, !o) : i32 {
    %j0 = arith.muli %i, %bn : i32
    %column = arith.divui %j0, %c64 : i32
    %slot = arith.remui %j0, %c64 : i32
    %page_start = arith.muli %column, %c64 : i32
    %left = arith.subi %end, %page_start : i32
    %filled = arith.minsi %left, %c64 : i32
    %page = tile.load_scalar %bv[%sequence, %column] : !tile.view<2, i32> -> i32
    // Slots behind the token's position read as zero, whatever they hold.
    %keys_v = tile.view %keys[%pages, %hkv, %filled, %d] strides [%page_d, %head_d, %d, %one] : !tile.ptr<!tile.elem<"X">> -> !tile.view<4, !tile.elem<"X">>
    %values_v = tile.view %values[%pages, %hkv, %filled, %dv] strides [%page_dv, %head_dv, %dv, %one] : !tile.ptr<!tile.elem<"X">> -> !tile.view<4, !tile.elem<"X">>
    %kt = tile.load %keys_v[%page, %kv, %slot, %zero] : !tile.view<4, !tile.elem<"X">> -> !k
    %s_init = tile.splat %zero_f : f32 -> !s
    %raw = tile.mma %qt, %kt, %s_init : !q, !k -> !s
    %scaled = tile.static_if "SOFTCAP" -> !s {
      // cap * tanh(x / cap) = cap - 2 cap / (exp(2 x / cap) + 1), times log2(e) for the base of the softmax.
      %cap = tile.param "cap_log2" : f32
      %factor = tile.param "inv_cap2" : f32
      %factor_t = tile.splat %factor : f32 -> !s
      %cap_t = tile.splat %cap : f32 -> !s
      %one_f = arith.constant 1.0 : f32
      %two_f = arith.constant 2.0 : f32
      %one_t = tile.splat %one_f : f32 -> !s
      %two_t = tile.splat %two_f : f32 -> !s
      %argument = arith.mulf %raw, %factor_t : !s
      %e = math.exp2 %argument : !s
      %e1 = arith.addf %e, %one_t : !s
      %ratio = arith.divf %two_t, %e1 : !s
      %tanh = arith.subf %one_t, %ratio : !s
      %capped = arith.mulf %tanh, %cap_t : !s
      tile.yield %capped : !s
    } else {
      %product = arith.mulf %raw, %scale_t : !s
      tile.yield %product : !s
    }
    %j_iota = tile.iota 1 : !j
    %j0_t = tile.splat %j0 : i32 -> !j
    %j = arith.addi %j_iota, %j0_t : !j
    %p_t = tile.splat %p : i32 -> !j
    %past = arith.cmpi sle, %j, %p_t : !j
    %causal = arith.select %past, %scaled, %lowest_t : !sc, !s
    %masked = tile.static_if "WINDOWED" -> !s {
      %first_t = tile.splat %first : i32 -> !j
      %near = arith.cmpi sge, %j, %first_t : !j
      %windowed = arith.select %near, %causal, %lowest_t : !sc, !s
      tile.yield %windowed : !s
    } else {
      tile.yield %causal : !s
    }
    %best = tile.reduce max %masked dim 1 : !s -> !g
    %m1 = arith.maxnumf %m0, %best : !g
    %m1_b = tile.broadcast %m1 dims [0] : !g -> !s
    %centred = arith.subf %masked, %m1_b : !s
    %e = math.exp2 %centred : !s
    %row_sum = tile.reduce add %e dim 1 : !s -> !g
    %m_diff = arith.subf %m0, %m1 : !g
    %alpha = math.exp2 %m_diff : !g
    %l_scaled = arith.mulf %l0, %alpha : !g
    %l1 = arith.addf %l_scaled, %row_sum : !g
    %alpha_b = tile.broadcast %alpha dims [0] : !g -> !o
    %o_scaled = arith.mulf %o0, %alpha_b : !o
    %vt = tile.load %values_v[%page, %kv, %slot, %zero] : !tile.view<4, !tile.elem<"X">> -> !v
    %o1 = tile.mma %e, %vt, %o_scaled b_rows_are_k : !s, !v -> !o
    scf.yield %m1, %l1, %o1 : !g, !g, !o
  }
  %l_b = tile.broadcast %l dims [0] : !g -> !o
  %normalised = arith.divf %o, %l_b : !o
  %out = tile.convert %normalised : !o -> !ox
  tile.store %out, %yv[%t, %kv, %zero, %zero] : !ox, !tile.view<4, !tile.elem<"X">>
  tile.return
}
