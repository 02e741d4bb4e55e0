//===- DbVerb.cpp - `quern db`: looks into tuning databases, merges and exchanges them ----===//
#include "lowering/Compile.h"
#include "support/Files.h"
#include "tools/cli/Rows.h"
#include "tools/quern/TuningDevice.h"
#include "tools/quern/Verb.h"
#include "tuner/database/Exchange.h"
#include "tuner/database/ForeignTables.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <set>

using namespace quern::tuner;

namespace quern::tools {

namespace {

struct DbOptions {
  std::string action, database;
  std::vector<std::string> inputs;
  std::string kernel, problem, device, config, outcome, as = "jsonl", output, note;
  int64_t rows = 0;
  OutputFormat format = OutputFormat::Text;
  ProgramFlags flags;
};

std::string label(const DeviceIdentity &device) {
  return device.name.empty() ? device.hardware : device.name;
}

class DbVerb {
public:
  explicit DbVerb(DbOptions &options) : options(options), log(options.flags.logLevel()) {}

  Status run() {
    if (options.database.empty()) {
      if (const char *variable = std::getenv("QUERN_DB"); variable && *variable)
        options.database = variable;
    }
    if (options.database.empty()) {
      if (options.inputs.empty())
        return Status::error(Exit::Usage, "E-USAGE", "no tuning database is named")
            .remedy("name it behind the action, with --db, or in QUERN_DB");
      options.database = options.inputs.front();
      options.inputs.erase(options.inputs.begin());
    }
    const std::pair<const char *, Status (DbVerb::*)()> actions[] = {
        {"show", &DbVerb::show},      {"query", &DbVerb::query},  {"merge", &DbVerb::merge},
        {"diff", &DbVerb::diff},      {"check", &DbVerb::check},  {"revert", &DbVerb::decide},
        {"restore", &DbVerb::decide}, {"export", &DbVerb::write}, {"import", &DbVerb::read}};
    for (const auto &[name, body] : actions)
      if (options.action == name)
        return (this->*body)();
    return Status::error(Exit::Usage, "E-USAGE", "there is no action `" + options.action + "`");
  }

private:
  Expected<Database> open(bool write = false) { return Database::open(options.database, {.write = write}); }

  Status expectInputs(size_t least, size_t most) {
    if (options.inputs.size() >= least && options.inputs.size() <= most)
      return Status::success();
    return Status::error(Exit::Usage, "E-USAGE",
                         "`db " + options.action + "` takes " +
                             (most == 0       ? "no other file"
                              : least == most ? "one other file"
                                              : "other files"));
  }

  bool wanted(const Problem &problem, const DeviceIdentity &device) const {
    return (options.kernel.empty() || options.kernel == problem.kernel) &&
           meansDevice(options.device, device) &&
           (options.problem.empty() || problem.family() == options.problem ||
            (options.problem.size() >= 6 && problem.familyKey().starts_with(options.problem))) &&
           (options.rows == 0 || problem.tokens.contains(options.rows));
  }

  /// As rows, or as JSON under |member|; as text by |line|.
  void print(const char *schema, const char *member, const std::vector<Json> &rows,
             const std::function<void(const Json &)> &line) {
    if (isRows(options.format)) {
      std::printf("%s", rowsText(schema, rows, options.format).c_str());
    } else if (options.format == OutputFormat::Json) {
      Json root = Json::object(), list = Json::array();
      for (const Json &row : rows)
        list.push(row);
      root.set("schema", schema);
      root.set("schema_version", 1);
      root.set(member, std::move(list));
      std::printf("%s\n", writeJson(root, {.indent = 2}).c_str());
    } else {
      for (const Json &row : rows)
        line(row);
    }
  }

  static std::string textOf(const Json &row, const char *member) {
    const Json *value = row.find(member);
    return !value || value->isNull() ? "" : value->isString() ? value->string() : writeJson(*value);
  }

  static void describe(Json &row, const Problem &problem, const DeviceIdentity &device,
                       const Toolchain &toolchain) {
    row.set("kernel", problem.kernel);
    row.set("problem", problem.family());
    row.set("problem_key", problem.familyKey());
    row.set("rows", problem.tokens.text());
    row.set("device", label(device));
    row.set("device_key", device.key());
    row.set("target", toolchain.target);
    row.set("compiler", toolchain.compiler);
  }

