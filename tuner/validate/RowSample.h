//===- RowSample.h - Which rows of a large product are compared -----------===//
#ifndef QUERN_TUNER_VALIDATE_ROWSAMPLE_H
#define QUERN_TUNER_VALIDATE_ROWSAMPLE_H

#include <cstdint>
#include <vector>

namespace mlir {
class Operation;
}

namespace quern::validate {

/// Floating-point operations of one row of |op|, a multiplication and an addition each, where it is a product
/// or an attention over |positions| tokens; 0 for any other operator, whose rows cost little.
double flopsPerRow(mlir::Operation *op, int64_t positions);

/// All of |rows| where they cost at most |limit| operations together; else as many as do, spread evenly from
/// the first to the last, but two at least.
std::vector<int64_t> sampledRows(int64_t rows, double flopsPerRow, double limit);

} // namespace quern::validate

#endif // QUERN_TUNER_VALIDATE_ROWSAMPLE_H
