// RUN: quern-opt %s -tile-specialize -split-input-file -verify-diagnostics

tile.kernel @no_parameters() {
  // expected-error @below {{names the parameter `N`, which has no value of type 'i32'}}
  %n = tile.param "N" : i32
  tile.return
}

// -----

tile.kernel @real_for_whole() attributes {params = {N = 1.5}} {
  // expected-error @below {{names the parameter `N`, which has no value of type 'i32'}}
  %n = tile.param "N" : i32
  tile.return
}

// -----

tile.kernel @no_flag() attributes {params = {N = 1 : i64}} {
  // expected-error @below {{names the parameter `FLAG`, which has no integer value}}
  tile.static_if "FLAG" {
    tile.yield
  }
  tile.return
}

// -----

tile.kernel @no_size(%f: f32) attributes {params = {BM = 4 : i64}} {
  // expected-error @below {{still has the type 'tensor<?x?xf32, #tile.dims<BM, BN>>': a size or element has no parameter}}
  %t = tile.splat %f : f32 -> tensor<?x?xf32, #tile.dims<BM, BN>>
  tile.return
}

// -----

tile.kernel @no_element(%f: f32) attributes {params = {}} {
  %t = tile.splat %f : f32 -> tensor<4xf32>
  // expected-error @below {{still has the type 'tensor<4x!tile.elem<"Y">>': a size or element has no parameter}}
  %u = tile.convert %t : tensor<4xf32> -> tensor<4x!tile.elem<"Y">>
  tile.return
}

// -----

tile.kernel @require_c1() attributes {params = {BN = 48 : i64}} {
  %bn = tile.param "BN" : i32
  %page = arith.constant 64 : i32
  // expected-error @below {{needs a size that divides 64, got 48}}
  tile.require %bn divides %page
  tile.return
}

// -----

tile.kernel @require_of_an_argument(%n: i32) {
  %page = arith.constant 64 : i32
  // expected-error @below {{compares sizes that are not parameters or constants}}
  tile.require %n divides %page
  tile.return
}
