// The graph of tests/models/llama, written by hand from the formulas; GoldenTest runs it against the goldens.
// RUN: quern-opt %s -o /dev/null

!cache = !model.head_cache<layers = 2, heads = 2, key = 32, value = 32, element = bf16>

module {
  model.weight @embed : tensor<320x128xbf16> = #model.read<"model.embed_tokens.weight">
  model.weight @norm : tensor<128xbf16> = #model.read<"model.norm.weight">
  model.weight @head : tensor<320x128xbf16> = #model.read<"lm_head.weight">
  model.weight @input_norm layers 0 to 2 : tensor<128xbf16> = #model.read<"model.layers.{layer}.input_layernorm.weight">
  model.weight @post_norm layers 0 to 2 : tensor<128xbf16> = #model.read<"model.layers.{layer}.post_attention_layernorm.weight">
  model.weight @qkv layers 0 to 2 : tensor<256x128xbf16>
    = #model.concat<dim = 0, [#model.read<"model.layers.{layer}.self_attn.q_proj.weight">,
                              #model.read<"model.layers.{layer}.self_attn.k_proj.weight">,
                              #model.read<"model.layers.{layer}.self_attn.v_proj.weight">]>
  model.weight @o layers 0 to 2 : tensor<128x128xbf16> = #model.read<"model.layers.{layer}.self_attn.o_proj.weight">
  model.weight @gate_up layers 0 to 2 : tensor<352x128xbf16>
    = #model.concat<dim = 0, [#model.read<"model.layers.{layer}.mlp.gate_proj.weight">, #model.read<"model.layers.{layer}.mlp.up_proj.weight">]>
  model.weight @down layers 0 to 2 : tensor<128x176xbf16> = #model.read<"model.layers.{layer}.mlp.down_proj.weight">

  func.func @step(%tokens: tensor<?xi32>, %positions: tensor<?xi32>, %sequences: tensor<?xi32>,
                  %rows: tensor<?xi32>, %cache: !cache) -> (tensor<?x320xf32>, !cache) {
    %table = model.use @embed : tensor<320x128xbf16>
    %x = model.embedding %tokens in %table : tensor<320x128xbf16>
    %y, %c = model.repeat 0 to 2 (%x, %cache) : tensor<?x128xbf16>, !cache {
    ^bb0(%layer: index, %residual: tensor<?x128xbf16>, %before: !cache):
      %w0 = model.use @input_norm[%layer] : tensor<128xbf16>
      %h = model.rms_norm %residual weight %w0 eps 1.0e-5 : tensor<?x128xbf16>, tensor<128xbf16>
      %w1 = model.use @qkv[%layer] : tensor<256x128xbf16>
      %qkv = model.linear %h, %w1 : tensor<?x128xbf16>, tensor<256x128xbf16> -> tensor<?x256xbf16>
      %q1 = model.slice %qkv from 0 to 128 : tensor<?x256xbf16>
      %k1 = model.slice %qkv from 128 to 192 : tensor<?x256xbf16>
      %v1 = model.slice %qkv from 192 to 256 : tensor<?x256xbf16>
      %q2 = model.reshape %q1 : tensor<?x128xbf16> -> tensor<?x4x32xbf16>
      %k2 = model.reshape %k1 : tensor<?x64xbf16> -> tensor<?x2x32xbf16>
      %v2 = model.reshape %v1 : tensor<?x64xbf16> -> tensor<?x2x32xbf16>
      %q3 = model.rope %q2 at %positions half frequencies dense<[1.0, 0.440366596, 0.191126481, 0.0290985927, 0.00470075384, 0.00207005511, 0.000911583076, 0.000401430763,
          0.000176776695, 7.78465546e-05, 3.42810235e-05, 1.50962169e-05, 6.64786967e-06, 2.92749996e-06, 1.28917316e-06, 5.6770881e-07]>
          : tensor<16xf32> : tensor<?x4x32xbf16>
      %k3 = model.rope %k2 at %positions half frequencies dense<[1.0, 0.440366596, 0.191126481, 0.0290985927, 0.00470075384, 0.00207005511, 0.000911583076, 0.000401430763,
          0.000176776695, 7.78465546e-05, 3.42810235e-05, 1.50962169e-05, 6.64786967e-06, 2.92749996e-06, 1.28917316e-06, 5.6770881e-07]>
          : tensor<16xf32> : tensor<?x2x32xbf16>
      %after = model.cache_append %before[%layer], %k3, %v2 at %positions of %sequences
          : !cache, tensor<?x2x32xbf16>, tensor<?x2x32xbf16>
      %a1 = model.attention %q3, %after[%layer] at %positions of %sequences scale 0.1767766952966369
          : tensor<?x4x32xbf16>, !cache
      %a2 = model.reshape %a1 : tensor<?x4x32xbf16> -> tensor<?x128xbf16>
      %w2 = model.use @o[%layer] : tensor<128x128xbf16>
      %o = model.linear %a2, %w2 : tensor<?x128xbf16>, tensor<128x128xbf16> -> tensor<?x128xbf16>
      %w3 = model.use @post_norm[%layer] : tensor<128xbf16>
      %sum, %m = model.add_rms_norm %o, %residual weight %w3 eps 1.0e-5 : tensor<?x128xbf16>, tensor<128xbf16>
      %w4 = model.use @gate_up[%layer] : tensor<352x128xbf16>
      %gu = model.linear %m, %w4 : tensor<?x128xbf16>, tensor<352x128xbf16> -> tensor<?x352xbf16>
      %act = model.gated silu %gu : tensor<?x352xbf16>
      %w5 = model.use @down[%layer] : tensor<128x176xbf16>
      %f = model.linear %act, %w5 : tensor<?x176xbf16>, tensor<128x176xbf16> -> tensor<?x128xbf16>
      %out = model.add %sum, %f : tensor<?x128xbf16>
      model.yield %out, %after : tensor<?x128xbf16>, !cache
    }
    %last = model.gather_rows %y, %rows : tensor<?x128xbf16>
    %w6 = model.use @norm : tensor<128xbf16>
    %n = model.rms_norm %last weight %w6 eps 1.0e-5 : tensor<?x128xbf16>, tensor<128xbf16>
    %w7 = model.use @head : tensor<320x128xbf16>
    %logits = model.linear %n, %w7 : tensor<?x128xbf16>, tensor<320x128xbf16> -> tensor<?x320xf32>
    return %logits, %c : tensor<?x320xf32>, !cache
  }
}
