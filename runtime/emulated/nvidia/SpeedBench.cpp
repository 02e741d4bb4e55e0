//===- SpeedBench.cpp - Thread-instructions a second ----------------------===//
//
// Kernels of testdata/programs.ptx and three loops written here, on one host thread, with the sanitizer on
// and off. The counter `thread-instructions/s` is what to look at; `compile` is the time from PTX text to
// host code.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/EmulatedDevice.h"
#include "runtime/emulated/nvidia/GemmProgram.h"
#include "runtime/emulated/nvidia/WarpgroupGemmProgram.h"

#include <benchmark/benchmark.h>

#include <cstring>
#include <fstream>
#include <sstream>

namespace quern::runtime::emulated {
namespace {

std::string programs() {
  std::ifstream file(QUERN_SOURCE_DIR "/runtime/emulated/nvidia/testdata/programs.ptx");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// 1000 rounds of six fused multiply-adds and four integer instructions; nothing but registers.
const char *arithmetic = R"(.version 8.0
.target sm_80
.address_size 64
.visible .entry k(.param .u64 .ptr out, .param .u64 .ptr ignored, .param .u32 n) {
  .reg .pred %p<2>; .reg .b32 %r<20>; .reg .b64 %d<4>;
  ld.param.u64 %d1, [out]; mov.u32 %r1, %tid.x; mul.wide.u32 %d2, %r1, 4; add.u64 %d1, %d1, %d2;
  cvt.rn.f32.u32 %r2, %r1; mov.u32 %r3, %r2; mov.u32 %r4, %r2; mov.u32 %r9, 0; mov.u32 %r10, %r1;
loop:
  fma.rn.f32 %r2, %r2, 0f3F7FFF00, %r3; fma.rn.f32 %r3, %r3, 0f3F7FFF00, %r4; fma.rn.f32 %r4, %r4, 0f3F7FFF00, %r2;
  fma.rn.f32 %r2, %r2, 0f3F7FFF00, %r4; fma.rn.f32 %r3, %r3, 0f3F7FFF00, %r2; fma.rn.f32 %r4, %r4, 0f3F7FFF00, %r3;
  mad.lo.u32 %r10, %r10, 1664525, %r9; xor.b32 %r10, %r10, %r9; add.u32 %r9, %r9, 1;
  setp.lt.u32 %p1, %r9, 1000; @%p1 bra loop;
  add.f32 %r2, %r2, %r3; add.f32 %r2, %r2, %r4; add.u32 %r2, %r2, %r10; st.global.u32 [%d1], %r2; ret;
}
)";

/// 200 rounds of a butterfly sum over the warp, with a barrier each: everything that switches fibres.
const char *collectives = R"(.version 8.0
.target sm_80
.address_size 64
.visible .entry k(.param .u64 .ptr out, .param .u64 .ptr ignored, .param .u32 n) {
  .reg .pred %p<2>; .reg .b32 %r<20>; .reg .b64 %d<4>;
  ld.param.u64 %d1, [out]; mov.u32 %r1, %tid.x; mul.wide.u32 %d2, %r1, 4; add.u64 %d1, %d1, %d2;
  mov.u32 %r2, %r1; mov.u32 %r9, 0;
loop:
  shfl.sync.bfly.b32 %r3, %r2, 16, 31, -1; add.u32 %r2, %r2, %r3;
  shfl.sync.bfly.b32 %r3, %r2, 8, 31, -1; add.u32 %r2, %r2, %r3;
  shfl.sync.bfly.b32 %r3, %r2, 4, 31, -1; add.u32 %r2, %r2, %r3;
  shfl.sync.bfly.b32 %r3, %r2, 2, 31, -1; add.u32 %r2, %r2, %r3;
  shfl.sync.bfly.b32 %r3, %r2, 1, 31, -1; add.u32 %r2, %r2, %r3;
  bar.sync 0; add.u32 %r9, %r9, 1; setp.lt.u32 %p1, %r9, 200; @%p1 bra loop;
  st.global.u32 [%d1], %r2; ret;
}
)";

void run(benchmark::State &state, const std::string &ptx, const char *name, uint32_t blocks, uint32_t threads,
         int buffers, uint32_t n) {
  RunOptions options;
  options.sanitize = state.range(0) != 0;
  options.workers = 1;
  auto device = openEmulated("nvidia:sm_90a", options);
  auto module = device.ok() ? (*device)->load(std::as_bytes(std::span(ptx)))
                            : Expected<std::unique_ptr<runtime::Module>>(device.takeError());
  if (!module.ok())
    return state.SkipWithError(module.error().message().c_str());
  auto kernel = (*module)->kernel(name);
  auto memory = (*device)->allocate(64 << 20);
  if (!kernel.ok() || !memory.ok() || !(*device)->fill(**memory, 0, 64 << 20, 1).ok())
    return state.SkipWithError("no kernel or no memory");
  std::vector<Argument> arguments;
  for (int i = 0; i < buffers; ++i)
    arguments.push_back(
        {ArgumentKind::Pointer, (*memory)->address() + static_cast<uint64_t>(i) * (20 << 20)});
  arguments.push_back({ArgumentKind::I32, n});
  LaunchShape shape;
  shape.blocks = blocks;
  shape.threads = threads;
  for (auto _ : state) {
    Status launched = (*device)->launch(**kernel, shape, arguments);
    Status done = (*device)->synchronize();
    if (!launched.ok() || !done.ok())
      return state.SkipWithError(done.ok() ? "launch refused" : done.message().c_str());
  }
  state.counters["thread-instructions/s"] = benchmark::Counter(
      static_cast<double>((*device)->runCounters().threadInstructions), benchmark::Counter::kIsRate);
}

void registersOnly(benchmark::State &state) { run(state, arithmetic, "k", 8, 128, 2, 0); }
void collectivesOnly(benchmark::State &state) { run(state, collectives, "k", 4, 128, 2, 0); }
void vectorAdd(benchmark::State &state) { run(state, programs(), "vector_add", 4096, 256, 3, 4096 * 256); }
void blockSum(benchmark::State &state) { run(state, programs(), "block_sum", 64, 256, 2, 1 << 20); }
void softmax(benchmark::State &state) { run(state, programs(), "softmax", 64, 256, 2, 4096); }
void histogram(benchmark::State &state) { run(state, programs(), "histogram", 64, 256, 2, 1 << 20); }
BENCHMARK(registersOnly)->ArgName("sanitize")->Arg(0)->Arg(1);
BENCHMARK(collectivesOnly)->ArgName("sanitize")->Arg(0)->Arg(1);
BENCHMARK(vectorAdd)->ArgName("sanitize")->Arg(0)->Arg(1);
BENCHMARK(blockSum)->ArgName("sanitize")->Arg(0)->Arg(1);
BENCHMARK(softmax)->ArgName("sanitize")->Arg(0)->Arg(1);
BENCHMARK(histogram)->ArgName("sanitize")->Arg(0)->Arg(1);

/// 512 x 512 x 512 in bf16 on tensor cores; `workers` host threads.
void gemm(benchmark::State &state) {
  constexpr uint32_t size = 512;
  RunOptions options;
  options.sanitize = state.range(0) != 0;
  options.workers = static_cast<uint32_t>(state.range(1));
  auto device = openEmulated("nvidia:sm_80", options);
  std::string text = test::GemmProgram::text();
  auto module = (*device)->load(std::as_bytes(std::span(text)));
  auto kernel = (*module)->kernel("k");
  auto memory = (*device)->allocate(8 * size * size);
  if (!kernel.ok() || !memory.ok() || !(*device)->fill(**memory, 0, 8 * size * size, 1).ok())
    return state.SkipWithError("no kernel or no memory");
  std::vector<Argument> arguments;
  for (uint64_t offset : {0u, 2 * size * size, 4 * size * size})
    arguments.push_back({ArgumentKind::Pointer, (*memory)->address() + offset});
  for (int i = 0; i < 4; ++i)
    arguments.push_back({ArgumentKind::I32, size});
  LaunchShape shape;
  shape.blocks = test::GemmProgram::blocks(size, size);
  shape.threads = 256;
  // The first launch compiles.
  Status first = (*device)->launch(**kernel, shape, arguments), ready = (*device)->synchronize();
  if (!first.ok() || !ready.ok())
    return state.SkipWithError(ready.message().c_str());
  for (auto _ : state) {
    Status launched = (*device)->launch(**kernel, shape, arguments);
    Status done = (*device)->synchronize();
    if (!launched.ok() || !done.ok())
      return state.SkipWithError(done.ok() ? "launch refused" : done.message().c_str());
  }
  state.counters["multiply-adds/s"] =
      benchmark::Counter(static_cast<double>(size) * size * size * static_cast<double>(state.iterations()),
                         benchmark::Counter::kIsRate);
}
BENCHMARK(gemm)
    ->ArgNames({"sanitize", "workers"})
    ->ArgsProduct({{0, 1}, {1, 2}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

/// The same by tensor maps, a ring of mbarriers and wgmma.
void warpgroupGemm(benchmark::State &state) {
  constexpr uint32_t size = 512, tile = 128, depth = 64;
  RunOptions options;
  options.sanitize = state.range(0) != 0;
  options.workers = static_cast<uint32_t>(state.range(1));
  auto device = openEmulated("nvidia:sm_90a", options);
  std::string text = test::warpgroupGemm();
  auto module = (*device)->load(std::as_bytes(std::span(text)));
  auto kernel = (*module)->kernel("gemm");
  auto memory = (*device)->allocate(8 * size * size);
  if (!kernel.ok() || !memory.ok() || !(*device)->fill(**memory, 0, 8 * size * size, 1).ok())
    return state.SkipWithError("no kernel or no memory");
  auto map = [&](uint64_t offset, uint32_t rows) {
    TensorMap map;
    map.element = TensorMap::Element::BF16;
    map.rank = 2;
    map.address = (*memory)->address() + offset;
    map.extents = {size, size};
    map.strides = {2 * size};
    map.box = {depth, rows};
    map.swizzle = TensorMap::Swizzle::Span128;
    return *(*device)->encodeTensorMap(map);
  };
  EncodedTensorMap a = map(0, tile), b = map(2 * size * size, tile / 2);
  const Argument arguments[] = {{ArgumentKind::TensorMap, reinterpret_cast<uint64_t>(&a)},
                                {ArgumentKind::TensorMap, reinterpret_cast<uint64_t>(&b)},
                                {ArgumentKind::Pointer, (*memory)->address() + 4 * size * size},
                                {ArgumentKind::I32, size},
                                {ArgumentKind::I32, size / depth},
                                {ArgumentKind::I32, size / tile / 2}};
  LaunchShape shape;
  shape.blocks = size / tile * (size / tile);
  shape.threads = 384;
  shape.sharedBytes = 3 * 2 * tile * depth * 2;
  for (auto _ : state) {
    Status launched = (*device)->launch(**kernel, shape, arguments);
    Status done = (*device)->synchronize();
    if (!launched.ok() || !done.ok())
      return state.SkipWithError(done.ok() ? "launch refused" : done.message().c_str());
  }
  state.counters["multiply-adds/s"] =
      benchmark::Counter(static_cast<double>(size) * size * size * static_cast<double>(state.iterations()),
                         benchmark::Counter::kIsRate);
}
BENCHMARK(warpgroupGemm)
    ->ArgNames({"sanitize", "workers"})
    ->ArgsProduct({{0, 1}, {1, 2}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

/// From text to the end of the first, tiny launch of softmax: reading, translation and compilation.
void compile(benchmark::State &state) {
  std::string text = programs();
  auto device = openEmulated("nvidia:sm_90a");
  auto memory = (*device)->allocate(4096);
  for (auto _ : state) {
    // A comment makes the text a new one.
    text += "//\n";
    auto module = (*device)->load(std::as_bytes(std::span(text)));
    auto kernel = (*module)->kernel("softmax");
    std::vector<Argument> arguments(2, Argument{ArgumentKind::Pointer, (*memory)->address()});
    arguments.push_back({ArgumentKind::I32, 1});
    LaunchShape shape;
    shape.threads = 32;
    Status launched = (*device)->launch(**kernel, shape, arguments);
    Status done = (*device)->synchronize();
    if (!launched.ok() || !done.ok())
      return state.SkipWithError("the launch failed");
  }
}
BENCHMARK(compile)->Unit(benchmark::kMillisecond);

} // namespace
} // namespace quern::runtime::emulated

BENCHMARK_MAIN();
