//===- ModelledPage.cpp - The report of what was not measured -------------===//
#include "tuner/report/Page.h"
#include "tuner/report/PageStyle.h"

#include <algorithm>
#include <set>

namespace quern::report {

namespace {

constexpr size_t mostBars = 40;

using Couple = std::pair<const ModelledKernel *, const ModelledKernel *>; ///< either may be null

std::vector<Couple> couples(const ModelledComparison &comparison) {
  std::vector<Couple> result;
  auto find = [](const ModelledSide &side, const std::string &name) -> const ModelledKernel * {
    for (const ModelledKernel &kernel : side.kernels)
      if (kernel.name == name)
        return &kernel;
    return nullptr;
  };
  for (const ModelledKernel &kernel : comparison.a.kernels)
    result.push_back({&kernel, find(comparison.b, kernel.name)});
  for (const ModelledKernel &kernel : comparison.b.kernels)
    if (!find(comparison.a, kernel.name))
      result.push_back({nullptr, &kernel});
  return result;
}

std::string floorText(const ModelledKernel *kernel) {
  if (!kernel)
    return "<span class=\"missing\">no such kernel</span>";
  if (!(kernel->floorSeconds > 0))
    return "<span class=\"missing\">not known</span>";
  return numberText(kernel->floorSeconds * 1e6, 3) + (kernel->memoryBound ? " (memory)" : " (operations)");
}

std::string scheduleOf(const ModelledKernel *kernel) {
  if (!kernel)
    return "";
  const size_t open = kernel->text.find('{'), close = kernel->text.find('}');
  return open == std::string::npos || close == std::string::npos
             ? ""
             : "<code>" + escaped(kernel->text.substr(open + 1, close - open - 1)) + "</code>";
}

std::string floorsDrawing(const std::vector<Couple> &all) {
  std::vector<Couple> drawn;
  double low = 1e30, high = 0;
  for (const Couple &one : all)
    if (one.first && one.second && one.first->floorSeconds > 0 && one.second->floorSeconds > 0) {
      drawn.push_back(one);
      for (const ModelledKernel *kernel : {one.first, one.second}) {
        low = std::min(low, kernel->floorSeconds);
        high = std::max(high, kernel->floorSeconds);
      }
    }
  if (drawn.empty())
    return paragraph("No kernel has a known floor on both sides.");
  drawn.resize(std::min(drawn.size(), mostBars));
  const double step = 20, top = 16, left = 330, right = 990, bottom = top + step * double(drawn.size());
  LogAxis axis(low / 2, high * 2, left, right);
  Svg svg(1020, bottom + 34, "Modelled floors");
  for (double tick = 1e-12; tick < 10; tick *= 10)
    if (tick >= axis.low && tick <= axis.high) {
      svg.line(axis.at(tick), top, axis.at(tick), bottom, "");
      svg.text(axis.at(tick), bottom + 14, numberText(tick * 1e6, 1), "soft", "middle");
    }
  svg.text(right, bottom + 30, "modelled floor of one launch, µs (not measured)", "soft", "end");
  for (size_t i = 0; i < drawn.size(); ++i) {
    const auto [a, b] = drawn[i];
    const double y = top + step * (double(i) + 0.5);
    svg.text(left - 10, y + 4, a->name, "label", "end");
    svg.line(axis.at(a->floorSeconds), y, axis.at(b->floorSeconds), y, "none");
    svg.circle(axis.at(a->floorSeconds), y, 4.5, "a-fill",
               "A: " + numberText(a->floorSeconds * 1e6, 3) + " µs");
    svg.square(axis.at(b->floorSeconds), y, 4, "b-fill",
               "B: " + numberText(b->floorSeconds * 1e6, 3) + " µs");
  }
  return svg.finish();
}

std::string sideLine(const char *name, const ModelledSide &side) {
  std::string text = side.target + " (" + side.rung + ")";
  if (!side.card.empty())
    text += ", numbers of " + side.card + ": " + numberText(side.peaks.operationsPerSecond / 1e12, 4) +
            " TFLOP/s, " + numberText(side.peaks.bytesPerSecond / 1e12, 3) + " TB/s";
  return std::string("<div><span class=\"") + name + "\">" + name + "</span> " + escaped(text) + "</div>\n";
}

std::string countsTable(const std::vector<Couple> &all) {
  std::set<std::string> names;
  for (const Couple &one : all)
    for (const ModelledKernel *kernel : {one.first, one.second})
      if (kernel)
        for (const auto &[name, count] : kernel->counts)
          names.insert(name);
  if (names.empty())
    return paragraph("No emulated device ran this code, so that instructions were not counted.");
  std::vector<std::string> head = {"kernel", ""};
  std::vector<bool> numeric = {false, false};
  for (const std::string &name : names) {
    head.push_back(name);
    numeric.push_back(true);
  }
  std::vector<std::vector<std::string>> rows;
  for (const Couple &one : all)
    for (auto [kernel, side] : {std::pair(one.first, "A"), std::pair(one.second, "B")}) {
      if (!kernel)
        continue;
      auto &row = rows.emplace_back();
      row = {side[0] == 'A' || !one.first ? escaped(kernel->name) : "",
             "<span class=\"" + std::string(side) + "\">" + side + "</span>"};
      for (const std::string &name : names) {
        auto found = kernel->counts.find(name);
        row.push_back(found == kernel->counts.end() ? "-" : numberText(found->second, 5));
      }
    }
  return tableOf(head, rows, numeric);
}

} // namespace

std::string modelledPage(const ModelledComparison &comparison, const std::string &command) {
  const std::vector<Couple> all = couples(comparison);
  std::string html =
      "<h1>" + escaped(comparison.a.target) + " and " + escaped(comparison.b.target) + ", modelled</h1>\n";
  html += "<p class=\"banner\"><strong>Modelled, not measured.</strong> No device ran this. Floors are what "
          "the bytes "
          "and operations of a launch need at best on the card that stands for the target; no side is called "
          "faster.</p>\n";
  html += sideLine("A", comparison.a) + sideLine("B", comparison.b);
  html += "<p>" + escaped(comparison.artifact) + ", one step of " + std::to_string(comparison.tokens) +
          (comparison.tokens == 1 ? " token" : " tokens") +
          ". One module for both: " + code(comparison.module.substr(0, 16)) + ", compiler " +
          code(comparison.compiler.substr(0, 16)) +
          ". Modelled floors of the step: " + numberText(comparison.a.floorSeconds() * 1e6, 4) +
          " µs for A, " + numberText(comparison.b.floorSeconds() * 1e6, 4) + " µs for B.</p>\n";
  html += heading("Modelled floors") + floorsDrawing(all);
  std::vector<std::vector<std::string>> rows, resources;
  for (const auto &[a, b] : all) {
    const ModelledKernel &one = a ? *a : *b;
    rows.push_back({escaped(one.name), numberText(double(one.launches), 6), numberText(one.operations, 5),
                    numberText(one.bytes, 6), floorText(a), floorText(b)});
    auto bytes = [](const ModelledKernel *kernel, auto member) {
      return kernel ? std::to_string(kernel->*member) : std::string("-");
    };
    resources.push_back({escaped(one.name), scheduleOf(a), scheduleOf(b), bytes(a, &ModelledKernel::threads),
                         bytes(b, &ModelledKernel::threads), bytes(a, &ModelledKernel::sharedBytes),
                         bytes(b, &ModelledKernel::sharedBytes), bytes(a, &ModelledKernel::codeBytes),
                         bytes(b, &ModelledKernel::codeBytes)});
  }
  html += tableOf({"kernel", "launches", "operations", "bytes read", "A, modelled µs", "B, modelled µs"},
                  rows, {false, true, true, true, true, true});
  html += heading("Resources of the code") +
          tableOf({"kernel", "A, schedule", "B, schedule", "A, threads", "B, threads", "A, shared",
                   "B, shared", "A, code", "B, code"},
                  resources, {false, false, false, true, true, true, true, true, true});
  html += heading("Counted on emulated devices") + countsTable(all);
  html += heading("Again") + "<p>" + code(command) + "</p>\n";
  return pageAround(comparison.a.target + " and " + comparison.b.target + ", modelled", html);
}

} // namespace quern::report
