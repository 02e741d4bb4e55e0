//===- KernelImage.cpp - One kernel with what it needs, laid out ----------===//

#include "runtime/emulated/nvidia/KernelImage.h"

#include "runtime/emulated/nvidia/NumberType.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace quern::runtime::emulated::nvidia {

namespace {

uint64_t alignUp(uint64_t value, uint64_t align) { return (value + align - 1) / align * align; }

/// Frames of this many nested calls fit besides the kernel's own.
constexpr uint64_t nestedFrames = 16;

class Layout {
public:
  Layout(KernelImage &image) : image(image) {}

  void run() {
    reach(image.kernel);
    for (size_t i = 0; i < image.functions.size(); ++i)
      visit(*image.functions[i]);
    // Dynamic shared memory begins where the declared variables end, at the next place that is aligned enough
    // (CUDA: one array of unsized extent).
    uint64_t align = 16;
    for (const Variable *variable : dynamicShared)
      align = std::max<uint64_t>(align, variable->align);
    image.staticSharedBytes = alignUp(image.staticSharedBytes, align);
    for (const Variable *variable : dynamicShared)
      image.sharedOffset[variable] = image.staticSharedBytes;
    uint64_t largest = 0;
    for (const auto &[function, bytes] : image.frameBytes)
      largest = std::max(largest, bytes);
    image.localBytes =
        image.frameBytes[image.kernel] + (image.functions.size() > 1 ? nestedFrames * largest : 0);
    for (uint32_t index : image.kernel->parameters) {
      const Variable &variable = image.kernel->variables[index];
      image.parameterBytes = alignUp(image.parameterBytes, variable.align);
      image.parameterOffset.push_back(image.parameterBytes);
      image.parameterBytes += variable.bytes;
    }
  }

private:
  void reach(const Function *function) {
    if (image.firstSite.count(function))
      return;
    image.firstSite[function] = static_cast<uint32_t>(image.sites.size());
    image.functions.push_back(function);
    for (const Instruction &instruction : function->instructions)
      image.sites.push_back({function, &instruction});
  }

  void visit(const Function &function) {
    std::vector<uint64_t> &offsets = image.localOffset[&function];
    uint64_t frame = 0;
    for (const Variable &variable : function.variables) {
      offsets.push_back(0);
      if (variable.space == Space::Local) {
        frame = alignUp(frame, variable.align);
        offsets.back() = frame;
        frame += variable.bytes;
      } else if (variable.space == Space::Shared) {
        placeShared(variable);
      }
    }
    image.frameBytes[&function] = alignUp(frame, 16);
    for (const Instruction &instruction : function.instructions) {
      for (const Operand &operand : instruction.operands)
        visit(operand, instruction);
      classify(instruction);
    }
  }

  void visit(const Operand &operand, const Instruction &instruction) {
    if (operand.kind == Operand::Name) {
      if (const Function *callee = image.module->find(operand.name);
          callee && callee->isDefined && !callee->isEntry)
        reach(callee);
    } else if (operand.kind == Operand::Special) {
      image.knowsClusters |= operand.name.find("cluster") != std::string::npos;
    } else if (operand.kind == Operand::Global) {
      const Variable &variable = image.module->variables[operand.index];
      if (variable.space == Space::Shared)
        placeShared(variable);
    }
    for (const Operand &part : operand.parts)
      visit(part, instruction);
  }

  void placeShared(const Variable &variable) {
    if (image.sharedOffset.count(&variable))
      return;
    if (variable.bytes == 0) {
      image.sharedOffset[&variable] = 0;
      dynamicShared.push_back(&variable);
      return;
    }
    image.staticSharedBytes = alignUp(image.staticSharedBytes, variable.align);
    image.sharedOffset[&variable] = image.staticSharedBytes;
    image.staticSharedBytes += variable.bytes;
  }

  void classify(const Instruction &instruction) {
    static constexpr std::array<std::string_view, 18> waiting = {
        "bar",   "barrier", "shfl",     "vote",       "match",     "redux",
        "elect", "mma",     "ldmatrix", "activemask", "nanosleep", "mbarrier",
        "wgmma", "tcgen05", "cp",       "stmatrix",   "movmatrix", "setmaxnreg"};
    if (std::find(waiting.begin(), waiting.end(), instruction.opcode) != waiting.end())
      image.canWait = true;
    // A loop that waits for another thread reads with an order or exchanges.
    if (instruction.has("volatile") || instruction.has("acquire") || instruction.has("relaxed") ||
        instruction.has("cas") || instruction.has("exch"))
      image.canWait = true;
    if (instruction.opcode == "mapa" || instruction.opcode == "getctarank" || instruction.has("cluster") ||
        instruction.has("shared::cluster") || instruction.has("multicast::cluster"))
      image.knowsClusters = true;
    image.usesTensorMemory |= instruction.opcode == "tcgen05";
    // Matrices are read and written by rows of 16 bytes.
    if (instruction.opcode == "ldmatrix" || instruction.opcode == "stmatrix")
      return;
    bool shared = false;
    unsigned bytes = 16;
    // A copy of cp.async names its size.
    if (instruction.opcode == "cp" && instruction.operands.size() > 2 &&
        instruction.operands[2].kind == Operand::Integer)
      bytes = static_cast<unsigned>(
          std::min<uint64_t>(bytes, std::max<uint64_t>(4, instruction.operands[2].value)));
    for (const std::string &modifier : instruction.modifiers) {
      shared |= modifier.starts_with("shared");
      if (auto type = numberType(modifier))
        bytes = std::min(bytes, std::max(1u, type->width() / 8));
    }
    bool memory = instruction.opcode == "ld" || instruction.opcode == "st" || instruction.opcode == "atom" ||
                  instruction.opcode == "red";
    // An access without a space is generic and may be one to shared memory.
    if (memory && !instruction.has("global") && !instruction.has("local") && !instruction.has("param") &&
        !instruction.has("const"))
      shared = true;
    if (memory || instruction.opcode == "cp")
      image.globalGranuleBytes = std::min<uint32_t>(image.globalGranuleBytes, bytes);
    if (shared)
      image.granuleBytes = std::min<uint32_t>(image.granuleBytes, bytes);
  }

  KernelImage &image;
  std::vector<const Variable *> dynamicShared;
};

} // namespace

KernelImage layOut(const Module &module, const Function &kernel,
                   const std::map<const Variable *, uint64_t> &globalAddress) {
  KernelImage image;
  image.module = &module;
  image.kernel = &kernel;
  image.globalAddress = &globalAddress;
  image.knowsClusters = kernel.clusterBlocks > 1;
  Layout(image).run();
  return image;
}

} // namespace quern::runtime::emulated::nvidia
