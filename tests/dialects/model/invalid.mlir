// One case for each numbered constraint of the operators, types and attributes; the function's name says which.
// Constraints that a declaration enforces are here too: their messages are MLIR's.
// RUN: quern-opt %s -split-input-file -verify-diagnostics

//===-- Types ---------------------------------------------------------------------------------------------===//

// expected-error @below {{block-scaled tensors have rank 2 or 3, got rank 1}}
func.func private @block_scaled_c1_rank() -> !model.block_scaled<128xf8E4M3FN, 128x128, f32>

// -----

// expected-error @below {{only the first dimension of a block-scaled tensor may be dynamic}}
func.func private @block_scaled_c1_dynamic() -> !model.block_scaled<128x?xf8E4M3FN, 128x128, f32>

// -----

// expected-error @below {{block-scaled elements are f8E4M3FN, f8E4M3FNUZ or f8E5M2, got 'bf16'}}
func.func private @block_scaled_c2() -> !model.block_scaled<128x128xbf16, 128x128, f32>

// -----

// expected-error @below {{a scale block has two positive dimensions}}
func.func private @block_scaled_c3() -> !model.block_scaled<128x128xf8E4M3FN, 128, f32>

// -----

// expected-error @below {{block scales are f32 or f8E8M0FNU, got 'bf16'}}
func.func private @block_scaled_c4() -> !model.block_scaled<128x128xf8E4M3FN, 128x128, bf16>

// -----

// expected-error @below {{cache dimensions are positive, got 0}}
func.func private @latent_cache_c1() -> !model.latent_cache<layers = 0, latent = 64, rope = 16, element = bf16>

// -----

// expected-error @below {{cache elements are bf16 or f32, got 'i8'}}
func.func private @latent_cache_c2() -> !model.latent_cache<layers = 1, latent = 64, rope = 16, element = i8>

// -----

// expected-error @below {{cache dimensions are positive, got -1}}
func.func private @head_cache_c1() -> !model.head_cache<layers = 1, heads = 2, key = -1, value = 8, element = bf16>

// -----

// expected-error @below {{cache elements are bf16 or f32, got 'f16'}}
func.func private @head_cache_c2() -> !model.head_cache<layers = 1, heads = 2, key = 8, value = 8, element = f16>

// -----

//===-- Recipes -------------------------------------------------------------------------------------------===//

// expected-error @below {{a slice has a dimension >= 0 and 0 <= begin < end, got dimension 0, 8 to 8}}
model.weight @slice : tensor<8xbf16> = #model.slice<dim = 0, 8 to 8, #model.read<"a">>

// -----

// expected-error @below {{a concatenation has a dimension >= 0 and at least one source}}
model.weight @concat : tensor<8xbf16> = #model.concat<dim = -1, [#model.read<"a">]>

// -----

// expected-error @below {{a stack has a placeholder and a positive count, got "" and 4}}
model.weight @stack : tensor<4x8xbf16> = #model.stack<"", 4, #model.read<"a">>

// -----

// expected-error @below {{`[0, 0]` is not a permutation}}
model.weight @transpose : tensor<8x8xbf16> = #model.transpose<[0, 0], #model.read<"a">>

// -----

// expected-error @below {{a reshape has positive dimensions, got 0}}
model.weight @reshape : tensor<8xbf16> = #model.reshape<[8, 0], #model.read<"a">>

// -----

// expected-error @below {{expected a recipe, got 7 : i64}}
model.weight @dequantise : tensor<8x8xbf16> = #model.dequantise<7 : i64>

// -----

//===-- Structure -----------------------------------------------------------------------------------------===//

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

// -----

//===-- Dense ---------------------------------------------------------------------------------------------===//

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

// -----

//===-- Attention -----------------------------------------------------------------------------------------===//

func.func @rope_c1_empty(%x: tensor<?x8xbf16>, %p: tensor<?xi32>) {
  // expected-error @below {{'model.rope' op has no frequencies}}
  %0 = model.rope %x at %p half frequencies dense<> : tensor<0xf32> : tensor<?x8xbf16>
  return
}

// -----

func.func @rope_c1_infinite(%x: tensor<?x8xbf16>, %p: tensor<?xi32>) {
  // expected-error @below {{'model.rope' op has a frequency that is not finite}}
  %0 = model.rope %x at %p half frequencies dense<[1.0, 0x7F800000]> : tensor<2xf32> : tensor<?x8xbf16>
  return
}

// -----

