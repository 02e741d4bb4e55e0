//===- ThreadsTest.cpp ----------------------------------------------------===//
#include "support/Threads.h"

#include <atomic>
#include <gtest/gtest.h>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

using namespace quern;

namespace {

using Pieces = std::set<std::pair<uint64_t, uint64_t>>;

Pieces piecesOf(ThreadPool &pool, uint64_t begin, uint64_t end, uint64_t piece) {
  std::mutex mutex;
  Pieces pieces;
  pool.parallelFor(begin, end, piece, [&](uint64_t first, uint64_t last, unsigned worker) {
    std::lock_guard lock(mutex);
    EXPECT_LT(worker, pool.size());
    EXPECT_TRUE(pieces.emplace(first, last).second) << "piece at " << first << " ran twice";
  });
  return pieces;
}

TEST(ThreadsTest, TheSplitIsAFunctionOfTheRange) {
  Pieces expected{{3, 10}, {10, 17}, {17, 20}};
  for (unsigned threads : {1u, 2u, 3u, 8u}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.size(), threads);
    EXPECT_EQ(piecesOf(pool, 3, 20, 7), expected);
    EXPECT_EQ(piecesOf(pool, 5, 5, 7), Pieces{});
    EXPECT_EQ(piecesOf(pool, 9, 5, 7), Pieces{});
    EXPECT_EQ(piecesOf(pool, ~0ull - 2, ~0ull, 100), (Pieces{{~0ull - 2, ~0ull}}));
  }
}

TEST(ThreadsTest, EveryIndexOnceOverManyJobs) {
  ThreadPool pool(4);
  for (uint64_t job = 0; job != 2000; ++job) {
    uint64_t count = job * 37 % 101;
    std::vector<std::atomic<int>> hits(count);
    pool.parallelFor(0, count, 1 + job % 5, [&](uint64_t first, uint64_t last, unsigned) {
      for (uint64_t i = first; i != last; ++i)
        hits[i].fetch_add(1);
    });
    for (uint64_t i = 0; i != count; ++i)
      ASSERT_EQ(hits[i], 1) << "index " << i << " of job " << job;
  }
}

TEST(ThreadsTest, NoTwoRunningCallsShareAWorkerNumber) {
  ThreadPool pool(4);
  std::vector<std::atomic<int>> inside(4);
  pool.parallelFor(0, 400, 1, [&](uint64_t, uint64_t, unsigned worker) {
    EXPECT_EQ(inside[worker].fetch_add(1), 0);
    std::this_thread::yield();
    inside[worker].fetch_sub(1);
  });
}

TEST(ThreadsTest, NestedCallsRunInPlace) {
  ThreadPool pool(3);
  std::atomic<uint64_t> sum{0};
  pool.parallelFor(0, 10, 1, [&](uint64_t outer, uint64_t, unsigned worker) {
    pool.parallelFor(0, 10, 3, [&](uint64_t first, uint64_t last, unsigned inner) {
      EXPECT_EQ(inner, worker);
      for (uint64_t i = first; i != last; ++i)
        sum += outer * 10 + i;
    });
  });
  EXPECT_EQ(sum, 99u * 100 / 2);
}

TEST(ThreadsTest, SeveralCallersTakeTurns) {
  ThreadPool pool(2);
  std::atomic<uint64_t> sum{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller != 4; ++caller)
    callers.emplace_back([&] {
      for (int job = 0; job != 200; ++job)
        pool.parallelFor(0, 8, 1, [&](uint64_t first, uint64_t, unsigned) { sum += first; });
    });
  for (std::thread &caller : callers)
    caller.join();
  EXPECT_EQ(sum, 4u * 200 * 28);
}

TEST(ThreadsTest, JobsThatEndBeforeAnyoneWakesUp) {
  // Many more threads than processors and jobs of almost nothing: most threads come late to every job.
  ThreadPool pool(32);
  std::atomic<uint64_t> sum{0};
  for (uint64_t job = 0; job != 5000; ++job) {
    const uint64_t before = sum, count = 2 + job % 3;
    pool.parallelFor(0, count, 1, [&, job](uint64_t first, uint64_t last, unsigned) {
      ASSERT_EQ(last, first + 1);
      sum += job * 10 + first;
    });
    ASSERT_EQ(sum, before + job * 10 * count + count * (count - 1) / 2) << "job " << job;
  }
}

TEST(ThreadsTest, TheVariableSaysHowManyThreadsADeviceTakes) {
  setenv("OMP_NUM_THREADS", "7", 1);
  EXPECT_EQ(defaultThreads(), 7u);
  setenv("OMP_NUM_THREADS", "4096", 1);
  EXPECT_EQ(defaultThreads(), mostThreads);
  for (const char *bad : {"", "0", "-2", "5x", " 5", "4097", "99999999999"}) {
    setenv("OMP_NUM_THREADS", bad, 1);
    EXPECT_EQ(defaultThreads(), availableThreads()) << bad;
  }
  unsetenv("OMP_NUM_THREADS");
  EXPECT_EQ(defaultThreads(), availableThreads());
}

TEST(ThreadsTest, DefaultSizeIsWhatTheProcessMayUse) {
  EXPECT_GE(availableThreads(), 1u);
  EXPECT_EQ(ThreadPool().size(), availableThreads());
}

} // namespace
