//===- WarpGroupGemmTest.cpp - Products out of shared memory, by roles ----===//
//
// One thread copies boxes into slots of shared memory, one or two groups of four warps multiply out of them.
// Everything that an emulated device looks for is on, and each problem runs in several orders of warps and of
// asynchronous operations.
//
//===----------------------------------------------------------------------===//
#include "dialects/tile/Atoms.h"
#include "runtime/emulated/EmulatedDevice.h"
#include "tests/kernels/LinearProblem.h"

#include <array>
#include <cstdio>
#include <fstream>

using namespace quern;
using namespace quern::test;
using H = KernelHarness;

namespace {

tile::Schedule roles(std::vector<int32_t> tile, const std::string &atom, int groups = 1, int stages = 0) {
  tile::Schedule schedule{"linear", std::move(tile), 1};
  schedule.strategy = tile::Strategy::Roles;
  schedule.mma = atom;
  schedule.groups = groups;
  schedule.stages = stages;
  schedule.copies = {{"a", tile::CopyMode::Tensor}, {"b", tile::CopyMode::Tensor}};
  return schedule;
}

class WarpGroupGemm : public testing::Test {
protected:
  WarpGroupGemm() : harness("nvidia:sm_90a") {}

  runtime::emulated::RunOptions &options() {
    return dynamic_cast<runtime::emulated::EmulatedDevice &>(harness.device()).options();
  }

  void check(const LinearCase &c, const tile::Schedule &schedule, uint64_t seeds = 3) {
    LinearProblem problem(c, uint64_t(c.rows) * 31 + uint64_t(c.n) + uint64_t(c.k));
    lowering::KernelRequest request{"linear", problem.parameters(), schedule};
    options().registers = options().globalRaces = options().smallNans = true;
    for (uint64_t seed = 0; seed < seeds; ++seed) {
      options().seed = seed;
      std::string what =
          std::to_string(c.rows) + " rows, seed " + std::to_string(seed) + ", " + request.text();
      HostTensor got = problem.run(harness, request);
      if (c.whole)
        expectEqual(got, HostTensor::of(c.y, problem.reference()), what);
      else
        expectClose(got, problem.reference(), what);
      if (HasFailure())
        return;
    }
  }

