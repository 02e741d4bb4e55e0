//===- KernelSpace.cpp ----------------------------------------------------===//
#include "tuner/space/KernelSpace.h"

#include "dialects/tile/CostModel.h"
#include "kernels/KernelTexts.h"
#include "support/target/KnownTargets.h"
#include "tuner/database/KernelKey.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace quern::tuner {

using tile::Contraction;
using tile::Schedule;

//===----------------------------------------------------------------------===//
// space.json: files of ours, whose form a test checks
//===----------------------------------------------------------------------===//

static Status noSpace(const std::string &kernel) {
  return Status::error(Exit::Unsupported, "E-TUNE-NO-SPACE",
                       "the kernel `" + kernel + "` has nothing to tune")
      .cause("kernels/" + kernel + "/space.json lists no space");
}

static Expected<JsonDocument> readSpace(const std::string &kernel) {
  const KernelText *space = findKernelSpace(kernel);
  if (!space)
    return noSpace(kernel);
  QUERN_ASSIGN_OR_RETURN(JsonDocument document, parseJson(space->text, {.name = space->path}));
  if (!document.root().has("spaces"))
    return noSpace(kernel);
  return std::move(document);
}

std::vector<std::string> tunableKernels() {
  std::vector<std::string> names;
  for (const KernelText &space : kernelSpaces())
    if (readSpace(space.name).ok())
      names.push_back(space.name);
  return names;
}

std::string standardParameters(const std::string &kernel, std::map<std::string, std::string> &parameters) {
  Expected<JsonDocument> document = readSpace(kernel);
  if (!document.ok())
    return document.error().sentence();
  std::optional<JsonRef> known = document->root().find("parameters");
  if (!known)
    return "";
  for (const auto &[name, value] : parameters)
    if (!known->has(name) && !(*known)->find(name))
      return "the kernel `" + kernel + "` has no parameter `" + name + "`";
  for (const Json::Member &member : (*known)->members())
    if (member.value.isNull() && !parameters.count(member.key))
      return "the parameter `" + member.key + "` of `" + kernel + "` is missing";
  // A name in capitals stands for the value of another parameter, once those that are given are known.
  for (const Json::Member &member : (*known)->members())
    if (!member.value.isNull() && !parameters.count(member.key)) {
      const std::string text = member.value.isString() ? member.value.string() : writeJson(member.value);
      auto other = parameters.find(text);
      parameters[member.key] = other == parameters.end() ? text : other->second;
    }
  for (const Json::Member &member : (*known)->members()) {
    const std::string &text = parameters[member.key];
    const bool number = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
    const bool names = member.value.isString() && !(*known)->find(member.value.string());
    if (names == number || (number && (text.size() > 9 || (member.value.isNull() && text == "0"))))
      return "the parameter `" + member.key + "` of `" + kernel + "` cannot be `" + text + "`";
  }
  return "";
}

Expected<Problem> recordOf(const KernelProblem &problem) {
  const KernelText *space = findKernelSpace(problem.kernel);
  if (!space)
    return noSpace(problem.kernel);
  QUERN_ASSIGN_OR_RETURN(KernelKey key, KernelKey::parse(space->text, problem.kernel, space->path));
  std::optional<TokenRange> bucket = key.bucket(problem.rows);
  // Beyond the last bucket a problem stands for itself.
  return key.problem(problem.parameters, bucket.value_or(TokenRange{problem.rows, problem.rows}));
}

//===----------------------------------------------------------------------===//
// Axes
//===----------------------------------------------------------------------===//

