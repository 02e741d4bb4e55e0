//===- ArtifactTest.cpp ---------------------------------------------------===//
#include "runtime/artifact/Artifact.h"

#include "runtime/artifact/RandomWeights.h"
#include "runtime/artifact/TinyArtifact.h"
#include "runtime/artifact/ZipHeaders.h"
#include "support/ScratchDirectory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace quern;
using namespace quern::runtime;
using testing::ElementsAre;

namespace {

std::string tinyBytes() {
  ScratchDirectory scratch;
  Status written = writeTinyArtifact(scratch / "x");
  EXPECT_TRUE(written.ok()) << written.message();
  return *readFile(scratch / "x", 1 << 20);
}

/// What a user who uses everything gets: the first error of opening, reading all members and tensors, and
/// verifying.
Status useAll(const std::string &file) {
  QUERN_ASSIGN_OR_RETURN(Artifact artifact, Artifact::fromBytes(asBytes(file), "x"));
  for (const ZipMember &member : artifact.members())
    if (!isAlignedMember(member.name))
      if (auto bytes = artifact.read(member.name); !bytes.ok())
        return bytes.takeError();
  WeightBytes bytes;
  for (size_t i = 0; i != artifact.weights().size(); ++i)
    QUERN_RETURN_IF_ERROR(artifact.readWeight(artifact.weights()[i], bytes));
  return artifact.verify();
}

/// A zip with these members and a comment that fits its manifest, so that only its contents are at fault.
std::string zipOf(const std::map<std::string, std::string> &members) {
  ScratchDirectory scratch;
  auto zip = ZipWriter::create(scratch / "x");
  EXPECT_TRUE(zip.ok());
  for (const auto &[name, contents] : members)
    if (isAlignedMember(name)) {
      EXPECT_TRUE(zip->begin(name).ok());
      EXPECT_TRUE(zip->append(asBytes(contents)).ok());
      EXPECT_TRUE(zip->end().ok());
    }
  for (const auto &[name, contents] : members)
    if (!isAlignedMember(name))
      EXPECT_TRUE(zip->add(name, asBytes(contents)).ok());
  auto manifest = members.find(manifestMemberName);
  EXPECT_TRUE(zip->finish(artifactComment(sha256(manifest == members.end() ? "" : manifest->second))).ok());
  return *readFile(scratch / "x", 1 << 20);
}

std::map<std::string, std::string> membersOf(const std::string &file) {
  std::map<std::string, std::string> members;
  auto artifact = Artifact::fromBytes(asBytes(file), "x");
  for (const ZipMember &member : artifact->members())
    members[member.name] = file.substr(member.data, member.size);
  return members;
}

TEST(ArtifactTest, WhatIsWrittenIsRead) {
  ScratchDirectory scratch;
  ASSERT_TRUE(writeTinyArtifact(scratch / "x").ok());
  auto artifact = Artifact::open(scratch / "x");
  ASSERT_TRUE(artifact.ok()) << artifact.error().message();
  std::vector<std::string> names;
  for (const ZipMember &member : artifact->members())
    names.push_back(member.name);
  EXPECT_THAT(names,
              ElementsAre("config.json", "kernels/nvidia-sm_90a/norm.ptx", "manifest.json", "plan/cpu.json",
                          "tokenizer.json", "weights/data-00000", "weights/index.bin"));
  EXPECT_EQ(artifact->manifest().model, "tiny");
  EXPECT_EQ(artifact->readText("config.json").ok() ? *artifact->readText("config.json") : "", "{\"a\":1}");
  EXPECT_EQ(*artifact->readText("tokenizer.json"), "");
  EXPECT_EQ(artifact->read("absent").error().id(), "E-ARTIFACT-MEMBER-MISSING");
  EXPECT_EQ(artifact->read("weights/data-00000").error().id(), "E-ARTIFACT-MEMBER-MISSING")
      << "only by tensor";
  EXPECT_TRUE(artifact->has("plan/cpu.json"));
  EXPECT_FALSE(artifact->has("plan/gpu.json"));

  WeightBytes bytes;
  auto head = artifact->weight("lm_head.weight");
  ASSERT_TRUE(head.ok());
  EXPECT_EQ(std::vector<uint64_t>(head->shape().begin(), head->shape().end()),
            (std::vector<uint64_t>{3, 7, 13}));
  ASSERT_TRUE(artifact->readWeight(*head, bytes).ok());
  EXPECT_EQ(asText(bytes.span()), patternBytes(273, 2));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(bytes.span().data()) % tensorAlignment, 0u) << "the file is mapped";
  artifact->releaseWeight(*head);
  ASSERT_TRUE(artifact->readWeight(*head, bytes).ok());
  EXPECT_EQ(asText(bytes.span()), patternBytes(273, 2));

