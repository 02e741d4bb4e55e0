//===- RowsTest.cpp -------------------------------------------------------===//
#include "tools/cli/Rows.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace quern::tools;

namespace {

std::vector<Json> rows() {
  std::vector<Json> rows(2, Json::object());
  rows[0].set("name", "a,b \"c\"");
  rows[0].set("bytes", 12);
  rows[0].set("shape", Json::array({Json(3), Json(128)}));
  rows[1].set("name", "x|y");
  rows[1].set("why", "two\nlines");
  rows[1].set("bytes", 2.5);
  return rows;
}

TEST(Rows, csv) {
  EXPECT_EQ(rowsText("quern.x", rows(), OutputFormat::Csv), "name,bytes,shape,why\n"
                                                            "\"a,b \"\"c\"\"\",12,3 128,\n"
                                                            "x|y,2.5,,\"two\nlines\"\n");
}

TEST(Rows, md) {
  EXPECT_EQ(rowsText("quern.x", rows(), OutputFormat::Md), "| name | bytes | shape | why |\n"
                                                           "| --- | --- | --- | --- |\n"
                                                           "| a,b \"c\" | 12 | 3 128 |  |\n"
                                                           "| x\\|y | 2.5 |  | two lines |\n");
}

TEST(Rows, jsonl) {
  EXPECT_EQ(rowsText("quern.x", rows(), OutputFormat::Jsonl),
            "{\"event\":\"start\",\"schema\":\"quern.x\",\"schema_version\":1}\n"
            "{\"event\":\"result\",\"name\":\"a,b \\\"c\\\"\",\"bytes\":12,\"shape\":[3,128]}\n"
            "{\"event\":\"result\",\"name\":\"x|y\",\"why\":\"two\\nlines\",\"bytes\":2.5}\n"
            "{\"event\":\"end\",\"rows\":2}\n");
}

TEST(Rows, nothing) {
  EXPECT_EQ(rowsText("quern.x", {}, OutputFormat::Csv), "");
  EXPECT_EQ(rowsText("quern.x", {}, OutputFormat::Md), "");
}

} // namespace
