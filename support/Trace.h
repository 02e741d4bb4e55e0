//===- Trace.h - What took how long, for a timeline viewer ----------------===//
//
// A trace is a list of named spans on tracks, written as Chrome trace events, which Perfetto and
// chrome://tracing open. Who may be traced takes a `Trace *`; null means off, and costs one comparison:
//
//   TraceSpan span(trace, "load", "prepare weights");
//   span.set("bytes", bytes);
//   ...                                     // ends with the object
//
// Names of spans stay readable where they are alike: what differs from one to the next goes into `set`.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_SUPPORT_TRACE_H
#define QUERN_SUPPORT_TRACE_H

#include "support/Json.h"
#include "support/Status.h"

#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

/// Ranges that a vendor's profiler shows beside its own; nested, by thread.
class RangeMarks {
public:
  virtual ~RangeMarks() = default;
  virtual void push(const char *name) = 0;
  virtual void pop() = 0;
};

/// Safe to use from several threads.
class Trace {
public:
  using Clock = std::chrono::steady_clock;
  /// |now| stands in for the clock in tests.
  explicit Trace(std::function<Clock::time_point()> now = {});

  Clock::time_point now() const { return clock ? clock() : Clock::now(); }

  /// The number of the track |name|; 0 is the program's own.
  uint32_t track(const std::string &name);
  /// A span on |track|. Beyond |mostSpans| they are counted, not kept.
  void add(uint32_t track, std::string_view category, std::string_view name, Clock::time_point begin,
           Clock::time_point end, Json arguments = Json());

  size_t spans() const;
  /// {"traceEvents": [...], "displayTimeUnit": "ms", "otherData": {...}}; times in microseconds from the
  /// trace's beginning.
  std::string json() const;
  /// Exit::Resource as `writeFile`.
  Status write(const std::string &path) const;

  static constexpr size_t mostSpans = 2'000'000;

private:
  struct Span {
    uint32_t track;
    std::string category, name;
    double begin, duration; ///< microseconds
    Json arguments;
  };
  const std::function<Clock::time_point()> clock;
  const Clock::time_point origin;
  mutable std::mutex mutex;
  std::vector<std::string> tracks = {"program"};
  std::vector<Span> kept;
  uint64_t dropped = 0;
};

/// A span from its construction to its end, on the program's track.
class TraceSpan {
public:
  TraceSpan(Trace *trace, std::string_view category, std::string_view name);
  ~TraceSpan() { end(); }
  TraceSpan(const TraceSpan &) = delete;
  TraceSpan &operator=(const TraceSpan &) = delete;

  bool on() const { return trace; }
  void set(std::string_view key, Json value) {
    if (trace)
      arguments.set(key, std::move(value));
  }
  /// Ends it before the object does.
  void end();

private:
  Trace *trace;
  std::string category, name;
  Trace::Clock::time_point begin;
  Json arguments;
};

} // namespace quern

#endif // QUERN_SUPPORT_TRACE_H
