//===- PageStyle.cpp ------------------------------------------------------===//
#include "tuner/report/PageStyle.h"

namespace quern::report {

namespace {

// Blue for A and orange for B tell apart for readers who confuse red and green.
constexpr const char *style = R"(
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --rule: #d4dae2; --paper: #ffffff;
  --a: #1f6fb4; --b: #c2600c; --none: #8a94a3; --mark: #f2f5f8; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9ef; --soft: #9aa6b4; --rule: #38424e; --paper: #14191f;
  --a: #6db3ee; --b: #f2a154; --none: #77828f; --mark: #1d242c; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 1080px;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem;
  border-bottom: 1px solid var(--rule); padding-bottom: .2rem; }
p { max-width: 75ch; } .soft { color: var(--soft); } .wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; } th, td { text-align: left; padding: .22rem .7rem .22rem 0;
  border-bottom: 1px solid var(--rule); vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
code { font: 12px ui-monospace, monospace; background: var(--mark); padding: .1rem .3rem; overflow-wrap: anywhere; }
.A { color: var(--a); font-weight: 600; } .B { color: var(--b); font-weight: 600; }
.differs { color: var(--b); } .missing { color: var(--none); font-style: italic; }
.banner { border: 2px solid var(--b); padding: .5rem .8rem; }
svg { width: 100%; height: auto; display: block; margin: .6rem 0; } svg text { font: 11px system-ui, sans-serif;
  fill: var(--ink); } svg text.soft { fill: var(--soft); } svg line { stroke: var(--rule); stroke-width: 1; }
svg line.one { stroke: var(--soft); stroke-width: 1.5; stroke-dasharray: 4 3; }
svg line.a, svg circle.a-open, svg rect.a-open { stroke: var(--a); } svg line.b, svg circle.b-open, svg rect.b-open {
  stroke: var(--b); } svg line.none { stroke: var(--none); } svg line.a, svg line.b, svg line.none { stroke-width: 2; }
svg .a-fill { fill: var(--a); } svg .b-fill { fill: var(--b); } svg .none-fill { fill: var(--none); }
svg .faint { fill-opacity: .45; } svg text.A { fill: var(--a); } svg text.B { fill: var(--b); }
@media print { body { max-width: none; } }
)";

} // namespace

std::string pageAround(const std::string &title, const std::string &body) {
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
         escaped(title) + "</title>\n<style>" + style + "</style>\n</head>\n<body>\n" + body +
         "</body>\n</html>\n";
}

std::string tableOf(const std::vector<std::string> &head, const std::vector<std::vector<std::string>> &rows,
                    const std::vector<bool> &numeric) {
  auto cell = [&](const char *tag, size_t column, const std::string &html) {
    return std::string("<") + tag + (column < numeric.size() && numeric[column] ? " class=\"n\">" : ">") +
           html + "</" + tag + ">";
  };
  std::string text = "<div class=\"wide\"><table>\n<tr>";
  for (size_t i = 0; i < head.size(); ++i)
    text += cell("th", i, escaped(head[i]));
  text += "</tr>\n";
  for (const auto &row : rows) {
    text += "<tr>";
    for (size_t i = 0; i < row.size(); ++i)
      text += cell("td", i, row[i]);
    text += "</tr>\n";
  }
  return text + "</table></div>\n";
}

} // namespace quern::report
