//===- ReaderTest.cpp - Every rule of the header has a file that breaks it ----===//
#include "support/safetensors/Safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace quern;

namespace {

std::string fileOf(std::string_view header, std::string_view data = {}) {
  std::string file;
  appendLittle<uint64_t>(file, header.size());
  file += header;
  file += data;
  return file;
}

Expected<SafetensorsHeader> parse(const std::string &file) {
  return parseSafetensorsHeader(asBytes(file), "x.st");
}

/// The id and sentence of the error for |file|.
std::string errorOf(const std::string &file) {
  auto header = parse(file);
  if (header.ok())
    return "accepted";
  EXPECT_EQ(header.error().exit(), Exit::BadInput);
  return header.error().id() + " " + header.error().sentence();
}

MATCHER_P2(IsError, id, part, "") {
  return arg.starts_with(std::string("E-SAFETENSORS-") + id + " ") && arg.find(part) != std::string::npos;
}

/// A file with one tensor `a` whose description has the given fields.
std::string oneTensor(const std::string &type, const std::string &shape, const std::string &offsets,
                      size_t dataBytes) {
  return fileOf("{\"a\":{\"dtype\":" + type + ",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}}",
                std::string(dataBytes, 'd'));
}

TEST(SafetensorsReaderTest, ReadsTensorsInAnyOrder) {
  std::string file = fileOf(R"({"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[5,17]},)"
                            R"("__metadata__":{"format":"pt","empty":""},)"
                            R"("scalar":{"shape":[],"data_offsets":[1,5],"dtype":"F32","more":1},)"
                            R"("none":{"dtype":"I64","shape":[7,0],"data_offsets":[5,5]},)"
                            R"("a":{"dtype":"F4","shape":[2,1],"data_offsets":[0,1]}}   )",
                            "ASSSSbbbbbbbbbbbb");
  auto header = parse(file);
  ASSERT_TRUE(header.ok()) << header.error().message();
  ASSERT_EQ(header->tensors.size(), 4u);
  EXPECT_EQ(header->metadata.at("format"), "pt");
  const StoredTensor *b = header->find("b");
  ASSERT_TRUE(b);
  EXPECT_EQ(b->type, ElementType::BF16);
  EXPECT_EQ(b->shape, (std::vector<uint64_t>{2, 3}));
  EXPECT_EQ(asText(asBytes(file).subspan(b->offset, b->size)), "bbbbbbbbbbbb");
  const StoredTensor *scalar = header->find("scalar");
  ASSERT_TRUE(scalar);
  EXPECT_TRUE(scalar->shape.empty());
  EXPECT_EQ(asText(asBytes(file).subspan(scalar->offset, scalar->size)), "SSSS");
  EXPECT_EQ(header->find("none")->size, 0u);
  EXPECT_FALSE(header->find("c"));
  EXPECT_FALSE(header->find("__metadata__"));
}

TEST(SafetensorsReaderTest, ReadsAnEmptyFileOfNoTensors) {
  EXPECT_TRUE(parse(fileOf("{}")).ok());
  EXPECT_THAT(errorOf(fileOf("{}", "x")), IsError("TRAILING", "1 bytes"));
}

TEST(SafetensorsReaderTest, LengthOfTheHeader) {
  EXPECT_THAT(errorOf(""), IsError("TRUNCATED", "0 bytes"));
  EXPECT_THAT(errorOf("1234567"), IsError("TRUNCATED", "7 bytes"));
  std::string file = fileOf("{}");
  EXPECT_THAT(errorOf(file.substr(0, 9)), IsError("TRUNCATED", "2 bytes and the file only 1"));
  std::string huge;
  appendLittle<uint64_t>(huge, 100'000'001);
  EXPECT_THAT(errorOf(huge + "{}"), IsError("HEADER-SIZE", "100000001"));
  EXPECT_THAT(errorOf(std::string(8, '\xff') + "{}"), IsError("HEADER-SIZE", "18446744073709551615"));
  EXPECT_THAT(errorOf("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"),
              IsError("LFS-POINTER", "Git-LFS"));
  EXPECT_THAT(errorOf(std::string(8, '\0')), IsError("HEADER-JSON", "")) << "no header at all";
}

