// Every operation, type and attribute of the tile dialect is read back as it was printed.
// RUN: quern-opt %s | quern-opt | FileCheck %s

// CHECK: tile.kernel @operations(%{{.*}}: !tile.ptr<bf16>, %{{.*}}: !tile.ptr<i32>, %{{.*}}: i32, %{{.*}}: f32)
// CHECK-SAME: attributes {tile_names = ["BM", "BN"]}
tile.kernel @operations(%x: !tile.ptr<bf16>, %index: !tile.ptr<i32>, %n: i32, %factor: f32)
    attributes {tile_names = ["BM", "BN"]} {
  %one = arith.constant 1 : i32
  %four = arith.constant 4 : i32
  // CHECK: tile.require %{{.*}} divides %{{.*}}
  tile.require %one divides %four
  // CHECK: %[[D:.*]]:2 = tile.domain %[[N:.*]] by %[[FOUR:.*]], %[[N]] by %{{.*}}
  %m0, %n0 = tile.domain %n by %four, %n by %one
  // CHECK: tile.view %{{.*}}[%{{.*}}] : <i32> -> <1, i32>
  %iv = tile.view %index[%n] : !tile.ptr<i32> -> !tile.view<1, i32>
  // CHECK: tile.view %{{.*}}[%{{.*}}, %{{.*}}] strides[%{{.*}}, %{{.*}}] : <bf16> -> <2, bf16>
  %v = tile.view %x[%n, %n] strides [%n, %one] : !tile.ptr<bf16> -> !tile.view<2, bf16>
  // CHECK: tile.load_scalar %{{.*}}[%[[D]]#0] : <1, i32> -> i32
  %i = tile.load_scalar %iv[%m0] : !tile.view<1, i32> -> i32
  // CHECK: tile.load %{{.*}}[%{{.*}}, %[[D]]#1] : <2, bf16> -> tensor<4x8xbf16>
  %a = tile.load %v[%i, %n0] : !tile.view<2, bf16> -> tensor<4x8xbf16>
  // CHECK: tile.iota 1 : tensor<4x8xi32>
  %columns = tile.iota 1 : tensor<4x8xi32>
  // CHECK: tile.gather %{{.*}}[%{{.*}}, %{{.*}}] : <2, bf16>, i32, tensor<4x8xi32> -> tensor<4x8xbf16>
  %g = tile.gather %v[%i, %columns] : !tile.view<2, bf16>, i32, tensor<4x8xi32> -> tensor<4x8xbf16>
  // CHECK: tile.convert %{{.*}} : tensor<4x8xbf16> -> tensor<4x8xf32>
  %f = tile.convert %a : tensor<4x8xbf16> -> tensor<4x8xf32>
  // CHECK: tile.bitcast %{{.*}} : tensor<4x8xf32> -> tensor<4x8xi32>
  %bits = tile.bitcast %f : tensor<4x8xf32> -> tensor<4x8xi32>
  // CHECK: tile.reduce add %{{.*}} dim 1 : tensor<4x8xf32> -> tensor<4xf32>
  %sum = tile.reduce add %f dim 1 : tensor<4x8xf32> -> tensor<4xf32>
  // CHECK: tile.reduce max %{{.*}} dim 0 : tensor<4xf32> -> tensor<f32>
  %most = tile.reduce max %sum dim 0 : tensor<4xf32> -> tensor<f32>
  // CHECK: tile.reduce min
  %least = tile.reduce min %sum dim 0 : tensor<4xf32> -> tensor<f32>
  // CHECK: tile.broadcast %{{.*}} dims [0] : tensor<4xf32> -> tensor<4x4xf32>
  %wide = tile.broadcast %sum dims [0] : tensor<4xf32> -> tensor<4x4xf32>
  // CHECK: tile.broadcast %{{.*}} dims [] : tensor<f32> -> tensor<4xf32>
  %all = tile.broadcast %most dims [] : tensor<f32> -> tensor<4xf32>
  // CHECK: tile.splat %{{.*}} : f32 -> tensor<8x4xf32>
  %b = tile.splat %factor : f32 -> tensor<8x4xf32>
  // CHECK: tile.mma %{{.*}}, %{{.*}}, %{{.*}} : tensor<4x8xbf16>, tensor<4x8xbf16> -> tensor<4x4xf32>
  %c = tile.mma %a, %g, %wide : tensor<4x8xbf16>, tensor<4x8xbf16> -> tensor<4x4xf32>
  // CHECK: tile.mma %{{.*}}, %{{.*}}, %{{.*}} b_rows_are_k : tensor<4x8xbf16>, tensor<8x4xf32> -> tensor<4x4xf32>
  %d = tile.mma %a, %b, %c b_rows_are_k : tensor<4x8xbf16>, tensor<8x4xf32> -> tensor<4x4xf32>
  // CHECK: tile.mma %{{.*}}, %{{.*}}, %{{.*}} scales %{{.*}}, %{{.*}} : tensor<4xf32>, tensor<4xf32> : tensor<4x8xbf16>
  %e = tile.mma %a, %g, %d scales %sum, %all : tensor<4xf32>, tensor<4xf32> : tensor<4x8xbf16>, tensor<4x8xbf16> -> tensor<4x4xf32>
  // CHECK: tile.scatter %{{.*}}, %{{.*}}[%{{.*}}, %{{.*}}] : tensor<4x8xbf16>, <2, bf16>, i32, tensor<4x8xi32>
  tile.scatter %g, %v[%i, %columns] : tensor<4x8xbf16>, !tile.view<2, bf16>, i32, tensor<4x8xi32>
  // CHECK: tile.store %{{.*}}, %{{.*}}[%{{.*}}, %{{.*}}] : tensor<4x8xbf16>, <2, bf16>
  tile.store %a, %v[%m0, %n0] : tensor<4x8xbf16>, !tile.view<2, bf16>
  // CHECK: tile.return
  tile.return
}

