//===- KernelKey.cpp ------------------------------------------------------===//
#include "tuner/database/KernelKey.h"

#include <algorithm>

namespace quern::tuner {

Expected<KernelKey> KernelKey::parse(std::string_view text, const std::string &kernel,
                                     const std::string &name) {
  QUERN_ASSIGN_OR_RETURN(JsonDocument document, parseJson(text, {.name = name}));
  JsonRef root = document.root();
  KernelKey result;
  result.kernelName = kernel;
  QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> names, root.getArray("key"));
  for (JsonRef item : names) {
    QUERN_ASSIGN_OR_RETURN(std::string_view parameter, item.asString());
    if (std::ranges::find(result.key, parameter) != result.key.end())
      return item.error("E-SPACE-KEY", "stands in the key already");
    result.key.emplace_back(parameter);
  }
  std::ranges::sort(result.key);
  QUERN_ASSIGN_OR_RETURN(result.dtype, root.getString("dtype"));
  QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> rows, root.getArray("rows"));
  for (JsonRef item : rows) {
    QUERN_ASSIGN_OR_RETURN(int64_t end, item.asInt({1}));
    if (!result.ends.empty() && end <= result.ends.back())
      return item.error("E-SPACE-KEY", "a bucket ends before the one in front of it");
    result.ends.push_back(end);
  }
  if (result.ends.empty())
    return root.error("E-SPACE-KEY", "has no buckets of rows");
  result.searched = root.has("spaces");
  return std::move(result);
}

std::optional<TokenRange> KernelKey::bucket(int64_t rows) const {
  auto end = std::ranges::lower_bound(ends, rows);
  if (rows < 1 || end == ends.end())
    return std::nullopt;
  return TokenRange{end == ends.begin() ? 1 : *(end - 1) + 1, *end};
}

std::vector<TokenRange> KernelKey::buckets(TokenRange range) const {
  std::vector<TokenRange> result;
  int64_t first = 1;
  for (int64_t end : ends) {
    if (TokenRange bucket{first, end}; bucket.intersects(range))
      result.push_back(bucket);
    first = end + 1;
  }
  return result;
}

Problem KernelKey::problem(const std::map<std::string, std::string> &parameters, TokenRange rows) const {
  Problem problem;
  problem.kernel = kernelName;
  problem.tokens = rows;
  for (const std::string &name : key)
    if (auto it = parameters.find(name); it != parameters.end())
      problem.parameters.insert(*it);
  auto type = parameters.find(dtype);
  problem.dtype = type == parameters.end() ? dtype : type->second;
  return problem;
}

std::string_view scheduleOfText(std::string_view text) {
  size_t end = text.find('}');
  return end == std::string_view::npos ? text : text.substr(0, end + 1);
}

std::map<std::string, std::string> parametersOfText(std::string_view text) {
  std::map<std::string, std::string> parameters;
  std::string_view rest = text.substr(scheduleOfText(text).size());
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(' '), rest.size());
    const std::string_view word = rest.substr(0, end);
    if (size_t equals = word.find('='); equals != std::string_view::npos)
      parameters.emplace(word.substr(0, equals), word.substr(equals + 1));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return parameters;
}

} // namespace quern::tuner