TEST(SafetensorsReaderTest, JsonOfTheHeader) {
  EXPECT_THAT(errorOf(fileOf(" {}")), IsError("HEADER-JSON", "begin with"));
  EXPECT_THAT(errorOf(fileOf("{}\n")), IsError("HEADER-JSON", "padded"));
  EXPECT_THAT(errorOf(fileOf(std::string("{}\0", 3))), IsError("HEADER-JSON", "padded"));
  EXPECT_THAT(errorOf(fileOf("[]")), IsError("HEADER-JSON", "begin with"));
  EXPECT_THAT(errorOf(fileOf("{\"a\":}")), IsError("HEADER-JSON", "not valid JSON"));
  EXPECT_THAT(errorOf(fileOf("{\"\xff\":{}}")), IsError("HEADER-JSON", ""));
  EXPECT_THAT(errorOf(fileOf(R"({"a":{"dtype":"U8","shape":[[1]],"data_offsets":[0,1]}})", "x")),
              IsError("HEADER-JSON", "nested deeper"));
  std::string entry = R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
  EXPECT_THAT(errorOf(fileOf("{" + entry + "," + entry + "}", "x")), IsError("DUPLICATE", "a"));
  EXPECT_THAT(errorOf(fileOf(R"({"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "x")),
              IsError("DUPLICATE", "dtype"));
}

TEST(SafetensorsReaderTest, Metadata) {
  EXPECT_THAT(errorOf(fileOf(R"({"__metadata__":[]})")), IsError("METADATA", "not an object"));
  EXPECT_THAT(errorOf(fileOf(R"({"__metadata__":{"a":1}})")), IsError("METADATA", "__metadata__.a"));
  EXPECT_THAT(errorOf(fileOf(R"({"__metadata__":{"a":null}})")), IsError("METADATA", "__metadata__.a"));
}

TEST(SafetensorsReaderTest, FieldsOfAnEntry) {
  EXPECT_EQ(errorOf(oneTensor("\"U8\"", "[3]", "[0,3]", 3)), "accepted");
  EXPECT_THAT(errorOf(fileOf(R"({"a":3})")), IsError("ENTRY", "object"));
  EXPECT_THAT(errorOf(fileOf(R"({"a":{"shape":[1],"data_offsets":[0,1]}})", "x")), IsError("ENTRY", "dtype"));
  EXPECT_THAT(errorOf(fileOf(R"({"a":{"dtype":"U8","data_offsets":[0,1]}})", "x")),
              IsError("ENTRY", "shape"));
  EXPECT_THAT(errorOf(fileOf(R"({"a":{"dtype":"U8","shape":[1]}})", "x")), IsError("ENTRY", "data_offsets"));
  EXPECT_THAT(errorOf(oneTensor("8", "[3]", "[0,3]", 3)), IsError("ENTRY", "dtype"));
  EXPECT_THAT(errorOf(oneTensor("\"U8\"", "3", "[0,3]", 3)), IsError("ENTRY", "shape"));
  EXPECT_THAT(errorOf(oneTensor("\"U8\"", "[3]", "[0]", 3)), IsError("ENTRY", "data_offsets"));
  EXPECT_THAT(errorOf(oneTensor("\"U8\"", "[3]", "[0,3,3]", 3)), IsError("ENTRY", "data_offsets"));
  for (std::string extent : {"-1", "3.0", "1.5", "\"3\"", "null", "true", "9007199254740993", "1e3",
                             "18446744073709551616", "99999999999999999999999"})
    EXPECT_THAT(errorOf(oneTensor("\"U8\"", "[" + extent + "]", "[0,3]", 3)), IsError("ENTRY", "extent"))
        << extent;
  for (std::string offset : {"-1", "3.0", "\"3\"", "null", "9007199254740993", "18446744073709551615"})
    EXPECT_THAT(errorOf(oneTensor("\"U8\"", "[3]", "[0," + offset + "]", 3)), IsError("ENTRY", "offset"))
        << offset;
  EXPECT_THAT(errorOf(oneTensor("\"U8\"", "[1]", "[2,1]", 3)), IsError("ENTRY", "before its begin"));
}

