//===- Svg.cpp ------------------------------------------------------------===//
#include "tuner/report/Svg.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace quern::report {

namespace {

std::string pixels(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", std::isfinite(value) ? value : 0);
  return text;
}

std::string shape(std::string start, std::string_view style, std::string_view tip, const char *name) {
  start += " class=\"" + escaped(style) + "\"";
  if (tip.empty())
    return start + "/>\n";
  return start + "><title>" + escaped(tip) + "</title></" + name + ">\n";
}

} // namespace

std::string escaped(std::string_view text) {
  std::string result;
  for (char c : text) {
    if (c == '&')
      result += "&amp;";
    else if (c == '<')
      result += "&lt;";
    else if (c == '>')
      result += "&gt;";
    else if (c == '"')
      result += "&quot;";
    else if (static_cast<unsigned char>(c) < 0x20)
      result += ' ';
    else
      result += c;
  }
  return result;
}

std::string numberText(double value, int digits) {
  char text[48];
  const double size = std::fabs(value);
  if (!std::isfinite(value))
    return "-";
  if (size != 0 && (size >= 1e7 || size < 1e-4)) {
    std::snprintf(text, sizeof text, "%.*g", digits, value);
    return text;
  }
  const int places = size == 0 ? 0 : std::max(0, digits - 1 - int(std::floor(std::log10(size))));
  std::snprintf(text, sizeof text, "%.*f", places, value);
  return text;
}

Svg::Svg(double width, double height, std::string_view title) {
  body = "<svg viewBox=\"0 0 " + pixels(width) + " " + pixels(height) +
         "\" style=\"max-width:" + pixels(width) + "px\" role=\"img\" aria-label=\"" + escaped(title) +
         "\">\n";
}

void Svg::line(double x1, double y1, double x2, double y2, std::string_view style) {
  body += shape("<line x1=\"" + pixels(x1) + "\" y1=\"" + pixels(y1) + "\" x2=\"" + pixels(x2) + "\" y2=\"" +
                    pixels(y2) + "\"",
                style, {}, "line");
}

void Svg::circle(double x, double y, double radius, std::string_view style, std::string_view tip) {
  body += shape("<circle cx=\"" + pixels(x) + "\" cy=\"" + pixels(y) + "\" r=\"" + pixels(radius) + "\"",
                style, tip, "circle");
}

void Svg::square(double x, double y, double half, std::string_view style, std::string_view tip) {
  body += shape("<rect x=\"" + pixels(x - half) + "\" y=\"" + pixels(y - half) + "\" width=\"" +
                    pixels(2 * half) + "\" height=\"" + pixels(2 * half) + "\"",
                style, tip, "rect");
}

void Svg::text(double x, double y, std::string_view words, std::string_view style, std::string_view anchor) {
  body += "<text x=\"" + pixels(x) + "\" y=\"" + pixels(y) + "\" class=\"" + escaped(style) +
          "\" text-anchor=\"" + std::string(anchor) + "\">" + escaped(words) + "</text>\n";
}

LogAxis::LogAxis(double low, double high, double begin, double end)
    : low(low), high(high), begin(begin), scale((end - begin) / std::log(high / low)) {}

double LogAxis::at(double value) const {
  return begin + scale * std::log(std::clamp(value, low, high) / low);
}

} // namespace quern::report
