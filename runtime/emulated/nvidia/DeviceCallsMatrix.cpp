//===- DeviceCallsMatrix.cpp - Matrix instructions of a warp --------------===//
//
// mma.sync (PTX ISA 9.0, 9.7.14.5.14), ldmatrix (.15), stmatrix (.16) and movmatrix (.17). All lanes of the
// warp hand over their registers; the last one to arrive computes for all.
//
// Arithmetic of mma.sync. The manual asks for products and sums of at least single precision and leaves the
// order open. Here products are exact, they are added in binary64 in ascending k (with block scales: the sum
// of each block is scaled, then added), C is added last, and the result is rounded once, to nearest even, to
// the type of D. A NaN result is the canonical one. Integer sums are exact and wrap, or clamp with
// .satfinite.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/Arithmetic.h"
#include "runtime/emulated/nvidia/CheckedAccess.h"
#include "runtime/emulated/nvidia/DeviceCalls.h"
#include "runtime/emulated/nvidia/MatrixForm.h"
#include "runtime/emulated/nvidia/MatrixFragments.h"

#include <array>
#include <cmath>
#include <cstring>
#include <vector>

namespace quern::runtime::emulated::nvidia {

namespace {

constexpr uint32_t largestM = 16, largestN = 8, largestK = 64;

/// What a lane leaves for the others. |words|: its registers.
struct MatrixLane {
  uint32_t site, flags;
  uint64_t form, address;
  uint32_t *words;
};

const MatrixLane &laneOf(void *const *arguments, uint32_t lane) {
  return *static_cast<const MatrixLane *>(arguments[lane]);
}

/// The instructions are .sync.aligned: all 32 lanes execute the same one.
void needWholeWarp(void *const *arguments, uint32_t lanes, ThreadContext *warp) {
  auto first = static_cast<uint32_t>(std::countr_zero(lanes));
  Fault fault;
  fault.kind = Fault::Divergence;
  fault.site = laneOf(arguments, first).site;
  fault.text = "a lane of the warp has ended or does not exist before an instruction that all lanes execute";
  if (lanes == ~0u) {
    fault.text = "lanes of one warp execute different instructions where all must execute the same";
    uint32_t other = 0;
    while (other < warpSize && laneOf(arguments, other).site == fault.site)
      ++other;
    if (other == warpSize)
      return;
    fault.other = {Conflict::WriteRead, warp[other].linear, laneOf(arguments, other).site};
  }
  warp->block->run->fail(&warp[first], fault);
}

//===----------------------------------------------------------------------===//
// mma.sync
//===----------------------------------------------------------------------===//

/// Positions of all elements of a shape, as indices into dense matrices: A by rows, B and C by rows.
struct ShapePlaces {
  std::vector<uint16_t> a, b, c; ///< [lane][i]
};

const ShapePlaces &placesOf(uint32_t shape) {
  static const std::vector<ShapePlaces> all = [] {
    std::vector<ShapePlaces> made;
    for (const MatrixShape &shape : matrixShapes()) {
      ShapePlaces places;
      auto fill = [](std::vector<uint16_t> &into, MatrixRule rule, uint32_t count, uint32_t columns) {
        for (uint32_t lane = 0; lane < warpSize; ++lane)
          for (uint32_t i = 0; i < count; ++i) {
            MatrixPlace place = rule(lane, i);
            into.push_back(static_cast<uint16_t>(place.row * columns + place.column));
          }
      };
      fill(places.a, shape.a, shape.elementsA(), shape.k);
      fill(places.b, shape.b, shape.elementsB(), shape.n);
      fill(places.c, shape.c, shape.elementsC(), shape.n);
      made.push_back(std::move(places));
    }
    return made;
  }();
  return all[shape];
}

using CodeTable = std::array<double, 256>;

CodeTable tableOf(const SmallFormat &format, uint32_t mask, uint32_t shift) {
  CodeTable table{};
  for (uint32_t code = 0; code < 256; ++code)
    table[code] = decode(code >> shift & mask, format);
  return table;
}

/// Values of all codes of a byte (for 4-bit elements: of its low half).
const CodeTable &codesOf(MatrixElement element) {
  static const CodeTable e4m3 = tableOf(formatE4M3, 0xFF, 0), e5m2 = tableOf(formatE5M2, 0xFF, 0),
                         e2m3 = tableOf(formatE2M3, 0x3F, 0), e3m2 = tableOf(formatE3M2, 0x3F, 0),
                         e2m1 = tableOf(formatE2M1, 0xF, 0), e2m1Byte = tableOf(formatE2M1, 0xF, 2);
  static const std::array<CodeTable, 4> integers = [] {
    std::array<CodeTable, 4> made{};
    for (uint32_t code = 0; code < 256; ++code) {
      made[0][code] = static_cast<int8_t>(code);
      made[1][code] = code;
      made[2][code] = static_cast<int32_t>(code << 28) >> 28;
      made[3][code] = code & 15;
    }
    return made;
  }();
  switch (element) {
  case MatrixElement::E4M3:
    return e4m3;
  case MatrixElement::E5M2:
    return e5m2;
  case MatrixElement::E2M3:
    return e2m3;
  case MatrixElement::E3M2:
    return e3m2;
  case MatrixElement::E2M1:
    return e2m1;
  case MatrixElement::E2M1Byte:
    return e2m1Byte;
  case MatrixElement::S8:
    return integers[0];
  case MatrixElement::U8:
    return integers[1];
  case MatrixElement::S4:
    return integers[2];
  default:
    return integers[3];
  }
}

/// binary16 to binary32, exact: the fields are moved, subnormals made normal by a subtraction.
float widenF16(uint32_t code) {
  uint32_t magnitude = (code & 0x7FFF) << 13, sign = (code & 0x8000) << 16;
  if (magnitude >= 0x7C00u << 13)
    return std::bit_cast<float>(sign | (magnitude + (uint32_t(255 - 31) << 23)));
  if (magnitude < 0x0400u << 13) {
    float small = std::bit_cast<float>(magnitude + (uint32_t(113) << 23)) - 0x1p-14f;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(small));
  }
  return std::bit_cast<float>(sign | (magnitude + (uint32_t(127 - 15) << 23)));
}

/// Calls |put|(value, i) for each of |count| elements in |words|.
template <typename Put>
void forElements(const uint32_t *words, uint32_t count, MatrixElement element, Put put) {
  switch (element) {
  case MatrixElement::BF16:
    for (uint32_t i = 0; i < count; i += 2) {
      put(std::bit_cast<float>(words[i / 2] << 16), i);
      put(std::bit_cast<float>(words[i / 2] & 0xFFFF0000u), i + 1);
    }
    return;
  case MatrixElement::F16:
    for (uint32_t i = 0; i < count; i += 2) {
      put(widenF16(words[i / 2] & 0xFFFF), i);
      put(widenF16(words[i / 2] >> 16), i + 1);
    }
    return;
  case MatrixElement::TF32:
    // The lower 13 bits of the register do not count (PTX ISA 5.2.3, tf32 in 32 bits).
    for (uint32_t i = 0; i < count; ++i)
      put(std::bit_cast<float>(words[i] & 0xFFFFE000u), i);
    return;
  default: {
    const CodeTable &codes = codesOf(element);
    bool nibbles =
        element == MatrixElement::E2M1 || element == MatrixElement::S4 || element == MatrixElement::U4;
    if (nibbles)
      for (uint32_t i = 0; i < count; ++i)
        put(codes[words[i / 8] >> (4 * (i % 8)) & 15], i);
    else
      for (uint32_t i = 0; i < count; ++i)
        put(codes[words[i / 4] >> (8 * (i % 4)) & 255], i);
  }
  }
}

/// PTX ISA 9.7.14.3. The scales of a row of A come from the lane of its quad that the row and thread-id-a
/// name, those of a column of B from lane thread-id-b of its quad; byte-id is the first of the bytes that
/// hold them in the order of k.
struct BlockScales {
  double a[largestM][4], b[4][largestN];

