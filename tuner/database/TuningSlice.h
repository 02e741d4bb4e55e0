//===- TuningSlice.h - What of a database an artifact was made with -------===//
//
// `tuning.jsonl` in an artifact: a head, then one line for each kernel of each target, in the order of
// targets and symbols. The lines say which configuration the kernel has, on which level it was found, why,
// and what it beat, so that `quern explain` needs no database. They depend on the database's contents alone:
// no path, no time.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TUNER_DATABASE_TUNINGSLICE_H
#define QUERN_TUNER_DATABASE_TUNINGSLICE_H

#include "tuner/database/Lookup.h"

namespace quern::tuner {

inline constexpr const char *tuningMemberName = "tuning.jsonl";

struct SliceEntry {
  std::string target, symbol, kernel;
  TokenRange rows;        ///< that the kernel serves
  std::string parameters; ///< of the kernel, all of them: " K=4096 N=512 ..."
  std::string family;     ///< text of the problem without its range; empty where the kernel has no space.json
  Nearness nearness = Nearness::Default;
  std::string config, defaultConfig;
  std::string why;
  bool stale = false;
  std::string device, deviceKey; ///< label and key of where it was measured; empty where it was not
  std::string compiler;          ///< that made what was measured
  Ratio ratio;                   ///< of |config| to |defaultConfig|
  std::string runnerUp;
  Ratio runnerUpRatio;
  std::vector<int64_t> points;
  uint64_t trials = 0, tried = 0; ///< measurements and configurations that took part
};

/// What |answer| says about a kernel.
SliceEntry sliceEntry(const LookupRequest &request, const LookupAnswer &answer);

/// Equal entries give equal bytes, in whatever order they come.
std::string writeSlice(std::vector<SliceEntry> entries);
/// Exit::BadInput "E-TUNING-SLICE" and the errors of Json.h.
Expected<std::vector<SliceEntry>> readSlice(std::string_view text);

} // namespace quern::tuner

#endif // QUERN_TUNER_DATABASE_TUNINGSLICE_H
