//===- Svg.h - Drawings inside a page -------------------------------------===//
#ifndef QUERN_TUNER_REPORT_SVG_H
#define QUERN_TUNER_REPORT_SVG_H

#include <string>
#include <string_view>

namespace quern::report {

/// |text| as it may stand in HTML and in attributes between double quotes.
std::string escaped(std::string_view text);

/// "1.5", with at most |digits| significant digits and no exponent where that is short.
std::string numberText(double value, int digits = 4);

/// An inline drawing of a size in pixels that shrinks with the page. Colours come from the page's style
/// sheet, by class, so that one drawing serves light and dark.
class Svg {
public:
  Svg(double width, double height, std::string_view title);

  void line(double x1, double y1, double x2, double y2, std::string_view style);
  void circle(double x, double y, double radius, std::string_view style, std::string_view tip = {});
  void square(double x, double y, double half, std::string_view style, std::string_view tip = {});
  /// |anchor| is start, middle or end.
  void text(double x, double y, std::string_view words, std::string_view style = "label",
            std::string_view anchor = "start");
  std::string finish() const { return body + "</svg>\n"; }

private:
  std::string body;
};

/// Places of values between |low| and |high| on a logarithmic axis from |begin| to |end| pixels.
class LogAxis {
public:
  LogAxis(double low, double high, double begin, double end);
  double at(double value) const;
  double low, high;

private:
  double begin, scale;
};

} // namespace quern::report

#endif // QUERN_TUNER_REPORT_SVG_H
