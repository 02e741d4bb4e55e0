//===- KernelKey.h - Which problems of a kernel are the same one ----------===//
//
// Each kernel declares in its space.json what decides about its time, so that a key neither forgets a size
// nor holds a value that changes nothing:
//
//   {
//     "key": ["K", "N", "W", "SCALES"],      parameters of the kernel text; one that a kernel is made without
//                                            is left out of the problem
//     "dtype": "W",                          the parameter that names the element type of the problem, or a
//     type "rows": [1, 2, 4, 8, 16, 32, 64]       ends of the buckets of its number of rows
//   }
//
// Numbers of rows from one end (exclusive) to the next (inclusive) are one problem: a Schedule that is good
// at its end serves all of it. Beyond the last end nothing is known, and the default is taken. Other members
// of the file belong to the search.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TUNER_DATABASE_KERNELKEY_H
#define QUERN_TUNER_DATABASE_KERNELKEY_H

#include "tuner/database/Records.h"

#include <optional>

namespace quern::tuner {

class KernelKey {
public:
  /// Of the text of a space.json; |name| stands in messages. Exit::BadInput "E-JSON-..." and "E-SPACE-KEY"
  /// where buckets do not grow or a name stands twice.
  static Expected<KernelKey> parse(std::string_view text, const std::string &kernel, const std::string &name);

  const std::string &kernel() const { return kernelName; }
  const std::vector<std::string> &parameters() const { return key; }
  /// True where the file also says what may be tried, so that `quern tune` can measure the kernel.
  bool isSearched() const { return searched; }

  /// The bucket of |rows|; nothing beyond the last one or below 1.
  std::optional<TokenRange> bucket(int64_t rows) const;
  /// All buckets that a number of |range| lies in.
  std::vector<TokenRange> buckets(TokenRange range) const;

  /// The problem of a kernel with all of its |parameters|, as texts.
  Problem problem(const std::map<std::string, std::string> &parameters, TokenRange rows) const;

private:
  std::string kernelName, dtype;
  std::vector<std::string> key;
  std::vector<int64_t> ends;
  bool searched = false;
};

/// The parameters behind the Schedule in the text of a kernel ("linear{tile=4x8x64} K=4096 N=512 W=bf16"), as
/// requests and plans write it.
std::map<std::string, std::string> parametersOfText(std::string_view text);
/// What stands before them: the Schedule's text.
std::string_view scheduleOfText(std::string_view text);

} // namespace quern::tuner

#endif // QUERN_TUNER_DATABASE_KERNELKEY_H
