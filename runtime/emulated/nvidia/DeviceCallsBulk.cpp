//===- DeviceCallsBulk.cpp - Bulk copies out of line ----------------------===//
//
// PTX ISA 9.7.9.25 to 9.7.9.27. All checks are made when a copy is issued; AsyncOperations applies it.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/BlockCounts.h"
#include "runtime/emulated/nvidia/BlockRun.h"
#include "runtime/emulated/nvidia/BulkForm.h"
#include "runtime/emulated/nvidia/BulkReduce.h"
#include "runtime/emulated/nvidia/DeviceCalls.h"
#include "runtime/emulated/nvidia/TensorBox.h"

#include <cstring>

namespace quern::runtime::emulated::nvidia {

namespace {

/// A copy that is being issued. It lives on a fibre that may end at any check, so it owns nothing.
struct Issue {
  ThreadContext *thread;
  uint32_t site;
  BulkForm form;
  const BulkOperands &operands;

  BlockRun &run() const { return *thread->block->run; }

  [[noreturn]] void fail(Fault::Kind kind, uint64_t address, uint64_t bytes, const char *text,
                         Conflict other = {}) const {
    Fault fault;
    fault.kind = kind;
    fault.site = site;
    fault.address = address;
    fault.bytes = bytes;
    fault.text = text;
    fault.other = other;
    fault.isAgent = true;
    run().fail(thread, fault);
  }

  BlockContext &sharedRange(uint64_t address, uint64_t bytes, uint64_t align, bool anyBlock) const {
    BlockContext *block = anyBlock ? run().blockOf(thread, address) : thread->block;
    uint64_t offset = block ? address - block->sharedOrigin : 0;
    if (offset % align)
      fail(Fault::Misaligned, address, bytes, "shared");
    if (!block || offset > block->sharedBytes || bytes > block->sharedBytes - offset)
      fail(Fault::OutOfBounds, address, bytes, anyBlock ? "shared::cluster" : "shared");
    if (run().hasEnded(*block))
      fail(Fault::OutOfBounds, address, bytes, "shared memory of a block that has ended, at shared::cluster");
    return *block;
  }

  void globalRange(uint64_t address, uint64_t bytes, bool isWrite) const {
    const BlockSetup &setup = run().setup();
    if (bytes == 0 || setup.memory->contains(address, bytes) || setup.variables->contains(address, bytes) ||
        (!isWrite && setup.constants->contains(address, bytes)))
      return;
    fail(Fault::OutOfBounds, address, bytes, "global");
  }

  void check(Conflict conflict, uint64_t address, uint64_t bytes) const {
    if (conflict.kind == Conflict::None)
      return;
    if (conflict.kind == Conflict::Unfenced)
      fail(Fault::Asynchronous, address, bytes,
           "what a plain store has written is not made visible to an asynchronous operation by "
           "fence.proxy.async",
           conflict);
    fail(conflict.kind == Conflict::Uninitialised ? Fault::Uninitialised : Fault::Race, address, bytes, "",
         conflict);
  }

  TensorMap readMap(uint64_t address) const {
    const BlockSetup &setup = run().setup();
    auto begin = reinterpret_cast<uint64_t>(setup.parameters);
    constexpr uint64_t bytes = sizeof(EncodedTensorMap);
    bool isParameter = address >= begin && address - begin + bytes <= setup.parameterBytes;
    if (!isParameter)
      globalRange(address, bytes, false);
    if (address % alignof(EncodedTensorMap))
      fail(Fault::Misaligned, address, bytes, isParameter ? "parameter" : "global");
    if (run().isUnfencedMap(address))
      fail(Fault::Asynchronous, address, bytes,
           "a tensor map is used after tensormap.replace without fence.proxy.tensormap");
    TensorMap map;
    if (!read(reinterpret_cast<const std::byte *>(address), map))
      fail(Fault::Asynchronous, address, bytes, "the 128 bytes are not a tensor map");
    if (const char *rule = brokenRule(map))
      fail(Fault::BadOperand, address, bytes, rule);
    if (map.rank != form.rank)
      fail(Fault::BadOperand, address, bytes, "the tensor map has another rank than the instruction");
    uint32_t span = spanOf(map.swizzle);
    ElementSize size = sizeOf(map.element);
    if (map.interleave != TensorMap::Interleave::None ||
        map.swizzle == TensorMap::Swizzle::Span128Atom32Flip8 ||
        map.element >= TensorMap::Element::U4x16Align16 ||
        (span && map.box[0] * size.bytes / size.elements != span))
      fail(Fault::NotModelled, address, bytes, "");
    return map;
  }

