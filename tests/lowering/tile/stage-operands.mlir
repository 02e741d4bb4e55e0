// RUN: quern-opt %s -split-input-file -tile-select-atoms -tile-stage-operands | FileCheck %s

// Both operands of the atom get a ring in front of the loop; the loads become copies.
// CHECK-LABEL: tile.kernel @product
// CHECK: %[[A:.*]] = tile.ring "a" by async : <1, [64, 64], bf16>
// CHECK: %[[B:.*]] = tile.ring "b" by async : <1, [64, 64], bf16>
// CHECK: scf.for %[[K0:[a-z0-9]+]] =
// CHECK-NOT: tile.load
// CHECK: tile.ring_copy %{{.*}}[%{{.*}}, %[[K0]]] to %[[A]]
// CHECK: %[[X:.*]] = tile.ring_read %[[A]]
// CHECK: tile.ring_copy %{{.*}}[%{{.*}}, %[[K0]]] to %[[B]]
// CHECK: %[[W:.*]] = tile.ring_read %[[B]]
// CHECK: tile.mma %[[X]], %[[W]]
tile.kernel @product(%x: !tile.ptr<bf16>, %y: !tile.ptr<f32>, %m: i32) attributes {
    schedule = "k{mma=mma.m16n8k16.bf16 warps=2x2}",
    machine = {lanes = 32 : i32, vector_bytes = 16 : i32, target = "nvidia:sm_80"}} {
  %zero = arith.constant 0 : i32
  %k = arith.constant 256 : i32
  %zero_f = arith.constant 0.0 : f32
  %step = arith.constant 64 : i32
  %xv = tile.view %x[%m, %k] : !tile.ptr<bf16> -> !tile.view<2, bf16>
  %yv = tile.view %y[%m, %m] : !tile.ptr<f32> -> !tile.view<2, f32>
  %init = tile.splat %zero_f : f32 -> tensor<64x64xf32>
  %sum = scf.for %k0 = %zero to %k step %step iter_args(%acc = %init) -> (tensor<64x64xf32>) : i32 {
    %a = tile.load %xv[%zero, %k0] : !tile.view<2, bf16> -> tensor<64x64xbf16>
    %b = tile.load %xv[%m, %k0] : !tile.view<2, bf16> -> tensor<64x64xbf16>
    %next = tile.mma %a, %b, %acc : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
    scf.yield %next : tensor<64x64xf32>
  }
  tile.store %sum, %yv[%zero, %zero] : tensor<64x64xf32>, !tile.view<2, f32>
  tile.return
}

// -----

// Rows by an index are copied too; what is computed on the way passes registers. A dead chain of indices is gone.
// CHECK-LABEL: tile.kernel @gathered
// CHECK: %[[A:.*]] = tile.ring "a" by direct : <1, [64, 64], bf16>
// CHECK: %[[B:.*]] = tile.ring "b" by staged : <1, [64, 64], bf16>
// CHECK: scf.for
// CHECK-NOT: tile.iota
// CHECK: tile.ring_copy %{{.*}} rows %{{.*}} : tensor<64xi32> to %[[A]]
// CHECK: tile.ring_read %[[A]]
// CHECK: %[[RAW:.*]] = tile.load
// CHECK: %[[W:.*]] = tile.convert %[[RAW]]
// CHECK: tile.ring_write %[[W]] to %[[B]]
// CHECK: tile.ring_read %[[B]]
tile.kernel @gathered(%x: !tile.ptr<bf16>, %w: !tile.ptr<f8E4M3FN>, %i: !tile.ptr<i32>, %y: !tile.ptr<f32>, %m: i32) attributes {
    schedule = "k{mma=mfma.m16n16k32.bf16 warps=2x2}",
    machine = {lanes = 64 : i32, vector_bytes = 16 : i32, target = "amd:gfx950"}} {
  %zero = arith.constant 0 : i32
  %k = arith.constant 256 : i32
  %zero_f = arith.constant 0.0 : f32
  %step = arith.constant 64 : i32
  %xv = tile.view %x[%m, %k] : !tile.ptr<bf16> -> !tile.view<2, bf16>
  %wv = tile.view %w[%m, %k] : !tile.ptr<f8E4M3FN> -> !tile.view<2, f8E4M3FN>
  %iv = tile.view %i[%m] : !tile.ptr<i32> -> !tile.view<1, i32>
  %yv = tile.view %y[%m, %m] : !tile.ptr<f32> -> !tile.view<2, f32>
  %rows = tile.load %iv[%zero] : !tile.view<1, i32> -> tensor<64xi32>
  %init = tile.splat %zero_f : f32 -> tensor<64x64xf32>
  %sum = scf.for %k0 = %zero to %k step %step iter_args(%acc = %init) -> (tensor<64x64xf32>) : i32 {
    %column = tile.iota 1 : tensor<64x64xi32>
    %first = tile.splat %k0 : i32 -> tensor<64x64xi32>
    %columns = arith.addi %column, %first : tensor<64x64xi32>
    %row = tile.broadcast %rows dims [0] : tensor<64xi32> -> tensor<64x64xi32>
    %a = tile.gather %xv[%row, %columns] : !tile.view<2, bf16>, tensor<64x64xi32>, tensor<64x64xi32> -> tensor<64x64xbf16>
    %raw = tile.load %wv[%zero, %k0] : !tile.view<2, f8E4M3FN> -> tensor<64x64xf8E4M3FN>
    %b = tile.convert %raw : tensor<64x64xf8E4M3FN> -> tensor<64x64xbf16>
    %next = tile.mma %a, %b, %acc : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
    scf.yield %next : tensor<64x64xf32>
  }
  tile.store %sum, %yv[%zero, %zero] : tensor<64x64xf32>, !tile.view<2, f32>
  tile.return
}
