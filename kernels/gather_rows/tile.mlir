// y[r, n] = x[index[r], n]: the embedding of tokens, and the rows whose logits are wanted.
//
// Parameters: N, XS (row stride of x in elements), X (element).

!row = tensor<?x!tile.elem<"X">, #tile.dims<BN>>

tile.kernel @gather_rows(%x: !tile.ptr<!tile.elem<"X">>, %index: !tile.ptr<i32>, %y: !tile.ptr<!tile.elem<"X">>,
                         %x_rows: i32, %rows: i32) attributes {tile_names = ["BN"]} {
  %bn = tile.param "BN" : i32
  %n = tile.param "N" : i32
  %xs = tile.param "XS" : i32
  %one = arith.constant 1 : i32
  %r, %n0 = tile.domain %rows by %one, %n by %bn
  %iv = tile.view %index[%rows] : !tile.ptr<i32> -> !tile.view<1, i32>
  %xv = tile.view %x[%x_rows, %n] strides [%xs, %one] : !tile.ptr<!tile.elem<"X">> -> !tile.view<2, !tile.elem<"X">>
  %yv = tile.view %y[%rows, %n] : !tile.ptr<!tile.elem<"X">> -> !tile.view<2, !tile.elem<"X">>
  %i = tile.load_scalar %iv[%r] : !tile.view<1, i32> -> i32
  %row = tile.load %xv[%i, %n0] : !tile.view<2, !tile.elem<"X">> -> !row
  tile.store %row, %yv[%r, %n0] : !row, !tile.view<2, !tile.elem<"X">>
  tile.return
}
