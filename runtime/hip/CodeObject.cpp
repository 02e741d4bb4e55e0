//===- CodeObject.cpp -----------------------------------------------------===//
#include "runtime/hip/CodeObject.h"

#include "runtime/ElfSegments.h"

#include <cstring>
#include <elf.h>

namespace quern::runtime::hip {

namespace {

constexpr uint16_t machineAmdgpu = 224; // EM_AMDGPU
constexpr uint32_t noteMetadata = 32;   // NT_AMDGPU_METADATA
constexpr const char *codeKind = "GPU";

/// Reads MessagePack front to back. After the first fault `failed` stays true and everything reads as empty.
class MessagePack {
public:
  explicit MessagePack(std::span<const std::byte> bytes) : bytes(bytes) {}

  bool failed() const { return fault; }

  /// Number of pairs of the map that begins here.
  uint64_t map() { return container(0x80, 0xDE); }
  /// Number of elements of the array that begins here.
  uint64_t array() { return container(0x90, 0xDC); }

  std::string_view text() {
    uint8_t tag = take();
    uint64_t length = tag >= 0xA0 && tag <= 0xBF   ? tag & 0x1F
                      : tag >= 0xD9 && tag <= 0xDB ? number(1u << (tag - 0xD9))
                                                   : fail();
    return skip(length);
  }

  uint64_t unsignedNumber() {
    uint8_t tag = take();
    if (tag <= 0x7F)
      return tag;
    return tag >= 0xCC && tag <= 0xCF ? number(1u << (tag - 0xCC)) : fail();
  }

  /// Passes over one value of any kind.
  void skipValue(int depth = 0) {
    if (depth > 16 || fault) {
      fail();
      return;
    }
    const uint8_t tag = peek();
    if ((tag >= 0x80 && tag <= 0x8F) || tag == 0xDE || tag == 0xDF) {
      for (uint64_t left = map(); left != 0 && !fault; --left) {
        skipValue(depth + 1);
        skipValue(depth + 1);
      }
    } else if ((tag >= 0x90 && tag <= 0x9F) || tag == 0xDC || tag == 0xDD) {
      for (uint64_t left = array(); left != 0 && !fault; --left)
        skipValue(depth + 1);
    } else if ((tag >= 0xA0 && tag <= 0xBF) || (tag >= 0xD9 && tag <= 0xDB)) {
      text();
    } else if (tag >= 0xC4 && tag <= 0xC6) { // binary
      take();
      skip(number(1u << (tag - 0xC4)));
    } else if (tag <= 0x7F || tag >= 0xE0 || tag == 0xC0 || tag == 0xC2 || tag == 0xC3) {
      take();
    } else if (tag >= 0xCC && tag <= 0xD3) { // unsigned, signed
      take();
      skip(uint64_t(1) << (tag & 3));
    } else if (tag == 0xCA || tag == 0xCB) { // floating point
      take();
      skip(tag == 0xCA ? 4 : 8);
    } else {
      fail(); // extension types do not occur
    }
  }

private:
  uint64_t fail() {
    fault = true;
    return 0;
  }
  uint8_t peek() {
    return at < bytes.size() ? static_cast<uint8_t>(bytes[at]) : static_cast<uint8_t>(fail());
  }
  uint8_t take() {
    uint8_t value = peek();
    at += !fault;
    return value;
  }
  /// A big-endian number of |size| bytes.
  uint64_t number(unsigned size) {
    uint64_t value = 0;
    for (unsigned i = 0; i < size; ++i)
      value = value << 8 | take();
    return value;
  }
  std::string_view skip(uint64_t length) {
    if (fault || length > bytes.size() - at) {
      fail();
      return {};
    }
    std::string_view text(reinterpret_cast<const char *>(bytes.data()) + at, length);
    at += length;
    return text;
  }
  uint64_t container(uint8_t small, uint8_t large) {
    uint8_t tag = take();
    if ((tag & 0xF0) == small)
      return tag & 0x0F;
    return tag == large ? number(2) : tag == large + 1 ? number(4) : fail();
  }

