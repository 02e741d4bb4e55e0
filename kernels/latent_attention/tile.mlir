// Absorbed latent attention over a paged cache of [latent | rope] rows: the query in latent space meets the latent,
// the rotated query the rotated key, and the values are the latents themselves (the model's value matrix is applied
// by head_linear afterwards). A block computes BH heads of one token. Online softmax in f32 with base 2.
//
// Parameters: H, L (latent), R (rope), XS, HS (token and head stride of the rotated query in elements), X (element of
// cache and rotated query), scale_log2. The query in latent space and the result are f32 [T, H, L].

!ql = tensor<?x?xf32, #tile.dims<BH, BC>>
!kl = tensor<?x?x!tile.elem<"X">, #tile.dims<BN, BC>>
!qr = tensor<?x?x!tile.elem<"X">, #tile.dims<BH, R>>
!kr = tensor<?x?x!tile.elem<"X">, #tile.dims<BN, R>>
!v = tensor<?x?x!tile.elem<"X">, #tile.dims<BN, L>>
!s = tensor<?x?xf32, #tile.dims<BH, BN>>
!sc = tensor<?x?xi1, #tile.dims<BH, BN>>
!j = tensor<?x?xi32, #tile.dims<BH, BN>>
!o = tensor<?x?xf32, #tile.dims<BH, L>>
!h = tensor<?xf32, #tile.dims<BH>>

tile.kernel @latent_attention(%q_latent: !tile.ptr<f32>, %q_rope: !tile.ptr<!tile.elem<"X">>,
                              %cache: !tile.ptr<!tile.elem<"X">>, %positions: !tile.ptr<i32>,
                              %sequences: !tile.ptr<i32>, %block_table: !tile.ptr<i32>, %y: !tile.ptr<f32>,
                              %tokens: i32, %table_rows: i32, %table_columns: i32, %pages: i32)
    attributes {tile_names = ["BH", "BN", "BC"]} {
  %bh = tile.param "BH" : i32
  %bn = tile.param "BN" : i32
  %bc = tile.param "BC" : i32
  %h = tile.param "H" : i32
  %latent = tile.param "L" : i32
  %rope = tile.param "R" : i32
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
  %t, %h0 = tile.domain %tokens by %one, %h by %bh
  %pv = tile.view %positions[%tokens] : !tile.ptr<i32> -> !tile.view<1, i32>
  %sv = tile.view %sequences[%tokens] : !tile.ptr<i32> -> !tile.view<1, i32>
  %bv = tile.view %block_table[%table_rows, %table_columns] : !tile.ptr<i32> -> !tile.view<2, i32>
  %qv = tile.view %q_latent[%tokens, %h, %latent] : !tile.ptr<f32> -> !tile.view<3, f32>
  %rv = tile.view %q_rope[%tokens, %h, %rope] strides [%xs, %hs, %one] : !tile.ptr<!tile.elem<"X">> -> !tile.view<3, !tile.elem<"X">>
  %yv = tile.view %y[%tokens, %h, %latent] : !tile.ptr<f32> -> !tile.view<3, f32>
  %row = arith.addi %latent, %rope : i32
  %page_row = arith.muli %c64, %row : i32
  %p = tile.load_scalar %pv[%t] : !tile.view<1, i32> -> i32
  %sequence = tile.load_scalar %sv[%t] : !tile.view<1, i32> -> i32
  %end = arith.addi %p, %one : i32
  %tile_end0 = arith.addi %p, %bn : i32
  %tile_end = arith.divui %tile_end0, %bn : i32
  %qr = tile.load %rv[%t, %h0, %zero] : !tile.view<3, !tile.elem<"X">> -> !qr
  %m_init = tile.splat %lowest : f32 -> !h
  %l_init = tile.splat %zero_f : f32 -> !h
  %o_init = tile.splat %zero_f : f32 -> !o
  %scale_t = tile.splat %scale : f32 -> !s
  %lowest_t = tile.splat %lowest : f32 -> !s
  %m, %l, %o = scf.for %i = %zero to %tile_end step %one iter_args(%m0 = %m_init, %l0 = %l_init, %o0 = %o_init) -> (!h, !h, !o) : i32 {
    %j0 = arith.muli %i, %bn : i32
    %column = arith.divui %j0, %c64 : i32
    %slot = arith.remui %j0, %c64 : i32
    %page_start = arith.muli %column, %c64 : i32
    %left = arith.subi %end, %page_start : i32
    %filled = arith.minsi %left, %c64 : i32
    %page = tile.load_scalar %bv[%sequence, %column] : !tile.view<2, i32> -> i32
    // Slots behind the token's position read as zero, whatever they hold.
    %cv = tile.view %cache[%pages, %filled, %row] strides [%page_row, %row, %one] : !tile.ptr<!tile.elem<"X">> -> !tile.view<3, !tile.elem<"X">>
    %s_init = tile.splat %zero_f : f32 -> !s
    %s_latent = scf.for %c0 = %zero to %latent step %bc iter_args(%acc = %s_init) -> (!s) : i32 {
      %ql = tile.load %qv[%t, %h0, %c0] : !tile.view<3, f32> -> !ql
      %kl = tile.load %cv[%page, %slot, %c0] : !tile.view<3, !tile.elem<"X">> -> !kl
      %next = tile.mma %ql, %kl, %acc : !ql, !kl -> !s
      scf.yield %next : !s
    }
    %kr = tile.load %cv[%page, %slot, %latent] : !tile.view<3, !tile.elem<"X">> -> !kr
    %raw = tile.mma %qr, %kr, %s_latent : !qr, !kr -> !s
    %scaled = arith.mulf %raw, %scale_t : !s
    %j_iota = tile.iota 1 : !j
    %j0_t = tile.splat %j0 : i32 -> !j
    %j = arith.addi %j_iota, %j0_t : !j
    %p_t = tile.splat %p : i32 -> !j
    %past = arith.cmpi sle, %j, %p_t : !j
    %masked = arith.select %past, %scaled, %lowest_t : !sc, !s
    %best = tile.reduce max %masked dim 1 : !s -> !h
    %m1 = arith.maxnumf %m0, %best : !h
    %m1_b = tile.broadcast %m1 dims [0] : !h -> !s
    %centred = arith.subf %masked, %m1_b : !s
    %e = math.exp2 %centred : !s
    %row_sum = tile.reduce add %e dim 1 : !s -> !h
    %m_diff = arith.subf %m0, %m1 : !h
    %alpha = math.exp2 %m_diff : !h
    %l_scaled = arith.mulf %l0, %alpha : !h
    %l1 = arith.addf %l_scaled, %row_sum : !h
    %alpha_b = tile.broadcast %alpha dims [0] : !h -> !o
    %o_scaled = arith.mulf %o0, %alpha_b : !o
    %vt = tile.load %cv[%page, %slot, %zero] : !tile.view<3, !tile.elem<"X">> -> !v
    %o1 = tile.mma %e, %vt, %o_scaled b_rows_are_k : !s, !v -> !o
    scf.yield %m1, %l1, %o1 : !h, !h, !o
  }
  %l_b = tile.broadcast %l dims [0] : !h -> !o
  %normalised = arith.divf %o, %l_b : !o
  tile.store %normalised, %yv[%t, %h0, %zero] : !o, !tile.view<3, f32>
  tile.return
}
