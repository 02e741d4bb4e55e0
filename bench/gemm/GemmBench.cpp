//===- GemmBench.cpp - Matrix products against the host's limits ----------===//
//
//   gemm_bench --shape 1024x1024x1024 --type f32 --threads 1
//   gemm_bench --shape 128x7168x2048 --type bf16 --schedule 'linear{tile=12x32x32 mma=dot.m1n16k2.bf16}'
//
// y[M, N] = x[M, K] * w[N, K]^T in f32, one line for each schedule: time, GFLOP/s, the share of the peak that
// the same cores reach in the same run, and where OpenBLAS is on the machine (opened at run time; f32 only)
// the ratio of pairs taken in turns. Results are compared with f64 sums before anything is timed.
//
//===----------------------------------------------------------------------===//
#include "lowering/KernelCompiler.h"
#include "runtime/Devices.h"
#include "runtime/measure/HostPeaks.h"
#include "runtime/measure/Stopwatch.h"

#include <CLI/CLI.hpp>

#include <bit>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <dlfcn.h>
#include <random>

using namespace quern;
using namespace quern::runtime;

namespace {

struct Options {
  std::vector<int64_t> shape;
  std::string shapeText = "256x1024x1024", type = "bf16", target;
  std::vector<std::string> schedules;
  unsigned threads = 1;
  bool warm = false;
};

/// Numbers with few bits, so that they are the same in every type.
std::vector<float> numbers(size_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<float> values(count);
  for (float &v : values)
    v = float(int(random() % 255) - 127) / 64;
  return values;
}

std::vector<std::byte> bytesOf(const std::vector<float> &values, const std::string &type) {
  std::vector<std::byte> bytes(values.size() * (type == "f32" ? 4 : 2));
  for (size_t i = 0; i < values.size(); ++i) {
    const uint32_t bits = std::bit_cast<uint32_t>(values[i]);
    const uint16_t high = uint16_t(bits >> 16); // exact: the numbers have 8 bits
    if (type == "f32")
      std::memcpy(&bytes[i * 4], &bits, 4);
    else
      std::memcpy(&bytes[i * 2], &high, 2);
  }
  return bytes;
}

/// cblas_sgemm of the OpenBLAS on this machine; null where there is none.
struct OpenBlas {
  using Sgemm = void (*)(int order, int transA, int transB, int m, int n, int k, float alpha, const float *a,
                         int lda, const float *b, int ldb, float beta, float *c, int ldc);
  Sgemm sgemm = nullptr;

  explicit OpenBlas(unsigned threads) {
    void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!library)
      return;
    if (auto set = reinterpret_cast<void (*)(int)>(dlsym(library, "openblas_set_num_threads")))
      set(int(threads));
    sgemm = reinterpret_cast<Sgemm>(dlsym(library, "cblas_sgemm"));
  }
};

class GemmBench {
public:
  explicit GemmBench(const Options &options) : o(options), blas(options.threads) {}

  Status run() {
    QUERN_ASSIGN_OR_RETURN(device, openDevice("cpu", {.threads = o.threads}));
    QUERN_RETURN_IF_ERROR(chooseTarget());
    QUERN_RETURN_IF_ERROR(makeData());
    QUERN_ASSIGN_OR_RETURN(Stopwatch stopwatch, Stopwatch::create(*device));
    std::optional<Estimate> peak = unitPeak();
    if (peak)
      std::printf("%s, %u threads, %s; measured peak %.1f GFLOP/s (%.1f-%.1f)\n",
                  device->info().description.c_str(), o.threads, target.name.c_str(), peak->median / 1e9,
                  peak->low / 1e9, peak->high / 1e9);
    std::printf("%-64s %10s %10s %7s %s\n", "schedule", "median us", "GFLOP/s", "peak",
                "OpenBLAS time / ours (95 %)");
    for (const std::string &text : o.schedules)
      QUERN_RETURN_IF_ERROR(measure(stopwatch, text, peak));
    return Status::success();
  }

private:
  int64_t m() const { return o.shape[0]; }
  int64_t n() const { return o.shape[1]; }
  int64_t k() const { return o.shape[2]; }