namespace {

struct Axes {
  std::vector<std::vector<int32_t>> tile;
  std::vector<Contraction> contractions = {Contraction::Dot};
  std::vector<int32_t> rasters = {1};
  std::vector<int32_t> warps = {1};
  bool atoms = false, product = false;
};

/// "4L" is four times the lanes.
Expected<int32_t> readSize(JsonRef item, const SpaceTarget &target) {
  if (item.kind() == JsonKind::String) {
    const std::string text = item->string();
    const int32_t times = std::atoi(text.c_str());
    if (times < 1 || text.back() != 'L')
      return item.error("E-TUNE-SPACE", "`" + text + "` is no size");
    return times * target.lanes;
  }
  QUERN_ASSIGN_OR_RETURN(int64_t size, item.asInt({1, 65536}));
  return int32_t(size);
}

bool holds(JsonRef condition, const KernelProblem &problem, const SpaceTarget &target) {
  for (const Json::Member &member : condition->members()) {
    const int64_t value = member.key == "simd" ? target.simd : problem.integer(member.key);
    if (!member.value.isInt() || value != member.value.integer())
      return false;
  }
  return true;
}

Expected<Axes> readAxes(JsonRef space, const SpaceTarget &target) {
  Axes axes;
  auto flag = [&](const char *name) {
    std::optional<JsonRef> value = space.find(name);
    return value && (*value)->isBool() && (*value)->boolean();
  };
  axes.atoms = flag("atoms");
  axes.product = flag("product");
  if (axes.atoms)
    return std::move(axes);
  QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> tile, space.getArray("tile"));
  for (JsonRef axis : tile) {
    std::vector<int32_t> sizes;
    QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> items, axis.asArray());
    for (JsonRef item : items) {
      QUERN_ASSIGN_OR_RETURN(int32_t size, readSize(item, target));
      sizes.push_back(size);
    }
    axes.tile.push_back(std::move(sizes));
  }
  if (space.has("contraction")) {
    axes.contractions.clear();
    QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> items, space.getArray("contraction"));
    for (JsonRef item : items) {
      QUERN_ASSIGN_OR_RETURN(std::string_view name, item.asString());
      axes.contractions.push_back(name == "outer" ? Contraction::Outer : Contraction::Dot);
    }
  }
  if (space.has("raster")) {
    axes.rasters.clear();
    QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> items, space.getArray("raster"));
    for (JsonRef item : items) {
      QUERN_ASSIGN_OR_RETURN(std::string_view name, item.asString());
      axes.rasters.push_back(name == "off" ? 1 : std::atoi(std::string(name.substr(1)).c_str()));
    }
  }
  if (space.has("warps")) {
    axes.warps.clear();
    QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> items, space.getArray("warps"));
    for (JsonRef item : items) {
      QUERN_ASSIGN_OR_RETURN(int64_t warps, item.asInt({1, 16}));
      axes.warps.push_back(int32_t(warps));
    }
  }
  return std::move(axes);
}

/// What the kernel's text demands of a tile size.
struct Demand {
  size_t axis;
  int64_t divides;
};

Expected<std::vector<Demand>> readDemands(JsonRef root, const KernelProblem &problem,
                                          const SpaceTarget &target) {
  std::vector<Demand> demands;
  if (!root.has("demands"))
    return std::move(demands);
  QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> items, root.getArray("demands"));
  for (JsonRef item : items) {
    QUERN_ASSIGN_OR_RETURN(JsonRef when, item.getObject("when"));
    if (!holds(when, problem, target))
      continue;
    QUERN_ASSIGN_OR_RETURN(int64_t axis, item.getInt("axis", {0, 7}));
    QUERN_ASSIGN_OR_RETURN(JsonRef divides, item.get("divides"));
    int64_t value = divides.kind() == JsonKind::String ? problem.integer(divides->string()) : 0;
    if (divides.kind() != JsonKind::String) {
      QUERN_ASSIGN_OR_RETURN(value, divides.asInt({1, 65536}));
    }
    demands.push_back({size_t(axis), value});
  }
  return std::move(demands);
}

//===----------------------------------------------------------------------===//
// Points
//===----------------------------------------------------------------------===//

double elementWidth(const std::string &element) {
  return element == "f32" || element == "i32" ? 4 : element.starts_with("f8") ? 1 : 2;
}

/// Collects points, and counts what is cut off.
class Collector {
public:
  Collector(const KernelProblem &problem, const SpaceTarget &target, Lowerable lowerable)
      : problem(problem), target(target), lowerable(std::move(lowerable)) {
    product.rows = problem.rows;
    product.columns = problem.integer("N");
    product.k = problem.integer("K");
    product.xBytes = elementWidth(problem.element("X"));
    product.wBytes = elementWidth(problem.element("W"));
    product.scales = problem.flag("SCALES");
    facts.lanes = target.lanes;
    facts.registers = target.lanes >= 16 ? 32 : 16;
    facts.pairs = target.pairs;
    product.widen = !(target.pairs && problem.element("X") == "bf16" && problem.element("W") == "bf16");
    if (problem.element("X") == "f32" && problem.element("W") == "f32")
      product.widen = false, facts.pairs = false;
  }

