// Norm of each row with its mean taken away: y = w * (x - mean) / sqrt(mean((x - mean)^2) + eps) + b, in f32, rounded
// once. Where the mean is large its f32 sum is not exact: the mean of the differences to it corrects it, and the
// variance is that of the differences.
//
// x is [T, H, N] with strides XS (token) and HS (head); a plain row has H = 1.
//
// Parameters: H, N, XS, HS, eps, inv_n, X (element of x and y), W, B (elements of weight and bias), WEIGHT, BIAS.

!x = tensor<?x?x!tile.elem<"X">, #tile.dims<BH, BN>>
!w = tensor<?x!tile.elem<"W">, #tile.dims<BN>>
!b = tensor<?x!tile.elem<"B">, #tile.dims<BN>>
!f = tensor<?x?xf32, #tile.dims<BH, BN>>
!i = tensor<?x?xi32, #tile.dims<BH, BN>>
!c = tensor<?x?xi1, #tile.dims<BH, BN>>
!row = tensor<?xf32, #tile.dims<BH>>
!column = tensor<?xf32, #tile.dims<BN>>

tile.kernel @layer_norm(%x: !tile.ptr<!tile.elem<"X">>, %w: !tile.ptr<!tile.elem<"W">>, %b: !tile.ptr<!tile.elem<"B">>,
                        %y: !tile.ptr<!tile.elem<"X">>, %tokens: i32) attributes {tile_names = ["BH", "BN"]} {
  %bh = tile.param "BH" : i32
  %bn = tile.param "BN" : i32
  %h = tile.param "H" : i32
  %n = tile.param "N" : i32
  %xs = tile.param "XS" : i32
  %hs = tile.param "HS" : i32
  %eps = tile.param "eps" : f32
  %inv_n = tile.param "inv_n" : f32
  %zero = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %zero_f = arith.constant 0.0 : f32
  %t, %h0 = tile.domain %tokens by %one, %h by %bh
  %xv = tile.view %x[%tokens, %h, %n] strides [%xs, %hs, %one] : !tile.ptr<!tile.elem<"X">> -> !tile.view<3, !tile.elem<"X">>
  %wv = tile.view %w[%n] : !tile.ptr<!tile.elem<"W">> -> !tile.view<1, !tile.elem<"W">>
  %bv = tile.view %b[%n] : !tile.ptr<!tile.elem<"B">> -> !tile.view<1, !tile.elem<"B">>
  %yv = tile.view %y[%tokens, %h, %n] : !tile.ptr<!tile.elem<"X">> -> !tile.view<3, !tile.elem<"X">>
  %inv_n_row = tile.splat %inv_n : f32 -> !row
  %init = tile.splat %zero_f : f32 -> !f

  %sums = scf.for %n0 = %zero to %n step %bn iter_args(%acc = %init) -> (!f) : i32 {
    %xt = tile.load %xv[%t, %h0, %n0] : !tile.view<3, !tile.elem<"X">> -> !x
    %xf = tile.convert %xt : !x -> !f
    %next = arith.addf %acc, %xf : !f
    scf.yield %next : !f
  }
  %sum = tile.reduce add %sums dim 1 : !f -> !row
  %mean = arith.mulf %sum, %inv_n_row : !row
  %mean_b = tile.broadcast %mean dims [0] : !row -> !f

  %errors, %squares = scf.for %n0 = %zero to %n step %bn iter_args(%e = %init, %acc = %init) -> (!f, !f) : i32 {
    %xt = tile.load %xv[%t, %h0, %n0] : !tile.view<3, !tile.elem<"X">> -> !x
    %xf = tile.convert %xt : !x -> !f
    %difference = arith.subf %xf, %mean_b : !f
    // Columns behind the row read as zero; their difference to the mean does not count.
    %column = tile.iota 1 : !i
    %n0_t = tile.splat %n0 : i32 -> !i
    %n_t = tile.splat %n : i32 -> !i
    %at = arith.addi %column, %n0_t : !i
    %inside = arith.cmpi slt, %at, %n_t : !i
    %counted = arith.select %inside, %difference, %init : !c, !f
    %e1 = arith.addf %e, %counted : !f
    %next = math.fma %counted, %counted, %acc : !f
    scf.yield %e1, %next : !f, !f
  }
  %error_sum = tile.reduce add %errors dim 1 : !f -> !row
  %error = arith.mulf %error_sum, %inv_n_row : !row
  %error_b = tile.broadcast %error dims [0] : !row -> !f
  %error_square = arith.mulf %error, %error : !row
  %total = tile.reduce add %squares dim 1 : !f -> !row
  %eps_row = tile.splat %eps : f32 -> !row
  %spread = arith.mulf %total, %inv_n_row : !row
  %variance = arith.subf %spread, %error_square : !row
  %shifted = arith.addf %variance, %eps_row : !row
  %scale = math.rsqrt %shifted : !row
  %scale_b = tile.broadcast %scale dims [0] : !row -> !f

  scf.for %n0 = %zero to %n step %bn : i32 {
    %xt = tile.load %xv[%t, %h0, %n0] : !tile.view<3, !tile.elem<"X">> -> !x
    %xf = tile.convert %xt : !x -> !f
    %near = arith.subf %xf, %mean_b : !f
    %difference = arith.subf %near, %error_b : !f
    %scaled = arith.mulf %difference, %scale_b : !f
    %weighted = tile.static_if "WEIGHT" -> !f {
      %wt = tile.load %wv[%n0] : !tile.view<1, !tile.elem<"W">> -> !w
      %wf = tile.convert %wt : !w -> !column
      %w_b = tile.broadcast %wf dims [1] : !column -> !f
      %product = arith.mulf %scaled, %w_b : !f
      tile.yield %product : !f
    } else {
      tile.yield %scaled : !f
    }
    %biased = tile.static_if "BIAS" -> !f {
      %bt = tile.load %bv[%n0] : !tile.view<1, !tile.elem<"B">> -> !b
      %bf = tile.convert %bt : !b -> !column
      %b_b = tile.broadcast %bf dims [1] : !column -> !f
      %added = arith.addf %weighted, %b_b : !f
      tile.yield %added : !f
    } else {
      tile.yield %weighted : !f
    }
    %out = tile.convert %biased : !f -> !x
    tile.store %out, %yv[%t, %h0, %n0] : !x, !tile.view<3, !tile.elem<"X">>
  }
  tile.return
}
