//===- Verify.cpp - An artifact against the oracle ------------------------===//
#include "tuner/validate/Verify.h"
#include "dialects/model/Model.h"
#include "dialects/model/reference/CheckpointWeights.h"
#include "support/Philox.h"
#include "support/target/TargetSpec.h"
#include "tuner/validate/LaunchCheck.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <cmath>
#include <numeric>
#include <thread>

using namespace quern::runtime;
using namespace quern::model::reference;
using OracleValue = quern::model::reference::Value;

namespace quern::validate {

Status VerifyReport::status() const {
  for (const KernelVerdict &verdict : kernels)
    if (verdict.failed)
      return Status::error(Exit::NumericCheckFailed, "E-VERIFY-KERNEL",
                           "the kernel `" + verdict.kernel + "` for `" + target + "` differs from the oracle")
          .cause(verdict.failure)
          .remedy("compile the artifact again; if it stays, report the kernel");
  if (!(worstLogProbability <= logProbabilityLimit))
    return Status::error(Exit::NumericCheckFailed, "E-VERIFY-LOGITS",
                         "the logits for `" + target + "` differ from the oracle's")
        .cause("a log-probability by " + std::to_string(worstLogProbability) + ", more than " +
               std::to_string(logProbabilityLimit));
  return Status::success();
}

namespace {

/// |row| of logits at |token|, as a log-probability.
double logProbability(std::span<const float> row, size_t token) {
  double top = -INFINITY, sum = 0;
  for (float value : row)
    top = std::max(top, double(value));
  for (float value : row)
    sum += std::exp(double(value) - top);
  return double(row[token]) - top - std::log(sum);
}

class Verification {
public:
  explicit Verification(const VerifyOptions &options) : options(options) {}

  Expected<VerifyReport> run(const std::string &path) {
    SessionOptions own = options.session;
    own.context = options.promptTokens + options.newTokens + 1;
    QUERN_ASSIGN_OR_RETURN(session, Session::open(path, own));
    QUERN_RETURN_IF_ERROR(readModule());
    QUERN_RETURN_IF_ERROR(lowerAgain());
    makeOracle();
    report.device = session->deviceInfo().name;
    report.target = session->plan().target;
    report.rung = session->plan().rung;
    report.logProbabilityLimit = report.rung == "fp8" ? 0.15 : 0.05;
    LaunchCheck check(*module, lowered, session->plan(), *oracle, session->launches(), report);
    QUERN_RETURN_IF_ERROR(runSteps(check));
    QUERN_RETURN_IF_ERROR(compareLogits());
    return std::move(report);
  }

private:
  Status readModule() {
    mlir::DialectRegistry registry;
    model::registerModelDialect(registry);
    registry.insert<mlir::func::FuncDialect>();
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
    QUERN_ASSIGN_OR_RETURN(std::string_view text, session->artifact().readText("model.mlir"));
    module = mlir::parseSourceString<mlir::ModuleOp>(llvm::StringRef(text.data(), text.size()), &context);
    if (!module)
      return Status::error(Exit::BadInput, "E-VERIFY-MODULE", "the module in the artifact cannot be read");
    return Status::success();
  }

  /// The plan once more, for the places of values. It must be the artifact's own.
  Status lowerAgain() {
    const Plan &plan = session->plan();
    QUERN_ASSIGN_OR_RETURN(TargetSpec spec, parseTarget(plan.target));
    QUERN_ASSIGN_OR_RETURN(std::vector<lowering::CodeTarget> targets, lowering::codeTargets(plan.target));
    code = targets.front();
    flavour = spec.info() ? spec.info()->fp8 : Fp8Flavour::None;
    rung = *parseRung(plan.rung);
    QUERN_ASSIGN_OR_RETURN(lowered, lowering::lowerModel(*module, code, flavour, rung));
    bool same = lowered.plan.kernels.size() == plan.kernels.size();
    for (size_t k = 0; same && k < plan.kernels.size(); ++k)
      same = lowered.plan.kernels[k].text == plan.kernels[k].text;
    if (!same)
      return Status::error(Exit::Unsupported, "E-VERIFY-COMPILER",
                           "the artifact was made by another compiler")
          .remedy("compile it with this one, or verify it with the one that made it");
    return Status::success();
  }

