// Functions of single elements: y = f(a) or f(a, b), in f32, rounded once. a, b and y are [T, H, N] with their own
// strides, so that slices and concatenations are read and written in place.
//
// The function is one of the flags ADD, MUL (with HAS_B), SCALE (a * factor), SOFTCAP (cap * tanh(a / cap)), MASK (columns from
// VALID on become -inf), ACTIVATE (act(a), with HAS_B times b); without a flag a is copied. The activation is one of the flags SILU, GELU (by an
// approximation of erf with error below 1.5e-7, Abramowitz and Stegun 7.1.26), GELU_TANH, QUICK_GELU, RELU, RELU2,
// SIGMOID, TANH. ROW_B: b has one column, which multiplies the whole row.
//
// Parameters: H, N, AS, BS, YS (row strides in elements), AH, BH, YH (head strides), A, B, Y (elements), factor, cap, VALID, and the flags.

!a = tensor<?x!tile.elem<"A">, #tile.dims<BN>>
!b = tensor<?x!tile.elem<"B">, #tile.dims<BN>>
!y = tensor<?x!tile.elem<"Y">, #tile.dims<BN>>
!f = tensor<?xf32, #tile.dims<BN>>
!c = tensor<?xi1, #tile.dims<BN>>
!i = tensor<?xi32, #tile.dims<BN>>

