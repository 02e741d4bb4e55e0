// One case for each numbered constraint of the operations on tiles, and of attributes; the kernel's name says which.
// RUN: quern-opt %s -split-input-file -verify-diagnostics

//===-- Tiles ---------------------------------------------------------------------------------------------===//

tile.kernel @broadcast_c1_rank(%f: f32) {
  %t = tile.splat %f : f32 -> tensor<4xf32>
  // expected-error @below {{has 2 dims for an operand of rank 1}}
  %u = tile.broadcast %t dims [0, 1] : tensor<4xf32> -> tensor<4x4xf32>
  tile.return
}

// -----

tile.kernel @broadcast_c1_order(%f: f32) {
  %t = tile.splat %f : f32 -> tensor<4x4xf32>
  // expected-error @below {{has dims that do not ascend within the result's rank}}
  %u = tile.broadcast %t dims [1, 0] : tensor<4x4xf32> -> tensor<4x4xf32>
  tile.return
}

// -----

tile.kernel @broadcast_c2(%f: f32) {
  %t = tile.splat %f : f32 -> tensor<4xf32>
  // expected-error @below {{repeats size 4 as dimension 1 of size 8}}
  %u = tile.broadcast %t dims [1] : tensor<4xf32> -> tensor<4x8xf32>
  tile.return
}

// -----

tile.kernel @broadcast_c3(%f: f32) {
  %t = tile.splat %f : f32 -> tensor<4xf32>
  // expected-error @below {{turns elements 'f32' into 'i32'}}
  %u = tile.broadcast %t dims [0] : tensor<4xf32> -> tensor<4x8xi32>
  tile.return
}

// -----

tile.kernel @reduce_c1(%f: f32) {
  %t = tile.splat %f : f32 -> tensor<4x8xf32>
  // expected-error @below {{reduces dimension 2 of a tile of rank 2}}
  %u = tile.reduce add %t dim 2 : tensor<4x8xf32> -> tensor<4xf32>
  tile.return
}

// -----

tile.kernel @reduce_c2_rank(%f: f32) {
  %t = tile.splat %f : f32 -> tensor<4x8xf32>
  // expected-error @below {{has a result of rank 2, expected 1}}
  %u = tile.reduce add %t dim 1 : tensor<4x8xf32> -> tensor<4x1xf32>
  tile.return
}

// -----

tile.kernel @reduce_c2_shape(%f: f32) {
  %t = tile.splat %f : f32 -> tensor<4x8xf32>
  // expected-error @below {{has the result 'tensor<8xf32>' for the operand 'tensor<4x8xf32>'}}
  %u = tile.reduce add %t dim 1 : tensor<4x8xf32> -> tensor<8xf32>
  tile.return
}

// -----

tile.kernel @reduce_c3(%f: f32) {
  %t = tile.splat %f : f32 -> tensor<4x8xf32>
  // expected-error @below {{turns elements 'f32' into 'i32'}}
  %u = tile.reduce add %t dim 1 : tensor<4x8xf32> -> tensor<4xi32>
  tile.return
}

// -----

tile.kernel @convert_c1(%f: f32) {
  %t = tile.splat %f : f32 -> tensor<4xf32>
  // expected-error @below {{converts 'tensor<4xf32>' to 'tensor<8xbf16>' of another shape}}
  %u = tile.convert %t : tensor<4xf32> -> tensor<8xbf16>
  tile.return
}

// -----

tile.kernel @bitcast_c1(%f: f32) {
  %t = tile.splat %f : f32 -> tensor<4xf32>
  // expected-error @below {{reinterprets 'tensor<4xf32>' as 'tensor<4xbf16>' of another shape or width}}
  %u = tile.bitcast %t : tensor<4xf32> -> tensor<4xbf16>
  tile.return
}

// -----

tile.kernel @iota_c1() {
  // expected-error @below {{counts dimension 1 of a tile of rank 1}}
  %u = tile.iota 1 : tensor<4xi32>
  tile.return
}

// -----

tile.kernel @iota_c2() {
  // expected-error @below {{has elements 'f32', expected i32}}
  %u = tile.iota 0 : tensor<4xf32>
  tile.return
}

// -----

