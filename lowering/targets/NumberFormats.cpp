//===- NumberFormats.cpp - bf16 and fp8 in integer operations -------------===//
//
// bf16 is the upper half of f32. The fp8 formats follow the OCP 8-bit floating point specification (E4M3:
// bias 7, largest 448, NaN 0x7f and 0xff) and its FNUZ variant (bias 8, largest 240, one NaN 0x80, no
// negative zero).
//
//===----------------------------------------------------------------------===//
#include "lowering/targets/KernelLowering.h"

using namespace mlir;

namespace quern::lowering {

Value TargetLowering::roundToBf16(LaneBuilder &b, Value x) {
  Value bits = b.bitcast(x, b.getI32Type());
  Value odd = b.andI(b.lshr(bits, 16), b.constantLike(bits, int64_t(1)));
  Value rounded = b.lshr(b.add(bits, b.add(odd, b.constantLike(bits, int64_t(0x7fff)))), 16);
  Value quiet = b.orI(b.lshr(bits, 16), b.constantLike(bits, int64_t(0x40)));
  Value isNaN = b.fcmp(LLVM::FCmpPredicate::uno, x, x);
  return b.trunc(b.select(isNaN, quiet, rounded), b.getI16Type());
}

namespace {
/// What distinguishes the two E4M3 formats.
struct E4M3 {
  bool fnuz;
  int64_t largestBits;    ///< f32 bits of the largest finite value
  int64_t smallestNormal; ///< f32 bits of the smallest normal value
  int64_t rebias;         ///< (f32 bits >> 20) - code of a normal value
  int64_t magicBits;      ///< f32 bits of 2^23 subnormal steps: adding it rounds to a whole step
  double decodeFactor;    ///< value of a code = half with the bits (code << 7), times this
};
} // namespace

static std::optional<E4M3> formatOf(Type format) {
  if (llvm::isa<Float8E4M3FNType>(format))
    return E4M3{false, 0x43e00000, 0x3c800000, 960, 0x46800000, 256.0};
  if (llvm::isa<Float8E4M3FNUZType>(format))
    return E4M3{true, 0x43700000, 0x3c000000, 952, 0x46000000, 128.0};
  return std::nullopt;
}

Value KernelLowering::decodeF8(Value bits, Type format) {
  std::optional<E4M3> f = formatOf(format);
  if (!f)
    return {};
  // A half has the same mantissa and one more exponent bit: shifting by 7 keeps even subnormals exact.
  Value wide = b.zext(bits, b.getI16Type());
  Value sign = b.shl(b.andI(wide, b.constantLike(wide, int64_t(0x80))), 8);
  Value magnitude = b.andI(wide, b.constantLike(wide, int64_t(0x7f)));
  Value half = b.bitcast(b.orI(sign, b.shl(magnitude, 7)), b.getF16Type());
  Value value = LLVM::FPExtOp::create(b, b.loc, LaneBuilder::like(half, b.getF32Type()), half);
  value = b.fmul(value, b.constantLike(value, f->decodeFactor));
  Value isNaN = f->fnuz
                    ? b.icmp(LLVM::ICmpPredicate::eq, wide, b.constantLike(wide, int64_t(0x80)))
                    : b.icmp(LLVM::ICmpPredicate::eq, magnitude, b.constantLike(magnitude, int64_t(0x7f)));
  Value zero = b.constantLike(value, 0.0);
  return b.select(
      isNaN, b.bitcast(b.constantLike(b.bitcast(zero, b.getI32Type()), int64_t(0x7fc00000)), b.getF32Type()),
      value);
}

Value KernelLowering::encodeF8(Value x, Type format) {
  std::optional<E4M3> f = formatOf(format);
  if (!f)
    return {};
  Type i32 = b.getI32Type(), f32 = b.getF32Type();
  Value bits = b.bitcast(x, i32);
  auto constant = [&](int64_t value) { return b.constantLike(bits, value); };
  Value magnitude = b.andI(bits, constant(0x7fffffff));
  Value largest = constant(f->largestBits);
  Value saturated = b.select(b.icmp(LLVM::ICmpPredicate::ult, magnitude, largest), magnitude, largest);
  Value odd = b.andI(b.lshr(saturated, 20), constant(1));
  Value normal = b.sub(b.lshr(b.add(saturated, b.add(odd, constant(0x7ffff))), 20), constant(f->rebias));
  Value stepped = b.fadd(b.bitcast(saturated, f32), b.bitcast(constant(f->magicBits), f32));
  Value subnormal = b.sub(b.bitcast(stepped, i32), constant(f->magicBits));
  Value isNormal = b.icmp(LLVM::ICmpPredicate::uge, saturated, constant(f->smallestNormal));
  Value code = b.select(isNormal, normal, subnormal);
  Value sign = b.andI(b.lshr(bits, 24), constant(0x80));
  if (f->fnuz)
    sign = b.select(b.icmp(LLVM::ICmpPredicate::eq, code, constant(0)), constant(0), sign);
  code = b.orI(code, sign);
  Value isNaN = b.icmp(LLVM::ICmpPredicate::ugt, magnitude, constant(0x7f800000));
  Value nan = constant(f->fnuz ? 0x80 : 0x7f); // of either sign, as support/Float8 defines
  return b.trunc(b.select(isNaN, nan, code), b.getI8Type());
}

Value KernelLowering::convert(Value value, Type from, Type to) {
  if (from == to)
    return value;
  Type i32 = b.getI32Type(), f32 = b.getF32Type();
  if (from.isInteger(1)) {
    Value wide = b.zext(value, i32);
    if (to.isInteger(32))
      return wide;
    if (to.isInteger(64))
      return b.zext(value, to);
    return convert(wide, i32, to);
  }
  if (from.isInteger() && to.isInteger()) {
    if (to.isInteger(1))
      return b.icmp(LLVM::ICmpPredicate::ne, value, b.constantLike(value, int64_t(0)));
    return from.getIntOrFloatBitWidth() < to.getIntOrFloatBitWidth() ? b.sext(value, to) : b.trunc(value, to);
  }
  if (from.isInteger()) {
    Value real = LLVM::SIToFPOp::create(b, b.loc, LaneBuilder::like(value, f32), value);
    return convert(real, f32, to);
  }
  if (!from.isF32()) {
    Value real;
    if (from.isBF16())
      real = b.bitcast(b.shl(b.zext(value, i32), 16), f32);
    else if (from.isF16())
      real = LLVM::FPExtOp::create(b, b.loc, LaneBuilder::like(value, f32), value);
    else
      real = decodeF8(value, from);
    return real ? convert(real, f32, to) : Value();
  }
  if (to.isInteger())
    return LLVM::FPToSIOp::create(b, b.loc, LaneBuilder::like(value, to), value);
  if (to.isBF16())
    return target.roundToBf16(b, value);
  if (to.isF16())
    return LLVM::FPTruncOp::create(b, b.loc, LaneBuilder::like(value, to), value);
  return encodeF8(value, to);
}

} // namespace quern::lowering
