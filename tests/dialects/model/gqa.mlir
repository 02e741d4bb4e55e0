// A model of two equal layers with grouped-query attention, written by hand in the shape that import gives it.
// RUN: quern-opt %s | quern-opt | FileCheck %s

!cache = !model.head_cache<layers = 2, heads = 2, key = 32, value = 32, element = bf16>

module @two_layers {
  model.weight @embed : tensor<256x128xbf16> = #model.read<"model.embed_tokens.weight">
  model.weight @norm : tensor<128xbf16> = #model.read<"model.norm.weight">
  model.weight @head : tensor<256x128xbf16> = #model.read<"lm_head.weight">
  model.weight @input_norm layers 0 to 2 : tensor<128xbf16>
    = #model.read<"model.layers.{layer}.input_layernorm.weight">
  // CHECK: model.weight @qkv layers 0 to 2 : tensor<256x128xbf16> = #model.concat<dim = 0, [#model.read<"model.layers.{layer}.self_attn.q_proj.weight">,
  model.weight @qkv layers 0 to 2 : tensor<256x128xbf16>
    = #model.concat<dim = 0, [#model.read<"model.layers.{layer}.self_attn.q_proj.weight">,
                              #model.read<"model.layers.{layer}.self_attn.k_proj.weight">,
                              #model.read<"model.layers.{layer}.self_attn.v_proj.weight">]>
  model.weight @o layers 0 to 2 : tensor<128x128xbf16>
    = #model.read<"model.layers.{layer}.self_attn.o_proj.weight">
  model.weight @post_norm layers 0 to 2 : tensor<128xbf16>
    = #model.read<"model.layers.{layer}.post_attention_layernorm.weight">
  model.weight @gate_up layers 0 to 2 : tensor<384x128xbf16>
    = #model.concat<dim = 0, [#model.read<"model.layers.{layer}.mlp.gate_proj.weight">,
                              #model.read<"model.layers.{layer}.mlp.up_proj.weight">]>
  model.weight @down layers 0 to 2 : tensor<128x192xbf16>
    = #model.read<"model.layers.{layer}.mlp.down_proj.weight">

  // CHECK-LABEL: func.func @step
  func.func @step(%tokens: tensor<?xi32>, %positions: tensor<?xi32>, %sequences: tensor<?xi32>,
                  %rows: tensor<?xi32>, %cache: !cache) -> (tensor<?x256xf32>, !cache) {
    %table = model.use @embed : tensor<256x128xbf16>
    // CHECK: model.embedding %{{.*}} in %{{.*}} : tensor<256x128xbf16>
    %x = model.embedding %tokens in %table : tensor<256x128xbf16>
    // CHECK: model.repeat 0 to 2(%{{.*}}, %{{.*}}) : tensor<?x128xbf16>, !model.head_cache
    %y, %c = model.repeat 0 to 2 (%x, %cache) : tensor<?x128xbf16>, !cache {
    ^bb0(%layer: index, %residual: tensor<?x128xbf16>, %before: !cache):
      %input_norm = model.use @input_norm[%layer] : tensor<128xbf16>
      %h = model.rms_norm %residual weight %input_norm eps 1.0e-5 : tensor<?x128xbf16>, tensor<128xbf16>
      // CHECK: %[[W:.*]] = model.use @qkv[%{{.*}}] : tensor<256x128xbf16>
      %wqkv = model.use @qkv[%layer] : tensor<256x128xbf16>
      %qkv = model.linear %h, %wqkv : tensor<?x128xbf16>, tensor<256x128xbf16> -> tensor<?x256xbf16>
      %q1 = model.slice %qkv from 0 to 128 : tensor<?x256xbf16>
      %k1 = model.slice %qkv from 128 to 192 : tensor<?x256xbf16>
      %v1 = model.slice %qkv from 192 to 256 : tensor<?x256xbf16>
      %q2 = model.reshape %q1 : tensor<?x128xbf16> -> tensor<?x4x32xbf16>
      %k2 = model.reshape %k1 : tensor<?x64xbf16> -> tensor<?x2x32xbf16>
      %v2 = model.reshape %v1 : tensor<?x64xbf16> -> tensor<?x2x32xbf16>
      // CHECK: model.rope %{{.*}} at %{{.*}} half frequencies dense<[1.000000e+00,
      %q3 = model.rope %q2 at %positions half frequencies dense<[1.0, 0.56234133, 0.31622777, 0.17782794, 0.1, 0.056234133,
          0.031622777, 0.017782794, 0.01, 0.0056234133, 0.0031622777, 0.0017782794, 0.001, 0.00056234133,
          0.00031622777, 0.00017782794]>
          : tensor<16xf32> : tensor<?x4x32xbf16>
      %k3 = model.rope %k2 at %positions half frequencies dense<[1.0, 0.56234133, 0.31622777, 0.17782794, 0.1, 0.056234133,
          0.031622777, 0.017782794, 0.01, 0.0056234133, 0.0031622777, 0.0017782794, 0.001, 0.00056234133,
          0.00031622777, 0.00017782794]>
          : tensor<16xf32> : tensor<?x2x32xbf16>
      // CHECK: model.cache_append
      %after = model.cache_append %before[%layer], %k3, %v2 at %positions of %sequences
          : !cache, tensor<?x2x32xbf16>, tensor<?x2x32xbf16>
      // CHECK: model.attention %{{.*}}, %{{.*}}[%{{.*}}] at %{{.*}} of %{{.*}} scale 0.1767766952966
      %a1 = model.attention %q3, %after[%layer] at %positions of %sequences scale 0.17677669529663689
          : tensor<?x4x32xbf16>, !cache
      %a2 = model.reshape %a1 : tensor<?x4x32xbf16> -> tensor<?x128xbf16>
      %wo = model.use @o[%layer] : tensor<128x128xbf16>
      %o = model.linear %a2, %wo : tensor<?x128xbf16>, tensor<128x128xbf16> -> tensor<?x128xbf16>
      %post_norm = model.use @post_norm[%layer] : tensor<128xbf16>
      // CHECK: %{{.*}}, %{{.*}} = model.add_rms_norm %{{.*}}, %{{.*}} weight %{{.*}} eps 1.000000e-05
      %sum, %m = model.add_rms_norm %o, %residual weight %post_norm eps 1.0e-5 : tensor<?x128xbf16>, tensor<128xbf16>
      %wgu = model.use @gate_up[%layer] : tensor<384x128xbf16>
      %gu = model.linear %m, %wgu : tensor<?x128xbf16>, tensor<384x128xbf16> -> tensor<?x384xbf16>
      // CHECK: model.gated silu %{{.*}} : tensor<?x384xbf16>
      %act = model.gated silu %gu : tensor<?x384xbf16>
      %wd = model.use @down[%layer] : tensor<128x192xbf16>
      %d = model.linear %act, %wd : tensor<?x192xbf16>, tensor<128x192xbf16> -> tensor<?x128xbf16>
      %out = model.add %sum, %d : tensor<?x128xbf16>
      // CHECK: model.yield
      model.yield %out, %after : tensor<?x128xbf16>, !cache
    }
    %last = model.gather_rows %y, %rows : tensor<?x128xbf16>
    %norm = model.use @norm : tensor<128xbf16>
    %n = model.rms_norm %last weight %norm eps 1.0e-5 : tensor<?x128xbf16>, tensor<128xbf16>
    %head = model.use @head : tensor<256x128xbf16>
    %all = model.linear %n, %head : tensor<?x128xbf16>, tensor<256x128xbf16> -> tensor<?x256xf32>
    // CHECK: model.mask_vocabulary %{{.*}} valid 250
    %logits = model.mask_vocabulary %all valid 250 : tensor<?x256xf32>
    return %logits, %c : tensor<?x256xf32>, !cache
  }
}
