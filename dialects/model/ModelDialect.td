//===- ModelDialect.td - What a model computes ----------------*- tablegen -*-===//
#ifndef QUERN_DIALECTS_MODEL_MODELDIALECT_TD
#define QUERN_DIALECTS_MODEL_MODELDIALECT_TD

include "mlir/IR/OpBase.td"

def Model_Dialect : Dialect {
  let name = "model";
  let cppNamespace = "::quern::model";
  let summary = "Operators of a language model on tensors with a symbolic number of tokens";
  let description = [{
    The dialect says *what* is computed: operators on tensors, weights by name, a key-value cache as a threaded
    value. It says nothing of kernels, targets or memory.

    **Numbers.** Every operator computes in fp32 with fp64 sums and rounds once to its result type
    (`dialects/model/reference` is that definition, executable). Where an operator has inner roundings its
    description lists them.

    **Symbols.** A leading `?` is the number of tokens in the step (T); after `model.gather_rows` it is the number
    of rows asked for. The number of sequences (B) and of cache pages (P) appear only inside the cache.

    **A module** holds `model.weight` declarations and these functions:

    - `@step(tokens, positions, sequences, rows, cache) -> (logits, [hidden,] cache)`. The first three are
      `tensor<?xi32>` of length T: token id, position in its sequence, index of its sequence. `rows` lists the rows
      (of T) whose logits are wanted. `hidden` (all T rows, after the final norm) is there when `@mtp` is.
    - `@mtp(tokens, hidden, positions, sequences, rows, cache) -> (logits, hidden, cache)`, where there is a
      multi-token-prediction head: row i has the token at position i + 1 and the main model's hidden state at i.

    Layers that are alike are one `model.repeat`, whose body fetches the weights of layer `%layer`.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let extraClassDeclaration = [{
    void registerAttributes();
    void registerTypes();
    void registerOperations();
  }];
}

#endif // QUERN_DIALECTS_MODEL_MODELDIALECT_TD
