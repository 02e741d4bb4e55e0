//===- TraceTest.cpp ------------------------------------------------------===//
#include "support/Trace.h"
#include "support/Files.h"
#include "support/ScratchDirectory.h"

#include <gtest/gtest.h>

#include <thread>

using namespace quern;

namespace {

/// A clock that the test moves.
struct Hands {
  Trace::Clock::time_point time{};
  void pass(int microseconds) { time += std::chrono::microseconds(microseconds); }
};

JsonDocument parsed(const Trace &trace) {
  Expected<JsonDocument> document = parseJson(trace.json());
  EXPECT_TRUE(document.ok()) << document.error().message();
  return *std::move(document);
}

std::vector<Json> spansOf(const JsonDocument &document) {
  std::vector<Json> spans;
  for (const Json &event : document.value().find("traceEvents")->items())
    if (event.find("ph")->string() == "X")
      spans.push_back(event);
  return spans;
}

TEST(Trace, SpansNestAndCarryArguments) {
  Hands hands;
  Trace trace([&] { return hands.time; });
  hands.pass(5);
  {
    TraceSpan outer(&trace, "run", "step");
    hands.pass(10);
    {
      TraceSpan inner(&trace, "kernel", "linear");
      inner.set("blocks", 17);
      hands.pass(3);
    }
    hands.pass(2);
  }
  JsonDocument document = parsed(trace);
  std::vector<Json> spans = spansOf(document);
  ASSERT_EQ(spans.size(), 2u);
  EXPECT_EQ(spans[0].find("name")->string(), "linear"); // ended first
  EXPECT_EQ(spans[0].find("ts")->number(), 15);
  EXPECT_EQ(spans[0].find("dur")->number(), 3);
  EXPECT_EQ(spans[0].find("args")->find("blocks")->integer(), 17);
  EXPECT_EQ(spans[1].find("ts")->number(), 5);
  EXPECT_EQ(spans[1].find("dur")->number(), 15);
  EXPECT_EQ(spans[1].find("cat")->string(), "run");
  EXPECT_EQ(spans[1].find("args"), nullptr);
}

TEST(Trace, OffIsNothing) {
  TraceSpan span(nullptr, "run", "step");
  span.set("bytes", 1);
  EXPECT_FALSE(span.on());
}

TEST(Trace, TracksHaveNames) {
  Trace trace;
  EXPECT_EQ(trace.track("program"), 0u);
  uint32_t device = trace.track("cpu");
  EXPECT_EQ(trace.track("cpu"), device);
  EXPECT_NE(trace.track("other \"quoted\""), device);
  trace.add(device, "kernel", "k", trace.now(), trace.now());
  JsonDocument document = parsed(trace);
  size_t named = 0;
  for (const Json &event : document.value().find("traceEvents")->items())
    if (event.find("ph")->string() == "M" && event.find("tid")->integer() == int64_t(device))
      named += event.find("args")->find("name")->string() == "cpu";
  EXPECT_EQ(named, 1u);
  EXPECT_EQ(spansOf(document)[0].find("tid")->integer(), int64_t(device));
}

TEST(Trace, ASpanThatEndsBeforeItBeginsHasNoLength) {
  Trace trace;
  auto now = trace.now();
  trace.add(0, "kernel", "k", now, now - std::chrono::seconds(1));
  EXPECT_EQ(spansOf(parsed(trace))[0].find("dur")->number(), 0);
}

TEST(Trace, ManyThreads) {
  Trace trace;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i)
        TraceSpan span(&trace, "c", "n");
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(trace.spans(), 400u);
}

TEST(Trace, WritesAFileOrSaysWhyNot) {
  ScratchDirectory scratch;
  Trace trace;
  {
    TraceSpan span(&trace, "c", "n");
  }
  ASSERT_TRUE(trace.write(scratch / "t.json").ok());
  EXPECT_TRUE(readJsonFile(scratch / "t.json").ok());
  Status refused = trace.write(scratch / "none/t.json");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.id(), "E-OUTPUT-NOT-WRITABLE");
}

} // namespace
