//===- CostModel.h - How long will it take? -------------------------------===//
//
// An analytical estimate of a product under a legal Schedule, from facts of the card: microseconds to
// compute, no measurement. It exists to choose a default among thousands of Schedules and to explain the
// choice: the estimate keeps every term, and the largest one is the bound.
//
// A block walks over its tiles; a tile is k steps. One step takes, in clocks of a unit,
//
//     math      multiply-adds of the padded tile / rate of the atom
//     shared    (bytes the copies write + bytes the fragments read) / bytes a clock
//     issue     instructions / schedulers
//     l2        bytes the copies request, of all units at once / bytes a clock of the cache
//     memory    bytes that one wave of tiles asks for the first time / bytes a clock of memory
//     latency   (one trip to memory + the step itself) / slots of the ring
//
// and the step is the largest of them plus what is exposed: promotion and conversion on the ordinary pipes
// that no partner hides, and barriers. Waves of tiles, the filling of the ring, the epilogue, the sum over
// slices and the launch are added; nothing is faster than moving the unique bytes once.
//
//     128x128 tile of 8-bit elements, step of 128, two computing groups on one family of cards:
//     math 128*128*128/4096 = 512, shared (33280 + 128*(128+2*128))/128 = 644: bound by shared memory
//
// The constants were set by hand, not fitted to shapes; `CostFacts` names each. On the published figures of a
// tuned block-scaled kernel the estimate is within 11 % for 4096 rows, and up to 37 % slow for 64 rows, where
// their loop may find the weights in the cache. How well it ranks Schedules of one shape is for measurements
// to say.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_DIALECTS_TILE_COSTMODEL_H
#define QUERN_DIALECTS_TILE_COSTMODEL_H

#include "dialects/tile/Legality.h"

#include <functional>

namespace quern::tile {

/// What the model knows of a card. Clocks are those of a unit under load.
struct CostFacts {
  double clockHz = 0;
  double units = 1;
  double sharedBytesPerClock = 0;              ///< of one unit
  double l2BytesPerClock = 0;                  ///< of all units together
  double memoryBytesPerClock = 0;              ///< of the card; 0: not known, never the bound
  double l2Bytes = 0;                          ///< that blocks anywhere can share
  double l2Latency = 300, memoryLatency = 800; ///< clocks
  double ordinaryLanes = 128;                  ///< multiply-adds of the ordinary pipes a clock
  double conversionsPerClock = 64;             ///< 8-bit to 16-bit floats
  double schedulers = 4;                       ///< instructions a clock
  double exposedPerStep = 80; ///< clocks of barriers and address arithmetic that nothing hides
  double overlap = 0.9; ///< of math and operand reads, where the same warps do both and read a step ahead
  double overlapWithoutPrefetch = 0.75; ///< where they read what they are about to multiply
  double chainLatency = 5;              ///< of dependent multiply-adds of a CPU, clocks
  double launchSeconds = 3.5e-6;
};
CostFacts costFacts(const Machine &machine);

struct CostEstimate {
  double seconds = 0;
  double floorSeconds = 0; ///< unique bytes and multiply-adds at the card's best
  // Of one step of a block, clocks.
  double math = 0, shared = 0, issue = 0, l2 = 0, memory = 0, latency = 0, exposed = 0, step = 0;
  // Of a tile, clocks.
  double fill = 0, epilogue = 0, reduction = 0;
  double waves = 0;
  /// The largest term of a step: "math", "shared", "issue", "l2", "memory" or "latency".
  std::string_view bound() const;
  double tflops(const GemmProblem &problem) const;
  double bytesPerSecond(const GemmProblem &problem) const;
};

/// |resources| are those of `checkSchedule` for the same arguments.
CostEstimate estimate(const Schedule &schedule, const GemmProblem &problem, const Resources &resources,
                      const CostFacts &facts);

/// Bytes of A, B, scales and C, each once.
double uniqueBytes(const GemmProblem &problem);

/// Tiles that share a row group in the order of the tiles, so that one wave of |units| tiles touches the
/// fewest rows and columns: 8 or 16 along m.
int32_t rasterGroup(int32_t bm, int32_t bn, int64_t tilesM, int64_t units);

/// The Schedule with the smallest estimate of the space for |kernel|; within 2 % fewer registers, then fewer
/// bytes of shared memory, then the smaller tile, then the order of the texts. Only those that |supported|
/// accepts, if it is given. E-SCHEDULE-NONE (Exit::Unsupported) where nothing is legal; the cause counts the
/// refusals by resource.
Expected<Schedule> defaultGemmSchedule(const std::string &kernel, const GemmProblem &problem,
                                       const Machine &machine,
                                       const std::function<bool(const Schedule &)> &supported = {});

} // namespace quern::tile

#endif // QUERN_DIALECTS_TILE_COSTMODEL_H
