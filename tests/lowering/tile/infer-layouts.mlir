// RUN: quern-opt %s -tile-infer-layouts | FileCheck %s

// A tile between memory and memory takes the layout that its order suggests: a vector of 16 bytes in registers, then
// lanes, then warps; a size that is no power of two repeats.
// CHECK-LABEL: tile.kernel @memory_order
tile.kernel @memory_order(%x: !tile.ptr<bf16>, %n: i32) attributes {
    schedule = "k{warps=2}", machine = {lanes = 4 : i32, vector_bytes = 16 : i32}} {
  %zero = arith.constant 0 : i32
  %v = tile.view %x[%n] : !tile.ptr<bf16> -> !tile.view<1, bf16>
  // CHECK: tile.load {{.*}} -> tensor<192xbf16, #tile.layout<register = {{\[\[}}1], [2], [4{{\]\]}}, lane = {{\[\[}}8], [16{{\]\]}}, warp = {{\[\[}}32{{\]\]}}, repeat = [3]>>
  %a = tile.load %v[%zero] : !tile.view<1, bf16> -> tensor<192xbf16>
  // Elementwise operations keep it.
  // CHECK: tile.convert {{.*}} -> tensor<192xf32, #tile.layout<register = {{\[\[}}1], [2], [4{{\]\]}}, lane = {{\[\[}}8], [16{{\]\]}}, warp = {{\[\[}}32{{\]\]}}, repeat = [3]>>
  %f = tile.convert %a : tensor<192xbf16> -> tensor<192xf32>
  // CHECK-NOT: tile.relayout
  %b = tile.convert %f : tensor<192xf32> -> tensor<192xbf16>
  tile.store %b, %v[%zero] : tensor<192xbf16>, !tile.view<1, bf16>
  tile.return
}

// SIMD lanes read neighbours: no vector in registers.
// CHECK-LABEL: tile.kernel @simd
tile.kernel @simd(%x: !tile.ptr<bf16>, %n: i32) attributes {
    schedule = "k{}", machine = {lanes = 4 : i32, vector_bytes = 16 : i32, simd}} {
  %zero = arith.constant 0 : i32
  %v = tile.view %x[%n] : !tile.ptr<bf16> -> !tile.view<1, bf16>
  // CHECK: tile.load {{.*}} -> tensor<8xbf16, #tile.layout<register = {{\[\[}}4{{\]\]}}, lane = {{\[\[}}1], [2{{\]\]}}, warp = [], repeat = [1]>>
  %a = tile.load %v[%zero] : !tile.view<1, bf16> -> tensor<8xbf16>
  tile.store %a, %v[%zero] : tensor<8xbf16>, !tile.view<1, bf16>
  tile.return
}

// A broadcast and a reduction hand the projection of the larger tile on: no data moves between lanes for them.
// CHECK-LABEL: tile.kernel @projection
tile.kernel @projection(%x: !tile.ptr<f32>, %n: i32) attributes {
    schedule = "k{}", machine = {lanes = 4 : i32, vector_bytes = 16 : i32}} {
  %zero = arith.constant 0 : i32
  %v = tile.view %x[%n, %n] : !tile.ptr<f32> -> !tile.view<2, f32>
  // CHECK: tile.load {{.*}} -> tensor<4x8xf32, #tile.layout<register = {{\[\[}}0, 1], [0, 2], [2, 0{{\]\]}}, lane = {{\[\[}}0, 4], [1, 0{{\]\]}}
  %a = tile.load %v[%zero, %zero] : !tile.view<2, f32> -> tensor<4x8xf32>
  // CHECK: tile.reduce {{.*}} -> tensor<4xf32, #tile.layout<register = {{\[\[}}2{{\]\]}}, lane = {{\[\[}}0], [1{{\]\]}}, warp = [], repeat = [1]>>
  %sum = tile.reduce add %a dim 1 : tensor<4x8xf32> -> tensor<4xf32>
  // CHECK-NOT: tile.relayout
  // CHECK: tile.broadcast
  %wide = tile.broadcast %sum dims [0] : tensor<4xf32> -> tensor<4x8xf32>
  %out = arith.addf %a, %wide : tensor<4x8xf32>
  tile.store %out, %v[%zero, %zero] : tensor<4x8xf32>, !tile.view<2, f32>
  tile.return
}

