//===- TensorMapTest.cpp - Kernels that copy boxes by tensor maps ---------===//
#include "tests/conformance/ConformanceTest.h"

namespace quern::conformance {
namespace {

constexpr uint32_t columns = 20, rows = 9, boxColumns = 8, boxRows = 4;

/// One block: thread 0 copies the box at column c0 and row c1 to shared memory, thread i writes word i of it.
const char boxKernel[] = R"(.version 8.0
.target sm_90
.address_size 64
.visible .entry copy_box(.param .align 64 .b8 map[128], .param .u64 .ptr .global .align 4 out,
    .param .u32 c0, .param .u32 c1) {
  .reg .pred %p<4>; .reg .b32 %r<16>; .reg .b64 %d<8>;
  .shared .align 1024 .b8 box[128]; .shared .align 8 .b64 bar;
  ld.param.u32 %r10, [c0]; ld.param.u32 %r11, [c1]; ld.param.u64 %d2, [out];
  mov.b64 %d1, map; cvta.param.u64 %d1, %d1; mov.u32 %r1, %tid.x; mov.u32 %r2, box; mov.u32 %r3, bar;
  setp.ne.u32 %p0, %r1, 0; @%p0 bra ready;
  mbarrier.init.shared::cta.b64 [%r3], 1; fence.mbarrier_init.release.cluster;
  mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r3], 128;
  cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%r2], [%d1, {%r10, %r11}], [%r3];
ready:
  bar.sync 0;
wait:
  mbarrier.try_wait.parity.shared::cta.b64 %p1, [%r3], 0; @!%p1 bra wait;
  setp.ge.u32 %p2, %r1, 32; @%p2 bra over;
  shl.b32 %r4, %r1, 2; add.u32 %r5, %r2, %r4; ld.shared.u32 %r6, [%r5];
  cvt.u64.u32 %d3, %r4; add.u64 %d3, %d3, %d2; st.global.u32 [%d3], %r6;
over:
  ret;
}
)";

class TensorMaps : public ConformanceTest {
protected:
  TensorMap plane(uint64_t address) const {
    TensorMap map;
    map.element = TensorMap::Element::U32;
    map.rank = 2;
    map.address = address;
    map.extents = {columns, rows};
    map.strides = {columns * 4};
    map.box = {boxColumns, boxRows};
    map.swizzle = TensorMap::Swizzle::None;
    return map;
  }
  bool hasMaps() const {
    const DeviceInfo &info = device->info();
    return info.vendor == "nvidia" && info.architecture >= "sm_90";
  }
};

TEST_F(TensorMaps, DeviceWithoutThemSaysSo) {
  std::unique_ptr<Buffer> data = upload(randomWords(columns * rows, 1));
  Expected<EncodedTensorMap> encoded = device->encodeTensorMap(plane(data->address()));
  if (hasMaps())
    EXPECT_TRUE(encoded.ok()) << encoded.error().message();
  else
    EXPECT_ERROR(encoded.error(), Exit::Unsupported, "E-DEVICE-TENSOR-MAP");
}

TEST_F(TensorMaps, BrokenRuleIsRefused) {
  if (!hasMaps())
    GTEST_SKIP() << "no tensor maps";
  std::unique_ptr<Buffer> data = upload(randomWords(columns * rows, 1));
  TensorMap map = plane(data->address());
  map.strides[0] += 8; // no multiple of 16
  Expected<EncodedTensorMap> encoded = device->encodeTensorMap(map);
  ASSERT_FALSE(encoded.ok());
  EXPECT_ERROR(encoded.error(), Exit::Usage, "E-TENSOR-MAP");
  EXPECT_FALSE(encoded.error().causeText().empty());
}

TEST_F(TensorMaps, BoxesInsideAndOverTheEdge) {
  needKernels();
  if (!hasMaps())
    GTEST_SKIP() << "no tensor maps";
  const std::vector<uint32_t> values = randomWords(columns * rows, 2);
  std::unique_ptr<Buffer> data = upload(values);
  Expected<std::unique_ptr<Module>> loaded =
      device->load(std::as_bytes(std::span(boxKernel, sizeof boxKernel - 1)));
  ASSERT_TRUE(loaded.ok()) << loaded.error().message();
  Expected<Kernel *> copy = (*loaded)->kernel("copy_box");
  ASSERT_TRUE(copy.ok()) << copy.error().message();
  for (auto [c0, c1] : {std::pair{4, 2}, {0, 0}, {16, 7}, {-4, 3}, {8, 9}}) {
    std::unique_ptr<Buffer> out = allocate(boxColumns * boxRows * 4);
    EXPECT_OK(device->fill(*out, 0, out->size(), 0xCB));
    {
      // The map may go when the call returns.
      Expected<EncodedTensorMap> map = device->encodeTensorMap(plane(data->address()));
      ASSERT_TRUE(map.ok()) << map.error().message();
      const Argument argument{ArgumentKind::TensorMap, reinterpret_cast<uint64_t>(&*map)};
      EXPECT_OK(device->launch(**copy, shape(1),
                               std::vector{argument, pointer(*out), i32(uint32_t(c0)), i32(uint32_t(c1))}));
      map->bytes.fill(std::byte(0xCB));
    }
    std::vector<uint32_t> expected;
    for (int r = c1; r < c1 + int(boxRows); ++r)
      for (int c = c0; c < c0 + int(boxColumns); ++c)
        expected.push_back(
            r < int(rows) && c >= 0 && c < int(columns) ? values[size_t(r) * columns + size_t(c)] : 0);
    EXPECT_EQ(download(*out), expected) << c0 << ", " << c1;
  }
  // A pointer is no tensor map.
  EXPECT_ERROR(device->launch(**copy, shape(1), std::vector{pointer(*data), pointer(*data), i32(0), i32(0)}),
               Exit::Usage, "E-LAUNCH-ARGUMENTS");
}

} // namespace
} // namespace quern::conformance
