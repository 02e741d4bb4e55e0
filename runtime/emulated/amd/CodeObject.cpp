//===- CodeObject.cpp - Loads an AMD code object --------------------------===//
//
// See CodeObject.h. ELF is parsed here rather than by a library because only a handful of fields matter and
// each is checked against the file's size.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/CodeObject.h"

#include "runtime/emulated/amd/MessagePack.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>

namespace quern::runtime::emulated::amd {
namespace {

constexpr uint64_t kPage = 4096, kLargestImage = uint64_t(1) << 28;

struct ElfHeader {
  uint8_t ident[16];
  uint16_t type, machine;
  uint32_t version;
  uint64_t entry, programOffset, sectionOffset;
  uint32_t flags;
  uint16_t headerSize, programEntrySize, programCount, sectionEntrySize, sectionCount, nameSection;
};
struct ProgramHeader {
  uint32_t type, flags;
  uint64_t offset, address, physical, fileSize, memorySize, alignment;
};
struct SectionHeader {
  uint32_t name, type;
  uint64_t flags, address, offset, size;
  uint32_t link, info;
  uint64_t alignment, entrySize;
};
struct Symbol {
  uint32_t name;
  uint8_t info, other;
  uint16_t section;
  uint64_t value, size;
};
struct Relocation {
  uint64_t offset, info;
  int64_t addend;
};
struct Descriptor { // AMDGPU usage guide, "Kernel Descriptor"
  uint32_t localBytes, privateBytes, kernargBytes, reserved0;
  int64_t entryOffset;
  uint8_t reserved1[20];
  uint32_t resource3, resource1, resource2;
  uint16_t properties, preload;
  uint32_t reserved2;
};
static_assert(sizeof(Descriptor) == 64 && sizeof(ElfHeader) == 64 && sizeof(Symbol) == 24);

constexpr uint32_t kSegmentLoad = 1, kSectionSymbols = 2, kSectionRelocations = 4, kSectionNote = 7,
                   kSectionDynSym = 11;
constexpr uint32_t kWritableSegment = 2;
constexpr uint16_t kMachineAmdgpu = 224;
constexpr uint64_t kExecutable = 4, kAllocated = 2;
constexpr uint32_t kNoteMetadata = 32;
// R_AMDGPU_ABS64, RELATIVE64, and the 32-bit ones, by the usage guide's table.
constexpr uint32_t kAbs32Low = 1, kAbs32High = 2, kAbs64 = 3, kRel32 = 4, kRel64 = 5, kAbs32 = 6,
                   kRelative64 = 13;

Status broken(const std::string &what) {
  return Status::error(Exit::BadInput, "E-EMULATED-CODE", "the code object cannot be read").cause(what);
}

class Reader {
public:
  explicit Reader(std::span<const std::byte> bytes) : bytes(bytes) {}

