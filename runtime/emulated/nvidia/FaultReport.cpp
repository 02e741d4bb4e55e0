//===- FaultReport.cpp - What a fault says to its reader ------------------===//

#include "runtime/emulated/nvidia/FaultReport.h"

#include <cstdio>

namespace quern::runtime::emulated::nvidia {

namespace {

/// "`ld.global.b32 %r1, [%rd1]` (PTX line 30, kernels/x/tile.mlir:12)"
std::string placeOf(const KernelImage &image, uint32_t site) {
  if (site >= image.sites.size())
    return "the start of the kernel";
  const Instruction &instruction = *image.sites[site].instruction;
  std::string text = "`" + instruction.text + "` (PTX line " + std::to_string(instruction.line);
  if (instruction.sourceFile < image.module->files.size() &&
      !image.module->files[instruction.sourceFile].empty())
    text += ", " + image.module->files[instruction.sourceFile] + ":" + std::to_string(instruction.sourceLine);
  return text + ")";
}

} // namespace

Status report(const Fault &fault, const KernelImage &image, std::vector<Finding> &findings) {
  Finding finding;
  uint32_t block = fault.block;
  finding.kernel = image.kernel->name;
  finding.block = block;
  finding.thread = fault.thread;
  finding.instruction = placeOf(image, fault.site);
  auto hex = [](uint64_t value) {
    char text[32];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
    return std::string(text);
  };
  std::string otherSide = "thread " + std::to_string(fault.other.thread);
  if (fault.other.isAgent)
    otherSide = "an asynchronous operation";
  else if (fault.otherBlock != fault.block)
    otherSide += " of block " + std::to_string(fault.otherBlock);
  std::string id, sentence,
      access = std::to_string(fault.bytes) + " bytes at " + fault.text + " address " + hex(fault.address);
  std::string space = *fault.text ? fault.text : "shared";
  Exit exit = Exit::Unexpected;
  switch (fault.kind) {
  case Fault::OutOfBounds:
    finding.kind = "out-of-bounds";
    id = "E-EMULATED-OUT-OF-BOUNDS";
    sentence = "an access lies outside of every allocation";
    finding.detail = access;
    break;
  case Fault::Misaligned:
    finding.kind = "misaligned";
    id = "E-EMULATED-MISALIGNED";
    sentence = "an access is not aligned to its size";
    finding.detail = access;
    break;
  case Fault::Race:
    finding.kind = "race";
    id = "E-EMULATED-RACE";
    sentence = "two threads access the same " + space + " memory without an order";
    finding.detail = std::to_string(fault.bytes) + " bytes at " + space + " address " + hex(fault.address) +
                     ": " + (fault.isAgent ? "the operation" : "thread " + std::to_string(fault.thread)) +
                     (fault.other.kind == Conflict::WriteRead ? " reads, " : " writes, ") + otherSide +
                     (fault.other.kind == Conflict::ReadWrite ? " reads" : " writes") + " in " +
                     placeOf(image, fault.other.site);
    break;
  case Fault::Uninitialised:
    finding.kind = "uninitialised";
    id = "E-EMULATED-UNINITIALISED";
    if (fault.bytes == 0) {
      sentence = "a register is read before anything has written it";
      finding.detail = "register `" + space + "`";
      break;
    }
    sentence = "shared memory is read before anything has written it";
    finding.detail = std::to_string(fault.bytes) + " bytes at shared address " + hex(fault.address);
    break;
  case Fault::Deadlock: {
    finding.kind = "deadlock";
    id = "E-EMULATED-DEADLOCK";
    sentence = "no thread of a block can go on";
    for (size_t i = 0; i < fault.waiters.size(); ++i) {
      if (fault.waiters[i] != '@') {
        finding.detail += fault.waiters[i];
        continue;
      }
      size_t end = fault.waiters.find('@', i + 1);
      finding.detail +=
          placeOf(image, static_cast<uint32_t>(std::stoul(fault.waiters.substr(i + 1, end - i - 1))));
      i = end;
    }
    break;
  }
  case Fault::Divergence:
    finding.kind = "divergence";
    id = "E-EMULATED-DIVERGENCE";
    sentence = fault.text;
    if (fault.other.kind != Conflict::None)
      finding.detail = "the other side is " + placeOf(image, fault.other.site);
    break;
  case Fault::NotModelled:
    exit = Exit::Unsupported;
    id = "E-EMULATED-NOT-MODELLED";
    sentence = "an instruction is not modelled";
    break;
  case Fault::SmallNan:
    finding.kind = "nan";
    id = "E-EMULATED-NAN";
    sentence = "a conversion gives NaN of an 8-bit format";
    break;
  case Fault::Trap:
    finding.kind = "trap";
    id = "E-EMULATED-TRAP";
    sentence = "the kernel has trapped";
    break;
  case Fault::StepLimit:
  case Fault::Stopped:
  case Fault::None:
    finding.kind = "endless";
    id = "E-EMULATED-STEP-LIMIT";
    sentence = "a thread does not end within the step limit";
    break;
  case Fault::StackDepth:
    finding.kind = "stack";
    id = "E-EMULATED-STACK";
    sentence = "calls are nested too deeply or local memory is used up";
    break;
  case Fault::Asynchronous:
    finding.kind = "asynchronous";
    id = "E-EMULATED-ASYNC";
    sentence = fault.text;
    if (fault.other.kind != Conflict::None)
      finding.detail = "the other side is " + otherSide + " in " + placeOf(image, fault.other.site);
    break;
  case Fault::BadOperand:
    finding.kind = "operand";
    id = "E-EMULATED-OPERAND";
    sentence = fault.text;
    break;
  }
  if (!finding.kind.empty())
    findings.push_back(finding);
  std::string cause = "kernel `" + finding.kernel + "`, block " + std::to_string(block) + ", thread " +
                      std::to_string(fault.thread) + ", " + finding.instruction;
  if (!finding.detail.empty())
    cause += ": " + finding.detail;
  return Status::error(exit, id, sentence).cause(cause);
}

} // namespace quern::runtime::emulated::nvidia
