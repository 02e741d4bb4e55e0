//===- MachineVerbs.cpp - `devices` and `doctor` --------------------------===//
#include "runtime/Devices.h"
#include "runtime/Doctor.h"
#include "support/Files.h"
#include "support/Json.h"
#include "support/target/KnownTargets.h"
#include "tools/cli/Program.h"
#include "tools/cli/Rows.h"
#include "tools/cli/RunVerb.h"

#include <cstdio>
#include <memory>

using namespace quern::runtime;

namespace quern::tools {

/// "x, y, z".
static std::string joined(const std::vector<std::string> &words) {
  std::string text;
  for (const std::string &word : words)
    text += (text.empty() ? "" : ", ") + word;
  return text;
}

static Json deviceJson(const DeviceInfo &info) {
  Json json = Json::object();
  json.set("name", info.name);
  json.set("description", info.description);
  json.set("vendor", info.vendor);
  json.set("architecture", info.architecture);
  json.set("driver", info.driver);
  json.set("hardware", info.hardware);
  json.set("partition", info.partition);
  json.set("memory_clock_mhz", info.memoryClockMhz);
  json.set("memory_bytes", info.memoryBytes);
  json.set("units", info.units);
  Json features = Json::array();
  for (const std::string &feature : info.features)
    features.push(feature);
  json.set("features", std::move(features));
  return json;
}

/// Targets whose devices |emulated| can play.
static std::vector<std::string> emulatedTargets(EmulatedFactory emulated) {
  std::vector<std::string> names;
  if (!emulated)
    return names;
  for (const TargetInfo &target : knownTargets()) {
    if (target.isCpu())
      continue;
    std::string name = std::string(target.vendor) + ":" + std::string(target.architecture);
    if (emulated(name, {}).ok())
      names.push_back(name);
  }
  return names;
}

/// A row for each device, each backend without one, each target that is played.
static std::vector<Json> deviceRows(const std::vector<BackendDevices> &found,
                                    const std::vector<std::string> &played) {
  std::vector<Json> rows;
  auto add = [&](const char *state) -> Json & {
    Json &row = rows.emplace_back(Json::object());
    row.set("state", state);
    return row;
  };
  for (const BackendDevices &backend : found) {
    for (const DeviceInfo &info : backend.devices) {
      Json &row = add("present");
      const Json own = deviceJson(info);
      for (const Json::Member &member : own.members())
        row.set(member.key, member.value);
    }
    if (backend.devices.empty()) {
      Json &row = add("absent");
      row.set("name", backend.backend);
      row.set("description", backend.absence.sentence());
    }
  }
  for (const std::string &name : played)
    add("emulated").set("name", "emulated:" + name);
  return rows;
}

static Status listAll(OutputFormat format, EmulatedFactory factory) {
  std::vector<BackendDevices> found = listDevices();
  std::vector<std::string> played = emulatedTargets(factory);
  if (isRows(format)) {
    std::printf("%s", rowsText("quern.devices", deviceRows(found, played), format).c_str());
    return Status::success();
  }
  if (format == OutputFormat::Json) {
    Json root = Json::object(), devices = Json::array(), absent = Json::array(), emulated = Json::array();
    for (const BackendDevices &backend : found) {
      for (const DeviceInfo &info : backend.devices)
        devices.push(deviceJson(info));
      if (backend.devices.empty()) {
        Json &entry = absent.push(Json::object());
        entry.set("backend", backend.backend);
        entry.set("id", backend.absence.id());
        entry.set("reason", backend.absence.sentence());
      }
    }
    for (const std::string &name : played)
      emulated.push("emulated:" + name);
    root.set("schema", "quern.devices");
    root.set("schema_version", 1);
    root.set("devices", std::move(devices));
    root.set("absent", std::move(absent));
    root.set("emulated", std::move(emulated));
    std::printf("%s\n", writeJson(root, {.indent = 2}).c_str());
    return Status::success();
  }
  for (const BackendDevices &backend : found) {
    for (const DeviceInfo &info : backend.devices) {
      std::printf("%-8s %s\n", info.name.c_str(), info.description.c_str());
      std::printf("         %s:%s, %u units, %s%s%s\n", info.vendor.c_str(), info.architecture.c_str(),
                  info.units, formatBytes(double(info.memoryBytes)).c_str(),
                  info.driver.empty() ? "" : ", driver ", info.driver.c_str());
      if (!info.features.empty())
        std::printf("         features: %s\n", joined(info.features).c_str());
    }
    if (backend.devices.empty())
      std::printf("%-8s none: %s\n", backend.backend.c_str(), backend.absence.sentence().c_str());
  }
  if (played.empty())
    return Status::success();
  std::printf("%-8s this program plays %s (as in `emulated:%s`)\n", "emulated", joined(played).c_str(),
              played.front().c_str());
  return Status::success();
}

VerbBody addDevicesFlags(CLI::App &app, EmulatedFactory emulated) {
  auto flags = std::make_shared<ProgramFlags>();
  auto format = std::make_shared<OutputFormat>(OutputFormat::Text);
  addFormatFlag(app, *format);
  addProgramFlags(app, *flags);
  return [=]() -> Status {
    (void)flags;
    return listAll(*format, emulated);
  };
}

VerbBody addDoctorFlags(CLI::App &app) {
  auto flags = std::make_shared<ProgramFlags>();
  auto format = std::make_shared<OutputFormat>(OutputFormat::Text);
  addFormatFlag(app, *format);
  addProgramFlags(app, *flags);
  return [=]() -> Status {
    (void)flags;
    Expected<std::string> cache = cacheDirectory();
    std::vector<Check> checks = diagnose(cache.ok() ? *cache : std::string());
    if (!cache.ok())
      checks.push_back(
          {"host.cache", CheckState::Warning, cache.error().sentence(), cache.error().remedyText()});
    size_t failed = 0;
    Json root = Json::object(), list = Json::array();
    for (const Check &check : checks) {
      failed += check.state == CheckState::Failed;
      if (*format != OutputFormat::Text) {
        Json &entry = list.push(Json::object());
        entry.set("name", check.name);
        entry.set("state", checkStateName(check.state));
        entry.set("detail", check.detail);
        entry.set("fix", check.fix);
        continue;
      }
      std::printf("%-8s %-16s %s\n", checkStateName(check.state), check.name.c_str(), check.detail.c_str());
      if (!check.fix.empty())
        std::printf("%-8s %-16s -> %s\n", "", "", check.fix.c_str());
    }
    if (isRows(*format))
      std::printf("%s", rowsText("quern.doctor", list.items(), *format).c_str());
    if (*format == OutputFormat::Json) {
      root.set("schema", "quern.doctor");
      root.set("schema_version", 1);
      root.set("checks", std::move(list));
      std::printf("%s\n", writeJson(root, {.indent = 2}).c_str());
    }
    if (failed != 0)
      return Status::error(Exit::NoDevice, "E-DOCTOR-FAILED", std::to_string(failed) + " checks failed")
          .remedy("do what stands behind the arrows above");
    return Status::success();
  };
}

} // namespace quern::tools
