// Rows sorted by the matrix that each uses, stably, and filled up to whole groups of ROUND rows of one matrix: what a
// grouped linear reads. indices[r] is the matrix of row r. Afterwards slots[p] is the row at place p, or -1 where a
// group is not full, and groups[p / ROUND] is the matrix of a group, or -1 behind the last one.
//
// One block for each matrix: it counts the rows of all, which gives its first place, and then places its own in
// their order. `places` is the length of `slots`, at least rows + E * (ROUND - 1).
//
// Parameters: E, ROUND.

!c = tensor<?xi32, #tile.dims<BC>>
!ci = tensor<?xi1, #tile.dims<BC>>
!e = tensor<?xi32, #tile.dims<E>>
!ei = tensor<?xi1, #tile.dims<E>>
!ce = tensor<?x?xi32, #tile.dims<BC, E>>
!cei = tensor<?x?xi1, #tile.dims<BC, E>>
!cc = tensor<?x?xi32, #tile.dims<BC, BC>>
!cci = tensor<?x?xi1, #tile.dims<BC, BC>>

tile.kernel @route_groups(%indices: !tile.ptr<i32>, %slots: !tile.ptr<i32>, %groups: !tile.ptr<i32>, %rows: i32,
                          %places: i32) attributes {tile_names = ["BC"]} {
  %bc = tile.param "BC" : i32
  %matrices = tile.param "E" : i32
  %round = tile.param "ROUND" : i32
  %zero = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %none = arith.constant -1 : i32
  %matrix = tile.domain %matrices by %one
  %pp = arith.addi %places, %round : i32
  %pm = arith.subi %pp, %one : i32
  %all_groups = arith.divui %pm, %round : i32
  %iv = tile.view %indices[%rows] : !tile.ptr<i32> -> !tile.view<1, i32>
  %sv = tile.view %slots[%places] : !tile.ptr<i32> -> !tile.view<1, i32>
  %gv = tile.view %groups[%all_groups] : !tile.ptr<i32> -> !tile.view<1, i32>

  %i = tile.iota 0 : !c
  %rows_t = tile.splat %rows : i32 -> !c
  %matrix_t = tile.splat %matrix : i32 -> !c
  %none_t = tile.splat %none : i32 -> !c
  %round_t = tile.splat %round : i32 -> !c
  %zero_c = tile.splat %zero : i32 -> !c

  // How many rows each matrix has.
  %ids = tile.iota 1 : !ce
  %zero_e = tile.splat %zero : i32 -> !e
  %counts = scf.for %r0 = %zero to %rows step %bc iter_args(%sum = %zero_e) -> (!e) : i32 {
    %r0_t = tile.splat %r0 : i32 -> !c
    %r = arith.addi %i, %r0_t : !c
    %is_row = arith.cmpi slt, %r, %rows_t : !c
    %loaded = tile.load %iv[%r0] : !tile.view<1, i32> -> !c
    %of = arith.select %is_row, %loaded, %none_t : !ci, !c
    %of_b = tile.broadcast %of dims [0] : !c -> !ce
    %hit = arith.cmpi eq, %of_b, %ids : !ce
    %one_each = tile.convert %hit : !cei -> !ce
    %column = tile.reduce add %one_each dim 0 : !ce -> !e
    %next = arith.addi %sum, %column : !e
    scf.yield %next : !e
  }

  // Places before this matrix, its own, and its rows: the same number in each element.
  %round_e = tile.splat %round : i32 -> !e
  %one_e = tile.splat %one : i32 -> !e
  %up = arith.addi %counts, %round_e : !e
  %up_1 = arith.subi %up, %one_e : !e
  %whole = arith.divui %up_1, %round_e : !e
  %filled = arith.muli %whole, %round_e : !e
  %id = tile.iota 0 : !e
  %matrix_e = tile.splat %matrix : i32 -> !e
  %is_before = arith.cmpi slt, %id, %matrix_e : !e
  %is_own = arith.cmpi eq, %id, %matrix_e : !e
  %before = arith.select %is_before, %filled, %zero_e : !ei, !e
  %own = arith.select %is_own, %filled, %zero_e : !ei, !e
  %own_rows = arith.select %is_own, %counts, %zero_e : !ei, !e
  %before_b = tile.broadcast %before dims [1] : !e -> !ce
  %own_b = tile.broadcast %own dims [1] : !e -> !ce
  %own_rows_b = tile.broadcast %own_rows dims [1] : !e -> !ce
  %first = tile.reduce add %before_b dim 1 : !ce -> !c
  %extent = tile.reduce add %own_b dim 1 : !ce -> !c
  %count = tile.reduce add %own_rows_b dim 1 : !ce -> !c
  %end = arith.addi %first, %extent : !c

  // Its rows in their order.
  %j = tile.iota 1 : !cc
  %k = tile.iota 0 : !cc
  %is_earlier = arith.cmpi slt, %j, %k : !cc
  %zero_cc = tile.splat %zero : i32 -> !cc
  %placed = scf.for %r0 = %zero to %rows step %bc iter_args(%at = %first) -> (!c) : i32 {
    %r0_t = tile.splat %r0 : i32 -> !c
    %r = arith.addi %i, %r0_t : !c
    %is_row = arith.cmpi slt, %r, %rows_t : !c
    %loaded = tile.load %iv[%r0] : !tile.view<1, i32> -> !c
    %of = arith.select %is_row, %loaded, %none_t : !ci, !c
    %hit = arith.cmpi eq, %of, %matrix_t : !c
    %one_each = tile.convert %hit : !ci -> !c
    %ones = tile.broadcast %one_each dims [1] : !c -> !cc
    %earlier = arith.select %is_earlier, %ones, %zero_cc : !cci, !cc
    %rank = tile.reduce add %earlier dim 1 : !cc -> !c
    %total = tile.reduce add %ones dim 1 : !cc -> !c
    %free = arith.addi %at, %rank : !c
    %place = arith.select %hit, %free, %none_t : !ci, !c
    tile.scatter %r, %sv[%place] : !c, !tile.view<1, i32>, !c
    %next = arith.addi %at, %total : !c
    scf.yield %next : !c
  }

  // Places of its last group that stay empty, and its groups.
  scf.for %p0 = %zero to %round step %bc : i32 {
    %p0_t = tile.splat %p0 : i32 -> !c
    %p = arith.addi %i, %p0_t : !c
    %from = arith.addi %first, %count : !c
    %free = arith.addi %from, %p : !c
    %is_free = arith.cmpi slt, %free, %end : !c
    %place = arith.select %is_free, %free, %none_t : !ci, !c
    tile.scatter %none_t, %sv[%place] : !c, !tile.view<1, i32>, !c
  }
  %first_group = arith.divui %first, %round_t : !c
  %end_group = arith.divui %end, %round_t : !c
  scf.for %g0 = %zero to %all_groups step %bc : i32 {
    %g0_t = tile.splat %g0 : i32 -> !c
    %g = arith.addi %i, %g0_t : !c
    %group = arith.addi %first_group, %g : !c
    %is_own_group = arith.cmpi slt, %group, %end_group : !c
    %place = arith.select %is_own_group, %group, %none_t : !ci, !c
    tile.scatter %matrix_t, %gv[%place] : !c, !tile.view<1, i32>, !c
  }

  // What is left behind the last matrix.
  %last = arith.subi %matrices, %one : i32
  %is_last = arith.cmpi eq, %matrix, %last : i32
  scf.if %is_last {
    scf.for %p0 = %zero to %places step %bc : i32 {
      %p0_t = tile.splat %p0 : i32 -> !c
      %p = arith.addi %i, %p0_t : !c
      %rest = arith.addi %end, %p : !c
      tile.scatter %none_t, %sv[%rest] : !c, !tile.view<1, i32>, !c
    }
    scf.for %g0 = %zero to %all_groups step %bc : i32 {
      %g0_t = tile.splat %g0 : i32 -> !c
      %g = arith.addi %i, %g0_t : !c
      %rest = arith.addi %end_group, %g : !c
      tile.scatter %none_t, %gv[%rest] : !c, !tile.view<1, i32>, !c
    }
  }
  tile.return
}
