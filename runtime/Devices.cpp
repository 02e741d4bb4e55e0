//===- Devices.cpp --------------------------------------------------------===//
#include "runtime/Devices.h"

#include "support/target/TargetSpec.h"

#include <charconv>
#include <dlfcn.h>
#include <unistd.h>

namespace quern::runtime {

namespace {

constexpr const char *emulatedPrefix = "emulated:";

Status badName(const std::string &name) {
  std::string forms;
  for (const Backend *backend : backends())
    forms += std::string("`") + backend->name + (backend->numbered ? ":N`, " : "`, ");
  return Status::error(Exit::Usage, "E-DEVICE-NAME", "`" + name + "` names no device")
      .remedy("use one of " + forms + "`" + emulatedPrefix + "<target>`");
}

/// Directory of the running program with a slash at the end; empty where /proc does not tell.
std::string programDirectory() {
  char path[4096];
  ssize_t length = readlink("/proc/self/exe", path, sizeof(path));
  if (length <= 0)
    return {};
  std::string text(path, static_cast<size_t>(length));
  return text.substr(0, text.rfind('/') + 1);
}

/// The factory of the emulated devices' library. It stays loaded until the process ends: devices made by it
/// have their code there.
Expected<EmulatedFactory> loadEmulatedFactory(const DeviceOptions &options) {
  std::vector<std::string> paths;
  if (!options.emulatedLibrary.empty())
    paths = {options.emulatedLibrary};
  else
    paths = {programDirectory() + "libquern-emulated.so", programDirectory() + "../lib/libquern-emulated.so"};
  void *library = nullptr;
  std::string cause;
  for (const std::string &path : paths) {
    if ((library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)))
      break;
    if (const char *text = dlerror(); text && cause.empty())
      cause = text;
  }
  if (!library)
    return Status::error(Exit::NoDevice, "E-DEVICE-NO-LIBRARY",
                         "cannot open the library of the emulated devices")
        .cause(cause)
        .remedy("put libquern-emulated.so beside this program, or use `quern run`");
  auto *exported = static_cast<const EmulatedLibrary *>(dlsym(library, "quernEmulatedLibrary"));
  if (!exported || exported->interfaceVersion != emulatedInterfaceVersion)
    return Status::error(Exit::NoDevice, "E-DEVICE-NO-LIBRARY", "libquern-emulated.so is of another build")
        .cause("expected interface " + std::to_string(emulatedInterfaceVersion) + ", found " +
               (exported ? std::to_string(exported->interfaceVersion) : std::string("none")))
        .remedy("install the library that came with this program");
  return exported->open;
}

Expected<std::unique_ptr<Device>> openEmulated(const std::string &target, const DeviceOptions &options) {
  if (target.empty())
    return badName(emulatedPrefix);
  if (options.emulated)
    return options.emulated(target, options);
  QUERN_ASSIGN_OR_RETURN(EmulatedFactory factory, loadEmulatedFactory(options));
  return factory(target, options);
}

Expected<std::unique_ptr<Device>> openBest(const DeviceOptions &options) {
  // A GPU whose list works but which cannot be opened (driver too old, in exclusive use) is reported, not
  // passed over: a silent fall to the CPU would look like a slow GPU.
  for (const Backend *backend : backends())
    if (backend->list().ok())
      return backend->open(0, options);
  return Status::error(Exit::NoDevice, "E-DEVICE-NONE", "no device is present")
      .remedy("`quern doctor` says what is missing");
}

} // namespace

std::vector<BackendDevices> listDevices() {
  std::vector<BackendDevices> found;
  for (const Backend *backend : backends()) {
    BackendDevices &entry = found.emplace_back();
    entry.backend = backend->name;
    Expected<std::vector<DeviceInfo>> devices = backend->list();
    if (devices.ok())
      entry.devices = std::move(*devices);
    else
      entry.absence = devices.takeError();
  }
  return found;
}

Expected<std::unique_ptr<Device>> openDevice(const std::string &name, const DeviceOptions &options) {
  if (name.empty())
    return openBest(options);
  if (name.starts_with(emulatedPrefix))
    return openEmulated(name.substr(std::string(emulatedPrefix).size()), options);
  size_t colon = name.find(':');
  std::string kind = name.substr(0, colon);
  for (const Backend *backend : backends()) {
    if (kind != backend->name)
      continue;
    uint32_t index = 0;
    if (colon != std::string::npos) {
      const char *first = name.data() + colon + 1, *last = name.data() + name.size();
      auto [end, error] = std::from_chars(first, last, index);
      if (!backend->numbered || error != std::errc() || end != last || first == last)
        return badName(name);
    }
    return backend->open(index, options);
  }
  return badName(name);
}

Expected<size_t> chooseCode(const DeviceInfo &info, std::span<const std::string> targets) {
  if (info.emulated) { // of one exact target
    const std::string exact = info.name.substr(std::string(emulatedPrefix).size());
    for (size_t i = 0; i < targets.size(); ++i)
      if (targets[i] == exact)
        return i;
  }
  for (const Backend *backend : backends()) {
    if (info.vendor != backend->vendor || !backend->chooseCode)
      continue;
    const std::string prefix = info.vendor + ":";
    std::vector<std::string> own; // this vendor's, without the prefix
    std::vector<size_t> positions;
    std::string present;
    for (size_t i = 0; i < targets.size(); ++i) {
      present += (present.empty() ? "" : ", ") + targets[i];
      if (targets[i].starts_with(prefix)) {
        own.push_back(targets[i].substr(prefix.size()));
        positions.push_back(i);
      }
    }
    if (ptrdiff_t chosen = backend->chooseCode(info, own); chosen >= 0)
      return positions[static_cast<size_t>(chosen)];
    return Status::error(Exit::Unsupported, "E-TARGET-NOT-IN-ARTIFACT",
                         "the artifact has no code for `" + info.name + "` (" + info.architecture + ")")
        .cause("it has " + (present.empty() ? "none" : present))
        .remedy(std::string("compile again with --target ") + backend->name);
  }
  std::vector<TargetSpec> known; // a name of a later version is passed over
  std::vector<size_t> positions;
  for (size_t i = 0; i < targets.size(); ++i) {
    Expected<TargetSpec> spec = parseTarget(targets[i]);
    if (!spec.ok())
      continue;
    known.push_back(std::move(*spec));
    positions.push_back(i);
  }
  QUERN_ASSIGN_OR_RETURN(size_t chosen, chooseTarget(known, {info.vendor, info.architecture, info.units}));
  return positions[chosen];
}

} // namespace quern::runtime
