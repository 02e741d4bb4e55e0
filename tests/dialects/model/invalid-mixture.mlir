// One case for each numbered constraint of the operators of ModelMixtureOps.td; the name says which. Constraints that a
// declaration enforces are here too: their messages are MLIR's.
// RUN: quern-opt %s -split-input-file -verify-diagnostics

func.func @router_c1(%x: tensor<?x8xf32>) {
  // expected-error @below {{'model.router' op chooses 9 of 8 experts}}
  %0, %1 = model.router %x softmax choose 9 : tensor<?x8xf32>
  return
}

// -----

func.func @router_c2(%x: tensor<?x8xf32>, %b: tensor<4xf32>) {
  // expected-error @below {{'model.router' op has a bias of 4 elements, expected 8}}
  %0, %1 = model.router %x bias %b sigmoid choose 2 : tensor<?x8xf32>, tensor<4xf32>
  return
}

// -----

func.func @router_c3(%x: tensor<?x8xf32>) {
  // expected-error @below {{'model.router' op chooses 3 experts in 1 of 4 groups of 8 experts}}
  %0, %1 = model.router %x sigmoid choose 3 groups 4 kept 1 by max : tensor<?x8xf32>
  return
}

// -----

func.func @router_c4(%x: tensor<?x8xf32>) {
  // expected-error @below {{'model.router' op ranks groups of one expert by their two best}}
  %0, %1 = model.router %x sigmoid choose 2 groups 8 kept 4 by top2 : tensor<?x8xf32>
  return
}

// -----

func.func @router_c5(%x: tensor<?x8xf32>) {
  // expected-error @below {{'model.router' op has the scale 0.000000e+00, expected a positive finite number}}
  %0, %1 = model.router %x softmax choose 2 scale 0.0 : tensor<?x8xf32>
  return
}

// -----

func.func @experts_c1(%x: tensor<?x8xbf16>, %i: tensor<?x2xi32>, %w: tensor<?x3xf32>, %a: tensor<4x12x8xbf16>, %b: tensor<4x8x6xbf16>) {
  // expected-error @below {{'model.experts' op has indices 'tensor<?x2xi32>' and weights 'tensor<?x3xf32>' for 'tensor<?x8xbf16>'}}
  %0 = model.experts silu %x, %i, %w, %a, %b
      : tensor<?x8xbf16>, tensor<?x2xi32>, tensor<?x3xf32>, tensor<4x12x8xbf16>, tensor<4x8x6xbf16> -> tensor<?x8xbf16>
  return
}

// -----

func.func @experts_c2(%x: tensor<?x8xbf16>, %i: tensor<?x2xi32>, %w: tensor<?x2xf32>, %a: tensor<4x13x8xbf16>, %b: tensor<4x8x6xbf16>) {
  // expected-error @below {{'model.experts' op has gate_up 'tensor<4x13x8xbf16>' and down 'tensor<4x8x6xbf16>' for 'tensor<?x8xbf16>'}}
  %0 = model.experts silu %x, %i, %w, %a, %b
      : tensor<?x8xbf16>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<4x13x8xbf16>, tensor<4x8x6xbf16> -> tensor<?x8xbf16>
  return
}

// -----

func.func @experts_c3(%x: tensor<?x8xbf16>, %i: tensor<?x2xi32>, %w: tensor<?x2xf32>, %a: tensor<4x12x8xbf16>, %b: tensor<4x8x6xbf16>, %s: tensor<?x8xf32>) {
  // expected-error @below {{'model.experts' op adds the shared result 'tensor<?x8xf32>' to 'tensor<?x8xbf16>'}}
  %0 = model.experts silu %x, %i, %w, %a, %b shared %s
      : tensor<?x8xbf16>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<4x12x8xbf16>, tensor<4x8x6xbf16>, tensor<?x8xf32> -> tensor<?x8xbf16>
  return
}

// -----

!down = !model.block_scaled<4x8x6xf8E4M3FN, 128x128, f32>
func.func @experts_c4(%x: tensor<?x8xbf16>, %i: tensor<?x2xi32>, %w: tensor<?x2xf32>, %a: tensor<4x12x8xbf16>, %b: !down) {
  // expected-error @below {{'model.experts' op has only one of gate_up and down block-scaled}}
  %0 = model.experts silu %x, %i, %w, %a, %b
      : tensor<?x8xbf16>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<4x12x8xbf16>, !down -> tensor<?x8xbf16>
  return
}

// -----

func.func @experts_c5(%x: tensor<?x8xbf16>, %i: tensor<?x2xi32>, %w: tensor<?x2xf32>, %a: tensor<4x12x8xbf16>, %b: tensor<4x8x6xbf16>) {
  // expected-error @below {{'model.experts' op has the result 'tensor<?x6xbf16>' for 'tensor<?x8xbf16>'}}
  %0 = model.experts silu %x, %i, %w, %a, %b
      : tensor<?x8xbf16>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<4x12x8xbf16>, tensor<4x8x6xbf16> -> tensor<?x6xbf16>
  return
}

// -----

!x = !model.block_scaled<?x8xf8E4M3FN, 1x128, f32>
func.func @experts_c6(%x: !x, %i: tensor<?x2xi32>, %w: tensor<?x2xf32>, %a: tensor<4x12x8xbf16>, %b: tensor<4x8x6xbf16>) {
  // expected-error @below {{'model.experts' op multiplies quantised rows by weights without scales}}
  %0 = model.experts silu %x, %i, %w, %a, %b
      : !x, tensor<?x2xi32>, tensor<?x2xf32>, tensor<4x12x8xbf16>, tensor<4x8x6xbf16> -> tensor<?x8xbf16>
  return
}
