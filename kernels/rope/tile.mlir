// Rotates F pairs of elements of each head by the angle of the token's position; cos and sin come from a table
// [C, F, 2]. The rotated part starts at column OFFSET; PRE columns before it and POST behind it are copied.
// Half: pair (i, i + F). INTERLEAVED: pair (2i, 2i + 1).
//
// Parameters: H, D, F, OFFSET, PRE, POST, XS, HS (token and head stride of x in elements), X (element), INTERLEAVED,
// HAS_PRE, HAS_POST.

!x = tensor<?x?x!tile.elem<"X">, #tile.dims<BH, F>>
!f = tensor<?x?xf32, #tile.dims<BH, F>>
!f1 = tensor<?x?x?xf32, #tile.dims<BH, F, 1>>
!xp = tensor<?x?x?x!tile.elem<"X">, #tile.dims<BH, F, 1>>
!t = tensor<?xf32, #tile.dims<F>>
!t1 = tensor<?x?xf32, #tile.dims<F, 1>>
!pre = tensor<?x?x!tile.elem<"X">, #tile.dims<BH, PRE>>
!post = tensor<?x?x!tile.elem<"X">, #tile.dims<BH, POST>>

tile.kernel @rope(%x: !tile.ptr<!tile.elem<"X">>, %positions: !tile.ptr<i32>, %table: !tile.ptr<f32>,
                  %y: !tile.ptr<!tile.elem<"X">>, %tokens: i32, %limit: i32) attributes {tile_names = ["BH"]} {
  %bh = tile.param "BH" : i32
  %h = tile.param "H" : i32
  %d = tile.param "D" : i32
  %f = tile.param "F" : i32
  %offset = tile.param "OFFSET" : i32
  %xs = tile.param "XS" : i32
  %hs = tile.param "HS" : i32
  %zero = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %two = arith.constant 2 : i32
  %t, %h0 = tile.domain %tokens by %one, %h by %bh
  %pv = tile.view %positions[%tokens] : !tile.ptr<i32> -> !tile.view<1, i32>
  %tv = tile.view %table[%limit, %f, %two] : !tile.ptr<f32> -> !tile.view<3, f32>
  %xv = tile.view %x[%tokens, %h, %d] strides [%xs, %hs, %one] : !tile.ptr<!tile.elem<"X">> -> !tile.view<3, !tile.elem<"X">>
  %yv = tile.view %y[%tokens, %h, %d] : !tile.ptr<!tile.elem<"X">> -> !tile.view<3, !tile.elem<"X">>
  %p = tile.load_scalar %pv[%t] : !tile.view<1, i32> -> i32
  %cos1 = tile.load %tv[%p, %zero, %zero] : !tile.view<3, f32> -> !t1
  %sin1 = tile.load %tv[%p, %zero, %one] : !tile.view<3, f32> -> !t1
  %cos_t = tile.reduce add %cos1 dim 1 : !t1 -> !t
  %sin_t = tile.reduce add %sin1 dim 1 : !t1 -> !t
  %cos = tile.broadcast %cos_t dims [1] : !t -> !f
  %sin = tile.broadcast %sin_t dims [1] : !t -> !f
  tile.static_if "INTERLEAVED" {
    %half_d = arith.divui %d, %two : i32
    %pair0 = arith.divui %offset, %two : i32
    %xp = tile.view %x[%tokens, %h, %half_d, %two] strides [%xs, %hs, %two, %one] : !tile.ptr<!tile.elem<"X">> -> !tile.view<4, !tile.elem<"X">>
    %yp = tile.view %y[%tokens, %h, %half_d, %two] : !tile.ptr<!tile.elem<"X">> -> !tile.view<4, !tile.elem<"X">>
    %u1 = tile.load %xp[%t, %h0, %pair0, %zero] : !tile.view<4, !tile.elem<"X">> -> !xp
    %v1 = tile.load %xp[%t, %h0, %pair0, %one] : !tile.view<4, !tile.elem<"X">> -> !xp
    %uf1 = tile.convert %u1 : !xp -> !f1
    %vf1 = tile.convert %v1 : !xp -> !f1
    %u = tile.reduce add %uf1 dim 2 : !f1 -> !f
    %v = tile.reduce add %vf1 dim 2 : !f1 -> !f
    %uc = arith.mulf %u, %cos : !f
    %vs = arith.mulf %v, %sin : !f
    %us = arith.mulf %u, %sin : !f
    %vc = arith.mulf %v, %cos : !f
    %a = arith.subf %uc, %vs : !f
    %b = arith.addf %us, %vc : !f
    %ax = tile.convert %a : !f -> !x
    %bx = tile.convert %b : !f -> !x
    %a1 = tile.broadcast %ax dims [0, 1] : !x -> !xp
    %b1 = tile.broadcast %bx dims [0, 1] : !x -> !xp
    tile.store %a1, %yp[%t, %h0, %pair0, %zero] : !xp, !tile.view<4, !tile.elem<"X">>
    tile.store %b1, %yp[%t, %h0, %pair0, %one] : !xp, !tile.view<4, !tile.elem<"X">>
    tile.yield
  } else {
    %second = arith.addi %offset, %f : i32
    %u0 = tile.load %xv[%t, %h0, %offset] : !tile.view<3, !tile.elem<"X">> -> !x
    %v0 = tile.load %xv[%t, %h0, %second] : !tile.view<3, !tile.elem<"X">> -> !x
    %u = tile.convert %u0 : !x -> !f
    %v = tile.convert %v0 : !x -> !f
    %uc = arith.mulf %u, %cos : !f
    %vs = arith.mulf %v, %sin : !f
    %us = arith.mulf %u, %sin : !f
    %vc = arith.mulf %v, %cos : !f
    %a = arith.subf %uc, %vs : !f
    %b = arith.addf %us, %vc : !f
    %ax = tile.convert %a : !f -> !x
    %bx = tile.convert %b : !f -> !x
    tile.store %ax, %yv[%t, %h0, %offset] : !x, !tile.view<3, !tile.elem<"X">>
    tile.store %bx, %yv[%t, %h0, %second] : !x, !tile.view<3, !tile.elem<"X">>
    tile.yield
  }
  tile.static_if "HAS_PRE" {
    %before = tile.load %xv[%t, %h0, %zero] : !tile.view<3, !tile.elem<"X">> -> !pre
    tile.store %before, %yv[%t, %h0, %zero] : !pre, !tile.view<3, !tile.elem<"X">>
    tile.yield
  }
  tile.static_if "HAS_POST" {
    %behind_f = arith.muli %f, %two : i32
    %behind = arith.addi %offset, %behind_f : i32
    %rest = tile.load %xv[%t, %h0, %behind] : !tile.view<3, !tile.elem<"X">> -> !post
    tile.store %rest, %yv[%t, %h0, %behind] : !post, !tile.view<3, !tile.elem<"X">>
    tile.yield
  }
  tile.return
}