  template <typename T> std::optional<T> at(uint64_t offset) const {
    if (offset > bytes.size() || sizeof(T) > bytes.size() - offset)
      return std::nullopt;
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof(T));
    return value;
  }
  bool contains(uint64_t offset, uint64_t size) const {
    return offset <= bytes.size() && size <= bytes.size() - offset;
  }
  /// Null-terminated text in a string table.
  std::string text(const SectionHeader &table, uint32_t offset) const {
    std::string result;
    for (uint64_t i = offset; i < table.size && table.offset + i < bytes.size(); ++i) {
      char c = char(bytes[table.offset + i]);
      if (!c)
        return result;
      result += c;
    }
    return {};
  }
  std::span<const std::byte> slice(uint64_t offset, uint64_t size) const {
    return bytes.subspan(offset, size);
  }

private:
  std::span<const std::byte> bytes;
};

using Kind = MessagePackValue::Kind;

uint64_t number(const MessagePackValue &map, const char *key, uint64_t otherwise) {
  const MessagePackValue *value = map.find(key);
  return value && value->kind == Kind::Integer ? value->integer : otherwise;
}
std::string string(const MessagePackValue &map, const char *key) {
  const MessagePackValue *value = map.find(key);
  return value && value->kind == Kind::String ? value->text : std::string();
}

struct Metadata {
  std::string target;
  std::map<std::string, KernelCode> kernels; ///< by descriptor symbol
};

Status readMetadata(std::span<const std::byte> blob, Metadata &out) {
  auto root = MessagePackValue::parse(blob);
  if (!root || root->kind != Kind::Map)
    return broken("the metadata note is not a MessagePack map");
  out.target = string(*root, "amdhsa.target");
  if (size_t dash = out.target.rfind('-'); dash != std::string::npos)
    out.target = out.target.substr(dash + 1);
  if (size_t colon = out.target.find(':'); colon != std::string::npos)
    out.target.resize(colon);
  const MessagePackValue *kernels = root->find("amdhsa.kernels");
  if (!kernels || kernels->kind != Kind::Array)
    return Status::success();
  for (const MessagePackValue &map : kernels->elements) {
    if (map.kind != Kind::Map)
      return broken("a kernel in the metadata is no map");
    KernelCode kernel;
    kernel.name = string(map, ".name");
    kernel.localBytes = uint32_t(number(map, ".group_segment_fixed_size", 0));
    kernel.privateBytes = uint32_t(number(map, ".private_segment_fixed_size", 0));
    kernel.kernargBytes = uint32_t(number(map, ".kernarg_segment_size", 0));
    kernel.waveSize = uint32_t(number(map, ".wavefront_size", 64));
    kernel.vectorRegisters = uint32_t(number(map, ".vgpr_count", 0));
    kernel.scalarRegisters = uint32_t(number(map, ".sgpr_count", 0));
    kernel.maxThreads = uint32_t(number(map, ".max_flat_workgroup_size", 1024));
    if (const MessagePackValue *dynamic = map.find(".uses_dynamic_stack"))
      kernel.usesDynamicStack = dynamic->boolean;
    if (const MessagePackValue *arguments = map.find(".args"))
      for (const MessagePackValue &argument : arguments->elements) {
        if (argument.kind != Kind::Map)
          return broken("an argument in the metadata is no map");
        kernel.arguments.push_back({string(argument, ".value_kind"), uint32_t(number(argument, ".offset", 0)),
                                    uint32_t(number(argument, ".size", 0))});
        const KernelArgument &last = kernel.arguments.back();
        if (uint64_t(last.offset) + last.size > kernel.kernargBytes)
          return broken("an argument of `" + kernel.name + "` lies outside the argument segment");
      }
    out.kernels[string(map, ".symbol")] = std::move(kernel);
  }
  return Status::success();
}

bool isName(std::span<const std::byte> bytes, const char *name) {
  size_t length = std::strlen(name);
  return bytes.size() >= length && std::memcmp(bytes.data(), name, length) == 0;
}

/// The metadata note inside a note section.
Status findMetadata(const Reader &reader, const SectionHeader &section, Metadata &out) {
  for (uint64_t at = section.offset, end = section.offset + section.size; at + 12 <= end;) {
    auto nameSize = reader.at<uint32_t>(at), blobSize = reader.at<uint32_t>(at + 4),
         type = reader.at<uint32_t>(at + 8);
    if (!nameSize || !blobSize || !type)
      return broken("a note is cut off");
    uint64_t name = at + 12, blob = name + (uint64_t(*nameSize) + 3) / 4 * 4;
    uint64_t next = blob + (uint64_t(*blobSize) + 3) / 4 * 4;
    if (next > end + 3 || !reader.contains(blob, *blobSize))
      return broken("a note is cut off");
    if (*type == kNoteMetadata && isName(reader.slice(name, *nameSize), "AMDGPU"))
      return readMetadata(reader.slice(blob, *blobSize), out);
    at = next;
  }
  return Status::success();
}

} // namespace

