//===- TileDialect.td - The tile dialect ----------------------------------===//
#ifndef QUERN_DIALECTS_TILE_TILEDIALECT_TD
#define QUERN_DIALECTS_TILE_TILEDIALECT_TD

include "mlir/IR/OpBase.td"

def TileDialect : Dialect {
  let name = "tile";
  let cppNamespace = "::quern::tile";
  let summary = "How one block of threads computes an operator, without any vendor";
  let description = [{
    A kernel is a program for one block. Tiles are builtin tensors of static shape; `arith` and `math` work on
    them element by element. Before phase `layouts` a tile says only what it holds; after it, the encoding of
    each tensor type is a `#tile.layout` that says where its elements live.

    Kernel texts (`kernels/<kernel>/tile.mlir`) are generic: sizes are `#tile.dims`, element types are
    `!tile.elem`, constants are `tile.param`, and optional parts are `tile.static_if`. The pass
    `tile-specialize` replaces all of them.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let hasConstantMaterializer = 0;
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect", "::mlir::math::MathDialect"];
}

#endif
