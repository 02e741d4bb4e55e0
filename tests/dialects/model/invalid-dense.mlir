// One case for each numbered constraint of the operators of ModelDenseOps.td; the name says which. Constraints that a
// declaration enforces are here too: their messages are MLIR's.
// RUN: quern-opt %s -split-input-file -verify-diagnostics

func.func @rms_norm_c1(%x: tensor<?x8xbf16>, %w: tensor<7xbf16>) {
  // expected-error @below {{'model.rms_norm' op has a weight of 7 elements, expected 8}}
  %0 = model.rms_norm %x weight %w eps 1.0e-6 : tensor<?x8xbf16>, tensor<7xbf16>
  return
}

// -----

func.func @rms_norm_c2(%x: tensor<?x8xbf16>) {
  // expected-error @below {{'model.rms_norm' op has eps 0.000000e+00, expected a positive finite number}}
  %0 = model.rms_norm %x eps 0.0 : tensor<?x8xbf16>
  return
}

// -----

func.func @add_rms_norm_c1(%x: tensor<?x8xbf16>, %w: tensor<9xbf16>) {
  // expected-error @below {{'model.add_rms_norm' op has a weight of 9 elements, expected 8}}
  %0, %1 = model.add_rms_norm %x, %x weight %w eps 1.0e-6 : tensor<?x8xbf16>, tensor<9xbf16>
  return
}

// -----

func.func @add_rms_norm_c2(%x: tensor<?x8xbf16>) {
  // expected-error @below {{'model.add_rms_norm' op has eps -1.000000e+00, expected a positive finite number}}
  %0, %1 = model.add_rms_norm %x, %x eps -1.0 : tensor<?x8xbf16>
  return
}

// -----

func.func @layer_norm_c1(%x: tensor<?x8xbf16>, %b: tensor<4xbf16>) {
  // expected-error @below {{'model.layer_norm' op has a bias of 4 elements, expected 8}}
  %0 = model.layer_norm %x bias %b : tensor<4xbf16> eps 1.0e-6 : tensor<?x8xbf16>
  return
}

// -----

func.func @layer_norm_c2(%x: tensor<?x8xbf16>) {
  // expected-error @below {{'model.layer_norm' op has eps INF, expected a positive finite number}}
  %0 = model.layer_norm %x eps 0x7FF0000000000000 : tensor<?x8xbf16>
  return
}

// -----

func.func @linear_c1(%x: tensor<?x8xbf16>, %w: tensor<4x9xbf16>) {
  // expected-error @below {{'model.linear' op has rows of 8 columns and a weight of 9 columns}}
  %0 = model.linear %x, %w : tensor<?x8xbf16>, tensor<4x9xbf16> -> tensor<?x4xbf16>
  return
}

// -----

func.func @linear_c2(%x: tensor<?x8xbf16>, %w: tensor<4x8xbf16>) {
  // expected-error @below {{'model.linear' op has the result 'tensor<?x5xbf16>' for 'tensor<?x8xbf16>' and 'tensor<4x8xbf16>'}}
  %0 = model.linear %x, %w : tensor<?x8xbf16>, tensor<4x8xbf16> -> tensor<?x5xbf16>
  return
}

// -----

func.func @linear_c3(%x: tensor<?x8xbf16>, %w: tensor<4x8xbf16>, %b: tensor<8xbf16>) {
  // expected-error @below {{'model.linear' op has a bias of 8 elements, expected 4}}
  %0 = model.linear %x, %w bias %b : tensor<?x8xbf16>, tensor<4x8xbf16>, tensor<8xbf16> -> tensor<?x4xbf16>
  return
}

// -----

func.func @linear_c4(%x: !model.block_scaled<?x8xf8E4M3FN, 1x128, f32>, %w: tensor<4x8xbf16>) {
  // expected-error @below {{'model.linear' op multiplies quantised rows by a weight without scales}}
  %0 = model.linear %x, %w : !model.block_scaled<?x8xf8E4M3FN, 1x128, f32>, tensor<4x8xbf16> -> tensor<?x4xbf16>
  return
}

