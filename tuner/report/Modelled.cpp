//===- Modelled.cpp -------------------------------------------------------===//
#include "tuner/report/Modelled.h"

#include "runtime/measure/KernelWork.h"
#include "support/target/TargetSpec.h"

#include <algorithm>

namespace quern::report {

using namespace runtime;

namespace {

/// By the kernels' convention the first scalar is the number of rows.
int64_t rowsOf(const Launch &launch, const SymbolValues &symbols) {
  for (const LaunchArgument &argument : launch.arguments)
    if (argument.kind == LaunchArgument::Kind::Scalar && argument.scalar == ScalarKind::I32)
      return argument.size.evaluate(symbols);
  return 0;
}

uint64_t memberBytes(const Artifact &artifact, const std::string &name) {
  for (const ZipMember &member : artifact.members())
    if (member.name == name)
      return member.size;
  return 0;
}

/// Operations a second of the card for a product of |text|: those of 8-bit floats only where both operands
/// are.
double operationsFor(const CardInfo &card, std::string_view text) {
  const bool eightBits = text.find("QUANTIZED=1") != std::string_view::npos && card.fp8Tflops > 0;
  return 1e12 * (eightBits ? card.fp8Tflops : card.bf16Tflops);
}

Json sideJson(const ModelledSide &side) {
  Json json = Json::object(), kernels = Json::array();
  json.set("target", side.target);
  json.set("rung", side.rung);
  json.set("card", side.card);
  json.set("floor_us", side.floorSeconds() * 1e6);
  for (const ModelledKernel &kernel : side.kernels) {
    Json &one = kernels.push(Json::object());
    one.set("name", kernel.name);
    one.set("symbol", kernel.symbol);
    one.set("text", kernel.text);
    one.set("launches", kernel.launches);
    one.set("threads", kernel.threads);
    one.set("shared_bytes", kernel.sharedBytes);
    one.set("code_bytes", kernel.codeBytes);
    one.set("operations", kernel.operations);
    one.set("bytes", kernel.bytes);
    one.set("floor_us", kernel.floorSeconds * 1e6);
    if (kernel.floorSeconds > 0)
      one.set("floor_of", kernel.memoryBound ? "memory" : "operations");
    if (kernel.counts.empty())
      continue;
    Json &counts = one.set("counts", Json::object());
    for (const auto &[name, count] : kernel.counts)
      counts.set(name, count);
  }
  json.set("kernels", std::move(kernels));
  return json;
}

} // namespace

double ModelledSide::floorSeconds() const {
  double sum = 0;
  for (const ModelledKernel &kernel : kernels)
    sum += double(kernel.launches) * kernel.floorSeconds;
  return sum;
}

Expected<ModelledSide> modelTarget(const Artifact &artifact, const std::string &name, int64_t tokens) {
  QUERN_ASSIGN_OR_RETURN(TargetSpec wanted, parseTarget(name));
  const ManifestTarget *found = nullptr;
  std::string known;
  for (const ManifestTarget &target : artifact.manifest().targets) {
    known += (known.empty() ? "" : ", ") + target.target;
    // A target that stands for several (`cpu`) is the last of them, the fastest.
    Expected<TargetSpec> spec = parseTarget(target.target);
    if (spec.ok() &&
        (spec->text() == wanted.text() || (wanted.isCpu() && wanted.architecture.empty() && spec->isCpu())))
      found = &target;
  }
  if (!found)
    return Status::error(Exit::Unsupported, "E-TARGET-NOT-IN-ARTIFACT",
                         "`" + artifact.name() + "` has no code for " + wanted.text())
        .cause("it has " + known)
        .remedy("compile it with `--target " + wanted.text() + "`");
  QUERN_ASSIGN_OR_RETURN(std::string_view text, artifact.readText("plan/" + found->folder + ".json"));
  QUERN_ASSIGN_OR_RETURN(Plan plan, readPlan(text));
  QUERN_ASSIGN_OR_RETURN(TargetSpec spec, parseTarget(found->target));
  const TargetInfo *info = spec.info();
  const CardInfo *card = info && !info->isCpu() ? representativeCard(*info) : nullptr;

  ModelledSide side;
  side.target = found->target;
  side.rung = found->rung;
  if (card) {
    side.card = card->name;
    side.peaks = {operationsFor(*card, found->rung == "fp8" ? "QUANTIZED=1" : ""), card->bandwidthTb * 1e12};
  }
  SymbolValues symbols;
  for (Symbol symbol : {Symbol::B, Symbol::R})
    symbols[symbol] = 1;
  symbols[Symbol::T] = tokens;
  symbols[Symbol::C] = std::max<int64_t>(plan.contextLimit, tokens);
  symbols[Symbol::P] = symbols[Symbol::M] = (symbols[Symbol::C] + pageTokens - 1) / pageTokens;
  std::map<std::string, int> names;
  std::map<std::pair<int32_t, std::string>, size_t> places;
  const PlanEntry *step = plan.findEntry("step");
  if (!step)
    return side;
  forEachLaunch(step->steps, [&](const PlacedLaunch &placed) {
    if (placed.choice && placed.choice->at(symbols[placed.choice->by]) != placed.alternative)
      return;
    const Launch &launch = placed.launch;
    const int64_t runs = placed.runs;
    auto [place, fresh] = places.try_emplace({launch.kernel, launch.note}, side.kernels.size());
    if (!fresh) {
      side.kernels[place->second].launches += runs;
      return;
    }
    const PlanKernel &kernel = plan.kernels[size_t(launch.kernel)];
    ModelledKernel &one = side.kernels.emplace_back();
    one.name = kernel.text.substr(0, kernel.text.find('{')) + "/" + launch.note +
               "/tokens:" + std::to_string(tokens);
    if (const int count = ++names[one.name]; count > 1)
      one.name += "#" + std::to_string(count);
    one.symbol = kernel.symbol;
    one.text = kernel.text;
    one.launches = runs;
    one.threads = kernel.threads;
    one.sharedBytes = kernel.sharedBytes;
    one.codeBytes = memberBytes(artifact, kernel.member);
    const Work work = kernelWork(kernel.text, rowsOf(launch, symbols));
    one.operations = work.operations;
    one.bytes = work.bytes;
    if (!card)
      return;
    const double math = work.operations / operationsFor(*card, kernel.text),
                 memory = work.bytes / (card->bandwidthTb * 1e12);
    one.floorSeconds = std::max(math, memory);
    one.memoryBound = memory >= math;
  });
  return side;
}

Json modelledJson(const ModelledComparison &comparison) {
  Json root = Json::object();
  root.set("schema", "quern.compare.modelled");
  root.set("schema_version", 1);
  root.set("measured", false);
  root.set("artifact", comparison.artifact);
  root.set("module", comparison.module);
  root.set("compiler", comparison.compiler);
  root.set("tokens", comparison.tokens);
  root.set("a", sideJson(comparison.a));
  root.set("b", sideJson(comparison.b));
  return root;
}

} // namespace quern::report
