// RUN: quern-opt %s -tile-select-atoms -tile-assign-roles -split-input-file -verify-diagnostics

// expected-error @below {{has a schedule with roles and the atom `mma.m16n8k16.bf16`, whose operands do not come from shared memory to a group of warps}}
tile.kernel @of_a_warp() attributes {
    schedule = "k{mma=mma.m16n8k16.bf16 strategy=roles}", machine = {lanes = 32 : i32, target = "nvidia:sm_90a"}} {
  tile.return
}

// -----

// expected-error @below {{cannot be divided into roles: it needs one product of an atom that reads shared memory}}
tile.kernel @no_product() attributes {
    schedule = "k{strategy=roles}", machine = {lanes = 32 : i32, target = "nvidia:sm_90a"}} {
  tile.return
}

// -----

tile.kernel @conditional(%x: !tile.ptr<bf16>, %w: !tile.ptr<bf16>, %c: i1) attributes {
    schedule = "k{mma=wgmma.m64n64k16.bf16 strategy=roles}", machine = {lanes = 32 : i32, target = "nvidia:sm_90a"}} {
  %zero = arith.constant 0 : i32
  %n = arith.constant 64 : i32
  %zero_f = arith.constant 0.0 : f32
  %xv = tile.view %x[%n, %n] : !tile.ptr<bf16> -> !tile.view<2, bf16>
  %wv = tile.view %w[%n, %n] : !tile.ptr<bf16> -> !tile.view<2, bf16>
  %init = tile.splat %zero_f : f32 -> tensor<64x64xf32>
  scf.if %c {
    %a = tile.load %xv[%zero, %zero] : !tile.view<2, bf16> -> tensor<64x64xbf16>
    %b = tile.load %wv[%zero, %zero] : !tile.view<2, bf16> -> tensor<64x64xbf16>
    // expected-error @below {{cannot be divided into roles: it is not in a loop of the kernel}}
    %sum = tile.mma %a, %b, %init : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
  }
  tile.return
}

// -----

// Rows of 72 bytes.
tile.kernel @unaligned(%x: !tile.ptr<bf16>, %w: !tile.ptr<bf16>) attributes {
    schedule = "k{mma=wgmma.m64n64k16.bf16 strategy=roles}", machine = {lanes = 32 : i32, target = "nvidia:sm_90a"}} {
  %zero = arith.constant 0 : i32
  %n = arith.constant 64 : i32
  %k = arith.constant 36 : i32
  %zero_f = arith.constant 0.0 : f32
  // expected-error @below {{cannot be divided into roles: rows do not begin at multiples of 16 bytes}}
  %xv = tile.view %x[%n, %k] : !tile.ptr<bf16> -> !tile.view<2, bf16>
  %wv = tile.view %w[%n, %k] : !tile.ptr<bf16> -> !tile.view<2, bf16>
  %init = tile.splat %zero_f : f32 -> tensor<64x64xf32>
  %sum = scf.for %k0 = %zero to %k step %n iter_args(%acc = %init) -> (tensor<64x64xf32>) : i32 {
    %a = tile.load %xv[%zero, %k0] : !tile.view<2, bf16> -> tensor<64x64xbf16>
    %b = tile.load %wv[%zero, %k0] : !tile.view<2, bf16> -> tensor<64x64xbf16>
    %next = tile.mma %a, %b, %acc : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
    scf.yield %next : tensor<64x64xf32>
  }
  tile.return
}

// -----

tile.kernel @too_many_slots(%x: !tile.ptr<bf16>, %w: !tile.ptr<bf16>) attributes {
    schedule = "k{mma=wgmma.m64n64k16.bf16 strategy=roles stages=15}", machine = {lanes = 32 : i32, target = "nvidia:sm_90a"}} {
  %zero = arith.constant 0 : i32
  %n = arith.constant 64 : i32
  %zero_f = arith.constant 0.0 : f32
  %xv = tile.view %x[%n, %n] : !tile.ptr<bf16> -> !tile.view<2, bf16>
  %wv = tile.view %w[%n, %n] : !tile.ptr<bf16> -> !tile.view<2, bf16>
  %init = tile.splat %zero_f : f32 -> tensor<64x64xf32>
  %sum = scf.for %k0 = %zero to %n step %n iter_args(%acc = %init) -> (tensor<64x64xf32>) : i32 {
    %a = tile.load %xv[%zero, %k0] : !tile.view<2, bf16> -> tensor<64x64xbf16>
    %b = tile.load %wv[%zero, %k0] : !tile.view<2, bf16> -> tensor<64x64xbf16>
    // expected-error @below {{cannot be divided into roles: 15 slots of 16384 bytes do not fit a block, 13 do}}
    %next = tile.mma %a, %b, %acc : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
    scf.yield %next : tensor<64x64xf32>
  }
  tile.return
}

// -----

tile.kernel @gathered(%x: !tile.ptr<bf16>, %w: !tile.ptr<bf16>) attributes {
    schedule = "k{mma=wgmma.m64n64k16.bf16 strategy=roles}", machine = {lanes = 32 : i32, target = "nvidia:sm_90a"}} {
  %zero = arith.constant 0 : i32
  %n = arith.constant 64 : i32
  %zero_f = arith.constant 0.0 : f32
  %xv = tile.view %x[%n, %n] : !tile.ptr<bf16> -> !tile.view<2, bf16>
  %wv = tile.view %w[%n, %n] : !tile.ptr<bf16> -> !tile.view<2, bf16>
  %init = tile.splat %zero_f : f32 -> tensor<64x64xf32>
  %rows = tile.iota 0 : tensor<64x64xi32>
  %columns = tile.iota 1 : tensor<64x64xi32>
  %sum = scf.for %k0 = %zero to %n step %n iter_args(%acc = %init) -> (tensor<64x64xf32>) : i32 {
    %a = tile.gather %xv[%rows, %columns] : !tile.view<2, bf16>, tensor<64x64xi32>, tensor<64x64xi32> -> tensor<64x64xbf16>
    %b = tile.load %wv[%zero, %k0] : !tile.view<2, bf16> -> tensor<64x64xbf16>
    // expected-error @below {{cannot be divided into roles: an operand is no load of this step along k}}
    %next = tile.mma %a, %b, %acc : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
    scf.yield %next : tensor<64x64xf32>
  }
  tile.return
}