  /// Shared memory of a box: PTX ISA 9.7.9.26.1.2, 128 bytes.
  static constexpr uint64_t boxAlign = 128;
  static constexpr uint64_t bulkAlign = 16;

  void sharedFromGlobal() const {
    if (form.rank) {
      TensorMap map = readMap(operands.from);
      TensorBox box(map, operands.coordinates);
      sharedSize(box, operands.to);
      uint64_t begin, end;
      box.range(begin, end);
      globalRange(begin, end - begin, false);
      countBox(box, false);
      toBlocks(box.bytes(), boxAlign, [box](std::byte *to, uint64_t address) { box.load(to, address); });
      return;
    }
    bulkSize();
    if (operands.from % bulkAlign)
      fail(Fault::Misaligned, operands.from, operands.bytes, "global");
    globalRange(operands.from, operands.bytes, false);
    uint64_t from = operands.from, bytes = operands.bytes;
    if (BlockCounts *counts = run().counts())
      counts->counters().globalPiece(false, from, bytes);
    toBlocks(bytes, bulkAlign, [from, bytes](std::byte *to, uint64_t) {
      std::memcpy(to, reinterpret_cast<const std::byte *>(from), bytes);
    });
  }

  /// The rows of a box are one request; multicast reads them once.
  void countBox(const TensorBox &box, bool isWrite) const {
    BlockCounts *counts = run().counts();
    if (!counts)
      return;
    bool first = true;
    box.forRows([&](uint64_t address, uint64_t bytes) {
      counts->counters().globalPiece(isWrite, address, bytes, first);
      first = false;
    });
  }

  /// A box that no shared memory holds is refused before its rows are looked at.
  void sharedSize(const TensorBox &box, uint64_t address) const {
    if (box.bytes() > thread->block->sharedBytes)
      fail(Fault::OutOfBounds, address, box.bytes(), "shared");
  }

  void bulkSize() const {
    if (operands.bytes % bulkAlign)
      fail(Fault::BadOperand, 0, 0, "the size of a bulk copy is not a multiple of 16");
  }

  template <typename Apply> void toBlocks(uint64_t bytes, uint64_t align, Apply apply) const {
    if (!form.multicast) {
      toBlock(operands.to, operands.mbarrier, bytes, align, apply);
      return;
    }
    uint32_t blocks = thread->block->clusterBlocks;
    if (operands.mask == 0 || operands.mask >> blocks)
      fail(Fault::BadOperand, 0, 0, "the mask names no block, or one that is not in the cluster");
    uint64_t low = (uint64_t(1) << clusterRankShift) - 1;
    for (uint32_t rank = 0; rank < blocks; ++rank)
      if (operands.mask >> rank & 1) {
        // The same place in each block; with a pair of blocks the signal goes to the one of the pair that the
        // mbarrier's address names (PTX ISA 9.7.9.26.1.2, ".cta_group::2").
        uint64_t signalRank = form.pair ? (rank & ~1u) | (operands.mbarrier >> clusterRankShift & 1) : rank;
        toBlock((operands.to & low) | uint64_t(rank) << clusterRankShift,
                (operands.mbarrier & low) | signalRank << clusterRankShift, bytes, align, apply);
      }
  }

