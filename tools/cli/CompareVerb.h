//===- CompareVerb.h - The command line of `quern compare` ----------------===//
#ifndef QUERN_TOOLS_CLI_COMPAREVERB_H
#define QUERN_TOOLS_CLI_COMPAREVERB_H

#include "tools/cli/RunVerb.h"

namespace quern::tools {

/// Two files of results, two devices with one artifact, two artifacts on one device, or two targets of an
/// artifact that no device here runs. |emulated| as for `addRunFlags`; emulated devices count, they give no
/// times.
VerbBody addCompareFlags(CLI::App &app, runtime::EmulatedFactory emulated);

} // namespace quern::tools

#endif // QUERN_TOOLS_CLI_COMPAREVERB_H
