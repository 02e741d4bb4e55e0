// Writes one entry of each token into its page of the cache: cache[page, h, slot, w] = x[t, h, w] with page =
// block_table[sequences[t], positions[t] / 64] and slot = positions[t] % 64.
//
// Parameters: H, W, XS, HS (token and head stride of x in elements), PAGE, HEAD, SLOT (strides of the cache in
// elements), X (element).

!x = tensor<?x?x!tile.elem<"X">, #tile.dims<BH, W>>

tile.kernel @cache_append(%x: !tile.ptr<!tile.elem<"X">>, %positions: !tile.ptr<i32>, %sequences: !tile.ptr<i32>,
                          %block_table: !tile.ptr<i32>, %cache: !tile.ptr<!tile.elem<"X">>, %tokens: i32,
                          %table_rows: i32, %table_columns: i32, %pages: i32) attributes {tile_names = ["BH"]} {
  %bh = tile.param "BH" : i32
  %h = tile.param "H" : i32
  %w = tile.param "W" : i32
  %xs = tile.param "XS" : i32
  %hs = tile.param "HS" : i32
  %page_stride = tile.param "PAGE" : i32
  %head_stride = tile.param "HEAD" : i32
  %slot_stride = tile.param "SLOT" : i32
  %zero = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %c64 = arith.constant 64 : i32
  %t, %h0 = tile.domain %tokens by %one, %h by %bh
  %pv = tile.view %positions[%tokens] : !tile.ptr<i32> -> !tile.view<1, i32>
  %sv = tile.view %sequences[%tokens] : !tile.ptr<i32> -> !tile.view<1, i32>
  %bv = tile.view %block_table[%table_rows, %table_columns] : !tile.ptr<i32> -> !tile.view<2, i32>
  %xv = tile.view %x[%tokens, %h, %w] strides [%xs, %hs, %one] : !tile.ptr<!tile.elem<"X">> -> !tile.view<3, !tile.elem<"X">>
  %cv = tile.view %cache[%pages, %c64, %h, %w] strides [%page_stride, %slot_stride, %head_stride, %one] : !tile.ptr<!tile.elem<"X">> -> !tile.view<4, !tile.elem<"X">>
  %p = tile.load_scalar %pv[%t] : !tile.view<1, i32> -> i32
  %sequence = tile.load_scalar %sv[%t] : !tile.view<1, i32> -> i32
  %column = arith.divui %p, %c64 : i32
  %slot = arith.remui %p, %c64 : i32
  %page = tile.load_scalar %bv[%sequence, %column] : !tile.view<2, i32> -> i32
  %row = tile.load %xv[%t, %h0, %zero] : !tile.view<3, !tile.elem<"X">> -> !x
  tile.store %row, %cv[%page, %slot, %h0, %zero] : !x, !tile.view<4, !tile.elem<"X">>
  tile.return
}
