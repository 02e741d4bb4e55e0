//===- CompareVerb.cpp ----------------------------------------------------===//
#include "tools/cli/CompareVerb.h"
#include "tools/cli/BenchVerb.h"
#include "tools/cli/Counters.h"
#include "tools/cli/ModelledTime.h"
#include "tools/cli/Program.h"
#include "tools/cli/Rows.h"

#include "support/Files.h"
#include "support/target/TargetSpec.h"
#include "tuner/report/Gate.h"
#include "tuner/report/Page.h"
#include "tuner/report/Replay.h"
#include "tuner/report/Turns.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>

namespace quern::tools {

using namespace quern::runtime;
using namespace quern::report;

namespace {

struct CompareOptions {
  std::vector<std::string> inputs, devices, targets;
  std::string gate, html, save, replay, order = "abba", filter;
  std::vector<int64_t> tokens = {1};
  uint32_t rounds = 15;
  uint64_t seed = 0;
  bool warm = false;
  ModelTestFlags tests;
  SessionOptions session;
  OutputFormat format = OutputFormat::Text;
  ProgramFlags flags;
};

bool isResults(const std::string &path) { return path.ends_with(".json") || path.ends_with(".jsonl"); }

Status usage(const char *sentence, const char *remedy) {
  return Status::error(Exit::Usage, "E-COMPARE-OPTIONS", sentence).remedy(remedy);
}

Json listJson(const auto &values) {
  Json list = Json::array();
  for (const auto &value : values)
    list.push(value);
  return list;
}

/// What decides about what is measured, by name; `applyOptions` reads it back.
Json optionsJson(const CompareOptions &o) {
  Json json = Json::object();
  json.set("device", listJson(o.devices));
  json.set("tokens", listJson(o.tokens));
  json.set("prompt", listJson(o.tests.prompts));
  json.set("gen", listJson(o.tests.generated));
  json.set("pg", listJson(o.tests.both));
  json.set("depth", listJson(o.tests.depths));
  json.set("kernel", o.filter);
  json.set("rounds", o.rounds);
  json.set("order", o.order);
  json.set("seed", o.seed);
  json.set("warm-cache", o.warm);
  json.set("threads", o.session.deviceOptions.threads);
  json.set("weights-dir", o.session.weightsDirectory);
  return json;
}

Status applyOptions(const Json &options, CompareOptions &o) {
  const JsonDocument document("command.json: options", options);
  const JsonRef root = document.root();
  auto texts = [&](const char *key, std::vector<std::string> &values) -> Status {
    values.clear();
    QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> items, root.getArray(key));
    for (const JsonRef &item : items) {
      QUERN_ASSIGN_OR_RETURN(std::string_view text, item.asString());
      values.emplace_back(text);
    }
    return Status::success();
  };
  auto numbers = [&](const char *key, std::vector<int64_t> &values, int64_t least) -> Status {
    values.clear();
    QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> items, root.getArray(key));
    for (const JsonRef &item : items) {
      QUERN_ASSIGN_OR_RETURN(int64_t value, item.asInt({least, int64_t(1) << 24}));
      values.push_back(value);
    }
    return Status::success();
  };
  QUERN_RETURN_IF_ERROR(texts("device", o.devices));
  QUERN_RETURN_IF_ERROR(numbers("tokens", o.tokens, 1));
  QUERN_RETURN_IF_ERROR(numbers("prompt", o.tests.prompts, 1));
  QUERN_RETURN_IF_ERROR(numbers("gen", o.tests.generated, 1));
  QUERN_RETURN_IF_ERROR(texts("pg", o.tests.both));
  QUERN_RETURN_IF_ERROR(numbers("depth", o.tests.depths, 0));
  QUERN_ASSIGN_OR_RETURN(std::string_view filter, root.getString("kernel"));
  QUERN_ASSIGN_OR_RETURN(std::string_view order, root.getString("order"));
  QUERN_ASSIGN_OR_RETURN(std::string_view weights, root.getString("weights-dir"));
  QUERN_ASSIGN_OR_RETURN(int64_t rounds, root.getInt("rounds", {1, 100000}));
  QUERN_ASSIGN_OR_RETURN(int64_t threads, root.getInt("threads", {0, 4096}));
  QUERN_ASSIGN_OR_RETURN(uint64_t seed, root.getUInt("seed"));
  QUERN_ASSIGN_OR_RETURN(bool warm, root.getBool("warm-cache"));
  o.filter = filter;
  o.order = order;
  o.session.weightsDirectory = weights;
  o.rounds = uint32_t(rounds);
  o.session.deviceOptions.threads = uint32_t(threads);
  o.seed = seed;
  o.warm = warm;
  return Status::success();
}

