//===- TileRoleOps.td - Operations of the tile dialect, level 2: roles ----===//
//
// Made by `tile-assign-roles` where some warps of a block only copy and the others only compute. Still no
// vendor: slots of shared memory that copies by descriptor fill, and who fills and who empties them.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_DIALECTS_TILE_TILEROLEOPS_TD
#define QUERN_DIALECTS_TILE_TILEROLEOPS_TD

def Tile_TensorMapOp : TileOp<"tensor_map", [Pure, AttrSizedOperandSegments]> {
  let summary = "The tensor behind a pointer, as copies by descriptor take it";
  let description = [{
    The launch passes a tensor map in place of the pointer, encoded from the sizes and strides (in elements, of
    all dimensions), the box that one copy moves and the span of the swizzle in bytes. C1: sizes, strides and
    box are those of 1 to 5 dimensions; without strides the tensor is dense. C2: the pointer is an argument of
    the kernel and nothing else reads it. C3: sizes are constants or i32 arguments, strides are constants.
  }];
  let arguments = (ins Tile_PtrType:$base, Variadic<I32>:$sizes, Variadic<I32>:$strides,
                       DenseI64ArrayAttr:$box, I64Attr:$span);
  let results = (outs Tile_TensorMapType:$map);
  let assemblyFormat = [{
    $base `[` $sizes `]` (`strides` `[` $strides^ `]`)? `box` $box `span` $span attr-dict `:` type($base)
  }];
  let hasVerifier = 1;
}

def Tile_SlotsOp : TileOp<"slots"> {
  let summary = "Shared memory for tiles that come and go, in a ring of equal slots";
  let description = [{
    Each slot holds one tile of each type, in the layout of its `#tile.shared`. A slot is empty at first. Phases
    count the turns of the ring, modulo 2, from 0.
  }];
  let results = (outs Tile_SlotsType:$slots);
  let assemblyFormat = "attr-dict `:` type($slots)";
}

def Tile_FillSlotOp : TileOp<"fill_slot", [AttrSizedOperandSegments]> {
  let summary = "Waits until a slot is empty and starts the copies that fill it";
  let description = [{
    One map for each tile of the slot, and the coordinates of the tile's first element in each map, outermost
    first, for one map after another. Elements outside of a tensor are zero. C1: as many maps as tiles.
  }];
  let arguments = (ins Tile_SlotsType:$slots, I32:$slot, I32:$phase, Variadic<Tile_TensorMapType>:$maps,
                       Variadic<I32>:$coordinates);
  let assemblyFormat = [{
    $slots `[` $slot `,` $phase `]` `from` $maps `at` `[` $coordinates `]` attr-dict `:` type($slots)
  }];
  let hasVerifier = 1;
}

def Tile_WaitSlotOp : TileOp<"wait_slot"> {
  let summary = "Waits until a slot is filled, and gives its tiles";
  let description = [{
    The tiles may be read until the slot is freed. C1: the types of the results are those of the slots.
  }];
  let arguments = (ins Tile_SlotsType:$slots, I32:$slot, I32:$phase);
  let results = (outs Variadic<Tile_Value>:$tiles);
  let assemblyFormat = "$slots `[` $slot `,` $phase `]` attr-dict `:` type($slots) `->` type($tiles)";
  let hasVerifier = 1;
}

def Tile_FreeSlotOp : TileOp<"free_slot"> {
  let summary = "Says that this warp has read what it needs of a slot";
  let arguments = (ins Tile_SlotsType:$slots, I32:$slot);
  let assemblyFormat = "$slots `[` $slot `]` attr-dict `:` type($slots)";
}

def Tile_RolesOp : TileOp<"roles", [SingleBlock, NoTerminator, NoRegionArguments, HasParent<"KernelOp">]> {
  let summary = "Divides the warps of the block: some copy, the others compute";
  let description = [{
    One thread runs the region `copy`, which holds scalars only; all warps that compute run the other one.
    Registers of a lane are handed from those that copy to those that compute; 0 leaves them as they are.
  }];
  let arguments = (ins I32Attr:$copy_registers, I32Attr:$compute_registers);
  let regions = (region SizedRegion<1>:$copy, SizedRegion<1>:$compute);
  let assemblyFormat = [{
    `registers` $copy_registers `,` $compute_registers `copy` $copy `compute` $compute attr-dict
  }];
}

#endif
