// Linear layer: y[m, n] = sum_k x[m, k] * w[n, k] (+ bias[n]), accumulated in f32, rounded once to the type of y.
//
// SCALES: w is fp8 with one scale for each block of 128x128. With QUANTIZED x is fp8 with one scale for each 1x128
// of a row, and each step is promoted with both scales; else each weight is dequantised (rounded to bf16).
//
// EXPERTS: w is a stack [E, N, K] and row m uses the matrix indices[m] (a block has one row then, BM = 1). Row m of
// y comes from row m / SHARE of x: SHARE is the number of experts of a token for the first product, 1 elsewhere.
//
// GROUPED: the same for many rows: they are sorted by matrix and filled up to whole groups of ROUND rows of one
// matrix each, as kernels/route_groups leaves them. rows is the length of `indices`, row m of the arrangement is row
// indices[m] of y (-1: none), and rows of group g use the matrix groups[g] (-1: none).
//
// EXPERTS with GROUPED: a block has one row of EXPERTS, the first of a tile of BM rows, so that a matrix unit can
// multiply it; the others are neither read nor written.
//
// Parameters: N, K, E, SHARE, ROUND (GROUPED), XS and YS (row strides of x and y in elements), X, W, B, Y (elements), BIAS, SCALES,
// QUANTIZED, EXPERTS, GROUPED.

!x = tensor<?x?x!tile.elem<"X">, #tile.dims<BM, BK>>
!w = tensor<?x?x!tile.elem<"W">, #tile.dims<BN, BK>>
!wb = tensor<?x?xbf16, #tile.dims<BN, BK>>
!wf = tensor<?x?xf32, #tile.dims<BN, BK>>
!acc = tensor<?x?xf32, #tile.dims<BM, BN>>
!y = tensor<?x?x!tile.elem<"Y">, #tile.dims<BM, BN>>
!xs = tensor<?xf32, #tile.dims<BM>>
!ws = tensor<?xf32, #tile.dims<BN>>
!wi = tensor<?xi32, #tile.dims<BN>>
!xi = tensor<?xi32, #tile.dims<BM>>
!xb = tensor<?xi1, #tile.dims<BM>>
!b = tensor<?x!tile.elem<"B">, #tile.dims<BN>>
!xp = tensor<?x?xi32, #tile.dims<BM, BK>>
!yp = tensor<?x?xi32, #tile.dims<BM, BN>>

