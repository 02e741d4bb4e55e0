//===- Legality.cpp -------------------------------------------------------===//
#include "dialects/tile/Legality.h"

#include <algorithm>
#include <bit>

namespace quern::tile {

int64_t Machine::sharedPerBlock() const { return card ? card->sharedPerBlockBytes : 0; }

int64_t Machine::sharedPerUnit() const {
  return card ? int64_t(card->sharedPerUnitKb) * 1024 / target->gpu.unitsPerFigure : 0;
}

int64_t Machine::registersPerUnit() const {
  return card ? int64_t(card->registersPerUnitKb) * 1024 / 4 / target->gpu.unitsPerFigure : 0;
}

Machine machineOf(const TargetInfo &target) {
  Machine machine;
  machine.target = &target;
  machine.card = representativeCard(target);
  machine.units = machine.card ? machine.card->units : 1;
  return machine;
}

std::string_view resourceName(Resource resource) {
  constexpr std::string_view names[numResources] = {
      "atom",    "tile",  "threads", "shared memory", "registers", "accumulator memory", "ring", "copy",
      "cluster", "split", "scales",  "code size",     "strategy"};
  return names[size_t(resource)];
}

std::string Refusal::message() const { return std::string(resourceName(resource)) + ": " + reason; }

Status Legality::status(const Schedule &schedule) const {
  if (legal())
    return Status::success();
  std::string cause;
  for (const Refusal &refusal : refusals)
    cause += (cause.empty() ? "" : "; ") + refusal.message();
  return Status::error(Exit::Usage, "E-SCHEDULE-ILLEGAL", "the schedule `" + schedule.str() + "` cannot run")
      .cause(std::move(cause))
      .remedy("choose a smaller tile or fewer stages, or leave the schedule to the compiler");
}

namespace {

int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t alignTo(int64_t n, int64_t step) { return ceilDiv(n, step) * step; }
std::string number(int64_t n) { return std::to_string(n); }

/// Most slots of a ring that the barriers are laid out for.
constexpr int32_t maxStages = 16;
/// Registers for addresses, loop counters and predicates of a computing lane.
constexpr int32_t addressRegisters = 32;
/// Matrix instructions of one loop body: keeps a candidate within the compile budget.
constexpr int64_t maxUnrolled = 2048;
/// Limits of moving registers between warps. PTX ISA, "setmaxnreg".
constexpr int32_t minReallocated = 24, maxReallocated = 256, reallocationStep = 8;

/// The checks of one Schedule; each fills its part of the resources.
class Checker {
public:
  Checker(const Schedule &schedule, const GemmProblem &problem, const Machine &machine)
      : s(schedule), p(problem), machine(machine), target(*machine.target), sync(atomTable(target).sync) {}

  Legality run();

private:
  void refuse(Resource resource, std::string reason) {
    for (const Refusal &refusal : result.refusals)
      if (refusal.resource == resource)
        return;
    result.refusals.push_back({resource, std::move(reason)});
  }
  bool checkAtom();
  void checkTile();
  void checkStrategy();
  void checkCopies();
  void checkThreads();
  void checkShared();
  void checkRegisters();
  void checkAccumulatorMemory();
  void checkRing();
  void checkCluster();
  void checkSplit();
  void checkScales();
  void countBlocks();

  bool isPair() const { return r.atom && r.atom->issuer == Issuer::BlockPair; }
  bool inShared(CopyMode mode) const { return !target.isCpu() && mode != CopyMode::Register; }
  int32_t bytesOf(ElementType type) const { return int32_t(elementBits(type)) / 8; }
  /// Rows of A and of B that one block brings to shared memory.
  int32_t rowsA() const { return isPair() ? bm / 2 : bm; }
  int32_t rowsB() const { return isPair() ? bn / 2 : bn; }
  int32_t lanes() const { return target.isCpu() ? 1 : int32_t(target.gpu.subgroupSize); }
  int32_t mathThreads() const;
  int32_t producerThreads() const;

