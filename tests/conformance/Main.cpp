//===- Main.cpp - Runs the suite against one backend ----------------------===//
//
//   conformance_test --backend=NAME [--verify] [--shim] [--no-kernels] [GoogleTest's flags]
//
// --verify runs the expected failures as well; --shim runs what only a driver of shims/ can be asked for;
// --no-kernels leaves out what launches. Exits with 77 where every test was skipped for want of a device,
// which ctest counts as skipped.
//
//===----------------------------------------------------------------------===//
#include "tests/conformance/ConformanceTest.h"

#include <cstdio>

namespace {

using namespace quern::conformance;

/// Sorts what happened by the backend's list of expected failures.
class Ledger : public testing::EmptyTestEventListener {
public:
  unsigned passed = 0, skipped = 0, failed = 0, failedAsExpected = 0;
  std::vector<std::string> passedUnexpectedly;

  void OnTestEnd(const testing::TestInfo &info) override {
    bool isExpected = false;
    for (const Exemption &exemption : configuration().backend->expectedFailures)
      isExpected |= std::string(exemption.test) == info.name();
    if (info.result()->Skipped())
      ++skipped;
    else if (info.result()->Passed())
      isExpected ? passedUnexpectedly.push_back(info.name()) : void(++passed);
    else
      ++(isExpected ? failedAsExpected : failed);
  }
};

/// Whether a test of that name exists: an exemption must not outlive its test.
bool isTest(const std::string &name) {
  const testing::UnitTest &all = *testing::UnitTest::GetInstance();
  for (int suite = 0; suite < all.total_test_suite_count(); ++suite)
    for (int test = 0; test < all.GetTestSuite(suite)->total_test_count(); ++test)
      if (name == all.GetTestSuite(suite)->GetTestInfo(test)->name())
        return true;
  return false;
}

std::string valueOf(const std::string &argument, const char *flag) {
  std::string prefix = std::string(flag) + "=";
  return argument.starts_with(prefix) ? argument.substr(prefix.size()) : std::string();
}

} // namespace

int main(int argc, char **argv) {
  testing::InitGoogleTest(&argc, argv);
  configuration().codeDirectory = QUERN_CONFORMANCE_CODE;
  bool verify = false, shim = false;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    if (std::string name = valueOf(argument, "--backend"); !name.empty())
      configuration().backend = findBackend(name);
    else if (argument == "--verify")
      verify = true;
    else if (argument == "--shim")
      shim = true;
    else if (argument == "--no-kernels")
      configuration().runsKernels = false;
    else
      return fprintf(stderr, "unknown flag `%s`\n", argv[i]), 2;
  }
  if (!configuration().backend)
    return fprintf(stderr, "--backend must be one of %s\n", backendNames().c_str()), 2;

  for (const auto *list : {&configuration().backend->unsupported, &configuration().backend->expectedFailures})
    for (const Exemption &exemption : *list)
      if (!isTest(exemption.test))
        return fprintf(stderr, "there is no test `%s`\n", exemption.test), 2;

  std::string filter = testing::GTEST_FLAG(filter);
  auto leaveOut = [&](const std::string &pattern) {
    filter += (filter.find('-') == std::string::npos ? "-" : ":") + pattern;
  };
  if (!shim)
    leaveOut("Shim.*");
  for (const Exemption &exemption : configuration().backend->expectedFailures)
    if (!verify)
      leaveOut("*." + std::string(exemption.test));
  testing::GTEST_FLAG(filter) = filter;
  auto *ledger = new Ledger; // owned by GoogleTest
  testing::UnitTest::GetInstance()->listeners().Append(ledger);
  (void)RUN_ALL_TESTS();

  const BackendUnderTest &backend = *configuration().backend;
  printf("conformance of %s: %u passed, %u failed, %u skipped, %u of %zu expected failures %s\n",
         backend.name, ledger->passed, ledger->failed, ledger->skipped, ledger->failedAsExpected,
         backend.expectedFailures.size(), verify ? "failed" : "not run");
  for (const Exemption &exemption : backend.unsupported)
    printf("  unsupported: %s: %s\n", exemption.test, exemption.reason);
  for (const Exemption &exemption : backend.expectedFailures)
    printf("  expected failure: %s: %s\n", exemption.test, exemption.reason);
  for (const std::string &test : ledger->passedUnexpectedly)
    printf("  %s passes now: take it off the list\n", test.c_str());
  if (ledger->failed != 0 || !ledger->passedUnexpectedly.empty())
    return 1;
  return ledger->passed + ledger->failedAsExpected == 0 && ledger->skipped != 0 ? 77 : 0;
}