tile.kernel @linear(%x: !tile.ptr<!tile.elem<"X">>, %x_scales: !tile.ptr<f32>, %w: !tile.ptr<!tile.elem<"W">>,
                    %w_scales: !tile.ptr<f32>, %bias: !tile.ptr<!tile.elem<"B">>, %indices: !tile.ptr<i32>,
                    %groups: !tile.ptr<i32>, %y: !tile.ptr<!tile.elem<"Y">>, %rows: i32) attributes {tile_names = ["BM", "BN", "BK"]} {
  %bm = tile.param "BM" : i32
  %bn = tile.param "BN" : i32
  %bk = tile.param "BK" : i32
  %n = tile.param "N" : i32
  %k = tile.param "K" : i32
  %experts = tile.param "E" : i32
  %share = tile.param "SHARE" : i32
  %xs = tile.param "XS" : i32
  %ys = tile.param "YS" : i32
  %zero = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %block = arith.constant 128 : i32
  %c127 = arith.constant 127 : i32
  %zero_f = arith.constant 0.0 : f32
  %kp = arith.addi %k, %c127 : i32
  %np = arith.addi %n, %c127 : i32
  %kb = arith.divui %kp, %block : i32
  %nb = arith.divui %np, %block : i32
  %row_step = tile.static_if "EXPERTS" -> i32 {
    tile.yield %one : i32
  } else {
    tile.yield %bm : i32
  }
  %m0, %n0 = tile.domain %rows by %row_step, %n by %bn
  %e, %x_rows, %xm = tile.static_if "EXPERTS" -> i32, i32, i32 {
    tile.static_if "GROUPED" {
    } else {
      tile.require %bm divides %one
    }
    %iv = tile.view %indices[%rows] : !tile.ptr<i32> -> !tile.view<1, i32>
    %chosen = tile.load_scalar %iv[%m0] : !tile.view<1, i32> -> i32
    %tokens = arith.divui %rows, %share : i32
    %token = arith.divui %m0, %share : i32
    tile.yield %chosen, %tokens, %token : i32, i32, i32
  } else {
    %group = tile.static_if "GROUPED" -> i32 {
      %round = tile.param "ROUND" : i32
      tile.require %bm divides %round
      %rp = arith.addi %rows, %round : i32
      %rm = arith.subi %rp, %one : i32
      %count = arith.divui %rm, %round : i32
      %gv = tile.view %groups[%count] : !tile.ptr<i32> -> !tile.view<1, i32>
      %g = arith.divui %m0, %round : i32
      %of_group = tile.load_scalar %gv[%g] : !tile.view<1, i32> -> i32
      tile.yield %of_group : i32
    } else {
      tile.yield %zero : i32
    }
    tile.yield %group, %rows, %m0 : i32, i32, i32
  }
  %xv = tile.view %x[%x_rows, %k] strides [%xs, %one] : !tile.ptr<!tile.elem<"X">> -> !tile.view<2, !tile.elem<"X">>
  %xsv = tile.view %x_scales[%x_rows, %kb] : !tile.ptr<f32> -> !tile.view<2, f32>
  %wv = tile.view %w[%experts, %n, %k] : !tile.ptr<!tile.elem<"W">> -> !tile.view<3, !tile.elem<"W">>
  %wsv = tile.view %w_scales[%experts, %nb, %kb] : !tile.ptr<f32> -> !tile.view<3, f32>
  %bv = tile.view %bias[%n] : !tile.ptr<!tile.elem<"B">> -> !tile.view<1, !tile.elem<"B">>
  %yv = tile.view %y[%rows, %n] strides [%ys, %one] : !tile.ptr<!tile.elem<"Y">> -> !tile.view<2, !tile.elem<"Y">>

  // Rows of x and of y, and k, of which a group without a matrix has none.
  %k_end, %x_row, %y_row = tile.static_if "GROUPED" -> i32, !xi, !xi {
    %end, %source, %place = tile.static_if "EXPERTS" -> i32, !xi, !xi {
      %m = tile.iota 0 : !xi
      %zero_t = tile.splat %zero : i32 -> !xi
      %is_row = arith.cmpi eq, %m, %zero_t : !xi
      %none = arith.constant -1 : i32
      %none_t = tile.splat %none : i32 -> !xi
      %xm_t = tile.splat %xm : i32 -> !xi
      %m0_t = tile.splat %m0 : i32 -> !xi
      %x_only = arith.select %is_row, %xm_t, %none_t : !xb, !xi
      %y_only = arith.select %is_row, %m0_t, %none_t : !xb, !xi
      tile.yield %k, %x_only, %y_only : i32, !xi, !xi
    } else {
      %iv = tile.view %indices[%rows] : !tile.ptr<i32> -> !tile.view<1, i32>
      %loaded = tile.load %iv[%m0] : !tile.view<1, i32> -> !xi
      // What is read behind the last place is 0, which is a row.
      %m = tile.iota 0 : !xi
      %m0_t = tile.splat %m0 : i32 -> !xi
      %at = arith.addi %m, %m0_t : !xi
      %rows_t = tile.splat %rows : i32 -> !xi
      %is_place = arith.cmpi slt, %at, %rows_t : !xi
      %none = arith.constant -1 : i32
      %none_t = tile.splat %none : i32 -> !xi
      %row_of_y = arith.select %is_place, %loaded, %none_t : !xb, !xi
      %share_t = tile.splat %share : i32 -> !xi
      %row_of_x = arith.divsi %row_of_y, %share_t : !xi
      %unused = arith.cmpi slt, %e, %zero : i32
      %group_end = arith.select %unused, %zero, %k : i32
      tile.yield %group_end, %row_of_x, %row_of_y : i32, !xi, !xi
    }
    tile.yield %end, %source, %place : i32, !xi, !xi
  } else {
    %rows_of_x = tile.iota 0 : !xi
    %xm_t = tile.splat %xm : i32 -> !xi
    %row = arith.addi %rows_of_x, %xm_t : !xi
    tile.yield %k, %row, %row : i32, !xi, !xi
  }
  %init = tile.splat %zero_f : f32 -> !acc
  %sum = scf.for %k0 = %zero to %k_end step %bk iter_args(%acc = %init) -> (!acc) : i32 {
    %xt = tile.static_if "GROUPED" -> !x {
      %columns = tile.iota 1 : !xp
      %k0_t = tile.splat %k0 : i32 -> !xp
      %column = arith.addi %columns, %k0_t : !xp
      %row_b = tile.broadcast %x_row dims [0] : !xi -> !xp
      %gathered = tile.gather %xv[%row_b, %column] : !tile.view<2, !tile.elem<"X">>, !xp, !xp -> !x
      tile.yield %gathered : !x
    } else {
      %loaded = tile.load %xv[%xm, %k0] : !tile.view<2, !tile.elem<"X">> -> !x
      tile.yield %loaded : !x
    }
    %wt = tile.load %wv[%e, %n0, %k0] : !tile.view<3, !tile.elem<"W">> -> !w
    %next = tile.static_if "SCALES" -> !acc {
      // A step has one scale for each row.
      tile.require %bk divides %block
      %k_block = arith.divui %k0, %block : i32
      %rows_of_w = tile.iota 0 : !wi
      %n0_t = tile.splat %n0 : i32 -> !wi
      %block_t = tile.splat %block : i32 -> !wi
      %row = arith.addi %rows_of_w, %n0_t : !wi
      %row_block = arith.divui %row, %block_t : !wi
      %ws = tile.gather %wsv[%e, %row_block, %k_block] : !tile.view<3, f32>, i32, !wi, i32 -> !ws
      %stepped = tile.static_if "QUANTIZED" -> !acc {
        %xscale = tile.gather %xsv[%x_row, %k_block] : !tile.view<2, f32>, !xi, i32 -> !xs
        %step = tile.mma %xt, %wt, %acc scales %xscale, %ws : !xs, !ws : !x, !w -> !acc
        tile.yield %step : !acc
      } else {
        %wf = tile.convert %wt : !w -> !wf
        %ws_b = tile.broadcast %ws dims [0] : !ws -> !wf
        %dequantised = arith.mulf %wf, %ws_b : !wf
        %rounded = tile.convert %dequantised : !wf -> !wb
        %step = tile.mma %xt, %rounded, %acc : !x, !wb -> !acc
        tile.yield %step : !acc
      }
      tile.yield %stepped : !acc
    } else {
      %step = tile.mma %xt, %wt, %acc : !x, !w -> !acc
      tile.yield %step : !acc
    }
    scf.yield %next : !acc
  }
  %biased = tile.static_if "BIAS" -> !acc {
    %bt = tile.load %bv[%n0] : !tile.view<1, !tile.elem<"B">> -> !b
    %bf = tile.convert %bt : !b -> !ws
    %bb = tile.broadcast %bf dims [1] : !ws -> !acc
    %added = arith.addf %sum, %bb : !acc
    tile.yield %added : !acc
  } else {
    tile.yield %sum : !acc
  }
  %out = tile.convert %biased : !acc -> !y
  tile.static_if "GROUPED" {
    %columns = tile.iota 1 : !yp
    %n0_t = tile.splat %n0 : i32 -> !yp
    %column = arith.addi %columns, %n0_t : !yp
    %row_b = tile.broadcast %y_row dims [0] : !xi -> !yp
    tile.scatter %out, %yv[%row_b, %column] : !y, !tile.view<2, !tile.elem<"Y">>, !yp, !yp
  } else {
    tile.store %out, %yv[%m0, %n0] : !y, !tile.view<2, !tile.elem<"Y">>
  }
  tile.return
}
