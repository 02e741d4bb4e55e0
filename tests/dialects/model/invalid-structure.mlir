// One case for each numbered constraint of the operators of ModelStructureOps.td; the name says which. Constraints that a
// declaration enforces are here too: their messages are MLIR's.
// RUN: quern-opt %s -split-input-file -verify-diagnostics

// expected-error @below {{'model.weight' op needs a tensor or block-scaled type of a static shape, got 'tensor<?xbf16>'}}
model.weight @weight_c1 : tensor<?xbf16>

// -----

// expected-error @below {{'model.weight' op needs `layers first to end` with 0 <= first < end}}
model.weight @weight_c2 layers 3 to 3 : tensor<8xbf16>

// -----

// expected-error @below {{'model.weight' op needs a recipe after `=`, got "a"}}
model.weight @weight_recipe : tensor<8xbf16> = "a"

// -----

func.func @use_c1() {
  // expected-error @below {{'model.use' op uses @nothing, which is not a declared weight}}
  %0 = model.use @nothing : tensor<8xbf16>
  return
}

// -----

model.weight @w : tensor<8xbf16>
func.func @use_c2() {
  // expected-error @below {{'model.use' op has the result type 'tensor<9xbf16>', but @w is declared as 'tensor<8xbf16>'}}
  %0 = model.use @w : tensor<9xbf16>
  return
}

// -----

model.weight @w layers 0 to 2 : tensor<8xbf16>
func.func @use_c3_missing() {
  // expected-error @below {{'model.use' op gives no layer for @w, which is declared per layer}}
  %0 = model.use @w : tensor<8xbf16>
  return
}

// -----

model.weight @w : tensor<8xbf16>
func.func @use_c3_superfluous(%layer: index) {
  // expected-error @below {{'model.use' op gives a layer for @w, which is declared once}}
  %0 = model.use @w[%layer] : tensor<8xbf16>
  return
}

// -----

func.func @layer_c1() {
  // expected-error @below {{'model.layer' op is layer -1; layers count from 0}}
  %0 = model.layer -1
  return
}

// -----

func.func @repeat_c1(%x: tensor<?x8xbf16>) {
  // expected-error @below {{'model.repeat' op runs from 0 to 5 by 2; expected 0 <= first <= end and a positive step that divides their distance}}
  %0 = model.repeat 0 to 5 step 2 (%x) : tensor<?x8xbf16> {
  ^bb0(%layer: index, %y: tensor<?x8xbf16>):
    model.yield %y : tensor<?x8xbf16>
  }
  return
}

// -----

func.func @repeat_c2(%x: tensor<?x8xbf16>) {
  // expected-error @below {{'model.repeat' op needs a body whose arguments are 'index', 'tensor<?x8xbf16>', got 'index'}}
  %0 = model.repeat 0 to 5 (%x) : tensor<?x8xbf16> {
  ^bb0(%layer: index):
    model.yield %x : tensor<?x8xbf16>
  }
  return
}

// -----

func.func @repeat_c3(%x: tensor<?x8xbf16>) {
  // expected-error @below {{'model.repeat' op needs a body that yields 'tensor<?x8xbf16>'}}
  %0 = model.repeat 0 to 5 (%x) : tensor<?x8xbf16> {
  ^bb0(%layer: index, %y: tensor<?x8xbf16>):
    model.yield %layer : index
  }
  return
}

// -----

func.func @embedding_c1(%tokens: tensor<?xi32>, %table: tensor<4x8xi8>) {
  // expected-error @below {{'model.embedding' op operand #1 must be 2D tensor of bfloat16 type or 32-bit float values, but got 'tensor<4x8xi8>'}}
  %0 = model.embedding %tokens in %table : tensor<4x8xi8>
  return
}

// -----

func.func @mask_vocabulary_c1(%x: tensor<?x8xf32>) {
  // expected-error @below {{'model.mask_vocabulary' op keeps 9 of 8 columns}}
  %0 = model.mask_vocabulary %x valid 9 : tensor<?x8xf32>
  return
}

// -----

func.func @sample_c1(%x: tensor<?x8xbf16>, %p: tensor<?xi32>, %t: tensor<?xf32>, %s: tensor<?xi64>) {
  // expected-error @below {{operand #0 must be 2D tensor of 32-bit float values}}
  %0 = model.sample %x at %p temperatures %t seeds %s : tensor<?x8xbf16>, tensor<?xf32>, tensor<?xi64>
  return
}

// -----

func.func @sample_c2(%x: tensor<?x8xf32>, %p: tensor<?xi32>, %t: tensor<?xf32>, %s: tensor<?xi32>) {
  // expected-error @below {{operand #3 must be 1D tensor of 64-bit signless integer values}}
  %0 = model.sample %x at %p temperatures %t seeds %s : tensor<?x8xf32>, tensor<?xf32>, tensor<?xi32>
  return
}