/// The command that makes the same comparison again, for the report.
std::string commandText(const CompareOptions &o) {
  std::string text = "quern compare";
  for (const std::string &input : o.inputs)
    text += " " + input;
  for (const std::string &device : o.devices)
    text += " --device " + device;
  for (const std::string &target : o.targets)
    text += " --target " + target;
  if (o.inputs.empty() || !isResults(o.inputs.front())) {
    text += " --tokens ";
    for (size_t i = 0; i < o.tokens.size(); ++i)
      text += (i ? "," : "") + std::to_string(o.tokens[i]);
    if (o.targets.empty())
      text += " --rounds " + std::to_string(o.rounds) + " --order " + o.order + " --seed " +
              std::to_string(o.seed);
  }
  return text;
}

void printText(const Comparison &comparison, const Ledger &ledger) {
  std::printf("A  %s\nB  %s\nratio = time of B / time of A, 95 %% intervals, %s\n\n",
              comparison.a->name.c_str(), comparison.b->name.c_str(),
              comparison.paired ? "samples taken in turns" : "sides measured apart");
  std::printf("  %-40s %12s %12s %8s %17s  %s\n", "result", "A us", "B us", "B / A", "interval", "faster");
  for (const Pair &pair : comparison.pairs) {
    char interval[40] = "-";
    if (pair.interval != IntervalKind::None)
      std::snprintf(interval, sizeof interval, "%.3f-%.3f", pair.ratio.low, pair.ratio.high);
    std::printf("  %-40s %12.3f %12.3f %8.3f %17s  %s\n", pair.a->name.c_str(), pair.a->seconds.median * 1e6,
                pair.b->seconds.median * 1e6, pair.ratio.median, interval, verdictName(pair.verdict));
  }
  for (const GroupMean &group : comparison.groups) {
    std::printf("\n%s: ", group.group.c_str());
    if (group.rows)
      std::printf("geometric mean of %zu ratios %.3f (%.3f-%.3f), faster: %s", group.rows, group.ratio.median,
                  group.ratio.low, group.ratio.high, verdictName(group.verdict));
    else
      std::printf("%s", verdictName(group.verdict));
    std::printf("; sums %.1f us and %.1f us\n", group.aSeconds * 1e6, group.bSeconds * 1e6);
  }
  if (!comparison.onlyA.empty() || !comparison.onlyB.empty())
    std::printf("\non one side only: %zu of A, %zu of B\n", comparison.onlyA.size(), comparison.onlyB.size());
  std::printf("\nledger: %zu lines, %zu not recorded%s\n", ledger.lines.size(), ledger.missing(),
              ledger.missing() ? " (incomplete)" : "");
  for (const LedgerLine &line : ledger.lines)
    if (line.state == LedgerState::Differs)
      std::printf("  differs  %s: %s | %s\n", line.name.c_str(), line.a.c_str(), line.b.c_str());
  for (const std::string &text : ledger.asymmetries)
    std::printf("  asymmetry  %s\n", text.c_str());
}

void print(const Comparison &comparison, const Ledger &ledger, OutputFormat format) {
  if (format == OutputFormat::Text) {
    printText(comparison, ledger);
    return;
  }
  Json root = comparisonJson(comparison);
  if (format == OutputFormat::Json) {
    root.set("ledger", ledgerJson(ledger));
    std::printf("%s\n", writeJson(root, {.indent = 2}).c_str());
    return;
  }
  std::vector<Json> rows;
  for (const Json &pair : root.find("pairs")->items()) {
    Json &row = rows.emplace_back(Json::object());
    for (const Json::Member &member : pair.members())
      if (member.value.isObject())
        for (const char *part : {"median", "low", "high"})
          row.set(member.key + (std::string(part) == "median" ? "" : std::string("_") + part),
                  *member.value.find(part));
      else
        row.set(member.key, member.value);
  }
  std::printf("%s", rowsText("quern.compare", rows, format).c_str());
}

