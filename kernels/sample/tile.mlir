// Draws one token from each row of logits (the model operator `sample`). A block computes one row.
//
// Temperature 0 takes the largest logit, the lowest index among equals. Else w = exp(logit / temperature - the largest
// quotient) in f32, u = the uniform number of (seed, position), Philox4x32-10 of support/Philox.h bit for bit, and the
// token is the lowest index whose running sum of w exceeds u times the whole sum. Sums run over steps of BN columns in
// order, in f32; the sum of a step depends on the layout alone. A quotient that is not finite counts as temperature 0.
// A row without a logit above -inf gives 0x7fffffff.
//
// Seeds are 64 bits, low word first. BN is at most 4096. Parameters: N (columns), XS (row stride of the logits).

!x = tensor<?xf32, #tile.dims<BN>>
!i = tensor<?xi32, #tile.dims<BN>>
!c = tensor<?xi1, #tile.dims<BN>>
!one = tensor<f32>
!onei = tensor<i32>
!onec = tensor<i1>

tile.kernel @sample(%logits: !tile.ptr<f32>, %positions: !tile.ptr<i32>, %temperatures: !tile.ptr<f32>,
                    %seeds: !tile.ptr<i32>, %tokens: !tile.ptr<i32>, %rows: i32) attributes {tile_names = ["BN"]} {
  %bn = tile.param "BN" : i32
  %n = tile.param "N" : i32
  %xs = tile.param "XS" : i32
  %zero = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %two = arith.constant 2 : i32
  %eight = arith.constant 8 : i32
  %ten = arith.constant 10 : i32
  %twelve = arith.constant 12 : i32
  %many = arith.constant 0x7fffffff : i32
  %c32 = arith.constant 32 : i64
  %zero_f = arith.constant 0.0 : f32
  %one_f = arith.constant 1.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %infinite = arith.constant 0x7F800000 : f32
  %log2e = arith.constant 1.44269504 : f32
  %unit = arith.constant 5.9604644775390625e-08 : f32
  %r = tile.domain %rows by %one
  %lv = tile.view %logits[%rows, %n] strides [%xs, %one] : !tile.ptr<f32> -> !tile.view<2, f32>
  %pv = tile.view %positions[%rows] : !tile.ptr<i32> -> !tile.view<1, i32>
  %tv = tile.view %temperatures[%rows] : !tile.ptr<f32> -> !tile.view<1, f32>
  %sv = tile.view %seeds[%rows, %two] : !tile.ptr<i32> -> !tile.view<2, i32>
  %ov = tile.view %tokens[%rows] : !tile.ptr<i32> -> !tile.view<1, i32>
  %position = tile.load_scalar %pv[%r] : !tile.view<1, i32> -> i32
  %temperature = tile.load_scalar %tv[%r] : !tile.view<1, f32> -> f32
  %seed_low = tile.load_scalar %sv[%r, %zero] : !tile.view<2, i32> -> i32
  %seed_high = tile.load_scalar %sv[%r, %one] : !tile.view<2, i32> -> i32

  // Philox4x32-10: counter (seed, position), key (0, 0).
  %multiplier0 = arith.constant 0xD2511F53 : i64
  %multiplier1 = arith.constant 0xCD9E8D57 : i64
  %weyl0 = arith.constant 0x9E3779B9 : i32
  %weyl1 = arith.constant 0xBB67AE85 : i32
  %d0, %d1, %d2, %d3, %dk0, %dk1 = scf.for %round = %zero to %ten step %one iter_args(%c0 = %seed_low, %c1 = %seed_high, %c2 = %position, %c3 = %zero, %k0 = %zero, %k1 = %zero) -> (i32, i32, i32, i32, i32, i32) : i32 {
    %w0 = arith.extui %c0 : i32 to i64
    %w2 = arith.extui %c2 : i32 to i64
    %p0 = arith.muli %w0, %multiplier0 : i64
    %p1 = arith.muli %w2, %multiplier1 : i64
    %h0_wide = arith.shrui %p0, %c32 : i64
    %h1_wide = arith.shrui %p1, %c32 : i64
    %h0 = arith.trunci %h0_wide : i64 to i32
    %h1 = arith.trunci %h1_wide : i64 to i32
    %l0 = arith.trunci %p0 : i64 to i32
    %l1 = arith.trunci %p1 : i64 to i32
    %x0 = arith.xori %h1, %c1 : i32
    %n0 = arith.xori %x0, %k0 : i32
    %x2 = arith.xori %h0, %c3 : i32
    %n2 = arith.xori %x2, %k1 : i32
    %nk0 = arith.addi %k0, %weyl0 : i32
    %nk1 = arith.addi %k1, %weyl1 : i32
    scf.yield %n0, %l1, %n2, %l0, %nk0, %nk1 : i32, i32, i32, i32, i32, i32
  }
  %upper = arith.shrui %d0, %eight : i32
  %upper_f = arith.sitofp %upper : i32 to f32
  %u = arith.mulf %upper_f, %unit : f32

  // The largest logit of each column of the step, and the lowest index that has it.
  %column = tile.iota 0 : !i
  %n_t = tile.splat %n : i32 -> !i
  %many_t = tile.splat %many : i32 -> !i
  %lowest_t = tile.splat %lowest : f32 -> !x
  %zero_t = tile.splat %zero_f : f32 -> !x
  %m, %at = scf.for %n0 = %zero to %n step %bn iter_args(%m0 = %lowest_t, %at0 = %many_t) -> (!x, !i) : i32 {
    %x = tile.load %lv[%r, %n0] : !tile.view<2, f32> -> !x
    %n0_t = tile.splat %n0 : i32 -> !i
    %index = arith.addi %column, %n0_t : !i
    %inside = arith.cmpi slt, %index, %n_t : !i
    %known = arith.select %inside, %x, %lowest_t : !c, !x
    %larger = arith.cmpf ogt, %known, %m0 : !x
    %m1 = arith.select %larger, %known, %m0 : !c, !x
    %at1 = arith.select %larger, %index, %at0 : !c, !i
    scf.yield %m1, %at1 : !x, !i
  }
  %largest = tile.reduce max %m dim 0 : !x -> !one
  %largest_b = tile.broadcast %largest dims [] : !one -> !x
  %is_largest = arith.cmpf oeq, %m, %largest_b : !x
  %where = arith.select %is_largest, %at, %many_t : !c, !i
  %best = tile.reduce min %where dim 0 : !i -> !onei

  // Quotients; the divisor of a greedy row is of no consequence.
  %temperature_1 = tile.splat %temperature : f32 -> !one
  %zero_1 = tile.splat %zero_f : f32 -> !one
  %one_1 = tile.splat %one_f : f32 -> !one
  %infinite_1 = tile.splat %infinite : f32 -> !one
  %warm = arith.cmpf ogt, %temperature_1, %zero_1 : !one
  %divisor = arith.select %warm, %temperature_1, %one_1 : !onec, !one
  %divisor_b = tile.broadcast %divisor dims [] : !one -> !x
  %top = arith.divf %largest, %divisor : !one
  %top_b = tile.broadcast %top dims [] : !one -> !x
  %top_size = math.absf %top : !one
  %finite = arith.cmpf olt, %top_size, %infinite_1 : !one
  %log2e_t = tile.splat %log2e : f32 -> !x

  %total = scf.for %n0 = %zero to %n step %bn iter_args(%sum = %zero_1) -> (!one) : i32 {
    %x = tile.load %lv[%r, %n0] : !tile.view<2, f32> -> !x
    %n0_t = tile.splat %n0 : i32 -> !i
    %index = arith.addi %column, %n0_t : !i
    %inside = arith.cmpi slt, %index, %n_t : !i
    %quotient = arith.divf %x, %divisor_b : !x
    %centred = arith.subf %quotient, %top_b : !x
    %exponent = arith.mulf %centred, %log2e_t : !x
    %e = math.exp2 %exponent : !x
    %w = arith.select %inside, %e, %zero_t : !c, !x
    %step = tile.reduce add %w dim 0 : !x -> !one
    %next = arith.addf %sum, %step : !one
    scf.yield %next : !one
  }
  %u_1 = tile.splat %u : f32 -> !one
  %goal = arith.mulf %u_1, %total : !one

  // The first step that reaches the goal, and the sum before it.
  %many_1 = tile.splat %many : i32 -> !onei
  %sum_end, %before, %start = scf.for %n0 = %zero to %n step %bn iter_args(%sum = %zero_1, %before0 = %zero_1, %start0 = %many_1) -> (!one, !one, !onei) : i32 {
    %x = tile.load %lv[%r, %n0] : !tile.view<2, f32> -> !x
    %n0_t = tile.splat %n0 : i32 -> !i
    %index = arith.addi %column, %n0_t : !i
    %inside = arith.cmpi slt, %index, %n_t : !i
    %quotient = arith.divf %x, %divisor_b : !x
    %centred = arith.subf %quotient, %top_b : !x
    %exponent = arith.mulf %centred, %log2e_t : !x
    %e = math.exp2 %exponent : !x
    %w = arith.select %inside, %e, %zero_t : !c, !x
    %step = tile.reduce add %w dim 0 : !x -> !one
    %next = arith.addf %sum, %step : !one
    %n0_1 = tile.splat %n0 : i32 -> !onei
    %reached = arith.cmpf ogt, %next, %goal : !one
    %earlier = arith.minsi %start0, %n0_1 : !onei
    %start1 = arith.select %reached, %earlier, %start0 : !onec, !onei
    %is_first = arith.cmpi eq, %start1, %n0_1 : !onei
    %before1 = arith.select %is_first, %sum, %before0 : !onec, !one
    scf.yield %next, %before1, %start1 : !one, !one, !onei
  }

  // Within that step: halve the range of columns at whose end the sum is past the goal.
  %start_b = tile.broadcast %start dims [] : !onei -> !i
  %index = arith.addi %column, %start_b : !i
  %x = tile.gather %lv[%r, %index] : !tile.view<2, f32>, i32, !i -> !x
  %inside = arith.cmpi slt, %index, %n_t : !i
  %quotient = arith.divf %x, %divisor_b : !x
  %centred = arith.subf %quotient, %top_b : !x
  %exponent = arith.mulf %centred, %log2e_t : !x
  %e = math.exp2 %exponent : !x
  %w = arith.select %inside, %e, %zero_t : !c, !x
  %zero_i = tile.splat %zero : i32 -> !onei
  %one_i = tile.splat %one : i32 -> !onei
  %bn_1 = tile.splat %bn : i32 -> !onei
  %last = arith.subi %bn_1, %one_i : !onei
  %low, %high = scf.for %half = %zero to %twelve step %one iter_args(%low0 = %zero_i, %high0 = %last) -> (!onei, !onei) : i32 {
    %both = arith.addi %low0, %high0 : !onei
    %middle = arith.shrui %both, %one_i : !onei
    %middle_b = tile.broadcast %middle dims [] : !onei -> !i
    %up_to = arith.cmpi sle, %column, %middle_b : !i
    %part = arith.select %up_to, %w, %zero_t : !c, !x
    %part_sum = tile.reduce add %part dim 0 : !x -> !one
    %sum = arith.addf %before, %part_sum : !one
    %past = arith.cmpf ogt, %sum, %goal : !one
    %behind = arith.addi %middle, %one_i : !onei
    %raised = arith.minsi %behind, %high0 : !onei
    %low1 = arith.select %past, %low0, %raised : !onec, !onei
    %high1 = arith.select %past, %middle, %high0 : !onec, !onei
    scf.yield %low1, %high1 : !onei, !onei
  }
  %drawn = arith.addi %start, %high : !onei
  %drawn_finite = arith.select %finite, %drawn, %best : !onec, !onei
  %token = arith.select %warm, %drawn_finite, %best : !onec, !onei
  tile.store %token, %ov[%r] : !onei, !tile.view<1, i32>
  tile.return
}
