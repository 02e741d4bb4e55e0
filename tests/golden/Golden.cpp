//===- Golden.cpp - Goldens of the test checkpoints, and how logits are compared ---===//
#include "tests/golden/Golden.h"

#include "support/Bytes.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

using namespace quern;
using namespace quern::testing;

namespace {

template <typename T> Expected<std::vector<T>> readList(const JsonRef &object, std::string_view key) {
  std::vector<T> values;
  if (!object.has(key))
    return values;
  QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> items, object.getArray(key));
  for (const JsonRef &item : items) {
    QUERN_ASSIGN_OR_RETURN(double value, item.asFloat());
    values.push_back(static_cast<T>(value));
  }
  return values;
}

Expected<Logits> readLogits(const SafetensorsFile &file, const JsonRef &object, std::string_view key) {
  Logits logits;
  QUERN_ASSIGN_OR_RETURN(std::optional<std::string_view> name, object.findString(key));
  if (!name)
    return logits;
  const StoredTensor *tensor = file.find(*name);
  if (!tensor || tensor->type != ElementType::F32 || tensor->shape.size() != 2)
    return object.error("E-GOLDEN", "`" + std::string(key) + "` names no F32 matrix");
  logits.rows = static_cast<int64_t>(tensor->shape[0]);
  logits.columns = static_cast<int64_t>(tensor->shape[1]);
  ByteSpan bytes = file.bytes(*tensor);
  for (size_t i = 0; i < bytes.size() / 4; ++i)
    logits.values.push_back(loadLittle<float>(bytes.data() + 4 * i));
  return logits;
}

/// log softmax in fp64.
std::vector<double> logProbabilities(std::span<const float> row) {
  double most = *std::max_element(row.begin(), row.end()), sum = 0;
  for (float x : row)
    sum += std::exp(static_cast<double>(x) - most);
  std::vector<double> result;
  for (float x : row)
    result.push_back(static_cast<double>(x) - most - std::log(sum));
  return result;
}

std::vector<int32_t> firstFive(std::span<const float> row) {
  std::vector<int32_t> order(row.size());
  std::iota(order.begin(), order.end(), 0);
  std::partial_sort(order.begin(), order.begin() + 5, order.end(),
                    [&](int32_t a, int32_t b) { return row[a] != row[b] ? row[a] > row[b] : a < b; });
  order.resize(5);
  std::sort(order.begin(), order.end());
  return order;
}

} // namespace

std::string quern::testing::modelDirectory(const std::string &name) {
  return std::string(QUERN_SOURCE_DIR) + "/tests/models/" + name;
}

std::vector<std::string> quern::testing::goldenModels(const std::string &file) {
  std::vector<std::string> names;
  for (const auto &entry :
       std::filesystem::directory_iterator(std::string(QUERN_SOURCE_DIR) + "/tests/models"))
    if (std::filesystem::exists(entry.path() / (file + ".json")))
      names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

Expected<std::vector<GoldenCase>> quern::testing::readGoldens(const std::string &directory,
                                                              const std::string &name) {
  QUERN_ASSIGN_OR_RETURN(JsonDocument document, readJsonFile(directory + "/" + name + ".json"));
  QUERN_ASSIGN_OR_RETURN(SafetensorsFile file,
                         SafetensorsFile::open(directory + "/" + name + ".safetensors"));
  QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> items, document.root().getArray("cases"));
  std::vector<GoldenCase> cases;
  for (const JsonRef &item : items) {
    GoldenCase golden;
    QUERN_ASSIGN_OR_RETURN(std::string_view caseName, item.getString("name"));
    golden.name = std::string(caseName);
    QUERN_ASSIGN_OR_RETURN(golden.prompt, readList<int32_t>(item, "prompt"));
    QUERN_ASSIGN_OR_RETURN(golden.greedy, readList<int32_t>(item, "greedy"));
    QUERN_ASSIGN_OR_RETURN(golden.greedyGaps, readList<double>(item, "greedy_gaps"));
    QUERN_ASSIGN_OR_RETURN(golden.greedyRouterMargins, readList<double>(item, "greedy_router_margins"));
    QUERN_ASSIGN_OR_RETURN(golden.logits,
                           readLogits(file, item, item.has("logits_last") ? "logits_last" : "logits"));
    QUERN_ASSIGN_OR_RETURN(golden.logitsFp8, readLogits(file, item, "logits_fp8"));
    QUERN_ASSIGN_OR_RETURN(golden.mtpDrafts, readList<int32_t>(item, "mtp_drafts"));
    QUERN_ASSIGN_OR_RETURN(golden.mtpLogits, readLogits(file, item, "mtp_logits"));
    cases.push_back(std::move(golden));
  }
  return cases;
}

int32_t quern::testing::argmax(std::span<const float> row) {
  return static_cast<int32_t>(std::max_element(row.begin(), row.end()) - row.begin());
}

double quern::testing::topGap(std::span<const float> row) {
  float first = -INFINITY, second = -INFINITY;
  for (float x : row) {
    second = std::max(second, std::min(first, x));
    first = std::max(first, x);
  }
  return static_cast<double>(first) - second;
}

Distance quern::testing::compare(const Logits &reference, const Logits &got, double gap) {
  Distance distance;
  for (int64_t i = 0; i < reference.rows; ++i) {
    std::span<const float> r = reference.row(i), g = got.row(i);
    std::vector<double> p = logProbabilities(r), q = logProbabilities(g);
    int32_t best = argmax(r);
    for (size_t j = 0; j < r.size(); ++j) {
      double moved = std::abs(static_cast<double>(r[j]) - g[j]);
      distance.logit = moved <= distance.logit ? distance.logit : moved;
    }
    // Written so that a NaN counts as the largest distance.
    double change = std::abs(p[best] - q[best]);
    distance.logProbability = change <= distance.logProbability ? distance.logProbability : change;
    for (size_t j = 0; j < p.size(); ++j)
      distance.meanKl += std::exp(p[j]) * (p[j] - q[j]) / static_cast<double>(reference.rows);
    if (!(topGap(r) > gap))
      ++distance.close;
    else if (argmax(g) != best)
      ++distance.flips;
    std::vector<int32_t> a = firstFive(r), b = firstFive(g), shared;
    std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(shared));
    distance.fewestShared = std::min(distance.fewestShared, static_cast<int64_t>(shared.size()));
  }
  return distance;
}
