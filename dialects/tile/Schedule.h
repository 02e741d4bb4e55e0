//===- Schedule.h - Every decision that tuning may change -----------------===//
//
// A Schedule is one point of a kernel's space: plain data with a canonical one-line text form that the tuner,
// the database, the artifact and the tests share.
//
//   linear{tile=4x16x128 warps=4}
//
// Fields at their default are not printed; an unknown field is an error. Fields of the pipelined strategies
// (stages, roles, cluster, ...) join here when their lowering does.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_DIALECTS_TILE_SCHEDULE_H
#define QUERN_DIALECTS_TILE_SCHEDULE_H

#include "support/Status.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace quern::tile {

/// How the body of a kernel is mapped to the warps of a block. `Inline`: every warp runs the whole body.
enum class Strategy : uint8_t { Inline };

/// How `tile.mma` is computed where no matrix atom is used. `Dot`: the contraction runs over lanes and is
/// summed across them at the end (few rows). `Outer`: it runs over registers (many rows and columns).
enum class Contraction : uint8_t { Dot, Outer };

struct Schedule {
  std::string kernel;        ///< name of the kernel text
  std::vector<int32_t> tile; ///< block tile, one entry per name in the kernel's `tile` list
  int32_t warps = 1;         ///< warps of a block; a power of two
  Strategy strategy = Strategy::Inline;
  Contraction contraction = Contraction::Dot;

  std::string str() const;
  /// E-SCHEDULE-SYNTAX (exit 2) naming the field and what was read.
  static Expected<Schedule> parse(std::string_view text);

  bool operator==(const Schedule &) const = default;
};

} // namespace quern::tile

#endif // QUERN_DIALECTS_TILE_SCHEDULE_H
