// RUN: quern-opt %s -tile-select-atoms -tile-stage-operands -verify-diagnostics

// Rows of k elements are not aligned to a copy when k may be odd.
tile.kernel @odd_rows(%x: !tile.ptr<bf16>, %y: !tile.ptr<f32>, %m: i32, %k: i32) attributes {
    schedule = "k{mma=mma.m16n8k16.bf16 warps=2x2 copy.b=async}",
    machine = {lanes = 32 : i32, vector_bytes = 16 : i32, target = "nvidia:sm_80"}} {
  %zero = arith.constant 0 : i32
  %zero_f = arith.constant 0.0 : f32
  %step = arith.constant 64 : i32
  %xv = tile.view %x[%m, %k] : !tile.ptr<bf16> -> !tile.view<2, bf16>
  %yv = tile.view %y[%m, %m] : !tile.ptr<f32> -> !tile.view<2, f32>
  %init = tile.splat %zero_f : f32 -> tensor<64x64xf32>
  %sum = scf.for %k0 = %zero to %k step %step iter_args(%acc = %init) -> (tensor<64x64xf32>) : i32 {
    %a = tile.load %xv[%zero, %k0] : !tile.view<2, bf16> -> tensor<64x64xbf16>
    %b = tile.load %xv[%m, %k0] : !tile.view<2, bf16> -> tensor<64x64xbf16>
    // expected-error @below {{has a schedule that copies `b` in a way that the target or the operand does not allow}}
    %next = tile.mma %a, %b, %acc : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
    scf.yield %next : tensor<64x64xf32>
  }
  tile.store %sum, %yv[%zero, %zero] : tensor<64x64xf32>, !tile.view<2, f32>
  tile.return
}
