//===- DeviceCallsTensorCore.cpp - tcgen05 out of line --------------------===//
//
// PTX ISA 9.7.16. mma, cp and commit of one thread take effect in order (9.7.16.6.2); what a thread loads or
// stores takes effect at the latest at its tcgen05.wait.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/BlockCounts.h"
#include "runtime/emulated/nvidia/DeviceCalls.h"
#include "runtime/emulated/nvidia/TensorCore.h"

#include <bit>
#include <cstring>

namespace quern::runtime::emulated::nvidia {

namespace {

using Memory = TensorMemory;

uint64_t loadKey(const ThreadContext *thread) { return uint64_t(2) << 32 | thread->linear; }
uint64_t storeKey(const ThreadContext *thread) { return uint64_t(3) << 32 | thread->linear; }

/// The columns [column, column + count) must be allocated.
void checkColumns(ThreadContext *thread, uint32_t site, BlockContext &block, uint32_t address,
                  uint32_t count) {
  BlockRun &run = *thread->block->run;
  Memory &memory = run.asyncMatrix().memory(block);
  uint32_t column = address & 0xFFFF;
  bool isAllocated = count > 0 && column + count <= Memory::columns;
  for (uint32_t unit = column / Memory::unit; isAllocated && unit <= (column + count - 1) / Memory::unit;
       ++unit)
    isAllocated = memory.owner[unit] != 0;
  if (isAllocated)
    return;
  Fault fault;
  fault.kind = Fault::OutOfBounds;
  fault.site = site;
  fault.address = address;
  fault.bytes = uint64_t(count) * 4;
  fault.text = "tensor";
  run.fail(thread, fault);
}

void fail(ThreadContext *thread, uint32_t site, const Conflict &conflict, uint32_t address, bool isAgent) {
  if (conflict.kind == Conflict::None)
    return;
  Fault fault;
  fault.kind = conflict.kind == Conflict::Uninitialised ? Fault::Uninitialised
               : conflict.kind == Conflict::Unfenced    ? Fault::Asynchronous
                                                        : Fault::Race;
  if (conflict.kind == Conflict::Unfenced)
    fault.text =
        "what a plain store has written is not made visible to a matrix operation by fence.proxy.async";
  fault.site = site;
  fault.address = address;
  fault.bytes = 16;
  fault.other = conflict;
  fault.isAgent = isAgent;
  thread->block->run->fail(thread, fault);
}

/// Notes what an operation of |thread| does to columns of tensor memory, in the quarters of |quarters|.
void noteTensor(ThreadContext *thread, uint32_t site, BlockContext &block, uint32_t address, uint32_t count,
                uint32_t quarters, bool isWrite) {
  BlockRun &run = *thread->block->run;
  checkColumns(thread, site, block, address, count);
  if (!run.sanitizes())
    return;
  auto &pipeline = run.asyncMatrix().pipeline(thread);
  SharedShadow &shadow = run.sharedShadow();
  for (uint32_t i = 0; i < count; ++i)
    for (uint32_t quarter = 0; quarter < 4; ++quarter) {
      if (!(quarters >> quarter & 1))
        continue;
      uint64_t offset = run.tensorShadowOffset(block, (address & 0xFFFF) + i, quarter);
      uint32_t clock = pipeline.issued + 1;
      Conflict conflict = isWrite ? shadow.asyncWrite(thread->linear, pipeline.agent, clock, site, offset,
                                                      BlockRun::shadowCell, true)
                                  : shadow.asyncRead(thread->linear, pipeline.agent, clock, site, offset,
                                                     BlockRun::shadowCell, true);
      fail(thread, site, conflict, address + i, true);
    }
}

void noteShared(ThreadContext *thread, uint32_t site, BlockContext &block, uint64_t offset) {
  BlockRun &run = *thread->block->run;
  constexpr uint32_t chunk = 16;
  if (offset + chunk > block.sharedBytes) {
    Fault fault;
    fault.kind = Fault::OutOfBounds;
    fault.site = site;
    fault.address = offset;
    fault.bytes = chunk;
    fault.text = "shared";
    run.fail(thread, fault);
  }
  if (!run.sanitizes())
    return;
  auto &pipeline = run.asyncMatrix().pipeline(thread);
  fail(thread, site,
       run.sharedShadow().asyncRead(thread->linear, pipeline.agent, pipeline.issued + 1, site,
                                    run.shadowOffset(block, block.sharedOrigin + offset), chunk),
       static_cast<uint32_t>(offset), true);
}

BlockRun &begin(ThreadContext *thread) {
  BlockRun &run = *thread->block->run;
  auto &pipeline = run.asyncMatrix().pipeline(thread);
  if (run.sanitizes() && pipeline.agent == Mbarrier::none)
    pipeline.agent = run.sharedShadow().addAgent();
  return run;
}

template <typename Apply> void issue(ThreadContext *thread, uint32_t site, Apply apply) {
  BlockRun &run = *thread->block->run;
  ++run.asyncMatrix().pipeline(thread).issued;
  AsyncOperation operation;
  operation.kind = AsyncOperation::Stream;
  operation.issuer = thread->linear;
  operation.site = site;
  operation.key = thread->linear;
  operation.apply = std::move(apply);
  run.operations().issue(std::move(operation));
}

/// The other block of the pair (9.7.16.3: ranks that differ in the last bit).
BlockContext &peerOf(ThreadContext *thread, uint32_t site) {
  BlockContext &block = *thread->block;
  if ((block.clusterRank ^ 1) >= block.clusterBlocks)
    block.run->failAt(thread, site, Fault::BadOperand,
                      ".cta_group::2 needs a cluster of an even number of blocks");
  return block.run->blockAt(block.clusterRank ^ 1);
}

/// The .sync of loads, stores and waits: all lanes of the warp are here.
void meet(void *const *, uint32_t, ThreadContext *) {}
void meetWarp(ThreadContext *thread, uint32_t site) {
  thread->block->run->collective(thread, site, ~0u, meet, nullptr);
}

struct Allocation {
  uint64_t address;
  uint32_t columns, site;
};

/// 9.7.16.7.1: a power of two of columns from 32 on, for the whole warp.
void allocate(void *const *arguments, uint32_t lanes, ThreadContext *warp) {
  auto &wanted = *static_cast<Allocation *>(arguments[std::countr_zero(lanes)]);
  BlockRun &run = *warp->block->run;
  Memory &memory = run.asyncMatrix().memory(*warp->block);
  uint32_t columns = wanted.columns;
  if (columns < Memory::unit || columns > Memory::columns || !std::has_single_bit(columns))
    run.failAt(warp, wanted.site, Fault::BadOperand,
               "the number of columns is not a power of two from 32 to 512");
  if (memory.relinquished)
    run.failAt(warp, wanted.site, Fault::BadOperand, "the block has given up its permit to allocate");
  uint32_t units = columns / Memory::unit;
  for (uint32_t first = 0; first + units <= std::size(memory.owner); first += units) {
    bool isFree = true;
    for (uint32_t i = 0; i < units; ++i)
      isFree &= memory.owner[first + i] == 0;
    if (!isFree)
      continue;
    for (uint32_t i = 0; i < units; ++i)
      memory.owner[first + i] = 1 + first * Memory::unit;
    memory.allocatedAt[first] = wanted.site;
    wanted.address = uint64_t(first) * Memory::unit;
    for (uint32_t lane = 0; lane < warpSize; ++lane)
      if (lanes >> lane & 1)
        static_cast<Allocation *>(arguments[lane])->address = wanted.address;
    return;
  }
  run.failAt(warp, wanted.site, Fault::BadOperand,
             "tensor memory is full: the allocation would wait for ever");
}

void release(void *const *arguments, uint32_t lanes, ThreadContext *warp) {
  auto &wanted = *static_cast<Allocation *>(arguments[std::countr_zero(lanes)]);
  BlockRun &run = *warp->block->run;
  Memory &memory = run.asyncMatrix().memory(*warp->block);
  uint32_t column = wanted.address & 0xFFFF, owned = 0;
  for (uint32_t owner : memory.owner)
    owned += owner == 1 + column;
  if (owned == 0 || owned * Memory::unit != wanted.columns)
    run.failAt(warp, wanted.site, Fault::BadOperand, "what is deallocated has not been allocated so");
  for (uint32_t &owner : memory.owner)
    if (owner == 1 + column)
      owner = 0;
}

/// 9.7.16.2.3: the place of register |r| of |lane|, from the first lane and column of the access.
struct Place {
  uint32_t lane, column;
};
Place placeOf(TensorForm::Shape shape, uint32_t lane, uint32_t r, uint32_t split) {
  switch (shape) {
  case TensorForm::L16x64b:
    return {lane / 4 + lane % 2 * 8, lane / 2 % 2 + 2 * r};
  case TensorForm::L16x128b:
    return {lane / 4 + r % 2 * 8, lane % 4 + r / 2 * 4};
  case TensorForm::L16x256b:
    return {lane / 4 + r / 2 % 2 * 8, lane % 4 * 2 + r % 2 + r / 4 * 8};
  case TensorForm::L16x32bx2:
    return {lane % 16, r + lane / 16 * split};
  default:
    return {lane, r};
  }
}

/// Checks the address of a load or store, and notes it once for the warp.
Memory &access(ThreadContext *thread, uint32_t site, TensorForm::Shape shape, uint32_t address,
               uint32_t count, uint32_t split, bool isWrite) {
  BlockRun &run = *thread->block->run;
  uint32_t row = address >> 16, window = thread->warp % 4 * 32;
  bool isHalf = shape != TensorForm::L32x32b && row == window + 16;
  if (row != window && !isHalf)
    run.failAt(thread, site, Fault::BadOperand, "a warp may access only its own 32 lanes of tensor memory");
  if (split >= Memory::columns)
    run.failAt(thread, site, Fault::BadOperand,
               "the second half of the access begins outside of tensor memory");
  Place last = placeOf(shape, 31, count - 1, split);
  uint32_t columns = last.column + 1;
  checkColumns(thread, site, *thread->block, address, columns);
  if (run.sanitizes() && thread->lane == 0)
    for (uint32_t i = 0; i < columns; ++i) {
      uint64_t offset = run.tensorShadowOffset(*thread->block, (address & 0xFFFF) + i, window / 32);
      SharedShadow &shadow = run.sharedShadow();
      fail(thread, site,
           isWrite ? shadow.write(thread->linear, site, offset, BlockRun::shadowCell, false, false)
                   : shadow.read(thread->linear, site, offset, BlockRun::shadowCell, false),
           address + i, false);
    }
  return run.asyncMatrix().memory(*thread->block);
}

} // namespace

extern "C" {

static uint32_t quernTensorAllocate(ThreadContext *thread, uint32_t site, uint32_t columns) {
  Allocation allocation{0, columns, site};
  thread->block->run->collective(thread, site, ~0u, allocate, &allocation);
  return static_cast<uint32_t>(allocation.address);
}

static void quernTensorRelease(ThreadContext *thread, uint32_t site, uint32_t address, uint32_t columns) {
  Allocation allocation{address, columns, site};
  thread->block->run->collective(thread, site, ~0u, release, &allocation);
}

static void quernTensorRelinquish(ThreadContext *thread) {
  thread->block->run->asyncMatrix().memory(*thread->block).relinquished = true;
}

static void quernTensorMultiply(ThreadContext *thread, uint32_t site, uint64_t form,
                                const TensorOperands *operands) {
  BlockRun &run = begin(thread);
  TensorProduct product;
  bool modelled = true;
  const char *wrong = product.read(std::bit_cast<TensorForm>(form), *operands, modelled);
  if (wrong)
    run.failAt(thread, site, Fault::BadOperand, wrong);
  if (!modelled)
    run.failAt(thread, site, Fault::NotModelled, "");
  if (BlockCounts *counts = run.counts())
    counts->matrix(product.name(), uint64_t(product.m) * product.n * product.k, product.operandBytes());
  uint32_t blocks = product.form.pair ? 2 : 1, rows = product.rowsOfBlock();
  for (uint32_t i = 0; i < blocks; ++i) {
    BlockContext *block = thread->block;
    // The first block of a pair has the lower rank.
    if (product.form.pair && (block->clusterRank & 1) != i)
      block = &peerOf(thread, site);
    product.shared[i] = block->shared;
    product.memory[i] = &run.asyncMatrix().memory(*block);
    product.b.forChunks(0, product.n / blocks, product.k, [&](uint32_t, uint32_t, uint64_t offset) {
      noteShared(thread, site, *block, offset);
    });
    if (product.form.aInTensor)
      noteTensor(thread, site, *block, product.aAddress, product.k / (chunkElements(product.a.type) / 4), 15,
                 false);
    else
      product.a.forChunks(0, rows, product.k, [&](uint32_t, uint32_t, uint64_t offset) {
        noteShared(thread, site, *block, offset);
      });
    if (product.form.scaleBlocks) {
      noteTensor(thread, site, *block, product.scaleA, (rows + 31) / 32, 1, false);
      noteTensor(thread, site, *block, product.scaleB, (product.n + 31) / 32, 1, false);
    }
    if (product.keep)
      noteTensor(thread, site, *block, product.dAddress, product.columnsOfD(), 15, false);
    noteTensor(thread, site, *block, product.dAddress, product.columnsOfD(), 15, true);
  }
  issue(thread, site, [product] { product.apply(); });
}

static void quernTensorCopy(ThreadContext *thread, uint32_t site, uint64_t form, uint32_t address,
                            uint64_t descriptor) {
  BlockRun &run = begin(thread);
  auto what = std::bit_cast<TensorForm>(form);
  auto shape = static_cast<TensorForm::CopyShape>(what.shape);
  MatrixOperand from;
  from.type = MatrixType::U8;
  if (!from.readTensorCore(descriptor) || address >> 16)
    run.failAt(thread, site, Fault::NotModelled, "");
  for (uint32_t i = 0; i < (what.pair ? 2u : 1u); ++i) {
    BlockContext *block = i == 0 ? thread->block : &peerOf(thread, site);
    for (uint32_t row = 0; row < copyRows(shape); ++row)
      for (uint32_t chunk = 0; chunk < copyColumns(shape) / 4; ++chunk)
        noteShared(thread, site, *block, from.chunkAt(row, chunk * chunkElements(from.type)));
    noteTensor(thread, site, *block, address, copyColumns(shape), 15, true);
    const std::byte *shared = block->shared;
    Memory *memory = &run.asyncMatrix().memory(*block);
    issue(thread, site, [=] { copyToTensor(from, shape, shared, *memory, address); });
  }
}

/// The mbarrier, in each block of the mask, gets one arrival when all operations of the thread so far have
/// ended.
static void quernTensorCommit(ThreadContext *thread, uint32_t site, uint64_t mbarrier, bool isGeneric,
                              uint32_t mask, bool multicast) {
  BlockRun &run = begin(thread);
  if (isGeneric)
    mbarrier -= sharedWindow;
  auto &pipeline = run.asyncMatrix().pipeline(thread);
  auto one = [&](uint64_t address) {
    BlockRun::Signal signal = run.expectSignal(thread, site, address);
    BlockRun *owner = &run;
    uint32_t agent = pipeline.agent, clock = pipeline.issued;
    // What the thread has waited for before its operations comes before their end.
    auto known = std::make_shared<std::vector<uint32_t>>();
    if (run.sanitizes())
      run.sharedShadow().release(thread->linear, *known);
    issue(thread, site, [=] { owner->signalAfter(signal.key, site, agent, clock, *known); });
  };
  if (!multicast)
    return one(mbarrier);
  uint64_t low = mbarrier & ((uint64_t(1) << clusterRankShift) - 1);
  if (mask == 0 || mask >> thread->block->clusterBlocks)
    run.failAt(thread, site, Fault::BadOperand, "the mask names no block, or one that is not in the cluster");
  for (uint32_t rank = 0; rank < thread->block->clusterBlocks; ++rank)
    if (mask >> rank & 1)
      one(low | uint64_t(rank) << clusterRankShift);
}

static void quernTensorLoad(ThreadContext *thread, uint32_t site, uint64_t form, uint32_t address,
                            uint32_t split, const AsyncRegister *registers, uint32_t count) {
  BlockRun &run = *thread->block->run;
  auto shape = static_cast<TensorForm::Shape>(std::bit_cast<TensorForm>(form).shape);
  meetWarp(thread, site);
  Memory *memory = &access(thread, site, shape, address, count, split, false);
  for (uint32_t i = 0; i < count; ++i)
    *registers[i].state = RegisterInFlight;
  uint32_t lane = thread->lane;
  AsyncOperation operation;
  operation.kind = AsyncOperation::Group;
  operation.issuer = thread->linear;
  operation.site = site;
  operation.key = loadKey(thread);
  operation.apply = [=] {
    for (uint32_t i = 0; i < count; ++i) {
      Place place = placeOf(shape, lane, i, split);
      *registers[i].value = *memory->at((address >> 16) + place.lane, (address & 0xFFFF) + place.column);
    }
  };
  run.asyncMatrix().loads(thread).push_back({registers, count});
  run.operations().issue(std::move(operation));
}

static void quernTensorStore(ThreadContext *thread, uint32_t site, uint64_t form, uint32_t address,
                             uint32_t split, const uint32_t *values, uint32_t count) {
  BlockRun &run = *thread->block->run;
  auto shape = static_cast<TensorForm::Shape>(std::bit_cast<TensorForm>(form).shape);
  Memory *memory = &access(thread, site, shape, address, count, split, true);
  uint32_t lane = thread->lane;
  AsyncOperation operation;
  operation.kind = AsyncOperation::Group;
  operation.issuer = thread->linear;
  operation.site = site;
  operation.key = storeKey(thread);
  operation.apply = [=, words = std::vector<uint32_t>(values, values + count)] {
    for (uint32_t i = 0; i < count; ++i) {
      Place place = placeOf(shape, lane, i, split);
      *memory->at((address >> 16) + place.lane, (address & 0xFFFF) + place.column) = words[i];
    }
  };
  run.operations().issue(std::move(operation));
}

static void quernTensorWait(ThreadContext *thread, uint32_t site, bool isLoad) {
  BlockRun &run = *thread->block->run;
  run.operations().applyGroups(isLoad ? loadKey(thread) : storeKey(thread), ~0u);
  meetWarp(thread, site);
  if (!isLoad)
    return;
  for (const auto &load : run.asyncMatrix().loads(thread))
    for (uint32_t i = 0; i < load.count; ++i)
      *load.registers[i].state = RegisterTouched;
  run.asyncMatrix().loads(thread).clear();
}

} // extern "C"

std::span<const DeviceCall> tensorCoreCalls() {
#define QUERN_CALL(name)                                                                                     \
  {                                                                                                          \
    #name, reinterpret_cast<void *>(&name)                                                                   \
  }
  static const DeviceCall calls[] = {
      QUERN_CALL(quernTensorAllocate), QUERN_CALL(quernTensorRelease), QUERN_CALL(quernTensorRelinquish),
      QUERN_CALL(quernTensorMultiply), QUERN_CALL(quernTensorCopy),    QUERN_CALL(quernTensorCommit),
      QUERN_CALL(quernTensorLoad),     QUERN_CALL(quernTensorStore),   QUERN_CALL(quernTensorWait)};
#undef QUERN_CALL
  return calls;
}

} // namespace quern::runtime::emulated::nvidia
