//===- WarpgroupGemmTest.cpp - A product as it is written for sm_90a ------===//
//
// C[m][n] = sum over k of A[m][k] * B[n][k], bf16 to f32, in tiles of 128 x 128 x 64: a ring of three stages
// that one thread fills by tensor maps and two warpgroups empty by wgmma; the two blocks of a cluster load
// one half of B each and send it to both. Each planted fault must be reported or change the result.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/AssemblerTest.h"
#include "runtime/emulated/nvidia/FormatTables.h"
#include "runtime/emulated/nvidia/PtxTest.h"
#include "runtime/emulated/nvidia/WarpgroupGemmProgram.h"

namespace quern::runtime::emulated {
namespace {

using test::expectAssembles;

std::string program() { return test::warpgroupGemm(); }

struct Problem {
  uint32_t m, n, k;
  std::vector<uint16_t> a, b;
  std::vector<double> c;

  Problem(uint32_t m, uint32_t n, uint32_t k)
      : m(m), n(n), k(k), a(size_t(m) * k), b(size_t(n) * k), c(size_t(m) * n) {
    auto value = [](uint32_t i, uint32_t j, uint32_t seed) { return int((i * 31 + j * 17 + seed) % 13) - 6; };
    for (uint32_t i = 0; i < m; ++i)
      for (uint32_t j = 0; j < k; ++j)
        a[size_t(i) * k + j] = static_cast<uint16_t>(test::bf16.nearest(value(i, j, 3)));
    for (uint32_t i = 0; i < n; ++i)
      for (uint32_t j = 0; j < k; ++j)
        b[size_t(i) * k + j] = static_cast<uint16_t>(test::bf16.nearest(value(j, i, 5)));
    for (uint32_t i = 0; i < m; ++i)
      for (uint32_t j = 0; j < n; ++j)
        for (uint32_t l = 0; l < k; ++l)
          c[size_t(i) * n + j] += value(i, l, 3) * value(l, j, 5);
  }
};

struct Ran {
  Status status = Status::success();
  std::vector<float> c;
};

Ran run(const Problem &problem, const std::string &text, RunOptions options = {},
        TensorMap::Swizzle swizzle = TensorMap::Swizzle::Span128) {
  Gpu gpu("nvidia:sm_90a", options);
  auto a = gpu.buffer(problem.a), b = gpu.buffer(problem.b);
  auto c = gpu.blank<float>(size_t(problem.m) * problem.n);
  auto map = [&](const Buffer &buffer, uint32_t rows, uint32_t boxRows) {
    TensorMap map;
    map.element = TensorMap::Element::BF16;
    map.rank = 2;
    map.address = buffer.address();
    map.extents = {problem.k, rows};
    map.strides = {uint64_t(problem.k) * 2};
    map.box = {64, boxRows};
    map.swizzle = swizzle;
    return *gpu.device->encodeTensorMap(map);
  };
  EncodedTensorMap mapA = map(*a, problem.m, 128), mapB = map(*b, problem.n, 64);
  LaunchShape shape;
  shape.threads = 384;
  shape.blocks = problem.m / 128 * (problem.n / 128);
  shape.sharedBytes = 3 * 32768;
  Ran ran;
  ran.status = gpu.run(text, shape,
                       {{ArgumentKind::TensorMap, reinterpret_cast<uint64_t>(&mapA)},
                        {ArgumentKind::TensorMap, reinterpret_cast<uint64_t>(&mapB)},
                        pointerTo(*c),
                        i32(problem.n),
                        i32(problem.k / 64),
                        i32(problem.m / 256)},
                       "gemm");
  ran.c = gpu.read<float>(*c);
  return ran;
}

bool isRight(const Problem &problem, const Ran &ran) {
  for (size_t i = 0; i < problem.c.size(); ++i)
    if (ran.c[i] != static_cast<float>(problem.c[i]))
      return false;
  return true;
}

TEST(WarpgroupGemm, RingMulticastAndTwoConsumers) {
  expectAssembles(program(), "sm_90a");
  Problem problem(256, 256, 320);
  for (uint64_t seed = 0; seed < 4; ++seed) {
    Ran ran = run(problem, program(), RunOptions{.seed = seed});
    ASSERT_TRUE(ran.status.ok()) << ran.status.message() << ran.status.causeText();
    EXPECT_TRUE(isRight(problem, ran)) << seed;
  }
}

/// One change of the text, and what it must lead to: any finding or another result, for one of three seeds.
void expectBites(const std::string &from, const std::string &to, const std::string &what = "") {
  std::string text = program();
  size_t at = text.find(from);
  ASSERT_NE(at, std::string::npos) << from;
  text.replace(at, from.size(), to);
  Problem problem(256, 128, 320);
  bool bites = false;
  std::string all;
  for (uint64_t seed = 0; seed < 3; ++seed) {
    Ran ran = run(problem, text, RunOptions{.seed = seed});
    bites |= !ran.status.ok() || !isRight(problem, ran);
    if (!ran.status.ok())
      all += ran.status.message() + "\n";
  }
  EXPECT_TRUE(bites) << from;
  EXPECT_NE(all.find(what), std::string::npos) << from << "\n" << all;
}

TEST(WarpgroupGemm, PlantedFaultsBite) {
  std::string wait = "mbarrier.try_wait.parity";
  expectBites(wait + ".shared::cta.b64 %p3, [%r29], %r12; @!%p3 bra waitfull;", "", "E-EMULATED");
  expectBites(wait + ".acquire.cluster.shared::cta.b64 %p3, [%r28], %r30; @!%p3 bra waitempty;", "",
              "E-EMULATED");
  expectBites("[%r29], %r12;", "[%r29], %r30;", "E-EMULATED");
  expectBites("[%r28], %r30;", "[%r28], %r12;", "E-EMULATED-DEADLOCK");
  expectBites("_, [%r29], 32768", "_, [%r29], 16384", "E-EMULATED");
  expectBites("_, [%r29], 32768", "_, [%r29], 32784", "E-EMULATED-DEADLOCK");
  expectBites("wgmma.wait_group.sync.aligned 0;", "", "E-EMULATED");
  expectBites("wgmma.wait_group.sync.aligned 0;", "wgmma.wait_group.sync.aligned 1;", "E-EMULATED");
  expectBites("wgmma.commit_group.sync.aligned;", "", "E-EMULATED");
  expectBites("fence.mbarrier_init.release.cluster;", "", "fence.mbarrier_init");
  expectBites("barrier.cluster.arrive.release.aligned; barrier.cluster.wait.acquire.aligned;", "bar.sync 0;",
              "E-EMULATED");
  expectBites("@%p5 mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r35];", "",
              "E-EMULATED-DEADLOCK");
  expectBites("barrier.cluster.arrive.release; barrier.cluster.wait.acquire;\n  ret;", "ret;", "E-EMULATED");
  expectBites("or.b64 %d3, %d3, 0x4000004000010000", "or.b64 %d3, %d3, 0x8000004000010000");
  expectBites("or.b64 %d4, %d4, 0x4000004000010000", "or.b64 %d4, %d4, 0x4000002000010000");
  expectBites("mov.u16 %h1, 3;", "mov.u16 %h1, 1;", "E-EMULATED");
  Problem problem(256, 128, 128);
  EXPECT_FALSE(isRight(problem, run(problem, program(), {}, TensorMap::Swizzle::None)));
}

} // namespace
} // namespace quern::runtime::emulated
