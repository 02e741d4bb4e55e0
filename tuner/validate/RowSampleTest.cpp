//===- RowSampleTest.cpp --------------------------------------------------===//
#include "tuner/validate/RowSample.h"
#include "dialects/model/Model.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace quern;
using namespace quern::validate;

namespace {

TEST(RowSample, takesAllWhereTheyAreCheap) {
  EXPECT_EQ(sampledRows(4, 0, 1e9), (std::vector<int64_t>{0, 1, 2, 3}));
  EXPECT_EQ(sampledRows(3, 1e9, 3e9), (std::vector<int64_t>{0, 1, 2}));
  EXPECT_EQ(sampledRows(0, 1e9, 3e9), std::vector<int64_t>());
}

TEST(RowSample, spreadsFromTheFirstToTheLast) {
  EXPECT_EQ(sampledRows(10, 1e9, 4e9), (std::vector<int64_t>{0, 3, 6, 9}));
  EXPECT_EQ(sampledRows(17, 1e9, 1), (std::vector<int64_t>{0, 16})) << "two at least";
  EXPECT_EQ(sampledRows(1, 1e9, 1), (std::vector<int64_t>{0}));
  for (int64_t rows : {5, 64, 65, 1000})
    for (double limit : {3e3, 7e3, 40e3}) {
      std::vector<int64_t> sampled = sampledRows(rows, 1e3, limit);
      EXPECT_TRUE(std::adjacent_find(sampled.begin(), sampled.end(), std::greater_equal<>()) ==
                  sampled.end());
      EXPECT_LE(double(sampled.size()) * 1e3, limit);
      EXPECT_EQ(sampled.back(), rows - 1);
    }
}

TEST(RowSample, countsTheOperationsOfARow) {
  mlir::MLIRContext context;
  mlir::DialectRegistry registry;
  model::registerModelDialect(registry);
  registry.insert<mlir::func::FuncDialect>();
  context.appendDialectRegistry(registry);
  auto module = mlir::parseSourceString<mlir::ModuleOp>(R"(
    func.func @f(%x: tensor<?x128xbf16>, %w: tensor<384x128xbf16>, %i: tensor<?x2xi32>, %p: tensor<?x2xf32>,
                 %up: tensor<8x512x128xbf16>, %down: tensor<8x128x256xbf16>,
                 %q: tensor<?x4x32xbf16>, %t: tensor<?xi32>, %l: index,
                 %c: !model.head_cache<layers = 2, heads = 2, key = 32, value = 32, element = bf16>) {
      %y = model.linear %x, %w : tensor<?x128xbf16>, tensor<384x128xbf16> -> tensor<?x384xbf16>
      %e = model.experts silu %x, %i, %p, %up, %down : tensor<?x128xbf16>, tensor<?x2xi32>, tensor<?x2xf32>,
          tensor<8x512x128xbf16>, tensor<8x128x256xbf16> -> tensor<?x128xbf16>
      %s = model.add %x, %e : tensor<?x128xbf16>
      %a = model.attention %q, %c[%l] at %t of %t scale 0.125
          : tensor<?x4x32xbf16>, !model.head_cache<layers = 2, heads = 2, key = 32, value = 32, element = bf16>
      return
    })",
                                                        &context);
  ASSERT_TRUE(module);
  std::vector<double> flops;
  module->walk([&](mlir::Operation *op) {
    if (op->getName().getDialectNamespace() == "model")
      flops.push_back(flopsPerRow(op, 10));
  });
  EXPECT_EQ(flops, (std::vector<double>{2 * 384 * 128, 2 * 2 * (512 * 128 + 128 * 256), 0, 2 * 4 * 64 * 10}));
}

} // namespace