// Where two tiles of one class come from different reductions, one of them moves.
// CHECK-LABEL: tile.kernel @relayout
tile.kernel @relayout(%x: !tile.ptr<f32>, %n: i32) attributes {
    schedule = "k{}", machine = {lanes = 4 : i32, vector_bytes = 16 : i32}} {
  %zero = arith.constant 0 : i32
  %v = tile.view %x[%n, %n] : !tile.ptr<f32> -> !tile.view<2, f32>
  %w = tile.view %x[%n] : !tile.ptr<f32> -> !tile.view<1, f32>
  %a = tile.load %v[%zero, %zero] : !tile.view<2, f32> -> tensor<8x8xf32>
  %rows = tile.reduce add %a dim 1 : tensor<8x8xf32> -> tensor<8xf32>
  %columns = tile.reduce add %a dim 0 : tensor<8x8xf32> -> tensor<8xf32>
  // CHECK-COUNT-1: tile.relayout
  // CHECK-NOT: tile.relayout
  // CHECK: arith.addf
  %sum = arith.addf %rows, %columns : tensor<8xf32>
  tile.store %sum, %w[%zero] : tensor<8xf32>, !tile.view<1, f32>
  tile.return
}

// The operands of an mma over registers hold all of K in each lane that needs it.
// CHECK-LABEL: tile.kernel @contraction_over_registers
tile.kernel @contraction_over_registers(%x: !tile.ptr<f32>, %n: i32, %f: f32) attributes {
    schedule = "k{contraction=outer}", machine = {lanes = 4 : i32, vector_bytes = 4 : i32}} {
  %zero = arith.constant 0 : i32
  %v = tile.view %x[%n, %n] : !tile.ptr<f32> -> !tile.view<2, f32>
  %a = tile.load %v[%zero, %zero] : !tile.view<2, f32> -> tensor<2x4xf32>
  %b = tile.load %v[%zero, %zero] : !tile.view<2, f32> -> tensor<4x4xf32>
  %acc = tile.splat %f : f32 -> tensor<2x4xf32>
  // CHECK: tile.mma
  // CHECK-SAME: : tensor<2x4xf32, #tile.layout<register = {{\[\[}}0, 1], [0, 2], [1, 0{{\]\]}}, lane = {{\[\[}}0, 0], [0, 0{{\]\]}}
  // CHECK-SAME: , tensor<4x4xf32, #tile.layout<register = {{\[\[}}0, 1], [0, 2{{\]\]}}, lane = {{\[\[}}1, 0], [2, 0{{\]\]}}
  // CHECK-SAME: -> tensor<2x4xf32, #tile.layout<register = {{\[\[}}1, 0{{\]\]}}, lane = {{\[\[}}0, 1], [0, 2{{\]\]}}
  %c = tile.mma %a, %b, %acc : tensor<2x4xf32>, tensor<4x4xf32> -> tensor<2x4xf32>
  tile.store %c, %v[%zero, %zero] : tensor<2x4xf32>, !tile.view<2, f32>
  tile.return
}

// A sum that was moved to another layout may be summed again.
// CHECK-LABEL: tile.kernel @sum_of_moved_sums
tile.kernel @sum_of_moved_sums(%x: !tile.ptr<f32>, %n: i32) attributes {
    schedule = "k{}", machine = {lanes = 4 : i32, vector_bytes = 4 : i32, simd}} {
  %zero = arith.constant 0 : i32
  %v = tile.view %x[%n, %n] : !tile.ptr<f32> -> !tile.view<2, f32>
  %w = tile.view %x[%n] : !tile.ptr<f32> -> !tile.view<1, f32>
  %a = tile.load %v[%zero, %zero] : !tile.view<2, f32> -> tensor<8x4xf32>
  // CHECK: tile.reduce max {{.*}} -> tensor<8xf32, #tile.layout<register = {{\[\[}}1], [2], [4{{\]\]}}, lane = {{\[\[}}0], [0{{\]\]}}
  // CHECK: tile.relayout {{.*}} -> tensor<8xf32, #tile.layout<register = {{\[\[}}4{{\]\]}}, lane = {{\[\[}}1], [2{{\]\]}}
  %rows = tile.reduce max %a dim 1 : tensor<8x4xf32> -> tensor<8xf32>
  // CHECK: tile.reduce max {{.*}} -> tensor<f32, #tile.layout<register = [], lane = {{\[\[\], \[\]\]}}, warp = [], repeat = []>>
  %all = tile.reduce max %rows dim 0 : tensor<8xf32> -> tensor<f32>
  %wide = tile.broadcast %all dims [] : tensor<f32> -> tensor<8xf32>
  %out = arith.subf %rows, %wide : tensor<8xf32>
  tile.store %out, %w[%zero] : tensor<8xf32>, !tile.view<1, f32>
  tile.return
}
