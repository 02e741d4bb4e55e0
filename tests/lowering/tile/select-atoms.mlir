// RUN: quern-opt %s -tile-select-atoms -tile-expand-contraction -tile-infer-layouts | FileCheck %s

// The atom is noted at the step. Its accumulator, 16x8, is a grid: two instructions side by side for each of four
// warps in 2 x 2.
// CHECK-LABEL: tile.kernel @product
// CHECK-DAG: tensor<32x32xf32, #tile.layout<register = {{\[\[}}0, 1], [8, 0], [0, 8{{\]\]}}, lane = {{\[\[}}0, 2], [0, 4], [1, 0], [2, 0], [4, 0{{\]\]}}, warp = {{\[\[}}0, 16], [16, 0{{\]\]}}, repeat = [1, 1]>>
tile.kernel @product(%x: !tile.ptr<bf16>, %y: !tile.ptr<f32>, %m: i32, %n: i32, %k: i32) attributes {
    schedule = "k{mma=mma.m16n8k16.bf16 warps=2x2}",
    machine = {lanes = 32 : i32, vector_bytes = 16 : i32, target = "nvidia:sm_80"}} {
  %zero = arith.constant 0 : i32
  %zero_f = arith.constant 0.0 : f32
  %step = arith.constant 32 : i32
  %xv = tile.view %x[%m, %k] : !tile.ptr<bf16> -> !tile.view<2, bf16>
  %yv = tile.view %y[%m, %n] : !tile.ptr<f32> -> !tile.view<2, f32>
  %init = tile.splat %zero_f : f32 -> tensor<32x32xf32>
  %sum = scf.for %k0 = %zero to %k step %step iter_args(%acc = %init) -> (tensor<32x32xf32>) : i32 {
    // Loads keep memory order: four neighbours of a row in registers; fragments come by relayouts, the warps of one
    // row of the grid hold the same fragments of A.
    // CHECK: tile.load {{.*}} -> tensor<32x32xbf16, #tile.layout<register = {{\[\[}}0, 1], [0, 2], [0, 4{{\]\]}}
    // CHECK: tile.load
    %a = tile.load %xv[%zero, %k0] : !tile.view<2, bf16> -> tensor<32x32xbf16>
    %b = tile.load %xv[%zero, %k0] : !tile.view<2, bf16> -> tensor<32x32xbf16>
    // CHECK: tile.relayout {{.*}} -> tensor<32x32xbf16, #tile.layout<register = {{\[\[}}0, 1], [8, 0], [0, 8], [0, 16{{\]\]}}, lane = {{\[\[}}0, 2], [0, 4], [1, 0], [2, 0], [4, 0{{\]\]}}, warp = {{\[\[}}0, 0], [16, 0{{\]\]}}
    // CHECK: tile.relayout {{.*}} -> tensor<32x32xbf16, #tile.layout<register = {{\[\[}}0, 1], [0, 8], [0, 16], [8, 0{{\]\]}}, lane = {{\[\[}}0, 2], [0, 4], [1, 0], [2, 0], [4, 0{{\]\]}}, warp = {{\[\[}}16, 0], [0, 0{{\]\]}}
    // CHECK: tile.mma {{.*}} {atom = "mma.m16n8k16.bf16"}
    %next = tile.mma %a, %b, %acc : tensor<32x32xbf16>, tensor<32x32xbf16> -> tensor<32x32xf32>
    scf.yield %next : tensor<32x32xf32>
  }
  tile.store %sum, %yv[%zero, %zero] : tensor<32x32xf32>, !tile.view<2, f32>
  tile.return
}

