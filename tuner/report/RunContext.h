//===- RunContext.h - What is recorded about a run ------------------------===//
#ifndef QUERN_TUNER_REPORT_RUNCONTEXT_H
#define QUERN_TUNER_REPORT_RUNCONTEXT_H

#include "runtime/Runtime.h"
#include "runtime/measure/Limits.h"
#include "runtime/measure/StepTimes.h"
#include "tuner/report/Results.h"

#include <array>

namespace quern::report {

/// The ranges of clock, power and temperature that were seen.
class ConditionsLog {
public:
  void add(const runtime::DeviceConditions &now);
  /// clock_mhz, memory_clock_mhz, power_limit_watts, power_watts, temperature_celsius as {"min", "max"}, and
  /// conditions_source or conditions_absence.
  void write(Json &context) const;

private:
  struct Range {
    double low = 0, high = 0;
    bool seen = false;
  };
  std::array<Range, 5> ranges;
  std::string source, absence;
};

/// What a result says of device, artifact and code: the members that Ledger.cpp shows.
Json sessionContext(runtime::Session &session);

/// The rates that results on |device| are held against. Those of a CPU are measured now, with |threads|, in
/// some tenths of a second; its limits are twice the best that was seen, because a busy machine measures too
/// little.
struct DeviceRates {
  Peaks peaks;
  runtime::DeviceLimits limits;
};
DeviceRates deviceRates(const runtime::DeviceInfo &device, unsigned threads);

/// Names of rows: those of the kernels, with "#2", "#3" behind what would stand twice.
std::vector<std::string> rowNames(const std::vector<runtime::StepKernel> &kernels, int64_t tokens);

/// Symbol, text, note, blocks and threads of |kernel|, for |row|; its work and weight too.
void describeKernel(const runtime::StepKernel &kernel, ResultRow &row);

/// 1 - 2 x.y / (x.x + y.y): 0 for equal vectors, 1 for orthogonal ones. Nothing where lengths differ or a
/// value is no number.
std::optional<double> vectorDifference(std::span<const float> x, std::span<const float> y);

} // namespace quern::report

#endif // QUERN_TUNER_REPORT_RUNCONTEXT_H