  Status chooseTarget() {
    QUERN_ASSIGN_OR_RETURN(std::vector<lowering::CodeTarget> targets, lowering::codeTargets("cpu"));
    std::string own = "cpu:" + device->info().architecture;
    if (!device->info().features.empty())
      own += "+" + device->info().features.front();
    for (const lowering::CodeTarget &candidate : targets)
      if (candidate.name == (o.target.empty() ? own : o.target))
        target = candidate;
    if (target.name.empty())
      return Status::error(Exit::Usage, "E-TARGET-UNKNOWN", "no code is made for `" + own + "`");
    return Status::success();
  }

  std::optional<Estimate> unitPeak() const {
    bool wide = target.lanes == 16;
    return hostPeak(!wide              ? HostUnit::Fma256
                    : o.type == "bf16" ? HostUnit::Bf16Dot512
                                       : HostUnit::Fma512,
                    o.threads);
  }

  Status makeData() {
    x = numbers(size_t(m() * k()), 1), w = numbers(size_t(n() * k()), 2);
    auto upload = [&](const std::vector<float> &values) -> Expected<std::unique_ptr<Buffer>> {
      std::vector<std::byte> bytes = bytesOf(values, o.type);
      QUERN_ASSIGN_OR_RETURN(std::unique_ptr<Buffer> buffer, device->allocate(bytes.size()));
      QUERN_RETURN_IF_ERROR(device->upload(*buffer, 0, bytes));
      return std::move(buffer);
    };
    QUERN_ASSIGN_OR_RETURN(dx, upload(x));
    QUERN_ASSIGN_OR_RETURN(dw, upload(w));
    QUERN_ASSIGN_OR_RETURN(dy, device->allocate(size_t(m() * n()) * 4));
    return Status::success();
  }

  Status measure(Stopwatch &stopwatch, const std::string &text, const std::optional<Estimate> &peak) {
    lowering::KernelRequest request;
    request.kernel = "linear";
    QUERN_ASSIGN_OR_RETURN(request.schedule, tile::Schedule::parse(text));
    request.parameters = {{"N", n()},
                          {"K", k()},
                          {"E", int64_t(1)},
                          {"SHARE", int64_t(1)},
                          {"XS", k()},
                          {"YS", n()},
                          {"X", o.type},
                          {"W", o.type},
                          {"B", o.type},
                          {"Y", "f32"},
                          {"BIAS", int64_t(0)},
                          {"SCALES", int64_t(0)},
                          {"QUANTIZED", int64_t(0)},
                          {"EXPERTS", int64_t(0)},
                          {"GROUPED", int64_t(0)}};
    QUERN_ASSIGN_OR_RETURN(lowering::CompiledKernel compiled, lowering::compileKernel(request, target));
    QUERN_ASSIGN_OR_RETURN(std::unique_ptr<Module> module,
                           device->load(std::as_bytes(std::span(compiled.code))));
    QUERN_ASSIGN_OR_RETURN(Kernel *const kernel, module->kernel(compiled.symbol));
    auto pointer = [](const Buffer *b) { return Argument{ArgumentKind::Pointer, b ? b->address() : 0}; };
    std::vector<Argument> arguments = {
        pointer(dx.get()), pointer(nullptr),  pointer(dw.get()),
        pointer(nullptr),  pointer(nullptr),  pointer(nullptr),
        pointer(nullptr),  pointer(dy.get()), {ArgumentKind::I32, uint64_t(m())}};
    LaunchShape shape;
    for (const lowering::GridDimension &d : compiled.grid)
      shape.blocks *= uint32_t(((d.argument >= 0 ? m() : d.extent) + d.step - 1) / d.step);
    shape.scratchBytes = uint32_t(compiled.sharedBytes);
    auto ours = [&] { return device->launch(*kernel, shape, arguments); };
    QUERN_RETURN_IF_ERROR(ours());
    QUERN_RETURN_IF_ERROR(check(text));

    const Work work{2.0 * double(m() * n() * k()), 0};
    MeasureOptions options;
    options.cache = o.warm ? CacheState::Warm : CacheState::Cold;
    std::string ratioText = "-";
    Measurement result;
    if (blas.sgemm && o.type == "f32") {
      std::vector<float> out(size_t(m() * n()));
      auto theirs = [&] {
        blas.sgemm(101, 111, 112, int(m()), int(n()), int(k()), 1, x.data(), int(k()), w.data(), int(k()), 0,
                   out.data(), int(n()));
        return Status::success();
      };
      QUERN_ASSIGN_OR_RETURN(auto both, stopwatch.measurePair(ours, theirs, work, options));
      Estimate ratio = estimateRatio(both.second.samples, both.first.samples);
      char line[64];
      std::snprintf(line, sizeof(line), "%.3f (%.3f-%.3f)", ratio.median, ratio.low, ratio.high);
      ratioText = line;
      result = both.first;
    } else {
      QUERN_ASSIGN_OR_RETURN(result, stopwatch.measure(ours, work, options));
    }
    std::printf("%-64s %10.1f %10.1f %6.1f%% %s\n", text.c_str(), result.seconds.median * 1e6,
                result.operationsPerSecond() / 1e9,
                peak ? 100 * result.operationsPerSecond() / peak->median : 0.0, ratioText.c_str());
    return Status::success();
  }

