//===- WorkerFaultTest.cpp - Compile workers that fail, one way each ------===//
//
// Small scripts stand where the program stands: a worker that dies, does not answer, or answers nonsense
// costs its kernel alone.
//
//===----------------------------------------------------------------------===//
#include "lowering/WorkerPool.h"
#include "support/ScratchDirectory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

using namespace quern;
using namespace quern::lowering;
using testing::HasSubstr;

namespace {

class WorkerFault : public testing::Test {
protected:
  std::string script(const std::string &body) {
    const std::string path = scratch / "worker";
    std::ofstream(path) << "#!/bin/sh\n" << body << "\n";
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path;
  }
  Status compile(WorkerPool &pool) {
    Expected<std::vector<CodeTarget>> targets = codeTargets("cpu:x86-64-v3");
    EXPECT_TRUE(targets.ok());
    KernelRequest request{"rms_norm", {{"N", int64_t(128)}}, {"rms_norm", {1, 128}, 1}};
    Expected<CompiledKernel> kernel = pool.compile(0, request, targets->front(), {});
    return kernel.ok() ? Status::success() : kernel.takeError();
  }
  void expectFault(const std::string &body, unsigned deadlineSeconds, const std::string &id,
                   const std::string &cause) {
    WorkerPool pool(script(body), 1, deadlineSeconds);
    // The second time a fresh worker is started, and fails alike.
    for (int i = 0; i < 2; ++i) {
      Status status = compile(pool);
      ASSERT_FALSE(status.ok());
      EXPECT_EQ(status.id(), id) << status.message();
      EXPECT_EQ(status.exit(), Exit::CompileFailed);
      EXPECT_THAT(status.sentence(), HasSubstr("`rms_norm{tile=1x128} N=128`"));
      EXPECT_THAT(status.sentence(), HasSubstr("`cpu:x86-64-v3`"));
      EXPECT_THAT(status.causeText(), HasSubstr(cause));
    }
  }
  ScratchDirectory scratch;
};

TEST_F(WorkerFault, death) {
  expectFault("exit 3", 60, "E-KERNEL-CRASH", "exit code 3");
  expectFault("read line; kill -SEGV $$", 60, "E-KERNEL-CRASH", "signal 11");
}

TEST_F(WorkerFault, noAnswerInTime) {
  expectFault("exec sleep 600", 0, "E-KERNEL-TIMEOUT", "no answer within 0 s");
}

TEST_F(WorkerFault, damagedAnswers) {
  expectFault("read line; echo hello", 60, "E-KERNEL-CRASH", "exit code 0");
  expectFault("read line; echo 99999999999999999999", 60, "E-KERNEL-CRASH", "exit code 0");
  expectFault("read line; printf '3\\nabc'", 60, "E-KERNEL-CRASH", "its answer is damaged");
  expectFault("read line; printf '0\\n'", 60, "E-KERNEL-CRASH", "its answer is damaged");
  expectFault("read line; printf '6\\nE2 x 1 '", 60, "E-KERNEL-CRASH", "its answer is damaged");
  expectFault("read line; printf '3\\nKno'", 60, "E-KERNEL-CRASH", "its answer is damaged");
}

TEST_F(WorkerFault, aProgramThatCannotBeStarted) {
  WorkerPool pool(scratch / "no-such-program", 1);
  Status status = compile(pool);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.id(), "E-WORKER-START");
  EXPECT_EQ(status.exit(), Exit::Resource);
}

} // namespace
