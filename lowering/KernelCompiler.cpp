//===- KernelCompiler.cpp -------------------------------------------------===//
#include "lowering/KernelCompiler.h"
#include "kernels/KernelTexts.h"
#include "lowering/Pipelines.h"
#include "lowering/emit/Emit.h"
#include "lowering/targets/Targets.h"
#include "lowering/tile/BlockShape.h"
#include "support/Hash.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"

#include <cstdio>

using namespace mlir;

namespace quern::lowering {

std::string KernelRequest::text() const {
  std::string text = schedule.str();
  for (const auto &[name, value] : parameters) {
    text += " " + name + "=";
    if (auto *integer = std::get_if<int64_t>(&value)) {
      text += std::to_string(*integer);
    } else if (auto *real = std::get_if<double>(&value)) {
      char digits[40];
      std::snprintf(digits, sizeof digits, "%.17g", *real);
      text += digits;
      // So that it reads back as a real number.
      if (std::string_view(digits).find_first_of(".en") == std::string_view::npos)
        text += ".0";
    } else {
      text += std::get<std::string>(value);
    }
  }
  return text;
}

std::string KernelRequest::symbol() const { return kernel + "_" + sha256(text()).hex().substr(0, 12); }

namespace {

/// Collects diagnostics as one text, in place of printing them.
class DiagnosticText {
public:
  explicit DiagnosticText(MLIRContext &context)
      : handler(&context, [this](Diagnostic &diagnostic) {
          llvm::raw_string_ostream stream(text);
          if (!text.empty())
            stream << "; ";
          stream << diagnostic.getLocation() << ": " << diagnostic;
          return success();
        }) {}
  std::string take() { return std::move(text); }

private:
  std::string text;
  ScopedDiagnosticHandler handler;
};

Type elementType(MLIRContext &context, StringRef name) { return parseType(name, &context); }

Status failure(const KernelRequest &request, const CodeTarget &target, const char *id, std::string cause) {
  return Status::error(Exit::CompileFailed, id,
                       "cannot compile the kernel `" + request.text() + "` for `" + target.name + "`")
      .cause(std::move(cause));
}

std::string print(Operation *op) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  op->print(stream, OpPrintingFlags().useLocalScope());
  return text;
}

} // namespace

static DictionaryAttr parameterAttr(MLIRContext &context, const KernelRequest &request,
                                    tile::KernelOp kernel) {
  Builder builder(&context);
  NamedAttrList list;
  for (const auto &[name, value] : request.parameters) {
    if (auto *integer = std::get_if<int64_t>(&value))
      list.set(name, builder.getI64IntegerAttr(*integer));
    else if (auto *real = std::get_if<double>(&value))
      list.set(name, builder.getF64FloatAttr(*real));
    else if (Type type = elementType(context, std::get<std::string>(value)))
      list.set(name, TypeAttr::get(type));
  }
  if (ArrayAttr names = kernel.getTileNamesAttr())
    for (auto [name, size] : llvm::zip(names.getAsRange<StringAttr>(), request.schedule.tile))
      list.set(name.getValue(), builder.getI64IntegerAttr(size));
  return list.getDictionary(&context);
}

static DictionaryAttr machineAttr(MLIRContext &context, const CodeTarget &target) {
  Builder builder(&context);
  NamedAttrList list;
  list.set("target", builder.getStringAttr(target.name));
  list.set("lanes", builder.getI32IntegerAttr(target.lanes));
  list.set("vector_bytes", builder.getI32IntegerAttr(target.vectorBytes));
  if (target.sharedLimit)
    list.set("shared_bytes", builder.getI32IntegerAttr(target.sharedLimit));
  if (target.simd)
    list.set("simd", builder.getUnitAttr());
  return list.getDictionary(&context);
}

/// Arguments and grid of the specialised kernel.
static void describe(tile::KernelOp kernel, CompiledKernel &result) {
  for (Type type : kernel.getArgumentTypes())
    result.arguments.push_back(llvm::isa<tile::PtrType>(type) ? KernelArgument::Pointer
                               : type.isF32()                 ? KernelArgument::F32
                               : type.isInteger(64)           ? KernelArgument::I64
                                                              : KernelArgument::I32);
  kernel.walk([&](tile::DomainOp domain) {
    for (auto [extent, step] : llvm::zip(domain.getExtents(), domain.getSteps())) {
      GridDimension dimension;
      llvm::APInt constant;
      if (matchPattern(extent, m_ConstantInt(&constant)))
        dimension.extent = constant.getSExtValue();
      else
        dimension.argument = llvm::cast<BlockArgument>(extent).getArgNumber();
      if (matchPattern(step, m_ConstantInt(&constant)))
        dimension.step = constant.getSExtValue();
      result.grid.push_back(dimension);
    }
  });
}

/// The arguments that phase `layouts` made tensor maps.
static void describeMaps(tile::KernelOp kernel, CompiledKernel &result) {
  kernel.walk([&](tile::TensorMapOp op) {
    TensorMapArgument &map = result.maps.emplace_back();
    map.argument = int32_t(llvm::cast<BlockArgument>(op.getBase()).getArgNumber());
    result.arguments[size_t(map.argument)] = KernelArgument::TensorMap;
    Type element = op.getBase().getType().getElementType();
    const int64_t bytes = element.getIntOrFloatBitWidth() / 8;
    map.element = bytes == 1 ? "u8" : element.isBF16() ? "bf16" : element.isF16() ? "f16" : "f32";
    auto constant = [](Value value) {
      llvm::APInt number;
      return matchPattern(value, m_ConstantInt(&number)) ? std::optional(number.getSExtValue())
                                                         : std::nullopt;
    };
    // Dimension 0 is the innermost there, the last one here.
    int64_t dense = bytes;
    const size_t rank = op.getSizes().size();
    for (size_t d = rank; d-- > 0;) {
      Value size = op.getSizes()[d];
      std::optional<int64_t> extent = constant(size);
      map.extents.push_back(
          extent ? TensorMapArgument::Extent{-1, *extent}
                 : TensorMapArgument::Extent{int32_t(llvm::cast<BlockArgument>(size).getArgNumber()), 0});
      map.box.push_back(op.getBox()[d]);
      if (d > 0) {
        dense *= extent.value_or(0);
        map.strides.push_back(op.getStrides().empty() ? dense
                                                      : constant(op.getStrides()[d - 1]).value_or(0) * bytes);
      }
    }
    map.swizzle = op.getSpan();
  });
}

