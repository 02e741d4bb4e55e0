//===- Progress.h - How far long work is, with rate and remaining time ----===//
//
// `--progress auto|bar|plain|json|none` of every program, on stderr. A bar redraws one line of a terminal;
// plain prints a line every few seconds; json prints one object per line for a program that follows:
// events `start` and `progress`.
//
//   Progress progress(ProgressMode::Auto, "hash weights", totalBytes, ProgressUnit::Bytes);
//   progress.add(bytes);         // from any thread
//   progress.finish();
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_SUPPORT_PROGRESS_H
#define QUERN_SUPPORT_PROGRESS_H

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace quern {

enum class ProgressMode : uint8_t { Auto, Bar, Plain, Json, None };
/// From the flag's value; nullopt for anything else.
std::optional<ProgressMode> parseProgressMode(std::string_view text);

enum class ProgressUnit : uint8_t { Items, Bytes };

/// Where lines go and what time it is; replaced in tests.
struct ProgressOutput {
  std::function<void(std::string_view)> write;                ///< default: stderr
  std::function<std::chrono::steady_clock::time_point()> now; ///< default: the steady clock
  bool terminal = false; ///< `Auto` becomes Bar on a terminal, else Plain
  unsigned columns = 80; ///< width of the terminal; a bar never wraps
  static ProgressOutput standardError();
};

class Progress {
public:
  /// |total| 0 means unknown: then no share and no remaining time are shown.
  Progress(ProgressMode mode, std::string task, uint64_t total, ProgressUnit unit = ProgressUnit::Items,
           ProgressOutput output = ProgressOutput::standardError());
  ~Progress() { finish(); }
  Progress(const Progress &) = delete;
  Progress &operator=(const Progress &) = delete;

  void add(uint64_t count);
  /// A short text shown behind the numbers, such as the best result so far.
  void note(std::string text);
  /// Prints the last state, once; called by the destructor as well.
  void finish();

private:
  void print(bool last);
  std::string line(double seconds, bool last) const;
  std::string json(double seconds, bool last) const;
  const char *unitName() const; ///< in quotes

  ProgressMode mode;
  std::string task, extra;
  uint64_t total, done = 0;
  ProgressUnit unit;
  ProgressOutput output;
  std::chrono::steady_clock::time_point start, printed;
  bool finished = false;
  std::mutex mutex;
};

/// "1.50 GiB", "512 B".
std::string formatBytes(double bytes);
/// "0.4 s", "59 s", "2 min 05 s", "3 h 07 min".
std::string formatSeconds(double seconds);

} // namespace quern

#endif // QUERN_SUPPORT_PROGRESS_H
