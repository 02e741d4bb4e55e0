// RUN: quern-opt %s -tile-uniform-indices | FileCheck %s

// Columns of a tile of 64 lie in one block of 128, those of 192 do not; a start that is no multiple may cross.
// CHECK-LABEL: tile.kernel @blocks
tile.kernel @blocks(%x: !tile.ptr<i32>, %n: i32) {
  %c64 = arith.constant 64 : i32
  %c192 = arith.constant 192 : i32
  %block = arith.constant 128 : i32
  // CHECK: %[[S:.*]]:3 = tile.domain
  %c256 = arith.constant 256 : i32
  %a, %b, %w = tile.domain %n by %c64, %n by %c192, %n by %c256
  %xv = tile.view %x[%n] : !tile.ptr<i32> -> !tile.view<1, i32>
  %i = tile.iota 0 : tensor<64xi32>
  %d = tile.splat %block : i32 -> tensor<64xi32>
  %a_t = tile.splat %a : i32 -> tensor<64xi32>
  %at = arith.addi %i, %a_t : tensor<64xi32>
  // CHECK: %[[Q:.*]] = arith.divui %[[S]]#0, %{{.*}} : i32
  // CHECK: %[[T:.*]] = tile.splat %[[Q]]
  // CHECK: tile.gather %{{.*}}[%[[T]]]
  %q = arith.divui %at, %d : tensor<64xi32>
  %v = tile.gather %xv[%q] : !tile.view<1, i32>, tensor<64xi32> -> tensor<64xi32>
  tile.store %v, %xv[%a] : tensor<64xi32>, !tile.view<1, i32>
  %j = tile.iota 0 : tensor<192xi32>
  %e = tile.splat %block : i32 -> tensor<192xi32>
  %b_t = tile.splat %b : i32 -> tensor<192xi32>
  %bt = arith.addi %b_t, %j : tensor<192xi32>
  // CHECK: arith.divui {{.*}} : tensor<192xi32>
  %r = arith.divui %bt, %e : tensor<192xi32>
  tile.store %r, %xv[%b] : tensor<192xi32>, !tile.view<1, i32>
  %n_t = tile.splat %n : i32 -> tensor<64xi32>
  %nt = arith.addi %i, %n_t : tensor<64xi32>
  // CHECK: arith.divui {{.*}} : tensor<64xi32>
  %s = arith.divui %nt, %d : tensor<64xi32>
  tile.store %s, %xv[%a] : tensor<64xi32>, !tile.view<1, i32>
  // A start that is a multiple of the block comes out of the quotient.
  // CHECK: %[[W:.*]] = arith.divui %[[S]]#2, %{{.*}} : i32
  // CHECK: %[[U:.*]] = tile.splat %[[W]]
  // CHECK: %[[V:.*]] = arith.divui {{.*}} : tensor<256xi32>
  // CHECK: arith.addi %[[U]], %[[V]] : tensor<256xi32>
  %c = tile.splat %w : i32 -> tensor<256xi32>
  %l = tile.iota 0 : tensor<256xi32>
  %f = tile.splat %block : i32 -> tensor<256xi32>
  %ct = arith.addi %l, %c : tensor<256xi32>
  %t = arith.divui %ct, %f : tensor<256xi32>
  tile.store %t, %xv[%w] : tensor<256xi32>, !tile.view<1, i32>
  tile.return
}
