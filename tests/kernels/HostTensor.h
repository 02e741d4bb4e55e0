//===- HostTensor.h - Numbers of an element type on the host --------------===//
//
// The values are kept as doubles that the element type holds exactly, so that references compute on what the
// kernel sees.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TESTS_KERNELS_HOSTTENSOR_H
#define QUERN_TESTS_KERNELS_HOSTTENSOR_H

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace quern::test {

/// Bytes of one element: "bf16", "f16", "f32", "i32", "f8E4M3FN", "f8E4M3FNUZ".
size_t elementBytes(const std::string &element);

struct HostTensor {
  std::string element;
  std::vector<double> values;

  /// |values| rounded to the element type.
  static HostTensor of(const std::string &element, std::vector<double> values);
  /// Normal numbers, and whole numbers in [-range, range] (exact in every format for ranges up to 16).
  static HostTensor normal(const std::string &element, size_t count, uint64_t seed, double scale = 1);
  static HostTensor whole(const std::string &element, size_t count, uint64_t seed, int range = 4);

  std::vector<std::byte> bytes() const;
  static HostTensor fromBytes(const std::string &element, std::span<const std::byte> bytes);

  double operator[](size_t i) const { return values[i]; }
  size_t size() const { return values.size(); }
};

/// calc_diff of two vectors: 1 - 2 sum(xy) / sum(x^2 + y^2), 0 for equal ones; NaN where either holds a NaN.
double calcDiff(std::span<const double> x, std::span<const double> y);

/// Fails the test unless |got| is |want| within the rule for its element type (model-spec 4.3, rule 2):
/// calc_diff below 5e-6 for bf16 and 1e-9 for f32, and each element within 1e-3 of the largest or 2/128 of
/// itself.
void expectClose(const HostTensor &got, const std::vector<double> &want, const std::string &what);
/// Fails the test unless all bits are equal.
void expectEqual(const HostTensor &got, const HostTensor &want, const std::string &what);

/// Normal numbers rounded to bf16, as bits; and what they stand for.
std::vector<uint16_t> randomBf16(size_t count, uint64_t seed, float scale = 1.0f);
double bf16Value(uint16_t bits);
uint16_t bf16Bits(float value);

} // namespace quern::test

#endif // QUERN_TESTS_KERNELS_HOSTTENSOR_H
