//===- FaultTest.cpp - Kernels that do wrong ------------------------------===//
//
// Linked last, so that it runs last: on real hardware the process can not use the device afterwards.
//
//===----------------------------------------------------------------------===//
#include "tests/conformance/ConformanceTest.h"

namespace quern::conformance {
namespace {

class Fault : public ConformanceTest {
protected:
  void SetUp() override {
    ConformanceTest::SetUp();
    needKernels();
  }
};

TEST_F(Fault, WildStoreIsReported) {
  EXPECT_OK(device->launch(kernel("write_wild"), shape(1), std::vector{i64(0x40)}));
  Status fault = device->synchronize();
  ASSERT_FALSE(fault.ok());
  EXPECT_EQ(fault.exit(), Exit::Unexpected) << fault.message();
  EXPECT_FALSE(fault.causeText().empty());
}

} // namespace
} // namespace quern::conformance