// What was computed goes through shared memory too; a tile [K, N] comes to the transpose of the fragment. Steps of
// other element types keep the ordinary pipes.
// CHECK-LABEL: tile.kernel @transposed
tile.kernel @transposed(%x: !tile.ptr<f16>, %y: !tile.ptr<f32>, %m: i32) attributes {
    schedule = "k{mma=wmma.m16n16k16.f16 warps=1x1 contraction=outer}",
    machine = {lanes = 32 : i32, vector_bytes = 16 : i32, target = "amd:gfx1201"}} {
  %zero = arith.constant 0 : i32
  %zero_f = arith.constant 0.0 : f32
  %xv = tile.view %x[%m, %m] : !tile.ptr<f16> -> !tile.view<2, f16>
  %yv = tile.view %y[%m, %m] : !tile.ptr<f32> -> !tile.view<2, f32>
  %init = tile.splat %zero_f : f32 -> tensor<16x16xf32>
  %a = tile.load %xv[%zero, %zero] : !tile.view<2, f16> -> tensor<16x16xf16>
  // CHECK: tile.relayout {{.*}} -> tensor<16x16xf16, #tile.layout<register = {{\[\[}}1, 0], [2, 0], [4, 0{{\]\]}}, lane = {{\[\[}}0, 1], [0, 2], [0, 4], [0, 8], [8, 0{{\]\]}}
  // CHECK: tile.mma {{.*}} b_rows_are_k {atom = "wmma.m16n16k16.f16"}
  %p = tile.mma %a, %a, %init b_rows_are_k : tensor<16x16xf16>, tensor<16x16xf16> -> tensor<16x16xf32>
  // CHECK: tile.mma
  // CHECK-NOT: atom
  %q = tile.mma %p, %p, %init : tensor<16x16xf32>, tensor<16x16xf32> -> tensor<16x16xf32>
  tile.store %q, %yv[%zero, %zero] : tensor<16x16xf32>, !tile.view<2, f32>
  tile.return
}

// Without the field nothing changes.
// CHECK-LABEL: tile.kernel @ordinary
tile.kernel @ordinary(%x: !tile.ptr<f32>, %m: i32) attributes {
    schedule = "k{contraction=outer}", machine = {lanes = 32 : i32, target = "amd:gfx942"}} {
  %zero = arith.constant 0 : i32
  %xv = tile.view %x[%m, %m] : !tile.ptr<f32> -> !tile.view<2, f32>
  %a = tile.load %xv[%zero, %zero] : !tile.view<2, f32> -> tensor<16x16xf32>
  // CHECK: tile.mma
  // CHECK-NOT: atom
  %p = tile.mma %a, %a, %a : tensor<16x16xf32>, tensor<16x16xf32> -> tensor<16x16xf32>
  tile.store %p, %xv[%zero, %zero] : tensor<16x16xf32>, !tile.view<2, f32>
  tile.return
}

// Rows that were gathered keep memory order too: neighbours of a row are one access, the row index is one for all of
// them.
// CHECK-LABEL: tile.kernel @gathered
tile.kernel @gathered(%x: !tile.ptr<bf16>, %i: !tile.ptr<i32>, %y: !tile.ptr<f32>, %m: i32) attributes {
    schedule = "k{mma=mma.m16n8k16.bf16 warps=1x1}",
    machine = {lanes = 32 : i32, vector_bytes = 16 : i32, target = "nvidia:sm_80"}} {
  %zero = arith.constant 0 : i32
  %zero_f = arith.constant 0.0 : f32
  %xv = tile.view %x[%m, %m] : !tile.ptr<bf16> -> !tile.view<2, bf16>
  %iv = tile.view %i[%m] : !tile.ptr<i32> -> !tile.view<1, i32>
  %yv = tile.view %y[%m, %m] : !tile.ptr<f32> -> !tile.view<2, f32>
  %rows = tile.load %iv[%zero] : !tile.view<1, i32> -> tensor<16xi32>
  %row = tile.broadcast %rows dims [0] : tensor<16xi32> -> tensor<16x16xi32>
  %column = tile.iota 1 : tensor<16x16xi32>
  // CHECK: tile.gather {{.*}} -> tensor<16x16xbf16, #tile.layout<register = {{\[\[}}0, 1], [0, 2], [0, 4{{\]\]}}, lane = {{\[\[}}0, 8], [1, 0], [2, 0], [4, 0], [8, 0{{\]\]}}
  %a = tile.gather %xv[%row, %column] : !tile.view<2, bf16>, tensor<16x16xi32>, tensor<16x16xi32> -> tensor<16x16xbf16>
  %init = tile.splat %zero_f : f32 -> tensor<16x16xf32>
  // CHECK: tile.relayout
  // CHECK: tile.mma {{.*}} {atom = "mma.m16n8k16.bf16"}
  %p = tile.mma %a, %a, %init : tensor<16x16xbf16>, tensor<16x16xbf16> -> tensor<16x16xf32>
  tile.store %p, %yv[%zero, %zero] : tensor<16x16xf32>, !tile.view<2, f32>
  tile.return
}
