//===- AtomsTest.cpp ------------------------------------------------------===//
//
// Spells the tables out again, three times over: the rows of each target by name and rate; every element of
// every fragment by the vendor's formula; the bases as recorded in atom-facts.json.
//
//===----------------------------------------------------------------------===//
#include "dialects/tile/Atoms.h"

#include "tests/dialects/tile/AtomFacts.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>

using namespace quern;
using namespace quern::tile;

namespace {

const TargetInfo &target(std::string_view vendor, std::string_view architecture) {
  const TargetInfo *info = findTarget(vendor, architecture);
  EXPECT_TRUE(info) << architecture;
  return *info;
}

using Formula = std::function<Coordinate(int32_t element, int32_t lane, int32_t warp)>;

void expectFragment(const Layout &layout, std::vector<int32_t> shape, int32_t elements, int32_t lanes,
                    int32_t warps, const Formula &formula, const std::string &what) {
  EXPECT_EQ(layout.shape(), shape) << what;
  ASSERT_EQ(layout.numRegisters(), elements) << what;
  ASSERT_EQ(layout.numLanes(), lanes) << what;
  ASSERT_EQ(layout.numWarps(), warps) << what;
  for (int32_t warp = 0; warp < warps; ++warp)
    for (int32_t lane = 0; lane < lanes; ++lane)
      for (int32_t e = 0; e < elements; ++e)
        ASSERT_EQ(layout.apply(e, lane, warp), formula(e, lane, warp))
            << what << ": element " << e << " of lane " << lane << " of warp " << warp;
}

/// Bits of the types, written out, since the tables ask elementBits().
int32_t bitsOf(ElementType type) {
  return type == ElementType::F32 ? 32 : type == ElementType::BF16 || type == ElementType::F16 ? 16 : 8;
}

TEST(AtomsTest, TheRowsOfEachTarget) {
  using Rows = std::vector<std::pair<std::string, int32_t>>;
  auto rows = [](const TargetInfo &info) {
    Rows result;
    for (const MmaAtom &atom : atomTable(info).mma)
      result.push_back({atom.name, atom.multiplyAddsPerClock});
    return result;
  };
  EXPECT_EQ(rows(target("nvidia", "sm_80")), (Rows{{"mma.m16n8k16.bf16", 1024}, {"mma.m16n8k16.f16", 1024}}));
  EXPECT_EQ(rows(target("nvidia", "sm_89")),
            (Rows{{"mma.m16n8k32.e4m3", 1024}, {"mma.m16n8k16.bf16", 512}, {"mma.m16n8k16.f16", 512}}));
  EXPECT_EQ(rows(target("nvidia", "sm_120a")), (Rows{{"mma.m16n8k32.e4m3", 512},
                                                     {"mma.m16n8k32.e4m3.b32", 512},
                                                     {"mma.m16n8k16.bf16", 256},
                                                     {"mma.m16n8k16.f16", 256}}));
  EXPECT_EQ(rows(target("amd", "gfx90a")), (Rows{{"mfma.m32n32k8.bf16", 512},
                                                 {"mfma.m32n32k8.f16", 512},
                                                 {"mfma.m16n16k16.bf16", 512},
                                                 {"mfma.m16n16k16.f16", 512}}));
  EXPECT_EQ(rows(target("amd", "gfx942")), (Rows{{"mfma.m32n32k16.e4m3fnuz", 2048},
                                                 {"mfma.m16n16k32.e4m3fnuz", 2048},
                                                 {"mfma.m32n32k8.bf16", 1024},
                                                 {"mfma.m32n32k8.f16", 1024},
                                                 {"mfma.m16n16k16.bf16", 1024},
                                                 {"mfma.m16n16k16.f16", 1024}}));
  EXPECT_EQ(rows(target("amd", "gfx950")), (Rows{{"mfma.m32n32k64.e4m3", 4096},
                                                 {"mfma.m32n32k64.e4m3.b32", 4096},
                                                 {"mfma.m16n16k128.e4m3", 4096},
                                                 {"mfma.m16n16k128.e4m3.b32", 4096},
                                                 {"mfma.m32n32k16.bf16", 2048},
                                                 {"mfma.m32n32k16.e4m3", 2048},
                                                 {"mfma.m32n32k16.f16", 2048},
                                                 {"mfma.m16n16k32.bf16", 2048},
                                                 {"mfma.m16n16k32.e4m3", 2048},
                                                 {"mfma.m16n16k32.f16", 2048},
                                                 {"mfma.m32n32k8.bf16", 1024},
                                                 {"mfma.m32n32k8.f16", 1024},
                                                 {"mfma.m16n16k16.bf16", 1024},
                                                 {"mfma.m16n16k16.f16", 1024}}));
  EXPECT_EQ(rows(target("amd", "gfx1100")),
            (Rows{{"wmma.m16n16k16.bf16", 256}, {"wmma.m16n16k16.f16", 256}}));
  EXPECT_EQ(rows(target("amd", "gfx1201")),
            (Rows{{"wmma.m16n16k16.e4m3", 1024}, {"wmma.m16n16k16.bf16", 512}, {"wmma.m16n16k16.f16", 512}}));
  EXPECT_EQ(rows(target("cpu", "x86-64-v3")), (Rows{{"fma.m1n8k1.f32", 16}}));
  EXPECT_EQ(rows(target("cpu", "x86-64-v4")), (Rows{{"fma.m1n16k1.f32", 32}}));
  EXPECT_EQ(rows(target("cpu", "x86-64-v4+avx512bf16")),
            (Rows{{"dot.m1n16k2.bf16", 32}, {"fma.m1n16k1.f32", 32}}));

  // The two targets whose rows are families over n.
  std::set<std::string> hopper = {"mma.m16n8k16.bf16", "mma.m16n8k16.f16", "mma.m16n8k32.e4m3"};
  std::set<std::string> blackwell = hopper;
  for (int n = 8; n <= 256; n += 8)
    for (std::string rest : {"k16.bf16", "k16.f16", "k32.e4m3"})
      hopper.insert("wgmma.m64n" + std::to_string(n) + rest);
  for (int n = 16; n <= 256; n += 16)
    for (std::string rest : {"k16.bf16", "k16.f16", "k32.e4m3", "k32.e4m3.b32"}) {
      blackwell.insert("tcgen05.m128n" + std::to_string(n) + rest);
      if (n % 32 == 0 || rest.ends_with("b32"))
        blackwell.insert("tcgen05.m256n" + std::to_string(n) + rest);
    }
  auto names = [](const TargetInfo &info) {
    std::set<std::string> result;
    for (const MmaAtom &atom : atomTable(info).mma)
      EXPECT_TRUE(result.insert(atom.name).second) << atom.name << " twice";
    return result;
  };
  EXPECT_EQ(names(target("nvidia", "sm_90a")), hopper);
  EXPECT_EQ(names(target("nvidia", "sm_100a")), blackwell);
}

TEST(AtomsTest, RatesAreThoseOfTheFacts) {
  const Json &facts = *atomFacts().find("flop_per_clk");
  auto fastest = [](std::string_view name, ElementType type) {
    std::vector<const MmaAtom *> found = findMmaAtoms(name, type, type);
    return found.empty() ? 0 : found.front()->multiplyAddsPerClock;
  };
  auto fact = [&](std::string_view architecture, std::string_view key) {
    const Json *record = facts.find(architecture)->find(key);
    return record ? int32_t(record->integer() / 2) : 0;
  };
  for (const TargetInfo &info : knownTargets()) {
    if (info.isCpu())
      continue;
    std::string name = std::string(info.vendor) + ":" + std::string(info.architecture);
    bool consumer = info.architecture == "sm_120a";
    EXPECT_EQ(fastest(name, ElementType::BF16), fact(info.architecture, consumer ? "bf16_f32acc" : "bf16"))
        << name;
    EXPECT_EQ(fastest(name, ElementType::F16), fastest(name, ElementType::BF16)) << name;
    ElementType fp8 = info.fp8 == Fp8Flavour::Fnuz ? ElementType::F8E4M3FNUZ : ElementType::F8E4M3;
    EXPECT_EQ(fastest(name, fp8), fact(info.architecture, consumer                        ? "fp8_f32acc"
                                                          : info.architecture == "gfx950" ? "fp8_f8f6f4"
                                                                                          : "fp8"))
        << name;
    EXPECT_EQ(fastest(name, fp8) != 0, info.fp8 != Fp8Flavour::None) << name;
    EXPECT_EQ(!findMmaAtoms(name, fp8, fp8, true).empty(), info.blockScaledMatrix) << name;
    ElementType other = info.fp8 == Fp8Flavour::Fnuz ? ElementType::F8E4M3 : ElementType::F8E4M3FNUZ;
    EXPECT_EQ(fastest(name, other), 0) << name;
  }
}

/// PTX ISA, fragments of mma.m16n8k16 (16 bit) and mma.m16n8k32 (8 bit), of wgmma, with g = lane / 4 and
/// t = lane % 4; data paths of tcgen05.
TEST(AtomsTest, FragmentsOfWarpsAndWarpGroups) {
  for (const TargetInfo &info : knownTargets()) {
    if (info.vendor != "nvidia")
      continue;
    for (const MmaAtom &atom : atomTable(info).mma) {
      std::string what = std::string(info.architecture) + " " + atom.name;
      int32_t w = 32 / bitsOf(atom.a.type);
      int32_t warps = atom.issuer == Issuer::Warp ? 1 : 4;
      EXPECT_EQ(atom.warps(), warps) << what;
      Formula a = [&](int32_t i, int32_t lane, int32_t warp) {
        return Coordinate{16 * warp + lane / 4 + 8 * (i / w % 2),
                          lane % 4 * w + i % w + 4 * w * (i / (2 * w))};
      };
      Formula b = [&](int32_t i, int32_t lane, int32_t) {
        return Coordinate{lane / 4, lane % 4 * w + i % w + 4 * w * (i / w)};
      };
      Formula c = [&](int32_t i, int32_t lane, int32_t warp) {
        return Coordinate{16 * warp + lane / 4 + 8 * (i / 2 % 2), lane % 4 * 2 + i % 2 + 8 * (i / 4)};
      };
      if (atom.issuer == Issuer::Warp) {
        expectFragment(atom.a.layout, {16, 8 * w}, 4 * w, 32, 1, a, what + " A");
        expectFragment(atom.b.layout, {8, 8 * w}, 2 * w, 32, 1, b, what + " B");
        expectFragment(atom.c.layout, {16, 8}, 4, 32, 1, c, what + " C");
        EXPECT_EQ(atom.a.wordsPerLane(), 4) << what;
        EXPECT_EQ(atom.b.wordsPerLane(), 2) << what;
        EXPECT_EQ(atom.c.wordsPerLane(), 4) << what;
        EXPECT_FALSE(atom.shortAccumulator) << what;
      } else if (atom.issuer == Issuer::WarpGroup) {
        expectFragment(atom.a.layout, {64, 8 * w}, 4 * w, 32, 4, a, what + " A");
        expectFragment(atom.c.layout, {64, atom.n}, atom.n / 2, 32, 4, c, what + " C");
        EXPECT_FALSE(atom.b.hasFragment()) << what;
        EXPECT_EQ(atom.b.wordsPerLane(), 0) << what;
        EXPECT_TRUE(atom.a.where == (Where::Register | Where::Shared)) << what;
        EXPECT_TRUE(atom.b.where == Where::Shared && atom.c.where == Where::Register) << what;
        EXPECT_EQ(atom.a.transposable, w == 2) << what;
        EXPECT_EQ(atom.b.transposable, w == 2) << what;
        EXPECT_EQ(atom.shortAccumulator, w == 4) << what;
      } else {
        expectFragment(
            atom.c.layout, {128, atom.n}, atom.n, 32, 4,
            [](int32_t column, int32_t lane, int32_t warp) { return Coordinate{32 * warp + lane, column}; },
            what + " C");
        EXPECT_TRUE(atom.c.where == Where::Accumulator) << what;
        EXPECT_FALSE(atom.a.hasFragment() || atom.b.hasFragment()) << what;
        EXPECT_EQ(atom.issuer == Issuer::BlockPair, atom.m == 256) << what;
        EXPECT_EQ(atom.k, 8 * w) << what;
      }
      EXPECT_EQ(atom.hasScales(), atom.name.ends_with(".b32")) << what;
      if (!atom.hasScales())
        continue;
      EXPECT_EQ(atom.scales.block, 32);
      if (atom.issuer == Issuer::Warp) {
        expectFragment(
            atom.scales.a, {16, 4}, 4, 32, 1,
            [](int32_t s, int32_t lane, int32_t) { return Coordinate{lane / 4 + 8 * (lane % 2), s}; }, what);
        expectFragment(
            atom.scales.b, {8, 4}, 4, 32, 1,
            [](int32_t s, int32_t lane, int32_t) { return Coordinate{lane / 4, s}; }, what);
      } else {
        Formula scale = [](int32_t byte, int32_t lane, int32_t) {
          return Coordinate{byte / 4 * 32 + lane, byte % 4};
        };
        int32_t columns = (atom.n + 31) / 32;
        expectFragment(atom.scales.a, {128, 4}, 16, 32, 4, scale, what + " scales of A");
        expectFragment(atom.scales.b, {32 * columns, 4}, 4 * columns, 32, 4, scale, what + " scales of B");
      }
    }
  }
}

/// The rules of the matrix instruction calculator: K_L = K*M/64 neighbours of k in a lane, and so on.
TEST(AtomsTest, FragmentsOfWaves) {
  for (const TargetInfo &info : knownTargets()) {
    if (info.vendor != "amd")
      continue;
    for (const MmaAtom &atom : atomTable(info).mma) {
      std::string what = std::string(info.architecture) + " " + atom.name;
      EXPECT_EQ(atom.issuer, Issuer::Warp) << what;
      EXPECT_EQ(atom.m, atom.n) << what;
      int32_t size = atom.m, k = atom.k, lanes = int32_t(info.gpu.subgroupSize);
      Formula a, c;
      int32_t elements = size * k / lanes;
      if (info.architecture == "gfx1100") {
        elements = 16;
        a = [](int32_t i, int32_t lane, int32_t) { return Coordinate{lane % 16, i}; };
        c = [](int32_t i, int32_t lane, int32_t) { return Coordinate{2 * i + lane / 16, lane % 16}; };
      } else if (info.architecture == "gfx1201") {
        a = [](int32_t i, int32_t lane, int32_t) { return Coordinate{lane % 16, lane / 16 * 8 + i}; };
        c = [](int32_t i, int32_t lane, int32_t) { return Coordinate{8 * (lane / 16) + i, lane % 16}; };
      } else {
        bool runs = k * size == 2048 && bitsOf(atom.a.type) == 8; // two runs of 16
        a = [=](int32_t i, int32_t lane, int32_t) {
          if (runs)
            return Coordinate{lane % size, i / 16 * (k / 2) + lane / size * 16 + i % 16};
          return Coordinate{lane % size, lane / size * elements + i};
        };
        c = [=](int32_t i, int32_t lane, int32_t) {
          int32_t steps = 64 / size;
          return Coordinate{i % 4 + 4 * (lane / size) + 4 * steps * (i / 4), lane % size};
        };
      }
      expectFragment(atom.a.layout, {size, k}, elements, lanes, 1, a, what + " A");
      expectFragment(atom.b.layout, {size, k}, elements, lanes, 1, a, what + " B");
      expectFragment(atom.c.layout, {size, size}, size * size / lanes, lanes, 1, c, what + " C");
      EXPECT_EQ(atom.a.wordsPerLane(), elements * bitsOf(atom.a.type) / 32) << what;
      if (atom.hasScales()) {
        expectFragment(
            atom.scales.a, {size, k / 32}, 1, 64, 1,
            [=](int32_t, int32_t lane, int32_t) { return Coordinate{lane % size, lane / size}; }, what);
        EXPECT_EQ(atom.scales.b, atom.scales.a) << what;
      }
    }
  }
}

TEST(AtomsTest, FragmentsOfVectors) {
  for (const TargetInfo &info : knownTargets()) {
    if (!info.isCpu())
      continue;
    int32_t lanes = int32_t(info.cpu.vectorBits) / 32;
    for (const MmaAtom &atom : atomTable(info).mma) {
      EXPECT_EQ(atom.k, atom.a.type == ElementType::BF16 ? 2 : 1);
      expectFragment(
          atom.a.layout, {1, atom.k}, atom.k, lanes, 1,
          [](int32_t i, int32_t, int32_t) { return Coordinate{0, i}; }, atom.name);
      expectFragment(
          atom.b.layout, {lanes, atom.k}, atom.k, lanes, 1,
          [](int32_t i, int32_t lane, int32_t) { return Coordinate{lane, i}; }, atom.name);
      expectFragment(
          atom.c.layout, {1, lanes}, 1, lanes, 1,
          [](int32_t, int32_t lane, int32_t) { return Coordinate{0, lane}; }, atom.name);
    }
  }
}

/// Compares with the records whose `arch` names the target.
TEST(AtomsTest, BasesAreThoseOfTheFacts) {
  struct Row {
    const char *vendor, *architecture, *atom, *a, *b, *c;
  };
  const char *mmaA = "nv.mma.m16n8k16.b16.A", *mmaB = "nv.mma.m16n8k16.b16.B",
             *mmaC = "nv.mma.m16n8k16.b16.C";
  const char *fp8A = "nv.mma.m16n8k32.e4m3.A", *fp8B = "nv.mma.m16n8k32.e4m3.B",
             *fp8C = "nv.mma.m16n8k32.e4m3.C";
  const char *c32 = "amd.mfma.32x32.C", *c16 = "amd.mfma.16x16.C";
  std::vector<Row> rows = {
      {"nvidia", "sm_120a", "mma.m16n8k32.e4m3.b32", "nv.mma.m16n8k32.mxf8.A", "nv.mma.m16n8k32.mxf8.B",
       "nv.mma.m16n8k32.mxf8.C"},
      {"nvidia", "sm_90a", "wgmma.m64n8k16.bf16", "nv.wgmma.A.k16.b16", nullptr, "nv.wgmma.D.n8"},
      {"nvidia", "sm_90a", "wgmma.m64n16k16.bf16", "nv.wgmma.A.k16.b16", nullptr, "nv.wgmma.D.n16"},
      {"nvidia", "sm_90a", "wgmma.m64n32k16.f16", "nv.wgmma.A.k16.b16", nullptr, "nv.wgmma.D.n32"},
      {"nvidia", "sm_90a", "wgmma.m64n64k32.e4m3", "nv.wgmma.A.k32.b8", nullptr, "nv.wgmma.D.n64"},
      {"nvidia", "sm_90a", "wgmma.m64n128k32.e4m3", "nv.wgmma.A.k32.b8", nullptr, "nv.wgmma.D.n128"},
      {"nvidia", "sm_90a", "wgmma.m64n256k16.bf16", "nv.wgmma.A.k16.b16", nullptr, "nv.wgmma.D.n256"},
      {"amd", "gfx942", "mfma.m32n32k16.e4m3fnuz", "amd.mfma.32x32x16.fp8.A", "amd.mfma.32x32x16.fp8.B", c32},
      {"amd", "gfx942", "mfma.m16n16k32.e4m3fnuz", "amd.mfma.16x16x32.fp8.A", "amd.mfma.16x16x32.fp8.B", c16},
      {"amd", "gfx950", "mfma.m32n32k16.e4m3", "amd.mfma.32x32x16.fp8.A", "amd.mfma.32x32x16.fp8.B", c32},
      {"amd", "gfx950", "mfma.m16n16k32.e4m3", "amd.mfma.16x16x32.fp8.A", "amd.mfma.16x16x32.fp8.B", c16},
      {"amd", "gfx950", "mfma.m32n32k16.bf16", "amd.mfma.32x32x16.bf16.A", "amd.mfma.32x32x16.bf16.B", c32},
      {"amd", "gfx950", "mfma.m16n16k32.f16", "amd.mfma.16x16x32.bf16.A", "amd.mfma.16x16x32.bf16.B", c16},
      {"amd", "gfx1100", "wmma.m16n16k16.bf16", "amd.wmma.gfx11.w32.b16.A", "amd.wmma.gfx11.w32.b16.B",
       "amd.wmma.gfx11.w32.C32"},
      {"amd", "gfx1201", "wmma.m16n16k16.bf16", "amd.wmma.gfx12.w32.b16.A.kperm",
       "amd.wmma.gfx12.w32.b16.B.kperm", "amd.wmma.gfx12.w32.C32"},
      {"amd", "gfx1201", "wmma.m16n16k16.e4m3", "amd.wmma.gfx12.w32.b8.A", "amd.wmma.gfx12.w32.b8.B",
       "amd.wmma.gfx12.w32.C32"},
  };
  for (const char *architecture : {"sm_80", "sm_89", "sm_90a", "sm_100a", "sm_120a"}) {
    rows.push_back({"nvidia", architecture, "mma.m16n8k16.bf16", mmaA, mmaB, mmaC});
    rows.push_back({"nvidia", architecture, "mma.m16n8k16.f16", mmaA, mmaB, mmaC});
    if (std::string_view(architecture) != "sm_80")
      rows.push_back({"nvidia", architecture, "mma.m16n8k32.e4m3", fp8A, fp8B, fp8C});
  }
  for (const char *architecture : {"gfx90a", "gfx942", "gfx950"})
    for (std::string type : {"bf16", "f16"}) {
      const char *large = type == "bf16" ? "mfma.m32n32k8.bf16" : "mfma.m32n32k8.f16";
      const char *small = type == "bf16" ? "mfma.m16n16k16.bf16" : "mfma.m16n16k16.f16";
      rows.push_back(
          {"amd", architecture, large, "amd.mfma.32x32x8.bf16_1k.A", "amd.mfma.32x32x8.bf16_1k.B", c32});
      rows.push_back(
          {"amd", architecture, small, "amd.mfma.16x16x16.bf16_1k.A", "amd.mfma.16x16x16.bf16_1k.B", c16});
    }
  for (std::string scaled : {"", ".b32"}) {
    rows.push_back({"amd", "gfx950", scaled.empty() ? "mfma.m32n32k64.e4m3" : "mfma.m32n32k64.e4m3.b32",
                    "amd.mfma.32x32x64.f8.A", "amd.mfma.32x32x64.f8.B", c32});
    rows.push_back({"amd", "gfx950", scaled.empty() ? "mfma.m16n16k128.e4m3" : "mfma.m16n16k128.e4m3.b32",
                    "amd.mfma.16x16x128.f8.A", "amd.mfma.16x16x128.f8.B", c16});
  }
  for (const Row &row : rows) {
    const MmaAtom *atom = findMmaAtom(target(row.vendor, row.architecture), row.atom);
    ASSERT_TRUE(atom) << row.architecture << " " << row.atom;
    auto compare = [&](const MmaOperand &operand, const char *id) {
      if (!id)
        return;
      EXPECT_EQ(operand.layout, factLayout(id)) << row.architecture << " " << row.atom << " " << id;
      const Json &record = *findFact(id);
      EXPECT_EQ(record.find("elem_bits")->integer(), bitsOf(operand.type)) << row.atom << " " << id;
      bool listed = false;
      for (const Json &name : record.find("arch")->items())
        listed |= name.string() == row.architecture;
      EXPECT_TRUE(listed) << id << " is not a fact of " << row.architecture;
    };
    compare(atom->a, row.a);
    compare(atom->b, row.b);
    compare(atom->c, row.c);
  }

  // An accumulator in its own memory: the load gives the lanes and columns, which are the rows and columns of
  // C.
  const MmaAtom *block = findMmaAtom(target("nvidia", "sm_100a"), "tcgen05.m128n128k32.e4m3");
  const Json &load = *findFact("nv.tcgen05.ld.32x32b.x128");
  std::vector<Coordinate> rowsOfLanes;
  for (auto [hardware, key] :
       {std::pair{Hardware::Register, "reg"}, {Hardware::Lane, "lane"}, {Hardware::Warp, "warp"}}) {
    const std::vector<Coordinate> &bases = block->c.layout.bases(hardware);
    EXPECT_EQ(bases, coordinates(*load.find(key))) << key;
    if (hardware != Hardware::Register)
      for (const Coordinate &basis : bases)
        rowsOfLanes.push_back({basis[0], 0});
  }
  EXPECT_EQ(rowsOfLanes, coordinates(*atomFacts().find("tmem_D")->find("D_or_A")->find("m")));

  // Scales: the rows that the lanes of a warp serve; of a wave, rows and blocks.
  const MmaAtom *warp = findMmaAtom(target("nvidia", "sm_120a"), "mma.m16n8k32.e4m3.b32");
  EXPECT_EQ(warp->scales.a.project({0}), factLayout("nv.mma.scale.A.tid0"));
  EXPECT_EQ(warp->scales.b.project({0}), factLayout("nv.mma.scale.B.tid0"));
  for (auto [name, id] : {std::pair{"mfma.m16n16k128.e4m3.b32", "amd.mfma.16x16x128.scale.A"},
                          {"mfma.m32n32k64.e4m3.b32", "amd.mfma.32x32x64.scale.A"}})
    EXPECT_EQ(findMmaAtom(target("amd", "gfx950"), name)->scales.a, factLayout(id)) << name;
}

TEST(AtomsTest, EveryFragmentCoversItsTile) {
  for (const TargetInfo &info : knownTargets())
    for (const MmaAtom &atom : atomTable(info).mma)
      for (const Layout *layout :
           {&atom.a.layout, &atom.b.layout, &atom.c.layout, &atom.scales.a, &atom.scales.b})
        if (layout->rank()) {
          EXPECT_TRUE(layout->isSurjective()) << info.architecture << " " << atom.name;
          EXPECT_TRUE(layout->isDisjoint()) << info.architecture << " " << atom.name;
        }
}

TEST(AtomsTest, QueriesAreOrderedAndTotal) {
  for (const TargetInfo &info : knownTargets()) {
    const std::vector<MmaAtom> &atoms = atomTable(info).mma;
    EXPECT_FALSE(atoms.empty()) << info.architecture;
    for (size_t i = 0; i + 1 < atoms.size(); ++i)
      EXPECT_GE(atoms[i].multiplyAddsPerClock, atoms[i + 1].multiplyAddsPerClock) << info.architecture;
    for (const MmaAtom &atom : atoms)
      EXPECT_EQ(findMmaAtom(info, atom.name), &atom);
  }
  std::vector<const MmaAtom *> found = findMmaAtoms("nvidia:sm_90a", ElementType::BF16, ElementType::BF16);
  ASSERT_EQ(found.size(), 33u);
  EXPECT_EQ(found.front()->name, "wgmma.m64n256k16.bf16");
  EXPECT_EQ(found.back()->name, "mma.m16n8k16.bf16");
  EXPECT_EQ(findMmaAtoms("cpu:x86-64-v3", ElementType::BF16, ElementType::BF16).size(), 0u);
  EXPECT_EQ(findMmaAtoms("cpu:x86-64-v3", ElementType::F32, ElementType::F32).size(), 1u);
  EXPECT_EQ(findMmaAtoms("nvidia:sm_80", ElementType::F8E4M3, ElementType::F8E4M3).size(), 0u);
  EXPECT_TRUE(findMmaAtoms("nvidia:sm_77", ElementType::BF16, ElementType::BF16).empty());
  EXPECT_TRUE(findMmaAtoms("", ElementType::BF16, ElementType::BF16).empty());
  EXPECT_EQ(findMmaAtom(target("nvidia", "sm_80"), "wgmma.m64n64k16.bf16"), nullptr);
  TargetInfo unknown = target("nvidia", "sm_80");
  unknown.architecture = "sm_77";
  EXPECT_TRUE(atomTable(unknown).mma.empty());
}

} // namespace