  template <typename Apply>
  void toBlock(uint64_t to, uint64_t mbarrier, uint64_t bytes, uint64_t align, Apply apply) const {
    BlockContext &block = sharedRange(to, bytes, align, !form.ownBlock);
    BlockContext *signalled = run().blockOf(thread, mbarrier);
    if (signalled && signalled != &block && !form.pair)
      fail(Fault::BadOperand, 0, 0, "the mbarrier is not in the block that the copy goes to");
    BlockRun::Signal signal = run().expectSignal(thread, site, mbarrier);
    if (run().sanitizes() && bytes)
      check(run().sharedShadow().asyncWrite(thread->linear, signal.agent, signal.clock, site,
                                            run().shadowOffset(block, to), bytes),
            to, bytes);
    std::byte *place = block.shared + (to - block.sharedOrigin);
    BlockRun *owner = &run();
    uint32_t where = site;
    run().countCopy(thread, form.way == BulkForm::GlobalToShared ? bytes : 0, 0);
    if (BlockCounts *counts = run().counts())
      counts->counters().sharedPiece(true, bytes);
    AsyncOperation operation;
    operation.issuer = thread->linear;
    operation.site = site;
    operation.key = signal.key;
    operation.apply = [=] {
      apply(place, to);
      owner->signal(signal.key, where, static_cast<uint32_t>(bytes), 0);
    };
    run().operations().issue(std::move(operation));
  }

  void sharedFromShared() const {
    bulkSize();
    BlockContext &from = sharedRange(operands.from, operands.bytes, bulkAlign, false);
    uint64_t bytes = operands.bytes;
    if (form.reduction != BulkForm::None && !hasReduction(form.reduction, form.type))
      fail(Fault::NotModelled, 0, 0, "");
    if (run().sanitizes() && bytes) {
      // The source is read until the copy signals.
      BlockRun::Signal signal = run().expectSignal(thread, site, operands.mbarrier);
      check(run().sharedShadow().asyncRead(thread->linear, signal.agent, signal.clock, site,
                                           run().shadowOffset(from, operands.from), bytes),
            operands.from, bytes);
      run().forgetSignal(signal.key);
    }
    const std::byte *source = from.shared + (operands.from - from.sharedOrigin);
    BulkForm what = form;
    toBlock(operands.to, operands.mbarrier, bytes, bulkAlign, [=](std::byte *to, uint64_t) {
      if (what.reduction == BulkForm::None)
        std::memcpy(to, source, bytes);
      else
        reduceInto(to, source, bytes, what.reduction, what.type);
    });
  }

  void globalFromShared() const {
    BulkGroups &groups = run().bulkGroups(thread);
    uint64_t bytes = operands.bytes;
    BulkForm what = form;
    if (!form.rank) {
      bulkSize();
      if (operands.to % bulkAlign)
        fail(Fault::Misaligned, operands.to, bytes, "global");
      globalRange(operands.to, bytes, true);
      if (form.reduction != BulkForm::None && !hasReduction(form.reduction, form.type))
        fail(Fault::NotModelled, 0, 0, "");
      readShared(bytes, bulkAlign, groups);
      if (BlockCounts *counts = run().counts())
        counts->counters().globalPiece(true, operands.to, bytes);
      auto *to = reinterpret_cast<std::byte *>(operands.to);
      issueStore(bytes, groups, [=](const std::byte *from, uint64_t) {
        if (what.reduction == BulkForm::None)
          std::memcpy(to, from, bytes);
        else
          reduceInto(to, from, bytes, what.reduction, what.type);
      });
      return;
    }
    TensorMap map = readMap(operands.to);
    TensorBox box(map, operands.coordinates);
    sharedSize(box, operands.from);
    uint64_t begin, end;
    box.range(begin, end);
    globalRange(begin, end - begin, true);
    what.type = typeOf(map.element);
    if (form.reduction != BulkForm::None &&
        (map.element == TensorMap::Element::U8 || map.element == TensorMap::Element::U16 ||
         !hasReduction(form.reduction, what.type)))
      fail(Fault::NotModelled, 0, 0, "");
    readShared(box.bytes(), boxAlign, groups);
    countBox(box, true);
    issueStore(box.bytes(), groups, [=](const std::byte *from, uint64_t address) {
      box.store(from, address, what.reduction, what.type);
    });
  }

