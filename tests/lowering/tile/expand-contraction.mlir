// RUN: quern-opt %s -tile-expand-contraction | FileCheck %s

// The accumulator that a loop carries becomes partial sums, which are added up once behind the loop.
// CHECK-LABEL: tile.kernel @carried
tile.kernel @carried(%x: !tile.ptr<bf16>, %n: i32, %f: f32) attributes {
    schedule = "k{warps=2}", machine = {lanes = 4 : i32, vector_bytes = 16 : i32}} {
  %zero = arith.constant 0 : i32
  %step = arith.constant 16 : i32
  // CHECK-DAG: %[[INIT:.*]] = tile.splat %{{.*}} : f32 -> tensor<2x4xf32>
  // CHECK-DAG: %[[ZEROS:.*]] = tile.splat %{{.*}} : f32 -> tensor<2x4x16xf32, #tile.layout<register = {{.*}}, lane = {{\[\[}}0, 0, 4], [0, 0, 8{{\]\]}}, warp = {{\[\[}}0, 1, 0{{\]\]}}, repeat = [1, 1, 1]>>
  %init = tile.splat %f : f32 -> tensor<2x4xf32>
  %v = tile.view %x[%n, %n] : !tile.ptr<bf16> -> !tile.view<2, bf16>
  // CHECK: %[[SUMS:.*]] = scf.for {{.*}} iter_args(%[[CARRIED:.*]] = %[[ZEROS]]) -> (tensor<2x4x16xf32,
  %sum = scf.for %k = %zero to %n step %step iter_args(%acc = %init) -> (tensor<2x4xf32>) : i32 {
    %a = tile.load %v[%zero, %k] : !tile.view<2, bf16> -> tensor<2x16xbf16>
    %b = tile.load %v[%zero, %k] : !tile.view<2, bf16> -> tensor<4x16xbf16>
    // CHECK: %[[A:.*]] = tile.broadcast %{{.*}} dims [0, 2]
    // CHECK: %[[B:.*]] = tile.broadcast %{{.*}} dims [1, 2]
    // CHECK: %[[NEXT:.*]] = math.fma %[[A]], %[[B]], %[[CARRIED]]
    %next = tile.mma %a, %b, %acc : tensor<2x16xbf16>, tensor<4x16xbf16> -> tensor<2x4xf32>
    // CHECK: scf.yield %[[NEXT]]
    scf.yield %next : tensor<2x4xf32>
  }
  // CHECK: %[[SUM:.*]] = tile.reduce add %[[SUMS]] dim 2
  // CHECK: %[[TOTAL:.*]] = arith.addf %[[SUM]], %[[INIT]]
  %out = tile.convert %sum : tensor<2x4xf32> -> tensor<2x4xbf16>
  // CHECK: tile.convert %[[TOTAL]]
  tile.store %out, %v[%zero, %zero] : tensor<2x4xbf16>, !tile.view<2, bf16>
  tile.return
}

// Scales multiply the rows of the operands.
// CHECK-LABEL: tile.kernel @scaled
tile.kernel @scaled(%f: f32) attributes {
    schedule = "k{}", machine = {lanes = 4 : i32, vector_bytes = 16 : i32}} {
  %a = tile.splat %f : f32 -> tensor<2x8xf32>
  %b = tile.splat %f : f32 -> tensor<4x8xf32>
  %acc = tile.splat %f : f32 -> tensor<2x4xf32>
  %sa = tile.splat %f : f32 -> tensor<2xf32>
  %sb = tile.splat %f : f32 -> tensor<4xf32>
  // CHECK: %[[SA:.*]] = tile.broadcast %{{.*}} dims [0] : tensor<2xf32> -> tensor<2x8xf32>
  // CHECK: arith.mulf %{{.*}}, %[[SA]]
  // CHECK: %[[SB:.*]] = tile.broadcast %{{.*}} dims [0] : tensor<4xf32> -> tensor<4x8xf32>
  // CHECK: arith.mulf %{{.*}}, %[[SB]]
  // CHECK: %[[P:.*]] = arith.mulf {{.*}} : tensor<2x4x8xf32
  // CHECK: %[[S:.*]] = tile.reduce add %[[P]] dim 2
  // CHECK: arith.addf %[[S]]
  %c = tile.mma %a, %b, %acc scales %sa, %sb : tensor<2xf32>, tensor<4xf32> : tensor<2x8xf32>, tensor<4x8xf32> -> tensor<2x4xf32>
  tile.return
}

