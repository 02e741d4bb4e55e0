//===- ModelKernels.cpp ---------------------------------------------------===//
#include "tests/kernels/ModelKernels.h"
#include "lowering/model_to_tile/DefaultSchedule.h"
#include "support/target/KnownTargets.h"

namespace quern::test {

using lowering::KernelRequest;
using Parameters = std::map<std::string, lowering::ParameterValue>;

const LatentModel demoModel = {"demo", 256, 4, 64, 32, 64, 128, 128, 384, 8, 2, 4, 2, 128, 2048, true};
const LatentModel largerModel = {"larger", 2048, 16, 128, 64, 128,  512,    0,
                                 10944,    64,   6,  1,   1,  1408, 102400, false};

namespace {

/// Collects requests for one model on one target.
struct Collector {
  const LatentModel &m;
  const lowering::CodeTarget &target;
  std::string codes; ///< element of quantised weights and rows
  bool quantises;    ///< rows are quantised too
  std::vector<KernelRequest> requests;

  void add(const std::string &kernel, Parameters parameters) {
    tile::Schedule schedule = lowering::defaultSchedule(kernel, parameters, target);
    requests.push_back({kernel, std::move(parameters), std::move(schedule)});
  }

  void linear(int n, int k, const std::string &x, const std::string &w, const std::string &y, int experts = 0,
              int share = 1) {
    bool scaled = w.starts_with("f8");
    add("linear", {{"N", n},
                   {"K", k},
                   {"E", std::max(1, experts)},
                   {"SHARE", share},
                   {"XS", k},
                   {"YS", n},
                   {"X", x},
                   {"W", w},
                   {"B", "bf16"},
                   {"Y", y},
                   {"BIAS", 0},
                   {"SCALES", scaled},
                   {"QUANTIZED", x.starts_with("f8")},
                   {"EXPERTS", experts > 0},
                   {"GROUPED", 0}});
  }
  /// A layer's matrix: quantised where the model and the target are.
  void matrix(int n, int k, int experts = 0, int share = 1, const std::string &y = "bf16") {
    linear(n, k, m.fp8 && quantises ? codes : "bf16", m.fp8 ? codes : "bf16", y, experts, share);
  }
  void quantise(int k) {
    if (m.fp8 && quantises)
      add("quantise", {{"K", k},
                       {"XS", k},
                       {"X", "bf16"},
                       {"Q", codes},
                       {"largest", codes == "f8E4M3FNUZ" ? 224.0 : 448.0},
                       {"POWER_OF_TWO", 0}});
  }
  void norm(int n, int stride, bool residual) {
    add("rms_norm", {{"H", 1},
                     {"N", n},
                     {"XS", stride},
                     {"HS", n},
                     {"eps", 1e-6},
                     {"inv_n", 1.0 / n},
                     {"w_offset", 0.0},
                     {"X", "bf16"},
                     {"W", "bf16"},
                     {"RESIDUAL", residual},
                     {"WEIGHT", 1}});
  }
  void headLinear(int n, int k, int row0, bool transposed, const std::string &x, const std::string &y) {
    Parameters parameters = {{"H", m.heads},
                             {"N", n},
                             {"K", k},
                             {"ROWS", m.nope + m.value},
                             {"ROW0", row0},
                             {"COLUMNS", m.latent},
                             {"XS", m.heads * k},
                             {"HS", k},
                             {"X", x},
                             {"W", m.fp8 ? codes : "bf16"},
                             {"Y", y},
                             {"SCALES", m.fp8},
                             {"TRANSPOSED", transposed},
                             {"SPLIT", !transposed && x == "f32"}};
    if (!lowering::hasMatrixAtom(parameters, target))
      parameters["SPLIT"] = int64_t(0);
    add("head_linear", parameters);
  }
  void rope(int heads, int d, int offset) {
    add("rope", {{"H", heads},
                 {"D", d},
                 {"F", m.rope / 2},
                 {"OFFSET", offset},
                 {"PRE", std::max(1, offset)},
                 {"POST", 1},
                 {"XS", heads * d},
                 {"HS", d},
                 {"X", "bf16"},
                 {"INTERLEAVED", 1},
                 {"HAS_PRE", offset > 0},
                 {"HAS_POST", 0}});
  }
  void append(int w) {
    int row = m.latent + m.rope;
    add("cache_append", {{"H", 1},
                         {"W", w},
                         {"XS", w},
                         {"HS", w},
                         {"PAGE", 64 * row},
                         {"HEAD", 0},
                         {"SLOT", row},
                         {"X", "bf16"}});
  }
  void gate(int heads, int n) {
    Parameters p = {{"H", heads},          {"N", n},      {"AS", 2 * heads * n}, {"AH", 2 * n},
                    {"BS", 2 * heads * n}, {"BH", 2 * n}, {"YS", heads * n},     {"YH", n},
                    {"A", "bf16"},         {"B", "bf16"}, {"Y", "bf16"},         {"factor", 1.0},
                    {"cap", 1.0},          {"VALID", 0},  {"HAS_B", 1},          {"ROW_B", 0}};
    for (const char *flag : {"ADD", "MUL", "SCALE", "SOFTCAP", "MASK", "GELU", "GELU_TANH", "QUICK_GELU",
                             "RELU", "RELU2", "SIGMOID", "TANH"})
      p[flag] = int64_t(0);
    p["ACTIVATE"] = p["SILU"] = int64_t(1);
    add("pointwise", p);
  }

