//===- Doctor.cpp ---------------------------------------------------------===//
#include "runtime/Doctor.h"

#include "runtime/Backend.h"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace quern::runtime {

namespace {

constexpr uint64_t mebibyte = uint64_t(1) << 20;

void checkHostMemory(std::vector<Check> &checks) {
  uint64_t pages = static_cast<uint64_t>(sysconf(_SC_AVPHYS_PAGES));
  uint64_t free = pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) / mebibyte;
  Check &check = checks.emplace_back();
  check.name = "host.memory";
  check.detail = std::to_string(free) + " MiB free";
  if (free < 1024) {
    check.state = CheckState::Warning;
    check.fix = "close other programs: compiling a small model takes about 1 GiB";
  }
}

/// The nearest ancestor of |path| that exists; |path| itself may not yet.
std::string existingAncestor(std::string path) {
  while (path.size() > 1 && access(path.c_str(), F_OK) != 0) {
    size_t slash = path.rfind('/');
    if (slash == std::string::npos)
      return ".";
    path.resize(slash == 0 ? 1 : slash);
  }
  return path.empty() ? "." : path;
}

void checkCache(const std::string &directory, std::vector<Check> &checks) {
  if (directory.empty())
    return;
  std::string place = existingAncestor(directory);
  Check &permission = checks.emplace_back();
  permission.name = "host.cache";
  permission.detail = "`" + directory + "` is writable";
  struct stat kind;
  const bool isDirectory = stat(place.c_str(), &kind) == 0 && S_ISDIR(kind.st_mode);
  if (!isDirectory || access(place.c_str(), W_OK) != 0) {
    permission.state = CheckState::Failed;
    permission.detail = isDirectory ? "cannot write to `" + place + "`" : "`" + place + "` is no directory";
    permission.fix = "set QUERN_CACHE_DIR to a directory that is yours";
  }
  struct statvfs facts;
  if (statvfs(place.c_str(), &facts) != 0)
    return;
  uint64_t free = uint64_t(facts.f_bavail) * facts.f_frsize / mebibyte;
  Check &space = checks.emplace_back();
  space.name = "host.disk";
  space.detail = std::to_string(free) + " MiB free at `" + place + "`";
  if (free < 512) {
    space.state = CheckState::Warning;
    space.fix = "free some space, or set QUERN_CACHE_DIR to another disk";
  }
}

} // namespace

const char *checkStateName(CheckState state) {
  switch (state) {
  case CheckState::Ok:
    return "ok";
  case CheckState::Absent:
    return "absent";
  case CheckState::Warning:
    return "warning";
  case CheckState::Failed:
    return "failed";
  }
  return "unknown";
}

std::vector<Check> diagnose(const std::string &cacheDirectory) {
  std::vector<Check> checks;
  checkHostMemory(checks);
  checkCache(cacheDirectory, checks);
  for (const Backend *backend : backends())
    backend->diagnose(checks);
  return checks;
}

} // namespace quern::runtime
