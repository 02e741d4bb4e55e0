// RUN: quern-opt %s -tile-select-atoms -split-input-file -verify-diagnostics

// expected-error @below {{has a schedule with the atom `mma.m16n8k32.e4m3`, which the target does not have}}
tile.kernel @not_there() attributes {
    schedule = "k{mma=mma.m16n8k32.e4m3}", machine = {lanes = 32 : i32, target = "nvidia:sm_80"}} {
  tile.return
}

// -----

// expected-error @below {{has a schedule with the atom `mma.m16n8k16.bf16`, which the target does not have}}
tile.kernel @no_target() attributes {schedule = "k{mma=mma.m16n8k16.bf16}", machine = {lanes = 32 : i32}} {
  tile.return
}

// -----

// expected-error @below {{is for the target `abacus:one`, which is not known}}
tile.kernel @unknown() attributes {schedule = "k{mma=x}", machine = {lanes = 32 : i32, target = "abacus:one"}} {
  tile.return
}

// -----

// expected-error @below {{has a schedule with the atom `wgmma.m64n64k16.bf16`, whose operands are not all in the registers of a warp}}
tile.kernel @not_a_warp() attributes {
    schedule = "k{mma=wgmma.m64n64k16.bf16}", machine = {lanes = 32 : i32, target = "nvidia:sm_90a"}} {
  tile.return
}

// -----

// expected-error @below {{has no mma step with the element types of the atom `mma.m16n8k16.bf16`}}
tile.kernel @no_step() attributes {
    schedule = "k{mma=mma.m16n8k16.bf16}", machine = {lanes = 32 : i32, target = "nvidia:sm_80"}} {
  tile.return
}

// -----

tile.kernel @columns(%x: tensor<16x16xbf16>, %w: tensor<24x16xbf16>, %acc: tensor<16x24xf32>) attributes {
    schedule = "k{mma=mma.m16n8k16.bf16 warps=1x2}", machine = {lanes = 32 : i32, target = "nvidia:sm_80"}} {
  // expected-error @below {{cannot use the atom `mma.m16n8k16.bf16`: 24 columns are no multiple of 8 for each of 2 warps}}
  %p = tile.mma %x, %w, %acc : tensor<16x16xbf16>, tensor<24x16xbf16> -> tensor<16x24xf32>
  tile.return
}

// -----

tile.kernel @depth(%x: tensor<16x8xbf16>, %w: tensor<16x8xbf16>, %acc: tensor<16x16xf32>) attributes {
    schedule = "k{mma=mma.m16n8k16.bf16}", machine = {lanes = 32 : i32, target = "nvidia:sm_80"}} {
  // expected-error @below {{8 elements of k are no multiple of 16}}
  %p = tile.mma %x, %w, %acc : tensor<16x8xbf16>, tensor<16x8xbf16> -> tensor<16x16xf32>
  tile.return
}

// -----

// expected-error @below {{has a schedule that divides k over warps}}
tile.kernel @warps_along_k() attributes {
    schedule = "k{mma=mma.m16n8k16.bf16 warps=1x1x2}", machine = {lanes = 32 : i32, target = "nvidia:sm_80"}} {
  tile.return
}