  void all() {
    int queries = m.heads * (m.nope + m.rope), row = m.latent + m.rope;
    add("gather_rows", {{"N", m.hidden}, {"XS", m.hidden}, {"X", "bf16"}});
    norm(m.hidden, m.hidden, false);
    norm(m.hidden, m.hidden, true);
    norm(m.latent, row, false);
    quantise(m.hidden);
    if (m.queryLatent) {
      matrix(m.queryLatent, m.hidden);
      quantise(m.queryLatent);
      matrix(queries, m.queryLatent);
    } else {
      matrix(queries, m.hidden);
    }
    matrix(row, m.hidden);
    rope(m.heads, m.nope + m.rope, m.nope);
    rope(1, m.rope, 0);
    append(m.latent);
    append(m.rope);
    headLinear(m.latent, m.nope, 0, true, "bf16", "f32");
    add("latent_attention", {{"H", m.heads},
                             {"L", m.latent},
                             {"R", m.rope},
                             {"XS", m.heads * (m.nope + m.rope)},
                             {"HS", m.nope + m.rope},
                             {"X", "bf16"},
                             {"scale_log2", 0.1}});
    headLinear(m.value, m.latent, m.nope, false, "f32", "bf16");
    matrix(m.hidden, m.heads * m.value);
    matrix(2 * m.dense, m.hidden);
    gate(1, m.dense);
    matrix(m.hidden, m.dense);
    linear(m.experts, m.hidden, "bf16", "bf16", "f32");
    add("router", {{"G", m.groups},
                   {"EG", m.experts / m.groups},
                   {"KSEL", m.chosen},
                   {"KEPT", m.kept},
                   {"scale", 1.5},
                   {"SIGMOID", m.fp8},
                   {"BIAS", m.fp8},
                   {"GROUPED", m.groups > 1},
                   {"TOP2", m.fp8},
                   {"NORMALISE", m.fp8}});
    matrix(2 * m.expert, m.hidden, m.experts, m.chosen);
    gate(m.chosen, m.expert);
    matrix(m.hidden, m.expert, m.experts, 1, "f32");
    add("combine", {{"N", m.hidden}, {"KSEL", m.chosen}, {"X", "f32"}, {"Y", "bf16"}, {"SHARED", 1}});
    linear(m.vocabulary, m.hidden, "bf16", "bf16", "f32");
  }
};

const TargetInfo &infoOf(const lowering::CodeTarget &target) {
  return *findTarget(target.vendor, std::string_view(target.name).substr(target.vendor.size() + 1));
}

} // namespace

std::vector<KernelRequest> kernelsOf(const LatentModel &model, const lowering::CodeTarget &target) {
  const TargetInfo &info = infoOf(target);
  Collector collector{model,
                      target,
                      info.fp8 == Fp8Flavour::Fnuz ? "f8E4M3FNUZ" : "f8E4M3FN",
                      rungFor(info, CheckpointKind::Fp8) == Rung::Fp8,
                      {}};
  collector.all();
  return std::move(collector.requests);
}

std::vector<KernelRequest> headAttentionKernels(const lowering::CodeTarget &target) {
  std::vector<KernelRequest> requests;
  for (auto [hkv, g, d, windowed, softcap] :
       {std::array{2, 6, 128, 0, 0}, {8, 4, 128, 0, 0}, {4, 2, 256, 1, 1}, {2, 2, 64, 0, 0}}) {
    Parameters parameters = {{"HKV", hkv},
                             {"G", g},
                             {"D", d},
                             {"DV", d},
                             {"XS", hkv * g * d},
                             {"HS", d},
                             {"X", "bf16"},
                             {"scale_log2", 0.1},
                             {"WINDOWED", windowed},
                             {"WINDOW", 4096},
                             {"SOFTCAP", softcap},
                             {"cap_log2", 72.0},
                             {"inv_cap2", 0.003}};
    tile::Schedule schedule = lowering::defaultSchedule("attention", parameters, target);
    requests.push_back({"attention", std::move(parameters), std::move(schedule)});
  }
  return requests;
}

std::vector<KernelRequest> otherKernels(const lowering::CodeTarget &target) {
  std::vector<KernelRequest> requests;
  auto add = [&](const char *kernel, Parameters parameters) {
    tile::Schedule schedule = lowering::defaultSchedule(kernel, parameters, target);
    requests.push_back({kernel, std::move(parameters), std::move(schedule)});
  };
  add("layer_norm", {{"H", 1},
                     {"N", 4096},
                     {"XS", 4096},
                     {"HS", 4096},
                     {"eps", 1e-5},
                     {"inv_n", 1.0 / 4096},
                     {"X", "bf16"},
                     {"W", "bf16"},
                     {"B", "bf16"},
                     {"WEIGHT", 1},
                     {"BIAS", 1}});
  add("sample", {{"N", 129280}, {"XS", 129280}});
  return requests;
}

} // namespace quern::test
