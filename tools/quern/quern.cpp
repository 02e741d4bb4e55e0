//===- quern.cpp - The program with verbs ---------------------------------===//
#include "lowering/WorkerPool.h"
#include "runtime/emulated/EmulatedDevice.h"
#include "tools/cli/BenchVerb.h"
#include "tools/cli/CompareVerb.h"
#include "tools/quern/Verb.h"
#include "tuner/measure/MeasureProcess.h"

#include <cstdio>
#include <map>

using namespace quern;
using namespace quern::tools;

int main(int argc, char **argv) {
  if (argc == 2 && std::string_view(argv[1]) == lowering::compileWorkerArgument)
    return lowering::runCompileWorker();
  if (argc == 2 && std::string_view(argv[1]) == tuner::measureWorkerArgument)
    return tuner::runMeasureWorker();
  CLI::App app{"Quern: compiles and runs language models on any hardware", "quern"};
  beginProgram(app);
  app.require_subcommand(1);
  const runtime::EmulatedFactory openEmulated = runtime::emulated::openEmulatedDevice;
  std::map<std::string, VerbBody, std::less<>> verbs;
  verbs["import"] = addImportVerb(app);
  verbs["compile"] = addCompileVerb(app);
  verbs["inspect"] = addInspectVerb(app);
  verbs["explain"] = addExplainVerb(app);
  verbs["db"] = addDbVerb(app);
  verbs["verify"] = addVerifyVerb(app);
  verbs["tune"] = addTuneVerb(app);
  auto add = [&](const char *name, const char *summary) -> CLI::App & {
    return *app.add_subcommand(name, summary);
  };
  verbs["run"] = addRunFlags(add("run", "Generate text with an artifact"), openEmulated);
  verbs["bench"] = addBenchFlags(add("bench", "Take times"), openEmulated);
  verbs["compare"] = addCompareFlags(
      add("compare", "Hold two devices, artifacts, targets or files of results against each other"),
      openEmulated);
  verbs["devices"] = addDevicesFlags(add("devices", "List the devices of this machine"), openEmulated);
  verbs["doctor"] =
      addDoctorFlags(add("doctor", "Check drivers, memory and directories, and say how to mend them"));
  if (argc == 1)
    return finishProgram(
        Status::error(Exit::Usage, "E-USAGE", "a verb is missing").remedy("`quern --help` lists them"));
  if (argv[1][0] != '-' && !verbs.count(std::string_view(argv[1]))) {
    std::string known;
    for (const auto &[name, body] : verbs)
      known += (known.empty() ? "" : ", ") + name;
    return finishProgram(
        Status::error(Exit::Usage, "E-VERB-UNKNOWN", std::string("there is no verb `") + argv[1] + "`")
            .remedy("choose one of " + known));
  }
  if (std::optional<int> code = parseArguments(app, argc, argv))
    return *code;
  return finishProgram(verbs.find(app.get_subcommands().front()->get_name())->second());
}