Expected<CompiledKernel> compileKernel(const KernelRequest &request, const CodeTarget &target,
                                       const CompileKernelOptions &options) {
  const KernelText *text = findKernelText(request.kernel);
  if (!text)
    return failure(request, target, "E-KERNEL-UNKNOWN", "there is no kernel text `" + request.kernel + "`");
  return compileKernelText(std::string(text->text), std::string(text->path), request, target, options);
}

Expected<CompiledKernel> compileKernelText(const std::string &text, const std::string &path,
                                           const KernelRequest &request, const CodeTarget &target,
                                           const CompileKernelOptions &options) {
  DialectRegistry registry;
  registry.insert<tile::TileDialect, arith::ArithDialect, math::MathDialect, scf::SCFDialect,
                  LLVM::LLVMDialect>();
  registerEmission(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  DiagnosticText diagnostics(context);

  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(llvm::MemoryBuffer::getMemBuffer(text, path, /*RequiresNullTerminator=*/true),
                             llvm::SMLoc());
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(sources, &context);
  if (!module)
    return failure(request, target, "E-KERNEL-TEXT", diagnostics.take());
  auto kernels = module->getOps<tile::KernelOp>();
  if (!llvm::hasSingleElement(kernels))
    return failure(request, target, "E-KERNEL-TEXT", path + " must hold one kernel");
  tile::KernelOp kernel = *kernels.begin();
  size_t tiles = kernel.getTileNamesAttr() ? kernel.getTileNamesAttr().size() : 0;
  if (tiles != request.schedule.tile.size())
    return failure(request, target, "E-KERNEL-SCHEDULE",
                   "the kernel has " + std::to_string(tiles) + " tile sizes, the schedule " +
                       std::to_string(request.schedule.tile.size()));
  kernel.setSymName(request.symbol());
  kernel->setAttr("params", parameterAttr(context, request, kernel));
  kernel->setAttr("schedule", StringAttr::get(&context, request.schedule.str()));
  kernel->setAttr("machine", machineAttr(context, target));

  CompiledKernel result;
  result.symbol = request.symbol();
  auto wants = [&](KernelStage stage) { return llvm::is_contained(options.keep, stage); };
  auto runPhase = [&](void (*build)(OpPassManager &), KernelStage stage) {
    PassManager passes(&context, PassManager::getAnyOpAnchorName());
    build(passes.nest<tile::KernelOp>());
    if (failed(passes.run(*module)))
      return false;
    if (wants(stage))
      result.texts[stage] = print(*module);
    return true;
  };
  if (!runPhase(buildTilePhase, KernelStage::Tile))
    return failure(request, target, "E-KERNEL-SPECIALIZE", diagnostics.take());
  describe(kernel, result);
  if (FailureOr<BlockShape> block = BlockShape::of(kernel); succeeded(block))
    result.threads = target.simd ? 1 : block->threads();
  if (options.last == KernelStage::Tile)
    return result;
  if (!runPhase(buildLayoutsPhase, KernelStage::Layouts))
    return failure(request, target, "E-KERNEL-LAYOUTS", diagnostics.take());
  describeMaps(kernel, result);
  if (options.last == KernelStage::Layouts)
    return result;
  if (!runPhase(buildRingsPhase, KernelStage::Rings))
    return failure(request, target, "E-KERNEL-RINGS", diagnostics.take());
  if (options.last == KernelStage::Rings)
    return result;

  OwningOpRef<ModuleOp> lowered = ModuleOp::create(kernel.getLoc());
  std::unique_ptr<TargetLowering> lowering = makeLowering(target);
  if (failed(lowerKernel(kernel, *lowering, *lowered, result.sharedBytes)))
    return failure(request, target, "E-KERNEL-LOWERING", diagnostics.take());
  if (target.asksForShared(result.sharedBytes))
    result.dynamicBytes = result.sharedBytes;
  else if (target.sharedLimit && result.sharedBytes > target.sharedLimit)
    return failure(request, target, "E-KERNEL-SHARED",
                   "it needs " + std::to_string(result.sharedBytes) +
                       " bytes of shared memory, the target has " +
                       std::to_string(std::max(target.sharedLimit, target.dynamicLimit)));
  if (wants(KernelStage::Target))
    result.texts[KernelStage::Target] = print(*lowered);
  if (options.last == KernelStage::Target)
    return result;
  EmitOptions emit;
  emit.llvm = wants(KernelStage::Llvm);
  emit.assembly = wants(KernelStage::Assembly);
  emit.code = options.last == KernelStage::Assembly;
  Expected<EmittedCode> code = emitCode(*lowered, target, emit);
  if (!code.ok())
    return failure(request, target, "E-KERNEL-CODE", code.error().message() + " " + diagnostics.take());
  result.code = std::move(code->bytes);
  if (wants(KernelStage::Llvm))
    result.texts[KernelStage::Llvm] = std::move(code->llvm);
  if (wants(KernelStage::Assembly))
    result.texts[KernelStage::Assembly] = std::move(code->assembly);
  return result;
}

} // namespace quern::lowering
