//===- Error.h - The driver's results as Status ---------------------------===//
//
// Every call of the driver goes through QUERN_CUDA_RETURN_IF_ERROR, which adds the driver's own text and the
// name of the call.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_CUDA_ERROR_H
#define QUERN_RUNTIME_CUDA_ERROR_H

#include "runtime/cuda/Symbols.h"

namespace quern::runtime::cuda {

/// "CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access was encountered", or the number where the driver has
/// none.
std::string errorText(const Symbols &symbols, Result result);

/// |call| is the entry point, |what| a sentence of what was attempted. Out of memory is Exit::Resource
/// "E-DEVICE-OUT-OF-MEMORY"; faults of a kernel are Exit::Unexpected "E-DEVICE-FAULT" and stay: after one the
/// device must be opened again. All else is Exit::Unexpected "E-DEVICE-CALL".
Status callFailed(const Symbols &symbols, Result result, const char *call, const std::string &what);

/// For cuInit: see Symbols::load.
Status initialisationFailed(const Symbols &symbols, Result result);

/// `QUERN_CUDA_RETURN_IF_ERROR(symbols, cuMemFree(address), "cannot release memory")`.
#define QUERN_CUDA_RETURN_IF_ERROR(symbols, call, what)                                                      \
  do {                                                                                                       \
    if (::quern::runtime::cuda::Result quernResult = (symbols).call; quernResult != 0) {                     \
      const std::string quernCall = #call;                                                                   \
      return ::quern::runtime::cuda::callFailed((symbols), quernResult,                                      \
                                                quernCall.substr(0, quernCall.find('(')).c_str(), (what));   \
    }                                                                                                        \
  } while (false)

} // namespace quern::runtime::cuda

#endif // QUERN_RUNTIME_CUDA_ERROR_H
