// A model with latent attention, fp8 block-scaled weights, one dense layer, two mixture layers and a
// multi-token-prediction head, written by hand in the shape that import gives it.
// RUN: quern-opt %s | quern-opt | FileCheck %s

!cache = !model.latent_cache<layers = 4, latent = 128, rope = 16, element = bf16>
!w_q_a = !model.block_scaled<128x256xf8E4M3FN, 128x128, f32>
!w_q_b = !model.block_scaled<192x128xf8E4M3FN, 128x128, f32>
!w_kv_a = !model.block_scaled<144x256xf8E4M3FN, 128x128, f32>
!w_kv_b = !model.block_scaled<256x128xf8E4M3FN, 128x128, f32>
!w_o = !model.block_scaled<256x128xf8E4M3FN, 128x128, f32>
!w_gate_up = !model.block_scaled<768x256xf8E4M3FN, 128x128, f32>
!w_down = !model.block_scaled<256x384xf8E4M3FN, 128x128, f32>
!w_shared_gate_up = !model.block_scaled<256x256xf8E4M3FN, 128x128, f32>
!w_shared_down = !model.block_scaled<256x128xf8E4M3FN, 128x128, f32>
!w_experts_gate_up = !model.block_scaled<8x256x256xf8E4M3FN, 128x128, f32>
!w_experts_down = !model.block_scaled<8x256x128xf8E4M3FN, 128x128, f32>

