//===- DatabaseSchedulesTest.cpp ------------------------------------------===//
#include "tuner/apply/DatabaseSchedules.h"
#include "support/ScratchDirectory.h"
#include "tuner/database/TestRecords.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace quern::tuner;

namespace {

constexpr const char *standard = "linear{tile=4x8x64 warps=4}";
constexpr const char *small = "linear{tile=32x32x64 warps=4}";

lowering::KernelRequest request(int64_t n = 512) {
  lowering::KernelRequest request;
  request.kernel = "linear";
  request.schedule = *tile::Schedule::parse(standard);
  request.parameters = {{"K", int64_t(4096)}, {"N", n}, {"W", std::string("bf16")}, {"XS", int64_t(4096)}};
  return request;
}

lowering::CodeTarget target() {
  lowering::CodeTarget target;
  target.name = "nvidia:sm_90a";
  target.vendor = "nvidia";
  return target;
}

/// The default and |config|, which takes |ratio| of its time, for the problem of `request()`.
void insert(Database &database, const char *config, double ratio) {
  for (auto [text, seconds] : {std::pair(standard, 1e-5), std::pair(config, ratio * 1e-5)}) {
    Measurement m = testMeasurement(text, seconds);
    m.isDefault = text == standard;
    m.problem = **problemOf(request(), {1, 16});
    ASSERT_TRUE(database.insert(m).ok());
  }
}

TEST(DatabaseSchedules, AnswersAndRecordsWhy) {
  ScratchDirectory folder;
  {
    Expected<Database> database = Database::open(folder / "t.db");
    ASSERT_TRUE(database.ok());
    insert(*database, small, 0.5);
  }
  ApplyOptions options{.compiler = "c0ffee", .devices = {testDevice()}};
  Expected<DatabaseSchedules> schedules = DatabaseSchedules::open(folder / "t.db", options);
  ASSERT_TRUE(schedules.ok()) << schedules.error().message();
  std::optional<tile::Schedule> found = schedules->find(request(), target(), 1, 16);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->str(), small);
  EXPECT_FALSE(schedules->find(request(), target(), 1, 17)) << "beyond what was measured";
  EXPECT_FALSE(schedules->find(request(513), target(), 1, 16)) << "another problem";
  lowering::CodeTarget other = target();
  other.name = "nvidia:sm_80";
  EXPECT_FALSE(schedules->find(request(), other, 1, 16)) << "another target";

  Expected<std::vector<SliceEntry>> slice = readSlice(schedules->record());
  ASSERT_TRUE(slice.ok()) << slice.error().message();
  ASSERT_EQ(slice->size(), 4u);
  size_t exact = 0;
  for (const SliceEntry &entry : *slice) {
    exact += entry.nearness == Nearness::Exact;
    if (entry.nearness != Nearness::Exact)
      continue;
    lowering::KernelRequest chosen = request();
    chosen.schedule = *found;
    EXPECT_EQ(entry.symbol, chosen.symbol());
    EXPECT_EQ(entry.device, "Example 80");
    EXPECT_NEAR(entry.ratio.median, 0.5, 1e-6);
  }
  EXPECT_EQ(exact, 1u);

  // What is frozen answers as the database did.
  FrozenSchedules frozen(*slice);
  EXPECT_EQ(frozen.find(request(), target(), 1, 16)->str(), small);
  EXPECT_EQ(frozen.find(request(), target(), 1, 17)->str(), standard);
  EXPECT_FALSE(frozen.find(request(77), target(), 1, 16));
  EXPECT_EQ(frozen.record(), schedules->record());
}

// Few rows and many have their own answers; neighbours with equal ones are one range.
TEST(DatabaseSchedules, RangesBeginWhereAnswersChange) {
  ScratchDirectory folder;
  Expected<Database> database = Database::open(folder / "t.db");
  ASSERT_TRUE(database.ok());
  auto insertFor = [&](TokenRange rows, double ratio) {
    for (auto [text, seconds] : {std::pair(standard, 1e-5), std::pair(small, ratio * 1e-5)}) {
      Measurement m = testMeasurement(text, seconds);
      m.isDefault = text == standard;
      m.problem = **problemOf(request(), rows);
      m.tokens = rows.last;
      ASSERT_TRUE(database->insert(m).ok());
    }
  };
  insertFor({1, 1}, 0.5);
  insertFor({2, 2}, 0.6);
  insertFor({33, 64}, 0.7);
  Expected<DatabaseSchedules> schedules =
      DatabaseSchedules::open(folder / "t.db", {.compiler = "c0ffee", .devices = {testDevice()}});
  ASSERT_TRUE(schedules.ok());
  const std::vector<int64_t> starts = schedules->starts(request(), target(), 1, 512);
  EXPECT_EQ(starts, (std::vector<int64_t>{1, 3, 33, 65}));
  EXPECT_TRUE(schedules->answers().empty()) << "nothing was taken yet";
  EXPECT_EQ(schedules->starts(request(), target(), 40, 50), (std::vector<int64_t>{40}));
  EXPECT_EQ(schedules->starts(request(513), target(), 1, 512), (std::vector<int64_t>{1}));
  for (size_t i = 0; i < starts.size(); ++i) {
    const int64_t last = i + 1 < starts.size() ? starts[i + 1] - 1 : 512;
    EXPECT_EQ(schedules->find(request(), target(), starts[i], last).has_value(), i % 2 == 0) << starts[i];
  }
  Expected<std::vector<SliceEntry>> slice = readSlice(schedules->record());
  ASSERT_TRUE(slice.ok());
  FrozenSchedules frozen(*slice);
  EXPECT_EQ(frozen.starts(request(), target(), 1, 512), starts);
  EXPECT_EQ(frozen.find(request(), target(), 33, 64)->str(), small);
}

