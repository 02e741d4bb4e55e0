//===- KnownTargetsTest.cpp - The tables, spelled out again ---------------===//
#include "support/target/KnownTargets.h"

#include "support/Files.h"

#include <gtest/gtest.h>
#include <map>
#include <set>
#include <vector>

using namespace quern;

namespace {

/// The fields of one line of RFC 4180 text; no field holds a newline.
std::vector<std::string> splitCsv(std::string_view line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (char c : line) {
    if (c == '"')
      quoted = !quoted;
    else if (c == ',' && !quoted)
      fields.emplace_back();
    else
      fields.back() += c;
  }
  return fields;
}

using Row = std::map<std::string, std::string>;

std::vector<Row> readHardware() {
  auto text = readFile(QUERN_SOURCE_DIR "/support/target/hardware.csv", 1 << 20);
  EXPECT_TRUE(text.ok());
  std::vector<Row> rows;
  std::vector<std::string> head;
  for (size_t at = 0; at < text->size();) {
    size_t end = std::min(text->find('\n', at), text->size());
    std::vector<std::string> fields = splitCsv(std::string_view(*text).substr(at, end - at));
    at = end + 1;
    if (head.empty()) {
      head = fields;
      continue;
    }
    EXPECT_EQ(fields.size(), head.size());
    Row row;
    for (size_t i = 0; i != head.size(); ++i)
      row[head[i]] = fields[i];
    rows.push_back(row);
  }
  return rows;
}

double number(const std::string &text) { return text.empty() ? 0 : std::stod(text); }

TEST(KnownTargetsTest, CardsAreThoseOfTheTable) {
  std::vector<Row> rows = readHardware();
  ASSERT_EQ(rows.size(), knownCards().size());
  for (size_t i = 0; i != rows.size(); ++i) {
    const CardInfo &card = knownCards()[i];
    Row row = rows[i];
    SCOPED_TRACE(row["gpu"]);
    EXPECT_EQ(card.name, row["gpu"]);
    EXPECT_EQ(card.generation, row["arch"]);
    EXPECT_EQ(card.architecture, row["isa_target"]);
    EXPECT_EQ(card.units, number(row["compute_units"]));
    EXPECT_EQ(card.clockMhz, number(row["boost_mhz"]));
    EXPECT_EQ(card.powerWatts, number(row["tdp_w"]));
    EXPECT_EQ(card.memoryGb, number(row["mem_gb"]));
    EXPECT_EQ(card.memoryType, row["mem_type"]);
    EXPECT_EQ(card.bandwidthTb, number(row["bw_tb_s"]));
    EXPECT_EQ(card.bf16Tflops, number(row["bf16_dense_tflops"]));
    EXPECT_EQ(card.fp8Tflops, number(row["fp8_dense_tflops"]));
    EXPECT_EQ(card.fp4Tflops, number(row["fp4_dense_tflops"]));
    EXPECT_EQ(card.int8Tops, number(row["int8_dense_tops"]));
    EXPECT_EQ(card.fp8Encoding, row["fp8_encoding"]);
    EXPECT_EQ(card.sharedPerUnitKb, number(row["smem_lds_per_unit_kb"]));
    EXPECT_EQ(card.sharedPerBlockBytes, number(row["max_smem_per_workgroup_bytes"]));
    EXPECT_EQ(card.l2Mb, number(row["l2_mb"]));
    EXPECT_EQ(card.memoryCacheMb, number(row["mall_mb"]));
    EXPECT_EQ(card.registersPerUnitKb, number(row["regfile_per_unit_kb"]));
    EXPECT_EQ(card.measuredBf16Tflops, number(row["measured_bf16_tflops"]));
    EXPECT_EQ(card.measuredFp8Tflops, number(row["measured_fp8_tflops"]));
    EXPECT_EQ(card.measuredBandwidthTb, number(row["measured_kernel_bw_tb_s"]));
  }
}

// Every card has a target whose facts agree with the card's own columns, or stands in the list below.
TEST(KnownTargetsTest, CardsAgreeWithTheirTarget) {
  const std::set<std::string> withoutTarget = {"sm_103a"}; // B300: code for sm_100a does not run on it
  std::set<std::string> reached;
  for (Row row : readHardware()) {
    SCOPED_TRACE(row["gpu"]);
    std::string vendor = row["vendor"] == "NVIDIA" ? "nvidia" : "amd";
    const TargetInfo *target = findTarget(vendor, row["isa_target"]);
    EXPECT_EQ(target == nullptr, withoutTarget.count(row["isa_target"]) == 1);
    if (!target)
      continue;
    reached.insert(row["isa_target"]);
    EXPECT_EQ(target->form, vendor == "nvidia" ? CodeForm::Ptx : CodeForm::CodeObject);
    // RDNA runs 32 and 64 lanes; our code uses 32.
    EXPECT_EQ(target->gpu.subgroupSize, std::stoul(row["subgroup_size"]));
    std::string encoding = row["fp8_encoding"];
    Fp8Flavour flavour = encoding.starts_with("OCP")    ? Fp8Flavour::Ocp
                         : encoding.starts_with("FNUZ") ? Fp8Flavour::Fnuz
                                                        : Fp8Flavour::None;
    EXPECT_EQ(target->fp8, flavour);
    EXPECT_EQ(target->blockScaledMatrix, encoding.find("block scale") != std::string::npos);
    EXPECT_EQ(findCard(row["gpu"])->sharedPerBlockBytes, representativeCard(*target)->sharedPerBlockBytes);
    EXPECT_EQ(findCard(row["gpu"])->registersPerUnitKb, representativeCard(*target)->registersPerUnitKb);
  }
  EXPECT_EQ(reached.size(), 10u) << "every GPU target has a card";
}

/// One line per target, spelled by hand from the design's table, the PTX versions of LLVM's NVPTX back end
/// and the vendors' limits.
std::string line(const TargetInfo &t) {
  std::string text = std::string(t.vendor) + ":" + std::string(t.architecture) + " " +
                     std::string(codeExtension(t.form)) + " " + std::string(t.card) + " ptx" +
                     std::to_string(t.minPtxVersion) + (t.forwardCompatible ? " forward" : " exact");
  text += t.fp8 == Fp8Flavour::Ocp ? " ocp" : t.fp8 == Fp8Flavour::Fnuz ? " fnuz" : " none";
  text += t.blockScaledMatrix ? "+mx" : "";
  if (t.isCpu())
    return text + " " + std::string(t.llvmCpu) + std::string(t.llvmFeatures) + " " +
           std::to_string(t.cpu.vectorBits) + "x" + std::to_string(t.cpu.vectorRegisters) +
           (t.cpu.bf16Dot ? " dot" : "");
  const GpuLimits &g = t.gpu;
  for (uint64_t value : {g.subgroupSize, g.maxThreadsPerBlock, g.maxThreadsPerUnit, g.maxBlocksPerUnit,
                         g.maxRegistersPerLane, g.sharedBanks, g.sharedBytesPerClock, g.unitsPerFigure,
                         g.dies, g.maxCluster, g.tensorMemoryBytes, g.directCopyBits})
    text += " " + std::to_string(value);
  return text + (g.asyncCopy ? " async" : "") + (g.tensorCopy ? " tensor" : "");
}

TEST(KnownTargetsTest, TargetsAreTheseExactly) {
  const char *expected[] = {
      "nvidia:sm_80 ptx A100 SXM 80GB ptx70 forward none 32 1024 2048 32 255 32 128 1 1 1 0 0 async",
      "nvidia:sm_89 ptx L40S ptx78 forward ocp 32 1024 1536 24 255 32 128 1 1 1 0 0 async",
      "nvidia:sm_90a ptx H100 SXM5 ptx80 exact ocp 32 1024 2048 32 255 32 128 1 1 8 0 0 async tensor",
      "nvidia:sm_100a ptx B200 SXM ptx86 exact ocp+mx 32 1024 2048 32 255 32 128 1 1 8 262144 0 async tensor",
      "nvidia:sm_120a ptx RTX 5090 ptx87 exact ocp+mx 32 1024 1536 24 255 32 128 1 1 1 0 0 async tensor",
      "amd:gfx90a hsaco MI210 ptx0 exact none 64 1024 2048 16 512 32 128 1 1 1 0 32",
      "amd:gfx942 hsaco MI300X ptx0 exact fnuz 64 1024 2048 16 512 32 128 1 8 1 0 32",
      "amd:gfx950 hsaco MI355X ptx0 exact ocp+mx 64 1024 2048 16 512 64 256 1 8 1 0 128",
      "amd:gfx1100 hsaco RX 7900 XTX ptx0 exact none 32 1024 1024 16 256 32 128 2 1 1 0 0",
      "amd:gfx1201 hsaco RX 9070 XT ptx0 exact ocp 32 1024 1024 16 256 32 128 2 1 1 0 0",
      "cpu:x86-64-v3 so  ptx0 forward none x86-64-v3 256x16",
      "cpu:x86-64-v4 so  ptx0 forward none x86-64-v4 512x32",
      "cpu:x86-64-v4+avx512bf16 so  ptx0 forward none x86-64-v4+avx512bf16 512x32 dot",
  };
  ASSERT_EQ(knownTargets().size(), std::size(expected));
  for (size_t i = 0; i != std::size(expected); ++i)
    EXPECT_EQ(line(knownTargets()[i]), expected[i]);
}

// The register file feeds as many lanes as can be resident, at the largest register count for at least one
// warp a SIMD: a slip in either table shows here.
TEST(KnownTargetsTest, RegistersAndSharedMemoryFit) {
  for (const TargetInfo &target : knownTargets()) {
    if (target.isCpu())
      continue;
    SCOPED_TRACE(target.architecture);
    const CardInfo &card = *representativeCard(target);
    uint64_t registerBytes = uint64_t(card.registersPerUnitKb) * 1024 / target.gpu.unitsPerFigure;
    EXPECT_GE(registerBytes / 4 / target.gpu.maxThreadsPerUnit, 32u);
    EXPECT_GE(registerBytes / 4, uint64_t(target.gpu.maxRegistersPerLane) * 2 * target.gpu.subgroupSize);
    EXPECT_LE(card.sharedPerBlockBytes, card.sharedPerUnitKb * 1024);
    EXPECT_EQ(target.gpu.maxThreadsPerUnit % target.gpu.subgroupSize, 0u);
  }
}

TEST(KnownTargetsTest, RungsFollowTheTarget) {
  auto rung = [](const char *vendor, const char *architecture, CheckpointKind kind) {
    const TargetInfo *target = findTarget(vendor, architecture);
    return std::string(rungName(rungFor(*target, kind))) +
           (usesHardwareBlockScales(*target, kind) ? "+mx" : "");
  };
  EXPECT_EQ(rung("nvidia", "sm_80", CheckpointKind::Fp8), "fp8-weights");
  EXPECT_EQ(rung("nvidia", "sm_90a", CheckpointKind::Fp8), "fp8");
  EXPECT_EQ(rung("nvidia", "sm_90a", CheckpointKind::Fp8PowerOfTwo), "fp8");
  EXPECT_EQ(rung("nvidia", "sm_100a", CheckpointKind::Fp8), "fp8")
      << "scales are never rounded to powers of two";
  EXPECT_EQ(rung("nvidia", "sm_100a", CheckpointKind::Fp8PowerOfTwo), "fp8+mx");
  EXPECT_EQ(rung("amd", "gfx950", CheckpointKind::Fp8PowerOfTwo), "fp8+mx");
  EXPECT_EQ(rung("amd", "gfx942", CheckpointKind::Fp8PowerOfTwo), "fp8");
  EXPECT_EQ(rung("amd", "gfx1100", CheckpointKind::Fp8), "fp8-weights");
  EXPECT_EQ(rung("amd", "gfx1201", CheckpointKind::Bf16), "bf16");
  EXPECT_EQ(rung("cpu", "x86-64-v3", CheckpointKind::Fp8), "fp8-weights");
  for (Rung r : {Rung::Fp8, Rung::Fp8Weights, Rung::Bf16})
    EXPECT_EQ(parseRung(rungName(r)), r);
  EXPECT_FALSE(parseRung("fp16"));
}

} // namespace
