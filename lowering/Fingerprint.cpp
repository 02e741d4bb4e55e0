//===- Fingerprint.cpp ----------------------------------------------------===//
#include "lowering/Compile.h"

namespace quern::lowering {

const char *compilerFingerprint() {
  return
#include "lowering/Fingerprint.inc"
      ;
}

} // namespace quern::lowering
