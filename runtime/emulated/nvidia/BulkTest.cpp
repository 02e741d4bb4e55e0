//===- BulkTest.cpp - Bulk copies and tensor maps -------------------------===//
//
// PTX ISA 5.5, 9.7.9.25 to 9.7.9.27; CUDA driver API, cuTensorMapEncodeTiled. Expected bytes come from a loop
// over elements in this file.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/AssemblerTest.h"
#include "runtime/emulated/nvidia/PtxTest.h"

#include <numeric>

namespace quern::runtime::emulated {
namespace {

using test::expectAssembles;

using E = TensorMap::Element;
using S = TensorMap::Swizzle;

TensorMap plane(uint64_t address, uint64_t columns, uint64_t rows, uint32_t boxColumns, uint32_t boxRows,
                E element = E::U16, uint32_t bytes = 2) {
  TensorMap map;
  map.element = element;
  map.rank = 2;
  map.address = address;
  map.extents = {columns, rows};
  map.strides = {(columns * bytes + 15) / 16 * 16};
  map.box = {boxColumns, boxRows};
  return map;
}

TEST(TensorMapRules, EachIsChecked) {
  Gpu gpu("nvidia:sm_90a");
  auto cause = [&](auto change, TensorMap map = plane(0x10000, 100, 50, 64, 8)) {
    change(map);
    auto encoded = gpu.device->encodeTensorMap(map);
    if (encoded.ok())
      return std::string("ok");
    EXPECT_EQ(encoded.error().id(), "E-TENSOR-MAP");
    EXPECT_EQ(encoded.error().exit(), Exit::Usage);
    return encoded.error().causeText();
  };
  EXPECT_EQ(cause([](TensorMap &) {}), "ok");
  EXPECT_NE(cause([](TensorMap &m) { m.address += 8; }).find("multiple of 16"), std::string::npos);
  EXPECT_NE(cause([](TensorMap &m) { m.address = 0; }).find("address"), std::string::npos);
  EXPECT_NE(cause([](TensorMap &m) { m.rank = 6; }).find("rank"), std::string::npos);
  EXPECT_NE(cause([](TensorMap &m) { m.rank = 0; }).find("rank"), std::string::npos);
  EXPECT_NE(cause([](TensorMap &m) { m.extents[1] = 0; }).find("extent"), std::string::npos);
  EXPECT_NE(cause([](TensorMap &m) { m.extents[0] = (uint64_t(1) << 32) + 1; }).find("2^32"),
            std::string::npos);
  EXPECT_EQ(cause([](TensorMap &m) { m.extents[1] = uint64_t(1) << 32; }), "ok");
  EXPECT_NE(cause([](TensorMap &m) { m.strides[0] = 200; }).find("stride"), std::string::npos);
  EXPECT_NE(cause([](TensorMap &m) { m.strides[0] = uint64_t(1) << 40; }).find("2^40"), std::string::npos);
  EXPECT_NE(cause([](TensorMap &m) { m.box[0] = 257; }).find("box"), std::string::npos);
  EXPECT_NE(cause([](TensorMap &m) { m.box[1] = 0; }).find("box"), std::string::npos);
  EXPECT_NE(cause([](TensorMap &m) { m.box[0] = 12; }).find("multiple of 16 bytes"), std::string::npos);
  EXPECT_NE(cause([](TensorMap &m) { m.elementSteps[1] = 9; }).find("step"), std::string::npos);
  EXPECT_NE(cause([](TensorMap &m) { m.swizzle = S::Span64; }).find("span"), std::string::npos);
  EXPECT_EQ(cause([](TensorMap &m) { m.swizzle = S::Span128; }), "ok");
  EXPECT_NE(cause([](TensorMap &m) { m.interleave = TensorMap::Interleave::Bytes16; }).find("rank"),
            std::string::npos);
  EXPECT_NE(cause([](TensorMap &m) { m.fill = TensorMap::Fill::NaN; }).find("NaN"), std::string::npos);
  EXPECT_EQ(cause([](TensorMap &m) { m.element = E::BF16, m.fill = TensorMap::Fill::NaN; }), "ok");
  Gpu older("nvidia:sm_80");
  auto none = older.device->encodeTensorMap(plane(0x10000, 100, 50, 64, 8));
  EXPECT_EQ(none.error().id(), "E-DEVICE-TENSOR-MAP");
}

std::string coordinateList(uint32_t rank, uint32_t firstRegister = 20) {
  std::string text;
  for (uint32_t i = 0; i < rank; ++i)
    text += (i ? ", %r" : "%r") + std::to_string(firstRegister + i);
  return text;
}

/// One block: thread 0 loads a box at the coordinates %r20.. and all copy |bytes| of shared memory to out.
std::string loadKernel(uint32_t rank, uint64_t bytes, const std::string &expect = "",
                       const std::string &wait = "") {
  std::string text =
      ptxHead("sm_90a") + ".visible .entry k(.param .align 64 .b8 map[128], .param .u64 .ptr out";
  for (uint32_t i = 0; i < rank; ++i)
    text += ", .param .u32 c" + std::to_string(i);
  text += ") {\n.reg .pred %p<8>; .reg .b32 %r<32>; .reg .b64 %d<16>;\n.shared .align 1024 .b8 box[" +
          std::to_string(bytes) + "]; .shared .align 8 .b64 bar;\n";
  for (uint32_t i = 0; i < rank; ++i)
    text += "ld.param.u32 %r" + std::to_string(20 + i) + ", [c" + std::to_string(i) + "];\n";
  text +=
      "mov.b64 %d1, map; cvta.param.u64 %d1, %d1; ld.param.u64 %d2, [out]; mov.u32 %r1, %tid.x; setp.ne.u32 "
      "%p0, %r1, 0;\n"
      "mov.u32 %r2, box; mov.u32 %r3, bar; @%p0 bra ready;\n"
      "mbarrier.init.shared::cta.b64 [%r3], 1; fence.mbarrier_init.release.cluster;\n"
      "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r3], " +
      (expect.empty() ? std::to_string(bytes) : expect) +
      ";\n"
      "cp.async.bulk.tensor." +
      std::to_string(rank) + "d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%r2], [%d1, {" +
      coordinateList(rank) +
      "}], [%r3];\n"
      "ready: bar.sync 0;\n" +
      (wait.empty() ? "wait: mbarrier.try_wait.parity.shared::cta.b64 %p1, [%r3], 0; @!%p1 bra wait;\n"
                    : wait) +
      "shl.b32 %r4, %r1, 2; mov.u32 %r6, %r4;\n"
      "again: setp.ge.u32 %p2, %r6, " +
      std::to_string(bytes) +
      "; @%p2 bra over; add.u32 %r7, %r2, %r6; ld.shared.u32 %r8, [%r7]; cvt.u64.u32 %d3, %r6; add.u64 %d3, "
      "%d3, %d2; st.global.u32 [%d3], %r8; add.u32 %r6, %r6, 256; bra again; over: ret;\n}\n";
  return text;
}

struct Box {
  TensorMap map;
  std::vector<int32_t> at;
  uint32_t elementBytes;
};

/// What shared memory holds after the load: element by element.
std::vector<uint8_t> expectedBox(const Box &box, const std::vector<uint8_t> &tensor) {
  const TensorMap &map = box.map;
  std::vector<uint32_t> counts(map.rank);
  uint64_t total = 1;
  for (uint32_t i = 0; i < map.rank; ++i) {
    uint32_t step = i ? map.elementSteps[i] : 1;
    counts[i] = (map.box[i] + step - 1) / step;
    total *= counts[i];
  }
  std::vector<uint8_t> shared(total * box.elementBytes);
  for (uint64_t linear = 0; linear < total; ++linear) {
    uint64_t rest = linear, source = 0;
    bool inside = true;
    for (uint32_t i = 0; i < map.rank; ++i) {
      int64_t c = box.at[i] + int64_t(rest % counts[i]) * (i ? map.elementSteps[i] : 1);
      rest /= counts[i];
      inside &= c >= 0 && uint64_t(c) < map.extents[i];
      source += uint64_t(c) * (i ? map.strides[i - 1] : box.elementBytes);
    }
    // Chunk and line of the element, by the figures of the swizzle modes.
    uint64_t byte = linear * box.elementBytes, line = byte / 128, within = byte % 128;
    switch (map.swizzle) {
    case S::Span32:
      within = within / 32 * 32 + ((within / 16 % 2) ^ (line % 2)) * 16 + within % 16;
      break;
    case S::Span64:
      within = within / 64 * 64 + ((within / 16 % 4) ^ (line % 4)) * 16 + within % 16;
      break;
    case S::Span128:
      within = ((within / 16) ^ (line % 8)) * 16 + within % 16;
      break;
    case S::Span128Atom32:
      within = ((within / 32) ^ (line % 4)) * 32 + within % 32;
      break;
    case S::Span128Atom64:
      within = ((within / 64) ^ (line % 2)) * 64 + within % 64;
      break;
    default:
      break;
    }
    for (uint32_t b = 0; b < box.elementBytes; ++b) {
      uint8_t fill = 0;
      if (map.fill == TensorMap::Fill::NaN)
        fill = b + 1 == box.elementBytes ? 0x7F : 0xFF;
      shared[line * 128 + within + b] = inside ? tensor[source + b] : fill;
    }
  }
  return shared;
}

std::vector<uint8_t> pattern(size_t bytes) {
  std::vector<uint8_t> values(bytes);
  for (size_t i = 0; i < bytes; ++i)
    values[i] = static_cast<uint8_t>(i * 197 + (i >> 8) * 31 + 5);
  return values;
}

void checkLoad(Box box, uint64_t tensorBytes, RunOptions options = {}) {
  Gpu gpu("nvidia:sm_90a", options);
  std::vector<uint8_t> tensor = pattern(tensorBytes);
  auto memory = gpu.buffer(tensor);
  box.map.address = memory->address();
  std::vector<uint8_t> expected = expectedBox(box, tensor);
  auto out = gpu.blank<uint8_t>(expected.size());
  auto encoded = gpu.device->encodeTensorMap(box.map);
  ASSERT_TRUE(encoded.ok()) << encoded.error().causeText();
  std::vector<Argument> arguments = {{ArgumentKind::TensorMap, reinterpret_cast<uint64_t>(&*encoded)},
                                     pointerTo(*out)};
  for (int32_t c : box.at)
    arguments.push_back(i32(static_cast<uint32_t>(c)));
  LaunchShape shape;
  shape.threads = 64;
  Status status = gpu.run(loadKernel(box.map.rank, expected.size()), shape, arguments);
  ASSERT_TRUE(status.ok()) << status.message() << status.causeText();
  EXPECT_EQ(gpu.read<uint8_t>(*out), expected);
}

TEST(Bulk, TensorLoadsOfEverySwizzle) {
  expectAssembles(loadKernel(2, 1024), "sm_90a");
  const std::pair<S, uint32_t> spans[] = {{S::None, 48},    {S::Span32, 16},        {S::Span64, 32},
                                          {S::Span128, 64}, {S::Span128Atom32, 64}, {S::Span128Atom64, 64}};
  for (auto [swizzle, columns] : spans)
    for (std::vector<int32_t> at : {std::vector<int32_t>{8, 3}, {-5, -2}, {80, 20}, {1000, 4}})
      for (uint64_t seed = 0; seed < 3; ++seed) {
        Box box{plane(16, 100, 25, columns, 16), at, 2};
        box.map.swizzle = swizzle;
        checkLoad(box, 208 * 25, RunOptions{.seed = seed});
      }
}

TEST(Bulk, TensorLoadsOfEveryRankAndFill) {
  TensorMap map;
  map.address = 16;
  map.element = E::F32;
  map.extents = {11, 7, 5, 4, 3};
  map.strides = {48, 48 * 7, 48 * 35, 48 * 140};
  map.box = {8, 3, 2, 2, 2};
  for (uint32_t rank = 1; rank <= 5; ++rank)
    for (auto fill : {TensorMap::Fill::Zero, TensorMap::Fill::NaN})
      for (int32_t at : {0, 1, -1, 2}) {
        map.rank = rank;
        map.fill = fill;
        checkLoad({map, std::vector<int32_t>(rank, at), 4}, 48 * 420);
      }
  // Steps skip elements of the outer dimensions; that of the inner one is ignored.
  map.rank = 3;
  map.box = {8, 7, 5, 1, 1};
  map.elementSteps = {2, 3, 2, 1, 1};
  checkLoad({map, {1, 0, 1}, 4}, 48 * 420);
}

struct Launched {
  Status status = Status::success();
  std::vector<Finding> findings;
  std::vector<uint8_t> out;
};

Launched launchLoad(const std::string &text, RunOptions options = {}, bool damage = false) {
  Gpu gpu("nvidia:sm_90a", options);
  auto memory = gpu.buffer(pattern(208 * 25));
  auto encoded = gpu.device->encodeTensorMap(plane(memory->address(), 100, 25, 64, 8));
  if (damage)
    encoded->bytes[40] ^= std::byte{1};
  auto out = gpu.blank<uint8_t>(1024);
  LaunchShape shape;
  shape.threads = 64;
  Launched launched;
  launched.status = gpu.run(
      text, shape,
      {{ArgumentKind::TensorMap, reinterpret_cast<uint64_t>(&*encoded)}, pointerTo(*out), i32(8), i32(4)});
  launched.findings = gpu.device->findings();
  launched.out = gpu.read<uint8_t>(*out);
  return launched;
}

void expectFinding(const Launched &launched, const std::string &id, const std::string &text) {
  ASSERT_FALSE(launched.status.ok()) << text;
  EXPECT_EQ(launched.status.id(), id) << launched.status.message() << launched.status.causeText();
  std::string all = launched.status.message() + launched.status.causeText();
  EXPECT_NE(all.find(text), std::string::npos) << all;
}

std::string replaced(std::string text, const std::string &from, const std::string &to) {
  size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

TEST(Bulk, FaultsOfLoads) {
  std::string good = loadKernel(2, 1024);
  for (uint64_t seed = 0; seed < 4; ++seed) {
    RunOptions options{.seed = seed};
    EXPECT_TRUE(launchLoad(good, options).status.ok());
    expectFinding(launchLoad(loadKernel(2, 1024, "", "mov.u32 %r31, 0;"), options), "E-EMULATED-RACE",
                  "an asynchronous operation writes in `cp.async.bulk.tensor");
    expectFinding(launchLoad(loadKernel(2, 1024, "1040"), options), "E-EMULATED-DEADLOCK",
                  "which waits for 0 of 1 arrivals and 16 bytes");
    EXPECT_FALSE(launchLoad(loadKernel(2, 1024, "512"), options).status.ok());
    expectFinding(launchLoad(replaced(good, "fence.mbarrier_init.release.cluster;", ""), options),
                  "E-EMULATED-ASYNC", "fence.mbarrier_init");
  }
  // Without the sanitizer, the data that have not come show as poison, and in time they are there.
  std::string noWait = loadKernel(2, 1024, "", "mov.u32 %r31, 0;");
  Launched late = launchLoad(noWait, RunOptions{.sanitize = false, .asynchronous = AsyncOrder::Latest});
  Launched early = launchLoad(noWait, RunOptions{.sanitize = false, .asynchronous = AsyncOrder::Earliest});
  EXPECT_NE(late.out, early.out);
  EXPECT_EQ(early.out, launchLoad(good).out);
  expectFinding(launchLoad(replaced(good, "[%r2], [%d1, {", "[%r2+64], [%d1, {")), "E-EMULATED-MISALIGNED",
                "shared");
  expectFinding(launchLoad(replaced(good, "[%r2], [%d1, {", "[%r2+128], [%d1, {")),
                "E-EMULATED-OUT-OF-BOUNDS", "shared");
  expectFinding(launchLoad(good, {}, true), "E-EMULATED-ASYNC", "not a tensor map");
  expectFinding(launchLoad(replaced(replaced(good, "tensor.2d", "tensor.1d"), "{%r20, %r21}", "{%r20}")),
                "E-EMULATED-OPERAND", "rank");
  // A write to the box before the load is waited for.
  expectFinding(
      launchLoad(replaced(good, "ready: bar.sync 0;", "ready: bar.sync 0; st.shared.u32 [%r2], %r1;")),
      "E-EMULATED-RACE", "an asynchronous operation writes");
}

TEST(Bulk, HugeBoxesAreRefused) {
  // 2^35 rows: none of them is looked at.
  Gpu gpu("nvidia:sm_90a");
  auto memory = gpu.buffer(pattern(4096));
  auto out = gpu.blank<uint8_t>(1024);
  TensorMap map;
  map.address = memory->address();
  map.rank = 5;
  map.extents = {256, 256, 256, 256, 256};
  map.strides = {256, 256, 256, 256};
  map.box = {16, 256, 256, 256, 256};
  auto encoded = gpu.device->encodeTensorMap(map);
  ASSERT_TRUE(encoded.ok());
  LaunchShape shape;
  shape.threads = 64;
  EXPECT_EQ(gpu.run(loadKernel(5, 1024), shape,
                    {{ArgumentKind::TensorMap, reinterpret_cast<uint64_t>(&*encoded)},
                     pointerTo(*out),
                     i32(0),
                     i32(0),
                     i32(0),
                     i32(0),
                     i32(0)})
                .id(),
            "E-EMULATED-OUT-OF-BOUNDS");
}

TEST(Bulk, MemoryIsCheckedToTheByte) {
  Gpu gpu("nvidia:sm_90a");
  auto memory = gpu.buffer(pattern(208 * 24));
  auto out = gpu.blank<uint8_t>(1024);
  // The map says 25 rows where 24 are allocated.
  auto encoded = gpu.device->encodeTensorMap(plane(memory->address(), 100, 25, 64, 8));
  LaunchShape shape;
  shape.threads = 64;
  auto run = [&](int row) {
    return gpu.run(loadKernel(2, 1024), shape,
                   {{ArgumentKind::TensorMap, reinterpret_cast<uint64_t>(&*encoded)},
                    pointerTo(*out),
                    i32(0),
                    i32(static_cast<uint32_t>(row))});
  };
  EXPECT_TRUE(run(16).ok());
  EXPECT_EQ(run(17).id(), "E-EMULATED-OUT-OF-BOUNDS");
}

//===----------------------------------------------------------------------===//
// Stores, plain bytes, reductions, groups
//===----------------------------------------------------------------------===//

/// 64 threads write their words to shared memory (16 x 16 bytes... 64 words), then |body|.
std::string storeKernel(const std::string &body) {
  return ptxHead("sm_90a") +
         ".visible .entry k(.param .align 64 .b8 map[128], .param .u64 .ptr out) {\n"
         ".reg .pred %p<8>; .reg .b32 %r<32>; .reg .b64 %d<16>;\n"
         ".shared .align 128 .b8 box[512]; .shared .align 8 .b64 bar;\n"
         "mov.b64 %d1, map; cvta.param.u64 %d1, %d1; ld.param.u64 %d2, [out]; mov.u32 %r1, %tid.x; "
         "setp.ne.u32 %p0, "
         "%r1, 0; mov.u32 %r2, box; shl.b32 %r4, %r1, 2; add.u32 %r5, %r2, %r4; mad.lo.u32 %r6, %r1, 1003, "
         "77; "
         "st.shared.u32 [%r5], %r6;\n" +
         body + "\nret;\n}\n";
}

Launched launchStore(const std::string &text, const TensorMap &shape, std::vector<uint8_t> initial,
                     RunOptions options = {}) {
  Gpu gpu("nvidia:sm_90a", options);
  auto out = gpu.buffer(initial);
  TensorMap map = shape;
  map.address = out->address();
  auto encoded = gpu.device->encodeTensorMap(map);
  EXPECT_TRUE(encoded.ok());
  LaunchShape launch;
  launch.threads = 64;
  Launched launched;
  launched.status = gpu.run(
      text, launch, {{ArgumentKind::TensorMap, reinterpret_cast<uint64_t>(&*encoded)}, pointerTo(*out)});
  launched.findings = gpu.device->findings();
  launched.out = gpu.read<uint8_t>(*out);
  return launched;
}

const std::string fenced = "fence.proxy.async.shared::cta; bar.sync 0; @%p0 bra over;\n";
const std::string waited = "cp.async.bulk.commit_group; cp.async.bulk.wait_group.read 0; over:";

TEST(Bulk, TensorStoresAndReductions) {
  TensorMap map = plane(16, 20, 9, 8, 8, E::U32, 4);
  for (std::string op : {"", "add", "min", "max", "inc", "dec", "and", "or", "xor"})
    for (uint64_t seed = 0; seed < 3; ++seed) {
      std::string text = storeKernel(
          fenced + "mov.u32 %r20, 16; mov.u32 %r21, 3;\n" +
          (op.empty()
               ? "cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group [%d1, {%r20, %r21}], [%r2];\n"
               : "cp.reduce.async.bulk.tensor.2d.global.shared::cta." + op +
                     ".tile.bulk_group [%d1, {%r20, %r21}], [%r2];\n") +
          waited);
      if (seed == 0)
        expectAssembles(text, "sm_90a");
      std::vector<uint8_t> initial = pattern(80 * 9), expected = initial;
      for (uint32_t row = 0; row < 8; ++row)
        for (uint32_t column = 0; column < 8; ++column) {
          if (row + 3 >= 9 || column + 16 >= 20)
            continue;
          uint32_t value = (row * 8 + column) * 1003 + 77, old;
          uint8_t *place = &expected[(row + 3) * 80 + (column + 16) * 4];
          std::memcpy(&old, place, 4);
          uint32_t result = op == "add"   ? old + value
                            : op == "min" ? std::min(old, value)
                            : op == "max" ? std::max(old, value)
                            : op == "inc" ? (old >= value ? 0 : old + 1)
                            : op == "dec" ? (old == 0 || old > value ? value : old - 1)
                            : op == "and" ? (old & value)
                            : op == "or"  ? (old | value)
                            : op == "xor" ? (old ^ value)
                                          : value;
          std::memcpy(place, &result, 4);
        }
      Launched launched = launchStore(text, map, initial, RunOptions{.seed = seed});
      ASSERT_TRUE(launched.status.ok()) << op << launched.status.message() << launched.status.causeText();
      EXPECT_EQ(launched.out, expected) << op;
    }
}

TEST(Bulk, PlainBytesThereAndBack) {
  // 128 bytes from global to shared, doubled by a reduction of what shared memory holds, back to global.
  std::string text = storeKernel(
      "mov.u32 %r7, bar; @%p0 bra in; mbarrier.init.shared.b64 [%r7], 1; fence.proxy.async;\n"
      "mbarrier.arrive.expect_tx.shared.b64 _, [%r7], 128; add.u32 %r8, %r2, 256;\n"
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r8], [%d2], 128, [%r7];\n"
      "in: bar.sync 0; wait: mbarrier.try_wait.parity.shared.b64 %p1, [%r7], 0; @!%p1 bra wait;\n"
      "fence.proxy.async.shared::cta; bar.sync 0; @%p0 bra over; add.u64 %d3, %d2, 256;\n"
      "cp.async.bulk.global.shared::cta.bulk_group [%d3], [%r8], 128; add.u64 %d3, %d2, 512;\n"
      "cp.reduce.async.bulk.global.shared::cta.bulk_group.add.u64 [%d3], [%r2], 256;\n" +
      waited);
  expectAssembles(text, "sm_90a");
  for (uint64_t seed = 0; seed < 6; ++seed) {
    std::vector<uint8_t> initial = pattern(1024), expected = initial;
    std::copy_n(initial.begin(), 128, expected.begin() + 256);
    for (uint32_t i = 0; i < 32; ++i) {
      uint64_t old, value = uint64_t((2 * i + 1) * 1003 + 77) << 32 | ((2 * i) * 1003 + 77);
      std::memcpy(&old, &expected[512 + 8 * i], 8);
      old += value;
      std::memcpy(&expected[512 + 8 * i], &old, 8);
    }
    Launched launched = launchStore(text, plane(16, 8, 8, 8, 8), initial, RunOptions{.seed = seed});
    ASSERT_TRUE(launched.status.ok()) << launched.status.message() << launched.status.causeText();
    EXPECT_EQ(launched.out, expected) << seed;
  }
}

TEST(Bulk, FaultsOfStores) {
  TensorMap map = plane(16, 20, 9, 8, 8, E::U32, 4);
  std::string copy = "cp.async.bulk.global.shared::cta.bulk_group [%d2], [%r2], 256;\n";
  auto run = [&](const std::string &body, RunOptions options = {}) {
    return launchStore(storeKernel(body), map, pattern(1024), options);
  };
  EXPECT_TRUE(run(fenced + copy + waited).status.ok());
  expectFinding(run("bar.sync 0; @%p0 bra over;" + copy + waited), "E-EMULATED-ASYNC", "fence.proxy.async");
  // The issuer's own fence, after the barrier, serves as well; one before the barrier by the issuer alone
  // does not.
  EXPECT_TRUE(run("bar.sync 0; @%p0 bra over; fence.proxy.async;" + copy + waited).status.ok());
  expectFinding(run("@!%p0 fence.proxy.async; bar.sync 0; @%p0 bra over;" + copy + waited),
                "E-EMULATED-ASYNC", "fence.proxy.async");
  expectFinding(
      run("fence.proxy.async; @%p0 bra over;" + copy + waited, RunOptions{.seed = 3, .uninitialised = false}),
      "E-EMULATED-RACE", "shared");
  expectFinding(run(fenced + copy + "over:"), "E-EMULATED-ASYNC", "a wait_group is missing");
  expectFinding(run(fenced + copy + "cp.async.bulk.commit_group; over:"), "E-EMULATED-ASYNC",
                "a wait_group is missing");
  // One group may stay open, and that is the one whose source is written.
  std::string reuse = fenced + copy +
                      "cp.async.bulk.commit_group; cp.async.bulk.wait_group.read N; st.shared.u32 "
                      "[%r2], 5; cp.async.bulk.wait_group 0; over:";
  for (uint64_t seed = 0; seed < 3; ++seed) {
    EXPECT_TRUE(run(replaced(reuse, "N", "0"), RunOptions{.seed = seed}).status.ok());
    expectFinding(run(replaced(reuse, "N", "1"), RunOptions{.seed = seed}), "E-EMULATED-RACE",
                  "an asynchronous operation reads");
  }
  expectFinding(run(fenced + replaced(copy, "256", "264") + waited), "E-EMULATED-OPERAND", "multiple of 16");
  expectFinding(run(fenced + replaced(copy, "[%d2]", "[%d2+8]") + waited), "E-EMULATED-MISALIGNED", "global");
  expectFinding(run(fenced + replaced(copy, "[%d2]", "[%d2+1024]") + waited), "E-EMULATED-OUT-OF-BOUNDS",
                "global");
  // Addresses that no one has, with the sanitizer off: no crash.
  expectFinding(run("mov.u64 %d2, 0x7FFFFFFFFF00;" + fenced + copy + waited, RunOptions{.sanitize = false}),
                "E-EMULATED-OUT-OF-BOUNDS", "global");
  EXPECT_EQ(
      run("cp.async.bulk.tensor.3d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%r2], [%d1, "
          "{%r4, %r4, %r4}], [%r2], {%h1};")
          .status.id(),
      "E-EMULATED-NOT-MODELLED");
}

TEST(Bulk, MulticastAndPeerCopies) {
  // Block 0 of each pair loads a box for both; each block adds its rank and its peer's first word by
  // st.async.
  std::string text =
      ptxHead("sm_90a") +
      ".visible .entry k(.param .align 64 .b8 map[128], .param .u64 .ptr out) .reqnctapercluster 2, 1, 1 {\n"
      ".reg .pred %p<8>; .reg .b16 %h<4>; .reg .b32 %r<32>; .reg .b64 %d<16>;\n"
      ".shared .align 128 .b8 box[256]; .shared .align 16 .b8 mail[32]; .shared .align 8 .b64 bar[2];\n"
      "mov.b64 %d1, map; cvta.param.u64 %d1, %d1; ld.param.u64 %d2, [out]; mov.u32 %r1, %tid.x; mov.u32 %r9, "
      "%cluster_ctarank; mov.u32 %r10, %ctaid.x; setp.ne.u32 %p0, %r1, 0; mov.u32 %r2, box; mov.u32 %r3, "
      "bar; "
      "mov.u32 %r11, mail;\n"
      "@%p0 bra ready; mbarrier.init.shared.b64 [%r3], 1; mbarrier.init.shared.b64 [%r3+8], 1; "
      "fence.mbarrier_init.release.cluster;\n"
      "mbarrier.arrive.expect_tx.shared.b64 _, [%r3], 256; mbarrier.arrive.expect_tx.shared.b64 _, [%r3+8], "
      "24;\n"
      "ready: barrier.cluster.arrive.release; barrier.cluster.wait.acquire; @%p0 bra go;\n"
      "setp.ne.u32 %p2, %r9, 0; mov.u16 %h1, 3; mov.u32 %r20, 0; shr.u32 %r21, %r10, 1;\n"
      "@!%p2 "
      "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster "
      "[%r2], [%d1, {%r20, %r21}], [%r3], %h1;\n"
      "xor.b32 %r12, %r9, 1; mapa.shared::cluster.u32 %r13, %r11, %r12; add.u32 %r14, %r3, 8; "
      "mapa.shared::cluster.u32 %r14, %r14, %r12; add.u32 %r15, %r10, 1000;\n"
      "st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v4.b32 [%r13], {%r15, %r9, %r12, %r15}, "
      "[%r14];\n"
      "st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v2.b32 [%r13+16], {%r15, %r9}, [%r14];\n"
      "go: wait: mbarrier.try_wait.parity.shared.b64 %p1, [%r3], 0; @!%p1 bra wait;\n"
      "wait2: mbarrier.try_wait.parity.shared.b64 %p1, [%r3+8], 0; @!%p1 bra wait2;\n"
      "shl.b32 %r4, %r1, 2; add.u32 %r5, %r4, %r2; ld.shared.u32 %r6, [%r5]; ld.shared.u32 %r7, [%r11]; "
      "ld.shared.u32 %r8, [%r11+16]; add.u32 %r6, %r6, %r7; add.u32 %r6, %r6, %r8;\n"
      "mad.lo.u32 %r4, %r10, 256, %r4; cvt.u64.u32 %d3, %r4; add.u64 %d3, %d3, %d2; st.global.u32 [%d3], "
      "%r6;\n"
      "barrier.cluster.arrive.release; barrier.cluster.wait.acquire; ret;\n}\n";
  expectAssembles(text, "sm_90a");
  for (uint64_t seed = 0; seed < 6; ++seed) {
    Gpu gpu("nvidia:sm_90a", RunOptions{.seed = seed});
    std::vector<uint32_t> tensor(64 * 4);
    std::iota(tensor.begin(), tensor.end(), 5000u);
    auto memory = gpu.buffer(tensor);
    auto out = gpu.blank<uint32_t>(64 * 4);
    auto encoded = gpu.device->encodeTensorMap(plane(memory->address(), 64, 4, 64, 1, E::U32, 4));
    LaunchShape shape;
    shape.threads = 64;
    shape.blocks = 4;
    Status status = gpu.run(
        text, shape, {{ArgumentKind::TensorMap, reinterpret_cast<uint64_t>(&*encoded)}, pointerTo(*out)});
    ASSERT_TRUE(status.ok()) << status.message() << status.causeText();
    auto values = gpu.read<uint32_t>(*out);
    for (uint32_t block = 0; block < 4; ++block)
      for (uint32_t i = 0; i < 64; ++i)
        ASSERT_EQ(values[block * 64 + i], 5000 + (block / 2) * 64 + i + 2 * (1000 + (block ^ 1)));
    // A mask that names a block too many.
    EXPECT_EQ(gpu.run(replaced(text, "mov.u16 %h1, 3", "mov.u16 %h1, 7"), shape,
                      {{ArgumentKind::TensorMap, reinterpret_cast<uint64_t>(&*encoded)}, pointerTo(*out)})
                  .id(),
              "E-EMULATED-OPERAND");
    // Without the last barrier a block may end while its peer still sends.
  }
}

TEST(Bulk, MapsAreChangedOnTheDevice) {
  // A map in global memory gets another address, extent and box; the fence is needed before its use.
  std::string text = storeKernel(
      fenced +
      "add.u64 %d4, %d2, 512; tensormap.replace.tile.global_address.global.b1024.b64 [%d4], %d2;\n"
      "tensormap.replace.tile.global_dim.global.b1024.b32 [%d4], 1, 4;\n"
      "tensormap.replace.tile.box_dim.global.b1024.b32 [%d4], 0, 4;\n"
      "tensormap.replace.tile.elemtype.global.b1024.b32 [%d4], 2;\n"
      "tensormap.replace.tile.rank.global.b1024.b32 [%d4], 1;\n"
      "tensormap.replace.tile.swizzle_mode.global.b1024.b32 [%d4], 0;\n"
      "fence.proxy.tensormap::generic.acquire.gpu [%d4], 128;\n"
      "mov.u32 %r20, 0; mov.u32 %r21, 2; cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group [%d4, "
      "{%r20, "
      "%r21}], [%r2];\n" +
      waited);
  expectAssembles(text, "sm_90a");
  Gpu gpu("nvidia:sm_90a");
  std::vector<uint8_t> memory(1024, 0);
  auto out = gpu.buffer(memory);
  TensorMap map = plane(out->address() + 16, 8, 64, 8, 8, E::U32, 4);
  auto encoded = gpu.device->encodeTensorMap(map);
  ASSERT_TRUE(encoded.ok());
  LaunchShape launch;
  launch.threads = 64;
  auto run = [&](const std::string &what) {
    EXPECT_TRUE(gpu.device->upload(*out, 512, std::span<const std::byte>(encoded->bytes)).ok());
    return gpu.run(what, launch,
                   {{ArgumentKind::TensorMap, reinterpret_cast<uint64_t>(&*encoded)}, pointerTo(*out)});
  };
  Status status = run(text);
  ASSERT_TRUE(status.ok()) << status.message() << status.causeText();
  auto words = gpu.read<uint32_t>(*out);
  for (uint32_t row = 0; row < 6; ++row)
    for (uint32_t column = 0; column < 8; ++column) {
      bool written = row >= 2 && row < 4 && column < 4;
      EXPECT_EQ(words[row * 8 + column], written ? ((row - 2) * 4 + column) * 1003 + 77 : 0u)
          << row << column;
    }
  Status unfenced = run(replaced(text, "fence.proxy.tensormap::generic.acquire.gpu [%d4], 128;", ""));
  EXPECT_EQ(unfenced.id(), "E-EMULATED-ASYNC");
}

} // namespace
} // namespace quern::runtime::emulated
