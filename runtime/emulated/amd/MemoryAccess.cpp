//===- MemoryAccess.cpp - Checked addresses of memory instructions --------===//
//
// See MemoryAccess.h. Buffer addressing and its range check: CDNA3 and CDNA4 manuals, 9.1.5, with what was
// measured on a gfx950 where they leave it open (github.com/ROCm/rocm-systems pull request 10928); RDNA3 and
// RDNA4 manuals, chapter "Vector memory buffer instructions" (OOB_SELECT):
//
//   by index   gfx9 with idxen and a stride: the index is below num_records
//   by bytes   else: every dword of the access ends within num_records bytes, scalar offset included; on gfx9
//   the
//              vector and instruction offsets are added modulo 2^32 before
//   none       gfx9 with ADD_TID_ENABLE
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/MemoryAccess.h"
#include "runtime/emulated/amd/InstructionCounts.h"

#include <algorithm>

namespace quern::runtime::emulated::amd {
namespace {

std::string hexadecimal(uint64_t value) {
  static const char digits[] = "0123456789abcdef";
  std::string text;
  for (; value || text.empty(); value >>= 4)
    text.insert(text.begin(), digits[value & 15]);
  return "0x" + text;
}

/// A vector address of one or two dwords.
uint64_t vectorAddress(Wave &wave, const Operand &op, unsigned lane) {
  uint64_t low = wave.row(op.index)[lane];
  return op.dwords > 1 ? low | uint64_t(wave.row(op.index + 1)[lane]) << 32 : low;
}

/// The fields of a 128-bit buffer descriptor that take part in addressing.
struct BufferDescriptor {
  uint64_t base;
  uint32_t stride, records;
  bool swizzled, addsLane;
  uint32_t indexStride, elementBytes, outOfBounds;