TEST(DatabaseSchedules, WithoutADeviceNothingIsExact) {
  ScratchDirectory folder;
  Expected<Database> database = Database::open(folder / "t.db");
  ASSERT_TRUE(database.ok());
  insert(*database, small, 0.5);
  auto foundWith = [&](ApplyOptions options) {
    Expected<DatabaseSchedules> schedules = DatabaseSchedules::open(folder / "t.db", std::move(options));
    EXPECT_TRUE(schedules.ok());
    (void)schedules->find(request(), target(), 1, 16);
    return schedules->answers().front().nearness;
  };
  EXPECT_EQ(foundWith({.compiler = "c0ffee"}), Nearness::Near);
  EXPECT_EQ(foundWith({.compiler = "c0ffee", .allowNear = false}), Nearness::Default);
  DeviceIdentity other = testDevice();
  other.units = 114;
  EXPECT_EQ(foundWith({.compiler = "c0ffee", .devices = {other}}), Nearness::Near);
  EXPECT_EQ(foundWith({.compiler = "c0ffee", .devices = {other}, .allowNear = false}), Nearness::Default);
}

// Features are part of a CPU target's name and not of the level that its devices have.
TEST(DatabaseSchedules, FeaturesOfACpuTargetAreNoArchitecture) {
  ScratchDirectory folder;
  Expected<Database> database = Database::open(folder / "t.db");
  ASSERT_TRUE(database.ok());
  const DeviceIdentity device{"cpu:Example-6-1-1", "x86-64-v4", 8, "", 0, "Example CPU"};
  for (auto [text, seconds] : {std::pair(standard, 1e-5), std::pair(small, 0.5e-5)}) {
    Measurement m = testMeasurement(text, seconds);
    m.isDefault = text == standard;
    m.problem = **problemOf(request(), {1, 16});
    m.device = device;
    m.toolchain.target = "cpu:x86-64-v4+avx512bf16";
    ASSERT_TRUE(database->insert(m).ok());
  }
  lowering::CodeTarget cpu;
  cpu.name = "cpu:x86-64-v4+avx512bf16";
  cpu.vendor = "cpu";
  auto nearness = [&](ApplyOptions options) {
    Expected<DatabaseSchedules> schedules = DatabaseSchedules::open(folder / "t.db", std::move(options));
    EXPECT_TRUE(schedules.ok());
    (void)schedules->find(request(), cpu, 1, 16);
    return schedules->answers().front().nearness;
  };
  EXPECT_EQ(nearness({.compiler = "c0ffee", .devices = {device}}), Nearness::Exact);
  EXPECT_EQ(nearness({.compiler = "c0ffee"}), Nearness::Near);
}

// A tile of another rank could not even be lowered.
TEST(DatabaseSchedules, AConfigurationOfAnotherRankIsNotTaken) {
  ScratchDirectory folder;
  Expected<Database> database = Database::open(folder / "t.db");
  ASSERT_TRUE(database.ok());
  insert(*database, "linear{tile=32x32 warps=4}", 0.5);
  Expected<DatabaseSchedules> schedules =
      DatabaseSchedules::open(folder / "t.db", {.compiler = "c0ffee", .devices = {testDevice()}});
  ASSERT_TRUE(schedules.ok());
  EXPECT_FALSE(schedules->find(request(), target(), 1, 16));
}

TEST(DatabaseSchedules, KernelsWithoutASpaceKeepTheirDefault) {
  DatabaseSchedules schedules(Lookup({}, {}), {.compiler = "c0ffee"});
  lowering::KernelRequest other = request();
  other.kernel = "sample";
  EXPECT_FALSE(schedules.find(other, target(), 1, 16));
  EXPECT_EQ(schedules.answers().front().why, "the kernel declares no space to tune in");
  EXPECT_EQ(schedules.answers().front().family, "");
}

} // namespace