  /// One row for each bucket of each group: what is chosen there.
  Status show() {
    QUERN_RETURN_IF_ERROR(expectInputs(0, 0));
    QUERN_ASSIGN_OR_RETURN(Database database, open());
    QUERN_ASSIGN_OR_RETURN(Database::Counts counts, database.counts());
    QUERN_ASSIGN_OR_RETURN(Lookup lookup, Lookup::load(database));
    std::vector<Json> rows;
    for (const MeasuredGroup &group : lookup.groups()) {
      std::set<TokenRange> ranges;
      for (const Measurement &m : group.measurements)
        ranges.insert(m.problem.tokens);
      for (TokenRange range : ranges) {
        Problem problem = group.problem();
        problem.tokens = range;
        if (!wanted(problem, group.device()))
          continue;
        Choice choice = choose(group.measurements, range, lookup.decisions());
        Json &row = rows.emplace_back(Json::object());
        describe(row, problem, group.device(), group.toolchain());
        row.set("choice", choice.config.value_or("default"));
        row.set("ratio", choice.ratio.median);
        row.set("ratio_low", choice.ratio.low);
        row.set("ratio_high", choice.ratio.high);
        row.set("why", choice.why);
        row.set("runner_up", choice.runnerUp);
        row.set("trials", choice.trials);
        row.set("configs", uint64_t(choice.standings.size()));
      }
    }
    if (options.format == OutputFormat::Text) {
      std::printf(
          "%s: %llu measurements of %llu problems and %llu configurations on %llu devices; %llu seeds, "
          "%llu decisions\n",
          options.database.c_str(), static_cast<unsigned long long>(counts.measurements),
          static_cast<unsigned long long>(counts.problems), static_cast<unsigned long long>(counts.configs),
          static_cast<unsigned long long>(counts.devices), static_cast<unsigned long long>(counts.seeds),
          static_cast<unsigned long long>(counts.decisions));
      QUERN_ASSIGN_OR_RETURN(std::vector<DeviceIdentity> devices, database.devices());
      for (const DeviceIdentity &device : devices)
        std::printf("  device %s  %s: %s\n", device.key().substr(0, 8).c_str(), label(device).c_str(),
                    device.text().c_str());
    }
    print("quern.db.show", "choices", rows, [](const Json &row) {
      std::printf("\n%s T=%s\n  on %s (%s), target %s: %s trials of %s configurations\n",
                  textOf(row, "problem").c_str(), textOf(row, "rows").c_str(), textOf(row, "device").c_str(),
                  textOf(row, "device_key").substr(0, 8).c_str(), textOf(row, "target").c_str(),
                  textOf(row, "trials").c_str(), textOf(row, "configs").c_str());
      std::printf("  %s: %s\n", textOf(row, "choice").c_str(), textOf(row, "why").c_str());
    });
    return Status::success();
  }

  Status query() {
    QUERN_RETURN_IF_ERROR(expectInputs(0, 0));
    QUERN_ASSIGN_OR_RETURN(Database database, open());
    Query query;
    if (!options.config.empty())
      query.config = options.config;
    if (!options.outcome.empty()) {
      QUERN_ASSIGN_OR_RETURN(query.outcome, parseOutcome(options.outcome));
    }
    QUERN_ASSIGN_OR_RETURN(std::vector<Measurement> measurements, database.measurements(query));
    std::ranges::sort(measurements, {}, [](const Measurement &m) {
      return std::tuple(m.problem.family(), m.tokens, m.config, m.timestamp, m.key());
    });
    std::vector<Json> rows;
    for (const Measurement &m : measurements) {
      if (!wanted(m.problem, m.device))
        continue;
      Json &row = rows.emplace_back(Json::object());
      describe(row, m.problem, m.device, m.toolchain);
      row.set("tokens", m.tokens);
      row.set("config", m.config);
      row.set("default", m.isDefault);
      row.set("outcome", outcomeName(m.outcome));
      std::vector<double> sorted = m.samples;
      std::ranges::sort(sorted);
      row.set("median_us", sorted.empty() ? Json() : Json(sorted[sorted.size() / 2] * 1e6));
      row.set("minimum_us", sorted.empty() ? Json() : Json(sorted.front() * 1e6));
      row.set("samples", uint64_t(sorted.size()));
      row.set("cache", m.cache);
      row.set("error", m.error);
      row.set("timestamp", m.timestamp);
      row.set("session", m.session);
      row.set("detail", m.detail);
      row.set("key", m.key());
    }
    print("quern.db.query", "measurements", rows, [](const Json &row) {
      std::printf("%s  %s T=%s  %s  %s%s%s  %s\n", textOf(row, "key").substr(0, 8).c_str(),
                  textOf(row, "problem").c_str(), textOf(row, "tokens").c_str(),
                  textOf(row, "config").c_str(), textOf(row, "outcome").c_str(),
                  textOf(row, "median_us").empty() ? "" : " us=", textOf(row, "median_us").c_str(),
                  textOf(row, "detail").c_str());
    });
    return Status::success();
  }

