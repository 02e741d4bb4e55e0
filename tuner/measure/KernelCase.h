//===- KernelCase.h - One input of a kernel, with what it must compute ----===//
//
// A kernel is never timed before it was right. A case holds the arguments of one launch and the results that
// the oracle has for them; it is data, so that a machine without a compiler can check (contract 12).
//
// Outputs are filled with a sentinel before the launch. Afterwards the rows that the case knows must be
// right, rows that it does not know must have been written, and what lies between the rows and around the
// buffer must hold the sentinel still.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TUNER_MEASURE_KERNELCASE_H
#define QUERN_TUNER_MEASURE_KERNELCASE_H

#include "tuner/measure/TestData.h"

namespace quern::tuner {

struct CaseArgument {
  enum class Kind : uint8_t { Null, Input, Output, Scalar };
  Kind kind = Kind::Null;
  std::string element;            ///< of Input and Output
  uint64_t count = 0;             ///< elements
  DataSpec data = {};             ///< of an Input without |list|
  std::vector<int32_t> list = {}; ///< an Input of these i32
  int64_t scalar = 0;             ///< an i32
};

/// What an output must hold: rows of |columns| elements that begin |rowStride| elements apart.
struct ExpectedRows {
  uint32_t argument = 0;
  int64_t rows = 0, columns = 0, rowStride = 0;
  std::vector<int64_t> known = {}; ///< numbers of the rows whose values are known, ascending
  std::vector<float> values = {};  ///< [known, columns], exact or rounded once from f64
  bool exact = false;              ///< no order of the sums changes them: all bits are compared
};

struct KernelCase {
  std::vector<CaseArgument> arguments;
  std::vector<ExpectedRows> expected;
};

/// The byte that outputs and their surroundings are filled with. As bf16 it is -2.7e7 and as f32 -2.7e7 too:
/// nothing that a kernel computes from the patterns.
inline constexpr uint8_t sentinelByte = 0xCB;

/// Nothing where |bytes|, the whole output, is right; else one sentence that says where it is not. Values
/// that are not exact are held against the rule for their type: 1 - cosine-like difference below 5e-6 for
/// bf16 and f16, 1e-9 for f32, and each within 1e-3 of the largest or 1/64 of itself.
std::string checkOutput(const KernelCase &given, const ExpectedRows &expected,
                        std::span<const std::byte> bytes);

/// A case as bytes, and back. Exit::BadInput "E-BUNDLE-CASE" where they are no case, or one that no kernel
/// could be launched with.
std::string writeCase(const KernelCase &given);
Expected<KernelCase> readCase(std::string_view bytes);

} // namespace quern::tuner

#endif // QUERN_TUNER_MEASURE_KERNELCASE_H
