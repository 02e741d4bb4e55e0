//===- WarpgroupTest.cpp - wgmma ------------------------------------------===//
//
// PTX ISA 9.7.15. Operands are laid out in shared memory by rows and lines of 128 bytes as the figures of the
// canonical layouts show them; results are compared with sums in double. Values are small, so that all sums
// are exact.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/AssemblerTest.h"
#include "runtime/emulated/nvidia/FormatTables.h"
#include "runtime/emulated/nvidia/PtxTest.h"

#include <functional>

namespace quern::runtime::emulated {
namespace {

using test::expectAssembles;

struct Kind {
  const char *name;   ///< of the factors
  const char *result; ///< of the accumulator
  uint32_t bytes;     ///< of an element
  uint32_t k() const { return 32 / bytes; }
  uint32_t code(double value) const {
    std::string type(name);
    if (type == "bf16")
      return test::bf16.nearest(value);
    if (type == "f16")
      return test::f16.nearest(value);
    if (type == "e4m3")
      return test::e4m3.nearest(value);
    if (type == "e5m2")
      return test::e5m2.nearest(value);
    if (type == "tf32")
      return std::bit_cast<uint32_t>(static_cast<float>(value));
    return static_cast<uint8_t>(static_cast<int>(value));
  }
};

/// How one operand lies: bytes of the swizzle's span, or 0; major along mn.
struct Layout {
  uint32_t span = 32;
  bool mnMajor = false;
};

struct Image {
  std::vector<uint8_t> bytes;
  uint64_t descriptor = 0; ///< with start 0
};

/// A |rows| x |depth| operand; |valueOf|(row, k).
Image lay(const Kind &kind, const Layout &layout, uint32_t rows, uint32_t depth,
          const std::function<double(uint32_t, uint32_t)> &valueOf) {
  Image image;
  uint32_t perChunk = 16 / kind.bytes;
  image.bytes.assign(size_t(rows) * depth * kind.bytes, 0xEE);
  auto put = [&](uint64_t offset, uint32_t row, uint32_t k) {
    uint32_t code = kind.code(valueOf(row, k));
    ASSERT_LE(offset + kind.bytes, image.bytes.size());
    std::memcpy(&image.bytes[offset], &code, kind.bytes);
  };
  uint64_t leading = 0, stride = 0;
  uint32_t wide = layout.span / 16;
  for (uint32_t row = 0; row < rows; ++row)
    for (uint32_t k = 0; k < depth; ++k) {
      uint64_t offset = 0;
      if (!layout.mnMajor && !layout.span) {
        // Core matrices of 8 rows x 16 bytes, columns of them after one another.
        stride = 128;
        leading = uint64_t(rows) * 16;
        offset = k / perChunk * leading + row / 8 * stride + row % 8 * 16 + k % perChunk * kind.bytes;
      } else if (!layout.mnMajor) {
        stride = 8 * layout.span;
        uint32_t chunk = k / perChunk % wide, line = row * layout.span / 128;
        offset = row * layout.span + (chunk ^ (line % wide)) * 16 + k % perChunk * kind.bytes;
        offset += uint64_t(k / perChunk / wide) * rows * layout.span;
      } else if (!layout.span) {
        // 8 k by 16 bytes of mn.
        leading = 128;
        stride = 128 * depth / 8;
        offset = row / perChunk * stride + k / 8 * leading + k % 8 * 16 + row % perChunk * kind.bytes;
      } else {
        // 8 k by one span of mn.
        stride = 8 * layout.span;
        leading = stride * depth / 8;
        uint64_t line = (row / (perChunk * wide) * leading + k / 8 * stride + k % 8 * layout.span) / 128;
        uint64_t chunk = row / perChunk % wide;
        offset = row / (perChunk * wide) * leading + k / 8 * stride + k % 8 * layout.span +
                 (chunk ^ (line % wide)) * 16 + row % perChunk * kind.bytes;
      }
      put(offset, row, k);
    }
  uint64_t mode = layout.span == 128 ? 1 : layout.span == 64 ? 2 : layout.span == 32 ? 3 : 0;
  image.descriptor = (leading >> 4 & 0x3FFF) << 16 | (stride >> 4 & 0x3FFF) << 32 | mode << 62;
  return image;
}

std::string hex(uint64_t value) {
  char text[32];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

std::string registerList(const char *prefix, uint32_t count, uint32_t first = 0) {
  std::string text = "{";
  for (uint32_t i = 0; i < count; ++i)
    text += (i ? ", " : "") + std::string(prefix) + std::to_string(first + i);
  return text + "}";
}

struct Program {
  Kind kind{"bf16", "f32", 2};
  uint32_t n = 64;
  Layout a, b;
  bool registersOfA = false;
  std::string scales; ///< after scale-d; chosen by the kind where empty
  std::string fence = "wgmma.fence.sync.aligned;", between, wait = "wgmma.wait_group.sync.aligned 0;";
  std::string proxyFence = "fence.proxy.async.shared::cta;";
  uint32_t rounds = 2; ///< the product is added so often; the first time the accumulator is ignored
  uint32_t registers() const { return std::string(kind.result) == "f16" ? n / 4 : n / 2; }

  std::string text(const Image &left, const Image &right) const {
    bool isHalf = kind.bytes == 2, isInteger = std::string(kind.result) == "s32";
    std::string immediates = scales;
    if (scales.empty()) {
      immediates = isInteger ? "" : ", 1, 1";
      if (isHalf)
        immediates += (registersOfA ? ""
                       : a.mnMajor  ? ", 1"
                                    : ", 0") +
                      std::string(b.mnMajor ? ", 1" : ", 0");
    }
    std::string type(kind.result), d = registerList(type == "f32" ? "%f" : "%r4", registers(), 0);
    const char *prefix = type == "f32" ? "%f" : "%q";
    d = registerList(prefix, registers());
    size_t bytes = left.bytes.size() + right.bytes.size();
    std::string body = ptxHead("sm_90a") +
                       ".extern .shared .align 1024 .b8 tile[];\n.visible .entry k(.param .u64 .ptr in, "
                       ".param .u64 .ptr out) .reqntid "
                       "128 {\n.reg .pred %p<8>; .reg .b32 %r<32>; .reg .b32 %q<132>; .reg .f32 %f<132>; "
                       ".reg .b64 %d<16>; .reg .b32 "
                       "%a<4>;\n"
                       "ld.param.u64 %d1, [in]; ld.param.u64 %d2, [out]; mov.u32 %r1, %tid.x; mov.u32 %r2, "
                       "tile; mov.u32 %r3, %r1;\n"
                       "fill: shl.b32 %r4, %r3, 2; setp.ge.u32 %p1, %r4, " +
                       std::to_string(bytes) +
                       "; @%p1 bra filled; cvt.u64.u32 %d3, %r4; add.u64 %d3, %d3, %d1; ld.global.u32 %r5, "
                       "[%d3]; add.u32 %r6, %r2, "
                       "%r4; st.shared.u32 [%r6], %r5; add.u32 %r3, %r3, 128; bra fill;\nfilled:\n" +
                       proxyFence + " bar.sync 0;\n";
    // Four words of A for each thread stand behind the tiles.
    body += "mul.wide.u32 %d5, %r1, 16; add.u64 %d5, %d5, %d1; ld.global.v4.u32 {%a0, %a1, %a2, %a3}, [%d5+" +
            std::to_string(bytes) + "];\n";
    body += "shr.u32 %r7, %r2, 4; cvt.u64.u32 %d6, %r7; or.b64 %d7, %d6, " + hex(left.descriptor) +
            "; add.u64 %d8, %d6, " + std::to_string(left.bytes.size() / 16) + "; or.b64 %d8, %d8, " +
            hex(right.descriptor) + ";\nsetp.ne.u32 %p2, 0, 0;\n";
    for (uint32_t i = 0; i < registers(); ++i)
      body +=
          "mov.b32 " + std::string(prefix) + std::to_string(i) + (type == "f32" ? ", 0f7FC00000;" : ", 77;");
    body += "\n" + fence + "\n";
    for (uint32_t round = 0; round < rounds; ++round)
      body += "wgmma.mma_async.sync.aligned.m64n" + std::to_string(n) + "k" + std::to_string(kind.k()) + "." +
              kind.result + "." + kind.name + "." + kind.name + " " + d + ", " +
              (registersOfA ? "{%a0, %a1, %a2, %a3}" : "%d7") + ", %d8, %p2" + immediates +
              "; setp.eq.u32 %p2, 0, 0;\n";
    body += "wgmma.commit_group.sync.aligned;\n" + between + "\n" + wait + "\n";
    for (uint32_t i = 0; i < registers(); ++i)
      body += "mad.lo.u32 %r8, %r1, " + std::to_string(registers()) + ", " + std::to_string(i) +
              "; mul.wide.u32 %d9, %r8, 4; add.u64 %d9, %d9, %d2; st.global.b32 [%d9], " + prefix +
              std::to_string(i) + ";\n";
    return body + "ret;\n}\n";
  }
};

double valueA(uint32_t row, uint32_t k) { return int((row * 7 + k * 3) % 9) - 4; }
double valueB(uint32_t column, uint32_t k) { return int((column * 5 + k * 11) % 7) - 3; }

struct Ran {
  Status status = Status::success();
  std::vector<double> d; ///< 64 x n
  std::vector<uint32_t> raw;
};

Ran run(const Program &program, RunOptions options = {}, bool assemble = false) {
  const Kind &kind = program.kind;
  Image left = lay(kind, program.a, 64, kind.k(), valueA),
        right = lay(kind, program.b, program.n, kind.k(), valueB);
  left.bytes.resize((left.bytes.size() + 1023) / 1024 * 1024, 0);
  std::string text = program.text(left, right);
  if (assemble)
    expectAssembles(text, "sm_90a");
  std::vector<uint8_t> input = left.bytes;
  input.insert(input.end(), right.bytes.begin(), right.bytes.end());
  for (uint32_t thread = 0; thread < 128; ++thread)
    for (uint32_t i = 0; i < 4; ++i) {
      uint32_t word = 0, inWord = 4 / kind.bytes;
      for (uint32_t j = 0; j < inWord; ++j) {
        uint32_t row = thread / 32 * 16 + thread % 32 / 4 + i % 2 * 8,
                 k = i / 2 * 4 * inWord + thread % 4 * inWord + j;
        word |= kind.code(valueA(row, k)) << (8 * kind.bytes * j);
      }
      const auto *bytes = reinterpret_cast<const uint8_t *>(&word);
      input.insert(input.end(), bytes, bytes + 4);
    }
  Gpu gpu("nvidia:sm_90a", options);
  auto in = gpu.buffer(input);
  auto out = gpu.blank<uint32_t>(128 * program.registers());
  LaunchShape shape;
  shape.threads = 128;
  shape.sharedBytes = static_cast<uint32_t>(left.bytes.size() + right.bytes.size());
  Ran ran;
  ran.status = gpu.run(text, shape, {pointerTo(*in), pointerTo(*out)});
  ran.raw = gpu.read<uint32_t>(*out);
  ran.d.resize(64 * program.n);
  std::string type(kind.result);
  for (uint32_t thread = 0; thread < 128; ++thread)
    for (uint32_t i = 0; i < program.n / 2; ++i) {
      uint32_t row = thread / 32 * 16 + thread % 32 / 4 + i / 2 % 2 * 8,
               column = i / 4 * 8 + thread % 4 * 2 + i % 2;
      uint32_t word = ran.raw[thread * program.registers() + (type == "f16" ? i / 2 : i)];
      ran.d[row * program.n + column] = type == "f32"   ? double(std::bit_cast<float>(word))
                                        : type == "f16" ? test::f16.value(word >> (i % 2 * 16) & 0xFFFF)
                                                        : double(static_cast<int32_t>(word));
    }
  return ran;
}

void expectProduct(const Program &program, RunOptions options = {}, double sign = 1) {
  Ran ran = run(program, options, options.seed == 0);
  ASSERT_TRUE(ran.status.ok()) << ran.status.message() << ran.status.causeText();
  for (uint32_t row = 0; row < 64; ++row)
    for (uint32_t column = 0; column < program.n; ++column) {
      double sum = 0;
      for (uint32_t k = 0; k < program.kind.k(); ++k)
        sum += valueA(row, k) * valueB(column, k);
      ASSERT_EQ(ran.d[row * program.n + column], sign * sum * program.rounds)
          << row << " " << column << " " << program.n;
    }
}

TEST(Warpgroup, EveryWidthOfN) {
  for (uint32_t n = 8; n <= 256; n += 8) {
    Program program;
    program.n = n;
    Ran ran = run(program);
    ASSERT_TRUE(ran.status.ok()) << n << ran.status.message() << ran.status.causeText();
    for (uint32_t row = 0; row < 64; row += 7)
      for (uint32_t column = 0; column < n; ++column) {
        double sum = 0;
        for (uint32_t k = 0; k < 16; ++k)
          sum += 2 * valueA(row, k) * valueB(column, k);
        ASSERT_EQ(ran.d[row * n + column], sum) << row << " " << column << " " << n;
      }
  }
}

TEST(Warpgroup, EveryTypeAndSwizzle) {
  const Kind kinds[] = {{"bf16", "f32", 2}, {"f16", "f32", 2},  {"f16", "f16", 2},  {"tf32", "f32", 4},
                        {"e4m3", "f32", 1}, {"e5m2", "f32", 1}, {"e4m3", "f16", 1}, {"s8", "s32", 1}};
  for (const Kind &kind : kinds)
    for (uint32_t span : {0u, 32u}) {
      Program program;
      program.kind = kind;
      program.n = 32;
      program.a = program.b = {span, false};
      expectProduct(program, RunOptions{.seed = span});
      program.registersOfA = true;
      program.n = 48;
      expectProduct(program, RunOptions{.seed = span});
    }
}

TEST(Warpgroup, TransposedOperands) {
  for (uint32_t span : {0u, 32u, 64u, 128u})
    for (bool isA : {false, true}) {
      Program program;
      program.n = 64;
      program.a = {isA ? span : 32, isA};
      program.b = {isA ? 32 : span, !isA};
      expectProduct(program, RunOptions{.seed = span / 32});
    }
  Program both;
  both.a = both.b = {128, true};
  both.n = 128;
  expectProduct(both);
  both.scales = ", -1, 1, 1, 1";
  expectProduct(both, {}, -1);
}

void expectFault(const Program &program, const std::string &id, const std::string &what) {
  for (uint64_t seed = 0; seed < 3; ++seed) {
    Ran ran = run(program, RunOptions{.seed = seed});
    ASSERT_FALSE(ran.status.ok()) << what;
    EXPECT_EQ(ran.status.id(), id) << ran.status.message() << ran.status.causeText();
    std::string all = ran.status.message() + ran.status.causeText();
    EXPECT_NE(all.find(what), std::string::npos) << all;
  }
}

TEST(Warpgroup, MissingOrderIsFound) {
  auto with = [](auto change) {
    Program program;
    program.a = program.b = {32, false};
    change(program);
    return program;
  };
  expectFault(with([](Program &p) { p.fence = ""; }), "E-EMULATED-ASYNC", "since the last wgmma.fence");
  expectFault(with([](Program &p) { p.wait = ""; }), "E-EMULATED-ASYNC", "a wait is missing");
  expectFault(with([](Program &p) { p.wait = "wgmma.wait_group.sync.aligned 1;"; }), "E-EMULATED-ASYNC",
              "a wait is missing");
  expectFault(with([](Program &p) { p.between = "add.f32 %f3, %f3, 0f3F800000;"; }), "E-EMULATED-ASYNC",
              "a wait is missing");
  expectFault(with([](Program &p) { p.registersOfA = true, p.between = "mov.b32 %a1, 0;"; }),
              "E-EMULATED-ASYNC", "a wait is missing");
  expectFault(with([](Program &p) { p.proxyFence = ""; }), "E-EMULATED-ASYNC", "fence.proxy.async");
  // Shared memory is written while the product may still read it.
  expectFault(with([](Program &p) { p.between = "setp.eq.u32 %p3, %r1, 0; @%p3 st.shared.u32 [%r2], %r1;"; }),
              "E-EMULATED-RACE", "an asynchronous operation reads");
  // Without the sanitizer a missing wait shows in the numbers.
  Program early = with([](Program &p) { p.wait = ""; });
  Ran late = run(early, RunOptions{.sanitize = false, .asynchronous = AsyncOrder::Latest});
  Ran right = run(with([](Program &) {}));
  EXPECT_NE(late.raw, right.raw);
}

TEST(Warpgroup, WrongDescriptorsChangeTheResult) {
  Program program;
  program.a = program.b = {32, false};
  Ran right = run(program);
  Image left = lay(program.kind, program.a, 64, 16, valueA),
        other = lay(program.kind, program.b, 64, 16, valueB);
  std::string text = program.text(left, other);
  ASSERT_TRUE(right.status.ok());
  // The operands of one swizzle read with another.
  std::string wrong = hex(left.descriptor),
              instead = hex((left.descriptor & ~(uint64_t(3) << 62)) | uint64_t(2) << 62);
  size_t at = text.find(wrong);
  ASSERT_NE(at, std::string::npos);
  text.replace(at, wrong.size(), instead);
  std::vector<uint8_t> input = left.bytes;
  input.insert(input.end(), other.bytes.begin(), other.bytes.end());
  input.resize(input.size() + 2048);
  Gpu gpu("nvidia:sm_90a");
  auto in = gpu.buffer(input);
  auto out = gpu.blank<uint32_t>(128 * 32);
  LaunchShape shape;
  shape.threads = 128;
  shape.sharedBytes = static_cast<uint32_t>(left.bytes.size() + other.bytes.size());
  ASSERT_TRUE(gpu.run(text, shape, {pointerTo(*in), pointerTo(*out)}).ok());
  EXPECT_NE(gpu.read<uint32_t>(*out), right.raw);
}

} // namespace
} // namespace quern::runtime::emulated
