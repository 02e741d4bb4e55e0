//===- MatrixTest.cpp - MFMA and WMMA against plain products ---------------===//
//
// Every matrix instruction of every target, its modifiers, special numbers and constants; see
// TestMatrices.h.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/TestKernels.h"
#include "runtime/emulated/amd/TestMatrices.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <deque>

namespace quern::runtime::emulated::amd {
namespace {

using Words = std::vector<uint32_t>;
using Factor = std::function<double(unsigned, unsigned, unsigned)>;

/// Problems that run together in one kernel, and what is expected of each.
class Batch {
public:
  explicit Batch(const std::string &target) : target(target) {}

  /// A problem; it may be changed until `run`, to what is expected.
  Problem &add(const Shape &shape, unsigned seed, bool small, const std::string &modifiers = "",
               const std::string &c = "", bool accumulation = false) {
    problems.emplace_back(shape, target, seed, small);
    jobs.push_back(problems.back().job(modifiers, c, accumulation));
    exact.push_back(small);
    factors.emplace_back();
    blocks.emplace_back();
    return problems.back();
  }
  MatrixJob &job() { return jobs.back(); }
  void scaledBy(Factor factor) { factors.back() = std::move(factor); }
  void withBlocksOfA(std::function<unsigned(unsigned)> block) { blocks.back() = std::move(block); }
  size_t size() const { return jobs.size(); }

