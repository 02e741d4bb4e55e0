//===- TestRecords.h - Records for the tests of this room -----------------===//
#ifndef QUERN_TUNER_DATABASE_TESTRECORDS_H
#define QUERN_TUNER_DATABASE_TESTRECORDS_H

#include "tuner/database/Records.h"

namespace quern::tuner {

inline DeviceIdentity testDevice() { return {"pci:10de:2330", "sm_90", 132, "", 2600, "Example 80"}; }

inline Problem testProblem(TokenRange tokens = {1, 16}) {
  return {"linear", {{"K", "4096"}, {"N", "512"}}, "bf16", tokens};
}

/// A measurement whose samples are |seconds| times 1, 1.01, 0.99, 1.02, ...: a median of |seconds| with an
/// interval.
inline Measurement testMeasurement(std::string config, double seconds, int64_t timestamp = 1000) {
  Measurement m;
  m.problem = testProblem();
  m.device = testDevice();
  m.toolchain = {"c0ffee", "nvidia:sm_90a", "driver 13.0", "0.1.0"};
  m.config = std::move(config);
  m.tokens = 16;
  for (int i = 0; i < 11; ++i)
    m.samples.push_back(seconds * (1 + (i % 2 ? 0.001 : -0.001) * ((i + 1) / 2)));
  m.seed = 7;
  m.timestamp = timestamp;
  return m;
}

inline Measurement failedMeasurement(std::string config, Outcome outcome, int64_t timestamp = 1000) {
  Measurement m = testMeasurement(std::move(config), 1, timestamp);
  m.outcome = outcome;
  m.samples.clear();
  m.detail = "it failed";
  return m;
}

} // namespace quern::tuner

#endif // QUERN_TUNER_DATABASE_TESTRECORDS_H
