//===- MatrixFragments.cpp - Who holds which element of a matrix operand --===//
//
// Sections are those of the PTX ISA manual, release 9.0. In every formula there, groupID = %laneid >> 2 and
// threadID_in_group = %laneid % 4.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/MatrixFragments.h"

namespace quern::runtime::emulated::nvidia {

namespace {

uint32_t group(uint32_t lane) { return lane >> 2; }
uint32_t member(uint32_t lane) { return lane % 4; }

// 9.7.14.5.3, mma.m8n8k16: row = groupID, col = threadID_in_group * 4 + i; B: row and col exchanged.
MatrixPlace a8x16(uint32_t lane, uint32_t i) { return {group(lane), member(lane) * 4 + i}; }
MatrixPlace b16x8Integer8(uint32_t lane, uint32_t i) { return {member(lane) * 4 + i, group(lane)}; }
// 9.7.14.5.4, mma.m8n8k32: the same with eight elements in a register.
MatrixPlace a8x32(uint32_t lane, uint32_t i) { return {group(lane), member(lane) * 8 + i}; }
MatrixPlace b32x8Integer4(uint32_t lane, uint32_t i) { return {member(lane) * 8 + i, group(lane)}; }
// Both: c: row = groupID, col = threadID_in_group * 2 + i.
MatrixPlace c8x8(uint32_t lane, uint32_t i) { return {group(lane), member(lane) * 2 + i}; }

// Accumulators of all m16n8 shapes: row = groupID for c0, c1 and groupID + 8 for c2, c3;
// col = threadID_in_group * 2 + (i & 1).
MatrixPlace c16x8(uint32_t lane, uint32_t i) {
  return {i < 2 ? group(lane) : group(lane) + 8, member(lane) * 2 + (i & 1)};
}

// 9.7.14.5.6, mma.m16n8k4 .tf32: row = groupID for a0, groupID + 8 for a1; col = threadID_in_group.
// b0: row = threadID_in_group, col = groupID.
MatrixPlace a16x4(uint32_t lane, uint32_t i) {
  return {i == 0 ? group(lane) : group(lane) + 8, member(lane)};
}
MatrixPlace b4x8(uint32_t lane, uint32_t) { return {member(lane), group(lane)}; }

// 9.7.14.5.7, mma.m16n8k8 .f16 and .bf16: row = groupID for a0, a1, groupID + 8 for a2, a3;
// col = threadID_in_group * 2 + (i & 1). b: row = threadID_in_group * 2 + i, col = groupID.
MatrixPlace a16x8Half(uint32_t lane, uint32_t i) {
  return {i < 2 ? group(lane) : group(lane) + 8, member(lane) * 2 + (i & 1)};
}
MatrixPlace b8x8Half(uint32_t lane, uint32_t i) { return {member(lane) * 2 + i, group(lane)}; }

// 9.7.14.5.7, mma.m16n8k8 .tf32: row = groupID for a0, a2, groupID + 8 for a1, a3; col = threadID_in_group
// for a0, a1, threadID_in_group + 4 for a2, a3. b: row = threadID_in_group for b0, + 4 for b1.
MatrixPlace a16x8Single(uint32_t lane, uint32_t i) {
  return {i == 0 || i == 2 ? group(lane) : group(lane) + 8, i < 2 ? member(lane) : member(lane) + 4};
}
MatrixPlace b8x8Single(uint32_t lane, uint32_t i) {
  return {i == 0 ? member(lane) : member(lane) + 4, group(lane)};
}

// 9.7.14.5.8, mma.m16n8k16 floating point: row = groupID for 0 <= i < 2 || 4 <= i < 6, else groupID + 8;
// col = threadID_in_group * 2 + (i & 1) for i < 4, + 8 for i >= 4. b: row = threadID_in_group * 2 + (i & 1)
// for i < 2, + 8 for i >= 2.
MatrixPlace a16x16Half(uint32_t lane, uint32_t i) {
  bool upper = i < 2 || (i >= 4 && i < 6);
  return {upper ? group(lane) : group(lane) + 8, member(lane) * 2 + (i & 1) + (i < 4 ? 0 : 8)};
}
MatrixPlace b16x8Half(uint32_t lane, uint32_t i) {
  return {member(lane) * 2 + (i & 1) + (i < 2 ? 0 : 8), group(lane)};
}

// 9.7.14.5.9, mma.m16n8k16 integer (and .e4m3, .e5m2): row = groupID for i < 4, else groupID + 8;
// col = threadID_in_group * 4 + (i & 3). b: row = threadID_in_group * 4 + i.
MatrixPlace a16x16Byte(uint32_t lane, uint32_t i) {
  return {i < 4 ? group(lane) : group(lane) + 8, member(lane) * 4 + (i & 3)};
}

// 9.7.14.5.10, mma.m16n8k32 with 4-bit elements: row = groupID for i < 8, else groupID + 8;
// col = threadID_in_group * 8 + (i & 7). b: row = threadID_in_group * 8 + (i & 7).
MatrixPlace a16x32Nibble(uint32_t lane, uint32_t i) {
  return {i < 8 ? group(lane) : group(lane) + 8, member(lane) * 8 + (i & 7)};
}

// 9.7.14.5.10, mma.m16n8k32 with 8-bit elements: row = groupID for 0 <= i < 4 || 8 <= i < 12, else
// groupID + 8; col = threadID_in_group * 4 + (i & 3) for i < 8, + 16 for i >= 8.
// b: row = threadID_in_group * 4 + (i & 3) for i < 4, + 16 for i >= 4.
MatrixPlace a16x32Byte(uint32_t lane, uint32_t i) {
  bool upper = i < 4 || (i >= 8 && i < 12);
  return {upper ? group(lane) : group(lane) + 8, member(lane) * 4 + (i & 3) + (i < 8 ? 0 : 16)};
}
MatrixPlace b32x8Byte(uint32_t lane, uint32_t i) {
  return {member(lane) * 4 + (i & 3) + (i < 4 ? 0 : 16), group(lane)};
}

// 9.7.14.5.11, mma.m16n8k64 (.s4, .u4, .e2m1): row = groupID for 0 <= i < 8 || 16 <= i < 24, else
// groupID + 8; col = threadID_in_group * 8 + (i & 7) for i < 16, + 32 for i >= 16.
// b: row = threadID_in_group * 8 + (i & 7) for i < 8, + 32 for i >= 8.
MatrixPlace a16x64Nibble(uint32_t lane, uint32_t i) {
  bool upper = i < 8 || (i >= 16 && i < 24);
  return {upper ? group(lane) : group(lane) + 8, member(lane) * 8 + (i & 7) + (i < 16 ? 0 : 32)};
}
MatrixPlace b64x8Nibble(uint32_t lane, uint32_t i) {
  return {member(lane) * 8 + (i & 7) + (i < 8 ? 0 : 32), group(lane)};
}

} // namespace

std::span<const MatrixShape> matrixShapes() {
  static constexpr MatrixShape shapes[] = {{8, 8, 16, 8, a8x16, b16x8Integer8, c8x8, "9.7.14.5.3"},
                                           {8, 8, 32, 4, a8x32, b32x8Integer4, c8x8, "9.7.14.5.4"},
                                           {16, 8, 4, 32, a16x4, b4x8, c16x8, "9.7.14.5.6"},
                                           {16, 8, 8, 16, a16x8Half, b8x8Half, c16x8, "9.7.14.5.7"},
                                           {16, 8, 8, 32, a16x8Single, b8x8Single, c16x8, "9.7.14.5.7"},
                                           {16, 8, 16, 16, a16x16Half, b16x8Half, c16x8, "9.7.14.5.8"},
                                           {16, 8, 16, 8, a16x16Byte, b16x8Integer8, c16x8, "9.7.14.5.9"},
                                           {16, 8, 32, 4, a16x32Nibble, b32x8Integer4, c16x8, "9.7.14.5.10"},
                                           {16, 8, 32, 8, a16x32Byte, b32x8Byte, c16x8, "9.7.14.5.10"},
                                           {16, 8, 64, 4, a16x64Nibble, b64x8Nibble, c16x8, "9.7.14.5.11"}};
  return shapes;
}

} // namespace quern::runtime::emulated::nvidia
