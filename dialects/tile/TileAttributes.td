//===- TileAttributes.td - Attributes and types of the tile dialect -------===//
#ifndef QUERN_DIALECTS_TILE_TILEATTRIBUTES_TD
#define QUERN_DIALECTS_TILE_TILEATTRIBUTES_TD

include "dialects/tile/TileDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

class TileAttr<string name, string mnemonic_> : AttrDef<TileDialect, name> {
  let mnemonic = mnemonic_;
}

def Tile_LayoutAttr : TileAttr<"Layout", "layout"> {
  let summary = "Where the elements of a tile live: registers, lanes and warps";
  let description = [{
    Wraps `Layout` of `dialects/tile/LayoutAlgebra.h`, which explains the idea. Each list holds the bases of one
    hardware dimension, lowest bit first; `repeat` has one entry for each tile dimension.

    ```mlir
    !t = tensor<4x8xf32, #tile.layout<register = [[0, 1], [0, 2]], lane = [[0, 4], [1, 0], [2, 0]], warp = [], repeat = [1, 1]>>
    ```
  }];
  let parameters = (ins AttrOrTypeParameter<"::quern::tile::Layout", "the map", "const ::quern::tile::Layout &">:$layout);
  let hasCustomAssemblyFormat = 1;
}

def Tile_DimsAttr : TileAttr<"Dims", "dims"> {
  let summary = "Sizes of a tile in a generic kernel text: numbers and parameter names";
  let description = [{
    The encoding of a tensor of unknown sizes, `tensor<?x?xf32, #tile.dims<BM, 64>>`. `tile-specialize` replaces
    the type by the static one.
  }];
  let parameters = (ins ArrayRefParameter<"::mlir::Attribute">:$dims);
  let hasCustomAssemblyFormat = 1;
}

def Tile_SharedAttr : TileAttr<"Shared", "shared"> {
  let summary = "A tile of two dimensions lies in shared memory, rows along its last dimension";
  let description = [{
    Panels of `span` bytes of each row one after another, 16-byte pieces exchanged by the row, as
    `MemoryLayout::swizzled` of `dialects/tile/MemoryLayout.h` says.
  }];
  let parameters = (ins "int64_t":$span);
  let assemblyFormat = "`<` $span `>`";
}

class TileType<string name, string mnemonic_> : TypeDef<TileDialect, name> {
  let mnemonic = mnemonic_;
}

def Tile_ElemType : TileType<"Elem", "elem"> {
  let summary = "Element type of a generic kernel text, named by a parameter";
  let parameters = (ins StringRefParameter<"name of the parameter">:$name);
  let assemblyFormat = "`<` $name `>`";
}

def Tile_PtrType : TileType<"Ptr", "ptr"> {
  let summary = "Pointer to elements in global memory, as a kernel argument";
  let parameters = (ins "::mlir::Type":$elementType);
  let assemblyFormat = "`<` $elementType `>`";
}

def Tile_ViewType : TileType<"View", "view"> {
  let summary = "Global tensor with run-time sizes and strides";
  let parameters = (ins "int64_t":$rank, "::mlir::Type":$elementType);
  let assemblyFormat = "`<` $rank `,` $elementType `>`";
}

def Tile_TensorMapType : TileType<"TensorMap", "tensor_map"> {
  let summary = "A global tensor as copies by descriptor take it";
}

def Tile_SlotsType : TileType<"Slots", "slots"> {
  let summary = "A ring of slots in shared memory, each with room for these tiles";
  let parameters = (ins "int64_t":$depth, ArrayRefParameter<"::mlir::Type">:$tiles);
  let assemblyFormat = "`<` $depth `,` $tiles `>`";
}

def Tile_ReduceKind : I32EnumAttr<"ReduceKind", "How a reduction combines two elements", [
    I32EnumAttrCase<"Add", 0, "add">, I32EnumAttrCase<"Max", 1, "max">, I32EnumAttrCase<"Min", 2, "min">]> {
  let cppNamespace = "::quern::tile";
  let genSpecializedAttr = 0;
}
def Tile_ReduceKindAttr : EnumAttr<TileDialect, Tile_ReduceKind, "reduce_kind"> {
  let assemblyFormat = "$value";
}

def Tile_RingPath : I32EnumAttr<"RingPath", "How tiles arrive in a ring", [
    I32EnumAttrCase<"Tensor", 0, "tensor">, I32EnumAttrCase<"Async", 1, "async">,
    I32EnumAttrCase<"Direct", 2, "direct">, I32EnumAttrCase<"Staged", 3, "staged">]> {
  let cppNamespace = "::quern::tile";
  let genSpecializedAttr = 0;
}
def Tile_RingPathAttr : EnumAttr<TileDialect, Tile_RingPath, "ring_path"> {
  let assemblyFormat = "$value";
}

def Tile_MemoryAttr : TileAttr<"Memory", "memory"> {
  let summary = "Where the elements of a tile lie in shared memory";
  let description = [{
    Wraps `MemoryLayout` of `dialects/tile/MemoryLayout.h`, which explains the idea.

    ```mlir
    #tile.memory<shape = [8, 64], offset = [[0, 1], [0, 2], [0, 4], [0, 8], [0, 16], [0, 32], [1, 8], [2, 16], [4, 32]],
                 core = [8, 64], stride = [512, 512]>
    ```
  }];
  let parameters = (ins AttrOrTypeParameter<"::quern::tile::MemoryLayout", "the map",
                                            "const ::quern::tile::MemoryLayout &">:$layout);
  let hasCustomAssemblyFormat = 1;
}

def Tile_RingType : TileType<"Ring", "ring"> {
  let summary = "Slots in shared memory, each for a tile of this shape and element type";
  let description = [{
    `memory` is where a slot's elements lie, set by `tile-choose-swizzle`.

    ```mlir
    !tile.ring<3, [128, 64], bf16>
    ```
  }];
  let parameters = (ins "int64_t":$depth, ArrayRefParameter<"int64_t">:$shape, "::mlir::Type":$elementType,
                        OptionalParameter<"::quern::tile::MemoryAttr">:$memory);
  let assemblyFormat = "`<` $depth `,` `[` $shape `]` `,` $elementType (`,` $memory^)? `>`";
}

#endif
