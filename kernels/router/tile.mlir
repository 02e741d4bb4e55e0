// Chooses the experts of each token and their weights, in f32. A block computes one token.
//
// 1. s = softmax or (SIGMOID) sigmoid of the logits. 2. choice = s + bias (BIAS). 3. With GROUPED the G groups of EG
// experts are ranked by their largest choice, or (TOP2) the sum of their two largest; the KEPT best stay. 4. The KSEL
// largest choices in descending order. 5. Their s, with NORMALISE divided by (their sum + 1e-20), times scale. Ties
// go to the lower index everywhere.
//
// Parameters: G, EG, KSEL, KEPT, scale, SIGMOID, BIAS, GROUPED, TOP2, NORMALISE.

!e = tensor<?x?xf32, #tile.dims<G, EG>>
!ei = tensor<?x?xi32, #tile.dims<G, EG>>
!ec = tensor<?x?xi1, #tile.dims<G, EG>>
!g = tensor<?xf32, #tile.dims<G>>
!gi = tensor<?xi32, #tile.dims<G>>
!gc = tensor<?xi1, #tile.dims<G>>
!one = tensor<f32>
!onei = tensor<i32>
!k = tensor<?xf32, #tile.dims<KSEL>>
!ki = tensor<?xi32, #tile.dims<KSEL>>
!kc = tensor<?xi1, #tile.dims<KSEL>>

