//===- Progress.cpp -------------------------------------------------------===//
#include "support/Progress.h"

#include <cmath>
#include <cstdio>
#include <sys/ioctl.h>
#include <unistd.h>

namespace quern {

namespace {

constexpr std::string_view modeNames[] = {"auto", "bar", "plain", "json", "none"};

std::string format(const char *pattern, double value) {
  char text[64];
  std::snprintf(text, sizeof text, pattern, value);
  return text;
}

/// A JSON string literal; bytes from 0x80 on pass through as UTF-8.
std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", c);
      result += escape;
    } else {
      result += c;
    }
  }
  return result + "\"";
}

} // namespace

std::optional<ProgressMode> parseProgressMode(std::string_view text) {
  for (int i = 0; i != 5; ++i)
    if (text == modeNames[i])
      return static_cast<ProgressMode>(i);
  return std::nullopt;
}

std::string formatBytes(double bytes) {
  static constexpr const char *units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  int unit = 0;
  for (; unit != 5 && bytes >= 1024; ++unit)
    bytes /= 1024;
  return format(unit == 0 ? "%.0f " : "%.2f ", bytes) + units[unit];
}

std::string formatSeconds(double seconds) {
  char text[64];
  if (seconds < 9.95)
    std::snprintf(text, sizeof text, "%.1f s", seconds);
  else if (seconds < 59.5)
    std::snprintf(text, sizeof text, "%.0f s", seconds);
  else if (auto whole = static_cast<uint64_t>(std::llround(seconds)); whole < 3600)
    std::snprintf(text, sizeof text, "%u min %02u s", unsigned(whole / 60), unsigned(whole % 60));
  else
    std::snprintf(text, sizeof text, "%llu h %02u min", static_cast<unsigned long long>(whole / 3600),
                  unsigned(whole / 60 % 60));
  return text;
}

ProgressOutput ProgressOutput::standardError() {
  ProgressOutput output;
  output.write = [](std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); };
  output.now = [] { return std::chrono::steady_clock::now(); };
  output.terminal = ::isatty(STDERR_FILENO) != 0;
  winsize size{};
  if (output.terminal && ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col != 0)
    output.columns = size.ws_col;
  return output;
}

Progress::Progress(ProgressMode mode, std::string task, uint64_t total, ProgressUnit unit,
                   ProgressOutput output)
    : mode(mode), task(std::move(task)), total(total), unit(unit), output(std::move(output)) {
  if (this->mode == ProgressMode::Auto)
    this->mode = this->output.terminal ? ProgressMode::Bar : ProgressMode::Plain;
  start = printed = this->output.now();
  // A program that follows learns of the work when it begins.
  if (this->mode == ProgressMode::Json)
    this->output.write("{\"event\":\"start\",\"task\":" + quoted(this->task) +
                       ",\"total\":" + std::to_string(total) + ",\"unit\":" + unitName() + "}\n");
}

const char *Progress::unitName() const { return unit == ProgressUnit::Bytes ? "\"bytes\"" : "\"items\""; }

void Progress::add(uint64_t count) {
  std::lock_guard lock(mutex);
  done += count;
  if (mode == ProgressMode::None || finished)
    return;
  // A bar five times a second; a plain line every five seconds, so that short work prints only its last line.
  auto interval = mode == ProgressMode::Bar    ? std::chrono::milliseconds(200)
                  : mode == ProgressMode::Json ? std::chrono::milliseconds(1000)
                                               : std::chrono::milliseconds(5000);
  if (output.now() - printed >= interval)
    print(false);
}

void Progress::note(std::string text) {
  std::lock_guard lock(mutex);
  extra = std::move(text);
}

void Progress::finish() {
  std::lock_guard lock(mutex);
  if (finished)
    return;
  finished = true;
  if (mode != ProgressMode::None)
    print(true);
}

void Progress::print(bool last) {
  printed = output.now();
  double seconds = std::chrono::duration<double>(printed - start).count();
  if (mode == ProgressMode::Json) {
    output.write(json(seconds, last) + "\n");
  } else if (mode == ProgressMode::Plain) {
    output.write(line(seconds, last) + "\n");
  } else {
    std::string text = line(seconds, last);
    if (text.size() >= output.columns)
      text.resize(output.columns - 1);
    output.write("\r\x1b[K" + text + (last ? "\n" : ""));
  }
}

std::string Progress::line(double seconds, bool last) const {
  auto amount = [&](double value) {
    return unit == ProgressUnit::Bytes ? formatBytes(value) : format("%.0f", value);
  };
  std::string text = task + ": " + amount(static_cast<double>(done));
  if (total) {
    double share = static_cast<double>(done) / static_cast<double>(total);
    text += "/" + amount(static_cast<double>(total)) + " (" + format("%.0f", std::floor(share * 100)) + " %)";
    if (mode == ProgressMode::Bar && !last) {
      auto filled = static_cast<size_t>(std::min(1.0, share) * 20);
      text += " [" + std::string(filled, '#') + std::string(20 - filled, '.') + "]";
    }
  }
  double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  if (rate > 0)
    text += ", " + (unit == ProgressUnit::Bytes ? formatBytes(rate) : format("%.1f", rate)) + "/s";
  if (last)
    text += ", " + formatSeconds(seconds);
  else if (total > done && rate > 0)
    text += ", " + formatSeconds(static_cast<double>(total - done) / rate) + " left";
  if (!extra.empty())
    text += ", " + extra;
  return text;
}

std::string Progress::json(double seconds, bool last) const {
  std::string text = "{\"event\":\"progress\",\"task\":" + quoted(task) + ",\"done\":" + std::to_string(done);
  double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  if (total)
    text += ",\"total\":" + std::to_string(total);
  text += std::string(",\"unit\":") + unitName();
  text += ",\"seconds\":" + format("%.3f", seconds) + ",\"rate\":" + format("%.6g", rate);
  if (total > done && rate > 0)
    text += ",\"eta_seconds\":" + format("%.1f", static_cast<double>(total - done) / rate);
  if (!extra.empty())
    text += ",\"note\":" + quoted(extra);
  return text + ",\"finished\":" + (last ? "true}" : "false}");
}

} // namespace quern
