//===- TensorCoreTest.cpp - tcgen05 ---------------------------------------===//
//
// PTX ISA 9.7.16. Values are small, so that all sums are exact; results are compared with sums in double.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/AssemblerTest.h"
#include "runtime/emulated/nvidia/FormatTables.h"
#include "runtime/emulated/nvidia/PtxTest.h"

#include <cmath>
#include <functional>

namespace quern::runtime::emulated {
namespace {

using test::expectAssembles;

std::string hex(uint64_t value) {
  char text[32];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

std::string list(const std::string &prefix, uint32_t count) {
  std::string text = "{";
  for (uint32_t i = 0; i < count; ++i)
    text += (i ? ", " : "") + prefix + std::to_string(i);
  return text + "}";
}

/// 128 threads: alloc by warp 0, |body| with %r10 = tensor address, %r11 = the same with the warp's first
/// lane, %d1 = in, %d2 = out, %r1 = thread; then dealloc.
std::string program(const std::string &body, const std::string &variables = "",
                    const std::string &directives = "", const std::string &group = "1",
                    uint32_t columns = 256) {
  return ptxHead("sm_100a") + variables +
         ".visible .entry k(.param .u64 .ptr in, .param .u64 .ptr out) .reqntid 128 " + directives +
         " {\n.reg .pred %p<12>; .reg .b16 %h<4>; .reg .b32 %r<64>; .reg .b32 %q<132>; .reg .b64 %d<32>;\n"
         ".shared .align 8 .b64 bar[2]; .shared .align 4 .b32 slot;\n"
         "ld.param.u64 %d1, [in]; ld.param.u64 %d2, [out]; mov.u32 %r1, %tid.x; shr.u32 %r2, %r1, 5; mov.u32 "
         "%r3, slot; "
         "mov.u32 %r4, bar; setp.ne.u32 %p0, %r1, 0; setp.ne.u32 %p1, %r2, 0;\n"
         "@%p1 bra allocated; tcgen05.alloc.cta_group::" +
         group + ".sync.aligned.shared::cta.b32 [%r3], " + std::to_string(columns) +
         "; tcgen05.relinquish_alloc_permit.cta_group::" + group +
         ".sync.aligned;\nallocated:\n"
         "@%p0 bra made; mbarrier.init.shared::cta.b64 [%r4], 1; mbarrier.init.shared::cta.b64 [%r4+8], 1; "
         "fence.mbarrier_init.release.cluster;\nmade: tcgen05.fence::before_thread_sync; bar.sync 0; "
         "tcgen05.fence::after_thread_sync;\n"
         "ld.shared.u32 %r10, [%r3]; shl.b32 %r11, %r2, 21; add.u32 %r11, %r11, %r10;\n" +
         body +
         "\nfinish: tcgen05.fence::before_thread_sync; bar.sync 0; tcgen05.fence::after_thread_sync; @%p1 "
         "bra gone; "
         "tcgen05.dealloc.cta_group::" +
         group + ".sync.aligned.b32 %r10, " + std::to_string(columns) + ";\ngone: ret;\n}\n";
}

struct Ran {
  Status status = Status::success();
  std::vector<uint32_t> out;
};

Ran run(const std::string &text, const std::vector<uint8_t> &input, size_t outWords, RunOptions options = {},
        uint32_t shared = 0, uint32_t blocks = 1) {
  Gpu gpu("nvidia:sm_100a", options);
  auto in = gpu.buffer(input.empty() ? std::vector<uint8_t>(16) : input);
  auto out = gpu.blank<uint32_t>(outWords);
  LaunchShape shape;
  shape.threads = 128;
  shape.blocks = blocks;
  shape.sharedBytes = shared;
  Ran ran;
  ran.status = gpu.run(text, shape, {pointerTo(*in), pointerTo(*out)});
  ran.out = gpu.read<uint32_t>(*out);
  return ran;
}

/// Stores |count| registers %q of each thread to out, thread after thread.
std::string storeRegisters(uint32_t count) {
  std::string text;
  for (uint32_t i = 0; i < count; ++i)
    text += "mad.lo.u32 %r20, %r1, " + std::to_string(count) + ", " + std::to_string(i) +
            "; mul.wide.u32 %d20, %r20, 4; add.u64 %d20, %d20, %d2; st.global.u32 [%d20], %q" +
            std::to_string(i) + ";\n";
  return text;
}

TEST(TensorCore, LoadsAndStoresOfEveryShape) {
  // Lane and column are written by the plainest shape, 32 columns, and read by every other.
  std::string fill;
  for (uint32_t i = 0; i < 32; ++i)
    fill += "mad.lo.u32 %q" + std::to_string(i) + ", %r1, 1000, " + std::to_string(i) + ";\n";
  fill += "tcgen05.st.sync.aligned.32x32b.x32.b32 [%r11], " + list("%q", 32) +
          "; tcgen05.wait::st.sync.aligned;\n";
  struct Case {
    const char *shape;
    uint32_t repetitions, registers;
    std::function<std::pair<uint32_t, uint32_t>(uint32_t, uint32_t)>
        place; ///< (lane, register) to (lane, column)
  };
  const Case cases[] = {
      {"32x32b", 8, 8, [](uint32_t l, uint32_t r) { return std::pair(l, r); }},
      {"16x64b", 4, 4,
       [](uint32_t l, uint32_t r) { return std::pair(l / 4 + l % 2 * 8, l / 2 % 2 + r * 2); }},
      {"16x128b", 4, 8,
       [](uint32_t l, uint32_t r) { return std::pair(l / 4 + r % 2 * 8, l % 4 + r / 2 * 4); }},
      {"16x256b", 2, 8,
       [](uint32_t l, uint32_t r) {
         return std::pair(l / 4 + r / 2 % 2 * 8, l % 4 * 2 + r % 2 + r / 4 * 8);
       }},
      {"16x32bx2", 8, 8, [](uint32_t l, uint32_t r) { return std::pair(l % 16, r + l / 16 * 12); }}};
  for (const Case &test : cases)
    for (uint32_t upper : {0u, 16u}) {
      bool isWhole = std::string(test.shape) == "32x32b", isSplit = std::string(test.shape) == "16x32bx2";
      if (isWhole && upper)
        continue;
      std::string name = std::string(test.shape) + ".x" + std::to_string(test.repetitions) + ".b32 ";
      std::string text = program(fill + "add.u32 %r12, %r11, " + std::to_string((upper << 16) + 3) +
                                 "; tcgen05.ld.sync.aligned." + name + list("%q", test.registers) +
                                 ", [%r12]" + (isSplit ? ", 12" : "") + "; tcgen05.wait::ld.sync.aligned;\n" +
                                 storeRegisters(test.registers));
      expectAssembles(text, "sm_100a");
      for (uint64_t seed = 0; seed < 3; ++seed) {
        Ran ran = run(text, {}, 128 * test.registers, RunOptions{.seed = seed});
        ASSERT_TRUE(ran.status.ok()) << ran.status.message() << ran.status.causeText();
        for (uint32_t thread = 0; thread < 128; ++thread)
          for (uint32_t r = 0; r < test.registers; ++r) {
            auto [lane, column] = test.place(thread % 32, r);
            ASSERT_EQ(ran.out[thread * test.registers + r],
                      (thread / 32 * 32 + upper + lane) * 1000 + column + 3)
                << test.shape << " " << thread << " " << r;
          }
      }
    }
}

/// A K-major operand of |rows| x |depth| elements in 8-row groups of 16-byte chunks without a swizzle, or
/// with the 32-byte one.
struct Operands {
  std::vector<uint8_t> bytes;
  uint64_t descriptor = 0;
};
Operands lay(uint32_t rows, uint32_t depth, uint32_t bits,
             const std::function<uint32_t(uint32_t, uint32_t)> &code) {
  Operands operands;
  uint32_t perChunk = 128 / bits;
  operands.bytes.assign(size_t(rows) * depth * bits / 8, 0);
  for (uint32_t row = 0; row < rows; ++row)
    for (uint32_t k = 0; k < depth; ++k) {
      uint32_t chunk = k / perChunk, line = row * 32 / 128;
      size_t base = row * 32 + (chunk ^ (line % 2)) * 16;
      uint32_t value = code(row, k), bit = k % perChunk * bits;
      for (uint32_t i = 0; i < bits; i += 4)
        operands.bytes[base + (bit + i) / 8] |= static_cast<uint8_t>((value >> i & 15) << ((bit + i) % 8));
    }
  operands.descriptor = uint64_t(256 >> 4) << 32 | uint64_t(1) << 46 | uint64_t(6) << 61;
  return operands;
}

int small(uint32_t i, uint32_t k, uint32_t seed) { return int((i * 7 + k * 3 + seed) % 9) - 4; }

/// One product with A and B in shared memory, accumulated |rounds| times, read by 32x32b loads.
struct Product {
  std::string kind = "f16";
  uint32_t m = 128, n = 64, k = 16, bits = 16, instruction = 0;
  uint32_t rounds = 2;
  std::function<uint32_t(double)> code;
  std::string commit = "tcgen05.commit.cta_group::1.mbarrier::arrive::one.shared::cluster.b64 [%r4];";
  std::string wait = "wait: mbarrier.try_wait.parity.shared::cta.b64 %p3, [%r4], 0; @!%p3 bra wait;";
  std::string waitLoad = "tcgen05.wait::ld.sync.aligned;";
  std::string proxyFence = "fence.proxy.async.shared::cta;";
  std::string after; ///< of the products, by the issuer

  Operands a() const {
    return lay(m, k, bits, [&](uint32_t i, uint32_t j) { return code(small(i, j, 1)); });
  }
  Operands b() const {
    return lay(n, k, bits, [&](uint32_t i, uint32_t j) { return code(small(j, i, 5)); });
  }
  std::string text() const {
    Operands left = a(), right = b();
    size_t bytes = left.bytes.size() + right.bytes.size();
    std::string body =
        "mov.u32 %r5, tile; mov.u32 %r6, %r1;\nfill: shl.b32 %r7, %r6, 2; setp.ge.u32 %p4, %r7, " +
        std::to_string(bytes) +
        "; @%p4 bra filled; cvt.u64.u32 %d3, %r7; add.u64 %d3, %d3, %d1; ld.global.u32 %r8, [%d3]; add.u32 "
        "%r9, %r5, "
        "%r7; st.shared.u32 [%r9], %r8; add.u32 %r6, %r6, 128; bra fill;\nfilled: " +
        proxyFence + " bar.sync 0; @%p0 bra issued;\n";
    body += "shr.u32 %r12, %r5, 4; cvt.u64.u32 %d6, %r12; or.b64 %d7, %d6, " + hex(left.descriptor) +
            "; add.u64 %d8, %d6, " + std::to_string(left.bytes.size() / 16) + "; or.b64 %d8, %d8, " +
            hex(right.descriptor) + "; setp.ne.u32 %p5, 0, 0; mov.u32 %r13, " + hex(instruction) + ";\n";
    for (uint32_t round = 0; round < rounds; ++round)
      body +=
          "tcgen05.mma.cta_group::1.kind::" + kind + " [%r10], %d7, %d8, %r13, %p5; setp.eq.u32 %p5, 0, 0;\n";
    body += after + commit + "\nissued:\n" + wait + "\ntcgen05.fence::after_thread_sync;\n";
    body += "tcgen05.ld.sync.aligned.32x32b.x" + std::to_string(n) + ".b32 " + list("%q", n) + ", [%r11];\n" +
            waitLoad + "\n" + storeRegisters(n);
    return program(body, ".extern .shared .align 1024 .b8 tile[];\n");
  }
  Ran go(RunOptions options = {}) const {
    Operands left = a(), right = b();
    std::vector<uint8_t> input = left.bytes;
    input.insert(input.end(), right.bytes.begin(), right.bytes.end());
    return run(text(), input, 128 * n, options, static_cast<uint32_t>(input.size()));
  }
  double expected(uint32_t row, uint32_t column) const {
    double sum = 0;
    for (uint32_t i = 0; i < k; ++i)
      sum += small(row, i, 1) * small(i, column, 5);
    return sum * rounds;
  }
};

Product bf16() {
  Product product;
  product.code = [](double v) { return test::bf16.nearest(v); };
  // D f32, A and B bf16, N 64, M 128.
  product.instruction = 1u << 4 | 1u << 7 | 1u << 10 | (64u >> 3) << 17 | (128u >> 4) << 24;
  return product;
}

TEST(TensorCore, ProductsOfEveryKind) {
  std::vector<Product> products = {bf16()};
  Product f16 = bf16();
  f16.code = [](double v) { return test::f16.nearest(v); };
  f16.instruction &= ~(1u << 7 | 1u << 10);
  products.push_back(f16);
  Product e4m3 = bf16();
  e4m3.kind = "f8f6f4";
  e4m3.k = 32;
  e4m3.bits = 8;
  e4m3.code = [](double v) { return test::e4m3.nearest(v); };
  e4m3.instruction &= ~(1u << 7 | 1u << 10);
  products.push_back(e4m3);
  Product mixed = e4m3;
  mixed.code = [](double v) { return test::e5m2.nearest(v); };
  mixed.instruction |= 1u << 7 | 1u << 10;
  products.push_back(mixed);
  Product tf32 = bf16();
  tf32.kind = "tf32";
  tf32.k = 8;
  tf32.bits = 32;
  tf32.code = [](double v) { return std::bit_cast<uint32_t>(static_cast<float>(v)); };
  tf32.instruction = 1u << 4 | 2u << 7 | 2u << 10 | (64u >> 3) << 17 | (128u >> 4) << 24;
  products.push_back(tf32);
  Product s8 = e4m3;
  s8.kind = "i8";
  s8.code = [](double v) { return static_cast<uint8_t>(static_cast<int>(v)); };
  s8.instruction = 2u << 4 | 1u << 7 | 1u << 10 | (64u >> 3) << 17 | (128u >> 4) << 24;
  products.push_back(s8);
  for (const Product &product : products) {
    expectAssembles(product.text(), "sm_100a");
    for (uint64_t seed = 0; seed < 3; ++seed) {
      Ran ran = product.go(RunOptions{.seed = seed});
      ASSERT_TRUE(ran.status.ok()) << product.kind << ran.status.message() << ran.status.causeText();
      for (uint32_t row = 0; row < 128; ++row)
        for (uint32_t column = 0; column < product.n; ++column) {
          uint32_t word = ran.out[row * product.n + column];
          double value =
              product.kind == "i8" ? double(static_cast<int32_t>(word)) : double(std::bit_cast<float>(word));
          ASSERT_EQ(value, product.expected(row, column)) << product.kind << " " << row << " " << column;
        }
    }
  }
}

TEST(TensorCore, SixtyFourRowsLieInSixteenOfEachQuarter) {
  Product product = bf16();
  product.m = 64;
  product.instruction = (product.instruction & ~(31u << 24)) | (64u >> 4) << 24;
  // The other lanes hold nothing: the whole is read with the check of uninitialised memory off.
  Ran ran = product.go(RunOptions{.uninitialised = false});
  ASSERT_TRUE(ran.status.ok()) << ran.status.message() << ran.status.causeText();
  for (uint32_t row = 0; row < 64; ++row)
    for (uint32_t column = 0; column < 64; ++column)
      ASSERT_EQ(std::bit_cast<float>(ran.out[(row % 16 + row / 16 * 32) * 64 + column]),
                product.expected(row, column));
}

void expectFault(const Product &product, const std::string &id, const std::string &what) {
  for (uint64_t seed = 0; seed < 3; ++seed) {
    Ran ran = product.go(RunOptions{.seed = seed});
    ASSERT_FALSE(ran.status.ok()) << what;
    EXPECT_EQ(ran.status.id(), id) << ran.status.message() << ran.status.causeText();
    std::string all = ran.status.message() + ran.status.causeText();
    EXPECT_NE(all.find(what), std::string::npos) << all;
  }
}

TEST(TensorCore, MissingOrderIsFound) {
  auto with = [](auto change) {
    Product product = bf16();
    change(product);
    return product;
  };
  for (uint64_t seed = 0; seed < 3; ++seed) {
    // A race with the product, or a read of what it has not written yet.
    Ran ran = with([](Product &p) { p.wait = ""; }).go(RunOptions{.seed = seed});
    EXPECT_TRUE(ran.status.id() == "E-EMULATED-RACE" || ran.status.id() == "E-EMULATED-UNINITIALISED")
        << ran.status.message();
  }
  expectFault(with([](Product &p) { p.commit = ""; }), "E-EMULATED-DEADLOCK", "for phase 0 of the mbarrier");
  expectFault(with([](Product &p) { p.waitLoad = ""; }), "E-EMULATED-ASYNC", "a wait is missing");
  expectFault(with([](Product &p) { p.proxyFence = ""; }), "E-EMULATED-ASYNC", "fence.proxy.async");
  // What is issued after the commit is not waited for.
  expectFault(with([](Product &p) {
                p.commit += " tcgen05.mma.cta_group::1.kind::f16 [%r10], %d7, %d8, %r13, %p5;";
              }),
              "E-EMULATED-RACE", "an asynchronous operation writes");
  expectFault(with([](Product &p) { p.instruction |= 3u << 7; }), "E-EMULATED-OPERAND", "element type");
  expectFault(with([](Product &p) { p.instruction |= 1u << 17; }), "E-EMULATED-OPERAND", "shape");
  // Without the sanitizer the accumulator is stale.
  Product early = with([](Product &p) { p.wait = ""; });
  EXPECT_NE(early.go(RunOptions{.sanitize = false, .asynchronous = AsyncOrder::Latest}).out, bf16().go().out);
}

TEST(TensorCore, BlockScalesComeFromTensorMemory) {
  struct Case {
    const char *kind;
    uint32_t k, bits, blocks, types;
    bool isUE8M0;
  };
  const Case cases[] = {{"mxf8f6f4.block_scale.scale_vec::1X", 32, 8, 1, 0, true},
                        {"mxf4.block_scale.scale_vec::2X", 64, 4, 2, 1u << 7 | 1u << 10, true},
                        {"mxf4nvf4.block_scale.scale_vec::4X", 64, 4, 4, 1u << 7 | 1u << 10, false}};
  constexpr uint32_t m = 128, n = 64;
  constexpr double e2m1[] = {0, .5, 1, 1.5, 2, 3, 4, 6};
  for (const Case &test : cases) {
    auto code = [&](uint32_t row, uint32_t k, uint32_t seed) -> uint32_t {
      return test.bits == 4 ? (row * 7 + k * 3 + seed) % 16 : test::e4m3.nearest(small(row, k, seed));
    };
    auto value = [&](uint32_t row, uint32_t k, uint32_t seed) {
      uint32_t c = code(row, k, seed);
      return test.bits == 4 ? (c & 8 ? -1 : 1) * e2m1[c & 7] : test::e4m3.value(c);
    };
    auto exponent = [](uint32_t row, uint32_t block, uint32_t seed) {
      return int((row + 2 * block + seed) % 3) - 1;
    };
    Operands a = lay(m, test.k, test.bits, [&](uint32_t i, uint32_t j) { return code(i, j, 1); }),
             b = lay(n, test.k, test.bits, [&](uint32_t i, uint32_t j) { return code(i, j, 5); });
    std::vector<uint8_t> input = a.bytes;
    input.insert(input.end(), b.bytes.begin(), b.bytes.end());
    // The four scales of row r stand at 16 * (r % 32) + 4 * (r / 32).
    for (uint32_t seed : {1u, 2u}) {
      std::vector<uint8_t> scales(512);
      for (uint32_t row = 0; row < 128; ++row)
        for (uint32_t block = 0; block < 4; ++block) {
          int e = exponent(row, block, seed);
          scales[row % 32 * 16 + row / 32 * 4 + block] =
              static_cast<uint8_t>(test.isUE8M0 ? 127 + e : 0x38 + 8 * e);
        }
      input.insert(input.end(), scales.begin(), scales.end());
    }
    size_t plain = a.bytes.size() + b.bytes.size();
    uint64_t copy = uint64_t(8) << 32 | uint64_t(1) << 46;
    std::string body =
        "mov.u32 %r5, tile; mov.u32 %r6, %r1;\nfill: shl.b32 %r7, %r6, 2; setp.ge.u32 %p4, %r7, " +
        std::to_string(input.size()) +
        "; @%p4 bra filled; cvt.u64.u32 %d3, %r7; add.u64 %d3, %d3, %d1; ld.global.u32 %r8, [%d3]; add.u32 "
        "%r9, %r5, "
        "%r7; st.shared.u32 [%r9], %r8; add.u32 %r6, %r6, 128; bra fill;\nfilled: "
        "fence.proxy.async.shared::cta; "
        "bar.sync 0; @%p0 bra issued;\nshr.u32 %r12, %r5, 4; cvt.u64.u32 %d6, %r12; or.b64 %d7, %d6, " +
        hex(a.descriptor) + "; add.u64 %d8, %d6, " + std::to_string(a.bytes.size() / 16) +
        "; or.b64 %d8, %d8, " + hex(b.descriptor) + "; add.u64 %d9, %d6, " + std::to_string(plain / 16) +
        "; or.b64 %d9, %d9, " + hex(copy) +
        "; add.u64 %d10, %d9, 32; add.u32 %r14, %r10, 128; add.u32 %r15, %r10, 160; mov.u32 %r13, " +
        hex(test.types | (test.isUE8M0 ? 1u << 23 : 0u) | (n >> 3) << 17 | (m >> 4) << 24) +
        ";\nsetp.ne.u32 %p5, 0, 0; tcgen05.cp.cta_group::1.32x128b.warpx4 [%r14], %d9; "
        "tcgen05.cp.cta_group::1.32x128b.warpx4 [%r15], %d10;\n"
        "tcgen05.mma.cta_group::1.kind::" +
        test.kind +
        " [%r10], %d7, %d8, %r13, [%r14], [%r15], %p5;\n"
        "tcgen05.commit.cta_group::1.mbarrier::arrive::one.shared::cluster.b64 [%r4];\nissued:\n"
        "wait: mbarrier.try_wait.parity.shared::cta.b64 %p3, [%r4], 0; @!%p3 bra wait; "
        "tcgen05.fence::after_thread_sync;\ntcgen05.ld.sync.aligned.32x32b.x64.b32 " +
        list("%q", n) + ", [%r11]; tcgen05.wait::ld.sync.aligned;\n" + storeRegisters(n);
    std::string text = program(body, ".extern .shared .align 1024 .b8 tile[];\n");
    expectAssembles(text, "sm_100a");
    for (uint64_t seed = 0; seed < 3; ++seed) {
      Ran ran = run(text, input, 128 * n, RunOptions{.seed = seed}, static_cast<uint32_t>(input.size()));
      ASSERT_TRUE(ran.status.ok()) << test.kind << ran.status.message() << ran.status.causeText();
      for (uint32_t row = 0; row < m; ++row)
        for (uint32_t column = 0; column < n; ++column) {
          double sum = 0;
          for (uint32_t k = 0; k < test.k; ++k) {
            uint32_t block = k / (test.k / test.blocks);
            sum += std::ldexp(value(row, k, 1) * value(column, k, 5),
                              exponent(row, block, 1) + exponent(column, block, 2));
          }
          ASSERT_EQ(std::bit_cast<float>(ran.out[row * n + column]), static_cast<float>(sum))
              << test.kind << " " << row << " " << column;
        }
    }
  }
}

TEST(TensorCore, AllocationIsChecked) {
  std::string good = program("");
  expectAssembles(good, "sm_100a");
  EXPECT_TRUE(run(good, {}, 1).status.ok());
  auto replaced = [&](const std::string &from, const std::string &to) {
    std::string text = good;
    size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos);
    return run(text.replace(at, from.size(), to), {}, 1).status;
  };
  EXPECT_EQ(replaced("[%r3], 256", "[%r3], 48").id(), "E-EMULATED-OPERAND");
  EXPECT_EQ(replaced("tcgen05.dealloc.cta_group::1.sync.aligned.b32 %r10, 256;", "").id(),
            "E-EMULATED-ASYNC");
  EXPECT_EQ(replaced("%r10, 256;", "%r10, 128;").id(), "E-EMULATED-OPERAND");
  Status outside =
      run(program("tcgen05.ld.sync.aligned.32x32b.x1.b32 {%q0}, [%r11+256]; tcgen05.wait::ld.sync.aligned;"),
          {}, 1)
          .status;
  EXPECT_EQ(outside.id(), "E-EMULATED-OUT-OF-BOUNDS");
  Status lanes =
      run(program("tcgen05.ld.sync.aligned.32x32b.x1.b32 {%q0}, [%r10]; tcgen05.wait::ld.sync.aligned;"), {},
          1)
          .status;
  EXPECT_EQ(lanes.id(), "E-EMULATED-OPERAND");
  Status unread =
      run(program("tcgen05.ld.sync.aligned.32x32b.x1.b32 {%q0}, [%r11]; tcgen05.wait::ld.sync.aligned;"), {},
          1)
          .status;
  EXPECT_EQ(unread.id(), "E-EMULATED-UNINITIALISED");
}

} // namespace
} // namespace quern::runtime::emulated
