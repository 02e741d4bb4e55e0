//===- BulkReduce.cpp - Reductions in memory ------------------------------===//

#include "runtime/emulated/nvidia/BulkReduce.h"

#include "runtime/emulated/nvidia/Arithmetic.h"

#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>

namespace quern::runtime::emulated::nvidia {

namespace {

using R = BulkForm::Reduction;

/// PTX ISA 9.7.13.5 ("atom"): inc and dec wrap at the operand.
template <typename Word, typename Number> Word integers(Word oldWord, Word word, R reduction) {
  auto old = static_cast<Number>(oldWord), value = static_cast<Number>(word);
  switch (reduction) {
  case R::Add:
    return oldWord + word;
  case R::Min:
    return static_cast<Word>(std::min(old, value));
  case R::Max:
    return static_cast<Word>(std::max(old, value));
  case R::Inc:
    return old >= value ? 0 : oldWord + 1;
  case R::Dec:
    return old == 0 || old > value ? word : oldWord - 1;
  case R::And:
    return oldWord & word;
  case R::Or:
    return oldWord | word;
  case R::Xor:
    return oldWord ^ word;
  case R::None:
    break;
  }
  return word;
}

float flushed(float value) { return std::fabs(value) < 0x1p-126f ? std::copysign(0.0f, value) : value; }

template <typename Word> Word combine(Word old, Word value, R reduction, BulkForm::Type type) {
  if constexpr (sizeof(Word) == 2) {
    HalfOp op = reduction == R::Add ? HalfOp::Add : reduction == R::Min ? HalfOp::Min : HalfOp::Max;
    return halfArithmetic(static_cast<uint32_t>(op) | (type == BulkForm::BF16 ? HalfIsBF16 : 0u), old, value,
                          0);
  } else if constexpr (sizeof(Word) == 4) {
    if (type == BulkForm::F32)
      return std::bit_cast<Word>(std::bit_cast<float>(old) + std::bit_cast<float>(value));
    if (type == BulkForm::F32Ftz)
      return std::bit_cast<Word>(
          flushed(flushed(std::bit_cast<float>(old)) + flushed(std::bit_cast<float>(value))));
    return type == BulkForm::S32 ? integers<Word, int32_t>(old, value, reduction)
                                 : integers<Word, uint32_t>(old, value, reduction);
  } else {
    if (type == BulkForm::F64)
      return std::bit_cast<Word>(std::bit_cast<double>(old) + std::bit_cast<double>(value));
    return type == BulkForm::S64 ? integers<Word, int64_t>(old, value, reduction)
                                 : integers<Word, uint64_t>(old, value, reduction);
  }
}

template <typename Word>
void reduceWords(std::byte *to, const std::byte *from, size_t bytes, R reduction, BulkForm::Type type) {
  for (size_t i = 0; i < bytes; i += sizeof(Word)) {
    Word value;
    std::memcpy(&value, from + i, sizeof value);
    std::atomic_ref<Word> word(*reinterpret_cast<Word *>(to + i));
    Word old = word.load(std::memory_order_relaxed);
    while (!word.compare_exchange_weak(old, combine<Word>(old, value, reduction, type))) {
    }
  }
}

} // namespace

uint32_t bytesOf(BulkForm::Type type) {
  switch (type) {
  case BulkForm::F16:
  case BulkForm::BF16:
    return 2;
  case BulkForm::U64:
  case BulkForm::S64:
  case BulkForm::F64:
    return 8;
  default:
    return 4;
  }
}

bool hasReduction(R reduction, BulkForm::Type type) {
  switch (type) {
  case BulkForm::F16:
  case BulkForm::BF16:
    return reduction == R::Add || reduction == R::Min || reduction == R::Max;
  case BulkForm::F32:
  case BulkForm::F32Ftz:
  case BulkForm::F64:
    return reduction == R::Add;
  default:
    return reduction != R::None;
  }
}

bool reduceInto(std::byte *to, const std::byte *from, size_t bytes, R reduction, BulkForm::Type type) {
  if (!hasReduction(reduction, type))
    return false;
  switch (bytesOf(type)) {
  case 2:
    reduceWords<uint16_t>(to, from, bytes, reduction, type);
    break;
  case 4:
    reduceWords<uint32_t>(to, from, bytes, reduction, type);
    break;
  default:
    reduceWords<uint64_t>(to, from, bytes, reduction, type);
  }
  return true;
}

} // namespace quern::runtime::emulated::nvidia
