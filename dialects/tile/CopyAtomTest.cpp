//===- CopyAtomTest.cpp ---------------------------------------------------===//
//
// The copy atoms against the recorded facts, and every plan by execution: memory filled with its offsets, the
// instruction performed as its result says, registers compared with the layout.
//
//===----------------------------------------------------------------------===//
#include "dialects/tile/MmaTile.h"

#include "tests/dialects/tile/AtomFacts.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

using namespace quern;
using namespace quern::tile;

namespace {

const TargetInfo &target(std::string_view vendor, std::string_view architecture) {
  return *findTarget(vendor, architecture);
}

TEST(CopyAtomTest, ResultsAreThoseOfTheFacts) {
  struct Row {
    const char *vendor, *architecture, *atom, *id;
    int32_t rows; ///< of a matrix; 0: the record counts source lanes already
  };
  std::vector<Row> rows = {
      {"amd", "gfx950", "ds_read_tr.b64.b16", "amd.ds_read_b64_tr_b16", 0},
      {"amd", "gfx950", "ds_read_tr.b64.b8", "amd.ds_read_b64_tr_b8", 0},
      {"amd", "gfx1201", "global_load_tr.b128.b16", "amd.global_load_tr_b128.w32", 0},
      {"amd", "gfx1201", "global_load_tr.b64.b8", "amd.global_load_tr_b64.w32", 0},
  };
  for (const char *architecture : {"sm_80", "sm_89", "sm_90a", "sm_100a", "sm_120a"}) {
    for (auto [atom, id] : {std::pair{"ldmatrix.x1", "nv.ldmatrix.x1"},
                            {"ldmatrix.x2", "nv.ldmatrix.x2"},
                            {"ldmatrix.x4", "nv.ldmatrix.x4"},
                            {"ldmatrix.x1.trans", "nv.ldmatrix.x1.trans"},
                            {"ldmatrix.x2.trans", "nv.ldmatrix.x2.trans"},
                            {"ldmatrix.x4.trans", "nv.ldmatrix.x4.trans"}})
      rows.push_back({"nvidia", architecture, atom, id, 8});
    if (std::string_view(architecture) > "sm_89" || std::string_view(architecture).size() == 7)
      for (auto [atom, id] : {std::pair{"stmatrix.x1", "nv.ldmatrix.x1"},
                              {"stmatrix.x2", "nv.ldmatrix.x2"},
                              {"stmatrix.x4.trans", "nv.ldmatrix.x4.trans"}})
        rows.push_back({"nvidia", architecture, atom, id, 8});
  }
  for (const char *architecture : {"sm_100a", "sm_120a"}) {
    rows.push_back(
        {"nvidia", architecture, "ldmatrix.m16n16.x1.trans", "nv.ldmatrix.m16n16.x1.trans.b8", 16});
    rows.push_back(
        {"nvidia", architecture, "ldmatrix.m16n16.x2.trans", "nv.ldmatrix.m16n16.x2.trans.b8", 16});
    rows.push_back({"nvidia", architecture, "stmatrix.m16n8.x1.trans", "nv.stmatrix.m16n8.x1.trans.b8", 8});
    rows.push_back({"nvidia", architecture, "stmatrix.m16n8.x2.trans", "nv.stmatrix.m16n8.x2.trans.b8", 8});
    rows.push_back({"nvidia", architecture, "stmatrix.m16n8.x4.trans", "nv.stmatrix.m16n8.x4.trans.b8", 8});
  }
  for (const Row &row : rows) {
    const CopyAtom *atom = findCopyAtom(target(row.vendor, row.architecture), row.atom);
    ASSERT_TRUE(atom) << row.architecture << " " << row.atom;
    Layout fact = factLayout(row.id);
    EXPECT_EQ(atom->elementBits, findFact(row.id)->find("elem_bits")->integer()) << row.atom;
    ASSERT_EQ(atom->result.numRegisters(), fact.numRegisters()) << row.atom;
    ASSERT_EQ(atom->result.numLanes(), fact.numLanes()) << row.atom;
    for (int32_t lane = 0; lane < fact.numLanes(); ++lane)
      for (int32_t r = 0; r < fact.numRegisters(); ++r) {
        Coordinate at = fact.apply(r, lane, 0);
        if (row.rows)
          at = {at[0] * row.rows + at[1], at[2]};
        EXPECT_EQ(atom->result.apply(r, lane, 0), at) << row.atom;
      }
  }
}

TEST(CopyAtomTest, TheWidthsOfEachTarget) {
  auto widths = [](std::string_view vendor, std::string_view architecture, CopyPath path) {
    std::vector<int32_t> result;
    for (const CopyAtom *atom : findCopyAtoms(target(vendor, architecture), path))
      result.push_back(atom->runBytes());
    return result;
  };
  using Widths = std::vector<int32_t>;
  constexpr CopyPath direct = CopyPath::GlobalToShared;
  EXPECT_EQ(widths("nvidia", "sm_80", direct), (Widths{16, 8, 4}));
  EXPECT_EQ(widths("nvidia", "sm_89", direct), (Widths{16, 8, 4}));
  for (const char *architecture : {"sm_90a", "sm_100a", "sm_120a"}) {
    EXPECT_EQ(widths("nvidia", architecture, direct), (Widths{0, 16, 8, 4}));
    EXPECT_EQ(widths("nvidia", architecture, CopyPath::SharedToGlobal), (Widths{0}));
  }
  EXPECT_EQ(widths("nvidia", "sm_80", CopyPath::SharedToGlobal), Widths{});
  EXPECT_EQ(widths("amd", "gfx90a", direct), (Widths{4}));
  EXPECT_EQ(widths("amd", "gfx942", direct), (Widths{4}));
  EXPECT_EQ(widths("amd", "gfx950", direct), (Widths{16, 4}));
  EXPECT_EQ(widths("amd", "gfx1100", direct), Widths{});
  EXPECT_EQ(widths("amd", "gfx1201", direct), Widths{});
  EXPECT_EQ(widths("amd", "gfx1201", CopyPath::GlobalToRegister), (Widths{16, 8, 16, 8, 4, 2, 1}));
  EXPECT_EQ(widths("amd", "gfx950", CopyPath::SharedToRegister), (Widths{16, 8, 8, 8, 4, 2, 1}));
  EXPECT_EQ(widths("cpu", "x86-64-v4", direct), Widths{});
  for (const CopyAtom *atom : findCopyAtoms(target("amd", "gfx950"), direct))
    EXPECT_TRUE(atom->laneLinear);
  for (const CopyAtom *atom : findCopyAtoms(target("nvidia", "sm_80"), direct))
    EXPECT_FALSE(atom->laneLinear);
  // The facts of the cards say the same.
  for (const TargetInfo &info : knownTargets()) {
    std::set<std::string> names;
    for (const CopyAtom &atom : atomTable(info).copies)
      EXPECT_TRUE(names.insert(atom.name).second) << atom.name << " twice";
    std::vector<const CopyAtom *> copies = findCopyAtoms(info, direct);
    EXPECT_EQ(!copies.empty() && copies.front()->byDescriptor(), info.gpu.tensorCopy) << info.architecture;
    if (info.gpu.directCopyBits) {
      EXPECT_EQ(copies.front()->runBytes() * 8, int32_t(info.gpu.directCopyBits)) << info.architecture;
    }
    EXPECT_EQ(names.count("cp.async.16") == 1, info.gpu.asyncCopy) << info.architecture;
  }
}

TEST(CopyAtomTest, Synchronisation) {
  for (const TargetInfo &info : knownTargets()) {
    const SyncFacts &sync = atomTable(info).sync;
    EXPECT_EQ(sync.transactionBarriers, info.gpu.tensorCopy) << info.architecture;
    EXPECT_EQ(sync.copyGroups, info.gpu.asyncCopy) << info.architecture;
    EXPECT_EQ(sync.peerSignals, info.gpu.maxCluster > 1) << info.architecture;
    EXPECT_EQ(sync.copiesInFlight, info.vendor == "amd" ? 63 : 0) << info.architecture;
    EXPECT_EQ(sync.sharedInFlight, info.vendor != "amd"                       ? 0
                                   : info.architecture.substr(0, 4) == "gfx9" ? 15
                                                                              : 63)
        << info.architecture;
    EXPECT_EQ(atomTable(info).segmentBytes, info.isCpu() ? 64 : info.vendor == "amd" ? 128 : 32);
    EXPECT_EQ(atomTable(info).cacheBytesPerClock, info.isCpu()                    ? 0
                                                  : info.architecture == "sm_90a" ? 30
                                                  : info.vendor == "nvidia"       ? 47
                                                  : info.architecture == "gfx942" ? 54
                                                  : info.architecture == "gfx950" ? 64
                                                                                  : 50);
  }
}

/// Performs the plan; every register of every lane must receive what the layout says.
void execute(const CopyPlan &plan, const Layout &layout, const MemoryLayout &memory,
             const std::string &what) {
  const CopyAtom &atom = *plan.atom;
  // In units of the smaller of the two elements, for which both sides are counted.
  int32_t unit = int32_t(std::min(atom.elementBits, plan.elementBits));
  int32_t ofAtom = int32_t(atom.elementBits) / unit, ofTile = int32_t(plan.elementBits) / unit;
  int32_t registers = atom.registers() * ofAtom / ofTile;
  EXPECT_EQ(plan.instructions, layout.numRegisters() / registers) << what;
  EXPECT_EQ(1 << plan.registerBits.size(), registers) << what;
  std::map<Coordinate, int32_t> byPart;
  for (int32_t r = 0; r < layout.numRegisters(); ++r)
    byPart[layout.registerPart(r)] = r;
  std::set<int32_t> received;
  for (int32_t i = 0; i < plan.instructions; ++i)
    for (int32_t r = 0; r < registers; ++r) {
      Coordinate part = plan.addresses.registerPart(i);
      for (size_t bit = 0; bit < plan.registerBits.size(); ++bit)
        if (r >> bit & 1)
          for (unsigned d = 0; d < part.size(); ++d)
            part[d] ^= layout.bases(Hardware::Register)[plan.registerBits[bit]][d];
      ASSERT_TRUE(byPart.count(part)) << what;
      int32_t reg = byPart[part];
      EXPECT_TRUE(received.insert(reg).second) << what;
      for (int32_t warp = 0; warp < layout.numWarps(); ++warp)
        for (int32_t lane = 0; lane < layout.numLanes(); ++lane) {
          Coordinate source = atom.result.apply(r * ofTile / ofAtom, lane, 0);
          int64_t start = memory.offset(plan.addresses.apply(i, source[0], warp));
          int64_t offset = start + (source[1] * ofAtom + r * ofTile % ofAtom) / ofTile;
          ASSERT_EQ(start * plan.elementBits / 8 % atom.runBytes(), 0) << what << ": misaligned";
          ASSERT_EQ(offset, memory.offset(layout.apply(reg, lane, warp))) << what;
        }
    }
  EXPECT_EQ(int32_t(received.size()), layout.numRegisters()) << what;
}

/// Every atom on the operands of every matrix atom, from rows and columns, plain and swizzled.
TEST(CopyAtomTest, PlansMoveEveryElement) {
  std::set<std::string> applied, seen;
  for (const TargetInfo &info : knownTargets()) {
    if (info.isCpu())
      continue;
    for (const MmaAtom &atom : atomTable(info).mma) {
      if (atom.issuer != Issuer::Warp || atom.a.type == ElementType::F16)
        continue;
      std::optional<MmaTile> tile = tileByAtom(atom, 2 * atom.m, 6 * atom.n, std::max(64, 2 * atom.k), 2, 1);
      ASSERT_TRUE(tile);
      for (const Layout *layout : {&tile->a, &tile->b}) {
        unsigned bits = elementBits(atom.a.type);
        for (unsigned fastest : {0u, 1u}) {
          std::vector<MemoryLayout> memories = {MemoryLayout::dense(layout->shape(), fastest)};
          for (int32_t span : {64, 128})
            if (std::optional<MemoryLayout> swizzled =
                    MemoryLayout::swizzled(layout->shape(), bits, span, fastest))
              memories.push_back(*swizzled);
          for (const MemoryLayout &memory : memories)
            for (const CopyAtom &copy : atomTable(info).copies)
              if (std::optional<CopyPlan> plan = planCopy(copy, *layout, memory, bits)) {
                std::string what = std::string(info.architecture) + " " + atom.name + " by " + copy.name +
                                   " from " + memory.str();
                applied.insert(copy.name);
                // Targets share most of their fragments and copies.
                if (seen.insert(copy.name + std::to_string(bits) + layout->str() + memory.str()).second)
                  execute(*plan, *layout, memory, what);
              }
        }
      }
    }
  }
  for (const char *name :
       {"ldmatrix.x4", "ldmatrix.x4.trans", "ldmatrix.x2", "ldmatrix.x1", "stmatrix.x4", "ds_read_tr.b64.b16",
        "ds_read_tr.b64.b8", "global_load_tr.b128.b16", "global_load_tr.b64.b8", "shared.load.16",
        "shared.load.8", "shared.load.4", "shared.load.2", "shared.load.1", "ldmatrix.m16n16.x1.trans"})
    EXPECT_TRUE(applied.count(name)) << name << " was never applied";
}

TEST(CopyAtomTest, WhatTheRecipesUse) {
  auto chosen = [](const TargetInfo &info, const Layout &layout, const MemoryLayout &memory, unsigned bits) {
    std::optional<CopyPlan> plan = chooseCopy(info, CopyPath::SharedToRegister, layout, memory, bits);
    return plan ? plan->atom->name : "none";
  };
  auto tileOf = [](const TargetInfo &info, std::string_view name, int32_t m, int32_t n, int32_t k) {
    return *tileByAtom(*findMmaAtom(info, name), m, n, k, 2, 2);
  };
  const TargetInfo &ampere = target("nvidia", "sm_80"), &ada = target("nvidia", "sm_89");
  MmaTile bf16 = tileOf(ampere, "mma.m16n8k16.bf16", 128, 128, 64);
  EXPECT_EQ(chosen(ampere, bf16.a, *MemoryLayout::swizzled({128, 64}, 16, 128, 1), 16), "ldmatrix.x4");
  EXPECT_EQ(chosen(ampere, bf16.b, *MemoryLayout::swizzled({128, 64}, 16, 128, 1), 16), "ldmatrix.x4");
  EXPECT_EQ(chosen(ampere, bf16.b, *MemoryLayout::swizzled({128, 64}, 16, 128, 0), 16), "ldmatrix.x4.trans");
  // fp8 along k through the 16-bit form; across k there is none on this target.
  MmaTile fp8 = tileOf(ada, "mma.m16n8k32.e4m3", 128, 128, 128);
  EXPECT_EQ(chosen(ada, fp8.a, *MemoryLayout::swizzled({128, 128}, 8, 128, 1), 8), "ldmatrix.x4");
  EXPECT_EQ(chosen(ada, fp8.b, *MemoryLayout::swizzled({128, 128}, 8, 128, 0), 8), "shared.load.1");
  const TargetInfo &cdna4 = target("amd", "gfx950"), &cdna3 = target("amd", "gfx942");
  MmaTile wave = tileOf(cdna4, "mfma.m16n16k32.bf16", 128, 128, 64);
  EXPECT_EQ(chosen(cdna4, wave.a, *MemoryLayout::swizzled({128, 64}, 16, 128, 1), 16), "shared.load.16");
  MmaTile fp8Wave = tileOf(cdna3, "mfma.m16n16k32.e4m3fnuz", 128, 128, 128);
  EXPECT_EQ(chosen(cdna3, fp8Wave.a, *MemoryLayout::swizzled({128, 128}, 8, 128, 1), 8), "shared.load.8");
  EXPECT_EQ(chosen(cdna3, fp8Wave.a, MemoryLayout::dense({128, 128}, 0), 8), "shared.load.1");
}

} // namespace
