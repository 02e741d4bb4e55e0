//===- ErrorTest.cpp - The driver's results as Status ---------------------===//
#include "runtime/hip/Error.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace quern::runtime::hip;

namespace {

/// A runtime that has texts for one result, and the name in place of a text for another.
Symbols talkative() {
  Symbols symbols;
  symbols.hipGetErrorName = [](Result result) -> const char * {
    return result == errorIllegalAddress ? "hipErrorIllegalAddress"
           : result == errorNotFound     ? "hipErrorNotFound"
                                         : nullptr;
  };
  symbols.hipGetErrorString = [](Result result) -> const char * {
    return result == errorIllegalAddress ? "an illegal memory access was encountered" : "hipErrorNotFound";
  };
  return symbols;
}

TEST(ErrorTest, WhatAKernelCanDoWrongIsAFault) {
  const Symbols symbols = talkative();
  for (Result result : {errorIllegalAddress, errorLaunchTimeout, errorLaunchFailed}) {
    Status status = callFailed(symbols, result, "hipStreamSynchronize", "cannot wait");
    EXPECT_EQ(status.id(), "E-DEVICE-FAULT") << result;
    EXPECT_EQ(status.exit(), Exit::Unexpected);
    EXPECT_NE(status.remedyText().find("emulated"), std::string::npos);
  }
  EXPECT_EQ(callFailed(symbols, errorIllegalAddress, "hipStreamSynchronize", "cannot wait").causeText(),
            "hipStreamSynchronize: hipErrorIllegalAddress: an illegal memory access was encountered");
}

TEST(ErrorTest, AllElseIsTheCall) {
  const Symbols symbols = talkative();
  for (Result result : std::initializer_list<Result>{errorInvalidValue, errorInvalidImage, 999}) {
    Status status = callFailed(symbols, result, "hipFree", "cannot release memory");
    EXPECT_EQ(status.id(), "E-DEVICE-CALL") << result;
    EXPECT_EQ(status.sentence(), "cannot release memory");
    EXPECT_EQ(status.causeText(), "hipFree: HIP error " + std::to_string(result));
  }
  EXPECT_EQ(callFailed(symbols, errorNotFound, "hipModuleGetFunction", "no kernel").causeText(),
            "hipModuleGetFunction: hipErrorNotFound");
  Status memory = callFailed(symbols, errorOutOfMemory, "hipMalloc", "cannot reserve memory");
  EXPECT_EQ(memory.id(), "E-DEVICE-OUT-OF-MEMORY");
  EXPECT_EQ(memory.exit(), Exit::Resource);
}

} // namespace
