//===- Jit.cpp - Host code for kernels ------------------------------------===//

#include "runtime/emulated/nvidia/Jit.h"

#include "runtime/emulated/nvidia/DeviceCalls.h"
#include "runtime/emulated/nvidia/Translate.h"

#include "llvm/Analysis/CGSCCPassManager.h"
#include "llvm/ExecutionEngine/Orc/AbsoluteSymbols.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Transforms/InstCombine/InstCombine.h"
#include "llvm/Transforms/Scalar/EarlyCSE.h"
#include "llvm/Transforms/Scalar/SROA.h"
#include "llvm/Transforms/Scalar/SimplifyCFG.h"

#include <cmath>
#include <cstring>
#include <mutex>

namespace quern::runtime::emulated::nvidia {

using namespace llvm::orc;

struct Jit::Detail {
  std::unique_ptr<LLJIT> jit;
  std::unique_ptr<llvm::TargetMachine> target;
  bool hasF16C = false;
  std::mutex lock;
  uint32_t next = 0;
};

namespace {

Status jitError(llvm::Error error) {
  return Status::error(Exit::CompileFailed, "E-EMULATED-JIT", "cannot compile a kernel for this host")
      .cause(llvm::toString(std::move(error)));
}

/// What translated code may call: the functions of DeviceCalls.h, and routines that LLVM's x86 back end uses
/// on hosts without SSE4.1 or FMA. Nothing else of the process can be reached.
SymbolMap hostSymbols(LLJIT &jit) {
  SymbolMap symbols;
  auto add = [&](const char *name, void *address) {
    symbols[jit.mangleAndIntern(name)] = {ExecutorAddr::fromPtr(address), llvm::JITSymbolFlags::Exported};
  };
  for (auto calls : {memoryCalls(), warpCalls(), matrixCalls(), copyCalls(), checkCalls(), arithmeticCalls(),
                     countCalls(), mbarrierCalls(), bulkCalls(), asyncMatrixCalls(), tensorCoreCalls()})
    for (const DeviceCall &call : calls)
      add(call.name, call.address);
  using Unary32 = float (*)(float);
  using Unary64 = double (*)(double);
  add("fma", reinterpret_cast<void *>(static_cast<double (*)(double, double, double)>(&std::fma)));
  add("fmaf", reinterpret_cast<void *>(static_cast<float (*)(float, float, float)>(&::fmaf)));
  add("roundevenf", reinterpret_cast<void *>(static_cast<Unary32>(&::rintf)));
  add("roundeven", reinterpret_cast<void *>(static_cast<Unary64>(&::rint)));
  add("floorf", reinterpret_cast<void *>(static_cast<Unary32>(&::floorf)));
  add("floor", reinterpret_cast<void *>(static_cast<Unary64>(&::floor)));
  add("ceilf", reinterpret_cast<void *>(static_cast<Unary32>(&::ceilf)));
  add("ceil", reinterpret_cast<void *>(static_cast<Unary64>(&::ceil)));
  add("truncf", reinterpret_cast<void *>(static_cast<Unary32>(&::truncf)));
  add("trunc", reinterpret_cast<void *>(static_cast<Unary64>(&::trunc)));
  add("memcpy", reinterpret_cast<void *>(&::memcpy));
  add("memset", reinterpret_cast<void *>(&::memset));
  add("memmove", reinterpret_cast<void *>(&::memmove));
  return symbols;
}

void optimise(llvm::Module &module, llvm::TargetMachine &target) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager graph;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder passes(&target);
  passes.registerModuleAnalyses(modules);
  passes.registerCGSCCAnalyses(graph);
  passes.registerFunctionAnalyses(functions);
  passes.registerLoopAnalyses(loops);
  passes.crossRegisterProxies(loops, functions, graph, modules);
  // Registers become values; the rest is what pays at once. Kernels are compiled while someone waits.
  llvm::FunctionPassManager pipeline;
  pipeline.addPass(llvm::SROAPass(llvm::SROAOptions::ModifyCFG));
  pipeline.addPass(llvm::EarlyCSEPass());
  pipeline.addPass(
      llvm::InstCombinePass(llvm::InstCombineOptions().setMaxIterations(1).setVerifyFixpoint(false)));
  pipeline.addPass(llvm::SimplifyCFGPass());
  pipeline.addPass(llvm::EarlyCSEPass());
  for (llvm::Function &function : module)
    if (!function.isDeclaration())
      pipeline.run(function, functions);
}

} // namespace

