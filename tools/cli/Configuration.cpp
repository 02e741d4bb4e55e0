//===- Configuration.cpp --------------------------------------------------===//
#include "tools/cli/Configuration.h"
#include "support/Files.h"
#include "support/Log.h"

#include <algorithm>
#include <cstdlib>
#include <unistd.h>

namespace quern::tools {

namespace {

/// Variables that a part of Quern reads itself where the option is not given.
struct ReadElsewhere {
  const char *option, *variable;
};
constexpr ReadElsewhere readElsewhere[] = {{"threads", "OMP_NUM_THREADS"}};

const char *variable(const char *name) {
  const char *value = std::getenv(name);
  return value && *value ? value : nullptr;
}

bool isFlag(const CLI::Option &option) { return option.get_items_expected_max() == 0; }

/// "jobs" of -j,--jobs; empty for what has no long name.
std::string nameOf(const CLI::Option &option) {
  return option.get_lnames().empty() ? "" : option.get_lnames().front();
}

/// --help, --config and their like say what is to be done and have no value of their own.
bool isSetting(const CLI::App &verb, const CLI::Option &option) {
  const std::string name = nameOf(option);
  return &option != verb.get_help_ptr() && name != "version" && name != "config" && name != "print-config" &&
         !option.get_positional();
}

std::string standardFile() {
  if (const char *home = variable("XDG_CONFIG_HOME"))
    return std::string(home) + "/quern/config.json";
  if (const char *home = variable("HOME"))
    return std::string(home) + "/.config/quern/config.json";
  return "";
}

/// A value as it stands on a command line; nothing for objects and null.
std::optional<std::string> asArgument(const Json &value) {
  if (value.isString())
    return value.string();
  if (value.isBool() || value.isNumber())
    return writeJson(value);
  return std::nullopt;
}

/// Of an option that was not given: its default as the help shows it.
std::string valueOf(const CLI::Option &option) {
  if (isFlag(option)) {
    const size_t count = option.count();
    return count == 0 ? "false" : count == 1 ? "true" : std::to_string(count);
  }
  if (option.count() == 0)
    return option.get_default_str();
  std::string text;
  for (const std::string &part : option.results())
    text += (text.empty() ? "" : " ") + part;
  return text;
}

} // namespace

void Configuration::addFlags(CLI::App &verb) {
  verb.add_option("--config")
      ->description("File with values of options (docs/Configuration.md)")
      ->default_str("~/.config/quern/config.json");
  verb.add_flag("--print-config")
      ->description("Print the value of every option and where it comes from, and exit");
}

Expected<Configuration> Configuration::complete(CLI::App &verb) {
  Configuration configuration(verb);
  for (const CLI::Option *option : verb.get_options())
    if (option->count() != 0)
      configuration.sources[option] = "flag";
  QUERN_RETURN_IF_ERROR(configuration.readEnvironment());
  QUERN_RETURN_IF_ERROR(configuration.readFile());
  return configuration;
}

Status Configuration::readEnvironment() {
  CLI::Option *quiet = verb.get_option_no_throw("--quiet"), *verbose = verb.get_option_no_throw("--verbose");
  const char *text = variable("QUERN_LOG");
  if (!text || !quiet || !verbose || quiet->count() != 0 || verbose->count() != 0)
    return Status::success();
  std::optional<LogLevel> level = parseLogLevel(text);
  if (!level)
    return Status::error(Exit::Usage, "E-CONFIGURATION-LOG", std::string("QUERN_LOG is `") + text + "`")
        .remedy("set it to error, warning, info, debug or trace");
  if (*level <= LogLevel::Warning)
    return apply(*quiet, "quiet", true, "QUERN_LOG");
  for (LogLevel step = LogLevel::Info; step < *level; step = LogLevel(int(step) + 1))
    QUERN_RETURN_IF_ERROR(apply(*verbose, "verbose", true, "QUERN_LOG"));
  return Status::success();
}

Status Configuration::readFile() {
  const CLI::Option *named = verb.get_option_no_throw("--config");
  const bool isNamed = named && named->count() != 0;
  const std::string path = isNamed ? named->results().front() : standardFile();
  if (path.empty() || (!isNamed && access(path.c_str(), F_OK) != 0))
    return Status::success();
  QUERN_ASSIGN_OR_RETURN(JsonDocument document, readJsonFile(path, {.name = path}));
  QUERN_ASSIGN_OR_RETURN(auto sections, document.root().asObject());
  // `quern-run` is the verb `run` alone.
  const std::string own = verb.get_parent() ? verb.get_name() : "run";
  for (const auto &[section, members] : sections) {
    QUERN_ASSIGN_OR_RETURN(auto values, members.asObject());
    if (section != own)
      continue;
    for (const auto &[key, value] : values) {
      CLI::Option *option = verb.get_option_no_throw("--" + std::string(key));
      if (!option || !isSetting(verb, *option) || (isFlag(*option) && !value->isBool()) ||
          (!value->isArray() && !asArgument(value.value())))
        return value.error("E-CONFIGURATION-OPTION",
                           !option || !isSetting(verb, *option) ? "is no option of `" + own + "`"
                           : isFlag(*option) ? "must be true or false"
                                             : "must be a text, a number or a list of them",
                           Exit::Usage);
      // -q and -v are one setting: a file does not quiet what a flag or the environment made verbose.
      const bool decided =
          (key == "quiet" || key == "verbose") && std::ranges::any_of(sources, [](const auto &known) {
            return nameOf(*known.first) == "quiet" || nameOf(*known.first) == "verbose";
          });
      if (option->count() == 0 && !decided)
        QUERN_RETURN_IF_ERROR(apply(*option, std::string(key), value.value(), path));
    }
  }
  return Status::success();
}

Status Configuration::apply(CLI::Option &option, const std::string &name, const Json &value,
                            const std::string &source) {
  if (isFlag(option)) {
    if (!value.boolean())
      return Status::success();
    option.add_result(option.get_flag_value(name, "{}"));
  } else if (value.isArray()) {
    for (const Json &item : value.items())
      if (std::optional<std::string> text = asArgument(item))
        option.add_result(*text);
  } else {
    option.add_result(*asArgument(value));
  }
  option.run_callback();
  sources[&option] = source;
  return Status::success();
}

bool Configuration::wantsPrint() const {
  const CLI::Option *print = verb.get_option_no_throw("--print-config");
  return print && print->count() != 0;
}

std::string Configuration::text() const {
  struct Row {
    std::string name, value, source;
  };
  std::vector<Row> rows;
  for (const CLI::Option *option : verb.get_options()) {
    if (!isSetting(verb, *option))
      continue;
    Row &row = rows.emplace_back(Row{nameOf(*option), valueOf(*option), "default"});
    if (auto found = sources.find(option); found != sources.end())
      row.source = found->second;
    else
      for (const ReadElsewhere &known : readElsewhere)
        if (row.name == known.option)
          if (const char *value = variable(known.variable)) {
            row.value = value;
            row.source = known.variable;
          }
  }
  Expected<std::string> cache = cacheDirectory();
  rows.push_back({"cache directory", cache.ok() ? *cache : "",
                  variable("QUERN_CACHE_DIR")  ? "QUERN_CACHE_DIR"
                  : variable("XDG_CACHE_HOME") ? "XDG_CACHE_HOME"
                                               : "default"});
  const CLI::Option *format = verb.get_option_no_throw("--format");
  if (format && format->count() != 0 && format->results().front() == "json") {
    Json list = Json::array();
    for (const Row &row : rows) {
      Json &member = list.push(Json::object());
      member.set("name", row.name);
      member.set("value", row.value);
      member.set("source", row.source);
    }
    Json report = Json::object();
    report.set("schema", "quern.configuration");
    report.set("schema_version", 1);
    report.set("settings", std::move(list));
    return writeJson(report, {.indent = 2}) + "\n";
  }
  std::string lines;
  for (const Row &row : rows)
    lines += row.name + std::string(row.name.size() < 18 ? 18 - row.name.size() : 1, ' ') +
             (row.value.empty() ? "-" : row.value) + "  (" + row.source + ")\n";
  return lines;
}

} // namespace quern::tools
