//===- Verify.cpp - An artifact against the oracle ------------------------===//
#include "tuner/validate/Verify.h"
#include "dialects/model/Model.h"
#include "dialects/model/reference/CheckpointWeights.h"
#include "support/Philox.h"
#include "support/target/TargetSpec.h"
#include "tuner/apply/DatabaseSchedules.h"
#include "tuner/validate/LaunchCheck.h"
#include "tuner/validate/Routing.h"

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
  if (!(worstRerouting <= logProbabilityLimit))
    return Status::error(Exit::NumericCheckFailed, "E-VERIFY-ROUTING",
                         "the experts chosen for `" + target + "` are not near the oracle's choice")
        .cause("logits of a router would have to move by " + std::to_string(worstRerouting) + ", more than " +
               std::to_string(logProbabilityLimit));
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
    own.context = options.promptTokens + options.newTokens + 1; // a draft is one ahead
    QUERN_ASSIGN_OR_RETURN(session, Session::open(path, own));
    QUERN_RETURN_IF_ERROR(readModule());
    QUERN_RETURN_IF_ERROR(lowerAgain());
    makeOracle();
    report.device = session->deviceInfo().name;
    report.target = session->plan().target;
    report.rung = session->plan().rung;
    report.logProbabilityLimit = report.rung == "fp8" ? 0.15 : 0.05;
    LaunchCheck check(*module, lowered, session->plan(), *oracle, session->launches(), options.sampleAbove,
                      report);
    QUERN_RETURN_IF_ERROR(runSteps(check));
    report.counted = session->launchDevice().takeKernelCounts();
    QUERN_RETURN_IF_ERROR(compareLogits(check));
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
    std::optional<tuner::FrozenSchedules> schedules;
    if (session->artifact().has(tuner::tuningMemberName)) {
      QUERN_ASSIGN_OR_RETURN(std::string_view slice, session->artifact().readText(tuner::tuningMemberName));
      QUERN_ASSIGN_OR_RETURN(std::vector<tuner::SliceEntry> entries, tuner::readSlice(slice));
      schedules.emplace(std::move(entries));
    }
    QUERN_ASSIGN_OR_RETURN(
        lowered, lowering::lowerModel(*module, code, flavour, rung, schedules ? &*schedules : nullptr));
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
    settings.amend = [this](mlir::Operation *op, auto operands, auto results) {
      if (auto router = llvm::dyn_cast<model::RouterOp>(op); router && deviceRouting)
        takeDeviceRouting(router, operands, results);
    };
    oracle = std::make_unique<Interpreter>(*module, *weights, settings);
  }

  /// One step of several tokens (or several, where a step takes no more), then steps of one token each; the
  /// draft head behind each of them.
  Status runSteps(LaunchCheck &check) {
    const bool drafts = session->hasDraft();
    const int64_t count = options.promptTokens + options.newTokens;
    for (int64_t i = 0; i < count + drafts; ++i)
      tokens.push_back(
          int32_t(philoxAt(options.seed, uint64_t(i))[0] % uint64_t(session->plan().validVocabulary)));
    session->launches().observe([&](const ObservedLaunch &launch) { return check.observe(launch); });
    QUERN_ASSIGN_OR_RETURN(int32_t sequence, session->begin());
    const int64_t most = std::min(session->tokensPerStep(), session->rowsPerStep());
    Progress progress(options.progress, "verify steps",
                      uint64_t((options.promptTokens + most - 1) / most + options.newTokens));
    for (int64_t first = 0; first < count;) {
      int64_t own = first < options.promptTokens ? std::min(most, options.promptTokens - first) : 1;
      QUERN_RETURN_IF_ERROR(runStep(check, sequence, first, own));
      progress.add(1);
      first += own;
    }
    session->launches().observe({});
    return session->end(sequence);
  }

  Status runStep(LaunchCheck &check, int32_t sequence, int64_t first, int64_t count) {
    auto append = [](std::vector<float> &to) {
      return [&to](size_t, size_t, std::span<const float> row) {
        to.insert(to.end(), row.begin(), row.end());
        return Status::success();
      };
    };
    auto tokensAt = [&](int64_t at) {
      return std::vector<int32_t>(tokens.begin() + at, tokens.begin() + at + count);
    };
    auto idsOf = [](const std::vector<int32_t> &from) {
      return std::vector<uint32_t>(from.begin(), from.end());
    };
    std::vector<int32_t> positions(static_cast<size_t>(count)), rows = positions;
    std::iota(positions.begin(), positions.end(), int32_t(first));
    std::iota(rows.begin(), rows.end(), 0);
    std::vector<uint32_t> ids = idsOf(tokensAt(first));
    check.beginStep("step", tokensAt(first), positions, rows);
    Feed feed{sequence, ids, RowChoice::All};
    QUERN_RETURN_IF_ERROR(session->run(std::span(&feed, 1), append(logits)));
    QUERN_RETURN_IF_ERROR(check.endStep());
    if (!session->hasDraft())
      return Status::success();
    ids = idsOf(tokensAt(first + 1));
    check.beginStep("mtp", tokensAt(first + 1), positions, rows);
    QUERN_RETURN_IF_ERROR(session->draft(sequence, 0, ids, RowChoice::All, append(draftLogits)));
    return check.endStep();
  }

  /// The oracle's own run of all tokens at once, and of the draft head over its hidden rows.
  Status compareLogits(LaunchCheck &check) {
    const int64_t count = int64_t(tokens.size()) - session->hasDraft();
    auto integers = [&](int32_t from, int32_t step) {
      std::vector<int32_t> values;
      for (int64_t i = 0; i < count; ++i)
        values.push_back(from + int32_t(i) * step);
      return OracleValue(Tensor::ofIntegers(std::move(values)));
    };
    auto tokensAt = [&](int64_t at) {
      return OracleValue(Tensor::ofIntegers({tokens.begin() + at, tokens.begin() + at + count}));
    };
    QUERN_ASSIGN_OR_RETURN(OracleValue cache, oracle->makeCache("step"));
    beginOracleRun(check, "step");
    QUERN_ASSIGN_OR_RETURN(std::vector<OracleValue> results,
                           oracle->call("step", {tokensAt(0), integers(0, 1), integers(0, 0), integers(0, 1),
                                                 std::move(cache)}));
    report.positions = count;
    compareRows(std::get<Tensor>(results[0]), logits);
    if (!session->hasDraft())
      return Status::success();
    beginOracleRun(check, "mtp");
    QUERN_ASSIGN_OR_RETURN(std::vector<OracleValue> drafted,
                           oracle->call("mtp", {tokensAt(1), std::move(results[1]), integers(0, 1),
                                                integers(0, 0), integers(0, 1), std::move(results[2])}));
    report.draftPositions = count;
    compareRows(std::get<Tensor>(drafted[0]), draftLogits);
    return Status::success();
  }

  void compareRows(const Tensor &want, const std::vector<float> &have) {
    const size_t columns = size_t(session->plan().vocabulary),
                 valid = size_t(session->plan().validVocabulary);
    for (size_t row = 0; row < size_t(want.rows()); ++row) {
      std::span<const float> a = std::span(want.values).subspan(row * columns, valid);
      std::span<const float> b = std::span(have).subspan(row * columns, valid);
      size_t top = size_t(std::max_element(a.begin(), a.end()) - a.begin());
      double off = std::fabs(logProbability(a, top) - logProbability(b, top));
      if (!(off <= report.worstLogProbability))
        report.worstLogProbability = off;
    }
  }

  void beginOracleRun(LaunchCheck &check, const std::string &entry) {
    deviceRouting = &check.routing(entry);
    routers = 0;
  }

  /// A bf16-level change of the input may flip a router's choice and then moves all behind it arbitrarily
  /// far: where the device's choice is near the oracle's, the oracle goes on with the device's.
  void takeDeviceRouting(model::RouterOp op, std::span<const OracleValue *const> operands,
                         std::span<OracleValue> results) {
    const size_t router = routers++;
    Tensor &indices = std::get<Tensor>(results[0]);
    if (router >= deviceRouting->size() || (*deviceRouting)[router].size() != indices.integers.size())
      return;
    const Tensor &scores = std::get<Tensor>(*operands[0]);
    const RouterOptions settings = routerOptionsOf(op);
    Vector bias;
    if (op.getBias())
      bias = std::get<Packed>(*operands[1]).unpack(ElementType::F32).values;
    Rerouting rerouting = adoptChoice(scores, op.getBias() ? &bias : nullptr, settings,
                                      (*deviceRouting)[router], std::numeric_limits<double>::max(), indices);
    report.rerouted += rerouting.differing;
    report.worstRerouting = std::max(report.worstRerouting, rerouting.worst);
    results[1] = routerWeights(scores, indices, settings);
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
  std::vector<float> logits, draftLogits; ///< of the device, all positions
  /// While the oracle runs the whole model: `LaunchCheck::routing` of the function, and the routers that ran.
  const std::vector<std::vector<int32_t>> *deviceRouting = nullptr;
  size_t routers = 0;
};

} // namespace

Expected<VerifyReport> verifyArtifact(const std::string &path, const VerifyOptions &options) {
  return Verification(options).run(path);
}

} // namespace quern::validate