  static BulkForm::Type typeOf(TensorMap::Element element) {
    using E = TensorMap::Element;
    switch (element) {
    case E::I32:
      return BulkForm::S32;
    case E::U64:
      return BulkForm::U64;
    case E::I64:
      return BulkForm::S64;
    case E::F16:
      return BulkForm::F16;
    case E::BF16:
      return BulkForm::BF16;
    case E::F64:
      return BulkForm::F64;
    case E::F32:
    case E::TF32:
      return BulkForm::F32;
    case E::F32Ftz:
    case E::TF32Ftz:
      return BulkForm::F32Ftz;
    default:
      return BulkForm::U32;
    }
  }

  void readShared(uint64_t bytes, uint64_t align, BulkGroups &groups) const {
    BlockContext &block = sharedRange(operands.from, bytes, align, false);
    if (!run().sanitizes() || bytes == 0)
      return;
    if (groups.agent == Mbarrier::none)
      groups.agent = run().sharedShadow().addAgent();
    check(run().sharedShadow().asyncRead(thread->linear, groups.agent, groups.committed + 1, site,
                                         run().shadowOffset(block, operands.from), bytes),
          operands.from, bytes);
  }

  template <typename Apply> void issueStore(uint64_t bytes, BulkGroups &groups, Apply apply) const {
    const std::byte *from = thread->block->shared + (operands.from - thread->block->sharedOrigin);
    uint64_t address = operands.from;
    run().countCopy(thread, 0, bytes);
    if (BlockCounts *counts = run().counts())
      counts->counters().sharedPiece(false, bytes);
    AsyncOperation operation;
    operation.kind = AsyncOperation::Group;
    operation.issuer = thread->linear;
    operation.site = site;
    operation.key = thread->linear;
    operation.group = groups.committed + 1;
    auto copy = std::make_shared<std::vector<std::byte>>();
    operation.read = [=] { copy->assign(from, from + bytes); };
    operation.apply = [=] { apply(copy->data(), address); };
    run().operations().issue(std::move(operation));
  }
};

} // namespace

extern "C" {

static void quernBulkCopy(ThreadContext *thread, uint32_t site, uint64_t form, const BulkOperands *operands) {
  Issue issue{thread, site, std::bit_cast<BulkForm>(form), *operands};
  if (issue.form.way == BulkForm::GlobalToShared)
    issue.sharedFromGlobal();
  else if (issue.form.way == BulkForm::SharedToGlobal)
    issue.globalFromShared();
  else
    issue.sharedFromShared();
}

/// st.async and red.async: |bytes| bytes at |value| to the block of the cluster that |to| names.
static void quernStoreAsync(ThreadContext *thread, uint32_t site, uint64_t form, uint64_t to,
                            uint64_t mbarrier, uint64_t low, uint64_t high, uint32_t bytes) {
  BulkOperands operands;
  Issue issue{thread, site, std::bit_cast<BulkForm>(form), operands};
  BulkForm what = issue.form;
  issue.toBlock(to, mbarrier, bytes, bytes, [=](std::byte *place, uint64_t) {
    const uint64_t words[2] = {low, high};
    if (what.reduction == BulkForm::None)
      std::memcpy(place, words, bytes);
    else
      reduceInto(place, reinterpret_cast<const std::byte *>(words), bytes, what.reduction, what.type);
  });
}

static void quernBulkCommit(ThreadContext *thread) { ++thread->block->run->bulkGroups(thread).committed; }

static void quernBulkWait(ThreadContext *thread, uint32_t newest, bool readOnly) {
  BlockRun &run = *thread->block->run;
  BulkGroups &groups = run.bulkGroups(thread);
  if (groups.committed <= newest)
    return;
  uint32_t done = groups.committed - newest;
  run.operations().applyGroups(thread->linear, done, readOnly);
  if (groups.agent != Mbarrier::none)
    run.sharedShadow().learn(thread->linear, groups.agent, done);
}

static void quernMapReplace(ThreadContext *thread, uint32_t site, std::byte *bytes, uint32_t field,
                            uint32_t ordinal, uint64_t value) {
  BlockRun &run = *thread->block->run;
  TensorMap map;
  if (!read(bytes, map))
    run.failAt(thread, site, Fault::Asynchronous, "the 128 bytes are not a tensor map");
  auto what = static_cast<MapField>(field);
  if (ordinal >= (what == MapField::GlobalStride ? 4u : 5u))
    run.failAt(thread, site, Fault::BadOperand, "the dimension is not one of the tensor");
  using S = TensorMap::Swizzle;
  switch (what) {
  case MapField::GlobalAddress:
    map.address = value;
    break;
  case MapField::Rank:
    map.rank = static_cast<uint32_t>(value) + 1; // the field counts from zero
    break;
  case MapField::BoxDim:
    map.box[ordinal] = static_cast<uint32_t>(value);
    break;
  case MapField::GlobalDim:
    map.extents[ordinal] = value & 0xFFFFFFFF;
    break;
  case MapField::GlobalStride:
    map.strides[ordinal] = value;
    break;
  case MapField::ElementStride:
    map.elementSteps[ordinal] = static_cast<uint32_t>(value);
    break;
  case MapField::ElementType: {
    // The numbers differ from the driver's in .f32.ftz, .f64 and .bf16.
    using E = TensorMap::Element;
    static constexpr E types[] = {
        E::U8,     E::U16, E::U32,  E::I32,  E::U64,     E::I64,         E::F16,          E::F32,
        E::F32Ftz, E::F64, E::BF16, E::TF32, E::TF32Ftz, E::U4x16Align8, E::U4x16Align16, E::U6x16Align16};
    if (value >= std::size(types))
      run.failAt(thread, site, Fault::BadOperand, "the element type is unknown");
    map.element = types[value];
    break;
  }
  case MapField::InterleaveLayout:
    map.interleave = static_cast<TensorMap::Interleave>(value);
    break;
  case MapField::SwizzleMode:
    if (value > 3)
      run.failAt(thread, site, Fault::NotModelled, "");
    map.swizzle = static_cast<S>(value);
    break;
  case MapField::FillMode:
    map.fill = value ? TensorMap::Fill::NaN : TensorMap::Fill::Zero;
    break;
  case MapField::SwizzleAtomicity: {
    static constexpr S atoms[] = {S::Span128, S::Span128Atom32, S::Span128Atom32Flip8, S::Span128Atom64};
    if (value >= std::size(atoms) || (value && spanOf(map.swizzle) != 128))
      run.failAt(thread, site, Fault::BadOperand, "the swizzle has no such atoms");
    if (spanOf(map.swizzle) == 128)
      map.swizzle = atoms[value];
    break;
  }
  }
  write(map, bytes);
  run.changedMap(reinterpret_cast<uint64_t>(bytes));
}

/// tensormap.cp_fenceproxy: copies a map from shared to global memory and releases it.
static void quernMapCopy(ThreadContext *thread, std::byte *to, const std::byte *from) {
  std::memcpy(to, from, sizeof(EncodedTensorMap));
  thread->block->run->changedMap(reinterpret_cast<uint64_t>(to));
}

static void quernMapFence(ThreadContext *thread, uint64_t address) { thread->block->run->fenceMap(address); }

} // extern "C"

std::span<const DeviceCall> bulkCalls() {
#define QUERN_CALL(name)                                                                                     \
  {                                                                                                          \
    #name, reinterpret_cast<void *>(&name)                                                                   \
  }
  static const DeviceCall calls[] = {QUERN_CALL(quernBulkCopy),   QUERN_CALL(quernStoreAsync),
                                     QUERN_CALL(quernBulkCommit), QUERN_CALL(quernBulkWait),
                                     QUERN_CALL(quernMapReplace), QUERN_CALL(quernMapCopy),
                                     QUERN_CALL(quernMapFence)};
#undef QUERN_CALL
  return calls;
}

} // namespace quern::runtime::emulated::nvidia