tile.kernel @pointwise(%a: !tile.ptr<!tile.elem<"A">>, %b: !tile.ptr<!tile.elem<"B">>, %y: !tile.ptr<!tile.elem<"Y">>,
                       %rows: i32) attributes {tile_names = ["BN"]} {
  %bn = tile.param "BN" : i32
  %n = tile.param "N" : i32
  %h = tile.param "H" : i32
  %as = tile.param "AS" : i32
  %ah = tile.param "AH" : i32
  %bs = tile.param "BS" : i32
  %bh = tile.param "BH" : i32
  %ys = tile.param "YS" : i32
  %yh = tile.param "YH" : i32
  %zero = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %zero_f = arith.constant 0.0 : f32
  %one_f = arith.constant 1.0 : f32
  %two_f = arith.constant 2.0 : f32
  %half_f = arith.constant 0.5 : f32
  %log2e = arith.constant 1.44269504 : f32
  %zeros = tile.splat %zero_f : f32 -> !f
  %ones = tile.splat %one_f : f32 -> !f
  %twos = tile.splat %two_f : f32 -> !f
  %halves = tile.splat %half_f : f32 -> !f
  %log2e_t = tile.splat %log2e : f32 -> !f
  %r, %head, %n0 = tile.domain %rows by %one, %h by %one, %n by %bn
  %av = tile.view %a[%rows, %h, %n] strides [%as, %ah, %one] : !tile.ptr<!tile.elem<"A">> -> !tile.view<3, !tile.elem<"A">>
  %bv = tile.view %b[%rows, %h, %n] strides [%bs, %bh, %one] : !tile.ptr<!tile.elem<"B">> -> !tile.view<3, !tile.elem<"B">>
  %yv = tile.view %y[%rows, %h, %n] strides [%ys, %yh, %one] : !tile.ptr<!tile.elem<"Y">> -> !tile.view<3, !tile.elem<"Y">>
  %at = tile.load %av[%r, %head, %n0] : !tile.view<3, !tile.elem<"A">> -> !a
  %x = tile.convert %at : !a -> !f
  %b_value = tile.static_if "HAS_B" -> !f {
    %loaded = tile.static_if "ROW_B" -> !f {
      %scalar = tile.load_scalar %bv[%r, %head, %zero] : !tile.view<3, !tile.elem<"B">> -> !tile.elem<"B">
      %spread = tile.splat %scalar : !tile.elem<"B"> -> !b
      %wide = tile.convert %spread : !b -> !f
      tile.yield %wide : !f
    } else {
      %bt = tile.load %bv[%r, %head, %n0] : !tile.view<3, !tile.elem<"B">> -> !b
      %wide = tile.convert %bt : !b -> !f
      tile.yield %wide : !f
    }
    tile.yield %loaded : !f
  } else {
    tile.yield %ones : !f
  }
  %result = tile.static_if "ADD" -> !f {
    %v = arith.addf %x, %b_value : !f
    tile.yield %v : !f
  } else {
    %other = tile.static_if "MUL" -> !f {
      %v = arith.mulf %x, %b_value : !f
      tile.yield %v : !f
    } else {
      %other = tile.static_if "SCALE" -> !f {
        %factor = tile.param "factor" : f32
        %factor_t = tile.splat %factor : f32 -> !f
        %v = arith.mulf %x, %factor_t : !f
        tile.yield %v : !f
      } else {
        %other = tile.static_if "SOFTCAP" -> !f {
          %cap = tile.param "cap" : f32
          %cap_t = tile.splat %cap : f32 -> !f
          %arg = arith.divf %x, %cap_t : !f
          %th2 = arith.mulf %arg, %twos : !f
          %th3 = arith.mulf %th2, %log2e_t : !f
          %the = math.exp2 %th3 : !f
          %thd = arith.addf %the, %ones : !f
          %thq = arith.divf %twos, %thd : !f
          %th = arith.subf %ones, %thq : !f
          %v = arith.mulf %th, %cap_t : !f
          tile.yield %v : !f
        } else {
          %other = tile.static_if "MASK" -> !f {
            %valid = tile.param "VALID" : i32
            %lowest = arith.constant 0xFF800000 : f32
            %valid_t = tile.splat %valid : i32 -> !i
            %lowest_t = tile.splat %lowest : f32 -> !f
            %column0 = tile.iota 0 : !i
            %n0_t = tile.splat %n0 : i32 -> !i
            %column = arith.addi %column0, %n0_t : !i
            %inside = arith.cmpi slt, %column, %valid_t : !i
            %v = arith.select %inside, %x, %lowest_t : !c, !f
            tile.yield %v : !f
          } else {
            %other = tile.static_if "ACTIVATE" -> !f {
              %act = tile.static_if "SILU" -> !f {
                %sn = arith.negf %x : !f
                %s2 = arith.mulf %sn, %log2e_t : !f
                %se = math.exp2 %s2 : !f
                %sd = arith.addf %se, %ones : !f
                %s = arith.divf %ones, %sd : !f
                %v = arith.mulf %x, %s : !f
                tile.yield %v : !f
              } else {
                %other = tile.static_if "GELU" -> !f {
                  // erf(z) = 1 - t (a1 + t (a2 + t (a3 + t (a4 + t a5)))) exp(-z^2) with t = 1 / (1 + 0.3275911 |z|).
                  %root_c = arith.constant 0.707106781 : f32
                  %root = tile.splat %root_c : f32 -> !f
                  %p_c = arith.constant 0.3275911 : f32
                  %p = tile.splat %p_c : f32 -> !f
                  %a1_c = arith.constant 0.254829592 : f32
                  %a1 = tile.splat %a1_c : f32 -> !f
                  %a2_c = arith.constant -0.284496736 : f32
                  %a2 = tile.splat %a2_c : f32 -> !f
                  %a3_c = arith.constant 1.421413741 : f32
                  %a3 = tile.splat %a3_c : f32 -> !f
                  %a4_c = arith.constant -1.453152027 : f32
                  %a4 = tile.splat %a4_c : f32 -> !f
                  %a5_c = arith.constant 1.061405429 : f32
                  %a5 = tile.splat %a5_c : f32 -> !f
                  %z = arith.mulf %x, %root : !f
                  %za = math.absf %z : !f
                  %pd = math.fma %za, %p, %ones : !f
                  %t = arith.divf %ones, %pd : !f
                  %q4 = math.fma %a5, %t, %a4 : !f
                  %q3 = math.fma %q4, %t, %a3 : !f
                  %q2 = math.fma %q3, %t, %a2 : !f
                  %q1 = math.fma %q2, %t, %a1 : !f
                  %q0 = arith.mulf %q1, %t : !f
                  %zz = arith.mulf %z, %z : !f
                  %zn = arith.negf %zz : !f
                  %zl = arith.mulf %zn, %log2e_t : !f
                  %ze = math.exp2 %zl : !f
                  %tail = arith.mulf %q0, %ze : !f
                  %erf_a = arith.subf %ones, %tail : !f
                  %erf_n = arith.negf %erf_a : !f
                  %negative = arith.cmpf olt, %z, %zeros : !f
                  %erf = arith.select %negative, %erf_n, %erf_a : !c, !f
                  %e1 = arith.addf %erf, %ones : !f
                  %xh = arith.mulf %x, %halves : !f
                  %v = arith.mulf %xh, %e1 : !f
                  tile.yield %v : !f
                } else {
                  %other = tile.static_if "GELU_TANH" -> !f {
                    %root_c = arith.constant 0.797884561 : f32
                    %root = tile.splat %root_c : f32 -> !f
                    %cubic_c = arith.constant 0.044715 : f32
                    %cubic = tile.splat %cubic_c : f32 -> !f
                    %xx = arith.mulf %x, %x : !f
                    %xc = arith.mulf %xx, %cubic : !f
                    %xd = arith.addf %xc, %ones : !f
                    %xi = arith.mulf %x, %xd : !f
                    %arg = arith.mulf %xi, %root : !f
                    %th2 = arith.mulf %arg, %twos : !f
                    %th3 = arith.mulf %th2, %log2e_t : !f
                    %the = math.exp2 %th3 : !f
                    %thd = arith.addf %the, %ones : !f
                    %thq = arith.divf %twos, %thd : !f
                    %th = arith.subf %ones, %thq : !f
                    %e1 = arith.addf %th, %ones : !f
                    %xh = arith.mulf %x, %halves : !f
                    %v = arith.mulf %xh, %e1 : !f
                    tile.yield %v : !f
                  } else {
                    %other = tile.static_if "QUICK_GELU" -> !f {
                      %k_c = arith.constant 1.702 : f32
                      %k = tile.splat %k_c : f32 -> !f
                      %xk = arith.mulf %x, %k : !f
                      %sn = arith.negf %xk : !f
                      %s2 = arith.mulf %sn, %log2e_t : !f
                      %se = math.exp2 %s2 : !f
                      %sd = arith.addf %se, %ones : !f
                      %s = arith.divf %ones, %sd : !f
                      %v = arith.mulf %x, %s : !f
                      tile.yield %v : !f
                    } else {
                      %other = tile.static_if "RELU" -> !f {
                        %v = arith.maxnumf %x, %zeros : !f
                        tile.yield %v : !f
                      } else {
                        %other = tile.static_if "RELU2" -> !f {
                          %m = arith.maxnumf %x, %zeros : !f
                          %v = arith.mulf %m, %m : !f
                          tile.yield %v : !f
                        } else {
                          %other = tile.static_if "SIGMOID" -> !f {
                            %vn = arith.negf %x : !f
                            %v2 = arith.mulf %vn, %log2e_t : !f
                            %ve = math.exp2 %v2 : !f
                            %vd = arith.addf %ve, %ones : !f
                            %v = arith.divf %ones, %vd : !f
                            tile.yield %v : !f
                          } else {
                            %other = tile.static_if "TANH" -> !f {
                              %v2 = arith.mulf %x, %twos : !f
                              %v3 = arith.mulf %v2, %log2e_t : !f
                              %ve = math.exp2 %v3 : !f
                              %vd = arith.addf %ve, %ones : !f
                              %vq = arith.divf %twos, %vd : !f
                              %v = arith.subf %ones, %vq : !f
                              tile.yield %v : !f
                            } else {
                              tile.yield %x : !f
                            }
                            tile.yield %other : !f
                          }
                          tile.yield %other : !f
                        }
                        tile.yield %other : !f
                      }
                      tile.yield %other : !f
                    }
                    tile.yield %other : !f
                  }
                  tile.yield %other : !f
                }
                tile.yield %other : !f
              }
              %v = arith.mulf %act, %b_value : !f
              tile.yield %v : !f
            } else {
              tile.yield %x : !f
            }
            tile.yield %other : !f
          }
          tile.yield %other : !f
        }
        tile.yield %other : !f
      }
      tile.yield %other : !f
    }
    tile.yield %other : !f
  }
  %out = tile.convert %result : !f -> !y
  tile.store %out, %yv[%r, %head, %n0] : !y, !tile.view<3, !tile.elem<"Y">>
  tile.return
}