  BlockScales(const MatrixForm &form, void *const *arguments) {
    const uint32_t *first = laneOf(arguments, 0).words;
    auto value = [&](uint32_t word, uint32_t byte) {
      auto code = static_cast<uint8_t>(word >> (8 * byte));
      return form.scaleIsE4M3 ? decode(code & 0x7F, formatE4M3) : decodeUE8M0(code);
    };
    for (uint32_t chunk = 0; chunk < form.scales; ++chunk) {
      for (uint32_t row = 0; row < largestM; ++row) {
        uint32_t lane = (row & 7) * 4 + 2 * first[WordThreadA] + (row >> 3);
        a[row][chunk] = value(laneOf(arguments, lane).words[WordScaleA], first[WordByteA] + chunk);
      }
      for (uint32_t column = 0; column < largestN; ++column) {
        uint32_t lane = column * 4 + first[WordThreadB];
        b[chunk][column] = value(laneOf(arguments, lane).words[WordScaleB], first[WordByteB] + chunk);
      }
    }
  }
};

/// The selectors are the same in all lanes and in range (PTX ISA 9.7.14.3, table of selectors).
void checkSelectors(const MatrixForm &form, void *const *arguments, ThreadContext *warp) {
  const uint32_t *first = laneOf(arguments, 0).words;
  auto fail = [&](uint32_t lane, const char *text) {
    failAccess(&warp[lane], laneOf(arguments, lane).site, Fault::BadOperand, 0, 0, text);
  };
  for (uint32_t lane = 1; lane < warpSize; ++lane)
    for (uint32_t word : {WordByteA, WordThreadA, WordByteB, WordThreadB})
      if (laneOf(arguments, lane).words[word] != first[word])
        fail(lane, "the scale selectors differ between the lanes of a warp");
  uint32_t step = form.scales;
  if (first[WordByteA] % step != 0 || first[WordByteA] + step > 4 || first[WordByteB] % step != 0 ||
      first[WordByteB] + step > 4)
    fail(0, "a byte selector of the block scales is out of range");
  if (first[WordThreadA] > 1 || first[WordThreadB] > 3)
    fail(0, "a thread selector of the block scales is out of range");
}

/// Sums of one row of A over all columns of B, k ascending.
void multiplyRow(const double *a, const double *b, uint32_t from, uint32_t to, double *sums) {
  double local[largestN] = {};
  for (uint32_t k = from; k < to; ++k)
    for (uint32_t n = 0; n < largestN; ++n)
      local[n] += a[k] * b[k * largestN + n];
  std::memcpy(sums, local, sizeof local);
}

uint32_t roundSum(double sum, MatrixSum type, bool saturate) {
  switch (type) {
  case MatrixSum::F32:
    return sum != sum ? 0x7FFFFFFF : std::bit_cast<uint32_t>(static_cast<float>(sum));
  case MatrixSum::F16:
    return encode(sum, formatF16, RoundingMode::Nearest, false);
  default:
    if (saturate)
      sum = std::fmin(std::fmax(sum, -0x1p31), 0x1p31 - 1);
    return static_cast<uint32_t>(static_cast<int64_t>(sum));
  }
}

void multiply(void *const *arguments, uint32_t lanes, ThreadContext *warp) {
  needWholeWarp(arguments, lanes, warp);
  MatrixForm form = MatrixForm::unpack(laneOf(arguments, 0).form);
  const MatrixShape &shape = matrixShapes()[form.shape];
  const ShapePlaces &places = placesOf(form.shape);
  double a[largestM * largestK], b[largestK * largestN], d[largestM * largestN];
  uint32_t countA = shape.elementsA(), countB = shape.elementsB(), countC = shape.elementsC();
  for (uint32_t lane = 0; lane < warpSize; ++lane) {
    const uint32_t *words = laneOf(arguments, lane).words;
    const uint16_t *placeA = &places.a[size_t(lane) * countA], *placeB = &places.b[size_t(lane) * countB];
    forElements(words + WordsA, countA, form.a, [&](double value, uint32_t i) { a[placeA[i]] = value; });
    forElements(words + WordsB, countB, form.b, [&](double value, uint32_t i) { b[placeB[i]] = value; });
  }
  if (form.scales == 0) {
    for (uint32_t m = 0; m < shape.m; ++m)
      multiplyRow(a + m * shape.k, b, 0, shape.k, d + m * shape.n);
  } else {
    checkSelectors(form, arguments, warp);
    BlockScales scales(form, arguments);
    uint32_t step = shape.k / form.scales;
    for (uint32_t m = 0; m < shape.m; ++m) {
      double *row = d + m * shape.n, part[largestN];
      std::fill(row, row + shape.n, 0.0);
      for (uint32_t chunk = 0; chunk < form.scales; ++chunk) {
        multiplyRow(a + m * shape.k, b, chunk * step, (chunk + 1) * step, part);
        for (uint32_t n = 0; n < shape.n; ++n)
          row[n] += part[n] * (scales.a[m][chunk] * scales.b[chunk][n]);
      }
    }
  }
  for (uint32_t lane = 0; lane < warpSize; ++lane) {
    uint32_t *words = laneOf(arguments, lane).words + WordsC;
    const uint16_t *place = &places.c[size_t(lane) * countC];
    for (uint32_t i = 0; i < countC; ++i) {
      if (form.sum == MatrixSum::F16) {
        uint32_t shift = 16 * (i % 2), &word = words[i / 2];
        double c = widenF16(word >> shift & 0xFFFF);
        word = (word & ~(0xFFFFu << shift)) | roundSum(d[place[i]] + c, form.sum, false) << shift;
      } else {
        double c = form.sum == MatrixSum::F32 ? double(std::bit_cast<float>(words[i]))
                                              : double(static_cast<int32_t>(words[i]));
        words[i] = roundSum(d[place[i]] + c, form.sum, form.saturate);
      }
    }
  }
}

//===----------------------------------------------------------------------===//
// ldmatrix, stmatrix, movmatrix
//===----------------------------------------------------------------------===//

constexpr uint32_t rowBytes = 16;

/// Rows of one matrix in shared memory; each has its own address.
uint32_t rowsOf(uint32_t flags) { return flags & MatrixSixteen ? 16 : 8; }

/// 16 elements of 6 or 4 bits, packed at the low end of the row, to one byte each
/// (PTX ISA 9.7.14.5.15: b6x16_p32 and b4x16_p64 are 16 elements and padding).
void unpackRow(uint8_t *row, uint32_t flags) {
  uint32_t bits = flags & MatrixSixBit ? 6 : 4;
  uint8_t packed[rowBytes];
  std::memcpy(packed, row, rowBytes);
  for (uint32_t i = 0; i < 16; ++i) {
    uint32_t bit = i * bits, pair = packed[bit / 8] | uint32_t(packed[bit / 8 + 1]) << 8;
    row[i] = static_cast<uint8_t>(pair >> (bit % 8) & ((1u << bits) - 1));
  }
}

/// The row and the first byte of byte |i| of register |part| of |lane| in one matrix.
MatrixPlace loadedByte(uint32_t flags, uint32_t lane, uint32_t part, uint32_t i) {
  if (flags & MatrixSixteen) // two registers: row = 4 * (lane % 4) + i, column = lane / 4 + 8 * register
    return {4 * (lane % 4) + i, lane / 4 + 8 * part};
  if (flags & MatrixBytes) // row = lane / 4, columns 4 * (lane % 4) + i
    return {lane / 4, 4 * (lane % 4) + i};
  if (flags & MatrixTransposed) // 16-bit elements: row = 2 * (lane % 4) + i / 2, column = lane / 4
    return {2 * (lane % 4) + i / 2, 2 * (lane / 4) + i % 2};
  return {lane / 4, 4 * (lane % 4) + i};
}

void loadMatrices(void *const *arguments, uint32_t lanes, ThreadContext *warp) {
  needWholeWarp(arguments, lanes, warp);
  uint32_t flags = laneOf(arguments, 0).flags, count = flags & 0xFF, rows = rowsOf(flags);
  uint32_t parts = flags & MatrixSixteen ? 2 : 1;
  bool sanitize = warp->block->run->setup().options->sanitize;
  for (uint32_t matrix = 0; matrix < count; ++matrix) {
    uint8_t bytes[16][rowBytes];
    for (uint32_t row = 0; row < rows; ++row) {
      uint32_t giver = matrix * rows + row;
      const MatrixLane &from = laneOf(arguments, giver);
      std::memcpy(bytes[row], sharedAccess(&warp[giver], from.site, from.address, rowBytes, 0, nullptr),
                  rowBytes);
      if (flags & (MatrixSixBit | MatrixFourBit))
        unpackRow(bytes[row], flags);
    }
    for (uint32_t lane = 0; lane < warpSize; ++lane)
      for (uint32_t part = 0; part < parts; ++part) {
        uint32_t word = 0;
        for (uint32_t i = 0; i < 4; ++i) {
          MatrixPlace place = loadedByte(flags, lane, part, i);
          word |= uint32_t(bytes[place.row][place.column]) << (8 * i);
          // The lane that receives an element reads it, whoever gave the address.
          if (uint32_t giver = matrix * rows + place.row;
              sanitize && giver != lane && (i == 0 || place.row != loadedByte(flags, lane, part, i - 1).row))
            sharedAccess(&warp[lane], laneOf(arguments, lane).site, laneOf(arguments, giver).address,
                         rowBytes, 0, nullptr);
        }
        laneOf(arguments, lane).words[matrix * parts + part] = word;
      }
  }
}

void storeMatrices(void *const *arguments, uint32_t lanes, ThreadContext *warp) {
  needWholeWarp(arguments, lanes, warp);
  uint32_t flags = laneOf(arguments, 0).flags, count = flags & 0xFF;
  for (uint32_t matrix = 0; matrix < count; ++matrix) {
    uint8_t bytes[8][rowBytes];
    for (uint32_t lane = 0; lane < warpSize; ++lane) {
      uint32_t word = laneOf(arguments, lane).words[matrix];
      for (uint32_t i = 0; i < 4; ++i) {
        MatrixPlace place = loadedByte(flags, lane, 0, i);
        if (flags &
            MatrixBytes) // m16n8, transposed: row = 2 * (lane % 4) + i % 2, column = lane / 4 + 8 * (i / 2)
          place = {2 * (lane % 4) + i % 2, lane / 4 + 8 * (i / 2)};
        bytes[place.row][place.column] = static_cast<uint8_t>(word >> (8 * i));
      }
    }
    for (uint32_t row = 0; row < 8; ++row) {
      uint32_t giver = matrix * 8 + row;
      const MatrixLane &to = laneOf(arguments, giver);
      std::memcpy(sharedAccess(&warp[giver], to.site, to.address, rowBytes, AccessWrite, bytes[row]),
                  bytes[row], rowBytes);
    }
  }
}

/// Row and columns of a register: row = lane / 4, columns 2 * (lane % 4) and the next one.
void transposeMatrix(void *const *arguments, uint32_t lanes, ThreadContext *warp) {
  needWholeWarp(arguments, lanes, warp);
  uint32_t elements[8][8];
  for (uint32_t lane = 0; lane < warpSize; ++lane)
    for (uint32_t i = 0; i < 2; ++i)
      elements[lane / 4][2 * (lane % 4) + i] = laneOf(arguments, lane).words[0] >> (16 * i) & 0xFFFF;
  for (uint32_t lane = 0; lane < warpSize; ++lane)
    laneOf(arguments, lane).words[0] =
        elements[2 * (lane % 4)][lane / 4] | elements[2 * (lane % 4) + 1][lane / 4] << 16;
}

/// setmaxnreg is .sync.aligned too.
void setRegisterCount(void *const *arguments, uint32_t lanes, ThreadContext *warp) {
  needWholeWarp(arguments, lanes, warp);
  warp->block->run->setRegisterCount(warp, laneOf(arguments, 0).site, laneOf(arguments, 0).flags);
}

} // namespace