  /// Some elements against f64 sums: all rows, columns that move with them.
  Status check(const std::string &text) {
    std::vector<float> y(size_t(m() * n()));
    QUERN_RETURN_IF_ERROR(device->download(*dy, 0, std::as_writable_bytes(std::span(y))));
    for (int64_t i = 0; i < m(); ++i)
      for (int64_t j = i % 7; j < n(); j += 61) {
        double sum = 0, size = 0;
        for (int64_t l = 0; l < k(); ++l) {
          double product = double(x[size_t(i * k() + l)]) * w[size_t(j * k() + l)];
          sum += product, size += std::abs(product);
        }
        if (std::abs(sum - y[size_t(i * n() + j)]) > 1e-5 * size)
          return Status::error(Exit::Unexpected, "E-BENCH-WRONG",
                               "`" + text + "` is wrong at row " + std::to_string(i) + ", column " +
                                   std::to_string(j));
      }
    return Status::success();
  }

  const Options &o;
  OpenBlas blas;
  std::unique_ptr<Device> device;
  lowering::CodeTarget target;
  std::vector<float> x, w;
  std::unique_ptr<Buffer> dx, dw, dy;
};

} // namespace

int main(int argc, char **argv) {
  Options options;
  CLI::App app{"Times matrix products on this machine's cores", "gemm_bench"};
  app.add_option("--shape", options.shapeText, "MxNxK")->capture_default_str();
  app.add_option("--type", options.type, "Of x and w")
      ->check(CLI::IsMember({"bf16", "f32"}))
      ->capture_default_str();
  app.add_option("--target", options.target, "cpu:LEVEL; default: that of this machine");
  app.add_option("--schedule", options.schedules, "Text form of a schedule; several may be given")
      ->required();
  app.add_option("--threads", options.threads, "Threads")
      ->check(CLI::Range(1u, 4096u))
      ->capture_default_str();
  app.add_flag("--warm-cache", options.warm, "Leave in the caches what the last run left");
  CLI11_PARSE(app, argc, argv);
  int used = 0;
  long long m = 0, n = 0, k = 0;
  if (std::sscanf(options.shapeText.c_str(), "%lldx%lldx%lld%n", &m, &n, &k, &used) != 3 ||
      size_t(used) != options.shapeText.size() || m < 1 || n < 1 || k < 1) {
    std::fprintf(stderr, "error: `%s` is no shape MxNxK\n", options.shapeText.c_str());
    return int(Exit::Usage);
  }
  options.shape = {m, n, k};
  Status status = GemmBench(options).run();
  if (!status.ok())
    std::fprintf(stderr, "error: %s\n", status.message().c_str());
  return int(status.exit());
}
