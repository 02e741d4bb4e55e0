// The graph of tests/models/deepseek_v3, written by hand from the formulas; GoldenTest runs it against the goldens.
// RUN: quern-opt %s -o /dev/null

!cache = !model.latent_cache<layers = 3, latent = 64, rope = 16, element = bf16>
!q_a = tensor<48x128xbf16>
!q_b = tensor<192x48xbf16>
!kv_a = tensor<80x128xbf16>
!kv_b = tensor<320x64xbf16>
!o = tensor<128x192xbf16>
!gate_up = tensor<224x128xbf16>
!down = tensor<128x112xbf16>
!experts_gate_up = tensor<12x64x128xbf16>
!experts_down = tensor<12x128x32xbf16>
!shared_gate_up = tensor<64x128xbf16>
!shared_down = tensor<128x32xbf16>

module {
  model.weight @embed : tensor<320x128xbf16> = #model.read<"model.embed_tokens.weight">
  model.weight @norm : tensor<128xbf16> = #model.read<"model.norm.weight">
  model.weight @head : tensor<320x128xbf16> = #model.read<"lm_head.weight">
  model.weight @input_norm layers 0 to 3 : tensor<128xbf16>
    = #model.read<"model.layers.{layer}.input_layernorm.weight">
  model.weight @post_norm layers 0 to 3 : tensor<128xbf16>
    = #model.read<"model.layers.{layer}.post_attention_layernorm.weight">
  model.weight @q_a layers 0 to 3 : !q_a
    = #model.read<"model.layers.{layer}.self_attn.q_a_proj.weight">
  model.weight @q_a_norm layers 0 to 3 : tensor<48xbf16>
    = #model.read<"model.layers.{layer}.self_attn.q_a_layernorm.weight">
  model.weight @q_b layers 0 to 3 : !q_b
    = #model.read<"model.layers.{layer}.self_attn.q_b_proj.weight">
  model.weight @kv_a layers 0 to 3 : !kv_a
    = #model.read<"model.layers.{layer}.self_attn.kv_a_proj_with_mqa.weight">
  model.weight @kv_a_norm layers 0 to 3 : tensor<64xbf16>
    = #model.read<"model.layers.{layer}.self_attn.kv_a_layernorm.weight">
  model.weight @kv_b layers 0 to 3 : !kv_b
    = #model.read<"model.layers.{layer}.self_attn.kv_b_proj.weight">
  model.weight @o layers 0 to 3 : !o
    = #model.read<"model.layers.{layer}.self_attn.o_proj.weight">
  model.weight @gate_up layers 0 to 1 : !gate_up
    = #model.concat<dim = 0, [#model.read<"model.layers.{layer}.mlp.gate_proj.weight">,
                              #model.read<"model.layers.{layer}.mlp.up_proj.weight">]>
  model.weight @down layers 0 to 1 : !down
    = #model.read<"model.layers.{layer}.mlp.down_proj.weight">
  model.weight @router layers 1 to 3 : tensor<12x128xbf16>
    = #model.read<"model.layers.{layer}.mlp.gate.weight">
  model.weight @router_bias layers 1 to 3 : tensor<12xf32>
    = #model.read<"model.layers.{layer}.mlp.gate.e_score_correction_bias">
  model.weight @experts_gate_up layers 1 to 3 : !experts_gate_up
    = #model.stack<"expert", 12, #model.concat<dim = 0, [#model.read<"model.layers.{layer}.mlp.experts.{expert}.gate_proj.weight">,
                              #model.read<"model.layers.{layer}.mlp.experts.{expert}.up_proj.weight">]>>
  model.weight @experts_down layers 1 to 3 : !experts_down
    = #model.stack<"expert", 12, #model.read<"model.layers.{layer}.mlp.experts.{expert}.down_proj.weight">>
  model.weight @shared_gate_up layers 1 to 3 : !shared_gate_up
    = #model.concat<dim = 0, [#model.read<"model.layers.{layer}.mlp.shared_experts.gate_proj.weight">,
                              #model.read<"model.layers.{layer}.mlp.shared_experts.up_proj.weight">]>
  model.weight @shared_down layers 1 to 3 : !shared_down
    = #model.read<"model.layers.{layer}.mlp.shared_experts.down_proj.weight">
  model.weight @enorm layers 2 to 3 : tensor<128xbf16>
    = #model.read<"model.layers.{layer}.enorm.weight">
  model.weight @hnorm layers 2 to 3 : tensor<128xbf16>
    = #model.read<"model.layers.{layer}.hnorm.weight">
  model.weight @eh_proj layers 2 to 3 : tensor<128x256xbf16>
    = #model.read<"model.layers.{layer}.eh_proj.weight">
  model.weight @mtp_norm layers 2 to 3 : tensor<128xbf16>
    = #model.read<"model.layers.{layer}.shared_head.norm.weight">

  func.func private @attend(%layer: index, %h: tensor<?x128xbf16>, %positions: tensor<?xi32>, %sequences: tensor<?xi32>,
                            %before: !cache) -> (tensor<?x128xbf16>, !cache) {
    %w0 = model.use @q_a[%layer] : !q_a
    %qa = model.linear %h, %w0 : tensor<?x128xbf16>, !q_a -> tensor<?x48xbf16>
    %w1 = model.use @q_a_norm[%layer] : tensor<48xbf16>
    %qn = model.rms_norm %qa weight %w1 eps 1.0e-6 : tensor<?x48xbf16>, tensor<48xbf16>
    %w2 = model.use @q_b[%layer] : !q_b
    %qb = model.linear %qn, %w2 : tensor<?x48xbf16>, !q_b -> tensor<?x192xbf16>
    %q = model.reshape %qb : tensor<?x192xbf16> -> tensor<?x4x48xbf16>
    %q_nope = model.slice %q from 0 to 32 : tensor<?x4x48xbf16>
    %q_pe = model.slice %q from 32 to 48 : tensor<?x4x48xbf16>
    %q_rope = model.rope %q_pe at %positions interleaved frequencies dense<[1.0, 0.316227764, 0.078125, 0.0177878123, 0.00343749998, 0.000395284704, 0.000125000006, 3.95284696e-05]>
          : tensor<8xf32> : tensor<?x4x16xbf16>
    %w3 = model.use @kv_a[%layer] : !kv_a
    %kva = model.linear %h, %w3 : tensor<?x128xbf16>, !kv_a -> tensor<?x80xbf16>
    %raw = model.slice %kva from 0 to 64 : tensor<?x80xbf16>
    %k_pe = model.slice %kva from 64 to 80 : tensor<?x80xbf16>
    %w4 = model.use @kv_a_norm[%layer] : tensor<64xbf16>
    %latent = model.rms_norm %raw weight %w4 eps 1.0e-6 : tensor<?x64xbf16>, tensor<64xbf16>
    %k_rope = model.rope %k_pe at %positions interleaved frequencies dense<[1.0, 0.316227764, 0.078125, 0.0177878123, 0.00343749998, 0.000395284704, 0.000125000006, 3.95284696e-05]>
          : tensor<8xf32> : tensor<?x16xbf16>
    %after = model.cache_append %before[%layer], %latent, %k_rope at %positions of %sequences
        : !cache, tensor<?x64xbf16>, tensor<?x16xbf16>
    %w5 = model.use @kv_b[%layer] : !kv_b
    %a = model.mla_attention %q_nope, %q_rope, %w5, %after[%layer] at %positions of %sequences scale 0.21060714172072303
        : tensor<?x4x32xbf16>, tensor<?x4x16xbf16>, !kv_b, !cache
    %av = model.reshape %a : tensor<?x4x48xbf16> -> tensor<?x192xbf16>
    %w6 = model.use @o[%layer] : !o
    %y = model.linear %av, %w6 : tensor<?x192xbf16>, !o -> tensor<?x128xbf16>
    return %y, %after : tensor<?x128xbf16>, !cache
  }

  func.func private @mixture(%layer: index, %m: tensor<?x128xbf16>) -> tensor<?x128xbf16> {
    %w0 = model.use @shared_gate_up[%layer] : !shared_gate_up
    %s1 = model.linear %m, %w0 : tensor<?x128xbf16>, !shared_gate_up -> tensor<?x64xbf16>
    %s2 = model.gated silu %s1 : tensor<?x64xbf16>
    %w1 = model.use @shared_down[%layer] : !shared_down
    %shared = model.linear %s2, %w1 : tensor<?x32xbf16>, !shared_down -> tensor<?x128xbf16>
    %w2 = model.use @router[%layer] : tensor<12x128xbf16>
    %logits = model.linear %m, %w2 : tensor<?x128xbf16>, tensor<12x128xbf16> -> tensor<?x12xf32>
    %bias = model.use @router_bias[%layer] : tensor<12xf32>
    %indices, %weights = model.router %logits bias %bias sigmoid choose 3 groups 4 kept 2 by top2
        normalise scale 2.5 : tensor<?x12xf32>, tensor<12xf32>
    %w3 = model.use @experts_gate_up[%layer] : !experts_gate_up
    %w4 = model.use @experts_down[%layer] : !experts_down
    %y = model.experts silu %m, %indices, %weights, %w3, %w4 shared %shared
        : tensor<?x128xbf16>, tensor<?x3xi32>, tensor<?x3xf32>, !experts_gate_up, !experts_down, tensor<?x128xbf16> -> tensor<?x128xbf16>
    return %y : tensor<?x128xbf16>
  }

  func.func @step(%tokens: tensor<?xi32>, %positions: tensor<?xi32>, %sequences: tensor<?xi32>,
                  %rows: tensor<?xi32>, %cache: !cache) -> (tensor<?x320xf32>, tensor<?x128xbf16>, !cache) {
    %table = model.use @embed : tensor<320x128xbf16>
    %x = model.embedding %tokens in %table : tensor<320x128xbf16>
    %x1, %c1 = model.repeat 0 to 1 (%x, %cache) : tensor<?x128xbf16>, !cache {
    ^bb0(%layer: index, %residual: tensor<?x128xbf16>, %before: !cache):
      %w0 = model.use @input_norm[%layer] : tensor<128xbf16>
      %h = model.rms_norm %residual weight %w0 eps 1.0e-6 : tensor<?x128xbf16>, tensor<128xbf16>
      %o, %after = func.call @attend(%layer, %h, %positions, %sequences, %before)
          : (index, tensor<?x128xbf16>, tensor<?xi32>, tensor<?xi32>, !cache) -> (tensor<?x128xbf16>, !cache)
      %w1 = model.use @post_norm[%layer] : tensor<128xbf16>
      %sum, %m = model.add_rms_norm %o, %residual weight %w1 eps 1.0e-6 : tensor<?x128xbf16>, tensor<128xbf16>
      %w2 = model.use @gate_up[%layer] : !gate_up
      %gu = model.linear %m, %w2 : tensor<?x128xbf16>, !gate_up -> tensor<?x224xbf16>
      %act = model.gated silu %gu : tensor<?x224xbf16>
      %w3 = model.use @down[%layer] : !down
      %f = model.linear %act, %w3 : tensor<?x112xbf16>, !down -> tensor<?x128xbf16>
      %out = model.add %sum, %f : tensor<?x128xbf16>
      model.yield %out, %after : tensor<?x128xbf16>, !cache
    }
    %x2, %c2 = model.repeat 1 to 2 (%x1, %c1) : tensor<?x128xbf16>, !cache {
    ^bb0(%layer: index, %residual: tensor<?x128xbf16>, %before: !cache):
      %w0 = model.use @input_norm[%layer] : tensor<128xbf16>
      %h = model.rms_norm %residual weight %w0 eps 1.0e-6 : tensor<?x128xbf16>, tensor<128xbf16>
      %o, %after = func.call @attend(%layer, %h, %positions, %sequences, %before)
          : (index, tensor<?x128xbf16>, tensor<?xi32>, tensor<?xi32>, !cache) -> (tensor<?x128xbf16>, !cache)
      %w1 = model.use @post_norm[%layer] : tensor<128xbf16>
      %sum, %m = model.add_rms_norm %o, %residual weight %w1 eps 1.0e-6 : tensor<?x128xbf16>, tensor<128xbf16>
      %f = func.call @mixture(%layer, %m) : (index, tensor<?x128xbf16>) -> tensor<?x128xbf16>
      %out = model.add %sum, %f : tensor<?x128xbf16>
      model.yield %out, %after : tensor<?x128xbf16>, !cache
    }
    %w4 = model.use @norm : tensor<128xbf16>
    %hidden = model.rms_norm %x2 weight %w4 eps 1.0e-6 : tensor<?x128xbf16>, tensor<128xbf16>
    %last = model.gather_rows %hidden, %rows : tensor<?x128xbf16>
    %w5 = model.use @head : tensor<320x128xbf16>
    %logits = model.linear %last, %w5 : tensor<?x128xbf16>, tensor<320x128xbf16> -> tensor<?x320xf32>
    return %logits, %hidden, %c2 : tensor<?x320xf32>, tensor<?x128xbf16>, !cache
  }

  func.func @mtp(%tokens: tensor<?xi32>, %main: tensor<?x128xbf16>, %positions: tensor<?xi32>, %sequences: tensor<?xi32>,
                 %rows: tensor<?xi32>, %cache: !cache) -> (tensor<?x320xf32>, tensor<?x128xbf16>, !cache) {
    %layer = model.layer 2
    %table = model.use @embed : tensor<320x128xbf16>
    %e = model.embedding %tokens in %table : tensor<320x128xbf16>
    %w0 = model.use @enorm[%layer] : tensor<128xbf16>
    %en = model.rms_norm %e weight %w0 eps 1.0e-6 : tensor<?x128xbf16>, tensor<128xbf16>
    %w1 = model.use @hnorm[%layer] : tensor<128xbf16>
    %gn = model.rms_norm %main weight %w1 eps 1.0e-6 : tensor<?x128xbf16>, tensor<128xbf16>
    %z = model.concat %en, %gn : tensor<?x128xbf16>, tensor<?x128xbf16>
    %w2 = model.use @eh_proj[%layer] : tensor<128x256xbf16>
    %residual = model.linear %z, %w2 : tensor<?x256xbf16>, tensor<128x256xbf16> -> tensor<?x128xbf16>
    %w3 = model.use @input_norm[%layer] : tensor<128xbf16>
    %h = model.rms_norm %residual weight %w3 eps 1.0e-6 : tensor<?x128xbf16>, tensor<128xbf16>
    %o, %after = func.call @attend(%layer, %h, %positions, %sequences, %cache)
        : (index, tensor<?x128xbf16>, tensor<?xi32>, tensor<?xi32>, !cache) -> (tensor<?x128xbf16>, !cache)
    %w4 = model.use @post_norm[%layer] : tensor<128xbf16>
    %sum, %m = model.add_rms_norm %o, %residual weight %w4 eps 1.0e-6 : tensor<?x128xbf16>, tensor<128xbf16>
    %f = func.call @mixture(%layer, %m) : (index, tensor<?x128xbf16>) -> tensor<?x128xbf16>
    %out = model.add %sum, %f : tensor<?x128xbf16>
    %w5 = model.use @mtp_norm[%layer] : tensor<128xbf16>
    %hidden = model.rms_norm %out weight %w5 eps 1.0e-6 : tensor<?x128xbf16>, tensor<128xbf16>
    %last = model.gather_rows %hidden, %rows : tensor<?x128xbf16>
    %w6 = model.use @head : tensor<320x128xbf16>
    %logits = model.linear %last, %w6 : tensor<?x128xbf16>, tensor<320x128xbf16> -> tensor<?x320xf32>
    return %logits, %hidden, %after : tensor<?x320xf32>, tensor<?x128xbf16>, !cache
  }
}
