// One matrix for each head: y[t, h, n] = sum_k x[t, h, k] * w[h, n, k], accumulated in f32, rounded once. Head h
// uses rows h * ROWS + ROW0 .. of the matrix w [H * ROWS, COLUMNS]: they are indexed by n, or with TRANSPOSED by k.
// SCALES: w is fp8 with one scale for each block of 128x128; each weight is dequantised (rounded to bf16).
//
// SPLIT (not TRANSPOSED): x is f32 and multiplied as three numbers of 8 bits each, x = high + middle + low, none of
// its 24 bits lost. A matrix unit that takes bf16 then multiplies f32.
//
// Parameters: H, N, K, ROWS, ROW0, COLUMNS, XS, HS (token and head stride of x in elements), X, W, Y (elements),
// SCALES, TRANSPOSED, SPLIT.

!x = tensor<?x?x!tile.elem<"X">, #tile.dims<BM, BK>>
!xf = tensor<?x?xf32, #tile.dims<BM, BK>>
!xb = tensor<?x?xbf16, #tile.dims<BM, BK>>
!w = tensor<?x?x!tile.elem<"W">, #tile.dims<BN, BK>>
!wf = tensor<?x?xf32, #tile.dims<BN, BK>>
!wb = tensor<?x?xbf16, #tile.dims<BN, BK>>
!t = tensor<?x?x!tile.elem<"W">, #tile.dims<BK, BN>>
!tf = tensor<?x?xf32, #tile.dims<BK, BN>>
!tb = tensor<?x?xbf16, #tile.dims<BK, BN>>
!acc = tensor<?x?xf32, #tile.dims<BM, BN>>
!y = tensor<?x?x!tile.elem<"Y">, #tile.dims<BM, BN>>
!ni = tensor<?xi32, #tile.dims<BN>>
!nf = tensor<?xf32, #tile.dims<BN>>
!ki = tensor<?xi32, #tile.dims<BK>>
!kf = tensor<?xf32, #tile.dims<BK>>

