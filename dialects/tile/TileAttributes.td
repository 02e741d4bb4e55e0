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

def Tile_ReduceKind : I32EnumAttr<"ReduceKind", "How a reduction combines two elements", [
    I32EnumAttrCase<"Add", 0, "add">, I32EnumAttrCase<"Max", 1, "max">, I32EnumAttrCase<"Min", 2, "min">]> {
  let cppNamespace = "::quern::tile";
  let genSpecializedAttr = 0;
}
def Tile_ReduceKindAttr : EnumAttr<TileDialect, Tile_ReduceKind, "reduce_kind"> {
  let assemblyFormat = "$value";
}

#endif
