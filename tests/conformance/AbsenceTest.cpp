//===- AbsenceTest.cpp - Machines without a device ------------------------===//
//
//   conformance_absence_test BACKEND EXPECTED-ID [WORDS]
//
// Run in an environment where the backend has no device. Checks the error's id, exit class and remedy, that
// its message has WORDS, that the best device is then the CPU and that the doctor agrees. Exits with 77 where
// the backend does have a device, which ctest counts as skipped.
//
//===----------------------------------------------------------------------===//
#include "runtime/Devices.h"

#include <cstdio>
#include <cstdlib>

using namespace quern;
using namespace quern::runtime;

namespace {

int failures = 0;

void expect(bool condition, const std::string &what) {
  if (condition)
    return;
  ++failures;
  printf("FAILED: %s\n", what.c_str());
}

} // namespace

int main(int argc, char **argv) {
  if (argc < 3)
    return 2;
  const std::string backend = argv[1], id = argv[2], words = argc > 3 ? argv[3] : "";
  Expected<std::unique_ptr<Device>> opened = openDevice(backend + ":0");
  if (opened.ok()) {
    printf("skipped: `%s:0` is here\n", backend.c_str());
    return 77;
  }
  const std::string message = opened.error().message();
  printf("%s\n", message.c_str());
  if (opened.error().exit() == Exit::NoDevice && opened.error().id() != id &&
      getenv("QUERN_ABSENCE_OF_THIS_MACHINE")) {
    printf("skipped: this machine is another\n");
    return 77;
  }
  expect(opened.error().id() == id, "id is " + opened.error().id() + ", not " + id);
  expect(opened.error().exit() == Exit::NoDevice, "exit class");
  expect(!opened.error().remedyText().empty(), "remedy");
  expect(message.find(words) != std::string::npos, "message has `" + words + "`");

  bool listed = false;
  for (const BackendDevices &entry : listDevices()) {
    if (entry.backend != backend)
      continue;
    listed = true;
    expect(entry.devices.empty(), "no devices are listed");
    expect(entry.absence.message() == message, "the list has the same reason: " + entry.absence.message());
  }
  expect(listed, "the backend is listed");

  bool diagnosed = false;
  for (const Check &check : diagnose("")) {
    if (check.name != backend + ".driver")
      continue;
    diagnosed = true;
    expect(check.state != CheckState::Ok, "the doctor sees it");
    expect(check.detail.find(opened.error().sentence()) != std::string::npos,
           "the doctor says: " + check.detail);
    expect(!check.fix.empty(), "the doctor has a fix");
  }
  expect(diagnosed, "the doctor looks at the driver");
  return failures == 0 ? 0 : 1;
}