extern "C" {

static void quernSetRegisterCount(ThreadContext *thread, uint32_t site, uint32_t count) {
  MatrixLane lane{site, count, 0, 0, nullptr};
  thread->block->run->collective(thread, site, ~0u, setRegisterCount, &lane);
}

static void quernMatrixMultiply(ThreadContext *thread, uint32_t site, uint64_t form, uint32_t *words) {
  MatrixLane lane{site, 0, form, 0, words};
  thread->block->run->collective(thread, site, ~0u, multiply, &lane);
}

static void quernLoadMatrix(ThreadContext *thread, uint32_t site, uint32_t flags, uint64_t address,
                            uint32_t *words) {
  MatrixLane lane{site, flags, 0, address, words};
  thread->block->run->collective(thread, site, ~0u, loadMatrices, &lane);
}

static void quernStoreMatrix(ThreadContext *thread, uint32_t site, uint32_t flags, uint64_t address,
                             uint32_t *words) {
  MatrixLane lane{site, flags, 0, address, words};
  thread->block->run->collective(thread, site, ~0u, storeMatrices, &lane);
}

static void quernMoveMatrix(ThreadContext *thread, uint32_t site, uint32_t *words) {
  MatrixLane lane{site, 0, 0, 0, words};
  thread->block->run->collective(thread, site, ~0u, transposeMatrix, &lane);
}

} // extern "C"

std::span<const DeviceCall> matrixCalls() {
#define QUERN_CALL(name)                                                                                     \
  {                                                                                                          \
    #name, reinterpret_cast<void *>(&name)                                                                   \
  }
  static const DeviceCall calls[] = {QUERN_CALL(quernMatrixMultiply), QUERN_CALL(quernLoadMatrix),
                                     QUERN_CALL(quernStoreMatrix), QUERN_CALL(quernMoveMatrix),
                                     QUERN_CALL(quernSetRegisterCount)};
#undef QUERN_CALL
  return calls;
}

} // namespace quern::runtime::emulated::nvidia
