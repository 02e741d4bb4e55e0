//===- TensorDigestsTest.cpp ----------------------------------------------===//
#include "support/safetensors/TensorDigests.h"

#include "support/ScratchDirectory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

using namespace quern;

namespace {

void writeShard(const std::string &path, char seed) {
  auto writer =
      SafetensorsWriter::create(path, {{"a", ElementType::U8, {1000}}, {"b", ElementType::F32, {3, 5}}});
  ASSERT_TRUE(writer.ok());
  for (const TensorSpec &spec : writer->tensors()) {
    std::string data(*tensorBytes(spec.type, spec.shape), '\0');
    for (size_t i = 0; i != data.size(); ++i)
      data[i] = static_cast<char>(i * 7 + static_cast<size_t>(seed) + spec.name.size() * 3);
    ASSERT_TRUE(writer->write(asBytes(data)).ok());
  }
  ASSERT_TRUE(writer->finish().ok());
}

/// Dates a file back, so that its state counts as settled.
void setAge(const std::string &path, time_t seconds) {
  timespec times[2] = {{time(nullptr) - seconds, 0}, {time(nullptr) - seconds, 0}};
  ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
}

struct TensorDigestsTest : testing::Test {
  ScratchDirectory scratch;
  std::string shard = scratch / "model/model.safetensors", cache = scratch / "cache";

  void SetUp() override {
    ASSERT_TRUE(makeDirectories(scratch / "model").ok());
    writeShard(shard, 1);
    setAge(shard, 100);
  }
  /// Computes, compares each digest with the bytes, and returns how many bytes were read for it.
  uint64_t hashedBytes(const TensorDigestOptions &options) {
    auto checkpoint = Checkpoint::open(scratch / "model");
    EXPECT_TRUE(checkpoint.ok());
    auto digests = TensorDigests::compute(*checkpoint, options);
    EXPECT_TRUE(digests.ok());
    for (const Checkpoint::Tensor &tensor : checkpoint->tensors())
      EXPECT_EQ(digests->of(tensor), sha256(tensor.bytes())) << tensor.name();
    return digests->hashedBytes();
  }
};

TEST_F(TensorDigestsTest, HashesOnce) {
  ThreadPool pool(3);
  EXPECT_EQ(hashedBytes({}), 1060u);
  EXPECT_EQ(hashedBytes({.cacheFolder = cache, .pool = &pool}), 1060u);
  EXPECT_EQ(hashedBytes({.cacheFolder = cache}), 0u);
  EXPECT_EQ(hashedBytes({}), 1060u) << "nothing is remembered without a folder";
}

TEST_F(TensorDigestsTest, AChangedFileIsHashedAgain) {
  EXPECT_EQ(hashedBytes({.cacheFolder = cache}), 1060u);
  writeShard(shard, 2);
  setAge(shard, 50);
  EXPECT_EQ(hashedBytes({.cacheFolder = cache}), 1060u);
  EXPECT_EQ(hashedBytes({.cacheFolder = cache}), 0u);
}

TEST_F(TensorDigestsTest, AFileOfJustNowIsNotRemembered) {
  setAge(shard, 0);
  EXPECT_EQ(hashedBytes({.cacheFolder = cache}), 1060u);
  EXPECT_EQ(hashedBytes({.cacheFolder = cache}), 1060u);
}

TEST_F(TensorDigestsTest, ADamagedCacheIsNone) {
  EXPECT_EQ(hashedBytes({.cacheFolder = cache}), 1060u);
  std::string file;
  for (const auto &entry : std::filesystem::directory_iterator(cache))
    file = entry.path();
  std::string contents = *readFile(file, 1 << 20);
  for (size_t at : {size_t(0), contents.size() / 2, contents.size() - 1}) {
    std::string damaged = contents;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    ASSERT_TRUE(writeFile(file, damaged).ok());
    EXPECT_EQ(hashedBytes({.cacheFolder = cache}), 1060u) << at;
  }
  ASSERT_TRUE(writeFile(file, contents.substr(0, 20)).ok());
  EXPECT_EQ(hashedBytes({.cacheFolder = cache}), 1060u);
}

TEST_F(TensorDigestsTest, ACacheThatCannotBeWrittenIsNoError) {
  ASSERT_TRUE(writeFile(cache, "a file in the way").ok());
  EXPECT_EQ(hashedBytes({.cacheFolder = cache}), 1060u);
}

TEST_F(TensorDigestsTest, ReportsAllBytes) {
  std::string written;
  ProgressOutput output{[&](std::string_view text) { written = text; },
                        [] { return std::chrono::steady_clock::time_point(); }, false, 80};
  for (int round = 0; round != 2; ++round) {
    Progress progress(ProgressMode::Plain, "hash", 1060, ProgressUnit::Items, output);
    hashedBytes({.cacheFolder = cache, .progress = &progress});
    progress.finish();
    EXPECT_EQ(written, "hash: 1060/1060 (100 %), 0.0 s\n");
  }
}

} // namespace