  auto embed = artifact->weight("embed.weight");
  ASSERT_TRUE(embed.ok());
  ASSERT_TRUE(artifact->readWeight(*embed, bytes).ok());
  std::vector<std::byte> expected(36);
  fillRandom(*embed, 0, expected);
  EXPECT_EQ(hexText(bytes.span()), hexText(expected));
  EXPECT_EQ(artifact->weight("absent").error().id(), "E-ARTIFACT-WEIGHT-MISSING");

  uint64_t reported = 0;
  EXPECT_TRUE(artifact->verify([&](uint64_t count) { reported += count; }).ok());
  EXPECT_EQ(reported, artifact->verifyBytes());
}

TEST(ArtifactTest, EqualInputsGiveEqualBytes) {
  ScratchDirectory scratch;
  std::string first = tinyBytes();
  auto writer = ArtifactWriter::create(scratch / "y");
  ASSERT_TRUE(writer.ok());
  // The same with bytes cut elsewhere and small members in another order.
  ASSERT_TRUE(writer->addMember("tokenizer.json", "").ok());
  ASSERT_TRUE(writer->addRandomWeight({"embed.weight", ElementType::BF16, {6, 3}}, 77, -0.5, 0.5).ok());
  ASSERT_TRUE(writer->addWeight({"norm.weight", ElementType::BF16, {5}}, asBytes(patternBytes(10, 1))).ok());
  ASSERT_TRUE(writer->beginWeight({"lm_head.weight", ElementType::F8E4M3, {3, 7, 13}}).ok());
  std::string head = patternBytes(273, 2);
  for (size_t at = 0; at < head.size(); at += 50)
    ASSERT_TRUE(writer->appendWeight(asBytes(head).subspan(at, std::min<size_t>(50, head.size() - at))).ok());
  ASSERT_TRUE(writer->endWeight().ok());
  ASSERT_TRUE(writer->addMember("kernels/nvidia-sm_90a/norm.ptx", patternBytes(300, 3)).ok());
  ASSERT_TRUE(writer->addMember("config.json", "{\"a\":1}").ok());
  ASSERT_TRUE(writer->addMember("plan/cpu.json", "{}\n").ok());
  ASSERT_TRUE(writer->finish(tinyManifest()).ok());
  EXPECT_TRUE(*readFile(scratch / "y", 1 << 20) == first);
}

TEST(ArtifactTest, DataMembersAreCutBetweenTensors) {
  ScratchDirectory scratch;
  ASSERT_TRUE(writeTinyArtifact(scratch / "x", {.dataMemberBytes = 256}).ok());
  auto artifact = Artifact::open(scratch / "x");
  ASSERT_TRUE(artifact.ok()) << artifact.error().message();
  EXPECT_TRUE(artifact->has("weights/data-00001"));
  EXPECT_EQ(artifact->weight("lm_head.weight")->container, 1u) << "273 bytes do not fit behind the first";
  WeightBytes bytes;
  ASSERT_TRUE(artifact->readWeight(*artifact->weight("lm_head.weight"), bytes).ok());
  EXPECT_EQ(asText(bytes.span()), patternBytes(273, 2));
  ASSERT_TRUE(artifact->readWeight(*artifact->weight("norm.weight"), bytes).ok());
  EXPECT_EQ(asText(bytes.span()), patternBytes(10, 1));
  EXPECT_TRUE(artifact->verify().ok());
}

