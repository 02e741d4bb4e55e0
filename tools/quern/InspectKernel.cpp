//===- InspectKernel.cpp - One kernel of an artifact ----------------------===//
#include "lowering/KernelCompiler.h"
#include "lowering/KernelExchange.h"
#include "tools/cli/Rows.h"
#include "tools/quern/Inspect.h"

#include <cstdio>
#include <functional>

using namespace quern::runtime;

namespace quern::tools {

/// Calls |visit| for each launch of |kernel|.
static void forEachLaunchOf(size_t kernel, const PlanEntry &entry,
                            const std::function<void(const PlacedLaunch &)> &visit) {
  forEachLaunch(entry.steps, [&](const PlacedLaunch &placed) {
    if (size_t(placed.launch.kernel) == kernel)
      visit(placed);
  });
}

/// The values for which a launch runs; empty where it always does.
static std::string whenText(const PlacedLaunch &placed) {
  return placed.choice ? placed.choice->rangeText(placed.alternative) : std::string();
}

int64_t launchesInStep(const Plan &plan, size_t kernel) {
  int64_t count = 0;
  if (const PlanEntry *step = plan.findEntry("step"))
    forEachLaunchOf(kernel, *step, [&](const PlacedLaunch &placed) { count += placed.runs; });
  return count;
}

std::string gridText(const PlanKernel &kernel) {
  std::string text;
  for (const PlanGridDimension &d : kernel.grid) {
    text += text.empty() ? "" : " x ";
    std::string extent = d.argument >= 0 ? "#" + std::to_string(d.argument) : std::to_string(d.extent);
    text += d.step == 1 ? extent : "ceil(" + extent + "/" + std::to_string(d.step) + ")";
  }
  return text.empty() ? "1" : text;
}

namespace {

struct Found {
  const InspectedTarget *target;
  size_t kernel;
  const PlanKernel &get() const { return target->plan.kernels[kernel]; }
};

/// "linear" of "linear{...}".
std::string textName(const PlanKernel &kernel) { return kernel.text.substr(0, kernel.text.find('{')); }

std::string argumentText(const LaunchArgument &argument) {
  using Kind = LaunchArgument::Kind;
  static const char *const kinds[] = {"null",   "work",  "input", "output",
                                      "weight", "table", "cache", "scalar"};
  if (argument.kind == Kind::Null)
    return "null";
  if (argument.kind == Kind::Scalar)
    return argument.scalar == ScalarKind::F32 ? std::to_string(argument.real) : argument.size.text();
  std::string text = std::string(kinds[size_t(argument.kind)]) + " " + argument.name;
  if (argument.offset != 0)
    text += "+" + std::to_string(argument.offset);
  return text;
}

/// "bf16 [2048, #8], strides 4096, box 64x128, swizzle 128": #N is argument N.
std::string mapText(const PlanTensorMap &map) {
  std::string text = map.element + " [";
  for (const PlanTensorMap::Extent &extent : map.extents)
    text += (text.back() == '[' ? "" : ", ") +
            (extent.argument >= 0 ? "#" + std::to_string(extent.argument) : std::to_string(extent.extent));
  text += "], strides";
  for (int64_t stride : map.strides)
    text += " " + std::to_string(stride);
  text += ", box ";
  for (size_t d = 0; d < map.box.size(); ++d)
    text += (d ? "x" : "") + std::to_string(map.box[d]);
  return text + ", swizzle " + std::to_string(map.swizzle);
}

std::string originText(const Launch &launch) {
  std::string text;
  for (int32_t number : launch.origin)
    text += (text.empty() ? "" : " ") + std::to_string(number);
  return text;
}

void printKernel(const Artifact &artifact, const Found &found) {
  const PlanKernel &kernel = found.get();
  std::printf("%s for %s\n", kernel.symbol.c_str(), found.target->target.target.c_str());
  std::printf("  text       %s\n", kernel.text.c_str());
  uint64_t bytes = 0;
  for (const ZipMember &member : artifact.members())
    if (member.name == kernel.member)
      bytes = member.size;
  std::printf("  code       %s, %llu bytes\n", kernel.member.c_str(), static_cast<unsigned long long>(bytes));
  std::printf("  grid       %s blocks of %u threads, %u bytes of shared memory\n", gridText(kernel).c_str(),
              kernel.threads, kernel.sharedBytes);
  std::printf("  arguments ");
  for (size_t i = 0; i < kernel.arguments.size(); ++i)
    std::printf(" #%zu %s", i, kernel.arguments[i].c_str());
  std::printf("\n");
  for (const PlanTensorMap &map : kernel.maps)
    std::printf("  map        #%d %s\n", map.argument, mapText(map).c_str());
  for (const PlanEntry &entry : found.target->plan.entries)
    forEachLaunchOf(found.kernel, entry, [&](const PlacedLaunch &placed) {
      const Launch &launch = placed.launch;
      const std::string when = whenText(placed);
      std::printf("  launch     %s: %s, %lld times%s, operators %s\n", entry.name.c_str(),
                  launch.note.c_str(), static_cast<long long>(placed.runs),
                  when.empty() ? "" : (" where " + when).c_str(), originText(launch).c_str());
      for (size_t i = 0; i < launch.arguments.size(); ++i)
        std::printf("             #%zu %s\n", i, argumentText(launch.arguments[i]).c_str());
    });
}

Json kernelJson(const Found &found) {
  const PlanKernel &kernel = found.get();
  Json json = Json::object(), arguments = Json::array(), launches = Json::array();
  json.set("symbol", kernel.symbol);
  json.set("target", found.target->target.target);
  json.set("text", kernel.text);
  json.set("member", kernel.member);
  json.set("grid", gridText(kernel));
  json.set("threads", kernel.threads);
  json.set("shared_bytes", kernel.sharedBytes);
  for (const std::string &kind : kernel.arguments)
    arguments.push(kind);
  json.set("arguments", std::move(arguments));
  if (!kernel.maps.empty()) {
    Json maps = Json::array();
    for (const PlanTensorMap &map : kernel.maps)
      maps.push("#" + std::to_string(map.argument) + " " + mapText(map));
    json.set("maps", std::move(maps));
  }
  for (const PlanEntry &entry : found.target->plan.entries)
    forEachLaunchOf(found.kernel, entry, [&](const PlacedLaunch &placed) {
      const Launch &launch = placed.launch;
      Json &one = launches.push(Json::object());
      one.set("entry", entry.name);
      one.set("note", launch.note);
      one.set("times", placed.runs);
      one.set("when", whenText(placed));
      Json origin = Json::array();
      for (int32_t number : launch.origin)
        origin.push(number);
      one.set("operators", std::move(origin));
    });
  json.set("launches", std::move(launches));
  return json;
}

/// A row for each launch of the kernel.
void appendLaunchRows(const Found &found, std::vector<Json> &rows) {
  const Json kernel = kernelJson(found);
  for (const Json &launch : kernel.find("launches")->items()) {
    Json &row = rows.emplace_back(Json::object());
    for (const char *column : {"symbol", "target", "grid", "threads", "shared_bytes"})
      row.set(column, *kernel.find(column));
    for (const Json::Member &member : launch.members())
      row.set(member.key, member.value);
  }
}

Expected<std::string> stageText(const Found &found, const std::string &stage) {
  static constexpr std::pair<const char *, lowering::KernelStage> stages[] = {
      {"tile", lowering::KernelStage::Tile},   {"layouts", lowering::KernelStage::Layouts},
      {"rings", lowering::KernelStage::Rings}, {"target", lowering::KernelStage::Target},
      {"llvm", lowering::KernelStage::Llvm},   {"code", lowering::KernelStage::Assembly}};
  lowering::CompileKernelOptions options;
  for (auto [name, value] : stages)
    if (stage == name)
      options.keep = {value};
  QUERN_ASSIGN_OR_RETURN(lowering::KernelRequest request, lowering::parseKernelRequest(found.get().text));
  QUERN_ASSIGN_OR_RETURN(std::vector<lowering::CodeTarget> targets,
                         lowering::codeTargets(found.target->plan.target));
  QUERN_ASSIGN_OR_RETURN(lowering::CompiledKernel kernel,
                         lowering::compileKernel(request, targets.front(), options));
  return kernel.texts[options.keep.front()];
}

} // namespace

Status inspectKernel(const Artifact &artifact, const std::vector<InspectedTarget> &targets,
                     const std::string &name, const std::string &stage, OutputFormat format) {
  std::vector<Found> found;
  for (const InspectedTarget &target : targets)
    for (size_t k = 0; k < target.plan.kernels.size(); ++k)
      if (target.plan.kernels[k].symbol.starts_with(name) || textName(target.plan.kernels[k]) == name)
        found.push_back({&target, k});
  if (found.empty())
    return Status::error(Exit::Usage, "E-INSPECT-KERNEL",
                         "`" + artifact.name() + "` has no kernel `" + name + "`")
        .remedy("`quern inspect` without --kernel lists them");
  if (!stage.empty()) {
    if (found.size() > 1)
      return Status::error(Exit::Usage, "E-INSPECT-KERNEL",
                           "`" + name + "` stands for " + std::to_string(found.size()) + " kernels")
          .cause("the first two are `" + found[0].get().symbol + "` for " + found[0].target->target.target +
                 " and `" + found[1].get().symbol + "` for " + found[1].target->target.target)
          .remedy("give one symbol, and one target with --target");
    QUERN_ASSIGN_OR_RETURN(std::string text, stageText(found.front(), stage));
    std::printf("%s%s", text.c_str(), text.ends_with('\n') ? "" : "\n");
    return Status::success();
  }
  if (isRows(format)) {
    std::vector<Json> rows;
    for (const Found &one : found)
      appendLaunchRows(one, rows);
    std::printf("%s", rowsText("quern.inspect.kernels", rows, format).c_str());
    return Status::success();
  }
  if (format == OutputFormat::Json) {
    Json root = Json::object(), list = Json::array();
    for (const Found &one : found)
      list.push(kernelJson(one));
    root.set("schema", "quern.inspect.kernels");
    root.set("schema_version", 1);
    root.set("kernels", std::move(list));
    std::printf("%s\n", writeJson(root, {.indent = 2}).c_str());
    return Status::success();
  }
  for (const Found &one : found)
    printKernel(artifact, one);
  return Status::success();
}

} // namespace quern::tools
