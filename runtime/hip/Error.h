//===- Error.h - HIP's results as Status ----------------------------------===//
//
// Every call of HIP goes through QUERN_HIP_RETURN_IF_ERROR, which adds HIP's own text and the name of the
// call.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_HIP_ERROR_H
#define QUERN_RUNTIME_HIP_ERROR_H

#include "runtime/hip/Symbols.h"

namespace quern::runtime::hip {

/// "hipErrorIllegalAddress: an illegal memory access was encountered".
std::string errorText(const Symbols &symbols, Result result);

/// |call| is the entry point, |what| a sentence of what was attempted. Out of memory is Exit::Resource
/// "E-DEVICE-OUT-OF-MEMORY"; faults of a kernel are Exit::Unexpected "E-DEVICE-FAULT". All else is
/// Exit::Unexpected "E-DEVICE-CALL".
Status callFailed(const Symbols &symbols, Result result, const char *call, const std::string &what);

/// For hipInit and hipGetDeviceCount: see Symbols::load.
Status initialisationFailed(const Symbols &symbols, Result result);

/// `QUERN_HIP_RETURN_IF_ERROR(symbols, hipFree(address), "cannot release memory")`.
#define QUERN_HIP_RETURN_IF_ERROR(symbols, call, what)                                                       \
  do {                                                                                                       \
    if (::quern::runtime::hip::Result quernResult = (symbols).call; quernResult != 0) {                      \
      const std::string quernCall = #call;                                                                   \
      return ::quern::runtime::hip::callFailed((symbols), quernResult,                                       \
                                               quernCall.substr(0, quernCall.find('(')).c_str(), (what));    \
    }                                                                                                        \
  } while (false)

} // namespace quern::runtime::hip

#endif // QUERN_RUNTIME_HIP_ERROR_H
