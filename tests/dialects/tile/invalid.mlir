// One case for each numbered constraint of the operations on memory; the kernel's name says which.
// RUN: quern-opt %s -split-input-file -verify-diagnostics

//===-- Domain and views ----------------------------------------------------------------------------------===//

tile.kernel @domain_c1(%n: i32) {
  // expected-error @below {{'tile.domain' op has 1 extents and 2 results}}
  %a, %b = "tile.domain"(%n, %n) : (i32, i32) -> (i32, i32)
  tile.return
}

// -----

tile.kernel @view_c1(%x: !tile.ptr<f32>, %n: i32) {
  // expected-error @below {{has 1 sizes for a view of rank 2}}
  %v = tile.view %x[%n] : !tile.ptr<f32> -> !tile.view<2, f32>
  tile.return
}

// -----

tile.kernel @view_c2(%x: !tile.ptr<f32>, %n: i32) {
  // expected-error @below {{has 1 strides for a view of rank 2}}
  %v = tile.view %x[%n, %n] strides [%n] : !tile.ptr<f32> -> !tile.view<2, f32>
  tile.return
}

// -----

tile.kernel @view_c3(%x: !tile.ptr<f32>, %n: i32) {
  // expected-error @below {{views elements 'f32' as 'bf16'}}
  %v = tile.view %x[%n] : !tile.ptr<f32> -> !tile.view<1, bf16>
  tile.return
}

// -----

//===-- Memory --------------------------------------------------------------------------------------------===//

tile.kernel @load_c1(%x: !tile.ptr<f32>, %n: i32) {
  %v = tile.view %x[%n, %n] : !tile.ptr<f32> -> !tile.view<2, f32>
  // expected-error @below {{has 1 offsets for a view of rank 2}}
  %t = tile.load %v[%n] : !tile.view<2, f32> -> tensor<4xf32>
  tile.return
}

// -----

tile.kernel @load_c2(%x: !tile.ptr<f32>, %n: i32) {
  %v = tile.view %x[%n] : !tile.ptr<f32> -> !tile.view<1, f32>
  // expected-error @below {{moves a tile of rank 2 for a view of rank 1}}
  %t = tile.load %v[%n] : !tile.view<1, f32> -> tensor<4x4xf32>
  tile.return
}

// -----

tile.kernel @load_c3(%x: !tile.ptr<f32>, %n: i32) {
  %v = tile.view %x[%n] : !tile.ptr<f32> -> !tile.view<1, f32>
  // expected-error @below {{moves elements 'bf16' of a view of 'f32'}}
  %t = tile.load %v[%n] : !tile.view<1, f32> -> tensor<4xbf16>
  tile.return
}

// -----

tile.kernel @store_c1(%x: !tile.ptr<f32>, %n: i32, %f: f32) {
  %v = tile.view %x[%n, %n] : !tile.ptr<f32> -> !tile.view<2, f32>
  %t = tile.splat %f : f32 -> tensor<4xf32>
  // expected-error @below {{has 3 offsets for a view of rank 2}}
  tile.store %t, %v[%n, %n, %n] : tensor<4xf32>, !tile.view<2, f32>
  tile.return
}

// -----

tile.kernel @store_c2(%x: !tile.ptr<f32>, %n: i32, %f: f32) {
  %v = tile.view %x[%n] : !tile.ptr<f32> -> !tile.view<1, f32>
  %t = tile.splat %f : f32 -> tensor<4x1xf32>
  // expected-error @below {{moves a tile of rank 2 for a view of rank 1}}
  tile.store %t, %v[%n] : tensor<4x1xf32>, !tile.view<1, f32>
  tile.return
}

// -----

tile.kernel @store_c3(%x: !tile.ptr<bf16>, %n: i32, %f: f32) {
  %v = tile.view %x[%n] : !tile.ptr<bf16> -> !tile.view<1, bf16>
  %t = tile.splat %f : f32 -> tensor<4xf32>
  // expected-error @below {{moves elements 'f32' of a view of 'bf16'}}
  tile.store %t, %v[%n] : tensor<4xf32>, !tile.view<1, bf16>
  tile.return
}

// -----

tile.kernel @gather_c1(%x: !tile.ptr<f32>, %n: i32) {
  %v = tile.view %x[%n, %n] : !tile.ptr<f32> -> !tile.view<2, f32>
  // expected-error @below {{has 1 indices for a view of rank 2}}
  %t = tile.gather %v[%n] : !tile.view<2, f32>, i32 -> tensor<4xf32>
  tile.return
}

// -----

tile.kernel @gather_c2_shape(%x: !tile.ptr<f32>, %n: i32) {
  %v = tile.view %x[%n] : !tile.ptr<f32> -> !tile.view<1, f32>
  %i = tile.iota 0 : tensor<8xi32>
  // expected-error @below {{has an index tile 'tensor<8xi32>' for elements 'tensor<4xf32>'}}
  %t = tile.gather %v[%i] : !tile.view<1, f32>, tensor<8xi32> -> tensor<4xf32>
  tile.return
}

// -----

tile.kernel @gather_c2_type(%x: !tile.ptr<f32>, %n: i32, %f: f32) {
  %v = tile.view %x[%n] : !tile.ptr<f32> -> !tile.view<1, f32>
  // expected-error @below {{has an index of type 'f32', expected i32 or a tile of i32}}
  %t = tile.gather %v[%f] : !tile.view<1, f32>, f32 -> tensor<4xf32>
  tile.return
}

// -----

tile.kernel @gather_c3(%x: !tile.ptr<f32>, %n: i32) {
  %v = tile.view %x[%n] : !tile.ptr<f32> -> !tile.view<1, f32>
  %i = tile.iota 0 : tensor<4xi32>
  // expected-error @below {{moves elements 'i32' of a view of 'f32'}}
  %t = tile.gather %v[%i] : !tile.view<1, f32>, tensor<4xi32> -> tensor<4xi32>
  tile.return
}

// -----

tile.kernel @scatter_c1(%x: !tile.ptr<i32>, %n: i32) {
  %v = tile.view %x[%n, %n] : !tile.ptr<i32> -> !tile.view<2, i32>
  %i = tile.iota 0 : tensor<4xi32>
  // expected-error @below {{has 1 indices for a view of rank 2}}
  tile.scatter %i, %v[%i] : tensor<4xi32>, !tile.view<2, i32>, tensor<4xi32>
  tile.return
}

// -----

tile.kernel @load_scalar_c1(%x: !tile.ptr<i32>, %n: i32) {
  %v = tile.view %x[%n, %n] : !tile.ptr<i32> -> !tile.view<2, i32>
  // expected-error @below {{has 1 offsets for a view of rank 2}}
  %i = tile.load_scalar %v[%n] : !tile.view<2, i32> -> i32
  tile.return
}

// -----

tile.kernel @load_scalar_c2(%x: !tile.ptr<i32>, %n: i32) {
  %v = tile.view %x[%n] : !tile.ptr<i32> -> !tile.view<1, i32>
  // expected-error @below {{loads 'f32' from a view of 'i32'}}
  %i = tile.load_scalar %v[%n] : !tile.view<1, i32> -> f32
  tile.return
}
