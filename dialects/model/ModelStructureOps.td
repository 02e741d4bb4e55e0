//===- ModelStructureOps.td - Weights, layers, rows, tokens ---*- tablegen -*-===//

def Model_WeightOp : Model_Op<"weight", [Symbol]> {
  let summary = "Declares a weight and how it is made from checkpoint tensors";
  let description = [{
    A declaration with `layers 3 to 61` stands for one weight per layer, all of one type; `{layer}` in the names that
    its recipe reads is the layer's number. The bytes are never in the module. Whoever runs it resolves them by
    (symbol, layer). Without a recipe the checkpoint tensor has the symbol's own name.

    - C1: the type is a ranked tensor of a static shape, or block-scaled of a static shape.
    - C2: `layers first to end` has 0 <= first < end.

    ```mlir
    model.weight @down layers 3 to 61 : tensor<128x256xbf16> = #model.read<"layers.{layer}.down.weight">
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, OptionalAttr<I64Attr>:$first, OptionalAttr<I64Attr>:$end,
                       TypeAttr:$type, OptionalAttr<AnyAttr>:$recipe);
  let assemblyFormat = "$sym_name (`layers` $first^ `to` $end)? `:` $type (`=` $recipe^)? attr-dict";
  let hasVerifier = 1;
  let builders = [OpBuilder<(ins "::llvm::StringRef":$name, "::mlir::Type":$type, "::mlir::Attribute":$recipe), [{
    build($_builder, $_state, $_builder.getStringAttr(name), {}, {}, ::mlir::TypeAttr::get(type), recipe);
  }]>, OpBuilder<(ins "::llvm::StringRef":$name, "int64_t":$first, "int64_t":$end, "::mlir::Type":$type,
                      "::mlir::Attribute":$recipe), [{
    build($_builder, $_state, $_builder.getStringAttr(name), $_builder.getI64IntegerAttr(first),
          $_builder.getI64IntegerAttr(end), ::mlir::TypeAttr::get(type), recipe);
  }]>];
  let extraClassDeclaration = [{
    bool isPerLayer() { return getFirst().has_value(); }
  }];
}

def Model_UseOp : Model_PureOp<"use", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Fetches a declared weight, of one layer where it is declared per layer";
  let description = [{
    - C1: the symbol names a `model.weight`.
    - C2: the result type is the declared type.
    - C3: a layer is given exactly when the weight is declared per layer.

    ```mlir
    %w = model.use @down[%layer] : tensor<128x256xbf16>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$weight, Optional<Index>:$layer);
  let results = (outs AnyType:$result);
  let assemblyFormat = "$weight (`[` $layer^ `]`)? attr-dict `:` type($result)";
  let builders = [OpBuilder<(ins "WeightOp":$weight, CArg<"::mlir::Value", "{}">:$layer), [{
    build($_builder, $_state, weight.getType(), weight.getSymName(), layer);
  }]>];
}

def Model_LayerOp : Model_PureOp<"layer"> {
  let summary = "A layer's number: a constant, or a distance from another";
  let description = [{
    - C1: a constant layer is not negative.

    ```mlir
    %last = model.layer 61
    %second = model.layer %first plus 1
    ```
  }];
  let arguments = (ins Optional<Index>:$base, I64Attr:$offset);
  let results = (outs Index:$result);
  let assemblyFormat = "($base^ `plus`)? $offset attr-dict";
  let hasVerifier = 1;
}

def Model_RepeatOp : Model_Op<"repeat", [SingleBlock, RecursiveMemoryEffects,
                                         DeclareOpInterfaceMethods<InferTypeOpInterface>]> {
  let summary = "Runs its body for each of a range of equal layers, threading values through";
  let description = [{
    The body's first argument is the layer's number; the others are the values carried from layer to layer. With
    `step n` the body holds n layers and finds their numbers with `model.layer %layer plus i`.

    - C1: 0 <= first <= end, step >= 1, and step divides end - first.
    - C2: the body's arguments are an index and then one of each carried type.
    - C3: the body ends in a `model.yield` of the carried types.

    ```mlir
    %y, %c = model.repeat 3 to 61 (%x, %cache) : tensor<?x128xbf16>, !cache {
    ^bb0(%layer: index, %h: tensor<?x128xbf16>, %k: !cache):
      ...
      model.yield %h2, %k2 : tensor<?x128xbf16>, !cache
    }
    ```
  }];
  let arguments = (ins I64Attr:$first, I64Attr:$end, DefaultValuedAttr<I64Attr, "1">:$step,
                       Variadic<AnyType>:$inits);
  let results = (outs Variadic<AnyType>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $first `to` $end (`step` $step^)? `(` $inits `)` attr-dict `:` type($inits) $body
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::BlockArgument getLayer() { return getBody().getArgument(0); }
    int64_t getCount() { return (getEnd() - getFirst()) / getStep(); }
  }];
  let skipDefaultBuilders = 1;
  let builders = [OpBuilder<(ins "int64_t":$first, "int64_t":$end, "int64_t":$step, "::mlir::ValueRange":$inits)>];
}