  const Schedule &s;
  const GemmProblem &p;
  const Machine &machine;
  const TargetInfo &target;
  const SyncFacts &sync;
  Legality result;
  Resources &r = result.resources;
  int32_t bm = 0, bn = 0, bk = 0;
  std::vector<int32_t> grid = {1, 1, 1};
};

bool Checker::checkAtom() {
  if (s.tile.size() != 3) {
    refuse(Resource::Tile, "a product needs three sizes, the schedule has " + number(int64_t(s.tile.size())));
    return false;
  }
  bm = s.tile[0], bn = s.tile[1], bk = s.tile[2];
  if (s.warpGrid.size() == 3)
    grid = s.warpGrid;
  else
    grid[0] = s.warps;
  r.atom = findMmaAtom(target, s.mma);
  if (!r.atom) {
    refuse(Resource::Atom, "the target has no `" + s.mma + "`");
    return false;
  }
  // The weights become the rows where operands are swapped; the type of both is the same.
  if (r.atom->a.type != p.math || r.atom->b.type != p.math) {
    refuse(Resource::Atom, "`" + s.mma + "` does not multiply " + std::string(elementTypeName(p.math)));
    return false;
  }
  if (r.atom->hasScales() != p.hardwareScales) {
    refuse(Resource::Atom,
           "`" + s.mma + "` " + (p.hardwareScales ? "applies no block scales" : "expects block scales"));
    return false;
  }
  return true;
}

void Checker::checkTile() {
  int32_t groupM = s.pair == Pair::Cols ? 1 : s.groups, groupN = s.pair == Pair::Cols ? s.groups : 1;
  int32_t m = bm, stepM = r.atom->m * grid[0] * groupM, stepN = r.atom->n * grid[1] * groupN;
  // A tile of fewer rows than the atom is computed whole; the rest is not stored.
  if (bm < r.atom->m && stepM == r.atom->m)
    m = r.atom->m;
  if (m % stepM || bn % stepN) {
    refuse(Resource::Tile, number(bm) + "x" + number(bn) + " is not a whole number of " + number(stepM) +
                               "x" + number(stepN) + ", an atom for each issuer");
    return;
  }
  if (bk % (r.atom->k * grid[2])) {
    refuse(Resource::Tile, "k of " + number(bk) + " is not a whole number of " + number(grid[2]) +
                               " slices of steps of " + number(r.atom->k));
    return;
  }
  std::optional<MmaTile> math = tileByAtom(*r.atom, m / groupM, bn / groupN, bk / grid[2], grid[0], grid[1]);
  if (!math) {
    refuse(Resource::Tile, number(m / groupM) + "x" + number(bn / groupN) + "x" + number(bk / grid[2]) +
                               " cannot be divided over " + number(grid[0]) + "x" + number(grid[1]) +
                               " issuers of " + r.atom->name);
    return;
  }
  r.math = *std::move(math);
  if (contains(r.atom->b.where, Where::Shared)) {
    // Rows of shared memory are swizzled by 64 or 128 bytes, or the matrix unit meets conflicts.
    int64_t rowBytes = int64_t(bk) * bytesOf(p.math);
    if (rowBytes % 64)
      refuse(Resource::Tile, "rows of " + number(rowBytes) +
                                 " bytes are no multiple of the 64 that a swizzle "
                                 "for the matrix unit needs");
  }
  if (int64_t unrolled = r.math.instructions() * s.unroll; unrolled > maxUnrolled)
    refuse(Resource::CodeSize,
           number(unrolled) + " matrix instructions in one loop body, at most " + number(maxUnrolled));
}

void Checker::checkStrategy() {
  switch (s.strategy) {
  case Strategy::Inline:
    break;
  case Strategy::Roles:
    if (!sync.transactionBarriers)
      refuse(Resource::Strategy, "`roles` needs barriers that count bytes, the target has none");
    break;
  case Strategy::Phases:
  case Strategy::Interleave:
    if (!sync.priorities)
      refuse(Resource::Strategy, "`phases` and `interleave` need warps that can take turns by priority");
    else if (s.strategy == Strategy::Phases && s.warps * s.groups < 8)
      refuse(Resource::Strategy, "`phases` needs two warps on each of four schedulers, the block has " +
                                     number(s.warps * s.groups) + " warps");
    break;
  }
  if (!(contains(r.atom->c.where, Where::Register)) && s.strategy != Strategy::Roles)
    refuse(Resource::Strategy, "an accumulator outside of registers needs `roles`");
}

void Checker::checkCopies() {
  const GpuLimits &gpu = target.gpu;
  // Whether bytes change on the way: stored and multiplied types differ.
  auto choose = [&](const char *operand, ElementType stored, bool gathers) {
    auto given = s.copies.find(operand);
    bool convertsInShared = stored != p.math && contains(r.atom->a.where, Where::Shared) &&
                            !contains(r.atom->a.where, Where::Register);
    auto possible = [&](CopyMode mode) -> std::string {
      int64_t rowBytes = p.k * bytesOf(stored);
      switch (mode) {
      case CopyMode::Tensor:
        if (!gpu.tensorCopy)
          return "the target has no copies by descriptor";
        if (gathers)
          return "rows that an index picks cannot be copied by one descriptor";
        if (rowBytes % 16)
          return "rows of " + number(rowBytes) + " bytes are no multiple of the 16 that a descriptor needs";
        return "";
      case CopyMode::Async:
        if (!gpu.asyncCopy)
          return "the target has no asynchronous copies";
        if (rowBytes % 4)
          return "rows of " + number(rowBytes) + " bytes are no multiple of 4";
        return "";
      case CopyMode::Direct:
        if (!gpu.directCopyBits)
          return "the load unit does not reach shared memory";
        if (rowBytes % (gpu.directCopyBits / 8))
          return "rows of " + number(rowBytes) + " bytes are no multiple of " +
                 number(gpu.directCopyBits / 8);
        return "";
      case CopyMode::Register:
        if (!contains(operand[0] == 'a' ? r.atom->a.where : r.atom->b.where, Where::Register))
          return "the atom takes this operand from shared memory only";
        return "";
      case CopyMode::Staged:
        return "";
      }
      return "";
    };
    if (given != s.copies.end()) {
      std::string reason = possible(given->second);
      if (!reason.empty())
        refuse(Resource::Copy, std::string(operand) + ": " + reason);
      return given->second;
    }
    if (target.isCpu())
      return CopyMode::Register;
    for (CopyMode mode : {CopyMode::Tensor, CopyMode::Async, CopyMode::Direct}) {
      // Without roles a descriptor copy has no one to wait for its barrier; bytes that change pass registers.
      if ((mode == CopyMode::Tensor && s.strategy != Strategy::Roles) || convertsInShared)
        continue;
      // A direct copy of 4 bytes a lane costs more than a load of 16.
      if (mode == CopyMode::Direct && gpu.directCopyBits < 128)
        continue;
      if (possible(mode).empty())
        return mode;
    }
    return CopyMode::Staged;
  };
  r.copyA = choose("a", p.a, p.gather);
  r.copyB = choose("b", p.b, false);
  if (s.store == StorePath::Tensor && !gpu.tensorCopy)
    refuse(Resource::Copy, "output: the target has no copies by descriptor");
  if (s.store == StorePath::Tensor && p.n * bytesOf(p.out) % 16)
    refuse(Resource::Copy,
           "output: rows of " + number(p.n * bytesOf(p.out)) + " bytes are no multiple of 16");
}

int32_t Checker::mathThreads() const {
  return s.groups * grid[0] * grid[1] * grid[2] * r.atom->warps() * lanes();
}

/// A group of four warps copies where registers move between such groups; two warps where the matrix unit has
/// its own accumulators (one copies, one issues); else one.
int32_t Checker::producerThreads() const {
  if (s.strategy != Strategy::Roles)
    return 0;
  if (r.atom->issuer == Issuer::WarpGroup)
    return 128;
  return r.atom->issuer == Issuer::Warp ? lanes() : 2 * lanes();
}

void Checker::checkThreads() {
  r.threads = mathThreads() + producerThreads();
  if (int64_t limit = target.isCpu() ? 1 : target.gpu.maxThreadsPerBlock; r.threads > limit)
    refuse(Resource::Threads, number(r.threads) + " threads, a block may have " + number(limit));
}

void Checker::checkShared() {
  if (target.isCpu()) {
    r.stages = 1;
    return;
  }
  auto slot = [&](CopyMode mode, int32_t rows, ElementType stored) -> int64_t {
    if (!inShared(mode))
      return 0;
    // Bytes that change on the way through registers lie there as they are multiplied.
    ElementType held = mode == CopyMode::Staged ? p.math : stored;
    return int64_t(rows) * bk * bytesOf(held);
  };
  r.stageBytes = slot(r.copyA, rowsA(), p.a) + slot(r.copyB, rowsB(), p.b);
  if (p.softwareScales()) {
    // Scales of A ride along, one column for each scale group of the step; those of B belong to the tile.
    if (inShared(r.copyA))
      r.stageBytes += alignTo(int64_t(rowsA()) * 4, 128) * ceilDiv(bk, p.scaleK);
    int64_t columns = p.scaleN % bn == 0 ? 1 : 2;
    r.scaleBytes = alignTo(ceilDiv(p.k, p.scaleK) * 4 * columns, 8);
  } else if (p.hardwareScales) {
    r.stageBytes += alignTo(int64_t(rowsA() + rowsB()) * ceilDiv(bk, r.atom->scales.block), 128);
  }
  if (s.store != StorePath::Direct) {
    int64_t columns = s.epilogueColumns ? s.epilogueColumns : bn;
    r.stagingBytes = alignTo(rowsA() * columns * bytesOf(p.out), 1024) * s.epilogueDepth;
  }
  if (s.strategy == Strategy::Roles)
    r.barrierBytes = int64_t(maxStages) * 8 * 2; // full and empty
  int64_t fixed = r.stagingBytes + r.scaleBytes + r.barrierBytes, limit = machine.sharedPerBlock();
  // A ring that is filled through registers, or by phases, gains nothing from more than two slots.
  bool paired =
      r.copyA == CopyMode::Staged || s.strategy == Strategy::Phases || s.strategy == Strategy::Interleave;
  int64_t fit = r.stageBytes ? (limit - fixed) / r.stageBytes : 1;
  r.stages = s.stages ? s.stages : int32_t(std::clamp<int64_t>(fit, 1, paired ? 2 : maxStages));
  r.sharedBytes = fixed + r.stages * r.stageBytes;
  if (r.sharedBytes > limit)
    refuse(Resource::SharedMemory,
           number(r.stages) + " stages of " + number(r.stageBytes) + " bytes, " + number(r.stagingBytes) +
               " of output staging, " + number(r.scaleBytes) + " of scales and " + number(r.barrierBytes) +
               " of barriers need " + number(r.sharedBytes) + " bytes, a block can take " + number(limit));
}

void Checker::checkRegisters() {
  int32_t accumulators = r.math.accumulatorRegisters();
  // One atom's worth of partial sums where they are promoted.
  int32_t partial =
      p.softwareScales() && contains(r.atom->c.where, Where::Register) ? r.atom->c.wordsPerLane() : 0;
  int32_t fragments = 0;
  // Operands that an atom can read from shared memory take registers only if they are told to.
  if (!contains(r.atom->a.where, Where::Shared) || r.copyA == CopyMode::Register)
    fragments += r.math.repeatM * r.atom->a.wordsPerLane();
  if (!contains(r.atom->b.where, Where::Shared))
    fragments += r.math.repeatN * r.atom->b.wordsPerLane();
  fragments *= 1 + s.fragPrefetch;
  if (target.isCpu()) {
    // A vector of A is broadcast when it is needed.
    r.registers = accumulators + r.math.repeatN * r.atom->b.wordsPerLane() + 1;
    r.registerBudget = int32_t(target.cpu.vectorRegisters);
    if (r.registers > r.registerBudget)
      refuse(Resource::Registers, number(accumulators) + " vectors of accumulators and operands need " +
                                      number(r.registers) + ", there are " + number(r.registerBudget));
    return;
  }
  int64_t staged = 0;
  for (auto [mode, rows, type] : {std::tuple{r.copyA, rowsA(), p.a}, {r.copyB, rowsB(), p.b}})
    if (mode == CopyMode::Staged && s.strategy != Strategy::Roles)
      staged += ceilDiv(int64_t(rows) * bk * bytesOf(type), int64_t(r.threads) * 4);
  int32_t others = partial + fragments + int32_t(staged) + addressRegisters;
  r.registers = accumulators + others;
  if (!contains(r.atom->c.where, Where::Register)) // read back a piece at a time
    r.registers += 64;

  int64_t file = machine.registersPerUnit(), blocks = std::max(1, s.occupancy);
  int64_t budget = file / (int64_t(r.threads) * blocks);
  int32_t granule = int32_t(target.gpu.registerGranule), most = int32_t(target.gpu.maxRegistersPerLane);
  if (s.strategy == Strategy::Roles && sync.registerReallocation && r.atom->issuer == Issuer::WarpGroup) {
    int32_t producer = s.producerRegisters ? s.producerRegisters : 40;
    int64_t rest = (file / blocks - int64_t(producerThreads()) * producer) / mathThreads();
    int32_t math = s.mathRegisters
                       ? s.mathRegisters
                       : int32_t(std::min<int64_t>(rest, 240)) / reallocationStep * reallocationStep;
    for (int32_t count : {producer, math})
      if (count % reallocationStep || count < minReallocated || count > maxReallocated)
        refuse(Resource::Registers, number(count) + " registers of a role are no multiple of 8 from " +
                                        number(minReallocated) + " to " + number(maxReallocated));
    int64_t sum = (int64_t(mathThreads()) * math + int64_t(producerThreads()) * producer) * blocks;
    if (sum > file)
      refuse(Resource::Registers, number(math) + " for computing and " + number(producer) +
                                      " for copying lanes are " + number(sum) + " registers, a unit has " +
                                      number(file));
    budget = math;
  }
  r.registerBudget = int32_t(std::min<int64_t>(budget / granule * granule, most));
  if (r.registers > r.registerBudget) {
    refuse(Resource::Registers, number(accumulators) + " accumulators, " + number(partial) +
                                    " partial sums, " + number(fragments) + " of fragments, " +
                                    number(staged) + " of copies and addresses need " + number(r.registers) +
                                    " a lane, it may have " + number(r.registerBudget));
  } else if (most == 512 && (accumulators > 256 || others > 256)) {
    // Half of the file holds accumulators only.
    refuse(Resource::Registers, number(accumulators) + " accumulators and " + number(others) +
                                    " others, each half of the file has 256 a lane");
  }
}

void Checker::checkAccumulatorMemory() {
  if (contains(r.atom->c.where, Where::Register))
    return;
  int32_t limit = int32_t(target.gpu.tensorMemoryBytes) / 128 / 4;
  int32_t rowsOfLanes = std::max(1, rowsA() / 128);
  int32_t columns = s.accumStages * bn * rowsOfLanes;
  if (p.hardwareScales) {
    // Four scales of 32 rows are a column.
    int32_t perStep = ceilDiv(bk, 4 * r.atom->scales.block);
    columns += perStep * (ceilDiv(rowsA(), 32) + ceilDiv(bn, 32));
  }
  r.accumulatorColumns = std::max(32, int32_t(std::bit_ceil(uint32_t(columns))));
  if (r.accumulatorColumns > limit)
    refuse(Resource::AccumulatorMemory, number(s.accumStages) + " accumulators of " + number(bn) +
                                            " columns and their scales need " + number(columns) +
                                            " columns, there are " + number(limit));
}

void Checker::checkRing() {
  if (target.isCpu() || !r.stageBytes)
    return;
  int32_t least = s.mmaInFlight + 1;
  const char *why = "matrix instructions in flight";
  if (s.strategy == Strategy::Roles && least < 2)
    least = 2, why = "copying and computing warps";
  if (s.strategy == Strategy::Phases && least < 2)
    least = 2, why = "the two halves of the block";
  if (r.stages < least) {
    refuse(Resource::Ring, number(r.stages) + " slots, " + why + " need " + number(least));
    return;
  }
  // Counted waits: what each lane may have under way.
  int32_t width = r.copyA == CopyMode::Direct ? int32_t(target.gpu.directCopyBits) / 8 : 16;
  int64_t copies = ceilDiv(r.stageBytes, int64_t(r.threads) * width) * std::max(1, r.stages - 1);
  if (sync.copiesInFlight && copies > sync.copiesInFlight)
    refuse(Resource::Ring,
           number(copies) + " copies of a lane in flight, waits can count " + number(sync.copiesInFlight));
  int64_t reads = ceilDiv(int64_t(r.math.operandRegistersPerStep()) * 4, 16);
  if (sync.sharedInFlight && s.fragPrefetch && reads > sync.sharedInFlight)
    refuse(Resource::Ring,
           number(reads) + " reads of fragments ahead, waits can count " + number(sync.sharedInFlight));
}

void Checker::checkCluster() {
  int32_t blocks = s.clusterM * s.clusterN, limit = int32_t(std::max(1u, target.gpu.maxCluster));
  if (blocks > limit)
    refuse(Resource::Cluster, number(blocks) + " blocks, a cluster may have " + number(limit));
  else if (isPair() && blocks % 2)
    refuse(Resource::Cluster, "the atom spans two blocks, the cluster has " + number(blocks));
  else if (blocks > 1 && machine.units % blocks && s.persist != Persistence::Off)
    refuse(Resource::Cluster,
           number(blocks) + " blocks do not divide the " + number(machine.units) + " units");
  else if (blocks > 1 && r.copyA != CopyMode::Tensor && r.copyB != CopyMode::Tensor)
    refuse(Resource::Cluster, "only copies by descriptor are shared by the blocks of a cluster");
}

void Checker::checkSplit() {
  int64_t steps = ceilDiv(p.k, bk);
  r.stepsK = ceilDiv(steps, s.split);
  if (s.split == 1)
    return;
  if (r.stepsK < 4)
    refuse(Resource::Split, number(s.split) + " slices of " + number(steps) + " steps have " +
                                number(r.stepsK) + " each, four are worth a block");
  else if (s.reduction == Reduction::Cluster &&
           s.split > int32_t(std::min<uint32_t>(8, std::max(1u, target.gpu.maxCluster))))
    refuse(Resource::Split, number(s.split) + " slices, a cluster can add up " +
                                number(std::min<uint32_t>(8, std::max(1u, target.gpu.maxCluster))));
  else if (p.scaleK && r.stepsK * bk % p.scaleK)
    refuse(Resource::Split,
           "slices of " + number(r.stepsK * bk) + " cut scale groups of " + number(p.scaleK));
}

void Checker::checkScales() {
  if (!p.softwareScales())
    return;
  if (p.scaleK % bk) {
    refuse(Resource::Scales,
           "a step of " + number(bk) + " is no divisor of the " + number(p.scaleK) + " that share a scale");
    return;
  }
  // Tiles begin at multiples of bn: how many columns of scales can one meet?
  int64_t most = 0;
  for (int64_t tile = 0; tile < p.scaleN; ++tile)
    most = std::max(most, (tile * bn + bn - 1) / p.scaleN - tile * bn / p.scaleN + 1);
  if (most > 2)
    refuse(Resource::Scales, number(bn) + " columns meet " + number(most) + " columns of scales, at most 2");
}

void Checker::countBlocks() {
  r.tilesM = p.groups == 1 ? ceilDiv(p.m, bm) : p.groups * ceilDiv(ceilDiv(p.m, p.groups), bm);
  r.tilesN = ceilDiv(p.n, bn);
  if (target.isCpu()) {
    r.blocksPerUnit = 1;
    return;
  }
  const GpuLimits &gpu = target.gpu;
  int64_t granule = std::max(1u, gpu.sharedGranuleBytes);
  int64_t blocks = std::min<int64_t>(gpu.maxBlocksPerUnit, gpu.maxThreadsPerUnit / std::max(1, r.threads));
  if (r.sharedBytes)
    blocks = std::min(blocks, machine.sharedPerUnit() / alignTo(r.sharedBytes, granule));
  int64_t registers = alignTo(std::max(1, r.registers), gpu.registerGranule) * r.threads;
  blocks = std::min(blocks, machine.registersPerUnit() / registers);
  if (r.accumulatorColumns)
    blocks = std::min<int64_t>(blocks, int64_t(gpu.tensorMemoryBytes) / 512 / r.accumulatorColumns);
  r.blocksPerUnit = int32_t(std::max<int64_t>(1, blocks));
}

Legality Checker::run() {
  if (!checkAtom())
    return std::move(result);
  checkTile();
  if (!result.legal())
    return std::move(result);
  checkStrategy();
  checkCopies();
  checkThreads();
  checkShared();
  checkRegisters();
  checkAccumulatorMemory();
  checkRing();
  checkCluster();
  checkSplit();
  checkScales();
  countBlocks();
  std::sort(result.refusals.begin(), result.refusals.end(),
            [](const Refusal &x, const Refusal &y) { return x.resource < y.resource; });
  return std::move(result);
}

} // namespace

Legality checkSchedule(const Schedule &schedule, const GemmProblem &problem, const Machine &machine) {
  return Checker(schedule, problem, machine).run();
}

} // namespace quern::tile
