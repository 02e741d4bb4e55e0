//===- MoveTest.cpp - kernels/gather_rows and kernels/cache_append --------===//
#include "tests/kernels/PagedBatch.h"

using namespace quern;
using namespace quern::test;
using H = KernelHarness;

namespace {

class MoveTest : public KernelTest {};

void checkGather(H &harness, int rows, int n, int padding, const std::string &element,
                 std::vector<int32_t> tile = {}, int warps = 1) {
  int sourceRows = 23, xs = n + padding;
  HostTensor x = HostTensor::normal(element, size_t(sourceRows) * xs, uint64_t(rows));
  std::vector<int32_t> index;
  for (int r = 0; r < rows; ++r)
    index.push_back((r * 7 + 22) % sourceRows);
  auto dx = harness.upload(x);
  auto di = harness.upload(index);
  auto y = harness.output(element, size_t(rows) * n);
  Parameters parameters = {{"N", n}, {"XS", xs}, {"X", element}};
  lowering::KernelRequest request = tile.empty() ? harness.request("gather_rows", parameters)
                                                 : harness.request("gather_rows", parameters, tile, warps);
  harness.launch(request, {H::argument(dx), H::argument(di), H::argument(y), H::argument(sourceRows),
                           H::argument(rows)});
  HostTensor want{element, {}};
  for (int r = 0; r < rows; ++r)
    for (int i = 0; i < n; ++i)
      want.values.push_back(x[size_t(index[r]) * xs + i]);
  expectEqual(harness.download(y), want, request.text());
}

TEST_P(MoveTest, GatherRows) {
  H harness(GetParam());
  checkGather(harness, 1, 64, 0, "bf16");
  checkGather(harness, 17, 100, 28, "bf16");
  checkGather(harness, 3, 1300, 0, "f32");
  checkGather(harness, 5, 7, 2, "f32", {4}, 2);
  checkGather(harness, 5, 80, 0, "bf16", {48}, 4);
}

/// One kernel for both caches: with heads (pages [H, 64, W]) and latent (pages [64, row], a part of each
/// row).
void checkAppend(H &harness, const PagedBatch &batch, int heads, int w, int padding, int row, int column,
                 std::vector<int32_t> tile = {}, int warps = 1) {
  int hs = w + padding, xs = heads * hs;
  size_t page = row ? size_t(64) * row : size_t(64) * heads * w;
  HostTensor x = HostTensor::normal("bf16", size_t(batch.tokens()) * xs, uint64_t(w));
  auto dx = harness.upload(x);
  auto positions = harness.upload(batch.positions), sequences = harness.upload(batch.sequences),
       table = harness.upload(batch.table);
  auto cache = harness.allocate<uint16_t>(batch.pages * page);
  Parameters parameters = {{"H", heads},
                           {"W", w},
                           {"XS", xs},
                           {"HS", hs},
                           {"PAGE", int64_t(page)},
                           {"HEAD", row ? 0 : 64 * w},
                           {"SLOT", row ? row : w},
                           {"X", "bf16"}};
  lowering::KernelRequest request = tile.empty() ? harness.request("cache_append", parameters)
                                                 : harness.request("cache_append", parameters, tile, warps);
  runtime::Argument at = H::argument(cache);
  at.bits += column * 2;
  harness.launch(request,
                 {H::argument(dx), H::argument(positions), H::argument(sequences), H::argument(table), at,
                  H::argument(batch.tokens()), H::argument(int(batch.lengths.size())),
                  H::argument(batch.columns), H::argument(batch.pages)});
  std::vector<uint16_t> want(batch.pages * page, 0xCBCB);
  for (int t = 0; t < batch.tokens(); ++t)
    for (int h = 0; h < heads; ++h)
      for (int i = 0; i < w; ++i) {
        int slot = batch.positions[t] % 64;
        size_t in = batch.page(batch.sequences[t], batch.positions[t]) * page +
                    (row ? size_t(slot) * row + column : (size_t(h) * 64 + slot) * w) + i;
        want[in] = bf16Bits(float(x[size_t(t) * xs + h * hs + i]));
      }
  EXPECT_TRUE(harness.download(cache) == want) << request.text();
}

TEST_P(MoveTest, CacheAppend) {
  H harness(GetParam());
  PagedBatch batch({1, 64, 65, 130, 30}, 3, 1), prompt({70}, 70, 2);
  checkAppend(harness, batch, 2, 64, 0, 0, 0);
  checkAppend(harness, prompt, 3, 80, 8, 0, 0);
  checkAppend(harness, batch, 1, 128, 64, 192, 0);
  checkAppend(harness, batch, 1, 64, 0, 192, 128);
  checkAppend(harness, batch, 6, 48, 0, 0, 0, {4}, 2);
  checkAppend(harness, batch, 4, 48, 2, 0, 0, {1}, 4);
}

QUERN_INSTANTIATE_KERNEL_TEST(MoveTest);

} // namespace