tile.kernel @router(%logits: !tile.ptr<f32>, %bias: !tile.ptr<f32>, %indices: !tile.ptr<i32>,
                    %weights: !tile.ptr<f32>, %tokens: i32) {
  %g = tile.param "G" : i32
  %eg = tile.param "EG" : i32
  %ksel = tile.param "KSEL" : i32
  %kept = tile.param "KEPT" : i32
  %scale = tile.param "scale" : f32
  %zero = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %many = arith.constant 0x7fffffff : i32
  %zero_f = arith.constant 0.0 : f32
  %one_f = arith.constant 1.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %log2e = arith.constant 1.44269504 : f32
  %t = tile.domain %tokens by %one
  %lv = tile.view %logits[%tokens, %g, %eg] : !tile.ptr<f32> -> !tile.view<3, f32>
  %bv = tile.view %bias[%g, %eg] : !tile.ptr<f32> -> !tile.view<2, f32>
  %iv = tile.view %indices[%tokens, %ksel] : !tile.ptr<i32> -> !tile.view<2, i32>
  %wv = tile.view %weights[%tokens, %ksel] : !tile.ptr<f32> -> !tile.view<2, f32>
  %x = tile.load %lv[%t, %zero, %zero] : !tile.view<3, f32> -> !e
  %log2e_t = tile.splat %log2e : f32 -> !e
  %lowest_t = tile.splat %lowest : f32 -> !e
  %many_t = tile.splat %many : i32 -> !ei
  %s = tile.static_if "SIGMOID" -> !e {
    %x2 = arith.mulf %x, %log2e_t : !e
    %n = arith.negf %x2 : !e
    %exp = math.exp2 %n : !e
    %ones = tile.splat %one_f : f32 -> !e
    %d = arith.addf %exp, %ones : !e
    %sigmoid = arith.divf %ones, %d : !e
    tile.yield %sigmoid : !e
  } else {
    %m_g = tile.reduce max %x dim 1 : !e -> !g
    %m = tile.reduce max %m_g dim 0 : !g -> !one
    %m_b = tile.broadcast %m dims [] : !one -> !e
    %centred = arith.subf %x, %m_b : !e
    %x2 = arith.mulf %centred, %log2e_t : !e
    %exp = math.exp2 %x2 : !e
    %sum_g = tile.reduce add %exp dim 1 : !e -> !g
    %sum = tile.reduce add %sum_g dim 0 : !g -> !one
    %sum_b = tile.broadcast %sum dims [] : !one -> !e
    %softmax = arith.divf %exp, %sum_b : !e
    tile.yield %softmax : !e
  }
  %choice = tile.static_if "BIAS" -> !e {
    %b = tile.load %bv[%zero, %zero] : !tile.view<2, f32> -> !e
    %biased = arith.addf %s, %b : !e
    tile.yield %biased : !e
  } else {
    tile.yield %s : !e
  }
  %row = tile.iota 0 : !ei
  %column = tile.iota 1 : !ei
  %eg_t = tile.splat %eg : i32 -> !ei
  %row_start = arith.muli %row, %eg_t : !ei
  %index = arith.addi %row_start, %column : !ei
  %open = tile.static_if "GROUPED" -> !e {
    %best1 = tile.reduce max %choice dim 1 : !e -> !g
    %rank = tile.static_if "TOP2" -> !g {
      // The second largest: the largest without its first occurrence.
      %best1_b = tile.broadcast %best1 dims [0] : !g -> !e
      %is_best = arith.cmpf oeq, %choice, %best1_b : !e
      %at = arith.select %is_best, %column, %many_t : !ec, !ei
      %first = tile.reduce min %at dim 1 : !ei -> !gi
      %first_b = tile.broadcast %first dims [0] : !gi -> !ei
      %is_first = arith.cmpi eq, %column, %first_b : !ei
      %others = arith.select %is_first, %lowest_t, %choice : !ec, !e
      %best2 = tile.reduce max %others dim 1 : !e -> !g
      %both = arith.addf %best1, %best2 : !g
      tile.yield %both : !g
    } else {
      tile.yield %best1 : !g
    }
    %group = tile.iota 0 : !gi
    %many_g = tile.splat %many : i32 -> !gi
    %lowest_g = tile.splat %lowest : f32 -> !g
    %none = tile.splat %zero : i32 -> !gi
    %one_g = tile.splat %one : i32 -> !gi
    %left, %stay = scf.for %i = %zero to %kept step %one iter_args(%r = %rank, %k = %none) -> (!g, !gi) : i32 {
      %m = tile.reduce max %r dim 0 : !g -> !one
      %m_b = tile.broadcast %m dims [] : !one -> !g
      %is = arith.cmpf oeq, %r, %m_b : !g
      %at = arith.select %is, %group, %many_g : !gc, !gi
      %first = tile.reduce min %at dim 0 : !gi -> !onei
      %first_b = tile.broadcast %first dims [] : !onei -> !gi
      %chosen = arith.cmpi eq, %group, %first_b : !gi
      %r1 = arith.select %chosen, %lowest_g, %r : !gc, !g
      %k1 = arith.select %chosen, %one_g, %k : !gc, !gi
      scf.yield %r1, %k1 : !g, !gi
    }
    %stay_b = tile.broadcast %stay dims [0] : !gi -> !ei
    %zero_t = tile.splat %zero : i32 -> !ei
    %stays = arith.cmpi ne, %stay_b, %zero_t : !ei
    %restricted = arith.select %stays, %choice, %lowest_t : !ec, !e
    tile.yield %restricted : !e
  } else {
    tile.yield %choice : !e
  }
  %zeros = tile.splat %zero_f : f32 -> !e
  %slot = tile.iota 0 : !ki
  %w_init = tile.splat %zero_f : f32 -> !k
  %i_init = tile.splat %zero : i32 -> !ki
  %sum_init = tile.splat %zero_f : f32 -> !one
  %rest, %ws, %is, %sum = scf.for %i = %zero to %ksel step %one iter_args(%c = %open, %w = %w_init, %chosen = %i_init, %total = %sum_init) -> (!e, !k, !ki, !one) : i32 {
    %m_g = tile.reduce max %c dim 1 : !e -> !g
    %m = tile.reduce max %m_g dim 0 : !g -> !one
    %m_b = tile.broadcast %m dims [] : !one -> !e
    %is_best = arith.cmpf oeq, %c, %m_b : !e
    %at = arith.select %is_best, %index, %many_t : !ec, !ei
    %first_g = tile.reduce min %at dim 1 : !ei -> !gi
    %first = tile.reduce min %first_g dim 0 : !gi -> !onei
    %first_b = tile.broadcast %first dims [] : !onei -> !ei
    %taken = arith.cmpi eq, %index, %first_b : !ei
    %own = arith.select %taken, %s, %zeros : !ec, !e
    %own_g = tile.reduce add %own dim 1 : !e -> !g
    %weight = tile.reduce add %own_g dim 0 : !g -> !one
    %c1 = arith.select %taken, %lowest_t, %c : !ec, !e
    %i_t = tile.splat %i : i32 -> !ki
    %here = arith.cmpi eq, %slot, %i_t : !ki
    %weight_b = tile.broadcast %weight dims [] : !one -> !k
    %first_k = tile.broadcast %first dims [] : !onei -> !ki
    %w1 = arith.select %here, %weight_b, %w : !kc, !k
    %chosen1 = arith.select %here, %first_k, %chosen : !kc, !ki
    %total1 = arith.addf %total, %weight : !one
    scf.yield %c1, %w1, %chosen1, %total1 : !e, !k, !ki, !one
  }
  %normalised = tile.static_if "NORMALISE" -> !k {
    %tiny = arith.constant 1.0e-20 : f32
    %tiny_t = tile.splat %tiny : f32 -> !one
    %divisor = arith.addf %sum, %tiny_t : !one
    %divisor_b = tile.broadcast %divisor dims [] : !one -> !k
    %quotient = arith.divf %ws, %divisor_b : !k
    tile.yield %quotient : !k
  } else {
    tile.yield %ws : !k
  }
  %scale_t = tile.splat %scale : f32 -> !k
  %scaled = arith.mulf %normalised, %scale_t : !k
  tile.store %scaled, %wv[%t, %zero] : !k, !tile.view<2, f32>
  tile.store %is, %iv[%t, %zero] : !ki, !tile.view<2, i32>
  tile.return
}
