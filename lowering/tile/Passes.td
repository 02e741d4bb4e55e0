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

#endif
