//===- RouterMargin.cpp - How near a router was to another choice -----------===//
#include "RouterMargin.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

using namespace quern;
using namespace quern::testing;
using model::reference::Packed;
using model::reference::Tensor;

namespace {

/// The |kept|-th largest minus the next; infinity where nothing is left out.
double edge(std::vector<double> scores, size_t kept) {
  if (kept >= scores.size())
    return std::numeric_limits<double>::infinity();
  std::sort(scores.rbegin(), scores.rend());
  return scores[kept - 1] - scores[kept];
}

} // namespace

void RouterMargin::observe(mlir::Operation *op, std::span<const model::reference::Value> results) {
  if (llvm::isa<model::LinearOp, model::UseOp>(op))
    seen[op->getResult(0).getAsOpaquePointer()] = results[0];
  if (auto router = llvm::dyn_cast<model::RouterOp>(op))
    watch(router);
}

void RouterMargin::watch(model::RouterOp op) {
  const Tensor &logits = std::get<Tensor>(seen.at(op.getLogits().getAsOpaquePointer()));
  size_t experts = static_cast<size_t>(logits.lastDim());
  std::vector<float> bias(experts, 0.0f);
  if (op.getBias())
    bias = std::get<Packed>(seen.at(op.getBias().getAsOpaquePointer())).unpack(ElementType::F32).values;
  bool sigmoid = op.getScoring() == model::Scoring::Sigmoid;
  size_t groups = op.getGroups(), size = experts / groups;
  if (margins.empty())
    margins.assign(static_cast<size_t>(logits.rows()), std::numeric_limits<double>::infinity());
  for (size_t row = 0; row < margins.size(); ++row) {
    // Without a bias softmax orders as its logits do, so these stand for the scores. A sigmoid's slope is at
    // most 1/4: a distance of d between two scores asks for at least 2 d of change in each of their logits.
    std::vector<double> choice;
    for (size_t e = 0; e < experts; ++e) {
      double x = logits.values[row * experts + e];
      choice.push_back(sigmoid ? 1 / (1 + std::exp(-x)) + bias[e] : x);
    }
    double unit = sigmoid ? 2 : 0.5;
    std::vector<std::pair<double, size_t>> ranked;
    std::vector<double> groupScores;
    for (size_t g = 0; g < groups; ++g) {
      std::vector<double> inside(choice.begin() + g * size, choice.begin() + (g + 1) * size);
      std::sort(inside.rbegin(), inside.rend());
      groupScores.push_back(op.getGroupScore() == model::GroupScore::Top2 ? inside[0] + inside[1]
                                                                          : inside[0]);
      ranked.emplace_back(-groupScores.back(), g);
    }
    std::sort(ranked.begin(), ranked.end());
    std::vector<double> left;
    for (size_t i = 0; i < op.getKept(); ++i)
      left.insert(left.end(), choice.begin() + ranked[i].second * size,
                  choice.begin() + (ranked[i].second + 1) * size);
    double margin = unit * edge(left, op.getExperts());
    if (groups > 1)
      margin = std::min(margin, unit / 2 * edge(groupScores, op.getKept()));
    margins[row] = std::min(margins[row], margin);
  }
}

std::vector<double> RouterMargin::take() {
  seen.clear();
  return std::exchange(margins, {});
}