  void run() {
    auto results = runMatrices(target, jobs);
    for (size_t i = 0; i < jobs.size() && !testing::Test::HasFatalFailure(); ++i)
      problems[i].check(results[i], exact[i], jobs[i].text, factors[i], blocks[i]);
  }

private:
  std::string target;
  std::deque<Problem> problems;
  std::vector<MatrixJob> jobs;
  std::vector<bool> exact;
  std::vector<Factor> factors;
  std::vector<std::function<unsigned(unsigned)>> blocks;
};

std::string flags(unsigned mask) {
  return std::string("[") + (mask & 1 ? "1" : "0") + "," + (mask & 2 ? "1" : "0") + "," +
         (mask & 4 ? "1" : "0") + "]";
}

class Matrices : public testing::TestWithParam<std::string> {
protected:
  /// The name before or since gfx942.
  Shape shape(const std::string &old, const std::string &recent) const {
    return shapeOf(mfmaShapes(), GetParam() == "gfx90a" ? old : recent, GetParam());
  }
  Shape shape(const std::string &name) const { return shapeOf(wmmaShapes(), name, GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(Targets, Matrices, testing::ValuesIn(allTargets()),
                         [](const auto &info) { return info.param; });

TEST_P(Matrices, EveryInstructionIsAProduct) {
  unsigned seed = 1;
  Batch batch(GetParam());
  auto shapes = isWave32(GetParam()) ? wmmaShapes() : mfmaShapes();
  for (const Shape &shape : shapes)
    if (shape.targets.find(GetParam()) != std::string::npos)
      for (bool small : {true, false}) {
        ++seed;
        batch.add(shape, seed, small, "", "", !isWave32(GetParam()) && seed % 4 < 2);
      }
  EXPECT_EQ(batch.size() / 2, GetParam() == "gfx90a"    ? 27u
                              : GetParam() == "gfx942"  ? 20u + 2 + 2 + 8
                              : GetParam() == "gfx950"  ? 20u + 2 + 8 + 4 + 2 + 50
                              : GetParam() == "gfx1100" ? 4u + 8
                                                        : 4u + 12 + 4);
  batch.run();
}

class Mfma : public Matrices {};
INSTANTIATE_TEST_SUITE_P(Targets, Mfma, testing::Values("gfx90a", "gfx942", "gfx950"),
                         [](const auto &info) { return info.param; });
class Wmma : public Matrices {};
INSTANTIATE_TEST_SUITE_P(Targets, Wmma, testing::Values("gfx1100", "gfx1201"),
                         [](const auto &info) { return info.param; });

TEST_P(Mfma, BroadcastsBlocksOfA) {
  Batch batch(GetParam());
  std::vector<Shape> shapes = {shape("v_mfma_f32_4x4x4f16", "v_mfma_f32_4x4x4_16b_f16"),
                               shape("v_mfma_f32_16x16x1f32", "v_mfma_f32_16x16x1_4b_f32"),
                               shape("v_mfma_i32_32x32x4i8", "v_mfma_i32_32x32x4_2b_i8")};
  for (const Shape &shape : shapes)
    for (unsigned cbsz = 1; (1u << cbsz) <= shape.blocks; ++cbsz)
      for (unsigned abid : {0u, (1u << cbsz) - 1}) {
        batch.add(shape, cbsz * 10 + abid, true,
                  " cbsz:" + std::to_string(cbsz) + (abid ? " abid:" + std::to_string(abid) : ""));
        batch.withBlocksOfA([=](unsigned b) { return (b >> cbsz << cbsz) + abid; });
      }
  batch.run();
}

TEST_P(Mfma, RearrangesTheLanesOfB) {
  static const int rows[8][4] = {{0, 1, 2, 3}, {0, 1, 0, 1}, {2, 3, 2, 3}, {1, 2, 3, 0},
                                 {0, 0, 0, 0}, {1, 1, 1, 1}, {2, 2, 2, 2}, {3, 3, 3, 3}};
  Batch batch(GetParam());
  Shape shape = this->shape("v_mfma_f32_16x16x1f32", "v_mfma_f32_16x16x1_4b_f32");
  for (unsigned blgp = 1; blgp < 8; ++blgp) {
    Problem &p = batch.add(shape, blgp, true, " blgp:" + std::to_string(blgp));
    // The B that the plain instruction would have been given.
    for (unsigned lane = 0; lane < 64; ++lane) {
      Coordinate c = coordinateAt(forColumns(shape.a), 0, lane);
      p.right[c.b][c.j] = p.packedB[unsigned(rows[blgp][lane / 16]) * 16 + lane % 16];
    }
  }
  batch.run();
}

TEST_P(Mfma, RefusesModifiersThatTheManualDoesNotGive) {
  bool old = GetParam() == "gfx90a";
  std::string blocks = std::string(old ? "v_mfma_f32_4x4x1f32" : "v_mfma_f32_4x4x1_16b_f32") +
                       " v[128:131], v16, v48, v[64:67] cbsz:";
  for (const std::string &text :
       {std::string(old ? "v_mfma_f64_16x16x4f64 v[128:135], v[16:17], v[48:49], v[64:71] blgp:1"
                        : "v_mfma_f32_16x16x16_f16 v[128:131], v[16:17], v[48:49], v[64:67] blgp:1"),
        blocks + "5", blocks + "1 abid:2"}) {
    KernelRun run(GetParam(), assemble(GetParam(), kernelAssembly(GetParam(), text + "\n", 1)));
    run.options.sanitize = false;
    EXPECT_EQ(run.buffer(Words(4)).launch(1, 64).id(), "E-EMULATED-NOT-MODELLED") << text;
  }
}

TEST_P(Mfma, NegatesDoublesAndTakesConstants) {
  Batch batch(GetParam());
  Shape wide = shape("v_mfma_f64_16x16x4f64", "v_mfma_f64_16x16x4_f64"),
        narrow = shape("v_mfma_f32_32x32x2f32", "v_mfma_f32_32x32x2_f32"),
        integer = shape("v_mfma_i32_16x16x4i8", "v_mfma_i32_16x16x4_4b_i8");
  for (unsigned neg = 0; neg < (GetParam() == "gfx90a" ? 1u : 8u); ++neg) {
    Problem &p = batch.add(wide, neg, true, neg ? " neg:" + flags(neg) : "");
    for (uint64_t &code : p.start[0])
      code ^= neg & 4 ? 1ull << 63 : 0;
    batch.scaledBy([=](unsigned, unsigned, unsigned) { return std::popcount(neg & 3) % 2 ? -1 : 1; });
  }
  auto withConstant = [&](const Shape &shape, const char *constant, uint64_t code, bool accumulation) {
    for (auto &block : batch.add(shape, 77, true, "", constant, accumulation).start)
      block.assign(block.size(), code);
  };
  withConstant(wide, "1.0", std::bit_cast<uint64_t>(1.0), false);
  withConstant(wide, "-4.0", std::bit_cast<uint64_t>(-4.0), false);
  withConstant(wide, "0", 0, false);
  withConstant(narrow, "2.0", bits(2.0f), true);
  withConstant(narrow, "0.5", bits(0.5f), false);
  withConstant(integer, "-7", uint32_t(-7), false);
  batch.run();
}

TEST_P(Mfma, IgnoresExec) {
  Batch batch(GetParam());
  Shape shape = this->shape("v_mfma_f32_32x32x8bf16_1k", "v_mfma_f32_32x32x8_bf16");
  batch.add(shape, 5, true);
  batch.job().text = "s_mov_b64 exec, 0x5\n" + batch.job().text;
  batch.add(shape, 6, true);
  batch.job().text = "s_mov_b64 exec, 0\n" + batch.job().text;
  batch.run();
}

TEST_P(Mfma, MayOverwriteItsInputs) {
  Batch batch(GetParam());
  Shape shape = this->shape("v_mfma_f32_16x16x16bf16_1k", "v_mfma_f32_16x16x16_bf16");
  batch.add(shape, 8, true);
  // D over A and B of a second instruction: it must see them whole.
  batch.job().text = "v_mov_b32 v128, v16\nv_mov_b32 v129, v17\nv_mov_b32 v130, v48\nv_mov_b32 v131, v49\n" +
                     shape.name + " v[128:131], v[128:129], v[130:131], v[64:67]";
  batch.run();
}

TEST_P(Mfma, SubnormalsOfSixteenBitInputs) {
  bool flushes = GetParam() == "gfx90a";
  std::string half = flushes ? "v_mfma_f32_16x16x16f16" : "v_mfma_f32_16x16x16_f16",
              brain = flushes ? "v_mfma_f32_16x16x16bf16_1k" : "v_mfma_f32_16x16x16_bf16",
              rest = " v[128:131], v[16:17], v[48:49], 0";
  // Every product is 2^-20 (a subnormal of binary16) times 1; the sum of 16 times 2^-66 * 2^-66 is subnormal.
  Words a(2 * 64, 0x00100010), b(2 * 64, 0x3c003c00), tiny(2 * 64, (127 - 66) << 7 | (127 - 66) << 23);
  auto outs = runMatrices(GetParam(), {{half + rest, {a, b}, 4}, {brain + rest, {tiny, tiny}, 4}});
  EXPECT_EQ(outs[0], Words(4 * 64, bits(flushes ? 0.0f : 16 * 0x1p-20f)));
  EXPECT_EQ(outs[1], Words(4 * 64, bits(flushes ? 0.0f : 0x1p-128f)));
}

TEST_P(Mfma, SpecialNumbers) {
  std::string name = GetParam() == "gfx90a" ? "v_mfma_f32_16x16x16f16" : "v_mfma_f32_16x16x16_f16";
  std::vector<MatrixJob> jobs;
  for (auto [x, y, c] : {std::tuple{0x7c007c00u, 0x3c003c00u, "0"},
                         {0x7c007c00u, 0u, "0"},
                         {0x7e007e00u, 0x3c003c00u, "0"},
                         {0x7bff7bffu, 0x7bff7bffu, "0"},
                         {0u, 0x3c003c00u, "1.0"},
                         {0x7c007c00u, 0xfc00fc00u, "0"},
                         {0x7c00fc00u, 0x3c003c00u, "0"}})
    jobs.push_back({name + " v[128:131], v[16:17], v[48:49], " + c, {Words(128, x), Words(128, y)}, 4});
  auto outs = runMatrices(GetParam(), jobs);
  EXPECT_EQ(outs[0][0], 0x7f800000u);                       // inf * 1
  EXPECT_EQ(outs[1][0], 0x7fc00000u);                       // inf * 0
  EXPECT_EQ(outs[2][0], 0x7fc00000u);                       // NaN
  EXPECT_EQ(outs[3][0], bits(float(16 * 65504. * 65504.))); // no overflow in binary32
  EXPECT_EQ(outs[4][0], bits(1.0f));
  EXPECT_EQ(outs[5][0], 0xff800000u); // inf * -inf
  EXPECT_EQ(outs[6][0], 0x7fc00000u); // inf - inf
}

TEST(ScaledMfma, ScalesBlocksOf32) {
  Batch batch("gfx950");
  unsigned seed = 100;
  auto shapes = mfmaShapes();
  for (const Shape &plain : shapes) {
    if (plain.name.find("f8f6f4") == std::string::npos)
      continue;
    unsigned byteA = seed % 4, byteB = seed / 4 % 4, m = plain.m;
    std::mt19937 random(++seed);
    Words scaleA(64), scaleB(64);
    for (Words *words : {&scaleA, &scaleB})
      for (uint32_t &word : *words)
        for (unsigned byte = 0; byte < 4; ++byte)
          word |= (124 + random() % 7) << (8 * byte);
    batch.add(plain, seed, true);
    MatrixJob &job = batch.job();
    job.text.insert(6, "_scale");
    job.text.insert(job.text.find(" cbsz"), ", v112, v113 op_sel:" + flags((byteA & 1) | (byteB & 1) << 1) +
                                                " op_sel_hi:" + flags(byteA >> 1 | byteB >> 1 << 1));
    job.inputs.push_back(scaleA);
    job.inputs.push_back(scaleB);
    batch.scaledBy([=](unsigned i, unsigned j, unsigned k) {
      // Lane of the scale: the row, then the block of 32 k.
      uint32_t x = scaleA[i + m * (k / 32)] >> (8 * byteA) & 255,
               y = scaleB[j + m * (k / 32)] >> (8 * byteB) & 255;
      return std::ldexp(1.0, int(x) + int(y) - 254);
    });
  }
  EXPECT_EQ(batch.size(), 50u);
  batch.run();
}

TEST(ScaledMfma, ExtremeScales) {
  Words one(4 * 64, 0x22222222); // E2M1 1.0
  std::vector<MatrixJob> jobs;
  for (auto [a, b] : {std::pair{127u, 127u}, {0u, 127u}, {0u, 254u}, {254u, 254u}, {255u, 127u}})
    jobs.push_back({"v_mfma_scale_f32_16x16x128_f8f6f4 v[128:131], v[16:19], v[48:51], 0, v112, v113 "
                    "op_sel_hi:[0,0,0] cbsz:4 blgp:4",
                    {one, one, Words(), Words(64, a), Words(64, b)},
                    4});
  auto outs = runMatrices("gfx950", jobs);
  EXPECT_EQ(real(outs[0][5]), 128.0f);
  EXPECT_EQ(real(outs[1][5]), 128 * 0x1p-127f); // code 0 is 2^-127
  EXPECT_EQ(real(outs[2][5]), 128.0f);
  EXPECT_EQ(outs[3][5], 0x7f800000u); // overflows to infinity
  EXPECT_EQ(outs[4][5], 0x7fc00000u); // a NaN scale
}

TEST_P(Wmma, SignsAndAbsoluteValues) {
  Batch batch(GetParam());
  Shape shape = this->shape("v_wmma_f32_16x16x16_f16");
  for (unsigned mask = 0; mask < 64; ++mask) {
    unsigned low = mask & 7, high = mask >> 3;
    Problem &p = batch.add(shape, mask, true, " neg_lo:" + flags(low) + " neg_hi:" + flags(high));
    for (uint64_t &code : p.start[0]) {
      code &= high & 4 ? 0x7fffffff : 0xffffffff;
      code ^= low & 4 ? 0x80000000 : 0;
    }
    batch.scaledBy([=](unsigned, unsigned, unsigned k) {
      return std::popcount((k % 2 ? high : low) & 3) % 2 ? -1.0 : 1.0;
    });
  }
  batch.run();
}

TEST_P(Wmma, ConstantAccumulators) {
  Batch batch(GetParam());
  std::deque<Shape> shapes;
  for (auto [name, constant, code] : {std::tuple{"v_wmma_f32_16x16x16_bf16", "1.0", uint64_t(bits(1.0f))},
                                      {"v_wmma_f32_16x16x16_f16", "0", 0ull},
                                      {"v_wmma_f16_16x16x16_f16", "2.0", 0x4000ull},
                                      {"v_wmma_bf16_16x16x16_bf16", "0.5", 0x3f00ull},
                                      {"v_wmma_i32_16x16x16_iu8", "-5", 0xfffffffbull}}) {
    shapes.push_back(shape(name));
    Problem &p = batch.add(shapes.back(), 3, true, "", constant);
    p.start[0].assign(p.start[0].size(), code);
  }
  batch.run();
}

TEST_P(Wmma, ClampsIntegers) {
  unsigned width = GetParam() == "gfx1100" ? 4 : 2;
  std::string text = "v_wmma_i32_16x16x16_iu8 v[128:135], " + registers("v", 16, width) + ", " +
                     registers("v", 48, width) + ", v[64:71] neg_lo:[1,1,0]";
  Words a(width * 32, 0x7f7f7f7f), b(width * 32, 0x81818181), large(8 * 32, 0x7ffffff0),
      small(8 * 32, 0x80000010);
  auto outs = runMatrices(
      GetParam(),
      {{text + " clamp", {a, a, large}, 8}, {text + " clamp", {a, b, small}, 8}, {text, {a, a, large}, 8}});
  EXPECT_EQ(outs[0], Words(8 * 32, 0x7fffffff));
  EXPECT_EQ(outs[1], Words(8 * 32, 0x80000000));
  EXPECT_EQ(outs[2], Words(8 * 32, 0x7ffffff0u + 16 * 127 * 127));
}

TEST(WmmaOfGfx1100, HighHalvesOfSixteenBitResults) {
  Shape shape = shapeOf(wmmaShapes(), "v_wmma_f16_16x16x16_f16", "gfx1100");
  Problem p(shape, "gfx1100", 9, true);
  for (uint32_t &word : p.packedC)
    word = word << 16 | 0x1234; // C in the high halves
  MatrixJob job = p.job(" op_sel:[0,0,1]");
  Words out = runMatrices("gfx1100", {job})[0];
  for (uint32_t &word : out) {
    ASSERT_EQ(word & 0xffff, 0xffffu); // the low half of what was in D
    word >>= 16;
  }
  p.check(out, true, job.text);
}

TEST(WmmaOfGfx1100, TheRepeatedHalfMustAgree) {
  std::string text = "v_mov_b32 v16, v0\nv_mov_b32 v17, 0\nv_mov_b32 v48, 0\nv_mov_b32 v49, 0\n"
                     "v_wmma_i32_16x16x16_iu4 v[128:135], v[16:17], v[48:49], 0\n";
  auto kernel = [](const std::string &body) {
    KernelRun run("gfx1100", assemble("gfx1100", kernelAssembly("gfx1100", body, 1)));
    return run.buffer(Words(4));
  };
  kernel(text).expectFinding(1, 32, "operand");
  kernel("v_and_b32 v0, 15, v0\n" + text).expectSuccess(1, 32);
}

} // namespace
} // namespace quern::runtime::emulated::amd
