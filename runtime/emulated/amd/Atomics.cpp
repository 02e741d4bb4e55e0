//===- Atomics.cpp - Atomic operations on global and local memory ---------===//
//
// One table of operations (CDNA3 manual, "Memory atomics"; RDNA4 manual for the renamed and the new ones),
// applied lane by lane in lane order. Blocks run on several host threads, so global memory is updated with
// the host's compare-and-swap.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/FloatMath.h"
#include "runtime/emulated/amd/HandlerTable.h"
#include "runtime/emulated/amd/MemoryAccess.h"

#include <atomic>
#include <cstring>

namespace quern::runtime::emulated::amd {
namespace {

using u32 = uint32_t;
using u64 = uint64_t;

enum class Op : uint8_t {
  Swap,
  CompareSwap,
  Add,
  Sub,
  ReverseSub,
  MinSigned,
  MinUnsigned,
  MaxSigned,
  MaxUnsigned,
  And,
  Or,
  Xor,
  Increment,
  Decrement,
  AddFloat,
  MinFloat,
  MaxFloat,
  AddHalves,
  AddBfloats,
  MaskedOr,
  SubClamp,
  ConditionalSub
};

u32 addHalves(u32 a, u32 b) {
  auto sum = [](u32 x, u32 y) {
    return u32(floatToHalfNearest(halfToFloat(uint16_t(x)) + halfToFloat(uint16_t(y))));
  };
  return sum(a, b) | sum(a >> 16, b >> 16) << 16;
}
u32 addBfloats(u32 a, u32 b) {
  auto sum = [](u32 x, u32 y) {
    return u32(floatToBfloat(bfloatToFloat(uint16_t(x)) + bfloatToFloat(uint16_t(y))));
  };
  return sum(a, b) | sum(a >> 16, b >> 16) << 16;
}

/// New value of memory. |compare| is the second datum of compare-and-swap and masked or.
template <typename T> T applied(Op op, T old, T data, T compare) {
  using S = std::make_signed_t<T>;
  using F = std::conditional_t<sizeof(T) == 4, float, double>;
  auto asFloat = [](T x) { return std::bit_cast<F>(x); };
  switch (op) {
  case Op::Swap:
    return data;
  case Op::CompareSwap:
    return old == compare ? data : old;
  case Op::Add:
    return old + data;
  case Op::Sub:
    return old - data;
  case Op::ReverseSub:
    return data - old;
  case Op::MinSigned:
    return T(std::min(S(old), S(data)));
  case Op::MinUnsigned:
    return std::min(old, data);
  case Op::MaxSigned:
    return T(std::max(S(old), S(data)));
  case Op::MaxUnsigned:
    return std::max(old, data);
  case Op::And:
    return old & data;
  case Op::Or:
    return old | data;
  case Op::Xor:
    return old ^ data;
  case Op::Increment: // wraps to 0 at the limit
    return old >= data ? 0 : old + 1;
  case Op::Decrement:
    return old == 0 || old > data ? data : old - 1;
  case Op::AddFloat:
    return std::bit_cast<T>(F(asFloat(old) + asFloat(data)));
  case Op::MinFloat:
    return std::bit_cast<T>(minNumber(asFloat(old), asFloat(data)));
  case Op::MaxFloat:
    return std::bit_cast<T>(maxNumber(asFloat(old), asFloat(data)));
  case Op::AddHalves:
    return addHalves(u32(old), u32(data));
  case Op::AddBfloats:
    return addBfloats(u32(old), u32(data));
  case Op::MaskedOr: // data is the mask of bits to clear, compare the bits to set
    return (old & ~data) | compare;
  case Op::SubClamp:
    return old < data ? 0 : old - data;
  case Op::ConditionalSub:
    return old >= data ? old - data : old;
  }
  return old;
}

template <typename T> T update(uint8_t *memory, Op op, T data, T compare, bool shared) {
  T *word = reinterpret_cast<T *>(memory);
  if (!shared) {
    T old;
    std::memcpy(&old, word, sizeof(T));
    T fresh = applied(op, old, data, compare);
    std::memcpy(word, &fresh, sizeof(T));
    return old;
  }
  std::atomic_ref<T> atomic(*word);
  T old = atomic.load();
  while (!atomic.compare_exchange_weak(old, applied(op, old, data, compare)))
    ;
  return old;
}

/// Instruction::immediate as AccessShape (bytes, space) with the operation in 31:24.
template <typename T> T laneData(Wave &wave, const Operand &op, unsigned lane, unsigned dword = 0) {
  if constexpr (sizeof(T) == 4)
    return wave.row(op.index + dword)[lane];
  else
    return wave.row(op.index + dword)[lane] | u64(wave.row(op.index + dword + 1)[lane]) << 32;
}

template <typename T> void globalAtomic(Wave &wave, const Instruction &in) {
  AccessShape shape = AccessShape::decoded(in.immediate);
  Op op = Op(in.immediate >> 24);
  uint64_t lanes = wave.mask(scalar::Exec);
  bool buffer = shape.space == Space::Buffer;
  // buffer: data, vaddr, srsrc, soffset; others: [dst,] vaddr, data [, base].
  unsigned first = buffer ? 1 : in.destinations;
  unsigned dataIndex = buffer ? 0 : first + 1;
  unsigned last = shape.space == Space::Flat ? first : std::min<unsigned>(first + 2, in.operandCount - 1);
  LaneAddresses addresses;
  if (!computeAddresses(wave, in, shape.space, first, last, lanes, addresses))
    return;
  countGlobal(wave, true, addresses, lanes, sizeof(T));
  constexpr unsigned dwords = sizeof(T) / 4;
  Outstanding operation{.counter = in.returns ? Counter::Load : Counter::Store};
  operation.alsoLocal = shape.space == Space::Flat && (in.returns || !wave.target.separateStoreCounter);
  operation.toVector = true;
  operation.lanes = lanes;
  if (in.returns) {
    operation.first = in.operands[0].index;
    operation.dwords = dwords;
    operation.data.assign(size_t(dwords) * wave.width, 0);
  }
  const Operand &dataOperand = in.operands[dataIndex];
  for (unsigned lane = 0; lane < wave.width; ++lane) {
    if (!(lanes >> lane & 1) || (addresses.ranged && addresses.inside[lane] < sizeof(T)))
      continue;
    bool local;
    uint8_t *memory = resolve(wave, lane, addresses.address[lane], sizeof(T), AccessKind::Atomic, local);
    if (!memory)
      return;
    T data = laneData<T>(wave, dataOperand, lane);
    // Compare-and-swap takes the new value first, then the one to compare with.
    T compare = op == Op::CompareSwap ? laneData<T>(wave, dataOperand, lane, dwords) : T(0);
    T old = update<T>(memory, op, data, compare, !local);
    if (in.returns)
      for (unsigned i = 0; i < dwords; ++i)
        operation.data[i * wave.width + lane] = u32(u64(old) >> (32 * i));
    wave.globalStoreBytes += sizeof(T);
  }
  wave.issue(std::move(operation));
}

/// ds_: [dst,] address, data [, data2]. Bit 23 of the immediate: compare-and-swap with the comparison first
/// (before gfx11), else last.
template <typename T> void localAtomic(Wave &wave, const Instruction &in) {
  Op op = Op(in.immediate >> 24);
  bool compareFirst = in.immediate >> 23 & 1;
  unsigned first = in.destinations;
  constexpr unsigned dwords = sizeof(T) / 4;
  Outstanding operation{.counter = Counter::Local};
  operation.toVector = true;
  operation.lanes = wave.mask(scalar::Exec);
  if (in.destinations) {
    operation.first = in.operands[0].index;
    operation.dwords = dwords;
    operation.data.assign(size_t(dwords) * wave.width, 0);
  }
  bool tracks = wave.block.launch.options->sanitize;
  const u32 *addressRow = wave.row(in.operands[first].index);
  bool twoData = op == Op::CompareSwap || op == Op::MaskedOr;
  for (unsigned lane = 0; lane < wave.width; ++lane) {
    if (!(operation.lanes >> lane & 1))
      continue;
    u64 address = u64(addressRow[lane]) + u32(in.offset);
    if (!wave.block.checkLocal(wave, lane, address, sizeof(T)))
      return;
    if (address % sizeof(T)) {
      wave.fault("misaligned", "local address " + std::to_string(address) + " of an atomic", lane);
      return;
    }
    if (!wave.block.touchLocal(wave, lane, u32(address), sizeof(T), LocalAccess::Atomic))
      return;
    T data = laneData<T>(wave, in.operands[first + 1], lane);
    T second = twoData ? laneData<T>(wave, in.operands[first + 2], lane) : T(0);
    if (op == Op::CompareSwap && compareFirst)
      std::swap(data, second);
    T old = update<T>(wave.block.local.data() + address, op, data, second, false);
    for (unsigned i = 0; i < operation.dwords; ++i)
      operation.data[i * wave.width + lane] = u32(u64(old) >> (32 * i));
    if (tracks)
      operation.addresses.push_back(u32(address));
  }
  operation.addressSize = sizeof(T);
  operation.addressKind = uint8_t(LocalAccess::Atomic);
  countLocal(wave, true, addressRow, u32(in.offset), operation.lanes, sizeof(T));
  wave.localStoreBytes += sizeof(T) * unsigned(std::popcount(operation.lanes));
  wave.issue(std::move(operation));
}

} // namespace

void HandlerTable::addAtomics() {
  struct Form {
    const char *name;
    Op op;
    bool wide;
  };
  // Global, flat and buffer: names before gfx11 ("_x2" for 64 bits), since gfx11, and since gfx12.
  static const Form forms[] = {
      {"swap", Op::Swap, false},
      {"cmpswap", Op::CompareSwap, false},
      {"add", Op::Add, false},
      {"sub", Op::Sub, false},
      {"smin", Op::MinSigned, false},
      {"umin", Op::MinUnsigned, false},
      {"smax", Op::MaxSigned, false},
      {"umax", Op::MaxUnsigned, false},
      {"and", Op::And, false},
      {"or", Op::Or, false},
      {"xor", Op::Xor, false},
      {"inc", Op::Increment, false},
      {"dec", Op::Decrement, false},
      {"swap_x2", Op::Swap, true},
      {"cmpswap_x2", Op::CompareSwap, true},
      {"add_x2", Op::Add, true},
      {"sub_x2", Op::Sub, true},
      {"smin_x2", Op::MinSigned, true},
      {"umin_x2", Op::MinUnsigned, true},
      {"smax_x2", Op::MaxSigned, true},
      {"umax_x2", Op::MaxUnsigned, true},
      {"and_x2", Op::And, true},
      {"or_x2", Op::Or, true},
      {"xor_x2", Op::Xor, true},
      {"inc_x2", Op::Increment, true},
      {"dec_x2", Op::Decrement, true},
      {"swap_b32", Op::Swap, false},
      {"cmpswap_b32", Op::CompareSwap, false},
      {"add_u32", Op::Add, false},
      {"sub_u32", Op::Sub, false},
      {"min_i32", Op::MinSigned, false},
      {"min_u32", Op::MinUnsigned, false},
      {"max_i32", Op::MaxSigned, false},
      {"max_u32", Op::MaxUnsigned, false},
      {"and_b32", Op::And, false},
      {"or_b32", Op::Or, false},
      {"xor_b32", Op::Xor, false},
      {"inc_u32", Op::Increment, false},
      {"dec_u32", Op::Decrement, false},
      {"csub_u32", Op::SubClamp, false},
      {"sub_clamp_u32", Op::SubClamp, false},
      {"cond_sub_u32", Op::ConditionalSub, false},
      {"swap_b64", Op::Swap, true},
      {"cmpswap_b64", Op::CompareSwap, true},
      {"add_u64", Op::Add, true},
      {"sub_u64", Op::Sub, true},
      {"min_i64", Op::MinSigned, true},
      {"min_u64", Op::MinUnsigned, true},
      {"max_i64", Op::MaxSigned, true},
      {"max_u64", Op::MaxUnsigned, true},
      {"and_b64", Op::And, true},
      {"or_b64", Op::Or, true},
      {"xor_b64", Op::Xor, true},
      {"inc_u64", Op::Increment, true},
      {"dec_u64", Op::Decrement, true},
      {"add_f32", Op::AddFloat, false},
      {"min_f32", Op::MinFloat, false},
      {"max_f32", Op::MaxFloat, false},
      {"min_num_f32", Op::MinFloat, false},
      {"max_num_f32", Op::MaxFloat, false},
      {"add_f64", Op::AddFloat, true},
      {"min_f64", Op::MinFloat, true},
      {"max_f64", Op::MaxFloat, true},
      {"pk_add_f16", Op::AddHalves, false},
      {"pk_add_bf16", Op::AddBfloats, false},
  };
  static const struct {
    const char *prefix;
    Space space;
  } spaces[] = {
      {"global_atomic_", Space::Global}, {"flat_atomic_", Space::Flat}, {"buffer_atomic_", Space::Buffer}};
  for (auto &[prefix, space] : spaces)
    for (const Form &form : forms) {
      uint32_t immediate = AccessShape{uint8_t(form.wide ? 8 : 4), false, false, false, space}.encoded() |
                           uint32_t(form.op) << 24;
      // The decoder adds the destination of the forms that return.
      add(std::string(prefix) + form.name,
          {form.wide ? globalAtomic<u64> : globalAtomic<u32>, Unit::Memory, 0, false, immediate});
    }

  struct LocalForm {
    const char *name; ///< without width
    const char *narrow, *wide;
    Op op;
  };
  static const LocalForm locals[] = {
      {"add", "u32", "u64", Op::Add},
      {"sub", "u32", "u64", Op::Sub},
      {"rsub", "u32", "u64", Op::ReverseSub},
      {"inc", "u32", "u64", Op::Increment},
      {"dec", "u32", "u64", Op::Decrement},
      {"min", "i32", "i64", Op::MinSigned},
      {"max", "i32", "i64", Op::MaxSigned},
      {"min", "u32", "u64", Op::MinUnsigned},
      {"max", "u32", "u64", Op::MaxUnsigned},
      {"and", "b32", "b64", Op::And},
      {"or", "b32", "b64", Op::Or},
      {"xor", "b32", "b64", Op::Xor},
      {"mskor", "b32", "b64", Op::MaskedOr},
      {"add", "f32", "f64", Op::AddFloat},
      {"min", "f32", "f64", Op::MinFloat},
      {"max", "f32", "f64", Op::MaxFloat},
      {"min_num", "f32", "f64", Op::MinFloat},
      {"max_num", "f32", "f64", Op::MaxFloat},
      {"pk_add", "f16", nullptr, Op::AddHalves},
      {"pk_add", "bf16", nullptr, Op::AddBfloats},
      {"cmpst", "b32", "b64", Op::CompareSwap},
      {"cmpstore", "b32", "b64", Op::CompareSwap},
      {"wrxchg", "b32", "b64", Op::Swap},
      {"storexchg", "b32", "b64", Op::Swap},
      {"sub_clamp", "u32", nullptr, Op::SubClamp},
      {"cond_sub", "u32", nullptr, Op::ConditionalSub},
  };
  for (const LocalForm &form : locals) {
    uint32_t immediate = uint32_t(form.op) << 24 | (std::string_view(form.name) == "cmpst" ? 1u << 23 : 0);
    for (bool returns : {false, true}) {
      std::string stem = std::string("ds_") + form.name + (returns ? "_rtn_" : "_");
      uint8_t destinations = returns ? 1 : 0;
      add(stem + form.narrow, {localAtomic<u32>, Unit::Local, destinations, false, immediate});
      if (form.wide)
        add(stem + form.wide, {localAtomic<u64>, Unit::Local, destinations, false, immediate});
    }
  }
}

} // namespace quern::runtime::emulated::amd
