//===- DeviceCallsWarp.cpp - Barriers and collectives out of line ---------===//
//
// Each collective is a function over the arguments that the lanes have left; see BlockRun::collective.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/BlockRun.h"
#include "runtime/emulated/nvidia/DeviceCalls.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace quern::runtime::emulated::nvidia {

namespace {

struct LaneArguments {
  uint32_t op, a, b, c;
  uint64_t wide;
  uint32_t result;
  bool holds;
};

template <typename Visit> void forLanes(uint32_t lanes, Visit visit) {
  for (uint32_t rest = lanes; rest; rest &= rest - 1)
    visit(static_cast<uint32_t>(std::countr_zero(rest)));
}

LaneArguments &of(void *const *arguments, uint32_t lane) {
  return *static_cast<LaneArguments *>(arguments[lane]);
}

/// PTX ISA 9.7.9.6: c holds the segment mask (bits 8 to 12) and the clamp (bits 0 to 4). A source lane out of
/// range gives the lane its own value and a false predicate; a source lane that takes no part gives an
/// undefined value, here poison that is easy to see.
void shuffle(void *const *arguments, uint32_t lanes, ThreadContext *) {
  forLanes(lanes, [&](uint32_t lane) {
    LaneArguments &mine = of(arguments, lane);
    int b = static_cast<int>(mine.b & 31), clamp = static_cast<int>(mine.c & 31);
    int segment = static_cast<int>(mine.c >> 8 & 31), self = static_cast<int>(lane);
    int highest = (self & segment) | (clamp & ~segment), lowest = self & segment, source = 0;
    bool inRange = false;
    switch (static_cast<ShuffleMode>(mine.op)) {
    case ShuffleMode::Up:
      source = self - b;
      inRange = source >= highest;
      break;
    case ShuffleMode::Down:
      source = self + b;
      inRange = source <= highest;
      break;
    case ShuffleMode::Butterfly:
      source = self ^ b;
      inRange = source <= highest;
      break;
    case ShuffleMode::Index:
      source = lowest | (b & ~segment);
      inRange = source <= highest;
      break;
    }
    if (!inRange)
      source = self;
    mine.holds = inRange;
    mine.result = lanes >> source & 1 ? of(arguments, static_cast<uint32_t>(source)).a : 0xCBCBCBCBu;
  });
}

void vote(void *const *arguments, uint32_t lanes, ThreadContext *) {
  uint32_t holding = 0;
  forLanes(lanes,
           [&](uint32_t lane) { holding |= static_cast<uint32_t>(of(arguments, lane).a != 0) << lane; });
  forLanes(lanes, [&](uint32_t lane) {
    LaneArguments &mine = of(arguments, lane);
    switch (static_cast<VoteMode>(mine.op)) {
    case VoteMode::All:
      mine.result = holding == lanes;
      break;
    case VoteMode::Any:
      mine.result = holding != 0;
      break;
    case VoteMode::Uniform:
      mine.result = holding == lanes || holding == 0;
      break;
    case VoteMode::Ballot:
      mine.result = holding;
      break;
    }
  });
}

void match(void *const *arguments, uint32_t lanes, ThreadContext *) {
  forLanes(lanes, [&](uint32_t lane) {
    LaneArguments &mine = of(arguments, lane);
    uint32_t equal = 0;
    forLanes(lanes, [&](uint32_t other) {
      equal |= static_cast<uint32_t>(of(arguments, other).wide == mine.wide) << other;
    });
    bool isAll = mine.op != 0;
    mine.holds = equal == lanes;
    mine.result = !isAll || mine.holds ? equal : 0;
  });
}

/// min and max of f32: NaN is passed over unless .NaN asks for it; all NaN gives the canonical NaN; -0 < +0.
uint32_t reduceFloat(void *const *arguments, uint32_t lanes, bool isMin, bool isAbsolute, bool takesNan) {
  bool any = false, sawNan = false;
  float best = 0;
  forLanes(lanes, [&](uint32_t lane) {
    float value = std::bit_cast<float>(of(arguments, lane).a);
    if (isAbsolute)
      value = std::fabs(value);
    if (std::isnan(value)) {
      sawNan = true;
      return;
    }
    bool less = value < best || (value == best && std::signbit(value) && !std::signbit(best));
    bool greater = value > best || (value == best && !std::signbit(value) && std::signbit(best));
    if (!any || (isMin ? less : greater))
      best = value;
    any = true;
  });
  return !any || (sawNan && takesNan) ? 0x7FFFFFFF : std::bit_cast<uint32_t>(best);
}

void redux(void *const *arguments, uint32_t lanes, ThreadContext *) {
  uint32_t first = static_cast<uint32_t>(std::countr_zero(lanes)), flags = of(arguments, first).op;
  auto op = static_cast<ReduxOp>(flags & 0xFF);
  uint32_t result = of(arguments, first).a;
  if (op == ReduxOp::MinFloat || op == ReduxOp::MaxFloat) {
    result = reduceFloat(arguments, lanes, op == ReduxOp::MinFloat, flags & 0x100, flags & 0x200);
  } else {
    forLanes(lanes & (lanes - 1), [&](uint32_t lane) {
      uint32_t value = of(arguments, lane).a;
      auto less = static_cast<int32_t>(value) < static_cast<int32_t>(result);
      switch (op) {
      case ReduxOp::Add:
        result += value;
        break;
      case ReduxOp::MinSigned:
        result = less ? value : result;
        break;
      case ReduxOp::MaxSigned:
        result = less ? result : value;
        break;
      case ReduxOp::MinUnsigned:
        result = std::min(result, value);
        break;
      case ReduxOp::MaxUnsigned:
        result = std::max(result, value);
        break;
      case ReduxOp::And:
        result &= value;
        break;
      case ReduxOp::Or:
        result |= value;
        break;
      default:
        result ^= value;
      }
    });
  }
  forLanes(lanes, [&](uint32_t lane) { of(arguments, lane).result = result; });
}

void elect(void *const *arguments, uint32_t lanes, ThreadContext *) {
  uint32_t leader = static_cast<uint32_t>(std::countr_zero(lanes));
  forLanes(lanes, [&](uint32_t lane) {
    of(arguments, lane).result = leader;
    of(arguments, lane).holds = lane == leader;
  });
}

uint64_t both(const LaneArguments &arguments) { return uint64_t(arguments.holds) << 32 | arguments.result; }

} // namespace

