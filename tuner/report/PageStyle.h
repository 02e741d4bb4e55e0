//===- PageStyle.h - The frame of a page: style sheet, headings, tables ----===//
#ifndef QUERN_TUNER_REPORT_PAGESTYLE_H
#define QUERN_TUNER_REPORT_PAGESTYLE_H

#include "tuner/report/Svg.h"

#include <vector>

namespace quern::report {

/// A whole page around |body|, which is HTML.
std::string pageAround(const std::string &title, const std::string &body);

/// A table; cells are HTML. |numeric| columns are set to the right.
std::string tableOf(const std::vector<std::string> &head, const std::vector<std::vector<std::string>> &rows,
                    const std::vector<bool> &numeric);

inline std::string heading(std::string_view text) { return "<h2>" + escaped(text) + "</h2>\n"; }
inline std::string paragraph(std::string_view text) { return "<p>" + escaped(text) + "</p>\n"; }
inline std::string code(std::string_view text) { return "<code>" + escaped(text) + "</code>"; }

} // namespace quern::report

#endif // QUERN_TUNER_REPORT_PAGESTYLE_H
