//===- VectorInteger.cpp - Integer and bit instructions of the vector unit -===//
//
// Formulas from the CDNA3 and RDNA4 manuals, chapters "VOP1 / VOP2 / VOP3 instructions". Shifts use the low
// bits of the shift amount; reversed forms (rev) take the amount first.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/HandlerTable.h"
#include "runtime/emulated/amd/VectorAlu.h"

namespace quern::runtime::emulated::amd {
namespace {

using u16 = uint16_t;
using i16 = int16_t;
using u32 = uint32_t;
using i32 = int32_t;
using u64 = uint64_t;
using i64 = int64_t;

template <auto F> HandlerEntry op(uint32_t immediate = 0) {
  HandlerEntry entry;
  entry.handler = vectorOp<F>;
  entry.destinations = requires(typename SignatureOf<F>::Result r) { r.carry; } ? 2 : 1;
  entry.immediate = immediate;
  return entry;
}
template <auto F> HandlerEntry keepsHigh() {
  HandlerEntry entry = op<F>();
  entry.preservesHigh = true;
  return entry;
}

i32 signed24(u32 x) { return i32(x << 8) >> 8; }
u32 unsigned24(u32 x) { return x & 0xffffff; }

u32 leadingZeros(u32 x) { return x ? u32(std::countl_zero(x)) : ~0u; }
u32 leadingSigns(i32 x) { // position of the first bit that differs from the sign
  u32 bits = u32(x < 0 ? ~x : x);
  return bits ? u32(std::countl_zero(bits)) : ~0u;
}
u32 reversed(u32 x) {
  x = (x >> 1 & 0x55555555u) | (x & 0x55555555u) << 1;
  x = (x >> 2 & 0x33333333u) | (x & 0x33333333u) << 2;
  x = (x >> 4 & 0x0f0f0f0fu) | (x & 0x0f0f0f0fu) << 4;
  return __builtin_bswap32(x);
}
u32 fieldU(u32 x, u32 offset, u32 width) {
  offset &= 31, width &= 31;
  return width ? x >> offset & ((1u << width) - 1) : 0;
}
i32 fieldI(u32 x, u32 offset, u32 width) {
  offset &= 31, width &= 31;
  if (!width)
    return 0;
  u32 value = u32(i32(x) >> offset) & ((1u << width) - 1), sign = 1u << (width - 1);
  return i32((value ^ sign) - sign);
}
template <typename T> T middle(T a, T b, T c) {
  return std::max(std::min(a, b), std::min(std::max(a, b), c));
}
/// v_perm_b32: each selector byte picks a byte of {a, b} (b is the low dword), a sign, or a constant.
u32 permuted(u32 a, u32 b, u32 selectors) {
  u64 data = u64(a) << 32 | b;
  u32 result = 0;
  for (unsigned i = 0; i < 4; ++i) {
    u32 select = selectors >> (8 * i) & 0xff, byte;
    if (select >= 13)
      byte = 0xff;
    else if (select == 12)
      byte = 0;
    else if (select >= 8)
      byte = data >> (16 * (select - 8) + 15) & 1 ? 0xff : 0;
    else
      byte = u32(data >> (8 * select)) & 0xff;
    result |= byte << (8 * i);
  }
  return result;
}
u32 absoluteDifferences(u32 a, u32 b, u32 sum, bool masked) {
  for (unsigned i = 0; i < 4; ++i) {
    i32 x = i32(a >> (8 * i) & 0xff), y = i32(b >> (8 * i) & 0xff);
    if (!masked || y != 0)
      sum += u32(std::abs(x - y));
  }
  return sum;
}

/// v_bitop3: a truth table over the bits of three sources.
void bitop3(Wave &wave, const Instruction &in, bool sixteen) {
  u32 a[kMaxLanes], b[kMaxLanes], c[kMaxLanes];
  u32 out[kMaxLanes];
  auto eval = [&](u32 x, u32 y, u32 z) {
    u32 result = 0;
    for (unsigned row = 0; row < 8; ++row)
      if (in.immediate >> row & 1)
        result |= (row & 4 ? x : ~x) & (row & 2 ? y : ~y) & (row & 1 ? z : ~z);
    return result;
  };
  if (sixteen) {
    u16 sa[kMaxLanes], sb[kMaxLanes], sc[kMaxLanes], result[kMaxLanes];
    const u16 *pa = fetch(wave, in, 1, sa), *pb = fetch(wave, in, 2, sb), *pc = fetch(wave, in, 3, sc);
    for (unsigned lane = 0; lane < wave.width; ++lane)
      result[lane] = u16(eval(pa[lane], pb[lane], pc[lane]));
    writeResult<u16>(wave, in, result, activeLanes(wave, in));
    return;
  }
  const u32 *pa = fetch(wave, in, 1, a), *pb = fetch(wave, in, 2, b), *pc = fetch(wave, in, 3, c);
  for (unsigned lane = 0; lane < wave.width; ++lane)
    out[lane] = eval(pa[lane], pb[lane], pc[lane]);
  writeResult<u32>(wave, in, out, activeLanes(wave, in));
}

/// v_movrel*: register numbers relative to M0; |Split|: source by M0 9:0, destination by M0 25:16.
template <bool Source, bool Destination, bool Split = false>
void moveRelative(Wave &wave, const Instruction &in) {
  u32 m0 = wave.scalars[scalar::M0], buffer[kMaxLanes];
  Instruction moved = in;
  if (Source && moved.operands[1].kind == OperandKind::Vector)
    moved.operands[1].index = uint16_t(moved.operands[1].index + (Split ? m0 & 0x3ff : m0));
  if (Destination)
    moved.operands[0].index = uint16_t(moved.operands[0].index + (Split ? m0 >> 16 & 0x3ff : m0));
  bool sourceMissing =
      in.operands[1].kind == OperandKind::Vector && moved.operands[1].index >= wave.rowCount();
  if (moved.operands[0].index >= wave.rowCount() || sourceMissing) {
    wave.fault("out-of-bounds", "register number past the end of the file, M0 = " + std::to_string(m0));
    return;
  }
  const u32 *row = fetch<u32>(wave, moved, 1, buffer);
  writeRow(wave, moved.operands[0], 0, row, activeLanes(wave, in));
}

/// v_swap_b32: both operands are written.
void swap32(Wave &wave, const Instruction &in) {
  u32 a[kMaxLanes], b[kMaxLanes];
  uint64_t lanes = activeLanes(wave, in);
  std::copy_n(wave.row(in.operands[0].index), wave.width, a);
  std::copy_n(wave.row(in.operands[1].index), wave.width, b);
  writeRow(wave, in.operands[0], 0, b, lanes);
  writeRow(wave, in.operands[1], 0, a, lanes);
}

} // namespace

void HandlerTable::addVectorInteger() {
  // Moves and selects.
  add({"v_mov_b32", "v_accvgpr_read_b32", "v_accvgpr_write_b32", "v_accvgpr_mov_b32"},
      op<[](u32 a) { return a; }>());
  add("v_mov_b64", op<[](u64 a) { return a; }>());
  add("v_mov_b16", op<[](u16 a) { return a; }>());
  add("v_not_b32", op<[](u32 a) { return ~a; }>());
  add("v_not_b16", op<[](u16 a) { return u16(~a); }>());
  add("v_cndmask_b32", op<[](u32 a, u32 b, Lanes c) { return c.bit ? b : a; }>());
  add("v_cndmask_b16", op<[](u16 a, u16 b, Lanes c) { return c.bit ? b : a; }>());
  add("v_movrels_b32", {moveRelative<true, false>});
  add("v_movreld_b32", {moveRelative<false, true>});
  add("v_movrelsd_b32", {moveRelative<true, true>});
  add("v_movrelsd_2_b32", {moveRelative<true, true, true>});
  // A step of a linear feedback shift register.
  add("v_prng_b32", op<[](u32 a) { return (a << 1) ^ (a >> 31 ? 197u : 0u); }>());
  add("v_swap_b32", {swap32, Unit::Vector, 2, false, 0});

  // Addition and subtraction.
  add({"v_add_u32", "v_add_nc_u32"}, op<[](u32 a, u32 b) { return Saturating<u32>{i64(a) + b}; }>());
  add({"v_sub_u32", "v_sub_nc_u32"}, op<[](u32 a, u32 b) { return Saturating<u32>{i64(a) - b}; }>());
  add({"v_subrev_u32", "v_subrev_nc_u32"}, op<[](u32 a, u32 b) { return Saturating<u32>{i64(b) - a}; }>());
  add({"v_add_i32", "v_add_nc_i32"}, op<[](i32 a, i32 b) { return Saturating<i32>{i64(a) + b}; }>());
  add({"v_sub_i32", "v_sub_nc_i32"}, op<[](i32 a, i32 b) { return Saturating<i32>{i64(a) - b}; }>());
  add({"v_add_u16", "v_add_nc_u16"}, op<[](u16 a, u16 b) { return Saturating<u16>{i64(a) + b}; }>());
  add({"v_sub_u16", "v_sub_nc_u16"}, op<[](u16 a, u16 b) { return Saturating<u16>{i64(a) - b}; }>());
  add("v_subrev_u16", op<[](u16 a, u16 b) { return Saturating<u16>{i64(b) - a}; }>());
  add({"v_add_i16", "v_add_nc_i16"}, op<[](i16 a, i16 b) { return Saturating<i16>{i64(a) + b}; }>());
  add({"v_sub_i16", "v_sub_nc_i16"}, op<[](i16 a, i16 b) { return Saturating<i16>{i64(a) - b}; }>());
  add("v_add_co_u32", op<[](u32 a, u32 b) {
        u64 sum = u64(a) + b;
        return WithCarry<u32>{u32(sum), u32(sum >> 32)};
      }>());
  add("v_sub_co_u32", op<[](u32 a, u32 b) { return WithCarry<u32>{a - b, a < b}; }>(2));
  add("v_subrev_co_u32", op<[](u32 a, u32 b) { return WithCarry<u32>{b - a, b < a}; }>(2));
  add({"v_addc_co_u32", "v_add_co_ci_u32"}, op<[](u32 a, u32 b, Lanes c) {
        u64 sum = u64(a) + b + c.bit;
        return WithCarry<u32>{u32(sum), u32(sum >> 32)};
      }>());
  add({"v_subb_co_u32", "v_sub_co_ci_u32"},
      op<[](u32 a, u32 b, Lanes c) { return WithCarry<u32>{a - b - c.bit, u64(a) < u64(b) + c.bit}; }>(2));
  add({"v_subbrev_co_u32", "v_subrev_co_ci_u32"},
      op<[](u32 a, u32 b, Lanes c) { return WithCarry<u32>{b - a - c.bit, u64(b) < u64(a) + c.bit}; }>(2));
  add("v_add3_u32", op<[](u32 a, u32 b, u32 c) { return a + b + c; }>());
  add("v_add_lshl_u32", op<[](u32 a, u32 b, u32 c) { return (a + b) << (c & 31); }>());
  add("v_lshl_add_u32", op<[](u32 a, u32 b, u32 c) { return (a << (b & 31)) + c; }>());
  add("v_lshl_add_u64", op<[](u64 a, u32 b, u64 c) { return (a << (b & 63)) + c; }>());
  add("v_xad_u32", op<[](u32 a, u32 b, u32 c) { return (a ^ b) + c; }>());
  add("v_add_nc_u64", op<[](u64 a, u64 b) { return a + b; }>());
  add("v_sub_nc_u64", op<[](u64 a, u64 b) { return a - b; }>());

  // Multiplication.
  add("v_mul_lo_u32", op<[](u32 a, u32 b) { return a * b; }>());
  add("v_mul_hi_u32", op<[](u32 a, u32 b) { return u32(u64(a) * b >> 32); }>());
  add("v_mul_hi_i32", op<[](i32 a, i32 b) { return i32(i64(a) * b >> 32); }>());
  add("v_mul_u32_u24",
      op<[](u32 a, u32 b) { return Saturating<u32>{i64(unsigned24(a)) * unsigned24(b) & 0xffffffff}; }>());
  add("v_mul_i32_i24", op<[](u32 a, u32 b) { return i32(i64(signed24(a)) * signed24(b)); }>());
  add("v_mul_hi_u32_u24", op<[](u32 a, u32 b) { return u32(u64(unsigned24(a)) * unsigned24(b) >> 32); }>());
  add("v_mul_hi_i32_i24", op<[](u32 a, u32 b) { return i32(i64(signed24(a)) * signed24(b) >> 32); }>());
  add("v_mad_u32_u24",
      op<[](u32 a, u32 b, u32 c) { return Saturating<u32>{i64(unsigned24(a)) * unsigned24(b) + c}; }>());
  add("v_mad_i32_i24",
      op<[](u32 a, u32 b, i32 c) { return Saturating<i32>{i64(signed24(a)) * signed24(b) + c}; }>());
  add({"v_mul_lo_u16"}, op<[](u16 a, u16 b) { return u16(u32(a) * b); }>());
  add("v_mad_u16", keepsHigh<[](u16 a, u16 b, u16 c) { return Saturating<u16>{i64(a) * b + c}; }>());
  add("v_mad_i16", keepsHigh<[](i16 a, i16 b, i16 c) { return Saturating<i16>{i64(a) * b + c}; }>());
  // The older forms clear the high half.
  add("v_mad_legacy_u16", op<[](u16 a, u16 b, u16 c) { return Saturating<u16>{i64(a) * b + c}; }>());
  add("v_mad_legacy_i16", op<[](i16 a, i16 b, i16 c) { return Saturating<i16>{i64(a) * b + c}; }>());
  add("v_mad_u32_u16", op<[](u16 a, u16 b, u32 c) { return Saturating<u32>{i64(a) * b + c}; }>());
  add("v_mad_i32_i16", op<[](i16 a, i16 b, i32 c) { return Saturating<i32>{i64(a) * b + c}; }>());
  add({"v_mad_u64_u32", "v_mad_co_u64_u32"}, op<[](u32 a, u32 b, u64 c) {
        u64 product = u64(a) * b;
        return WithCarry<u64>{product + c, product + c < product};
      }>());
  add({"v_mad_i64_i32", "v_mad_co_i64_i32"}, op<[](i32 a, i32 b, u64 c) {
        __int128 sum = __int128(i64(a) * b) + i64(c);
        return WithCarry<u64>{u64(sum), u32(sum >> 64) & 1};
      }>());
  add("v_mad_nc_u64_u32", op<[](u32 a, u32 b, u64 c) { return u64(a) * b + c; }>());
  add("v_mad_nc_i64_i32", op<[](i32 a, i32 b, u64 c) { return u64(i64(a) * b) + c; }>());

  // Shifts.
  add("v_lshlrev_b32", op<[](u32 a, u32 b) { return b << (a & 31); }>());
  add("v_lshrrev_b32", op<[](u32 a, u32 b) { return b >> (a & 31); }>());
  add("v_ashrrev_i32", op<[](u32 a, i32 b) { return b >> (a & 31); }>());
  add("v_lshlrev_b16", op<[](u16 a, u16 b) { return u16(b << (a & 15)); }>());
  add("v_lshrrev_b16", op<[](u16 a, u16 b) { return u16(b >> (a & 15)); }>());
  add("v_ashrrev_i16", op<[](u16 a, i16 b) { return i16(b >> (a & 15)); }>());
  add("v_lshlrev_b64", op<[](u32 a, u64 b) { return b << (a & 63); }>());
  add("v_lshrrev_b64", op<[](u32 a, u64 b) { return b >> (a & 63); }>());
  add("v_ashrrev_i64", op<[](u32 a, i64 b) { return b >> (a & 63); }>());
  add({"v_alignbit_b32"}, op<[](u32 a, u32 b, u32 c) { return u32((u64(a) << 32 | b) >> (c & 31)); }>());
  add({"v_alignbyte_b32"},
      op<[](u32 a, u32 b, u32 c) { return u32((u64(a) << 32 | b) >> (8 * (c & 3))); }>());

  // Bits.
  add("v_and_b32", op<[](u32 a, u32 b) { return a & b; }>());
  add("v_or_b32", op<[](u32 a, u32 b) { return a | b; }>());
  add("v_xor_b32", op<[](u32 a, u32 b) { return a ^ b; }>());
  add("v_xnor_b32", op<[](u32 a, u32 b) { return ~(a ^ b); }>());
  add("v_and_b16", op<[](u16 a, u16 b) { return u16(a & b); }>());
  add("v_or_b16", op<[](u16 a, u16 b) { return u16(a | b); }>());
  add("v_xor_b16", op<[](u16 a, u16 b) { return u16(a ^ b); }>());
  add("v_or3_b32", op<[](u32 a, u32 b, u32 c) { return a | b | c; }>());
  add("v_xor3_b32", op<[](u32 a, u32 b, u32 c) { return a ^ b ^ c; }>());
  add("v_and_or_b32", op<[](u32 a, u32 b, u32 c) { return (a & b) | c; }>());
  add("v_lshl_or_b32", op<[](u32 a, u32 b, u32 c) { return (a << (b & 31)) | c; }>());
  add("v_bitop3_b32", {[](Wave &w, const Instruction &in) { bitop3(w, in, false); }});
  add("v_bitop3_b16", {[](Wave &w, const Instruction &in) { bitop3(w, in, true); }});
  add("v_bfe_u32", op<[](u32 a, u32 b, u32 c) { return fieldU(a, b, c); }>());
  add("v_bfe_i32", op<[](u32 a, u32 b, u32 c) { return fieldI(a, b, c); }>());
  add("v_bfi_b32", op<[](u32 a, u32 b, u32 c) { return (a & b) | (~a & c); }>());
  add("v_bfm_b32", op<[](u32 a, u32 b) { return ((1u << (a & 31)) - 1) << (b & 31); }>());
  add("v_bfrev_b32", op<[](u32 a) { return reversed(a); }>());
  add("v_bcnt_u32_b32", op<[](u32 a, u32 b) { return u32(std::popcount(a)) + b; }>());
  add({"v_ffbh_u32", "v_clz_i32_u32"}, op<[](u32 a) { return leadingZeros(a); }>());
  add({"v_ffbh_i32", "v_cls_i32"}, op<[](i32 a) { return leadingSigns(a); }>());
  add({"v_ffbl_b32", "v_ctz_i32_b32"}, op<[](u32 a) { return a ? u32(std::countr_zero(a)) : ~0u; }>());
  add("v_perm_b32", op<[](u32 a, u32 b, u32 c) { return permuted(a, b, c); }>());

  // Minimum, maximum, median.
  add("v_min_u32", op<[](u32 a, u32 b) { return std::min(a, b); }>());
  add("v_max_u32", op<[](u32 a, u32 b) { return std::max(a, b); }>());
  add("v_min_i32", op<[](i32 a, i32 b) { return std::min(a, b); }>());
  add("v_max_i32", op<[](i32 a, i32 b) { return std::max(a, b); }>());
  add("v_min_u16", op<[](u16 a, u16 b) { return std::min(a, b); }>());
  add("v_max_u16", op<[](u16 a, u16 b) { return std::max(a, b); }>());
  add("v_min_i16", op<[](i16 a, i16 b) { return std::min(a, b); }>());
  add("v_max_i16", op<[](i16 a, i16 b) { return std::max(a, b); }>());
  add("v_min3_u32", op<[](u32 a, u32 b, u32 c) { return std::min(std::min(a, b), c); }>());
  add("v_max3_u32", op<[](u32 a, u32 b, u32 c) { return std::max(std::max(a, b), c); }>());
  add("v_med3_u32", op<[](u32 a, u32 b, u32 c) { return middle(a, b, c); }>());
  add("v_min3_i32", op<[](i32 a, i32 b, i32 c) { return std::min(std::min(a, b), c); }>());
  add("v_max3_i32", op<[](i32 a, i32 b, i32 c) { return std::max(std::max(a, b), c); }>());
  add("v_med3_i32", op<[](i32 a, i32 b, i32 c) { return middle(a, b, c); }>());
  add("v_min3_u16", op<[](u16 a, u16 b, u16 c) { return std::min(std::min(a, b), c); }>());
  add("v_max3_u16", op<[](u16 a, u16 b, u16 c) { return std::max(std::max(a, b), c); }>());
  add("v_med3_u16", op<[](u16 a, u16 b, u16 c) { return middle(a, b, c); }>());
  add("v_min3_i16", op<[](i16 a, i16 b, i16 c) { return std::min(std::min(a, b), c); }>());
  add("v_max3_i16", op<[](i16 a, i16 b, i16 c) { return std::max(std::max(a, b), c); }>());
  add("v_med3_i16", op<[](i16 a, i16 b, i16 c) { return middle(a, b, c); }>());
  add("v_maxmin_u32", op<[](u32 a, u32 b, u32 c) { return std::min(std::max(a, b), c); }>());
  add("v_minmax_u32", op<[](u32 a, u32 b, u32 c) { return std::max(std::min(a, b), c); }>());
  add("v_maxmin_i32", op<[](i32 a, i32 b, i32 c) { return std::min(std::max(a, b), c); }>());
  add("v_minmax_i32", op<[](i32 a, i32 b, i32 c) { return std::max(std::min(a, b), c); }>());

  // Sums of absolute differences and extensions.
  add("v_sad_u8", op<[](u32 a, u32 b, u32 c) { return absoluteDifferences(a, b, c, false); }>());
  add("v_msad_u8", op<[](u32 a, u32 b, u32 c) { return absoluteDifferences(a, b, c, true); }>());
  add("v_sad_hi_u8",
      op<[](u32 a, u32 b, u32 c) { return (absoluteDifferences(a, b, 0, false) << 16) + c; }>());
  add("v_sad_u16", op<[](u32 a, u32 b, u32 c) {
        auto low = [](u32 x) { return i32(x & 0xffff); };
        return u32(std::abs(low(a) - low(b))) + u32(std::abs(i32(a >> 16) - i32(b >> 16))) + c;
      }>());
  add("v_sad_u32", op<[](u32 a, u32 b, u32 c) { return (a > b ? a - b : b - a) + c; }>());
  add("v_cvt_i32_i16", op<[](i16 a) { return i32(a); }>());
  add("v_cvt_u32_u16", op<[](u16 a) { return u32(a); }>());
  add("v_lerp_u8", op<[](u32 a, u32 b, u32 c) {
        u32 result = 0;
        for (unsigned i = 0; i < 32; i += 8)
          result |= (((a >> i & 0xff) + (b >> i & 0xff) + (c >> i & 1)) >> 1) << i;
        return result;
      }>());
  add("v_pack_b32_f16", op<[](u16 a, u16 b) { return u32(a) | u32(b) << 16; }>());
}

} // namespace quern::runtime::emulated::amd