// -----

func.func @linear_c5(%x: tensor<?x8xbf16>, %w: !model.block_scaled<2x4x8xf8E4M3FN, 128x128, f32>) {
  // expected-error @below {{'model.linear' op multiplies rank 2 by rank 3, expected 2 by 2}}
  %0 = model.linear %x, %w : tensor<?x8xbf16>, !model.block_scaled<2x4x8xf8E4M3FN, 128x128, f32> -> tensor<?x4xbf16>
  return
}

// -----

func.func @quantise_c1(%x: tensor<?x256xbf16>) {
  // expected-error @below {{'model.quantise' op makes '!model.block_scaled<?x256xf8E4M3FN, 128x128, f32>' of 'tensor<?x256xbf16>', expected the same shape and 1x128 blocks}}
  %0 = model.quantise %x : tensor<?x256xbf16> -> !model.block_scaled<?x256xf8E4M3FN, 128x128, f32>
  return
}

// -----

func.func @mul_c1(%x: tensor<?x8xbf16>, %y: tensor<?x2xbf16>) {
  // expected-error @below {{'model.mul' op multiplies 'tensor<?x8xbf16>' by 'tensor<?x2xbf16>', expected the same shape or one column}}
  %0 = model.mul %x, %y : tensor<?x8xbf16>, tensor<?x2xbf16>
  return
}

// -----

func.func @scale_c1(%x: tensor<?x8xbf16>) {
  // expected-error @below {{'model.scale' op has a factor that is not finite}}
  %0 = model.scale %x by 0x7FF8000000000000 : tensor<?x8xbf16>
  return
}

// -----

func.func @softcap_c1(%x: tensor<?x8xbf16>) {
  // expected-error @below {{'model.softcap' op has the cap 0.000000e+00, expected a positive finite number}}
  %0 = model.softcap %x cap 0.0 : tensor<?x8xbf16>
  return
}

// -----

func.func @gated_c1(%x: tensor<?x7xbf16>) {
  // expected-error @below {{'model.gated' op splits 7 columns in two halves}}
  %0 = model.gated silu %x : tensor<?x7xbf16>
  return
}

// -----

func.func @gated_c2(%x: tensor<?x8xbf16>, %y: tensor<?x8xf32>) {
  // expected-error @below {{'model.gated' op has gate 'tensor<?x8xbf16>' and up 'tensor<?x8xf32>'}}
  %0 = model.gated silu %x, %y : tensor<?x8xbf16>, tensor<?x8xf32>
  return
}

// -----

func.func @slice_c1(%x: tensor<?x8xbf16>) {
  // expected-error @below {{'model.slice' op takes 4 to 9 of 8 elements}}
  %0 = model.slice %x from 4 to 9 : tensor<?x8xbf16>
  return
}

// -----

func.func @slice_c1_empty(%x: tensor<?x8xbf16>) {
  // expected-error @below {{'model.slice' op takes 4 to 4 of 8 elements}}
  %0 = model.slice %x from 4 to 4 : tensor<?x8xbf16>
  return
}

// -----

func.func @concat_c1() {
  // expected-error @below {{'model.concat' op has no operand}}
  %0 = "model.concat"() : () -> tensor<?x0xbf16>
  return
}

// -----

func.func @concat_c2(%x: tensor<?x8xbf16>, %y: tensor<?x2x4xbf16>) {
  // expected-error @below {{'model.concat' op joins 'tensor<?x8xbf16>' and 'tensor<?x2x4xbf16>'}}
  %0 = model.concat %x, %y : tensor<?x8xbf16>, tensor<?x2x4xbf16>
  return
}

// -----

func.func @reshape_c1(%x: tensor<?x8xbf16>) {
  // expected-error @below {{'model.reshape' op makes 'tensor<?x3x3xbf16>' of 'tensor<?x8xbf16>'}}
  %0 = model.reshape %x : tensor<?x8xbf16> -> tensor<?x3x3xbf16>
  return
}