/// Everything behind two sets of results: statistics, report, replay directory, gate.
class Report {
public:
  Report(const CompareOptions &options, ResultSet a, ResultSet b, bool paired)
      : options(options), a(std::move(a)), b(std::move(b)), paired(paired) {}

  Status compare() {
    QUERN_ASSIGN_OR_RETURN(Comparison made, compareResults(a, b, paired));
    comparison = std::move(made);
    ledger = makeLedger(comparison);
    return Status::success();
  }

  Status write(const std::string &kind) const {
    const std::string page = comparisonPage(comparison, ledger, commandText(options));
    if (!options.html.empty())
      QUERN_RETURN_IF_ERROR(writeFile(options.html, page));
    if (options.save.empty())
      return Status::success();
    ReplayCommand command;
    command.kind = kind;
    command.options = optionsJson(options);
    command.inputs = options.inputs;
    if (options.inputs[0].ends_with(".jsonl"))
      command.aFile = "a.jsonl";
    if (options.inputs.back().ends_with(".jsonl"))
      command.bFile = "b.jsonl";
    command.digests = digests();
    return writeReplay(options.save, command, comparison, ledger, page);
  }

  /// Of both sides' module and code, as text.
  std::vector<std::string> digests() const {
    std::vector<std::string> texts;
    for (const ResultSet *set : {&a, &b})
      for (const char *key : {"compiler", "module", "plan"})
        if (const Json *value = set->context.find(key); value && value->isString())
          texts.push_back(value->string());
    return texts;
  }

  void show() const { print(comparison, ledger, options.format); }

  const CompareOptions &options;
  ResultSet a, b;
  bool paired;
  Comparison comparison;
  Ledger ledger;
};

Status gateOf(const CompareOptions &options, const Comparison &comparison) {
  if (options.gate.empty())
    return Status::success();
  QUERN_ASSIGN_OR_RETURN(Gate gate, Gate::parse(options.gate));
  return gate.check(comparison);
}

/// |replayed| is the directory that the files are copies in, where they are; their names are then those of
/// the originals.
Status compareFiles(const CompareOptions &options, const std::string &a, const std::string &b,
                    const std::string &replayed) {
  QUERN_ASSIGN_OR_RETURN(ResultSet first, readResults(a));
  QUERN_ASSIGN_OR_RETURN(ResultSet second, readResults(b));
  first.name = std::filesystem::path(options.inputs[0]).stem();
  second.name = std::filesystem::path(options.inputs[1]).stem();
  const bool turns = takenInTurns(first, second);
  Report report(options, std::move(first), std::move(second), turns);
  QUERN_RETURN_IF_ERROR(report.compare());
  if (!replayed.empty())
    QUERN_RETURN_IF_ERROR(checkReplay(replayed, report.comparison));
  QUERN_RETURN_IF_ERROR(report.write("files"));
  report.show();
  return gateOf(options, report.comparison);
}

