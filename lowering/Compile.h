//===- Compile.h - The compiler's facade: a checkpoint to an artifact -----===//
//
// This header knows no MLIR, so that tools, tuner and bench may include it.
//
//   CompileOptions options;
//   options.directory = "model/";
//   options.targets = {"cpu", "nvidia:sm_90a"};
//   options.output = "m.quern";
//   QUERN_ASSIGN_OR_RETURN(CompileReport report, compileModel(options));
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_LOWERING_COMPILE_H
#define QUERN_LOWERING_COMPILE_H

#include "lowering/KernelCompiler.h"
#include "lowering/ScheduleSource.h"
#include "support/Log.h"
#include "support/Progress.h"
#include "support/Status.h"

#include <optional>
#include <string>
#include <vector>

namespace quern::lowering {

/// Where the weights of the artifact are.
enum class WeightsMode : uint8_t {
  Embed,  ///< stored in it, once for all targets
  Link,   ///< in the checkpoint, named by digest
  Random, ///< made at load from a seed; needs nothing but config.json
};

/// Phases in the order of travel (contract 23).
enum class Phase : uint8_t { Import, Model, Tile, Layouts, Rings, Target, Llvm, Code };
const char *phaseName(Phase phase);
/// Exit::Usage "E-PHASE-UNKNOWN".
Expected<Phase> parsePhase(const std::string &name);

struct CompileOptions {
  std::string directory;            ///< checkpoint, or a directory with config.json alone
  std::string family;               ///< a family file; empty for those that ship
  std::vector<std::string> targets; ///< as on the command line
  std::string output;               ///< artifact; empty writes none
  WeightsMode weights = WeightsMode::Embed;
  bool trustDigests = false;      ///< linked weights are not read; recorded in the artifact
  uint64_t seed = 0;              ///< of random weights
  std::string precision = "auto"; ///< "auto", "fp8", "fp8-weights" or "bf16"
  unsigned jobs = 0;              ///< kernels compiled at one time; 0 for one per core
  std::string
      workerProgram;    ///< program whose processes generate code; empty: this process does (WorkerPool.h)
  bool useCache = true; ///< read and write compiled kernels in the cache directory
  std::string dumpTo;   ///< directory that receives the text of every phase up to |stopAfter|
  Phase stopAfter = Phase::Code; ///< no later phase runs; an artifact is written after the last one alone
  ScheduleSource *schedules = nullptr; ///< asked for each kernel before the default is taken; its record is
                                       ///< frozen in the artifact
  std::optional<int64_t>
      validTokens;     ///< size of the tokenizer: logits from there on are padding and never win
  Log *log = nullptr;  ///< told what was decided and, as debug lines, what was left aside
  bool dryRun = false; ///< stop before code is generated: the report has the kernels that would be
  ProgressMode progress = ProgressMode::None;
};

/// One compiled kernel of one target, for tables.
struct KernelRow {
  std::string target, kernel, symbol, text;
  int32_t threads = 1, sharedBytes = 0;
  uint64_t codeBytes = 0;
  int32_t launches = 0; ///< in one step, repeats counted
  double seconds = 0;   ///< of one core; 0 where it came from the cache
};

struct CompileReport {
  std::string model;
  std::vector<KernelRow> kernels;
  std::vector<std::pair<std::string, std::string>> rungs; ///< target and the rung that it takes
  uint64_t artifactBytes = 0;
  unsigned compiled = 0, fromCache = 0;
  double importSeconds = 0, lowerSeconds = 0, compileSeconds = 0, writeSeconds = 0;
};

/// Everything in order: import, lower for each target, compile each distinct kernel once, write the artifact
/// beside its name and rename. Nothing is left behind on an error.
Expected<CompileReport> compileModel(const CompileOptions &options);

/// A hash of the compiler's sources, the kernel texts and LLVM's version (contract 13).
const char *compilerFingerprint();

} // namespace quern::lowering

#endif // QUERN_LOWERING_COMPILE_H
