//===- RowForms.h - From how many tokens on is another kernel better? -----===//
//
// The plan holds several ways to compute an operator where few tokens and many want different kernels
// (`runtime::Choice`). Here is where one ends and the next begins, from sizes and facts of the card; no shape
// is looked up.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_LOWERING_MODEL_TO_TILE_ROWFORMS_H
#define QUERN_LOWERING_MODEL_TO_TILE_ROWFORMS_H

#include "lowering/targets/CodeTarget.h"

namespace quern::lowering {

/// The experts of a layer.
struct ExpertSizes {
  int64_t matrices = 1; ///< experts
  int64_t chosen = 1;   ///< of a token
  int64_t bytes = 0;    ///< of all matrices of one expert
};

/// Tokens from which it pays to sort the rows of the experts: a block then reads a matrix once for all its
/// rows, where a block a row reads it for each.
///
/// Of r = tokens * chosen rows, spread evenly over E matrices, E * (1 - (1 - 1/E)^r) matrices have a row; the
/// others of the r reads are saved. They must take longer than the launch that sorts. From r >= E on sorting
/// is taken in any case: more than a third of the reads is saved, and tiles have more than one row.
int64_t tokensToSort(const ExpertSizes &sizes, const CodeTarget &target);

/// Tokens up to which no two groups of rows could be joined in the bound of the arrangement's length: r rows
/// fill at most r groups, and at most r / ROUND + E, whichever is less.
int64_t tokensOfSingleRows(const ExpertSizes &sizes);

} // namespace quern::lowering

#endif // QUERN_LOWERING_MODEL_TO_TILE_ROWFORMS_H
