//===- quern-run.cpp - Runs artifacts; needs nothing but libc and a driver ---===//
#include "tools/cli/RunVerb.h"

#include <cstring>

using namespace quern;

int main(int argc, char **argv) {
  bool isDevices = argc > 1 && std::strcmp(argv[1], "devices") == 0;
  bool isDoctor = argc > 1 && std::strcmp(argv[1], "doctor") == 0;
  CLI::App app{"Runs a Quern artifact", "quern-run"};
  tools::VerbBody body = isDevices  ? tools::addDevicesFlags(app)
                         : isDoctor ? tools::addDoctorFlags(app)
                                    : tools::addRunFlags(app, nullptr);
  if (isDevices || isDoctor) {
    --argc;
    ++argv;
  } else {
    app.footer("Two more uses: `quern-run devices` lists devices, `quern-run doctor` checks this machine.");
  }
  return tools::runMain(app, argc, argv, body);
}
