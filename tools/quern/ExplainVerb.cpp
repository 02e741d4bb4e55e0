//===- ExplainVerb.cpp - `quern explain`: why each kernel is as it is -----===//
#include "runtime/artifact/Artifact.h"
#include "runtime/plan/Plan.h"
#include "tools/cli/Rows.h"
#include "tools/quern/Verb.h"
#include "tuner/database/KernelKey.h"
#include "tuner/database/TuningSlice.h"

#include <cstdio>
#include <memory>
#include <set>

using namespace quern::runtime;
using namespace quern::tuner;

namespace quern::tools {

namespace {

/// Below 1 is faster.
std::string gain(const Ratio &ratio) {
  char text[96];
  std::snprintf(text, sizeof text, "%.1f %% (%.1f to %.1f)", (1 - ratio.median) * 100, (1 - ratio.high) * 100,
                (1 - ratio.low) * 100);
  return text;
}

/// An entry for a kernel that no database was asked about.
SliceEntry withoutDatabase(const std::string &target, const PlanKernel &kernel) {
  SliceEntry entry;
  entry.target = target;
  entry.symbol = kernel.symbol;
  entry.kernel = kernel.symbol.substr(0, kernel.symbol.rfind('_'));
  entry.config = entry.defaultConfig = std::string(scheduleOfText(kernel.text));
  entry.rows = {0, 0};
  entry.why = "the artifact was compiled without --tuning";
  return entry;
}

/// What would make the answer better; empty where nothing would.
std::string improvement(const SliceEntry &entry, const std::string &artifact, bool hasSlice) {
  if (hasSlice && entry.family.empty())
    return "";
  if (entry.nearness == Nearness::Exact && !entry.stale)
    return "";
  return "quern tune " + artifact + " --target " + entry.target + " --ops " + entry.kernel +
         " --db FILE, then compile " + "with --tuning FILE" +
         (hasSlice && entry.nearness == Nearness::Near ? " --tuning-device DEVICE" : "");
}

Json rowOf(const SliceEntry &entry, const std::string &command) {
  Json row = Json::object(), points = Json::array();
  row.set("target", entry.target);
  row.set("symbol", entry.symbol);
  row.set("kernel", entry.kernel);
  row.set("rows", entry.rows.last > 0 ? entry.rows.text() : "");
  row.set("found", nearnessName(entry.nearness));
  row.set("config", entry.config);
  row.set("why", entry.why);
  row.set("stale", entry.stale);
  row.set("device", entry.device);
  row.set("default", entry.defaultConfig);
  row.set("ratio", entry.ratio.median);
  row.set("ratio_low", entry.ratio.low);
  row.set("ratio_high", entry.ratio.high);
  row.set("runner_up", entry.runnerUp);
  row.set("runner_up_ratio", entry.runnerUpRatio.median);
  for (int64_t point : entry.points)
    points.push(point);
  row.set("points", std::move(points));
  row.set("trials", entry.trials);
  row.set("tried", entry.tried);
  row.set("improve", command);
  return row;
}

void printEntry(const SliceEntry &entry, const std::string &command) {
  std::printf("  %-32s %-8s %s\n", entry.symbol.c_str(), nearnessName(entry.nearness), entry.config.c_str());
  if (entry.rows.last > 0)
    std::printf("      rows    %s\n", entry.rows.text().c_str());
  std::printf("      %s\n", entry.why.c_str());
  if (entry.config != entry.defaultConfig)
    std::printf("      beat    %s by %s, %llu trials of %llu configurations\n", entry.defaultConfig.c_str(),
                gain(entry.ratio).c_str(), static_cast<unsigned long long>(entry.trials),
                static_cast<unsigned long long>(entry.tried));
  if (!entry.runnerUp.empty())
    std::printf("      next    %s, which beat it by %s\n", entry.runnerUp.c_str(),
                gain(entry.runnerUpRatio).c_str());
  if (!command.empty())
    std::printf("      improve %s\n", command.c_str());
}

} // namespace

VerbBody addExplainVerb(CLI::App &app) {
  struct Options {
    std::string artifact, kernel, target;
    OutputFormat format = OutputFormat::Text;
    ProgramFlags flags;
  };
  auto options = std::make_shared<Options>();
  CLI::App *verb = app.add_subcommand("explain", "Say why each kernel of an artifact has its configuration");
  verb->add_option("FILE", options->artifact, "Artifact")->required();
  verb->add_option("--kernel", options->kernel, "One kernel, by symbol or by name of its text");
  verb->add_option("--target", options->target, "Only this target")->default_str("all");
  addFormatFlag(*verb, options->format);
  addProgramFlags(*verb, options->flags);
  return [=]() -> Status {
    QUERN_ASSIGN_OR_RETURN(Artifact artifact, Artifact::open(options->artifact));
    const bool hasSlice = artifact.has(tuningMemberName);
    std::vector<SliceEntry> slice;
    if (hasSlice) {
      QUERN_ASSIGN_OR_RETURN(std::string_view text, artifact.readText(tuningMemberName));
      QUERN_ASSIGN_OR_RETURN(slice, readSlice(text));
    }
    std::vector<Json> rows;
    const bool text = options->format == OutputFormat::Text;
    bool found = false;
    for (const ManifestTarget &target : artifact.manifest().targets) {
      if (!options->target.empty() && options->target != "all" && options->target != target.target)
        continue;
      QUERN_ASSIGN_OR_RETURN(std::string_view planText, artifact.readText("plan/" + target.folder + ".json"));
      QUERN_ASSIGN_OR_RETURN(Plan plan, readPlan(planText));
      std::vector<SliceEntry> entries;
      size_t levels[3] = {};
      // A slice names targets without their options: "nvidia:sm_90a" of "nvidia:sm_90a,sms=44".
      const std::string name = target.target.substr(0, target.target.find(','));
      for (const PlanKernel &kernel : plan.kernels) {
        const size_t before = entries.size();
        for (const SliceEntry &entry : slice)
          if (entry.symbol == kernel.symbol && entry.target == name)
            entries.push_back(entry);
        if (entries.size() == before)
          entries.push_back(withoutDatabase(target.target, kernel));
      }
      for (const SliceEntry &entry : entries)
        ++levels[size_t(entry.nearness)];
      if (text)
        std::printf("%s (%s): %zu exact, %zu near, %zu default\n", target.target.c_str(), target.rung.c_str(),
                    levels[0], levels[1], levels[2]);
      for (const SliceEntry &entry : entries) {
        if (!options->kernel.empty() && options->kernel != entry.symbol && options->kernel != entry.kernel)
          continue;
        found = true;
        const std::string command = improvement(entry, options->artifact, hasSlice);
        rows.push_back(rowOf(entry, command));
        if (text)
          printEntry(entry, command);
      }
    }
    if (!found)
      return Status::error(Exit::Usage, "E-INSPECT-KERNEL", "`" + options->artifact + "` has no such kernel")
          .remedy("`quern explain " + options->artifact + "` lists all");
    if (isRows(options->format)) {
      std::printf("%s", rowsText("quern.explain", rows, options->format).c_str());
    } else if (!text) {
      Json root = Json::object(), list = Json::array();
      for (const Json &row : rows)
        list.push(row);
      root.set("schema", "quern.explain");
      root.set("schema_version", 1);
      root.set("artifact", artifact.name());
      root.set("tuned", hasSlice);
      root.set("kernels", std::move(list));
      std::printf("%s\n", writeJson(root, {.indent = 2}).c_str());
    }
    return Status::success();
  };
}

} // namespace quern::tools
