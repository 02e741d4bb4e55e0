//===- DeviceCallsAsyncMatrix.cpp - wgmma out of line ---------------------===//
//
// PTX ISA 9.7.15. The product of a k step is summed in double together with the old accumulator and rounded
// once. What the hardware does inside is not documented: measurements of others show that fp8 products of
// sm_90 keep about 14 bits while they are added up, so results of fp8 kernels are compared with a tolerance.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/Arithmetic.h"
#include "runtime/emulated/nvidia/AsyncMatrix.h"
#include "runtime/emulated/nvidia/DeviceCalls.h"

#include <bit>
#include <cmath>
#include <cstring>

namespace quern::runtime::emulated::nvidia {

namespace {

constexpr uint32_t warpRows = 16, maxDepth = 32, maxColumns = 256;

struct LaneArguments {
  uint64_t form, descriptorA, descriptorB;
  bool keep; ///< scale-d
  const AsyncRegister *d, *a;
  uint32_t site;
};

uint64_t groupKey(uint32_t runWarp) { return uint64_t(1) << 32 | runWarp; }

/// One warp's share of one wgmma, with what it needs to be done later.
struct Product {
  WarpgroupForm form;
  MatrixOperand a, b;
  uint32_t firstRow = 0; ///< of the warp in its warpgroup
  bool keep = false;
  const std::byte *shared = nullptr;
  const AsyncRegister *d[warpSize], *ra[warpSize];

  uint32_t registersOfD() const { return form.d == WarpgroupForm::F16 ? form.n / 4u : form.n / 2u; }
  static constexpr uint32_t registersOfA = 4;

