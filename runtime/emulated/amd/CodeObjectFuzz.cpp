//===- CodeObjectFuzz.cpp - Fuzz target of the code-object reader ---------===//
//
// Any bytes are either read or refused with the documented error, and what is read keeps its promises: the
// code and the entries of kernels lie inside the image.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/CodeObject.h"

#include <cstdlib>

using namespace quern::runtime::emulated::amd;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  auto object = readCodeObject(std::as_bytes(std::span(data, size)));
  if (!object.ok()) {
    if (object.error().id() != "E-EMULATED-CODE")
      std::abort();
    return 0;
  }
  if (object->textAddress + object->textBytes > object->imageBytes)
    std::abort();
  for (const KernelCode &kernel : object->kernels)
    if (kernel.entry < object->textAddress || kernel.entry >= object->textAddress + object->textBytes)
      std::abort();
  return 0;
}
