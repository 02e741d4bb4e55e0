//===- LaneBuilder.h - Builds LLVM operations on scalars and lane values --===//
//
// A thin builder around OpBuilder: a location, the number of SIMD lanes (1 where each lane is a thread), and
// the operations of the LLVM dialect under short names. Operations work on scalars and on lane values alike;
// where one operand is a lane value and the other is not, the scalar is spread first.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_LOWERING_TARGETS_LANEBUILDER_H
#define QUERN_LOWERING_TARGETS_LANEBUILDER_H

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"

#include <functional>

namespace quern::lowering {

class LaneBuilder : public mlir::OpBuilder {
public:
  LaneBuilder(mlir::MLIRContext *context, int32_t simdLanes) : OpBuilder(context), simdLanes(simdLanes) {}

  mlir::Location loc = getUnknownLoc();

  int32_t lanes() const { return simdLanes; }
  bool simd() const { return simdLanes > 1; }

  /// The type of a lane value of |element|: itself, or a vector of it.
  mlir::Type laneType(mlir::Type element) const;
  static bool isVector(mlir::Value v) { return llvm::isa<mlir::VectorType>(v.getType()); }
  static mlir::Type elementType(mlir::Value v);
  /// |type| with the element type |element|: scalar stays scalar, vector stays vector.
  static mlir::Type like(mlir::Value v, mlir::Type element);

  /// Constants with the shape (scalar or vector) of |like|.
  mlir::Value constantLike(mlir::Value like, int64_t value);
  mlir::Value constantLike(mlir::Value like, double value);
  mlir::Value i32(int32_t value);
  mlir::Value i64(int64_t value);
  mlir::Value f32(float value);
  mlir::Value i1(bool value);
  /// A zero of any scalar or vector type.
  mlir::Value zero(mlir::Type type);
  /// Vector of 32-bit integers, one for each SIMD lane.
  mlir::Value laneConstants(llvm::ArrayRef<int32_t> values);

  /// A scalar as a lane value; a lane value as it is.
  mlir::Value spread(mlir::Value scalar);
  /// Element 0 of a lane value.
  mlir::Value first(mlir::Value lanes);

  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value sub(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, mlir::Value b);
  mlir::Value andI(mlir::Value a, mlir::Value b);
  mlir::Value orI(mlir::Value a, mlir::Value b);
  mlir::Value xorI(mlir::Value a, mlir::Value b);
  mlir::Value shl(mlir::Value a, int64_t bits);
  mlir::Value lshr(mlir::Value a, int64_t bits);
  mlir::Value udiv(mlir::Value a, mlir::Value b);
  mlir::Value urem(mlir::Value a, mlir::Value b);
  mlir::Value fadd(mlir::Value a, mlir::Value b);
  mlir::Value fsub(mlir::Value a, mlir::Value b);
  mlir::Value fmul(mlir::Value a, mlir::Value b);
  mlir::Value fdiv(mlir::Value a, mlir::Value b);
  mlir::Value fma(mlir::Value a, mlir::Value b, mlir::Value c);
  mlir::Value icmp(mlir::LLVM::ICmpPredicate predicate, mlir::Value a, mlir::Value b);
  mlir::Value fcmp(mlir::LLVM::FCmpPredicate predicate, mlir::Value a, mlir::Value b);
  mlir::Value select(mlir::Value condition, mlir::Value a, mlir::Value b);
  mlir::Value zext(mlir::Value v, mlir::Type element);
  mlir::Value sext(mlir::Value v, mlir::Type element);
  mlir::Value trunc(mlir::Value v, mlir::Type element);
  mlir::Value bitcast(mlir::Value v, mlir::Type element);
  /// Sign-extends or truncates an integer to i64.
  mlir::Value toI64(mlir::Value v);

  /// |base| advanced by |index| elements; a vector of pointers where |index| is a vector.
  mlir::Value gep(mlir::Value base, mlir::Type element, mlir::Value index);
  mlir::Value load(mlir::Value pointer, mlir::Type type, unsigned alignment);
  void store(mlir::Value value, mlir::Value pointer, unsigned alignment);

  /// Scalars as one vector, and a vector as scalars that are appended to |elements|; one scalar stays what it
  /// is. What `split` made of a vector, `join` and `packWord` take back without a move. Not for SIMD lanes.
  mlir::Value join(llvm::ArrayRef<mlir::Value> elements);
  void split(mlir::Value vector, llvm::SmallVectorImpl<mlir::Value> &elements);
  /// 32-bit integer of lane values of 8, 16 or 32 bits, the first in its lowest bits.
  mlir::Value packWord(llvm::ArrayRef<mlir::Value> elements);
  /// The inverse on SIMD lanes: the elements of type |element| in a word, appended to |elements|.
  void unpackWord(mlir::Value word, mlir::Type element, mlir::SmallVectorImpl<mlir::Value> &elements);

  /// Calls an LLVM intrinsic by name; |result| may be null.
  mlir::Value intrinsic(llvm::StringRef name, mlir::Type result, mlir::ValueRange operands);

  /// Runs |body| where the scalar |condition| holds, and continues behind it.
  void ifThen(mlir::Value condition, const std::function<void()> &body);

private:
  /// The vector whose elements |first| and following are |elements|, made by `split`; null where there is
  /// none.
  mlir::Value splitFrom(llvm::ArrayRef<mlir::Value> elements, int32_t &first);
  /// Makes both operands vectors where one of them is.
  void match(mlir::Value &a, mlir::Value &b);

  int32_t simdLanes;
};

} // namespace quern::lowering

#endif // QUERN_LOWERING_TARGETS_LANEBUILDER_H
