//===- Legality.h - Can this Schedule run? --------------------------------===//
//
// Before any code is made, a Schedule for a product is held against what the target physically has: bytes of
// shared memory, registers of a lane, columns of accumulator memory, threads, barriers that can be counted,
// whole numbers of atoms. Each refusal names the resource and both numbers, so that a rejected point of the
// space explains itself:
//
//     shared memory: 4 stages of 50176 bytes, 65536 of output staging, 512 of scales and 256 of barriers need
//     267008 bytes, a block can take 232448
//
// What passes is also measured: `Resources` holds the stage count that fits, the bytes of each part, the
// registers and the blocks of a unit, for the cost model and for reports.
//
// The register number is a model (sums of live fragments and a constant for addresses), the others are exact.
// A Schedule that passes may still spill; that is recorded by whoever assembles it and is never fatal.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_DIALECTS_TILE_LEGALITY_H
#define QUERN_DIALECTS_TILE_LEGALITY_H

#include "dialects/tile/MmaTile.h"
#include "dialects/tile/Schedule.h"

#include <map>

namespace quern::tile {

/// C[M,N] = A[M,K] * B[N,K], B being the weights, each group with its own B.
struct GemmProblem {
  int64_t m = 1, n = 1, k = 1; ///< m: rows of all groups together
  int64_t groups = 1;
  ElementType a = ElementType::BF16, b = ElementType::BF16; ///< as stored
  ElementType math = ElementType::BF16;                     ///< what the atom multiplies
  ElementType out = ElementType::BF16;
  /// Elements of k that share an f32 scale of A (one row) and of B (|scaleN| rows); 0: no block scales.
  int32_t scaleK = 0, scaleN = 128;
  bool hardwareScales = false; ///< the scales are powers of two and the atom applies them
  bool gather = false;         ///< rows of A are picked by an index

  bool softwareScales() const { return scaleK && !hardwareScales; }
};

/// A target and the card whose numbers are planned for.
struct Machine {
  const TargetInfo *target = nullptr;
  const CardInfo *card = nullptr; ///< null for a CPU
  int64_t units = 1;

  int64_t sharedPerBlock() const;   ///< bytes
  int64_t sharedPerUnit() const;    ///< bytes
  int64_t registersPerUnit() const; ///< 32-bit registers of all lanes
};
/// With the card that stands for |target|, and all of its units (of a CPU: one).
Machine machineOf(const TargetInfo &target);

enum class Resource : uint8_t {
  Atom,              ///< the target has no such matrix instruction, or not for these types
  Tile,              ///< not a whole number of atoms on the grid of warps
  Threads,           ///< more than a block may have
  SharedMemory,      ///< bytes of a block
  Registers,         ///< of a lane, or of a unit by roles
  AccumulatorMemory, ///< columns
  Ring,              ///< too few or too many slots for what is in flight
  Copy,              ///< no such way for an operand
  Cluster,           ///< blocks that share
  Split,             ///< of the reduction dimension
  Scales,            ///< block scales against the tile
  CodeSize,          ///< instructions of a loop body
  Strategy,          ///< the target cannot run it
};
inline constexpr unsigned numResources = unsigned(Resource::Strategy) + 1;
/// "shared memory", "registers", ...
std::string_view resourceName(Resource resource);

struct Refusal {
  Resource resource;
  std::string reason; ///< with the numbers; lower case, without the resource's name
  /// "shared memory: REASON".
  std::string message() const;
};

/// What a block takes. Bytes, unless said otherwise.
struct Resources {
  const MmaAtom *atom = nullptr; ///< null: multiply-adds without an atom
  MmaTile math;                  ///< of one math group
  int32_t stages = 0;
  CopyMode copyA = CopyMode::Staged, copyB = CopyMode::Staged;
  int64_t stageBytes = 0, stagingBytes = 0, scaleBytes = 0, barrierBytes = 0, sharedBytes = 0;
  int32_t threads = 0;            ///< of a block, copying warps included
  int32_t registers = 0;          ///< of a computing lane, estimated
  int32_t registerBudget = 0;     ///< what it may have
  int32_t accumulatorColumns = 0; ///< allocated
  int32_t blocksPerUnit = 0;
  int64_t tilesM = 0, tilesN = 0, stepsK = 0; ///< block tiles, and steps of k of one slice
  int64_t tiles() const { return tilesM * tilesN; }
};

struct Legality {
  std::vector<Refusal> refusals; ///< in the order of `Resource`, at most one of each
  Resources resources;           ///< complete only where nothing is refused

  bool legal() const { return refusals.empty(); }
  /// Success, or E-SCHEDULE-ILLEGAL (Exit::Usage) whose cause lists the refusals.
  Status status(const Schedule &schedule) const;
};

Legality checkSchedule(const Schedule &schedule, const GemmProblem &problem, const Machine &machine);

/// The points of a small grid of Schedules for a problem, those that pass, and how many each resource
/// refused.
struct ScheduleSpace {
  struct Candidate {
    Schedule schedule;
    Resources resources;
  };
  std::vector<Candidate> legal;
  int64_t considered = 0;
  std::map<Resource, int64_t> refused; ///< by the first refusal of each
};
ScheduleSpace enumerateSchedules(const std::string &kernel, const GemmProblem &problem,
                                 const Machine &machine);

} // namespace quern::tile

#endif // QUERN_DIALECTS_TILE_LEGALITY_H
