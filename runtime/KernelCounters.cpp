//===- KernelCounters.cpp -------------------------------------------------===//
#include "runtime/KernelCounters.h"

namespace quern::runtime {

std::string_view instructionClassName(InstructionClass kind) {
  static constexpr std::string_view names[] = {
      "integer",     "float",       "conversion",   "special",     "move",         "exchange",     "matrix",
      "matrix move", "shared load", "shared store", "global load", "global store", "local memory", "atomic",
      "async copy",  "barrier",     "wait",         "branch",      "scalar",       "other"};
  static_assert(std::size(names) == numInstructionClasses);
  return names[unsigned(kind)];
}

static void addTo(SharedCount &to, const SharedCount &from) {
  to.requests += from.requests;
  to.wavefronts += from.wavefronts;
  to.ideal += from.ideal;
  to.bytes += from.bytes;
}

static void addTo(GlobalCount &to, const GlobalCount &from) {
  to.requests += from.requests;
  to.sectors += from.sectors;
  to.ideal += from.ideal;
  to.bytes += from.bytes;
}

void KernelCounters::add(const KernelCounters &other) {
  launches += other.launches;
  blocks += other.blocks;
  warps += other.warps;
  if (other.sectorBytes)
    sectorBytes = other.sectorBytes;
  for (const auto &[name, count] : other.opcodes) {
    OpcodeCount &mine = opcodes[name];
    mine.kind = count.kind;
    mine.issued += count.issued;
    mine.lanes += count.lanes;
  }
  for (const auto &[name, count] : other.matrix) {
    MatrixCount &mine = matrix[name];
    mine.operations += count.operations;
    mine.multiplyAdds += count.multiplyAdds;
  }
  addTo(sharedLoads, other.sharedLoads);
  addTo(sharedStores, other.sharedStores);
  addTo(globalLoads, other.globalLoads);
  addTo(globalStores, other.globalStores);
  ordinaryMultiplyAdds += other.ordinaryMultiplyAdds;
  operandBytes += other.operandBytes;
  readBytes += other.readBytes;
  writtenBytes += other.writtenBytes;
  barriers += other.barriers;
  incomplete += other.incomplete;
  if (other.resources.threads)
    resources = other.resources;
}

uint64_t KernelCounters::issued() const {
  uint64_t sum = 0;
  for (const auto &[name, count] : opcodes)
    sum += count.issued;
  return sum;
}

uint64_t KernelCounters::lanes() const {
  uint64_t sum = 0;
  for (const auto &[name, count] : opcodes)
    sum += count.lanes;
  return sum;
}

std::array<OpcodeCount, numInstructionClasses> KernelCounters::mix() const {
  std::array<OpcodeCount, numInstructionClasses> classes;
  for (unsigned i = 0; i < numInstructionClasses; ++i)
    classes[i].kind = InstructionClass(i);
  for (const auto &[name, count] : opcodes) {
    classes[unsigned(count.kind)].issued += count.issued;
    classes[unsigned(count.kind)].lanes += count.lanes;
  }
  return classes;
}

uint64_t KernelCounters::matrixMultiplyAdds() const {
  uint64_t sum = 0;
  for (const auto &[name, count] : matrix)
    sum += count.multiplyAdds;
  return sum;
}

} // namespace quern::runtime
