//===- Log.h - Leveled messages for people, on stderr ---------------------===//
//
// A `Log` is handed to whoever may speak; there is none of global scope. Data goes to stdout and never
// through here.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_SUPPORT_LOG_H
#define QUERN_SUPPORT_LOG_H

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace quern {

enum class LogLevel : int { Error, Warning, Info, Debug, Trace };

/// From "error", "warning", "info", "debug" or "trace"; nullopt for anything else.
std::optional<LogLevel> parseLogLevel(std::string_view text);

/// Safe to use from several threads; each message is one line, "warning: TEXT", and Info lines stand bare.
class Log {
public:
  using Sink = std::function<void(std::string_view line)>;
  /// |sink| gets each line without its newline; without one lines go to stderr.
  explicit Log(LogLevel level = LogLevel::Info, Sink sink = {});

  bool enabled(LogLevel wanted) const { return wanted <= level; }
  void say(LogLevel at, std::string_view text);
  void error(std::string_view text) { say(LogLevel::Error, text); }
  void warning(std::string_view text) { say(LogLevel::Warning, text); }
  void info(std::string_view text) { say(LogLevel::Info, text); }
  void debug(std::string_view text) { say(LogLevel::Debug, text); }

private:
  LogLevel level;
  Sink sink;
  std::mutex mutex;
};

} // namespace quern

#endif // QUERN_SUPPORT_LOG_H
