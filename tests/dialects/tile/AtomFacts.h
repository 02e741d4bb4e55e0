//===- AtomFacts.h - Reads atom-facts.json for tests ----------------------===//
#ifndef QUERN_TESTS_DIALECTS_TILE_ATOMFACTS_H
#define QUERN_TESTS_DIALECTS_TILE_ATOMFACTS_H

#include "dialects/tile/LayoutAlgebra.h"
#include "support/Json.h"

#include <gtest/gtest.h>

namespace quern::tile {

inline const Json &atomFacts() {
  static const JsonDocument document = [] {
    Expected<JsonDocument> read = readJsonFile(QUERN_SOURCE_DIR "/tests/dialects/tile/atom-facts.json");
    EXPECT_TRUE(read.ok()) << read.error().message();
    return *std::move(read);
  }();
  return document.value();
}

/// The record |id|; null where the file has none.
inline const Json *findFact(std::string_view id) {
  for (const Json &record : atomFacts().find("fragments")->items())
    if (record.find("id")->string() == id)
      return &record;
  return nullptr;
}

inline std::vector<int32_t> integers(const Json &list) {
  std::vector<int32_t> result;
  for (const Json &item : list.items())
    result.push_back(int32_t(item.integer()));
  return result;
}

inline std::vector<Coordinate> coordinates(const Json &list) {
  std::vector<Coordinate> result;
  for (const Json &item : list.items())
    result.push_back(integers(item));
  return result;
}

/// The layout of a record with reg, lane and warp bases.
inline Layout factLayout(std::string_view id) {
  const Json *record = findFact(id);
  EXPECT_TRUE(record) << id;
  if (!record)
    return Layout();
  std::vector<int32_t> shape = integers(*record->find("shape"));
  return Layout(shape,
                {coordinates(*record->find("reg")), coordinates(*record->find("lane")),
                 coordinates(*record->find("warp"))},
                std::vector<int32_t>(shape.size(), 1));
}

} // namespace quern::tile

#endif // QUERN_TESTS_DIALECTS_TILE_ATOMFACTS_H