func.func @rope_c2(%x: tensor<?x8xbf16>, %p: tensor<?xi32>) {
  // expected-error @below {{'model.rope' op rotates elements 6 to 10 of 8}}
  %0 = model.rope %x at %p half offset 6 frequencies dense<[1.0, 0.5]> : tensor<2xf32> : tensor<?x8xbf16>
  return
}

// -----

func.func @rope_c3(%x: tensor<?x8xbf16>, %p: tensor<?xi32>) {
  // expected-error @below {{'model.rope' op has the magnitude -1.000000e+00, expected a positive finite number}}
  %0 = model.rope %x at %p half magnitude -1.0 frequencies dense<[1.0, 0.5]> : tensor<2xf32> : tensor<?x8xbf16>
  return
}

// -----

!cache = !model.latent_cache<layers = 2, latent = 8, rope = 4, element = bf16>
func.func @cache_append_c1(%c: !cache, %l: index, %k: tensor<?x8xbf16>, %p: tensor<?xi32>) {
  // expected-error @below {{'model.cache_append' op appends 'tensor<?x8xbf16>' and 'tensor<?x8xbf16>' to '!model.latent_cache<layers = 2, latent = 8, rope = 4, element = bf16>'}}
  %0 = model.cache_append %c[%l], %k, %k at %p of %p : !cache, tensor<?x8xbf16>, tensor<?x8xbf16>
  return
}

// -----

!cache = !model.head_cache<layers = 2, heads = 2, key = 8, value = 4, element = bf16>
func.func @cache_append_c1_heads(%c: !cache, %l: index, %k: tensor<?x2x8xbf16>, %p: tensor<?xi32>) {
  // expected-error @below {{'model.cache_append' op appends}}
  %0 = model.cache_append %c[%l], %k, %k at %p of %p : !cache, tensor<?x2x8xbf16>, tensor<?x2x8xbf16>
  return
}

// -----

!cache = !model.latent_cache<layers = 2, latent = 8, rope = 4, element = bf16>
func.func @cache_append_c2(%c: !cache, %l: index, %k: tensor<?x8xbf16>, %v: tensor<?x4xf32>, %p: tensor<?xi32>) {
  // expected-error @below {{'model.cache_append' op appends elements 'bf16' and 'f32' to a cache of 'bf16'}}
  %0 = model.cache_append %c[%l], %k, %v at %p of %p : !cache, tensor<?x8xbf16>, tensor<?x4xf32>
  return
}

// -----

!cache = !model.head_cache<layers = 2, heads = 2, key = 8, value = 4, element = bf16>
func.func @attention_c1(%q: tensor<?x5x8xbf16>, %c: !cache, %l: index, %p: tensor<?xi32>) {
  // expected-error @below {{'model.attention' op shares 2 key-value heads among 5 query heads}}
  %0 = model.attention %q, %c[%l] at %p of %p scale 0.5 : tensor<?x5x8xbf16>, !cache
  return
}

// -----

!cache = !model.head_cache<layers = 2, heads = 2, key = 8, value = 4, element = bf16>
func.func @attention_c2(%q: tensor<?x4x6xbf16>, %c: !cache, %l: index, %p: tensor<?xi32>) {
  // expected-error @below {{'model.attention' op has queries 'tensor<?x4x6xbf16>' for '!model.head_cache<layers = 2, heads = 2, key = 8, value = 4, element = bf16>'}}
  %0 = model.attention %q, %c[%l] at %p of %p scale 0.5 : tensor<?x4x6xbf16>, !cache
  return
}

// -----

!cache = !model.head_cache<layers = 2, heads = 2, key = 8, value = 4, element = bf16>
func.func @attention_c3_scale(%q: tensor<?x4x8xbf16>, %c: !cache, %l: index, %p: tensor<?xi32>) {
  // expected-error @below {{'model.attention' op has a scale that is not finite}}
  %0 = model.attention %q, %c[%l] at %p of %p scale 0x7FF0000000000000 : tensor<?x4x8xbf16>, !cache
  return
}

// -----

!cache = !model.head_cache<layers = 2, heads = 2, key = 8, value = 4, element = bf16>
func.func @attention_c3_window(%q: tensor<?x4x8xbf16>, %c: !cache, %l: index, %p: tensor<?xi32>) {
  // expected-error @below {{'model.attention' op has a window of 0 positions}}
  %0 = model.attention %q, %c[%l] at %p of %p scale 0.5 window 0 : tensor<?x4x8xbf16>, !cache
  return
}