/// Of one artifact on two devices, or of two on one (or on two).
Status compareTurns(const CompareOptions &options, const std::vector<std::string> &digests) {
  QUERN_ASSIGN_OR_RETURN(std::vector<ModelTest> tests, options.tests.tests());
  SessionOptions own = options.session;
  own.tokensPerStep = *std::max_element(options.tokens.begin(), options.tokens.end());
  own.context = own.tokensPerStep;
  for (const ModelTest &test : tests)
    own.context = std::max(own.context, test.positions());
  own.tokensPerStep = tests.empty() ? own.tokensPerStep : 0;
  std::unique_ptr<Session> sessions[2];
  for (size_t side : {0, 1}) {
    own.device = options.devices.empty() ? "" : options.devices[std::min(side, options.devices.size() - 1)];
    QUERN_ASSIGN_OR_RETURN(sessions[side],
                           Session::open(options.inputs[std::min(side, options.inputs.size() - 1)], own));
  }
  TurnsOptions turns;
  turns.tokens = options.tokens;
  turns.tests = tests;
  turns.filter = options.filter;
  turns.cache = options.warm ? CacheState::Warm : CacheState::Cold;
  turns.rounds = options.rounds;
  turns.order = options.order == "random" ? TurnOrder::Random : TurnOrder::Abba;
  turns.seed = options.seed;
  Progress progress(options.flags.progressMode(), "compare",
                    (options.tokens.size() + tests.size()) * (turns.rounds + turns.warmUpRounds));
  turns.progress = &progress;
  QUERN_ASSIGN_OR_RETURN(TurnsResult result, measureInTurns(*sessions[0], *sessions[1], turns));
  progress.finish();
  Report report(options, std::move(result.a), std::move(result.b), true);
  if (!digests.empty() && report.digests() != digests)
    return Status::error(Exit::BadInput, "E-REPLAY-CHANGED",
                         "the artifacts are not those that were compared before")
        .remedy("compile them again with the compiler of the replay, or compare anew");
  QUERN_RETURN_IF_ERROR(report.compare());
  QUERN_RETURN_IF_ERROR(report.write("turns"));
  report.show();
  if (result.ended.ok())
    return gateOf(options, report.comparison);
  if (options.save.empty() || result.ended.exit() == Exit::Interrupted)
    return std::move(result.ended);
  return Status::error(Exit::Partial, "E-COMPARE-ENDED",
                       "the comparison ended early; what was measured is saved")
      .cause(result.ended.message())
      .remedy("see `" + options.save + "`");
}

std::vector<std::string> emulatedTargets(const std::vector<std::string> &devices) {
  const std::string prefix = "emulated:";
  std::vector<std::string> targets;
  for (const std::string &device : devices)
    if (device.starts_with(prefix))
      targets.push_back(device.substr(prefix.size()));
  return targets;
}

/// What the launches of one step of |side| do on an emulated device: counts by class of instruction, bytes,
/// and the time that is modelled from them.
Status countSide(const CompareOptions &options, int64_t tokens, ModelledSide &side) {
  QUERN_ASSIGN_OR_RETURN(TargetSpec spec, parseTarget(side.target));
  SessionOptions own = options.session;
  own.device = "emulated:" + spec.name();
  own.deviceOptions.counters = true;
  own.tokensPerStep = own.context = tokens;
  QUERN_ASSIGN_OR_RETURN(std::unique_ptr<Session> session, Session::open(options.inputs.front(), own));
  QUERN_ASSIGN_OR_RETURN(CounterReport report, countStep(*session, tokens, ""));
  const TargetInfo *target = spec.info();
  for (ModelledKernel &kernel : side.kernels) {
    // Launches of one kernel for two purposes are counted together, and shown with the first.
    auto first = std::find_if(side.kernels.begin(), side.kernels.end(),
                              [&](const ModelledKernel &one) { return one.symbol == kernel.symbol; });
    if (&*first != &kernel)
      continue;
    for (const CountedKernel &counted : report.kernels) {
      if (counted.symbol != kernel.symbol)
        continue;
      const auto mix = counted.counters.mix();
      for (unsigned i = 0; i < mix.size(); ++i)
        if (mix[i].issued)
          kernel.counts[std::string(instructionClassName(InstructionClass(i)))] += double(mix[i].issued);
      kernel.counts["bytes moved"] += double(counted.counters.readBytes + counted.counters.writtenBytes);
      kernel.counts["registers of a lane"] = counted.counters.resources.registers;
      if (std::optional<ModelledTime> time = target ? modelledTime(counted.counters, *target) : std::nullopt)
        kernel.counts["modelled us of a step"] += time->seconds * double(counted.counters.launches) * 1e6;
    }
  }
  return Status::success();
}