  H harness;
};

/// Whole numbers, whose sums are exact in f32: one wrong element shows.
TEST_F(WarpGroupGemm, IsExact) {
  check({.rows = 64, .n = 64, .k = 64, .y = "f32", .whole = true},
        roles({64, 64, 64}, "wgmma.m64n64k16.bf16"));
  check({.rows = 130, .n = 200, .k = 320, .y = "f32", .whole = true},
        roles({128, 128, 64}, "wgmma.m64n128k16.bf16", 2));
  check({.rows = 70, .n = 136, .k = 256, .x = "f8E4M3FN", .w = "f8E4M3FN", .y = "f32", .whole = true},
        roles({64, 128, 128}, "wgmma.m64n128k32.e4m3"));
  check({.rows = 66, .n = 72, .k = 192, .x = "f16", .w = "f16", .y = "f32", .whole = true},
        roles({64, 64, 64}, "wgmma.m64n64k16.f16"));
}

/// Several instructions of a group along the rows and the columns; groups that divide the columns.
TEST_F(WarpGroupGemm, Grids) {
  const LinearCase c{.rows = 140, .n = 150, .k = 192, .y = "f32", .whole = true};
  check(c, roles({128, 128, 64}, "wgmma.m64n64k16.bf16"));
  check(c, roles({128, 64, 64}, "wgmma.m64n64k16.bf16"));
  tile::Schedule columns = roles({64, 128, 64}, "wgmma.m64n64k16.bf16", 2);
  columns.pair = tile::Pair::Cols;
  check(c, columns);
  tile::Schedule grid = roles({128, 64, 64}, "wgmma.m64n32k16.bf16");
  grid.warps = 4;
  grid.warpGrid = {2, 2, 1};
  check(c, grid);
}

/// Tiles of sizes that are no powers of two; steps of several panels, and of half and a quarter of one.
TEST_F(WarpGroupGemm, TilesOfAllKinds) {
  const LinearCase c{.rows = 70, .n = 200, .k = 328, .y = "f32", .whole = true};
  for (int bn : {8, 96, 160, 192, 240})
    check(c, roles({64, bn, 64}, "wgmma.m64n" + std::to_string(bn) + "k16.bf16"), 2);
  check(c, roles({64, 192, 64}, "wgmma.m64n96k16.bf16"), 2);
  for (int bk : {16, 32, 128, 192})
    check(c, roles({64, 64, bk}, "wgmma.m64n64k16.bf16"), 2);
  LinearCase scaled = c;
  scaled.x = scaled.w = "f8E4M3FN";
  scaled.k = 336;
  for (int bk : {32, 64, 128})
    check(scaled, roles({64, 64, bk}, "wgmma.m64n64k32.e4m3"), 2);
}

TEST_F(WarpGroupGemm, Rows) {
  for (int rows : {1, 3, 17, 64}) {
    check({.rows = rows, .n = 96, .k = 160, .bias = true}, roles({64, 64, 64}, "wgmma.m64n64k16.bf16"));
    check({.rows = rows, .n = 96, .k = 384, .bias = true, .x = "f8E4M3FN", .w = "f8E4M3FN"},
          roles({64, 64, 128}, "wgmma.m64n64k32.e4m3"));
  }
}

/// Square; ragged in every size, with rows further apart than they are long; a long sum.
TEST_F(WarpGroupGemm, Shapes) {
  check({.rows = 256, .n = 256, .k = 256}, roles({128, 128, 64}, "wgmma.m64n128k16.bf16", 2));
  LinearCase ragged{.rows = 137, .n = 205, .k = 200, .bias = true, .b = "f32", .y = "f32"};
  ragged.xPadding = 48, ragged.yPadding = 9;
  check(ragged, roles({128, 128, 64}, "wgmma.m64n128k16.bf16", 2));
  check({.rows = 5, .n = 72, .k = 4096, .y = "f32"}, roles({64, 64, 64}, "wgmma.m64n64k16.bf16"), 2);
}

/// Fewer steps than slots, as many, and more, with turns that end in each slot.
TEST_F(WarpGroupGemm, TripCounts) {
  for (int stages : {2, 3, 4})
    for (int steps = 1; steps <= 2 * stages + 1; ++steps)
      check({.rows = 33, .n = 40, .k = 64 * steps - 8, .y = "f32"},
            roles({64, 64, 64}, "wgmma.m64n64k16.bf16", 1, stages), 2);
}

TEST_F(WarpGroupGemm, Depths) {
  for (int stages = 2; stages <= 6; ++stages)
    check({.rows = 100, .n = 130, .k = 832}, roles({128, 128, 64}, "wgmma.m64n128k16.bf16", 2, stages), 2);
}

/// Each step has scales of its own; columns of one block of scales, and of two.
TEST_F(WarpGroupGemm, BlockScales) {
  const LinearCase c{
      .rows = 150, .n = 300, .k = 400, .bias = true, .x = "f8E4M3FN", .w = "f8E4M3FN", .y = "f32"};
  check(c, roles({128, 128, 128}, "wgmma.m64n128k32.e4m3", 2));
  check(c, roles({64, 192, 128}, "wgmma.m64n192k32.e4m3"));
  check(c, roles({128, 256, 128}, "wgmma.m64n128k32.e4m3", 2));
  LinearCase narrow = c;
  narrow.rows = 19, narrow.n = 140, narrow.y = "bf16";
  check(narrow, roles({64, 32, 128}, "wgmma.m64n32k32.e4m3"));
}

TEST_F(WarpGroupGemm, RowsAreIndependent) {
  LinearProblem many({.rows = 133, .n = 40, .k = 192, .y = "f32"}, 9);
  many.expectRowsIndependent(harness,
                             {"linear", many.parameters(), roles({64, 64, 64}, "wgmma.m64n64k16.bf16")});
}

/// What a copy by descriptor cannot bring is refused when the kernel is compiled.
TEST_F(WarpGroupGemm, Refusals) {
  auto cause = [&](const LinearCase &c, const tile::Schedule &schedule) {
    LinearProblem problem(c, 1);
    auto compiled = lowering::compileKernel({"linear", problem.parameters(), schedule}, harness.codeTarget());
    return compiled.ok() ? std::string("compiled") : compiled.error().message();
  };
  const tile::Schedule plain = roles({64, 64, 64}, "wgmma.m64n64k16.bf16");
  EXPECT_NE(cause({.rows = 3, .n = 40, .k = 100}, plain).find("multiples of 16 bytes"), std::string::npos);
  EXPECT_NE(
      cause({.rows = 3, .n = 40, .k = 192, .experts = 2, .grouped = true}, roles({32, 64, 64}, plain.mma))
          .find("64"),
      std::string::npos);
  EXPECT_NE(cause({.rows = 3, .n = 40, .k = 192, .w = "f8E4M3FN"}, plain).find("no load of this step"),
            std::string::npos);
  EXPECT_NE(cause({.rows = 3, .n = 40, .k = 192}, roles({64, 64, 64}, plain.mma, 1, 15)).find("do not fit"),
            std::string::npos);
}

//===----------------------------------------------------------------------===//
// The code
//===----------------------------------------------------------------------===//

int count(const std::string &text, const std::string &what) {
  int found = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1))
    ++found;
  return found;
}

std::string shell(const std::string &command, int &code) {
  std::string text;
  FILE *pipe = popen((command + " 2>&1").c_str(), "r");
  std::array<char, 4096> buffer;
  while (size_t n = fread(buffer.data(), 1, buffer.size(), pipe))
    text.append(buffer.data(), n);
  code = pclose(pipe);
  return text;
}

