//===- CheckpointTest.cpp -------------------------------------------------===//
#include "support/safetensors/Checkpoint.h"

#include "support/ScratchDirectory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace quern;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

constexpr const char *single = "model.safetensors";
constexpr const char *indexName = "model.safetensors.index.json";

/// A shard with one byte-sized tensor per name, filled with its last letter.
void writeShard(const std::string &path, const std::vector<std::string> &names,
                ElementType type = ElementType::U8) {
  std::vector<TensorSpec> specs;
  for (const std::string &name : names)
    specs.push_back({name, type, {8}});
  auto writer = SafetensorsWriter::create(path, specs);
  ASSERT_TRUE(writer.ok());
  for (const TensorSpec &spec : writer->tensors())
    ASSERT_TRUE(writer->write(asBytes(std::string(elementBits(type), spec.name.back()))).ok());
  ASSERT_TRUE(writer->finish().ok());
}

void writeIndex(const ScratchDirectory &scratch, const std::string &map) {
  ASSERT_TRUE(writeFile(scratch / indexName, "{\"metadata\":{},\"weight_map\":" + map + "}").ok());
}

std::string idOf(const ScratchDirectory &scratch) {
  auto checkpoint = Checkpoint::open(scratch.path());
  if (checkpoint.ok())
    return "opened";
  EXPECT_EQ(checkpoint.error().exit(), Exit::BadInput);
  return checkpoint.error().id();
}

TEST(CheckpointTest, SingleFile) {
  ScratchDirectory scratch;
  EXPECT_FALSE(Checkpoint::hasWeights(scratch.path()));
  EXPECT_EQ(idOf(scratch), "E-SAFETENSORS-NO-WEIGHTS");
  EXPECT_EQ(Checkpoint::open(scratch / "absent").error().id(), "E-DIRECTORY-NOT-FOUND");
  writeShard(scratch / single, {"b", "a"});
  EXPECT_TRUE(Checkpoint::hasWeights(scratch.path()));
  auto checkpoint = Checkpoint::open(scratch.path());
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message();
  EXPECT_EQ(checkpoint->tensors().size(), 2u);
  EXPECT_EQ(asText(checkpoint->find("b")->bytes()), "bbbbbbbb");
  EXPECT_EQ(checkpoint->dataBytes(), 16u);
  EXPECT_TRUE(checkpoint->warnings().empty());
  Checkpoint moved = std::move(*checkpoint);
  EXPECT_EQ(asText(moved.find("a")->bytes()), "aaaaaaaa");
}

TEST(CheckpointTest, ShardsThroughTheIndex) {
  ScratchDirectory scratch;
  writeShard(scratch / "model-00001-of-000002.safetensors", {"x.b", "x.z"});
  writeShard(scratch / "odd name.safetensors", {"x.a", "extra"});
  writeShard(scratch / "old.safetensors", {"x.a"});
  writeIndex(scratch, R"({"x.z":"model-00001-of-000002.safetensors","x.a":"odd name.safetensors",
                          "x.b":"model-00001-of-000002.safetensors"})");
  auto checkpoint = Checkpoint::open(scratch.path());
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message();
  std::vector<std::string> names;
  for (const Checkpoint::Tensor &tensor : checkpoint->tensors())
    names.push_back(tensor.name());
  EXPECT_THAT(names, ElementsAre("x.a", "x.b", "x.z"));
  EXPECT_EQ(checkpoint->find("x.a")->shard->name, "odd name.safetensors");
  EXPECT_FALSE(checkpoint->find("extra"));
  EXPECT_THAT(checkpoint->warnings(),
              ElementsAre(HasSubstr("1 tensors are not in the index and are ignored, `extra`"),
                          HasSubstr("`old.safetensors` is not referred to")));
}

TEST(CheckpointTest, TheSingleFileComesFirst) {
  ScratchDirectory scratch;
  writeShard(scratch / single, {"a"});
  writeIndex(scratch, R"({"b":"absent.safetensors"})");
  auto checkpoint = Checkpoint::open(scratch.path());
  ASSERT_TRUE(checkpoint.ok());
  EXPECT_TRUE(checkpoint->find("a"));
  EXPECT_THAT(checkpoint->warnings(), ElementsAre(HasSubstr("ignored beside")));
}

TEST(CheckpointTest, FaultsOfTheIndex) {
  ScratchDirectory scratch;
  writeShard(scratch / "s1", {"a", "b"});
  writeShard(scratch / "s2", {"c"});
  ASSERT_TRUE(writeFile(scratch / indexName, "{").ok());
  EXPECT_EQ(idOf(scratch), "E-SAFETENSORS-INDEX");
  ASSERT_TRUE(writeFile(scratch / indexName, "{}").ok());
  EXPECT_EQ(idOf(scratch), "E-SAFETENSORS-INDEX");
  for (const char *map : {"[]", "{\"a\":1}", "{\"a\":\"s1\",\"a\":\"s1\"}"}) {
    writeIndex(scratch, map);
    EXPECT_EQ(idOf(scratch), "E-SAFETENSORS-INDEX") << map;
  }
  for (const char *name : {"../s1", "/etc/passwd", "..", "", "a\\\\b", "a\\u0000"}) {
    writeIndex(scratch, std::string("{\"a\":\"") + name + "\"}");
    EXPECT_EQ(idOf(scratch), "E-SAFETENSORS-SHARD-NAME") << name;
  }
  writeIndex(scratch, R"({"a":"s1","c":"s3"})");
  EXPECT_EQ(idOf(scratch), "E-SAFETENSORS-SHARD-MISSING");
  writeIndex(scratch, R"({"a":"s1","d":"s2"})");
  EXPECT_EQ(idOf(scratch), "E-SAFETENSORS-KEY-MISSING") << "in no shard";
  writeIndex(scratch, R"({"a":"s2","c":"s1"})");
  EXPECT_EQ(idOf(scratch), "E-SAFETENSORS-KEY-MISSING") << "in another shard";
  writeIndex(scratch, R"({"a":"s1","b":"s1","c":"s2"})");
  EXPECT_EQ(idOf(scratch), "opened");
  writeShard(scratch / "s2", {"c", "b"});
  EXPECT_EQ(idOf(scratch), "E-SAFETENSORS-KEY-TWICE");
}

TEST(CheckpointTest, FaultsOfAShard) {
  ScratchDirectory scratch;
  std::filesystem::create_directory(scratch / single);
  EXPECT_EQ(idOf(scratch), "E-FILE-NOT-READABLE") << "a directory under a shard's name";
  std::filesystem::remove(scratch / single);
  ASSERT_TRUE(writeFile(scratch / single, "version https://git-lfs.github.com/spec/v1\n").ok());
  EXPECT_EQ(idOf(scratch), "E-SAFETENSORS-LFS-POINTER");
  std::filesystem::remove(scratch / single);
  std::filesystem::create_symlink("nowhere", scratch / single);
  EXPECT_EQ(idOf(scratch), "E-FILE-NOT-FOUND") << "a dangling link, as of an incomplete download";
}

TEST(CheckpointTest, GetExplains) {
  ScratchDirectory scratch;
  writeShard(scratch / single, {"a"}, ElementType::F64);
  auto checkpoint = Checkpoint::open(scratch.path());
  ASSERT_TRUE(checkpoint.ok());
  auto missing = checkpoint->get("b");
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().id(), "E-TENSOR-MISSING");
  auto type = checkpoint->get("a");
  ASSERT_FALSE(type.ok());
  EXPECT_EQ(type.error().id(), "E-TENSOR-TYPE");
  EXPECT_EQ(type.error().exit(), Exit::Unsupported);
}

} // namespace