  static BufferDescriptor read(const Wave &wave, const Operand &op) {
    const uint32_t *word = &wave.scalars[op.index];
    BufferDescriptor d;
    d.base = word[0] | uint64_t(word[1] & 0xffff) << 32;
    d.stride = word[1] >> 16 & 0x3fff;
    d.records = word[2];
    bool gfx9 = wave.target.isGfx9();
    d.swizzled = gfx9 ? word[1] >> 31 : (word[1] >> 30) != 0;
    d.addsLane = word[3] >> 23 & 1;
    d.indexStride = 8u << (word[3] >> 21 & 3);
    d.elementBytes = gfx9 ? 2u << (word[3] >> 19 & 3) : 4;
    d.outOfBounds =
        word[3] >> 28 & 3; // gfx11 and later: 3 raw, 2 never but for no records, 1 index, 0 structured
    return d;
  }
};

bool bufferAddresses(Wave &wave, const Instruction &in, unsigned first, uint64_t lanes, unsigned bytes,
                     LaneAddresses &out) {
  const Operand &vector = in.operands[first], &resource = in.operands[first + 1],
                &scalarOffset = in.operands[first + 2];
  if (resource.kind != OperandKind::Scalar || resource.dwords != 4) {
    wave.notModelled("a buffer instruction without a descriptor in scalar registers");
    return false;
  }
  BufferDescriptor d = BufferDescriptor::read(wave, resource);
  uint32_t scalarPart = scalarOffset.kind == OperandKind::None ? 0 : wave.read32(scalarOffset);
  // The private segment as a buffer.
  bool scratch = d.addsLane && d.swizzled && d.base >= wave.scratchBase &&
                 d.base - wave.scratchBase <= uint64_t(wave.scratchBytesPerLane) * wave.width;
  out.ranged = true;
  for (unsigned lane = 0; lane < wave.width; ++lane) {
    if (!(lanes >> lane & 1))
      continue;
    uint64_t index = in.indexed ? wave.row(vector.index)[lane] : 0;
    uint64_t offset = in.offsetEnabled ? wave.row(vector.index + (in.indexed ? 1 : 0))[lane] : 0;
    offset += uint32_t(in.offset);
    if (wave.target.isGfx9())
      offset = uint32_t(offset);
    if (scratch) {
      // One private memory per lane here, where hardware interleaves the dwords of all lanes: offsets that
      // count for the whole wave are divided by its width.
      uint64_t waveOffset = d.base - wave.scratchBase + scalarPart;
      out.address[lane] = kPrivateAperture + waveOffset / wave.width + offset;
      out.inside[lane] = 255;
      continue;
    }
    if (d.addsLane)
      index += lane;
    uint64_t buffer = index * d.stride + offset, limit = d.records;
    if (d.swizzled && d.stride) {
      uint64_t indexHigh = index / d.indexStride, indexLow = index % d.indexStride;
      uint64_t offsetHigh = offset / d.elementBytes, offsetLow = offset % d.elementBytes;
      buffer = (indexHigh * d.stride + offsetHigh * d.elementBytes) * d.indexStride +
               indexLow * d.elementBytes + offsetLow;
    }
    bool structured = wave.target.isGfx9() ? d.stride && in.indexed : d.outOfBounds < 2;
    unsigned inside = 0;
    if (wave.target.isGfx9() && d.addsLane) {
      inside = bytes;
    } else if (structured) {
      bool good =
          index < d.records && (wave.target.isGfx9() || d.outOfBounds == 1 || offset + bytes <= d.stride);
      inside = good ? bytes : 0;
    } else if (!wave.target.isGfx9() && d.outOfBounds == 2) {
      inside = d.records ? bytes : 0;
    } else if (buffer + scalarPart < limit) {
      // Each dword (or the narrower element) is in or out as a whole.
      uint64_t room = limit - buffer - scalarPart;
      unsigned step = std::min(bytes, 4u);
      inside = unsigned(std::min<uint64_t>(room / step * step, bytes));
    }
    out.inside[lane] = uint8_t(inside);
    out.address[lane] = d.base + buffer + scalarPart;
  }
  return true;
}

} // namespace

bool computeAddresses(Wave &wave, const Instruction &in, Space space, unsigned first, unsigned last,
                      uint64_t lanes, LaneAddresses &out) {
  const Operand &vector = in.operands[first], &base = in.operands[last];
  switch (space) {
  case Space::Buffer:
    return bufferAddresses(wave, in, first, lanes, AccessShape::decoded(in.immediate).bytes, out);
  case Space::Global:
  case Space::Flat: {
    uint64_t scalarPart = base.kind == OperandKind::Scalar && last != first ? wave.read64(base) : 0;
    for (unsigned lane = 0; lane < wave.width; ++lane)
      if (lanes >> lane & 1)
        out.address[lane] = scalarPart + vectorAddress(wave, vector, lane) + int64_t(in.offset);
    return true;
  }
  case Space::Scratch: {
    uint32_t scalarPart = base.kind == OperandKind::Scalar ? wave.read32(base) : 0;
    for (unsigned lane = 0; lane < wave.width; ++lane) {
      uint32_t offset = vector.kind == OperandKind::Vector ? wave.row(vector.index)[lane] : 0;
      out.address[lane] = kPrivateAperture + uint32_t(scalarPart + offset + uint32_t(in.offset));
    }
    return true;
  }
  }
  return false;
}

/// True if the range lies in a buffer or in what the launch may use besides.
static bool permitted(const LaunchContext &launch, uint64_t address, uint64_t size, bool writes) {
  if (launch.memory->contains(address, size))
    return true;
  for (const ExtraRange &range : launch.extra)
    if ((range.writable || !writes) && address >= range.base && size <= range.size &&
        address - range.base <= range.size - size)
      return true;
  return false;
}

void countLocal(Wave &wave, bool write, const uint32_t *base, uint32_t offset, uint64_t lanes,
                unsigned bytes) {
  if (!wave.block.counts)
    return;
  uint64_t addresses[kMaxLanes];
  for (unsigned lane = 0; lane < wave.width; ++lane)
    addresses[lane] = base[lane] + offset;
  wave.block.counts->counters.shared(write, addresses, lanes, bytes);
}

void countGlobal(Wave &wave, bool write, const LaneAddresses &addresses, uint64_t lanes, unsigned bytes) {
  if (!wave.block.counts)
    return;
  uint64_t local = 0, inLocal[kMaxLanes];
  for (unsigned lane = 0; lane < wave.width; ++lane) {
    if (!(lanes >> lane & 1))
      continue;
    uint64_t aperture = addresses.address[lane] & 0xffffffff00000000ull;
    if (aperture == kLocalAperture) {
      local |= uint64_t(1) << lane;
      inLocal[lane] = uint32_t(addresses.address[lane]);
    }
    // Outside of a descriptor's range nothing is asked for.
    if (aperture == kLocalAperture || aperture == kPrivateAperture ||
        (addresses.ranged && addresses.inside[lane] == 0))
      lanes &= ~(uint64_t(1) << lane);
  }
  wave.block.counts->counters.global(write, addresses.address.data(), lanes, bytes);
  wave.block.counts->counters.shared(write, inLocal, local, bytes);
}

bool readable(const Wave &wave, uint64_t address, uint64_t size) {
  return permitted(wave.block.launch, address, size, false);
}

uint8_t *resolve(Wave &wave, unsigned lane, uint64_t address, unsigned size, AccessKind kind, bool &local) {
  const LaunchContext &launch = wave.block.launch;
  local = false;
  if (launch.options->sanitize || kind == AccessKind::Atomic) {
    // Wider loads need dword alignment only; atomics need their own.
    unsigned alignment = kind == AccessKind::Atomic ? size : std::min(size, 4u);
    if (address & (alignment - 1)) [[unlikely]] {
      wave.fault("misaligned", hexadecimal(address) + " for an access of " + std::to_string(size) + " bytes",
                 lane);
      return nullptr;
    }
  }
  uint64_t aperture = address & 0xffffffff00000000ull;
  if (aperture == kLocalAperture) {
    uint32_t offset = uint32_t(address);
    if (!wave.block.checkLocal(wave, lane, offset, size))
      return nullptr;
    LocalAccess access = kind == AccessKind::Read    ? LocalAccess::Read
                         : kind == AccessKind::Write ? LocalAccess::Write
                                                     : LocalAccess::Atomic;
    if (!wave.block.touchLocal(wave, lane, offset, size, access))
      return nullptr;
    local = true;
    return wave.block.local.data() + offset;
  }
  if (aperture == kPrivateAperture) {
    uint32_t offset = uint32_t(address);
    if (uint64_t(offset) + size > wave.scratchBytesPerLane) {
      wave.fault("out-of-bounds",
                 "private address " + std::to_string(offset) + " + " + std::to_string(size) +
                     " bytes, the lane has " + std::to_string(wave.scratchBytesPerLane),
                 lane);
      return nullptr;
    }
    local = true;
    return reinterpret_cast<uint8_t *>(wave.scratchBase + uint64_t(lane) * wave.scratchBytesPerLane + offset);
  }
  bool allowed = permitted(launch, address, size, kind != AccessKind::Read);
  if (!allowed) [[unlikely]] {
    wave.fault("out-of-bounds",
               hexadecimal(address) + ", " + std::to_string(size) + " bytes, " +
                   (kind == AccessKind::Read ? "read" : "written") + " outside every buffer",
               lane);
    return nullptr;
  }
  return reinterpret_cast<uint8_t *>(address);
}

} // namespace quern::runtime::emulated::amd
