//===- Tensor.h - What the oracle computes with -----------------*- C++ -*-===//
//
// `Tensor` holds values that are worked on: every element widened to float (or int32), already rounded to the
// element type that the tensor claims. `Packed` holds values as they are stored: weights, possibly mapped
// from a file, and quantised rows. MLIR-free.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_DIALECTS_MODEL_REFERENCE_TENSOR_H
#define QUERN_DIALECTS_MODEL_REFERENCE_TENSOR_H

#include "support/Bytes.h"
#include "support/ElementType.h"
#include "support/Float8.h"
#include "support/Status.h"

#include <memory>
#include <vector>

namespace quern::model::reference {

using Shape = std::vector<int64_t>;

/// Product of the dimensions.
int64_t elementCount(const Shape &shape);
/// "[3, 128]", for messages.
std::string shapeText(const Shape &shape);

/// |value| rounded once to |type| (F32, BF16 or F16) and widened again.
float roundTo(ElementType type, double value);

/// Row-major values in memory.
struct Tensor {
  ElementType type = ElementType::F32; ///< F32, BF16, F16: `values`; I32: `integers`; I64: `longs`
  Shape shape;
  std::vector<float> values;
  std::vector<int32_t> integers;
  std::vector<int64_t> longs;

  static Tensor zeros(ElementType type, Shape shape);
  /// Rounds |values| to |type|.
  static Tensor of(ElementType type, Shape shape, std::vector<float> values);
  static Tensor ofIntegers(std::vector<int32_t> values);
  static Tensor ofLongs(std::vector<int64_t> values);

  int64_t rows() const { return shape.empty() ? 1 : shape[0]; }
  /// Elements of one row: the product of all dimensions but the first.
  int64_t rowSize() const { return rows() ? elementCount(shape) / rows() : 0; }
  int64_t lastDim() const { return shape.back(); }
};

/// Values in their stored form. With a block size the value of element [..., i, j] is its code times
/// scale[..., i / block[0], j / block[1]]; scales are F32 or F8E8M0.
struct Packed {
  ElementType type = ElementType::BF16; ///< F32, F16, BF16, or with scales F8E4M3, F8E4M3FNUZ, F8E5M2
  Shape shape;
  ByteSpan bytes;
  int64_t block[2] = {0, 0}; ///< both 0: no scales
  ElementType scaleType = ElementType::F32;
  ByteSpan scales;
  /// Activations that meet this weight get power-of-two scales.
  bool powerOfTwoScales = false;
  /// Keeps `bytes` and `scales` alive; may be empty when the caller does.
  std::shared_ptr<const void> owner;

  bool isBlockScaled() const { return block[0] != 0; }
  int64_t rows() const { return shape[shape.size() - 2]; }
  int64_t columns() const { return shape.back(); }

  /// Exit::BadInput "E-ORACLE-WEIGHT" where sizes of bytes or scales do not fit type, shape and block.
  Status check() const;
  /// One matrix of a stack (rank 3).
  Packed slice(int64_t index) const;
  /// Row |row| of a matrix, one float per column: the codes' values *without* scales.
  void readCodes(int64_t row, float *to) const;
  /// Row |row| of a matrix: values; of a block-scaled one the product in fp32, rounded to |rounded|.
  void readRow(int64_t row, float *to, ElementType rounded = ElementType::BF16) const;
  float scaleAt(int64_t row, int64_t blockColumn) const;
  /// The whole as a tensor of |type|, any rank from 1 on; codes times scales are rounded once, to |type|.
  Tensor unpack(ElementType type) const;
};

/// |tensor| (F32, BF16 or F16) in stored form.
Packed pack(const Tensor &tensor);

/// Rows quantised 1x128 by support/Float8's `quantiseRow`.
Packed quantise(const Tensor &x, Float8 format, ScaleFormat scaleFormat);

/// The fp8 format of |type|, which is one of F8E4M3, F8E4M3FNUZ, F8E5M2.
Float8 float8Of(ElementType type);

} // namespace quern::model::reference

#endif // QUERN_DIALECTS_MODEL_REFERENCE_TENSOR_H
