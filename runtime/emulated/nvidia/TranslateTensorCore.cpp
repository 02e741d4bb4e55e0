//===- TranslateTensorCore.cpp - tcgen05 ----------------------------------===//

#include "runtime/emulated/nvidia/Translate.h"

namespace quern::runtime::emulated::nvidia {

bool FunctionTranslator::tensorCore() { return false; }

} // namespace quern::runtime::emulated::nvidia
