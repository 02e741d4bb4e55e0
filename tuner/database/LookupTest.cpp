//===- LookupTest.cpp -----------------------------------------------------===//
#include "tuner/database/Lookup.h"
#include "tuner/database/TestRecords.h"
#include "tuner/database/TuningSlice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace quern;
using namespace quern::tuner;
using testing::HasSubstr;

namespace {

constexpr const char *standard = "linear{tile=4x8x64 warps=4}";
constexpr const char *small = "linear{tile=32x32x64 warps=4}";
constexpr const char *large = "linear{tile=64x64x64 warps=4}";

/// The default and one configuration that takes |ratio| of its time, with |change| made to both.
template <typename F> void add(std::vector<Measurement> &all, const char *config, double ratio, F change) {
  for (auto [text, seconds] : {std::pair(standard, 1e-5), std::pair(config, ratio * 1e-5)}) {
    Measurement m = testMeasurement(text, seconds);
    m.isDefault = text == standard;
    change(m);
    all.push_back(m);
  }
}

LookupRequest request() {
  LookupRequest request;
  request.problem = testProblem();
  request.target = "nvidia:sm_90a";
  request.architecture = "sm_90";
  request.device = testDevice();
  request.compiler = "c0ffee";
  request.defaultConfig = standard;
  return request;
}

void other(Measurement &m) {
  m.device.hardware = "pci:10de:2331";
  m.device.units = 114;
  m.device.name = "Other 80";
}

TEST(Lookup, ExactBeforeNearBeforeDefault) {
  std::vector<Measurement> all;
  LookupAnswer none = Lookup(all, {}).find(request());
  EXPECT_EQ(none.nearness, Nearness::Default);
  EXPECT_EQ(none.config, standard);
  EXPECT_EQ(none.why, "never measured");

  add(all, large, 0.5, other);
  LookupAnswer near = Lookup(all, {}).find(request());
  EXPECT_EQ(near.nearness, Nearness::Near);
  EXPECT_EQ(near.config, large);
  EXPECT_THAT(near.why, HasSubstr("another device of the architecture, Other 80 (114 units)"));

  add(all, small, 0.8, [](Measurement &) {});
  LookupAnswer exact = Lookup(all, {}).find(request());
  EXPECT_EQ(exact.nearness, Nearness::Exact);
  EXPECT_EQ(exact.config, small);
  EXPECT_THAT(exact.why, HasSubstr("beats the default by 20.0 %; measured on this device, Example 80"));

  // Code for an architecture and no device in particular: nothing is exact.
  LookupRequest any = request();
  any.device.reset();
  EXPECT_EQ(Lookup(all, {}).find(any).nearness, Nearness::Near);
}

TEST(Lookup, TheDefaultThatHeldIsNotOverruledByAnotherDevice) {
  std::vector<Measurement> all;
  add(all, large, 0.5, other);
  add(all, small, 1.2, [](Measurement &) {});
  LookupAnswer answer = Lookup(all, {}).find(request());
  EXPECT_EQ(answer.nearness, Nearness::Exact);
  EXPECT_EQ(answer.config, standard);
  EXPECT_THAT(answer.why, HasSubstr("no configuration beat the default"));
}

// The acceptance test of the pains about names: a database of one device is never taken for another's.
TEST(Acceptance, EqualArchitectureOrUnitsIsNotEqualDevice) {
  auto nearnessAfter = [](auto change) {
    std::vector<Measurement> all;
    add(all, large, 0.5, change);
    LookupRequest strict = request();
    strict.allowNear = false;
    EXPECT_EQ(Lookup(all, {}).find(strict).nearness, Nearness::Default);
    EXPECT_EQ(Lookup(all, {}).find(strict).config, standard);
    return Lookup(all, {}).find(request()).nearness;
  };
  // One of name, architecture and units equal; the architecture alone makes it near, and says so.
  EXPECT_EQ(nearnessAfter([](Measurement &m) { m.device.hardware = "pci:10de:2331"; }), Nearness::Near);
  EXPECT_EQ(nearnessAfter([](Measurement &m) { m.device.partition = "1g.10gb"; }), Nearness::Near);
  EXPECT_EQ(nearnessAfter([](Measurement &m) { m.device.memoryClockMhz = 1600; }), Nearness::Near);
  EXPECT_EQ(nearnessAfter([](Measurement &m) { m.device.architecture = "sm_100"; }), Nearness::Default);
  EXPECT_EQ(nearnessAfter([](Measurement &m) {
              m.device.hardware = "pci:1002:74a1";
              m.device.architecture = "gfx942";
            }),
            Nearness::Default);
  EXPECT_EQ(nearnessAfter([](Measurement &m) {
              m.device.hardware = "pci:10de:2331";
              m.toolchain.target = "nvidia:sm_80";
            }),
            Nearness::Default)
      << "code of another target";
  // The name alone: the same device.
  std::vector<Measurement> all;
  add(all, large, 0.5, [](Measurement &m) { m.device.name = "Graphics Device"; });
  EXPECT_EQ(Lookup(all, {}).find(request()).nearness, Nearness::Exact);
}

TEST(Lookup, OlderCompilersAreNamedAndComeSecond) {
  std::vector<Measurement> all;
  add(all, large, 0.5, [](Measurement &m) { m.toolchain.compiler = "older"; });
  LookupAnswer old = Lookup(all, {}).find(request());
  EXPECT_EQ(old.config, large);
  EXPECT_EQ(old.nearness, Nearness::Exact);
  EXPECT_TRUE(old.stale);
  EXPECT_THAT(old.why, HasSubstr("with another compiler"));
  add(all, small, 0.8, [](Measurement &) {});
  LookupAnswer fresh = Lookup(all, {}).find(request());
  EXPECT_EQ(fresh.config, small);
  EXPECT_FALSE(fresh.stale);
}

TEST(Lookup, NearDevicesByDistance) {
  std::vector<Measurement> all;
  add(all, large, 0.5, [](Measurement &m) { m.device.hardware = "pci:10de:1", m.device.units = 40; });
  add(all, small, 0.8, [](Measurement &m) { m.device.hardware = "pci:10de:2", m.device.units = 120; });
  EXPECT_EQ(Lookup(all, {}).find(request()).config, small);
}

TEST(Lookup, WhatCannotRunIsNotTaken) {
  std::vector<Measurement> all;
  add(all, large, 0.5, [](Measurement &) {});
  LookupRequest r = request();
  r.usable = [](const std::string &config) { return config != large; };
  LookupAnswer answer = Lookup(all, {}).find(r);
  EXPECT_EQ(answer.nearness, Nearness::Default);
  EXPECT_EQ(answer.config, standard);
  EXPECT_THAT(answer.why, HasSubstr("cannot run on nvidia:sm_90a"));
}

TEST(Lookup, OutsideOfTheRangeTheDefaultHolds) {
  std::vector<Measurement> all;
  add(all, large, 0.5, [](Measurement &) {});
  LookupRequest r = request();
  r.problem.tokens = {1, 17};
  EXPECT_EQ(Lookup(all, {}).find(r).nearness, Nearness::Default);
}

TEST(TuningSlice, ReadsBackWhatItWrote) {
  std::vector<Measurement> all;
  add(all, large, 0.5, [](Measurement &) {});
  SliceEntry a = sliceEntry(request(), Lookup(all, {}).find(request()));
  a.symbol = "linear_b";
  SliceEntry b = sliceEntry(request(), Lookup({}, {}).find(request()));
  b.symbol = "linear_a";
  const std::string text = writeSlice({a, b});
  EXPECT_EQ(text, writeSlice({b, a, b}));
  Expected<std::vector<SliceEntry>> entries = readSlice(text);
  ASSERT_TRUE(entries.ok()) << entries.error().message();
  ASSERT_EQ(entries->size(), 2u);
  EXPECT_EQ((*entries)[0].symbol, "linear_a");
  EXPECT_EQ((*entries)[1].config, large);
  EXPECT_EQ((*entries)[1].defaultConfig, standard);
  EXPECT_EQ((*entries)[1].nearness, Nearness::Exact);
  EXPECT_DOUBLE_EQ((*entries)[1].ratio.median, a.ratio.median);
  EXPECT_EQ(writeSlice(*entries), text);

  auto idOf = [](const std::string &text) {
    Expected<std::vector<SliceEntry>> read = readSlice(text);
    return read.ok() ? "" : read.error().id();
  };
  EXPECT_EQ(idOf("{\"schema\":\"other\",\"schema_version\":1}\n"), "E-TUNING-SLICE");
  EXPECT_EQ(idOf("{\"schema\":\"quern.tuning\",\"schema_version\":2}\n"), "E-TUNING-SLICE");
  std::string wrong = text;
  wrong.replace(wrong.find("\"exact\""), 7, "\"exalt\"");
  EXPECT_EQ(idOf(wrong), "E-TUNING-SLICE");
  EXPECT_EQ(idOf("{"), "E-JSON-SYNTAX");
}

} // namespace