def Model_YieldOp : Model_Op<"yield", [Pure, Terminator, HasParent<"RepeatOp">]> {
  let summary = "Hands a layer's values on to the next layer";
  let description = [{
    ```mlir
    model.yield %x, %cache : tensor<?x128xbf16>, !cache
    ```
  }];
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "$values attr-dict `:` type($values)";
}

//===-- Rows and tokens -----------------------------------------------------------------------------------===//

def Model_EmbeddingOp : Model_InferredOp<"embedding"> {
  let summary = "The table's row of each token";
  let description = [{
    `result[t] = table[tokens[t]]`, exact. A token outside the table is an error of the caller.

    - C1: the table is a matrix of bf16 or f32 values (typed).

    ```mlir
    %x = model.embedding %tokens in %table : tensor<256x128xbf16>
    ```
  }];
  let arguments = (ins Model_Integers:$tokens, Model_Rows:$table);
  let results = (outs Model_Rows:$result);
  let assemblyFormat = "$tokens `in` $table attr-dict `:` type($table)";
}

def Model_GatherRowsOp : Model_InferredOp<"gather_rows"> {
  let summary = "The rows asked for, in the order asked for";
  let description = [{
    `result[r] = x[rows[r]]`, exact. A row outside x is an error of the caller.

    ```mlir
    %last = model.gather_rows %x, %rows : tensor<?x128xbf16>
    ```
  }];
  let arguments = (ins Model_Rows:$x, Model_Integers:$rows);
  let results = (outs Model_Rows:$result);
  let assemblyFormat = "$x `,` $rows attr-dict `:` type($x)";
}

def Model_MaskVocabularyOp : Model_SameTypeOp<"mask_vocabulary"> {
  let summary = "Logits with -inf in the columns past the tokenizer's last token";
  let description = [{
    Vocabularies are padded; a padded column must never be drawn. `result[r, v] = v < valid ? x[r, v] : -inf`.

    - C1: 1 <= valid <= columns.

    ```mlir
    %l = model.mask_vocabulary %logits valid 250 : tensor<?x256xf32>
    ```
  }];
  let arguments = (ins Model_Logits:$x, I64Attr:$valid);
  let results = (outs Model_Logits:$result);
  let assemblyFormat = "$x `valid` $valid attr-dict `:` type($x)";
  let hasVerifier = 1;
}

def Model_SampleOp : Model_PureOp<"sample"> {
  let summary = "Draws one token from each row of logits";
  let description = [{
    Row r has a temperature, a seed and the position of the token whose logits these are. Temperature 0 takes the
    largest logit, the lowest index on ties. Otherwise `w = exp(logit / temperature - the largest quotient)` in fp32,
    u = the uniform number of (seed, position) by `support/Philox`, and the token is the lowest index whose running
    sum of w (fp64) exceeds u times the whole sum.

    - C1: logits are f32 rows (typed).
    - C2: temperatures are `tensor<?xf32>`, seeds `tensor<?xi64>` (typed).

    ```mlir
    %t = model.sample %logits at %positions temperatures %temperatures seeds %seeds
        : tensor<?x256xf32>, tensor<?xf32>, tensor<?xi64>
    ```
  }];
  let arguments = (ins Model_Logits:$logits, Model_Integers:$positions, 1DTensorOf<[F32]>:$temperatures,
                       1DTensorOf<[I64]>:$seeds);
  let results = (outs Model_Integers:$result);
  let assemblyFormat = [{
    $logits `at` $positions `temperatures` $temperatures `seeds` $seeds attr-dict
    `:` type($logits) `,` type($temperatures) `,` type($seeds)
  }];
}