  KernelSpace space;

  void refuse(const std::string &reason) { ++space.refused[reason]; }

  void addVector(const Schedule &schedule, std::vector<int32_t> axes, bool isProduct,
                 const std::vector<Demand> &demands) {
    ++space.considered;
    for (const Demand &demand : demands)
      if (demand.axis < schedule.tile.size() && demand.divides % schedule.tile[demand.axis] != 0)
        return refuse("the kernel's text demands that a tile size divides another number");
    if (isProduct) {
      if (schedule.tile[0] > 1 && schedule.tile[0] >= 2 * problem.rows)
        return refuse("half of the tile or more would lie outside of the rows");
      const double vector = target.pairs && !product.widen ? 2 * target.lanes : target.lanes;
      const double sums = schedule.contraction == Contraction::Outer
                              ? schedule.tile[0] * std::ceil(double(schedule.tile[1]) / target.lanes)
                              : schedule.tile[0] * schedule.tile[1] * std::ceil(schedule.tile[2] / vector);
      if (sums > 3 * facts.registers)
        return refuse("the partial sums are more than three times the vector registers");
    }
    add(schedule, std::move(axes), isProduct);
  }

  void add(const Schedule &schedule, std::vector<int32_t> axes, bool isProduct, double modelled = 0) {
    SearchPoint point;
    point.config = schedule.str();
    if (lowerable && !lowerable(point.config))
      return refuse("the lowering makes no code for it");
    point.axes = std::move(axes);
    for (int32_t size : schedule.tile)
      point.features.push_back(std::log2(double(size)) / 2 - 1.5);
    point.features.push_back(schedule.contraction == Contraction::Outer ? 1 : 0);
    point.features.push_back(std::log2(double(schedule.rasterGroup)) / 3);
    point.features.push_back(std::log2(double(schedule.warps)) / 2);
    point.modelled = modelled > 0 ? modelled : isProduct ? vectorCost(schedule) : 1e-6;
    space.points.push_back(std::move(point));
  }

  double vectorCost(const Schedule &s) const {
    VectorTile tile;
    tile.bm = s.tile[0];
    tile.bn = s.tile[1];
    tile.bk = s.tile[2];
    tile.outer = s.contraction == Contraction::Outer;
    tile.rasterGroup = s.rasterGroup;
    return vectorSeconds(product, tile, facts);
  }

private:
  const KernelProblem &problem;
  const SpaceTarget &target;
  const Lowerable lowerable;
  VectorProduct product;
  VectorFacts facts;
};

/// All combinations of the axes.
void enumerate(const KernelProblem &problem, const Axes &axes, const std::vector<Demand> &demands,
               int32_t number, Collector &collector) {
  Schedule schedule;
  schedule.kernel = problem.kernel;
  schedule.tile.resize(axes.tile.size());
  std::vector<int32_t> places(axes.tile.size() + 4);
  std::function<void(size_t)> walk = [&](size_t axis) {
    if (axis < axes.tile.size()) {
      for (size_t i = 0; i < axes.tile[axis].size(); ++i) {
        schedule.tile[axis] = axes.tile[axis][i];
        places[axis] = int32_t(i);
        walk(axis + 1);
      }
      return;
    }
    for (size_t c = 0; c < axes.contractions.size(); ++c)
      for (size_t r = 0; r < axes.rasters.size(); ++r)
        for (size_t w = 0; w < axes.warps.size(); ++w) {
          schedule.contraction = axes.contractions[c];
          schedule.rasterGroup = axes.rasters[r];
          schedule.rasterAxis = schedule.rasterGroup > 1 ? tile::RasterAxis::N : tile::RasterAxis::M;
          schedule.warps = axes.warps[w];
          places[axis] = int32_t(c);
          places[axis + 1] = int32_t(r);
          places[axis + 2] = int32_t(w);
          places[axis + 3] = number;
          collector.addVector(schedule, places, axes.product, demands);
        }
  };
  walk(0);
}