tile.kernel @head_linear(%x: !tile.ptr<!tile.elem<"X">>, %w: !tile.ptr<!tile.elem<"W">>, %w_scales: !tile.ptr<f32>,
                         %y: !tile.ptr<!tile.elem<"Y">>, %tokens: i32) attributes {tile_names = ["BM", "BN", "BK"]} {
  %bm = tile.param "BM" : i32
  %bn = tile.param "BN" : i32
  %bk = tile.param "BK" : i32
  %h = tile.param "H" : i32
  %n = tile.param "N" : i32
  %k = tile.param "K" : i32
  %rows = tile.param "ROWS" : i32
  %row0 = tile.param "ROW0" : i32
  %columns = tile.param "COLUMNS" : i32
  %xs = tile.param "XS" : i32
  %hs = tile.param "HS" : i32
  %zero = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %block = arith.constant 128 : i32
  %c127 = arith.constant 127 : i32
  %zero_f = arith.constant 0.0 : f32
  %all = arith.muli %h, %rows : i32
  %all_p = arith.addi %all, %c127 : i32
  %columns_p = arith.addi %columns, %c127 : i32
  %rb = arith.divui %all_p, %block : i32
  %cb = arith.divui %columns_p, %block : i32
  %m0, %head, %n0 = tile.domain %tokens by %bm, %h by %one, %n by %bn
  // [H, T, K]: the tile's dimensions are the last ones.
  %xv = tile.view %x[%h, %tokens, %k] strides [%hs, %xs, %one] : !tile.ptr<!tile.elem<"X">> -> !tile.view<3, !tile.elem<"X">>
  %wv = tile.view %w[%all, %columns] : !tile.ptr<!tile.elem<"W">> -> !tile.view<2, !tile.elem<"W">>
  %wsv = tile.view %w_scales[%rb, %cb] : !tile.ptr<f32> -> !tile.view<2, f32>
  %token_stride = arith.muli %h, %n : i32
  %yv = tile.view %y[%h, %tokens, %n] strides [%n, %token_stride, %one] : !tile.ptr<!tile.elem<"Y">> -> !tile.view<3, !tile.elem<"Y">>
  %head_rows = arith.muli %head, %rows : i32
  %first = arith.addi %head_rows, %row0 : i32
  %init = tile.splat %zero_f : f32 -> !acc
  %sum = scf.for %k0 = %zero to %k step %bk iter_args(%acc = %init) -> (!acc) : i32 {
    %xt = tile.load %xv[%head, %m0, %k0] : !tile.view<3, !tile.elem<"X">> -> !x
    %next = tile.static_if "TRANSPOSED" -> !acc {
      %r0 = arith.addi %first, %k0 : i32
      %wt = tile.load %wv[%r0, %n0] : !tile.view<2, !tile.elem<"W">> -> !t
      %stepped = tile.static_if "SCALES" -> !acc {
        // A tile has one scale for each row.
        tile.require %bn divides %block
        %iota = tile.iota 0 : !ki
        %r0_t = tile.splat %r0 : i32 -> !ki
        %block_t = tile.splat %block : i32 -> !ki
        %r = arith.addi %iota, %r0_t : !ki
        %r_block = arith.divui %r, %block_t : !ki
        %c_block = arith.divui %n0, %block : i32
        %scale = tile.gather %wsv[%r_block, %c_block] : !tile.view<2, f32>, !ki, i32 -> !kf
        %scale_b = tile.broadcast %scale dims [0] : !kf -> !tf
        %wf = tile.convert %wt : !t -> !tf
        %product = arith.mulf %wf, %scale_b : !tf
        %rounded = tile.convert %product : !tf -> !tb
        %step = tile.mma %xt, %rounded, %acc b_rows_are_k : !x, !tb -> !acc
        tile.yield %step : !acc
      } else {
        %step = tile.mma %xt, %wt, %acc b_rows_are_k : !x, !t -> !acc
        tile.yield %step : !acc
      }
      tile.yield %stepped : !acc
    } else {
      %high, %middle, %low = tile.static_if "SPLIT" -> !xb, !xb, !xb {
        %x0 = tile.convert %xt : !x -> !xf
        %b0 = tile.convert %x0 : !xf -> !xb
        %f0 = tile.convert %b0 : !xb -> !xf
        %x1 = arith.subf %x0, %f0 : !xf
        %b1 = tile.convert %x1 : !xf -> !xb
        %f1 = tile.convert %b1 : !xb -> !xf
        %x2 = arith.subf %x1, %f1 : !xf
        %b2 = tile.convert %x2 : !xf -> !xb
        tile.yield %b0, %b1, %b2 : !xb, !xb, !xb
      } else {
        %unused = tile.convert %xt : !x -> !xb
        tile.yield %unused, %unused, %unused : !xb, !xb, !xb
      }
      %r0 = arith.addi %first, %n0 : i32
      %wt = tile.load %wv[%r0, %k0] : !tile.view<2, !tile.elem<"W">> -> !w
      %stepped = tile.static_if "SCALES" -> !acc {
        tile.require %bk divides %block
        %iota = tile.iota 0 : !ni
        %r0_t = tile.splat %r0 : i32 -> !ni
        %block_t = tile.splat %block : i32 -> !ni
        %r = arith.addi %iota, %r0_t : !ni
        %r_block = arith.divui %r, %block_t : !ni
        %c_block = arith.divui %k0, %block : i32
        %scale = tile.gather %wsv[%r_block, %c_block] : !tile.view<2, f32>, !ni, i32 -> !nf
        %scale_b = tile.broadcast %scale dims [0] : !nf -> !wf
        %wf = tile.convert %wt : !w -> !wf
        %product = arith.mulf %wf, %scale_b : !wf
        %rounded = tile.convert %product : !wf -> !wb
        %scaled = tile.static_if "SPLIT" -> !acc {
          %step0 = tile.mma %low, %rounded, %acc : !xb, !wb -> !acc
          %step1 = tile.mma %middle, %rounded, %step0 : !xb, !wb -> !acc
          %step2 = tile.mma %high, %rounded, %step1 : !xb, !wb -> !acc
          tile.yield %step2 : !acc
        } else {
          %step = tile.mma %xt, %rounded, %acc : !x, !wb -> !acc
          tile.yield %step : !acc
        }
        tile.yield %scaled : !acc
      } else {
        %plain = tile.static_if "SPLIT" -> !acc {
          %step0 = tile.mma %low, %wt, %acc : !xb, !w -> !acc
          %step1 = tile.mma %middle, %wt, %step0 : !xb, !w -> !acc
          %step2 = tile.mma %high, %wt, %step1 : !xb, !w -> !acc
          tile.yield %step2 : !acc
        } else {
          %step = tile.mma %xt, %wt, %acc : !x, !w -> !acc
          tile.yield %step : !acc
        }
        tile.yield %plain : !acc
      }
      tile.yield %stepped : !acc
    }
    scf.yield %next : !acc
  }
  %out = tile.convert %sum : !acc -> !y
  tile.store %out, %yv[%head, %m0, %n0] : !y, !tile.view<3, !tile.elem<"Y">>
  tile.return
}
