//===- Arithmetic.cpp - Number formats and rounding of PTX ----------------===//

#include "runtime/emulated/nvidia/Arithmetic.h"

#include "runtime/emulated/nvidia/DeviceCalls.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <xmmintrin.h>

namespace quern::runtime::emulated::nvidia {

//===----------------------------------------------------------------------===//
// Formats
//===----------------------------------------------------------------------===//

double decode(uint32_t code, const SmallFormat &format) {
  uint32_t mantissaMask = (1u << format.mantissaBits) - 1, exponentMask = (1u << format.exponentBits) - 1;
  uint32_t mantissa = code & mantissaMask, exponent = code >> format.mantissaBits & exponentMask;
  bool negative = code >> (format.mantissaBits + format.exponentBits) & 1;
  double magnitude = 0;
  uint32_t absolute = exponent << format.mantissaBits | mantissa;
  if (format.hasInfinity && exponent == exponentMask)
    magnitude = mantissa ? std::numeric_limits<double>::quiet_NaN() : std::numeric_limits<double>::infinity();
  else if (!format.hasInfinity && format.nan && absolute > format.maxFinite)
    magnitude = std::numeric_limits<double>::quiet_NaN();
  else if (exponent == 0)
    magnitude = std::ldexp(mantissa, 1 - format.bias - format.mantissaBits);
  else
    magnitude = std::ldexp(mantissa + (1u << format.mantissaBits),
                           static_cast<int>(exponent) - format.bias - format.mantissaBits);
  return negative ? -magnitude : magnitude;
}

uint32_t encode(double value, const SmallFormat &format, RoundingMode mode, bool satfinite) {
  if (std::isnan(value))
    return format.nan ? format.nan : format.maxFinite;
  bool negative = std::signbit(value);
  uint32_t sign = negative ? 1u << (format.exponentBits + format.mantissaBits) : 0;
  uint32_t infinity = format.hasInfinity ? ((1u << format.exponentBits) - 1) << format.mantissaBits : 0;
  bool toInfinity = format.hasInfinity && !satfinite;
  if (std::isinf(value))
    return sign | (toInfinity ? infinity : format.maxFinite);
  double magnitude = std::fabs(value);
  if (magnitude == 0)
    return sign;
  int smallest = 1 - format.bias, exponent = std::max(std::ilogb(magnitude), smallest);
  // One unit of the last place becomes 1.
  double scaled = std::ldexp(magnitude, format.mantissaBits - exponent);
  double whole = std::floor(scaled), rest = scaled - whole;
  bool up = false;
  switch (mode) {
  case RoundingMode::Nearest:
    up = rest > 0.5 || (rest == 0.5 && std::fmod(whole, 2.0) != 0);
    break;
  case RoundingMode::Away:
    up = rest >= 0.5;
    break;
  case RoundingMode::Zero:
    break;
  case RoundingMode::Down:
    up = negative && rest > 0;
    break;
  case RoundingMode::Up:
    up = !negative && rest > 0;
    break;
  }
  // Beyond 2^20 units of exponent the code would not fit; everything there is overflow.
  uint64_t steps = static_cast<uint64_t>(exponent - smallest);
  uint64_t code = (steps << format.mantissaBits) + static_cast<uint64_t>(whole) + up;
  if (code <= format.maxFinite)
    return sign | static_cast<uint32_t>(code);
  bool away = mode == RoundingMode::Nearest || mode == RoundingMode::Away ||
              (mode == RoundingMode::Down && negative) || (mode == RoundingMode::Up && !negative);
  return sign | (toInfinity && away ? infinity : format.maxFinite);
}

uint8_t encodeUE8M0(double value, bool roundUp, bool satfinite) {
  if (std::isnan(value))
    return 0xFF;
  if (std::isinf(value))
    return satfinite ? 0xFE : 0xFF;
  double magnitude = std::fabs(value);
  if (magnitude == 0)
    return 0;
  int exponent = std::ilogb(magnitude);
  if (roundUp && std::ldexp(1.0, exponent) != magnitude)
    ++exponent;
  return static_cast<uint8_t>(std::clamp(exponent + 127, 0, satfinite ? 254 : 255));
}

double decodeUE8M0(uint8_t code) {
  return code == 0xFF ? std::numeric_limits<double>::quiet_NaN() : std::ldexp(1.0, code - 127);
}

//===----------------------------------------------------------------------===//
// 16-bit arithmetic
//===----------------------------------------------------------------------===//

namespace {

/// a + b rounded to odd: rounding it again to at most 51 bits gives the correctly rounded sum.
double addToOdd(double a, double b) {
  double sum = a + b;
  if (!std::isfinite(sum))
    return sum;
  double part = sum - a, error = (a - (sum - part)) + (b - part);
  if (error != 0 && (std::bit_cast<uint64_t>(sum) & 1) == 0)
    sum = std::nextafter(sum, error > 0 ? std::numeric_limits<double>::infinity()
                                        : -std::numeric_limits<double>::infinity());
  return sum;
}

/// Sign-preserving zero for subnormals.
uint16_t flush16(uint16_t code, const SmallFormat &format) {
  uint32_t exponentMask = ((1u << format.exponentBits) - 1) << format.mantissaBits;
  return code & exponentMask ? code : code & 0x8000;
}

uint16_t minMax16(const SmallFormat &format, uint16_t a, uint16_t b, bool isMin, uint32_t flags) {
  uint16_t sign = (a ^ b) & 0x8000;
  if (flags & HalfXorSign) {
    a &= 0x7FFF;
    b &= 0x7FFF;
  }
  double x = decode(a, format), y = decode(b, format);
  uint16_t result;
  if (std::isnan(x) || std::isnan(y)) {
    if ((flags & HalfNan) || (std::isnan(x) && std::isnan(y)))
      return static_cast<uint16_t>(format.nan);
    result = std::isnan(x) ? b : a;
  } else {
    bool first = x < y || (x == y && std::signbit(x)); // -0 is less than +0
    result = first == isMin ? a : b;
  }
  return flags & HalfXorSign ? (result & 0x7FFF) | sign : result;
}

} // namespace

uint16_t halfArithmetic(uint32_t opAndFlags, uint16_t a, uint16_t b, uint16_t c) {
  const SmallFormat &format = opAndFlags & HalfIsBF16 ? formatBF16 : formatF16;
  auto op = static_cast<HalfOp>(opAndFlags & 0xFF);
  if (opAndFlags & HalfFtz) {
    a = flush16(a, format);
    b = flush16(b, format);
    c = flush16(c, format);
  }
  if (op == HalfOp::Min || op == HalfOp::Max)
    return minMax16(format, a, b, op == HalfOp::Min, opAndFlags);
  double x = decode(a, format), y = decode(b, format), result = 0;
  switch (op) {
  case HalfOp::Add:
    result = addToOdd(x, y);
    break;
  case HalfOp::Sub:
    result = addToOdd(x, -y);
    break;
  case HalfOp::Mul:
    result = x * y; // exact
    break;
  default:
    result = addToOdd(x * y, decode(c, format));
    break;
  }
  if (std::isnan(result))
    return opAndFlags & HalfSat ? 0 : static_cast<uint16_t>(format.nan);
  auto code = static_cast<uint16_t>(encode(result, format, RoundingMode::Nearest, false));
  if (opAndFlags & HalfFtz)
    code = flush16(code, format);
  if ((opAndFlags & (HalfRelu | HalfSat)) && (code & 0x8000))
    return 0;
  if ((opAndFlags & HalfSat) && decode(code, format) > 1)
    return static_cast<uint16_t>(encode(1, format, RoundingMode::Nearest, false));
  return code;
}

//===----------------------------------------------------------------------===//
// Approximations and directed rounding
//===----------------------------------------------------------------------===//

namespace {

double approximate(double value, Approximation what) {
  switch (what) {
  case Approximation::Sin:
    return std::sin(value);
  case Approximation::Cos:
    return std::cos(value);
  case Approximation::Log2:
    return std::log2(value);
  case Approximation::Exp2:
    return std::exp2(value);
  case Approximation::Tanh:
    return std::tanh(value);
  case Approximation::ReciprocalRoot:
    return 1.0 / std::sqrt(value);
  case Approximation::Reciprocal:
    return 1.0 / value;
  case Approximation::Root:
    return std::sqrt(value);
  }
  return value;
}

/// The SSE rounding mode while it lives. Operands and result go through volatile, so that the operation stays
/// between the two changes.
class HostRounding {
public:
  explicit HostRounding(RoundingMode mode) : saved(_mm_getcsr()) {
    uint32_t bits = mode == RoundingMode::Down   ? 1u
                    : mode == RoundingMode::Up   ? 2u
                    : mode == RoundingMode::Zero ? 3u
                                                 : 0u;
    _mm_setcsr((saved & ~0x6000u) | bits << 13);
  }
  ~HostRounding() { _mm_setcsr(saved); }

private:
  uint32_t saved;
};

template <typename T> T rounded(T first, T second, T third, RoundedOp op, RoundingMode mode) {
  volatile T a = first, b = second, c = third, result;
  HostRounding scope(mode);
  T x = a, y = b, z = c;
  switch (op) {
  case RoundedOp::Add:
    result = x + y;
    break;
  case RoundedOp::Sub:
    result = x - y;
    break;
  case RoundedOp::Mul:
    result = x * y;
    break;
  case RoundedOp::Fma:
    result = std::fma(x, y, z);
    break;
  case RoundedOp::Div:
    result = x / y;
    break;
  case RoundedOp::Root:
    result = std::sqrt(x);
    break;
  }
  return result;
}

} // namespace

float approximate32(float value, Approximation what) { return static_cast<float>(approximate(value, what)); }
float rounded32(float a, float b, float c, RoundedOp op, RoundingMode mode) {
  return rounded(a, b, c, op, mode);
}
double rounded64(double a, double b, double c, RoundedOp op, RoundingMode mode) {
  return rounded(a, b, c, op, mode);
}

//===----------------------------------------------------------------------===//
// Entry points of translated code
//===----------------------------------------------------------------------===//

extern "C" {

static uint16_t quernHalf(uint32_t flags, uint16_t a, uint16_t b, uint16_t c) {
  return halfArithmetic(flags, a, b, c);
}

static uint16_t quernFlush16(uint16_t code, bool isBF16) {
  return flush16(code, isBF16 ? formatBF16 : formatF16);
}

static uint16_t quernApproximate16(uint16_t code, uint32_t flags) {
  const SmallFormat &format = flags & HalfIsBF16 ? formatBF16 : formatF16;
  bool ftz = flags & HalfFtz;
  double value = decode(ftz ? flush16(code, format) : code, format);
  double result = approximate(value, static_cast<Approximation>(flags & 0xFF));
  auto rounded = static_cast<uint16_t>(encode(result, format, RoundingMode::Nearest, false));
  return ftz ? flush16(rounded, format) : rounded;
}

static float quernApproximate32(float value, uint32_t what) {
  return approximate32(value, static_cast<Approximation>(what));
}

static float quernRounded32(float a, float b, float c, uint32_t op, uint32_t mode) {
  return rounded32(a, b, c, static_cast<RoundedOp>(op), static_cast<RoundingMode>(mode));
}
static double quernRounded64(double a, double b, double c, uint32_t op, uint32_t mode) {
  return rounded64(a, b, c, static_cast<RoundedOp>(op), static_cast<RoundingMode>(mode));
}

/// rcp.approx.ftz.f64 and rsqrt.approx.ftz.f64 see only the upper word of the input and give only the upper
/// word of the result; subnormals are zero (PTX ISA 9.7.3).
static double highWord(double value) {
  uint64_t bits = std::bit_cast<uint64_t>(value) & 0xFFFFFFFF00000000ull;
  if ((bits & 0x7FF0000000000000ull) == 0)
    bits &= 0x8000000000000000ull;
  return std::bit_cast<double>(bits);
}
static double quernReciprocalHigh64(double value) { return highWord(1.0 / highWord(value)); }
static double quernRootHigh64(double value) { return highWord(1.0 / std::sqrt(highWord(value))); }
static double quernReciprocalRoot64(double value) { return 1.0 / std::sqrt(value); }

/// Converts integers to f32 or f64 with directed rounding.
static float quernIntToFloat32(uint64_t bits, bool isSigned, uint32_t mode) {
  volatile int64_t asSigned = static_cast<int64_t>(bits);
  HostRounding scope(static_cast<RoundingMode>(mode));
  if (isSigned || asSigned >= 0) {
    int64_t value = asSigned;
    volatile float result = static_cast<float>(value);
    return result;
  }
  // Halve and keep the lost bit sticky: one rounding in the conversion, the doubling is exact.
  uint64_t raw = static_cast<uint64_t>(asSigned);
  int64_t half = static_cast<int64_t>(raw >> 1 | (raw & 1));
  volatile float result = static_cast<float>(half);
  return result * 2.0f;
}
static double quernIntToFloat64(uint64_t bits, bool isSigned, uint32_t mode) {
  volatile int64_t asSigned = static_cast<int64_t>(bits);
  HostRounding scope(static_cast<RoundingMode>(mode));
  if (isSigned || asSigned >= 0) {
    int64_t value = asSigned;
    volatile double result = static_cast<double>(value);
    return result;
  }
  uint64_t raw = static_cast<uint64_t>(asSigned);
  int64_t half = static_cast<int64_t>(raw >> 1 | (raw & 1));
  volatile double result = static_cast<double>(half);
  return result * 2.0;
}
/// The value truncated to a double, its last bit set where bits were lost: rounding it again is rounding
/// once.
static double quernIntToOdd64(uint64_t bits, bool isSigned) {
  bool negative = isSigned && static_cast<int64_t>(bits) < 0;
  uint64_t magnitude = negative ? 0 - bits : bits;
  int extra = std::max(0, 11 - std::countl_zero(magnitude | 1));
  uint64_t kept = magnitude >> extra << extra;
  double value = static_cast<double>(kept);
  if (kept != magnitude)
    value = std::bit_cast<double>(std::bit_cast<uint64_t>(value) | 1);
  return negative ? -value : value;
}
static float quernNarrow32(double value, uint32_t mode) {
  volatile double input = value;
  HostRounding scope(static_cast<RoundingMode>(mode));
  double x = input;
  volatile float result = static_cast<float>(x);
  return result;
}

/// |format|: 0 f16, 1 bf16, 2 e4m3, 3 e5m2, 4 e2m1, 5 e2m3, 6 e3m2, 7 tf32, 8 ue8m0.
static const SmallFormat &formatOf(uint32_t format) {
  static constexpr SmallFormat formats[] = {formatF16,  formatBF16, formatE4M3, formatE5M2,
                                            formatE2M1, formatE2M3, formatE3M2, formatTF32};
  return formats[format & 7];
}
/// flags: low byte the rounding, 0x100 satfinite, 0x200 relu, 0x400 sat to [0, 1].
static uint32_t quernEncode(double value, uint32_t format, uint32_t flags) {
  if (format == 8)
    return encodeUE8M0(value, static_cast<RoundingMode>(flags & 0xFF) == RoundingMode::Up, flags & 0x100);
  if (flags & 0x400)
    value = value > 0 ? std::min(value, 1.0) : 0.0;
  // Negative values, -0 too, become +0; NaN stays the canonical NaN.
  if ((flags & 0x200) && std::signbit(value) && !std::isnan(value))
    value = 0;
  uint32_t code = encode(value, formatOf(format), static_cast<RoundingMode>(flags & 0xFF), flags & 0x100);
  if (format == 7)
    code = std::isnan(value) ? 0x7FFFFFFF : code << 13;
  return code;
}
static double quernDecode(uint32_t code, uint32_t format) {
  return format == 8 ? decodeUE8M0(static_cast<uint8_t>(code)) : decode(code, formatOf(format));
}

static uint32_t quernPermute(uint32_t a, uint32_t b, uint32_t selector, uint32_t mode) {
  uint64_t both = uint64_t(b) << 32 | a;
  auto byte = [&](uint32_t i) { return static_cast<uint32_t>(both >> (8 * (i & 7)) & 0xFF); };
  uint32_t s = selector & 3, result = 0;
  for (uint32_t i = 0; i < 4; ++i) {
    uint32_t nibble = selector >> (4 * i) & 15, value = 0;
    switch (mode) { // PTX ISA 9.7.9.7, the tables of the six special modes
    case 1:         // f4e
      value = byte(s + i);
      break;
    case 2: // b4e
      value = byte(s + 8 - i);
      break;
    case 3: // rc8
      value = byte(s);
      break;
    case 4: // ecl
      value = byte(std::max(i, s));
      break;
    case 5: // ecr
      value = byte(std::min(i, s));
      break;
    case 6: // rc16
      value = byte((s & 1) * 2 + (i & 1));
      break;
    default:
      value = byte(nibble);
      if (nibble & 8)
        value = value & 0x80 ? 0xFF : 0;
    }
    result |= value << (8 * i);
  }
  return result;
}

/// fns: position of the |offset|-th set bit from |base| on, counted upwards, or downwards for a negative
/// offset (PTX ISA 9.7.1.16).
static uint32_t quernFindNthSet(uint32_t mask, uint32_t base, uint32_t offsetBits) {
  auto offset = static_cast<int32_t>(offsetBits);
  if (offset == 0)
    return base < 32 && (mask >> base & 1) ? base : ~0u;
  int64_t position = static_cast<int32_t>(base), step = offset < 0 ? -1 : 1;
  int64_t left = std::abs(static_cast<int64_t>(offset));
  for (; position >= 0 && position < 32; position += step)
    if (mask >> position & 1 && --left == 0)
      return static_cast<uint32_t>(position);
  return ~0u;
}

} // extern "C"

std::span<const DeviceCall> arithmeticCalls() {
#define QUERN_CALL(name)                                                                                     \
  {                                                                                                          \
    #name, reinterpret_cast<void *>(&name)                                                                   \
  }
  static const DeviceCall calls[] = {QUERN_CALL(quernHalf),
                                     QUERN_CALL(quernFlush16),
                                     QUERN_CALL(quernApproximate16),
                                     QUERN_CALL(quernApproximate32),
                                     QUERN_CALL(quernRounded32),
                                     QUERN_CALL(quernRounded64),
                                     QUERN_CALL(quernReciprocalHigh64),
                                     QUERN_CALL(quernRootHigh64),
                                     QUERN_CALL(quernReciprocalRoot64),
                                     QUERN_CALL(quernIntToFloat32),
                                     QUERN_CALL(quernIntToFloat64),
                                     QUERN_CALL(quernNarrow32),
                                     QUERN_CALL(quernEncode),
                                     QUERN_CALL(quernDecode),
                                     QUERN_CALL(quernPermute),
                                     QUERN_CALL(quernFindNthSet),
                                     QUERN_CALL(quernIntToOdd64)};
#undef QUERN_CALL
  return calls;
}

} // namespace quern::runtime::emulated::nvidia
