//===- LinearMap.cpp ------------------------------------------------------===//
#include "dialects/tile/LinearMap.h"

#include <bit>
#include <cassert>

namespace quern::tile {

static uint64_t leadingBit(uint64_t vector) { return std::bit_floor(vector); }

bool Span::insert(uint64_t vector) {
  assert(inserted_ < 64);
  Row row{vector, uint64_t(1) << inserted_++};
  for (const Row &other : rows_)
    if (row.vector & leadingBit(other.vector)) {
      row.vector ^= other.vector;
      row.sources ^= other.sources;
    }
  if (!row.vector)
    return false;
  uint64_t lead = leadingBit(row.vector);
  for (Row &other : rows_)
    if (other.vector & lead) {
      other.vector ^= row.vector;
      other.sources ^= row.sources;
    }
  rows_.push_back(row);
  return true;
}

uint64_t Span::reduce(uint64_t vector) const {
  for (const Row &row : rows_)
    if (vector & leadingBit(row.vector))
      vector ^= row.vector;
  return vector;
}

std::optional<uint64_t> Span::solve(uint64_t vector) const {
  uint64_t sources = 0;
  for (const Row &row : rows_)
    if (vector & leadingBit(row.vector)) {
      vector ^= row.vector;
      sources ^= row.sources;
    }
  return vector ? std::nullopt : std::optional(sources);
}

LinearMap LinearMap::identity(unsigned bits) {
  std::vector<uint64_t> columns;
  for (unsigned bit = 0; bit < bits; ++bit)
    columns.push_back(uint64_t(1) << bit);
  return LinearMap(std::move(columns));
}

uint64_t LinearMap::operator()(uint64_t input) const {
  uint64_t value = 0;
  for (; input; input &= input - 1)
    value ^= columns_[std::countr_zero(input)];
  return value;
}

LinearMap LinearMap::after(const LinearMap &inner) const {
  std::vector<uint64_t> columns;
  for (uint64_t column : inner.columns_)
    columns.push_back((*this)(column));
  return LinearMap(std::move(columns));
}

std::optional<LinearMap> LinearMap::rightInverse(unsigned outputBits) const {
  Span span(columns_);
  std::vector<uint64_t> columns;
  for (unsigned bit = 0; bit < outputBits; ++bit) {
    std::optional<uint64_t> sources = span.solve(uint64_t(1) << bit);
    if (!sources)
      return std::nullopt;
    columns.push_back(*sources);
  }
  return LinearMap(std::move(columns));
}

std::vector<uint64_t> LinearMap::kernel() const {
  Span span;
  std::vector<uint64_t> basis;
  for (unsigned bit = 0; bit < inputBits(); ++bit) {
    // A column that is the sum of earlier ones gives one element; with its own bit set, they are independent.
    if (std::optional<uint64_t> sources = span.solve(columns_[bit]))
      basis.push_back(*sources | uint64_t(1) << bit);
    span.insert(columns_[bit]);
  }
  return basis;
}

} // namespace quern::tile
