//===- quern-run.cpp - Runs artifacts; needs nothing but libc and a driver ---===//
#include "tools/cli/BenchVerb.h"
#include "tools/cli/CompareVerb.h"
#include "tools/cli/MeasureVerb.h"
#include "tools/cli/Program.h"
#include "tools/cli/RunVerb.h"
#include "tuner/measure/MeasureProcess.h"

#include <cstring>

using namespace quern;

int main(int argc, char **argv) {
  if (argc == 2 && std::strcmp(argv[1], tuner::measureWorkerArgument) == 0)
    return tuner::runMeasureWorker();
  bool isDevices = argc > 1 && std::strcmp(argv[1], "devices") == 0;
  bool isBench = argc > 1 && std::strcmp(argv[1], "bench") == 0;
  bool isMeasure = argc > 1 && std::strcmp(argv[1], "measure") == 0;
  bool isCompare = argc > 1 && std::strcmp(argv[1], "compare") == 0;
  bool isDoctor = argc > 1 && std::strcmp(argv[1], "doctor") == 0;
  CLI::App app{"Runs a Quern artifact", "quern-run"};
  tools::beginProgram(app);
  tools::VerbBody body = isDevices   ? tools::addDevicesFlags(app, nullptr)
                         : isBench   ? tools::addBenchFlags(app, nullptr)
                         : isCompare ? tools::addCompareFlags(app, nullptr)
                         : isDoctor  ? tools::addDoctorFlags(app)
                         : isMeasure ? tools::addMeasureFlags(app)
                                     : tools::addRunFlags(app, nullptr);
  if (isDevices || isDoctor || isBench || isMeasure || isCompare) {
    --argc;
    ++argv;
  } else {
    app.footer("More uses: `quern-run devices` lists devices, `quern-run doctor` checks this machine, "
               "`quern-run bench kernel` takes times, `quern-run compare` compares, `quern-run measure` "
               "measures a tuning "
               "bundle.");
  }
  if (std::optional<int> code = tools::parseArguments(app, argc, argv))
    return *code;
  return tools::finishProgram(body());
}
