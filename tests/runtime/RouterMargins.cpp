//===- RouterMargins.cpp --------------------------------------------------===//
#include "tests/runtime/RouterMargins.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace quern;
using namespace quern::runtime;
using namespace quern::testing;

namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

/// The value of |name| in a kernel's text: "router{} BIAS=1 EG=3 ...".
int64_t parameter(const std::string &text, const std::string &name) {
  size_t at = text.find(" " + name + "=");
  return at == std::string::npos ? 0 : std::stoll(text.substr(at + name.size() + 2));
}

/// The |kept|-th largest minus the next; infinity where nothing is left out.
double edge(std::vector<double> scores, size_t kept) {
  if (kept >= scores.size())
    return kNever;
  std::sort(scores.rbegin(), scores.rend());
  return scores[kept - 1] - scores[kept];
}

} // namespace

RouterMargins::RouterMargins(Session &session) : session(session) {
  session.launches().observe([this](const ObservedLaunch &launch) { return watch(launch); });
}

RouterMargins::~RouterMargins() { session.launches().observe({}); }

std::vector<double> RouterMargins::take(size_t tokens) {
  done.insert(done.end(), current.begin(), current.end());
  current.clear();
  std::vector<double> result = std::exchange(done, {});
  if (result.empty())
    result.assign(tokens, kNever);
  return result;
}

Status RouterMargins::watch(const ObservedLaunch &launch) {
  const std::string &text = session.plan().kernels[size_t(launch.launch.kernel)].text;
  bool first = false;
  for (const PlanEntry &entry : session.plan().entries)
    first |= entry.steps.front().launch && &launch.launch == &*entry.steps.front().launch;
  if (first && !launch.done) {
    done.insert(done.end(), current.begin(), current.end());
    current.clear();
  }
  if (!launch.done || !text.starts_with("router{"))
    return Status::success();
  size_t groups = size_t(parameter(text, "G")), size = size_t(parameter(text, "EG")), experts = groups * size;
  size_t tokens = size_t(launch.arguments[4].bits);
  std::vector<float> logits(tokens * experts), bias(experts, 0.0f);
  QUERN_RETURN_IF_ERROR(
      session.launches().read(launch.arguments[0].bits, std::as_writable_bytes(std::span(logits))));
  if (parameter(text, "BIAS"))
    QUERN_RETURN_IF_ERROR(
        session.launches().read(launch.arguments[1].bits, std::as_writable_bytes(std::span(bias))));
  bool sigmoid = parameter(text, "SIGMOID"), top2 = parameter(text, "TOP2");
  size_t kept = parameter(text, "GROUPED") ? size_t(parameter(text, "KEPT")) : groups;
  current.resize(tokens, kNever);
  for (size_t t = 0; t < tokens; ++t) {
    std::vector<double> choice, groupScores, left;
    for (size_t e = 0; e < experts; ++e) {
      double x = logits[t * experts + e];
      choice.push_back(sigmoid ? 1 / (1 + std::exp(-x)) + bias[e] : x);
    }
    std::vector<std::pair<double, size_t>> ranked;
    for (size_t g = 0; g < groups; ++g) {
      std::vector<double> inside(choice.begin() + long(g * size), choice.begin() + long((g + 1) * size));
      std::sort(inside.rbegin(), inside.rend());
      groupScores.push_back(top2 ? inside[0] + inside[1] : inside[0]);
      ranked.emplace_back(-groupScores.back(), g);
    }
    std::sort(ranked.begin(), ranked.end());
    for (size_t i = 0; i < kept; ++i)
      left.insert(left.end(), choice.begin() + long(ranked[i].second * size),
                  choice.begin() + long((ranked[i].second + 1) * size));
    double unit = sigmoid ? 2 : 0.5;
    double margin = unit * edge(left, size_t(parameter(text, "KSEL")));
    if (kept < groups)
      margin = std::min(margin, unit / 2 * edge(groupScores, kept));
    current[t] = std::min(current[t], margin);
  }
  return Status::success();
}
