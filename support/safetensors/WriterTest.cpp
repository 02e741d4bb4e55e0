//===- WriterTest.cpp -----------------------------------------------------===//
#include "support/safetensors/Safetensors.h"

#include "support/ScratchDirectory.h"

#include <gtest/gtest.h>

using namespace quern;

namespace {

/// Bytes that differ with tensor and index.
std::string dataOf(const TensorSpec &tensor) {
  std::string data(*tensorBytes(tensor.type, tensor.shape), '\0');
  for (size_t i = 0; i != data.size(); ++i)
    data[i] = static_cast<char>(tensor.name.back() * 17 + i * 31);
  return data;
}

Status writeAll(const std::string &path, std::vector<TensorSpec> specs) {
  QUERN_ASSIGN_OR_RETURN(SafetensorsWriter writer,
                         SafetensorsWriter::create(path, std::move(specs), {{"k", "v"}}));
  for (const TensorSpec &tensor : writer.tensors()) {
    std::string data = dataOf(tensor);
    QUERN_RETURN_IF_ERROR(writer.write(asBytes(data).first(data.size() / 3)));
    QUERN_RETURN_IF_ERROR(writer.write(asBytes(data).subspan(data.size() / 3)));
  }
  return writer.finish();
}

const std::vector<TensorSpec> specs = {
    {"a", ElementType::F8E4M3, {3, 5}}, {"b", ElementType::F32, {2}},
    {"scalar", ElementType::BF16, {}},  {"none", ElementType::I64, {0, 4}},
    {"c", ElementType::BF16, {7, 1}},   {"\"quoted\" \xc3\xa9", ElementType::U8, {1}}};

TEST(SafetensorsWriterTest, WhatIsWrittenIsReadBackAligned) {
  ScratchDirectory scratch;
  Status written = writeAll(scratch / "x", specs);
  ASSERT_TRUE(written.ok()) << written.message();
  auto file = SafetensorsFile::open(scratch / "x");
  ASSERT_TRUE(file.ok()) << file.error().message();
  EXPECT_EQ(file->tensors().size(), specs.size());
  EXPECT_EQ(file->metadata().at("k"), "v");
  uint64_t first = ~0ull;
  for (const TensorSpec &spec : specs) {
    const StoredTensor *tensor = file->find(spec.name);
    ASSERT_TRUE(tensor) << spec.name;
    EXPECT_EQ(tensor->type, spec.type);
    EXPECT_EQ(tensor->shape, spec.shape);
    EXPECT_EQ(asText(file->bytes(*tensor)), dataOf(spec));
    EXPECT_EQ(tensor->offset % (elementBits(tensor->type) / 8), 0u);
    first = std::min(first, tensor->offset);
  }
  EXPECT_EQ(first % 4096, 0u);
}

TEST(SafetensorsWriterTest, EqualInputsGiveEqualBytes) {
  ScratchDirectory scratch;
  std::vector<TensorSpec> reversed(specs.rbegin(), specs.rend());
  ASSERT_TRUE(writeAll(scratch / "x", specs).ok());
  ASSERT_TRUE(writeAll(scratch / "y", reversed).ok());
  EXPECT_EQ(*readFile(scratch / "x", 1 << 20), *readFile(scratch / "y", 1 << 20));
}

TEST(SafetensorsWriterTest, RefusesMistakes) {
  ScratchDirectory scratch;
  auto idOf = [&](std::vector<TensorSpec> list) {
    auto writer = SafetensorsWriter::create(scratch / "x", std::move(list));
    return writer.ok() ? writer->finish().id() : writer.error().id();
  };
  EXPECT_EQ(idOf({{"a", ElementType::U8, {1}}, {"a", ElementType::U8, {1}}}), "E-SAFETENSORS-WRITE");
  EXPECT_EQ(idOf({{"a", ElementType::F4, {1}}}), "E-SAFETENSORS-WRITE");
  EXPECT_EQ(idOf({{"__metadata__", ElementType::U8, {1}}}), "E-SAFETENSORS-WRITE");
  EXPECT_EQ(idOf({{"a", ElementType::U8, {1}}}), "E-SAFETENSORS-WRITE") << "no data came";
  EXPECT_TRUE(scratch.entries().empty());
}

} // namespace
