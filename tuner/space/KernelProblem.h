//===- KernelProblem.h - What is tuned: a kernel, its parameters, its rows ---===//
#ifndef QUERN_TUNER_SPACE_KERNELPROBLEM_H
#define QUERN_TUNER_SPACE_KERNELPROBLEM_H

#include "support/Json.h"

#include <map>
#include <string>

namespace quern::tuner {

/// One kernel text with all of its parameters, launched for a number of rows (of its first extent: tokens,
/// for most kernels).
struct KernelProblem {
  std::string kernel;
  std::map<std::string, std::string> parameters; ///< as texts: numbers, element types
  int64_t rows = 1;

  /// The request that compiles it under |schedule|, as lowering/KernelExchange.h reads it.
  std::string request(const std::string &schedule) const;
  /// "linear K=4096 N=512 ... rows=16".
  std::string text() const;
  /// The value of a numeric parameter; 0 where there is none.
  int64_t integer(const std::string &name) const;
  bool flag(const std::string &name) const { return integer(name) != 0; }
  std::string element(const std::string &name) const;
  auto operator<=>(const KernelProblem &) const = default;
};

/// The kernel and the parameters of a request: what stands in a plan beside each kernel. Exit::BadInput
/// "E-TUNE-REQUEST".
Expected<KernelProblem> problemOfRequest(const std::string &request, int64_t rows);

/// Problems of a file: a JSON object in each line,
///
///   {"kernel": "linear", "rows": [1, 16], "parameters": {"N": 4096, "K": 512, "W": "f8E4M3FN", "SCALES": 1}}
///
/// where |rows| is a number or several, and parameters that are left out have the defaults of
/// `standardParameters`. Empty lines are skipped. Exit::BadInput "E-TUNE-SHAPES" names the line.
Expected<std::vector<KernelProblem>> readShapes(std::string_view text, const std::string &name);

} // namespace quern::tuner

#endif // QUERN_TUNER_SPACE_KERNELPROBLEM_H
