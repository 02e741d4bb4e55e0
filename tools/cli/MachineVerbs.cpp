//===- MachineVerbs.cpp - `devices` and `doctor` --------------------------===//
#include "runtime/Doctor.h"
#include "support/Files.h"
#include "support/Json.h"
#include "support/Progress.h"
#include "tools/cli/RunVerb.h"

#include <cstdio>
#include <memory>

namespace quern::tools {

using namespace quern::runtime;

static std::shared_ptr<std::string> addFormat(CLI::App &app) {
  auto format = std::make_shared<std::string>("text");
  app.add_option("--format", *format, "text or json")->check(CLI::IsMember({"text", "json"}));
  return format;
}

static void printJson(const char *schema, const char *key, Json items) {
  Json root = Json::object();
  root.set("schema", schema);
  root.set("schema_version", 1);
  root.set(key, std::move(items));
  std::printf("%s\n", writeJson(root, {.indent = 1}).c_str());
}

VerbBody addDevicesFlags(CLI::App &app) {
  auto format = addFormat(app);
  return [=]() -> Status {
    Json items = Json::array();
    for (const BackendDevices &backend : listDevices()) {
      if (*format == "text" && backend.devices.empty())
        std::fprintf(stderr, "%s: none, %s\n", backend.backend.c_str(), backend.absence.sentence().c_str());
      for (const DeviceInfo &info : backend.devices) {
        std::string features;
        Json list = Json::array();
        for (const std::string &feature : info.features) {
          features += " +" + feature;
          list.push(feature);
        }
        if (*format == "text")
          std::printf("%-8s %s, %s%s, %u units, %s%s%s\n", info.name.c_str(), info.description.c_str(),
                      info.architecture.c_str(), features.c_str(), info.units,
                      formatBytes(double(info.memoryBytes)).c_str(), info.driver.empty() ? "" : ", driver ",
                      info.driver.c_str());
        Json item = Json::object();
        item.set("name", info.name);
        item.set("description", info.description);
        item.set("vendor", info.vendor);
        item.set("architecture", info.architecture);
        item.set("features", std::move(list));
        item.set("driver", info.driver);
        item.set("memory_bytes", info.memoryBytes);
        item.set("units", info.units);
        items.push(std::move(item));
      }
    }
    if (*format == "json")
      printJson("quern.devices", "devices", std::move(items));
    return Status::success();
  };
}

VerbBody addDoctorFlags(CLI::App &app) {
  auto format = addFormat(app);
  return [=]() -> Status {
    Expected<std::string> cache = cacheDirectory();
    std::vector<Check> checks = diagnose(cache.ok() ? *cache : std::string());
    size_t failed = 0;
    Json items = Json::array();
    for (const Check &check : checks) {
      failed += check.state == CheckState::Failed;
      if (*format == "text") {
        std::printf("%-8s %-16s %s\n", checkStateName(check.state), check.name.c_str(), check.detail.c_str());
        if (!check.fix.empty())
          std::printf("%25s fix: %s\n", "", check.fix.c_str());
      }
      Json item = Json::object();
      item.set("name", check.name);
      item.set("state", checkStateName(check.state));
      item.set("detail", check.detail);
      item.set("fix", check.fix);
      items.push(std::move(item));
    }
    if (*format == "json")
      printJson("quern.doctor", "checks", std::move(items));
    if (failed == 0)
      return Status::success();
    return Status::error(Exit::NoDevice, "E-DOCTOR", std::to_string(failed) + " checks failed")
        .remedy("follow the fixes above");
  };
}

int runMain(CLI::App &app, int argc, char **argv, const std::function<Status()> &body) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : int(Exit::Usage);
  }
  Status status = body();
  if (std::fflush(stdout) != 0 && status.ok())
    status = Status::error(Exit::Resource, "E-OUTPUT-NOT-WRITABLE", "cannot write to the standard output");
  if (!status.ok())
    std::fprintf(stderr, "%s\n", status.message().c_str());
  return int(status.exit());
}

} // namespace quern::tools
