//===- Program.cpp - Flags, errors and exit codes -------------------------===//
#include "tools/cli/Program.h"
#include "support/Interrupt.h"
#include "tools/cli/Configuration.h"

#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace quern::tools {

const char *programVersion() { return QUERN_VERSION; }

void beginProgram(CLI::App &app) {
  app.option_defaults()->always_capture_default();
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.set_version_flag("--version", std::string("quern ") + programVersion(), "Print the version and exit");
}

void addProgramFlags(CLI::App &app, ProgramFlags &flags) {
  app.add_option_function<std::string>(
         "--progress",
         [&flags](const std::string &text) {
           if (std::optional<ProgressMode> mode = parseProgressMode(text))
             flags.progress = *mode;
         },
         "How progress is shown on stderr")
      ->check(CLI::IsMember({"auto", "bar", "plain", "json", "none"}))
      ->default_str("auto");
  app.add_flag("-q,--quiet", flags.quiet, "Errors alone on stderr");
  app.add_flag("-v,--verbose", flags.verbose, "More messages; twice for all");
  Configuration::addFlags(app);
}

void addFormatFlag(CLI::App &app, OutputFormat &format) {
  static const std::map<std::string, OutputFormat> formats = {{"text", OutputFormat::Text},
                                                              {"json", OutputFormat::Json},
                                                              {"jsonl", OutputFormat::Jsonl},
                                                              {"csv", OutputFormat::Csv},
                                                              {"md", OutputFormat::Md}};
  app.add_option_function<std::string>(
         "--format", [&format](const std::string &text) { format = formats.at(text); },
         "Form of what goes to stdout")
      ->check(CLI::IsMember({"text", "json", "jsonl", "csv", "md"}))
      ->default_str("text");
}

/// The verb that was named, or the program itself where it has none.
static CLI::App &verbOf(CLI::App &app) {
  std::vector<CLI::App *> verbs = app.get_subcommands();
  return verbs.empty() ? app : *verbs.front();
}

static std::string helpCommand(const CLI::App &app) {
  std::string command = app.get_name();
  for (const CLI::App *verb : app.get_subcommands())
    command += " " + verb->get_name();
  return command;
}

std::optional<int> parseArguments(CLI::App &app, int argc, char **argv) {
  if (app.get_name().empty())
    app.name(std::string(argv[0]).substr(std::string_view(argv[0]).rfind('/') + 1));
  try {
    app.parse(argc, argv);
    Expected<Configuration> configuration = Configuration::complete(verbOf(app));
    if (!configuration.ok())
      return finishProgram(configuration.error());
    if (configuration->wantsPrint()) {
      std::printf("%s", configuration->text().c_str());
      return finishProgram(Status::success());
    }
  } catch (const CLI::ParseError &error) {
    if (error.get_exit_code() == 0) {
      app.exit(error);
      return finishProgram(Status::success());
    }
    std::string sentence = error.what();
    while (!sentence.empty() && (sentence.back() == '.' || sentence.back() == '\n'))
      sentence.pop_back();
    for (char &c : sentence)
      if (c == '\n')
        c = ' ';
    if (sentence.size() > 1 && !std::isupper(static_cast<unsigned char>(sentence[1])))
      sentence[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(sentence[0])));
    return finishProgram(Status::error(Exit::Usage, "E-USAGE", sentence)
                             .remedy("`" + helpCommand(app) + " --help` lists what there is"));
  }
  catchInterrupts();
  return std::nullopt;
}

int finishProgram(const Status &status) {
  if (!status.ok()) {
    std::fflush(stdout);
    std::fprintf(stderr, "%s\n", status.message().c_str());
    return int(status.exit());
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout)) {
    std::fprintf(stderr, "%s\n",
                 Status::error(Exit::Resource, "E-OUTPUT-NOT-WRITABLE", "cannot write to the standard output")
                     .cause(std::strerror(errno))
                     .message()
                     .c_str());
    return int(Exit::Resource);
  }
  return 0;
}

} // namespace quern::tools
