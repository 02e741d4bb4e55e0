//===- AmdMachineBenchmark.cpp - Speed of the emulated AMD devices --------===//
//
// Prints lane-instructions per second (instructions times active lanes, vector and memory instructions alone)
// of one host thread, with and without the checks, for kernels whose time goes to different parts of the
// machine; and a bf16 product of 512^3 on the matrix cores, on all threads. Goals without the checks: 50
// million, and 2 s on two cores.
//
//   build/bin/quern-amd-machine-benchmark
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/TestGemm.h"
#include "runtime/emulated/amd/TestKernels.h"

#include <benchmark/benchmark.h>

namespace quern::runtime::emulated::amd {
namespace {

const char *kHead = R"(
declare i32 @llvm.amdgcn.workitem.id.x()
declare i32 @llvm.amdgcn.workgroup.id.x()
declare float @llvm.fma.f32(float, float, float)
declare float @llvm.exp2.f32(float)
declare void @llvm.amdgcn.s.barrier()
@local = internal addrspace(3) global [512 x float] undef, align 16
attributes #0 = { "amdgpu-flat-work-group-size"="256,256" }
define amdgpu_kernel void @kernel(ptr addrspace(1) noalias %a, ptr addrspace(1) noalias %c, i32 %n) #0 {
entry:
  %t = call i32 @llvm.amdgcn.workitem.id.x()
  %g = call i32 @llvm.amdgcn.workgroup.id.x()
  %base = mul i32 %g, 256
  %i = add i32 %base, %t
  %w = zext i32 %i to i64
  %pa = getelementptr float, ptr addrspace(1) %a, i64 %w
  %pc = getelementptr float, ptr addrspace(1) %c, i64 %w
  %x = load float, ptr addrspace(1) %pa
  br label %loop
loop:
  %k = phi i32 [0, %entry], [%k1, %loop]
  %s = phi float [%x, %entry], [%s1, %loop]
)";
const char *kTail = R"(
  %k1 = add i32 %k, 1
  %end = icmp eq i32 %k1, %n
  br i1 %end, label %exit, label %loop
exit:
  store float %s1, ptr addrspace(1) %pc
  ret void
})";

/// Loop bodies from %s to %s1.
const std::pair<const char *, const char *> kBodies[] = {
    {"fma", R"(
  %s2 = call float @llvm.fma.f32(float %s, float %x, float 1.5)
  %s3 = call float @llvm.fma.f32(float %s2, float %s, float %x)
  %s4 = call float @llvm.fma.f32(float %s3, float 0.25, float %s2)
  %s1 = call float @llvm.fma.f32(float %s4, float %s3, float 0.5))"},
    {"integer", R"(
  %b = bitcast float %s to i32
  %m = mul i32 %b, 1664525
  %d = add i32 %m, 1013904223
  %e = lshr i32 %d, 7
  %f = xor i32 %e, %d
  %h = shl i32 %f, 3
  %o = or i32 %h, %e
  %s1 = bitcast i32 %o to float)"},
    {"exp2", R"(
  %d = call float @llvm.exp2.f32(float %s)
  %s1 = fmul float %d, 0.25)"},
    {"global", R"(
  %o = and i32 %k, 63
  %ow = zext i32 %o to i64
  %p = getelementptr float, ptr addrspace(1) %pa, i64 %ow
  %y = load float, ptr addrspace(1) %p
  %s1 = fadd float %s, %y)"},
    {"local", R"(
  %pl = getelementptr [512 x float], ptr addrspace(3) @local, i32 0, i32 %t
  store float %s, ptr addrspace(3) %pl
  fence syncscope("workgroup") release
  call void @llvm.amdgcn.s.barrier()
  fence syncscope("workgroup") acquire
  %o = xor i32 %t, 128
  %po = getelementptr [512 x float], ptr addrspace(3) @local, i32 0, i32 %o
  %y = load float, ptr addrspace(3) %po
  fence syncscope("workgroup") release
  call void @llvm.amdgcn.s.barrier()
  fence syncscope("workgroup") acquire
  %s1 = fadd float %s, %y)"},
};

void run(benchmark::State &state, const std::string &target, const std::string &body, bool sanitize) {
  KernelRun run(target, compileIr(target, kHead + body + kTail));
  run.options.sanitize = sanitize;
  run.options.workers = 1;
  run.buffer(std::vector<uint32_t>(4 * 256 + 64, bits(0.5f)))
      .buffer(std::vector<uint32_t>(4 * 256))
      .integer(1000);
  for (auto _ : state)
    if (Status status = run.launch(4, 256); !status.ok()) {
      state.SkipWithError(status.message().c_str());
      return;
    }
  state.counters["lane-instructions/s"] =
      benchmark::Counter(double(run.counters.threadInstructions), benchmark::Counter::kIsRate);
}

void runGemm(benchmark::State &state, const std::string &target, bool sanitize) {
  GemmShape shape{512, 512, 512};
  KernelRun run(target, gemmKernel(target, shape));
  run.options.sanitize = sanitize;
  run.buffer(std::vector<uint32_t>(512 * 256, 0x3f803f80))
      .buffer(std::vector<uint32_t>(512 * 256, 0x40003f80))
      .buffer(std::vector<uint32_t>(512 * 512));
  for (auto _ : state)
    if (Status status = run.launch(64, gemmThreads(target)); !status.ok()) {
      state.SkipWithError(status.message().c_str());
      return;
    }
}

} // namespace
} // namespace quern::runtime::emulated::amd

int main(int argc, char **argv) {
  using namespace quern::runtime::emulated::amd;
  for (const char *target : {"gfx942", "gfx1201"})
    for (auto &[name, body] : kBodies)
      for (bool sanitize : {false, true})
        benchmark::RegisterBenchmark(
            (std::string(target) + "/" + name + (sanitize ? "/checked" : "")).c_str(),
            [target = std::string(target), body = std::string(body), sanitize](benchmark::State &state) {
              run(state, target, body, sanitize);
            })
            ->Unit(benchmark::kMillisecond);
  for (const std::string &target : allTargets())
    for (bool sanitize : {false, true})
      benchmark::RegisterBenchmark(
          (target + "/gemm512" + (sanitize ? "/checked" : "")).c_str(),
          [target, sanitize](benchmark::State &state) { runGemm(state, target, sanitize); })
          ->Unit(benchmark::kMillisecond)
          ->UseRealTime();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
