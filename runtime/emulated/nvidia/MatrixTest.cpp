//===- MatrixTest.cpp - mma.sync ------------------------------------------===//
//
// PTX ISA 9.0, 9.7.14. The expected matrices are built with one general rule of the fragments, written again
// here: with w elements in a register, the inner index (k of A and B, n of C) takes the register's elements,
// then the quad's four lanes; the outer index the eight quads, then (A and C) the second eight rows in
// registers, then the rest of the inner index.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/AssemblerTest.h"
#include "runtime/emulated/nvidia/FormatTables.h"
#include "runtime/emulated/nvidia/PtxTest.h"

#include <functional>
#include <map>
#include <random>

namespace quern::runtime::emulated {
namespace {

using test::Exact;
using test::Format;

constexpr Format e2m1 = {"e2m1", 2, 1, 1, false, false, 0};
constexpr Format e2m3 = {"e2m3", 2, 3, 1, false, false, 0};
constexpr Format e3m2 = {"e3m2", 3, 2, 3, false, false, 0};
constexpr Format tf32 = {"tf32", 8, 10, 127, true, true, 0};

/// How an element type lies in registers: |codeBits| of |bits|, from |shift| up.
struct Element {
  std::string name;
  unsigned bits, shift = 0;
  std::function<double(uint32_t)> value;
  std::function<uint32_t(std::mt19937 &)> random; ///< a code whose products add up exactly
};

Element floatElement(const Format &format, unsigned bits, unsigned shift, int lowExponent, int highExponent) {
  return {format.name, bits, shift, [&format](uint32_t code) { return format.value(code); },
          [&format, lowExponent, highExponent](std::mt19937 &random) {
            auto exponent = static_cast<uint32_t>(
                lowExponent +
                static_cast<int>(random() % static_cast<unsigned>(highExponent - lowExponent + 1)));
            return (random() & 1) * format.signBit() | exponent << format.mantissaBits |
                   (random() & ((1u << format.mantissaBits) - 1));
          }};
}

Element element(const std::string &name, bool inBytes) {
  if (name == "f16")
    return floatElement(test::f16, 16, 0, 10, 18);
  if (name == "bf16")
    return floatElement(test::bf16, 16, 0, 120, 132);
  if (name == "tf32") {
    Element made = floatElement(tf32, 32, 13, 122, 130);
    return made;
  }
  if (name == "e4m3")
    return floatElement(test::e4m3, 8, 0, 0, 14);
  if (name == "e5m2")
    return floatElement(test::e5m2, 8, 0, 8, 22);
  if (name == "e2m3")
    return floatElement(e2m3, 8, 0, 0, 3);
  if (name == "e3m2")
    return floatElement(e3m2, 8, 0, 0, 7);
  if (name == "e2m1")
    return floatElement(e2m1, inBytes ? 8 : 4, inBytes ? 2 : 0, 0, 3);
  unsigned bits = name[1] == '8' ? 8 : 4;
  bool isSigned = name[0] == 's';
  return {name, bits, 0,
          [=](uint32_t code) {
            double value = code;
            return isSigned && code >> (bits - 1) ? value - (1 << bits) : value;
          },
          [=](std::mt19937 &random) { return static_cast<uint32_t>(random() & ((1u << bits) - 1)); }};
}

struct Form {
  uint32_t m, n, k;
  std::string sum, a, b, target = "sm_80", kind = "", scales = ""; ///< "scale_vec::1X", ...
  std::string scaleType = "";
  bool saturate = false;

