//===- Wave.cpp - Outstanding loads and operand access --------------------===//
//
// See Wave.h. Order of completion, from the ISA manuals: vector memory loads return in order among themselves
// (with stores, where both count in vmcnt), local operations in order among themselves, scalar loads in any
// order. Where local operations and scalar loads share lgkmcnt, a wait for N > 0 promises only what holds in
// every such order.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/Wave.h"

#include "runtime/emulated/amd/Block.h"

#include <algorithm>
#include <cstring>

namespace quern::runtime::emulated::amd {

/// Handlers index the file with register numbers of any kind and may touch the rows after an operand's own.
static constexpr unsigned kSlackRows = 16;

Wave::Wave(Block &block, const TargetFacts &target, unsigned number, unsigned rows)
    : block(block), target(target), width(target.waveSize), number(number),
      registers(block.launch.options->sanitize ? rows : 0), rows(rows),
      vectors(size_t(std::max<unsigned>(rows, scalar::Count) + kSlackRows) * target.waveSize, 0xCBCBCBCBu) {
  std::fill(std::begin(scalars), std::begin(scalars) + scalar::Ttmp0, 0xCBCBCBCBu);
  masksFor = 1;
  laneMasks(0);
}

const uint32_t *Wave::laneMasks(uint64_t lanes) {
  if (lanes != masksFor) {
    for (unsigned lane = 0; lane < 64; ++lane)
      masks[lane] = lanes >> lane & 1 ? ~0u : 0u;
    masksFor = lanes;
  }
  return masks;
}

uint32_t Wave::read32(const Operand &op) const {
  if (op.kind == OperandKind::Scalar) {
    if (op.index >= scalar::Scc) [[unlikely]] {
      uint64_t active = mask(scalar::Exec) & allLanes();
      return op.index == scalar::Scc ? scc : op.index == scalar::Vccz ? mask(scalar::Vcc) == 0 : active == 0;
    }
    return scalars[op.index];
  }
  return op.isFloat ? bitsOf(float(op.number)) : uint32_t(op.bits);
}

uint64_t Wave::read64(const Operand &op) const {
  if (op.kind == OperandKind::Scalar)
    return op.index >= scalar::Scc ? read32(op) : wide(op.index);
  return op.isFloat ? bitsOf(op.number) : op.bits;
}

//===-- outstanding operations ----------------------------------------------===//

void Wave::issue(Outstanding &&operation) {
  auto shared = std::make_shared<Outstanding>(std::move(operation));
  directLoads += shared->toLocal;
  if (takesEffectAtOnce())
    apply(*shared);
  for (unsigned i = 0; i < shared->dwords; ++i) {
    if (shared->toVector) {
      pendingVectors.set(shared->first + i);
      if (shared->counter == Counter::Load && !shared->alsoLocal)
        pendingInOrder.set(shared->first + i);
    } else {
      pendingScalars.set(shared->first + i);
    }
  }
  switch (shared->counter) {
  case Counter::Store:
    if (target.separateStoreCounter)
      return; // nothing ever waits for its registers
    [[fallthrough]];
  case Counter::Load:
    memoryQueue.push_back(shared);
    if (shared->alsoLocal)
      localQueue.push_back(shared);
    break;
  case Counter::Local:
    localQueue.push_back(shared);
    break;
  case Counter::ScalarLoad:
    scalarQueue.push_back(shared);
    return;
  }
  // A counter at its maximum stalls the wave until an operation completes: what is older is done, without a
  // wait.
  waitMemory(target.largestMemoryCount);
  waitLocal(target.largestLocalCount, false);
}

/// Whether what issues now takes effect at the earliest legal moment rather than at the wait that covers it.
bool Wave::takesEffectAtOnce() const {
  switch (block.launch.asynchronous) {
  case AsyncOrder::Earliest:
    return true;
  case AsyncOrder::Random: // a bit of a mixed count: the same for every run of the seed
    return (instructions + 31 * number + block.launch.options->seed) * 0x9E3779B97F4A7C15ull >> 63;
  default:
    return false;
  }
}

void Wave::complete(Outstanding &operation) {
  apply(operation);
  directLoads -= operation.toLocal;
  operation.toLocal = false;
  operation.dwords = 0;
  operation.addresses.clear();
}

void Wave::apply(Outstanding &operation) {
  if (operation.applied)
    return;
  operation.applied = true;
  if (operation.toLocal) {
    for (size_t i = 0; i < operation.addresses.size(); ++i)
      std::memcpy(block.local.data() + operation.addresses[i], &operation.data[i * operation.addressSize / 4],
                  operation.addressSize);
  } else if (operation.toVector) {
    for (unsigned i = 0; i < operation.dwords; ++i) {
      uint32_t *to = row(operation.first + i);
      const uint32_t *from = &operation.data[size_t(i) * width];
      for (unsigned lane = 0; lane < width; ++lane) {
        if (!(operation.lanes >> lane & 1))
          continue;
        if (!operation.d16)
          to[lane] = from[lane];
        else if (operation.d16High)
          to[lane] = (target.d16ClearsOther ? 0 : to[lane] & 0xffff) | from[lane] << 16;
        else
          to[lane] = (target.d16ClearsOther ? 0 : to[lane] & 0xffff0000u) | (from[lane] & 0xffff);
      }
    }
  } else {
    for (unsigned i = 0; i < operation.dwords; ++i)
      scalars[operation.first + i] = operation.data[i];
  }
}

void Wave::refreshPending() {
  pendingVectors.reset();
  pendingInOrder.reset();
  pendingScalars.reset();
  auto mark = [&](const Outstanding &operation) {
    for (unsigned i = 0; i < operation.dwords; ++i) {
      if (operation.toVector) {
        pendingVectors.set(operation.first + i);
        if (operation.counter == Counter::Load && !operation.alsoLocal)
          pendingInOrder.set(operation.first + i);
      } else {
        pendingScalars.set(operation.first + i);
      }
    }
  };
  for (auto &operation : memoryQueue)
    mark(*operation);
  for (auto &operation : localQueue)
    mark(*operation);
  for (auto &operation : scalarQueue)
    mark(*operation);
}

void Wave::noteWait() {
  if (WaitRecord *record = block.launch.options->waits) [[unlikely]]
    record->note((*block.launch.code)[current].address);
}

void Wave::waitMemory(unsigned left) {
  if (memoryQueue.size() <= left)
    return;
  noteWait();
  while (memoryQueue.size() > left) {
    auto operation = memoryQueue.front();
    memoryQueue.pop_front();
    if (operation->alsoLocal)
      operation->alsoLocal = false; // the other counter still covers it
    else
      complete(*operation);
  }
  refreshPending();
}

void Wave::waitLocal(unsigned left, bool scalarsShareCounter) {
  size_t total = localQueue.size() + (scalarsShareCounter ? scalarQueue.size() : 0);
  if (total <= left)
    return;
  // In the worst order the scalar loads are the ones that have completed.
  size_t mustFinish = total - left;
  size_t localFinished = scalarsShareCounter && left > 0
                             ? mustFinish - std::min(mustFinish, scalarQueue.size())
                             : std::min(mustFinish, localQueue.size());
  if (localFinished > 0)
    noteWait();
  for (size_t i = 0; i < localFinished; ++i) {
    auto operation = localQueue.front();
    localQueue.pop_front();
    if (operation->alsoLocal)
      operation->alsoLocal = false;
    else
      complete(*operation);
  }
  if (scalarsShareCounter && left == 0)
    waitScalar(0);
  refreshPending();
}

void Wave::waitScalar(unsigned left) {
  if (left > 0 || scalarQueue.empty()) // out of order: only a wait for none promises anything
    return;
  noteWait();
  for (auto &operation : scalarQueue)
    complete(*operation);
  scalarQueue.clear();
  refreshPending();
}

bool Wave::touchesOutstanding(const Instruction &in) {
  for (unsigned i = 0; i < in.operandCount; ++i) {
    const Operand &op = in.operands[i];
    // A vector memory load may overwrite a register that an earlier one will write: they return in order.
    bool inOrder = i < in.destinations && in.unit == Unit::Memory;
    for (unsigned k = 0; k < op.dwords; ++k) {
      unsigned index = op.index + k;
      if (op.kind == OperandKind::Vector && index < kVectorRows && pendingVectors[index] &&
          !(inOrder && pendingInOrder[index])) {
        bool accumulation = index >= kAccumulationBase;
        fault("missing-wait", std::string(i < in.destinations ? "writes " : "reads ") +
                                  (accumulation ? "a" : "v") +
                                  std::to_string(index - (accumulation ? kAccumulationBase : 0)) +
                                  " before the wait of the load that writes it");
        return true;
      }
      if (op.kind == OperandKind::Scalar && index < scalar::Count && pendingScalars[index]) {
        fault("missing-wait", std::string(i < in.destinations ? "writes " : "reads ") + "s" +
                                  std::to_string(index) + " before the wait of the load that writes it");
        return true;
      }
    }
  }
  return false;
}

//===-- faults ----------------------------------------------------------------===//

static std::string place(const Wave &wave) {
  const Instruction &in = (*wave.block.launch.code)[wave.current];
  static const char digits[] = "0123456789abcdef";
  std::string hex;
  for (uint64_t rest = in.address; rest || hex.empty(); rest >>= 4)
    hex.insert(hex.begin(), digits[rest & 15]);
  return in.text + " at 0x" + hex;
}

void Wave::fault(std::string kind, std::string detail, unsigned lane) {
  if (signal == Signal::Fault)
    return;
  signal = Signal::Fault;
  block.findings.push_back({std::move(kind), block.launch.kernel, block.index, number * width + lane,
                            place(*this), std::move(detail)});
}

void Wave::notModelled(std::string detail) {
  if (signal == Signal::Fault)
    return;
  signal = Signal::Fault;
  block.error =
      Status::error(Exit::Unsupported, "E-EMULATED-NOT-MODELLED",
                    "the emulated " + target.name + " does not model `" + place(*this) + "` in kernel `" +
                        block.launch.kernel + "`")
          .cause(detail + "; block " + std::to_string(block.index) + ", wave " + std::to_string(number));
}

} // namespace quern::runtime::emulated::amd
