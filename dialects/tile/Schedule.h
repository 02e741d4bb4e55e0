//===- Schedule.h - Every decision that tuning may change -----------------===//
//
// A Schedule is one point of a kernel's space: plain data with a canonical one-line text form that the tuner,
// the database, the artifact and the tests share.
//
//   linear{tile=4x16x128 warps=4}
//   gemm{tile=128x160x128 mma=wgmma.m64n160k32.e4m3 groups=2 strategy=roles copy.a=tensor copy.b=tensor
//        cluster=2x1 persist=static raster=m8 epilogue=64:tensor:2}            (one line)
//
// Grammar. Fields stand in the order of the list below; one at its default is not printed; an unknown one, or
// one given twice, is an error. Spaces separate fields.
//
// clang-format off
//   schedule := kernel "{" [field {" " field}] "}"
//   tile=SIZES              block tile, one size per name in the kernel's `tile` list; for products MxNxK
//   mma=NAME                matrix atom; absent: ordinary multiply-adds
//   warps=N | warps=MxN[xK] warps of a math group; as a grid: over the rows, the columns and (K) slices of the
//                           reduction dimension of the tile, in units of the atom's issuer. Powers of two
//   groups=1..3             math groups, each with the whole grid of warps
//   strategy=inline         every warp copies and computes: one ring, one barrier a step
//           |roles          some warps only copy, the others only compute
//           |phasesN        two halves of the block run N memory/math clusters, offset by one
//           |interleave     one warp a scheduler, copies between matrix instructions
//   contraction=dot|outer   where no atom is used: the contraction runs over lanes or over registers
//   stages=1..16            depth of the rings; absent: as many as fit
//   mma_in_flight=0..2      groups of matrix instructions left running across steps
//   frag_prefetch=0..2      steps of k whose fragments are read ahead
//   accum_stages=1|2        accumulators in flight
//   pair=rows|cols|seesaw   the dimension of the output that groups divide; seesaw: crossed operands
//   copy.X=tensor           how operand X arrives: by descriptor
//         |async|direct     asynchronously per lane | by the load unit straight into shared memory
//         |staged|register  through registers | it stays in registers and never passes shared memory
//                           Absent: the first of these that target and operand allow
//   cluster=MxN             blocks that share copies, along the rows and the columns of the output
//   swap=on                 operands exchanged, result transposed: the weights become the rows
//   transpose_scores=on     attention: the transposed score tile
//   split=N:REDUCTION       slices of the reduction dimension; last_block | cluster | separate adds them up
//   persist=static|dynamic  one block a unit that loops over tiles: dealt in order | taken when free
//   raster=AN               order of the tiles: groups of N tiles along axis A (m or n), the faster one inside
//   dies=NxC                blocks are dealt to N dies in chunks of C neighbours
//   order=longest|stream_k  of the work, if not linear: longest first | equal shares of the steps of all tiles
//        |grouped           groups whose sizes are read on the device
//   epilogue=C:PATH[:D]     C columns at a time, stored direct | shared (through it) | tensor (copy); D deep
//   unroll=N                steps of k in one loop body
//   regs=P:M                registers of a lane of copying and of computing warps
//   occupancy=N             blocks (warps a scheduler where registers bound it) to leave registers for
//   rescale=N               attention: rescale only when the maximum grew by more than N; 0 is each time
//   hint.X=stream|keep      operand X: read once | read again soon
//   deterministic=off       sums may be added in the order of arrival
// clang-format on
//
// A Schedule says nothing about legality: see `Legality.h`. What a strategy does not use, it ignores.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_DIALECTS_TILE_SCHEDULE_H
#define QUERN_DIALECTS_TILE_SCHEDULE_H

#include "support/Status.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace quern::tile {

/// How the body of a kernel is mapped to the warps of a block.
enum class Strategy : uint8_t { Inline, Roles, Phases, Interleave };

/// How `tile.mma` is computed where no matrix atom is used. `Dot`: the contraction runs over lanes and is
/// summed across them at the end (few rows). `Outer`: it runs over registers (many rows and columns).
enum class Contraction : uint8_t { Dot, Outer };

enum class Pair : uint8_t { None, Rows, Cols, Seesaw };
enum class CopyMode : uint8_t { Tensor, Async, Direct, Staged, Register };
enum class Reduction : uint8_t { None, LastBlock, Cluster, Separate };
enum class Persistence : uint8_t { Off, Static, Dynamic };
enum class RasterAxis : uint8_t { M, N };
enum class WorkOrder : uint8_t { Linear, Longest, StreamK, Grouped };
enum class StorePath : uint8_t { Direct, Shared, Tensor };
enum class CacheHint : uint8_t { Stream, Keep };

struct Schedule {
  std::string kernel;        ///< name of the kernel text
  std::vector<int32_t> tile; ///< block tile, one entry per name in the kernel's `tile` list
  int32_t warps = 1; ///< warps of a math group; a power of two. The product of `warpGrid` if that is set
  Strategy strategy = Strategy::Inline;
  Contraction contraction = Contraction::Dot;

  std::string mma = {};               ///< name of an atom of the target; empty: none
  std::vector<int32_t> warpGrid = {}; ///< M, N and K; empty: the lowering decides
  int32_t groups = 1;
  int32_t phases = 0; ///< clusters of `Strategy::Phases`
  int32_t stages = 0; ///< 0: as many as fit
  int32_t mmaInFlight = 0;
  int32_t fragPrefetch = 0;
  int32_t accumStages = 1;
  Pair pair = Pair::None;
  std::map<std::string, CopyMode> copies = {}; ///< by operand; absent: the lowering decides
  int32_t clusterM = 1, clusterN = 1;
  bool swap = false;
  bool transposeScores = false;
  int32_t split = 1;
  Reduction reduction = Reduction::None; ///< other than None if and only if split > 1
  Persistence persist = Persistence::Off;
  RasterAxis rasterAxis = RasterAxis::M;
  int32_t rasterGroup = 1;
  int32_t dies = 1, dieChunk = 1;
  WorkOrder order = WorkOrder::Linear;
  int32_t epilogueColumns = 0; ///< 0: the whole tile at once
  StorePath store = StorePath::Direct;
  int32_t epilogueDepth = 1;
  int32_t unroll = 1;
  int32_t producerRegisters = 0, mathRegisters = 0; ///< 0: divided evenly
  int32_t occupancy = 0;                            ///< 0: no bound
  int32_t rescale = 0;
  std::map<std::string, CacheHint> hints = {};
  bool deterministic = true;

  std::string str() const;
  /// E-SCHEDULE-SYNTAX (exit 2) naming the field and what was read.
  static Expected<Schedule> parse(std::string_view text);

  bool operator==(const Schedule &) const = default;
};

} // namespace quern::tile

#endif // QUERN_DIALECTS_TILE_SCHEDULE_H
