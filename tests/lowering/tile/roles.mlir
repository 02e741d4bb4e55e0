// RUN: quern-opt %s -tile-select-atoms -tile-assign-roles -tile-infer-layouts | FileCheck %s

// One thread fills slots, two groups of four warps empty them. What the maps are made of stands in front; what works
// on tiles is in the region of the warps that compute.
// CHECK-LABEL: tile.kernel @product
tile.kernel @product(%x: !tile.ptr<bf16>, %w: !tile.ptr<bf16>, %y: !tile.ptr<f32>, %m: i32, %first: i32) attributes {
    schedule = "k{mma=wgmma.m64n96k16.bf16 groups=2 strategy=roles stages=3}",
    machine = {lanes = 32 : i32, vector_bytes = 16 : i32, target = "nvidia:sm_90a"}} {
  %zero = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %zero_f = arith.constant 0.0 : f32
  %step = arith.constant 128 : i32
  %n = arith.constant 96 : i32
  %k = arith.constant 400 : i32
  %stride = arith.constant 416 : i32
  // CHECK: %[[X:.*]] = tile.tensor_map %arg0[%arg3, %{{.*}}] strides[%{{.*}}, %{{.*}}] box [128, 64] span 128
  // CHECK: %[[W:.*]] = tile.tensor_map %arg1[%{{.*}}, %{{.*}}, %{{.*}}] box [1, 96, 64] span 128
  %xv = tile.view %x[%m, %k] strides [%stride, %one] : !tile.ptr<bf16> -> !tile.view<2, bf16>
  %wv = tile.view %w[%one, %n, %k] : !tile.ptr<bf16> -> !tile.view<3, bf16>
  %yv = tile.view %y[%m, %n] : !tile.ptr<f32> -> !tile.view<2, f32>
  %init = tile.splat %zero_f : f32 -> tensor<128x96xf32>
  // CHECK: %[[S:.*]] = tile.slots : <3, tensor<128x128xbf16, #tile.shared<128>>, tensor<96x128xbf16, #tile.shared<128>>>
  // CHECK: tile.roles registers 40, 232 copy {
  // CHECK: scf.for %[[K:.*]] = %{{.*}} to %{{.*}} step %{{.*}} iter_args(%[[SLOT:.*]] = %{{.*}}, %[[PHASE:.*]] = %{{.*}}) -> (i32, i32)
  // CHECK: %[[AT:.*]] = arith.addi %[[K]], %arg4
  // CHECK: tile.fill_slot %[[S]][%[[SLOT]], %[[PHASE]]] from %[[X]], %[[W]] at[%{{.*}}, %[[AT]], %{{.*}}, %{{.*}}, %[[AT]]]
  // CHECK: } compute {
  // CHECK: tile.splat
  // CHECK: scf.for
  %sum = scf.for %k0 = %zero to %k step %step iter_args(%acc = %init) -> (tensor<128x96xf32>) : i32 {
    // CHECK-NOT: tile.load
    // CHECK: %[[T:.*]]:2 = tile.wait_slot
    %at = arith.addi %k0, %first : i32
    %a = tile.load %xv[%zero, %at] : !tile.view<2, bf16> -> tensor<128x128xbf16>
    %b = tile.load %wv[%zero, %zero, %at] : !tile.view<3, bf16> -> tensor<96x128xbf16>
    // The rows of a fragment lie in four warps; the groups divide the rows of the tile, its columns are repeats.
    // CHECK: tile.mma %[[T]]#0, %[[T]]#1, {{.*}} {atom = "wgmma.m64n96k16.bf16"} {{.*}} -> tensor<128x96xf32, #tile.layout<register = {{\[\[}}0, 1], [8, 0], [0, 8], [0, 16{{\]\]}}, lane = {{\[\[}}0, 2], [0, 4], [1, 0], [2, 0], [4, 0{{\]\]}}, warp = {{\[\[}}16, 0], [32, 0], [64, 0{{\]\]}}, repeat = [1, 3]>>
    // CHECK: tile.free_slot
    %next = tile.mma %a, %b, %acc : tensor<128x128xbf16>, tensor<96x128xbf16> -> tensor<128x96xf32>
    scf.yield %next : tensor<128x96xf32>
  }
  // CHECK: tile.store
  tile.store %sum, %yv[%zero, %zero] : tensor<128x96xf32>, !tile.view<2, f32>
  // CHECK: tile.return
  tile.return
}

// A product of one step has no loop: one that runs once is made.
// CHECK-LABEL: tile.kernel @one_step
// CHECK: copy {
// CHECK: scf.for
// CHECK: tile.fill_slot
// CHECK: compute {
// CHECK: scf.for
// CHECK: tile.wait_slot
// CHECK: tile.mma
// CHECK: tile.store
tile.kernel @one_step(%x: !tile.ptr<bf16>, %w: !tile.ptr<bf16>, %y: !tile.ptr<f32>, %m: i32) attributes {
    schedule = "k{mma=wgmma.m64n64k16.bf16 strategy=roles stages=2}",
    machine = {lanes = 32 : i32, vector_bytes = 16 : i32, target = "nvidia:sm_90a"}} {
  %zero = arith.constant 0 : i32
  %n = arith.constant 64 : i32
  %zero_f = arith.constant 0.0 : f32
  %xv = tile.view %x[%m, %n] : !tile.ptr<bf16> -> !tile.view<2, bf16>
  %wv = tile.view %w[%n, %n] : !tile.ptr<bf16> -> !tile.view<2, bf16>
  %yv = tile.view %y[%m, %n] : !tile.ptr<f32> -> !tile.view<2, f32>
  %init = tile.splat %zero_f : f32 -> tensor<64x64xf32>
  %a = tile.load %xv[%zero, %zero] : !tile.view<2, bf16> -> tensor<64x64xbf16>
  %b = tile.load %wv[%zero, %zero] : !tile.view<2, bf16> -> tensor<64x64xbf16>
  %sum = tile.mma %a, %b, %init : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
  tile.store %sum, %yv[%zero, %zero] : tensor<64x64xf32>, !tile.view<2, f32>
  tile.return
}
