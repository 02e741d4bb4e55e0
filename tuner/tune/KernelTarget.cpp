//===- KernelTarget.cpp ---------------------------------------------------===//
#include "tuner/tune/KernelTarget.h"

#include "lowering/Compile.h"
#include "lowering/KernelExchange.h"
#include "lowering/model_to_tile/DefaultSchedule.h"
#include "runtime/Devices.h"
#include "support/target/KnownTargets.h"

namespace quern::tuner {

KernelTarget::KernelTarget(lowering::CodeTarget target, std::string program, unsigned workers)
    : target(std::move(target)), pool(std::move(program), workers) {}

bool isLowered(const std::string &text) {
  Expected<tile::Schedule> s = tile::Schedule::parse(text);
  return s.ok() && s->strategy == tile::Strategy::Inline && s->groups == 1 && s->split == 1 &&
         s->clusterM == 1 && s->clusterN == 1 && s->accumStages == 1 && s->fragPrefetch == 0 && !s->swap &&
         s->persist == tile::Persistence::Off && s->store == tile::StorePath::Direct && s->stages <= 1 &&
         (s->warpGrid.size() < 3 || s->warpGrid[2] == 1);
}

Expected<KernelSpace> KernelTarget::space(const KernelProblem &problem) const {
  // Any Schedule makes the parameters readable.
  QUERN_ASSIGN_OR_RETURN(lowering::KernelRequest request,
                         lowering::parseKernelRequest(problem.request(problem.kernel + "{}")));
  SpaceTarget space;
  space.name = target.name;
  space.lanes = target.lanes;
  space.simd = target.simd;
  space.warps = target.warps;
  const TargetInfo *info =
      findTarget(target.vendor, std::string_view(target.name).substr(target.vendor.size() + 1));
  space.pairs = info && info->cpu.bf16Dot;
  const tile::Schedule standard = lowering::defaultSchedule(problem.kernel, request.parameters, target);
  return spaceOf(problem, space, standard.str(), isLowered);
}

Expected<Candidate> KernelTarget::compile(unsigned slot, const KernelProblem &problem,
                                          const std::string &schedule) {
  QUERN_ASSIGN_OR_RETURN(lowering::KernelRequest request,
                         lowering::parseKernelRequest(problem.request(schedule)));
  QUERN_ASSIGN_OR_RETURN(lowering::CompiledKernel kernel, pool.compile(slot, request, target, {}));
  Candidate candidate;
  candidate.schedule = schedule;
  candidate.symbol = kernel.symbol;
  candidate.code = std::move(kernel.code);
  candidate.threads = uint32_t(kernel.threads);
  candidate.sharedBytes = uint32_t(kernel.sharedBytes);
  candidate.scratch = target.simd;
  for (const lowering::GridDimension &d : kernel.grid)
    candidate.grid.push_back({d.argument, d.extent, d.step});
  return std::move(candidate);
}

Toolchain KernelTarget::toolchain() const {
  Toolchain toolchain;
  toolchain.compiler = lowering::compilerFingerprint();
  toolchain.target = target.name;
  return toolchain;
}

Expected<lowering::CodeTarget> chooseTarget(const std::string &name, const runtime::DeviceInfo *device) {
  QUERN_ASSIGN_OR_RETURN(std::vector<lowering::CodeTarget> targets, lowering::codeTargets(name));
  if (!device) {
    if (targets.size() > 1)
      return Status::error(Exit::Usage, "E-TUNE-TARGET", "`" + name + "` stands for several targets")
          .remedy("name one of them: `" + targets.front().name + "`, ...");
    return std::move(targets.front());
  }
  std::vector<std::string> names;
  for (const lowering::CodeTarget &target : targets)
    names.push_back(target.name);
  QUERN_ASSIGN_OR_RETURN(size_t chosen, runtime::chooseCode(*device, names));
  return std::move(targets[chosen]);
}

} // namespace quern::tuner