/// Products on the matrix atoms of a GPU: the space and the estimate of dialects/tile.
Status enumerateAtoms(const KernelProblem &problem, const SpaceTarget &target, Collector &collector) {
  const size_t colon = target.name.find(':');
  const TargetInfo *info = findTarget(std::string_view(target.name).substr(0, colon),
                                      std::string_view(target.name).substr(colon + 1));
  if (!info)
    return Status::success();
  static const std::map<std::string, ElementType> types = {{"bf16", ElementType::BF16},
                                                           {"f16", ElementType::F16},
                                                           {"f32", ElementType::F32},
                                                           {"f8E4M3FN", ElementType::F8E4M3},
                                                           {"f8E4M3FNUZ", ElementType::F8E4M3FNUZ}};
  auto type = [&](const char *name) {
    auto it = types.find(problem.element(name));
    return it == types.end() ? ElementType::BF16 : it->second;
  };
  tile::GemmProblem gemm;
  gemm.m = problem.rows;
  gemm.n = problem.integer("N");
  gemm.k = problem.integer("K");
  gemm.groups = problem.flag("GROUPED") ? problem.integer("E") : 1;
  gemm.a = type("X");
  gemm.b = type("W");
  gemm.math = problem.flag("SCALES") && !problem.flag("QUANTIZED") ? ElementType::BF16 : gemm.b;
  gemm.out = type("Y");
  gemm.scaleK = problem.flag("QUANTIZED") ? 128 : 0;
  const tile::Machine machine = tile::machineOf(*info);
  const tile::CostFacts facts = tile::costFacts(machine);
  tile::ScheduleSpace space = tile::enumerateSchedules(problem.kernel, gemm, machine);
  collector.space.considered += space.considered;
  for (const auto &[resource, count] : space.refused)
    collector.space.refused[std::string(tile::resourceName(resource))] += count;
  for (const tile::ScheduleSpace::Candidate &candidate : space.legal) {
    const Schedule &s = candidate.schedule;
    std::vector<int32_t> axes;
    for (int32_t size : s.tile)
      axes.push_back(std::bit_width(uint32_t(size)));
    axes.insert(axes.end(), {int32_t(s.strategy), s.groups, s.clusterM, s.clusterN, s.fragPrefetch, s.split,
                             s.warps, s.warpGrid.empty() ? 1 : s.warpGrid[0], s.accumStages});
    collector.add(s, std::move(axes), true, tile::estimate(s, gemm, candidate.resources, facts).seconds);
  }
  return Status::success();
}

} // namespace

Expected<KernelSpace> spaceOf(const KernelProblem &problem, const SpaceTarget &target,
                              const std::string &standard, const Lowerable &lowerable) {
  QUERN_ASSIGN_OR_RETURN(JsonDocument document, readSpace(problem.kernel));
  QUERN_ASSIGN_OR_RETURN(std::vector<Demand> demands, readDemands(document.root(), problem, target));
  QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> spaces, document.root().getArray("spaces"));
  QUERN_ASSIGN_OR_RETURN(Schedule standardSchedule, Schedule::parse(standard));
  Collector collector(problem, target, lowerable);
  int32_t number = 0;
  bool any = false, product = false;
  for (JsonRef each : spaces) {
    QUERN_ASSIGN_OR_RETURN(JsonRef when, each.getObject("when"));
    ++number;
    if (!holds(when, problem, target))
      continue;
    any = true;
    QUERN_ASSIGN_OR_RETURN(Axes axes, readAxes(each, target));
    product |= axes.product;
    if (axes.atoms)
      QUERN_RETURN_IF_ERROR(enumerateAtoms(problem, target, collector));
    else
      enumerate(problem, axes, demands, number, collector);
  }
  if (!any)
    return Status::error(Exit::Unsupported, "E-TUNE-NO-SPACE",
                         "the kernel `" + problem.kernel + "` has nothing to tune on `" + target.name + "`");
  KernelSpace space = std::move(collector.space);
  const std::string text = standardSchedule.str();
  auto found = std::find_if(space.points.begin(), space.points.end(),
                            [&](const SearchPoint &point) { return point.config == text; });
  if (found == space.points.end()) {
    // The default need not lie on the grid: it is a point beside it, as near to it as its features say.
    Collector one(problem, target, {});
    const std::vector<int32_t> axes(space.points.empty() ? 1 : space.points.front().axes.size(), -8);
    const double modelled = product || space.points.empty() ? 0 : space.points.front().modelled;
    one.add(standardSchedule, axes, product && standardSchedule.tile.size() == 3, modelled);
    space.points.push_back(std::move(one.space.points.front()));
    found = space.points.end() - 1;
  }
  space.defaultPoint = size_t(found - space.points.begin());
  return std::move(space);
}

} // namespace quern::tuner