  void makeOracle() {
    weights =
        std::make_unique<CheckpointWeights>(*module, [this](const std::string &name) -> Expected<RawTensor> {
          const Artifact &artifact = session->artifact();
          QUERN_ASSIGN_OR_RETURN(Weight weight, artifact.weight(name));
          WeightBytes &bytes = held[name];
          if (bytes.span().empty())
            QUERN_RETURN_IF_ERROR(artifact.readWeight(weight, bytes));
          return RawTensor{weight.type, Shape(weight.shape().begin(), weight.shape().end()), bytes.span()};
        });
    Interpreter::Options settings;
    static_assert(int(model::reference::Rung::Fp8) == int(quern::Rung::Fp8) &&
                  int(model::reference::Rung::Fp8Weights) == int(quern::Rung::Fp8Weights) &&
                  int(model::reference::Rung::Bf16) == int(quern::Rung::Bf16));
    settings.rung = static_cast<model::reference::Rung>(rung);
    settings.activations = flavour == Fp8Flavour::Fnuz ? Float8::E4M3FNUZ : Float8::E4M3FN;
    settings.threads = std::max(1u, std::thread::hardware_concurrency());
    oracle = std::make_unique<Interpreter>(*module, *weights, settings);
  }

  /// One step of several tokens, then steps of one token each.
  Status runSteps(LaunchCheck &check) {
    for (int32_t i = 0; i < options.promptTokens + options.newTokens; ++i)
      tokens.push_back(
          int32_t(philoxAt(options.seed, uint64_t(i))[0] % uint64_t(session->plan().validVocabulary)));
    session->launches().observe([&](const ObservedLaunch &launch) { return check.observe(launch); });
    QUERN_ASSIGN_OR_RETURN(int32_t sequence, session->begin());
    Progress progress(options.progress, "verify steps", uint64_t(1 + options.newTokens));
    for (size_t first = 0; first < tokens.size();) {
      size_t count = first == 0 ? size_t(options.promptTokens) : 1;
      std::vector<uint32_t> ids(tokens.begin() + ptrdiff_t(first), tokens.begin() + ptrdiff_t(first + count));
      std::vector<int32_t> own(ids.begin(), ids.end()), positions(count), rows(count);
      std::iota(positions.begin(), positions.end(), int32_t(first));
      std::iota(rows.begin(), rows.end(), 0);
      check.beginStep(own, positions, rows);
      QUERN_ASSIGN_OR_RETURN(LogitsRows step, session->run({Feed{sequence, ids, RowChoice::All}}));
      QUERN_RETURN_IF_ERROR(check.endStep());
      logits.insert(logits.end(), step.values.begin(), step.values.end());
      progress.add(1);
      first += count;
    }
    session->launches().observe({});
    return session->end(sequence);
  }

  /// The oracle's own run of all tokens at once.
  Status compareLogits() {
    auto integers = [&](int32_t from, int32_t step) {
      std::vector<int32_t> values;
      for (size_t i = 0; i < tokens.size(); ++i)
        values.push_back(from + int32_t(i) * step);
      return OracleValue(Tensor::ofIntegers(std::move(values)));
    };
    QUERN_ASSIGN_OR_RETURN(OracleValue cache, oracle->makeCache("step"));
    QUERN_ASSIGN_OR_RETURN(std::vector<OracleValue> results,
                           oracle->call("step", {Tensor::ofIntegers(tokens), integers(0, 1), integers(0, 0),
                                                 integers(0, 1), std::move(cache)}));
    const Tensor &want = std::get<Tensor>(results.front());
    const size_t columns = size_t(session->plan().vocabulary),
                 valid = size_t(session->plan().validVocabulary);
    report.positions = int64_t(tokens.size());
    for (size_t row = 0; row < tokens.size(); ++row) {
      std::span<const float> a = std::span(want.values).subspan(row * columns, valid);
      std::span<const float> b = std::span(logits).subspan(row * columns, valid);
      size_t top = size_t(std::max_element(a.begin(), a.end()) - a.begin());
      double off = std::fabs(logProbability(a, top) - logProbability(b, top));
      if (!(off <= report.worstLogProbability))
        report.worstLogProbability = off;
    }
    return Status::success();
  }

  const VerifyOptions &options;
  VerifyReport report;
  std::unique_ptr<Session> session;
  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};
  mlir::OwningOpRef<mlir::ModuleOp> module;
  lowering::CodeTarget code;
  lowering::LoweredModel lowered;
  Fp8Flavour flavour = Fp8Flavour::None;
  quern::Rung rung = quern::Rung::Bf16;
  std::map<std::string, WeightBytes> held;
  std::unique_ptr<CheckpointWeights> weights;
  std::unique_ptr<Interpreter> oracle;
  std::vector<int32_t> tokens;
  std::vector<float> logits; ///< of the device, all positions
};

} // namespace

Expected<VerifyReport> verifyArtifact(const std::string &path, const VerifyOptions &options) {
  return Verification(options).run(path);
}

} // namespace quern::validate
