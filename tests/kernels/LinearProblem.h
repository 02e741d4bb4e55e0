//===- LinearProblem.h - A product with its operands and its reference ----===//
#ifndef QUERN_TESTS_KERNELS_LINEARPROBLEM_H
#define QUERN_TESTS_KERNELS_LINEARPROBLEM_H

#include "tests/kernels/KernelHarness.h"

namespace quern::test {

struct LinearCase {
  int rows, n, k; ///< rows of y
  bool bias = false;
  std::string x = "bf16", w = "bf16", b = "bf16", y = "bf16";
  int xPadding = 0, yPadding = 0; ///< elements behind a row
  int experts = 0;                ///< 0 for one matrix
  int share = 1;                  ///< rows of y for one row of x
  bool whole = false;
  bool grouped = false; ///< rows are sorted by expert first, in groups of `LinearProblem::round`
  bool single = false;  ///< a row of an expert alone in the tile of a block
};

struct LinearProblem {
  static constexpr int round = 32;
  LinearCase c;
  int xRows, xs, ys, kBlocks, nBlocks;
  bool scaled, quantised;
  HostTensor x, w, bias, xScales, wScales;
  std::vector<int32_t> indices;

  LinearProblem(const LinearCase &given, uint64_t seed);
  Parameters parameters() const;
  /// The rows of y without what lies between them, which must keep its sentinel.
  HostTensor run(KernelHarness &harness, const lowering::KernelRequest &request) const;
  std::vector<double> reference() const;
  /// Fails the test unless rows of one matrix have the same bits alone as among all others.
  void expectRowsIndependent(KernelHarness &harness, const lowering::KernelRequest &request) const;
  /// Rows of the arrangement by groups, at most.
  int places() const { return c.rows + c.experts * (round - 1); }
};

} // namespace quern::test

#endif // QUERN_TESTS_KERNELS_LINEARPROBLEM_H
