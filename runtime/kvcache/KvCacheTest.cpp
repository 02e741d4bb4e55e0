//===- KvCacheTest.cpp ----------------------------------------------------===//
#include "runtime/kvcache/KvCache.h"

#include "runtime/Devices.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <random>
#include <set>

using namespace quern;
using namespace quern::runtime;

namespace {

TEST(PagePoolTest, HandsOutEveryPageOnce) {
  PagePool pool(70, 2);
  EXPECT_EQ(pool.size(), 70);
  EXPECT_EQ(pool.free(), 68);
  std::vector<int32_t> pages;
  ASSERT_TRUE(pool.take(68, pages).ok());
  EXPECT_EQ(std::set<int32_t>(pages.begin(), pages.end()).size(), 68u);
  EXPECT_EQ(*std::min_element(pages.begin(), pages.end()), 2);
  EXPECT_EQ(*std::max_element(pages.begin(), pages.end()), 69);
}

TEST(PagePoolTest, TakesNothingWhereTooFewAreFree) {
  PagePool pool(5);
  std::vector<int32_t> pages;
  ASSERT_TRUE(pool.take(3, pages).ok());
  Status status = pool.take(3, pages);
  EXPECT_EQ(status.id(), "E-CACHE-FULL");
  EXPECT_EQ(status.exit(), Exit::Resource);
  EXPECT_EQ(pages.size(), 3u);
  EXPECT_EQ(pool.free(), 2);
  ASSERT_TRUE(pool.take(2, pages).ok());
}

/// Owners take and give at random; no page ever has two.
TEST(PagePoolTest, NoPageHasTwoOwners) {
  for (uint64_t seed : {1, 2, 3}) {
    std::mt19937_64 random(seed);
    PagePool pool(64);
    std::vector<std::vector<int32_t>> owners(7);
    for (int step = 0; step < 2000; ++step) {
      std::vector<int32_t> &owner = owners[random() % owners.size()];
      if (random() % 2) {
        int32_t count = int32_t(random() % 9);
        bool enough = count <= pool.free();
        EXPECT_EQ(pool.take(count, owner).ok(), enough);
      } else {
        size_t keep = owner.empty() ? 0 : random() % owner.size();
        pool.give(std::span(owner).subspan(keep));
        owner.resize(keep);
      }
      std::set<int32_t> seen;
      size_t total = 0;
      for (const std::vector<int32_t> &each : owners) {
        seen.insert(each.begin(), each.end());
        total += each.size();
      }
      ASSERT_EQ(seen.size(), total);
      ASSERT_EQ(int32_t(total) + pool.free(), 64);
    }
  }
}

class KvCacheTest : public ::testing::Test {
protected:
  void SetUp() override {
    auto opened = openDevice("cpu");
    ASSERT_TRUE(opened.ok());
    device = *std::move(opened);
    plan.layers = 3;
    plan.parts = {{"keys", 64 * 8}, {"values", 64 * 24}};
  }
  KvCache make(KvCacheLimits limits) {
    auto cache = KvCache::create(*device, plan, limits);
    EXPECT_TRUE(cache.ok());
    return *std::move(cache);
  }
  std::unique_ptr<Device> device;
  CachePlan plan;
};

TEST_F(KvCacheTest, LaysOutPartsLayersAndPages) {
  KvCache cache = make({.sequences = 2, .positions = 130});
  EXPECT_EQ(cache.pagesPerSequence(), 3);
  EXPECT_EQ(cache.pages(), 6);
  EXPECT_EQ(cache.bytes(), 3u * 6 * 64 * 32);
  EXPECT_EQ(cache.address(0, 2) - cache.address(0, 0), 2u * 6 * 64 * 8);
  EXPECT_EQ(cache.address(1, 1) - cache.address(1, 0), 6u * 64 * 24);
  EXPECT_EQ(cache.blockTable().size(), 6u);
}

TEST_F(KvCacheTest, BlockTableFollowsTheSlots) {
  KvCache cache = make({.sequences = 2, .positions = 200, .pages = 6});
  int32_t a = *cache.openSlot(), b = *cache.openSlot();
  EXPECT_FALSE(cache.openSlot());
  ASSERT_TRUE(cache.reserve(a, 1).ok());
  ASSERT_TRUE(cache.reserve(b, 65).ok());
  ASSERT_TRUE(cache.reserve(a, 64).ok()); // the same page
  EXPECT_EQ(cache.freePages(), 3);
  ASSERT_TRUE(cache.reserve(a, 129).ok());
  EXPECT_EQ(cache.freePages(), 1);
  uint64_t version = cache.version();
  ASSERT_TRUE(cache.reserve(a, 128).ok());
  EXPECT_EQ(cache.version(), version) << "nothing changed";
  auto row = [&](int32_t slot) { return cache.blockTable().subspan(size_t(slot) * 4, 4); };
  std::set<int32_t> used(row(a).begin(), row(a).begin() + 3);
  used.insert(row(b).begin(), row(b).begin() + 2);
  EXPECT_EQ(used.size(), 5u);
  int32_t first = row(a)[0];
  EXPECT_EQ(cache.reserve(b, 200).id(), "E-CACHE-FULL");
  ASSERT_TRUE(cache.truncate(a, 64).ok());
  EXPECT_EQ(row(a)[0], first);
  EXPECT_EQ(row(a)[1], 0);
  EXPECT_EQ(cache.freePages(), 3);
  EXPECT_NE(cache.version(), version);
  ASSERT_TRUE(cache.closeSlot(b).ok());
  EXPECT_EQ(cache.freePages(), 5);
  EXPECT_EQ(*cache.openSlot(), b);
}

/// Freed pages hold NaN again, others keep what they have; page 0 is nobody's.
TEST_F(KvCacheTest, Poison) {
  KvCache cache = make({.sequences = 1, .positions = 128, .poison = true});
  EXPECT_EQ(cache.pages(), 3);
  int32_t slot = *cache.openSlot();
  ASSERT_TRUE(cache.reserve(slot, 128).ok());
  int32_t kept = cache.blockTable()[0], freed = cache.blockTable()[1];
  EXPECT_NE(kept, 0);
  EXPECT_NE(freed, 0);
  for (Buffer *buffer : cache.memory()) {
    EXPECT_TRUE(std::all_of(buffer->hostPointer(), buffer->hostPointer() + buffer->size(),
                            [](std::byte b) { return b == std::byte{0xFF}; }));
    std::fill_n(buffer->hostPointer(), buffer->size(), std::byte{7});
  }
  ASSERT_TRUE(cache.truncate(slot, 64).ok());
  for (size_t part = 0; part < 2; ++part)
    for (int64_t layer = 0; layer < 3; ++layer)
      for (int32_t page = 0; page < 3; ++page)
        for (uint64_t i = 0; i < plan.parts[part].pageBytes; ++i)
          ASSERT_EQ(reinterpret_cast<const uint8_t *>(
                        cache.address(part, layer))[uint64_t(page) * plan.parts[part].pageBytes + i],
                    page == freed ? 0xFF : 7);
}

TEST_F(KvCacheTest, RefusesWhatCannotBe) {
  EXPECT_EQ(KvCache::create(*device, plan, {.sequences = 1, .positions = 0}).error().id(), "E-CACHE-SIZE");
  EXPECT_EQ(KvCache::create(*device, plan, {.sequences = 1 << 20, .positions = 1 << 24}).error().id(),
            "E-CACHE-SIZE");
}

} // namespace
