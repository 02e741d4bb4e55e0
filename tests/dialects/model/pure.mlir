// Every operator is pure: what is not used goes away, what is there twice becomes one.
// RUN: quern-opt %s -cse -canonicalize | FileCheck %s

!cache = !model.head_cache<layers = 2, heads = 2, key = 8, value = 4, element = bf16>

model.weight @w layers 0 to 2 : tensor<8x8xbf16>

// CHECK-LABEL: @unused_operators_go_away
func.func @unused_operators_go_away(%c: !cache, %l: index, %k: tensor<?x2x8xbf16>, %v: tensor<?x2x4xbf16>,
                                    %p: tensor<?xi32>) -> !cache {
  // CHECK-NOT: model.use
  // CHECK-NOT: model.cache_append
  // CHECK-NOT: model.repeat
  %w = model.use @w[%l] : tensor<8x8xbf16>
  %0 = model.cache_append %c[%l], %k, %v at %p of %p : !cache, tensor<?x2x8xbf16>, tensor<?x2x4xbf16>
  %1 = model.repeat 0 to 2 (%c) : !cache {
  ^bb0(%layer: index, %d: !cache):
    model.yield %d : !cache
  }
  // CHECK: return
  return %c : !cache
}

// CHECK-LABEL: @equal_operators_become_one
func.func @equal_operators_become_one(%x: tensor<?x8xbf16>, %l: index) -> tensor<?x8xbf16> {
  // CHECK-COUNT-1: model.use
  // CHECK-COUNT-1: model.linear
  // CHECK-NOT: model.linear
  %w0 = model.use @w[%l] : tensor<8x8xbf16>
  %w1 = model.use @w[%l] : tensor<8x8xbf16>
  %0 = model.linear %x, %w0 : tensor<?x8xbf16>, tensor<8x8xbf16> -> tensor<?x8xbf16>
  %1 = model.linear %x, %w1 : tensor<?x8xbf16>, tensor<8x8xbf16> -> tensor<?x8xbf16>
  // CHECK: %[[SUM:.*]] = model.add %[[Y:.*]], %[[Y]]
  %2 = model.add %0, %1 : tensor<?x8xbf16>
  return %2 : tensor<?x8xbf16>
}