// -----

!cache = !model.head_cache<layers = 2, heads = 2, key = 8, value = 4, element = bf16>
func.func @attention_c3_softcap(%q: tensor<?x4x8xbf16>, %c: !cache, %l: index, %p: tensor<?xi32>) {
  // expected-error @below {{'model.attention' op has the softcap -5.000000e+01, expected a positive finite number}}
  %0 = model.attention %q, %c[%l] at %p of %p scale 0.5 softcap -50.0 : tensor<?x4x8xbf16>, !cache
  return
}

// -----

!cache = !model.latent_cache<layers = 2, latent = 8, rope = 4, element = bf16>
func.func @mla_attention_c1(%n: tensor<?x2x6xbf16>, %r: tensor<?x3x4xbf16>, %w: tensor<20x8xbf16>, %c: !cache, %l: index, %p: tensor<?xi32>) {
  // expected-error @below {{'model.mla_attention' op has queries 'tensor<?x2x6xbf16>' and 'tensor<?x3x4xbf16>'}}
  %0 = model.mla_attention %n, %r, %w, %c[%l] at %p of %p scale 0.5
      : tensor<?x2x6xbf16>, tensor<?x3x4xbf16>, tensor<20x8xbf16>, !cache
  return
}

// -----

!cache = !model.latent_cache<layers = 2, latent = 8, rope = 4, element = bf16>
func.func @mla_attention_c2(%n: tensor<?x2x6xbf16>, %r: tensor<?x2x4xbf16>, %w: tensor<12x8xbf16>, %c: !cache, %l: index, %p: tensor<?xi32>) {
  // expected-error @below {{'model.mla_attention' op has 12 kv_b rows for 2 heads with keys of 6}}
  %0 = model.mla_attention %n, %r, %w, %c[%l] at %p of %p scale 0.5
      : tensor<?x2x6xbf16>, tensor<?x2x4xbf16>, tensor<12x8xbf16>, !cache
  return
}

// -----

!cache = !model.latent_cache<layers = 2, latent = 8, rope = 4, element = bf16>
func.func @mla_attention_c3(%n: tensor<?x2x6xbf16>, %r: tensor<?x2x4xbf16>, %w: tensor<20x9xbf16>, %c: !cache, %l: index, %p: tensor<?xi32>) {
  // expected-error @below {{'model.mla_attention' op has kv_b 'tensor<20x9xbf16>' and rotated queries 'tensor<?x2x4xbf16>' for '!model.latent_cache<layers = 2, latent = 8, rope = 4, element = bf16>'}}
  %0 = model.mla_attention %n, %r, %w, %c[%l] at %p of %p scale 0.5
      : tensor<?x2x6xbf16>, tensor<?x2x4xbf16>, tensor<20x9xbf16>, !cache
  return
}

// -----

!cache = !model.latent_cache<layers = 2, latent = 8, rope = 4, element = bf16>
!kv_b = !model.block_scaled<2x10x8xf8E4M3FN, 128x128, f32>
func.func @mla_attention_c4(%n: tensor<?x2x6xbf16>, %r: tensor<?x2x4xbf16>, %w: !kv_b, %c: !cache, %l: index, %p: tensor<?xi32>) {
  // expected-error @below {{'model.mla_attention' op has a kv_b of rank 3, expected 2}}
  %0 = "model.mla_attention"(%n, %r, %w, %c, %l, %p, %p) <{scale = 0.5 : f64}>
      : (tensor<?x2x6xbf16>, tensor<?x2x4xbf16>, !kv_b, !cache, index, tensor<?xi32>, tensor<?xi32>) -> tensor<?x2x0xbf16>
  return
}

// -----

!cache = !model.latent_cache<layers = 2, latent = 8, rope = 4, element = bf16>
func.func @mla_attention_c5(%n: tensor<?x2x6xbf16>, %r: tensor<?x2x4xbf16>, %w: tensor<20x8xbf16>, %c: !cache, %l: index, %p: tensor<?xi32>) {
  // expected-error @below {{'model.mla_attention' op has a scale that is not finite}}
  %0 = model.mla_attention %n, %r, %w, %c[%l] at %p of %p scale 0x7FF8000000000000
      : tensor<?x2x6xbf16>, tensor<?x2x4xbf16>, tensor<20x8xbf16>, !cache
  return
}

// -----

//===-- Mixture of experts --------------------------------------------------------------------------------===//

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