void printModelled(const ModelledComparison &comparison) {
  std::printf("modelled, not measured: no device ran this, and no side is called faster\n");
  for (auto [name, side] : {std::pair("A", &comparison.a), std::pair("B", &comparison.b)})
    std::printf("%s  %s (%s)%s%s: modelled floor of a step of %lld tokens %.3f us\n", name,
                side->target.c_str(), side->rung.c_str(), side->card.empty() ? "" : ", numbers of ",
                side->card.c_str(), static_cast<long long>(comparison.tokens), side->floorSeconds() * 1e6);
  std::printf("\n  %-40s %8s %14s %14s %8s %8s %8s %8s\n", "kernel", "launches", "A modelled us",
              "B modelled us", "threads", "", "shared", "");
  for (const ModelledKernel &a : comparison.a.kernels) {
    auto b = std::find_if(comparison.b.kernels.begin(), comparison.b.kernels.end(),
                          [&](const ModelledKernel &kernel) { return kernel.name == a.name; });
    if (b == comparison.b.kernels.end())
      continue;
    std::printf("  %-40s %8lld %14.4f %14.4f %8u %8u %8u %8u\n", a.name.c_str(),
                static_cast<long long>(a.launches), a.floorSeconds * 1e6, b->floorSeconds * 1e6, a.threads,
                b->threads, a.sharedBytes, b->sharedBytes);
  }
}

Status compareModelled(const CompareOptions &options, const std::vector<std::string> &targets) {
  if (!options.gate.empty() || !options.save.empty())
    return usage("a modelled comparison has no times", "leave --gate and --save out");
  QUERN_ASSIGN_OR_RETURN(Artifact artifact, Artifact::open(options.inputs.front()));
  ModelledComparison comparison;
  comparison.artifact = artifact.name();
  comparison.compiler = artifact.manifest().fingerprint;
  if (auto module = artifact.manifest().members.find("model.mlir");
      module != artifact.manifest().members.end())
    comparison.module = module->second.hex();
  comparison.tokens = options.tokens.front();
  QUERN_ASSIGN_OR_RETURN(comparison.a, modelTarget(artifact, targets[0], comparison.tokens));
  QUERN_ASSIGN_OR_RETURN(comparison.b, modelTarget(artifact, targets[1], comparison.tokens));
  // A device that is named is run, to count; a target alone is not.
  if (options.targets.empty())
    for (ModelledSide *side : {&comparison.a, &comparison.b})
      QUERN_RETURN_IF_ERROR(countSide(options, comparison.tokens, *side));
  if (!options.html.empty())
    QUERN_RETURN_IF_ERROR(writeFile(options.html, modelledPage(comparison, commandText(options))));
  if (options.format == OutputFormat::Text) {
    printModelled(comparison);
    return Status::success();
  }
  const Json json = modelledJson(comparison);
  if (options.format == OutputFormat::Json) {
    std::printf("%s\n", writeJson(json, {.indent = 2}).c_str());
    return Status::success();
  }
  std::vector<Json> rows;
  for (const char *side : {"a", "b"})
    for (const Json &kernel : json.find(side)->find("kernels")->items()) {
      Json &row = rows.emplace_back(Json::object());
      row.set("target", *json.find(side)->find("target"));
      row.set("measured", false);
      for (const Json::Member &member : kernel.members())
        if (!member.value.isObject())
          row.set(member.key, member.value);
    }
  std::printf("%s", rowsText("quern.compare.modelled", rows, options.format).c_str());
  return Status::success();
}

Status compareReplay(CompareOptions options) {
  if (!options.inputs.empty() || !options.devices.empty() || !options.targets.empty())
    return usage("--replay says by itself what is compared", "give the directory alone");
  QUERN_ASSIGN_OR_RETURN(ReplayCommand command, readReplay(options.replay));
  QUERN_RETURN_IF_ERROR(applyOptions(command.options, options));
  options.inputs = command.inputs;
  if (command.kind == "turns")
    return compareTurns(options, command.digests);
  if (!options.save.empty())
    return usage("a comparison of files is not saved a second time", "copy the directory");
  const std::string a = options.replay + "/" + command.aFile, b = options.replay + "/" + command.bFile;
  if (options.inputs.size() != 2)
    return Status::error(Exit::BadInput, "E-REPLAY-FORM",
                         "`" + options.replay + "` compares other than two files");
  return compareFiles(options, a, b, options.replay);
}