TEST(ArtifactTest, EveryTruncationIsRefused) {
  std::string file = tinyBytes();
  ASSERT_TRUE(useAll(file).ok());
  for (size_t length = 0; length != file.size(); ++length) {
    auto artifact = Artifact::fromBytes(asBytes(file).first(length), "x");
    ASSERT_FALSE(artifact.ok()) << length;
    ASSERT_EQ(artifact.error().id(), "E-ARTIFACT-TRUNCATED") << length;
    ASSERT_EQ(artifact.error().exit(), Exit::BadInput);
  }
}

TEST(ArtifactTest, EveryFlippedByteIsRefused) {
  std::string file = tinyBytes();
  for (size_t at = 0; at != file.size(); ++at) {
    char saved = file[at];
    file[at] = static_cast<char>(saved ^ (1 << (at * 5 % 8)));
    Status status = useAll(file);
    ASSERT_FALSE(status.ok()) << "byte " << at;
    ASSERT_EQ(status.exit(), Exit::BadInput) << "byte " << at << ": " << status.message();
    file[at] = saved;
  }
}

// Without `verify`: what is handed out was checked before.
TEST(ArtifactTest, DamageIsFoundBeforeUse) {
  std::string file = tinyBytes();
  auto flipped = [&](std::string_view member, size_t offset) {
    std::string copy = file;
    auto artifact = Artifact::fromBytes(asBytes(file), "x");
    for (const ZipMember &each : artifact->members())
      if (each.name == member)
        copy[each.data + offset] = static_cast<char>(copy[each.data + offset] ^ 4);
    return copy;
  };
  std::string kernel = flipped("kernels/nvidia-sm_90a/norm.ptx", 299);
  auto artifact = Artifact::fromBytes(asBytes(kernel), "x");
  ASSERT_TRUE(artifact.ok()) << "what is not used is not in the way";
  EXPECT_EQ(artifact->read("kernels/nvidia-sm_90a/norm.ptx").error().id(), "E-ARTIFACT-DIGEST");
  EXPECT_TRUE(artifact->read("plan/cpu.json").ok());

  // The first tensor has 10 bytes at 0, the second 273 at 256; byte 20 is between them.
  for (size_t at : {0, 9, 20, 255, 256, 528}) {
    std::string weights = flipped("weights/data-00000", at);
    auto damaged = Artifact::fromBytes(asBytes(weights), "x");
    ASSERT_TRUE(damaged.ok());
    WeightBytes bytes;
    Status norm = damaged->readWeight(*damaged->weight("norm.weight"), bytes);
    Status head = damaged->readWeight(*damaged->weight("lm_head.weight"), bytes);
    EXPECT_EQ(norm.ok(), at >= 256);
    EXPECT_EQ(head.ok(), at < 256);
    Status &failed = norm.ok() ? head : norm;
    EXPECT_EQ(failed.id(), "E-ARTIFACT-WEIGHT-DIGEST");
    EXPECT_EQ(damaged->readWeight(*damaged->weight(at < 256 ? "norm.weight" : "lm_head.weight"), bytes).id(),
              "E-ARTIFACT-WEIGHT-DIGEST")
        << "a failed check is not remembered as passed";
  }
}