Jit::Jit(std::shared_ptr<Detail> detail) : detail(std::move(detail)) {}
Jit::~Jit() = default;

Expected<std::unique_ptr<Jit>> Jit::create() {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  auto host = JITTargetMachineBuilder::detectHost();
  if (!host)
    return jitError(host.takeError());
  host->setCodeGenOptLevel(llvm::CodeGenOptLevel::Less);
  host->setRelocationModel(llvm::Reloc::Static);
  host->setCodeModel(llvm::CodeModel::Large);
  // No instruction may be fused that the kernel does not fuse.
  host->getOptions().AllowFPOpFusion = llvm::FPOpFusion::Strict;
  auto detail = std::make_shared<Detail>();
  detail->hasF16C = false;
  for (const std::string &feature : host->getFeatures().getFeatures())
    detail->hasF16C |= feature == "+f16c";
  auto target = host->createTargetMachine();
  if (!target)
    return jitError(target.takeError());
  detail->target = std::move(*target);
  auto jit = LLJITBuilder()
                 .setJITTargetMachineBuilder(*host)
                 .setLinkProcessSymbolsByDefault(false)
                 .setPlatformSetUp(setUpInactivePlatform)
                 .create();
  if (!jit)
    return jitError(jit.takeError());
  detail->jit = std::move(*jit);
  if (llvm::Error error = detail->jit->getMainJITDylib().define(absoluteSymbols(hostSymbols(*detail->jit))))
    return jitError(std::move(error));
  return std::unique_ptr<Jit>(new Jit(std::move(detail)));
}

Expected<std::unique_ptr<HostCode>> Jit::compile(const KernelImage &image, Checks checks) {
  std::lock_guard guard(detail->lock);
  auto context = std::make_unique<llvm::LLVMContext>();
  auto module = std::make_unique<llvm::Module>("kernel", *context);
  module->setDataLayout(detail->jit->getDataLayout());
  module->setTargetTriple(detail->target->getTargetTriple());
  translate(image, checks, detail->hasF16C, *module);
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (llvm::verifyModule(*module, &stream))
    return Status::error(Exit::Unexpected, "E-EMULATED-JIT", "the translation of a kernel is not valid")
        .cause(stream.str());
  optimise(*module, *detail->target);
  // Each kernel is a library of its own, so that names do not meet and it can go by itself.
  struct Code : HostCode {
    ~Code() override {
      std::lock_guard guard(detail->lock);
      if (library)
        llvm::consumeError(detail->jit->getExecutionSession().removeJITDylib(*library));
    }
    std::shared_ptr<Detail> detail;
    JITDylib *library = nullptr;
  };
  auto library = detail->jit->createJITDylib("kernel" + std::to_string(detail->next++));
  if (!library)
    return jitError(library.takeError());
  auto remove = [&](llvm::Error error) {
    llvm::consumeError(detail->jit->getExecutionSession().removeJITDylib(*library));
    return jitError(std::move(error));
  };
  library->addToLinkOrder(detail->jit->getMainJITDylib());
  if (llvm::Error error =
          detail->jit->addIRModule(*library, ThreadSafeModule(std::move(module), std::move(context))))
    return remove(std::move(error));
  auto symbol = detail->jit->lookup(*library, "kernel");
  if (!symbol)
    return remove(symbol.takeError());
  auto code = std::make_unique<Code>();
  code->detail = detail;
  code->library = &*library;
  code->entry = symbol->toPtr<KernelEntry>();
  return std::unique_ptr<HostCode>(std::move(code));
}

} // namespace quern::runtime::emulated::nvidia
