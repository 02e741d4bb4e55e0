//===- quern.cpp - The program with verbs ---------------------------------===//
#include "lowering/WorkerPool.h"
#include "tools/quern/Verb.h"

#include <cstdio>
#include <map>

using namespace quern;

int main(int argc, char **argv) {
  if (argc == 2 && std::string_view(argv[1]) == lowering::compileWorkerArgument)
    return lowering::runCompileWorker();
  CLI::App app{"Quern: compiles, tunes and runs language models on any hardware"};
  app.require_subcommand(1);
  std::map<std::string, tools::VerbBody> verbs;
  verbs["compile"] = tools::addCompileVerb(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : int(Exit::Usage);
  }
  Status status = verbs[app.get_subcommands().front()->get_name()]();
  if (!status.ok())
    std::fprintf(stderr, "%s\n", status.message().c_str());
  return int(status.exit());
}
