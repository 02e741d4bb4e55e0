// Each operator in each of its forms, printed and read back. One function for each form; its name says which.
// RUN: quern-opt %s | quern-opt | FileCheck %s

!heads = !model.head_cache<layers = 2, heads = 2, key = 8, value = 4, element = bf16>
!latents = !model.latent_cache<layers = 2, latent = 8, rope = 4, element = bf16>
!rows8 = !model.block_scaled<?x256xf8E4M3FN, 1x128, f32>
!weight8 = !model.block_scaled<4x256xf8E4M3FN, 128x128, f8E8M0FNU>

// CHECK: model.weight @own_name : tensor<8xbf16>{{$}}
model.weight @own_name : tensor<8xbf16>
// CHECK: model.weight @layered layers 0 to 4 : tensor<8xbf16>
model.weight @layered layers 0 to 4 : tensor<8xbf16>
// CHECK: model.weight @recipe : tensor<8x4xbf16>
// CHECK-SAME: = #model.transpose<[1, 0], #model.reshape<[4, 8], #model.slice<dim = 0, 0 to 32,
// CHECK-SAME: #model.dequantise<#model.read<"q", scale = "s">>>>>
model.weight @recipe : tensor<8x4xbf16>
  = #model.transpose<[1, 0], #model.reshape<[4, 8], #model.slice<dim = 0, 0 to 32,
      #model.dequantise<#model.read<"q", scale = "s">>>>>

// CHECK-LABEL: @layers_relative_to_another
func.func @layers_relative_to_another(%x: tensor<?x8xbf16>) -> tensor<?x8xbf16> {
  // CHECK: model.repeat 0 to 4 step 2(%{{.*}}) : tensor<?x8xbf16> {
  %0 = model.repeat 0 to 4 step 2 (%x) : tensor<?x8xbf16> {
  // CHECK: ^bb0(%[[LAYER:.*]]: index, %{{.*}}: tensor<?x8xbf16>):
  ^bb0(%layer: index, %y: tensor<?x8xbf16>):
    // CHECK: %[[SECOND:.*]] = model.layer %[[LAYER]] plus 1
    %second = model.layer %layer plus 1
    // CHECK: model.use @layered[%[[SECOND]]] : tensor<8xbf16>
    %w = model.use @layered[%second] : tensor<8xbf16>
    // CHECK: model.rms_norm %{{.*}} weight %{{.*}} eps 5.000000e-01 weight_offset 1.000000e+00
    %z = model.rms_norm %y weight %w eps 0.5 weight_offset 1.0 : tensor<?x8xbf16>, tensor<8xbf16>
    model.yield %z : tensor<?x8xbf16>
  }
  return %0 : tensor<?x8xbf16>
}

// CHECK-LABEL: @norms_without_weights
func.func @norms_without_weights(%x: tensor<?x2x8xbf16>, %r: tensor<?x8xf32>) {
  // CHECK: model.rms_norm %{{.*}} eps 9.9999999999999995E-7 : tensor<?x2x8xbf16>
  %0 = model.rms_norm %x eps 1.0e-6 : tensor<?x2x8xbf16>
  // CHECK: model.layer_norm %{{.*}} eps 9.9999999999999995E-7 : tensor<?x2x8xbf16>
  %1 = model.layer_norm %x eps 1.0e-6 : tensor<?x2x8xbf16>
  // CHECK: model.add_rms_norm %{{.*}}, %{{.*}} eps 9.9999999999999995E-7 : tensor<?x8xf32>
  %2, %3 = model.add_rms_norm %r, %r eps 1.0e-6 : tensor<?x8xf32>
  return
}

