// Root mean square norm of each row: y = w * x / sqrt(mean(x^2) + eps), in f32, rounded once.
//
// With RESIDUAL the row is x + r in f32: its bf16 rounding is stored as the new residual stream, and the sum that
// has not been rounded is normalised.
//
// Parameters: N (row length), XS (row stride of x in elements), eps, X (element of x), W (element of the weight), RESIDUAL.

!x = tensor<?x?x!tile.elem<"X">, #tile.dims<BM, BN>>
!w = tensor<?x!tile.elem<"W">, #tile.dims<BN>>
!y = tensor<?x?xbf16, #tile.dims<BM, BN>>
!f = tensor<?x?xf32, #tile.dims<BM, BN>>
!row = tensor<?xf32, #tile.dims<BM>>
!column = tensor<?xf32, #tile.dims<BN>>

tile.kernel @rms_norm(%x: !tile.ptr<!tile.elem<"X">>, %residual: !tile.ptr<bf16>, %w: !tile.ptr<!tile.elem<"W">>,
                      %sum: !tile.ptr<bf16>, %y: !tile.ptr<bf16>, %rows: i32) attributes {tile_names = ["BM", "BN"]} {
  %bm = tile.param "BM" : i32
  %bn = tile.param "BN" : i32
  %n = tile.param "N" : i32
  %xs = tile.param "XS" : i32
  %eps = tile.param "eps" : f32
  %inv_n = tile.param "inv_n" : f32
  %zero = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %zero_f = arith.constant 0.0 : f32
  %m0 = tile.domain %rows by %bm
  %xv = tile.view %x[%rows, %n] strides [%xs, %one] : !tile.ptr<!tile.elem<"X">> -> !tile.view<2, !tile.elem<"X">>
  %rv = tile.view %residual[%rows, %n] : !tile.ptr<bf16> -> !tile.view<2, bf16>
  %wv = tile.view %w[%n] : !tile.ptr<!tile.elem<"W">> -> !tile.view<1, !tile.elem<"W">>
  %sv = tile.view %sum[%rows, %n] : !tile.ptr<bf16> -> !tile.view<2, bf16>
  %yv = tile.view %y[%rows, %n] : !tile.ptr<bf16> -> !tile.view<2, bf16>

  %init = tile.splat %zero_f : f32 -> !f
  %squares = scf.for %n0 = %zero to %n step %bn iter_args(%acc = %init) -> (!f) : i32 {
    %xt = tile.load %xv[%m0, %n0] : !tile.view<2, !tile.elem<"X">> -> !x
    %xf = tile.convert %xt : !x -> !f
    %s = tile.static_if "RESIDUAL" -> !f {
      %rt = tile.load %rv[%m0, %n0] : !tile.view<2, bf16> -> !y
      %rf = tile.convert %rt : !y -> !f
      %added = arith.addf %xf, %rf : !f
      %rounded = tile.convert %added : !f -> !y
      tile.store %rounded, %sv[%m0, %n0] : !y, !tile.view<2, bf16>
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
    %xt = tile.load %xv[%m0, %n0] : !tile.view<2, !tile.elem<"X">> -> !x
    %xf = tile.convert %xt : !x -> !f
    %s = tile.static_if "RESIDUAL" -> !f {
      %rt = tile.load %rv[%m0, %n0] : !tile.view<2, bf16> -> !y
      %rf = tile.convert %rt : !y -> !f
      %added = arith.addf %xf, %rf : !f
      tile.yield %added : !f
    } else {
      tile.yield %xf : !f
    }
    %wt = tile.load %wv[%n0] : !tile.view<1, !tile.elem<"W">> -> !w
    %wf = tile.convert %wt : !w -> !column
    %w_b = tile.broadcast %wf dims [1] : !column -> !f
    %scaled = arith.mulf %s, %scale_b : !f
    %weighted = arith.mulf %scaled, %w_b : !f
    %out = tile.convert %weighted : !f -> !y
    tile.store %out, %yv[%m0, %n0] : !y, !tile.view<2, bf16>
  }
  tile.return
}
