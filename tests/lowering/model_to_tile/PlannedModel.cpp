//===- PlannedModel.cpp -----------------------------------------------------===//
#include "tests/lowering/model_to_tile/PlannedModel.h"
#include "lowering/import/Import.h"
#include "lowering/import/MemoryPlan.h"
#include "tests/golden/Golden.h"

#include "mlir/IR/MLIRContext.h"

using namespace quern::runtime;

namespace quern::testing {

std::string targetName(const TargetInfo &target) {
  return std::string(target.vendor) + ":" + std::string(target.architecture);
}

Expected<lowering::LoweredModel> planModel(const std::string &name, const TargetInfo &target,
                                           lowering::ScheduleSource *schedules) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  QUERN_ASSIGN_OR_RETURN(import::ImportedModel read, import::readModel(modelDirectory(name), {}));
  QUERN_ASSIGN_OR_RETURN(auto module, import::buildModule(read, context));
  QUERN_ASSIGN_OR_RETURN(std::vector<lowering::CodeTarget> targets,
                         lowering::codeTargets(targetName(target)));
  return lowering::lowerModel(*module, targets.front(), target.fp8,
                              rungFor(target, import::checkpointKind(read)), schedules);
}

int64_t parameter(const lowering::KernelRequest &request, const std::string &name) {
  auto found = request.parameters.find(name);
  return found == request.parameters.end() ? 0 : std::get<int64_t>(found->second);
}

std::vector<PlannedProduct> productsOf(const lowering::LoweredModel &lowered, int64_t tokens) {
  SymbolValues symbols;
  symbols[Symbol::T] = symbols[Symbol::R] = tokens;
  int64_t chosen = 0; // experts of a token
  for (const lowering::KernelRequest &request : lowered.requests)
    if (request.kernel == "combine")
      chosen = parameter(request, "KSEL");
  std::vector<PlannedProduct> products;
  for (const PlanEntry &entry : lowered.plan.entries)
    forEachLaunch(entry.steps, [&](const PlacedLaunch &placed) {
      if (placed.choice && placed.choice->at(symbols[placed.choice->by]) != placed.alternative)
        return;
      const lowering::KernelRequest &request = lowered.requests[size_t(placed.launch.kernel)];
      if (request.kernel != "linear" && request.kernel != "head_linear")
        return;
      PlannedProduct product{&request, placed.launch.note};
      product.ofExperts = parameter(request, "EXPERTS") || parameter(request, "GROUPED");
      const int64_t rows =
          product.ofExperts ? tokens * chosen : placed.launch.arguments.back().size.evaluate(symbols);
      product.multiplyAdds = double(placed.runs) * double(rows) * double(parameter(request, "N")) *
                             double(parameter(request, "K")) *
                             double(std::max<int64_t>(1, parameter(request, "H")));
      products.push_back(std::move(product));
    });
  return products;
}

} // namespace quern::testing
