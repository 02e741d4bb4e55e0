//===- MemoryTest.cpp - State spaces, loads, stores and atomics -----------===//
//
// PTX ISA 5.1, 9.7.9 and 9.7.13.5.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/PtxTest.h"

#include <cmath>
#include <functional>
#include <numeric>

namespace quern::runtime::emulated {
namespace {

std::string kernel(const std::string &body, const std::string &module = "") {
  return ptxHead() + module +
         ".visible .entry k(.param .u64 .ptr in, .param .u64 .ptr out, .param .u32 n) {\n" +
         ".reg .pred %p<8>; .reg .b16 %h<16>; .reg .b32 %r<32>; .reg .b64 %d<32>; .reg .b128 %q<4>;\n" +
         "ld.param.u64 %d1, [in]; ld.param.u64 %d2, [out]; ld.param.u32 %r2, [n]; mov.u32 %r1, %tid.x;\n" +
         body + "\nret;\n}\n";
}

/// Runs one thread, or |threads|, with 64 input words 1000, 1001, ... and returns 64 output words.
std::vector<uint32_t> words(const std::string &text, uint32_t threads = 1, uint32_t n = 7,
                            RunOptions options = {}) {
  Gpu gpu("nvidia:sm_100a", options);
  std::vector<uint32_t> input(64);
  std::iota(input.begin(), input.end(), 1000u);
  auto in = gpu.buffer(input);
  auto out = gpu.buffer(std::vector<uint32_t>(64, 0));
  LaunchShape shape;
  shape.threads = threads;
  Status status = gpu.run(text, shape, {pointerTo(*in), pointerTo(*out), i32(n)});
  EXPECT_TRUE(status.ok()) << status.message();
  return gpu.read<uint32_t>(*out);
}

TEST(Memory, WidthsAndSigns) {
  auto out = words(kernel("ld.global.s8 %r3, [%d1]; st.global.u32 [%d2], %r3;"
                          "ld.global.u8 %r3, [%d1]; st.global.u32 [%d2+4], %r3;"
                          "ld.global.s16 %d3, [%d1]; st.global.u64 [%d2+8], %d3;"
                          "ld.global.nc.u16 %h1, [%d1+4]; st.global.u16 [%d2+16], %h1;"
                          "ld.global.u32 %r3, [%d1+-0]; st.global.u8 [%d2+20], %r3;"));
  EXPECT_EQ(out[0], 0xFFFFFFE8u); // 1000 is 0x3E8
  EXPECT_EQ(out[1], 0xE8u);
  EXPECT_EQ(out[2], 1000u);
  EXPECT_EQ(out[3], 0u);
  EXPECT_EQ(out[4], 1001u);
  EXPECT_EQ(out[5], 0xE8u);
}

TEST(Memory, Vectors) {
  auto out = words(
      kernel("ld.global.L1::no_allocate.v4.u32 {%r3, %r4, %r5, %r6}, [%d1+16];"
             "st.global.v4.b32 [%d2+16], {%r6, %r5, %r4, %r3};"
             "ld.global.v2.b64 {%d3, %d4}, [%d1]; st.global.v2.b64 [%d2], {%d4, %d3};"
             "ld.global.v8.b32 {%r3, _, %r5, %r6, %r7, %r8, %r9, %r10}, [%d1+32];"
             "st.global.v2.u32 [%d2+32], {%r10, %r3};"
             "ld.global.b128 %q1, [%d1+64]; st.global.b128 [%d2+64], %q1;"
             "ld.global.v4.u16 {%h1, %h2, %h3, %h4}, [%d1]; st.global.v4.u16 [%d2+40], {%h3, %h1, %h4, %h2};"
             "ld.global.v2.u8 {%h1, %h2}, [%d1]; st.global.v2.u8 [%d2+48], {%h2, %h1};"));
  EXPECT_EQ((std::vector<uint32_t>(out.begin(), out.begin() + 10)),
            (std::vector<uint32_t>{1002, 1003, 1000, 1001, 1007, 1006, 1005, 1004, 1015, 1008}));
  EXPECT_EQ(out[10], 1000u << 16 | 1001u);
  EXPECT_EQ(out[11], 0u);
  EXPECT_EQ(out[12], 0xE803u);
  EXPECT_EQ(out[16], 1016u);
  EXPECT_EQ(out[19], 1019u);
}

TEST(Memory, ConstantsAndGlobalsOfTheModule) {
  std::string module = ".const .align 4 .u32 table[5] = {10, 20, 30};\n"
                       ".visible .global .align 4 .u32 counter = 5;\n"
                       ".global .align 8 .u64 link[2] = {0, generic(table)+4};\n"
                       ".global .align 4 .f32 reals[2] = {1.5, 0fC0000000};\n"
                       ".global .align 1 .b8 bytes[4] = {1, 2, 3, 255};\n";
  auto out = words(kernel("mov.u64 %d3, table; ld.const.u32 %r3, [%d3+8]; st.global.u32 [%d2], %r3;"
                          "ld.const.u32 %r3, [table+12]; st.global.u32 [%d2+4], %r3;"
                          "ld.global.u32 %r3, [counter]; add.u32 %r3, %r3, 1; st.global.u32 [counter], %r3;"
                          "ld.global.u32 %r3, [counter]; st.global.u32 [%d2+8], %r3;"
                          "ld.global.u64 %d4, [link+8]; ld.u32 %r3, [%d4]; st.global.u32 [%d2+12], %r3;"
                          "ld.global.v2.u32 {%r3, %r4}, [reals]; st.global.v2.u32 [%d2+16], {%r3, %r4};"
                          "ld.global.u32 %r3, [bytes]; st.global.u32 [%d2+24], %r3;",
                          module));
  EXPECT_EQ(out[0], 30u);
  EXPECT_EQ(out[1], 0u);
  EXPECT_EQ(out[2], 6u);
  EXPECT_EQ(out[3], 20u);
  EXPECT_EQ(out[4], 0x3FC00000u);
  EXPECT_EQ(out[5], 0xC0000000u);
  EXPECT_EQ(out[6], 0xFF030201u);
}

TEST(Memory, VariablesLiveAsLongAsTheModule) {
  Gpu gpu;
  std::string text = kernel("ld.global.u32 %r3, [counter]; add.u32 %r3, %r3, 1; st.global.u32 [counter], %r3;"
                            "st.global.u32 [%d2], %r3;",
                            ".global .u32 counter = 5;\n");
  auto out = gpu.blank<uint32_t>(1);
  std::vector<Argument> arguments = {pointerTo(*out), pointerTo(*out), i32(0)};
  for (uint32_t round = 0; round < 2; ++round) {
    auto found = gpu.kernel(text); // each load begins anew
    ASSERT_TRUE(found.ok());
    for (uint32_t i = 0; i < 3; ++i) {
      ASSERT_TRUE(gpu.device->launch(**found, LaunchShape{}, arguments).ok());
      EXPECT_EQ(gpu.read<uint32_t>(*out)[0], 6 + i);
    }
  }
}

TEST(Memory, GenericAddressesOfEverySpace) {
  auto out =
      words(kernel(".shared .align 4 .u32 s[4]; .local .align 4 .u32 l[4];"
                   "mov.u32 %r3, s; st.shared.u32 [%r3+4], 77; mov.u64 %d3, s; cvta.shared.u64 %d3, %d3;"
                   "ld.u32 %r4, [%d3+4]; st.global.u32 [%d2], %r4;"
                   "mov.u64 %d4, l; st.local.u32 [%d4+8], 88; cvta.local.u64 %d5, %d4; ld.u32 %r4, [%d5+8];"
                   "st.u32 [%d2+4], %r4; st.u32 [%d5], 99; ld.local.u32 %r4, [l]; st.global.u32 [%d2+8], %r4;"
                   "cvta.to.shared.u64 %d6, %d3; cvt.u32.u64 %r5, %d6; ld.shared.u32 %r4, [%r5+4];"
                   "st.global.u32 [%d2+12], %r4;"
                   "isspacep.shared %p0, %d3; isspacep.global %p1, %d2; isspacep.local %p2, %d5;"
                   "isspacep.global %p3, %d3; selp.u32 %r6, 1, 0, %p0; @%p1 add.u32 %r6, %r6, 2;"
                   "@%p2 add.u32 %r6, %r6, 4; @%p3 add.u32 %r6, %r6, 8; st.global.u32 [%d2+16], %r6;"
                   "cvta.to.global.u64 %d7, %d1; ld.global.u32 %r4, [%d7]; st.global.u32 [%d2+20], %r4;"));
  EXPECT_EQ((std::vector<uint32_t>(out.begin(), out.begin() + 6)),
            (std::vector<uint32_t>{77, 88, 99, 77, 7, 1000}));
}

TEST(Memory, StaticAndDynamicSharedMemoryDoNotOverlap) {
  Gpu gpu("nvidia:sm_90a");
  std::string text =
      ptxHead("sm_90a") +
      ".extern .shared .align 16 .b8 dynamic[];\n.shared .align 4 .u32 fixed[3];\n"
      ".visible .entry k(.param .u64 out) { .reg .b32 %r<9>; .reg .b64 %d<5>; ld.param.u64 %d1, [out];"
      "st.shared.u32 [fixed+8], 1; st.shared.u32 [dynamic], 2; st.shared.u32 [dynamic+92], 3;"
      "ld.shared.u32 %r1, [fixed+8]; ld.shared.u32 %r2, [dynamic]; ld.shared.u32 %r3, [dynamic+92];"
      "mov.u32 %r4, %dynamic_smem_size; st.global.v4.u32 [%d1], {%r1, %r2, %r3, %r4}; ret; }";
  auto out = gpu.blank<uint32_t>(4);
  LaunchShape shape;
  shape.sharedBytes = 96;
  Status status = gpu.run(text, shape, {pointerTo(*out)});
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(gpu.read<uint32_t>(*out), (std::vector<uint32_t>{1, 2, 3, 96}));
}

TEST(Memory, ParametersByAddress) {
  auto out =
      words(kernel("mov.u64 %d3, n; cvta.param.u64 %d4, %d3; ld.u32 %r3, [%d4]; st.global.u32 [%d2], %r3;"
                   "ld.param.u32 %r3, [%d3]; st.global.u32 [%d2+4], %r3;"
                   "ld.param.v2.u32 {%r3, %r4}, [out]; mov.b64 %d5, {%r3, %r4}; setp.eq.u64 %p0, %d5, %d2;"
                   "selp.u32 %r3, 1, 0, %p0; st.global.u32 [%d2+8], %r3;"),
            1, 1234);
  EXPECT_EQ(out[0], 1234u);
  EXPECT_EQ(out[1], 1234u);
  EXPECT_EQ(out[2], 1u);
}

TEST(Memory, SpecialRegisters) {
  Gpu gpu;
  std::string text =
      ptxHead() +
      ".visible .entry k(.param .u64 out) .reqntid 5, 3, 3 { .reg .b32 %r<20>; .reg .b64 %d<5>;"
      "mov.u32 %r1, %tid.x; mov.u32 %r2, %tid.y; mov.u32 %r3, %tid.z; mov.u32 %r4, %ntid.y;"
      "mov.u32 %r5, %ctaid.x; mov.u32 %r6, %nctaid.x; mov.u32 %r7, %laneid; mov.u32 %r8, %warpid;"
      "mov.u32 %r9, %lanemask_lt; mov.u32 %r10, %lanemask_ge; mov.u32 %r11, %nctaid.z; mov.u32 %r12, "
      "%lanemask_le;"
      "mad.lo.u32 %r13, %r3, 3, %r2; mad.lo.u32 %r13, %r13, 5, %r1; mad.lo.u32 %r13, %r5, 45, %r13;"
      "ld.param.u64 %d1, [out]; mul.wide.u32 %d2, %r13, 48; add.u64 %d1, %d1, %d2;"
      "st.global.v4.u32 [%d1], {%r1, %r2, %r3, %r4}; st.global.v4.u32 [%d1+16], {%r5, %r6, %r7, %r8};"
      "st.global.v4.u32 [%d1+32], {%r9, %r10, %r11, %r12}; ret; }";
  auto out = gpu.blank<uint32_t>(2 * 45 * 12);
  LaunchShape shape;
  shape.threads = 45;
  shape.blocks = 2;
  Status status = gpu.run(text, shape, {pointerTo(*out)});
  ASSERT_TRUE(status.ok()) << status.message();
  auto values = gpu.read<uint32_t>(*out);
  for (uint32_t i = 0; i < 90; ++i) {
    uint32_t t = i % 45, lane = t % 32;
    uint32_t below = static_cast<uint32_t>((1ull << lane) - 1);
    std::vector<uint32_t> expected = {t % 5, t / 5 % 3, t / 15, 3,      i / 45, 2,
                                      lane,  t / 32,    below,  ~below, 1,      below << 1 | 1};
    EXPECT_EQ((std::vector<uint32_t>(values.begin() + i * 12, values.begin() + i * 12 + 12)), expected) << i;
  }
}

//===----------------------------------------------------------------------===//
// Atomics
//===----------------------------------------------------------------------===//

/// One thread: |instruction| on the word at [%d2] that holds |start|, with %r3/%d3 = |operand|; old and new
/// value.
std::pair<uint64_t, uint64_t> atom(const std::string &instruction, uint64_t start, uint64_t operand,
                                   uint64_t second = 0, bool shared = false) {
  std::string place = shared ? "[s]" : "[%d2]";
  std::string text =
      kernel(".shared .align 16 .u64 s[2]; ld.global.u64 %d4, [%d1]; ld.global.u64 %d3, [%d1+8]; "
             "ld.global.u64 %d6, [%d1+16];"
             "cvt.u32.u64 %r3, %d3; cvt.u16.u64 %h3, %d3; cvt.u32.u64 %r6, %d6; cvt.u16.u64 %h6, %d6;"
             "mov.u64 %d5, 0; mov.u32 %r5, 0; mov.u16 %h5, 0;" +
             std::string(shared ? "st.shared.u64 [s], %d4;" : "st.global.u64 [%d2], %d4;") + instruction +
             std::string(shared ? "ld.shared.u64 %d4, [s]; st.global.u64 [%d2], %d4;" : "") +
             "st.global.u64 [%d2+8], %d5;");
  size_t at;
  while ((at = text.find("@P")) != std::string::npos)
    text.replace(at, 2, place);
  Gpu gpu;
  auto in = gpu.buffer(std::vector<uint64_t>{start, operand, second}), out = gpu.blank<uint64_t>(2);
  Status status = gpu.run(text, LaunchShape{}, {pointerTo(*in), pointerTo(*out), i32(0)});
  EXPECT_TRUE(status.ok()) << status.message();
  auto values = gpu.read<uint64_t>(*out);
  return {values[1], values[0]};
}
using Pair = std::pair<uint64_t, uint64_t>;
std::string narrow(const std::string &instruction) { return instruction + " cvt.u64.u32 %d5, %r5;"; }

TEST(Atomic, IntegerOperations) {
  for (std::string space : {"global", "shared"}) {
    bool shared = space == "shared";
    auto run = [&](const std::string &op, uint64_t start, uint64_t operand) {
      return atom(narrow("atom." + space + "." + op + " %r5, @P, %r3;"), start, operand, 0, shared);
    };
    EXPECT_EQ(run("add.u32", 0xFFFFFFFF, 3), Pair(0xFFFFFFFF, 2));
    EXPECT_EQ(run("min.s32", 5, 0xFFFFFFFE), Pair(5, 0xFFFFFFFE));
    EXPECT_EQ(run("min.u32", 5, 0xFFFFFFFE), Pair(5, 5));
    EXPECT_EQ(run("max.s32", 5, 0xFFFFFFFE), Pair(5, 5));
    EXPECT_EQ(run("and.b32", 0xF0F0, 0x3FFF), Pair(0xF0F0, 0x30F0));
    EXPECT_EQ(run("or.b32", 0xF0F0, 0xF), Pair(0xF0F0, 0xF0FF));
    EXPECT_EQ(run("xor.b32", 0xF0F0, 0xFFFF), Pair(0xF0F0, 0x0F0F));
    EXPECT_EQ(run("exch.b32", 1, 2), Pair(1, 2));
    EXPECT_EQ(run("inc.u32", 4, 5), Pair(4, 5));
    EXPECT_EQ(run("inc.u32", 5, 5), Pair(5, 0));
    EXPECT_EQ(run("dec.u32", 4, 5), Pair(4, 3));
    EXPECT_EQ(run("dec.u32", 0, 5), Pair(0, 5));
    EXPECT_EQ(run("dec.u32", 9, 5), Pair(9, 5));
    EXPECT_EQ(atom("atom." + space + ".add.u64 %d5, @P, %d3;", ~0ull, 3, 0, shared), Pair(~0ull, 2));
    EXPECT_EQ(atom("atom.acq_rel.gpu." + space + ".cas.b64 %d5, @P, %d3, %d6;", 7, 7, 9, shared), Pair(7, 9));
    EXPECT_EQ(atom("atom." + space + ".cas.b64 %d5, @P, %d3, %d6;", 8, 7, 9, shared), Pair(8, 8));
    EXPECT_EQ(
        atom("atom." + space + ".cas.b16 %h5, @P, %h3, %h6; cvt.u64.u16 %d5, %h5;", 0x10007, 7, 9, shared),
        Pair(7, 0x10009));
    EXPECT_EQ(atom("red." + space + ".add.s32 @P, %r3;", 10, 5, 0, shared), Pair(0, 15));
  }
  EXPECT_EQ(atom("atom.relaxed.sys.max.s64 %d5, [%d2], %d3;", ~0ull, 1), Pair(~0ull, 1)); // generic
}

TEST(Atomic, FloatOperations) {
  auto f = [](float x) { return uint64_t(std::bit_cast<uint32_t>(x)); };
  auto d = [](double x) { return std::bit_cast<uint64_t>(x); };
  EXPECT_EQ(atom(narrow("atom.global.add.f32 %r5, @P, %r3;"), f(1.5f), f(2.25f)), Pair(f(1.5f), f(3.75f)));
  EXPECT_EQ(atom("atom.shared.add.f64 %d5, @P, %d3;", d(1.5), d(-4), 0, true), Pair(d(1.5), d(-2.5)));
  // Subnormals are flushed in global memory and kept in shared memory.
  EXPECT_EQ(atom(narrow("atom.global.add.f32 %r5, @P, %r3;"), 0x80000001, 0x80000001).second, 0x80000000u);
  EXPECT_EQ(atom(narrow("atom.shared.add.f32 %r5, @P, %r3;"), 1, 1, 0, true).second, 2u);
  EXPECT_EQ(atom(narrow("atom.global.add.noftz.f16x2 %r5, @P, %r3;"), 0x3C000001, 0x3C000001),
            Pair(0x3C000001, 0x40000002));
  EXPECT_EQ(atom(narrow("atom.global.add.noftz.bf16x2 %r5, @P, %r3;"), 0x3F804000, 0x3F80BF80),
            Pair(0x3F804000, 0x40003F80));
  EXPECT_EQ(atom("red.global.add.noftz.bf16 @P, %h3;", 0x12343F80, 0x3F80), Pair(0, 0x12344000));
  EXPECT_EQ(atom("red.global.v2.bf16x2.max.noftz @P, {%r3, %r6};", 0x3F804000 | 0x3F80BF80ull << 32,
                 0x4000BF80, 0x3F804000),
            Pair(0, 0x40004000 | 0x3F804000ull << 32));
  EXPECT_EQ(atom("red.global.v2.f32.add @P, {%r3, %r6};", f(1) | f(2) << 32, f(10), f(20)),
            Pair(0, f(11) | f(22) << 32));
}

TEST(Atomic, ManyThreadsAndBlocksMeet) {
  for (uint32_t workers : {1u, 2u})
    for (std::string op : {"atom.global.add.u32 %r5, [%d2], 1;", "red.global.inc.u32 [%d2], 0xFFFFFFFF;",
                           "red.global.add.f32 [%d2], 0f3F800000;"}) {
      Gpu gpu("nvidia:sm_100a", RunOptions{.workers = workers});
      auto out = gpu.buffer(std::vector<uint32_t>(1, 0));
      LaunchShape shape;
      shape.blocks = 37;
      shape.threads = 100;
      Status status = gpu.run(kernel(op), shape, {pointerTo(*out), pointerTo(*out), i32(0)});
      ASSERT_TRUE(status.ok()) << status.message();
      uint32_t expected = op.find("f32") != std::string::npos ? std::bit_cast<uint32_t>(3700.0f) : 3700;
      EXPECT_EQ(gpu.read<uint32_t>(*out)[0], expected) << op;
    }
}

TEST(Atomic, Exchange128) {
  Gpu gpu;
  auto in = gpu.buffer(std::vector<uint64_t>{1, 2, 3, 4}), out = gpu.blank<uint64_t>(4);
  Status status = gpu.run(kernel("ld.global.v2.u64 {%d5, %d6}, [%d1]; mov.b128 %q1, {%d5, %d6};"
                                 "ld.global.v2.u64 {%d5, %d6}, [%d1+16]; mov.b128 %q2, {%d5, %d6};"
                                 "st.global.b128 [%d2], %q1; atom.global.cas.b128 %q3, [%d2], %q1, %q2; "
                                 "st.global.b128 [%d2+16], %q3;"),
                          LaunchShape{}, {pointerTo(*in), pointerTo(*out), i32(0)});
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(gpu.read<uint64_t>(*out), (std::vector<uint64_t>{3, 4, 1, 2}));
}

} // namespace
} // namespace quern::runtime::emulated
