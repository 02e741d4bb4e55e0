//===- KernelProblem.cpp --------------------------------------------------===//
#include "tuner/space/KernelProblem.h"
#include "tuner/space/KernelSpace.h"

#include <charconv>
#include <sstream>

namespace quern::tuner {

std::string KernelProblem::request(const std::string &schedule) const {
  std::string text = schedule;
  for (const auto &[name, value] : parameters)
    text += " " + name + "=" + value;
  return text;
}

std::string KernelProblem::text() const { return request(kernel) + " rows=" + std::to_string(rows); }

int64_t KernelProblem::integer(const std::string &name) const {
  auto it = parameters.find(name);
  int64_t value = 0;
  if (it != parameters.end())
    std::from_chars(it->second.data(), it->second.data() + it->second.size(), value);
  return value;
}

std::string KernelProblem::element(const std::string &name) const {
  auto it = parameters.find(name);
  return it == parameters.end() ? std::string() : it->second;
}

Expected<KernelProblem> problemOfRequest(const std::string &request, int64_t rows) {
  KernelProblem problem;
  problem.rows = rows;
  const size_t open = request.find('{'), close = request.find('}');
  auto damaged = [&] {
    return Status::error(Exit::BadInput, "E-TUNE-REQUEST",
                         "cannot read the kernel request `" + request + "`");
  };
  if (open == std::string::npos || close == std::string::npos || close < open || open == 0)
    return damaged();
  problem.kernel = request.substr(0, open);
  std::istringstream fields(request.substr(close + 1));
  for (std::string field; fields >> field;) {
    const size_t equals = field.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == field.size())
      return damaged();
    problem.parameters[field.substr(0, equals)] = field.substr(equals + 1);
  }
  return std::move(problem);
}

//===----------------------------------------------------------------------===//
// Files of shapes
//===----------------------------------------------------------------------===//

static constexpr int64_t mostRows = int64_t(1) << 20;
/// Of one file: a larger one is a mistake.
static constexpr size_t mostProblems = 100000;

static Status shapesError(const std::string &name, size_t line, const std::string &why) {
  return Status::error(Exit::BadInput, "E-TUNE-SHAPES", name + ":" + std::to_string(line) + ": " + why);
}

/// A number or a name as the text that a request holds; nothing for any other value.
static std::optional<std::string> parameterText(const Json &value) {
  if (value.isInt())
    return writeJson(value);
  if (value.kind() == JsonKind::Bool)
    return std::string(value.boolean() ? "1" : "0");
  if (value.isNumber()) {
    const std::string text = writeJson(value);
    return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
  }
  if (!value.isString() || value.string().empty() ||
      value.string().find_first_of(" \t\n={}") != std::string::npos)
    return std::nullopt;
  return value.string();
}

static Status readShape(JsonRef root, std::vector<KernelProblem> &problems, std::string &why) {
  KernelProblem problem;
  QUERN_ASSIGN_OR_RETURN(std::string_view kernel, root.getString("kernel"));
  problem.kernel = kernel;
  std::map<std::string, std::string> given;
  QUERN_ASSIGN_OR_RETURN(std::optional<JsonRef> parameters, root.findObject("parameters"));
  if (parameters)
    for (const Json::Member &member : (*parameters)->members()) {
      std::optional<std::string> text = parameterText(member.value);
      if (!text) {
        why = "the parameter `" + member.key + "` is no number and no name";
        return Status::success();
      }
      given[member.key] = *text;
    }
  for (const Json::Member &member : root->members())
    if (member.key != "kernel" && member.key != "rows" && member.key != "parameters") {
      why = "nothing is called `" + member.key + "`";
      return Status::success();
    }
  why = standardParameters(problem.kernel, given);
  if (!why.empty())
    return Status::success();
  problem.parameters = std::move(given);
  QUERN_ASSIGN_OR_RETURN(JsonRef rows, root.get("rows"));
  std::vector<JsonRef> all = {rows};
  if (rows.kind() == JsonKind::Array) {
    QUERN_ASSIGN_OR_RETURN(all, rows.asArray());
  }
  for (JsonRef one : all) {
    QUERN_ASSIGN_OR_RETURN(problem.rows, one.asInt({1, mostRows}));
    problems.push_back(problem);
  }
  return Status::success();
}

Expected<std::vector<KernelProblem>> readShapes(std::string_view text, const std::string &name) {
  std::vector<KernelProblem> problems;
  size_t line = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view one = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++line;
    if (one.find_first_not_of(" \t\r") == std::string_view::npos)
      continue;
    Expected<JsonDocument> document = parseJson(one, {.name = name + ":" + std::to_string(line)});
    if (!document.ok())
      return shapesError(name, line, "not a JSON object").cause(document.error().sentence());
    std::string why;
    if (Status status = readShape(document->root(), problems, why); !status.ok())
      return shapesError(name, line, "not a problem").cause(status.sentence());
    if (!why.empty())
      return shapesError(name, line, why);
    if (problems.size() > mostProblems)
      return shapesError(name, line, "more than " + std::to_string(mostProblems) + " problems");
  }
  if (problems.empty())
    return shapesError(name, line, "no problem in the file");
  return std::move(problems);
}

} // namespace quern::tuner
