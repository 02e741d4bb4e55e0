//===- CodeFaultTest.cpp - Kernel texts and modules that no code comes of ---===//
//
// The texts and targets that ship lead to none of these; a kernel text in the making does.
//
//===----------------------------------------------------------------------===//
#include "dialects/model/Model.h"
#include "lowering/KernelCompiler.h"
#include "lowering/emit/Emit.h"
#include "lowering/emit/Link.h"
#include "lowering/model_to_tile/ModelToTile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace quern;
using namespace quern::lowering;
using testing::HasSubstr;

namespace {

CodeTarget target(const std::string &name) {
  Expected<std::vector<CodeTarget>> targets = codeTargets(name);
  EXPECT_TRUE(targets.ok());
  return targets->front();
}

template <typename T> void expectFault(Expected<T> result, const std::string &id, const std::string &text) {
  ASSERT_FALSE(result.ok()) << id;
  EXPECT_EQ(result.error().id(), id) << result.error().message();
  EXPECT_EQ(result.error().exit(), Exit::CompileFailed);
  EXPECT_THAT(result.error().message(), HasSubstr(text));
}

//===-- Kernel texts ------------------------------------------------------===//

/// y = OPERATION x over rows of 64, as a text that a kernel's author may hand in.
std::string copyWith(const std::string &operation) {
  return R"(
tile.kernel @k(%x: !tile.ptr<f32>, %y: !tile.ptr<f32>, %n: i32) attributes {tile_names = ["BN"]} {
  %bn = tile.param "BN" : i32
  %i = tile.domain %n by %bn
  %xv = tile.view %x[%n] : !tile.ptr<f32> -> !tile.view<1, f32>
  %yv = tile.view %y[%n] : !tile.ptr<f32> -> !tile.view<1, f32>
  %a = tile.load %xv[%i] : !tile.view<1, f32> -> tensor<?xf32, #tile.dims<BN>>
  %b = )" +
         operation + R"( %a : tensor<?xf32, #tile.dims<BN>>
  tile.store %b, %yv[%i] : tensor<?xf32, #tile.dims<BN>>, !tile.view<1, f32>
  tile.return
})";
}

Expected<CompiledKernel> compile(const std::string &text, const CodeTarget &where) {
  return compileKernelText(text, "mine/tile.mlir", {"mine", {}, {"mine", {64}, 1}}, where);
}

TEST(KernelTextFault, aGoodTextCompiles) {
  for (const char *name : {"cpu:x86-64-v3", "nvidia:sm_90a", "amd:gfx942"}) {
    Expected<CompiledKernel> kernel = compile(copyWith("math.absf"), target(name));
    EXPECT_TRUE(kernel.ok()) << kernel.error().message();
  }
}

TEST(KernelTextFault, whatIsNoKernel) {
  expectFault(compile("tile.kernel @k(", target("amd:gfx942")), "E-KERNEL-TEXT", "mine/tile.mlir\":1:");
  expectFault(compile("", target("amd:gfx942")), "E-KERNEL-TEXT", "must hold one kernel");
  expectFault(compile(copyWith("math.absf") + copyWith("math.absf"), target("amd:gfx942")), "E-KERNEL-TEXT",
              "mine/tile.mlir");
}

TEST(KernelTextFault, anOperationWithoutLowering) {
  for (const char *name : {"cpu:x86-64-v3", "nvidia:sm_90a", "amd:gfx942"})
    expectFault(compile(copyWith("math.sin"), target(name)), "E-KERNEL-LOWERING", "math.sin");
}

TEST(KernelTextFault, aTargetThatTheCodeGeneratorDoesNotKnow) {
  CodeTarget where = target("nvidia:sm_90a");
  where.triple = "abacus-unknown-unknown";
  expectFault(compile(copyWith("math.absf"), where), "E-KERNEL-CODE", "abacus");
}

//===-- Modules and objects -----------------------------------------------===//

Expected<EmittedCode> emit(const std::string &text, const std::string &name) {
  mlir::DialectRegistry registry;
  registry.insert<mlir::LLVM::LLVMDialect, mlir::arith::ArithDialect, mlir::func::FuncDialect>();
  registerEmission(registry);
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  mlir::ScopedDiagnosticHandler quiet(&context, [](mlir::Diagnostic &) { return mlir::success(); });
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  EXPECT_TRUE(module) << text;
  return emitCode(*module, target(name));
}

TEST(CodeFault, whatIsNotLlvm) {
  expectFault(emit("func.func @f() { return }", "cpu:x86-64-v3"), "E-CODEGEN-TRANSLATE", "LLVM IR");
}

TEST(CodeFault, aFunctionThatNoDriverHas) {
  expectFault(emit("llvm.func @elsewhere()\n"
                   "llvm.func @f() { llvm.call @elsewhere() : () -> ()\n llvm.return }",
                   "nvidia:sm_90a"),
              "E-CODEGEN-EXTERN", "no driver has");
}

TEST(CodeFault, whatTheCodeGeneratorRefuses) {
  expectFault(emit("llvm.func @f() { llvm.inline_asm has_side_effects \"frobnicate\", \"\" : () -> ()\n"
                   "llvm.return }",
                   "cpu:x86-64-v3"),
              "E-CODEGEN-LLVM", "frobnicate");
}

TEST(CodeFault, whatTheLinkerRefuses) {
  expectFault(linkShared("no object at all"), "E-LINK", "");
  expectFault(emit("llvm.func @elsewhere()\n"
                   "llvm.func @f() { llvm.call @elsewhere() : () -> ()\n llvm.return }",
                   "cpu:x86-64-v3"),
              "E-LINK", "elsewhere");
}

//===-- Operators ---------------------------------------------------------===//

Status lower(const std::string &text) {
  mlir::DialectRegistry registry;
  model::registerModelDialect(registry);
  registry.insert<mlir::func::FuncDialect>();
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  EXPECT_TRUE(module) << text;
  Expected<LoweredModel> lowered = lowerModel(*module, target("cpu:x86-64-v3"), Fp8Flavour::None, Rung::Bf16);
  return lowered.ok() ? Status::success() : lowered.takeError();
}

TEST(OperatorFault, whatNoKernelCovers) {
  const std::string arguments =
      "%t: tensor<?xi32>, %p: tensor<?xi32>, %s: tensor<?xi32>, %r: tensor<?xi32>, "
      "%c: !model.head_cache<layers = 1, heads = 1, key = 32, value = 32, element = "
      "bf16>";
  Status status = lower("func.func @step(%t: tensor<?xi32>) { return }");
  EXPECT_EQ(status.id(), "E-OPERATOR-UNSUPPORTED");
  EXPECT_EQ(status.exit(), Exit::Unsupported);
  EXPECT_THAT(status.message(), HasSubstr("has 1 arguments"));
  // A matrix that is computed.
  status = lower("model.weight @e : tensor<64x64xbf16>\n"
                 "func.func @step(" +
                 arguments +
                 ") -> tensor<?x64xf32> {\n"
                 "%e = model.use @e : tensor<64x64xbf16>\n"
                 "%x = model.embedding %t in %e : tensor<64x64xbf16>\n"
                 "%m = model.scale %e by 2.0 : tensor<64x64xbf16>\n"
                 "%l = model.linear %x, %m : tensor<?x64xbf16>, tensor<64x64xbf16> -> tensor<?x64xf32>\n"
                 "return %l : tensor<?x64xf32>\n}");
  EXPECT_EQ(status.id(), "E-OPERATOR-UNSUPPORTED");
  EXPECT_THAT(status.message(), HasSubstr("model."));
}

} // namespace