Expected<CodeObject> readCodeObject(std::span<const std::byte> bytes) {
  Reader reader(bytes);
  auto header = reader.at<ElfHeader>(0);
  if (!header || std::memcmp(header->ident,
                             "\x7f"
                             "ELF",
                             4) != 0)
    return broken("it is no ELF file");
  if (header->ident[4] != 2 || header->ident[5] != 1 || header->machine != kMachineAmdgpu)
    return broken("it is no 64-bit AMDGPU ELF file");
  if (header->programEntrySize != sizeof(ProgramHeader) || header->sectionEntrySize != sizeof(SectionHeader))
    return broken("it has header entries of an unexpected size");

  // Segments.
  CodeObject result;
  std::vector<ProgramHeader> segments;
  for (unsigned i = 0; i < header->programCount; ++i) {
    auto segment = reader.at<ProgramHeader>(header->programOffset + uint64_t(i) * sizeof(ProgramHeader));
    if (!segment)
      return broken("the program headers are cut off");
    if (segment->type != kSegmentLoad)
      continue;
    if (!reader.contains(segment->offset, segment->fileSize) || segment->fileSize > segment->memorySize ||
        segment->address > kLargestImage || segment->memorySize > kLargestImage - segment->address)
      return broken("a segment lies outside the file or is absurdly large");
    result.imageBytes = std::max(result.imageBytes, segment->address + segment->memorySize);
    segments.push_back(*segment);
    if (segment->flags & kWritableSegment)
      result.writable.emplace_back(segment->address, segment->memorySize);
  }
  if (segments.empty())
    return broken("it has no loadable segment");
  result.storage = std::make_unique<uint8_t[]>(result.imageBytes + kPage);
  uint64_t host = (reinterpret_cast<uint64_t>(result.storage.get()) + kPage - 1) / kPage * kPage;
  result.image = reinterpret_cast<uint8_t *>(host);
  for (const ProgramHeader &segment : segments)
    std::memcpy(result.image + segment.address, bytes.data() + segment.offset, segment.fileSize);
  auto inImage = [&](uint64_t address, uint64_t size) {
    return address <= result.imageBytes && size <= result.imageBytes - address;
  };

  // Sections.
  std::vector<SectionHeader> sections;
  for (unsigned i = 0; i < header->sectionCount; ++i) {
    auto section = reader.at<SectionHeader>(header->sectionOffset + uint64_t(i) * sizeof(SectionHeader));
    if (!section)
      return broken("the section headers are cut off");
    if (section->type != 8 && section->type != 0 && !reader.contains(section->offset, section->size))
      return broken("a section lies outside the file");
    sections.push_back(*section);
  }
  Metadata metadata;
  std::map<std::string, uint64_t> descriptors; // symbol -> address
  for (const SectionHeader &section : sections) {
    if (section.type == kSectionNote) {
      QUERN_RETURN_IF_ERROR(findMetadata(reader, section, metadata));
    } else if ((section.flags & kExecutable) && (section.flags & kAllocated) && section.type == 1) {
      if (result.textBytes)
        return broken("it has more than one section of code");
      if (!inImage(section.address, section.size) || section.address % 4)
        return broken("its code lies outside the loaded segments");
      result.textAddress = section.address;
      result.textBytes = section.size;
    } else if (section.type == kSectionSymbols || section.type == kSectionDynSym) {
      if (section.link >= sections.size())
        return broken("a symbol table has no string table");
      for (uint64_t at = 0; at + sizeof(Symbol) <= section.size; at += sizeof(Symbol)) {
        auto symbol = reader.at<Symbol>(section.offset + at);
        std::string name = symbol ? reader.text(sections[section.link], symbol->name) : std::string();
        if (name.ends_with(".kd") && symbol->section)
          descriptors[name] = symbol->value;
      }
    }
  }
  if (!result.textBytes)
    return broken("it has no code");
  if (metadata.target.empty())
    return broken("it has no metadata note");
  result.target = metadata.target;

  // Relocations against the loaded image; addresses are host addresses.
  for (const SectionHeader &section : sections) {
    if (section.type != kSectionRelocations || !(section.flags & kAllocated))
      continue;
    for (uint64_t at = 0; at + sizeof(Relocation) <= section.size; at += sizeof(Relocation)) {
      auto relocation = reader.at<Relocation>(section.offset + at);
      if (!relocation)
        return broken("a relocation is cut off");
      uint32_t type = uint32_t(relocation->info), symbolIndex = uint32_t(relocation->info >> 32);
      uint64_t symbolValue = 0;
      if (symbolIndex) {
        if (section.link >= sections.size())
          return broken("a relocation has no symbol table");
        auto symbol =
            uint64_t(symbolIndex) * sizeof(Symbol) + sizeof(Symbol) <= sections[section.link].size
                ? reader.at<Symbol>(sections[section.link].offset + uint64_t(symbolIndex) * sizeof(Symbol))
                : std::nullopt;
        if (!symbol || !symbol->section)
          return broken("a relocation refers to a symbol that is not defined");
        symbolValue = symbol->value;
      }
      bool narrow = type != kAbs64 && type != kRelative64 && type != kRel64;
      if (!inImage(relocation->offset, narrow ? 4 : 8))
        return broken("a relocation lies outside the image");
      uint64_t value = host + symbolValue + uint64_t(relocation->addend);
      switch (type) {
      case kAbs64:
      case kRelative64:
        break;
      case kRel64:
      case kRel32:
        value -= host + relocation->offset;
        break;
      case kAbs32:
      case kAbs32Low:
        break;
      case kAbs32High:
        value >>= 32;
        break;
      default:
        return broken("relocation type " + std::to_string(type) + " is unknown");
      }
      std::memcpy(result.image + relocation->offset, &value, narrow ? 4 : 8);
    }
  }

  // Kernels.
  for (const auto &[symbol, address] : descriptors) {
    if (!inImage(address, sizeof(Descriptor)))
      return broken("the descriptor `" + symbol + "` lies outside the image");
    Descriptor descriptor;
    std::memcpy(&descriptor, result.image + address, sizeof(descriptor));
    auto it = metadata.kernels.find(symbol);
    if (it == metadata.kernels.end())
      return broken("the kernel `" + symbol + "` is not in the metadata");
    KernelCode kernel = it->second;
    kernel.entry = address + uint64_t(descriptor.entryOffset);
    if (kernel.entry < result.textAddress || kernel.entry >= result.textAddress + result.textBytes ||
        kernel.entry % 4)
      return broken("the entry of `" + symbol + "` lies outside the code");
    kernel.privateBytes = std::max(kernel.privateBytes, descriptor.privateBytes);
    kernel.localBytes = std::max(kernel.localBytes, descriptor.localBytes);
    kernel.resource1 = descriptor.resource1;
    kernel.resource2 = descriptor.resource2;
    kernel.resource3 = descriptor.resource3;
    kernel.properties = descriptor.properties;
    constexpr uint32_t largestKernarg = 1 << 20, largestPrivate = 1 << 20;
    if (kernel.kernargBytes > largestKernarg || kernel.privateBytes > largestPrivate)
      return broken("`" + symbol + "` asks for " + std::to_string(kernel.kernargBytes) +
                    " bytes of arguments and " + std::to_string(kernel.privateBytes) + " of private memory");
    kernel.preloadDwords = descriptor.preload & 127;
    kernel.preloadOffset = descriptor.preload >> 7;
    result.kernels.push_back(std::move(kernel));
  }
  return result;
}

} // namespace quern::runtime::emulated::amd