/// The loop holds the instructions of one step and nothing that does the same slowly; the assembler neither
/// spills nor lets the instructions wait for each other.
TEST_F(WarpGroupGemm, Code) {
  struct Row {
    LinearCase c;
    tile::Schedule schedule;
    std::string instruction;
    int instructions, copies;
  };
  const LinearCase bf16{.rows = 4096, .n = 7168, .k = 2048};
  LinearCase fp8 = bf16;
  fp8.x = fp8.w = "f8E4M3FN";
  const Row rows[] = {
      {bf16, roles({64, 64, 64}, "wgmma.m64n64k16.bf16"), "m64n64k16.f32.bf16.bf16", 4, 2},
      {bf16, roles({64, 256, 64}, "wgmma.m64n256k16.bf16"), "m64n256k16.f32.bf16.bf16", 4, 2},
      {bf16, roles({128, 128, 128}, "wgmma.m64n128k16.bf16", 2), "m64n128k16.f32.bf16.bf16", 8, 4},
      {bf16, roles({128, 256, 64}, "wgmma.m64n256k16.bf16", 2), "m64n256k16.f32.bf16.bf16", 4, 2},
      {fp8, roles({64, 128, 128}, "wgmma.m64n128k32.e4m3"), "m64n128k32.f32.e4m3.e4m3", 4, 2},
      {fp8, roles({128, 128, 128}, "wgmma.m64n128k32.e4m3", 2), "m64n128k32.f32.e4m3.e4m3", 4, 2},
      {fp8, roles({128, 256, 128}, "wgmma.m64n128k32.e4m3", 2), "m64n128k32.f32.e4m3.e4m3", 8, 2},
  };
  int code = 0;
  const std::string ptxas =
      shell("/usr/local/cuda/bin/ptxas --version", code).find("release") != std::string::npos
          ? "/usr/local/cuda/bin/ptxas"
          : "ptxas";
  const bool assembles = shell(ptxas + " --version", code).find("release") != std::string::npos;
  for (const Row &row : rows) {
    // The parameters alone: no operands of this size are made.
    lowering::KernelRequest request{"linear", {}, row.schedule};
    request.parameters = {{"N", row.c.n},
                          {"K", row.c.k},
                          {"E", 1},
                          {"SHARE", 1},
                          {"XS", row.c.k},
                          {"YS", row.c.n},
                          {"X", row.c.x},
                          {"W", row.c.w},
                          {"B", "bf16"},
                          {"Y", "bf16"},
                          {"BIAS", 0},
                          {"SCALES", row.c.w != "bf16"},
                          {"QUANTIZED", row.c.x != "bf16"},
                          {"EXPERTS", 0},
                          {"GROUPED", 0},
                          {"ROUND", 32}};
    auto compiled = lowering::compileKernel(request, harness.codeTarget());
    ASSERT_TRUE(compiled.ok()) << compiled.error().message();
    const std::string &text = compiled->code, what = request.text();
    EXPECT_EQ(count(text, "wgmma.mma_async.sync.aligned." + row.instruction + " "), row.instructions) << what;
    EXPECT_EQ(count(text, "wgmma.mma_async"), row.instructions) << what;
    EXPECT_EQ(count(text, "cp.async.bulk.tensor.2d"), row.copies / 2) << what;
    EXPECT_EQ(count(text, "cp.async.bulk.tensor.3d"), row.copies / 2) << what;
    EXPECT_EQ(count(text, "mbarrier.try_wait"), 2) << what;
    EXPECT_EQ(count(text, "setmaxnreg"), 2) << what;
    for (const char *slow : {"mma.sync", "ld.shared", "st.shared", "ld.local", "st.local", "cp.async.c"})
      EXPECT_EQ(count(text, slow), 0) << slow << " in " << what;
    if (!assembles)
      continue;
    const std::string path = testing::TempDir() + "/" + compiled->symbol + ".ptx";
    std::ofstream(path) << text;
    std::string report = shell(ptxas + " -v --warn-on-spills -arch=sm_90a -o /dev/null " + path, code);
    EXPECT_EQ(code, 0) << report;
    EXPECT_NE(report.find("0 bytes stack frame, 0 bytes spill stores"), std::string::npos) << what << "\n"
                                                                                           << report;
    EXPECT_EQ(report.find("serialized"), std::string::npos) << what << "\n" << report;
    EXPECT_EQ(report.find("setmaxnreg"), std::string::npos) << what << "\n" << report;
    if (!HasFailure())
      std::remove(path.c_str());
    const size_t used = report.find("Used ");
    std::printf("%s: %s\n", what.substr(0, what.find('}') + 1).c_str(),
                report.substr(used, report.find(',', used) - used).c_str());
  }
}

} // namespace
