//===- TileOps.td - Operations of the tile dialect, level 1 ---------------===//
#ifndef QUERN_DIALECTS_TILE_TILEOPS_TD
#define QUERN_DIALECTS_TILE_TILEOPS_TD

include "dialects/tile/TileAttributes.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/FunctionInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class TileOp<string mnemonic, list<Trait> traits = []> : Op<TileDialect, mnemonic, traits>;

def Tile_Value : Type<CPred<"::llvm::isa<::mlir::RankedTensorType>($_self)">, "tile">;
def Tile_Scalar : Type<CPred<"$_self.isIntOrFloat() || ::llvm::isa<::quern::tile::ElemType>($_self)">, "scalar">;

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

def Tile_KernelOp : TileOp<"kernel", [IsolatedFromAbove, Symbol, FunctionOpInterface, AutomaticAllocationScope]> {
  let summary = "Program of one block; the grid has one block for each point of its domain";
  let description = [{
    Arguments are `!tile.ptr` and scalars (i32, f32). `tile_names` names the Schedule's `tile` sizes in order:
    they are the parameters that `tile.param`, `#tile.dims` refer to. `grid` is set by `tile-map-work`.

    ```mlir
    tile.kernel @scale(%x: !tile.ptr<f32>, %n: i32) attributes {tile_names = ["BN"]} {
      %size = tile.param "BN" : i32
      %i = tile.domain %n by %size
      ...
      tile.return
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<FunctionType>:$function_type,
                       OptionalAttr<StrArrayAttr>:$tile_names, OptionalAttr<DictArrayAttr>:$arg_attrs,
                       OptionalAttr<DictArrayAttr>:$res_attrs);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let extraClassDeclaration = [{
    ::mlir::Region *getCallableRegion() { return &getBody(); }
    ::llvm::ArrayRef<::mlir::Type> getArgumentTypes() { return getFunctionType().getInputs(); }
    ::llvm::ArrayRef<::mlir::Type> getResultTypes() { return getFunctionType().getResults(); }
  }];
}

def Tile_ReturnOp : TileOp<"return", [Pure, Terminator, HasParent<"KernelOp">]> {
  let summary = "End of a kernel";
  let assemblyFormat = "attr-dict";
}

def Tile_DomainOp : TileOp<"domain", [Pure, SameVariadicOperandSize, HasParent<"KernelOp">]> {
  let summary = "Start coordinates of this block's work item, one for each domain dimension";
  let description = [{
    The domain is the product of ceil(extent / step) over its dimensions; the last dimension is the fastest.
    Result d is coordinate times step, hence a multiple of step and below the extent.

    C1: extents and steps pair up with the results. C2: after `tile-specialize` the steps are constants.
  }];
  let arguments = (ins Variadic<I32>:$extents, Variadic<I32>:$steps);
  let results = (outs Variadic<I32>:$starts);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
}

def Tile_ParamOp : TileOp<"param", [Pure]> {
  let summary = "Constant of a generic kernel text, named by a parameter";
  let arguments = (ins StrAttr:$name);
  let results = (outs Tile_Scalar:$value);
  let assemblyFormat = "$name attr-dict `:` type($value)";
}

def Tile_StaticIfOp : TileOp<"static_if", [NoRegionArguments, RecursiveMemoryEffects,
    SingleBlockImplicitTerminator<"YieldOp">]> {
  let summary = "Chooses one of two regions when the kernel is specialised";
  let description = [{
    The first region is kept where the parameter `flag` is not zero, else the second.
  }];
  let arguments = (ins StrAttr:$flag);
  let results = (outs Variadic<AnyType>:$results);
  let regions = (region SizedRegion<1>:$thenRegion, AnyRegion:$elseRegion);
  let assemblyFormat = "$flag (`->` type($results)^)? $thenRegion (`else` $elseRegion^)? attr-dict";
}

def Tile_RequireOp : TileOp<"require"> {
  let summary = "States that one size divides another, or the Schedule does not fit the kernel";
  let description = [{
    `tile-specialize` checks it on the values of the parameters and removes it. C1: the first divides the second.

    ```mlir
    tile.require %bn divides %c64
    ```
  }];
  let arguments = (ins I32:$divisor, I32:$multiple);
  let assemblyFormat = "$divisor `divides` $multiple attr-dict";
}

def Tile_YieldOp : TileOp<"yield", [Pure, Terminator, ReturnLike, ParentOneOf<["StaticIfOp"]>]> {
  let summary = "Results of a static_if region";
  let arguments = (ins Variadic<AnyType>:$operands);
  let assemblyFormat = "($operands^ `:` type($operands))? attr-dict";
  let builders = [OpBuilder<(ins), [{ build($_builder, $_state, ::mlir::ValueRange()); }]>];
}

//===----------------------------------------------------------------------===//
// Global memory
//===----------------------------------------------------------------------===//

def Tile_ViewOp : TileOp<"view", [Pure, AttrSizedOperandSegments]> {
  let summary = "Views a pointer as a tensor of the given sizes and strides (in elements)";
  let description = [{
    C1: as many sizes as the rank of the view. C2: as many strides. C3: equal element types.
    Without strides the view is row-major and dense.
  }];
  let arguments = (ins Tile_PtrType:$base, Variadic<I32>:$sizes, Variadic<I32>:$strides);
  let results = (outs Tile_ViewType:$view);
  let assemblyFormat = "$base `[` $sizes `]` (`strides` `[` $strides^ `]`)? attr-dict `:` type($base) `->` type($view)";
  let hasVerifier = 1;
}

def Tile_LoadOp : TileOp<"load", [MemoryEffects<[MemRead]>]> {
  let summary = "Loads a tile whose dimensions are the trailing dimensions of the view";
  let description = [{
    Elements outside of the view read as zero. C1: one offset for each dimension of the view. C2: the rank of
    the tile is at most that of the view. C3: equal element types.
  }];
  let arguments = (ins Tile_ViewType:$view, Variadic<I32>:$offsets);
  let results = (outs Tile_Value:$tile);
  let assemblyFormat = "$view `[` $offsets `]` attr-dict `:` type($view) `->` type($tile)";
  let hasVerifier = 1;
}

def Tile_StoreOp : TileOp<"store", [MemoryEffects<[MemWrite]>]> {
  let summary = "Stores a tile to the trailing dimensions of the view";
  let description = [{
    Elements outside of the view are dropped. C1-C3 as for `tile.load`.
  }];
  let arguments = (ins Tile_Value:$tile, Tile_ViewType:$view, Variadic<I32>:$offsets);
  let assemblyFormat = "$tile `,` $view `[` $offsets `]` attr-dict `:` type($tile) `,` type($view)";
  let hasVerifier = 1;
}

def Tile_GatherOp : TileOp<"gather", [MemoryEffects<[MemRead]>]> {
  let summary = "Loads one element for each element of the index tiles";
  let description = [{
    One index for each dimension of the view: a scalar, or an i32 tile of the result's shape. Elements outside of
    the view (also negative indices) read as zero. C1: the number of indices. C2: index shapes. C3: element types.
  }];
  let arguments = (ins Tile_ViewType:$view, Variadic<AnyType>:$indices);
  let results = (outs Tile_Value:$tile);
  let assemblyFormat = "$view `[` $indices `]` attr-dict `:` type($view) `,` type($indices) `->` type($tile)";
  let hasVerifier = 1;
}

def Tile_ScatterOp : TileOp<"scatter", [MemoryEffects<[MemWrite]>]> {
  let summary = "Stores each element of a tile at its own index";
  let description = [{
    Indices as for `tile.gather`; elements outside of the view are dropped. Two elements with one index leave
    either of the two.
  }];
  let arguments = (ins Tile_Value:$tile, Tile_ViewType:$view, Variadic<AnyType>:$indices);
  let assemblyFormat = "$tile `,` $view `[` $indices `]` attr-dict `:` type($tile) `,` type($view) `,` type($indices)";
  let hasVerifier = 1;
}

def Tile_LoadScalarOp : TileOp<"load_scalar", [MemoryEffects<[MemRead]>]> {
  let summary = "Loads one element of the view, the same for the whole block";
  let description = [{
    The index must lie inside of the view. C1: one offset for each dimension. C2: equal element types.
  }];
  let arguments = (ins Tile_ViewType:$view, Variadic<I32>:$offsets);
  let results = (outs Tile_Scalar:$value);
  let assemblyFormat = "$view `[` $offsets `]` attr-dict `:` type($view) `->` type($value)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

def Tile_SplatOp : TileOp<"splat", [Pure]> {
  let summary = "Tile whose elements all equal a scalar";
  let description = [{
    C1: the scalar has the tile's element type.
  }];
  let arguments = (ins Tile_Scalar:$value);
  let results = (outs Tile_Value:$tile);
  let assemblyFormat = "$value attr-dict `:` type($value) `->` type($tile)";
  let hasVerifier = 1;
}

def Tile_IotaOp : TileOp<"iota", [Pure]> {
  let summary = "Tile of each element's coordinate along a dimension";
  let description = [{
    C1: `dim` is a dimension of the tile. C2: the elements are i32.
  }];
  let arguments = (ins I64Attr:$dim);
  let results = (outs Tile_Value:$tile);
  let assemblyFormat = "$dim attr-dict `:` type($tile)";
  let hasVerifier = 1;
}

def Tile_BroadcastOp : TileOp<"broadcast", [Pure]> {
  let summary = "Repeats a tile along the dimensions of the result that it lacks";
  let description = [{
    Dimension i of the operand is dimension `dims[i]` of the result. C1: `dims` has the operand's rank and
    ascends. C2: the sizes agree. C3: equal element types.
  }];
  let arguments = (ins Tile_Value:$operand, DenseI64ArrayAttr:$dims);
  let results = (outs Tile_Value:$tile);
  let assemblyFormat = "$operand `dims` $dims attr-dict `:` type($operand) `->` type($tile)";
  let hasVerifier = 1;
}

def Tile_ReduceOp : TileOp<"reduce", [Pure]> {
  let summary = "Combines the elements along one dimension, in an order that depends on the layout alone";
  let description = [{
    C1: `dim` is a dimension of the operand. C2: the result drops it. C3: equal element types.
  }];
  let arguments = (ins Tile_ReduceKindAttr:$kind, Tile_Value:$operand, I64Attr:$dim);
  let results = (outs Tile_Value:$tile);
  let assemblyFormat = "$kind $operand `dim` $dim attr-dict `:` type($operand) `->` type($tile)";
  let hasVerifier = 1;
}

def Tile_ConvertOp : TileOp<"convert", [Pure]> {
  let summary = "Converts each element to another number type";
  let description = [{
    Floating point rounds to nearest even; to fp8 it saturates to the largest finite value and keeps NaN. Integer
    to floating point is signed. f32 to i32 rounds toward zero. i1 extends as unsigned. C1: equal shapes.
  }];
  let arguments = (ins Tile_Value:$operand);
  let results = (outs Tile_Value:$tile);
  let assemblyFormat = "$operand attr-dict `:` type($operand) `->` type($tile)";
  let hasVerifier = 1;
}

def Tile_BitcastOp : TileOp<"bitcast", [Pure]> {
  let summary = "Reinterprets the bits of each element as a type of the same width";
  let description = [{
    C1: equal shapes and widths.
  }];
  let arguments = (ins Tile_Value:$operand);
  let results = (outs Tile_Value:$tile);
  let assemblyFormat = "$operand attr-dict `:` type($operand) `->` type($tile)";
  let hasVerifier = 1;
}

def Tile_DotPairsOp : TileOp<"dot_pairs", [Pure, AllTypesMatch<["accumulator", "tile"]>, AllTypesMatch<["a", "b"]>]> {
  let summary = "Adds the products of pairs of neighbours along the last dimension";
  let description = [{
    tile[.., j] = accumulator[.., j] + a[.., 2j] * b[.., 2j] + a[.., 2j+1] * b[.., 2j+1]. What targets with such an
    instruction make of a product whose sum runs over lanes. C1: the accumulator is f32, of half the size of the
    operands along the last dimension and of their size along the others.

    ```mlir
    %s = tile.dot_pairs %a, %b, %sum : tensor<4x4x32xbf16> -> tensor<4x4x16xf32>
    ```
  }];
  let arguments = (ins Tile_Value:$a, Tile_Value:$b, Tile_Value:$accumulator);
  let results = (outs Tile_Value:$tile);
  let assemblyFormat = "$a `,` $b `,` $accumulator attr-dict `:` type($a) `->` type($tile)";
  let hasVerifier = 1;
}

def Tile_MmaOp : TileOp<"mma", [Pure, AttrSizedOperandSegments, AllTypesMatch<["accumulator", "tile"]>]> {
  let summary = "Adds the matrix product of two tiles to an accumulator in f32";
  let description = [{
    `a` is [M, K]; `b` is [N, K], or [K, N] with `b_rows_are_k`. The accumulator is an f32 tile [M, N].
    With scales (`scale_a` [M], `scale_b` [N]) each product of this step is multiplied by scale_a[m] * scale_b[n]
    after the sum over K. C1: the sizes agree. C2: the accumulator is f32. C3: both scales or none.
    `atom` names the matrix instruction of the target's table, set by `tile-select-atoms`; without it the
    product runs on ordinary pipes.
  }];
  let arguments = (ins Tile_Value:$a, Tile_Value:$b, Tile_Value:$accumulator, Optional<Tile_Value>:$scale_a,
                       Optional<Tile_Value>:$scale_b, UnitAttr:$b_rows_are_k,
                       OptionalAttr<StrAttr>:$atom);
  let results = (outs Tile_Value:$tile);
  let assemblyFormat = [{
    $a `,` $b `,` $accumulator (`b_rows_are_k` $b_rows_are_k^)? (`scales` $scale_a^ `,` $scale_b `:` type($scale_a) `,` type($scale_b))?
    attr-dict `:` type($a) `,` type($b) `->` type($tile)
  }];
  let hasVerifier = 1;
}

def Tile_RelayoutOp : TileOp<"relayout", [Pure]> {
  let summary = "The same tile in another layout";
  let description = [{
    Inserted by `tile-infer-layouts`; becomes register moves, or a round trip through shared memory.
    C1: equal shapes and elements.
  }];
  let arguments = (ins Tile_Value:$operand);
  let results = (outs Tile_Value:$tile);
  let assemblyFormat = "$operand attr-dict `:` type($operand) `->` type($tile)";
  let hasVerifier = 1;
}

include "dialects/tile/TileRingOps.td"
include "dialects/tile/TileRoleOps.td"

#endif
