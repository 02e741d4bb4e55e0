//===- CompiledMemoryTest.cpp - Memory through compiled kernels -----------===//
//
// Atomics of every type, flat pointers and raw buffers as LLVM compiles them for each target.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/TestKernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>

namespace quern::runtime::emulated::amd {
namespace {

constexpr uint32_t kSentinel = 0xCDCDCDCD;

class CompiledMemory : public testing::TestWithParam<std::string> {
protected:
  std::vector<std::byte> code(const std::string &ir) { return compileKernels(GetParam(), ir); }
};
INSTANTIATE_TEST_SUITE_P(Targets, CompiledMemory, testing::ValuesIn(allTargets()),
                         [](const auto &info) { return info.param; });

TEST_P(CompiledMemory, AtomicsOnLocalAndGlobalMemory) {
  // Every thread applies one operation to one word; sums of small integers are exact in any order. The
  // metadata allows the hardware's own float atomics.
  struct Operation {
    std::string name, type, start;
    double (*combine)(double, double);
  };
  auto add = [](double a, double b) { return a + b; };
  auto top = [](double a, double b) { return std::max(a, b); };
  auto bottom = [](double a, double b) { return std::min(a, b); };
  const Operation operations[] = {
      {"fadd", "float", "3.0", add},    {"fmax", "float", "3.0", top},
      {"fmin", "float", "3.0", bottom}, {"fadd", "double", "3.0", add},
      {"add", "i64", "3", add},         {"umax", "i64", "3", top},
      {"min", "i32", "3", bottom},      {"sub", "i32", "100000", [](double a, double b) { return a - b; }},
      {"fadd", "half", "3.0", add},     {"fadd", "bfloat", "3.0", add}};
  std::string text = "declare void @llvm.amdgcn.s.barrier()\n";
  unsigned count = 0;
  for (const Operation &operation : operations) {
    std::string t = operation.type, n = std::to_string(count++);
    bool isFloat = operation.name[0] == 'f';
    std::string value = isFloat      ? "  %v = uitofp i32 %x to " + t + "\n"
                        : t == "i64" ? "  %v = zext i32 %x to i64\n"
                                     : "  %v = add i32 %x, 0\n";
    std::string flags = isFloat ? ", !amdgpu.no.fine.grained.memory !0, !amdgpu.no.remote.memory !0, "
                                  "!amdgpu.ignore.denormal.mode !0"
                                : "";
    std::string start = t == "float" || t == "double" || t == "half" || t == "bfloat"
                            ? "fadd " + t + " 0.0, 3.0"
                            : "add " + t + " 0, " + operation.start;
    text +=
        "@word" + n + " = internal addrspace(3) global " + t + " undef, align 8\n" +
        "define amdgpu_kernel void @kernel" + n +
        "(ptr addrspace(1) %c) #0 {\n  %t = call i32 @llvm.amdgcn.workitem.id.x()\n  %x = and i32 %t, 15\n" +
        value + "  %first = icmp eq i32 %t, 0\n  br i1 %first, label %set, label %go\nset:\n  %s = " + start +
        "\n  store " + t + " %s, ptr addrspace(3) @word" + n +
        "\n  br label %go\ngo:\n  fence syncscope(\"workgroup\") release\n  call void "
        "@llvm.amdgcn.s.barrier()\n  fence syncscope(\"workgroup\") acquire\n"
        "  %l = atomicrmw " +
        operation.name + " ptr addrspace(3) @word" + n + ", " + t +
        " %v syncscope(\"workgroup\") monotonic, align 8" + flags + "\n  %g = atomicrmw " + operation.name +
        " ptr addrspace(1) %c, " + t + " %v syncscope(\"agent\") monotonic, align 8" + flags +
        "\n  fence syncscope(\"workgroup\") release\n  call void @llvm.amdgcn.s.barrier()\n  fence "
        "syncscope(\"workgroup\") acquire\n"
        "  br i1 %first, label %get, label %done\nget:\n  %r = load " +
        t + ", ptr addrspace(3) @word" + n +
        "\n  %p = getelementptr i8, ptr addrspace(1) %c, i64 8\n  store " + t +
        " %r, ptr addrspace(1) %p, align 8\n  br label %done\ndone:\n  ret void\n}\n";
  }
  auto loaded = loadPrograms(GetParam(), code(text + "!0 = !{}\n"));
  count = 0;
  for (const Operation &operation : operations) {
    const std::string &t = operation.type;
    double start = std::stod(operation.start), expected = start;
    for (unsigned i = 0; i < 128; ++i)
      expected = operation.combine(expected, i % 16);
    auto word = [&](double x) -> uint64_t {
      return t == "float"    ? bits(float(x))
             : t == "double" ? std::bit_cast<uint64_t>(x)
             : t == "half"   ? std::bit_cast<uint16_t>(_Float16(x))
             : t == "bfloat" ? bits(float(x)) >> 16
             : t == "i32"    ? uint32_t(int64_t(x))
                             : uint64_t(int64_t(x));
    };
    KernelRun run(loaded, "kernel" + std::to_string(count++));
    uint64_t first = word(start);
    run.buffer({uint32_t(first), uint32_t(first >> 32), 0, 0}).expectSuccess(1, 128);
    uint64_t mask = t == "half" || t == "bfloat" ? 0xffff : t == "double" || t == "i64" ? ~0ull : 0xffffffff;
    uint64_t global = run.words(0)[0] | uint64_t(run.words(0)[1]) << 32,
             local = run.words(0)[2] | uint64_t(run.words(0)[3]) << 32;
    // bfloat has 8 bits: its sum depends on the order, so that only its size is checked.
    if (t == "bfloat") {
      EXPECT_NEAR(real(uint32_t(global) << 16), expected, expected / 8);
      EXPECT_NEAR(real(uint32_t(local) << 16), expected, expected / 8);
      continue;
    }
    EXPECT_EQ(global & mask, word(expected)) << operation.name << " " << t;
    EXPECT_EQ(local & mask, word(expected)) << operation.name << " " << t << " local";
  }
}

TEST_P(CompiledMemory, FlatPointersReachLocalAndGlobalMemory) {
  auto object = code(R"(
@buffer = internal addrspace(3) global [128 x i32] undef, align 16
)" + guarded("ptr %a, ptr addrspace(1) %c, i32 %uselocal", R"(
  %c0 = icmp ne i32 %uselocal, 0
  %local = addrspacecast ptr addrspace(3) @buffer to ptr
  %base1 = select i1 %c0, ptr %local, ptr %a
  %p = getelementptr i32, ptr %base1, i32 %t
  %v = mul i32 %t, 3
  store i32 %v, ptr %p
  %old = atomicrmw add ptr %p, i32 1000 syncscope("workgroup") monotonic
  %u = load i32, ptr %p
  %s = add i32 %u, %old
  %pc = getelementptr i32, ptr addrspace(1) %c, i64 %w
  store i32 %s, ptr addrspace(1) %pc
  ret void)"));
  for (uint32_t local : {0, 1}) {
    KernelRun run(GetParam(), object);
    run.buffer(std::vector<uint32_t>(128, kSentinel))
        .buffer(std::vector<uint32_t>(128, kSentinel))
        .integer(local)
        .integer(0);
    run.expectSuccess(1, 128);
    for (uint32_t i = 0; i < 128; ++i) {
      ASSERT_EQ(run.words(1)[i], 6 * i + 1000);
      ASSERT_EQ(run.words(0)[i], local ? kSentinel : 3 * i + 1000);
    }
  }
}

TEST_P(CompiledMemory, RawBufferReadsOutsideGiveZeroAndStoresAreDropped) {
  std::string flags = isWave32(GetParam()) ? "822243328" : "159744"; // word 3: raw buffer of dwords
  auto object = code(R"(
declare ptr addrspace(8) @llvm.amdgcn.make.buffer.rsrc.p8.p1(ptr addrspace(1), i16, i64, i32)
declare i32 @llvm.amdgcn.raw.ptr.buffer.load.i32(ptr addrspace(8), i32, i32, i32)
declare <4 x i32> @llvm.amdgcn.raw.ptr.buffer.load.v4i32(ptr addrspace(8), i32, i32, i32)
declare void @llvm.amdgcn.raw.ptr.buffer.store.i32(i32, ptr addrspace(8), i32, i32, i32)
)" + guarded("ptr addrspace(1) %a, ptr addrspace(1) %c", R"(
  %r = call ptr addrspace(8) @llvm.amdgcn.make.buffer.rsrc.p8.p1(ptr addrspace(1) %a, i16 0, i64 200, i32 )" +
                                                             flags + R"()
  %s = call ptr addrspace(8) @llvm.amdgcn.make.buffer.rsrc.p8.p1(ptr addrspace(1) %c, i16 0, i64 420, i32 )" +
                                                             flags + R"()
  %o = shl i32 %i, 2
  %x = call i32 @llvm.amdgcn.raw.ptr.buffer.load.i32(ptr addrspace(8) %r, i32 %o, i32 0, i32 0)
  %v = call <4 x i32> @llvm.amdgcn.raw.ptr.buffer.load.v4i32(ptr addrspace(8) %r, i32 %o, i32 0, i32 0)
  %y = extractelement <4 x i32> %v, i32 2
  %z = add i32 %x, %y
  call void @llvm.amdgcn.raw.ptr.buffer.store.i32(i32 %z, ptr addrspace(8) %s, i32 %o, i32 0, i32 0)
  ret void)"));
  std::vector<uint32_t> input(128);
  for (uint32_t i = 0; i < 128; ++i)
    input[i] = i + 1;
  KernelRun run(GetParam(), object);
  run.buffer(input).buffer(std::vector<uint32_t>(128, kSentinel)).integer(0).expectSuccess(1, 128);
  for (uint32_t i = 0; i < 128; ++i) {
    auto at = [&](uint32_t k) { return k < 50 ? k + 1 : 0; }; // 200 bytes are inside
    ASSERT_EQ(run.words(1)[i], i < 105 ? at(i) + at(i + 2) : kSentinel) << i;
  }
}

TEST_P(CompiledMemory, VariablesOfTheCodeObject) {
  // A constant table of pointers (relocated when it is loaded) leads to a variable that the kernel changes.
  auto object = code(R"(
@table = addrspace(1) global [2 x ptr addrspace(1)] [ptr addrspace(1) null, ptr addrspace(1) getelementptr (i8, ptr addrspace(1) @variable, i64 4)]
@variable = addrspace(1) global [2 x i32] [i32 5, i32 700]
)" + guarded("ptr addrspace(1) %c", R"(
  %q = getelementptr [2 x ptr addrspace(1)], ptr addrspace(1) @table, i32 0, i32 1
  %p = load volatile ptr addrspace(1), ptr addrspace(1) %q
  %old = atomicrmw add ptr addrspace(1) %p, i32 %t syncscope("agent") monotonic
  %pc = getelementptr i32, ptr addrspace(1) %c, i64 %w
  store i32 %old, ptr addrspace(1) %pc
  ret void)"));
  KernelRun run(GetParam(), object);
  run.buffer(std::vector<uint32_t>(128, kSentinel)).integer(0).expectSuccess(1, 128);
  auto least = [&] { return *std::min_element(run.words(0).begin(), run.words(0).end()); };
  EXPECT_EQ(least(), 700u);
  run.expectSuccess(1, 128); // the variable keeps its value
  EXPECT_EQ(least(), 700u + 127 * 128 / 2);
}

} // namespace
} // namespace quern::runtime::emulated::amd
