// Root mean square norm of each row: y = (w + offset) * x / sqrt(mean(x^2) + eps), in f32, rounded once.
//
// x is [T, H, N] with strides XS (token) and HS (head); a plain row has H = 1. With RESIDUAL the row is x + r in
// f32: its rounding is stored as the new residual stream, and the sum that has not been rounded is normalised.
//
// Parameters: H, N, XS, HS, eps, inv_n, w_offset, X (element of x, r, sum and y), W (element of the weight),
// RESIDUAL, WEIGHT.

!x = tensor<?x?x!tile.elem<"X">, #tile.dims<BH, BN>>
!w = tensor<?x!tile.elem<"W">, #tile.dims<BN>>
!f = tensor<?x?xf32, #tile.dims<BH, BN>>
!row = tensor<?xf32, #tile.dims<BH>>
!column = tensor<?xf32, #tile.dims<BN>>

tile.kernel @rms_norm(%x: !tile.ptr<!tile.elem<"X">>, %residual: !tile.ptr<!tile.elem<"X">>,
                      %w: !tile.ptr<!tile.elem<"W">>, %sum: !tile.ptr<!tile.elem<"X">>,
                      %y: !tile.ptr<!tile.elem<"X">>, %tokens: i32) attributes {tile_names = ["BH", "BN"]} {
  %bh = tile.param "BH" : i32
  %bn = tile.param "BN" : i32
  %h = tile.param "H" : i32
  %n = tile.param "N" : i32
  %xs = tile.param "XS" : i32
  %hs = tile.param "HS" : i32
  %eps = tile.param "eps" : f32
  %inv_n = tile.param "inv_n" : f32
  %w_offset = tile.param "w_offset" : f32
  %zero = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %zero_f = arith.constant 0.0 : f32
  %t, %h0 = tile.domain %tokens by %one, %h by %bh
  %xv = tile.view %x[%tokens, %h, %n] strides [%xs, %hs, %one] : !tile.ptr<!tile.elem<"X">> -> !tile.view<3, !tile.elem<"X">>
  %rv = tile.view %residual[%tokens, %h, %n] : !tile.ptr<!tile.elem<"X">> -> !tile.view<3, !tile.elem<"X">>
  %wv = tile.view %w[%n] : !tile.ptr<!tile.elem<"W">> -> !tile.view<1, !tile.elem<"W">>
  %sv = tile.view %sum[%tokens, %h, %n] : !tile.ptr<!tile.elem<"X">> -> !tile.view<3, !tile.elem<"X">>
  %yv = tile.view %y[%tokens, %h, %n] : !tile.ptr<!tile.elem<"X">> -> !tile.view<3, !tile.elem<"X">>

  %init = tile.splat %zero_f : f32 -> !f
  %squares = scf.for %n0 = %zero to %n step %bn iter_args(%acc = %init) -> (!f) : i32 {
    %xt = tile.load %xv[%t, %h0, %n0] : !tile.view<3, !tile.elem<"X">> -> !x
    %xf = tile.convert %xt : !x -> !f
    %s = tile.static_if "RESIDUAL" -> !f {
      %rt = tile.load %rv[%t, %h0, %n0] : !tile.view<3, !tile.elem<"X">> -> !x
      %rf = tile.convert %rt : !x -> !f
      %added = arith.addf %xf, %rf : !f
      tile.yield %added : !f
    } else {
      tile.yield %xf : !f
    }
    %next = math.fma %s, %s, %acc : !f
    scf.yield %next : !f
  }
  %total = tile.reduce add %squares dim 1 : !f -> !row
  %inv_n_row = tile.splat %inv_n : f32 -> !row
  %eps_row = tile.splat %eps : f32 -> !row
  %mean = arith.mulf %total, %inv_n_row : !row
  %shifted = arith.addf %mean, %eps_row : !row
  %scale = math.rsqrt %shifted : !row
  %scale_b = tile.broadcast %scale dims [0] : !row -> !f

  scf.for %n0 = %zero to %n step %bn : i32 {
    %xt = tile.load %xv[%t, %h0, %n0] : !tile.view<3, !tile.elem<"X">> -> !x
    %xf = tile.convert %xt : !x -> !f
    %s = tile.static_if "RESIDUAL" -> !f {
      %rt = tile.load %rv[%t, %h0, %n0] : !tile.view<3, !tile.elem<"X">> -> !x
      %rf = tile.convert %rt : !x -> !f
      %added = arith.addf %xf, %rf : !f
      %rounded = tile.convert %added : !f -> !x
      tile.store %rounded, %sv[%t, %h0, %n0] : !x, !tile.view<3, !tile.elem<"X">>
      tile.yield %added : !f
    } else {
      tile.yield %xf : !f
    }
    %scaled = arith.mulf %s, %scale_b : !f
    %weighted = tile.static_if "WEIGHT" -> !f {
      %wt = tile.load %wv[%n0] : !tile.view<1, !tile.elem<"W">> -> !w
      %wf = tile.convert %wt : !w -> !column
      %offset = tile.splat %w_offset : f32 -> !column
      %factor = arith.addf %wf, %offset : !column
      %w_b = tile.broadcast %factor dims [1] : !column -> !f
      %product = arith.mulf %scaled, %w_b : !f
      tile.yield %product : !f
    } else {
      tile.yield %scaled : !f
    }
    %out = tile.convert %weighted : !f -> !x
    tile.store %out, %yv[%t, %h0, %n0] : !x, !tile.view<3, !tile.elem<"X">>
  }
  tile.return
}