// CHECK: tile.kernel @generic(%{{.*}}: !tile.ptr<!tile.elem<"X">>
tile.kernel @generic(%x: !tile.ptr<!tile.elem<"X">>, %n: i32) attributes {tile_names = ["BN"]} {
  // CHECK: tile.param "BN" : i32
  %bn = tile.param "BN" : i32
  %i = tile.domain %n by %bn
  %v = tile.view %x[%n] : !tile.ptr<!tile.elem<"X">> -> !tile.view<1, !tile.elem<"X">>
  // CHECK: tile.load %{{.*}} -> tensor<?x!tile.elem<"X">, #tile.dims<BN>>
  %a = tile.load %v[%i] : !tile.view<1, !tile.elem<"X">> -> tensor<?x!tile.elem<"X">, #tile.dims<BN>>
  // CHECK: tile.static_if "WIDE" -> tensor<?x?xf32, #tile.dims<BN, 2>> {
  %wide = tile.static_if "WIDE" -> tensor<?x?xf32, #tile.dims<BN, 2>> {
    %one = tile.param "one" : f32
    %t = tile.splat %one : f32 -> tensor<?x?xf32, #tile.dims<BN, 2>>
    // CHECK: tile.yield %{{.*}} : tensor<?x?xf32, #tile.dims<BN, 2>>
    tile.yield %t : tensor<?x?xf32, #tile.dims<BN, 2>>
  // CHECK: } else {
  } else {
    %zero = tile.param "zero" : f32
    %t = tile.splat %zero : f32 -> tensor<?x?xf32, #tile.dims<BN, 2>>
    tile.yield %t : tensor<?x?xf32, #tile.dims<BN, 2>>
  }
  tile.return
}

// CHECK-LABEL: tile.kernel @layouts
tile.kernel @layouts(%f: f32) {
  // CHECK: tensor<4x8xf32, #tile.layout<register = {{\[\[}}0, 1], [0, 2{{\]\]}}, lane = {{\[\[}}0, 4], [1, 0], [2, 0{{\]\]}}, warp = [], repeat = [1, 1]>>
  %a = tile.splat %f : f32 -> tensor<4x8xf32, #tile.layout<register = [[0, 1], [0, 2]], lane = [[0, 4], [1, 0], [2, 0]], warp = [], repeat = [1, 1]>>
  // CHECK: tile.relayout {{.*}} -> tensor<4x8xf32, #tile.layout<register = {{\[\[}}1, 0], [2, 0{{\]\]}}, lane = {{\[\[}}0, 1], [0, 2], [0, 4{{\]\]}}, warp = {{\[\[}}0, 0{{\]\]}}, repeat = [1, 1]>>
  %b = tile.relayout %a : tensor<4x8xf32, #tile.layout<register = [[0, 1], [0, 2]], lane = [[0, 4], [1, 0], [2, 0]], warp = [], repeat = [1, 1]>> -> tensor<4x8xf32, #tile.layout<register = [[1, 0], [2, 0]], lane = [[0, 1], [0, 2], [0, 4]], warp = [[0, 0]], repeat = [1, 1]>>
  // CHECK: tensor<48xf32, #tile.layout<register = [], lane = {{\[\[}}1], [2], [4], [8{{\]\]}}, warp = [], repeat = [3]>>
  %c = tile.splat %f : f32 -> tensor<48xf32, #tile.layout<register = [], lane = [[1], [2], [4], [8]], warp = [], repeat = [3]>>
  // CHECK: tensor<f32, #tile.layout<register = [], lane = {{\[\[\]\]}}, warp = [], repeat = []>>
  %d = tile.splat %f : f32 -> tensor<f32, #tile.layout<register = [], lane = [[]], warp = [], repeat = []>>
  tile.return
}
