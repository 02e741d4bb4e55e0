//===- Counters.cpp -------------------------------------------------------===//
#include "tools/cli/Counters.h"

#include "support/Files.h"
#include "support/Progress.h"
#include "tools/cli/ModelledTime.h"

#include <algorithm>
#include <cstdarg>

namespace quern::tools {

using namespace quern::runtime;

namespace {

/// The known target of "emulated:VENDOR:ARCHITECTURE"; null where it is none.
const TargetInfo *targetOf(const std::string &device) {
  const size_t first = device.find(':'), second = device.find(':', first + 1);
  if (first == std::string::npos || second == std::string::npos)
    return nullptr;
  return findTarget(device.substr(first + 1, second - first - 1), device.substr(second + 1));
}

const PlanKernel *planKernel(const CounterReport &report, const std::string &symbol) {
  if (report.plan)
    for (const PlanKernel &kernel : report.plan->kernels)
      if (kernel.symbol == symbol)
        return &kernel;
  return nullptr;
}

[[gnu::format(printf, 2, 3)]] void append(std::string &text, const char *format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  int length = std::vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  text.append(line, size_t(std::clamp(length, 0, int(sizeof line) - 1)));
}

double ratio(uint64_t part, uint64_t whole) { return whole ? double(part) / double(whole) : 0; }

/// Lanes for each issue, of those that a warp has.
double activeLanes(const KernelCounters &counters) { return ratio(counters.lanes(), counters.issued()); }

double matrixShare(const KernelCounters &counters) {
  const uint64_t matrix = counters.matrixMultiplyAdds();
  return ratio(matrix, matrix + counters.ordinaryMultiplyAdds);
}

std::vector<const CountedKernel *> inOrder(const CounterReport &report) {
  std::vector<const CountedKernel *> list;
  for (const CountedKernel &kernel : report.kernels)
    list.push_back(&kernel);
  // Most instructions first; they come in the order of symbol and blocks.
  std::sort(list.begin(), list.end(), [](const CountedKernel *a, const CountedKernel *b) {
    const uint64_t first = a->counters.issued(), second = b->counters.issued();
    return first != second ? first > second : a < b;
  });
  return list;
}

void appendDetails(std::string &text, const KernelCounters &c, const TargetInfo *target) {
  const uint64_t issued = std::max<uint64_t>(1, c.issued());
  const std::array<OpcodeCount, numInstructionClasses> mix = c.mix();
  for (const OpcodeCount &count : mix) {
    if (count.issued == 0)
      continue;
    append(text, "    %-13s %12llu issued %5.1f %%, %4.1f lanes:",
           std::string(instructionClassName(count.kind)).c_str(),
           static_cast<unsigned long long>(count.issued), 100 * ratio(count.issued, issued),
           ratio(count.lanes, count.issued));
    std::vector<std::pair<uint64_t, std::string>> names;
    for (const auto &[name, opcode] : c.opcodes)
      if (opcode.kind == count.kind && opcode.issued)
        names.push_back({opcode.issued, name});
    std::sort(names.rbegin(), names.rend());
    constexpr size_t shown = 6;
    for (size_t i = 0; i < std::min(names.size(), shown); ++i)
      append(text, " %s %llu", names[i].second.c_str(), static_cast<unsigned long long>(names[i].first));
    if (names.size() > shown)
      append(text, " and %zu more", names.size() - shown);
    text += "\n";
  }
  for (const auto &[name, count] : c.matrix)
    append(text, "    matrix unit   %s: %llu operations, %llu multiply-adds\n", name.c_str(),
           static_cast<unsigned long long>(count.operations),
           static_cast<unsigned long long>(count.multiplyAdds));
  auto shared = [&](const char *name, const SharedCount &count) {
    if (count.requests)
      append(text, "    %-13s %llu requests, %llu wavefronts where %llu would do, %s\n", name,
             static_cast<unsigned long long>(count.requests),
             static_cast<unsigned long long>(count.wavefronts), static_cast<unsigned long long>(count.ideal),
             formatBytes(double(count.bytes)).c_str());
  };
  auto global = [&](const char *name, const GlobalCount &count) {
    if (count.requests)
      append(text, "    %-13s %llu requests, %.2f sectors each where %.2f would do, %s asked for\n", name,
             static_cast<unsigned long long>(count.requests), ratio(count.sectors, count.requests),
             ratio(count.ideal, count.requests), formatBytes(double(count.bytes)).c_str());
  };
  shared("shared reads", c.sharedLoads);
  shared("shared writes", c.sharedStores);
  if (c.operandBytes)
    append(text, "    by descriptor %s read by the matrix unit\n",
           formatBytes(double(c.operandBytes)).c_str());
  global("global reads", c.globalLoads);
  global("global writes", c.globalStores);
  append(text, "    memory        %s read and %s written, each sector once a launch\n",
         formatBytes(double(c.readBytes)).c_str(), formatBytes(double(c.writtenBytes)).c_str());
  const KernelResources &r = c.resources;
  append(text, "    block         %u threads, %u bytes of shared memory", r.threads, r.sharedBytes);
  if (r.registers)
    append(text, ", %u registers a lane", r.registers);
  if (r.privateBytes)
    append(text, ", %u bytes of private memory a lane", r.privateBytes);
  if (target)
    if (std::optional<Occupancy> most = occupancy(r, *target))
      append(text, "; a unit holds %u (%.0f %% of its warps), limited by %s%s", most->blocks,
             100 * most->warps, most->limit.c_str(), r.registers ? "" : "; registers are not known");
  text += "\n";
  if (target)
    if (std::optional<ModelledTime> time = modelledTime(c, *target)) {
      append(text,
             "    modelled      matrix %.2f, issue %.2f, shared %.2f, l2 %.2f, memory %.2f, launch %.2f us "
             "on %s\n",
             time->matrix * 1e6, time->issue * 1e6, time->shared * 1e6, time->l2 * 1e6, time->memory * 1e6,
             time->launch * 1e6, time->card.c_str());
      for (const std::string &name : time->assumedRates)
        append(text, "                  the rate of %s is not in the tables; the slowest stands for it\n",
               name.c_str());
    }
  if (c.incomplete)
    append(text, "    %llu accesses were counted before all lanes of their warp had come to them\n",
           static_cast<unsigned long long>(c.incomplete));
}

} // namespace

void addCountersFlag(CLI::App &app, std::string &file) {
  app.add_flag("--counters{-}", file,
               "Emulated devices: count what kernels execute; print a table, and write JSON with =FILE.json");
}

Status checkCountersDevice(const std::string &device) {
  if (device.starts_with("emulated:"))
    return Status::success();
  return Status::error(Exit::Usage, "E-COUNTERS-DEVICE", "only emulated devices count what kernels execute")
      .remedy("add --device emulated:TARGET");
}

Expected<CounterReport> countStep(Session &session, int64_t tokens, const std::string &kernel) {
  // Any ids do; a few different ones send tokens to several experts.
  std::vector<uint32_t> ids;
  const uint64_t vocabulary = uint64_t(std::max<int64_t>(1, session.plan().validVocabulary));
  for (int64_t i = 0; i < tokens; ++i)
    ids.push_back(uint32_t((uint64_t(i) * 7919 + 17) % vocabulary));
  QUERN_ASSIGN_OR_RETURN(int32_t sequence, session.begin());
  session.launchDevice().takeKernelCounts(); // of the preparation of weights
  Feed feed{sequence, ids, RowChoice::Last};
  QUERN_ASSIGN_OR_RETURN(LogitsRows unused, session.run({feed}));
  QUERN_RETURN_IF_ERROR(session.end(sequence));
  CounterReport report{session.deviceInfo().name, {}, &session.plan()};
  for (CountedKernel &counted : session.launchDevice().takeKernelCounts()) {
    const PlanKernel *planned = planKernel(report, counted.symbol);
    if (kernel.empty() || counted.symbol.starts_with(kernel) ||
        (planned && planned->text.substr(0, planned->text.find('{')) == kernel))
      report.kernels.push_back(std::move(counted));
  }
  if (report.kernels.empty() && !kernel.empty())
    return Status::error(Exit::Usage, "E-INSPECT-KERNEL", "a step launches no kernel `" + kernel + "`")
        .remedy("`quern inspect` without --kernel lists them");
  return std::move(report);
}

std::string countersText(const CounterReport &report, bool details) {
  const TargetInfo *target = targetOf(report.device);
  std::string text;
  append(text, "counters of %s: what was executed, and a time that is modelled from it, not measured\n",
         report.device.c_str());
  append(text, "  %-30s %6s %8s %12s %6s %14s %7s %11s %11s %10s %12s  %s\n", "kernel", "blocks", "launches",
         "issued", "lanes", "multiply-adds", "matrix", "bank clocks", "sectors/req", "read", "modelled us",
         "bound");
  double sum = 0;
  for (const CountedKernel *kernel : inOrder(report)) {
    const KernelCounters &c = kernel->counters;
    const uint64_t wavefronts = c.sharedLoads.wavefronts + c.sharedStores.wavefronts,
                   ideal = c.sharedLoads.ideal + c.sharedStores.ideal,
                   requests = c.globalLoads.requests + c.globalStores.requests;
    char banks[32], sectors[32];
    std::snprintf(banks, sizeof banks, ideal ? "%.2fx" : "-", ratio(wavefronts, ideal));
    std::snprintf(sectors, sizeof sectors, "%.1f of %.1f",
                  ratio(c.globalLoads.sectors + c.globalStores.sectors, requests),
                  ratio(c.globalLoads.ideal + c.globalStores.ideal, requests));
    std::string modelled = "-", bound;
    if (target)
      if (std::optional<ModelledTime> time = modelledTime(c, *target)) {
        char number[32];
        std::snprintf(number, sizeof number, "%.2f", time->seconds * 1e6);
        modelled = number;
        bound = time->bound;
        sum += time->seconds * double(c.launches);
      }
    const uint64_t products = c.matrixMultiplyAdds() + c.ordinaryMultiplyAdds;
    append(text, "  %-30s %6u %8llu %12llu %6.1f %14llu %6.1f%% %11s %11s %10s %12s  %s\n",
           kernel->symbol.c_str(), kernel->blocks, static_cast<unsigned long long>(c.launches),
           static_cast<unsigned long long>(c.issued()), activeLanes(c),
           static_cast<unsigned long long>(products), 100 * matrixShare(c), banks, sectors,
           formatBytes(double(c.readBytes)).c_str(), modelled.c_str(), bound.c_str());
    if (details) {
      if (const PlanKernel *plan = planKernel(report, kernel->symbol))
        append(text, "    text          %s\n", plan->text.c_str());
      appendDetails(text, c, target);
    }
  }
  if (sum > 0)
    append(text, "  modelled time of all launches: %.1f us\n", sum * 1e6);
  return text;
}

Json countersJson(const CounterReport &report) {
  const TargetInfo *target = targetOf(report.device);
  Json root = Json::object(), list = Json::array();
  root.set("schema", "quern.counters");
  root.set("schema_version", 1);
  root.set("device", report.device);
  for (const CountedKernel *kernel : inOrder(report)) {
    const KernelCounters &c = kernel->counters;
    Json &row = list.push(Json::object());
    row.set("symbol", kernel->symbol);
    if (const PlanKernel *plan = planKernel(report, kernel->symbol))
      row.set("text", plan->text);
    row.set("blocks", kernel->blocks);
    row.set("launches", c.launches);
    row.set("warps", c.warps);
    row.set("issued", c.issued());
    row.set("lanes", c.lanes());
    Json mix = Json::object(), opcodes = Json::object(), matrix = Json::object();
    for (const OpcodeCount &count : c.mix()) {
      Json &one = mix.set(instructionClassName(count.kind), Json::object());
      one.set("issued", count.issued);
      one.set("lanes", count.lanes);
    }
    for (const auto &[name, count] : c.opcodes) {
      Json &one = opcodes.set(name, Json::object());
      one.set("class", instructionClassName(count.kind));
      one.set("issued", count.issued);
      one.set("lanes", count.lanes);
    }
    for (const auto &[name, count] : c.matrix) {
      Json &one = matrix.set(name, Json::object());
      one.set("operations", count.operations);
      one.set("multiply_adds", count.multiplyAdds);
    }
    row.set("mix", std::move(mix));
    row.set("opcodes", std::move(opcodes));
    row.set("matrix", std::move(matrix));
    row.set("matrix_multiply_adds", c.matrixMultiplyAdds());
    row.set("ordinary_multiply_adds", c.ordinaryMultiplyAdds);
    auto shared = [&](const char *name, const SharedCount &count) {
      Json &one = row.set(name, Json::object());
      one.set("requests", count.requests);
      one.set("wavefronts", count.wavefronts);
      one.set("ideal_wavefronts", count.ideal);
      one.set("bytes", count.bytes);
    };
    auto global = [&](const char *name, const GlobalCount &count) {
      Json &one = row.set(name, Json::object());
      one.set("requests", count.requests);
      one.set("sectors", count.sectors);
      one.set("ideal_sectors", count.ideal);
      one.set("bytes", count.bytes);
    };
    shared("shared_loads", c.sharedLoads);
    shared("shared_stores", c.sharedStores);
    global("global_loads", c.globalLoads);
    global("global_stores", c.globalStores);
    row.set("sector_bytes", c.sectorBytes);
    row.set("operand_bytes", c.operandBytes);
    row.set("memory_read_bytes", c.readBytes);
    row.set("memory_written_bytes", c.writtenBytes);
    row.set("barriers", c.barriers);
    row.set("incomplete", c.incomplete);
    Json &resources = row.set("resources", Json::object());
    resources.set("threads", c.resources.threads);
    resources.set("warp_lanes", c.resources.warpLanes);
    resources.set("registers", c.resources.registers);
    resources.set("scalar_registers", c.resources.scalarRegisters);
    resources.set("shared_bytes", c.resources.sharedBytes);
    resources.set("private_bytes", c.resources.privateBytes);
    if (!target)
      continue;
    if (std::optional<Occupancy> most = occupancy(c.resources, *target)) {
      Json &one = row.set("occupancy", Json::object());
      one.set("blocks_per_unit", most->blocks);
      one.set("limit", most->limit);
      one.set("warps_share", most->warps);
    }
    if (std::optional<ModelledTime> time = modelledTime(c, *target)) {
      Json &one = row.set("modelled", Json::object());
      one.set("card", time->card);
      one.set("seconds", time->seconds);
      one.set("bound", time->bound);
      one.set("matrix_seconds", time->matrix);
      one.set("matrix_clocks", time->matrixClocks);
      one.set("issue_seconds", time->issue);
      one.set("shared_seconds", time->shared);
      one.set("l2_seconds", time->l2);
      one.set("memory_seconds", time->memory);
      one.set("launch_seconds", time->launch);
      Json assumed = Json::array();
      for (const std::string &name : time->assumedRates)
        assumed.push(name);
      one.set("assumed_rates", std::move(assumed));
    }
  }
  root.set("kernels", std::move(list));
  return root;
}

std::vector<Json> countersRows(const CounterReport &report) {
  std::vector<Json> rows;
  for (const CountedKernel *kernel : inOrder(report))
    for (const auto &[name, count] : kernel->counters.opcodes) {
      Json &row = rows.emplace_back(Json::object());
      row.set("symbol", kernel->symbol);
      row.set("blocks", kernel->blocks);
      row.set("launches", kernel->counters.launches);
      row.set("opcode", name);
      row.set("class", instructionClassName(count.kind));
      row.set("issued", count.issued);
      row.set("lanes", count.lanes);
    }
  return rows;
}

Status reportCounters(const CounterReport &report, const std::string &file, std::FILE *to, bool details) {
  const std::string text = countersText(report, details);
  std::fwrite(text.data(), 1, text.size(), to);
  if (file == "-")
    return Status::success();
  return writeFile(file, writeJson(countersJson(report), {.indent = 2}) + "\n");
}

} // namespace quern::tools
