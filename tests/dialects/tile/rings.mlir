// RUN: quern-opt %s | quern-opt | FileCheck %s

// The life of a slot, as a pipeline writes it down, and what it becomes where every warp copies and computes.
// CHECK-LABEL: tile.kernel @slots
tile.kernel @slots(%x: !tile.ptr<bf16>, %m: i32, %s: i32, %more: i1) {
  %k = arith.constant 64 : i32
  %v = tile.view %x[%m, %k] : !tile.ptr<bf16> -> !tile.view<2, bf16>
  %rows = tile.iota 0 : tensor<8xi32>
  // CHECK: %[[A:.*]] = tile.ring "a" by async : <3, [8, 64], bf16>
  %a = tile.ring "a" by async : !tile.ring<3, [8, 64], bf16>
  // CHECK: %[[B:.*]] = tile.ring "b" by staged : <3, [8, 64], bf16, <shape = [8, 64], offset = {{\[\[}}0, 1], [0, 2], [0, 4], [0, 8], [0, 16], [0, 32], [1, 8], [2, 16], [4, 32]], core = [8, 64], stride = [512, 512]>>
  %b = tile.ring "b" by staged : !tile.ring<3, [8, 64], bf16, #tile.memory<shape = [8, 64],
    offset = [[0, 1], [0, 2], [0, 4], [0, 8], [0, 16], [0, 32], [1, 8], [2, 16], [4, 32]], core = [8, 64], stride = [512, 512]>>
  // CHECK: tile.ring_acquire %[[A]], %[[B]][%{{.*}}]
  tile.ring_acquire %a, %b[%s] : !tile.ring<3, [8, 64], bf16>, !tile.ring<3, [8, 64], bf16, #tile.memory<shape = [8, 64],
    offset = [[0, 1], [0, 2], [0, 4], [0, 8], [0, 16], [0, 32], [1, 8], [2, 16], [4, 32]], core = [8, 64], stride = [512, 512]>>
  // CHECK: tile.ring_copy %{{.*}}[%{{.*}}, %{{.*}}] to %[[A]][%{{.*}}]
  tile.ring_copy %v[%s, %s] to %a[%s] : !tile.view<2, bf16>, !tile.ring<3, [8, 64], bf16>
  // CHECK: tile.ring_copy %{{.*}} rows %{{.*}} : tensor<8xi32> to %[[A]]
  tile.ring_copy %v[%s, %s] rows %rows : tensor<8xi32> to %a : !tile.view<2, bf16>, !tile.ring<3, [8, 64], bf16>
  // CHECK: tile.ring_commit %[[A]]
  tile.ring_commit %a[%s] : !tile.ring<3, [8, 64], bf16>
  // CHECK: tile.ring_wait %[[A]][%{{.*}}] pending 1 if %{{.*}}
  tile.ring_wait %a[%s] pending 1 if %more : !tile.ring<3, [8, 64], bf16>
  // CHECK: %[[T:.*]] = tile.ring_read %[[A]][%{{.*}}]
  %t = tile.ring_read %a[%s] : !tile.ring<3, [8, 64], bf16> -> tensor<8x64xbf16>
  // CHECK: tile.ring_write %[[T]] to %[[B]]
  tile.ring_write %t to %b[%s] : tensor<8x64xbf16>, !tile.ring<3, [8, 64], bf16, #tile.memory<shape = [8, 64],
    offset = [[0, 1], [0, 2], [0, 4], [0, 8], [0, 16], [0, 32], [1, 8], [2, 16], [4, 32]], core = [8, 64], stride = [512, 512]>>
  // CHECK: tile.ring_release %[[A]]
  tile.ring_release %a[%s] : !tile.ring<3, [8, 64], bf16>
  // CHECK: tile.async_commit
  tile.async_commit
  // CHECK: tile.async_wait 1 groups of 4
  tile.async_wait 1 groups of 4
  // CHECK: tile.barrier
  tile.barrier
  tile.return
}
