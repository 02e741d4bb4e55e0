//===- Log.cpp ------------------------------------------------------------===//
#include "support/Log.h"

#include <cstdio>

namespace quern {

namespace {
constexpr std::string_view levelNames[] = {"error", "warning", "info", "debug", "trace"};
} // namespace

std::optional<LogLevel> parseLogLevel(std::string_view text) {
  for (int i = 0; i != 5; ++i)
    if (text == levelNames[i])
      return static_cast<LogLevel>(i);
  return std::nullopt;
}

Log::Log(LogLevel level, Sink sink) : level(level), sink(std::move(sink)) {}

void Log::say(LogLevel at, std::string_view text) {
  if (!enabled(at))
    return;
  std::string line;
  if (at != LogLevel::Info)
    line = std::string(levelNames[static_cast<int>(at)]) + ": ";
  line += text;
  std::lock_guard lock(mutex);
  if (sink) {
    sink(line);
    return;
  }
  line += '\n';
  std::fwrite(line.data(), 1, line.size(), stderr);
}

} // namespace quern
