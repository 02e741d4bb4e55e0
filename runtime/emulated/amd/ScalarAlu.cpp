//===- ScalarAlu.cpp - Integer instructions of the scalar unit ------------===//
//
// SOP1, SOP2, SOPK and SOPC of the CDNA3 and RDNA4 manuals. SCC: carry or overflow of additions and
// subtractions, "result is not zero" of bit operations, the outcome of comparisons.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/ScalarAlu.h"

namespace quern::runtime::emulated::amd {
namespace {

using u32 = uint32_t;
using i32 = int32_t;
using u64 = uint64_t;
using i64 = int64_t;

bool addOverflows(i32 a, i32 b) { return i64(a) + b != i64(i32(u32(a) + u32(b))); }
bool subOverflows(i32 a, i32 b) { return i64(a) - b != i64(i32(u32(a) - u32(b))); }

template <typename T> T fieldOf(T x, u32 control, bool isSigned) {
  // Offset in the low bits, width at bit 16.
  constexpr unsigned bits = sizeof(T) * 8;
  unsigned offset = control & (bits - 1), width = control >> 16 & 0x7f;
  if (width == 0)
    return 0;
  T value = isSigned ? T(std::make_signed_t<T>(x) >> offset) : x >> offset;
  if (width >= bits) // the whole register; what was shifted in is zero or the sign
    return value;
  value &= (T(1) << width) - 1;
  if (isSigned) {
    T sign = T(1) << (width - 1);
    value = (value ^ sign) - sign;
  }
  return value;
}

template <typename T> T reversedBits(T x) {
  T result = 0;
  for (unsigned i = 0; i < sizeof(T) * 8; ++i)
    result |= (x >> i & 1) << (sizeof(T) * 8 - 1 - i);
  return result;
}
/// A group of four bits is all ones where any of its bits is set.
template <typename T> T quadMask(T x) {
  T result = 0;
  for (unsigned i = 0; i < sizeof(T) * 2; ++i)
    if (x >> (4 * i) & 15)
      result |= T(1) << i;
  return result;
}
template <typename T> T wholeQuads(T x) {
  T result = 0;
  for (unsigned i = 0; i < sizeof(T) * 2; ++i)
    if (x >> (4 * i) & 15)
      result |= T(15) << (4 * i);
  return result;
}
u64 replicated(u32 x) { // each bit twice
  u64 result = 0;
  for (unsigned i = 0; i < 32; ++i)
    if (x >> i & 1)
      result |= u64(3) << (2 * i);
  return result;
}
template <typename T> i32 leadingSignBits(T x) {
  auto bits = std::make_unsigned_t<T>(x < 0 ? ~x : x);
  return bits ? std::countl_zero(bits) : -1;
}

/// dst = EXEC; EXEC = f(source, EXEC); SCC = EXEC is not zero. The dword forms are for wave32.
template <auto F, bool WritesExecResult = false> void saveExec(Wave &wave, const Instruction &in) {
  bool wide = in.immediate & 4;
  u64 exec = wide ? wave.wide(scalar::Exec) : wave.scalars[scalar::Exec];
  u64 source = wide ? wave.read64(in.operands[1]) : wave.read32(in.operands[1]);
  u64 result = F(source, exec);
  if (!wide)
    result = u32(result);
  u64 saved = WritesExecResult ? result : exec;
  if (wide) {
    wave.setWide(scalar::Exec, result);
    wave.write64(in.operands[0], saved);
  } else {
    wave.scalars[scalar::Exec] = u32(result);
    wave.write32(in.operands[0], u32(saved));
  }
  wave.scc = result != 0;
}

/// s_movrel*: register number plus M0.
template <bool Source, bool Wide> void moveRelative(Wave &wave, const Instruction &in) {
  Operand to = in.operands[0], from = in.operands[1];
  u32 offset = wave.scalars[scalar::M0];
  if (Source)
    from.index += offset;
  else
    to.index += offset;
  if ((Source ? from : to).index + (Wide ? 1 : 0) >= scalar::FlatScratch + 6) {
    wave.fault("out-of-bounds", "relative move outside the scalar registers, M0 = " + std::to_string(offset));
    return;
  }
  Wide ? wave.write64(to, wave.read64(from)) : wave.write32(to, wave.read32(from));
}

/// One formula for the b32 and the b64 form; SCC = result is not zero.
template <auto F32, auto F64> void bitwise(HandlerTable &table, std::initializer_list<std::string> names) {
  for (const std::string &name : names) {
    table.add(name + "_b32", scalarEntry<F32>());
    table.add(name + "_b64", scalarEntry<F64>());
  }
}
#define QUERN_BITWISE(EXPR)                                                                                  \
  [](u32 a, u32 b, bool &scc) -> u32 {                                                                       \
    u32 r = EXPR;                                                                                            \
    scc = r != 0;                                                                                            \
    return r;                                                                                                \
  },                                                                                                         \
      [](u64 a, u64 b, bool &scc) -> u64 {                                                                   \
        u64 r = EXPR;                                                                                        \
        scc = r != 0;                                                                                        \
        return r;                                                                                            \
      }

template <auto F, bool Result = false>
void saveExecs(HandlerTable &table, std::initializer_list<std::string> names) {
  for (const std::string &name : names) {
    table.add(name + "_b32", {saveExec<F, Result>, Unit::Scalar, 1, false, 0});
    table.add(name + "_b64", {saveExec<F, Result>, Unit::Scalar, 1, false, 4});
  }
}

template <auto F> void compare(HandlerTable &table, std::initializer_list<std::string_view> names) {
  table.add(names, {scalarOp<F>, Unit::Scalar, 0, false, 0});
}

} // namespace

void HandlerTable::addScalarArithmetic() {
  add({"s_mov_b32", "s_movk_i32"}, scalarEntry<[](u32 a) { return a; }>());
  add("s_mov_b64", scalarEntry<[](u64 a) { return a; }>());
  add("s_cmov_b32", scalarAccumulate<[](u32 a, u32 old, bool &scc) { return scc ? a : old; }>());
  add("s_cmovk_i32", scalarAccumulate<[](u32 a, u32 old, bool &scc) { return scc ? a : old; }>());
  add("s_cmov_b64", scalarAccumulate<[](u64 a, u64 old, bool &scc) { return scc ? a : old; }>());
  add("s_cselect_b32", scalarEntry<[](u32 a, u32 b, bool &scc) { return scc ? a : b; }>());
  add("s_cselect_b64", scalarEntry<[](u64 a, u64 b, bool &scc) { return scc ? a : b; }>());
  add("s_movrels_b32", {moveRelative<true, false>, Unit::Scalar, 1, false, 0});
  add("s_movrels_b64", {moveRelative<true, true>, Unit::Scalar, 1, false, 0});
  add("s_movreld_b32", {moveRelative<false, false>, Unit::Scalar, 1, false, 0});
  add("s_movreld_b64", {moveRelative<false, true>, Unit::Scalar, 1, false, 0});

  // Arithmetic.
  add({"s_add_u32", "s_add_co_u32"}, scalarEntry<[](u32 a, u32 b, bool &scc) {
        scc = (u64(a) + b) >> 32;
        return a + b;
      }>());
  add({"s_sub_u32", "s_sub_co_u32"}, scalarEntry<[](u32 a, u32 b, bool &scc) {
        scc = a < b;
        return a - b;
      }>());
  add({"s_add_i32", "s_add_co_i32"}, scalarEntry<[](i32 a, i32 b, bool &scc) {
        scc = addOverflows(a, b);
        return u32(a) + u32(b);
      }>());
  add({"s_sub_i32", "s_sub_co_i32"}, scalarEntry<[](i32 a, i32 b, bool &scc) {
        scc = subOverflows(a, b);
        return u32(a) - u32(b);
      }>());
  add({"s_addc_u32", "s_add_co_ci_u32"}, scalarEntry<[](u32 a, u32 b, bool &scc) {
        u64 sum = u64(a) + b + scc;
        scc = sum >> 32;
        return u32(sum);
      }>());
  add({"s_subb_u32", "s_sub_co_ci_u32"}, scalarEntry<[](u32 a, u32 b, bool &scc) {
        u32 result = a - b - scc;
        scc = u64(a) < u64(b) + scc;
        return result;
      }>());
  add({"s_addk_i32", "s_addk_co_i32"}, scalarAccumulate<[](i32 k, i32 old, bool &scc) {
        scc = addOverflows(old, k);
        return u32(old) + u32(k);
      }>());
  add("s_mulk_i32", scalarAccumulate<[](u32 k, u32 old) { return old * k; }>());
  add({"s_add_nc_u64", "s_add_u64"}, scalarEntry<[](u64 a, u64 b) { return a + b; }>());
  add({"s_sub_nc_u64", "s_sub_u64"}, scalarEntry<[](u64 a, u64 b) { return a - b; }>());
  add("s_mul_i32", scalarEntry<[](u32 a, u32 b) { return a * b; }>());
  add("s_mul_u64", scalarEntry<[](u64 a, u64 b) { return a * b; }>());
  add("s_mul_hi_u32", scalarEntry<[](u32 a, u32 b) { return u32(u64(a) * b >> 32); }>());
  add("s_mul_hi_i32", scalarEntry<[](i32 a, i32 b) { return u32(u64(i64(a) * b) >> 32); }>());
  for (unsigned shift = 1; shift <= 4; ++shift) {
    HandlerEntry entries[] = {scalarEntry<[](u32 a, u32 b, bool &scc) {
                                u64 sum = (u64(a) << 1) + b;
                                scc = sum >> 32;
                                return u32(sum);
                              }>(),
                              scalarEntry<[](u32 a, u32 b, bool &scc) {
                                u64 sum = (u64(a) << 2) + b;
                                scc = sum >> 32;
                                return u32(sum);
                              }>(),
                              scalarEntry<[](u32 a, u32 b, bool &scc) {
                                u64 sum = (u64(a) << 3) + b;
                                scc = sum >> 32;
                                return u32(sum);
                              }>(),
                              scalarEntry<[](u32 a, u32 b, bool &scc) {
                                u64 sum = (u64(a) << 4) + b;
                                scc = sum >> 32;
                                return u32(sum);
                              }>()};
    add("s_lshl" + std::to_string(shift) + "_add_u32", entries[shift - 1]);
  }
  add("s_absdiff_i32", scalarEntry<[](i32 a, i32 b, bool &scc) {
        u32 difference = u32(a) - u32(b);
        u32 result = i32(difference) < 0 ? 0u - difference : difference;
        scc = result != 0;
        return result;
      }>());
  add("s_abs_i32", scalarEntry<[](u32 a, bool &scc) {
        u32 result = i32(a) < 0 ? 0u - a : a;
        scc = result != 0;
        return result;
      }>());
  add("s_min_i32", scalarEntry<[](i32 a, i32 b, bool &scc) {
        scc = a < b;
        return u32(scc ? a : b);
      }>());
  add("s_min_u32", scalarEntry<[](u32 a, u32 b, bool &scc) {
        scc = a < b;
        return scc ? a : b;
      }>());
  add("s_max_i32", scalarEntry<[](i32 a, i32 b, bool &scc) {
        scc = a >= b;
        return u32(scc ? a : b);
      }>());
  add("s_max_u32", scalarEntry<[](u32 a, u32 b, bool &scc) {
        scc = a >= b;
        return scc ? a : b;
      }>());
  add("s_sext_i32_i8", scalarEntry<[](u32 a) { return u32(i32(int8_t(a))); }>());
  add("s_sext_i32_i16", scalarEntry<[](u32 a) { return u32(i32(int16_t(a))); }>());

  // Bits.
  bitwise<QUERN_BITWISE(a & b)>(*this, {"s_and"});
  bitwise<QUERN_BITWISE(a | b)>(*this, {"s_or"});
  bitwise<QUERN_BITWISE(a ^ b)>(*this, {"s_xor"});
  bitwise<QUERN_BITWISE(a & ~b)>(*this, {"s_andn2", "s_and_not1"});
  bitwise<QUERN_BITWISE(a | ~b)>(*this, {"s_orn2", "s_or_not1"});
  bitwise<QUERN_BITWISE(~(a & b))>(*this, {"s_nand"});
  bitwise<QUERN_BITWISE(~(a | b))>(*this, {"s_nor"});
  bitwise<QUERN_BITWISE(~(a ^ b))>(*this, {"s_xnor"});
  bitwise<QUERN_BITWISE(a << (b & (sizeof(a) * 8 - 1)))>(*this, {"s_lshl"});
  bitwise<QUERN_BITWISE(a >> (b & (sizeof(a) * 8 - 1)))>(*this, {"s_lshr"});
  // The shift amount of the 64-bit forms is one dword.
  add("s_lshl_b64", scalarEntry<[](u64 a, u32 b, bool &scc) {
        u64 r = a << (b & 63);
        scc = r != 0;
        return r;
      }>());
  add("s_lshr_b64", scalarEntry<[](u64 a, u32 b, bool &scc) {
        u64 r = a >> (b & 63);
        scc = r != 0;
        return r;
      }>());
  add("s_ashr_i32", scalarEntry<[](i32 a, u32 b, bool &scc) {
        u32 r = u32(a >> (b & 31));
        scc = r != 0;
        return r;
      }>());
  add("s_ashr_i64", scalarEntry<[](i64 a, u32 b, bool &scc) {
        u64 r = u64(a >> (b & 63));
        scc = r != 0;
        return r;
      }>());
  add("s_not_b32", scalarEntry<[](u32 a, bool &scc) {
        scc = ~a != 0;
        return ~a;
      }>());
  add("s_not_b64", scalarEntry<[](u64 a, bool &scc) {
        scc = ~a != 0;
        return ~a;
      }>());
  add("s_bfm_b32", scalarEntry<[](u32 a, u32 b) { return ((1u << (a & 31)) - 1) << (b & 31); }>());
  add("s_bfm_b64", scalarEntry<[](u32 a, u32 b) { return ((u64(1) << (a & 63)) - 1) << (b & 63); }>());
  add("s_bfe_u32", scalarEntry<[](u32 a, u32 b, bool &scc) {
        u32 r = fieldOf<u32>(a, b, false);
        scc = r != 0;
        return r;
      }>());
  add("s_bfe_i32", scalarEntry<[](u32 a, u32 b, bool &scc) {
        u32 r = fieldOf<u32>(a, b, true);
        scc = r != 0;
        return r;
      }>());
  add("s_bfe_u64", scalarEntry<[](u64 a, u32 b, bool &scc) {
        u64 r = fieldOf<u64>(a, b, false);
        scc = r != 0;
        return r;
      }>());
  add("s_bfe_i64", scalarEntry<[](u64 a, u32 b, bool &scc) {
        u64 r = fieldOf<u64>(a, b, true);
        scc = r != 0;
        return r;
      }>());
  add("s_brev_b32", scalarEntry<[](u32 a) { return reversedBits(a); }>());
  add("s_brev_b64", scalarEntry<[](u64 a) { return reversedBits(a); }>());
  add("s_bcnt0_i32_b32", scalarEntry<[](u32 a, bool &scc) {
        u32 r = u32(std::popcount(~a));
        scc = r != 0;
        return r;
      }>());
  add("s_bcnt0_i32_b64", scalarEntry<[](u64 a, bool &scc) {
        u32 r = u32(std::popcount(~a));
        scc = r != 0;
        return r;
      }>());
  add("s_bcnt1_i32_b32", scalarEntry<[](u32 a, bool &scc) {
        u32 r = u32(std::popcount(a));
        scc = r != 0;
        return r;
      }>());
  add("s_bcnt1_i32_b64", scalarEntry<[](u64 a, bool &scc) {
        u32 r = u32(std::popcount(a));
        scc = r != 0;
        return r;
      }>());
  add({"s_ff1_i32_b32", "s_ctz_i32_b32"},
      scalarEntry<[](u32 a) { return a ? u32(std::countr_zero(a)) : ~0u; }>());
  add({"s_ff1_i32_b64", "s_ctz_i32_b64"},
      scalarEntry<[](u64 a) { return a ? u32(std::countr_zero(a)) : ~0u; }>());
  add("s_ff0_i32_b32", scalarEntry<[](u32 a) { return ~a ? u32(std::countr_one(a)) : ~0u; }>());
  add("s_ff0_i32_b64", scalarEntry<[](u64 a) { return ~a ? u32(std::countr_one(a)) : ~0u; }>());
  add({"s_flbit_i32_b32", "s_clz_i32_u32"},
      scalarEntry<[](u32 a) { return a ? u32(std::countl_zero(a)) : ~0u; }>());
  add({"s_flbit_i32_b64", "s_clz_i32_u64"},
      scalarEntry<[](u64 a) { return a ? u32(std::countl_zero(a)) : ~0u; }>());
  add({"s_flbit_i32", "s_cls_i32"}, scalarEntry<[](i32 a) { return u32(leadingSignBits(a)); }>());
  add({"s_flbit_i32_i64", "s_cls_i32_i64"}, scalarEntry<[](i64 a) { return u32(leadingSignBits(a)); }>());
  add("s_bitset0_b32", scalarAccumulate<[](u32 a, u32 old) { return old & ~(1u << (a & 31)); }>());
  add("s_bitset1_b32", scalarAccumulate<[](u32 a, u32 old) { return old | 1u << (a & 31); }>());
  add("s_bitset0_b64", scalarAccumulate<[](u32 a, u64 old) { return old & ~(u64(1) << (a & 63)); }>());
  add("s_bitset1_b64", scalarAccumulate<[](u32 a, u64 old) { return old | u64(1) << (a & 63); }>());
  add("s_bitreplicate_b64_b32", scalarEntry<[](u32 a) { return replicated(a); }>());
  add("s_quadmask_b32", scalarEntry<[](u32 a, bool &scc) {
        u32 r = quadMask(a);
        scc = r != 0;
        return r;
      }>());
  add("s_quadmask_b64", scalarEntry<[](u64 a, bool &scc) {
        u64 r = quadMask(a);
        scc = r != 0;
        return r;
      }>());
  add("s_wqm_b32", scalarEntry<[](u32 a, bool &scc) {
        u32 r = wholeQuads(a);
        scc = r != 0;
        return r;
      }>());
  add("s_wqm_b64", scalarEntry<[](u64 a, bool &scc) {
        u64 r = wholeQuads(a);
        scc = r != 0;
        return r;
      }>());
  add("s_pack_ll_b32_b16", scalarEntry<[](u32 a, u32 b) { return (a & 0xffff) | b << 16; }>());
  add("s_pack_lh_b32_b16", scalarEntry<[](u32 a, u32 b) { return (a & 0xffff) | (b & 0xffff0000u); }>());
  add("s_pack_hh_b32_b16", scalarEntry<[](u32 a, u32 b) { return a >> 16 | (b & 0xffff0000u); }>());
  add("s_pack_hl_b32_b16", scalarEntry<[](u32 a, u32 b) { return a >> 16 | b << 16; }>());

  // EXEC and its copy.
  saveExecs<[](u64 s, u64 e) { return s & e; }>(*this, {"s_and_saveexec"});
  saveExecs<[](u64 s, u64 e) { return s | e; }>(*this, {"s_or_saveexec"});
  saveExecs<[](u64 s, u64 e) { return s ^ e; }>(*this, {"s_xor_saveexec"});
  saveExecs<[](u64 s, u64 e) { return s & ~e; }>(*this, {"s_andn2_saveexec", "s_and_not1_saveexec"});
  saveExecs<[](u64 s, u64 e) { return s | ~e; }>(*this, {"s_orn2_saveexec", "s_or_not1_saveexec"});
  saveExecs<[](u64 s, u64 e) { return ~s & e; }>(*this, {"s_andn1_saveexec", "s_and_not0_saveexec"});
  saveExecs<[](u64 s, u64 e) { return ~s | e; }>(*this, {"s_orn1_saveexec", "s_or_not0_saveexec"});
  saveExecs<[](u64 s, u64 e) { return ~(s & e); }>(*this, {"s_nand_saveexec"});
  saveExecs<[](u64 s, u64 e) { return ~(s | e); }>(*this, {"s_nor_saveexec"});
  saveExecs<[](u64 s, u64 e) { return ~(s ^ e); }>(*this, {"s_xnor_saveexec"});
  saveExecs<[](u64 s, u64 e) { return ~s & e; }, true>(*this, {"s_andn1_wrexec", "s_and_not0_wrexec"});
  saveExecs<[](u64 s, u64 e) { return s & ~e; }, true>(*this, {"s_andn2_wrexec", "s_and_not1_wrexec"});

  // Comparisons; the K forms compare with a 16-bit constant, extended by the decoder.
  compare<[](i32 a, i32 b, bool &scc) { scc = a == b; }>(*this, {"s_cmp_eq_i32", "s_cmpk_eq_i32"});
  compare<[](i32 a, i32 b, bool &scc) { scc = a != b; }>(*this, {"s_cmp_lg_i32", "s_cmpk_lg_i32"});
  compare<[](i32 a, i32 b, bool &scc) { scc = a > b; }>(*this, {"s_cmp_gt_i32", "s_cmpk_gt_i32"});
  compare<[](i32 a, i32 b, bool &scc) { scc = a >= b; }>(*this, {"s_cmp_ge_i32", "s_cmpk_ge_i32"});
  compare<[](i32 a, i32 b, bool &scc) { scc = a < b; }>(*this, {"s_cmp_lt_i32", "s_cmpk_lt_i32"});
  compare<[](i32 a, i32 b, bool &scc) { scc = a <= b; }>(*this, {"s_cmp_le_i32", "s_cmpk_le_i32"});
  compare<[](u32 a, u32 b, bool &scc) { scc = a == b; }>(*this, {"s_cmp_eq_u32", "s_cmpk_eq_u32"});
  compare<[](u32 a, u32 b, bool &scc) { scc = a != b; }>(*this, {"s_cmp_lg_u32", "s_cmpk_lg_u32"});
  compare<[](u32 a, u32 b, bool &scc) { scc = a > b; }>(*this, {"s_cmp_gt_u32", "s_cmpk_gt_u32"});
  compare<[](u32 a, u32 b, bool &scc) { scc = a >= b; }>(*this, {"s_cmp_ge_u32", "s_cmpk_ge_u32"});
  compare<[](u32 a, u32 b, bool &scc) { scc = a < b; }>(*this, {"s_cmp_lt_u32", "s_cmpk_lt_u32"});
  compare<[](u32 a, u32 b, bool &scc) { scc = a <= b; }>(*this, {"s_cmp_le_u32", "s_cmpk_le_u32"});
  compare<[](u64 a, u64 b, bool &scc) { scc = a == b; }>(*this, {"s_cmp_eq_u64"});
  compare<[](u64 a, u64 b, bool &scc) { scc = a != b; }>(*this, {"s_cmp_lg_u64"});
  compare<[](u32 a, u32 b, bool &scc) { scc = !(a >> (b & 31) & 1); }>(*this, {"s_bitcmp0_b32"});
  compare<[](u32 a, u32 b, bool &scc) { scc = a >> (b & 31) & 1; }>(*this, {"s_bitcmp1_b32"});
  compare<[](u64 a, u32 b, bool &scc) { scc = !(a >> (b & 63) & 1); }>(*this, {"s_bitcmp0_b64"});
  compare<[](u64 a, u32 b, bool &scc) { scc = a >> (b & 63) & 1; }>(*this, {"s_bitcmp1_b64"});
}

} // namespace quern::runtime::emulated::amd