Status compare(const CompareOptions &options) {
  if (!options.gate.empty()) // before minutes of measurements
    if (Expected<Gate> gate = Gate::parse(options.gate); !gate.ok())
      return gate.takeError();
  if (!options.replay.empty())
    return compareReplay(options);
  if (options.inputs.empty())
    return usage("there is nothing to compare",
                 "give two files of results, or an artifact and two devices or targets");
  const size_t results = size_t(std::count_if(options.inputs.begin(), options.inputs.end(), isResults));
  if (results) {
    if (options.inputs.size() != 2 || results != 2)
      return usage("results are compared with results",
                   "give two files that `quern bench --format json` wrote");
    return compareFiles(options, options.inputs[0], options.inputs[1], "");
  }
  std::vector<std::string> targets = options.targets;
  const std::vector<std::string> emulated = emulatedTargets(options.devices);
  targets.insert(targets.end(), emulated.begin(), emulated.end());
  if (!targets.empty()) {
    if (targets.size() != 2 || options.inputs.size() != 1 || emulated.size() != options.devices.size())
      return usage("two targets of one artifact are modelled side by side",
                   "give one artifact and two of --target or --device emulated:TARGET; what is modelled is "
                   "not compared "
                   "with what is measured");
    return compareModelled(options, targets);
  }
  if (options.inputs.size() > 2 || options.devices.size() > 2)
    return usage("two sides are compared", "give at most two artifacts and two devices");
  if (options.inputs.size() == 1 && options.devices.size() != 2)
    return usage("there is one side only", "give two of --device, two of --target, or a second artifact");
  return compareTurns(options, {});
}

} // namespace

VerbBody addCompareFlags(CLI::App &app, EmulatedFactory emulated) {
  auto options = std::make_shared<CompareOptions>();
  options->session.deviceOptions.emulated = emulated;
  app.add_option("INPUT", options->inputs,
                 "Two files of results (*.json, *.jsonl), or one or two artifacts (*.quern)");
  app.add_option("--device", options->devices,
                 "Device, once for each side: cpu, cuda:0, hip:0, emulated:TARGET")
      ->take_all();
  app.add_option("--target", options->targets, "Target, once for each side: modelled, not measured")
      ->take_all();
  app.add_option("--tokens", options->tokens,
                 "Tokens of the steps whose kernels are timed, with commas between")
      ->delimiter(',')
      ->check(CLI::Range(int64_t(1), int64_t(1) << 20));
  options->tests.add(app);
  app.add_option("--kernel", options->filter, "Only kernels with this in their text")->default_str("all");
  app.add_option("--rounds", options->rounds, "Samples of each side")->check(CLI::Range(1u, 100000u));
  app.add_option("--order", options->order, "Who is first in a round: abba or random")
      ->check(CLI::IsMember({"abba", "random"}));
  app.add_option("--seed", options->seed, "Seed of the random order");
  app.add_flag("--warm-cache", options->warm,
               "Leave in the caches what the step left; default: they are emptied before each kernel");
  app.add_option("--gate", options->gate,
                 "Exit with 8 unless it holds: 'p50_regress<3%' (docs/Comparing.md)");
  app.add_option("--html", options->html, "Write the report, one page that needs no network");
  app.add_option("--save", options->save, "Write a directory that --replay can run again");
  app.add_option("--replay", options->replay, "Run the comparison of such a directory again");
  app.add_option("--threads", options->session.deviceOptions.threads, "Host threads; default: all allowed")
      ->check(CLI::Range(1u, 4096u));
  app.add_option("--weights-dir", options->session.weightsDirectory,
                 "The checkpoint of artifacts with linked weights");
  addFormatFlag(app, options->format);
  addProgramFlags(app, options->flags);
  return [=]() -> Status {
    if (options->filter == "all")
      options->filter.clear();
    return compare(*options);
  };
}

} // namespace quern::tools
