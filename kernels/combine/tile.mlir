// Weighted sum of the experts' outputs of each token: y[t, n] = sum_j weights[t, j] * x[t * KSEL + j, n] (+ shared
// [t, n]), in f32, rounded once.
//
// Parameters: N, KSEL, X, Y (elements of x; of shared and y), SHARED.

!x = tensor<?x!tile.elem<"X">, #tile.dims<BN>>
!y = tensor<?x!tile.elem<"Y">, #tile.dims<BN>>
!f = tensor<?xf32, #tile.dims<BN>>

tile.kernel @combine(%x: !tile.ptr<!tile.elem<"X">>, %weights: !tile.ptr<f32>, %shared: !tile.ptr<!tile.elem<"Y">>,
                     %y: !tile.ptr<!tile.elem<"Y">>, %tokens: i32) attributes {tile_names = ["BN"]} {
  %bn = tile.param "BN" : i32
  %n = tile.param "N" : i32
  %ksel = tile.param "KSEL" : i32
  %zero = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %zero_f = arith.constant 0.0 : f32
  %t, %n0 = tile.domain %tokens by %one, %n by %bn
  %rows = arith.muli %tokens, %ksel : i32
  %xv = tile.view %x[%rows, %n] : !tile.ptr<!tile.elem<"X">> -> !tile.view<2, !tile.elem<"X">>
  %wv = tile.view %weights[%tokens, %ksel] : !tile.ptr<f32> -> !tile.view<2, f32>
  %sv = tile.view %shared[%tokens, %n] : !tile.ptr<!tile.elem<"Y">> -> !tile.view<2, !tile.elem<"Y">>
  %yv = tile.view %y[%tokens, %n] : !tile.ptr<!tile.elem<"Y">> -> !tile.view<2, !tile.elem<"Y">>
  %init = tile.splat %zero_f : f32 -> !f
  %row0 = arith.muli %t, %ksel : i32
  %sum = scf.for %j = %zero to %ksel step %one iter_args(%acc = %init) -> (!f) : i32 {
    %row = arith.addi %row0, %j : i32
    %xt = tile.load %xv[%row, %n0] : !tile.view<2, !tile.elem<"X">> -> !x
    %xf = tile.convert %xt : !x -> !f
    %w = tile.load_scalar %wv[%t, %j] : !tile.view<2, f32> -> f32
    %w_t = tile.splat %w : f32 -> !f
    %next = math.fma %xf, %w_t, %acc : !f
    scf.yield %next : !f
  }
  %total = tile.static_if "SHARED" -> !f {
    %st = tile.load %sv[%t, %n0] : !tile.view<2, !tile.elem<"Y">> -> !y
    %sf = tile.convert %st : !y -> !f
    %added = arith.addf %sum, %sf : !f
    tile.yield %added : !f
  } else {
    tile.yield %sum : !f
  }
  %out = tile.convert %total : !f -> !y
  tile.store %out, %yv[%t, %n0] : !y, !tile.view<2, !tile.elem<"Y">>
  tile.return
}