  bool inBytes() const { return kind == "f8f6f4" || kind == "mxf8f6f4"; }
  std::string opcode() const {
    std::string text = "mma.sync.aligned.m" + std::to_string(m) + "n" + std::to_string(n) + "k" +
                       std::to_string(k) + ".row.col";
    if (!kind.empty())
      text += ".kind::" + kind;
    if (!scales.empty())
      text += ".block_scale." + scales;
    text += (saturate ? ".satfinite." : ".") + sum + "." + a + "." + b + "." + sum;
    return text + (scales.empty() ? "" : "." + scaleType);
  }
  uint32_t wordsA() const { return m * k * element(a, inBytes()).bits / 1024; }
  uint32_t wordsB() const { return n * k * element(b, inBytes()).bits / 1024; }
  uint32_t wordsC() const { return m * n * (sum == "f16" ? 16 : 32) / 1024; }
};

/// Matrices as codes, by rows: A is m x k, B is n x k, C is m x n.
struct Matrices {
  std::vector<uint32_t> a, b, c;
  std::vector<uint32_t> scaleA, scaleB; ///< words by lane
  uint32_t byteA = 0, threadA = 0, byteB = 0, threadB = 0;
};

/// Calls |visit|(lane, word, bit, outer, inner) for each element of a fragment.
void forFragment(uint32_t outer, uint32_t inner, uint32_t bits, bool isFactor,
                 const std::function<void(uint32_t, uint32_t, uint32_t, uint32_t, uint32_t)> &visit) {
  // Elements in a register: of a factor what fits, of a sum two in the inner index whatever their size.
  uint32_t w = isFactor ? 32 / bits : 2, steps = outer / 8;
  for (uint32_t o = 0; o < outer; ++o)
    for (uint32_t i = 0; i < inner; ++i) {
      uint32_t lane = o % 8 * 4 + i / w % 4;
      uint32_t index = i % w + w * (o / 8 + steps * (i / (4 * w)));
      visit(lane, index * bits / 32, index * bits % 32, o, i);
    }
}

std::vector<uint32_t> pack(const std::vector<uint32_t> &codes, uint32_t outer, uint32_t inner, uint32_t bits,
                           uint32_t shift, bool isFactor, uint32_t words) {
  std::vector<uint32_t> out(32 * words);
  forFragment(outer, inner, bits, isFactor,
              [&](uint32_t lane, uint32_t word, uint32_t bit, uint32_t o, uint32_t i) {
                out.at(lane * words + word) |= codes.at(o * inner + i) << shift << bit;
              });
  return out;
}

std::string registers(const std::string &prefix, uint32_t count) {
  std::string text = "{";
  for (uint32_t i = 0; i < count; ++i)
    text += (i ? ", %" : "%") + prefix + std::to_string(i);
  return text + "}";
}

std::string program(const Form &form, const Matrices &matrices) {
  std::string text = ".version 8.8\n.target " + form.target + "\n.address_size 64\n" + R"(
.visible .entry k(.param .u64 .ptr a, .param .u64 .ptr b, .param .u64 .ptr c, .param .u64 .ptr s, .param .u64 .ptr out) {
  .reg .b32 %r<8>; .reg .b32 %a<8>; .reg .b32 %b<8>; .reg .b32 %c<8>; .reg .b32 %s<4>; .reg .b64 %d<8>;
  mov.u32 %r1, %tid.x;
)";
  auto move = [&](const char *parameter, const std::string &prefix, uint32_t count, bool isStore) {
    text += "ld.param.u64 %d1, [" + std::string(parameter) + "]; mul.wide.u32 %d2, %r1, " +
            std::to_string(4 * count) + "; add.u64 %d1, %d1, %d2;\n";
    for (uint32_t i = 0; i < count; ++i) {
      std::string at = "[%d1+" + std::to_string(4 * i) + "]", reg = "%" + prefix + std::to_string(i);
      text +=
          isStore ? "st.global.b32 " + at + ", " + reg + ";\n" : "ld.global.b32 " + reg + ", " + at + ";\n";
    }
  };
  move("a", "a", form.wordsA(), false);
  move("b", "b", form.wordsB(), false);
  move("c", "c", form.wordsC(), false);
  move("s", "s", 2, false);
  text += form.opcode() + " " + registers("c", form.wordsC()) + ", " + registers("a", form.wordsA()) + ", " +
          registers("b", form.wordsB()) + ", " + registers("c", form.wordsC());
  auto selectors = [](uint32_t byte, uint32_t thread) {
    return ", {" + std::to_string(byte) + ", " + std::to_string(thread) + "}";
  };
  if (!form.scales.empty())
    text += ", {%s0}" + selectors(matrices.byteA, matrices.threadA) + ", {%s1}" +
            selectors(matrices.byteB, matrices.threadB);
  text += ";\n";
  move("out", "c", form.wordsC(), true);
  return text + "ret;\n}\n";
}

/// D as codes by rows, m x n.
std::vector<uint32_t> runForm(const Form &form, const Matrices &matrices, Status &status, uint64_t seed = 0) {
  Element a = element(form.a, form.inBytes()), b = element(form.b, form.inBytes());
  std::string text = program(form, matrices);
  Gpu gpu("nvidia:" + form.target, RunOptions{.seed = seed});
  auto bufferA = gpu.buffer(pack(matrices.a, form.m, form.k, a.bits, a.shift, true, form.wordsA()));
  auto bufferB = gpu.buffer(pack(matrices.b, form.n, form.k, b.bits, b.shift, true, form.wordsB()));
  uint32_t sumBits = form.sum == "f16" ? 16 : 32;
  auto bufferC = gpu.buffer(pack(matrices.c, form.m, form.n, sumBits, 0, false, form.wordsC()));
  std::vector<uint32_t> scales(64);
  for (uint32_t lane = 0; lane < 32 && !matrices.scaleA.empty(); ++lane) {
    scales[2 * lane] = matrices.scaleA[lane];
    scales[2 * lane + 1] = matrices.scaleB[lane];
  }
  auto bufferS = gpu.buffer(scales);
  auto out = gpu.blank<uint32_t>(32 * form.wordsC());
  LaunchShape shape;
  shape.threads = 32;
  status = gpu.run(
      text, shape,
      {pointerTo(*bufferA), pointerTo(*bufferB), pointerTo(*bufferC), pointerTo(*bufferS), pointerTo(*out)});
  auto words = gpu.read<uint32_t>(*out);
  std::vector<uint32_t> d(form.m * form.n);
  forFragment(form.m, form.n, sumBits, false,
              [&](uint32_t lane, uint32_t word, uint32_t bit, uint32_t o, uint32_t i) {
                d[o * form.n + i] =
                    words[lane * form.wordsC() + word] >> bit & (sumBits == 16 ? 0xFFFFu : ~0u);
              });
  return d;
}

double scaleValue(const Form &form, uint32_t code) {
  return form.scaleType == "ue4m3" ? test::e4m3.value(code & 0x7F)
                                   : std::pow(2.0, static_cast<int>(code) - 127);
}

/// What D must be: the exact sum, rounded once.
std::vector<uint32_t> reference(const Form &form, const Matrices &matrices) {
  Element a = element(form.a, form.inBytes()), b = element(form.b, form.inBytes());
  uint32_t chunks = form.scales.empty() ? 1 : static_cast<uint32_t>(form.scales[11] - '0');
  std::vector<uint32_t> d;
  for (uint32_t m = 0; m < form.m; ++m)
    for (uint32_t n = 0; n < form.n; ++n) {
      Exact sum = 0;
      for (uint32_t k = 0; k < form.k; ++k) {
        Exact product =
            Exact(a.value(matrices.a[m * form.k + k])) * Exact(b.value(matrices.b[n * form.k + k]));
        if (!form.scales.empty()) {
          uint32_t chunk = k / (form.k / chunks), laneA = m % 8 * 4 + matrices.threadA * 2 + m / 8;
          uint32_t codeA = matrices.scaleA[laneA] >> (8 * (matrices.byteA + chunk)) & 255;
          uint32_t codeB = matrices.scaleB[n * 4 + matrices.threadB] >> (8 * (matrices.byteB + chunk)) & 255;
          product *= Exact(scaleValue(form, codeA)) * Exact(scaleValue(form, codeB));
        }
        sum += product;
      }
      uint32_t c = matrices.c[m * form.n + n];
      if (form.sum == "f32")
        d.push_back(std::bit_cast<uint32_t>(static_cast<float>(sum + Exact(std::bit_cast<float>(c)))));
      else if (form.sum == "f16")
        d.push_back(test::f16.nearest(static_cast<double>(sum + Exact(test::f16.value(c)))));
      else {
        auto total = static_cast<int64_t>(sum) + static_cast<int32_t>(c);
        d.push_back(
            static_cast<uint32_t>(form.saturate ? std::clamp<int64_t>(total, INT32_MIN, INT32_MAX) : total));
      }
    }
  return d;
}

Matrices randomMatrices(const Form &form, uint64_t seed) {
  std::mt19937 random(static_cast<uint32_t>(seed + 1));
  Element a = element(form.a, form.inBytes()), b = element(form.b, form.inBytes());
  Matrices made;
  for (uint32_t i = 0; i < form.m * form.k; ++i)
    made.a.push_back(a.random(random));
  for (uint32_t i = 0; i < form.n * form.k; ++i)
    made.b.push_back(b.random(random));
  for (uint32_t i = 0; i < form.m * form.n; ++i) {
    int value = static_cast<int>(random() % 2001) - 1000;
    made.c.push_back(form.sum == "f32"   ? std::bit_cast<uint32_t>(static_cast<float>(value) / 8)
                     : form.sum == "f16" ? test::f16.nearest(value / 16.0)
                                         : random());
  }
  for (uint32_t i = 0; i < 32; ++i) {
    // Exponents near 127; ue4m3 codes of moderate size.
    auto word = [&] {
      uint32_t bytes = 0;
      for (int j = 0; j < 4; ++j)
        bytes |= (form.scaleType == "ue4m3" ? 0x20 + random() % 0x30 : 121 + random() % 13) << (8 * j);
      return bytes;
    };
    made.scaleA.push_back(word());
    made.scaleB.push_back(word());
  }
  return made;
}

std::vector<Form> allForms() {
  std::vector<Form> forms;
  for (uint32_t k : {8, 16}) {
    forms.push_back({16, 8, k, "f32", "f16", "f16"});
    forms.push_back({16, 8, k, "f16", "f16", "f16"});
    forms.push_back({16, 8, k, "f32", "bf16", "bf16"});
    forms.push_back({16, 8, k / 2, "f32", "tf32", "tf32"});
  }
  for (std::string a : {"e4m3", "e5m2"})
    for (std::string b : {"e4m3", "e5m2"})
      for (uint32_t k : {16, 32})
        for (std::string sum : {"f32", "f16"})
          forms.push_back({16, 8, k, sum, a, b, "sm_89"});
  for (bool saturate : {false, true}) {
    for (std::string a : {"s8", "u8"})
      for (std::string b : {"s8", "u8"})
        for (auto [m, k] : {std::pair(8u, 16u), {16u, 16u}, {16u, 32u}})
          forms.push_back({m, 8, k, "s32", a, b, "sm_80", "", "", "", saturate});
    for (std::string a : {"s4", "u4"})
      for (auto [m, k] : {std::pair(8u, 32u), {16u, 32u}, {16u, 64u}})
        forms.push_back({m, 8, k, "s32", a, a == "s4" ? "u4" : "s4", "sm_80", "", "", "", saturate});
  }
  const std::string small[] = {"e4m3", "e5m2", "e2m3", "e3m2", "e2m1"};
  for (size_t i = 0; i < 5; ++i)
    for (size_t j = 0; j < 5; ++j) {
      forms.push_back({16, 8, 32, (i + j) % 2 ? "f16" : "f32", small[i], small[j], "sm_120a", "f8f6f4"});
      forms.push_back(
          {16, 8, 32, "f32", small[i], small[j], "sm_120a", "mxf8f6f4", "scale_vec::1X", "ue8m0"});
    }
  forms.push_back({16, 8, 64, "f32", "e2m1", "e2m1", "sm_120a", "mxf4", "scale_vec::2X", "ue8m0"});
  forms.push_back({16, 8, 64, "f32", "e2m1", "e2m1", "sm_120a", "mxf4nvf4", "scale_vec::2X", "ue8m0"});
  forms.push_back({16, 8, 64, "f32", "e2m1", "e2m1", "sm_120a", "mxf4nvf4", "scale_vec::4X", "ue4m3"});
  return forms;
}

TEST(Matrix, EveryFormGivesTheExactSumRoundedOnce) {
  for (const Form &form : allForms())
    for (uint64_t seed : {0, 3}) {
      Matrices matrices = randomMatrices(form, seed);
      Status status;
      auto d = runForm(form, matrices, status, seed);
      ASSERT_TRUE(status.ok()) << form.opcode() << status.message();
      auto expected = reference(form, matrices);
      for (size_t i = 0; i < d.size(); ++i)
        ASSERT_EQ(d[i], expected[i]) << form.opcode() << " row " << i / form.n << " column " << i % form.n;
    }
}

TEST(Matrix, ScaleSelectors) {
  Form exponent{16, 8, 32, "f32", "e4m3", "e2m1", "sm_120a", "mxf8f6f4", "scale_vec::1X", "ue8m0"};
  Form pair{16, 8, 64, "f32", "e2m1", "e2m1", "sm_120a", "mxf4", "scale_vec::2X", "ue8m0"};
  Form four{16, 8, 64, "f32", "e2m1", "e2m1", "sm_120a", "mxf4nvf4", "scale_vec::4X", "ue4m3"};
  for (const Form &form : {exponent, pair, four}) {
    uint32_t step = static_cast<uint32_t>(form.scales[11] - '0');
    for (uint32_t thread = 0; thread < 4; ++thread)
      for (uint32_t byte = 0; byte < 4; byte += step) {
        Matrices matrices = randomMatrices(form, 10 * thread + byte);
        matrices.threadA = thread % 2;
        matrices.threadB = thread;
        matrices.byteA = byte;
        matrices.byteB = (byte + step) % 4;
        Status status;
        auto d = runForm(form, matrices, status);
        ASSERT_TRUE(status.ok()) << status.message();
        ASSERT_EQ(d, reference(form, matrices)) << form.opcode() << thread << byte;
      }
  }
  // A scale of NaN spoils its row.
  Matrices matrices = randomMatrices(exponent, 1);
  matrices.scaleA[0] = 0xFFFFFFFF;
  Status status;
  auto d = runForm(exponent, matrices, status);
  EXPECT_EQ(d[0], 0x7FFFFFFFu);
  EXPECT_EQ(d[8], reference(exponent, matrices)[8]);
}

TEST(Matrix, AllCodesOfTheByteFormats) {
  // Each row of A holds one code and zeros, B holds ones.
  for (std::string name : {"e4m3", "e5m2"}) {
    const Format &format = name == "e4m3" ? test::e4m3 : test::e5m2;
    for (uint32_t first = 0; first < 256; first += 16) {
      Form form{16, 8, 32, "f32", name, "e4m3", "sm_89"};
      Matrices matrices;
      matrices.a.assign(16 * 32, 0);
      for (uint32_t m = 0; m < 16; ++m)
        matrices.a[m * 32 + (3 * m + first) % 32] = first + m;
      matrices.b.assign(8 * 32, 0x38);
      matrices.c.assign(128, 0);
      Status status;
      auto d = runForm(form, matrices, status);
      ASSERT_TRUE(status.ok()) << status.message();
      for (uint32_t i = 0; i < 128; ++i) {
        double value = format.value(first + i / 8);
        ASSERT_EQ(d[i],
                  std::isnan(value) ? 0x7FFFFFFF : std::bit_cast<uint32_t>(static_cast<float>(value) + 0.0f))
            << name << first + i / 8;
      }
    }
  }
}

TEST(Matrix, SpecialValues) {
  const uint32_t inf = 0x7F80, nan = 0x7FC1, negativeZero = 0x8000, subnormal = 0x0001, one = 0x3F80;
  Form form{16, 8, 8, "f32", "bf16", "bf16"};
  Matrices matrices;
  matrices.a.assign(16 * 8, negativeZero);
  matrices.b.assign(8 * 8, one);
  matrices.c.assign(16 * 8, 0x80000000);
  matrices.a[0] = inf;
  matrices.a[8] = nan;
  matrices.a[16] = inf;
  matrices.a[17] = inf | 0x8000;
  matrices.a[24] = subnormal;
  matrices.c[4 * 8] = 0x7FC00001;
  Status status;
  auto d = runForm(form, matrices, status);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(d[0], 0x7F800000u);
  EXPECT_EQ(d[8], 0x7FFFFFFFu);
  EXPECT_EQ(d[16], 0x7FFFFFFFu);
  EXPECT_EQ(d[24], 0x00010000u); // a subnormal of bf16 is one of f32
  EXPECT_EQ(d[32], 0x7FFFFFFFu);
  EXPECT_EQ(d[33], 0x00000000u); // the sum of products starts at +0
  // f16 sums overflow to infinity and keep subnormals.
  Form half{16, 8, 8, "f16", "f16", "f16"};
  matrices.a.assign(16 * 8, 0);
  matrices.b.assign(8 * 8, 0x3C00);
  matrices.c.assign(16 * 8, 0x7BFF);
  matrices.a[0] = 0x7BFF;
  matrices.a[8] = 0x0001;
  matrices.c[8] = 0x0002;
  matrices.a[16] = 0x8001;
  matrices.c[16] = 0;
  d = runForm(half, matrices, status);
  EXPECT_EQ(d[0], 0x7C00u);
  EXPECT_EQ(d[8], 0x0003u);
  EXPECT_EQ(d[16], 0x8001u);
  EXPECT_EQ(d[24], 0x7BFFu);
}

TEST(Matrix, LowerBitsOfTF32DoNotCount) {
  Form form{16, 8, 4, "f32", "tf32", "tf32"};
  Matrices matrices = randomMatrices(form, 5), noisy = matrices;
  Status status;
  auto expected = runForm(form, matrices, status);
  std::string text = program(form, matrices);
  // The same with ones in the lower 13 bits of all factors.
  size_t at = text.find("mma.");
  text.insert(at, "or.b32 %a0, %a0, 0x1FFF; or.b32 %a1, %a1, 0x1FFF; or.b32 %b0, %b0, 0x1FFF;\n");
  Gpu gpu("nvidia:sm_80");
  auto a = gpu.buffer(pack(matrices.a, 16, 4, 32, 13, true, 2)),
       b = gpu.buffer(pack(matrices.b, 8, 4, 32, 13, true, 1)),
       c = gpu.buffer(pack(matrices.c, 16, 8, 32, 0, false, 4)), s = gpu.blank<uint32_t>(64),
       out = gpu.blank<uint32_t>(128);
  LaunchShape shape;
  shape.threads = 32;
  ASSERT_TRUE(
      gpu.run(text, shape, {pointerTo(*a), pointerTo(*b), pointerTo(*c), pointerTo(*s), pointerTo(*out)})
          .ok());
  EXPECT_EQ(gpu.read<uint32_t>(*out), pack(expected, 16, 8, 32, 0, false, 4));
}

/// Runs |body| in one warp (or |threads|) and says how it ended.
Status runBody(const std::string &body, const std::string &target = "sm_80", uint32_t threads = 32,
               RunOptions options = {}) {
  std::string text = ptxHead(target) +
                     ".shared .align 16 .b8 s[1024];\n.visible .entry k(.param .u64 out) {\n"
                     ".reg .pred %p<4>; .reg .b32 %r<16>; .reg .b64 %d<4>;\n"
                     "mov.u32 %r1, %tid.x; mov.u32 %r2, 0; mov.u32 %r3, 0; mov.u32 %r4, 0; "
                     "mov.u32 %r5, 0; mov.u32 %r6, %laneid;\n" +
                     body + "\nret;\n}\n";
  Gpu gpu("nvidia:" + target, options);
  auto out = gpu.blank<uint32_t>(64);
  LaunchShape shape;
  shape.threads = threads;
  return gpu.run(text, shape, {pointerTo(*out)});
}

const std::string plainMultiply =
    "mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {%r2, %r3, %r4, %r5}, {%r2, "
    "%r3}, {%r4}, {%r2, %r3, %r4, %r5};";

TEST(Matrix, AllLanesMustArrive) {
  // A lane has ended.
  Status status = runBody("setp.eq.u32 %p1, %r6, 7; @%p1 exit; " + plainMultiply);
  EXPECT_EQ(status.id(), "E-EMULATED-DIVERGENCE");
  EXPECT_NE(status.message().find("m16n8k8"), std::string::npos);
  // A warp that is not full.
  EXPECT_EQ(runBody(plainMultiply, "sm_80", 40).id(), "E-EMULATED-DIVERGENCE");
  // Two places.
  status = runBody("setp.lt.u32 %p1, %r6, 7; @%p1 bra other; " + plainMultiply +
                   " bra join; other: " + plainMultiply + " join:");
  EXPECT_EQ(status.id(), "E-EMULATED-DIVERGENCE");
  // One lane waits elsewhere.
  status = runBody("setp.eq.u32 %p1, %r6, 7; @%p1 bra other; " + plainMultiply + " other: bar.sync 0;");
  EXPECT_EQ(status.id(), "E-EMULATED-DEADLOCK");
}

TEST(Matrix, FormsThatDoNotExistAreNotModelled) {
  auto form = [&](const std::string &opcode, const std::string &target,
                  const std::string &a = "{%r2, %r3, %r4, %r5}", const std::string &b = "{%r2, %r3}") {
    return idOf(
        runBody(opcode + " {%r2, %r3, %r4, %r5}, " + a + ", " + b + ", {%r2, %r3, %r4, %r5};", target));
  };
  // fp8 came with sm_89, .kind exists on sm_120a only.
  EXPECT_EQ(form("mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32", "sm_80"), "E-EMULATED-NOT-MODELLED");
  EXPECT_EQ(form("mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32", "sm_89"), "");
  EXPECT_EQ(form("mma.sync.aligned.m16n8k32.row.col.kind::f8f6f4.f32.e4m3.e2m1.f32", "sm_100a"),
            "E-EMULATED-NOT-MODELLED");
  EXPECT_EQ(form("mma.sync.aligned.m16n8k32.row.col.kind::f8f6f4.f32.e4m3.e2m1.f32", "sm_120a"), "");
  EXPECT_EQ(form("mma.sync.aligned.m16n8k16.row.col.f32.bf16.f16.f32", "sm_80"), "E-EMULATED-NOT-MODELLED");
  EXPECT_EQ(form("mma.sync.aligned.m16n8k16.row.row.f32.bf16.bf16.f32", "sm_80"), "E-EMULATED-NOT-MODELLED");
  EXPECT_EQ(form("mma.sync.aligned.m16n8k16.row.col.satfinite.f32.bf16.bf16.f32", "sm_80"),
            "E-EMULATED-NOT-MODELLED");
  // A register too many.
  EXPECT_EQ(form("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", "sm_80", "{%r2, %r3, %r4, %r5}",
                 "{%r2, %r3, %r4}"),
            "E-EMULATED-NOT-MODELLED");
}

TEST(Matrix, SelectorsOutOfRange) {
  auto run = [&](const std::string &byteA, const std::string &threadA, const std::string &byteB,
                 const std::string &threadB) {
    return idOf(
        runBody(".reg .b16 %h<8>; mov.u16 %h1, " + byteA + "; mov.u16 %h2, " + threadA + "; mov.u16 %h3, " +
                    byteB + "; mov.u16 %h4, " + threadB +
                    "; mma.sync.aligned.m16n8k64.row.col.kind::mxf4."
                    "block_scale.scale_vec::2X.f32.e2m1.e2m1.f32.ue8m0 {%r2, %r3, %r4, %r5}, {%r2, %r3, %r4, "
                    "%r5}, {%r2, %r3}, {%r2, %r3, %r4, %r5}, {%r2}, {%h1, %h2}, {%r3}, {%h3, %h4};",
                "sm_120a"));
  };
  EXPECT_EQ(run("0", "1", "2", "3"), "");
  EXPECT_EQ(run("1", "1", "2", "3"), "E-EMULATED-OPERAND");
  EXPECT_EQ(run("0", "2", "2", "3"), "E-EMULATED-OPERAND");
  EXPECT_EQ(run("0", "1", "4", "3"), "E-EMULATED-OPERAND");
  EXPECT_EQ(run("0", "1", "2", "4"), "E-EMULATED-OPERAND");
}

TEST(Matrix, TheAssemblerTakesEveryForm) {
  std::map<std::string, std::string> byTarget;
  for (const Form &form : allForms()) {
    std::string text = program(form, randomMatrices(form, 0)), &into = byTarget[form.target];
    if (into.empty())
      into = text.substr(0, text.find(".visible"));
    text = text.substr(text.find(".visible"));
    text.replace(text.find(" k("), 3, " k" + std::to_string(into.size()) + "(");
    into += text;
  }
  for (const auto &[target, text] : byTarget)
    test::expectAssembles(text, target);
}

} // namespace
} // namespace quern::runtime::emulated