TEST(SafetensorsReaderTest, Types) {
  for (unsigned i = 0; i != elementTypeCount; ++i) {
    auto type = static_cast<ElementType>(i);
    std::string name(elementTypeName(type));
    EXPECT_EQ(parseElementType(name), type);
    // Eight elements are a whole number of bytes in every type.
    size_t bytes = elementBits(type);
    std::string end = std::to_string(bytes);
    EXPECT_EQ(errorOf(oneTensor("\"" + name + "\"", "[2,4]", "[0," + end + "]", bytes)), "accepted") << name;
  }
  EXPECT_THAT(errorOf(oneTensor("\"bf16\"", "[1]", "[0,2]", 2)), IsError("DTYPE", "bf16"));
  EXPECT_THAT(errorOf(oneTensor("\"F8\"", "[1]", "[0,1]", 1)), IsError("DTYPE", "`F8`"));
}

TEST(SafetensorsReaderTest, Sizes) {
  EXPECT_THAT(errorOf(oneTensor("\"BF16\"", "[3]", "[0,3]", 3)), IsError("SIZE", "needs 6 bytes"));
  EXPECT_THAT(errorOf(oneTensor("\"F4\"", "[3]", "[0,2]", 2)), IsError("SIZE", "no whole number"));
  // 2^53 * 2^11 elements: the product wraps to 0 in 64 bits.
  EXPECT_THAT(errorOf(oneTensor("\"U8\"", "[9007199254740992,2048]", "[0,0]", 0)),
              IsError("SIZE", "overflows"));
  EXPECT_THAT(errorOf(oneTensor("\"U8\"", "[2305843009213693]", "[0,8]", 8)),
              IsError("SIZE", "by its shape"));
  EXPECT_EQ(errorOf(oneTensor("\"U8\"", "[9007199254740992,0]", "[0,0]", 0)), "accepted");
}

TEST(SafetensorsReaderTest, Limits) {
  EXPECT_EQ(errorOf(oneTensor("\"U8\"", "[1,1,1,1,1,1,1,1]", "[0,1]", 1)), "accepted");
  EXPECT_THAT(errorOf(oneTensor("\"U8\"", "[1,1,1,1,1,1,1,1,1]", "[0,1]", 1)), IsError("LIMIT", "rank 9"));
  std::string header = "{";
  for (int i = 0; i != 1'000'001; ++i)
    header += (i ? ",\"" : "\"") + std::to_string(i) + "\":0";
  EXPECT_THAT(errorOf(fileOf(header + "}")), IsError("LIMIT", "1000001 tensors"));
}

TEST(SafetensorsReaderTest, TheTensorsCoverTheDataExactly) {
  auto two = [](const std::string &first, const std::string &second, size_t dataBytes) {
    return fileOf("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" + first +
                      "},\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":" + second + "}}",
                  std::string(dataBytes, 'd'));
  };
  EXPECT_EQ(errorOf(two("[0,4]", "[4,6]", 6)), "accepted");
  EXPECT_EQ(errorOf(two("[2,6]", "[0,2]", 6)), "accepted");
  EXPECT_THAT(errorOf(two("[1,5]", "[5,7]", 7)), IsError("GAP", "`a` begins at 1"));
  EXPECT_THAT(errorOf(two("[0,4]", "[5,7]", 7)), IsError("GAP", "`b` begins at 5"));
  EXPECT_THAT(errorOf(two("[0,4]", "[3,5]", 5)), IsError("OVERLAP", "`b` begins at 3"));
  EXPECT_THAT(errorOf(two("[0,4]", "[0,2]", 4)), IsError("OVERLAP", "`a` begins at 0"));
  EXPECT_THAT(errorOf(two("[0,4]", "[4,6]", 7)), IsError("TRAILING", "1 bytes follow"));
  EXPECT_THAT(errorOf(two("[0,4]", "[4,6]", 5)), IsError("TRUNCATED", "has 5 bytes of data"));
  EXPECT_THAT(errorOf(two("[0,4]", "[4,6]", 0)), IsError("TRUNCATED", "has 0 bytes of data"));
}

TEST(SafetensorsReaderTest, NoPrefixOfAFileIsAccepted) {
  std::string file = fileOf(R"({"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},)"
                            R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}  )",
                            std::string(16, 'd'));
  ASSERT_EQ(errorOf(file), "accepted");
  for (size_t length = 0; length != file.size(); ++length)
    EXPECT_THAT(errorOf(file.substr(0, length)), IsError("TRUNCATED", "")) << length;
}

} // namespace
