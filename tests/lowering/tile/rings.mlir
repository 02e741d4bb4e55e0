// RUN: quern-opt %s --phase-layouts -tile-choose-swizzle | FileCheck %s --check-prefix=SWIZZLE
// RUN: quern-opt %s --phase-layouts -tile-choose-swizzle -tile-plan-pipeline | FileCheck %s --check-prefix=PLAN
// RUN: quern-opt %s --phase-layouts --phase-rings | FileCheck %s --check-prefix=RINGS

// The 16-byte pieces of rows of 128 bytes change places with the row, for copies and matrix loads alike.
// SWIZZLE-LABEL: tile.kernel @product
// SWIZZLE: tile.ring "a" by async : <1, [64, 64], bf16, <shape = [64, 64], offset = {{\[\[}}0, 1], [0, 2], [0, 4], [0, 8], [0, 16], [0, 32], [1, 8], [2, 16], [4, 32]], core = [8, 64], stride = [512, 4096]>>
// SWIZZLE: tile.ring_copy {{.*}} {layout = #tile.layout<register = {{\[\[}}0, 1], [0, 2], [0, 4], [16, 0], [32, 0{{\]\]}}, lane = {{\[\[}}0, 8], [0, 16], [0, 32], [1, 0], [2, 0{{\]\]}}, warp = {{\[\[}}4, 0], [8, 0{{\]\]}}

// Two steps are filled in front of the loop, where there are so many; the third is as a step begins.
// PLAN-LABEL: tile.kernel @product
// PLAN-DAG: %[[C0:.*]] = arith.constant 0 : i32
// PLAN-DAG: %[[STEP:.*]] = arith.constant 64 : i32
// PLAN: %[[A:.*]] = tile.ring "a" by async : <3,
// PLAN: %[[B:.*]] = tile.ring "b" by async : <3,
// PLAN: %[[ANY:.*]] = arith.cmpi slt, %{{.*}}, %[[K:.*]] : i32
// PLAN: tile.ring_acquire %[[A]], %[[B]]
// PLAN: scf.if %[[ANY]] {
// PLAN: tile.ring_copy
// PLAN: tile.ring_copy
// PLAN: }
// PLAN: tile.ring_commit
// PLAN: tile.ring_acquire
// PLAN: scf.if
// PLAN: tile.ring_commit
// PLAN: scf.for %[[I:.*]] = %{{.*}} to %[[K]] step %{{.*}} iter_args(%{{.*}} = %{{.*}}, %[[READ:.*]] = %{{.*}}, %[[FILL:.*]] = %{{.*}})
// PLAN: %[[AHEAD:.*]] = arith.addi %[[I]], %{{.*}}
// PLAN: %[[MORE:.*]] = arith.cmpi slt, %[[AHEAD]], %[[K]]
// PLAN: %[[ISSUED:.*]] = arith.cmpi slt, %{{.*}}, %[[K]]
// PLAN: tile.ring_wait %[[A]], %[[B]][%[[READ]]] pending 1 if %[[ISSUED]]
// PLAN: tile.ring_acquire %[[A]], %[[B]][%[[FILL]]]
// PLAN: scf.if %[[MORE]] {
// PLAN: tile.ring_copy %{{.*}}, %[[AHEAD]]] to %[[A]][%[[FILL]]]
// PLAN: tile.ring_copy %{{.*}}, %[[AHEAD]]] to %[[B]][%[[FILL]]]
// PLAN: }
// PLAN: tile.ring_read %[[A]][%[[READ]]]
// PLAN: tile.ring_read %[[B]][%[[READ]]]
// PLAN: tile.mma
// PLAN: tile.ring_release %[[A]], %[[B]][%[[READ]]]
// PLAN: tile.ring_commit %[[A]], %[[B]][%[[FILL]]]

