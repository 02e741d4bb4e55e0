//===- ExtractWeightsTest.cpp ---------------------------------------------===//
#include "runtime/artifact/ExtractWeights.h"

#include "runtime/artifact/TinyArtifact.h"
#include "support/ScratchDirectory.h"
#include "support/safetensors/Safetensors.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace quern::runtime;

namespace {

TEST(ExtractWeightsTest, EveryTensorComesOutAsItIs) {
  ScratchDirectory scratch;
  ASSERT_TRUE(writeTinyArtifact(scratch / "x.quern").ok());
  auto artifact = Artifact::open(scratch / "x.quern");
  ASSERT_TRUE(artifact.ok());
  uint64_t reported = 0;
  Status extracted =
      extractWeights(*artifact, scratch / "x.safetensors", [&](uint64_t bytes) { reported += bytes; });
  ASSERT_TRUE(extracted.ok()) << extracted.message();
  EXPECT_EQ(reported, artifact->weights().totalBytes());
  auto file = SafetensorsFile::open(scratch / "x.safetensors");
  ASSERT_TRUE(file.ok()) << file.error().message();
  ASSERT_EQ(file->tensors().size(), 3u);
  for (size_t i = 0; i != artifact->weights().size(); ++i) {
    Weight weight = artifact->weights()[i];
    const StoredTensor *stored = file->find(weight.name);
    ASSERT_TRUE(stored) << weight.name;
    EXPECT_EQ(stored->type, weight.type);
    EXPECT_EQ(stored->shape, std::vector<uint64_t>(weight.shape().begin(), weight.shape().end()));
    WeightBytes bytes;
    ASSERT_TRUE(artifact->readWeight(weight, bytes).ok());
    EXPECT_TRUE(asText(file->bytes(*stored)) == asText(bytes.span())) << weight.name;
  }
}

TEST(ExtractWeightsTest, ADamagedTensorLeavesNothing) {
  ScratchDirectory scratch;
  ASSERT_TRUE(writeTinyArtifact(scratch / "x.quern").ok());
  std::string bytes = *readFile(scratch / "x.quern", 1 << 20);
  bytes[65536] = static_cast<char>(bytes[65536] ^ 1);
  auto artifact = Artifact::fromBytes(asBytes(bytes), "x");
  ASSERT_TRUE(artifact.ok());
  ASSERT_TRUE(writeFile(scratch / "out", "old").ok());
  EXPECT_EQ(extractWeights(*artifact, scratch / "out").id(), "E-ARTIFACT-WEIGHT-DIGEST");
  EXPECT_EQ(*readFile(scratch / "out", 10), "old");
  EXPECT_EQ(scratch.entries(), (std::vector<std::string>{"out", "x.quern"}));
}

} // namespace