  std::span<const std::byte> bytes;
  size_t at = 0;
  bool fault = false;
};

/// One element of a kernel's `.args`.
void readArgument(MessagePack &in, KernelSignature &signature) {
  uint64_t size = 0;
  std::string_view kind;
  for (uint64_t pairs = in.map(); pairs != 0 && !in.failed(); --pairs) {
    std::string_view key = in.text();
    if (key == ".size")
      size = in.unsignedNumber();
    else if (key == ".value_kind")
      kind = in.text();
    else
      in.skipValue();
  }
  if (in.failed() || kind.starts_with("hidden_"))
    return;
  Parameter &parameter = signature.parameters.emplace_back();
  parameter.bytes = static_cast<uint32_t>(size);
  if (kind == "global_buffer")
    parameter.kind = ArgumentKind::Pointer;
}

void readKernel(MessagePack &in, CodeObjectSummary &summary) {
  std::string name;
  CodeObjectKernel kernel;
  for (uint64_t pairs = in.map(); pairs != 0 && !in.failed(); --pairs) {
    std::string_view key = in.text();
    if (key == ".name")
      name = in.text();
    else if (key == ".args")
      for (uint64_t left = in.array(); left != 0 && !in.failed(); --left)
        readArgument(in, kernel.signature);
    else if (key == ".max_flat_workgroup_size")
      kernel.maxThreads = static_cast<uint32_t>(in.unsignedNumber());
    else
      in.skipValue();
  }
  if (!in.failed() && !name.empty())
    summary.kernels[name] = std::move(kernel);
}

/// "gfx942" from "amdgcn-amd-amdhsa--gfx942:sramecc+:xnack-".
std::string architectureOf(std::string_view target) {
  size_t begin = target.rfind("--");
  if (begin == std::string_view::npos)
    return {};
  target.remove_prefix(begin + 2);
  return std::string(target.substr(0, target.find(':')));
}

Status readMetadata(std::span<const std::byte> bytes, CodeObjectSummary &summary) {
  MessagePack in(bytes);
  for (uint64_t pairs = in.map(); pairs != 0 && !in.failed(); --pairs) {
    std::string_view key = in.text();
    if (key == "amdhsa.target")
      summary.architecture = architectureOf(in.text());
    else if (key == "amdhsa.kernels")
      for (uint64_t left = in.array(); left != 0 && !in.failed(); --left)
        readKernel(in, summary);
    else
      in.skipValue();
  }
  if (in.failed())
    return codeDamaged(codeKind, "its metadata cannot be read");
  return Status::success();
}

} // namespace

Expected<CodeObjectSummary> summariseCodeObject(std::span<const std::byte> code) {
  QUERN_ASSIGN_OR_RETURN(std::vector<ElfSegment> segments, readElfSegments(code, machineAmdgpu, codeKind));
  CodeObjectSummary summary;
  for (const ElfSegment &segment : segments) {
    if (segment.type != PT_NOTE)
      continue;
    std::span<const std::byte> rest = segment.data;
    while (rest.size() >= sizeof(Elf64_Nhdr)) {
      Elf64_Nhdr note;
      memcpy(&note, rest.data(), sizeof(note));
      rest = rest.subspan(sizeof(note));
      const uint64_t nameSize = (uint64_t(note.n_namesz) + 3) & ~uint64_t(3);
      const uint64_t padded = (uint64_t(note.n_descsz) + 3) & ~uint64_t(3);
      if (nameSize > rest.size() || note.n_descsz > rest.size() - nameSize)
        return codeDamaged(codeKind, "a note leaves its segment");
      const bool isOurs =
          note.n_type == noteMetadata && note.n_namesz == 7 && memcmp(rest.data(), "AMDGPU", 7) == 0;
      if (isOurs)
        QUERN_RETURN_IF_ERROR(readMetadata(rest.subspan(nameSize, note.n_descsz), summary));
      rest = rest.subspan(std::min<uint64_t>(nameSize + padded, rest.size()));
    }
  }
  return summary;
}

} // namespace quern::runtime::hip
