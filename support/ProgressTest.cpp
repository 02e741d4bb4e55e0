//===- ProgressTest.cpp ---------------------------------------------------===//
#include "support/Progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace quern;
using namespace std::chrono_literals;

namespace {

/// Collects the output and moves the clock by hand.
struct Stage {
  std::string written;
  std::chrono::steady_clock::time_point time{};
  ProgressOutput output(bool terminal, unsigned columns = 80) {
    return {[this](std::string_view text) { written += text; }, [this] { return time; }, terminal, columns};
  }
};

TEST(ProgressTest, PlainPrintsEveryFiveSecondsAndAtTheEnd) {
  Stage stage;
  Progress progress(ProgressMode::Auto, "hash", 4096, ProgressUnit::Bytes, stage.output(false));
  stage.time += 1s;
  progress.add(512);
  EXPECT_EQ(stage.written, "");
  stage.time += 4s;
  progress.add(512);
  EXPECT_EQ(stage.written, "hash: 1.00 KiB/4.00 KiB (25 %), 205 B/s, 15 s left\n");
  stage.written.clear();
  stage.time += 3s;
  progress.add(3072);
  progress.note("2 failed");
  progress.finish();
  progress.finish();
  EXPECT_EQ(stage.written, "hash: 4.00 KiB/4.00 KiB (100 %), 512 B/s, 8.0 s, 2 failed\n");
}

TEST(ProgressTest, BarRedrawsOneLineThatNeverWraps) {
  Stage stage;
  Progress progress(ProgressMode::Auto, "kernels", 8, ProgressUnit::Items, stage.output(true, 30));
  stage.time += 1s;
  progress.add(2);
  EXPECT_EQ(stage.written, "\r\x1b[Kkernels: 2/8 (25 %) [#####...");
  EXPECT_LE(stage.written.size() - 4, 29u);
  progress.finish();
  EXPECT_EQ(stage.written.back(), '\n');
}

TEST(ProgressTest, JsonLines) {
  Stage stage;
  Progress progress(ProgressMode::Json, "a \"b\"\n", 10, ProgressUnit::Items, stage.output(true));
  EXPECT_EQ(stage.written, "{\"event\":\"start\",\"task\":\"a \\\"b\\\"\\u000a\",\"total\":10,"
                           "\"unit\":\"items\"}\n");
  stage.written.clear();
  stage.time += 2s;
  progress.add(4);
  EXPECT_EQ(stage.written, "{\"event\":\"progress\",\"task\":\"a \\\"b\\\"\\u000a\",\"done\":4,\"total\":10,"
                           "\"unit\":\"items\",\"seconds\":2.000,\"rate\":2,\"eta_seconds\":3.0,"
                           "\"finished\":false}\n");
  stage.written.clear();
  progress.finish();
  EXPECT_THAT(stage.written, testing::HasSubstr("\"finished\":true"));
}

TEST(ProgressTest, NoneIsSilentAndUnknownTotalHasNoShare) {
  Stage stage;
  {
    Progress progress(ProgressMode::None, "x", 10, ProgressUnit::Items, stage.output(true));
    stage.time += 60s;
    progress.add(4);
  }
  EXPECT_EQ(stage.written, "");
  {
    Progress progress(ProgressMode::Plain, "x", 0, ProgressUnit::Items, stage.output(false));
    stage.time += 10s;
    progress.add(4);
    EXPECT_EQ(stage.written, "x: 4, 0.4/s\n");
  }
}

TEST(ProgressTest, Formats) {
  EXPECT_EQ(formatBytes(512), "512 B");
  EXPECT_EQ(formatBytes(1536), "1.50 KiB");
  EXPECT_EQ(formatBytes(3.0 * (1ull << 40)), "3.00 TiB");
  EXPECT_EQ(formatSeconds(0.44), "0.4 s");
  EXPECT_EQ(formatSeconds(9.96), "10 s");
  EXPECT_EQ(formatSeconds(59.6), "1 min 00 s");
  EXPECT_EQ(formatSeconds(125), "2 min 05 s");
  EXPECT_EQ(formatSeconds(11220), "3 h 07 min");
  EXPECT_EQ(parseProgressMode("json"), ProgressMode::Json);
  EXPECT_FALSE(parseProgressMode("loud"));
}

} // namespace