  void apply() const;
};

/// 9.7.15.5.1.1, "Register fragments": a lane holds rows lane/4 and lane/4 + 8; within a register the
/// elements go along k, register 1 is 8 rows on, registers 2 and 3 the second half of k.
void loadRegisters(const Product &product, double *a) {
  uint32_t inWord = chunkElements(product.form.a) / 4;
  for (uint32_t lane = 0; lane < warpSize; ++lane)
    for (uint32_t r = 0; r < Product::registersOfA; ++r) {
      double values[4];
      decodeWord(product.form.a, *product.ra[lane][r].value, values);
      uint32_t row = lane / 4 + r % 2 * 8, k = r / 2 * 4 * inWord + lane % 4 * inWord;
      for (uint32_t i = 0; i < inWord; ++i)
        a[row * product.form.k + k + i] = values[i];
    }
}

void Product::apply() const {
  double left[warpRows * maxDepth], sums[maxColumns];
  static thread_local std::vector<double> right;
  uint32_t n = form.n, k = form.k;
  right.resize(size_t(maxDepth) * maxColumns);
  b.load(shared, 0, n, k, right.data(), 1, n);
  if (form.flags & WarpgroupForm::RegistersA)
    loadRegisters(*this, left);
  else
    a.load(shared, firstRow, firstRow + warpRows, k, left, k, 1);
  double sign =
      bool(form.flags & WarpgroupForm::NegateA) != bool(form.flags & WarpgroupForm::NegateB) ? -1 : 1;
  for (double &value : left)
    value *= sign;
  for (uint32_t row = 0; row < warpRows; ++row) {
    // 9.7.15.5.1.1, "Accumulator": lane 4 * (row % 8) + column % 8 / 2; row 8 and up in the second pair.
    auto each = [&](auto visit) {
      for (uint32_t column = 0; column < n; ++column) {
        uint32_t lane = row % 8 * 4 + column % 8 / 2, index = column / 8 * 4 + row / 8 * 2 + column % 2;
        visit(lane, index, sums[column]);
      }
    };
    auto half = [&](uint32_t lane, uint32_t index) {
      return reinterpret_cast<uint16_t *>(d[lane][index / 2].value) + index % 2;
    };
    std::memset(sums, 0, sizeof(double) * n);
    if (keep)
      each([&](uint32_t lane, uint32_t index, double &sum) {
        if (form.d == WarpgroupForm::F32)
          sum = std::bit_cast<float>(*d[lane][index].value);
        else if (form.d == WarpgroupForm::F16)
          sum = decode(*half(lane, index), formatF16);
        else
          sum = static_cast<int32_t>(*d[lane][index].value);
      });
    accumulateRow(left + row * k, right.data(), n, k, sums);
    each([&](uint32_t lane, uint32_t index, double &sum) {
      if (form.d == WarpgroupForm::F32) {
        auto value = static_cast<float>(sum);
        *d[lane][index].value = std::isnan(value) ? 0x7FFFFFFF : std::bit_cast<uint32_t>(value);
      } else if (form.d == WarpgroupForm::F16) {
        *half(lane, index) = static_cast<uint16_t>(encode(sum, formatF16, RoundingMode::Nearest, false));
      } else {
        auto wide = static_cast<int64_t>(sum);
        if (form.flags & WarpgroupForm::Saturate)
          wide = std::clamp<int64_t>(wide, INT32_MIN, INT32_MAX);
        *d[lane][index].value = static_cast<uint32_t>(wide);
      }
    });
  }
}

/// Bounds, races and reads of what nothing has written, of one operand in shared memory.
void checkOperand(BlockRun &run, ThreadContext *thread, uint32_t site, const MatrixOperand &operand,
                  uint32_t from, uint32_t to, uint32_t depth, uint32_t agent, uint32_t group) {
  BlockContext &block = *thread->block;
  constexpr uint32_t chunk = 16;
  Fault fault;
  fault.site = site;
  fault.isAgent = true;
  fault.bytes = chunk;
  fault.text = "shared";
  operand.forChunks(from, to, depth, [&](uint32_t, uint32_t, uint64_t offset) {
    fault.address = offset;
    if (offset + chunk > block.sharedBytes) {
      fault.kind = Fault::OutOfBounds;
      run.fail(thread, fault);
    }
    if (!run.sanitizes())
      return;
    Conflict conflict = run.sharedShadow().asyncRead(
        thread->linear, agent, group, site, run.shadowOffset(block, block.sharedOrigin + offset), chunk);
    if (conflict.kind == Conflict::None)
      return;
    fault.other = conflict;
    fault.kind = conflict.kind == Conflict::Uninitialised ? Fault::Uninitialised
                 : conflict.kind == Conflict::Unfenced    ? Fault::Asynchronous
                                                          : Fault::Race;
    if (conflict.kind == Conflict::Unfenced)
      fault.text =
          "what a plain store has written is not made visible to a matrix operation by fence.proxy.async";
    run.fail(thread, fault);
  });
}

void multiply(void *const *arguments, uint32_t lanes, ThreadContext *warpThreads) {
  auto &first = *static_cast<LaneArguments *>(arguments[0]);
  ThreadContext *leader = warpThreads;
  BlockRun &run = *leader->block->run;
  uint32_t site = first.site;
  if (lanes != ~0u)
    run.failAt(leader, site, Fault::Divergence, "not all threads of the warp execute the matrix operation");
  AsyncMatrix::Warp &warp = run.asyncMatrix().warp(leader);
  Product product;
  product.form = std::bit_cast<WarpgroupForm>(first.form);
  product.firstRow = leader->warp % 4 * warpRows;
  product.keep = first.keep;
  product.shared = leader->block->shared;
  product.a.type = product.form.a;
  product.b.type = product.form.b;
  product.a.mnMajor = product.form.flags & WarpgroupForm::TransposeA;
  product.b.mnMajor = product.form.flags & WarpgroupForm::TransposeB;
  bool usesRegisters = product.form.flags & WarpgroupForm::RegistersA;
  if (!product.b.readWarpgroup(first.descriptorB) ||
      (!usesRegisters && !product.a.readWarpgroup(first.descriptorA)))
    run.failAt(leader, site, Fault::NotModelled, "");
  bool sanitize = run.setup().options->sanitize;
  for (uint32_t lane = 0; lane < warpSize; ++lane) {
    auto &mine = *static_cast<LaneArguments *>(arguments[lane]);
    product.d[lane] = mine.d;
    product.ra[lane] = mine.a;
    if (mine.descriptorB != first.descriptorB || mine.keep != first.keep ||
        (!usesRegisters && mine.descriptorA != first.descriptorA))
      run.failAt(warpThreads + lane, site, Fault::Divergence,
                 "the threads of a warp give a matrix operation different descriptors");
    if (!sanitize)
      continue;
    for (uint32_t i = 0; i < product.registersOfD(); ++i)
      if (*mine.d[i].state == RegisterTouched)
        run.failAt(warpThreads + lane, site, Fault::Asynchronous,
                   "an accumulator register has been used since the last wgmma.fence");
    for (uint32_t i = 0; usesRegisters && i < Product::registersOfA; ++i)
      if (*mine.a[i].state == RegisterTouched)
        run.failAt(warpThreads + lane, site, Fault::Asynchronous,
                   "a register of the matrix has been used since the last wgmma.fence");
  }
  uint32_t &agent = run.asyncMatrix().warpgroup(leader).agent;
  if (run.sanitizes() && agent == Mbarrier::none)
    agent = run.sharedShadow().addAgent();
  checkOperand(run, leader, site, product.b, 0, product.form.n, product.form.k, agent, warp.committed + 1);
  if (!usesRegisters)
    checkOperand(run, leader, site, product.a, product.firstRow, product.firstRow + warpRows, product.form.k,
                 agent, warp.committed + 1);
  auto fly = [&](const AsyncRegister *const *registers, uint32_t count) {
    AsyncMatrix::Warp::Flight flight{warp.committed + 1, count, {}};
    for (uint32_t lane = 0; lane < warpSize; ++lane) {
      flight.lanes[lane] = registers[lane];
      for (uint32_t i = 0; i < count; ++i)
        *registers[lane][i].state = RegisterInFlight;
    }
    warp.flights.push_back(flight);
  };
  fly(product.d, product.registersOfD());
  if (usesRegisters)
    fly(product.ra, Product::registersOfA);
  AsyncOperation operation;
  operation.kind = AsyncOperation::Group;
  operation.issuer = leader->linear;
  operation.site = site;
  operation.key = groupKey(leader->runWarp);
  operation.group = warp.committed + 1;
  operation.apply = [product] { product.apply(); };
  run.operations().issue(std::move(operation));
}

void commit(void *const *, uint32_t, ThreadContext *warpThreads) {
  BlockRun &run = *warpThreads->block->run;
  AsyncMatrix &matrices = run.asyncMatrix();
  ++matrices.warp(warpThreads).committed;
  // Those who wait look again.
  AsyncMatrix::Warpgroup &group = matrices.warpgroup(warpThreads);
  for (uint32_t thread : group.waiting)
    run.resume(thread);
  group.waiting.clear();
}

void wait(void *const *arguments, uint32_t lanes, ThreadContext *warpThreads) {
  uint32_t open = *static_cast<uint32_t *>(arguments[std::countr_zero(lanes)]);
  BlockRun &run = *warpThreads->block->run;
  AsyncMatrix &matrices = run.asyncMatrix();
  AsyncMatrix::Warp &warp = matrices.warp(warpThreads);
  uint32_t done = warp.committed > open ? warp.committed - open : 0;
  uint32_t first = AsyncMatrix::firstWarp(warpThreads);
  for (uint32_t i = 0; i < AsyncMatrix::groupWarps; ++i)
    run.operations().applyGroups(groupKey(first + i), done);
  auto mark = [](const AsyncMatrix::Warp::Flight &flight, uint8_t state) {
    for (const AsyncRegister *lane : flight.lanes)
      for (uint32_t i = 0; i < flight.count; ++i)
        *lane[i].state = state;
  };
  size_t kept = 0;
  for (const AsyncMatrix::Warp::Flight &flight : warp.flights)
    if (flight.group <= done)
      mark(flight, RegisterClean);
    else
      warp.flights[kept++] = flight;
  warp.flights.resize(kept);
  // A register that a later operation uses too is still in flight.
  for (const AsyncMatrix::Warp::Flight &flight : warp.flights)
    mark(flight, RegisterInFlight);
  if (uint32_t agent = matrices.warpgroup(warpThreads).agent; agent != Mbarrier::none)
    for (uint32_t lane = 0; lane < warpSize; ++lane)
      if (lanes >> lane & 1)
        run.sharedShadow().learn(warpThreads[lane].linear, agent, done);
}

} // namespace

extern "C" {

static void quernWarpgroupMultiply(ThreadContext *thread, uint32_t site, uint64_t form, uint64_t a,
                                   uint64_t b, bool keep, const AsyncRegister *d,
                                   const AsyncRegister *registersOfA) {
  LaneArguments arguments{form, a, b, keep, d, registersOfA, site};
  thread->block->run->collective(thread, site, ~0u, multiply, &arguments);
}

static void quernWarpgroupCommit(ThreadContext *thread, uint32_t site) {
  thread->block->run->collective(thread, site, ~0u, commit, nullptr);
}

static void quernWarpgroupWait(ThreadContext *thread, uint32_t site, uint32_t open) {
  BlockRun &run = *thread->block->run;
  AsyncMatrix &matrices = run.asyncMatrix();
  uint32_t committed = matrices.warp(thread).committed;
  while (committed > open && matrices.committedByAll(thread) < committed - open) {
    matrices.warpgroup(thread).waiting.push_back(thread->linear);
    run.standStill(thread, site);
  }
  thread->block->run->collective(thread, site, ~0u, wait, &open);
}

/// wgmma.fence: what was touched before is in order with what comes.
static void quernWarpgroupFence(uint8_t *states, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i)
    if (states[i] == RegisterTouched)
      states[i] = RegisterClean;
}

static void quernRegisterInFlight(ThreadContext *thread, uint32_t site) {
  thread->block->run->failAt(
      thread, site, Fault::Asynchronous,
      "a register is used while an asynchronous operation may still read or write it: a "
      "wait is missing");
}

/// A function ends: nothing may still write to its registers.
static void quernAsyncLeave(ThreadContext *thread, uint32_t site, const uint8_t *states, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i)
    if (states[i] == RegisterInFlight)
      quernRegisterInFlight(thread, site);
}

} // extern "C"

std::span<const DeviceCall> asyncMatrixCalls() {
#define QUERN_CALL(name)                                                                                     \
  {                                                                                                          \
    #name, reinterpret_cast<void *>(&name)                                                                   \
  }
  static const DeviceCall calls[] = {QUERN_CALL(quernWarpgroupMultiply), QUERN_CALL(quernWarpgroupCommit),
                                     QUERN_CALL(quernWarpgroupWait),     QUERN_CALL(quernWarpgroupFence),
                                     QUERN_CALL(quernRegisterInFlight),  QUERN_CALL(quernAsyncLeave)};
#undef QUERN_CALL
  return calls;
}

} // namespace quern::runtime::emulated::nvidia
