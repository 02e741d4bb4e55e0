//===- Replay.cpp ---------------------------------------------------------===//
#include "tuner/report/Replay.h"

#include "support/Files.h"
#include "support/Threads.h"

#include <sys/utsname.h>

namespace quern::report {

namespace {

constexpr int64_t replayVersion = 1;
constexpr uint64_t mostBytes = uint64_t(1) << 20, mostResultBytes = uint64_t(256) << 20;
constexpr JsonStyle pretty = {.indent = 2};

Json listOf(const std::vector<std::string> &texts) {
  Json list = Json::array();
  for (const std::string &text : texts)
    list.push(text);
  return list;
}

Expected<std::vector<std::string>> textsOf(const JsonRef &root, const char *key) {
  std::vector<std::string> texts;
  QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> items, root.getArray(key));
  for (const JsonRef &item : items) {
    QUERN_ASSIGN_OR_RETURN(std::string_view text, item.asString());
    texts.emplace_back(text);
  }
  return texts;
}

Json environment() {
  Json json = Json::object();
  json.set("schema", "quern.environment");
  json.set("schema_version", 1);
  utsname system;
  if (uname(&system) == 0) {
    json.set("system", std::string(system.sysname) + " " + system.release);
    json.set("machine", system.machine);
  }
  json.set("threads", uint64_t(availableThreads()));
  return json;
}

std::string comparisonText(const Comparison &comparison) {
  return writeJson(comparisonJson(comparison), pretty) + "\n";
}

} // namespace

Json resultsJson(const ResultSet &set) {
  ResultSet kernels = set, models = set;
  std::erase_if(kernels.rows, [](const ResultRow &row) { return row.group == "model"; });
  std::erase_if(models.rows, [](const ResultRow &row) { return row.group != "model"; });
  if (kernels.rows.empty())
    return modelResults(models);
  Json root = kernelResults(kernels);
  if (!models.rows.empty())
    root.set("rows", *modelResults(models).find("rows"));
  return root;
}

Status writeReplay(const std::string &directory, const ReplayCommand &command, const Comparison &comparison,
                   const Ledger &ledger, const std::string &page) {
  QUERN_RETURN_IF_ERROR(makeDirectories(directory));
  Json json = Json::object();
  json.set("schema", "quern.replay");
  json.set("schema_version", replayVersion);
  json.set("kind", command.kind);
  json.set("options", command.options);
  json.set("inputs", listOf(command.inputs));
  json.set("results", listOf({command.aFile, command.bFile}));
  json.set("digests", listOf(command.digests));
  auto write = [&](const char *name, const std::string &text) {
    return writeFile(directory + "/" + name, text);
  };
  for (auto [side, file] : {std::pair(0, &command.aFile), std::pair(1, &command.bFile)}) {
    std::string text;
    if (command.kind == "files") {
      QUERN_ASSIGN_OR_RETURN(text, readFile(command.inputs[size_t(side)], mostResultBytes));
    } else {
      text = writeJson(resultsJson(side == 0 ? *comparison.a : *comparison.b), pretty) + "\n";
    }
    QUERN_RETURN_IF_ERROR(write(file->c_str(), text));
  }
  QUERN_RETURN_IF_ERROR(write("comparison.json", comparisonText(comparison)));
  QUERN_RETURN_IF_ERROR(write("ledger.json", writeJson(ledgerJson(ledger), pretty) + "\n"));
  QUERN_RETURN_IF_ERROR(write("environment.json", writeJson(environment(), pretty) + "\n"));
  QUERN_RETURN_IF_ERROR(write("report.html", page));
  // Last: a directory with a command is complete.
  return write("command.json", writeJson(json, pretty) + "\n");
}

Expected<ReplayCommand> readReplay(const std::string &directory) {
  QUERN_RETURN_IF_ERROR(checkDirectory(directory));
  QUERN_ASSIGN_OR_RETURN(JsonDocument document,
                         readJsonFile(directory + "/command.json", {.maxBytes = mostBytes}));
  const JsonRef root = document.root();
  QUERN_ASSIGN_OR_RETURN(std::string_view schema, root.getString("schema"));
  QUERN_ASSIGN_OR_RETURN(int64_t version, root.getInt("schema_version"));
  if (schema != "quern.replay" || version < 1 || version > replayVersion)
    return Status(root.error("E-REPLAY-FORM", "`" + std::string(schema) + "` of version " +
                                                  std::to_string(version) +
                                                  " cannot be run again; this program knows version " +
                                                  std::to_string(replayVersion)));
  ReplayCommand command;
  QUERN_ASSIGN_OR_RETURN(std::string_view kind, root.getString("kind"));
  command.kind = kind;
  if (kind != "files" && kind != "turns")
    return root.error("E-REPLAY-FORM", "`" + std::string(kind) + "` is no kind of comparison");
  QUERN_ASSIGN_OR_RETURN(JsonRef options, root.getObject("options"));
  command.options = options.value();
  QUERN_ASSIGN_OR_RETURN(command.inputs, textsOf(root, "inputs"));
  QUERN_ASSIGN_OR_RETURN(command.digests, textsOf(root, "digests"));
  QUERN_ASSIGN_OR_RETURN(std::vector<std::string> results, textsOf(root, "results"));
  if (results.size() != 2 || !isPlainFileName(results[0]) || !isPlainFileName(results[1]) ||
      command.inputs.empty())
    return root.error("E-REPLAY-FORM", "`results` must be two names of files in the directory");
  command.aFile = results[0];
  command.bFile = results[1];
  return command;
}

Status checkReplay(const std::string &directory, const Comparison &comparison) {
  QUERN_ASSIGN_OR_RETURN(std::string before, readFile(directory + "/comparison.json", uint64_t(64) << 20));
  if (before == comparisonText(comparison))
    return Status::success();
  return Status::error(Exit::BadInput, "E-REPLAY-CHANGED",
                       "the comparison of `" + directory + "` does not come out again")
      .cause("its results, its comparison or this program's statistics have changed")
      .remedy("compare the original results again");
}

} // namespace quern::report
