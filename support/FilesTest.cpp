//===- FilesTest.cpp ------------------------------------------------------===//
#include "support/Files.h"
#include "support/ScratchDirectory.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace quern;

namespace {

std::string contentsOf(const std::string &path) {
  auto contents = readFile(path, 1 << 30);
  return contents.ok() ? *contents : contents.error().message();
}

TEST(FilesTest, ReadsWhatWasWritten) {
  ScratchDirectory scratch;
  std::string text("a\0b\nc", 5);
  ASSERT_TRUE(writeFile(scratch / "x", text).ok());
  EXPECT_EQ(contentsOf(scratch / "x"), text);
  EXPECT_EQ(scratch.entries(), std::vector<std::string>{"x"});
  auto map = MappedFile::open(scratch / "x");
  ASSERT_TRUE(map.ok());
  EXPECT_EQ(asText(map->bytes()), text);
  ASSERT_TRUE(writeFile(scratch / "empty", "").ok());
  auto empty = MappedFile::open(scratch / "empty");
  ASSERT_TRUE(empty.ok());
  EXPECT_TRUE(empty->bytes().empty());
}

TEST(FilesTest, RefusesWhatIsNoRegularFile) {
  ScratchDirectory scratch;
  auto idOf = [](auto result) { return result.ok() ? std::string("ok") : result.error().id(); };
  EXPECT_EQ(idOf(readFile(scratch / "absent", 10)), "E-FILE-NOT-FOUND");
  EXPECT_EQ(idOf(readFile(scratch.path(), 10)), "E-FILE-NOT-READABLE");
  EXPECT_EQ(idOf(MappedFile::open("/dev/zero")), "E-FILE-NOT-READABLE");
  ASSERT_EQ(mkfifo((scratch / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(idOf(readFile(scratch / "fifo", 10)), "E-FILE-NOT-READABLE") << "and must not wait for a writer";
  ASSERT_TRUE(writeFile(scratch / "x", "12345").ok());
  EXPECT_EQ(idOf(readFile(scratch / "x", 5)), "ok");
  auto large = readFile(scratch / "x", 4);
  EXPECT_EQ(idOf(std::move(large)), "E-FILE-TOO-LARGE");
}

TEST(FilesTest, NothingIsSeenBeforeCommit) {
  ScratchDirectory scratch;
  ASSERT_TRUE(writeFile(scratch / "x", "old").ok());
  {
    auto file = AtomicFile::create(scratch / "x");
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE(file->write(std::string(3 << 20, 'n')).ok());
    EXPECT_EQ(contentsOf(scratch / "x"), "old");
  }
  EXPECT_EQ(scratch.entries(), std::vector<std::string>{"x"}) << "what was not committed is removed";
  EXPECT_EQ(contentsOf(scratch / "x"), "old");
}

TEST(FilesTest, WriteSkipOverwrite) {
  ScratchDirectory scratch;
  auto file = AtomicFile::create(scratch / "x");
  ASSERT_TRUE(file.ok());
  std::string big(2 << 20, '\0');
  for (size_t i = 0; i != big.size(); ++i)
    big[i] = static_cast<char>(i * 31 >> 3);
  ASSERT_TRUE(file->write("head").ok());
  ASSERT_TRUE(file->write(big).ok());
  ASSERT_TRUE(file->skip(5).ok());
  ASSERT_TRUE(file->write("tail").ok());
  EXPECT_EQ(file->offset(), 4 + big.size() + 5 + 4);
  ASSERT_TRUE(file->overwrite(1, asBytes("EA")).ok());
  ASSERT_TRUE(file->commit().ok());
  EXPECT_TRUE(contentsOf(scratch / "x") == "hEAd" + big + std::string(5, '\0') + "tail");
}

TEST(FilesTest, FollowsALinkAndKeepsIt) {
  ScratchDirectory scratch;
  ASSERT_TRUE(writeFile(scratch / "real", "old").ok());
  ASSERT_EQ(symlink("real", (scratch / "link").c_str()), 0);
  ASSERT_TRUE(writeFile(scratch / "link", "new").ok());
  EXPECT_EQ(contentsOf(scratch / "real"), "new");
  struct stat facts;
  ASSERT_EQ(lstat((scratch / "link").c_str(), &facts), 0);
  EXPECT_TRUE(S_ISLNK(facts.st_mode));
}

TEST(FilesTest, OutputErrors) {
  ScratchDirectory scratch;
  Status missing = writeFile(scratch / "absent/x", "1");
  EXPECT_EQ(missing.id(), "E-OUTPUT-NOT-WRITABLE");
  EXPECT_EQ(missing.exit(), Exit::Resource);
  EXPECT_EQ(writeFile(scratch.path(), "1").id(), "E-OUTPUT-NOT-A-FILE");
  EXPECT_EQ(writeFile("/dev/null", "1").id(), "E-OUTPUT-NOT-A-FILE") << "a device must not be renamed over";
  EXPECT_EQ(outputError("x", ENOSPC).id(), "E-OUTPUT-DISK-FULL");
  EXPECT_EQ(outputError("x", ENOSPC).exit(), Exit::Resource);
  EXPECT_EQ(outputError("x", EACCES).id(), "E-OUTPUT-NOT-WRITABLE");
}

// A file size limit stands for a full disk: the same path, with EFBIG in place of ENOSPC.
TEST(FilesTest, DiskFullKeepsThePreviousOutput) {
  ScratchDirectory scratch;
  ASSERT_TRUE(writeFile(scratch / "x", "old").ok());
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 1 << 20;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  Status full = writeFile(scratch / "x", std::string(4 << 20, 'n'));
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  ASSERT_FALSE(full.ok());
  EXPECT_EQ(full.id(), "E-OUTPUT-DISK-FULL");
  EXPECT_EQ(contentsOf(scratch / "x"), "old");
  EXPECT_EQ(scratch.entries(), std::vector<std::string>{"x"});
}

TEST(FilesTest, Directories) {
  ScratchDirectory scratch;
  EXPECT_TRUE(checkDirectory(scratch.path()).ok());
  EXPECT_EQ(checkDirectory(scratch / "a").id(), "E-DIRECTORY-NOT-FOUND");
  EXPECT_TRUE(makeDirectories(scratch / "a/b/c").ok());
  EXPECT_TRUE(makeDirectories(scratch / "a/b/c").ok());
  EXPECT_TRUE(checkDirectory(scratch / "a/b/c").ok());
  ASSERT_TRUE(writeFile(scratch / "f", "").ok());
  EXPECT_EQ(checkDirectory(scratch / "f").id(), "E-NOT-A-DIRECTORY");
  EXPECT_EQ(makeDirectories(scratch / "f").id(), "E-OUTPUT-NOT-WRITABLE");
  EXPECT_EQ(makeDirectories(scratch / "f/g").id(), "E-OUTPUT-NOT-WRITABLE");
}

TEST(FilesTest, CacheDirectoryFollowsTheVariables) {
  ScratchDirectory scratch;
  std::string home = getenv("HOME") ? getenv("HOME") : "";
  setenv("HOME", (scratch / "home").c_str(), 1);
  unsetenv("QUERN_CACHE_DIR");
  setenv("XDG_CACHE_HOME", "relative/is/ignored", 1);
  auto byHome = cacheDirectory();
  ASSERT_TRUE(byHome.ok());
  EXPECT_EQ(*byHome, scratch / "home/.cache/quern");
  setenv("XDG_CACHE_HOME", (scratch / "xdg").c_str(), 1);
  auto byXdg = cacheDirectory();
  ASSERT_TRUE(byXdg.ok());
  EXPECT_EQ(*byXdg, scratch / "xdg/quern");
  setenv("QUERN_CACHE_DIR", (scratch / "own/").c_str(), 1);
  auto own = cacheDirectory();
  ASSERT_TRUE(own.ok());
  EXPECT_EQ(*own, scratch / "own");
  struct stat facts;
  ASSERT_EQ(stat(own->c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0700u);
  unsetenv("QUERN_CACHE_DIR");
  unsetenv("XDG_CACHE_HOME");
  unsetenv("HOME");
  auto none = cacheDirectory();
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().id(), "E-CACHE-NO-HOME");
  setenv("HOME", home.c_str(), 1);
}

TEST(FilesTest, TemporaryDirectoryFollowsTheVariable) {
  const char *before = getenv("TMPDIR");
  const std::string kept = before ? before : "";
  ScratchDirectory scratch;
  ASSERT_TRUE(writeFile(scratch / "file", "x").ok());
  setenv("TMPDIR", (scratch.path() + "//").c_str(), 1);
  EXPECT_EQ(temporaryDirectory(), scratch.path());
  for (const std::string &bad :
       {std::string(), std::string("relative"), scratch / "file", scratch / "none"}) {
    setenv("TMPDIR", bad.c_str(), 1);
    EXPECT_EQ(temporaryDirectory(), "/tmp") << bad;
  }
  unsetenv("TMPDIR");
  EXPECT_EQ(temporaryDirectory(), "/tmp");
  if (before)
    setenv("TMPDIR", kept.c_str(), 1);
}

TEST(FilesTest, PlainNames) {
  EXPECT_TRUE(isPlainFileName("model-00001-of-000163.safetensors"));
  for (std::string_view bad : {"", ".", "..", "a/b", "/a", "a\\b"})
    EXPECT_FALSE(isPlainFileName(bad)) << bad;
  EXPECT_FALSE(isPlainFileName(std::string_view("a\0b", 3)));
}

} // namespace
