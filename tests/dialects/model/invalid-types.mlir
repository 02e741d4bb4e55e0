// One case for each numbered constraint of types and recipes; the name says which. Constraints that a
// declaration enforces are here too: their messages are MLIR's.
// RUN: quern-opt %s -split-input-file -verify-diagnostics

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
