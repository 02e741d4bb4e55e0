//===- Page.cpp - The report of what was measured -------------------------===//
#include "tuner/report/Page.h"
#include "tuner/report/PageStyle.h"

#include <algorithm>
#include <cmath>

namespace quern::report {

namespace {

constexpr size_t mostBars = 48, mostStrips = 16;

std::string microseconds(double seconds) { return numberText(seconds * 1e6); }

std::string verdictHtml(Verdict verdict) {
  if (verdict == Verdict::AFaster || verdict == Verdict::BFaster) {
    const std::string side = verdictName(verdict);
    return "<span class=\"" + side + "\">" + side + " faster</span>";
  }
  return "<span class=\"soft\">" + std::string(verdictName(verdict)) + "</span>";
}

const char *styleOf(Verdict verdict) {
  return verdict == Verdict::AFaster ? "a" : verdict == Verdict::BFaster ? "b" : "none";
}

std::string intervalText(const runtime::Estimate &e) {
  return numberText(e.low, 3) + " to " + numberText(e.high, 3);
}

/// Pairs by their share of A's time, the largest first.
std::vector<const Pair *> byShare(const Comparison &comparison) {
  std::vector<const Pair *> sorted;
  for (const Pair &pair : comparison.pairs)
    sorted.push_back(&pair);
  std::sort(sorted.begin(), sorted.end(), [](const Pair *x, const Pair *y) {
    return std::pair(y->a->weight * y->a->seconds.median, x->a->name) <
           std::pair(x->a->weight * x->a->seconds.median, y->a->name);
  });
  return sorted;
}

std::string summary(const Comparison &comparison, const Ledger &ledger) {
  std::string html =
      "<h1>" + escaped(comparison.a->name) + " against " + escaped(comparison.b->name) + "</h1>\n";
  auto side = [&](const char *name, const ResultSet &set) {
    std::string text;
    for (const char *key : {"device", "device_description", "target", "rung", "artifact"})
      if (const Json *value = set.context.find(key); value && value->isString() && !value->string().empty())
        text += (text.empty() ? "" : ", ") + value->string();
    return std::string("<div><span class=\"") + name + "\">" + name + "</span> " +
           escaped(text.empty() ? set.name : text) + "</div>\n";
  };
  html += side("A", *comparison.a) + side("B", *comparison.b);
  std::vector<std::vector<std::string>> rows;
  for (const GroupMean &group : comparison.groups)
    rows.push_back({escaped(group.group), std::to_string(group.rows),
                    group.rows ? numberText(group.ratio.median, 3) : "-",
                    group.rows ? intervalText(group.ratio) : "-", verdictHtml(group.verdict),
                    microseconds(group.aSeconds), microseconds(group.bSeconds)});
  html += tableOf(
      {"level", "results", "B / A, geometric mean", "95 % interval", "", "A, sum in µs", "B, sum in µs"},
      rows, {false, true, true, true, false, true, true});
  html += paragraph(
      "A ratio is B's time over A's: above 1, A is faster. A side is called faster only where the "
      "interval does not hold 1; of results that do not differ one in twenty is still called so by "
      "chance. " +
      std::string(comparison.paired
                      ? "Samples were taken in turns and intervals come from the ratios of neighbours."
                      : "The sides were measured apart: intervals come from the bootstrap of both medians, "
                        "and what changed between the two runs is not in them."));
  if (ledger.missing())
    html += "<p class=\"missing\">Incomplete: the ledger lacks " + std::to_string(ledger.missing()) +
            " of its lines.</p>\n";
  return html;
}

std::string forest(const std::vector<const Pair *> &pairs) {
  const size_t count = std::min(pairs.size(), mostBars);
  double low = 0.8, high = 1.25;
  for (size_t i = 0; i < count; ++i) {
    low = std::min(low, pairs[i]->ratio.low);
    high = std::max(high, pairs[i]->ratio.high);
  }
  const double step = 19, top = 26, left = 330, right = 860, bottom = top + step * double(count);
  LogAxis axis(std::max(low, 1.0 / 128) / 1.05, std::min(high, 128.0) * 1.05, left, right);
  Svg svg(1020, bottom + 30, "Ratios with intervals");
  for (double tick :
       {1. / 64, 1. / 16, 1. / 8, 0.25, 0.5, 0.67, 0.8, 0.9, 1., 1.1, 1.25, 1.5, 2., 4., 8., 16., 64.}) {
    if (tick < axis.low || tick > axis.high)
      continue;
    // Ticks close to one another would overprint.
    if (axis.high / axis.low > 6 &&
        (tick == 0.67 || tick == 0.8 || tick == 0.9 || tick == 1.1 || tick == 1.25 || tick == 1.5))
      continue;
    svg.line(axis.at(tick), top - 6, axis.at(tick), bottom, tick == 1 ? "one" : "");
    svg.text(axis.at(tick), bottom + 14, numberText(tick, 2), "soft", "middle");
  }
  svg.text(axis.at(1) - 8, top - 12, "B faster", "B", "end");
  svg.text(axis.at(1) + 8, top - 12, "A faster", "A");
  for (size_t i = 0; i < count; ++i) {
    const Pair &pair = *pairs[i];
    const double y = top + step * (double(i) + 0.5);
    const std::string style = styleOf(pair.verdict);
    svg.text(left - 10, y + 4, pair.a->name, "label", "end");
    if (pair.interval != IntervalKind::None)
      svg.line(axis.at(pair.ratio.low), y, axis.at(pair.ratio.high), y, style);
    svg.square(axis.at(pair.ratio.median), y, 3.5, style + "-fill",
               pair.a->name + ": " + numberText(pair.ratio.median, 3) + " (" + intervalText(pair.ratio) +
                   ")");
    svg.text(right + 14, y + 4, numberText(pair.ratio.median, 3) + "  (" + intervalText(pair.ratio) + ")",
             "soft");
  }
  return svg.finish();
}

std::string roofline(const Comparison &comparison) {
  double lowX = 1e30, highX = 0, lowY = 1e30, highY = 0;
  auto each = [&](auto &&visit) {
    for (const Pair &pair : comparison.pairs)
      for (auto [row, side] : {std::pair(pair.a, 'a'), std::pair(pair.b, 'b')})
        if (row->operations > 0 && row->bytes > 0)
          visit(*row, side, row->operations / row->bytes, row->operations / row->seconds.median);
  };
  each([&](const ResultRow &, char, double x, double y) {
    lowX = std::min(lowX, x), highX = std::max(highX, x), lowY = std::min(lowY, y),
    highY = std::max(highY, y);
  });
  if (highX == 0)
    return paragraph("No kernel here has known operations and bytes, so that there is no roofline to draw.");
  for (const ResultSet *set : {comparison.a, comparison.b})
    if (set->peaks.operationsPerSecond && set->peaks.bytesPerSecond) {
      highY = std::max(highY, set->peaks.operationsPerSecond);
      highX = std::max(highX, set->peaks.operationsPerSecond / set->peaks.bytesPerSecond);
    }
  const double left = 90, right = 990, top = 20, bottom = 400;
  LogAxis xs(lowX / 2, highX * 3, left, right), ys(lowY / 2, highY * 2, bottom, top);
  Svg svg(1020, 440, "Roofline");
  for (int exponent = -6; exponent < 18; ++exponent) {
    const double tick = std::pow(10, exponent);
    if (tick >= xs.low && tick <= xs.high) {
      svg.line(xs.at(tick), top, xs.at(tick), bottom, "");
      svg.text(xs.at(tick), bottom + 16, numberText(tick, 1), "soft", "middle");
    }
    if (tick >= ys.low && tick <= ys.high) {
      svg.line(left, ys.at(tick), right, ys.at(tick), "");
      svg.text(left - 8, ys.at(tick) + 4, numberText(tick / 1e9, 1), "soft", "end");
    }
  }
  svg.text(right, bottom + 32, "operations per byte that must be read", "soft", "end");
  svg.text(left, top - 6, "GFLOP/s", "soft");
  for (auto [set, style] : {std::pair(comparison.a, "a"), std::pair(comparison.b, "b")}) {
    const Peaks &peaks = set->peaks;
    if (!peaks.operationsPerSecond || !peaks.bytesPerSecond)
      continue;
    const double ridge = peaks.operationsPerSecond / peaks.bytesPerSecond;
    const double begin = std::max(xs.low, ys.low / peaks.bytesPerSecond);
    svg.line(xs.at(begin), ys.at(begin * peaks.bytesPerSecond), xs.at(ridge),
             ys.at(peaks.operationsPerSecond), style);
    svg.line(xs.at(ridge), ys.at(peaks.operationsPerSecond), right, ys.at(peaks.operationsPerSecond), style);
  }
  each([&](const ResultRow &row, char side, double x, double y) {
    const ResultSet &set = side == 'a' ? *comparison.a : *comparison.b;
    const double roof = std::min(set.peaks.operationsPerSecond, x * set.peaks.bytesPerSecond);
    std::string tip =
        std::string(1, char(side - 32)) + " " + row.name + ": " + numberText(y / 1e9, 3) + " GFLOP/s";
    if (roof > 0)
      tip += ", " + numberText(100 * y / roof, 2) + " % of its roof";
    if (side == 'a')
      svg.circle(xs.at(x), ys.at(y), 4, "a-fill faint", tip);
    else
      svg.square(xs.at(x), ys.at(y), 3.5, "b-fill faint", tip);
  });
  return svg.finish() +
         paragraph("Circles are A, squares B; lines are what each device can do at most, of its table or, "
                   "for a CPU, measured in the same run. A point names its kernel under the pointer.");
}

std::string distribution(const std::vector<const Pair *> &pairs) {
  const size_t count = std::min(pairs.size(), mostStrips);
  const double step = 34, top = 20, left = 330, right = 990, bottom = top + step * double(count);
  double low = 1e30, high = 0;
  for (size_t i = 0; i < count; ++i)
    for (const ResultRow *row : {pairs[i]->a, pairs[i]->b}) {
      low = std::min(low, row->seconds.minimum);
      high = std::max(high, row->seconds.maximum);
    }
  LogAxis axis(low / 1.1, high * 1.1, left, right);
  Svg svg(1020, bottom + 34, "All samples");
  for (int exponent = -9; exponent < 4; ++exponent)
    for (double part : {1.0, 3.0}) {
      const double tick = part * std::pow(10, exponent);
      if (tick < axis.low || tick > axis.high)
        continue;
      svg.line(axis.at(tick), top, axis.at(tick), bottom, "");
      svg.text(axis.at(tick), bottom + 14, numberText(tick * 1e6, 1), "soft", "middle");
    }
  svg.text(right, bottom + 30, "µs of one run", "soft", "end");
  for (size_t i = 0; i < count; ++i) {
    const double y = top + step * (double(i) + 0.5);
    svg.text(left - 10, y + 4, pairs[i]->a->name, "label", "end");
    for (auto [row, side, place] :
         {std::tuple(pairs[i]->a, "a", y - 7), std::tuple(pairs[i]->b, "b", y + 7)}) {
      for (double sample : row->samples)
        svg.circle(axis.at(sample), place, 2.5, std::string(side) + "-fill faint");
      svg.line(axis.at(row->seconds.median), place - 7, axis.at(row->seconds.median), place + 7, side);
    }
  }
  return svg.finish();
}

std::string ofRoof(const ResultRow &row, const Peaks &peaks) {
  const double operations =
      peaks.operationsPerSecond ? row.operations / row.seconds.median / peaks.operationsPerSecond : 0;
  const double bytes = peaks.bytesPerSecond ? row.bytes / row.seconds.median / peaks.bytesPerSecond : 0;
  const double share = std::max(operations, bytes);
  return share > 0 ? numberText(100 * share, 2) + " %" : "-";
}

std::string results(const Comparison &comparison, const std::vector<const Pair *> &pairs) {
  std::vector<std::vector<std::string>> rows;
  for (const Pair *pair : pairs)
    rows.push_back(
        {escaped(pair->a->name), numberText(pair->a->weight, 6), microseconds(pair->a->seconds.median),
         ofRoof(*pair->a, comparison.a->peaks), microseconds(pair->b->seconds.median),
         ofRoof(*pair->b, comparison.b->peaks), numberText(pair->ratio.median, 3),
         pair->interval == IntervalKind::None ? "-" : intervalText(pair->ratio), verdictHtml(pair->verdict)});
  std::string html = tableOf({"result", "runs in a step", "A, µs", "of A's roof", "B, µs", "of B's roof",
                              "B / A", "95 % interval", ""},
                             rows, {false, true, true, true, true, true, true, true, false});
  for (auto [names, side] : {std::pair(&comparison.onlyA, "A"), std::pair(&comparison.onlyB, "B")}) {
    if (names->empty())
      continue;
    html += "<p>Only on " + std::string(side) + "'s side: ";
    for (size_t i = 0; i < names->size(); ++i)
      html += (i ? ", " : "") + code((*names)[i]);
    html += "</p>\n";
  }
  return html;
}

std::string ledgerHtml(const Ledger &ledger) {
  std::vector<std::vector<std::string>> rows;
  auto value = [](const std::string &text) {
    return text.empty() ? "<span class=\"missing\">not recorded</span>" : code(text);
  };
  for (const LedgerLine &line : ledger.lines) {
    const char *style = line.state == LedgerState::Differs   ? "differs"
                        : line.state == LedgerState::Missing ? "missing"
                                                             : "soft";
    rows.push_back({escaped(line.name),
                    "<span class=\"" + std::string(style) + "\">" + ledgerStateName(line.state) + "</span>",
                    value(line.a), value(line.b)});
  }
  return tableOf({"", "", "A", "B"}, rows, {});
}

} // namespace

std::string comparisonPage(const Comparison &comparison, const Ledger &ledger, const std::string &command) {
  const std::vector<const Pair *> pairs = byShare(comparison);
  std::string html = summary(comparison, ledger);
  html += heading("Ratios") + forest(pairs);
  if (pairs.size() > mostBars)
    html += paragraph("The " + std::to_string(mostBars) +
                      " results with the largest share of A's time; all are in the "
                      "table below.");
  html += heading("Roofline") + roofline(comparison);
  html += heading("Samples") + distribution(pairs);
  html += heading("Results") + results(comparison, pairs);
  html += heading("Ledger") + ledgerHtml(ledger);
  html += heading("Asymmetries");
  if (ledger.asymmetries.empty())
    html += paragraph("None is known.");
  else {
    html += "<ul>\n";
    for (const std::string &text : ledger.asymmetries)
      html += "<li>" + escaped(text) + "</li>\n";
    html += "</ul>\n";
  }
  html += heading("Again") + "<p>" + code(command) + "</p>\n";
  return pageAround(comparison.a->name + " against " + comparison.b->name, html);
}

} // namespace quern::report