extern "C" {

static uint64_t quernShuffle(ThreadContext *thread, uint32_t site, uint32_t mode, uint32_t a, uint32_t b,
                             uint32_t c, uint32_t mask) {
  LaneArguments arguments{mode, a, b, c, 0, 0, false};
  thread->block->run->collective(thread, site, mask, shuffle, &arguments);
  return both(arguments);
}

static uint32_t quernVote(ThreadContext *thread, uint32_t site, uint32_t mode, uint32_t predicate,
                          uint32_t mask) {
  LaneArguments arguments{mode, predicate, 0, 0, 0, 0, false};
  thread->block->run->collective(thread, site, mask, vote, &arguments);
  return arguments.result;
}

static uint64_t quernMatch(ThreadContext *thread, uint32_t site, bool isAll, uint64_t value, uint32_t mask) {
  LaneArguments arguments{isAll, 0, 0, 0, value, 0, false};
  thread->block->run->collective(thread, site, mask, match, &arguments);
  return both(arguments);
}

static uint32_t quernRedux(ThreadContext *thread, uint32_t site, uint32_t op, uint32_t value, uint32_t mask) {
  LaneArguments arguments{op, value, 0, 0, 0, 0, false};
  thread->block->run->collective(thread, site, mask, redux, &arguments);
  return arguments.result;
}

static uint64_t quernElect(ThreadContext *thread, uint32_t site, uint32_t mask) {
  LaneArguments arguments{0, 0, 0, 0, 0, 0, false};
  thread->block->run->collective(thread, site, mask, elect, &arguments);
  return both(arguments);
}

static uint32_t quernActiveMask(ThreadContext *thread, uint32_t site) {
  return thread->block->run->activeMask(thread, site);
}

static void quernWarpBarrier(ThreadContext *thread, uint32_t site, uint32_t mask) {
  thread->block->run->warpBarrier(thread, site, mask);
}

static uint32_t quernBarrier(ThreadContext *thread, uint32_t site, uint32_t id, uint32_t count,
                             uint32_t flags, uint32_t predicate) {
  uint32_t value = predicate;
  thread->block->run->barrier(thread, site, id, count, static_cast<BlockRun::BarrierOp>(flags & 0xFF),
                              flags & 0x100, value);
  return value;
}

static void quernTick(ThreadContext *thread, uint32_t site, uint64_t steps) {
  thread->block->run->tick(thread, site, steps);
}

static void quernExit(ThreadContext *thread) { thread->block->run->exit(thread); }

} // extern "C"

std::span<const DeviceCall> warpCalls() {
#define QUERN_CALL(name)                                                                                     \
  {                                                                                                          \
    #name, reinterpret_cast<void *>(&name)                                                                   \
  }
  static const DeviceCall calls[] = {QUERN_CALL(quernShuffle), QUERN_CALL(quernVote),
                                     QUERN_CALL(quernMatch),   QUERN_CALL(quernRedux),
                                     QUERN_CALL(quernElect),   QUERN_CALL(quernActiveMask),
                                     QUERN_CALL(quernBarrier), QUERN_CALL(quernWarpBarrier),
                                     QUERN_CALL(quernTick),    QUERN_CALL(quernExit)};
#undef QUERN_CALL
  return calls;
}

} // namespace quern::runtime::emulated::nvidia
