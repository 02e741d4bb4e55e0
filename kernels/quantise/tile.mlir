// Rows in fp8 with one scale for each 128 columns: a = max(max |x|, 1e-4), scale = a / LARGEST, code = x / scale
// rounded to nearest even and saturated. With POWER_OF_TWO the scale is rounded up to a power of two. Where K is no
// multiple of 128 the last block of a row is shorter; it has a scale of its own like the others.
//
// Parameters: K (columns of a row), XS (row stride of x in elements), X, Q (elements of x and the codes), largest
// (448, or 224 for the FNUZ format, whose codes are then those of the other), POWER_OF_TWO.

!x = tensor<?x?x!tile.elem<"X">, #tile.dims<BR, 128>>
!q = tensor<?x?x!tile.elem<"Q">, #tile.dims<BR, 128>>
!f = tensor<?x?xf32, #tile.dims<BR, 128>>
!s = tensor<?xf32, #tile.dims<BR>>
!i = tensor<?xi32, #tile.dims<BR>>
!c = tensor<?xi1, #tile.dims<BR>>

tile.kernel @quantise(%x: !tile.ptr<!tile.elem<"X">>, %codes: !tile.ptr<!tile.elem<"Q">>, %scales: !tile.ptr<f32>,
                      %rows: i32) attributes {tile_names = ["BR"]} {
  %br = tile.param "BR" : i32
  %k = tile.param "K" : i32
  %xs = tile.param "XS" : i32
  %largest = tile.param "largest" : f32
  %zero = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %c127 = arith.constant 127 : i32
  %c128 = arith.constant 128 : i32
  %floor = arith.constant 1.0e-4 : f32
  %kp = arith.addi %k, %c127 : i32
  %kb = arith.divui %kp, %c128 : i32
  %r0, %k0 = tile.domain %rows by %br, %k by %c128
  %block = arith.divui %k0, %c128 : i32
  %xv = tile.view %x[%rows, %k] strides [%xs, %one] : !tile.ptr<!tile.elem<"X">> -> !tile.view<2, !tile.elem<"X">>
  %qv = tile.view %codes[%rows, %k] : !tile.ptr<!tile.elem<"Q">> -> !tile.view<2, !tile.elem<"Q">>
  %sv = tile.view %scales[%kb, %rows] strides [%one, %kb] : !tile.ptr<f32> -> !tile.view<2, f32>
  %xt = tile.load %xv[%r0, %k0] : !tile.view<2, !tile.elem<"X">> -> !x
  %xf = tile.convert %xt : !x -> !f
  %magnitude = math.absf %xf : !f
  %most = tile.reduce max %magnitude dim 1 : !f -> !s
  %floor_t = tile.splat %floor : f32 -> !s
  %amax = arith.maxnumf %most, %floor_t : !s
  %largest_t = tile.splat %largest : f32 -> !s
  %exact = arith.divf %amax, %largest_t : !s
  %scale = tile.static_if "POWER_OF_TWO" -> !s {
    %bits = tile.bitcast %exact : !s -> !i
    %c23 = arith.constant 23 : i32
    %mantissa_mask = arith.constant 0x7fffff : i32
    %mask_t = tile.splat %mantissa_mask : i32 -> !i
    %c23_t = tile.splat %c23 : i32 -> !i
    %zero_t = tile.splat %zero : i32 -> !i
    %one_t = tile.splat %one : i32 -> !i
    %mantissa = arith.andi %bits, %mask_t : !i
    %exponent = arith.shrui %bits, %c23_t : !i
    %inexact = arith.cmpi ne, %mantissa, %zero_t : !i
    %extra = tile.convert %inexact : !c -> !i
    %up = arith.addi %exponent, %extra : !i
    %power = arith.shli %up, %c23_t : !i
    %rounded = tile.bitcast %power : !i -> !s
    tile.yield %rounded : !s
  } else {
    tile.yield %exact : !s
  }
  %scale_b = tile.broadcast %scale dims [0] : !s -> !f
  %quotient = arith.divf %xf, %scale_b : !f
  %code = tile.convert %quotient : !f -> !q
  tile.store %code, %qv[%r0, %k0] : !q, !tile.view<2, !tile.elem<"Q">>
  tile.store %scale, %sv[%block, %r0] : !s, !tile.view<2, f32>
  tile.return
}