module @latent {
  model.weight @embed : tensor<256x256xbf16> = #model.read<"model.embed_tokens.weight">
  model.weight @norm : tensor<256xbf16> = #model.read<"model.norm.weight">
  model.weight @head : tensor<256x256xbf16> = #model.read<"lm_head.weight">
  model.weight @input_norm layers 0 to 4 : tensor<256xbf16>
    = #model.read<"model.layers.{layer}.input_layernorm.weight">
  model.weight @post_norm layers 0 to 4 : tensor<256xbf16>
    = #model.read<"model.layers.{layer}.post_attention_layernorm.weight">
  model.weight @q_a layers 0 to 4 : !w_q_a
    = #model.read<"model.layers.{layer}.self_attn.q_a_proj.weight",
                  scale = "model.layers.{layer}.self_attn.q_a_proj.weight_scale_inv">
  model.weight @q_a_norm layers 0 to 4 : tensor<128xbf16>
    = #model.read<"model.layers.{layer}.self_attn.q_a_layernorm.weight">
  model.weight @q_b layers 0 to 4 : !w_q_b
    = #model.read<"model.layers.{layer}.self_attn.q_b_proj.weight",
                  scale = "model.layers.{layer}.self_attn.q_b_proj.weight_scale_inv">
  model.weight @kv_a layers 0 to 4 : !w_kv_a
    = #model.read<"model.layers.{layer}.self_attn.kv_a_proj_with_mqa.weight",
                  scale = "model.layers.{layer}.self_attn.kv_a_proj_with_mqa.weight_scale_inv">
  model.weight @kv_a_norm layers 0 to 4 : tensor<128xbf16>
    = #model.read<"model.layers.{layer}.self_attn.kv_a_layernorm.weight">
  model.weight @kv_b layers 0 to 4 : !w_kv_b
    = #model.read<"model.layers.{layer}.self_attn.kv_b_proj.weight",
                  scale = "model.layers.{layer}.self_attn.kv_b_proj.weight_scale_inv">
  model.weight @o layers 0 to 4 : !w_o
    = #model.read<"model.layers.{layer}.self_attn.o_proj.weight",
                  scale = "model.layers.{layer}.self_attn.o_proj.weight_scale_inv">
  model.weight @gate_up layers 0 to 1 : !w_gate_up
    = #model.concat<dim = 0, [#model.read<"model.layers.{layer}.mlp.gate_proj.weight",
                                          scale = "model.layers.{layer}.mlp.gate_proj.weight_scale_inv">,
                              #model.read<"model.layers.{layer}.mlp.up_proj.weight",
                                          scale = "model.layers.{layer}.mlp.up_proj.weight_scale_inv">]>
  model.weight @down layers 0 to 1 : !w_down
    = #model.read<"model.layers.{layer}.mlp.down_proj.weight",
                  scale = "model.layers.{layer}.mlp.down_proj.weight_scale_inv">
  model.weight @gate layers 1 to 4 : tensor<8x256xbf16> = #model.read<"model.layers.{layer}.mlp.gate.weight">
  model.weight @gate_bias layers 1 to 4 : tensor<8xf32>
    = #model.read<"model.layers.{layer}.mlp.gate.e_score_correction_bias">
  // CHECK: model.weight @experts_gate_up layers 1 to 4 : !model.block_scaled<8x256x256xf8E4M3FN, 128x128, f32>
  // CHECK-SAME: = #model.stack<"expert", 8, #model.concat<dim = 0, [#model.read<
  model.weight @experts_gate_up layers 1 to 4 : !w_experts_gate_up
    = #model.stack<"expert", 8, #model.concat<dim = 0, [
        #model.read<"model.layers.{layer}.mlp.experts.{expert}.gate_proj.weight",
                    scale = "model.layers.{layer}.mlp.experts.{expert}.gate_proj.weight_scale_inv">,
        #model.read<"model.layers.{layer}.mlp.experts.{expert}.up_proj.weight",
                    scale = "model.layers.{layer}.mlp.experts.{expert}.up_proj.weight_scale_inv">]>>
  model.weight @experts_down layers 1 to 4 : !w_experts_down
    = #model.stack<"expert", 8,
        #model.read<"model.layers.{layer}.mlp.experts.{expert}.down_proj.weight",
                    scale = "model.layers.{layer}.mlp.experts.{expert}.down_proj.weight_scale_inv">>
  model.weight @shared_gate_up layers 1 to 4 : !w_shared_gate_up
    = #model.concat<dim = 0, [#model.read<"model.layers.{layer}.mlp.shared_experts.gate_proj.weight",
                                          scale = "model.layers.{layer}.mlp.shared_experts.gate_proj.weight_scale_inv">,
                              #model.read<"model.layers.{layer}.mlp.shared_experts.up_proj.weight",
                                          scale = "model.layers.{layer}.mlp.shared_experts.up_proj.weight_scale_inv">]>
  model.weight @shared_down layers 1 to 4 : !w_shared_down
    = #model.read<"model.layers.{layer}.mlp.shared_experts.down_proj.weight",
                  scale = "model.layers.{layer}.mlp.shared_experts.down_proj.weight_scale_inv">
  model.weight @enorm layers 3 to 4 : tensor<256xbf16> = #model.read<"model.layers.{layer}.enorm.weight">
  model.weight @hnorm layers 3 to 4 : tensor<256xbf16> = #model.read<"model.layers.{layer}.hnorm.weight">
  model.weight @eh_proj layers 3 to 4 : tensor<256x512xbf16> = #model.read<"model.layers.{layer}.eh_proj.weight">
  model.weight @shared_head_norm layers 3 to 4 : tensor<256xbf16>
    = #model.read<"model.layers.{layer}.shared_head.norm.weight">

  // What all layers share: attention of a normed input.
  // CHECK-LABEL: func.func private @attend
  func.func private @attend(%layer: index, %h: tensor<?x256xbf16>, %positions: tensor<?xi32>,
                            %sequences: tensor<?xi32>, %before: !cache) -> (tensor<?x256xbf16>, !cache) {
    %w_q_a = model.use @q_a[%layer] : !w_q_a
    %qa = model.linear %h, %w_q_a : tensor<?x256xbf16>, !w_q_a -> tensor<?x128xbf16>
    %w_q_a_norm = model.use @q_a_norm[%layer] : tensor<128xbf16>
    %qan = model.rms_norm %qa weight %w_q_a_norm eps 1.0e-6 : tensor<?x128xbf16>, tensor<128xbf16>
    %w_q_b = model.use @q_b[%layer] : !w_q_b
    %qb = model.linear %qan, %w_q_b : tensor<?x128xbf16>, !w_q_b -> tensor<?x192xbf16>
    %q = model.reshape %qb : tensor<?x192xbf16> -> tensor<?x4x48xbf16>
    %q_nope = model.slice %q from 0 to 32 : tensor<?x4x48xbf16>
    %q_pe = model.slice %q from 32 to 48 : tensor<?x4x48xbf16>
    // CHECK: model.rope %{{.*}} at %{{.*}} interleaved magnitude 1.250000e+00 frequencies dense<[1.000000e+00, 5.000000e-01
    %q_rope = model.rope %q_pe at %positions interleaved magnitude 1.25
        frequencies dense<[1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625, 0.0078125]>
          : tensor<8xf32> : tensor<?x4x16xbf16>
    %w_kv_a = model.use @kv_a[%layer] : !w_kv_a
    %kva = model.linear %h, %w_kv_a : tensor<?x256xbf16>, !w_kv_a -> tensor<?x144xbf16>
    %latent = model.slice %kva from 0 to 128 : tensor<?x144xbf16>
    %k_pe = model.slice %kva from 128 to 144 : tensor<?x144xbf16>
    %w_kv_a_norm = model.use @kv_a_norm[%layer] : tensor<128xbf16>
    %latent_n = model.rms_norm %latent weight %w_kv_a_norm eps 1.0e-6 : tensor<?x128xbf16>, tensor<128xbf16>
    %k_rope = model.rope %k_pe at %positions interleaved magnitude 1.25
        frequencies dense<[1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625, 0.0078125]>
          : tensor<8xf32> : tensor<?x16xbf16>
    %after = model.cache_append %before[%layer], %latent_n, %k_rope at %positions of %sequences
        : !cache, tensor<?x128xbf16>, tensor<?x16xbf16>
    %w_kv_b = model.use @kv_b[%layer] : !w_kv_b
    // CHECK: model.mla_attention %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}[%{{.*}}] at %{{.*}} of %{{.*}} scale 2.500000e-01 form absorbed
    %a = model.mla_attention %q_nope, %q_rope, %w_kv_b, %after[%layer] at %positions of %sequences scale 0.25
        form absorbed : tensor<?x4x32xbf16>, tensor<?x4x16xbf16>, !w_kv_b, !cache
    %av = model.reshape %a : tensor<?x4x32xbf16> -> tensor<?x128xbf16>
    %w_o = model.use @o[%layer] : !w_o
    %o = model.linear %av, %w_o : tensor<?x128xbf16>, !w_o -> tensor<?x256xbf16>
    return %o, %after : tensor<?x256xbf16>, !cache
  }

  // CHECK-LABEL: func.func private @mixture
  func.func private @mixture(%layer: index, %m: tensor<?x256xbf16>) -> tensor<?x256xbf16> {
    %w_s1 = model.use @shared_gate_up[%layer] : !w_shared_gate_up
    %s1 = model.linear %m, %w_s1 : tensor<?x256xbf16>, !w_shared_gate_up -> tensor<?x256xbf16>
    %s2 = model.gated silu %s1 : tensor<?x256xbf16>
    %w_s2 = model.use @shared_down[%layer] : !w_shared_down
    %shared = model.linear %s2, %w_s2 : tensor<?x128xbf16>, !w_shared_down -> tensor<?x256xbf16>
    %w_gate = model.use @gate[%layer] : tensor<8x256xbf16>
    %logits = model.linear %m, %w_gate : tensor<?x256xbf16>, tensor<8x256xbf16> -> tensor<?x8xf32>
    %bias = model.use @gate_bias[%layer] : tensor<8xf32>
    // CHECK: model.router %{{.*}} bias %{{.*}} sigmoid choose 2 groups 4 kept 2 by top2 normalise scale 2.500000e+00
    %indices, %weights = model.router %logits bias %bias sigmoid choose 2 groups 4 kept 2 by top2 normalise scale 2.5
        : tensor<?x8xf32>, tensor<8xf32>
    %w1 = model.use @experts_gate_up[%layer] : !w_experts_gate_up
    %w2 = model.use @experts_down[%layer] : !w_experts_down
    // CHECK: model.experts silu %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} shared %{{.*}}
    %y = model.experts silu %m, %indices, %weights, %w1, %w2 shared %shared
        : tensor<?x256xbf16>, tensor<?x2xi32>, tensor<?x2xf32>, !w_experts_gate_up, !w_experts_down,
          tensor<?x256xbf16> -> tensor<?x256xbf16>
    return %y : tensor<?x256xbf16>
  }

  // CHECK-LABEL: func.func @step
  func.func @step(%tokens: tensor<?xi32>, %positions: tensor<?xi32>, %sequences: tensor<?xi32>,
                  %rows: tensor<?xi32>, %cache: !cache) -> (tensor<?x256xf32>, tensor<?x256xbf16>, !cache) {
    %table = model.use @embed : tensor<256x256xbf16>
    %x = model.embedding %tokens in %table : tensor<256x256xbf16>
    %x1, %c1 = model.repeat 0 to 1 (%x, %cache) : tensor<?x256xbf16>, !cache {
    ^bb0(%layer: index, %residual: tensor<?x256xbf16>, %before: !cache):
      %w_in = model.use @input_norm[%layer] : tensor<256xbf16>
      %h = model.rms_norm %residual weight %w_in eps 1.0e-6 : tensor<?x256xbf16>, tensor<256xbf16>
      %o, %after = func.call @attend(%layer, %h, %positions, %sequences, %before)
          : (index, tensor<?x256xbf16>, tensor<?xi32>, tensor<?xi32>, !cache) -> (tensor<?x256xbf16>, !cache)
      %w_post = model.use @post_norm[%layer] : tensor<256xbf16>
      %sum, %m = model.add_rms_norm %o, %residual weight %w_post eps 1.0e-6 : tensor<?x256xbf16>, tensor<256xbf16>
      %w1 = model.use @gate_up[%layer] : !w_gate_up
      %gu = model.linear %m, %w1 : tensor<?x256xbf16>, !w_gate_up -> tensor<?x768xbf16>
      %act = model.gated silu %gu : tensor<?x768xbf16>
      %w2 = model.use @down[%layer] : !w_down
      %d = model.linear %act, %w2 : tensor<?x384xbf16>, !w_down -> tensor<?x256xbf16>
      %out = model.add %sum, %d : tensor<?x256xbf16>
      model.yield %out, %after : tensor<?x256xbf16>, !cache
    }
    // CHECK: model.repeat 1 to 3
    %x2, %c2 = model.repeat 1 to 3 (%x1, %c1) : tensor<?x256xbf16>, !cache {
    ^bb0(%layer: index, %residual: tensor<?x256xbf16>, %before: !cache):
      %w_in = model.use @input_norm[%layer] : tensor<256xbf16>
      %h = model.rms_norm %residual weight %w_in eps 1.0e-6 : tensor<?x256xbf16>, tensor<256xbf16>
      %o, %after = func.call @attend(%layer, %h, %positions, %sequences, %before)
          : (index, tensor<?x256xbf16>, tensor<?xi32>, tensor<?xi32>, !cache) -> (tensor<?x256xbf16>, !cache)
      %w_post = model.use @post_norm[%layer] : tensor<256xbf16>
      %sum, %m = model.add_rms_norm %o, %residual weight %w_post eps 1.0e-6 : tensor<?x256xbf16>, tensor<256xbf16>
      %y = func.call @mixture(%layer, %m) : (index, tensor<?x256xbf16>) -> tensor<?x256xbf16>
      %out = model.add %sum, %y : tensor<?x256xbf16>
      model.yield %out, %after : tensor<?x256xbf16>, !cache
    }
    %norm = model.use @norm : tensor<256xbf16>
    %hidden = model.rms_norm %x2 weight %norm eps 1.0e-6 : tensor<?x256xbf16>, tensor<256xbf16>
    %last = model.gather_rows %hidden, %rows : tensor<?x256xbf16>
    %head = model.use @head : tensor<256x256xbf16>
    %logits = model.linear %last, %head : tensor<?x256xbf16>, tensor<256x256xbf16> -> tensor<?x256xf32>
    return %logits, %hidden, %c2 : tensor<?x256xf32>, tensor<?x256xbf16>, !cache
  }

  // CHECK-LABEL: func.func @mtp
  func.func @mtp(%tokens: tensor<?xi32>, %main: tensor<?x256xbf16>, %positions: tensor<?xi32>,
                 %sequences: tensor<?xi32>, %rows: tensor<?xi32>, %cache: !cache)
      -> (tensor<?x256xf32>, tensor<?x256xbf16>, !cache) {
    // CHECK: %[[LAYER:.*]] = model.layer 3
    %layer = model.layer 3
    %table = model.use @embed : tensor<256x256xbf16>
    %e = model.embedding %tokens in %table : tensor<256x256xbf16>
    %w_e = model.use @enorm[%layer] : tensor<256xbf16>
    %en = model.rms_norm %e weight %w_e eps 1.0e-6 : tensor<?x256xbf16>, tensor<256xbf16>
    %w_h = model.use @hnorm[%layer] : tensor<256xbf16>
    %gn = model.rms_norm %main weight %w_h eps 1.0e-6 : tensor<?x256xbf16>, tensor<256xbf16>
    %z = model.concat %en, %gn : tensor<?x256xbf16>, tensor<?x256xbf16>
    %w_eh = model.use @eh_proj[%layer] : tensor<256x512xbf16>
    %residual = model.linear %z, %w_eh : tensor<?x512xbf16>, tensor<256x512xbf16> -> tensor<?x256xbf16>
    %w_in = model.use @input_norm[%layer] : tensor<256xbf16>
    %h = model.rms_norm %residual weight %w_in eps 1.0e-6 : tensor<?x256xbf16>, tensor<256xbf16>
    %o, %after = func.call @attend(%layer, %h, %positions, %sequences, %cache)
        : (index, tensor<?x256xbf16>, tensor<?xi32>, tensor<?xi32>, !cache) -> (tensor<?x256xbf16>, !cache)
    %w_post = model.use @post_norm[%layer] : tensor<256xbf16>
    %sum, %m = model.add_rms_norm %o, %residual weight %w_post eps 1.0e-6 : tensor<?x256xbf16>, tensor<256xbf16>
    %y = func.call @mixture(%layer, %m) : (index, tensor<?x256xbf16>) -> tensor<?x256xbf16>
    %out = model.add %sum, %y : tensor<?x256xbf16>
    %norm = model.use @shared_head_norm[%layer] : tensor<256xbf16>
    %hidden = model.rms_norm %out weight %norm eps 1.0e-6 : tensor<?x256xbf16>, tensor<256xbf16>
    %last = model.gather_rows %hidden, %rows : tensor<?x256xbf16>
    %head = model.use @head : tensor<256x256xbf16>
    %logits = model.linear %last, %head : tensor<?x256xbf16>, tensor<256x256xbf16> -> tensor<?x256xf32>
    return %logits, %hidden, %after : tensor<?x256xf32>, tensor<?x256xbf16>, !cache
  }
}
