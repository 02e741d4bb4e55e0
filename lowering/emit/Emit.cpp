//===- Emit.cpp - Optimisation and code generation ------------------------===//
#include "lowering/emit/Emit.h"
#include "lowering/emit/Link.h"

#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/ROCDL/ROCDLToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/DiagnosticHandler.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/Utils/Cloning.h"

#include <mutex>

namespace quern::lowering {

void registerEmission(mlir::DialectRegistry &registry) {
  mlir::registerBuiltinDialectTranslation(registry);
  mlir::registerLLVMDialectTranslation(registry);
  mlir::registerROCDLDialectTranslation(registry);
}

static Status failure(const CodeTarget &target, std::string id, std::string cause) {
  return Status::error(Exit::CompileFailed, std::move(id), "cannot make code for `" + target.name + "`")
      .cause(std::move(cause));
}

namespace {
/// Keeps what LLVM reports instead of printing it and ending the process.
struct CollectingHandler : llvm::DiagnosticHandler {
  explicit CollectingHandler(std::string &errors) : errors(errors) {}
  bool handleDiagnostics(const llvm::DiagnosticInfo &info) override {
    if (info.getSeverity() == llvm::DS_Error) {
      llvm::raw_string_ostream stream(errors);
      llvm::DiagnosticPrinterRawOStream printer(stream);
      info.print(printer);
    }
    return true;
  }
  std::string &errors;
};
} // namespace

static void initialiseTargets() {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
    LLVMInitializeAMDGPUTargetInfo();
    LLVMInitializeAMDGPUTarget();
    LLVMInitializeAMDGPUTargetMC();
    LLVMInitializeAMDGPUAsmPrinter();
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
  });
}

static std::unique_ptr<llvm::TargetMachine> makeMachine(const CodeTarget &target, std::string &error) {
  llvm::Triple triple(target.triple);
  const llvm::Target *llvmTarget = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!llvmTarget)
    return nullptr;
  llvm::TargetOptions options;
  return std::unique_ptr<llvm::TargetMachine>(
      llvmTarget->createTargetMachine(triple, target.cpu, target.features, options, llvm::Reloc::PIC_,
                                      std::nullopt, llvm::CodeGenOptLevel::Aggressive));
}

static void optimise(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager graph;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(graph);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, graph, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3).run(module, modules);
}

static bool generate(llvm::Module &module, llvm::TargetMachine &machine, llvm::CodeGenFileType type,
                     std::string &out) {
  llvm::SmallVector<char, 0> buffer;
  llvm::raw_svector_ostream stream(buffer);
  llvm::legacy::PassManager passes;
  if (machine.addPassesToEmitFile(passes, stream, nullptr, type))
    return false;
  passes.run(module);
  out.assign(buffer.begin(), buffer.end());
  return true;
}

Expected<EmittedCode> emitCode(mlir::ModuleOp module, const CodeTarget &target, const EmitOptions &options) {
  initialiseTargets();
  std::string error;
  std::unique_ptr<llvm::TargetMachine> machine = makeMachine(target, error);
  if (!machine)
    return failure(target, "E-CODEGEN-TARGET", error);

  llvm::LLVMContext context;
  context.setDiagnosticHandler(std::make_unique<CollectingHandler>(error));
  std::unique_ptr<llvm::Module> code = mlir::translateModuleToLLVMIR(module, context, "quern");
  if (!code)
    return failure(target, "E-CODEGEN-TRANSLATE", "the kernel holds operations that LLVM IR does not have");
  code->setTargetTriple(machine->getTargetTriple());
  code->setDataLayout(machine->createDataLayout());
  bool amd = machine->getTargetTriple().isAMDGCN(), nvptx = machine->getTargetTriple().isNVPTX();
  // Code object version 5: what older drivers load too (LLVM 22 writes 6 by default).
  if (amd)
    code->addModuleFlag(llvm::Module::Error, "amdhsa_code_object_version", 500);
  for (llvm::Function &function : *code)
    if (!function.isDeclaration()) {
      function.addFnAttr("target-cpu", target.cpu);
      if (!target.features.empty())
        function.addFnAttr("target-features", target.features);
      // Parameters that are passed by value are read where they lie: no block changes its own copy.
      for (llvm::Argument &argument : function.args())
        if (nvptx && argument.hasByValAttr())
          argument.addAttr(llvm::Attribute::get(context, "nvvm.grid_constant"));
    }
  optimise(*code, *machine);
  EmittedCode result;
  if (options.llvm) {
    llvm::raw_string_ostream stream(result.llvm);
    code->print(stream, nullptr);
  }
  if (!options.code)
    return result;
  if (options.assembly || nvptx) {
    // Code generation changes the module: assembly for people is made from a copy.
    std::unique_ptr<llvm::Module> copy = nvptx ? nullptr : llvm::CloneModule(*code);
    if (!generate(nvptx ? *code : *copy, *machine, llvm::CodeGenFileType::AssemblyFile, result.assembly))
      return failure(target, "E-CODEGEN-TARGET", "LLVM cannot write assembly for it");
  }
  if (nvptx) {
    if (!error.empty())
      return failure(target, "E-CODEGEN-LLVM", error);
    result.bytes = result.assembly;
    if (result.bytes.find(".extern .func") != std::string::npos)
      return failure(target, "E-CODEGEN-EXTERN", "the code calls a function that no driver has");
    return result;
  }
  std::string object;
  if (!generate(*code, *machine, llvm::CodeGenFileType::ObjectFile, object))
    return failure(target, "E-CODEGEN-TARGET", "LLVM cannot write objects for it");
  if (!error.empty())
    return failure(target, "E-CODEGEN-LLVM", error);
  QUERN_ASSIGN_OR_RETURN(result.bytes, linkShared(object));
  return result;
}

} // namespace quern::lowering
