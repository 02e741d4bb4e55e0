//===- TileRingOps.td - Operations of the tile dialect, level 2: rings ----===//
//
// A ring is shared memory for |depth| tiles of one kind, its slots. Rings that a loop fills together have one
// depth, and what happens to slot s happens to slot s of all of them. The life of a slot:
//
//     acquire     every warp is done with what was in it
//     copy/write  it is filled, by asynchronous copies or from registers
//     commit      nothing more comes into it
//     wait        what was copied into it is there, for every warp
//     read        into registers, as often as needed; or a matrix unit reads the slot itself
//     release     this warp is done with it
//
// `tile-plan-pipeline` writes that order down; `tile-verify-rings` proves it; `tile-lower-rings` makes it of
// what the target has: groups of copies in order and one barrier a step (`async_commit`, `async_wait`,
// `barrier`), or barriers that count. Until the pipeline is planned, copies and reads name no slot: a step
// then fills its rings and reads them, in the order of the operations.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_DIALECTS_TILE_TILERINGOPS_TD
#define QUERN_DIALECTS_TILE_TILERINGOPS_TD

def Tile_RingOp : TileOp<"ring", [MemoryEffects<[MemAlloc]>]> {
  let summary = "Shared memory for the slots of a ring";
  let description = [{
    `operand` names what arrives in it, as `copy.X` of a Schedule does; `path` says how. C1: the depth is
    positive. C2: a memory layout has the shape of the ring.

    ```mlir
    %a = tile.ring "a" by async : !tile.ring<3, [128, 64], bf16>
    ```
  }];
  let arguments = (ins StrAttr:$operand, Tile_RingPathAttr:$path);
  let results = (outs Tile_RingType:$ring);
  let assemblyFormat = "$operand `by` `` $path attr-dict `:` type($ring)";
  let hasVerifier = 1;
}

def Tile_RingAcquireOp : TileOp<"ring_acquire"> {
  let summary = "Waits until every warp has released the slot";
  let description = [{
    C1: at least one ring. C2: rings of one depth.
  }];
  let arguments = (ins Variadic<Tile_RingType>:$rings, I32:$slot);
  let assemblyFormat = "$rings `[` $slot `]` attr-dict `:` type($rings)";
  let hasVerifier = 1;
}

def Tile_RingCopyOp : TileOp<"ring_copy", [AttrSizedOperandSegments, MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Copies a tile of a view into a slot without passing registers";
  let description = [{
    The tile is the one that `tile.load` reads at these offsets; with `rows`, an i32 tile, row i of it is row
    rows[i] of the view's last dimension but one, and negative for none. Elements outside of the view arrive as
    zero. `layout` says which lane copies what, set by `tile-choose-swizzle`. The copy is finished at the wait
    for its slot, not before.

    C1: one offset for each dimension of the view. C2: equal element types, and at most as many dimensions in
    the ring. C3: `rows` has the rows of a ring with two dimensions. C4: the ring's path is not `staged`.
    C5: `layout` has the shape of the ring.
  }];
  let arguments = (ins Tile_ViewType:$view, Variadic<I32>:$offsets, Optional<Tile_Value>:$rows,
                       Tile_RingType:$ring, Optional<I32>:$slot, OptionalAttr<Tile_LayoutAttr>:$layout);
  let assemblyFormat = [{
    $view `[` $offsets `]` (`rows` $rows^ `:` type($rows))? `to` $ring (`[` $slot^ `]`)? attr-dict `:` type($view) `,` type($ring)
  }];
  let hasVerifier = 1;
}

def Tile_RingWriteOp : TileOp<"ring_write", [MemoryEffects<[MemWrite]>]> {
  let summary = "Writes a tile from registers into a slot";
  let description = [{
    C1: the shape and element type of the ring.
  }];
  let arguments = (ins Tile_Value:$tile, Tile_RingType:$ring, Optional<I32>:$slot);
  let assemblyFormat = "$tile `to` $ring (`[` $slot^ `]`)? attr-dict `:` type($tile) `,` type($ring)";
  let hasVerifier = 1;
}

def Tile_RingCommitOp : TileOp<"ring_commit"> {
  let summary = "Ends the copies into a slot";
  let description = [{
    Also where there were none: waits count commits. C1, C2 as for `tile.ring_acquire`.
  }];
  let arguments = (ins Variadic<Tile_RingType>:$rings, I32:$slot);
  let assemblyFormat = "$rings `[` $slot `]` attr-dict `:` type($rings)";
  let hasVerifier = 1;
}

def Tile_RingWaitOp : TileOp<"ring_wait", [AttrSizedOperandSegments]> {
  let summary = "Waits until the slot holds what was committed to it";
  let description = [{
    `pending` commits that came later need not be done; `all_issued`, if it is there and false, says that not
    all of those have copies: everything is waited for then. C1, C2 as for `tile.ring_acquire`. C3: `pending`
    is below the depth.
  }];
  let arguments = (ins Variadic<Tile_RingType>:$rings, I32:$slot, I32Attr:$pending, Optional<I1>:$all_issued);
  let assemblyFormat = "$rings `[` $slot `]` `pending` $pending (`if` $all_issued^)? attr-dict `:` type($rings)";
  let hasVerifier = 1;
}

def Tile_RingReadOp : TileOp<"ring_read", [MemoryEffects<[MemRead]>]> {
  let summary = "Reads a tile from a slot into registers";
  let description = [{
    C1: the shape and element type of the ring.
  }];
  let arguments = (ins Tile_RingType:$ring, Optional<I32>:$slot);
  let results = (outs Tile_Value:$tile);
  let assemblyFormat = "$ring (`[` $slot^ `]`)? attr-dict `:` type($ring) `->` type($tile)";
  let hasVerifier = 1;
}

def Tile_RingReleaseOp : TileOp<"ring_release"> {
  let summary = "This warp has read the slot";
  let description = [{
    C1, C2 as for `tile.ring_acquire`.
  }];
  let arguments = (ins Variadic<Tile_RingType>:$rings, I32:$slot);
  let assemblyFormat = "$rings `[` $slot `]` attr-dict `:` type($rings)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// What rings become where every warp copies and computes
//===----------------------------------------------------------------------===//

def Tile_AsyncCommitOp : TileOp<"async_commit"> {
  let summary = "Makes one group of the asynchronous copies of this lane since the last group";
  let assemblyFormat = "attr-dict";
}

def Tile_AsyncWaitOp : TileOp<"async_wait"> {
  let summary = "Waits until at most `pending` groups of this lane's copies are not finished";
  let description = [{
    `copies` is the number of copies of a lane in each of these groups, for targets that count copies. Says
    nothing about other lanes: a barrier follows. C1: neither is negative.
  }];
  let arguments = (ins I32Attr:$pending, I32Attr:$copies);
  let assemblyFormat = "$pending `groups` `of` $copies attr-dict";
  let hasVerifier = 1;
}

def Tile_BarrierOp : TileOp<"barrier"> {
  let summary = "Waits for all warps of the block; what they wrote to shared memory is seen behind it";
  let assemblyFormat = "attr-dict";
}

#endif
