//===- Inspect.h - The parts of `quern inspect` ---------------------------===//
#ifndef QUERN_TOOLS_QUERN_INSPECT_H
#define QUERN_TOOLS_QUERN_INSPECT_H

#include "runtime/artifact/Artifact.h"
#include "runtime/plan/Plan.h"
#include "support/Json.h"
#include "tools/cli/Program.h"

#include <string>
#include <vector>

namespace quern::tools {

/// The plan of one target of an artifact, with what is worth showing of it.
struct InspectedTarget {
  runtime::ManifestTarget target;
  runtime::Plan plan;
};

/// Times that kernel |kernel| is launched in one step, repeats counted.
int64_t launchesInStep(const runtime::Plan &plan, size_t kernel);
/// "ceil(#5/64) x 12": #5 is the sixth argument.
std::string gridText(const runtime::PlanKernel &kernel);

/// What `--kernel` prints: text, arguments, grid, launches; with |stage| ("tile", "layouts", "target", "llvm"
/// or "code") the kernel is compiled again and shown as it is there. |name| is a symbol, the beginning of
/// one, or the name of a kernel text. Exit::Usage "E-INSPECT-KERNEL" where there is none, or where there are
/// several and |stage| asks for one.
Status inspectKernel(const runtime::Artifact &artifact, const std::vector<InspectedTarget> &targets,
                     const std::string &name, const std::string &stage, OutputFormat format);

} // namespace quern::tools

#endif // QUERN_TOOLS_QUERN_INSPECT_H
