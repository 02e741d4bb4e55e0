// RUN: quern-opt %s -split-input-file -tile-verify-rings -verify-diagnostics

// Fills one step ahead of a ring of two; what each kernel lacks is in its name.

!ring = !tile.ring<2, [8, 8], bf16>
!t = tensor<8x8xbf16>

tile.kernel @wait(%x: !tile.ptr<bf16>, %m: i32, %end: i32) {
  %c0 = arith.constant 0 : i32
  %c1 = arith.constant 1 : i32
  %v = tile.view %x[%m, %m] : !tile.ptr<bf16> -> !tile.view<2, bf16>
  %a = tile.ring "a" by async : !ring
  %some = arith.cmpi slt, %c0, %end : i32
  scf.if %some {
    tile.ring_copy %v[%m, %m] to %a[%c0] : !tile.view<2, bf16>, !ring
  }
  tile.async_commit
  %r:2 = scf.for %i = %c0 to %end step %c1 iter_args(%read = %c0, %fill = %c1) -> (i32, i32) : i32 {
    %ahead = arith.addi %i, %c1 : i32
    %more = arith.cmpi slt, %ahead, %end : i32
    tile.async_wait 1 groups of 1
    tile.barrier
    scf.if %more {
      tile.ring_copy %v[%m, %m] to %a[%fill] : !tile.view<2, bf16>, !ring
    }
    tile.async_commit
    // expected-error @below {{reads a slot before its wait: its copies may be under way}}
    %t = tile.ring_read %a[%read] : !ring -> !t
    scf.yield %fill, %read : i32, i32
  }
  tile.return
}

// -----

!ring = !tile.ring<2, [8, 8], bf16>
!t = tensor<8x8xbf16>

tile.kernel @barrier_behind_the_wait(%x: !tile.ptr<bf16>, %m: i32) {
  %c0 = arith.constant 0 : i32
  %v = tile.view %x[%m, %m] : !tile.ptr<bf16> -> !tile.view<2, bf16>
  %a = tile.ring "a" by async : !ring
  tile.ring_copy %v[%m, %m] to %a[%c0] : !tile.view<2, bf16>, !ring
  tile.async_commit
  tile.barrier
  tile.async_wait 0 groups of 1
  // expected-error @below {{reads a slot before its wait: no barrier is behind the wait}}
  %t = tile.ring_read %a[%c0] : !ring -> !t
  tile.return
}

// -----

!ring = !tile.ring<1, [8, 8], bf16>
!t = tensor<8x8xbf16>

tile.kernel @barrier_behind_the_read(%t: !t, %end: i32) {
  %c0 = arith.constant 0 : i32
  %c1 = arith.constant 1 : i32
  %a = tile.ring "a" by staged : !ring
  scf.for %i = %c0 to %end step %c1 : i32 {
    // expected-error @below {{fills a slot that other warps may still read: no barrier is behind the read}}
    tile.ring_write %t to %a[%c0] : !t, !ring
    tile.barrier
    %r = tile.ring_read %a[%c0] : !ring -> !t
  }
  tile.return
}

// -----

!ring = !tile.ring<2, [8, 8], bf16>
!t = tensor<8x8xbf16>

tile.kernel @fill(%t: !t) {
  %c0 = arith.constant 0 : i32
  %c1 = arith.constant 1 : i32
  %a = tile.ring "a" by staged : !ring
  tile.ring_write %t to %a[%c0] : !t, !ring
  tile.barrier
  // expected-error @below {{reads a slot that does not hold the tile of its step}}
  %r = tile.ring_read %a[%c1] : !ring -> !t
  tile.return
}

// -----

!ring = !tile.ring<1, [8, 8], bf16>
!t = tensor<8x8xbf16>

tile.kernel @read(%t: !t) {
  %c0 = arith.constant 0 : i32
  %a = tile.ring "a" by staged : !ring
  tile.ring_write %t to %a[%c0] : !t, !ring
  tile.barrier
  // expected-error @below {{fills a slot whose tile has not been read}}
  tile.ring_write %t to %a[%c0] : !t, !ring
  tile.return
}

// -----

!ring = !tile.ring<1, [8, 8], bf16>
!t = tensor<8x8xbf16>

tile.kernel @slot(%t: !t, %s: i32) {
  %a = tile.ring "a" by staged : !ring
  // expected-error @below {{names no slot of its ring}}
  tile.ring_write %t to %a[%s] : !t, !ring
  tile.return
}

// -----

!ring = !tile.ring<1, [8, 8], bf16>
!t = tensor<8x8xbf16>

tile.kernel @condition(%t: !t, %c: i1) {
  %c0 = arith.constant 0 : i32
  %a = tile.ring "a" by staged : !ring
  // expected-error @below {{decides about slots of rings by what is not known before the launch}}
  scf.if %c {
    tile.ring_write %t to %a[%c0] : !t, !ring
  }
  tile.return
}