// One group is left open, one barrier a step; in front of the loop nobody has read anything.
// RINGS-LABEL: tile.kernel @product
// RINGS-NOT: tile.barrier
// RINGS: scf.for
// RINGS: tile.async_wait 1 groups of 8
// RINGS-NEXT: tile.barrier
// RINGS-NEXT: scf.if
// RINGS: tile.ring_read
// RINGS: tile.ring_read
// RINGS: tile.mma
// RINGS-NEXT: tile.async_commit
// RINGS-NOT: tile.barrier
tile.kernel @product(%x: !tile.ptr<bf16>, %y: !tile.ptr<f32>, %m: i32, %used: i32) attributes {
    schedule = "k{mma=mma.m16n8k16.bf16 warps=2x2 stages=3}",
    machine = {lanes = 32 : i32, vector_bytes = 16 : i32, target = "nvidia:sm_80"}} {
  %zero = arith.constant 0 : i32
  %k = arith.constant 256 : i32
  %zero_f = arith.constant 0.0 : f32
  %step = arith.constant 64 : i32
  %xv = tile.view %x[%m, %k] : !tile.ptr<bf16> -> !tile.view<2, bf16>
  %yv = tile.view %y[%m, %m] : !tile.ptr<f32> -> !tile.view<2, f32>
  %init = tile.splat %zero_f : f32 -> tensor<64x64xf32>
  %sum = scf.for %k0 = %zero to %used step %step iter_args(%acc = %init) -> (tensor<64x64xf32>) : i32 {
    %a = tile.load %xv[%zero, %k0] : !tile.view<2, bf16> -> tensor<64x64xbf16>
    %b = tile.load %xv[%m, %k0] : !tile.view<2, bf16> -> tensor<64x64xbf16>
    %next = tile.mma %a, %b, %acc : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
    scf.yield %next : tensor<64x64xf32>
  }
  tile.store %sum, %yv[%zero, %zero] : tensor<64x64xf32>, !tile.view<2, f32>
  tile.return
}

// Through registers: loads as a step begins, written behind its products. Counted copies are all waited for where a
// step issued none.
// PLAN-LABEL: tile.kernel @mixed
// PLAN: scf.for
// PLAN: tile.ring_wait
// PLAN: tile.ring_acquire
// PLAN: scf.if {{.*}} {
// PLAN: tile.ring_copy
// PLAN: }
// PLAN: %[[LOADED:.*]] = scf.if {{.*}} -> (tensor<64x64xbf16, {{.*}}>) {
// PLAN: tile.load
// PLAN: } else {
// PLAN: tile.splat
// PLAN: }
// PLAN: tile.mma
// PLAN: tile.ring_release
// PLAN: tile.ring_write %[[LOADED]]
// PLAN: tile.ring_commit
// RINGS-LABEL: tile.kernel @mixed
// RINGS: scf.for
// RINGS: scf.if {{.*}} {
// RINGS-NEXT: tile.async_wait 1 groups of 2
// RINGS-NEXT: } else {
// RINGS-NEXT: tile.async_wait 0 groups of 2
// RINGS-NEXT: }
// RINGS-NEXT: tile.barrier
tile.kernel @mixed(%x: !tile.ptr<bf16>, %y: !tile.ptr<f32>, %m: i32, %used: i32) attributes {
    schedule = "k{mma=mfma.m16n16k32.bf16 warps=2x2 stages=3 copy.b=staged}",
    machine = {lanes = 64 : i32, vector_bytes = 16 : i32, target = "amd:gfx950"}} {
  %zero = arith.constant 0 : i32
  %k = arith.constant 256 : i32
  %zero_f = arith.constant 0.0 : f32
  %step = arith.constant 64 : i32
  %xv = tile.view %x[%m, %k] : !tile.ptr<bf16> -> !tile.view<2, bf16>
  %yv = tile.view %y[%m, %m] : !tile.ptr<f32> -> !tile.view<2, f32>
  %init = tile.splat %zero_f : f32 -> tensor<64x64xf32>
  %sum = scf.for %k0 = %zero to %used step %step iter_args(%acc = %init) -> (tensor<64x64xf32>) : i32 {
    %a = tile.load %xv[%zero, %k0] : !tile.view<2, bf16> -> tensor<64x64xbf16>
    %b = tile.load %xv[%m, %k0] : !tile.view<2, bf16> -> tensor<64x64xbf16>
    %next = tile.mma %a, %b, %acc : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
    scf.yield %next : tensor<64x64xf32>
  }
  tile.store %sum, %yv[%zero, %zero] : tensor<64x64xf32>, !tile.view<2, f32>
  tile.return
}
