//===- PtxFuzz.cpp - Fuzz target of the PTX reader ------------------------===//
//
// Any bytes are either read or refused with the documented error; what is read can be laid out.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/KernelImage.h"
#include "runtime/emulated/nvidia/PtxParser.h"

#include <cstdlib>

using namespace quern;
using namespace quern::runtime::emulated::nvidia;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  auto module = parsePtx({reinterpret_cast<const char *>(data), size});
  if (!module.ok()) {
    if (module.error().exit() != Exit::BadInput || module.error().causeText().empty())
      std::abort();
    return 0;
  }
  std::map<const Variable *, uint64_t> addresses;
  for (const auto &function : (*module)->functions)
    if (function->isEntry && function->isDefined)
      (void)layOut(**module, *function, addresses);
  return 0;
}
