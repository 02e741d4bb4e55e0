// One case for each numbered constraint of the operators of ModelAttentionOps.td; the name says which. Constraints that a
// declaration enforces are here too: their messages are MLIR's.
// RUN: quern-opt %s -split-input-file -verify-diagnostics

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
