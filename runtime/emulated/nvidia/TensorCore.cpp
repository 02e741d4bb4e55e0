//===- TensorCore.cpp - tcgen05.mma and tcgen05.cp ------------------------===//
//
// PTX ISA 9.7.16: instruction descriptor (9.7.16.4.2), data path layouts (9.7.16.10.5), block scaling
// (9.7.16.10.7). The product of a k step is summed in double together with the old accumulator and rounded
// once; what the hardware does inside is not documented.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/TensorCore.h"

#include "runtime/emulated/nvidia/Arithmetic.h"

#include <bit>
#include <cmath>
#include <cstring>

namespace quern::runtime::emulated::nvidia {

namespace {

bool isScaled(TensorForm::Kind kind) { return kind >= TensorForm::MXF8F6F4; }

/// The codes of element types, by kind (9.7.16.4.2, "Instruction descriptor").
bool elementType(TensorForm::Kind kind, uint32_t code, MatrixType &type) {
  static constexpr MatrixType small[] = {MatrixType::E4M3, MatrixType::E5M2, MatrixType::E4M3,
                                         MatrixType::E2M3, MatrixType::E3M2, MatrixType::E2M1};
  switch (kind) {
  case TensorForm::F16:
    type = code == 0 ? MatrixType::F16 : MatrixType::BF16;
    return code <= 1;
  case TensorForm::TF32:
    type = MatrixType::TF32;
    return code == 2;
  case TensorForm::I8:
    type = code == 0 ? MatrixType::U8 : MatrixType::S8;
    return code <= 1;
  case TensorForm::F8F6F4:
  case TensorForm::MXF8F6F4:
    if (code > 5 || code == 2)
      return false;
    type = small[code];
    return true;
  default:
    type = MatrixType::PackedE2M1;
    return code == 1;
  }
}

} // namespace

std::string TensorProduct::name() const {
  auto word = [](MatrixType type) {
    static constexpr const char *words[] = {"f16",  "bf16", "tf32", "e4m3", "e5m2", "e2m3",
                                            "e3m2", "e2m1", "s8",   "u8",   "e2m1"};
    return std::string(words[size_t(type)]);
  };
  std::string text = "tcgen05.m" + std::to_string(m) + "n" + std::to_string(n) + "k" + std::to_string(k) +
                     "." + word(a.type);
  if (b.type != a.type)
    text += "." + word(b.type);
  return text + (form.scaleBlocks ? ".b32" : "");
}

uint64_t TensorProduct::operandBytes() const {
  return (form.aInTensor ? 0 : uint64_t(m) * k * 16 / chunkElements(a.type)) +
         uint64_t(n) * k * 16 / chunkElements(b.type);
}

const char *TensorProduct::read(const TensorForm &from, const TensorOperands &operands, bool &modelled) {
  form = from;
  auto word = static_cast<uint32_t>(operands.instruction);
  modelled = true;
  auto bits = [&](uint32_t at, uint32_t count) { return word >> at & ((1u << count) - 1); };
  modelled = bits(2, 1) == 0; // no sparsity
  n = bits(17, 6) << 3;
  m = bits(24, 5) << 4;
  if (!elementType(form.kind, bits(7, 3), a.type) || !elementType(form.kind, bits(10, 3), b.type))
    return "the instruction descriptor names an element type that the kind does not have";
  if (isScaled(form.kind)) {
    scaleIdB = bits(4, 2);
    scaleIdA = bits(29, 2);
    isUE8M0 = bits(23, 1);
    d = 1;
    modelled &= bits(31, 1) == 0;
  } else {
    d = bits(4, 2);
    saturate = bits(3, 1);
    modelled &= bits(30, 2) == 0;
  }
  bool isInteger = form.kind == TensorForm::I8;
  if (isInteger ? d != 2 : d > 1 || (d == 0 && form.kind == TensorForm::TF32))
    return "the instruction descriptor names an accumulator type that the kind does not have";
  negative = bits(13, 1) != bits(14, 1);
  a.mnMajor = bits(15, 1);
  b.mnMajor = bits(16, 1);
  if ((form.kind == TensorForm::MXF4 || form.kind == TensorForm::MXF4NVF4) && (a.mnMajor || b.mnMajor))
    return "operands of four bits are K-major";
  k = 2 * chunkElements(a.type);
  if (chunkElements(a.type) != chunkElements(b.type))
    return "the factors have different widths";
  // 9.7.16.2.1, "Shapes".
  bool fits = form.pair ? (m == 128 || m == 256) && n >= 32 && n <= 256 && n % 32 == 0
                        : (m == 64 && n >= 8 && n <= 256 && n % 8 == 0) ||
                              (m == 128 && n >= 16 && n <= 256 && n % 16 == 0);
  if (isScaled(form.kind))
    fits = form.pair ? (m == 256 || (m == 128 && form.kind != TensorForm::MXF8F6F4)) && n >= 16 && n <= 256 &&
                           n % 16 == 0
                     : m == 128 && n >= 8 && n <= 256 && n % 8 == 0;
  if (isInteger && !form.pair)
    fits = (m == 64 || m == 128) && (n == 8 || (n >= 16 && n <= 256 && n % 16 == 0));
  if (!fits)
    return "the shape in the instruction descriptor does not exist";
  if (isScaled(form.kind) && form.pair && m == 128)
    modelled = false;
  modelled &= b.readTensorCore(operands.b);
  if (!form.aInTensor)
    modelled &= a.readTensorCore(operands.a);
  keep = operands.keep;
  shift = static_cast<int>(operands.shift);
  dAddress = static_cast<uint32_t>(operands.d);
  aAddress = static_cast<uint32_t>(operands.a);
  scaleA = static_cast<uint32_t>(operands.scaleA);
  scaleB = static_cast<uint32_t>(operands.scaleB);
  // Only whole lanes from the first one on.
  modelled &= ((dAddress | (form.aInTensor ? aAddress : 0) | scaleA | scaleB) >> 16) == 0;
  for (int i = 0; i < 8; ++i)
    disabled[i] = static_cast<uint32_t>(operands.disabled[i]);
  return nullptr;
}

uint32_t TensorProduct::laneOf(uint32_t row, uint32_t column) const {
  if (!form.pair)
    return m == 64 ? row % 16 + 32 * (row / 16) : row;      // layouts F and D
  return m == 128 ? row + (column >= n / 2 ? 64 : 0) : row; // layouts B and A
}

double TensorProduct::scale(TensorMemory &memory, uint32_t address, uint32_t id, uint32_t row,
                            uint32_t block) const {
  // 9.7.16.10.7.2: the four scales of row r stand in lane r % 32 of column r / 32.
  uint32_t word = *memory.at(row % 32, (address & 0xFFFF) + row / 32);
  uint8_t code = static_cast<uint8_t>(word >> (8 * (id + block)));
  return isUE8M0 ? decodeUE8M0(code) : decode(code & 0x7F, formatE4M3);
}

void TensorProduct::apply() const {
  uint32_t blocks = form.pair ? 2 : 1, rows = m / blocks, columns = n / blocks;
  std::vector<double> left(size_t(rows) * k), right(size_t(k) * n), sums(n);
  for (uint32_t block = 0; block < blocks; ++block)
    b.load(shared[block], 0, columns, k, right.data() + size_t(block) * columns, 1, n);
  for (uint32_t block = 0; block < blocks; ++block) {
    TensorMemory &tensor = *memory[block];
    std::vector<double> scaled = right;
    if (form.aInTensor) {
      uint32_t inWord = chunkElements(a.type) / 4;
      for (uint32_t row = 0; row < rows; ++row)
        for (uint32_t i = 0; i < k; i += inWord)
          decodeWord(a.type, *tensor.at(laneOf(row, 0), (aAddress & 0xFFFF) + i / inWord),
                     &left[row * k + i]);
    } else {
      a.load(shared[block], 0, rows, k, left.data(), k, 1);
    }
    if (form.scaleBlocks) {
      uint32_t size = k / form.scaleBlocks;
      for (uint32_t row = 0; row < rows; ++row)
        for (uint32_t i = 0; i < k; ++i)
          left[row * k + i] *= scale(tensor, scaleA, scaleIdA, row, i / size);
      for (uint32_t i = 0; i < k; ++i)
        for (uint32_t column = 0; column < n; ++column)
          scaled[size_t(i) * n + column] *= scale(tensor, scaleB, scaleIdB, column, i / size);
    }
    if (negative)
      for (double &value : left)
        value = -value;
    for (uint32_t row = 0; row < rows; ++row) {
      auto place = [&](uint32_t column) {
        bool isUpper = form.pair && m == 128 && column >= n / 2;
        return tensor.at(laneOf(row, column), (dAddress & 0xFFFF) + (isUpper ? column - n / 2 : column));
      };
      for (uint32_t column = 0; column < n; ++column) {
        uint32_t word = *place(column);
        double old = d == 1   ? double(std::bit_cast<float>(word))
                     : d == 0 ? decode(word & 0xFFFF, formatF16)
                              : double(static_cast<int32_t>(word));
        sums[column] = keep ? std::ldexp(old, -shift) : 0.0;
      }
      accumulateRow(&left[size_t(row) * k], scaled.data(), n, k, sums.data());
      for (uint32_t column = 0; column < n; ++column) {
        uint32_t lane = laneOf(row, column) + 128 * block;
        if (disabled[lane / 32] >> (lane % 32) & 1)
          continue;
        double sum = sums[column];
        if (d == 1) {
          auto value = static_cast<float>(sum);
          *place(column) = std::isnan(value) ? 0x7FFFFFFF : std::bit_cast<uint32_t>(value);
        } else if (d == 0) {
          *place(column) = encode(sum, formatF16, RoundingMode::Nearest, false);
        } else {
          auto wide = static_cast<int64_t>(sum);
          if (saturate)
            wide = std::clamp<int64_t>(wide, INT32_MIN, INT32_MAX);
          *place(column) = static_cast<uint32_t>(wide);
        }
      }
    }
  }
}

uint32_t copyRows(TensorForm::CopyShape shape) {
  return shape == TensorForm::C4x256b                                       ? 4
         : shape == TensorForm::C32x128b                                    ? 32
         : shape == TensorForm::C64x128bA || shape == TensorForm::C64x128bB ? 64
                                                                            : 128;
}

uint32_t copyColumns(TensorForm::CopyShape shape) {
  return shape == TensorForm::C128x256b || shape == TensorForm::C4x256b ? 8 : 4;
}

/// 9.7.16.9.2: rows of 128 or 256 bits go to 4 or 8 columns; warpx4 repeats them in every 32 lanes, warpx2 in
/// two of the quarters: ::02_13 rows 0-31 to quarters 0 and 2, ::01_23 to 0 and 1.
void copyToTensor(const MatrixOperand &from, TensorForm::CopyShape shape, const std::byte *shared,
                  TensorMemory &to, uint32_t address) {
  for (uint32_t row = 0; row < copyRows(shape); ++row)
    for (uint32_t chunk = 0; chunk < copyColumns(shape) / 4; ++chunk) {
      uint32_t words[4];
      std::memcpy(words, shared + from.chunkAt(row, chunk * chunkElements(from.type)), sizeof words);
      auto put = [&](uint32_t lane) {
        for (uint32_t i = 0; i < 4; ++i)
          *to.at(lane, (address & 0xFFFF) + chunk * 4 + i) = words[i];
      };
      uint32_t half = row / 32, inside = row % 32;
      switch (shape) {
      case TensorForm::C32x128b:
        for (uint32_t quarter = 0; quarter < 4; ++quarter)
          put(quarter * 32 + inside);
        break;
      case TensorForm::C64x128bA: // ::02_13
        put(half * 32 + inside);
        put(half * 32 + 64 + inside);
        break;
      case TensorForm::C64x128bB: // ::01_23
        put(half * 64 + inside);
        put(half * 64 + 32 + inside);
        break;
      case TensorForm::C4x256b: // one row for each quarter's first lane
        put(row * 32);
        break;
      default:
        put(row);
      }
    }
}

} // namespace quern::runtime::emulated::nvidia
