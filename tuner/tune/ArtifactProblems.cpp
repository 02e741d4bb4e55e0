//===- ArtifactProblems.cpp - What a plan launches ------------------------===//
#include "runtime/artifact/Artifact.h"
#include "runtime/plan/Plan.h"
#include "tuner/tune/TuneKernels.h"

#include <algorithm>

namespace quern::tuner {

using namespace quern::runtime;

namespace {

class Collector {
public:
  Collector(const Plan &plan, std::vector<KernelProblem> &problems) : plan(plan), problems(problems) {
    tunable = tunableKernels();
  }

  Status collect(const std::vector<PlanStep> &steps, int64_t tokens) {
    for (const PlanStep &step : steps) {
      if (step.launch)
        QUERN_RETURN_IF_ERROR(collect(*step.launch, tokens));
      else if (step.choice)
        // Chosen by T in every plan; of another symbol, that has one value here.
        for (const Launch &launch :
             step.choice->alternatives[step.choice->at(step.choice->by == Symbol::T ? tokens : 1)].launches)
          QUERN_RETURN_IF_ERROR(collect(launch, tokens));
      else
        QUERN_RETURN_IF_ERROR(collect(step.repeat->steps, tokens));
    }
    return Status::success();
  }

private:
  Status collect(const Launch &launch, int64_t tokens) {
    const PlanKernel &kernel = plan.kernels[size_t(launch.kernel)];
    const std::string name = kernel.text.substr(0, kernel.text.find('{'));
    if (std::find(tunable.begin(), tunable.end(), name) == tunable.end())
      return Status::success();
    QUERN_ASSIGN_OR_RETURN(KernelProblem problem, problemOfRequest(kernel.text, 1));
    for (const PlanGridDimension &d : kernel.grid)
      if (d.argument >= 0) {
        // Of one sequence, whose last token alone has logits.
        SymbolValues values;
        values[Symbol::T] = tokens;
        values[Symbol::B] = values[Symbol::R] = values[Symbol::P] = values[Symbol::M] = 1;
        values[Symbol::C] = plan.contextLimit;
        SizeExpression rows = launch.arguments[size_t(d.argument)].size;
        // Places between groups of rows are none of the problem.
        if (problem.flag("GROUPED"))
          rows.constant = 0;
        problem.rows = std::max<int64_t>(1, rows.evaluate(values));
        break;
      }
    if (std::find(problems.begin(), problems.end(), problem) == problems.end())
      problems.push_back(std::move(problem));
    return Status::success();
  }

  const Plan &plan;
  std::vector<KernelProblem> &problems;
  std::vector<std::string> tunable;
};

} // namespace

Expected<std::vector<KernelProblem>> problemsOfArtifact(const std::string &path, const std::string &target,
                                                        const std::vector<int64_t> &tokens) {
  QUERN_ASSIGN_OR_RETURN(Artifact artifact, Artifact::open(path));
  const std::vector<ManifestTarget> &targets = artifact.manifest().targets;
  auto found = std::find_if(targets.begin(), targets.end(),
                            [&](const ManifestTarget &each) { return each.target == target; });
  if (found == targets.end()) {
    std::string known;
    for (const ManifestTarget &each : targets)
      known += (known.empty() ? "" : ", ") + each.target;
    return Status::error(Exit::Unsupported, "E-TARGET-NOT-IN-ARTIFACT",
                         "`" + path + "` has no plan for `" + target + "`")
        .cause("it has " + known);
  }
  QUERN_ASSIGN_OR_RETURN(std::string_view text, artifact.readText("plan/" + found->folder + ".json"));
  QUERN_ASSIGN_OR_RETURN(Plan plan, readPlan(text));
  std::vector<KernelProblem> problems;
  Collector collector(plan, problems);
  for (const PlanEntry &entry : plan.entries)
    for (int64_t count : tokens)
      QUERN_RETURN_IF_ERROR(collector.collect(entry.steps, count));
  if (problems.empty())
    return Status::error(Exit::Unsupported, "E-TUNE-NOTHING", "no kernel of `" + path + "` can be tuned");
  return std::move(problems);
}

} // namespace quern::tuner