TEST(ArtifactTest, MembersAndManifestMustAgree) {
  std::map<std::string, std::string> members = membersOf(tinyBytes());
  ASSERT_TRUE(useAll(zipOf(members)).ok()) << useAll(zipOf(members)).message();
  auto without = [&](const char *name) {
    auto copy = members;
    copy.erase(name);
    return useAll(zipOf(copy)).id();
  };
  for (const char *name : {"config.json", "manifest.json", "weights/index.bin",
                           "kernels/nvidia-sm_90a/norm.ptx", "plan/cpu.json"})
    EXPECT_EQ(without(name), "E-ARTIFACT-MEMBER-MISSING") << name;
  EXPECT_EQ(without("weights/data-00000"), "E-ARTIFACT-INDEX")
      << "the index speaks of a data member that is gone";
  auto with = [&](const char *name, const std::string &contents) {
    auto copy = members;
    copy[name] = contents;
    return useAll(zipOf(copy)).id();
  };
  EXPECT_EQ(with("extra", "x"), "E-ARTIFACT-MEMBER-UNLISTED");
  EXPECT_EQ(with("config.json", "{\"a\":2}"), "E-ARTIFACT-DIGEST");
  EXPECT_EQ(with("weights/index.bin", "x"), "E-ARTIFACT-DIGEST");
  EXPECT_EQ(with("weights/data-00002", "x"), "E-ARTIFACT-MEMBER-MISSING") << "00001 is missing";
  auto newer = members["manifest.json"];
  newer.replace(newer.find("0.1"), 3, "1.0");
  EXPECT_EQ(with("manifest.json", newer), "E-ARTIFACT-VERSION");
}

TEST(ArtifactTest, WriterRefusesMisuseAndKeepsThePreviousFile) {
  ScratchDirectory scratch;
  ASSERT_TRUE(writeFile(scratch / "x", "old").ok());
  {
    auto writer = ArtifactWriter::create(scratch / "x");
    ASSERT_TRUE(writer.ok());
    WeightSpec spec{"a", ElementType::BF16, {2}};
    EXPECT_EQ(writer->endWeight().id(), "E-ARTIFACT-WRITE");
    EXPECT_EQ(writer->appendWeight(asBytes("x")).id(), "E-ARTIFACT-WRITE");
    ASSERT_TRUE(writer->beginWeight(spec).ok());
    EXPECT_EQ(writer->appendWeight(asBytes("12345")).id(), "E-ARTIFACT-WRITE");
    EXPECT_EQ(writer->endWeight().id(), "E-ARTIFACT-WRITE");
    EXPECT_EQ(writer->beginWeight({"b", ElementType::BF16, {2}}).id(), "E-ARTIFACT-WRITE");
    EXPECT_EQ(writer->finish(tinyManifest()).id(), "E-ARTIFACT-WRITE");
    ASSERT_TRUE(writer->appendWeight(asBytes("1234")).ok());
    ASSERT_TRUE(writer->endWeight().ok());
    EXPECT_EQ(writer->addWeight(spec, asBytes("1234")).id(), "E-ARTIFACT-WRITE") << "twice";
    EXPECT_EQ(writer->addRandomWeight({"r", ElementType::BF16, {2}}, 1, 1, 0).id(), "E-ARTIFACT-WRITE");
    EXPECT_EQ(writer->addLinkedWeight({"l", ElementType::BF16, {2}}, {"../m", 10}, 0, {}).id(),
              "E-ARTIFACT-WRITE");
    EXPECT_EQ(writer->addWeight({"big", ElementType::BF16, {1, 1, 1, 1, 1, 1, 1, 1, 1}}, asBytes("12")).id(),
              "E-ARTIFACT-WRITE");
    for (const char *name : {"manifest.json", "weights/index.bin", "weights/data-00000", "../a", ""})
      EXPECT_EQ(writer->addMember(name, "").id(), "E-ARTIFACT-WRITE") << name;
    ASSERT_TRUE(writer->addMember("m", "").ok());
    EXPECT_EQ(writer->addMember("m", "").id(), "E-ARTIFACT-WRITE");
  }
  EXPECT_EQ(*readFile(scratch / "x", 10), "old");
  EXPECT_EQ(scratch.entries(), std::vector<std::string>{"x"});
}

