// One kernel on its way down, phase by phase; each line of RUN ends one phase later.
// RUN: quern-opt %s --phase-tile | FileCheck %s --check-prefix=TILE
// RUN: quern-opt %s --phase-tile --phase-layouts | FileCheck %s --check-prefix=LAYOUTS
// RUN: quern-opt %s --phase-tile --phase-layouts --phase-rings | FileCheck %s --check-prefix=LAYOUTS --implicit-check-not=tile.ring

!x = tensor<?x!tile.elem<"X">, #tile.dims<BN>>
!f = tensor<?xf32, #tile.dims<BN>>

// TILE-LABEL: tile.kernel @scale
// TILE-NOT: tile.elem
// TILE-NOT: tile.dims
// TILE: tile.load {{.*}} -> tensor<64xbf16>
// TILE-NOT: arith.negf
// TILE: arith.mulf {{.*}} : tensor<64xf32>

// LAYOUTS-LABEL: tile.kernel @scale
// LAYOUTS: tile.load {{.*}} -> tensor<64xbf16, #tile.layout<
// LAYOUTS: arith.mulf {{.*}} : tensor<64xf32, #tile.layout<
// LAYOUTS: tile.store {{.*}} : tensor<64xbf16, #tile.layout<
tile.kernel @scale(%x: !tile.ptr<!tile.elem<"X">>, %n: i32) attributes {tile_names = ["BN"],
    params = {BN = 64 : i64, X = bf16, factor = 3.0, NEGATE = 0 : i64}, schedule = "scale{tile=64}",
    machine = {lanes = 32 : i32, vector_bytes = 16 : i32}} {
  %bn = tile.param "BN" : i32
  %i = tile.domain %n by %bn
  %v = tile.view %x[%n] : !tile.ptr<!tile.elem<"X">> -> !tile.view<1, !tile.elem<"X">>
  %a = tile.load %v[%i] : !tile.view<1, !tile.elem<"X">> -> !x
  %f = tile.convert %a : !x -> !f
  %factor = tile.param "factor" : f32
  %factor_t = tile.splat %factor : f32 -> !f
  %p = arith.mulf %f, %factor_t : !f
  %r = tile.static_if "NEGATE" -> !f {
    %negated = arith.negf %p : !f
    tile.yield %negated : !f
  } else {
    tile.yield %p : !f
  }
  %out = tile.convert %r : !f -> !x
  tile.store %out, %v[%i] : !x, !tile.view<1, !tile.elem<"X">>
  tile.return
}
