//===- DefaultSchedule.cpp ------------------------------------------------===//
#include "lowering/model_to_tile/DefaultSchedule.h"
#include "dialects/tile/Atoms.h"

#include <algorithm>
#include <bit>
#include <optional>

namespace quern::lowering {

namespace {

struct Problem {
  const std::map<std::string, ParameterValue> &parameters;
  const CodeTarget &target;

  int64_t integer(const char *name) const {
    auto it = parameters.find(name);
    return it == parameters.end() ? 0 : std::get<int64_t>(it->second);
  }
  std::string text(const char *name) const {
    auto it = parameters.find(name);
    return it == parameters.end() ? std::string() : std::get<std::string>(it->second);
  }
  bool flag(const char *name) const { return integer(name) != 0; }

  /// The CPU adds the products of pairs of bf16 to an f32 in one instruction.
  bool multipliesPairs() const {
    const TargetInfo *info =
        findTarget(target.vendor, std::string_view(target.name).substr(target.vendor.size() + 1));
    return info && info->cpu.bf16Dot;
  }
};

/// The largest power of two that divides |n|, at most |limit|.
int32_t powerDividing(int64_t n, int64_t limit) {
  int64_t power = 1;
  while (power * 2 <= limit && n % (power * 2) == 0)
    power *= 2;
  return int32_t(power);
}

/// |n| itself up to |limit|; else the largest divisor of n up to the limit that keeps at least half of it
/// busy, or the limit (the tail is then masked).
int32_t rowTile(int64_t n, int64_t limit) {
  if (n <= limit)
    return int32_t(n);
  for (int64_t divisor = limit; divisor * 2 > limit; --divisor)
    if (n % divisor == 0 && divisor % 8 == 0)
      return int32_t(divisor);
  return int32_t(limit);
}

/// Columns of a row that one block computes: enough for each thread to have a vector.
int32_t columns(const Problem &p, int64_t n) {
  return rowTile(n, p.target.simd ? 16 * p.target.lanes : 1024);
}

/// Columns of a row of independent elements: a divisor of the row whose power-of-two part keeps all threads
/// busy, or a power of two, whose tail is masked.
int32_t elementColumns(const Problem &p, int64_t n) {
  constexpr int64_t limit = 1024;
  int64_t threads = int64_t(p.target.lanes) * p.target.warps, whole = powerDividing(n, limit);
  if (p.target.simd || (n <= limit && whole >= threads))
    return columns(p, n);
  return whole >= threads ? int32_t(whole) : int32_t(std::bit_ceil(uint64_t(std::min(n, limit))));
}

/// The type that a linear multiplies in, where the atoms table has it: that of both operands, after weights
/// in fp8 were dequantised.
std::optional<ElementType> productType(const Problem &p) {
  static const std::pair<std::string_view, ElementType> types[] = {{"bf16", ElementType::BF16},
                                                                   {"f16", ElementType::F16},
                                                                   {"f8E4M3FN", ElementType::F8E4M3},
                                                                   {"f8E4M3FNUZ", ElementType::F8E4M3FNUZ}};
  std::string x = p.flag("SPLIT") ? "bf16" : p.text("X");
  if (x != (p.flag("SCALES") && !p.flag("QUANTIZED") ? "bf16" : p.text("W")))
    return std::nullopt;
  for (auto [name, type] : types)
    if (x == name)
      return type;
  return std::nullopt;
}

/// K of one step of a contraction over lanes: an element for each SIMD lane, a pair where products of pairs
/// are one instruction; a few elements for each lane of a GPU, a divisor of the scale block.
int32_t contractionStep(const Problem &p, int64_t k) {
  if (p.target.simd)
    return p.multipliesPairs() && productType(p) == ElementType::BF16 ? 2 * p.target.lanes : p.target.lanes;
  int32_t step = powerDividing(k, p.flag("SCALES") ? 128 : 4 * p.target.lanes);
  return std::max(step, std::min<int32_t>(p.target.lanes, 32));
}

/// Rows and columns of the linear of a CPU: of a machine with 8 lanes there are 16 vector registers.
int32_t vectorTile(const CodeTarget &target) { return target.lanes < 16 ? 3 : 5; }

/// The linear of a CPU: BM x BN partial sums and the BM + BN vectors that a step reads fill 32 vector
/// registers. A group of columns whose weights stay in the L2 cache goes through all rows before the next
/// one.
void chooseVectorLinear(const Problem &p, tile::Schedule &schedule) {
  constexpr int64_t cachedBytes = 512 << 10;
  const int32_t size = vectorTile(p.target);
  schedule.tile = {p.flag("EXPERTS") ? 1 : size, size, contractionStep(p, p.integer("K"))};
  if (p.flag("EXPERTS"))
    return;
  const int64_t weightBytes = p.text("W") == "f32" ? 4 : p.flag("SCALES") ? 1 : 2;
  const int64_t columns = cachedBytes / std::max<int64_t>(1, p.integer("K") * weightBytes * size);
  schedule.rasterAxis = tile::RasterAxis::N;
  schedule.rasterGroup = int32_t(std::clamp<int64_t>(columns, 1, 64));
}

/// An atom that a warp issues on its registers, the fastest; of equally fast ones that with the fewest rows,
/// since the rows of a step are few as often as many. Null where the target has none.
const tile::MmaAtom *warpAtom(const Problem &p) {
  std::optional<ElementType> type = productType(p);
  const tile::MmaAtom *best = nullptr;
  if (!type || p.target.simd)
    return best;
  for (const tile::MmaAtom *atom : tile::findMmaAtoms(p.target.name, *type, *type))
    if (atom->issuer == tile::Issuer::Warp && atom->b.hasFragment() &&
        (!best || (atom->multiplyAddsPerClock == best->multiplyAddsPerClock && atom->m < best->m)))
      best = atom;
  return best;
}

} // namespace

int64_t groupRows(const CodeTarget &target) { return target.simd ? vectorTile(target) : 32; }

bool hasMatrixAtom(const std::map<std::string, ParameterValue> &parameters, const CodeTarget &target) {
  return warpAtom(Problem{parameters, target}) != nullptr;
}

tile::Schedule defaultSchedule(const std::string &kernel,
                               const std::map<std::string, ParameterValue> &parameters,
                               const CodeTarget &target) {
  Problem p{parameters, target};
  tile::Schedule schedule;
  schedule.kernel = kernel;
  schedule.warps = target.warps;
  auto oneWarp = [&](std::vector<int32_t> tile) {
    schedule.warps = 1;
    schedule.tile = std::move(tile);
    return schedule;
  };

  const bool product = kernel == "linear" || kernel == "head_linear";
  const bool oneRow = p.flag("EXPERTS");
  if (const tile::MmaAtom *atom = product && (!oneRow || p.flag("GROUPED")) ? warpAtom(p) : nullptr) {
    schedule.mma = atom->name;
    schedule.warpGrid = {1, schedule.warps, 1};
    // The fragments of a longer step do not fit the registers (rows in three parts have three times as many);
    // a step with block scales stays inside of a block.
    schedule.tile = {oneRow ? atom->m : std::max(32, atom->m), schedule.warps * 16,
                     std::max(p.flag("SPLIT") ? 32 : 64, atom->k)};
    return schedule;
  }
  if (kernel == "linear") {
    if (target.simd) {
      chooseVectorLinear(p, schedule);
      return schedule;
    }
    // Partial sums stay in registers: BM * BN of them for each vector of K.
    schedule.tile = {p.flag("EXPERTS") ? 1 : 4, 8, contractionStep(p, p.integer("K"))};
    return schedule;
  }
  if (kernel == "head_linear") {
    if (p.flag("TRANSPOSED")) {
      int64_t n = p.integer("N"), limit = target.simd ? 2 * target.lanes : 128;
      // Columns of one scale block: a power of two, whose tail is masked.
      int32_t bn = p.flag("SCALES") ? int32_t(std::min(limit, int64_t(std::bit_ceil(uint64_t(n)))))
                                    : rowTile(n, limit);
      schedule.tile = {4, bn, powerDividing(p.integer("K"), target.simd ? 8 : 16)};
      return schedule;
    }
    schedule.tile = {4, target.simd ? 4 : 8, contractionStep(p, p.integer("K"))};
    return schedule;
  }
  if (kernel == "latent_attention") {
    int32_t bh = powerDividing(p.integer("H"), 4);
    int32_t bc = target.simd ? target.lanes : powerDividing(p.integer("L"), 128);
    // Fewer positions where a row of latents alone fills the vector registers.
    int32_t bn = !target.simd ? 16 : p.integer("L") > 8 * target.lanes ? 4 : 8;
    schedule.tile = {bh, bn, bc};
    return schedule;
  }
  if (kernel == "attention") {
    // Each thread holds the scores of all heads of the group: G * BN registers.
    int64_t scores = (target.simd ? 32 : 64) / std::max<int64_t>(1, p.integer("G"));
    schedule.tile = {std::clamp(int32_t(std::bit_floor(uint64_t(scores))), 4, 16)};
    // Wide heads: registers before resident blocks, or the assembler spills to make room for more of them.
    if (!target.simd && p.integer("D") > 128)
      schedule.occupancy = 1;
    return schedule;
  }
  if (kernel == "rms_norm" || kernel == "layer_norm") {
    // Rows of heads are short: several of them share a warp, and no sum crosses warps.
    if (p.integer("H") > 1)
      return oneWarp({powerDividing(p.integer("H"), 4), rowTile(p.integer("N"), 256)});
    schedule.tile = {1, columns(p, p.integer("N"))};
    return schedule;
  }
  if (kernel == "router")
    return oneWarp({});
  if (kernel == "route_groups") {
    schedule.tile = {target.simd ? 2 * target.lanes : 32};
    return schedule;
  }
  if (kernel == "quantise")
    return oneWarp({1});
  if (kernel == "rope")
    return oneWarp({powerDividing(p.integer("H"), 4)});
  if (kernel == "cache_append")
    return oneWarp({powerDividing(p.integer("H"), 4)});
  schedule.tile = {elementColumns(p, p.integer("N"))};
  return schedule;
}

} // namespace quern::lowering