// What runs over registers stays: a B whose rows are K, and everything with contraction=outer.
// CHECK-LABEL: tile.kernel @rows_are_k
tile.kernel @rows_are_k(%f: f32) attributes {
    schedule = "k{}", machine = {lanes = 4 : i32, vector_bytes = 16 : i32}} {
  %a = tile.splat %f : f32 -> tensor<2x8xf32>
  %b = tile.splat %f : f32 -> tensor<8x4xf32>
  %acc = tile.splat %f : f32 -> tensor<2x4xf32>
  // CHECK: tile.mma
  %c = tile.mma %a, %b, %acc b_rows_are_k : tensor<2x8xf32>, tensor<8x4xf32> -> tensor<2x4xf32>
  tile.return
}

// CHECK-LABEL: tile.kernel @outer
tile.kernel @outer(%f: f32) attributes {
    schedule = "k{contraction=outer}", machine = {lanes = 4 : i32, vector_bytes = 16 : i32}} {
  %a = tile.splat %f : f32 -> tensor<2x8xf32>
  %b = tile.splat %f : f32 -> tensor<4x8xf32>
  %acc = tile.splat %f : f32 -> tensor<2x4xf32>
  // CHECK: tile.mma
  // CHECK-NOT: tile.reduce
  %c = tile.mma %a, %b, %acc : tensor<2x8xf32>, tensor<4x8xf32> -> tensor<2x4xf32>
  tile.return
}

// A CPU with products of pairs: the operands keep their type, both of a pair lie in one lane.
// CHECK-LABEL: tile.kernel @pairs
tile.kernel @pairs(%x: !tile.ptr<bf16>, %y: !tile.ptr<f32>, %n: i32, %f: f32) attributes {
    schedule = "k{}", machine = {lanes = 16 : i32, simd, target = "cpu:x86-64-v4+avx512bf16"}} {
  %zero = arith.constant 0 : i32
  %step = arith.constant 32 : i32
  %init = tile.splat %f : f32 -> tensor<2x3xf32>
  %v = tile.view %x[%n, %n] : !tile.ptr<bf16> -> !tile.view<2, bf16>
  %w = tile.view %y[%n, %n] : !tile.ptr<f32> -> !tile.view<2, f32>
  // CHECK: scf.for {{.*}} iter_args(%[[CARRIED:.*]] = %{{.*}}) -> (tensor<2x3x16xf32,
  %sum = scf.for %k = %zero to %n step %step iter_args(%acc = %init) -> (tensor<2x3xf32>) : i32 {
    %a = tile.load %v[%zero, %k] : !tile.view<2, bf16> -> tensor<2x32xbf16>
    %b = tile.load %v[%zero, %k] : !tile.view<2, bf16> -> tensor<3x32xbf16>
    // CHECK: %[[A:.*]] = tile.broadcast %{{.*}} dims [0, 2] : {{.*}} -> tensor<2x3x32xbf16, #tile.layout<register = {{\[\[}}0, 0, 1], [1, 0, 0{{\]\]}}, lane = {{\[\[}}0, 0, 2], [0, 0, 4], [0, 0, 8], [0, 0, 16{{\]\]}}
    // CHECK: %[[B:.*]] = tile.broadcast %{{.*}} dims [1, 2]
    // CHECK: tile.dot_pairs %[[A]], %[[B]], %[[CARRIED]] : tensor<2x3x32xbf16, {{.*}} -> tensor<2x3x16xf32,
    %next = tile.mma %a, %b, %acc : tensor<2x32xbf16>, tensor<3x32xbf16> -> tensor<2x3xf32>
    scf.yield %next : tensor<2x3xf32>
  }
  tile.store %sum, %w[%zero, %zero] : tensor<2x3xf32>, !tile.view<2, f32>
  tile.return
}