// CHECK-LABEL: @layer_norm_with_bias
func.func @layer_norm_with_bias(%x: tensor<?x8xbf16>, %w: tensor<8xbf16>, %b: tensor<8xf32>) {
  // CHECK: model.layer_norm %{{.*}} weight %{{.*}} : tensor<8xbf16> bias %{{.*}} : tensor<8xf32> eps 9.9999999999999995E-7 : tensor<?x8xbf16>
  %0 = model.layer_norm %x weight %w : tensor<8xbf16> bias %b : tensor<8xf32> eps 1.0e-6 : tensor<?x8xbf16>
  // CHECK: model.layer_norm %{{.*}} bias %{{.*}} : tensor<8xf32> eps 9.9999999999999995E-7 : tensor<?x8xbf16>
  %1 = model.layer_norm %x bias %b : tensor<8xf32> eps 1.0e-6 : tensor<?x8xbf16>
  return
}

// CHECK-LABEL: @linears
func.func @linears(%x: tensor<?x256xbf16>, %w: tensor<4x256xbf16>, %b: tensor<4xbf16>, %w8: !weight8) {
  // CHECK: model.linear %{{.*}}, %{{.*}} bias %{{.*}} : tensor<?x256xbf16>, tensor<4x256xbf16>, tensor<4xbf16> -> tensor<?x4xf32>
  %0 = model.linear %x, %w bias %b : tensor<?x256xbf16>, tensor<4x256xbf16>, tensor<4xbf16> -> tensor<?x4xf32>
  // CHECK: model.quantise %{{.*}} : tensor<?x256xbf16> -> !model.block_scaled<?x256xf8E4M3FN, 1x128, f32>
  %q = model.quantise %x : tensor<?x256xbf16> -> !rows8
  // CHECK: model.linear %{{.*}}, %{{.*}} : !model.block_scaled<?x256xf8E4M3FN, 1x128, f32>, !model.block_scaled<4x256xf8E4M3FN, 128x128, f8E8M0FNU> -> tensor<?x4xbf16>
  %1 = model.linear %q, %w8 : !rows8, !weight8 -> tensor<?x4xbf16>
  return
}

// CHECK-LABEL: @elementwise
func.func @elementwise(%x: tensor<?x8xbf16>, %g: tensor<?x1xbf16>, %h: tensor<?x2x8xbf16>) {
  // CHECK: model.mul %{{.*}}, %{{.*}} : tensor<?x8xbf16>, tensor<?x1xbf16>
  %0 = model.mul %x, %g : tensor<?x8xbf16>, tensor<?x1xbf16>
  // CHECK: model.scale %{{.*}} by 5.000000e-01 : tensor<?x8xbf16>
  %1 = model.scale %x by 0.5 : tensor<?x8xbf16>
  // CHECK: model.softcap %{{.*}} cap 3.000000e+01 : tensor<?x8xbf16>
  %2 = model.softcap %x cap 30.0 : tensor<?x8xbf16>
  // CHECK: model.add %{{.*}}, %{{.*}} : tensor<?x2x8xbf16>
  %3 = model.add %h, %h : tensor<?x2x8xbf16>
  // CHECK: model.gated gelu %{{.*}}, %{{.*}} : tensor<?x8xbf16>, tensor<?x8xbf16>
  %4 = model.gated gelu %x, %x : tensor<?x8xbf16>, tensor<?x8xbf16>
  return
}

// CHECK-LABEL: @every_activation
func.func @every_activation(%x: tensor<?x8xbf16>) {
  // CHECK: model.activation silu
  %0 = model.activation silu %x : tensor<?x8xbf16>
  // CHECK: model.activation gelu %
  %1 = model.activation gelu %x : tensor<?x8xbf16>
  // CHECK: model.activation gelu_tanh
  %2 = model.activation gelu_tanh %x : tensor<?x8xbf16>
  // CHECK: model.activation quick_gelu
  %3 = model.activation quick_gelu %x : tensor<?x8xbf16>
  // CHECK: model.activation relu %
  %4 = model.activation relu %x : tensor<?x8xbf16>
  // CHECK: model.activation relu2
  %5 = model.activation relu2 %x : tensor<?x8xbf16>
  // CHECK: model.activation sigmoid
  %6 = model.activation sigmoid %x : tensor<?x8xbf16>
  // CHECK: model.activation tanh
  %7 = model.activation tanh %x : tensor<?x8xbf16>
  return
}

