// RUN: quern-opt %s -tile-specialize | FileCheck %s

// CHECK-LABEL: tile.kernel @parameters
// CHECK-SAME: !tile.ptr<bf16>
// CHECK-NOT: tile.param
// CHECK-NOT: static_if
// CHECK-NOT: params
tile.kernel @parameters(%x: !tile.ptr<!tile.elem<"X">>, %n: i32) attributes {tile_names = ["BN"],
    params = {BN = 48 : i64, X = bf16, factor = 2.5, BOTH = 1 : i64, INNER = 0 : i64, WRITE = 0 : i64}} {
  // CHECK: %[[BN:.*]] = arith.constant 48 : i32
  %bn = tile.param "BN" : i32
  // CHECK-NOT: tile.require
  tile.require %bn divides %bn
  // CHECK: tile.domain %{{.*}} by %[[BN]]
  %i = tile.domain %n by %bn
  %v = tile.view %x[%n] : !tile.ptr<!tile.elem<"X">> -> !tile.view<1, !tile.elem<"X">>
  // CHECK: tile.load %{{.*}} : <1, bf16> -> tensor<48xbf16>
  %a = tile.load %v[%i] : !tile.view<1, !tile.elem<"X">> -> tensor<?x!tile.elem<"X">, #tile.dims<BN>>
  %f = tile.convert %a : tensor<?x!tile.elem<"X">, #tile.dims<BN>> -> tensor<?xf32, #tile.dims<BN>>
  // The inner choice is made in the region that the outer one keeps.
  %r = tile.static_if "BOTH" -> tensor<?xf32, #tile.dims<BN>> {
    %inner = tile.static_if "INNER" -> tensor<?xf32, #tile.dims<BN>> {
      %n1 = arith.negf %f : tensor<?xf32, #tile.dims<BN>>
      tile.yield %n1 : tensor<?xf32, #tile.dims<BN>>
    } else {
      // CHECK: %[[FACTOR:.*]] = arith.constant 2.500000e+00 : f32
      %factor = tile.param "factor" : f32
      %t = tile.splat %factor : f32 -> tensor<?xf32, #tile.dims<BN>>
      // CHECK: %[[R:.*]] = arith.mulf {{.*}} : tensor<48xf32>
      // CHECK-NOT: arith.negf
      %p = arith.mulf %f, %t : tensor<?xf32, #tile.dims<BN>>
      tile.yield %p : tensor<?xf32, #tile.dims<BN>>
    }
    tile.yield %inner : tensor<?xf32, #tile.dims<BN>>
  } else {
    tile.yield %f : tensor<?xf32, #tile.dims<BN>>
  }
  // CHECK: %[[OUT:.*]] = tile.convert %[[R]] : tensor<48xf32> -> tensor<48xbf16>
  %out = tile.convert %r : tensor<?xf32, #tile.dims<BN>> -> tensor<?x!tile.elem<"X">, #tile.dims<BN>>
  // CHECK: tile.store %[[OUT]]
  tile.store %out, %v[%i] : tensor<?x!tile.elem<"X">, #tile.dims<BN>>, !tile.view<1, !tile.elem<"X">>
  // A choice without results and without a second region.
  // CHECK-NOT: tile.store
  tile.static_if "WRITE" {
    tile.store %a, %v[%i] : tensor<?x!tile.elem<"X">, #tile.dims<BN>>, !tile.view<1, !tile.elem<"X">>
    tile.yield
  }
  // CHECK: tile.return
  tile.return
}