tile.kernel @splat_c1(%f: f32) {
  // expected-error @below {{turns 'f32' into elements 'i32'}}
  %u = tile.splat %f : f32 -> tensor<4xi32>
  tile.return
}

// -----

tile.kernel @mma_c1_k(%f: f32) {
  %a = tile.splat %f : f32 -> tensor<4x8xf32>
  %b = tile.splat %f : f32 -> tensor<2x4xf32>
  %c = tile.splat %f : f32 -> tensor<4x2xf32>
  // expected-error @below {{multiplies 'tensor<4x8xf32>' and 'tensor<2x4xf32>' into 'tensor<4x2xf32>'}}
  %d = tile.mma %a, %b, %c : tensor<4x8xf32>, tensor<2x4xf32> -> tensor<4x2xf32>
  tile.return
}

// -----

tile.kernel @mma_c1_rank(%f: f32) {
  %a = tile.splat %f : f32 -> tensor<4x8xf32>
  %b = tile.splat %f : f32 -> tensor<8xf32>
  %c = tile.splat %f : f32 -> tensor<4x2xf32>
  // expected-error @below {{multiplies tiles of rank 2, 1 and 2}}
  %d = tile.mma %a, %b, %c : tensor<4x8xf32>, tensor<8xf32> -> tensor<4x2xf32>
  tile.return
}

// -----

tile.kernel @mma_c2(%i: i32, %f: f32) {
  %a = tile.splat %f : f32 -> tensor<4x8xf32>
  %b = tile.splat %f : f32 -> tensor<2x8xf32>
  %c = tile.splat %i : i32 -> tensor<4x2xi32>
  // expected-error @below {{accumulates in 'i32', expected f32}}
  %d = tile.mma %a, %b, %c : tensor<4x8xf32>, tensor<2x8xf32> -> tensor<4x2xi32>
  tile.return
}

// -----

tile.kernel @mma_c3(%f: f32) {
  %a = tile.splat %f : f32 -> tensor<4x8xf32>
  %b = tile.splat %f : f32 -> tensor<2x8xf32>
  %c = tile.splat %f : f32 -> tensor<4x2xf32>
  %s = tile.splat %f : f32 -> tensor<4xf32>
  // expected-error @below {{has one scale, expected two or none}}
  %d = "tile.mma"(%a, %b, %c, %s) {operandSegmentSizes = array<i32: 1, 1, 1, 1, 0>} : (tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>, tensor<4xf32>) -> tensor<4x2xf32>
  tile.return
}

// -----

tile.kernel @dot_pairs_c1(%f: f32) {
  %a = tile.splat %f : f32 -> tensor<4x8xf32>
  %c = tile.splat %f : f32 -> tensor<4x8xf32>
  // expected-error @below {{needs an accumulator of half the operands along the last dimension, got 'tensor<4x8xf32>'}}
  %d = tile.dot_pairs %a, %a, %c : tensor<4x8xf32> -> tensor<4x8xf32>
  tile.return
}

// -----

tile.kernel @dot_pairs_c1_odd(%f: f32) {
  %a = tile.splat %f : f32 -> tensor<4x7xf32>
  %c = tile.splat %f : f32 -> tensor<4x3xf32>
  // expected-error @below {{needs pairs along the last dimension, got 'tensor<4x7xf32>'}}
  %d = tile.dot_pairs %a, %a, %c : tensor<4x7xf32> -> tensor<4x3xf32>
  tile.return
}

// -----

tile.kernel @relayout_c1(%f: f32) {
  %t = tile.splat %f : f32 -> tensor<4xf32>
  // expected-error @below {{turns 'tensor<4xf32>' into 'tensor<4xi32>'}}
  %u = tile.relayout %t : tensor<4xf32> -> tensor<4xi32>
  tile.return
}

// -----

//===-- Attributes ----------------------------------------------------------------------------------------===//

tile.kernel @layout_bases(%f: f32) {
  // expected-error @below {{a basis has 1 entries, `repeat` has 2}}
  %t = tile.splat %f : f32 -> tensor<4x4xf32, #tile.layout<register = [[1]], lane = [], warp = [], repeat = [1, 1]>>
  tile.return
}
