// One case for each numbered constraint of the operations on rings.
// RUN: quern-opt %s -split-input-file -verify-diagnostics

tile.kernel @depth() {
  // expected-error @below {{has a depth of 0}}
  %a = tile.ring "a" by async : !tile.ring<0, [8, 64], bf16>
  tile.return
}

// -----

tile.kernel @memory() {
  // expected-error @below {{has a memory layout of another shape}}
  %a = tile.ring "a" by async : !tile.ring<1, [8, 64], bf16, #tile.memory<shape = [2, 2], offset = [[0, 1], [1, 0]], core = [2, 2], stride = [4, 4]>>
  tile.return
}

// -----

// expected-error @below {{offsets of a memory layout are no bijection of its core}}
// expected-error @below {{failed to parse Tile_RingType parameter 'memory'}}
tile.kernel @bijection(%a: !tile.ring<1, [2, 2], bf16, #tile.memory<shape = [2, 2], offset = [[0, 1], [0, 1]], core = [2, 2], stride = [4, 4]>>) {
  tile.return
}

// -----

tile.kernel @depths(%s: i32) {
  %a = tile.ring "a" by async : !tile.ring<2, [8, 64], bf16>
  %b = tile.ring "b" by async : !tile.ring<3, [8, 64], bf16>
  // expected-error @below {{names rings of different depths}}
  tile.ring_acquire %a, %b[%s] : !tile.ring<2, [8, 64], bf16>, !tile.ring<3, [8, 64], bf16>
  tile.return
}

// -----

tile.kernel @pending(%s: i32) {
  %a = tile.ring "a" by async : !tile.ring<2, [8, 64], bf16>
  // expected-error @below {{leaves 2 commits pending in rings of depth 2}}
  tile.ring_wait %a[%s] pending 2 : !tile.ring<2, [8, 64], bf16>
  tile.return
}

// -----

tile.kernel @offsets(%x: !tile.ptr<bf16>, %s: i32) {
  %v = tile.view %x[%s, %s] : !tile.ptr<bf16> -> !tile.view<2, bf16>
  %a = tile.ring "a" by async : !tile.ring<2, [8, 64], bf16>
  // expected-error @below {{has 1 offsets for a view of rank 2}}
  tile.ring_copy %v[%s] to %a : !tile.view<2, bf16>, !tile.ring<2, [8, 64], bf16>
  tile.return
}

// -----

tile.kernel @elements(%x: !tile.ptr<f16>, %s: i32) {
  %v = tile.view %x[%s, %s] : !tile.ptr<f16> -> !tile.view<2, f16>
  %a = tile.ring "a" by async : !tile.ring<2, [8, 64], bf16>
  // expected-error @below {{copies 'f16' into a ring of 'bf16'}}
  tile.ring_copy %v[%s, %s] to %a : !tile.view<2, f16>, !tile.ring<2, [8, 64], bf16>
  tile.return
}

// -----

tile.kernel @rows(%x: !tile.ptr<bf16>, %s: i32) {
  %v = tile.view %x[%s, %s] : !tile.ptr<bf16> -> !tile.view<2, bf16>
  %a = tile.ring "a" by async : !tile.ring<2, [8, 64], bf16>
  %rows = tile.iota 0 : tensor<4xi32>
  // expected-error @below {{has rows that are not the i32 rows of its ring}}
  tile.ring_copy %v[%s, %s] rows %rows : tensor<4xi32> to %a : !tile.view<2, bf16>, !tile.ring<2, [8, 64], bf16>
  tile.return
}

// -----

tile.kernel @staged(%x: !tile.ptr<bf16>, %s: i32) {
  %v = tile.view %x[%s, %s] : !tile.ptr<bf16> -> !tile.view<2, bf16>
  %a = tile.ring "a" by staged : !tile.ring<2, [8, 64], bf16>
  // expected-error @below {{copies into a ring that is written from registers}}
  tile.ring_copy %v[%s, %s] to %a : !tile.view<2, bf16>, !tile.ring<2, [8, 64], bf16>
  tile.return
}

// -----

tile.kernel @tile(%s: i32) {
  %a = tile.ring "a" by staged : !tile.ring<2, [8, 64], bf16>
  // expected-error @below {{moves a tile that is not of the ring's shape and elements}}
  %t = tile.ring_read %a[%s] : !tile.ring<2, [8, 64], bf16> -> tensor<8x32xbf16>
  tile.return
}

// -----

tile.kernel @counts() {
  // expected-error @below {{has negative counts}}
  tile.async_wait -1 groups of 4
  tile.return
}
