//===- Trace.cpp ----------------------------------------------------------===//
#include "support/Trace.h"
#include "support/Files.h"

#include <algorithm>

namespace quern {

Trace::Trace(std::function<Clock::time_point()> now) : clock(std::move(now)), origin(this->now()) {}

uint32_t Trace::track(const std::string &name) {
  std::lock_guard lock(mutex);
  auto found = std::find(tracks.begin(), tracks.end(), name);
  if (found == tracks.end())
    found = tracks.insert(tracks.end(), name);
  return uint32_t(found - tracks.begin());
}

void Trace::add(uint32_t track, std::string_view category, std::string_view name, Clock::time_point begin,
                Clock::time_point end, Json arguments) {
  using Microseconds = std::chrono::duration<double, std::micro>;
  std::lock_guard lock(mutex);
  if (kept.size() >= mostSpans) {
    ++dropped;
    return;
  }
  kept.push_back({track, std::string(category), std::string(name), Microseconds(begin - origin).count(),
                  std::max(0.0, Microseconds(end - begin).count()), std::move(arguments)});
}

size_t Trace::spans() const {
  std::lock_guard lock(mutex);
  return kept.size();
}

std::string Trace::json() const {
  std::lock_guard lock(mutex);
  Json root = Json::object(), other = Json::object();
  std::vector<Json> events;
  events.reserve(kept.size() + tracks.size());
  auto event = [&](const char *phase, std::string_view name, uint32_t track) -> Json & {
    Json &one = events.emplace_back(Json::object());
    one.set("ph", phase);
    one.set("name", name);
    one.set("pid", 1);
    one.set("tid", track);
    return one;
  };
  for (uint32_t i = 0; i < tracks.size(); ++i) {
    Json arguments = Json::object();
    arguments.set("name", tracks[i]);
    event("M", "thread_name", i).set("args", std::move(arguments));
  }
  for (const Span &span : kept) {
    Json &one = event("X", span.name, span.track);
    one.set("cat", span.category);
    one.set("ts", span.begin);
    one.set("dur", span.duration);
    if (span.arguments.size())
      one.set("args", span.arguments);
  }
  root.set("traceEvents", Json::array(std::move(events)));
  root.set("displayTimeUnit", "ms");
  other.set("schema", "quern.trace");
  other.set("schema_version", 1);
  other.set("spans_dropped", dropped);
  root.set("otherData", std::move(other));
  return writeJson(root) + "\n";
}

Status Trace::write(const std::string &path) const { return writeFile(path, json()); }

TraceSpan::TraceSpan(Trace *trace, std::string_view category, std::string_view name) : trace(trace) {
  if (!trace)
    return;
  this->category = category;
  this->name = name;
  begin = trace->now();
}

void TraceSpan::end() {
  if (trace)
    trace->add(0, category, name, begin, trace->now(), std::move(arguments));
  trace = nullptr;
}

} // namespace quern