  void report(const std::string &source, const MergeCounts &counts) {
    log.info(source + ": " + std::to_string(counts.measurements) + " measurements, " +
             std::to_string(counts.decisions) + " decisions, " + std::to_string(counts.seeds) + " seeds; " +
             std::to_string(counts.fresh) + " of them are new");
  }

  Status merge() {
    QUERN_RETURN_IF_ERROR(expectInputs(1, size_t(-1)));
    QUERN_ASSIGN_OR_RETURN(Database into, open(true));
    for (const std::string &input : options.inputs) {
      QUERN_ASSIGN_OR_RETURN(Database from, Database::open(input, {.write = false}));
      QUERN_ASSIGN_OR_RETURN(MergeCounts counts, mergeInto(into, from));
      report(input, counts);
    }
    return Status::success();
  }

  Status diff() {
    QUERN_RETURN_IF_ERROR(expectInputs(1, 1));
    QUERN_ASSIGN_OR_RETURN(Database a, open());
    QUERN_ASSIGN_OR_RETURN(Database b, Database::open(options.inputs.front(), {.write = false}));
    QUERN_ASSIGN_OR_RETURN(Lookup before, Lookup::load(a));
    QUERN_ASSIGN_OR_RETURN(Lookup after, Lookup::load(b));
    std::vector<Json> rows;
    for (const Difference &d : differences(before, after)) {
      if (!wanted(d.problem, d.device))
        continue;
      Json &row = rows.emplace_back(Json::object());
      describe(row, d.problem, d.device, d.toolchain);
      row.set("before", d.before.value_or("default"));
      row.set("ratio_before", d.ratioBefore.median);
      row.set("why_before", d.whyBefore);
      row.set("after", d.after.value_or("default"));
      row.set("ratio_after", d.ratioAfter.median);
      row.set("why_after", d.whyAfter);
    }
    print("quern.db.diff", "differences", rows, [](const Json &row) {
      std::printf("%s T=%s on %s, target %s\n  - %s: %s\n  + %s: %s\n", textOf(row, "problem").c_str(),
                  textOf(row, "rows").c_str(), textOf(row, "device").c_str(), textOf(row, "target").c_str(),
                  textOf(row, "before").c_str(), textOf(row, "why_before").c_str(),
                  textOf(row, "after").c_str(), textOf(row, "why_after").c_str());
    });
    log.info(std::to_string(rows.size()) + " choices differ");
    return Status::success();
  }

