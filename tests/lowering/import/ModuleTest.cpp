//===- ModuleTest.cpp - The modules that the importer builds ----------------===//
#include "Golden.h"

#include "lowering/import/Import.h"

#include "dialects/model/Model.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace quern::testing;

namespace {

std::string printed(mlir::ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream);
  return text;
}

class Module : public ::testing::TestWithParam<std::string> {};

TEST_P(Module, PrintsAndParsesTheSame) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  auto module = import::importModel(modelDirectory(GetParam()), context);
  ASSERT_TRUE(module.ok()) << module.error().message();
  std::string text = printed(**module);
  auto parsed = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(printed(*parsed), text);
}

TEST_P(Module, TwoImportsGiveTheSameText) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  auto first = import::importModel(modelDirectory(GetParam()), context);
  auto second = import::importModel(modelDirectory(GetParam()), context);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(printed(**first), printed(**second));
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, Module, ::testing::ValuesIn(goldenModels()),
                         [](const auto &info) { return info.param; });

} // namespace
