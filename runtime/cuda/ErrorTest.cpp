//===- ErrorTest.cpp - The driver's results as Status ---------------------===//
#include "runtime/cuda/Error.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace quern::runtime::cuda;

namespace {

/// A driver that has texts for two of its results.
Symbols talkative() {
  Symbols symbols;
  symbols.cuGetErrorName = [](Result result, const char **text) -> Result {
    *text = result == errorIllegalAddress ? "CUDA_ERROR_ILLEGAL_ADDRESS" : nullptr;
    return *text ? success : errorInvalidValue;
  };
  symbols.cuGetErrorString = [](Result result, const char **text) -> Result {
    *text = "an illegal memory access was encountered";
    return success;
  };
  return symbols;
}

TEST(ErrorTest, WhatAKernelCanDoWrongIsAFault) {
  const Symbols symbols = talkative();
  for (Result result : {errorIllegalAddress, errorLaunchTimeout, errorHardwareStack, errorLaunchFailed}) {
    Status status = callFailed(symbols, result, "cuStreamSynchronize", "cannot wait");
    EXPECT_EQ(status.id(), "E-DEVICE-FAULT") << result;
    EXPECT_EQ(status.exit(), Exit::Unexpected);
    EXPECT_NE(status.remedyText().find("emulated"), std::string::npos);
  }
  EXPECT_EQ(callFailed(symbols, errorIllegalAddress, "cuStreamSynchronize", "cannot wait").causeText(),
            "cuStreamSynchronize: CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access was encountered");
}

TEST(ErrorTest, AllElseIsTheCall) {
  const Symbols symbols = talkative();
  for (Result result : std::initializer_list<Result>{errorInvalidValue, errorNotFound, 713, 720, 999}) {
    Status status = callFailed(symbols, result, "cuMemFree", "cannot release memory");
    EXPECT_EQ(status.id(), "E-DEVICE-CALL") << result;
    EXPECT_EQ(status.sentence(), "cannot release memory");
    EXPECT_EQ(status.causeText(), "cuMemFree: CUDA error " + std::to_string(result));
  }
  Status memory = callFailed(symbols, errorOutOfMemory, "cuMemAlloc", "cannot reserve memory");
  EXPECT_EQ(memory.id(), "E-DEVICE-OUT-OF-MEMORY");
  EXPECT_EQ(memory.exit(), Exit::Resource);
}

} // namespace