  /// That every record is whole; and of what older compilers made, the few per problem that are worth another
  /// trial.
  Status check() {
    QUERN_RETURN_IF_ERROR(expectInputs(0, 0));
    QUERN_ASSIGN_OR_RETURN(Database database, open());
    QUERN_RETURN_IF_ERROR(database.verify());
    QUERN_ASSIGN_OR_RETURN(Lookup lookup, Lookup::load(database));
    const std::string today = lowering::compilerFingerprint();
    auto place = [](const MeasuredGroup &group) {
      return group.problem().family() + " " + group.device().key() + " " + group.toolchain().target;
    };
    std::set<std::string> current;
    for (const MeasuredGroup &group : lookup.groups())
      if (group.toolchain().compiler == today)
        current.insert(place(group));
    std::vector<Json> rows;
    size_t stale = 0;
    for (const MeasuredGroup &group : lookup.groups()) {
      if (group.toolchain().compiler == today || current.contains(place(group)) ||
          !wanted(group.problem(), group.device()))
        continue;
      ++stale;
      std::set<TokenRange> ranges;
      for (const Measurement &m : group.measurements)
        ranges.insert(m.problem.tokens);
      for (TokenRange range : ranges) {
        Choice choice = choose(group.measurements, range, lookup.decisions());
        size_t count = 0;
        for (const Standing &standing : choice.standings) {
          if (!standing.admitted && !standing.isDefault)
            continue;
          if (++count > 3)
            break;
          Json &row = rows.emplace_back(Json::object());
          Problem problem = group.problem();
          problem.tokens = range;
          describe(row, problem, group.device(), group.toolchain());
          row.set("config", standing.config);
          row.set("ratio", standing.ratio.median);
        }
      }
    }
    print("quern.db.check", "revalidate", rows, [](const Json &row) {
      std::printf("again  %s T=%s  %s  on %s\n", textOf(row, "problem").c_str(), textOf(row, "rows").c_str(),
                  textOf(row, "config").c_str(), textOf(row, "device").c_str());
    });
    log.info("`" + options.database + "` is whole; " + std::to_string(stale) + " of " +
             std::to_string(lookup.groups().size()) + " problems were measured with other compilers alone" +
             (stale ? ": `quern tune --db " + options.database + "` measures the configurations above again"
                    : ""));
    return Status::success();
  }

  static int64_t now() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  }

  /// Takes back what is chosen now (or --config), or lets it stand again.
  Status decide() {
    QUERN_RETURN_IF_ERROR(expectInputs(0, 0));
    const bool revert = options.action == "revert";
    if (options.problem.empty() && options.config.empty())
      return Status::error(Exit::Usage, "E-USAGE", "`db " + options.action + "` needs --problem or --config")
          .remedy("`quern db show` prints both");
    QUERN_ASSIGN_OR_RETURN(Database database, open(true));
    QUERN_ASSIGN_OR_RETURN(Lookup lookup, Lookup::load(database));
    std::set<std::tuple<std::string, std::string, std::string, std::string>>
        found; // family, device, config, text
    for (const MeasuredGroup &group : lookup.groups()) {
      std::set<TokenRange> ranges;
      for (const Measurement &m : group.measurements)
        ranges.insert(m.problem.tokens);
      for (TokenRange range : ranges) {
        Problem problem = group.problem();
        problem.tokens = range;
        if (!wanted(problem, group.device()))
          continue;
        Choice choice = choose(group.measurements, range, lookup.decisions());
        for (const Standing &standing : choice.standings) {
          const bool meant = !options.config.empty() ? standing.config == options.config
                             : revert                ? choice.config == standing.config
                                                     : isReverted(lookup.decisions(), problem.familyKey(),
                                                                  group.device().key(), standing.config);
          if (meant)
            found.emplace(problem.familyKey(), group.device().key(), standing.config, problem.family());
        }
      }
    }
    if (found.empty())
      return Status::error(Exit::Usage, "E-TUNING-NO-CHOICE", "there is no such choice to " + options.action)
          .remedy("`quern db show " + options.database + "` lists what is chosen");
    QUERN_RETURN_IF_ERROR(database.transaction([&]() -> Status {
      for (const auto &[family, device, config, text] : found) {
        Decision decision{family, device,
                          config, revert ? Decision::Kind::Revert : Decision::Kind::Restore,
                          now(),  options.note};
        QUERN_RETURN_IF_ERROR(database.insert(decision));
      }
      return Status::success();
    }));
    for (const auto &[family, device, config, text] : found)
      std::printf("%s %s for %s on %s\n", revert ? "took back" : "restored", config.c_str(), text.c_str(),
                  device.substr(0, 8).c_str());
    return Status::success();
  }

  /// To stdout, or to the file or folder -o.
  Status emit(const std::vector<ForeignFile> &files) {
    if (options.output.empty()) {
      for (const ForeignFile &file : files)
        std::printf("%s%s", files.size() > 1 ? ("==> " + file.name + " <==\n").c_str() : "",
                    file.text.c_str());
      return Status::success();
    }
    QUERN_RETURN_IF_ERROR(makeDirectories(options.output));
    for (const ForeignFile &file : files) {
      QUERN_RETURN_IF_ERROR(writeFile(options.output + "/" + file.name, file.text));
      log.info("wrote `" + options.output + "/" + file.name + "`");
    }
    return Status::success();
  }

