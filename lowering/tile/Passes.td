//===- Passes.td - Passes of the tile level -------------------------------===//
#ifndef QUERN_LOWERING_TILE_PASSES_TD
#define QUERN_LOWERING_TILE_PASSES_TD

include "mlir/Pass/PassBase.td"

def TileSpecializePass : Pass<"tile-specialize", "::quern::tile::KernelOp"> {
  let summary = "Replaces the parameters of a generic kernel text by their values";
  let description = [{
    Reads the kernel's `params` dictionary (numbers and types) and removes `tile.param`, `tile.static_if`,
    `#tile.dims` and `!tile.elem`. Afterwards every tile has a static shape and a real element type.
  }];
}

def TileSelectAtomsPass : Pass<"tile-select-atoms", "::quern::tile::KernelOp"> {
  let summary = "Names the matrix instruction that each mma step is made of";
  let description = [{
    For schedules with `mma=NAME`: the atom is looked up in the table of the machine's target and noted at each
    step whose element types are its own. Fails where the target has no such atom, where the tile is no grid of
    its fragments, and where no step has its types.
  }];
  let statistics = [Statistic<"numSelected", "selected", "Number of mma steps given an atom">];
}

def TileAssignRolesPass : Pass<"tile-assign-roles", "::quern::tile::KernelOp"> {
  let summary = "Divides the warps of a block into those that copy and those that compute";
  let description = [{
    For schedules with `strategy=roles`: the loop of a product whose atom reads shared memory becomes a loop that
    fills slots of shared memory by copies of boxes, and one that multiplies out of them (`TileRoleOps.td`).
    Fails where an operand is no plain load of an argument that a tensor map can describe.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect"];
}

def TileUniformIndicesPass : Pass<"tile-uniform-indices", "::quern::tile::KernelOp"> {
  let summary = "Takes what is equal for a whole tile out of its indices";
  let description = [{
    (i + s) / d is s / d for all i below n where n divides s and d: the columns of a tile lie in one block of
    scales. What is gathered at such an index is then one load. Where d divides s it is i / d + s / d, of which
    only the second part is not known when the kernel is compiled.
  }];
  let statistics = [Statistic<"numUniform", "uniform", "Number of index tiles made uniform">];
}

def TileExpandContractionPass : Pass<"tile-expand-contraction", "::quern::tile::KernelOp"> {
  let summary = "Writes mma steps without a matrix atom as products and sums over lanes";
  let description = [{
    For schedules with `contraction=dot`: the accumulator that a loop carries becomes [M, N, K] partial sums, so
    that the sum over lanes is made once, after the loop.
  }];
  let statistics = [Statistic<"numExpanded", "expanded", "Number of mma steps expanded">];
}

def TileInferLayoutsPass : Pass<"tile-infer-layouts", "::quern::tile::KernelOp"> {
  let summary = "Gives every tile a layout and inserts relayouts where two of them meet";
  let description = [{
    Values that elementwise operations tie together form one class with one layout. Classes are solved from high
    rank to low: a broadcast or reduction passes the projection of the larger tile on to the smaller one, and a
    class without such a neighbour takes the layout that memory order suggests. Where an edge asks for another
    layout than its class has, a `tile.relayout` is inserted.

    The accumulator of a step with an atom has the layout that the atom gives, and asks for the atom's fragments
    of A and B. A tile that was loaded keeps memory order, so that its loads are wide, and is brought to the
    fragment by a relayout.
  }];
  let statistics = [Statistic<"numRelayouts", "relayouts", "Number of relayouts inserted">];
}

def TileStageOperandsPass : Pass<"tile-stage-operands", "::quern::tile::KernelOp"> {
  let summary = "Lets the operands of matrix atoms arrive by rings in shared memory";
  let description = [{
    A load of each step of a loop whose tile an atom multiplies becomes a `tile.ring_copy` and a
    `tile.ring_read`; one that is computed with on the way a `tile.ring_write` and a `tile.ring_read`. How an
    operand arrives is `copy.a=` and `copy.b=` of the Schedule; without it, asynchronously where the target can
    and the operand's alignment allows it, else through registers. Fails where the Schedule asks for a way that
    is not there.
  }];
  let statistics = [Statistic<"numStaged", "staged", "Number of operands given a ring">];
}

def TileChooseSwizzlePass : Pass<"tile-choose-swizzle", "::quern::tile::KernelOp"> {
  let summary = "Chooses where the elements of a ring's slots lie, and which lane copies what";
  let description = [{
    Of the layouts that copies and reads allow, the one with the fewest clocks by the target's bank rules.
  }];
}

def TilePlanPipelinePass : Pass<"tile-plan-pipeline", "::quern::tile::KernelOp"> {
  let summary = "Fills rings some steps ahead of their use";
  let description = [{
    Gives rings their depth and every access its slot, and writes `acquire`, `commit`, `wait` and `release`.
  }];
  let statistics = [Statistic<"numPipelined", "pipelined", "Number of loops pipelined">];
}

def TileLowerRingsPass : Pass<"tile-lower-rings", "::quern::tile::KernelOp"> {
  let summary = "Makes the life of slots of counted groups of copies and barriers";
  let description = [{
    For the strategy `inline`; kernels of other strategies are left as they are.
  }];
}

def TileVerifyRingsPass : Pass<"tile-verify-rings", "::quern::tile::KernelOp"> {
  let summary = "Proves that every read of a slot is behind its wait and every fill behind the reads before";
  let description = [{
    Executes slots, groups and barriers of a lowered kernel for all numbers of steps around the depth.
  }];
}

#endif
