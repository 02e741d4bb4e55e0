//===- RowSample.cpp ------------------------------------------------------===//
#include "tuner/validate/RowSample.h"

#include "dialects/model/Model.h"

#include "llvm/ADT/TypeSwitch.h"

#include <algorithm>
#include <numeric>

using namespace mlir;

namespace quern::validate {

static double elements(llvm::ArrayRef<int64_t> shape) {
  return std::accumulate(shape.begin(), shape.end(), 1.0, std::multiplies<>());
}

double flopsPerRow(Operation *op, int64_t positions) {
  return 2 * llvm::TypeSwitch<Operation *, double>(op)
                 .Case([](model::LinearOp linear) {
                   return elements(model::shapeOf(linear.getWeight().getType()));
                 })
                 .Case([](model::ExpertsOp experts) {
                   double chosen = double(model::shapeOf(experts.getIndices().getType())[1]);
                   return chosen * (elements(model::shapeOf(experts.getGateUp().getType()).drop_front()) +
                                    elements(model::shapeOf(experts.getDown().getType()).drop_front()));
                 })
                 .Case([&](model::AttentionOp attention) {
                   auto cache = cast<model::HeadCacheType>(attention.getCache().getType());
                   double heads = double(model::shapeOf(attention.getQ().getType())[1]);
                   return heads * double(cache.getKey() + cache.getValue()) * double(positions);
                 })
                 .Case([&](model::LatentAttentionOp attention) {
                   auto cache = cast<model::LatentCacheType>(attention.getCache().getType());
                   double heads = double(model::shapeOf(attention.getQNope().getType())[1]);
                   return elements(model::shapeOf(attention.getKvB().getType())) +
                          heads * double(2 * cache.getLatent() + cache.getRope()) * double(positions);
                 })
                 .Default(0.0);
}

std::vector<int64_t> sampledRows(int64_t rows, double flopsPerRow, double limit) {
  std::vector<int64_t> sampled;
  if (rows <= 2 || double(rows) * flopsPerRow <= limit) {
    sampled.resize(size_t(rows));
    std::iota(sampled.begin(), sampled.end(), 0);
    return sampled;
  }
  int64_t count = std::max<int64_t>(2, int64_t(limit / flopsPerRow));
  for (int64_t i = 0; i < count; ++i)
    sampled.push_back(i * (rows - 1) / (count - 1));
  return sampled;
}

} // namespace quern::validate