// CHECK-LABEL: @partial_rotation
func.func @partial_rotation(%x: tensor<?x8xbf16>, %p: tensor<?xi32>) {
  // CHECK: model.rope %{{.*}} at %{{.*}} interleaved offset 4 magnitude 1.250000e+00
  // CHECK-SAME: frequencies dense<[1.000000e+00, 0.333333343]> : tensor<2xf32> : tensor<?x8xbf16>
  %0 = model.rope %x at %p interleaved offset 4 magnitude 1.25 frequencies dense<[1.0, 0.333333343]> : tensor<2xf32>
      : tensor<?x8xbf16>
  return
}

// CHECK-LABEL: @attention_with_window_and_softcap
func.func @attention_with_window_and_softcap(%q: tensor<?x4x8xbf16>, %c: !heads, %l: index, %p: tensor<?xi32>,
                                             %s: tensor<?xi32>) -> tensor<?x4x4xbf16> {
  // CHECK: model.attention %{{.*}}, %{{.*}}[%{{.*}}] at %{{.*}} of %{{.*}} scale 5.000000e-01 window 128 softcap 5.000000e+01
  %0 = model.attention %q, %c[%l] at %p of %s scale 0.5 window 128 softcap 50.0 : tensor<?x4x8xbf16>, !heads
  return %0 : tensor<?x4x4xbf16>
}

// CHECK-LABEL: @latent_attention_forms
func.func @latent_attention_forms(%n: tensor<?x2x6xbf16>, %r: tensor<?x2x4xbf16>, %w: tensor<20x8xbf16>, %c: !latents,
                                  %l: index, %p: tensor<?xi32>, %s: tensor<?xi32>) -> tensor<?x2x4xbf16> {
  // CHECK: model.mla_attention {{.*}} scale 5.000000e-01 : tensor
  %0 = model.mla_attention %n, %r, %w, %c[%l] at %p of %s scale 0.5
      : tensor<?x2x6xbf16>, tensor<?x2x4xbf16>, tensor<20x8xbf16>, !latents
  // CHECK: model.mla_attention {{.*}} scale 5.000000e-01 form expanded
  %1 = model.mla_attention %n, %r, %w, %c[%l] at %p of %s scale 0.5 form expanded
      : tensor<?x2x6xbf16>, tensor<?x2x4xbf16>, tensor<20x8xbf16>, !latents
  return %0 : tensor<?x2x4xbf16>
}

// CHECK-LABEL: @routers
func.func @routers(%x: tensor<?x8xf32>, %b: tensor<8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>) {
  // CHECK: model.router %{{.*}} softmax choose 2 : tensor<?x8xf32>
  %0, %1 = model.router %x softmax choose 2 : tensor<?x8xf32>
  // CHECK: model.router %{{.*}} softmax choose 2 groups 4 kept 2 by max scale 1.600000e+01 : tensor<?x8xf32>
  %2, %3 = model.router %x softmax choose 2 groups 4 kept 2 by max scale 16.0 : tensor<?x8xf32>
  // CHECK: model.router %{{.*}} bias %{{.*}} sigmoid choose 2 normalise : tensor<?x8xf32>, tensor<8xf32>
  %4, %5 = model.router %x bias %b sigmoid choose 2 normalise : tensor<?x8xf32>, tensor<8xf32>
  return %0, %1 : tensor<?x2xi32>, tensor<?x2xf32>
}

// CHECK-LABEL: @tokens_from_logits
func.func @tokens_from_logits(%x: tensor<?x8xf32>, %p: tensor<?xi32>, %t: tensor<?xf32>, %s: tensor<?xi64>)
    -> tensor<?xi32> {
  // CHECK: model.sample %{{.*}} at %{{.*}} temperatures %{{.*}} seeds %{{.*}} : tensor<?x8xf32>, tensor<?xf32>, tensor<?xi64>
  %0 = model.sample %x at %p temperatures %t seeds %s : tensor<?x8xf32>, tensor<?xf32>, tensor<?xi64>
  return %0 : tensor<?xi32>
}