TEST(ArtifactTest, ARandomTensorBeyondAllMemoryIsAnError) {
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
  GTEST_SKIP() << "AddressSanitizer ends the process in place of throwing";
#endif
#endif
  ScratchDirectory scratch;
  auto writer = ArtifactWriter::create(scratch / "x");
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE(writer->addRandomWeight({"a", ElementType::U8, {uint64_t(1) << 52}}, 1, 0, 9).ok());
  ASSERT_TRUE(writer->finish(tinyManifest()).ok());
  auto artifact = Artifact::open(scratch / "x");
  ASSERT_TRUE(artifact.ok());
  WeightBytes bytes;
  Status status = artifact->readWeight(*artifact->weight("a"), bytes);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.id(), "E-HOST-OUT-OF-MEMORY");
  EXPECT_EQ(status.exit(), Exit::Resource);
}

TEST(ArtifactTest, LinkedWeightsAreFoundAndChecked) {
  ScratchDirectory scratch;
  std::string source = patternBytes(1000, 7);
  ASSERT_TRUE(writeFile(scratch / "model.safetensors", source).ok());
  auto writer = ArtifactWriter::create(scratch / "x");
  ASSERT_TRUE(writer.ok());
  WeightSource from{"model.safetensors", 1000};
  std::string_view linked = std::string_view(source).substr(101, 24),
                   trusted = std::string_view(source).substr(500, 4);
  ASSERT_TRUE(writer->addLinkedWeight({"a", ElementType::F32, {2, 3}}, from, 101, sha256(linked)).ok());
  ASSERT_TRUE(writer->addLinkedWeight({"b", ElementType::BF16, {2}}, from, 500, {}).ok());
  Manifest manifest = tinyManifest();
  manifest.weights = "link";
  manifest.trustedDigests = true;
  ASSERT_TRUE(writer->finish(manifest).ok());

  auto open = [&](const std::string &directory) {
    auto artifact = Artifact::open(scratch / "x");
    EXPECT_TRUE(artifact.ok());
    artifact->setWeightsDirectory(directory);
    return *std::move(artifact);
  };
  WeightBytes bytes;
  auto idOf = [&](const Artifact &artifact, const char *name) {
    Status status = artifact.readWeight(*artifact.weight(name), bytes);
    return status.ok() ? "ok" : status.id();
  };
  Artifact unset = open("");
  EXPECT_EQ(idOf(unset, "a"), "E-WEIGHTS-DIRECTORY");
  EXPECT_EQ(unset.readWeight(*unset.weight("a"), bytes).exit(), Exit::Usage);
  EXPECT_EQ(idOf(open(scratch / "absent"), "a"), "E-WEIGHTS-SOURCE");
  Artifact good = open(scratch.path());
  EXPECT_EQ(idOf(good, "a"), "ok");
  EXPECT_EQ(asText(bytes.span()), linked);
  EXPECT_EQ(idOf(good, "b"), "ok");
  EXPECT_EQ(asText(bytes.span()), trusted);
  EXPECT_TRUE(good.verify().ok());

  source[110] = static_cast<char>(source[110] ^ 1);
  ASSERT_TRUE(writeFile(scratch / "model.safetensors", source).ok());
  EXPECT_EQ(idOf(open(scratch.path()), "a"), "E-ARTIFACT-WEIGHT-DIGEST");
  EXPECT_EQ(idOf(open(scratch.path()), "b"), "ok") << "other bytes changed";
  EXPECT_EQ(open(scratch.path()).verify().id(), "E-ARTIFACT-WEIGHT-DIGEST");
  ASSERT_TRUE(writeFile(scratch / "model.safetensors", source + "x").ok());
  EXPECT_EQ(idOf(open(scratch.path()), "b"), "E-WEIGHTS-SOURCE") << "another size";
}

} // namespace
