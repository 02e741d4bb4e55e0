//===- TestData.h - Operands of a trial, made where they are needed -------===//
//
// A trial's inputs are a few numbers (a pattern, its seed and a count), not bytes: the machine that measures
// a bundle makes the same bytes as the one that built it. So only arithmetic is used that has one answer
// everywhere: whole numbers, powers of two, and the encoders of Float8.h.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TUNER_MEASURE_TESTDATA_H
#define QUERN_TUNER_MEASURE_TESTDATA_H

#include "support/Status.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace quern::tuner {

enum class Pattern : uint8_t {
  Zero,
  Whole,   ///< whole numbers in [-4, 4]: sums of their products are exact in f32 up to a million terms
  Spread,  ///< bell-shaped in (-2, 2) times |scale|, a power of two
  Powers,  ///< 1, 2 or 4: scales that keep sums exact
  Scales,  ///< in [1, 2) times |scale|
  Indices, ///< in [0, limit)
};
const char *patternName(Pattern pattern);
/// Exit::BadInput "E-BUNDLE-CASE".
Expected<Pattern> parsePattern(std::string_view name);

struct DataSpec {
  Pattern pattern = Pattern::Zero;
  uint64_t seed = 0;
  double scale = 1;
  int64_t limit = 1;
};

/// Bytes of one element: "bf16", "f16", "f32", "i32", "f8E4M3FN", "f8E4M3FNUZ", "f8E5M2"; 0 for any other
/// name.
size_t elementBytes(const std::string &element);

/// The |index|-th number of |spec| before it is rounded to its element type.
double dataValue(const DataSpec &spec, uint64_t index);
/// |count| elements of |element|, a known one.
std::vector<std::byte> makeData(const DataSpec &spec, const std::string &element, uint64_t count);
/// The |index|-th element as a number.
double elementValue(const std::string &element, std::span<const std::byte> bytes, uint64_t index);
/// |value| rounded to |element| and back.
double roundTo(const std::string &element, double value);

} // namespace quern::tuner

#endif // QUERN_TUNER_MEASURE_TESTDATA_H