  Status write() {
    QUERN_RETURN_IF_ERROR(expectInputs(0, 0));
    QUERN_ASSIGN_OR_RETURN(Database database, open());
    if (options.as == "jsonl") {
      QUERN_ASSIGN_OR_RETURN(std::string lines, exportLines(database));
      if (!options.output.empty())
        return writeFile(options.output, lines);
      std::fwrite(lines.data(), 1, lines.size(), stdout);
      return Status::success();
    }
    QUERN_ASSIGN_OR_RETURN(Lookup lookup, Lookup::load(database));
    std::vector<MeasuredGroup> groups = lookup.groups();
    std::vector<Measurement> kept;
    for (MeasuredGroup &group : groups)
      for (Measurement &m : group.measurements)
        if (wanted(m.problem, m.device))
          kept.push_back(std::move(m));
    Lookup selected(std::move(kept), lookup.decisions());
    std::vector<ForeignFile> files =
        options.as == "aiter" ? writeKernelLists(selected) : writeBlockTables(selected);
    if (files.empty())
      log.warning("nothing in `" + options.database + "` can be said in such a table");
    return emit(files);
  }

  Status read() {
    QUERN_RETURN_IF_ERROR(expectInputs(1, size_t(-1)));
    QUERN_ASSIGN_OR_RETURN(Database database, open(true));
    for (const std::string &input : options.inputs) {
      QUERN_ASSIGN_OR_RETURN(std::string text, readFile(input, uint64_t(1) << 30));
      if (input.ends_with(".jsonl")) {
        QUERN_ASSIGN_OR_RETURN(MergeCounts counts, importLines(database, text, input));
        report(input, counts);
        continue;
      }
      QUERN_ASSIGN_OR_RETURN(ForeignSeeds table, readForeignTable(text, input));
      QUERN_RETURN_IF_ERROR(database.transaction([&]() -> Status {
        for (const Seed &seed : table.seeds)
          QUERN_RETURN_IF_ERROR(database.insert(seed));
        return Status::success();
      }));
      for (const std::string &skipped : table.skipped)
        log.debug(input + ": " + skipped);
      log.info(input + ": " + std::to_string(table.seeds.size()) + " seeds, " +
               std::to_string(table.skipped.size()) + " rows left out");
    }
    return Status::success();
  }

  DbOptions &options;
  Log log;
};

} // namespace

VerbBody addDbVerb(CLI::App &app) {
  auto options = std::make_shared<DbOptions>();
  CLI::App *verb = app.add_subcommand("db", "Look into tuning databases, merge and exchange them");
  verb->add_option("ACTION", options->action,
                   "show, query, merge, diff, check, revert, restore, export or import")
      ->required()
      ->check(CLI::IsMember(
          {"show", "query", "merge", "diff", "check", "revert", "restore", "export", "import"}));
  verb->add_option("FILES", options->inputs,
                   "The database, where --db and QUERN_DB name none; then the other files");
  verb->add_option("--db", options->database, "The tuning database")->default_str("$QUERN_DB");
  verb->add_option("--kernel", options->kernel, "Only this kernel");
  verb->add_option("--problem", options->problem, "Only this problem: its text, or the beginning of its key");
  verb->add_option("--device", options->device, "Only this device: its name, or the beginning of its key");
  verb->add_option("--rows", options->rows, "Only problems with this number of rows")
      ->check(CLI::Range(1, 1 << 30));
  verb->add_option("--schedule", options->config, "query, revert, restore: only this configuration");
  verb->add_option("--outcome", options->outcome, "query: only this outcome");
  verb->add_option("--as", options->as, "export: jsonl, vllm, sglang or aiter")
      ->check(CLI::IsMember({"jsonl", "vllm", "sglang", "aiter"}));
  verb->add_option("-o,--output", options->output, "export: the file, or the folder for tables")
      ->default_str("stdout");
  verb->add_option("--note", options->note, "revert, restore: who and why");
  addFormatFlag(*verb, options->format);
  addProgramFlags(*verb, options->flags);
  return [=]() -> Status { return DbVerb(*options).run(); };
}

} // namespace quern::tools
